//! The state machine: one command in, events out.
//!
//! [`Engine::begin`] starts a command and [`Engine::resume`] goes on with it until it is
//! [`Progress::Done`]; each call writes at most [`STEP_EVENTS_MAX`] events. Neighbours in the flow:
//! the core loop sequences, journals and calls; egress and feed read the events.

use crate::{
    admin::{Kills, NO_SYMBOL},
    arena::Arena,
    book::{Book, Store},
    command::{Command, DayRoll, Refuse, Source, Terms},
    copies::CopiedFirm,
    due::Disconnect,
    event::{Event, Head, Notice, Rejected, Sink, System},
    instrument::{Instrument, InstrumentError},
    ladder::Nodes,
    limits::{
        CHANNELS, COPIED_FIRMS_MAX, Capacity, INSTRUMENTS_MAX, STEP_EVENTS_MAX, USER_REF_JUMP_MAX,
    },
    reject::{CancelReason, Reject},
    table::{empty, filled},
    timers::Timers,
    types::{self, Action, Display, Origin, Prevention, Price, Side, TimeInForce},
    user_refs::{Key, UserRefs, lane},
};

/// Whether a command is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The next command may begin.
    Done,
    /// [`Engine::resume`] must be called first.
    More,
}

/// What goes on over several steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Idle,
    /// A taker goes on trading.
    Sweep(Taker),
    /// What is due happens.
    Expire,
    /// The orders in `scratch` from `next` on are cancelled.
    CancelAll {
        next: usize,
        reason: CancelReason,
        /// Something else may be due as well.
        is_due: bool,
    },
    /// A day ends and the next begins.
    Roll {
        stage: RollStage,
        next: usize,
    },
}

/// An order that trades, and what of its terms matters only while it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    pub(crate) slot: u32,
    pub(crate) is_market: bool,
    pub(crate) prevention: Option<Prevention>,
    pub(crate) group: u16,
}

impl Taker {
    #[inline]
    pub(crate) const fn new(slot: u32, terms: &Terms, is_market: bool) -> Self {
        let Terms { prevention, group, .. } = *terms;
        Self { slot, is_market, prevention, group }
    }
}

/// Where a day roll stands; `next` counts within the stage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RollStage {
    Expire,
    /// Orders of instruments whose tick changes are taken off their levels.
    Lift,
    /// Instruments change.
    Change,
    /// What was lifted is put on its new level.
    Settle,
    /// What outlives the day loses its number.
    Carry,
    ClosePorts,
    CloseFeed,
    List,
    Announce,
    OpenFeed,
}

/// A port's part in the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was not told of the start of this day.
    Absent,
    /// It was, and its connection is gone.
    Down,
    /// Its connection is open.
    Up,
}

/// One broker's port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    pub(crate) generation: u16,
    pub(crate) standing: Standing,
    pub(crate) firm: [u8; 4],
    /// Orders of it that rest.
    pub(crate) live_orders: u32,
    /// It lets no new orders in.
    pub(crate) is_disabled: bool,
    /// It, its firm or the venue is killed.
    pub(crate) is_killed: bool,
    /// How long after the end of its connection its orders are cancelled; `None`: they stay.
    pub(crate) grace_ms: Option<u32>,
}

/// The matching engine of one shard.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) user_refs: UserRefs,
    pub(crate) timers: Timers,
    pub(crate) books: Vec<Book>,
    /// Instrument id to position in `books`; `u16::MAX` for none.
    pub(crate) positions: Vec<u16>,
    /// Instrument id to the symbol that belongs to it for ever; blank where it was never listed.
    pub(crate) symbols: Vec<[u8; 8]>,
    /// Locate codes given today.
    pub(crate) locates: u16,
    pub(crate) kills: Kills,
    /// By port number; entry 0 is never used.
    pub(crate) ports: Vec<Port>,
    /// By [`lane`]: highest number used today.
    pub(crate) marks: Vec<u32>,
    /// Slots of orders of earlier days, by port and then by entry, as they were when the day began.
    pub(crate) carried: Vec<u32>,
    /// By port: where its part of `carried` ends; that of port 0 is where the first one begins.
    pub(crate) carried_ends: Vec<u32>,
    /// Firms whose entry was disabled today: their ports yet to come are disabled as well.
    pub(crate) disabled_firms: Vec<[u8; 4]>,
    /// By place: firms whose reports are copied, or were in this session.
    pub(crate) copied_firms: Vec<CopiedFirm>,
    /// Connections that are gone and whose grace runs, by its end; a port at most once.
    pub(crate) disconnects: Vec<Disconnect>,
    pub(crate) origin: Origin,
    /// Counts unprovable losses.
    pub(crate) epoch: u32,
    pub(crate) match_count: u64,
    pub(crate) day: Option<DayRoll>,
    /// The day that a running [`Work::Roll`] opens.
    pub(crate) next_day: DayRoll,
    pub(crate) now_ns: u64,
    pub(crate) seq: u64,
    pub(crate) work: Work,
    /// Slots that the work has still to visit.
    pub(crate) scratch: Vec<u32>,
    /// Slots that a day roll has taken off their levels.
    pub(crate) lifted: Vec<u32>,
    pub(crate) capacity: Capacity,
}

