//! `journal inspect`, `cat`, `diff`, `repair` and the options of `replay`.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{
    journals::{content, copy, damage, files, lines, replace, traded},
    program::Place,
    running::Running,
    server::Server,
};

const INSPECT: &str = "uncross.journal.inspect/1";

#[test]
fn an_inspection_agrees_with_verification_and_replay() {
    let place = traded();
    let seen = place.run("journal inspect venue --json").expect_json(INSPECT);
    let verified = place.run("journal verify venue --json").expect_json("uncross.journal.verify/1");
    let replayed = place.run("replay venue --json").expect_json("uncross.replay/1");
    let segments = seen.value("segments").as_array().unwrap();
    assert_eq!(segments.len() as u64, verified.number("segments"));
    let sealed = segments.iter().filter(|segment| segment["state"] == "sealed").count() as u64;
    assert_eq!(sealed, verified.number("sealed_segments"));
    assert!(2 <= sealed, "several segments");
    assert_eq!(seen.number("last_seq"), verified.number("last_seq"));
    assert_eq!(seen.number("record_bytes"), verified.number("bytes"));
    assert_eq!(seen.text("last_time"), replayed.text("last_time"), "the checkpoint's at the end");
    assert_eq!(seen.number("durable.seq"), verified.number("durable_seq"));
    assert_eq!((seen.text("durable.run"), seen.value("health.is_whole")), ("closed", &true.into()));
    let counts = seen.value("records").as_array().unwrap();
    let count = |kind: &str| {
        let row = counts.iter().find(|row| row["kind"] == kind);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    };
    assert_eq!(count("checkpoint"), verified.number("checkpoints"));
    assert_eq!(count("seal"), sealed);
    let all: u64 = counts.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(all - count("checkpoint") - count("seal"), verified.number("records"));
    assert_eq!(seen.value("sessions").as_array().unwrap().len(), 1);
    let instruments = seen.value("instruments").as_array().unwrap();
    assert_eq!((instruments[0]["symbol"].as_str(), instruments.len()), (Some("DEMO"), 5));
    assert_eq!(instruments[0]["tick"], "0.0100");
    assert!(0 < seen.number("capacity.orders"));
    let text = place.run("journal inspect venue").expect_success();
    assert!(text.contains("health       whole\n") && text.contains("sealed"), "{text}");
}

#[test]
fn an_inspection_shows_what_is_whole_before_damage_and_ends_in_6() {
    let place = traded();
    let sealed = files(&place.path("venue/journal"), "seg");
    damage(&sealed[1], 4_096 + 64 * 10 + 3);
    let run = place.run("journal inspect venue --json");
    assert_eq!(run.code, 6, "{run:?}");
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!((&error["code"], &error["exit_code"]), (&"UX-J003".into(), &6.into()));
    for found in [&error["place"], &seen["health"]["place"]] {
        assert_eq!(found["file"], "venue/journal/".to_owned() + name(&sealed[1]));
        assert_eq!(found["offset"], 4_096 + 64 * 10);
        let hash = |key: &str| found[key].as_str().unwrap().to_owned();
        assert!(hash("expected").starts_with("0x") && hash("expected") != hash("found"));
    }
    let first = &seen["segments"][0];
    assert_eq!(seen["last_seq"].as_u64(), first["last_seq"].as_u64().map(|last| last + 10));
    let verify = place.run("journal verify venue --json");
    assert_eq!((verify.code, verify.stdout.as_str()), (6, ""));
    let verified: Value = serde_json::from_str(&verify.stderr).unwrap();
    assert_eq!(verified["place"], error["place"], "verification names the same place");
}

