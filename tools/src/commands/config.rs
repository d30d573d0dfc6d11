//! `uncross config`: what can be set, and whether it is set well.

use std::{fmt::Write, path::PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use uncross_server::config::{Config, VenueDir};

use super::venue::{Overrides, load};
use crate::output::{Outcome, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross config print-default
  uncross config check ./venue";

const PRINT_DEFAULT_EXAMPLES: &str = "\
Examples:
  uncross config print-default
  uncross config print-default > other.toml";

const CHECK_EXAMPLES: &str = "\
Examples:
  uncross config check ./venue
  uncross config check ./venue/venue.toml --set core.pin=false
  uncross config check ./venue --json";

/// Show and check settings
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    PrintDefault(PrintDefault),
    Check(Check),
}

/// Print the default configuration, every setting explained
#[derive(Args, Debug)]
#[command(after_help = PRINT_DEFAULT_EXAMPLES)]
pub(crate) struct PrintDefault {}

/// Check a configuration as a start would read it, environment included
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// Configuration file, or the folder of a venue
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Serialize)]
struct DefaultText {
    toml: &'static str,
}

#[derive(Serialize)]
struct Checked<'a> {
    file: PathBuf,
    venue: &'a str,
    orders: String,
    data: String,
    instruments: usize,
    fingerprint: String,
}

impl ConfigCommand {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::PrintDefault(PrintDefault {}) => print_default(output),
            Self::Check(command) => command.run(output),
        }
    }
}

fn print_default(output: &mut Output) -> Outcome {
    let toml = Config::default_text();
    if output.is_json() {
        output.json("uncross.config-default/1", &DefaultText { toml })
    } else {
        output.text(toml)
    }
}

impl Check {
    fn run(&self, output: &mut Output) -> Outcome {
        let is_folder = self.file.is_dir();
        let file =
            if is_folder { VenueDir::new(&self.file).config_file() } else { self.file.clone() };
        let config = load(Some(&file), &self.overrides.pairs)?;
        let checked = Checked {
            file,
            venue: &config.venue.name,
            orders: config.orders.listen.to_string(),
            data: config.data.listen.to_string(),
            instruments: config.instruments.len(),
            fingerprint: hex(&config.fingerprint()),
        };
        if output.is_json() {
            return output.json("uncross.config-check/1", &checked);
        }
        let Checked { file, venue, orders, data, instruments, fingerprint } = checked;
        output.line(format_args!("{} is good", file.display()))?;
        output.line(format_args!("  venue        {venue}"))?;
        output.line(format_args!("  orders       {orders}"))?;
        output.line(format_args!("  data         {data}"))?;
        output.line(format_args!("  instruments  {instruments}"))?;
        output.line(format_args!("  fingerprint  {fingerprint}"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        text
    })
}
