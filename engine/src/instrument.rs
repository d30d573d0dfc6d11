//! What is traded.

use core::fmt;

use rkyv::{Archive, Deserialize, Serialize};

use crate::{
    limits::{INSTRUMENTS_MAX, QTY_MAX},
    reject::Reject,
    types::{Price, Side},
};

/// Highest number of decimals a price or a quantity may have.
pub const DECIMALS_MAX: u8 = 9;

/// An instrument. Its id is permanent; the rest is fixed for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct Instrument {
    /// Permanent id, `1..=INSTRUMENTS_MAX`.
    pub id: u32,
    /// Name on the wire, left-justified, padded with spaces.
    pub symbol: [u8; 8],
    /// A price unit is 10^-`price_decimals` of the currency.
    pub price_decimals: u8,
    /// A quantity unit is 10^-`qty_decimals` of the thing.
    pub qty_decimals: u8,
    /// Prices are multiples of it, in price units.
    pub tick: u32,
    /// Quantities are multiples of it, in quantity units.
    pub lot: u32,
    /// Smallest quantity of an order, in quantity units.
    pub qty_min: u32,
    /// Largest quantity of an order, in quantity units.
    pub qty_max: u32,
    /// How far from the reference price a market order may trade, in hundredths of a percent of it,
    /// at most [`COLLAR_BP_MAX`]; 0: there are no market orders.
    pub collar_bp: u32,
    /// Reference price of the first day, in price units; 0: none before the first trade.
    pub reference_px: u32,
}

/// Highest collar: the whole reference price.
pub const COLLAR_BP_MAX: u32 = 10_000;

/// The price an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Not worse than this.
    Limit(Price),
    /// Whatever the collar allows.
    Market,
}

/// Why an instrument cannot be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentError {
    /// The id is outside `1..=INSTRUMENTS_MAX`.
    Id(u32),
    /// The symbol is empty, has a gap or a byte that is not printable ASCII.
    Symbol([u8; 8]),
    /// More decimals than [`DECIMALS_MAX`].
    Decimals(u8),
    /// The tick is 0 or above the highest price.
    Tick(u32),
    /// The lot is 0.
    Lot,
    /// Not `1 <= qty_min <= qty_max`, or one of them no multiple of the lot.
    Quantities {
        /// Smallest quantity.
        qty_min: u32,
        /// Largest quantity.
        qty_max: u32,
        /// The lot both must be multiples of.
        lot: u32,
    },
    /// The collar is above [`COLLAR_BP_MAX`].
    Collar(u32),
    /// The reference price is above the highest price.
    Reference(u32),
}

impl fmt::Display for InstrumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "id must be in 1..={INSTRUMENTS_MAX}, found {id}"),
            Self::Symbol(symbol) => write!(
                f,
                "symbol must be 1 to 8 printable ASCII characters without spaces, found {:?}",
                symbol.escape_ascii().to_string()
            ),
            Self::Decimals(found) => {
                write!(f, "decimals must be in 0..={DECIMALS_MAX}, found {found}")
            }
            Self::Tick(tick) => {
                write!(f, "tick must be in 1..={} price units, found {tick}", Price::RAW_MAX)
            }
            Self::Lot => write!(f, "lot must be at least 1, found 0"),
            Self::Quantities { qty_min, qty_max, lot } => write!(
                f,
                "quantities must satisfy 1 <= min <= max <= {QTY_MAX} and be multiples of the \
                 lot {lot}, found min {qty_min}, max {qty_max}"
            ),
            Self::Collar(found) => {
                write!(f, "collar must be at most {COLLAR_BP_MAX} basis points, found {found}")
            }
            Self::Reference(found) => write!(
                f,
                "reference price must be at most {} price units, found {found}",
                Price::RAW_MAX
            ),
        }
    }
}

impl core::error::Error for InstrumentError {}

