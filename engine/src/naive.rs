//! The same rules on the plainest structures: the oracle of tests.
//!
//! Everything here favours being obviously right: ordered maps of queues, searched from the front,
//! no step limit, nothing shared with the engine but the types. It gives references by the same
//! rule (last freed slot first, then a fresh one), so whole event lists can be compared. [`plain`]
//! is the floor of benchmarks with books too large to be searched.

mod admin;
mod copies;
mod day;
mod mass;
mod orders;
pub mod plain;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::admin::{Kills, State};
use crate::{
    command::{Command, DayRoll, SessionUp, Source},
    engine::Resting,
    event::{Canceled, Event, Head, Notice, Rejected, Rested, Sink, System},
    instrument::Instrument,
    limits::{Capacity, GENERATION_MIN, USER_REF_JUMP_MAX},
    types::{Action, Display, OrderRef, Origin, Side},
};

#[derive(Clone, Copy, Debug)]
struct Order {
    slot: u32,
    resting: Resting,
    instrument: u32,
}

/// Where an order stands in its side of the book: by price, best first, then displayed before
/// hidden.
type Place = (u32, bool);

#[derive(Clone, Debug)]
struct Book {
    instrument: Instrument,
    bids: BTreeMap<Place, VecDeque<Order>>,
    asks: BTreeMap<Place, VecDeque<Order>>,
    last_px: u32,
    reference_px: u32,
    state: State,
    locate: u16,
    /// What the instrument becomes with the next day.
    next: Option<Instrument>,
}

fn place_of(resting: &Resting) -> Place {
    let rank = match resting.action.side() {
        Side::Bid => u32::MAX - resting.px,
        Side::Ask => resting.px,
    };
    (rank, resting.display == Display::Hidden)
}

impl Book {
    const fn side(&mut self, side: Side) -> &mut BTreeMap<Place, VecDeque<Order>> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// The order of `side` that trades first.
    fn first(&mut self, side: Side) -> Option<&mut Order> {
        self.side(side).values_mut().next()?.front_mut()
    }

    /// Whether it is the book of the listed instrument `id`.
    const fn is(&self, id: u32) -> bool {
        self.instrument.id == id && matches!(self.state, State::Trading | State::Halted)
    }

    const fn reference(&self) -> u32 {
        if self.last_px == 0 { self.reference_px } else { self.last_px }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Port {
    generation: u16,
    is_up: bool,
    has_begun: bool,
    firm: [u8; 4],
    grace_ms: Option<u32>,
}

/// A port that has never logged in.
const UNKNOWN: Port =
    Port { generation: 0, is_up: false, has_begun: false, firm: *b"    ", grace_ms: None };

/// Port, channel and number of an order; of one of an earlier day its slot stands for the number.
type Key = (u16, u8, u32);

/// A matching engine without any cleverness.
#[derive(Clone, Debug)]
pub struct Naive {
    books: Vec<Book>,
    ports: BTreeMap<u16, Port>,
    /// Highest number used, by port and channel.
    marks: BTreeMap<(u16, u8), u32>,
    /// Ports that let no new orders in, and firms whose ports do not.
    disabled: BTreeSet<u16>,
    disabled_firms: BTreeSet<[u8; 4]>,
    kills: Kills,
    /// By instrument id, for ever.
    symbols: BTreeMap<u32, [u8; 8]>,
    /// Locate codes given today.
    locates: u16,
    /// Firms that are copied, or were in this session, and whether they are.
    copied: Vec<([u8; 4], bool)>,
    /// When the orders of a port are to be cancelled, and which.
    graces: BTreeSet<(u64, u16)>,
    /// How much it holds; what depends on how the engine is built (nodes, pages) is not modelled.
    capacity: Capacity,
    /// Freed slots, the last one on top: of displayed orders, then of hidden ones.
    free: [Vec<u32>; 2],
    /// Slots ever used: of displayed orders, then of hidden ones.
    used: [u32; 2],
    generations: BTreeMap<u32, u32>,
    origin: Origin,
    match_count: u64,
    day: Option<DayRoll>,
    now_ns: u64,
    seq: u64,
}

impl Naive {
    /// An engine without instruments, which refuses for want of order slots and price levels like
    /// one of this capacity. It never runs out of nodes and pages.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self {
            books: Vec::new(),
            ports: BTreeMap::new(),
            marks: BTreeMap::new(),
            disabled: BTreeSet::new(),
            disabled_firms: BTreeSet::new(),
            kills: Kills::default(),
            symbols: BTreeMap::new(),
            locates: 0,
            copied: Vec::new(),
            graces: BTreeSet::new(),
            capacity,
            free: [Vec::new(), Vec::new()],
            used: [0; 2],
            generations: BTreeMap::new(),
            origin: Origin::new(0, 0),
            match_count: 0,
            day: None,
            now_ns: 0,
            seq: 0,
        }
    }

