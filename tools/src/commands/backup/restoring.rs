//! A venue that is being restored, beside its place until it is whole. Whoever makes it holds a
//! lock on it, so that what somebody left who is gone is known and removed by the next one.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::unwritable;
use crate::{errors::Failure, files::is_at};

/// Begins the names.
const PREFIX: &str = ".restoring-";
/// How many letters and digits follow.
const RANDOM_LEN: usize = 6;
/// Often enough to find a name that nobody removes meanwhile.
const TRIES: u32 = 16;

/// The folder of a venue that is being made. It is removed unless it gets its name.
pub(super) struct Restoring {
    dir: TempDir,
    /// `None`: the file system has no locks on folders, so that nobody else removes it either.
    _lock: Option<File>,
}

impl Restoring {
    /// Makes a folder in `parent`.
    pub(super) fn begin(parent: &Path) -> Result<Self, Failure> {
        let mut tries = 0;
        loop {
            let made = tempfile::Builder::new()
                .prefix(PREFIX)
                .rand_bytes(RANDOM_LEN)
                .tempdir_in(parent)
                .map_err(|error| unwritable(parent, &error))?;
            let opened = File::open(made.path());
            let lock = opened.ok().filter(|it| flock(it, FlockOperation::LockExclusive).is_ok());
            tries += 1;
            // Before it had its lock, it looked like one whose maker is gone.
            if lock.as_ref().is_none_or(|it| is_at(it, made.path())) || TRIES <= tries {
                return Ok(Self { dir: made, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Moves it to its place.
    pub(super) fn give_name(self, place: &Path) -> Result<(), Failure> {
        fs::rename(self.path(), place).map_err(|error| unwritable(place, &error))?;
        // It has its name: nothing is to be removed any more.
        drop(self.dir.keep());
        Ok(())
    }
}

/// Removes what was being restored in `parent` by somebody who is gone. What cannot be removed
/// stays: it is in nobody's way.
pub(super) fn remove_left(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().and_then(|it| it.strip_prefix(PREFIX)).is_some_and(|random| {
            random.len() == RANDOM_LEN && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_if_left(parent, &name);
        }
    }
}

fn remove_if_left(parent: &Path, name: &OsStr) {
    let path = parent.join(name);
    let Ok(dir) = File::open(&path) else { return };
    if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&dir, &path) {
        drop(fs::remove_dir_all(&path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_restored_stays_until_its_maker_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let Restoring { dir, _lock: lock } = Restoring::begin(parent.path()).unwrap();
        let path = dir.keep();
        fs::write(path.join("venue.toml"), "").unwrap();
        assert!(lock.is_some());
        remove_left(parent.path());
        assert!(path.join("venue.toml").exists());
        drop(lock);
        remove_left(parent.path());
        assert!(!path.exists());
    }
}
