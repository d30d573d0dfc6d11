//! `uncross tape`: the trades of the day, and those that follow.

use std::collections::VecDeque;

use clap::Args;
use serde::Serialize;
use uncross_client::{
    Book, BookSide, Change, Symbol,
    book::Trade,
    wire::itch::{Message, codes::cross_type},
};
use uncross_server::config::{Config, units::parse_count};

use super::{
    feed::{Day, Origin, Step, Watch, Watching, clock, units_or_usual},
    session::unknown_symbol,
};
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
Each line is a trade: time of the venue, instrument, quantity and price, match number, and which
side took where the feed says it. Trades with hidden orders and crosses do not say who took. A trade
that was annulled later is told by a line of its own with its match number.
With --watch the command goes on; with --json each trade is then an object on a line of its own.
Without --venue prices are shown with 4 decimals and quantities without, as is usual.

Examples:
  uncross tape --venue ./venue --user ACME --password-file password.txt
  uncross tape DEMO --last 10 --venue ./venue --user ACME --password-file password.txt
  uncross tape --watch --for 1s --venue ./venue --user ACME --password-file password.txt";

/// Show the trades of the day, and with --watch those that follow
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tape {
    /// Only of this instrument
    #[arg(value_name = "SYMBOL")]
    symbol: Option<Symbol>,
    /// Begin at this message of the feed; 0 shows only what comes after the login
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// Of the trades before the login, only the last so many, for example 1k
    #[arg(long, value_name = "COUNT", value_parser = parse_count)]
    last: Option<u64>,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    origin: Origin,
}

/// One trade, or the end of one.
#[derive(Debug, Serialize)]
struct Print {
    /// `trade`, `hidden` (an order that was not displayed), `cross` or `broken`.
    kind: &'static str,
    /// Number of its message in the feed.
    number: u64,
    timestamp_ns: u64,
    time: String,
    symbol: String,
    /// Absent when a trade is annulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    /// As text: JSON numbers do not hold 64 bits everywhere.
    match_number: String,
    /// Which side took, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    aggressor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross: Option<&'static str>,
    /// Absent when it counts as volume.
    #[serde(skip_serializing_if = "is_true")]
    printable: bool,
}

#[derive(Serialize)]
struct All {
    next_number: u64,
    trades: VecDeque<Print>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_true(flag: &bool) -> bool {
    *flag
}

impl Tape {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (config, options) = self.origin.open()?;
        let watching = self.watch.begin()?;
        // One object at the end, or a bounded rest of the day, is kept until all is read.
        let is_kept = self.last.is_some() || (output.is_json() && watching.is_none());
        let kept_max = self.last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(0));
        let mut kept: VecDeque<Print> = VecDeque::new();
        let day = Day::catch_up_with(&options, |step| -> Outcome {
            let Some(print) = self.print(step, config.as_ref()) else {
                return Ok(());
            };
            if self.from == 0 {
                return Ok(());
            }
            if !is_kept {
                return print.show(output);
            }
            if kept.len() == kept_max {
                kept.pop_front();
            }
            if kept.len() < kept_max {
                kept.push_back(print);
            }
            Ok(())
        })?;
        if let Some(symbol) = self.symbol.filter(|symbol| day.books.by_symbol(*symbol).is_none()) {
            return Err(unknown_symbol(symbol).into());
        }
        if let Some(watching) = watching {
            kept.iter().try_for_each(|print| print.show(output))?;
            output.flush()?;
            return self.watch(day, &watching, config.as_ref(), output);
        }
        let next_number = day.feed.next_number();
        day.leave();
        if output.is_json() {
            return output.json("uncross.tape/1", &All { next_number, trades: kept });
        }
        kept.iter().try_for_each(|print| print.show(output))
    }

    fn watch(
        &self,
        mut day: Day,
        watching: &Watching,
        config: Option<&Config>,
        output: &mut Output,
    ) -> Outcome {
        while !watching.is_over() {
            watching.next(&mut day, None, |step| match self.print(step, config) {
                Some(print) => {
                    print.show(output)?;
                    output.flush()
                }
                None => Ok(()),
            })?;
        }
        day.leave();
        Ok(())
    }

    /// What a message adds to the tape, if anything.
    fn print(&self, step: &Step<'_>, config: Option<&Config>) -> Option<Print> {
        let Step { number, message, change, books } = *step;
        if number < self.from {
            return None;
        }
        let book = books.by_locate(change.locate()?)?;
        if self.symbol.is_some_and(|symbol| symbol != book.symbol()) {
            return None;
        }
        let cross = match message {
            Message::CrossTrade(cross) => Some(cross_type::text(cross.cross_type)),
            _ => None,
        };
        match change {
            Change::Executed { order, trade, .. } => {
                // The order that stood did not take.
                let taker = match order.side {
                    BookSide::Bid => "sell",
                    BookSide::Ask => "buy",
                };
                Some(Print { aggressor: Some(taker), ..Print::new(step, book, &trade, config) })
            }
            Change::Printed { trade, .. } => {
                let kind = if cross.is_some() { "cross" } else { "hidden" };
                Some(Print { kind, cross, ..Print::new(step, book, &trade, config) })
            }
            Change::Broken { match_number, .. } => {
                let timestamp_ns = books.timestamp_ns();
                Some(Print {
                    kind: "broken",
                    number,
                    timestamp_ns,
                    time: clock(timestamp_ns),
                    symbol: book.symbol().to_string(),
                    price: None,
                    quantity: None,
                    match_number: match_number.to_string(),
                    aggressor: None,
                    cross: None,
                    printable: true,
                })
            }
            Change::Day { .. }
            | Change::Listed { .. }
            | Change::State { .. }
            | Change::Added { .. }
            | Change::Reduced { .. }
            | Change::Deleted { .. }
            | Change::Replaced { .. }
            | Change::Unaffected => None,
        }
    }
}

impl Print {
    fn new(step: &Step<'_>, book: &Book, trade: &Trade, config: Option<&Config>) -> Self {
        let units = units_or_usual(config, book.symbol());
        Self {
            kind: "trade",
            number: step.number,
            timestamp_ns: trade.timestamp_ns,
            time: clock(trade.timestamp_ns),
            symbol: book.symbol().to_string(),
            price: Some(units.price(trade.price.into())),
            quantity: Some(units.qty(trade.shares)),
            match_number: trade.match_number.to_string(),
            aggressor: None,
            cross: None,
            printable: trade.printable,
        }
    }

    /// Writes it as a line or object.
    fn show(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.trade/1", self);
        }
        let Self { kind, time, symbol, price, quantity, match_number, .. } = self;
        let (Some(price), Some(quantity)) = (price, quantity) else {
            return output.line(format_args!("{time}  {symbol:<8}  {kind}  match {match_number}"));
        };
        let marks = [
            self.aggressor,
            (*kind != "trade").then_some(*kind),
            self.cross,
            (!self.printable).then_some("no volume"),
        ];
        let marks: String = marks.into_iter().flatten().flat_map(|mark| ["  ", mark]).collect();
        let what = format!("{quantity:>10} @ {price:<12}");
        output.line(format_args!("{time}  {symbol:<8}  {what}  match {match_number}{marks}"))
    }
}
