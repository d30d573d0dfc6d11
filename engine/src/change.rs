//! Standing orders: how their owners reduce, change, replace and end them.

use crate::{
    arena::{Identity, Renewed, Unit},
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

    #[inline(never)]
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

    #[inline(never)]
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
        let book = self.store.arena.unit(old_slot).book;
        if let Err(reason) = self.check_port(source.port).and(self.check_trading(book)) {
            self.consume(source, user_ref_num);
            return self.reject(source, user_ref_num, reason, text, sink);
        }
        let old = *self.store.arena.unit(old_slot);
        let Ok((terms, limit)) = self.check_replace(replace, &old) else {
            return self.cancel_resting(old_slot, CancelReason::System, sink);
        };
        self.consume(source, user_ref_num);
        let Some(entry) = self.place_again(source, user_ref_num, old_slot, terms.display) else {
            return self.reject(source, user_ref_num, Reject::Other, text, sink);
        };
        self.carry_over(replace, &Move { old_slot, old_entry, old, entry, terms, limit }, sink);
    }

    /// The terms of a replacement and how far it may trade, or why it is invalid.
    #[inline]
    fn check_replace<'a>(
        &self,
        replace: &'a Replace<'_>,
        old: &Unit,
    ) -> Result<(&'a Terms, Limit), Reject> {
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
    fn carry_over(&mut self, replace: &Replace<'_>, it: &Move<'_>, sink: &mut impl Sink) {
        let Replace { source: Source { port, channel, .. }, user_ref_num, .. } = *replace;
        let Terms { time_in_force, display, group, .. } = *it.terms;
        let (old, side) = (&it.old, it.old.action().side());
        let old_order_ref = self.order_ref(it.old_slot);
        let was_hidden = self.store.arena.is_hidden(it.old_slot);
        self.user_refs.clear_at(it.old_entry);
        if old.time_in_force() == TimeInForce::UntilTime {
            self.stop_timer(it.old_slot);
        }
        let book = &mut self.books[usize::from(old.book)];
        book.remove(&mut self.store, side, it.old_slot);
        let identity = Identity { port, channel, group, seq: self.seq };
        let (slot, decremented) =
            self.store.arena.renew_order(it.old_slot, display.is_hidden(), identity);
        let used = old.executed.saturating_add(decremented);
        let (px, open) = (it.limit.price.raw(), replace.qty.saturating_sub(used));
        let renewed = Renewed { px, open, user_ref_num, time_in_force, display };
        self.store.arena.rewrite(slot, old, renewed);
        if time_in_force == TimeInForce::UntilTime {
            self.set_timer(slot, it.terms);
        }
        let outcome = if open == 0 {
            Outcome::Dies
        } else {
            self.outcome(slot, (old.book, side, px), it.terms)
        };
        // An ITCH replacement keeps the attribution.
        let is_told = outcome == Outcome::Rests && !was_hidden && display == old.display();
        let marks = Marks::new(time_in_force, old.capacity(), display).with_old_shown(!was_hidden);
        let marks = outcome.mark(marks, is_told).with_echo(!replace.echo.is_empty());
        let book = &mut self.books[usize::from(old.book)];
        sink.write(Event::replaced(Entered {
            head: Head::new(port, user_ref_num, old.action(), self.now_ns),
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            old_order_ref,
            instrument: book.instrument.id,
            px: if it.limit.is_market { replace.px } else { px },
            qty: open,
            orig_user_ref_num: replace.orig_user_ref_num,
            client_order_id: *replace.client_order_id,
            marks,
        }));
        let is_plain = is_told && time_in_force != TimeInForce::UntilTime;
        if is_plain && replace.echo.is_empty() {
            // One order of the port went, one comes: the count of those that rest stays.
            self.user_refs.set(it.entry, slot);
            return book.rest(&mut self.store, side, slot, px);
        }
        self.ports[usize::from(port)].live_orders -= 1;
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
    old: Unit,
    /// Where the new number will be noted.
    entry: Entry,
    terms: &'a Terms,
    limit: Limit,
}
