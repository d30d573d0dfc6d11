//! A disk that does to files what disks do, for tests of what survives.
//!
//! Everything is in memory. A file has two contents: the page cache, which the running system
//! reads, writes and maps, and the device, which is what a power cut leaves. Syncs move pages from
//! the one to the other; names have the same two lives. On top of that operations fail, once or for
//! good, syncs lose pages as kernels do, reads and writes come short, sectors cannot be read, bits
//! turn, room ends and syncs take their time.
//!
//! [`SimDisk::killed`] is the disk after the death of the process, [`SimDisk::cut`] after the death
//! of the machine; both leave the running disk alone, so that one run gives many images.

mod file;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

pub use self::trouble::{Fault, Lasts};
use self::{
    file::{Inode, SimFile},
    trouble::{Random, Trouble},
};
use crate::limits::PAGE_BYTES;
use crate::storage::{Access, Storage, Stored};

/// Unit that a device writes whole or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// What a power cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it is lost.
    Everything,
    /// Of the changes of names some first ones are there; of each page the old or the new bytes,
    /// or some sectors of each; all as this seed has it.
    Some(u64),
}

/// The simulated disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tree: Mutex<Tree>,
    trouble: Mutex<Trouble>,
}

/// A change of the names in one folder.
#[derive(Clone, Debug)]
enum Change {
    Folder(PathBuf),
    Link(PathBuf, Arc<Inode>),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) | Self::Link(path, _) | Self::Unlink(path) => path.parent(),
            // Both are in the same one.
            Self::Rename(from, _) => from.parent(),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Names {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Arc<Inode>>,
}

impl Names {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Folder(path) => {
                self.folders.insert(path.clone());
            }
            Change::Link(path, inode) => {
                self.files.insert(path.clone(), Arc::clone(inode));
            }
            Change::Rename(from, to) => {
                if let Some(inode) = self.files.remove(from) {
                    self.files.insert(to.clone(), inode);
                }
            }
            Change::Unlink(path) => {
                self.files.remove(path);
            }
        }
    }

    /// Whether there is this folder; the root always is.
    fn has_folder(&self, path: &Path) -> bool {
        path.parent().is_none() || self.folders.contains(path)
    }

    /// Forgets what is in folders that are not there.
    fn prune(&mut self) {
        let all = self.folders.clone();
        let is_there = |path: &PathBuf| {
            let mut above = path.ancestors().skip(1);
            above.all(|folder| folder.parent().is_none() || all.contains(folder))
        };
        self.folders.retain(is_there);
        self.files.retain(|path, _| is_there(path));
    }
}

#[derive(Debug)]
struct Tree {
    /// As the running system sees them.
    names: Names,
    /// On the device.
    synced: Names,
    /// What was done to `synced` since.
    pending: Vec<Change>,
    room_bytes: u64,
}

impl Default for Tree {
    fn default() -> Self {
        let (names, synced) = (Names::default(), Names::default());
        Self { names, synced, pending: Vec::new(), room_bytes: u64::MAX }
    }
}

impl Tree {
    fn change(&mut self, change: Change) {
        self.names.apply(&change);
        self.pending.push(change);
    }

    /// Changes the device as well.
    fn change_synced(&mut self, change: &Change) {
        self.names.apply(change);
        self.synced.apply(change);
    }

    fn find(&self, path: &Path) -> io::Result<&Arc<Inode>> {
        self.names.files.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another holder leaves whole values behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        locked(&self.tree)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        locked(&self.trouble)
    }

