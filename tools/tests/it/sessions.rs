//! `uncross sessions` beside a running venue and after its end.

use crate::{json::Json, program::Place, running::Running, server::Server};

fn sessions(place: &Place) -> Json {
    place.run("sessions venue --json").expect_json("uncross.sessions/1")
}

fn port(json: &Json, index: usize) -> serde_json::Value {
    json.value("ports").as_array().unwrap()[index].clone()
}

#[test]
fn every_port_is_told_as_its_client_knows_it() {
    let running = Running::start();
    assert_eq!(sessions(&running.place).value("ports").as_array().unwrap().len(), 0);
    for order in ["buy DEMO 10 @ 10", "buy COIN 1 @ 5", "sell DEMO 4 @ 12"] {
        running.run_as("ACME", &format!("order {order}")).expect_success();
    }
    running.run_as("ACME", "cancel 2").expect_success();
    running.run_as("BETA", "order sell DEMO 3 @ 10").expect_success();
    let next = running.run_as("ACME", "query --json").expect_json("uncross.query/1");

    let json = sessions(&running.place);
    assert_eq!(json.text("session"), next.text("session"));
    let acme = port(&json, 0);
    let expected = [("user", "ACME"), ("firm", "ACME"), ("state", "down"), ("reason", "logout")];
    for (key, value) in expected {
        assert_eq!(acme[key].as_str(), Some(value), "{acme}");
    }
    assert_eq!(acme["next_user_ref_num"].as_u64(), Some(next.number("next_user_ref_num")));
    assert_eq!(acme["live_orders"].as_u64(), Some(2));
    assert_eq!(acme["messages"].as_u64(), Some(next.number("next_report") - 1));
    let since = acme["since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    let beta = port(&json, 1);
    assert_eq!((beta["port"].as_u64(), beta["live_orders"].as_u64()), (Some(2), Some(0)));

    let feed = running.run_as("BETA", "top --json").expect_json("uncross.top/1");
    assert_eq!(json.number("feed_messages") + 1, feed.number("next_number"));
    let text = running.place.run("sessions venue").expect_success();
    assert!(text.contains("\nPORT  USER  FIRM  STATE"), "{text}");
    assert!(text.contains("\n1     ACME  ACME  down, logout  20"), "{text}");
}

#[test]
fn a_session_is_up_until_it_ends_and_a_restart_ends_it() {
    let place = Place::with_venue();
    place.write("password.txt", "secret");
    place.run("user add ACME --venue venue --password-file password.txt").expect_success();
    let server = Server::start(&place, "--set core.pin=false");
    let options = uncross_client::ConnectOptions::new(&server.orders, "ACME", "secret");
    let mut session = uncross_client::OrderSession::connect(&options).unwrap();
    let number = session.sync(std::time::Duration::from_secs(5), |_report| {}).unwrap();
    assert_eq!(number, 1);
    let up = port(&sessions(&place), 0);
    assert_eq!((up["state"].as_str(), up["generation"].as_u64()), (Some("up"), Some(1)));
    assert!(up.get("reason").is_none(), "{up}");
    server.kill();
    assert_eq!(port(&sessions(&place), 0)["state"].as_str(), Some("up"), "nothing was written");
    let server = Server::start(&place, "--set core.pin=false");
    let down = port(&sessions(&place), 0);
    assert_eq!((down["state"].as_str(), down["reason"].as_str()), (Some("down"), Some("restart")));
    server.stop();
}

#[test]
fn a_folder_without_a_journal_is_refused() {
    let place = Place::with_venue();
    place.run("sessions venue").expect_failure(3, "UX-J001");
    place.run("sessions nowhere").expect_failure(3, "UX-J001");
}
