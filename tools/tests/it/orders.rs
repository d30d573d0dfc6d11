//! `uncross order`, `cancel`, `replace` and `book` against a running venue.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
};

use crate::{
    json::Json,
    program::{Place, program},
    running::Running,
};

const SCHEMA: &str = "uncross.order/1";

fn ask(running: &Running, user: &str, arguments: &str) -> Json {
    running.run_as(user, &format!("{arguments} --json")).expect_json(SCHEMA)
}

fn words(json: &Json, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| json.text(key).to_owned()).collect()
}

#[test]
fn an_order_rests_and_the_next_one_trades_with_it() {
    let running = Running::start();
    let text = running.run_as("ACME", "order sell DEMO 100 @ 10.05 --id first").expect_success();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..3], ["live", "  order       sell DEMO 100 @ 10.0500", "  number      1"]);
    assert!(lines[3].starts_with("  reference   "), "{text}");
    assert_eq!(lines[4..6], ["  executed    0", "  open        100"]);
    assert!(lines[6].starts_with("  round trip  ") && lines[6].ends_with(" us"), "{text}");

    let json = ask(&running, "BETA", "order buy DEMO 130 10.06");
    assert_eq!(json.number("user_ref_num"), 1);
    let keys = ["request", "state", "side", "symbol", "quantity", "price", "executed", "open"];
    let expected = ["order", "live", "buy", "DEMO", "130", "10.0600", "100", "30"];
    assert_eq!(words(&json, &keys), expected);
    let executions = json.value("executions").as_array().unwrap();
    assert_eq!(executions.len(), 1);
    let execution = executions[0].as_object().unwrap();
    let parts = ["quantity", "price", "liquidity"].map(|key| execution[key].as_str().unwrap());
    assert_eq!(parts, ["100", "10.0500", "removed"], "at the maker's price");
    assert!(execution["match_number"].as_str().unwrap().parse::<u64>().is_ok());
    assert!(json.text("order_reference").parse::<u64>().is_ok());

    let filled = ask(&running, "ACME", "order sell DEMO 30 @ 10.00");
    assert_eq!(words(&filled, &["state", "executed", "open"]), ["filled", "30", "0"]);
    assert_eq!(filled.number("user_ref_num"), 2, "the number goes on");
}

#[test]
fn an_immediate_order_is_dead_or_loses_its_remainder() {
    let running = Running::start();
    let dead = ask(&running, "ACME", "order buy COIN 0.5 @ 10 --ioc");
    assert_eq!(words(&dead, &["state", "executed", "open"]), ["dead", "0.000", "0.000"]);
    running.run_as("BETA", "order short COIN 0.2 @ 9.5").expect_success();
    let json = ask(&running, "ACME", "order buy COIN 0.5 @ 10 --ioc");
    assert_eq!(words(&json, &["state", "executed", "open"]), ["canceled", "0.200", "0.000"]);
    let canceled = json.value("canceled").to_string();
    let expected = r#"{"quantity":"0.300","reason":"remainder of an immediate order"}"#;
    assert_eq!(canceled, expected);
}

#[test]
fn orders_are_reduced_canceled_and_replaced() {
    let running = Running::start();
    running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
    let json = ask(&running, "ACME", "cancel 1 --to 40");
    assert_eq!(words(&json, &["request", "state", "executed"]), ["cancel", "reduced", "0"]);
    let expected = r#"{"quantity":"60","reason":"user request"}"#;
    assert_eq!(json.value("canceled").to_string(), expected);

    let json = ask(&running, "ACME", "replace 1 50 @ 10.01");
    assert_eq!(json.number("user_ref_num"), 2);
    assert_eq!(json.number("replaced_user_ref_num"), 1);
    assert_eq!(words(&json, &["state", "price", "open"]), ["live", "10.0100", "50"]);
    running.run_as("BETA", "order sell DEMO 20 @ 10.05").expect_success();
    let json = ask(&running, "ACME", "replace 2 60 10.05 --ioc");
    assert_eq!(words(&json, &["state", "executed", "open"]), ["canceled", "20", "0"]);

    running.run_as("BETA", "order exempt DEMO 5 @ 11").expect_success();
    let text = running.run_as("BETA", "cancel 2 --symbol DEMO").expect_success();
    assert!(
        text.starts_with("canceled\n  number      2\n  canceled    5 (user request)\n"),
        "{text}"
    );
}

