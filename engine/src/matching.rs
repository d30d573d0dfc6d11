//! Orders: how they enter, trade, rest and end. How standing ones change is in `change`.

use crate::{
    arena::{Identity, Traits, Unit},
    book::{Book, DISPLAYED, Listing},
    command::{Enter, Source, Terms},
    engine::{Engine, Number, Taker, Work},
    event::{Canceled, Echo, Entered, Event, Fill, Head, Marks, Rested, Sink},
    instrument::Asked,
    limits::{ECHO_PART_LEN, GENERATION_MAX, MIN_QTY_MAKERS_MAX, STEP_EVENTS_MAX},
    reject::{CancelReason, Reject},
    types::{Action, Display, Price, Side, Strategy, TimeInForce, crosses},
    user_refs::{Entry, Key},
};

const NS_PER_S: u64 = 1_000_000_000;

/// Events of one meeting of taker and maker: two when a trade is prevented and both lose.
const MEETING_EVENTS: usize = 2;

/// How far an order may trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) price: Price,
    /// The price is the edge of the collar at arrival.
    pub(crate) is_market: bool,
}

/// A taker beside the makers that it meets one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meeting {
    pub(crate) book: usize,
    /// The taker's.
    pub(crate) side: Side,
    pub(crate) instrument: u32,
    pub(crate) taker_ref: u64,
    pub(crate) taker_channel: u8,
    pub(crate) taker_port: u16,
    pub(crate) taker_user_ref_num: u32,
    /// What the taker has left.
    pub(crate) open: u32,
}

impl Engine {
    #[inline(never)]
    pub(crate) fn enter(&mut self, enter: &Enter<'_>, sink: &mut impl Sink) {
        let Enter { source, user_ref_num, client_order_id: text, .. } = *enter;
        if !self.is_current(source) {
            return;
        }
        match self.number(source, user_ref_num) {
            Number::Old => return,
            Number::Wild => return self.reject(source, user_ref_num, Reject::Other, text, sink),
            Number::Fresh => self.consume(source, user_ref_num),
        }
        let (book, terms, limit) = match self.check_enter(enter) {
            Ok(checked) => checked,
            Err(reason) => return self.reject(source, user_ref_num, reason, text, sink),
        };
        let Some((slot, entry)) = self.place_for(source, user_ref_num, terms) else {
            return self.reject(source, user_ref_num, Reject::Other, text, sink);
        };
        let Terms { action, capacity, time_in_force, display, .. } = *terms;
        let px = limit.price.raw();
        let unit = self.store.arena.unit_mut(slot);
        unit.px = px;
        unit.open = enter.qty;
        unit.executed = 0;
        unit.user_ref_num = user_ref_num;
        unit.book = book;
        unit.set_traits(Traits { action, capacity, time_in_force, display });
        if time_in_force == TimeInForce::UntilTime {
            self.set_timer(slot, terms);
        }
        let outcome = self.outcome(slot, (book, action.side(), px), terms);
        let is_told = outcome == Outcome::Rests && display == Display::Visible;
        let marks = Marks::new(time_in_force, capacity, display);
        let marks = outcome.mark(marks, is_told).with_echo(!enter.echo.is_empty());
        sink.write(Event::accepted(Entered {
            head: Head::new(source.port, user_ref_num, action, self.now_ns),
            order_ref: self.order_ref(slot),
            old_order_ref: 0,
            instrument: enter.instrument,
            px: if limit.is_market { enter.px } else { px },
            qty: enter.qty,
            orig_user_ref_num: 0,
            client_order_id: *text,
            marks,
        }));
        if !enter.echo.is_empty() {
            echo(source.port, user_ref_num, self.now_ns, enter.echo, sink);
        }
        match (outcome, entry) {
            (Outcome::Rests, Some(entry)) => {
                if !is_told {
                    self.tell_rested(slot, sink);
                }
                self.user_refs.set(entry, slot);
                self.ports[usize::from(source.port)].live_orders += 1;
                if time_in_force == TimeInForce::UntilTime {
                    self.start_timer(slot);
                }
                let book = &mut self.books[usize::from(book)];
                book.rest(&mut self.store, action.side(), slot, px);
            }
            (outcome, _) => {
                self.carry_out(outcome, Taker::new(slot, terms, limit.is_market), sink);
            }
        }
    }

