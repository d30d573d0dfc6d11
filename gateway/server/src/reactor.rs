//! The loops: one thread that does everything, or three that each do their part.
//!
//! A round does, in this order: sockets that are ready, what the publisher told, logins that were
//! answered, frames into the ring, one turn of the core, events into streams, streams into
//! sockets, deadlines. On one thread that is one loop; on three (`split`) each has its part of it
//! and rings the alarm of the next one.

mod split;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mio::{Events, Poll, Token};
use rtrb::Consumer;

pub(crate) use self::split::{CoreLoop, GatewayLoop, PublisherLoop};
use crate::{
    clock::Clock,
    core_loop::{Core, CoreError, Turn},
    desk::Pulse,
    doors::Doors,
    notice::{Notice, Notices},
    outbound::Outbound,
    publisher::{Delay, Publisher},
    ring::Slot,
    room::SpaceWatch,
    waiting::{Alarm, Pause, Rounds, Waiter, pause},
};

/// Token of the waker; below it are the listeners.
pub(crate) const WAKER: usize = 2;
/// Token of the first connection.
pub(crate) const FIRST_CONNECTION: usize = 16;
/// Longest sleep while the journal has no room for the next record, which nobody announces.
const ROOM_POLL: Duration = Duration::from_millis(1);

/// Why a loop ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    /// The core cannot go on.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Polling, or the file of a stream, failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a loop leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Of the loop that ran the core.
    pub(crate) core: Option<Core>,
    /// Of the loop that ran the publisher.
    pub(crate) delay: Option<Delay>,
}

/// What all loops of a venue share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) should_stop: Arc<AtomicBool>,
    /// Of every loop, to end them all.
    pub(crate) alarms: Vec<Arc<Alarm>>,
    pub(crate) notices: Notices,
    pub(crate) pulse: Arc<Pulse>,
}

impl Common {
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        // Relaxed: the flag carries no data, and the loops read it again soon.
        self.should_stop.load(Ordering::Relaxed)
    }

    /// Ends every loop.
    pub(crate) fn stop(&self) {
        // Relaxed: as above.
        self.should_stop.store(true, Ordering::Relaxed);
        self.pulse.stop();
        for alarm in &self.alarms {
            alarm.wake();
        }
    }

    /// A loop has ended: so must the others. Tells why, once, when it was not asked to.
    fn ended(&self, result: &Result<(), ReactorError>) {
        if let Err(error) = result {
            self.notices.put(match error {
                ReactorError::Core(error) => Notice::Failed(error.clone()),
                ReactorError::Io(error) => Notice::Io(error.to_string()),
            });
        }
        self.stop();
    }
}

/// Says once when the journal has no room for the next record, and once when it has again.
#[derive(Debug, Default)]
struct RoomWatch {
    is_waiting: bool,
}

impl RoomWatch {
    fn note(&mut self, turn: Turn, notices: &Notices) {
        let is_waiting = turn == Turn::Blocked;
        if self.is_waiting != is_waiting {
            self.is_waiting = is_waiting;
            notices.put(Notice::JournalRoom { is_waiting });
        }
    }
}

/// How long the core may sleep for what the clock brings. While it may not go on, what is due by
/// time waits like everything else.
fn time_left(core: &Core, turn: Turn, now_ns: u64) -> Duration {
    match turn {
        Turn::Held | Turn::Full => Duration::MAX,
        Turn::Idle | Turn::More | Turn::Blocked => {
            Duration::from_nanos(core.due_ns().saturating_sub(now_ns))
        }
    }
}

/// Runs the clock's housekeeping, and says once when the wall clock runs away from it.
fn slew(clock: &mut Clock, notices: &Notices) {
    if let Some(error_ns) = clock.slew() {
        notices.put(Notice::ClockOff { error_ns });
    }
}

/// Everything one thread runs.
#[derive(Debug)]
pub(crate) struct Reactor {
    pub(crate) poll: Poll,
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) doors: Doors,
    pub(crate) core: Core,
    pub(crate) consumer: Consumer<Slot>,
    pub(crate) outbound: Outbound,
    pub(crate) publisher: Publisher,
    pub(crate) clock: Clock,
    pub(crate) waiter: Waiter,
    pub(crate) common: Common,
}

impl Reactor {
    /// Runs until asked to stop or until something fails; gives the core back for its last words.
    pub(crate) fn run(mut self) -> (Left, Result<(), ReactorError>) {
        let result = self.rounds();
        self.common.ended(&result);
        (Left { core: Some(self.core), delay: Some(self.publisher.delay()) }, result)
    }

    fn rounds(&mut self) -> Result<(), ReactorError> {
        let mut events = Events::with_capacity(1_024);
        let mut rounds = Rounds::default();
        let mut room = RoomWatch::default();
        let mut space = SpaceWatch::default();
        let mut turn = Turn::Idle;
        loop {
            self.wait(&mut events, turn)?;
            if self.common.is_asked_to_stop() {
                return Ok(());
            }
            let now_ns = self.clock.now_ns();
            let millis = now_ns / 1_000_000;
            self.take_ready(&events);
            let has_read = self.doors.round(self.poll.registry(), millis);
            turn = self.core.turn(now_ns, &mut self.consumer, &mut self.outbound)?;
            let has_sent = self.publisher.round(&self.clock, millis)?;
            if has_read || has_sent || turn == Turn::More || !events.is_empty() {
                self.waiter.note_work(self.clock.now_ns());
            }
            room.note(turn, &self.common.notices);
            let _has_changed = space.note(&self.core, &self.common.notices);
            if rounds.is_due(millis) {
                slew(&mut self.clock, &self.common.notices);
                self.core.check()?;
                self.doors.keep_house(millis);
                self.publisher.keep_house(millis);
            }
        }
    }

    /// Waits for the next round: not at all while there is work, less and less eagerly then.
    fn wait(&mut self, events: &mut Events, turn: Turn) -> io::Result<()> {
        let Self { poll, alarm, doors, core, consumer, outbound, publisher, .. } = self;
        let now_ns = self.clock.now_ns();
        let millis = now_ns / 1_000_000;
        let is_blocked = turn == Turn::Blocked;
        let mut has_work = || {
            doors.has_work(millis)
                || publisher.has_work()
                || !is_blocked && core.has_work(consumer, outbound)
        };
        let longest = match turn {
            Turn::Blocked => ROOM_POLL,
            _ => time_left(core, turn, now_ns).min(self.waiter.sleep_max()),
        };
        let how = match turn {
            Turn::More => Pause::None,
            // The reader goes on while the ring has room, the publisher while events may leave.
            _ if has_work() => Pause::None,
            Turn::Blocked => Pause::Park,
            Turn::Idle | Turn::Held | Turn::Full => self.waiter.idle(now_ns),
        };
        pause(poll, events, alarm, how, longest, has_work)
    }

    /// Notes what the poll found.
    fn take_ready(&mut self, events: &Events) {
        for event in events {
            let Token(token) = event.token();
            match token {
                WAKER => {}
                token if token < FIRST_CONNECTION => self.doors.note_knock(token),
                token => {
                    let id = token - FIRST_CONNECTION;
                    self.doors.note_readable(id, event);
                    if event.is_writable() {
                        self.publisher.note_writable(id);
                    }
                }
            }
        }
    }
}
