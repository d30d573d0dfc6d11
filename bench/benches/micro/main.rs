//! The parts one by one: `cargo bench -p uncross-bench`. What each measures, and how to read it, is
//! in `docs/bench-method.md`.
//!
//! A measured piece leaves things as they were, or what it changed is restored while the clock
//! stands; each pass checks that as much came out as must.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to tell"
)]

mod book;
mod codec;
mod events;
mod journal;
mod ring;

use std::time::Duration;

use criterion::Criterion;

/// Calls `chunk` with at most `chunk_max` at a time until it was called with `iters` in all; the
/// sum of the times that it tells.
fn in_chunks(iters: u64, chunk_max: u32, mut chunk: impl FnMut(u32) -> Duration) -> Duration {
    let (mut left, mut spent) = (iters, Duration::ZERO);
    while left != 0 {
        let count = u32::try_from(left).map_or(chunk_max, |left| left.min(chunk_max));
        spent += chunk(count);
        left -= u64::from(count);
    }
    spent
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .configure_from_args();
    book::benches(&mut criterion);
    codec::benches(&mut criterion);
    ring::benches(&mut criterion);
    events::benches(&mut criterion);
    journal::benches(&mut criterion);
    criterion.final_summary();
}
