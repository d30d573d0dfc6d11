use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const HASH: &str = "$argon2id$v=19$m=8192,t=1,p=1$c29tZSBzYWx0IGhlcmUhIQ$\
    //////////////////////////////////////////8";

fn load(text: &str) -> Result<Users, UsersError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    fs::write(&path, text).unwrap();
    Users::load(&path)
}

fn entry(name: &str, port: &str, firm: &str, hash: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\nport = {port}\nfirm = \"{firm}\"\nhash = \"{hash}\"\n")
}

fn two() -> Users {
    let mut users = Users::new("users.toml");
    assert_eq!(users.add("alpha1", "abcd", "secret").unwrap(), 1);
    assert_eq!(users.add("B", "X", "pass-2").unwrap(), 2);
    users
}

#[test]
fn right_password_gives_the_user_in_any_case_and_padding() {
    let users = two();
    for (name, password) in
        [("ALPHA1", "SECRET"), ("alpha1", "secret    "), (" alpha1 ", "\0SeCrEt")]
    {
        assert_eq!(users.verify(name, password).and_then(User::port), Some(1), "{name:?}");
    }
    assert_eq!(users.verify(b"b     ", b"PASS-2\0\0\0\0").and_then(User::port), Some(2));
}

#[test]
fn wrong_password_unknown_name_and_emptiness_give_nobody() {
    let users = two();
    for (name, password) in
        [("alpha1", "pass-2"), ("alpha1", ""), ("nobody", "secret"), ("", ""), ("b", "pass- 2")]
    {
        assert!(users.verify(name, password).is_none(), "{name:?}");
    }
}

#[test]
fn users_tell_their_fields_padded_and_plain() {
    let users = two();
    let user = users.find("b").unwrap();
    assert_eq!((user.name(), user.port(), user.firm_text()), ("B", Some(2), "X"));
    assert_eq!((user.name_padded(), user.firm()), (*b"B     ", *b"X   "));
    assert!(users.find("nobody").is_none());
}

#[test]
fn unknown_users_cost_what_known_ones_cost() {
    assert!(has_our_cost(UNKNOWN_HASH));
    assert!(has_our_cost(&hash(b"SECRET").unwrap()));
    assert!(has_our_cost(HASH));
    for wrong in [
        HASH.replace("argon2id", "argon2i"),
        HASH.replace("v=19", "v=16"),
        HASH.replace("m=8192", "m=16384"),
        HASH.replace("t=1", "t=2"),
        HASH[..HASH.len() - 44].to_owned(),
        String::from("secret"),
    ] {
        assert!(!has_our_cost(&wrong), "{wrong}");
    }
}

#[test]
fn saved_users_load_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    Users::new(&path).save().unwrap();
    let lock = Users::lock(&path).unwrap();
    let mut users = Users::load(&path).unwrap();
    assert!(users.list().is_empty());
    assert_eq!(users.add("ONE", "F1", "secret").unwrap(), 1);
    users.save().unwrap();
    drop(lock);
    let found = Users::load(&path).unwrap();
    assert_eq!(found.list(), users.list());
    assert!(found.verify("one", "secret").is_some());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left");
}

#[test]
fn ports_of_removed_users_are_not_given_out_again() {
    let mut users = load("next_port = 8\n").unwrap();
    assert_eq!(users.add("NEW", "F", "secret").unwrap(), 8);
    let error = load(&entry("OLD", "5", "F", HASH)).unwrap_err();
    assert!(error.to_string().contains("next_port"), "{error}");
    load("").unwrap_err();
}

#[test]
fn a_user_for_drop_copies_takes_no_port_and_has_no_orders() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    let mut users = Users::new(&path);
    users.add_drop_copy("risk1", "beta", "secret").unwrap();
    assert_eq!(users.add("ONE", "ALFA", "secret").unwrap(), 1);
    users.add_drop_copy("RISK2", "BETA", "secret").unwrap();
    users.add_drop_copy("RISK3", "ALFA", "secret").unwrap();
    users.save().unwrap();
    let mut users = Users::load(&path).unwrap();
    let list: Vec<_> = users.list().iter().map(|user| (user.name(), user.port())).collect();
    assert_eq!(list, [("ONE", Some(1)), ("RISK1", None), ("RISK2", None), ("RISK3", None)]);
    assert_eq!(users.copied_firms(), [*b"ALFA", *b"BETA"], "each firm once");
    assert_eq!(users.verify("risk1", "secret").map(User::firm), Some(*b"BETA"));
    let error = users.set_cancel_on_disconnect("RISK1", None).unwrap_err();
    assert!(matches!(&error, UsersError::NoOrders { name } if name == "RISK1"), "{error}");
    let error = users.add("RISK1", "ALFA", "secret").unwrap_err();
    assert_eq!(error.to_string(), "user RISK1 exists and listens to drop copies");
    for (name, firm) in [("", "ALFA"), ("NEW", "FIVEC"), ("ONE", "ALFA")] {
        users.add_drop_copy(name, firm, "secret").unwrap_err();
    }
    assert_eq!(users.list().len(), 4, "a refusal changes nothing");
}

