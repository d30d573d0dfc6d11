#![expect(unsafe_code, reason = "copies records into the mapping of a segment file")]
//! A prepared segment in memory, shared by the writer and the helpers without a lock.
//!
//! Only the [`Pen`] touches the mapped memory, and there is one per segment. Helpers work on the
//! file behind the mapping (sync, advice, positioned reads and writes), which is the kernel's
//! business and no access in the sense of the language. What helpers must know about a segment
//! the writer has left stands in two atomics.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

use crate::disk::Disk;
use crate::error::DiskError;
use crate::folder;
use crate::format::data_end;
use crate::limits::{FETCH_AHEAD_BYTES, index};
use crate::record::SLOT_LEN;
use crate::storage::Handle;

/// Asks for the cache line at `at`, which is about to be written: the processor itself looks ahead
/// within a page only, and pages of a new segment came from the device. Nothing happens where no
/// memory is.
#[inline]
fn fetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch accesses nothing that the program could notice, whatever the pointer.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    core::hint::black_box(at);
}

/// A mapped segment file, as helpers see it.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) map: MmapRaw,
    pub(crate) file: Handle,
    pub(crate) len_bytes: u64,
    /// Number of the spare it was prepared as; 0: it was opened under a segment's name.
    pub(crate) spare_number: u64,
    /// First sequence number, which is its name; 0 while it is a spare.
    first_seq: AtomicU64,
    /// End of the seal record; 0 until the writer has left the segment.
    seal_end: AtomicU64,
}

/// The right to write into a mapped segment. Invariant: one per [`Mapped`], never cloned.
#[derive(Debug)]
pub(crate) struct Pen {
    mapped: Arc<Mapped>,
}

impl Mapped {
    /// Maps `file`, which is `len_bytes` long; `path` is its present name.
    pub(crate) fn new(
        disk: &Disk,
        file: Handle,
        path: &Path,
        len_bytes: u64,
        (spare_number, first_seq): (u64, u64),
    ) -> Result<(Arc<Self>, Pen), DiskError> {
        let map = disk.map(&file, path)?;
        assert!(map.len() as u64 == len_bytes, "the file has another length than it was given");
        let mapped = Arc::new(Self {
            map,
            file,
            len_bytes,
            spare_number,
            first_seq: AtomicU64::new(first_seq),
            seal_end: AtomicU64::new(0),
        });
        Ok((Arc::clone(&mapped), Pen { mapped }))
    }

    /// Name under which the segment was prepared.
    pub(crate) fn spare_path(&self, dir: &Path) -> PathBuf {
        folder::spare_path(dir, self.spare_number)
    }

    /// Name of the segment while it is written.
    pub(crate) fn open_path(&self, dir: &Path) -> PathBuf {
        folder::open_path(dir, self.first_seq())
    }

    /// First sequence number. Acquire: pairs with the Release in [`Pen::enter`]; readers have
    /// also seen the published position, which comes after it.
    pub(crate) fn first_seq(&self) -> u64 {
        self.first_seq.load(Ordering::Acquire)
    }

    /// End of the seal record. Acquire: pairs with the Release in [`Pen::leave`].
    pub(crate) fn seal_end(&self) -> u64 {
        self.seal_end.load(Ordering::Acquire)
    }

    /// Where records must end.
    pub(crate) fn data_end(&self) -> u64 {
        data_end(self.len_bytes)
    }
}

