//! ITCH messages around the crosses.

use crate::itch::Header;
use crate::{TypeByte, U32, U64};

layout! {
    /// LULD Auction Collar: collar of the auction after a volatility pause.
    pub struct LuldCollar = b'J', 35 {
        /// Message type.
        pub kind: TypeByte<b'J'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Reference price of the collar.
        pub reference_price: U32,
        /// Upper bound.
        pub upper_price: U32,
        /// Lower bound.
        pub lower_price: U32,
        /// Extensions of the pause so far.
        pub extension_count: U32,
    }

    /// Net Order Imbalance Indicator: indicative price and imbalance before a cross.
    pub struct Noii = b'I', 50 {
        /// Message type.
        pub kind: TypeByte<b'I'>,
        /// Common header.
        pub header: Header,
        /// Quantity that would cross at the reference price.
        pub paired_shares: U64,
        /// Quantity that would not.
        pub imbalance_shares: U64,
        /// Direction, see [`crate::itch::codes::imbalance_direction`].
        pub imbalance_direction: u8,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Price at which only orders for the cross would clear.
        pub far_price: U32,
        /// Price at which these and the continuous book would clear.
        pub near_price: U32,
        /// Reference price.
        pub reference_price: U32,
        /// Cross, see [`crate::itch::codes::cross_type`].
        pub cross_type: u8,
        /// How far the near price is from the reference price.
        pub price_variation: u8,
    }

    /// Retail Interest: sides on which there is retail interest.
    pub struct RetailInterest = b'N', 20 {
        /// Message type.
        pub kind: TypeByte<b'N'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// `B` buys, `S` sells, `A` both, `N` none.
        pub interest: u8,
    }

    /// Direct Listing with Capital Raise: price discovery.
    pub struct DirectListing = b'O', 48 {
        /// Message type.
        pub kind: TypeByte<b'O'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Whether it may open, `Y` or `N`.
        pub open_eligibility: u8,
        /// Lowest price allowed.
        pub min_price: U32,
        /// Highest price allowed.
        pub max_price: U32,
        /// Near price of the execution.
        pub near_price: U32,
        /// Time of the near price.
        pub near_time: U64,
        /// Lower collar.
        pub lower_collar_price: U32,
        /// Upper collar.
        pub upper_collar_price: U32,
    }
}
