//! Orders and price levels in one array of 32-byte units.
//!
//! A level is the sentinel of a circular, doubly linked list whose other members are its orders,
//! first in first out. Linking and unlinking are unconditional stores; a level is empty when its
//! neighbour is itself. Order slots come first, level slots behind them.

use crate::{
    limits::GENERATION_MAX,
    types::{Action, Capacity, OrderRef, Origin, TimeInForce},
};

/// No unit.
pub(crate) const NONE: u32 = u32::MAX;

/// An order, or (`next`, `prev` and `px` only) a level.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Unit {
    /// Next in the queue; of a level its first order; of a free unit the next free one.
    pub(crate) next: u32,
    /// Previous in the queue; of a level its last order.
    pub(crate) prev: u32,
    /// Price.
    pub(crate) px: u32,
    /// Quantity still open; 0 in a free unit.
    pub(crate) open: u32,
    /// Executed so far by the whole chain of replaces.
    pub(crate) executed: u32,
    /// The client's number.
    pub(crate) user_ref_num: u32,
    /// Lives of this slot today; the upper byte holds [`Unit::traits`].
    generation: u32,
    /// The owner's port.
    pub(crate) port: u16,
    /// Position of the instrument in the engine's table.
    pub(crate) book: u16,
}

const _: () = assert!(size_of::<Unit>() == 32);

impl Unit {
    const FREE: Self = Self {
        next: NONE,
        prev: NONE,
        px: 0,
        open: 0,
        executed: 0,
        user_ref_num: 0,
        generation: 0,
        port: 0,
        book: 0,
    };

    pub(crate) const fn generation(&self) -> u32 {
        self.generation & GENERATION_MAX
    }

    const fn traits(&self) -> u8 {
        self.generation.to_le_bytes()[3]
    }

    pub(crate) const fn action(&self) -> Action {
        Action::from_code(self.traits())
    }

    pub(crate) const fn capacity(&self) -> Capacity {
        Capacity::from_code(self.traits() >> 2)
    }

    pub(crate) const fn time_in_force(&self) -> TimeInForce {
        TimeInForce::from_code(self.traits() >> 4)
    }

    pub(crate) const fn set_traits(
        &mut self,
        action: Action,
        capacity: Capacity,
        time_in_force: TimeInForce,
    ) {
        let traits = action as u32 | (capacity as u32) << 2 | (time_in_force as u32) << 4;
        self.generation = self.generation & GENERATION_MAX | traits << 24;
    }
}

/// A stack of free slots: those never used count up, those given back are linked through `next`.
#[derive(Debug)]
struct FreeList {
    head: u32,
    /// First slot that was never used.
    fresh: u32,
    end: u32,
    count: u32,
}

impl FreeList {
    const fn new(start: u32, end: u32) -> Self {
        Self { head: NONE, fresh: start, end, count: end - start }
    }

