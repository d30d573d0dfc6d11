//! The journal on the simulated disk: the same code, and everything that disks do.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use uncross_journal::sim::{Fault, Lasts, Loss, SimDisk};
use uncross_journal::{
    Access, AppendError, CloseError, Identity, Level, OpenError, Operation, ReadError, Settings,
    Storage, Writer, bytes_of_a_change, kind, open,
};

use crate::images::Gate;
use crate::support::{
    BOOT_B, Kept, PATIENCE, append, assert_prefix, hash_after, identity, never_flushing, open_dir,
    replayed, settings, verify, writer,
};

const DIR: &str = "/sim/journal";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn dir() -> &'static Path {
    Path::new(DIR)
}

fn on(disk: &SimDisk) -> Settings {
    Settings { storage: disk.storage(), ..settings() }
}

fn rebooted(disk: &SimDisk) -> Settings {
    Settings { boot_id: Some(BOOT_B), ..on(disk) }
}

/// A closed journal of `records` records.
fn closed(records: u64) -> SimDisk {
    let disk = SimDisk::new();
    let mut writer = writer(dir(), &on(&disk));
    append(&mut writer, 1, records);
    writer.close().unwrap();
    disk
}

/// The first file with this ending.
fn file(disk: &SimDisk, extension: &str) -> std::path::PathBuf {
    let found = |path: &std::path::PathBuf| path.extension().is_some_and(|is| is == extension);
    disk.files().into_iter().find(found).unwrap()
}

#[test]
fn a_journal_on_the_simulated_disk_is_one_on_a_real_one() {
    let disk = closed(1500);
    let copy = tempfile::tempdir().unwrap();
    for path in disk.files() {
        fs::write(copy.path().join(path.file_name().unwrap()), disk.bytes(&path).unwrap()).unwrap();
    }
    let report = verify(copy.path());
    assert_eq!((report.last_seq, report.durable_seq), (1500, 1500));
    assert!(2 < report.sealed_segments, "{report:?}");
    let mut recovery = open_dir(dir(), &rebooted(&disk)).unwrap();
    assert_prefix(&replayed(&mut recovery), 1500, "read back");
}

#[test]
fn reads_and_writes_that_come_short_change_nothing() {
    for seed in 0..4 {
        let disk = SimDisk::new();
        disk.chop(seed);
        let mut first = writer(dir(), &on(&disk));
        append(&mut first, 1, 400);
        first.close().unwrap();
        let mut recovery = open_dir(dir(), &on(&disk)).unwrap();
        assert_prefix(&replayed(&mut recovery), 400, &format!("seed {seed}"));
        recovery.into_writer(0, hash_after(400)).unwrap().close().unwrap();
    }
}

#[test]
fn a_sector_that_cannot_be_read_stops_the_start_and_is_no_corruption() {
    let disk = closed(400);
    let path = file(&disk, "seg");
    disk.lose_sectors(&path, 8192..8704);
    let error = open_dir(dir(), &on(&disk)).unwrap_err();
    let OpenError::Read(ReadError::Disk(error)) = error else { panic!("{error}") };
    assert_eq!((error.operation, error.path), (Operation::Read, path));
    assert_eq!(error.source.raw_os_error(), Some(EIO));
    disk.heal();
    assert_eq!(open_dir(dir(), &on(&disk)).unwrap().last_seq(), 400);
}

#[test]
fn a_bit_that_turned_in_what_was_durable_is_corruption() {
    let disk = closed(400);
    for extension in ["seg", "open"] {
        let path = file(&disk, extension);
        for offset in [4096, 5000, 9000] {
            disk.flip(&path, offset, 3).unwrap();
            let error = open_dir(dir(), &rebooted(&disk)).unwrap_err();
            let OpenError::Read(ReadError::Corrupt(damage)) = error else { panic!("{error}") };
            assert!(damage.path == path && damage.offset <= offset, "{damage}");
            disk.flip(&path, offset, 3).unwrap();
        }
    }
    assert_eq!(open_dir(dir(), &rebooted(&disk)).unwrap().last_seq(), 400);
}

