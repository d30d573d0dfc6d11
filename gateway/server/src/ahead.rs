//! Looks at the records that wait in the ring behind the one that is taken next, so that the memory
//! they will want is there when their turn comes.
//!
//! Only while the engine says that it pays; records stay where they are.

use rtrb::Consumer;
use uncross_engine::{
    Engine,
    ahead::{FAR, Waiting},
};
use uncross_journal::format::RecordHeader;
use zerocopy::FromBytes;

use crate::{
    limits::{HEADER_LEN, SLOT_LEN},
    record,
    ring::Slot,
};

/// Room for the records that are seen.
const QUEUE: usize = FAR.next_power_of_two();

/// The records at the front of the ring.
#[derive(Debug)]
pub(crate) struct Ahead {
    waiting: uncross_engine::ahead::Ahead,
    /// Slots that each record takes which was seen, from `front` on.
    queue: [usize; QUEUE],
    /// Where the next one to be taken stands in `queue`, and how many were seen.
    front: usize,
    count: usize,
    /// Slots of the ring that they take.
    slots: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        let waiting = uncross_engine::ahead::Ahead::default();
        Self { waiting, queue: [0; QUEUE], front: 0, count: 0, slots: 0 }
    }
}

impl Ahead {
    /// Looks at what waits. For each record that is taken, [`Self::taken`] must follow.
    #[inline]
    pub(crate) fn look(&mut self, engine: &Engine, ring: &mut Consumer<Slot>) {
        if !engine.is_cold() {
            if self.count != 0 {
                *self = Self::default();
            }
        } else if let Some(wanted) = self.waiting.wanted() {
            self.see(wanted, ring);
            engine.look_ahead(&mut self.waiting);
        }
    }

    /// The record in front has left the ring.
    #[inline]
    pub(crate) fn taken(&mut self) {
        if 0 < self.count {
            self.slots -= self.queue[self.front];
            self.front = (self.front + 1) % QUEUE;
            self.count -= 1;
        }
        self.waiting.taken();
    }

    /// Reads the first slot of records that came in sight.
    fn see(&mut self, wanted: usize, ring: &mut Consumer<Slot>) {
        let there = ring.slots();
        // Nothing is committed: all of it stays.
        let Ok(chunk) = ring.read_chunk(there) else { return };
        let (front, back) = chunk.as_slices();
        for _ in 0..wanted.min(QUEUE - self.count) {
            let slot = front.get(self.slots).or_else(|| back.get(self.slots - front.len()));
            let Some((waiting, slots)) = slot.and_then(seen) else { return };
            self.queue[(self.front + self.count) % QUEUE] = slots;
            self.count += 1;
            self.slots += slots;
            self.waiting.see(waiting);
        }
    }
}

/// What the first slot of a record says of it, and how many it takes.
fn seen(slot: &Slot) -> Option<(Waiting, usize)> {
    let (header, body) = RecordHeader::ref_from_prefix(slot.bytes()).ok()?;
    let body_len = usize::from(header.body_len.get());
    let waiting = record::waiting(header.kind, &body[..body_len.min(SLOT_LEN - HEADER_LEN)]);
    Some((waiting, (HEADER_LEN + body_len).div_ceil(SLOT_LEN)))
}

#[cfg(test)]
mod tests {
    use uncross_engine::limits::Capacity;

    use super::*;
    use crate::{
        record::Draft,
        ring::{self, Popped, Scratch},
    };

    #[test]
    fn what_was_seen_keeps_step_with_the_ring() {
        let (mut producer, mut consumer) = ring::ring(64);
        let (mut ahead, mut scratch) = (Ahead::default(), Scratch::new());
        let engine = Engine::new(Capacity::default());
        let mut draft = Draft::new();
        let roll =
            uncross_engine::command::DayRoll { date: 1, utc_offset_s: 0, session: [b' '; 10] };
        let (mut pushed, mut popped) = (0, 0);
        for turn in 0..2_000 {
            for _ in 0..turn % 7 {
                draft.set_day_roll(&roll);
                pushed += usize::from(ring::push(&mut producer, &draft));
            }
            let wanted = turn % 11;
            let expected = (ahead.count + wanted).min(QUEUE).min(pushed - popped);
            ahead.see(wanted, &mut consumer);
            assert_eq!(ahead.count, expected, "turn {turn}");
            for _ in 0..turn % 5 {
                let taken = ring::pop(&mut consumer, &mut scratch, |_, _| Some(()));
                if taken == Popped::Taken(()) {
                    ahead.taken();
                    popped += 1;
                }
            }
        }
        assert!(1_000 < popped, "the ring was hardly used");
        // Nothing stands in this engine: what was seen is forgotten.
        ahead.look(&engine, &mut consumer);
        assert_eq!((ahead.count, ahead.slots), (0, 0));
    }
}
