//! Bodies of the records that the venue writes: layouts only, one struct each.
//!
//! The journal itself never looks into a body. Integers are little-endian; bytes that came over
//! the wire are kept as they came, so that everything echoed can be echoed again.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{I32, U16, U32, U64},
};

macro_rules! body {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident, $len:literal {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(
                Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
            )]
            #[repr(C)]
            $vis struct $name { $( $(#[$field_meta])* $field_vis $field: $type, )* }

            const _: () = assert!(size_of::<$name>() == $len);
        )*

        /// Every body: its name and its fields with offset and size in bytes.
        pub const BODIES: &[(&str, &[(&str, usize, usize)])] = &[$(
            (stringify!($name), &[$(
                (
                    stringify!($field),
                    core::mem::offset_of!($name, $field),
                    size_of::<$type>(),
                ),
            )*]),
        )*];
    };
}

body! {
    /// A new order; appendage elements follow.
    pub struct Enter, 40 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number.
        pub user_ref_num: U32,
        /// Instrument id; 0 for an unknown symbol.
        pub instrument: U32,
        /// Quantity.
        pub qty: U32,
        /// Price; what exceeds u32 on the wire is `u32::MAX`.
        pub px: U32,
        /// Side as received.
        pub side: u8,
        /// Time in force as received.
        pub time_in_force: u8,
        /// Display as received.
        pub display: u8,
        /// Capacity as received.
        pub capacity: u8,
        /// Intermarket sweep as received.
        pub intermarket_sweep: u8,
        /// Cross type as received.
        pub cross_type: u8,
        /// The client's text.
        pub client_order_id: [u8; 14],
    }

    /// A replacement; appendage elements follow.
    pub struct Replace, 40 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number of the order to replace.
        pub orig_user_ref_num: U32,
        /// The client's number of the new order.
        pub user_ref_num: U32,
        /// Total quantity of the chain.
        pub qty: U32,
        /// Price; what exceeds u32 on the wire is `u32::MAX`.
        pub px: U32,
        /// Time in force as received.
        pub time_in_force: u8,
        /// Display as received.
        pub display: u8,
        /// Intermarket sweep as received.
        pub intermarket_sweep: u8,
        /// Zero.
        pub reserved: [u8; 3],
        /// The client's text.
        pub client_order_id: [u8; 14],
    }

    /// A reduction; appendage elements follow.
    pub struct Cancel, 12 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number.
        pub user_ref_num: U32,
        /// New total quantity.
        pub qty: U32,
    }

    /// A reduction or change of side; appendage elements follow.
    pub struct Modify, 16 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number.
        pub user_ref_num: U32,
        /// New total quantity.
        pub qty: U32,
        /// Side as received.
        pub side: u8,
        /// Zero.
        pub reserved: [u8; 3],
    }

    /// The end of many orders; appendage elements follow.
    pub struct MassCancel, 24 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number of the request.
        pub user_ref_num: U32,
        /// Instrument id; 0 for a blank or unknown symbol.
        pub instrument: U32,
        /// Firm as received.
        pub firm: [u8; 4],
        /// Symbol as received.
        pub symbol: [u8; 8],
    }

    /// A stop to order entry, or its end, as the kind says; appendage elements follow.
    pub struct EntrySwitch, 12 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number of the request.
        pub user_ref_num: U32,
        /// Firm as received.
        pub firm: [u8; 4],
    }

    /// A question for the next number; appendage elements follow.
    pub struct AccountQuery, 4 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
    }

    /// An order refused at the door.
    pub struct Refuse, 28 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// The client's number.
        pub user_ref_num: U32,
        /// Channel of the port.
        pub user_ref_index: u8,
        /// Zero.
        pub reserved: u8,
        /// The wire code.
        pub reason: U16,
        /// The client's text.
        pub client_order_id: [u8; 14],
        /// Zero.
        pub tail: [u8; 2],
    }

    /// A connection that logged in.
    pub struct SessionUp, 28 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// Firm that its orders may name.
        pub firm: [u8; 4],
        /// The user who logged in.
        pub user: [u8; 6],
        /// The session that was joined.
        pub session: [u8; 10],
        /// Milliseconds after the end of the connection until the port's orders are cancelled;
        /// `u32::MAX`: they stay.
        pub grace_ms: U32,
    }

    /// A connection that is gone.
    pub struct SessionDown, 8 {
        /// The broker's port.
        pub port: U16,
        /// Generation of its connection.
        pub generation: U16,
        /// Why: `O` logout, `L` lost, `T` taken over, `R` restart of the venue.
        pub reason: u8,
        /// Zero.
        pub reserved: [u8; 3],
    }

    /// An instrument is listed, or changed from the next day on.
    pub struct Configuration, 40 {
        /// What is configured: `I` an instrument.
        pub subject: u8,
        /// Decimals of prices.
        pub price_decimals: u8,
        /// Decimals of quantities.
        pub qty_decimals: u8,
        /// Zero.
        pub reserved: u8,
        /// Permanent id.
        pub id: U32,
        /// Name on the wire.
        pub symbol: [u8; 8],
        /// Prices are multiples of it.
        pub tick: U32,
        /// Quantities are multiples of it.
        pub lot: U32,
        /// Smallest quantity of an order.
        pub qty_min: U32,
        /// Largest quantity of an order.
        pub qty_max: U32,
        /// How far from the reference price market orders may trade, in basis points; 0: there are
        /// none.
        pub collar_bp: U32,
        /// Reference price of the first day; 0: none.
        pub reference_px: U32,
    }

    /// An administrative act; of a listing the instrument follows, as a Configuration.
    pub struct Admin, 40 {
        /// `K` kill, `C` kill and cancel what stands, `V` revive, `L` list or change an instrument,
        /// `X` remove, `H` halt, `T` resume one.
        pub act: u8,
        /// Whom a kill or revival is about: `V` the venue, `F` a firm, `P` a port; otherwise 0.
        pub target: u8,
        /// The port, otherwise 0.
        pub port: U16,
        /// Id of the instrument, otherwise 0.
        pub instrument: U32,
        /// Number under which the outcome was told to who ordered it.
        pub request: U64,
        /// The firm, otherwise blank.
        pub firm: [u8; 4],
        /// Name of the operator who ordered it.
        pub who: [u8; 16],
        /// Zero.
        pub reserved: [u8; 4],
    }

    /// What the engine holds: the first record of a journal.
    pub struct Capacity, 36 {
        /// What is configured: `C` the capacity.
        pub subject: u8,
        /// Zero.
        pub reserved: [u8; 3],
        /// Live orders that are not hidden.
        pub orders: U32,
        /// Price levels.
        pub levels: U32,
        /// Nodes of the price ladders.
        pub nodes: U32,
        /// Resting orders of one port.
        pub port_orders: U32,
        /// Pages of the table of clients' numbers that one port may hold.
        pub port_pages: U32,
        /// Pages of the table of clients' numbers.
        pub user_ref_pages: U32,
        /// Instruments.
        pub instruments: U16,
        /// Ports.
        pub ports: U16,
        /// Live hidden orders.
        pub hidden_orders: U32,
    }

    /// A firm's reports are copied to a stream of its own, or no more.
    pub struct DropCopy, 8 {
        /// What is configured: `D` drop copies.
        pub subject: u8,
        /// 1: copied from now on; 0: no more.
        pub is_on: u8,
        /// Zero.
        pub reserved: [u8; 2],
        /// The firm.
        pub firm: [u8; 4],
    }

    /// Numbers begin anew within a day.
    pub struct Epoch, 16 {
        /// Counts losses; its lowest ten bits are part of references and match numbers.
        pub epoch: U32,
        /// Name of the session from now on.
        pub session: [u8; 10],
        /// Zero.
        pub reserved: [u8; 2],
    }

    /// A trading day begins.
    pub struct DayRoll, 24 {
        /// Days since 1970-01-01, in local time.
        pub date: U32,
        /// Local time minus UTC, in seconds, for the whole day.
        pub utc_offset_s: I32,
        /// Name of the day's session.
        pub session: [u8; 10],
        /// Zero.
        pub reserved: [u8; 6],
    }
}