#[test]
fn what_a_failed_sync_dropped_is_written_again_by_the_next_start() {
    let disk = SimDisk::new();
    let gate = Gate::new(Operation::SyncPages, "open");
    let settings = Settings { level: Level::Group, probe: Some(gate.probe()), ..on(&disk) };
    let mut first = writer(dir(), &settings);
    let watermark = first.watermark();
    append(&mut first, 1, 10);
    first.ring();
    assert!(watermark.wait_durable(10, PATIENCE));
    gate.close();
    append(&mut first, 11, 300);
    first.ring();
    // The flusher stands before its next sync: it has noted the one before.
    gate.wait();
    disk.fail(Fault { at: disk.operations() + 1, errno: EIO, lasts: Lasts::Changes });
    gate.open();
    assert!(watermark.wait_poisoned(PATIENCE));
    let durable = watermark.durable_seq();
    let refused = first.append(Kept::of(301).entry(), 0);
    assert_eq!(refused, Err(AppendError::Poisoned));
    assert!(matches!(first.close(), Err(CloseError::Poisoned(_))));

    let killed = disk.killed().unwrap();
    let at_once = open_dir(dir(), &rebooted(&killed.cut(Loss::Some(1)).unwrap())).unwrap();
    assert!((10..300).contains(&at_once.last_seq()), "{}", at_once.last_seq());
    // The page cache has all of it, though no sync would write it any more.
    let recovery = open_dir(dir(), &on(&killed)).unwrap();
    assert_eq!((recovery.last_seq(), durable), (300, 10));
    let second = recovery.into_writer(0, hash_after(300)).unwrap();
    assert_eq!(second.watermark().durable_seq(), 300);
    let cut = killed.cut(Loss::Everything).unwrap();
    let mut recovery = open_dir(dir(), &rebooted(&cut)).unwrap();
    assert_prefix(&replayed(&mut recovery), 300, "after the power cut");
}

#[test]
fn a_power_cut_loses_what_was_not_synced_and_nothing_else() {
    let disk = SimDisk::new();
    let mut first = writer(dir(), &on(&disk));
    append(&mut first, 1, 200);
    assert!(first.watermark().wait_durable(200, PATIENCE));
    let cut = disk.cut(Loss::Everything).unwrap();
    assert_eq!(open_dir(dir(), &rebooted(&cut)).unwrap().last_seq(), 200);

    let disk = SimDisk::new();
    let mut second = writer(dir(), &Settings { storage: disk.storage(), ..never_flushing() });
    append(&mut second, 1, 200);
    let cut = disk.cut(Loss::Everything).unwrap();
    assert_eq!(open_dir(dir(), &rebooted(&cut)).unwrap().last_seq(), 0);
    let lasts: Vec<u64> = (0..64)
        .map(|seed| {
            let cut = disk.cut(Loss::Some(seed)).unwrap();
            let mut recovery = open_dir(dir(), &rebooted(&cut)).unwrap();
            let last = recovery.last_seq();
            assert_prefix(&replayed(&mut recovery), last, &format!("seed {seed}"));
            last
        })
        .collect();
    assert!(lasts.iter().any(|last| 0 < *last && *last < 200), "{lasts:?}");
}

#[test]
fn a_slow_disk_delays_what_is_durable_and_loses_nothing() {
    const PAUSE: Duration = Duration::from_millis(20);
    let disk = SimDisk::new();
    let mut slow = writer(dir(), &Settings { level: Level::Sync, ..on(&disk) });
    disk.delay(PAUSE);
    for seq in 1..=5 {
        let start = Instant::now();
        append(&mut slow, seq, seq);
        slow.ring();
        assert!(slow.watermark().wait_durable(seq, PATIENCE));
        assert!(PAUSE <= start.elapsed(), "{seq}");
    }
    let cut = disk.cut(Loss::Everything).unwrap();
    assert_eq!(open_dir(dir(), &rebooted(&cut)).unwrap().last_seq(), 5);
}

