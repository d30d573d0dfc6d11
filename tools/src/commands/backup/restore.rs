//! `uncross backup restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_server::{
    audit::moment::Moment,
    config::VenueDir,
    journal::{self, Reader},
    sessions::utc,
};

use super::{
    Reached, copy_other_files, folder,
    generations::newest_at,
    make_private,
    manifest::Manifest,
    restoring::{self, Restoring},
    snapshots, sync,
};
use crate::{
    commands::journal::seq_at,
    errors::{self, Failure},
    files::parent,
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
The backup is checked against its manifest first. Of a folder of backups the generation that was
made last is taken; where that is damaged, or the folder holds those of several venues, name one.
The venue appears when it is whole and its journal was applied. What the venue did after the backup
is not known to it: at its first start it opens a new epoch, with a session of another name and
other references, so that no number is given twice. That start begins at the snapshot of the
backup, if it has one that covers no more than what is restored. Never start it beside the venue
that was backed up.

Examples:
  uncross backup create ./venue ./backups && uncross backup restore ./backups ./restored
  uncross backup create ./venue ./backups && uncross backup restore ./backups ./old --until 100";

/// Make a venue from a backup, as it was at its end, at a sequence number or at a time
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Restore {
    /// A backup, or the folder of all
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Folder of the venue to make; it must not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Restore up to a sequence number or a time
    #[arg(long, value_name = "MOMENT")]
    until: Option<Moment>,
}

#[derive(Serialize)]
struct Restored {
    venue: String,
    backup: String,
    last_seq: u64,
    last_time: String,
    output_hash: String,
    state_hash: String,
    /// Whether that is the state of the manifest: all of the backup was restored.
    is_whole: bool,
    /// Last record of the snapshot that the first start begins at; `None`: at the first record.
    snapshot_seq: Option<u64>,
}

impl Restore {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let backup = newest_at(&self.backup)?;
        if self.dir.symlink_metadata().is_ok() {
            let message = format!("{} exists", self.dir.display());
            return Err(Failure::new(&errors::FOLDER_TAKEN, message).into());
        }
        folder::refuse_in_venue(&self.dir, None)?;
        folder::refuse_in_backup(&self.dir)?;
        let manifest = Manifest::read(&backup)?;
        manifest.check_files(&backup)?;
        let reader =
            Reader::open_whole(&VenueDir::new(&backup).journal()).map_err(Failure::from)?;
        let until = self.until.map(|moment| seq_at(&reader, moment)).transpose()?;
        let upto = until.unwrap_or(manifest.last_seq);
        let (state, snapshot_seq) = self.make(output, &backup, upto)?;
        let is_whole = upto == manifest.last_seq;
        let Reached { last_seq, last_time_ns, output_hash, state_hash, .. } = state;
        let restored = Restored {
            venue: self.dir.display().to_string(),
            backup: backup.display().to_string(),
            last_seq,
            last_time: utc(last_time_ns),
            output_hash,
            state_hash,
            is_whole,
            snapshot_seq,
        };
        restored.tell(output)
    }

    /// Makes the venue beside its place, proves it and gives it its name. Returns what it leads to,
    /// and the last record that its snapshot covers.
    fn make(
        &self,
        output: &Output,
        backup: &Path,
        upto: u64,
    ) -> Result<(Reached, Option<u64>), Failure> {
        let parent = parent(&self.dir);
        restoring::remove_left(parent);
        let partial = Restoring::begin(parent)?;
        let (from, to) = (VenueDir::new(backup), VenueDir::new(partial.path()));
        make_private(&to.journal())?;
        journal::copy(&from.journal(), &to.journal(), Some(upto)).map_err(Failure::from)?;
        copy_other_files(&from, &to)?;
        let state = Reached::of(output, &to.journal(), None)?;
        let due = Reached::of(output, &from.journal(), Some(upto))?;
        if state != due {
            let message = format!("the copy of {} leads to another state", backup.display());
            return Err(Failure::new(&errors::BACKUP_DAMAGED, message)
                .cause("its disk or memory gave other bytes than before"));
        }
        let snapshot_seq = snapshots::restore(&from.journal(), &to.journal(), &state)?;
        sync(partial.path())?;
        partial.give_name(&self.dir)?;
        sync(parent)?;
        Ok((state, snapshot_seq))
    }
}

impl Restored {
    fn tell(&self, output: &mut Output) -> Outcome {
        if output.is_json() {
            return output.json("uncross.backup.restore/1", self);
        }
        let Self { venue, backup, last_seq, last_time, .. } = self;
        let whole = if self.is_whole { "all of" } else { "a part of" };
        output.line(format_args!("venue        {venue}"))?;
        output.line(format_args!("from         {whole} {backup}"))?;
        output.line(format_args!("records      up to {last_seq} of {last_time}"))?;
        output.line(format_args!("output hash  {}", self.output_hash))?;
        output.line(format_args!("state hash   {}", self.state_hash))?;
        if let Some(seq) = self.snapshot_seq {
            output.line(format_args!("snapshot     at {seq}"))?;
        }
        output.line("its first start opens a new epoch")
    }
}
