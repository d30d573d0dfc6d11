//! The rules of docs/matching.md, one test each: commands in, whole event list out.

use uncross_engine::{
    command::{
        Command, Enter, EntrySwitch, MassCancel, Refuse, Replace, Scope, SessionUp, Source, Terms,
    },
    event::View,
    limits,
    types::{Action, Price, Side, TimeInForce},
};

use crate::{
    differential::{CAPACITY, STEP_NS},
    flow::instrument,
    stage::{BUY, IOC, SELL, SESSION, Stage, day, enter_as, order},
};

#[test]
fn trades_happen_at_the_makers_price() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    assert_eq!(stage.enter(2, 1, BUY, 4, 1_005), ["A1 4@1005", "E1/1 4@1000"]);
    stage.enter(2, 2, BUY, 6, 900);
    assert_eq!(stage.enter(1, 2, SELL, 6, 895), ["A2 6@895", "E2/2 6@900"]);
}

#[test]
fn a_level_is_first_in_first_out_over_partial_fills() {
    let mut stage = Stage::new();
    for number in 1..=3 {
        stage.enter(1, number, SELL, 10, 1_000);
    }
    stage.enter(2, 1, BUY, 5, 1_000);
    let events = stage.enter(2, 2, BUY, 20, 1_000);
    assert_eq!(events, ["A2 20@1000", "E1/2 5@1000", "E2/2 10@1000", "E3/2 5@1000"]);
    assert_eq!(stage.side(Side::Ask), [(1_000, 5, 3)]);
}

#[test]
fn a_reduction_keeps_priority_and_a_replace_loses_it_even_unchanged() {
    let mut stage = Stage::new();
    for number in 1..=3 {
        stage.enter(1, number, BUY, 10, 1_000);
    }
    assert_eq!(stage.cancel(1, 1, 4), ["C1 6 U left 4"]);
    assert_eq!(stage.modify(1, 2, BUY, 7), ["M2 left 7"]);
    assert_eq!(stage.side(Side::Bid), [(1_000, 4, 1), (1_000, 7, 2), (1_000, 10, 3)]);
    assert_eq!(stage.replace(1, 1, 4, 4, 1_000), ["U1>4 4@1000 rests"]);
    assert_eq!(stage.side(Side::Bid), [(1_000, 7, 2), (1_000, 10, 3), (1_000, 4, 4)]);
}

#[test]
fn the_next_level_is_best_after_the_best_empties_in_any_way() {
    const ALL: Scope = Scope { instrument: Some(1), action: None };
    const MINUTE_S: u32 = 60;
    // What ends the order of port 1, and no other one.
    type Empties = (&'static str, fn(&mut Stage));
    let empties: [Empties; 6] = [
        ("fill", |stage| drop(stage.ioc(2, 9, SELL, 10, 1_000))),
        ("cancel", |stage| drop(stage.cancel(1, 1, 0))),
        ("modify", |stage| drop(stage.modify(1, 1, BUY, 0))),
        ("replace", |stage| drop(stage.replace(1, 1, 3, 10, 900))),
        ("mass cancel", |stage| drop(stage.say(&mass_cancel(9, *b"    ", ALL)))),
        ("expiry", |stage| {
            stage.seq += u64::from(MINUTE_S) * 1_000_000_000 / STEP_NS;
            stage.say(&Command::Tick);
        }),
    ];
    for time_in_force in [TimeInForce::Day, TimeInForce::UntilTime] {
        for (name, empty) in empties {
            if name == "expiry" && time_in_force == TimeInForce::Day {
                continue;
            }
            let mut stage = Stage::new();
            enter_as(&mut stage, order(1, 1, BUY, 10, 1_000), |terms| {
                (terms.time_in_force, terms.expire_s) = (time_in_force, MINUTE_S);
            });
            stage.enter(2, 1, BUY, 10, 950);
            empty(&mut stage);
            let best = stage.engine.best(1)[0].map(Price::raw);
            assert_eq!(best, Some(950), "{time_in_force:?}, {name}");
            let events = stage.ioc(2, 10, SELL, 10, 950);
            assert_eq!(events, ["A10 10@950", "E1/10 10@950"], "{time_in_force:?}, {name}");
        }
    }
}

#[test]
fn a_sweep_takes_levels_best_first_to_an_exact_short_and_excess_quantity() {
    for (qty, last) in [(30, None), (29, None), (31, Some("R1 1@1020"))] {
        let mut stage = Stage::new();
        for (number, px) in [(1, 1_010), (2, 1_000), (3, 1_005)] {
            stage.enter(1, number, SELL, 10, px);
        }
        let mut expected =
            vec![format!("A1 {qty}@1020"), "E2/1 10@1000".into(), "E3/1 10@1005".into()];
        expected.push(format!("E1/1 {}@1010", (qty - 20).min(10)));
        expected.extend(last.map(str::to_owned));
        assert_eq!(stage.enter(2, 1, BUY, qty, 1_020), expected);
    }
}

#[test]
fn a_sweep_stops_at_its_limit() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    stage.enter(1, 2, SELL, 10, 1_010);
    let events = stage.enter(2, 1, BUY, 30, 1_005);
    assert_eq!(events, ["A1 30@1005", "E1/1 10@1000", "R1 20@1005"]);
    assert_eq!(stage.side(Side::Ask), [(1_010, 10, 2)]);
}

