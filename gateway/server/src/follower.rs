//! All that follows from the records of a journal, in one: the engine, the hash of its output, the
//! messages, and what a start has to know besides. A start and the shadow are the same function of
//! the same records; they differ in where the messages go.

use std::collections::{BTreeMap, HashMap};

use uncross_engine::{
    Progress, event::Event, instrument::Instrument, limits::STEP_EVENTS_MAX, snapshot::RestoreError,
};
use uncross_journal::Record;

use crate::{
    egress::Egress,
    record,
    replica::{ApplyError, Replica},
    snapshot::Body,
    streams::{Marks, MessageSink},
};

/// By id: the instruments as the configuration stated them last.
pub(crate) type Filed = HashMap<u32, Instrument>;

/// By port: who last logged in there.
pub(crate) type Owners = HashMap<u16, [u8; 6]>;

/// What was applied so far, and what came of it.
#[derive(Debug)]
pub(crate) struct Follower<O> {
    /// `None` in front of the first record, which states the capacity.
    pub(crate) replica: Option<Replica>,
    pub(crate) egress: Egress<O>,
    pub(crate) owners: Owners,
    pub(crate) filed: Filed,
    /// Time stamp of the last record, nanoseconds since the UNIX epoch.
    pub(crate) time_ns: u64,
    events: Vec<Event>,
}

impl<O: MessageSink> Follower<O> {
    /// In front of the first record; messages go to `streams`.
    pub(crate) fn new(streams: O) -> Self {
        Self {
            replica: None,
            egress: Egress::over(streams),
            owners: HashMap::new(),
            filed: HashMap::new(),
            time_ns: 0,
            events: Vec::with_capacity(STEP_EVENTS_MAX),
        }
    }

    /// Goes on from what a snapshot holds; `streams` stand where its marks say.
    ///
    /// # Errors
    ///
    /// No engine can have had that state.
    pub(crate) fn restore(body: &Body, streams: O) -> Result<Self, RestoreError> {
        let replica = Replica::restore(&body.engine, body.output)?;
        Ok(Self {
            time_ns: replica.engine().now_ns(),
            replica: Some(replica),
            egress: Egress::restore(&body.egress, streams),
            owners: body.owners.iter().copied().collect(),
            filed: body.filed.iter().map(|instrument| (instrument.id, *instrument)).collect(),
            events: Vec::with_capacity(STEP_EVENTS_MAX),
        })
    }

    /// The same, with other streams, which stand where those would.
    pub(crate) fn with_streams<P: MessageSink>(self, streams: P) -> Follower<P> {
        let Self { replica, egress, owners, filed, time_ns, events } = self;
        Follower { replica, egress: egress.with_streams(streams), owners, filed, time_ns, events }
    }

    /// Applies a record of a journal, or compares a checkpoint.
    ///
    /// # Errors
    ///
    /// It cannot be applied, the output differs from what was recorded, or a stream cannot be
    /// written.
    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Result<(), ApplyError> {
        self.owners.extend(record::port_owner(record.kind, record.body));
        let instrument = record::configured_instrument(record.kind, record.body);
        self.filed.extend(instrument.map(|instrument| (instrument.id, instrument)));
        self.time_ns = record.time_ns;
        let Some(replica) = &mut self.replica else {
            self.replica = Some(Replica::found(record)?);
            return Ok(());
        };
        let mut progress = replica.apply(record, &mut self.events)?;
        loop {
            for event in self.events.drain(..) {
                let written = self.egress.write(&event);
                written.map_err(|error| ApplyError::Stream(error.to_string()))?;
            }
            match progress {
                Progress::Done => return Ok(()),
                Progress::More => progress = replica.resume(&mut self.events),
            }
        }
    }

    /// What a snapshot holds; `None` in front of the first record. `marks` say how far the streams
    /// have come.
    pub(crate) fn capture(&self, marks: Marks) -> Option<Body> {
        let replica = self.replica.as_ref()?;
        let owners: BTreeMap<_, _> = self.owners.iter().collect();
        let filed: BTreeMap<_, _> = self.filed.iter().collect();
        Some(Body {
            engine: replica.engine().capture(),
            output: replica.output(),
            owners: owners.into_iter().map(|(&port, &owner)| (port, owner)).collect(),
            filed: filed.into_values().copied().collect(),
            egress: self.egress.capture(),
            marks: marks.into(),
        })
    }
}