#[test]
fn verification_compares_the_files_of_the_streams_where_it_is_asked_to() {
    const VERIFY: &str = "uncross.journal.verify/1";
    let place = traded();
    let plain = place.run("journal verify venue --json").expect_json(VERIFY);
    let verified = place.run("journal verify venue --streams --json").expect_json(VERIFY);
    assert_eq!(verified.number("records"), plain.number("records"));
    assert_eq!(verified.number("streams.last_seq"), plain.number("last_seq"));
    let messages = verified.number("streams.messages");
    assert!(0 < messages && messages == verified.number("streams.messages_held"));
    assert_eq!(verified.value("streams.behind").as_array().unwrap().len(), 0);
    let session = verified.text("streams.session").to_owned();
    let text = place.run("journal verify venue --streams").expect_success();
    assert!(text.contains(&format!("of session {session}\n")), "{text}");
    let feed = place.path("venue/streams").join(session).join("feed.stream");
    damage(&feed, 4_096 + 1_000);
    place.run("journal verify venue").expect_success();
    let run = place.run("journal verify venue --streams --json");
    assert_eq!(run.code, 6, "{run:?}");
    let error: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!((&error["code"], &error["place"]["offset"]), (&"UX-J021".into(), &5_096.into()));
    // What cannot be read is not said to be changed; nobody may follow a link to itself.
    fs::remove_file(&feed).unwrap();
    std::os::unix::fs::symlink("feed.stream", &feed).unwrap();
    let run = place.run("journal verify venue --streams");
    assert!(run.stderr.contains("feed.stream"), "{run:?}");
    run.expect_failure(1, "UX-F002");
    fs::remove_dir_all(place.path("venue/streams")).unwrap();
    let verified = place.run("journal verify venue --streams --json").expect_json(VERIFY);
    assert_eq!(verified.number("streams.messages_held"), 0);
    assert_eq!(verified.number("streams.messages"), messages);
    let text = place.run("journal verify venue --streams").expect_success();
    assert!(text.contains("  feed       0 of "), "{text}");
}

