//! Drop copies: rules 27 and 28 over real sockets.

use uncross_engine::limits::COPIED_FIRMS_MAX;
use uncross_server::{
    journal::{Reader, body, kind},
    users::Users,
    venue::{Options, error::StartError},
};
use uncross_wire::{FromBytes, IntoBytes, drop_copy::DropCopy, soup};

use crate::{
    days::before_a_roll,
    gate::{Disk, Gate},
    harness::{Raw, TestVenue, enter, with_appendage},
    refusals::cancel,
};

const PX: u64 = 1_000_000;

/// Two ports of firm ONE and one of firm TWO; RISK and CLEAR listen to ONE.
fn venue_with(settings: &[(&str, &str)], options: Options) -> TestVenue {
    let users = [("ALICE", "ONE"), ("BOB", "ONE"), ("CAROL", "TWO")];
    let listeners = [("RISK", "ONE"), ("CLEAR", "ONE")];
    TestVenue::with_copies(settings, options, &users, &listeners)
}

fn start() -> TestVenue {
    venue_with(&[], Options::default())
}

/// Port, channel and type of a report in its envelope.
fn read(message: &[u8]) -> (u16, u8, char) {
    let DropCopy { envelope, bytes, .. } = DropCopy::decode(message).unwrap();
    (envelope.source_port.get(), envelope.user_ref_index, bytes[0].into())
}

fn read_all(messages: &[Vec<u8>]) -> Vec<(u16, u8, char)> {
    messages.iter().map(|message| read(message)).collect()
}

/// The reports of a port among drop copies.
fn of_port(messages: &[Vec<u8>], port: u16) -> Vec<&[u8]> {
    let copies = messages.iter().map(|message| DropCopy::decode(message).unwrap());
    copies.filter(|it| it.envelope.source_port.get() == port).map(|it| it.bytes).collect()
}

/// Records about what is copied: firm and whether.
fn copy_records(venue: &TestVenue) -> Vec<([u8; 4], u8)> {
    let mut found = Vec::new();
    let reader = Reader::open(&venue.dir().journal()).unwrap();
    reader
        .for_each(|record| {
            if record.kind == kind::CONFIGURATION && record.body[0] == b'D' {
                let (copy, _) = body::DropCopy::ref_from_prefix(record.body).unwrap();
                found.push((copy.firm, copy.is_on));
            }
            Ok::<(), ()>(())
        })
        .unwrap();
    found
}

/// Rewrites the users of a stopped venue.
fn set_listeners(venue: &TestVenue, listeners: &[(String, String)]) {
    let mut users = Users::new(venue.dir().users_file());
    for (user, firm) in [("ALICE", "ONE"), ("BOB", "ONE"), ("CAROL", "TWO")] {
        users.add(user, firm, user).unwrap();
    }
    for (user, firm) in listeners {
        users.add_drop_copy(user, firm, user).unwrap();
    }
    users.save().unwrap();
}

#[test]
fn every_report_of_the_firm_is_copied_in_order_and_none_of_another_firm() {
    let venue = start();
    let mut risk = venue.orders("RISK", 1);
    assert_eq!(read(&risk.message()), (0, 0, 'S'), "the stream itself begins");
    let [mut alice, mut bob, mut carol] =
        ["ALICE", "BOB", "CAROL"].map(|user| venue.orders(user, 1));
    let mut told_alice = alice.sync();
    let mut told_bob = bob.sync();
    alice.ouch(enter(1, b'B', 100, PX).as_bytes());
    told_alice.push(alice.message());
    // Both sides of a trade are of the firm; the maker comes first.
    bob.ouch(enter(1, b'S', 30, PX).as_bytes());
    told_bob.extend(bob.messages(2));
    told_alice.push(alice.message());
    // One side is of another firm, whose reports are its own.
    carol.ouch(enter(1, b'S', 20, PX).as_bytes());
    assert_eq!(carol.messages(3).len(), 3);
    told_alice.push(alice.message());
    alice.ouch(&with_appendage(enter(7, b'B', 5, 100), b"\x02\x1c\x03"));
    alice.ouch(&cancel(7, 0, b"\x02\x1c\x03"));
    alice.ouch(enter(2, b'X', 5, 100).as_bytes());
    told_alice.extend(alice.messages(3));

    let copies = risk.messages(told_alice.len() + told_bob.len());
    let expected = [
        (1, 0, 'S'),
        (1, 0, 'Q'),
        (2, 0, 'S'),
        (2, 0, 'Q'),
        (1, 0, 'A'),
        (2, 0, 'A'),
        (1, 0, 'E'),
        (2, 0, 'E'),
        (1, 0, 'E'),
        (1, 3, 'A'),
        (1, 3, 'C'),
        (1, 0, 'J'),
    ];
    let mut found = read_all(&copies);
    // The ports logged in side by side.
    found[..4].sort_unstable();
    let mut logins = expected;
    logins[..4].sort_unstable();
    assert_eq!(found, logins);
    assert_eq!(of_port(&copies, 1), told_alice, "byte for byte");
    assert_eq!(of_port(&copies, 2), told_bob, "byte for byte");
}

