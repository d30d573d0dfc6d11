//! What outlasts a message: channels of numbers, connections, days and epochs.

use uncross_engine::{
    command::{Cancel, Command, Enter, Epoch, MassCancel, Refuse, Scope, SessionUp, Source, Terms},
    event::{Event, View},
    limits,
    types::{Display, Side, TimeInForce},
};

use crate::{
    differential::{CAPACITY, STEP_NS},
    stage::{BUY, SELL, SESSION, Stage, day, enter_as, order},
};

const fn source(port: u16, channel: u8) -> Source {
    Source { port, generation: 1, channel }
}

fn good_till_cancel(terms: &mut Terms) {
    terms.time_in_force = TimeInForce::GoodTillCancel;
}

fn up(stage: &mut Stage, port: u16, generation: u16, grace_ms: Option<u32>) -> Vec<String> {
    let source = Source { port, generation, channel: 0 };
    let (firm, session) = (*b"FIRM", SESSION);
    stage.say(&Command::SessionUp(SessionUp { source, firm, session, grace_ms }))
}

fn in_channel(channel: u8, number: u32) -> Enter<'static> {
    Enter { source: source(1, channel), ..order(1, number, BUY, 5, 900) }
}

fn cancel(
    source: Source,
    number: u32,
    order_ref: Option<u64>,
    qty: Option<u32>,
) -> Command<'static> {
    Command::Cancel(Cancel { source, user_ref_num: number, order_ref, qty })
}

#[test]
fn every_channel_has_numbers_and_orders_of_its_own() {
    let mut stage = Stage::new();
    for channel in [0, 1, 255] {
        let events = stage.say(&Command::Enter(in_channel(channel, 10)));
        assert_eq!(events, ["A10 5@900 rests"], "channel {channel}");
        assert_eq!(stage.say(&Command::Enter(in_channel(channel, 10))), [""; 0]);
    }
    assert_eq!(stage.say(&Command::Enter(in_channel(7, 1 << 24 | 1))), ["J16777217 0x0f"]);
    for (channel, next) in [(0, 11), (1, 11), (7, 1)] {
        assert_eq!(stage.say(&Command::AccountQuery(source(1, channel))), [format!("Q{next}")]);
    }
    let events = stage.tell(&cancel(source(1, 255), 10, None, Some(0)));
    let View::Canceled(canceled) = events[0].view() else { panic!("{events:?}") };
    assert_eq!(canceled.channel, 255, "the report names the channel");
    assert_eq!(stage.side(Side::Bid).len(), 2);
    assert_eq!(stage.say(&cancel(source(1, 7), 10, None, Some(0))), [""; 0]);
    let source = source(1, 1);
    let refuse = Refuse { source, user_ref_num: 11, reason: 0x29, client_order_id: [b' '; 14] };
    let events = stage.tell(&Command::Refuse(refuse));
    assert!(matches!(events[0].view(), View::Rejected(it) if it.channel == 1));
}

#[test]
fn a_mass_cancel_ends_the_orders_of_all_channels_in_entry_order() {
    let mut stage = Stage::new();
    for (channel, number) in [(3, 5), (0, 1), (3, 6)] {
        stage.tell(&Command::Enter(in_channel(channel, number)));
    }
    let scope = Ok(Scope { instrument: None, action: None });
    let (firm, symbol) = ([b' '; 4], [b' '; 8]);
    let source = source(1, 3);
    let request = MassCancel { source, user_ref_num: 7, firm, symbol, scope };
    let events = stage.say(&Command::MassCancel(request));
    assert_eq!(events, ["X7", "C5 5 U left 0", "C1 5 U left 0", "C6 5 U left 0"]);
}

#[test]
fn a_fill_names_the_channels_of_both() {
    let mut stage = Stage::new();
    stage.tell(&Command::Enter(in_channel(9, 1)));
    let mut taker = order(2, 1, SELL, 5, 900);
    taker.source.channel = 4;
    let events = stage.tell(&Command::Enter(taker));
    let View::Fill(fill) = events[1].view() else { panic!("{events:?}") };
    assert_eq!((fill.maker_channel, fill.taker_channel), (9, 4));
}

