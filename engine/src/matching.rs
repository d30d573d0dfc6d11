//! Orders: how they enter, trade, rest, change and end.

use crate::{
    arena::NONE,
    command::{Cancel, Enter, Modify, Replace, Source, Terms},
    engine::{Engine, Number, Work},
    event::{Canceled, Echo, Entered, Event, Fill, Head, Marks, Modified, Notice, Rested, Sink},
    limits::{ECHO_PART_LEN, GENERATION_MAX},
    reject::{CancelReason, Reject},
    types::{Action, Price, Side, TimeInForce, crosses},
};

const NS_PER_S: u64 = 1_000_000_000;

impl Engine {
    pub(crate) fn enter(&mut self, enter: &Enter<'_>, sink: &mut impl Sink) {
        if !self.is_current(enter.source) {
            return;
        }
        let Source { port, channel, .. } = enter.source;
        let number = self.number(port, enter.user_ref_num);
        if number == Number::Old && channel == 0 {
            return;
        }
        let reject = |engine: &Self, reason: Reject, sink: &mut _| {
            engine.reject(port, enter.user_ref_num, reason as u16, enter.client_order_id, sink);
        };
        if number == Number::Wild || channel != 0 {
            return reject(self, Reject::Other, sink);
        }
        self.consume(port, enter.user_ref_num);
        let (book, terms, price) = match self.check_enter(enter) {
            Ok(checked) => checked,
            Err(reason) => return reject(self, reason, sink),
        };
        let Some(slot) = self.place_for(port, enter.user_ref_num, terms.time_in_force) else {
            return reject(self, Reject::Other, sink);
        };
        let unit = self.store.arena.unit_mut(slot);
        unit.px = price.raw();
        unit.open = enter.qty;
        unit.executed = 0;
        unit.user_ref_num = enter.user_ref_num;
        unit.port = port;
        unit.book = book;
        unit.set_traits(terms.action, terms.capacity, terms.time_in_force);
        self.set_timer(slot, terms);
        let outcome = self.outcome(slot, terms);
        let marks = outcome.mark(Marks::new(terms.time_in_force, terms.capacity));
        sink.push(Event::accepted(Entered {
            head: Head::new(port, enter.user_ref_num, terms.action, self.now_ns),
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            old_order_ref: 0,
            instrument: enter.instrument,
            px: price.raw(),
            qty: enter.qty,
            orig_user_ref_num: 0,
            client_order_id: enter.client_order_id,
            marks: marks.with_echo(!enter.echo.is_empty()),
        }));
        echo(port, enter.user_ref_num, self.now_ns, enter.echo, sink);
        self.carry_out(outcome, slot, sink);
    }

    fn check_enter(&self, enter: &Enter<'_>) -> Result<(u16, Terms, Price), Reject> {
        if self.ports[usize::from(enter.source.port)].is_disabled {
            return Err(Reject::Firm);
        }
        let book = self.book_of(enter.instrument).ok_or(Reject::Symbol)?;
        let terms = enter.terms?;
        let price = self.books[usize::from(book)].instrument.check_order(enter.qty, enter.px)?;
        check_min_qty(enter.qty, terms)?;
        self.check_firm(enter.source.port, terms)?;
        Ok((book, terms, price))
    }

