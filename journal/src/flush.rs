//! The flusher: the helper thread that gets records onto the device.
//!
//! Each round it syncs the mapped pages written since the last one and then moves the
//! watermark; at a rotation it syncs what is left of the old segment before the new one gets its
//! name. So three things hold at any instant, whatever crashes: the watermark never runs ahead of
//! the device; a file named `.open` has its header page and all of its predecessor on the device;
//! after the first error nothing is synced or published any more.
//!
//! At level `async` it polls: waking it would cost the writer a fence and at times a system call
//! per batch, while a poll each 5 ms costs an idle journal 0.3 % of one processor and bounds the
//! loss just as well. At the other levels somebody waits for each record, so it is woken, syncs
//! what is there, and looks again before it rests.

use std::mem;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::error::{DiskError, ReadError};
use crate::limits::{
    FLUSHER_REST_MAX, PACE, PACE_AFTER, PACE_BYTES_ENOUGH, PACE_BYTES_MIN, PACE_SLICE, PAGE_BYTES,
    page_floor,
};
use crate::mapped::Mapped;
use crate::settings::Level;
use crate::shared::{Position, Shared};
use crate::sidecar::{Mark, Sidecar};

/// When and what the flusher syncs, of the settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) level: Level,
    pub(crate) interval: Duration,
    pub(crate) whole_pages_min: u64,
}

/// State of the flusher. Invariant: `synced` and `mark` lie in `current`.
#[derive(Debug)]
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    sidecar: Sidecar,
    level: Level,
    whole_pages_min: u64,
    /// Between two rounds at level `async`.
    interval: Duration,
    /// The segment being flushed, its place in the order of segments, its number in the journal.
    current: Arc<Mapped>,
    index: u32,
    number: u64,
    /// Everything before this offset is on the device.
    synced: u64,
    /// What was published last.
    mark: Mark,
    /// Seen in an earlier round, its last page not synced yet.
    sample: Option<Mark>,
    /// How far the writer was at the start of the last round.
    looked: Option<(u64, Position)>,
    /// When the last round began, and how many before this one found many records.
    began: Instant,
    busy_rounds: u32,
}

impl Flusher {
    /// Everything up to `mark`, the end of `current`, is on the device.
    pub(crate) fn new(
        shared: Arc<Shared>,
        sidecar: Sidecar,
        pace: Pace,
        current: Arc<Mapped>,
        mark: Mark,
    ) -> Self {
        Self {
            shared,
            sidecar,
            level: pace.level,
            whole_pages_min: pace.whole_pages_min,
            interval: pace.interval,
            current,
            index: 0,
            number: mark.segment_number,
            synced: mark.offset,
            mark,
            sample: None,
            looked: None,
            began: Instant::now(),
            busy_rounds: 0,
        }
    }

    /// Runs until the writer stops, then flushes what is left and says so in the sidecar.
    ///
    /// The first error, here or while sealing, ends it. A failed sync is never tried again: the
    /// kernel may have dropped the pages and would answer that all is well.
    pub(crate) fn run(mut self, keeper: &Thread) {
        self.shared.begin_flusher();
        let done = match self.level {
            Level::Async => self.poll(keeper),
            Level::Group | Level::Sync => self.answer(keeper),
        };
        if let Err(error) = done {
            self.shared.watermark.poison(ReadError::Disk(error));
        }
        if self.shared.watermark.poisoned() {
            // Best effort: a device that takes not even this note leaves a run that was not closed.
            // At the levels that hold output back that is as good; at level async the records are
            // still in the page cache of this boot, from which recovery reads and rewrites them.
            drop(self.sidecar.poison(&self.shared.disk));
        }
        self.shared.end_flusher();
        keeper.unpark();
    }