#[test]
fn without_the_folder_decimals_are_asked_for_or_told_raw() {
    let running = Running::start();
    running.run_as("ACME", "order buy COIN 0.5 @ 10").expect_success();
    let login = format!("--orders {} --user ACME --password-file password.txt", running.orders);
    let run = |arguments: &str| running.place.run(&format!("{arguments} {login}"));
    for arguments in ["order buy COIN 1 @ 10", "replace 1 1 @ 10", "cancel 1 --to 1"] {
        run(arguments).expect_failure(2, "UX-U001");
    }
    let decimals = "--price-decimals 2 --qty-decimals 3";
    let json = run(&format!("replace 1 0.4 @ 11 {decimals} --json")).expect_json(SCHEMA);
    assert_eq!(words(&json, &["price", "open"]), ["11.00", "0.400"]);
    let json = run("cancel 2 --json").expect_json(SCHEMA);
    assert_eq!(json.text("units"), "raw");
    assert_eq!(json.value("canceled")["quantity"].as_str(), Some("400"));
}

#[test]
fn requests_that_do_nothing_are_failures() {
    let running = Running::start();
    running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
    for (user, arguments) in [
        ("ACME", "cancel 7"),
        ("BETA", "cancel 1 --symbol DEMO"),
        ("ACME", "cancel 1 --to 100 --symbol DEMO"),
        ("ACME", "replace 7 50 @ 10 --symbol DEMO"),
    ] {
        let message = running.run_as(user, arguments).expect_failure(1, "UX-O002");
        assert!(
            message.contains("was ignored") || message.ends_with("unknown: nothing was sent"),
            "{message}"
        );
    }
    running.run_as("ACME", "cancel 1 --symbol COIN").expect_failure(2, "UX-U001");
    let run = running.run_as("ACME", "replace 1 50 @ 10.001 --symbol DEMO");
    let message = run.expect_failure(1, "UX-O003");
    assert_eq!(message, "order 1 is canceled and nothing stands in its place");
}

#[test]
fn rejections_name_their_reason() {
    let running = Running::start();
    for (arguments, reason) in [
        ("order buy DEMO 100 @ 10.001", "bad price (0x1D)"),
        ("order buy DEMO 1000000 @ 10", "bad quantity (0x13)"),
        ("order buy DEMO 100 @ 200000", "risk: market order not allowed (0x2C)"),
        ("order buy DEMO 100 @ 10 --firm BETA", "firm not authorised (0x0C)"),
    ] {
        let message = running.run_as("ACME", arguments).expect_failure(1, "UX-O001");
        assert!(message.ends_with(&format!(" was rejected: {reason}")), "{message}");
    }
    running.run_as("ACME", "order buy DEMO 1 @ 10 --firm ACME").expect_success();
    running.run_as("ACME", "order buy NOPE 1 @ 10").expect_failure(1, "UX-O005");
    // Without the folder only the venue knows its instruments.
    let login = format!("--orders {} --user ACME --password-stdin", running.orders);
    let run = running.place.run_with(
        &format!("order buy NOPE 1 @ 10 --price-decimals 4 --qty-decimals 0 {login}"),
        &[],
        "secret\n",
    );
    let message = run.expect_failure(1, "UX-O001");
    assert_eq!(message, "order 6 was rejected: bad symbol (0x17)");
}

#[test]
fn senseless_requests_are_refused_before_any_connection() {
    let place = Place::with_venue();
    place.write("password.txt", "secret");
    let login = "--venue venue --user ACME --password-file password.txt";
    for (arguments, code) in [
        ("order hold DEMO 1 @ 10", "UX-U001"),
        ("order buy SYMBOLTOOLONG 1 @ 10", "UX-U001"),
        ("order buy DEMO 1", "UX-U001"),
        ("order buy DEMO 1 at 10", "UX-U001"),
        ("order buy DEMO 1.5 @ 10", "UX-U005"),
        ("order buy DEMO 1 @ 10.12345", "UX-U005"),
        ("order buy DEMO 1 @ ten", "UX-U005"),
        ("order buy DEMO 1 @ 10 --password-stdin", "UX-U001"),
        ("order buy DEMO 1 @ 10 --orders nonsense", "UX-U001"),
        ("book DEMO --data nonsense", "UX-U001"),
        ("book DEMO --depth 0", "UX-U001"),
        ("order buy DEMO 1 @ 10 --price-decimals 4 --qty-decimals 0", "UX-U001"),
        ("cancel one --symbol DEMO", "UX-U001"),
        ("book DEMO --for 1s", "UX-U001"),
    ] {
        place.run(&format!("{arguments} {login}")).expect_failure(2, code);
    }
    place.run("order buy DEMO 1 @ 10 --user ACME").expect_failure(2, "UX-U001");
    let long = login.replace("ACME", "SEVENCH");
    place.run(&format!("order buy DEMO 1 @ 10 {long}")).expect_failure(2, "UX-U002");
    let config = place.read("venue/venue.toml").replace(":9001", ":0").replace(":9002", ":0");
    place.write("venue/venue.toml", &config);
    for command in ["order buy DEMO 1 @ 10", "book DEMO"] {
        place.run(&format!("{command} {login}")).expect_failure(3, "UX-N006");
    }
}

