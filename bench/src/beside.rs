//! What runs beside the core, and whether it slows it: the shadow, and segments being prepared.
//!
//! A venue with a shadow that writes snapshots as often as it may takes turns with one without
//! (`venue`), while brokers order at a fixed rate (`load`). Then a journal takes records while
//! another one prepares segments on the same disk, and while none does (`prepare`).

mod load;
mod prepare;
mod report;
mod venue;

use std::{env, io, path::PathBuf, time::Duration};

use clap::Args;
use hdrhistogram::CreationError;
use uncross_server::{
    config::error::ConfigError,
    users::error::UsersError,
    venue::error::{StartError, StopError},
};

use self::{
    report::{Pairs, Report},
    venue::Load,
};
use crate::{
    journal::JournalError,
    machine::{Machine, Times},
    told::Told,
};

const EXAMPLES: &str = "\
The folder decides which disk is measured; what is written there is removed again. Under 100 seconds
on two CPUs; with --quick a few, and the figures say little. docs/bench-method.md says what they
mean.

Examples:
  uncross bench beside --quick
  uncross bench beside --quick --level async --rate 50000
  uncross bench beside --quick --dir . --rest 0 --json";

/// Measure whether snapshots slow answers, and segments being prepared slow appends
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Beside {
    /// Folder on the disk to measure; by default that for temporary files
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// One pair of each, and short ones
    #[arg(long)]
    pub quick: bool,
    /// Commands of brokers a second
    #[arg(long, value_name = "COUNT", default_value_t = 20_000,
          value_parser = clap::value_parser!(u64).range(4_000..=1_000_000))]
    pub rate: u64,
    /// Level of the journal
    #[arg(long, value_name = "LEVEL", default_value = "group",
          value_parser = ["group", "async"])]
    pub level: String,
    /// How long the shadow rests after a snapshot, in times of what that took
    #[arg(long, value_name = "TIMES", default_value_t = 99,
          value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub rest: u32,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum BesideError {
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
    /// The venue did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The venue did not end well.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// A broker's connection failed.
    #[error(transparent)]
    Client(#[from] uncross_client::Error),
    /// A journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Sockets cannot be waited for.
    #[error("waiting for answers: {0}")]
    Poll(io::Error),
    /// Orders were not answered.
    #[error("{missing} orders were not answered")]
    Unanswered {
        /// How many.
        missing: u64,
    },
    /// An order was refused.
    #[error("an order was refused: reason {reason}")]
    Rejected {
        /// Why.
        reason: u16,
    },
    /// The brokers' thread panicked.
    #[error("the brokers' thread panicked")]
    Panicked,
    /// The shadow is not what it should be.
    #[error("the shadow is {found}")]
    Shadow {
        /// What it is.
        found: &'static str,
    },
    /// A histogram has no room.
    #[error("histogram: {0}")]
    Histogram(#[from] CreationError),
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    pairs: usize,
    /// Before a venue is measured: its first segments are prepared, its tables filled.
    warm_up: Duration,
    /// Of a venue.
    stretch: Duration,
    /// Of a journal.
    appends: Duration,
}

impl Extent {
    const WHOLE: Self = Self {
        pairs: 3,
        warm_up: Duration::from_millis(700),
        stretch: Duration::from_secs(10),
        appends: Duration::from_millis(1_500),
    };
    const QUICK: Self = Self {
        pairs: 1,
        warm_up: Duration::from_millis(700),
        stretch: Duration::from_millis(500),
        appends: Duration::from_millis(200),
    };
}

impl Beside {
    /// Measures; `progress` hears a line now and then.
    ///
    /// # Errors
    ///
    /// The disk refused, or a venue did not do what it must.
    pub fn run(&self, progress: &mut impl FnMut(&str)) -> Result<Told, BesideError> {
        let extent = if self.quick { Extent::QUICK } else { Extent::WHOLE };
        let start = Times::read();
        let parent = self.dir.clone().unwrap_or_else(env::temp_dir);
        let failed = |source| BesideError::Folder { dir: parent.clone(), source };
        let folder = || tempfile::tempdir_in(&parent).map_err(failed);
        let mut report = Report {
            shadow: Pairs::default(),
            prepared: Pairs::default(),
            are_brokers_first: true,
        };
        for pair in 0..extent.pairs {
            progress(&format!("pair {} of {}", pair + 1, extent.pairs));
            let begin = Times::read();
            let load = Load { level: &self.level, rate: self.rate, rest: self.rest, extent };
            let alone = venue::run(folder()?.path(), load, false)?;
            let beside = venue::run(folder()?.path(), load, true)?;
            report.shadow.push(&begin, &alone.latency, &beside.latency);
            report.shadow.done += beside.snapshots;
            report.shadow.behind_max = report.shadow.behind_max.max(beside.behind);
            report.are_brokers_first &= alone.are_brokers_first && beside.are_brokers_first;
            let begin = Times::read();
            let (alone, _) = prepare::run(folder()?.path(), false, extent.appends)?;
            let (beside, segments) = prepare::run(folder()?.path(), true, extent.appends)?;
            report.prepared.push(&begin, &alone, &beside);
            report.prepared.done += segments;
        }
        let dir = parent.display().to_string();
        Ok(report.told(self, &dir, &Machine::since(&start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_run_tells_both_sides_of_every_percentile() {
        let dir = tempfile::tempdir().unwrap();
        let home = Some(dir.path().to_owned());
        let asked =
            Beside { dir: home, quick: true, rate: 4_000, level: "async".to_owned(), rest: 0 };
        let told = asked.run(&mut |_| ()).unwrap();
        let body = told.body();
        for part in ["acknowledged", "appended"] {
            for percentile in ["p50", "p99", "p99_9", "p99_99", "max"] {
                for side in ["alone_us", "beside_us", "ratio"] {
                    let value = body[part][percentile][side]["median"].as_f64().unwrap();
                    // A ratio has three places: on a machine that stood still it may be none.
                    let is_there = 0.0 < value || side == "ratio" && value == 0.0;
                    assert!(is_there && value.is_finite(), "{part} {percentile} {side}: {body}");
                }
            }
        }
        // What was asked for was sent; how many snapshots a short stretch sees is not certain.
        assert!(body["acknowledged"]["snapshots"].is_u64(), "{body}");
        assert!(0 < body["appended"]["segments"].as_u64().unwrap(), "{body}");
        assert_eq!(body["appended"]["count"], 20_000);
        assert_eq!(body["commands_per_s"], 4_000);
        assert_eq!(body["rest"], 0);
        assert!(told.json().contains(r#""schema":"uncross.bench.beside/1""#));
        assert!(told.text().contains("without a shadow"), "{}", told.text());
        // Nothing is left behind.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
