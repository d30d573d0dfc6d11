//! `uncross health`: whether a venue is ready.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::admin::DoorArguments;
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
The exit code is 0 when the venue is ready, 1 when something is missing, 4 when it cannot be
reached. Without a token nothing more is told; with --venue, whose admin.token is used, or with
--token-file there are figures too.

Examples:
  uncross health --venue ./venue
  uncross health --venue ./venue --json";

/// Ask a running venue whether it is ready
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Health {
    #[command(flatten)]
    door: DoorArguments,
}

/// What the door says; the figures only to those with a token.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    ready: bool,
    missing: Vec<Missing>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Missing {
    what: String,
    expected: String,
    found: String,
}

#[derive(Debug, Deserialize, Serialize)]
struct Figures {
    venue: String,
    version: String,
    seq: u64,
    durable_seq: u64,
    shadow: String,
    shadow_seq: u64,
    snapshot_seq: u64,
    core_beat_age_ms: u64,
    open_s: u64,
    who: String,
    role: String,
}

impl Health {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let door = self.door.open_to_anybody()?;
        let told: Told = if door.has_token() {
            door.look("/health", "uncross.admin.health/1")?
        } else {
            door.look("/health/ready", "uncross.admin.ready/1")?
        };
        if output.is_json() {
            output.json("uncross.health/1", &told)?;
        } else {
            told.print(output)?;
        }
        if told.ready {
            return Ok(());
        }
        let names: Vec<_> = told.missing.iter().map(|each| each.what.as_str()).collect();
        let message = format!("the venue is not ready: {}", names.join(", "));
        Err(Failure::new(&errors::NOT_READY, message).into())
    }
}

impl Told {
    fn print(&self, output: &mut Output) -> Outcome {
        output.line(if self.ready { "ready" } else { "not ready" })?;
        for Missing { what, expected, found } in &self.missing {
            output.line(format_args!("  {what:<8} expected {expected}; found: {found}"))?;
        }
        let Some(figures) = &self.figures else {
            return Ok(());
        };
        let Figures { venue, version, seq, durable_seq, core_beat_age_ms, open_s, .. } = figures;
        output.line(format_args!("  venue    {venue}, uncross {version}, open for {open_s} s"))?;
        output.line(format_args!("  journal  {seq} records, durable up to {durable_seq}"))?;
        let Figures { shadow, shadow_seq, snapshot_seq, .. } = figures;
        output.line(format_args!(
            "  shadow   {shadow}, {shadow_seq} records applied, snapshot at {snapshot_seq}"
        ))?;
        output.line(format_args!("  core     last sign of life {core_beat_age_ms} ms ago"))
    }
}
