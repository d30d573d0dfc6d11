//! The k-th operation on the disk fails: nothing acknowledged is lost, and the answer is an error.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use uncross_journal::limits::reserve_bytes;
use uncross_journal::{
    AppendError, Class, CloseError, Completeness, DiskError, Level, OnDurable, OpenError,
    Operation, Probe, ReadError, Settings,
};

use crate::images::Gate;
use crate::support::{
    Kept, PATIENCE, append, append_one, assert_prefix, files, hash_after, open_dir, replayed,
    settings, verify, writer,
};

const LEVELS: [Level; 3] = [Level::Async, Level::Group, Level::Sync];
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Makes one operation fail, by its number; counts them all.
#[derive(Debug)]
struct FailAt {
    k: u64,
    errno: i32,
    count: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl FailAt {
    fn new(k: u64, errno: i32) -> Self {
        Self { k, errno, count: AtomicU64::new(0), failed: Mutex::default() }
    }
}

impl Probe for FailAt {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        // Advice and random bytes come as timing has it; only what the run needs is counted.
        if matches!(operation, Operation::Populate | Operation::Read) {
            return Ok(());
        }
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 != self.k {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().display().to_string();
        *self.failed.lock().unwrap() = Some(format!("{operation:?} {name}"));
        Err(io::Error::from_raw_os_error(self.errno))
    }
}

/// Fails every operation of one kind from some moment on, on files with one extension.
#[derive(Debug)]
struct FailAll {
    operation: Operation,
    extension: &'static str,
    errno: i32,
    on: Mutex<bool>,
    asked: AtomicU64,
}

impl FailAll {
    fn new(operation: Operation, extension: &'static str, errno: i32) -> Arc<Self> {
        Arc::new(Self {
            operation,
            extension,
            errno,
            on: Mutex::new(false),
            asked: AtomicU64::new(0),
        })
    }

    fn settings(self: &Arc<Self>) -> Settings {
        let probe: Arc<Self> = Arc::clone(self);
        Settings { probe: Some(probe), ..settings() }
    }

    /// Times the operation was asked for.
    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn set(&self, on: bool) {
        *self.on.lock().unwrap() = on;
    }
}

impl Probe for FailAll {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let here = operation == self.operation
            && path.extension().is_some_and(|found| found == self.extension);
        self.asked.fetch_add(u64::from(here), Ordering::SeqCst);
        if here && *self.on.lock().unwrap() {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }
}

/// What a run with a failing disk came to.
struct Run {
    operations: u64,
    /// The operation that failed, if the run came so far.
    failed: Option<String>,
    /// Records appended before the first error.
    appended: u64,
    /// The watermark at the end.
    durable: u64,
    /// Whether anything said that something is wrong.
    told: bool,
}

/// Opens, appends two and a half segments and closes, with the k-th operation failing.
fn run(dir: &Path, level: Level, k: u64, errno: i32) -> Run {
    const RECORDS: u64 = 800;
    const BATCH: u64 = 100;
    let probe = Arc::new(FailAt::new(k, errno));
    let shared: Arc<FailAt> = Arc::clone(&probe);
    let settings = Settings { level, probe: Some(shared), ..settings() };
    let (mut appended, mut durable, mut told) = (0, 0, false);
    match open_dir(dir, &settings).and_then(|recovery| recovery.into_writer(0, 0)) {
        Ok(mut writer) => {
            let watermark = writer.watermark();
            while appended < RECORDS && !told {
                match writer.append(Kept::of(appended + 1).entry(), hash_after(appended)) {
                    Ok(()) => {
                        appended += 1;
                        if appended % BATCH == 0 {
                            writer.ring();
                        }
                    }
                    Err(AppendError::NotReady) => std::thread::yield_now(),
                    Err(error) => {
                        assert_eq!(error, AppendError::Poisoned);
                        told = true;
                    }
                }
                told |= 0 < watermark.preparations_failed();
            }
            told |= writer.close().is_err();
            told |= 0 < watermark.preparations_failed();
            durable = watermark.durable_seq();
        }
        Err(error) => {
            assert!(matches!(error, OpenError::Read(ReadError::Disk(_))), "k {k}: {error}");
            told = true;
        }
    }
    let failed = probe.failed.lock().unwrap().clone();
    Run { operations: probe.count.load(Ordering::Relaxed), failed, appended, durable, told }
}

#[test]
fn whichever_operation_fails_nothing_is_lost_and_somebody_is_told() {
    for level in [Level::Async, Level::Group] {
        fail_each(level);
    }
}

fn fail_each(level: Level) {
    let whole = run(tempfile::tempdir().unwrap().path(), level, u64::MAX, EIO);
    assert!(30 < whole.operations && !whole.told, "{} operations", whole.operations);
    let mut untold = Vec::new();
    for k in 1..=whole.operations {
        let errno = if k % 2 == 0 { EIO } else { ENOSPC };
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path(), level, k, errno);
        let context = format!("{level:?}, operation {k}: {:?}", run.failed);
        if !run.told
            && let Some(failed) = &run.failed
        {
            untold.push(failed.clone());
        }
        // The process ended but the machine did not: all that was appended is there.
        let mut recovery =
            open_dir(dir.path(), &settings()).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(run.durable <= run.appended, "{context}");
        assert_prefix(&replayed(&mut recovery), run.appended, &context);
        let mut writer = recovery.into_writer(0, hash_after(run.appended)).unwrap();
        append(&mut writer, run.appended + 1, run.appended + 5);
        writer.close().unwrap();
        assert_eq!(verify(dir.path()).last_seq, run.appended + 5, "{context}");
    }
    // Only what the next start puts right may fail silently: the removal of an unused spare.
    assert!(untold.iter().all(|failed| failed.starts_with("Remove spare-")), "{untold:?}");
}

