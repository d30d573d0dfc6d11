//! Bad arguments, variables, files and folders: an error with its code, and nothing is changed.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Stdio};

use crate::{
    program::{Place, program},
    server::Server,
};

#[test]
fn values_and_names_of_no_setting_are_refused_wherever_they_come_from() {
    let place = Place::with_venue();
    for (pair, code, exit) in [
        ("core.pin", "UX-U001", 2),
        ("core.pin=", "UX-C006", 3),
        ("core.pin=maybe", "UX-C006", 3),
        ("=true", "UX-C003", 3),
        ("core=true", "UX-C003", 3),
        ("core.pin.deep=true", "UX-C003", 3),
        ("CORE.PIN=true", "UX-C003", 3),
        ("capacity.orders=99999999999999999999999", "UX-C006", 3),
        ("capacity.orders=-1", "UX-C006", 3),
        ("capacity.orders=1e3", "UX-C006", 3),
        ("orders.listen=127.0.0.1:65536", "UX-C006", 3),
        ("session.login_timeout=99999999999999999999h", "UX-C006", 3),
        ("journal.segment=99999999999999999999GiB", "UX-C006", 3),
        ("instrument.id=1", "UX-C004", 3),
    ] {
        place.run(&format!("config check venue --set {pair}")).expect_failure(exit, code);
        // In the order of a flood of settings the last of a name counts, and each is judged.
        if code != "UX-U001" {
            let both = format!("config check venue --set core.pin=true --set {pair}");
            place.run(&both).expect_failure(exit, code);
        }
    }
    for (name, value, code) in [
        ("UNCROSS__CORE__PIN", "maybe", "UX-C006"),
        ("UNCROSS__CORE__PNI", "true", "UX-C003"),
        ("UNCROSS__CORE", "true", "UX-C003"),
        ("UNCROSS__INSTRUMENT__ID", "1", "UX-C004"),
        ("UNCROSS__SESSION__CONNECTIONS_MAX", "8", "UX-C008"),
    ] {
        place.run_with("config check venue", &[(name, value)], "").expect_failure(3, code);
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused_and_not_passed_over() {
    let place = Place::with_venue();
    let garbage = OsStr::from_bytes(b"tr\xffue");
    for (name, code) in [
        (OsStr::new("UNCROSS__CORE__PIN"), "UX-C006"),
        (OsStr::from_bytes(b"UNCROSS__CORE__P\xffN"), "UX-C003"),
    ] {
        let mut command = program(&place.path(""));
        command.args(["config", "check", "venue"]).env(name, garbage);
        let output = command.stdout(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.starts_with(&format!("error[{code}]: ")), "{said}");
    }
    let mut command = program(&place.path(""));
    command.args(["config", "check", "venue"]).env("SOMEBODY_ELSES", garbage);
    assert!(command.stdout(Stdio::null()).status().unwrap().success(), "others are passed over");
}

#[test]
fn files_of_garbage_are_named_with_their_code_and_left_alone() {
    let place = Place::with_venue();
    let config = std::fs::read(place.path("venue/venue.toml")).unwrap();
    for (bytes, code) in [
        (&b"\0\0\0\0"[..], "UX-C002"),
        (b"\xff\xfe[core]", "UX-C001"),
        (b"[core\n", "UX-C002"),
        (b"[core]\npin = true\npin = true\n", "UX-C002"),
        (b"core = 5\n", "UX-C003"),
        (b"[core]\npin = { a = 1 }\n", "UX-C005"),
        (b"[venue]\nname = \"\\u0000\"\n", "UX-C006"),
    ] {
        std::fs::write(place.path("venue/venue.toml"), bytes).unwrap();
        for command in ["start venue", "config check venue"] {
            place.run(command).expect_failure(3, code);
        }
        assert_eq!(std::fs::read(place.path("venue/venue.toml")).unwrap(), bytes);
    }
    std::fs::write(place.path("venue/venue.toml"), config).unwrap();
    for bytes in [
        &b""[..],
        b"\xff\xfe",
        b"next_port = one\n",
        b"next_port = 1\n[[user]]\nname = \"A\"\n",
        b"next_port = 99999\n",
    ] {
        std::fs::write(place.path("venue/users.toml"), bytes).unwrap();
        let start = "start venue --orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0";
        for command in [start, "user list --venue venue", "user add B --venue venue"] {
            place.run(command).expect_failure(3, "UX-C012");
        }
        assert_eq!(std::fs::read(place.path("venue/users.toml")).unwrap(), bytes);
    }
}

#[test]
fn a_venue_that_cannot_start_says_why() {
    let place = Place::with_venue();
    let free = "--orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0";
    // An address of documentation, which no machine has.
    place
        .run("start venue --orders 192.0.2.1:9001 --admin 127.0.0.1:0")
        .expect_failure(3, "UX-C015");
    place.run("start venue/venue.toml").expect_failure(3, "UX-C013");
    place.run(&format!("start venue {free} --orders nowhere")).expect_failure(2, "UX-U001");
    for name in ["ONE", "TWO"] {
        place.run(&format!("user add {name} --venue venue")).expect_success();
    }
    place.run(&format!("start venue {free} --set capacity.ports=1")).expect_failure(3, "UX-C018");
    let script = format!("ulimit -n 80; exec {} start venue {free}", env!("CARGO_BIN_EXE_uncross"));
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error[UX-C019]: "), "{said}");
    assert_eq!(output.status.code(), Some(3));
    place.write("venue/journal", "a file where a folder must be");
    place.run(&format!("start venue {free}")).expect_failure(1, "UX-J004");
    std::fs::remove_file(place.path("venue/journal")).unwrap();
    Server::start(&place, "--set core.pin=false").stop();
}

#[test]
fn a_journal_whose_files_are_damaged_is_refused_by_every_command() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    let folder = place.path("venue/journal");
    let names = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let files: Vec<_> = names.filter(|path| path.is_file() && !path.ends_with("lock")).collect();
    assert!(2 <= files.len(), "a segment and the mark: {files:?}");
    for path in files.iter().filter(|path| !path.to_string_lossy().contains("spare-")) {
        let good = std::fs::read(path).unwrap();
        for bad in [&b""[..], b"garbage", &[0xFF; 8_192]] {
            std::fs::write(path, bad).unwrap();
            let start = "start venue --orders 127.0.0.1:0 --data 127.0.0.1:0 --admin 127.0.0.1:0";
            for command in [start, "replay venue", "journal verify venue"] {
                place.run(command).expect_failure(6, "UX-J003");
            }
            assert_eq!(std::fs::read(path).unwrap(), bad, "left as it is: {}", path.display());
        }
        std::fs::write(path, good).unwrap();
    }
    Server::start(&place, "--set core.pin=false").stop();
}

#[test]
fn a_terminal_obeys_nothing_that_an_argument_holds() {
    let place = Place::with_venue();
    Server::start(&place, "--set core.pin=false").stop();
    for arguments in ["journal book venue A\u{1b}[31mB", "journal book ven\u{1b}]0;ue\u{7} DEMO"] {
        let stderr = place.run(arguments).stderr;
        assert!(stderr.starts_with("error[") && stderr.contains("\\u{1b}"), "{stderr:?}");
        assert!(!stderr.contains(['\u{1b}', '\u{7}']), "{stderr:?}");
    }
}
