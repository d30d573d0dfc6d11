//! The state machine: one command in, events out.
//!
//! [`Engine::begin`] starts a command and [`Engine::resume`] goes on with it until it is
//! [`Progress::Done`]; each call writes at most [`STEP_EVENTS_MAX`] events. Neighbours in the flow:
//! the core loop sequences, journals and calls; egress and feed read the events.

use crate::{
    arena::Arena,
    book::{Book, Store},
    command::{Command, DayRoll, SessionUp, Source},
    event::{Event, Head, Notice, Rejected, Sink, System},
    instrument::{Instrument, InstrumentError},
    ladder::Nodes,
    limits::{Capacity, INSTRUMENTS_MAX, STEP_EVENTS_MAX, USER_REF_JUMP_MAX},
    reject::Reject,
    timers::Timers,
    types::{self, Action, Origin, Price, Side},
    user_refs::UserRefs,
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
    /// The taker at `slot` goes on trading.
    Sweep {
        slot: u32,
    },
    /// Orders whose time has come end.
    Expire,
    /// The orders in `scratch` from `next` on are cancelled.
    CancelAll {
        next: usize,
    },
    /// A day ends and the next begins.
    Roll {
        stage: RollStage,
        next: usize,
    },
}

/// Where a day roll stands; `next` counts within the stage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RollStage {
    Expire,
    ClosePorts,
    CloseFeed,
    List,
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
    /// Highest number used today.
    pub(crate) user_ref_mark: u32,
    pub(crate) firm: [u8; 4],
    /// Orders of it that rest.
    pub(crate) live_orders: u32,
    /// It lets no new orders in.
    pub(crate) is_disabled: bool,
}

