//! Orders and price levels in one array: an order is two cells of 16 bytes, a level is one.
//!
//! A level is the sentinel of a circular, doubly linked list whose other members are its orders,
//! first in first out. Linking and unlinking are unconditional stores; a level is empty when its
//! neighbour is itself. Slots of displayed orders come first, then those of hidden orders, then
//! levels: each kind has free slots of its own, so that the references of displayed orders are what
//! they would be if no hidden order existed.
//!
//! Orders are named by slots, which count orders. Links within a queue, and the names of levels,
//! are *places*, which count cells, so that following one takes no arithmetic.
//!
//! Slots and places are not checked against the length of the table each time they are used, which
//! counted for a tenth of a command: only this module makes them, and [`Arena::find`] checks those
//! that come from outside.

#![expect(unsafe_code, reason = "indices the arena made itself are in range")]

mod free;
pub(crate) mod restore;
mod unit;

use zerocopy::{transmute_mut, transmute_ref};

use self::free::FreeList;
pub(crate) use self::unit::{Cell, Identity, Renewed, Traits, Unit};
use crate::{
    ahead::fetch,
    limits::GENERATION_MAX,
    table::filled,
    types::{OrderRef, Origin},
    user_refs::Key,
};

/// No unit.
pub(crate) const NONE: u32 = u32::MAX;

/// What is kept of an order beside its unit.
#[derive(Clone, Copy, Debug)]
struct Aside {
    entered_seq: u64,
    /// Taken away by self-trade prevention from the whole chain of replaces.
    decremented: u32,
    group: u16,
    channel: u8,
}

const _: () = assert!(size_of::<Aside>() == 16);

/// Place of an order.
#[inline]
const fn place(slot: u32) -> u32 {
    slot << 1
}

/// The memory of orders and levels: first orders, two cells each, then levels.
///
/// Invariant: every slot that the free lists hand out is below `orders_len`, every level below
/// twice the number of pairs; links and the tables of others hold no slot or place but those that
/// were handed out. `pairs` never changes its length.
#[derive(Debug)]
struct Cells {
    pairs: Vec<[Cell; 2]>,
    orders_len: u32,
}

impl Cells {
    fn new(orders_len: u32, levels_max: u32) -> Self {
        let free: [Cell; 2] = zerocopy::transmute!(Unit::FREE);
        let len = orders_len as usize + levels_max.div_ceil(2) as usize;
        Self { pairs: filled(free, len), orders_len }
    }

    /// The level, or the first half of the order.
    #[inline]
    fn cell(&self, place: u32) -> &Cell {
        debug_assert!((place as usize) < 2 * self.pairs.len(), "a place nobody handed out");
        // SAFETY: `place` was handed out, so by the invariant it is in the table.
        unsafe { self.pairs.as_flattened().get_unchecked(place as usize) }
    }

    #[inline]
    fn cell_mut(&mut self, place: u32) -> &mut Cell {
        debug_assert!((place as usize) < 2 * self.pairs.len(), "a place nobody handed out");
        // SAFETY: as in `cell`.
        unsafe { self.pairs.as_flattened_mut().get_unchecked_mut(place as usize) }
    }

    #[inline]
    fn unit(&self, slot: u32) -> &Unit {
        debug_assert!(slot < self.orders_len, "no slot of an order");
        // SAFETY: `slot` was handed out as that of an order, so it is below `orders_len`, which is
        // at most the number of pairs.
        let pair = unsafe { self.pairs.get_unchecked(slot as usize) };
        transmute_ref!(pair)
    }

    #[inline]
    fn unit_mut(&mut self, slot: u32) -> &mut Unit {
        debug_assert!(slot < self.orders_len, "no slot of an order");
        // SAFETY: as in `unit`.
        let pair = unsafe { self.pairs.get_unchecked_mut(slot as usize) };
        transmute_mut!(pair)
    }
}

/// All orders and levels of an engine, allocated at start.
///
/// Invariant: an order or a level is in exactly one of: a level's queue, a free list, the retired
/// list, or the hands of the command being worked on.
#[derive(Debug)]
pub(crate) struct Arena {
    cells: Cells,
    /// By slot of an order.
    asides: Vec<Aside>,
    displayed: FreeList,
    hidden: FreeList,
    levels: FreeList,
    /// Where the slots of hidden orders begin.
    hidden_start: u32,
    /// Where levels begin: a place.
    levels_start: u32,
    /// No place is as high.
    end: u32,
    /// Slots out of generations, linked through `next` until the next day.
    retired: u32,
}