    fn check_firm(&self, port: u16, terms: Terms) -> Result<(), Reject> {
        match terms.firm {
            Some(firm) if firm != self.ports[usize::from(port)].firm => Err(Reject::Firm),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a slot, having made sure that the order can rest if it may.
    fn place_for(&mut self, port: u16, number: u32, time_in_force: TimeInForce) -> Option<u32> {
        if time_in_force.may_rest() {
            let has_quota = self.ports[usize::from(port)].live_orders < self.capacity.port_orders;
            let has_slot = 0 < self.store.arena.orders_free();
            let has_room = has_quota && has_slot && self.store.has_room();
            if !has_room || !self.user_refs.reserve(port, number) {
                return None;
            }
        }
        self.store.arena.take_order(self.seq)
    }

    /// What will become of the order at `slot`, before anything does.
    fn outcome(&self, slot: u32, terms: Terms) -> Outcome {
        let unit = self.store.arena.unit(slot);
        if unit.open == 0 {
            return Outcome::Dies;
        }
        let side = unit.action().side();
        let crossed = self.books[usize::from(unit.book)]
            .best(side.opposite())
            .is_some_and(|level| crosses(side, unit.px, self.store.arena.unit(level).px));
        match (crossed, unit.time_in_force()) {
            (true, _) if terms.post_only => Outcome::Yields,
            (true, _) if !self.can_trade(slot, terms.min_qty) => Outcome::Dies,
            (true, _) => Outcome::Trades,
            (false, time_in_force) if time_in_force.may_rest() => Outcome::Rests,
            (false, _) => Outcome::Dies,
        }
    }

    /// Notes when the order at `slot` is to expire, counted from now.
    fn set_timer(&mut self, slot: u32, terms: Terms) {
        if terms.time_in_force == TimeInForce::UntilTime {
            let due_ns = self.now_ns + u64::from(terms.expire_s) * NS_PER_S;
            self.timers.set(slot, due_ns, self.seq);
        }
    }

    /// Ends the orders whose time has come, earliest first, by entry where equal.
    pub(crate) fn expire(&mut self, room: usize, sink: &mut impl Sink) -> Work {
        for _ in 0..room {
            match self.timers.next() {
                Some((due_ns, slot)) if due_ns <= self.now_ns => {
                    self.cancel_resting(slot, CancelReason::Timeout, sink);
                }
                Some(_) | None => return Work::Idle,
            }
        }
        Work::Expire
    }

    /// Whether the order at `slot` would trade at least `min_qty` at once.
    fn can_trade(&self, slot: u32, min_qty: u32) -> bool {
        let unit = self.store.arena.unit(slot);
        let side = unit.action().side();
        if unit.open < min_qty {
            return false;
        }
        let mut missing = min_qty;
        let book = &self.books[usize::from(unit.book)];
        for level in book.levels(&self.store, side.opposite()) {
            if !crosses(side, unit.px, self.store.arena.unit(level).px) {
                break;
            }
            for maker in self.store.arena.queue(level) {
                missing = missing.saturating_sub(self.store.arena.unit(maker).open);
                if missing == 0 {
                    return true;
                }
            }
        }
        missing == 0
    }

    fn carry_out(&mut self, outcome: Outcome, slot: u32, sink: &mut impl Sink) {
        match outcome {
            Outcome::Trades => self.work = Work::Sweep { slot },
            Outcome::Rests => self.rest(slot),
            Outcome::Dies => self.store.arena.free_order(slot),
            Outcome::Yields => {
                let open = self.store.arena.unit(slot).open;
                self.tell_canceled(slot, open, CancelReason::PostOnly, Booked::No, sink);
                self.store.arena.free_order(slot);
            }
        }
    }

    /// Puts the order at `slot` on the book, findable by its client's number.
    fn rest(&mut self, slot: u32) {
        let unit = self.store.arena.unit(slot);
        let (port, number, side) = (unit.port, unit.user_ref_num, unit.action().side());
        let book = usize::from(unit.book);
        self.user_refs.set(port, number, slot);
        self.ports[usize::from(port)].live_orders += 1;
        if self.store.arena.unit(slot).time_in_force() == TimeInForce::UntilTime {
            self.timers.start(slot);
        }
        self.books[book].rest(&mut self.store, side, slot);
    }

    /// Takes the order at `slot` off the book; it can no longer be found.
    pub(crate) fn unrest(&mut self, slot: u32) {
        let unit = self.store.arena.unit(slot);
        let (port, number, side) = (unit.port, unit.user_ref_num, unit.action().side());
        let book = usize::from(unit.book);
        self.user_refs.clear(port, number);
        self.ports[usize::from(port)].live_orders -= 1;
        self.timers.stop(slot);
        self.books[book].remove(&mut self.store, side, slot);
    }

    /// Trades the taker at `slot` against the book until it is filled, the next maker is beyond
    /// its limit, or `room` is used up; then rests or cancels what is left.
    pub(crate) fn sweep(&mut self, slot: u32, room: usize, sink: &mut impl Sink) -> Work {
        let taker = *self.store.arena.unit(slot);
        let side = taker.action().side();
        let book = usize::from(taker.book);
        let instrument = self.books[book].instrument.id;
        // One event is kept for what becomes of the remainder.
        for _ in 1..room {
            let taker = *self.store.arena.unit(slot);
            let Some(level) = self.books[book].best(side.opposite()) else {
                return self.finish(slot, instrument, sink);
            };
            let level = *self.store.arena.unit(level);
            if taker.open == 0 || !crosses(side, taker.px, level.px) {
                return self.finish(slot, instrument, sink);
            }
            self.trade(slot, level.next, instrument, sink);
        }
        Work::Sweep { slot }
    }

    fn trade(&mut self, taker_slot: u32, maker_slot: u32, instrument: u32, sink: &mut impl Sink) {
        let qty = {
            let taker_open = self.store.arena.unit(taker_slot).open;
            taker_open.min(self.store.arena.unit(maker_slot).open)
        };
        for slot in [taker_slot, maker_slot] {
            let unit = self.store.arena.unit_mut(slot);
            unit.open -= qty;
            unit.executed += qty;
        }
        self.match_count += 1;
        let taker = self.store.arena.unit(taker_slot);
        let maker = *self.store.arena.unit(maker_slot);
        sink.push(Event::fill(Fill {
            head: Head::new(maker.port, maker.user_ref_num, maker.action(), self.now_ns),
            maker_ref: self.store.arena.order_ref(self.origin, maker_slot).raw(),
            match_number: self.origin.match_number(self.match_count),
            instrument,
            px: maker.px,
            qty,
            maker_open: maker.open,
            taker_ref: self.store.arena.order_ref(self.origin, taker_slot).raw(),
            taker_user_ref_num: taker.user_ref_num,
            taker_port: taker.port,
            pad: [0; 2],
        }));
        if maker.open == 0 {
            self.unrest(maker_slot);
            self.store.arena.free_order(maker_slot);
        }
    }

    /// What becomes of a taker that cannot trade further.
    fn finish(&mut self, slot: u32, instrument: u32, sink: &mut impl Sink) -> Work {
        let unit = *self.store.arena.unit(slot);
        if unit.open == 0 {
            self.store.arena.free_order(slot);
            return Work::Idle;
        }
        match unit.time_in_force() {
            TimeInForce::Day | TimeInForce::UntilTime => {
                sink.push(Event::rested(Rested {
                    head: Head::new(unit.port, unit.user_ref_num, unit.action(), self.now_ns),
                    order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
                    instrument,
                    px: unit.px,
                    qty: unit.open,
                    pad: [0; 28],
                }));
                self.rest(slot);
            }
            TimeInForce::ImmediateOrCancel => {
                self.tell_canceled(slot, unit.open, CancelReason::Immediate, Booked::No, sink);
                self.store.arena.free_order(slot);
            }
        }
        Work::Idle
    }

    /// Reports that `qty` was taken away from the order at `slot`.
    fn tell_canceled(
        &mut self,
        slot: u32,
        qty: u32,
        reason: CancelReason,
        booked: Booked,
        sink: &mut impl Sink,
    ) {
        let unit = self.store.arena.unit_mut(slot);
        unit.open -= qty;
        let unit = *unit;
        sink.push(Event::canceled(Canceled {
            head: Head::new(unit.port, unit.user_ref_num, unit.action(), self.now_ns),
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            instrument: self.books[usize::from(unit.book)].instrument.id,
            qty,
            open: unit.open,
            reason: reason as u8,
            booked: booked as u8,
            pad: [0; 26],
        }));
    }

    /// Ends the resting order at `slot`.
    pub(crate) fn cancel_resting(&mut self, slot: u32, reason: CancelReason, sink: &mut impl Sink) {
        let open = self.store.arena.unit(slot).open;
        self.tell_canceled(slot, open, reason, Booked::Yes, sink);
        self.unrest(slot);
        self.store.arena.free_order(slot);
    }

    /// Says that a live order was not changed, because the request's values are not allowed.
    fn reject_cancel(&self, slot: u32, sink: &mut impl Sink) {
        let unit = self.store.arena.unit(slot);
        let head = Head::new(unit.port, unit.user_ref_num, unit.action(), self.now_ns);
        sink.push(Event::cancel_rejected(Notice { head, pad: [0; 48] }));
    }

    /// The slot of the live order a client means. Channels other than 0 have none.
    fn find(&self, source: Source, user_ref_num: u32) -> Option<u32> {
        if source.channel == 0 { self.user_refs.get(source.port, user_ref_num) } else { None }
    }

    pub(crate) fn cancel(&mut self, cancel: &Cancel, sink: &mut impl Sink) {
        if !self.is_current(cancel.source) {
            return;
        }
        let Some(slot) = self.find(cancel.source, cancel.user_ref_num) else {
            return;
        };
        let unit = self.store.arena.unit(slot);
        let Some(qty) = cancel.qty else {
            return self.reject_cancel(slot, sink);
        };
        let left = unit.open.min(qty.saturating_sub(unit.executed));
        let taken = unit.open - left;
        if left == 0 {
            self.cancel_resting(slot, CancelReason::User, sink);
        } else if 0 < taken {
            self.tell_canceled(slot, taken, CancelReason::User, Booked::Yes, sink);
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
        unit.set_traits(action, unit.capacity(), unit.time_in_force());
        let unit = *unit;
        sink.push(Event::modified(Modified {
            head: Head::new(unit.port, unit.user_ref_num, action, self.now_ns),
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            instrument: self.books[usize::from(unit.book)].instrument.id,
            qty: taken,
            open: left,
            pad: [0; 28],
        }));
        if left == 0 {
            self.unrest(slot);
            self.store.arena.free_order(slot);
        }
    }

    pub(crate) fn replace(&mut self, replace: &Replace<'_>, sink: &mut impl Sink) {
        if !self.is_current(replace.source) {
            return;
        }
        let Source { port, .. } = replace.source;
        let number = self.number(port, replace.user_ref_num);
        if number == Number::Old {
            return;
        }
        let Some(old_slot) = self.find(replace.source, replace.orig_user_ref_num) else {
            return;
        };
        let reject = |engine: &Self, reason: Reject, sink: &mut _| {
            let text = replace.client_order_id;
            engine.reject(port, replace.user_ref_num, reason as u16, text, sink);
        };
        if number == Number::Wild {
            return reject(self, Reject::Other, sink);
        }
        if self.ports[usize::from(port)].is_disabled {
            self.consume(port, replace.user_ref_num);
            return reject(self, Reject::Firm, sink);
        }
        let old = *self.store.arena.unit(old_slot);
        let instrument = self.books[usize::from(old.book)].instrument;
        let checked = instrument.check_order(replace.qty, replace.px);
        let terms = replace.terms.and_then(|terms| {
            check_min_qty(replace.qty, terms)?;
            Ok(terms)
        });
        let (Ok(price), Ok(terms)) = (checked, terms) else {
            return self.cancel_resting(old_slot, CancelReason::System, sink);
        };
        self.consume(port, replace.user_ref_num);
        if !self.can_replace(old_slot, replace.user_ref_num) {
            return reject(self, Reject::Other, sink);
        }
        let old_order_ref = self.store.arena.order_ref(self.origin, old_slot).raw();
        self.unrest(old_slot);
        let slot = self.renew(old_slot);
        let unit = self.store.arena.unit_mut(slot);
        unit.px = price.raw();
        unit.open = replace.qty.saturating_sub(old.executed);
        unit.executed = old.executed;
        unit.user_ref_num = replace.user_ref_num;
        unit.port = port;
        unit.book = old.book;
        unit.set_traits(old.action(), old.capacity(), terms.time_in_force);
        let open = unit.open;
        self.set_timer(slot, terms);
        let outcome = self.outcome(slot, terms);
        let marks = outcome.mark(Marks::new(terms.time_in_force, old.capacity()));
        sink.push(Event::replaced(Entered {
            head: Head::new(port, replace.user_ref_num, old.action(), self.now_ns),
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            old_order_ref,
            instrument: instrument.id,
            px: price.raw(),
            qty: open,
            orig_user_ref_num: replace.orig_user_ref_num,
            client_order_id: replace.client_order_id,
            marks: marks.with_echo(!replace.echo.is_empty()),
        }));
        echo(port, replace.user_ref_num, self.now_ns, replace.echo, sink);
        self.carry_out(outcome, slot, sink);
    }

    /// Whether nothing is missing to replace the order at `slot`.
    fn can_replace(&mut self, slot: u32, user_ref_num: u32) -> bool {
        let unit = self.store.arena.unit(slot);
        let (port, generation) = (unit.port, unit.generation());
        let has_slot = generation < GENERATION_MAX || 0 < self.store.arena.orders_free();
        has_slot && self.store.has_room() && self.user_refs.reserve(port, user_ref_num)
    }

    /// Gives a replaced order its new reference: in its slot, or in another when the slot's
    /// generations are used up.
    fn renew(&mut self, slot: u32) -> u32 {
        if self.store.arena.renew_order(slot, self.seq) {
            return slot;
        }
        let fresh = self.store.arena.take_order(self.seq);
        assert!(fresh.is_some(), "a replace went ahead without a slot");
        self.store.arena.free_order(slot);
        fresh.unwrap_or(NONE)
    }
}

/// A minimum quantity is for orders that cannot rest, and at most their quantity.
pub(crate) const fn check_min_qty(qty: u32, terms: Terms) -> Result<(), Reject> {
    let is_possible = match terms.time_in_force {
        TimeInForce::ImmediateOrCancel => terms.min_qty <= qty,
        TimeInForce::Day | TimeInForce::UntilTime => terms.min_qty == 0,
    };
    if is_possible { Ok(()) } else { Err(Reject::MinQty) }
}

/// Whether a cancelled order was on the book.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Booked {
    No = 0,
    Yes = 1,
}

/// What an accepted order comes to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Trades,
    Rests,
    Dies,
    /// It is post-only, would trade, and is cancelled.
    Yields,
}

impl Outcome {
    const fn mark(self, marks: Marks) -> Marks {
        match self {
            Self::Trades | Self::Yields => marks,
            Self::Rests => marks.rests(),
            Self::Dies => marks.dead(),
        }
    }
}

/// Gives an appendage back, in pieces.
pub(crate) fn echo(
    port: u16,
    user_ref_num: u32,
    time_ns: u64,
    appendage: &[u8],
    sink: &mut impl Sink,
) {
    let mut parts = appendage.chunks(ECHO_PART_LEN).peekable();
    while let Some(part) = parts.next() {
        let mut bytes = [0; ECHO_PART_LEN];
        bytes[..part.len()].copy_from_slice(part);
        sink.push(Event::echo(Echo {
            head: Head::new(port, user_ref_num, Action::Buy, time_ns),
            more: u8::from(parts.peek().is_some()),
            len: u8::try_from(part.len()).unwrap_or(u8::MAX),
            bytes,
        }));
    }
}
