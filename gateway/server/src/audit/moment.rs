//! Moments of a journal: a sequence number or a time.

use std::{convert::Infallible, fmt, ops::ControlFlow, str::FromStr};

use uncross_journal::{ReadError, Reader, ReplayError, Start, kind};

use crate::{calendar::civil, sessions::utc};

/// A moment: behind the record with this number, or behind all records up to this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A sequence number.
    Seq(u64),
    /// Nanoseconds since the UNIX epoch.
    Time(u64),
}

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is neither a sequence number nor a time such as 2026-11-25T09:30:00.5Z")]
pub struct MomentError {
    /// The text.
    pub found: String,
}

/// The records of the caller that a journal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Sequence number and time stamp of the first.
    pub first: (u64, u64),
    /// Of the last.
    pub last: (u64, u64),
}

/// A moment that the journal knows nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The moment.
    pub moment: Moment,
    /// What there is; `None`: no record at all.
    pub extent: Option<Extent>,
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let error = || MomentError { found: text.to_owned() };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Seq).or(Err(error()));
        }
        parse_utc(text).map(Self::Time).ok_or_else(error)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "record {seq}"),
            Self::Time(time_ns) => f.write_str(&utc(*time_ns)),
        }
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal knows nothing of {}: ", self.moment)?;
        let Some(Extent { first, last }) = self.extent else { return f.write_str("it is empty") };
        let (from, to) = (utc(first.1), utc(last.1));
        write!(f, "it holds records {} to {}, from {from} to {to}", first.0, last.0)
    }
}

/// Nanoseconds of an instant as RFC 3339 writes it in UTC, with up to nine decimals of a second.
#[must_use]
pub fn parse_utc(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str, len: usize, range: std::ops::RangeInclusive<u64>| {
        let is_plain = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| is_plain && range.contains(number))
    };
    let [year, month, day] = date.split('-').collect::<Vec<_>>().try_into().ok()?;
    let days =
        days(number(year, 4, 1970..=2554)?, number(month, 2, 1..=12)?, number(day, 2, 1..=31)?)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = clock.split(':').collect::<Vec<_>>().try_into().ok()?;
    let seconds = number(hour, 2, 0..=23)? * 3_600 + number(minute, 2, 0..=59)? * 60;
    let seconds = days * 86_400 + seconds + number(second, 2, 0..=59)?;
    let scale = 10_u64.pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?);
    let ns = number(fraction, fraction.len(), 0..=999_999_999)? * scale;
    seconds.checked_mul(1_000_000_000)?.checked_add(ns)
}

/// Days since 1970-01-01 of a date; `None` when there is no such date.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    // No date is further from the estimate than the leap days and months of different lengths sum
    // up to.
    let least = (year - 1970) * 365 + (month - 1) * 28;
    let wanted = (u32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    (least..least + 250).find(|&days| u32::try_from(days).is_ok_and(|days| civil(days) == wanted))
}

/// What the journal holds; `None` when it has no record.
///
/// # Errors
///
/// Its first segment is damaged.
pub fn has_record(reader: &Reader) -> Result<bool, ReadError> {
    Ok(first(reader)?.is_some())
}

/// Sequence number and time stamp of the first record; `None` when there is none.
fn first(reader: &Reader) -> Result<Option<(u64, u64)>, ReadError> {
    let mut first = None;
    let read = reader.read_from(Start::First, |record, _| {
        first = Some((record.seq, record.time_ns));
        Ok::<_, Infallible>(ControlFlow::Break(()))
    });
    never(read)?;
    Ok(first)
}

/// What the journal holds; `None` when it has no record.
///
/// # Errors
///
/// Its first or last segment is damaged.
pub fn extent(reader: &Reader) -> Result<Option<Extent>, ReadError> {
    let (first, last) = (first(reader)?, reader.last()?);
    Ok(first.zip(last).map(|(first, last)| Extent { first, last }))
}

/// The number of the last record at a moment.
///
/// # Errors
///
/// The moment lies outside of the journal, or the segment that it lies in is damaged.
pub fn resolve(reader: &Reader, moment: Moment) -> Result<Result<u64, Outside>, ReadError> {
    let extent = extent(reader)?;
    let outside = Outside { moment, extent };
    let Some(Extent { first, last }) = extent else { return Ok(Err(outside)) };
    match moment {
        Moment::Seq(seq) if first.0 <= seq && seq <= last.0 => Ok(Ok(seq)),
        Moment::Time(time_ns) if time_ns == last.1 => Ok(Ok(last.0)),
        Moment::Time(time_ns) if first.1 <= time_ns && time_ns < last.1 => {
            let mut found = last.0;
            let read = reader.read_from(Start::Time(time_ns + 1), |record, _| {
                if !kind::is_callers(record.kind) {
                    return Ok::<_, Infallible>(ControlFlow::Continue(()));
                }
                found = record.seq - 1;
                Ok(ControlFlow::Break(()))
            });
            never(read)?;
            Ok(Ok(found))
        }
        Moment::Seq(_) | Moment::Time(_) => Ok(Err(outside)),
    }
}

/// The result of a reading that nothing but the journal can end.
pub(super) fn never<T>(result: Result<T, ReplayError<Infallible>>) -> Result<T, ReadError> {
    match result {
        Ok(value) => Ok(value),
        Err(ReplayError::Read(error)) => Err(error),
        Err(ReplayError::Apply(never)) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_they_are_written() {
        for time_ns in [0, 1, 951_782_399_999_999_999, 1_709_210_096_000_000_789, u64::MAX / 2] {
            assert_eq!(parse_utc(&utc(time_ns)), Some(time_ns), "{}", utc(time_ns));
            assert_eq!(utc(time_ns).parse(), Ok(Moment::Time(time_ns)));
        }
        for day in 0..200_000 {
            let time_ns = day * 86_400_000_000_000;
            assert_eq!(parse_utc(&utc(time_ns)), Some(time_ns));
        }
        assert_eq!(parse_utc("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        assert_eq!(parse_utc("1970-01-01T00:00:00.25Z"), Some(250_000_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "1.5",
            "99999999999999999999",
            "2026-11-25",
            "2026-11-25T09:30:00",
            "2026-11-25T09:30:00+01:00",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-25T24:00:00Z",
            "2026-11-25T09:30:00.Z",
            "2026-11-25T09:30:00.1234567890Z",
            "2026-1-25T09:30:00Z",
            "1969-12-31T23:59:59Z",
            "2555-01-01T00:00:00Z",
        ] {
            let error = text.parse::<Moment>().err();
            assert_eq!(error, Some(MomentError { found: text.to_owned() }), "{text}");
        }
        assert_eq!("17".parse(), Ok(Moment::Seq(17)));
    }
}
