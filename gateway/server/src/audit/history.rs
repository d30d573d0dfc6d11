//! Everything that happened to an order: each event with its cause, and where the order stood in
//! its queue.
//!
//! The journal is applied twice: once to find out as what the order began, since every replacement
//! gives it another number and reference, and once to follow it from there. Between them nothing
//! is remembered but the beginnings of the orders that are alive.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use foldhash::fast::RandomState;
use serde::Serialize;
use uncross_engine::{
    event::{Entered, Event, Head, View},
    types::{OrderRef, Side},
};
use uncross_journal::{Location, Reader, Record, ReplayError, kind};
use uncross_wire::text::format_price;

use super::{
    run::{Watch, run},
    told::{Names, RecordLine, line, order_instrument, subject_of},
};
use crate::{
    export::line::{Describer, Line, Place, text},
    replica::{ApplyError, Replica},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The order with this public reference.
    Reference(u64),
    /// The order that the owner of a port called so.
    Number {
        /// The port.
        port: u16,
        /// Channel of the number.
        index: u8,
        /// The client's number.
        number: u32,
    },
    /// Both orders of the trade with this match number.
    Trade(u64),
}

/// An answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// Name of the session in which what was asked for was found.
    pub session: String,
    /// Other sessions that have something of the same number or reference.
    pub also_in: Vec<String>,
    /// The trade that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade: Option<Line>,
    /// The order asked for, or the orders of the trade, the maker first.
    pub orders: Vec<OrderHistory>,
}

/// The history of one order, through all of its replacements.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OrderHistory {
    /// The reference that it began with.
    pub order_reference: String,
    /// What happened, in its order.
    pub steps: Vec<Step>,
    /// Whether it is alive at the end of the journal.
    pub is_alive: bool,
}

/// Something that happened to an order.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The record that caused it.
    pub cause: RecordLine,
    /// What it did; `None`: it named the order and had no effect.
    pub event: Option<Line>,
    /// Where the order stands behind the record, with the last step that the record caused; `None`
    /// when it does not rest.
    pub position: Option<Position>,
}

/// A place in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Open quantity.
    pub open: String,
    /// Orders before it at its price.
    pub orders_ahead: u64,
    /// Their quantity.
    pub quantity_ahead: String,
    /// Orders that trade before it at better prices.
    pub orders_better: u64,
    /// Their quantity.
    pub quantity_better: String,
}

/// Answers; `None` when no record of `session`, or of any, is about it. What is found in several
/// sessions counts in the last of them.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded.
pub fn history(
    reader: &Reader,
    wanted: Wanted,
    session: Option<&str>,
) -> Result<Option<History>, ReplayError<ApplyError>> {
    let mut finding = Finding::new(wanted, session);
    let ended = run(reader, None, &mut finding)?;
    let Some(found) = finding.found.pop() else { return Ok(None) };
    let mut following = Following::new(found.roots, finding.trade_at);
    // What came since the first look is left out, so that both see the same.
    run(reader, Some(ended.last_seq), &mut following)?;
    Ok(Some(History {
        session: found.session,
        also_in: finding.found.into_iter().map(|other| other.session).collect(),
        trade: following.trade,
        orders: following.orders.into_iter().map(|followed| followed.history).collect(),
    }))
}

/// An event: the number of its record, and which of the record's events it is.
type EventPlace = (u64, u64);

/// What identifies an order while it is alive, through epochs too: generation and slot.
const IDENTITY: u64 = (1 << 48) - 1;

/// As what orders began.
#[derive(Clone, Debug)]
struct Found {
    session: String,
    roots: Vec<EventPlace>,
}

/// The first look.
struct Finding<'a> {
    wanted: Wanted,
    /// The only session that counts.
    only: Option<&'a str>,
    session: String,
    seq: u64,
    /// Channel of the numbers that the record names.
    index: u8,
    /// By slot, where the last order in it began: as many as the engine holds.
    roots: HashMap<u32, EventPlace, RandomState>,
    /// One for each session that has something.
    found: Vec<Found>,
    trade_at: Option<EventPlace>,
}

impl<'a> Finding<'a> {
    fn new(wanted: Wanted, only: Option<&'a str>) -> Self {
        Self {
            wanted,
            only,
            session: String::new(),
            seq: 0,
            index: 0,
            roots: HashMap::default(),
            found: Vec::new(),
            trade_at: None,
        }
    }

