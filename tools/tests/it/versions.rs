//! Files of a later version of the formats: refused as such and not as damaged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use uncross_server::{
    engine::BEHAVIOUR_VERSION,
    journal::{Entry, Identity, Settings, crc32c, kind, open},
};

use crate::{
    journals::{content, files, replace, traded},
    program::Place,
    server::Server,
};

/// Where the checksum of a page of each kind lies.
const SEGMENT_CRC: usize = 4_028;
const PAGE_CRC: usize = 4_092;
const SLOT_CRC: usize = 124;

const START: &str =
    "start venue --orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0 --set core.pin=false";

/// Every command that reads the journal of the venue in `venue` from end to end, and its start.
const WHOLE: [&str; 11] = [
    START,
    "journal inspect venue",
    "journal verify venue",
    "journal verify venue --streams",
    "journal cat venue",
    "journal book venue DEMO",
    "journal query venue --trade 1",
    "journal diff venue venue",
    "journal repair venue",
    "journal repair venue --yes",
    "replay venue --hash",
];

/// What a later version may have changed: all but the first bytes, the version and the checksum of
/// the page that begins at `start`.
fn later(bytes: &mut [u8], start: usize, crc: usize) {
    let page = &mut bytes[start..start + crc + 4];
    page[8..12].copy_from_slice(&9_u32.to_le_bytes());
    page[12..16].copy_from_slice(&7_u32.to_le_bytes());
    for byte in &mut page[16..crc] {
        *byte = !*byte;
    }
    let sum = crc32c(0, &page[..crc]);
    page[crc..].copy_from_slice(&sum.to_le_bytes());
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    replace(path, &bytes);
}

