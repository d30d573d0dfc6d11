//! How a thread waits when it has nothing to do.

use std::{io, time::Duration};

use mio::{Events, Poll, Waker};
use uncross_journal::wake::Bell;

use crate::{
    affinity::Wait,
    limits::{HOUSEKEEPING_MS, STANDSTILL_MS},
};

/// Wakes one thread that polls. Whoever makes work for it rings, from any thread.
#[derive(Debug)]
pub(crate) struct Alarm {
    bell: Bell,
    waker: Waker,
}

impl Alarm {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { bell: Bell::new(), waker }
    }

    /// Wakes the thread if it sleeps or is about to; what was done before is seen by it. A fence
    /// and a load while it is awake.
    #[inline]
    pub(crate) fn ring(&self) {
        self.bell.ring(|| self.wake());
    }

    /// Wakes the thread whether it sleeps or not.
    pub(crate) fn wake(&self) {
        // A failed wake-up delays the thread by one round of housekeeping.
        drop(self.waker.wake());
    }
}

/// What a thread does before its next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Looks again at once.
    None,
    /// Lets others run, then looks again.
    Yield,
    /// Sleeps.
    Park,
}

/// Says when housekeeping is due.
///
/// A process that stood still (stopped, or its machine was) finds all deadlines past, although
/// nobody was late: after a gap its peers get one more interval, in which what they sent is read.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    last_ms: u64,
    kept_ms: u64,
}

impl Rounds {
    /// Whether housekeeping is due in the round that begins at `now_ms`.
    pub(crate) const fn is_due(&mut self, now_ms: u64) -> bool {
        let gap_ms = now_ms.saturating_sub(self.last_ms);
        self.last_ms = now_ms;
        if STANDSTILL_MS < gap_ms {
            self.kept_ms = now_ms;
            return false;
        }
        let is_due = self.kept_ms + HOUSEKEEPING_MS <= now_ms;
        if is_due {
            self.kept_ms = now_ms;
        }
        is_due
    }
}

/// Decides how a thread waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    wait: Wait,
    spin_ns: u64,
    sleep_max: Duration,
    active_ns: u64,
}

impl Waiter {
    pub(crate) fn new(wait: Wait, spin: Duration, sleep_max: Duration) -> Self {
        let spin_ns = u64::try_from(spin.as_nanos()).unwrap_or(u64::MAX);
        Self { wait, spin_ns, sleep_max, active_ns: 0 }
    }

    /// Longest sleep, after which a thread looks around by itself.
    pub(crate) const fn sleep_max(&self) -> Duration {
        self.sleep_max
    }

    /// Notes that there was something to do.
    pub(crate) const fn note_work(&mut self, now_ns: u64) {
        self.active_ns = now_ns;
    }

    /// What to do when there is nothing to do.
    pub(crate) fn idle(&self, now_ns: u64) -> Pause {
        let is_fresh = now_ns < self.active_ns.saturating_add(self.spin_ns);
        match self.wait {
            Wait::Spin => Pause::None,
            Wait::SpinThenPark if is_fresh => Pause::None,
            Wait::YieldThenPark if is_fresh => Pause::Yield,
            Wait::SpinThenPark | Wait::YieldThenPark => Pause::Park,
        }
    }
}

/// Polls once in the way `pause` says; a sleep ends by `longest` or by the alarm. `has_work` is
/// asked once more before the thread sleeps.
///
/// # Errors
///
/// The poll failed.
pub(crate) fn pause(
    poll: &mut Poll,
    events: &mut Events,
    alarm: &Alarm,
    pause: Pause,
    longest: Duration,
    has_work: impl FnOnce() -> bool,
) -> io::Result<()> {
    let mut result = Ok(());
    match pause {
        Pause::None => result = poll.poll(events, Some(Duration::ZERO)),
        Pause::Yield => {
            std::thread::yield_now();
            result = poll.poll(events, Some(Duration::ZERO));
        }
        Pause::Park => {
            let mut must_look = true;
            let sleep = || {
                must_look = false;
                result = poll.poll(events, Some(longest));
            };
            alarm.bell.rest(has_work, sleep);
            if must_look {
                result = poll.poll(events, Some(Duration::ZERO));
            }
        }
    }
    match result {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_wait_one_interval_after_a_standstill() {
        let mut rounds = Rounds::default();
        assert!(!rounds.is_due(1_000_000), "the first round looks at sockets first");
        assert!(!rounds.is_due(1_000_249));
        assert!(rounds.is_due(1_000_250));
        assert!(!rounds.is_due(1_000_499));
        assert!(!rounds.is_due(1_020_000), "twenty seconds later");
        assert!(!rounds.is_due(1_020_249));
        assert!(rounds.is_due(1_020_250));
    }

    #[test]
    fn each_strategy_waits_as_its_name_says() {
        let at = |wait, now_ns| {
            let mut waiter = Waiter::new(wait, Duration::from_micros(50), Duration::MAX);
            waiter.note_work(1_000);
            waiter.idle(now_ns)
        };
        for (wait, fresh, stale) in [
            (Wait::Spin, Pause::None, Pause::None),
            (Wait::SpinThenPark, Pause::None, Pause::Park),
            (Wait::YieldThenPark, Pause::Yield, Pause::Park),
        ] {
            assert_eq!(at(wait, 50_999), fresh, "{wait:?}");
            assert_eq!(at(wait, 51_000), stale, "{wait:?}");
        }
    }
}
