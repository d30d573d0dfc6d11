//! The engine alone, one pass at a time: for profilers, and to count what a pass costs.

use std::ops::Range;

use super::{contest::Contender, engine::Uncross, plan::Plan};

/// The engine before or after some commands of a workload.
#[derive(Debug)]
pub struct Alone<'a> {
    uncross: Uncross<'a>,
    plan: &'a Plan,
}

impl<'a> Alone<'a> {
    /// Allocates all tables and builds the books with the untimed commands. It looks ahead at those
    /// that wait, or does not.
    #[must_use]
    pub fn built(plan: &'a Plan, looks_ahead: bool) -> Self {
        let mut uncross = Uncross::new(plan);
        uncross.looks_ahead = looks_ahead;
        for at in 0..plan.workload.untimed {
            uncross.apply(at);
        }
        Self { uncross, plan }
    }

    /// Carries out some of the timed commands, which are counted from 0; all of them in order, each
    /// once. Returns how many outcomes there were.
    #[inline(never)]
    pub fn run(&mut self, commands: Range<usize>) -> u64 {
        let before = self.uncross.outcomes();
        for at in commands {
            self.uncross.apply(self.plan.workload.untimed + at);
        }
        self.uncross.outcomes() - before
    }
}