    #[inline]
    fn check_enter<'a>(&self, enter: &'a Enter<'_>) -> Result<(u16, &'a Terms, Limit), Reject> {
        let port = &self.ports[usize::from(enter.source.port)];
        self.check_port(enter.source.port)?;
        let book = self.book_of(enter.instrument).ok_or(Reject::Symbol)?;
        self.check_trading(book)?;
        let terms = enter.terms.as_ref().map_err(|reason| *reason)?;
        let limit = self.limit(book, terms.action, terms.time_in_force, (enter.qty, enter.px))?;
        check_min_qty(enter.qty, terms)?;
        match terms.firm {
            Some(firm) if firm != port.firm => Err(Reject::Firm),
            Some(_) | None => Ok((book, terms, limit)),
        }
    }

    /// Whether the port lets new orders in.
    pub(crate) fn check_port(&self, port: u16) -> Result<(), Reject> {
        let port = &self.ports[usize::from(port)];
        if port.is_disabled || port.is_killed { Err(Reject::Firm) } else { Ok(()) }
    }

    /// Whether new orders may enter this book.
    pub(crate) fn check_trading(&self, book: u16) -> Result<(), Reject> {
        match self.books[usize::from(book)].listing {
            Listing::Trading => Ok(()),
            Listing::Halted | Listing::Removed | Listing::Gone => Err(Reject::Halted),
        }
    }

    /// Checks quantity and price of an order, and fixes how far it may trade.
    #[inline]
    pub(crate) fn limit(
        &self,
        book: u16,
        action: Action,
        time_in_force: TimeInForce,
        (qty, px): (u32, u32),
    ) -> Result<Limit, Reject> {
        let book = &self.books[usize::from(book)];
        match book.instrument.check_order(qty, px)? {
            Asked::Limit(price) => Ok(Limit { price, is_market: false }),
            Asked::Market if time_in_force.may_rest() => Err(Reject::MarketOrder),
            Asked::Market => Self::collared(book, action),
        }
    }

    #[cold]
    fn collared(book: &Book, action: Action) -> Result<Limit, Reject> {
        let price = book.instrument.collar(action.side(), book.reference());
        let price = price.ok_or(Reject::MarketOrder)?;
        Ok(Limit { price, is_market: true })
    }

    /// Takes a slot, having made sure that the order can rest if it may, and then where its number
    /// will be noted.
    #[inline]
    fn place_for(
        &mut self,
        source: Source,
        user_ref_num: u32,
        terms: &Terms,
    ) -> Option<(u32, Option<Entry>)> {
        let Source { port, channel, .. } = source;
        let is_hidden = terms.display.is_hidden();
        let entry = if terms.time_in_force.may_rest() {
            let has_quota = self.ports[usize::from(port)].live_orders < self.capacity.port_orders;
            let has_slot = 0 < self.store.arena.orders_free(is_hidden);
            if !(has_quota && has_slot && self.store.has_room()) {
                return None;
            }
            Some(self.user_refs.reserve(Key { port, channel, user_ref_num })?)
        } else {
            None
        };
        let identity = Identity { port, channel, group: terms.group, seq: self.seq };
        Some((self.store.arena.take_order(is_hidden, identity)?, entry))
    }

    #[inline]
    pub(crate) fn order_ref(&self, slot: u32) -> u64 {
        self.store.arena.order_ref(self.origin, slot).raw()
    }

    /// What events about the order at `slot` begin with.
    #[inline]
    pub(crate) fn head(&self, slot: u32) -> Head {
        let unit = self.store.arena.unit(slot);
        Head::new(unit.port(), unit.user_ref_num, unit.action(), self.now_ns)
            .hidden(unit.display().is_hidden())
    }

    /// What will become of the order at `slot`, which has something open, before anything does.
    #[inline]
    pub(crate) fn outcome(
        &self,
        slot: u32,
        (book, side, px): (u16, Side, u32),
        terms: &Terms,
    ) -> Outcome {
        if self.books[usize::from(book)].is_crossed(side, px) {
            self.meet(slot, terms)
        } else if terms.time_in_force.may_rest() {
            Outcome::Rests
        } else {
            Outcome::Dies
        }
    }

    /// What will become of the order at `slot`, which meets another one.
    fn meet(&self, slot: u32, terms: &Terms) -> Outcome {
        if terms.post_only {
            Outcome::Yields
        } else if terms.min_qty == 0 || self.can_trade(slot, terms) {
            Outcome::Trades
        } else {
            Outcome::Dies
        }
    }

    /// Notes when the order at `slot` is to expire, counted from now.
    #[cold]
    pub(crate) fn set_timer(&mut self, slot: u32, terms: &Terms) {
        let due_ns = self.now_ns + u64::from(terms.expire_s) * NS_PER_S;
        self.timers.set(slot, due_ns);
    }

    /// Whether the order at `slot` would trade its minimum quantity at once, what is prevented left
    /// out. Looks at no more than [`MIN_QTY_MAKERS_MAX`] makers.
    #[cold]
    fn can_trade(&self, slot: u32, terms: &Terms) -> bool {
        let unit = self.store.arena.unit(slot);
        let side = unit.action().side();
        let taker = Taker::new(slot, terms, false);
        let (mut left, mut missing) = (unit.open, terms.min_qty);
        let book = &self.books[usize::from(unit.book)];
        let levels = book
            .levels(&self.store, side.opposite())
            .take_while(|&level| crosses(side, unit.px, self.store.arena.level(level).px));
        let makers = levels.flat_map(|level| self.store.arena.queue(level));
        for maker in makers.take(MIN_QTY_MAKERS_MAX) {
            if missing == 0 || left == 0 {
                break;
            }
            let open = self.store.arena.unit(maker).open.min(left);
            match self.prevention(taker, maker).map(|prevention| prevention.strategy) {
                None => {
                    left -= open;
                    missing = missing.saturating_sub(open);
                }
                Some(Strategy::CancelOldest) => {}
                Some(Strategy::CancelNewest) => break,
                Some(Strategy::Decrement | Strategy::DecrementQuietly) => left -= open,
            }
        }
        missing == 0
    }

    /// Does what becomes of an order that does not rest at once.
    pub(crate) fn carry_out(&mut self, outcome: Outcome, taker: Taker, sink: &mut impl Sink) {
        let slot = taker.slot;
        match outcome {
            Outcome::Trades => self.work = self.sweep(taker, STEP_EVENTS_MAX / 2, sink),
            Outcome::Rests => self.rest_by_key(slot),
            Outcome::Dies => self.store.arena.free_order(slot),
            Outcome::Yields => {
                let open = self.store.arena.unit(slot).open;
                self.tell_canceled(slot, open, CancelReason::PostOnly, Shown::No, sink);
                self.store.arena.free_order(slot);
            }
        }
    }

    /// Shows on the feed what stands of the order at `slot`, unless it is hidden.
    pub(crate) fn tell_rested(&self, slot: u32, sink: &mut impl Sink) {
        let unit = self.store.arena.unit(slot);
        let firm = match unit.display() {
            Display::Hidden => return,
            Display::Visible => [b' '; 4],
            Display::Attributable => self.ports[usize::from(unit.port())].firm,
        };
        sink.write(Event::rested(Rested {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[usize::from(unit.book)].instrument.id,
            px: unit.px,
            qty: unit.open,
            firm,
            pad: [0; 24],
        }));
    }

    /// The number of the order at `slot`; `None` when it is of an earlier day.
    #[inline]
    pub(crate) fn key(&self, slot: u32) -> Option<Key> {
        let unit = self.store.arena.unit(slot);
        let (port, user_ref_num) = (unit.port(), unit.user_ref_num);
        let channel = self.store.arena.channel(slot);
        (user_ref_num != 0).then_some(Key { port, channel, user_ref_num })
    }

    /// Puts the order at `slot` on the book, findable by its client's number, which is noted at
    /// `entry`; an order of an earlier day has none.
    #[inline]
    pub(crate) fn rest(&mut self, slot: u32, entry: Option<Entry>) {
        let unit = self.store.arena.unit(slot);
        let (port, side, px) = (unit.port(), unit.action().side(), unit.px);
        let (book, time_in_force) = (usize::from(unit.book), unit.time_in_force());
        if let Some(entry) = entry {
            self.user_refs.set(entry, slot);
        }
        self.ports[usize::from(port)].live_orders += 1;
        if time_in_force == TimeInForce::UntilTime {
            self.start_timer(slot);
        }
        self.books[book].rest(&mut self.store, side, slot, px);
    }

    /// Rests an order that has traded: its number was reserved.
    #[inline(never)]
    fn rest_by_key(&mut self, slot: u32) {
        let entry = self.key(slot).and_then(|key| self.user_refs.find(key));
        debug_assert!(entry.is_some(), "an order rests whose number was not reserved");
        self.rest(slot, entry);
    }

    /// Takes the order at `slot` off the book; it can no longer be found.
    #[inline]
    pub(crate) fn unrest(&mut self, slot: u32) {
        if let Some(key) = self.key(slot) {
            self.user_refs.clear(key);
        }
        self.unlink(slot);
    }

    /// Takes the order at `slot` off the book; its number is noted at `entry`.
    #[inline]
    pub(crate) fn unrest_at(&mut self, slot: u32, entry: Entry) {
        self.user_refs.clear_at(entry);
        self.unlink(slot);
    }

    #[inline]
    fn unlink(&mut self, slot: u32) {
        let unit = self.store.arena.unit(slot);
        let (port, side, book) = (unit.port(), unit.action().side(), usize::from(unit.book));
        let time_in_force = unit.time_in_force();
        self.ports[usize::from(port)].live_orders -= 1;
        if time_in_force == TimeInForce::UntilTime {
            self.stop_timer(slot);
        }
        self.books[book].remove(&mut self.store, side, slot);
    }

    #[cold]
    fn start_timer(&mut self, slot: u32) {
        let arena = &self.store.arena;
        self.timers.start(slot, |slot| arena.entered_seq(slot));
    }

    #[cold]
    pub(crate) fn stop_timer(&mut self, slot: u32) {
        let arena = &self.store.arena;
        self.timers.stop(slot, |slot| arena.entered_seq(slot));
    }

    /// Trades the taker against the book until it is filled, the next maker is beyond its limit, or
    /// `room` is used up; then rests or cancels what is left.
    pub(crate) fn sweep(&mut self, taker: Taker, room: usize, sink: &mut impl Sink) -> Work {
        if taker.prevention.is_some() {
            return self.sweep_guarded(taker, room, sink);
        }
        let unit = *self.store.arena.unit(taker.slot);
        let mut meeting = self.meeting(taker.slot, &unit);
        let is_over = self.cross(&mut meeting, unit.px, room, sink);
        let traded = unit.open - meeting.open;
        let unit = self.store.arena.unit_mut(taker.slot);
        unit.open = meeting.open;
        unit.executed += traded;
        if is_over { self.finish(taker, sink) } else { Work::Sweep(taker) }
    }

    /// Trades a taker limited at `px` until it is filled or the next maker is beyond its limit;
    /// `false` when `room` is used up before.
    #[inline(never)]
    pub(crate) fn cross(
        &mut self,
        meeting: &mut Meeting,
        px: u32,
        room: usize,
        sink: &mut impl Sink,
    ) -> bool {
        let mut at = *meeting;
        let mut is_over = false;
        // One event is kept for what becomes of the remainder.
        for _ in MEETING_EVENTS..room {
            let level = self.books[at.book].first_crossed(at.side, px);
            let Some(level) = level.filter(|_| at.open != 0) else {
                is_over = true;
                break;
            };
            self.trade(&mut at, level, sink);
        }
        *meeting = at;
        is_over
    }

    /// The same for a taker that keeps from trading with its own firm.
    #[cold]
    fn sweep_guarded(&mut self, taker: Taker, room: usize, sink: &mut impl Sink) -> Work {
        let unit = *self.store.arena.unit(taker.slot);
        let (side, book) = (unit.action().side(), usize::from(unit.book));
        let mut left = room;
        // One event is kept for what becomes of the remainder.
        while MEETING_EVENTS < left {
            let open = self.store.arena.unit(taker.slot).open;
            let level = self.books[book].first_crossed(side, unit.px).filter(|_| open != 0);
            let Some(level) = level else {
                return self.finish(taker, sink);
            };
            let maker = self.store.arena.first(level);
            if let Some(prevention) = self.prevention(taker, maker) {
                self.prevent(prevention, taker.slot, maker, sink);
                left -= MEETING_EVENTS;
            } else {
                self.trade_once(taker.slot, level, sink);
                left -= 1;
            }
        }
        Work::Sweep(taker)
    }

    fn trade_once(&mut self, slot: u32, level: u32, sink: &mut impl Sink) {
        let unit = *self.store.arena.unit(slot);
        let mut meeting = self.meeting(slot, &unit);
        self.trade(&mut meeting, level, sink);
        let traded = unit.open - meeting.open;
        let unit = self.store.arena.unit_mut(slot);
        unit.open = meeting.open;
        unit.executed += traded;
    }

    #[inline]
    fn meeting(&self, slot: u32, unit: &Unit) -> Meeting {
        let book = usize::from(unit.book);
        Meeting {
            book,
            side: unit.action().side(),
            instrument: self.books[book].instrument.id,
            taker_ref: self.order_ref(slot),
            taker_channel: self.store.arena.channel(slot),
            taker_port: unit.port(),
            taker_user_ref_num: unit.user_ref_num,
            open: unit.open,
        }
    }

    /// Trades a taker with the first order of `level`.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn trade(&mut self, meeting: &mut Meeting, level: u32, sink: &mut impl Sink) {
        let slot = self.store.arena.first(level);
        let mut maker = *self.store.arena.unit(slot);
        let qty = meeting.open.min(maker.open);
        maker.open -= qty;
        meeting.open -= qty;
        if maker.open != 0 {
            let unit = self.store.arena.unit_mut(slot);
            unit.open = maker.open;
            unit.executed += qty;
        }
        self.match_count += 1;
        let book = &mut self.books[meeting.book];
        book.last_px = maker.px;
        let is_plain = maker.is_plain();
        let is_hidden = !is_plain && maker.display().is_hidden();
        sink.write(Event::fill(Fill {
            head: Head::new(maker.port(), maker.user_ref_num, maker.action(), self.now_ns)
                .hidden(is_hidden),
            maker_ref: self.origin.order_ref(maker.generation(), slot).raw(),
            match_number: self.origin.match_number(self.match_count),
            instrument: meeting.instrument,
            px: maker.px,
            qty,
            maker_open: maker.open,
            taker_ref: meeting.taker_ref,
            taker_user_ref_num: meeting.taker_user_ref_num,
            taker_port: meeting.taker_port,
            maker_channel: if is_plain { 0 } else { self.store.arena.channel(slot) },
            taker_channel: meeting.taker_channel,
        }));
        if maker.open != 0 {
            return;
        }
        if !(is_plain && maker.generation() < GENERATION_MAX) {
            self.store.arena.unit_mut(slot).open = 0;
            self.unrest(slot);
            return self.store.arena.free_order(slot);
        }
        let Unit { user_ref_num, next, .. } = maker;
        self.user_refs.clear(Key { port: maker.port(), channel: 0, user_ref_num });
        self.ports[usize::from(maker.port())].live_orders -= 1;
        if self.store.arena.unlink_first(level, next) {
            book.remove_level(&mut self.store, meeting.side.opposite(), DISPLAYED, level);
        }
        self.store.arena.free_displayed(slot);
    }

    /// What becomes of a taker that cannot trade further.
    fn finish(&mut self, taker: Taker, sink: &mut impl Sink) -> Work {
        let slot = taker.slot;
        let unit = *self.store.arena.unit(slot);
        if unit.open == 0 {
            self.store.arena.free_order(slot);
            return Work::Idle;
        }
        match unit.time_in_force() {
            TimeInForce::Day | TimeInForce::UntilTime | TimeInForce::GoodTillCancel => {
                self.tell_rested(slot, sink);
                self.rest_by_key(slot);
            }
            TimeInForce::ImmediateOrCancel => {
                let other = unit.action().side().opposite();
                let book = &self.books[usize::from(unit.book)];
                // What still stands there is beyond the limit, or the taker would go on. Hidden
                // orders do not count: the reason would tell of them.
                let stands = book.best_displayed(other).is_some();
                let is_collared = taker.is_market && stands;
                let reason =
                    if is_collared { CancelReason::Collar } else { CancelReason::Immediate };
                self.tell_canceled(slot, unit.open, reason, Shown::No, sink);
                self.store.arena.free_order(slot);
            }
        }
        Work::Idle
    }

    /// Reports that `qty` was taken away from the order at `slot`.
    #[inline]
    pub(crate) fn tell_canceled(
        &mut self,
        slot: u32,
        qty: u32,
        reason: CancelReason,
        shown: Shown,
        sink: &mut impl Sink,
    ) {
        let unit = self.store.arena.unit_mut(slot);
        unit.open -= qty;
        let (open, book) = (unit.open, usize::from(unit.book));
        sink.write(Event::canceled(Canceled {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[book].instrument.id,
            qty,
            open,
            reason: reason as u8,
            shown: shown as u8,
            channel: self.store.arena.channel(slot),
            pad: [0; 25],
        }));
    }

    /// Whether the public sees the order at `slot`, which rests.
    #[inline]
    pub(crate) fn shown(&self, slot: u32) -> Shown {
        if self.store.arena.is_hidden(slot) { Shown::No } else { Shown::Yes }
    }

    /// Ends the resting order at `slot`.
    pub(crate) fn cancel_resting(&mut self, slot: u32, reason: CancelReason, sink: &mut impl Sink) {
        let open = self.store.arena.unit(slot).open;
        self.tell_canceled(slot, open, reason, self.shown(slot), sink);
        self.unrest(slot);
        self.store.arena.free_order(slot);
    }
}