    /// Notes what was found; of what goes on over several sessions the last one counts.
    fn find(&mut self, roots: Vec<EventPlace>) -> bool {
        if self.only.is_some_and(|only| only != self.session) {
            return false;
        }
        self.found.retain(|found| found.session != self.session && found.roots != roots);
        self.found.push(Found { session: self.session.clone(), roots });
        true
    }

    /// An order is told of, under this number of this channel.
    fn told(&mut self, head: &Head, index: u8, order_ref: u64, root: EventPlace) {
        let is_wanted = match self.wanted {
            Wanted::Reference(wanted) => wanted == order_ref,
            Wanted::Number { port, index: wanted, number } => {
                (port, wanted, number) == (head.port, index, head.user_ref_num)
            }
            Wanted::Trade(_) => false,
        };
        if is_wanted {
            self.find(vec![root]);
        }
    }

    fn root(&self, order_ref: u64) -> Option<EventPlace> {
        self.roots.get(&OrderRef::slot_of(order_ref)).copied()
    }

    fn entered(&mut self, it: &Entered, root: EventPlace) {
        self.roots.insert(OrderRef::slot_of(it.order_ref), root);
        self.told(&it.head, self.index, it.order_ref, root);
    }
}

impl Watch for Finding<'_> {
    type Error = ApplyError;

    fn begin(
        &mut self,
        record: &Record<'_>,
        _: Location,
        _: Option<&Replica>,
    ) -> Result<(), ApplyError> {
        (self.seq, self.index) = (record.seq, subject_of(record.kind, record.body).index);
        Ok(())
    }

    fn event(&mut self, event: &Event, index: u64) -> Result<(), ApplyError> {
        let at = (self.seq, index);
        match event.view() {
            View::Day(day) => self.session = text(&day.session),
            View::Accepted(it) => self.entered(it, at),
            View::Replaced(it) => {
                let root = self.root(it.old_order_ref).unwrap_or(at);
                self.entered(it, root);
            }
            // It has no reference, and this is all that happens to it.
            View::Rejected(it) => self.told(&it.head, it.channel, 0, at),
            View::Restated(it) => {
                let root = self.root(it.order_ref).unwrap_or(at);
                self.told(&it.head, it.channel, it.order_ref, root);
            }
            View::Fill(it) if self.wanted == Wanted::Trade(it.match_number) => {
                let roots = [it.maker_ref, it.taker_ref].into_iter();
                let roots = roots.filter_map(|order_ref| self.root(order_ref)).collect();
                if self.find(roots) {
                    self.trade_at = Some(at);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn done(&mut self, _: &Record<'_>, _: &Replica) -> Result<ControlFlow<()>, ApplyError> {
        Ok(ControlFlow::Continue(()))
    }
}

/// An order being followed.
#[derive(Debug)]
struct Followed {
    root: EventPlace,
    history: OrderHistory,
    /// Identity, instrument and side while it is alive.
    alive: Option<(u64, u32, Side)>,
    /// Port and channel of its numbers, and those that it had this day.
    owner: Option<(u16, u8)>,
    numbers: HashSet<u32, RandomState>,
    /// Steps that it had before the record.
    steps_before: usize,
    /// The record names it.
    is_named: bool,
}

impl Followed {
    fn is(&self, order_ref: u64) -> bool {
        self.alive.is_some_and(|(identity, ..)| identity == order_ref & IDENTITY)
    }

    fn entered(&mut self, it: &Entered, index: u8) {
        let side = it.head.action().side();
        self.alive = Some((it.order_ref & IDENTITY, it.instrument, side));
        self.owner = Some((it.head.port, index));
        self.numbers.insert(it.head.user_ref_num);
    }

    /// Takes in an event; whether it is about the order.
    fn takes(&mut self, event: &Event, at: EventPlace, index: u8) -> bool {
        let is_root = at == self.root;
        match event.view() {
            View::Accepted(it) if is_root => {
                self.history.order_reference = it.order_ref.to_string();
                self.entered(it, index);
                true
            }
            View::Rejected(it) if is_root => {
                self.owner = Some((it.head.port, it.channel));
                self.numbers.insert(it.head.user_ref_num);
                true
            }
            View::Replaced(it) if is_root || self.is(it.old_order_ref) => {
                self.entered(it, index);
                true
            }
            View::Fill(it) => self.is(it.maker_ref) || self.is(it.taker_ref),
            View::Canceled(it) => self.is(it.order_ref),
            View::Modified(it) => self.is(it.order_ref),
            View::Prevented(it) => self.is(it.order_ref),
            View::Restated(it) => self.is(it.order_ref),
            View::Rested(it) => self.is(it.order_ref),
            View::CancelRejected(it) => self.is(it.order_ref),
            _ => false,
        }
    }
}

/// The second look.
struct Following {
    orders: Vec<Followed>,
    trade_at: Option<EventPlace>,
    trade: Option<Line>,
    describer: Describer,
    names: Names,
    /// The record being applied.
    cause: Option<RecordLine>,
    index: u8,
}

impl Following {
    fn new(roots: Vec<EventPlace>, trade_at: Option<EventPlace>) -> Self {
        let orders = roots.into_iter().map(|root| Followed {
            root,
            history: OrderHistory::default(),
            alive: None,
            owner: None,
            numbers: HashSet::default(),
            steps_before: 0,
            is_named: false,
        });
        Self {
            orders: orders.collect(),
            trade_at,
            trade: None,
            describer: Describer::default(),
            names: Names::default(),
            cause: None,
            index: 0,
        }
    }
}

impl Watch for Following {
    type Error = ApplyError;

    fn begin(
        &mut self,
        record: &Record<'_>,
        location: Location,
        replica: Option<&Replica>,
    ) -> Result<(), ApplyError> {
        let subject = subject_of(record.kind, record.body);
        self.index = subject.index;
        let instrument = order_instrument(record, replica);
        self.cause = Some(line(record, location, &self.names, instrument));
        for order in &mut self.orders {
            if record.kind == kind::DAY_ROLL {
                order.numbers.clear();
            }
            let owner = subject.port.map(|port| (port, subject.index));
            let numbers = subject.numbers.into_iter().flatten();
            let is_numbered = order.owner == owner
                && numbers.into_iter().any(|number| order.numbers.contains(&number));
            order.is_named = is_numbered || subject.order_ref.is_some_and(|it| order.is(it));
            order.steps_before = order.history.steps.len();
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, index: u64) -> Result<(), ApplyError> {
        self.describer.learn(event);
        let Some(cause) = &self.cause else { return Ok(()) };
        let at = (cause.seq, index);
        let describe = || {
            let place = Place { seq: cause.seq, index, time_ns: cause.time_ns };
            self.describer.describe(place, event)
        };
        if self.trade_at == Some(at) {
            self.trade = Some(describe());
        }
        for order in &mut self.orders {
            if order.takes(event, at, self.index) {
                let (cause, event) = (cause.clone(), Some(describe()));
                order.history.steps.push(Step { cause, event, position: None });
            }
        }
        Ok(())
    }

    fn done(
        &mut self,
        record: &Record<'_>,
        replica: &Replica,
    ) -> Result<ControlFlow<()>, ApplyError> {
        self.names.refresh(record.kind, replica);
        for order in &mut self.orders {
            let is_touched = order.steps_before < order.history.steps.len();
            if !is_touched && order.is_named {
                // A request that the engine passed over.
                if let Some(cause) = self.cause.clone() {
                    order.history.steps.push(Step { cause, event: None, position: None });
                }
            }
            if (is_touched || order.is_named)
                && let Some((identity, instrument, side)) = order.alive
            {
                let found = position(replica, &self.names, (identity, instrument, side));
                if found.is_none() {
                    order.alive = None;
                }
                if let Some(step) = order.history.steps.last_mut() {
                    step.position = found;
                }
            }
            order.history.is_alive = order.alive.is_some();
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Where an order stands; `None` when it does not rest.
fn position(
    replica: &Replica,
    names: &Names,
    (identity, instrument, side): (u64, u32, Side),
) -> Option<Position> {
    let decimals = names.get(instrument).map_or(0, |name| name.qty_decimals);
    let qty = |units: u64| format_price(units, decimals).to_string();
    let (mut px, mut here, mut better) = (0, (0, 0), (0, 0));
    for order in replica.engine().resting(instrument, side) {
        if order.px != px {
            px = order.px;
            better = (better.0 + here.0, better.1 + here.1);
            here = (0, 0);
        }
        if order.order_ref & IDENTITY == identity {
            return Some(Position {
                open: qty(order.open.into()),
                orders_ahead: here.0,
                quantity_ahead: qty(here.1),
                orders_better: better.0,
                quantity_better: qty(better.1),
            });
        }
        here = (here.0 + 1, here.1 + u64::from(order.open));
    }
    None
}
