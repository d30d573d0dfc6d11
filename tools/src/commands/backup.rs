//! `uncross backup`: copies of a venue that are proven to lead where it led.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sha2::{Digest, Sha256};
use uncross_server::{
    config::VenueDir,
    engine::limits::Capacity,
    journal::Reader,
    replay::{Discard, replay_until},
};

use super::venue::{self, unwritable};
use crate::{
    errors::{self, Failure},
    output::{Outcome, Output},
    progress,
    venue::hex,
};

mod create;
mod folder;
mod generations;
mod manifest;
mod restore;
mod restoring;
mod snapshots;
mod verify;

use create::Create;
use restore::Restore;
use verify::Verify;

pub(super) const EXAMPLES: &str = "\
Examples:
  uncross backup create ./venue ./backups
  uncross backup create ./venue ./backups && uncross backup verify ./backups
  uncross backup create ./venue ./backups && uncross backup restore ./backups ./restored";

/// Back up a venue, prove the backups, restore one
#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    Create(Create),
    Verify(Verify),
    Restore(Restore),
}

impl Backup {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        match self {
            Self::Create(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Restore(command) => command.run(output),
        }
    }
}

/// What a journal leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reached {
    last_seq: u64,
    last_time_ns: u64,
    output_hash: String,
    state_hash: String,
    epoch: u32,
    capacity: Capacity,
}

impl Reached {
    /// Applies the journal in `dir`, whose checkpoints are compared, up to `until`, beside a bar.
    fn of(output: &Output, dir: &Path, until: Option<u64>) -> Result<Self, Failure> {
        let reader = Reader::open_whole(dir)?;
        let replay = || replay_until(&reader, until, &mut Discard);
        let end = progress::beside(output, &reader, until, replay)?;
        let Some(replica) = end.replica else {
            let message = format!("{} has no records", dir.display());
            return Err(Failure::new(&errors::BACKUP_EMPTY, message));
        };
        Ok(Self {
            last_seq: end.last_seq,
            last_time_ns: end.last_time_ns,
            output_hash: format!("{:016x}", replica.output_hash()),
            state_hash: hex(&replica.state_hash()),
            epoch: replica.engine().epoch(),
            capacity: replica.capacity(),
        })
    }
}

/// The files of a venue beside its journal that belong to a backup.
fn other_files(dir: &VenueDir) -> [PathBuf; 4] {
    [dir.config_file(), dir.users_file(), dir.operators_file(), dir.begun_file()]
}

/// Makes a folder that only its owner may look into.
fn make_private(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| unwritable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    venue::unreadable(&errors::FILE_READ, path, error)
}

/// Copies the files beside the journal, as far as they are there, with their permissions and onto
/// the device.
fn copy_other_files(from: &VenueDir, to: &VenueDir) -> Result<(), Failure> {
    for (from, to) in other_files(from).iter().zip(other_files(to)) {
        let bytes = match fs::read(from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(from, &error)),
        };
        let metadata = fs::metadata(from).map_err(|error| unreadable(from, &error))?;
        write_new(&to, &bytes, &metadata).map_err(|error| unwritable(&to, &error))?;
    }
    Ok(())
}

/// Writes a file of the same permissions as another one, which nobody else reads before it has
/// them.
fn write_new(path: &Path, bytes: &[u8], like: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

/// Gets a file, or the names in a folder, onto the device.
fn sync(path: &Path) -> Result<(), Failure> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| unwritable(path, &error))
}

/// Length and SHA-256 of a file, read in pieces.
fn sha256(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut len_bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((len_bytes, hex(&hasher.finalize())));
        }
        len_bytes += count as u64;
        hasher.update(&buffer[..count]);
    }
}
