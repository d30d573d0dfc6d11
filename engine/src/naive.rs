//! The same rules on the plainest structures: the oracle of tests and the floor of benchmarks.
//!
//! Everything here favours being obviously right: ordered maps of queues, searched from the front,
//! no step limit, nothing shared with the engine but the types. It gives references by the same
//! rule (last freed slot first, then a fresh one), so whole event lists can be compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    command::{Command, DayRoll, Enter, EntrySwitch, MassCancel, Replace, Source, Terms},
    engine::Resting,
    event::{
        Canceled, Day, Directory, Entered, Event, Fill, Head, Marks, Modified, Notice, Rejected,
        Response, Rested, Sink, System, Trading,
    },
    instrument::Instrument,
    limits::USER_REF_JUMP_MAX,
    matching::{check_min_qty, echo},
    reject::Reject,
    types::{Action, OrderRef, Origin, Price, Side, TimeInForce, crosses},
};

#[derive(Clone, Copy, Debug)]
struct Order {
    slot: u32,
    resting: Resting,
    time_in_force: TimeInForce,
    instrument: u32,
}

#[derive(Clone, Debug)]
struct Book {
    instrument: Instrument,
    bids: BTreeMap<u32, VecDeque<Order>>,
    asks: BTreeMap<u32, VecDeque<Order>>,
}

impl Book {
    fn side(&mut self, side: Side) -> &mut BTreeMap<u32, VecDeque<Order>> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn best_px(&self, side: Side) -> Option<u32> {
        match side {
            Side::Bid => self.bids.last_key_value().map(|(&px, _)| px),
            Side::Ask => self.asks.first_key_value().map(|(&px, _)| px),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Port {
    generation: u16,
    is_up: bool,
    has_begun: bool,
    mark: u32,
    firm: [u8; 4],
}

/// What an accepted order comes to first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Trades,
    Rests,
    Dies,
    /// It is post-only, would trade, and is cancelled.
    Yields,
}

/// A matching engine without any cleverness.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    books: Vec<Book>,
    ports: BTreeMap<u16, Port>,
    /// Ports that let no new orders in.
    disabled: BTreeSet<u16>,
    /// Port and number to instrument, side and price of the live order.
    live: BTreeMap<(u16, u32), (u32, Side, u32)>,
    /// Freed slots, the last one on top.
    free: Vec<u32>,
    generations: Vec<u32>,
    match_count: u64,
    day: Option<DayRoll>,
    now_ns: u64,
    seq: u64,
}

const ORIGIN: Origin = Origin::new(0, 0);

impl Naive {
    /// An engine without instruments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one command, whole.
    pub fn apply(&mut self, seq: u64, time_ns: u64, command: &Command<'_>, sink: &mut impl Sink) {
        self.now_ns = time_ns;
        self.seq = seq;
        match command {
            Command::Enter(enter) => self.enter(enter, sink),
            Command::Replace(replace) => self.replace(replace, sink),
            Command::Cancel(cancel) => {
                self.reduce(cancel.source, cancel.user_ref_num, cancel.qty, sink);
            }
            Command::Modify(modify) => {
                if self.is_current(modify.source) && modify.source.channel == 0 {
                    let key = (modify.source.port, modify.user_ref_num);
                    self.modify(key, modify.action, modify.qty, sink);
                }
            }
            Command::MassCancel(request) => self.mass_cancel(request, sink),
            Command::EntrySwitch(request) => self.switch_entry(request, sink),
            Command::AccountQuery(source) => {
                if self.is_current(*source) {
                    let mark = self.ports[&source.port].mark;
                    let next = if source.channel == 0 { mark.saturating_add(1) } else { 1 };
                    let head = self.head(source.port, next, Action::Buy);
                    sink.push(Event::account(Notice { head, pad: [0; 48] }));
                }
            }
            Command::Refuse(refuse) => {
                if self.is_current(refuse.source) {
                    let (port, number) = (refuse.source.port, refuse.user_ref_num);
                    let mark = self.ports[&port].mark;
                    if number <= mark {
                        return;
                    }
                    if number - mark <= USER_REF_JUMP_MAX {
                        self.consume(port, number);
                    }
                    self.reject(port, number, refuse.reason, refuse.client_order_id, sink);
                }
            }
            Command::Tick => self.expire(sink),
            Command::SessionUp(up) => {
                if self.day.is_none_or(|day| day.session != up.session) {
                    return;
                }
                let port = self.ports.entry(up.source.port).or_default();
                port.generation = up.source.generation;
                port.is_up = true;
                port.firm = up.firm;
                if !port.has_begun {
                    port.has_begun = true;
                    self.system(up.source.port, b'S', sink);
                }
            }
            Command::SessionDown(source) => {
                if self.is_current(*source)
                    && let Some(port) = self.ports.get_mut(&source.port)
                {
                    port.is_up = false;
                }
            }
            Command::Define(instrument) => {
                let (bids, asks) = (BTreeMap::new(), BTreeMap::new());
                self.books.push(Book { instrument: *instrument, bids, asks });
                if self.day.is_some() {
                    self.list(self.books.len() - 1, sink);
                }
            }
            Command::DayRoll(roll) => self.roll(*roll, sink),
        }
    }

