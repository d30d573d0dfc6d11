//! `uncross journal`: questions about the journal itself.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde::Serialize;
use uncross_server::{config::VenueDir, journal::Reader};

use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::torn_text,
};

mod export;
mod target;

use export::Export;

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross journal verify ./venue
  uncross journal export ./venue --itch today.itch";

const VERIFY_EXAMPLES: &str = "\
Examples:
  uncross journal verify ./venue
  uncross journal verify ./venue --json";

/// Look at a venue's journal
#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    Verify(Verify),
    Export(Export),
}

/// Check every record, checksum, seal and hash of a venue's journal
///
/// Changes nothing and may run beside the venue. The exact place of the first damage is told.
#[derive(Args, Debug)]
#[command(after_help = VERIFY_EXAMPLES)]
pub(crate) struct Verify {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    venue: String,
    segments: u64,
    sealed_segments: u64,
    records: u64,
    checkpoints: u64,
    first_seq: u64,
    last_seq: u64,
    durable_seq: u64,
    bytes: u64,
    torn: Option<String>,
}

/// The journal of the venue in `dir`.
fn journal_of(dir: &Path) -> Result<PathBuf, Failure> {
    let journal = VenueDir::new(dir).journal();
    if journal.is_dir() {
        return Ok(journal);
    }
    let message = format!("{} holds no journal", dir.display());
    Err(Failure::new(&errors::NO_JOURNAL, message))
}

impl Journal {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Verify(verify) => verify.run(output),
            Self::Export(export) => export.run(output),
        }
    }
}

impl Verify {
    fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.dir)?;
        // Draws on a terminal only.
        let progress = ProgressBar::new_spinner();
        let report = Reader::verify(&journal, |at| {
            progress.set_message(format!("segment {}", at.segment_number));
            progress.tick();
        });
        progress.finish_and_clear();
        let report = report.map_err(Failure::from)?;
        let verified = Verified {
            venue: self.dir.display().to_string(),
            segments: report.segments,
            sealed_segments: report.sealed_segments,
            records: report.records,
            checkpoints: report.checkpoints,
            first_seq: report.first_seq,
            last_seq: report.last_seq,
            durable_seq: report.durable_seq,
            bytes: report.bytes,
            torn: report.torn.as_ref().map(torn_text),
        };
        if output.is_json() {
            return output.json("uncross.journal.verify/1", &verified);
        }
        let Verified { segments, sealed_segments, records, checkpoints, .. } = verified;
        output.line("the journal is whole")?;
        output.line(format_args!("segments     {segments}, {sealed_segments} of them sealed"))?;
        output.line(format_args!("records      {records} and {checkpoints} checkpoints"))?;
        let Verified { first_seq, last_seq, durable_seq, bytes, torn, .. } = verified;
        output.line(format_args!("sequence     {first_seq} to {last_seq}"))?;
        output.line(format_args!("durable to   {durable_seq}"))?;
        output.line(format_args!("bytes        {bytes}"))?;
        if let Some(torn) = torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        Ok(())
    }
}
