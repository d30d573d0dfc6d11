//! `uncross backup create`.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use uncross_server::{config::VenueDir, journal, sessions::utc};

use super::{
    Reached, copy_file, make_private,
    manifest::{FILE, Manifest},
    other_files,
    snapshots::{self, Taken},
    sync, unwritable,
};
use crate::{
    commands::journal::journal_of,
    errors::{self, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
A generation is a folder with the sealed segments and the open one up to the last record that is
known to be on the device, the newest snapshot that covers no more, configuration, users and
operators, and a manifest with the SHA-256 of each file and the hash of the state. The venue may
run. The state is found by applying the venue's own journal; a generation appears only when
applying the copy comes to the same state, and the snapshot is taken only if it leads there too.
Then the oldest beyond --keep are removed: only generations whose files are still those of their
manifests count, so that the last good one is never removed.

Examples:
  uncross backup create ./venue ./backups
  uncross backup create ./venue ./backups --keep 30 --json";

/// Begins the names of generations that are being made.
const PARTIAL: &str = ".partial-";

/// Make a backup of a venue, also while it runs, and prove it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// Folder of the venue
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Folder of the backups; it is made if there is none
    #[arg(value_name = "BACKUPS")]
    backups: PathBuf,
    /// Generations to keep
    #[arg(long, value_name = "COUNT", default_value_t = 7)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
}

#[derive(Serialize)]
struct Created {
    backup: String,
    last_seq: u64,
    last_time: String,
    output_hash: String,
    state_hash: String,
    segments: u64,
    /// Last record that the snapshot covers; `None`: there is none in it.
    snapshot_seq: Option<u64>,
    /// Newer snapshots that were not taken, and why.
    passed_over: Vec<String>,
    files: usize,
    bytes: u64,
    removed: Vec<String>,
    /// Generations that count for nothing, because they are damaged.
    damaged: Vec<String>,
}

impl Create {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let journal = journal_of(&self.dir)?;
        if !self.backups.exists() {
            make_private(&self.backups)?;
        }
        let _lock = lock(&self.backups)?;
        remove_partial(&self.backups)?;
        let created = now();
        let partial = self.backups.join(format!("{PARTIAL}{}", compact(&created)));
        let made = self.make(output, &journal, &partial, &created);
        let (manifest, segments, taken) = match made {
            Ok(made) => made,
            Err(failure) => {
                // Nothing is left of a generation that failed; the first error is the one to tell.
                drop(remove(&partial));
                return Err(failure.into());
            }
        };
        let name = format!("{}-{}", compact(&created), manifest.last_seq);
        let path = self.backups.join(&name);
        fs::rename(&partial, &path).map_err(|error| unwritable(&path, &error))?;
        sync(&self.backups)?;
        let (removed, damaged) = prune(&self.backups, self.keep)?;
        let created = Created {
            backup: path.display().to_string(),
            last_seq: manifest.last_seq,
            last_time: manifest.last_time.clone(),
            output_hash: manifest.output_hash.clone(),
            state_hash: manifest.state_hash.clone(),
            segments,
            snapshot_seq: taken.seq,
            passed_over: taken.passed_over,
            files: manifest.files.len(),
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            removed,
            damaged,
        };
        created.tell(output)
    }

    /// Makes a generation in `partial` and proves it; also returns its count of segments and what
    /// became of the snapshots.
    fn make(
        &self,
        output: &Output,
        journal: &Path,
        partial: &Path,
        created: &str,
    ) -> Result<(Manifest, u64, Taken), Failure> {
        let (from, to) = (VenueDir::new(&self.dir), VenueDir::new(partial));
        make_private(partial)?;
        make_private(&to.journal())?;
        // Before the journal, which goes on meanwhile: so there is one that the copy covers.
        let sources = snapshots::open(journal)?;
        let copied = journal::copy(journal, &to.journal(), None).map_err(Failure::from)?;
        if copied.last_seq == 0 {
            let message = format!("no record of {} is on the device yet", self.dir.display());
            return Err(Failure::new(&errors::BACKUP_EMPTY, message));
        }
        for (from, to) in other_files(&from).iter().zip(other_files(&to)) {
            if from.exists() {
                copy_file(from, &to)?;
            }
        }
        let state = Reached::of(output, journal, Some(copied.last_seq))?;
        let taken = snapshots::take(sources, &to.journal(), &state)?;
        let venue = self.dir.display().to_string();
        let manifest = Manifest::of(partial, venue, created.to_owned(), &state)?;
        manifest.check_state(output, partial)?;
        manifest.write(partial)?;
        Ok((manifest, copied.segments, taken))
    }
}

