//! Durations, sizes and counts as people write them: `10s`, `64MiB`, `10k`.
//!
//! Used by the configuration and by the flags of the command line, so that both read alike. A
//! value is a whole number and a unit; there are no fractions and no spaces.

use std::time::Duration;

use thiserror::Error;

/// Why a text is no duration, size or count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnitError {
    /// The text does not begin with a digit.
    #[error("a whole number is due, found {found:?}")]
    Number {
        /// The whole text.
        found: String,
    },
    /// What follows the number is none of the units.
    #[error("the unit must be one of {expected}, found {found:?}")]
    Unit {
        /// The units that exist.
        expected: &'static str,
        /// What follows the number; empty when nothing does.
        found: String,
    },
    /// The value needs more than 64 bits (of nanoseconds, bytes or pieces).
    #[error("{found:?} is too large")]
    Overflow {
        /// The whole text.
        found: String,
    },
}

/// A unit and what it is worth in the smallest one.
type Unit = (&'static str, u64);

const DURATION_NAMES: &str = "ns, us, ms, s, m, h";
const DURATION_UNITS: [Unit; 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const SIZE_NAMES: &str = "B, KiB, MiB, GiB";
const SIZE_UNITS: [Unit; 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const COUNT_NAMES: &str = "k, M, or none";
const COUNT_UNITS: [Unit; 3] = [("M", 1_000_000), ("k", 1_000), ("", 1)];

/// Reads a duration: `2s`, `5ms`, `50us`.
///
/// # Errors
///
/// No number, no known unit (a bare number has none), or more than 64 bits of nanoseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    parse(text, &DURATION_UNITS, DURATION_NAMES).map(Duration::from_nanos)
}

/// Reads a size in bytes: `64MiB`, `4KiB`, `512B`.
///
/// # Errors
///
/// No number, no known unit (a bare number has none), or more than 64 bits.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    parse(text, &SIZE_UNITS, SIZE_NAMES)
}

/// Reads a count: `10k`, `2M`, `4096`. The steps are decimal.
///
/// # Errors
///
/// No number, no known unit, or more than 64 bits.
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    parse(text, &COUNT_UNITS, COUNT_NAMES)
}

/// The duration in the largest unit that leaves it whole; [`parse_duration`] reads it back.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 { String::from("0s") } else { format(nanos, &DURATION_UNITS) }
}

/// The size in the largest unit that leaves it whole; [`parse_size`] reads it back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    if bytes == 0 { String::from("0B") } else { format(bytes, &SIZE_UNITS) }
}

fn parse(text: &str, units: &[Unit], expected: &'static str) -> Result<u64, UnitError> {
    let digits_len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, found) = text.split_at(digits_len);
    if digits.is_empty() {
        return Err(UnitError::Number { found: text.to_owned() });
    }
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == found) else {
        return Err(UnitError::Unit { expected, found: found.to_owned() });
    };
    let number = digits.parse::<u64>().ok();
    let value = number.and_then(|number| number.checked_mul(*scale));
    value.ok_or_else(|| UnitError::Overflow { found: text.to_owned() })
}

fn format(value: u64, units: &[Unit]) -> String {
    let largest = units.iter().find(|(_, scale)| value.is_multiple_of(*scale));
    largest.map_or_else(|| value.to_string(), |(name, scale)| format!("{}{name}", value / scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_every_unit() {
        for (text, nanos) in [
            ("0s", 0),
            ("7ns", 7),
            ("50us", 50_000),
            ("5ms", 5_000_000),
            ("10s", 10_000_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for (text, bytes) in [("1B", 1), ("4KiB", 4_096), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, count) in [("0", 0), ("4096", 4_096), ("10k", 10_000), ("2M", 2_000_000)] {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
    }

    #[test]
    fn each_mistake_has_its_error() {
        let number = |found: &str| Err(UnitError::Number { found: found.to_owned() });
        for text in ["", "s", "-5s", " 5s", "forever"] {
            assert_eq!(parse_duration(text), number(text), "{text:?}");
        }
        for (text, found) in [("5", ""), ("5 s", " s"), ("1.5s", ".5s"), ("5S", "S"), ("5d", "d")] {
            let error = UnitError::Unit { expected: DURATION_NAMES, found: found.to_owned() };
            assert_eq!(parse_duration(text), Err(error), "{text:?}");
        }
        let error = UnitError::Unit { expected: SIZE_NAMES, found: String::from("MB") };
        assert_eq!(parse_size("64MB"), Err(error));
        let error = UnitError::Unit { expected: COUNT_NAMES, found: String::from("K") };
        assert_eq!(parse_count("10K"), Err(error));
        for text in ["18446744073709551616", "18446744073709551615k"] {
            assert_eq!(parse_count(text), Err(UnitError::Overflow { found: text.to_owned() }));
        }
    }

    #[test]
    fn formatted_values_read_back() {
        for nanos in [0, 1, 999, 50_000, 5_000_000, 1_500_000_000, 7_200_000_000_000] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        for bytes in [0, 1, 1_000, 4_096, 4 << 20, 3 << 30] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_size(64 << 20), "64MiB");
    }
}
