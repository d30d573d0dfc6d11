//! Events between the core and egress: a bounded queue of 64-byte slots.
//!
//! When it has no room for a whole step, the core pauses.

use uncross_engine::{
    event::{Event, Sink},
    limits::STEP_EVENTS_MAX,
};

/// The queue. Invariant: `tail - head <= slots.len()`, a power of two.
#[derive(Debug)]
pub(crate) struct Outbound {
    slots: Box<[Event]>,
    head: usize,
    tail: usize,
}

impl Outbound {
    pub(crate) fn new(events: usize) -> Self {
        let len = events.next_power_of_two().max(STEP_EVENTS_MAX);
        Self { slots: vec![Event::EMPTY; len].into(), head: 0, tail: 0 }
    }

    /// Whether the next step fits, whatever it writes.
    pub(crate) fn has_room(&self) -> bool {
        self.tail - self.head + STEP_EVENTS_MAX <= self.slots.len()
    }

    const fn slot(&self, position: usize) -> usize {
        position & (self.slots.len() - 1)
    }

    /// Takes the oldest event.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        if self.head == self.tail {
            return None;
        }
        let event = self.slots[self.slot(self.head)];
        self.head += 1;
        Some(event)
    }
}

impl Sink for Outbound {
    #[inline]
    fn push(&mut self, event: Event) {
        let slot = self.slot(self.tail);
        assert!(self.tail - self.head < self.slots.len(), "a step began without room");
        self.slots[slot] = event;
        self.tail += 1;
    }
}
