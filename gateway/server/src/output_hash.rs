//! The fingerprint of all that the engine said.

use uncross_engine::event::Event;
use uncross_journal::crc32c;
use zerocopy::IntoBytes;

/// A rolling fingerprint of all events so far: CRC32C of their bytes in the upper half, their
/// count modulo 2^32 in the lower.
///
/// The last event is held and taken in when the next one comes: to read at once what was just
/// written field by field would wait for the stores.
#[derive(Clone, Debug)]
pub(crate) struct OutputHash {
    /// Of the events before the one that is held.
    crc: u32,
    count: u64,
    held: Event,
    is_held: bool,
}

impl Default for OutputHash {
    fn default() -> Self {
        Self::resume(0, 0)
    }
}

impl OutputHash {
    /// Takes one more event in, which `write` writes whole; returns it.
    #[inline]
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Event)) -> &Event {
        self.crc = self.crc();
        write(&mut self.held);
        self.is_held = true;
        self.count += 1;
        &self.held
    }

    /// Takes events in that lie where whoever wrote them wanted them.
    #[inline]
    pub(crate) fn take_in(&mut self, events: &[Event]) {
        if !events.is_empty() {
            self.crc = crc32c(self.crc(), events.as_bytes());
            self.is_held = false;
            self.count += events.len() as u64;
        }
    }

    #[inline]
    fn crc(&self) -> u32 {
        if self.is_held { crc32c(self.crc, self.held.bytes()) } else { self.crc }
    }

    /// The CRC32C and the count that [`Self::resume`] goes on from.
    pub(crate) fn parts(&self) -> (u32, u64) {
        (self.crc(), self.count)
    }

    /// The fingerprint behind `count` events whose bytes have this CRC32C.
    pub(crate) fn resume(crc: u32, count: u64) -> Self {
        Self { crc, count, held: Event::EMPTY, is_held: false }
    }

    /// The fingerprint.
    pub(crate) fn value(&self) -> u64 {
        u64::from(self.crc()) << 32 | self.count & 0xFFFF_FFFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_count_the_same_one_by_one_and_where_they_lie() {
        let events: Vec<Event> =
            (0..7_u64).map(|number| zerocopy::transmute!([number; 8])).collect();
        for split in 0..=events.len() {
            let (before, after) = events.split_at(split);
            let (mut held, mut lying) = (OutputHash::default(), OutputHash::resume(0, 0));
            for event in &events {
                held.write(|slot| *slot = *event);
            }
            // In turn: what is held must not be forgotten, nor taken in twice.
            for event in before {
                lying.write(|slot| *slot = *event);
            }
            lying.take_in(after);
            lying.take_in(&[]);
            assert_eq!((lying.parts(), lying.value()), (held.parts(), held.value()), "{split}");
            assert_eq!(lying.parts(), (crc32c(0, events.as_bytes()), 7));
            lying.write(|slot| *slot = events[0]);
            held.take_in(&events[..1]);
            assert_eq!(lying.value(), held.value(), "{split}");
        }
    }
}
