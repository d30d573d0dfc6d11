//! A market as LOBSTER writes it down: read from files, or made.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write,
    fs,
    path::Path,
};

/// Levels of each side in an orderbook file.
const DEPTH: usize = 10;
/// Price that stands for no level, with the sign of its side.
const NO_PRICE: i64 = 9_999_999_999;

/// Side (1 buys, -1 sells) and price of a level.
pub(crate) type Level = (i64, i64);
pub(crate) type Quantities = BTreeMap<Level, i64>;

/// A line of the message file.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: i64,
    pub(crate) id: i64,
    pub(crate) shares: i64,
    pub(crate) price: i64,
    pub(crate) side: i64,
}

/// A line of the orderbook file: the ten best levels of each side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    pub(crate) levels: Quantities,
    /// The tenth prices, bid and ask.
    worst: (i64, i64),
}

/// Both files.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) rows: Vec<Row>,
    pub(crate) ladders: Vec<Ladder>,
}

impl Ladder {
    /// Whether a level at this price would be seen.
    pub(crate) fn sees(&self, (side, price): Level) -> bool {
        if side == 1 { self.worst.0 <= price } else { price <= self.worst.1 }
    }

    /// From ask price, ask size, bid price, bid size of each level.
    fn read(fields: &[i64]) -> Self {
        let mut ladder = Self::default();
        for level in fields.chunks_exact(4) {
            let &[ask, ask_size, bid, bid_size] = level else { unreachable!() };
            ladder.levels.extend([((-1, ask), ask_size), ((1, bid), bid_size)]);
            ladder.worst = (bid, ask);
        }
        ladder
    }

    fn of(orders: &[Row]) -> Self {
        let all = by_level(orders.iter());
        let best = |side: i64| {
            let mut prices: Vec<_> = all.keys().filter(|level| level.0 == side).collect();
            prices.sort_by_key(|level| -side * level.1);
            prices.into_iter().take(DEPTH).copied().collect::<Vec<_>>()
        };
        let (bids, asks) = (best(1), best(-1));
        let worst =
            |levels: &[Level], side: i64| levels.get(DEPTH - 1).map_or(-side * NO_PRICE, |it| it.1);
        let worst = (worst(&bids, 1), worst(&asks, -1));
        Self { levels: bids.into_iter().chain(asks).map(|it| (it, all[&it])).collect(), worst }
    }
}

fn by_level<'a>(orders: impl Iterator<Item = &'a Row>) -> Quantities {
    let mut quantities = Quantities::new();
    for order in orders.filter(|order| order.shares != 0) {
        *quantities.entry((order.side, order.price)).or_default() += order.shares;
    }
    quantities
}

fn numbers(path: &Path) -> Vec<Vec<i64>> {
    let text = fs::read_to_string(path).unwrap();
    // The time, with its point, is read like the numbers and not used.
    let number = |field: &str| field.replace('.', "").parse().unwrap();
    text.lines().map(|line| line.split(',').map(number).collect()).collect()
}

impl Sample {
    /// Reads the sample in the folder `lobster` of `folder`.
    pub(crate) fn read(folder: &Path) -> Self {
        let path = |name: &str| {
            folder
                .join("lobster/AAPL_2012-06-21_")
                .with_file_name(format!("AAPL_2012-06-21_{name}_10.csv"))
        };
        let rows = numbers(&path("message")).into_iter().map(|fields| {
            let [_, kind, id, shares, price, side] = fields[..] else { panic!("{fields:?}") };
            Row { kind, id, shares, price, side }
        });
        let ladders =
            numbers(&path("orderbook")).iter().map(|fields| Ladder::read(fields)).collect();
        Self { rows: rows.collect(), ladders }
    }

