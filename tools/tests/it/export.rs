//! `journal export` and `replay --book`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    process::{Command, Stdio},
};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;

use crate::{
    json::Json,
    program::{Place, program},
    running::Running,
};

const SCHEMA: &str = "uncross.journal.export/1";
const DOCUMENT: &str = include_str!("../../../docs/protocol/export.md");

/// A folder with the venue of a short demonstration in `venue`.
fn traded() -> Place {
    let place = Place::empty();
    place.run("demo --for 1s --port 0 --rate 1k --keep venue").expect_success();
    place
}

/// The messages of a file in which each stands behind its length.
fn messages(place: &Place, name: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(place.path(name)).unwrap();
    let (mut rest, mut messages) = (bytes.as_slice(), Vec::new());
    while let [high, low, tail @ ..] = rest {
        let (message, behind) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        messages.push(message.to_vec());
        rest = behind;
    }
    assert!(rest.is_empty());
    messages
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn files(summary: &Json) -> Vec<Value> {
    summary.value("files").as_array().unwrap().clone()
}

#[test]
fn a_session_is_exported_as_messages_and_as_events() {
    let place = traded();
    let run = place.run("journal export venue --itch day.itch --events day.jsonl --json");
    let summary = run.expect_json(SCHEMA);
    let [itch, events] = &files(&summary)[..] else { panic!("two files are due: {summary:?}") };
    let feed = messages(&place, "day.itch");
    assert_eq!(itch["items"], feed.len());
    assert_eq!(itch["bytes"], fs::metadata(place.path("day.itch")).unwrap().len());
    assert_eq!((feed[0][0], feed[0][11]), (b'S', b'O'), "the day begins");
    let lines = lines(&place.read("day.jsonl"));
    assert_eq!(events["items"], lines.len());
    let last = lines.last().unwrap();
    assert!(last["seq"].as_u64() <= Some(summary.number("last_seq")));
    // One execution on the feed is one fill.
    let executions = feed.iter().filter(|message| message[0] == b'E').count();
    let fills = lines.iter().filter(|line| line["event"] == "fill").count();
    assert_eq!(executions, fills);
    assert!(0 < fills);

    let stdout = place.run("journal export venue --events -").expect_success();
    assert_eq!(stdout, place.read("day.jsonl"), "and nothing else");
    let listed = place.run("journal export venue --sessions --json");
    let listed = listed.expect_json("uncross.journal.sessions/1");
    let sessions = listed.value("sessions").as_array().unwrap();
    let name = sessions[0]["session"].as_str().unwrap();
    assert_eq!((sessions.len(), name), (1, summary.text("session")));
    let again = place.run(&format!("journal export venue --session {name} --itch again.itch"));
    let again = again.expect_success();
    let hash = itch["blake3"].as_str().unwrap();
    assert!(again.contains(hash), "the same file again: {again}");
}

#[test]
fn events_and_trades_are_tables_where_the_name_of_the_file_says_so() {
    let place = traded();
    let run = place.run("journal export venue --events day.csv --trades trades.parquet --json");
    let summary = run.expect_json(SCHEMA);
    let [events, trades] = &files(&summary)[..] else { panic!("two files are due: {summary:?}") };
    let stdout = place.run("journal export venue --events -").expect_success();
    let lines = lines(&stdout);
    assert_eq!(
        (events["content"].as_str(), trades["content"].as_str()),
        (Some("events"), Some("trades"))
    );
    assert_eq!(events["items"], lines.len());

    let table = place.read("day.csv");
    let mut rows = table.lines();
    let names: Vec<_> = rows.next().unwrap().split(',').collect();
    assert_eq!(names[..4], ["seq", "index", "time_ns", "event"]);
    for (row, line) in rows.zip(&lines) {
        // Nothing here holds a comma or a quote.
        for (name, cell) in names.iter().zip(row.split(',')) {
            let expected = match &line[name] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            assert_eq!(cell, expected, "{name} of {line}");
        }
    }
    assert_eq!(table.lines().count(), 1 + lines.len());

    let fills: Vec<_> = lines.iter().filter(|line| line["event"] == "fill").collect();
    assert_eq!(trades["items"], fills.len());
    let file = fs::File::open(place.path("trades.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), fills.len());
    for (row, fill) in rows.iter().zip(fills) {
        let cells: BTreeMap<_, _> = row.get_column_iter().collect();
        let cell = |name: &str| *cells.iter().find(|(key, _)| key.as_str() == name).unwrap().1;
        let matched = fill["match_number"].as_str().unwrap().parse().unwrap();
        assert_eq!(cell("match_number"), &Field::ULong(matched));
        assert_eq!(cell("symbol"), &Field::Str(fill["symbol"].as_str().unwrap().to_owned()));
        assert_eq!(cell("maker_is_hidden"), &Field::Bool(false));
    }

    place.run("journal export venue --events same --format csv").expect_success();
    assert_eq!(place.read("same"), table);
    place.run("journal export venue --events a --format xml").expect_failure(2, "UX-U001");
}

/// By kind of event, the fields that docs/protocol/export.md lists.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let section = DOCUMENT.split("### Kinds\n").nth(1).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let (event, rest) = row.split_once('`').unwrap();
        let (_, fields) = rest.trim_end_matches(" |").rsplit_once('|').unwrap();
        let fields = fields.split_whitespace().map(|field| field.trim_matches('`').to_owned());
        (event.to_owned(), fields.collect())
    });
    rows.collect()
}

