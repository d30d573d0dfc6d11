//! Bad input: each case has one answer, and nothing else is lost by it.

use uncross_wire::{
    IntoBytes,
    ouch::{inbound, outbound::Outbound},
    soup,
};

use crate::harness::{Raw, TestVenue, enter, reject_code, with_appendage};

/// Changes one thing of a valid order.
type Change = fn(&mut inbound::Enter);

#[test]
fn every_bad_value_of_a_new_order_has_its_code() {
    let cases: &[(&str, Change, u16)] = &[
        ("unknown symbol", |it| it.symbol = *b"NOTHERE ", 0x17),
        ("empty symbol", |it| it.symbol = *b"        ", 0x17),
        ("no side", |it| it.side = b'X', 0x09),
        ("quantity 0", |it| it.quantity = 0.into(), 0x13),
        ("quantity too large", |it| it.quantity = 1_000_000.into(), 0x13),
        ("quantity far too large", |it| it.quantity = u32::MAX.into(), 0x13),
        ("price 0", |it| it.price = 0.into(), 0x1D),
        ("off-tick price", |it| it.price = 1_000_001.into(), 0x1D),
        ("price above the highest", |it| it.price = 1_999_999_901.into(), 0x1D),
        ("price beyond four bytes", |it| it.price = ((1 << 32) + 1_000_000).into(), 0x1D),
        ("highest price of all", |it| it.price = u64::MAX.into(), 0x1D),
        ("market price", |it| it.price = 2_000_000_000.into(), 0x2C),
        ("other market price", |it| it.price = 0x7FFF_FFFF.into(), 0x2C),
        (
            "market order without a reference price",
            |it| {
                it.symbol = *b"PENNY   ";
                it.time_in_force = b'3';
                it.price = 0x7FFF_FFFF.into();
            },
            0x2C,
        ),
        ("extended hours", |it| it.time_in_force = b'5', 0x0F),
        ("until no time", |it| it.time_in_force = b'6', 0x0F),
        ("after hours", |it| it.time_in_force = b'E', 0x0F),
        ("no time in force", |it| it.time_in_force = 0, 0x0F),
        ("display of replies only", |it| it.display = b'Z', 0x03),
        ("no display", |it| it.display = b'?', 0x03),
        ("no capacity", |it| it.capacity = b'Z', 0x0F),
        ("intermarket sweep", |it| it.intermarket_sweep = b'Y', 0x08),
        ("opening cross", |it| it.cross_type = b'O', 0x14),
        ("no cross", |it| it.cross_type = 0xFF, 0x14),
    ];
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    for (number, (name, change, code)) in (1..).zip(cases) {
        let mut order = enter(number, b'B', 100, 1_000_000);
        change(&mut order);
        alice.ouch(order.as_bytes());
        assert_eq!(reject_code(&alice.message(), number), *code, "{name}");
    }
    // A rejected order consumed its number, and the next one is fine.
    let next = u32::try_from(cases.len()).unwrap() + 1;
    alice.ouch(enter(next - 1, b'B', 100, 1_000_000).as_bytes());
    alice.ouch(enter(next, b'B', 100, 1_000_000).as_bytes());
    let message = alice.message();
    assert_eq!((message[0], &message[9..13]), (b'A', &next.to_be_bytes()[..]));
}

/// Elements that an order may carry; they are given back.
const ACCEPTED_TAGS: &[&[u8]] = &[
    b"\x05\x02FIRM",
    b"\x05\x02    ",
    b"\x02\x04R",
    b"\x02\x04N",
    b"\x02\x06L",
    b"\x02\x0cN",
    b"\x02\x0cP",
    b"\x02\x10Y",
    b"\x02\x11 ",
    b"\x02\x19Y",
    b"\x05\x1aBRKR",
    b"\x02\x1c\x00",
    b"\x02\x1dO",
    b"\x02\x1dw",
    b"\x02\x1dD\x03\x1e\x00\x07",
    b"\x03\x1e\x00\x00",
    b"\x02\x81Y",
    b"\x02\x81N",
    b"\x05\x02FIRM\x02\x04R\x02\x06L\x02\x0cN\x02\x10Y\x02\x11 \x02\x19N\x05\x1aBRKR",
];

