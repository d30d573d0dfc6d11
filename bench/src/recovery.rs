//! How long a start takes to bring a venue to the end of its journal, over the length of that: from
//! the first record, and from a snapshot some records before the end.
//!
//! The venue is a real one in a folder of its own. It writes what a venue writes first, the
//! commands of brokers are appended as they would be in a run, and then it is started: what is told
//! is the time from opening the journal to the last record applied, streams included.

use std::{
    env, fs, io, iter,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use uncross_server::{
    config::{Config, VenueDir, error::ConfigError},
    journal::{body, kind},
    replay::{Discard, replay},
    shadow::write_snapshot,
    users::{Users, error::UsersError},
    venue::{
        self, Recovered, Summary,
        error::{StartError, StopError},
    },
};

use crate::{
    machine::{Machine, Times},
    run::{Draft, Run, RunError},
    told::Told,
};

const EXAMPLES: &str = "\
The folder decides which disk is measured; what is written there is removed again: some 2 GB and two
minutes, with --quick little of both. docs/bench-method.md says what the figures mean.

Examples:
  uncross bench recovery --quick
  uncross bench recovery --quick --dir . --json";

/// Lengths of the journal, in commands of brokers.
const LENGTHS: [u64; 4] = [1_000_000, 2_000_000, 5_000_000, 10_000_000];
const QUICK_LENGTHS: [u64; 2] = [20_000, 40_000];
/// Records that a snapshot leaves to be replayed, and how many for a quick run.
const BEHIND: u64 = 1_000_000;
const QUICK_BEHIND: u64 = 10_000;
/// Ports of brokers that trade.
const PORTS: u16 = 16;
/// Orders of a port that stand while it trades.
const STANDING: u32 = 600;

/// Measure how long a start takes, over the length of the journal
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct Recovery {
    /// Folder on the disk to measure; by default that for temporary files
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Short journals
    #[arg(long)]
    pub quick: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The folder cannot be used.
    #[error("{}: {source}", dir.display())]
    Folder {
        /// Which one.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The venue's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The users file cannot be written.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// What brokers ordered could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The venue did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The venue did not end well.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// Something is not what it was.
    #[error("{0}")]
    Wrong(String),
}

/// One length.
#[derive(Clone, Copy, Debug, Serialize)]
struct Point {
    /// Records in the journal.
    records: u64,
    /// From the first one, in seconds.
    whole_s: f64,
    /// From the snapshot, in seconds.
    snapshot_s: f64,
    /// Records behind the snapshot.
    behind: u64,
    /// Bytes of the snapshot.
    snapshot_bytes: u64,
    /// Bytes of the journal's files.
    journal_bytes: u64,
}

fn told(points: &[Point], machine: &Machine) -> Told {
    let head = "   records   from the first   from a snapshot   records behind it\n";
    let rows = points.iter().map(|point| {
        let Point { records, whole_s, snapshot_s, behind, .. } = point;
        format!("{records:>10} {whole_s:>14.3} s {snapshot_s:>15.3} s {behind:>19}\n")
    });
    let text: String = iter::once(head.to_owned()).chain(rows).collect();
    Told::new("uncross.bench.recovery/1", json!({ "points": points, "machine": machine }), text)
}

impl Recovery {
    /// Measures; `progress` hears a line now and then.
    ///
    /// # Errors
    ///
    /// The disk refused, or a start came to something else.
    pub fn run(&self, progress: &mut impl FnMut(&str)) -> Result<Told, RecoveryError> {
        let times = Times::read();
        let parent = self.dir.clone().unwrap_or_else(env::temp_dir);
        let failed = |source| RecoveryError::Folder { dir: parent.clone(), source };
        let home = tempfile::tempdir_in(&parent).map_err(failed)?;
        let bench = Venue::new(home.path())?;
        let (lengths, behind) =
            if self.quick { (&QUICK_LENGTHS[..], QUICK_BEHIND) } else { (&LENGTHS[..], BEHIND) };
        bench.round()?;
        let mut broker = Broker::new();
        let mut points = Vec::new();
        for &length in lengths {
            progress(&format!("{length} commands"));
            bench.trade(&mut broker, length)?;
            points.push(bench.measure(behind)?);
        }
        Ok(told(&points, &Machine::since(&times)))
    }
}

/// The venue whose starts are measured.
struct Venue {
    dir: VenueDir,
    config: Config,
}

impl Venue {
    fn new(root: &Path) -> Result<Self, RecoveryError> {
        let dir = VenueDir::new(root);
        Users::new(dir.users_file()).save()?;
        let overrides = [
            ("orders.listen", "127.0.0.1:0"),
            ("data.listen", "127.0.0.1:0"),
            ("admin.enabled", "false"),
            ("journal.level", "async"),
            // The snapshots are those of the measurement.
            ("journal.snapshot_every", "0"),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Self { dir, config: Config::load(None, iter::empty(), &overrides)? })
    }

    /// Starts and ends it.
    fn round(&self) -> Result<(Recovered, Summary), RecoveryError> {
        let venue = venue::start(&self.config, &self.dir)?;
        let recovered = venue.recovered().clone();
        Ok((recovered, venue.stop()?))
    }

    /// Appends what brokers order until there are `length` commands of theirs.
    fn trade(&self, broker: &mut Broker, length: u64) -> Result<(), RecoveryError> {
        let wrong = |error: &dyn std::fmt::Display| RecoveryError::Wrong(error.to_string());
        let replayed = replay(&self.dir.journal(), &mut Discard).map_err(|error| wrong(&error))?;
        let Some(replica) = replayed.replica else {
            return Err(RecoveryError::Wrong("the venue wrote no journal".to_owned()));
        };
        let session = replica.engine().day().map_or([b' '; 10], |day| day.session);
        let at = (replayed.last_seq, replayed.last_time_ns);
        let config_hash = self.config.fingerprint();
        let mut run = Run::resume(&self.dir.journal(), config_hash, replica, at)?;
        for draft in broker.up(session) {
            run.say(&draft)?;
        }
        while broker.commands < length {
            run.say(&broker.next())?;
        }
        run.close()?;
        Ok(())
    }

    /// Starts from the first record, then from a snapshot, and compares.
    fn measure(&self, behind: u64) -> Result<Point, RecoveryError> {
        let failed = |source| RecoveryError::Folder { dir: self.dir.root().to_owned(), source };
        let snapshots = self.dir.journal().join("snapshots");
        if snapshots.exists() {
            fs::remove_dir_all(&snapshots).map_err(failed)?;
        }
        // The first start ends the sessions of the brokers; the next ones find the same journal.
        self.round()?;
        let (whole, expected) = self.round()?;
        let records = expected.last_seq;
        let wrong = |error: &dyn std::fmt::Display| RecoveryError::Wrong(error.to_string());
        let written = write_snapshot(&self.dir, records - behind).map_err(|error| wrong(&error))?;
        let path = written.ok_or_else(|| wrong(&"no snapshot was written"))?;
        let snapshot_bytes = fs::metadata(&path).map_err(failed)?.len();
        let (behind_it, found) = self.round()?;
        if behind_it.snapshot_seq != Some(records - behind) {
            return Err(RecoveryError::Wrong(format!("not used: {:?}", behind_it.passed_over)));
        }
        let hashes = |summary: &Summary| (summary.state_hash, summary.output_hash);
        if (found.last_seq, hashes(&found)) != (records, hashes(&expected)) {
            return Err(RecoveryError::Wrong("a start came to something else".to_owned()));
        }
        let files = fs::read_dir(self.dir.journal()).map_err(failed)?;
        let lens = files.map(|file| Ok(file?.metadata()?.len()));
        Ok(Point {
            records,
            whole_s: whole.took.as_secs_f64(),
            snapshot_s: behind_it.took.as_secs_f64(),
            behind,
            snapshot_bytes,
            journal_bytes: lens.sum::<io::Result<u64>>().map_err(failed)?,
        })
    }
}

/// All brokers: orders around a price that come, go and trade.
struct Broker {
    commands: u64,
    generation: u16,
    /// By port: the highest number used.
    numbers: [u32; PORTS as usize],
}

impl Broker {
    const fn new() -> Self {
        Self { commands: 0, generation: 0, numbers: [0; PORTS as usize] }
    }

    /// All of them log in.
    fn up(&mut self, session: [u8; 10]) -> Vec<Draft> {
        self.generation += 1;
        let generation = self.generation;
        (1..=PORTS).map(|port| Draft::session_up(port, generation, session)).collect()
    }

    /// In turn an order and the cancel of an older one; every tenth order takes.
    fn next(&mut self) -> Draft {
        let turn = self.commands;
        self.commands += 1;
        let port = u16::try_from(turn % u64::from(PORTS)).unwrap_or(0);
        let number = &mut self.numbers[usize::from(port)];
        let (port, generation) = ((port + 1).into(), self.generation.into());
        let is_cancel = !(turn / u64::from(PORTS)).is_multiple_of(2);
        if let Some(old) = number.checked_sub(STANDING).filter(|old| is_cancel && 0 < *old) {
            let user_ref_num = old.into();
            let body = body::Cancel { port, generation, user_ref_num, qty: 0.into() };
            return Draft::of(kind::CANCEL, &body);
        }
        *number += 1;
        let is_taker = number.is_multiple_of(10);
        // Bids below, asks above; who takes goes to the other side.
        let is_bid = (turn / 7).is_multiple_of(2);
        let away = u32::try_from(turn % 61).unwrap_or(0) * 100;
        let px = if is_bid == is_taker { 1_000_100 + away } else { 1_000_000 - away };
        let body = body::Enter {
            port,
            generation,
            user_ref_num: (*number).into(),
            instrument: 1.into(),
            qty: 100.into(),
            px: px.into(),
            side: if is_bid { b'B' } else { b'S' },
            time_in_force: if is_taker { b'3' } else { b'0' },
            display: b'Y',
            capacity: b'P',
            intermarket_sweep: b'N',
            cross_type: b'N',
            client_order_id: *b"RECOVERY      ",
        };
        Draft::of(kind::ENTER, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_run_comes_to_the_same_states_and_tells_every_length() {
        let told = Recovery { dir: None, quick: true }.run(&mut |_| ()).unwrap();
        let points = told.body()["points"].as_array().unwrap();
        assert_eq!(points.len(), QUICK_LENGTHS.len());
        for (point, length) in points.iter().zip(QUICK_LENGTHS) {
            let count = |field: &str| point[field].as_u64().unwrap();
            assert!(length < count("records") && count("behind") == QUICK_BEHIND, "{point}");
            assert!(0 < count("snapshot_bytes"), "{point}");
            assert!(0.0 < point["snapshot_s"].as_f64().unwrap(), "{point}");
        }
        assert!(told.json().contains(r#""schema":"uncross.bench.recovery/1""#));
        assert_eq!(told.text().lines().count(), 1 + QUICK_LENGTHS.len());
    }
}
