//! `uncross`, the one program that users run.
//!
//! Arguments go to one command each (`commands`); what it says goes through one writer (`output`),
//! and what it fails with comes from one table (`errors`).

mod cli;
mod commands;
mod demo;
mod errors;
mod files;
mod output;
mod progress;
mod reasons;
mod venue;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use crate::{
    cli::{Cli, Frame},
    output::Output,
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let mut output = Output::new(cli.frame);
            let outcome = cli.command.run(&mut output);
            output.close(outcome)
        }
        Err(error) => {
            let mut output = Output::new(Frame::guess(&arguments));
            let outcome = cli::explain_usage(&error, &mut output);
            output.close(outcome)
        }
    }
}