fn name(path: &std::path::Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Every tool that reads only, on the venue in `venue`.
const READING: [&str; 14] = [
    "journal inspect venue",
    "journal verify venue",
    "journal cat venue",
    "journal cat venue --from 500 --instrument DEMO",
    "journal book venue DEMO --at 400",
    "journal query venue --trade 1",
    "journal diff venue venue",
    "journal repair venue",
    "journal export venue --sessions",
    "replay venue --until 300 --hash --speed",
    "replay venue --compare venue",
    "sessions venue",
    "backup verify venue",
    "backup restore venue elsewhere",
];

#[test]
fn no_reading_tool_changes_a_byte_of_a_whole_or_of_a_damaged_journal() {
    let place = traded();
    let folder = place.path("venue");
    let journal = folder.join("journal");
    let check = |place: &Place, case: &str, may_end_in: &[i32]| {
        let before = content(&folder);
        for command in READING {
            let run = place.run(command);
            let is_backup = command.starts_with("backup");
            let expected: &[i32] = if is_backup { &[3] } else { may_end_in };
            assert!(expected.contains(&run.code), "{case}: {command}: {run:?}");
            assert!(content(&folder) == before, "{case}: {command} changed something");
        }
    };
    check(&place, "whole", &[0]);
    // Behind the last record: torn.
    let open = files(&journal, "open").remove(0);
    let good = fs::read(&open).unwrap();
    let end = good.iter().rposition(|&byte| byte != 0).unwrap() / 64 * 64 + 64;
    let mut torn = good.clone();
    torn[end..end + 40].fill(0xAB);
    replace(&open, &torn);
    check(&place, "torn", &[0]);
    replace(&open, &good);
    fs::rename(journal.join("lock"), place.path("lock")).unwrap();
    check(&place, "without a lock file", &[0]);
    let sealed = files(&journal, "seg");
    damage(&sealed[0], 10_000);
    check(&place, "damaged", &[0, 6]);
    fs::remove_file(&sealed[1]).unwrap();
    check(&place, "a segment is missing", &[6]);
    fs::remove_file(journal.join("durable")).unwrap();
    check(&place, "the mark is missing", &[6]);
}

#[test]
fn what_is_wrong_with_a_folder_is_said_by_every_tool() {
    let place = traded();
    let tools = [
        "journal inspect",
        "journal verify",
        "journal cat",
        "journal repair",
        "replay",
        "sessions",
        "journal export --sessions",
    ];
    for tool in tools {
        place.run(&format!("{tool} nowhere")).expect_failure(3, "UX-J001");
        let run = place.run(&format!("{tool} venue/journal"));
        assert!(run.stderr.contains("fix: name the folder of the venue: venue\n"), "{run:?}");
        run.expect_failure(3, "UX-J001");
    }
    place.run("journal book nowhere DEMO").expect_failure(3, "UX-J001");
    place.run("journal query nowhere --trade 1").expect_failure(3, "UX-J001");
    place.run("journal diff venue nowhere").expect_failure(3, "UX-J001");
    // A file of another program in the place of a segment, and one of a later version of this.
    let path = files(&place.path("venue/journal"), "seg").remove(0);
    let good = fs::read(&path).unwrap();
    replace(&path, &vec![b'x'; 65_536]);
    for tool in tools {
        let run = place.run(&format!("{tool} venue"));
        assert_eq!(run.code, 6, "{tool}: {run:?}");
        assert!(run.stderr.contains(name(&path)), "{tool}: {run:?}");
    }
    replace(&path, &good);
    place.run("journal verify venue").expect_success();
}

#[test]
fn a_journal_that_is_gone_is_told_from_one_that_never_was() {
    const TOOLS: [&str; 9] = [
        "journal inspect venue",
        "journal verify venue",
        "journal cat venue",
        "journal repair venue",
        "journal query venue --trade 1",
        "journal export venue --sessions",
        "replay venue",
        "sessions venue",
        "journal diff venue venue",
    ];
    let place = Place::with_venue();
    let expect = |code: i32, error: &str| {
        for tool in TOOLS {
            let run = place.run(tool);
            assert_eq!(run.code, code, "{tool}: {run:?}");
            run.expect_failure(code, error);
        }
    };
    // A venue that was never started has no journal; an empty folder is one without records.
    expect(3, "UX-J001");
    let journal = place.path("venue/journal");
    fs::create_dir(&journal).unwrap();
    expect(3, "UX-J001");
    // Where one was begun it must be there, whether its folder is or not.
    place.write("venue/journal.begun", "");
    expect(6, "UX-J007");
    fs::remove_dir(&journal).unwrap();
    expect(6, "UX-J007");
}

#[test]
fn a_file_that_is_no_segment_is_named_by_every_tool_and_no_other_one_is() {
    const TOOLS: [&str; 9] = [
        "journal inspect venue --json",
        "journal verify venue --json",
        "journal cat venue --json",
        "journal repair venue --json",
        "journal export venue --itch today.itch --json",
        "journal diff venue venue --json",
        "replay venue --json",
        "sessions venue --json",
        "start venue --orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0 --json",
    ];
    let place = traded();
    let journal = place.path("venue/journal");
    let sealed = files(&journal, "seg");
    let copied = fs::read(&sealed[1]).unwrap();
    let first_seq = |path: &std::path::Path| -> u64 {
        path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
    };
    for (seq, bytes) in [
        (90_000_000, Some(&b"#!/bin/true"[..])),
        (90_000_000, Some(&copied)),
        (90_000_000, None),
        (first_seq(&sealed[1]) + 1, Some(&copied)),
        (first_seq(&sealed[1]) + 1, None),
    ] {
        let stray = journal.join(format!("{seq:020}.seg"));
        match bytes {
            Some(bytes) => fs::write(&stray, bytes).unwrap(),
            None => fs::create_dir(&stray).unwrap(),
        }
        for tool in TOOLS {
            let run = place.run(tool);
            assert_eq!(run.code, 6, "{tool}: {run:?}");
            let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap()).unwrap();
            assert_eq!(error["code"], "UX-J003", "{tool}: {run:?}");
            let blamed = error["place"]["file"].as_str().unwrap();
            assert!(blamed.ends_with(name(&stray)), "{tool}: {run:?}");
        }
        if bytes.is_some() {
            fs::remove_file(&stray).unwrap();
        } else {
            fs::remove_dir(&stray).unwrap();
        }
    }
    place.run("journal verify venue").expect_success();
}

