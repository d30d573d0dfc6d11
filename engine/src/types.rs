//! Values of the market that are valid by construction.

use core::fmt;

use crate::limits::{EPOCH_BITS, GENERATION_BITS, SLOT_BITS};

/// A limit price in the instrument's price unit (10^-decimals), the integer that is on the wire.
///
/// Always in `1..=RAW_MAX`; what is not is refused at the door, so the book never checks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Price(u32);

impl Price {
    /// Highest price any instrument may quote. Source: OUCH 5.0, 199,999.9900 with four decimals.
    pub const RAW_MAX: u32 = 1_999_999_900;

    /// Returns the price `raw`, or `None` outside `1..=RAW_MAX`.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        if 1 <= raw && raw <= Self::RAW_MAX { Some(Self(raw)) } else { None }
    }

    /// The integer on the wire.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }
}

/// Side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// Buys.
    Bid = 0,
    /// Sells.
    Ask = 1,
}

impl Side {
    /// The side an order of this side trades against.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Orders prices by how early they trade on this side: of two, the better one has the lower
    /// rank.
    #[inline]
    #[must_use]
    pub const fn rank(self, px: u32) -> u32 {
        match self {
            Self::Bid => !px,
            Self::Ask => px,
        }
    }
}

/// What an order's owner does: the side of the book, and for a sale how the shares are come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Buy.
    Buy = 0,
    /// Sell shares that are owned.
    Sell = 1,
    /// Sell short.
    SellShort = 2,
    /// Sell short, exempt from the price test.
    SellShortExempt = 3,
}

impl Action {
    /// The side of the book.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::Buy => Side::Bid,
            Self::Sell | Self::SellShort | Self::SellShortExempt => Side::Ask,
        }
    }

    /// The inverse of `self as u8`; only the low two bits of `code` count.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Buy,
            1 => Self::Sell,
            2 => Self::SellShort,
            _ => Self::SellShortExempt,
        }
    }
}

/// How long an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until the day rolls.
    Day = 0,
    /// Not at all: what does not trade at once is cancelled.
    ImmediateOrCancel = 1,
    /// Until a time of its own, or until the day rolls.
    UntilTime = 2,
    /// Until it is cancelled, over any number of days.
    GoodTillCancel = 3,
}

impl TimeInForce {
    /// The inverse of `self as u8`; only the low two bits of `code` count.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Day,
            1 => Self::ImmediateOrCancel,
            2 => Self::UntilTime,
            _ => Self::GoodTillCancel,
        }
    }

    /// Whether what does not trade at once may stand on the book.
    #[must_use]
    pub const fn may_rest(self) -> bool {
        match self {
            Self::Day | Self::UntilTime | Self::GoodTillCancel => true,
            Self::ImmediateOrCancel => false,
        }
    }
}

/// What the public sees of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Display {
    /// Price and quantity.
    Visible = 0,
    /// Nothing; at its price it trades after all that is displayed.
    Hidden = 1,
    /// Price, quantity and the firm.
    Attributable = 2,
}

impl Display {
    /// The inverse of `self as u8`; only the low two bits of `code` count.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Visible,
            1 => Self::Hidden,
            _ => Self::Attributable,
        }
    }

    /// Whether the public sees nothing.
    #[must_use]
    pub const fn is_hidden(self) -> bool {
        match self {
            Self::Hidden => true,
            Self::Visible | Self::Attributable => false,
        }
    }
}

/// What happens instead of a trade of a firm with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The resting order is cancelled.
    CancelOldest,
    /// The arriving order is cancelled.
    CancelNewest,
    /// Both lose the smaller of their quantities.
    Decrement,
    /// The same, and the reports give neither quantity nor price of what was prevented.
    DecrementQuietly,
}

/// How an arriving order keeps from trading with its own firm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prevention {
    /// What happens.
    pub strategy: Strategy,
    /// The strategy as the client named it, reported back.
    pub code: u8,
}

/// In which role the broker acts. Carried and reported, never used by the match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capacity {
    /// For a customer.
    Agency = 0,
    /// For itself.
    Principal = 1,
    /// For itself, against a customer's order.
    RisklessPrincipal = 2,
    /// Anything else.
    Other = 3,
}