#[test]
fn an_ioc_is_dead_at_once_without_a_match_and_loses_its_remainder_with_one() {
    let mut stage = Stage::new();
    assert_eq!(stage.ioc(2, 1, BUY, 5, 1_000), ["A1 5@1000 dead"]);
    stage.enter(1, 1, SELL, 3, 1_000);
    let events = stage.ioc(2, 2, BUY, 5, 1_000);
    assert_eq!(events, ["A2 5@1000", "E1/2 3@1000", "C2 2 I left 0"]);
    assert_eq!(stage.side(Side::Bid), []);
}

#[test]
fn a_minimum_quantity_is_met_at_once_or_nothing_happens() {
    let fill_or_kill = |terms: &mut Terms| (terms.time_in_force, terms.min_qty) = (IOC, 20);
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    stage.enter(1, 2, SELL, 9, 1_005);
    stage.enter(1, 3, SELL, 50, 1_010);
    let dead = enter_as(&mut stage, order(2, 1, BUY, 20, 1_005), fill_or_kill);
    assert_eq!(dead, ["A1 20@1005 dead"], "one too few, and enough only beyond the limit");
    assert_eq!(stage.side(Side::Ask), [(1_000, 10, 1), (1_005, 9, 2), (1_010, 50, 3)]);
    stage.enter(1, 4, SELL, 1, 1_005);
    let filled = enter_as(&mut stage, order(2, 2, BUY, 20, 1_005), fill_or_kill);
    assert_eq!(filled, ["A2 20@1005", "E1/2 10@1000", "E2/2 9@1005", "E4/2 1@1005"]);
    let part = enter_as(&mut stage, order(2, 3, BUY, 60, 1_010), fill_or_kill);
    assert_eq!(part, ["A3 60@1010", "E3/3 50@1010", "C3 10 I left 0"]);
}

#[test]
fn a_minimum_quantity_above_the_quantity_or_on_a_day_order_is_refused() {
    let mut stage = Stage::new();
    let ioc = |terms: &mut Terms| (terms.time_in_force, terms.min_qty) = (IOC, 6);
    assert_eq!(enter_as(&mut stage, order(1, 1, BUY, 5, 1_000), ioc), ["J1 0x0d"]);
    let day = |terms: &mut Terms| terms.min_qty = 1;
    assert_eq!(enter_as(&mut stage, order(1, 2, BUY, 5, 1_000), day), ["J2 0x0d"]);
}

