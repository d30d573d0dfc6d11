//! `journal query`: an order explained.

use serde_json::Value;

use crate::{journals::lines, running::Running};

const SCHEMA: &str = "uncross.journal.query/1";

/// Orders and quantity ahead at the price, and orders at better ones.
type Place = Option<(u64, String, u64)>;

/// What happened, by which kind of record, and where the order stood then.
fn steps(order: &Value) -> Vec<(String, String, Place)> {
    let steps = order["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            let event = step["event"]["event"].as_str().unwrap_or("-").to_owned();
            let cause = step["cause"]["kind"].as_str().unwrap().to_owned();
            let position = step["position"].as_object().map(|position| {
                let number = |key: &str| position[key].as_u64().unwrap();
                let ahead = position["quantity_ahead"].as_str().unwrap().to_owned();
                (number("orders_ahead"), ahead, number("orders_better"))
            });
            (event, cause, position)
        })
        .collect()
}

/// `journal cat` finds the records behind these steps by any name of the order: its reference, and
/// numbers 2 and 3 of its port.
fn check_records(running: &Running, causes: &[Value], reference: &str, port: &Value) {
    let cat = |arguments: &str| {
        lines(running.place.run(&format!("journal cat venue --json --order {arguments}")))
    };
    let mut due: Vec<Value> = causes.iter().map(|step| step["cause"].clone()).collect();
    due.dedup();
    // Of a request for an order that is gone the instrument is known to cat alone.
    let place = |line: &Value| ["seq", "time", "kind", "offset"].map(|key| line[key].clone());
    let places = |lines: &[Value]| lines.iter().map(place).collect::<Vec<_>>();
    assert_eq!(places(&cat(reference)), places(&due));
    for name in ["2", "3", "3:0"] {
        assert_eq!(cat(&format!("{port}:{name}")), cat(reference), "{name}");
    }
    let seqs = |lines: &[Value]| lines.iter().map(|it| it["seq"].clone()).collect::<Vec<_>>();
    let cancels = due.iter().filter(|line| line["kind"] == "cancel").cloned();
    let cancels = seqs(&cancels.collect::<Vec<_>>());
    assert_eq!(seqs(&cat(&format!("{reference} --kind cancel"))), cancels);
    let from = format!("{reference} --from {} --to {}", due[1]["seq"], due[2]["seq"]);
    assert_eq!(seqs(&cat(&from)), seqs(&due[1..3]));
    assert_eq!(cat(&format!("{reference} --instrument PENNY")), Vec::<Value>::new());
}

