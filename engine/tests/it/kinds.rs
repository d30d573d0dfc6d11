//! The kinds of orders: hidden, attributable, market, and those that do not trade with their firm.

use uncross_engine::{
    command::{Command, Replace, SessionUp, Source, Terms},
    event::{Event, View},
    instrument::{CROSS_MARKET_PX, Instrument, MARKET_PX},
    types::{Display, Prevention, Price, Side, Strategy, TimeInForce},
};

use crate::{
    flow::instrument,
    stage::{BUY, IOC, SELL, SESSION, Stage, enter_as, order},
};

fn hidden(terms: &mut Terms) {
    terms.display = Display::Hidden;
}

fn attributable(terms: &mut Terms) {
    terms.display = Display::Attributable;
}

/// A replacement of an order of port 1 with its terms changed; its events.
fn replace_as(
    stage: &mut Stage,
    (old, new): (u32, u32),
    (qty, px): (u32, u32),
    change: impl FnMut(&mut Terms),
) -> Vec<Event> {
    let enter = order(1, new, BUY, qty, px);
    let mut terms = enter.terms;
    terms.iter_mut().for_each(change);
    stage.tell(&Command::Replace(Replace {
        source: enter.source,
        orig_user_ref_num: old,
        user_ref_num: new,
        qty,
        px,
        terms,
        client_order_id: enter.client_order_id,
        echo: b"",
    }))
}

#[test]
fn at_one_price_displayed_orders_trade_before_hidden_ones() {
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, SELL, 5, 1_000), hidden);
    stage.enter(1, 2, SELL, 5, 1_000);
    enter_as(&mut stage, order(1, 3, SELL, 5, 1_000), hidden);
    enter_as(&mut stage, order(1, 4, SELL, 5, 995), hidden);
    let events = stage.ioc(2, 1, BUY, 18, 1_000);
    assert_eq!(events, ["A1 18@1000", "E4/1 5@995", "E2/1 5@1000", "E1/1 5@1000", "E3/1 3@1000"]);
}

#[test]
fn the_public_best_price_is_that_of_displayed_orders() {
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, BUY, 5, 990), hidden);
    assert_eq!(stage.engine.best(1), [None, None]);
    stage.enter(1, 2, BUY, 5, 985);
    assert_eq!(stage.engine.best(1)[0].map(Price::raw), Some(985));
}

#[test]
fn events_of_hidden_orders_tell_the_feed_nothing() {
    let mut stage = Stage::new();
    let accepted = stage.tell(&Command::Enter({
        let mut enter = order(1, 1, SELL, 10, 1_000);
        enter.terms.iter_mut().for_each(hidden);
        enter
    }));
    let [event] = &accepted[..] else { panic!("one event, found {accepted:?}") };
    let View::Accepted(entered) = event.view() else { panic!("{event:?}") };
    assert!(!entered.marks.is_resting());
    assert_eq!(entered.marks.display(), Display::Hidden);
    let fills = stage.tell(&Command::Enter(order(2, 1, BUY, 4, 1_000)));
    let View::Fill(fill) = fills[1].view() else { panic!("{fills:?}") };
    assert!(fill.head.is_hidden());
    let source = Source { port: 1, generation: 1, channel: 0 };
    let cancel =
        uncross_engine::command::Cancel { source, user_ref_num: 1, order_ref: None, qty: Some(7) };
    let events = stage.tell(&Command::Cancel(cancel));
    let View::Canceled(canceled) = events[0].view() else { panic!("{events:?}") };
    assert_eq!((canceled.qty, canceled.open, canceled.shown), (3, 3, 0));
    // What rests of a hidden order that traded is not shown either.
    let rest = enter_as(&mut stage, order(2, 2, BUY, 9, 1_000), hidden);
    assert_eq!(rest, ["A2 9@1000", "E1/2 3@1000"]);
    assert_eq!(stage.side(Side::Bid), [(1_000, 6, 2)]);
}

