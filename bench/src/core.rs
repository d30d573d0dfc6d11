//! The matching engine alone, in process: throughput, latency, memory, and agreement.
//!
//! Workloads are generated (`generate`) or read (`file`) and made ready (`plan`) before anything is
//! timed. Contenders (`engine`, `plain`, with the feature `peers` those of others) go through the
//! same passes (`contest`), taking turns in one run; `report` says what came of it.

pub mod alone;
mod contest;
pub mod engine;
pub mod file;
pub mod generate;
#[cfg(feature = "peers")]
mod peers;
mod plain;
pub mod plan;
mod report;
pub mod workload;

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
pub use report::Judged;

use self::{
    contest::{Counted, Timed},
    file::FileError,
    generate::{Name, Size, generate},
    plan::Plan,
    report::{Footprint, Line, Percentiles, Report, Table},
};
use crate::machine::{Machine, NOISE_PERCENT, Times, memory};

const EXAMPLES: &str = "\
Without --workload all of them run: under three minutes with the order books of others, which a
build with --features peers has. A command file can come from anywhere; docs/bench-method.md says
what is in it, and what the figures mean.

Examples:
  uncross bench core --quick --workload a
  uncross bench core --quick --workload d --json
  uncross bench core --quick --write a.bin --workload a && uncross bench core --commands a.bin";

/// Runs of each contender; the median is told.
const RUNS: usize = 5;
/// A contender whose run took longer is not run again on the same workload.
const SLOW: Duration = Duration::from_secs(8);
/// In a quick run the slowest contender stays away from workloads of more commands than this, the
/// untimed ones included.
const QUICK_MAX: usize = 1_000_000;

/// Measure the matching engine alone, beside the naive book and those of others
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct Core {
    /// One workload only
    #[arg(long, value_enum, value_name = "NAME")]
    pub workload: Option<Name>,
    /// Fewer commands on the same books
    #[arg(long)]
    pub quick: bool,
    /// Write the workload into a command file instead of running it
    #[arg(long, value_name = "FILE", requires = "workload", conflicts_with = "commands")]
    pub write: Option<PathBuf>,
    /// Run a command file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workload", "quick"])]
    pub commands: Option<PathBuf>,
}

/// Why there is no result, or not the one that must be.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The command file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The result cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(io::Error),
    /// A contender did something else in one pass than in another.
    #[error("{contender} on {workload}: expected {expected} outcomes as before, found {found}")]
    Unsteady {
        /// Who.
        contender: &'static str,
        /// On what.
        workload: String,
        /// Outcomes of the pass that counts.
        expected: u64,
        /// Outcomes of a timed pass.
        found: u64,
    },
    /// The engine and the naive book, or a file and the naive book, come to different sums.
    #[error("{workload}: {who}: expected {expected}, found {found}")]
    Disagreement {
        /// On what.
        workload: String,
        /// Whose sums are wrong.
        who: &'static str,
        /// The naive book's.
        expected: String,
        /// The others.
        found: String,
    },
}

/// What can be asked of a contender.
struct Contestant {
    name: &'static str,
    time: fn(&Plan) -> Timed,
    latencies: fn(&Plan) -> Vec<u32>,
    count: fn(&Plan) -> Counted,
    /// It takes microseconds where others take some hundred nanoseconds.
    is_slow: bool,
    /// What the naive book comes to with this one's known fault, where it has one.
    swept: Option<fn(&Plan) -> workload::Tally>,
}

macro_rules! contestant {
    ($name:literal, $kind:ty) => {
        Contestant {
            name: $name,
            time: |plan| contest::time::<$kind>(plan),
            latencies: |plan| contest::latencies::<$kind>(plan),
            count: |plan| contest::count::<$kind>(plan),
            is_slow: false,
            swept: None,
        }
    };
}

