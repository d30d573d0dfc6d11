//! The three loops of the split layout.

use std::sync::Arc;

use mio::{Events, Poll, Token};
use rtrb::Consumer;

use super::{
    Common, FIRST_CONNECTION, Left, ROOM_POLL, ReactorError, RoomWatch, WAKER, slew, time_left,
};
use crate::{
    clock::Clock,
    core_loop::{Core, Turn},
    doors::Doors,
    outbound::Outbound,
    publisher::Publisher,
    ring::Slot,
    room::SpaceWatch,
    waiting::{Alarm, Pause, Rounds, Waiter, pause},
};

/// Rounds between two looks at the sockets of a publisher that does not sleep: a socket that has
/// room again is no hurry, and a look costs as much as a write of some hundred bytes.
const ROUNDS_PER_LOOK: u32 = 16;

/// The thread of the gateway: reads sockets, fills the ring.
#[derive(Debug)]
pub(crate) struct GatewayLoop {
    pub(crate) poll: Poll,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) doors: Doors,
    pub(crate) core: Arc<Alarm>,
    pub(crate) publisher: Arc<Alarm>,
    pub(crate) clock: Clock,
    pub(crate) waiter: Waiter,
    pub(crate) common: Common,
}

impl GatewayLoop {
    pub(crate) fn run(mut self) -> (Left, Result<(), ReactorError>) {
        let result = self.rounds();
        self.common.ended(&result);
        (Left::default(), result)
    }

    fn rounds(&mut self) -> Result<(), ReactorError> {
        let mut events = Events::with_capacity(1_024);
        let mut rounds = Rounds::default();
        loop {
            let Self { poll, alarm, doors, waiter, .. } = self;
            let now_ns = self.clock.now_ns();
            let has_work = || doors.has_work(now_ns / 1_000_000);
            let how = if has_work() { Pause::None } else { waiter.idle(now_ns) };
            pause(poll, &mut events, alarm, how, waiter.sleep_max(), has_work)?;
            if self.common.is_asked_to_stop() {
                return Ok(());
            }
            let now_ns = self.clock.now_ns();
            let millis = now_ns / 1_000_000;
            for event in &events {
                match event.token() {
                    Token(WAKER) => {}
                    Token(token) if token < FIRST_CONNECTION => self.doors.note_knock(token),
                    Token(token) => self.doors.note_readable(token - FIRST_CONNECTION, event),
                }
            }
            let was_active = self.doors.round(self.poll.registry(), millis);
            if was_active {
                self.core.ring();
                self.publisher.ring();
                self.waiter.note_work(self.clock.now_ns());
            }
            if rounds.is_due(millis) {
                self.doors.keep_house(millis);
            }
        }
    }
}

/// The thread of the core: empties the ring, journals, matches.
#[derive(Debug)]
pub(crate) struct CoreLoop {
    /// It watches nothing but the alarm, and is looked at in sleep alone.
    pub(crate) poll: Poll,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) core: Core,
    pub(crate) consumer: Consumer<Slot>,
    pub(crate) outbound: Outbound,
    pub(crate) gateway: Arc<Alarm>,
    pub(crate) publisher: Arc<Alarm>,
    pub(crate) clock: Clock,
    pub(crate) waiter: Waiter,
    pub(crate) common: Common,
}

impl CoreLoop {
    pub(crate) fn run(mut self) -> (Left, Result<(), ReactorError>) {
        let result = self.rounds();
        self.common.ended(&result);
        (Left { core: Some(self.core), delay: None }, result)
    }

