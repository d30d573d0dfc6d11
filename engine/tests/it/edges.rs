//! The rules where their ranges end: the first and last prices, quantities, nanoseconds, an empty
//! book.

use uncross_engine::{
    command::{
        Act, Administer, Command, Enter, EntrySwitch, MassCancel, Replace, Scope, SessionUp,
        Source, Terms,
    },
    event::{Event, View},
    instrument::Instrument,
    limits::{Capacity, QTY_MAX},
    types::{Price, Side, TimeInForce},
};

use crate::{
    differential::{CAPACITY, STEP_NS},
    flow::instrument,
    stage::{BUY, IOC, SELL, SESSION, Stage, day, enter_as, order, short},
};

/// A venue that has a second instrument.
fn with_second(second: Instrument) -> Stage {
    let mut stage = Stage::new();
    stage.say(&Command::Define(second));
    stage
}

#[test]
fn both_ends_of_price_and_quantity_are_accepted_and_what_is_beyond_is_refused() {
    const TOP: u32 = Price::RAW_MAX;
    // Quantity, price, and the code with which they are refused.
    type Case = (u32, u32, Option<u16>);
    let widest = Instrument { tick: 1, qty_max: QTY_MAX, ..instrument(2) };
    let coarse = Instrument { tick: 5, lot: 10, qty_min: 20, qty_max: 40, ..instrument(2) };
    let narrow = Instrument { tick: 1, qty_min: 3, qty_max: 5, ..instrument(2) };
    let (qty, px) = (Some(0x13), Some(0x1d));
    let tables: [(Instrument, &[Case]); 3] = [
        (
            widest,
            &[
                (1, 1, None),
                (1, TOP, None),
                (QTY_MAX, 1, None),
                (QTY_MAX, TOP, None),
                (0, 1, qty),
                (1, 0, px),
                (1, TOP + 1, px),
                (1, u32::MAX, px),
            ],
        ),
        (
            coarse,
            &[
                (20, 5, None),
                (40, TOP, None),
                (30, 10, None),
                (19, 5, qty),
                (10, 5, qty),
                (41, 5, qty),
                (50, 5, qty),
                (25, 5, qty),
                (20, 4, px),
                (20, 6, px),
                (20, TOP - 1, px),
            ],
        ),
        (narrow, &[(3, 7, None), (5, 7, None), (2, 7, qty), (6, 7, qty)]),
    ];
    for (second, cases) in tables {
        for &(qty, px, refused) in cases {
            // As an order that stands or not, in a slot that was used before or not.
            for (time_in_force, fate) in [(TimeInForce::Day, " rests"), (IOC, " dead")] {
                for number in [1, 2] {
                    let mut stage = with_second(second);
                    if number == 2 {
                        stage.enter(1, 1, BUY, 5, 900);
                        stage.cancel(1, 1, 0);
                    }
                    let mut enter = order(1, number, BUY, qty, px);
                    enter.instrument = 2;
                    let events = enter_as(&mut stage, enter, |it| it.time_in_force = time_in_force);
                    let expected = refused.map_or_else(
                        || format!("A{number} {qty}@{px}{fate}"),
                        |code| format!("J{number} {code:#04x}"),
                    );
                    assert_eq!(events, [expected], "{second:?}, {time_in_force:?}");
                }
            }
            // A replacement is measured alike.
            let mut stage = with_second(second);
            let mut enter = order(1, 1, BUY, second.qty_max, 5);
            enter.instrument = 2;
            stage.say(&Command::Enter(enter));
            let events = stage.replace(1, 1, 2, qty, px);
            let expected = match refused {
                Some(_) => format!("C1 {} Z left 0", second.qty_max),
                None => format!("U1>2 {qty}@{px} rests"),
            };
            assert_eq!(events, [expected], "{second:?}");
        }
    }
}

#[test]
fn the_largest_orders_trade_whole_at_both_ends_of_the_range() {
    for px in [1, Price::RAW_MAX] {
        let mut stage = with_second(Instrument { tick: 1, qty_max: QTY_MAX, ..instrument(2) });
        for (port, action) in [(1, SELL), (2, BUY)] {
            let mut enter = order(port, 1, action, QTY_MAX, px);
            enter.instrument = 2;
            let events = stage.say(&Command::Enter(enter));
            let expected: &[String] = if port == 1 {
                &[format!("A1 {QTY_MAX}@{px} rests")]
            } else {
                &[format!("A1 {QTY_MAX}@{px}"), format!("E1/1 {QTY_MAX}@{px}")]
            };
            assert_eq!(events, expected);
        }
        assert_eq!(stage.engine.best(2), [None, None]);
    }
}

