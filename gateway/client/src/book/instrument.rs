//! The book of one instrument.

use std::collections::{BTreeMap, btree_map};

use uncross_wire::itch::codes::side as side_code;
use uncross_wire::itch::stock::StockDirectory;

use crate::book::change::BookError;
use crate::book::checksum::Fnv;
use crate::text::{Firm, Symbol};

/// Side of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BookSide {
    /// Buys, the highest price first.
    Bid,
    /// Sells, the lowest price first.
    Ask,
}

impl BookSide {
    /// Returns the side with the wire code `code`, `None` unless that is `B` or `S`.
    #[must_use]
    pub const fn from_wire(code: u8) -> Option<Self> {
        match code {
            side_code::BUY => Some(Self::Bid),
            side_code::SELL => Some(Self::Ask),
            _ => None,
        }
    }

    /// Returns the wire code.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        match self {
            Self::Bid => side_code::BUY,
            Self::Ask => side_code::SELL,
        }
    }
}

/// A displayed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Reference, unique in the day.
    pub reference: u64,
    /// Side.
    pub side: BookSide,
    /// Displayed price in the instrument's price unit.
    pub price: u32,
    /// Displayed quantity still open, in the instrument's quantity unit.
    pub shares: u32,
    /// Firm, when the order was added under its name.
    pub firm: Option<Firm>,
}

/// A trade as the feed told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Number of the trade, unique in the day.
    pub match_number: u64,
    /// Price in the instrument's price unit.
    pub price: u32,
    /// Quantity in the instrument's quantity unit.
    pub shares: u64,
    /// Nanoseconds since midnight.
    pub timestamp_ns: u64,
    /// Whether it counts as volume; if not, the print of a cross follows.
    pub printable: bool,
}

/// One price level, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Price in the instrument's price unit.
    pub price: u32,
    /// Open quantity of all orders, in the instrument's quantity unit.
    pub shares: u64,
    /// Number of orders; at least 1.
    pub orders: usize,
}

/// The best levels of both sides, each best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Buys.
    pub bids: Vec<Depth>,
    /// Sells.
    pub asks: Vec<Depth>,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) locate: u16,
    pub(super) side: BookSide,
    pub(super) price: u32,
    /// Number of the order among all that were added; rises with time.
    pub(super) arrival: u64,
}

/// Orders of one price. Invariant: `shares` is their sum, and no level without orders is kept.
#[derive(Clone, Debug, Default)]
struct Level {
    shares: u64,
    /// By arrival, so the first has priority.
    queue: BTreeMap<u64, Order>,
}

/// The book of one instrument, with its state and its last trade.
#[derive(Clone, Debug)]
pub struct Book {
    directory: StockDirectory,
    trading_state: Option<u8>,
    bids: BTreeMap<u32, Level>,
    asks: BTreeMap<u32, Level>,
    order_count: usize,
    last_trade: Option<Trade>,
    volume: u64,
    trade_count: u64,
    broken_count: u64,
}

