//! Where an export goes: files that appear whole or not at all, or standard output.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    errors::{self, Failure},
    output::{End, Output},
    venue::hex,
};

/// Bytes gathered before they are written.
const BUFFER_LEN: usize = 256 * 1024;

/// The path that means standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

enum Place<'a> {
    /// A file of another name in the same folder, until it is whole.
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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
        let file = file.map_err(|error| unwritable(path, &error))?;
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

/// Refuses a file that is there.
pub(super) fn exists(path: &Path) -> Failure {
    Failure::new(&errors::FILE_EXISTS, format!("{} exists", path.display()))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written", path.display());
    Failure::new(&errors::FILE_WRITE, message).cause(error.to_string())
}
