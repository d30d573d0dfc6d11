//! `uncross-bench`: the measurements of `uncross bench`, without the rest of that program.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use uncross_bench::core::{Core, CoreError};

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
    Core(Core),
}

fn run(cli: &Cli) -> Result<(), CoreError> {
    let What::Core(core) = &cli.what;
    let told = core.run(&mut |progress| {
        if io::stderr().is_terminal() {
            // Whoever closed standard error does not want to hear it.
            drop(writeln!(io::stderr(), "{progress}"));
        }
    })?;
    let text = if cli.json { told.json() } else { told.text() };
    match writeln!(io::stdout(), "{text}") {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(CoreError::Output)?,
    }
    told.verdict()
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
