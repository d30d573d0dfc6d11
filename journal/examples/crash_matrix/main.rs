//! The crash matrix: every way in which a crash or a failing disk may leave a journal, on the
//! simulated disk, given to the code that starts a venue.
//!
//! - cuts: a tail of 1 MiB cut off at every byte, in the same boot and after a reboot;
//! - flips: every bit of a tail of 64 KiB turned, three times: not durable after a reboot, not
//!   durable in the same boot, durable;
//! - pages: every subset of 16 pages written over a segment that was used before;
//! - faults: every operation of a run fails, with EIO or ENOSPC, once or for good, at each level;
//!   then the machine dies, or the process;
//! - starts: every operation of the start after a crash fails likewise;
//! - power: before every operation of a run the power fails, with pages lost and torn, or the
//!   process is killed.
//!
//! Three things are counted, and all must be 0: `wrong`, a recovered journal that is no prefix of
//! what was appended, or another one than the image holds; `lost`, an acknowledged record that is
//! gone; `refused`, a journal that does not open though nothing durable is damaged. A panic ends
//! the program. Failures are printed with what repeats them.
//!
//! Usage: `cargo run --release -p uncross-journal --example crash_matrix -- --sample` takes some
//! seconds on one CPU; `--whole` takes minutes on all. A part's name behind it runs that part only.

mod faults;
mod fixture;
mod power;
mod starts;
mod tails;
mod tally;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Instant,
};

use crate::tally::Tally;

/// How much of the matrix is gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) is_whole: bool,
    pub(crate) threads: u64,
}

impl Scope {
    /// Of a sample one image in `sampled`, of the whole all.
    pub(crate) fn stride(self, sampled: u64) -> u64 {
        if self.is_whole { 1 } else { sampled }
    }

    /// Does `work` on as many threads as there are, each with its number.
    ///
    /// # Errors
    ///
    /// The first error of one of them.
    pub(crate) fn spread(
        self,
        work: impl Fn(u64, &mut Tally) -> Outcome<()> + Sync,
    ) -> Outcome<Tally> {
        let tallies = thread::scope(|scope| {
            let work = &work;
            let one = |number| {
                move || {
                    let mut tally = Tally::default();
                    work(number, &mut tally).map(|()| tally)
                }
            };
            let running: Vec<_> =
                (0..self.threads).map(|number| scope.spawn(one(number))).collect();
            let joined = running.into_iter().map(|thread| match thread.join() {
                Ok(done) => done,
                Err(_) => Err("a thread panicked".into()),
            });
            joined.collect::<Outcome<Vec<Tally>>>()
        })?;
        Ok(tallies.into_iter().fold(Tally::default(), Tally::plus))
    }
}

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

type Part = (&'static str, fn(Scope) -> Outcome<Tally>);

const PARTS: [Part; 6] = [
    ("cuts", tails::cuts),
    ("flips", tails::flips),
    ("pages", tails::pages),
    ("faults", faults::faults),
    ("starts", starts::starts),
    ("power", power::power),
];

fn run() -> Outcome<bool> {
    let mut arguments = env::args().skip(1);
    let cpus = thread::available_parallelism()?.get() as u64;
    let scope = match arguments.next().as_deref() {
        Some("--sample") => Scope { is_whole: false, threads: 1 },
        Some("--whole") => Scope { is_whole: true, threads: cpus },
        _ => return Err("expected --sample or --whole, and perhaps the name of a part".into()),
    };
    let only = arguments.next();
    let is_part = |name: &String| PARTS.iter().any(|(part, _)| part == name);
    if only.as_ref().is_some_and(|name| !is_part(name)) {
        return Err("there is no such part: cuts, flips, pages, faults, starts, power".into());
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{:8}{:>10}{:>8}{:>8}{:>9}{:>7}", "", "images", "wrong", "lost", "refused", "s")?;
    let mut all = Tally::default();
    let start = Instant::now();
    for (name, part) in PARTS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let start = Instant::now();
        let tally = part(scope)?;
        writeln!(out, "{name:8}{tally}{:>7}", start.elapsed().as_secs())?;
        out.flush()?;
        all = all.plus(tally);
    }
    writeln!(out, "{:8}{all}{:>7}", "all", start.elapsed().as_secs())?;
    for failure in all.failures() {
        writeln!(out, "{failure}")?;
    }
    Ok(all.is_clean())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell when this fails too.
            drop(writeln!(io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}
