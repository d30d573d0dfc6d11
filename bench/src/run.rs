//! A venue without doors: records are numbered, written and applied as the core does, for those who
//! need a journal that a venue could have written.

use std::{path::Path, time::Duration};

use uncross_engine::{BEHAVIOUR_VERSION, Progress, instrument::Instrument, limits::Capacity};
use uncross_server::{
    journal::{
        AppendError, CloseError, Entry, Identity, Level, OpenError, Settings, Writer, body, format,
        kind, open,
    },
    limits::RECORDS_PER_CHECKPOINT,
    record::{RecordError, capacity_body, instrument_body},
    replay::Discard,
    replica::{ApplyError, Replica},
};
use zerocopy::{Immutable, IntoBytes};

/// Longer than a segment takes to prepare.
const PATIENCE: Duration = Duration::from_mins(1);

/// A record before it has a number.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Kind of the record, of those of the journal's format.
    pub kind: u8,
    /// Its body.
    pub body: Vec<u8>,
}

impl Draft {
    /// A record of this kind.
    #[must_use]
    pub fn of(kind: u8, body: &(impl IntoBytes + Immutable)) -> Self {
        Self { kind, body: body.as_bytes().to_vec() }
    }

    /// The first connection of a port, whose orders stay when it ends.
    #[must_use]
    pub fn session_up(port: u16, generation: u16, session: [u8; 10]) -> Self {
        let up = body::SessionUp {
            port: port.into(),
            generation: generation.into(),
            firm: *b"FIRM",
            user: *b"BENCH ",
            session,
            grace_ms: u32::MAX.into(),
        };
        Self::of(kind::SESSION_UP, &up)
    }
}

/// What comes before the first order: capacity, instruments, a day, and one connection each of the
/// ports from 1 to `ports`.
pub fn preamble(
    capacity: &Capacity,
    instruments: impl Iterator<Item = Instrument>,
    session: [u8; 10],
    ports: u16,
) -> Vec<Draft> {
    let mut drafts = vec![Draft::of(kind::CONFIGURATION, &capacity_body(capacity))];
    let listed = |instrument| Draft::of(kind::CONFIGURATION, &instrument_body(&instrument));
    drafts.extend(instruments.map(listed));
    let (date, utc_offset_s) = (20_000.into(), 0.into());
    let roll = body::DayRoll { date, utc_offset_s, session, reserved: [0; 6] };
    drafts.push(Draft::of(kind::DAY_ROLL, &roll));
    drafts.extend((1..=ports).map(|port| Draft::session_up(port, 1, session)));
    drafts
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record was not appended.
    #[error("a record was not appended: {0}")]
    Append(#[from] AppendError),
    /// The journal did not close.
    #[error("the journal did not close: {0}")]
    Close(#[from] CloseError),
    /// A record is none.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The first record does not state a capacity.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// It ended before its first record.
    #[error("nothing was written")]
    Empty,
}

/// A journal being written, and the engine that what is written leads to.
#[derive(Debug)]
pub struct Run {
    writer: Writer,
    /// From the first record on.
    replica: Option<Replica>,
    seq: u64,
    /// Every record is a nanosecond later.
    begin_ns: u64,
    bytes: u64,
}

impl Run {
    /// Begins a journal at level async; the first record must state the capacity.
    ///
    /// # Errors
    ///
    /// The folder is none for a journal.
    pub fn create(dir: &Path, begin_ns: u64) -> Result<Self, RunError> {
        let writer = open_journal(dir, [0; 32])?.into_writer(begin_ns, 0)?;
        Ok(Self { writer, replica: None, seq: 0, begin_ns, bytes: 0 })
    }

    /// Goes on behind the last record of a journal, at `seq` and `time_ns`, which led to `replica`.
    ///
    /// # Errors
    ///
    /// The folder is that of no such journal.
    pub fn resume(
        dir: &Path,
        config_hash: [u8; 32],
        replica: Replica,
        (seq, time_ns): (u64, u64),
    ) -> Result<Self, RunError> {
        let recovery = open_journal(dir, config_hash)?;
        let writer = recovery.into_writer(time_ns, replica.output_hash())?;
        let begin_ns = time_ns.saturating_sub(seq);
        Ok(Self { writer, replica: Some(replica), seq, begin_ns, bytes: 0 })
    }

    /// Sequence number of the last record.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.seq
    }

    /// Bytes of the records written in this run.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends a record and applies it.
    ///
    /// # Errors
    ///
    /// The disk refused, or the record is none that this version writes.
    pub fn say(&mut self, draft: &Draft) -> Result<(), RunError> {
        let Draft { kind, ref body } = *draft;
        self.seq += 1;
        let (seq, time_ns) = (self.seq, self.begin_ns + self.seq);
        let entry = Entry { seq, time_ns, kind, flags: 0, body };
        let output_hash = self.replica.as_ref().map_or(0, Replica::output_hash);
        while let Err(error) = self.writer.append(entry, output_hash) {
            let is_waited_for = matches!(error, AppendError::NotReady)
                && self.writer.watermark().wait_prepared(1, PATIENCE);
            if !is_waited_for {
                return Err(error.into());
            }
        }
        self.bytes += format::record_len_bytes(body.len() as u64);
        let Some(replica) = &mut self.replica else {
            self.replica = Some(Replica::found(&entry)?);
            return Ok(());
        };
        let mut progress = replica.begin(seq, time_ns, kind, body, &mut Discard)?;
        while progress == Progress::More {
            progress = replica.resume(&mut Discard);
        }
        if seq.is_multiple_of(RECORDS_PER_CHECKPOINT) {
            self.writer.checkpoint(replica.output_hash(), time_ns)?;
        }
        Ok(())
    }

    /// Closes the journal behind a last checkpoint; returns the engine.
    ///
    /// # Errors
    ///
    /// The disk refused, or there is no record.
    pub fn close(mut self) -> Result<Replica, RunError> {
        let replica = self.replica.ok_or(RunError::Empty)?;
        self.writer.checkpoint(replica.output_hash(), self.begin_ns + self.seq)?;
        self.writer.close()?;
        Ok(replica)
    }
}

fn open_journal(
    dir: &Path,
    config_hash: [u8; 32],
) -> Result<uncross_server::journal::Recovery, OpenError> {
    let settings = Settings { level: Level::Async, ..Settings::default() };
    let identity =
        Identity { behaviour_version: BEHAVIOUR_VERSION, config_hash, build_id: [0; 32] };
    open(dir, &settings, &identity)
}
