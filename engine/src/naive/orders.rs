//! Orders one by one: entered, traded, changed.

use super::{Key, Naive, Order, key_of, place_of};
use crate::{
    command::{Cancel, Enter, Modify, Replace, Terms},
    engine::Resting,
    event::{Entered, Event, Fill, Marks, Modified, Notice, Prevented, Sink, View},
    instrument::Asked,
    limits::{GENERATION_MIN, MIN_QTY_MAKERS_MAX},
    matching::{check_min_qty, echo},
    reject::Reject,
    types::{Action, Display, Price, Side, Strategy, TimeInForce, crosses},
};

/// What an accepted order comes to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Trades,
    Rests,
    Dies,
    /// It is post-only, would trade, and is cancelled.
    Yields,
}

/// How far an order may trade, and whether that is the edge of the collar.
type Limit = (Price, bool);

impl Naive {
    fn due_ns(&self, terms: Terms) -> u64 {
        match terms.time_in_force {
            TimeInForce::UntilTime => self.now_ns + u64::from(terms.expire_s) * 1_000_000_000,
            TimeInForce::Day | TimeInForce::ImmediateOrCancel | TimeInForce::GoodTillCancel => 0,
        }
    }

    pub(super) fn enter(&mut self, enter: &Enter<'_>, sink: &mut impl Sink) {
        let (source, number, text) = (enter.source, enter.user_ref_num, enter.client_order_id);
        if !self.is_current(source) || number <= self.mark(source) {
            return;
        }
        if self.is_wild(source, number) {
            return self.reject(source, number, Reject::Other, text, sink);
        }
        self.consume(source, number);
        let (terms, limit) = match self.check(enter) {
            Ok(checked) => checked,
            Err(reason) => return self.reject(source, number, reason, text, sink),
        };
        let may_rest = terms.time_in_force != TimeInForce::ImmediateOrCancel;
        if self.has_no_slot(terms.display)
            || may_rest && (self.has_no_level() || self.is_at_quota(source.port))
        {
            return self.reject(source, number, Reject::Other, text, sink);
        }
        let slot = self.take_slot(terms.display);
        let order = Order {
            slot,
            resting: Resting {
                order_ref: self.order_ref(slot),
                px: limit.0.raw(),
                open: enter.qty,
                executed: 0,
                user_ref_num: number,
                port: source.port,
                action: terms.action,
                capacity: terms.capacity,
                time_in_force: terms.time_in_force,
                display: terms.display,
                channel: source.channel,
                group: terms.group,
                decremented: 0,
                due_ns: self.due_ns(terms),
                entered_seq: self.seq,
            },
            instrument: enter.instrument,
        };
        let fate = self.fate(&order, terms);
        let is_told = fate == Fate::Rests && terms.display == Display::Visible;
        let mut entered = self.entered(&order, fate, is_told, text);
        entered.marks = entered.marks.with_echo(!enter.echo.is_empty());
        if limit.1 {
            entered.px = enter.px;
        }
        sink.write(Event::accepted(entered));
        echo(source.port, number, self.now_ns, enter.echo, sink);
        self.work(order, fate, is_told, (terms, limit.1), sink);
    }

    fn check(&mut self, enter: &Enter<'_>) -> Result<(Terms, Limit), Reject> {
        let port = enter.source.port;
        if let Some(reason) = self.bar(port) {
            return Err(reason);
        }
        self.book(enter.instrument).ok_or(Reject::Symbol)?;
        if let Some(reason) = self.halt(enter.instrument) {
            return Err(reason);
        }
        let terms = enter.terms?;
        let asked = (enter.qty, enter.px);
        let limit = self.limit(enter.instrument, terms.action.side(), terms, asked)?;
        check_min_qty(enter.qty, &terms)?;
        match terms.firm {
            Some(firm) if firm != self.ports[&port].firm => Err(Reject::Firm),
            _ => Ok((terms, limit)),
        }
    }

    fn limit(
        &mut self,
        instrument: u32,
        side: Side,
        terms: Terms,
        (qty, px): (u32, u32),
    ) -> Result<Limit, Reject> {
        let book = self.book(instrument).ok_or(Reject::Symbol)?;
        match book.instrument.check_order(qty, px)? {
            Asked::Limit(price) => Ok((price, false)),
            Asked::Market if terms.time_in_force == TimeInForce::ImmediateOrCancel => {
                let edge = book.instrument.collar(side, book.reference());
                Ok((edge.ok_or(Reject::MarketOrder)?, true))
            }
            Asked::Market => Err(Reject::MarketOrder),
        }
    }

