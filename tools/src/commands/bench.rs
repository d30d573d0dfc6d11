//! `uncross bench`: measurements. What they do is in the crate of that name.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use uncross_bench::{
    Told,
    beside::{Beside, BesideError},
    core::{Core, CoreError, Judged, file::FileError},
    journal::{Journal, JournalError},
    recovery::{Recovery, RecoveryError},
};

use crate::{
    errors::{self, Failure},
    output::{End, Outcome, Output},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross bench core --quick --workload b
  uncross bench beside --quick
  uncross bench journal --quick
  uncross bench recovery --quick";

/// Measure this machine's Uncross
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    Beside(Beside),
    Core(Core),
    Journal(Journal),
    Recovery(Recovery),
}

impl Bench {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Beside(beside) => run_beside(beside, output),
            Self::Core(core) => run_core(core, output),
            Self::Journal(journal) => run_journal(journal, output),
            Self::Recovery(recovery) => run_recovery(recovery, output),
        }
    }
}

/// Tells whoever watches how far a measurement is.
fn progress() -> impl FnMut(&str) {
    let is_watched = io::stderr().is_terminal();
    move |progress| {
        if is_watched {
            // Whoever closed standard error does not want to hear it.
            drop(writeln!(io::stderr(), "{progress}"));
        }
    }
}

fn tell(told: &Told, output: &mut Output) -> Outcome {
    if output.is_json() {
        output.json(told.schema(), told.body())
    } else {
        output.line(told.text())
    }
}

fn run_core(core: &Core, output: &mut Output) -> Outcome {
    let judged = core.run(&mut progress());
    let Judged { told, verdict } = judged.map_err(|error| failure(&error, core.write.is_some()))?;
    tell(&told, output)?;
    verdict.map_err(|error| failure(&error, false))
}

fn run_beside(beside: &Beside, output: &mut Output) -> Outcome {
    let told = beside.run(&mut progress()).map_err(|error| match error {
        BesideError::Start(error) => Failure::from(error),
        BesideError::Stop(error) => Failure::from(error),
        BesideError::Client(error) => Failure::from(error),
        BesideError::Journal(error) => journal_failure(&error),
        BesideError::Folder { .. } | BesideError::Users(_) => {
            Failure::new(&errors::FILE_WRITE, error.to_string())
        }
        BesideError::Config(_)
        | BesideError::Poll(_)
        | BesideError::Unanswered { .. }
        | BesideError::Rejected { .. }
        | BesideError::Panicked
        | BesideError::Shadow { .. }
        | BesideError::Histogram(_) => Failure::new(&errors::BENCH_VENUE, error.to_string()),
    })?;
    tell(&told, output)
}

fn journal_failure(error: &JournalError) -> Failure {
    let code = match error {
        JournalError::Folder { .. } => &errors::FILE_WRITE,
        JournalError::Replay(_) => &errors::REPLAY,
        JournalError::Open(_)
        | JournalError::Append(_)
        | JournalError::Close(_)
        | JournalError::Run(_)
        | JournalError::Stuck { .. } => &errors::JOURNAL_DISK,
    };
    Failure::new(code, error.to_string())
}

fn run_journal(journal: &Journal, output: &mut Output) -> Outcome {
    let told = journal.run(&mut progress()).map_err(|error| journal_failure(&error))?;
    tell(&told, output)
}

fn run_recovery(recovery: &Recovery, output: &mut Output) -> Outcome {
    let told = recovery.run(&mut progress()).map_err(|error| match error {
        RecoveryError::Start(error) => Failure::from(error),
        RecoveryError::Stop(error) => Failure::from(error),
        RecoveryError::Folder { .. } | RecoveryError::Users(_) => {
            Failure::new(&errors::FILE_WRITE, error.to_string())
        }
        RecoveryError::Wrong(_) => Failure::new(&errors::REPLAY, error.to_string()),
        RecoveryError::Config(_) | RecoveryError::Run(_) => {
            Failure::new(&errors::JOURNAL_DISK, error.to_string())
        }
    })?;
    tell(&told, output)
}

fn failure(error: &CoreError, is_writing: bool) -> End {
    let code = match error {
        CoreError::File(FileError::Io { .. }) if is_writing => &errors::FILE_WRITE,
        CoreError::File(FileError::Io { .. }) => &errors::FILE_READ,
        CoreError::File(FileError::Wrong { .. }) => &errors::BENCH_FILE,
        CoreError::Output(_) => &errors::OUTPUT,
        CoreError::Unsteady { .. } | CoreError::Disagreement { .. } => &errors::BENCH_SUMS,
    };
    Failure::new(code, error.to_string()).into()
}
