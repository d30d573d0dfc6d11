//! A disk of anonymous memory: the journal's own loop with no file behind its pages.
//!
//! It keeps names and lengths; what is mapped is memory that nothing else sees. Enough for a
//! journal that is new and stays in its first segment.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use memmap2::{MmapMut, MmapRaw};
use uncross_server::journal::{Access, Extent, Hold, Storage, Stored};

/// The disk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    names: Mutex<BTreeMap<PathBuf, Blank>>,
}

/// A file of which only the length is kept.
#[derive(Clone, Debug, Default)]
struct Blank {
    len_bytes: Arc<AtomicU64>,
}

impl Memory {
    fn names(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Blank>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.names().contains_key(path))
    }

    fn len_bytes(&self, path: &Path) -> io::Result<u64> {
        self.names().get(path).ok_or(io::ErrorKind::NotFound)?.len_bytes()
    }

    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<OsString>> {
        let names = self.names();
        Ok(names.keys().filter_map(|path| path.file_name().map(OsString::from)).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn Stored>> {
        let mut names = self.names();
        let blank = match access {
            Access::Create | Access::Touch => names.entry(path.to_owned()).or_default(),
            _ => names.get_mut(path).ok_or(io::ErrorKind::NotFound)?,
        };
        Ok(Box::new(blank.clone()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names();
        let blank = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.insert(to.to_owned(), blank);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.names().remove(path);
        Ok(())
    }

    fn sync_folder(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Stored for Blank {
    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.len_bytes.load(Ordering::SeqCst))
    }

    fn read_at(&self, _bytes: &mut [u8], _offset: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, bytes: &[u8], _offset: u64) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.len_bytes.store(len_bytes, Ordering::SeqCst);
        Ok(())
    }

    fn reserve(&self, len_bytes: u64) -> io::Result<()> {
        self.set_len(len_bytes)
    }

    fn map(&self) -> io::Result<MmapRaw> {
        let len = usize::try_from(self.len_bytes()?).map_err(io::Error::other)?;
        Ok(MmapMut::map_anon(len)?.into())
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