    /// The order that `taker` would trade with next.
    fn maker_for(&mut self, taker: &Order) -> Option<&mut Order> {
        let (side, px) = (taker.resting.action.side(), taker.resting.px);
        let first = self.book(taker.instrument)?.first(side.opposite())?;
        crosses(side, px, first.resting.px).then_some(first)
    }

    /// What will become of an order, before anything does.
    fn fate(&mut self, order: &Order, terms: Terms) -> Fate {
        let open = order.resting.open;
        let may_rest = order.resting.time_in_force != TimeInForce::ImmediateOrCancel;
        if open == 0 {
            Fate::Dies
        } else if self.maker_for(order).is_some() {
            let is_short =
                0 < terms.min_qty && self.available(order, terms) < u64::from(terms.min_qty);
            match (terms.post_only, is_short) {
                (true, _) => Fate::Yields,
                (false, true) => Fate::Dies,
                (false, false) => Fate::Trades,
            }
        } else if may_rest {
            Fate::Rests
        } else {
            Fate::Dies
        }
    }

    /// Whether two orders are of one firm, and of one group if the taker names one.
    fn is_own(&self, taker: &Order, terms: Terms, maker: &Order) -> bool {
        let firm = |port: u16| self.ports[&port].firm;
        let (mine, other) = (taker.resting.port, maker.resting.port);
        let same_firm = mine == other || (firm(mine) == firm(other) && firm(mine) != *b"    ");
        same_firm && (terms.group == 0 || terms.group == maker.resting.group)
    }

    /// Quantity that an order would trade: what happens is played on a copy, up to so
    /// many makers.
    fn available(&self, order: &Order, terms: Terms) -> u64 {
        let mut copy = self.clone();
        let (mut makers, mut kept) = (0, *order);
        let mut events: Vec<Event> = Vec::new();
        while 0 < kept.resting.open && makers < MIN_QTY_MAKERS_MAX {
            let Some(&mut maker) = copy.maker_for(&kept) else { break };
            makers += 1;
            if terms.prevention.is_some() && copy.is_own(&kept, terms, &maker) {
                copy.prevent(&mut kept, maker, terms, &mut events);
            } else {
                copy.trade(&mut kept, maker, &mut events);
            }
        }
        let fills = events.iter().filter_map(|event| match event.view() {
            View::Fill(fill) => Some(u64::from(fill.qty)),
            _ => None,
        });
        fills.sum()
    }

    /// The answer to a new order; what an acceptance says of a replace is filled in by the caller.
    fn entered(&self, order: &Order, fate: Fate, is_told: bool, text: &[u8; 14]) -> Entered {
        let Resting { port, user_ref_num, action, px, open, order_ref, .. } = order.resting;
        let Resting { time_in_force, capacity, display, .. } = order.resting;
        let marks = Marks::new(time_in_force, capacity, display);
        let marks = if is_told { marks.rests() } else { marks };
        Entered {
            head: self.head(port, user_ref_num, action),
            order_ref,
            old_order_ref: 0,
            instrument: order.instrument,
            px,
            qty: open,
            orig_user_ref_num: 0,
            client_order_id: *text,
            marks: if fate == Fate::Dies { marks.dead() } else { marks },
        }
    }

    /// Trades the order as far as it goes, then rests or ends what is left.
    fn work(
        &mut self,
        mut taker: Order,
        fate: Fate,
        is_told: bool,
        (terms, is_market): (Terms, bool),
        sink: &mut impl Sink,
    ) {
        while fate == Fate::Trades && 0 < taker.resting.open {
            let Some(&mut maker) = self.maker_for(&taker) else { break };
            if terms.prevention.is_some() && self.is_own(&taker, terms, &maker) {
                self.prevent(&mut taker, maker, terms, sink);
            } else {
                self.trade(&mut taker, maker, sink);
            }
        }
        let open = taker.resting.open;
        let opposite = taker.resting.action.side().opposite();
        let stands = self.book(taker.instrument).is_some_and(|book| {
            let mut others = book.side(opposite).values().flatten();
            others.any(|other| other.resting.display != Display::Hidden)
        });
        let reason = match (fate, taker.resting.time_in_force) {
            (Fate::Yields, _) => Some(b'G'),
            (Fate::Trades, TimeInForce::ImmediateOrCancel) if 0 < open && is_market && stands => {
                Some(b'K')
            }
            (Fate::Trades, TimeInForce::ImmediateOrCancel) if 0 < open => Some(b'I'),
            _ => None,
        };
        if let Some(reason) = reason {
            taker.resting.open = 0;
            self.tell_canceled(&taker, open, reason, false, sink);
        }
        if taker.resting.open == 0 || fate == Fate::Dies {
            return self.free_slot(taker.slot);
        }
        if !is_told {
            self.tell_rested(&taker, sink);
        }
        let (side, place) = (taker.resting.action.side(), place_of(&taker.resting));
        if let Some(book) = self.book(taker.instrument) {
            book.side(side).entry(place).or_default().push_back(taker);
        }
    }

