//! The snapshot of a backup, from which what is restored starts. Nothing rests on one: where none
//! can be used, a venue is backed up and starts without.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use uncross_server::{
    journal::{ReadError, SnapshotView, Snapshots},
    replay::replay_snapshot,
};

use super::{Reached, make_private, manifest::damage, sync, unwritable};
use crate::{errors::Failure, venue::hex};

/// A snapshot of a venue. It is open, since a venue that runs removes it once there are newer ones.
pub(super) struct Source {
    view: SnapshotView,
    file: io::Result<File>,
}

/// What was taken of the snapshots of a venue.
#[derive(Default)]
pub(super) struct Taken {
    /// Last record that the snapshot covers.
    pub(super) seq: Option<u64>,
    /// Newer ones that were not taken, and why.
    pub(super) passed_over: Vec<String>,
}

/// The snapshots beside the journal in `journal`, the newest first.
fn list(journal: &Path) -> Result<Vec<SnapshotView>, Failure> {
    Ok(Snapshots::of(journal).list().map_err(ReadError::from)?)
}

/// The same, opened.
pub(super) fn open(journal: &Path) -> Result<Vec<Source>, Failure> {
    let opened = list(journal)?.into_iter().map(|view| {
        let file = File::open(&view.path);
        Source { view, file }
    });
    Ok(opened.collect())
}

/// Copies the newest snapshot that covers no more than the journal in `journal`, which leads to
/// `state`, and that can be proven there.
pub(super) fn take(
    sources: Vec<Source>,
    journal: &Path,
    state: &Reached,
) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    for Source { view, file } in sources {
        if state.last_seq < view.seq {
            continue;
        }
        let path = place(journal, &view)?;
        let copied = file.and_then(|mut file| copy(&mut file, &path));
        let proven = copied.map_err(|error| error.to_string());
        let why = match proven.and_then(|()| prove(journal, &path, state)) {
            Ok(true) => {
                taken.seq = Some(view.seq);
                break;
            }
            Ok(false) => "another version of the program wrote it".to_owned(),
            Err(why) => why,
        };
        taken.passed_over.push(format!("{}: {why}", view.path.display()));
        if path.exists() {
            std::fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
        }
    }
    Ok(taken)
}

/// Copies the newest snapshot of the backup whose journal is in `backup` that covers no more than
/// the journal in `journal`, which is a part of that and leads to `state`. Returns the last record
/// that it covers.
pub(super) fn restore(
    backup: &Path,
    journal: &Path,
    state: &Reached,
) -> Result<Option<u64>, Failure> {
    let Some(view) = list(backup)?.into_iter().find(|view| view.seq <= state.last_seq) else {
        return Ok(None);
    };
    if !check(journal, &view, state)? {
        return Ok(None);
    }
    let path = place(journal, &view)?;
    let copied = File::open(&view.path).and_then(|mut file| copy(&mut file, &path));
    copied.map_err(|error| unwritable(&path, &error))?;
    Ok(Some(view.seq))
}

/// Proves the snapshots of the backup whose journal is in `journal` and leads to `state`. Returns
/// the last record that the newest one covers.
pub(super) fn verify(journal: &Path, state: &Reached) -> Result<Option<u64>, Failure> {
    let mut newest = None;
    for view in list(journal)? {
        if check(journal, &view, state)? {
            newest = newest.or(Some(view.seq));
        }
    }
    Ok(newest)
}

/// As [`prove`], of a snapshot that a manifest lists.
fn check(journal: &Path, view: &SnapshotView, state: &Reached) -> Result<bool, Failure> {
    let proven = prove(journal, &view.path, state);
    proven.map_err(|why| damage(&view.path, None, None, None).cause(why))
}

/// Proves that the snapshot at `path` is one of the journal in `journal`, and that with the records
/// behind it it leads to `state`, as all of them do; the error says what is wrong. `false`: another
/// version of the program wrote it, and this one cannot tell.
fn prove(journal: &Path, path: &Path, state: &Reached) -> Result<bool, String> {
    let Reached { capacity, last_seq, output_hash, state_hash, .. } = state;
    let replica = match replay_snapshot(journal, path, capacity, *last_seq) {
        Ok(replica) => replica,
        Err(error) if error.is_of_another_version() => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    let found_output = format!("{:016x}", replica.output_hash());
    let found_state = hex(&replica.state_hash());
    if (&found_output, &found_state) == (output_hash, state_hash) {
        return Ok(true);
    }
    Err(format!(
        "it leads to output hash {found_output} and state hash {found_state}, all records to \
         {output_hash} and {state_hash}"
    ))
}

/// The path of a copy beside another journal, in a folder that is there.
fn place(journal: &Path, view: &SnapshotView) -> Result<PathBuf, Failure> {
    let snapshots = Snapshots::of(journal);
    if !snapshots.dir().exists() {
        make_private(snapshots.dir())?;
        sync(journal)?;
    }
    Ok(snapshots.dir().join(view.path.file_name().unwrap_or_default()))
}

/// Writes a copy, onto the device.
fn copy(from: &mut File, path: &Path) -> io::Result<()> {
    let mut to = File::create_new(path)?;
    io::copy(from, &mut to)?;
    to.sync_all()?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_snapshot_that_is_removed_once_it_is_open_is_copied_whole() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::of(folder.path());
        fs::create_dir(snapshots.dir()).unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        for seq in [7, 9] {
            fs::write(snapshots.dir().join(format!("{seq:020}.snap")), &bytes).unwrap();
        }
        let sources = open(folder.path()).unwrap();
        assert_eq!(sources.iter().map(|it| it.view.seq).collect::<Vec<_>>(), [9, 7]);
        fs::remove_dir_all(snapshots.dir()).unwrap();
        for Source { view, file } in sources {
            let path = folder.path().join(view.seq.to_string());
            copy(&mut file.unwrap(), &path).unwrap();
            assert!(fs::read(&path).unwrap() == bytes, "the one at {}", view.seq);
        }
    }
}
