//! Everything that is done to the disk, in one place, each operation under its name.
//!
//! What changes the disk or asks a mapped page of it tells the [`Probe`] first, so that tests can
//! make the k-th operation fail or hold a helper at a chosen point. The [`Storage`] below does it.
//! Nothing here runs on the core thread.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Advice, MmapRaw};

use crate::error::{DiskError, Operation};
use crate::limits::{PAGE_BYTES, PREPARE_CHUNK_BYTES, index};
use crate::storage::{Access, Extent, Handle, RealDisk, Storage};

/// Told of every operation before it happens; for fault tests and for tracing.
pub trait Probe: Send + Sync + fmt::Debug {
    /// Called on the thread that is about to do `operation` on `path`; may block.
    ///
    /// # Errors
    ///
    /// An error takes the place of the operation, which then does not happen.
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()>;

    /// Called on the same thread after the operation succeeded. `range` is the part of the file it
    /// was about, empty where that makes no sense.
    fn after(&self, operation: Operation, path: &Path, range: Range<u64>) {
        let _ = (operation, path, range);
    }
}

/// The disk as the journal sees it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    storage: Arc<dyn Storage>,
    probe: Option<Arc<dyn Probe>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new(None, None)
    }
}

/// What became of a preparation.
pub(crate) enum Prepared {
    /// The file is there, its zeros are on the device.
    Ready(Handle),
    /// It was given up because the caller asked to; nothing is left of it.
    Abandoned,
}

impl Disk {
    /// On `storage`, by default that of the operating system.
    pub(crate) fn new(storage: Option<Arc<dyn Storage>>, probe: Option<Arc<dyn Probe>>) -> Self {
        Self { storage: storage.unwrap_or_else(|| Arc::new(RealDisk)), probe }
    }

    /// Does `act` unless the probe says otherwise.
    pub(crate) fn run<T>(
        &self,
        operation: Operation,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        self.run_on(operation, path, 0..0, act)
    }

    fn run_on<T>(
        &self,
        operation: Operation,
        path: &Path,
        range: Range<u64>,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let asked = self.probe.as_ref().map_or(Ok(()), |probe| probe.before(operation, path));
        let done = asked.and_then(|()| act()).map_err(DiskError::of(operation, path))?;
        if let Some(probe) = &self.probe {
            probe.after(operation, path, range);
        }
        Ok(done)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Handle> {
        Ok(Handle::new(self.storage.open(path, access)?))
    }

    pub(crate) fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.storage.exists(path).map_err(DiskError::of(Operation::Look, path))
    }