    fn take(&mut self, units: &[Unit]) -> Option<u32> {
        let slot = if self.head != NONE {
            let slot = self.head;
            self.head = units[slot as usize].next;
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

    fn give(&mut self, units: &mut [Unit], slot: u32) {
        units[slot as usize].next = self.head;
        self.head = slot;
        self.count += 1;
    }
}

/// All orders and levels of an engine, allocated at start.
///
/// Invariant: a unit is in exactly one of: a level's queue, a free list, the retired list, or the
/// hands of the command being worked on.
#[derive(Debug)]
pub(crate) struct Arena {
    units: Vec<Unit>,
    /// Sequence number of the command that gave the order its place, by slot.
    entered_seq: Vec<u64>,
    orders: FreeList,
    levels: FreeList,
    orders_max: u32,
    /// Slots out of generations, linked through `next` until the next day.
    retired: u32,
}

impl Arena {
    pub(crate) fn new(orders_max: u32, levels_max: u32) -> Self {
        let end = orders_max + levels_max;
        Self {
            units: vec![Unit::FREE; end as usize],
            entered_seq: vec![0; orders_max as usize],
            orders: FreeList::new(0, orders_max),
            levels: FreeList::new(orders_max, end),
            orders_max,
            retired: NONE,
        }
    }

    #[inline]
    pub(crate) fn unit(&self, index: u32) -> &Unit {
        &self.units[index as usize]
    }

    #[inline]
    pub(crate) fn unit_mut(&mut self, index: u32) -> &mut Unit {
        &mut self.units[index as usize]
    }

    pub(crate) const fn orders_free(&self) -> u32 {
        self.orders.count
    }

    pub(crate) const fn levels_free(&self) -> u32 {
        self.levels.count
    }

    pub(crate) fn order_ref(&self, origin: Origin, slot: u32) -> OrderRef {
        OrderRef::new(origin, self.unit(slot).generation(), slot)
    }

    /// Takes a free order slot and begins its next life.
    pub(crate) fn take_order(&mut self, seq: u64) -> Option<u32> {
        let slot = self.orders.take(&self.units)?;
        self.entered_seq[slot as usize] = seq;
        Some(slot)
    }

    /// Ends the life of an order that is in no queue.
    pub(crate) fn free_order(&mut self, slot: u32) {
        let unit = self.unit_mut(slot);
        unit.open = 0;
        if self.bear(slot) {
            self.orders.give(&mut self.units, slot);
        } else {
            self.units[slot as usize].next = self.retired;
            self.retired = slot;
        }
    }

    /// Gives the slot of a replaced order a new reference, where it has one left.
    ///
    /// `false` when the slot's generations are used up for the day.
    pub(crate) fn renew_order(&mut self, slot: u32, seq: u64) -> bool {
        self.entered_seq[slot as usize] = seq;
        self.bear(slot)
    }

    /// Counts the slot's generation up; `false` at its end.
    fn bear(&mut self, slot: u32) -> bool {
        let unit = self.unit_mut(slot);
        let more = unit.generation() < GENERATION_MAX;
        if more {
            unit.generation += 1;
        }
        more
    }

    /// Returns the slots that ran out of generations; a new day tells references apart again.
    pub(crate) fn begin_day(&mut self) {
        while self.retired != NONE {
            let slot = self.retired;
            self.retired = self.units[slot as usize].next;
            self.units[slot as usize] = Unit::FREE;
            self.orders.give(&mut self.units, slot);
        }
    }

    /// Makes an empty level.
    pub(crate) fn take_level(&mut self, px: u32) -> Option<u32> {
        let level = self.levels.take(&self.units)?;
        self.units[level as usize] = Unit { next: level, prev: level, px, ..Unit::FREE };
        Some(level)
    }

    /// Frees an empty level.
    pub(crate) fn free_level(&mut self, level: u32) {
        debug_assert_eq!(self.unit(level).next, level, "freeing a level with orders");
        self.levels.give(&mut self.units, level);
    }

    /// Appends `slot` at the end of the level's queue.
    #[inline]
    pub(crate) fn link_last(&mut self, level: u32, slot: u32) {
        let last = self.unit(level).prev;
        let unit = self.unit_mut(slot);
        unit.next = level;
        unit.prev = last;
        self.unit_mut(last).next = slot;
        self.unit_mut(level).prev = slot;
    }

    /// Takes `slot` out of its queue. Returns the level when that left it empty.
    #[inline]
    pub(crate) fn unlink(&mut self, slot: u32) -> Option<u32> {
        let Unit { next, prev, .. } = *self.unit(slot);
        self.unit_mut(prev).next = next;
        self.unit_mut(next).prev = prev;
        (next == prev && self.orders_max <= next).then_some(next)
    }

    /// The orders of a level, first in first out.
    pub(crate) fn queue(&self, level: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.unit(level).next;
        core::iter::from_fn(move || {
            let slot = (at != level).then_some(at)?;
            at = self.unit(slot).next;
            Some(slot)
        })
    }

    /// Writes the slots of all live orders to `slots`, in the order in which they were entered.
    pub(crate) fn live_orders(&self, slots: &mut Vec<u32>) {
        slots.clear();
        slots.extend((0..self.orders.fresh).filter(|&slot| 0 < self.unit(slot).open));
        slots.sort_unstable_by_key(|&slot| self.entered_seq[slot as usize]);
    }

    /// Sequence number of the command that gave the order its place.
    pub(crate) fn entered_seq(&self, slot: u32) -> u64 {
        self.entered_seq[slot as usize]
    }

    /// Feeds what decides future references to `each`: fresh slots, then free ones in order of
    /// reuse with their generations, then the retired ones.
    pub(crate) fn describe_free(&self, mut each: impl FnMut(u32)) {
        each(self.orders.fresh);
        for mut at in [self.orders.head, self.retired] {
            while at != NONE {
                each(at);
                each(self.unit(at).generation());
                at = self.unit(at).next;
            }
            each(NONE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_reused_first_and_under_a_new_reference() {
        let mut arena = Arena::new(4, 1);
        let origin = Origin::new(0, 0);
        let first = arena.take_order(1).unwrap();
        let before = arena.order_ref(origin, first);
        arena.free_order(first);
        assert_eq!(arena.take_order(2), Some(first));
        assert_ne!(arena.order_ref(origin, first), before);
    }

    #[test]
    fn a_full_arena_hands_out_nothing() {
        let mut arena = Arena::new(2, 1);
        assert_eq!((arena.take_order(1), arena.take_order(2)), (Some(0), Some(1)));
        assert_eq!(arena.take_order(3), None);
        assert_eq!((arena.take_level(7), arena.take_level(8)), (Some(2), None));
    }

    #[test]
    fn a_slot_out_of_generations_rests_until_the_next_day() {
        let mut arena = Arena::new(1, 1);
        let slot = arena.take_order(1).unwrap();
        arena.unit_mut(slot).generation = GENERATION_MAX;
        arena.free_order(slot);
        assert_eq!(arena.take_order(2), None);
        arena.begin_day();
        assert_eq!(arena.take_order(3), Some(slot));
        assert_eq!(arena.unit(slot).generation(), 0);
    }

    #[test]
    fn the_queue_is_first_in_first_out_and_tells_when_it_is_empty() {
        let mut arena = Arena::new(3, 1);
        let level = arena.take_level(5).unwrap();
        let slots: Vec<u32> = (0..3).map(|seq| arena.take_order(seq).unwrap()).collect();
        for &slot in &slots {
            arena.link_last(level, slot);
        }
        assert_eq!(arena.queue(level).collect::<Vec<_>>(), slots);
        assert_eq!(arena.unlink(slots[1]), None);
        assert_eq!(arena.unlink(slots[0]), None);
        assert_eq!(arena.unlink(slots[2]), Some(level));
    }

    #[test]
    fn traits_leave_the_generation_alone() {
        let mut unit = Unit::FREE;
        unit.generation = 77;
        unit.set_traits(Action::SellShortExempt, Capacity::Other, TimeInForce::ImmediateOrCancel);
        assert_eq!(unit.generation(), 77);
        assert_eq!(unit.action(), Action::SellShortExempt);
        assert_eq!(unit.capacity(), Capacity::Other);
        assert_eq!(unit.time_in_force(), TimeInForce::ImmediateOrCancel);
    }
}
