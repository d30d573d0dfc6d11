//! How long market data came behind the reports of the same commands.

use hdrhistogram::Histogram;

/// Longest delay told apart, in nanoseconds: a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// Delays between the first report of a round of the publisher and the last subscriber's market
/// data of the same round, in nanoseconds. Zeros when there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Rounds that had both, to somebody.
    pub count: u64,
    /// Half of them were no longer.
    pub p50_ns: u64,
    /// 99 % of them were no longer.
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// Where they are counted; everything is allocated at once.
#[derive(Debug)]
pub(super) struct Delays(Option<Histogram<u64>>);

impl Delays {
    pub(super) fn new() -> Self {
        // The bounds are good, so this is always there.
        Self(Histogram::new_with_bounds(1, LONGEST_NS, 3).ok())
    }

    pub(super) fn note(&mut self, delay_ns: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(delay_ns);
        }
    }

    pub(super) fn summary(&self) -> Delay {
        self.0.as_ref().map_or_else(Delay::default, |histogram| Delay {
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.5),
            p99_ns: histogram.value_at_quantile(0.99),
            max_ns: histogram.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_to_three_digits() {
        let mut delays = Delays::new();
        assert_eq!(delays.summary(), Delay::default());
        for delay_ns in 1..=1_000 {
            delays.note(delay_ns * 1_000);
        }
        let Delay { count, p50_ns, p99_ns, max_ns } = delays.summary();
        assert_eq!(count, 1_000);
        for (found, expected) in [(p50_ns, 500_000), (p99_ns, 990_000), (max_ns, 1_000_000)] {
            assert!(found.abs_diff(expected) <= expected / 1_000, "{found} for {expected}");
        }
    }
}