#[test]
fn orders_of_a_lost_connection_are_cancelled_when_its_grace_ends() {
    let mut stage = Stage::new();
    // The commands of a stage are a tenth of a second apart.
    up(&mut stage, 1, 1, Some(300));
    stage.enter(1, 1, BUY, 5, 900);
    enter_as(&mut stage, order(1, 2, BUY, 5, 905), good_till_cancel);
    stage.enter(2, 1, BUY, 5, 910);
    assert_eq!(stage.engine.due_ns(), None);
    stage.say(&Command::SessionDown(source(1, 0)));
    assert_eq!(stage.engine.due_ns(), Some((stage.seq + 3) * STEP_NS));
    for _ in 0..2 {
        assert_eq!(stage.say(&Command::Tick), [""; 0]);
    }
    assert_eq!(stage.say(&Command::Tick), ["C1 5 Z left 0", "C2 5 Z left 0"]);
    assert_eq!((stage.side(Side::Bid), stage.engine.due_ns()), (vec![(910, 5, 1)], None));
}

#[test]
fn a_login_within_the_grace_saves_the_orders() {
    let mut stage = Stage::new();
    up(&mut stage, 1, 1, Some(300));
    stage.enter(1, 1, BUY, 5, 900);
    stage.say(&Command::SessionDown(source(1, 0)));
    up(&mut stage, 1, 2, Some(300));
    assert_eq!(stage.engine.due_ns(), None);
    for _ in 0..5 {
        assert_eq!(stage.say(&Command::Tick), [""; 0]);
    }
    // The connection before is gone for good: its end a second time begins nothing.
    stage.say(&Command::SessionDown(source(1, 0)));
    assert_eq!(stage.engine.due_ns(), None);
}

#[test]
fn what_is_due_at_one_time_expires_before_graces_end() {
    let mut stage = Stage::new();
    up(&mut stage, 1, 1, Some(900));
    let one_second =
        |terms: &mut Terms| (terms.time_in_force, terms.expire_s) = (TimeInForce::UntilTime, 1);
    stage.enter(1, 1, BUY, 5, 900);
    enter_as(&mut stage, order(2, 1, BUY, 5, 910), one_second);
    stage.say(&Command::SessionDown(source(1, 0)));
    stage.seq += 20;
    assert_eq!(stage.say(&Command::Tick), ["C1 5 T left 0", "C1 5 Z left 0"]);
}

#[test]
fn good_till_cancel_orders_outlive_the_day_and_keep_reference_and_place() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 5, 900);
    enter_as(&mut stage, order(1, 2, BUY, 5, 900), good_till_cancel);
    enter_as(&mut stage, order(2, 1, BUY, 6, 900), good_till_cancel);
    let before: Vec<u64> = stage.engine.resting(1, Side::Bid).map(|it| it.order_ref).collect();
    let events = stage.say(&day(20_001));
    let expected = [
        "C1 5 E left 0",
        "S1 E",
        "S2 E",
        "S0 M",
        "S0 E",
        "S0 C",
        "D20001",
        "S0 O",
        "L1",
        "HT",
        "S1 S",
        "T0 5@900",
        "R0 5@900",
        "S2 S",
        "T0 6@900",
        "R0 6@900",
        "S0 S",
        "S0 Q",
    ];
    assert_eq!(events, expected);
    let after: Vec<u64> = stage.engine.resting(1, Side::Bid).map(|it| it.order_ref).collect();
    assert_eq!(after, before[1..]);
    // The start of the day was said: a login says it no more.
    assert_eq!(up(&mut stage, 1, 2, None), [""; 0]);
    up(&mut stage, 2, 2, None);
    // Numbers begin anew, and a carried order can be named by its reference only.
    let mut taker = order(2, 1, SELL, 2, 900);
    taker.source.generation = 2;
    assert_eq!(stage.say(&Command::Enter(taker)), ["A1 2@900", "E0/1 2@900"]);
    let port_1 = Source { generation: 2, ..source(1, 0) };
    let port_2 = Source { generation: 2, ..source(2, 0) };
    assert_eq!(stage.say(&cancel(port_1, 0, None, Some(0))), [""; 0]);
    assert_eq!(stage.say(&cancel(port_2, 0, Some(after[0]), Some(0))), [""; 0], "not its own");
    assert_eq!(stage.say(&cancel(port_1, 0, Some(after[0]), Some(4))), ["C0 1 U left 2"]);
    assert_eq!(stage.say(&cancel(port_1, 0, Some(after[0]), None)), ["I0"]);
    assert_eq!(stage.say(&cancel(port_1, 0, Some(after[0]), Some(0))), ["C0 2 U left 0"]);
    assert_eq!(stage.say(&cancel(port_1, 0, Some(after[0]), Some(0))), [""; 0]);
    // A mass cancel ends it like any other.
    let scope = Ok(Scope { instrument: None, action: None });
    let (source, firm, symbol) = (port_2, [b' '; 4], [b' '; 8]);
    let request = MassCancel { source, user_ref_num: 2, firm, symbol, scope };
    assert_eq!(stage.say(&Command::MassCancel(request)), ["X2", "C0 6 U left 0"]);
}