/// A minimum quantity is for orders that cannot rest, and at most their quantity.
#[inline]
pub(crate) const fn check_min_qty(qty: u32, terms: &Terms) -> Result<(), Reject> {
    let is_possible =
        if terms.time_in_force.may_rest() { terms.min_qty == 0 } else { terms.min_qty <= qty };
    if is_possible { Ok(()) } else { Err(Reject::MinQty) }
}

/// Whether the public saw an order from which something was taken away.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Shown {
    No = 0,
    Yes = 1,
}

/// What an accepted order comes to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Trades,
    Rests,
    Dies,
    /// It is post-only, would trade, and is cancelled.
    Yields,
}

impl Outcome {
    /// `is_told` says that the feed shows at once what rests.
    pub(crate) const fn mark(self, marks: Marks, is_told: bool) -> Marks {
        match self {
            Self::Rests if is_told => marks.rests(),
            Self::Trades | Self::Yields | Self::Rests => marks,
            Self::Dies => marks.dead(),
        }
    }
}

/// Gives an appendage back, in pieces.
#[cold]
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
        sink.write(Event::echo(Echo {
            head: Head::new(port, user_ref_num, Action::Buy, time_ns),
            more: u8::from(parts.peek().is_some()),
            len: u8::try_from(part.len()).unwrap_or(u8::MAX),
            bytes,
        }));
    }
}
