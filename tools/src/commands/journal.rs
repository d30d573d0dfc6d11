//! `uncross journal`: questions about the journal itself.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use uncross_server::{
    audit::{
        history::Wanted,
        moment::{Moment, Outside, has_record, resolve},
    },
    config::VenueDir,
    journal::Reader,
};

use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

mod book;
mod cat;
mod diff;
mod export;
mod inspect;
mod query;
mod repair;
mod sentence;
mod table;
mod target;
mod verify;

use book::Book;
use cat::Cat;
use diff::Diff;
use export::Export;
use inspect::Inspect;
use query::Query;
use repair::Repair;
use verify::Verify;

pub(super) use verify::verify as verify_journal;

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross journal inspect ./venue
  uncross journal verify ./venue
  uncross journal cat ./venue --kind day_roll
  uncross journal book ./venue DEMO --at 100
  uncross journal query ./venue --port 2 --number 1
  uncross journal diff ./venue ./venue
  uncross journal export ./venue --itch today.itch
  uncross journal repair ./venue";

/// Look at a venue's journal
#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    Inspect(Inspect),
    Verify(Verify),
    Cat(Cat),
    Book(Book),
    Query(Query),
    Diff(Diff),
    Export(Export),
    Repair(Repair),
}

/// The venue whose journal is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    /// Folder of the venue, or of a backup of it
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

impl Journal {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Inspect(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Cat(command) => command.run(output),
            Self::Book(command) => command.run(output),
            Self::Query(command) => command.run(output),
            Self::Diff(command) => command.run(output),
            Self::Export(command) => command.run(output),
            Self::Repair(command) => command.run(output),
        }
    }
}

/// The journal of the venue in `dir`: it is there and has a record, or is damaged.
///
/// Without a record it is one of a venue that never was; where a journal was begun, it is gone.
pub(super) fn journal_of(dir: &Path) -> Result<PathBuf, Failure> {
    let journal = VenueDir::new(dir).journal();
    match journal.metadata() {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(no_journal(dir)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(no_journal(dir));
        }
        Err(error) => {
            let message = format!("{} cannot be looked at", journal.display());
            return Err(Failure::new(&errors::JOURNAL_DISK, message).cause(error.to_string()));
        }
    }
    // Whoever asked meets damage by itself, and says more of it.
    match Reader::open_whole(&journal).map(|reader| has_record(&reader)) {
        Ok(Ok(false)) => Err(empty(dir)),
        Ok(Ok(true) | Err(_)) | Err(_) => Ok(journal),
    }
}

/// Refuses a folder without a journal.
fn no_journal(dir: &Path) -> Failure {
    if let Some(gone) = gone(dir) {
        return gone;
    }
    let failure = Failure::new(&errors::NO_JOURNAL, format!("{} holds no journal", dir.display()));
    if dir.join("durable").exists() {
        let venue = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let venue = venue.unwrap_or(Path::new("..")).display();
        return failure
            .cause("it is the journal's own folder, which lies in that of the venue")
            .fix(format!("name the folder of the venue: {venue}"));
    }
    failure
}

/// What is to be said where a journal was begun and there is no record of it.
fn gone(dir: &Path) -> Option<Failure> {
    let path = VenueDir::new(dir).begun_file();
    let message = || {
        format!("{} says that a journal was begun, but there is no record of it", path.display())
    };
    path.exists().then(|| Failure::new(&errors::JOURNAL_GONE, message()))
}

/// Opens the journal of the venue in `dir` for reading; it must be whole and have a record.
pub(super) fn reader_of(dir: &Path) -> Result<Reader, Failure> {
    let reader = Reader::open_whole(&journal_of(dir)?)?;
    if reader.last()?.is_none() {
        return Err(empty(dir));
    }
    Ok(reader)
}

/// Refuses a journal without records.
pub(super) fn empty(dir: &Path) -> Failure {
    let message = || format!("the journal in {} has no records", dir.display());
    gone(dir).unwrap_or_else(|| {
        Failure::new(&errors::NO_JOURNAL, message())
            .cause("the venue was ended before it wrote the first one")
            .fix("start the venue; nothing is lost")
    })
}

/// The last record at a moment.
pub(super) fn seq_at(reader: &Reader, moment: Moment) -> Result<u64, Failure> {
    resolve(reader, moment)?.map_err(|outside| outside_failure(&outside))
}

pub(super) fn outside_failure(outside: &Outside) -> Failure {
    Failure::new(&errors::MOMENT_OUTSIDE, outside.to_string())
}

/// A public reference, or the port of the owner with the number and perhaps the channel.
pub(super) fn parse_order(text: &str) -> Result<Wanted, String> {
    let wrong = || "a reference, or PORT:NUMBER such as 2:1".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let (port, number, index) = match parts[..] {
        [reference] => return reference.parse().ok().map(Wanted::Reference).ok_or_else(wrong),
        [port, number] => (port, number, "0"),
        [port, number, index] => (port, number, index),
        _ => return Err(wrong()),
    };
    let (port, number, index) = (port.parse().ok(), number.parse().ok(), index.parse().ok());
    let (Some(port), Some(number), Some(index)) = (port, number, index) else {
        return Err(wrong());
    };
    if number == 0 {
        return Err("orders are numbered from 1".to_owned());
    }
    Ok(Wanted::Number { port, index, number })
}

/// An order or a trade in words.
pub(super) fn in_words(wanted: Wanted) -> String {
    match wanted {
        Wanted::Reference(reference) => format!("order of reference {reference}"),
        Wanted::Number { port, index: 0, number } => format!("order {number} of port {port}"),
        Wanted::Number { port, index, number } => {
            format!("order {number} of channel {index} of port {port}")
        }
        Wanted::Trade(number) => format!("trade {number}"),
    }
}
