//! Bad bytes on the doors: every client message in every wrong form, and wrong logins.
//!
//! After each case the session, or the next one of its user, and another user go on trading; in
//! the end a replay of the journal leads to the state of the venue.

use uncross_server::replay::replay;
use uncross_wire::{FromBytes, IntoBytes, ouch::outbound::Accepted, soup};

use crate::{
    harness::{Raw, TestVenue, enter, reject_code, with_appendage},
    refusals::{cancel, counted, modify, replace},
};

pub(crate) const PX: u64 = 1_000_000;

/// Every message of a client, by its type.
pub(crate) const KINDS: [u8; 8] = *b"OUXMQCDE";

/// A valid message: a new one takes `number`, one about an order means `live`.
pub(crate) fn message(kind: u8, number: u32, live: u32, elements: &[u8]) -> Vec<u8> {
    let request = |tail: &[u8]| {
        let len = u16::try_from(elements.len()).unwrap().to_be_bytes();
        [&[kind], &number.to_be_bytes()[..], tail, &len, elements].concat()
    };
    match kind {
        b'O' => with_appendage(enter(number, b'S', 5, PX), elements),
        b'U' => replace(live, number, 5, PX, elements),
        b'X' => cancel(live, 2, elements),
        b'M' => modify(live, b'S', 3, elements),
        b'Q' => counted(b"Q".to_vec(), elements),
        b'C' => request(b"    DEMO    "),
        _ => request(b"    "),
    }
}

/// A message in its packet.
pub(crate) fn packet(message: &[u8]) -> Vec<u8> {
    [&soup::header(soup::UNSEQUENCED_DATA, message.len())[..], message].concat()
}

/// Alice, who sends bad input, and Bob, who must not notice.
pub(crate) struct Duo {
    pub(crate) venue: TestVenue,
    pub(crate) alice: Raw,
    bob: Raw,
    /// Last numbers used.
    pub(crate) number: u32,
    bobs: u32,
}

impl Duo {
    pub(crate) fn start() -> Self {
        let venue = TestVenue::start();
        let [mut alice, mut bob] = ["ALICE", "BOB"].map(|user| venue.orders(user, 1));
        assert_eq!((alice.message()[0], bob.message()[0]), (b'S', b'S'));
        Self { venue, alice, bob, number: 0, bobs: 0 }
    }

