//! The optional fields that may follow an OUCH message.
//!
//! An element is `u8 length`, `u8 tag` and a value; the length counts tag and value. [`elements`]
//! walks them, [`parse`] reads them all into [`Options`], [`AppendageWriter`] makes them. Each tag
//! has one width and may occur once. What a value means is for the engine to judge.
//!
//! Tags 128 to 255 are extensions of the venue; a client that sends none receives none.

use core::fmt;

use crate::ouch::tag_set::TagSet;

/// A value of fixed width inside an element.
trait Value: Sized {
    fn from_wire(bytes: &[u8]) -> Option<Self>;
    fn write(self, tag: u8, writer: &mut AppendageWriter<'_>) -> Result<(), WriteError>;
}

macro_rules! integer_values {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_wire(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }

            fn write(self, tag: u8, writer: &mut AppendageWriter<'_>) -> Result<(), WriteError> {
                writer.put_bytes(tag, &self.to_be_bytes())
            }
        }
    )*};
}

integer_values!(u8, u16, u32, u64, i32);

impl<const N: usize> Value for [u8; N] {
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    fn write(self, tag: u8, writer: &mut AppendageWriter<'_>) -> Result<(), WriteError> {
        writer.put_bytes(tag, &self)
    }
}

/// Makes the tag constants, their table, [`Options`] and the ways in and out of it.
macro_rules! tags {
    ($( $(#[$doc:meta])* $tag:ident = $number:literal, $field:ident: $type:ty; )*) => {
        /// Tag numbers.
        pub mod tag {
            $( $(#[$doc])* pub const $tag: u8 = $number; )*
        }

        /// Every known tag, by rising number.
        pub const TAGS: &[Tag] = &[$(
            Tag { name: stringify!($field), number: $number, len_bytes: size_of::<$type>() },
        )*];

        /// The values of an appendage; `None` where the tag is absent.
        ///
        /// Integers are as on the wire, texts are padded, prices in the instrument's unit.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Options {
            $( $(#[$doc])* pub $field: Option<$type>, )*
        }

        impl Options {
            /// Writes every value present, by rising tag.
            ///
            /// # Errors
            ///
            /// The buffer is full; what was written before stays.
            pub fn write(&self, writer: &mut AppendageWriter<'_>) -> Result<(), WriteError> {
                $(
                    if let Some(value) = self.$field {
                        value.write(tag::$tag, writer)?;
                    }
                )*
                Ok(())
            }

            fn set(&mut self, element: Element<'_>) -> Result<(), AppendageError> {
                match element.tag {
                    $( tag::$tag => fill(&mut self.$field, element), )*
                    tag => Err(AppendageError::UnknownTag { offset: element.offset, tag }),
                }
            }
        }
    };
}

tags! {
    /// Second reference of the order, given by the venue.
    SECONDARY_ORDER_REFERENCE = 1, secondary_order_reference: u64;
    /// Firm, left-justified.
    FIRM = 2, firm: [u8; 4];
    /// Least quantity that must trade at once.
    MIN_QTY = 3, min_qty: u32;
    /// Kind of customer.
    CUSTOMER_TYPE = 4, customer_type: u8;
    /// Displayed part of a reserve order.
    MAX_FLOOR = 5, max_floor: u32;
    /// How the price follows the market.
    PRICE_TYPE = 6, price_type: u8;
    /// Signed distance from the peg, in price units.
    PEG_OFFSET = 7, peg_offset: i32;
    /// Price up to which the order also trades, undisplayed.
    DISCRETION_PRICE = 9, discretion_price: u64;
    /// How the discretion price follows the market.
    DISCRETION_PRICE_TYPE = 10, discretion_price_type: u8;
    /// Signed distance of the discretion price from its peg, in price units.
    DISCRETION_PEG_OFFSET = 11, discretion_peg_offset: i32;
    /// Whether the order may only rest.
    POST_ONLY = 12, post_only: u8;
    /// Range of random sizes of a reserve's refreshes.
    RANDOM_RESERVES = 13, random_reserves: u32;
    /// Route, left-justified.
    ROUTE = 14, route: [u8; 4];
    /// Seconds until the order expires.
    EXPIRE_TIME_S = 15, expire_time_s: u32;
    /// Whether a resting order trades with a locking one.
    TRADE_NOW = 16, trade_now: u8;
    /// Handling instruction.
    HANDLE_INST = 17, handle_inst: u8;
    /// Weight of the order at the best bid or offer when it was accepted.
    BBO_WEIGHT = 18, bbo_weight: u8;
    /// Price to which an execution refers.
    REFERENCE_PRICE = 19, reference_price: u64;
    /// Kind of the reference price.
    REFERENCE_PRICE_TYPE = 20, reference_price_type: u8;
    /// Quantity now displayed.
    DISPLAY_QUANTITY = 22, display_quantity: u32;
    /// Price now displayed.
    DISPLAY_PRICE = 23, display_price: u64;
    /// Group for mass cancels.
    GROUP_ID = 24, group_id: u16;
    /// Whether the shares of a short sale were located.
    SHARES_LOCATED = 25, shares_located: u8;
    /// Broker that located the shares, left-justified.
    LOCATE_BROKER = 26, locate_broker: [u8; 4];
    /// Side.
    SIDE = 27, side: u8;
    /// Channel of the port that the message's number belongs to.
    USER_REF_INDEX = 28, user_ref_index: u8;
    /// Strategy against trades with oneself (OUCH 5.0 of 2025).
    AIQ_STRATEGY = 29, aiq_strategy: u8;
    /// Group within which trades with oneself are prevented (OUCH 5.0 of 2025).
    ///
    /// Public sources are silent about its width; two bytes are our choice.
    AIQ_GROUP = 30, aiq_group: u16;
    /// Public reference of the order that a Cancel with number 0 is about. An extension.
    ORDER_REFERENCE = 128, order_reference: u64;
    /// Whether a day order stands over any number of days. An extension.
    GOOD_TILL_CANCEL = 129, good_till_cancel: u8;
}

/// A tag and the width of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Name of the field of [`Options`].
    pub name: &'static str,
    /// Number on the wire.
    pub number: u8,
    /// Bytes of the value.
    pub len_bytes: usize,
}

/// Bytes of an appendage in which every known tag occurs.
pub const ELEMENTS_LEN_BYTES_MAX: usize = {
    let mut total = 0;
    let mut rest = TAGS;
    while let [tag, tail @ ..] = rest {
        total += ELEMENT_HEADER_LEN_BYTES + tag.len_bytes;
        rest = tail;
    }
    total
};

/// Returns the name and width of tag `number`, `None` when it is unknown.
#[must_use]
pub fn describe(number: u8) -> Option<&'static Tag> {
    TAGS.iter().find(|tag| tag.number == number)
}

/// One element of an appendage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Byte offset of the element in the appendage.
    pub offset: usize,
    /// Tag number.
    pub tag: u8,
    /// What follows the tag.
    pub value: &'a [u8],
}

/// Walks the elements of an appendage; see [`elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// Walks `bytes`, the elements of an appendage without their count, and ends after an error.
#[must_use]
pub const fn elements(bytes: &[u8]) -> Elements<'_> {
    Elements { rest: bytes, offset: 0 }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, AppendageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&length, after) = self.rest.split_first()?;
        let (offset, expected) = (self.offset, usize::from(length));
        self.rest = &[];
        let Some((body, rest)) = after.split_at_checked(expected) else {
            return Some(Err(AppendageError::Truncated { offset, expected, found: after.len() }));
        };
        let Some((&tag, value)) = body.split_first() else {
            return Some(Err(AppendageError::NoTag { offset }));
        };
        self.rest = rest;
        self.offset += 1 + expected;
        Some(Ok(Element { offset, tag, value }))
    }
}