#[test]
fn no_port_is_left_after_the_last_one() {
    let mut users = load("next_port = 4096\n").unwrap();
    assert_eq!(users.add("LAST", "F", "secret").unwrap(), PORTS_MAX);
    let error = users.add("MORE", "F", "secret").unwrap_err();
    assert!(matches!(error, UsersError::Full { ports_max: PORTS_MAX }), "{error}");
}

#[test]
fn malformed_names_firms_and_passwords_are_refused() {
    let mut users = two();
    for name in ["", "SEVENCH", "A B", "A-1", "\u{e9}"] {
        let error = users.add(name, "F", "secret").unwrap_err();
        assert!(matches!(&error, UsersError::Name { found } if found == name), "{error}");
    }
    for firm in ["", "FIVEC", "A B"] {
        let error = users.add("NEW", firm, "secret").unwrap_err();
        assert!(matches!(&error, UsersError::Firm { found } if found == firm), "{error}");
    }
    for (password, len) in [("", 0), ("    ", 0), ("elevenchars", 11)] {
        let error = users.add("NEW", "F", password).unwrap_err();
        let is_due = matches!(error, UsersError::PasswordLength { found_len } if found_len == len);
        assert!(is_due, "{error}");
    }
    for password in ["a b", "caf\u{e9}", "tab\there"] {
        let error = users.add("NEW", "F", password).unwrap_err();
        assert!(matches!(error, UsersError::PasswordCharacter), "{error}");
    }
    let error = users.add("ALPHA1", "F", "secret").unwrap_err();
    assert_eq!(error.to_string(), "user ALPHA1 exists and has port 1");
    assert_eq!(users.list().len(), 2, "a refusal changes nothing");
}

#[test]
fn entries_that_break_a_rule_are_named() {
    let good = format!("next_port = 3\n{}", entry("ONE", "1", "F", HASH));
    for (text, expected) in [
        (entry("lower", "2", "F", HASH), EntryFault::Name),
        (entry("TWO", "2", "", HASH), EntryFault::Firm),
        (entry("TWO", "0", "F", HASH), EntryFault::Port { found: 0 }),
        (entry("TWO", "4097", "F", HASH), EntryFault::Port { found: 4_097 }),
        (entry("TWO", "2", "F", "plain"), EntryFault::Hash),
        (format!("{}drop_copy = true\n", entry("TWO", "2", "F", HASH)), EntryFault::DropCopy),
        (entry("TWO", "2", "F", HASH).replace("port = 2\n", ""), EntryFault::Port { found: 0 }),
        (entry("ONE", "2", "F", HASH), EntryFault::NameTwice),
        (entry("TWO", "1", "F", HASH), EntryFault::PortTwice { port: 1 }),
    ] {
        let error = load(&format!("{good}{text}")).unwrap_err();
        assert!(matches!(error, UsersError::Entry { fault, .. } if fault == expected), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_with_the_line_and_without_the_hash() {
    let misplaced = entry("ONE", &format!("\"{HASH}\""), "F", HASH);
    for (text, expected) in [
        ("next_port = \n", 1),
        ("next_port = 1\nport = 2\n", 2),
        (misplaced.as_str(), 3),
        ("[[user]]\nname = \"ONE\"\n", 1),
    ] {
        let error = load(text).unwrap_err();
        let UsersError::Syntax { line, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(line, expected, "{text}");
        assert!(!error.to_string().contains("argon2id$"), "{error}");
    }
    let error = load(&format!("next_port = 1\n{}", entry("ONE", "1", "F", HASH))).unwrap_err();
    assert!(matches!(error, UsersError::NextPort { free: 2, found: 1, .. }), "{error}");
    let error = load("next_port = 4098\n").unwrap_err();
    assert!(matches!(error, UsersError::NextPort { found: 4_098, .. }), "{error}");
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let missing = Path::new("/nonexistent/users.toml");
    assert!(matches!(Users::load(missing), Err(UsersError::Read { .. })));
    assert!(matches!(Users::lock(missing), Err(UsersError::Write { .. })));
    let error = Users::new(missing).save().unwrap_err();
    assert!(error.to_string().starts_with("/nonexistent/users.toml cannot be written: "));
}

#[test]
fn random_passwords_are_valid_and_differ() {
    let passwords = [random_password().unwrap(), random_password().unwrap()];
    assert_ne!(passwords[0], passwords[1]);
    for password in &passwords {
        assert_eq!(password.len(), PASSWORD_LEN_MAX);
        assert!(check_password(password.as_bytes()).is_ok());
        assert_eq!(normalise(password.as_bytes()), password.as_bytes());
    }
}

#[test]
fn debug_output_holds_no_hash() {
    let users = two();
    let text = format!("{users:?}");
    assert!(text.contains("ALPHA1") && !text.contains("argon2"), "{text}");
}