    fn trade(&mut self, taker: &mut Order, maker: Order, sink: &mut impl Sink) {
        self.match_count += 1;
        let match_number = self.origin.match_number(self.match_count);
        let qty = maker.resting.open.min(taker.resting.open);
        taker.resting.open -= qty;
        taker.resting.executed += qty;
        let Some(standing) = self.find(key_of(&maker)) else { return };
        standing.resting.open -= qty;
        standing.resting.executed += qty;
        let Resting { order_ref, px, open, channel, .. } = standing.resting;
        if let Some(book) = self.book(taker.instrument) {
            book.last_px = px;
        }
        sink.write(Event::fill(Fill {
            head: self.head_of(&maker.resting),
            maker_ref: order_ref,
            match_number,
            instrument: taker.instrument,
            px,
            qty,
            maker_open: open,
            taker_ref: taker.resting.order_ref,
            taker_user_ref_num: taker.resting.user_ref_num,
            taker_port: taker.resting.port,
            maker_channel: channel,
            taker_channel: taker.resting.channel,
        }));
        if open == 0 {
            self.remove(key_of(&maker));
        }
    }

    /// Two orders of one firm meet: what the taker's strategy says happens instead of a trade.
    fn prevent(&mut self, taker: &mut Order, maker: Order, terms: Terms, sink: &mut impl Sink) {
        let Some(prevention) = terms.prevention else { return };
        let both = taker.resting.open.min(maker.resting.open);
        let (oldest_loss, newest_loss) = match prevention.strategy {
            Strategy::CancelOldest => (maker.resting.open, 0),
            Strategy::CancelNewest => (0, taker.resting.open),
            Strategy::Decrement | Strategy::DecrementQuietly => (both, both),
        };
        let is_quiet = prevention.strategy == Strategy::DecrementQuietly;
        let (prevented, px) = if is_quiet { (0, 0) } else { (both, maker.resting.px) };
        let strategy = prevention.code;
        let tell = |naive: &Self, order: &Order, qty: u32, is_taker: bool, sink: &mut _| {
            let is_shown = !is_taker && order.resting.display != Display::Hidden;
            let event = Event::prevented(Prevented {
                head: naive.head_of(&order.resting),
                order_ref: order.resting.order_ref,
                instrument: order.instrument,
                qty,
                open: order.resting.open,
                prevented,
                px,
                taker: u8::from(is_taker),
                strategy,
                shown: u8::from(is_shown),
                channel: order.resting.channel,
                pad: [0; 16],
            });
            Sink::write(sink, event);
        };
        if 0 < oldest_loss
            && let Some(standing) = self.find(key_of(&maker))
        {
            standing.resting.open -= oldest_loss;
            standing.resting.decremented += oldest_loss;
            let standing = *standing;
            tell(self, &standing, oldest_loss, false, sink);
            if standing.resting.open == 0 {
                self.remove(key_of(&maker));
            }
        }
        if 0 < newest_loss {
            taker.resting.open -= newest_loss;
            taker.resting.decremented += newest_loss;
            tell(self, taker, newest_loss, true, sink);
        }
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel, sink: &mut impl Sink) {
        let source = cancel.source;
        if !self.is_current(source) {
            return;
        }
        let key = match (cancel.user_ref_num, cancel.order_ref) {
            (0, Some(order_ref)) => self.find_by_ref(source.port, order_ref),
            (number, _) => Some((source.port, source.channel, number)),
        };
        let Some(key) = key else { return };
        let Some(&mut order) = self.find(key) else { return };
        let Some(qty) =
            cancel.qty.filter(|_| cancel.user_ref_num == 0 || cancel.order_ref.is_none())
        else {
            return self.reject_cancel(&order, sink);
        };
        let left = order.resting.open.min(qty.saturating_sub(order.resting.executed));
        if left < order.resting.open {
            self.take(key, order.resting.open - left, b'U', sink);
        }
    }

