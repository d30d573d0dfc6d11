//! The engine against the naive book: whole event lists, books and invariants, after each command.

use uncross_engine::{
    Engine, Progress,
    command::{Command, Enter, SessionUp, Source, Terms},
    event::{Event, View},
    limits::{Capacity, STEP_EVENTS_MAX},
    naive::Naive,
    types::{Display, Prevention, Price, Side, Strategy},
};

use crate::{
    flow::{Flow, INSTRUMENTS, PORTS, instrument},
    stage::{BUY, IOC, SELL, SESSION, Stage, order},
};

/// Tables in which everything fits; under Miri, which takes long to make them, small ones.
pub(crate) const CAPACITY: Capacity = Capacity {
    orders: ROOM * 10,
    hidden_orders: ROOM * 5 / 2,
    levels: ROOM,
    nodes: ROOM,
    instruments: 8,
    ports: PORTS,
    port_orders: ROOM * 10,
    port_pages: ROOM * 10,
    user_ref_pages: ROOM * 10,
};
const ROOM: u32 = if cfg!(miri) { 40 } else { 2_000 };

/// Tables whose ends are met all the time.
pub(crate) const TIGHT: Capacity =
    Capacity { orders: 10, hidden_orders: 5, levels: 10, port_orders: 6, ..CAPACITY };

/// Time between two commands: expiries of some seconds come due among them.
pub(crate) const STEP_NS: u64 = 100_000_000;

/// Applies a command, checking the promise about steps.
pub(crate) fn apply(engine: &mut Engine, seq: u64, command: &Command<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut progress = engine.begin(seq, seq * STEP_NS, command, &mut events);
    assert!(events.len() <= STEP_EVENTS_MAX);
    while progress == Progress::More {
        let before = events.len();
        progress = engine.resume(&mut events);
        assert!(events.len() - before <= STEP_EVENTS_MAX);
    }
    events
}

/// Totals that must come out even: what was accepted is open, traded or taken away.
#[derive(Debug, Default)]
struct Conservation {
    entered: u64,
    traded: u64,
    taken: u64,
    /// Orders without a code of their own; where tables are tight, mostly those for want of room.
    refused: u64,
}

impl Conservation {
    fn count(&mut self, events: &[Event]) {
        for event in events {
            match event.view() {
                View::Accepted(entered) => {
                    self.entered += u64::from(entered.qty);
                    if entered.marks.is_dead() {
                        self.taken += u64::from(entered.qty);
                    }
                }
                View::Rejected(rejected) => self.refused += u64::from(rejected.reason == 0x0F),
                View::Fill(fill) => self.traded += 2 * u64::from(fill.qty),
                View::Canceled(canceled) => self.taken += u64::from(canceled.qty),
                View::Prevented(prevented) => self.taken += u64::from(prevented.qty),
                View::Modified(modified) => self.taken += u64::from(modified.qty),
                _ => {}
            }
        }
    }
}

fn check_books(engine: &Engine, naive: &Naive, context: &str) -> u64 {
    let mut open = 0;
    for id in 1..=INSTRUMENTS {
        for side in [Side::Bid, Side::Ask] {
            let mut theirs = naive.resting(id, side);
            for ours in engine.resting(id, side) {
                assert_eq!(Some(ours), theirs.next(), "{context}: instrument {id} {side:?}");
                assert_eq!(ours.action.side(), side, "{context}");
                open += u64::from(ours.open);
            }
            assert_eq!(theirs.next(), None, "{context}: instrument {id} {side:?}");
        }
        let [bid, ask] = engine.best(id);
        let first = |side| {
            let mut orders = engine.resting(id, side);
            orders.find(|order| order.display != Display::Hidden).map(|order| order.px)
        };
        assert_eq!(bid.map(Price::raw), first(Side::Bid), "{context}: best bid");
        assert_eq!(ask.map(Price::raw), first(Side::Ask), "{context}: best ask");
        let [bid, ask] =
            [Side::Bid, Side::Ask].map(|side| engine.resting(id, side).next().map(|it| it.px));
        if let (Some(bid), Some(ask)) = (bid, ask) {
            assert!(bid < ask, "{context}: crossed book {bid} {ask}");
        }
    }
    open
}