/// Runs a command that must fail by code 22 over the file with this name.
fn refused(place: &Place, command: &str, name: &str, versions: &str) {
    let run = place.run(&format!("{command} --json"));
    let error: Value = serde_json::from_str(&run.stderr).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!((run.code, &error["code"]), (3, &"UX-J022".into()), "{command}: {run:?}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(name) && message.ends_with(versions), "{command}: {message}");
    assert!(error["cause"].as_str().unwrap().contains("newer version"), "{run:?}");
    assert!(error["place"]["file"].as_str().unwrap().ends_with(name), "{command}: {run:?}");
}

#[test]
fn a_segment_of_a_newer_format_is_refused_as_such_by_every_command() {
    let place = traded();
    let journal = place.path("venue/journal");
    let versions = "is of format version 9, this program reads up to 2";
    let first = files(&journal, "seg").remove(0);
    let last = files(&journal, "open").remove(0);
    for path in [first, last] {
        let good = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        rewrite(&path, |bytes| later(bytes, 0, SEGMENT_CRC));
        // A start writes its number into the lock file before it looks at anything.
        let all = || {
            let mut all = content(&place.path("venue"));
            all.retain(|(path, ..)| !path.ends_with("/lock"));
            all
        };
        let before = all();
        for command in WHOLE {
            refused(&place, command, name, versions);
            assert!(all() == before, "{command} changed something");
        }
        // What a checksum does not vouch for says nothing of versions.
        for offset in 8..16 {
            replace(&path, &good);
            crate::journals::damage(&path, offset);
            let run = place.run("journal verify venue");
            run.expect_failure(6, "UX-J003");
        }
        place.run(START).expect_failure(6, "UX-J003");
        replace(&path, &good);
    }
    place.run("journal verify venue").expect_success();
}

#[test]
fn a_mark_and_a_footer_of_a_newer_format_are_refused_as_such() {
    let place = traded();
    let journal = place.path("venue/journal");
    let versions = "is of format version 9, this program reads up to 2";
    let mark = journal.join("durable");
    let good = fs::read(&mark).unwrap();
    // The other slot is whole, and may be the older one.
    for slot in [0, 512] {
        rewrite(&mark, |bytes| later(bytes, slot, SLOT_CRC));
        for command in WHOLE {
            refused(&place, command, "durable", versions);
        }
        replace(&mark, &good);
    }
    let path = files(&journal, "seg").remove(0);
    let good = fs::read(&path).unwrap();
    let footer = good.windows(8).rposition(|bytes| bytes == b"UNCRSEAL").unwrap();
    rewrite(&path, |bytes| later(bytes, footer, SLOT_CRC));
    let name = path.file_name().unwrap().to_str().unwrap();
    refused(&place, "journal verify venue", name, versions);
    replace(&path, &good);
    place.run("journal verify venue").expect_success();
}

#[test]
fn a_start_passes_over_a_snapshot_of_a_newer_version_and_says_why() {
    let place = Place::with_venue();
    let settings = "--set core.pin=false --set journal.snapshot_every=1";
    Server::start(&place, settings).stop();
    let snapshots = files(&place.path("venue/journal/snapshots"), "snap");
    for path in &snapshots {
        rewrite(path, |bytes| later(bytes, 0, PAGE_CRC));
    }
    let why = "is of snapshot version 9, this program reads 1";
    let seen = place.run("journal inspect venue --json").expect_json("uncross.journal.inspect/1");
    let seen = seen.value("snapshots").as_array().unwrap();
    assert!(!seen.is_empty());
    assert!(seen.iter().all(|row| row["fault"].as_str().unwrap().ends_with(why)), "{seen:?}");
    let server = Server::start(&place, settings);
    let passed = server.started.value("passed_over").as_array().unwrap();
    assert_eq!(passed.len(), snapshots.len());
    assert!(passed.iter().all(|row| row["reason"].as_str().unwrap().ends_with(why)), "{passed:?}");
    assert!(server.started.value("snapshot_seq").is_null() && 0 < server.records);
    server.stop();
}

#[test]
fn a_stream_of_a_newer_version_is_refused_as_such_and_made_again_by_a_start() {
    let place = traded();
    let streams = fs::read_dir(place.path("venue/streams")).unwrap();
    let session = streams.map(|entry| entry.unwrap().path()).next().unwrap();
    let feed: PathBuf = session.join("feed.stream");
    let good = fs::read(&feed).unwrap();
    rewrite(&feed, |bytes| later(bytes, 0, PAGE_CRC));
    let verify = "journal verify venue --streams";
    let versions = "is of stream version 9, this program reads 1";
    refused(&place, verify, "feed.stream", versions);
    place.run("journal verify venue").expect_success();
    replace(&feed, &good);
    crate::journals::damage(&feed, 8);
    place.run(verify).expect_failure(6, "UX-J021");
    rewrite(&feed, |bytes| {
        bytes.copy_from_slice(&good);
        later(bytes, 0, PAGE_CRC);
    });
    Server::start(&place, "--set core.pin=false --set journal.segment=64KiB").stop();
    place.run(verify).expect_success();
}

#[test]
fn a_manifest_of_a_newer_version_is_refused_as_such() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let made = place.run("backup create venue backups --json");
    let made = made.expect_json("uncross.backup.create/1");
    let path = place.path(made.text("backup")).join("manifest.json");
    let good = fs::read_to_string(&path).unwrap();
    let versions = "is of manifest version 2, this program reads 1";
    let seal = good.lines().find(|line| line.contains("\"seal\"")).unwrap();
    let as_2 = good.replace("uncross.backup/1", "uncross.backup/2");
    for text in [
        as_2.replace(seal, "  \"seal\": \"of another kind\""),
        "{ \"schema\": \"uncross.backup/2\", \"chunks\": [1, 2] }".to_owned(),
    ] {
        fs::write(&path, text).unwrap();
        let run = place.run("backup verify backups --json");
        let error: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!((run.code, &error["code"]), (3, &"UX-J022".into()), "{run:?}");
        assert!(error["message"].as_str().unwrap().ends_with(versions), "{run:?}");
        assert_eq!(
            (&error["place"]["expected"], &error["place"]["found"]),
            (&"1".into(), &"2".into())
        );
        let table = place.run("backup verify backups");
        assert!(
            table.stdout.contains("other version") && !table.stdout.contains("damaged"),
            "{table:?}"
        );
        let restore = place.run("backup restore backups again");
        assert!(restore.expect_failure(3, "UX-J022").ends_with(versions));
        assert!(!place.path("again").exists());
    }
    // One that is sealed as a manifest of version 1 and says otherwise was changed.
    for text in
        [as_2.as_str(), "{ \"schema\": \"uncross.backup/1\" }", "{ \"schema\": \"other/9\" }"]
    {
        fs::write(&path, text).unwrap();
        place.run("backup restore backups again").expect_failure(6, "UX-K001");
    }
    fs::write(&path, &good).unwrap();
    place.run("backup verify backups").expect_success();
    // Beside one that is damaged, whichever comes first.
    let made = place.run("backup create venue backups --json");
    let made = made.expect_json("uncross.backup.create/1");
    let second = place.path(made.text("backup")).join("manifest.json");
    for (newer, damaged) in [(&path, &second), (&second, &path)] {
        fs::write(newer, as_2.replace(seal, "  \"seal\": \"of another kind\"")).unwrap();
        fs::write(damaged, "{}").unwrap();
        let run = place.run("backup verify backups");
        assert!(run.code == 6 && run.stderr.starts_with("error[UX-K001]"), "{run:?}");
    }
}