    /// The length of a file; `Ok(None)` when there is no such file.
    pub(crate) fn len_bytes(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        match self.storage.len_bytes(path) {
            Ok(len_bytes) => Ok(Some(len_bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new(Operation::Look, path, error)),
        }
    }

    /// The names in a folder.
    pub(crate) fn list(&self, dir: &Path) -> Result<Vec<OsString>, DiskError> {
        self.storage.list(dir).map_err(DiskError::of(Operation::List, dir))
    }

    /// Opens `path` for reading; `Ok(None)` when there is no such file.
    pub(crate) fn open_to_read(&self, path: &Path) -> Result<Option<Handle>, DiskError> {
        match self.open(path, Access::Read) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new(Operation::Open, path, error)),
        }
    }

    /// Opens `path` to be locked, creating it if there is none.
    pub(crate) fn touch(&self, path: &Path) -> Result<Handle, DiskError> {
        self.open(path, Access::Touch).map_err(DiskError::of(Operation::Lock, path))
    }

    /// Has a folder and those it is in be there; says whether they were not.
    pub(crate) fn make_folder(&self, path: &Path) -> Result<bool, DiskError> {
        if self.exists(path)? {
            return Ok(false);
        }
        self.run(Operation::CreateFolder, path, || self.storage.create_folder(path))?;
        Ok(true)
    }

    /// Gets the names of a folder and of those it is in onto the device.
    pub(crate) fn sync_above(&self, path: &Path) -> Result<(), DiskError> {
        for above in path.ancestors().skip(1) {
            let here = above.as_os_str().is_empty();
            match self.sync_folder(if here { Path::new(".") } else { above }) {
                // What this process may not open it has not made; and a file system that knows no
                // sync of a folder, or takes no writes, has nothing that one could lose.
                Err(error) if is_not_ours(error.source.kind()) => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// Creates `path`, which must not exist, for reading and writing.
    pub(crate) fn create(&self, path: &Path) -> Result<Handle, DiskError> {
        self.run(Operation::Create, path, || self.open(path, Access::Create))
    }

    pub(crate) fn open_rw(&self, path: &Path) -> Result<Handle, DiskError> {
        self.run(Operation::Open, path, || self.open(path, Access::Write))
    }

    pub(crate) fn write_at(
        &self,
        file: &Handle,
        path: &Path,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), DiskError> {
        self.run(Operation::Write, path, || file.write_all_at(bytes, offset))
    }

    pub(crate) fn map(&self, file: &Handle, path: &Path) -> Result<MmapRaw, DiskError> {
        self.run(Operation::Map, path, || file.map())
    }

    /// Makes pages writable without changing them: the writer then takes no fault there.
    pub(crate) fn populate(
        &self,
        map: &MmapRaw,
        path: &Path,
        offset: u64,
        len_bytes: u64,
    ) -> Result<(), DiskError> {
        self.run(Operation::Populate, path, || {
            match map.advise_range(Advice::PopulateWrite, index(offset), index(len_bytes)) {
                // Not known to kernels before 5.14, or interrupted: the writer takes the faults.
                Err(error) if passing(&error) => Ok(()),
                done => done,
            }
        })
    }

    /// Starts reading pages into the cache; advice only, so that failing is no error.
    pub(crate) fn read_ahead(&self, map: &MmapRaw, path: &Path, offset: u64, len_bytes: u64) {
        let advised = self.run(Operation::Read, path, || {
            map.advise_range(Advice::WillNeed, index(offset), index(len_bytes))
        });
        // Advice: when it is refused, `populate` reads the pages and reports what is wrong.
        drop(advised);
    }

    /// Syncs exactly the pages that hold `offset..end`.
    pub(crate) fn sync_pages(
        &self,
        (file, map): (&Handle, &MmapRaw),
        path: &Path,
        offset: u64,
        end: u64,
    ) -> Result<(), DiskError> {
        let sync = || file.sync_pages(map, offset..end);
        self.run_on(Operation::SyncPages, path, offset..end, sync)
    }

    pub(crate) fn sync_file(&self, file: &Handle, path: &Path) -> Result<(), DiskError> {
        self.run(Operation::SyncFile, path, || file.sync(Extent::All))
    }

    pub(crate) fn sync_data(&self, file: &Handle, path: &Path) -> Result<(), DiskError> {
        self.run(Operation::SyncFile, path, || file.sync(Extent::Data))
    }

    pub(crate) fn sync_folder(&self, path: &Path) -> Result<(), DiskError> {
        self.run(Operation::SyncFolder, path, || self.storage.sync_folder(path))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.run(Operation::Rename, from, || self.storage.rename(from, to))
    }

    pub(crate) fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.run(Operation::Remove, path, || self.storage.remove(path))
    }

    pub(crate) fn set_read_only(&self, file: &Handle, path: &Path) -> Result<(), DiskError> {
        self.run(Operation::SetReadOnly, path, || file.set_read_only())
    }

    /// Creates `path` with `len_bytes` of real zeros on the device, ready to be mapped.
    ///
    /// They are written page by page: written in larger pieces they leave large folios in the page
    /// cache, and each later sync of one page writes all of its folio. From there they need not be
    /// read again before they are changed, as they had to be if they went past it. What is written
    /// is synced piece by piece, so that no sync of records waits long behind it.
    ///
    /// # Errors
    ///
    /// What the operating system said; the file is removed again.
    pub(crate) fn prepare(
        &self,
        path: &Path,
        len_bytes: u64,
        give_up: impl Fn() -> bool,
    ) -> Result<Prepared, DiskError> {
        let file = self.create(path)?;
        let written = self.write_zeros(file, path, len_bytes, give_up);
        if !matches!(written, Ok(Prepared::Ready(_))) {
            // Best effort: the next start removes it, and the first error is the one to report.
            drop(self.remove(path));
        }
        written
    }

    fn change_one(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        let made = self.prepare(path, PREPARE_CHUNK_BYTES as u64, || false)?;
        let Prepared::Ready(file) = made else { return Ok(None) };
        self.remove(path)?;
        let map = self.map(&file, path)?;
        let before = written_by_thread();
        self.populate(&map, path, PAGE_BYTES, PAGE_BYTES)?;
        let counted = written_by_thread().zip(before);
        // Nothing: the kernel does not know the advice, and the page has not changed.
        Ok(counted.map(|(after, before)| after.saturating_sub(before)).filter(|it| 0 < *it))
    }

    fn write_zeros(
        &self,
        file: Handle,
        path: &Path,
        len_bytes: u64,
        give_up: impl Fn() -> bool,
    ) -> Result<Prepared, DiskError> {
        self.run(Operation::Reserve, path, || file.reserve(len_bytes))?;
        let zeros = [0; index(PAGE_BYTES)];
        let mut at = 0;
        while at < len_bytes {
            if give_up() {
                return Ok(Prepared::Abandoned);
            }
            let end = len_bytes.min(at + PREPARE_CHUNK_BYTES as u64);
            self.run(Operation::WriteZeros, path, || {
                (at..end)
                    .step_by(index(PAGE_BYTES))
                    .try_for_each(|page| file.write_all_at(&zeros, page))
            })?;
            self.sync_data(&file, path)?;
            at = end;
        }
        self.sync_file(&file, path)?;
        Ok(Prepared::Ready(file))
    }
}

/// Bytes that this thread has given the system to write; `None` where it does not tell.
fn written_by_thread() -> Option<u64> {
    let counted = fs::read_to_string("/proc/thread-self/io").ok()?;
    counted.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

/// Bytes that the system counts as to be written when one page of a segment in `dir` changes: what
/// a sync of that page costs. `None` where it does not tell. Makes a file of 1 MiB there and
/// removes it.
///
/// # Errors
///
/// An operation failed.
pub fn bytes_of_a_change(dir: &Path) -> Result<Option<u64>, DiskError> {
    Disk::default().change_one(&dir.join(format!(".page-{}", std::process::id())))
}

/// Whether a refused sync of a folder says that there was nothing to sync.
const fn is_not_ours(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// Whether a refused advice says nothing about the pages.
fn passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_that_has_nothing_to_sync_is_passed_over() {
        // EINVAL, EACCES, EPERM, EROFS, EOPNOTSUPP; EIO, ENOSPC, ENOENT, EMFILE.
        let kind = |errno| io::Error::from_raw_os_error(errno).kind();
        assert!([22, 13, 1, 30, 95].map(kind).into_iter().all(is_not_ours));
        assert!(![5, 28, 2, 24].map(kind).into_iter().any(is_not_ours));
    }

    #[test]
    fn only_an_advice_that_the_kernel_does_not_know_or_puts_off_is_passed_over() {
        // EINVAL, EAGAIN, EINTR; EIO, EFAULT, ENOMEM, ENOSPC, EHWPOISON, ENXIO.
        for errno in [22, 11, 4] {
            assert!(passing(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        for errno in [5, 14, 12, 28, 133, 6] {
            assert!(!passing(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
    }
}
