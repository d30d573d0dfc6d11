//! `backup create`, `verify` and `restore`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use uncross_client::wire::{FromBytes, IntoBytes};
use uncross_server::{
    config::VenueDir,
    journal::{Reader, format::SnapshotHeader},
    shadow::write_snapshot,
};

use crate::{
    journals::{content, copy, damage, files, replace, traded},
    json::Json,
    program::Place,
    server::Server,
};

pub(crate) const CREATE: &str = "uncross.backup.create/1";
pub(crate) const VERIFY: &str = "uncross.backup.verify/1";
pub(crate) const RESTORE: &str = "uncross.backup.restore/1";

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
    let name = |seen: &Json| {
        let sessions = seen.value("sessions").as_array().unwrap();
        sessions.last().unwrap()["session"].clone()
    };
    assert_ne!(name(&seen), name(&original));
}

const SETTINGS: &str = "--set core.pin=false --set journal.segment=64KiB";

/// A venue that has traded, with a snapshot, of which the last record is returned, and some records
/// behind.
fn covered() -> (Place, u64) {
    let place = traded();
    place.write("password.txt", "secret\n");
    let add = "user add TRADER --venue venue --password-stdin";
    place.run_with(add, &[], "secret").expect_success();
    let settings = format!("{SETTINGS} --set journal.snapshot_every=1");
    Server::start(&place, &settings).stop();
    let seq = file_of(&place.path("venue")).1;
    let server = Server::start(&place, SETTINGS);
    order(&place, &server, 1);
    server.stop();
    (place, seq)
}

/// Sends an order, which rests.
fn order(place: &Place, server: &Server, quantity: u32) {
    let who = "--venue venue --user TRADER --password-file password.txt --orders";
    let command = format!("order buy DEMO {quantity} @ 0.01 {who} {} --json", server.orders);
    assert_eq!(place.run(&command).expect_json("uncross.order/1").text("state"), "live");
}

/// The newest snapshot of a venue or backup, and the last record that its name says it covers.
fn file_of(dir: &Path) -> (PathBuf, u64) {
    let path = files(&dir.join("journal/snapshots"), "snap").pop().unwrap();
    let seq = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    (path, seq)
}

#[test]
fn a_restored_venue_starts_from_the_snapshot_of_its_backup() {
    let (place, seq) = covered();
    let server = Server::start(&place, SETTINGS);
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    server.stop();
    assert_eq!(made.number("snapshot_seq"), seq);
    assert!(seq < made.number("last_seq") && made.value("passed_over") == &Value::Array(vec![]));
    let name = format!("journal/snapshots/{seq:020}.snap");
    let backup = place.path(made.text("backup"));
    let manifest: Value =
        serde_json::from_slice(&fs::read(backup.join("manifest.json")).unwrap()).unwrap();
    let listed = manifest["files"].as_array().unwrap();
    assert!(listed.iter().any(|file| file["path"] == name.as_str()), "{listed:?}");
    let text = place.run("backup verify backups").expect_success();
    assert!(text.contains("snapshot at") && text.contains(&format!(" {seq} ")), "{text}");

    fs::create_dir(place.path("box")).unwrap();
    let run = place.run("backup restore backups box/venue --json");
    let restored = run.expect_json(RESTORE);
    assert_eq!(restored.number("snapshot_seq"), seq);
    let first = Server::start_in(&place.path("box"), SETTINGS);
    let started = first.started.clone();
    assert_eq!(started.number("snapshot_seq"), seq);
    assert_eq!(started.number("records"), made.number("last_seq") - seq);
    assert!(0 < started.number("records"));
    assert_eq!(started.value("passed_over"), &Value::Array(vec![]));
    order(&place, &first, 1);
    first.kill();
    let second = Server::start_in(&place.path("box"), SETTINGS);
    assert_eq!(second.started.number("snapshot_seq"), seq);
    order(&place, &second, 1);
    second.stop();
    // Only the first one opened an epoch, and the streams are those that all records lead to.
    place.run("journal verify box/venue --streams").expect_success();
    let seen = place.run("journal inspect box/venue --json");
    assert_eq!(seen.expect_json("uncross.journal.inspect/1").number("epoch"), 1);
}

