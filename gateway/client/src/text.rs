//! Short texts of fixed width: symbols, firms, order ids.

use std::fmt;
use std::str::FromStr;

use uncross_wire::text;

/// An instrument's name.
pub type Symbol = Text<8>;
/// Free text that the venue echoes in its reports.
pub type ClOrdId = Text<14>;
/// A firm's name.
pub type Firm = Text<4>;

/// At most `N` bytes of printable ASCII, padded with spaces on the right, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// Nothing but padding.
    pub const BLANK: Self = Self([b' '; N]);

    /// Takes `text`.
    ///
    /// # Errors
    ///
    /// It is longer than `N` bytes or holds anything but printable ASCII.
    pub fn new(text: &str) -> Result<Self, TextError> {
        fit("text", text).map(Self)
    }

    /// Takes a field as it came from the wire.
    #[must_use]
    pub const fn from_wire(field: [u8; N]) -> Self {
        Self(field)
    }

    /// Returns the field as it goes to the wire.
    #[must_use]
    pub const fn to_wire(self) -> [u8; N] {
        self.0
    }

    /// Returns the bytes without padding.
    #[must_use]
    pub const fn trimmed(&self) -> &[u8] {
        text::trim(&self.0)
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<const N: usize> FromStr for Text<N> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    /// Without padding; bytes that are not printable ASCII are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match str::from_utf8(self.trimmed()) {
            Ok(text) if text.is_ascii() => f.pad(text),
            Ok(_) | Err(_) => write!(f, "{}", self.trimmed().escape_ascii()),
        }
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.trimmed().escape_ascii())
    }
}

/// A text is longer than its field or holds anything but printable ASCII.
///
/// The text itself is left out, because it may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} has {found} bytes, expected at most {max} of printable ASCII")]
pub struct TextError {
    /// What the text was for.
    pub field: &'static str,
    /// Bytes that fit.
    pub max: usize,
    /// Bytes of the text.
    pub found: usize,
}

/// Pads `text` on the right, naming `field` in the error.
pub(crate) fn fit<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], TextError> {
    text::alpha(text).ok_or(TextError { field, max: N, found: text.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_padded_on_the_wire_and_trimmed_for_people() {
        let symbol = Symbol::new("DEMO").unwrap();
        assert_eq!(symbol.to_wire(), *b"DEMO    ");
        assert_eq!(symbol.to_string(), "DEMO");
        assert_eq!(format!("[{symbol:>6}]"), "[  DEMO]");
        assert_eq!(format!("{symbol:?}"), "\"DEMO\"");
        assert_eq!("DEMO".parse(), Ok(symbol));
        assert_eq!(Symbol::from_wire(*b"A\xFFB     ").to_string(), "A\\xffB");
    }

    #[test]
    fn text_that_does_not_fit_is_refused_with_its_length() {
        let error = TextError { field: "text", max: 4, found: 5 };
        assert_eq!(Firm::new("ABCDE"), Err(error));
        assert_eq!(Firm::new("A\n"), Err(TextError { found: 2, ..error }));
    }
}
