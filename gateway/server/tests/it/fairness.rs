//! Who is served when, and that nobody is held back by another.

use std::collections::BTreeMap;

use uncross_server::{
    journal::{Reader, kind},
    notice::{Closed, Notice},
};
use uncross_wire::{IntoBytes, soup};

use crate::{
    gate::{Disk, Gate},
    harness::{Raw, TestVenue, enter, orders_packet},
};

/// Frames served per session and turn while others wait.
const FRAMES: usize = 8;
/// Slots of the smallest ring; an order takes one.
const RING: usize = 64;

/// Ports of the orders in the journal, in their order.
fn order_ports(venue: &TestVenue) -> Vec<u16> {
    let mut ports = Vec::new();
    Reader::open_whole(&venue.dir().journal())
        .unwrap()
        .for_each::<()>(|record| {
            if record.kind == kind::ENTER {
                ports.push(u16::from_le_bytes([record.body[0], record.body[1]]));
            }
            Ok(())
        })
        .unwrap();
    ports
}

/// A venue whose core stands still with a full ring, until the gate is opened: each user has sent
/// `count` orders, the first one long before the others.
fn jam(users: &[(&str, &str)], settings: &[(&str, &str)], count: u32) -> Vec<u16> {
    let gate = Gate::new();
    let ring = RING.to_string();
    let mut all = vec![("journal.level", "sync"), ("capacity.ring_slots", ring.as_str())];
    all.extend_from_slice(settings);
    let mut venue = TestVenue::with_users(&all, gate.options(), users);
    let mut sessions: Vec<Raw> = users.iter().map(|(user, _)| venue.orders(user, 1)).collect();
    for session in &mut sessions {
        session.message();
    }
    gate.set(Disk::Hangs);
    for (position, session) in sessions.iter_mut().enumerate() {
        session.send(&orders_packet(1, count));
        if position == 0 {
            gate.wait_until_it_hangs();
        }
    }
    gate.set(Disk::Works);
    for session in &mut sessions {
        session.messages(count as usize);
    }
    drop(sessions);
    venue.stop();
    order_ports(&venue)
}

#[test]
fn a_flood_delays_others_by_a_bounded_number_of_frames() {
    const ORDERS: u32 = 200;
    let users = [("ALICE", "FIRM"), ("BOB", "FIRM"), ("CAROL", "FIRM")];
    let ports = jam(&users, &[], ORDERS);
    assert_eq!(ports.len(), 3 * ORDERS as usize);
    // What the flood had in the ring before the others came, and a turn of it, goes first.
    let head = 1 + RING + 2 * FRAMES;
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for (position, &port) in ports.iter().enumerate() {
        *counts.entry(port).or_default() += 1;
        let least = (1..=3).map(|port| counts.get(&port).copied().unwrap_or(0)).min().unwrap();
        let most = *counts.values().max().unwrap();
        let is_contested = most < ORDERS as usize;
        assert!(
            !is_contested || most - least <= head + 2 * FRAMES,
            "after {position} orders: {counts:?}"
        );
    }
    // Whoever is first in one round is not in the next: each follows each.
    let contested = &ports[head..2 * ORDERS as usize];
    let follows: std::collections::BTreeSet<(u16, u16)> =
        contested.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| a != b).collect();
    assert_eq!(follows.len(), 6, "{follows:?}");
}

#[test]
fn a_firm_with_many_sessions_gets_no_more_than_four_of_them() {
    const ORDERS: u32 = 60;
    let crowd = ["ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT"];
    let mut users: Vec<(&str, &str)> = crowd.iter().map(|&user| (user, "MANY")).collect();
    users.push(("ALONE", "LONE"));
    let ports = jam(&users, &[("session.frames_per_turn", "1")], ORDERS);
    let lone = u16::try_from(users.len()).unwrap();
    let places: Vec<usize> = (0..ports.len()).filter(|&place| ports[place] == lone).collect();
    assert_eq!(places.len(), ORDERS as usize);
    // It has one frame a round and the firm of many has four; the round may begin with either.
    // A ring that is full in the middle of a round cuts it short: over some rounds that evens out.
    let rounds = 10;
    for window in places.windows(rounds + 1) {
        let between = window[rounds] - window[0];
        assert!(between <= 6 * rounds, "{between} orders in {rounds} rounds: {places:?}");
    }
}

#[test]
fn a_subscriber_that_takes_nothing_is_cut_in_time_and_holds_nobody_back() {
    let settings = [("session.lag_max", "1GiB"), ("session.lag_time_max", "300ms")];
    let venue = TestVenue::with(&settings);
    let dead = venue.data(1);
    let mut feed = venue.data(1);
    feed.until(b'H');
    let mut alice = venue.orders("ALICE", 0);
    let mut number = 0;
    let mut is_cut = false;
    while !is_cut {
        let mut bytes = Vec::new();
        for _ in 0..2_000 {
            number += 1;
            let order = enter(number, b'B', 1, 100);
            bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, 47));
            bytes.extend_from_slice(order.as_bytes());
            bytes.extend_from_slice(&soup::header(soup::UNSEQUENCED_DATA, 9));
            bytes.extend_from_slice(&[b"X", &number.to_be_bytes()[..], &[0; 4]].concat());
        }
        alice.send(&bytes);
        // Reports come, and another subscriber sees each order come and go.
        alice.sync();
        feed.messages(4_000);
        is_cut = venue.venue().notices().try_iter().any(|notice| {
            matches!(notice, Notice::Closed { peer, reason: Closed::Slow }
                if peer == dead.socket.local_addr().unwrap())
        });
    }
    let mut seen = dead.next;
    let mut dead = dead;
    dead.may_be_cut = true;
    while let Some((kind, _)) = dead.packet() {
        assert_eq!(kind, soup::SEQUENCED_DATA);
        seen += 1;
    }
    assert!(seen < feed.next, "it has missed something");
    let mut resumed = venue.data(seen);
    assert_eq!(resumed.next, seen);
    resumed.message();
}

#[test]
fn the_delay_of_market_data_behind_reports_is_measured() {
    let mut venue = TestVenue::start();
    let mut feed = venue.data(0);
    let mut alice = venue.orders("ALICE", 1);
    for number in 1..=20 {
        alice.ouch(enter(number, b'B', 1, 1_000_000).as_bytes());
        alice.sync();
        feed.until(b'A');
    }
    let delay = venue.stop().feed_delay;
    assert!(20 <= delay.count, "{delay:?}");
    assert!(0 < delay.p50_ns && delay.p50_ns <= delay.p99_ns, "{delay:?}");
    assert!(delay.p99_ns <= delay.max_ns && delay.max_ns < 60_000_000_000, "{delay:?}");
}
