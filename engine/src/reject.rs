//! Why an order is refused or ended; both are normal outcomes.

/// Why the engine refused an order; the discriminant is the wire code.
///
/// Source: OUCH 5.0, "Rejected Reasons".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Reject {
    /// The order's display is not offered.
    Display = 0x03,
    /// Reserve orders are not offered.
    MaxFloor = 0x04,
    /// Pegged orders are not offered.
    Peg = 0x05,
    /// The instrument is halted.
    Halted = 0x07,
    /// Intermarket sweeps are not offered.
    IntermarketSweep = 0x08,
    /// The side is none.
    Side = 0x09,
    /// The firm is not that of the port, or lets no new orders in, or is killed.
    Firm = 0x0C,
    /// The minimum quantity exceeds the quantity, or the order may rest.
    MinQty = 0x0D,
    /// Anything without a code of its own: tags, time in force, capacity, a full table.
    Other = 0x0F,
    /// The quantity is zero, outside the instrument's bounds or no multiple of the lot.
    Quantity = 0x13,
    /// Cross orders are not offered.
    Cross = 0x14,
    /// Routing is not offered.
    Routing = 0x16,
    /// No such instrument.
    Symbol = 0x17,
    /// The price is zero, too high or no multiple of the tick.
    Price = 0x1D,
    /// A market order that may rest, or while there is no reference price or no collar.
    MarketOrder = 0x2C,
}

/// Why an order ended without being filled; the discriminant is the wire code.
///
/// Source: OUCH 5.0, "Cancel Reasons".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CancelReason {
    /// Its owner asked.
    User = b'U',
    /// The remainder of an immediate-or-cancel order.
    Immediate = b'I',
    /// Its time came.
    Timeout = b'T',
    /// A post-only order would have traded.
    PostOnly = b'G',
    /// The day ended.
    Closed = b'E',
    /// The system: a replace with invalid details, or a connection that is gone for too long.
    System = b'Z',
    /// The venue: its owner was killed, its instrument removed or changed.
    Supervisory = b'S',
    /// The rest of a market order: what stands on the other side is beyond the collar.
    Collar = b'K',
}
