//! What a backup says of itself, and checking that it is so.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uncross_server::config::VenueDir;

use super::{Reached, sha256, sync, unwritable};
use crate::{
    errors::{self, Failure, Place},
    output::Output,
    venue::hex,
};

/// Name of the file.
pub(super) const FILE: &str = "manifest.json";
/// Name of its form.
const SCHEMA: &str = "uncross.backup/1";
/// The same without its version.
const SCHEMA_PREFIX: &str = "uncross.backup/";
/// The version that is written and read.
const VERSION: u32 = 1;
/// Longest manifest that is read: a million segments and more.
const LEN_MAX: u64 = 256 << 20;

/// The manifest of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) schema: String,
    /// When it was made, UTC.
    pub(super) created: String,
    /// The folder that it was made of.
    pub(super) venue: String,
    /// Last record, and its time.
    pub(super) last_seq: u64,
    pub(super) last_time: String,
    pub(super) epoch: u32,
    /// What the journal leads to; found by applying the venue's own journal.
    pub(super) output_hash: String,
    pub(super) state_hash: String,
    pub(super) files: Vec<FileRow>,
    /// SHA-256 of the lines `sha256  bytes  path` of all files, each ended by a line feed, with one
    /// more for the hashes above.
    pub(super) seal: String,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRow {
    /// From the folder of the backup.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Manifest {
    /// Of the backup in `dir`, whose files are all there.
    pub(super) fn of(
        dir: &Path,
        venue: String,
        created: String,
        state: &Reached,
    ) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for path in files_of(dir).map_err(|error| unwritable(dir, &error))? {
            let (bytes, sha256) =
                sha256(&dir.join(&path)).map_err(|error| unwritable(&dir.join(&path), &error))?;
            files.push(FileRow { path, bytes, sha256 });
        }
        let mut manifest = Self {
            schema: SCHEMA.to_owned(),
            created,
            venue,
            last_seq: state.last_seq,
            last_time: uncross_server::sessions::utc(state.last_time_ns),
            epoch: state.epoch,
            output_hash: state.output_hash.clone(),
            state_hash: state.state_hash.clone(),
            files,
            seal: String::new(),
        };
        manifest.seal = manifest.sum();
        Ok(manifest)
    }

    fn sum(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        for FileRow { path, bytes, sha256 } in &self.files {
            hasher.update(format!("{sha256}  {bytes}  {path}\n"));
        }
        let Self { created, venue, last_seq, last_time, epoch, .. } = self;
        let Self { output_hash, state_hash, .. } = self;
        let facts = format!("{created}  {venue}  {last_seq}  {last_time}  {epoch}");
        hasher.update(format!("{facts}  {output_hash}  {state_hash}\n"));
        hex(&hasher.finalize())
    }

    /// Writes it into the backup, onto the device.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Failure> {
        let path = dir.join(FILE);
        let write = || {
            let mut file = fs::File::create_new(&path)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(|error| unwritable(&path, &error))?;
        sync(&dir.join("journal"))?;
        sync(dir)
    }

    /// Reads that of the backup in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        let damaged = |why: String| damage(&path, None, None, None).cause(why);
        let len = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (expected, found) = ("a manifest".to_owned(), "no file".to_owned());
                return Err(damage(&path, None, Some(expected), Some(found)));
            }
            Err(error) => return Err(super::unreadable(&path, &error)),
        };
        if LEN_MAX < len {
            return Err(damaged(format!("it has {len} bytes, at most {LEN_MAX}")));
        }
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => super::unreadable(&path, &error),
            _ => damaged(error.to_string()),
        })?;
        let parsed = serde_json::from_str::<Self>(&text);
        // What is sealed as this version seals is of this version, whatever it says.
        let is_sealed = parsed.as_ref().is_ok_and(|manifest| manifest.seal == manifest.sum());
        if let Some(found) = version(&text).filter(|found| VERSION < *found && !is_sealed) {
            let message = format!(
                "{} is of manifest version {found}, this program reads {VERSION}",
                path.display()
            );
            let place = Place {
                file: path.display().to_string(),
                offset: None,
                expected: Some(VERSION.to_string()),
                found: Some(found.to_string()),
            };
            return Err(Failure::of_version(message, found, VERSION).place(Some(place)));
        }
        let manifest = parsed.map_err(|error| damaged(error.to_string()))?;
        if manifest.schema != SCHEMA {
            let found = &manifest.schema;
            return Err(damaged(format!("its schema is {found:?}, this version reads {SCHEMA:?}")));
        }
        let (expected, found) = (&manifest.seal, manifest.sum());
        if *expected != found {
            return Err(damage(&path, None, Some(expected.clone()), Some(found)));
        }
        Ok(manifest)
    }

    /// Checks that the files of the backup in `dir` are those listed, byte for byte.
    pub(super) fn check_files(&self, dir: &Path) -> Result<(), Failure> {
        for FileRow { path, bytes, sha256: expected } in &self.files {
            // A manifest cannot make anybody read elsewhere.
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                let why = format!("it lists {path:?}, which is not within the backup");
                return Err(damage(&dir.join(FILE), None, None, None).cause(why));
            }
            let file = dir.join(path);
            let (len, found) = match sha256(&file) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let found = Some("no file".to_owned());
                    return Err(damage(&file, None, Some(format!("{bytes} bytes")), found));
                }
                Err(error) => return Err(super::unreadable(&file, &error)),
            };
            if len != *bytes {
                let (expected, found) = (format!("{bytes} bytes"), format!("{len} bytes"));
                return Err(damage(&file, None, Some(expected), Some(found)));
            }
            if found != *expected {
                let expected = Some(format!("SHA-256 {expected}"));
                return Err(damage(&file, None, expected, Some(format!("SHA-256 {found}"))));
            }
        }
        let listed = |path: &String| self.files.iter().any(|file| file.path == *path);
        let there = files_of(dir).map_err(|error| super::unreadable(dir, &error))?;
        match there.iter().find(|path| !listed(path)) {
            Some(stray) => {
                let found = Some("a file that the manifest does not list".to_owned());
                Err(damage(&dir.join(stray), None, Some("no file".to_owned()), found))
            }
            None => Ok(()),
        }
    }

    /// Checks that the journal of the backup in `dir` leads where the venue's led.
    pub(super) fn check_state(&self, output: &Output, dir: &Path) -> Result<Reached, Failure> {
        let journal = VenueDir::new(dir).journal();
        let state = Reached::of(output, &journal, None)?;
        let facts = [
            ("record", self.last_seq.to_string(), state.last_seq.to_string()),
            ("output hash", self.output_hash.clone(), state.output_hash.clone()),
            ("state hash", self.state_hash.clone(), state.state_hash.clone()),
        ];
        for (name, expected, found) in facts {
            if expected != found {
                let (expected, found) = (format!("{name} {expected}"), format!("{name} {found}"));
                return Err(damage(&journal, None, Some(expected), Some(found)));
            }
        }
        Ok(state)
    }
}

