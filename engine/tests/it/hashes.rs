//! Everything that decides what is said next is in the state hash.

use std::collections::BTreeMap;

use uncross_engine::{
    command::{Command, DropCopy, EntrySwitch, Refuse, SessionUp, Source, Terms},
    hash::state_hash,
    types::{Capacity, Display, Prevention, Strategy, TimeInForce},
};

use crate::stage::{BUY, IOC, SELL, SESSION, Stage, enter_as, order};

type Change = fn(&mut Stage);
fn with(stage: &mut Stage, change: impl FnOnce(&mut Terms)) {
    enter_as(stage, order(1, 9, BUY, 10, 900), change);
}
fn up(stage: &mut Stage, generation: u16, firm: [u8; 4], grace_ms: Option<u32>) {
    let source = Source { port: 3, generation, channel: 0 };
    stage.say(&Command::SessionUp(SessionUp { source, firm, session: SESSION, grace_ms }));
}
fn switch(stage: &mut Stage, firm: [u8; 4]) {
    let source = Source { port: 1, generation: 1, channel: 0 };
    let is_enabled = Ok(false);
    let switch = EntrySwitch { source, user_ref_num: 9, firm, is_enabled };
    stage.say(&Command::EntrySwitch(switch));
}
fn refuse(stage: &mut Stage, channel: u8, user_ref_num: u32) {
    let source = Source { port: 1, generation: 1, channel };
    let client_order_id = [b' '; 14];
    let refuse = Refuse { source, user_ref_num, reason: 1, client_order_id };
    stage.say(&Command::Refuse(refuse));
}
fn copy(stage: &mut Stage, firm: [u8; 4], turns: &[bool]) {
    for &is_on in turns {
        stage.say(&Command::DropCopy(DropCopy { firm, is_on }));
    }
    // As many commands for each, since their number is part of the hash.
    for _ in turns.len()..2 {
        stage.say(&Command::Tick);
    }
}

/// What is changed, each by itself.
const CHANGES: &[(&str, Change)] = &[
    ("nothing", |stage| drop(stage.say(&Command::Tick))),
    ("an order", |stage| with(stage, |_| {})),
    ("its capacity", |stage| with(stage, |it| it.capacity = Capacity::Other)),
    ("its display", |stage| with(stage, |it| it.display = Display::Attributable)),
    ("hidden", |stage| with(stage, |it| it.display = Display::Hidden)),
    ("its group", |stage| with(stage, |it| it.group = 7)),
    ("its life", |stage| with(stage, |it| it.time_in_force = TimeInForce::GoodTillCancel)),
    ("its time", |stage| {
        with(stage, |it| (it.time_in_force, it.expire_s) = (TimeInForce::UntilTime, 5));
    }),
    ("another time", |stage| {
        with(stage, |it| (it.time_in_force, it.expire_s) = (TimeInForce::UntilTime, 6));
    }),
    ("a firm", |stage| up(stage, 0, *b"AAAA", None)),
    ("another firm", |stage| up(stage, 0, *b"BBBB", None)),
    ("a generation", |stage| up(stage, 1, *b"AAAA", None)),
    ("a grace", |stage| up(stage, 1, *b"AAAA", Some(5))),
    ("another grace", |stage| up(stage, 1, *b"AAAA", Some(6))),
    ("a port disabled", |stage| switch(stage, [b' '; 4])),
    ("a firm disabled", |stage| switch(stage, *b"FIRM")),
    ("a firm copied", |stage| copy(stage, *b"FIRM", &[true])),
    ("another firm copied", |stage| copy(stage, *b"ELSE", &[true])),
    ("a firm copied no more", |stage| copy(stage, *b"FIRM", &[true, false])),
    ("a number", |stage| refuse(stage, 0, 9)),
    ("another number", |stage| refuse(stage, 0, 10)),
    ("a number of a channel", |stage| refuse(stage, 3, 9)),
    ("a trade", |stage| drop(stage.ioc(2, 9, SELL, 1, 1_000))),
    ("a decrement", |stage| {
        let prevent = |it: &mut Terms| {
            it.time_in_force = IOC;
            let (strategy, code) = (Strategy::Decrement, b'D');
            it.prevention = Some(Prevention { strategy, code });
        };
        enter_as(stage, order(2, 9, SELL, 1, 1_000), prevent);
    }),
    ("a reduction", |stage| drop(stage.cancel(1, 1, 9))),
];

#[test]
fn each_part_of_the_state_changes_the_state_hash() {
    let mut hashes = BTreeMap::new();
    for (name, change) in CHANGES {
        let mut stage = Stage::new();
        stage.enter(1, 1, BUY, 10, 1_000);
        change(&mut stage);
        if let Some(other) = hashes.insert(state_hash(&stage.engine), name) {
            panic!("{name} and {other} have the same hash");
        }
    }
    // When a grace ends is part of it, too.
    let at = |ticks: u32| {
        let mut stage = Stage::new();
        up(&mut stage, 1, *b"AAAA", Some(60_000));
        for tick in 0..3 {
            if tick == ticks {
                let source = Source { port: 3, generation: 1, channel: 0 };
                stage.say(&Command::SessionDown(source));
            } else {
                stage.say(&Command::Tick);
            }
        }
        state_hash(&stage.engine)
    };
    assert_ne!(at(0), at(1));
}

#[test]
fn the_same_commands_give_the_same_state_hash_and_another_one_does_not() {
    let run = |last: u32| {
        let mut stage = Stage::new();
        stage.enter(1, 1, BUY, 10, 1_000);
        stage.enter(2, 1, SELL, last, 1_000);
        state_hash(&stage.engine)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
