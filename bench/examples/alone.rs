//! Runs the engine alone over one workload, once: `alone WORKLOAD [COMMANDS]`.
//!
//! Prints nanoseconds and outcomes per command and the page faults of the timed part. Meant to be run
//! under a profiler, which should collect in `Alone::run` only.

use std::{
    fs,
    io::{self, Write},
    time::Instant,
};

use uncross_bench::core::{
    alone::Alone,
    generate::{Name, Size, generate},
    plan::Plan,
};

/// Minor faults of this thread so far.
fn faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().nth(7).and_then(|it| it.parse().ok()).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "some millions of commands")]
fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let letter = words.first().map_or("b", String::as_str);
    let Some(name) = Name::ALL.into_iter().find(|name| name.letter() == letter) else {
        return writeln!(io::stderr(), "a workload is one of a to e, found {letter}");
    };
    let asked = words.get(1).and_then(|word| word.parse().ok());
    let size = Size { timed: asked.unwrap_or(Size::WHOLE.timed), ..Size::WHOLE };
    let plan = Plan::new(generate(name, size));
    let mut alone = Alone::built(&plan);
    let (before, start) = (faults(), Instant::now());
    let outcomes = alone.run();
    let (spent, found) = (start.elapsed(), faults() - before);
    let commands = plan.workload.timed() as f64;
    writeln!(
        io::stdout(),
        "{letter}: {:.1} ns and {:.2} outcomes per command, {found} page faults",
        spent.as_secs_f64() * 1e9 / commands,
        outcomes as f64 / commands,
    )
}