#[test]
fn orders_expire_at_their_very_nanosecond_by_expiry_and_then_entry() {
    // The commands of a stage are a tenth of a second apart.
    let one_second =
        |terms: &mut Terms| (terms.time_in_force, terms.expire_s) = (TimeInForce::UntilTime, 1);
    let two_seconds =
        |terms: &mut Terms| (terms.time_in_force, terms.expire_s) = (TimeInForce::UntilTime, 2);
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, BUY, 5, 900), two_seconds);
    let first = stage.seq;
    enter_as(&mut stage, order(2, 1, BUY, 5, 905), one_second);
    enter_as(&mut stage, order(1, 2, BUY, 5, 910), one_second);
    stage.enter(1, 3, BUY, 5, 915);
    assert_eq!(stage.engine.due_ns(), Some((first + 11) * STEP_NS));
    while stage.seq < first + 10 {
        assert_eq!(stage.say(&Command::Tick), [""; 0]);
    }
    assert_eq!(stage.say(&Command::Tick), ["C1 5 T left 0"]);
    assert_eq!(stage.say(&Command::Tick), ["C2 5 T left 0"]);
    // A replace sets the time anew, or takes it away.
    stage.replace(1, 1, 4, 5, 900);
    assert_eq!(stage.engine.due_ns(), None);
    assert_eq!(stage.side(Side::Bid), [(915, 5, 3), (900, 5, 4)]);
}

#[test]
fn orders_due_together_expire_in_entry_order_before_what_comes_later() {
    let short =
        |terms: &mut Terms| (terms.time_in_force, terms.expire_s) = (TimeInForce::UntilTime, 1);
    let mut stage = Stage::new();
    for (port, number) in [(2, 1), (1, 1), (2, 2)] {
        enter_as(&mut stage, order(port, number, BUY, 5, 900), short);
    }
    stage.seq += 100;
    let events = stage.say(&Command::Tick);
    assert_eq!(events, ["C1 5 T left 0", "C1 5 T left 0", "C2 5 T left 0"]);
    assert_eq!(stage.side(Side::Bid), []);
}

#[test]
fn a_post_only_order_rests_or_is_cancelled() {
    let post_only = |terms: &mut Terms| terms.post_only = true;
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    for (number, px) in [(1, 1_000), (2, 1_005)] {
        let yields = enter_as(&mut stage, order(2, number, BUY, 5, px), post_only);
        assert_eq!(yields, [format!("A{number} 5@{px}"), format!("C{number} 5 G left 0")]);
    }
    let rests = enter_as(&mut stage, order(2, 3, BUY, 5, 995), post_only);
    assert_eq!(rests, ["A3 5@995 rests"]);
    assert_eq!(stage.side(Side::Ask), [(1_000, 10, 1)]);
    assert_eq!(stage.side(Side::Bid), [(995, 5, 3)]);
}

#[test]
fn a_replace_counts_what_the_chain_has_executed() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 1_000);
    stage.ioc(2, 1, SELL, 4, 1_000);
    assert_eq!(stage.replace(1, 1, 2, 10, 1_000), ["U1>2 6@1000 rests"]);
    stage.ioc(2, 2, SELL, 1, 1_000);
    assert_eq!(stage.cancel(1, 2, 7), ["C2 3 U left 2"]);
    assert_eq!(stage.replace(1, 2, 3, 5, 1_000), ["U2>3 0@1000 dead"]);
    assert_eq!(stage.side(Side::Bid), []);
}

#[test]
fn a_crossing_replace_trades() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 1_000);
    stage.enter(2, 1, SELL, 4, 1_010);
    let events = stage.replace(1, 1, 2, 10, 1_010);
    assert_eq!(events, ["U1>2 10@1010", "E1/2 4@1010", "R2 6@1010"]);
}

#[test]
fn a_cancel_that_reduces_nothing_and_a_modify_upward_are_ignored() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    assert_eq!(stage.cancel(1, 1, 10), [""; 0]);
    assert_eq!(stage.cancel(1, 1, 11), [""; 0]);
    assert_eq!(stage.modify(1, 1, SELL, 11), [""; 0]);
    stage.ioc(2, 1, BUY, 6, 1_000);
    assert_eq!(stage.cancel(1, 1, 10), [""; 0]);
    assert_eq!(stage.cancel(1, 1, 5), ["C1 4 U left 0"], "less than executed ends it");
}

