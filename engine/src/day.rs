//! The trading day: how one ends and the next begins.

use crate::{
    command::DayRoll,
    engine::{Engine, RollStage, Standing, Work},
    event::{Day, Directory, Event, Head, Sink, Trading},
    reject::CancelReason,
    types::Action,
};

/// Events of a system event or of one listing.
const LISTING_EVENTS: usize = 2;

impl Engine {
    /// Notes what is to expire, in entry order; the stages follow step by step.
    pub(crate) fn begin_roll(&mut self, roll: DayRoll) {
        let mut slots = core::mem::take(&mut self.scratch);
        self.store.arena.live_orders(&mut slots);
        self.scratch = slots;
        self.next_day = roll;
        let stage = if self.day.is_some() { RollStage::Expire } else { RollStage::CloseFeed };
        self.work = Work::Roll { stage, next: 0 };
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
                    self.cancel_resting(self.scratch[at], CancelReason::Closed, sink);
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
                for position in next..end {
                    self.list(position, sink);
                }
                advance(stage, RollStage::OpenFeed, end, self.books.len())
            }
            RollStage::OpenFeed => {
                for code in *b"SQ" {
                    self.system(0, code, sink);
                }
                Work::Idle
            }
        }
    }

    fn close_port(&mut self, number: usize, sink: &mut impl Sink) {
        let port = &mut self.ports[number];
        let had_begun = port.standing != Standing::Absent;
        port.standing = Standing::Absent;
        port.user_ref_mark = 0;
        port.is_disabled = false;
        if had_begun {
            self.system(u16::try_from(number).unwrap_or(0), b'E', sink);
        }
    }

    /// Ends the feed's day, restarts every counter and opens the next day's streams.
    fn turn_over(&mut self, sink: &mut impl Sink) {
        if self.day.is_some() {
            for code in *b"MEC" {
                self.system(0, code, sink);
            }
        }
        let day = self.next_day;
        self.store.arena.begin_day();
        self.user_refs.begin_day();
        self.match_count = 0;
        self.day = Some(day);
        sink.push(Event::day(Day {
            head: Head::new(0, 0, Action::Buy, self.now_ns),
            midnight_ns: day.midnight_ns(),
            date: day.date,
            session: day.session,
            pad: [0; 26],
        }));
        self.system(0, b'O', sink);
    }

    /// Lists an instrument; locate codes follow the positions, so they start at 1 each day.
    pub(crate) fn list(&self, position: usize, sink: &mut impl Sink) {
        let instrument = &self.books[position].instrument;
        let head = Head::new(0, 0, Action::Buy, self.now_ns);
        sink.push(Event::directory(Directory {
            head,
            symbol: instrument.symbol,
            instrument: instrument.id,
            lot: instrument.lot,
            locate: u16::try_from(position + 1).unwrap_or(0),
            price_decimals: instrument.price_decimals,
            qty_decimals: instrument.qty_decimals,
            pad: [0; 28],
        }));
        sink.push(Event::trading(Trading {
            head,
            instrument: instrument.id,
            state: b'T',
            pad: [0; 43],
        }));
    }
}

fn advance(stage: RollStage, then: RollStage, end: usize, len: usize) -> Work {
    if end < len { Work::Roll { stage, next: end } } else { Work::Roll { stage: then, next: 0 } }
}
