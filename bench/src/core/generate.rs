//! The workloads, each from a fixed seed: the same commands on every machine.
//!
//! A generator keeps the books it writes commands for, in the naive book, so that it knows which
//! orders stand. What it notes as expected is that book's word.

use uncross_engine::{
    naive::plain::{Plain, Standing},
    types::{Price, Side},
};

use super::workload::{Op, Record, Tally, Workload};

/// A workload's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Name {
    /// One symbol, 1,000 orders, mostly moves
    A,
    /// One symbol, 10,000 orders, adds and cancels
    B,
    /// 1,000 symbols, 1,000,000 orders, the mix of b
    C,
    /// One symbol, sweeps of 20 levels
    D,
    /// A crash by 30 % and back, stubs at both ends of the prices, 1,000 sparse books
    E,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// The letter.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
            Self::E => "e",
        }
    }
}

/// How large a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Timed commands.
    pub timed: usize,
    /// The books' size is divided by this.
    pub shrink: u32,
}

impl Size {
    /// What the documentation speaks of.
    pub const WHOLE: Self = Self { timed: 500_000, shrink: 1 };
    /// Fewer commands on the same books.
    pub const QUICK: Self = Self { timed: 100_000, shrink: 1 };
    /// For tests.
    pub const TINY: Self = Self { timed: 5_000, shrink: 50 };
}

/// Makes a workload.
#[must_use]
pub fn generate(name: Name, size: Size) -> Workload {
    match name {
        Name::A => mixed(&A, size),
        Name::B => mixed(&B, size),
        Name::C => mixed(&C, size),
        Name::D => sweeps(size),
        Name::E => crash(size),
    }
}

/// `SplitMix64`: small, and its numbers are the same everywhere.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// Evenly from `0..end`, as nearly as matters here.
    fn below(&mut self, end: u32) -> u32 {
        let scaled = (u128::from(self.next()) * u128::from(end)) >> 64;
        u32::try_from(scaled).unwrap_or(0)
    }

    /// Evenly from `least..=most`.
    fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below(most - least + 1)
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Bid } else { Side::Ask }
    }
}

/// A price `distance` behind `px`, away from the other side.
const fn behind(side: Side, px: u32, distance: u32) -> u32 {
    match side {
        Side::Bid => px.saturating_sub(distance),
        Side::Ask => px.saturating_add(distance),
    }
}

/// Whether an order at this price is a stub: there so that the domain is wide, and left alone.
const fn is_stub(px: u32) -> bool {
    px == 1 || px == Price::RAW_MAX
}

/// Writes commands and follows what they do.
struct Writer {
    random: Random,
    book: Plain,
    records: Vec<Record>,
    /// Ids of standing orders by symbol, stubs aside, in no order, and where each is in its list.
    standing: Vec<Vec<u32>>,
    positions: Vec<u32>,
    untimed: usize,
    tally: Tally,
    id: u32,
}

impl Writer {
    fn new(seed: u64, symbols: u16, commands: usize) -> Self {
        Self {
            random: Random(seed),
            book: Plain::new(usize::from(symbols), commands),
            records: Vec::with_capacity(commands),
            standing: vec![Vec::new(); usize::from(symbols)],
            positions: vec![0; commands + 1],
            untimed: 0,
            tally: Tally::default(),
            id: 0,
        }
    }

    /// What was written so far only builds the books.
    fn begin_timed(&mut self) {
        self.untimed = self.records.len();
        self.tally = Tally::default();
    }

    fn orders(&self, symbol: u16) -> u32 {
        u32::try_from(self.standing[usize::from(symbol)].len()).unwrap_or(u32::MAX)
    }

    fn pick(&mut self, symbol: u16) -> Option<u32> {
        let end = self.orders(symbol);
        let at = self.random.below(end) as usize;
        self.standing[usize::from(symbol)].get(at).copied()
    }

    fn note_standing(&mut self, symbol: u16, id: u32) {
        let list = &mut self.standing[usize::from(symbol)];
        self.positions[id as usize] = u32::try_from(list.len()).unwrap_or(u32::MAX);
        list.push(id);
    }

    fn note_gone(&mut self, symbol: u16, id: u32) {
        let list = &mut self.standing[usize::from(symbol)];
        let at = self.positions[id as usize];
        list.swap_remove(at as usize);
        if let Some(moved) = list.get(at as usize) {
            self.positions[*moved as usize] = at;
        }
    }

