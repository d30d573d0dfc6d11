//! The crate `orderbook-rs`: one book per symbol, fills told to a listener.

use std::{
    fmt,
    hint::black_box,
    sync::{Arc, Mutex, PoisonError},
};

use orderbook_rs::{Id, OrderBook, Side, TimeInForce, TradeResult};
use pricelevel::{OrderUpdate, Price};
use uncross_engine::types;

use crate::core::{
    contest::Contender,
    plan::Plan,
    workload::{Op, Record, Tally},
};

/// Maker, taker, price and quantity.
type Fill = [u64; 4];

/// One book per symbol.
pub(in crate::core) struct Orderbook<'a> {
    records: &'a [Record],
    books: Vec<OrderBook<()>>,
    /// What the listeners have heard of the command.
    fills: Arc<Mutex<Vec<Fill>>>,
    trades: u64,
}

impl fmt::Debug for Orderbook<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Orderbook({} books, {} trades)", self.books.len(), self.trades)
    }
}

impl Orderbook<'_> {
    #[inline]
    fn say(&self, at: usize) {
        let record = &self.records[at];
        let book = &self.books[usize::from(record.symbol)];
        let id = Id::sequential(u64::from(record.id));
        match record.op {
            Op::Limit | Op::Ioc => {
                let side = match record.side {
                    types::Side::Bid => Side::Buy,
                    types::Side::Ask => Side::Sell,
                };
                let time_in_force =
                    if record.op == Op::Ioc { TimeInForce::Ioc } else { TimeInForce::Gtc };
                let (px, qty) = (u128::from(record.px), u64::from(record.qty));
                // That an order taken immediately leaves a rest is an error to this book.
                drop(black_box(book.add_limit_order(id, px, qty, side, time_in_force, None)));
            }
            Op::Cancel => drop(black_box(book.cancel_order(id))),
            Op::Move => {
                let new_price = Price::new(u128::from(record.px));
                let update = OrderUpdate::UpdatePrice { order_id: id, new_price };
                drop(black_box(book.update_order(update)));
            }
        }
    }
}

/// Notes the fills of one match.
fn hear(result: &TradeResult, fills: &Mutex<Vec<Fill>>) {
    let mut fills = fills.lock().unwrap_or_else(PoisonError::into_inner);
    for trade in result.match_result.trades().as_vec() {
        let [maker, taker] = [trade.maker_order_id(), trade.taker_order_id()]
            .map(|id| if let Id::Sequential(id) = id { id } else { 0 });
        let px = u64::try_from(trade.price().as_u128()).unwrap_or(u64::MAX);
        fills.push([maker, taker, px, trade.quantity().as_u64()]);
    }
}

impl<'a> Contender<'a> for Orderbook<'a> {
    fn new(plan: &'a Plan) -> Self {
        let fills = Arc::new(Mutex::new(Vec::new()));
        let books = (0..plan.workload.symbols).map(|symbol| {
            let mut book = OrderBook::new(&format!("S{symbol}"));
            let fills = Arc::clone(&fills);
            book.set_trade_listener(Arc::new(move |result| hear(result, &fills)));
            book
        });
        let books = books.collect();
        Self { records: &plan.workload.records, books, fills, trades: 0 }
    }

    #[inline]
    fn apply(&mut self, at: usize) {
        self.say(at);
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        self.trades += fills.len() as u64;
        fills.clear();
    }

    fn tally(&mut self, at: usize, tally: &mut Tally) {
        self.say(at);
        let mut fills = self.fills.lock().unwrap_or_else(PoisonError::into_inner);
        self.trades += fills.len() as u64;
        for [maker, taker, px, qty] in fills.drain(..) {
            tally.add(maker, taker, px, qty);
        }
    }

    fn outcomes(&self) -> u64 {
        self.trades
    }
}
