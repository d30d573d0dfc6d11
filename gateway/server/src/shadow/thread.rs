//! The shadow's thread: when it works, when it waits, and what it tells.

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::setpriority_process;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use uncross_journal::{Anchor, Watermark, keep_off};

use super::{Place, Shadow, ShadowError};
use crate::{
    desk::Pulse,
    limits::{
        SHADOW_END_PATIENCE, SHADOW_HOLD_MAX, SHADOW_INTERVAL, SHADOW_NICE, SHADOW_REST_MAX,
        SNAPSHOT_RECORDS_MIN,
    },
    notice::{Notice, Notices},
    snapshot::Body,
};

/// What a shadow is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shadowing {
    /// There is none: `journal.snapshot_every` is 0.
    Off = 0,
    /// It follows the journal.
    Following = 1,
    /// It found that the venue said something else than the journal leads to, and writes no more
    /// snapshots.
    Differs = 2,
    /// It could not go on, and writes no more snapshots.
    Failed = 3,
}

impl Shadowing {
    /// One word for it, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Following => "following",
            Self::Differs => "differs",
            Self::Failed => "failed",
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Following,
            2 => Self::Differs,
            3 => Self::Failed,
            _ => Self::Off,
        }
    }
}

/// How far a shadow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadowed {
    /// What it is doing.
    pub state: Shadowing,
    /// Last record it has applied.
    pub seq: u64,
    /// Last record that a snapshot covers; 0 for none.
    pub snapshot_seq: u64,
}

/// What the shadow says of itself, read without locks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: AtomicU8,
    seq: AtomicU64,
    snapshot_seq: AtomicU64,
}

impl Progress {
    /// How far it is now.
    pub(crate) fn now(&self) -> Shadowed {
        // Relaxed: figures for people; nothing else is read by them.
        Shadowed {
            state: Shadowing::from_code(self.state.load(Ordering::Relaxed)),
            seq: self.seq.load(Ordering::Relaxed),
            snapshot_seq: self.snapshot_seq.load(Ordering::Relaxed),
        }
    }

    fn set(&self, state: Shadowing) {
        // Relaxed: as above.
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Where and from what a shadow begins.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) place: Place,
    /// Records between two snapshots.
    pub(crate) every: u64,
    /// How long to rest after one, in times of what it took.
    pub(crate) rest: u32,
    /// The snapshot that the venue began from, if it did.
    pub(crate) from: Option<(Body, Anchor)>,
}

/// What a shadow sees of the venue, and whom it tells.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) watermark: Arc<Watermark>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) notices: Notices,
    /// CPUs that the shadow keeps off, if others are left.
    pub(crate) hot_cpus: Vec<usize>,
}

/// What the thread leaves: its tools, and the shadow, if it did not fail.
type Ended = (Working, Result<Shadow, ShadowError>);

/// A shadow in its thread.
#[derive(Debug)]
pub(crate) struct Watch {
    handle: JoinHandle<Ended>,
    control: Arc<Control>,
}

#[derive(Debug, Default)]
struct Control {
    should_stop: AtomicBool,
    /// The venue ended well.
    is_clean: AtomicBool,
}

impl Control {
    fn should_stop(&self) -> bool {
        // Acquire: pairs with the Release in `Watch::stop`; how it ended is there to be read.
        self.should_stop.load(Ordering::Acquire)
    }
}

impl Watch {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no more.
    pub(crate) fn start(seed: Seed, beside: Beside) -> io::Result<Self> {
        let control = Arc::new(Control::default());
        let (its, pulse) = (Arc::clone(&control), Arc::clone(&beside.pulse));
        let body = move || {
            give_way(&beside.hot_cpus);
            let working = Working { every: seed.every, rest: seed.rest, beside, control: its };
            let ended = working.run(seed);
            (working, ended)
        };
        pulse.shadow().set(Shadowing::Following);
        let handle = thread::Builder::new().name("uncross-shadow".to_owned()).spawn(body)?;
        Ok(Self { handle, control })
    }

    /// Ends the thread. When the venue ended well and everything is durable, the shadow then goes
    /// to the end and writes a last snapshot, if that is soon done: on the calling thread, since
    /// there is nobody left to stand back for. Returns where it came to: the last record and the
    /// hash of the state.
    pub(crate) fn stop(self, is_clean: bool) -> Option<(u64, [u8; 32])> {
        // Relaxed: the store below carries it.
        self.control.is_clean.store(is_clean, Ordering::Relaxed);
        // Release: pairs with the Acquire in `should_stop`.
        self.control.should_stop.store(true, Ordering::Release);
        self.handle.thread().unpark();
        let (working, attended) = self.handle.join().ok()?;
        // Why it failed before, it has told.
        let mut shadow = attended.ok()?;
        if let Err(error) = working.finish(&mut shadow) {
            working.tell_failed(&error);
            return None;
        }
        shadow.state_hash().map(|hash| (shadow.seq(), hash))
    }
}

