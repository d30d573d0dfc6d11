//! `uncross bench`: what it writes it can run, and what is no command file is refused.

use std::fs;

use crate::program::Place;

#[test]
fn command_file_that_was_written_runs_and_agrees() {
    let place = Place::empty();
    let written = place.run("bench core --quick --workload d --write d.bin --json");
    let written = written.expect_json("uncross.bench.written/1");
    let ran = place.run("bench core --commands d.bin --json");
    let ran = ran.expect_json("uncross.bench.commands/1");
    assert_eq!(ran.value("agree_naive"), true);
    assert_eq!(ran.value("agree_file"), true);
    for field in ["trades", "quantity", "checksum"] {
        assert_eq!(ran.text(field), written.text(field), "{field}");
    }
    assert!(0.0 < ran.value("ns").as_f64().unwrap());
}

#[test]
fn what_is_no_command_file_is_refused_with_place_expectation_and_finding() {
    let place = Place::empty();
    place.run("bench core --quick --workload d --write d.bin").expect_success();
    let mut bytes = fs::read(place.path("d.bin")).unwrap();
    bytes[120] = 9;
    fs::write(place.path("d.bin"), &bytes).unwrap();
    let said = place.run("bench core --commands d.bin").expect_failure(6, "UX-B001");
    assert!(said.contains("record 0 (from 0), op: expected 0..=3, found 9"), "{said}");
    bytes[120] = 0;
    bytes[48] ^= 1;
    fs::write(place.path("d.bin"), &bytes).unwrap();
    let run = place.run("bench core --commands d.bin");
    assert!(run.stderr.contains("UX-B002") && run.stdout.contains("uncross"), "{run:?}");
    place.run("bench core --commands nothing.bin").expect_failure(1, "UX-F002");
}

#[test]
fn the_journal_is_measured_in_the_folder_that_is_named() {
    let place = Place::empty();
    place.run("bench journal --quick --dir . --json").expect_json("uncross.bench.journal/1");
    place.run("bench recovery --quick --dir . --json").expect_json("uncross.bench.recovery/1");
    let beside = "bench beside --quick --rate 4000 --level async --dir . --json";
    place.run(beside).expect_json("uncross.bench.beside/1");
    place.run("bench beside --quick --dir nowhere").expect_failure(1, "UX-F003");
    place.run("bench recovery --quick --dir nowhere").expect_failure(1, "UX-F003");
    place.run("bench journal --quick --dir nowhere").expect_failure(1, "UX-F003");
}
