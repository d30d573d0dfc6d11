//! `uncross drop-copy`, and everything else that a user for drop copies meets.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::{
    json::Json,
    program::{Place, program},
    running::Running,
    server::Server,
};

fn trade(running: &Running) {
    running.run_as("ACME", "order buy DEMO 100 @ 10.00 --id mine").expect_success();
    running.run_as("BETA", "order sell DEMO 30 @ 10.00").expect_success();
    running.run_as("ACME", "order buy COIN 1.5 @ 5 --channel 3").expect_success();
    running.run_as("ACME", "cancel 1").expect_success();
    running.run_as("ACME", "order buy DEMO 100 @ 10.001").expect_failure(1, "UX-O001");
}

#[test]
fn the_reports_of_a_firm_are_shown_in_order_with_their_instrument() {
    let running = Running::start();
    trade(&running);
    let text = running.run_as("RISK", "drop-copy").expect_success();
    // Without the times.
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    let said: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
    // What follows a report differs by run: references and match numbers.
    for (line, expected) in said.iter().filter(|line| !line.contains("next-number")).zip([
        "port 0 system start of day",
        "port 1 system start of day",
        "port 1 1 accepted buy 100 DEMO @ 10.0000 reference ",
        "port 1 1 executed 30 DEMO @ 10.0000 match 1",
        "port 1 1/3 accepted buy 1.500 COIN @ 5.00 reference ",
        "port 1 1 canceled 70 DEMO ",
        "port 1 2 rejected bad price",
    ]) {
        assert!(line.starts_with(expected), "{line}, expected {expected}: {text}");
    }

    let json =
        running.run_as("RISK", "drop-copy --json --from 3").expect_json("uncross.drop-copies/1");
    let reports = json.value("reports").as_array().unwrap();
    assert_eq!(reports[0]["number"].as_u64(), Some(3));
    let count = u64::try_from(reports.len()).unwrap();
    assert_eq!(json.number("next_number"), 3 + count);
    let of = |kind: &str| reports.iter().find(|it| it["report"] == kind).unwrap();
    let accepted = of("accepted");
    for (key, value) in [
        ("side", "buy"),
        ("quantity", "100"),
        ("symbol", "DEMO"),
        ("price", "10.0000"),
        ("state", "live"),
        ("client_order_id", "mine"),
    ] {
        assert_eq!(accepted[key].as_str(), Some(value), "{accepted}");
    }
    assert_eq!((accepted["port"].as_u64(), accepted["user_ref_num"].as_u64()), (Some(1), Some(1)));
    assert!(accepted["order_reference"].as_str().unwrap().parse::<u64>().is_ok());
    let executed = of("executed");
    assert_eq!(
        (executed["symbol"].as_str(), executed["quantity"].as_str()),
        (Some("DEMO"), Some("30"))
    );
    assert_eq!(of("canceled")["quantity"].as_str(), Some("70"));
    let last = running.run_as("RISK", "drop-copy --last 1").expect_success();
    assert_eq!(text.lines().last(), last.lines().next());
    assert_eq!(running.run_as("RISK", "drop-copy --from 0").expect_success(), "");
    assert_eq!(running.run_as("RISK", "drop-copy --from 0 --watch --for 1ms").expect_success(), "");
}

