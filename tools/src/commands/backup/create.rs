//! `uncross backup create`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use serde::Serialize;
use uncross_server::{config::VenueDir, journal, sessions::utc};

use super::{
    Reached, copy_other_files,
    folder::{self, Folder},
    generations::{self, Pruned},
    manifest::Manifest,
    snapshots::{self, Taken},
    sync,
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
Then the oldest generations of the same journal beyond --keep are removed. Only those whose files
are those of their manifests count, and only such are removed: a damaged one stays, and so does
whatever is no generation or of another venue.

Examples:
  uncross backup create ./venue ./backups
  uncross backup create ./venue ./backups --keep 30 --json";

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
        folder::refuse_in_venue(&self.backups, Some(&self.dir))?;
        folder::refuse_in_backup(&self.backups)?;
        let folder = Folder::enter(&self.backups)?;
        let (path, manifest, segments, taken) = match self.add(output, &journal) {
            Ok(added) => added,
            Err(failure) => {
                folder.leave_as_found();
                return Err(failure.into());
            }
        };
        let Pruned { removed, damaged } = generations::prune(&self.backups, &path, self.keep)?;
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

    /// Adds a generation to the folder of the backups. Nothing is left of one that failed.
    fn add(
        &self,
        output: &Output,
        journal: &Path,
    ) -> Result<(PathBuf, Manifest, u64, Taken), Failure> {
        generations::remove_left(&self.backups)?;
        let created = now();
        let partial = generations::partial(&self.backups, &created);
        let made = self.make(output, journal, &partial, &created);
        let named = made.and_then(|(manifest, segments, taken)| {
            let path = generations::give_name(&partial, &manifest)?;
            Ok((path, manifest, segments, taken))
        });
        match named {
            Ok(named) => {
                sync(&self.backups)?;
                Ok(named)
            }
            Err(failure) => {
                // The first error is the one to tell.
                drop(fs::remove_dir_all(&partial));
                Err(failure)
            }
        }
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
        generations::make_folders(partial)?;
        // Before the journal, which goes on meanwhile: so there is one that the copy covers.
        let sources = snapshots::open(journal)?;
        let copied = journal::copy(journal, &to.journal(), None).map_err(Failure::from)?;
        if copied.last_seq == 0 {
            let message = format!("no record of {} is on the device yet", self.dir.display());
            return Err(Failure::new(&errors::BACKUP_EMPTY, message));
        }
        copy_other_files(&from, &to)?;
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
