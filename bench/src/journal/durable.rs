//! Level `group` against the disk: the time to an acknowledgement, bytes a second, and what the
//! device is given to write for each byte.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Extent, Failed, JournalError, Level, OnDurable, PATIENCE, RECORD, Settings, Watermark,
    append_one, begin, float,
    floors::Floor,
    report::{Amplified, Pairs},
    settle,
};
use crate::machine::Times;

/// Acknowledgements, and writes of the floor, of a pair.
const ORDERS: usize = 300;
/// Bytes of a pair of group commits.
const BYTES: u64 = 48 << 20;
/// Bytes that may wait for their sync: what is beyond waits to be appended.
const AHEAD: u64 = 4 << 20;
/// Records appended between two calls of the flusher.
const BATCH: u64 = 64;
/// How long records come at a fixed rate.
const STRETCH: Duration = Duration::from_secs(2);
/// How often that is done when much is written; the median counts.
const STRETCHES: usize = 3;
/// Records a second from which on much is written.
const MUCH: u64 = 10_000;

/// Zeros written ahead for each byte of the records: all of a segment but some pages of 16,384.
const ZEROS: f64 = 1.0;

/// What became durable when.
#[derive(Debug)]
struct Log {
    start: Instant,
    /// Nanoseconds since the start, and the last durable record then.
    marks: Mutex<Vec<(u64, u64)>>,
    watermark: Mutex<Option<Arc<Watermark>>>,
}

impl Log {
    fn new() -> Arc<Self> {
        let (marks, watermark) = (Mutex::default(), Mutex::new(None));
        Arc::new(Self { start: Instant::now(), marks, watermark })
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn on_durable(self: &Arc<Self>) -> OnDurable {
        let log = Arc::clone(self);
        OnDurable(Arc::new(move || {
            let now_ns = log.now_ns();
            let watermark = log.watermark.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(watermark) = &*watermark {
                let mark = (now_ns, watermark.durable_seq());
                log.marks.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
            }
        }))
    }

    fn watch(&self, watermark: &Arc<Watermark>) {
        let mut place = self.watermark.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::clone(watermark));
    }

    /// When `seq` was durable.
    fn durable_ns(&self, seq: u64) -> u64 {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = marks.partition_point(|(_, durable)| *durable < seq);
        marks.get(at).map_or(u64::MAX, |(ns, _)| *ns)
    }
}

/// Microseconds at the median of a pair: `figure` from the append of one record to its
/// acknowledgement, `floor` of one write of 64 KiB and `fdatasync`. Order and write take turns.
pub(super) fn acknowledged(dir: &Path, extent: Extent) -> Result<Pairs, Failed> {
    let log = Log::new();
    let on_durable = Some(log.on_durable());
    let told = |settings| Settings { on_durable, ..settings };
    let mut writer = begin(&dir.join("durable"), Level::Group, 0, told)?;
    let watermark = writer.watermark();
    log.watch(&watermark);
    let mut floor = Floor::new(dir, 64 << 10).map_err(Failed::Floor)?;
    let mut pairs = Pairs::default();
    for _ in 0..extent.pairs {
        let start = Times::read();
        let (mut orders, mut blocks) = (Vec::new(), Vec::new());
        for _ in 0..ORDERS.div_ceil(extent.part) {
            let before_ns = log.now_ns();
            let seq = append_one(&mut writer)?;
            writer.ring();
            settle(&watermark, seq)?;
            // Who waits may see the mark before it is in the log.
            let wait = Instant::now();
            while log.durable_ns(seq) == u64::MAX && wait.elapsed() < PATIENCE {
                thread::yield_now();
            }
            orders.push(float(log.durable_ns(seq).saturating_sub(before_ns)) / 1e3);
            blocks.push(floor.step().map_err(Failed::Floor)?.as_secs_f64() * 1e6);
        }
        let (figure, floor) = (super::median(orders), super::median(blocks));
        pairs.push(&start, figure, floor, figure / floor);
    }
    writer.close()?;
    Ok(pairs)
}