/// The matching engine of one shard.
#[derive(Debug)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) user_refs: UserRefs,
    pub(crate) timers: Timers,
    pub(crate) books: Vec<Book>,
    /// Instrument id to position in `books`; `u16::MAX` for none.
    positions: Vec<u16>,
    /// By port number; entry 0 is never used.
    pub(crate) ports: Vec<Port>,
    pub(crate) origin: Origin,
    pub(crate) match_count: u64,
    pub(crate) day: Option<DayRoll>,
    /// The day that a running [`Work::Roll`] opens.
    pub(crate) next_day: DayRoll,
    pub(crate) now_ns: u64,
    pub(crate) seq: u64,
    pub(crate) work: Work,
    /// Slots a mass cancel has still to visit.
    pub(crate) scratch: Vec<u32>,
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
            user_ref_mark: 0,
            firm: [b' '; 4],
            live_orders: 0,
            is_disabled: false,
        };
        Self {
            store: Store {
                arena: Arena::new(capacity.orders, capacity.levels),
                nodes: Nodes::new(capacity.nodes),
            },
            user_refs: UserRefs::new(&capacity),
            timers: Timers::new(capacity.orders),
            books: Vec::with_capacity(usize::from(capacity.instruments)),
            positions: vec![u16::MAX; usize::from(INSTRUMENTS_MAX) + 1],
            ports: vec![port; usize::from(capacity.ports) + 1],
            origin: Origin::new(0, 0),
            match_count: 0,
            day: None,
            next_day: DayRoll { date: 0, utc_offset_s: 0, session: [b' '; 10] },
            now_ns: 0,
            seq: 0,
            work: Work::Idle,
            scratch: Vec::with_capacity(capacity.orders as usize),
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
            Command::Enter(enter) => self.enter(enter, sink),
            Command::Replace(replace) => self.replace(replace, sink),
            Command::Cancel(cancel) => self.cancel(cancel, sink),
            Command::Modify(modify) => self.modify(modify, sink),
            Command::MassCancel(request) => self.mass_cancel(request, sink),
            Command::EntrySwitch(request) => self.switch_entry(request, sink),
            Command::AccountQuery(source) => self.account_query(*source, sink),
            Command::Refuse(refuse) => {
                if self.is_current(refuse.source) {
                    let Source { port, .. } = refuse.source;
                    match self.number(port, refuse.user_ref_num) {
                        Number::Old => return Progress::Done,
                        Number::Wild => {}
                        Number::Fresh => self.consume(port, refuse.user_ref_num),
                    }
                    let text = refuse.client_order_id;
                    self.reject(port, refuse.user_ref_num, refuse.reason, text, sink);
                }
            }
            Command::Tick => self.work = Work::Expire,
            Command::SessionUp(up) => self.session_up(*up, sink),
            Command::SessionDown(source) => {
                if self.is_current(*source) {
                    self.ports[usize::from(source.port)].standing = Standing::Down;
                }
            }
            Command::Define(instrument) => self.define(*instrument, sink),
            Command::DayRoll(roll) => self.begin_roll(*roll),
        }
        self.go_on(STEP_EVENTS_MAX / 2, sink)
    }

    /// Goes on with a command that is not done.
    pub fn resume(&mut self, sink: &mut impl Sink) -> Progress {
        self.go_on(STEP_EVENTS_MAX, sink)
    }

    fn go_on(&mut self, room: usize, sink: &mut impl Sink) -> Progress {
        self.work = match self.work {
            Work::Idle => Work::Idle,
            Work::Sweep { slot } => self.sweep(slot, room, sink),
            Work::Expire => self.expire(room, sink),
            Work::CancelAll { next } => self.cancel_all(next, room, sink),
            Work::Roll { stage, next } => self.roll(stage, next, room, sink),
        };
        match self.work {
            Work::Idle => Progress::Done,
            Work::Sweep { .. } | Work::Expire | Work::CancelAll { .. } | Work::Roll { .. } => {
                Progress::More
            }
        }
    }

    /// Whether a listing would be accepted.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_define(&self, instrument: &Instrument) -> Result<(), DefineError> {
        instrument.check().map_err(DefineError::Invalid)?;
        if let Some(book) = self.book_of(instrument.id) {
            let known = &self.books[usize::from(book)].instrument;
            return Err(DefineError::Known(*known));
        }
        if usize::from(self.capacity.instruments) <= self.books.len() {
            return Err(DefineError::Full { instruments_max: self.capacity.instruments });
        }
        if self.books.iter().any(|book| book.instrument.symbol == instrument.symbol) {
            return Err(DefineError::SymbolTaken(instrument.symbol));
        }
        Ok(())
    }

    fn define(&mut self, instrument: Instrument, sink: &mut impl Sink) {
        if self.check_define(&instrument).is_err() {
            return;
        }
        let position = self.books.len();
        self.positions[instrument.id as usize] = u16::try_from(position).unwrap_or(u16::MAX);
        self.books.push(Book::new(instrument));
        if self.day.is_some() {
            self.list(position, sink);
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

    pub(crate) fn number(&self, port: u16, user_ref_num: u32) -> Number {
        let mark = self.ports[usize::from(port)].user_ref_mark;
        if user_ref_num <= mark {
            Number::Old
        } else if USER_REF_JUMP_MAX < user_ref_num - mark {
            Number::Wild
        } else {
            Number::Fresh
        }
    }

    pub(crate) fn consume(&mut self, port: u16, user_ref_num: u32) {
        self.ports[usize::from(port)].user_ref_mark = user_ref_num;
    }

    pub(crate) fn reject(
        &self,
        port: u16,
        user_ref_num: u32,
        reason: u16,
        client_order_id: [u8; 14],
        sink: &mut impl Sink,
    ) {
        let head = Head::new(port, user_ref_num, Action::Buy, self.now_ns);
        sink.push(Event::rejected(Rejected { head, reason, client_order_id, pad: [0; 32] }));
    }

    fn account_query(&self, source: Source, sink: &mut impl Sink) {
        if self.is_current(source) {
            let mark = self.ports[usize::from(source.port)].user_ref_mark;
            let next = if source.channel == 0 { mark.saturating_add(1) } else { 1 };
            let head = Head::new(source.port, next, Action::Buy, self.now_ns);
            sink.push(Event::account(Notice { head, pad: [0; 48] }));
        }
    }

    fn session_up(&mut self, up: SessionUp, sink: &mut impl Sink) {
        if self.day.is_none_or(|day| day.session != up.session) {
            return;
        }
        let Some(port) = self.ports.get_mut(usize::from(up.source.port)) else {
            return;
        };
        let before = port.standing;
        port.generation = up.source.generation;
        port.standing = Standing::Up;
        port.firm = up.firm;
        if before == Standing::Absent {
            self.system(up.source.port, b'S', sink);
        }
    }

    /// Tells `port`, or the feed when it is 0, of a system event.
    pub(crate) fn system(&self, port: u16, code: u8, sink: &mut impl Sink) {
        let head = Head::new(port, 0, Action::Buy, self.now_ns);
        sink.push(Event::system(System { head, code, pad: [0; 47] }));
    }

    /// The day that is open, if one is.
    #[must_use]
    pub const fn day(&self) -> Option<&DayRoll> {
        self.day.as_ref()
    }

    /// When the next order expires, nanoseconds since the UNIX epoch.
    #[must_use]
    #[inline]
    pub fn due_ns(&self) -> Option<u64> {
        self.timers.next().map(|(due_ns, _)| due_ns)
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

    /// The instruments listed, in the order in which they were.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.books.iter().map(|book| &book.instrument)
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

    fn resting_at(&self, slot: u32) -> Resting {
        let unit = self.store.arena.unit(slot);
        Resting {
            order_ref: self.store.arena.order_ref(self.origin, slot).raw(),
            px: unit.px,
            open: unit.open,
            executed: unit.executed,
            user_ref_num: unit.user_ref_num,
            port: unit.port,
            action: unit.action(),
            capacity: unit.capacity(),
            due_ns: self.timers.due_ns(slot).unwrap_or(0),
            entered_seq: self.store.arena.entered_seq(slot),
        }
    }

    /// Best bid and best ask of an instrument.
    #[must_use]
    pub fn best(&self, instrument: u32) -> [Option<Price>; 2] {
        [Side::Bid, Side::Ask].map(|side| {
            let book = &self.books[usize::from(self.book_of(instrument)?)];
            Price::from_raw(self.store.arena.unit(book.best(side)?).px)
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
    /// The client's number.
    pub user_ref_num: u32,
    /// The owner's port.
    pub port: u16,
    /// Side and kind of sale.
    pub action: Action,
    /// The broker's role; a replace inherits it.
    pub capacity: types::Capacity,
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
    /// The id is listed already, with these values.
    Known(Instrument),
    /// Another instrument has this symbol.
    SymbolTaken([u8; 8]),
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
            Self::Known(known) => write!(f, "id {} is listed already: {known:?}", known.id),
            Self::SymbolTaken(symbol) => {
                write!(f, "symbol {} is listed already", symbol.escape_ascii())
            }
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
