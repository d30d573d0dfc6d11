//! The folder in which backups are kept: where it may lie, and that one process works in it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use uncross_server::config::VenueDir;

use super::{generations, make_private, manifest, unwritable};
use crate::{
    errors::{self, Failure},
    files::{is_at, parent},
    venue::real_folders,
};

/// Often enough to open a lock that others remove and make again meanwhile.
const TRIES: u32 = 16;

/// A folder of backups in which nobody else works.
pub(super) struct Folder<'a> {
    path: &'a Path,
    /// Held until the end of the process, or until this is dropped.
    _lock: File,
    is_new: bool,
    is_lock_new: bool,
}

impl<'a> Folder<'a> {
    /// Locks the folder; it is made if there is none.
    pub(super) fn enter(path: &'a Path) -> Result<Self, Failure> {
        let is_new = !path.exists();
        if is_new {
            make_private(path)?;
        }
        match lock(path) {
            Ok((lock, is_lock_new)) => Ok(Self { path, _lock: lock, is_new, is_lock_new }),
            Err(failure) => {
                if is_new {
                    drop(fs::remove_dir(path));
                }
                Err(failure)
            }
        }
    }

    /// Removes what was not there before. Another error is the one to tell, so none is returned.
    pub(super) fn leave_as_found(self) {
        if self.is_lock_new {
            drop(fs::remove_file(lock_file(self.path)));
        }
        if self.is_new {
            drop(fs::remove_dir(self.path));
        }
    }
}

fn lock_file(backups: &Path) -> PathBuf {
    backups.join("lock")
}

/// One process at a time makes and removes generations. Also returns whether the file is new.
fn lock(backups: &Path) -> Result<(File, bool), Failure> {
    let path = lock_file(backups);
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let (opened, is_new) = match options.clone().create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (options.open(&path), false)
            }
            made => (made, true),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if !is_new && error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unwritable(&path, &error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&file, &path) => return Ok((file, is_new)),
            // Whoever held it had made it and removed it again.
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let message = format!("{} is in use", backups.display());
                return Err(Failure::new(&errors::FOLDER_BUSY, message)
                    .cause("another backup is being made there")
                    .fix("wait until it is done"));
            }
            Err(errno) => return Err(unwritable(&path, &errno.into())),
        }
    }
    Err(unwritable(&path, &io::ErrorKind::NotFound.into()))
}

/// A path without links. What it names need not be there, but what that lies in.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    match (fs::canonicalize(parent(path)), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

/// Refuses a path that is, or lies in, a backup: with another file in it it would be damaged.
pub(super) fn refuse_in_backup(path: &Path) -> Result<(), Failure> {
    let real = real(path);
    let backup = real.ancestors().find(|dir| {
        manifest::is_one(dir) || generations::is_named(dir) && VenueDir::new(dir).journal().is_dir()
    });
    match backup {
        None => Ok(()),
        Some(backup) if backup == real => Err(within(format!("{} is a backup", path.display()))),
        Some(backup) => {
            Err(within(format!("{} lies in the backup {}", path.display(), backup.display())))
        }
    }
}

/// Refuses a path that is, or lies in, the folder of the venue in `own` or of any other one, or
/// where its journal and streams lie: a lock there could be the one of the journal, and a venue
/// that is lost would take its backups along.
pub(super) fn refuse_in_venue(path: &Path, own: Option<&Path>) -> Result<(), Failure> {
    let real = real(path);
    let own = own.map_or_else(Vec::new, real_folders);
    let venue = real.ancestors().find(|dir| {
        let venue = VenueDir::new(dir);
        own.iter().any(|own| own == dir) || venue.journal().is_dir() && venue.config_file().exists()
    });
    match venue {
        None => Ok(()),
        Some(venue) if venue == real => {
            Err(within(format!("{} is the folder of a venue", path.display())))
        }
        Some(venue) => {
            Err(within(format!("{} lies in the venue {}", path.display(), venue.display())))
        }
    }
}

fn within(message: String) -> Failure {
    Failure::new(&errors::WITHIN_BACKUP, message)
}
