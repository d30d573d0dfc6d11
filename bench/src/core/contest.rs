//! How a contender is run: the same three passes for each.

use std::time::{Duration, Instant};

use quanta::Clock;

use super::{plan::Plan, workload::Tally};
use crate::machine::memory;

/// An engine that carries out a workload.
pub(super) trait Contender<'a>: Sized {
    /// Everything empty, all tables allocated.
    fn new(plan: &'a Plan) -> Self;

    /// Carries out command number `at`; the outcome is kept, not read.
    fn apply(&mut self, at: usize);

    /// The same, counting the fills.
    fn tally(&mut self, at: usize, tally: &mut Tally);

    /// Counts what was said so far, so that two passes can be compared.
    fn outcomes(&self) -> u64;
}

/// One timed pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    /// For all timed commands.
    pub(super) spent: Duration,
    /// For the untimed ones before.
    pub(super) built: Duration,
    pub(super) outcomes: u64,
}

/// The pass that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) tally: Tally,
    pub(super) outcomes: u64,
}

/// Builds the books, then times the rest as one.
pub(super) fn time<'a, C: Contender<'a>>(plan: &'a Plan) -> Timed {
    let start = Instant::now();
    let mut contender = built::<C>(plan);
    let built = start.elapsed();
    let start = Instant::now();
    for at in plan.workload.untimed..plan.workload.records.len() {
        contender.apply(at);
    }
    Timed { spent: start.elapsed(), built, outcomes: contender.outcomes() }
}

/// Times each command by itself; the answer is in nanoseconds, sorted.
pub(super) fn latencies<'a, C: Contender<'a>>(plan: &'a Plan) -> Vec<u32> {
    let clock = Clock::new();
    let mut ticks = vec![0; plan.workload.timed()];
    let mut contender = built::<C>(plan);
    for (at, ticks) in (plan.workload.untimed..).zip(&mut ticks) {
        let start = clock.raw();
        contender.apply(at);
        *ticks = clock.raw().saturating_sub(start);
    }
    let mut each: Vec<u32> = ticks.iter().map(|ticks| in_ns(&clock, *ticks)).collect();
    each.sort_unstable();
    each
}

/// What two readings of the clock with nothing between them cost, in nanoseconds: the median.
pub(super) fn clock_ns() -> u32 {
    let clock = Clock::new();
    let mut each: Vec<u32> = (0..100_001)
        .map(|_| {
            let start = clock.raw();
            in_ns(&clock, clock.raw().saturating_sub(start))
        })
        .collect();
    each.sort_unstable();
    each[each.len() / 2]
}

fn in_ns(clock: &Clock, ticks: u64) -> u32 {
    u32::try_from(clock.delta_as_nanos(0, ticks)).unwrap_or(u32::MAX)
}

/// Counts the fills of the timed commands.
pub(super) fn count<'a, C: Contender<'a>>(plan: &'a Plan) -> Counted {
    let mut contender = built::<C>(plan);
    let mut tally = Tally::default();
    for at in plan.workload.untimed..plan.workload.records.len() {
        let before = tally.trades;
        contender.tally(at, &mut tally);
        tally.trading += u64::from(before < tally.trades);
    }
    Counted { tally, outcomes: contender.outcomes() }
}

fn built<'a, C: Contender<'a>>(plan: &'a Plan) -> C {
    let mut contender = C::new(plan);
    for at in 0..plan.workload.untimed {
        contender.apply(at);
    }
    contender
}

/// Private memory of the process when the tables are there, and resident memory when the books are
/// built, in bytes.
pub(super) fn memory_of<'a, C: Contender<'a>>(plan: &'a Plan) -> (u64, u64) {
    let mut contender = C::new(plan);
    let (data, _) = memory();
    for at in 0..plan.workload.untimed {
        contender.apply(at);
    }
    let (_, resident) = memory();
    (data, resident)
}
