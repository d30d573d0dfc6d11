//! The venue's side door: administrative acts from operators, answered once they are durable.
//!
//! [`Desk`] is held by other threads. The gateway takes acts from its `Inbox` before it reads any
//! socket and pushes them into the ring like everything else; the publisher tells the gateway of
//! their outcome when it may leave, and the gateway answers. Both queues are lock-free, so that no
//! hot thread ever waits for an operator.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use rtrb::{Consumer, Producer, RingBuffer};
use uncross_engine::{admin::ActOutcome, command::Act};
use uncross_journal::Watermark;

use crate::{
    clock::wall_ns,
    limits::{DESK_ACTS_MAX, OPERATOR_LEN_MAX},
    shadow::{Progress, Shadowed},
    waiting::Alarm,
};

/// How long [`Desk::order`] sleeps between two looks for its answer.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// An act on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) request: u64,
    pub(crate) who: [u8; OPERATOR_LEN_MAX],
    pub(crate) act: Act,
}

/// An outcome on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) request: u64,
    pub(crate) answer: Answer,
}

/// What came of an act, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sequence number of its record.
    pub seq: u64,
    /// Time of its record, nanoseconds since the UNIX epoch.
    pub time_ns: u64,
    /// What came of it.
    pub outcome: ActOutcome,
}

/// Why an act has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Who orders it has no name that fits a record.
    #[error("expected a name of 1 to {OPERATOR_LEN_MAX} printable ASCII characters, found {found}")]
    Who {
        /// The name.
        found: String,
    },
    /// The gateway has not taken earlier acts.
    #[error("{DESK_ACTS_MAX} earlier acts wait to be taken in")]
    Busy,
    /// The venue has stopped, or its journal has failed. What it had taken in may be done yet.
    #[error("the venue has stopped")]
    Stopped,
    /// No answer came in time. The act may be done yet; to order it again is harmless.
    #[error("no answer within {} ms", patience.as_millis())]
    TimedOut {
        /// How long it was waited for.
        patience: Duration,
    },
}

/// What the core says of itself, for health checks: written without locks, read at any time.
#[derive(Debug)]
pub(crate) struct Pulse {
    seq: AtomicU64,
    /// Beats are told from it by the monotonic clock: the wall clock may be set.
    since: Instant,
    beat_ns: AtomicU64,
    /// More waits for the core than its last turn took.
    is_behind: AtomicBool,
    has_stopped: AtomicBool,
    /// What the shadow says of itself.
    shadow: Progress,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            seq: AtomicU64::new(0),
            since: Instant::now(),
            beat_ns: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            has_stopped: AtomicBool::new(false),
            shadow: Progress::default(),
        }
    }
}

impl Pulse {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A turn of the core is over, and whether it left something to do.
    pub(crate) fn beat(&self, seq: u64, is_behind: bool) {
        // Relaxed: figures for people and hints; nothing else is read by them.
        self.seq.store(seq, Ordering::Relaxed);
        self.is_behind.store(is_behind, Ordering::Relaxed);
        self.beat_ns.store(self.now_ns(), Ordering::Relaxed);
    }

    /// Whether the core has more to do than one turn takes.
    pub(crate) fn is_behind(&self) -> bool {
        // Relaxed: a hint.
        self.is_behind.load(Ordering::Relaxed)
    }

    /// What the shadow says of itself.
    pub(crate) const fn shadow(&self) -> &Progress {
        &self.shadow
    }

    /// The threads have ended, or are about to.
    pub(crate) fn stop(&self) {
        // Relaxed: it carries no data.
        self.has_stopped.store(true, Ordering::Relaxed);
    }
}

/// How the venue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Last sequence number given.
    pub seq: u64,
    /// Last sequence number on the device.
    pub durable_seq: u64,
    /// Since the last turn of the core.
    pub core_beat_age: Duration,
    /// Whether it runs.
    pub state: State,
    /// The journal could not prepare its next segment.
    pub is_short_of_space: bool,
    /// How far the shadow is.
    pub shadow: Shadowed,
}

/// Whether a venue runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Running,
    /// A sync has failed: nothing is answered any more.
    Poisoned,
    /// Its threads have ended, or are about to.
    Stopped,
}

/// The desk's ends of the queues.
#[derive(Debug)]
struct Wires {
    orders: Producer<Order>,
    replies: Consumer<Reply>,
    next_request: u64,
    /// Requests that somebody waits for, with their answers.
    awaited: HashMap<u64, Option<Answer>, RandomState>,
}

impl Wires {
    /// Sorts what has been answered, and gives the answer to `request` if it is there. What nobody
    /// waits for any more is dropped.
    fn answer(&mut self, request: u64) -> Option<Answer> {
        while let Ok(Reply { request, answer }) = self.replies.pop() {
            if let Some(awaited) = self.awaited.get_mut(&request) {
                *awaited = Some(answer);
            }
        }
        self.awaited.get(&request).copied().flatten()
    }
}