    fn head(&self, port: u16, user_ref_num: u32, action: Action) -> Head {
        Head::new(port, user_ref_num, action, self.now_ns)
    }

    fn due_ns(&self, terms: Terms) -> u64 {
        match terms.time_in_force {
            TimeInForce::UntilTime => self.now_ns + u64::from(terms.expire_s) * 1_000_000_000,
            TimeInForce::Day | TimeInForce::ImmediateOrCancel => 0,
        }
    }

    /// All resting orders, in the order of their instruments, sides and prices.
    fn orders(&self) -> Vec<Order> {
        let books = self.books.iter();
        let sides = books.flat_map(|book| book.bids.values().chain(book.asks.values()));
        sides.flatten().copied().collect()
    }

    fn expire(&mut self, sink: &mut impl Sink) {
        let now_ns = self.now_ns;
        let mut due = self.orders();
        due.retain(|order| 0 < order.resting.due_ns && order.resting.due_ns <= now_ns);
        due.sort_by_key(|order| (order.resting.due_ns, order.resting.entered_seq));
        for Order { resting, .. } in due {
            self.tell_canceled((resting.port, resting.user_ref_num), resting.open, b'T', sink);
        }
    }

    fn is_current(&self, source: Source) -> bool {
        let port = self.ports.get(&source.port).copied().unwrap_or_default();
        port.is_up && port.generation == source.generation
    }

    fn consume(&mut self, port: u16, number: u32) {
        self.ports.entry(port).or_default().mark = number;
    }

    fn reject(&self, port: u16, number: u32, reason: u16, text: [u8; 14], sink: &mut impl Sink) {
        let head = self.head(port, number, Action::Buy);
        let (client_order_id, pad) = (text, [0; 32]);
        sink.push(Event::rejected(Rejected { head, reason, client_order_id, pad }));
    }

    fn system(&self, port: u16, code: u8, sink: &mut impl Sink) {
        let head = self.head(port, 0, Action::Buy);
        sink.push(Event::system(System { head, code, pad: [0; 47] }));
    }

    fn book(&mut self, instrument: u32) -> Option<&mut Book> {
        self.books.iter_mut().find(|book| book.instrument.id == instrument)
    }