#[test]
fn a_journal_that_may_not_be_read_is_not_said_to_be_missing() {
    let place = Place::with_venue();
    // Nobody may follow a link that leads to itself, whoever runs this.
    std::os::unix::fs::symlink("journal", place.path("venue/journal")).unwrap();
    for tool in ["journal inspect", "journal verify", "replay", "sessions"] {
        place.run(&format!("{tool} venue")).expect_failure(1, "UX-J004");
    }
}

#[test]
fn records_are_found_by_place_time_port_number_kind_and_instrument() {
    let place = traded();
    let cat = |arguments: &str| lines(place.run(&format!("journal cat venue --json {arguments}")));
    let all = cat("");
    let last = all.iter().filter_map(|line| line["seq"].as_u64()).max().unwrap();
    let of = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        all.iter().filter(|line| wanted(line)).cloned().collect()
    };
    let seq = |line: &Value| line["seq"].as_u64().unwrap();
    assert!(all.iter().all(|line| line["schema"] == "uncross.journal.record/1"));
    let numbers: Vec<u64> =
        all.iter().filter(|line| line["kind"] != "checkpoint").map(seq).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    // Without --from no new order is told in units. A replacement may be: of an order that was gone
    // when it came, which a broker cannot know.
    let entered = of(&|line| line["kind"] == "enter");
    assert!(entered.iter().all(|line| line.get("quantity_units").is_none()), "decimals");

    let late = cat(&format!("--from {} --resolve", last - 500));
    assert_eq!(late, of(&|line| last - 500 <= seq(line)));
    assert_eq!(cat("--to 30"), of(&|line| seq(line) <= 30));
    let (from, to) = (all[300]["time"].as_str().unwrap(), all[900]["time"].as_str().unwrap());
    let within = cat(&format!("--from {from} --to {to} --resolve"));
    assert_eq!(within, of(&|line| (from..=to).contains(&line["time"].as_str().unwrap())));
    assert_eq!(cat("--port 3"), of(&|line| line["port"] == 3));
    assert_eq!(cat("--kind day_roll --kind cancel"), {
        of(&|line| line["kind"] == "day_roll" || line["kind"] == "cancel")
    });
    let named = |line: &Value| line["user_ref_num"] == 9 || line["orig_user_ref_num"] == 9;
    let ninth = cat("--port 3 --number 9");
    assert_eq!(ninth, of(&|line| line["port"] == 3 && named(line)));
    assert!(!ninth.is_empty());
    // Every record that names the instrument; and the listing, which brings it into being.
    let coin = cat("--instrument coin --kind enter --kind replace --kind cancel");
    let symbols = ["enter", "replace", "cancel"];
    let is_coin = |line: &Value| {
        line["symbol"] == "COIN" && symbols.contains(&line["kind"].as_str().unwrap())
    };
    assert_eq!(coin, of(&is_coin));
    assert!(coin.iter().any(|line| line["kind"] == "replace"), "an order of it is known");

    // Behind a place within, units stand where the instrument cannot be known.
    let unresolved = cat(&format!("--from {}", last - 500));
    for (line, resolved) in unresolved.iter().zip(&late) {
        assert_eq!((seq(line), &line["kind"]), (seq(resolved), &resolved["kind"]));
        if line.get("price").is_some() {
            assert_eq!(line["price"], resolved["price"]);
        }
    }
    let text = place.run("journal cat venue --to 16").expect_success();
    assert_eq!(text.lines().count(), 16);
    assert!(text.lines().next().unwrap().contains("configuration subject=capacity"), "{text}");
}

