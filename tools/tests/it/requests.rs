//! `uncross modify`, `mass-cancel`, `disable`, `enable` and `query` against a running venue.

use crate::running::Running;

#[test]
fn an_order_is_modified_in_place() {
    let running = Running::start();
    running.run_as("ACME", "order sell DEMO 100 @ 10.05").expect_success();
    let json = running.run_as("ACME", "modify 1 sell-short 40 --json");
    let json = json.expect_json("uncross.order/1");
    assert_eq!((json.text("request"), json.text("state")), ("modify", "live"));
    assert_eq!((json.text("open"), json.text("side_now")), ("40", "sell-short"));
    let text = running.run_as("ACME", "modify 1 sell 30").expect_success();
    assert!(text.contains("\n  side        sell\n"), "{text}");
    // Upward is ignored.
    running.run_as("ACME", "modify 1 sell 50").expect_failure(1, "UX-O002");
    let login = format!("--orders {} --user ACME --password-file password.txt", running.orders);
    running.place.run(&format!("modify 1 sell 5 {login}")).expect_failure(2, "UX-U001");
}

#[test]
fn many_orders_end_at_once_within_their_scope() {
    let running = Running::start();
    for order in ["buy DEMO 1 @ 10", "sell DEMO 1 @ 11", "buy COIN 1 @ 5", "buy DEMO 2 @ 9"] {
        running.run_as("ACME", &format!("order {order}")).expect_success();
    }
    let run = running.run_as("ACME", "mass-cancel --symbol DEMO --side buy --json");
    let json = run.expect_json("uncross.mass-cancel/1");
    assert_eq!((json.number("user_ref_num"), json.number("canceled")), (5, 2));
    assert_eq!(json.value("user_ref_nums").to_string(), "[1,4]");
    let text = running.run_as("ACME", "mass-cancel --firm ACME").expect_success();
    assert!(text.starts_with("2 canceled\n  number      6\n  order       2\n"), "{text}");
    let text = running.run_as("ACME", "mass-cancel").expect_success();
    assert!(text.starts_with("0 canceled\n"), "{text}");
    let message = running.run_as("ACME", "mass-cancel --symbol NOPE").expect_failure(1, "UX-O001");
    assert_eq!(message, "request 8 was rejected: bad symbol (0x17)");
    running.run_as("ACME", "mass-cancel --firm BETA").expect_failure(1, "UX-O001");
}

#[test]
fn order_entry_is_stopped_and_allowed_again() {
    let running = Running::start();
    let json = running.run_as("ACME", "disable --json").expect_json("uncross.entry/1");
    assert_eq!((json.text("entry"), json.number("user_ref_num")), ("disabled", 1));
    let run = running.run_as("ACME", "order buy DEMO 1 @ 10");
    assert!(run.stderr.contains("uncross enable"), "the fix is told: {run:?}");
    let message = run.expect_failure(1, "UX-O001");
    assert_eq!(message, "order 2 was rejected: firm not authorised (0x0C)");
    let text = running.run_as("ACME", "enable").expect_success();
    assert_eq!(text, "order entry of this port is enabled\n");
    running.run_as("ACME", "order buy DEMO 1 @ 10").expect_success();
    running.run_as("ACME", "disable --firm BETA").expect_failure(1, "UX-O001");
}

#[test]
fn the_next_number_is_told() {
    let running = Running::start();
    let next = || {
        let run = running.run_as("ACME", "query --json");
        run.expect_json("uncross.query/1").number("next_user_ref_num")
    };
    assert_eq!(next(), 1);
    running.run_as("ACME", "order buy DEMO 1 @ 10").expect_success();
    assert_eq!(next(), 2);
    let text = running.run_as("ACME", "query").expect_success();
    assert!(text.starts_with("next number  2\nsession      "), "{text}");
}

#[test]
fn what_the_public_does_not_see_trades_and_is_told() {
    let running = Running::start();
    running.run_as("ACME", "order sell DEMO 50 @ 10.00 --display hidden").expect_success();
    let book = running.run_as("BETA", "book DEMO --json").expect_json("uncross.book/1");
    assert_eq!(book.number("order_count"), 0, "nothing is displayed");
    let json = running.run_as("BETA", "order buy DEMO 20 @ market --json");
    let json = json.expect_json("uncross.order/1");
    assert_eq!((json.text("price"), json.text("state")), ("market", "filled"));
    let tape = running.run_as("BETA", "tape --json").expect_json("uncross.tape/1");
    let trade = &tape.value("trades")[0];
    assert_eq!((trade["kind"].as_str(), trade["quantity"].as_str()), (Some("hidden"), Some("20")));
    assert!(trade.get("aggressor").is_none(), "who took is not said: {trade}");
    let sessions = running.place.run("sessions venue --json").expect_json("uncross.sessions/1");
    assert_eq!(sessions.value("ports")[0]["live_orders"].as_u64(), Some(1), "hidden ones count");
}

#[test]
fn channels_count_their_orders_and_references_name_them() {
    let running = Running::start();
    let order = |options: &str| {
        let run = running.run_as("ACME", &format!("order buy DEMO 9 @ 9 --json {options}"));
        run.expect_json("uncross.order/1")
    };
    assert_eq!(order("").number("user_ref_num"), 1);
    assert_eq!(order("").number("user_ref_num"), 2);
    let other = order("--channel 5 --tif gtc");
    assert_eq!(other.number("user_ref_num"), 1, "each channel counts from 1");
    running.run_as("ACME", "cancel 1 --channel 5 --to 4 --symbol DEMO").expect_success();
    running.run_as("ACME", "cancel 2 --channel 5").expect_failure(1, "UX-O002");
    let reference = other.text("order_reference");
    let run = running.run_as("ACME", &format!("cancel --reference {reference} --json"));
    let json = run.expect_json("uncross.order/1");
    assert_eq!((json.text("state"), json.text("order_reference")), ("canceled", reference));
    assert_eq!(json.value("canceled")["quantity"].as_str(), Some("4"));
    let run = running.run_as("ACME", &format!("cancel --reference {reference}"));
    run.expect_failure(1, "UX-O002");
    let query = running.run_as("ACME", "query --json").expect_json("uncross.query/1");
    assert_eq!(query.number("next_user_ref_num"), 3);
}

#[test]
fn an_order_does_not_trade_with_its_own_firm_when_it_says_so() {
    let running = Running::start();
    running.run_as("ACME", "order sell DEMO 5 @ 10").expect_success();
    let json = running.run_as("ACME", "order buy DEMO 7 @ 10 --stp newest --json");
    let json = json.expect_json("uncross.order/1");
    assert_eq!((json.text("state"), json.text("executed")), ("canceled", "0"));
    let canceled = json.value("canceled").to_string();
    assert_eq!(canceled, r#"{"quantity":"7","reason":"self-match prevention"}"#);
}
