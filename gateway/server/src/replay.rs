//! Replaying a journal without a venue: for auditors, and for whoever wants to be sure.

use std::{ops::ControlFlow, path::Path};

use uncross_engine::{
    BEHAVIOUR_VERSION, Progress,
    event::{Event, Sink},
    limits::Capacity,
    types::Side,
};
use uncross_journal::{Reader, ReplayError, Snapshots, Start, Tail, TornTail, kind};

use crate::{
    replica::{ApplyError, Replica},
    snapshot::{Body, Unusable, terms},
    terms::{display_byte, time_in_force_byte},
};

/// What a journal leads to.
#[derive(Debug)]
pub struct Replayed {
    /// The engine after the last record; `None` for a journal without records.
    pub replica: Option<Replica>,
    /// Sequence number of the last record.
    pub last_seq: u64,
    /// Its time stamp, nanoseconds since the UNIX epoch.
    pub last_time_ns: u64,
    /// What lies behind the last record and is none; unknown where the replay ended before.
    pub torn: Option<TornTail>,
}

/// Applies every record of the journal in `dir` and compares every checkpoint; changes nothing,
/// and may run beside a venue.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded.
pub fn replay(dir: &Path, sink: &mut impl Sink) -> Result<Replayed, ReplayError<ApplyError>> {
    replay_until(&Reader::open_whole(dir)?, None, sink)
}

/// The same up to the record `until`.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_until(
    reader: &Reader,
    until: Option<u64>,
    sink: &mut impl Sink,
) -> Result<Replayed, ReplayError<ApplyError>> {
    check_behaviour(reader)?;
    let mut replayed = Replayed { replica: None, last_seq: 0, last_time_ns: 0, torn: None };
    let end = reader.read_from(Start::First, |record, _| {
        if until.is_some_and(|until| until < record.seq) {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(replica) = &mut replayed.replica {
            let mut progress = replica.apply(&record, sink)?;
            while progress == Progress::More {
                progress = replica.resume(sink);
            }
        } else {
            replayed.replica = Some(Replica::found(&record)?);
        }
        if kind::is_callers(record.kind) {
            (replayed.last_seq, replayed.last_time_ns) = (record.seq, record.time_ns);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    replayed.torn = end.torn;
    Ok(replayed)
}

/// Goes on from the snapshot at `path`, which must be one of the journal in `dir`, and applies the
/// records behind it up to `until`, which the journal must have. `capacity` is that of the journal.
///
/// # Errors
///
/// The snapshot is damaged or of another journal, or the records behind it do not follow from it.
pub fn replay_snapshot(
    dir: &Path,
    path: &Path,
    capacity: &Capacity,
    until: u64,
) -> Result<Replica, Unusable> {
    let (head, bytes) = Snapshots::of(dir).read(path)?;
    head.check(&terms(Reader::open_whole(dir)?.salt(), capacity))?;
    let seq = head.anchor.seq;
    if until < seq {
        return Err(Unusable::Beyond { seq, last_seq: until });
    }
    let Some(mut tail) = Tail::find(dir, &head.anchor)? else {
        return Err(Unusable::Elsewhere { seq });
    };
    let body = Body::decode(&bytes, &head)?;
    let mut replica = Replica::restore(&body.engine, body.output)?;
    body.prove(&head, &replica)?;
    let read = tail.read(until, |record| {
        let mut progress = replica.apply(&record, &mut Discard)?;
        while progress == Progress::More {
            progress = replica.resume(&mut Discard);
        }
        Ok::<_, ApplyError>(ControlFlow::Continue(()))
    });
    match read {
        Ok(()) => Ok(replica),
        Err(ReplayError::Read(error)) => Err(error.into()),
        Err(ReplayError::Apply(error)) => Err(error.into()),
    }
}

/// Makes sure that this engine is of the version that every segment was written by.
///
/// # Errors
///
/// It is not, or a header is damaged.
pub(crate) fn check_behaviour<E: From<ApplyError>>(reader: &Reader) -> Result<(), ReplayError<E>> {
    for (first_seq, identity) in reader.heads()? {
        let found = identity.behaviour_version;
        if found != BEHAVIOUR_VERSION {
            return Err(ReplayError::Apply(ApplyError::Behaviour { first_seq, found }.into()));
        }
    }
    Ok(())
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
    /// Channel of its number.
    pub user_ref_index: u8,
    /// What the public sees of it, as OUCH says it; `N` for nothing.
    pub display: u8,
    /// How long it stands, as OUCH says it.
    pub time_in_force: u8,
    /// What it and those that it replaced have executed.
    pub executed: u32,
    /// Sequence number of the record that gave it its place.
    pub entered_seq: u64,
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
            user_ref_index: order.channel,
            display: display_byte(order.display),
            time_in_force: time_in_force_byte(order.time_in_force),
            executed: order.executed,
            entered_seq: order.entered_seq,
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
