//! `uncross backup verify`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use uncross_server::config::VenueDir;

use super::{generations::all_at, manifest::Manifest, snapshots};
use crate::{
    commands::journal::verify_journal,
    errors::{Exit, Failure},
    output::{Outcome, Output},
};

const EXAMPLES: &str = "\
Every file is compared with the SHA-256 of the manifest, every record, seal and hash of the journal
is checked, and the journal is applied: it must lead to the state that the manifest records, and so
must a snapshot with the records behind it. A damaged generation is exit code 6, also one without a
manifest; the others are checked nevertheless, and so are backups that were given other names.

Examples:
  uncross backup create ./venue ./backups && uncross backup verify ./backups
  uncross backup create ./venue ./backups && uncross backup verify ./backups --json";

/// Prove that backups lead to the state they were made of
///
/// Changes nothing.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// A backup, or the folder of all
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    is_good: bool,
    backups: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    backup: String,
    is_good: bool,
    last_seq: Option<u64>,
    last_time: Option<String>,
    state_hash: Option<String>,
    /// Last record that the snapshot covers; `None`: there is none, or another version of the
    /// program wrote it.
    snapshot_seq: Option<u64>,
    /// What is wrong.
    error: Option<String>,
    /// In a word, for people.
    #[serde(skip)]
    finding: &'static str,
}

/// Checks a backup from end to end; also returns the last record that its snapshot covers.
fn prove(output: &Output, path: &Path) -> Result<(Manifest, Option<u64>), Failure> {
    let journal = VenueDir::new(path).journal();
    let manifest = Manifest::read(path)?;
    manifest.check_files(path)?;
    verify_journal(output, &journal)?;
    let state = manifest.check_state(output, path)?;
    Ok((manifest, snapshots::verify(&journal, &state)?))
}

impl Verify {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let mut worst = None;
        let mut rows = Vec::new();
        for path in all_at(&self.backup)? {
            let proved = prove(output, &path);
            let (manifest, snapshot_seq) = match &proved {
                Ok((manifest, seq)) => (Some(manifest.clone()), *seq),
                Err(_) => (Manifest::read(&path).ok(), None),
            };
            let error = proved.as_ref().err().map(|failure| failure.message.clone());
            let finding = match &proved {
                Ok(_) => "good",
                Err(failure) if failure.code.exit == Exit::Configuration => "other version",
                Err(failure) if failure.is_damage() => "damaged",
                Err(_) => "unreadable",
            };
            rows.push(Row {
                finding,
                backup: path.display().to_string(),
                is_good: error.is_none(),
                last_seq: manifest.as_ref().map(|it| it.last_seq),
                last_time: manifest.as_ref().map(|it| it.last_time.clone()),
                state_hash: manifest.map(|it| it.state_hash),
                snapshot_seq,
                error,
            });
            // Damage counts more than what this program cannot read.
            if let Err(failure) = proved
                && (worst.is_none()
                    || failure.is_damage() && !worst.as_ref().is_some_and(Failure::is_damage))
            {
                worst = Some(failure);
            }
        }
        let verified = Verified { is_good: worst.is_none(), backups: rows };
        if output.is_json() {
            output.json("uncross.backup.verify/1", &verified)?;
        } else {
            verified.show(output)?;
        }
        worst.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

impl Verified {
    fn show(&self, output: &mut Output) -> Outcome {
        let rows = self.backups.iter().map(|row| {
            let Row { backup, finding, last_seq, last_time, state_hash, snapshot_seq, .. } = row;
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            vec![
                backup.clone(),
                (*finding).to_owned(),
                or_dash(last_seq.map(|seq| seq.to_string())),
                or_dash(last_time.clone()),
                or_dash(snapshot_seq.map(|seq| seq.to_string())),
                or_dash(state_hash.as_ref().map(|hash| hash.chars().take(16).collect())),
            ]
        });
        let headings =
            ["backup", "finding", "last record", "of", "snapshot at", "state hash begins"];
        output.table(&headings, &rows.collect::<Vec<_>>())
    }
}
