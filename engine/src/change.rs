//! Standing orders: how their owners reduce, change, replace and end them.

use crate::{
    arena::{Identity, Traits},
    command::{Cancel, Modify, Replace, Source, Terms},
    engine::{Engine, Number, Taker},
    event::{Entered, Event, Head, Marks, Modified, Notice, Sink},
    matching::{Limit, Outcome, check_min_qty, echo},
    reject::{CancelReason, Reject},
    types::{Action, Display, Side, TimeInForce},
    user_refs::{Entry, Key},
};

impl Engine {
    /// Says that a live order was not changed, because the request's values are not allowed.
    fn reject_cancel(&self, slot: u32, sink: &mut impl Sink) {
        sink.write(Event::cancel_rejected(Notice {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            channel: self.store.arena.channel(slot),
            pad: [0; 39],
        }));
    }

    /// The slot of the live order that a client means by its number, and where that is noted.
    #[inline]
    fn find(&self, source: Source, user_ref_num: u32) -> Option<(u32, Entry)> {
        let Source { port, channel, .. } = source;
        self.user_refs.get(Key { port, channel, user_ref_num })
    }

    /// The slot of the live order that a client means by its reference; it must be its own.
    #[cold]
    fn find_by_ref(&self, source: Source, order_ref: u64) -> Option<u32> {
        let slot = self.store.arena.find(self.origin, order_ref)?;
        (self.store.arena.unit(slot).port() == source.port).then_some(slot)
    }

    pub(crate) fn cancel(&mut self, cancel: &Cancel, sink: &mut impl Sink) {
        if !self.is_current(cancel.source) {
            return;
        }
        match (cancel.order_ref, cancel.qty) {
            (None, Some(qty)) => {
                let Some((slot, entry)) = self.find(cancel.source, cancel.user_ref_num) else {
                    return;
                };
                if self.reduce(slot, qty, sink) {
                    self.unrest_at(slot, entry);
                    self.store.arena.free_order(slot);
                }
            }
            (order_ref, qty) => self.cancel_otherwise(cancel, order_ref, qty, sink),
        }
    }

    /// Cancels by reference, or refuses to.
    #[cold]
    fn cancel_otherwise(
        &mut self,
        cancel: &Cancel,
        order_ref: Option<u64>,
        qty: Option<u32>,
        sink: &mut impl Sink,
    ) {
        let found = match order_ref {
            Some(order_ref) if cancel.user_ref_num == 0 => {
                self.find_by_ref(cancel.source, order_ref)
            }
            Some(_) | None => self.find(cancel.source, cancel.user_ref_num).map(|(slot, _)| slot),
        };
        let Some(slot) = found else {
            return;
        };
        let is_twice_named = order_ref.is_some() && cancel.user_ref_num != 0;
        let Some(qty) = qty.filter(|_| !is_twice_named) else {
            return self.reject_cancel(slot, sink);
        };
        if self.reduce(slot, qty, sink) {
            self.unrest(slot);
            self.store.arena.free_order(slot);
        }
    }

    /// Reduces an order to a total of `qty` and tells of it. Whether nothing is left.
    #[inline]
    fn reduce(&mut self, slot: u32, qty: u32, sink: &mut impl Sink) -> bool {
        let unit = self.store.arena.unit(slot);
        let left = unit.open.min(qty.saturating_sub(unit.executed));
        let taken = unit.open - left;
        if 0 < taken {
            self.tell_canceled(slot, taken, CancelReason::User, self.shown(slot), sink);
        }
        left == 0
    }

    pub(crate) fn modify(&mut self, modify: &Modify, sink: &mut impl Sink) {
        if !self.is_current(modify.source) {
            return;
        }
        let Some((slot, entry)) = self.find(modify.source, modify.user_ref_num) else {
            return;
        };
        let unit = self.store.arena.unit_mut(slot);
        let may_become = |action: &Action| {
            *action == unit.action()
                || (action.side() == Side::Ask && unit.action().side() == Side::Ask)
        };
        let Some(action) = modify.action.filter(may_become) else {
            return self.reject_cancel(slot, sink);
        };
        let left = modify.qty.saturating_sub(unit.executed);
        if unit.open < left {
            return;
        }
        let taken = unit.open - left;
        unit.open = left;
        unit.set_action(action);
        let book = usize::from(unit.book);
        sink.write(Event::modified(Modified {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[book].instrument.id,
            qty: taken,
            open: left,
            channel: self.store.arena.channel(slot),
            pad: [0; 27],
        }));
        if left == 0 {
            self.unrest_at(slot, entry);
            self.store.arena.free_order(slot);
        }
    }

