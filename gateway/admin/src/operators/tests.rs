use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn load(text: &str) -> Result<Operators, OperatorsError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("operators.toml");
    fs::write(&path, text).unwrap();
    Operators::load(&path)
}

#[test]
fn a_token_is_its_owners_and_nobody_elses() {
    let mut operators = Operators::new("operators.toml");
    let first = operators.add("alice", Role::Operator).unwrap();
    let second = operators.add("bob.2-x_Y", Role::Viewer).unwrap();
    assert_ne!(first, second);
    let whose = |token: &[u8]| operators.verify(token).map(|it| (it.name(), it.role()));
    assert_eq!(whose(first.text().as_bytes()), Some(("alice", Role::Operator)));
    assert_eq!(whose(second.text().as_bytes()), Some(("bob.2-x_Y", Role::Viewer)));
    let upper = first.text().to_uppercase();
    for wrong in ["", "uxa_", "alice", &first.text()[1..], &upper] {
        assert_eq!(whose(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn the_file_keeps_names_and_roles_no_token_and_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("operators.toml");
    assert!(Operators::load(&path).unwrap().list().is_empty(), "no file is nobody");
    let mut operators = Operators::new(&path);
    let token = operators.add("alice", Role::Operator).unwrap();
    operators.add("bob", Role::Viewer).unwrap();
    operators.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(token.text()) && !text.contains(&token.text()[4..]), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut loaded = Operators::load(&path).unwrap();
    assert_eq!(loaded.verify(token.text().as_bytes()).map(Operator::name), Some("alice"));
    loaded.remove("alice").unwrap();
    loaded.save().unwrap();
    let loaded = Operators::load(&path).unwrap();
    assert!(loaded.verify(token.text().as_bytes()).is_none());
    assert_eq!(loaded.list().iter().map(Operator::name).collect::<Vec<_>>(), ["bob"]);
    assert!(!format!("{operators:?} {token:?}").contains(&token.text()[4..]));
}

#[test]
fn names_that_break_a_rule_are_refused() {
    let mut operators = Operators::new("operators.toml");
    operators.add("a", Role::Viewer).unwrap();
    for name in ["", "seventeen-letters", "a b", "a\n", "\u{e4}", "a:b", "a\"b"] {
        let found = operators.add(name, Role::Viewer);
        assert!(matches!(found, Err(OperatorsError::Name { .. })), "{name:?}");
    }
    let twice = operators.add("a", Role::Operator).unwrap_err();
    assert_eq!(twice.to_string(), "operator a exists");
    let unknown = operators.remove("b").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no operator b");
}

#[test]
fn damaged_files_are_refused_with_the_line_and_without_the_hash() {
    let hash = "ab".repeat(32);
    let entry = |name: &str, role: &str, hash: &str| {
        format!("[[operator]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_blake3 = \"{hash}\"\n")
    };
    let good = entry("a", "viewer", &hash);
    assert_eq!(load(&good).unwrap().list().len(), 1);
    for (text, expected) in [
        (String::from("\n[[operator]\n"), "operators.toml:2: "),
        (String::from("operator = 1\n"), "operators.toml:1: expected [[operator]]"),
        (format!("{good}more = 1\n"), "expected [[operator]] with name, role"),
        (entry("a", "root", &hash), "operators.toml:3: expected [[operator]]"),
        (entry("a b", "viewer", &hash), "operator \"a b\": the name is malformed"),
        (good.clone() + &good, "operator \"a\": the name is there twice"),
        (entry("a", "viewer", &hash[1..]), "operator \"a\": token_blake3 is not 64 hex"),
        (entry("a", "viewer", &"+a".repeat(32)), "operator \"a\": token_blake3 is not 64 hex"),
    ] {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("abab"), "{text}: {error}");
    }
}
