//! A predictable record for every sequence number, and journals of them.

use std::{convert::Infallible, path::Path, time::Duration};

use uncross_journal::{
    AppendError, Entry, Identity, Level, OpenError, Recovery, Settings, Writer, kind, open,
    sim::{Loss, SimDisk},
};

use crate::{
    Outcome,
    tally::{Fault, Tally},
};

/// Longer than any step takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Boots of the machine.
pub(crate) const BOOT: [u8; 16] = [0xA1; 16];
pub(crate) const NEXT_BOOT: [u8; 16] = [0xB2; 16];
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EIO: i32 = 5;

/// One step of the generator `SplitMix64`.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(crate) fn dir() -> &'static Path {
    Path::new("/sim/journal")
}

/// The body that every journal has under `seq`: mostly one slot, some longer, few very long.
pub(crate) fn body(seq: u64) -> Vec<u8> {
    let len = match mix(seq) % 64 {
        0 => 4000,
        1..8 => mix(seq + 1) % 400,
        _ => mix(seq + 2) % 41,
    };
    // No byte is zero, so that each one that is missing counts.
    (0..len).map(|at| mix(seq ^ at << 32).to_le_bytes()[0] | 1).collect()
}

/// Bytes it takes in a segment.
pub(crate) fn len_bytes(seq: u64) -> u64 {
    (24 + body(seq).len() as u64).next_multiple_of(64)
}

pub(crate) fn hash_after(seq: u64) -> u64 {
    mix(seq)
}

/// The shortest segments, synced only when the journal is closed.
pub(crate) fn settings(disk: &SimDisk, boot_id: [u8; 16]) -> Settings {
    Settings {
        segment_len_bytes: 64 << 10,
        level: Level::Async,
        flush_interval: Duration::from_hours(1),
        boot_id: Some(boot_id),
        storage: disk.storage(),
        ..Settings::default()
    }
}

pub(crate) fn recover(settings: &Settings) -> Result<Recovery, OpenError> {
    let identity = Identity { behaviour_version: 1, config_hash: [2; 32], build_id: [3; 32] };
    open(dir(), settings, &identity)
}

pub(crate) fn start(settings: &Settings) -> Outcome<Writer> {
    let recovery = recover(settings)?;
    let last_seq = recovery.last_seq();
    Ok(recovery.into_writer(last_seq, hash_after(last_seq))?)
}

pub(crate) fn append_one(writer: &mut Writer, seq: u64) -> Result<(), AppendError> {
    let body = body(seq);
    let entry = Entry { seq, time_ns: seq, kind: kind::ENTER, flags: 0, body: &body };
    writer.append(entry, hash_after(seq - 1))
}

/// Appends the records of `first..=last`, waiting for prepared segments where it must.
pub(crate) fn append(writer: &mut Writer, first: u64, last: u64) -> Outcome<()> {
    for seq in first..=last {
        loop {
            match append_one(writer, seq) {
                Err(AppendError::NotReady) => {
                    if !writer.watermark().wait_prepared(1, PATIENCE) {
                        return Err("nothing gets prepared".into());
                    }
                }
                done => break done?,
            }
        }
    }
    Ok(())
}

/// Whether a recovered journal holds exactly the records up to its last one.
pub(crate) fn is_prefix(recovery: &mut Recovery) -> bool {
    let (last, mut next) = (recovery.last_seq(), 1);
    let mut is_right = true;
    let read = recovery.replay(|record| {
        if record.kind == kind::CHECKPOINT {
            return Ok::<_, Infallible>(());
        }
        is_right &= record.seq == next && record.body == body(next).as_slice();
        next += 1;
        Ok(())
    });
    read.is_ok() && is_right && next == last + 1
}

/// What must be found in an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// Records that were acknowledged.
    pub(crate) least: u64,
    /// Records that may be there.
    pub(crate) most: u64,
}

/// Opens an image and judges it, then goes on with it: what was found must be durable, and more
/// can be appended. Returns the last record found.
///
/// # Errors
///
/// The simulation itself failed.
pub(crate) fn check(
    tally: &mut Tally,
    disk: &SimDisk,
    boot_id: [u8; 16],
    due: Due,
    told: &str,
) -> Outcome<Option<u64>> {
    tally.image();
    let settings = settings(disk, boot_id);
    let mut recovery = match recover(&settings) {
        Ok(recovery) => recovery,
        Err(error) => {
            tally.fault(Fault::Refused, format!("{told}: {error}"));
            return Ok(None);
        }
    };
    let last = recovery.last_seq();
    if last < due.least {
        tally.fault(Fault::Lost, format!("{told}: {last} of {} acknowledged", due.least));
    }
    if due.most < last || !is_prefix(&mut recovery) {
        tally.fault(Fault::Wrong, format!("{told}: {last} of {} appended", due.most));
    }
    go_on(tally, recovery, (disk, last), told)?;
    Ok(Some(last))
}

/// Starts a recovered journal: all of it survives a power cut at once, and after a close so does
/// what was appended since.
fn go_on(
    tally: &mut Tally,
    recovery: Recovery,
    (disk, last): (&SimDisk, u64),
    told: &str,
) -> Outcome<()> {
    let mut writer = match recovery.into_writer(last, hash_after(last)) {
        Ok(writer) => writer,
        Err(error) => {
            tally.fault(Fault::Refused, format!("{told}: start: {error}"));
            return Ok(());
        }
    };
    let at_once = disk.cut(Loss::Everything)?;
    append(&mut writer, last + 1, last + 3)?;
    if let Err(error) = writer.close() {
        tally.fault(Fault::Refused, format!("{told}: close: {error}"));
    }
    let closed = disk.cut(Loss::Everything)?;
    for (image, expected) in [(at_once, last), (closed, last + 3)] {
        match recover(&settings(&image, [0xC3; 16])) {
            Ok(mut recovery) => {
                let found = recovery.last_seq();
                if found < expected {
                    tally.fault(Fault::Lost, format!("{told}: {found} of {expected} after start"));
                } else if found != expected || !is_prefix(&mut recovery) {
                    tally.fault(Fault::Wrong, format!("{told}: {found} of {expected} after start"));
                }
            }
            Err(error) => tally.fault(Fault::Refused, format!("{told}: after start: {error}")),
        }
    }
    Ok(())
}