#[test]
fn an_attributable_order_is_shown_with_its_firm() {
    let mut stage = Stage::new();
    let shown = |events: &[Event]| match events.last().map(Event::view) {
        Some(View::Rested(rested)) => Some((rested.qty, rested.firm)),
        _ => None,
    };
    let mut enter = order(1, 1, BUY, 10, 900);
    enter.terms.iter_mut().for_each(attributable);
    assert_eq!(shown(&stage.tell(&Command::Enter(enter))), Some((10, *b"FIRM")));
    // A replacement keeps the attribution as it is, and else takes the order off and shows another.
    let same = replace_as(&mut stage, (1, 2), (10, 905), attributable);
    let View::Replaced(entered) = same[0].view() else { panic!("{same:?}") };
    assert!(entered.marks.is_resting() && same.len() == 1);
    let plain = replace_as(&mut stage, (2, 3), (10, 905), |_| {});
    let View::Replaced(entered) = plain[0].view() else { panic!("{plain:?}") };
    assert!(!entered.marks.is_resting() && entered.marks.is_old_shown());
    assert_eq!(shown(&plain), Some((10, *b"    ")));
}

#[test]
fn a_replace_hides_an_order_and_brings_it_out_again() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 900);
    let gone = replace_as(&mut stage, (1, 2), (10, 900), hidden);
    let View::Replaced(entered) = gone[0].view() else { panic!("{gone:?}") };
    assert!(gone.len() == 1 && !entered.marks.is_resting() && entered.marks.is_old_shown());
    assert_eq!(stage.engine.best(1)[0], None);
    let back = replace_as(&mut stage, (2, 3), (10, 900), |_| {});
    let View::Replaced(entered) = back[0].view() else { panic!("{back:?}") };
    assert!(!entered.marks.is_resting() && !entered.marks.is_old_shown());
    let View::Rested(rested) = back[1].view() else { panic!("{back:?}") };
    assert_eq!((rested.px, rested.qty), (900, 10));
    assert_eq!(stage.engine.best(1)[0].map(Price::raw), Some(900));
}

#[test]
fn a_post_only_order_yields_to_a_hidden_one() {
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, SELL, 5, 1_000), hidden);
    let post_only = |terms: &mut Terms| terms.post_only = true;
    let events = enter_as(&mut stage, order(2, 1, BUY, 5, 1_000), post_only);
    assert_eq!(events, ["A1 5@1000", "C1 5 G left 0"]);
}

#[test]
fn a_full_table_of_hidden_orders_leaves_room_for_displayed_ones() {
    let capacity =
        uncross_engine::limits::Capacity { hidden_orders: 1, ..crate::differential::CAPACITY };
    let mut stage = Stage::with(capacity);
    assert_eq!(enter_as(&mut stage, order(1, 1, BUY, 5, 900), hidden), ["A1 5@900"]);
    assert_eq!(enter_as(&mut stage, order(1, 2, BUY, 5, 900), hidden), ["J2 0x0f"]);
    assert_eq!(stage.enter(1, 3, BUY, 5, 900), ["A3 5@900 rests"]);
    let refused = replace_as(&mut stage, (3, 4), (5, 900), hidden);
    assert!(matches!(refused[0].view(), View::Rejected(it) if it.reason == 0x0F));
    assert_eq!(stage.side(Side::Bid), [(900, 5, 3), (900, 5, 1)], "the old order stands");
}

#[test]
fn a_market_order_trades_up_to_the_collar_around_the_last_price() {
    let mut stage = Stage::new();
    for (number, px) in [(1, 1_000), (2, 1_030), (3, 1_035)] {
        stage.enter(1, number, SELL, 5, px);
    }
    // 3 % of the reference price 1,000 is 30; the order after it is beyond.
    let events = stage.ioc(2, 1, BUY, 20, MARKET_PX);
    assert_eq!(
        events,
        ["A1 20@2147483647", "E1/1 5@1000", "E2/1 5@1030", "C1 10 K left 0"],
        "fixed at arrival, whatever the price becomes"
    );
    // The last price is 1,030 now: 1,060.9, rounded inward to the tick, is 1,060.
    stage.enter(1, 4, SELL, 5, 1_060);
    let events = stage.ioc(2, 2, BUY, 20, CROSS_MARKET_PX);
    assert_eq!(
        events,
        ["A2 20@2000000000", "E3/2 5@1035", "E4/2 5@1060", "C2 10 I left 0"],
        "the other side is empty"
    );
}

#[test]
fn a_market_order_to_sell_is_bounded_from_below() {
    let mut stage = Stage::new();
    for (number, px) in [(1, 975), (2, 970), (3, 965)] {
        stage.enter(1, number, BUY, 5, px);
    }
    let events = stage.ioc(2, 1, SELL, 20, MARKET_PX);
    assert_eq!(events, ["A1 20@2147483647", "E1/1 5@975", "E2/1 5@970", "C1 10 K left 0"]);
}

