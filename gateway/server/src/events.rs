//! The ring of events between the core and the publisher.
//!
//! One producer, one consumer, slots of one cache line. The engine writes each event in its slot,
//! where it stays until the consumer has released it: nothing is copied. Unlike a queue's, this
//! producer may read what it wrote last, because the output hash is taken from there too.

#![expect(unsafe_code, reason = "two threads share the slots, each those that are its own")]

use std::{
    cell::UnsafeCell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam::utils::CachePadded;
use uncross_engine::event::{Event, Sink};

/// A slot, alone on its cache line.
#[repr(C, align(64))]
struct Slot(UnsafeCell<Event>);

const _: () = assert!(size_of::<Slot>() == size_of::<Event>(), "slots lie side by side");

/// What both ends share. Positions count events from the first; the slot of a position is that
/// modulo the length, a power of two. Invariant: `taken <= published <= taken + len`.
struct Shared {
    slots: Box<[Slot]>,
    /// Events that the consumer may read. Moved by the producer.
    published: CachePadded<AtomicU64>,
    /// Events that the consumer has released. Moved by the consumer.
    taken: CachePadded<AtomicU64>,
}

// SAFETY: a slot is written by the producer alone, while its position is not published and the
// event that it held before is released; whoever else reads it has seen the one or the other by an
// acquiring load of what a releasing store moved.
unsafe impl Sync for Shared {}

impl Shared {
    fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    fn slot(&self, position: u64) -> usize {
        usize::try_from(position & (self.len() - 1)).unwrap_or(usize::MAX)
    }

    /// The events from `from` to before `to`, in two parts where they go over the end.
    ///
    /// # Safety
    ///
    /// Nobody writes to them as long as they are borrowed, and there are no more than slots.
    unsafe fn events(&self, from: u64, to: u64) -> (&[Event], &[Event]) {
        let (start, count) = (self.slot(from), usize::try_from(to - from).unwrap_or(usize::MAX));
        let front = count.min(self.slots.len() - start);
        // SAFETY: as this function's.
        let first = unsafe { events(&self.slots[start..start + front]) };
        // SAFETY: as this function's.
        let second = unsafe { events(&self.slots[..count - front]) };
        (first, second)
    }
}

/// Slots as what they hold.
///
/// # Safety
///
/// Nobody writes to them as long as the events are borrowed.
const unsafe fn events(slots: &[Slot]) -> &[Event] {
    // SAFETY: a slot is an event, and nothing else, as asserted above; all are initialised.
    unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), slots.len()) }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slots, published, taken } = self;
        let mut shown = f.debug_struct("Events");
        shown.field("slots", &slots.len()).field("published", published).field("taken", taken);
        shown.finish_non_exhaustive()
    }
}

/// Makes a ring of at least `slots` slots.
#[must_use]
pub fn ring(slots: usize) -> (Producer, Consumer) {
    let slots = slots.next_power_of_two();
    let shared = Arc::new(Shared {
        slots: (0..slots).map(|_| Slot(UnsafeCell::new(Event::EMPTY))).collect(),
        published: CachePadded::default(),
        taken: CachePadded::default(),
    });
    let producer = Producer { shared: Arc::clone(&shared), written: 0, published: 0, taken: 0 };
    (producer, Consumer { shared, taken: 0 })
}

/// The end that writes.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    written: u64,
    /// As it is in `shared`.
    published: u64,
    /// As it was seen there last.
    taken: u64,
}

/// The end that reads.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    /// As it is in `shared`.
    taken: u64,
}

impl Producer {
    /// Whether there are `count` free slots.
    #[inline]
    pub fn has_room(&mut self, count: usize) -> bool {
        let is_there = |taken| self.written + count as u64 <= taken + self.shared.len();
        if is_there(self.taken) {
            return true;
        }
        // Acquire: what the consumer read of the slots, it has read.
        self.taken = self.shared.taken.load(Ordering::Acquire);
        is_there(self.taken)
    }

    /// How many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }

    /// Events written so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The events from position `from` on, in the order in which they were written.
    ///
    /// # Panics
    ///
    /// When they are more than there are slots.
    #[must_use]
    pub fn since(&self, from: u64) -> (&[Event], &[Event]) {
        assert!(self.written - from <= self.shared.len(), "some were overwritten");
        // SAFETY: only this end writes, and not while it is borrowed.
        unsafe { self.shared.events(from, self.written) }
    }

    /// Shows the consumer all that was written.
    #[inline]
    pub fn publish(&mut self) {
        if self.published != self.written {
            self.published = self.written;
            // Release: who sees the position sees what is in the slots before it.
            self.shared.published.store(self.written, Ordering::Release);
        }
    }
}

