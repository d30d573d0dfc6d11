//! `uncross journal diff`: where two journals part, or two exports of events.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use uncross_server::{
    audit::diff::{Outcome as Said, Relation, Which, diff, outcome},
    export::{ExportError, StreamOf, Taker, export, line::Line, survey},
    journal::ReplayError,
};

use super::{journal_of, reader_of, sentence};
use crate::{
    commands::venue::unreadable,
    errors::{self, Failure},
    output::{Outcome, Output},
    progress,
};

const EXAMPLES: &str = "\
Two folders are compared record by record, byte by byte, times too; what each journal makes of the
first record that differs is shown. Two files are exports of events (uncross journal export
--events): one journal under two versions of the program differs in the first event that they tell
otherwise. A folder and a file compare what this program makes of the journal with what another one
exported. Different is exit code 6.

Examples:
  uncross journal diff ./venue ./venue
  uncross journal export ./venue --events a.jsonl && uncross journal diff a.jsonl ./venue";

/// Events of a record that are shown to people; programs get more.
const SHOWN_MAX: usize = 12;

/// Compare two journals, or one under two versions: the first command and outcome that differ
///
/// Changes nothing and may run beside the venues.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Diff {
    /// Folder of a venue, or a file with exported events
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    b: PathBuf,
}

#[derive(Serialize)]
struct Journals {
    a: String,
    b: String,
    is_same: bool,
    /// `same`, `prefix` or `parted`.
    relation: &'static str,
    /// Sequence number of the last record that both have.
    common_seq: u64,
    /// Of a prefix the one that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    longer: Option<Which>,
    /// The first record that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The commands are the same, but not the output recorded with them.
    is_output_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_a: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_b: Option<Said>,
}

#[derive(Serialize)]
struct Events {
    a: String,
    b: String,
    is_same: bool,
    /// Events that both have, and in the same order.
    same: u64,
    /// Record of the first event that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The event of each; none: it ends before.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_a: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_b: Option<Value>,
}