#[test]
fn moments_outside_of_the_journal_and_names_of_nothing_are_refused() {
    let place = traded();
    let seen = place.run("journal inspect venue --json").expect_json(INSPECT);
    let beyond = seen.number("last_seq") + 1;
    for moment in [
        "0",
        &beyond.to_string(),
        "2001-01-01T00:00:00Z",
        "2200-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
    ] {
        for command in [
            format!("journal cat venue --from {moment}"),
            format!("journal cat venue --to {moment}"),
            format!("journal book venue DEMO --at {moment}"),
            format!("replay venue --until {moment}"),
        ] {
            let message = place.run(&command).expect_failure(1, "UX-J011");
            assert!(
                message.contains(&format!("it holds records 1 to {}", beyond - 1)),
                "{message}"
            );
        }
    }
    for command in [
        "journal cat venue --from yesterday",
        "journal cat venue --kind nonsense",
        "journal cat venue --from 9 --to 8",
        "journal cat venue --order 1:0",
        "journal cat venue --order 1:2:3:4",
        "journal cat venue --session NONE",
        "journal query venue",
        "journal query venue --port 1",
        "journal query venue --port 1 --number 0",
        "journal query venue --order 1 --trade 1",
        "replay venue --until 1.5",
        "backup create venue backups --keep 0",
    ] {
        place.run(command).expect_failure(2, "UX-U001");
    }
    for command in ["journal book venue NOPE", "journal cat venue --instrument NOPE"] {
        let run = place.run(command);
        assert!(run.stderr.contains("DEMO, PENNY, HIGH, COIN, INDEX"), "{run:?}");
        run.expect_failure(1, "UX-J014");
    }
    for wanted in ["--order 1", "--port 99 --number 1", "--trade 999999999"] {
        place.run(&format!("journal query venue {wanted}")).expect_failure(1, "UX-J012");
    }
    for other in ["query venue --trade 1 --session NONE", "cat venue --order 1:1 --session NONE"] {
        place.run(&format!("journal {other}")).expect_failure(1, "UX-J012");
    }
}

#[test]
fn the_time_of_the_last_checkpoint_is_within_the_journal() {
    let place = traded();
    let all = lines(place.run("journal cat venue --json"));
    let [before, last] = &all[all.len() - 2..] else { panic!("{all:?}") };
    assert_eq!((last["kind"].as_str(), &last["seq"]), (Some("checkpoint"), &before["seq"]));
    let time = last["time"].as_str().unwrap();
    assert!(before["time"].as_str().unwrap() < time, "a while after the last record");
    let replay = place.run(&format!("replay venue --until {time} --json"));
    let replay = replay.expect_json("uncross.replay/1");
    assert_eq!(Some(replay.number("last_seq")), last["seq"].as_u64());
    let cat = |range: &str| lines(place.run(&format!("journal cat venue --json {range} {time}")));
    assert_eq!(cat("--from"), std::slice::from_ref(last));
    assert_eq!(cat("--kind checkpoint --to").last(), Some(last));
}

#[test]
fn a_book_carries_the_hash_that_a_replay_up_to_there_comes_to() {
    let place = traded();
    for at in [7, 400, 1_000] {
        let book = place.run(&format!("journal book venue DEMO --at {at} --json"));
        let book = book.expect_json("uncross.journal.book/1");
        let replay = place.run(&format!("replay venue --until {at} --hash --json"));
        let replay = replay.expect_json("uncross.replay/1");
        assert_eq!(book.number("seq"), at);
        assert_eq!(book.text("state_hash"), replay.text("state_hash"));
        assert_eq!(book.text("output_hash"), replay.text("output_hash"));
    }
    let timed = place.run("replay venue --speed --json").expect_json("uncross.replay/1");
    assert_eq!(timed.number("speed.commands"), timed.number("last_seq"));
    assert!(0 < timed.number("speed.commands_per_s"));
}