impl Instrument {
    /// Checks what holds for every instrument.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InstrumentError> {
        if self.id == 0 || u32::from(INSTRUMENTS_MAX) < self.id {
            return Err(InstrumentError::Id(self.id));
        }
        let name_len = self.symbol.iter().take_while(|byte| byte.is_ascii_graphic()).count();
        if name_len == 0 || self.symbol[name_len..].iter().any(|&byte| byte != b' ') {
            return Err(InstrumentError::Symbol(self.symbol));
        }
        let decimals = self.price_decimals.max(self.qty_decimals);
        if DECIMALS_MAX < decimals {
            return Err(InstrumentError::Decimals(decimals));
        }
        if self.tick == 0 || Price::RAW_MAX < self.tick {
            return Err(InstrumentError::Tick(self.tick));
        }
        if self.lot == 0 {
            return Err(InstrumentError::Lot);
        }
        let Self { qty_min, qty_max, lot, .. } = *self;
        let multiples = qty_min.is_multiple_of(lot) && qty_max.is_multiple_of(lot);
        if qty_min == 0 || qty_max < qty_min || !multiples {
            return Err(InstrumentError::Quantities { qty_min, qty_max, lot });
        }
        if COLLAR_BP_MAX < self.collar_bp {
            return Err(InstrumentError::Collar(self.collar_bp));
        }
        if Price::RAW_MAX < self.reference_px {
            return Err(InstrumentError::Reference(self.reference_px));
        }
        Ok(())
    }

    /// Checks quantity and price of an order, in that order.
    ///
    /// # Errors
    ///
    /// The code to answer with.
    #[inline]
    pub fn check_order(&self, qty: u32, px: u32) -> Result<Asked, Reject> {
        if qty < self.qty_min || self.qty_max < qty || !qty.is_multiple_of(self.lot) {
            return Err(Reject::Quantity);
        }
        if px == MARKET_PX || px == CROSS_MARKET_PX {
            return Ok(Asked::Market);
        }
        match Price::from_raw(px) {
            Some(price) if px.is_multiple_of(self.tick) => Ok(Asked::Limit(price)),
            _ => Err(Reject::Price),
        }
    }

    /// Whether an order that stands at `px` with `open` left may stand on when the instrument
    /// changes from `old` to this. The smallest quantity does not count: fills leave less.
    #[must_use]
    pub const fn admits(&self, old: &Self, px: u32, open: u32) -> bool {
        self.price_decimals == old.price_decimals
            && self.qty_decimals == old.qty_decimals
            && px.is_multiple_of(self.tick)
            && open.is_multiple_of(self.lot)
            && open <= self.qty_max
    }

    /// The worst price at which a market order of `side` may trade while `reference_px` holds:
    /// the edge of the collar, rounded inward to the tick.
    ///
    /// `None` without a collar, without a reference price, or when no tick lies inside.
    #[must_use]
    pub fn collar(&self, side: Side, reference_px: u32) -> Option<Price> {
        if self.collar_bp == 0 || reference_px == 0 {
            return None;
        }
        let width = u64::from(reference_px) * u64::from(self.collar_bp) / u64::from(COLLAR_BP_MAX);
        let tick = u64::from(self.tick);
        let edge = match side {
            Side::Bid => {
                let edge = (u64::from(reference_px) + width).min(u64::from(Price::RAW_MAX));
                edge / tick * tick
            }
            Side::Ask => {
                let edge = (u64::from(reference_px) - width).max(1);
                edge.next_multiple_of(tick)
            }
        };
        Price::from_raw(u32::try_from(edge).ok()?)
    }
}