#[test]
fn a_failed_sync_poisons_the_journal_for_good() {
    for level in LEVELS {
        poison(level);
    }
}

fn poison(level: Level) {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::SyncPages, "open", EIO);
    let (tell, told) = channel();
    let tell = move || tell.send(()).unwrap();
    let on_durable = Some(OnDurable(Arc::new(tell)));
    let failing = Settings { level, on_durable, ..probe.settings() };
    let mut writer = writer(dir.path(), &failing);
    let watermark = writer.watermark();
    append(&mut writer, 1, 10);
    writer.ring();
    while watermark.durable_seq() < 10 {
        told.recv_timeout(PATIENCE).unwrap();
    }
    probe.set(true);
    append(&mut writer, 11, 11);
    writer.ring();
    // Whoever waits is told of the end as well.
    while !watermark.poisoned() {
        told.recv_timeout(PATIENCE).unwrap();
    }
    assert!(watermark.wait_poisoned(PATIENCE));
    let syncs = probe.asked();
    // The disk is well again, but what the kernel dropped nobody knows.
    probe.set(false);
    assert_eq!(append_one(&mut writer, &Kept::of(12)), Err(AppendError::Poisoned));
    assert_eq!(writer.checkpoint(0, 0), Err(AppendError::Poisoned));
    assert_eq!((writer.last_seq(), watermark.durable_seq()), (11, 10));
    assert!(!watermark.wait_durable(11, PATIENCE));
    let error = writer.close().unwrap_err();
    let CloseError::Poisoned(ReadError::Disk(error)) = error else { panic!("{error}") };
    assert_eq!(error.operation, Operation::SyncPages);
    assert_eq!(error.source.raw_os_error(), Some(EIO));
    assert_eq!(probe.asked(), syncs, "a failed sync was tried again");
    // The next start takes what the page cache holds. At level `async` it cannot prove that this
    // is all; at the others nothing behind the failed sync was acted upon.
    let recovery = open_dir(dir.path(), &settings()).unwrap();
    assert_eq!(recovery.last_seq(), 11);
    let expected = match level {
        Level::Async => Completeness::Unproven,
        Level::Group | Level::Sync => Completeness::Proven,
    };
    assert_eq!(recovery.completeness(), expected);
    recovery.into_writer(0, 0).unwrap().close().unwrap();
    assert_eq!(verify(dir.path()).durable_seq, 11);
}

#[test]
fn a_failure_while_sealing_poisons_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::SetReadOnly, "seg", EIO);
    let mut writer = writer(dir.path(), &probe.settings());
    probe.set(true);
    // Into the second segment; whether the first one is sealed before the last of them is not said.
    let mut last = 0;
    while last < 400 {
        match append_one(&mut writer, &Kept::of(last + 1)) {
            Ok(()) => last += 1,
            Err(error) => {
                assert_eq!(error, AppendError::Poisoned);
                break;
            }
        }
    }
    assert!(writer.watermark().wait_poisoned(PATIENCE));
    assert!(matches!(writer.close(), Err(CloseError::Poisoned(ReadError::Disk(_)))));
    let recovery = open_dir(dir.path(), &settings()).unwrap();
    assert_eq!(recovery.last_seq(), last);
}

#[test]
fn a_full_disk_refuses_records_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::Reserve, "pre", ENOSPC);
    let mut writer = writer(dir.path(), &probe.settings());
    let watermark = writer.watermark();
    assert!(watermark.wait_prepared(100_000, PATIENCE), "two spares");
    probe.set(true);
    let mut seq = 0;
    let refused = loop {
        match writer.append(Kept::of(seq + 1).entry(), hash_after(seq)) {
            Ok(()) => seq += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::NotReady);
    assert_eq!(writer.last_seq(), seq);
    let room = writer.room();
    assert_eq!(room.prepared_bytes, 0);
    let longest = Kept { body: vec![0; 4000], ..Kept::of(seq + 1) };
    assert!(room.total_bytes() < longest.len_bytes(), "{room:?}");
    // A record that still fits is taken: a cancel passes where an order does not.
    while 64 <= writer.room().segment_bytes {
        let kept = Kept { body: vec![1; 40], ..Kept::of(seq + 1) };
        writer.append(kept.entry(), 0).unwrap();
        seq += 1;
    }
    assert!(watermark.wait_durable(seq, PATIENCE), "what was taken is still flushed");
    let DiskError { operation, source, .. } = loop {
        // The keeper may not have come to its next attempt yet.
        match watermark.preparation_error() {
            Some(error) => break error,
            None => std::thread::yield_now(),
        }
    };
    assert_eq!((operation, source.raw_os_error()), (Operation::Reserve, Some(ENOSPC)));
    assert!(!watermark.poisoned());
    probe.set(false);
    append(&mut writer, seq + 1, seq + 10);
    assert_eq!(watermark.preparation_error().map(|error| error.operation), None);
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).last_seq, seq + 10);
}

