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
    /// A time that no record can have.
    Elsewhen(Instant),
}

/// An instant of a year of four digits, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Year, month, day.
    date: (u32, u32, u32),
    second_of_day: u32,
    ns: u32,
}

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is neither a sequence number nor a time such as 2026-11-25T09:30:00.5Z: {wrong}"
)]
pub struct MomentError {
    /// The text.
    pub found: String,
    /// What is wrong with it.
    pub wrong: &'static str,
}

/// The records of the caller that a journal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Sequence number and time stamp of the first.
    pub first: (u64, u64),
    /// Of the last, where the time is that of a checkpoint if one follows.
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
        let error = |wrong| MomentError { found: text.to_owned(), wrong };
        if text.is_empty() {
            return Err(error("it is empty"));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let seq = text.parse().map(Self::Seq).ok();
            return seq.ok_or_else(|| error("a number has at most 64 bits"));
        }
        let instant: Instant = parse_instant(text).map_err(error)?;
        Ok(instant.unix_ns().map_or(Self::Elsewhen(instant), Self::Time))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "record {seq}"),
            Self::Time(time_ns) => f.write_str(&utc(*time_ns)),
            Self::Elsewhen(instant) => instant.fmt(f),
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

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date: (year, month, day), second_of_day, ns } = self;
        let (hour, minute, second) =
            (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
    }
}

impl Instant {
    /// Nanoseconds since the UNIX epoch, where 64 bits hold them.
    fn unix_ns(&self) -> Option<u64> {
        let seconds = days(self.date)? * 86_400 + u64::from(self.second_of_day);
        seconds.checked_mul(1_000_000_000)?.checked_add(self.ns.into())
    }

    /// The nanoseconds that 64 bits hold and that are nearest to it.
    pub(super) fn nearest_ns(&self) -> u64 {
        let farthest = if self.date.0 < EPOCH_YEAR { 0 } else { u64::MAX };
        self.unix_ns().unwrap_or(farthest)
    }
}

/// Nanoseconds of an instant as RFC 3339 writes it in UTC, with up to nine decimals of a second;
/// `None` where there is no such instant or 64 bits do not hold them.
#[must_use]
pub fn parse_utc(text: &str) -> Option<u64> {
    parse_instant(text).ok()?.unix_ns()
}

fn parse_instant(text: &str) -> Result<Instant, &'static str> {
    let number = |text: &str, len: usize| -> Option<u32> {
        let is_plain = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain)
    };
    let (date, time) = text.split_once('T').ok_or("a T parts date and time")?;
    let time = time.strip_suffix('Z').ok_or("a time is in UTC and ends in Z")?;
    let date = three(date, '-').ok_or("a date is year, month and day, as in 2026-11-25")?;
    let year = number(date[0], 4).ok_or("a year has four digits")?;
    let month = number(date[1], 2).filter(|it| (1..=12).contains(it));
    let month = month.ok_or("months are 01 to 12")?;
    let day = number(date[2], 2).filter(|it| (1..=days_of(year, month)).contains(it));
    let day = day.ok_or("the month has no such day")?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock = three(clock, ':');
    let clock = clock.ok_or("a time of day is hours, minutes and seconds, as in 09:30:00")?;
    let below = |text: &str, end: u32| number(text, 2).filter(|it| *it < end);
    let hour = below(clock[0], 24).ok_or("hours are 00 to 23")?;
    let minute = below(clock[1], 60).ok_or("minutes are 00 to 59")?;
    let second = below(clock[2], 60).ok_or("seconds are 00 to 59")?;
    let decimals = Some(fraction.len()).filter(|len| (1..=9).contains(len));
    let ns = decimals.and_then(|len| Some(number(fraction, len)? * TENS[9 - len]));
    let ns = ns.ok_or("a second has one to nine decimals")?;
    let second_of_day = hour * 3_600 + minute * 60 + second;
    Ok(Instant { date: (year, month, day), second_of_day, ns })
}

/// The parts of a text that has three.
fn three(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// The powers of ten.
const TENS: [u32; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

const EPOCH_YEAR: u32 = 1970;

/// Days of a month.
const fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date; `None` when it is before.
fn days(date: (u32, u32, u32)) -> Option<u64> {
    let (year, month, day) = date;
    // No date is further from the estimate than the leap days and months of different lengths sum
    // up to: in ten thousand years some two thousand of them.
    let least = year.checked_sub(EPOCH_YEAR)? * 365 + (month - 1) * 28 + day - 1;
    (least..least + 2_500).find(|&days| civil(days) == date).map(u64::from)
}

/// Whether the journal has any record.
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
    let (first, last) = (first(reader)?, reader.last_told()?);
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
        Moment::Seq(_) | Moment::Time(_) | Moment::Elsewhen(_) => Ok(Err(outside)),
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
            "2027-02-29T00:00:00Z",
            "2026-11-25T09:60:00Z",
            "2026-11-25T09:30:60Z",
            "2026-11-25T09:30Z",
            "2026-11T09:30:00Z",
            "99999-11-25T09:30:00Z",
        ] {
            let error = text.parse::<Moment>().unwrap_err();
            assert_eq!(error.found, text);
            assert!(parse_utc(text).is_none(), "{text}");
        }
        assert_eq!("17".parse(), Ok(Moment::Seq(17)));
        for (text, wrong) in [
            ("2026-13-01T00:00:00Z", "months are 01 to 12"),
            ("2026-02-30T00:00:00Z", "the month has no such day"),
            ("2026-11-25T09:30:00", "a time is in UTC and ends in Z"),
            ("2026-11-25T24:00:00Z", "hours are 00 to 23"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap_err().wrong, wrong, "{text}");
        }
    }

    #[test]
    fn instants_that_no_record_can_have_are_moments_all_the_same() {
        for (text, nearest_ns) in [
            ("0000-01-01T00:00:00.000000000Z", 0),
            ("1969-12-31T23:59:59.999999999Z", 0),
            ("2554-07-21T23:34:33.709551616Z", u64::MAX),
            ("9999-12-31T23:59:59.999999999Z", u64::MAX),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.to_string(), text);
            assert_eq!(parse_utc(text), None, "{text}");
            let Moment::Elsewhen(instant) = moment else { panic!("{moment:?}") };
            assert_eq!(instant.nearest_ns(), nearest_ns);
        }
        let last = "2554-07-21T23:34:33.709551615Z";
        assert_eq!(last.parse(), Ok(Moment::Time(u64::MAX)));
    }
}