impl Arena {
    pub(crate) fn new(displayed_max: u32, hidden_max: u32, levels_max: u32) -> Self {
        let (hidden_start, orders_len) = (displayed_max, displayed_max + hidden_max);
        let levels_start = place(orders_len);
        let end = levels_start + levels_max;
        let aside = Aside { entered_seq: 0, decremented: 0, group: 0, channel: 0 };
        Self {
            cells: Cells::new(orders_len, levels_max),
            asides: filled(aside, orders_len as usize),
            displayed: FreeList::of_slots(0, hidden_start),
            hidden: FreeList::of_slots(hidden_start, orders_len),
            levels: FreeList::of_levels(levels_start, end),
            hidden_start,
            levels_start,
            end,
            retired: NONE,
        }
    }

    /// The order at `slot`.
    #[inline]
    pub(crate) fn unit(&self, slot: u32) -> &Unit {
        self.cells.unit(slot)
    }

    #[inline]
    pub(crate) fn unit_mut(&mut self, slot: u32) -> &mut Unit {
        self.cells.unit_mut(slot)
    }

    #[inline]
    fn aside(&self, slot: u32) -> &Aside {
        debug_assert!(slot < self.cells.orders_len, "no slot of an order");
        // SAFETY: `slot` was handed out as that of an order, so it is below `orders_len`, which is
        // the length of `asides`.
        unsafe { self.asides.get_unchecked(slot as usize) }
    }

    #[inline]
    fn aside_mut(&mut self, slot: u32) -> &mut Aside {
        debug_assert!(slot < self.cells.orders_len, "no slot of an order");
        // SAFETY: as in `aside`.
        unsafe { self.asides.get_unchecked_mut(slot as usize) }
    }

    #[inline]
    pub(crate) fn level(&self, level: u32) -> &Cell {
        self.cells.cell(level)
    }

    /// Free slots for orders that are hidden, or for those that are not.
    pub(crate) const fn orders_free(&self, is_hidden: bool) -> u32 {
        if is_hidden { self.hidden.count } else { self.displayed.count }
    }

    pub(crate) const fn levels_free(&self) -> u32 {
        self.levels.count
    }

    /// Whether the slot is one of those for hidden orders.
    #[inline]
    pub(crate) const fn is_hidden(&self, slot: u32) -> bool {
        self.hidden_start <= slot
    }

    #[inline]
    pub(crate) fn order_ref(&self, origin: Origin, slot: u32) -> OrderRef {
        OrderRef::new(origin, self.unit(slot).generation(), slot)
    }

    /// Whether there is such a slot.
    #[inline]
    pub(crate) const fn is_order(&self, slot: u32) -> bool {
        slot < self.cells.orders_len
    }

    #[inline]
    pub(crate) const fn is_level(&self, place: u32) -> bool {
        self.levels_start <= place && place < self.end
    }

    /// The first order of a level.
    #[inline]
    pub(crate) fn first(&self, level: u32) -> u32 {
        self.cells.cell(level).next >> 1
    }

    /// Number of an order, if it is of channel 0.
    #[inline]
    pub(crate) fn plain_key(&self, slot: u32) -> Key {
        let unit = self.unit(slot);
        Key { port: unit.port(), channel: 0, user_ref_num: unit.user_ref_num }
    }

    /// Fetches the neighbours of an order, which may have left its queue meanwhile.
    #[inline]
    pub(crate) fn fetch_neighbours(&self, unit: &Unit) {
        for place in [unit.next, unit.prev] {
            self.fetch(place);
        }
    }

    /// Fetches the order or the level at a place that may be wanted soon, if it is one.
    #[inline]
    pub(crate) fn fetch(&self, place: u32) {
        if place < self.end {
            fetch(self.cells.cell(place));
        }
    }

    /// Fetches an order that may be wanted soon.
    #[inline]
    pub(crate) fn fetch_order(&self, slot: u32) {
        fetch(self.cells.unit(slot));
    }

    /// The slot of the live order with this public reference.
    pub(crate) fn find(&self, origin: Origin, order_ref: u64) -> Option<u32> {
        let slot = OrderRef::slot_of(order_ref);
        let is_live = self.is_order(slot) && 0 < self.unit(slot).open;
        (is_live && self.order_ref(origin, slot).raw() == order_ref).then_some(slot)
    }

    /// Takes a free order slot and begins its next life.
    #[inline]
    pub(crate) fn take_order(&mut self, is_hidden: bool, identity: Identity) -> Option<u32> {
        let list = if is_hidden { &mut self.hidden } else { &mut self.displayed };
        let slot = list.take(&self.cells)?;
        self.identify(slot, identity, 0);
        Some(slot)
    }

