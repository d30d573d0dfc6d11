//! Time: wall-clock nanoseconds that run with the monotonic clock and never jump.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::limits::{CLOCK_GAP_NS, CLOCK_READS_MAX};

/// Most that a second may be stretched or shrunk to follow the wall clock: 500 ppm.
const SLEW_PPM: i64 = 500;

/// A clock read once a turn.
#[derive(Debug)]
pub(crate) struct Clock {
    monotonic: quanta::Clock,
    /// Monotonic reading at start.
    start: u64,
    /// Wall clock at start, nanoseconds since the UNIX epoch.
    anchor_ns: u64,
    /// What has been slewed so far.
    correction_ns: i64,
    /// Monotonic nanoseconds since start at the last slew.
    slewed_at_ns: u64,
    /// The wall clock is further away than one slew reaches.
    is_off: bool,
}

/// The wall clock, nanoseconds since the UNIX epoch.
pub(crate) fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads both clocks at one moment: a thread that lost its CPU between them reads them again,
/// [`CLOCK_READS_MAX`] times at most.
fn anchor(monotonic: &quanta::Clock, mut wall_ns: impl FnMut() -> u64) -> (u64, u64) {
    let mut before = monotonic.raw();
    for _ in 1..CLOCK_READS_MAX {
        let read = wall_ns();
        let after = monotonic.raw();
        if monotonic.delta_as_nanos(before, after) <= CLOCK_GAP_NS {
            return (before, read);
        }
        before = after;
    }
    (before, wall_ns())
}

impl Clock {
    pub(crate) fn new() -> Self {
        let monotonic = quanta::Clock::new();
        let (start, anchor_ns) = anchor(&monotonic, wall_ns);
        Self { monotonic, start, anchor_ns, correction_ns: 0, slewed_at_ns: 0, is_off: false }
    }

    fn elapsed_ns(&self) -> u64 {
        self.monotonic.delta_as_nanos(self.start, self.monotonic.raw())
    }

    /// Nanoseconds since the UNIX epoch. May fall by what a slew takes back; the core never does.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        (self.anchor_ns + self.elapsed_ns()).saturating_add_signed(self.correction_ns)
    }

    /// Follows the wall clock a little. Called about four times a second.
    ///
    /// Returns how far the wall clock is ahead, in nanoseconds, when that is more than can be
    /// followed at once; once until it has been reached again.
    pub(crate) fn slew(&mut self) -> Option<i64> {
        let error_ns = i64::try_from(i128::from(wall_ns()) - i128::from(self.now_ns()));
        self.follow(error_ns.unwrap_or(0), self.elapsed_ns())
    }

    fn follow(&mut self, error_ns: i64, elapsed_ns: u64) -> Option<i64> {
        let since_ns = i64::try_from(elapsed_ns - self.slewed_at_ns).unwrap_or(i64::MAX);
        let step_ns = slew_step(error_ns, since_ns);
        self.correction_ns += step_ns;
        self.slewed_at_ns = elapsed_ns;
        let was_off = core::mem::replace(&mut self.is_off, step_ns != error_ns);
        (self.is_off && !was_off).then_some(error_ns)
    }
}

fn slew_step(error_ns: i64, since_ns: i64) -> i64 {
    let most = since_ns / 1_000_000 * SLEW_PPM;
    error_ns.clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_is_followed_by_500_ppm_at_most() {
        assert_eq!(slew_step(1_000_000_000, 250_000_000), 125_000);
        assert_eq!(slew_step(-1_000_000_000, 250_000_000), -125_000);
        assert_eq!(slew_step(40, 250_000_000), 40);
    }

    #[test]
    fn a_step_of_the_wall_clock_is_told_once_until_it_has_been_followed() {
        let mut clock = Clock::new();
        assert_eq!(clock.follow(40, 250_000_000), None);
        assert_eq!(clock.follow(300_000, 500_000_000), Some(300_000), "more than 125 us");
        assert_eq!(clock.follow(175_000, 750_000_000), None, "known");
        assert_eq!(clock.follow(50_000, 1_000_000_000), None, "reached");
        assert_eq!(clock.follow(-126_000, 1_250_000_000), Some(-126_000), "another one");
        assert_eq!(clock.correction_ns, 40 + 125_000 + 125_000 + 50_000 - 125_000);
    }

    #[test]
    fn a_standstill_between_the_readings_of_both_clocks_has_them_read_again() {
        let mut reads = 0;
        let (_, anchor_ns) = anchor(&quanta::Clock::new(), || {
            reads += 1;
            if reads < 4 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            reads
        });
        assert!(4 <= anchor_ns && anchor_ns == reads, "{anchor_ns} of {reads}");
        let mut reads = 0;
        anchor(&quanta::Clock::new(), || {
            reads += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
            0
        });
        assert_eq!(reads, CLOCK_READS_MAX, "then it is taken as it is");
    }

    #[test]
    fn the_clock_agrees_with_the_wall_clock() {
        let mut clock = Clock::new();
        clock.slew();
        assert!(clock.now_ns().abs_diff(wall_ns()) < 1_000_000_000);
    }
}