#[test]
fn a_modify_changes_the_side_among_sells_only() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 10, 1_000);
    assert_eq!(stage.modify(1, 1, Action::SellShort, 10), ["M1 left 10"]);
    assert_eq!(stage.modify(1, 1, Action::SellShortExempt, 8), ["M1 left 8"]);
    assert_eq!(stage.modify(1, 1, BUY, 8), ["I1"]);
    stage.enter(1, 2, BUY, 10, 900);
    assert_eq!(stage.modify(1, 2, SELL, 10), ["I2"]);
}

#[test]
fn orders_of_other_ports_dead_ones_and_unknown_ones_cannot_be_touched() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 1_000);
    stage.enter(1, 2, BUY, 10, 1_000);
    stage.cancel(1, 2, 0);
    for (port, number) in [(2, 1), (1, 2), (1, 3)] {
        assert_eq!(stage.cancel(port, number, 0), [""; 0]);
        assert_eq!(stage.modify(port, number, BUY, 0), [""; 0]);
        assert_eq!(stage.replace(port, number, 9, 5, 1_000), [""; 0]);
    }
    assert_eq!(stage.side(Side::Bid), [(1_000, 10, 1)]);
    let source = Source { port: 1, generation: 1, channel: 0 };
    assert_eq!(stage.say(&Command::AccountQuery(source)), ["Q3"], "no number was consumed");
}

#[test]
fn a_login_to_a_session_that_ended_meanwhile_is_void() {
    let mut stage = Stage::new();
    let source = Source { port: 1, generation: 2, channel: 0 };
    let late = SessionUp { source, firm: *b"FIRM", session: *b"SESSION000", grace_ms: None };
    assert_eq!(stage.say(&Command::SessionUp(late)), [""; 0]);
    let mut enter = order(1, 1, BUY, 1, 1_000);
    enter.source = source;
    assert_eq!(stage.say(&Command::Enter(enter)), [""; 0]);
}

#[test]
fn numbers_at_or_below_the_highest_are_ignored_and_wild_ones_not_consumed() {
    let mut stage = Stage::new();
    stage.enter(1, 5, BUY, 1, 1_000);
    assert_eq!(stage.enter(1, 5, BUY, 1, 1_000), [""; 0]);
    assert_eq!(stage.enter(1, 4, BUY, 1, 1_000), [""; 0]);
    assert_eq!(stage.enter(1, 6 + (1 << 24), BUY, 1, 1_000), ["J16777222 0x0f"]);
    assert_eq!(stage.enter(1, 5 + (1 << 24), BUY, 1, 1_000), ["A16777221 1@1000 rests"]);
}

#[test]
fn a_rejected_order_consumes_its_number() {
    let mut stage = Stage::new();
    assert_eq!(stage.enter(1, 1, BUY, 0, 1_000), ["J1 0x13"]);
    assert_eq!(stage.enter(1, 1, BUY, 1, 1_000), [""; 0]);
}

#[test]
fn a_refusal_of_the_door_consumes_its_number_like_an_order() {
    let mut stage = Stage::new();
    let source = Source { port: 1, generation: 1, channel: 0 };
    let (reason, client_order_id) = (0x29, *b"              ");
    let refuse =
        |user_ref_num| Command::Refuse(Refuse { source, user_ref_num, reason, client_order_id });
    assert_eq!(stage.say(&refuse(3)), ["J3 0x29"]);
    assert_eq!(stage.say(&refuse(3)), [""; 0]);
    assert_eq!(stage.enter(1, 3, BUY, 1, 1_000), [""; 0]);
}

/// A mass cancel by port 1 with this number.
fn mass_cancel(number: u32, firm: [u8; 4], scope: Scope) -> Command<'static> {
    let source = Source { port: 1, generation: 1, channel: 0 };
    let (user_ref_num, symbol, scope) = (number, [b' '; 8], Ok(scope));
    Command::MassCancel(MassCancel { source, user_ref_num, firm, symbol, scope })
}