/// Elements with which an order is refused, and the code.
const REFUSED_TAGS: &[(&[u8], u16)] = &[
    (b"\x09\x01\0\0\0\0\0\0\0\x01", 0x0F),
    (b"\x05\x02ELSE", 0x0C),
    (b"\x05\x03\0\0\0\x01", 0x0D),
    (b"\x05\x03\0\0\0\0", 0x0D),
    (b"\x02\x04X", 0x0F),
    (b"\x05\x05\0\0\0\x01", 0x04),
    (b"\x02\x06M", 0x05),
    (b"\x05\x07\0\0\0\x01", 0x05),
    (b"\x09\x09\0\0\0\0\0\0\0\x01", 0x0F),
    (b"\x02\x0aL", 0x0F),
    (b"\x05\x0b\0\0\0\x01", 0x0F),
    (b"\x02\x0cX", 0x0F),
    (b"\x05\x0d\0\0\0\x01", 0x0F),
    (b"\x05\x0eSCAN", 0x16),
    (b"\x05\x0f\0\0\0\x01", 0x0F),
    (b"\x02\x10X", 0x0F),
    (b"\x02\x11I", 0x0F),
    (b"\x02\x121", 0x0F),
    (b"\x09\x13\0\0\0\0\0\0\0\x01", 0x0F),
    (b"\x03\x18\0\x01", 0x0F),
    (b"\x02\x19X", 0x0F),
    (b"\x02\x1bB", 0x0F),
    (b"\x02\x1dX", 0x0F),
    (b"\x02\x1d ", 0x0F),
    (b"\x02\x81y", 0x0F),
    (b"\x09\x80\0\0\0\0\0\0\0\x01", 0x0F),
    // Unused, unknown, and an extension of the wrong width.
    (b"\x02\x08x", 0x0F),
    (b"\x02\x15x", 0x0F),
    (b"\x02\x63x", 0x0F),
    (b"\x02\x80x", 0x0F),
    // Wrong length, no tag, cut off, repeated.
    (b"\x03\x02FI", 0x0F),
    (b"\x00", 0x0F),
    (b"\x01", 0x0F),
    (b"\x09\x02FIRM", 0x0F),
    (b"\x02\x04R\x02\x04R", 0x0F),
];

#[test]
fn every_tag_is_accepted_and_echoed_or_refused_with_its_code() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let mut number = 0;
    for elements in ACCEPTED_TAGS {
        number += 1;
        alice.ouch(&with_appendage(enter(number, b'B', 1, 1_000_000), elements));
        let message = alice.message();
        assert_eq!(message[0], b'A', "{}", elements.escape_ascii());
        assert_eq!(&message[64..], *elements, "echo");
    }
    for (elements, code) in REFUSED_TAGS {
        number += 1;
        alice.ouch(&with_appendage(enter(number, b'B', 1, 1_000_000), elements));
        let message = alice.message();
        assert_eq!(reject_code(&message, number), *code, "{}", elements.escape_ascii());
    }
}

#[test]
fn an_order_until_a_time_needs_one_and_expires_then() {
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let until = |number: u32, seconds: u32| {
        let mut order = enter(number, b'B', 5, 1_000_000);
        order.time_in_force = b'6';
        with_appendage(order, &[b"\x05\x0f", &seconds.to_be_bytes()[..]].concat())
    };
    for (number, seconds) in [(1, 0), (2, 86_400), (3, u32::MAX)] {
        alice.ouch(&until(number, seconds));
        assert_eq!(reject_code(&alice.message(), number), 0x0F, "{seconds}");
    }
    // Together, so that the second one does not come due before the third one is there.
    let packet = |message: Vec<u8>| {
        [&soup::header(soup::UNSEQUENCED_DATA, message.len())[..], &message].concat()
    };
    alice.send(&[until(4, 86_399), until(5, 1), until(6, 2)].map(packet).concat());
    let kinds: Vec<_> = alice.messages(4).iter().map(|it| (it[0], it[9..13].to_vec())).collect();
    let number = |number: u32| number.to_be_bytes().to_vec();
    let expected = [(b'A', number(4)), (b'A', number(5)), (b'A', number(6)), (b'C', number(5))];
    assert_eq!(kinds, expected);
    // What comes due while nobody runs the venue expires before anything else happens.
    let first = alice.next;
    drop(alice);
    venue.restart().unwrap();
    let mut alice = venue.orders("ALICE", first);
    let canceled = alice.message();
    assert_eq!((canceled[0], canceled[17], &canceled[9..13]), (b'C', b'T', &number(6)[..]));
}