/// Keeps the last references that events name.
pub(crate) fn note_references(events: &[Event], references: &mut Vec<u64>) {
    for event in events {
        match event.view() {
            View::Accepted(it) | View::Replaced(it) => references.push(it.order_ref),
            View::Restated(it) => references.push(it.order_ref),
            _ => {}
        }
    }
    let surplus = references.len().saturating_sub(64);
    references.drain(..surplus);
}

/// Runs one seed; adds what happened to `sums`.
fn run(seed: u64, commands: u64, sums: &mut Conservation) {
    let mut flow = Flow::new(seed);
    let capacity = if seed.is_multiple_of(3) { TIGHT } else { CAPACITY };
    let mut engine = Engine::new(capacity);
    let mut naive = Naive::new(capacity);
    let opening = flow.opening();
    // Some of the references given so far, for commands that name orders by them.
    let mut references = Vec::new();
    for seq in 1..=commands {
        let is_due = engine.due_ns().is_some_and(|due_ns| due_ns <= seq * STEP_NS);
        let command = match usize::try_from(seq - 1).ok().and_then(|at| opening.get(at)) {
            Some(&command) => command,
            None if is_due => Command::Tick,
            None => flow.next(&references),
        };
        let ours = apply(&mut engine, seq, &command);
        let mut theirs = Vec::new();
        naive.apply(seq, seq * STEP_NS, &command, &mut theirs);
        let context = format!("seed {seed}, command {seq}: {command:?}");
        assert_eq!(ours, theirs, "{context}");
        check_books(&engine, &naive, &context);
        sums.count(&ours);
        note_references(&ours, &mut references);
    }
}

/// Commands of one merge's comparison; `UNCROSS_DIFFERENTIAL_COMMANDS` asks for another number.
fn commands_total() -> u64 {
    std::env::var("UNCROSS_DIFFERENTIAL_COMMANDS")
        .map_or(if cfg!(miri) { 250 } else { 2_000_000 }, |text| {
            text.parse().expect("a number of commands")
        })
}

#[test]
fn engine_and_naive_book_agree_on_every_event_and_every_book() {
    const COMMANDS_PER_SEED: u64 = if cfg!(miri) { 250 } else { 4_000 };
    let mut sums = Conservation::default();
    let total = commands_total();
    for seed in 0..total.div_ceil(COMMANDS_PER_SEED) {
        run(seed, COMMANDS_PER_SEED, &mut sums);
    }
    // A flow in which everything is refused would agree on anything.
    assert!(total < sums.traded && total < sums.taken, "{sums:?}");
    assert!(total / 20 < sums.refused, "the tight tables are seldom full: {sums:?}");
}

#[test]
fn sweeps_longer_than_a_step_agree() {
    for (id, maker, taker) in [(1, SELL, BUY), (2, SELL, BUY), (2, BUY, SELL)] {
        let mut stage = Stage::unopened(CAPACITY);
        let mut naive = Naive::new(CAPACITY);
        let mut tell = |command: &Command<'_>| {
            let ours = stage.tell(command);
            let mut theirs = Vec::new();
            naive.apply(stage.seq, stage.seq * STEP_NS, command, &mut theirs);
            assert_eq!(ours, theirs, "{command:?}");
            ours.len()
        };
        for command in Stage::opening() {
            tell(&command);
        }
        tell(&Command::Define(instrument(2)));
        let mut number = 0;
        // Around the fills that the steps have room for: 126 in the first, 254 in those after.
        for makers in [1, 125, 126, 127, 253, 254, 379, 380, 381, 700] {
            for more in [0, 5] {
                for _ in 0..makers {
                    number += 1;
                    let px = 1_000 + number % 3 * 100;
                    tell(&Command::Enter(of(id, order(1, number, maker, 1, px))));
                }
                let px = if taker == BUY { 1_200 } else { 1_000 };
                let mut taker = of(id, order(2, number, taker, makers + more, px));
                taker.terms = taker.terms.map(|terms| Terms { time_in_force: IOC, ..terms });
                let events = tell(&Command::Enter(taker));
                assert_eq!(events, (1 + makers + more.min(1)) as usize, "{makers} and {more}");
            }
        }
    }
}