impl Book {
    /// Returns the instrument.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        Symbol::from_wire(self.directory.stock)
    }

    /// Returns the locate code of the day.
    #[must_use]
    pub const fn locate(&self) -> u16 {
        self.directory.header.stock_locate.get()
    }

    /// Returns the last directory message, with round lot and all other properties.
    #[must_use]
    pub const fn directory(&self) -> &StockDirectory {
        &self.directory
    }

    /// Returns the state, see [`uncross_wire::itch::codes::trading_state`]; `None` until told.
    #[must_use]
    pub const fn trading_state(&self) -> Option<u8> {
        self.trading_state
    }

    /// Returns the levels of `side`, the best first.
    pub fn levels(&self, side: BookSide) -> impl Iterator<Item = Depth> {
        self.ranked(side).map(|(&price, level)| Depth {
            price,
            shares: level.shares,
            orders: level.queue.len(),
        })
    }

    /// Returns the orders of `side` by priority: the best price first, then the oldest.
    pub fn orders(&self, side: BookSide) -> impl Iterator<Item = &Order> {
        self.ranked(side).flat_map(|(_, level)| level.queue.values())
    }

    /// Returns the best level of `side`, `None` when the side is empty.
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<Depth> {
        self.levels(side).next()
    }

    /// Returns the `levels_max` best levels of each side.
    #[must_use]
    pub fn depth(&self, levels_max: usize) -> Ladder {
        Ladder {
            bids: self.levels(BookSide::Bid).take(levels_max).collect(),
            asks: self.levels(BookSide::Ask).take(levels_max).collect(),
        }
    }

    /// Returns the number of live orders.
    #[must_use]
    pub const fn order_count(&self) -> usize {
        self.order_count
    }

    /// Returns the number of price levels of `side`.
    #[must_use]
    pub fn level_count(&self, side: BookSide) -> usize {
        self.side(side).len()
    }

    /// Returns the open quantity of `side`, in the instrument's quantity unit.
    #[must_use]
    pub fn total_shares(&self, side: BookSide) -> u64 {
        self.side(side).values().map(|level| level.shares).sum()
    }

    /// Returns the last trade that counts as volume; `None` after it was annulled.
    #[must_use]
    pub const fn last_trade(&self) -> Option<&Trade> {
        self.last_trade.as_ref()
    }

    /// Returns the quantity traded that counts as volume, annulled trades included.
    #[must_use]
    pub const fn volume(&self) -> u64 {
        self.volume
    }

    /// Returns the number of trades that count as volume, annulled ones included.
    #[must_use]
    pub const fn trade_count(&self) -> u64 {
        self.trade_count
    }

    /// Returns the number of trades annulled.
    #[must_use]
    pub const fn broken_count(&self) -> u64 {
        self.broken_count
    }

    /// Returns the checksum of this book alone, made as [`crate::Books::checksum`] says.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        let mut sum = Fnv::new();
        self.feed(&mut sum);
        sum.value()
    }

    pub(super) fn new(directory: &StockDirectory) -> Self {
        Self {
            directory: *directory,
            trading_state: None,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            order_count: 0,
            last_trade: None,
            volume: 0,
            trade_count: 0,
            broken_count: 0,
        }
    }

    pub(super) const fn set_directory(&mut self, directory: &StockDirectory) {
        self.directory = *directory;
    }

    pub(super) const fn set_trading_state(&mut self, state: u8) {
        self.trading_state = Some(state);
    }

    pub(super) fn check_symbol(&self, stock: [u8; 8]) -> Result<(), BookError> {
        let (expected, found) = (self.symbol(), Symbol::from_wire(stock));
        if expected == found {
            Ok(())
        } else {
            Err(BookError::OtherSymbol { locate: self.locate(), expected, found })
        }
    }

    /// Adds every order to a checksum.
    pub(super) fn feed(&self, sum: &mut Fnv) {
        for side in [BookSide::Bid, BookSide::Ask] {
            for order in self.orders(side) {
                sum.write(&self.directory.stock);
                sum.write(&[side.to_wire()]);
                sum.write(&order.price.to_be_bytes());
                sum.write(&order.reference.to_be_bytes());
                sum.write(&order.shares.to_be_bytes());
            }
        }
    }

    pub(super) fn order(&self, place: &Place) -> Option<&Order> {
        self.side(place.side).get(&place.price)?.queue.get(&place.arrival)
    }

    pub(super) fn insert(&mut self, place: &Place, order: Order) {
        let level = self.side_mut(place.side).entry(place.price).or_default();
        level.shares += u64::from(order.shares);
        let previous = level.queue.insert(place.arrival, order);
        debug_assert!(previous.is_none(), "two orders with one arrival");
        self.order_count += 1;
    }

    /// Takes `by` shares, at most what is open, off an order and returns what is left of it.
    pub(super) fn reduce(&mut self, place: &Place, by: u32) -> Option<Order> {
        let levels = self.side_mut(place.side);
        let level = levels.get_mut(&place.price)?;
        let order = level.queue.get_mut(&place.arrival)?;
        order.shares -= by;
        let order = *order;
        level.shares -= u64::from(by);
        if order.shares == 0 {
            level.queue.remove(&place.arrival);
            debug_assert_eq!(level.queue.is_empty(), level.shares == 0, "sum of a level is off");
            if level.queue.is_empty() {
                levels.remove(&place.price);
            }
            self.order_count -= 1;
        }
        Some(order)
    }

    /// Remembers a trade; a cross of 0 shares is none.
    pub(super) const fn record(&mut self, trade: Trade) {
        if trade.printable && 0 < trade.shares {
            self.last_trade = Some(trade);
            self.volume = self.volume.saturating_add(trade.shares);
            self.trade_count += 1;
        }
    }

    pub(super) fn annul(&mut self, match_number: u64) {
        self.broken_count += 1;
        self.last_trade = self.last_trade.filter(|trade| trade.match_number != match_number);
    }

    const fn side(&self, side: BookSide) -> &BTreeMap<u32, Level> {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: BookSide) -> &mut BTreeMap<u32, Level> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    fn ranked(&self, side: BookSide) -> Ranked<'_> {
        Ranked { levels: self.side(side).iter(), side }
    }
}

/// Levels of one side, the best first.
struct Ranked<'a> {
    levels: btree_map::Iter<'a, u32, Level>,
    side: BookSide,
}

impl<'a> Iterator for Ranked<'a> {
    type Item = (&'a u32, &'a Level);

    fn next(&mut self) -> Option<Self::Item> {
        match self.side {
            BookSide::Bid => self.levels.next_back(),
            BookSide::Ask => self.levels.next(),
        }
    }
}
