//! What the disk can do at best: positioned writes into a file that was written before, each
//! followed by `fdatasync`.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

/// Length of the file; the writes go round in it.
const LEN: u64 = 32 << 20;
const PAGE: usize = 4096;

/// A file that was written before.
#[derive(Debug)]
pub(super) struct Floor {
    file: File,
    bytes: Vec<u8>,
    at: u64,
}

impl Floor {
    /// For writes of `len` bytes, in a new file of `dir` that has no name any more.
    pub(super) fn new(dir: &Path, len: usize) -> io::Result<Self> {
        let path = dir.join("floor");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        // Page by page: after larger writes each later sync would write more than it must.
        for offset in (0..LEN).step_by(PAGE) {
            file.write_all_at(&[0; PAGE], offset)?;
        }
        file.sync_all()?;
        Ok(Self { file, bytes: vec![7; len], at: 0 })
    }

    /// One write and `fdatasync`.
    pub(super) fn step(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        self.file.write_all_at(&self.bytes, self.at)?;
        self.file.sync_data()?;
        let took = start.elapsed();
        self.at = (self.at + self.bytes.len() as u64) % LEN;
        Ok(took)
    }
}