#[test]
fn a_replay_is_compared_with_another_journal_or_with_kept_hashes() {
    let place = traded();
    copy(&place.path("venue"), &place.path("twin"));
    place.write("hashes.json", &place.run("replay venue --hash --json").expect_success());
    for other in ["twin", "hashes.json"] {
        let run = place.run(&format!("replay venue --compare {other} --json"));
        assert_eq!(run.expect_json("uncross.replay/1").value("compared.is_same"), true);
    }
    place.write("early.json", &place.run("replay venue --until 99 --hash --json").expect_success());
    let early = place.run("replay venue --compare early.json --json");
    assert_eq!(early.expect_json("uncross.replay/1").number("last_seq"), 99, "up to there");
    let last = place.run("replay venue --json").expect_json("uncross.replay/1").number("last_seq");
    for until in [98, 100] {
        let run = place.run(&format!("replay venue --until {until} --compare early.json"));
        let message = run.expect_failure(2, "UX-U001");
        assert!(message.contains("record 99") && message.contains(&until.to_string()), "{message}");
    }
    place.run("replay venue --until 99 --compare early.json").expect_success();
    let text = place.read("hashes.json");
    place.write("wrong.json", &text.replace("\"state_hash\":\"", "\"state_hash\":\"0"));
    place.write("output.json", &text.replace("\"state_hash\":", "\"another_hash\":"));
    let text = place.run("replay venue --compare output.json").expect_success();
    assert!(text.contains("the same output as output.json, which tells no state\n"), "{text}");
    let beyond = format!("\"last_seq\":{}", last + 1);
    let text = place.read("hashes.json").replace(&format!("\"last_seq\":{last}"), &beyond);
    place.write("beyond.json", &text);
    place.run("replay venue --compare beyond.json").expect_failure(1, "UX-J011");
    let run = place.run("replay venue --compare wrong.json");
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stdout.contains("another state than"), "{run:?}");
    assert!(run.stderr.starts_with("error[UX-J006]: "), "{run:?}");
    place.write("empty.json", "{}");
    for other in ["empty.json", "nowhere"] {
        place.run(&format!("replay venue --compare {other}")).expect_failure(1, "UX-F002");
    }
    // A shell hands over what another command says as a pipe.
    let text = place.read("hashes.json");
    let run = place.run_with("replay venue --compare /dev/stdin", &[], &text);
    assert!(run.expect_success().contains("the same state as /dev/stdin\n"));
}

#[test]
fn of_journals_of_different_lengths_the_states_at_the_last_common_record_are_compared() {
    let place = traded();
    place.run("backup create venue backups").expect_success();
    place.run("backup restore backups part --until 500").expect_success();
    let last = place.run("replay venue --json").expect_json("uncross.replay/1").number("last_seq");
    for pair in ["part --compare venue", "venue --compare part"] {
        let told = place.run(&format!("replay {pair} --json")).expect_json("uncross.replay/1");
        assert_eq!((told.number("last_seq"), told.number("compared.last_seq")), (500, 500));
        assert_eq!(told.value("compared.is_same"), true, "{pair}");
        let longer = (told.text("compared.longer.venue"), told.number("compared.longer.last_seq"));
        assert_eq!(longer, ("venue", last), "{pair}");
        let text = place.run(&format!("replay {pair}")).expect_success();
        assert!(text.contains("  at         record 500\n"), "{text}");
        assert!(text.contains(&format!("  goes on    venue, to record {last}\n")), "{text}");
    }
    place.run("replay venue --until 501 --compare part").expect_failure(1, "UX-J011");
    let other = traded();
    fs::rename(other.path("venue"), place.path("other")).unwrap();
    let run = place.run("replay venue --compare other");
    assert!(run.code == 6 && run.stderr.starts_with("error[UX-J006]: "), "{run:?}");
    // A venue that runs is behind itself at no time.
    let server = Server::start(&place, "--set core.pin=false --set journal.segment=64KiB");
    for pair in ["venue --compare venue", "venue --compare part", "part --compare venue"] {
        place.run(&format!("replay {pair}")).expect_success();
    }
    server.stop();
}