#[test]
fn a_snapshot_is_restored_where_it_covers_no_more_than_the_venue() {
    let (place, seq) = covered();
    place.run("backup create venue backups").expect_success();
    for (until, is_kept) in [(500, false), (seq - 1, false), (seq, true), (seq + 1, true)] {
        fs::create_dir(place.path(&format!("s{until}"))).unwrap();
        let command = format!("backup restore backups s{until}/venue --until {until} --json");
        let restored = place.run(&command).expect_json(RESTORE);
        let expected = if is_kept { Value::from(seq) } else { Value::Null };
        assert_eq!(restored.value("snapshot_seq"), &expected, "up to {until}");
        let folder = place.path(&format!("s{until}/venue/journal/snapshots"));
        assert_eq!(folder.exists(), is_kept, "up to {until}");
        let server = Server::start_in(&place.path(&format!("s{until}")), SETTINGS);
        assert_eq!(server.started.value("snapshot_seq"), &expected, "up to {until}");
        server.stop();
        place.run(&format!("journal verify s{until}/venue --streams")).expect_success();
    }
}

#[test]
fn a_backup_is_made_of_a_venue_whatever_its_snapshots_are() {
    let (place, seq) = covered();
    let (good, _) = file_of(&place.path("venue"));
    let newer = |seq: u64| good.with_file_name(format!("{seq:020}.snap"));
    let create = || place.run("backup create venue backups --json").expect_json(CREATE);
    let none = Value::Array(Vec::new());
    // One beyond what is on the device is not looked at.
    fs::copy(&good, newer(99_999_999)).unwrap();
    let made = create();
    assert_eq!((made.number("snapshot_seq"), made.value("passed_over")), (seq, &none));
    fs::remove_file(newer(99_999_999)).unwrap();
    // One that is none is passed over, and the one before it is taken.
    fs::copy(&good, newer(seq + 1)).unwrap();
    let made = create();
    let why = made.value("passed_over")[0].as_str().unwrap().to_owned();
    assert_eq!(made.number("snapshot_seq"), seq);
    assert!(why.contains(&format!("{:020}.snap", seq + 1)) && why.contains("number"), "{why}");
    assert!(
        !place
            .path(made.text("backup"))
            .join("journal/snapshots")
            .join(format!("{:020}.snap", seq + 1))
            .exists()
    );
    fs::remove_file(newer(seq + 1)).unwrap();
    // One of another venue.
    let (other, other_seq) = covered();
    fs::remove_file(&good).unwrap();
    let foreign = newer(other_seq.min(seq));
    fs::copy(file_of(&other.path("venue")).0, &foreign).unwrap();
    let made = create();
    assert_eq!(made.value("snapshot_seq"), &Value::Null);
    assert_eq!(made.value("passed_over").as_array().unwrap().len(), 1);
    fs::remove_file(&foreign).unwrap();
    let made = create();
    assert_eq!((made.value("snapshot_seq"), made.value("passed_over")), (&Value::Null, &none));
    place.run("backup verify backups").expect_success();
}

#[test]
fn a_snapshot_that_is_gone_once_it_was_listed_is_not_taken_and_the_backup_is_whole() {
    let (place, seq) = covered();
    let (good, _) = file_of(&place.path("venue"));
    // Its name stands in the folder and there is nothing to open, as where it was removed between.
    let gone = |seq: u64| {
        let path = good.with_file_name(format!("{seq:020}.snap"));
        symlink("nothing", &path).unwrap();
        path
    };
    let create = || place.run("backup create venue backups --json").expect_json(CREATE);
    let newer = gone(seq + 1);
    let made = create();
    let passed_over = made.value("passed_over").as_array().unwrap();
    assert_eq!((made.number("snapshot_seq"), passed_over.len()), (seq, 1));
    let why = passed_over[0].as_str().unwrap();
    assert!(why.contains(newer.to_str().unwrap().rsplit('/').next().unwrap()), "{why}");
    assert!(why.contains("No such file"), "{why}");
    let taken =
        |made: &Json| files(&place.path(made.text("backup")).join("journal/snapshots"), "snap");
    assert_eq!(taken(&made).len(), 1);
    fs::remove_file(&good).unwrap();
    gone(seq);
    let made = create();
    assert_eq!(made.value("snapshot_seq"), &Value::Null);
    assert_eq!(made.value("passed_over").as_array().unwrap().len(), 2);
    assert_eq!(taken(&made).len(), 0);
    place.run("backup verify backups").expect_success();
    place.run("backup restore backups restored").expect_success();
}

