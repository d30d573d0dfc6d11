//! What goes wrong, and when.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

/// An operation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one, counted from 1.
    pub at: u64,
    /// With which error of the operating system.
    pub errno: i32,
    /// Which of those after it fail as well.
    pub lasts: Lasts,
}

/// How long an operation goes on failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It fails once.
    Once,
    /// From then on nothing changes the disk any more; what is there can be read.
    Changes,
    /// From then on everything fails.
    Everything,
}

/// Deterministic random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number up to `last`.
    pub(super) fn upto(&mut self, last: u64) -> u64 {
        self.next() % last.saturating_add(1).max(1)
    }
}

/// The state of all troubles.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    count: u64,
    fault: Option<Fault>,
    failed: Option<String>,
    lost: Vec<(PathBuf, Range<u64>)>,
    chop: Option<Random>,
    pause: Duration,
}

impl Trouble {
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    pub(super) fn lose_sectors(&mut self, path: &Path, range: Range<u64>) {
        self.lost.push((path.to_owned(), range));
    }

    pub(super) fn chop(&mut self, seed: u64) {
        self.chop = Some(Random::new(seed));
    }

    pub(super) fn delay(&mut self, pause: Duration) {
        self.pause = pause;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn failed(&self) -> Option<String> {
        self.failed.clone()
    }

    /// Counts an operation, and says whether it fails.
    pub(super) fn step(&mut self, what: &str, path: &Path) -> io::Result<()> {
        self.count += 1;
        let Some(fault) = self.fault else { return Ok(()) };
        let is_hit = match fault.lasts {
            _ if self.count <= fault.at => self.count == fault.at,
            Lasts::Once => false,
            Lasts::Changes => !matches!(what, "read" | "list" | "look for" | "open"),
            Lasts::Everything => true,
        };
        if !is_hit {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().display().to_string();
        self.failed.get_or_insert(format!("{what} {name}"));
        Err(io::Error::from_raw_os_error(fault.errno))
    }

    /// As [`Self::step`], for a read of `range`.
    pub(super) fn read(&mut self, path: &Path, range: &Range<u64>) -> io::Result<()> {
        self.step("read", path)?;
        let meets = |lost: &Range<u64>| lost.start < range.end && range.start < lost.end;
        if self.lost.iter().any(|(of, lost)| of == path && meets(lost)) {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    /// How much of `len` bytes is done at once.
    pub(super) fn part(&mut self, len: usize) -> usize {
        let last = len.saturating_sub(1) as u64;
        match &mut self.chop {
            // Most come short, so that what is not repeated is found soon.
            Some(random) => {
                usize::try_from(random.upto(last)).unwrap_or(len).saturating_add(1).min(len)
            }
            None => len,
        }
    }

    /// How long a sync takes.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }
}

/// Takes the time of a sync.
pub(super) fn rest(pause: Duration) {
    if !pause.is_zero() {
        thread::sleep(pause);
    }
}

/// Whether an operation that failed with this error was done all the same: an input-output error
/// may come after the change, a lack of room comes before.
pub(super) fn happened(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}