#[test]
fn a_market_order_without_any_execution_is_dead_at_once() {
    let mut stage = Stage::new();
    assert_eq!(stage.ioc(2, 1, BUY, 5, MARKET_PX), ["A1 5@2147483647 dead"]);
    stage.enter(1, 1, SELL, 5, 1_035);
    assert_eq!(stage.ioc(2, 2, BUY, 5, MARKET_PX), ["A2 5@2147483647 dead"], "beyond the collar");
}

#[test]
fn a_market_order_needs_a_reference_a_collar_and_may_not_rest() {
    let mut stage = Stage::new();
    for (id, collar_bp, reference_px) in [(2, 300, 0), (3, 0, 1_000)] {
        stage.tell(&Command::Define(Instrument { collar_bp, reference_px, ..instrument(id) }));
    }
    for (number, id) in [(1, 2), (2, 3)] {
        let mut enter = order(2, number, BUY, 5, MARKET_PX);
        enter.instrument = id;
        let events = enter_as(&mut stage, enter, |terms| terms.time_in_force = IOC);
        assert_eq!(events, [format!("J{number} 0x2c")], "instrument {id}");
    }
    for (number, time_in_force) in
        (3..).zip([TimeInForce::Day, TimeInForce::UntilTime, TimeInForce::GoodTillCancel])
    {
        let change = |terms: &mut Terms| {
            (terms.time_in_force, terms.expire_s) = (time_in_force, 10);
        };
        let events = enter_as(&mut stage, order(2, number, BUY, 5, MARKET_PX), change);
        assert_eq!(events, [format!("J{number} 0x2c")]);
    }
    // The first trade makes a reference.
    let mut maker = order(1, 1, SELL, 5, 500);
    maker.instrument = 2;
    let mut taker = order(2, 6, BUY, 1, 500);
    taker.instrument = 2;
    stage.tell(&Command::Enter(maker));
    stage.tell(&Command::Enter(taker));
    assert_eq!(stage.engine.reference_px(2), 500);
    let mut enter = order(2, 7, BUY, 5, MARKET_PX);
    enter.instrument = 2;
    let events = enter_as(&mut stage, enter, |terms| terms.time_in_force = IOC);
    assert_eq!(events, ["A7 5@2147483647", "E1/7 4@500", "C7 1 I left 0"]);
}

#[test]
fn the_last_price_is_the_reference_of_the_next_day() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 5, 1_015);
    stage.enter(2, 1, BUY, 5, 1_015);
    stage.tell(&crate::stage::day(20_001));
    assert_eq!(stage.engine.reference_px(1), 1_015);
    stage.tell(&crate::stage::day(20_002));
    assert_eq!(stage.engine.reference_px(1), 1_015, "a day without a trade changes nothing");
}

#[test]
fn a_replace_by_a_market_order_trades_within_the_collar() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 900);
    stage.enter(2, 1, SELL, 4, 1_030);
    let events = replace_as(&mut stage, (1, 2), (10, MARKET_PX), |it| it.time_in_force = IOC);
    let View::Replaced(entered) = events[0].view() else { panic!("{events:?}") };
    assert_eq!((entered.px, entered.qty), (MARKET_PX, 10));
    assert!(matches!(events[1].view(), View::Fill(fill) if (fill.qty, fill.px) == (4, 1_030)));
    assert!(matches!(events[2].view(), View::Canceled(it) if it.reason == b'I'));
}

fn strategy(strategy: Strategy, code: u8) -> impl Fn(&mut Terms) {
    move |terms| terms.prevention = Some(Prevention { strategy, code })
}

/// Two sells of port 1 with one of port 3, which is of another firm, between them.
fn two_firms() -> Stage {
    let mut stage = Stage::new();
    let source = Source { port: 3, generation: 1, channel: 0 };
    let (firm, session) = (*b"ELSE", SESSION);
    stage.tell(&Command::SessionUp(SessionUp { source, firm, session, grace_ms: None }));
    stage.enter(1, 1, SELL, 5, 1_000);
    stage.enter(3, 2, SELL, 5, 1_000);
    stage.enter(1, 3, SELL, 5, 1_000);
    stage
}

#[test]
fn orders_of_one_firm_trade_unless_the_arriving_one_forbids_it() {
    let mut stage = two_firms();
    let events = stage.ioc(2, 1, BUY, 5, 1_000);
    assert_eq!(events, ["A1 5@1000", "E1/1 5@1000"]);
}

