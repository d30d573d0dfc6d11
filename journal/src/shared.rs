//! What the writer and its helpers share, and who may touch which part.
//!
//! The writer stores into [`Published`] and reads flags, nothing else. The lock around [`Stage`]
//! is taken by the helpers only.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};

use crate::disk::Disk;
use crate::error::ReadError;
use crate::mapped::Mapped;
use crate::wake::Bell;
use crate::watermark::Watermark;

/// How far the writer is: which segment since the start, and the end of its last record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Segments entered since the start; the one continued at the start is 0.
    pub(crate) index: u32,
    /// Offset in that segment; segments are at most 2^30 bytes long.
    pub(crate) offset: u32,
}

/// The writer's progress, on cache lines of its own (two, for the adjacent-line prefetcher).
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Published {
    position: AtomicU64,
    seq: AtomicU64,
}

/// Segments on their way from keeper to flusher and back.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The segment the flusher is at.
    pub(crate) current: Arc<Mapped>,
    /// Its place in the order of segments.
    pub(crate) index: u32,
    /// Prepared and perhaps already entered, in the order in which the writer gets them. At most
    /// [`SPARES_MAX`](crate::limits::SPARES_MAX): the writer is never farther ahead of the flusher.
    pub(crate) coming: VecDeque<Arc<Mapped>>,
    /// Complete and synced, to be sealed in this order, each with its successor.
    pub(crate) leaving: VecDeque<(Arc<Mapped>, Arc<Mapped>)>,
}

/// Everything shared.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) published: Published,
    pub(crate) watermark: Arc<Watermark>,
    pub(crate) disk: Disk,
    pub(crate) dir: PathBuf,
    /// Rung for the flusher.
    pub(crate) bell: Bell,
    flusher: OnceLock<Thread>,
    /// Sequence number of the record that opened an epoch in this run.
    epoch_seq: AtomicU64,
    stop: AtomicBool,
    flusher_done: AtomicBool,
    stage: Mutex<Stage>,
}

impl Position {
    fn pack(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.offset)
    }

    fn unpack(packed: u64) -> Self {
        let bytes = packed.to_be_bytes();
        let (halves, _) = bytes.as_chunks::<4>();
        Self { index: u32::from_be_bytes(halves[0]), offset: u32::from_be_bytes(halves[1]) }
    }
}

impl Stage {
    /// The segment at place `index` and the one after it; `None` when the flusher has passed it.
    pub(crate) fn at(&self, index: u32) -> Option<(Arc<Mapped>, Option<Arc<Mapped>>)> {
        let skip = usize::try_from(index.checked_sub(self.index)?).ok()?;
        let mut from_here = std::iter::once(&self.current).chain(&self.coming).skip(skip);
        Some((Arc::clone(from_here.next()?), from_here.next().map(Arc::clone)))
    }

    /// Takes the flusher's step to the next segment. Returns it, or `None` if there is none.
    pub(crate) fn advance(&mut self) -> Option<Arc<Mapped>> {
        let next = self.coming.pop_front()?;
        self.current = Arc::clone(&next);
        self.index += 1;
        Some(next)
    }
}

impl Published {
    /// Publishes the end of a record. The position goes first, so that whoever sees a sequence
    /// number finds a position at or behind the end of its record.
    #[inline]
    pub(crate) fn store(&self, position: Position, seq: u64) {
        // Release: pairs with the Acquire of the position in `load`.
        self.position.store(position.pack(), Ordering::Release);
        // Release: pairs with the Acquire of the number in `load`; keeps the order of the two.
        self.seq.store(seq, Ordering::Release);
    }

    /// A sequence number and a position at or behind the end of its record.
    pub(crate) fn load(&self) -> (u64, Position) {
        // Acquire: pairs with the Release of the number in `store`; the position is read after it.
        let seq = self.seq.load(Ordering::Acquire);
        // Acquire: pairs with the Release of the position in `store`.
        (seq, Position::unpack(self.position.load(Ordering::Acquire)))
    }
}

