//! How a layout is written down: one struct per message, its field table beside it.
//!
//! The macro `layout` here serves [`crate::soup`], [`crate::ouch`] and [`crate::itch`]. It makes a
//! packed struct, checks its size while compiling and lists its fields with the offsets that the
//! compiler gave them, so that documents and tools read the layout from the code.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One field of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name of the struct field.
    pub name: &'static str,
    /// Bytes before the field, counted from the first byte of the layout.
    pub offset_bytes: usize,
    /// Bytes of the field.
    pub size_bytes: usize,
    /// Type of the struct field as written: `U32` is a big-endian number, `[u8; 8]` a text.
    pub type_name: &'static str,
}

/// A layout as a value, for tools that print messages and for the check of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Name of the struct.
    pub name: &'static str,
    /// Type byte that announces the layout.
    pub kind: u8,
    /// Bytes of the layout, without an appendage.
    pub len_bytes: usize,
    /// All fields in wire order; they leave no gap.
    pub fields: &'static [Field],
}

/// A fixed layout of bytes, announced by a type byte.
pub trait Layout: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy {
    /// Type byte: the first byte of an OUCH or ITCH message, the packet type of a Soup payload.
    const KIND: u8;
    /// Name of the struct.
    const NAME: &'static str;
    /// All fields in wire order; they leave no gap.
    const FIELDS: &'static [Field];
    /// Bytes of the layout, without an appendage.
    const LEN_BYTES: usize = size_of::<Self>();
    /// The constants above as one value.
    const DESCRIPTION: Description = Description {
        name: Self::NAME,
        kind: Self::KIND,
        len_bytes: Self::LEN_BYTES,
        fields: Self::FIELDS,
    };
}

/// The first byte of a message; a fresh one always holds `VALUE`, so no struct is sent mislabelled.
///
/// A view taken straight from foreign bytes can hold another value: the `decode` functions choose
/// the struct by this byte and thereby check it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(transparent)]
pub struct TypeByte<const VALUE: u8>(u8);

impl<const VALUE: u8> TypeByte<VALUE> {
    /// Returns the byte `VALUE`.
    #[must_use]
    pub const fn new() -> Self {
        Self(VALUE)
    }

    /// Returns the byte as read.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl<const VALUE: u8> Default for TypeByte<VALUE> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There are no bytes, not even a type byte.
    Empty,
    /// No message of this protocol and direction has the type byte `found`.
    UnknownType {
        /// The type byte read.
        found: u8,
    },
    /// The fixed part of message `kind` is cut off, or bytes follow that no appendage explains.
    WrongLength {
        /// The type byte read.
        kind: u8,
        /// Bytes of the fixed part.
        expected: usize,
        /// Bytes of the frame.
        found: usize,
    },
    /// The appendage length of message `kind` disagrees with the frame.
    AppendageLength {
        /// The type byte read.
        kind: u8,
        /// Bytes of appendage that the length field announces.
        expected: usize,
        /// Bytes of the frame after the length field.
        found: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("message without a type byte"),
            Self::UnknownType { found } => {
                write!(f, "unknown message type '{}'", found.escape_ascii())
            }
            Self::WrongLength { kind, expected, found } => {
                let kind = kind.escape_ascii();
                write!(f, "message '{kind}' has {found} bytes, expected {expected}")
            }
            Self::AppendageLength { kind, expected, found } => {
                let kind = kind.escape_ascii();
                write!(f, "message '{kind}' announces {expected} bytes of appendage, has {found}")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// Views `bytes` as a `T` of exactly its length; the caller has matched the type byte.
pub(crate) fn view<T: Layout>(bytes: &[u8]) -> Result<&T, DecodeError> {
    // The cast error only repeats that the length is wrong; both lengths are reported here.
    T::ref_from_bytes(bytes).or(Err(DecodeError::WrongLength {
        kind: T::KIND,
        expected: T::LEN_BYTES,
        found: bytes.len(),
    }))
}

/// Declares layouts: `pub struct Name = KIND, LEN { pub field: Type, }`.
///
/// Visibilities are matched, not written here: lints judge generated items by where `pub` stands.
macro_rules! layout {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident = $kind:expr, $len:literal {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            zerocopy::FromBytes,
            zerocopy::IntoBytes,
            zerocopy::KnownLayout,
            zerocopy::Immutable,
            zerocopy::Unaligned,
        )]
        #[repr(C)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $crate::layout::Layout for $name {
            const KIND: u8 = $kind;
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::layout::Field] = &[$(
                $crate::layout::Field {
                    name: stringify!($field),
                    offset_bytes: core::mem::offset_of!($name, $field),
                    size_bytes: size_of::<$type>(),
                    type_name: stringify!($type),
                },
            )*];
        }

        const _: () = assert!(size_of::<$name>() == $len, "layout differs from its stated length");
    )*};
}

/// Declares a module of one-letter or two-byte codes, each with a short text.
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        pub mod $module:ident: $type:ty {
            $( $name:ident = $value:literal, $text:literal; )*
        }
    )*) => {$(
        $(#[$meta])*
        pub mod $module {
            $(
                #[doc = concat!("Code for: ", $text, ".")]
                pub const $name: $type = $value;
            )*

            /// Every code with its text.
            pub const ALL: &[($type, &str)] = &[$( ($name, $text), )*];

            /// Returns the text of `code`, `"unknown"` when the module does not list it.
            #[must_use]
            pub const fn text(code: $type) -> &'static str {
                match code {
                    $( $name => $text, )*
                    _ => "unknown",
                }
            }
        }
    )*};
}

/// Declares enums over a closed set of one-byte codes.
macro_rules! closed_set {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $value:literal, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant = $value, )*
        }

        impl $name {
            /// Every value, in the order of the documents.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// Returns the value with the wire code `code`, `None` when there is none.
            #[must_use]
            pub const fn from_wire(code: u8) -> Option<Self> {
                match code {
                    $( $value => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Returns the wire code.
            #[must_use]
            pub const fn to_wire(self) -> u8 {
                self as u8
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn fresh_type_byte_holds_its_value() {
        assert_eq!(TypeByte::<b'O'>::new().get(), b'O');
        assert_eq!(TypeByte::<b'O'>::default().as_bytes(), b"O");
    }

    #[test]
    fn errors_name_what_was_expected_and_found() {
        let error = DecodeError::WrongLength { kind: b'X', expected: 9, found: 8 };
        assert_eq!(error.to_string(), "message 'X' has 8 bytes, expected 9");
        let error = DecodeError::UnknownType { found: 0 };
        assert_eq!(error.to_string(), r"unknown message type '\x00'");
    }
}
