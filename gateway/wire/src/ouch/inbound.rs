//! OUCH messages from client to server.
//!
//! They arrive in unsequenced Soup packets, may be resent harmlessly, and are judged by the engine;
//! [`Inbound::decode`] checks only type and lengths.

use crate::layout::{DecodeError, Description, Layout};
use crate::ouch::appendage::{self, AppendageError, Options};
use crate::ouch::tag_set::TagSet;
use crate::ouch::{Message, split};
use crate::{TypeByte, U16, U32, U64};

layout! {
    /// Enter Order: asks for a new order.
    pub struct Enter = b'O', 47 {
        /// Message type.
        pub kind: TypeByte<b'O'>,
        /// Number of the order, chosen by the client, strictly rising in the day.
        pub user_ref_num: U32,
        /// Side, see [`crate::ouch::codes::Side`].
        pub side: u8,
        /// Quantity in the instrument's quantity unit.
        pub quantity: U32,
        /// Instrument, left-justified.
        pub symbol: [u8; 8],
        /// Limit in the instrument's price unit, or a market price of [`crate::ouch::codes`].
        pub price: U64,
        /// Life time, see [`crate::ouch::codes::TimeInForce`].
        pub time_in_force: u8,
        /// Visibility, see [`crate::ouch::codes::Display`].
        pub display: u8,
        /// Capacity, see [`crate::ouch::codes::Capacity`].
        pub capacity: u8,
        /// Intermarket sweep, `Y` or `N`.
        pub intermarket_sweep: u8,
        /// Cross wanted, see [`crate::ouch::codes::CrossType`].
        pub cross_type: u8,
        /// Free text of the client, echoed.
        pub cl_ord_id: [u8; 14],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Replace: asks for a new order in place of a live one.
    pub struct Replace = b'U', 40 {
        /// Message type.
        pub kind: TypeByte<b'U'>,
        /// Number of the order to be replaced.
        pub orig_user_ref_num: U32,
        /// Number of the new order.
        pub new_user_ref_num: U32,
        /// New size in total, executions of the whole chain included.
        pub quantity: U32,
        /// New limit in the instrument's price unit.
        pub price: U64,
        /// Life time, see [`crate::ouch::codes::TimeInForce`].
        pub time_in_force: u8,
        /// Visibility, see [`crate::ouch::codes::Display`].
        pub display: u8,
        /// Intermarket sweep, `Y` or `N`.
        pub intermarket_sweep: u8,
        /// Free text of the client, echoed.
        pub cl_ord_id: [u8; 14],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Cancel: reduces or ends an order.
    pub struct Cancel = b'X', 9 {
        /// Message type.
        pub kind: TypeByte<b'X'>,
        /// Number of the order.
        pub user_ref_num: U32,
        /// New size in total, executions included; 0 ends the order.
        pub quantity: U32,
    }

    /// Modify: reduces an order or changes its side among the sells.
    pub struct Modify = b'M', 10 {
        /// Message type.
        pub kind: TypeByte<b'M'>,
        /// Number of the order.
        pub user_ref_num: U32,
        /// Side, see [`crate::ouch::codes::Side`].
        pub side: u8,
        /// New size in total, executions included.
        pub quantity: U32,
    }

    /// Account Query: asks for the next usable number.
    pub struct AccountQuery = b'Q', 1 {
        /// Message type.
        pub kind: TypeByte<b'Q'>,
    }

    /// Mass Cancel: ends many orders at once.
    pub struct MassCancel = b'C', 19 {
        /// Message type.
        pub kind: TypeByte<b'C'>,
        /// Number of this request, from the same series as the orders.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Instrument, left-justified.
        pub symbol: [u8; 8],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Disable Order Entry: lets no further order of a firm in.
    pub struct DisableEntry = b'D', 11 {
        /// Message type.
        pub kind: TypeByte<b'D'>,
        /// Number of this request, from the same series as the orders.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }

    /// Enable Order Entry: undoes [`DisableEntry`].
    pub struct EnableEntry = b'E', 11 {
        /// Message type.
        pub kind: TypeByte<b'E'>,
        /// Number of this request, from the same series as the orders.
        pub user_ref_num: U32,
        /// Firm, left-justified.
        pub firm: [u8; 4],
        /// Bytes of the elements that follow.
        pub appendage_len_bytes: U16,
    }
}

appendage_counts! {
    true: Enter, Replace, MassCancel, DisableEntry, EnableEntry;
    false: Cancel, Modify, AccountQuery;
}

/// Every layout of this direction.
pub const LAYOUTS: &[Description] = &[
    Enter::DESCRIPTION,
    Replace::DESCRIPTION,
    Cancel::DESCRIPTION,
    Modify::DESCRIPTION,
    AccountQuery::DESCRIPTION,
    MassCancel::DESCRIPTION,
    DisableEntry::DESCRIPTION,
    EnableEntry::DESCRIPTION,
];

/// A decoded message and the elements of its appendage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// A new order.
    Enter(&'a Enter, &'a [u8]),
    /// A new order in place of a live one.
    Replace(&'a Replace, &'a [u8]),
    /// A reduction or end of an order.
    Cancel(&'a Cancel, &'a [u8]),
    /// A reduction or a change among the sell sides.
    Modify(&'a Modify, &'a [u8]),
    /// A question for the next usable number.
    AccountQuery(&'a AccountQuery, &'a [u8]),
    /// The end of many orders.
    MassCancel(&'a MassCancel, &'a [u8]),
    /// A stop to order entry.
    DisableEntry(&'a DisableEntry, &'a [u8]),
    /// The end of such a stop.
    EnableEntry(&'a EnableEntry, &'a [u8]),
}

impl<'a> Inbound<'a> {
    /// Views `bytes`, the payload of an unsequenced packet, as a message.
    ///
    /// The elements of the appendage are only delimited; [`Self::options`] reads them.
    ///
    /// # Errors
    ///
    /// No type byte, an unknown one, or lengths that do not fit it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let &kind = bytes.first().ok_or(DecodeError::Empty)?;
        match kind {
            Enter::KIND => split(bytes).map(|(body, rest)| Self::Enter(body, rest)),
            Replace::KIND => split(bytes).map(|(body, rest)| Self::Replace(body, rest)),
            Cancel::KIND => split(bytes).map(|(body, rest)| Self::Cancel(body, rest)),
            Modify::KIND => split(bytes).map(|(body, rest)| Self::Modify(body, rest)),
            AccountQuery::KIND => split(bytes).map(|(body, rest)| Self::AccountQuery(body, rest)),
            MassCancel::KIND => split(bytes).map(|(body, rest)| Self::MassCancel(body, rest)),
            DisableEntry::KIND => split(bytes).map(|(body, rest)| Self::DisableEntry(body, rest)),
            EnableEntry::KIND => split(bytes).map(|(body, rest)| Self::EnableEntry(body, rest)),
            found => Err(DecodeError::UnknownType { found }),
        }
    }

    /// Returns the elements of the appendage, without their count.
    #[must_use]
    pub const fn appendage(&self) -> &'a [u8] {
        match *self {
            Self::Enter(_, rest)
            | Self::Replace(_, rest)
            | Self::Cancel(_, rest)
            | Self::Modify(_, rest)
            | Self::AccountQuery(_, rest)
            | Self::MassCancel(_, rest)
            | Self::DisableEntry(_, rest)
            | Self::EnableEntry(_, rest) => rest,
        }
    }

    /// Returns the tags that may follow this message.
    #[must_use]
    pub const fn allowed_tags(&self) -> TagSet {
        match self {
            Self::Enter(..) => TagSet::ENTER,
            Self::Replace(..) => TagSet::REPLACE,
            Self::Modify(..) => TagSet::MODIFY,
            Self::MassCancel(..) => TagSet::MASS_CANCEL,
            Self::Cancel(..) => TagSet::CANCEL,
            Self::AccountQuery(..) => TagSet::ACCOUNT_QUERY,
            Self::DisableEntry(..) | Self::EnableEntry(..) => TagSet::ENTRY_SWITCH,
        }
    }

    /// Reads the appendage by the tags that may follow this message.
    ///
    /// # Errors
    ///
    /// The first element that cannot be read or may not be here.
    pub fn options(&self) -> Result<Options, AppendageError> {
        appendage::parse(self.appendage(), self.allowed_tags())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FromBytes, IntoBytes};

    #[test]
    fn cancel_is_understood_bare_and_with_an_appendage() {
        let cancel = Cancel { kind: TypeByte::new(), user_ref_num: 7.into(), quantity: 0.into() };
        let bare = b"X\0\0\0\x07\0\0\0\0";
        assert_eq!(cancel.as_bytes(), bare);
        assert_eq!(Cancel::ref_from_bytes(bare).ok(), Some(&cancel));
        for (bytes, rest) in [
            (&bare[..], &b""[..]),
            (b"X\0\0\0\x07\0\0\0\0\0\0", b""),
            (b"X\0\0\0\x07\0\0\0\0\0\x03\x02\x1c\x05", b"\x02\x1c\x05"),
        ] {
            assert_eq!(Inbound::decode(bytes), Ok(Inbound::Cancel(&cancel, rest)));
        }
    }

    #[test]
    fn appendage_length_must_equal_the_rest_of_the_frame() {
        let bytes = b"X\0\0\0\x07\0\0\0\0\0\x03\x02\x1c";
        let error = DecodeError::AppendageLength { kind: b'X', expected: 3, found: 2 };
        assert_eq!(Inbound::decode(bytes), Err(error));
        let error = DecodeError::WrongLength { kind: b'X', expected: 9, found: 10 };
        assert_eq!(Inbound::decode(&bytes[..10]), Err(error));
        let error = DecodeError::WrongLength { kind: b'X', expected: 9, found: 8 };
        assert_eq!(Inbound::decode(&bytes[..8]), Err(error));
    }

    #[test]
    fn message_needs_a_known_type() {
        assert_eq!(Inbound::decode(b""), Err(DecodeError::Empty));
        assert_eq!(Inbound::decode(b"A"), Err(DecodeError::UnknownType { found: b'A' }));
    }
}