#[test]
fn a_reference_names_live_orders_of_the_day_too_but_not_together_with_a_number() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 5, 900);
    let reference = stage.engine.resting(1, Side::Bid).next().unwrap().order_ref;
    assert_eq!(stage.say(&cancel(source(1, 0), 1, Some(reference), Some(0))), ["I1"]);
    assert_eq!(stage.say(&cancel(source(1, 0), 0, Some(reference + 1), Some(0))), [""; 0]);
    assert_eq!(stage.say(&cancel(source(1, 0), 0, Some(reference), Some(0))), ["C1 5 U left 0"]);
}

#[test]
fn a_hidden_order_that_is_carried_over_is_restated_to_its_owner_alone() {
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, BUY, 5, 900), |terms| {
        good_till_cancel(terms);
        terms.display = Display::Hidden;
    });
    let events = stage.say(&day(20_001));
    let from = events.iter().position(|event| event == "HT").unwrap();
    assert_eq!(events[from + 1..], ["S1 S", "T0 5@900", "S0 S", "S0 Q"]);
}

#[test]
fn carried_orders_of_a_connection_that_the_day_ended_are_cancelled_after_its_grace() {
    let mut stage = Stage::new();
    up(&mut stage, 1, 1, Some(200));
    enter_as(&mut stage, order(1, 1, BUY, 5, 900), good_till_cancel);
    stage.say(&day(20_001));
    assert_eq!(stage.say(&Command::Tick), [""; 0]);
    assert_eq!(stage.say(&Command::Tick), ["C0 5 Z left 0"]);
}

#[test]
fn an_epoch_begins_streams_and_references_anew_and_says_what_stands() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 5, 900);
    stage.enter(2, 1, SELL, 6, 1_000);
    enter_as(&mut stage, order(2, 2, SELL, 7, 1_000), |terms| terms.display = Display::Hidden);
    stage.ioc(2, 3, SELL, 1, 900);
    let references = |stage: &Stage| {
        let sides = [Side::Bid, Side::Ask].map(|side| stage.engine.resting(1, side));
        sides.into_iter().flatten().map(|order| order.order_ref).collect::<Vec<_>>()
    };
    let before = references(&stage);
    let epoch = Epoch { epoch: 1, session: *b"SESSION002" };
    let events = stage.say(&Command::Epoch(epoch));
    let expected = [
        "D20000",
        "S0 O",
        "L1",
        "HT",
        "S1 S",
        "T1 4@900",
        "R1 4@900",
        "S2 S",
        "T1 6@1000",
        "R1 6@1000",
        "T2 7@1000",
        "S0 S",
        "S0 Q",
    ];
    assert_eq!(events, expected);
    let after = references(&stage);
    let expected: Vec<u64> = before.iter().map(|reference| reference | 1 << 48).collect();
    assert_eq!(after, expected, "references contain the epoch");
    // Logins to the session before are void; numbers of orders go on.
    let late = SessionUp { source: source(1, 0), firm: *b"FIRM", session: SESSION, grace_ms: None };
    assert_eq!(stage.say(&Command::SessionUp(late)), [""; 0]);
    for port in [1, 2] {
        let source = Source { port, generation: 2, channel: 0 };
        let up = SessionUp { source, session: epoch.session, ..late };
        assert_eq!(stage.say(&Command::SessionUp(up)), [""; 0]);
    }
    let mut again = order(1, 1, BUY, 5, 900);
    again.source.generation = 2;
    assert_eq!(stage.say(&Command::Enter(again)), [""; 0]);
    let mut taker = order(1, 2, BUY, 1, 1_000);
    taker.source.generation = 2;
    let events = stage.tell(&Command::Enter(taker));
    let View::Fill(fill) = events[1].view() else { panic!("{events:?}") };
    assert_eq!((fill.match_number, fill.maker_ref), (1 << 48 | 2, after[1]));
}

#[test]
fn long_rolls_and_epochs_come_in_steps() {
    let mut stage = Stage::with(limits::Capacity { hidden_orders: 0, ..CAPACITY });
    for number in 1..=1_000 {
        enter_as(&mut stage, order(1, number, BUY, 1, 900), good_till_cancel);
    }
    let count = |events: Vec<Event>| {
        events.iter().filter(|event| matches!(event.view(), View::Restated(_))).count()
    };
    assert_eq!(count(stage.tell(&day(20_001))), 1_000);
    let epoch = Epoch { epoch: 1, session: *b"SESSION002" };
    assert_eq!(count(stage.tell(&Command::Epoch(epoch))), 1_000);
}
