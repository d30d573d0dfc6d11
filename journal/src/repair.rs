//! Repairing a journal that nobody writes: cutting off a torn tail, and nothing else.
//!
//! It is what every start does before it writes, told beforehand and done alone.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::{DiskError, OpenError};
use crate::folder::{self, Folder};
use crate::lock::{Lock, hold};
use crate::recover::{self, Survey, TornTail};
use crate::start;
use crate::storage::{Handle, Hold};

/// What a crash left that can be repaired without a doubt: none of it was ever acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// What is cut off the last segment, and where its copy goes.
    pub torn: Option<TornTail>,
    /// Segments that were entered behind it, or never begun, and where they go.
    pub aside: Vec<(PathBuf, PathBuf)>,
    /// Last sequence number that stays.
    pub last_seq: u64,
}

impl Repairs {
    /// Whether there is anything to repair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.torn.is_none() && self.aside.is_empty()
    }

    fn of(disk: &Disk, dir: &Path, survey: &Survey) -> Result<Self, DiskError> {
        let seq = survey.last_seq + 1;
        let mut taken: Vec<PathBuf> =
            survey.torn.iter().filter_map(|torn| torn.copy.clone()).collect();
        let mut aside = Vec::new();
        for path in &survey.aside {
            let to = folder::free_torn_path(disk, dir, seq, &taken)?;
            taken.push(to.clone());
            aside.push((path.clone(), to));
        }
        Ok(Self { torn: survey.torn.clone(), aside, last_seq: survey.last_seq })
    }
}

/// Says what [`repair`] would do to the journal in `folder`; changes nothing.
///
/// # Errors
///
/// A writer has the journal open; something durable is damaged, which nothing can repair.
pub fn examine(folder: impl Into<Folder>) -> Result<Repairs, OpenError> {
    let Folder { dir, disk } = folder.into();
    // Beside a writer an unfinished record is none that was torn.
    let _held = share_lock(&disk, &dir)?;
    let (_, survey) = recover::survey(&disk, &dir, None)?;
    Ok(Repairs::of(&disk, &dir, &survey)?)
}

/// Does what [`examine`] says, durably: copies what is cut off before it is cut.
///
/// # Errors
///
/// A writer has the journal open; something durable is damaged; an operation failed, after which
/// the repair can be tried again.
pub fn repair(folder: impl Into<Folder>) -> Result<Repairs, OpenError> {
    let Folder { dir, disk } = folder.into();
    let _lock = Lock::take(&disk, &dir)?;
    let (_, survey) = recover::survey(&disk, &dir, None)?;
    let repairs = Repairs::of(&disk, &dir, &survey)?;
    if let Some(torn) = &repairs.torn {
        start::set_aside_tail(&disk, &dir, torn)?;
    }
    for (from, to) in &repairs.aside {
        disk.rename(from, to)?;
        disk.sync_folder(&dir)?;
    }
    Ok(repairs)
}

/// Holds writers off without writing to the lock file; `None` when there is none, so that no
/// writer has ever come.
fn share_lock(disk: &Disk, dir: &Path) -> Result<Option<Handle>, OpenError> {
    let path = folder::lock_path(dir);
    let Some(file) = disk.open_to_read(&path)? else { return Ok(None) };
    hold(&file, &path, Hold::Shared)?;
    Ok(Some(file))
}
