//! A venue that is killed in the middle of trading has lost nothing that anyone has seen.

use std::{collections::HashMap, sync::mpsc, thread, time::Duration};

use uncross_client::{
    ConnectOptions, Connection, Event, NewOrder, Side, Symbol, TimeInForce,
    wire::{IntoBytes, ouch::outbound::Outbound},
};

use crate::{program::Place, server::Server};

const USERS: [&str; 4] = ["KILL1", "KILL2", "KILL3", "KILL4"];
const PATIENCE: Duration = Duration::from_secs(20);
/// Orders a client sends at once.
const BATCH: u32 = 25;
/// Messages after which a client reports how far it is.
const STRIDE: usize = 200;

/// Rounds of one run; `UNCROSS_KILL_ROUNDS` asks for another number.
fn rounds() -> u64 {
    std::env::var("UNCROSS_KILL_ROUNDS").map_or(5, |text| text.parse().expect("a number of rounds"))
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

fn options(server: &Server, user: &str) -> ConnectOptions {
    ConnectOptions::new(server.orders.clone(), user, "secret")
}

fn start(place: &Place) -> Server {
    // Short segments, so that kills also hit their ends.
    Server::start(place, "--set journal.segment=64KiB --set core.pin=false")
}

/// The order a client sends under a number: all of them cross now and then.
fn order(user: usize, number: u32) -> NewOrder {
    let side = if (number as usize + user).is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let price = 1_000_000 + 100 * u64::from(number * 7 % 13);
    let symbol = Symbol::new("DEMO").unwrap();
    let mut order = NewOrder::limit(side, symbol, 1 + number % 50, price);
    if number.is_multiple_of(3) {
        order.time_in_force = TimeInForce::ImmediateOrCancel;
    }
    order
}

/// Trades until the connection breaks; adds every message received to `seen`.
fn trade(
    options: &ConnectOptions,
    user: usize,
    seen: &mut Vec<Vec<u8>>,
    progress: &mpsc::Sender<usize>,
) {
    let next = seen.len() as u64 + 1;
    let Ok(mut connection) = Connection::connect(&options.clone().from_number(next)) else {
        return;
    };
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

/// Everything of a session from message `first` on, up to the answer to a question asked now.
fn replay(options: &ConnectOptions, first: u64) -> Vec<Vec<u8>> {
    let mut connection = Connection::connect(&options.clone().from_number(first)).unwrap();
    // Two repetitions and a question: the repetitions must change nothing.
    for number in [1, 2] {
        connection.send(order(0, number).message(number).as_bytes()).unwrap();
    }
    connection.send(b"Q").unwrap();
    let mut messages = Vec::new();
    // The session may hold answers of before; ours is the last message.
    loop {
        match connection.next_message(Duration::from_millis(300)).unwrap() {
            Some(Event::Sequenced { payload, .. }) => messages.push(payload.to_vec()),
            None if messages.last().is_some_and(|message| message[0] == b'Q') => break,
            Some(_) | None => {}
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
        let [(b'A', added), (b'R', removed)] = sides[..] else {
            panic!("match {number:x} was reported as {sides:?}");
        };
        assert_eq!(added, removed, "match {number:x}");
    }
    sides.len()
}

#[test]
fn a_killed_venue_says_every_message_again_and_executes_nothing_twice() {
    let place = place();
    let mut seen: Vec<Vec<Vec<u8>>> = vec![Vec::new(); USERS.len()];
    let mut server = start(&place);
    for round in 1..=rounds() {
        // At another point each time.
        let target = 1_000 + usize::try_from(round * 977 % 3_000).unwrap();
        let (progress, reports) = mpsc::channel();
        let before: Vec<usize> = seen.iter().map(Vec::len).collect();
        seen = thread::scope(|scope| {
            let clients: Vec<_> = seen
                .into_iter()
                .enumerate()
                .map(|(user, mut seen)| {
                    let (options, progress) = (options(&server, USERS[user]), progress.clone());
                    scope.spawn(move || {
                        trade(&options, user, &mut seen, &progress);
                        seen
                    })
                })
                .collect();
            drop(progress);
            let mut heard = [0; USERS.len()];
            while heard.iter().sum::<usize>() < target || heard.contains(&0) {
                let user = reports.recv().expect("clients trade until the venue is killed");
                heard[user] += STRIDE;
            }
            server.kill();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        server = start(&place);
        assert!(0 < server.records, "round {round}");
        let mut whole = Vec::new();
        for (user, seen) in seen.iter_mut().enumerate() {
            assert!(before[user] < seen.len(), "round {round}: {} did nothing", USERS[user]);
            let options = options(&server, USERS[user]);
            let all = replay(&options, 1);
            assert!(seen.len() < all.len());
            assert!(seen[..] == all[..seen.len()], "round {round}: {} differs", USERS[user]);
            let rest = replay(&options, seen.len() as u64 + 1);
            assert!(rest[..rest.len() - 1] == all[seen.len()..], "round {round}: the rest");
            *seen = all;
            seen.push(rest.last().unwrap().clone());
            whole.push(seen.clone());
        }
        assert!(0 < check_trades(&whole), "round {round}: nobody traded");
    }
    server.stop();
    let verified = place.run("journal verify venue --json").expect_json("uncross.journal.verify/1");
    assert_eq!(verified.number("durable_seq"), verified.number("last_seq"));
    place.run("replay venue --hash").expect_success();
}
