//! A book at any moment, against the one that the public feed builds.

use std::fs;

use serde_json::Value;
use uncross_client::{
    book::{BookSide, Books},
    text::Symbol,
    wire::itch::Message,
};

use crate::{journals::lines, json::Json, program::Place};

const SEED: u64 = 20_261_125;

/// The next of a series of random numbers.
fn next(state: &mut u64) -> u64 {
    // SplitMix64.
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The messages of a file in which each stands behind its length.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut messages) = (bytes, Vec::new());
    while let [high, low, tail @ ..] = rest {
        let (message, behind) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        messages.push(message.to_vec());
        rest = behind;
    }
    messages
}

/// Reference and quantity of the orders of a side that the public sees, as the tool shows them.
fn shown(book: &Json, side: &str) -> Vec<(u64, String)> {
    let orders = book.value(side).as_array().unwrap().iter();
    let visible = orders.filter(|order| order["display"] != "N");
    let text = |order: &Value, key: &str| order[key].as_str().unwrap().to_owned();
    visible
        .map(|order| (text(order, "order_reference").parse().unwrap(), text(order, "quantity")))
        .collect()
}

#[test]
fn a_book_at_any_moment_is_the_book_that_the_exported_feed_builds() {
    let place = Place::empty();
    let settings = crate::journals::SHORT;
    let demo = format!("demo --for 2s --port 0 --rate 2k --seed {SEED} --keep venue");
    place.run_with(&demo, &settings, "").expect_success();
    place.run("journal export venue --itch day.itch --events day.jsonl").expect_success();
    let feed = messages(&fs::read(place.path("day.itch")).unwrap());
    let day = place.read("day.jsonl");
    let day: Value = serde_json::from_str(day.lines().next().unwrap()).unwrap();
    let midnight_ns: u64 = day["midnight_ns"].as_str().unwrap().parse().unwrap();
    let records = lines(place.run("journal cat venue --kind enter --json"));
    let mut random = SEED;
    let mut orders = 0;
    for round in 0..50 {
        let pick = next(&mut random) % records.len() as u64;
        let record = &records[usize::try_from(pick).unwrap()];
        let symbol = record["symbol"].as_str().unwrap();
        let time = record["time"].as_str().unwrap();
        let shown_by = format!("journal book venue {symbol} --at {time} --json");
        let book = place.run(&shown_by).expect_json("uncross.journal.book/1");
        let last_ns = time_ns(time) - midnight_ns;
        let mut books = Books::new();
        for message in &feed {
            let message = Message::decode(message).unwrap();
            if last_ns < message.header().timestamp.ns() {
                break;
            }
            books.apply(&message).unwrap();
        }
        let decimals = if symbol == "COIN" { 3 } else { 0 };
        let built = books.by_symbol(Symbol::new(symbol).unwrap()).unwrap();
        for (side, name) in [(BookSide::Bid, "bids"), (BookSide::Ask, "asks")] {
            let built: Vec<_> = built
                .orders(side)
                .map(|order| {
                    let shares = u64::from(order.shares);
                    let text = uncross_client::wire::text::format_price(shares, decimals);
                    (order.reference, text.to_string())
                })
                .collect();
            orders += built.len();
            assert_eq!(shown(&book, name), built, "seed {SEED}, round {round}: {shown_by}");
        }
    }
    assert!(100 < orders, "{orders} orders were compared");
}

/// Nanoseconds since the UNIX epoch.
fn time_ns(time: &str) -> u64 {
    uncross_server::audit::moment::parse_utc(time).unwrap()
}