#[test]
fn journals_are_the_same_or_part_at_a_record_that_is_shown() {
    let place = traded();
    place.run("backup create venue backups").expect_success();
    place.run("backup restore backups part --until 500").expect_success();
    let same = place.run("journal diff venue venue --json").expect_json("uncross.journal.diff/1");
    assert_eq!((same.value("is_same"), same.text("relation")), (&true.into(), "same"));
    let run = place.run("journal diff part venue --json");
    let prefix: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (run.code, &prefix["relation"], &prefix["longer"]),
        (6, &"prefix".into(), &"b".into())
    );
    assert_eq!((&prefix["common_seq"], &prefix["seq"]), (&500.into(), &501.into()));
    let next = lines(place.run("journal cat venue --from 501 --to 501 --resolve --json")).remove(0);
    assert_eq!(prefix["outcome_b"]["record"]["kind"], next["kind"]);
    // What is restored opens an epoch where the venue went on.
    fs::create_dir(place.path("box")).unwrap();
    fs::rename(place.path("part"), place.path("box/venue")).unwrap();
    Server::start_in(&place.path("box"), "--set core.pin=false").stop();
    let run = place.run("journal diff box/venue venue --json");
    let parted: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &parted["relation"], &parted["seq"]), (6, &"parted".into(), &501.into()));
    assert_eq!(parted["outcome_a"]["record"]["kind"], "session_down");
    assert_eq!(parted["outcome_b"]["record"]["kind"], next["kind"]);
    assert!(parted["outcome_b"]["event_count"].as_u64().is_some_and(|count| 0 < count));
    let message = place.run("journal diff box/venue venue");
    assert!(message.stderr.starts_with("error[UX-J013]: the journals differ at record 501"));
}

#[test]
fn exported_events_are_compared_with_each_other_and_with_a_journal() {
    let place = traded();
    place.run("journal export venue --events a.jsonl").expect_success();
    let text = place.read("a.jsonl");
    let at = text.lines().position(|line| line.contains("\"event\":\"fill\"")).unwrap();
    let changed = |line: (usize, &str)| match line {
        (number, line) if number == at => line.replace("\"event\":\"fill\"", "\"event\":\"spill\""),
        (_, line) => line.to_owned(),
    };
    let other: Vec<String> = text.lines().enumerate().map(changed).collect();
    place.write("b.jsonl", &(other.join("\n") + "\n"));
    place.write("short.jsonl", &(text.lines().take(50).collect::<Vec<_>>().join("\n") + "\n"));
    let schema = "uncross.journal.diff-events/1";
    for pair in ["a.jsonl a.jsonl", "a.jsonl venue", "venue a.jsonl"] {
        let run = place.run(&format!("journal diff {pair} --json")).expect_json(schema);
        assert_eq!(run.number("same"), text.lines().count() as u64, "{pair}");
    }
    for (pair, same) in [
        ("a.jsonl b.jsonl", at),
        ("venue b.jsonl", at),
        ("b.jsonl venue", at),
        ("venue short.jsonl", 50),
        ("short.jsonl a.jsonl", 50),
    ] {
        let run = place.run(&format!("journal diff {pair} --json"));
        let told: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.code, told["same"].as_u64()), (6, Some(same as u64)), "{pair}: {run:?}");
        assert!(told["seq"].is_u64(), "{pair}: {run:?}");
    }
    place.write("garbage", "nothing\n");
    place.run("journal diff garbage a.jsonl").expect_failure(1, "UX-J015");
    place.run("journal diff venue garbage").expect_failure(1, "UX-J015");
    place.write("empty", "");
    place.run("journal export venue --trades trades.jsonl").expect_success();
    place.run("journal export venue --events table.csv").expect_success();
    for pair in ["empty empty", "trades.jsonl venue", "venue table.csv", "table.csv a.jsonl"] {
        place.run(&format!("journal diff {pair}")).expect_failure(1, "UX-J015");
    }
}

