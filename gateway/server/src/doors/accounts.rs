//! What the connections of one firm together may take of a turn.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Frames served in a round, by firm. Grows with the firms that log in, not with messages.
#[derive(Debug)]
pub(super) struct Accounts {
    numbers: HashMap<[u8; 4], usize, RandomState>,
    /// By number: the round in which it was last served, and how many frames.
    spent: Vec<(u64, usize)>,
    round: u64,
    frames_max: usize,
}

impl Accounts {
    /// At most `frames_max` frames of one firm in a round in which others wait.
    pub(super) fn new(frames_max: usize) -> Self {
        Self { numbers: HashMap::default(), spent: vec![(0, 0)], round: 0, frames_max }
    }

    /// Number of a firm, above 0.
    pub(super) fn number(&mut self, firm: [u8; 4]) -> usize {
        *self.numbers.entry(firm).or_insert_with(|| {
            self.spent.push((0, 0));
            self.spent.len() - 1
        })
    }

    pub(super) const fn begin_round(&mut self) {
        self.round += 1;
    }

    /// Frames it may still have served in this round. What has not logged in has no account.
    pub(super) fn left(&self, account: usize) -> usize {
        let (round, frames) = self.spent[account];
        if account == 0 || round != self.round {
            return self.frames_max;
        }
        self.frames_max.saturating_sub(frames)
    }

    pub(super) fn spend(&mut self, account: usize, frames: usize) {
        let spent = &mut self.spent[account];
        if spent.0 != self.round {
            *spent = (self.round, 0);
        }
        spent.1 += frames;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firm_has_its_share_of_each_round_and_no_more() {
        let mut accounts = Accounts::new(32);
        let (one, two) = (accounts.number(*b"ONE "), accounts.number(*b"TWO "));
        assert_ne!(one, two);
        assert_eq!(accounts.number(*b"ONE "), one);
        for _ in 0..3 {
            accounts.begin_round();
            accounts.spend(one, 8);
            assert_eq!((accounts.left(one), accounts.left(two)), (24, 32));
            accounts.spend(one, 40);
            assert_eq!((accounts.left(one), accounts.left(two)), (0, 32));
        }
        accounts.spend(0, 100);
        assert_eq!(accounts.left(0), 32, "strangers share nothing");
    }
}
