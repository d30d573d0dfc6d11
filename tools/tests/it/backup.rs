//! `backup create`, `verify` and `restore`.

use std::fs;

use serde_json::Value;

use crate::{
    journals::{content, damage, files, traded},
    program::Place,
    server::Server,
};

const CREATE: &str = "uncross.backup.create/1";
const VERIFY: &str = "uncross.backup.verify/1";
const RESTORE: &str = "uncross.backup.restore/1";

/// The generations in `backups`, the oldest first.
fn generations(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("backups")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
    names.sort();
    names
}

#[test]
fn a_backup_beside_a_running_venue_leads_to_its_state_and_a_restored_one_opens_an_epoch() {
    let place = traded();
    let before = place.run("replay venue --hash --json").expect_json("uncross.replay/1");
    let settings = "--set core.pin=false --set journal.segment=64KiB";
    let server = Server::start(&place, settings);
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    server.stop();
    assert!(before.number("last_seq") <= made.number("last_seq"));
    let until = format!("replay venue --until {} --hash --json", made.number("last_seq"));
    let then = place.run(&until).expect_json("uncross.replay/1");
    assert_eq!(then.text("state_hash"), made.text("state_hash"));
    assert!(2 <= made.number("segments"));
    // It is a venue's folder to every other tool.
    let backup = made.text("backup").to_owned();
    place.run(&format!("journal verify {backup}")).expect_success();
    assert!(!place.path(&backup).join("streams").exists(), "they are made again");
    let held = content(&place.path("backups"));
    let proved = place.run("backup verify backups --json").expect_json(VERIFY);
    assert_eq!(proved.value("is_good"), true);
    assert!(content(&place.path("backups")) == held, "verification changes nothing");

    fs::create_dir(place.path("box")).unwrap();
    let run = place.run("backup restore backups box/venue --json");
    let restored = run.expect_json(RESTORE);
    assert_eq!(restored.text("state_hash"), made.text("state_hash"));
    assert_eq!(restored.value("is_whole"), true);
    place.run("replay box/venue --compare venue --until 400").expect_success();
    for name in ["venue.toml", "users.toml", "operators.toml"] {
        let read = |folder: &str| fs::read(place.path(&format!("{folder}/{name}"))).unwrap();
        assert_eq!(read("box/venue"), read("venue"));
    }
    Server::start_in(&place.path("box"), settings).stop();
    let schema = "uncross.journal.inspect/1";
    let seen = place.run("journal inspect box/venue --json").expect_json(schema);
    assert_eq!(seen.number("epoch"), 1, "numbers are never given twice");
    let original = place.run("journal inspect venue --json").expect_json(schema);
    let name = |seen: &crate::json::Json| {
        let sessions = seen.value("sessions").as_array().unwrap();
        sessions.last().unwrap()["session"].clone()
    };
    assert_ne!(name(&seen), name(&original));
}

