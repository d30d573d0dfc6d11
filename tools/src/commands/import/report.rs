//! What an import came to, for people and machines.

use serde::Serialize;
use uncross_client::{Book, BookSide, Symbol};

use super::{
    lobster::Messages,
    plan::{Execution, Plan},
    play::{Fill, Played, is_reproduced},
};
use crate::{
    commands::{
        book::picture::{Level, Shown, checksum, ladder, levels},
        session::Units,
    },
    output::{Outcome, Output},
};

/// Levels of each side that are shown.
const DEPTH: usize = 10;
/// Executions that were not reproduced and are shown.
const FAILED_MAX: usize = 20;

/// What an import came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    symbol: String,
    /// Lines of the file.
    events: u64,
    /// Events that concern no visible order.
    dropped: u32,
    /// Orders entered, those that take included.
    orders: u64,
    rested_before: u32,
    cancels: u32,
    pub(super) rejected: u32,
    /// Executions that the file tells of.
    pub(super) executions: usize,
    pub(super) reproduced: usize,
    /// Trades that the file does not tell of.
    unexpected_trades: u32,
    /// The first that were not reproduced.
    failed: Vec<Failed>,
    book: Sides,
    checksum: String,
    /// To the microsecond.
    elapsed_ms: f64,
    messages_per_s: u64,
    /// Of a venue that was made for the import.
    #[serde(flatten)]
    end: Option<End>,
}

/// An execution that was not reproduced.
#[derive(Debug, Serialize)]
struct Failed {
    line: u32,
    expected: Trade,
    found: Vec<Trade>,
}

/// One side of a trade.
#[derive(Debug, Serialize)]
struct Trade {
    /// The file's id of the maker; `None` for an order that is not of the file.
    order_id: Option<u64>,
    quantity: String,
    price: String,
}

#[derive(Debug, Serialize)]
struct Sides {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// How the journal of the venue ended.
#[derive(Debug, Serialize)]
struct End {
    last_seq: u64,
    state_hash: String,
}

impl Report {
    /// Compares what was planned and what came of it.
    pub(super) fn new(
        symbol: Symbol,
        messages: &Messages,
        plan: &Plan,
        played: &Played,
        book: &Book,
    ) -> Self {
        let units = Units::default();
        let pairs = || plan.executions.iter().zip(&played.fills);
        let failed = pairs().filter(|(execution, fills)| !is_reproduced(execution, fills));
        let shown = Shown { depth: DEPTH, has_queue: false };
        let sent = (plan.steps.len() as u64).saturating_mul(1_000_000);
        let micros = u64::try_from(played.elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        Self {
            file: String::new(),
            symbol: symbol.to_string(),
            events: messages.events.len() as u64 + u64::from(messages.dropped),
            dropped: messages.dropped,
            orders: plan.ids.len() as u64,
            rested_before: plan.rested_before,
            cancels: plan.cancels,
            rejected: played.rejected,
            executions: plan.executions.len(),
            reproduced: pairs().filter(|(expected, fills)| is_reproduced(expected, fills)).count(),
            unexpected_trades: played.unexpected,
            failed: failed
                .take(FAILED_MAX)
                .map(|(execution, fills)| Failed::new(execution, fills, &plan.ids, units))
                .collect(),
            book: Sides {
                bids: levels(book, BookSide::Bid, units, shown),
                asks: levels(book, BookSide::Ask, units, shown),
            },
            checksum: checksum(book),
            elapsed_ms: (played.elapsed.as_secs_f64() * 1e6).round() / 1e3,
            messages_per_s: sent / micros,
            end: None,
        }
    }

    /// Notes how the venue ended.
    pub(super) fn note_end(&mut self, last_seq: u64, state_hash: String) {
        self.end = Some(End { last_seq, state_hash });
    }

    /// Writes it.
    pub(super) fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.import.lobster/1", self);
        }
        let Self { events, dropped, orders, rested_before, cancels, rejected, .. } = self;
        output.line(format_args!("{} as {}", self.file, self.symbol))?;
        output.line(format_args!("  events      {events}, {dropped} of them dropped"))?;
        output.line(format_args!(
            "  orders      {orders}, {rested_before} rested before; {rejected} rejected"
        ))?;
        output.line(format_args!("  cancels     {cancels}"))?;
        let Self { executions, reproduced, unexpected_trades, failed, .. } = self;
        output.line(format_args!("  executions  {executions}"))?;
        output.line(format_args!(
            "  reproduced  {reproduced}, and {unexpected_trades} trades not in the file"
        ))?;
        for failed in failed {
            output.line(format_args!("    {}", failed.text()))?;
        }
        let more = (executions - reproduced).saturating_sub(failed.len());
        if 0 < more {
            output.line(format_args!("    and {more} more"))?;
        }
        let Self { elapsed_ms, messages_per_s, checksum, book, .. } = self;
        output.line(format_args!("  took        {elapsed_ms} ms, {messages_per_s} messages/s"))?;
        output.line(format_args!("  checksum    {checksum}  of the final book"))?;
        if let Some(End { last_seq, state_hash }) = &self.end {
            output.line(format_args!("  journal     {last_seq} records"))?;
            output.line(format_args!("  state hash  {state_hash}"))?;
        }
        output.line("")?;
        for line in ladder(&book.bids, &book.asks) {
            output.line(line)?;
        }
        Ok(())
    }
}

impl Failed {
    fn new(execution: &Execution, fills: &[Fill], ids: &[Option<u64>], units: Units) -> Self {
        let id = |place: u32| ids.get(place as usize).copied().flatten();
        let Execution { line, maker, shares, price, .. } = *execution;
        let trade = |order_id, shares: u32, price| Trade {
            order_id,
            quantity: units.qty(shares.into()),
            price: units.price(price),
        };
        let found =
            fills.iter().map(|fill| trade(fill.maker.and_then(id), fill.shares, fill.price));
        Self { line, expected: trade(id(maker), shares, price.into()), found: found.collect() }
    }

    fn text(&self) -> String {
        let found: Vec<_> = self.found.iter().map(Trade::text).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        format!("line {}: expected {}, found {found}", self.line, self.expected.text())
    }
}

impl Trade {
    fn text(&self) -> String {
        let Self { order_id, quantity, price } = self;
        match order_id {
            Some(id) => format!("{quantity} @ {price} of order {id}"),
            None => format!("{quantity} @ {price} of an order that is not of the file"),
        }
    }
}