    fn enter(&mut self, op: Op, symbol: u16, side: Side, qty: u32, px: u32) {
        self.id += 1;
        self.write(Record { op, side, symbol, qty, px, old_px: 0, id: self.id });
    }

    fn cancel(&mut self, id: u32) {
        let Standing { symbol, side, px, open } = self.book.standing(id);
        self.write(Record { op: Op::Cancel, side, symbol, qty: open, px, old_px: px, id });
    }

    fn reprice(&mut self, id: u32, px: u32) {
        let Standing { symbol, side, px: old_px, open } = self.book.standing(id);
        self.write(Record { op: Op::Move, side, symbol, qty: open, px, old_px, id });
    }

    fn write(&mut self, record: Record) {
        let symbol = record.symbol;
        let before = self.tally.trades;
        let mut gone = Vec::new();
        let was_standing = matches!(record.op, Op::Cancel | Op::Move);
        let mut tally = self.tally;
        super::plain::say(&mut self.book, &record, &mut |trade| {
            let (maker, taker) = (u64::from(trade.maker), u64::from(trade.taker));
            tally.add(maker, taker, u64::from(trade.px), u64::from(trade.qty));
            if trade.maker_open == 0 && !is_stub(trade.px) {
                gone.push(trade.maker);
            }
        });
        self.tally = tally;
        self.tally.trading += u64::from(before < self.tally.trades);
        for maker in gone {
            self.note_gone(symbol, maker);
        }
        let stands = 0 < self.book.standing(record.id).open && !is_stub(record.px);
        match (was_standing, stands) {
            (false, true) => self.note_standing(symbol, record.id),
            (true, false) => self.note_gone(symbol, record.id),
            (false, false) | (true, true) => {}
        }
        self.records.push(record);
    }

    fn finish(self) -> Workload {
        let entered = self.records.iter().filter(|record| record.op != Op::Cancel);
        let prices = || entered.clone().map(|record| record.px);
        let symbols = u16::try_from(self.standing.len()).unwrap_or(u16::MAX);
        Workload {
            symbols,
            lowest_px: prices().min().unwrap_or(1),
            highest_px: prices().max().unwrap_or(1),
            untimed: self.untimed,
            highest_id: self.id,
            expected: self.tally,
            records: self.records,
        }
    }
}

/// A stationary mix of commands.
struct Mix {
    seed: u64,
    symbols: u16,
    /// Standing orders of one symbol, about.
    orders: u32,
    /// Of a thousand commands; the rest are moves.
    adds: u32,
    iocs: u32,
    cancels: u32,
    /// Of a thousand moves, those that go to the other side's best price.
    crossing: u32,
    /// Prices on each side at which orders are entered.
    band: u32,
    /// Whether the prices near the other side are more usual.
    is_dense: bool,
}

const A: Mix = Mix {
    seed: 0xA1,
    symbols: 1,
    orders: 1_000,
    adds: 96,
    iocs: 30,
    cancels: 54,
    crossing: 28,
    band: 375,
    is_dense: false,
};
const B: Mix = Mix {
    seed: 0xB1,
    symbols: 1,
    orders: 10_000,
    adds: 480,
    iocs: 100,
    cancels: 420,
    crossing: 0,
    band: 250,
    is_dense: true,
};
const C: Mix = Mix { seed: 0xC1, symbols: 1_000, orders: 1_000, ..B };

/// A book below this many orders would be emptied by chance.
const ORDERS_MIN: u32 = 100;
/// Largest quantity of an order.
const QTY_MAX: u32 = 100;

impl Mix {
    fn passive_px(&self, random: &mut Random, side: Side, mid: u32) -> u32 {
        let mut distance = random.below(self.band);
        if self.is_dense {
            distance = distance.min(random.below(self.band));
        }
        behind(side, mid, 1 + distance)
    }

    fn add(&self, writer: &mut Writer, symbol: u16, mid: u32) {
        let side = writer.random.side();
        let px = self.passive_px(&mut writer.random, side, mid);
        let qty = writer.random.between(1, QTY_MAX);
        writer.enter(Op::Limit, symbol, side, qty, px);
    }

    fn reprice(&self, writer: &mut Writer, symbol: u16, id: u32, mid: u32) {
        let Standing { side, px: old_px, .. } = writer.book.standing(id);
        let best = writer.book.best(symbol, side.opposite());
        let px = match best {
            Some(best) if writer.random.below(1_000) < self.crossing => best,
            _ => self.passive_px(&mut writer.random, side, mid),
        };
        let px = if px == old_px { behind(side, px, 1) } else { px };
        writer.reprice(id, px);
    }

