//! Images of the folder taken at every operation on the disk, each opened as after a kill.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tempfile::TempDir;
use uncross_journal::{AppendError, Completeness, Operation, Probe, Settings};

use crate::support::{
    BOOT_B, Kept, PATIENCE, append, assert_prefix, files, hash_after, image, open_dir, replayed,
    settings, verify, writer,
};

/// Holds every thread that is about to do one kind of operation on one kind of file.
#[derive(Debug)]
pub(crate) struct Gate {
    inner: Arc<GateProbe>,
}

#[derive(Debug)]
struct GateProbe {
    operation: Operation,
    extension: &'static str,
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    waiting: u32,
}

impl Gate {
    pub(crate) fn new(operation: Operation, extension: &'static str) -> Self {
        let inner =
            GateProbe { operation, extension, state: Mutex::default(), changed: Condvar::new() };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn probe(&self) -> Arc<dyn Probe> {
        let probe: Arc<GateProbe> = Arc::clone(&self.inner);
        probe
    }

    pub(crate) fn close(&self) {
        self.inner.state.lock().unwrap().closed = true;
    }

    pub(crate) fn open(&self) {
        self.inner.state.lock().unwrap().closed = false;
        self.inner.changed.notify_all();
    }

    /// Waits until somebody stands before the gate.
    pub(crate) fn wait(&self) {
        let state = self.inner.state.lock().unwrap();
        let (state, timeout) = self
            .inner
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.waiting == 0)
            .unwrap();
        assert!(!timeout.timed_out(), "nobody comes: {state:?}");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Also when a test fails: helpers that still stand here get through at once.
        if let Ok(mut state) = self.inner.state.lock() {
            state.closed = false;
        }
        self.inner.changed.notify_all();
    }
}

impl Probe for GateProbe {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let here = operation == self.operation
            && path.extension().is_some_and(|found| found == self.extension);
        if !here {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, 2 * PATIENCE, |state| state.closed);
        let (mut state, timeout) = waited.unwrap();
        state.waiting -= 1;
        if timeout.timed_out() {
            // The test has failed meanwhile, and the writer is to end.
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// An image with what was appended and durable when it was taken.
struct Shot {
    operation: Operation,
    path: PathBuf,
    image: TempDir,
    appended: u64,
    durable: u64,
}

/// Takes an image of `dir` before each operation. The writer stands still meanwhile.
struct Camera {
    dir: PathBuf,
    appending: Mutex<()>,
    shots: Mutex<Vec<Shot>>,
    appended: AtomicU64,
    durable: AtomicU64,
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Camera")
    }
}

impl Probe for Camera {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if matches!(operation, Operation::Populate | Operation::Read | Operation::Random) {
            return Ok(());
        }
        let still = self.appending.lock().unwrap();
        let shot = Shot {
            operation,
            path: path.to_owned(),
            image: image(&self.dir),
            appended: self.appended.load(Ordering::Acquire),
            durable: self.durable.load(Ordering::Acquire),
        };
        self.shots.lock().unwrap().push(shot);
        drop(still);
        Ok(())
    }
}

fn check_shot(shot: &Shot) {
    let dir = shot.image.path();
    let context = format!("before {:?} {}", shot.operation, shot.path.display());
    let mut recovery =
        open_dir(dir, &settings()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let last = recovery.last_seq();
    assert_eq!(last, shot.appended, "{context}");
    assert!(shot.durable <= last, "{context}");
    assert_eq!(recovery.torn(), None, "{context}");
    assert_prefix(&replayed(&mut recovery), last, &context);
    let mut writer = recovery
        .into_writer(last * 1000, hash_after(last))
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    append(&mut writer, last + 1, last + 3);
    writer.close().unwrap();
    let report = verify(dir);
    assert_eq!((report.last_seq, report.durable_seq), (last + 3, last + 3), "{context}");
    assert_eq!(files(dir, "pre"), Vec::<PathBuf>::new(), "{context}");
}

#[test]
fn a_kill_before_any_operation_loses_nothing_appended() {
    const RECORDS: u64 = 2000;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("journal");
    std::fs::create_dir(&dir).unwrap();
    let camera = Arc::new(Camera {
        dir: dir.clone(),
        appending: Mutex::default(),
        shots: Mutex::default(),
        appended: AtomicU64::new(0),
        durable: AtomicU64::new(0),
    });
    let probe: Arc<Camera> = Arc::clone(&camera);
    let mut writer = writer(&dir, &Settings { probe: Some(probe), ..settings() });
    let watermark = writer.watermark();
    let mut seq = 1;
    while seq <= RECORDS {
        let still = camera.appending.lock().unwrap();
        let done = writer.append(Kept::of(seq).entry(), hash_after(seq - 1));
        camera.appended.store(writer.last_seq(), Ordering::Release);
        camera.durable.store(watermark.durable_seq(), Ordering::Release);
        drop(still);
        match done {
            Ok(()) => seq += 1,
            Err(AppendError::NotReady) => assert!(watermark.wait_prepared(1, PATIENCE)),
            Err(other) => panic!("{other}"),
        }
    }
    writer.close().unwrap();
    let shots = std::mem::take(&mut *camera.shots.lock().unwrap());
    assert!(80 < shots.len(), "only {} operations", shots.len());
    let renames = shots.iter().filter(|shot| shot.operation == Operation::Rename).count();
    assert!(5 < renames, "only {renames} renames");
    for shot in &shots {
        check_shot(shot);
    }
}

#[test]
fn a_segment_entered_but_not_named_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::new(Operation::Rename, "pre");
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 1);
    first.close().unwrap();
    let mut writer = writer(dir.path(), &Settings { probe: Some(gate.probe()), ..settings() });
    gate.close();
    append(&mut writer, 2, 700);
    gate.wait();
    let copy = image(dir.path());
    gate.open();
    assert_eq!(files(copy.path(), "seg").len(), 0);
    assert_eq!(files(copy.path(), "open").len(), 1);
    for boot_id in [settings().boot_id, Some(BOOT_B)] {
        let mut recovery = open_dir(copy.path(), &Settings { boot_id, ..settings() }).unwrap();
        assert_prefix(&replayed(&mut recovery), 700, "entered spare");
    }
    let recovery = open_dir(copy.path(), &settings()).unwrap();
    recovery.into_writer(0, 0).unwrap().close().unwrap();
    assert_eq!(verify(copy.path()).records, 700);
    writer.close().unwrap();
}

