//! Reading from a place within, looking at a folder, copying a prefix of it, repairing it.

use std::convert::Infallible;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use uncross_journal::{
    Completeness, Fault, OpenError, ReadError, Reader, SegmentForm, Settings, Start, copy, examine,
    kind, repair,
};

use crate::support::{
    Kept, Random, append, append_one, assert_prefix, files, hash_after, open_dir, open_segment,
    replayed, settings, verify, writer,
};

/// Large enough for several entries of the index.
fn long_segments() -> Settings {
    Settings { segment_len_bytes: 512 << 10, ..settings() }
}

/// A closed journal of `last` records, with checkpoints.
fn journal(dir: &Path, settings: &Settings, last: u64) {
    let mut writer = writer(dir, settings);
    for seq in 1..=last {
        append_one(&mut writer, &Kept::of(seq)).unwrap();
        if seq % 500 == 0 {
            writer.checkpoint(hash_after(seq), seq * 1000).unwrap();
        }
    }
    writer.close().unwrap();
}

/// The numbers of the first `count` records of the caller from `start` on.
fn seqs(reader: &Reader, start: Start, count: usize) -> Result<Vec<u64>, ReadError> {
    let mut seqs = Vec::new();
    let read = reader.read_from(start, |record, _| {
        if record.kind != kind::CHECKPOINT {
            let kept = Kept::of(record.seq);
            assert_eq!((kept.kind, kept.body.as_slice()), (record.kind, record.body));
            seqs.push(record.seq);
        }
        let is_enough = seqs.len() == count;
        Ok::<_, Infallible>(if is_enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    match read {
        Ok(_) => Ok(seqs),
        Err(uncross_journal::ReplayError::Read(error)) => Err(error),
        Err(uncross_journal::ReplayError::Apply(never)) => match never {},
    }
}

#[test]
fn a_reading_begins_at_any_number_and_any_time() {
    const LAST: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &long_segments(), LAST);
    assert!(2 <= files(dir.path(), "seg").len(), "several segments");
    let reader = Reader::open_whole(dir.path()).unwrap();
    assert_eq!(reader.last().unwrap(), Some((LAST, LAST * 1000)));
    let mut random = Random(5);
    let few = [1, 2, 3, LAST - 1, LAST];
    for seq in few.into_iter().chain((0..300).map(|_| 1 + random.below(LAST))) {
        let due: Vec<u64> = (seq..=LAST).take(3).collect();
        assert_eq!(seqs(&reader, Start::Seq(seq), 3).unwrap(), due, "from number {seq}");
        assert_eq!(seqs(&reader, Start::Time(seq * 1000), 3).unwrap(), due, "from time of {seq}");
        let later = Start::Time((seq - 1) * 1000 + 1);
        assert_eq!(seqs(&reader, later, 3).unwrap(), due, "from just behind the one before {seq}");
    }
    assert_eq!(seqs(&reader, Start::First, 2).unwrap(), [1, 2]);
    for behind in [Start::Seq(LAST + 1), Start::Time(LAST * 1000 + 1), Start::Seq(u64::MAX)] {
        assert_eq!(seqs(&reader, behind, 1).unwrap(), [0; 0]);
    }
}

#[test]
fn a_reading_from_within_does_not_read_what_lies_before() {
    const LAST: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &long_segments(), LAST);
    let sealed = files(dir.path(), "seg");
    // Damage in the first segment and near the beginning of the last sealed one, whose first record
    // a search by time looks at.
    for (path, range) in [(&sealed[0], 8_192..400_000), (sealed.last().unwrap(), 16_384..60_000)] {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "a file of the test's own")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
        let mut bytes = fs::read(path).unwrap();
        bytes[range].fill(0xEE);
        fs::write(path, bytes).unwrap();
    }
    let first_of_open: u64 =
        open_segment(dir.path()).file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let reader = Reader::open_whole(dir.path()).unwrap();
    let seq = first_of_open - 5;
    assert_eq!(seqs(&reader, Start::Seq(seq), 10).unwrap().len(), 10);
    assert_eq!(seqs(&reader, Start::Time(seq * 1000), 10).unwrap()[0], seq);
    seqs(&reader, Start::First, usize::MAX).unwrap_err();
}

