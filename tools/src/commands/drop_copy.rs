//! `uncross drop-copy`: the reports of a firm's ports, and those that follow.

use std::{collections::VecDeque, path::PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_client::{
    CopiedReport, DropCopyReader, Error, ProtocolError,
    wire::{DecodeError, Layout as _, drop_copy::Envelope},
};
use uncross_server::config::units::parse_count;

use super::{
    feed::{Watch, Watching},
    session::{Door, Login, PATIENCE, address, configuration, parse_address},
};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
};

mod report;

use report::{Orders, Told};

const EXAMPLES: &str = "\
Each line is a report that a port of the firm got: time of the venue, port, order, and what it says.
The user must be one for drop copies, made with uncross user add NAME --drop-copy FIRM; its firm
decides whose reports these are. Reports of port 0 are about the stream itself.
With --watch the command goes on; with --json each report is then an object on a line of its own.
Without --venue, and of orders that stood before the day, prices are shown with 4 decimals and
quantities without, as is usual.

Examples:
  uncross drop-copy --venue ./venue --user RISK --password-file password.txt
  uncross drop-copy --from 2 --json --venue ./venue --user RISK --password-file password.txt
  uncross drop-copy --watch --for 1s --venue ./venue --user RISK --password-file password.txt";

/// Show the reports of a firm's ports, and with --watch those that follow
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DropCopy {
    /// Begin at this drop copy of the day; 0 shows only what comes after the login
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// Of the reports before the login, only the last so many, for example 1k
    #[arg(long, value_name = "COUNT", value_parser = parse_count)]
    last: Option<u64>,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    login: Login,
    /// Take the address and the decimals from the venue in this folder
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead; 127.0.0.1:9001 when there is no --venue either
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    orders: Option<String>,
}

#[derive(Serialize)]
struct All {
    next_number: u64,
    reports: VecDeque<Told>,
}

/// What is kept of the reports before the login until all are read.
struct Kept {
    max: usize,
    reports: VecDeque<Told>,
}

impl Kept {
    fn put(&mut self, told: Told) {
        if self.reports.len() == self.max {
            self.reports.pop_front();
        }
        if self.reports.len() < self.max {
            self.reports.push_back(told);
        }
    }
}

impl DropCopy {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let config = configuration(self.venue.as_deref())?;
        let address = address(self.orders.as_deref(), config.as_ref(), Door::Orders)?;
        let options = self.login.options(&address)?;
        let watching = self.watch.begin()?;
        // A login for live messages tells how many there were; all of them are read, because a
        // report about an order does not repeat its instrument.
        let live = DropCopyReader::connect(&options.clone().from_number(0));
        let live = live.map_err(Failure::from)?;
        let (session, next) = (live.session().to_owned(), live.next_number());
        if self.from > next {
            let message = format!("drop copy {} is not there yet: {next} is the next", self.from);
            return Err(Failure::new(&errors::NO_NUMBER, message).into());
        }
        drop(live.logout());
        let resumed = options.resuming(session, 1);
        let mut reader = DropCopyReader::connect(&resumed).map_err(Failure::from)?;
        let mut orders = Orders::new(config.as_ref());
        let is_kept = self.last.is_some() || (output.is_json() && watching.is_none());
        let max = self.last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(0));
        let mut kept = Kept { max, reports: VecDeque::new() };
        let from = if self.from == 0 { next } else { self.from };
        while reader.next_number() < next {
            let due = reader.next_number();
            let Some(copied) = reader.next_message(PATIENCE).map_err(failure)? else {
                let message = format!("drop copy {due} of the day did not come");
                return Err(Failure::new(&errors::NO_ANSWER, message).into());
            };
            let told = orders.tell(&copied);
            if told.number < from {
                continue;
            }
            if is_kept { kept.put(told) } else { told.show(output)? }
        }
        if let Some(watching) = watching {
            kept.reports.iter().try_for_each(|told| told.show(output))?;
            output.flush()?;
            follow(&mut reader, &mut orders, &watching, output)?;
            drop(reader.logout());
            return Ok(());
        }
        drop(reader.logout());
        if output.is_json() {
            let all = All { next_number: next, reports: kept.reports };
            return output.json("uncross.drop-copies/1", &all);
        }
        kept.reports.iter().try_for_each(|told| told.show(output))
    }
}

/// Shows what comes until somebody, or the clock, ends it.
fn follow(
    reader: &mut DropCopyReader,
    orders: &mut Orders<'_>,
    watching: &Watching,
    output: &mut Output,
) -> Outcome {
    while !watching.is_over() {
        let copied: Option<CopiedReport<'_>> =
            reader.next_message(watching.patience()).map_err(failure)?;
        if let Some(copied) = copied {
            orders.tell(&copied).show(output)?;
            output.flush()?;
        }
    }
    Ok(())
}

/// Says what is the matter when reports come without envelopes.
fn failure(error: Error) -> Failure {
    let is_bare = matches!(
        &error,
        Error::Protocol(ProtocolError::Message { error: DecodeError::UnknownType { found }, .. })
            if *found != Envelope::KIND
    );
    let failure = Failure::from(error);
    if is_bare {
        failure
            .cause("the user has a port of its own, or the address is that of market data")
            .fix("name a user made with uncross user add NAME --drop-copy FIRM, at the order port")
    } else {
        failure
    }
}
