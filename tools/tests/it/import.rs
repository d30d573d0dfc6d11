//! `uncross import lobster`: recorded markets come out as they were.
//!
//! With the real sample where `UNCROSS_DATA` names its folder, which continuous integration must;
//! elsewhere with a made one, so that the tests run anywhere.

use std::collections::BTreeMap;

use crate::{
    json::Json,
    lobster::{Level, Quantities, Sample},
    program::Place,
    running::Running,
};

const SCHEMA: &str = "uncross.import.lobster/1";

/// The real sample, or a made one.
fn sample() -> Sample {
    match std::env::var_os("UNCROSS_DATA") {
        Some(folder) => Sample::read(folder.as_ref()),
        None if std::env::var("CI").is_ok_and(|value| value == "true") => panic!(
            "set UNCROSS_DATA to a folder with lobster/ in it, which holds the free sample of \
             lobsterdata.com for AAPL of 2012-06-21 with ten levels (message and orderbook file)"
        ),
        None => Sample::made(7, 3_000),
    }
}

fn import(place: &Place, sample: &Sample) -> Json {
    place.write("AAPL_message.csv", &sample.messages());
    let run = place.run("import lobster AAPL_message.csv --venue aapl --json");
    run.expect_json(SCHEMA)
}

/// The final book of an import, with prices in units.
fn final_book(json: &Json) -> Quantities {
    let mut book = Quantities::new();
    for (side, key) in [(1, "bids"), (-1, "asks")] {
        let levels = json.value("book")[key].as_array().unwrap();
        assert!(levels.len() <= 10);
        for level in levels {
            let price = level["price"].as_str().unwrap();
            assert_eq!(price.split_once('.').unwrap().1.len(), 4, "{price}");
            let price = price.replace('.', "").parse().unwrap();
            book.insert((side, price), level["quantity"].as_str().unwrap().parse().unwrap());
        }
    }
    book
}

#[test]
fn every_execution_is_reproduced_against_the_order_named() {
    let (place, sample) = (Place::empty(), sample());
    let json = import(&place, &sample);
    assert_eq!(json.text("symbol"), "AAPL");
    assert_eq!(json.number("events"), sample.rows.len() as u64);
    assert_eq!(json.number("dropped"), sample.count(|kind| 4 < kind));
    assert_eq!(json.number("cancels"), sample.count(|kind| kind == 2 || kind == 3));
    assert_eq!(json.number("executions"), sample.count(|kind| kind == 4));
    assert!(50 < json.number("executions"));
    assert_eq!(json.number("reproduced"), json.number("executions"));
    let (rested, entered) = (json.number("rested_before"), sample.count(|kind| kind == 1));
    assert!(0 < rested);
    assert_eq!(json.number("orders"), entered + rested + json.number("executions"));
    assert_eq!((json.number("rejected"), json.number("unexpected_trades")), (0, 0));
    assert_eq!(json.value("failed").as_array().unwrap().len(), 0);

    // Again elsewhere: the same book; and the journal tells the same.
    let again = import(&Place::empty(), &sample);
    assert_eq!(json.text("checksum"), again.text("checksum"));
    assert_eq!(json.value("book"), again.value("book"));
    let replay = place.run("replay aapl --hash --json").expect_json("uncross.replay/1");
    assert_eq!(replay.text("state_hash"), json.text("state_hash"));
    assert_eq!(replay.number("last_seq"), json.number("last_seq"));
}

/// What is compared: for each price among the ten best of the last row of the orderbook file, the
/// quantity there less that of orders which the message file never names. That rest cannot change
/// while the price stays within the ten levels, so it is taken from the row in which the price
/// last came within them. Beyond the ten levels LOBSTER says nothing.
#[test]
fn the_final_book_is_that_of_the_last_row() {
    let (place, sample) = (Place::empty(), sample());
    let book = final_book(&import(&place, &sample));
    // Of each level within the ten: since which row, and how much the file never names.
    let mut rests: BTreeMap<Level, (usize, i64)> = BTreeMap::new();
    for (row, (ladder, named)) in sample.ladders.iter().zip(sample.named()).enumerate() {
        rests.retain(|&level, _| ladder.sees(level));
        let old: Vec<Level> = rests.keys().copied().collect();
        let levels = old.iter().chain(ladder.levels.keys()).chain(named.keys());
        for &level in levels.filter(|level| ladder.sees(**level)) {
            let at = |quantities: &Quantities| quantities.get(&level).copied().unwrap_or(0);
            let rest = at(&ladder.levels) - at(&named);
            let &mut (since, expected) = rests.entry(level).or_insert((row, rest));
            assert_eq!(rest, expected, "row {row}, level {level:?} since row {since}");
        }
    }
    let last = sample.ladders.last().unwrap();
    let mut compared = 0;
    for (level, total) in &last.levels {
        let (since, rest) = rests[level];
        let found = book.get(level).copied().unwrap_or(0);
        assert_eq!(found, total - rest, "{level:?}: {total} less the {rest} of row {since}");
        compared += usize::from(since + 1 < sample.ladders.len() && 0 < found);
    }
    assert!(10 <= compared, "{compared} levels are known from an earlier row");
    for level in book.keys().filter(|level| last.sees(**level)) {
        assert!(last.levels.contains_key(level), "{level:?} is not in the last row");
    }
}

