//! Readers beside a running writer: no lock, no change, a prefix at any time.

use std::convert::Infallible;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use uncross_journal::format::data_end;
use uncross_journal::{End, OpenError, ReadError, Reader, ReplayError, Settings, examine, kind};

use crate::support::{
    Kept, PATIENCE, Random, append, append_one, files, hash_after, open_dir, settings, verify,
    writer,
};

/// Reads everything there is and compares it; returns the last sequence number.
fn read(reader: &Reader) -> u64 {
    let mut due = reader.first_seq();
    let end = reader
        .for_each(|record| {
            if record.kind != kind::CHECKPOINT {
                let kept = Kept::of(due);
                assert_eq!((record.seq, record.body), (due, kept.body.as_slice()));
                due += 1;
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(end.last_seq + 1, due);
    end.last_seq
}

#[test]
fn a_reader_beside_a_writer_sees_a_prefix_that_only_grows() {
    const RECORDS: u64 = 3000;
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let watermark = writer.watermark();
    let appended = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = scope.spawn(|| {
            let (mut rounds, mut before) = (0_u64, 0);
            loop {
                let last_round = done.load(Ordering::Acquire);
                // Published before the reader looked, so it must be seen.
                let floor = appended.load(Ordering::Acquire);
                let durable = watermark.durable_seq();
                let reader = Reader::open(dir.path()).unwrap();
                let last = read(&reader);
                assert!(before.max(floor).max(durable) <= last, "{before} {floor} {last}");
                before = last;
                if rounds % 8 == 0 {
                    let report = Reader::verify(dir.path(), |_| {}).unwrap();
                    assert!(before <= report.last_seq && report.durable_seq <= report.last_seq);
                    before = report.last_seq;
                }
                rounds += 1;
                if last_round {
                    return (rounds, last);
                }
            }
        });
        for seq in 1..=RECORDS {
            append_one(&mut writer, &Kept::of(seq)).unwrap();
            appended.store(seq, Ordering::Release);
            if seq % 100 == 0 {
                writer.checkpoint(hash_after(seq), 0).unwrap();
                // Lets rotations, names and seals happen between the rounds of the reader.
                assert!(watermark.wait_durable(seq, PATIENCE));
            }
        }
        done.store(true, Ordering::Release);
        let (rounds, last) = readers.join().unwrap();
        assert!(1 < rounds);
        assert_eq!(last, RECORDS);
    });
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).records, RECORDS);
}

#[test]
fn a_reader_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 700);
    writer.close().unwrap();
    let content = || {
        let mut files: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.clone(), fs::read(&path).unwrap(), path.metadata().unwrap().permissions())
            })
            .collect();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files
    };
    let before = content();
    fs::remove_file(dir.path().join("lock")).unwrap();
    assert_eq!(read(&Reader::open(dir.path()).unwrap()), 700);
    let mut entered = Vec::new();
    let report = Reader::verify(dir.path(), |progress| entered.push(progress.first_seq)).unwrap();
    assert_eq!((report.segments, entered[0]), (entered.len() as u64, 1));
    let after = content();
    let unlocked: Vec<_> =
        before.into_iter().filter(|(path, ..)| !path.ends_with("lock")).collect();
    assert_eq!(after, unlocked);
    for path in files(dir.path(), "seg") {
        assert!(path.metadata().unwrap().permissions().readonly(), "{}", path.display());
    }
}

#[test]
fn an_archived_part_is_read_from_its_first_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1500);
    writer.close().unwrap();
    let first = files(dir.path(), "seg").remove(0);
    fs::remove_file(first).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert!(1 < reader.first_seq());
    assert_eq!(read(&reader), 1500);
    let error = Reader::verify(dir.path(), |_| {}).unwrap_err();
    assert!(matches!(error, ReadError::SegmentMissing { number: 1, .. }), "{error}");
}

#[test]
fn a_journal_without_its_mark_or_with_a_stray_file_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1500);
    writer.close().unwrap();
    verify(dir.path());
    let sealed = files(dir.path(), "seg").remove(0);
    for name in ["00000000000000000007.seg", "00000000000000000001.open"] {
        let stray = dir.path().join(name);
        fs::copy(&sealed, &stray).unwrap();
        let error = Reader::verify(dir.path(), |_| {}).unwrap_err();
        let is_named = matches!(&error, ReadError::Stray { path } if path.exists());
        assert!(is_named, "{name}: {error}");
        // Two files of one number are no choice for any reader.
        assert_eq!(Reader::open(dir.path()).is_err(), name.ends_with("open"), "{name}");
        assert!(open_dir(dir.path(), &settings()).is_err(), "{name}");
        fs::remove_file(&stray).unwrap();
    }
    fs::remove_file(dir.path().join("durable")).unwrap();
    let error = Reader::verify(dir.path(), |_| {}).unwrap_err();
    assert!(matches!(error, ReadError::WatermarkMissing { .. }), "{error}");
}

#[test]
fn an_empty_folder_reads_as_an_empty_journal() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(&Reader::open(dir.path()).unwrap()), 0);
    let report = verify(dir.path());
    assert_eq!((report.segments, report.records, report.first_seq), (0, 0, 1));
    Reader::open(&dir.path().join("missing")).unwrap_err();
}

