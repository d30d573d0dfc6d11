//! Single commands to the engine, with every check and the events written.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use uncross_bench::core::engine::{Kept, SESSION, TERMS, instrument};
use uncross_engine::{
    Engine, Progress,
    command::{Cancel, Command, DayRoll, Enter, Replace, SessionUp, Source, Terms},
    limits::Capacity,
    types::{Action, TimeInForce},
};

use crate::in_chunks;

/// Orders that stand beside those that are measured, and commands between two restorations.
const CHUNK: u32 = 1 << 10;
/// Prices that the standing orders and the measured ones share.
const LEVELS: u32 = 64;
/// The highest price of those that buy; those that sell are above.
const TOP: u32 = 1_000_000;
const QTY: u32 = 10;
const MAKER: u16 = 1;
const TAKER: u16 = 2;
/// Levels that a sweep takes, orders on each, and sweeps between two restorations.
const SWEPT: u32 = 20;
const DEEP: u32 = 2;
const SWEEPS: u32 = 32;

const CAPACITY: Capacity = Capacity {
    orders: 1 << 13,
    hidden_orders: 1,
    levels: 1 << 12,
    nodes: 1 << 10,
    instruments: 1,
    ports: 2,
    port_orders: 1 << 13,
    port_pages: 1 << 10,
    user_ref_pages: 1 << 10,
};

/// Goes through all of a chunk, far from one to the next.
const fn mixed(at: u32) -> u32 {
    at.wrapping_mul(421) % CHUNK
}

/// The price below [`TOP`] of a bid.
const fn bid(at: u32) -> u32 {
    TOP - at.wrapping_mul(37) % LEVELS
}

/// An engine with one instrument and two brokers.
struct Venue {
    engine: Engine,
    seq: u64,
    kept: Kept,
    /// The last number of each port.
    numbers: [u32; 3],
}

impl Venue {
    fn new() -> Self {
        let mut venue =
            Self { engine: Engine::new(CAPACITY), seq: 0, kept: Kept::default(), numbers: [0; 3] };
        venue.tell(&Command::Define(instrument(1)));
        let roll = DayRoll { date: 20_000, utc_offset_s: 0, session: SESSION };
        venue.tell(&Command::DayRoll(roll));
        for port in [MAKER, TAKER] {
            let (source, firm) = (source(port), *b"FIRM");
            let up = SessionUp { source, firm, session: SESSION, grace_ms: None };
            venue.tell(&Command::SessionUp(up));
        }
        venue
    }

    /// A venue with a book on which some orders stand.
    fn with_bids() -> Self {
        let mut venue = Self::new();
        for at in 0..CHUNK {
            venue.rest(Action::Buy, bid(at));
        }
        venue
    }

    #[inline]
    fn tell(&mut self, command: &Command<'_>) {
        self.seq += 1;
        let mut progress = self.engine.begin(self.seq, self.seq, command, &mut self.kept);
        while progress == Progress::More {
            progress = self.engine.resume(&mut self.kept);
        }
    }

    #[inline]
    fn number(&mut self, port: u16) -> u32 {
        let number = &mut self.numbers[usize::from(port)];
        *number += 1;
        *number
    }

    #[inline]
    fn enter(&mut self, port: u16, terms: Terms, qty: u32, px: u32) -> u32 {
        let number = self.number(port);
        self.tell(&Command::Enter(Enter {
            source: source(port),
            user_ref_num: number,
            instrument: 1,
            qty,
            px,
            terms: Ok(terms),
            client_order_id: b"              ",
            echo: &[],
        }));
        number
    }

    /// An order that stands; its number.
    #[inline]
    fn rest(&mut self, action: Action, px: u32) -> u32 {
        self.enter(MAKER, Terms { action, ..TERMS }, QTY, px)
    }

    /// An order that buys at once or not at all.
    #[inline]
    fn take(&mut self, qty: u32, px: u32) {
        let time_in_force = TimeInForce::ImmediateOrCancel;
        self.enter(TAKER, Terms { time_in_force, ..TERMS }, qty, px);
    }

    #[inline]
    fn cancel(&mut self, number: u32) {
        self.tell(&Command::Cancel(Cancel {
            source: source(MAKER),
            user_ref_num: number,
            order_ref: None,
            qty: Some(0),
        }));
    }

    /// Gives an order another price; its new number.
    #[inline]
    fn shift(&mut self, old: u32, px: u32) -> u32 {
        let number = self.number(MAKER);
        self.tell(&Command::Replace(Replace {
            source: source(MAKER),
            orig_user_ref_num: old,
            user_ref_num: number,
            qty: QTY,
            px,
            terms: Ok(TERMS),
            client_order_id: b"              ",
            echo: &[],
        }));
        number
    }