/// The version that a manifest of any version says to be of.
fn version(text: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Form {
        schema: String,
    }
    let form: Form = serde_json::from_str(text).ok()?;
    form.schema.strip_prefix(SCHEMA_PREFIX)?.parse().ok()
}

/// Whether the folder `dir` has the manifest of a backup of any version; it may be damaged.
pub(super) fn is_one(dir: &Path) -> bool {
    let path = dir.join(FILE);
    let is_file = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() <= LEN_MAX;
    fs::metadata(&path).is_ok_and(|metadata| is_file(&metadata))
        && fs::read_to_string(&path).is_ok_and(|text| version(&text).is_some())
}

/// Damage of a backup.
pub(super) fn damage(
    path: &Path,
    offset: Option<u64>,
    expected: Option<String>,
    found: Option<String>,
) -> Failure {
    let mut message = format!("{} is not what was backed up", path.display());
    if let (Some(expected), Some(found)) = (&expected, &found) {
        message = format!("{}: found {found}, expected {expected}", path.display());
    }
    let file = path.display().to_string();
    let place = Place { file, offset, expected, found };
    Failure::new(&errors::BACKUP_DAMAGED, message).place(Some(place))
}

/// The files of a backup but for its manifest and what readers leave, as paths within it.
pub(super) fn files_of(dir: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path != Path::new(FILE) {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    Ok(found)
}
