//! `uncross bench`: measurements. What they do is in the crate of that name.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use uncross_bench::core::{Core, CoreError, file::FileError};

use crate::{
    errors::{self, Failure},
    output::{End, Outcome, Output},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross bench core --quick --workload b";

/// Measure this machine's Uncross
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    Core(Core),
}

impl Bench {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let Self::Core(core) = self;
        let is_watched = io::stderr().is_terminal();
        let told = core.run(&mut |progress| {
            if is_watched {
                // Whoever closed standard error does not want to hear it.
                drop(writeln!(io::stderr(), "{progress}"));
            }
        });
        let told = told.map_err(|error| failure(&error, core.write.is_some()))?;
        if output.is_json() {
            output.json(told.schema(), told.body())?;
        } else {
            output.line(told.text())?;
        }
        told.verdict().map_err(|error| failure(&error, false))
    }
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
