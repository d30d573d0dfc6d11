//! Replaying a journal without a venue: for auditors, and for whoever wants to be sure.

use std::path::Path;

use uncross_engine::{
    Progress,
    event::{Event, Sink},
    types::Side,
};
use uncross_journal::{Reader, ReplayError, TornTail};

use crate::{
    replica::{ApplyError, Replica},
    terms::display_byte,
};

/// What a journal leads to.
#[derive(Debug)]
pub struct Replayed {
    /// The engine after the last record; `None` for a journal without records.
    pub replica: Option<Replica>,
    /// Sequence number of the last record.
    pub last_seq: u64,
    /// What lies behind the last record and is none.
    pub torn: Option<TornTail>,
}

/// Applies every record of the journal in `dir` and compares every checkpoint; changes nothing,
/// and may run beside a venue.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded.
pub fn replay(dir: &Path, sink: &mut impl Sink) -> Result<Replayed, ReplayError<ApplyError>> {
    let reader = Reader::open_whole(dir)?;
    let mut replica: Option<Replica> = None;
    let end = reader.for_each(|record| {
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut progress = replica.apply(&record, sink)?;
        while progress == Progress::More {
            progress = replica.resume(sink);
        }
        Ok(())
    })?;
    Ok(Replayed { replica, last_seq: end.last_seq, torn: end.torn })
}

/// The book of an instrument, order by order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingBook {
    /// Name on the wire.
    pub symbol: [u8; 8],
    /// Decimals of prices.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
    /// Buy orders, the next to trade first.
    pub bids: Vec<RestingOrder>,
    /// Sell orders, the next to trade first.
    pub asks: Vec<RestingOrder>,
}

/// An order on a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingOrder {
    /// Price.
    pub px: u32,
    /// Open quantity.
    pub open: u32,
    /// Public reference.
    pub order_ref: u64,
    /// Its owner's port.
    pub port: u16,
    /// Its owner's number; 0 for an order of an earlier day.
    pub user_ref_num: u32,
    /// What the public sees of it, as OUCH says it; `N` for nothing.
    pub display: u8,
}

/// The books of all instruments listed, in the order in which they were.
#[must_use]
pub fn resting_books(replica: &Replica) -> Vec<RestingBook> {
    let engine = replica.engine();
    let side = |id, side| {
        let orders = engine.resting(id, side).map(|order| RestingOrder {
            px: order.px,
            open: order.open,
            order_ref: order.order_ref,
            port: order.port,
            user_ref_num: order.user_ref_num,
            display: display_byte(order.display),
        });
        orders.collect()
    };
    let books = engine.instruments().map(|instrument| RestingBook {
        symbol: instrument.symbol,
        price_decimals: instrument.price_decimals,
        qty_decimals: instrument.qty_decimals,
        bids: side(instrument.id, Side::Bid),
        asks: side(instrument.id, Side::Ask),
    });
    books.collect()
}

/// A sink for those who want the state only.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Sink for Discard {
    fn push(&mut self, _event: Event) {}
}
