//! A venue that is killed in the middle of trading has lost nothing that anyone has seen.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use uncross_client::{
    ConnectOptions, Connection, Event, NewOrder, Side, Symbol, TimeInForce,
    wire::{
        IntoBytes,
        ouch::{codes::Display, outbound::Outbound},
    },
};

use crate::{program::Place, server::Server};

const USERS: [&str; 8] = ["KILL1", "KILL2", "KILL3", "KILL4", "KILL5", "KILL6", "KILL7", "KILL8"];
/// Who reports for the listener to market data; the others are their place in [`USERS`].
const PUBLIC: usize = USERS.len();
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest that a venue trades before it is killed.
const LIFE: Duration = Duration::from_mins(10);
/// Orders a client sends at once.
const BATCH: u32 = 25;
/// Messages after which a client reports how far it is.
const STRIDE: usize = 100;
/// Kills that one venue survives before another is made: its sessions are read whole after each.
const ROUNDS_PER_VENUE: u64 = 20;

/// Rounds at each level; `UNCROSS_KILL_ROUNDS` asks for another number.
fn rounds() -> u64 {
    std::env::var("UNCROSS_KILL_ROUNDS")
        .map_or(ROUNDS_PER_VENUE, |text| text.parse().expect("a number of rounds"))
}

fn place() -> Place {
    let place = Place::with_venue();
    for user in USERS {
        place
            .run_with(&format!("user add {user} --venue venue --password-stdin"), &[], "secret")
            .expect_success();
    }
    place
}

fn options(address: &str, user: &str) -> ConnectOptions {
    ConnectOptions::new(address.to_owned(), user, "secret")
}

/// Short segments, so that kills also hit their ends; another layout each time, and in two rounds
/// of three so many snapshots that the next start begins at one.
fn start(place: &Place, level: &str, round: u64) -> Server {
    let layout = if round.is_multiple_of(2) { "fused" } else { "split" };
    let snapshot_every = if round.is_multiple_of(3) { 1_000_000 } else { 500 };
    let settings = [
        "journal.segment=64KiB",
        "core.pin=false",
        &format!("core.layout={layout}"),
        &format!("journal.level={level}"),
        &format!("journal.snapshot_every={snapshot_every}"),
        "journal.snapshot_rest=9",
    ];
    Server::start(place, &settings.map(|setting| format!("--set {setting}")).join(" "))
}

/// The order a client sends under a number: all of them cross now and then.
fn order(user: usize, number: u32) -> NewOrder {
    let side = if (number as usize + user).is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let price = 1_000_000 + 100 * (u64::from(number) * 7 % 13);
    let symbol = Symbol::new("DEMO").unwrap();
    let mut order = NewOrder::limit(side, symbol, 1 + number % 50, price);
    if number.is_multiple_of(3) {
        order.time_in_force = TimeInForce::ImmediateOrCancel;
    }
    order.display = match number % 7 {
        0 | 1 => Display::Hidden,
        2 => Display::Attributable,
        _ => Display::Visible,
    };
    order
}

/// A venue's life as its clients know it.
struct Life {
    is_over: AtomicBool,
    /// When everybody must have heard something.
    deadline: Instant,
}

impl Life {
    /// Connects while the venue lives: a busy machine may let a login or a reader be too slow.
    fn connect(&self, options: &ConnectOptions) -> Option<Connection> {
        while !self.is_over.load(Ordering::Acquire) {
            match Connection::connect(options) {
                Ok(connection) => return Some(connection),
                Err(error) => assert!(Instant::now() < self.deadline, "{error}"),
            }
        }
        None
    }
}

/// Reads market data until the venue is over; adds every message to `seen`, and says once that
/// there was one.
fn listen(address: &str, seen: &mut Vec<Vec<u8>>, progress: &mpsc::Sender<usize>, life: &Life) {
    let first = seen.len() as u64 + 1;
    loop {
        let options = options(address, USERS[0]).from_number(seen.len() as u64 + 1);
        let Some(mut connection) = life.connect(&options) else { return };
        while let Ok(event) = connection.next_message(PATIENCE) {
            if let Some(Event::Sequenced { number, payload }) = event {
                assert_eq!(number, seen.len() as u64 + 1, "numbers rise by one");
                seen.push(payload.to_vec());
                if number == first {
                    // The other end may have heard enough.
                    let _is_heard = progress.send(PUBLIC);
                }
            }
        }
    }
}