    /// A round each interval.
    fn poll(&mut self, keeper: &Thread) -> Result<(), DiskError> {
        let mut pause = self.interval;
        loop {
            thread::park_timeout(pause);
            // Read before the round: what was appended before the stop is in it.
            let stopping = self.shared.stopping();
            if self.shared.watermark.poisoned() {
                return Ok(());
            }
            let started = Instant::now();
            self.round(stopping, keeper)?;
            if stopping {
                return self.sidecar.close(&self.shared.disk);
            }
            pause = self.interval.saturating_sub(started.elapsed());
        }
    }

    /// A round whenever the writer has moved.
    fn answer(&mut self, keeper: &Thread) -> Result<(), DiskError> {
        loop {
            if self.level == Level::Group {
                self.gather();
            }
            // Read before the round: what was appended before the stop is in it.
            let stopping = self.shared.stopping();
            if self.shared.watermark.poisoned() {
                return Ok(());
            }
            self.round(stopping || self.level == Level::Sync, keeper)?;
            if stopping {
                return self.sidecar.close(&self.shared.disk);
            }
            if self.sample.is_some() {
                continue;
            }
            let Self { shared, looked, .. } = &*self;
            let has_work = || {
                *looked != Some(shared.published.load())
                    || shared.stopping()
                    || shared.watermark.poisoned()
            };
            let pause = self.sidecar.due_in().unwrap_or(FLUSHER_REST_MAX);
            shared.bell.rest(has_work, || thread::park_timeout(pause));
        }
    }

    /// Waits for more records where many come and few are there, so that a page is not written
    /// again for each few of them.
    fn gather(&mut self) {
        let mut fresh = self.fresh();
        let mut wanted = pause(&mut self.busy_rounds, fresh, self.began.elapsed());
        while let Some(left) = wanted {
            thread::sleep(left.min(PACE_SLICE));
            let before = mem::replace(&mut fresh, self.fresh());
            // Nothing came: whoever would send more waits for this very sync.
            if before == fresh {
                self.busy_rounds = 0;
            }
            wanted = PACE.checked_sub(self.began.elapsed());
            wanted = wanted.filter(|_| before < fresh && fresh < PACE_BYTES_ENOUGH);
            if self.shared.stopping() {
                break;
            }
        }
        self.began = Instant::now();
    }

    /// Bytes that have come since the last round began.
    fn fresh(&self) -> u64 {
        let (_, position) = self.shared.published.load();
        match self.looked {
            Some((_, before)) if before.index == position.index => {
                u64::from(position.offset - before.offset)
            }
            Some(_) | None => PACE_BYTES_ENOUGH,
        }
    }

    /// One flush: catches up with rotations, then syncs what is new in the current segment. With
    /// `all`, the page being written is never left for later.
    fn round(&mut self, all: bool, keeper: &Thread) -> Result<(), DiskError> {
        let (seq, position) = self.shared.published.load();
        self.looked = Some((seq, position));
        while self.index < position.index {
            self.change_segment(keeper)?;
        }
        let seen = Mark { seq, segment_number: self.number, offset: u64::from(position.offset) };
        let pages = (seen.offset - self.synced) / PAGE_BYTES;
        let whole = !all && self.whole_pages_min <= pages;
        let target = if whole { page_floor(seen.offset) } else { seen.offset };
        if self.synced < target {
            self.sync(self.synced, target)?;
            self.synced = target;
        }
        let waiting = self.sample.replace(seen);
        if seen.offset <= target {
            self.sample = None;
            self.publish(seen)?;
        } else if let Some(mark) = waiting.filter(|mark| mark.offset <= target) {
            self.publish(mark)?;
        }
        if self.sidecar.is_unproven() && self.shared.epoch_seq() <= self.mark.seq {
            self.sidecar.answer_loss(&self.shared.disk)?;
        }
        self.sidecar.settle(&self.shared.disk)
    }

