//! `uncross version`: what this program is.

use clap::Args;
use serde::Serialize;
use uncross_server::{
    build_text,
    config::{Layout, Level},
};

use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
Examples:
  uncross version
  uncross version --verbose
  uncross version --json";

/// Print the version
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Version {
    /// Also print how it was built and what it can do
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Serialize)]
struct About {
    version: &'static str,
    /// As in the journals that it writes.
    build: String,
    target: String,
    profile: &'static str,
    order_entry: &'static str,
    market_data: &'static str,
    layouts: Vec<&'static str>,
    journal_levels: Vec<&'static str>,
}

impl Version {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let about = About {
            version: env!("CARGO_PKG_VERSION"),
            build: build_text(),
            target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            order_entry: "SoupBinTCP 3.00, OUCH 5.0",
            market_data: "SoupBinTCP 3.00, ITCH 5.0",
            layouts: [Layout::Auto, Layout::Fused, Layout::Split].map(Layout::name).to_vec(),
            journal_levels: Level::ALL.map(Level::name).to_vec(),
        };
        if output.is_json() {
            return output.json("uncross.version/1", &about);
        }
        let About { version, build, target, profile, order_entry, market_data, .. } = &about;
        output.line(format_args!("uncross {version}"))?;
        if !self.verbose {
            return Ok(());
        }
        output.line(format_args!("build           {build}"))?;
        output.line(format_args!("target          {target}"))?;
        output.line(format_args!("profile         {profile}"))?;
        output.line(format_args!("order entry     {order_entry}"))?;
        output.line(format_args!("market data     {market_data}"))?;
        output.line(format_args!("layouts         {}", about.layouts.join(", ")))?;
        output.line(format_args!("journal levels  {}", about.journal_levels.join(", ")))
    }
}