#[test]
fn a_disturbed_file_is_found_out() {
    let (place, mut sample) = (Place::empty(), sample());
    // An order that is executed stands a tick away from where it stood.
    let maker = sample.rows.iter().position(|row| {
        let executed =
            sample.rows.iter().any(|it| it.kind == 4 && it.id == row.id && 1 < it.shares);
        row.kind == 1 && executed
    });
    let maker = maker.unwrap();
    sample.rows[maker].price -= 100 * sample.rows[maker].side;
    let id = u64::try_from(sample.rows[maker].id).unwrap();
    place.write("AAPL_message.csv", &sample.messages());
    let run = place.run("import lobster AAPL_message.csv --venue aapl --json");
    assert_eq!(run.code, 6, "{run:?}");
    assert_eq!(Json::parse(&run.stderr).text("code"), "UX-I002");
    let json = Json::parse(&run.stdout);
    assert!(json.number("reproduced") < json.number("executions"));
    let failed = &json.value("failed").as_array().unwrap()[0];
    assert_eq!(failed["expected"]["order_id"].as_u64(), Some(id));
    let line = usize::try_from(failed["line"].as_u64().unwrap()).unwrap();
    let row = &sample.rows[line - 1];
    assert_eq!((row.id, row.kind), (sample.rows[maker].id, 4));

    let run = place.run("import lobster AAPL_message.csv --venue other --symbol OTHER");
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stdout.contains(&format!("    line {line}: expected ")), "{}", run.stdout);
    assert!(run.stderr.starts_with("error[UX-I002]: "), "{}", run.stderr);
}

#[test]
fn orders_out_of_turn_are_named_with_what_was_found() {
    for (price, reproduced) in [
        (1_010_000, "1, and 0 trades not in the file"),
        // It rested before and meets what comes in.
        (990_000, "0, and 1 trades not in the file"),
    ] {
        let place = Place::empty();
        let lines = "1.0,1,11,10,1000000,1\n1.1,1,12,10,1000000,1\n1.2,4,12,10,1000000,1\n";
        place.write("T_message.csv", &format!("{lines}1.3,4,9,5,{price},-1\n"));
        let run = place.run("import lobster T_message.csv --venue venue");
        assert_eq!(run.code, 6, "{run:?}");
        let expected = format!("  reproduced  {reproduced}\n    line 3: expected 10 @ 100.0000 ");
        assert!(run.stdout.contains(&expected), "{}", run.stdout);
        assert!(run.stdout.contains("of order 12, found "), "{}", run.stdout);
    }
}

#[test]
fn a_running_venue_is_played_into_like_one_that_is_made() {
    let (running, sample) = (Running::start(), Sample::made(11, 500));
    let place = &running.place;
    place.write("DEMO_message.csv", &sample.messages());
    let venue = format!("--orders {} --data {}", running.orders, running.data);
    let arguments = format!("{venue} --user ACME --password-file password.txt");
    let run = place.run(&format!("import lobster DEMO_message.csv {arguments} --json"));
    let json = run.expect_json(SCHEMA);
    assert_eq!(json.number("reproduced"), sample.count(|kind| kind == 4));
    let book = running.run_as("BETA", "book DEMO --json").expect_json("uncross.book/1");
    assert_eq!(book.text("checksum"), json.text("checksum"));
    assert_eq!(book.value("bids"), &json.value("book")["bids"]);
    // The user's numbers go on behind those of before.
    let run = place.run(&format!("import lobster DEMO_message.csv {arguments} --symbol INDEX"));
    let text = run.expect_success();
    assert!(text.contains(" as INDEX\n"), "{text}");
    let run = place.run(&format!("import lobster DEMO_message.csv {arguments} --symbol NOPE"));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.starts_with("error[UX-O005]: "), "{}", run.stderr);
}

#[test]
fn faults_of_the_file_and_of_the_folder_are_told() {
    let place = Place::empty();
    place.write("A_bad.csv", "1.0,1,1,10,1000000,1\n1.1,1,2,x,1000000,1\n");
    let message = place.run("import lobster A_bad.csv --venue a").expect_failure(1, "UX-I001");
    assert_eq!(message, "A_bad.csv: line 2, column 9: expected a size from 1, found \"x\"");
    assert!(!place.path("a").exists(), "nothing is made for a bad file");
    place.write("A_empty.csv", "");
    place.run("import lobster A_empty.csv --venue a").expect_failure(1, "UX-I003");
    place.write("A_fine.csv", "1.0,1,1,10,1000001,1\n");
    let run = place.run("import lobster A_fine.csv --venue fine");
    assert!(run.code == 6 && run.stderr.starts_with("error[UX-I004]: 1 orders"), "{run:?}");
    place.write("A_twice.csv", "1.0,1,7,10,1000000,1\n1.1,1,7,10,1000000,1\n");
    let message = place.run("import lobster A_twice.csv --venue a").expect_failure(1, "UX-I001");
    let expected =
        "line 2, column 7: expected an order id that is new, found 7, which line 1 names";
    assert_eq!(message, format!("A_twice.csv: {expected}"));
    place.run("import lobster missing_.csv --venue a").expect_failure(1, "UX-F002");
    place.write("plain.csv", "1.0,1,1,10,1000000,1\n");
    place.run("import lobster plain.csv --venue a").expect_failure(2, "UX-U001");
    place.run("import lobster plain.csv --symbol A").expect_failure(2, "UX-U001");
    let both = "import lobster plain.csv --symbol A --venue a --user B";
    place.run(both).expect_failure(2, "UX-U001");
    std::fs::create_dir(place.path("taken")).unwrap();
    place.write("taken/file", "");
    let taken = "import lobster plain.csv --symbol A --venue taken";
    place.run(taken).expect_failure(1, "UX-F001");
    let text = place.run("import lobster plain.csv --symbol A --venue a").expect_success();
    assert!(text.contains("  executions  0\n"), "{text}");
    let users = place.run("user list --venue a").expect_success();
    assert!(users.contains("IMPORT"), "{users}");
}
