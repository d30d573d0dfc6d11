//! `uncross operator`, and the operator that a venue begins with.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use uncross_admin::operators::{Operator, Operators, Role};

use crate::program::Place;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whose token it is.
fn whose(place: &Place, token: &str) -> Option<(String, Role)> {
    let operators = Operators::load(&place.path("venue/operators.toml")).unwrap();
    let found: Option<&Operator> = operators.verify(token.trim().as_bytes());
    found.map(|operator| (operator.name().to_owned(), operator.role()))
}

#[test]
fn a_venue_begins_with_an_operator_whose_token_is_its_owners_alone() {
    let place = Place::empty();
    let json = place.run("init venue --json").expect_json("uncross.init/1");
    assert_eq!(json.text("operators"), "venue/operators.toml");
    assert_eq!(json.text("token"), "venue/admin.token");
    let token = place.read("venue/admin.token");
    assert_eq!(whose(&place, &token), Some(("admin".to_owned(), Role::Operator)));
    assert_eq!(mode(&place.path("venue/admin.token")), 0o600);
    assert_eq!(mode(&place.path("venue/operators.toml")), 0o600);
    let other = Place::with_venue();
    assert_ne!(other.read("venue/admin.token"), token);
}

#[test]
fn a_made_token_is_shown_once_or_written_to_a_file() {
    let place = Place::with_venue();
    let text = place.run("operator add carol --venue venue").expect_success();
    assert!(text.starts_with("added carol\n  role   operator\n  token  uxa_"), "{text}");
    let token = text.lines().find_map(|line| line.strip_prefix("  token  ")).unwrap();
    let token = token.split(' ').next().unwrap();
    assert_eq!(whose(&place, token), Some(("carol".to_owned(), Role::Operator)));
    assert!(!place.read("venue/operators.toml").contains(token));

    let add = "operator add dave --role viewer --venue venue --token-file dave.token --json";
    let json = place.run(add).expect_json("uncross.operator-add/1");
    assert_eq!(json.keys(), ["name", "role", "schema", "token_file"]);
    let token = place.read("dave.token");
    assert_eq!(whose(&place, &token), Some(("dave".to_owned(), Role::Viewer)));
    assert_eq!(mode(&place.path("dave.token")), 0o600);

    let listed = place.run("operator list --venue venue").expect_success();
    assert_eq!(listed, "NAME   ROLE\nadmin  operator\ncarol  operator\ndave   viewer\n");
    place.run("operator remove dave --venue venue").expect_success();
    assert_eq!(whose(&place, &token), None);
    let json = place.run("operator list --venue venue --json");
    let json = json.expect_json("uncross.operators/1");
    assert_eq!(json.value("operators").as_array().unwrap().len(), 2);
}

#[test]
fn refusals_of_operators_have_their_codes_and_change_nothing() {
    let place = Place::with_venue();
    let before = place.read("venue/operators.toml");
    place.write("taken", "precious");
    for (arguments, exit, code) in [
        ("operator add admin", 1, "UX-A039"),
        ("operator add seventeen-letters", 2, "UX-A038"),
        ("operator add a:b", 2, "UX-A038"),
        ("operator remove nobody", 1, "UX-A040"),
        ("operator add eve --token-file taken", 1, "UX-F003"),
        ("operator add eve --role root", 2, "UX-U001"),
    ] {
        place.run(&format!("{arguments} --venue venue")).expect_failure(exit, code);
        assert_eq!(place.read("venue/operators.toml"), before, "{arguments}");
    }
    assert_eq!(place.read("taken"), "precious");
    place.run("operator list --venue nowhere").expect_failure(3, "UX-C013");
    for bad in ["garbage", "[[operator]]\nname = \"a\"\n"] {
        place.write("venue/operators.toml", bad);
        for arguments in ["operator list", "operator add eve", "operator remove admin"] {
            place.run(&format!("{arguments} --venue venue")).expect_failure(3, "UX-A037");
        }
        assert_eq!(place.read("venue/operators.toml"), bad);
    }
}