impl Created {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.backup.create/1", self);
        }
        let Self { backup, last_seq, last_time, segments, files, bytes, .. } = self;
        output.line(format_args!("backup       {backup}"))?;
        output.line(format_args!("records      up to {last_seq} of {last_time}"))?;
        output.line(format_args!("files        {files}, {segments} of them segments"))?;
        output.line(format_args!("bytes        {bytes}"))?;
        if let Some(seq) = self.snapshot_seq {
            output.line(format_args!("snapshot     at {seq}"))?;
        }
        for reason in &self.passed_over {
            output.line(format_args!("passed over  {reason}"))?;
        }
        output.line(format_args!("output hash  {}", self.output_hash))?;
        output.line(format_args!("state hash   {}", self.state_hash))?;
        for name in &self.removed {
            output.line(format_args!("removed      {name}"))?;
        }
        for name in &self.damaged {
            output.line(format_args!("damaged      {name}: it counts for nothing, and stays"))?;
        }
        Ok(())
    }
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    utc(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A time as the name of a file: names sort as times do.
fn compact(utc: &str) -> String {
    utc.chars().filter(|char| !matches!(char, '-' | ':')).collect()
}

/// One process at a time makes and removes generations.
fn lock(backups: &Path) -> Result<File, Failure> {
    let path = backups.join("lock");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| unwritable(&path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let message = format!("{} is in use", backups.display());
            Err(Failure::new(&errors::FOLDER_BUSY, message)
                .cause("another backup is being made there")
                .fix("wait until it is done"))
        }
        Err(errno) => Err(unwritable(&path, &errno.into())),
    }
}

/// Removes what backups that were cut short have left.
fn remove_partial(backups: &Path) -> Result<(), Failure> {
    for name in names(backups)?.iter().filter(|name| name.starts_with(PARTIAL)) {
        remove(&backups.join(name))?;
    }
    Ok(())
}

/// Removes a generation: first its manifest, so that no part of it is ever taken for a backup.
fn remove(path: &Path) -> Result<(), Failure> {
    let manifest = path.join(FILE);
    if manifest.exists() {
        fs::remove_file(&manifest).map_err(|error| unwritable(&manifest, &error))?;
    }
    fs::remove_dir_all(path).map_err(|error| unwritable(path, &error))
}

fn names(backups: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(backups).map_err(|error| super::unreadable(backups, &error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// The generations in a folder, the newest last.
pub(super) fn generations(backups: &Path) -> Result<Vec<PathBuf>, Failure> {
    let names = names(backups)?.into_iter().filter(|name| !name.starts_with('.'));
    let paths = names.map(|name| backups.join(name));
    Ok(paths.filter(|path| path.join(FILE).exists()).collect())
}

/// Removes the generations older than the newest `keep` that are good; returns what was removed,
/// and what is damaged among those that were looked at.
fn prune(backups: &Path, keep: u32) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut removed, mut damaged, mut good) = (Vec::new(), Vec::new(), 0);
    let mut paths = generations(backups)?;
    if paths.len() <= keep as usize {
        return Ok((removed, damaged));
    }
    while let Some(path) = paths.pop() {
        let name = path.file_name().unwrap_or_default().display().to_string();
        if good == keep {
            remove(&path)?;
            removed.push(name);
        } else if Manifest::read(&path).and_then(|it| it.check_files(&path)).is_ok() {
            good += 1;
        } else {
            damaged.push(name);
        }
    }
    if !removed.is_empty() {
        sync(backups)?;
    }
    Ok((removed, damaged))
}
