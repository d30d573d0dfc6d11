//! `uncross start`: runs a venue.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_admin::Admin;
use uncross_server::venue::{self, PassedOver, Recovered, Summary, Venue};

use super::venue::{Overrides, open};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::{
        LayoutReport, Stop, attend, hex, open_admin, start_log, take_admin, tell_layout, torn_text,
    },
};

/// Bytes of a page.
const PAGE: u64 = 4_096;

const EXAMPLES: &str = "\
Examples:
  uncross start ./venue
  uncross start ./venue --orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0
  uncross start ./venue --set core.pin=false";

/// Run the venue in a folder until Ctrl-C
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Start {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Listen for orders here instead; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    orders: Option<SocketAddr>,
    /// Listen for market data here instead; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    data: Option<SocketAddr>,
    /// Listen for operators here instead; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Serialize)]
struct Started<'a> {
    venue: &'a str,
    orders: SocketAddr,
    data: SocketAddr,
    /// None where `admin.enabled` is false.
    admin: Option<SocketAddr>,
    pid: u32,
    records: u64,
    /// Last record of the snapshot that the venue began from; none: the journal was replayed whole.
    snapshot_seq: Option<u64>,
    passed_over: Vec<Passed>,
    recovery_ms: u64,
    torn: Option<String>,
    layout: LayoutReport,
}

/// A snapshot that could not be used.
#[derive(Serialize)]
struct Passed {
    file: String,
    reason: String,
}

impl Passed {
    fn all(recovered: &Recovered) -> Vec<Self> {
        let passed = recovered.passed_over.iter();
        passed
            .map(|PassedOver { path, reason }| Self {
                file: path.display().to_string(),
                reason: reason.clone(),
            })
            .collect()
    }
}

impl Start {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut pairs = self.overrides.pairs.clone();
        let addresses = [
            ("orders.listen", self.orders),
            ("data.listen", self.data),
            ("admin.listen", self.admin),
        ];
        for (key, address) in addresses {
            pairs.extend(address.map(|address| (key.to_owned(), address.to_string())));
        }
        let (dir, config) = open(&self.dir, &pairs)?;
        let stop = Stop::on_signals()?;
        start_log();
        let bound = take_admin(&config)?;
        let running = venue::start(&config, &dir).map_err(Failure::from)?;
        let (running, admin) = open_admin(bound, running, &config, &dir)?;
        let (taken, configured) = (running.connections_max(), config.session.connections_max);
        if taken < configured {
            tracing::warn!(
                code = "connections",
                taken,
                configured,
                "fewer connections than configured: the limit of open files is too low"
            );
        }
        warn_of_large_folios(&running);
        let addr = admin.as_ref().map(Admin::addr);
        let announced = self.announce(&config.venue.name, &running, addr, output);
        if announced.is_ok() {
            attend(&running, &stop);
        }
        // Who acts is answered before the venue ends.
        if let Some(admin) = admin {
            admin.stop();
        }
        announced?;
        let summary = running.stop().map_err(Failure::from)?;
        tracing::info!(
            code = "stopped",
            last_seq = summary.last_seq,
            durable_seq = summary.durable_seq,
            state_hash = hex(&summary.state_hash),
            "stopped"
        );
        Ok(check_shadow(&summary)?)
    }

    fn announce(
        &self,
        name: &str,
        running: &Venue,
        admin: Option<SocketAddr>,
        output: &mut Output,
    ) -> Outcome {
        let recovered = running.recovered();
        let torn = recovered.torn.as_ref().map(torn_text);
        let (orders, data) = (running.orders_addr(), running.data_addr());
        if output.is_json() {
            let started = Started {
                venue: name,
                orders,
                data,
                admin,
                pid: std::process::id(),
                records: recovered.records,
                snapshot_seq: recovered.snapshot_seq,
                passed_over: Passed::all(recovered),
                recovery_ms: u64::try_from(recovered.took.as_millis()).unwrap_or(u64::MAX),
                torn,
                layout: LayoutReport::new(running.plan()),
            };
            output.json("uncross.start/1", &started)?;
            return output.flush();
        }
        output.line(format_args!("venue    {name} in {}", self.dir.display()))?;
        output.line(format_args!("orders   {orders}  SoupBinTCP/OUCH 5.0"))?;
        output.line(format_args!("data     {data}  SoupBinTCP/ITCH 5.0"))?;
        if let Some(admin) = admin {
            output.line(format_args!("admin    http://{admin}  token in admin.token"))?;
        }
        let Recovered { records, took, .. } = recovered;
        let from = match recovered.snapshot_seq {
            Some(seq) => format!("recovered from snapshot at {seq} + {records} records"),
            None => format!("{records} records replayed"),
        };
        output.line(format_args!("journal  {from} in {took:.1?}"))?;
        for Passed { file, reason } in Passed::all(recovered) {
            output.line(format_args!("         {file} is not used: {reason}"))?;
        }
        if let Some(torn) = torn {
            output.line(format_args!("         {torn}"))?;
        }
        tell_layout(running.plan(), output)?;
        output.line("Ctrl-C stops it.")?;
        output.flush()
    }
}

/// Whether the journal leads to the state that the venue ended in, where a shadow can tell.
fn check_shadow(summary: &Summary) -> Result<(), Failure> {
    let differs = |hash: &[u8; 32]| *hash != summary.state_hash;
    let Some(hash) = summary.shadow_state_hash.filter(differs) else {
        return Ok(());
    };
    tracing::error!(
        code = "shadow-differs",
        shadow_state_hash = hex(&hash),
        "the journal leads to another state than the venue was in"
    );
    let message =
        format!("the journal leads to another state than the venue was in: {}", hex(&hash));
    Err(Failure::new(&errors::HASH_MISMATCH, message))
}

/// Says that each sync of the journal writes more here than it needs to.
fn warn_of_large_folios(running: &Venue) {
    if let Some(bytes) = running.recovered().bytes_of_a_change.filter(|bytes| PAGE < *bytes) {
        tracing::warn!(
            code = "large-folios",
            bytes,
            "the journal's file system writes more than one page for each page that changes"
        );
    }
}

#[cfg(test)]
mod tests {
    use uncross_server::publisher::Delay;

    use super::*;

    #[test]
    fn a_shadow_in_another_state_at_the_end_is_an_integrity_mismatch() {
        let summary = Summary {
            last_seq: 9,
            durable_seq: 9,
            state_hash: [1; 32],
            shadow_state_hash: None,
            output_hash: 7,
            feed_delay: Delay::default(),
        };
        assert!(check_shadow(&summary).is_ok(), "no shadow came to the end");
        let same = Summary { shadow_state_hash: Some([1; 32]), ..summary };
        assert!(check_shadow(&same).is_ok());
        let other = Summary { shadow_state_hash: Some([2; 32]), ..summary };
        let failure = check_shadow(&other).unwrap_err();
        assert_eq!((failure.code.id, failure.code.exit as u8), ("UX-J006", 6));
        assert!(failure.message.ends_with(&"02".repeat(32)), "{}", failure.message);
    }
}