#[test]
fn a_journal_of_another_engine_is_refused_as_such_by_whatever_applies_it() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let journal = place.path("venue/journal");
    // Both a newer engine and an older one may have gone on with it.
    let ours = BEHAVIOUR_VERSION;
    for behaviour_version in [ours + 1, ours - 1] {
        fs::remove_dir_all(&journal).unwrap();
        let identity = Identity { behaviour_version, config_hash: [7; 32], build_id: [7; 32] };
        let settings = Settings { segment_len_bytes: 1 << 20, ..Settings::default() };
        let mut writer = open(&journal, &settings, &identity).unwrap().into_writer(1, 0).unwrap();
        let tick = Entry { seq: 1, time_ns: 1, kind: kind::TICK, flags: 0, body: &[] };
        writer.append(tick, 0).unwrap();
        writer.close().unwrap();
        for command in [
            START,
            "replay venue",
            "journal verify venue --streams",
            "journal book venue DEMO",
            "journal query venue --trade 1",
            "journal cat venue --order 2:1",
            "sessions venue",
            "journal export venue --sessions",
            "journal export venue --itch feed.itch",
            "replay venue --compare venue",
            "backup create venue backups",
        ] {
            let message = place.run(command).expect_failure(3, "UX-J020");
            let told = |version: u32| message.contains(&version.to_string());
            assert!(told(behaviour_version) && told(ours), "{command}: {message}");
        }
        // Nothing is wrong with it, and what need not be applied is told.
        place.run("journal verify venue").expect_success();
        place.run("journal cat venue").expect_success();
    }
}

#[test]
fn an_inspection_tells_which_versions_and_builds_wrote_which_segments() {
    const INSPECT: &str = "uncross.journal.inspect/1";
    let place = traded();
    let before = place.run("journal inspect venue --json").expect_json(INSPECT);
    let row = before.value("segments").as_array().unwrap()[0].clone();
    let [format, behaviour] = ["format_version", "behaviour_version"].map(|key| row[key].clone());
    let build = row["build"].as_str().unwrap();
    assert!(build.starts_with("uncross ") && row["upgrade"].is_null(), "{row}");
    // Another build goes on with it.
    let mut build_id = [0; 32];
    build_id[..9].copy_from_slice(b"another\x1b1");
    let behaviour_version = u32::try_from(behaviour.as_u64().unwrap()).unwrap();
    let identity = Identity { behaviour_version, config_hash: [7; 32], build_id };
    let settings = Settings { segment_len_bytes: 64 << 10, ..Settings::default() };
    let recovery = open(&place.path("venue/journal"), &settings, &identity).unwrap();
    let (seq, time_ns) = (recovery.last_seq() + 1, recovery.last_time_ns());
    let mut writer = recovery.into_writer(time_ns, 0).unwrap();
    writer.append(Entry { seq, time_ns, kind: kind::TICK, flags: 0, body: &[] }, 0).unwrap();
    writer.close().unwrap();

    let seen = place.run("journal inspect venue --json").expect_json(INSPECT);
    let rows = seen.value("segments").as_array().unwrap();
    let (last, rest) = rows.split_last().unwrap();
    assert!(rest.iter().all(|row| row["upgrade"].is_null() && row["build"] == build), "{rest:?}");
    assert_eq!(last["build"], "another\\x1b1", "no control character goes to a terminal");
    assert_eq!((&last["upgrade"]["build"], &last["first_seq"]), (&build.into(), &seq.into()));
    assert_eq!(last["upgrade"]["format_version"], format);
    assert_eq!(last["upgrade"]["behaviour_version"], behaviour);
    let text = place.run("journal inspect venue").expect_success();
    let table: Vec<_> = text.lines().skip_while(|line| !line.contains("upgraded from")).collect();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = rest.len();
    assert_eq!(words(table[1]), format!("1 {count} 1 {format} {behaviour} {build} -"));
    let from = format!("format {format}, behaviour {behaviour}, {build}");
    let number = count + 1;
    assert_eq!(
        words(table[2]),
        format!("{number} {number} {seq} {format} {behaviour} another\\x1b1 {from}")
    );
    assert_eq!(table[3], "", "one row for all that one build wrote");
}