/// Bytes a second: `figure` of records that are appended as fast as they become durable, `floor` of
/// writes of 1 MiB with `fdatasync`.
pub(super) fn group_bytes(dir: &Path, extent: Extent) -> Result<Pairs, Failed> {
    let mut floor = Floor::new(dir, 1 << 20).map_err(Failed::Floor)?;
    let mut pairs = Pairs::default();
    let bytes = BYTES / extent.part as u64;
    for pair in 0..extent.pairs {
        let noise = Times::read();
        let place = dir.join(format!("group-{pair}"));
        let mut writer = begin(&place, Level::Group, bytes, |settings| settings)?;
        let watermark = writer.watermark();
        let start = Instant::now();
        let mut seq = 0;
        while seq * RECORD < bytes {
            seq = append_one(&mut writer)?;
            if seq % BATCH == 0 {
                writer.ring();
                if watermark.durable_seq() + AHEAD / RECORD < seq {
                    settle(&watermark, seq - AHEAD / RECORD / 2)?;
                }
            }
        }
        writer.ring();
        settle(&watermark, seq)?;
        let figure = float(seq * RECORD) / start.elapsed().as_secs_f64();
        writer.close()?;
        // Room for the next pair.
        fs::remove_dir_all(&place).map_err(Failed::Floor)?;
        let (start, mut written) = (Instant::now(), 0);
        while written < bytes {
            floor.step().map_err(Failed::Floor)?;
            written += 1 << 20;
        }
        let floor = float(written) / start.elapsed().as_secs_f64();
        pairs.push(&noise, figure, floor, figure / floor);
    }
    Ok(pairs)
}

/// Records at a fixed rate: what is written for each of their bytes.
pub(super) fn amplification(
    dir: &Path,
    rate: u64,
    extent: Extent,
) -> Result<Amplified, JournalError> {
    let mut amplified = Amplified::default();
    let is_once = extent.part != 1 || rate < MUCH;
    for stretch in 0..if is_once { 1 } else { STRETCHES } {
        let place = dir.join(format!("rate-{rate}-{stretch}"));
        one_stretch(&place, rate, extent, &mut amplified)?;
        // Best effort: the folder above goes at the end.
        drop(fs::remove_dir_all(&place));
    }
    Ok(amplified)
}

fn one_stretch(
    dir: &Path,
    rate: u64,
    extent: Extent,
    amplified: &mut Amplified,
) -> Result<(), JournalError> {
    let interval_ns = 1_000_000_000 / rate;
    let stretch_ns = u64::try_from(STRETCH.as_nanos()).unwrap_or(0) / extent.part as u64;
    let count = (stretch_ns / interval_ns).max(1);
    let log = Log::new();
    let on_durable = Some(log.on_durable());
    let mut writer =
        begin(dir, Level::Group, count * RECORD, |settings| Settings { on_durable, ..settings })?;
    let watermark = writer.watermark();
    log.watch(&watermark);
    let written = Written::read(dir);
    let begin_ns = log.now_ns() + 1_000_000;
    for index in 0..count {
        wait_until(&log, begin_ns + index * interval_ns);
        append_one(&mut writer)?;
        writer.ring();
    }
    settle(&watermark, count)?;
    let written = Written::read(dir).since(written);
    writer.close()?;
    let late = |seq| {
        let due_ns = begin_ns + (seq - 1) * interval_ns;
        float(log.durable_ns(seq).saturating_sub(due_ns)) / 1e3
    };
    amplified.acknowledged_us.push(super::median((1..=count).map(late).collect()));
    let bytes = float(count * RECORD);
    // Every segment is written once with zeros before its records are.
    amplified.process.push(float(written.process) / bytes + ZEROS);
    if let Some(device) = written.device {
        amplified.device.push(float(device) / bytes);
    }
    Ok(())
}

/// Sleeps while there is time, then looks again and again.
fn wait_until(log: &Log, due_ns: u64) {
    loop {
        match due_ns.checked_sub(log.now_ns()) {
            None | Some(0) => return,
            Some(left) if 1_000_000 < left => thread::sleep(Duration::from_nanos(left - 500_000)),
            Some(_) => thread::yield_now(),
        }
    }
}

/// Bytes on their way to a device.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    /// Pages that this process made dirty.
    process: u64,
    /// What the device with the folder was given by anybody; `None` where that is not told.
    device: Option<u64>,
}

impl Written {
    fn read(dir: &Path) -> Self {
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let process = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Self {
            process: process.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
            device: device_bytes(dir),
        }
    }

    fn since(self, before: Self) -> Self {
        let process = self.process.saturating_sub(before.process);
        let both = self.device.zip(before.device);
        Self { process, device: both.map(|(now, then)| now.saturating_sub(then)) }
    }
}

fn device_bytes(dir: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let device = fs::metadata(dir).ok()?.dev();
    let (major, minor) = (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF_FF00);
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    // Sectors written, of 512 bytes, stand in the seventh place.
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * 512)
}