    pub(crate) fn replace(&mut self, replace: &Replace<'_>, sink: &mut impl Sink) {
        let Replace { source, user_ref_num, client_order_id: text, .. } = *replace;
        if !self.is_current(source) {
            return;
        }
        let number = self.number(source, user_ref_num);
        if number == Number::Old {
            return;
        }
        let Some((old_slot, old_entry)) = self.find(source, replace.orig_user_ref_num) else {
            return;
        };
        if number == Number::Wild {
            return self.reject(source, user_ref_num, Reject::Other, text, sink);
        }
        if self.ports[usize::from(source.port)].is_disabled {
            self.consume(source, user_ref_num);
            return self.reject(source, user_ref_num, Reject::Firm, text, sink);
        }
        let Ok((terms, limit)) = self.check_replace(replace, old_slot) else {
            return self.cancel_resting(old_slot, CancelReason::System, sink);
        };
        self.consume(source, user_ref_num);
        let Some(entry) = self.place_again(source, user_ref_num, old_slot, terms.display) else {
            return self.reject(source, user_ref_num, Reject::Other, text, sink);
        };
        let move_of = Move { old_slot, old_entry, entry, terms, limit };
        self.carry_over(replace, move_of, sink);
    }

    /// The terms of a replacement and how far it may trade, or why it is invalid.
    #[inline]
    fn check_replace<'a>(
        &self,
        replace: &'a Replace<'_>,
        slot: u32,
    ) -> Result<(&'a Terms, Limit), Reject> {
        let old = self.store.arena.unit(slot);
        let terms = replace.terms.as_ref().map_err(|reason| *reason)?;
        let asked = (replace.qty, replace.px);
        let limit = self.limit(old.book, old.action(), terms.time_in_force, asked)?;
        check_min_qty(replace.qty, terms)?;
        Ok((terms, limit))
    }

    /// Where the number of what replaces the order at `slot` will be noted; `None` when anything
    /// is missing to replace it.
    #[inline]
    fn place_again(
        &mut self,
        source: Source,
        user_ref_num: u32,
        slot: u32,
        display: Display,
    ) -> Option<Entry> {
        let Source { port, channel, .. } = source;
        let can_renew = self.store.arena.can_renew(slot, display.is_hidden());
        if !(can_renew && self.store.has_room()) {
            return None;
        }
        self.user_refs.reserve(Key { port, channel, user_ref_num })
    }

    /// Puts the replacement in the place of the old order.
    #[inline]
    fn carry_over(&mut self, replace: &Replace<'_>, it: Move<'_>, sink: &mut impl Sink) {
        let Replace { source, user_ref_num, .. } = *replace;
        let Source { port, channel, .. } = source;
        let Terms { time_in_force, display, group, .. } = *it.terms;
        let old = *self.store.arena.unit(it.old_slot);
        let old_order_ref = self.order_ref(it.old_slot);
        let was_hidden = self.store.arena.is_hidden(it.old_slot);
        self.unrest_at(it.old_slot, it.old_entry);
        let identity = Identity { port, channel, group, seq: self.seq };
        let renewed = self.store.arena.renew_order(it.old_slot, display.is_hidden(), identity);
        assert!(renewed.is_some(), "a replace went ahead without a slot");
        let slot = renewed.unwrap_or(it.old_slot);
        let used = old.executed.saturating_add(self.store.arena.decremented(slot));
        let (action, capacity) = (old.action(), old.capacity());
        let (px, open) = (it.limit.price.raw(), replace.qty.saturating_sub(used));
        let unit = self.store.arena.unit_mut(slot);
        unit.px = px;
        unit.open = open;
        unit.executed = old.executed;
        unit.user_ref_num = user_ref_num;
        unit.book = old.book;
        unit.set_traits(Traits { action, capacity, time_in_force, display });
        if time_in_force == TimeInForce::UntilTime {
            self.set_timer(slot, it.terms);
        }
        let outcome = if open == 0 {
            Outcome::Dies
        } else {
            self.outcome(slot, (old.book, action.side(), px), it.terms)
        };
        // An ITCH replacement keeps the attribution.
        let is_told = outcome == Outcome::Rests && !was_hidden && display == old.display();
        let marks = Marks::new(time_in_force, capacity, display).with_old_shown(!was_hidden);
        let marks = outcome.mark(marks, is_told).with_echo(!replace.echo.is_empty());
        sink.write(Event::replaced(Entered {
            head: Head::new(port, user_ref_num, action, self.now_ns),
            order_ref: self.order_ref(slot),
            old_order_ref,
            instrument: self.books[usize::from(old.book)].instrument.id,
            px: if it.limit.is_market { replace.px } else { px },
            qty: open,
            orig_user_ref_num: replace.orig_user_ref_num,
            client_order_id: replace.client_order_id,
            marks,
        }));
        if !replace.echo.is_empty() {
            echo(port, user_ref_num, self.now_ns, replace.echo, sink);
        }
        if outcome == Outcome::Rests {
            if !is_told {
                self.tell_rested(slot, sink);
            }
            self.rest(slot, Some(it.entry));
        } else {
            self.carry_out(outcome, Taker::new(slot, it.terms, it.limit.is_market), sink);
        }
    }
}

/// An order that is about to be replaced.
#[derive(Clone, Copy, Debug)]
struct Move<'a> {
    old_slot: u32,
    old_entry: Entry,
    /// Where the new number will be noted.
    entry: Entry,
    terms: &'a Terms,
    limit: Limit,
}