#[test]
fn a_repair_says_what_it_would_do_and_does_it_only_when_told_to() {
    let place = traded();
    let whole = place.run("journal repair venue --yes").expect_success();
    assert!(whole.starts_with("nothing is to be repaired"), "{whole}");
    let path = files(&place.path("venue/journal"), "open").remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() / 64 * 64 + 64;
    bytes[end..end + 40].fill(0xAB);
    replace(&path, &bytes);
    let said = place.run("journal repair venue --json").expect_json("uncross.journal.repair/1");
    assert_eq!((said.value("is_needed"), said.value("is_done")), (&true.into(), &false.into()));
    assert_eq!((said.number("torn.offset"), said.number("torn.bytes")), (end as u64, 40));
    let done = place.run("journal repair venue --yes --json");
    let done = done.expect_json("uncross.journal.repair/1");
    assert_eq!((done.value("is_done"), done.value("torn")), (&true.into(), said.value("torn")));
    assert_eq!(fs::read(place.path(done.text("torn.copy"))).unwrap(), [0xAB; 40]);
    let verified = place.run("journal verify venue --json").expect_json("uncross.journal.verify/1");
    assert_eq!(verified.value("torn"), &Value::Null);
    damage(&path, 4_096 + 200);
    let before = content(&place.path("venue"));
    place.run("journal repair venue --yes").expect_failure(6, "UX-J003");
    assert!(content(&place.path("venue")) == before);
}

#[test]
fn tools_work_beside_a_running_venue() {
    let place = traded();
    let settings = "--set core.pin=false --set journal.segment=64KiB";
    let server = Server::start(&place, settings);
    for command in &READING[..7] {
        place.run(command).expect_success();
    }
    place.run("journal repair venue").expect_failure(7, "UX-J002");
    place.run("backup create venue backups").expect_success();
    place.run("backup verify backups").expect_success();
    server.stop();
}

#[test]
fn records_have_the_fields_that_are_documented() {
    let page = include_str!("../../../docs/journal-tools.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented = |kind: &str| -> Vec<String> {
        let row = rows.clone().find(|row| row.split('`').next() == Some(kind));
        let row = row.unwrap_or_else(|| panic!("{kind} is not documented"));
        let fields = row.rsplit_once(" |").unwrap().0.rsplit_once('|').unwrap().1;
        fields.split_whitespace().map(|field| field.trim_matches('`').to_owned()).collect()
    };
    let running = Running::start();
    let acme = |arguments: &str| drop(running.run_as("ACME", arguments).expect_success());
    acme("order buy DEMO 100 @ 10.00");
    acme("order buy DEMO 100 @ 10.00 --firm ACME --id mine");
    acme("replace 1 90 @ 10.01");
    acme("order sell DEMO 10 @ 11.00");
    acme("modify 4 sell-short 8");
    acme("cancel 2 --to 40");
    acme("disable");
    acme("enable");
    acme("mass-cancel");
    acme("query");
    let common = ["schema", "seq", "time", "kind", "segment", "offset"];
    let mut kinds = BTreeSet::new();
    for line in lines(running.place.run("journal cat venue --json")) {
        let kind = line["kind"].as_str().unwrap();
        let fields = documented(kind);
        for key in line.as_object().unwrap().keys().filter(|key| !common.contains(&key.as_str())) {
            assert!(fields.contains(key), "{kind}: {key} is not documented");
        }
        kinds.insert(kind.to_owned());
    }
    for kind in ["enter", "replace", "cancel", "modify", "mass_cancel", "disable_entry"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    for (_, kind) in uncross_server::audit::told::KINDS {
        if !["upgrade", "pad", "seal"].contains(&kind) {
            documented(kind);
        }
    }
}
