//! Trading days: which one an instant belongs to, and when the next begins.

use uncross_engine::command::{DayRoll, Epoch};

const DAY_NS: i64 = 86_400_000_000_000;

/// When days roll. A day is named after the date on which it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    /// Local time minus UTC, in seconds.
    pub(crate) utc_offset_s: i32,
    /// Local time of day at which the day rolls, in seconds.
    pub(crate) roll_at_s: u32,
}

impl Calendar {
    fn shift_ns(self) -> i64 {
        (i64::from(self.utc_offset_s) - i64::from(self.roll_at_s)) * 1_000_000_000
    }

    /// Days since 1970-01-01 of the trading day at `now_ns`.
    pub(crate) fn date(self, now_ns: u64) -> u32 {
        let local = i64::try_from(now_ns).unwrap_or(i64::MAX).saturating_add(self.shift_ns());
        u32::try_from(local.div_euclid(DAY_NS)).unwrap_or(0)
    }

    /// The roll that opens the trading day at `now_ns`.
    pub(crate) fn roll(self, now_ns: u64, epoch: u32) -> DayRoll {
        let date = self.date(now_ns);
        DayRoll { date, utc_offset_s: self.utc_offset_s, session: session_name(date, epoch) }
    }

    /// The epoch that opens within the open day `date`.
    pub(crate) fn epoch(date: u32, epoch: u32) -> Epoch {
        Epoch { epoch, session: session_name(date, epoch) }
    }

    /// The instant at which the day `date` ends.
    pub(crate) fn end_ns(self, date: u32) -> u64 {
        let end = (i64::from(date) + 1) * DAY_NS - self.shift_ns();
        u64::try_from(end).unwrap_or(0)
    }
}

/// Year, month, day, and the epoch modulo 10,000: new for every day and after every loss.
fn session_name(date: u32, epoch: u32) -> [u8; 10] {
    let (year, month, day) = civil(date);
    let mut name = [0; 10];
    let parts = [year % 100, month, day, epoch / 100 % 100, epoch % 100];
    for (pair, value) in name.chunks_mut(2).zip(parts) {
        let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
        pair.copy_from_slice(&[digit(value / 10), digit(value)]);
    }
    name
}

/// Year, month and day of a count of days since 1970-01-01.
///
/// The count is turned into years of March to February, whose leap day comes last.
pub(crate) fn civil(date: u32) -> (u32, u32, u32) {
    let days = date + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leaps = day_of_era / 1_460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leaps) / 365;
    let before = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - before;
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn dates_are_right_around_leap_days() {
        for (date, expected) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_777, (2026, 11, 20)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(date), expected, "day {date}");
        }
    }

    #[test]
    fn a_day_rolls_at_its_local_time() {
        let new_york_evening = Calendar { utc_offset_s: -5 * 3_600, roll_at_s: 17 * 3_600 };
        let before = (20_777 * 86_400 + 21 * 3_600 + 3_599) * SECOND;
        assert_eq!(new_york_evening.date(before), 20_776);
        assert_eq!(new_york_evening.date(before + SECOND), 20_777);
        assert_eq!(new_york_evening.end_ns(20_776), before + SECOND);
    }

    #[test]
    fn session_names_tell_days_and_epochs_apart() {
        let utc = Calendar { utc_offset_s: 0, roll_at_s: 0 };
        let now = 20_777 * 86_400 * SECOND;
        assert_eq!(&utc.roll(now, 0).session, b"2611200000");
        assert_eq!(&utc.roll(now, 12).session, b"2611200012");
    }
}