#[test]
fn an_order_is_explained_with_its_place_in_the_queue_and_every_cause() {
    let running = Running::start();
    let acme = |arguments: &str| running.run_as("ACME", arguments);
    let beta = |arguments: &str| running.run_as("BETA", arguments);
    acme("order buy DEMO 100 @ 10.00").expect_success();
    beta("order buy DEMO 50 @ 10.00").expect_success();
    beta("order buy DEMO 10 @ 10.05").expect_success();
    // Hidden orders stand behind those that are displayed.
    beta("order buy DEMO 500 @ 10.00 --display hidden").expect_success();
    acme("order buy DEMO 70 @ 10.00").expect_success();
    // It moves behind another one at a better price; another number and reference.
    acme("replace 2 80 @ 10.05").expect_success();
    beta("order sell DEMO 30 @ 10.05 --ioc").expect_success();
    acme("cancel 3 --to 40").expect_success();
    acme("cancel 3").expect_success();
    assert_ne!(acme("cancel 3").code, 0, "passed over: it is gone");
    let query = |wanted: &str| {
        running.place.run(&format!("journal query venue {wanted} --json")).expect_json(SCHEMA)
    };
    let port = running.place.run("sessions venue --json").expect_json("uncross.sessions/1");
    let ports = port.value("ports").as_array().unwrap();
    let acme_port = ports.iter().find(|port| port["user"] == "ACME").unwrap()["port"].clone();
    let by_last = query(&format!("--port {acme_port} --number 3"));
    let by_first = query(&format!("--port {acme_port} --number 2"));
    assert_eq!(by_last.value("orders"), by_first.value("orders"), "one order, two numbers");
    let orders = by_last.value("orders").as_array().unwrap();
    assert_eq!((orders.len(), &orders[0]["is_alive"]), (1, &false.into()));
    let position =
        |orders: u64, quantity: &str, better| Some((orders, quantity.to_owned(), better));
    let found = steps(&orders[0]);
    let expected = [
        ("accepted", "enter", position(2, "150", 1)),
        ("replaced", "replace", position(1, "10", 0)),
        ("fill", "enter", position(0, "0", 0)),
        ("canceled", "cancel", position(0, "0", 0)),
        ("canceled", "cancel", None),
        ("-", "cancel", None),
    ];
    let expected = expected.map(|(event, cause, at)| (event.to_owned(), cause.to_owned(), at));
    assert_eq!(found, expected);
    let causes = orders[0]["steps"].as_array().unwrap();
    assert_eq!(causes[0]["cause"]["symbol"], "DEMO");
    assert_eq!(causes[1]["cause"]["price"], "10.0500", "decimals of the order it names");
    assert_eq!(causes[2]["event"]["quantity"], "20", "what the better one left");

    let reference = causes[1]["event"]["order_reference"].as_str().unwrap();
    let by_reference = query(&format!("--order {reference}"));
    assert_eq!(by_reference.value("orders"), by_last.value("orders"));
    let by_pair = query(&format!("--order {acme_port}:3"));
    assert_eq!(by_pair.value("orders"), by_last.value("orders"));
    check_records(&running, causes, reference, &acme_port);
    let number = causes[2]["event"]["match_number"].as_str().unwrap();
    let trade = query(&format!("--trade {number}"));
    assert_eq!(trade.value("trade")["match_number"], number);
    let both = trade.value("orders").as_array().unwrap();
    assert_eq!((both.len(), &both[0]), (2, &orders[0]), "the maker first");
    assert_eq!(both[1]["steps"][0]["event"]["event"], "accepted");
    let text = running.place.run(&format!("journal query venue --order {reference}"));
    let text = text.expect_success();
    for words in [
        "behind 2 orders (150) at its price, 1 (10) at better prices",
        "replaced: number 2",
        "traded 20 @ 10.0500",
        "passed over: the request had no effect",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_rejected_order_is_explained_and_an_alive_one_is_said_to_be() {
    let running = Running::start();
    let acme = |arguments: &str| running.run_as("ACME", arguments);
    acme("order buy DEMO 100 @ 10.00").expect_success();
    acme("order buy DEMO 100 @ 10.001").expect_failure(1, "UX-O001");
    let ports = running.place.run("sessions venue --json").expect_json("uncross.sessions/1");
    let port = ports.value("ports").as_array().unwrap()[0]["port"].clone();
    let query = |number: u32| {
        let command = format!("journal query venue --port {port} --number {number} --json");
        running.place.run(&command).expect_json(SCHEMA)
    };
    assert_eq!(query(1).value("orders")[0]["is_alive"], true);
    let rejected = query(2);
    assert_eq!(steps(&rejected.value("orders")[0])[0].0, "rejected");
    for command in
        [format!("query venue --port {port} --number 3"), format!("cat venue --order {port}:3")]
    {
        let failure = running.place.run(&format!("journal {command}")).expect_failure(1, "UX-J012");
        assert!(failure.contains(&format!("no order 3 of port {port}")), "{failure}");
    }
    for senseless in
        ["--trade 1 --port 2", "--trade 1 --index 3", "--order 1 --port 9", "--order abc"]
    {
        let run = running.place.run(&format!("journal query venue {senseless}"));
        run.expect_failure(2, "UX-U001");
    }
}
