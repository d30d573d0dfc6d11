//! The folder of the journal: its file system, its room, and what a sync of it costs.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use uncross_server::{
    config::{Config, units::format_size},
    journal::bytes_of_a_change,
};

use super::{Finding, is_durable};

/// Bytes of the writes that are measured: a page, and what a busy venue syncs at once.
const WRITES: [(&str, usize); 2] = [("sync 4KiB", 4 << 10), ("sync 64KiB", 64 << 10)];
/// Length of the scratch file; the writes go round in it.
const SCRATCH_LEN: u64 = 4 << 20;
/// Bytes of a page.
const PAGE: u64 = 4_096;
/// Slowest sync of one in a hundred that a durable level is comfortable with.
const SYNC_P99_MAX: Duration = Duration::from_millis(2);
/// File systems whose files survive a loss of power and whose locks and mappings are local.
const GOOD: [&str; 4] = ["ext4", "xfs", "btrfs", "zfs"];

/// Everything about `folder`.
pub(super) fn look(folder: &Path, config: &Config, syncs: u64) -> Vec<Finding> {
    let mut findings = vec![file_system(folder), room(folder, config.journal.segment)];
    let scratch = match tempfile::tempfile_in(folder) {
        Ok(scratch) => scratch,
        Err(error) => {
            let fix = format!("check the permissions of {}", folder.display());
            let found = error.to_string();
            findings.push(Finding::fail("scratch", found, "a folder that can be written", fix));
            return findings;
        }
    };
    findings.push(preallocation(&scratch));
    findings.push(page_writes(folder));
    if 0 < syncs {
        for (name, len) in WRITES {
            findings.push(sync(name, &scratch, len, syncs, is_durable(config)));
        }
    }
    findings
}

/// The type of the file system that holds `folder`, as the kernel lists its mounts.
fn mounted(folder: &Path, mounts: &str) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let rows = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let at = before.split_whitespace().nth(4)?;
        folder.starts_with(at).then_some((at.len(), after.split_whitespace().next()?))
    });
    // Of mounts at the same place the last one counts.
    let (_, kind) = rows.max_by_key(|(len, _)| *len)?;
    Some(kind.to_owned())
}

fn file_system(folder: &Path) -> Finding {
    let name = "file system";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kind = mounted(folder, &mounts).unwrap_or_else(|| "unknown".to_owned());
    let found = format!("{kind} at {}", folder.display());
    if GOOD.contains(&kind.as_str()) {
        return Finding::ok(name, found);
    }
    let expected = "ext4, xfs, btrfs or zfs on a local disk";
    let fix = match kind.as_str() {
        "tmpfs" | "ramfs" => "move the folder: what is there is lost with the power",
        _ => "move the folder, or make sure that this file system keeps what was synced",
    };
    Finding::warn(name, found, expected, fix)
}

fn room(folder: &Path, segment: u64) -> Finding {
    let name = "room";
    let free = match statvfs(folder) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            let fix = format!("check the path {}", folder.display());
            return Finding::fail(name, error.to_string(), "a folder that exists", fix);
        }
    };
    let found = format!("{} MiB free", free >> 20);
    let (least, good) = (segment.saturating_mul(2), segment.saturating_mul(16));
    let fix = "free space, or move the folder to a larger disk";
    if free < least {
        let expected = format!("at least {}: two journal segments", format_size(least));
        return Finding::fail(name, found, expected, fix);
    }
    if free < good {
        let expected = format!("{} or more: 16 journal segments", format_size(good));
        return Finding::warn(name, found, expected, fix);
    }
    Finding::ok(name, found)
}

fn preallocation(scratch: &File) -> Finding {
    let name = "fallocate";
    match fallocate(scratch, FallocateFlags::empty(), 0, SCRATCH_LEN) {
        Ok(()) => Finding::ok(name, "works"),
        Err(error) => {
            let expected = "segments get their room ahead, so that no order meets a full disk";
            let fix = "use a file system that has it: ext4, xfs or btrfs";
            Finding::fail(name, error.to_string(), expected, fix)
        }
    }
}

/// What a sync of one page writes.
fn page_writes(folder: &Path) -> Finding {
    let name = "page writes";
    let expected = "one page for each page of the journal that changes";
    match bytes_of_a_change(folder) {
        Ok(None) => Finding::ok(name, "not told by this kernel"),
        Ok(Some(bytes)) if bytes <= PAGE => Finding::ok(name, format!("{bytes} bytes a page")),
        Ok(Some(bytes)) => {
            let fix = "use ext4 or xfs with blocks of 4 KiB; each sync writes that much here";
            Finding::warn(name, format!("{bytes} bytes a page"), expected, fix)
        }
        Err(error) => {
            let fix = format!("check the permissions of {}", folder.display());
            Finding::fail(name, error.to_string(), expected, fix)
        }
    }
}

/// What it costs to write `len` bytes and wait until they are on the device.
fn sync(name: &'static str, scratch: &File, len: usize, syncs: u64, is_durable: bool) -> Finding {
    let histogram = match measure(scratch, len, syncs) {
        Ok(histogram) => histogram,
        Err(error) => {
            let fix = "look at the system log: the device or the file system fails";
            return Finding::fail(name, error.to_string(), "writes that reach the device", fix);
        }
    };
    let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
    let (p50, p99) = (at(0.5), at(0.99));
    let micros = |duration: Duration| duration.as_micros();
    let found = format!("p50 {} us, p99 {} us of {syncs}", micros(p50), micros(p99));
    if p99 <= SYNC_P99_MAX || !is_durable {
        return Finding::ok(name, found);
    }
    let expected = format!("p99 of at most {} us: orders wait for it", micros(SYNC_P99_MAX));
    let fix = "use a disk with power-loss protection, or journal.level = \"async\"";
    Finding::warn(name, found, expected, fix)
}

fn measure(scratch: &File, len: usize, syncs: u64) -> io::Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3).map_err(io::Error::other)?;
    let bytes = vec![0x55; len];
    let places = SCRATCH_LEN / u64::try_from(len).map_err(io::Error::other)?;
    for count in 0..syncs {
        let offset = count % places * (SCRATCH_LEN / places);
        let begun = Instant::now();
        scratch.write_all_at(&bytes, offset)?;
        scratch.sync_data()?;
        let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        histogram.record(ns).map_err(io::Error::other)?;
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn the_innermost_mount_is_the_one() {
        let mounts = "\
22 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /proc rw - proc proc rw
31 30 0:26 / /proc/self rw - tmpfs tmpfs rw";
        assert_eq!(mounted(Path::new("/"), mounts).as_deref(), Some("ext4"));
        assert_eq!(mounted(Path::new("/proc"), mounts).as_deref(), Some("proc"));
        assert_eq!(mounted(Path::new("/nowhere"), mounts), None);
    }

    #[test]
    fn every_sync_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = tempfile::tempfile_in(folder.path()).unwrap();
        let histogram = measure(&scratch, 64 << 10, 70).unwrap();
        assert_eq!(histogram.len(), 70, "more than fit the file once");
        assert!(1_000 <= histogram.min(), "no 64 KiB reach a device within 1 us");
        assert_eq!(scratch.metadata().unwrap().len(), SCRATCH_LEN);
    }

    #[test]
    fn room_is_judged_by_the_segments_that_fit() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(room(folder.path(), 1 << 16).status, Status::Ok);
        assert_eq!(room(folder.path(), 1 << 60).status, Status::Fail);
        assert_eq!(room(Path::new("/nowhere"), 1).status, Status::Fail);
    }
}
