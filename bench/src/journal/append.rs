//! Appending, against the same loop on anonymous memory.

use std::{
    env,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use uncross_server::journal::{Level, Settings, Writer};

use super::{
    Extent, JournalError, RECORD, append_one, begin, float, memory::Memory, report::Pairs,
};
use crate::machine::Times;

/// Records of a burst: 119 KiB, fewer than the pages that are writable ahead of the writer hold.
const BURST: u64 = 1_900;
/// Bursts of a contender in a pair. All of them together stay within one segment.
const BURSTS: usize = 100;
/// Between two bursts, so that the pages ahead are made writable again.
const PAUSE: Duration = Duration::from_millis(3);

impl Extent {
    fn bursts(self) -> usize {
        BURSTS.div_ceil(self.part)
    }
}

/// Nanoseconds per record: `figure` of the journal, `floor` of anonymous memory.
pub(super) fn measure(dir: &Path, extent: Extent) -> Result<Pairs, JournalError> {
    let bytes = (extent.pairs * extent.bursts()) as u64 * BURST * RECORD;
    let mut file = begin(&dir.join("append"), Level::Async, bytes, |settings| settings)?;
    let storage: Arc<Memory> = Arc::default();
    let on_memory = |settings| Settings { storage: Some(storage), ..settings };
    let mut memory = begin(Path::new("/memory"), Level::Async, bytes, on_memory)?;
    let mut pairs = Pairs::default();
    for _ in 0..extent.pairs {
        let start = Times::read();
        let figure = bursts(&mut file, extent)?;
        let floor = bursts(&mut memory, extent)?;
        pairs.push(&start, figure, floor, floor / figure);
    }
    memory.close()?;
    file.close()?;
    Ok(pairs)
}

/// The median time of a burst per record.
fn bursts(writer: &mut Writer, extent: Extent) -> Result<f64, JournalError> {
    let mut times = Vec::with_capacity(BURSTS);
    for _ in 0..extent.bursts() {
        times.push(burst(writer, BURST)?.as_secs_f64() * 1e9 / float(BURST));
    }
    Ok(super::median(times))
}

/// The time of a burst, before which the pages ahead are made writable.
fn burst(writer: &mut Writer, records: u64) -> Result<Duration, JournalError> {
    thread::sleep(PAUSE);
    let start = Instant::now();
    for _ in 0..records {
        append_one(writer)?;
    }
    Ok(start.elapsed())
}

/// A journal that is warm, for a bench of the append alone.
#[derive(Debug)]
pub struct Warm {
    writer: Writer,
    /// Records that its first segment still takes.
    left: u64,
    // Dropped last.
    _dir: TempDir,
}

impl Warm {
    /// Most records of a burst.
    pub const RECORDS_MAX: u64 = BURST;

    /// A journal in the folder for temporary files that takes so many bursts.
    ///
    /// # Errors
    ///
    /// The disk refused.
    pub fn new(bursts: u64) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Folder { dir: env::temp_dir(), source };
        let dir = tempfile::tempdir().map_err(failed)?;
        let left = bursts * BURST;
        let writer = begin(dir.path(), Level::Async, left * RECORD, |settings| settings)?;
        Ok(Self { writer, left, _dir: dir })
    }

    /// Whether it takes another burst.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        BURST <= self.left
    }

    /// Appends so many records, at most [`Self::RECORDS_MAX`]. The time they took.
    ///
    /// # Errors
    ///
    /// The journal takes no more.
    ///
    /// # Panics
    ///
    /// When there are more: pages are not ready for them.
    pub fn burst(&mut self, records: u64) -> Result<Duration, JournalError> {
        assert!(records <= BURST, "more records than pages are ready for");
        self.left = self.left.saturating_sub(records);
        burst(&mut self.writer, records)
    }
}