/// The feed from message `first` up to `last`.
fn feed(address: &str, first: u64, last: u64) -> Vec<Vec<u8>> {
    let options = options(address, USERS[0]).from_number(first);
    let mut connection = Connection::connect(&options).unwrap();
    let mut messages = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while (messages.len() as u64) < last + 1 - first {
        assert!(Instant::now() < deadline, "{} of {first} to {last}", messages.len());
        if let Some(Event::Sequenced { payload, .. }) = connection.next_message(PATIENCE).unwrap() {
            messages.push(payload.to_vec());
        }
    }
    messages
}

/// Trades until the connection breaks; adds every message received to `seen`.
fn trade(
    options: &ConnectOptions,
    user: usize,
    seen: &mut Vec<Vec<u8>>,
    progress: &mpsc::Sender<usize>,
    life: &Life,
) {
    let next = seen.len() as u64 + 1;
    let Some(mut connection) = life.connect(&options.clone().from_number(next)) else { return };
    let mut number = 0;
    loop {
        for _ in 0..BATCH {
            number += 1;
            let message = order(user, number).message(number);
            if connection.queue(message.as_bytes()).is_err() {
                return;
            }
        }
        if connection.queue(b"Q").and_then(|()| connection.flush()).is_err() {
            return;
        }
        loop {
            match connection.next_message(PATIENCE) {
                Ok(Some(Event::Sequenced { number: at, payload })) => {
                    assert_eq!(at, seen.len() as u64 + 1, "numbers rise by one");
                    seen.push(payload.to_vec());
                    if seen.len().is_multiple_of(STRIDE) {
                        // The other end may have heard enough.
                        let _is_heard = progress.send(user);
                    }
                    if payload[0] == b'Q' {
                        // A restarted client goes on where the venue says.
                        number = u32::from_be_bytes(payload[9..13].try_into().unwrap()) - 1;
                        break;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// Everything of a session from message `first` on, up to the answer to something said now.
fn replay(options: &ConnectOptions, first: u64) -> Vec<Vec<u8>> {
    // No order has so high a number: it is refused without being used, and the refusal names it.
    static MARKERS: AtomicU32 = AtomicU32::new(u32::MAX);
    let marker = MARKERS.fetch_sub(1, Ordering::Relaxed);
    let mut connection = Connection::connect(&options.clone().from_number(first)).unwrap();
    // Two repetitions before it: they must change nothing.
    for number in [1, 2, marker] {
        connection.send(order(0, number).message(number).as_bytes()).unwrap();
    }
    let mut messages = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no answer after {} messages", messages.len());
        let event = connection.next_message(PATIENCE).unwrap();
        let Some(Event::Sequenced { payload, .. }) = event else { continue };
        messages.push(payload.to_vec());
        if let Outbound::Rejected(it, _) = Outbound::decode(payload).unwrap()
            && it.user_ref_num.get() == marker
        {
            break;
        }
    }
    connection.logout().unwrap();
    messages
}

/// Every match number stands in two reports, one of each side.
fn check_trades(sessions: &[Vec<Vec<u8>>]) -> usize {
    let mut sides: HashMap<u64, Vec<(u8, u32)>> = HashMap::new();
    for message in sessions.iter().flatten() {
        if let Outbound::Executed(it, _) = Outbound::decode(message).unwrap() {
            let side = (it.liquidity, it.quantity.get());
            sides.entry(it.match_number.get()).or_default().push(side);
        }
    }
    for (number, sides) in &mut sides {
        sides.sort_unstable();
        let [(b'A' | b'J', added), (b'R', removed)] = sides[..] else {
            panic!("match {number:x} was reported as {sides:?}");
        };
        assert_eq!(added, removed, "match {number:x}");
    }
    sides.len()
}

/// What the clients of a venue have received, over all its lives.
struct Witnesses {
    sessions: Vec<Vec<Vec<u8>>>,
    feed: Vec<Vec<u8>>,
}

impl Witnesses {
    /// Trades from all sessions until `target` messages were reported and one was heard in public;
    /// then kills the venue.
    fn trade_until_killed(&mut self, server: Server, target: usize) {
        let (progress, reports) = mpsc::channel();
        let (orders, data) = (server.orders.clone(), server.data.clone());
        let deadline = Instant::now() + LIFE;
        let life = &Life { is_over: AtomicBool::new(false), deadline };
        thread::scope(|scope| {
            let (seen, public) = (&mut self.feed, progress.clone());
            scope.spawn(move || listen(&data, seen, &public, life));
            for (user, seen) in self.sessions.iter_mut().enumerate() {
                let (options, progress) = (options(&orders, USERS[user]), progress.clone());
                scope.spawn(move || trade(&options, user, seen, &progress, life));
            }
            drop(progress);
            let mut heard = [0; PUBLIC + 1];
            let is_enough = |heard: &[usize; PUBLIC + 1]| {
                target <= heard[..PUBLIC].iter().sum::<usize>() && !heard.contains(&0)
            };
            while !is_enough(&heard) && Instant::now() < deadline {
                let user = reports.recv_timeout(PATIENCE);
                heard[user.expect("clients trade until the venue is killed")] += STRIDE;
            }
            life.is_over.store(true, Ordering::Release);
            server.kill();
            assert!(is_enough(&heard), "within {LIFE:?} they heard {heard:?} of {target}");
        });
    }

    /// Everything received before is there again, byte for byte under the same number.
    fn check(&mut self, server: &Server, context: &str) {
        let mut whole = Vec::new();
        for (user, seen) in self.sessions.iter_mut().enumerate() {
            let options = options(&server.orders, USERS[user]);
            let all = replay(&options, 1);
            assert!(seen.len() < all.len());
            assert!(seen[..] == all[..seen.len()], "{context}: {} differs", USERS[user]);
            let rest = replay(&options, seen.len() as u64 + 1);
            assert!(rest[..rest.len() - 1] == all[seen.len()..], "{context}: the rest");
            *seen = all;
            seen.push(rest.last().unwrap().clone());
            whole.push(seen.clone());
        }
        assert!(0 < check_trades(&whole), "{context}: nobody traded");
        let last = self.feed.len() as u64;
        assert!(0 < last, "{context}: nothing was told to the public");
        assert!(self.feed == feed(&server.data, 1, last), "{context}: the feed differs");
    }
}

/// Kills a venue under load so many times, checks what it says after each, and its journal at last.
fn survive(level: &str, rounds: u64) {
    let place = place();
    let mut witnesses = Witnesses { sessions: vec![Vec::new(); USERS.len()], feed: Vec::new() };
    let mut server = start(&place, level, 0);
    for round in 1..=rounds {
        // At another point each time.
        let target = 1_000 + usize::try_from(round * 977 % 3_000).unwrap();
        let before: Vec<usize> = witnesses.sessions.iter().map(Vec::len).collect();
        witnesses.trade_until_killed(server, target);
        let context = format!("level {level}, round {round}");
        for (user, before) in before.into_iter().enumerate() {
            assert!(before < witnesses.sessions[user].len(), "{context}: {} slept", USERS[user]);
        }
        server = start(&place, level, round);
        assert!(0 < server.records, "{context}");
        witnesses.check(&server, &context);
    }
    server.stop();
    let verified = place.run("journal verify venue --json").expect_json("uncross.journal.verify/1");
    assert_eq!(verified.number("durable_seq"), verified.number("last_seq"));
    place.run("replay venue --hash").expect_success();
}

/// Several venues at a time, each killed in [`ROUNDS_PER_VENUE`] rounds.
fn survive_all(level: &str, venues: usize) {
    let left = &AtomicU64::new(rounds());
    let next = || {
        let taken = |left: u64| (0 < left).then(|| left.saturating_sub(ROUNDS_PER_VENUE));
        let left = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
        left.ok().map(|left| left.min(ROUNDS_PER_VENUE))
    };
    thread::scope(|scope| {
        for _ in 0..venues {
            scope.spawn(move || {
                while let Some(rounds) = next() {
                    survive(level, rounds);
                }
            });
        }
    });
}

#[test]
fn a_venue_killed_at_level_async_says_every_message_again_and_executes_nothing_twice() {
    survive_all("async", 1);
}

#[test]
fn a_venue_killed_at_level_group_says_every_message_again_and_executes_nothing_twice() {
    survive_all("group", 1);
}

#[test]
fn a_venue_killed_at_level_sync_says_every_message_again_and_executes_nothing_twice() {
    // A venue that waits for the disk leaves the CPUs to others.
    survive_all("sync", 3);
}
