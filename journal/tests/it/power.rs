//! Power cuts: a model of the device keeps only what was synced, and every state it goes through
//! must recover to at least the watermark of that moment.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use uncross_journal::{Completeness, Level, Operation, Probe, Settings, Watermark, Writer};

use crate::support::{
    BOOT_B, append, assert_prefix, files, hash_after, image, never_flushing, open_dir, replayed,
    settings, verify, writer,
};

/// What a power cut would leave, and what was promised before it.
struct Cut {
    files: BTreeMap<PathBuf, Vec<u8>>,
    durable: u64,
    context: String,
}

/// The device: names and bytes that were synced.
#[derive(Debug, Default)]
struct Device {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Names as the running system sees them, each with the number of its file.
    names: BTreeMap<PathBuf, u64>,
    /// Names on the device.
    synced_names: BTreeMap<PathBuf, u64>,
    /// Bytes on the device.
    synced_bytes: BTreeMap<u64, Vec<u8>>,
    files: u64,
    watermark: Option<Arc<Watermark>>,
    cuts: Vec<Cut>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cuts", self.cuts.len())
    }
}

impl State {
    fn number(&mut self, path: &Path) -> u64 {
        if let Some(number) = self.names.get(path) {
            return *number;
        }
        self.files += 1;
        self.names.insert(path.to_owned(), self.files);
        self.files
    }

    /// Copies what is in the page cache to the device.
    fn sync(&mut self, path: &Path, range: Option<Range<u64>>) {
        let number = self.number(path);
        let Ok(bytes) = fs::read(path) else { return };
        let synced = self.synced_bytes.entry(number).or_default();
        synced.resize(bytes.len(), 0);
        let pages = range.map_or(0..bytes.len(), |range| {
            let start = usize::try_from(range.start / 4096 * 4096).unwrap();
            let end = usize::try_from(range.end.div_ceil(4096) * 4096).unwrap();
            start..end.min(bytes.len())
        });
        synced[pages.clone()].copy_from_slice(&bytes[pages]);
    }

    fn rename(&mut self, from: &Path) {
        let Some(number) = self.names.remove(from) else { return };
        // Spares become open segments, open segments sealed ones.
        let to = if from.extension().is_some_and(|extension| extension == "pre") {
            let mut open = files(from.parent().unwrap(), "open").into_iter();
            open.find(|path| !self.names.contains_key(path)).expect("an open segment")
        } else {
            from.with_extension("seg")
        };
        self.names.insert(to, number);
    }

    fn cut(&mut self, context: String) {
        // Before the copy: what is promised now must be in it.
        let durable = self.watermark.as_ref().map_or(0, |mark| mark.durable_seq());
        let files = self
            .synced_names
            .iter()
            .map(|(path, number)| {
                let bytes = self.synced_bytes.get(number).cloned().unwrap_or_default();
                (path.clone(), bytes)
            })
            .collect();
        self.cuts.push(Cut { files, durable, context });
    }
}

impl Device {
    /// What `cut` left of the files that the system sees in `dir`.
    fn of(cut: &Cut, dir: &Path) -> Self {
        let mut state = State::default();
        for entry in fs::read_dir(dir).unwrap() {
            state.number(&entry.unwrap().path());
        }
        for (path, bytes) in &cut.files {
            let path = dir.join(path.file_name().unwrap());
            let number = state.number(&path);
            state.synced_names.insert(path, number);
            state.synced_bytes.insert(number, bytes.clone());
        }
        Self { state: Mutex::new(state) }
    }

    fn watch(&self, writer: &Writer) {
        self.state.lock().unwrap().watermark = Some(writer.watermark());
    }

    fn cut(&self, context: &str) {
        self.state.lock().unwrap().cut(context.to_owned());
    }

    fn cuts(&self) -> Vec<Cut> {
        std::mem::take(&mut self.state.lock().unwrap().cuts)
    }
}

impl Probe for Device {
    fn before(&self, _operation: Operation, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, operation: Operation, path: &Path, range: Range<u64>) {
        let mut state = self.state.lock().unwrap();
        match operation {
            Operation::Create => {
                state.number(path);
            }
            Operation::SyncFile => state.sync(path, None),
            Operation::SyncPages => state.sync(path, Some(range)),
            Operation::Rename => state.rename(path),
            Operation::Remove => {
                state.names.remove(path);
            }
            Operation::SyncFolder => state.synced_names = state.names.clone(),
            // The sidecar, right after the watermark moved.
            Operation::Write => {}
            _ => return,
        }
        let context = format!("after {operation:?} {}", path.display());
        state.cut(context);
    }
}

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
    let device = Arc::new(Device::default());
    let probe: Arc<Device> = Arc::clone(&device);
    let mut writer = writer(&dir, &Settings { probe: Some(probe), ..settings.clone() });
    device.watch(&writer);
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
    let device = Arc::new(Device::default());
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
    device.watch(&second);
    device.cut("started");
    for cut in device.cuts() {
        let last = check(&cut, Level::Async, 700);
        assert!(cut.context != "started" || last == 700, "{last}");
    }
}