    /// One command on a symbol that stands around `mid`.
    fn step(&self, writer: &mut Writer, symbol: u16, mid: u32, target: u32) {
        let what = writer.random.below(1_000);
        let [adds, iocs, cancels] =
            [self.adds, self.adds + self.iocs, self.adds + self.iocs + self.cancels];
        let Some(id) = writer.pick(symbol).filter(|_| adds <= what) else {
            return self.add(writer, symbol, mid);
        };
        if what < iocs {
            // Takers take less when orders are few: this is what holds the number.
            let is_low = writer.orders(symbol) < target;
            let side = writer.random.side();
            let best = writer.book.best(symbol, side.opposite());
            let Some(best) = best.filter(|px| !is_stub(*px)) else {
                return self.add(writer, symbol, mid);
            };
            let qty = writer.random.between(1, if is_low { QTY_MAX / 5 } else { 2 * QTY_MAX });
            let through = writer.random.below(4);
            writer.enter(Op::Ioc, symbol, side, qty, behind(side.opposite(), best, through));
        } else if what < cancels {
            writer.cancel(id);
        } else {
            self.reprice(writer, symbol, id, mid);
        }
    }
}

fn mixed(mix: &Mix, size: Size) -> Workload {
    let shrink = size.shrink;
    let (symbols, orders) = if mix.symbols == 1 {
        (1, (mix.orders / shrink).max(ORDERS_MIN))
    } else {
        (u32::from(mix.symbols) / shrink, mix.orders)
    };
    let warm_up = size.timed / 5;
    let fill = symbols as usize * orders as usize;
    let symbols = u16::try_from(symbols).unwrap_or(u16::MAX);
    let mut writer = Writer::new(mix.seed, symbols, fill + warm_up + size.timed);
    let mut mids: Vec<u32> =
        (0..symbols).map(|_| writer.random.between(100_000, 1_000_000)).collect();
    for _ in 0..orders {
        for symbol in 0..symbols {
            mix.add(&mut writer, symbol, mids[usize::from(symbol)]);
        }
    }
    for at in 0..warm_up + size.timed {
        if at == warm_up {
            writer.begin_timed();
        }
        let symbol = u16::try_from(writer.random.below(u32::from(symbols))).unwrap_or(0);
        let mid = &mut mids[usize::from(symbol)];
        match writer.random.below(64) {
            0 => *mid -= 1,
            1 => *mid += 1,
            _ => {}
        }
        let mid = *mid;
        mix.step(&mut writer, symbol, mid, orders);
    }
    writer.finish()
}

/// Levels a sweep takes, and levels of a side.
const SWEPT: u32 = 20;
const DEEP: u32 = 40;
/// Orders a sweep takes: two a level, and one more.
const SWEPT_ORDERS: u32 = 2 * SWEPT + 1;

fn sweeps(extent: Size) -> Workload {
    const MID: u32 = 100_000;
    let cycle = SWEPT_ORDERS as usize + 1;
    let cycles = extent.timed.div_ceil(cycle);
    let warm_up = cycles.div_ceil(5);
    let fill = 4 * DEEP as usize + 2;
    let mut writer = Writer::new(0xD1, 1, fill + (warm_up + cycles) * cycle);
    let mut totals = [0; 2];
    for (side, total) in [Side::Bid, Side::Ask].into_iter().zip(&mut totals) {
        *total = refill(&mut writer, side, MID);
        for level in SWEPT..DEEP {
            for _ in 0..2 {
                let qty = writer.random.between(1, QTY_MAX);
                writer.enter(Op::Limit, 0, side, qty, behind(side, MID, 1 + level));
            }
        }
    }
    for at in 0..warm_up + cycles {
        if at == warm_up {
            writer.begin_timed();
        }
        let (side, total) = match at % 2 {
            0 => (Side::Bid, &mut totals[0]),
            _ => (Side::Ask, &mut totals[1]),
        };
        writer.enter(Op::Ioc, 0, side.opposite(), *total, behind(side, MID, SWEPT));
        *total = refill(&mut writer, side, MID);
    }
    writer.finish()
}