    #[inline]
    fn identify(&mut self, slot: u32, identity: Identity, decremented: u32) {
        let Identity { port, channel, group, seq } = identity;
        *self.aside_mut(slot) = Aside { entered_seq: seq, decremented, group, channel };
        let channeled = if channel == 0 { 0 } else { Unit::CHANNELED };
        self.unit_mut(slot).owner = port | channeled;
    }

    /// The slot the next displayed order will have, and which of its lives that will be. Nothing
    /// when there is none, or it was never used.
    #[inline]
    pub(crate) fn peek_displayed(&self) -> Option<(u32, u32)> {
        let slot = self.displayed.head;
        (slot != NONE).then(|| (slot, self.unit(slot).generation()))
    }

    /// Takes the slot that was just [peeked](Self::peek_displayed) at.
    #[inline]
    pub(crate) fn take_displayed(&mut self, slot: u32) {
        self.displayed.head = self.unit(slot).next;
        self.displayed.count -= 1;
    }

    /// Ends the life of a displayed order that is in no queue and has lives to come.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn free_displayed(&mut self, slot: u32) {
        let next = self.displayed.head;
        let unit = self.unit_mut(slot);
        unit.next = next;
        unit.open = 0;
        unit.generation += 1;
        self.displayed.head = slot;
        self.displayed.count += 1;
    }

    /// Writes a new order without anything unusual and appends it to the level's queue.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn link_plain(&mut self, level: u32, slot: u32, seq: u64, unit: Unit) {
        *self.aside_mut(slot) = Aside { entered_seq: seq, decremented: 0, group: 0, channel: 0 };
        self.link_whole(level, slot, unit);
    }

    /// Writes an order that is in no queue, in a slot that was taken for it.
    pub(crate) fn write_plain(&mut self, slot: u32, seq: u64, unit: Unit) {
        *self.aside_mut(slot) = Aside { entered_seq: seq, decremented: 0, group: 0, channel: 0 };
        *self.unit_mut(slot) = unit;
    }

    /// The same for an order that was replaced.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn link_again(&mut self, level: u32, slot: u32, seq: u64, unit: Unit) {
        let aside = self.aside_mut(slot);
        aside.entered_seq = seq;
        aside.group = 0;
        self.link_whole(level, slot, unit);
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn link_whole(&mut self, level: u32, slot: u32, unit: Unit) {
        let at = self.cells.cell_mut(level);
        let last = at.prev;
        at.prev = place(slot);
        self.cells.cell_mut(last).next = place(slot);
        *self.unit_mut(slot) = Unit { next: level, prev: last, ..unit };
    }

    /// Ends the life of an order that is in no queue.
    #[inline]
    pub(crate) fn free_order(&mut self, slot: u32) {
        let unit = self.unit_mut(slot);
        unit.open = 0;
        if self.bear(slot) {
            self.give_back(slot);
        } else {
            self.unit_mut(slot).next = self.retired;
            self.retired = slot;
        }
    }

    #[inline]
    fn give_back(&mut self, slot: u32) {
        let list = if self.is_hidden(slot) { &mut self.hidden } else { &mut self.displayed };
        list.give(&mut self.cells, slot);
    }

    /// Gives a replaced order its new reference: in its slot, or in another one when it changes
    /// between displayed and hidden or the slot's generations are used up for the day. Returns the
    /// slot, and what self-trade prevention took from the whole chain of replaces.
    ///
    /// The caller has made sure that [`Self::can_renew`].
    #[inline]
    pub(crate) fn renew_order(
        &mut self,
        slot: u32,
        is_hidden: bool,
        identity: Identity,
    ) -> (u32, u32) {
        let decremented = self.decremented(slot);
        let mut renewed = slot;
        if self.may_stay(slot, is_hidden) {
            self.unit_mut(slot).generation += 1;
        } else {
            renewed = self.swap_order(slot, is_hidden, identity);
        }
        self.identify(renewed, identity, decremented);
        (renewed, decremented)
    }

    #[cold]
    fn swap_order(&mut self, slot: u32, is_hidden: bool, identity: Identity) -> u32 {
        let taken = self.take_order(is_hidden, identity);
        assert!(taken.is_some(), "a replace went ahead without a slot");
        self.free_order(slot);
        taken.unwrap_or(slot)
    }

    /// Writes at `slot` what becomes of the order `old`.
    #[inline]
    pub(crate) fn rewrite(&mut self, slot: u32, old: &Unit, renewed: Renewed) {
        let Renewed { px, open, user_ref_num, time_in_force, display } = renewed;
        let unit = self.unit_mut(slot);
        unit.px = px;
        unit.open = open;
        unit.executed = old.executed;
        unit.user_ref_num = user_ref_num;
        unit.book = old.book;
        let kept = u32::from(old.traits()) & Unit::KEPT_TRAITS;
        let high = (time_in_force as u32) << 4 | (display as u32) << 6;
        unit.generation = unit.generation & GENERATION_MAX | (kept | high) << 24;
    }

    /// Whether a replaced order keeps its slot.
    #[inline]
    fn may_stay(&self, slot: u32, is_hidden: bool) -> bool {
        self.is_hidden(slot) == is_hidden && self.unit(slot).generation() < GENERATION_MAX
    }

    /// Whether [`Self::renew_order`] would find a slot.
    #[inline]
    pub(crate) fn can_renew(&self, slot: u32, is_hidden: bool) -> bool {
        self.may_stay(slot, is_hidden) || 0 < self.orders_free(is_hidden)
    }

    /// Counts the slot's generation up; `false` at its end.
    #[inline]
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
            self.retired = self.unit(slot).next;
            *self.unit_mut(slot) = Unit::FREE;
            self.give_back(slot);
        }
    }

    /// Makes an empty level that is named in `leaf`.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn take_level(&mut self, px: u32, leaf: u32) -> Option<u32> {
        let level = self.levels.take(&self.cells)?;
        *self.cells.cell_mut(level) = Cell { next: level, prev: level, px, leaf };
        Some(level)
    }

    /// Frees an empty level.
    #[inline]
    pub(crate) fn free_level(&mut self, level: u32) {
        debug_assert_eq!(self.level(level).next, level, "freeing a level with orders");
        self.levels.give(&mut self.cells, level);
    }

    /// Appends `slot` at the end of the level's queue.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn link_last(&mut self, level: u32, slot: u32) {
        let at = self.cells.cell_mut(level);
        let last = at.prev;
        at.prev = place(slot);
        self.cells.cell_mut(last).next = place(slot);
        let unit = self.unit_mut(slot);
        unit.next = level;
        unit.prev = last;
    }

    /// Takes `slot` out of its queue. Returns the level when that left it empty.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn unlink(&mut self, slot: u32) -> Option<u32> {
        let Unit { next, prev, .. } = *self.unit(slot);
        self.cells.cell_mut(prev).next = next;
        self.cells.cell_mut(next).prev = prev;
        // An order between one neighbour and itself was alone: that neighbour is the level.
        (next == prev).then_some(next)
    }

    /// Takes the first order out of the queue of `level`, where `next` follows. Whether that left
    /// it empty.
    #[inline]
    pub(crate) fn unlink_first(&mut self, level: u32, next: u32) -> bool {
        self.cells.cell_mut(level).next = next;
        self.cells.cell_mut(next).prev = level;
        next == level
    }

    /// The orders of a level, first in first out.
    pub(crate) fn queue(&self, level: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = self.level(level).next;
        core::iter::from_fn(move || {
            let slot = (at != level).then_some(at >> 1)?;
            at = self.unit(slot).next;
            Some(slot)
        })
    }

    /// Writes the slots of all live orders to `slots`, in the order in which they were entered.
    /// Visits every slot that was ever used: for days and epochs, not for requests.
    pub(crate) fn live_orders(&self, slots: &mut Vec<u32>) {
        slots.clear();
        let used = (0..self.displayed.fresh).chain(self.hidden_start..self.hidden.fresh);
        slots.extend(used.filter(|&slot| 0 < self.unit(slot).open));
        slots.sort_unstable_by_key(|&slot| self.entered_seq(slot));
    }

    /// Sequence number of the command that gave the order its place.
    pub(crate) fn entered_seq(&self, slot: u32) -> u64 {
        self.aside(slot).entered_seq
    }

    /// The series of numbers the order is of.
    #[inline]
    pub(crate) fn channel(&self, slot: u32) -> u8 {
        if self.unit(slot).owner & Unit::CHANNELED == 0 {
            return 0;
        }
        self.aside(slot).channel
    }

    /// The order's self-trade group; 0 for none.
    pub(crate) fn group(&self, slot: u32) -> u16 {
        self.aside(slot).group
    }

    /// What self-trade prevention took from the whole chain of replaces.
    #[inline]
    pub(crate) fn decremented(&self, slot: u32) -> u32 {
        self.aside(slot).decremented
    }

    /// Takes `qty` from the open quantity, for self-trade prevention.
    pub(crate) fn decrement(&mut self, slot: u32, qty: u32) {
        self.unit_mut(slot).open -= qty;
        self.aside_mut(slot).decremented += qty;
    }

    /// Feeds what decides future references to `each`: for displayed and then hidden orders the
    /// fresh slots, then the free ones in order of reuse with their generations, then the retired.
    pub(crate) fn describe_free(&self, mut each: impl FnMut(u32)) {
        each(self.displayed.fresh);
        each(self.hidden.fresh);
        for mut at in [self.displayed.head, self.hidden.head, self.retired] {
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
    use crate::{
        limits::GENERATION_MIN,
        types::{Action, Capacity, Display, TimeInForce},
    };

    const fn by(seq: u64) -> Identity {
        Identity { port: 1, channel: 0, group: 0, seq }
    }

    #[test]
    fn a_freed_slot_is_reused_first_and_under_a_new_reference() {
        let mut arena = Arena::new(4, 0, 1);
        let origin = Origin::new(0, 0);
        let first = arena.take_order(false, by(1)).unwrap();
        let before = arena.order_ref(origin, first);
        arena.free_order(first);
        assert_eq!(arena.take_order(false, by(2)), Some(first));
        assert_ne!(arena.order_ref(origin, first), before);
    }

    #[test]
    fn a_full_arena_hands_out_nothing() {
        let mut arena = Arena::new(2, 0, 1);
        assert_eq!(
            (arena.take_order(false, by(1)), arena.take_order(false, by(2))),
            (Some(0), Some(1))
        );
        assert_eq!(arena.take_order(false, by(3)), None);
        assert_eq!((arena.take_level(7, 0), arena.take_level(8, 0)), (Some(4), None));
    }

    #[test]
    fn a_slot_out_of_generations_rests_until_the_next_day() {
        let mut arena = Arena::new(1, 0, 1);
        let slot = arena.take_order(false, by(1)).unwrap();
        arena.unit_mut(slot).generation = GENERATION_MAX;
        arena.free_order(slot);
        assert_eq!(arena.take_order(false, by(2)), None);
        arena.begin_day();
        assert_eq!(arena.take_order(false, by(3)), Some(slot));
        assert_eq!(arena.unit(slot).generation(), GENERATION_MIN);
    }

    #[test]
    fn the_queue_is_first_in_first_out_and_tells_when_it_is_empty() {
        let mut arena = Arena::new(3, 0, 1);
        let level = arena.take_level(5, 0).unwrap();
        let slots: Vec<u32> = (0..3).map(|seq| arena.take_order(false, by(seq)).unwrap()).collect();
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
        unit.set_traits(Traits {
            action: Action::SellShortExempt,
            capacity: Capacity::Other,
            time_in_force: TimeInForce::GoodTillCancel,
            display: Display::Attributable,
        });
        assert_eq!(unit.generation(), 77);
        assert_eq!(unit.action(), Action::SellShortExempt);
        assert_eq!(unit.capacity(), Capacity::Other);
        assert_eq!(unit.time_in_force(), TimeInForce::GoodTillCancel);
        assert_eq!(unit.display(), Display::Attributable);
    }

    #[test]
    fn displayed_references_are_the_same_with_and_without_hidden_orders() {
        let origin = Origin::new(0, 0);
        let references = |with_hidden: bool| {
            let mut arena = Arena::new(4, 4, 1);
            let mut references = Vec::new();
            for seq in 0..20 {
                if with_hidden {
                    let hidden = arena.take_order(true, by(seq)).unwrap();
                    arena.free_order(hidden);
                }
                let slot = arena.take_order(false, by(seq)).unwrap();
                references.push(arena.order_ref(origin, slot));
                if seq % 3 != 0 || seq == 9 {
                    arena.free_order(slot);
                }
                if arena.orders_free(false) == 1 {
                    arena.free_order(0);
                }
            }
            references
        };
        assert_eq!(references(true), references(false));
    }

    #[test]
    fn a_reference_finds_its_order_while_that_lives_and_never_another() {
        let origin = Origin::new(0, 3);
        let mut arena = Arena::new(2, 1, 1);
        let slot = arena.take_order(false, by(1)).unwrap();
        arena.unit_mut(slot).open = 5;
        let reference = arena.order_ref(origin, slot).raw();
        assert_eq!(arena.find(origin, reference), Some(slot));
        assert_eq!(arena.find(Origin::new(0, 4), reference), None);
        assert_eq!(arena.find(origin, reference + 1), None, "a free slot");
        assert_eq!(arena.find(origin, reference + 3), None, "a level");
        assert_eq!(arena.find(origin, u64::MAX), None);
        arena.free_order(slot);
        assert_eq!(arena.find(origin, reference), None);
    }
}