#[test]
fn cancel_oldest_ends_makers_of_the_firm_and_goes_on() {
    let mut stage = two_firms();
    let oldest = strategy(Strategy::CancelOldest, b'O');
    let events = enter_as(&mut stage, order(2, 1, BUY, 8, 1_000), oldest);
    assert_eq!(
        events,
        ["A1 8@1000", "P1 5 O left 0", "E2/1 5@1000", "P3 5 O left 0", "R1 3@1000"],
        "maker by maker in the order of the queue"
    );
}

#[test]
fn cancel_newest_ends_the_arriving_order_at_the_first_maker_of_the_firm() {
    let mut stage = two_firms();
    let newest = strategy(Strategy::CancelNewest, b'W');
    let events = enter_as(&mut stage, order(2, 1, BUY, 8, 1_000), newest);
    assert_eq!(events, ["A1 8@1000", "P1 8 W left 0"]);
    assert_eq!(stage.side(Side::Ask).len(), 3);
    assert_eq!(stage.side(Side::Bid), []);
}

#[test]
fn decrement_takes_the_smaller_quantity_from_both() {
    let mut stage = two_firms();
    let both = strategy(Strategy::Decrement, b'D');
    let events = enter_as(&mut stage, order(2, 1, BUY, 3, 1_000), both);
    assert_eq!(events, ["A1 3@1000", "P1 3 D left 2", "P1 3 D left 0"]);
    let quiet = strategy(Strategy::DecrementQuietly, b'y');
    let enter = order(2, 2, BUY, 8, 1_000);
    let mut enter = enter;
    enter.terms.iter_mut().for_each(&quiet);
    let events = stage.tell(&Command::Enter(enter));
    let View::Prevented(maker) = events[1].view() else { panic!("{events:?}") };
    assert_eq!((maker.qty, maker.open, maker.prevented, maker.px), (2, 0, 0, 0), "no details");
    assert_eq!((maker.shown, maker.taker, maker.strategy), (1, 0, b'y'));
    let View::Prevented(taker) = events[2].view() else { panic!("{events:?}") };
    assert_eq!((taker.qty, taker.open, taker.shown, taker.taker), (2, 6, 0, 1));
    assert!(matches!(events[3].view(), View::Fill(fill) if fill.qty == 5));
}

#[test]
fn a_chain_counts_what_was_decremented_only_where_it_is_replaced() {
    let mut stage = Stage::new();
    stage.enter(1, 1, BUY, 10, 1_000);
    let both = strategy(Strategy::Decrement, b'D');
    enter_as(&mut stage, order(2, 1, SELL, 4, 1_000), both);
    stage.ioc(2, 2, SELL, 1, 1_000);
    assert_eq!(stage.side(Side::Bid), [(1_000, 5, 1)]);
    // Reduced to 6 in all, of which 1 is executed: 5 stay open. Replaced by 9 in all: 4.
    assert_eq!(stage.cancel(1, 1, 6), [""; 0]);
    assert_eq!(stage.replace(1, 1, 2, 9, 1_000), ["U1>2 4@1000 rests"]);
    assert_eq!(stage.replace(1, 2, 3, 5, 1_000), ["U2>3 0@1000 dead"]);
}

#[test]
fn a_group_narrows_what_is_prevented() {
    let mut stage = Stage::new();
    enter_as(&mut stage, order(1, 1, SELL, 5, 1_000), |terms| terms.group = 7);
    enter_as(&mut stage, order(1, 2, SELL, 5, 1_000), |terms| terms.group = 8);
    let events = enter_as(&mut stage, order(2, 1, BUY, 10, 1_000), |terms| {
        terms.group = 8;
        terms.prevention = Some(Prevention { strategy: Strategy::CancelOldest, code: b'O' });
    });
    assert_eq!(events, ["A1 10@1000", "E1/1 5@1000", "P2 5 O left 0", "R1 5@1000"]);
}

#[test]
fn a_minimum_quantity_does_not_count_what_would_be_prevented() {
    let mut stage = two_firms();
    let change = |terms: &mut Terms| {
        (terms.time_in_force, terms.min_qty) = (IOC, 6);
        terms.prevention = Some(Prevention { strategy: Strategy::CancelOldest, code: b'O' });
    };
    let events = enter_as(&mut stage, order(2, 1, BUY, 15, 1_000), change);
    assert_eq!(events, ["A1 15@1000 dead"]);
    assert_eq!(stage.side(Side::Ask).len(), 3, "no other effect");
}