/// What a client's number means at the moment it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// Used before: the message is a repetition.
    Old,
    /// Too far ahead to be meant.
    Wild,
    Fresh,
}

impl Engine {
    /// Allocates everything for `capacity`.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        let port = Port {
            generation: 0,
            standing: Standing::Absent,
            firm: [b' '; 4],
            live_orders: 0,
            is_disabled: false,
            is_killed: false,
            grace_ms: None,
        };
        let orders_max = capacity.orders + capacity.hidden_orders;
        let ports_len = usize::from(capacity.ports) + 1;
        Self {
            store: Store {
                arena: Arena::new(capacity.orders, capacity.hidden_orders, capacity.levels),
                nodes: Nodes::new(capacity.nodes),
            },
            user_refs: UserRefs::new(&capacity),
            timers: Timers::new(orders_max),
            books: Vec::with_capacity(usize::from(capacity.instruments)),
            positions: vec![u16::MAX; usize::from(INSTRUMENTS_MAX) + 1],
            symbols: vec![NO_SYMBOL; usize::from(INSTRUMENTS_MAX) + 1],
            locates: 0,
            kills: Kills::new(ports_len),
            ports: vec![port; ports_len],
            marks: filled(0, ports_len * CHANNELS),
            carried: empty(0, orders_max as usize),
            carried_ends: vec![0; ports_len],
            disabled_firms: Vec::with_capacity(ports_len),
            copied_firms: Vec::with_capacity(COPIED_FIRMS_MAX),
            disconnects: Vec::with_capacity(ports_len),
            origin: Origin::new(0, 0),
            epoch: 0,
            match_count: 0,
            day: None,
            next_day: DayRoll { date: 0, utc_offset_s: 0, session: [b' '; 10] },
            now_ns: 0,
            seq: 0,
            work: Work::Idle,
            scratch: empty(0, orders_max as usize),
            lifted: empty(0, orders_max as usize),
            capacity,
        }
    }

    /// Begins the command that was given sequence number `seq` at `time_ns`.
    ///
    /// # Panics
    ///
    /// When the command before is not done, or time falls: the caller's bugs.
    pub fn begin(
        &mut self,
        seq: u64,
        time_ns: u64,
        command: &Command<'_>,
        sink: &mut impl Sink,
    ) -> Progress {
        assert!(matches!(self.work, Work::Idle), "a command began before the last one was done");
        assert!(self.now_ns <= time_ns, "time fell from {} to {time_ns}", self.now_ns);
        self.seq = seq;
        self.now_ns = time_ns;
        match command {
            Command::Enter(enter) => {
                if self.enter_common(enter, sink) {
                    return Progress::Done;
                }
                if let Some(progress) = self.take_common(enter, sink) {
                    return progress;
                }
                self.enter(enter, sink);
            }
            Command::Replace(replace) => {
                if self.replace_common(replace, sink) {
                    return Progress::Done;
                }
                self.replace(replace, sink);
            }
            Command::Cancel(cancel) => {
                if self.cancel_common(cancel, sink) {
                    return Progress::Done;
                }
                self.cancel(cancel, sink);
            }
            Command::Modify(modify) => self.modify(modify, sink),
            Command::MassCancel(request) => self.mass_cancel(request, sink),
            Command::EntrySwitch(request) => self.switch_entry(request, sink),
            Command::AccountQuery(source) => self.account_query(*source, sink),
            Command::Refuse(refuse) => self.refuse(refuse, sink),
            Command::Tick => self.work = Work::Expire,
            Command::SessionUp(up) => self.session_up(*up, sink),
            Command::SessionDown(source) => self.session_down(*source),
            Command::Define(instrument) => self.define(*instrument, sink),
            Command::Administer(order) => self.administer(*order, sink),
            Command::DropCopy(copy) => self.set_copy(*copy, sink),
            Command::DayRoll(roll) => self.begin_roll(*roll),
            Command::Epoch(epoch) => self.begin_epoch(*epoch, sink),
        }
        if matches!(self.work, Work::Idle) {
            return Progress::Done;
        }
        if matches!(self.work, Work::Sweep(_)) {
            // It began and has filled its part of the step.
            return Progress::More;
        }
        self.go_on(STEP_EVENTS_MAX / 2, sink)
    }

    fn refuse(&mut self, refuse: &Refuse, sink: &mut impl Sink) {
        let Refuse { source, user_ref_num, reason, client_order_id } = *refuse;
        if !self.is_current(source) {
            return;
        }
        match self.number(source, user_ref_num) {
            Number::Old => return,
            Number::Wild => {}
            Number::Fresh => self.consume(source, user_ref_num),
        }
        self.reject(source, user_ref_num, reason, &client_order_id, sink);
    }

    /// Goes on with a command that is not done.
    pub fn resume(&mut self, sink: &mut impl Sink) -> Progress {
        self.go_on(STEP_EVENTS_MAX, sink)
    }

    #[inline(never)]
    fn go_on(&mut self, room: usize, sink: &mut impl Sink) -> Progress {
        self.work = match self.work {
            Work::Idle => Work::Idle,
            Work::Sweep(taker) => self.sweep(taker, room, sink),
            Work::Expire => self.expire(room, sink),
            Work::CancelAll { next, reason, is_due } => {
                self.cancel_all(next, reason, is_due, room, sink)
            }
            Work::Roll { stage, next } => self.roll(stage, next, room, sink),
        };
        match self.work {
            Work::Idle => Progress::Done,
            Work::Sweep(_) | Work::Expire | Work::CancelAll { .. } | Work::Roll { .. } => {
                Progress::More
            }
        }
    }

    /// Position of the instrument `id`, if it is listed.
    #[inline]
    pub(crate) fn book_of(&self, id: u32) -> Option<u16> {
        let position = *self.positions.get(id as usize)?;
        (position != u16::MAX).then_some(position)
    }

    /// Whether a command comes over the port's open connection.
    #[inline]
    pub(crate) fn is_current(&self, source: Source) -> bool {
        let Some(port) = self.ports.get(usize::from(source.port)) else {
            return false;
        };
        port.standing == Standing::Up && port.generation == source.generation
    }

    #[inline]
    pub(crate) fn number(&self, source: Source, user_ref_num: u32) -> Number {
        let mark = self.marks[lane(source.port, source.channel)];
        if user_ref_num <= mark {
            Number::Old
        } else if USER_REF_JUMP_MAX < user_ref_num - mark {
            Number::Wild
        } else {
            Number::Fresh
        }
    }

    #[inline]
    pub(crate) fn consume(&mut self, source: Source, user_ref_num: u32) {
        self.marks[lane(source.port, source.channel)] = user_ref_num;
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn reject(
        &self,
        source: Source,
        user_ref_num: u32,
        reason: impl Into<u16>,
        client_order_id: &[u8; 14],
        sink: &mut impl Sink,
    ) {
        let Source { port, channel, .. } = source;
        let head = Head::new(port, user_ref_num, Action::Buy, self.now_ns);
        let (reason, pad) = (reason.into(), [0; 31]);
        let client_order_id = *client_order_id;
        sink.write(Event::rejected(Rejected { head, reason, client_order_id, channel, pad }));
    }

    fn account_query(&self, source: Source, sink: &mut impl Sink) {
        if self.is_current(source) {
            let Source { port, channel, .. } = source;
            let next = self.marks[lane(port, channel)].saturating_add(1);
            let head = Head::new(port, next, Action::Buy, self.now_ns);
            sink.write(Event::account(Notice { head, order_ref: 0, channel, pad: [0; 39] }));
        }
    }

    /// Tells `port`, or the feed when it is 0, of a system event.
    pub(crate) fn system(&self, port: u16, code: u8, sink: &mut impl Sink) {
        let head = Head::new(port, 0, Action::Buy, self.now_ns);
        sink.write(Event::system(System { head, code, pad: [0; 47] }));
    }

    /// The day that is open, if one is.
    #[must_use]
    pub const fn day(&self) -> Option<&DayRoll> {
        self.day.as_ref()
    }

    /// How many times numbers began anew because of a loss.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Time of the last command, nanoseconds since the UNIX epoch.
    #[must_use]
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Generation of the port's last connection and whether it is open.
    #[must_use]
    pub fn session(&self, port: u16) -> Option<(u16, bool)> {
        let port = self.ports.get(usize::from(port))?;
        Some((port.generation, port.standing == Standing::Up))
    }

    /// The instruments listed, in the order of their places.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        let listed = self.books.iter().filter(|book| book.listing.is_listed());
        listed.map(|book| &book.instrument)
    }

    /// What a market order's price is measured against now; 0 for nothing.
    #[must_use]
    pub fn reference_px(&self, instrument: u32) -> u32 {
        let book = self.book_of(instrument).map(|position| &self.books[usize::from(position)]);
        book.map_or(0, Book::reference)
    }

    /// The firm of a port as its last login named it, and the next number of its channel 0.
    #[must_use]
    pub fn port(&self, port: u16) -> Option<([u8; 4], u32)> {
        let firm = self.ports.get(usize::from(port))?.firm;
        Some((firm, self.marks[lane(port, 0)].saturating_add(1)))
    }

    /// The resting orders of one side of an instrument, in order of priority.
    pub fn resting(&self, instrument: u32, side: Side) -> impl Iterator<Item = Resting> + '_ {
        let book = self.book_of(instrument).map(|position| &self.books[usize::from(position)]);
        book.into_iter().flat_map(move |book| {
            book.levels(&self.store, side)
                .flat_map(|level| self.store.arena.queue(level))
                .map(|slot| self.resting_at(slot))
        })
    }

    /// The resting order that the owner of `port` calls `user_ref_num` in `channel`, and the id of
    /// its instrument.
    #[must_use]
    pub fn resting_of(&self, port: u16, channel: u8, user_ref_num: u32) -> Option<(u32, Resting)> {
        let (slot, _) = self.user_refs.get(Key { port, channel, user_ref_num })?;
        let book = &self.books[usize::from(self.store.arena.unit(slot).book)];
        Some((book.instrument.id, self.resting_at(slot)))
    }

    pub(crate) fn resting_at(&self, slot: u32) -> Resting {
        let unit = self.store.arena.unit(slot);
        Resting {
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            px: unit.px,
            open: unit.open,
            executed: unit.executed,
            user_ref_num: unit.user_ref_num,
            port: unit.port(),
            action: unit.action(),
            capacity: unit.capacity(),
            time_in_force: unit.time_in_force(),
            display: unit.display(),
            channel: self.store.arena.channel(slot),
            group: self.store.arena.group(slot),
            decremented: self.store.arena.decremented(slot),
            due_ns: self.timers.due_ns(slot).unwrap_or(0),
            entered_seq: self.store.arena.entered_seq(slot),
        }
    }

    /// Best bid and best ask of an instrument, as the public sees them.
    #[must_use]
    pub fn best(&self, instrument: u32) -> [Option<Price>; 2] {
        [Side::Bid, Side::Ask].map(|side| {
            let book = &self.books[usize::from(self.book_of(instrument)?)];
            Price::from_raw(self.store.arena.level(book.best_displayed(side)?).px)
        })
    }
}

