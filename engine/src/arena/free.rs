//! Which slots and levels are free.

use super::{Cells, NONE};

/// A stack of free slots or levels: those never used count up, those given back are linked through
/// `next`.
#[derive(Debug)]
pub(super) struct FreeList {
    pub(super) head: u32,
    /// First one that was never used.
    pub(super) fresh: u32,
    end: u32,
    pub(super) count: u32,
    /// What is shifted by so much is a place.
    shift: u32,
}

impl FreeList {
    pub(super) const fn of_slots(start: u32, end: u32) -> Self {
        Self { head: NONE, fresh: start, end, count: end - start, shift: 1 }
    }

    pub(super) const fn of_levels(start: u32, end: u32) -> Self {
        Self { head: NONE, fresh: start, end, count: end - start, shift: 0 }
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(super) fn take(&mut self, cells: &Cells) -> Option<u32> {
        let slot = if self.head != NONE {
            let slot = self.head;
            self.head = cells.cell(slot << self.shift).next;
            slot
        } else if self.fresh < self.end {
            self.fresh += 1;
            self.fresh - 1
        } else {
            return None;
        };
        self.count -= 1;
        Some(slot)
    }

    #[inline]
    pub(super) fn give(&mut self, cells: &mut Cells, slot: u32) {
        cells.cell_mut(slot << self.shift).next = self.head;
        self.head = slot;
        self.count += 1;
    }
}
