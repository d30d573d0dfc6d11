//! What is written comes back, over segments, restarts and changes of identity.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use uncross_journal::{
    AppendError, Completeness, Identity, OpenError, Reader, Settings, kind, open,
};

use crate::support::{
    BOOT_B, Kept, PATIENCE, append, append_one, assert_prefix, files, hash_after, identity, image,
    open_dir, open_segment, replayed, settings, verify, writer,
};

#[test]
fn records_come_back_over_many_segments_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut last = 0;
    for round in 1..=4_u64 {
        let mut writer = writer(dir, &settings());
        assert_eq!(writer.last_seq(), last);
        for _ in 0..5 {
            append(&mut writer, last + 1, last + 200);
            last += 200;
            writer.checkpoint(hash_after(last), last * 1000).unwrap();
        }
        writer.close().unwrap();
        let mut recovery = open_dir(dir, &settings()).unwrap();
        assert_prefix(&replayed(&mut recovery), last, &format!("round {round}"));
        assert_eq!(recovery.last_seq(), last);
        assert_eq!(recovery.last_time_ns(), last * 1000);
        assert_eq!(recovery.torn(), None);
    }
    assert!(4 < files(dir, "seg").len(), "{:?}", files(dir, "seg"));
    assert_eq!(files(dir, "pre"), Vec::<std::path::PathBuf>::new());
    let report = verify(dir);
    assert_eq!((report.first_seq, report.last_seq, report.records), (1, last, last));
    assert_eq!(report.durable_seq, last);
    assert_eq!(report.output_hash, Some((last, hash_after(last))));
    assert_eq!(report.checkpoints, 20);
    assert_eq!(report.segments, report.sealed_segments + 1);
    assert_eq!(report.identity, Some(identity()));
}

#[test]
fn every_body_length_and_kind_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let kept: Vec<Kept> = (0..=0x16_u8)
        .flat_map(|kind| [0, 1, 40, 41, 104, 4000].map(|len| (kind + 1, len)))
        .zip(1..)
        .map(|((kind, len), seq)| {
            let body = (0..len).map(|i: u32| i.to_le_bytes()[0]).collect();
            Kept { seq, time_ns: 5, kind, flags: 0xFF, body }
        })
        .collect();
    for kept in &kept {
        append_one(&mut writer, kept).unwrap();
    }
    writer.close().unwrap();
    assert_eq!(replayed(&mut open_dir(dir.path(), &settings()).unwrap()), kept);
}

#[test]
fn a_restart_goes_on_in_the_open_segment() {
    let dir = tempfile::tempdir().unwrap();
    for seq in 1..=5 {
        let mut writer = writer(dir.path(), &settings());
        append(&mut writer, seq, seq);
        writer.close().unwrap();
    }
    assert_eq!(files(dir.path(), "seg").len(), 0);
    assert_eq!(open_segment(dir.path()).file_name().unwrap(), "00000000000000000001.open");
    assert_eq!(verify(dir.path()).last_seq, 5);
}

#[test]
fn another_identity_starts_a_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 3);
    first.close().unwrap();
    let next = Identity { behaviour_version: 8, ..identity() };
    let recovery = open(dir.path(), &settings(), &next).unwrap();
    assert_eq!(recovery.last_identity(), Some(identity()));
    let mut second = recovery.into_writer(9, hash_after(3)).unwrap();
    append(&mut second, 4, 5);
    second.close().unwrap();
    assert_eq!(files(dir.path(), "seg").len(), 1);
    assert_eq!(open_segment(dir.path()).file_name().unwrap(), "00000000000000000004.open");
    let report = verify(dir.path());
    assert_eq!((report.last_seq, report.identity), (5, Some(next)));
    assert_eq!(report.output_hash, Some((3, hash_after(3))), "the seal carries the hash");
}

/// What the first record of a segment says, if it is an upgrade: versions before and since.
fn upgrade(path: &Path) -> Option<[u32; 4]> {
    let file = fs::read(path).unwrap();
    let record = &file[4096..4160];
    let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
    (record[6] == kind::UPGRADE).then(|| [word(24), word(28), word(32), word(36)])
}