#[test]
fn a_damaged_index_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &long_segments(), 20_000);
    let path = files(dir.path(), "seg").remove(0);
    let good = fs::read(&path).unwrap();
    let footer = good.windows(8).rposition(|bytes| bytes == b"UNCRSEAL").unwrap();
    fs::remove_file(&path).unwrap();
    for at in [footer, footer + 12, footer + 128 + 24] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        let reader = Reader::open_whole(dir.path()).unwrap();
        let error = seqs(&reader, Start::Seq(3_000), 1).unwrap_err();
        let finding = error.finding().unwrap();
        assert_eq!(finding.path, path, "{error}");
        assert!(finding.offset.is_some_and(|offset| footer as u64 <= offset), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert!(1 < reader.first_seq(), "an archived part");
    assert_eq!(seqs(&reader, Start::Seq(19_990), 1).unwrap(), [19_990]);
}

#[test]
fn a_gap_in_front_of_what_is_sought_is_named() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &settings(), 3_000);
    let sealed = files(dir.path(), "seg");
    let first_of =
        |path: &Path| -> u64 { path.file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    let (gone, next) = (first_of(&sealed[1]), first_of(&sealed[2]));
    fs::remove_file(&sealed[1]).unwrap();
    let reader = Reader::open_whole(dir.path()).unwrap();
    for start in [Start::Seq(next), Start::Seq(3_000), Start::Time(2_999_000), Start::First] {
        let error = seqs(&reader, start, usize::MAX).unwrap_err();
        let is_named = matches!(
            error,
            ReadError::SegmentMissing { number: 2, first_seq, .. } if first_seq == gone
        );
        assert!(is_named, "{start:?}: {error}");
    }
}

#[test]
fn an_overview_shows_what_is_there_also_around_damage() {
    const LAST: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &settings(), LAST);
    let mut records = 0;
    let overview = Reader::overview(dir.path(), |record| {
        records += u64::from(kind::is_callers(record.kind));
        ControlFlow::Continue(())
    });
    let overview = overview.unwrap();
    assert_eq!((records, overview.last_seq, overview.damage.is_none()), (LAST, LAST, true));
    let run = overview.run.unwrap();
    assert_eq!((run.durable_seq, run.is_closed, run.is_poisoned), (LAST, true, false));
    let report = verify(dir.path());
    assert_eq!(overview.segments.len() as u64, report.segments);
    let sealed = |form| overview.segments.iter().filter(|view| view.form == form).count() as u64;
    assert_eq!((sealed(SegmentForm::Sealed), sealed(SegmentForm::Open)), (report.segments - 1, 1));
    assert_eq!(overview.segments.iter().map(|view| view.record_bytes).sum::<u64>(), report.bytes);
    let checkpoints =
        |kind| -> u64 { overview.segments.iter().filter_map(|view| view.kinds.get(&kind)).sum() };
    assert_eq!(checkpoints(kind::CHECKPOINT), report.checkpoints);
    for (view, next) in overview.segments.iter().zip(&overview.segments[1..]) {
        assert_eq!(view.first.map(|first| first.0), Some(view.first_seq));
        assert_eq!(view.last.map(|last| last.0 + 1), Some(next.first_seq));
    }

    fs::remove_file(&overview.segments[1].path).unwrap();
    let found = Reader::overview(dir.path(), |_| ControlFlow::Continue(())).unwrap();
    let damage = found.damage.unwrap();
    assert!(matches!(damage, ReadError::SegmentMissing { number: 2, .. }), "{damage}");
    assert_eq!(found.segments.len(), overview.segments.len() - 1, "the others are still shown");
    fs::remove_file(dir.path().join("durable")).unwrap();
    let found = Reader::overview(dir.path(), |_| ControlFlow::Continue(())).unwrap();
    assert!(matches!(found.damage, Some(ReadError::WatermarkMissing { .. })));
    assert!(found.run.is_none() && !found.segments.is_empty());
}

