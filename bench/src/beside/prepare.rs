//! Appending at a fixed rate while segments are prepared beside it, and while none is.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use uncross_server::{
    affinity::Cpus,
    journal::{Level, Settings},
};

use super::{BesideError, load::histogram};
use crate::journal::{JournalError, append_one, begin};

/// Records a second.
pub(super) const RATE: u64 = 100_000;
/// Bytes that the segments take which are prepared beside it, as those of a venue do.
const SEGMENT_BYTES: u64 = 62 << 20;
/// Segments that a journal prepares when it is made.
const SEGMENTS: u64 = 3;

/// Nanoseconds from when a record was due to the end of its append, and how many segments were
/// prepared meanwhile.
pub(super) fn run(
    dir: &Path,
    is_preparing: bool,
    length: Duration,
) -> Result<(Histogram<u64>, u64), BesideError> {
    let should_stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let keeper = is_preparing.then(|| scope.spawn(|| prepare(dir, &should_stop)));
        let appender = scope.spawn(|| append(dir, length));
        let latency = appender.join().map_err(|_panic| BesideError::Panicked);
        // Relaxed: nothing is read by it.
        should_stop.store(true, Ordering::Relaxed);
        let prepared = keeper.map(|keeper| keeper.join().map_err(|_panic| BesideError::Panicked));
        Ok((latency??, prepared.transpose()?.transpose()?.unwrap_or(0)))
    })
}

/// Has nothing prepared on the CPU of the thread that appends, as a venue does.
fn beside(settings: Settings) -> Settings {
    Settings { hot_cpus: core_cpu().into_iter().collect(), ..settings }
}

/// The last CPU, where there is another one.
fn core_cpu() -> Option<usize> {
    let cpus = Cpus::read();
    cpus.numbers().pop().filter(|_| 1 < cpus.count())
}

/// Waits and appends as a core that shares the machine with its helpers does.
fn append(dir: &Path, length: Duration) -> Result<Histogram<u64>, BesideError> {
    let count = RATE * u64::try_from(length.as_millis()).unwrap_or(0) / 1_000;
    let mut latency = histogram()?;
    let mut writer = begin(&dir.join("append"), Level::Group, count * 64, beside)?;
    // After its helpers were started, which may run anywhere.
    if let Some(last) = core_cpu() {
        let _is_pinned = Cpus::read().pin(last);
    }
    let start = Instant::now();
    for index in 0..count {
        let due = start + Duration::from_nanos(index * 1_000_000_000 / RATE);
        while Instant::now() < due {
            thread::yield_now();
        }
        append_one(&mut writer).map_err(JournalError::from)?;
        latency.saturating_record(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        writer.ring();
    }
    writer.close().map_err(JournalError::from)?;
    Ok(latency)
}

/// Prepares segments, one after the other, until it is to stop.
fn prepare(dir: &Path, should_stop: &AtomicBool) -> Result<u64, BesideError> {
    let mut prepared = 0;
    // Relaxed: as above.
    while !should_stop.load(Ordering::Relaxed) {
        let place = dir.join("prepared");
        let writer = begin(&place, Level::Group, SEGMENT_BYTES, beside)?;
        writer.close().map_err(JournalError::from)?;
        prepared += SEGMENTS;
        fs::remove_dir_all(&place)
            .map_err(|source| BesideError::Folder { dir: place.clone(), source })?;
    }
    Ok(prepared)
}
