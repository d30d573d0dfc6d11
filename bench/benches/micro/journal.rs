//! Appending a record of one slot to a journal whose next pages are writable.

use std::time::Duration;

use criterion::Criterion;
use uncross_bench::journal::Warm;

use crate::in_chunks;

/// Bursts until the journal begins anew, which keeps all of it in one segment.
const BURSTS: u64 = 500;

pub(super) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    group.bench_function("append_warm", |bencher| {
        let mut warm = None;
        bencher.iter_custom(|iters| {
            let records_max = u32::try_from(Warm::RECORDS_MAX).unwrap();
            in_chunks(iters, records_max, |count| append(&mut warm, count))
        });
    });
    group.finish();
}

fn append(warm: &mut Option<Warm>, count: u32) -> Duration {
    if !warm.as_ref().is_some_and(Warm::has_room) {
        // The old one goes first, so that there are never two.
        *warm = None;
        *warm = Some(Warm::new(BURSTS).expect("a disk with some hundred megabytes"));
    }
    let warm = warm.as_mut().unwrap();
    warm.burst(u64::from(count)).expect("room for the burst")
}
