//! The generations in a folder of backups. What `create` makes is known by its name, which holds
//! when it was made and its last record; nothing else that lies there is ever taken for one.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use uncross_server::{config::VenueDir, journal::Reader};

use super::{
    folder, make_private,
    manifest::{self, Manifest},
    sync, unreadable, unwritable,
};
use crate::errors::{self, Failure};

/// Begins the names of generations that are being made.
const PARTIAL: &str = ".partial-";
/// Begins the names of generations that are being removed.
const REMOVING: &str = ".removing-";

/// A folder that has the name of a generation, whatever is in it.
pub(super) struct Generation {
    pub(super) path: PathBuf,
    name: String,
    manifest: Result<Manifest, Failure>,
}

impl Generation {
    /// When it was made and its last record: as its manifest says or, if that is damaged, its name.
    fn made(&self) -> (String, u64) {
        match &self.manifest {
            Ok(manifest) => (compact(&manifest.created), manifest.last_seq),
            Err(_) => parse(&self.name).unwrap_or_default(),
        }
    }

    /// What tells its journal from those of other venues, if that can be read.
    fn salt(&self) -> Option<u64> {
        salt(&self.path).ok()
    }
}

/// What removing old generations came to: their names.
#[derive(Default)]
pub(super) struct Pruned {
    pub(super) removed: Vec<String>,
    /// Those that count for nothing and stay.
    pub(super) damaged: Vec<String>,
}

/// The name of a generation.
fn name_of(manifest: &Manifest) -> String {
    format!("{}-{}", compact(&manifest.created), manifest.last_seq)
}

/// A time as a part of a name: names sort as times do.
fn compact(utc: &str) -> String {
    utc.chars().filter(|char| !matches!(char, '-' | ':')).collect()
}

/// Whether this is a time in a name, to the nanosecond.
fn is_time(text: &str) -> bool {
    let form = "00000000T000000.000000000Z";
    let fits = |(due, found): (u8, u8)| match due {
        b'0' => found.is_ascii_digit(),
        due => due == found,
    };
    text.len() == form.len() && form.bytes().zip(text.bytes()).all(fits)
}

/// The time and last record in the name of a generation; `None`: it is no such name.
fn parse(name: &str) -> Option<(String, u64)> {
    let (time, digits) = name.split_once('-')?;
    let seq: u64 = digits.parse().ok()?;
    (is_time(time) && seq.to_string() == digits).then(|| (time.to_owned(), seq))
}

/// Whether a folder has the name of a generation.
pub(super) fn is_named(path: &Path) -> bool {
    let path = folder::real(path);
    path.file_name().and_then(OsStr::to_str).and_then(parse).is_some()
}

/// The folders in a folder, in the order of their names. Links are none: what they lead to lies
/// elsewhere.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let list = || {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => found.push(dir.join(entry.file_name())),
                Ok(_) => {}
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort();
        Ok(found)
    };
    list().map_err(|error| unreadable(dir, &error))
}

/// The generations in a folder, in the order in which they were made.
pub(super) fn list(backups: &Path) -> Result<Vec<Generation>, Failure> {
    let mut found = Vec::new();
    for path in folders(backups)? {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if parse(name).is_some() {
            let (name, manifest) = (name.to_owned(), Manifest::read(&path));
            found.push(Generation { path, name, manifest });
        }
    }
    found.sort_by_cached_key(Generation::made);
    Ok(found)
}

/// Backups in a folder that have other names than generations: they are copies, or were renamed.
fn others(backups: &Path) -> Result<Vec<PathBuf>, Failure> {
    let is_other = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // What was one may be so damaged that it does not say so any more.
        let was_one =
            || path.join(manifest::FILE).exists() && VenueDir::new(path).journal().is_dir();
        !name.starts_with(b".") && !is_named(path) && (manifest::is_one(path) || was_one())
    };
    Ok(folders(backups)?.into_iter().filter(is_other).collect())
}

/// Whether a path is that of one backup, damaged or not, and not of a folder of some.
fn is_backup(path: &Path) -> Result<bool, Failure> {
    if !path.is_dir() {
        return Ok(false);
    }
    if is_named(path) || manifest::is_one(path) {
        return Ok(true);
    }
    Ok(path.join(manifest::FILE).exists() && list(path)?.is_empty())
}

fn none(path: &Path) -> Failure {
    Failure::new(&errors::NO_BACKUP, format!("{} holds no backup", path.display()))
}

/// All backups at a path: it is one, or a folder of some. First the generations in the order in
/// which they were made, then those of other names.
pub(super) fn all_at(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if is_backup(path)? {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Err(none(path));
    }
    let mut found: Vec<_> = list(path)?.into_iter().map(|it| it.path).collect();
    found.extend(others(path)?);
    if found.is_empty() { Err(none(path)) } else { Ok(found) }
}

/// The backup at a path, or the newest generation in a folder, if there is no doubt which that is.
pub(super) fn newest_at(path: &Path) -> Result<PathBuf, Failure> {
    if is_backup(path)? {
        return Ok(path.to_owned());
    }
    if !path.is_dir() {
        return Err(none(path));
    }
    let mut generations = list(path)?;
    let Some(newest) = generations.pop() else {
        let others = others(path)?;
        return Err(match others.last() {
            None => none(path),
            Some(other) => none(path)
                .cause("its backups have other names than create gives, so none is the newest")
                .fix(format!("name the one to restore, such as {}", other.display())),
        });
    };
    if let Err(failure) = newest.manifest {
        let older = generations.iter().rev().find(|it| it.manifest.is_ok());
        return Err(match older {
            None => failure,
            Some(older) => {
                let older = older.path.display();
                failure.fix(format!("nothing was changed; the one before it is {older}: name it"))
            }
        });
    }
    let path_of_newest = newest.path.clone();
    generations.push(newest);
    refuse_several(path, &generations)?;
    Ok(path_of_newest)
}

