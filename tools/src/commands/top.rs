//! `uncross top`: the best prices, the last trade and the volume of every instrument.

use std::{
    collections::HashMap,
    io::{IsTerminal, stdout},
    time::{Duration, Instant},
};

use clap::Args;
use serde::Serialize;
use uncross_client::{Book, BookSide, Books, Symbol, wire::itch::codes::trading_state};
use uncross_server::config::Config;

use super::{
    feed::{CLEAR, Day, Origin, Watch, Watching, units_or_usual},
    session::unknown_symbol,
};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
Volume counts the trades of the day. With --watch the table is drawn again whenever it changes;
elsewhere than on a terminal each change is a line of its instrument, or with --json an object.
Without --venue prices are shown with 4 decimals and quantities without, as is usual.

Examples:
  uncross top --venue ./venue --user ACME --password-file password.txt
  uncross top DEMO COIN --venue ./venue --user ACME --password-file password.txt
  uncross top --watch --for 1s --venue ./venue --user ACME --password-file password.txt";

/// Shortest time between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(100);
const HEADINGS: [&str; 8] =
    ["SYMBOL", "STATE", "BID QTY", "BID", "ASK", "ASK QTY", "LAST", "VOLUME"];

/// Show best prices, last trade and volume of the instruments
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Top {
    /// Instruments; all without any
    #[arg(value_name = "SYMBOL")]
    symbols: Vec<Symbol>,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    origin: Origin,
}

/// The best of one side.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Best {
    price: String,
    quantity: String,
}

/// An instrument in a line.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    symbol: String,
    trading_state: &'static str,
    bid: Option<Best>,
    ask: Option<Best>,
    last: Option<Best>,
    volume: String,
    trades: u64,
}

#[derive(Serialize)]
struct All {
    next_number: u64,
    instruments: Vec<Line>,
}

impl Line {
    fn new(book: &Book, config: Option<&Config>) -> Self {
        let units = units_or_usual(config, book.symbol());
        let best = |side| {
            book.best(side).map(|depth| Best {
                price: units.price(depth.price.into()),
                quantity: units.qty(depth.shares),
            })
        };
        Self {
            symbol: book.symbol().to_string(),
            trading_state: book.trading_state().map_or("unknown", trading_state::text),
            bid: best(BookSide::Bid),
            ask: best(BookSide::Ask),
            last: book.last_trade().map(|trade| Best {
                price: units.price(trade.price.into()),
                quantity: units.qty(trade.shares),
            }),
            volume: units.qty(book.volume()),
            trades: book.trade_count(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let cells = |best: &Option<Best>| {
            let none = || (String::from("-"), String::from("-"));
            best.as_ref().map_or_else(none, |best| (best.price.clone(), best.quantity.clone()))
        };
        let ((bid, bid_qty), (ask, ask_qty)) = (cells(&self.bid), cells(&self.ask));
        let (last, _) = cells(&self.last);
        let (symbol, state) = (self.symbol.clone(), self.trading_state.to_owned());
        vec![symbol, state, bid_qty, bid, ask, ask_qty, last, self.volume.clone()]
    }

    /// Writes it as a line or object.
    fn show(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.top-line/1", self);
        }
        let text = |best: &Option<Best>| match best {
            Some(Best { price, quantity }) => format!("{quantity} @ {price}"),
            None => "none".to_owned(),
        };
        let Self { symbol, bid, ask, last, volume, .. } = self;
        let (bid, ask, last) = (text(bid), text(ask), text(last));
        output.line(format_args!("{symbol}  bid {bid}  ask {ask}  last {last}  volume {volume}"))
    }
}

impl Top {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let (config, options) = self.origin.open()?;
        let watching = self.watch.begin()?;
        let day = Day::catch_up(&options)?;
        let lines = self.lines(&day.books, config.as_ref())?;
        if let Some(watching) = watching {
            return if stdout().is_terminal() && !output.is_json() {
                self.redraw(day, &watching, config.as_ref(), output)
            } else {
                self.follow(day, &watching, config.as_ref(), output)
            };
        }
        let next_number = day.feed.next_number();
        day.leave();
        if output.is_json() {
            return output.json("uncross.top/1", &All { next_number, instruments: lines });
        }
        let rows: Vec<_> = lines.iter().map(Line::cells).collect();
        output.table(&HEADINGS, &rows)
    }

    fn lines(&self, books: &Books, config: Option<&Config>) -> Result<Vec<Line>, Failure> {
        if self.symbols.is_empty() {
            return Ok(books.iter().map(|book| Line::new(book, config)).collect());
        }
        let find = |symbol: &Symbol| {
            let book = books.by_symbol(*symbol).ok_or_else(|| unknown_symbol(*symbol))?;
            Ok(Line::new(book, config))
        };
        self.symbols.iter().map(find).collect()
    }

    /// Draws the table over the old one whenever it changed.
    fn redraw(
        &self,
        mut day: Day,
        watching: &Watching,
        config: Option<&Config>,
        output: &mut Output,
    ) -> Outcome {
        let (mut is_due, mut drawn) = (true, None::<Instant>);
        while !watching.is_over() {
            if is_due && drawn.is_none_or(|at| REDRAW <= at.elapsed()) {
                let rows: Vec<_> =
                    self.lines(&day.books, config)?.iter().map(Line::cells).collect();
                output.text(CLEAR)?;
                output.table(&HEADINGS, &rows)?;
                output.flush()?;
                (is_due, drawn) = (false, Some(Instant::now()));
            }
            watching.next(&mut day, is_due.then_some(REDRAW), |step| {
                is_due |= step.change.locate().is_some();
                Ok(())
            })?;
        }
        day.leave();
        Ok(())
    }

    /// Writes the line of an instrument whenever it changed, all of them at first.
    fn follow(
        &self,
        mut day: Day,
        watching: &Watching,
        config: Option<&Config>,
        output: &mut Output,
    ) -> Outcome {
        let mut told: HashMap<String, Line> = HashMap::new();
        for line in self.lines(&day.books, config)? {
            line.show(output)?;
            told.insert(line.symbol.clone(), line);
        }
        output.flush()?;
        while !watching.is_over() {
            watching.next(&mut day, None, |step| {
                let book = step.change.locate().and_then(|locate| step.books.by_locate(locate));
                let Some(book) = book.filter(|book| self.is_meant(book.symbol())) else {
                    return Ok(());
                };
                let line = Line::new(book, config);
                if told.get(&line.symbol) != Some(&line) {
                    line.show(output)?;
                    output.flush()?;
                    told.insert(line.symbol.clone(), line);
                }
                Ok(())
            })?;
        }
        day.leave();
        Ok(())
    }

    fn is_meant(&self, symbol: Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(&symbol)
    }
}
