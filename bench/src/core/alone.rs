//! The engine alone, one pass at a time: for profilers, and to count what a pass costs.

use super::{contest::Contender, engine::Uncross, plan::Plan};

/// The engine before or after some commands of a workload.
#[derive(Debug)]
pub struct Alone<'a> {
    uncross: Uncross<'a>,
    plan: &'a Plan,
}

impl<'a> Alone<'a> {
    /// Allocates all tables and builds the books with the untimed commands.
    #[must_use]
    pub fn built(plan: &'a Plan) -> Self {
        let mut uncross = Uncross::new(plan);
        for at in 0..plan.workload.untimed {
            uncross.apply(at);
        }
        Self { uncross, plan }
    }

    /// Carries out the timed commands. Returns how many outcomes there were.
    #[inline(never)]
    pub fn run(&mut self) -> u64 {
        let before = self.uncross.outcomes();
        for at in self.plan.workload.untimed..self.plan.workload.records.len() {
            self.uncross.apply(at);
        }
        self.uncross.outcomes() - before
    }
}
