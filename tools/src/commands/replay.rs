//! `uncross replay`: applies a journal again and tells what it leads to.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use uncross_client::wire::text::{format_price, trim};
use uncross_server::{
    config::VenueDir,
    replay::{Discard, RestingBook, RestingOrder, replay, resting_books},
};

use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    venue::{hex, torn_text},
};

const EXAMPLES: &str = "\
Examples:
  uncross replay ./venue
  uncross replay ./venue --hash
  uncross replay ./venue --book
  uncross replay ./venue --hash --json";

const BOOK_HEADINGS: [&str; 8] =
    ["symbol", "side", "price", "quantity", "order reference", "port", "number", "display"];

/// Apply a venue's journal again, comparing every checkpoint
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Also compute the hash of the final state
    #[arg(long)]
    hash: bool,
    /// Also show every order that rests at the end, the next to trade first
    #[arg(long)]
    book: bool,
}

#[derive(Serialize)]
struct Replayed {
    venue: String,
    last_seq: u64,
    output_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    books: Option<Vec<BookRows>>,
    torn: Option<String>,
}

/// The orders of an instrument.
#[derive(Serialize)]
struct BookRows {
    symbol: String,
    bids: Vec<OrderRow>,
    asks: Vec<OrderRow>,
}

#[derive(Serialize)]
struct OrderRow {
    price: String,
    quantity: String,
    /// As text: JSON numbers do not hold 64 bits everywhere.
    order_reference: String,
    port: u16,
    user_ref_num: u32,
    /// `Y`, `N` or `A`, as OUCH says it.
    display: char,
}

impl BookRows {
    fn new(book: &RestingBook) -> Self {
        let rows = |orders: &[RestingOrder]| {
            let rows = orders.iter().map(|order| OrderRow {
                price: format_price(order.px.into(), book.price_decimals).to_string(),
                quantity: format_price(order.open.into(), book.qty_decimals).to_string(),
                order_reference: order.order_ref.to_string(),
                port: order.port,
                user_ref_num: order.user_ref_num,
                display: order.display.into(),
            });
            rows.collect()
        };
        let symbol = String::from_utf8_lossy(trim(&book.symbol)).into_owned();
        Self { symbol, bids: rows(&book.bids), asks: rows(&book.asks) }
    }

    /// A row of text for each order.
    fn cells(&self) -> impl Iterator<Item = Vec<String>> {
        let bids = self.bids.iter().map(|order| ("bid", order));
        let asks = self.asks.iter().map(|order| ("ask", order));
        bids.chain(asks).map(|(side, order)| {
            let (symbol, side) = (self.symbol.clone(), side.to_owned());
            let OrderRow { price, quantity, order_reference, port, user_ref_num, display } = order;
            let texts = [price, quantity, order_reference].map(Clone::clone);
            let numbers = [port.to_string(), user_ref_num.to_string(), display.to_string()];
            [symbol, side].into_iter().chain(texts).chain(numbers).collect()
        })
    }
}

impl Replay {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = VenueDir::new(&self.dir).journal();
        if !journal.is_dir() {
            let message = format!("{} holds no journal", self.dir.display());
            return Err(Failure::new(&errors::NO_JOURNAL, message).into());
        }
        let end = replay(&journal, &mut Discard).map_err(Failure::from)?;
        let Some(replica) = end.replica else {
            let message = format!("the journal in {} has no records", self.dir.display());
            return Err(Failure::new(&errors::NO_JOURNAL, message).into());
        };
        let replayed = Replayed {
            venue: self.dir.display().to_string(),
            last_seq: end.last_seq,
            output_hash: format!("{:016x}", replica.output_hash()),
            state_hash: self.hash.then(|| hex(&replica.state_hash())),
            books: self.book.then(|| {
                let books = resting_books(&replica);
                books.iter().map(BookRows::new).collect()
            }),
            torn: end.torn.as_ref().map(torn_text),
        };
        if output.is_json() {
            return output.json("uncross.replay/1", &replayed);
        }
        output.line(format_args!("records      {}", replayed.last_seq))?;
        output.line(format_args!("output hash  {}", replayed.output_hash))?;
        if let Some(hash) = &replayed.state_hash {
            output.line(format_args!("state hash   {hash}"))?;
        }
        if let Some(torn) = &replayed.torn {
            output.line(format_args!("behind it    {torn}"))?;
        }
        if let Some(books) = &replayed.books {
            let rows: Vec<_> = books.iter().flat_map(BookRows::cells).collect();
            output.line("")?;
            output.table(&BOOK_HEADINGS, &rows)?;
        }
        Ok(())
    }
}
