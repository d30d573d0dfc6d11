//! The lock file: two processes never open one journal folder.
//!
//! The lock is the kernel's (`flock`), so it goes with the process however that ends; the number
//! written into the file only serves the message to whoever comes second.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{DiskError, OpenError, Operation};
use crate::folder;

/// The held lock of a journal folder; let go when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] with the owner's process id when somebody holds it.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = folder::lock_path(dir);
        let failed = |source: io::Error| DiskError::new(Operation::Lock, &path, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { owner_pid: owner(file), path });
            }
            Err(errno) => return Err(failed(errno.into()).into()),
        }
        // Of one length whatever the number, so that a former owner's is written over whole.
        let pid = format!("{:>10}\n", std::process::id());
        file.write_all_at(pid.as_bytes(), 0).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process id in the lock file; `None` in a new file whose owner is about to write it.
pub(crate) fn owner(mut file: File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
