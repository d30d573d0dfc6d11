//! Readers, copies and repairs on a disk that fails, gives less than asked or has forgotten: one
//! clear error or the same answer, never a wrong record, and nothing changed.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use uncross_journal::sim::{Fault, Lasts, Loss, SimDisk};
use uncross_journal::{
    Anchor, DiskError, Folder, OpenError, Operation, ReadError, Reader, Record, ReplayError,
    Settings, Start, Tail, copy, examine, kind, repair,
};

use crate::support::{Kept, append, settings, writer};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const RECORDS: u64 = 900;
const DIR: &str = "/sim/journal";
/// What a crash left behind the last record.
const TORN: [u8; 40] = [0x5A; 40];

/// What a reading came to: the records it delivered, and what it said.
type Outcome = (Vec<u64>, Result<String, ReadError>);
/// A way to read a journal.
type Reading = (&'static str, fn(Folder) -> Outcome);

const READINGS: [Reading; 11] = [
    ("verify", |journal| (Vec::new(), told(Reader::verify(journal, |_| {})))),
    ("replay", |journal| {
        delivering(|seqs| {
            told(read(Reader::open_whole(journal)?.for_each(|record| {
                seqs.take(&record);
                Ok(())
            })))
        })
    }),
    ("seek by number", |journal| sought(journal, Start::Seq(700))),
    ("seek by time", |journal| sought(journal, Start::Time(650_500))),
    ("last", |journal| (Vec::new(), Reader::open(journal).and_then(|it| told(it.last())))),
    ("heads", |journal| (Vec::new(), Reader::open(journal).and_then(|it| told(it.heads())))),
    ("overview", |journal| {
        delivering(|seqs| {
            let overview = Reader::overview(journal, |record| {
                seqs.take(record);
                ControlFlow::Continue(())
            })?;
            overview.damage.clone().map_or_else(|| told(Ok(overview)), Err)
        })
    }),
    ("tail", |journal| {
        delivering(|seqs| told(follow(&mut Tail::behind(journal, &Anchor::START)?, seqs)))
    }),
    ("tail from within", |journal| {
        delivering(|seqs| {
            let mut first = Tail::behind(&journal, &Anchor::START)?;
            read(first.read(500, |_| Ok(ControlFlow::Continue(()))))?;
            let found = Tail::find(journal, &first.anchor())?;
            told(found.map(|mut tail| follow(&mut tail, seqs)).transpose())
        })
    }),
    ("copy", |journal| {
        let to = SimDisk::new();
        (Vec::new(), told(copy(journal, on(&empty(&to)), None)))
    }),
    ("examine", |journal| {
        let examined = examine(journal).map_err(|error| match error {
            OpenError::Read(error) => error,
            other => panic!("{other}"),
        });
        (Vec::new(), told(examined))
    }),
];

/// Numbers of the records that were delivered, each of them as it was written.
#[derive(Default)]
struct Seqs(Vec<u64>);

impl Seqs {
    fn take(&mut self, record: &Record<'_>) {
        if kind::is_callers(record.kind) {
            assert_eq!(record.body, Kept::of(record.seq).body, "record {}", record.seq);
            self.0.push(record.seq);
        }
    }
}

/// Nobody stops a reading here.
const GO_ON: Result<ControlFlow<()>, Infallible> = Ok(ControlFlow::Continue(()));

fn delivering(reading: impl FnOnce(&mut Seqs) -> Result<String, ReadError>) -> Outcome {
    let mut seqs = Seqs::default();
    let told = reading(&mut seqs);
    (seqs.0, told)
}

fn told<T: std::fmt::Debug>(result: Result<T, ReadError>) -> Result<String, ReadError> {
    result.map(|it| format!("{it:?}"))
}

fn read<T>(result: Result<T, ReplayError<Infallible>>) -> Result<T, ReadError> {
    result.map_err(|error| match error {
        ReplayError::Read(error) => error,
        ReplayError::Apply(never) => match never {},
    })
}

fn sought(journal: Folder, start: Start) -> Outcome {
    delivering(|seqs| {
        let reader = Reader::open_whole(journal)?;
        told(read(reader.read_from(start, |record, _| {
            seqs.take(&record);
            GO_ON
        })))
    })
}

fn follow(tail: &mut Tail, seqs: &mut Seqs) -> Result<(), ReadError> {
    read(tail.read(RECORDS, |record| {
        seqs.take(&record);
        GO_ON
    }))
}

fn on(disk: &SimDisk) -> Folder {
    Folder::on(disk.storage(), Path::new(DIR))
}

/// The disk, with a folder for a journal.
fn empty(disk: &SimDisk) -> SimDisk {
    disk.storage().unwrap().create_folder(Path::new(DIR)).unwrap();
    for folder in ["/sim", "/"] {
        disk.storage().unwrap().sync_folder(Path::new(folder)).unwrap();
    }
    disk.clone()
}

/// A closed journal.
fn sound(segment_len_bytes: u64, records: u64) -> SimDisk {
    let disk = SimDisk::new();
    let settings = Settings { segment_len_bytes, storage: disk.storage(), ..settings() };
    let mut writer = writer(Path::new(DIR), &settings);
    append(&mut writer, 1, records);
    writer.close().unwrap();
    disk
}

/// One with half a record behind the last one.
fn torn() -> SimDisk {
    let disk = sound(64 << 10, RECORDS);
    let overview = Reader::overview(on(&disk), |_| ControlFlow::Continue(())).unwrap();
    let (_, end) = overview.run.unwrap().durable_to;
    disk.poke(&overview.segments.last().unwrap().path, end, &TORN).unwrap();
    disk
}

fn contents(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let files = disk.files().into_iter();
    files.map(|path| (path.clone(), disk.bytes(&path).unwrap())).collect()
}

/// The same without the lock file, in which whoever comes writes a number.
fn journal(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    contents(disk).into_iter().filter(|(path, _)| !path.ends_with("lock")).collect()
}

/// Checks that an error tells of the operation that failed, by the words of the simulated disk.
fn assert_tells(error: &DiskError, errno: i32, failed: &str, context: &str) {
    assert_eq!(error.source.raw_os_error(), Some(errno), "{context}: {error}");
    let name = error.path.file_name().unwrap_or_default().to_string_lossy();
    assert!(failed.ends_with(&*name), "{context}: {error}");
    let is_meant = match error.operation {
        Operation::Read => failed.starts_with("read "),
        Operation::List => failed.starts_with("list "),
        Operation::Look => failed.starts_with("look for "),
        Operation::Open => failed.starts_with("open "),
        Operation::Create => failed.starts_with("create "),
        Operation::Lock => {
            ["open ", "create ", "lock ", "write "].iter().any(|it| failed.starts_with(it))
        }
        Operation::Write | Operation::WriteZeros => failed.starts_with("write "),
        Operation::Reserve => failed.starts_with("reserve "),
        Operation::SyncFile => failed.starts_with("sync "),
        Operation::SyncFolder => failed.starts_with("sync folder "),
        Operation::Rename => failed.starts_with("rename "),
        Operation::SetReadOnly => failed.starts_with("set read-only "),
        _ => false,
    };
    assert!(is_meant, "{context}: {error}");
}

fn fail_each_read(journal: &SimDisk, readings: &[Reading]) {
    let before = contents(journal);
    for (name, reading) in readings {
        let (whole, said) = reading(on(&journal.killed().unwrap()));
        let said = said.unwrap();
        let mut errors = 0;
        for lasts in [Lasts::Once, Lasts::Everything] {
            for at in 1.. {
                let disk = journal.killed().unwrap();
                disk.fail(Fault { at, errno: EIO, lasts });
                let (seqs, told) = reading(on(&disk));
                let Some(failed) = disk.failed() else { break };
                let context = format!("{name}, operation {at}, {lasts:?}: {failed}");
                assert!(whole.starts_with(&seqs), "{context}: {seqs:?}");
                match told {
                    // A thread that reads ahead came to it, and the reader itself read again.
                    Ok(told) => {
                        assert_eq!((&told, &seqs), (&said, &whole), "{context}");
                        assert_eq!(lasts, Lasts::Once, "{context}");
                    }
                    Err(ReadError::Disk(error)) if lasts == Lasts::Once => {
                        assert_tells(&error, EIO, &failed, &context);
                        errors += 1;
                    }
                    Err(ReadError::Disk(error)) => {
                        assert_eq!(error.source.raw_os_error(), Some(EIO), "{context}: {error}");
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                assert!(contents(&disk) == before, "{context}: something was changed");
            }
        }
        assert!(2 < errors, "{name}: {errors} reads failed");
    }
}

#[test]
fn whichever_read_fails_the_reader_says_where_and_delivers_nothing_wrong() {
    fail_each_read(&torn(), &READINGS);
}

#[test]
fn a_read_that_fails_on_the_thread_that_checks_ahead_is_met_again() {
    fail_each_read(&sound(1 << 20, 12_000), &READINGS[..2]);
}

#[test]
fn readers_of_a_disk_that_gives_less_than_asked_say_the_same() {
    let disk = torn();
    for (name, reading) in READINGS {
        let whole = reading(on(&disk));
        for seed in 0..3 {
            let short = disk.killed().unwrap();
            short.chop(seed);
            let (seqs, told) = reading(on(&short));
            assert_eq!(seqs, whole.0, "{name}, seed {seed}");
            assert_eq!(told.unwrap(), *whole.1.as_ref().unwrap(), "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_bit_that_turned_is_told_with_its_file_and_repaired_by_nothing() {
    let disk = sound(64 << 10, RECORDS);
    let name_of = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let segments: Vec<PathBuf> = journal(&disk)
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.extension().is_some_and(|it| it != "pre"))
        .collect();
    assert_eq!(segments.len(), 3);
    for path in &segments {
        let is_sealed = path.extension().is_some_and(|it| it == "seg");
        // Header, first record and those behind; footer, index and hash of what is sealed.
        let sealed: &[u64] = &[20_000, 58_000, 62_016, 62_100, 65_535];
        let offsets = [3, 100, 4_100, 4_500].iter().chain(if is_sealed { sealed } else { &[] });
        for &offset in offsets {
            let rotten = disk.killed().unwrap();
            rotten.flip(path, offset, 5).unwrap();
            let before = journal(&rotten);
            let mut told_by = Vec::new();
            for (name, reading) in READINGS {
                let context = format!("{name}, {} at {offset}", path.display());
                let whole = reading(on(&disk));
                let (seqs, told) = reading(on(&rotten));
                assert!(whole.0.starts_with(&seqs), "{context}: {seqs:?}");
                match told {
                    // It reads no such byte.
                    Ok(told) => assert_eq!(told, whole.1.unwrap(), "{context}"),
                    Err(error @ ReadError::Disk(_)) => panic!("{context}: {error}"),
                    Err(error) => {
                        // Of a hash and the link to it examine knows that they differ, and verify
                        // which of them is wrong.
                        let is_there = error.to_string().contains(&name_of(path));
                        assert!(
                            is_there || (name, offset) == ("examine", 65_535),
                            "{context}: {error}"
                        );
                        told_by.push(name);
                    }
                }
            }
            let is_written = before.iter().any(|(it, bytes)| it == path && used(bytes, offset));
            if is_written {
                assert!(told_by.contains(&"verify"), "{} at {offset}: {told_by:?}", path.display());
            }
            drop(repair(on(&rotten)));
            assert!(journal(&rotten) == before, "{} at {offset}", path.display());
        }
    }
}

#[test]
fn a_copy_of_a_journal_that_has_lost_its_last_segment_is_refused() {
    let disk = sound(64 << 10, RECORDS);
    let last = disk.files().into_iter().find(|it| it.extension().is_some_and(|it| it == "open"));
    disk.storage().unwrap().remove(&last.unwrap()).unwrap();
    let error = copy(on(&disk), on(&empty(&SimDisk::new())), None).unwrap_err();
    assert!(matches!(error, ReadError::SegmentMissing { number: 3, .. }), "{error}");
}

#[test]
fn a_part_of_a_journal_in_front_of_what_is_damaged_can_be_copied() {
    let disk = sound(64 << 10, RECORDS);
    let last = disk.files().into_iter().find(|it| it.extension().is_some_and(|it| it == "open"));
    disk.flip(&last.unwrap(), 12_000, 5).unwrap();
    let to = empty(&SimDisk::new());
    assert!(copy(on(&disk), on(&empty(&SimDisk::new())), None).is_err());
    assert_eq!(copy(on(&disk), on(&to), Some(780)).unwrap().last_seq, 780);
    assert_eq!(Reader::verify(on(&to), |_| {}).unwrap().last_seq, 780);
}

/// Whether anything is written in the slot at `offset`.
fn used(bytes: &[u8], offset: u64) -> bool {
    let at = usize::try_from(offset).unwrap() / 64 * 64;
    bytes[at..at + 64].iter().filter(|byte| **byte != 0).count() > 1
}

#[test]
fn a_copy_that_cannot_be_written_is_never_taken_for_a_whole_one() {
    let from = sound(64 << 10, RECORDS);
    let before = contents(&from);
    let (mut points, mut seed) = (0, 0);
    for errno in [EIO, ENOSPC] {
        for lasts in [Lasts::Once, Lasts::Changes, Lasts::Everything] {
            for at in 1.. {
                let to = empty(&SimDisk::new());
                to.fail(Fault { at: to.operations() + at, errno, lasts });
                let copied = copy(on(&from), on(&to), None);
                let Some(failed) = to.failed() else { break };
                let context = format!("errno {errno}, {lasts:?}, operation {at}: {failed}");
                let Err(ReadError::Disk(error)) = copied else { panic!("{context}: {copied:?}") };
                if lasts == Lasts::Once {
                    assert_tells(&error, errno, &failed, &context);
                }
                (points, seed) = (points + 1, seed + 1);
                let cuts = [to.cut(Loss::Everything), to.cut(Loss::Some(seed))];
                for image in [to.killed().unwrap()].into_iter().chain(cuts.map(Result::unwrap)) {
                    assert_whole_or_unmarked(&image, &context);
                }
            }
        }
    }
    assert!(contents(&from) == before, "the journal that was copied is another one");
    assert!(100 < points, "only {points} operations failed");
}

/// What a copy holds is all of it, or the copy says itself that it is none.
fn assert_whole_or_unmarked(image: &SimDisk, context: &str) {
    let Ok(reader) = Reader::open_whole(on(image)) else { return };
    if reader.durable_seq() == 0 {
        return;
    }
    assert_eq!(reader.durable_seq(), RECORDS, "{context}");
    let report = Reader::verify(on(image), |_| {}).unwrap_or_else(|it| panic!("{context}: {it}"));
    assert_eq!((report.last_seq, report.torn), (RECORDS, None), "{context}");
}

#[test]
fn a_repair_that_is_cut_short_anywhere_loses_nothing_and_can_be_done_again() {
    let disk = torn();
    let cut_off = |disk: &SimDisk| {
        let is_copy = |path: &PathBuf| path.extension().is_some_and(|it| it == "bin");
        let copies = disk.files().into_iter().filter(is_copy);
        copies.map(|path| disk.bytes(&path).unwrap()).any(|bytes| bytes == TORN)
    };
    let mut points = 0;
    for errno in [EIO, ENOSPC] {
        for lasts in [Lasts::Once, Lasts::Changes, Lasts::Everything] {
            for at in 1.. {
                let failing = disk.killed().unwrap();
                failing.fail(Fault { at, errno, lasts });
                let repaired = repair(on(&failing));
                let Some(failed) = failing.failed() else { break };
                let context = format!("errno {errno}, {lasts:?}, operation {at}: {failed}");
                match repaired {
                    Err(OpenError::Read(ReadError::Disk(error))) if lasts == Lasts::Once => {
                        assert_tells(&error, errno, &failed, &context);
                    }
                    Err(OpenError::Read(ReadError::Disk(_))) => {}
                    other => panic!("{context}: {other:?}"),
                }
                points += 1;
                let cuts = [failing.cut(Loss::Everything), failing.cut(Loss::Some(at))];
                for image in [failing.killed().unwrap()].into_iter().chain(cuts.map(Result::unwrap))
                {
                    repair(on(&image)).unwrap_or_else(|it| panic!("{context}: {it}"));
                    let report = Reader::verify(on(&image), |_| {}).unwrap();
                    assert_eq!((report.last_seq, report.torn), (RECORDS, None), "{context}");
                    assert!(cut_off(&image), "{context}: the torn bytes are gone");
                }
            }
        }
    }
    assert!(50 < points, "only {points} operations failed");
}
