//! Replaying a journal without a venue: for auditors, and for whoever wants to be sure.

use std::path::Path;

use uncross_engine::{
    Progress,
    event::{Event, Sink},
};
use uncross_journal::{Reader, ReplayError, TornTail};

use crate::replica::{ApplyError, Replica};

/// What a journal leads to.
#[derive(Debug)]
pub struct Replayed {
    /// The engine after the last record; `None` for a journal without records.
    pub replica: Option<Replica>,
    /// Sequence number of the last record.
    pub last_seq: u64,
    /// What lies behind the last record and is none.
    pub torn: Option<TornTail>,
}

/// Applies every record of the journal in `dir` and compares every checkpoint; changes nothing,
/// and may run beside a venue.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded.
pub fn replay(dir: &Path, sink: &mut impl Sink) -> Result<Replayed, ReplayError<ApplyError>> {
    let reader = Reader::open_whole(dir)?;
    let mut replica: Option<Replica> = None;
    let end = reader.for_each(|record| {
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut progress = replica.apply(&record, sink)?;
        while progress == Progress::More {
            progress = replica.resume(sink);
        }
        Ok(())
    })?;
    Ok(Replayed { replica, last_seq: end.last_seq, torn: end.torn })
}

/// A sink for those who want the state only.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Sink for Discard {
    fn push(&mut self, _event: Event) {}
}
