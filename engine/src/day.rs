//! The trading day: how one ends and the next begins, and how numbers begin anew within one.

use crate::{
    book::{Book, Listing},
    command::{DayRoll, Epoch},
    engine::{Engine, RollStage, Standing, Work},
    event::{Day, Directory, Event, Head, Restated, Sink},
    reject::CancelReason,
    types::{Action, Origin, TimeInForce},
    user_refs::lane,
};

/// Events of one listing.
const LISTING_EVENTS: usize = 2;
/// Events of a standing order in a new session: a start of day, a report, its place on the feed.
const STANDING_EVENTS: usize = 3;
/// The shard this engine is: there is one.
pub(crate) const SHARD: u8 = 0;

impl Engine {
    /// Notes what is to expire, in entry order; the stages follow step by step.
    pub(crate) fn begin_roll(&mut self, roll: DayRoll) {
        self.gather_all();
        self.lifted.clear();
        self.next_day = roll;
        let stage = if self.day.is_some() { RollStage::Expire } else { RollStage::CloseFeed };
        self.work = Work::Roll { stage, next: 0 };
    }

    /// Begins new series of references, match numbers and streams, and says again what stands.
    pub(crate) fn begin_epoch(&mut self, epoch: Epoch, sink: &mut impl Sink) {
        self.origin = Origin::new(SHARD, epoch.epoch);
        self.epoch = epoch.epoch;
        let Some(mut day) = self.day else {
            return;
        };
        day.session = epoch.session;
        for port in &mut self.ports {
            port.standing = Standing::Absent;
        }
        self.gather_all();
        self.open_streams(day, sink);
        self.work = Work::Roll { stage: RollStage::List, next: 0 };
    }

    pub(crate) fn gather_all(&mut self) {
        let mut slots = core::mem::take(&mut self.scratch);
        self.store.arena.live_orders(&mut slots);
        self.scratch = slots;
    }

    pub(crate) fn roll(
        &mut self,
        stage: RollStage,
        next: usize,
        room: usize,
        sink: &mut impl Sink,
    ) -> Work {
        match stage {
            RollStage::Expire => {
                let end = self.scratch.len().min(next + room);
                for at in next..end {
                    self.end_day_of(self.scratch[at], sink);
                }
                advance(stage, RollStage::Lift, end, self.scratch.len())
            }
            RollStage::Lift => {
                let end = self.scratch.len().min(next + room);
                for at in next..end {
                    self.lift(self.scratch[at]);
                }
                advance(stage, RollStage::Change, end, self.scratch.len())
            }
            RollStage::Change => {
                self.change_instruments();
                Work::Roll { stage: RollStage::Settle, next: 0 }
            }
            RollStage::Settle => {
                let end = self.lifted.len().min(next + room);
                for at in next..end {
                    self.settle(self.lifted[at], sink);
                }
                advance(stage, RollStage::Carry, end, self.lifted.len())
            }
            RollStage::Carry => {
                let end = self.scratch.len().min(next + room);
                for at in next..end {
                    self.carry(self.scratch[at]);
                }
                advance(stage, RollStage::ClosePorts, end, self.scratch.len())
            }
            RollStage::ClosePorts => {
                let end = self.ports.len().min(next + room);
                for number in next..end {
                    self.close_port(number, sink);
                }
                advance(stage, RollStage::CloseFeed, end, self.ports.len())
            }
            RollStage::CloseFeed => {
                self.turn_over(sink);
                Work::Roll { stage: RollStage::List, next: 0 }
            }
            RollStage::List => {
                let end = self.books.len().min(next + room / LISTING_EVENTS);
                for position in (next..end).filter(|&at| self.books[at].listing.is_listed()) {
                    self.list(position, sink);
                }
                advance(stage, RollStage::Announce, end, self.books.len())
            }
            RollStage::Announce => {
                let end = self.scratch.len().min(next + room / STANDING_EVENTS);
                for at in next..end {
                    self.announce(self.scratch[at], sink);
                }
                advance(stage, RollStage::OpenFeed, end, self.scratch.len())
            }
            RollStage::OpenFeed => {
                for code in *b"SQ" {
                    self.system(0, code, sink);
                }
                Work::Idle
            }
        }
    }

    /// Ends an order with the day, unless it stands for longer and conforms to what comes.
    fn end_day_of(&mut self, slot: u32, sink: &mut impl Sink) {
        if self.store.arena.unit(slot).time_in_force() != TimeInForce::GoodTillCancel {
            return self.cancel_resting(slot, CancelReason::Closed, sink);
        }
        if !self.conforms(slot) {
            self.cancel_resting(slot, CancelReason::Supervisory, sink);
        }
    }

    /// Takes its number away from an order that outlives the day.
    fn carry(&mut self, slot: u32) {
        let is_live = 0 < self.store.arena.unit(slot).open;
        if let Some(key) = self.key(slot).filter(|_| is_live) {
            self.user_refs.clear(key);
            self.store.arena.unit_mut(slot).user_ref_num = 0;
        }
    }

    /// Whether an order may stand in its instrument as that is from the next day on.
    fn conforms(&self, slot: u32) -> bool {
        let unit = self.store.arena.unit(slot);
        let book = &self.books[usize::from(unit.book)];
        book.next.is_none_or(|next| next.admits(&book.instrument, unit.px, unit.open))
    }

