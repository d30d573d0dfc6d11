//! Names of the files in a journal folder, and finding them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::DiskError;
use crate::storage::Storage;

/// The folder of a journal, and the disk it is on. A path alone is one of the operating system's.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Disk,
}

impl Folder {
    /// `dir` on `storage`; `None` is the disk of the operating system.
    #[must_use]
    pub fn on(storage: Option<Arc<dyn Storage>>, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), disk: Disk::new(storage, None) }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Folder {
    fn from(dir: &P) -> Self {
        Self::on(None, dir.as_ref())
    }
}

impl From<&Self> for Folder {
    fn from(folder: &Self) -> Self {
        folder.clone()
    }
}

/// Digits of a first sequence number in a name: all of `u64`, so that names sort as numbers.
const SEQ_DIGITS: usize = 20;

/// The life of a segment file, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `spare-N.pre`: prepared. With a valid header page the writer has entered it.
    Spare,
    /// `<first seq>.open`: entered, its header page and all of its predecessor are on the device.
    Open,
    /// `<first seq>.seg`: sealed, all of it is on the device.
    Sealed,
}

/// A segment file named by its first sequence number.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) first_seq: u64,
    pub(crate) form: Form,
    pub(crate) path: PathBuf,
}

/// What a journal folder holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Rising by first sequence number.
    pub(crate) named: Vec<Named>,
    /// Rising by spare number.
    pub(crate) spares: Vec<(u64, PathBuf)>,
}

pub(crate) fn open_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:0SEQ_DIGITS$}.open"))
}

pub(crate) fn sealed_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:0SEQ_DIGITS$}.seg"))
}

pub(crate) fn spare_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("spare-{number}.pre"))
}

pub(crate) fn sidecar_path(dir: &Path) -> PathBuf {
    dir.join("durable")
}

pub(crate) fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The first free name for a torn tail that would have started with sequence number `seq`.
pub(crate) fn torn_path(disk: &Disk, dir: &Path, seq: u64) -> Result<PathBuf, DiskError> {
    free_torn_path(disk, dir, seq, &[])
}

/// The first such name that is not among those `taken` either.
pub(crate) fn free_torn_path(
    disk: &Disk,
    dir: &Path,
    seq: u64,
    taken: &[PathBuf],
) -> Result<PathBuf, DiskError> {
    let mut number = 1_u32;
    loop {
        let path = dir.join(format!("torn-{seq}-{number}.bin"));
        if !taken.contains(&path) && !disk.exists(&path)? {
            return Ok(path);
        }
        number += 1;
    }
}

/// Lists the segment files of `dir`; names the journal does not give are passed over.
pub(crate) fn list(disk: &Disk, dir: &Path) -> Result<Listing, DiskError> {
    let mut listing = Listing::default();
    for name in disk.list(dir)? {
        let path = dir.join(&name);
        let Some(name) = name.to_str() else { continue };
        if let Some((first_seq, form)) = parse_named(name) {
            listing.named.push(Named { first_seq, form, path });
        } else if let Some(number) = parse_spare(name) {
            listing.spares.push((number, path));
        }
    }
    listing.named.sort_by(|a, b| a.path.cmp(&b.path));
    listing.spares.sort();
    Ok(listing)
}

fn parse_named(name: &str) -> Option<(u64, Form)> {
    let (stem, extension) = name.split_once('.')?;
    let form = match extension {
        "open" => Form::Open,
        "seg" => Form::Sealed,
        _ => return None,
    };
    let whole = stem.len() == SEQ_DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
    if whole { Some((stem.parse().ok()?, form)) } else { None }
}

fn parse_spare(name: &str) -> Option<u64> {
    name.strip_prefix("spare-")?.strip_suffix(".pre")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_the_numbers_they_were_made_of() {
        let dir = Path::new("");
        for seq in [1, 42, u64::MAX] {
            let open = open_path(dir, seq);
            assert_eq!(parse_named(open.to_str().unwrap()), Some((seq, Form::Open)));
            let sealed = sealed_path(dir, seq);
            assert_eq!(parse_named(sealed.to_str().unwrap()), Some((seq, Form::Sealed)));
            assert_eq!(parse_spare(spare_path(dir, seq).to_str().unwrap()), Some(seq));
        }
        for other in ["1.seg", "0000000000000000000+.seg", "lock", "99999999999999999999.seg"] {
            assert_eq!(parse_named(other), None, "{other}");
        }
    }
}
