//! Standing orders: how their owners reduce, change, replace and end them.

use crate::{
    arena::{Identity, Traits},
    command::{Cancel, Modify, Replace, Source, Terms},
    engine::{Engine, Number, Taker},
    event::{Entered, Event, Head, Marks, Modified, Notice, Sink},
    matching::{Limit, Outcome, check_min_qty, echo},
    reject::{CancelReason, Reject},
    types::{Action, Display, Side},
    user_refs::Key,
};

impl Engine {
    /// Says that a live order was not changed, because the request's values are not allowed.
    fn reject_cancel(&self, slot: u32, sink: &mut impl Sink) {
        sink.push(Event::cancel_rejected(Notice {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            channel: self.store.arena.channel(slot),
            pad: [0; 39],
        }));
    }

    /// The slot of the live order that a client means by its number.
    fn find(&self, source: Source, user_ref_num: u32) -> Option<u32> {
        let Source { port, channel, .. } = source;
        self.user_refs.get(Key { port, channel, user_ref_num })
    }

    /// The slot of the live order that a client means by its reference; it must be its own.
    fn find_by_ref(&self, source: Source, order_ref: u64) -> Option<u32> {
        let slot = self.store.arena.find(self.origin, order_ref)?;
        (self.store.arena.unit(slot).port() == source.port).then_some(slot)
    }

    pub(crate) fn cancel(&mut self, cancel: &Cancel, sink: &mut impl Sink) {
        if !self.is_current(cancel.source) {
            return;
        }
        let found = match cancel.order_ref {
            Some(order_ref) if cancel.user_ref_num == 0 => {
                self.find_by_ref(cancel.source, order_ref)
            }
            Some(_) | None => self.find(cancel.source, cancel.user_ref_num),
        };
        let Some(slot) = found else {
            return;
        };
        let unit = self.store.arena.unit(slot);
        let is_twice_named = cancel.order_ref.is_some() && cancel.user_ref_num != 0;
        let Some(qty) = cancel.qty.filter(|_| !is_twice_named) else {
            return self.reject_cancel(slot, sink);
        };
        let left = unit.open.min(qty.saturating_sub(unit.executed));
        let taken = unit.open - left;
        if left == 0 {
            self.cancel_resting(slot, CancelReason::User, sink);
        } else if 0 < taken {
            self.tell_canceled(slot, taken, CancelReason::User, self.shown(slot), sink);
        }
    }

    pub(crate) fn modify(&mut self, modify: &Modify, sink: &mut impl Sink) {
        if !self.is_current(modify.source) {
            return;
        }
        let Some(slot) = self.find(modify.source, modify.user_ref_num) else {
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
        sink.push(Event::modified(Modified {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[book].instrument.id,
            qty: taken,
            open: left,
            channel: self.store.arena.channel(slot),
            pad: [0; 27],
        }));
        if left == 0 {
            self.unrest(slot);
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
        let Some(old_slot) = self.find(source, replace.orig_user_ref_num) else {
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
        let Ok((terms, limit)) = self.check_replace(replace, old_slot) else {
            return self.cancel_resting(old_slot, CancelReason::System, sink);
        };
        self.consume(source, user_ref_num);
        if !self.can_replace(source, user_ref_num, old_slot, terms.display) {
            return self.reject(source, user_ref_num, Reject::Other, text, sink);
        }
        self.carry_over(replace, old_slot, terms, limit, sink);
    }

    /// The terms of a replacement and how far it may trade, or why it is invalid.
    fn check_replace(&self, replace: &Replace<'_>, slot: u32) -> Result<(Terms, Limit), Reject> {
        let old = self.store.arena.unit(slot);
        let terms = replace.terms?;
        let asked = (replace.qty, replace.px);
        let limit = self.limit(old.book, old.action(), terms.time_in_force, asked)?;
        check_min_qty(replace.qty, terms)?;
        Ok((terms, limit))
    }

    /// Whether nothing is missing to replace the order at `slot`.
    fn can_replace(
        &mut self,
        source: Source,
        user_ref_num: u32,
        slot: u32,
        display: Display,
    ) -> bool {
        let Source { port, channel, .. } = source;
        self.store.arena.can_renew(slot, display.is_hidden())
            && self.store.has_room()
            && self.user_refs.reserve(Key { port, channel, user_ref_num })
    }

    /// Puts the replacement in the place of the order at `old_slot`.
    fn carry_over(
        &mut self,
        replace: &Replace<'_>,
        old_slot: u32,
        terms: Terms,
        limit: Limit,
        sink: &mut impl Sink,
    ) {
        let Replace { source, user_ref_num, .. } = *replace;
        let old = *self.store.arena.unit(old_slot);
        let (old_order_ref, was_hidden) =
            (self.order_ref(old_slot), self.store.arena.is_hidden(old_slot));
        let Terms { time_in_force, display, group, .. } = terms;
        self.unrest(old_slot);
        let Source { port, channel, .. } = source;
        let identity = Identity { port, channel, group, seq: self.seq };
        let renewed = self.store.arena.renew_order(old_slot, display.is_hidden(), identity);
        assert!(renewed.is_some(), "a replace went ahead without a slot");
        let slot = renewed.unwrap_or(old_slot);
        let used = old.executed.saturating_add(self.store.arena.decremented(slot));
        let (action, capacity) = (old.action(), old.capacity());
        let unit = self.store.arena.unit_mut(slot);
        unit.px = limit.price.raw();
        unit.open = replace.qty.saturating_sub(used);
        unit.executed = old.executed;
        unit.user_ref_num = user_ref_num;
        unit.book = old.book;
        unit.set_traits(Traits { action, capacity, time_in_force, display });
        let open = unit.open;
        self.set_timer(slot, terms);
        let outcome = self.outcome(slot, terms);
        // An ITCH replacement keeps the attribution.
        let is_told = outcome == Outcome::Rests && !was_hidden && display == old.display();
        let marks = Marks::new(time_in_force, capacity, display).with_old_shown(!was_hidden);
        let marks = outcome.mark(marks, is_told).with_echo(!replace.echo.is_empty());
        sink.push(Event::replaced(Entered {
            head: Head::new(port, user_ref_num, action, self.now_ns),
            order_ref: self.order_ref(slot),
            old_order_ref,
            instrument: self.books[usize::from(old.book)].instrument.id,
            px: if limit.is_market { replace.px } else { limit.price.raw() },
            qty: open,
            orig_user_ref_num: replace.orig_user_ref_num,
            client_order_id: replace.client_order_id,
            marks,
        }));
        echo(port, user_ref_num, self.now_ns, replace.echo, sink);
        self.carry_out(outcome, Taker::new(slot, terms, limit.is_market), is_told, sink);
    }
}
