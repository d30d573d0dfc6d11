//! Where two journals part, and what came of it.
//!
//! Records are compared byte by byte without applying them, one journal read on a thread of its
//! own. Only where they part are both applied, one after the other.

use std::{
    ops::ControlFlow,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use serde::Serialize;
use uncross_engine::event::Event;
use uncross_journal::{Location, ReadError, Reader, Record, ReplayError, Start, kind};

use super::{
    moment::never,
    run::{Watch, run},
    told::{Names, RecordLine, line},
};
use crate::{
    export::line::{Describer, Line, Place},
    replica::{ApplyError, Replica},
};

/// Records handed over at once.
const BATCH_LEN: usize = 512;
/// Batches that wait: a few MiB at most.
const BATCHES_MAX: usize = 4;
/// Events of a record that are kept; a day roll may have millions.
const EVENTS_MAX: usize = 1_000;

/// How two journals relate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They hold the same.
    Same {
        /// Sequence number of the last record.
        last_seq: u64,
    },
    /// One goes on where the other ends.
    Prefix {
        /// Sequence number of the last record of both.
        last_seq: u64,
        /// Which one goes on.
        longer: Which,
    },
    /// They differ at a record.
    Parted {
        /// Sequence number of the first record that differs.
        seq: u64,
        /// Nothing differs but the output that was recorded with the commands before.
        is_checkpoint: bool,
    },
}

/// One of two journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The first one.
    A,
    /// The second one.
    B,
}

/// What a journal says at the place where it parts from another.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The record; `None`: the journal ends before it.
    pub record: Option<RecordLine>,
    /// The events that it leads to, the first of them.
    pub events: Vec<Line>,
    /// How many there are.
    pub event_count: u64,
    /// Why it cannot be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A record by itself.
#[derive(Debug, PartialEq, Eq)]
struct Owned {
    seq: u64,
    time_ns: u64,
    kind: u8,
    flags: u8,
    body: Vec<u8>,
}

impl Owned {
    fn of(record: &Record<'_>) -> Self {
        let Record { seq, time_ns, kind, flags, body } = *record;
        Self { seq, time_ns, kind, flags, body: body.to_vec() }
    }

    fn is(&self, record: &Record<'_>) -> bool {
        let Record { seq, time_ns, kind, flags, body } = *record;
        (self.seq, self.time_ns, self.kind, self.flags, self.body.as_slice())
            == (seq, time_ns, kind, flags, body)
    }
}

/// Compares the journals record by record. A checkpoint that only one of them has counts for
/// nothing: when a venue checks itself is no part of what happened.
///
/// # Errors
///
/// One of them is damaged before they part.
pub fn diff(a: &Reader, b: &Reader) -> Result<Relation, ReadError> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let feeding = scope.spawn(move || feed(b, &sender));
        let compared = compare(a, Pulled { receiver, batch: Vec::new().into_iter(), held: None });
        let fed = feeding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let compared = compared?;
        // Who does not listen to the end is not told of damage behind it.
        fed?;
        Ok(compared)
    })
}

/// Reads all records of a journal into `sender`, as long as somebody listens.
fn feed(reader: &Reader, sender: &SyncSender<Vec<Owned>>) -> Result<(), ReadError> {
    let mut batch = Vec::with_capacity(BATCH_LEN);
    never(reader.read_from(Start::First, |record, _| {
        batch.push(Owned::of(&record));
        if batch.len() < BATCH_LEN {
            return Ok(ControlFlow::Continue(()));
        }
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_LEN));
        let is_heard = sender.send(full).is_ok();
        Ok(if is_heard { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }))?;
    // Nobody listens any more when the journals parted before.
    drop(sender.send(batch));
    Ok(())
}

/// The records of the other journal.
struct Pulled {
    receiver: Receiver<Vec<Owned>>,
    batch: std::vec::IntoIter<Owned>,
    held: Option<Owned>,
}

impl Pulled {
    /// The next record, which stays the next until it is taken.
    fn peek(&mut self) -> Option<&Owned> {
        while self.held.is_none() {
            self.held = self.batch.next();
            if self.held.is_none() {
                self.batch = self.receiver.recv().ok()?.into_iter();
            }
        }
        self.held.as_ref()
    }

    fn skip(&mut self) {
        self.held = None;
    }
}

fn compare(a: &Reader, mut b: Pulled) -> Result<Relation, ReadError> {
    let mut last_seq = 0;
    let mut found = None;
    never(a.read_from(Start::First, |record, _| {
        let is_checkpoint = record.kind == kind::CHECKPOINT;
        let other = loop {
            match b.peek() {
                Some(other) if other.kind == kind::CHECKPOINT && !is_checkpoint => b.skip(),
                other => break other,
            }
        };
        let Some(other) = other else {
            if is_checkpoint {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(Relation::Prefix { last_seq, longer: Which::A });
            return Ok(ControlFlow::Break(()));
        };
        if is_checkpoint && other.kind != kind::CHECKPOINT {
            return Ok(ControlFlow::Continue(()));
        }
        // Of two checkpoints only what they vouch for counts.
        let is_same = if is_checkpoint { other.body == record.body } else { other.is(&record) };
        if !is_same {
            found = Some(Relation::Parted { seq: record.seq.min(other.seq), is_checkpoint });
            return Ok(ControlFlow::Break(()));
        }
        last_seq = record.seq;
        b.skip();
        Ok(ControlFlow::Continue(()))
    }))?;
    while found.is_none()
        && let Some(other) = b.peek()
    {
        if other.kind != kind::CHECKPOINT {
            found = Some(Relation::Prefix { last_seq, longer: Which::B });
        }
        b.skip();
    }
    Ok(found.unwrap_or(Relation::Same { last_seq }))
}

/// What the journal says at record `seq`: applied up to there, with the events of that record.
///
/// # Errors
///
/// The journal is damaged before it.
pub fn outcome(reader: &Reader, seq: u64) -> Result<Outcome, ReadError> {
    let mut watch = AtRecord { seq, ..AtRecord::default() };
    match run(reader, Some(seq), &mut watch) {
        Ok(_) => {}
        Err(ReplayError::Read(error)) => return Err(error),
        Err(ReplayError::Apply(error)) => watch.outcome.error = Some(error.to_string()),
    }
    Ok(watch.outcome)
}

/// Keeps what one record leads to.
#[derive(Default)]
struct AtRecord {
    seq: u64,
    is_there: bool,
    time_ns: u64,
    names: Names,
    describer: Describer,
    outcome: Outcome,
}

impl Watch for AtRecord {
    type Error = ApplyError;

    fn begin(
        &mut self,
        record: &Record<'_>,
        location: Location,
        replica: Option<&Replica>,
    ) -> Result<(), ApplyError> {
        self.is_there = record.seq == self.seq && kind::is_callers(record.kind);
        self.time_ns = record.time_ns;
        if self.is_there {
            let instrument = super::told::order_instrument(record, replica);
            self.outcome.record = Some(line(record, location, &self.names, instrument));
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, index: u64) -> Result<(), ApplyError> {
        self.describer.learn(event);
        if self.is_there {
            self.outcome.event_count += 1;
            if self.outcome.events.len() < EVENTS_MAX {
                let place = Place { seq: self.seq, index, time_ns: self.time_ns };
                self.outcome.events.push(self.describer.describe(place, event));
            }
        }
        Ok(())
    }

    fn done(
        &mut self,
        record: &Record<'_>,
        replica: &Replica,
    ) -> Result<ControlFlow<()>, ApplyError> {
        self.names.refresh(record.kind, replica);
        Ok(ControlFlow::Continue(()))
    }
}
