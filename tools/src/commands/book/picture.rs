//! An order book as it is shown: a ladder for people, an object for machines, a line per change.

use serde::Serialize;
use uncross_client::{
    Book, BookSide,
    wire::{itch::codes::trading_state, text::trim},
};

use crate::{
    commands::session::Units,
    output::{Outcome, Output},
};

/// How much of a book is shown.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Shown {
    /// Levels of each side.
    pub(in crate::commands) depth: usize,
    /// Whether the orders of each level are shown one by one.
    pub(in crate::commands) has_queue: bool,
}

/// A book at one moment, in the units of people.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Picture {
    symbol: String,
    /// Number of the first message of the feed that is not in it.
    next_number: u64,
    trading_state: &'static str,
    bids: Vec<Level>,
    asks: Vec<Level>,
    order_count: usize,
    last_trade: Option<LastTrade>,
    checksum: String,
}

/// One price level.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Level {
    price: String,
    quantity: String,
    orders: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Vec<Queued>>,
}

/// One order of a level.
#[derive(Debug, Serialize)]
struct Queued {
    /// As text: JSON numbers do not hold 64 bits everywhere.
    order_reference: String,
    quantity: String,
}

#[derive(Debug, Serialize)]
struct LastTrade {
    price: String,
    quantity: String,
    match_number: String,
}

impl Picture {
    /// The book as it is now.
    pub(in crate::commands) fn new(book: &Book, units: Units, shown: Shown, next: u64) -> Self {
        let last_trade = book.last_trade().map(|trade| LastTrade {
            price: units.price(trade.price.into()),
            quantity: units.qty(trade.shares),
            match_number: trade.match_number.to_string(),
        });
        Self {
            symbol: String::from_utf8_lossy(trim(&book.symbol().to_wire())).into_owned(),
            next_number: next,
            trading_state: book.trading_state().map_or("unknown", trading_state::text),
            bids: levels(book, BookSide::Bid, units, shown),
            asks: levels(book, BookSide::Ask, units, shown),
            order_count: book.order_count(),
            last_trade,
            checksum: checksum(book),
        }
    }

    /// Writes it whole.
    pub(in crate::commands) fn show(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.book/1", self);
        }
        let Self { symbol, trading_state, next_number, checksum, .. } = self;
        output.line(format_args!("{symbol}  {trading_state}, before message {next_number}"))?;
        output.line("")?;
        for line in ladder(&self.bids, &self.asks) {
            output.line(line)?;
        }
        output.line("")?;
        for line in self.queue_lines() {
            output.line(line)?;
        }
        match &self.last_trade {
            Some(LastTrade { price, quantity, match_number }) => {
                output
                    .line(format_args!("last trade  {quantity} @ {price}, match {match_number}"))?;
            }
            None => output.line("last trade  none")?,
        }
        output.line(format_args!("checksum    {checksum}"))
    }

    /// The best of it in a line.
    pub(in crate::commands) fn line(&self) -> String {
        let best = |levels: &[Level]| match levels.first() {
            Some(Level { price, quantity, .. }) => format!("{quantity} @ {price}"),
            None => "none".to_owned(),
        };
        let last = match &self.last_trade {
            Some(LastTrade { price, quantity, .. }) => format!("{quantity} @ {price}"),
            None => "none".to_owned(),
        };
        let Self { next_number, symbol, bids, asks, checksum, .. } = self;
        let (bid, ask) = (best(bids), best(asks));
        format!("{next_number} {symbol}  bid {bid}  ask {ask}  last {last}  checksum {checksum}")
    }

    fn queue_lines(&self) -> Vec<String> {
        let sides = [("bid", &self.bids), ("ask", &self.asks)];
        let levels = sides.into_iter().flat_map(|(name, levels)| {
            levels.iter().filter_map(move |level| Some((name, level, level.queue.as_ref()?)))
        });
        levels
            .flat_map(|(name, level, queue)| {
                queue.iter().map(move |queued| {
                    let Queued { order_reference, quantity } = queued;
                    format!("{name} {}  {quantity}  order {order_reference}", level.price)
                })
            })
            .collect()
    }
}

/// The best levels of one side.
pub(in crate::commands) fn levels(
    book: &Book,
    side: BookSide,
    units: Units,
    shown: Shown,
) -> Vec<Level> {
    let mut orders = book.orders(side);
    let mut next_queue = |count: usize| {
        let queue = orders.by_ref().take(count).map(|order| Queued {
            order_reference: order.reference.to_string(),
            quantity: units.qty(order.shares.into()),
        });
        queue.collect()
    };
    book.levels(side)
        .take(shown.depth)
        .map(|level| Level {
            price: units.price(level.price.into()),
            quantity: units.qty(level.shares),
            orders: level.orders,
            queue: shown.has_queue.then(|| next_queue(level.orders)),
        })
        .collect()
}

/// The checksum of a book as it is written.
pub(in crate::commands) fn checksum(book: &Book) -> String {
    format!("{:016x}", book.checksum())
}

/// Both sides beside each other, best level first, prices in the middle.
pub(in crate::commands) fn ladder(bids: &[Level], asks: &[Level]) -> Vec<String> {
    let cells = |level: Option<&Level>| match level {
        Some(Level { price, quantity, orders, .. }) => {
            [orders.to_string(), quantity.clone(), price.clone()]
        }
        None => [const { String::new() }; 3],
    };
    let mut rows =
        vec![["orders", "quantity", "bid", "ask", "quantity", "orders"].map(String::from)];
    for index in 0..bids.len().max(asks.len()) {
        let [bid_orders, bid_qty, bid] = cells(bids.get(index));
        let [ask_orders, ask_qty, ask] = cells(asks.get(index));
        rows.push([bid_orders, bid_qty, bid, ask, ask_qty, ask_orders]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let [w0, w1, w2, w3, w4, w5] = std::array::from_fn(width);
    rows.iter()
        .map(|[bid_orders, bid_qty, bid, ask, ask_qty, ask_orders]| {
            let bids = format!("{bid_orders:>w0$}  {bid_qty:>w1$}  {bid:>w2$}");
            format!("{bids} | {ask:>w3$}  {ask_qty:>w4$}  {ask_orders:>w5$}").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: &str, quantity: &str, orders: usize) -> Level {
        Level { price: price.to_owned(), quantity: quantity.to_owned(), orders, queue: None }
    }

    #[test]
    fn ladder_stands_in_columns_also_when_one_side_is_shorter() {
        let bids = [level("10.05", "100", 1), level("9.99", "20000000", 12)];
        let asks = [level("10.06", "7", 1)];
        let expected = [
            "orders  quantity    bid |   ask  quantity  orders",
            "     1       100  10.05 | 10.06         7       1",
            "    12  20000000   9.99 |",
        ];
        assert_eq!(ladder(&bids, &asks), expected);
    }
}
