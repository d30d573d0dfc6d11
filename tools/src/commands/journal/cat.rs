//! `uncross journal cat`: the records themselves.

use std::io;

use clap::Args;
use uncross_server::{
    audit::{
        cat::{CatError, Filter, cat},
        history::Wanted,
        moment::Moment,
        told::{KINDS, RecordLine},
    },
    journal::kind,
};

use super::{Asked, in_words, outside_failure, parse_order, reader_of};
use crate::{
    errors::{self, Failure},
    output::{End, Outcome, Output},
    progress,
};

const EXAMPLES: &str = "\
A moment is a sequence number or a time in UTC: 17, 2026-11-25T09:30:00Z or, to the nanosecond,
2026-11-25T09:30:00.000000001Z. What lies before --from is not read. A cancel, modify or replace
names its order and not the instrument: behind --from its quantity and price may therefore be told
in units of the instrument (quantity_units, price_units), unless --resolve has the journal applied
from its beginning. --instrument does so too; it shows the records that name the instrument or an
order of it that is alive, and those that affect one. --order shows those that did something to an
order or named it, through all of its replacements: requests, the other side of its trades, mass
cancels, expiries; the journal is applied from its beginning. With --json each line is an object of
its own.

Examples:
  uncross journal cat ./venue --to 20
  uncross journal cat ./venue --from 100 --to 120 --json
  uncross journal cat ./venue --kind session_up --kind session_down
  uncross journal cat ./venue --port 2 --number 1
  uncross journal cat ./venue --order 2:1
  uncross journal cat ./venue --instrument DEMO --kind replace | head";

/// Print records of a venue's journal, as text or JSON lines
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cat {
    #[command(flatten)]
    asked: Asked,
    /// First sequence number or time
    #[arg(long, value_name = "MOMENT")]
    from: Option<Moment>,
    /// Last sequence number or time
    #[arg(long, value_name = "MOMENT")]
    to: Option<Moment>,
    /// Records about an instrument, by its symbol
    #[arg(long, value_name = "SYMBOL")]
    instrument: Option<String>,
    /// Records of a port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Records that name this order number of the client
    #[arg(long, value_name = "NUMBER")]
    number: Option<u32>,
    /// Channel of the number (tag 28)
    #[arg(long, value_name = "INDEX")]
    index: Option<u8>,
    /// Records about an order, by its public reference or as PORT:NUMBER or PORT:NUMBER:INDEX
    #[arg(long, value_name = "REF", value_parser = parse_order)]
    order: Option<Wanted>,
    /// Name of the session that the order is of; otherwise the last one that knows it
    #[arg(long, value_name = "NAME", requires = "order")]
    session: Option<String>,
    /// Records of a kind; may be given several times
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Vec<u8>,
    /// Apply the journal from its beginning, to know the instrument of every order
    #[arg(long)]
    resolve: bool,
}

/// A kind by its name.
fn parse_kind(name: &str) -> Result<u8, String> {
    let shown = || KINDS.iter().filter(|(code, _)| kind::is_told(*code));
    let found = shown().find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(code, _)| *code).ok_or_else(|| {
        let names: Vec<_> = shown().map(|(_, name)| *name).collect();
        format!("kinds are {}", names.join(", "))
    })
}

impl Cat {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let reader = reader_of(&self.asked.dir)?;
        let filter = Filter {
            from: self.from,
            to: self.to,
            symbol: self.instrument.as_ref().map(|it| it.trim().to_ascii_uppercase()),
            port: self.port,
            number: self.number,
            index: self.index,
            order: self
                .order
                .map(|wanted| (wanted, self.session.as_ref().map(|name| name.trim().to_owned()))),
            kinds: self.kind.clone(),
            is_resolved: self.resolve,
        };
        if let (Some(Moment::Seq(from)), Some(Moment::Seq(to))) = (self.from, self.to)
            && to < from
        {
            let message = format!("--from {from} is behind --to {to}");
            return Err(Failure::new(&errors::USAGE, message).into());
        }
        if filter.order.is_none() {
            return cat(&reader, &filter, |line| show(line, output))
                .map_err(|error| end_of(error, None));
        }
        // What happened to an order is found in two readings, and shown in a third.
        let bar = progress::over_records(output, &reader, None);
        let mut beside = |line: &RecordLine| bar.suspend(|| show(line, output));
        let shown = progress::while_read(&bar, &reader, || cat(&reader, &filter, &mut beside));
        shown.map_err(|error| end_of(error, self.order))
    }
}

fn show(line: &RecordLine, output: &mut Output) -> io::Result<()> {
    let shown = if output.is_json() {
        output.json("uncross.journal.record/1", line)
    } else {
        output.line(line)
    };
    match shown {
        Ok(()) => Ok(()),
        Err(End::Unread) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(End::Failed(failure)) => Err(io::Error::other(failure.message)),
    }
}

fn end_of(error: CatError, order: Option<Wanted>) -> End {
    match error {
        CatError::Read(error) => Failure::from(error).into(),
        CatError::Apply(error) => Failure::from(error).into(),
        CatError::Outside(outside) => outside_failure(&outside).into(),
        CatError::Symbol(symbol, known) => no_instrument(&symbol, &known).into(),
        CatError::Order => {
            let order = order.map_or_else(|| "such order".to_owned(), in_words);
            Failure::new(&errors::NO_ORDER, format!("the journal knows no {order}")).into()
        }
        CatError::Taker(error) => error.into(),
    }
}

/// Refuses a symbol that the journal does not list.
pub(super) fn no_instrument(symbol: &str, known: &[String]) -> Failure {
    let message = format!("the journal lists no instrument {symbol}");
    let failure = Failure::new(&errors::NO_INSTRUMENT, message);
    if known.is_empty() { failure } else { failure.fix(format!("it lists {}", known.join(", "))) }
}
