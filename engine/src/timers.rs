//! Orders that expire: a heap by expiry and entry, from which any order can be taken out.

use crate::{
    arena::NONE,
    table::{empty, filled},
};

/// One timer for each order slot, allocated at start.
///
/// The caller tells when an order was entered, which decides between timers due together.
///
/// Invariant: `heap[places[slot]] == slot` for every running timer, and no timer in the heap is due
/// before its parent.
#[derive(Debug)]
pub(crate) struct Timers {
    /// By slot: when its timer is due.
    due_ns: Vec<u64>,
    /// By slot: position in the heap, [`NONE`] while the timer is not running.
    places: Vec<u32>,
    heap: Vec<u32>,
}

impl Timers {
    pub(crate) fn new(orders_max: u32) -> Self {
        let len = orders_max as usize;
        Self { due_ns: filled(0, len), places: filled(NONE, len), heap: empty(NONE, len) }
    }

    /// Says when the order at `slot` expires, should it come to rest.
    pub(crate) fn set(&mut self, slot: u32, due_ns: u64) {
        debug_assert_eq!(self.places[slot as usize], NONE, "setting a running timer");
        self.due_ns[slot as usize] = due_ns;
    }

    /// When the order at `slot` expires, if its timer runs.
    pub(crate) fn due_ns(&self, slot: u32) -> Option<u64> {
        (self.places[slot as usize] != NONE).then(|| self.due_ns[slot as usize])
    }

    /// The next order to expire, and when.
    #[inline]
    pub(crate) fn next(&self) -> Option<(u64, u32)> {
        let &slot = self.heap.first()?;
        Some((self.due_ns[slot as usize], slot))
    }

    /// Starts the timer that was set for `slot`.
    pub(crate) fn start(&mut self, slot: u32, entered_seq: impl Fn(u32) -> u64) {
        let place = self.heap.len();
        self.heap.push(slot);
        self.rise(place, &entered_seq);
    }

    /// Stops the timer of `slot`, if it runs.
    #[inline]
    pub(crate) fn stop(&mut self, slot: u32, entered_seq: impl Fn(u32) -> u64) {
        if self.places[slot as usize] != NONE {
            self.take_out(slot, &entered_seq);
        }
    }

    fn take_out(&mut self, slot: u32, entered_seq: &impl Fn(u32) -> u64) {
        let place = self.places[slot as usize] as usize;
        self.places[slot as usize] = NONE;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            let place = self.rise(place, entered_seq);
            self.sink(place, entered_seq);
        }
    }

    fn is_before(&self, a: u32, b: u32, entered_seq: &impl Fn(u32) -> u64) -> bool {
        let key = |slot: u32| (self.due_ns[slot as usize], entered_seq(slot));
        key(a) < key(b)
    }

    fn put(&mut self, place: usize, slot: u32) {
        self.heap[place] = slot;
        self.places[slot as usize] = u32::try_from(place).unwrap_or(NONE);
    }

    /// Moves the timer at `place` toward the front; returns where it ends.
    fn rise(&mut self, mut place: usize, entered_seq: &impl Fn(u32) -> u64) -> usize {
        let slot = self.heap[place];
        while 0 < place {
            let parent = (place - 1) / 2;
            if !self.is_before(slot, self.heap[parent], entered_seq) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, slot);
        place
    }

    /// Moves the timer at `place` toward the end.
    fn sink(&mut self, mut place: usize, entered_seq: &impl Fn(u32) -> u64) {
        let slot = self.heap[place];
        loop {
            let left = 2 * place + 1;
            let Some(&first) = self.heap.get(left) else { break };
            let (mut child, mut earlier) = (left, first);
            if let Some(&second) = self.heap.get(left + 1)
                && self.is_before(second, first, entered_seq)
            {
                (child, earlier) = (left + 1, second);
            }
            if !self.is_before(earlier, slot, entered_seq) {
                break;
            }
            self.put(place, earlier);
            place = child;
        }
        self.put(place, slot);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_heap_agrees_with_an_ordered_set() {
        const SLOTS: u32 = 200;
        let mut timers = Timers::new(SLOTS);
        let mut model = BTreeSet::new();
        let mut entered = vec![0; SLOTS as usize];
        let mut state = 7_u64;
        for seq in 0..50_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = u32::try_from(state >> 33).unwrap();
            let slot = random % SLOTS;
            if let Some(due_ns) = timers.due_ns(slot) {
                timers.stop(slot, |slot| entered[slot as usize]);
                model.retain(|&(due, _, other)| (due, other) != (due_ns, slot));
            } else {
                let due_ns = u64::from(random / SLOTS % 50);
                entered[slot as usize] = seq;
                timers.set(slot, due_ns);
                timers.start(slot, |slot| entered[slot as usize]);
                model.insert((due_ns, seq, slot));
            }
            let first = model.first().map(|&(due_ns, _, slot)| (due_ns, slot));
            assert_eq!(timers.next(), first, "seq {seq}");
        }
    }

    #[test]
    fn a_timer_that_was_only_set_does_not_run() {
        let mut timers = Timers::new(1);
        timers.set(0, 5);
        assert_eq!((timers.next(), timers.due_ns(0)), (None, None));
        timers.stop(0, |_| 0);
        timers.start(0, |_| 0);
        assert_eq!(timers.next(), Some((5, 0)));
    }
}