#[test]
fn an_appendage_as_long_as_a_frame_is_refused_like_a_short_one() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let long = b"\x05\x02FIRM".repeat(160);
    alice.ouch(&with_appendage(enter(1, b'B', 1, 1_000_000), &long));
    assert_eq!(reject_code(&alice.message(), 1), 0x0F);
}

#[test]
fn another_channel_has_numbers_and_orders_of_its_own_and_reports_name_it() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    alice.ouch(enter(1, b'B', 5, 1_000_000).as_bytes());
    let channel: &[u8] = b"\x02\x1c\x01";
    alice.ouch(&cancel(1, 0, channel));
    alice.ouch(&with_appendage(enter(1_000, b'B', 5, 1_000_000), channel));
    alice.ouch(&modify(1_000, b'B', 4, channel));
    alice.ouch(&with_appendage(enter(1_001, b'X', 5, 1_000_000), channel));
    alice.ouch(&replace(1_000, 1_002, 3, 1_000_000, channel));
    alice.ouch(&modify(1_002, b'S', 3, channel));
    alice.ouch(&with_appendage(enter(1_003, b'S', 1, 1_000_000), channel));
    alice.ouch(&cancel(1_002, 0, channel));
    alice.ouch(b"Q\0\x03\x02\x1c\x01");
    let mut messages = alice.messages(9);
    messages.extend(alice.until(b'Q'));
    let kinds: Vec<u8> = messages.iter().map(|it| it[0]).collect();
    assert_eq!(kinds, b"AAMJUIAEECQ");
    for message in &messages[1..] {
        let fits = message.ends_with(b"\0\x03\x02\x1c\x01") || message[0] == b'E';
        assert!(fits, "{}", message.escape_ascii());
    }
    // Number 1 of channel 0 came first and is the maker: its report has no channel.
    assert_eq!(messages[7][34..], [0, 0]);
    assert_eq!(messages[8][34..], [0, 3, 2, 28, 1]);
    let next = messages.last().unwrap();
    assert_eq!(next[9..13], 1_004_u32.to_be_bytes());
    assert_eq!(alice.sync()[0][9..13], 2_u32.to_be_bytes(), "number 2 is next in channel 0");
}

#[test]
fn a_loss_behind_frames_that_end_the_session_ends_it_once() {
    let heartbeats = soup::CLIENT_HEARTBEAT_PACKET.repeat(100);
    let debug = b"\x00\x01+".repeat(100);
    let ends: [&[u8]; 5] =
        [&soup::LOGOUT_REQUEST_PACKET, b"\x00\x02Uz", b"\x00\x01Z", b"\x00\x00", b"\x00\x01L"];
    let venue = TestVenue::with(&[("session.connections_per_address_max", "500")]);
    for end in ends {
        for tail in [&heartbeats[..], &debug[..]] {
            // Not logged in, trading, listening; each with more frames than one turn serves.
            let mut fresh = Raw::connect(venue.venue().orders_addr());
            fresh.send(&[&debug[..], end, tail].concat());
            fresh.half_close();
            for mut raw in [venue.orders("ALICE", 0), venue.data(0)] {
                raw.send(&[&heartbeats[..], end, tail].concat());
                raw.half_close();
            }
        }
    }
    let mut bob = venue.orders("BOB", 0);
    assert_eq!(bob.sync().len(), 2, "the venue answers");
}

#[test]
fn a_takeover_behind_a_logout_ends_both_ways() {
    let venue = TestVenue::start();
    for _ in 0..5 {
        let mut old = venue.orders("ALICE", 0);
        let mut bytes = soup::CLIENT_HEARTBEAT_PACKET.repeat(200);
        bytes.extend_from_slice(&soup::LOGOUT_REQUEST_PACKET);
        old.send(&bytes);
        let mut new = venue.orders("ALICE", 0);
        new.ouch(b"Q");
        while new.message()[0] != b'Q' {}
    }
}

