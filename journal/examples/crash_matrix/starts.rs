//! The start after a crash fails at its k-th operation, and is tried again.

use uncross_journal::{
    CloseError, Level, Settings,
    sim::{Fault as Trouble, Lasts, Loss, SimDisk},
};

use crate::{
    Outcome, Scope,
    faults::WAYS,
    fixture::{BOOT, Due, NEXT_BOOT, append, check, hash_after, recover, settings, start},
    tally::{Fault, Tally},
};

/// Records before the crash: some segments, none of the last of them synced.
const RECORDS: u64 = 500;
/// Of them durable.
const DURABLE: u64 = 200;
/// Seeds of crashes.
const CRASHES: u64 = 24;
/// No start needs so many operations.
const OPERATIONS_MAX: u64 = 10_000;

/// A journal with much to put right: the first seed is a killed process, the others power cuts.
fn crashed(seed: u64) -> Outcome<(SimDisk, [u8; 16])> {
    let disk = SimDisk::new();
    let held = |disk: &SimDisk| Settings { level: Level::Group, ..settings(disk, BOOT) };
    let mut writer = start(&held(&disk))?;
    append(&mut writer, 1, DURABLE)?;
    writer.close()?;
    let mut writer = start(&held(&disk))?;
    let patience = crate::fixture::PATIENCE;
    if !writer.watermark().wait_prepared(2 * (50 << 10), patience) {
        return Err("nothing gets prepared".into());
    }
    append(&mut writer, DURABLE + 1, RECORDS)?;
    let (image, boot_id) = match seed {
        0 => (disk.killed()?, BOOT),
        _ => (disk.cut(Loss::Some(seed))?, NEXT_BOOT),
    };
    Ok((image, boot_id))
}

/// Every failing operation of a start.
pub(crate) fn starts(scope: Scope) -> Outcome<Tally> {
    let stride = scope.stride(9);
    scope.spread(|thread, tally| {
        for seed in 0..if scope.is_whole { CRASHES } else { 2 } {
            let (image, boot_id) = crashed(seed)?;
            let found = match recover(&settings(&image, boot_id)) {
                Ok(recovery) => recovery.last_seq(),
                Err(error) => {
                    tally.fault(Fault::Refused, format!("crash {seed}: {error}"));
                    continue;
                }
            };
            let least = if boot_id == BOOT { RECORDS } else { DURABLE };
            if found < least {
                tally.fault(Fault::Lost, format!("crash {seed}: {found} of {least}"));
            }
            for at in (1..OPERATIONS_MAX).filter(|at| at % scope.threads == thread) {
                if !(at / scope.threads).is_multiple_of(stride) {
                    continue;
                }
                let mut is_over = true;
                for way in WAYS {
                    is_over &= !one(tally, (&image, boot_id, found), at, way)?;
                }
                if is_over {
                    break;
                }
            }
        }
        Ok(())
    })
}

/// One start; false when it was over before the operation that should fail.
fn one(
    tally: &mut Tally,
    (image, boot_id, found): (&SimDisk, [u8; 16], u64),
    at: u64,
    (errno, lasts): (i32, Lasts),
) -> Outcome<bool> {
    let disk = image.killed()?;
    disk.fail(Trouble { at, errno, lasts });
    let settings = Settings { level: Level::Group, ..settings(&disk, boot_id) };
    let started = recover(&settings).and_then(|it| it.into_writer(found, hash_after(found)));
    let is_started = started.is_ok();
    if let Ok(writer) = started {
        // What fails now is a matter of the run, unless it is we who fail.
        if let Err(CloseError::HelperPanicked) = writer.close() {
            return Err("a helper panicked".into());
        }
    }
    let Some(failed) = disk.failed() else { return Ok(false) };
    let told = format!("start, error {errno} at operation {at}, {lasts:?}: {failed}");
    let cut = disk.cut(Loss::Some(at))?;
    // Of a start that failed nobody was told anything.
    let durable = if is_started { found } else { DURABLE };
    let due = Due { least: durable, most: found };
    check(tally, &cut, [0xD4; 16], due, &format!("{told}, power cut"))?;
    let due = Due { least: found, most: found };
    let killed = disk.killed()?;
    check(tally, &killed, boot_id, due, &format!("{told}, tried again"))?;
    Ok(true)
}
