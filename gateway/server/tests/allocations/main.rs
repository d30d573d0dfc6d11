//! The hot threads take nothing from the heap for a message: not to read, match, write or send it.
//!
//! A binary of its own, because its allocator is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

mod counting;
#[path = "../it/harness.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod harness;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use uncross_server::venue::Options;
use uncross_wire::{
    IntoBytes, TypeByte,
    ouch::{codes, inbound},
    soup,
};

use self::harness::{Raw, TestVenue, enter};

/// Messages of a batch, and of the whole.
const BATCH: u32 = 2_000;
const WARM_UP: u32 = 20_000;
const COMMANDS: u32 = 1_000_000;

fn put(bytes: &mut Vec<u8>, message: &[u8]) {
    bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, message.len()));
    bytes.extend_from_slice(message);
}

/// Puts five messages of a maker: an order, its reduction, its replacement, the end of that, and
/// another order that stays to be traded with.
fn make(bytes: &mut Vec<u8>, first: u32) {
    let px = 1_000_000 - 100 * u64::from(first % 50);
    put(bytes, enter(first, b'B', 100, px).as_bytes());
    let cancel = |number: u32, quantity: u32| inbound::Cancel {
        kind: TypeByte::new(),
        user_ref_num: number.into(),
        quantity: quantity.into(),
    };
    put(bytes, cancel(first, 60).as_bytes());
    let replace = inbound::Replace {
        kind: TypeByte::new(),
        orig_user_ref_num: first.into(),
        new_user_ref_num: (first + 1).into(),
        quantity: 80.into(),
        price: (px - 100).into(),
        time_in_force: codes::TimeInForce::Day.to_wire(),
        display: codes::Display::Visible.to_wire(),
        intermarket_sweep: codes::NO,
        cl_ord_id: *b"REPLACED      ",
        appendage_len_bytes: 0.into(),
    };
    put(bytes, replace.as_bytes());
    put(bytes, cancel(first + 1, 0).as_bytes());
    put(bytes, enter(first + 2, b'B', 10, px).as_bytes());
}

/// An order that trades with what is there and goes.
fn take(bytes: &mut Vec<u8>, number: u32) {
    let mut order = enter(number, b'S', 10, 100);
    order.time_in_force = codes::TimeInForce::ImmediateOrCancel.to_wire();
    put(bytes, order.as_bytes());
}

/// Two sessions that trade with each other, batch by batch.
struct Flow {
    maker: Raw,
    taker: Raw,
    next: u32,
}

impl Flow {
    /// Sends about so many messages; returns how many reports came.
    fn run(&mut self, messages: u32) -> usize {
        let mut reports = 0;
        for _ in 0..messages / BATCH {
            let (mut made, mut taken) = (Vec::new(), Vec::new());
            for _ in 0..BATCH / 6 {
                make(&mut made, self.next);
                take(&mut taken, self.next);
                self.next += 3;
            }
            self.maker.send(&made);
            self.taker.send(&taken);
            reports += self.maker.sync().len() + self.taker.sync().len();
        }
        reports
    }
}

/// Bytes of memory that no file stands behind.
fn anonymous() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    1_024 * line.trim().strip_suffix(" kB").unwrap().parse::<i64>().unwrap()
}

/// Page faults so far of the thread with this name.
fn faults(name: &str) -> u64 {
    let [number] = counting::numbers_of(&[name])[..] else { panic!("one thread {name}") };
    let stat = fs::read_to_string(format!("/proc/self/task/{number}/stat")).unwrap();
    // The name in parentheses may hold spaces; minor and major faults are 8th and 10th after it.
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[7].parse::<u64>().unwrap() + fields[9].parse::<u64>().unwrap()
}