#[test]
fn connections_that_fail_have_their_codes() {
    let running = Running::start();
    running.place.write("wrong.txt", "guess");
    let order =
        "order buy DEMO 1 @ 10 --price-decimals 4 --qty-decimals 0 --user ACME --password-file";
    let run = running.place.run(&format!("{order} wrong.txt --orders {}", running.orders));
    run.expect_failure(5, "UX-A003");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let closer = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let run = running.place.run(&format!("{order} password.txt --orders {address}"));
    run.expect_failure(4, "UX-N003");
    closer.join().unwrap();
    // No system gives this port to anybody who asks for a free one.
    let run = running.place.run(&format!("{order} password.txt --orders 127.0.0.1:1"));
    run.expect_failure(4, "UX-N001");
    let run = running.place.run(&format!("{order} missing.txt --orders {address}"));
    run.expect_failure(1, "UX-F002");
}

#[test]
fn a_venue_that_says_nothing_is_given_up() {
    let (place, listener) = (Place::empty(), TcpListener::bind("127.0.0.1:0").unwrap());
    place.write("password.txt", "secret");
    let login = "--user ACME --password-file password.txt --data";
    let run = place.run(&format!("book DEMO {login} {}", listener.local_addr().unwrap()));
    let message = run.expect_failure(4, "UX-N002");
    assert_eq!(message, "logging in took longer than 5s");
}

#[test]
fn a_book_shows_levels_queues_and_the_last_trade() {
    let running = Running::start();
    for (user, order) in [
        ("ACME", "buy DEMO 100 @ 10.00"),
        ("BETA", "buy DEMO 50 @ 10.00"),
        ("BETA", "buy DEMO 7 @ 9.99"),
        ("ACME", "sell DEMO 30 @ 10.00"),
        ("ACME", "sell DEMO 9 @ 10.10"),
        ("ACME", "buy COIN 1 @ 5"),
    ] {
        running.run_as(user, &format!("order {order}")).expect_success();
    }
    let text = running.run_as("BETA", "book DEMO").expect_success();
    let ladder = "\
orders  quantity      bid |     ask  quantity  orders
     2       120  10.0000 | 10.1000         9       1
     1         7   9.9900 |\n";
    assert!(text.contains(ladder), "{text}");
    assert!(text.starts_with("DEMO  trading, before message "), "{text}");
    assert!(text.contains("\nlast trade  30 @ 10.0000, match "), "{text}");

    let json = running.run_as("BETA", "book DEMO --depth 1 --orders-in-queue --json");
    let json = json.expect_json("uncross.book/1");
    assert!(text.contains(json.text("checksum")), "{text}");
    let bids = json.value("bids").as_array().unwrap();
    assert_eq!(bids.len(), 1);
    assert_eq!(bids[0]["orders"].as_u64(), Some(2));
    let queue = bids[0]["queue"].as_array().unwrap();
    let queue: Vec<_> = queue.iter().map(|order| order["quantity"].as_str().unwrap()).collect();
    assert_eq!(queue, ["70", "50"], "the first has priority and is partly filled");
    assert_eq!(json.number("order_count"), 4);

    let empty = running.run_as("ACME", "book INDEX --json").expect_json("uncross.book/1");
    assert!(empty.value("last_trade").is_null());
    running.run_as("ACME", "book NOPE").expect_failure(1, "UX-O005");
    let login = format!("--data {} --user ACME --password-file password.txt", running.data);
    running.place.run(&format!("book NOPE {login}")).expect_failure(1, "UX-O005");
    let plain = running.place.run(&format!("book COIN {login}")).expect_success();
    assert!(plain.contains(" 1000  0.0500 |"), "four decimals and none: {plain}");
}

#[test]
fn a_watched_book_is_a_line_per_change() {
    let running = Running::start();
    let mut command = program(&running.place.path(""));
    let words = "book DEMO --watch --venue venue --user BETA --password-file password.txt";
    let command = command.args(words.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.contains(" DEMO  bid none  ask none  last none  checksum "), "{first}");
    running.run_as("ACME", "order buy COIN 1 @ 5").expect_success();
    running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
    let second = lines.next().unwrap();
    assert!(second.contains(" DEMO  bid 100 @ 10.0000  ask none  last none  "), "{second}");
    running.run_as("BETA", "order sell DEMO 40 @ 10.00").expect_success();
    let third = lines.next().unwrap();
    assert!(third.contains("  bid 60 @ 10.0000  ask none  last 40 @ 10.0000  "), "{third}");
    let pid = child.id().to_string();
    let kill = format!("kill -INT {pid}");
    let killed = std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(killed.success());
    assert_eq!(lines.next(), None);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    let text = running.run_as("BETA", "book DEMO --watch --for 1ms --json").expect_success();
    assert_eq!(Json::parse(&text).text("schema"), "uncross.book/1");
}
