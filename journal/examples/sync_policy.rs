//! Measures what to do with the page being written when a commit is synced; the figures stand in
//! docs/decisions/0004-pages-of-a-commit.md.
//!
//! One thread appends records of 64 bytes at a fixed rate, each a commit of its own at level
//! `group`; a record counts as acknowledged when the watermark has reached it. The policies:
//!
//! - `partial`: every sync covers the page being written;
//! - `whole`: a sync leaves that page to the next one when a page or more has filled before it;
//! - `pad`: before a sync can begin, the page is filled up with a record that nobody reads;
//! - `half`: as `pad`, but only when the page is at least half full.
//!
//! The floor is one positioned write and `fdatasync` of 64 KiB of a written file in the same
//! folder, measured before each run. `journal` is bytes of the journal per byte of the records,
//! `device` is bytes of synced pages per byte of the records.
//!
//! Usage: `cargo run --release -p uncross-journal --example sync_policy [SECONDS [FOLDER]]`; by
//! default a second for each policy, rate and repetition, in the folder for temporary files.

use std::{
    env,
    error::Error,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use uncross_journal::{
    AppendError, Entry, Identity, Level, OnDurable, Operation, Probe, Settings, Watermark, Writer,
    kind, open,
};

/// Repetitions of everything; medians and the range are printed.
const REPETITIONS: usize = 5;
/// Records a second.
const RATES: [u64; 4] = [100, 10_000, 100_000, 400_000];
const PAGE: u64 = 4096;
const SLOT: u64 = 64;
/// The body of a record of one slot.
const BODY: [u8; 40] = [7; 40];
/// Pauses from here on are slept, not spun.
const SLEEP_FROM: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Partial,
    Whole,
    Pad,
    Half,
}

const POLICIES: [(Policy, &str); 4] = [
    (Policy::Partial, "partial"),
    (Policy::Whole, "whole"),
    (Policy::Pad, "pad"),
    (Policy::Half, "half"),
];

/// Counts the bytes of synced pages.
#[derive(Debug, Default)]
struct Pages(AtomicU64);

impl Probe for Pages {
    fn before(&self, _operation: Operation, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, operation: Operation, _path: &Path, range: Range<u64>) {
        if operation == Operation::SyncPages {
            let pages = range.end.div_ceil(PAGE) - range.start / PAGE;
            // Relaxed: read when the writer is closed.
            self.0.fetch_add(pages * PAGE, Ordering::Relaxed);
        }
    }
}

/// When each record was handed over, and how long each took to be durable.
#[derive(Debug)]
struct Clockwork {
    start: Instant,
    /// By sequence number; 0 for what is no measured record.
    due_ns: Vec<AtomicU64>,
    watermark: Mutex<Option<Arc<Watermark>>>,
    /// Next record to be acknowledged, and latencies so far.
    acknowledged: Mutex<(usize, Vec<u64>)>,
}

impl Clockwork {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn acknowledge(&self) {
        let Ok(watermark) = self.watermark.lock() else { return };
        let Some(watermark) = watermark.as_ref() else { return };
        let durable = usize::try_from(watermark.durable_seq()).unwrap_or(usize::MAX);
        let now_ns = self.now_ns();
        let Ok(mut acknowledged) = self.acknowledged.lock() else { return };
        let (next, latencies) = &mut *acknowledged;
        while *next <= durable {
            // Acquire: pairs with the Release of the appender; the record was appended after it.
            let due_ns = self.due_ns[*next].load(Ordering::Acquire);
            if due_ns != 0 {
                latencies.push(now_ns.saturating_sub(due_ns));
            }
            *next += 1;
        }
    }
}

/// What one run found.
#[derive(Debug, Default)]
struct Run {
    append_ns: Vec<u64>,
    acknowledged_ns: Vec<u64>,
    journal: f64,
    device: f64,
}

fn percentile(sorted: &[u64], per_10_000: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * per_10_000 / 10_000).min(last)).copied().unwrap_or(0)
}