#[test]
fn repeated_and_falling_numbers_are_ignored_and_absurd_ones_refused() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let order = |number| enter(number, b'B', 1, 1_000_000);
    alice.ouch(order(10).as_bytes());
    for ignored in [10, 9, 1, 0] {
        alice.ouch(order(ignored).as_bytes());
    }
    alice.ouch(order(10 + (1 << 24) + 1).as_bytes());
    alice.ouch(order(u32::MAX).as_bytes());
    alice.ouch(order(11).as_bytes());
    let messages = alice.sync();
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"AJJAQ");
    assert_eq!(reject_code(&messages[1], 10 + (1 << 24) + 1), 0x0F);
    assert_eq!(reject_code(&messages[2], u32::MAX), 0x0F);
    assert_eq!(messages[4][9..13], 12_u32.to_be_bytes(), "the next number");
}

#[test]
fn unknown_and_dead_orders_are_ignored_by_cancel_modify_and_replace() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    alice.ouch(enter(1, b'B', 5, 1_000_000).as_bytes());
    alice.ouch(&cancel(1, 0, b""));
    alice.ouch(&cancel(1, 0, b""));
    alice.ouch(&cancel(77, 0, b""));
    alice.ouch(&modify(1, b'B', 1, b""));
    alice.ouch(&replace(1, 2, 5, 1_000_000, b""));
    alice.ouch(&replace(99, 3, 5, 1_000_000, b""));
    let messages = alice.sync();
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"ACQ");
    assert_eq!(messages[2][9..13], 2_u32.to_be_bytes(), "no number was consumed");
}

#[test]
fn a_cancel_or_modify_with_bad_values_is_answered_and_changes_nothing() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    alice.ouch(enter(1, b'S', 5, 1_000_000).as_bytes());
    alice.ouch(&cancel(1, 0, b"\x02\x63x"));
    alice.ouch(&cancel(1, 0, b"\x02\x1c\x00\x00"));
    alice.ouch(&modify(1, b'X', 1, b""));
    alice.ouch(&modify(1, b'B', 1, b""));
    alice.ouch(&modify(1, b'T', 5, b"\x00"));
    // Larger than it is: ignored; then a change of side alone, and a reduction.
    alice.ouch(&modify(1, b'S', 6, b""));
    alice.ouch(&modify(1, b'E', 5, b"\x02\x19Y"));
    alice.ouch(&cancel(1, 2, b"\x02\x1c\x00"));
    let messages = alice.sync();
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"AIIIIIMCQ");
    assert_eq!(messages[6][13..18], [b'E', 0, 0, 0, 5]);
    assert_eq!(messages[7][13..18], [0, 0, 0, 3, b'U']);
}

#[test]
fn a_replace_with_bad_values_cancels_the_order_and_consumes_no_number() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let cases: &[(&str, u32, u64, &[u8])] = &[
        ("quantity 0", 0, 1_000_000, b""),
        ("quantity too large", 1_000_000, 1_000_000, b""),
        ("price 0", 5, 0, b""),
        ("off tick", 5, 1_000_050, b""),
        ("too high", 5, 1_999_999_901, b""),
        ("market", 5, 2_000_000_000, b""),
        ("unknown tag", 5, 1_000_000, b"\x02\x63x"),
        ("tag of new orders only", 5, 1_000_000, b"\x05\x02FIRM"),
        ("side", 5, 1_000_000, b"\x02\x1bS"),
    ];
    let mut number = 1;
    for (name, quantity, price, elements) in cases {
        alice.ouch(enter(number, b'B', 5, 1_000_000).as_bytes());
        alice.ouch(&replace(number, number + 1, *quantity, *price, elements));
        let messages = alice.sync();
        assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"ACQ", "{name}");
        assert_eq!(messages[1][17], b'Z', "{name}");
        number += 1;
        assert_eq!(messages[2][9..13], number.to_be_bytes(), "{name}");
    }
}

