//! ITCH messages about the day and the instruments.

use crate::itch::Header;
use crate::{TypeByte, U32, U64};

layout! {
    /// System Event: a phase of the day begins.
    pub struct SystemEvent = b'S', 12 {
        /// Message type.
        pub kind: TypeByte<b'S'>,
        /// Common header; locate 0.
        pub header: Header,
        /// Event, see [`crate::itch::codes::system_event`].
        pub event: u8,
    }

    /// Stock Directory: an instrument and its properties.
    pub struct StockDirectory = b'R', 39 {
        /// Message type.
        pub kind: TypeByte<b'R'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Market on which it is listed.
        pub market_category: u8,
        /// Whether the issuer is in good standing.
        pub financial_status: u8,
        /// Shares of a round lot.
        pub round_lot_size: U32,
        /// Whether only round lots are taken, `Y` or `N`.
        pub round_lots_only: u8,
        /// Class of the security.
        pub issue_classification: u8,
        /// Finer class of the security, left-justified.
        pub issue_subtype: [u8; 2],
        /// Live or test, see [`crate::itch::codes::authenticity`].
        pub authenticity: u8,
        /// Whether short sales are subject to a threshold, `Y`, `N` or space.
        pub short_sale_threshold: u8,
        /// Whether it is a new listing, `Y`, `N` or space.
        pub ipo_flag: u8,
        /// Tier of the price bands, `1`, `2` or space.
        pub luld_tier: u8,
        /// Whether it is an exchange-traded product, `Y`, `N` or space.
        pub etp_flag: u8,
        /// Leverage of the exchange-traded product.
        pub etp_leverage_factor: U32,
        /// Whether it moves against its index, `Y` or `N`.
        pub inverse: u8,
    }

    /// Trading Action: an instrument is halted or trades.
    pub struct TradingAction = b'H', 25 {
        /// Message type.
        pub kind: TypeByte<b'H'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// State, see [`crate::itch::codes::trading_state`].
        pub trading_state: u8,
        /// Unused.
        pub reserved: u8,
        /// Reason, left-justified.
        pub reason: [u8; 4],
    }

    /// Reg SHO: short-sale restriction of an instrument.
    pub struct RegSho = b'Y', 20 {
        /// Message type.
        pub kind: TypeByte<b'Y'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Restriction, `0`, `1` or `2`.
        pub action: u8,
    }

    /// Market Participant Position: a participant's standing in an instrument.
    pub struct ParticipantPosition = b'L', 26 {
        /// Message type.
        pub kind: TypeByte<b'L'>,
        /// Common header.
        pub header: Header,
        /// Participant, left-justified.
        pub mpid: [u8; 4],
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Whether it is a primary market maker, `Y` or `N`.
        pub primary_market_maker: u8,
        /// Mode of market making.
        pub market_maker_mode: u8,
        /// State of the participant.
        pub participant_state: u8,
    }

    /// Market-Wide Circuit Breaker Decline: the levels of the day, with eight decimals.
    pub struct MwcbDecline = b'V', 35 {
        /// Message type.
        pub kind: TypeByte<b'V'>,
        /// Common header; locate 0.
        pub header: Header,
        /// First level.
        pub level_1: U64,
        /// Second level.
        pub level_2: U64,
        /// Third level.
        pub level_3: U64,
    }

    /// Market-Wide Circuit Breaker Status: a level is breached.
    pub struct MwcbStatus = b'W', 12 {
        /// Message type.
        pub kind: TypeByte<b'W'>,
        /// Common header; locate 0.
        pub header: Header,
        /// Level, `1`, `2` or `3`.
        pub breached_level: u8,
    }

    /// IPO Quoting Period Update: release of a new listing.
    pub struct IpoQuotingUpdate = b'K', 28 {
        /// Message type.
        pub kind: TypeByte<b'K'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Time of release, seconds since midnight.
        pub release_time_s: U32,
        /// `A` anticipated, `C` cancelled or postponed.
        pub release_qualifier: u8,
        /// Price of the listing.
        pub price: U32,
    }

    /// Operational Halt: a single venue halts or resumes an instrument.
    pub struct OperationalHalt = b'h', 21 {
        /// Message type.
        pub kind: TypeByte<b'h'>,
        /// Common header.
        pub header: Header,
        /// Instrument, left-justified.
        pub stock: [u8; 8],
        /// Venue.
        pub market: u8,
        /// `H` halted, `T` resumed.
        pub action: u8,
    }
}