impl Diff {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match (self.a.is_file(), self.b.is_file()) {
            (false, false) => self.journals(output),
            (true, true) => {
                let (mut a, mut b) = (Lines::open(&self.a)?, Lines::open(&self.b)?);
                let mut count = 0;
                loop {
                    let (of_a, of_b) = (a.next()?, b.next()?);
                    if of_a.is_none() && of_b.is_none() {
                        if count == 0 {
                            return Err(no_events(&self.a, "it is empty").into());
                        }
                        return self.events(count, [None, None], output);
                    }
                    if of_a != of_b {
                        return self.events(count, [of_a, of_b], output);
                    }
                    count += 1;
                }
            }
            (false, true) => self.against_events(&self.a, &self.b, false, output),
            (true, false) => self.against_events(&self.b, &self.a, true, output),
        }
    }

    fn names(&self) -> (String, String) {
        (self.a.display().to_string(), self.b.display().to_string())
    }

    fn journals(&self, output: &mut Output) -> Outcome {
        let (a, b) = (reader_of(&self.a)?, reader_of(&self.b)?);
        let compare = || diff(&a, &b);
        let mut relation = progress::beside(output, &a, None, compare).map_err(Failure::from)?;
        let place = |dir: &Path| dir.canonicalize().ok();
        if place(&self.a).is_some() && place(&self.a) == place(&self.b) {
            relation = of_one_journal(relation);
        }
        let (name_a, name_b) = self.names();
        let mut told = Journals {
            a: name_a,
            b: name_b,
            is_same: false,
            relation: "parted",
            common_seq: 0,
            longer: None,
            seq: None,
            is_output_only: false,
            outcome_a: None,
            outcome_b: None,
        };
        match relation {
            Relation::Same { last_seq } => {
                (told.is_same, told.relation, told.common_seq) = (true, "same", last_seq);
            }
            Relation::Prefix { last_seq, longer } => {
                (told.relation, told.common_seq) = ("prefix", last_seq);
                (told.longer, told.seq) = (Some(longer), Some(last_seq + 1));
                let next = outcome(if longer == Which::A { &a } else { &b }, last_seq + 1);
                let side =
                    if longer == Which::A { &mut told.outcome_a } else { &mut told.outcome_b };
                *side = Some(next.map_err(Failure::from)?);
            }
            Relation::Parted { seq, is_checkpoint } => {
                told.common_seq = if is_checkpoint { seq } else { seq - 1 };
                (told.seq, told.is_output_only) = (Some(seq), is_checkpoint);
                told.outcome_a = Some(outcome(&a, seq).map_err(Failure::from)?);
                told.outcome_b = Some(outcome(&b, seq).map_err(Failure::from)?);
            }
        }
        told.tell(output)
    }

    /// Compares what this program makes of a journal with a file of events.
    fn against_events(
        &self,
        folder: &Path,
        file: &Path,
        is_file_first: bool,
        output: &mut Output,
    ) -> Outcome {
        let journal = journal_of(folder)?;
        let mut lines = Lines::open(file)?;
        let first = lines.next()?.ok_or_else(|| no_events(file, "it is empty"))?;
        let named = first.get("session").and_then(Value::as_str);
        let name = named.ok_or_else(|| {
            no_events(file, "its first event opens no session, as that of --events does")
        })?;
        let name = name.to_owned();
        let sessions = survey(&journal).map_err(Failure::from)?.sessions;
        let text = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
        let Some(session) = sessions.iter().find(|session| text(&session.name) == name) else {
            let message = format!("{} has no session {name:?}", folder.display());
            return Err(Failure::new(&errors::NO_SESSION, message).into());
        };
        let mut comparing = Comparing { lines, held: Some(first), count: 0, found: None };
        match export(&journal, session.name, &mut comparing) {
            Ok(_) => {}
            // The comparison ended it.
            Err(ReplayError::Apply(ExportError::Output(_))) if comparing.found.is_some() => {}
            Err(ReplayError::Apply(ExportError::Output(error))) => {
                return Err(no_events(file, &error.to_string()).into());
            }
            Err(ReplayError::Apply(ExportError::Apply(error))) => {
                return Err(Failure::from(error).into());
            }
            Err(ReplayError::Read(error)) => return Err(Failure::from(error).into()),
        }
        let mut found = comparing.found.take();
        if found.is_none() {
            found = match comparing.held.take() {
                Some(held) => Some([None, Some(held)]),
                None => comparing.lines.next()?.map(|next| [None, Some(next)]),
            };
        }
        let [journal, file] = found.unwrap_or_default();
        let pair = if is_file_first { [file, journal] } else { [journal, file] };
        self.events(comparing.count, pair, output)
    }

    fn events(
        &self,
        same: u64,
        [event_a, event_b]: [Option<Value>; 2],
        output: &mut Output,
    ) -> Outcome {
        let (a, b) = self.names();
        let is_same = event_a.is_none() && event_b.is_none();
        let seq_of = |event: &Option<Value>| event.as_ref()?.get("seq")?.as_u64();
        let seq = seq_of(&event_a).into_iter().chain(seq_of(&event_b)).min();
        let told = Events { a, b, is_same, same, seq, event_a, event_b };
        if output.is_json() {
            output.json("uncross.journal.diff-events/1", &told)?;
        } else if is_same {
            output.line(format_args!("the same {same} events"))?;
        } else {
            let record = seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
            output.line(format_args!("the same     {same} events"))?;
            output.line(format_args!("differing    an event of record {record}"))?;
            for (name, event) in [("a", &told.event_a), ("b", &told.event_b)] {
                let text = event.as_ref().map_or_else(|| "no more".to_owned(), Value::to_string);
                output.line(format_args!("{name:<12} {text}"))?;
            }
        }
        if is_same {
            return Ok(());
        }
        let at = seq.map_or_else(String::new, |seq| format!(" at record {seq}"));
        let message = format!("the events differ{at}, after {same} that are the same");
        Err(Failure::new(&errors::JOURNALS_DIFFER, message)
            .cause("two versions of the program tell a record otherwise, or the journals differ")
            .into())
    }
}

