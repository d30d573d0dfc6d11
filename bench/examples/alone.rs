//! Runs the engine alone over one workload, once: `alone WORKLOAD [COMMANDS [blind]]`; blind, it
//! does not look ahead at the commands that wait.
//!
//! Prints nanoseconds per command, those of the best tenth of its pieces (which a busy machine
//! leaves alone), outcomes per command, and the page faults of the timed part. Meant to be run
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

/// Commands that are timed together.
const PIECE: usize = 2_000;

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
    let mut alone = Alone::built(&plan, words.get(2).is_none_or(|word| word != "blind"));
    let commands = plan.workload.timed();
    let mut pieces = Vec::with_capacity(commands / PIECE + 1);
    let (before, start) = (faults(), Instant::now());
    let mut outcomes = 0;
    for from in (0..commands).step_by(PIECE) {
        let (to, start) = (commands.min(from + PIECE), Instant::now());
        outcomes += alone.run(from..to);
        pieces.push(start.elapsed().as_secs_f64() * 1e9 / (to - from) as f64);
    }
    let (spent, found) = (start.elapsed(), faults() - before);
    pieces.sort_by(f64::total_cmp);
    writeln!(
        io::stdout(),
        "{letter}: {:.1} ns ({:.1} in the best tenth) and {:.2} outcomes per command, \
         {found} page faults",
        spent.as_secs_f64() * 1e9 / commands as f64,
        pieces.get(pieces.len() / 10).copied().unwrap_or(0.0),
        outcomes as f64 / commands as f64,
    )
}
