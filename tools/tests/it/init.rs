//! `uncross init`

use std::{fs, os::unix::fs::PermissionsExt};

use crate::program::Place;

#[test]
fn fresh_venue_has_a_configuration_and_no_users() {
    let place = Place::empty();
    let text = place.run("init venue").expect_success();
    assert!(text.starts_with("made venue\n") && text.contains("next:"), "{text}");
    assert_eq!(place.read("venue/venue.toml"), place.run("config print-default").stdout);
    let users = fs::metadata(place.path("venue/users.toml")).unwrap();
    assert_eq!(users.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        place.run("user list --venue venue").expect_success(),
        "NAME  PORT  FIRM  ROLE  CANCEL ON DISCONNECT\n"
    );
}

#[test]
fn machines_are_told_the_paths() {
    let json = Place::empty().run("init a/venue --json").expect_json("uncross.init/1");
    assert_eq!(json.text("venue"), "a/venue");
    assert_eq!(json.text("config"), "a/venue/venue.toml");
    assert_eq!(json.text("users"), "a/venue/users.toml");
}

#[test]
fn folder_with_anything_in_it_is_left_alone() {
    let place = Place::with_venue();
    place.write("venue/venue.toml", "precious");
    let message = place.run("init venue").expect_failure(1, "UX-F001");
    assert_eq!(message, "venue is not empty");
    assert_eq!(place.read("venue/venue.toml"), "precious");
    fs::create_dir(place.path("empty")).unwrap();
    place.run("init empty").expect_success();
    place.write("file", "");
    place.run("init file").expect_failure(1, "UX-F003");
}

#[test]
fn configuration_is_copied_when_it_is_good() {
    let place = Place::empty();
    place.write("good.toml", "# mine\n[venue]\nname = \"MINE\"\n");
    place.run("init venue --from good.toml").expect_success();
    assert_eq!(place.read("venue/venue.toml"), "# mine\n[venue]\nname = \"MINE\"\n");
    place.write("bad.toml", "[venue]\nname = 5\n");
    place.run("init other --from bad.toml").expect_failure(3, "UX-C005");
    place.run("init other --from missing.toml").expect_failure(3, "UX-C001");
    assert!(!place.path("other").exists(), "nothing is made for a bad configuration");
}