/// Sells at one price, each of port 1, which is of the taker's firm, or of another; then an
/// immediate buy that wants all of its quantity, by each strategy.
#[test]
fn fill_or_kill_counts_what_each_strategy_would_let_trade() {
    // Makers of its own firm or of others, the quantity wanted, and whether O, W and D trade it.
    type Case = (&'static [(bool, u32)], u32, [bool; 3]);
    let cases: &[Case] = &[
        (&[(true, 5), (false, 10)], 10, [true, false, false]),
        (&[(false, 5), (true, 5), (false, 10)], 15, [true, false, false]),
        (&[(false, 10), (true, 5)], 10, [true, true, true]),
        (&[(true, 50), (false, 10)], 10, [true, false, false]),
        (&[(false, 5), (true, 50)], 10, [false, false, false]),
    ];
    for (makers, qty, trades) in cases {
        let strategies = [
            (Strategy::CancelOldest, b'O'),
            (Strategy::CancelNewest, b'W'),
            (Strategy::Decrement, b'D'),
        ];
        for ((strategy, code), trades) in strategies.into_iter().zip(trades) {
            let mut stage = Stage::new();
            let source = Source { port: 3, generation: 1, channel: 0 };
            let (firm, session) = (*b"ELSE", SESSION);
            stage.tell(&Command::SessionUp(SessionUp { source, firm, session, grace_ms: None }));
            for (number, &(is_own, open)) in (1..).zip(*makers) {
                stage.enter(if is_own { 1 } else { 3 }, number, SELL, open, 1_000);
            }
            let before = stage.side(Side::Ask);
            let events = enter_as(&mut stage, order(2, 1, BUY, *qty, 1_000), |terms| {
                (terms.time_in_force, terms.min_qty) = (IOC, *qty);
                terms.prevention = Some(Prevention { strategy, code });
            });
            let context = format!("{makers:?}, {qty}, {strategy:?}: {events:?}");
            if *trades {
                let fills = events.iter().filter(|event| event.starts_with('E'));
                let filled: u32 = fills
                    .map(|fill| fill.split(['@', ' ']).nth(1).unwrap().parse::<u32>().unwrap())
                    .sum();
                assert_eq!(filled, *qty, "{context}");
            } else {
                assert_eq!(events, [format!("A1 {qty}@1000 dead")], "{context}");
                assert_eq!(stage.side(Side::Ask), before, "no other effect: {context}");
            }
        }
    }
}

#[test]
fn a_minimum_quantity_is_looked_for_among_so_many_makers() {
    let most = u32::try_from(uncross_engine::limits::MIN_QTY_MAKERS_MAX).unwrap();
    let mut stage = Stage::new();
    for number in 1..=most + 1 {
        stage.enter(1, number, SELL, 1, 1_000);
    }
    let all_of = |qty| move |terms: &mut Terms| (terms.time_in_force, terms.min_qty) = (IOC, qty);
    let events = enter_as(&mut stage, order(2, 1, BUY, most + 1, 1_000), all_of(most + 1));
    assert_eq!(events, [format!("A1 {}@1000 dead", most + 1)]);
    let events = enter_as(&mut stage, order(2, 2, BUY, most, 1_000), all_of(most));
    assert_eq!(events.len(), 1 + usize::try_from(most).unwrap());
}

#[test]
fn the_end_of_a_market_order_does_not_tell_of_hidden_orders() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 5, 1_000);
    enter_as(&mut stage, order(1, 2, SELL, 5, 1_900), hidden);
    let events = stage.ioc(2, 1, BUY, 10, MARKET_PX);
    assert_eq!(events, ["A1 10@2147483647", "E1/1 5@1000", "C1 5 I left 0"]);
}

#[test]
fn an_immediate_order_that_meets_only_its_firm_loses_its_remainder() {
    let mut stage = Stage::new();
    stage.enter(1, 1, SELL, 5, 1_000);
    let events = enter_as(&mut stage, order(2, 1, BUY, 8, 1_000), |terms| {
        terms.time_in_force = IOC;
        terms.prevention = Some(Prevention { strategy: Strategy::CancelOldest, code: b'o' });
    });
    assert_eq!(events, ["A1 8@1000", "P1 5 o left 0", "C1 8 I left 0"]);
}
