//! `uncross journal repair`: only what is safe without a doubt, and only when told to.

use clap::Args;
use serde::Serialize;
use uncross_server::journal::{Repairs, examine, repair};

use super::{Asked, journal_of};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
    venue::torn_text,
};

const EXAMPLES: &str = "\
A crash may leave part of a record behind the last whole one. Nobody was told of it, so it can be
cut off; a start does the same by itself. Here it is said beforehand, and done with --yes: a copy is
kept beside the segments, then the bytes are zeroed. Damage to anything that was acknowledged cannot
be repaired: restore a backup.

Examples:
  uncross journal repair ./venue
  uncross journal repair ./venue --yes";

/// Cut off what a crash left behind the last whole record, keeping a copy
///
/// Without --yes it says what it would do and changes nothing. The venue must not run.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Repair {
    #[command(flatten)]
    asked: Asked,
    /// Do it
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Repaired {
    venue: String,
    /// Whether there is, or was, anything to repair.
    is_needed: bool,
    /// Whether it was done.
    is_done: bool,
    last_seq: u64,
    torn: Option<Cut>,
    moved: Vec<Moved>,
}

#[derive(Serialize)]
struct Cut {
    file: String,
    offset: u64,
    bytes: u64,
    copy: Option<String>,
}

#[derive(Serialize)]
struct Moved {
    file: String,
    to: String,
}

impl Repair {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.asked.dir)?;
        let mut repairs = examine(&journal).map_err(Failure::from)?;
        let is_done = self.yes && !repairs.is_empty();
        if is_done {
            repairs = repair(&journal).map_err(Failure::from)?;
        }
        if output.is_json() {
            return output.json("uncross.journal.repair/1", &self.answer(&repairs, is_done));
        }
        if repairs.is_empty() {
            return output.line("nothing is to be repaired: the journal ends with a whole record");
        }
        let (cut, moved) = if is_done { ("cut off", "moved") } else { ("to cut", "to move") };
        output.line(format_args!("whole up to  record {}", repairs.last_seq))?;
        if let Some(torn) = &repairs.torn {
            output.line(format_args!("{cut:<12} {}", torn_text(torn)))?;
        }
        for (from, to) in &repairs.aside {
            output.line(format_args!("{moved:<12} {} to {}", from.display(), to.display()))?;
        }
        if !is_done {
            output.line("nothing was changed; --yes does it")?;
        }
        Ok(())
    }

    fn answer(&self, repairs: &Repairs, is_done: bool) -> Repaired {
        Repaired {
            venue: self.asked.dir.display().to_string(),
            is_needed: !repairs.is_empty(),
            is_done,
            last_seq: repairs.last_seq,
            torn: repairs.torn.as_ref().map(|torn| Cut {
                file: torn.segment.display().to_string(),
                offset: torn.offset,
                bytes: torn.len_bytes,
                copy: torn.copy.as_ref().map(|copy| copy.display().to_string()),
            }),
            moved: repairs
                .aside
                .iter()
                .map(|(from, to)| Moved {
                    file: from.display().to_string(),
                    to: to.display().to_string(),
                })
                .collect(),
        }
    }
}