    fn reject_cancel(&self, order: &Order, sink: &mut impl Sink) {
        sink.write(Event::cancel_rejected(Notice {
            head: self.head_of(&order.resting),
            order_ref: order.resting.order_ref,
            channel: order.resting.channel,
            pad: [0; 39],
        }));
    }

    pub(super) fn modify(&mut self, modify: &Modify, sink: &mut impl Sink) {
        let source = modify.source;
        if !self.is_current(source) {
            return;
        }
        let key: Key = (source.port, source.channel, modify.user_ref_num);
        let Some(order) = self.find(key) else { return };
        let old = order.resting.action;
        let may_become =
            |to: &Action| *to == old || (old.side() == Side::Ask && to.side() == Side::Ask);
        let Some(action) = modify.action.filter(may_become) else {
            let order = *order;
            return self.reject_cancel(&order, sink);
        };
        let left = modify.qty.saturating_sub(order.resting.executed);
        if order.resting.open < left {
            return;
        }
        let taken = order.resting.open - left;
        order.resting.open = left;
        order.resting.action = action;
        let order = *order;
        sink.write(Event::modified(Modified {
            head: self.head_of(&order.resting),
            order_ref: order.resting.order_ref,
            instrument: order.instrument,
            qty: taken,
            open: left,
            channel: order.resting.channel,
            pad: [0; 27],
        }));
        if left == 0 {
            self.remove(key);
        }
    }

    pub(super) fn replace(&mut self, replace: &Replace<'_>, sink: &mut impl Sink) {
        let (source, number, text) =
            (replace.source, replace.user_ref_num, replace.client_order_id);
        if !self.is_current(source) || number <= self.mark(source) {
            return;
        }
        let key = (source.port, source.channel, replace.orig_user_ref_num);
        let Some(&mut old) = self.find(key) else { return };
        if self.is_wild(source, number) {
            return self.reject(source, number, Reject::Other, text, sink);
        }
        if let Some(reason) = self.bar(source.port).or_else(|| self.halt(old.instrument)) {
            self.consume(source, number);
            return self.reject(source, number, reason, text, sink);
        }
        let checked = replace.terms.and_then(|terms| {
            let (side, asked) = (old.resting.action.side(), (replace.qty, replace.px));
            let limit = self.limit(old.instrument, side, terms, asked)?;
            check_min_qty(replace.qty, &terms)?;
            Ok((terms, limit))
        });
        let Ok((terms, limit)) = checked else {
            return self.take(key, old.resting.open, b'Z', sink);
        };
        self.consume(source, number);
        let was_hidden = old.resting.display == Display::Hidden;
        let must_move = was_hidden != (terms.display == Display::Hidden);
        if self.has_no_level() || must_move && self.has_no_slot(terms.display) {
            return self.reject(source, number, Reject::Other, text, sink);
        }
        self.unlink(key);
        let slot = self.renew(old.slot, was_hidden, terms.display);
        let mut order = Order { slot, ..old };
        let used = old.resting.executed + old.resting.decremented;
        order.resting.order_ref = self.order_ref(slot);
        order.resting.due_ns = self.due_ns(terms);
        order.resting.time_in_force = terms.time_in_force;
        order.resting.display = terms.display;
        order.resting.group = terms.group;
        order.resting.px = limit.0.raw();
        order.resting.open = replace.qty.saturating_sub(used);
        order.resting.user_ref_num = number;
        order.resting.entered_seq = self.seq;
        let fate = self.fate(&order, terms);
        let is_told = fate == Fate::Rests && !was_hidden && terms.display == old.resting.display;
        let mut entered = self.entered(&order, fate, is_told, text);
        entered.marks = entered.marks.with_echo(!replace.echo.is_empty());
        if limit.1 {
            entered.px = replace.px;
        }
        entered.marks = entered.marks.with_old_shown(!was_hidden);
        entered.old_order_ref = old.resting.order_ref;
        entered.orig_user_ref_num = replace.orig_user_ref_num;
        sink.write(Event::replaced(entered));
        echo(source.port, number, self.now_ns, replace.echo, sink);
        self.work(order, fate, is_told, (terms, limit.1), sink);
    }

    /// The slot of a replacement: the same one, unless it goes into hiding or comes out of it.
    fn renew(&mut self, slot: u32, was_hidden: bool, display: Display) -> u32 {
        if was_hidden == (display == Display::Hidden) {
            *self.generations.entry(slot).or_insert(GENERATION_MIN) += 1;
            return slot;
        }
        let renewed = self.take_slot(display);
        self.free_slot(slot);
        renewed
    }
}
