//! Text fields: padded letters, decimal numbers and decimal prices.
//!
//! Wire text is ASCII of fixed width. Names are left-justified and padded with spaces; numbers and
//! the session name of a Soup login are right-justified. Prices and quantities are integers on the
//! wire; [`format_price`] and [`parse_price`] are the only way to and from the text that people
//! read and write, and no floating point is involved.

use core::fmt;

/// Returns `text` left-justified and padded with spaces to `N` bytes.
///
/// `None` when it is longer than `N` bytes or holds anything but printable ASCII.
#[must_use]
pub fn alpha<const N: usize>(text: impl AsRef<[u8]>) -> Option<[u8; N]> {
    let text = printable(text.as_ref())?;
    let mut field = [b' '; N];
    field.get_mut(..text.len())?.copy_from_slice(text);
    Some(field)
}

/// Returns `text` right-justified and padded with spaces to `N` bytes.
///
/// `None` when it is longer than `N` bytes or holds anything but printable ASCII.
#[must_use]
pub fn right_alpha<const N: usize>(text: impl AsRef<[u8]>) -> Option<[u8; N]> {
    let text = printable(text.as_ref())?;
    let mut field = [b' '; N];
    field[N.checked_sub(text.len())?..].copy_from_slice(text);
    Some(field)
}

/// Returns `text` without the spaces and NULs at both ends.
///
/// Clients pad on either side and with either byte, so every text field is compared trimmed.
#[must_use]
pub const fn trim(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ' | 0, tail @ ..] = rest {
        rest = tail;
    }
    while let [head @ .., b' ' | 0] = rest {
        rest = head;
    }
    rest
}

/// Returns `value` in decimal, right-justified and padded with spaces to `N` bytes.
///
/// `None` when it needs more than `N` digits.
#[must_use]
pub fn number<const N: usize>(value: u64) -> Option<[u8; N]> {
    let mut digits = [0; DIGITS_MAX];
    right_alpha(write_digits(value, &mut digits))
}

/// Returns `value` in decimal, right-justified in the 20 bytes of a Soup sequence number.
#[must_use]
pub fn ascii20(value: u64) -> [u8; DIGITS_MAX] {
    let mut field = [b' '; DIGITS_MAX];
    write_digits(value, &mut field);
    field
}

/// Reads a decimal number after trimming both ends.
///
/// # Errors
///
/// Blank text, a byte that is no digit, or a value above [`u64::MAX`].
pub fn parse_number(text: &[u8]) -> Result<u64, ParseNumberError> {
    let digits = trim(text);
    if digits.is_empty() {
        return Err(ParseNumberError::Blank);
    }
    let mut value = 0_u64;
    for (offset, &found) in digits.iter().enumerate() {
        if !found.is_ascii_digit() {
            return Err(ParseNumberError::NonDigit { offset, found });
        }
        value = push_digit(value, found).ok_or(ParseNumberError::Overflow)?;
    }
    Ok(value)
}

/// Why a text field is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseNumberError {
    /// Nothing but padding.
    Blank,
    /// A byte is no decimal digit.
    NonDigit {
        /// Position in the trimmed text.
        offset: usize,
        /// The byte read.
        found: u8,
    },
    /// The value exceeds [`u64::MAX`].
    Overflow,
}

impl fmt::Display for ParseNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Blank => f.write_str("number is blank"),
            Self::NonDigit { offset, found } => {
                write!(f, "byte {offset} of the number is '{}'", found.escape_ascii())
            }
            Self::Overflow => f.write_str("number exceeds 64 bits"),
        }
    }
}

impl core::error::Error for ParseNumberError {}

/// Returns the decimal text of `raw` units of 10^-`decimals`, with exactly `decimals` decimals.
///
/// Serves prices and quantities alike. Width, fill and alignment of the format string apply as they
/// do for integers.
#[must_use]
pub const fn format_price(raw: u64, decimals: u8) -> PriceText {
    PriceText { raw, decimals }
}

/// A decimal price ready to print; made by [`format_price`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceText {
    raw: u64,
    decimals: u8,
}