#[test]
fn a_mass_cancel_ends_what_it_names_in_entry_order() {
    const ALL: Scope = Scope { instrument: None, action: None };
    let stage = || {
        let mut stage = Stage::new();
        stage.tell(&Command::Define(instrument(2)));
        stage.enter(1, 1, BUY, 5, 905);
        stage.enter(2, 1, BUY, 5, 900);
        stage.enter(1, 2, SELL, 5, 1_000);
        let mut other = order(1, 3, SELL, 5, 1_000);
        other.instrument = 2;
        stage.say(&Command::Enter(other));
        stage
    };
    let port = stage().say(&mass_cancel(9, *b"    ", ALL));
    assert_eq!(port, ["X9", "C1 5 U left 0", "C2 5 U left 0", "C3 5 U left 0"]);
    let firm = stage().say(&mass_cancel(9, *b"FIRM", ALL));
    assert_eq!(firm, ["X9", "C1 5 U left 0", "C1 5 U left 0", "C2 5 U left 0", "C3 5 U left 0"]);
    let side = Scope { instrument: None, action: Some(SELL) };
    let side = stage().say(&mass_cancel(9, *b"    ", side));
    assert_eq!(side, ["X9", "C2 5 U left 0", "C3 5 U left 0"]);
    let symbol = Scope { instrument: Some(2), action: None };
    assert_eq!(stage().say(&mass_cancel(9, *b"    ", symbol)), ["X9", "C3 5 U left 0"]);
    let mut stage = stage();
    assert_eq!(stage.say(&mass_cancel(9, *b"ELSE", ALL)), ["J9 0x0c"]);
    assert_eq!(stage.say(&mass_cancel(9, *b"    ", ALL)), [""; 0], "the number is used");
}

#[test]
fn disabled_entry_refuses_orders_and_replaces_and_lets_cancels_pass() {
    let mut stage = Stage::new();
    let source = Source { port: 1, generation: 1, channel: 0 };
    let switch = |user_ref_num, is_enabled| {
        let (firm, is_enabled) = (*b"FIRM", Ok(is_enabled));
        Command::EntrySwitch(EntrySwitch { source, user_ref_num, firm, is_enabled })
    };
    stage.enter(2, 1, BUY, 5, 900);
    assert_eq!(stage.say(&switch(1, false)), ["G1"]);
    assert_eq!(stage.enter(1, 2, BUY, 5, 900), ["J2 0x0c"]);
    assert_eq!(stage.enter(2, 2, BUY, 5, 900), ["J2 0x0c"], "the whole firm is disabled");
    assert_eq!(stage.replace(2, 1, 3, 4, 900), ["J3 0x0c"]);
    assert_eq!(stage.cancel(2, 1, 3), ["C1 2 U left 3"], "the old order stands");
    assert_eq!(stage.say(&switch(3, true)), ["K3"]);
    assert_eq!(stage.replace(2, 1, 4, 4, 900), ["U1>4 4@900 rests"]);
}

#[test]
fn the_ends_of_the_price_and_quantity_ranges_trade() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 999_999, 5);
    stage.enter(1, 2, SELL, 999_999, 1_999_999_900);
    stage.enter(1, 3, BUY, 1, 1_000_000_000);
    let events = stage.enter(2, 1, SELL, 999_999, 5);
    assert_eq!(events, ["A1 999999@5", "E3/1 1@1000000000", "E1/1 999998@5"]);
    let events = stage.ioc(2, 2, BUY, 999_999, 1_999_999_900);
    assert_eq!(events, ["A2 999999@1999999900", "E2/2 999999@1999999900"]);
}