    /// Makes one of `count` events with a price-time book; the same seed makes the same.
    pub(crate) fn made(seed: u64, count: usize) -> Self {
        let mut market = Market { state: seed, orders: Vec::new(), id: 1_000 };
        for _ in 0..40 {
            market.enter();
        }
        let mut sample = Self { rows: Vec::new(), ladders: Vec::new() };
        while sample.rows.len() < count {
            let row = market.step();
            sample.rows.push(row);
            sample.ladders.push(Ladder::of(&market.orders));
        }
        sample
    }

    /// The message file.
    pub(crate) fn messages(&self) -> String {
        let mut text = String::new();
        for (number, Row { kind, id, shares, price, side }) in (0..).zip(&self.rows) {
            let (seconds, nanos) = (34_200 + number / 1_000, number % 1_000);
            writeln!(text, "{seconds}.{nanos:09},{kind},{id},{shares},{price},{side}").unwrap();
        }
        text
    }

    pub(crate) fn count(&self, is_meant: impl Fn(i64) -> bool) -> u64 {
        self.rows.iter().filter(|row| is_meant(row.kind)).count() as u64
    }

    /// The orders that the message file names, after each row, summed up by level.
    ///
    /// Those that it never enters were there before, with all that is removed from them.
    pub(crate) fn named(&self) -> Vec<Quantities> {
        let mut orders: HashMap<i64, Row> = HashMap::new();
        let mut entered = HashSet::new();
        for row in &self.rows {
            if row.kind == 1 {
                entered.insert(row.id);
            } else if row.kind < 5 && !entered.contains(&row.id) {
                let order = orders.entry(row.id).or_insert(Row { shares: 0, ..row.clone() });
                order.shares += row.shares;
            }
        }
        let after = |row: &Row| {
            if row.kind == 1 {
                orders.insert(row.id, row.clone());
            } else if row.kind < 5 {
                orders.get_mut(&row.id).unwrap().shares -= row.shares;
            }
            by_level(orders.values())
        };
        self.rows.iter().map(after).collect()
    }
}

/// A market that makes its own rows. The orders stand in the order of their entry.
struct Market {
    state: u64,
    orders: Vec<Row>,
    id: i64,
}

impl Market {
    /// A number below `end`, by `SplitMix64`.
    fn random(&mut self, end: i64) -> i64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        i64::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % end
    }

    fn enter(&mut self) -> Row {
        self.id += 1 + self.random(3);
        let side = if self.random(2) == 0 { 1 } else { -1 };
        let price = 5_850_000 - side * 100 * (1 + self.random(25));
        let row = Row { kind: 1, id: self.id, shares: 1 + self.random(300), price, side };
        self.orders.push(row.clone());
        row
    }

    /// The order that an order on the other side would meet first.
    fn first(&self, side: i64) -> Option<usize> {
        let all = self.orders.iter().enumerate().filter(|(_, order)| order.side == side);
        all.min_by_key(|(index, order)| (-side * order.price, *index)).map(|(index, _)| index)
    }

    fn step(&mut self) -> Row {
        let any =
            usize::try_from(self.random(1 + i64::try_from(self.orders.len()).unwrap())).unwrap();
        let side = 2 * self.random(2) - 1;
        let (kind, index) = match self.random(100) {
            0..10 => (2, any),
            10..32 => (3, any),
            32..50 => (4, self.first(side).unwrap_or(self.orders.len())),
            50..53 => return Row { kind: 5, id: 0, shares: 10, price: 5_850_000, side },
            53 => return Row { kind: 7, id: 0, shares: 0, price: -1, side: -1 },
            _ => return self.enter(),
        };
        let Some(order) = self.orders.get(index).cloned() else { return self.enter() };
        let shares = match kind {
            2 if order.shares == 1 => return self.enter(),
            2 => 1 + self.random(order.shares - 1),
            3 => order.shares,
            _ => 1 + self.random(order.shares),
        };
        if shares == order.shares {
            self.orders.remove(index);
        } else {
            self.orders[index].shares -= shares;
        }
        Row { kind, shares, ..order }
    }
}
