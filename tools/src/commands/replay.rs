//! `uncross replay`: applies a journal again and tells what it leads to.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use uncross_server::{
    config::VenueDir,
    replay::{Discard, replay},
};

use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::{hex, torn_text},
};

const EXAMPLES: &str = "\
Examples:
  uncross replay ./venue
  uncross replay ./venue --hash
  uncross replay ./venue --hash --json";

/// Apply a venue's journal again, comparing every checkpoint
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also compute the hash of the final state
    #[arg(long)]
    hash: bool,
}

#[derive(Serialize)]
struct Replayed {
    venue: String,
    last_seq: u64,
    output_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_hash: Option<String>,
    torn: Option<String>,
}

impl Replay {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = VenueDir::new(&self.dir).journal();
        if !journal.is_dir() {
            let message = format!("{} holds no journal", self.dir.display());
            return Err(Failure::new(&errors::NO_JOURNAL, message).into());
        }
        let end = replay(&journal, &mut Discard).map_err(Failure::from)?;
        let Some(replica) = end.replica else {
            let message = format!("the journal in {} has no records", self.dir.display());
            return Err(Failure::new(&errors::NO_JOURNAL, message).into());
        };
        let replayed = Replayed {
            venue: self.dir.display().to_string(),
            last_seq: end.last_seq,
            output_hash: format!("{:016x}", replica.output_hash()),
            state_hash: self.hash.then(|| hex(&replica.state_hash())),
            torn: end.torn.as_ref().map(torn_text),
        };
        if output.is_json() {
            return output.json("uncross.replay/1", &replayed);
        }
        output.line(format_args!("records      {}", replayed.last_seq))?;
        output.line(format_args!("output hash  {}", replayed.output_hash))?;
        if let Some(hash) = &replayed.state_hash {
            output.line(format_args!("state hash   {hash}"))?;
        }
        if let Some(torn) = &replayed.torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        Ok(())
    }
}
