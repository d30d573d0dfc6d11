//! What the tests share: a predictable record for every sequence number, folders and images.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use uncross_journal::{
    AppendError, Entry, Identity, Level, OpenError, Reader, Recovery, Report, Settings, Writer,
    kind, open,
};

/// Longer than any step takes; only a failing test ever waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Boot ids for tests that play reboots.
pub(crate) const BOOT_A: [u8; 16] = [0xA1; 16];
/// Another one.
pub(crate) const BOOT_B: [u8; 16] = [0xB2; 16];

/// Deterministic random numbers; the seed is part of every failure message.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A record as the tests remember it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) seq: u64,
    pub(crate) time_ns: u64,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
}

impl Kept {
    /// The record every test writes under `seq`: mostly one slot, some longer, few very long.
    pub(crate) fn of(seq: u64) -> Self {
        let mut random = Random(seq);
        let len = match random.below(64) {
            0 => 4000,
            1..8 => random.below(400),
            _ => random.below(41),
        };
        let body = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
        let kinds = [kind::ENTER, kind::CANCEL, kind::REFUSE, kind::TICK, kind::EPOCH];
        let kind = kinds[usize::try_from(random.below(5)).unwrap()];
        let flags = random.next().to_le_bytes()[0];
        Self { seq, time_ns: seq * 1000, kind, flags, body }
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            seq: self.seq,
            time_ns: self.time_ns,
            kind: self.kind,
            flags: self.flags,
            body: &self.body,
        }
    }

    /// Bytes it takes in a segment.
    pub(crate) fn len_bytes(&self) -> u64 {
        (24 + self.body.len() as u64).next_multiple_of(64)
    }
}

/// The rolling output hash the tests pretend to have after `seq`.
pub(crate) fn hash_after(seq: u64) -> u64 {
    seq.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The shortest segments, on boot A.
pub(crate) fn settings() -> Settings {
    Settings {
        segment_len_bytes: 64 << 10,
        level: Level::Async,
        flush_interval: Duration::from_millis(1),
        boot_id: Some(BOOT_A),
        ..Settings::default()
    }
}

/// As [`settings`], but nothing is flushed before the writer closes.
pub(crate) fn never_flushing() -> Settings {
    Settings { flush_interval: Duration::from_hours(1), ..settings() }
}

pub(crate) fn identity() -> Identity {
    Identity { behaviour_version: 7, config_hash: [0xC0; 32], build_id: [0xB1; 32] }
}

pub(crate) fn open_dir(dir: &Path, settings: &Settings) -> Result<Recovery, OpenError> {
    open(dir, settings, &identity())
}

/// Opens for writing; the journal must be sound.
pub(crate) fn writer(dir: &Path, settings: &Settings) -> Writer {
    let recovery = open_dir(dir, settings).unwrap();
    let last_seq = recovery.last_seq();
    recovery.into_writer(last_seq * 1000, hash_after(last_seq)).unwrap()
}

/// Appends the records of `first..=last`, waiting for prepared segments where it must.
pub(crate) fn append(writer: &mut Writer, first: u64, last: u64) {
    for seq in first..=last {
        append_one(writer, &Kept::of(seq)).unwrap();
    }
}

/// Appends one record, waiting for a prepared segment if it must.
pub(crate) fn append_one(writer: &mut Writer, kept: &Kept) -> Result<(), AppendError> {
    loop {
        match writer.append(kept.entry(), hash_after(kept.seq - 1)) {
            Err(AppendError::NotReady) => {
                assert!(writer.watermark().wait_prepared(1, PATIENCE), "nothing gets prepared");
            }
            done => return done,
        }
    }
}

/// Everything a recovery replays but checkpoints.
pub(crate) fn replayed(recovery: &mut Recovery) -> Vec<Kept> {
    let mut kept = Vec::new();
    recovery
        .replay(|record| {
            if record.kind == kind::CHECKPOINT {
                assert_eq!(record.output_hash(), Some(hash_after(record.seq)));
                return Ok::<_, Infallible>(());
            }
            kept.push(Kept {
                seq: record.seq,
                time_ns: record.time_ns,
                kind: record.kind,
                flags: record.flags,
                body: record.body.to_vec(),
            });
            Ok(())
        })
        .unwrap();
    kept
}

/// Checks that `kept` are exactly the records `1..=last`.
pub(crate) fn assert_prefix(kept: &[Kept], last: u64, context: &str) {
    assert_eq!(kept.len() as u64, last, "{context}");
    for (kept, seq) in kept.iter().zip(1..) {
        assert_eq!(*kept, Kept::of(seq), "{context}");
    }
}

pub(crate) fn verify(dir: &Path) -> Report {
    Reader::verify(dir, |_| {}).unwrap()
}

/// The files of `dir` with one of the extensions, sorted.
pub(crate) fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

/// The one open segment of `dir`.
pub(crate) fn open_segment(dir: &Path) -> PathBuf {
    let [path] = files(dir, "open").try_into().unwrap();
    path
}

/// A copy of the folder as a killed process would leave it. Beside running helpers a file may be
/// renamed on the way; then the copy starts anew.
pub(crate) fn image(dir: &Path) -> TempDir {
    loop {
        let copy = tempfile::tempdir().unwrap();
        match try_image(dir, copy.path()) {
            Ok(()) => return copy,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
        }
    }
}

fn try_image(dir: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == "lock" {
            continue;
        }
        let bytes = fs::read(entry.path())?;
        fs::write(to.join(entry.file_name()), bytes)?;
    }
    Ok(())
}
