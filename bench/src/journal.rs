//! The journal measured beside the machine's own limits: appending, acknowledging, syncing many
//! bytes, what the device is given to write, and replaying.
//!
//! Each figure has a floor that takes turns with it in one run (`floors`); what is told are the
//! medians of the ratios of such pairs, and how far they spread (`report`).

mod append;
mod durable;
mod floors;
mod memory;
mod replayed;
mod report;

use std::{
    env, io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use uncross_server::journal::{
    AppendError, CloseError, Entry, Identity, Level, OnDurable, OpenError, Settings, Watermark,
    Writer, kind, open,
};

pub use self::append::Warm;
use self::report::Report;
use crate::{
    machine::{Machine, Times},
    run::RunError,
    told::Told,
};

const EXAMPLES: &str = "\
The folder decides which disk is measured; what is written there is removed again. Under 50 seconds
on two CPUs; with --quick a few, and the figures say little. docs/bench-method.md says what they
mean.

Examples:
  uncross bench journal --quick
  uncross bench journal --quick --dir . --json";

/// Pairs of product and floor; their median is told.
const PAIRS: usize = 5;
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The body of a record of one slot: what most orders take.
const BODY: [u8; 40] = [7; 40];
/// Bytes of such a record.
const RECORD: u64 = 64;
/// Segments are longer by this than what is appended.
const SPARE: u64 = 2 << 20;

/// Measure the journal beside the limits of memory and disk
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct Journal {
    /// Folder on the disk to measure; by default that for temporary files
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// One pair of each, with few counts
    #[arg(long)]
    pub quick: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be used.
    #[error("{}: {source}", dir.display())]
    Folder {
        /// Which one.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record was not appended.
    #[error("a record was not appended: {0}")]
    Append(#[from] AppendError),
    /// The journal did not close.
    #[error("the journal did not close: {0}")]
    Close(#[from] CloseError),
    /// Something took longer than anything does.
    #[error("{what} for {} s", PATIENCE.as_secs())]
    Stuck {
        /// What did not happen.
        what: &'static str,
    },
    /// What was to be replayed could not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The replay of what was written came to something else.
    #[error("replay: {0}")]
    Replay(String),
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Pairs of product and floor.
    pairs: usize,
    /// Of all counts of a pair, one in so many.
    part: usize,
}

impl Extent {
    /// What the figures of a report need.
    const WHOLE: Self = Self { pairs: PAIRS, part: 1 };
    /// Enough to see that it works.
    const QUICK: Self = Self { pairs: 1, part: 50 };
}

impl Journal {
    /// Measures; `progress` hears a line now and then.
    ///
    /// # Errors
    ///
    /// The disk refused, or the journal is not what was written.
    pub fn run(&self, progress: &mut impl FnMut(&str)) -> Result<Told, JournalError> {
        let extent = if self.quick { Extent::QUICK } else { Extent::WHOLE };
        let start = Times::read();
        let parent = self.dir.clone().unwrap_or_else(env::temp_dir);
        let failed = |source| JournalError::Folder { dir: parent.clone(), source };
        let home = tempfile::tempdir_in(&parent).map_err(failed)?;
        let dir = home.path();
        progress("append");
        let append = append::measure(dir, extent)?;
        progress("durable");
        let durable = durable::acknowledged(dir, extent).map_err(|error| error.or(&parent))?;
        progress("group commit");
        let group = durable::group_bytes(dir, extent).map_err(|error| error.or(&parent))?;
        progress("write amplification");
        let busy = durable::amplification(dir, 100_000, extent)?;
        let quiet = durable::amplification(dir, 100, extent)?;
        progress("replay");
        let replay = replayed::measure(dir, extent)?;
        let report = Report { append, durable, group, replay, busy, quiet };
        Ok(report.told(&parent, &Machine::since(&start)))
    }
}

/// What fails while a floor takes turns with the journal.
#[derive(Debug)]
enum Failed {
    Journal(JournalError),
    Floor(io::Error),
}

impl Failed {
    fn or(self, dir: &Path) -> JournalError {
        match self {
            Self::Journal(error) => error,
            Self::Floor(source) => JournalError::Folder { dir: dir.to_owned(), source },
        }
    }
}

impl<E: Into<JournalError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Journal(error.into())
    }
}

/// A journal in `dir` that takes so many bytes into its first segment, and in which nothing is
/// being prepared any more.
pub(crate) fn begin(
    dir: &Path,
    level: Level,
    bytes: u64,
    change: impl FnOnce(Settings) -> Settings,
) -> Result<Writer, JournalError> {
    let segment_len_bytes = (bytes + SPARE).next_multiple_of(1 << 20);
    let settings = change(Settings {
        segment_len_bytes,
        level,
        // At level async nothing is synced while it is measured.
        flush_interval: Duration::from_hours(1),
        ..Settings::default()
    });
    let identity = Identity { behaviour_version: 1, config_hash: [0; 32], build_id: [0; 32] };
    let writer = open(dir, &settings, &identity)?.into_writer(0, 0)?;
    // Two spares: the keeper then has nothing to do.
    if !writer.watermark().wait_prepared(2 * segment_len_bytes - (1 << 20), PATIENCE) {
        return Err(JournalError::Stuck { what: "no segment was prepared" });
    }
    Ok(writer)
}

/// Appends a record of one slot.
#[inline]
pub(crate) fn append_one(writer: &mut Writer) -> Result<u64, AppendError> {
    let seq = writer.last_seq() + 1;
    writer.append(Entry { seq, time_ns: seq, kind: kind::ENTER, flags: 0, body: &BODY }, 0)?;
    Ok(seq)
}

/// Waits until all of it is durable.
fn settle(watermark: &Watermark, seq: u64) -> Result<(), JournalError> {
    if watermark.wait_durable(seq, PATIENCE) {
        Ok(())
    } else {
        Err(JournalError::Stuck { what: "nothing became durable" })
    }
}

/// The middle one of some values; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds and bytes of one run")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
