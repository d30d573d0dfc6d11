//! Power cuts: a model of the device keeps only what was synced, and every state it goes through
//! must recover to at least the watermark of that moment.

use std::fs;
use std::sync::Arc;

use uncross_journal::{Completeness, Level, Settings};

use crate::device::{Cut, Device};
use crate::support::{
    BOOT_B, append, assert_prefix, hash_after, image, never_flushing, open_dir, replayed, settings,
    verify, writer,
};

/// Reboots with what `cut` left of a run at `level`; returns the last record that is there.
fn check(cut: &Cut, level: Level, appended: u64) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &cut.files {
        fs::write(dir.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    let context = &cut.context;
    let rebooted = Settings { boot_id: Some(BOOT_B), ..settings() };
    let mut recovery =
        open_dir(dir.path(), &rebooted).unwrap_or_else(|error| panic!("{context}: {error}"));
    let last = recovery.last_seq();
    // At level `async` something may have been acted upon that is gone now; at the others it was
    // held back.
    let is_proven = recovery.completeness() == Completeness::Proven;
    match level {
        Level::Async => assert!(!is_proven || [0, appended].contains(&last), "{context}: {last}"),
        Level::Group | Level::Sync => assert!(is_proven, "{context}"),
    }
    assert!(cut.durable <= last && last <= appended, "{context}: {} {last}", cut.durable);
    assert_prefix(&replayed(&mut recovery), last, context);
    let mut writer = recovery
        .into_writer(0, hash_after(last))
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    append(&mut writer, last + 1, last + 2);
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).last_seq, last + 2, "{context}");
    last
}

/// Appends in bursts of `burst` records under the eyes of the device; returns what it went through.
fn run(settings: &Settings, records: u64, burst: u64) -> Vec<Cut> {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("journal");
    fs::create_dir(&dir).unwrap();
    let device = Arc::new(Device::new(true));
    let probe: Arc<Device> = Arc::clone(&device);
    let mut writer = writer(&dir, &Settings { probe: Some(probe), ..settings.clone() });
    device.watch(writer.watermark());
    let mut last = 0;
    while last < records {
        append(&mut writer, last + 1, last + burst);
        writer.ring();
        last += burst;
        device.cut(&format!("after appending {last}"));
    }
    writer.close().unwrap();
    device.cut("after the close");
    device.cuts()
}

fn check_all(settings: &Settings, records: u64, burst: u64) {
    let cuts = run(settings, records, burst);
    let lasts: Vec<u64> = cuts.iter().map(|cut| check(cut, settings.level, records)).collect();
    assert_eq!(lasts.last(), Some(&records));
    let promised = cuts.iter().filter(|cut| 0 < cut.durable && cut.durable < records).count();
    assert!(0 < promised, "no cut came while records were promised");
}

#[test]
fn a_power_cut_at_any_moment_keeps_everything_durable() {
    for level in [Level::Async, Level::Group, Level::Sync] {
        check_all(&Settings { level, ..settings() }, 1000, 25);
    }
}

#[test]
fn a_power_cut_keeps_everything_durable_when_whole_pages_are_synced() {
    for level in [Level::Async, Level::Group] {
        check_all(&Settings { level, segment_len_bytes: 256 << 10, ..settings() }, 9000, 900);
    }
}

#[test]
fn a_start_after_a_kill_makes_everything_durable_before_it_says_so() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("journal");
    fs::create_dir(&dir).unwrap();
    let device = Arc::new(Device::new(true));
    let probe: Arc<Device> = Arc::clone(&device);
    let mut first = writer(&dir, &Settings { probe: Some(probe), ..never_flushing() });
    append(&mut first, 1, 700);
    // Killed here: the page cache has it all, the device next to nothing.
    let killed = image(&dir);
    device.cut("killed");
    let cut = device.cuts().pop().unwrap();
    assert!(check(&cut, Level::Async, 700) < 300);

    let device = Arc::new(Device::of(&cut, killed.path()));
    let probe: Arc<Device> = Arc::clone(&device);
    let second = writer(killed.path(), &Settings { probe: Some(probe), ..settings() });
    assert_eq!(second.watermark().durable_seq(), 700);
    device.watch(second.watermark());
    device.cut("started");
    for cut in device.cuts() {
        let last = check(&cut, Level::Async, 700);
        assert!(cut.context != "started" || last == 700, "{last}");
    }
}
