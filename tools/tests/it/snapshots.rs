//! What is told of snapshots: by a start, `journal inspect`, `doctor` and `health`.

use std::fs;

use crate::{json::Json, program::Place, server::Server};

/// A start, and an orderly end that writes a snapshot of whatever is new; what the start said.
fn round(place: &Place) -> Json {
    let server = Server::start(place, "--set core.pin=false --set journal.snapshot_every=1");
    let Server { admin, .. } = &server;
    let health =
        place.run(&format!("health --admin {admin} --token-file venue/admin.token --json"));
    let health = health.expect_json("uncross.health/1");
    assert_eq!(health.text("shadow"), "following");
    assert!(health.number("snapshot_seq") <= health.number("seq"));
    let started = server.started.clone();
    server.stop();
    started
}

fn snapshots(place: &Place) -> Vec<(u64, Option<String>)> {
    let inspected = place.run("journal inspect venue --json");
    let inspected = inspected.expect_json("uncross.journal.inspect/1");
    let rows = inspected.value("snapshots").as_array().unwrap();
    let fault = |row: &serde_json::Value| row["fault"].as_str().map(str::to_owned);
    rows.iter().map(|row| (row["last_seq"].as_u64().unwrap(), fault(row))).collect()
}

fn doctor(place: &Place) -> (String, String) {
    let run = place.run("doctor venue --syncs 5 --json");
    let json = Json::parse(&run.stdout);
    let findings = json.value("findings").as_array().unwrap();
    let found = findings.iter().find(|it| it["name"] == "snapshots").unwrap();
    (found["status"].as_str().unwrap().to_owned(), found["found"].as_str().unwrap().to_owned())
}

#[test]
fn what_snapshots_there_are_is_told_and_a_start_says_which_one_it_used() {
    let place = Place::with_venue();
    let first = round(&place);
    assert!(first.value("snapshot_seq").is_null() && first.number("records") == 0);
    let told = snapshots(&place);
    let last = told[0].0;
    assert!(0 < last && told.iter().all(|(_, fault)| fault.is_none()), "{told:?}");
    let text = place.run("journal inspect venue").expect_success();
    assert!(text.contains(&format!("snapshot     at {last}: ")), "{text}");
    assert_eq!(doctor(&place).0, "ok");

    let second = round(&place);
    assert_eq!((second.number("snapshot_seq"), second.number("records")), (last, 0));
    assert_eq!(second.value("passed_over").as_array().unwrap().len(), 0);

    // All that are there are damaged: the venue starts from its first record, and says why.
    let folder = place.path("venue/journal/snapshots");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    for path in &files {
        let mut bytes = fs::read(path).unwrap();
        bytes[40] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    assert!(snapshots(&place).iter().all(|(_, fault)| fault.is_some()));
    let (status, found) = doctor(&place);
    assert!(status == "warn" && found.contains("checksum"), "{found}");
    let third = round(&place);
    assert!(third.value("snapshot_seq").is_null() && last <= third.number("records"));
    let passed = third.value("passed_over").as_array().unwrap();
    assert_eq!(passed.len(), files.len());
    assert!(passed[0]["reason"].as_str().unwrap().contains("checksum"), "{passed:?}");
}