impl Journals {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            output.json("uncross.journal.diff/1", self)?;
        } else {
            self.show(output)?;
        }
        if self.is_same {
            return Ok(());
        }
        let message = match (self.longer, self.seq) {
            (Some(longer), _) => {
                let longer = if longer == Which::A { &self.a } else { &self.b };
                let message = format!("{longer} goes on behind record {}", self.common_seq);
                return Err(Failure::new(&errors::JOURNALS_DIFFER, message)
                    .cause("it holds all of the other and more")
                    .fix("compare up to the last common one: uncross replay --until --compare")
                    .into());
            }
            (None, Some(seq)) if self.is_output_only => {
                format!("the output recorded with record {seq} differs, the commands do not")
            }
            (None, seq) => format!("the journals differ at record {}", seq.unwrap_or_default()),
        };
        Err(Failure::new(&errors::JOURNALS_DIFFER, message).into())
    }

    fn show(&self, output: &mut Output) -> Outcome {
        if self.is_same {
            return output.line(format_args!("the same up to record {}", self.common_seq));
        }
        output.line(format_args!("the same     up to record {}", self.common_seq))?;
        for (name, said) in [("a", &self.outcome_a), ("b", &self.outcome_b)] {
            let Some(said) = said else {
                output.line(format_args!("{name:<12} ends there"))?;
                continue;
            };
            match &said.record {
                Some(record) => output.line(format_args!("{name:<12} {record}"))?,
                None => output.line(format_args!("{name:<12} ends there"))?,
            }
            let shown = said.events.iter().take(SHOWN_MAX);
            let more = said.event_count - shown.len() as u64;
            for event in shown {
                output.line(format_args!("             -> {}", sentence::sentence(&event.said)))?;
            }
            if 0 < more {
                output.line(format_args!("             -> and {more} more events"))?;
            }
            if let Some(error) = &said.error {
                output.line(format_args!("             -> {error}"))?;
            }
        }
        Ok(())
    }
}

/// How a journal relates to itself: one that grows has more at its second reading.
const fn of_one_journal(found: Relation) -> Relation {
    match found {
        Relation::Prefix { last_seq, .. } => Relation::Same { last_seq },
        found @ (Relation::Same { .. } | Relation::Parted { .. }) => found,
    }
}

fn no_events(path: &Path, why: &str) -> Failure {
    let message = format!("{} is no export of events", path.display());
    Failure::new(&errors::EVENTS_FILE, message).cause(why)
}

/// The events of a file, one by one.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    number: u64,
    text: String,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path);
        let file = file.map_err(|error| unreadable(&errors::FILE_READ, path, &error))?;
        let reader = BufReader::new(file);
        Ok(Self { path: path.to_owned(), reader, number: 0, text: String::new() })
    }

    fn next(&mut self) -> Result<Option<Value>, Failure> {
        self.text.clear();
        self.number += 1;
        let wrong = |why: String| no_events(&self.path, &format!("line {}: {why}", self.number));
        let read = self.reader.read_line(&mut self.text);
        if read.map_err(|error| wrong(error.to_string()))? == 0 {
            return Ok(None);
        }
        let event: Value =
            serde_json::from_str(&self.text).map_err(|error| wrong(error.to_string()))?;
        let is_event = event.get("seq").is_some_and(Value::is_u64) && event.get("event").is_some();
        if is_event { Ok(Some(event)) } else { Err(wrong("it has no seq or no event".to_owned())) }
    }
}

/// Compares the events of an export with those of a file, and ends it at the first that differs.
struct Comparing {
    lines: Lines,
    /// The line that is due.
    held: Option<Value>,
    count: u64,
    /// The event of the journal and that of the file.
    found: Option<[Option<Value>; 2]>,
}

impl Taker for Comparing {
    fn wants_events(&self) -> bool {
        true
    }

    fn message(&mut self, _: StreamOf, _: &[&[u8]]) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, line: &Line) -> io::Result<()> {
        let event = serde_json::to_value(line)?;
        let due = match self.held.take() {
            Some(held) => Some(held),
            None => self.lines.next().map_err(|failure| io::Error::other(failure.cause))?,
        };
        if due.as_ref() == Some(&event) {
            self.count += 1;
            return Ok(());
        }
        self.found = Some([Some(event), due]);
        Err(io::Error::other("the events differ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_grew_between_two_readings_is_the_same_as_itself() {
        let grown = Relation::Prefix { last_seq: 7, longer: Which::B };
        assert_eq!(of_one_journal(grown), Relation::Same { last_seq: 7 });
        let parted = Relation::Parted { seq: 7, is_checkpoint: false };
        assert_eq!(of_one_journal(parted.clone()), parted);
    }
}