    /// Fails when `extra` bytes more than there are now do not fit.
    fn check_room(&self, extra: u64) -> io::Result<()> {
        let tree = self.tree();
        let mut used = extra;
        for inode in tree.names.files.values() {
            used = used.saturating_add(inode.len_bytes()?);
        }
        if tree.room_bytes < used { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As the storage of a journal's settings.
    #[must_use]
    pub fn storage(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(self.clone()))
    }

    /// What the death of the process leaves: all of it, but no locks and no troubles. What the
    /// kernel dropped after a failed sync stays dropped.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn killed(&self) -> io::Result<Self> {
        let tree = self.inner.tree();
        let mut copies = Copies::default();
        let mut double = |names: &Names| -> io::Result<Names> {
            let copy = |(path, inode): (&PathBuf, &Arc<Inode>)| {
                Ok((path.clone(), copies.of(inode, Inode::killed)?))
            };
            let files = names.files.iter().map(copy).collect::<io::Result<_>>()?;
            Ok(Names { folders: names.folders.clone(), files })
        };
        let (names, synced) = (double(&tree.names)?, double(&tree.synced)?);
        let mut pending = Vec::new();
        for change in &tree.pending {
            pending.push(match change {
                Change::Link(path, inode) => {
                    Change::Link(path.clone(), copies.of(inode, Inode::killed)?)
                }
                Change::Folder(_) | Change::Rename(..) | Change::Unlink(_) => change.clone(),
            });
        }
        Ok(Self::of(Tree { names, synced, pending, room_bytes: u64::MAX }))
    }

    /// What the death of the machine leaves.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn cut(&self, loss: Loss) -> io::Result<Self> {
        let tree = self.inner.tree();
        let mut random = match loss {
            Loss::Everything => None,
            Loss::Some(seed) => Some(Random::new(seed)),
        };
        let mut names = tree.synced.clone();
        let lasting = random.as_mut().map_or(0, |random| random.upto(tree.pending.len() as u64));
        for (change, _) in tree.pending.iter().zip(0..lasting) {
            names.apply(change);
        }
        names.prune();
        let mut copies = Copies::default();
        for inode in names.files.values_mut() {
            *inode = copies.of(inode, |inode| inode.cut(random.as_mut()))?;
        }
        let (synced, room_bytes) = (names.clone(), u64::MAX);
        Ok(Self::of(Tree { names, synced, pending: Vec::new(), room_bytes }))
    }

    fn of(tree: Tree) -> Self {
        let trouble = Mutex::default();
        Self { inner: Arc::new(Inner { tree: Mutex::new(tree), trouble }) }
    }

    /// The files, in order of their paths.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.inner.tree().names.files.keys().cloned().collect()
    }

    /// What the running system reads in a file.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inode = Arc::clone(self.inner.tree().find(path)?);
        inode.read(0..inode.len_bytes()?)
    }

    /// Makes `bytes` the content of a file, on the device too; creates it and the folders it is in
    /// where there are none.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let inode = Arc::new(Inode::holding(bytes)?);
        let mut tree = self.inner.tree();
        for folder in path.ancestors().skip(1) {
            tree.change_synced(&Change::Folder(folder.to_owned()));
        }
        tree.change_synced(&Change::Link(path.to_owned(), inode));
        Ok(())
    }

    /// Writes over a part of a file, on the device too.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn poke(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let inode = Arc::clone(self.inner.tree().find(path)?);
        inode.poke(offset, bytes)
    }

    /// Turns one bit of a file, on the device too.
    ///
    /// # Errors
    ///
    /// There is none of this name, or it is shorter.
    pub fn flip(&self, path: &Path, offset: u64, bit: u32) -> io::Result<()> {
        let inode = Arc::clone(self.inner.tree().find(path)?);
        let byte = inode.read(offset..offset + 1)?[0];
        inode.poke(offset, &[byte ^ 1 << (bit % 8)])
    }

    /// From now on, counting operations from 1, one fails, or one and those after it.
    pub fn fail(&self, fault: Fault) {
        self.inner.trouble().fail(fault);
    }

    /// The sectors of `range` cannot be read any more.
    pub fn lose_sectors(&self, path: &Path, range: Range<u64>) {
        self.inner.trouble().lose_sectors(path, range);
    }

    /// Reads and writes come short, as this seed has it.
    pub fn chop(&self, seed: u64) {
        self.inner.trouble().chop(seed);
    }

    /// Every sync takes at least so long.
    pub fn delay(&self, pause: Duration) {
        self.inner.trouble().delay(pause);
    }

    /// Files together have room for so many bytes.
    pub fn limit(&self, room_bytes: u64) {
        self.inner.tree().room_bytes = room_bytes;
    }

    /// No more troubles; operations are counted from 1 again.
    pub fn heal(&self) {
        *self.inner.trouble() = Trouble::default();
        self.limit(u64::MAX);
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner.trouble().count()
    }

    /// The first operation that failed as [`Self::fail`] had it.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.inner.trouble().failed()
    }
}