    /// Applies one command, whole.
    pub fn apply(&mut self, seq: u64, time_ns: u64, command: &Command<'_>, sink: &mut impl Sink) {
        self.now_ns = time_ns;
        self.seq = seq;
        match command {
            Command::Enter(enter) => self.enter(enter, sink),
            Command::Replace(replace) => self.replace(replace, sink),
            Command::Cancel(cancel) => self.cancel(cancel, sink),
            Command::Modify(modify) => self.modify(modify, sink),
            Command::MassCancel(request) => self.mass_cancel(request, sink),
            Command::EntrySwitch(request) => self.switch_entry(request, sink),
            Command::AccountQuery(source) => {
                if self.is_current(*source) {
                    let next = self.mark(*source).saturating_add(1);
                    let head = self.head(source.port, next, Action::Buy);
                    let (channel, pad) = (source.channel, [0; 39]);
                    sink.write(Event::account(Notice { head, order_ref: 0, channel, pad }));
                }
            }
            Command::Refuse(refuse) => {
                let (source, number) = (refuse.source, refuse.user_ref_num);
                if self.is_current(source) && self.mark(source) < number {
                    if !self.is_wild(source, number) {
                        self.consume(source, number);
                    }
                    self.reject(source, number, refuse.reason, &refuse.client_order_id, sink);
                }
            }
            Command::Tick => self.tick(sink),
            Command::SessionUp(up) => self.session_up(*up, sink),
            Command::SessionDown(source) => {
                if self.is_current(*source) {
                    self.lose(source.port);
                }
            }
            Command::Define(instrument) => self.define(*instrument, sink),
            Command::Administer(order) => self.administer(*order, sink),
            Command::DropCopy(copy) => self.set_copy(*copy, sink),
            Command::DayRoll(roll) => self.roll(*roll, sink),
            Command::Epoch(epoch) => self.begin_epoch(*epoch, sink),
        }
    }

    fn session_up(&mut self, up: SessionUp, sink: &mut impl Sink) {
        let is_known = (1..=self.capacity.ports).contains(&up.source.port);
        if !is_known || self.day.is_none_or(|day| day.session != up.session) {
            return;
        }
        let port = self.ports.entry(up.source.port).or_insert(UNKNOWN);
        if port.firm != up.firm && self.disabled_firms.contains(&up.firm) {
            self.disabled.insert(up.source.port);
        }
        let had_begun = port.has_begun;
        let firm_before = port.firm;
        let (generation, firm, grace_ms) = (up.source.generation, up.firm, up.grace_ms);
        *port = Port { generation, is_up: true, has_begun: true, firm, grace_ms };
        self.graces.retain(|(_, port)| *port != up.source.port);
        if firm_before != firm {
            self.tell_firm(up.source.port, firm, sink);
        }
        if !had_begun {
            self.system(up.source.port, b'S', sink);
        }
    }

    /// The connection of a port is gone.
    fn lose(&mut self, number: u16) {
        let Some(port) = self.ports.get_mut(&number) else { return };
        port.is_up = false;
        if let Some(grace_ms) = port.grace_ms {
            self.graces.insert((self.now_ns + u64::from(grace_ms) * 1_000_000, number));
        }
    }

    fn head(&self, port: u16, user_ref_num: u32, action: Action) -> Head {
        Head::new(port, user_ref_num, action, self.now_ns)
    }

