//! `uncross doctor`.

use std::net::TcpListener;

use crate::{json::Json, program::Place, running::Running};

/// Status and fix of a finding.
fn finding(json: &Json, name: &str) -> (String, String) {
    let findings = json.value("findings").as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"].as_str() == Some(name));
    let found = found.unwrap_or_else(|| panic!("{name} is missing: {findings:?}"));
    let text = |key: &str| found.get(key).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    assert!(!text("found").is_empty(), "{found}");
    let (status, fix) = (text("status"), text("fix"));
    assert_eq!(status != "ok", !fix.is_empty() && !text("expected").is_empty(), "{found}");
    (status, fix)
}

#[test]
fn everything_is_looked_at_and_each_finding_has_its_fix() {
    let running = Running::start();
    let run = running.place.run("doctor venue --syncs 5 --json");
    let json = run.expect_json("uncross.doctor/1");
    for name in [
        "version",
        "layout",
        "orders",
        "data",
        "kernel",
        "cpus",
        "isolation",
        "frequency",
        "clock",
        "tsc",
        "open files",
        "memory",
        "huge pages",
        "file system",
        "room",
        "fallocate",
        "page writes",
        "sync 4KiB",
        "sync 64KiB",
    ] {
        finding(&json, name);
    }
    assert_eq!(json.text("venue"), "venue");
    for name in ["version", "layout", "orders", "data", "fallocate"] {
        assert_eq!(finding(&json, name).0, "ok", "{name}");
    }
    let text = running.place.run("doctor venue --syncs 0").expect_success();
    assert!(text.contains(" is in use, and the venue runs\n"), "{text}");
    assert!(!text.contains("sync 4KiB"), "{text}");
    assert!(
        std::fs::read_dir(running.place.path("venue/journal"))
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(".tmp") })
    );
}

#[test]
fn what_fails_is_named_and_the_exit_code_says_so() {
    let place = Place::with_venue();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ports = format!(
        "--set orders.listen={address} --set data.listen=127.0.0.1:0 --set admin.listen=127.0.0.1:0"
    );
    let run = place.run(&format!("doctor venue --syncs 0 --json {ports}"));
    assert_eq!(run.code, 1, "{run:?}");
    let json = Json::parse(&run.stdout);
    assert_eq!(json.text("status"), "fail");
    let (status, fix) = finding(&json, "orders");
    assert_eq!(status, "fail");
    assert!(fix.contains("orders.listen"), "{fix}");
    let error = Json::parse(&run.stderr);
    assert_eq!(error.text("code"), "UX-V003");
    assert_eq!(error.text("message"), "not fit for a venue: orders");

    // More threads that never sleep than any machine has CPUs for.
    let run = place.run("doctor --syncs 0 --json --set core.layout=split --set core.wait=spin");
    let layout = finding(&Json::parse(&run.stdout), "layout").0;
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(layout, if cpus < 4 { "fail" } else { "ok" });
    place.run("doctor nowhere").expect_failure(3, "UX-C013");
    place.run("doctor venue --set core.spin=1h").expect_failure(3, "UX-C006");
}
