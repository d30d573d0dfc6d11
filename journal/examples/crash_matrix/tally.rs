//! What was counted.

use std::fmt;

/// Failures that are printed; the others are only counted.
const SHOWN: usize = 10;

/// Images, and what was wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    images: u64,
    wrong: u64,
    lost: u64,
    refused: u64,
    failures: Vec<String>,
}

/// What may be wrong with an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Wrong,
    Lost,
    Refused,
}

impl Tally {
    /// One more image.
    pub(crate) fn image(&mut self) {
        self.images += 1;
    }

    pub(crate) fn fault(&mut self, fault: Fault, told: impl fmt::Display) {
        let count = match fault {
            Fault::Wrong => &mut self.wrong,
            Fault::Lost => &mut self.lost,
            Fault::Refused => &mut self.refused,
        };
        *count += 1;
        if self.failures.len() < SHOWN {
            self.failures.push(format!("{fault:?}: {told}"));
        }
    }

    pub(crate) fn plus(mut self, other: Self) -> Self {
        self.images += other.images;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.refused += other.refused;
        self.failures.extend(other.failures);
        self
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.wrong + self.lost + self.refused == 0
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, wrong, lost, refused, .. } = self;
        write!(f, "{images:>10}{wrong:>8}{lost:>8}{refused:>9}")
    }
}
