//! Administrative acts: kills, halts, and instruments that come, change and go.

use uncross_engine::{
    Engine,
    admin::ActOutcome,
    command::{Act, Administer, Command, SessionUp, Source, Target},
    event::View,
    instrument::Instrument,
    limits::Capacity,
    types::{Side, TimeInForce},
};

use crate::{
    differential::{CAPACITY, apply},
    flow::instrument,
    stage::{BUY, SELL, SESSION, Stage, day, enter_as, order, short},
};

const FIRM: Target = Target::Firm(*b"FIRM");

fn act(stage: &mut Stage, act: Act) -> Vec<String> {
    stage.say(&Command::Administer(Administer { request: 9, act }))
}

fn kill(stage: &mut Stage, target: Target) -> Vec<String> {
    act(stage, Act::Kill { target, cancels: false })
}

/// A good-till-cancelled order of port 1.
fn carried(stage: &mut Stage, number: u32, qty: u32, px: u32) -> Vec<String> {
    enter_as(stage, order(1, number, BUY, qty, px), |terms| {
        terms.time_in_force = TimeInForce::GoodTillCancel;
    })
}

#[test]
fn a_killed_port_firm_or_venue_enters_and_replaces_nothing_and_may_cancel() {
    for target in [Target::Port(1), FIRM, Target::Venue] {
        let mut stage = Stage::new();
        stage.enter(1, 1, BUY, 10, 1_000);
        assert_eq!(kill(&mut stage, target), ["!9 Done"]);
        assert_eq!(kill(&mut stage, target), ["!9 Unchanged"]);
        assert_eq!(stage.enter(1, 2, BUY, 10, 1_000), ["J2 0x0c"]);
        assert_eq!(stage.replace(1, 1, 3, 5, 1_000), ["J3 0x0c"], "{target:?}");
        assert_eq!(stage.replace(1, 1, 3, 5, 1_000), [""; 0], "the number is used up");
        assert_eq!(stage.modify(1, 1, BUY, 8), ["M1 left 8"]);
        assert_eq!(stage.cancel(1, 1, 0), ["C1 8 U left 0"]);
        let other = stage.enter(2, 1, BUY, 10, 1_000);
        let is_free = target == Target::Port(1);
        assert_eq!(other == ["A1 10@1000 rests"], is_free, "{target:?}: {other:?}");
        assert_eq!(act(&mut stage, Act::Revive(target)), ["!9 Done"]);
        assert_eq!(act(&mut stage, Act::Revive(target)), ["!9 Unchanged"]);
        assert_eq!(stage.enter(1, 4, BUY, 10, 1_000), ["A4 10@1000 rests"]);
    }
}

#[test]
fn a_kill_outlives_logins_days_and_the_owners_own_switch() {
    let mut stage = Stage::new();
    kill(&mut stage, FIRM);
    stage.tell(&day(20_001));
    stage.up(1, 1);
    assert_eq!(stage.enter(1, 1, BUY, 10, 1_000), ["J1 0x0c"]);
    // A port that names the firm only now.
    stage.up(3, 1);
    assert_eq!(stage.enter(3, 1, BUY, 10, 1_000), ["J1 0x0c"]);
    // And one that leaves it.
    let source = Source { port: 3, generation: 1, channel: 0 };
    let up = SessionUp { source, firm: *b"ELSE", session: SESSION, grace_ms: None };
    stage.tell(&Command::SessionUp(up));
    assert_eq!(stage.enter(3, 2, BUY, 10, 1_000), ["A2 10@1000 rests"]);
}

#[test]
fn each_kill_is_revived_on_its_own() {
    let mut stage = Stage::new();
    for target in [Target::Port(1), FIRM, Target::Venue] {
        kill(&mut stage, target);
    }
    assert_eq!(stage.engine.kills(), (true, &[*b"FIRM"][..], &[1][..]));
    for target in [Target::Venue, FIRM] {
        act(&mut stage, Act::Revive(target));
        assert_eq!(stage.enter(1, 9, BUY, 10, 1_000).len(), usize::from(target == Target::Venue));
    }
    assert_eq!(stage.enter(1, 10, BUY, 10, 1_000), ["J10 0x0c"], "the port's own kill stands");
}

