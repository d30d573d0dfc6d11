//! Drop copies: the reports of a firm's ports, each in an envelope that says whose it is.
//!
//! They travel in sequenced Soup packets. An envelope is followed by an OUCH message as its port
//! got it, byte for byte.

use crate::layout::{DecodeError, Description, Layout};
use crate::ouch::outbound::Outbound;
use crate::{FromBytes, TypeByte, U16};

layout! {
    /// What precedes a report.
    pub struct Envelope = b'd', 4 {
        /// Message type: a small letter, since OUCH has none in either direction.
        pub kind: TypeByte<b'd'>,
        /// Port that the report went to; 0 for what is about this stream itself.
        pub source_port: U16,
        /// Channel of the port that the report is about, 0 where there is none.
        pub user_ref_index: u8,
    }
}

/// Every layout of this protocol.
pub const LAYOUTS: &[Description] = &[Envelope::DESCRIPTION];

/// A decoded drop copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropCopy<'a> {
    /// Whose report it is.
    pub envelope: &'a Envelope,
    /// The report.
    pub report: Outbound<'a>,
    /// The same as its port got it.
    pub bytes: &'a [u8],
}

impl<'a> DropCopy<'a> {
    /// Views `bytes`, the payload of a sequenced packet, as a drop copy.
    ///
    /// # Errors
    ///
    /// No type byte or another one, an envelope that is cut off, or no OUCH message in it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.first() {
            None => return Err(DecodeError::Empty),
            Some(&Envelope::KIND) => {}
            Some(&found) => return Err(DecodeError::UnknownType { found }),
        }
        let (envelope, bytes) =
            Envelope::ref_from_prefix(bytes).or(Err(DecodeError::WrongLength {
                kind: Envelope::KIND,
                expected: Envelope::LEN_BYTES,
                found: bytes.len(),
            }))?;
        Ok(Self { envelope, report: Outbound::decode(bytes)?, bytes })
    }
}