#[test]
fn events_have_the_fields_that_are_documented() {
    let running = Running::start();
    let acme = |arguments: &str| running.run_as("ACME", arguments);
    acme("order buy DEMO 100 @ 10.00").expect_success();
    acme("order buy DEMO 100 @ 10.00 --firm ACME --id mine").expect_success();
    acme("replace 1 90 @ 10.01").expect_success();
    acme("cancel 2 --to 40").expect_success();
    acme("order buy DEMO 100 @ 10.001").expect_failure(1, "UX-O001");
    running.run_as("BETA", "order sell DEMO 150 @ 10.00").expect_success();
    let run = running.place.run("journal export venue --events day.jsonl --reports acme acme.ouch");
    run.expect_success();
    let mut found = BTreeSet::new();
    let documented = documented();
    for line in lines(&running.place.read("day.jsonl")) {
        let kind = line["event"].as_str().unwrap().to_owned();
        let keys = line.as_object().unwrap().keys().cloned();
        let common = ["seq", "index", "time_ns", "event"];
        let keys: BTreeSet<_> = keys.filter(|key| !common.contains(&key.as_str())).collect();
        assert_eq!(documented.get(&kind), Some(&keys), "{kind}");
        found.insert(kind);
    }
    let orders = ["accepted", "replaced", "rejected", "fill", "canceled", "rested", "echo"];
    for kind in orders.into_iter().chain(["account", "system", "directory", "trading", "day"]) {
        assert!(found.contains(kind), "{kind} is missing: {found:?}");
    }
    let reports = messages(&running.place, "acme.ouch");
    let count = |kind: u8| reports.iter().filter(|report| report[0] == kind).count();
    assert_eq!((reports[0][0], count(b'A'), count(b'U'), count(b'J')), (b'S', 2, 1, 1));
}