#[test]
fn segments_complete_but_not_sealed_are_sealed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::new(Operation::Rename, "open");
    let mut writer = writer(dir.path(), &Settings { probe: Some(gate.probe()), ..settings() });
    gate.close();
    append(&mut writer, 1, 700);
    gate.wait();
    assert!(writer.watermark().wait_durable(700, PATIENCE), "sealing does not hold the flusher");
    let copy = image(dir.path());
    gate.open();
    writer.close().unwrap();
    assert_eq!(files(copy.path(), "seg").len(), 0);
    assert!(2 <= files(copy.path(), "open").len());
    let recovery =
        open_dir(copy.path(), &Settings { boot_id: Some(BOOT_B), ..settings() }).unwrap();
    assert_eq!(recovery.completeness(), Completeness::Unproven);
    recovery.into_writer(0, 0).unwrap().close().unwrap();
    let report = verify(copy.path());
    assert_eq!((report.records, report.segments), (700, report.sealed_segments + 1));
}

#[test]
fn an_entered_segment_behind_a_torn_one_is_moved_aside_after_a_reboot_only() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::new(Operation::SyncPages, "open");
    let mut writer = writer(dir.path(), &Settings { probe: Some(gate.probe()), ..settings() });
    gate.close();
    append(&mut writer, 1, 1);
    gate.wait();
    append(&mut writer, 2, 700);
    let copy = image(dir.path());
    gate.open();
    writer.close().unwrap();
    // The machine went down: a page of the first segment was never written.
    let path = crate::support::open_segment(copy.path());
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 4096], 8192).unwrap();
    let refused = open_dir(copy.path(), &settings()).unwrap_err();
    assert!(refused.to_string().contains("segment 2 exists"), "{refused}");
    let rebooted = Settings { boot_id: Some(BOOT_B), ..settings() };
    let recovery = open_dir(copy.path(), &rebooted).unwrap();
    let last = recovery.last_seq();
    assert!(0 < last && last < 100, "{last}");
    let mut writer = recovery.into_writer(0, 0).unwrap();
    append(&mut writer, last + 1, last + 50);
    writer.close().unwrap();
    assert_eq!(files(copy.path(), "bin").len(), 2, "the tail and the segment behind it");
    assert_eq!(verify(copy.path()).records, last + 50);
}

#[test]
fn an_open_segment_never_begun_is_moved_aside() {
    for garbage in [Vec::new(), vec![0; 64 << 10], vec![0xEE; 4096]] {
        let dir = tempfile::tempdir().unwrap();
        let mut first = writer(dir.path(), &settings());
        append(&mut first, 1, 400);
        first.close().unwrap();
        // Complete the last segment by changing the identity, then lose the new one's header.
        let next = uncross_journal::Identity { behaviour_version: 9, ..crate::support::identity() };
        let recovery = uncross_journal::open(dir.path(), &settings(), &next).unwrap();
        let before = image(dir.path());
        recovery.into_writer(0, hash_after(400)).unwrap().close().unwrap();
        let open = crate::support::open_segment(dir.path());
        std::fs::write(&open, &garbage).unwrap();
        // The sidecar of before: the mark does not lie in the new segment.
        std::fs::copy(before.path().join("durable"), dir.path().join("durable")).unwrap();
        let mut writer = writer(dir.path(), &settings());
        assert_eq!(writer.last_seq(), 400);
        append(&mut writer, 401, 410);
        writer.close().unwrap();
        assert_eq!(verify(dir.path()).records, 410);
        assert_eq!(files(dir.path(), "bin").len(), 1);
    }
}
