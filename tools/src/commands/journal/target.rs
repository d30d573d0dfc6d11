//! Where an export goes: files that appear whole or not at all, or standard output.

use std::{
    fs::{File, FileType, OpenOptions, Permissions, TryLockError},
    io::{self, BufWriter, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, process::geteuid};
use serde::Serialize;
use tempfile::{NamedTempFile, TempPath};

use crate::{
    commands::venue::unwritable,
    errors::{self, Failure},
    files::{is_at, parent},
    output::{End, Output},
    venue::{hex, real_folders},
};

/// Bytes gathered before they are written.
const BUFFER_LEN: usize = 256 * 1024;

/// Who may read what is written: its owner alone, as with the venue.
const MODE: u32 = 0o600;

/// The path that means standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

enum Place<'a> {
    /// A file of another name in the same folder, until it is whole. What somebody left there who
    /// was ended is gone on with by the next one.
    File(BufWriter<NamedTempFile>),
    Stdout(&'a mut Output),
}

/// A destination being written.
pub(super) struct Target<'a> {
    place: Place<'a>,
    path: PathBuf,
    hasher: blake3::Hasher,
    len_bytes: u64,
    items: u64,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    /// `itch`, `events`, `trades`, `reports` or `drop-copies`.
    pub(super) content: &'static str,
    pub(super) path: String,
    /// Messages or events.
    pub(super) items: u64,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

impl<'a> Target<'a> {
    /// Begins a file that is to be at `path`.
    pub(super) fn file(path: &Path) -> Result<Self, Failure> {
        let draft = draft_path(path).ok_or_else(|| unwritable(path, &nameless()))?;
        let file = draft_file(&draft).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                let message = format!("{} is being written by another export", path.display());
                Failure::new(&errors::FILE_WRITE, message)
                    .cause(format!("it holds the lock of {}", draft.display()))
                    .fix("wait until that one has ended, or name another file")
            }
            _ => unwritable(path, &error),
        })?;
        let draft = TempPath::try_from_path(draft).map_err(|error| unwritable(path, &error))?;
        let file = NamedTempFile::from_parts(file, draft);
        Ok(Self::new(Place::File(BufWriter::with_capacity(BUFFER_LEN, file)), path))
    }

    /// Goes to standard output.
    pub(super) fn stdout(output: &'a mut Output) -> Self {
        Self::new(Place::Stdout(output), Path::new("standard output"))
    }

    fn new(place: Place<'a>, path: &Path) -> Self {
        let (path, hasher) = (path.to_owned(), blake3::Hasher::new());
        Self { place, path, hasher, len_bytes: 0, items: 0 }
    }

    /// Writes one message, given in parts.
    pub(super) fn put<'p>(&mut self, parts: impl IntoIterator<Item = &'p [u8]>) -> io::Result<()> {
        self.count();
        parts.into_iter().try_for_each(|part| self.write(part))
    }

    /// Counts one message or event.
    pub(super) const fn count(&mut self) {
        self.items += 1;
    }

    /// Writes bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len_bytes += bytes.len() as u64;
        self.hasher.update(bytes);
        let written = match &mut self.place {
            Place::File(file) => file.write_all(bytes),
            Place::Stdout(output) => output.bytes(bytes),
        };
        // With the path, as there may be several.
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        })
    }

    /// Gives the file its name, once it is on the device; nothing is left when that fails. `None`
    /// for standard output.
    pub(super) fn finish(
        self,
        content: &'static str,
        is_forced: bool,
    ) -> Result<Option<Written>, End> {
        let Self { place, path, hasher, len_bytes, items } = self;
        let file = match place {
            Place::File(file) => file,
            Place::Stdout(output) => {
                output.flush()?;
                return Ok(None);
            }
        };
        let file = file.into_inner().map_err(|error| unwritable(&path, error.error()))?;
        file.as_file().sync_all().map_err(|error| unwritable(&path, &error))?;
        let named = if is_forced { file.persist(&path) } else { file.persist_noclobber(&path) };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            _ => unwritable(&path, &error.error),
        })?;
        let (path, blake3) = (path.display().to_string(), hex(hasher.finalize().as_bytes()));
        Ok(Some(Written { content, path, items, bytes: len_bytes, blake3 }))
    }
}

/// Where a file is to be: nothing is there, or with `is_forced` a file that may be replaced, and
/// not in the folder of the venue. Returns the path as there is only one of.
pub(super) fn free(path: &Path, venue: &Path, is_forced: bool) -> Result<PathBuf, Failure> {
    let name = path.file_name().ok_or_else(|| unwritable(path, &nameless()))?;
    let folder = parent(path).canonicalize().map_err(|error| unwritable(path, &error))?;
    if real_folders(venue).iter().any(|of_venue| folder.starts_with(of_venue)) {
        let message = format!("{} lies in the folder of the venue", path.display());
        return Err(Failure::new(&errors::FILE_WRITE, message)
            .cause("an export changes nothing there")
            .fix("name a file elsewhere"));
    }
    let whole = folder.join(name);
    match whole.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(whole),
        Err(error) => Err(unwritable(path, &error)),
        Ok(found) if !found.is_file() => {
            let message = format!("{} is {}", path.display(), kind(found.file_type()));
            Err(Failure::new(&errors::FILE_WRITE, message)
                .cause("an export appears as a whole file in the place of its name")
                .fix("name a file, or - for standard output"))
        }
        Ok(_) if is_forced => Ok(whole),
        Ok(_) => Err(exists(path)),
    }
}

fn kind(found: FileType) -> &'static str {
    if found.is_dir() {
        "a folder"
    } else if found.is_symlink() {
        "a symbolic link"
    } else if found.is_fifo() {
        "a pipe"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

fn nameless() -> io::Error {
    io::Error::new(io::ErrorKind::IsADirectory, "it is the name of a folder")
}

/// Where a file is until it is whole.
pub(super) fn draft_path(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(".part");
    Some(parent(path).join(name))
}

/// An empty file at `path`, locked until it is closed; [`io::ErrorKind::WouldBlock`] when somebody
/// else has it.
fn draft_file(path: &Path) -> io::Result<File> {
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    loop {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(MODE).custom_flags(no_link).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::from(io::ErrorKind::WouldBlock),
            TryLockError::Error(error) => error,
        })?;
        let held = file.metadata()?;
        // An export makes no other, and what somebody else has must not be written over.
        if !held.is_file() || held.nlink() > 1 || held.uid() != geteuid().as_raw() {
            let why = format!("{} is in the way and is no draft of an export", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        if is_at(&file, path) {
            file.set_permissions(Permissions::from_mode(MODE))?;
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

/// Refuses a file that is there.
pub(super) fn exists(path: &Path) -> Failure {
    Failure::new(&errors::FILE_EXISTS, format!("{} exists", path.display()))
}
