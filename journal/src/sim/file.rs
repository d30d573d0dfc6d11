//! A file of the simulated disk: its page cache, and what is on the device.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapRaw;
use rustix::fs::{MemfdFlags, memfd_create};

use super::trouble::{self, Random};
use super::{Inner, SECTOR_BYTES, locked, pages};
use crate::limits::{PAGE_BYTES, index};
use crate::storage::{Extent, Hold, Stored};

/// One file, whatever its names.
#[derive(Debug)]
pub(super) struct Inode {
    /// The page cache: a file in memory, so that it can be mapped.
    cache: File,
    device: Mutex<Device>,
    lock: Mutex<Held>,
    is_read_only: AtomicBool,
}

/// Who has a file locked.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    is_alone: bool,
    sharing: usize,
}

#[derive(Clone, Debug, Default)]
struct Device {
    bytes: Vec<u8>,
    /// Pages that a failed sync dropped, as they were: the kernel takes them for clean until they
    /// are changed.
    dropped: BTreeMap<u64, Vec<u8>>,
}

impl Inode {
    /// A file with these bytes, on the device too.
    pub(super) fn holding(bytes: &[u8]) -> io::Result<Self> {
        let cache = File::from(memfd_create("sim", MemfdFlags::CLOEXEC)?);
        cache.write_all_at(bytes, 0)?;
        let device = Device { bytes: bytes.to_vec(), dropped: BTreeMap::new() };
        Ok(Self {
            cache,
            device: Mutex::new(device),
            lock: Mutex::default(),
            is_read_only: AtomicBool::new(false),
        })
    }

    pub(super) fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.cache.metadata()?.len())
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::SeqCst)
    }

    /// What the running system reads.
    pub(super) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; index(range.end - range.start)];
        self.cache.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes)
    }

    /// Writes over a part, on the device too.
    pub(super) fn poke(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.cache.write_all_at(bytes, offset)?;
        let device = &mut locked(&self.device).bytes;
        let end = index(offset) + bytes.len();
        if device.len() < end {
            device.resize(end, 0);
        }
        device[index(offset)..end].copy_from_slice(bytes);
        Ok(())
    }

    /// The same after the death of the process.
    pub(super) fn killed(&self) -> io::Result<Self> {
        let copy = Self::holding(&self.read(0..self.len_bytes()?)?)?;
        *locked(&copy.device) = locked(&self.device).clone();
        copy.is_read_only.store(self.is_read_only(), Ordering::SeqCst);
        Ok(copy)
    }

    /// The same after the death of the machine; without `random` all that was not synced is lost.
    pub(super) fn cut(&self, random: Option<&mut Random>) -> io::Result<Self> {
        let mut bytes = locked(&self.device).bytes.clone();
        if let Some(random) = random {
            self.write_back(&mut bytes, random)?;
        }
        Self::holding(&bytes)
    }

    /// What the device may have taken of the page cache by itself.
    fn write_back(&self, bytes: &mut Vec<u8>, random: &mut Random) -> io::Result<()> {
        let len = self.len_bytes()?;
        if random.upto(1) == 1 {
            bytes.resize(index(len), 0);
        }
        // From almost nothing to almost all.
        let odds = random.upto(7);
        let device = locked(&self.device);
        for page in pages(0..len.min(bytes.len() as u64)) {
            let cached = self.page(page)?;
            if device.dropped.get(&page) == Some(&cached) {
                continue;
            }
            let start = page * PAGE_BYTES;
            let is_torn = random.upto(3) == 0;
            let is_new = odds <= random.upto(7);
            for sector in (0..cached.len()).step_by(index(SECTOR_BYTES)) {
                let end = (sector + index(SECTOR_BYTES)).min(cached.len());
                let is_new = if is_torn { random.upto(1) == 1 } else { is_new };
                let to = index(start) + sector..index(start) + end;
                if is_new && to.end <= bytes.len() {
                    bytes[to].copy_from_slice(&cached[sector..end]);
                }
            }
        }
        Ok(())
    }

    /// One page of the page cache; the last one may be shorter.
    fn page(&self, page: u64) -> io::Result<Vec<u8>> {
        let start = page * PAGE_BYTES;
        let end = self.len_bytes()?.min(start + PAGE_BYTES);
        if end <= start {
            return Ok(Vec::new());
        }
        self.read(start..end)
    }

    /// Syncs pages. With `fails` every second one of them gets to the device and the others are
    /// dropped.
    fn sync(&self, range: Range<u64>, fails: bool) -> io::Result<()> {
        let mut device = locked(&self.device);
        let len = index(self.len_bytes()?);
        if !fails {
            device.bytes.resize(len, 0);
        }
        for page in pages(range) {
            let cached = self.page(page)?;
            let start = index(page * PAGE_BYTES);
            if device.dropped.get(&page) == Some(&cached) {
                continue;
            }
            let to = start..start + cached.len();
            if fails && (page % 2 == 1 || device.bytes.len() < to.end) {
                if device.bytes.get(to) != Some(cached.as_slice()) {
                    device.dropped.insert(page, cached);
                }
                continue;
            }
            device.dropped.remove(&page);
            device.bytes[to].copy_from_slice(&cached);
        }
        Ok(())
    }
}