#[test]
fn a_kill_that_cancels_ends_what_stands_in_entry_order_and_nothing_of_others() {
    let mut stage = Stage::new();
    let source = Source { port: 3, generation: 1, channel: 0 };
    let up = SessionUp { source, firm: *b"ELSE", session: SESSION, grace_ms: None };
    stage.tell(&Command::SessionUp(up));
    stage.enter(2, 1, BUY, 10, 990);
    stage.enter(1, 1, SELL, 5, 1_010);
    stage.enter(3, 1, BUY, 7, 1_000);
    stage.enter(1, 2, BUY, 3, 1_000);
    let told = act(&mut stage, Act::Kill { target: FIRM, cancels: true });
    assert_eq!(told, ["!9 Done", "C1 10 S left 0", "C1 5 S left 0", "C2 3 S left 0"]);
    assert_eq!(stage.side(Side::Bid), [(1_000, 7, 1)]);
    // Ordered again it cancels what came to stand otherwise: nothing.
    let told = act(&mut stage, Act::Kill { target: FIRM, cancels: true });
    assert_eq!(told, ["!9 Done"]);
}

#[test]
fn a_target_that_cannot_be_is_refused() {
    let mut stage = Stage::new();
    for target in [Target::Port(0), Target::Port(CAPACITY.ports + 1), Target::Firm(*b"    ")] {
        assert_eq!(kill(&mut stage, target), ["!9 UnknownTarget"]);
        assert_eq!(act(&mut stage, Act::Revive(target)), ["!9 UnknownTarget"]);
    }
    assert_eq!(stage.engine.kills(), (false, &[][..], &[][..]));
}

#[test]
fn a_halted_instrument_takes_no_orders_and_lets_cancels_pass() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 1_000);
    assert_eq!(act(&mut stage, Act::Halt(1)), ["!9 Done", "HH"]);
    assert_eq!(act(&mut stage, Act::Halt(1)), ["!9 Unchanged"]);
    assert_eq!(stage.enter(1, 2, SELL, 10, 1_000), ["J2 0x07"]);
    assert_eq!(stage.replace(1, 1, 3, 0, 0), ["J3 0x07"], "also with values that are invalid");
    assert_eq!(stage.side(Side::Bid), [(1_000, 10, 1)]);
    assert_eq!(stage.cancel(1, 1, 4), ["C1 6 U left 4"]);
    assert_eq!(act(&mut stage, Act::Resume(1)), ["!9 Done", "HT"]);
    assert_eq!(stage.enter(1, 4, SELL, 4, 1_000), ["A4 4@1000", "E1/4 4@1000"]);
    assert_eq!(act(&mut stage, Act::Halt(7)), ["!9 UnknownInstrument"]);
}

#[test]
fn a_halt_outlives_the_day() {
    let mut stage = Stage::new();
    act(&mut stage, Act::Halt(1));
    let told = stage.say(&day(20_001));
    assert!(told.windows(2).any(|pair| pair == ["L1", "HH"]), "{told:?}");
    stage.up(1, 1);
    assert_eq!(stage.enter(1, 1, BUY, 1, 1_000), ["J1 0x07"]);
}

#[test]
fn an_instrument_added_during_the_day_gets_the_next_locate_code() {
    let mut stage = Stage::new();
    assert_eq!(act(&mut stage, Act::List(instrument(2))), ["!9 Done", "L2", "HT"]);
    assert_eq!(act(&mut stage, Act::List(instrument(2))), ["!9 Unchanged"]);
    let mut enter = order(1, 1, BUY, 10, 1_000);
    enter.instrument = 2;
    assert_eq!(stage.say(&Command::Enter(enter)), ["A1 10@1000 rests"]);
}

#[test]
fn a_removed_instrument_is_halted_and_emptied_and_gone_the_next_day() {
    let mut stage = Stage::new();
    stage.tell(&Command::Define(instrument(2)));
    stage.enter(1, 1, BUY, 10, 1_000);
    carried(&mut stage, 2, 5, 990);
    let told = act(&mut stage, Act::Remove(1));
    assert_eq!(told, ["!9 Done", "HH", "C1 10 S left 0", "C2 5 S left 0"]);
    assert_eq!(stage.enter(1, 3, BUY, 10, 1_000), ["J3 0x17"]);
    assert_eq!(act(&mut stage, Act::Remove(1)), ["!9 Unchanged"]);
    assert_eq!(act(&mut stage, Act::Remove(7)), ["!9 UnknownInstrument"]);
    // Listed again the same day it has another locate code.
    assert_eq!(act(&mut stage, Act::List(instrument(1))), ["!9 Done", "L3", "HT"]);
    act(&mut stage, Act::Remove(1));
    let told = stage.say(&day(20_001));
    let listed: Vec<_> = told.iter().filter(|word| word.starts_with('L')).collect();
    assert_eq!(listed, ["L1"], "instrument 2 alone");
}