#[test]
fn several_users_follow_one_stream_and_resume_by_number() {
    let venue = start();
    let mut alice = venue.orders("ALICE", 1);
    for number in 1..=100 {
        alice.ouch(enter(number, b'B', 1, PX).as_bytes());
    }
    alice.messages(101);
    let mut risk = venue.orders("RISK", 1);
    let all = risk.messages(102);
    // The same user twice, and another one.
    let mut again = [venue.orders("RISK", 1), venue.orders("CLEAR", 1)];
    for raw in &mut again {
        assert_eq!(raw.messages(102), all);
    }
    for first in [2, 64, 65, 102] {
        let mut late = venue.orders("CLEAR", first);
        let from = usize::try_from(first).unwrap() - 1;
        assert_eq!(late.messages(102 - from), all[from..], "from {first}");
    }
    let live = venue.orders("CLEAR", 0);
    assert_eq!(live.next, 103);
    alice.ouch(enter(101, b'B', 1, PX).as_bytes());
    let [one, two] = &mut again;
    for raw in [&mut risk, one, two] {
        assert_eq!(read(&raw.message()), (1, 0, 'A'));
    }
}

#[test]
fn a_restart_changes_no_byte_of_the_drop_copies_and_a_late_first_login_gets_all() {
    let mut venue = start();
    let mut risk = venue.orders("RISK", 1);
    let [mut alice, mut bob] = ["ALICE", "BOB"].map(|user| venue.orders(user, 1));
    for number in 1..=40 {
        alice.ouch(enter(number, b'B', 10 + number, PX).as_bytes());
        bob.ouch(enter(number, b'S', 5 + number, PX).as_bytes());
    }
    let told = alice.sync().len() + bob.sync().len();
    // The last execution of each may come behind its answer.
    let before = risk.messages(told);
    drop((risk, alice, bob));
    for _ in 0..2 {
        venue.restart().unwrap();
        // CLEAR logs in for the first time, hours or starts later.
        for user in ["RISK", "CLEAR"] {
            assert_eq!(venue.orders(user, 1).messages(before.len()), before, "{user}");
        }
    }
    venue.stop();
    assert_eq!(copy_records(&venue), [(*b"ONE ", 1)], "said once, however often it starts");
}

#[test]
fn no_drop_copy_leaves_before_it_is_durable() {
    for level in ["group", "sync"] {
        let gate = Gate::new();
        let settings = [("journal.level", level), ("session.heartbeat_interval", "10ms")];
        let venue = venue_with(&settings, gate.options());
        let mut risk = venue.orders("RISK", 1);
        let mut alice = venue.orders("ALICE", 1);
        alice.sync();
        assert_eq!(read_all(&risk.messages(3)), [(0, 0, 'S'), (1, 0, 'S'), (1, 0, 'Q')]);
        gate.set(Disk::Hangs);
        alice.ouch(enter(1, b'B', 100, PX).as_bytes());
        gate.wait_until_it_hangs();
        risk.take_arrived();
        for _ in 0..2 {
            assert_eq!(risk.any_packet().unwrap().0, soup::SERVER_HEARTBEAT, "{level}");
        }
        let late = venue.orders("CLEAR", 0);
        assert_eq!(late.next, 4, "{level}: the number of a message that may be lost");
        gate.set(Disk::Works);
        assert_eq!(read(&risk.message()), (1, 0, 'A'), "{level}");
    }
}

#[test]
fn a_stream_of_drop_copies_ends_with_the_day_and_another_begins() {
    let make = |roll: &str| venue_with(&[("venue.day_roll", roll)], Options::default());
    let (venue, (mut risk, old_session, _alice)) = before_a_roll(make, |venue| {
        let mut risk = Raw::connect(venue.venue().orders_addr());
        let session = risk.log_in("RISK", "RISK", "", 1);
        let mut alice = venue.orders("ALICE", 1);
        let gtc = b"\x02\x81Y";
        alice.ouch(&with_appendage(enter(1, b'B', 10, PX), gtc));
        alice.ouch(enter(2, b'B', 10, PX).as_bytes());
        alice.messages(3);
        (risk, session, alice)
    });
    let mut copies = Vec::new();
    loop {
        let (kind, payload) = risk.packet().expect("the end of the session");
        if kind == soup::END_OF_SESSION {
            assert_eq!(risk.packet(), None, "nothing follows");
            break;
        }
        copies.push(payload);
    }
    let expected = [(0, 'S'), (1, 'S'), (1, 'A'), (1, 'A'), (1, 'C'), (1, 'S'), (0, 'S')];
    let found: Vec<_> = copies.iter().map(|it| read(it)).map(|(port, _, it)| (port, it)).collect();
    assert_eq!(found, expected);
    let events = [0, 1, 5, 6].map(|at: usize| *copies[at].last().unwrap());
    assert_eq!(events, *b"SSEE", "the ports' ends are copied, then the stream ends");

    let mut risk = Raw::connect(venue.venue().orders_addr());
    assert_ne!(risk.log_in("RISK", "RISK", "", 1), old_session);
    let expected = [(0, 0, 'S'), (1, 0, 'S'), (1, 0, 'R')];
    assert_eq!(read_all(&risk.messages(3)), expected, "numbers begin again; the rest is restated");
    let mut late = Raw::connect(venue.venue().orders_addr());
    late.send_login("RISK", "RISK", &old_session, 1);
    assert_eq!(late.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()));
}

