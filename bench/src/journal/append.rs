//! Appending, against the same loop on anonymous memory.

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

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
        thread::sleep(PAUSE);
        let start = Instant::now();
        for _ in 0..BURST {
            append_one(writer)?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e9 / float(BURST));
    }
    Ok(super::median(times))
}