/// Lets every other thread go first. What the system refuses is not done: the shadow then runs as
/// others do, and waits for the core all the same.
///
/// A low priority would not be enough: a thread that runs keeps its CPU for some milliseconds from
/// those who wake up, whatever their priority, unless its policy is the one for idle time.
fn give_way(hot_cpus: &[usize]) {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let _is_idle = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    // Last, since the policy may bring a priority with it. On Linux this is that of the calling
    // thread, not of its process.
    let _is_low = setpriority_process(None, SHADOW_NICE);
    keep_off(hot_cpus);
}

/// Sets up the second engine; what it was made of is not kept.
fn begin(seed: Seed, progress: &Progress) -> Result<Shadow, ShadowError> {
    let Seed { place, every, from, .. } = seed;
    let from = from.as_ref().map(|(body, anchor)| (body, *anchor));
    // Relaxed: see `Progress::now`.
    progress.snapshot_seq.store(from.map_or(0, |(_, it)| it.seq), Ordering::Relaxed);
    Shadow::new(place, every, from)
}

/// What the thread works with.
struct Working {
    every: u64,
    rest: u32,
    beside: Beside,
    control: Arc<Control>,
}

impl Working {
    fn run(&self, seed: Seed) -> Result<Shadow, ShadowError> {
        let begun = begin(seed, self.beside.pulse.shadow());
        let attended = begun.and_then(|mut shadow| self.attend(&mut shadow).map(|()| shadow));
        // At once: the venue may go on for long.
        attended.inspect_err(|error| self.tell_failed(error))
    }

    fn tell_failed(&self, error: &ShadowError) {
        let differs = error.is_difference();
        let state = if differs { Shadowing::Differs } else { Shadowing::Failed };
        self.beside.pulse.shadow().set(state);
        self.beside.notices.put(Notice::ShadowEnded { error: error.to_string(), differs });
    }

    /// Follows the journal until asked to stop.
    fn attend(&self, shadow: &mut Shadow) -> Result<(), ShadowError> {
        let Beside { watermark, pulse, .. } = &self.beside;
        while !self.control.should_stop() {
            let upto = watermark.durable_seq();
            // Relaxed: see `Progress::now`.
            let note = |seq: u64| pulse.shadow().seq.store(seq, Ordering::Relaxed);
            if shadow.seq() < upto {
                shadow.follow(upto, |seq| {
                    note(seq);
                    self.pause()
                })?;
                note(shadow.seq());
            }
            if shadow.is_due(upto) {
                let start = Instant::now();
                self.snapshot(shadow);
                shadow.rest(start.elapsed().saturating_mul(self.rest).min(SHADOW_REST_MAX));
            } else if watermark.durable_seq() <= shadow.seq() {
                thread::park_timeout(SHADOW_INTERVAL);
            }
        }
        Ok(())
    }

