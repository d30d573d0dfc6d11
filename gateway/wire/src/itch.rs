//! ITCH 5.0: the public feed.
//!
//! One message per sequenced Soup packet or Mold block. Every message opens with its type and a
//! [`Header`]; [`stock`] says what trades and when, [`order`] keeps the book and the tape,
//! [`auction`] is for the crosses. Operational Halt and Direct Listing are coded like the others,
//! but parsers in the wild stop at them, so the feed sends them only when configured.

pub mod auction;
pub mod codes;
pub mod order;
pub mod stock;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::U16;
use crate::layout::{DecodeError, Description, Layout, view};

use auction::{DirectListing, LuldCollar, Noii, RetailInterest};
use order::{
    AddOrder, AddOrderMpid, BrokenTrade, CrossTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedWithPrice, OrderReplace, Trade,
};
use stock::{
    IpoQuotingUpdate, MwcbDecline, MwcbStatus, OperationalHalt, ParticipantPosition, RegSho,
    StockDirectory, SystemEvent, TradingAction,
};

/// Nanoseconds since the midnight on which the trading day began, as six big-endian bytes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct Timestamp([u8; 6]);

impl Timestamp {
    /// Highest value, some 78 hours: a trading day may exceed 24 h, but not by that much.
    pub const NS_MAX: u64 = (1 << 48) - 1;

    /// Returns the stamp `ns`, `None` above [`Self::NS_MAX`].
    #[must_use]
    pub const fn from_ns(ns: u64) -> Option<Self> {
        let [0, 0, bytes @ ..] = ns.to_be_bytes() else { return None };
        Some(Self(bytes))
    }

    /// Returns the nanoseconds.
    #[must_use]
    pub const fn ns(self) -> u64 {
        let mut bytes = [0; 8];
        let (_, low) = bytes.split_at_mut(2);
        low.copy_from_slice(&self.0);
        u64::from_be_bytes(bytes)
    }
}

/// What follows the type byte of every message; with it, the common header of 11 bytes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// Number of the instrument within the day; 0 when the message is not about one.
    pub stock_locate: U16,
    /// Tracking number of the venue; we send 0.
    pub tracking_number: U16,
    /// Time of the event.
    pub timestamp: Timestamp,
}

impl Header {
    /// Makes a header with tracking number 0.
    #[must_use]
    pub const fn new(stock_locate: u16, timestamp: Timestamp) -> Self {
        Self { stock_locate: U16::new(stock_locate), tracking_number: U16::ZERO, timestamp }
    }
}

/// Bytes of the longest message.
pub const LEN_BYTES_MAX: usize = {
    let mut longest = 0;
    let mut rest = LAYOUTS;
    while let [layout, tail @ ..] = rest {
        if longest < layout.len_bytes {
            longest = layout.len_bytes;
        }
        rest = tail;
    }
    longest
};

/// Names every message once: the list of layouts, the enum and its decoder.
macro_rules! messages {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// Every layout of ITCH.
        pub const LAYOUTS: &[Description] = &[$( $name::DESCRIPTION, )*];

        /// A decoded message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $( $(#[$doc])* $name(&'a $name), )*
        }

        impl<'a> Message<'a> {
            /// Views `bytes` as a message.
            ///
            /// # Errors
            ///
            /// No type byte, an unknown one, or a length that is not exactly that of the type.
            pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
                let &kind = bytes.first().ok_or(DecodeError::Empty)?;
                match kind {
                    $( $name::KIND => view(bytes).map(Self::$name), )*
                    found => Err(DecodeError::UnknownType { found }),
                }
            }

            /// Returns the part that all messages have.
            #[must_use]
            pub const fn header(&self) -> &'a Header {
                match self {
                    $( Self::$name(message) => &message.header, )*
                }
            }

            /// Returns the bytes of the message.
            #[must_use]
            pub fn bytes(&self) -> &'a [u8] {
                match self {
                    $( Self::$name(message) => message.as_bytes(), )*
                }
            }
        }
    };
}

messages! {
    /// A phase of the day begins.
    SystemEvent,
    /// An instrument and its properties.
    StockDirectory,
    /// An instrument is halted or trades.
    TradingAction,
    /// Short-sale restriction of an instrument.
    RegSho,
    /// A participant's standing in an instrument.
    ParticipantPosition,
    /// Levels of the market-wide circuit breaker.
    MwcbDecline,
    /// A level of the market-wide circuit breaker is breached.
    MwcbStatus,
    /// Release of a new listing.
    IpoQuotingUpdate,
    /// Collar of the auction after a volatility pause.
    LuldCollar,
    /// A single venue halts or resumes an instrument.
    OperationalHalt,
    /// An order was added.
    AddOrder,
    /// An order was added under the name of its firm.
    AddOrderMpid,
    /// An order traded at its displayed price.
    OrderExecuted,
    /// An order traded at another price.
    OrderExecutedWithPrice,
    /// An order was reduced.
    OrderCancel,
    /// An order was removed.
    OrderDelete,
    /// An order stands in place of another.
    OrderReplace,
    /// A trade with an order that is not displayed.
    Trade,
    /// The print of a cross.
    CrossTrade,
    /// A trade was annulled.
    BrokenTrade,
    /// Indicative price and imbalance before a cross.
    Noii,
    /// Retail interest.
    RetailInterest,
    /// Price discovery of a direct listing.
    DirectListing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_holds_48_bits_and_no_more() {
        assert_eq!(Timestamp::from_ns(0x0102_0304_0506).map(Timestamp::ns), Some(0x0102_0304_0506));
        assert_eq!(Timestamp::from_ns(1).unwrap().as_bytes(), [0, 0, 0, 0, 0, 1]);
        assert_eq!(Timestamp::from_ns(Timestamp::NS_MAX).unwrap().as_bytes(), [0xFF; 6]);
        assert_eq!(Timestamp::from_ns(Timestamp::NS_MAX + 1), None);
    }

    #[test]
    fn message_must_have_exactly_its_length() {
        let bytes = [b'S', 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, b'O', 0];
        let message = Message::decode(&bytes[..12]).unwrap();
        assert_eq!(message.header().timestamp.ns(), 9);
        assert_eq!(message.bytes(), &bytes[..12]);
        let error = DecodeError::WrongLength { kind: b'S', expected: 12, found: 13 };
        assert_eq!(Message::decode(&bytes), Err(error));
        assert_eq!(Message::decode(&[]), Err(DecodeError::Empty));
        assert_eq!(Message::decode(b"z"), Err(DecodeError::UnknownType { found: b'z' }));
        assert_eq!(LEN_BYTES_MAX, 50);
    }
}