impl fmt::Display for PriceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; DIGITS_MAX];
        let digits = write_digits(self.raw, &mut digits);
        let decimals = usize::from(self.decimals);
        // The longest text is "0." and 255 decimals; what is not overwritten stays zero.
        let mut text = [b'0'; 2 + u8::MAX as usize];
        let whole_len = digits.len().saturating_sub(decimals);
        let (whole, fraction) = digits.split_at(whole_len);
        let point = whole_len.max(1);
        let end = if decimals == 0 { point } else { point + 1 + decimals };
        text[point - whole_len..point].copy_from_slice(whole);
        if 0 < decimals {
            text[point] = b'.';
        }
        text[end - fraction.len()..end].copy_from_slice(fraction);
        let text = core::str::from_utf8(&text[..end]).or(Err(fmt::Error))?;
        f.pad_integral(true, "", text)
    }
}

/// Reads a decimal price as units of 10^-`decimals`, exactly.
///
/// The text is digits with at most one point and at least one digit on each side of it: `12`,
/// `12.5`, `0.0001`. There is no sign, no grouping, no exponent and no surrounding space. Serves
/// quantities as well.
///
/// # Errors
///
/// Each way in which the text can be wrong is a variant of [`ParsePriceError`]; of several, the
/// leftmost is reported.
pub fn parse_price(text: &str, decimals: u8) -> Result<u64, ParsePriceError> {
    if text.is_empty() {
        return Err(ParsePriceError::Empty);
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut value = push_digits(0, whole, 0)?;
    let mut found = 0;
    if let Some(fraction) = fraction {
        value = push_digits(value, fraction, whole.len() + 1)?;
        found = fraction.len();
    }
    let allowed = usize::from(decimals);
    let Some(missing) = allowed.checked_sub(found) else {
        return Err(ParsePriceError::TooManyDecimals { allowed: decimals, found });
    };
    for _ in 0..missing {
        value = push_digit(value, b'0').ok_or(ParsePriceError::Overflow)?;
    }
    Ok(value)
}

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsePriceError {
    /// There is no text.
    Empty,
    /// The point has no digit before or after it.
    MissingDigit {
        /// Byte offset where a digit is due.
        offset: usize,
    },
    /// A character is neither a digit nor the first point.
    NonDigit {
        /// Byte offset of the character.
        offset: usize,
        /// The character read.
        found: char,
    },
    /// There are more decimals than the unit has, even if they are zero.
    TooManyDecimals {
        /// Decimals of the unit.
        allowed: u8,
        /// Decimals in the text.
        found: usize,
    },
    /// The value exceeds [`u64::MAX`] units.
    Overflow,
}

impl fmt::Display for ParsePriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("price is empty"),
            Self::MissingDigit { offset } => write!(f, "digit missing at offset {offset}"),
            Self::NonDigit { offset, found } => {
                write!(f, "'{}' at offset {offset} is no digit", found.escape_default())
            }
            Self::TooManyDecimals { allowed, found } => {
                write!(f, "price has {found} decimals, at most {allowed} allowed")
            }
            Self::Overflow => f.write_str("price exceeds 64 bits"),
        }
    }
}

impl core::error::Error for ParsePriceError {}

/// Digits of [`u64::MAX`].
const DIGITS_MAX: usize = 20;

fn printable(text: &[u8]) -> Option<&[u8]> {
    text.iter().all(|byte| (b' '..=b'~').contains(byte)).then_some(text)
}

/// Writes `value` to the end of `field` and returns the digits; what is before them stays.
fn write_digits(value: u64, field: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut rest = value;
    let mut start = DIGITS_MAX;
    loop {
        start -= 1;
        // The low byte of a number below ten is the number.
        let [.., digit] = (rest % 10).to_be_bytes();
        field[start] = b'0' + digit;
        rest /= 10;
        if rest == 0 {
            return &field[start..];
        }
    }
}

fn push_digit(value: u64, digit: u8) -> Option<u64> {
    value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
}