impl Pen {
    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    ///
    /// When they do not fit: that would write outside of the segment.
    #[inline]
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let start = index(offset);
        let len = self.mapped.map.len();
        assert!(start <= len && bytes.len() <= len - start, "a record outside of its segment");
        let base = self.mapped.map.as_mut_ptr();
        // SAFETY: `start` lies within the mapping, as asserted, and the mapping is one object.
        let target = unsafe { base.add(start) };
        // SAFETY: the target range lies within the mapping, as asserted, and the mapping lives as
        // long as `self.mapped`. `bytes` is a reference, and no reference into the mapping exists
        // anywhere in the crate, so the two do not overlap. By its invariant this is the only
        // pen, and it is borrowed uniquely: no other access of this process can race. The folder
        // lock keeps other writers away, and file and mapping keep their length until both are
        // gone, so the pages exist.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        for line in (0..bytes.len()).step_by(SLOT_LEN) {
            // A slot is a cache line.
            fetch(target.wrapping_add(line + FETCH_AHEAD_BYTES));
        }
    }

    /// Stores one slot at `offset`, each word with its least significant byte first.
    ///
    /// # Panics
    ///
    /// When it does not fit: that would write outside of the segment.
    #[inline]
    pub(crate) fn write_slot(&mut self, offset: u64, words: [u64; 8]) {
        let slot: [u8; 64] = zerocopy::transmute!(words.map(u64::to_le));
        let start = index(offset);
        let len = self.mapped.map.len();
        assert!(start <= len && slot.len() <= len - start, "a slot outside of its segment");
        let base = self.mapped.map.as_mut_ptr();
        // SAFETY: `start` lies within the mapping, as asserted, and the mapping is one object.
        let target = unsafe { base.add(start) };
        // SAFETY: the slot lies within the mapping, as asserted, and bytes need no alignment. For
        // the rest the argument of `write` holds: no reference into the mapping exists, this is
        // the only pen, borrowed uniquely, and the pages exist.
        unsafe { target.cast::<[u8; 64]>().write(slot) };
        fetch(target.wrapping_add(FETCH_AHEAD_BYTES));
    }

    /// Says under which name the segment is entered.
    pub(crate) fn enter(&self, first_seq: u64) {
        // Release: pairs with the Acquire in `Mapped::first_seq`.
        self.mapped.first_seq.store(first_seq, Ordering::Release);
    }

    /// Says where the seal ends; the pen is not used again.
    pub(crate) fn leave(self, seal_end: u64) {
        // Release: pairs with the Acquire in `Mapped::seal_end`.
        self.mapped.seal_end.store(seal_end, Ordering::Release);
    }

    /// Where records must end.
    pub(crate) fn data_end(&self) -> u64 {
        self.mapped.data_end()
    }

    /// Length of the segment file.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.mapped.len_bytes
    }
}

#[cfg(test)]
mod tests {
    use std::{slice, thread};

    use memmap2::MmapMut;

    use super::*;

    const LEN: usize = 4 << 10;

    /// A segment whose pages are memory behind which no file is: all that Miri can map.
    fn blank() -> (Arc<Mapped>, Pen) {
        let dir = tempfile::tempdir().unwrap();
        let file = Disk::new(None, None).create(&dir.path().join("segment")).unwrap();
        let mapped = Arc::new(Mapped {
            map: MmapMut::map_anon(LEN).unwrap().into(),
            file,
            len_bytes: LEN as u64,
            spare_number: 1,
            first_seq: AtomicU64::new(0),
            seal_end: AtomicU64::new(0),
        });
        (Arc::clone(&mapped), Pen { mapped })
    }

    /// What was written; takes the pen, so that nothing is written meanwhile.
    fn bytes_of(mapped: &Mapped, pen: Pen) -> Vec<u8> {
        drop(pen);
        // SAFETY: the mapping is as long, and its only pen is gone.
        unsafe { slice::from_raw_parts(mapped.map.as_ptr(), LEN) }.to_vec()
    }

    #[test]
    fn bytes_and_slots_land_where_they_were_meant_to_up_to_the_last_one() {
        let (mapped, mut pen) = blank();
        let mut expected = vec![0; LEN];
        // Records end anywhere; a slot of eight words begins anywhere.
        let writes: [(usize, &[u8]); 4] = [(0, b"first"), (5, b""), (77, &[7; 300]), (LEN, b"")];
        for (at, bytes) in writes {
            pen.write(at as u64, bytes);
            expected[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let words = [1, 2, 3, 4, 5, 6, 7, u64::MAX];
        for at in [401, LEN - 64] {
            pen.write_slot(at as u64, words);
            for (place, word) in expected[at..at + 64].chunks_mut(8).zip(words) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        assert_eq!(bytes_of(&mapped, pen), expected);
    }

    #[test]
    fn a_write_across_the_end_is_a_bug_and_writes_nothing() {
        for (at, len) in [(LEN - 1, 2), (LEN + 1, 0), (LEN, 1), (usize::MAX, 1)] {
            let (mapped, mut pen) = blank();
            let write = std::panic::AssertUnwindSafe(|| pen.write(at as u64, &vec![9; len]));
            assert!(std::panic::catch_unwind(write).is_err(), "{len} at {at}");
            let write = std::panic::AssertUnwindSafe(|| pen.write_slot(at as u64, [u64::MAX; 8]));
            assert!(std::panic::catch_unwind(write).is_err(), "a slot at {at}");
            assert_eq!(bytes_of(&mapped, pen), vec![0; LEN]);
        }
    }

    #[test]
    fn helpers_look_while_the_writer_writes() {
        let (mapped, mut pen) = blank();
        let helper = thread::spawn(move || {
            while mapped.seal_end() == 0 {
                let first_seq = mapped.first_seq();
                assert!(first_seq == 0 || first_seq == 9, "found {first_seq}");
                thread::yield_now();
            }
            assert_eq!((mapped.first_seq(), mapped.seal_end()), (9, 128));
        });
        pen.enter(9);
        for slot in 0..8 {
            pen.write_slot(slot * 64, [slot; 8]);
        }
        pen.leave(128);
        helper.join().unwrap();
    }
}
