//! Which folders are generations of a venue, which of them are removed, and where they may lie.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use crate::{
    backup::{CREATE, RESTORE, VERIFY, relist},
    journals::{content, copy},
    json::Json,
    program::{Place, Run},
    server::Server,
};

/// A venue that has run, in `venue`, and another one in `other/venue`.
fn ran() -> Place {
    let place = Place::with_venue();
    fs::create_dir(place.path("other")).unwrap();
    place.run("init other/venue").expect_success();
    Server::start(&place, "--set core.pin=false").stop();
    Server::start_in(&place.path("other"), "--set core.pin=false").stop();
    place
}

/// Makes a generation of `venue` in `backups` and returns its name.
fn create(place: &Place, venue: &str, keep: u32) -> (String, Json) {
    let command = format!("backup create {venue} backups --keep {keep} --json");
    let made = place.run(&command).expect_json(CREATE);
    let name = Path::new(made.text("backup")).file_name().unwrap();
    (name.to_str().unwrap().to_owned(), made)
}

fn names(made: &Json, key: &str) -> Vec<String> {
    let names = made.value(key).as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The backups that a verification tells of: path and whether it is good.
fn rows(run: &Run) -> Vec<(String, bool)> {
    let proved: Value = serde_json::from_str(&run.stdout).unwrap();
    let rows = proved["backups"].as_array().unwrap().iter();
    rows.map(|row| {
        let path = row["backup"].as_str().unwrap().strip_prefix("backups/").unwrap();
        (path.to_owned(), row["is_good"].as_bool().unwrap())
    })
    .collect()
}

#[test]
fn only_older_generations_of_the_same_venue_are_removed() {
    let place = ran();
    let at = |name: &str| place.path("backups").join(name);
    let others = [create(&place, "other/venue", 1).0, create(&place, "other/venue", 2).0];
    let mut last = create(&place, "venue", 1).0;
    assert!(others.iter().all(|name| at(name).exists()));
    // A folder of somebody else, copies, links and a file by which a generation might be meant.
    fs::create_dir(at("00-photos")).unwrap();
    fs::write(at("00-photos/manifest.json"), "{}").unwrap();
    fs::create_dir(at(".partial-mine")).unwrap();
    fs::write(at(".partial-mine/a"), "a").unwrap();
    copy(&at(&last), &at("my-copy"));
    copy(&at(&last), &place.path("gold"));
    let long_ago = at("20200101T000000.000000000Z-5");
    symlink("../gold", &long_ago).unwrap();
    symlink(&last, at("latest")).unwrap();
    fs::write(at("20200101T000000.000000000Z-6"), "").unwrap();
    let kept: Vec<_> = ["backups/00-photos", "backups/.partial-mine", "backups/my-copy", "gold"]
        .map(|name| (place.path(name), content(&place.path(name))))
        .into_iter()
        .chain(others.iter().map(|name| (at(name), content(&at(name)))))
        .collect();
    for _ in 0..2 {
        let (name, made) = create(&place, "venue", 1);
        assert_eq!(names(&made, "removed"), [last.as_str()]);
        assert_eq!(names(&made, "damaged"), [""; 0]);
        assert!(at(&name).exists() && !at(&last).exists());
        last = name;
        for (path, before) in &kept {
            assert!(content(path) == *before, "{}", path.display());
        }
        assert!(long_ago.symlink_metadata().is_ok() && at("latest").symlink_metadata().is_ok());
        assert!(at("20200101T000000.000000000Z-6").exists());
    }
    // What removals and backups left that were cut short.
    fs::rename(at("my-copy"), at(&format!(".removing-{last}"))).unwrap();
    fs::create_dir(at(".partial-20261126T122445.000000001Z")).unwrap();
    create(&place, "venue", 2);
    assert!(!at(&format!(".removing-{last}")).exists());
    assert!(!at(".partial-20261126T122445.000000001Z").exists());
}

#[test]
fn what_was_just_made_is_kept_and_the_order_is_that_of_the_manifests() {
    let place = ran();
    let at = |name: &str| place.path("backups").join(name);
    let [first, second] = [1, 2].map(|keep| create(&place, "venue", keep).0);
    // A name says nothing against a manifest.
    let seq = first.split_once('-').unwrap().1;
    let (late, early) =
        (format!("29990101T000000.000000000Z-{seq}"), format!("20000101T000000.000000000Z-{seq}"));
    fs::rename(at(&first), at(&late)).unwrap();
    fs::rename(at(&second), at(&early)).unwrap();
    let (third, made) = create(&place, "venue", 2);
    assert_eq!(names(&made, "removed"), [late.as_str()]);
    assert!(at(&third).exists() && at(&early).exists());
    // One that was made before the clock was set back.
    let path = at(&early).join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["created"] = "2999-01-01T00:00:00.000000000Z".into();
    fs::write(&path, manifest.to_string()).unwrap();
    relist(&at(&early), &at(&early).join("venue.toml"));
    let (fourth, made) = create(&place, "venue", 2);
    assert_eq!(names(&made, "removed"), [third.as_str()]);
    assert!(at(&fourth).exists() && at(&early).exists());
    let restored = place.run("backup restore backups newest --json").expect_json(RESTORE);
    assert!(restored.text("backup").ends_with(&early));
    let (fifth, made) = create(&place, "venue", 1);
    let mut removed = names(&made, "removed");
    removed.sort();
    assert_eq!(removed, [early, fourth]);
    assert!(at(&fifth).exists());
    place.run("backup verify backups").expect_success();
}

#[test]
fn a_generation_without_a_manifest_is_damaged_and_no_older_one_is_taken_for_it() {
    let place = ran();
    let at = |name: &str| place.path("backups").join(name);
    let [first, second] = [1, 2].map(|keep| create(&place, "venue", keep).0);
    let manifest = at(&second).join("manifest.json");
    let good = fs::read(&manifest).unwrap();
    let harms: [&dyn Fn(); 2] =
        [&|| fs::remove_file(&manifest).unwrap(), &|| fs::write(&manifest, "{}").unwrap()];
    for harm in harms {
        harm();
        let run = place.run("backup verify backups --json");
        assert_eq!(rows(&run), [(first.clone(), true), (second.clone(), false)]);
        assert!(run.code == 6 && run.stderr.contains("\"UX-K001\""), "{run:?}");
        let run = place.run(&format!("backup verify backups/{second}"));
        assert!(run.code == 6 && run.stderr.starts_with("error[UX-K001]"), "{run:?}");
        let run = place.run("backup restore backups again");
        let fix = run.stderr.lines().last().unwrap().to_owned();
        assert!(fix.starts_with("fix: ") && fix.contains(&first), "{run:?}");
        let message = run.expect_failure(6, "UX-K001");
        assert!(message.contains("manifest.json"), "{message}");
        assert!(!place.path("again").exists());
        let (third, made) = create(&place, "venue", 3);
        assert_eq!(names(&made, "damaged"), [second.as_str()]);
        assert_eq!(names(&made, "removed"), [""; 0]);
        fs::remove_dir_all(at(&third)).unwrap();
    }
    // An older one that is damaged is in nobody's way.
    fs::write(&manifest, &good).unwrap();
    fs::remove_file(at(&first).join("manifest.json")).unwrap();
    let restored = place.run("backup restore backups again --json").expect_json(RESTORE);
    assert!(restored.text("backup").ends_with(&second));
}

#[test]
fn a_backup_of_another_name_is_proven_and_restored_only_by_that_name() {
    let place = ran();
    let at = |name: &str| place.path("backups").join(name);
    let [first, second] = [1, 2].map(|keep| create(&place, "venue", keep).0);
    fs::rename(at(&first), at("before-upgrade")).unwrap();
    let run = place.run("backup verify backups --json");
    assert_eq!(rows(&run), [(second.clone(), true), ("before-upgrade".to_owned(), true)]);
    let restored = place.run("backup restore backups again --json").expect_json(RESTORE);
    assert!(restored.text("backup").ends_with(&second));
    place.run("backup restore backups/before-upgrade older").expect_success();
    // A name that is no UTF-8.
    let name = OsStr::from_bytes(b"old\xff");
    fs::rename(at(&second), place.path("backups").join(name)).unwrap();
    let run = place.run("backup verify backups --json");
    assert_eq!(rows(&run).len(), 2, "{run:?}");
    let message = place.run("backup restore backups none").expect_failure(3, "UX-K002");
    assert!(message.contains("backups"), "{message}");
    // Also where it does not say any more what it is.
    for (file, text) in [("users.toml", "# changed"), ("manifest.json", "{")] {
        fs::write(place.path("backups").join(name).join(file), text).unwrap();
        let run = place.run("backup verify backups");
        assert!(run.code == 6 && run.stderr.starts_with("error[UX-K001]"), "{run:?}");
    }
}

#[test]
fn of_a_folder_with_backups_of_several_venues_none_is_taken_unnamed() {
    let place = ran();
    let own = create(&place, "venue", 1).0;
    let other = create(&place, "other/venue", 1).0;
    let run = place.run("backup restore backups again");
    let cause = run.stderr.lines().nth(1).unwrap().to_owned();
    assert!(cause.contains(&format!("{own} of venue")), "{cause}");
    assert!(cause.contains(&format!("{other} of other/venue")), "{cause}");
    run.expect_failure(1, "UX-K004");
    assert!(!place.path("again").exists());
    place.run(&format!("backup restore backups/{own} again")).expect_success();
    place.run("backup verify backups --json").expect_json(VERIFY);
}

#[test]
fn a_generation_whose_segments_are_gone_is_damaged_and_none_of_another_venue() {
    let place = ran();
    let [older, newer] = [1, 2].map(|keep| create(&place, "venue", keep).0);
    let journal = place.path("backups").join(&older).join("journal");
    for entry in fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let restored = place.run("backup restore backups again --json").expect_json(RESTORE);
    assert!(restored.text("backup").ends_with(&newer));
    assert_eq!(names(&create(&place, "venue", 3).1, "damaged"), std::slice::from_ref(&older));
    fs::remove_dir_all(&journal).unwrap();
    assert_eq!(names(&create(&place, "venue", 4).1, "damaged"), std::slice::from_ref(&older));
    let run = place.run(&format!("backup restore backups/{older} none"));
    run.expect_failure(6, "UX-K001");
}

#[test]
fn nothing_is_written_into_a_venue_or_a_backup() {
    let place = ran();
    let name = create(&place, "venue", 1).0;
    symlink("venue", place.path("link")).unwrap();
    let before = content(place.path("venue").parent().unwrap());
    let into =
        ["venue", "venue/journal", "venue/streams", "venue/new", "link/new", "venue/../link"];
    for folder in into {
        for source in ["venue", "other/venue"] {
            let command = format!("backup create {source} {folder}");
            place.run(&command).expect_failure(2, "UX-K005");
        }
    }
    for folder in ["", "/new", "/journal", "/journal/new"] {
        let path = format!("backups/{name}{folder}");
        place.run(&format!("backup create venue {path}")).expect_failure(2, "UX-K005");
        if folder.ends_with("/new") {
            place.run(&format!("backup restore backups {path}")).expect_failure(2, "UX-K005");
        }
    }
    for folder in ["venue/new", "venue/journal/00000000000000009999.seg", "link/new"] {
        let restore = format!("backup restore backups {folder}");
        place.run(&restore).expect_failure(2, "UX-K005");
    }
    assert!(content(place.path("venue").parent().unwrap()) == before);
    assert!(!place.path("venue/new").exists());
    // Nor where its journal is, when that lies elsewhere.
    fs::rename(place.path("venue/journal"), place.path("fast")).unwrap();
    symlink("../fast", place.path("venue/journal")).unwrap();
    for folder in ["fast", "fast/new"] {
        let command = format!("backup create venue {folder}");
        place.run(&command).expect_failure(2, "UX-K005");
    }
    let export = "journal export venue --itch fast/durable --force";
    place.run(export).expect_failure(1, "UX-F003");
    place.run("backup verify backups").expect_success();
}

#[test]
fn a_failed_create_leaves_nothing_and_names_the_file_that_it_could_not_read() {
    let place = ran();
    fs::remove_file(place.path("venue/users.toml")).unwrap();
    fs::create_dir(place.path("venue/users.toml")).unwrap();
    let fails = |folder: &str| {
        let run = place.run(&format!("backup create venue {folder}"));
        let message = run.expect_failure(1, "UX-F002");
        assert_eq!(message, "venue/users.toml cannot be read");
    };
    fails("new");
    assert!(!place.path("new").exists());
    fs::create_dir(place.path("empty")).unwrap();
    fails("empty");
    assert_eq!(fs::read_dir(place.path("empty")).unwrap().count(), 0);
    create(&place, "other/venue", 1);
    let before = content(&place.path("backups"));
    fails("backups");
    assert!(content(&place.path("backups")) == before && !before.is_empty());
}

#[test]
fn what_a_restore_that_is_gone_left_is_removed_by_the_next_one() {
    let place = ran();
    create(&place, "venue", 1);
    let [left, made, mine]: [PathBuf; 3] =
        [".restoring-Ab12cd", ".restoring-Ef34gh", ".restoring-mine"].map(|it| place.path(it));
    for path in [&left, &made, &mine] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("venue.toml"), "").unwrap();
    }
    // Its maker is there and holds it.
    let lock = fs::File::open(&made).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    place.run("backup restore backups first").expect_success();
    assert!(!left.exists() && made.exists() && mine.exists());
    drop(lock);
    place.run("backup restore backups second").expect_success();
    assert!(!made.exists() && mine.join("venue.toml").exists());
}
