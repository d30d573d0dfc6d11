//! OUCH messages from server to client.
//!
//! They travel in sequenced Soup packets. Every message opens with its type and a time stamp in
//! nanoseconds since the midnight on which the trading day began.

use crate::layout::{DecodeError, Description, Layout};
use crate::ouch::appendage::{self, AppendageError, Options};
use crate::ouch::tag_set::TagSet;
use crate::ouch::{Message, split};
use crate::{TypeByte, U16, U32, U64};

layout! {
    /// System Event: the day begins or ends.
    pub struct SystemEvent = b'S', 10 {
        /// Message type.
        pub kind: TypeByte<b'S'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Event, see [`crate::ouch::codes::system_event`].
        pub event: u8,
    }

    /// Accepted: an order was entered.
    pub struct Accepted = b'A', 64 {
        /// Message type.
        pub kind: TypeByte<b'A'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Side, see [`crate::ouch::codes::Side`].
        pub side: u8,
        /// Quantity accepted.
        pub quantity: U32,
        /// Instrument, left-justified.
        pub symbol: [u8; 8],
        /// Limit accepted.
        pub price: U64,
        /// Life time, see [`crate::ouch::codes::TimeInForce`].
        pub time_in_force: u8,
        /// Visibility, see [`crate::ouch::codes::Display`].
        pub display: u8,
        /// Reference given by the venue; that of the public feed when the order is displayed.
        pub order_reference: U64,
        /// Capacity, see [`crate::ouch::codes::Capacity`].
        pub capacity: u8,
        /// Intermarket sweep, `Y` or `N`.
        pub intermarket_sweep: u8,
        /// Cross, see [`crate::ouch::codes::CrossType`].
        pub cross_type: u8,
        /// Live or dead, see [`crate::ouch::codes::OrderState`].
        pub state: u8,
        /// Free text of the client.
        pub cl_ord_id: [u8; 14],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Replaced: a new order stands in place of an old one.
    pub struct Replaced = b'U', 68 {
        /// Message type.
        pub kind: TypeByte<b'U'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order that is finished.
        pub orig_user_ref_num: U32,
        /// Number of the new order.
        pub new_user_ref_num: U32,
        /// Side, see [`crate::ouch::codes::Side`].
        pub side: u8,
        /// Quantity open after the replacement.
        pub quantity: U32,
        /// Instrument, left-justified.
        pub symbol: [u8; 8],
        /// Limit accepted.
        pub price: U64,
        /// Life time, see [`crate::ouch::codes::TimeInForce`].
        pub time_in_force: u8,
        /// Visibility, see [`crate::ouch::codes::Display`].
        pub display: u8,
        /// Reference given by the venue; that of the public feed when the order is displayed.
        pub order_reference: U64,
        /// Capacity, see [`crate::ouch::codes::Capacity`].
        pub capacity: u8,
        /// Intermarket sweep, `Y` or `N`.
        pub intermarket_sweep: u8,
        /// Cross, see [`crate::ouch::codes::CrossType`].
        pub cross_type: u8,
        /// Live or dead, see [`crate::ouch::codes::OrderState`].
        pub state: u8,
        /// Free text of the client.
        pub cl_ord_id: [u8; 14],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Canceled: an order was reduced or ended.
    pub struct Canceled = b'C', 18 {
        /// Message type.
        pub kind: TypeByte<b'C'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Quantity taken off now.
        pub quantity: U32,
        /// Reason, see [`crate::ouch::codes::cancel_reason`].
        pub reason: u8,
    }

    /// AIQ Canceled: a trade with oneself was prevented.
    pub struct AiqCanceled = b'D', 32 {
        /// Message type.
        pub kind: TypeByte<b'D'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Quantity taken off now.
        pub decrement: U32,
        /// Reason, see [`crate::ouch::codes::cancel_reason`].
        pub reason: u8,
        /// Quantity that would have traded.
        pub quantity_prevented: U32,
        /// Price at which it would have traded.
        pub execution_price: U64,
        /// Liquidity flag it would have had, see [`crate::ouch::codes::liquidity`].
        pub liquidity: u8,
        /// Strategy applied, see [`crate::ouch::codes::aiq_strategy`]; 0 when not sent.
        pub strategy: u8,
    }

    /// Executed: an order traded.
    pub struct Executed = b'E', 36 {
        /// Message type.
        pub kind: TypeByte<b'E'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Quantity traded now.
        pub quantity: U32,
        /// Price of the trade.
        pub price: U64,
        /// Liquidity flag, see [`crate::ouch::codes::liquidity`].
        pub liquidity: u8,
        /// Number of the trade, that of the public feed; both sides get the same.
        pub match_number: U64,
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Broken Trade: a trade was annulled.
    pub struct BrokenTrade = b'B', 36 {
        /// Message type.
        pub kind: TypeByte<b'B'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Number of the trade.
        pub match_number: U64,
        /// Reason, see [`crate::ouch::codes::broken_reason`].
        pub reason: u8,
        /// Free text of the client.
        pub cl_ord_id: [u8; 14],
    }

    /// Trade Correction: the terms of a trade changed.
    pub struct TradeCorrection = b'F', 49 {
        /// Message type.
        pub kind: TypeByte<b'F'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Quantity of the trade.
        pub quantity: U32,
        /// Corrected price.
        pub price: U64,
        /// Liquidity flag, see [`crate::ouch::codes::liquidity`].
        pub liquidity: u8,
        /// Number of the trade.
        pub match_number: U64,
        /// Reason, see [`crate::ouch::codes::correction_reason`].
        pub reason: u8,
        /// Free text of the client.
        pub cl_ord_id: [u8; 14],
    }

    /// Rejected: a request was refused.
    pub struct Rejected = b'J', 29 {
        /// Message type.
        pub kind: TypeByte<b'J'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the request.
        pub user_ref_num: U32,
        /// Reason, see [`crate::ouch::codes::reject`].
        pub reason: U16,
        /// Free text of the client.
        pub cl_ord_id: [u8; 14],
    }

    /// Cancel Pending: a cross order will be cancelled once that is allowed.
    pub struct CancelPending = b'P', 13 {
        /// Message type.
        pub kind: TypeByte<b'P'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
    }

    /// Cancel Reject: a cancel was refused.
    pub struct CancelReject = b'I', 13 {
        /// Message type.
        pub kind: TypeByte<b'I'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
    }

    /// Priority Update: an order has a new place in the queue.
    pub struct PriorityUpdate = b'T', 30 {
        /// Message type.
        pub kind: TypeByte<b'T'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Price of the order.
        pub price: U64,
        /// Visibility, see [`crate::ouch::codes::Display`].
        pub display: u8,
        /// New reference of the order.
        pub order_reference: U64,
    }

    /// Modified: an order was reduced or changed its side.
    pub struct Modified = b'M', 18 {
        /// Message type.
        pub kind: TypeByte<b'M'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Side, see [`crate::ouch::codes::Side`].
        pub side: u8,
        /// Quantity open after the change.
        pub quantity: U32,
    }

    /// Restated: the venue changed an order by itself.
    pub struct Restated = b'R', 16 {
        /// Message type.
        pub kind: TypeByte<b'R'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Reason, see [`crate::ouch::codes::restate_reason`].
        pub reason: u8,
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Account Query Response: the next usable number.
    pub struct AccountQueryResponse = b'Q', 13 {
        /// Message type.
        pub kind: TypeByte<b'Q'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Highest number used plus one; 1 when none was used.
        pub next_user_ref_num: U32,
    }

    /// Mass Cancel Response: a mass cancel was carried out.
    pub struct MassCancelResponse = b'X', 27 {
        /// Message type.
        pub kind: TypeByte<b'X'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the request.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Instrument, left-justified.
        pub symbol: [u8; 8],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Disable Order Entry Response: entry is stopped.
    pub struct DisableResponse = b'G', 19 {
        /// Message type.
        pub kind: TypeByte<b'G'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the request.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Enable Order Entry Response: entry is open again.
    pub struct EnableResponse = b'K', 19 {
        /// Message type.
        pub kind: TypeByte<b'K'>,
        /// Nanoseconds since midnight.
        pub timestamp_ns: U64,
        /// Number of the request.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }
}

appendage_counts! {
    true: Accepted, Replaced, Executed, Restated, MassCancelResponse, DisableResponse,
        EnableResponse;
    false: SystemEvent, Canceled, AiqCanceled, BrokenTrade, TradeCorrection, Rejected,
        CancelPending, CancelReject, PriorityUpdate, Modified, AccountQueryResponse;
}

impl AiqCanceled {
    /// Bytes of the message before 2023, when it ended ahead of the strategy.
    pub const OLD_LEN_BYTES: usize = 31;

    /// Splits off the appendage; the old form is understood only without one.
    fn split(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut old = [0; Self::LEN_BYTES];
        if bytes.len() == Self::OLD_LEN_BYTES {
            old[..Self::OLD_LEN_BYTES].copy_from_slice(bytes);
            return Ok((zerocopy::transmute!(old), &[]));
        }
        split::<Self>(bytes).map(|(message, rest)| (*message, rest))
    }
}

/// Every layout of this direction.
pub const LAYOUTS: &[Description] = &[
    SystemEvent::DESCRIPTION,
    Accepted::DESCRIPTION,
    Replaced::DESCRIPTION,
    Canceled::DESCRIPTION,
    AiqCanceled::DESCRIPTION,
    Executed::DESCRIPTION,
    BrokenTrade::DESCRIPTION,
    TradeCorrection::DESCRIPTION,
    Rejected::DESCRIPTION,
    CancelPending::DESCRIPTION,
    CancelReject::DESCRIPTION,
    PriorityUpdate::DESCRIPTION,
    Modified::DESCRIPTION,
    Restated::DESCRIPTION,
    AccountQueryResponse::DESCRIPTION,
    MassCancelResponse::DESCRIPTION,
    DisableResponse::DESCRIPTION,
    EnableResponse::DESCRIPTION,
];

/// A decoded message and the elements of its appendage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outbound<'a> {
    /// The day begins or ends.
    SystemEvent(&'a SystemEvent, &'a [u8]),
    /// An order was entered.
    Accepted(&'a Accepted, &'a [u8]),
    /// A new order stands in place of an old one.
    Replaced(&'a Replaced, &'a [u8]),
    /// An order was reduced or ended.
    Canceled(&'a Canceled, &'a [u8]),
    /// A trade with oneself was prevented; a copy, because the older form is shorter.
    AiqCanceled(AiqCanceled, &'a [u8]),
    /// An order traded.
    Executed(&'a Executed, &'a [u8]),
    /// A trade was annulled.
    BrokenTrade(&'a BrokenTrade, &'a [u8]),
    /// The terms of a trade changed.
    TradeCorrection(&'a TradeCorrection, &'a [u8]),
    /// A request was refused.
    Rejected(&'a Rejected, &'a [u8]),
    /// A cross order will be cancelled later.
    CancelPending(&'a CancelPending, &'a [u8]),
    /// A cancel was refused.
    CancelReject(&'a CancelReject, &'a [u8]),
    /// An order has a new place in the queue.
    PriorityUpdate(&'a PriorityUpdate, &'a [u8]),
    /// An order was reduced or changed its side.
    Modified(&'a Modified, &'a [u8]),
    /// The venue changed an order by itself.
    Restated(&'a Restated, &'a [u8]),
    /// The next usable number.
    AccountQueryResponse(&'a AccountQueryResponse, &'a [u8]),
    /// A mass cancel was carried out.
    MassCancelResponse(&'a MassCancelResponse, &'a [u8]),
    /// Entry is stopped.
    DisableResponse(&'a DisableResponse, &'a [u8]),
    /// Entry is open again.
    EnableResponse(&'a EnableResponse, &'a [u8]),
}

impl<'a> Outbound<'a> {
    /// Views `bytes`, the payload of a sequenced packet, as a message.
    ///
    /// An appendage is understood after every message, though we send none where the layout does
    /// not end with its length.
    ///
    /// # Errors
    ///
    /// No type byte, an unknown one, or lengths that do not fit it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let &kind = bytes.first().ok_or(DecodeError::Empty)?;
        match kind {
            SystemEvent::KIND => split(bytes).map(|(body, rest)| Self::SystemEvent(body, rest)),
            Accepted::KIND => split(bytes).map(|(body, rest)| Self::Accepted(body, rest)),
            Replaced::KIND => split(bytes).map(|(body, rest)| Self::Replaced(body, rest)),
            Canceled::KIND => split(bytes).map(|(body, rest)| Self::Canceled(body, rest)),
            AiqCanceled::KIND => {
                AiqCanceled::split(bytes).map(|(body, rest)| Self::AiqCanceled(body, rest))
            }
            Executed::KIND => split(bytes).map(|(body, rest)| Self::Executed(body, rest)),
            BrokenTrade::KIND => split(bytes).map(|(body, rest)| Self::BrokenTrade(body, rest)),
            TradeCorrection::KIND => {
                split(bytes).map(|(body, rest)| Self::TradeCorrection(body, rest))
            }
            Rejected::KIND => split(bytes).map(|(body, rest)| Self::Rejected(body, rest)),
            CancelPending::KIND => split(bytes).map(|(body, rest)| Self::CancelPending(body, rest)),
            CancelReject::KIND => split(bytes).map(|(body, rest)| Self::CancelReject(body, rest)),
            PriorityUpdate::KIND => {
                split(bytes).map(|(body, rest)| Self::PriorityUpdate(body, rest))
            }
            Modified::KIND => split(bytes).map(|(body, rest)| Self::Modified(body, rest)),
            Restated::KIND => split(bytes).map(|(body, rest)| Self::Restated(body, rest)),
            AccountQueryResponse::KIND => {
                split(bytes).map(|(body, rest)| Self::AccountQueryResponse(body, rest))
            }
            MassCancelResponse::KIND => {
                split(bytes).map(|(body, rest)| Self::MassCancelResponse(body, rest))
            }
            DisableResponse::KIND => {
                split(bytes).map(|(body, rest)| Self::DisableResponse(body, rest))
            }
            EnableResponse::KIND => {
                split(bytes).map(|(body, rest)| Self::EnableResponse(body, rest))
            }
            found => Err(DecodeError::UnknownType { found }),
        }
    }

    /// Returns the elements of the appendage, without their count.
    #[must_use]
    pub const fn appendage(&self) -> &'a [u8] {
        match *self {
            Self::SystemEvent(_, rest)
            | Self::Accepted(_, rest)
            | Self::Replaced(_, rest)
            | Self::Canceled(_, rest)
            | Self::AiqCanceled(_, rest)
            | Self::Executed(_, rest)
            | Self::BrokenTrade(_, rest)
            | Self::TradeCorrection(_, rest)
            | Self::Rejected(_, rest)
            | Self::CancelPending(_, rest)
            | Self::CancelReject(_, rest)
            | Self::PriorityUpdate(_, rest)
            | Self::Modified(_, rest)
            | Self::Restated(_, rest)
            | Self::AccountQueryResponse(_, rest)
            | Self::MassCancelResponse(_, rest)
            | Self::DisableResponse(_, rest)
            | Self::EnableResponse(_, rest) => rest,
        }
    }

    /// Reads the appendage; a client takes any known tag after any message.
    ///
    /// # Errors
    ///
    /// The first element that cannot be read.
    pub fn options(&self) -> Result<Options, AppendageError> {
        appendage::parse(self.appendage(), TagSet::KNOWN)
    }
}