#[test]
fn a_firm_without_listeners_is_copied_no_more_and_goes_on_where_it_was() {
    let mut venue = start();
    venue.orders("ALICE", 1).sync();
    let before = venue.orders("RISK", 1).messages(3);
    venue.stop();
    set_listeners(&venue, &[]);
    venue.restart().unwrap();
    venue.orders("ALICE", 0).sync();
    venue.stop();
    set_listeners(&venue, &[("RISK".into(), "ONE".into()), ("OTHER".into(), "TWO".into())]);
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", 0);
    alice.sync();
    let mut risk = venue.orders("RISK", 1);
    assert_eq!(risk.messages(3), before, "numbers that were given stand");
    let copies = risk.messages(3);
    assert_eq!(read_all(&copies), [(0, 0, 'S'), (0, 0, 'S'), (1, 0, 'Q')]);
    assert_eq!((copies[0].last(), copies[1].last()), (Some(&b'E'), Some(&b'S')));
    let mut other = venue.orders("OTHER", 1);
    assert_eq!(read(&other.message()), (0, 0, 'S'), "a stream of its own");
    venue.stop();
    let expected = [(*b"ONE ", 1), (*b"ONE ", 0), (*b"ONE ", 1), (*b"TWO ", 1)];
    assert_eq!(copy_records(&venue), expected);
}

#[test]
fn a_drop_copy_user_only_listens() {
    let venue = start();
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    let mut risk = venue.orders("RISK", 1);
    risk.messages(3);
    risk.send(&soup::CLIENT_HEARTBEAT_PACKET);
    risk.ouch(enter(1, b'B', 1, PX).as_bytes());
    let (kind, text) = risk.packet().unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(kind, soup::DEBUG);
    let expected =
        "expected 'R', 'O' or '+' (a drop-copy user only listens), found packet type 'U'";
    assert_eq!(text, expected);
    assert_eq!(risk.packet(), None);
    assert_eq!(alice.sync().len(), 1, "nobody else notices");
    let mut risk = venue.orders("RISK", 4);
    assert_eq!(read(&risk.message()), (1, 0, 'Q'), "nothing is lost");
    risk.send(&soup::LOGOUT_REQUEST_PACKET);
    assert_eq!(risk.packet(), None);
}

#[test]
fn a_drop_copy_login_beyond_what_is_there_is_refused() {
    let venue = start();
    for (session, sequence) in [("", 3), ("", u64::MAX), ("OLD", 1)] {
        let mut risk = Raw::connect(venue.venue().orders_addr());
        risk.send_login("RISK", "RISK", session, sequence);
        assert_eq!(risk.packet().unwrap(), (soup::LOGIN_REJECTED, b"S".to_vec()), "{sequence}");
        assert_eq!(risk.packet(), None);
    }
    let mut risk = Raw::connect(venue.venue().orders_addr());
    risk.send_login("RISK", "WRONG", "", 1);
    assert_eq!(risk.packet().unwrap(), (soup::LOGIN_REJECTED, b"A".to_vec()));
    assert_eq!(venue.orders("RISK", 2).next, 2, "the next one is there");
}

#[test]
fn a_drop_copy_user_may_read_market_data_too() {
    let venue = start();
    let mut feed = Raw::connect(venue.venue().data_addr());
    feed.log_in("RISK", "RISK", "", 1);
    assert_eq!(feed.message()[0], b'S');
}

#[test]
fn more_copied_firms_than_the_venue_holds_are_found_at_start() {
    let mut venue = start();
    venue.stop();
    let listener = |number: usize| (format!("L{number}"), format!("F{number}"));
    // ONE keeps its place until the day ends.
    let many: Vec<_> = (0..COPIED_FIRMS_MAX).map(listener).collect();
    set_listeners(&venue, &many);
    let error = venue.restart().unwrap_err();
    assert!(matches!(error, StartError::Copies(_)), "{error}");
    set_listeners(&venue, &many[1..]);
    venue.restart().unwrap();
    assert_eq!(read(&venue.orders("L63", 1).message()), (0, 0, 'S'));
}