    fn take_ref(&mut self) -> (u32, u64) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            u32::try_from(self.generations.len() - 1).unwrap_or(u32::MAX)
        });
        (slot, OrderRef::new(ORIGIN, self.generations[slot as usize], slot).raw())
    }

    fn free_ref(&mut self, slot: u32) {
        self.generations[slot as usize] += 1;
        self.free.push(slot);
    }

    fn enter(&mut self, enter: &Enter<'_>, sink: &mut impl Sink) {
        let (port, number) = (enter.source.port, enter.user_ref_num);
        if !self.is_current(enter.source) {
            return;
        }
        let text = enter.client_order_id;
        if enter.source.channel != 0 {
            return self.reject(port, number, Reject::Other as u16, text, sink);
        }
        if number <= self.ports[&port].mark {
            return;
        }
        if USER_REF_JUMP_MAX < number - self.ports[&port].mark {
            return self.reject(port, number, Reject::Other as u16, text, sink);
        }
        self.consume(port, number);
        let (terms, price) = match self.check(enter) {
            Ok(checked) => checked,
            Err(reject) => return self.reject(port, number, reject as u16, text, sink),
        };
        let (slot, order_ref) = self.take_ref();
        let order = Order {
            slot,
            resting: Resting {
                order_ref,
                px: price.raw(),
                open: enter.qty,
                executed: 0,
                user_ref_num: number,
                port,
                action: terms.action,
                capacity: terms.capacity,
                due_ns: self.due_ns(terms),
                entered_seq: self.seq,
            },
            time_in_force: terms.time_in_force,
            instrument: enter.instrument,
        };
        let fate = self.fate(&order, terms);
        let entered = self.entered(&order, fate, text, !enter.echo.is_empty());
        sink.push(Event::accepted(entered));
        echo(port, number, self.now_ns, enter.echo, sink);
        self.work(order, fate, sink);
    }

    fn check(&mut self, enter: &Enter<'_>) -> Result<(Terms, Price), Reject> {
        if self.disabled.contains(&enter.source.port) {
            return Err(Reject::Firm);
        }
        let instrument = self.book(enter.instrument).ok_or(Reject::Symbol)?.instrument;
        let terms = enter.terms?;
        let price = instrument.check_order(enter.qty, enter.px)?;
        check_min_qty(enter.qty, terms)?;
        match terms.firm {
            Some(firm) if firm != self.ports[&enter.source.port].firm => Err(Reject::Firm),
            _ => Ok((terms, price)),
        }
    }

    fn is_crossed(&mut self, order: &Order) -> bool {
        let (side, px) = (order.resting.action.side(), order.resting.px);
        let best = self.book(order.instrument).and_then(|book| book.best_px(side.opposite()));
        best.is_some_and(|best| crosses(side, px, best))
    }

    /// What will become of an order, before anything does.
    fn fate(&mut self, order: &Order, terms: Terms) -> Fate {
        let open = order.resting.open;
        let may_rest = order.time_in_force != TimeInForce::ImmediateOrCancel;
        if open == 0 {
            Fate::Dies
        } else if self.is_crossed(order) {
            let available = self.available(order).min(u64::from(open));
            match (terms.post_only, available < u64::from(terms.min_qty)) {
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

    /// Quantity that stands on the other side within an order's limit.
    fn available(&mut self, order: &Order) -> u64 {
        let (side, limit) = (order.resting.action.side(), order.resting.px);
        let Some(book) = self.book(order.instrument) else { return 0 };
        let makers = book.side(side.opposite()).values().flatten();
        let makers = makers.filter(|maker| crosses(side, limit, maker.resting.px));
        makers.map(|maker| u64::from(maker.resting.open)).sum()
    }

    /// The answer to a new order; what an acceptance says of a replace is filled in by the caller.
    fn entered(&self, order: &Order, fate: Fate, text: [u8; 14], echo: bool) -> Entered {
        let Resting { port, user_ref_num, action, px, open, order_ref, .. } = order.resting;
        let marks = Marks::new(order.time_in_force, order.resting.capacity).with_echo(echo);
        let marks = match fate {
            Fate::Trades | Fate::Yields => marks,
            Fate::Rests => marks.rests(),
            Fate::Dies => marks.dead(),
        };
        Entered {
            head: self.head(port, user_ref_num, action),
            order_ref,
            old_order_ref: 0,
            instrument: order.instrument,
            px,
            qty: open,
            orig_user_ref_num: 0,
            client_order_id: text,
            marks,
        }
    }

    /// Trades the order as far as it goes, then rests or ends what is left.
    fn work(&mut self, mut taker: Order, fate: Fate, sink: &mut impl Sink) {
        while fate == Fate::Trades && 0 < taker.resting.open && self.is_crossed(&taker) {
            self.trade(&mut taker, sink);
        }
        let Resting { port, user_ref_num, action, px, open, order_ref, .. } = taker.resting;
        let head = self.head(port, user_ref_num, action);
        let instrument = taker.instrument;
        let reason = match (fate, taker.time_in_force) {
            (Fate::Yields, _) => Some(b'G'),
            (Fate::Trades, TimeInForce::ImmediateOrCancel) if 0 < open => Some(b'I'),
            _ => None,
        };
        if let Some(reason) = reason {
            sink.push(Event::canceled(Canceled {
                head,
                order_ref,
                instrument,
                qty: open,
                open: 0,
                reason,
                booked: 0,
                pad: [0; 26],
            }));
        }
        if open == 0 || fate == Fate::Dies || reason.is_some() {
            self.free_ref(taker.slot);
            return;
        }
        if fate == Fate::Trades {
            let (qty, pad) = (open, [0; 28]);
            sink.push(Event::rested(Rested { head, order_ref, instrument, px, qty, pad }));
        }
        self.live.insert((port, user_ref_num), (instrument, action.side(), px));
        if let Some(book) = self.book(instrument) {
            book.side(action.side()).entry(px).or_default().push_back(taker);
        }
    }

    fn trade(&mut self, taker: &mut Order, sink: &mut impl Sink) {
        self.match_count += 1;
        let maker_side = taker.resting.action.side().opposite();
        let Some(book) = self.book(taker.instrument) else { return };
        let Some(px) = book.best_px(maker_side) else { return };
        let Some(maker) = book.side(maker_side).entry(px).or_default().front_mut() else { return };
        let qty = maker.resting.open.min(taker.resting.open);
        maker.resting.open -= qty;
        maker.resting.executed += qty;
        taker.resting.open -= qty;
        taker.resting.executed += qty;
        let maker = *maker;
        sink.push(Event::fill(Fill {
            head: self.head(maker.resting.port, maker.resting.user_ref_num, maker.resting.action),
            maker_ref: maker.resting.order_ref,
            match_number: ORIGIN.match_number(self.match_count),
            instrument: taker.instrument,
            px,
            qty,
            maker_open: maker.resting.open,
            taker_ref: taker.resting.order_ref,
            taker_user_ref_num: taker.resting.user_ref_num,
            taker_port: taker.resting.port,
            pad: [0; 2],
        }));
        if maker.resting.open == 0 {
            self.remove((maker.resting.port, maker.resting.user_ref_num));
        }
    }

    fn find(&mut self, key: (u16, u32)) -> Option<&mut Order> {
        let &(instrument, side, px) = self.live.get(&key)?;
        let queue = self.book(instrument)?.side(side).get_mut(&px)?;
        queue.iter_mut().find(|order| (order.resting.port, order.resting.user_ref_num) == key)
    }

    /// Takes a live order off the book and frees its slot.
    fn remove(&mut self, key: (u16, u32)) {
        if let Some(order) = self.unlink(key) {
            self.free_ref(order.slot);
        }
    }

    fn unlink(&mut self, key: (u16, u32)) -> Option<Order> {
        let (instrument, side, px) = self.live.remove(&key)?;
        let levels = self.book(instrument)?.side(side);
        let queue = levels.get_mut(&px)?;
        let is_it = |order: &Order| (order.resting.port, order.resting.user_ref_num) == key;
        let order = queue.remove(queue.iter().position(is_it)?);
        if queue.is_empty() {
            levels.remove(&px);
        }
        order
    }

    fn reduce(&mut self, source: Source, number: u32, qty: Option<u32>, sink: &mut impl Sink) {
        if !self.is_current(source) || source.channel != 0 {
            return;
        }
        let Some(order) = self.find((source.port, number)) else { return };
        let Some(qty) = qty else {
            let action = order.resting.action;
            return self.reject_cancel((source.port, number), action, sink);
        };
        let left = order.resting.open.min(qty.saturating_sub(order.resting.executed));
        let taken = order.resting.open - left;
        if 0 < taken {
            self.tell_canceled((source.port, number), taken, b'U', sink);
        }
    }

    fn reject_cancel(&self, key: (u16, u32), action: Action, sink: &mut impl Sink) {
        let head = self.head(key.0, key.1, action);
        sink.push(Event::cancel_rejected(Notice { head, pad: [0; 48] }));
    }

    fn tell_canceled(&mut self, key: (u16, u32), qty: u32, reason: u8, sink: &mut impl Sink) {
        let Some(order) = self.find(key) else { return };
        order.resting.open -= qty;
        let order = *order;
        sink.push(Event::canceled(Canceled {
            head: self.head(key.0, key.1, order.resting.action),
            order_ref: order.resting.order_ref,
            instrument: order.instrument,
            qty,
            open: order.resting.open,
            reason,
            booked: 1,
            pad: [0; 26],
        }));
        if order.resting.open == 0 {
            self.remove(key);
        }
    }

    fn modify(&mut self, key: (u16, u32), to: Option<Action>, qty: u32, sink: &mut impl Sink) {
        let Some(order) = self.find(key) else { return };
        let old = order.resting.action;
        let Some(action) =
            to.filter(|&to| to == old || (old.side() == Side::Ask && to.side() == Side::Ask))
        else {
            return self.reject_cancel(key, old, sink);
        };
        let left = qty.saturating_sub(order.resting.executed);
        if order.resting.open < left {
            return;
        }
        let taken = order.resting.open - left;
        order.resting.open = left;
        order.resting.action = action;
        let order = *order;
        sink.push(Event::modified(Modified {
            head: self.head(key.0, key.1, action),
            order_ref: order.resting.order_ref,
            instrument: order.instrument,
            qty: taken,
            open: left,
            pad: [0; 28],
        }));
        if left == 0 {
            self.remove(key);
        }
    }

    fn replace(&mut self, replace: &Replace<'_>, sink: &mut impl Sink) {
        let (port, number) = (replace.source.port, replace.user_ref_num);
        let is_known = self.is_current(replace.source) && replace.source.channel == 0;
        if !is_known || number <= self.ports[&port].mark {
            return;
        }
        let key = (port, replace.orig_user_ref_num);
        let Some(&mut old) = self.find(key) else { return };
        let text = replace.client_order_id;
        if USER_REF_JUMP_MAX < number - self.ports[&port].mark {
            return self.reject(port, number, Reject::Other as u16, text, sink);
        }
        if self.disabled.contains(&port) {
            self.consume(port, number);
            return self.reject(port, number, Reject::Firm as u16, text, sink);
        }
        let Some(book) = self.book(old.instrument) else { return };
        let checked = book.instrument.check_order(replace.qty, replace.px);
        let terms = replace.terms.and_then(|terms| {
            check_min_qty(replace.qty, terms)?;
            Ok(terms)
        });
        let (Ok(price), Ok(terms)) = (checked, terms) else {
            return self.tell_canceled(key, old.resting.open, b'Z', sink);
        };
        self.consume(port, number);
        self.unlink(key);
        self.generations[old.slot as usize] += 1;
        let generation = self.generations[old.slot as usize];
        let mut order = old;
        order.time_in_force = terms.time_in_force;
        order.resting.due_ns = self.due_ns(terms);
        order.resting.order_ref = OrderRef::new(ORIGIN, generation, old.slot).raw();
        order.resting.px = price.raw();
        order.resting.open = replace.qty.saturating_sub(old.resting.executed);
        order.resting.user_ref_num = number;
        order.resting.entered_seq = self.seq;
        let fate = self.fate(&order, terms);
        let mut entered = self.entered(&order, fate, text, !replace.echo.is_empty());
        entered.old_order_ref = old.resting.order_ref;
        entered.orig_user_ref_num = replace.orig_user_ref_num;
        sink.push(Event::replaced(entered));
        echo(port, number, self.now_ns, replace.echo, sink);
        self.work(order, fate, sink);
    }

    /// Takes the number of a request about many orders; `false` when it is ignored or refused.
    fn admit(
        &mut self,
        source: Source,
        number: u32,
        firm: [u8; 4],
        fault: Option<Reject>,
        sink: &mut impl Sink,
    ) -> bool {
        let port = self.ports.get(&source.port).copied().unwrap_or_default();
        if !self.is_current(source) || (number <= port.mark && source.channel == 0) {
            return false;
        }
        let is_wild = source.channel != 0 || USER_REF_JUMP_MAX < number - port.mark;
        let is_foreign = firm != *b"    " && firm != port.firm;
        if !is_wild {
            self.consume(source.port, number);
        }
        let reason = match (is_wild, fault, is_foreign) {
            (true, _, _) => Reject::Other,
            (false, Some(fault), _) => fault,
            (false, None, true) => Reject::Firm,
            (false, None, false) => return true,
        };
        self.reject(source.port, number, reason as u16, [b' '; 14], sink);
        false
    }

    fn is_meant(&self, source: Source, firm: [u8; 4], port: u16) -> bool {
        port == source.port || (firm != *b"    " && self.ports[&port].firm == firm)
    }

    fn mass_cancel(&mut self, request: &MassCancel, sink: &mut impl Sink) {
        let MassCancel { source, user_ref_num, firm, symbol, scope } = *request;
        if !self.admit(source, user_ref_num, firm, scope.err(), sink) {
            return;
        }
        let Ok(scope) = scope else { return };
        let head = self.head(source.port, user_ref_num, Action::Buy);
        let (answer, pad) = (b'X', [0; 35]);
        sink.push(Event::response(Response { head, symbol, firm, answer, pad }));
        let mut orders = self.orders();
        orders.retain(|order| {
            self.is_meant(source, firm, order.resting.port)
                && scope.instrument.is_none_or(|id| id == order.instrument)
                && scope.action.is_none_or(|action| action == order.resting.action)
        });
        orders.sort_by_key(|order| order.resting.entered_seq);
        for Order { resting, .. } in orders {
            self.tell_canceled((resting.port, resting.user_ref_num), resting.open, b'U', sink);
        }
    }

    fn switch_entry(&mut self, request: &EntrySwitch, sink: &mut impl Sink) {
        let EntrySwitch { source, user_ref_num, firm, is_enabled } = *request;
        if !self.admit(source, user_ref_num, firm, is_enabled.err(), sink) {
            return;
        }
        let is_enabled = is_enabled.unwrap_or_default();
        let meant: Vec<u16> = self.ports.keys().copied().collect();
        for port in meant {
            if !self.is_meant(source, firm, port) {
                continue;
            }
            if is_enabled {
                self.disabled.remove(&port);
            } else {
                self.disabled.insert(port);
            }
        }
        let head = self.head(source.port, user_ref_num, Action::Buy);
        let (symbol, answer) = ([b' '; 8], if is_enabled { b'K' } else { b'G' });
        sink.push(Event::response(Response { head, symbol, firm, answer, pad: [0; 35] }));
    }

    fn roll(&mut self, roll: DayRoll, sink: &mut impl Sink) {
        if self.day.is_some() {
            let mut orders = self.orders();
            orders.sort_by_key(|order| order.resting.entered_seq);
            for Order { resting, .. } in orders {
                let key = (resting.port, resting.user_ref_num);
                self.tell_canceled(key, resting.open, b'E', sink);
            }
            let begun = self.ports.iter().filter(|(_, port)| port.has_begun);
            let begun: Vec<u16> = begun.map(|(&number, _)| number).collect();
            for number in begun {
                self.system(number, b'E', sink);
            }
            for port in self.ports.values_mut() {
                (port.is_up, port.has_begun, port.mark) = (false, false, 0);
            }
            self.disabled.clear();
            b"MEC".iter().for_each(|&code| self.system(0, code, sink));
        }
        self.match_count = 0;
        self.day = Some(roll);
        sink.push(Event::day(Day {
            head: self.head(0, 0, Action::Buy),
            midnight_ns: roll.midnight_ns(),
            date: roll.date,
            session: roll.session,
            pad: [0; 26],
        }));
        self.system(0, b'O', sink);
        for position in 0..self.books.len() {
            self.list(position, sink);
        }
        b"SQ".iter().for_each(|&code| self.system(0, code, sink));
    }

    fn list(&self, position: usize, sink: &mut impl Sink) {
        let head = self.head(0, 0, Action::Buy);
        let instrument = self.books[position].instrument;
        let Instrument { id, symbol, price_decimals, qty_decimals, lot, .. } = instrument;
        let locate = u16::try_from(position + 1).unwrap_or(0);
        sink.push(Event::directory(Directory {
            head,
            symbol,
            instrument: id,
            lot,
            locate,
            price_decimals,
            qty_decimals,
            pad: [0; 28],
        }));
        let (instrument, state, pad) = (id, b'T', [0; 43]);
        sink.push(Event::trading(Trading { head, instrument, state, pad }));
    }

    /// The resting orders of one side of an instrument, in order of priority.
    pub fn resting(&self, instrument: u32, side: Side) -> impl Iterator<Item = Resting> + '_ {
        let book = self.books.iter().find(|book| book.instrument.id == instrument);
        let queues: Vec<&VecDeque<Order>> = match (book, side) {
            (Some(book), Side::Bid) => book.bids.values().rev().collect(),
            (Some(book), Side::Ask) => book.asks.values().collect(),
            (None, _) => Vec::new(),
        };
        queues.into_iter().flatten().map(|order| order.resting)
    }
}