    fn head_of(&self, resting: &Resting) -> Head {
        let Resting { port, user_ref_num, action, display, .. } = *resting;
        self.head(port, user_ref_num, action).hidden(display == Display::Hidden)
    }

    /// All resting orders, by entry.
    fn orders(&self) -> Vec<Order> {
        let books = self.books.iter();
        let sides = books.flat_map(|book| book.bids.values().chain(book.asks.values()));
        let mut orders: Vec<Order> = sides.flatten().copied().collect();
        orders.sort_by_key(|order| order.resting.entered_seq);
        orders
    }

    /// What is due happens: expiries by time and entry, and the ends of graces, which come last
    /// where the time is the same.
    fn tick(&mut self, sink: &mut impl Sink) {
        loop {
            let timed = self.orders().into_iter().filter(|it| 0 < it.resting.due_ns);
            let order = timed.min_by_key(|it| (it.resting.due_ns, it.resting.entered_seq));
            let order = order.filter(|order| order.resting.due_ns <= self.now_ns);
            let grace = self.graces.first().copied().filter(|(due_ns, _)| *due_ns <= self.now_ns);
            match (order, grace) {
                (Some(order), grace)
                    if grace.is_none_or(|(due_ns, _)| order.resting.due_ns <= due_ns) =>
                {
                    self.take(key_of(&order), order.resting.open, b'T', sink);
                }
                (_, Some((due_ns, port))) => {
                    self.graces.remove(&(due_ns, port));
                    for order in self.orders() {
                        if order.resting.port == port {
                            self.take(key_of(&order), order.resting.open, b'Z', sink);
                        }
                    }
                }
                (_, None) => return,
            }
        }
    }

    fn is_current(&self, source: Source) -> bool {
        let port = self.ports.get(&source.port).copied().unwrap_or_default();
        port.is_up && port.generation == source.generation
    }

    fn mark(&self, source: Source) -> u32 {
        self.marks.get(&(source.port, source.channel)).copied().unwrap_or(0)
    }

    /// Whether a number that was not used is too high to be meant.
    fn is_wild(&self, source: Source, number: u32) -> bool {
        USER_REF_JUMP_MAX < number - self.mark(source)
    }

    fn consume(&mut self, source: Source, number: u32) {
        self.marks.insert((source.port, source.channel), number);
    }

    fn reject(
        &self,
        source: Source,
        number: u32,
        reason: impl Into<u16>,
        client_order_id: &[u8; 14],
        sink: &mut impl Sink,
    ) {
        let head = self.head(source.port, number, Action::Buy);
        let (reason, channel, pad) = (reason.into(), source.channel, [0; 31]);
        let client_order_id = *client_order_id;
        sink.write(Event::rejected(Rejected { head, reason, client_order_id, channel, pad }));
    }

    fn system(&self, port: u16, code: u8, sink: &mut impl Sink) {
        let head = self.head(port, 0, Action::Buy);
        sink.write(Event::system(System { head, code, pad: [0; 47] }));
    }

    fn book(&mut self, instrument: u32) -> Option<&mut Book> {
        self.books.iter_mut().find(|book| book.is(instrument))
    }

    fn order_ref(&self, slot: u32) -> u64 {
        let generation = self.generations.get(&slot).copied().unwrap_or(GENERATION_MIN);
        OrderRef::new(self.origin, generation, slot).raw()
    }

    fn take_slot(&mut self, display: Display) -> u32 {
        let kind = usize::from(display == Display::Hidden);
        self.free[kind].pop().unwrap_or_else(|| {
            let slot = self.used[kind] + if kind == 1 { self.capacity.orders } else { 0 };
            self.used[kind] += 1;
            slot
        })
    }

    /// Whether all slots for orders of this kind are taken.
    fn has_no_slot(&self, display: Display) -> bool {
        let is_hidden = display == Display::Hidden;
        let orders = self.orders().into_iter();
        let taken = orders.filter(|it| (it.resting.display == Display::Hidden) == is_hidden);
        let max = if is_hidden { self.capacity.hidden_orders } else { self.capacity.orders };
        taken.count() >= max as usize
    }