/// Enters the orders that a sweep takes, in random order; gives their quantity.
fn refill(writer: &mut Writer, side: Side, mid: u32) -> u32 {
    let mut levels: Vec<u32> = (0..SWEPT_ORDERS).map(|order| 1 + order % SWEPT).collect();
    for end in (1..SWEPT_ORDERS).rev() {
        levels.swap(end as usize, writer.random.below(end + 1) as usize);
    }
    let mut total = 0;
    for level in levels {
        let qty = writer.random.between(1, QTY_MAX);
        writer.enter(Op::Limit, 0, side, qty, behind(side, mid, level));
        total += qty;
    }
    total
}

/// Sparse books, and standing orders in each, without the stubs.
const SPARSE: u32 = 1_000;
const SPARSE_ORDERS: u32 = 4;
/// The price before the crash, and how far it falls.
const BEFORE: u32 = 1_000_000;
const FALL: u32 = 300_000;
/// Commands between two sweeps of the crash.
const SWEEP_EVERY: usize = 100;

fn crash(extent: Size) -> Workload {
    let sparse = SPARSE / extent.shrink;
    let symbols = u16::try_from(1 + sparse).unwrap_or(u16::MAX);
    let orders = (B.orders / extent.shrink).max(ORDERS_MIN);
    let fill = orders + u32::from(symbols) * (2 + SPARSE_ORDERS);
    let mut writer = Writer::new(0xE1, symbols, fill as usize + extent.timed);
    let mut mids = vec![BEFORE];
    for symbol in 0..symbols {
        writer.enter(Op::Limit, symbol, Side::Bid, QTY_MAX, 1);
        writer.enter(Op::Limit, symbol, Side::Ask, QTY_MAX, Price::RAW_MAX);
    }
    for _ in 0..orders {
        B.add(&mut writer, 0, BEFORE);
    }
    for symbol in 1..symbols {
        // Evenly over the orders of magnitude.
        let octave = writer.random.between(8, 28);
        mids.push(writer.random.between(1 << octave, 2 << octave));
        for _ in 0..SPARSE_ORDERS {
            sparse_add(&mut writer, symbol, mids[usize::from(symbol)]);
        }
    }
    writer.begin_timed();
    let half = extent.timed.div_ceil(2);
    for at in 0..extent.timed {
        let gone = at.min(extent.timed - at);
        let fallen = u64::from(FALL) * gone as u64 / half as u64;
        let mid = BEFORE - u32::try_from(fallen).unwrap_or(FALL);
        if at % SWEEP_EVERY == 0 {
            let side = if at < half { Side::Ask } else { Side::Bid };
            let total = reachable(&writer, side.opposite(), mid);
            writer.enter(Op::Ioc, 0, side, total.max(1), mid);
        } else if writer.random.below(5) == 0 {
            let symbol = 1 + writer.random.below(sparse);
            let symbol = u16::try_from(symbol).unwrap_or(u16::MAX);
            sparse_step(&mut writer, symbol, mids[usize::from(symbol)]);
        } else if writer.orders(0) < orders {
            B.add(&mut writer, 0, mid);
        } else {
            B.step(&mut writer, 0, mid, orders);
        }
    }
    writer.finish()
}

/// Quantity of the crashing book that stands on `side` at `limit` or better.
fn reachable(writer: &Writer, side: Side, limit: u32) -> u32 {
    let standing = writer.standing[0].iter().map(|id| writer.book.standing(*id));
    let reached = standing.filter(|order| {
        order.side == side
            && match side {
                Side::Bid => limit <= order.px,
                Side::Ask => order.px <= limit,
            }
    });
    reached.map(|order| order.open).sum()
}

fn sparse_add(writer: &mut Writer, symbol: u16, mid: u32) {
    let side = writer.random.side();
    let distance = 1 + writer.random.below(mid / 16);
    let qty = writer.random.between(1, QTY_MAX);
    writer.enter(Op::Limit, symbol, side, qty, behind(side, mid, distance));
}

fn sparse_step(writer: &mut Writer, symbol: u16, mid: u32) {
    let picked = writer.pick(symbol);
    match picked.filter(|_| SPARSE_ORDERS <= writer.orders(symbol)) {
        Some(id) if writer.random.below(4) == 0 => {
            let Standing { side, px, open, .. } = writer.book.standing(id);
            let is_best = writer.book.best(symbol, side) == Some(px);
            if is_best {
                writer.enter(Op::Ioc, symbol, side.opposite(), open, px);
            } else {
                writer.cancel(id);
            }
        }
        Some(id) => writer.cancel(id),
        None => sparse_add(writer, symbol, mid),
    }
}
