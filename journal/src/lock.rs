//! The lock file: two processes never open one journal folder.
//!
//! The lock is the kernel's (`flock`), so it goes with the process however that ends; the number
//! written into the file only serves the message to whoever comes second.

use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::disk::Disk;
use crate::error::{DiskError, OpenError, Operation};
use crate::folder;
use crate::limits::{LOCK_INTERVAL, LOCK_PATIENCE};
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
        let file = disk.touch(&path)?;
        hold(&file, &path, Hold::Alone)?;
        // Of one length whatever the number, so that a former owner's is written over whole.
        let pid = format!("{:>10}\n", std::process::id());
        file.write_all_at(pid.as_bytes(), 0).map_err(DiskError::of(Operation::Lock, &path))?;
        Ok(Self { _file: file })
    }
}

/// Locks the lock file, which is at `path`. Who has it may be about to let go: a process that ends,
/// a child that was born with the file and is yet to begin its program. So a short while is waited.
///
/// # Errors
///
/// [`OpenError::Locked`] when somebody keeps it.
pub(crate) fn hold(file: &Handle, path: &Path, how: Hold) -> Result<(), OpenError> {
    let start = Instant::now();
    while !file.lock(how).map_err(DiskError::of(Operation::Lock, path))? {
        if LOCK_PATIENCE <= start.elapsed() {
            return Err(OpenError::Locked { owner_pid: owner(file), path: path.to_owned() });
        }
        thread::sleep(LOCK_INTERVAL);
    }
    Ok(())
}

/// The process id in the lock file; `None` in a new file whose owner is about to write it.
fn owner(file: &Handle) -> Option<u32> {
    String::from_utf8(file.read_all().ok()?).ok()?.trim().parse().ok()
}
