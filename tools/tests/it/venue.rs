//! `start`, `demo`, `replay` and `journal verify`.

use crate::{program::Place, server::Server};

/// Listens where nobody else does.
const FREE: &str = "--orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0";

#[test]
fn a_demo_ends_by_itself_and_its_journal_leads_to_the_same_state() {
    let place = Place::empty();
    let demo = place.run("demo --for 1s --port 0 --rate 1k --keep kept --json");
    let demo = demo.expect_json("uncross.demo/1");
    assert_eq!(demo.number("orders"), demo.number("accepted") + demo.number("rejected"));
    assert!(0 < demo.number("trades"));
    assert_eq!(demo.text("state_hash"), demo.text("replay_state_hash"));
    let rounds = demo.value("feed_delay_us")["rounds"].as_u64();
    assert!(rounds.is_some_and(|rounds| 0 < rounds), "market data went to a subscriber");
    assert!(demo.value("layout")["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let replay = place.run("replay kept --hash --json").expect_json("uncross.replay/1");
    assert_eq!(replay.text("state_hash"), demo.text("state_hash"));
    let verified = place.run("journal verify kept --json").expect_json("uncross.journal.verify/1");
    assert_eq!(verified.number("last_seq"), replay.number("last_seq"));
    assert_eq!(verified.number("checkpoints"), 1, "the end is recorded");
}

#[test]
fn a_demo_whose_port_is_taken_names_its_own_flag() {
    let place = Place::empty();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = place.run(&format!("demo --for 1s --port {port}"));
    assert!(run.stderr.ends_with("fix: use --port N, or --port 0 for any\n"), "{run:?}");
    run.expect_failure(3, "UX-C014");
    place.run("demo --for 1s --port 65535").expect_failure(2, "UX-U001");
}

#[test]
fn a_demo_keeps_nothing_where_something_is() {
    let place = Place::with_venue();
    place.run("demo --for 1s --port 0 --keep venue").expect_failure(1, "UX-F001");
}

#[test]
fn a_rate_out_of_range_is_a_usage_error() {
    let place = Place::empty();
    for rate in ["0", "1001k", "x"] {
        place.run(&format!("demo --rate {rate}")).expect_failure(2, "UX-U001");
    }
}

#[test]
fn a_port_in_use_is_named_with_a_fix() {
    let place = Place::with_venue();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for flags in [
        format!("--orders {address} --data 127.0.0.1:0 --admin 127.0.0.1:0"),
        format!("--data {address} --orders 127.0.0.1:0 --admin 127.0.0.1:0"),
    ] {
        let run = place.run(&format!("start venue {flags}"));
        let message = run.expect_failure(3, "UX-C014");
        assert_eq!(message, format!("port {} is already in use", address.port()));
    }
}

#[test]
fn a_folder_in_use_is_named_with_its_owner() {
    let place = Place::with_venue();
    let server = Server::start(&place, "--set core.pin=false");
    let run = place.run(&format!("start venue {FREE}"));
    let message = run.expect_failure(7, "UX-J002");
    assert!(message.contains("locked by process"), "{message}");
    // Readers are welcome beside it.
    place.run("journal verify venue").expect_success();
    place.run("replay venue").expect_success();
    server.stop();
}

#[test]
fn a_folder_without_a_venue_or_journal_is_refused() {
    let place = Place::with_venue();
    place.run("start nowhere").expect_failure(3, "UX-C013");
    place.run("replay venue").expect_failure(3, "UX-J001");
    place.run("journal verify venue").expect_failure(3, "UX-J001");
}

/// The only segment of the venue's journal.
fn segment(place: &Place) -> std::path::PathBuf {
    let names = std::fs::read_dir(place.path("venue/journal")).unwrap();
    let mut paths = names.map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|it| it == "open")).unwrap()
}

#[test]
fn a_damaged_journal_is_refused_with_the_place_and_left_alone() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let path = segment(&place);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096 + 64 + 30] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let start = format!("start venue {FREE}");
    for command in [start.as_str(), "replay venue", "journal verify venue"] {
        let message = place.run(command).expect_failure(6, "UX-J003");
        assert!(message.contains("4160"), "{command}: {message}");
    }
    assert!(std::fs::read(&path).unwrap() == bytes);
}

#[test]
fn a_torn_tail_is_cut_off_kept_and_told() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let before = place.run("replay venue --json").expect_json("uncross.replay/1");
    let path = segment(&place);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 64 * 64 + 64;
    bytes[end..end + 40].fill(0xAB);
    std::fs::write(&path, &bytes).unwrap();
    let torn = place.run("replay venue").expect_success();
    assert!(torn.contains("a torn tail of 40 bytes"), "{torn}");
    let server = Server::start(&place, "--set core.pin=false");
    assert_eq!(server.records, before.number("last_seq"));
    server.stop();
    let kept = std::fs::read_dir(place.path("venue/journal")).unwrap();
    let kept = kept.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert_eq!(kept.filter(|name| name.starts_with("torn")).count(), 1);
}

#[test]
fn a_journal_that_is_gone_is_not_taken_for_a_new_venue() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    std::fs::remove_dir_all(place.path("venue/journal")).unwrap();
    let run = place.run(&format!("start venue {FREE}"));
    run.expect_failure(6, "UX-J007");
    std::fs::remove_file(place.path("venue/journal.begun")).unwrap();
    Server::start(&place, "--set core.pin=false").stop();
}

#[test]
fn a_venue_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_venue();
    let mode = std::fs::metadata(place.path("venue")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_a_journal_was_begun_with_cannot_be_changed() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let run = place.run(&format!("start venue {FREE} --set capacity.orders=1000"));
    run.expect_failure(3, "UX-C016");
    let config = place.read("venue/venue.toml");
    place.write("venue/venue.toml", &config.replacen("symbol = \"DEMO\"", "symbol = \"OTHER\"", 1));
    let message = place.run(&format!("start venue {FREE}")).expect_failure(3, "UX-C017");
    assert!(message.contains("instrument 1"), "{message}");
}