impl Shared {
    /// The writer is at `offset` of `current`, everything up to what `watermark` says is durable.
    pub(crate) fn new(
        disk: Disk,
        dir: PathBuf,
        current: Arc<Mapped>,
        offset: u32,
        watermark: Watermark,
    ) -> Self {
        let last_seq = watermark.durable_seq();
        let start = Position { index: 0, offset };
        let (coming, leaving) = (VecDeque::new(), VecDeque::new());
        Self {
            published: Published {
                position: AtomicU64::new(start.pack()),
                seq: AtomicU64::new(last_seq),
            },
            watermark: Arc::new(watermark),
            disk,
            dir,
            bell: Bell::new(),
            flusher: OnceLock::new(),
            epoch_seq: AtomicU64::new(u64::MAX),
            stop: AtomicBool::new(false),
            flusher_done: AtomicBool::new(false),
            stage: Mutex::new(Stage { current, index: 0, coming, leaving }),
        }
    }

    /// Asks the helpers to finish; the writer appends nothing after this.
    pub(crate) fn stop(&self) {
        // Release: pairs with the Acquire in `stopping`; all appends happened before.
        self.stop.store(true, Ordering::Release);
    }

    pub(crate) fn stopping(&self) -> bool {
        // Acquire: pairs with the Release in `stop`.
        self.stop.load(Ordering::Acquire)
    }

    /// For the flusher, before it rests for the first time: this thread is the one to wake.
    pub(crate) fn begin_flusher(&self) {
        self.flusher.get_or_init(thread::current);
    }

    /// Wakes the flusher if it rests.
    #[inline]
    pub(crate) fn ring(&self) {
        self.bell.ring(|| {
            if let Some(flusher) = self.flusher.get() {
                flusher.unpark();
            }
        });
    }

    /// Stops everything: nothing is synced, published or appended any more.
    pub(crate) fn poison(&self, error: ReadError) {
        self.watermark.poison(error);
        self.ring();
    }

    /// The record `seq` opens an epoch.
    pub(crate) fn open_epoch(&self, seq: u64) {
        // Release: pairs with the Acquire in `epoch_seq`.
        self.epoch_seq.store(seq, Ordering::Release);
    }

    /// The record that opened an epoch in this run; `u64::MAX` while there is none.
    pub(crate) fn epoch_seq(&self) -> u64 {
        // Acquire: pairs with the Release in `open_epoch`.
        self.epoch_seq.load(Ordering::Acquire)
    }

    /// Says that the flusher adds nothing to the stage any more.
    pub(crate) fn end_flusher(&self) {
        // Release: pairs with the Acquire in `flusher_done`; its last additions happened before.
        self.flusher_done.store(true, Ordering::Release);
    }

    pub(crate) fn flusher_done(&self) -> bool {
        // Acquire: pairs with the Release in `end_flusher`.
        self.flusher_done.load(Ordering::Acquire)
    }

    /// For the helpers only.
    pub(crate) fn stage(&self) -> MutexGuard<'_, Stage> {
        // A panic of another holder leaves whole queues behind.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_packing() {
        for position in [
            Position { index: 0, offset: 4096 },
            Position { index: u32::MAX, offset: 1 << 30 },
            Position { index: 7, offset: u32::MAX },
        ] {
            assert_eq!(Position::unpack(position.pack()), position);
        }
    }

    #[test]
    fn a_seen_number_never_lies_behind_the_seen_position() {
        const RECORDS: u64 = 200_000;
        let start = Position { index: 0, offset: 0 };
        let published =
            Published { position: AtomicU64::new(start.pack()), seq: AtomicU64::new(0) };
        thread::scope(|scope| {
            scope.spawn(|| {
                for seq in 1..=RECORDS {
                    let offset = u32::try_from(seq * 64).unwrap();
                    published.store(Position { index: 0, offset }, seq);
                }
            });
            loop {
                let (seq, position) = published.load();
                assert!(seq * 64 <= u64::from(position.offset), "{seq} behind {position:?}");
                if seq == RECORDS {
                    break;
                }
            }
        });
    }
}