/// "Market" as 200,000.0000. Source: OUCH 5.0, "Price".
pub const CROSS_MARKET_PX: u32 = 2_000_000_000;
/// "Market" as the highest i32. Source: OUCH 5.0, "Price".
pub const MARKET_PX: u32 = 0x7FFF_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Instrument = Instrument {
        id: 1,
        symbol: *b"DEMO    ",
        price_decimals: 4,
        qty_decimals: 0,
        tick: 100,
        lot: 10,
        qty_min: 10,
        qty_max: 1_000,
        collar_bp: 500,
        reference_px: 0,
    };

    #[test]
    fn quantity_is_checked_before_price() {
        assert_eq!(SHARE.check_order(0, 0), Err(Reject::Quantity));
        assert_eq!(SHARE.check_order(10, 0), Err(Reject::Price));
    }

    #[test]
    fn order_bounds_are_inclusive() {
        for (qty, px, expected) in [
            (10, 100, Ok(100)),
            (1_000, 1_999_999_900, Ok(1_999_999_900)),
            (0, 100, Err(Reject::Quantity)),
            (15, 100, Err(Reject::Quantity)),
            (1_010, 100, Err(Reject::Quantity)),
            (10, 150, Err(Reject::Price)),
            (10, 1_999_999_901, Err(Reject::Price)),
            (10, u32::MAX, Err(Reject::Price)),
        ] {
            let expected = expected.map(|raw| Asked::Limit(Price::from_raw(raw).unwrap()));
            assert_eq!(SHARE.check_order(qty, px), expected, "qty {qty} px {px}");
        }
        for px in [2_000_000_000, 0x7FFF_FFFF] {
            assert_eq!(SHARE.check_order(10, px), Ok(Asked::Market));
        }
    }

    #[test]
    fn a_collar_is_rounded_inward_and_ends_with_the_prices() {
        // 5 % of 10,050 is 502: the edges are 10,552 and 9,548.
        assert_eq!(SHARE.collar(Side::Bid, 10_050).map(Price::raw), Some(10_500));
        assert_eq!(SHARE.collar(Side::Ask, 10_050).map(Price::raw), Some(9_600));
        let highest = Price::RAW_MAX;
        assert_eq!(SHARE.collar(Side::Bid, highest).map(Price::raw), Some(highest));
        let all = Instrument { collar_bp: COLLAR_BP_MAX, ..SHARE };
        assert_eq!(all.collar(Side::Ask, 10_050).map(Price::raw), Some(100));
        assert_eq!(SHARE.collar(Side::Bid, 0), None);
        assert_eq!(SHARE.collar(Side::Bid, 90), None, "no tick lies below 94");
        assert_eq!(Instrument { collar_bp: 0, ..SHARE }.collar(Side::Ask, 10_050), None);
    }

    #[test]
    fn impossible_instruments_are_refused_with_the_reason() {
        let cases = [
            (Instrument { id: 0, ..SHARE }, InstrumentError::Id(0)),
            (Instrument { id: 65_536, ..SHARE }, InstrumentError::Id(65_536)),
            (Instrument { symbol: [b' '; 8], ..SHARE }, InstrumentError::Symbol([b' '; 8])),
            (Instrument { symbol: *b"A B     ", ..SHARE }, InstrumentError::Symbol(*b"A B     ")),
            (Instrument { price_decimals: 10, ..SHARE }, InstrumentError::Decimals(10)),
            (Instrument { tick: 0, ..SHARE }, InstrumentError::Tick(0)),
            (Instrument { lot: 0, ..SHARE }, InstrumentError::Lot),
            (
                Instrument { qty_min: 5, ..SHARE },
                InstrumentError::Quantities { qty_min: 5, qty_max: 1_000, lot: 10 },
            ),
            (
                Instrument { qty_min: 2_000, ..SHARE },
                InstrumentError::Quantities { qty_min: 2_000, qty_max: 1_000, lot: 10 },
            ),
            (Instrument { collar_bp: 10_001, ..SHARE }, InstrumentError::Collar(10_001)),
            (
                Instrument { reference_px: 1_999_999_901, ..SHARE },
                InstrumentError::Reference(1_999_999_901),
            ),
        ];
        for (instrument, expected) in cases {
            assert_eq!(instrument.check(), Err(expected));
        }
        assert_eq!(SHARE.check(), Ok(()));
    }
}