/// Writing panics without room, which whoever begins a step has made sure of.
impl Sink for Producer {
    #[inline]
    fn push(&mut self, event: Event) {
        self.write(|slot| *slot = event);
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        assert!(self.written < self.taken + self.shared.len(), "a step began without room");
        let slot = &self.shared.slots[self.shared.slot(self.written)];
        // SAFETY: its last event is released, as was just made sure of, and this one is not
        // published: the slot is this end's alone.
        write(unsafe { &mut *slot.0.get() });
        self.written += 1;
    }
}

impl Consumer {
    /// Events that may be read now.
    #[inline]
    #[must_use]
    pub fn ready(&self) -> usize {
        // Acquire: what is in the slots before the position is there.
        let published = self.shared.published.load(Ordering::Acquire);
        usize::try_from(published - self.taken).unwrap_or(usize::MAX)
    }

    /// The oldest `count` events, in two parts where they go over the end. They stay.
    ///
    /// # Panics
    ///
    /// When fewer are ready.
    #[must_use]
    pub fn oldest(&self, count: usize) -> (&[Event], &[Event]) {
        assert!(count <= self.ready(), "they are not there yet");
        // SAFETY: they are published, and released by `&mut self` only, so not while borrowed.
        unsafe { self.shared.events(self.taken, self.taken + count as u64) }
    }

    /// Gives the slots of the oldest `count` events back.
    ///
    /// # Panics
    ///
    /// When fewer are ready.
    pub fn release(&mut self, count: usize) {
        assert!(count <= self.ready(), "they are not there yet");
        self.taken += count as u64;
        // Release: who sees the position knows that they are read.
        self.shared.taken.store(self.taken, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// An event like no other.
    fn numbered(number: u64) -> Event {
        zerocopy::transmute!([number, 1, 2, 3, 4, 5, 6, !number])
    }

    #[test]
    fn what_is_written_is_read_in_order_by_another_thread() {
        // Few slots, so that they are written over and over; fewer rounds where Miri looks on.
        let rounds = if cfg!(miri) { 200 } else { 200_000 };
        let (mut producer, mut consumer) = ring(8);
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut written, mut waited) = (0, 0);
                while written < rounds {
                    let count = usize::try_from(written % 5 + 1).unwrap();
                    if !producer.has_room(count) {
                        waited += 1;
                        assert!(waited < 1_000 * rounds, "nobody reads");
                        thread::yield_now();
                        continue;
                    }
                    let from = producer.written();
                    (written..).take(count).for_each(|number| producer.push(numbered(number)));
                    let (front, back) = producer.since(from);
                    assert_eq!(front.len() + back.len(), count);
                    producer.publish();
                    // Published, but still there to be read.
                    let (front, back) = producer.since(from);
                    let last = back.last().or(front.last());
                    assert!(last == Some(&numbered(written + count as u64 - 1)));
                    written += count as u64;
                }
            });
            let mut read = 0;
            while read < rounds {
                let count = consumer.ready();
                let (front, back) = consumer.oldest(count);
                for event in front.iter().chain(back) {
                    assert!(*event == numbered(read), "event {read}");
                    read += 1;
                }
                consumer.release(count);
                thread::yield_now();
            }
        });
    }

    #[test]
    fn what_is_not_published_is_not_there_and_what_is_not_released_takes_room() {
        let (mut producer, mut consumer) = ring(4);
        (0..3).for_each(|number| producer.push(numbered(number)));
        assert_eq!(consumer.ready(), 0);
        producer.publish();
        assert_eq!(consumer.ready(), 3);
        assert!(producer.has_room(1) && !producer.has_room(2));
        consumer.release(2);
        assert!(producer.has_room(3) && !producer.has_room(4));
        assert!(consumer.oldest(1).0 == [numbered(2)]);
        (3..6).for_each(|number| producer.push(numbered(number)));
        let (front, back) = producer.since(2);
        let all: Vec<_> = front.iter().chain(back).copied().collect();
        assert_eq!((front.len(), back.len()), (2, 2), "over the end");
        assert!(all == (2..6).map(numbered).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "a step began without room")]
    fn nothing_is_overwritten() {
        let (mut producer, _consumer) = ring(4);
        (0..5).for_each(|number| producer.push(numbered(number)));
    }

    #[test]
    #[should_panic(expected = "some were overwritten")]
    fn what_was_overwritten_is_not_shown() {
        let (mut producer, mut consumer) = ring(4);
        (0..4).for_each(|number| producer.push(numbered(number)));
        producer.publish();
        consumer.release(4);
        assert!(producer.has_room(1));
        producer.push(numbered(4));
        let _ = producer.since(0);
    }

    #[test]
    #[should_panic(expected = "they are not there yet")]
    fn no_more_is_released_than_there_is() {
        let (mut producer, mut consumer) = ring(4);
        producer.push(numbered(0));
        producer.publish();
        consumer.release(2);
    }
}