    /// Whether all price levels are taken.
    fn has_no_level(&self) -> bool {
        let taken: usize = self.books.iter().map(|book| book.bids.len() + book.asks.len()).sum();
        taken >= self.capacity.levels as usize
    }

    /// Whether a port has as many resting orders as it may.
    fn is_at_quota(&self, port: u16) -> bool {
        let own = self.orders().into_iter().filter(|order| order.resting.port == port);
        own.count() >= self.capacity.port_orders as usize
    }

    fn free_slot(&mut self, slot: u32) {
        *self.generations.entry(slot).or_insert(GENERATION_MIN) += 1;
        self.free[usize::from(self.capacity.orders <= slot)].push(slot);
    }

    fn find(&mut self, key: Key) -> Option<&mut Order> {
        let books = self.books.iter_mut();
        let mut queues =
            books.flat_map(|book| book.bids.values_mut().chain(book.asks.values_mut()));
        queues.find_map(|queue| queue.iter_mut().find(|order| key_of(order) == key))
    }

    fn find_by_ref(&self, port: u16, order_ref: u64) -> Option<Key> {
        let orders = self.orders();
        let named = orders.iter().find(|it| it.resting.order_ref == order_ref);
        named.filter(|it| it.resting.port == port).map(key_of)
    }

    /// Takes a live order off the book and frees its slot.
    fn remove(&mut self, key: Key) {
        if let Some(order) = self.unlink(key) {
            self.free_slot(order.slot);
        }
    }

    fn unlink(&mut self, key: Key) -> Option<Order> {
        let order = *self.find(key)?;
        let (side, place) = (order.resting.action.side(), place_of(&order.resting));
        let levels = self.book(order.instrument)?.side(side);
        let queue = levels.get_mut(&place)?;
        queue.remove(queue.iter().position(|other| key_of(other) == key)?);
        if queue.is_empty() {
            levels.remove(&place);
        }
        Some(order)
    }

    /// Takes `qty` from a resting order and says why; ends it when nothing is left.
    fn take(&mut self, key: Key, qty: u32, reason: u8, sink: &mut impl Sink) {
        let Some(order) = self.find(key) else { return };
        order.resting.open -= qty;
        let order = *order;
        self.tell_canceled(&order, qty, reason, order.resting.display != Display::Hidden, sink);
        if order.resting.open == 0 {
            self.remove(key);
        }
    }

    fn tell_canceled(
        &self,
        order: &Order,
        qty: u32,
        reason: u8,
        shown: bool,
        sink: &mut impl Sink,
    ) {
        sink.write(Event::canceled(Canceled {
            head: self.head_of(&order.resting),
            order_ref: order.resting.order_ref,
            instrument: order.instrument,
            qty,
            open: order.resting.open,
            reason,
            shown: u8::from(shown),
            channel: order.resting.channel,
            pad: [0; 25],
        }));
    }

    fn tell_rested(&self, order: &Order, sink: &mut impl Sink) {
        let Resting { order_ref, px, open, display, port, .. } = order.resting;
        let firm = match display {
            Display::Hidden => return,
            Display::Visible => *b"    ",
            Display::Attributable => self.ports[&port].firm,
        };
        let (head, instrument) = (self.head_of(&order.resting), order.instrument);
        let (qty, pad) = (open, [0; 24]);
        sink.write(Event::rested(Rested { head, order_ref, instrument, px, qty, firm, pad }));
    }

    /// The resting orders of one side of an instrument, in order of priority.
    pub fn resting(&self, instrument: u32, side: Side) -> impl Iterator<Item = Resting> + '_ {
        let book = self.books.iter().find(|book| book.is(instrument));
        let queues = book.map(|book| match side {
            Side::Bid => book.bids.values(),
            Side::Ask => book.asks.values(),
        });
        queues.into_iter().flatten().flatten().map(|order| order.resting)
    }
}

/// Orders of an earlier day have no number, so that two of them could be confused.
fn key_of(order: &Order) -> Key {
    let Resting { port, channel, user_ref_num, .. } = order.resting;
    if user_ref_num == 0 { (0, 0, order.slot) } else { (port, channel, user_ref_num) }
}
