//! `uncross user`

use uncross_server::users::{User, Users};

use crate::program::Place;

const SECRET: &str = "sEcReT-42";

fn can_log_in(place: &Place, name: &str, password: &str) -> bool {
    Users::load(&place.path("venue/users.toml")).unwrap().verify(name, password).is_some()
}

#[test]
fn made_password_is_shown_once_and_works() {
    let place = Place::with_venue();
    let text = place.run("user add brok01 --venue venue").expect_success();
    assert!(text.starts_with("added BROK01\n  port      1\n  firm      BROK\n"), "{text}");
    let password = text.lines().find_map(|line| line.strip_prefix("  password  ")).unwrap();
    let password = password.split(' ').next().unwrap();
    assert!(can_log_in(&place, "BROK01", password));
    assert!(!place.read("venue/users.toml").contains(password));
    let listed = place.run("user list --venue venue").expect_success();
    assert_eq!(
        listed,
        "NAME    PORT  FIRM  ROLE    CANCEL ON DISCONNECT\nBROK01  1     BROK  orders  never\n"
    );
}

#[test]
fn machines_are_told_a_made_password_and_no_other() {
    let place = Place::with_venue();
    let json = place.run("user add A --venue venue --json").expect_json("uncross.user-add/1");
    assert_eq!(json.keys(), ["firm", "name", "password", "port", "role", "schema"]);
    assert!(can_log_in(&place, "A", json.text("password")));
    let run = place.run_with("user add B --venue venue --password-stdin --json", &[], SECRET);
    let json = run.expect_json("uncross.user-add/1");
    assert_eq!(json.keys(), ["firm", "name", "port", "role", "schema"]);
    let json = place.run("user list --venue venue --json").expect_json("uncross.users/1");
    let users = json.value("users").as_array().unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(users[1].to_string(), r#"{"firm":"B","name":"B","port":2,"role":"orders"}"#);
}

#[test]
fn cancelling_on_disconnect_is_set_and_changed_by_name() {
    let place = Place::with_venue();
    place.run("user add A --venue venue --cancel-on-disconnect 500ms").expect_success();
    let json = place.run("user list --venue venue --json").expect_json("uncross.users/1");
    let users = json.value("users").to_string();
    assert!(users.contains(r#""cancel_on_disconnect":"500ms""#), "{users}");
    place.run("user set a --venue venue --cancel-on-disconnect 0s").expect_success();
    assert!(place.read("venue/users.toml").contains("cancel_on_disconnect = \"0s\""));
    place.run("user set A --venue venue --cancel-on-disconnect never").expect_success();
    let before = place.read("venue/users.toml");
    assert!(!before.contains("cancel_on_disconnect"));
    for (arguments, exit, code) in [
        ("user set NOBODY --venue venue --cancel-on-disconnect 5s", 1, "UX-A010"),
        ("user set A --venue venue --cancel-on-disconnect 25h", 2, "UX-A011"),
        ("user set A --venue venue --cancel-on-disconnect 1us", 2, "UX-A011"),
        ("user set A --venue venue --cancel-on-disconnect soon", 2, "UX-U001"),
        ("user set A --venue venue", 2, "UX-U001"),
    ] {
        place.run(arguments).expect_failure(exit, code);
    }
    assert_eq!(place.read("venue/users.toml"), before);
}

#[test]
fn given_password_works_without_its_line_end() {
    let place = Place::with_venue();
    place.write("password.txt", &format!("{SECRET}\n"));
    place
        .run("user add FILE --venue venue --firm ACME --password-file password.txt")
        .expect_success();
    place
        .run_with("user add STDIN --venue venue --password-stdin", &[], &format!("{SECRET}\r\n"))
        .expect_success();
    for name in ["FILE", "STDIN"] {
        assert!(can_log_in(&place, name, SECRET) && can_log_in(&place, name, "SECRET-42"));
    }
}

#[test]
fn secrets_are_never_in_the_output() {
    let place = Place::with_venue();
    let too_long = format!("{SECRET}{SECRET}");
    let runs = [
        place.run_with("user add A --venue venue --password-stdin", &[], SECRET),
        place.run_with("user add A --venue venue --password-stdin", &[], SECRET),
        place.run_with("user add A --venue venue --password-stdin --json", &[], SECRET),
        place.run_with("user add B --venue venue --password-stdin", &[], &too_long),
        place.run_with("user add B --venue venue --password-stdin", &[], &format!("{SECRET} x")),
        place.run("user list --venue venue"),
        place.run("user list --venue venue --json"),
    ];
    for run in runs {
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.to_lowercase().contains(&SECRET.to_lowercase()), "{said}");
        assert!(!said.contains("argon2"), "{said}");
    }
    let misplaced =
        format!("[[user]]\nname = \"A\"\nport = \"{SECRET}\"\nfirm = \"A\"\nhash = \"\"\n");
    place.write("venue/users.toml", &misplaced);
    let message = place.run("user list --venue venue").expect_failure(3, "UX-C012");
    assert!(!message.contains(SECRET), "{message}");
}

#[test]
fn refusals_have_their_codes_and_change_nothing() {
    let place = Place::with_venue();
    place.run("user add TAKEN --venue venue").expect_success();
    let before = place.read("venue/users.toml");
    place.write("empty.txt", "\n");
    for (arguments, exit, code) in [
        ("user add taken --venue venue", 1, "UX-A001"),
        ("user add SEVENCH --venue venue", 2, "UX-U002"),
        ("user add A-B --venue venue", 2, "UX-U002"),
        ("user add NEW --venue venue --firm FIVEC", 2, "UX-U002"),
        ("user add NEW --venue venue --password-file empty.txt", 2, "UX-U003"),
        ("user add NEW --venue venue --password-file missing.txt", 1, "UX-F002"),
        ("user add NEW --venue nowhere", 3, "UX-C013"),
        ("user list --venue nowhere", 3, "UX-C013"),
    ] {
        place.run(arguments).expect_failure(exit, code);
    }
    assert_eq!(place.read("venue/users.toml"), before);
}

#[test]
fn ports_end_where_the_venue_says() {
    let place = Place::with_venue();
    place.write("venue/venue.toml", "[capacity]\nports = 1\n");
    place.run("user add ONE --venue venue").expect_success();
    let message = place.run("user add TWO --venue venue").expect_failure(1, "UX-A002");
    assert_eq!(message, "the next port is 2, and capacity.ports is 1");
    assert!(!place.read("venue/users.toml").contains("TWO"));
}

#[test]
fn users_added_at_once_are_all_kept() {
    let place = Place::with_venue();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || {
                place.run(&format!("user add U{number} --venue venue")).expect_success();
            });
        }
    });
    let users = Users::load(&place.path("venue/users.toml")).unwrap();
    let ports: Vec<_> = users.list().iter().filter_map(User::port).collect();
    assert_eq!(ports, [1, 2, 3, 4, 5, 6, 7, 8]);
}
