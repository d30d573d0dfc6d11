//! What leaves, and when, at each level of durability.

use std::sync::Arc;

use uncross_wire::{IntoBytes, soup};

use crate::gate::{Disk, Gate};
use crate::harness::{Raw, TestVenue, enter, orders_packet};

fn venue_at(level: &str, gate: &Arc<Gate>) -> TestVenue {
    let settings = [("journal.level", level), ("session.heartbeat_interval", "10ms")];
    TestVenue::with_options(&settings, gate.options())
}

/// Sees the publisher at work, twice, and nothing of a stream.
fn expect_only_heartbeats(raw: &mut Raw) {
    // What came before the disk hung proves nothing.
    raw.take_arrived();
    for _ in 0..2 {
        let (kind, payload) = raw.any_packet().unwrap();
        assert_eq!(kind, soup::SERVER_HEARTBEAT, "{}", payload.escape_ascii());
    }
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    for level in ["group", "sync"] {
        let gate = Gate::new();
        let venue = venue_at(level, &gate);
        let mut feed = venue.data(0);
        let mut alice = venue.orders("ALICE", 1);
        let mut bob = venue.orders("BOB", 1);
        alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
        alice.messages(2);
        bob.message();
        feed.until(b'A');
        gate.set(Disk::Hangs);
        bob.ouch(enter(1, b'S', 40, 1_000_000).as_bytes());
        gate.wait_until_it_hangs();
        for raw in [&mut alice, &mut bob, &mut feed] {
            expect_only_heartbeats(raw);
        }
        // A login promises nothing that is not durable either.
        let late = venue.data(0);
        assert_eq!(late.next, feed.next, "{level}: the number of a message that may be lost");
        gate.set(Disk::Works);
        let kinds = [bob.messages(2), alice.messages(1), feed.messages(1)]
            .map(|messages| messages.iter().map(|it| it[0]).collect::<Vec<_>>());
        assert_eq!(kinds, [b"AE".to_vec(), b"E".to_vec(), b"E".to_vec()], "{level}");
    }
}

#[test]
fn a_report_does_not_wait_for_the_device_at_level_async() {
    let gate = Gate::new();
    let venue = venue_at("async", &gate);
    let mut alice = venue.orders("ALICE", 1);
    gate.set(Disk::Hangs);
    alice.ouch(enter(1, b'B', 100, 1_000_000).as_bytes());
    assert_eq!(alice.messages(2)[1][0], b'A');
    gate.set(Disk::Works);
}

#[test]
fn each_command_is_synced_by_itself_at_level_sync() {
    const ORDERS: u32 = 20;
    for (level, is_each) in [("group", false), ("sync", true)] {
        let gate = Gate::new();
        let venue = venue_at(level, &gate);
        let mut alice = venue.orders("ALICE", 1);
        alice.sync();
        // While one sync hangs the orders pile up behind it.
        gate.set(Disk::Hangs);
        alice.ouch(enter(1, b'B', 1, 1_000_000).as_bytes());
        gate.wait_until_it_hangs();
        let before = gate.begun();
        alice.send(&orders_packet(2, ORDERS - 1));
        expect_only_heartbeats(&mut alice);
        gate.set(Disk::Works);
        alice.messages(ORDERS as usize);
        let syncs = gate.begun() - before;
        let is_one_each = ORDERS as usize - 1 <= syncs;
        assert_eq!(is_one_each, is_each, "{level}: {syncs} syncs");
    }
}

#[test]
fn a_full_outbound_ring_pauses_the_core_and_loses_nothing() {
    const ORDERS: u32 = 5_000;
    let gate = Gate::new();
    let settings = [("journal.level", "group"), ("capacity.outbound_events", "1024")];
    let venue = TestVenue::with_options(&settings, gate.options());
    let mut alice = venue.orders("ALICE", 1);
    alice.sync();
    gate.set(Disk::Hangs);
    alice.send(&orders_packet(1, ORDERS));
    gate.wait_until_it_hangs();
    gate.set(Disk::Works);
    let messages = alice.messages(ORDERS as usize);
    for (number, message) in (1_u32..).zip(&messages) {
        assert_eq!((message[0], &message[9..13]), (b'A', &number.to_be_bytes()[..]));
    }
}
