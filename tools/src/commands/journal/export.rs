//! `uncross journal export`: a session's market data, events and reports as files.

use std::{
    ffi::{OsStr, OsString},
    io, iter,
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use uncross_client::wire::{
    file,
    text::{alpha, trim},
};
use uncross_server::{
    export::{
        ExportError, Exported, Session, StreamOf, Survey, Taker, export,
        line::{Line, Said},
        survey,
    },
    journal::ReplayError,
};

use super::{
    journal_of,
    table::{Format, Table},
    target::{Target, Written, draft_path, free, is_stdout},
};
use crate::{
    errors::{self, Failure},
    output::{End, Outcome, Output},
    progress,
    venue::torn_text,
};

const EXAMPLES: &str = "\
The journal is applied again, so that the files hold the messages that subscribers and brokers were
sent, byte for byte; each message stands behind its length, two bytes, big-endian. Events and trades
are rows of CSV or Parquet where the name of the file ends so, otherwise JSON objects in lines. A
session is a trading day; without --session it is the last one. One FILE may be -, which is standard
output; nothing else is then printed there.

Examples:
  uncross journal export ./venue --sessions
  uncross journal export ./venue --itch today.itch
  uncross journal export ./venue --events - | grep '\"event\":\"fill\"'
  uncross journal export ./venue --trades trades.parquet --events events.csv
  uncross journal export ./venue --itch today.itch --events today.jsonl --json";

/// Events between two signs of life.
const EVENTS_PER_TICK: u64 = 65_536;

/// Write a session's market data, events, trades or reports to files
///
/// Changes nothing in the venue and may run beside it. A file appears when it is whole, and never
/// replaces another one unless --force is given. Until then it is .FILE.part in the same folder.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    what: What,
    /// Name of the session
    #[arg(long, value_name = "NAME", conflicts_with = "sessions")]
    session: Option<String>,
    /// How events and trades are written, whatever the names of the files
    #[arg(long, value_name = "FORMAT", conflicts_with = "sessions")]
    format: Option<Format>,
    /// Replace files that exist
    #[arg(long, conflicts_with = "sessions")]
    force: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct What {
    /// List the sessions of the journal
    #[arg(long, conflicts_with_all = ["itch", "events", "trades", "reports", "drop_copy"])]
    sessions: bool,
    /// The public feed, as ITCH 5.0
    #[arg(long, value_name = "FILE")]
    itch: Option<PathBuf>,
    /// Every event of the engine
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Every trade: the fills among the events
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// The reports to one user, as OUCH 5.0
    #[arg(long, num_args = 2, value_names = ["USER", "FILE"])]
    reports: Option<Vec<OsString>>,
    /// The drop copies of one firm, as docs/protocol/drop-copy.md has them
    #[arg(long, num_args = 2, value_names = ["FIRM", "FILE"])]
    drop_copy: Option<Vec<OsString>>,
}

/// Streams of one user or firm, and where they go.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    reports: Option<(u16, &'a Path)>,
    copies: Option<([u8; 4], &'a Path)>,
}

/// A session as it is shown.
#[derive(Serialize)]
struct SessionRow {
    session: String,
    date: String,
    first_seq: u64,
    last_seq: u64,
}

#[derive(Serialize)]
struct Sessions {
    venue: String,
    sessions: Vec<SessionRow>,
}

#[derive(Serialize)]
struct Summary {
    venue: String,
    session: String,
    date: String,
    last_seq: u64,
    files: Vec<Written>,
    torn: Option<String>,
}

impl Export {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.dir)?;
        let survey = survey(&journal).map_err(Failure::from)?;
        if self.what.sessions {
            return self.list(&survey, output);
        }
        let session = self.session(&survey)?;
        let wanted = Wanted { reports: self.reports(&survey)?, copies: self.copies(&survey)? };
        self.check_paths(wanted)?;
        let has_summary = !self.paths(wanted).any(is_stdout);
        let mut files = Files::open(self, wanted, output)?;
        let exported = export(&journal, session.name, &mut files).map_err(end_of)?;
        files.progress.finish_and_clear();
        let written = files.finish(self.force)?;
        if has_summary { self.summarize(session, exported, written, output) } else { Ok(()) }
    }

    fn list(&self, survey: &Survey, output: &mut Output) -> Outcome {
        let sessions: Vec<_> = survey.sessions.iter().map(row).collect();
        if output.is_json() {
            let venue = self.dir.display().to_string();
            return output.json("uncross.journal.sessions/1", &Sessions { venue, sessions });
        }
        let cells = sessions.into_iter().map(|row| {
            let SessionRow { session, date, first_seq, last_seq } = row;
            vec![session, date, first_seq.to_string(), last_seq.to_string()]
        });
        let headings = ["session", "date", "first record", "last record"];
        output.table(&headings, &cells.collect::<Vec<_>>())
    }

    fn session<'s>(&self, survey: &'s Survey) -> Result<&'s Session, Failure> {
        let found = match &self.session {
            Some(name) => {
                let wanted = name.trim().as_bytes();
                survey.sessions.iter().find(|session| trim(&session.name) == wanted)
            }
            None => survey.sessions.last(),
        };
        found.ok_or_else(|| {
            let wanted = self.session.as_deref().unwrap_or("any").trim();
            let message = format!("{} has no session {wanted}", self.dir.display());
            Failure::new(&errors::NO_SESSION, message)
        })
    }

    /// The port whose reports are wanted, and where they go.
    fn reports(&self, survey: &Survey) -> Result<Option<(u16, &Path)>, Failure> {
        let Some([user, path]) = self.what.reports.as_deref() else { return Ok(None) };
        let name = upper(user);
        let port = survey.ports.get(&name).ok_or_else(|| {
            Failure::new(&errors::NO_LOGIN, format!("user {name} has never logged in for orders"))
        })?;
        Ok(Some((*port, Path::new(path))))
    }

    /// The firm whose drop copies are wanted, and where they go.
    fn copies(&self, survey: &Survey) -> Result<Option<([u8; 4], &Path)>, Failure> {
        let Some([firm, path]) = self.what.drop_copy.as_deref() else { return Ok(None) };
        let name = upper(firm);
        let known = alpha(&name).filter(|_| survey.copied_firms.contains(&name));
        let firm = known.ok_or_else(|| {
            Failure::new(
                &errors::NO_COPIES,
                format!("the reports of firm {name} were never copied"),
            )
        })?;
        Ok(Some((firm, Path::new(path))))
    }

    fn paths<'s>(&'s self, wanted: Wanted<'s>) -> impl Iterator<Item = &'s Path> + Clone + 's {
        let What { itch, events, trades, .. } = &self.what;
        let Wanted { reports, copies } = wanted;
        let (reports, copies) = (reports.map(|(_, path)| path), copies.map(|(_, path)| path));
        let tables = [events.as_deref(), trades.as_deref()];
        [itch.as_deref(), reports, copies].into_iter().chain(tables).flatten()
    }

    /// Makes sure, before the work begins, that each path is another one and free.
    fn check_paths(&self, wanted: Wanted<'_>) -> Result<(), Failure> {
        let mut seen = Vec::new();
        for path in self.paths(wanted) {
            let place =
                if is_stdout(path) { path.to_owned() } else { free(path, &self.dir, self.force)? };
            // A file is under its other name until it is whole.
            let draft = draft_path(&place).unwrap_or_default();
            if [&place, &draft].into_iter().any(|it| seen.contains(it)) {
                let message = format!("{} is named twice", path.display());
                return Err(Failure::new(&errors::USAGE, message)
                    .cause("two exports cannot be one file")
                    .fix("give each a file of its own"));
            }
            seen.extend([place, draft]);
        }
        if self.format.is_some() && self.what.events.is_none() && self.what.trades.is_none() {
            return Err(Failure::new(&errors::USAGE, "--format is of no use here")
                .cause("messages have one form; only events and trades have several")
                .fix("leave it out, or ask for --events or --trades"));
        }
        Ok(())
    }

    fn summarize(
        &self,
        session: &Session,
        exported: Exported,
        files: Vec<Written>,
        output: &mut Output,
    ) -> Outcome {
        let SessionRow { session, date, .. } = row(session);
        let Exported { last_seq, torn } = exported;
        let (venue, torn) = (self.dir.display().to_string(), torn.as_ref().map(torn_text));
        let summary = Summary { venue, session, date, last_seq, files, torn };
        if output.is_json() {
            return output.json("uncross.journal.export/1", &summary);
        }
        let Summary { session, date, last_seq, files, torn, .. } = summary;
        output.line(format_args!("session      {session} of {date}"))?;
        output.line(format_args!("records      up to {last_seq}"))?;
        for Written { content, path, items, bytes, blake3 } in files {
            let noun = match content {
                "events" | "trades" => content,
                _ => "messages",
            };
            output.line(format_args!("{content:<12} {path}: {items} {noun}, {bytes} bytes"))?;
            output.line(format_args!("  blake3     {blake3}"))?;
        }
        if let Some(torn) = torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        Ok(())
    }
}