/// Appends one record, over segments.
fn append(writer: &mut Writer, kind: u8, body: &[u8]) -> Outcome<()> {
    let seq = writer.last_seq() + 1;
    loop {
        match writer.append(Entry { seq, time_ns: seq, kind, flags: 0, body }, 0) {
            Err(AppendError::NotReady) => {
                writer.ring();
                if !writer.watermark().wait_prepared(1, PATIENCE) {
                    return Err("nothing gets prepared".into());
                }
            }
            done => return Ok(done?),
        }
    }
}

/// Bytes of the page being written that are used; 0 at its start.
fn used(writer: &Writer) -> u64 {
    // The room ends one slot, that of the seal, before the end of a page.
    (PAGE - (writer.room().segment_bytes + SLOT) % PAGE) % PAGE
}

/// Fills the page up; returns the bytes that took.
fn pad(writer: &mut Writer) -> Outcome<u64> {
    let left = PAGE - used(writer);
    if left == PAGE || writer.room().segment_bytes < left {
        return Ok(0);
    }
    let body = [0; 4000];
    let len = usize::try_from(left - 24)?.min(body.len());
    append(writer, kind::TICK, &body[..len])?;
    Ok(left)
}

fn run(
    (policy, rate, duration): (Policy, u64, Duration),
    parent: &Path,
    floors: &mut Vec<Vec<u64>>,
) -> Outcome<Run> {
    let dir = tempfile::tempdir_in(parent)?;
    let count = rate * duration.as_secs();
    let clock = Arc::new(Clockwork {
        start: Instant::now(),
        due_ns: (0..2 * count + 2).map(|_| AtomicU64::new(0)).collect(),
        watermark: Mutex::new(None),
        acknowledged: Mutex::new((1, Vec::with_capacity(usize::try_from(count)?))),
    });
    let pages = Arc::new(Pages::default());
    let probe: Arc<Pages> = Arc::clone(&pages);
    let told = Arc::clone(&clock);
    let settings = Settings {
        level: Level::Group,
        whole_pages_min: if policy == Policy::Whole { 1 } else { u64::MAX },
        on_durable: Some(OnDurable(Arc::new(move || told.acknowledge()))),
        probe: Some(probe),
        ..Settings::default()
    };
    let identity = Identity { behaviour_version: 1, config_hash: [0; 32], build_id: [0; 32] };
    let mut writer = open(&dir.path().join("journal"), &settings, &identity)?.into_writer(0, 0)?;
    let watermark = writer.watermark();
    // While segments are being prepared the device has other work.
    if !watermark.wait_prepared(2 * settings.segment_len_bytes - (1 << 20), PATIENCE) {
        return Err("nothing gets prepared".into());
    }
    floors.push(floor(parent)?);
    if let Ok(mut place) = clock.watermark.lock() {
        *place = Some(Arc::clone(&watermark));
    }
    let mut found = Run::default();
    let (mut padded_seq, mut padding) = (0, 0);
    let interval_ns = 1_000_000_000 / rate;
    let begin_ns = clock.now_ns() + 1_000_000;
    for index in 0..count {
        let due_ns = begin_ns + index * interval_ns;
        wait_until(&clock, due_ns);
        let seq = writer.last_seq() + 1;
        // Release: pairs with the Acquire in `acknowledge`.
        clock.due_ns[usize::try_from(seq)?].store(due_ns, Ordering::Release);
        let before_ns = clock.now_ns();
        append(&mut writer, kind::ENTER, &BODY)?;
        let pads = match policy {
            Policy::Partial | Policy::Whole => false,
            Policy::Pad => true,
            Policy::Half => PAGE / 2 <= used(&writer),
        };
        if pads && padded_seq <= watermark.durable_seq() {
            padding += pad(&mut writer)?;
            padded_seq = writer.last_seq();
        }
        found.append_ns.push(clock.now_ns() - before_ns);
        writer.ring();
    }
    let last = writer.last_seq();
    writer.close()?;
    if watermark.durable_seq() != last {
        return Err("closed before everything was durable".into());
    }
    if let Ok(mut acknowledged) = clock.acknowledged.lock() {
        found.acknowledged_ns = std::mem::take(&mut acknowledged.1);
    }
    found.append_ns.sort_unstable();
    found.acknowledged_ns.sort_unstable();
    found.journal = ratio(count * SLOT + padding, count * SLOT);
    // Relaxed: the writer is closed.
    found.device = ratio(pages.0.load(Ordering::Relaxed), count * SLOT);
    Ok(found)
}