#[test]
fn the_end_of_a_segment_is_kept_for_what_must_pass() {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::Reserve, "pre", ENOSPC);
    let mut writer = writer(dir.path(), &probe.settings());
    let watermark = writer.watermark();
    assert!(watermark.wait_prepared(100_000, PATIENCE), "two spares");
    probe.set(true);
    let slot = Kept { body: vec![1; 40], ..Kept::of(1) };
    let reserve = reserve_bytes(64 << 10);
    assert_eq!(reserve, 8 << 10);
    let mut fill = |class: Class| {
        let mut count = 0;
        while writer.accepts(class, slot.body.len()) {
            let seq = writer.last_seq() + 1;
            assert!(64 <= writer.room_for(class), "{class:?} {seq}");
            writer.append(Kept { seq, ..slot.clone() }.entry(), 0).unwrap();
            count += 1;
        }
        assert!(writer.room_for(class) < 64, "{class:?}");
        (count, writer.room().total_bytes())
    };
    // Three segments with 58 KiB of records and more each, without the reserve of the last one.
    let (ordinary, left) = fill(Class::Ordinary);
    assert!(2500 < ordinary, "{ordinary}");
    assert_eq!(left, reserve);
    assert_eq!(fill(Class::Refusal), (reserve / 2 / 64, reserve / 2));
    assert_eq!(fill(Class::Essential), (reserve / 2 / 64, 0));
    let seq = writer.last_seq() + 1;
    let refused = writer.append(Kept { seq, ..slot.clone() }.entry(), 0);
    assert_eq!(refused, Err(AppendError::NotReady));
    probe.set(false);
    assert!(watermark.wait_prepared(1, PATIENCE), "there is room again");
    assert!(writer.accepts(Class::Ordinary, 4000) && !watermark.short_of_space());
    writer.close().unwrap();
}

#[test]
fn a_segment_that_is_not_ready_in_time_refuses_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::new(Operation::WriteZeros, "pre");
    let mut writer = writer(dir.path(), &Settings { probe: Some(gate.probe()), ..settings() });
    // The first segment was prepared by the start itself; now let nothing more through.
    let _ = writer.watermark().wait_prepared(100_000, PATIENCE);
    gate.close();
    let mut seq = 0;
    while writer.append(Kept::of(seq + 1).entry(), hash_after(seq)).is_ok() {
        seq += 1;
    }
    gate.wait();
    let before = writer.room();
    for _ in 0..3 {
        let refused = writer.append(Kept::of(seq + 1).entry(), hash_after(seq));
        assert_eq!(refused, Err(AppendError::NotReady));
    }
    assert_eq!(writer.room().segment_bytes, before.segment_bytes);
    gate.open();
    append(&mut writer, seq + 1, seq + 400);
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).last_seq, seq + 400);
    assert_eq!(files(dir.path(), "pre").len(), 0);
}

#[test]
fn a_page_that_cannot_be_made_writable_poisons_the_journal_before_the_writer_touches_it() {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::Populate, "open", EIO);
    let mut writer = writer(dir.path(), &probe.settings());
    let watermark = writer.watermark();
    append(&mut writer, 1, 10);
    assert!(watermark.wait_durable(10, PATIENCE));
    assert!(!watermark.poisoned() && 0 < probe.asked());
    probe.set(true);
    append(&mut writer, 11, 11);
    assert!(watermark.wait_poisoned(PATIENCE));
    assert_eq!(append_one(&mut writer, &Kept::of(12)), Err(AppendError::Poisoned));
    let error = writer.close().unwrap_err();
    let CloseError::Poisoned(ReadError::Disk(error)) = error else { panic!("{error}") };
    assert_eq!((error.operation, error.source.raw_os_error()), (Operation::Populate, Some(EIO)));
    assert_eq!(open_dir(dir.path(), &settings()).unwrap().last_seq(), 11);
}

#[test]
fn advice_to_read_ahead_that_is_refused_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let probe = FailAll::new(Operation::Read, "open", EIO);
    probe.set(true);
    let mut writer = writer(dir.path(), &probe.settings());
    // By a thread of its own, when that has the time.
    let (start, mut last_seq) = (Instant::now(), 0);
    while probe.asked() == 0 {
        assert!(start.elapsed() < PATIENCE, "advice is given");
        append(&mut writer, last_seq + 1, last_seq + 100);
        last_seq += 100;
        std::thread::yield_now();
    }
    let watermark = writer.watermark();
    assert!(watermark.wait_durable(last_seq, PATIENCE) && !watermark.poisoned());
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).last_seq, last_seq);
}
