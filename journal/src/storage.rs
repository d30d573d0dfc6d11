#![expect(unsafe_code, reason = "advises to unmap pages that were written")]
//! What the journal asks of a disk, as one trait, and the real disk behind it.
//!
//! The trait is asked off the core thread only: what the writer appends goes into memory that
//! [`Stored::map`] handed out, by plain stores. A second implementation, the simulated disk of the
//! feature `sim`, does everything that disks do to files.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use memmap2::{MmapRaw, UncheckedAdvice};
use rustix::fs::{FallocateFlags, FlockOperation, flock};
use rustix::io::Errno;

use crate::limits::{LET_GO_MIN_BYTES, PAGE_BYTES, index, page_floor};

/// For what a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// To read it.
    Read,
    /// To read and write it.
    Write,
    /// To read and write it; it must not exist and is created.
    Create,
    /// To read and write it; it is created if it does not exist.
    Touch,
}

/// Who else may hold the lock of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// Nobody.
    Alone,
    /// Others who share it.
    Shared,
}

/// Which part of a file a sync covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Extent {
    /// Bytes, length, mode, times.
    All,
    /// Bytes, and what is needed to find them again.
    Data,
}

/// A disk: folders with files in them.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Whether there is a file or folder of this name.
    ///
    /// # Errors
    ///
    /// What the operating system said, here and below.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// How long a file is; it need not be one that may be opened.
    ///
    /// # Errors
    ///
    /// As above, and [`io::ErrorKind::NotFound`] when there is none of this name.
    fn len_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Creates a folder, and those it is in.
    ///
    /// # Errors
    ///
    /// As above.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a folder.
    ///
    /// # Errors
    ///
    /// As above.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As above.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn Stored>>;

    /// Gives a file another name; what had that name before is gone.
    ///
    /// # Errors
    ///
    /// As above.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes a file's name away.
    ///
    /// # Errors
    ///
    /// As above.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Gets the names in a folder onto the device.
    ///
    /// # Errors
    ///
    /// As above.
    fn sync_folder(&self, dir: &Path) -> io::Result<()>;
}

/// An open file of a [`Storage`].
pub trait Stored: Send + Sync + fmt::Debug {
    /// Its length.
    ///
    /// # Errors
    ///
    /// What the operating system said, here and below.
    fn len_bytes(&self) -> io::Result<u64>;

    /// Reads some bytes; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// As above.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some bytes and says how many.
    ///
    /// # Errors
    ///
    /// As above.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes it so long, cutting it off or adding zeros.
    ///
    /// # Errors
    ///
    /// As above.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;

    /// Makes it so long with room for all of it, so that a full disk is found now.
    ///
    /// # Errors
    ///
    /// As above.
    fn reserve(&self, len_bytes: u64) -> io::Result<()>;

    /// All of it as memory, shared with whoever reads the file.
    ///
    /// # Errors
    ///
    /// As above.
    fn map(&self) -> io::Result<MmapRaw>;

    /// Gets the pages with the bytes of `range`, changed through `map`, onto the device; `map` is
    /// what [`Self::map`] of this very file gave.
    ///
    /// # Errors
    ///
    /// As above. The pages may be lost for later syncs as well.
    fn sync_pages(&self, map: &MmapRaw, range: Range<u64>) -> io::Result<()>;

    /// Gets all of it onto the device.
    ///
    /// # Errors
    ///
    /// As for [`Self::sync_pages`].
    fn sync(&self, extent: Extent) -> io::Result<()>;

    /// Nobody may open it for writing any more.
    ///
    /// # Errors
    ///
    /// As above.
    fn set_read_only(&self) -> io::Result<()>;

    /// Locks it against other open files of it until this one is closed; false when one of them
    /// holds a lock that bars this one.
    ///
    /// # Errors
    ///
    /// As above.
    fn lock(&self, hold: Hold) -> io::Result<bool>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealDisk;

impl Storage for RealDisk {
    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn len_bytes(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn Stored>> {
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Write => options.read(true).write(true),
            Access::Create => options.read(true).write(true).create_new(true),
            Access::Touch => options.read(true).write(true).create(true).truncate(false),
        };
        Ok(Box::new(options.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl Stored for File {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        File::set_len(self, len_bytes)
    }

    fn reserve(&self, len_bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, len_bytes) {
            // The file system cannot: writing the zeros finds out as well, only later.
            Err(Errno::OPNOTSUPP) => File::set_len(self, len_bytes),
            done => done.map_err(io::Error::from),
        }
    }

    fn map(&self) -> io::Result<MmapRaw> {
        MmapRaw::map_raw(self)
    }

    fn sync_pages(&self, map: &MmapRaw, range: Range<u64>) -> io::Result<()> {
        let whole = range.start.next_multiple_of(PAGE_BYTES)..page_floor(range.end);
        if whole.start + LET_GO_MIN_BYTES <= whole.end {
            let (start, len) = (index(whole.start), index(whole.end - whole.start));
            // SAFETY: this is a shared mapping of a file, so that what was stored stays in the page
            // cache, is read from there again and is synced below; no reference into it exists.
            drop(unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, len) });
        }
        map.flush_range(index(range.start), index(range.end - range.start))
    }

