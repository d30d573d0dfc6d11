//! The power fails, or the process is killed, at every operation of a run.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use uncross_journal::{
    AppendError, Level, Operation, Probe, Settings, Watermark, Writer,
    sim::{Loss, SimDisk},
};

use crate::{
    Outcome, Scope,
    fixture::{BOOT, Due, NEXT_BOOT, PATIENCE, append_one, check, mix, settings, start},
    tally::Tally,
};

const RECORDS: u64 = 600;
const BATCH: u64 = 20;
const LEVELS: [Level; 3] = [Level::Async, Level::Group, Level::Sync];
/// Runs at each level.
const ROUNDS: u64 = 64;

/// Cuts the power and kills the process before each operation.
struct Cutter {
    disk: SimDisk,
    round: u64,
    /// Held while a record is appended: a process is killed at one instant, so that its image must
    /// not be copied while another thread writes.
    appending_now: Mutex<()>,
    /// Records that are appended by now.
    appended: AtomicU64,
    watermark: OnceLock<Arc<Watermark>>,
    cuts: Mutex<Vec<Cut>>,
}

/// What was left, and what was promised before.
struct Cut {
    disk: SimDisk,
    boot_id: [u8; 16],
    due: Due,
    told: String,
}

impl fmt::Debug for Cutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cutter")
    }
}

impl Cutter {
    fn append(&self, writer: &mut Writer, seq: u64) -> Outcome<()> {
        loop {
            let still = self.appending_now.lock().unwrap_or_else(PoisonError::into_inner);
            let done = append_one(writer, seq);
            self.appended.fetch_add(u64::from(done.is_ok()), Ordering::SeqCst);
            // Whoever prepares segments comes through here too.
            drop(still);
            match done {
                Err(AppendError::NotReady) => {
                    if !writer.watermark().wait_prepared(1, PATIENCE) {
                        return Err("nothing gets prepared".into());
                    }
                }
                done => return Ok(done?),
            }
        }
    }
}

impl Probe for Cutter {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if matches!(operation, Operation::Populate | Operation::Random | Operation::Read) {
            return Ok(());
        }
        let _still = self.appending_now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = mix(self.round << 32 | cuts.len() as u64);
        // Before the cut: what is promised now must be in it.
        let least = self.watermark.get().map_or(0, |mark| mark.durable_seq());
        let loss = if seed.is_multiple_of(8) { Loss::Everything } else { Loss::Some(seed) };
        let appended = self.appended.load(Ordering::SeqCst);
        let (cut, killed) = (self.disk.cut(loss)?, self.disk.killed()?);
        let name = path.file_name().unwrap_or_default().display();
        let told = format!("{loss:?} before {operation:?} {name}");
        cuts.push(Cut { disk: cut, boot_id: NEXT_BOOT, due: Due { least, most: appended }, told });
        let told = format!("killed before {operation:?} {name}");
        let due = Due { least: appended, most: appended };
        cuts.push(Cut { disk: killed, boot_id: BOOT, due, told });
        Ok(())
    }
}

/// Every operation of runs at each level.
pub(crate) fn power(scope: Scope) -> Outcome<Tally> {
    let rounds = if scope.is_whole { ROUNDS } else { 1 };
    scope.spread(|thread, tally| {
        for round in (0..rounds).filter(|round| round % scope.threads == thread) {
            for level in LEVELS {
                for cut in run(level, round)? {
                    let told = format!("{level:?}, round {round}: {}", cut.told);
                    check(tally, &cut.disk, cut.boot_id, cut.due, &told)?;
                }
            }
        }
        Ok(())
    })
}

fn run(level: Level, round: u64) -> Outcome<Vec<Cut>> {
    let disk = SimDisk::new();
    let cutter = Arc::new(Cutter {
        disk: disk.clone(),
        round,
        appending_now: Mutex::default(),
        appended: AtomicU64::new(0),
        watermark: OnceLock::new(),
        cuts: Mutex::default(),
    });
    let probe: Arc<Cutter> = Arc::clone(&cutter);
    let settings = Settings {
        level,
        flush_interval: Duration::from_millis(1),
        probe: Some(probe),
        ..settings(&disk, BOOT)
    };
    let mut writer = start(&settings)?;
    let watermark = writer.watermark();
    cutter.watermark.get_or_init(|| Arc::clone(&watermark));
    let mut last = 0;
    while last < RECORDS {
        for seq in last + 1..=last + BATCH {
            cutter.append(&mut writer, seq)?;
        }
        last += BATCH;
        writer.ring();
        // Some batches wait for their acknowledgement, so that there are promises to break.
        if last % (4 * BATCH) == 0 && !watermark.wait_durable(last, PATIENCE) {
            return Err("nothing gets durable".into());
        }
    }
    writer.close()?;
    let mut cuts = cutter.cuts.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *cuts))
}
