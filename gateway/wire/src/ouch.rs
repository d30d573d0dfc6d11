//! OUCH 5.0: order entry inside `SoupBinTCP` data packets.
//!
//! [`inbound`] are the client's messages, [`outbound`] the server's, [`appendage`] the optional
//! fields that may follow either, [`tag_set`] which of them may follow what, [`codes`] the values
//! of the one-byte fields and the reasons.
//! Prices are integers in the instrument's price unit, quantities in its quantity unit.
//!
//! An appendage is a `u16` count of bytes and then elements. Some layouts end with that count; it
//! is then always there. After the others count and elements may both be missing, and are when we
//! send: captured client frames carry none, while other encoders append a count of zero.

/// Says of each message whether its layout ends with the appendage's length.
macro_rules! appendage_counts {
    (true: $($counts:ident),+; false: $($bare:ident),+;) => {
        $( impl Message for $counts { const COUNTS_APPENDAGE: bool = true; } )+
        $( impl Message for $bare { const COUNTS_APPENDAGE: bool = false; } )+
    };
}

pub mod appendage;
pub mod codes;
pub mod inbound;
pub mod outbound;
pub mod tag_set;

use crate::layout::{DecodeError, Layout};

/// A message of OUCH; elements may follow its layout.
pub trait Message: Layout {
    /// Whether the layout ends with the appendage's length.
    const COUNTS_APPENDAGE: bool;
}

/// Writes `message` and the appendage `elements` to the start of `out`, with the right length.
///
/// Returns the bytes written; `None` when `out` is too short or the elements exceed 65,535 bytes.
/// Without elements a message whose layout ends in no length is written bare.
#[must_use]
pub fn encode<T: Message>(message: &T, elements: &[u8], out: &mut [u8]) -> Option<usize> {
    let count = u16::try_from(elements.len()).ok()?.to_be_bytes();
    let bare = !T::COUNTS_APPENDAGE && elements.is_empty();
    let count_at = if T::COUNTS_APPENDAGE { T::LEN_BYTES - COUNT_LEN_BYTES } else { T::LEN_BYTES };
    out.get_mut(..T::LEN_BYTES)?.copy_from_slice(message.as_bytes());
    if bare {
        return Some(T::LEN_BYTES);
    }
    let elements_at = count_at + COUNT_LEN_BYTES;
    let end = elements_at + elements.len();
    out.get_mut(count_at..elements_at)?.copy_from_slice(&count);
    out.get_mut(elements_at..end)?.copy_from_slice(elements);
    Some(end)
}

/// Bytes of the appendage length.
const COUNT_LEN_BYTES: usize = size_of::<u16>();

/// Splits `bytes` into the message and its appendage elements; the caller has matched the type.
fn split<T: Message>(bytes: &[u8]) -> Result<(&T, &[u8]), DecodeError> {
    let found = bytes.len();
    let wrong = DecodeError::WrongLength { kind: T::KIND, expected: T::LEN_BYTES, found };
    let (message, rest) = T::ref_from_prefix(bytes).or(Err(wrong))?;
    let (count, elements) = if T::COUNTS_APPENDAGE {
        (message.as_bytes().last_chunk(), rest)
    } else if rest.is_empty() {
        return Ok((message, rest));
    } else {
        (rest.first_chunk(), rest.get(COUNT_LEN_BYTES..).unwrap_or_default())
    };
    let Some(&count) = count else { return Err(wrong) };
    let (expected, found) = (usize::from(u16::from_be_bytes(count)), elements.len());
    if expected == found {
        Ok((message, elements))
    } else {
        Err(DecodeError::AppendageLength { kind: T::KIND, expected, found })
    }
}