impl Capacity {
    /// The inverse of `self as u8`; only the low two bits of `code` count.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code & 3 {
            0 => Self::Agency,
            1 => Self::Principal,
            2 => Self::RisklessPrincipal,
            _ => Self::Other,
        }
    }
}

/// A public order reference: shard (6 bits), epoch (10), generation (24), slot (24), high to low.
///
/// Unique for the day. Given by the engine, so that cancel, execute and replace need no search.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct OrderRef(u64);

impl OrderRef {
    /// Puts the parts together; `generation` and `slot` are below 2^24.
    #[must_use]
    pub const fn new(origin: Origin, generation: u32, slot: u32) -> Self {
        debug_assert!(generation < 1 << GENERATION_BITS, "generation out of range");
        debug_assert!(slot < 1 << SLOT_BITS, "slot out of range");
        Self(origin.0 | (generation as u64) << SLOT_BITS | slot as u64)
    }

    /// The integer on the wire.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The slot in the integer on the wire.
    #[must_use]
    pub const fn slot_of(raw: u64) -> u32 {
        let [_, _, _, _, _, high, middle, low] = raw.to_be_bytes();
        u32::from_be_bytes([0, high, middle, low])
    }
}

impl fmt::Debug for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.0 & ((1 << SLOT_BITS) - 1);
        let generation = self.0 >> SLOT_BITS & ((1 << GENERATION_BITS) - 1);
        write!(f, "{:x}:{generation}:{slot}", self.0 >> (SLOT_BITS + GENERATION_BITS))
    }
}

/// The upper 16 bits of references and match numbers: who gives them, and since which loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(u64);

impl Origin {
    /// `shard` is below 64; of `epoch` the lowest ten bits count.
    #[must_use]
    pub const fn new(shard: u8, epoch: u32) -> Self {
        let epoch = (epoch & ((1 << EPOCH_BITS) - 1)) as u64;
        Self(((shard as u64) << EPOCH_BITS | epoch) << (SLOT_BITS + GENERATION_BITS))
    }

    /// The reference of the order that is the `generation`th to live at `slot`.
    #[inline]
    #[must_use]
    pub const fn order_ref(self, generation: u32, slot: u32) -> OrderRef {
        OrderRef::new(self, generation, slot)
    }

    /// The match number `count` (from one) of the day.
    #[must_use]
    pub const fn match_number(self, count: u64) -> u64 {
        self.0 | count
    }
}

/// Whether a taker limited at `limit` trades with a maker resting at `maker`.
#[must_use]
pub const fn crosses(taker: Side, limit: u32, maker: u32) -> bool {
    match taker {
        Side::Bid => maker <= limit,
        Side::Ask => limit <= maker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bid_crosses_at_or_above_the_maker_price() {
        for (limit, expected) in [(99, false), (100, true), (101, true)] {
            assert_eq!(crosses(Side::Bid, limit, 100), expected, "limit {limit}");
        }
    }

    #[test]
    fn ask_crosses_at_or_below_the_maker_price() {
        for (limit, expected) in [(99, true), (100, true), (101, false)] {
            assert_eq!(crosses(Side::Ask, limit, 100), expected, "limit {limit}");
        }
    }

    #[test]
    fn price_ends_are_in_and_their_neighbours_are_out() {
        assert_eq!(Price::from_raw(0), None);
        assert_eq!(Price::from_raw(1).map(Price::raw), Some(1));
        assert_eq!(Price::from_raw(Price::RAW_MAX).map(Price::raw), Some(Price::RAW_MAX));
        assert_eq!(Price::from_raw(Price::RAW_MAX + 1), None);
    }

    #[test]
    fn reference_parts_do_not_overlap() {
        let reference = OrderRef::new(Origin::new(1, 2), 3, 4);
        assert_eq!(reference.raw(), 1 << 58 | 2 << 48 | 3 << 24 | 4);
    }

    #[test]
    fn codes_invert() {
        for code in 0..4 {
            assert_eq!(Action::from_code(code) as u8, code);
            assert_eq!(Capacity::from_code(code) as u8, code);
            assert_eq!(TimeInForce::from_code(code) as u8, code);
        }
        for code in 0..3 {
            assert_eq!(Display::from_code(code) as u8, code);
        }
    }
}
