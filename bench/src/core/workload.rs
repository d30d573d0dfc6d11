//! A list of commands, and what must come of it.

use uncross_engine::types::Side;

/// Commands of one workload, the untimed ones included.
pub const COMMANDS_MAX: u64 = 1 << 25;
/// Highest id of an order: every engine's table of ids has room for it.
pub const ID_MAX: u64 = 1 << 25;

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// A new order that may rest.
    Limit = 0,
    /// A new order that may not.
    Ioc = 1,
    /// The end of an order, if it stands.
    Cancel = 2,
    /// Another price for an order, if it stands; the open quantity stays, the place does not.
    Move = 3,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is asked for.
    pub op: Op,
    /// Side of the order.
    pub side: Side,
    /// Symbol, from 0.
    pub symbol: u16,
    /// Quantity of a new order.
    pub qty: u32,
    /// Price of a new order, or the new one of a move.
    pub px: u32,
    /// Price before, of a move or cancel.
    pub old_px: u32,
    /// The order.
    pub id: u32,
}

/// What came of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Fills.
    pub trades: u64,
    /// Quantity of all fills.
    pub quantity: u64,
    /// Sum over the fills of (maker id x 31 + taker id) x price x quantity, modulo 2^64.
    pub checksum: u64,
    /// Commands that led to a fill.
    pub trading: u64,
}

impl Tally {
    /// Counts a fill.
    pub const fn add(&mut self, maker: u64, taker: u64, px: u64, qty: u64) {
        let orders = maker.wrapping_mul(31).wrapping_add(taker);
        let term = orders.wrapping_mul(px).wrapping_mul(qty);
        self.trades += 1;
        self.quantity = self.quantity.wrapping_add(qty);
        self.checksum = self.checksum.wrapping_add(term);
    }
}

/// Commands and what must come of the timed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Number of symbols.
    pub symbols: u16,
    /// Lowest price of any order.
    pub lowest_px: u32,
    /// Highest price of any order.
    pub highest_px: u32,
    /// Commands at the front that are not timed: they build the books.
    pub untimed: usize,
    /// Highest id of any order.
    pub highest_id: u32,
    /// All commands.
    pub records: Vec<Record>,
    /// What the naive book makes of the timed ones.
    pub expected: Tally,
}

impl Workload {
    /// Number of timed commands.
    #[must_use]
    pub const fn timed(&self) -> usize {
        self.records.len() - self.untimed
    }
}
