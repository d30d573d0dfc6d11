//! What a writer's level means: who syncs when, and who is told.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use uncross_journal::{Level, OnDurable, Settings};

use crate::support::{PATIENCE, append, settings, verify, writer};

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
