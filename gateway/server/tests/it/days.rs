//! A trading day that ends while everybody is connected.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uncross_engine::event::{Event, Sink, View};
use uncross_server::{
    journal::{Reader, kind},
    replay::replay,
};
use uncross_wire::{IntoBytes, soup};

use crate::harness::{Raw, TestVenue, enter, with_appendage};

/// A venue whose day ends soon, and what `done` gave, which was over before: where a slow machine
/// did not come that far, all is done again with more time. `make` gets the end of the day as the
/// configuration writes it.
pub(crate) fn before_a_roll<T>(
    make: impl Fn(&str) -> TestVenue,
    done: impl Fn(&mut TestVenue) -> T,
) -> (TestVenue, T) {
    let mut last = None;
    for seconds in [3, 6, 12, 24, 48] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let roll = UNIX_EPOCH + Duration::from_secs(now + seconds);
        let of_day = (now + seconds) % 86_400;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let mut venue = make(&format!("{hour:02}:{minute:02}:{second:02}"));
        let result = catch_unwind(AssertUnwindSafe(|| done(&mut venue)));
        if SystemTime::now() < roll {
            return (venue, result.unwrap_or_else(|panic| resume_unwind(panic)));
        }
        last = result.err();
    }
    last.map_or_else(
        || panic!("too slow for what is to be done before the day ends"),
        resume_unwind,
    )
}

/// The same with a venue that differs from the default in that alone.
pub(crate) fn today<T>(done: impl Fn(&mut TestVenue) -> T) -> (TestVenue, T) {
    before_a_roll(|roll| TestVenue::with(&[("venue.day_roll", roll)]), done)
}

/// All sequenced messages up to the end of the session, which must close the connection.
fn until_end_of_session(raw: &mut Raw) -> Vec<u8> {
    let mut kinds = Vec::new();
    loop {
        let (kind, payload) = raw.packet().expect("the end of the session");
        if kind == soup::END_OF_SESSION {
            assert_eq!(raw.packet(), None, "nothing follows");
            return kinds;
        }
        assert_eq!(kind, soup::SEQUENCED_DATA);
        kinds.push(payload[0]);
    }
}

/// Day rolls in the journal of a stopped venue.
fn day_rolls(venue: &TestVenue) -> usize {
    let mut count = 0;
    let reader = Reader::open(&venue.dir().journal()).unwrap();
    reader
        .for_each(|record| {
            count += usize::from(record.kind == kind::DAY_ROLL);
            Ok::<(), ()>(())
        })
        .unwrap();
    count
}

#[test]
fn a_day_begins_once_however_often_the_venue_starts() {
    let mut venue = TestVenue::start();
    venue.orders("ALICE", 0).sync();
    venue.restart().unwrap();
    venue.orders("ALICE", 0).sync();
    venue.stop();
    assert_eq!(day_rolls(&venue), 1);
}

#[test]
fn a_day_that_rolls_ends_orders_and_sessions_and_opens_new_ones() {
    let (mut venue, (mut alice, old_session, mut feed)) = today(|venue| {
        let mut alice = Raw::connect(venue.venue().orders_addr());
        let session = alice.log_in("ALICE", "ALICE", "", 1);
        let mut feed = venue.data(1);
        alice.ouch(enter(1, b'B', 10, 1_000_000).as_bytes());
        feed.until(b'A');
        alice.messages(2);
        (alice, session, feed)
    });
    assert_eq!(until_end_of_session(&mut alice), b"CS", "the order is canceled, the day ends");
    assert_eq!(until_end_of_session(&mut feed), b"DSSS", "market, system, messages end");

    let check = |venue: &TestVenue| {
        let mut alice = Raw::connect(venue.venue().orders_addr());
        let session = alice.log_in("ALICE", "ALICE", "", 1);
        assert_ne!(session, old_session);
        assert_eq!(alice.message()[0], b'S');
        let mut late = Raw::connect(venue.venue().orders_addr());
        late.send_login("ALICE", "ALICE", &old_session, 1);
        assert_eq!(late.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()));
        let mut feed = venue.data(1);
        let opening: Vec<u8> = feed.messages(13).iter().map(|it| it[0]).collect();
        assert_eq!(opening, b"SRHRHRHRHRHSS");
        (alice, feed)
    };
    let (mut alice, mut feed) = check(&venue);
    // Counters begin again.
    alice.ouch(enter(1, b'S', 10, 1_000_000).as_bytes());
    assert_eq!(alice.message()[0], b'A');
    assert_eq!(feed.message()[0], b'A');
    drop((alice, feed));
    venue.restart().unwrap();
    check(&venue);
    venue.stop();
    assert_eq!(day_rolls(&venue), 2);
}

#[test]
fn what_is_due_when_a_day_ends_happens_before_the_day_ends() {
    let mut venue = TestVenue::with(&[("venue.utc_offset", "-12:00")]);
    let mut alice = venue.orders("ALICE", 1);
    alice.message();
    let mut order = enter(1, b'B', 10, 1_000_000);
    order.time_in_force = b'6';
    alice.ouch(&with_appendage(order, b"\x05\x0f\0\0\0\x01"));
    alice.ouch(enter(2, b'B', 10, 1_000_000).as_bytes());
    alice.messages(2);
    let due = SystemTime::now() + Duration::from_secs(1);
    // While the venue is down the time of the order comes, and the day after it.
    venue.stop();
    while SystemTime::now() <= due {
        thread::park_timeout(Duration::from_millis(10));
    }
    venue.config.venue.utc_offset_s = 14 * 3_600;
    venue.restart().unwrap();
    venue.stop();
    let mut reasons = Vec::new();
    replay(&venue.dir().journal(), &mut Reasons(&mut reasons)).unwrap();
    assert_eq!(reasons, b"TE");
}

/// Notes why orders were canceled.
struct Reasons<'a>(&'a mut Vec<u8>);

impl Sink for Reasons<'_> {
    fn push(&mut self, event: Event) {
        if let View::Canceled(canceled) = event.view() {
            self.0.push(canceled.reason);
        }
    }
}
