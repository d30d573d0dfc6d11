//! The prefaulter: the helper thread that keeps the pages in front of the writer writable.
//!
//! It is a thread of its own because the other two block for milliseconds in the device, and the
//! writer passes 256 KiB in less. A page the writer comes to first costs it a fault of about a
//! microsecond, never a wait for the device, as pages much farther ahead are already being read.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::error::{DiskError, ReadError};
use crate::limits::{
    IDLE_AFTER, IDLE_INTERVAL, PAGE_BYTES, POPULATE_BYTES, POPULATE_BYTES_MAX, POPULATE_INTERVAL,
    READ_AHEAD_BYTES, REPOPULATE_INTERVAL, page_floor,
};
use crate::mapped::Mapped;
use crate::shared::{Position, Shared};

/// State of the prefaulter.
#[derive(Debug)]
pub(crate) struct Prefaulter {
    shared: Arc<Shared>,
    /// In the segment with this index pages up to this offset were asked for.
    read_ahead: (u32, u64),
    /// Where the writer was at the last look.
    last: Position,
}

impl Prefaulter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (_, last) = shared.published.load();
        Self { shared, read_ahead: (0, 0), last }
    }

    /// Runs until the writer stops.
    pub(crate) fn run(mut self) {
        let mut done_for = Position { index: 0, offset: 0 };
        let (mut done_at, mut moved_at) = (Instant::now(), Instant::now());
        while !self.shared.stopping() && !self.shared.watermark.poisoned() {
            let (_, position) = self.shared.published.load();
            let moved = position != done_for;
            if moved || REPOPULATE_INTERVAL <= done_at.elapsed() {
                done_for = position;
                done_at = Instant::now();
                if let Err(error) = self.populate(position) {
                    // The writer would be killed by a signal when it touched such a page.
                    self.shared.poison(ReadError::Disk(error));
                }
            }
            if moved {
                moved_at = done_at;
            }
            let quiet = IDLE_AFTER <= moved_at.elapsed();
            thread::park_timeout(if quiet { IDLE_INTERVAL } else { POPULATE_INTERVAL });
        }
    }

    /// How far ahead pages are wanted: twice what the writer has done since the last look.
    fn reach(&mut self, position: Position) -> u64 {
        let last = std::mem::replace(&mut self.last, position);
        let from = if last.index == position.index { last.offset } else { 0 };
        let done = u64::from(position.offset.saturating_sub(from));
        (2 * done).next_multiple_of(PAGE_BYTES).clamp(POPULATE_BYTES, POPULATE_BYTES_MAX)
    }

    /// Makes the pages the writer comes to next writable, here and in the next segment.
    fn populate(&mut self, position: Position) -> Result<(), DiskError> {
        let reach = self.reach(position);
        let Some((current, next)) = self.shared.stage().at(position.index) else { return Ok(()) };
        let Shared { disk, dir, .. } = &*self.shared;
        let start = page_floor(u64::from(position.offset));
        let len = current.len_bytes;
        let path = current.open_path(dir);
        if self.read_ahead.0 != position.index {
            self.read_ahead = (position.index, 0);
        }
        if self.read_ahead.1 < len.min(start + READ_AHEAD_BYTES / 2) {
            let from = start.max(self.read_ahead.1);
            let to = len.min(start + READ_AHEAD_BYTES);
            disk.read_ahead(&current.map, &path, from, to - from);
            self.read_ahead.1 = to;
        }
        let end = len.min(start + reach);
        disk.populate(&current.map, &path, start, end - start)?;
        let next: Option<Arc<Mapped>> = next.filter(|_| len - start <= READ_AHEAD_BYTES);
        if let Some(next) = next {
            let ahead = next.len_bytes.min(READ_AHEAD_BYTES);
            disk.read_ahead(&next.map, &path, 0, ahead);
            disk.populate(&next.map, &path, 0, next.len_bytes.min(reach))?;
        }
        Ok(())
    }
}
