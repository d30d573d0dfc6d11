//! ITCH messages that keep the displayed book and the tape.
//!
//! Executions and cancels reduce an order; at zero it is gone without a further message.

use crate::itch::Header;
use crate::{TypeByte, U32, U64};

layout! {
    /// Add Order: an order was added to the displayed book.
    pub struct AddOrder = b'A', 36 {
        /// Message type.
        pub kind: TypeByte<b'A'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order, unique in the day.
        pub order_reference: U64,
        /// `B` buys, `S` sells.
        pub side: u8,
        /// Displayed quantity.
        pub shares: U32,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Displayed price.
        pub price: U32,
    }

    /// Add Order with MPID: an order was added under the name of its firm.
    pub struct AddOrderMpid = b'F', 40 {
        /// Message type.
        pub kind: TypeByte<b'F'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order, unique in the day.
        pub order_reference: U64,
        /// `B` buys, `S` sells.
        pub side: u8,
        /// Displayed quantity.
        pub shares: U32,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Displayed price.
        pub price: U32,
        /// Firm, left-justified.
        pub attribution: [u8; 4],
    }

    /// Order Executed: an order traded at its displayed price.
    pub struct OrderExecuted = b'E', 31 {
        /// Message type.
        pub kind: TypeByte<b'E'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order.
        pub order_reference: U64,
        /// Quantity traded now.
        pub executed_shares: U32,
        /// Number of the trade, unique in the day.
        pub match_number: U64,
    }

    /// Order Executed with Price: an order traded at another price than displayed.
    pub struct OrderExecutedWithPrice = b'C', 36 {
        /// Message type.
        pub kind: TypeByte<b'C'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order.
        pub order_reference: U64,
        /// Quantity traded now.
        pub executed_shares: U32,
        /// Number of the trade, unique in the day.
        pub match_number: U64,
        /// `Y` counts as volume; `N` does not, since the print of a cross follows.
        pub printable: u8,
        /// Price of the trade.
        pub execution_price: U32,
    }

    /// Order Cancel: an order was reduced.
    pub struct OrderCancel = b'X', 23 {
        /// Message type.
        pub kind: TypeByte<b'X'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order.
        pub order_reference: U64,
        /// Quantity taken off now.
        pub cancelled_shares: U32,
    }

    /// Order Delete: an order was removed.
    pub struct OrderDelete = b'D', 19 {
        /// Message type.
        pub kind: TypeByte<b'D'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order.
        pub order_reference: U64,
    }

    /// Order Replace: an order stands in place of another and loses its priority.
    ///
    /// Side, instrument and firm carry over.
    pub struct OrderReplace = b'U', 35 {
        /// Message type.
        pub kind: TypeByte<b'U'>,
        /// Common header.
        pub header: Header,
        /// Reference of the order that is gone.
        pub original_reference: U64,
        /// Reference of the new order.
        pub new_reference: U64,
        /// Displayed quantity of the new order.
        pub shares: U32,
        /// Displayed price of the new order.
        pub price: U32,
    }

    /// Trade: a trade with an order that is not displayed; the book stands.
    pub struct Trade = b'P', 44 {
        /// Message type.
        pub kind: TypeByte<b'P'>,
        /// Common header.
        pub header: Header,
        /// Always 0, so that nothing is told about the order.
        pub order_reference: U64,
        /// Always `B`, so that nothing is told about the order.
        pub side: u8,
        /// Quantity traded.
        pub shares: U32,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Price of the trade.
        pub price: U32,
        /// Number of the trade, unique in the day.
        pub match_number: U64,
    }

    /// Cross Trade: the print of a cross.
    pub struct CrossTrade = b'Q', 40 {
        /// Message type.
        pub kind: TypeByte<b'Q'>,
        /// Common header.
        pub header: Header,
        /// Quantity crossed.
        pub shares: U64,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Price of the cross.
        pub cross_price: U32,
        /// Number of the trade, unique in the day.
        pub match_number: U64,
        /// Cross, see [`crate::itch::codes::cross_type`].
        pub cross_type: u8,
    }

    /// Broken Trade: a trade was annulled; the book stands.
    pub struct BrokenTrade = b'B', 19 {
        /// Message type.
        pub kind: TypeByte<b'B'>,
        /// Common header.
        pub header: Header,
        /// Number of the trade.
        pub match_number: U64,
    }
}