#[test]
fn commands_of_an_older_connection_are_dropped() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 1, 1_000);
    assert_eq!(stage.up(1, 2), [""; 0], "the day has begun for this port already");
    assert_eq!(stage.enter(1, 2, BUY, 1, 1_000), [""; 0]);
    assert_eq!(stage.cancel(1, 1, 0), [""; 0]);
    stage.tell(&Command::SessionDown(Source { port: 1, generation: 1, channel: 0 }));
    let mut late = order(1, 2, BUY, 1, 1_000);
    late.source.generation = 2;
    assert_eq!(stage.say(&Command::Enter(late)), ["A2 1@1000 rests"], "an old down is dropped too");
    stage.tell(&Command::SessionDown(Source { port: 1, generation: 2, channel: 0 }));
    late.user_ref_num = 3;
    assert_eq!(stage.say(&Command::Enter(late)), [""; 0]);
}

#[test]
fn a_new_day_ends_orders_in_entry_order_and_restarts_every_counter() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 900);
    stage.enter(2, 1, SELL, 10, 1_000);
    stage.enter(1, 2, BUY, 5, 950);
    stage.ioc(2, 2, SELL, 1, 950);
    stage.replace(1, 1, 3, 10, 800);
    let events = stage.say(&day(20_001));
    let expected = [
        "C1 10 E left 0",
        "C2 4 E left 0",
        "C3 10 E left 0",
        "S1 E",
        "S2 E",
        "S0 M",
        "S0 E",
        "S0 C",
        "D20001",
        "S0 O",
        "L1",
        "HT",
        "S0 S",
        "S0 Q",
    ];
    assert_eq!(events, expected);
    assert_eq!(stage.enter(1, 4, BUY, 1, 900), [""; 0], "sessions ended with the day");
    assert_eq!(stage.up(1, 1), ["S1 S"]);
    assert_eq!(stage.enter(1, 1, BUY, 1, 900), ["A1 1@900 rests"]);
    stage.up(2, 1);
    let source = Source { port: 2, generation: 1, channel: 0 };
    let sell = Enter { source, ..order(2, 1, SELL, 1, 900) };
    let events = stage.tell(&Command::Enter(sell));
    let View::Fill(fill) = events[1].view() else { panic!("{events:?}") };
    assert_eq!(fill.match_number, 1);
}

#[test]
fn an_instrument_listed_during_the_day_is_announced_at_once() {
    let mut stage = Stage::new();
    assert_eq!(stage.say(&Command::Define(instrument(2))), ["L2", "HT"]);
    let mut enter = order(1, 1, BUY, 1, 1_000);
    enter.instrument = 2;
    assert_eq!(stage.say(&Command::Enter(enter)), ["A1 1@1000 rests"]);
}

#[test]
fn an_appendage_is_given_back_whole() {
    let mut stage = Stage::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(limits::ECHO_LEN_MAX).collect();
    let mut enter = order(1, 1, BUY, 1, 1_000);
    enter.echo = &bytes;
    let events = stage.tell(&Command::Enter(enter));
    let mut back = Vec::new();
    for event in &events[1..] {
        let View::Echo(echo) = event.view() else { panic!("{event:?}") };
        back.extend_from_slice(&echo.bytes[..usize::from(echo.len)]);
    }
    assert_eq!(back, bytes);
}

#[test]
fn a_full_table_refuses_the_order_and_lets_everything_else_go_on() {
    let small = [
        limits::Capacity { orders: 3, ..CAPACITY },
        limits::Capacity { levels: 3, ..CAPACITY },
        limits::Capacity { nodes: 14, ..CAPACITY },
        limits::Capacity { user_ref_pages: 3, ..CAPACITY },
        limits::Capacity { port_orders: 3, ..CAPACITY },
        limits::Capacity { port_pages: 3, ..CAPACITY },
    ];
    for capacity in small {
        let mut stage = Stage::with(capacity);
        let mut number = 1;
        let mut accepted = Vec::new();
        while stage.enter(1, number, BUY, 1, 5 * number * 1_000_000)[0].starts_with('A') {
            accepted.push(number);
            number += limits::USER_REF_PAGE_LEN;
            assert!(accepted.len() < 10, "{capacity:?} is never full");
        }
        let orders = stage.side(Side::Bid).len();
        assert_eq!(orders, accepted.len(), "{capacity:?}");
        // Nodes are shared by the prices, so their number of orders is what it is.
        if capacity.nodes == CAPACITY.nodes {
            assert_eq!(orders, 3, "{capacity:?}");
        }
        assert_eq!(stage.cancel(1, accepted[0], 0).len(), 1, "{capacity:?}");
        number += 1;
        let again = stage.enter(1, number, BUY, 1, 5_000_000);
        assert!(again[0].starts_with('A'), "{capacity:?}: {again:?}");
    }
}

