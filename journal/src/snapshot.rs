//! Snapshots: files beside the segments that spare a start the replay of all that lies before.
//!
//! A snapshot is derived from the journal and never the truth: what is wrong with one is an answer,
//! not damage to the journal, and its reader does without. It is written under another name, synced
//! and read back; only then it gets its name, and older ones are removed but for one.

use std::path::{Path, PathBuf};

use thiserror::Error;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::disk::Disk;
use crate::error::{DiskError, Fault, Field, Operation};
use crate::format::{SNAPSHOT_MAGIC, SNAPSHOT_VERSION, SnapshotHeader};
use crate::limits::{PAGE_BYTES, SNAPSHOT_PIECE_BYTES, SNAPSHOTS_KEPT, index};
use crate::segment::{content_hash, field};
use crate::settings::Settings;
use crate::storage::Handle;
use crate::tail::Anchor;

/// Digits of a sequence number in a name: all of `u64`, so that names sort as numbers.
const SEQ_DIGITS: usize = 20;
const FOLDER: &str = "snapshots";
const ENDING: &str = "snap";
const DRAFT_ENDING: &str = "part";

/// Whose snapshots are of use: those of this journal under these rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Salt of the journal's first segment.
    pub salt: u64,
    /// Behaviour version of the engine.
    pub behaviour_version: u32,
    /// The caller's version of the body.
    pub body_version: u32,
    /// Hash of what the state presumes: the capacity.
    pub capacity_hash: [u8; 32],
}

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    /// Up to where the journal is covered.
    pub anchor: Anchor,
    /// Time stamp of the last record covered, in nanoseconds.
    pub time_ns: u64,
    /// What it is of.
    pub terms: Terms,
    /// Hash of the state.
    pub state_hash: [u8; 32],
    /// Rolling hash of all output.
    pub output_hash: u64,
}

/// A snapshot that is of another journal, or of this one under other rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Foreign {
    /// The journal is another one.
    #[error("it is of a journal with salt {found:016x}, this one has {expected:016x}")]
    Journal {
        /// Salt of this journal.
        expected: u64,
        /// Salt of its journal.
        found: u64,
    },
    /// The engine behaves in another way.
    #[error("it is of behaviour version {found}, this program of {expected}")]
    Behaviour {
        /// Version of this program.
        expected: u32,
        /// Its version.
        found: u32,
    },
    /// The body is laid out in another way.
    #[error("its body is of version {found}, this program reads {expected}")]
    Body {
        /// Version of this program.
        expected: u32,
        /// Its version.
        found: u32,
    },
    /// The engine had another capacity.
    #[error("it is of a venue with another capacity")]
    Capacity,
}

impl SnapshotHead {
    /// Whether it can be used under these terms.
    ///
    /// # Errors
    ///
    /// The first thing that differs.
    pub fn check(&self, terms: &Terms) -> Result<(), Foreign> {
        let Terms { salt, behaviour_version, body_version, capacity_hash } = *terms;
        let found = self.terms;
        if found.salt != salt {
            return Err(Foreign::Journal { expected: salt, found: found.salt });
        }
        if found.behaviour_version != behaviour_version {
            let (expected, found) = (behaviour_version, found.behaviour_version);
            return Err(Foreign::Behaviour { expected, found });
        }
        if found.body_version != body_version {
            return Err(Foreign::Body { expected: body_version, found: found.body_version });
        }
        if found.capacity_hash != capacity_hash {
            return Err(Foreign::Capacity);
        }
        Ok(())
    }

    fn of(header: &SnapshotHeader) -> Self {
        Self {
            anchor: Anchor {
                seq: header.seq.get(),
                segment_number: header.segment_number.get(),
                offset: header.offset.get(),
                record_crc: header.record_crc.get(),
            },
            time_ns: header.time_ns.get(),
            terms: Terms {
                salt: header.salt.get(),
                behaviour_version: header.behaviour_version.get(),
                body_version: header.body_version.get(),
                capacity_hash: header.capacity_hash,
            },
            state_hash: header.state_hash,
            output_hash: header.output_hash.get(),
        }
    }

    fn header(&self, body: &[u8]) -> Box<SnapshotHeader> {
        let mut header = Box::new(SnapshotHeader::new_zeroed());
        header.magic = SNAPSHOT_MAGIC;
        header.format_version = U32::new(SNAPSHOT_VERSION);
        header.behaviour_version = U32::new(self.terms.behaviour_version);
        header.body_version = U32::new(self.terms.body_version);
        header.record_crc = U32::new(self.anchor.record_crc);
        header.seq = U64::new(self.anchor.seq);
        header.time_ns = U64::new(self.time_ns);
        header.segment_number = U64::new(self.anchor.segment_number);
        header.offset = U64::new(self.anchor.offset);
        header.salt = U64::new(self.terms.salt);
        header.output_hash = U64::new(self.output_hash);
        header.body_len_bytes = U64::new(body.len() as u64);
        header.state_hash = self.state_hash;
        header.capacity_hash = self.terms.capacity_hash;
        header.body_hash = *blake3::hash(body).as_bytes();
        header.crc = U32::new(header.checksum());
        header
    }
}