#[test]
fn another_program_takes_over_behind_an_upgrade_record() {
    let dir = tempfile::tempdir().unwrap();
    let same = identity();
    let programs = [
        (same, None),
        (Identity { config_hash: [9; 32], ..same }, None),
        (Identity { build_id: [9; 32], ..same }, Some([2, 7, 2, 7])),
        (Identity { behaviour_version: 8, ..same }, Some([2, 7, 2, 8])),
    ];
    for (seq, (program, expected)) in (1..).zip(programs) {
        let recovery = open(dir.path(), &settings(), &program).unwrap();
        let mut writer = recovery.into_writer(seq, hash_after(seq - 1)).unwrap();
        append(&mut writer, seq, seq);
        writer.close().unwrap();
        assert_eq!(upgrade(&open_segment(dir.path())), expected, "program {seq}");
        let report = verify(dir.path());
        assert_eq!((report.segments, report.records), (seq, seq), "upgrades are no records");
    }
    let mut told = Vec::new();
    let read = Reader::open(dir.path()).unwrap().for_each(|record| {
        told.push((record.kind, record.seq));
        Ok::<_, Infallible>(())
    });
    assert_eq!(read.unwrap().last_seq, 4);
    assert!(told.iter().all(|(kind, _)| *kind != kind::UPGRADE), "{told:?}");
}

#[test]
fn an_upgrade_that_was_crossed_out_by_a_start_names_the_program_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 3);
    first.close().unwrap();
    for version in [8, 9] {
        // No record follows, so the next start replaces the segment.
        let next = Identity { behaviour_version: version, ..identity() };
        let second = open(dir.path(), &settings(), &next).unwrap().into_writer(9, 0).unwrap();
        second.close().unwrap();
        assert_eq!(upgrade(&open_segment(dir.path())), Some([2, 7, 2, version]));
        verify(dir.path());
    }
}

#[test]
fn versions_that_change_without_an_upgrade_record_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 3);
    first.close().unwrap();
    let next = Identity { behaviour_version: 8, ..identity() };
    let mut second = open(dir.path(), &settings(), &next).unwrap().into_writer(9, 0).unwrap();
    append(&mut second, 4, 5);
    second.close().unwrap();
    let path = open_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    // Another kind of record, and an upgrade from other versions.
    for (at, value) in [(4096 + 6, kind::CHECKPOINT), (4096 + 28, 6)] {
        let mut changed = whole.clone();
        changed[at] = value;
        fs::write(&path, &changed).unwrap();
        let text = Reader::verify(dir.path(), |_| {}).unwrap_err().to_string();
        let due = "at offset 4096: first record of the segment, due was an upgrade from \
                   format 2, behaviour 7 to format 2, behaviour 8";
        assert!(text.contains(due), "{text}");
        let opened = open(dir.path(), &settings(), &next).unwrap_err();
        assert!(opened.to_string().contains(due), "{opened}");
    }
    fs::write(&path, &whole).unwrap();
    verify(dir.path());
}

#[test]
fn an_empty_segment_is_replaced_when_the_identity_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    first.checkpoint(hash_after(0), 0).unwrap();
    first.close().unwrap();
    for version in [8, 9] {
        let next = Identity { behaviour_version: version, ..identity() };
        let second = open(dir.path(), &settings(), &next).unwrap().into_writer(9, 0).unwrap();
        second.close().unwrap();
        let report = verify(dir.path());
        assert_eq!((report.segments, report.last_seq, report.identity), (1, 0, Some(next)));
    }
    let mut third = writer(dir.path(), &settings());
    append(&mut third, 1, 2);
    third.close().unwrap();
    assert_eq!(verify(dir.path()).records, 2);
}

#[test]
fn two_checkpoints_in_a_row_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    for _ in 0..3 {
        first.checkpoint(hash_after(0), 0).unwrap();
    }
    append(&mut first, 1, 1);
    first.checkpoint(hash_after(1), 0).unwrap();
    first.close().unwrap();
    let mut second = writer(dir.path(), &settings());
    second.checkpoint(hash_after(1), 0).unwrap();
    second.close().unwrap();
    assert_eq!(verify(dir.path()).checkpoints, 2);
}

#[test]
fn a_wrong_entry_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let good = Kept::of(1);
    let refused = |kept: Kept, writer: &mut uncross_journal::Writer| {
        writer.append(kept.entry(), 0).unwrap_err()
    };
    let room = writer.room();
    assert_eq!(
        refused(Kept { seq: 2, ..good.clone() }, &mut writer),
        AppendError::Seq { expected: 1, found: 2 }
    );
    for kind in [0, kind::EPOCH + 1, kind::CHECKPOINT, kind::UPGRADE, kind::SEAL, 0xFF] {
        let found = refused(Kept { kind, ..good.clone() }, &mut writer);
        assert_eq!(found, AppendError::Kind { found: kind });
    }
    assert_eq!(
        refused(Kept { body: vec![0; 4001], ..good.clone() }, &mut writer),
        AppendError::BodyLen { max: 4000, found: 4001 }
    );
    assert_eq!(writer.room().segment_bytes, room.segment_bytes);
    writer.append(good.entry(), 0).unwrap();
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).records, 1);
}

