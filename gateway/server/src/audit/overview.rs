//! What a journal holds, for people and programs that have not seen it before.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use uncross_engine::{
    command::{Act, Command},
    instrument::Instrument,
    limits::Capacity,
};
use uncross_journal::{
    Overview, ReadError, Reader, Record, SnapshotView, Snapshots, Terms, kind, limits::PAGE_BYTES,
};

use crate::{
    calendar::civil,
    export::Session,
    record::{decode, decode_capacity},
};

/// A snapshot beside a journal.
#[derive(Clone, Debug)]
pub struct SnapshotSeen {
    /// Its file.
    pub path: PathBuf,
    /// Last record that it covers, as its name says.
    pub seq: u64,
    /// Bytes of the file, and time stamp of that record; or what is wrong with it.
    pub content: Result<(u64, u64), String>,
}

impl SnapshotSeen {
    /// A running venue may have written it behind what was read of the journal, which is no fault;
    /// so snapshots are looked at first.
    fn check_end(&mut self, last_seq: u64) {
        if self.content.is_ok() && last_seq < self.seq {
            self.content = Err(format!("it covers {} records, there are {last_seq}", self.seq));
        }
    }
}

/// Looks at the snapshots of a journal, the newest one first: every byte is checked, and that it is
/// of this journal. Whether a start would use one it also decides by the state and the streams.
fn snapshots(dir: &Path) -> Vec<SnapshotSeen> {
    let snapshots = Snapshots::of(dir);
    let salt = Reader::open(dir).ok().map(|reader| reader.salt());
    let look = |SnapshotView { seq, path }| {
        let content = match snapshots.read(&path) {
            // A running venue keeps two.
            Err(error) if error.is_gone() => return None,
            Err(error) => Err(error.to_string()),
            Ok((head, body)) => {
                let salt = salt.unwrap_or(head.terms.salt);
                let checked = head.check(&Terms { salt, ..head.terms });
                let len = body.len() as u64 + PAGE_BYTES;
                checked.map(|()| (len, head.time_ns)).map_err(|error| error.to_string())
            }
        };
        Some(SnapshotSeen { path, seq, content })
    };
    snapshots.list().unwrap_or_default().into_iter().filter_map(look).collect()
}

/// What a journal holds.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// Its files and their health.
    pub files: Overview,
    /// Valid records by kind.
    pub kinds: BTreeMap<u8, u64>,
    /// Sequence number and time stamp of the first record of the caller.
    pub first: Option<(u64, u64)>,
    /// Of the last one.
    pub last: Option<(u64, u64)>,
    /// Trading days, and what followed in them after a loss.
    pub sessions: Vec<Session>,
    /// The epoch at the end.
    pub epoch: u32,
    /// What the engine holds.
    pub capacity: Option<Capacity>,
    /// The instruments as they were stated last, in the order in which they were listed; changes
    /// come into force with the next day.
    pub instruments: Vec<Instrument>,
    /// Its snapshots, the newest one first.
    pub snapshots: Vec<SnapshotSeen>,
    /// The first record that no venue writes, with what is wrong.
    pub foreign: Option<(u64, String)>,
}

/// Looks at the journal in `dir`; damage is part of the answer. `each` is called now and then with
/// the count of bytes of records seen.
///
/// # Errors
///
/// The folder cannot be listed.
pub fn inspect(dir: &Path, mut each: impl FnMut(u64)) -> Result<Inspection, ReadError> {
    let mut inspection = Inspection { snapshots: snapshots(dir), ..Inspection::default() };
    let mut bytes = 0;
    let files = Reader::overview(dir, |record| {
        bytes += uncross_journal::format::record_len_bytes(record.body.len() as u64);
        if bytes.is_multiple_of(1 << 20) {
            each(bytes);
        }
        inspection.take(record);
        ControlFlow::Continue(())
    })?;
    inspection.snapshots.iter_mut().for_each(|seen| seen.check_end(files.last_seq));
    inspection.files = files;
    if let Some((seq, _)) = inspection.last {
        inspection.end_session(seq);
    }
    Ok(inspection)
}

impl Inspection {
    fn take(&mut self, record: &Record<'_>) {
        *self.kinds.entry(record.kind).or_default() += 1;
        if !kind::is_callers(record.kind) {
            return;
        }
        let place = (record.seq, record.time_ns);
        self.first.get_or_insert(place);
        self.last = Some(place);
        if record.kind == kind::CONFIGURATION && self.capacity.is_none() {
            self.capacity = decode_capacity(record.kind, record.body).ok();
        }
        match decode(record.kind, record.body) {
            Ok(Command::Define(instrument)) => self.list(instrument),
            Ok(Command::Administer(order)) => match order.act {
                Act::List(instrument) => self.list(instrument),
                Act::Remove(id) => self.instruments.retain(|listed| listed.id != id),
                Act::Kill { .. } | Act::Revive(_) | Act::Halt(_) | Act::Resume(_) => {}
            },
            Ok(Command::DayRoll(roll)) => {
                self.begin_session(roll.session, civil(roll.date), record.seq);
            }
            Ok(Command::Epoch(epoch)) => {
                self.epoch = epoch.epoch;
                let date = self.sessions.last().map_or((0, 0, 0), |session| session.date);
                self.begin_session(epoch.session, date, record.seq);
            }
            Ok(_) => {}
            Err(error) => {
                self.foreign.get_or_insert_with(|| (record.seq, error.to_string()));
            }
        }
    }

    /// An instrument as it was stated last. The engine refuses one whose symbol is another's.
    fn list(&mut self, instrument: Instrument) {
        let Instrument { id, symbol, .. } = instrument;
        let same = self.instruments.iter().position(|it| it.id == id || it.symbol == symbol);
        match same.map(|at| &mut self.instruments[at]) {
            None => self.instruments.push(instrument),
            Some(known) if (known.id, known.symbol) == (id, symbol) => *known = instrument,
            Some(_) => {}
        }
    }

    fn begin_session(&mut self, name: [u8; 10], date: (u32, u32, u32), seq: u64) {
        self.end_session(seq - 1);
        self.sessions.push(Session { name, date, first_seq: seq, last_seq: seq });
    }

    fn end_session(&mut self, last_seq: u64) {
        if let Some(session) = self.sessions.last_mut() {
            session.last_seq = last_seq;
        }
    }
}