impl core::iter::FusedIterator for Elements<'_> {}

/// Reads `bytes`, the elements of an appendage without their count.
///
/// # Errors
///
/// The first element that is cut off, unknown, not in `allowed`, repeated or of the wrong width.
pub fn parse(bytes: &[u8], allowed: TagSet) -> Result<Options, AppendageError> {
    let mut options = Options::default();
    for element in elements(bytes) {
        let element = element?;
        let Element { offset, tag, .. } = element;
        if !allowed.contains(tag) && TagSet::KNOWN.contains(tag) {
            return Err(AppendageError::NotAllowed { offset, tag });
        }
        options.set(element)?;
    }
    Ok(options)
}

/// Why an appendage cannot be read.
///
/// Offsets count from the first element; expected and found are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendageError {
    /// The element announces more bytes than the appendage has.
    Truncated {
        /// Byte offset of the element.
        offset: usize,
        /// Bytes of tag and value announced.
        expected: usize,
        /// Bytes left.
        found: usize,
    },
    /// The element has length 0 and thus no tag.
    NoTag {
        /// Byte offset of the element.
        offset: usize,
    },
    /// No tag has this number.
    UnknownTag {
        /// Byte offset of the element.
        offset: usize,
        /// Tag number read.
        tag: u8,
    },
    /// The tag is known but may not follow this message.
    NotAllowed {
        /// Byte offset of the element.
        offset: usize,
        /// Tag number read.
        tag: u8,
    },
    /// The tag occurred before.
    Duplicate {
        /// Byte offset of the second element.
        offset: usize,
        /// Tag number read.
        tag: u8,
    },
    /// The value has the wrong width.
    WrongLength {
        /// Byte offset of the element.
        offset: usize,
        /// Tag number read.
        tag: u8,
        /// Bytes of the tag's value.
        expected: usize,
        /// Bytes of value read.
        found: usize,
    },
}

