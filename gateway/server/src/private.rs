//! Files that only their owner may read, replaced as a whole, and random bytes for secrets.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use rustix::rand::{GetRandomFlags, getrandom};
use tempfile::NamedTempFile;

/// Keeps other editors away from a file until dropped.
#[derive(Debug)]
pub struct Lock {
    _folder: File,
}

/// Waits until nobody else edits the file at `path`, or another of its folder.
///
/// # Errors
///
/// The folder cannot be opened or locked.
pub fn lock(path: &Path) -> io::Result<Lock> {
    let folder = File::open(folder_of(path))?;
    folder.lock()?;
    Ok(Lock { _folder: folder })
}

/// Writes the file at `path` so that it is either the old or the new one, whatever fails, and
/// readable only by its owner.
///
/// # Errors
///
/// The operating system failed the write; the old file stands.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder_of(path);
    // A temporary file is made with mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Bytes that nobody can guess.
///
/// # Errors
///
/// The operating system gave none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