/// A resting order as others may see it: for comparison, snapshots and hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Public reference.
    pub order_ref: u64,
    /// Price.
    pub px: u32,
    /// Open quantity.
    pub open: u32,
    /// Executed by the whole chain of replaces.
    pub executed: u32,
    /// The client's number; 0 for an order of an earlier day.
    pub user_ref_num: u32,
    /// The owner's port.
    pub port: u16,
    /// Side and kind of sale.
    pub action: Action,
    /// The broker's role; a replace inherits it.
    pub capacity: types::Capacity,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// What the public sees of it.
    pub display: Display,
    /// Channel of the client's number.
    pub channel: u8,
    /// Self-trade group; 0 for none.
    pub group: u16,
    /// Taken away by self-trade prevention from the whole chain of replaces.
    pub decremented: u32,
    /// When it expires, nanoseconds since the UNIX epoch; 0 for never.
    pub due_ns: u64,
    /// Sequence number of the command that gave it its place.
    pub entered_seq: u64,
}

/// Why an instrument cannot be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefineError {
    /// It is wrong in itself.
    Invalid(InstrumentError),
    /// The id belongs to another symbol.
    IdTaken {
        /// The id.
        id: u32,
        /// The symbol it belongs to.
        symbol: [u8; 8],
    },
    /// The symbol belongs to another id.
    SymbolTaken {
        /// The symbol.
        symbol: [u8; 8],
        /// The id it belongs to.
        id: u32,
    },
    /// All locate codes of the day were given.
    NoLocate,
    /// The table is full.
    Full {
        /// Its size.
        instruments_max: u16,
    },
}

impl core::fmt::Display for DefineError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::IdTaken { id, symbol } => {
                write!(f, "id {id} belongs to {} for ever", symbol.trim_ascii().escape_ascii())
            }
            Self::SymbolTaken { symbol, id } => {
                let symbol = symbol.trim_ascii().escape_ascii();
                write!(f, "symbol {symbol} belongs to id {id} for ever")
            }
            Self::NoLocate => write!(f, "all locate codes of the day are given"),
            Self::Full { instruments_max } => {
                write!(f, "the venue holds {instruments_max} instruments already")
            }
        }
    }
}

impl core::error::Error for DefineError {}

impl From<Reject> for u16 {
    fn from(reject: Reject) -> Self {
        reject as Self
    }
}
