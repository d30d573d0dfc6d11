//! Rule 28: which firms' reports are copied, when their streams begin and end, whose a port is.

use uncross_engine::{
    Engine,
    command::{Command, DropCopy, Epoch, SessionUp, Source},
    copies::CopiesFull,
    limits::COPIED_FIRMS_MAX,
};

use crate::{
    differential::{CAPACITY, apply},
    stage::{SESSION, Stage, day},
};

const FIRM: [u8; 4] = *b"FIRM";

fn copy(stage: &mut Stage, firm: [u8; 4], is_on: bool) -> Vec<String> {
    stage.say(&Command::DropCopy(DropCopy { firm, is_on }))
}

fn up(stage: &mut Stage, port: u16, firm: [u8; 4]) -> Vec<String> {
    let source = Source { port, generation: 7, channel: 0 };
    let up = SessionUp { source, firm, session: SESSION, grace_ms: None };
    stage.say(&Command::SessionUp(up))
}

fn number(count: usize) -> [u8; 4] {
    let text = format!("{count:04}");
    text.into_bytes().try_into().unwrap()
}

#[test]
fn a_stream_of_copies_begins_once_and_ends_once() {
    let mut stage = Stage::new();
    assert_eq!(copy(&mut stage, FIRM, false), [""; 0], "nothing to end");
    assert_eq!(copy(&mut stage, FIRM, true), ["K0 FIRM S"]);
    assert_eq!(copy(&mut stage, FIRM, true), [""; 0], "it is on already");
    assert_eq!(copy(&mut stage, *b"ELSE", true), ["K1 ELSE S"]);
    assert!(stage.engine.copied_firms().eq([FIRM, *b"ELSE"]));
    assert_eq!(copy(&mut stage, FIRM, false), ["K0 FIRM E"]);
    assert_eq!(copy(&mut stage, FIRM, false), [""; 0], "it is off already");
    assert!(stage.engine.copied_firms().eq([*b"ELSE"]));
}

#[test]
fn streams_of_copies_end_and_begin_with_the_day_before_the_feed() {
    let mut stage = Stage::new();
    copy(&mut stage, FIRM, true);
    copy(&mut stage, *b"ELSE", true);
    copy(&mut stage, FIRM, false);
    let events = stage.say(&day(20_001));
    let expected = [
        // The ports' reports of their ends are copied, so the copies end after them.
        "S1 E",
        "S2 E",
        "K1 ELSE E",
        "S0 M",
        "S0 E",
        "S0 C",
        // A firm that was left has given its place away.
        "D20001",
        "K0 ELSE S",
        "S0 O",
        "L1",
        "HT",
        "S0 S",
        "S0 Q",
    ];
    assert_eq!(events, expected);
}

#[test]
fn streams_of_copies_begin_anew_with_an_epoch() {
    let mut stage = Stage::new();
    copy(&mut stage, FIRM, true);
    let session = *b"SESSION002";
    let events = stage.say(&Command::Epoch(Epoch { epoch: 1, session }));
    assert_eq!(events[..3], ["D20000", "K0 FIRM S", "S0 O"]);
}

#[test]
fn a_firm_keeps_its_place_until_the_session_ends() {
    let mut stage = Stage::new();
    copy(&mut stage, FIRM, true);
    copy(&mut stage, FIRM, false);
    // Numbers of its stream go on where they were, so nobody else may have its place.
    assert_eq!(copy(&mut stage, *b"ELSE", true), ["K1 ELSE S"]);
    assert_eq!(copy(&mut stage, FIRM, true), ["K0 FIRM S"]);
}

#[test]
fn a_port_is_told_of_when_its_firm_changes_and_before_its_day_begins() {
    let mut stage = Stage::new();
    assert_eq!(up(&mut stage, 3, FIRM), ["F3 FIRM", "S3 S"]);
    assert_eq!(up(&mut stage, 3, FIRM), [""; 0], "its firm is known");
    assert_eq!(up(&mut stage, 3, *b"ELSE"), ["F3 ELSE"]);
    stage.say(&day(20_001));
    assert_eq!(up(&mut stage, 3, *b"ELSE"), ["S3 S"], "a day does not change whose it is");
}

#[test]
fn before_the_first_day_a_copy_is_noted_and_begins_with_it() {
    let mut engine = Engine::new(CAPACITY);
    let on = Command::DropCopy(DropCopy { firm: FIRM, is_on: true });
    assert!(apply(&mut engine, 1, &on).is_empty());
    assert!(engine.copied_firms().eq([FIRM]));
    assert_eq!(apply(&mut engine, 2, &day(20_000)).len(), 5, "day, copies, O, S, Q");
}

#[test]
fn a_full_table_of_copies_refuses_another_firm_until_the_session_ends() {
    let mut stage = Stage::new();
    for count in 0..COPIED_FIRMS_MAX {
        assert_eq!(copy(&mut stage, number(count), true).len(), 1);
    }
    let full = Err(CopiesFull { firms_max: COPIED_FIRMS_MAX });
    assert_eq!(stage.engine.check_copies(&[FIRM]), full);
    assert_eq!(copy(&mut stage, FIRM, true), [""; 0]);
    assert_eq!(stage.engine.copied_firms().count(), COPIED_FIRMS_MAX);
    copy(&mut stage, number(5), false);
    assert_eq!(stage.engine.check_copies(&[FIRM]), full, "the place is still taken");
    assert_eq!(stage.engine.check_copies(&[number(5)]), Ok(()), "its owner may come back");
    stage.say(&day(20_001));
    assert_eq!(copy(&mut stage, FIRM, true), ["K63 FIRM S"]);
}