    /// Leaves a segment the writer has left: its end is synced before its successor is named.
    fn change_segment(&mut self, keeper: &Thread) -> Result<(), DiskError> {
        let end = self.current.seal_end();
        self.sync(self.synced, end)?;
        let next = self.shared.stage().coming.front().map(Arc::clone);
        // The writer can only have entered a segment that the keeper put there before.
        assert!(next.is_some(), "the writer entered a segment nobody prepared");
        let Some(next) = next else { return Ok(()) };
        let first_seq = next.first_seq();
        self.sample = None;
        self.publish(Mark { seq: first_seq - 1, segment_number: self.number, offset: end })?;
        let Shared { disk, dir, .. } = &*self.shared;
        let spare_path = next.spare_path(dir);
        disk.sync_pages((&next.file, &next.map), &spare_path, 0, PAGE_BYTES)?;
        disk.rename(&spare_path, &next.open_path(dir))?;
        disk.sync_folder(dir)?;
        let left = mem::replace(&mut self.current, Arc::clone(&next));
        let mut stage = self.shared.stage();
        stage.advance();
        stage.leaving.push_back((left, next));
        drop(stage);
        keeper.unpark();
        self.index += 1;
        self.number += 1;
        self.synced = PAGE_BYTES;
        Ok(())
    }

    fn sync(&self, start: u64, end: u64) -> Result<(), DiskError> {
        let Shared { disk, dir, .. } = &*self.shared;
        let path = self.current.open_path(dir);
        disk.sync_pages((&self.current.file, &self.current.map), &path, start, end)?;
        // The sync took the write permission away; give it back where the writer still is.
        let page = page_floor(end);
        if page < end && end < self.current.data_end() {
            disk.populate(&self.current.map, &path, page, PAGE_BYTES)?;
        }
        Ok(())
    }

    fn publish(&mut self, mark: Mark) -> Result<(), DiskError> {
        if mark == self.mark {
            return Ok(());
        }
        if !self.shared.watermark.publish(mark.seq) {
            return Ok(());
        }
        self.mark = mark;
        self.sidecar.advance(&self.shared.disk, mark)
    }
}

/// How long to wait for more, `since` the last round began and with so many `fresh` bytes after it.
fn pause(busy_rounds: &mut u32, fresh: u64, since: Duration) -> Option<Duration> {
    let at_this_rate = u128::from(fresh) * PACE.as_nanos();
    let is_busy = u128::from(PACE_BYTES_MIN) * since.as_nanos() <= at_this_rate;
    *busy_rounds = if is_busy { busy_rounds.saturating_add(1) } else { 0 };
    let is_wanted = PACE_AFTER < *busy_rounds && fresh < PACE_BYTES_ENOUGH;
    is_wanted.then(|| PACE.checked_sub(since)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pauses of rounds, each with so many records of a slot after so many microseconds.
    fn pauses(rounds: u32, records: u64, micros: u64) -> Vec<Option<u128>> {
        let mut busy_rounds = 0;
        let since = Duration::from_micros(micros);
        let mut next = || pause(&mut busy_rounds, records * 64, since).map(|it| it.as_micros());
        (0..rounds).map(|_| next()).collect()
    }

    #[test]
    fn only_many_records_that_keep_coming_are_waited_for() {
        assert_eq!(pauses(20, 1, 100), [None; 20], "10,000 a second");
        assert_eq!(pauses(PACE_AFTER, 60, 100), vec![None; 64], "a burst");
        let busy = pauses(80, 10, 100);
        assert_eq!(busy, [vec![None; 64], vec![Some(200); 16]].concat(), "100,000");
        assert_eq!(pauses(80, 64, 100), [None; 80], "a page is full");
        assert_eq!(pauses(80, 40, 301), [None; 80], "the time is over");
    }

    #[test]
    fn a_pause_in_the_flow_begins_the_count_again() {
        let (mut busy_rounds, dense) = (0, Duration::from_micros(100));
        for _ in 0..=PACE_AFTER {
            pause(&mut busy_rounds, 640, dense);
        }
        assert!(pause(&mut busy_rounds, 640, dense).is_some());
        assert_eq!(pause(&mut busy_rounds, 64, Duration::from_millis(5)), None);
        assert_eq!(pause(&mut busy_rounds, 640, dense), None);
    }
}