/// Sequence number, kind and body.
type Told = (u64, u8, Vec<u8>);

/// Everything that a reader hands on, and how it ended.
fn read_out(dir: &Path) -> (Vec<Told>, Result<End, String>) {
    let mut read = Vec::new();
    let ended = Reader::open(dir).unwrap().for_each(|record| {
        read.push((record.seq, record.kind, record.body.to_vec()));
        Ok::<_, Infallible>(())
    });
    (read, ended.map_err(|error| error.to_string()))
}

#[test]
fn what_is_checked_ahead_is_read_as_if_it_were_not() {
    // Segments long enough for it, with records of all lengths, several, and one that is open.
    let long = Settings { segment_len_bytes: 1 << 20, ..settings() };
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &long);
    append(&mut first, 1, 9_000);
    first.checkpoint(hash_after(9_000), 9_000_000).unwrap();
    append(&mut first, 9_001, 12_000);
    first.close().unwrap();
    let (whole, end) = read_out(dir.path());
    assert_eq!((whole.len(), end.unwrap().last_seq), (12_001, 12_000));
    for (position, (seq, _, body)) in (1..).zip(whole.iter().filter(|it| kind::is_callers(it.1))) {
        assert_eq!((*seq, &body[..]), (position, &Kept::of(position).body[..]));
    }
    let mut random = Random(0xC4EC);
    let mut paths = files(dir.path(), "seg");
    paths.extend(files(dir.path(), "open"));
    assert!(2 <= paths.len(), "{paths:?}");
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        let written = written.min(data_end(1 << 20));
        for _ in 0..12 {
            let at = usize::try_from(4_096 + random.below(written - 8_192)).unwrap();
            let mut changed = bytes.clone();
            changed[at] ^= 1 << random.below(8);
            fs::remove_file(&path).unwrap();
            fs::write(&path, &changed).unwrap();
            let (some, ended) = read_out(dir.path());
            assert!(some.len() < whole.len() && some[..] == whole[..some.len()], "byte {at}");
            let error = ended.expect_err("it was durable");
            // The record in which the byte is.
            let offset = error.split("at offset ").nth(1).and_then(|it| it.split(':').next());
            let found: usize = offset.unwrap().parse().unwrap();
            assert!(found <= at && at < found + 4_200, "byte {at}: {error}");
        }
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn what_is_named_like_a_segment_and_is_none_is_named_by_whoever_reads_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1500);
    writer.close().unwrap();
    let sealed = files(dir.path(), "seg");
    let (copied, foreign) = (fs::read(&sealed[1]).unwrap(), vec![b'x'; 65_536]);
    // Behind the last segment, within the last one, and within one that is sealed.
    let open = files(dir.path(), "open").remove(0);
    let first_seq =
        |path: &Path| -> u64 { path.file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    let firsts: [u64; 3] = [9_000, first_seq(&open) + 1, first_seq(&sealed[1]) + 1];
    for (first_seq, form) in firsts.into_iter().flat_map(|it| [(it, "seg"), (it, "open")]) {
        let stray = dir.path().join(format!("{first_seq:020}.{form}"));
        for bytes in [None, Some(&b""[..]), Some(&foreign), Some(&copied)] {
            match bytes {
                Some(bytes) => fs::write(&stray, bytes).unwrap(),
                None => fs::create_dir(&stray).unwrap(),
            }
            let read = Reader::open_whole(dir.path()).and_then(|reader| {
                match reader.for_each(|_| Ok::<_, Infallible>(())) {
                    Ok(_) => Ok(()),
                    Err(ReplayError::Read(error)) => Err(error),
                    Err(ReplayError::Apply(never)) => match never {},
                }
            });
            let opened = match open_dir(dir.path(), &settings()) {
                Err(OpenError::Read(error)) => Some(error),
                Err(error) => panic!("{error}"),
                Ok(_) => None,
            };
            let examined = match examine(dir.path()) {
                Err(OpenError::Read(error)) => Some(error),
                Err(error) => panic!("{error}"),
                Ok(_) => None,
            };
            let overview = Reader::overview(dir.path(), |_| ControlFlow::Continue(())).unwrap();
            let verified = Reader::verify(dir.path(), |_| {}).err();
            for error in [read.err(), verified, overview.damage, opened, examined] {
                let found = error.as_ref().and_then(ReadError::finding);
                let len = bytes.map(<[u8]>::len);
                assert_eq!(found.map(|it| it.path), Some(stray.clone()), "{len:?}: {error:?}");
            }
            if bytes.is_some() {
                fs::remove_file(&stray).unwrap();
            } else {
                fs::remove_dir(&stray).unwrap();
            }
        }
    }
    verify(dir.path());
}

#[test]
fn a_segment_cut_short_is_told_with_the_length_it_has_and_the_one_it_must_have() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 700);
    writer.close().unwrap();
    let path = files(dir.path(), "open").remove(0);
    let whole = path.metadata().unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(whole - 10_000).unwrap();
    let error = Reader::verify(dir.path(), |_| {}).unwrap_err();
    let found = error.finding().unwrap();
    assert_eq!(found.expected, Some(whole.to_string()), "{error}");
    assert_eq!(found.found, Some((whole - 10_000).to_string()), "{error}");
}
