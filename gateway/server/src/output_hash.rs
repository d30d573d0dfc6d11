//! The fingerprint of all that the engine said.

use uncross_engine::event::Event;
use uncross_journal::crc32c;

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
