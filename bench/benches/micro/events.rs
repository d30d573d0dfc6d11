//! From the engine to the publisher's end of the events' ring, hashed on the way, on one thread: in
//! the slots of the ring, and, as a floor, by way of a queue that takes copies.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;
use uncross_bench::core::engine::{SESSION, TERMS, instrument};
use uncross_engine::{
    Engine, Progress,
    command::{Cancel, Command, DayRoll, Enter, SessionUp, Source},
    event::{Event, Sink},
    limits::{Capacity, STEP_EVENTS_MAX},
};
use uncross_server::{
    events::{self, Consumer, Producer},
    journal::crc32c,
};

use crate::in_chunks;

/// Orders between two looks of the consumer, each of which comes and goes.
const CHUNK: u32 = 1 << 9;
const SLOTS: usize = 1 << 12;
const SOURCE: Source = Source { port: 1, generation: 1, channel: 0 };
const CAPACITY: Capacity = Capacity {
    orders: 1 << 10,
    hidden_orders: 1,
    levels: 1 << 10,
    nodes: 1 << 8,
    instruments: 1,
    ports: 1,
    port_orders: 1 << 10,
    port_pages: 1 << 8,
    user_ref_pages: 1 << 8,
};

/// A way for events.
trait Way: Sink {
    /// A step is to begin.
    fn before(&mut self);
    /// It is done.
    fn after(&mut self);
    /// Takes what there is out at the other end; how many.
    fn drain(&mut self) -> usize;
    /// Of all that came.
    fn crc(&mut self) -> u32;
}

/// The venue's.
struct InPlace {
    producer: Producer,
    consumer: Consumer,
    hashed: u64,
    crc: u32,
}

impl Sink for InPlace {
    fn push(&mut self, event: Event) {
        self.producer.push(event);
    }

    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        self.producer.write(write);
    }
}

impl Way for InPlace {
    #[inline]
    fn before(&mut self) {
        assert!(self.producer.has_room(STEP_EVENTS_MAX));
        let (front, back) = self.producer.since(self.hashed);
        for event in front.iter().chain(back) {
            self.crc = crc32c(self.crc, event.bytes());
        }
        self.hashed = self.producer.written();
    }

    #[inline]
    fn after(&mut self) {
        self.producer.publish();
    }

    fn drain(&mut self) -> usize {
        let count = self.consumer.ready();
        black_box(self.consumer.oldest(count));
        self.consumer.release(count);
        count
    }

    fn crc(&mut self) -> u32 {
        self.before();
        self.crc
    }
}

/// By copies: an event is held until the next one comes, which is when its hash is cheap.
struct Copied {
    producer: rtrb::Producer<Event>,
    consumer: rtrb::Consumer<Event>,
    held: Option<Event>,
    crc: u32,
}

impl Sink for Copied {
    fn push(&mut self, event: Event) {
        self.write(|slot| *slot = event);
    }

    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        self.crc = self.crc();
        let held = self.held.insert(Event::EMPTY);
        write(held);
        assert!(self.producer.push(*held).is_ok(), "there was room");
    }
}

impl Way for Copied {
    #[inline]
    fn before(&mut self) {
        assert!(STEP_EVENTS_MAX <= self.producer.slots());
    }

    #[inline]
    fn after(&mut self) {}

    fn drain(&mut self) -> usize {
        let count = self.consumer.slots();
        let chunk = self.consumer.read_chunk(count).expect("they are there");
        black_box(chunk.as_slices());
        chunk.commit_all();
        count
    }

    fn crc(&mut self) -> u32 {
        self.held.as_ref().map_or(self.crc, |held| crc32c(self.crc, held.bytes()))
    }
}

struct Venue<W> {
    engine: Engine,
    seq: u64,
    number: u32,
    way: W,
}

impl<W: Way> Venue<W> {
    fn new(way: W) -> Self {
        let mut venue = Self { engine: Engine::new(CAPACITY), seq: 0, number: 0, way };
        venue.tell(&Command::Define(instrument(1)));
        venue.tell(&Command::DayRoll(DayRoll { date: 20_000, utc_offset_s: 0, session: SESSION }));
        let up = SessionUp { source: SOURCE, firm: *b"FIRM", session: SESSION, grace_ms: None };
        venue.tell(&Command::SessionUp(up));
        // The level is there before and after.
        venue.enter();
        venue.way.drain();
        venue
    }

    #[inline]
    fn enter(&mut self) {
        self.number += 1;
        self.tell(&Command::Enter(Enter {
            source: SOURCE,
            user_ref_num: self.number,
            instrument: 1,
            qty: 10,
            px: 1_000_000,
            terms: Ok(TERMS),
            client_order_id: b"              ",
            echo: &[],
        }));
    }

    #[inline]
    fn tell(&mut self, command: &Command<'_>) {
        self.seq += 1;
        self.way.before();
        let mut progress = self.engine.begin(self.seq, self.seq, command, &mut self.way);
        while progress == Progress::More {
            self.way.before();
            progress = self.engine.resume(&mut self.way);
        }
        self.way.after();
    }

    /// Orders that come and go, and what came of them taken out at the other end.
    fn orders(&mut self, count: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            self.enter();
            let (user_ref_num, qty) = (self.number, Some(0));
            let cancel = Cancel { source: SOURCE, user_ref_num, order_ref: None, qty };
            self.tell(&Command::Cancel(cancel));
        }
        let taken = self.way.drain();
        let spent = start.elapsed();
        assert_eq!(taken, 2 * count as usize, "an event for each");
        spent
    }
}

fn in_place() -> Venue<InPlace> {
    let (producer, consumer) = events::ring(SLOTS);
    Venue::new(InPlace { producer, consumer, hashed: 0, crc: 0 })
}

fn copied() -> Venue<Copied> {
    let (producer, consumer) = rtrb::RingBuffer::new(SLOTS);
    Venue::new(Copied { producer, consumer, held: None, crc: 0 })
}

pub(super) fn benches(criterion: &mut Criterion) {
    let (mut one, mut other) = (in_place(), copied());
    one.orders(CHUNK);
    other.orders(CHUNK);
    assert_eq!(one.way.crc(), other.way.crc(), "both ways carry the same");
    let mut group = criterion.benchmark_group("events");
    group.bench_function("order_and_cancel_in_place", |bencher| {
        bencher.iter_custom(|iters| in_chunks(iters, CHUNK, |count| one.orders(count)));
    });
    group.bench_function("order_and_cancel_copied", |bencher| {
        bencher.iter_custom(|iters| in_chunks(iters, CHUNK, |count| other.orders(count)));
    });
    group.finish();
}