#[test]
fn drop_copies_go_on_with_each_report() {
    let running = Running::start();
    running.run_as("ACME", "order buy DEMO 9 @ 10").expect_success();
    let mut command = program(&running.place.path(""));
    let words = "drop-copy --watch --json --venue venue --user RISK --password-file password.txt";
    let command = command.args(words.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |kind: &str| loop {
        let line = Json::parse(&lines.next().unwrap());
        assert_eq!(line.text("schema"), "uncross.drop-copy/1");
        if line.text("report") == kind {
            return line;
        }
    };
    assert_eq!(until("accepted").text("quantity"), "9");
    running.run_as("BETA", "order sell DEMO 4 @ 10").expect_success();
    let executed = until("executed");
    let parts = ["symbol", "quantity", "price"].map(|key| executed.text(key).to_owned());
    assert_eq!(parts, ["DEMO", "4", "10.0000"], "an order of before the watch is known");
    let kill = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn a_wrong_use_of_drop_copies_says_what_is_wrong() {
    let running = Running::start();
    running.run_as("ACME", "order buy DEMO 9 @ 10").expect_success();
    running.run_as("RISK", "drop-copy --from 99").expect_failure(1, "UX-N007");
    running.run_as("ACME", "drop-copy").expect_failure(1, "UX-N005");
    running.run_as("RISK", "order buy DEMO 1 @ 1").expect_failure(4, "UX-N003");
    running.run_as("NOBODY", "drop-copy").expect_failure(5, "UX-A003");
}

#[test]
fn a_user_for_drop_copies_is_added_shown_and_kept_apart() {
    let place = Place::with_venue();
    place.write("password.txt", "secret\n");
    place.run("user add ACME --venue venue --password-file password.txt").expect_success();
    let text = place
        .run("user add RISK --venue venue --drop-copy acme --password-file password.txt")
        .expect_success();
    let expected = "\
added RISK
  listens   to the drop copies of ACME
  from      the next start of the venue on\n";
    assert_eq!(text, expected);
    let listed = place.run("user list --venue venue").expect_success();
    let expected = "\
NAME  PORT  FIRM  ROLE       CANCEL ON DISCONNECT
ACME  1     ACME  orders     never
RISK  -     ACME  drop-copy  -\n";
    assert_eq!(listed, expected);
    let json = place.run("user list --venue venue --json").expect_json("uncross.users/1");
    let risk = json.value("users").as_array().unwrap()[1].to_string();
    assert_eq!(risk, r#"{"firm":"ACME","name":"RISK","role":"drop-copy"}"#);
    let before = place.read("venue/users.toml");
    for (arguments, exit, code) in [
        ("user add X --venue venue --drop-copy ACME --firm ACME", 2, "UX-U001"),
        ("user add X --venue venue --drop-copy ACME --cancel-on-disconnect 5s", 2, "UX-U001"),
        ("user add X --venue venue --drop-copy TOOLONG", 2, "UX-U002"),
        ("user add X --venue venue --drop-copy", 2, "UX-U001"),
        ("user add RISK --venue venue --drop-copy ACME", 1, "UX-A001"),
        ("user add RISK --venue venue", 1, "UX-A001"),
        ("user set RISK --venue venue --cancel-on-disconnect 5s", 2, "UX-A012"),
    ] {
        place.run(arguments).expect_failure(exit, code);
    }
    assert_eq!(place.read("venue/users.toml"), before);
}

#[test]
fn a_killed_venue_says_the_same_drop_copies_under_the_same_numbers() {
    let place = Place::with_venue();
    place.write("password.txt", "secret");
    for words in ["add ACME", "add BETA --firm ACME", "add RISK --drop-copy ACME"] {
        let arguments = format!("user {words} --venue venue --password-file password.txt");
        place.run(&arguments).expect_success();
    }
    let say = |server: &Server, user: &str, words: &str| {
        let login =
            format!("--user {user} --password-file password.txt --orders {}", server.orders);
        place.run(&format!("{words} {login}"))
    };
    let server = Server::start(&place, "--set core.pin=false");
    for (user, side) in [("ACME", "buy"), ("BETA", "sell"), ("ACME", "buy"), ("BETA", "sell")] {
        let order = format!("order {side} DEMO 7 @ 10 --price-decimals 4 --qty-decimals 0");
        say(&server, user, &order).expect_success();
    }
    let before = say(&server, "RISK", "drop-copy --json").expect_json("uncross.drop-copies/1");
    server.kill();
    // The first login after the kill, and the first of all of a user who is new.
    place
        .run("user add LATE --venue venue --drop-copy ACME --password-file password.txt")
        .expect_success();
    let server = Server::start(&place, "--set core.pin=false");
    for user in ["RISK", "LATE"] {
        let after = say(&server, user, "drop-copy --json").expect_json("uncross.drop-copies/1");
        assert_eq!(after.value("reports"), before.value("reports"), "{user}");
        assert_eq!(after.number("next_number"), before.number("next_number"), "{user}");
    }
    server.stop();
    let json = place.run("sessions venue --json").expect_json("uncross.sessions/1");
    let copies = json.value("drop_copies").to_string();
    let messages = before.number("next_number") - 1;
    assert_eq!(copies, format!(r#"[{{"firm":"ACME","messages":{messages}}}]"#));
    let text = place.run("sessions venue").expect_success();
    assert!(text.contains(&format!("\ncopies   {messages} messages of firm ACME\n")), "{text}");
}

#[test]
fn drop_copies_are_exported_as_they_were_sent() {
    let running = Running::start();
    trade(&running);
    let json = running.run_as("RISK", "drop-copy --json").expect_json("uncross.drop-copies/1");
    let place = &running.place;
    let run = place.run("journal export venue --drop-copy acme acme.copies --json");
    let summary = run.expect_json("uncross.journal.export/1");
    let file = &summary.value("files").as_array().unwrap()[0];
    assert_eq!(file["content"].as_str(), Some("drop-copies"));
    assert_eq!(file["items"].as_u64(), Some(json.number("next_number") - 1));
    let bytes = std::fs::read(place.path("acme.copies")).unwrap();
    // The length of the first one, its envelope, and the start of day in it.
    assert_eq!(bytes[..7], [0, 14, b'd', 0, 0, 0, b'S']);
    place.run("journal export venue --drop-copy BETA beta.copies").expect_failure(1, "UX-J010");
    place.run("journal export venue --drop-copy LONGNAME x").expect_failure(1, "UX-J010");
    let twice = "journal export venue --drop-copy ACME same --itch same";
    place.run(twice).expect_failure(2, "UX-U001");
    assert!(!place.path("beta.copies").exists() && !place.path("same").exists());
}
