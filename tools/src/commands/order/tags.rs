//! Optional fields by number, as they are written on the command line.

use std::str::FromStr;

use uncross_client::Elements;

use crate::errors::{self, Failure};

/// An element that is sent as it stands: `6=L`, `3=0x0000000A`.
///
/// The text after `=` goes byte by byte, without padding; after `0x` each two digits are a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawTag {
    tag: u8,
    value: Vec<u8>,
}

impl FromStr for RawTag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected TAG=VALUE, for example 6=L or 28=0x05";
        let (tag, value) = text.split_once('=').ok_or(EXPECTED)?;
        let is_number = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| is_number).ok_or("a tag is a number up to 255")?;
        let value = match value.strip_prefix("0x") {
            Some(digits) => bytes_of(digits).ok_or("after 0x, two hex digits for each byte")?,
            None if value.is_ascii() => value.as_bytes().to_vec(),
            None => return Err("a text is ASCII; write other bytes in hex after 0x".to_owned()),
        };
        let (max, found) = (Elements::VALUE_LEN_BYTES_MAX, value.len());
        if max < found {
            return Err(format!("the value has {found} bytes, at most {max} fit an element"));
        }
        Ok(Self { tag, value })
    }
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

impl RawTag {
    /// Appends it.
    pub(super) fn put(&self, elements: &mut Elements) -> Result<(), Failure> {
        put(elements, self.tag, &self.value)
    }
}

/// Appends an element.
pub(super) fn put(elements: &mut Elements, tag: u8, value: &[u8]) -> Result<(), Failure> {
    elements
        .put(tag, value)
        .map_err(|error| Failure::new(&errors::USAGE, format!("tag {tag} cannot be sent: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_text_or_hex() {
        for (text, tag, value) in [
            ("6=L", 6, &b"L"[..]),
            ("2=ACME", 2, b"ACME"),
            ("3=0x0000000a", 3, &[0, 0, 0, 10]),
            ("200=", 200, b""),
            ("200=0x", 200, b""),
            ("17= ", 17, b" "),
        ] {
            let expected = RawTag { tag, value: value.to_vec() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["6", "=L", "x=L", "+6=L", "256=L", "6=0x0", "6=0xZZ", "6=\u{e9}"] {
            assert!(text.parse::<RawTag>().is_err(), "{text}");
        }
        let long = format!("6={}", "a".repeat(255));
        assert!(long.parse::<RawTag>().is_err());
    }
}