/// Refuses generations of several venues, of which none is the newest of all.
fn refuse_several(backups: &Path, generations: &[Generation]) -> Result<(), Failure> {
    let mut venues: Vec<(u64, String)> = Vec::new();
    for generation in generations.iter().rev() {
        let Generation { manifest: Ok(manifest), path, .. } = generation else { continue };
        let Some(salt) = generation.salt() else { continue };
        if venues.iter().all(|(other, _)| *other != salt) {
            venues.push((salt, format!("{} of {}", path.display(), manifest.venue)));
        }
    }
    if venues.len() <= 1 {
        return Ok(());
    }
    let newest: Vec<_> = venues.into_iter().map(|(_, text)| text).collect();
    let message = format!("{} holds backups of {} venues", backups.display(), newest.len());
    Err(Failure::new(&errors::SEVERAL_VENUES, message)
        .cause(format!("the newest of each is {}", newest.join(", "))))
}

/// What tells the journal of the backup in `dir` from those of other venues.
fn salt(dir: &Path) -> Result<u64, Failure> {
    let journal = VenueDir::new(dir).journal();
    let emptied = || {
        let (expected, found) = ("segments".to_owned(), "none".to_owned());
        manifest::damage(&journal, None, Some(expected), Some(found))
    };
    if !journal.exists() {
        return Err(emptied());
    }
    let salt = Reader::open_whole(&journal)?.salt();
    // Without a segment there is none.
    if salt == 0 { Err(emptied()) } else { Ok(salt) }
}

/// The place in which a generation is made.
pub(super) fn partial(backups: &Path, created: &str) -> PathBuf {
    backups.join(format!("{PARTIAL}{}", compact(created)))
}

/// Gives a generation that is whole its name.
pub(super) fn give_name(partial: &Path, manifest: &Manifest) -> Result<PathBuf, Failure> {
    let path = partial.with_file_name(name_of(manifest));
    fs::rename(partial, &path).map_err(|error| unwritable(&path, &error))?;
    Ok(path)
}

/// Removes what was being made or removed when a backup was cut short.
pub(super) fn remove_left(backups: &Path) -> Result<(), Failure> {
    for path in folders(backups)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_partial = name.strip_prefix(PARTIAL).is_some_and(is_time);
        let is_removed = name.strip_prefix(REMOVING).is_some_and(|name| parse(name).is_some());
        if is_partial || is_removed {
            fs::remove_dir_all(&path).map_err(|error| unwritable(&path, &error))?;
        }
    }
    Ok(())
}

/// Removes a generation. It loses its name first, so that no part of it is ever taken for one.
fn remove(path: &Path) -> Result<(), Failure> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let away = path.with_file_name(format!("{REMOVING}{name}"));
    fs::rename(path, &away).map_err(|error| unwritable(path, &error))?;
    fs::remove_dir_all(&away).map_err(|error| unwritable(&away, &error))
}

/// Removes the generations of the journal of `made` that are older than the newest `keep` good
/// ones. `made`, which was just proven, counts as one of them whatever its time is, and is never
/// removed; what cannot be proven to be what was backed up counts for nothing and stays.
pub(super) fn prune(backups: &Path, made: &Path, keep: u32) -> Result<Pruned, Failure> {
    let mut pruned = Pruned::default();
    let mut of_journal = Vec::new();
    let own = salt(made)?;
    for generation in list(backups)?.into_iter().filter(|it| it.path != made) {
        let found = match &generation.manifest {
            Ok(_) => salt(&generation.path).map_err(|failure| failure.is_damage()),
            Err(failure) => Err(failure.is_damage()),
        };
        match found {
            Ok(salt) if salt == own => of_journal.push(generation),
            Err(true) => pruned.damaged.push(generation.name),
            // It is of another venue or version of the program, or belongs to somebody else.
            Ok(_) | Err(false) => {}
        }
    }
    let keep_others = keep as usize - 1;
    if keep_others < of_journal.len() {
        let mut good = 0;
        while let Some(Generation { path, name, manifest }) = of_journal.pop() {
            match manifest.and_then(|it| it.check_files(&path)) {
                Ok(()) if good == keep_others => {
                    remove(&path)?;
                    pruned.removed.push(name);
                }
                Ok(()) => good += 1,
                Err(_) => pruned.damaged.push(name),
            }
        }
    }
    if !pruned.removed.is_empty() {
        sync(backups)?;
    }
    Ok(pruned)
}

/// Makes the folders of a generation.
pub(super) fn make_folders(partial: &Path) -> Result<(), Failure> {
    make_private(partial)?;
    make_private(&VenueDir::new(partial).journal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_create_gives_is_the_name_of_a_generation() {
        let name = "20261126T122445.000000001Z-5371";
        assert_eq!(parse(name), Some(("20261126T122445.000000001Z".to_owned(), 5371)));
        let written = Some(name.to_owned());
        let again = parse(name).map(|(time, seq)| format!("{time}-{seq}"));
        assert_eq!(again, written);
        for other in [
            "20261126T122445.000000001Z-05",
            "20261126T122445.000000001Z-+5",
            "20261126T122445.000000001Z-",
            "20261126T122445.000000001Z",
            "20261126T122445.000000001Z-5.old",
            "20261126T122445.00000001Z-5",
            "20261126t122445.000000001Z-5",
            "2026-11-26T12:24:45.000000001Z-5",
            "x20261126T122445.000000001Z-5",
            "latest",
            "",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