#[test]
fn a_venue_is_restored_to_any_number_and_any_time() {
    let place = traded();
    place.run("backup create venue backups").expect_success();
    let records = crate::journals::lines(place.run("journal cat venue --to 1000 --json"));
    let sealed = files(&place.path("venue/journal"), "seg");
    let second: u64 = sealed[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    for seq in [7, 500, second - 1, second, 1_000] {
        let by_seq = place.run(&format!("backup restore backups s{seq} --until {seq} --json"));
        let by_seq = by_seq.expect_json(RESTORE);
        let due = place.run(&format!("replay venue --until {seq} --hash --json"));
        let due = due.expect_json("uncross.replay/1");
        assert_eq!(by_seq.number("last_seq"), seq);
        assert_eq!(by_seq.text("state_hash"), due.text("state_hash"), "up to {seq}");
        place.run(&format!("journal verify s{seq}")).expect_success();
    }
    let time = records[599]["time"].as_str().unwrap();
    let by_time = place.run(&format!("backup restore backups timed --until {time} --json"));
    let due = place.run(&format!("replay venue --until {time} --hash --json"));
    let due = due.expect_json("uncross.replay/1");
    assert_eq!(by_time.expect_json(RESTORE).text("state_hash"), due.text("state_hash"));
    place.run("backup restore backups late --until 99999999").expect_failure(1, "UX-J011");
    assert!(!place.path("late").exists());
}

#[test]
fn generations_beyond_those_kept_are_removed_but_damaged_ones_count_for_nothing() {
    let place = traded();
    let create = || place.run("backup create venue backups --keep 2 --json").expect_json(CREATE);
    for _ in 0..2 {
        assert_eq!(create().value("removed").as_array().unwrap().len(), 0);
    }
    let oldest = generations(&place).remove(0);
    let third = create();
    assert_eq!(third.value("removed"), &Value::from(vec![oldest]));
    // Two are left: the older one is the last good one when the newer is damaged.
    let left = generations(&place);
    let hurt = place.path("backups").join(&left[1]).join("users.toml");
    damage(&hurt, 3);
    let fourth = create();
    assert_eq!(fourth.value("removed").as_array().unwrap().len(), 0, "two good ones are kept");
    assert_eq!(fourth.value("damaged"), &Value::from(vec![left[1].clone()]));
    assert_eq!(generations(&place).len(), 3);
    let run = place.run("backup verify backups --json");
    let proved: Value = serde_json::from_str(&run.stdout).unwrap();
    let findings: Vec<_> =
        proved["backups"].as_array().unwrap().iter().map(|row| row["is_good"].clone()).collect();
    assert_eq!((run.code, findings), (6, vec![true.into(), false.into(), true.into()]));
    // What a backup that was cut short left is removed by the next one.
    fs::create_dir(place.path("backups/.partial-old")).unwrap();
    create();
    assert!(!place.path("backups/.partial-old").exists());
}

#[test]
fn damage_to_any_file_of_a_backup_is_found_and_nothing_is_made_of_it() {
    let place = traded();
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    let backup = place.path(made.text("backup"));
    for (path, _, _) in content(&backup) {
        let path = std::path::PathBuf::from(path);
        let good = fs::read(&path).unwrap();
        for offset in [10, good.len() / 2] {
            damage(&path, offset);
            let run = place.run("backup verify backups");
            assert_eq!(run.code, 6, "{}: {run:?}", path.display());
            assert!(run.stderr.starts_with("error[UX-K001]: "), "{run:?}");
            place.run("backup restore backups again").expect_failure(6, "UX-K001");
            assert!(!place.path("again").exists());
            crate::journals::replace(&path, &good);
        }
        fs::remove_file(&path).unwrap();
        let is_manifest = path.ends_with("manifest.json");
        let (exit, code) = if is_manifest { (3, "UX-K002") } else { (6, "UX-K001") };
        place.run("backup restore backups again").expect_failure(exit, code);
        fs::write(&path, &good).unwrap();
    }
    fs::write(backup.join("journal/00000000000000000009.seg"), "stray").unwrap();
    let message = place.run("backup restore backups again").expect_failure(6, "UX-K001");
    assert!(message.contains("00000000000000000009.seg"), "{message}");
}

#[test]
fn folders_that_cannot_be_used_are_refused_and_nothing_is_left() {
    let place = traded();
    place.write("file", "mine");
    place.run("backup create nowhere backups").expect_failure(3, "UX-J001");
    assert!(!place.path("backups").exists());
    place.run("backup create venue file").expect_failure(1, "UX-F003");
    place.run("backup create venue no/such/folder").expect_failure(1, "UX-F003");
    place.run("backup verify nowhere").expect_failure(3, "UX-K002");
    place.run("backup verify venue").expect_failure(3, "UX-K002");
    place.run("backup create venue backups").expect_success();
    place.run("backup restore backups venue").expect_failure(1, "UX-F001");
    place.run("backup restore backups file").expect_failure(1, "UX-F001");
    place.run("backup restore backups no/such/folder").expect_failure(1, "UX-F003");
    assert_eq!(place.read("file"), "mine");
    // A journal that is damaged is not backed up, and leaves the generations as they are.
    damage(&files(&place.path("venue/journal"), "seg")[0], 20_000);
    let before = generations(&place);
    place.run("backup create venue backups").expect_failure(6, "UX-J003");
    assert_eq!(generations(&place), before);
    place.run("init fresh").expect_success();
    place.run("backup create fresh backups").expect_failure(3, "UX-J001");
}
