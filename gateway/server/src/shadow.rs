//! The shadow: applies the journal a second time, beside the venue, and writes snapshots.
//!
//! It reads the files of the journal up to the durable watermark and compares every checkpoint with
//! its own output, so that a core that computed something else is found while it runs. Its thread
//! runs only where nobody else would, keeps off the CPUs of the hot threads where others are left,
//! waits while the core has more in its ring than one turn takes, and rests after each snapshot; it
//! takes no lock and writes nothing that a hot thread reads.

mod thread;

use std::{
    io,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread as threads,
    time::{Duration, Instant},
};

use uncross_engine::hash::state_hash;
use uncross_journal::{
    Anchor, DiskError, Folder, ReadError, Reader, ReplayError, Settings, SnapshotHead, Snapshots,
    Tail, kind,
};

pub(crate) use self::thread::{Beside, Progress, Seed, Watch};
pub use self::thread::{Shadowed, Shadowing};
use crate::{
    config::VenueDir,
    follower::Follower,
    limits::{SHADOW_BATCH, SHADOW_WRITTEN_PATIENCE},
    replica::{ApplyError, Replica},
    snapshot::{Body, Unusable, terms},
    streams::{Marks, Synced, Tally},
};

/// Why the shadow does not go on, or a snapshot was not written.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The journal cannot be read or leads elsewhere than the venue went.
    #[error(transparent)]
    Replay(#[from] ReplayError<ApplyError>),
    /// What was written is not what was captured.
    #[error("the snapshot is not what was captured: {0}")]
    Unproven(#[from] Unusable),
    /// The snapshot cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The streams cannot be brought onto the device.
    #[error("syncing streams: {0}")]
    Streams(io::Error),
    /// The venue did not write the streams so far.
    #[error("the streams hold {found} of {expected} messages")]
    Unwritten {
        /// Messages that the shadow counted.
        expected: u64,
        /// Messages in the streams.
        found: u64,
    },
    /// There is no memory for the bytes.
    #[error("encoding: {0}")]
    Encode(String),
}

impl From<ReadError> for ShadowError {
    fn from(error: ReadError) -> Self {
        Self::Replay(error.into())
    }
}

impl ShadowError {
    /// Whether the venue's output is another one than the journal leads to.
    #[must_use]
    pub const fn is_difference(&self) -> bool {
        matches!(self, Self::Replay(ReplayError::Apply(ApplyError::Output { .. })))
    }
}

/// Where a shadow works.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) journal: PathBuf,
    pub(crate) streams: PathBuf,
    /// How the disk is reached.
    pub(crate) settings: Settings,
    /// Salt of the journal's first segment.
    pub(crate) salt: u64,
    /// Messages that the venue has written; `None`: all are in the files.
    pub(crate) written: Option<Arc<AtomicU64>>,
}

/// Follows a journal.
#[derive(Debug)]
pub(crate) struct Shadow {
    place: Place,
    follower: Follower<Tally>,
    tail: Tail,
    snapshots: Snapshots,
    /// Records between two snapshots; 0: none are due.
    every: u64,
    /// Up to where the last snapshot went, or the last try.
    covered: u64,
    /// No snapshot is due before.
    rests_until: Option<Instant>,
    synced: Synced,
}

impl Shadow {
    /// Begins in front of the journal's first record, or behind a snapshot.
    ///
    /// # Errors
    ///
    /// The place is not there, or the state is impossible.
    pub(crate) fn new(
        place: Place,
        every: u64,
        from: Option<(&Body, Anchor)>,
    ) -> Result<Self, ShadowError> {
        let snapshots = Snapshots::on(&place.journal, &place.settings);
        let anchor = from.map_or(Anchor::START, |(_, anchor)| anchor);
        let journal = Folder::on(place.settings.storage.clone(), &place.journal);
        let tail = Tail::behind(journal, &anchor)?;
        let follower = match from {
            Some((body, _)) => {
                let tally = Tally::resume(&body.marks.marks());
                Follower::restore(body, tally).map_err(Unusable::from)?
            }
            None => Follower::new(Tally::resume(&Marks::none())),
        };
        let covered = anchor.seq;
        let (rests_until, synced) = (None, Synced::default());
        Ok(Self { place, follower, tail, snapshots, every, covered, rests_until, synced })
    }

    /// Last record applied.
    pub(crate) fn seq(&self) -> u64 {
        self.tail.anchor().seq
    }

    /// Records applied that no snapshot covers.
    pub(crate) fn uncovered(&self) -> u64 {
        self.seq() - self.covered
    }

    /// Hash of the state; `None` in front of the first record.
    pub(crate) fn state_hash(&self) -> Option<[u8; 32]> {
        self.follower.replica.as_ref().map(Replica::state_hash)
    }

    /// No snapshot is due any more.
    pub(crate) const fn make_none_due(&mut self) {
        self.every = 0;
    }

    /// No snapshot is due for so long.
    pub(crate) fn rest(&mut self, length: Duration) {
        self.rests_until = Instant::now().checked_add(length);
    }

    /// Records between two snapshots; 0 while none is due.
    fn every_now(&mut self) -> u64 {
        self.rests_until = self.rests_until.filter(|end| Instant::now() < *end);
        if self.rests_until.is_some() { 0 } else { self.every }
    }

