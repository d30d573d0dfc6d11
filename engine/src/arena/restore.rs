//! The arena taken down and set up again, slot for slot.

use super::{Arena, FreeList, Identity, NONE, Unit};
use crate::limits::GENERATION_MAX;

/// Slots of one kind of order that are not in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Free {
    /// Those from here on were never used.
    pub(crate) fresh: u32,
    /// Those given back with the generation of their next life, in the order in which they are used
    /// again.
    pub(crate) slots: Vec<[u32; 2]>,
}

impl Arena {
    /// The free slots for hidden orders, or for those that are not.
    pub(crate) fn free(&self, is_hidden: bool) -> Free {
        let list = if is_hidden { &self.hidden } else { &self.displayed };
        let slots = self.linked(list.head).map(|slot| [slot, self.unit(slot).generation()]);
        Free { fresh: list.fresh, slots: slots.collect() }
    }

    /// The slots that rest until the next day, in the order in which that gives them back.
    pub(crate) fn retired(&self) -> Vec<u32> {
        self.linked(self.retired).collect()
    }

    fn linked(&self, mut at: u32) -> impl Iterator<Item = u32> + '_ {
        core::iter::from_fn(move || {
            let slot = (at != NONE).then_some(at)?;
            at = self.unit(slot).next;
            Some(slot)
        })
    }

    /// The first slot of one kind that was never used.
    pub(crate) const fn free_from(&self, is_hidden: bool) -> u32 {
        if is_hidden { self.hidden.fresh } else { self.displayed.fresh }
    }

    /// The slots that orders of one kind may have.
    pub(crate) const fn slots(&self, is_hidden: bool) -> core::ops::Range<u32> {
        if is_hidden { self.hidden_start..self.cells.orders_len } else { 0..self.hidden_start }
    }

    /// Makes `free` and `retired` the slots that are not in use; of a new arena.
    ///
    /// The caller has made sure that each is a slot of its kind, below `fresh`, and named once, and
    /// that those in use are exactly the others below `fresh`.
    pub(crate) fn restore_free(&mut self, is_hidden: bool, free: &Free, retired: &[u32]) {
        let range = self.slots(is_hidden);
        let mut list = FreeList::of_slots(range.start, range.end);
        list.count = range.end - free.fresh;
        list.fresh = free.fresh;
        for &[slot, generation] in free.slots.iter().rev() {
            self.unit_mut(slot).generation = generation;
            list.give(&mut self.cells, slot);
        }
        *(if is_hidden { &mut self.hidden } else { &mut self.displayed }) = list;
        for &slot in retired.iter().rev() {
            self.unit_mut(slot).generation = GENERATION_MAX;
            self.unit_mut(slot).next = self.retired;
            self.retired = slot;
        }
    }

    /// Writes an order into its slot; it is in no queue yet.
    pub(crate) fn restore_order(
        &mut self,
        slot: u32,
        identity: Identity,
        decremented: u32,
        unit: Unit,
    ) {
        *self.unit_mut(slot) = unit;
        self.identify(slot, identity, decremented);
    }
}
