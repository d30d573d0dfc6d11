//! What a journal says of a session, made again: the messages of its streams and the events
//! behind them.
//!
//! The messages go through the same code as those that were sent, so they are the same bytes in
//! the same order. [`crate::replay`] is for those who want to know only where a journal leads.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::Path,
};

use uncross_engine::{
    Progress,
    command::Command,
    event::{Event, View},
    limits::STEP_EVENTS_MAX,
};
use uncross_journal::{
    Reader, ReplayError, TornTail,
    kind::{CONFIGURATION, DAY_ROLL, EPOCH},
};
use uncross_wire::text::trim;

use crate::{
    calendar::civil,
    egress::Egress,
    record,
    replay::check_behaviour,
    replica::{ApplyError, Replica},
    streams::{FEED, MessageSink, copies_slot},
};

pub use crate::streams::SessionName;

pub mod line;

use line::{Describer, Line, Place};

/// A session of a journal: a trading day, or what followed in it after a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: SessionName,
    /// Year, month, day.
    pub date: (u32, u32, u32),
    /// Sequence number of the record that opened it.
    pub first_seq: u64,
    /// Sequence number of its last record.
    pub last_seq: u64,
}

/// What there is to export.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The sessions, in their order.
    pub sessions: Vec<Session>,
    /// By user: the port on which it logged in.
    pub ports: HashMap<String, u16>,
    /// Firms whose reports were copied at any time.
    pub copied_firms: BTreeSet<String>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A record cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// What was exported could not be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// A stream of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOf {
    /// The public feed.
    Feed,
    /// The reports of a port.
    Port(u16),
    /// The drop copies of a firm.
    Firm([u8; 4]),
}

/// Takes what is exported.
pub trait Taker {
    /// Whether [`Taker::event`] is to be called: events cost more than messages.
    fn wants_events(&self) -> bool;

    /// Takes the next message of a stream, given in parts, without a frame.
    ///
    /// # Errors
    ///
    /// It cannot be written: the export ends.
    fn message(&mut self, stream: StreamOf, parts: &[&[u8]]) -> io::Result<()>;

    /// Takes the next event.
    ///
    /// # Errors
    ///
    /// It cannot be written: the export ends.
    fn event(&mut self, line: &Line) -> io::Result<()>;
}

/// Where an export ended.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Sequence number of the journal's last record.
    pub last_seq: u64,
    /// What lies behind it and is no record.
    pub torn: Option<TornTail>,
}

/// Lists the sessions and users of the journal in `dir`; changes nothing, and may run beside a
/// venue.
///
/// # Errors
///
/// The journal is damaged, an engine of another version went on with it, or a record is none that
/// this version writes.
pub fn survey(dir: &Path) -> Result<Survey, ReplayError<ApplyError>> {
    let mut survey = Survey::default();
    let reader = Reader::open_whole(dir)?;
    check_behaviour::<ApplyError>(&reader)?;
    let end = reader.for_each(|record| {
        let (seq, kind) = (record.seq, record.kind);
        if let Some((port, user)) = record::port_owner(kind, record.body) {
            let user = String::from_utf8_lossy(trim(&user)).into_owned();
            survey.ports.insert(user, port);
        }
        if !matches!(kind, DAY_ROLL | EPOCH | CONFIGURATION) {
            return Ok(());
        }
        let command = record::decode(kind, record.body);
        let command = command.map_err(|error| ApplyError::Record { seq, error })?;
        if let Command::DayRoll(roll) = command {
            survey.begin_session(roll.session, civil(roll.date), seq);
        } else if let Command::Epoch(epoch) = command {
            let date = survey.sessions.last().map_or((0, 0, 0), |session| session.date);
            survey.begin_session(epoch.session, date, seq);
        } else if let Command::DropCopy(copy) = command {
            let firm = String::from_utf8_lossy(trim(&copy.firm)).into_owned();
            survey.copied_firms.insert(firm);
        }
        Ok(())
    })?;
    survey.end_session(end.last_seq);
    Ok(survey)
}

impl Survey {
    fn begin_session(&mut self, name: SessionName, date: (u32, u32, u32), seq: u64) {
        self.end_session(seq - 1);
        self.sessions.push(Session { name, date, first_seq: seq, last_seq: seq });
    }

    fn end_session(&mut self, last_seq: u64) {
        if let Some(session) = self.sessions.last_mut() {
            session.last_seq = last_seq;
        }
    }
}

/// Hands every message and event of `session` to `taker`. The whole journal in `dir` is applied
/// and every checkpoint compared; nothing is changed, and a venue may run beside it.
///
/// # Errors
///
/// The journal is damaged, its records do not lead to the output that was recorded, or `taker`
/// fails.
pub fn export(
    dir: &Path,
    session: SessionName,
    taker: &mut impl Taker,
) -> Result<Exported, ReplayError<ExportError>> {
    let reader = Reader::open_whole(dir)?;
    check_behaviour::<ExportError>(&reader)?;
    let mut egress = Egress::over(Selected { taker, session, is_open: false, firms: Vec::new() });
    let mut describer = Describer::default();
    let mut events = Vec::with_capacity(STEP_EVENTS_MAX);
    let mut replica: Option<Replica> = None;
    let end = reader.for_each(|record| {
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut index = 0;
        let mut progress = replica.apply(&record, &mut events)?;
        loop {
            for event in events.drain(..) {
                describer.learn(&event);
                egress.streams.learn(&event);
                egress.write(&event)?;
                let Selected { taker, is_open, .. } = &mut egress.streams;
                if *is_open && taker.wants_events() {
                    let at = Place { seq: record.seq, index, time_ns: record.time_ns };
                    taker.event(&describer.describe(at, &event))?;
                }
                index += 1;
            }
            match progress {
                Progress::Done => return Ok(()),
                Progress::More => progress = replica.resume(&mut events),
            }
        }
    })?;
    Ok(Exported { last_seq: end.last_seq, torn: end.torn })
}

/// Passes the messages of one session on.
#[derive(Debug)]
struct Selected<'a, T> {
    taker: &'a mut T,
    session: SessionName,
    is_open: bool,
    /// By place: the firm whose drop copies stand there.
    firms: Vec<[u8; 4]>,
}

impl<T> Selected<'_, T> {
    /// Notes whose drop copies begin.
    fn learn(&mut self, event: &Event) {
        let View::Copying(copying) = event.view() else { return };
        let slot = usize::from(copying.slot);
        if self.firms.len() <= slot {
            self.firms.resize(slot + 1, [b' '; 4]);
        }
        self.firms[slot] = copying.firm;
    }
}

impl<T: Taker> MessageSink for Selected<'_, T> {
    fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        let stream = match copies_slot(entry) {
            Some(slot) => StreamOf::Firm(self.firms[usize::from(slot)]),
            None if entry == FEED => StreamOf::Feed,
            None => StreamOf::Port(entry),
        };
        self.taker.message(stream, parts)
    }

    fn begin(&mut self, session: SessionName) {
        self.is_open = session == self.session;
    }
}