#[test]
fn an_order_expires_at_its_nanosecond_and_not_one_before() {
    let mut stage = Stage::new();
    let accepted_ns = (stage.seq + 1) * STEP_NS;
    enter_as(&mut stage, order(1, 1, BUY, 5, 900), |terms| {
        (terms.time_in_force, terms.expire_s) = (TimeInForce::UntilTime, 1);
    });
    let due_ns = accepted_ns + 1_000_000_000;
    assert_eq!(stage.engine.due_ns(), Some(due_ns));
    for (time_ns, count) in [(due_ns - 1, 0), (due_ns, 1), (due_ns + 1, 0)] {
        let mut events = Vec::new();
        stage.seq += 1;
        let done = stage.engine.begin(stage.seq, time_ns, &Command::Tick, &mut events);
        assert_eq!(done, uncross_engine::Progress::Done);
        assert_eq!(events.len(), count, "{time_ns} of {due_ns}");
    }
    assert_eq!(stage.side(Side::Bid), []);
    assert_eq!(stage.engine.due_ns(), None);
}

#[test]
fn an_empty_book_trades_nothing_and_answers_everything() {
    let whole = |terms: &mut Terms| (terms.time_in_force, terms.min_qty) = (IOC, 5);
    let mut stage = Stage::new();
    // Twice: on a book that never had an order, and on one that was emptied.
    for first in [1, 11] {
        assert_eq!(stage.engine.best(1), [None, None]);
        for (action, number) in [(BUY, first), (SELL, first + 1)] {
            let events = stage.ioc(2, number, action, 5, 1_000);
            assert_eq!(events, [format!("A{number} 5@1000 dead")]);
        }
        let number = first + 2;
        let events = enter_as(&mut stage, order(2, number, BUY, 5, 1_000), whole);
        assert_eq!(events, [format!("A{number} 5@1000 dead")]);
        assert_eq!(stage.cancel(2, number, 0), [""; 0]);
        assert_eq!(stage.modify(2, number, BUY, 1), [""; 0]);
        assert_eq!(stage.replace(2, number, number + 1, 5, 1_000), [""; 0]);
        let source = Source { port: 2, generation: 1, channel: 0 };
        let all = MassCancel {
            source,
            user_ref_num: number + 1,
            firm: *b"    ",
            symbol: *b"        ",
            scope: Ok(Scope { instrument: None, action: None }),
        };
        assert_eq!(stage.say(&Command::MassCancel(all)), [format!("X{}", number + 1)]);
        assert_eq!((stage.side(Side::Bid), stage.side(Side::Ask)), (vec![], vec![]));
        stage.enter(1, first, BUY, 5, 1_000);
        stage.enter(1, first + 1, SELL, 5, 1_000);
    }
}

#[test]
fn the_last_price_is_forgotten_with_the_decimals_or_the_reference_price_and_kept_otherwise() {
    type Case = (&'static str, Instrument, u32);
    let was = instrument(1);
    let cases: [Case; 5] = [
        ("nothing", was, 1_015),
        ("tick", Instrument { tick: 1, ..was }, 1_015),
        ("collar", Instrument { collar_bp: 200, ..was }, 1_015),
        ("decimals", Instrument { price_decimals: 3, ..was }, 1_000),
        ("reference price", Instrument { reference_px: 1_100, ..was }, 1_100),
    ];
    for (name, becomes, expected) in cases {
        let mut stage = Stage::new();
        stage.enter(1, 1, SELL, 5, 1_015);
        stage.enter(2, 1, BUY, 5, 1_015);
        stage.say(&Command::Define(becomes));
        assert_eq!(stage.engine.reference_px(1), 1_015, "{name}: the day is not over");
        stage.say(&day(20_001));
        assert_eq!(stage.engine.reference_px(1), expected, "{name}");
    }
}

#[test]
fn a_replaced_order_stands_and_trades_under_its_new_price_quantity_and_number() {
    // Old total, executed, new total and price, and what the feed and the next taker must see.
    type Case = (u32, u32, (u32, u32), &'static [&'static str], &'static [&'static str]);
    let cases: [Case; 4] = [
        (10, 0, (7, 905), &["U1>2 7@905 rests"], &["A9 20@905", "E2/9 7@905", "C9 13 I left 0"]),
        (10, 4, (9, 900), &["U1>2 5@900 rests"], &["A9 20@900", "E2/9 5@900", "C9 15 I left 0"]),
        (10, 4, (4, 900), &["U1>2 0@900 dead"], &["A9 20@900 dead"]),
        (10, 4, (3, 900), &["U1>2 0@900 dead"], &["A9 20@900 dead"]),
    ];
    for (total, executed, (qty, px), replaced, taken) in cases {
        let mut stage = Stage::new();
        let entered = references(&stage.tell(&Command::Enter(order(1, 1, BUY, total, 900))));
        if executed != 0 {
            stage.ioc(2, 1, SELL, executed, 900);
        }
        let Enter { source, terms, client_order_id, echo, .. } = order(1, 2, BUY, qty, px);
        let events = stage.tell(&Command::Replace(Replace {
            source,
            orig_user_ref_num: 1,
            user_ref_num: 2,
            qty,
            px,
            terms,
            client_order_id,
            echo,
        }));
        assert_eq!(events.iter().map(short).collect::<Vec<_>>(), replaced);
        // The reference names the same slot in its next life.
        let renewed = references(&events);
        assert_eq!(renewed[0].1, entered[0].0, "the old one is told");
        assert_eq!(renewed[0].0, entered[0].0 + (1 << 24), "the next life of the slot");
        let standing: Vec<u64> =
            stage.engine.resting(1, Side::Bid).map(|order| order.order_ref).collect();
        assert_eq!(standing.len(), taken.len() / 3, "{taken:?}");
        assert!(standing.iter().all(|reference| *reference == renewed[0].0));
        assert_eq!(stage.ioc(2, 9, SELL, 20, px), taken);
    }
}

