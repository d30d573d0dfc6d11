//! What is exported from a journal is what was sent.

use std::{collections::HashMap, io};

use uncross_server::{
    export::{Session, SessionName, StreamOf, Survey, Taker, export, line::Line, survey},
    venue::Options,
};
use uncross_wire::{IntoBytes, soup};

use crate::{
    days::today,
    harness::{Raw, TestVenue, enter, with_appendage},
    kinds::forget_the_end,
};

/// Keeps all that is exported.
#[derive(Default)]
struct Kept {
    feed: Vec<Vec<u8>>,
    ports: HashMap<u16, Vec<Vec<u8>>>,
    copies: HashMap<[u8; 4], Vec<Vec<u8>>>,
    lines: Vec<Line>,
}

impl Taker for Kept {
    fn wants_events(&self) -> bool {
        true
    }

    fn message(&mut self, stream: StreamOf, parts: &[&[u8]]) -> io::Result<()> {
        let messages = match stream {
            StreamOf::Feed => &mut self.feed,
            StreamOf::Port(port) => self.ports.entry(port).or_default(),
            StreamOf::Firm(firm) => self.copies.entry(firm).or_default(),
        };
        messages.push(parts.concat());
        Ok(())
    }

    fn event(&mut self, line: &Line) -> io::Result<()> {
        self.lines.push(line.clone());
        Ok(())
    }
}

fn kept(venue: &TestVenue, session: SessionName) -> Kept {
    let mut kept = Kept::default();
    export(&venue.dir().journal(), session, &mut kept).unwrap();
    kept
}

fn sessions(venue: &TestVenue) -> Vec<Session> {
    survey(&venue.dir().journal()).unwrap().sessions
}

/// Trades a little; returns all that ALICE was told.
fn trade(alice: &mut Raw, venue: &TestVenue) -> Vec<Vec<u8>> {
    let mut carol = venue.orders("CAROL", 0);
    alice.ouch(&with_appendage(enter(1, b'B', 100, 1_000_000), b"\x05\x02FIRM"));
    alice.ouch(enter(2, b'B', 100, 990_000).as_bytes());
    alice.ouch(enter(2, b'B', 100, 990_000).as_bytes());
    alice.ouch(enter(3, b'X', 100, 990_000).as_bytes());
    let mut told = alice.sync();
    carol.ouch(enter(1, b'S', 130, 980_000).as_bytes());
    carol.sync();
    told.extend(alice.sync());
    told
}

#[test]
fn an_exported_session_is_what_was_sent_byte_for_byte() {
    let users = crate::harness::USERS.map(|user| (user, "FIRM"));
    let listeners = [("RISK", "FIRM")];
    let mut venue = TestVenue::with_copies(&[], Options::default(), &users, &listeners);
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(1);
    let told = trade(&mut alice, &venue);
    let mut seen = feed.until(b'E');
    seen.push(feed.message());
    let copied = venue.orders("RISK", 1).messages(told.len());

    let session = sessions(&venue).pop().unwrap();
    let Survey { ports, copied_firms, .. } = survey(&venue.dir().journal()).unwrap();
    assert!(copied_firms.iter().eq(["FIRM"]));
    let beside = kept(&venue, session.name);
    venue.stop();
    let after = kept(&venue, session.name);
    for exported in [beside, after] {
        assert_eq!(exported.feed, seen);
        assert_eq!(exported.ports[&ports["ALICE"]], told);
        assert_eq!(exported.copies[b"FIRM"][..copied.len()], copied);
        assert!(session.first_seq <= exported.lines[0].seq);
        let places: Vec<_> = exported.lines.iter().map(|line| (line.seq, line.index)).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "every event has a place of its own");
    }
}

#[test]
fn sessions_are_exported_one_by_one() {
    let (mut venue, (_alice, mut feed)) = today(|venue| {
        let mut alice = venue.orders("ALICE", 1);
        let feed = venue.data(1);
        alice.ouch(enter(1, b'B', 10, 1_000_000).as_bytes());
        alice.messages(2);
        (alice, feed)
    });
    // Until the session ends, which closes the connection.
    let mut first = Vec::new();
    while let Some((soup::SEQUENCED_DATA, message)) = feed.packet() {
        first.push(message);
    }
    // Until the market of the next day has begun.
    let second = venue.data(1).messages(13);
    venue.stop();

    let found = sessions(&venue);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].last_seq + 1, found[1].first_seq);
    for (session, day) in found.iter().zip([first, second]) {
        assert_eq!(kept(&venue, session.name).feed, day);
    }
    assert!(kept(&venue, *b"NO-SESSION").feed.is_empty());
}

#[test]
fn what_follows_a_loss_is_a_session_of_its_own() {
    let mut venue = TestVenue::with(&[("journal.level", "async")]);
    let mut alice = venue.orders("ALICE", 1);
    let mut feed = venue.data(1);
    alice.ouch(enter(1, b'B', 10, 1_000_000).as_bytes());
    alice.sync();
    let first = feed.until(b'A');
    venue.stop();
    forget_the_end(&venue);
    venue.restart().unwrap();
    // Until the market is open again, with the order that stands.
    let second = venue.data(1).messages(14);
    venue.stop();

    let found = sessions(&venue);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].date, found[1].date);
    assert_ne!(found[0].name, found[1].name);
    for (session, messages) in found.iter().zip([first, second]) {
        assert_eq!(kept(&venue, session.name).feed, messages);
    }
}
