//! Each act, as brokers and subscribers see it.

use std::{collections::BTreeSet, thread};

use crate::{http::ask, stage::Stage};

const KILL: &str = r#"{"target":"user:acme","cancel":false}"#;

#[test]
fn a_kill_refuses_orders_lets_cancels_pass_and_survives_restart_and_day_roll() {
    let mut stage = Stage::new(&[("venue.utc_offset", "-12:00")]);
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "A");
    assert_eq!(broker.buy("DEMO", 100_000), "A");
    assert_eq!(stage.act("POST", "/v1/kills", KILL), "done");
    assert_eq!(stage.act("POST", "/v1/kills", KILL), "unchanged");
    assert_eq!(broker.buy("DEMO", 100_000), "0x0C");
    assert_eq!(broker.cancel(1), "C1 U");
    stage.restart();
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "0x0C");
    assert_eq!(broker.cancel(2), "C2 U");
    // Half a world further east it is another day.
    stage.config.venue.utc_offset_s = 14 * 3_600;
    stage.restart();
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "0x0C");
    assert_eq!(stage.act("DELETE", "/v1/kills/user:ACME", ""), "done");
    assert_eq!(broker.buy("DEMO", 100_000), "A");
}

#[test]
fn a_kill_cancels_what_stands_unless_it_is_told_not_to() {
    let stage = Stage::new(&[]);
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "A");
    assert_eq!(broker.buy("PENNY", 100_000), "A");
    let mut feed = stage.feed();
    assert_eq!(stage.act("POST", "/v1/kills", r#"{"target":"venue"}"#), "done");
    assert_eq!([broker.report(), broker.report()], ["C1 S", "C2 S"]);
    assert_eq!([feed.next()[0], feed.next()[0]], *b"DD");
    assert_eq!(broker.buy("DEMO", 100_000), "0x0C");
    assert_eq!(stage.act("DELETE", "/v1/kills/firm:ACME", ""), "unchanged", "another kill");
    assert_eq!(broker.buy("DEMO", 100_000), "0x0C");
    assert_eq!(stage.act("DELETE", "/v1/kills/venue", ""), "done");
    assert_eq!(broker.buy("DEMO", 100_000), "A");
}

#[test]
fn an_instrument_added_by_an_operator_is_told_to_the_feed_before_its_orders() {
    let mut stage = Stage::new(&[]);
    let (mut broker, mut feed) = (stage.broker(), stage.feed());
    assert_eq!(broker.buy("NEW", 100_500), "0x17");
    let body = r#"{"id":42,"symbol":"NEW","tick":"0.05","reference_price":"10"}"#;
    assert_eq!(stage.act("POST", "/v1/instruments", body), "done");
    assert_eq!(broker.buy("NEW", 100_500), "A");
    let told = [feed.next(), feed.next(), feed.next()];
    assert_eq!(told.each_ref().map(|message| message[0]), *b"RHA", "directory, trading, order");
    assert_eq!((&told[0][11..19], told[1][19]), (&b"NEW     "[..], b'T'));
    assert!(told.iter().all(|message| message[1..3] == told[0][1..3]), "one locate code");
    assert_eq!(broker.buy("NEW", 100_100), "0x1D", "the tick is the one that was ordered");

    assert_eq!(stage.act("POST", "/v1/instruments", body), "unchanged");
    let other = body.replace("0.05", "0.01");
    assert_eq!(stage.act("POST", "/v1/instruments", &other), "scheduled");
    let taken = stage.ask("POST", "/v1/instruments", r#"{"id":43,"symbol":"NEW"}"#);
    assert_eq!((taken.status, taken.code()), (409, "UX-A032"));
    assert!(taken.body["error"]["seq"].is_u64(), "it stands in the journal: {taken:?}");
    assert_eq!(taken.error("message"), "the symbol belongs to another id for ever");
    assert!(taken.head.contains("content-type: application/json"), "{taken:?}");

    // The symbol is known after a restart, though no configuration has it.
    stage.restart();
    assert_eq!(stage.act("POST", "/v1/instruments/NEW/halt", ""), "done");
    assert_eq!(stage.broker().buy("NEW", 100_500), "0x07");
}

#[test]
fn a_halt_refuses_orders_lets_cancels_pass_and_ends_with_resume() {
    let stage = Stage::new(&[]);
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "A");
    let mut feed = stage.feed();
    assert_eq!(stage.act("POST", "/v1/instruments/DEMO/halt", ""), "done");
    assert_eq!(stage.act("POST", "/v1/instruments/id:1/halt", "{}"), "unchanged");
    let told = feed.next();
    assert_eq!((told[0], told[19]), (b'H', b'H'));
    assert_eq!(broker.buy("DEMO", 100_000), "0x07");
    assert_eq!(broker.buy("PENNY", 100_000), "A", "others trade on");
    assert_eq!(broker.cancel(1), "C1 U");
    assert_eq!([feed.next()[0], feed.next()[0]], *b"AD");
    assert_eq!(stage.act("POST", "/v1/instruments/DEMO/resume", ""), "done");
    let told = feed.next();
    assert_eq!((told[0], told[19]), (b'H', b'T'));
    assert_eq!(broker.buy("DEMO", 100_000), "A");
}

#[test]
fn a_removed_instrument_is_halted_and_its_orders_are_canceled() {
    let stage = Stage::new(&[]);
    let mut broker = stage.broker();
    assert_eq!(broker.buy("DEMO", 100_000), "A");
    assert_eq!(broker.buy("PENNY", 100_000), "A");
    let mut feed = stage.feed();
    assert_eq!(stage.act("DELETE", "/v1/instruments/DEMO", ""), "done");
    assert_eq!(broker.report(), "C1 S");
    let told = [feed.next(), feed.next()];
    assert_eq!((told[0][0], told[0][19], told[1][0]), (b'H', b'H', b'D'));
    assert_eq!(broker.buy("DEMO", 100_000), "0x17");
    assert_eq!(stage.act("DELETE", "/v1/instruments/DEMO", ""), "unchanged");
    let halt = stage.ask("POST", "/v1/instruments/DEMO/halt", "");
    assert_eq!((halt.status, halt.code()), (404, "UX-A031"));
    assert_eq!(broker.cancel(2), "C2 U");
}

#[test]
fn a_port_beyond_the_capacity_is_nobody() {
    let stage = Stage::new(&[]);
    for port in ["port:0", "port:257"] {
        let body = format!("{{\"target\":\"{port}\"}}");
        let reply = stage.ask("POST", "/v1/kills", &body);
        assert_eq!((reply.status, reply.code()), (404, "UX-A030"), "{port}");
        assert!(reply.body["error"]["seq"].is_u64());
    }
}

#[test]
fn operators_who_act_at_the_same_time_are_each_answered_with_their_own_record() {
    let stage = Stage::new(&[]);
    let ask = |port: u16| {
        let body = format!("{{\"target\":\"port:{port}\"}}");
        stage.ask("POST", "/v1/kills", &body)
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = (1..=16).map(|port| scope.spawn(move || ask(port))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|reply| reply.status == 200), "{answers:?}");
    let numbers: BTreeSet<_> = answers.iter().map(|it| it.body["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), answers.len());
}

#[test]
fn a_venue_that_runs_is_ready_and_one_that_has_stopped_is_not() {
    let mut stage = Stage::new(&[]);
    let ready = stage.ask("GET", "/health/ready", "");
    assert_eq!(ready.status, 200, "{ready:?}");
    let detail = stage.ask("GET", "/health", "");
    assert!(0 < detail.body["seq"].as_u64().unwrap(), "{detail:?}");
    assert_eq!(detail.body["venue"], "UNCROSS");
    let door = stage.stop_venue_alone();
    let late = ask(door.addr(), "GET", "/health/ready", "", "");
    assert_eq!((late.status, &late.body["missing"][0]["what"]), (503, &"running".into()));
    let late = ask(door.addr(), "POST", "/v1/kills", stage.token(), KILL);
    assert_eq!((late.status, late.code()), (503, "UX-A034"));
    assert_eq!(ask(door.addr(), "GET", "/health/live", "", "").status, 200);
    door.stop();
}