    /// Applies records up to `upto`, which is durable, or less: until a snapshot is due, or
    /// `pause`, called now and then with the last one, breaks off.
    ///
    /// # Errors
    ///
    /// The journal is damaged, or its records do not lead to the output that was recorded.
    pub(crate) fn follow(
        &mut self,
        upto: u64,
        mut pause: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), ShadowError> {
        let (mut applied, every, covered) = (0, self.every_now(), self.covered);
        let follower = &mut self.follower;
        self.tail.read(upto, |record| {
            follower.apply(&record)?;
            applied += 1;
            let is_due = kind::is_callers(record.kind) && due(every, covered, record.seq, upto);
            if is_due || applied % SHADOW_BATCH == 0 && pause(record.seq).is_break() {
                return Ok::<_, ApplyError>(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }

    /// Whether a snapshot is due, when the journal goes to `upto`.
    pub(crate) fn is_due(&mut self, upto: u64) -> bool {
        due(self.every_now(), self.covered, self.seq(), upto)
    }

    /// Writes a snapshot, reads it back, restores it and compares it with the state; only then it
    /// gets its name. `pause` is called between pieces. Returns its path; `None` in front of the
    /// first record.
    ///
    /// # Errors
    ///
    /// It could not be written or is not what it should be: there is no new snapshot, and the next
    /// one is due later.
    pub(crate) fn snapshot(
        &mut self,
        mut pause: impl FnMut(),
    ) -> Result<Option<PathBuf>, ShadowError> {
        // Whatever comes of it, the next one is due as many records later.
        self.covered = self.seq();
        let marks = self.follower.egress.streams.marks();
        let captured = self.follower.capture(marks.clone());
        let (Some(body), Some(replica)) = (captured, &self.follower.replica) else {
            return Ok(None);
        };
        let head = SnapshotHead {
            anchor: self.tail.anchor(),
            time_ns: self.follower.time_ns,
            terms: terms(self.place.salt, &replica.capacity()),
            state_hash: state_hash(replica.engine()),
            output_hash: replica.output_hash(),
        };
        let bytes = body.encode().map_err(|error| ShadowError::Encode(error.to_string()))?;
        let draft = self.snapshots.draft(&head, &bytes, &mut pause)?;
        drop((body, bytes));
        let is_good = self.prove(&draft, &head).and_then(|()| self.await_written(marks.messages));
        let is_good = is_good.and_then(|()| {
            let synced = self.synced.advance(&self.place.streams, &marks, pause);
            synced.map_err(ShadowError::Streams)
        });
        if let Err(error) = is_good {
            // Best effort: the next draft removes it, and the first error is the one to report.
            drop(self.snapshots.discard(draft));
            return Err(error);
        }
        Ok(Some(self.snapshots.publish(draft)?))
    }

    /// Reads a draft back from its file and makes an engine of it again.
    fn prove(
        &self,
        draft: &uncross_journal::Draft,
        head: &SnapshotHead,
    ) -> Result<(), ShadowError> {
        let (read, bytes) = self.snapshots.reread(draft).map_err(Unusable::from)?;
        let body = Body::decode(&bytes, &read)?;
        let replica = Replica::restore(&body.engine, body.output).map_err(Unusable::from)?;
        body.prove(head, &replica)?;
        Ok(body.prove(&read, &replica)?)
    }

    /// Waits until the streams hold what the shadow has counted: the venue may be a moment behind.
    fn await_written(&self, expected: u64) -> Result<(), ShadowError> {
        let Some(written) = &self.place.written else { return Ok(()) };
        let start = Instant::now();
        loop {
            // Acquire: what was counted is in the files then.
            let found = written.load(Ordering::Acquire);
            if expected <= found {
                return Ok(());
            }
            if SHADOW_WRITTEN_PATIENCE < start.elapsed() {
                return Err(ShadowError::Unwritten { expected, found });
            }
            threads::park_timeout(Duration::from_millis(1));
        }
    }
}

/// Writes a snapshot of a venue that is down, behind record `seq` or the last one before: for
/// tests and measurements; a running venue writes its own. Returns its path; `None` when there is
/// no record.
///
/// # Errors
///
/// The journal is damaged, or the snapshot cannot be written.
pub fn write_snapshot(dir: &VenueDir, seq: u64) -> Result<Option<PathBuf>, ShadowError> {
    let reader = Reader::open_whole(&dir.journal())?;
    let last_seq = reader.last()?.map_or(0, |(last_seq, _)| last_seq);
    let place = Place {
        journal: dir.journal(),
        streams: dir.streams(),
        settings: Settings::default(),
        salt: reader.salt(),
        written: None,
    };
    let mut shadow = Shadow::new(place, 0, None)?;
    shadow.follow(seq.min(last_seq), |_| ControlFlow::Continue(()))?;
    shadow.snapshot(|| ())
}

/// Whether a snapshot is due at `seq`: none while so much is left that the next one would be due at
/// once.
const fn due(every: u64, covered: u64, seq: u64, upto: u64) -> bool {
    every != 0 && every <= seq - covered && upto - seq < every
}
