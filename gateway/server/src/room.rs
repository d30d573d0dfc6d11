//! How much room the journal has for refusals, as the core tells the doors.
//!
//! While the disk is full the core refuses orders, each with a record. Before even those find no
//! room the doors stop reading orders, so that what is in the ring always fits. The rule: an order
//! enters the ring only when the room last told covers everything in the ring and its refusal. The
//! core tells the room after each record and before it gives the record's slots back, so whoever
//! sees free slots sees a room that counts what was in them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rtrb::Producer;
use uncross_journal::{Class, Writer};

use crate::{
    core_loop::Core,
    limits::SLOT_LEN,
    notice::{Notice, Notices},
    ring::Slot,
};

/// Room that is not worth counting.
const PLENTY: u64 = u64::MAX;

/// The core's end. Invariant: `said` is what the doors were told last.
#[derive(Debug)]
pub(crate) struct RoomTeller {
    told: Arc<AtomicU64>,
    said: u64,
    /// From here on there is plenty: more than the whole ring can need.
    plenty_bytes: u64,
}

/// The doors' end.
#[derive(Clone, Debug)]
pub(crate) struct RoomReader {
    told: Arc<AtomicU64>,
}

/// Both ends, for a ring of `ring_slots` slots.
pub(crate) fn room(ring_slots: usize) -> (RoomTeller, RoomReader) {
    let told = Arc::new(AtomicU64::new(PLENTY));
    let plenty_bytes = 2 * ((ring_slots + 1) * SLOT_LEN) as u64;
    (RoomTeller { told: Arc::clone(&told), said: PLENTY, plenty_bytes }, RoomReader { told })
}

impl RoomTeller {
    /// Tells the doors what room there is now; nothing while there is plenty.
    #[inline]
    pub(crate) fn tell(&mut self, journal: &Writer) {
        self.tell_bytes(journal.room_for(Class::Refusal));
    }

    /// What was told last.
    pub(crate) const fn said(&self) -> u64 {
        self.said
    }

    #[inline]
    fn tell_bytes(&mut self, bytes: u64) {
        let room = if self.plenty_bytes <= bytes { PLENTY } else { bytes };
        if room != self.said {
            self.said = room;
            // Release: pairs with the Acquire in `admits`.
            self.told.store(room, Ordering::Release);
        }
    }
}

impl RoomReader {
    /// Whether an order may enter the ring of `producer`, which has `ring_slots` slots: should all
    /// of it have to be refused, there is room for that.
    #[inline]
    pub(crate) fn admits(&self, producer: &Producer<Slot>) -> bool {
        // Acquire: pairs with the Release in `tell_bytes`. Looking at the ring first would count
        // slots as free whose records the room does not show yet.
        if self.told.load(Ordering::Acquire) == PLENTY {
            return true;
        }
        let used = producer.buffer().capacity() - producer.slots();
        // Acquire: as above; at least as late as the slots just counted.
        let room = self.told.load(Ordering::Acquire);
        room == PLENTY || ((used + 1) * SLOT_LEN) as u64 <= room
    }
}

/// Says what an operator must know of the journal's room, each change once.
#[derive(Debug, Default)]
pub(crate) struct SpaceWatch {
    is_short: bool,
    is_refusing: bool,
}

impl SpaceWatch {
    /// `true` when something has changed.
    #[inline]
    pub(crate) fn note(&mut self, core: &Core, notices: &Notices) -> bool {
        let (is_short, is_refusing) = (core.is_short_of_space(), !core.takes_orders());
        let has_changed = (self.is_short, self.is_refusing) != (is_short, is_refusing);
        if self.is_short != is_short {
            self.is_short = is_short;
            let error = core.space_error().filter(|_| is_short);
            notices.put(Notice::JournalSpace { error });
        }
        if self.is_refusing != is_refusing {
            self.is_refusing = is_refusing;
            notices.put(Notice::OrdersRefused { is_refusing });
        }
        has_changed
    }
}

#[cfg(test)]
mod tests {
    use uncross_engine::command::Source;

    use super::*;
    use crate::{record::Draft, ring};

    #[test]
    fn orders_enter_while_all_of_the_ring_could_be_refused() {
        let (producer, _consumer) = ring::ring(64);
        let (mut teller, reader) = room(64);
        assert!(reader.admits(&producer), "nothing is known yet");
        for (bytes, expected) in [(63, false), (64, true), (127, true), (0, false), (1 << 20, true)]
        {
            teller.tell_bytes(bytes);
            assert_eq!(reader.admits(&producer), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn what_is_in_the_ring_counts() {
        let (mut producer, mut consumer) = ring::ring(64);
        let (mut teller, reader) = room(64);
        teller.tell_bytes(4 * 64);
        let mut draft = Draft::new();
        draft.set_session_down(Source { port: 1, generation: 1, channel: 0 }, b'L');
        let pushed = (0..9)
            .take_while(|_| reader.admits(&producer) && ring::push(&mut producer, &draft))
            .count();
        assert_eq!(pushed, 4);
        // The core takes one: less room first, then free slots. The two cancel out.
        teller.tell_bytes(3 * 64);
        let mut scratch = ring::Scratch::new();
        assert_eq!(
            ring::pop(&mut consumer, &mut scratch, |_, _| Some(())),
            ring::Popped::Taken(())
        );
        assert!(!reader.admits(&producer));
    }
}