    /// The next number of Alice.
    pub(crate) fn next(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    /// A fresh order of Alice that rests.
    pub(crate) fn live(&mut self) -> u32 {
        let number = self.next();
        self.alice.ouch(&message(b'O', number, 0, b""));
        assert_eq!(self.alice.message()[..1], *b"A");
        number
    }

    /// Both go on trading, Alice with the next number.
    pub(crate) fn check(&mut self, context: &str) {
        let number = self.next();
        self.bobs += 1;
        for (raw, number) in [(&mut self.alice, number), (&mut self.bob, self.bobs)] {
            raw.ouch(&message(b'O', number, 0, b""));
            let answer = raw.message();
            assert_eq!((answer[0], &answer[9..13]), (b'A', &number.to_be_bytes()[..]), "{context}");
        }
    }

    /// Sends an order, then `bytes`, then another order in one write. The first counts, the bytes
    /// end the connection with the reason, and what is behind them does not count.
    fn garbage(&mut self, bytes: &[u8], reason: &str) {
        let context = bytes.escape_ascii().to_string();
        let number = self.next();
        let [before, behind] = [number, number + 1].map(|it| packet(&message(b'O', it, 0, b"")));
        self.alice.send(&[&before[..], bytes, &behind].concat());
        let (next, text) = until_closed(&mut self.alice);
        assert!(text.contains(reason), "{context}: {text:?} has no {reason:?}");
        self.alice = self.venue.orders("ALICE", next);
        let told = self.alice.sync();
        // The report of the order may have come before the end, or comes now.
        assert!(told.len() <= 2, "{context}");
        let query = told.last().unwrap();
        assert_eq!(query[9..13], (number + 1).to_be_bytes(), "{context}: what the venue took");
        self.check(&context);
    }

    /// Ends the venue; a replay of its journal leads to the same.
    pub(crate) fn finish(mut self) {
        let summary = self.venue.stop();
        let journal = self.venue.dir().journal();
        let replayed = replay(&journal, &mut Vec::new()).unwrap();
        let replica = replayed.replica.unwrap();
        assert_eq!((replica.state_hash(), replayed.torn), (summary.state_hash, None));
        assert_eq!(replica.output_hash(), summary.output_hash);
    }
}

/// The number of the message that is next, and the text with which the venue closed.
fn until_closed(raw: &mut Raw) -> (u64, String) {
    let mut text = String::new();
    while let Some((kind, payload)) = raw.packet() {
        assert_eq!(text, "", "the reason is the last packet");
        match kind {
            soup::SEQUENCED_DATA => raw.next += 1,
            soup::DEBUG => text = String::from_utf8(payload).unwrap(),
            other => panic!("packet '{}'", other.escape_ascii()),
        }
    }
    (raw.next, text)
}

#[test]
fn every_message_of_a_wrong_length_closes_the_connection_and_loses_nothing() {
    let mut duo = Duo::start();
    for kind in KINDS {
        let bare = message(kind, 1_000, 1, b"");
        let full = message(kind, 1_000, 1, b"\x02\x1c\x00");
        let announcing = |count: u8| {
            let mut bytes = full.clone();
            let at = bytes.len() - 4;
            bytes[at] = count;
            bytes
        };
        let short = if kind == b'Q' { "without a type byte" } else { "bytes, expected" };
        let long = if b"XMQ".contains(&kind) { "bytes, expected" } else { "announces 0 bytes" };
        duo.garbage(&packet(&bare[..bare.len() - 1]), short);
        duo.garbage(&packet(&[&bare[..], b"\0"].concat()), long);
        duo.garbage(&packet(&announcing(2)), "announces 2 bytes");
        duo.garbage(&packet(&announcing(4)), "announces 4 bytes");
        duo.garbage(&packet(&full[..full.len() - 1]), "announces 3 bytes");
    }
    duo.finish();
}

#[test]
fn packets_that_are_none_close_the_connection_and_lose_nothing() {
    let mut duo = Duo::start();
    for (bytes, reason) in [
        (&b"\x00\x00"[..], "length is 0"),
        (b"\xff\xff", "at most 1021"),
        // One byte more than the longest; nothing of it need be there.
        (b"\x03\xff", "at most 1021"),
        (b"\x00\x01U", "without a type byte"),
        (b"\x00\x02U\x00", r"unknown message type '\x00'"),
        (b"\x00\x02UA", "unknown message type 'A'"),
        (b"\x00\x02Uo", "unknown message type 'o'"),
        (b"\x00\x01A", "packet type 'A'"),
        (b"\x00\x02JA", "packet type 'J'"),
        (b"\x00\x02SS", "packet type 'S'"),
        (b"\x00\x01H", "packet type 'H'"),
        (b"\x00\x01Z", "packet type 'Z'"),
        (b"\x00\x01L", "packet type 'L'"),
        (b"\x00\x01\x00", r"packet type '\x00'"),
        (b"\x00\x01\xff", r"packet type '\xff'"),
        (b"GET / HTTP/1.1\r\n\r\n", "at most 1021"),
    ] {
        duo.garbage(bytes, reason);
    }
    duo.finish();
}

#[test]
fn packets_of_a_subscriber_that_are_none_close_its_connection_alone() {
    let mut duo = Duo::start();
    for (bytes, reason) in [
        (&b"\x00\x00"[..], "length is 0"),
        (b"\x03\xff", "at most 1021"),
        (b"\x00\x02UQ", "packet type 'U'"),
        (b"\x00\x01L", "packet type 'L'"),
        (b"\x00\x01S", "packet type 'S'"),
    ] {
        let mut feed = duo.venue.data(0);
        feed.send(bytes);
        let (_, text) = until_closed(&mut feed);
        assert!(text.contains(reason), "{text:?} has no {reason:?}");
        duo.check(reason);
    }
    duo.finish();
}

#[test]
fn what_a_control_packet_carries_is_ignored_and_a_logout_needs_no_more() {
    let mut duo = Duo::start();
    for kind in [soup::CLIENT_HEARTBEAT, soup::DEBUG] {
        for len in [0, 1, 1_021] {
            duo.alice.send(&[&soup::header(kind, len)[..], &vec![0xFF; len]].concat());
            duo.check("a control packet");
        }
    }
    duo.alice.send(b"\x00\x04Obye");
    assert_eq!(until_closed(&mut duo.alice).1, "", "a logout is answered by the end alone");
    duo.alice = duo.venue.orders("ALICE", 0);
    duo.check("after a logout");
    duo.finish();
}

/// All eight messages in one go, from number `first` on: seven numbers, twelve answers.
fn batch(first: u32) -> Vec<u8> {
    [
        message(b'O', first, 0, b""),
        message(b'O', first + 1, 0, b"\x02\x04R"),
        message(b'M', 0, first, b""),
        message(b'U', first + 2, first, b"\x02\x1c\x00"),
        message(b'X', 0, first + 2, b""),
        message(b'Q', 0, 0, b""),
        message(b'C', first + 3, 0, b"\x02\x1bS"),
        message(b'D', first + 4, 0, b""),
        message(b'O', first + 5, 0, b""),
        message(b'E', first + 6, 0, b""),
    ]
    .map(|it| packet(&it))
    .concat()
}

#[test]
fn every_message_is_taken_whole_wherever_it_is_cut_and_whatever_is_beside_it() {
    let mut duo = Duo::start();
    let len = batch(1).len();
    for cut in 0..=len {
        let bytes = batch(duo.number + 1);
        duo.number += 7;
        let sends: Vec<&[u8]> = match cut {
            0 => bytes.chunks(1).collect(),
            _ => vec![&bytes[..cut], &bytes[cut..]],
        };
        for part in sends {
            duo.alice.send(part);
            if cut != 0 {
                // An answer to Bob shows that the venue has looked at the first part.
                duo.bob.sync();
            }
        }
        let kinds: Vec<u8> = duo.alice.messages(12).iter().map(|it| it[0]).collect();
        assert_eq!(kinds, b"AAMUCQXCCGJK", "cut at {cut}");
    }
    duo.check("behind all");
    duo.finish();
}

#[test]
fn a_connection_that_ends_within_a_frame_loses_nothing_before_it() {
    let mut duo = Duo::start();
    for kind in KINDS {
        for is_reset in [false, true] {
            let number = duo.next();
            let before = packet(&message(b'O', number, 0, b""));
            let torn = packet(&message(kind, number + 1, number, b"\x02\x1c\x00"));
            duo.alice.send(&[&before[..], &torn[..torn.len() - 1]].concat());
            // Unread reports make the end a reset.
            let from = if is_reset {
                duo.alice.next
            } else {
                duo.alice.message();
                duo.alice.half_close();
                until_closed(&mut duo.alice).0
            };
            duo.alice = duo.venue.orders("ALICE", from);
            let told = duo.alice.sync();
            assert_eq!(told.last().unwrap()[9..13], (number + 1).to_be_bytes());
            duo.check("after the loss");
        }
    }
    duo.finish();
}

#[test]
fn wrong_numbers_of_every_message_that_takes_one_are_ignored_or_refused() {
    let mut duo = Duo::start();
    let wild = 1 + (1 << 24);
    for kind in *b"OUCDE" {
        let context = char::from(kind);
        let live = duo.live();
        for used in [live, live - 1, 1, 0] {
            duo.alice.ouch(&message(kind, used, live, b""));
        }
        for wild in [live + wild, u32::MAX] {
            duo.alice.ouch(&message(kind, wild, live, b""));
            assert_eq!(reject_code(&duo.alice.message(), wild), 0x0F, "{context}");
        }
        // Nothing was consumed, and the order stands.
        duo.check("after wrong numbers");
        duo.alice.ouch(&cancel(live, 0, b""));
        assert_eq!(duo.alice.message()[0], b'C', "{context}");
    }
    // The largest step that is allowed, up to the last number there is.
    while duo.number < u32::MAX {
        duo.number = duo.number.saturating_add(1 << 24);
        duo.alice.ouch(&message(b'O', duo.number, 0, b""));
        assert_eq!(duo.alice.message()[0], b'A');
    }
    duo.alice.ouch(&message(b'O', u32::MAX, 0, b""));
    duo.alice.ouch(&message(b'U', 0, u32::MAX, b""));
    duo.alice.ouch(&message(b'X', 0, u32::MAX, b""));
    let told = duo.alice.sync();
    assert_eq!(told.iter().map(|it| it[0]).collect::<Vec<_>>(), b"CQ");
    assert_eq!(told[1][9..13], u32::MAX.to_be_bytes(), "there is no next number");
    duo.finish();
}

#[test]
fn orders_that_are_not_the_sessions_own_and_live_are_not_touched() {
    let mut duo = Duo::start();
    let dead = duo.live();
    duo.alice.ouch(&cancel(dead, 0, b""));
    duo.alice.message();
    let live = duo.live();
    for _ in 0..live + 5 {
        duo.check("numbers of Bob");
    }
    let foreign = duo.number + 1;
    duo.bobs = foreign;
    duo.bob.ouch(&message(b'O', foreign, 0, b""));
    duo.bob.message();
    for unknown in [0, dead, foreign, u32::MAX] {
        let number = duo.number + 1;
        for kind in *b"XMU" {
            duo.alice.ouch(&message(kind, number, unknown, b""));
        }
        duo.alice.ouch(&message(b'X', 0, unknown, b"\x02\x63x"));
        let told = duo.alice.sync();
        assert_eq!((told.len(), told[0][0]), (1, b'Q'), "{unknown}");
        assert_eq!(told[0][9..13], number.to_be_bytes(), "{unknown}: no number is consumed");
    }
    duo.bob.ouch(&cancel(foreign, 0, b""));
    assert_eq!(duo.bob.message()[0], b'C', "Bob's order stood");
    duo.check("after all");
    duo.finish();
}

/// The reference by which a Cancel names an order.
fn by_reference(number: u32, reference: u64) -> Vec<u8> {
    cancel(number, 0, &[b"\x09\x80", &reference.to_be_bytes()[..]].concat())
}

#[test]
fn references_that_are_foreign_stale_or_forged_cancel_nothing() {
    let mut duo = Duo::start();
    let reference_of = |raw: &mut Raw, number| {
        raw.ouch(&message(b'O', number, 0, b""));
        Accepted::ref_from_prefix(&raw.message()).unwrap().0.order_reference.get()
    };
    duo.bobs = 1;
    let foreign = reference_of(&mut duo.bob, 1);
    let number = duo.next();
    let stale = reference_of(&mut duo.alice, number);
    duo.alice.ouch(&by_reference(0, stale));
    assert_eq!(duo.alice.message()[0], b'C');
    let live = duo.next();
    let own = reference_of(&mut duo.alice, live);
    assert_eq!(own & 0xFF_FFFF, stale & 0xFF_FFFF, "the slot is used again");
    for reference in [
        foreign,
        stale,
        0,
        u64::MAX,
        own ^ 1 << 63,
        own ^ 1 << 48,
        own ^ 1 << 24,
        own ^ 1,
        own | 0xFF_FFFF,
    ] {
        duo.alice.ouch(&by_reference(0, reference));
        assert_eq!(duo.alice.sync().len(), 1, "{reference:#x}");
    }
    // A reference that cannot be read names nothing, and then the number counts.
    duo.alice.ouch(&cancel(0, 0, b"\x02\x80\x01"));
    assert_eq!(duo.alice.sync().len(), 1);
    let twice = [&[9, 0x80][..], &own.to_be_bytes()].concat().repeat(2);
    let refused = [by_reference(live, own), cancel(live, 0, b"\x02\x80\x01"), cancel(0, 0, &twice)];
    for bytes in refused {
        duo.alice.ouch(&bytes);
        assert_eq!(duo.alice.message()[0], b'I', "{}", bytes.escape_ascii());
    }
    duo.alice.ouch(&by_reference(0, own));
    assert_eq!(duo.alice.message()[0], b'C', "it stood until now");
    duo.bob.ouch(&cancel(1, 0, b""));
    assert_eq!(duo.bob.message()[0], b'C', "so did Bob's");
    duo.check("after all");
    duo.finish();
}

/// A login of version 3 with these fields as they are.
fn login(user: [u8; 6], password: &[u8; 10], session: &[u8; 10], sequence: &[u8; 20]) -> Vec<u8> {
    [&b"\x00\x2fL"[..], &user, password, session, sequence].concat()
}

/// What begins a connection badly, and the reason of the refusal or a part of the last words.
type Beginning = (Vec<u8>, Result<u8, &'static str>);

fn bad_beginnings() -> Vec<Beginning> {
    let carol = |session, sequence| login(*b"CAROL ", b"CAROL     ", session, sequence);
    let blank = b"          ";
    let zero = b"                   0";
    let long = |len: usize| {
        let len_bytes = u16::try_from(len + 1).unwrap().to_be_bytes();
        [&len_bytes[..], b"L", &vec![b' '; len]].concat()
    };
    let v4 = |timeout: &[u8; 5]| [&b"\x00\x34"[..], &carol(blank, zero)[2..], timeout].concat();
    vec![
        // Not authorised: the user is blank, unknown, or has a NUL or worse within.
        (login(*b"      ", b"CAROL     ", blank, zero), Ok(b'A')),
        (login(*b"\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0\0\0", blank, zero), Ok(b'A')),
        (login(*b"CA\0ROL", b"CAROL     ", blank, zero), Ok(b'A')),
        (login(*b"CAROLX", b"CAROL     ", blank, zero), Ok(b'A')),
        (login(*b"\xff\xfe\x80\xc3\x28\x01", b"CAROL     ", blank, zero), Ok(b'A')),
        (login(*b"BOB   ", b"          ", blank, zero), Ok(b'A')),
        (login(*b"ALICE ", b"AL\0ICE    ", blank, zero), Ok(b'A')),
        // No such session or number.
        (carol(b"NOSUCHDAY!", zero), Ok(b'S')),
        (carol(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", zero), Ok(b'S')),
        (carol(blank, b"18446744073709551615"), Ok(b'S')),
        (carol(blank, b"18446744073709551616"), Ok(b'S')),
        (carol(blank, b"99999999999999999999"), Ok(b'S')),
        (carol(blank, b"                   2"), Ok(b'S')),
        // Numbers that are none.
        (carol(blank, b"                  -1"), Err("number is '-'")),
        (carol(blank, b"                 1 1"), Err("number is ' '")),
        (carol(blank, b"                1\x001 "), Err(r"number is '\x00'")),
        (carol(blank, b"                 0x1"), Err("number is 'x'")),
        (v4(b"   -1"), Err("heartbeat timeout")),
        (v4(b"1e999"), Err("heartbeat timeout")),
        // Lengths of no login, up to the longest packet and beyond.
        (long(0), Err("has 0 bytes")),
        (long(45), Err("has 45 bytes")),
        (long(47), Err("has 47 bytes")),
        (long(50), Err("has 50 bytes")),
        (long(52), Err("has 52 bytes")),
        (long(64), Err("has 64 bytes")),
        (long(65), Err("has 65 bytes")),
        (long(1_021), Err("has 1021 bytes")),
        (long(1_022), Err("at most 1021")),
        // Anything else before a login.
        (b"\x00\x00".to_vec(), Err("length is 0")),
        (b"\x00\x02UQ".to_vec(), Err("a login request ('L') first")),
        (b"\x00\x01R".to_vec(), Err("packet type 'R'")),
        (b"\x00\x01O".to_vec(), Err("packet type 'O'")),
        (b"\x00\x01S".to_vec(), Err("packet type 'S'")),
    ]
}

#[test]
fn a_malformed_login_is_answered_by_its_reason_and_the_end() {
    let mut duo = Duo::start();
    for (bytes, expected) in bad_beginnings() {
        let context = bytes.escape_ascii().to_string();
        for address in [duo.venue.venue().orders_addr(), duo.venue.venue().data_addr()] {
            // Number 2 is next on no port, but the feed has it.
            if address == duo.venue.venue().data_addr() && bytes.ends_with(b" 2") {
                continue;
            }
            let mut raw = Raw::connect(address);
            raw.send(&bytes);
            let (kind, payload) = raw.packet().unwrap_or_else(|| panic!("{context}: no answer"));
            match expected {
                Ok(reason) => assert_eq!((kind, payload), (b'J', vec![reason]), "{context}"),
                Err(text) => {
                    let found = String::from_utf8(payload).unwrap();
                    assert!(kind == soup::DEBUG && found.contains(text), "{context}: {found}");
                }
            }
            assert_eq!(raw.packet(), None, "{context}");
        }
    }
    duo.check("after all");
    let mut carol = duo.venue.orders("CAROL", 1);
    assert_eq!(carol.sync().len(), 2, "the right login works");
    duo.finish();
}

#[test]
fn bytes_behind_a_login_are_judged_when_it_is_granted() {
    let mut duo = Duo::start();
    let mut bytes = login(*b"CAROL ", b"CAROL     ", b"          ", b"                   1");
    bytes.extend(packet(enter(1, b'B', 5, PX - 100).as_bytes()));
    bytes.extend(b"\x00\x02Uz");
    let mut raw = Raw::connect(duo.venue.venue().orders_addr());
    raw.send(&bytes);
    assert_eq!(raw.packet().unwrap().0, soup::LOGIN_ACCEPTED);
    raw.next = 1;
    let (next, text) = until_closed(&mut raw);
    assert!(text.contains("unknown message type 'z'"), "{text}");
    let mut carol = duo.venue.orders("CAROL", next);
    assert_eq!(carol.sync().last().unwrap()[9..13], 2_u32.to_be_bytes(), "the order counts");
    duo.check("beside a login");
    duo.finish();
}