/// Why a snapshot cannot be read or written.
#[derive(Clone, Debug, Error)]
pub enum SnapshotError {
    /// Its bytes are not what was written.
    #[error("{} at offset {offset}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// Another version of the program wrote it.
    #[error("{} is of snapshot version {found}, this program reads {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version this program reads.
        expected: u32,
        /// Its version.
        found: u32,
    },
    /// The operating system refused an operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl SnapshotError {
    /// Whether there is no such file any more: a running venue keeps the newest ones only.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Disk(error) if error.source.kind() == std::io::ErrorKind::NotFound)
    }
}

/// A snapshot in the folder.
#[derive(Clone, Debug)]
pub struct SnapshotView {
    /// Last sequence number covered, as its name says.
    pub seq: u64,
    /// The file.
    pub path: PathBuf,
}

/// A snapshot that has no name yet.
#[derive(Debug)]
pub struct Draft {
    seq: u64,
    path: PathBuf,
}

/// The snapshots of a journal.
#[derive(Clone, Debug)]
pub struct Snapshots {
    disk: Disk,
    dir: PathBuf,
}

impl Snapshots {
    /// Those of the journal in `journal`; there need be none.
    #[must_use]
    pub fn of(journal: &Path) -> Self {
        Self::on(journal, &Settings::default())
    }

    /// The same on the disk of `settings`.
    #[must_use]
    pub fn on(journal: &Path, settings: &Settings) -> Self {
        Self { disk: settings.disk(), dir: journal.join(FOLDER) }
    }

    /// The folder they are in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Those that have their names, the newest one first.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub fn list(&self) -> Result<Vec<SnapshotView>, DiskError> {
        if !self.disk.exists(&self.dir)? {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for name in self.disk.list(&self.dir)? {
            if let Some(seq) = name.to_str().and_then(|name| parse(name, ENDING)) {
                found.push(SnapshotView { seq, path: self.dir.join(name) });
            }
        }
        found.sort_by_key(|view| std::cmp::Reverse(view.seq));
        Ok(found)
    }

    /// What the snapshot at `path` says of itself, and the bytes of its file. Its body is not read.
    ///
    /// # Errors
    ///
    /// It is damaged or cannot be read.
    pub fn head(&self, path: &Path) -> Result<(SnapshotHead, u64), SnapshotError> {
        let (header, _) = self.open(path)?;
        Ok((SnapshotHead::of(&header), PAGE_BYTES + header.body_len_bytes.get()))
    }

    /// What the snapshot at `path` says of itself, and its body, each byte of it checked.
    ///
    /// # Errors
    ///
    /// It is damaged or cannot be read.
    pub fn read(&self, path: &Path) -> Result<(SnapshotHead, Vec<u8>), SnapshotError> {
        let (header, file) = self.open(path)?;
        let mut body = vec![0; index(header.body_len_bytes.get())];
        let failed = DiskError::of(Operation::Read, path);
        file.read_exact_at(&mut body, PAGE_BYTES).map_err(failed)?;
        let (expected, found) = (header.body_hash, *blake3::hash(&body).as_bytes());
        if expected != found {
            return Err(damaged(path, PAGE_BYTES, content_hash(expected, found)));
        }
        Ok((SnapshotHead::of(&header), body))
    }

