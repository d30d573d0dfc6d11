//! `uncross journal book`: an instrument's book at any moment.

use clap::Args;
use serde::Serialize;
use uncross_client::wire::text::{format_price, trim};
use uncross_server::{
    audit::moment::Moment,
    replay::{Discard, RestingBook, RestingOrder, replay_until, resting_books},
    sessions::utc,
};

use super::{Asked, cat::no_instrument, empty, reader_of, seq_at};
use crate::{
    errors::Failure,
    output::{Outcome, Output},
    progress,
    venue::hex,
};

const EXAMPLES: &str = "\
The journal is applied up to the moment, so the book is the one that the venue had, with every order
in its place in the queue; hidden orders too. A moment is a sequence number (behind that record) or
a time in UTC (behind all records up to it), by default the end. The state hash is that of the whole
venue then: uncross replay --until SEQ --hash comes to the same on any machine.

Examples:
  uncross journal book ./venue DEMO
  uncross journal book ./venue DEMO --at 100
  uncross journal book ./venue DEMO --at 100 --json";

/// Show the book of an instrument at any moment, order by order, with the hash that proves it
///
/// Changes nothing and may run beside the venue.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Book {
    #[command(flatten)]
    asked: Asked,
    /// Symbol of the instrument
    #[arg(value_name = "INSTRUMENT")]
    instrument: String,
    /// Sequence number or time
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
}

#[derive(Serialize)]
struct Shown {
    venue: String,
    symbol: String,
    seq: u64,
    time: String,
    state_hash: String,
    output_hash: String,
    bids: Vec<Row>,
    asks: Vec<Row>,
}

/// An order in its place.
#[derive(Serialize)]
struct Row {
    /// From 1 within its price.
    place: u64,
    price: String,
    quantity: String,
    executed: String,
    order_reference: String,
    port: u16,
    user_ref_num: u32,
    user_ref_index: u8,
    display: char,
    time_in_force: char,
    entered_seq: u64,
}

const HEADINGS: [&str; 10] = [
    "side",
    "price",
    "place",
    "quantity",
    "executed",
    "order reference",
    "port",
    "number",
    "display",
    "since record",
];

impl Book {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let reader = reader_of(&self.asked.dir)?;
        let until = self.at.map(|moment| seq_at(&reader, moment)).transpose()?;
        let replay = || replay_until(&reader, until, &mut Discard);
        let end = progress::beside(output, &reader, until, replay).map_err(Failure::from)?;
        let Some(replica) = end.replica else { return Err(empty(&self.asked.dir).into()) };
        let symbol = self.instrument.trim().to_ascii_uppercase();
        let books = resting_books(&replica);
        let Some(book) = books.iter().find(|book| trim(&book.symbol) == symbol.as_bytes()) else {
            let text =
                |book: &RestingBook| String::from_utf8_lossy(trim(&book.symbol)).into_owned();
            let known: Vec<_> = books.iter().map(text).collect();
            return Err(no_instrument(&symbol, &known).into());
        };
        let shown = Shown {
            venue: self.asked.dir.display().to_string(),
            symbol,
            seq: end.last_seq,
            time: utc(end.last_time_ns),
            state_hash: hex(&replica.state_hash()),
            output_hash: format!("{:016x}", replica.output_hash()),
            bids: rows(book, &book.bids),
            asks: rows(book, &book.asks),
        };
        if output.is_json() {
            return output.json("uncross.journal.book/1", &shown);
        }
        shown.show(output)
    }
}

fn rows(book: &RestingBook, orders: &[RestingOrder]) -> Vec<Row> {
    let qty = |units: u32| format_price(units.into(), book.qty_decimals).to_string();
    let (mut px, mut place) = (0, 0);
    let rows = orders.iter().map(|order| {
        place = if order.px == px { place + 1 } else { 1 };
        px = order.px;
        Row {
            place,
            price: format_price(order.px.into(), book.price_decimals).to_string(),
            quantity: qty(order.open),
            executed: qty(order.executed),
            order_reference: order.order_ref.to_string(),
            port: order.port,
            user_ref_num: order.user_ref_num,
            user_ref_index: order.user_ref_index,
            display: order.display.into(),
            time_in_force: order.time_in_force.into(),
            entered_seq: order.entered_seq,
        }
    });
    rows.collect()
}

impl Shown {
    fn show(&self, output: &mut Output) -> Outcome {
        let Self { symbol, seq, time, state_hash, output_hash, .. } = self;
        output.line(format_args!("{symbol} behind record {seq} of {time}"))?;
        output.line(format_args!("state hash   {state_hash}"))?;
        output.line(format_args!("output hash  {output_hash}"))?;
        output.line("")?;
        let bids = self.bids.iter().map(|row| ("bid", row));
        let asks = self.asks.iter().map(|row| ("ask", row));
        let cells = bids.chain(asks).map(|(side, row)| {
            vec![
                side.to_owned(),
                row.price.clone(),
                row.place.to_string(),
                row.quantity.clone(),
                row.executed.clone(),
                row.order_reference.clone(),
                row.port.to_string(),
                row.user_ref_num.to_string(),
                row.display.to_string(),
                row.entered_seq.to_string(),
            ]
        });
        output.table(&HEADINGS, &cells.collect::<Vec<_>>())
    }
}
