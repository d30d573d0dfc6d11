//! The fingerprint of all that the engine said.

use uncross_engine::event::Event;
use uncross_journal::crc32c;

/// A rolling fingerprint of all events so far: CRC32C of their bytes in the upper half, their
/// count modulo 2^32 in the lower.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputHash {
    crc: u32,
    count: u64,
}

impl OutputHash {
    /// Takes one more event in.
    #[inline]
    pub(crate) fn update(&mut self, event: &Event) {
        self.crc = crc32c(self.crc, event.bytes());
        self.count += 1;
    }

    /// The CRC32C and the count that [`Self::resume`] goes on from.
    pub(crate) fn parts(self) -> (u32, u64) {
        (self.crc, self.count)
    }

    /// The fingerprint behind `count` events whose bytes have this CRC32C.
    pub(crate) fn resume(crc: u32, count: u64) -> Self {
        Self { crc, count }
    }

    /// The fingerprint.
    pub(crate) fn value(self) -> u64 {
        u64::from(self.crc) << 32 | self.count & 0xFFFF_FFFF
    }
}
