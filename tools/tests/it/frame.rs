//! What holds for every command: exit codes, colours, JSON, pipes.

use std::process::Stdio;

use uncross_client::wire::ouch::codes::{cancel_reason, reject};

use crate::{
    json::Json,
    program::{Place, program},
};

#[test]
fn senseless_arguments_exit_with_2() {
    let place = Place::empty();
    for (arguments, message) in [
        ("frobnicate", "unrecognized subcommand 'frobnicate'"),
        ("version --loud", "unexpected argument '--loud' found"),
        ("init", "the following required arguments were not provided: <DIR>"),
        ("config check x --set core.pin", "invalid value 'core.pin' for"),
        ("version --color sometimes", "invalid value 'sometimes' for '--color <WHEN>'"),
    ] {
        let found = place.run(arguments).expect_failure(2, "UX-U001");
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn misspelt_command_is_answered_with_the_right_one() {
    let run = Place::empty().run("verson");
    assert!(run.stderr.contains("fix: did you mean version?"), "{run:?}");
}

#[test]
fn program_alone_shows_its_help_and_fails() {
    for arguments in ["", "user"] {
        let run = Place::empty().run(arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stdout.contains("Commands:") && run.stdout.contains("Examples:"), "{run:?}");
        assert!(run.stderr.starts_with("error[UX-U001]: a command is missing\n"), "{run:?}");
    }
}

#[test]
fn failures_are_one_object_for_machines() {
    for (arguments, code, exit) in [
        ("--json frobnicate", "UX-U001", 2),
        ("--json", "UX-U001", 2),
        ("user list --venue nowhere --json", "UX-C013", 3),
        ("explain UX-Z999 --json", "UX-U004", 2),
    ] {
        let run = Place::empty().run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (exit, ""), "{run:?}");
        let json = Json::parse(&run.stderr);
        assert_eq!(json.text("schema"), "uncross.error/1");
        assert_eq!(
            (json.text("code"), json.value("exit_code").as_i64()),
            (code, Some(exit.into()))
        );
        assert_eq!(json.keys(), ["cause", "code", "exit_code", "fix", "message", "schema"]);
    }
}

#[test]
fn colour_is_used_when_asked_for_only() {
    let place = Place::empty();
    let is_colored = |arguments: &str, variables: &[(&str, &str)]| {
        let run = place.run_with(arguments, variables, "");
        (run.stdout + &run.stderr).contains('\x1b')
    };
    for arguments in ["explain UX-Z999", "version --help", "frobnicate"] {
        let with = |color: &str| format!("{arguments} --color {color}");
        assert!(!is_colored(arguments, &[]), "{arguments}: no terminal");
        assert!(is_colored(&with("always"), &[]), "{arguments}");
        assert!(is_colored(&with("always"), &[("NO_COLOR", "1")]), "{arguments}: the flag wins");
        assert!(!is_colored(&with("never"), &[]), "{arguments}");
    }
}

#[test]
fn output_that_nobody_reads_ends_quietly() {
    for arguments in ["config print-default", "explain", "--help", "version --json"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(&std::env::temp_dir());
        let child = command.args(arguments.split(' ')).stdout(writer).stderr(Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments}");
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = program(&std::env::temp_dir());
    let child = command.arg("version").stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.starts_with(b"error[UX-F004]: "));
}

#[test]
fn version_says_more_when_asked() {
    let place = Place::empty();
    let version = format!("uncross {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.run("version").expect_success(), version);
    assert_eq!(place.run("--version").expect_success(), version);
    let verbose = place.run("version --verbose").expect_success();
    assert!(verbose.starts_with(&version) && verbose.contains("OUCH 5.0"), "{verbose}");
    let json = place.run("version --json").expect_json("uncross.version/1");
    assert_eq!(json.text("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(json.value("journal_levels").as_array().unwrap(), &["async", "group", "sync"]);
}

#[test]
fn every_code_is_explained() {
    let place = Place::empty();
    let list = place.run("explain --json").expect_json("uncross.explain-all/1");
    let codes = list.value("codes").as_array().unwrap();
    assert!(20 < codes.len());
    for code in codes {
        let id = code.get("code").unwrap().as_str().unwrap();
        // Only of a cancel's letter does the case matter.
        let written = if id.starts_with("cancel-") { id.to_owned() } else { id.to_lowercase() };
        let text = place.run(&format!("explain {written}")).expect_success();
        assert!(text.starts_with(&format!("{id}: ")) && text.contains("\nfix: "), "{text}");
    }
    let ids: Vec<_> = codes.iter().map(|code| code["code"].as_str().unwrap()).collect();
    for (code, _) in reject::ALL {
        assert!(ids.contains(&format!("0x{code:02X}").as_str()), "{code:#x}");
    }
    for (letter, _) in cancel_reason::ALL {
        assert!(ids.contains(&format!("cancel-{}", char::from(*letter)).as_str()), "{letter}");
    }
    let json = place.run("explain cancel-K --json").expect_json("uncross.explain/1");
    assert_eq!((json.text("kind"), json.text("title")), ("cancel", "market collar"));
    place.run("explain cancel-?").expect_failure(2, "UX-U004");
    let json = place.run("explain UX-C003 --json").expect_json("uncross.explain/1");
    assert_eq!(json.value("exit_code").as_i64(), Some(3));
    place.run("explain UX-Z999").expect_failure(2, "UX-U004");
}
