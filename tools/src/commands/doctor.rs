//! `uncross doctor`: whether this machine and this folder are fit for a venue.
//!
//! `machine` looks at the processor and the kernel, `disk` at the journal's folder, `setup` at what
//! the configuration makes of both. Nothing is changed but a scratch file, which has no name.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_server::{
    affinity::Cpus,
    config::{Config, VenueDir, units::parse_count},
};

use super::venue::{Overrides, load, open};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

mod disk;
mod machine;
mod setup;

use machine::Machine;

const EXAMPLES: &str = "\
Each finding is ok, warn or fail, and says what was found; what is not ok also says what was
expected and how to change it. The exit code is 1 when something fails. Without VENUE the defaults
and the current folder are looked at. The folder's device is measured with a scratch file that has
no name; --syncs 0 leaves that out.

Examples:
  uncross doctor ./venue
  uncross doctor --syncs 20 --json";

/// Check CPUs, clock, limits, memory, disk and ports, each finding with its fix
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// Folder of the venue
    #[arg(value_name = "VENUE")]
    venue: Option<PathBuf>,
    /// Writes and syncs that are measured, of each size
    #[arg(long, value_name = "COUNT", value_parser = parse_count, default_value = "200")]
    syncs: u64,
    #[command(flatten)]
    overrides: Overrides,
}

/// How good something is. The order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    name: &'static str,
    status: Status,
    found: String,
    /// What was hoped for, of what is not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// A command or a setting, of what is not ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), expected: None, fix: None }
    }

    fn warn(
        name: &'static str,
        found: impl Into<String>,
        expected: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (expected, fix) = (Some(expected.into()), Some(fix.into()));
        Self { name, status: Status::Warn, found: found.into(), expected, fix }
    }

    fn fail(
        name: &'static str,
        found: impl Into<String>,
        expected: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Fail, ..Self::warn(name, found, expected, fix) }
    }

    fn print(&self, output: &mut Output) -> Outcome {
        let Self { name, status, found, expected, fix } = self;
        output.line(format_args!("{:<4}  {name:<12}  {found}", status.word()))?;
        if let Some(expected) = expected {
            output.line(format_args!("      {:<12}  {expected}", "expected"))?;
        }
        if let Some(fix) = fix {
            output.line(format_args!("      {:<12}  {fix}", "fix"))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    venue: Option<String>,
    /// The worst of the findings.
    status: Status,
    findings: &'a [Finding],
}

impl Doctor {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let config = match &self.venue {
            Some(venue) => open(venue, &self.overrides.pairs)?.1,
            None => load(None, &self.overrides.pairs)?,
        };
        let mut findings = Vec::new();
        let mut look = |found: Vec<Finding>, output: &mut Output| {
            if !output.is_json() {
                found.iter().try_for_each(|finding| finding.print(output))?;
                output.flush()?;
            }
            findings.extend(found);
            Ok::<(), crate::output::End>(())
        };
        // The list shrinks once a thread is pinned, and no thread is.
        let cpus = Cpus::read();
        look(setup::look(&config, self.journal().as_deref(), &cpus), output)?;
        look(Machine::new("/").look(&config, &cpus.numbers()), output)?;
        look(disk::look(&self.folder(), &config, self.syncs), output)?;
        let status = findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok);
        if output.is_json() {
            let venue = self.venue.as_ref().map(|venue| venue.display().to_string());
            output.json("uncross.doctor/1", &Told { venue, status, findings: &findings })?;
        }
        let failed = findings.iter().filter(|finding| finding.status == Status::Fail);
        let names: Vec<_> = failed.map(|finding| finding.name).collect();
        if names.is_empty() {
            return Ok(());
        }
        let message = format!("not fit for a venue: {}", names.join(", "));
        Err(Failure::new(&errors::UNFIT, message).into())
    }

    fn journal(&self) -> Option<PathBuf> {
        self.venue.as_ref().map(|venue| VenueDir::new(venue).journal())
    }

    /// The folder whose device is looked at: the journal's, or where it will be made.
    fn folder(&self) -> PathBuf {
        let journal = self.journal().filter(|journal| journal.is_dir());
        journal.or_else(|| self.venue.clone()).unwrap_or_else(|| Path::new(".").to_owned())
    }
}

/// Whether the configuration promises more than the memory of the system.
fn is_durable(config: &Config) -> bool {
    config.journal.level.name() != "async"
}