impl fmt::Display for AppendageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { offset, expected, found } => {
                write!(f, "element at {offset} announces {expected} bytes, {found} left")
            }
            Self::NoTag { offset } => write!(f, "element at {offset} has no tag"),
            Self::UnknownTag { offset, tag } => write!(f, "unknown tag {tag} at {offset}"),
            Self::NotAllowed { offset, tag } => {
                write!(f, "tag {tag} at {offset} may not follow this message")
            }
            Self::Duplicate { offset, tag } => write!(f, "tag {tag} at {offset} is repeated"),
            Self::WrongLength { offset, tag, expected, found } => {
                write!(f, "tag {tag} at {offset} has {found} bytes of value, expected {expected}")
            }
        }
    }
}

impl core::error::Error for AppendageError {}

/// Writes elements into a buffer of the caller.
#[derive(Debug)]
pub struct AppendageWriter<'a> {
    buffer: &'a mut [u8],
    /// Bytes written; never above the buffer's length.
    len_bytes: usize,
}

impl<'a> AppendageWriter<'a> {
    /// Starts with no elements; [`ELEMENTS_LEN_BYTES_MAX`] bytes of buffer always suffice.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len_bytes: 0 }
    }

    /// Returns the elements written, to be passed to [`crate::ouch::encode`].
    #[must_use]
    pub fn elements(&self) -> &[u8] {
        &self.buffer[..self.len_bytes]
    }

    /// Appends an element with a value of one byte.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn put_u8(&mut self, tag: u8, value: u8) -> Result<(), WriteError> {
        value.write(tag, self)
    }

    /// Appends an element with a value of two bytes.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn put_u16(&mut self, tag: u8, value: u16) -> Result<(), WriteError> {
        value.write(tag, self)
    }

    /// Appends an element with a value of four bytes.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn put_u32(&mut self, tag: u8, value: u32) -> Result<(), WriteError> {
        value.write(tag, self)
    }

    /// Appends an element with a signed value of four bytes.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn put_i32(&mut self, tag: u8, value: i32) -> Result<(), WriteError> {
        value.write(tag, self)
    }

    /// Appends an element with a value of eight bytes.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn put_u64(&mut self, tag: u8, value: u64) -> Result<(), WriteError> {
        value.write(tag, self)
    }

    /// Appends an element with `value` as it stands; the tag's width is not checked.
    ///
    /// # Errors
    ///
    /// The buffer is full, or the value exceeds the 254 bytes that an element can hold.
    pub fn put_bytes(&mut self, tag: u8, value: &[u8]) -> Result<(), WriteError> {
        let (max, found) = (usize::from(u8::MAX) - 1, value.len());
        let length = u8::try_from(1 + found).or(Err(WriteError::TooLong { max, found }))?;
        let free = &mut self.buffer[self.len_bytes..];
        let (expected, found) = (ELEMENT_HEADER_LEN_BYTES + value.len(), free.len());
        let Some(element) = free.get_mut(..expected) else {
            return Err(WriteError::Full { expected, found });
        };
        let (head, body) = element.split_at_mut(ELEMENT_HEADER_LEN_BYTES);
        head.copy_from_slice(&[length, tag]);
        body.copy_from_slice(value);
        self.len_bytes += expected;
        Ok(())
    }
}

/// Why an element was not written; the elements before it stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The buffer has no room.
    Full {
        /// Bytes of the element.
        expected: usize,
        /// Bytes free.
        found: usize,
    },
    /// The value does not fit an element.
    TooLong {
        /// Bytes of value that fit.
        max: usize,
        /// Bytes of the value.
        found: usize,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full { expected, found } => {
                write!(f, "element of {expected} bytes does not fit into {found} bytes")
            }
            Self::TooLong { max, found } => {
                write!(f, "value has {found} bytes, at most {max} fit an element")
            }
        }
    }
}

impl core::error::Error for WriteError {}

/// Bytes of an element before its value: length and tag.
const ELEMENT_HEADER_LEN_BYTES: usize = 2;

/// Fills `slot` from an element that carries its tag.
fn fill<T: Value>(slot: &mut Option<T>, element: Element<'_>) -> Result<(), AppendageError> {
    let Element { offset, tag, value } = element;
    if slot.is_some() {
        return Err(AppendageError::Duplicate { offset, tag });
    }
    let (expected, found) = (size_of::<T>(), value.len());
    let wrong = AppendageError::WrongLength { offset, tag, expected, found };
    *slot = Some(T::from_wire(value).ok_or(wrong)?);
    Ok(())
}