    /// Waits while the core is behind, but not for ever: a shadow that never ran would find nothing
    /// and cover nothing.
    fn pause(&self) -> ControlFlow<()> {
        let start = Instant::now();
        while self.beside.pulse.is_behind() && start.elapsed() < SHADOW_HOLD_MAX {
            if self.control.should_stop() {
                break;
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        if self.control.should_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn snapshot(&self, shadow: &mut Shadow) {
        let Beside { pulse, notices, .. } = &self.beside;
        let seq = shadow.seq();
        match shadow.snapshot(|| _ = self.pause()) {
            Ok(Some(path)) => {
                // Relaxed: see `Progress::now`.
                pulse.shadow().snapshot_seq.store(seq, Ordering::Relaxed);
                notices.put(Notice::SnapshotWritten { seq, path });
            }
            Ok(None) => {}
            Err(error) => {
                notices.put(Notice::SnapshotFailed { seq, error: error.to_string() });
            }
        }
    }

    /// The venue has ended: goes to the end of the journal, if that is not far, and covers it.
    fn finish(&self, shadow: &mut Shadow) -> Result<(), ShadowError> {
        // Relaxed: carried by the flag that ended the loop.
        if !self.control.is_clean.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (start, upto) = (Instant::now(), self.beside.watermark.durable_seq());
        // One snapshot at the end, none on the way.
        shadow.make_none_due();
        while shadow.seq() < upto {
            shadow.follow(upto, |_| {
                let is_late = SHADOW_END_PATIENCE < start.elapsed();
                if is_late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if SHADOW_END_PATIENCE < start.elapsed() {
                return Ok(());
            }
        }
        let least = SNAPSHOT_RECORDS_MIN.min(self.every);
        if self.every != 0 && least <= shadow.uncovered() {
            self.snapshot(shadow);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use uncross_engine::{BEHAVIOUR_VERSION, limits::Capacity};
    use uncross_journal::{Entry, Identity, Level, Settings, Snapshots, Writer, kind, open};

    use super::*;
    use crate::record::Draft;

    /// It runs where nobody else would.
    const PATIENCE: Duration = Duration::from_mins(5);
    const CAPACITY: Capacity = Capacity {
        orders: 8,
        hidden_orders: 8,
        levels: 8,
        nodes: 8,
        instruments: 2,
        ports: 2,
        port_orders: 8,
        port_pages: 8,
        user_ref_pages: 8,
    };

    /// A journal of ticks, which say nothing, and a checkpoint of that.
    fn journal(dir: &Path, output_hash: u64) -> Writer {
        let identity = Identity {
            behaviour_version: BEHAVIOUR_VERSION,
            config_hash: [0; 32],
            build_id: [0; 32],
        };
        let (level, segment_len_bytes) = (Level::Group, 64 << 10);
        let settings = Settings { level, segment_len_bytes, ..Settings::default() };
        let mut writer = open(dir, &settings, &identity).unwrap().into_writer(1, 0).unwrap();
        let mut draft = Draft::new();
        draft.set_capacity(&CAPACITY);
        let capacity = (draft.kind(), draft.body());
        for (seq, (kind, body)) in
            (1..=20).zip([capacity].into_iter().chain([(kind::TICK, &[][..]); 19]))
        {
            writer.append(Entry { seq, time_ns: seq, kind, flags: 0, body }, 0).unwrap();
        }
        writer.checkpoint(output_hash, 20).unwrap();
        writer.ring();
        assert!(writer.watermark().wait_durable(20, PATIENCE));
        writer
    }

    fn seed(dir: &Path, salt: u64, every: u64) -> Seed {
        let place = Place {
            journal: dir.join("journal"),
            streams: dir.join("streams"),
            settings: Settings::default(),
            salt,
            written: None,
        };
        Seed { place, every, rest: 0, from: None }
    }

    fn await_state(pulse: &Pulse, is_due: impl Fn(Shadowed) -> bool) -> Shadowed {
        let start = Instant::now();
        loop {
            let now = pulse.shadow().now();
            if is_due(now) {
                return now;
            }
            assert!(start.elapsed() < PATIENCE, "{now:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn another_output_than_was_recorded_is_an_alarm_and_gives_no_snapshot() {
        for is_right in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("streams")).unwrap();
            let hash = u64::from(!is_right);
            let writer = journal(&dir.path().join("journal"), hash);
            let (pulse, (notices, told)) = (Arc::new(Pulse::default()), Notices::new());
            let (watermark, hot_cpus) = (writer.watermark(), Vec::new());
            let beside = Beside { watermark, pulse: Arc::clone(&pulse), notices, hot_cpus };
            let watch = Watch::start(seed(dir.path(), writer.salt(), 1_000), beside).unwrap();
            if is_right {
                let now = await_state(&pulse, |now| now.seq == 20);
                assert_eq!(now.state, Shadowing::Following);
            } else {
                await_state(&pulse, |now| now.state == Shadowing::Differs);
                let notice = told.recv_timeout(PATIENCE).unwrap();
                let Notice::ShadowEnded { error, differs: true } = notice else {
                    panic!("{notice:?}");
                };
                assert!(error.contains("after record 20 the output hash is"), "{error}");
            }
            writer.close().unwrap();
            // An orderly end with fewer new records than are due writes none either.
            assert_eq!(watch.stop(true).map(|(seq, _)| seq), is_right.then_some(20));
            let listed = Snapshots::of(&dir.path().join("journal")).list().unwrap();
            assert!(listed.is_empty());
        }
    }

    #[test]
    fn the_thread_of_a_shadow_runs_where_nobody_else_would() {
        thread::scope(|scope| {
            scope.spawn(|| {
                give_way(&[]);
                let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
                // The policy is the 39th after the name in parentheses; 5 is that of idle time.
                let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
                assert_eq!(fields[38], "5", "{stat}");
            });
        });
    }

    #[test]
    fn no_snapshot_is_due_while_a_shadow_rests_but_afterwards_without_a_new_record() {
        let dir = tempfile::tempdir().unwrap();
        let writer = journal(&dir.path().join("journal"), 0);
        let seed = seed(dir.path(), writer.salt(), 10);
        let mut shadow = Shadow::new(seed.place, seed.every, None).unwrap();
        shadow.rest(PATIENCE);
        shadow.follow(20, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((shadow.seq(), shadow.is_due(20)), (20, false));
        shadow.rest(Duration::ZERO);
        assert!(shadow.is_due(20));
    }

    #[test]
    fn a_shadow_waits_for_a_core_that_is_behind_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let writer = journal(&dir.path().join("journal"), 0);
        let pulse = Arc::new(Pulse::default());
        let (notices, _told) = Notices::new();
        let (watermark, hot_cpus) = (writer.watermark(), Vec::new());
        let beside = Beside { watermark, pulse: Arc::clone(&pulse), notices, hot_cpus };
        let working = Working { every: 0, rest: 0, beside, control: Arc::default() };
        let took = |is_behind| {
            pulse.beat(20, is_behind);
            let start = Instant::now();
            assert!(working.pause().is_continue());
            start.elapsed()
        };
        assert!(SHADOW_HOLD_MAX <= took(true));
        // A machine may stand still as long, but not each time.
        assert!((0..20).any(|_| took(false) < SHADOW_HOLD_MAX));
        // Relaxed: this thread alone.
        working.control.should_stop.store(true, Ordering::Relaxed);
        pulse.beat(20, true);
        assert!(working.pause().is_break());
    }
}
