//! `uncross config`: what can be set, and whether it is set well.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use uncross_server::config::Config;

use super::venue::{Overrides, load};
use crate::{
    output::{Outcome, Output},
    venue::hex,
};

mod explain;

use explain::file_of;

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross config print-default
  uncross config check ./venue
  uncross config explain core.spin
  uncross config diff default ./venue";

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
    Explain(explain::Explain),
    Diff(explain::Diff),
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
    /// None where the door is not opened.
    admin: Option<String>,
    instruments: usize,
    fingerprint: String,
}

impl ConfigCommand {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::PrintDefault(PrintDefault {}) => print_default(output),
            Self::Check(command) => command.run(output),
            Self::Explain(command) => command.run(output),
            Self::Diff(command) => command.run(output),
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
        let file = file_of(&self.file);
        let config = load(Some(&file), &self.overrides.pairs)?;
        let checked = Checked {
            file,
            venue: &config.venue.name,
            orders: config.orders.listen.to_string(),
            data: config.data.listen.to_string(),
            admin: config.admin.is_enabled.then(|| config.admin.listen.to_string()),
            instruments: config.instruments.len(),
            fingerprint: hex(&config.fingerprint()),
        };
        if output.is_json() {
            return output.json("uncross.config-check/1", &checked);
        }
        let Checked { file, venue, orders, data, admin, instruments, fingerprint } = checked;
        output.line(format_args!("{} is good", file.display()))?;
        output.line(format_args!("  venue        {venue}"))?;
        output.line(format_args!("  orders       {orders}"))?;
        output.line(format_args!("  data         {data}"))?;
        output.line(format_args!("  admin        {}", admin.as_deref().unwrap_or("not opened")))?;
        output.line(format_args!("  instruments  {instruments}"))?;
        output.line(format_args!("  fingerprint  {fingerprint}"))
    }
}