/// Copies of files, one for all their names.
#[derive(Debug, Default)]
struct Copies(Vec<(Arc<Inode>, Arc<Inode>)>);

impl Copies {
    fn of(
        &mut self,
        inode: &Arc<Inode>,
        copy: impl FnOnce(&Inode) -> io::Result<Inode>,
    ) -> io::Result<Arc<Inode>> {
        if let Some((_, copy)) = self.0.iter().find(|(of, _)| Arc::ptr_eq(of, inode)) {
            return Ok(Arc::clone(copy));
        }
        let copy = Arc::new(copy(inode)?);
        self.0.push((Arc::clone(inode), Arc::clone(&copy)));
        Ok(copy)
    }
}

impl Storage for SimDisk {
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.trouble().step("look for", path)?;
        let tree = self.inner.tree();
        Ok(tree.names.has_folder(path) || tree.names.files.contains_key(path))
    }

    fn len_bytes(&self, path: &Path) -> io::Result<u64> {
        self.inner.trouble().step("look for", path)?;
        let inode = Arc::clone(self.inner.tree().find(path)?);
        inode.len_bytes()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.inner.trouble().step("create folder", path)?;
        let mut tree = self.inner.tree();
        let mut missing: Vec<&Path> =
            path.ancestors().take_while(|folder| !tree.names.has_folder(folder)).collect();
        while let Some(folder) = missing.pop() {
            tree.change(Change::Folder(folder.to_owned()));
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.inner.trouble().step("list", dir)?;
        let tree = self.inner.tree();
        if !tree.names.has_folder(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let all = tree.names.files.keys().chain(&tree.names.folders);
        let here = all.filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn Stored>> {
        let may_create = matches!(access, Access::Create | Access::Touch);
        let is_new = may_create && !self.inner.tree().names.files.contains_key(path);
        self.inner.trouble().step(if is_new { "create" } else { "open" }, path)?;
        let mut tree = self.inner.tree();
        let found = tree.names.files.get(path).map(Arc::clone);
        let inode = match (access, found) {
            (Access::Create, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Access::Create | Access::Touch, None) => {
                if !path.parent().is_some_and(|folder| tree.names.has_folder(folder)) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let inode = Arc::new(Inode::holding(&[])?);
                tree.change(Change::Link(path.to_owned(), Arc::clone(&inode)));
                inode
            }
            (Access::Read | Access::Write, None) => return Err(io::ErrorKind::NotFound.into()),
            (_, Some(inode)) => inode,
        };
        if access != Access::Read && inode.is_read_only() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Box::new(SimFile::new(Arc::clone(&self.inner), inode, path.to_owned())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if from.parent() != to.parent() {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let done = self.inner.trouble().step("rename", from);
        if done.as_ref().is_err_and(|error| !trouble::happened(error)) {
            return done;
        }
        let mut tree = self.inner.tree();
        tree.find(from)?;
        tree.change(Change::Rename(from.to_owned(), to.to_owned()));
        done
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.trouble().step("remove", path)?;
        let mut tree = self.inner.tree();
        tree.find(path)?;
        tree.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, dir: &Path) -> io::Result<()> {
        self.inner.trouble().step("sync folder", dir)?;
        let mut tree = self.inner.tree();
        let Tree { synced, pending, .. } = &mut *tree;
        // Those in other folders wait for a sync of their own.
        pending.retain(|change| {
            let is_here = change.folder() == Some(dir);
            if is_here {
                synced.apply(change);
            }
            !is_here
        });
        Ok(())
    }
}

/// The pages that hold the bytes of `range`.
fn pages(range: Range<u64>) -> Range<u64> {
    range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES)
}
