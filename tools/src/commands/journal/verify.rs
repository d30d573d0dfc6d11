//! `uncross journal verify`: every record, checksum, seal and hash.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use uncross_server::journal::{Reader, Report};

use super::{Asked, journal_of};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
    venue::torn_text,
};

const EXAMPLES: &str = "\
The first damage ends the check with exit code 6. It is named with its file, the offset in it, what
had to be there and what is there; with --json these are fields of the error.

Examples:
  uncross journal verify ./venue
  uncross journal verify ./venue --json";

/// Check every record, checksum, seal and hash of a venue's journal
///
/// Changes nothing and may run beside the venue. The exact place of the first damage is told.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    #[command(flatten)]
    asked: Asked,
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

/// A bar over bytes, on a terminal only.
fn bytes_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    // A template that cannot be read would leave the usual bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Verifies a journal beside a bar.
pub(in crate::commands) fn verify(journal: &std::path::Path) -> Result<Report, Failure> {
    let bar = bytes_bar();
    let report = Reader::verify(journal, |at| {
        bar.set_length(at.file_bytes_total.max(at.file_bytes));
        bar.set_position(at.file_bytes);
        bar.set_message(format!("segment {}", at.segment_number));
    });
    bar.finish_and_clear();
    report.map_err(Failure::from)
}

impl Verify {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let report = verify(&journal_of(&self.asked.dir)?)?;
        let verified = Verified {
            venue: self.asked.dir.display().to_string(),
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
