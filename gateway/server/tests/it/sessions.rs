//! Sessions: logins, heartbeats, logout, takeover, resending.

use std::time::{Duration, Instant};

use uncross_server::{journal::Reader, venue::error::StartError};
use uncross_wire::{IntoBytes, soup};

use crate::harness::{Raw, TestVenue, enter};

const LOGIN_REJECTED: u8 = soup::LOGIN_REJECTED;

#[test]
fn an_order_is_accepted_traded_and_seen_on_the_feed() {
    let venue = TestVenue::start();
    let mut feed = venue.data(1);
    let mut alice = venue.orders("ALICE", 1);
    let mut bob = venue.orders("BOB", 0);
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    let reports = alice.messages(2);
    assert_eq!(reports[0][0], b'S', "start of day comes first");
    assert_eq!(reports[1][0], b'A');
    bob.ouch(enter(1, b'S', 40, 990_000).as_bytes());
    let reports = bob.messages(3);
    assert_eq!(reports.iter().map(|it| it[0]).collect::<Vec<_>>(), b"SAE");
    assert_eq!(alice.message()[0], b'E');
    let seen = feed.until(b'E');
    let kinds: Vec<u8> = seen.iter().map(|it| it[0]).collect();
    assert_eq!(&kinds[..3], b"SRH");
    assert_eq!(&kinds[kinds.len() - 4..], b"SSAE");
}

/// Sends a login and returns the reject reason; the server must then close.
fn refused(venue: &TestVenue, user: &str, password: &str, session: &str, sequence: u64) -> u8 {
    let mut raw = Raw::connect(venue.venue().orders_addr());
    raw.send_login(user, password, session, sequence);
    let (kind, payload) = raw.packet().unwrap();
    assert_eq!(kind, LOGIN_REJECTED);
    assert_eq!(raw.packet(), None, "a refused connection is closed");
    payload[0]
}

#[test]
fn a_wrong_login_is_refused_with_the_reason() {
    let venue = TestVenue::start();
    assert_eq!(refused(&venue, "ALICE", "WRONG", "", 1), b'A');
    assert_eq!(refused(&venue, "NOBODY", "ALICE", "", 1), b'A');
    assert_eq!(refused(&venue, "ALICE", "ALICE", "OLD", 1), b'S');
    assert_eq!(refused(&venue, "ALICE", "ALICE", "", 2), b'S', "only message 1 is next");
    assert_eq!(refused(&venue, "ALICE", "ALICE", "", u64::MAX), b'S');
    venue.orders("ALICE", 1);
}

#[test]
fn repeated_failures_must_wait_even_with_the_right_password() {
    let venue = TestVenue::start();
    for _ in 0..5 {
        let mut start = Instant::now();
        for _ in 0..3 {
            start = Instant::now();
            assert_eq!(refused(&venue, "ALICE", "WRONG", "", 1), b'A');
        }
        let mut right = Raw::connect(venue.venue().orders_addr());
        right.send_login("ALICE", "ALICE", "", 0);
        let (kind, payload) = right.packet().unwrap();
        if kind == soup::LOGIN_REJECTED {
            assert_eq!(payload, b"A");
            venue.orders("BOB", 1);
            return;
        }
        // Only after the second that is to be waited.
        assert!(Duration::from_secs(1) <= start.elapsed(), "{:?}", start.elapsed());
    }
    panic!("the machine is too slow to try again within a second");
}

