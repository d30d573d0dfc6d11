//! `uncross tape` and `uncross top`.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::{
    fake,
    json::Json,
    program::{Place, program},
    running::Running,
};

/// A message of the feed: type, locate, time and body.
fn message(kind: u8, time_ns: u64, body: &[&[u8]]) -> Vec<u8> {
    let time = &time_ns.to_be_bytes()[2..];
    [&[kind, 0, 1, 0, 0][..], time, &body.concat()].concat()
}

/// A day with every kind of message that tells a trade.
fn day() -> Vec<Vec<u8>> {
    let (ten, four) = (10_u32.to_be_bytes(), 4_u32.to_be_bytes());
    let price = 100_500_u32.to_be_bytes();
    let number = |number: u64| number.to_be_bytes();
    let second = 1_000_000_000;
    vec![
        message(b'S', 0, &[b"O"]),
        message(b'R', 0, &[b"DEMO    ", b"  ", &four, b"NQZ P   ", b" ", &[0; 4], b"N"]),
        message(b'A', second, &[&number(5), b"B", &ten, b"DEMO    ", &price]),
        message(b'E', 2 * second, &[&number(5), &four, &number(11)]),
        message(b'C', 3 * second, &[&number(5), &four, &number(12), b"N", &price]),
        message(b'P', 4 * second, &[&number(0), b"B", &ten, b"DEMO    ", &price, &number(13)]),
        message(b'Q', 5 * second, &[&number(20), b"DEMO    ", &price, &number(14), b"O"]),
        message(b'B', 6 * second, &[&number(13)]),
    ]
}

#[test]
fn every_kind_of_trade_is_on_the_tape() {
    let (address, venue) = fake::feed(day(), 6);
    let place = Place::empty();
    place.write("password.txt", "secret");
    let login = format!("--data {address} --user ACME --password-file password.txt");
    let text = place.run(&format!("tape {login}")).expect_success();
    let expected = "\
00:00:02.000000000  DEMO               4 @ 10.0500       match 11  sell
00:00:03.000000000  DEMO               4 @ 10.0500       match 12  sell  no volume
00:00:04.000000000  DEMO              10 @ 10.0500       match 13  hidden
00:00:05.000000000  DEMO              20 @ 10.0500       match 14  cross  opening
00:00:06.000000000  DEMO      broken  match 13\n";
    assert_eq!(text, expected);

    let run = place.run(&format!("tape DEMO --from 5 --last 3 --json {login}"));
    let json = run.expect_json("uncross.tape/1");
    let trades = json.value("trades").as_array().unwrap();
    let kinds: Vec<_> = trades.iter().map(|trade| trade["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hidden", "cross", "broken"]);
    assert_eq!(trades[0]["number"].as_u64(), Some(6));
    assert_eq!(json.number("next_number"), 9);

    let run = place.run(&format!("tape NOPE {login}"));
    run.expect_failure(1, "UX-O005");
    venue.join().unwrap();
}

#[test]
fn the_tape_goes_on_with_each_trade() {
    let running = Running::start();
    for order in ["order buy COIN 1 @ 5", "order sell COIN 0.25 @ 5"] {
        running.run_as("ACME", order).expect_success();
    }
    let mut command = program(&running.place.path(""));
    let words = "tape --watch --json --venue venue --user BETA --password-file password.txt";
    let command = command.args(words.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = Json::parse(&lines.next().unwrap());
    assert_eq!(first.text("schema"), "uncross.trade/1");
    let parts = ["symbol", "price", "quantity", "aggressor"].map(|key| first.text(key).to_owned());
    assert_eq!(parts, ["COIN", "5.00", "0.250", "sell"], "in the decimals of the instrument");
    running.run_as("ACME", "order buy DEMO 9 @ 10").expect_success();
    running.run_as("ACME", "order sell DEMO 2 @ 10").expect_success();
    let second = Json::parse(&lines.next().unwrap());
    let parts = ["symbol", "price", "quantity"].map(|key| second.text(key).to_owned());
    assert_eq!(parts, ["DEMO", "10.0000", "2"]);
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(lines.next(), None);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));

    let text = running.run_as("BETA", "tape DEMO --last 1").expect_success();
    assert!(text.contains(" 2 @ 10.0000 ") && text.lines().count() == 1, "{text}");
    assert_eq!(running.run_as("BETA", "tape --from 0").expect_success(), "");
    assert_eq!(running.run_as("BETA", "tape --from 0 --watch --for 1ms").expect_success(), "");
}

#[test]
fn a_tape_that_nobody_reads_ends_quietly() {
    let running = Running::start();
    for order in ["order buy DEMO 9 @ 10", "order sell DEMO 9 @ 10"] {
        running.run_as("ACME", order).expect_success();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program(&running.place.path(""));
    let words = "tape --watch --venue venue --user BETA --password-file password.txt";
    let child = command.args(words.split(' ')).stdout(writer).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_top_of_every_book_is_a_line() {
    let running = Running::start();
    for order in [
        "order buy DEMO 9 @ 10",
        "order sell DEMO 5 @ 10",
        "order sell DEMO 3 @ 10.10",
        "order buy COIN 1.5 @ 5",
    ] {
        running.run_as("ACME", order).expect_success();
    }
    let text = running.run_as("BETA", "top").expect_success();
    assert!(text.starts_with("SYMBOL  STATE"), "{text}");
    let row = |symbol: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(symbol)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    let expected = ["DEMO", "trading", "4", "10.0000", "10.1000", "3", "10.0000", "5"];
    assert_eq!(row("DEMO "), expected);
    assert_eq!(row("COIN "), ["COIN", "trading", "1.500", "5.00", "-", "-", "-", "0.000"]);
    assert_eq!(text.lines().count(), 6, "{text}");

    let json = running.run_as("BETA", "top COIN --json").expect_json("uncross.top/1");
    let only = &json.value("instruments").as_array().unwrap()[..];
    assert_eq!((only.len(), only[0]["bid"]["quantity"].as_str()), (1, Some("1.500")));
    running.run_as("BETA", "top NOPE").expect_failure(1, "UX-O005");

    let mut command = program(&running.place.path(""));
    let words = "top DEMO --watch --venue venue --user BETA --password-file password.txt";
    let mut child = command.args(words.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = "DEMO  bid 4 @ 10.0000  ask 3 @ 10.1000  last 5 @ 10.0000  volume 5";
    assert_eq!(lines.next().as_deref(), Some(first));
    running.run_as("ACME", "order buy COIN 1 @ 4").expect_success();
    running.run_as("ACME", "order buy DEMO 1 @ 9").expect_success();
    running.run_as("ACME", "order buy DEMO 1 @ 10.10").expect_success();
    let second = "DEMO  bid 4 @ 10.0000  ask 2 @ 10.1000  last 1 @ 10.1000  volume 6";
    assert_eq!(lines.next().as_deref(), Some(second), "what does not change the top is silent");
    child.kill().unwrap();
    child.wait().unwrap();
    let text = running.run_as("BETA", "top COIN --watch --for 1ms --json").expect_success();
    assert_eq!(Json::parse(&text).text("schema"), "uncross.top-line/1");
}
