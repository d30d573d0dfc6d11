//! What is traded.

use core::fmt;

use crate::{
    limits::{INSTRUMENTS_MAX, QTY_MAX},
    reject::Reject,
    types::Price,
};

/// Highest number of decimals a price or a quantity may have.
pub const DECIMALS_MAX: u8 = 9;

/// An instrument. Its id is permanent; the rest is fixed for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        Ok(())
    }

    /// Checks quantity and price of an order, in that order.
    ///
    /// # Errors
    ///
    /// The code to answer with.
    #[inline]
    pub fn check_order(&self, qty: u32, px: u32) -> Result<Price, Reject> {
        if qty < self.qty_min || self.qty_max < qty || !qty.is_multiple_of(self.lot) {
            return Err(Reject::Quantity);
        }
        if px == MARKET_PX || px == CROSS_MARKET_PX {
            return Err(Reject::MarketOrder);
        }
        match Price::from_raw(px) {
            Some(price) if px.is_multiple_of(self.tick) => Ok(price),
            _ => Err(Reject::Price),
        }
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
            (10, 2_000_000_000, Err(Reject::MarketOrder)),
            (10, 0x7FFF_FFFF, Err(Reject::MarketOrder)),
        ] {
            let found = SHARE.check_order(qty, px).map(Price::raw);
            assert_eq!(found, expected, "qty {qty} px {px}");
        }
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
        ];
        for (instrument, expected) in cases {
            assert_eq!(instrument.check(), Err(expected));
        }
        assert_eq!(SHARE.check(), Ok(()));
    }
}
