//! What operators order over the door, and what the journal keeps of it.

use std::net::TcpListener;

use uncross_server::{journal::Reader, record::operator};

use crate::{
    program::{Place, Run},
    running::Running,
    server::Server,
};

/// Runs a command of operators.
fn act(running: &Running, arguments: &str) -> Run {
    running.place.run(&format!("{arguments} --venue venue"))
}

/// Who ordered the acts that the journal holds, in their order.
fn who(place: &Place) -> Vec<String> {
    let mut names = Vec::new();
    let reader = Reader::open_whole(&place.path("venue/journal")).unwrap();
    let read = reader.for_each(|record| {
        let who = operator(record.kind, record.body);
        names.extend(who.map(|who| String::from_utf8(who.trim_ascii_end().to_vec()).unwrap()));
        Ok::<(), std::convert::Infallible>(())
    });
    read.unwrap();
    names
}

#[test]
fn a_kill_refuses_orders_until_it_is_revived_and_the_journal_says_who_did_it() {
    let running = Running::start();
    running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
    running.run_as("BETA", "order buy DEMO 100 @ 9.00").expect_success();
    let json = act(&running, "kill user:acme --json").expect_json("uncross.act/1");
    let keys = ["act", "outcome", "schema", "seq", "subject", "time", "who"];
    assert_eq!(json.keys(), keys);
    let words = ["act", "subject", "outcome", "who"].map(|key| json.text(key).to_owned());
    assert_eq!(words, ["kill", "user:acme", "done", "admin"]);

    let refused = running.run_as("ACME", "order buy DEMO 100 @ 10.00");
    let refused = refused.expect_failure(1, "UX-O001");
    assert!(refused.contains("0x0C"), "{refused}");
    running.run_as("ACME", "cancel 1").expect_failure(1, "UX-O002");
    running.run_as("BETA", "cancel 1").expect_success();

    let text = running.place.run("kills venue").expect_success();
    assert!(text.ends_with("\nKILLED  USER\nport:1  ACME\n"), "{text}");
    let carol = "operator add carol --venue venue --token-file carol.token";
    running.place.run(carol).expect_success();
    let text = act(&running, "revive user:ACME --token-file carol.token").expect_success();
    assert!(text.starts_with("revive user:ACME: done\n  record  "), "{text}");
    assert!(text.ends_with("\n  by      carol\n"), "{text}");
    running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
    let again = act(&running, "revive user:ACME").expect_success();
    assert!(again.starts_with("revive user:ACME: it was so already\n"), "{again}");
    let text = running.place.run("kills venue").expect_success();
    assert!(text.ends_with("\nnobody is killed\n"), "{text}");
    assert_eq!(who(&running.place), ["admin", "carol", "admin"]);
}

