//! `uncross journal query`: everything that happened to an order, and why.

use clap::{ArgGroup, Args};
use serde::Serialize;
use uncross_server::audit::history::{History, OrderHistory, Step, Wanted, history};

use super::{Asked, in_words, parse_order, reader_of, sentence};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    progress,
};

const EXAMPLES: &str = "\
An order is followed from its entry through all replacements to its end, also into later days. Each
step names the record that caused it, a request that had no effect too, and where the order stands
behind it: the orders and the quantity before it at its price, and at better prices. Numbers and
references begin anew with each session: without --session the last one that knows them counts, and
the others are named.

Examples:
  uncross journal query ./venue --port 2 --number 1
  uncross journal query ./venue --port 2 --number 1 --json
  uncross journal query ./venue --trade 1";

/// Explain an order or a trade: what happened to it, when and why, and its place in the queue
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("wanted").required(true).args(["order", "number", "trade"]))]
pub(crate) struct Query {
    #[command(flatten)]
    asked: Asked,
    /// The order, by its public reference or as PORT:NUMBER or PORT:NUMBER:INDEX
    #[arg(long, value_name = "REF", value_parser = parse_order)]
    order: Option<Wanted>,
    /// Port of the order's owner
    #[arg(long, value_name = "PORT", requires = "number", conflicts_with_all = ["order", "trade"])]
    port: Option<u16>,
    /// The client's number of the order
    #[arg(long, value_name = "NUMBER", requires = "port")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    number: Option<u32>,
    /// Channel of the number (tag 28)
    #[arg(long, value_name = "INDEX", default_value_t = 0, requires = "number")]
    #[arg(conflicts_with_all = ["order", "trade"])]
    index: u8,
    /// Match number of a trade: both of its orders
    #[arg(long, value_name = "MATCH")]
    trade: Option<u64>,
    /// Name of the session
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    venue: String,
    #[serde(flatten)]
    history: History,
}

impl Query {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let reader = reader_of(&self.asked.dir)?;
        let (wanted, text) = self.wanted()?;
        let session = self.session.as_deref().map(str::trim);
        let look = || history(&reader, wanted, session);
        let found = progress::beside(output, &reader, None, look).map_err(Failure::from)?;
        let Some(history) = found else {
            let within = session.map_or_else(String::new, |name| format!(" in session {name}"));
            let message = format!("the journal knows no {text}{within}");
            return Err(Failure::new(&errors::NO_ORDER, message).into());
        };
        if output.is_json() {
            let venue = self.asked.dir.display().to_string();
            return output.json("uncross.journal.query/1", &Answer { venue, history });
        }
        show(&history, output)
    }

    /// What is asked for, and in words.
    fn wanted(&self) -> Result<(Wanted, String), Failure> {
        let Self { order, port, number, index, trade, .. } = *self;
        let of_client = || {
            let (port, number) = port.zip(number)?;
            Some(Wanted::Number { port, index, number })
        };
        let wanted = order.or_else(of_client).or_else(|| trade.map(Wanted::Trade));
        let wanted = wanted.ok_or_else(|| Failure::new(&errors::USAGE, "nothing is asked for"))?;
        Ok((wanted, in_words(wanted)))
    }
}

fn show(history: &History, output: &mut Output) -> Outcome {
    let History { session, also_in, trade, orders } = history;
    output.line(format_args!("session      {session}"))?;
    if !also_in.is_empty() {
        output.line(format_args!("also in      {}, see --session", also_in.join(", ")))?;
    }
    if let Some(trade) = trade {
        output.line(format_args!("record {}  {}", trade.seq, sentence::sentence(&trade.said)))?;
    }
    for order in orders {
        output.line("")?;
        show_order(order, output)?;
    }
    Ok(())
}

fn show_order(order: &OrderHistory, output: &mut Output) -> Outcome {
    let OrderHistory { order_reference, steps, is_alive } = order;
    let state = if *is_alive { "alive" } else { "over" };
    if order_reference.is_empty() {
        output.line("order        never accepted")?;
    } else {
        output.line(format_args!("order        reference {order_reference} at first, {state}"))?;
    }
    for Step { cause, event, position } in steps {
        let said = event.as_ref().map_or_else(
            || String::from("passed over: the request had no effect"),
            |event| sentence::sentence(&event.said),
        );
        output.line(format_args!("{}  {said}", sentence::time(cause.time_ns)))?;
        output.line(format_args!("    by {}", sentence::cause(cause)))?;
        if let Some(position) = position {
            output.line(format_args!("    {}", sentence::position(position)))?;
        }
    }
    Ok(())
}