#[test]
fn requests_about_many_orders_are_answered_and_bad_ones_refused() {
    let venue = TestVenue::start();
    let mut feed = venue.data(0);
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    alice.ouch(enter(1, b'B', 5, 1_000_000).as_bytes());
    alice.ouch(enter(2, b'S', 5, 1_100_000).as_bytes());
    alice.messages(2);
    let refused: [(&[u8], u16); 7] = [
        (b"C\0\0\0\x03ELSEDEMO    \0\0", 0x0C),
        (b"C\0\0\0\x04FIRMNOTHERE \0\0", 0x17),
        (b"C\0\0\0\x05FIRMDEMO    \0\x04\x03\x18\0\x01", 0x0F),
        (b"C\0\0\0\x06FIRMDEMO    \0\x03\x02\x1bX", 0x09),
        (b"C\0\0\0\x07FIRMDEMO    \0\x03\x02\x63x", 0x0F),
        (b"D\0\0\0\x08ELSE\0\0", 0x0C),
        (b"E\0\0\0\x09FIRM\0\x03\x02\x1bB", 0x0F),
    ];
    for (number, (message, code)) in (3..).zip(refused) {
        alice.ouch(message);
        assert_eq!(reject_code(&alice.message(), number), code, "{}", message.escape_ascii());
    }
    alice.ouch(b"D\0\0\0\x0aFIRM\0\0");
    alice.ouch(enter(11, b'B', 5, 1_000_000).as_bytes());
    alice.ouch(b"E\0\0\0\x0c    \0\0");
    alice.ouch(b"C\0\0\0\x0dFIRMDEMO    \0\x03\x02\x1bS");
    alice.ouch(b"C\0\0\0\x0e            \0\0");
    let messages = alice.sync();
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"GJKXCXCQ");
    assert_eq!(messages[3][9..27], *b"\0\0\0\x0dFIRMDEMO    \0\0");
    let seen: Vec<u8> = feed.messages(4).iter().map(|it| it[0]).collect();
    assert_eq!(seen, b"AADD");
}

#[test]
fn bytes_that_are_no_message_close_the_connection_with_the_reason() {
    let cases: &[(&[u8], &str)] = &[
        (b"\x00\x00", "length is 0"),
        (b"\xff\xffU", "at most 1021"),
        (b"\x00\x01U", "without a type byte"),
        (b"\x00\x02Uz", "unknown message type 'z'"),
        (b"\x00\x02UO", "expected 47"),
        (b"\x00\x09UX\0\0\0\x01\0\0\0", "expected 9"),
        (b"\x00\x0bUX\0\0\0\x01\0\0\0\0\x00", "expected 9"),
        (b"\x00\x0cUX\0\0\0\x01\0\0\0\0\x00\x01", "announces 1 bytes"),
        (b"\x00\x01Z", "packet type 'Z'"),
    ];
    let venue = TestVenue::start();
    let mut number = 0;
    for (bytes, expected) in cases {
        let mut alice = venue.orders("ALICE", 0);
        if number == 0 {
            alice.message();
        }
        number += 1;
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
        assert_eq!(alice.message()[0], b'A');
        alice.send(bytes);
        let answer = alice.packet();
        let (kind, text) = answer.unwrap_or_else(|| panic!("{}", bytes.escape_ascii()));
        let text = String::from_utf8(text).unwrap();
        assert_eq!(kind, soup::DEBUG);
        assert!(text.contains(expected), "{}: {text}", bytes.escape_ascii());
        assert_eq!(alice.packet(), None, "{}", bytes.escape_ascii());
    }
    let mut alice = venue.orders("ALICE", 0);
    alice.ouch(b"Q");
    assert_eq!(alice.message()[9..13], (number + 1).to_be_bytes(), "all orders stand");
}