#[test]
fn names_and_passwords_are_trimmed_and_case_insensitive() {
    let venue = TestVenue::start();
    let mut raw = Raw::connect(venue.venue().orders_addr());
    let session = raw.log_in("alice", "Alice", "", 0);
    assert_eq!(session.len(), 10);
    // As a client sends it that pads with NULs and justifies to the left.
    let mut packet = vec![0, 47, b'L'];
    packet.extend_from_slice(b"BOB\0\0\0BOB\0\0\0\0\0\0\0");
    packet.extend_from_slice(session.as_bytes());
    packet.extend_from_slice(b"1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut raw = Raw::connect(venue.venue().orders_addr());
    raw.send(&packet);
    assert_eq!(raw.packet().unwrap().0, soup::LOGIN_ACCEPTED);
    // Version 4 has a heartbeat timeout behind.
    packet[1] = 52;
    packet.extend_from_slice(b"  500");
    let mut raw = Raw::connect(venue.venue().data_addr());
    raw.send(&packet);
    assert_eq!(raw.packet().unwrap().0, soup::LOGIN_ACCEPTED);
}

#[test]
fn data_before_login_and_a_second_login_close_the_connection() {
    let venue = TestVenue::start();
    let mut raw = Raw::connect(venue.venue().orders_addr());
    raw.ouch(enter(1, b'B', 1, 100).as_bytes());
    let (kind, text) = raw.packet().unwrap();
    assert_eq!(kind, soup::DEBUG);
    assert!(String::from_utf8(text).unwrap().contains("login"));
    assert_eq!(raw.packet(), None);
    let mut raw = venue.orders("ALICE", 0);
    raw.message();
    raw.send_login("ALICE", "ALICE", "", 1);
    assert_eq!(raw.packet().unwrap().0, soup::DEBUG);
    assert_eq!(raw.packet(), None);
}

#[test]
fn a_client_that_does_not_log_in_is_dropped() {
    let venue = TestVenue::with(&[("session.login_timeout", "300ms")]);
    let mut raw = Raw::connect(venue.venue().orders_addr());
    raw.send(b"\x00\x2fL");
    assert_eq!(raw.packet(), None);
}

#[test]
fn logins_that_came_in_time_are_answered_however_long_their_check_takes() {
    let venue = TestVenue::with(&[
        ("session.login_timeout", "300ms"),
        ("session.connections_per_address_max", "256"),
    ]);
    // One after the other they take longer than that.
    let mut clients: Vec<_> = (0..250)
        .map(|_| {
            let mut raw = Raw::connect(venue.venue().data_addr());
            raw.send_login("ALICE", "ALICE", "", 1);
            raw
        })
        .collect();
    for raw in &mut clients {
        assert_eq!(raw.packet().map(|(kind, _)| kind), Some(soup::LOGIN_ACCEPTED));
    }
}

#[test]
fn a_connection_whose_end_comes_with_its_last_words_makes_room_at_once() {
    let venue = TestVenue::with(&[("session.connections_per_address_max", "8")]);
    for last in [soup::LOGOUT_REQUEST_PACKET, soup::CLIENT_HEARTBEAT_PACKET] {
        for round in 0..40 {
            let mut raw = Raw::connect(venue.venue().data_addr());
            raw.send_login("ALICE", "ALICE", "", 1);
            let answer = raw.packet().map(|(kind, _)| kind);
            assert_eq!(answer, Some(soup::LOGIN_ACCEPTED), "round {round} of {last:?}");
            raw.send(&last);
        }
    }
}

#[test]
fn a_silent_client_is_dropped_and_a_heartbeat_keeps_it() {
    let venue = TestVenue::with(&[
        ("session.client_timeout", "1s"),
        ("session.heartbeat_interval", "200ms"),
    ]);
    let mut silent = Raw::connect(venue.venue().orders_addr());
    // A version 4 login that wants less than the venue grants.
    let packet = soup::LoginRequest {
        username: b"ALICE",
        password: b"ALICE",
        session: b"",
        sequence: 0,
        heartbeat_timeout_ms: 100,
    }
    .packet_v4()
    .unwrap();
    let start = Instant::now();
    silent.send(&packet);
    assert_eq!(silent.packet().unwrap().0, soup::LOGIN_ACCEPTED);
    silent.message();
    assert_eq!(silent.packet(), None);
    assert!(Duration::from_millis(900) < start.elapsed(), "{:?}", start.elapsed());
}

#[test]
fn an_idle_server_sends_heartbeats() {
    use std::io::Read;
    let venue = TestVenue::with(&[("session.heartbeat_interval", "200ms")]);
    let mut raw = venue.data(0);
    for _ in 0..3 {
        let mut packet = [0; 3];
        raw.socket.read_exact(&mut packet).unwrap();
        assert_eq!(packet, soup::SERVER_HEARTBEAT_PACKET);
    }
}

#[test]
fn every_message_comes_again_under_its_number() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    for number in 1..=150 {
        alice.ouch(enter(number, b'B', 100, 1_000_000 - 100 * u64::from(number)).as_bytes());
    }
    let expected = alice.messages(151);
    alice.send(&soup::LOGOUT_REQUEST_PACKET);
    assert_eq!(alice.packet(), None, "logout closes");
    let feed = venue.data(1).until(b'A');
    for round in 1..=2 {
        for first in [1, 2, 64, 65, 66, 128, 150, 151] {
            let mut again = venue.orders("ALICE", first);
            assert_eq!(again.next, first);
            let from = usize::try_from(first).unwrap() - 1;
            assert_eq!(again.messages(151 - from), expected[from..], "round {round} from {first}");
        }
        assert_eq!(venue.data(1).until(b'A'), feed);
        venue.restart().unwrap();
    }
    let mut live = venue.orders("ALICE", 0);
    assert_eq!(live.next, 152);
    live.ouch(b"Q");
    assert_eq!(live.message()[0], b'Q', "nothing old is sent to a live login");
}

