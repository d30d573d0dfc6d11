//! Every help ends in examples, and the examples work.

use std::process::Command;

use crate::{program::Place, running::Running};

/// Commands whose examples run until they are stopped or need something outside.
const ENDLESS: [&str; 1] = ["start"];

/// Commands that look at a journal.
const NEEDS_JOURNAL: [&str; 3] = ["uncross replay", "uncross journal", "uncross sessions"];

/// All commands, the program itself first, as their words after `uncross`.
pub(crate) fn commands(place: &Place) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut next = 0;
    while let Some(parent) = found.get(next).cloned() {
        for name in children(&help(place, &parent)) {
            found.push(format!("{parent} {name}").trim_start().to_owned());
        }
        next += 1;
    }
    found
}

fn help(place: &Place, command: &str) -> String {
    place.run(&format!("{command} --help")).expect_success()
}

/// The names under the heading "Commands:".
fn children(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // A name is indented by two; the continuation of a description by more.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

fn examples(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_help_ends_in_examples_of_its_command() {
    let place = Place::empty();
    let commands = commands(&place);
    assert!(commands.iter().any(|command| command == "user add"), "{commands:?}");
    for command in commands {
        let help = help(&place, &command);
        let examples = examples(&help);
        assert!(!examples.is_empty(), "uncross {command} --help has no examples");
        assert_eq!(help.lines().last().map(str::trim), examples.last().map(String::as_str));
        let words = format!("uncross {command}");
        for example in examples {
            assert!(example.contains(words.trim_end()), "{words}: {example}");
        }
    }
}

#[test]
fn every_example_works() {
    let place = Place::empty();
    for command in commands(&place) {
        if ENDLESS.contains(&command.as_str()) {
            continue;
        }
        for example in examples(&help(&place, &command)) {
            run_example(&example);
        }
    }
}

/// Runs a line as a shell would, in a folder that has what examples speak of.
fn run_example(line: &str) {
    if line.contains("--user ACME") || line.contains("--user RISK") {
        // A venue that runs, with order 1 of the user alive.
        let running = Running::start();
        running.run_as("ACME", "order buy DEMO 100 @ 10.00").expect_success();
        return run_line(line, &running.place);
    }
    let place = if NEEDS_JOURNAL.iter().any(|words| line.contains(words)) {
        let place = Place::empty();
        place.run("demo --for 1s --port 0 --rate 1k --keep venue").expect_success();
        place
    } else if line.contains("uncross init") {
        Place::empty()
    } else {
        Place::with_venue()
    };
    place.write("password.txt", "secret\n");
    if line.contains("uncross user set") {
        place.run("user add BROK01 --venue venue --password-file password.txt").expect_success();
    }
    place.write("other.toml", "[venue]\nname = \"OTHER\"\n");
    place.write("AAPL_sample.csv", "34200.1,1,7,18,5853300,1\n34200.2,4,7,18,5853300,1\n");
    run_line(line, &place);
}

fn run_line(line: &str, place: &Place) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_uncross"));
    let search = [program.parent().unwrap().to_owned(), "/usr/bin".into(), "/bin".into()];
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(place.path(""));
    command.env("PATH", std::env::join_paths(search).unwrap());
    if line.contains("uncross doctor") {
        // The usual ports may be in use by another venue of this machine.
        command.env("UNCROSS__ORDERS__LISTEN", "127.0.0.1:0");
        command.env("UNCROSS__DATA__LISTEN", "127.0.0.1:0");
    }
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
}