/// Where operators' acts are handed in. Clones share one desk; the lock is held for moments only,
/// so that nobody waits for the answer to another's act.
#[derive(Clone, Debug)]
pub struct Desk {
    wires: Arc<Mutex<Wires>>,
    gateway: Arc<Alarm>,
    pulse: Arc<Pulse>,
    watermark: Arc<Watermark>,
}

/// The gateway's ends of the queues.
#[derive(Debug)]
pub(crate) struct Inbox {
    orders: Consumer<Order>,
    replies: Producer<Reply>,
    /// Acts that were taken and not answered.
    pending: usize,
}

/// Makes a desk and the gateway's side of it.
pub(crate) fn desk(
    gateway: Arc<Alarm>,
    pulse: Arc<Pulse>,
    watermark: Arc<Watermark>,
) -> (Desk, Inbox) {
    let (orders, taken) = RingBuffer::new(DESK_ACTS_MAX);
    let (answers, replies) = RingBuffer::new(DESK_ACTS_MAX);
    // Requests of an earlier run are in the journal: these are told apart from them.
    let awaited = HashMap::default();
    let wires = Wires { orders, replies, next_request: wall_ns(), awaited };
    let desk = Desk { wires: Arc::new(Mutex::new(wires)), gateway, pulse, watermark };
    (desk, Inbox { orders: taken, replies: answers, pending: 0 })
}

impl Desk {
    /// Hands in an act in the name of `who` and waits until it is durable.
    ///
    /// # Errors
    ///
    /// It was not taken in, or is not known to be done.
    pub fn order(&self, who: &str, act: Act, patience: Duration) -> Result<Answer, DeskError> {
        let who = padded(who)?;
        let start = Instant::now();
        if self.vitals().state != State::Running {
            return Err(DeskError::Stopped);
        }
        let request = {
            let mut wires = self.wires.lock();
            wires.next_request += 1;
            let request = wires.next_request;
            if wires.orders.push(Order { request, who, act }).is_err() {
                return Err(DeskError::Busy);
            }
            wires.awaited.insert(request, None);
            request
        };
        self.gateway.ring();
        let answered = loop {
            if let Some(answer) = self.wires.lock().answer(request) {
                break Ok(answer);
            }
            if self.vitals().state != State::Running {
                break Err(DeskError::Stopped);
            }
            if patience < start.elapsed() {
                break Err(DeskError::TimedOut { patience });
            }
            thread::sleep(LOOK_AGAIN);
        };
        self.wires.lock().awaited.remove(&request);
        answered
    }

    /// How the venue is now.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        // Relaxed: see `Pulse::beat`.
        let beat_ns = self.pulse.beat_ns.load(Ordering::Relaxed);
        Vitals {
            // Relaxed: as above.
            seq: self.pulse.seq.load(Ordering::Relaxed),
            durable_seq: self.watermark.durable_seq(),
            core_beat_age: Duration::from_nanos(self.pulse.now_ns().saturating_sub(beat_ns)),
            // Relaxed: as above.
            state: match (self.watermark.poisoned(), self.pulse.has_stopped.load(Ordering::Relaxed))
            {
                (true, _) => State::Poisoned,
                (false, true) => State::Stopped,
                (false, false) => State::Running,
            },
            is_short_of_space: self.watermark.short_of_space(),
            shadow: self.pulse.shadow.now(),
        }
    }
}

impl Inbox {
    /// Whether an act waits that may be taken.
    pub(crate) fn has_some(&self) -> bool {
        self.pending < DESK_ACTS_MAX && !self.orders.is_empty()
    }

    /// The oldest act that waits, not taken yet.
    pub(crate) fn peek(&self) -> Option<Order> {
        let may_take = self.pending < DESK_ACTS_MAX;
        self.orders.peek().ok().copied().filter(|_| may_take)
    }

    /// Takes the act that was peeked at: it is in the ring.
    pub(crate) fn take(&mut self) {
        if self.orders.pop().is_ok() {
            self.pending += 1;
        }
    }

    /// Answers an act that was taken.
    pub(crate) fn answer(&mut self, reply: Reply) {
        assert!(0 < self.pending, "an answer to an act that nobody took in");
        self.pending -= 1;
        // The queue is full only of answers that nobody waits for.
        let _is_heard = self.replies.push(reply).is_ok();
    }
}

fn padded(who: &str) -> Result<[u8; OPERATOR_LEN_MAX], DeskError> {
    let mut padded = [b' '; OPERATOR_LEN_MAX];
    let is_name = who.bytes().all(|byte| byte.is_ascii_graphic());
    match padded.get_mut(..who.len()) {
        Some(place) if is_name && !who.is_empty() => place.copy_from_slice(who.as_bytes()),
        _ => return Err(DeskError::Who { found: who.to_owned() }),
    }
    Ok(padded)
}