#[test]
fn a_full_table_has_room_again_the_day_after_a_removal() {
    let mut stage = Stage::with(Capacity { instruments: 2, ..CAPACITY });
    act(&mut stage, Act::List(instrument(2)));
    assert_eq!(act(&mut stage, Act::List(instrument(3))), ["!9 Full"]);
    act(&mut stage, Act::Remove(1));
    assert_eq!(act(&mut stage, Act::List(instrument(3))), ["!9 Full"], "its locate code is taken");
    stage.tell(&day(20_001));
    assert_eq!(act(&mut stage, Act::List(instrument(3))), ["!9 Done", "L2", "HT"]);
}

#[test]
fn id_and_symbol_belong_together_for_ever() {
    let mut stage = Stage::new();
    act(&mut stage, Act::Remove(1));
    stage.tell(&day(20_001));
    let renamed = Instrument { symbol: *b"OTHER   ", ..instrument(1) };
    assert_eq!(act(&mut stage, Act::List(renamed)), ["!9 IdTaken"]);
    let moved = Instrument { id: 2, ..instrument(1) };
    assert_eq!(act(&mut stage, Act::List(moved)), ["!9 SymbolTaken"]);
    let impossible = Instrument { lot: 0, ..instrument(2) };
    assert_eq!(act(&mut stage, Act::List(impossible)), ["!9 InvalidInstrument"]);
    assert_eq!(act(&mut stage, Act::List(instrument(1))), ["!9 Done", "L1", "HT"]);
}

#[test]
fn a_change_waits_for_the_day_and_cancels_first_what_no_longer_conforms() {
    let mut stage = Stage::new();
    carried(&mut stage, 1, 10, 1_000);
    carried(&mut stage, 2, 10, 995);
    carried(&mut stage, 3, 7, 1_000);
    stage.enter(1, 4, BUY, 10, 1_000);
    let changed = Instrument { tick: 10, lot: 5, qty_min: 5, qty_max: 999_995, ..instrument(1) };
    assert_eq!(act(&mut stage, Act::List(changed)), ["!9 Scheduled"]);
    assert_eq!(act(&mut stage, Act::List(changed)), ["!9 Unchanged"]);
    assert_eq!(stage.enter(1, 5, SELL, 1, 1_995), ["A5 1@1995 rests"], "today all is as it was");
    let told = stage.say(&day(20_001));
    assert_eq!(
        told[..4],
        ["C2 10 S left 0", "C3 7 S left 0", "C4 10 E left 0", "C5 1 E left 0"],
        "entry order, before the ports are closed: {told:?}"
    );
    assert_eq!(stage.side(Side::Bid), [(1_000, 10, 0)]);
    stage.up(1, 1);
    assert_eq!(stage.enter(1, 1, BUY, 5, 1_005), ["J1 0x1d"]);
    assert_eq!(stage.enter(1, 2, SELL, 5, 1_000), ["A2 5@1000", "E0/2 5@1000"]);
}

#[test]
fn a_change_can_be_taken_back() {
    let mut stage = Stage::new();
    act(&mut stage, Act::List(Instrument { tick: 10, ..instrument(1) }));
    assert_eq!(act(&mut stage, Act::List(instrument(1))), ["!9 Done"]);
    carried(&mut stage, 1, 10, 995);
    stage.tell(&day(20_001));
    assert_eq!(stage.side(Side::Bid), [(995, 10, 0)]);
}

