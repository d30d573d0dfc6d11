//! A model of the device, which keeps only what was synced. The tests of the server use it too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use uncross_journal::{Operation, Probe, Watermark};

/// What a power cut would leave, and what was promised before it.
pub(crate) struct Cut {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) durable: u64,
    pub(crate) context: String,
}

/// The device: names and bytes that were synced.
#[derive(Debug)]
pub(crate) struct Device {
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
    /// Cuts at each step, not only when asked to.
    at_each_step: bool,
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
            let mut paths =
                fs::read_dir(from.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
            let is_new = |path: &PathBuf| {
                path.extension().is_some_and(|found| found == "open")
                    && !self.names.contains_key(path)
            };
            paths.find(is_new).expect("an open segment")
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
    pub(crate) fn of(cut: &Cut, dir: &Path) -> Self {
        let mut state = State { at_each_step: true, ..State::default() };
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

    /// A device that cuts the power at each of its steps, or only when asked to.
    pub(crate) fn new(at_each_step: bool) -> Self {
        Self { state: Mutex::new(State { at_each_step, ..State::default() }) }
    }

    /// Every cut says what `watermark` promised before it.
    pub(crate) fn watch(&self, watermark: Arc<Watermark>) {
        self.state.lock().unwrap().watermark = Some(watermark);
    }

    /// Cuts the power now.
    pub(crate) fn cut(&self, context: &str) {
        self.state.lock().unwrap().cut(context.to_owned());
    }

    /// All cuts since the last call.
    pub(crate) fn cuts(&self) -> Vec<Cut> {
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
        if state.at_each_step {
            let context = format!("after {operation:?} {}", path.display());
            state.cut(context);
        }
    }
}