#[test]
fn an_export_overwrites_nothing_unasked_and_leaves_nothing_behind() {
    let place = traded();
    place.write("day.itch", "mine");
    let export = |arguments: &str| place.run(&format!("journal export venue {arguments}"));
    export("--itch day.itch").expect_failure(1, "UX-F006");
    export("--events new.jsonl --itch day.itch").expect_failure(1, "UX-F006");
    assert_eq!(place.read("day.itch"), "mine");
    export("--itch day.itch --force").expect_success();
    assert!(1 < messages(&place, "day.itch").len());

    export("--itch a --events a").expect_failure(2, "UX-U001");
    export("--itch a --events nowhere/b").expect_failure(1, "UX-F003");
    export("--itch a --session 1901010000").expect_failure(1, "UX-J008");
    export("--reports NOBODY a").expect_failure(1, "UX-J009");
    export("").expect_failure(2, "UX-U001");
    export("--sessions --itch a").expect_failure(2, "UX-U001");
    let names = fs::read_dir(place.path("")).unwrap();
    let names: BTreeSet<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["day.itch", "venue"].map(str::to_owned).into());
    place.run("journal export nowhere --itch a").expect_failure(3, "UX-J001");
}

#[test]
fn an_export_where_nothing_can_be_written_leaves_nothing_behind() {
    let place = traded();
    place.write("file", "mine");
    let shut = place.path("shut");
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, Permissions::from_mode(0o555)).unwrap();
    let mut obstacles = vec![("file/b", "Not a directory")];
    // Root may write there all the same, and a folder of the kernel is closed to it too.
    let probe = shut.join("probe");
    if fs::write(&probe, "").is_ok() {
        fs::remove_file(&probe).unwrap();
        obstacles.push(("/proc/b", "No such file or directory"));
    } else {
        obstacles.push(("shut/b", "Permission denied"));
    }
    for (target, reason) in obstacles {
        for kinds in ["--itch a --events", "--events a --itch", "--itch a --trades"] {
            let run = place.run(&format!("journal export venue {kinds} {target}"));
            let stderr = run.stderr.clone();
            let message = run.expect_failure(1, "UX-F003");
            assert!(message.contains(target) && stderr.contains(reason), "{stderr}");
        }
    }
    assert_eq!(place.read("file"), "mine");
    assert_eq!(fs::read_dir(&shut).unwrap().count(), 0);
    let names = fs::read_dir(place.path("")).unwrap();
    let names: BTreeSet<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["file", "shut", "venue"].map(str::to_owned).into());
}

#[test]
fn an_export_takes_the_place_of_files_only() {
    let place = traded();
    place.write("file", "mine");
    symlink("file", place.path("link")).unwrap();
    let _socket = UnixListener::bind(place.path("socket")).unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    let made = Command::new("mkfifo").arg(place.path("pipe")).status().unwrap();
    assert!(made.success());
    let names = ["link", "socket", "folder", "pipe"];
    let kinds = names.map(|name| fs::symlink_metadata(place.path(name)).unwrap().file_type());
    for name in names {
        for force in ["", " --force"] {
            let run = place.run(&format!("journal export venue --itch {name}{force}"));
            let message = run.expect_failure(1, "UX-F003");
            assert!(message.contains(&format!("{name} is a ")), "{message}");
        }
    }
    let after = names.map(|name| fs::symlink_metadata(place.path(name)).unwrap().file_type());
    assert_eq!((kinds, place.read("file")), (after, "mine".to_owned()));
}

#[test]
fn an_export_writes_nothing_into_the_venue() {
    let place = traded();
    symlink("venue/journal", place.path("link")).unwrap();
    for target in [
        "venue/journal/00000000000000009999.seg",
        "venue/journal/durable",
        "venue/journal/lock",
        "./venue/../venue/day.itch",
        "link/durable",
    ] {
        let run = place.run(&format!("journal export venue --itch {target} --force"));
        let message = run.expect_failure(1, "UX-F003");
        assert!(message.contains("lies in the folder of the venue"), "{message}");
    }
    place.run("journal verify venue").expect_success();
    place.run("journal export venue --itch venue.itch").expect_success();
}