/// The order in another instrument.
fn of(id: u32, enter: Enter<'static>) -> Enter<'static> {
    Enter { instrument: id, ..enter }
}

#[test]
fn long_sweeps_that_may_not_meet_their_own_firm_come_in_steps_and_agree() {
    let strategies = [(Strategy::CancelOldest, b'O'), (Strategy::Decrement, b'D')];
    // Port 2 is of the makers' firm, port 3 is not.
    for (port, (strategy, code)) in [2, 3].into_iter().flat_map(|it| strategies.map(|s| (it, s))) {
        let mut stage = Stage::unopened(CAPACITY);
        let mut naive = Naive::new(CAPACITY);
        let mut tell = |command: &Command<'_>| {
            // Holds the steps to their length.
            let ours = stage.tell(command);
            let mut theirs = Vec::new();
            naive.apply(stage.seq, stage.seq * STEP_NS, command, &mut theirs);
            assert_eq!(ours, theirs, "{command:?}");
        };
        Stage::opening().iter().for_each(&mut tell);
        let (source, firm) = (Source { port: 3, generation: 1, channel: 0 }, *b"ELSE");
        let up = SessionUp { source, firm, session: SESSION, grace_ms: None };
        tell(&Command::SessionUp(up));
        let mut number = 0;
        for makers in [62, 63, 64, 127, 190, 253, 700] {
            for _ in 0..makers {
                number += 1;
                tell(&Command::Enter(order(1, number, SELL, 1, 1_000)));
            }
            let mut taker = order(port, number, BUY, makers + 5, 1_000);
            taker.terms = taker.terms.map(|terms| Terms {
                time_in_force: IOC,
                prevention: Some(Prevention { strategy, code }),
                ..terms
            });
            tell(&Command::Enter(taker));
        }
    }
}

#[test]
fn quantity_is_neither_made_nor_lost() {
    let mut flow = Flow::new(99);
    let mut engine = Engine::new(CAPACITY);
    let mut sums = Conservation::default();
    let mut replaced = 0_i64;
    let opening = flow.opening();
    for seq in 1..=50_000_u64 {
        let is_due = engine.due_ns().is_some_and(|due_ns| due_ns <= seq * STEP_NS);
        let command = match usize::try_from(seq - 1).ok().and_then(|at| opening.get(at)) {
            Some(&command) => command,
            None if is_due => Command::Tick,
            None => flow.next(&[]),
        };
        let before = open_total(&engine);
        let events = apply(&mut engine, seq, &command);
        sums.count(&events);
        // A replace restates the open quantity; the difference is its own doing.
        for event in &events {
            if let View::Replaced(entered) = event.view() {
                let old = i64::try_from(before.1(entered.old_order_ref)).unwrap();
                replaced += i64::from(entered.qty) - old;
                if entered.marks.is_dead() {
                    replaced -= i64::from(entered.qty);
                }
            }
        }
        let open = i64::try_from(open_total(&engine).0).unwrap();
        let entered = i64::try_from(sums.entered).unwrap() + replaced;
        let gone = i64::try_from(sums.traded + sums.taken).unwrap();
        assert_eq!(entered - gone, open, "command {seq}: {command:?}");
    }
}

/// All open quantity, and a way to ask for that of one order.
fn open_total(engine: &Engine) -> (u64, impl Fn(u64) -> u64 + use<>) {
    let mut orders = Vec::new();
    for id in 1..=INSTRUMENTS {
        for side in [Side::Bid, Side::Ask] {
            orders.extend(engine.resting(id, side).map(|o| (o.order_ref, u64::from(o.open))));
        }
    }
    let total = orders.iter().map(|(_, open)| open).sum();
    let of = move |order_ref| {
        orders.iter().find(|(it, _)| *it == order_ref).map_or(0, |(_, open)| *open)
    };
    (total, of)
}