/// References of what was accepted or replaced, with the one before.
fn references(events: &[Event]) -> Vec<(u64, u64)> {
    let entered = events.iter().filter_map(|event| match event.view() {
        View::Accepted(it) | View::Replaced(it) => Some((it.order_ref, it.old_order_ref)),
        _ => None,
    });
    entered.collect()
}

#[test]
fn a_halted_instrument_refuses_every_kind_of_order_also_where_one_stood_before() {
    let mut stage = Stage::new();
    // Slots that were used, and one order that stands.
    stage.enter(1, 1, BUY, 5, 900);
    stage.enter(1, 2, BUY, 5, 900);
    stage.cancel(1, 2, 0);
    stage.say(&Command::Administer(Administer { request: 1, act: Act::Halt(1) }));
    assert_eq!(stage.enter(1, 3, BUY, 5, 900), ["J3 0x07"]);
    assert_eq!(stage.ioc(1, 4, SELL, 5, 900), ["J4 0x07"]);
    assert_eq!(stage.replace(1, 1, 5, 5, 905), ["J5 0x07"]);
    assert_eq!(stage.side(Side::Bid), [(900, 5, 1)]);
    stage.say(&Command::Administer(Administer { request: 2, act: Act::Resume(1) }));
    assert_eq!(stage.replace(1, 1, 6, 5, 905), ["U1>6 5@905 rests"]);
    assert_eq!(stage.ioc(2, 1, SELL, 5, 905), ["A1 5@905", "E6/1 5@905"]);
}

#[test]
fn an_immediate_order_that_takes_more_than_a_step_loses_its_remainder() {
    // Plain, and with something to be given back, which takes another way.
    for (echo, said) in [(&b""[..], 0), (b"x", 1)] {
        let mut stage = Stage::new();
        // A slot that was used before, as nearly all are.
        assert_eq!(stage.enter(2, 1, BUY, 1, 900), ["A1 1@900 rests"]);
        for number in 1..=700 {
            stage.enter(1, number, SELL, 1, 1_000);
        }
        stage.cancel(2, 1, 0);
        let mut enter = order(2, 2, BUY, 705, 1_000);
        enter.terms = enter.terms.map(|terms| Terms { time_in_force: IOC, ..terms });
        enter.echo = echo;
        let events = stage.say(&Command::Enter(enter));
        assert_eq!(events.len(), 1 + said + 700 + 1);
        assert_eq!(events.last().map(String::as_str), Some("C2 5 I left 0"));
        assert_eq!(stage.side(Side::Bid), []);
    }
}

#[test]
fn a_mass_cancel_of_more_than_a_step_ends_every_order() {
    const ALL: Scope = Scope { instrument: None, action: None };
    let mut stage = Stage::new();
    for number in 1..=600 {
        stage.enter(1, number, BUY, 1, 900);
    }
    let source = Source { port: 1, generation: 1, channel: 0 };
    let all = MassCancel {
        source,
        user_ref_num: 601,
        firm: *b"    ",
        symbol: *b"        ",
        scope: Ok(ALL),
    };
    let events = stage.say(&Command::MassCancel(all));
    let expected = (1..=600).map(|number| format!("C{number} 1 U left 0"));
    assert!(events.iter().eq(["X601".to_owned()].iter().chain(&expected.collect::<Vec<_>>())));
    assert_eq!(stage.side(Side::Bid), []);
}