/// Pages of the journal that records were written to.
fn journal_pages(venue: &TestVenue) -> u64 {
    let segments = || {
        let files = fs::read_dir(venue.dir().journal()).unwrap().map(|it| it.unwrap().path());
        let is_entered =
            |path: &PathBuf| path.extension().is_some_and(|it| it == "seg" || it == "open");
        files.filter(is_entered).collect::<BTreeSet<_>>()
    };
    let is_written = |page: &&[u8]| page.iter().any(|byte| *byte != 0);
    let pages = |path: &PathBuf| {
        fs::read(path).map(|bytes| bytes.chunks(4_096).filter(is_written).count() as u64)
    };
    // A segment that is full is sealed, which renames it, whenever its turn comes.
    for _ in 0..100 {
        let before = segments();
        let counted: io::Result<u64> = before.iter().map(pages).sum();
        match counted {
            Ok(counted) if segments() == before => return counted,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
        }
    }
    panic!("the segments were renamed all the time")
}

/// Bytes of the files of the streams.
fn stream_bytes(venue: &TestVenue) -> u64 {
    let files = |folder: &Path| fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let streams = files(&venue.dir().streams()).flat_map(|session| files(&session));
    streams.map(|path| fs::metadata(path).unwrap().len()).sum()
}

fn measure(layout: &str, level: &str) {
    let settings = [
        ("core.layout", layout),
        ("journal.level", level),
        // So slow a reader as a debug build on a busy machine may be is not what is tested.
        ("session.lag_max", "1GiB"),
        ("session.lag_time_max", "60s"),
    ];
    // The reports of the maker are copied to two who listen.
    let users = [("ALICE", "ONE"), ("BOB", "TWO")];
    let listeners = [("RISK", "ONE"), ("CLEAR", "ONE")];
    let venue = TestVenue::with_copies(&settings, Options::default(), &users, &listeners);
    let readers = [venue.data(1), venue.orders("RISK", 1), venue.orders("CLEAR", 0)];
    let (maker, taker) = (venue.orders("ALICE", 0), venue.orders("BOB", 0));
    let mut flow = Flow { maker, taker, next: 1 };
    let names: Vec<&str> = venue.venue().plan().threads.iter().map(|thread| thread.name).collect();
    let readers = readers.map(|mut reader| {
        thread::spawn(move || {
            reader.may_be_cut = true;
            let mut count = 0;
            while reader.packet().is_some() {
                count += 1;
            }
            count
        })
    });
    flow.run(WARM_UP);
    let (mut reports, before) = (0, (anonymous(), stream_bytes(&venue)));
    // Where it has a thread of its own, which writes no stream.
    let core = names.iter().find(|name| layout == "split" && name.contains("core"));
    let before_core = core.map(|name| (faults(name), journal_pages(&venue)));
    let (count, last_len) = counting::count(&names, || reports = flow.run(COMMANDS));
    assert_eq!(count, 0, "{layout}, {level}: allocations, the last one of {last_len} bytes");
    if let (Some(core), Some((faulted, pages))) = (core, before_core) {
        let (faulted, pages) = (faults(core) - faulted, journal_pages(&venue) - pages);
        // All that is left to it are pages of the journal, where the prefaulter came too late, and
        // again where the system wrote one back meanwhile. A step of the engine faults none.
        assert!(10_000 < pages && faulted <= 2 * pages, "{faulted} page faults for {pages} pages");
    }
    // Streams are pages of files, which the system takes back when it needs memory.
    let (took, said) = (anonymous() - before.0, stream_bytes(&venue) - before.1);
    assert!(100 << 20 < said, "{layout}: streams grew by {said} bytes only");
    // What the clients of this test hold of them comes and goes with how busy the machine is.
    assert!(took < 48 << 20, "{layout}: {took} bytes of memory for {said} bytes of streams");
    // A cancel of what was traded before is not answered.
    assert!(COMMANDS as usize / 4 * 3 <= reports, "{reports} reports");
    let (count, _) = counting::count(&names, || drop(venue.data(0)));
    assert!(0 < count, "a connection takes memory, and that is seen");
    drop(flow);
    drop(venue);
    for reader in readers {
        let count: u32 = reader.join().unwrap();
        assert!(COMMANDS / 4 < count, "market data or copies were sent: {count}");
    }
}

// One test, since both venues have threads of the same names.
#[test]
fn a_million_commands_take_nothing_from_the_heap_in_either_layout() {
    measure("fused", "group");
    measure("split", "async");
}