#[test]
fn a_restart_changes_no_byte_of_any_stream() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    let mut bob = venue.orders("BOB", 1);
    for number in 1..=40 {
        alice.ouch(enter(number, b'B', 10 + number, 1_000_000).as_bytes());
        bob.ouch(enter(number, b'S', 5 + number, 1_000_000).as_bytes());
    }
    alice.sync();
    bob.sync();
    drop((alice, bob));
    let all = |venue: &TestVenue| {
        let counts = [("ALICE", 1), ("BOB", 1)].map(|(user, first)| {
            let mut raw = venue.orders(user, first);
            raw.until(b'Q')
        });
        let mut feed = venue.data(1);
        (counts, feed.messages(100))
    };
    let before = all(&venue);
    let first = venue.stop();
    assert_eq!(first.last_seq, first.durable_seq);
    venue.restart().unwrap();
    assert_eq!(all(&venue), before);
}

#[test]
fn what_is_sent_behind_a_login_waits_for_its_answer_and_is_heard() {
    let venue = TestVenue::start();
    let mut alice = Raw::connect(venue.venue().orders_addr());
    // More than a connection is given room for before it has logged in.
    let mut heartbeats = soup::CLIENT_HEARTBEAT_PACKET.repeat(20_000);
    heartbeats.extend(soup::header(soup::UNSEQUENCED_DATA, 1));
    heartbeats.extend(b"Q");
    let mut writer = alice.socket.try_clone().unwrap();
    alice.send_login("ALICE", "ALICE", "", 1);
    std::thread::scope(|scope| {
        scope.spawn(|| std::io::Write::write_all(&mut writer, &heartbeats).unwrap());
        assert_eq!(alice.packet().unwrap().0, soup::LOGIN_ACCEPTED);
        assert_eq!(alice.until(b'Q').len(), 2);
    });
}

#[test]
fn a_second_login_takes_the_port_over() {
    let venue = TestVenue::start();
    let mut old = venue.orders("ALICE", 1);
    old.ouch(enter(1, b'B', 1, 100).as_bytes());
    old.messages(2);
    let mut new = venue.orders("ALICE", 3);
    assert_eq!(old.packet(), None, "the old connection is closed");
    new.ouch(enter(1, b'B', 1, 100).as_bytes());
    new.ouch(enter(2, b'B', 1, 100).as_bytes());
    let accepted = new.message();
    assert_eq!(accepted[0], b'A');
    assert_eq!(accepted[9..13], 2_u32.to_be_bytes(), "number 1 was a repetition");
}