#[test]
fn a_copy_of_any_prefix_is_a_journal_that_asks_for_a_new_epoch() {
    const LAST: u64 = 2_500;
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &settings(), LAST);
    let ends: Vec<u64> = Reader::overview(dir.path(), |_| ControlFlow::Continue(()))
        .unwrap()
        .segments
        .iter()
        .filter_map(|view| view.last.map(|last| last.0))
        .collect();
    let mut random = Random(9);
    let some = (0..10).map(|_| 1 + random.below(LAST));
    for upto in ends.iter().copied().chain([1, ends[0] + 1, LAST]).chain(some) {
        let to = tempfile::tempdir().unwrap();
        let copied = copy(dir.path(), to.path(), Some(upto)).unwrap();
        assert_eq!(copied.last_seq, upto);
        let report = verify(to.path());
        assert_eq!((report.last_seq, report.durable_seq, report.torn), (upto, upto, None));
        let mut recovery = open_dir(to.path(), &settings()).unwrap();
        assert_prefix(&replayed(&mut recovery), upto, &format!("copied up to {upto}"));
        assert_eq!(recovery.completeness(), Completeness::Unproven, "up to {upto}");
        let mut writer = recovery.into_writer(upto * 1000, hash_after(upto)).unwrap();
        append(&mut writer, upto + 1, upto + 300);
        writer.close().unwrap();
        assert_eq!(verify(to.path()).last_seq, upto + 300);
    }
}

#[test]
fn a_copy_beside_a_running_writer_holds_what_was_durable() {
    const LAST: u64 = 3_000;
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let watermark = writer.watermark();
    append(&mut writer, 1, 10);
    std::thread::scope(|scope| {
        let copies = scope.spawn(|| {
            let mut count = 0;
            while watermark.durable_seq() < LAST {
                let durable = watermark.durable_seq();
                let to = tempfile::tempdir().unwrap();
                let copied = copy(dir.path(), to.path(), None).unwrap();
                assert!(durable <= copied.last_seq + 1_000, "{durable} {copied:?}");
                if 0 < copied.last_seq {
                    let mut recovery = open_dir(to.path(), &settings()).unwrap();
                    assert_prefix(&replayed(&mut recovery), copied.last_seq, "beside a writer");
                    count += 1;
                }
            }
            count
        });
        for seq in 11..=LAST {
            append_one(&mut writer, &Kept::of(seq)).unwrap();
            if seq % 50 == 0 {
                assert!(watermark.wait_durable(seq, crate::support::PATIENCE));
            }
        }
        assert!(watermark.wait_durable(LAST, crate::support::PATIENCE));
        assert!(0 < copies.join().unwrap());
    });
    writer.close().unwrap();
}

/// Content of every file but the lock.
fn content(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = names
        .filter(|path| !path.ends_with("lock"))
        .map(|it| (it.clone(), fs::read(it).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_repair_cuts_a_torn_tail_and_keeps_a_copy_and_its_examination_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), &settings(), 700);
    assert!(examine(dir.path()).unwrap().is_empty(), "a whole journal needs none");
    let path = open_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 64 * 64 + 64;
    bytes[end..end + 40].fill(0xAB);
    fs::write(&path, &bytes).unwrap();
    let before = content(dir.path());
    let said = examine(dir.path()).unwrap();
    assert_eq!(content(dir.path()), before);
    let torn = said.torn.clone().unwrap();
    assert_eq!((torn.offset, torn.len_bytes, said.last_seq), (end as u64, 40, 700));
    assert_eq!(repair(dir.path()).unwrap(), said);
    assert_eq!(fs::read(torn.copy.unwrap()).unwrap(), [0xAB; 40]);
    assert_eq!((verify(dir.path()).torn, verify(dir.path()).last_seq), (None, 700));
    assert!(examine(dir.path()).unwrap().is_empty(), "once is enough");
}

#[test]
fn nothing_is_repaired_beside_a_writer_or_where_something_durable_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 700);
    let locked = examine(dir.path()).unwrap_err();
    assert!(matches!(locked, OpenError::Locked { owner_pid: Some(_), .. }), "{locked}");
    assert!(matches!(repair(dir.path()).unwrap_err(), OpenError::Locked { .. }));
    writer.close().unwrap();
    let path = open_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096 + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let before = content(dir.path());
    for error in [examine(dir.path()).unwrap_err(), repair(dir.path()).unwrap_err()] {
        let OpenError::Read(ReadError::Corrupt(damage)) = &error else { panic!("{error}") };
        assert!(matches!(damage.fault, Fault::Checksum { .. }), "{error}");
    }
    assert_eq!(content(dir.path()), before);
}
