//! `uncross completions` and `uncross man` know every command.

use crate::{help::commands, program::Place};

#[test]
fn completions_of_every_shell_know_every_command() {
    let place = Place::empty();
    let commands = commands(&place);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&format!("completions {shell}")).expect_success();
        for word in commands.iter().flat_map(|command| command.split_whitespace()) {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
        assert!(script.contains("json"), "{shell} does not complete flags");
        let json = place.run(&format!("completions {shell} --json"));
        let json = json.expect_json("uncross.completions/1");
        assert_eq!((json.text("shell"), json.text("script")), (shell, script.as_str()));
    }
    place.run("completions tcsh").expect_failure(2, "UX-U001");
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::empty();
    let commands = commands(&place);
    let text = place.run("man --out pages").expect_success();
    assert_eq!(text, format!("{} pages are in pages\n", commands.len()));
    for command in &commands {
        let name = format!("uncross {command}").trim_end().replace(' ', "-");
        let page = place.read(&format!("pages/{name}.1"));
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(page.contains("Examples:"), "{name} has no examples");
        assert_eq!(place.run(&format!("man {command}")).expect_success(), page, "{name}");
    }
    let json = place.run("man book --json").expect_json("uncross.man-page/1");
    assert_eq!(json.text("name"), "uncross-book.1");
    let json = place.run("man --out again/pages --json").expect_json("uncross.man/1");
    assert_eq!(json.value("pages").as_array().unwrap().len(), commands.len());
    place.run("man frobnicate").expect_failure(2, "UX-U001");
    place.write("file", "");
    place.run("man --out file").expect_failure(1, "UX-F003");
}