#[test]
fn what_was_sent_whole_before_a_close_counts() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    let mut bytes = Vec::new();
    for number in 1..=500_u32 {
        let order = enter(number, b'B', 1, 100);
        bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, 47));
        bytes.extend_from_slice(order.as_bytes());
    }
    bytes.extend_from_slice(b"\x00\x30U");
    alice.send(&bytes);
    alice.half_close();
    let mut again = venue.orders("ALICE", 1);
    again.ouch(b"Q");
    let messages = again.until(b'Q');
    assert_eq!(messages.len(), 502, "start of day, 500 orders, the answer");
}

#[test]
fn a_user_beyond_the_capacity_is_found_at_start() {
    let mut venue = TestVenue::start();
    venue.stop();
    venue.config.capacity.ports = 2;
    let error = venue.restart().unwrap_err();
    assert!(matches!(error, StartError::Ports { port: 3, ports_max: 2, .. }), "{error}");
}

#[test]
fn a_port_that_changed_hands_is_found_at_start() {
    let mut venue = TestVenue::start();
    venue.orders("ALICE", 1).sync();
    venue.stop();
    let path = venue.dir().users_file();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"ALICE\"", "\"MALLET\"")).unwrap();
    let error = venue.restart().unwrap_err();
    let is_due = matches!(
        &error,
        StartError::PortOwner { user, port: 1, owner } if user == "MALLET" && owner == "ALICE"
    );
    assert!(is_due, "{error}");
}

#[test]
fn too_many_connections_are_turned_away() {
    let venue = TestVenue::with(&[("session.connections_per_address_max", "2")]);
    let one = venue.orders("ALICE", 1);
    let two = venue.data(1);
    let mut three = Raw::connect(venue.venue().orders_addr());
    assert_eq!(three.packet(), None);
    drop(one);
    drop(two);
}

#[test]
fn a_reader_that_stops_is_cut_and_resumes_by_number() {
    let venue = TestVenue::with(&[("session.lag_max", "64KiB")]);
    let mut feed = venue.data(1);
    feed.until(b'H');
    let mut alice = venue.orders("ALICE", 0);
    // Far more than socket buffers hold.
    let mut number = 0;
    for _ in 0..60 {
        let mut bytes = Vec::new();
        for _ in 0..2_000 {
            number += 1;
            let price = 100 * (1 + u64::from(number % 2));
            let mut order = enter(number, b'B', 1, price);
            order.time_in_force = b'0';
            bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, 47));
            bytes.extend_from_slice(order.as_bytes());
            number += 1;
            let replace = replace_of(number - 1, number, price + 100);
            bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, replace.len()));
            bytes.extend_from_slice(&replace);
            bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, 9));
            bytes.extend_from_slice(&[b"X", &number.to_be_bytes()[..], &[0; 4]].concat());
        }
        alice.send(&bytes);
        alice.sync();
    }
    let mut seen = feed.next;
    feed.may_be_cut = true;
    while let Some((kind, _)) = feed.packet() {
        assert_eq!(kind, soup::SEQUENCED_DATA);
        seen += 1;
    }
    let mut resumed = venue.data(seen);
    assert_eq!(resumed.next, seen);
    resumed.message();
    drop((resumed, alice));
    let mut venue = venue;
    venue.stop();
    let report = Reader::verify(&venue.dir().journal(), |_| {}).unwrap();
    assert!(3 <= report.checkpoints, "{report:?}");
}

fn replace_of(old: u32, new: u32, price: u64) -> Vec<u8> {
    let mut bytes = vec![b'U'];
    bytes.extend_from_slice(&old.to_be_bytes());
    bytes.extend_from_slice(&new.to_be_bytes());
    bytes.extend_from_slice(&1_u32.to_be_bytes());
    bytes.extend_from_slice(&price.to_be_bytes());
    bytes.extend_from_slice(b"0YNREPLACED      \0\0");
    bytes
}
