//! A workload made ready: what the engines need to know of it before the first command.

use std::collections::HashSet;

use uncross_engine::{
    command::Command,
    limits::{Capacity, USER_REF_PAGE_LEN},
    naive::plain::Plain,
    types::Side,
};

use super::{
    engine::command,
    plain::{say, tell},
    workload::{Op, Record, Tally, Workload},
};

/// Ports the orders are spread over.
pub(crate) const PORTS: u16 = 16;

/// A command of the workload as the engine's brokers number it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered {
    pub(crate) record: Record,
    /// The broker's number: of the new order, of the one it becomes, or of the one it ends.
    pub(crate) number: u32,
    /// Of a move: the number the order has.
    pub(crate) old_number: u32,
    /// Of a move: the quantity it was entered with, which is the total of the chain.
    pub(crate) total: u32,
}

/// A workload with what was found out about it.
#[derive(Debug)]
pub struct Plan {
    /// The workload.
    pub workload: Workload,
    pub(crate) numbered: Vec<Numbered>,
    /// The same as the engine is told them.
    pub(super) commands: Vec<Command<'static>>,
    /// By port, from 1, and number: the order's id in the workload.
    pub(super) ids: Vec<Vec<u32>>,
    pub(crate) capacity: Capacity,
    /// What the naive book makes of the timed commands.
    pub(super) naive: Tally,
    /// Orders that stand at once, at most.
    pub(super) orders_max: u32,
}

/// The port an order comes over.
pub(crate) fn port_of(id: u32) -> u16 {
    1 + u16::try_from(id % u32::from(PORTS)).unwrap_or(0)
}

impl Plan {
    /// Numbers the commands and lets the naive book carry them out.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        let survey = Survey::take(&workload);
        let (numbered, ids) = number(&workload);
        let commands = numbered.iter().map(command).collect();
        let numbers: usize = ids.iter().map(Vec::len).sum();
        let numbers = u32::try_from(numbers).unwrap_or(u32::MAX);
        // A page goes back when its orders are gone: no more are held than orders stand, but for
        // those that are being filled.
        let pages = (numbers / USER_REF_PAGE_LEN).min(survey.orders_max) + 2 * u32::from(PORTS);
        let capacity = Capacity {
            // One more, for the order that comes.
            orders: survey.orders_max + 1,
            hidden_orders: 1,
            levels: survey.levels_max + 1,
            nodes: survey.nodes_max,
            instruments: workload.symbols,
            ports: PORTS,
            port_orders: survey.orders_max + 1,
            port_pages: pages,
            user_ref_pages: pages,
        };
        let Survey { naive, orders_max, .. } = survey;
        Self { workload, numbered, commands, ids, capacity, naive, orders_max }
    }
}

/// Gives each order and each move a number of the order's port.
fn number(workload: &Workload) -> (Vec<Numbered>, Vec<Vec<u32>>) {
    let mut ids: Vec<Vec<u32>> = vec![vec![0]; usize::from(PORTS) + 1];
    // By id: the number the order has now, and its quantity.
    let mut orders = vec![(0, 0); workload.highest_id as usize + 1];
    let mut next = |id: u32| {
        let of_port = &mut ids[usize::from(port_of(id))];
        of_port.push(id);
        u32::try_from(of_port.len() - 1).unwrap_or(u32::MAX)
    };
    let records = workload.records.iter().map(|record| {
        let (current, total) = &mut orders[record.id as usize];
        let old_number = *current;
        match record.op {
            Op::Limit | Op::Ioc => (*current, *total) = (next(record.id), record.qty),
            Op::Move => *current = next(record.id),
            Op::Cancel => {}
        }
        Numbered { record: *record, number: *current, old_number, total: *total }
    });
    (records.collect(), ids)
}

/// What the naive book meets on its way through a workload.
struct Survey {
    naive: Tally,
    orders_max: u32,
    levels_max: u32,
    /// Nodes of a price tree that any order ever needed.
    nodes_max: u32,
}

impl Survey {
    fn take(workload: &Workload) -> Self {
        let symbols = u32::from(workload.symbols);
        let mut book = Plain::new(usize::from(workload.symbols), workload.highest_id as usize);
        let mut tally = Tally::default();
        let (mut orders, mut levels) = (0_u32, 0_usize);
        let (mut orders_max, mut levels_max) = (0, 0);
        let mut nodes = HashSet::new();
        for (at, record) in workload.records.iter().enumerate() {
            if at == workload.untimed {
                tally = Tally::default();
            }
            let (trades, mut gone) = (tally.trades, 0);
            let levels_before = book.levels_count(record.symbol);
            let is_new = matches!(record.op, Op::Limit | Op::Ioc);
            let stood = !is_new && 0 < book.standing(record.id).open;
            say(&mut book, record, &mut |trade| {
                gone += u32::from(trade.maker_open == 0);
                tell(trade, &mut tally);
            });
            tally.trading += u64::from(trades < tally.trades);
            let stands = 0 < book.standing(record.id).open;
            orders = orders + u32::from(stands) - u32::from(stood) - gone;
            levels = levels + book.levels_count(record.symbol) - levels_before;
            orders_max = orders_max.max(orders);
            levels_max = levels_max.max(levels);
            if stands && record.op != Op::Cancel {
                note_nodes(&mut nodes, record);
            }
        }
        // Per side, a root above all prices, and room for the whole path of the next one.
        let nodes_max = u32::try_from(nodes.len()).unwrap_or(u32::MAX) + 12 * symbols + 12;
        let levels_max = u32::try_from(levels_max).unwrap_or(u32::MAX);
        Self { naive: tally, orders_max, levels_max, nodes_max }
    }
}

/// Notes the nodes over a price: each covers 64 of the ones below.
fn note_nodes(nodes: &mut HashSet<(u32, u32)>, record: &Record) {
    let side = u32::from(record.symbol) << 1 | u32::from(record.side == Side::Ask);
    for depth in 1..=6 {
        let place = record.px.checked_shr(6 * depth).unwrap_or(0);
        // Where a node is known, so are those above it.
        if !nodes.insert((side << 3 | depth, place)) {
            return;
        }
    }
}
