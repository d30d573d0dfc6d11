//! `uncross-bench`: the measurements of `uncross bench`, without the rest of that program.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use uncross_bench::{
    Told,
    beside::{Beside, BesideError},
    core::{Core, CoreError, Judged},
    journal::{Journal, JournalError},
    recovery::{Recovery, RecoveryError},
};

/// Measures Uncross
#[derive(Debug, Parser)]
#[command(name = "uncross-bench", version)]
struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Beside(Beside),
    Core(Core),
    Journal(Journal),
    Recovery(Recovery),
}

/// Why there is no result, or a wrong one.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Beside(#[from] BesideError),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let mut progress = |progress: &str| {
        if io::stderr().is_terminal() {
            // Whoever closed standard error does not want to hear it.
            drop(writeln!(io::stderr(), "{progress}"));
        }
    };
    let say = |told: &Told| say(&if cli.json { told.json() } else { told.text().to_owned() });
    match &cli.what {
        What::Beside(beside) => {
            let told = beside.run(&mut progress)?;
            say(&told)
        }
        What::Core(core) => {
            let Judged { told, verdict } = core.run(&mut progress)?;
            say(&told)?;
            Ok(verdict?)
        }
        What::Journal(journal) => {
            let told = journal.run(&mut progress)?;
            say(&told)
        }
        What::Recovery(recovery) => {
            let told = recovery.run(&mut progress)?;
            say(&told)
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Output),
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}