#[test]
fn a_disabled_firm_disables_ports_that_log_in_later() {
    let up = |stage: &mut Stage, firm: [u8; 4]| {
        let source = Source { port: 3, generation: 1, channel: 0 };
        stage.say(&Command::SessionUp(SessionUp {
            source,
            firm,
            session: SESSION,
            grace_ms: None,
        }));
    };
    let switch = |stage: &mut Stage, user_ref_num: u32, is_enabled: bool| {
        let (source, firm) = (Source { port: 1, generation: 1, channel: 0 }, *b"FIRM");
        let is_enabled = Ok(is_enabled);
        stage.say(&Command::EntrySwitch(EntrySwitch { source, user_ref_num, firm, is_enabled }));
    };
    let mut stage = Stage::new();
    switch(&mut stage, 1, false);
    up(&mut stage, *b"FIRM");
    assert_eq!(stage.enter(3, 1, BUY, 1, 1_000), ["J1 0x0c"]);
    switch(&mut stage, 2, true);
    assert_eq!(stage.enter(3, 2, BUY, 1, 1_000), ["A2 1@1000 rests"]);
    let mut stage = Stage::new();
    switch(&mut stage, 1, false);
    up(&mut stage, *b"ELSE");
    assert_eq!(stage.enter(3, 1, BUY, 1, 1_000), ["A1 1@1000 rests"]);
    // A new day ends it, also for those yet to come.
    let mut stage = Stage::new();
    switch(&mut stage, 1, false);
    stage.tell(&day(20_001));
    up(&mut stage, *b"FIRM");
    assert_eq!(stage.enter(3, 1, BUY, 1, 1_000), ["A1 1@1000 rests"]);
}

#[test]
fn references_are_never_given_twice_in_a_day() {
    let mut stage = Stage::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut number = 0;
    for _ in 0..2_000 {
        number += 1;
        let entered = stage.tell(&Command::Enter(order(1, number, BUY, 5, 1_000)));
        let View::Accepted(it) = entered[0].view() else { panic!("{entered:?}") };
        assert!(seen.insert(it.order_ref));
        number += 1;
        let source = Source { port: 1, generation: 1, channel: 0 };
        let Enter { terms, client_order_id, echo, .. } = order(1, number, BUY, 5, 1_005);
        let replaced = stage.tell(&Command::Replace(Replace {
            source,
            orig_user_ref_num: number - 1,
            user_ref_num: number,
            qty: 5,
            px: 1_005,
            terms,
            client_order_id,
            echo,
        }));
        let View::Replaced(it) = replaced[0].view() else { panic!("{replaced:?}") };
        assert!(seen.insert(it.order_ref));
        stage.cancel(1, number, 0);
    }
}

#[test]
fn a_hundred_thousand_orders_at_one_price_trade_in_order() {
    let mut stage =
        Stage::with(limits::Capacity { orders: 100_001, port_orders: 100_000, ..CAPACITY });
    for number in 1..=100_000 {
        stage.enter(1, number, SELL, 1, 1_000);
    }
    let mut enter = order(2, 1, BUY, 100_000, 1_000);
    enter.terms = enter.terms.map(|terms| Terms { time_in_force: IOC, ..terms });
    let events = stage.tell(&Command::Enter(enter));
    let makers = events[1..].iter().map(|event| match event.view() {
        View::Fill(fill) => fill.head.user_ref_num,
        other => panic!("{other:?}"),
    });
    assert!(makers.eq(1..=100_000));
}