    fn sync(&self, extent: Extent) -> io::Result<()> {
        match extent {
            Extent::All => self.sync_all(),
            Extent::Data => self.sync_data(),
        }
    }

    fn set_read_only(&self) -> io::Result<()> {
        self.set_permissions(fs::Permissions::from_mode(0o444))
    }

    fn lock(&self, hold: Hold) -> io::Result<bool> {
        let operation = match hold {
            Hold::Alone => FlockOperation::NonBlockingLockExclusive,
            Hold::Shared => FlockOperation::NonBlockingLockShared,
        };
        match flock(self, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// An open file, read and written whole: what [`Stored`] does in parts is repeated here.
#[derive(Debug)]
pub(crate) struct Handle(Box<dyn Stored>);

impl Handle {
    pub(crate) fn new(stored: Box<dyn Stored>) -> Self {
        Self(stored)
    }

    pub(crate) fn len_bytes(&self) -> io::Result<u64> {
        self.0.len_bytes()
    }

    /// Fills `bytes` with those of the file from `offset` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends before; what the disk said.
    pub(crate) fn read_exact_at(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.0.read_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes = &mut bytes[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All of the file, which is short.
    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; index(self.0.len_bytes()?)];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WriteZero`] when nothing more is taken; what the disk said.
    pub(crate) fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.0.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn reserve(&self, len_bytes: u64) -> io::Result<()> {
        self.0.reserve(len_bytes)
    }

    pub(crate) fn map(&self) -> io::Result<MmapRaw> {
        self.0.map()
    }

    pub(crate) fn sync_pages(&self, map: &MmapRaw, range: Range<u64>) -> io::Result<()> {
        self.0.sync_pages(map, range)
    }

    pub(crate) fn sync(&self, extent: Extent) -> io::Result<()> {
        self.0.sync(extent)
    }

    pub(crate) fn set_read_only(&self) -> io::Result<()> {
        self.0.set_read_only()
    }

    pub(crate) fn lock(&self, hold: Hold) -> io::Result<bool> {
        self.0.lock(hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Takes and gives three bytes at a time, after an interruption.
    #[derive(Debug)]
    struct Slow {
        bytes: Mutex<Vec<u8>>,
        calls: Mutex<u32>,
    }

    impl Slow {
        fn call(&self) -> io::Result<()> {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            if *calls % 2 == 1 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        }
    }

    impl Stored for Slow {
        fn len_bytes(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
            self.call()?;
            let held = self.bytes.lock().unwrap();
            let from = held.get(index(offset)..).unwrap_or_default();
            let len = from.len().min(bytes.len()).min(3);
            bytes[..len].copy_from_slice(&from[..len]);
            Ok(len)
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            self.call()?;
            let mut held = self.bytes.lock().unwrap();
            let from = held.get_mut(index(offset)..).unwrap_or_default();
            let len = from.len().min(bytes.len()).min(3);
            from[..len].copy_from_slice(&bytes[..len]);
            Ok(len)
        }

        fn set_len(&self, _len_bytes: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn reserve(&self, len_bytes: u64) -> io::Result<()> {
            self.set_len(len_bytes)
        }

        fn map(&self) -> io::Result<MmapRaw> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync_pages(&self, _map: &MmapRaw, _range: Range<u64>) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self, _extent: Extent) -> io::Result<()> {
            Ok(())
        }

        fn set_read_only(&self) -> io::Result<()> {
            Ok(())
        }

        fn lock(&self, _hold: Hold) -> io::Result<bool> {
            Ok(true)
        }
    }

    #[test]
    fn short_reads_and_writes_are_repeated_up_to_the_end_of_the_file() {
        let slow = Slow { bytes: Mutex::new(vec![0; 10]), calls: Mutex::new(0) };
        let handle = Handle::new(Box::new(slow));
        handle.write_all_at(b"0123456789", 0).unwrap();
        let mut bytes = [0; 8];
        handle.read_exact_at(&mut bytes, 2).unwrap();
        assert_eq!(&bytes, b"23456789");
        assert_eq!(handle.read_all().unwrap(), b"0123456789");
        let short = handle.read_exact_at(&mut bytes, 3).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        let full = handle.write_all_at(b"abc", 8).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WriteZero);
    }
}