/// Appends the digits of `text`, which begins at `offset` of the whole, to `value`.
fn push_digits(value: u64, text: &str, offset: usize) -> Result<u64, ParsePriceError> {
    if text.is_empty() {
        return Err(ParsePriceError::MissingDigit { offset });
    }
    // Checked before summing: a stray character is the clearer error than an overflow.
    if let Some((index, found)) = text.char_indices().find(|(_, found)| !found.is_ascii_digit()) {
        return Err(ParsePriceError::NonDigit { offset: offset + index, found });
    }
    text.bytes().try_fold(value, push_digit).ok_or(ParsePriceError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn alpha_pads_on_the_right_and_right_alpha_on_the_left() {
        assert_eq!(alpha::<6>("ABC"), Some(*b"ABC   "));
        assert_eq!(right_alpha::<6>("ABC"), Some(*b"   ABC"));
        assert_eq!(alpha::<3>("ABC"), Some(*b"ABC"));
        assert_eq!(alpha::<2>(""), Some(*b"  "));
    }

    #[test]
    fn alpha_refuses_long_and_unprintable_text() {
        assert_eq!(alpha::<2>("ABC"), None);
        assert_eq!(right_alpha::<2>("ABC"), None);
        assert_eq!(alpha::<4>("A\0"), None);
        assert_eq!(alpha::<4>("\u{e9}"), None);
    }

    #[test]
    fn trim_drops_spaces_and_nuls_on_both_ends_only() {
        assert_eq!(trim(b" \0A B\0 \0"), b"A B");
        assert_eq!(trim(b" \0 "), b"");
        assert_eq!(trim(b""), b"");
    }

    #[test]
    fn numbers_are_right_justified_and_read_back() {
        assert_eq!(number::<5>(42), Some(*b"   42"));
        assert_eq!(number::<5>(0), Some(*b"    0"));
        assert_eq!(number::<2>(100), None);
        assert_eq!(&ascii20(u64::MAX), b"18446744073709551615");
        assert_eq!(&ascii20(1), b"                   1");
        assert_eq!(parse_number(&ascii20(u64::MAX)), Ok(u64::MAX));
        assert_eq!(parse_number(b"7\0\0\0"), Ok(7));
    }

    #[test]
    fn number_errors_are_distinct() {
        assert_eq!(parse_number(b"  \0"), Err(ParseNumberError::Blank));
        let error = ParseNumberError::NonDigit { offset: 1, found: b'-' };
        assert_eq!(parse_number(b" 1-2"), Err(error));
        assert_eq!(parse_number(b"18446744073709551616"), Err(ParseNumberError::Overflow));
    }

    #[test]
    fn price_text_shows_all_decimals() {
        for (raw, decimals, expected) in [
            (1_234_567, 4, "123.4567"),
            (1_230_000, 4, "123.0000"),
            (5, 4, "0.0005"),
            (0, 4, "0.0000"),
            (0, 0, "0"),
            (42, 0, "42"),
            (42, 2, "0.42"),
            (42, 3, "0.042"),
            (u64::MAX, 0, "18446744073709551615"),
            (u64::MAX, 19, "1.8446744073709551615"),
            (u64::MAX, 20, "0.18446744073709551615"),
        ] {
            assert_eq!(format_price(raw, decimals).to_string(), expected);
        }
        assert_eq!(format_price(7, 255).to_string().len(), 257);
        assert_eq!(format!("[{:>10}]", format_price(125, 2)), "[      1.25]");
        assert_eq!(format!("[{:<10}]", format_price(125, 2)), "[1.25      ]");
    }

    #[test]
    fn price_text_is_read_exactly() {
        for (text, decimals, expected) in [
            ("123.4567", 4, 1_234_567),
            ("123", 4, 1_230_000),
            ("0.5", 4, 5_000),
            ("007", 0, 7),
            ("199999.9900", 4, 1_999_999_900),
            ("18446744073709551615", 0, u64::MAX),
        ] {
            assert_eq!(parse_price(text, decimals), Ok(expected), "{text}");
        }
    }

    #[test]
    fn price_errors_are_distinct() {
        use ParsePriceError as Error;
        for (text, decimals, expected) in [
            ("", 4, Error::Empty),
            (".5", 4, Error::MissingDigit { offset: 0 }),
            ("5.", 4, Error::MissingDigit { offset: 2 }),
            ("-5", 4, Error::NonDigit { offset: 0, found: '-' }),
            ("1.2.3", 4, Error::NonDigit { offset: 3, found: '.' }),
            ("1 000", 4, Error::NonDigit { offset: 1, found: ' ' }),
            ("1.00000", 4, Error::TooManyDecimals { allowed: 4, found: 5 }),
            ("1.0", 0, Error::TooManyDecimals { allowed: 0, found: 1 }),
            ("18446744073709551616", 0, Error::Overflow),
            ("1844674407370955.1616", 5, Error::Overflow),
            ("1", 20, Error::Overflow),
        ] {
            assert_eq!(parse_price(text, decimals), Err(expected), "{text}");
        }
        assert_eq!(parse_price("0", 255), Ok(0));
    }
}