#[test]
fn two_exports_are_never_one_file_however_it_is_called() {
    let place = traded();
    fs::create_dir(place.path("x")).unwrap();
    symlink("x", place.path("y")).unwrap();
    for (a, b) in
        [("b", "./b"), ("x/b", "x/../x/b"), ("x/b", "y/b"), ("-", "-"), ("x/.b.part", "x/b")]
    {
        let run = place.run(&format!("journal export venue --itch {a} --events {b} --force"));
        run.expect_failure(2, "UX-U001");
    }
    let itch = "journal export venue --itch a --format csv";
    place.run(itch).expect_failure(2, "UX-U001");
    assert_eq!(fs::read_dir(place.path("x")).unwrap().count(), 0);
    assert!(!place.path("a").exists() && !place.path("b").exists());
}

#[test]
fn what_an_export_left_that_was_ended_is_taken_over_and_one_that_runs_is_not_disturbed() {
    let place = traded();
    place.write(".a.part", &"of another run".repeat(1 << 20));
    let held = fs::File::open(place.path(".a.part")).unwrap();
    held.lock().unwrap();
    let message = place.run("journal export venue --itch a").expect_failure(1, "UX-F003");
    assert!(message.contains("is being written by another export"), "{message}");
    assert!(place.path(".a.part").exists() && !place.path("a").exists());
    drop(held);
    place.run("journal export venue --itch a").expect_success();
    place.run("journal export venue --itch b").expect_success();
    assert!(!place.path(".a.part").exists());
    assert_eq!(fs::read(place.path("a")).unwrap(), fs::read(place.path("b")).unwrap());
    assert_eq!(fs::metadata(place.path("a")).unwrap().mode() & 0o777, 0o600);
    // What has another name too is of somebody else.
    place.write("mine", "mine");
    fs::hard_link(place.path("mine"), place.path(".c.part")).unwrap();
    let run = place.run("journal export venue --itch c");
    assert!(run.stderr.contains(".c.part is in the way"), "{run:?}");
    run.expect_failure(1, "UX-F003");
    assert_eq!(place.read("mine"), "mine");
}

#[test]
fn a_path_need_not_be_text() {
    let place = traded();
    let name = OsStr::from_bytes(b"r\xff");
    for options in [&["--itch"][..], &["--reports", "ACME"], &["--drop-copy", "ACME"]] {
        let mut command = program(&place.path(""));
        command.args(["journal", "export", "venue", "--force"]).args(options).arg(name);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("UX-U001"), "{options:?}: {stderr}");
    }
    assert!(place.path("").join(name).exists());
}

#[test]
fn events_that_nobody_reads_end_quietly() {
    let place = traded();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program(&place.path(""));
    command.args("journal export venue --events -".split(' '));
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn a_replay_shows_the_orders_that_rest_in_their_priority() {
    let running = Running::start();
    for order in ["buy DEMO 100 @ 10.00", "buy DEMO 70 @ 10.01", "buy DEMO 50 @ 10.00"] {
        running.run_as("ACME", &format!("order {order}")).expect_success();
    }
    running.run_as("BETA", "order sell DEMO 90 @ 10.00").expect_success();
    running.run_as("BETA", "order sell COIN 1.5 @ 11.50").expect_success();
    let replay = running.place.run("replay venue --book --json").expect_json("uncross.replay/1");
    let books = replay.value("books").as_array().unwrap();
    let book = |symbol: &str| books.iter().find(|book| book["symbol"] == symbol).unwrap();
    let rows = |orders: &Value| -> Vec<_> {
        let rows = orders.as_array().unwrap().iter();
        rows.map(|row| [&row["price"], &row["quantity"]].map(|it| it.as_str().unwrap().to_owned()))
            .collect()
    };
    assert_eq!(rows(&book("DEMO")["bids"]), [["10.0000", "80"], ["10.0000", "50"]]);
    assert_eq!(rows(&book("COIN")["asks"]), [["11.50", "1.500"]]);
    let text = running.place.run("replay venue --book").expect_success();
    assert!(text.lines().any(|line| line.starts_with("symbol")), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("DEMO")).count(), 2);
}