#[test]
fn the_watermark_reaches_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let watermark = writer.watermark();
    for seq in 1..=300 {
        append(&mut writer, seq, seq);
        if seq % 50 == 0 {
            assert!(watermark.wait_durable(seq, PATIENCE), "seq {seq}");
            assert!(watermark.durable_seq() <= writer.last_seq());
        }
    }
    writer.close().unwrap();
    assert_eq!(watermark.durable_seq(), 300);
}

#[test]
fn the_lock_names_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let held = open_dir(dir.path(), &settings()).unwrap();
    let check = || match open_dir(dir.path(), &settings()).unwrap_err() {
        OpenError::Locked { path, owner_pid } => {
            assert_eq!(path, dir.path().join("lock"));
            assert_eq!(owner_pid, Some(std::process::id()));
        }
        other => panic!("{other}"),
    };
    check();
    let writer = held.into_writer(0, 0).unwrap();
    check();
    writer.close().unwrap();
    drop(open_dir(dir.path(), &settings()).unwrap());
}

#[test]
fn settings_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for len in [0, 4096, (64 << 10) + 4096, 2 << 30] {
        let settings = Settings { segment_len_bytes: len, ..settings() };
        let error = open_dir(dir.path(), &settings).unwrap_err();
        assert!(matches!(error, OpenError::SegmentLen { found, .. } if found == len), "{error}");
    }
    let settings = Settings { flush_interval: std::time::Duration::ZERO, ..settings() };
    assert!(matches!(open_dir(dir.path(), &settings), Err(OpenError::FlushIntervalZero)));
}

#[test]
fn completeness_is_proven_by_a_close_or_by_the_same_boot() {
    let dir = tempfile::tempdir().unwrap();
    let rebooted = Settings { boot_id: Some(BOOT_B), ..settings() };
    assert_eq!(open_dir(dir.path(), &settings()).unwrap().completeness(), Completeness::Proven);
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 10);
    let copy = image(dir.path());
    let completeness =
        |settings: &Settings| open_dir(copy.path(), settings).unwrap().completeness();
    assert_eq!(completeness(&settings()), Completeness::Proven);
    assert_eq!(completeness(&rebooted), Completeness::Unproven);
    first.close().unwrap();
    assert_eq!(open_dir(dir.path(), &rebooted).unwrap().completeness(), Completeness::Proven);
}

#[test]
fn an_applier_that_refuses_stops_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 10);
    writer.close().unwrap();
    let mut seen = 0;
    let mut recovery = open_dir(dir.path(), &settings()).unwrap();
    let error = recovery.replay(|record| {
        seen += 1;
        if record.seq == 4 { Err("four") } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().to_string(), "the applier refused a record: four");
    assert_eq!(seen, 4);
    let end = Reader::open(dir.path()).unwrap().for_each(|_| Ok::<_, Infallible>(())).unwrap();
    assert_eq!((end.last_seq, end.torn), (10, None));
}

#[test]
fn the_watermark_follows_a_writer_that_fills_many_pages_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_len_bytes: 1 << 20, ..settings() };
    let mut writer = writer(dir.path(), &settings);
    let watermark = writer.watermark();
    let mut last = 0;
    for records in [2000, 1, 5000, 3000, 100, 20_000] {
        append(&mut writer, last + 1, last + records);
        last += records;
        assert!(watermark.wait_durable(last, PATIENCE), "{last}");
    }
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).durable_seq, last);
}

#[test]
fn a_later_segment_behind_an_invalid_record_is_damage_to_a_reader_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 700);
    writer.close().unwrap();
    let copy = image(dir.path());
    let sealed = files(copy.path(), "seg").remove(0);
    let mut bytes = fs::read(&sealed).unwrap();
    bytes[8192] ^= 1;
    fs::remove_file(&sealed).unwrap();
    fs::write(sealed.with_extension("open"), bytes).unwrap();
    fs::remove_file(copy.path().join("durable")).unwrap();
    let reader = Reader::open(copy.path()).unwrap();
    let error = reader.for_each(|_| Ok::<(), Infallible>(())).unwrap_err();
    assert!(error.to_string().contains("segment 2 exists"), "{error:?}");
}