#[test]
fn frames_arrive_whole_however_they_are_cut() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let mut frame = soup::header(soup::UNSEQUENCED_DATA, 47).to_vec();
    frame.extend_from_slice(enter(0, b'B', 1, 1_000_000).as_bytes());
    let mut number = 0_u32;
    let mut next = |frame: &mut [u8]| {
        number += 1;
        frame[4..8].copy_from_slice(&number.to_be_bytes());
        number
    };
    // Cut at every byte; the answer of a heartbeat between proves that the cut was real.
    for cut in 1..frame.len() {
        let number = next(&mut frame);
        alice.send(&frame[..cut]);
        alice.send(&frame[cut..]);
        assert_eq!(alice.message()[9..13], number.to_be_bytes(), "cut at {cut}");
    }
    // One byte a segment.
    let number = next(&mut frame);
    for byte in &frame {
        alice.send(&[*byte]);
    }
    assert_eq!(alice.message()[9..13], number.to_be_bytes());
    // A thousand in one write.
    let mut bytes = Vec::new();
    for _ in 0..1_000 {
        next(&mut frame);
        bytes.extend_from_slice(&frame);
    }
    alice.send(&bytes);
    assert_eq!(alice.sync().len(), 1_001);
}

#[test]
fn a_reset_within_a_frame_loses_nothing_before_it() {
    let venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    alice.ouch(enter(1, b'B', 1, 1_000_000).as_bytes());
    alice.messages(2);
    alice.send(b"\x00\x30U\x4f\x00");
    drop(alice);
    let mut again = venue.orders("ALICE", 1);
    let kinds: Vec<u8> = again.sync().iter().map(|it| it[0]).collect();
    assert_eq!(kinds, b"SAQ");
}

#[test]
fn a_flood_of_connections_and_bad_logins_leaves_traders_alone() {
    let venue = TestVenue::with(&[
        ("session.connections_per_address_max", "200"),
        ("session.login_timeout", "1s"),
    ]);
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    let mut flood = Vec::new();
    for number in 0..150 {
        let mut raw = Raw::connect(venue.venue().orders_addr());
        if number % 2 == 0 {
            raw.send_login("ALICE", "GUESS", "", 1);
        }
        flood.push(raw);
    }
    for number in 1..=100 {
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
        assert_eq!(alice.message()[9..13], number.to_be_bytes());
    }
    // A right password gets in while the flood lasts.
    assert_eq!(venue.orders("CAROL", 1).message()[0], b'S');
    for mut raw in flood {
        while let Some((kind, _)) = raw.packet() {
            assert_eq!(kind, soup::LOGIN_REJECTED);
        }
    }
}

#[test]
fn a_full_book_refuses_and_cancels_still_pass() {
    let venue = TestVenue::with(&[("capacity.orders", "10")]);
    let mut alice = venue.orders("ALICE", 0);
    alice.message();
    for number in 1..=12 {
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
    }
    alice.ouch(&cancel(3, 0, b""));
    alice.ouch(enter(13, b'B', 1, 1_000_000).as_bytes());
    let messages = alice.sync();
    assert_eq!(messages.iter().map(|it| it[0]).collect::<Vec<_>>(), b"AAAAAAAAAAJJCAQ");
    assert!(matches!(Outbound::decode(&messages[13]), Ok(Outbound::Accepted(..))));
}

pub(crate) fn cancel(number: u32, quantity: u32, elements: &[u8]) -> Vec<u8> {
    let fixed = [&b"X"[..], &number.to_be_bytes(), &quantity.to_be_bytes()].concat();
    counted(fixed, elements)
}

pub(crate) fn modify(number: u32, side: u8, quantity: u32, elements: &[u8]) -> Vec<u8> {
    let fixed = [&b"M"[..], &number.to_be_bytes(), &[side], &quantity.to_be_bytes()].concat();
    counted(fixed, elements)
}

/// Appends the elements and their length, or nothing at all.
pub(crate) fn counted(mut fixed: Vec<u8>, elements: &[u8]) -> Vec<u8> {
    if !elements.is_empty() {
        fixed.extend_from_slice(&u16::try_from(elements.len()).unwrap().to_be_bytes());
        fixed.extend_from_slice(elements);
    }
    fixed
}

pub(crate) fn replace(old: u32, new: u32, quantity: u32, price: u64, elements: &[u8]) -> Vec<u8> {
    let mut bytes = [&b"U"[..], &old.to_be_bytes(), &new.to_be_bytes()].concat();
    bytes.extend_from_slice(&quantity.to_be_bytes());
    bytes.extend_from_slice(&price.to_be_bytes());
    bytes.extend_from_slice(b"0YNREPLACE       ");
    bytes.extend_from_slice(&u16::try_from(elements.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(elements);
    bytes
}
