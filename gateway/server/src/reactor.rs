//! The fused loop: one thread polls sockets, fills the ring, runs the core, sends what it says.
//!
//! Each round does, in this order: sockets that are ready, logins that were answered, frames into
//! the ring, one turn of the core, events into streams, streams into sockets, deadlines.

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

use crate::{
    clock::Clock,
    core_loop::{Core, CoreError, Turn},
    doors::{Doors, FIRST_CONNECTION, WAKER},
    egress::Egress,
    limits::HOUSEKEEPING_MS,
    notice::Notice,
    outbound::Outbound,
    ring::Slot,
    room::SpaceWatch,
};

/// Why the loop ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    /// The core cannot go on.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Polling, or the file of a stream, failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Everything one thread runs.
#[derive(Debug)]
pub(crate) struct Reactor {
    pub(crate) poll: Poll,
    pub(crate) doors: Doors,
    pub(crate) core: Core,
    pub(crate) consumer: Consumer<Slot>,
    pub(crate) outbound: Outbound,
    pub(crate) egress: Egress,
    pub(crate) clock: Clock,
    pub(crate) spin: Duration,
    pub(crate) should_stop: Arc<AtomicBool>,
}

impl Reactor {
    /// Runs until asked to stop or until something fails; gives the core back for its last words.
    pub(crate) fn run(mut self) -> (Core, Result<(), ReactorError>) {
        let result = self.rounds();
        if let Err(error) = &result {
            self.doors.notices().put(match error {
                ReactorError::Core(error) => Notice::Failed(error.clone()),
                ReactorError::Io(error) => Notice::Io(error.to_string()),
            });
        }
        (self.core, result)
    }

    fn rounds(&mut self) -> Result<(), ReactorError> {
        let mut events = Events::with_capacity(1_024);
        let mut active_ns = 0;
        let mut housekeeping_ms = 0;
        let mut space = SpaceWatch::default();
        let mut turn = Turn::Idle;
        loop {
            let timeout = self.timeout(turn, active_ns);
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                Ok(()) | Err(_) => {}
            }
            // Relaxed: the flag carries no data, and the loop reads it again soon.
            if self.should_stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let now_ns = self.clock.now_ns();
            let millis = now_ns / 1_000_000;
            let was_active = self.take_ready(&events, millis);
            let was_blocked = turn == Turn::Blocked;
            turn = self.core.turn(now_ns, &mut self.consumer, &mut self.outbound)?;
            while let Some(event) = self.outbound.pop() {
                self.egress.write(&event)?;
            }
            self.doors.send(&mut self.egress.streams, millis);
            if was_active || turn != Turn::Idle {
                active_ns = self.clock.now_ns();
            }
            if was_blocked != (turn == Turn::Blocked) {
                let is_waiting = turn == Turn::Blocked;
                self.doors.notices().put(Notice::JournalRoom { is_waiting });
            }
            space.note(&self.core, self.doors.notices());
            if housekeeping_ms + HOUSEKEEPING_MS <= millis {
                housekeeping_ms = millis;
                self.clock.slew();
                self.core.check()?;
                self.doors.keep_house(&self.egress.streams, millis);
            }
        }
    }

    /// How long the poll may wait: not at all while there is work or was just now.
    fn timeout(&self, turn: Turn, active_ns: u64) -> Duration {
        let now_ns = self.clock.now_ns();
        let spin_ns = u64::try_from(self.spin.as_nanos()).unwrap_or(u64::MAX);
        match turn {
            Turn::Blocked => Duration::from_millis(1),
            Turn::More => Duration::ZERO,
            Turn::Idle if self.doors.has_work(now_ns / 1_000_000) => Duration::ZERO,
            Turn::Idle if now_ns < active_ns.saturating_add(spin_ns) => Duration::ZERO,
            Turn::Idle => {
                let due = Duration::from_nanos(self.core.due_ns().saturating_sub(now_ns));
                due.min(Duration::from_millis(HOUSEKEEPING_MS))
            }
        }
    }

    /// Notes what the poll found, then serves logins and frames. `true` when there was anything.
    fn take_ready(&mut self, events: &Events, now_ms: u64) -> bool {
        for event in events {
            let Token(token) = event.token();
            match token {
                WAKER => {}
                token if token < FIRST_CONNECTION => self.doors.note_knock(token),
                token => self.doors.note_ready(token - FIRST_CONNECTION, event),
            }
        }
        self.doors.accept(&self.poll, now_ms);
        self.doors.finish_logins(&mut self.egress.streams, now_ms);
        let read = self.doors.read(&mut self.egress.streams, now_ms);
        read || !events.is_empty()
    }
}