    /// Times `work`, of which so many outcomes must come.
    fn timed(&mut self, outcomes: u32, work: impl FnOnce(&mut Self)) -> Duration {
        let before = self.kept.count;
        let start = Instant::now();
        work(self);
        let spent = start.elapsed();
        assert_eq!(self.kept.count - before, u64::from(outcomes), "not what was to be measured");
        spent
    }
}

const fn source(port: u16) -> Source {
    Source { port, generation: 1, channel: 0 }
}

pub(super) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("book");
    group.bench_function("add", |bencher| {
        let mut venue = Venue::with_bids();
        bencher.iter_custom(|iters| in_chunks(iters, CHUNK, |count| add(&mut venue, count)));
    });
    group.bench_function("cancel", |bencher| {
        let mut venue = Venue::with_bids();
        bencher.iter_custom(|iters| in_chunks(iters, CHUNK, |count| cancel(&mut venue, count)));
    });
    group.bench_function("add_and_cancel", |bencher| {
        let mut venue = Venue::with_bids();
        let mut at = 0;
        bencher.iter(|| {
            at += 1;
            let number = venue.rest(Action::Buy, black_box(bid(at)));
            venue.cancel(black_box(number));
        });
    });
    group.bench_function("move", |bencher| {
        let mut venue = Venue::new();
        let mut numbers: Vec<u32> = (0..CHUNK).map(|at| venue.rest(Action::Buy, bid(at))).collect();
        bencher.iter_custom(|iters| {
            in_chunks(iters, CHUNK, |count| shift(&mut venue, &mut numbers, count))
        });
    });
    group.bench_function("take_part_of_an_order", |bencher| {
        let mut venue = Venue::with_bids();
        let sell = Terms { action: Action::Sell, ..TERMS };
        bencher.iter_custom(|iters| {
            in_chunks(iters, CHUNK, |count| {
                let maker = venue.enter(MAKER, sell, 1 << 20, TOP + 1);
                let spent = venue.timed(2 * count, |venue| {
                    (0..count).for_each(|_| venue.take(black_box(QTY), TOP + 1));
                });
                venue.cancel(maker);
                spent
            })
        });
    });
    group.bench_function("take_one_level", |bencher| {
        let mut venue = Venue::with_bids();
        bencher.iter_custom(|iters| in_chunks(iters, CHUNK, |count| take(&mut venue, count)));
    });
    group.bench_function("sweep_20_levels", |bencher| {
        let mut venue = Venue::with_bids();
        bencher.iter_custom(|iters| in_chunks(iters, SWEEPS, |count| sweep(&mut venue, count)));
    });
    group.finish();
}

/// Orders come, and go again while the clock stands.
fn add(venue: &mut Venue, count: u32) -> Duration {
    let first = venue.numbers[usize::from(MAKER)] + 1;
    let spent = venue.timed(count, |venue| {
        for at in 0..count {
            black_box(venue.rest(Action::Buy, black_box(bid(at))));
        }
    });
    (first..first + count).for_each(|number| venue.cancel(number));
    spent
}

/// Orders come while the clock stands, and go in another order.
fn cancel(venue: &mut Venue, count: u32) -> Duration {
    let first = venue.numbers[usize::from(MAKER)] + 1;
    for at in 0..CHUNK {
        venue.rest(Action::Buy, bid(at));
    }
    let spent = venue.timed(count, |venue| {
        (0..count).for_each(|at| venue.cancel(black_box(first + mixed(at))));
    });
    (count..CHUNK).for_each(|at| venue.cancel(first + mixed(at)));
    spent
}

/// Each of the orders gets another price.
fn shift(venue: &mut Venue, numbers: &mut [u32], count: u32) -> Duration {
    let turn = venue.numbers[usize::from(MAKER)];
    venue.timed(count, |venue| {
        for at in 0..count {
            let number = &mut numbers[mixed(at) as usize];
            *number = venue.shift(*number, black_box(bid(at.wrapping_add(turn))));
        }
    })
}

/// Each of the takers finds one order at the best price, which is all of its level.
fn take(venue: &mut Venue, count: u32) -> Duration {
    for above in 1..=count {
        venue.rest(Action::Sell, TOP + above);
    }
    venue.timed(2 * count, |venue| {
        (1..=count).for_each(|above| venue.take(black_box(QTY), TOP + above));
    })
}

/// Each of the takers takes some levels whole.
fn sweep(venue: &mut Venue, count: u32) -> Duration {
    for above in 1..=count * SWEPT {
        for _ in 0..DEEP {
            venue.rest(Action::Sell, TOP + above);
        }
    }
    venue.timed(count * (1 + SWEPT * DEEP), |venue| {
        for turn in 1..=count {
            venue.take(black_box(SWEPT * DEEP * QTY), TOP + turn * SWEPT);
        }
    })
}