fn wait_until(clock: &Clockwork, due_ns: u64) {
    loop {
        let left = Duration::from_nanos(due_ns.saturating_sub(clock.now_ns()));
        if left.is_zero() {
            return;
        }
        if SLEEP_FROM <= left {
            thread::sleep(left.saturating_sub(SLEEP_FROM / 2));
        } else {
            std::hint::spin_loop();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio with two decimals")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Latencies of one write and sync of 64 KiB, in nanoseconds, sorted.
fn floor(dir: &Path) -> Outcome<Vec<u64>> {
    const LEN: usize = 64 << 10;
    const BLOCKS: u64 = 64;
    let path = dir.join("floor");
    let file: File =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
    let bytes = vec![1_u8; LEN];
    for block in 0..BLOCKS {
        file.write_all_at(&bytes, block * LEN as u64)?;
    }
    file.sync_all()?;
    fs::remove_file(&path)?;
    let mut found = Vec::new();
    for round in 0..300 {
        let start = Instant::now();
        file.write_all_at(&bytes, round % BLOCKS * LEN as u64)?;
        file.sync_data()?;
        found.push(u64::try_from(start.elapsed().as_nanos())?);
    }
    found.sort_unstable();
    Ok(found)
}

/// Median and range, in units of `unit_ns`.
fn spread(mut values: Vec<u64>, unit_ns: u64) -> String {
    values.sort_unstable();
    let shown = |value: u64| format!("{:.1}", ratio(value, unit_ns));
    let (first, last) = (values[0], values[values.len() - 1]);
    format!("{} ({}-{})", shown(values[values.len() / 2]), shown(first), shown(last))
}

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let parent = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
    let mut out = io::stdout().lock();
    writeln!(out, "median (range) of {REPETITIONS} runs of {seconds} s; append ns, sync us")?;
    for rate in RATES {
        let mut runs: Vec<Vec<Run>> = POLICIES.iter().map(|_| Vec::new()).collect();
        let mut floors = Vec::new();
        for _ in 0..REPETITIONS {
            for ((policy, _), runs) in POLICIES.iter().zip(&mut runs) {
                let plan = (*policy, rate, Duration::from_secs(seconds));
                runs.push(run(plan, &parent, &mut floors)?);
            }
        }
        let of = |per_10_000| floors.iter().map(|run| percentile(run, per_10_000)).collect();
        let (p50, p99) = (spread(of(5_000), 1_000), spread(of(9_900), 1_000));
        writeln!(out, "\n{rate}/s   floor: p50 {p50}, p99 {p99}")?;
        for ((_, name), runs) in POLICIES.iter().zip(&runs) {
            let of = |per_10_000, pick: fn(&Run) -> &[u64], unit_ns| {
                let values = runs.iter().map(|run| percentile(pick(run), per_10_000));
                spread(values.collect(), unit_ns)
            };
            let append: fn(&Run) -> &[u64] = |run| &run.append_ns;
            let acknowledged: fn(&Run) -> &[u64] = |run| &run.acknowledged_ns;
            write!(out, "{name:8} append: p50 {}", of(5_000, append, 1))?;
            write!(out, ", p99 {}, p99.99 {}", of(9_900, append, 1), of(9_999, append, 1))?;
            writeln!(out, ", max {}", of(10_000, append, 1))?;
            write!(out, "         acknowledged: p50 {}", of(5_000, acknowledged, 1_000))?;
            write!(out, ", p99 {}", of(9_900, acknowledged, 1_000))?;
            let mean = |pick: fn(&Run) -> f64| runs.iter().map(pick).fold(0.0, f64::max);
            let (journal, device) = (mean(|run| run.journal), mean(|run| run.device));
            writeln!(out, "   bytes: journal {journal:.2}, device {device:.2}")?;
        }
        out.flush()?;
    }
    Ok(())
}
