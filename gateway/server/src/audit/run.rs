//! Applying a journal again while somebody watches.

use std::ops::ControlFlow;

use uncross_engine::{Progress, event::Event, limits::STEP_EVENTS_MAX};
use uncross_journal::{Location, Reader, Record, ReplayError, Start};

use crate::{
    replay::check_behaviour,
    replica::{ApplyError, Replica},
};

/// Watches a replay.
pub(super) trait Watch {
    /// Why the watcher ends the replay.
    type Error: From<ApplyError>;

    /// A record is about to be applied; `None`: it states the capacity of the engine.
    fn begin(
        &mut self,
        record: &Record<'_>,
        location: Location,
        replica: Option<&Replica>,
    ) -> Result<(), Self::Error>;

    /// The record says this; the events of a record are counted from 0.
    fn event(&mut self, event: &Event, index: u64) -> Result<(), Self::Error>;

    /// The record is applied.
    fn done(
        &mut self,
        record: &Record<'_>,
        replica: &Replica,
    ) -> Result<ControlFlow<()>, Self::Error>;
}

/// Where a replay ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) replica: Option<Replica>,
    pub(super) last_seq: u64,
}

/// Applies the records up to `until`, or all, and compares every checkpoint among them.
pub(super) fn run<W: Watch>(
    reader: &Reader,
    until: Option<u64>,
    watch: &mut W,
) -> Result<Ended, ReplayError<W::Error>> {
    check_behaviour(reader)?;
    let mut ended = Ended::default();
    let mut events = Vec::with_capacity(STEP_EVENTS_MAX);
    reader.read_from(Start::First, |record, location| {
        if until.is_some_and(|until| until < record.seq) {
            return Ok::<_, W::Error>(ControlFlow::Break(()));
        }
        watch.begin(&record, location, ended.replica.as_ref())?;
        let replica = match &mut ended.replica {
            Some(replica) => {
                apply(replica, &record, &mut events, watch)?;
                replica
            }
            None => ended.replica.insert(Replica::found(&record)?),
        };
        ended.last_seq = record.seq;
        watch.done(&record, replica)
    })?;
    Ok(ended)
}

fn apply<W: Watch>(
    replica: &mut Replica,
    record: &Record<'_>,
    events: &mut Vec<Event>,
    watch: &mut W,
) -> Result<(), W::Error> {
    let mut index = 0;
    let mut progress = replica.apply(record, events)?;
    loop {
        for event in events.drain(..) {
            watch.event(&event, index)?;
            index += 1;
        }
        match progress {
            Progress::Done => return Ok(()),
            Progress::More => progress = replica.resume(events),
        }
    }
}