#[test]
fn to_enable_one_firm_leaves_another_disabled_also_for_ports_yet_to_come() {
    let up = |stage: &mut Stage, port: u16, firm: [u8; 4]| {
        let source = Source { port, generation: 1, channel: 0 };
        stage.say(&Command::SessionUp(SessionUp {
            source,
            firm,
            session: SESSION,
            grace_ms: None,
        }));
    };
    let switch = |stage: &mut Stage, port: u16, number: u32, firm: [u8; 4], is_enabled: bool| {
        let source = Source { port, generation: 1, channel: 0 };
        let (user_ref_num, is_enabled) = (number, Ok(is_enabled));
        stage.say(&Command::EntrySwitch(EntrySwitch { source, user_ref_num, firm, is_enabled }))
    };
    let mut stage = Stage::new();
    up(&mut stage, 3, *b"ELSE");
    assert_eq!(switch(&mut stage, 1, 1, *b"FIRM", false), ["G1"]);
    assert_eq!(switch(&mut stage, 3, 1, *b"ELSE", false), ["G1"]);
    assert_eq!(switch(&mut stage, 1, 2, *b"FIRM", true), ["K2"]);
    up(&mut stage, 4, *b"ELSE");
    assert_eq!(stage.enter(4, 1, BUY, 1, 900), ["J1 0x0c"], "its firm is disabled");
    assert_eq!(stage.enter(2, 1, BUY, 1, 900), ["A1 1@900 rests"], "this one no more");
}

#[test]
fn nobody_logs_in_on_port_0_or_beyond_the_last_one() {
    let mut stage = Stage::new();
    let Capacity { ports, .. } = CAPACITY;
    for port in [0, ports + 1, u16::MAX] {
        assert!(stage.up(port, 1).is_empty(), "{port}");
        assert!(stage.enter(port, 1, BUY, 1, 900).is_empty(), "{port}");
    }
    assert!(!stage.up(ports, 1).is_empty());
    assert_eq!(stage.enter(ports, 1, BUY, 1, 900), ["A1 1@900 rests"]);
}

#[test]
fn an_immediate_order_of_another_channel_has_its_own_numbers_and_is_told_under_them() {
    let mut stage = Stage::new();
    // A slot that was used.
    stage.enter(2, 1, BUY, 5, 900);
    stage.cancel(2, 1, 0);
    stage.enter(1, 1, SELL, 5, 1_000);
    let mut taker = order(2, 7, BUY, 2, 1_000);
    taker.source.channel = 3;
    taker.terms.iter_mut().for_each(|terms| terms.time_in_force = IOC);
    let events = stage.tell(&Command::Enter(taker));
    let View::Fill(fill) = events[1].view() else { panic!("{events:?}") };
    assert_eq!((fill.taker_user_ref_num, fill.taker_channel), (7, 3));
    assert_eq!(stage.tell(&Command::Enter(taker)).len(), 0, "a repetition");
    assert_eq!(stage.ioc(2, 2, BUY, 2, 1_000), ["A2 2@1000", "E1/2 2@1000"]);
}

#[test]
fn a_replace_without_room_for_a_level_is_refused_and_the_old_order_stands() {
    let full = [
        Capacity { levels: 2, ..CAPACITY },
        // Of 14 nodes the two orders leave fewer than a price may need.
        Capacity { nodes: 14, ..CAPACITY },
    ];
    for capacity in full {
        let mut stage = Stage::with(capacity);
        stage.enter(1, 1, BUY, 5, 900);
        stage.enter(1, 2, BUY, 5, 900_000_000);
        // Also where a level stands already: what is refused must not depend on the book.
        for (number, px) in [(3, 905), (4, 900_000_000), (5, 900)] {
            let events = stage.replace(1, 1, number, 5, px);
            assert_eq!(events, [format!("J{number} 0x0f")], "{capacity:?}");
        }
        assert_eq!(stage.side(Side::Bid), [(900_000_000, 5, 2), (900, 5, 1)]);
        assert_eq!(stage.cancel(1, 2, 0), ["C2 5 U left 0"]);
        assert_eq!(stage.replace(1, 1, 6, 5, 905), ["U1>6 5@905 rests"], "{capacity:?}");
    }
}
