//! The engine as a function of records: what the running core and every replay share.

use uncross_engine::{
    BEHAVIOUR_VERSION, Engine, Progress,
    event::{Event, Sink},
    hash::state_hash,
    limits::Capacity,
    snapshot::{RestoreError, State},
};

use uncross_journal::{Record, kind};

use crate::{
    output_hash::OutputHash,
    record::{self, RecordError},
};

/// Why a journal's record cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is none that this version writes.
    #[error("record {seq}: {error}")]
    Record {
        /// Its sequence number.
        seq: u64,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The output so far differs from what was recorded: another engine wrote this journal.
    #[error("after record {seq} the output hash is {found:016x}, recorded is {expected:016x}")]
    Output {
        /// Sequence number of the last record before the checkpoint.
        seq: u64,
        /// What the journal says.
        expected: u64,
        /// What this engine says.
        found: u64,
    },
    /// The time stamp of a record lies before that of another one, or in no time at all.
    #[error("record {seq} has time stamp {found}, expected {least}..={TIME_NS_MAX}")]
    Time {
        /// Its sequence number.
        seq: u64,
        /// The latest time stamp before it, nanoseconds since the UNIX epoch.
        least: u64,
        /// Its own.
        found: u64,
    },
    /// A stream could not be written.
    #[error("stream: {0}")]
    Stream(String),
    /// A segment was written under other rules, under which its records led elsewhere.
    #[error(
        "the segment from record {first_seq} is of behaviour version {found}, this engine is of \
         {BEHAVIOUR_VERSION}"
    )]
    Behaviour {
        /// First sequence number of the segment.
        first_seq: u64,
        /// Its version.
        found: u32,
    },
}

/// Latest time stamp of a record, in the year 2262: half of what 64 bits hold, so that whatever is
/// counted from it fits as well.
const TIME_NS_MAX: u64 = u64::MAX / 2;

/// An engine, and the fingerprint of all it said.
#[derive(Debug)]
pub struct Replica {
    engine: Engine,
    output: OutputHash,
    capacity: Capacity,
}

/// Hashes what passes through it.
struct Hashing<'a, S> {
    output: &'a mut OutputHash,
    sink: &'a mut S,
}

impl<S: Sink> Sink for Hashing<'_, S> {
    #[inline]
    fn push(&mut self, event: Event) {
        self.write(|held| *held = event);
    }

    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        self.sink.push(*self.output.write(write));
    }
}

impl Replica {
    /// A replica that has seen nothing.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self { engine: Engine::new(capacity), output: OutputHash::default(), capacity }
    }

    /// A replica for the journal whose first record this is.
    ///
    /// # Errors
    ///
    /// The record does not state the capacity.
    pub fn found(record: &Record<'_>) -> Result<Self, ApplyError> {
        let capacity = record::decode_capacity(record.kind, record.body)
            .map_err(|error| ApplyError::Record { seq: record.seq, error })?;
        let mut replica = Self::new(capacity);
        let progress = replica.apply(record, &mut Vec::new())?;
        debug_assert_eq!(progress, Progress::Done, "a capacity record says nothing");
        Ok(replica)
    }

    /// A replica that goes on from a captured state and the parts of its output hash.
    ///
    /// # Errors
    ///
    /// No engine can have had that state.
    pub(crate) fn restore(state: &State, (crc, count): (u32, u64)) -> Result<Self, RestoreError> {
        let (engine, output) = (Engine::restore(state)?, OutputHash::resume(crc, count));
        Ok(Self { engine, output, capacity: state.capacity() })
    }

    /// The parts of the output hash, for [`Self::restore`].
    pub(crate) fn output(&self) -> (u32, u64) {
        self.output.parts()
    }

    /// What the engine holds.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Begins a record of a journal, or checks a checkpoint against the output so far.
    ///
    /// # Errors
    ///
    /// The record is undecodable, or the output differs from what was recorded.
    pub fn apply(
        &mut self,
        record: &Record<'_>,
        sink: &mut impl Sink,
    ) -> Result<Progress, ApplyError> {
        let seq = record.seq;
        if record.kind == kind::CHECKPOINT {
            let found = self.output_hash();
            return match record.output_hash() {
                Some(expected) if expected != found => {
                    Err(ApplyError::Output { seq, expected, found })
                }
                Some(_) | None => Ok(Progress::Done),
            };
        }
        let (least, found) = (self.engine.now_ns(), record.time_ns);
        if !(least..=TIME_NS_MAX).contains(&found) {
            return Err(ApplyError::Time { seq, least, found });
        }
        self.begin(seq, record.time_ns, record.kind, record.body, sink)
            .map_err(|error| ApplyError::Record { seq, error })
    }

    /// Begins the record that was given `seq` and `time_ns`.
    ///
    /// # Errors
    ///
    /// The record is none that this version writes.
    #[inline]
    pub fn begin(
        &mut self,
        seq: u64,
        time_ns: u64,
        kind: u8,
        body: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Progress, RecordError> {
        let Self { engine, output, .. } = self;
        begin(engine, seq, time_ns, kind, body, &mut Hashing { output, sink })
    }

    /// Goes on with a record that is not done.
    pub fn resume(&mut self, sink: &mut impl Sink) -> Progress {
        self.engine.resume(&mut Hashing { output: &mut self.output, sink })
    }

    /// As [`Self::begin`], but leaves it to the caller to have what came hashed, by [`Self::hash`].
    ///
    /// # Errors
    ///
    /// The record is none that this version writes.
    #[inline]
    pub(crate) fn begin_unhashed(
        &mut self,
        seq: u64,
        time_ns: u64,
        kind: u8,
        body: &[u8],
        sink: &mut impl Sink,
    ) -> Result<Progress, RecordError> {
        begin(&mut self.engine, seq, time_ns, kind, body, sink)
    }

    /// As [`Self::resume`], but leaves it to the caller to have what came hashed.
    pub(crate) fn resume_unhashed(&mut self, sink: &mut impl Sink) -> Progress {
        self.engine.resume(sink)
    }

    /// Hashes what came since the last call.
    #[inline]
    pub(crate) fn hash(&mut self, events: &[Event]) {
        self.output.take_in(events);
    }

    /// The engine, to look at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Fingerprint of everything said so far.
    #[must_use]
    pub fn output_hash(&self) -> u64 {
        self.output.value()
    }

    /// Fingerprint of the state, computed now.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        state_hash(&self.engine)
    }
}

/// Begins a record in an engine.
#[inline]
fn begin(
    engine: &mut Engine,
    seq: u64,
    time_ns: u64,
    kind: u8,
    body: &[u8],
    sink: &mut impl Sink,
) -> Result<Progress, RecordError> {
    // Matched in its place: a command is large, and to copy it costs as much as to make it.
    match record::decode(kind, body) {
        Ok(ref command) => Ok(engine.begin(seq, time_ns, command, sink)),
        Err(error) => Err(error),
    }
}
