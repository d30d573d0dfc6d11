//! The ring between gateway and core, with the record of a plain order, which takes one slot.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use uncross_engine::command::Source;
use uncross_server::{
    record::Draft,
    ring::{Popped, Scratch, pop, push, ring},
};
use uncross_wire::{
    TypeByte,
    ouch::inbound::{Enter, Inbound},
};

/// As in a venue, whose ring is never full while its core keeps pace.
const SLOTS: usize = 1 << 12;
/// Records that go in before they come out again.
const BURST: usize = 64;
/// Looks at an empty ring before the thread lets others go first.
const LOOKS: u32 = 1_000;

fn plain() -> Draft {
    let enter = Enter {
        kind: TypeByte::new(),
        user_ref_num: 1.into(),
        side: b'B',
        quantity: 100.into(),
        symbol: *b"DEMO    ",
        price: 1_000_000.into(),
        time_in_force: b'0',
        display: b'Y',
        capacity: b'A',
        intermarket_sweep: b'N',
        cross_type: b'N',
        cl_ord_id: *b"ORDER 00000001",
        appendage_len_bytes: 0.into(),
    };
    let mut draft = Draft::new();
    let source = Source { port: 1, generation: 1, channel: 0 };
    draft.set_inbound(source, &Inbound::Enter(&enter, &[]), |_| 1);
    draft
}

pub(super) fn benches(criterion: &mut Criterion) {
    let draft = plain();
    let mut group = criterion.benchmark_group("ring");
    for (name, burst) in [("push_and_pop", 1), ("push_and_pop_64", BURST)] {
        group.bench_function(name, |bencher| {
            let (mut producer, mut consumer) = ring(SLOTS);
            let mut scratch = Scratch::new();
            bencher.iter(|| {
                for _ in 0..burst {
                    assert!(push(&mut producer, black_box(&draft)), "the ring was drained");
                }
                for _ in 0..burst {
                    let popped = pop(&mut consumer, &mut scratch, |kind, body| {
                        black_box((kind, body));
                        Some(())
                    });
                    assert_eq!(popped, Popped::Taken(()));
                }
            });
        });
    }
    group.bench_function("round_trip_of_two_threads", |bencher| {
        bencher.iter_custom(|iters| round_trips(&draft, iters));
    });
    group.finish();
}

/// The time of so many records, each of which another thread sends back.
fn round_trips(draft: &Draft, iters: u64) -> Duration {
    let ((mut there, mut from), (mut back, mut home)) = (ring(SLOTS), ring(SLOTS));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (draft, mut scratch) = (draft.clone(), Scratch::new());
            // Relaxed: nothing but the end itself is told by it.
            while wait(
                || pop(&mut from, &mut scratch, |_, _| Some(())) == Popped::Taken(()),
                || is_over.load(Ordering::Relaxed),
            ) {
                assert!(push(&mut back, &draft), "one record at a time");
            }
        });
        let mut scratch = Scratch::new();
        let mut round = || {
            assert!(push(&mut there, draft), "one record at a time");
            wait(|| pop(&mut home, &mut scratch, |_, _| Some(())) == Popped::Taken(()), || false);
        };
        // The first one tells that the other thread is there.
        round();
        let start = Instant::now();
        (0..iters).for_each(|_| round());
        let spent = start.elapsed();
        is_over.store(true, Ordering::Relaxed);
        spent
    })
}

/// Waits until `is_done`, or `is_over`; whether it is done. Where the two threads have one
/// processor, each lets the other go.
fn wait(mut is_done: impl FnMut() -> bool, is_over: impl Fn() -> bool) -> bool {
    for looks in 1_u32.. {
        if is_done() {
            return true;
        }
        if looks.is_multiple_of(LOOKS) {
            if is_over() {
                return false;
            }
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
    false
}