#[test]
fn a_snapshot_that_leads_elsewhere_than_the_records_is_refused() {
    let (place, _) = covered();
    fs::create_dir(place.path("twin")).unwrap();
    copy(&place.path("venue"), &place.path("twin/venue"));
    // The same records, but for one order of which each has its own.
    let dirs = ["", "twin"].map(|folder| place.path(folder));
    let ends = [(&dirs[0], 1), (&dirs[1], 2)].map(|(dir, quantity)| {
        let server = Server::start_in(dir, SETTINGS);
        order(&place, &server, quantity);
        // A backup goes as far as the mark, which is noted behind the answer, but before what comes
        // next is synced: the answer to another order shows that of this one.
        order(&place, &server, 1);
        // An orderly end would write a checkpoint, which tells as well.
        server.kill();
        let reader = Reader::open_whole(&dir.join("venue/journal")).unwrap();
        reader.last().unwrap().unwrap().0
    });
    let durable = place.run("backup create venue backups --json").expect_json(CREATE);
    let seq = ends[0].min(ends[1]).min(durable.number("last_seq"));
    let [own, twin] =
        dirs.map(|dir| write_snapshot(&VenueDir::new(dir.join("venue")), seq).unwrap().unwrap());
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    assert_eq!(made.number("snapshot_seq"), seq);
    let backup = place.path(made.text("backup"));
    let snapshot = file_of(&backup).0;
    replace(&snapshot, &fs::read(twin).unwrap());
    let mut place_in_journal = None;
    rewrite(&own, |header| {
        place_in_journal = Some((header.record_crc, header.segment_number, header.offset));
    });
    let (record_crc, segment_number, offset) = place_in_journal.unwrap();
    rewrite(&snapshot, |header| {
        (header.record_crc, header.segment_number, header.offset) =
            (record_crc, segment_number, offset);
    });
    relist(&backup, &snapshot);
    let run = place.run("backup verify backups");
    assert!(run.code == 6 && run.stderr.contains("it leads to output hash"), "{run:?}");
    place.run("backup restore backups again").expect_failure(6, "UX-K001");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Makes the manifest of a backup list the snapshot as it is now.
pub(crate) fn relist(backup: &Path, snapshot: &Path) {
    let path = backup.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let bytes = fs::read(snapshot).unwrap();
    let mut sum = Sha256::new();
    for file in manifest["files"].as_array_mut().unwrap() {
        if file["path"].as_str().unwrap().contains("snapshots") {
            let name = snapshot.file_name().unwrap().to_str().unwrap();
            file["path"] = format!("journal/snapshots/{name}").into();
            file["bytes"] = bytes.len().into();
            file["sha256"] = hex(&Sha256::digest(&bytes)).into();
        }
        let text = |key| file[key].as_str().unwrap();
        sum.update(format!("{}  {}  {}\n", text("sha256"), file["bytes"], text("path")));
    }
    let text = |key| manifest[key].as_str().unwrap();
    let number = |key| &manifest[key];
    sum.update(format!(
        "{}  {}  {}  {}  {}  {}  {}\n",
        text("created"),
        text("venue"),
        number("last_seq"),
        text("last_time"),
        number("epoch"),
        text("output_hash"),
        text("state_hash")
    ));
    manifest["seal"] = hex(&sum.finalize()).into();
    fs::write(path, manifest.to_string()).unwrap();
}

/// Changes the header of a snapshot, which stays whole.
fn rewrite(path: &Path, change: impl FnOnce(&mut SnapshotHeader)) {
    let mut bytes = fs::read(path).unwrap();
    let page = &mut bytes[..size_of::<SnapshotHeader>()];
    let mut header = SnapshotHeader::read_from_bytes(page).unwrap();
    change(&mut header);
    header.crc = header.checksum().into();
    page.copy_from_slice(header.as_bytes());
    replace(path, &bytes);
}

/// What is said of a harm, and what does it to the file.
type Harm<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn a_snapshot_that_a_manifest_lists_but_that_is_of_another_journal_is_refused() {
    let (place, seq) = covered();
    let (other, _) = covered();
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    let backup = place.path(made.text("backup"));
    let good = place.path("good");
    copy(&backup, &good);
    let name = format!("{seq:020}.snap");
    let foreign = |path: &Path| {
        rewrite(path, |header| header.salt = (header.salt.get() ^ 1).into());
    };
    let elsewhere = |path: &Path| {
        rewrite(path, |header| header.record_crc = (header.record_crc.get() ^ 1).into());
    };
    let output = |path: &Path| {
        rewrite(path, |header| header.output_hash = (header.output_hash.get() ^ 1).into());
    };
    let state = |path: &Path| rewrite(path, |header| header.state_hash[7] ^= 1);
    let others = |path: &Path| {
        let from = file_of(&other.path("venue")).0;
        replace(path, &fs::read(from).unwrap());
        rewrite(path, |header| header.seq = seq.into());
    };
    let harms: [Harm<'_>; 5] = [
        ("of a journal with salt", &foreign),
        ("is another one than it covers", &elsewhere),
        ("output hash", &output),
        ("state hash", &state),
        ("of a journal with salt", &others),
    ];
    for (reason, harm) in harms {
        fs::remove_dir_all(&backup).unwrap();
        copy(&good, &backup);
        let snapshot = backup.join("journal/snapshots").join(&name);
        harm(&snapshot);
        relist(&backup, &snapshot);
        let run = place.run("backup verify backups");
        assert_eq!(run.code, 6, "{reason}: {run:?}");
        let is_told = run.stderr.contains(&name) && run.stderr.contains(reason);
        assert!(run.stderr.starts_with("error[UX-K001]: ") && is_told, "{reason}: {run:?}");
        place.run("backup restore backups again").expect_failure(6, "UX-K001");
        assert!(!place.path("again").exists());
    }
    // Of one that another version wrote nothing is known: its backup is good, and is restored
    // without.
    fs::remove_dir_all(&backup).unwrap();
    copy(&good, &backup);
    let snapshot = backup.join("journal/snapshots").join(&name);
    rewrite(&snapshot, |header| header.body_version = 99.into());
    relist(&backup, &snapshot);
    let proved = place.run("backup verify backups --json").expect_json(VERIFY);
    assert_eq!(proved.value("backups")[0]["snapshot_seq"], Value::Null);
    let restored = place.run("backup restore backups again --json").expect_json(RESTORE);
    assert_eq!(restored.value("snapshot_seq"), &Value::Null);
    assert!(!place.path("again/journal/snapshots").exists());
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
    let partial = place.path("backups/.partial-20261126T122445.000000001Z");
    fs::create_dir(&partial).unwrap();
    create();
    assert!(!partial.exists());
    // What is damaged stays, however many good ones there are.
    assert_eq!(generations(&place).len(), 3);
    assert!(generations(&place).contains(&left[1]) && !generations(&place).contains(&left[0]));
}

#[test]
fn damage_to_any_file_of_a_backup_is_found_and_nothing_is_made_of_it() {
    let (place, seq) = covered();
    let made = place.run("backup create venue backups --json").expect_json(CREATE);
    let backup = place.path(made.text("backup"));
    assert_eq!(made.number("snapshot_seq"), seq);
    for (path, _, _) in content(&backup) {
        let path = PathBuf::from(path);
        let name = path.file_name().unwrap().to_str().unwrap();
        let good = fs::read(&path).unwrap();
        for offset in [10, good.len() / 2] {
            damage(&path, offset);
            let run = place.run("backup verify backups");
            assert_eq!(run.code, 6, "{}: {run:?}", path.display());
            let is_told = run.stderr.starts_with("error[UX-K001]: ") && run.stderr.contains(name);
            assert!(is_told, "{run:?}");
            place.run("backup restore backups again").expect_failure(6, "UX-K001");
            assert!(!place.path("again").exists());
            replace(&path, &good);
        }
        fs::remove_file(&path).unwrap();
        place.run("backup restore backups again").expect_failure(6, "UX-K001");
        let run = place.run("backup verify backups");
        assert!(run.code == 6 && run.stderr.starts_with("error[UX-K001]: "), "{run:?}");
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