/// How much is done of a write that fails: about half of it, in whole sectors.
fn half(len: usize, offset: u64) -> usize {
    let middle = offset + len as u64 / 2;
    index((middle - middle % SECTOR_BYTES).saturating_sub(offset))
}

/// An open file.
#[derive(Debug)]
pub(super) struct SimFile {
    disk: Arc<Inner>,
    inode: Arc<Inode>,
    path: PathBuf,
    holds: Mutex<Option<Hold>>,
}

impl SimFile {
    pub(super) fn new(disk: Arc<Inner>, inode: Arc<Inode>, path: PathBuf) -> Self {
        Self { disk, inode, path, holds: Mutex::default() }
    }

    fn sync_range(&self, range: Range<u64>) -> io::Result<()> {
        let pause = self.disk.trouble().pause();
        trouble::rest(pause);
        let done = self.disk.trouble().step("sync", &self.path);
        self.inode.sync(range, done.is_err())?;
        done
    }

    fn grow(&self, len_bytes: u64) -> io::Result<()> {
        let extra = len_bytes.saturating_sub(self.inode.len_bytes()?);
        if 0 < extra {
            self.disk.check_room(extra)?;
            self.inode.cache.set_len(len_bytes)?;
        }
        Ok(())
    }
}

impl Stored for SimFile {
    fn len_bytes(&self) -> io::Result<u64> {
        self.inode.len_bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut trouble = self.disk.trouble();
        trouble.read(&self.path, &(offset..offset + bytes.len() as u64))?;
        let len = trouble.part(bytes.len());
        drop(trouble);
        FileExt::read_at(&self.inode.cache, &mut bytes[..len], offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut trouble = self.disk.trouble();
        let done = trouble.step("write", &self.path);
        let len = if done.is_ok() { trouble.part(bytes.len()) } else { half(bytes.len(), offset) };
        drop(trouble);
        let end = offset + len as u64;
        self.grow(end)?;
        self.inode.cache.write_all_at(&bytes[..len], offset)?;
        let dropped = &mut locked(&self.inode.device).dropped;
        dropped.retain(|page, _| !pages(offset..end).contains(page));
        done.map(|()| len)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.disk.trouble().step("set length", &self.path)?;
        self.grow(len_bytes)?;
        self.inode.cache.set_len(len_bytes)
    }

    fn reserve(&self, len_bytes: u64) -> io::Result<()> {
        self.disk.trouble().step("reserve", &self.path)?;
        self.grow(len_bytes)
    }

    fn map(&self) -> io::Result<MmapRaw> {
        self.disk.trouble().step("map", &self.path)?;
        MmapRaw::map_raw(&self.inode.cache)
    }

    fn sync_pages(&self, _map: &MmapRaw, range: Range<u64>) -> io::Result<()> {
        self.sync_range(range)
    }

    fn sync(&self, _extent: Extent) -> io::Result<()> {
        self.sync_range(0..self.inode.len_bytes()?)
    }

    fn set_read_only(&self) -> io::Result<()> {
        self.disk.trouble().step("set read-only", &self.path)?;
        self.inode.is_read_only.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn lock(&self, hold: Hold) -> io::Result<bool> {
        self.disk.trouble().step("lock", &self.path)?;
        let mut lock = locked(&self.inode.lock);
        let is_free = !lock.is_alone && (hold == Hold::Shared || lock.sharing == 0);
        if is_free {
            lock.is_alone = hold == Hold::Alone;
            lock.sharing += usize::from(hold == Hold::Shared);
            *locked(&self.holds) = Some(hold);
        }
        Ok(is_free)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut lock = locked(&self.inode.lock);
        match *locked(&self.holds) {
            Some(Hold::Alone) => lock.is_alone = false,
            Some(Hold::Shared) => lock.sharing -= 1,
            None => {}
        }
    }
}