/// A name as venues have it.
fn upper(name: &OsStr) -> String {
    name.to_string_lossy().trim().to_ascii_uppercase()
}

fn row(session: &Session) -> SessionRow {
    let (year, month, day) = session.date;
    SessionRow {
        session: String::from_utf8_lossy(trim(&session.name)).into_owned(),
        date: format!("{year:04}-{month:02}-{day:02}"),
        first_seq: session.first_seq,
        last_seq: session.last_seq,
    }
}

fn end_of(error: ReplayError<ExportError>) -> End {
    match error {
        ReplayError::Read(error) => Failure::from(error).into(),
        ReplayError::Apply(ExportError::Apply(error)) => Failure::from(error).into(),
        ReplayError::Apply(ExportError::Output(error)) => unwritten(&error),
    }
}

fn unwritten(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::BrokenPipe => End::Unread,
        _ => Failure::new(&errors::FILE_WRITE, "the export cannot be written")
            .cause(error.to_string())
            .into(),
    }
}

/// The files being written.
struct Files<'a> {
    itch: Option<Target<'a>>,
    events: Option<Table<'a>>,
    trades: Option<Table<'a>>,
    reports: Option<(u16, Target<'a>)>,
    copies: Option<([u8; 4], Target<'a>)>,
    progress: ProgressBar,
}

impl<'a> Files<'a> {
    fn open(command: &Export, wanted: Wanted<'_>, output: &'a mut Output) -> Result<Self, End> {
        let progress = progress::bar(output, "{spinner} {msg}");
        let mut output = Some(output);
        let mut open = |path: &Path| match output.take_if(|_| is_stdout(path)) {
            Some(output) => Ok(Target::stdout(output)),
            None => Target::file(path),
        };
        let itch = command.what.itch.as_deref().map(&mut open).transpose()?;
        let format = |path: &Path| command.format.unwrap_or_else(|| Format::of(path));
        let events = match command.what.events.as_deref() {
            Some(path) => Some(
                Table::of_events(open(path)?, format(path)).map_err(|error| unwritten(&error))?,
            ),
            None => None,
        };
        let trades = match command.what.trades.as_deref() {
            Some(path) => Some(
                Table::of_trades(open(path)?, format(path)).map_err(|error| unwritten(&error))?,
            ),
            None => None,
        };
        let Wanted { reports, copies } = wanted;
        let reports = match reports {
            Some((port, path)) => Some((port, open(path)?)),
            None => None,
        };
        let copies = match copies {
            Some((firm, path)) => Some((firm, open(path)?)),
            None => None,
        };
        Ok(Self { itch, events, trades, reports, copies, progress })
    }

    fn finish(self, is_forced: bool) -> Result<Vec<Written>, End> {
        let reports = self.reports.map(|(_, target)| target);
        let copies = self.copies.map(|(_, target)| target);
        let ended = |table: Option<Table<'a>>| {
            table.map(Table::end).transpose().map_err(|error| unwritten(&error))
        };
        let (events, trades) = (ended(self.events)?, ended(self.trades)?);
        let targets = [
            ("itch", self.itch),
            ("events", events),
            ("trades", trades),
            ("reports", reports),
            ("drop-copies", copies),
        ];
        let mut written = Vec::new();
        for (content, target) in targets {
            if let Some(target) = target {
                written.extend(target.finish(content, is_forced)?);
            }
        }
        Ok(written)
    }
}

