//! What a writer's level means: who syncs when, and who is told.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use uncross_journal::{Completeness, Level, OnDurable, Settings, Writer, kind};

use crate::support::{
    BOOT_A, BOOT_B, Kept, PATIENCE, append, append_one, hash_after, image, open_dir, settings,
    verify, writer,
};

/// Levels at which a record is synced because somebody asks for it.
const ASKED: [Level; 2] = [Level::Group, Level::Sync];

/// As [`settings`], at `level` and without anything that happens by the clock.
fn at(level: Level) -> Settings {
    Settings { level, flush_interval: Duration::from_hours(1), ..settings() }
}

#[test]
fn a_ring_gets_every_record_onto_the_device() {
    for level in ASKED {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path(), &at(level));
        assert_eq!(writer.level(), level);
        let watermark = writer.watermark();
        let mut last = 0;
        for burst in [1, 1, 2, 40, 1, 200, 1, 900, 3] {
            append(&mut writer, last + 1, last + burst);
            last += burst;
            writer.ring();
            assert!(watermark.wait_durable(last, PATIENCE), "{level:?}: {last}");
        }
        writer.close().unwrap();
        assert_eq!(verify(dir.path()).last_seq, last);
    }
}

#[test]
fn whoever_waits_is_told_of_each_advance() {
    for level in ASKED {
        let dir = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        let tell = move || tell.send(()).unwrap();
        let on_durable = Some(OnDurable(Arc::new(tell)));
        let mut writer = writer(dir.path(), &Settings { on_durable, ..at(level) });
        let watermark = writer.watermark();
        for seq in 1..=50 {
            append(&mut writer, seq, seq);
            writer.ring();
            while watermark.durable_seq() < seq {
                told.recv_timeout(PATIENCE).expect("a word of the advance");
            }
        }
        writer.close().unwrap();
    }
}

/// What a start on boot `boot_id` can prove of a copy of `dir`.
fn completeness(dir: &Path, boot_id: [u8; 16]) -> Completeness {
    let settings = Settings { boot_id: Some(boot_id), ..settings() };
    open_dir(image(dir).path(), &settings).unwrap().completeness()
}

#[test]
fn the_weaker_of_two_levels_counts_until_its_records_are_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &at(Level::Async));
    append(&mut first, 1, 10);
    // Killed, and started again at another level: from here on all of it is on the device.
    let copy = image(dir.path());
    assert_eq!(completeness(copy.path(), BOOT_B), Completeness::Unproven);
    let mut second = writer(copy.path(), &at(Level::Group));
    append(&mut second, 11, 20);
    assert_eq!(completeness(copy.path(), BOOT_B), Completeness::Proven);
    drop(second);
    let mut third = writer(copy.path(), &at(Level::Async));
    append(&mut third, 21, 30);
    assert_eq!(completeness(copy.path(), BOOT_B), Completeness::Unproven);
}

fn append_kind(writer: &mut Writer, kind: u8) {
    let seq = writer.last_seq() + 1;
    append_one(writer, &Kept { kind, ..Kept::of(seq) }).unwrap();
}

#[test]
fn a_loss_stays_unproven_until_an_epoch_that_answers_it_is_durable() {
    for level in [Level::Async, Level::Group] {
        let dir = tempfile::tempdir().unwrap();
        let mut first = writer(dir.path(), &at(Level::Async));
        append(&mut first, 1, 10);
        let copy = image(dir.path());
        let rebooted = Settings { boot_id: Some(BOOT_B), ..at(level) };
        // A start that gets no further than the writer does not count as an answer, nor does a
        // clean end, nor a record that opens no epoch.
        for close in [false, true] {
            let mut writer = writer(copy.path(), &rebooted);
            append_kind(&mut writer, kind::TICK);
            writer.set_epoch(1);
            if close {
                writer.close().unwrap();
            }
            assert_eq!(completeness(copy.path(), BOOT_B), Completeness::Unproven, "{level:?}");
        }
        let mut answering = writer(copy.path(), &rebooted);
        append_kind(&mut answering, kind::EPOCH);
        let last = answering.last_seq();
        answering.close().unwrap();
        for boot_id in [BOOT_A, BOOT_B] {
            assert_eq!(completeness(copy.path(), boot_id), Completeness::Proven, "{level:?}");
        }
        let recovery = open_dir(copy.path(), &rebooted).unwrap();
        assert_eq!(recovery.last_seq(), last);
        drop(recovery.into_writer(0, hash_after(last)).unwrap());
    }
}