#[test]
fn a_kill_may_leave_what_stands_and_survives_a_kill_of_the_process() {
    let place = Place::with_venue();
    place.write("password.txt", "secret\n");
    place.run("user add ACME --venue venue --password-file password.txt").expect_success();
    let order = |server: &Server, words: &str| {
        let login = "--user ACME --password-file password.txt --venue venue --orders";
        place.run(&format!("{words} {login} {}", server.orders))
    };
    let door = |server: &Server, words: &str| {
        place.run(&format!("{words} --token-file venue/admin.token --admin {}", server.admin))
    };
    let server = Server::start(&place, "--set core.pin=false");
    order(&server, "order buy DEMO 100 @ 10.00").expect_success();
    door(&server, "kill firm:ACME --keep-orders").expect_success();
    server.kill();
    let server = Server::start(&place, "--set core.pin=false");
    let json = place.run("kills venue --json").expect_json("uncross.kills/1");
    assert_eq!(json.value("firms").to_string(), r#"["ACME"]"#);
    assert_eq!(json.value("is_venue_killed"), false);
    order(&server, "order buy DEMO 100 @ 10.00").expect_failure(1, "UX-O001");
    order(&server, "cancel 1").expect_success();
    door(&server, "revive firm:ACME").expect_success();
    order(&server, "order buy DEMO 100 @ 10.00").expect_success();
    server.stop();
}

#[test]
fn instruments_are_added_changed_halted_resumed_and_removed() {
    let running = Running::start();
    let add = "instrument add NEW --id 42 --tick 0.05 --qty-max 500 --reference-price 10";
    assert!(act(&running, add).expect_success().starts_with("list NEW: done\n"));
    assert!(act(&running, add).expect_success().starts_with("list NEW: it was so already\n"));
    let units = "--price-decimals 4 --qty-decimals 0 --orders";
    let enter = |price: &str| {
        let login = "--password-file password.txt --user ACME";
        let words = format!("order buy NEW 100 @ {price} {login} {units} {}", running.orders);
        running.place.run(&words)
    };
    enter("10.05").expect_success();
    enter("10.01").expect_failure(1, "UX-O001");
    act(&running, "instrument halt NEW").expect_success();
    enter("10.05").expect_failure(1, "UX-O001");
    let rows = |place: &Place| {
        let json = place.run("instrument list venue --json").expect_json("uncross.instruments/1");
        let rows = json.value("instruments").as_array().unwrap().clone();
        rows.into_iter().find(|row| row["symbol"] == "NEW")
    };
    let row = rows(&running.place).unwrap();
    assert_eq!((&row["state"], &row["tick"]), (&"halted".into(), &"0.0500".into()));
    act(&running, "instrument resume id:42").expect_success();
    enter("10.05").expect_success();

    let change = act(&running, "instrument change NEW --tick 0.10").expect_success();
    assert!(change.starts_with("change NEW: at the next day roll\n"), "{change}");
    let row = rows(&running.place).unwrap();
    assert_eq!((&row["tick"], &row["next"]["tick"]), (&"0.0500".into(), &"0.1000".into()));
    assert_eq!(row["next"]["qty_max"], "500", "what is not given stays");
    let text = running.place.run("instrument list venue").expect_success();
    assert!(text.contains("next day"), "{text}");

    act(&running, "instrument remove NEW").expect_success();
    enter("10.05").expect_failure(1, "UX-O001");
    assert!(rows(&running.place).is_none());
    act(&running, "instrument remove NEW").expect_success();
    act(&running, "instrument halt NEW").expect_failure(1, "UX-A031");
    assert!(who(&running.place).iter().all(|name| name == "admin"));
}

#[test]
fn what_the_door_refuses_is_told_with_its_code_and_cause() {
    let running = Running::start();
    for (arguments, exit, code) in [
        ("kill user:NOBODY", 1, "UX-A030"),
        ("kill everybody", 1, "UX-A029"),
        ("kill port:4096", 1, "UX-A030"),
        ("revive firm:TOOLONG", 1, "UX-A029"),
        ("instrument halt DEMI", 1, "UX-A031"),
        ("instrument change DEMI --tick 1", 1, "UX-A031"),
        ("instrument add DEMO --id 77", 1, "UX-A032"),
        ("instrument add NEW --id 1", 1, "UX-A032"),
        ("instrument add NEW --id 70 --tick 0", 1, "UX-A029"),
        ("instrument add NEW --id 70 --tick x", 1, "UX-A029"),
        ("instrument add NEW --id 0", 1, "UX-A029"),
    ] {
        act(&running, arguments).expect_failure(exit, code);
    }
    let near = act(&running, "kill user:ACMF");
    assert!(
        near.stderr.contains("cause: expected user:ACME, perhaps, found user:ACMF"),
        "{near:?}"
    );
    let add = "operator add vera --role viewer --venue venue --token-file vera.token";
    running.place.run(add).expect_success();
    act(&running, "kill venue --token-file vera.token").expect_failure(5, "UX-A022");
    running.place.write("wrong.token", "uxa_wrong\n");
    act(&running, "kill venue --token-file wrong.token").expect_failure(5, "UX-A021");
    running.place.write("empty.token", "\n");
    act(&running, "kill venue --token-file empty.token").expect_failure(5, "UX-A021");
    act(&running, "kill venue --token-file none.token").expect_failure(1, "UX-F002");
    let admin = &running.admin;
    running.place.run(&format!("kill venue --admin {admin}")).expect_failure(2, "UX-U001");
    let change =
        format!("instrument change DEMO --tick 1 --admin {admin} --token-file venue/admin.token");
    running.place.run(&change).expect_failure(2, "UX-U001");
    assert!(who(&running.place).len() <= 4, "what the door refused is in no record");
}

#[test]
fn health_is_told_by_the_exit_code_with_figures_for_those_with_a_token() {
    let running = Running::start();
    let json = act(&running, "health --json").expect_json("uncross.health/1");
    assert_eq!((json.value("ready"), json.text("who")), (&true.into(), "admin"));
    assert!(0 < json.number("seq"));
    let bare = running.place.run(&format!("health --admin {} --json", running.admin));
    assert_eq!(bare.expect_json("uncross.health/1").keys(), ["missing", "ready", "schema"]);
    let text = act(&running, "health").expect_success();
    assert!(text.starts_with("ready\n  venue    UNCROSS, uncross "), "{text}");
    // The door of market data speaks another protocol; where nobody listens nobody answers.
    let data = running.place.run(&format!("health --admin {}", running.data));
    assert_eq!(data.code, 1, "{data:?}");
    // No system gives this port to anybody who asks for a free one.
    running.place.run("health --admin 127.0.0.1:1").expect_failure(4, "UX-N001");
}

#[test]
fn a_token_goes_to_the_venue_and_to_no_proxy() {
    let running = Running::start();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];
    let variables = names.map(|name| (name, url.as_str()));
    running.place.run_with("health --venue venue", &variables, "").expect_success();
    assert!(proxy.accept().is_err(), "nobody came");
}

#[test]
fn the_door_has_an_address_of_its_own_or_is_not_opened() {
    let place = Place::with_venue();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let free = "--orders 127.0.0.1:0 --data 127.0.0.1:0";
    let said = place.run(&format!("start venue {free} --admin {address}"));
    let said = said.expect_failure(3, "UX-C014");
    assert_eq!(said, format!("port {} is already in use", address.port()));
    assert!(!place.path("venue/journal").exists(), "found out before anything was made");
    place.run(&format!("start venue {free} --admin 192.0.2.1:9080")).expect_failure(3, "UX-C008");
    let remote = "--set admin.allow_remote=true --admin 192.0.2.1:9080";
    place.run(&format!("start venue {free} {remote}")).expect_failure(3, "UX-C015");
    let same = "--orders 127.0.0.1:9101 --data 127.0.0.1:0 --admin 127.0.0.1:9101";
    place.run(&format!("start venue {same}")).expect_failure(3, "UX-C008");
    place.run("kill venue --venue venue --admin 127.0.0.1:0").expect_failure(2, "UX-U001");
}