/// The engine first, the naive book second.
fn contestants() -> Vec<Contestant> {
    vec![
        contestant!("uncross", engine::Uncross<'_>),
        contestant!("naive", plain::Naive<'_>),
        #[cfg(feature = "peers")]
        Contestant {
            swept: Some(peers::matchcore::swept),
            ..contestant!("matchcore", peers::matchcore::Matchcore<'_>)
        },
        #[cfg(feature = "peers")]
        Contestant {
            is_slow: true,
            ..contestant!("orderbook_rs", peers::orderbook::Orderbook<'_>)
        },
    ]
}

impl Core {
    /// Does what is asked; `progress` hears a line now and then.
    ///
    /// # Errors
    ///
    /// When a file is wrong or cannot be written, or a contender is not steady.
    pub fn run(&self, progress: &mut impl FnMut(&str)) -> Result<Judged, CoreError> {
        let size = if self.quick { Size::QUICK } else { Size::WHOLE };
        match (&self.write, self.workload, &self.commands) {
            (Some(path), Some(name), _) => {
                let workload = generate(name, size);
                file::write(path, &workload)?;
                Ok(Judged::written(path, &workload))
            }
            (_, _, Some(path)) => run_file(path),
            (_, Some(name), None) => run_all(&[name], size, progress),
            (_, None, None) => run_all(&Name::ALL, size, progress),
        }
    }
}

fn run_file(path: &Path) -> Result<Judged, CoreError> {
    let start = Times::read();
    let plan = Plan::new(file::read(path)?);
    let table = contend(&path.display().to_string(), &plan, &contestants())?;
    Ok(Judged::file(&table, &Machine::since(&start)))
}

/// Runs generated workloads, small or large.
///
/// # Errors
///
/// When a contender is not steady.
pub fn run_all(
    names: &[Name],
    size: Size,
    progress: &mut impl FnMut(&str),
) -> Result<Judged, CoreError> {
    let (start, began) = (Times::read(), Instant::now());
    let mut report = Report { clock_ns: contest::clock_ns(), ..Report::default() };
    for name in names {
        progress(&format!("workload {} ({:.0?})", name.letter(), began.elapsed()));
        let plan = Plan::new(generate(*name, size));
        if *name == Name::C || names.len() == 1 {
            report.footprint = footprint(&plan);
        }
        let is_long = size == Size::QUICK && QUICK_MAX < plan.workload.records.len();
        let mut contestants = contestants();
        contestants.retain(|it| !(is_long && it.is_slow));
        report.tables.push(contend(name.letter(), &plan, &contestants)?);
    }
    Ok(Judged::whole(&report, &Machine::since(&start)))
}

/// Lets all contenders take turns on one workload.
fn contend(workload: &str, plan: &Plan, contestants: &[Contestant]) -> Result<Table, CoreError> {
    let counted: Vec<Counted> = contestants.iter().map(|it| (it.count)(plan)).collect();
    let mut runs: Vec<Vec<f64>> = vec![Vec::new(); contestants.len()];
    let mut is_slow = vec![false; contestants.len()];
    let mut noisy_rounds = 0;
    for _ in 0..RUNS {
        let start = Times::read();
        for (at, contestant) in contestants.iter().enumerate() {
            if is_slow[at] {
                continue;
            }
            let timed = (contestant.time)(plan);
            let (expected, found) = (counted[at].outcomes, timed.outcomes);
            if expected != found {
                let (contender, workload) = (contestant.name, workload.to_owned());
                return Err(CoreError::Unsteady { contender, workload, expected, found });
            }
            runs[at].push(per_command(timed.spent, plan.workload.timed()));
            is_slow[at] = SLOW < timed.built + timed.spent;
        }
        let others = Times::read().minus(&start).others_percent();
        noisy_rounds += u32::from(NOISE_PERCENT < others);
    }
    let lines = contestants.iter().zip(counted).zip(runs).zip(is_slow);
    let lines = lines.map(|(((contestant, counted), runs), is_slow)| Line {
        name: contestant.name,
        tally: counted.tally,
        latency: (!is_slow).then(|| Percentiles::of(&(contestant.latencies)(plan))),
        runs,
    });
    Ok(Table {
        workload: workload.to_owned(),
        commands: plan.workload.timed(),
        untimed: plan.workload.untimed,
        resting_max: plan.orders_max,
        expected: plan.workload.expected,
        naive: plan.naive,
        swept: contestants.iter().find_map(|it| it.swept).map(|swept| swept(plan)),
        noisy_rounds,
        lines: lines.collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "some millions of commands")]
fn per_command(spent: Duration, commands: usize) -> f64 {
    spent.as_secs_f64() * 1e9 / commands as f64
}

/// Memory of the engine's tables, in a thread of its own: what earlier work gave back to the
/// allocator of this one does not hide what is taken.
fn footprint(plan: &Plan) -> Option<Footprint> {
    let measured = std::thread::scope(|scope| {
        let measure = || {
            let (data_before, resident_before) = memory();
            let (data, resident) = contest::memory_of::<engine::Uncross<'_>>(plan);
            (data.saturating_sub(data_before), resident.saturating_sub(resident_before))
        };
        scope.spawn(measure).join()
    });
    let (table_bytes, resident_bytes) = measured.ok()?;
    Some(Footprint { table_bytes, resident_bytes, orders: plan.orders_max })
}

#[cfg(test)]
mod tests;