    fn open(&self, path: &Path) -> Result<(Box<SnapshotHeader>, Handle), SnapshotError> {
        let gone = || DiskError::new(Operation::Open, path, std::io::ErrorKind::NotFound.into());
        let file = self.disk.open_to_read(path)?.ok_or_else(gone)?;
        let failed = |source| DiskError::new(Operation::Read, path, source);
        let len = file.len_bytes().map_err(failed)?;
        if len < PAGE_BYTES {
            return Err(damaged(path, 0, field(Field::FileLen, PAGE_BYTES, len)));
        }
        let mut header = Box::new(SnapshotHeader::new_zeroed());
        file.read_exact_at(header.as_mut_bytes(), 0).map_err(failed)?;
        if header.magic != SNAPSHOT_MAGIC {
            let (expected, found) = (SNAPSHOT_MAGIC, header.magic);
            return Err(damaged(path, 0, Fault::Magic { expected, found }));
        }
        let (expected, found) = (header.checksum(), header.crc.get());
        if expected != found {
            return Err(damaged(path, 0, Fault::Checksum { expected, found }));
        }
        let (expected, found) = (SNAPSHOT_VERSION, header.format_version.get());
        if expected != found {
            return Err(SnapshotError::Version { path: path.to_owned(), expected, found });
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let named = parse(name, ENDING).or_else(|| parse(name, DRAFT_ENDING));
        if let Some(expected) = named.filter(|&named| named != header.seq.get()) {
            let found = header.seq.get();
            return Err(damaged(path, 0, field(Field::LastSeq, expected, found)));
        }
        let expected = PAGE_BYTES.saturating_add(header.body_len_bytes.get());
        if expected != len {
            return Err(damaged(path, 0, field(Field::FileLen, expected, len)));
        }
        Ok((header, file))
    }

    /// Writes a snapshot and gets it onto the device, as yet without its name. Piece by piece, so
    /// that the syncs of a running journal never wait for more than one of them; `pause` is called
    /// after each.
    ///
    /// # Errors
    ///
    /// The disk is full or failing; nothing is left behind.
    pub fn draft(
        &self,
        head: &SnapshotHead,
        body: &[u8],
        pause: impl FnMut(),
    ) -> Result<Draft, DiskError> {
        let seq = head.anchor.seq;
        if self.disk.make_folder(&self.dir)? {
            self.disk.sync_folder(self.dir.parent().unwrap_or(&self.dir))?;
        }
        let path = self.dir.join(format!("{seq:0SEQ_DIGITS$}.{DRAFT_ENDING}"));
        self.sweep()?;
        let written = self.write(&path, &head.header(body), body, pause);
        if written.is_err() {
            // Best effort: the next one removes it, and the first error is the one to report.
            drop(self.disk.remove(&path));
        }
        written.map(|()| Draft { seq, path })
    }

    fn write(
        &self,
        path: &Path,
        header: &SnapshotHeader,
        body: &[u8],
        mut pause: impl FnMut(),
    ) -> Result<(), DiskError> {
        let file = self.disk.create(path)?;
        let len = PAGE_BYTES + body.len() as u64;
        self.disk.run(Operation::Reserve, path, || file.reserve(len))?;
        let pieces = body.chunks(SNAPSHOT_PIECE_BYTES);
        for (piece, offset) in pieces.zip((PAGE_BYTES..).step_by(SNAPSHOT_PIECE_BYTES)) {
            self.disk.write_at(&file, path, piece, offset)?;
            self.disk.sync_file(&file, path)?;
            pause();
        }
        self.disk.write_at(&file, path, header.as_bytes(), 0)?;
        self.disk.sync_file(&file, path)
    }

    /// Removes what runs before this one have begun and not finished.
    fn sweep(&self) -> Result<(), DiskError> {
        for name in self.disk.list(&self.dir)? {
            if name.to_str().and_then(|name| parse(name, DRAFT_ENDING)).is_some() {
                self.disk.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Reads a draft back, from its file.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn reread(&self, draft: &Draft) -> Result<(SnapshotHead, Vec<u8>), SnapshotError> {
        self.read(&draft.path)
    }

    /// Forgets a draft that is not what it should be.
    ///
    /// # Errors
    ///
    /// It cannot be removed; the next draft does.
    pub fn discard(&self, draft: Draft) -> Result<(), DiskError> {
        let Draft { path, .. } = draft;
        self.disk.remove(&path)
    }

    /// Gives a draft its name, durably, and removes the snapshots that are older than the one
    /// before.
    ///
    /// # Errors
    ///
    /// An operation failed: the draft or the snapshot is there, whole, and the older ones are.
    pub fn publish(&self, draft: Draft) -> Result<PathBuf, DiskError> {
        let Draft { seq, path: from } = draft;
        let path = self.dir.join(format!("{seq:0SEQ_DIGITS$}.{ENDING}"));
        self.disk.rename(&from, &path)?;
        self.disk.sync_folder(&self.dir)?;
        // One that is damaged does not take the place of a good one. This one was read just now.
        let readable = |view: &SnapshotView| view.seq == seq || self.read(&view.path).is_ok();
        let listed = self.list()?;
        let oldest = listed.iter().filter(|view| readable(view)).nth(SNAPSHOTS_KEPT - 1);
        let oldest = oldest.map_or(0, |view| view.seq);
        for view in listed.iter().filter(|view| view.seq < oldest) {
            self.disk.remove(&view.path)?;
        }
        Ok(path)
    }
}

fn damaged(path: &Path, offset: u64, fault: Fault) -> SnapshotError {
    SnapshotError::Damaged { path: path.to_owned(), offset, fault }
}

fn parse(name: &str, ending: &str) -> Option<u64> {
    let (stem, found) = name.split_once('.')?;
    let whole = stem.len() == SEQ_DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
    if whole && found == ending { stem.parse().ok() } else { None }
}