    /// Takes an order that still stands off its level when its instrument gets another tick.
    fn lift(&mut self, slot: u32) {
        let unit = self.store.arena.unit(slot);
        let (side, at) = (unit.action().side(), usize::from(unit.book));
        if 0 < unit.open && self.books[at].is_to_move() {
            self.books[at].remove(&mut self.store, side, slot);
            self.lifted.push(slot);
        }
    }

    fn change_instruments(&mut self) {
        for book in &mut self.books {
            if let Some(next) = book.next {
                book.change(next);
            }
        }
    }

    /// Puts a lifted order on its level again, which gets its orders in entry order, so in that
    /// of their queue. Levels under another tick may need memory that there is not: an order for
    /// which a level would have to be made then ends.
    fn settle(&mut self, slot: u32, sink: &mut impl Sink) {
        let unit = *self.store.arena.unit(slot);
        let (book, side) = (&mut self.books[usize::from(unit.book)], unit.action().side());
        if book.has_level(&self.store, side, slot) || self.store.has_room() {
            return book.rest(&mut self.store, side, slot, unit.px);
        }
        let shown = self.shown(slot);
        self.tell_canceled(slot, unit.open, CancelReason::Supervisory, shown, sink);
        if let Some(key) = self.key(slot) {
            self.user_refs.clear(key);
        }
        self.ports[usize::from(unit.port())].live_orders -= 1;
        self.store.arena.free_order(slot);
    }

    /// Says of a standing order what its owner and the feed must know in a new session.
    fn announce(&mut self, slot: u32, sink: &mut impl Sink) {
        let unit = *self.store.arena.unit(slot);
        let port = &mut self.ports[usize::from(unit.port())];
        if port.standing == Standing::Absent {
            port.standing = Standing::Down;
            self.system(unit.port(), b'S', sink);
        }
        sink.write(Event::restated(Restated {
            head: self.head(slot),
            order_ref: self.order_ref(slot),
            instrument: self.books[usize::from(unit.book)].instrument.id,
            px: unit.px,
            open: unit.open,
            channel: self.store.arena.channel(slot),
            pad: [0; 27],
        }));
        self.tell_rested(slot, sink);
    }

    fn close_port(&mut self, number: usize, sink: &mut impl Sink) {
        let Ok(number) = u16::try_from(number) else { return };
        let port = &mut self.ports[usize::from(number)];
        let before = port.standing;
        port.standing = Standing::Absent;
        port.is_disabled = false;
        let first = lane(number, 0);
        self.marks[first..=lane(number, u8::MAX)].fill(0);
        if before == Standing::Up {
            self.begin_grace(number);
        }
        if before != Standing::Absent {
            self.system(number, b'E', sink);
        }
    }

    /// Notes which orders of the day before still stand, for all and for each port.
    fn note_carried(&mut self) {
        let arena = &self.store.arena;
        self.scratch.retain(|&slot| 0 < arena.unit(slot).open);
        self.carried.clear();
        self.carried.extend_from_slice(&self.scratch);
        let port_of = |slot: &u32| arena.unit(*slot).port();
        self.carried.sort_unstable_by_key(|slot| (port_of(slot), arena.entered_seq(*slot)));
        for (port, end) in (0_u16..).zip(&mut self.carried_ends) {
            let count = self.carried.partition_point(|slot| port_of(slot) <= port);
            *end = u32::try_from(count).unwrap_or(u32::MAX);
        }
    }

    /// Ends the feed's day, restarts every counter and opens the next day's streams.
    fn turn_over(&mut self, sink: &mut impl Sink) {
        if self.day.is_some() {
            self.end_copies(sink);
            for code in *b"MEC" {
                self.system(0, code, sink);
            }
        }
        self.note_carried();
        self.disabled_firms.clear();
        self.store.arena.begin_day();
        self.user_refs.begin_day();
        self.match_count = 0;
        self.locates = 0;
        for book in &mut self.books {
            book.reference_px = book.reference();
            book.last_px = 0;
            if book.listing.is_listed() {
                self.locates += 1;
                book.locate = self.locates;
            } else {
                book.listing = Listing::Gone;
            }
        }
        self.open_streams(self.next_day, sink);
    }

    /// Opens the streams of `day`: drop copies, and the feed's with the start of messages.
    fn open_streams(&mut self, day: DayRoll, sink: &mut impl Sink) {
        self.day = Some(day);
        sink.write(Event::day(Day {
            head: Head::new(0, 0, Action::Buy, self.now_ns),
            midnight_ns: day.midnight_ns(),
            date: day.date,
            session: day.session,
            pad: [0; 26],
        }));
        self.begin_copies(sink);
        self.system(0, b'O', sink);
    }

    /// Lists an instrument under its locate code, and says whether it trades.
    pub(crate) fn list(&self, position: usize, sink: &mut impl Sink) {
        let Book { instrument, locate, .. } = &self.books[position];
        sink.write(Event::directory(Directory {
            head: Head::new(0, 0, Action::Buy, self.now_ns),
            symbol: instrument.symbol,
            instrument: instrument.id,
            lot: instrument.lot,
            locate: *locate,
            price_decimals: instrument.price_decimals,
            qty_decimals: instrument.qty_decimals,
            pad: [0; 28],
        }));
        self.tell_trading(position, sink);
    }
}

fn advance(stage: RollStage, then: RollStage, end: usize, len: usize) -> Work {
    if end < len { Work::Roll { stage, next: end } } else { Work::Roll { stage: then, next: 0 } }
}
