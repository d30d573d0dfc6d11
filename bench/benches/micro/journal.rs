//! Appending a record of one slot to a journal whose next pages are writable.

use criterion::Criterion;
use uncross_bench::journal::Warm;

use crate::in_chunks;

/// Bursts until the journal begins anew, which keeps all of it in one segment.
const BURSTS: u64 = 500;

pub(super) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    let mut warm = None;
    group.bench_function("append_warm", |bencher| {
        // Before the clock by which Criterion chooses how many records a sample has.
        renew(&mut warm);
        bencher.iter_custom(|iters| {
            let records_max = u32::try_from(Warm::RECORDS_MAX).unwrap();
            in_chunks(iters, records_max, |count| {
                let warm = renew(&mut warm);
                warm.burst(u64::from(count)).expect("room for the burst")
            })
        });
    });
    group.finish();
}

/// The journal, made anew when it takes no further burst.
fn renew(warm: &mut Option<Warm>) -> &mut Warm {
    if !warm.as_ref().is_some_and(Warm::has_room) {
        // The old one goes first, so that there are never two.
        *warm = None;
    }
    warm.get_or_insert_with(|| Warm::new(BURSTS).expect("a disk with some hundred megabytes"))
}
