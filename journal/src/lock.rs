//! The lock file: two processes never open one journal folder.
//!
//! The lock is the kernel's (`flock`), so it goes with the process however that ends; the number
//! written into the file only serves the message to whoever comes second.

use std::io;
use std::path::Path;

use crate::disk::Disk;
use crate::error::{DiskError, OpenError, Operation};
use crate::folder;
use crate::storage::{Handle, Hold};

/// The held lock of a journal folder; let go when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Handle,
}

impl Lock {
    /// Takes the lock of `dir`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Locked`] with the owner's process id when somebody holds it.
    pub(crate) fn take(disk: &Disk, dir: &Path) -> Result<Self, OpenError> {
        let path = folder::lock_path(dir);
        let failed = |source: io::Error| DiskError::new(Operation::Lock, &path, source);
        let file = disk.touch(&path)?;
        if !file.lock(Hold::Alone).map_err(failed)? {
            return Err(OpenError::Locked { owner_pid: owner(&file), path });
        }
        // Of one length whatever the number, so that a former owner's is written over whole.
        let pid = format!("{:>10}\n", std::process::id());
        file.write_all_at(pid.as_bytes(), 0).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process id in the lock file; `None` in a new file whose owner is about to write it.
pub(crate) fn owner(file: &Handle) -> Option<u32> {
    String::from_utf8(file.read_all().ok()?).ok()?.trim().parse().ok()
}