    fn rounds(&mut self) -> Result<(), ReactorError> {
        let mut events = Events::with_capacity(4);
        let mut rounds = Rounds::default();
        let mut room = RoomWatch::default();
        let mut space = SpaceWatch::default();
        loop {
            if self.common.is_asked_to_stop() {
                return Ok(());
            }
            let now_ns = self.clock.now_ns();
            let before = (self.core.seq(), self.outbound.pushed(), self.core.room_told());
            let turn = self.core.turn(now_ns, &mut self.consumer, &mut self.outbound)?;
            if before != (self.core.seq(), self.outbound.pushed(), self.core.room_told()) {
                // There are events for the one and room for the other.
                self.publisher.ring();
                self.gateway.ring();
                self.waiter.note_work(now_ns);
            }
            room.note(turn, &self.common.notices);
            if space.note(&self.core, &self.common.notices) {
                // Orders that had no room may enter now.
                self.gateway.ring();
            }
            let millis = now_ns / 1_000_000;
            if rounds.is_due(millis) {
                slew(&mut self.clock, &self.common.notices);
                self.core.check()?;
            }
            self.wait(&mut events, turn, now_ns)?;
        }
    }

    fn wait(&mut self, events: &mut Events, turn: Turn, now_ns: u64) -> Result<(), ReactorError> {
        let Self { poll, alarm, core, consumer, outbound, waiter, .. } = self;
        let mut longest = time_left(core, turn, now_ns).min(waiter.sleep_max());
        let how = match turn {
            Turn::More => return Ok(()),
            Turn::Blocked => {
                longest = ROOM_POLL;
                Pause::Park
            }
            Turn::Idle | Turn::Held | Turn::Full => waiter.idle(now_ns),
        };
        match how {
            Pause::None => std::hint::spin_loop(),
            Pause::Yield => std::thread::yield_now(),
            Pause::Park => {
                let has_work = || turn != Turn::Blocked && core.has_work(consumer, outbound);
                pause(poll, events, alarm, how, longest, has_work)?;
            }
        }
        Ok(())
    }
}

/// The thread of the publisher: writes streams, sends them.
#[derive(Debug)]
pub(crate) struct PublisherLoop {
    pub(crate) poll: Poll,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) publisher: Publisher,
    pub(crate) gateway: Arc<Alarm>,
    pub(crate) core: Arc<Alarm>,
    pub(crate) clock: Clock,
    pub(crate) waiter: Waiter,
    pub(crate) common: Common,
}

impl PublisherLoop {
    pub(crate) fn run(mut self) -> (Left, Result<(), ReactorError>) {
        let result = self.rounds();
        self.common.ended(&result);
        (Left { core: None, delay: Some(self.publisher.delay()) }, result)
    }

    fn rounds(&mut self) -> Result<(), ReactorError> {
        let mut events = Events::with_capacity(1_024);
        let mut rounds = Rounds::default();
        let mut round = 0_u32;
        loop {
            self.wait(&mut events, round)?;
            round = round.wrapping_add(1);
            if self.common.is_asked_to_stop() {
                return Ok(());
            }
            let now_ns = self.clock.now_ns();
            let millis = now_ns / 1_000_000;
            for event in &events {
                if let Token(token) = event.token()
                    && FIRST_CONNECTION <= token
                {
                    self.publisher.note_writable(token - FIRST_CONNECTION);
                }
            }
            let was_active = self.publisher.round(&self.clock, millis)?;
            let is_due = rounds.is_due(millis);
            if is_due {
                self.publisher.keep_house(millis);
            }
            if was_active || is_due {
                // There may be answers for the one and room for the other.
                self.gateway.ring();
                self.core.ring();
            }
            if was_active {
                self.waiter.note_work(self.clock.now_ns());
            }
        }
    }

    fn wait(&mut self, events: &mut Events, round: u32) -> Result<(), ReactorError> {
        let Self { poll, alarm, publisher, waiter, .. } = self;
        let how = if publisher.has_work() { Pause::None } else { waiter.idle(self.clock.now_ns()) };
        let is_awake = how == Pause::None;
        if is_awake && !round.is_multiple_of(ROUNDS_PER_LOOK) {
            events.clear();
            return Ok(());
        }
        Ok(pause(poll, events, alarm, how, waiter.sleep_max(), || publisher.has_work())?)
    }
}
