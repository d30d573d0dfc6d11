//! `uncross journal verify`: every record, checksum, seal and hash.

use std::path::Path;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use uncross_client::wire::text::trim;
use uncross_server::{
    audit::streams::{StreamReport, check_streams_by},
    config::VenueDir,
    journal::{Reader, Report},
};

use super::{Asked, journal_of};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
    progress,
    venue::{hex, torn_text},
};

const EXAMPLES: &str = "\
The first damage ends the check with exit code 6. It is named with its file, the offset in it, what
had to be there and what is there; with --json these are fields of the error.

With --streams the journal is applied as well, and the files in the venue's folder streams are
compared with what it leads to, byte for byte. Messages that no file holds are told and no damage: a
venue that was killed, or runs, may be behind its journal, and a start writes the files anew.

Examples:
  uncross journal verify ./venue
  uncross journal verify ./venue --streams
  uncross journal verify ./venue --json";

/// Check every record, checksum, seal and hash of a venue's journal
///
/// Changes nothing and may run beside the venue. The exact place of the first damage is told.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    #[command(flatten)]
    asked: Asked,
    /// Also compare the files of the streams with what the journal leads to
    #[arg(long)]
    streams: bool,
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
    /// The last sealed segment, whose hash stands for all before it.
    chain_head: Option<ChainHead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    streams: Option<StreamsVerified>,
}

#[derive(Serialize)]
struct ChainHead {
    segment: u64,
    blake3: String,
}

/// What the journal leads to and the files hold.
#[derive(Serialize)]
struct StreamsVerified {
    session: String,
    last_seq: u64,
    streams: u64,
    messages: u64,
    messages_held: u64,
    /// Those whose files do not hold all.
    behind: Vec<Behind>,
}

#[derive(Serialize)]
struct Behind {
    stream: String,
    messages: u64,
    messages_held: u64,
}

impl StreamsVerified {
    /// Compares the streams of the venue in `dir`.
    fn new(output: &Output, dir: &Path, journal: &Path) -> Result<Self, Failure> {
        let reader = Reader::open_whole(journal)?;
        let check = || check_streams_by(&reader, &VenueDir::new(dir).streams());
        let report = progress::beside(output, &reader, None, check)?;
        let mut verified = Self {
            session: String::from_utf8_lossy(trim(&report.session)).into_owned(),
            last_seq: report.last_seq,
            streams: report.streams.len() as u64,
            messages: 0,
            messages_held: 0,
            behind: Vec::new(),
        };
        for StreamReport { name: stream, messages, held: messages_held, fault } in report.streams {
            if let Some(fault) = fault {
                return Err(fault.into());
            }
            verified.messages += messages;
            verified.messages_held += messages_held;
            if messages_held < messages {
                verified.behind.push(Behind { stream, messages, messages_held });
            }
        }
        Ok(verified)
    }

    fn show(&self, output: &mut Output) -> Outcome {
        let Self { session, streams, messages, messages_held, behind, .. } = self;
        output.line(format_args!("streams      {streams} of session {session}"))?;
        output.line(format_args!("messages     {messages}, {messages_held} of them in files"))?;
        for Behind { stream, messages, messages_held } in behind {
            output
                .line(format_args!("  {stream:<10} {messages_held} of {messages} in its file"))?;
        }
        Ok(())
    }
}

/// What a bar over bytes shows.
const BYTES: &str = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}";

/// Verifies a journal beside a bar.
pub(in crate::commands) fn verify(output: &Output, journal: &Path) -> Result<Report, Failure> {
    verify_beside(&progress::bar(output, BYTES), journal)
}

fn verify_beside(bar: &ProgressBar, journal: &Path) -> Result<Report, Failure> {
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
        let journal = journal_of(&self.asked.dir)?;
        let report = verify_beside(&progress::bar(output, BYTES), &journal)?;
        let streams = self.streams.then(|| StreamsVerified::new(output, &self.asked.dir, &journal));
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
            chain_head: report
                .chain_head
                .map(|(segment, hash)| ChainHead { segment, blake3: hex(&hash.0) }),
            streams: streams.transpose()?,
        };
        if output.is_json() {
            return output.json("uncross.journal.verify/1", &verified);
        }
        let Verified { segments, sealed_segments, records, checkpoints, .. } = verified;
        output.line("the journal is whole")?;
        output.line(format_args!("segments     {segments}, {sealed_segments} of them sealed"))?;
        output.line(format_args!("records      {records} and {checkpoints} checkpoints"))?;
        let Verified { first_seq, last_seq, durable_seq, bytes, .. } = verified;
        let Verified { torn, chain_head, streams, .. } = verified;
        output.line(format_args!("sequence     {first_seq} to {last_seq}"))?;
        output.line(format_args!("durable to   {durable_seq}"))?;
        output.line(format_args!("bytes        {bytes}"))?;
        if let Some(ChainHead { segment, blake3 }) = chain_head {
            output.line(format_args!("chain head   segment {segment}, BLAKE3 {blake3}"))?;
        }
        if let Some(torn) = torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        if let Some(streams) = streams {
            streams.show(output)?;
        }
        Ok(())
    }
}