#[test]
fn a_disk_without_room_refuses_records_and_goes_on_when_there_is_some() {
    let disk = SimDisk::new();
    // The sidecar, the lock, and three segments but not a fourth.
    disk.limit(4 * (64 << 10) - 1);
    let mut short = writer(dir(), &on(&disk));
    assert!(short.watermark().wait_prepared(100_000, PATIENCE), "two spares");
    let slot = Kept { body: vec![1; 40], kind: kind::ENTER, ..Kept::of(1) };
    let mut seq = 0;
    let refused = loop {
        match short.append(Kept { seq: seq + 1, ..slot.clone() }.entry(), 0) {
            Ok(()) => seq += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::NotReady);
    assert!(short.watermark().wait_durable(seq, PATIENCE));
    while !short.watermark().short_of_space() {
        std::thread::yield_now();
    }
    let error = short.watermark().preparation_error().unwrap();
    assert_eq!(error.source.raw_os_error(), Some(ENOSPC));
    disk.heal();
    assert!(short.watermark().wait_prepared(1, PATIENCE), "there is room again");
    short.append(Kept { seq: seq + 1, ..slot }.entry(), 0).unwrap();
    short.close().unwrap();
    assert_eq!(open_dir(dir(), &on(&disk)).unwrap().last_seq(), seq + 1);
}

#[test]
fn a_sync_of_a_folder_keeps_the_names_in_it_and_no_others() {
    let disk = SimDisk::new();
    let storage = disk.storage().unwrap();
    let [left, right] = [Path::new("/left"), Path::new("/right")];
    let name = |folder: &Path| {
        storage.open(&folder.join("name"), Access::Create).unwrap();
    };
    storage.create_folder(left).unwrap();
    storage.create_folder(right).unwrap();
    storage.sync_folder(Path::new("/")).unwrap();
    name(left);
    name(right);
    storage.sync_folder(left).unwrap();
    assert_eq!(disk.cut(Loss::Everything).unwrap().files(), [left.join("name")]);
    storage.rename(&right.join("name"), &right.join("other")).unwrap();
    storage.remove(&left.join("name")).unwrap();
    storage.sync_folder(right).unwrap();
    let cut = disk.cut(Loss::Everything).unwrap();
    assert_eq!(cut.files(), [left.join("name"), right.join("other")]);
    // What is in a folder goes with its name.
    let within = right.join("new");
    storage.create_folder(&within).unwrap();
    name(&within);
    storage.sync_folder(&within).unwrap();
    assert_eq!(disk.cut(Loss::Everything).unwrap().files(), cut.files());
    storage.sync_folder(right).unwrap();
    assert_eq!(disk.cut(Loss::Everything).unwrap().files().len(), 3);
    let moved = storage.rename(&within.join("name"), &right.join("name")).unwrap_err();
    assert_eq!(moved.kind(), std::io::ErrorKind::CrossesDevices);
}

#[test]
fn a_journal_in_new_folders_is_there_after_a_power_cut() {
    let disk = SimDisk::new();
    let dir = Path::new("/new/venue/journal");
    let mut first = writer(dir, &on(&disk));
    append(&mut first, 1, 20);
    assert!(first.watermark().wait_durable(20, PATIENCE));
    let cut = disk.cut(Loss::Everything).unwrap();
    assert_eq!(open_dir(dir, &rebooted(&cut)).unwrap().last_seq(), 20);
    // The folder may be there from a start that was cut short before its name was durable.
    for at in 1..=6 {
        let disk = SimDisk::new();
        disk.fail(Fault { at, errno: EIO, lasts: Lasts::Everything });
        open_dir(dir, &on(&disk)).unwrap_err();
        disk.heal();
        let mut second = writer(dir, &on(&disk));
        append(&mut second, 1, 20);
        assert!(second.watermark().wait_durable(20, PATIENCE));
        let cut = disk.cut(Loss::Everything).unwrap();
        assert_eq!(open_dir(dir, &rebooted(&cut)).unwrap().last_seq(), 20, "operation {at}");
    }
}

#[test]
fn the_lock_is_held_as_long_as_the_journal_is_open() {
    let disk = closed(5);
    let held = open_dir(dir(), &on(&disk)).unwrap();
    let error = open_dir(dir(), &on(&disk)).unwrap_err();
    let OpenError::Locked { owner_pid, .. } = error else { panic!("{error}") };
    assert_eq!(owner_pid, Some(std::process::id()));
    drop(held);
    assert_eq!(open_dir(dir(), &on(&disk)).unwrap().last_seq(), 5);
    assert!(disk.exists(&dir().join("lock")).unwrap());
}

#[test]
fn a_page_that_changes_costs_one_page_and_the_look_at_it_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = bytes_of_a_change(dir.path()).unwrap();
    assert!(bytes.is_none_or(|bytes| bytes <= 4_096), "{bytes:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let error = bytes_of_a_change(&dir.path().join("nowhere")).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_program_that_takes_over_and_is_cut_short_anywhere_can_do_it_again() {
    let next = Identity { behaviour_version: 8, ..identity() };
    let begin = |disk: &SimDisk, boot: Settings| -> Result<Writer, OpenError> {
        let settings = Settings { storage: disk.storage(), ..boot };
        open(dir(), &settings, &next)?.into_writer(9, hash_after(5))
    };
    let whole = closed(5);
    let before = whole.operations();
    begin(&whole, settings()).unwrap().close().unwrap();
    let operations = whole.operations() - before;
    for at in 1..=operations {
        let disk = closed(5);
        disk.fail(Fault { at: disk.operations() + at, errno: EIO, lasts: Lasts::Changes });
        let Err(_) = begin(&disk, settings()) else { continue };
        disk.heal();
        for seed in 0..24 {
            let cut = disk.cut(Loss::Some(seed)).unwrap();
            let context = format!("operation {at}, seed {seed}");
            let second = begin(&cut, rebooted(&cut)).unwrap_or_else(|it| panic!("{context}: {it}"));
            second.close().unwrap();
            let recovery = open(dir(), &on(&cut), &next).unwrap();
            assert_eq!(
                (recovery.last_seq(), recovery.last_identity()),
                (5, Some(next)),
                "{context}"
            );
        }
    }
}