impl Taker for Files<'_> {
    fn wants_events(&self) -> bool {
        self.events.is_some() || self.trades.is_some()
    }

    fn message(&mut self, stream: StreamOf, parts: &[&[u8]]) -> io::Result<()> {
        fn meant<'t, 'a, K: PartialEq>(
            of: &'t mut Option<(K, Target<'a>)>,
            key: &K,
        ) -> Option<&'t mut Target<'a>> {
            of.as_mut().filter(|(wanted, _)| wanted == key).map(|(_, target)| target)
        }
        let target = match stream {
            StreamOf::Feed => self.itch.as_mut(),
            StreamOf::Port(port) => meant(&mut self.reports, &port),
            StreamOf::Firm(firm) => meant(&mut self.copies, &firm),
        };
        let Some(target) = target else { return Ok(()) };
        let prefix = file::prefix(parts.iter().map(|part| part.len()).sum());
        target.put(iter::once(&prefix[..]).chain(parts.iter().copied()))
    }

    fn event(&mut self, line: &Line) -> io::Result<()> {
        if line.seq.is_multiple_of(EVENTS_PER_TICK) {
            self.progress.set_message(format!("record {}", line.seq));
            self.progress.tick();
        }
        if let Some(table) = &mut self.events {
            table.put(line)?;
        }
        match &mut self.trades {
            Some(table) if matches!(line.said, Said::Fill { .. }) => table.put(line),
            Some(_) | None => Ok(()),
        }
    }
}