#[test]
fn a_queue_keeps_its_order_over_a_change_of_the_tick() {
    for tick in [1, 1_000] {
        let mut stage = Stage::new();
        for number in 1..=3 {
            carried(&mut stage, number, 10 * number, 1_000);
        }
        stage.modify(1, 1, BUY, 4);
        act(&mut stage, Act::List(Instrument { tick, ..instrument(1) }));
        stage.tell(&day(20_001));
        assert_eq!(stage.side(Side::Bid), [(1_000, 4, 0), (1_000, 20, 0), (1_000, 30, 0)]);
    }
}

#[test]
fn under_other_decimals_nothing_stands_on_and_the_reference_price_is_the_new_one() {
    let mut stage = Stage::new();
    stage.enter(2, 1, SELL, 1, 1_000);
    stage.enter(1, 1, BUY, 1, 1_000);
    carried(&mut stage, 2, 10, 1_000);
    let changed = Instrument { price_decimals: 2, reference_px: 50, ..instrument(1) };
    act(&mut stage, Act::List(changed));
    assert_eq!(stage.engine.reference_px(1), 1_000);
    let told = stage.say(&day(20_001));
    assert_eq!(told[0], "C2 10 S left 0");
    assert_eq!(stage.engine.reference_px(1), 50);
}

#[test]
fn a_finer_tick_for_which_memory_is_missing_ends_what_has_no_place() {
    // 40 prices in a few nodes; a thousand times as far apart in ticks they need one each.
    let mut stage = Stage::with(Capacity { nodes: 12, ..CAPACITY });
    let coarse = Instrument { tick: 10_000, ..instrument(2) };
    stage.tell(&Command::Define(coarse));
    for number in 1..=40 {
        let mut enter = order(1, number, BUY, 1, number * 10_000);
        enter.instrument = 2;
        enter_as(&mut stage, enter, |terms| terms.time_in_force = TimeInForce::GoodTillCancel);
    }
    assert_eq!(stage.engine.resting(2, Side::Bid).count(), 40);
    act(&mut stage, Act::List(Instrument { tick: 1, ..coarse }));
    let events = stage.tell(&day(20_001));
    let numbers = events.iter().filter_map(|it| match it.view() {
        View::Canceled(canceled) => Some(canceled.head.user_ref_num),
        _ => None,
    });
    let numbers: Vec<u32> = numbers.collect();
    assert!(numbers.iter().all(|&number| 0 < number), "ended under their numbers: {numbers:?}");
    let ended = numbers.len();
    let left = stage.engine.resting(2, Side::Bid).count();
    assert_eq!(ended + left, 40);
    assert!(0 < ended && 0 < left, "{ended} ended, {left} left");
}

#[test]
fn a_change_of_the_tick_with_all_levels_taken_keeps_what_has_a_level() {
    let mut stage = Stage::with(Capacity { levels: 3, ..CAPACITY });
    stage.tell(&Command::Define(instrument(2)));
    for (number, px) in [(1, 1_000), (2, 990), (3, 1_000), (4, 1_000)] {
        carried(&mut stage, number, 10, px);
    }
    let mut enter = order(1, 5, BUY, 10, 1_000);
    enter.instrument = 2;
    enter_as(&mut stage, enter, |terms| terms.time_in_force = TimeInForce::GoodTillCancel);
    act(&mut stage, Act::List(Instrument { tick: 10, ..instrument(1) }));
    stage.tell(&day(20_001));
    assert_eq!(stage.side(Side::Bid).len(), 4);
    assert_eq!(stage.engine.resting(2, Side::Bid).count(), 1);
}

#[test]
fn a_change_before_the_first_day_is_done_at_once() {
    let mut engine = Engine::new(CAPACITY);
    for (seq, instrument) in [(1, instrument(1)), (2, Instrument { tick: 7, ..instrument(1) })] {
        let act = Act::List(instrument);
        let told = apply(&mut engine, seq, &Command::Administer(Administer { request: 9, act }));
        assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["!9 Done"]);
    }
    assert_eq!(engine.instruments().map(|it| it.tick).collect::<Vec<_>>(), [7]);
}

#[test]
fn the_outcome_names_request_and_sequence_number() {
    let mut stage = Stage::new();
    let told = stage.tell(&Command::Administer(Administer { request: 77, act: Act::Halt(1) }));
    let View::Administered(first) = told[0].view() else { panic!("{told:?}") };
    assert_eq!((first.request, first.seq), (77, stage.seq));
    assert_eq!(first.outcome(), ActOutcome::Done);
}
