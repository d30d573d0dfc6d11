//! What a client asks for, with the usual values filled in.

use uncross_wire::TypeByte;
use uncross_wire::ouch::appendage::Options;
use uncross_wire::ouch::codes::{self, Capacity, CrossType, Display, Side, TimeInForce};
use uncross_wire::ouch::inbound::{Enter, Replace};

use crate::text::{ClOrdId, Symbol};

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Side.
    pub side: Side,
    /// Instrument.
    pub symbol: Symbol,
    /// Quantity in the instrument's quantity unit.
    pub quantity: u32,
    /// Limit in the instrument's price unit, or [`codes::PRICE_MARKET`].
    pub price: u64,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// What the public sees of it.
    pub display: Display,
    /// In which capacity the firm acts.
    pub capacity: Capacity,
    /// Whether it is an intermarket sweep.
    pub intermarket_sweep: bool,
    /// Cross it wants to take part in.
    pub cross_type: CrossType,
    /// Free text, echoed.
    pub cl_ord_id: ClOrdId,
    /// Optional fields.
    pub options: Options,
}

impl NewOrder {
    /// Makes a day order: visible, as agency, no sweep, continuous trading, no optional field.
    #[must_use]
    pub fn limit(side: Side, symbol: Symbol, quantity: u32, price: u64) -> Self {
        Self {
            side,
            symbol,
            quantity,
            price,
            time_in_force: TimeInForce::Day,
            display: Display::Visible,
            capacity: Capacity::Agency,
            intermarket_sweep: false,
            cross_type: CrossType::Continuous,
            cl_ord_id: ClOrdId::BLANK,
            options: Options::default(),
        }
    }

    /// Makes an order that trades at once at the market; the remainder is cancelled.
    #[must_use]
    pub fn market(side: Side, symbol: Symbol, quantity: u32) -> Self {
        Self {
            time_in_force: TimeInForce::ImmediateOrCancel,
            ..Self::limit(side, symbol, quantity, codes::PRICE_MARKET)
        }
    }

    /// Returns the message that asks for it as order `user_ref_num`.
    #[must_use]
    pub fn message(&self, user_ref_num: u32) -> Enter {
        Enter {
            kind: TypeByte::new(),
            user_ref_num: user_ref_num.into(),
            side: self.side.to_wire(),
            quantity: self.quantity.into(),
            symbol: self.symbol.to_wire(),
            price: self.price.into(),
            time_in_force: self.time_in_force.to_wire(),
            display: self.display.to_wire(),
            capacity: self.capacity.to_wire(),
            intermarket_sweep: flag(self.intermarket_sweep),
            cross_type: self.cross_type.to_wire(),
            cl_ord_id: self.cl_ord_id.to_wire(),
            appendage_len_bytes: 0.into(),
        }
    }
}

/// A new order in place of a live one, from which side, symbol, capacity and cross carry over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Number of the order to be replaced.
    pub user_ref_num: u32,
    /// New size in total, executions of the whole chain included.
    pub quantity: u32,
    /// New limit in the instrument's price unit.
    pub price: u64,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// What the public sees of it.
    pub display: Display,
    /// Whether it is an intermarket sweep.
    pub intermarket_sweep: bool,
    /// Free text, echoed.
    pub cl_ord_id: ClOrdId,
    /// Optional fields.
    pub options: Options,
}

impl Replacement {
    /// Makes a visible day order out of order `user_ref_num`.
    #[must_use]
    pub fn new(user_ref_num: u32, quantity: u32, price: u64) -> Self {
        Self {
            user_ref_num,
            quantity,
            price,
            time_in_force: TimeInForce::Day,
            display: Display::Visible,
            intermarket_sweep: false,
            cl_ord_id: ClOrdId::BLANK,
            options: Options::default(),
        }
    }

    /// Returns the message that asks for it as order `new_user_ref_num`.
    #[must_use]
    pub fn message(&self, new_user_ref_num: u32) -> Replace {
        Replace {
            kind: TypeByte::new(),
            orig_user_ref_num: self.user_ref_num.into(),
            new_user_ref_num: new_user_ref_num.into(),
            quantity: self.quantity.into(),
            price: self.price.into(),
            time_in_force: self.time_in_force.to_wire(),
            display: self.display.to_wire(),
            intermarket_sweep: flag(self.intermarket_sweep),
            cl_ord_id: self.cl_ord_id.to_wire(),
            appendage_len_bytes: 0.into(),
        }
    }
}

const fn flag(yes: bool) -> u8 {
    if yes { codes::YES } else { codes::NO }
}
