//! The k-th operation of a run fails, and then the process or the machine dies.

use std::thread;

use uncross_journal::{
    AppendError, CloseError, Level, OpenError, ReadError, Settings,
    sim::{Fault as Trouble, Lasts, Loss, SimDisk},
};

use crate::{
    Outcome, Scope,
    fixture::{
        BOOT, Due, EIO, ENOSPC, NEXT_BOOT, append_one, check, hash_after, recover, settings,
    },
    tally::{Fault, Tally},
};

/// Records of a run: two and a half segments.
const RECORDS: u64 = 700;
const BATCH: u64 = 50;
const LEVELS: [Level; 3] = [Level::Async, Level::Group, Level::Sync];
/// Seeds of power cuts after each run.
const CUTS: u64 = 6;

/// The ways in which an operation fails.
pub(crate) const WAYS: [(i32, Lasts); 5] = [
    (EIO, Lasts::Once),
    (EIO, Lasts::Changes),
    (EIO, Lasts::Everything),
    (ENOSPC, Lasts::Once),
    (ENOSPC, Lasts::Changes),
];

/// What a run came to.
struct Run {
    appended: u64,
    durable: u64,
    /// Whether anybody was told that something is wrong.
    is_told: bool,
}

/// Opens, appends and closes, whatever fails on `disk`.
fn run(disk: &SimDisk, level: Level) -> Outcome<Run> {
    let settings = Settings {
        level,
        flush_interval: std::time::Duration::from_millis(1),
        ..settings(disk, BOOT)
    };
    let (mut appended, mut is_told) = (0, false);
    let mut writer = match recover(&settings).and_then(|new| new.into_writer(0, hash_after(0))) {
        Ok(writer) => writer,
        Err(OpenError::Read(ReadError::Disk(_))) => {
            return Ok(Run { appended, durable: 0, is_told: true });
        }
        Err(error) => return Err(error.into()),
    };
    let watermark = writer.watermark();
    while appended < RECORDS && !is_told {
        match append_one(&mut writer, appended + 1) {
            Ok(()) => appended += 1,
            Err(AppendError::NotReady) => thread::yield_now(),
            Err(AppendError::Poisoned) => is_told = true,
            Err(error) => return Err(error.into()),
        }
        if appended % BATCH == 0 {
            writer.ring();
            // Lets the helpers come between.
            thread::yield_now();
        }
        is_told |= 0 < watermark.preparations_failed();
    }
    is_told |= match writer.close() {
        Err(CloseError::HelperPanicked) => return Err("a helper panicked".into()),
        closed => closed.is_err(),
    };
    is_told |= 0 < watermark.preparations_failed();
    Ok(Run { appended, durable: watermark.durable_seq(), is_told })
}

/// What may fail without anybody being told: what the next start puts right.
fn may_be_silent(failed: &str) -> bool {
    failed.starts_with("remove spare-")
}

/// Every failing operation of a run.
pub(crate) fn faults(scope: Scope) -> Outcome<Tally> {
    let stride = scope.stride(11);
    let level = |number: u64| LEVELS[usize::try_from(number).unwrap_or(0) % LEVELS.len()];
    let mut all = Tally::default();
    for number in 0..LEVELS.len() as u64 {
        let sound = SimDisk::new();
        let whole = run(&sound, level(number))?;
        if whole.is_told || whole.durable != RECORDS {
            return Err("a run without faults does not end".into());
        }
        // A run may need a few more than another.
        let operations = sound.operations() + 10;
        let done = scope.spread(|thread, tally| {
            for at in (1..=operations).filter(|at| at % scope.threads == thread) {
                if (at / scope.threads).is_multiple_of(stride) {
                    for way in WAYS {
                        one(tally, level(number), at, way)?;
                    }
                }
            }
            Ok(())
        })?;
        all = all.plus(done);
    }
    Ok(all)
}

fn one(tally: &mut Tally, level: Level, at: u64, way: (i32, Lasts)) -> Outcome<()> {
    let (errno, lasts) = way;
    let disk = SimDisk::new();
    disk.fail(Trouble { at, errno, lasts });
    let run = run(&disk, level)?;
    let failed = disk.failed().unwrap_or_default();
    let lasting = if lasts == Lasts::Once { "" } else { " and those after it" };
    let told = format!("{level:?}, error {errno} at operation {at}{lasting}: {failed}");
    if !run.is_told && !failed.is_empty() && !may_be_silent(&failed) {
        tally.fault(Fault::Wrong, format!("{told}: nobody is told"));
    }
    if run.appended < run.durable {
        tally.fault(Fault::Wrong, format!("{told}: durable {} of {}", run.durable, run.appended));
    }
    let due = Due { least: run.durable, most: run.appended };
    for seed in 0..CUTS {
        let cut = disk.cut(if seed == 0 { Loss::Everything } else { Loss::Some(at * 7 + seed) })?;
        check(tally, &cut, NEXT_BOOT, due, &format!("{told}, power cut {seed}"))?;
    }
    // The process died, the machine did not: all that was appended is there.
    let killed = disk.killed()?;
    let due = Due { least: run.appended, most: run.appended };
    check(tally, &killed, BOOT, due, &format!("{told}, killed"))?;
    Ok(())
}
