//! Tests: a slot has as many lives a day as a reference can count; after the last one it rests
//! until the next day, however the order in it ended, so that no reference is ever given twice.

use crate::{
    Engine, Progress,
    command::{Cancel, Command, DayRoll, Enter, Modify, Replace, SessionUp, Source, Terms},
    event::{Event, View},
    instrument::Instrument,
    limits::{Capacity, GENERATION_MAX, GENERATION_MIN, QTY_MAX},
    types::{
        self, Action, Display, OrderRef, Prevention, Strategy, TimeInForce,
        TimeInForce::ImmediateOrCancel,
    },
};

const SESSION: [u8; 10] = *b"SESSION001";
const ORDERS: u32 = 4;

struct Venue {
    engine: Engine,
    seq: u64,
    numbers: [u32; 3],
}

const fn source(port: u16) -> Source {
    Source { port, generation: 1, channel: 0 }
}

impl Venue {
    fn new() -> Self {
        let capacity = Capacity {
            orders: ORDERS,
            hidden_orders: 1,
            levels: 8,
            nodes: 32,
            instruments: 1,
            ports: 2,
            user_ref_pages: 8,
            ..Capacity::default()
        };
        let mut venue = Self { engine: Engine::new(capacity), seq: 0, numbers: [0; 3] };
        venue.tell(&Command::Define(Instrument {
            id: 1,
            symbol: *b"DEMO    ",
            price_decimals: 4,
            qty_decimals: 0,
            tick: 1,
            lot: 1,
            qty_min: 1,
            qty_max: QTY_MAX,
            collar_bp: 0,
            reference_px: 0,
        }));
        venue.begin_day(20_000);
        venue
    }

    fn tell(&mut self, command: &Command<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        self.seq += 1;
        let mut progress = self.engine.begin(self.seq, self.seq, command, &mut events);
        while progress == Progress::More {
            progress = self.engine.resume(&mut events);
        }
        events
    }

    fn begin_day(&mut self, date: u32) {
        self.numbers = [0; 3];
        self.tell(&Command::DayRoll(DayRoll { date, utc_offset_s: 0, session: SESSION }));
        for port in [1, 2] {
            let (source, firm, session) = (source(port), *b"FIRM", SESSION);
            self.tell(&Command::SessionUp(SessionUp { source, firm, session, grace_ms: None }));
        }
    }

    /// A new order of `port`; its reference.
    fn enter(&mut self, port: u16, action: Action, change: impl FnOnce(&mut Terms)) -> u64 {
        let mut terms = TERMS;
        terms.action = action;
        change(&mut terms);
        let number = &mut self.numbers[usize::from(port)];
        *number += 1;
        let enter = Enter {
            source: source(port),
            user_ref_num: *number,
            instrument: 1,
            qty: 10,
            px: 1_000,
            terms: Ok(terms),
            client_order_id: b"              ",
            echo: &[],
        };
        let events = self.tell(&Command::Enter(enter));
        let View::Accepted(entered) = events[0].view() else { panic!("{events:?}") };
        entered.order_ref
    }

    fn free(&self) -> u32 {
        self.engine.store.arena.orders_free(false)
    }
}

const TERMS: Terms =
    Terms::plain(Action::Buy, TimeInForce::Day, types::Capacity::Agency, Display::Visible);

const fn nothing(_terms: &mut Terms) {}

const fn immediate(terms: &mut Terms) {
    terms.time_in_force = ImmediateOrCancel;
}

const fn guarded(terms: &mut Terms) {
    terms.time_in_force = ImmediateOrCancel;
    terms.prevention = Some(Prevention { strategy: Strategy::CancelOldest, code: b'O' });
}

/// Lives that it takes, how the order in the slot enters, and what ends it.
type Case = (&'static str, u32, fn(&mut Terms), fn(&mut Venue));

const CASES: [Case; 8] = [
    ("fill", 1, nothing, |venue| {
        venue.enter(2, Action::Sell, immediate);
    }),
    ("fill by an order that rests", 1, nothing, |venue| {
        venue.enter(2, Action::Sell, nothing);
    }),
    ("prevention", 1, nothing, |venue| {
        venue.enter(2, Action::Sell, guarded);
    }),
    ("cancel", 1, nothing, |venue| {
        let (source, user_ref_num) = (source(1), venue.numbers[1]);
        let cancel = Cancel { source, user_ref_num, order_ref: None, qty: Some(0) };
        venue.tell(&Command::Cancel(cancel));
    }),
    ("modify", 1, nothing, |venue| {
        let (source, user_ref_num, action) = (source(1), venue.numbers[1], Some(Action::Buy));
        venue.tell(&Command::Modify(Modify { source, user_ref_num, action, qty: 0 }));
    }),
    ("replace", 2, nothing, |venue| {
        let orig_user_ref_num = venue.numbers[1];
        venue.numbers[1] += 1;
        let replace = Replace {
            source: source(1),
            orig_user_ref_num,
            user_ref_num: orig_user_ref_num + 1,
            qty: 10,
            px: 900,
            terms: Ok(TERMS),
            client_order_id: b"              ",
            echo: &[],
        };
        let events = venue.tell(&Command::Replace(replace));
        assert!(matches!(events[0].view(), View::Replaced(it) if it.marks.is_resting()));
        let user_ref_num = orig_user_ref_num + 1;
        let cancel = Cancel { source: source(1), user_ref_num, order_ref: None, qty: Some(0) };
        assert_eq!(venue.tell(&Command::Cancel(cancel)).len(), 1);
    }),
    ("nothing to take", 1, immediate, |_| ()),
    ("nothing to take for one that is guarded", 1, guarded, |_| ()),
];

#[test]
fn a_slot_rests_after_its_last_life_until_the_next_day_however_that_ended() {
    for (name, lives, terms, end) in CASES {
        // In the last life, and with one left.
        for (life, retired) in [(GENERATION_MAX, 1), (GENERATION_MAX - lives, 0)] {
            let mut venue = Venue::new();
            // The slot is used once, so that it is the next one.
            let first = venue.enter(1, Action::Buy, immediate);
            let slot = OrderRef::slot_of(first);
            venue.engine.store.arena.unit_mut(slot).generation = life;
            let reference = venue.enter(1, Action::Buy, terms);
            assert_eq!(OrderRef::slot_of(reference), slot, "{name}");
            end(&mut venue);
            assert_eq!(venue.free(), ORDERS - retired, "{name} in life {life}");
            let mut seen = vec![reference];
            for _ in 0..venue.free() {
                let reference = venue.enter(1, Action::Buy, nothing);
                assert!(!seen.contains(&reference), "{name}: {reference:#x} was given twice");
                seen.push(reference);
            }
            venue.begin_day(20_001);
            assert_eq!(venue.free(), ORDERS, "{name}: a new day");
            let generation = venue.engine.store.arena.unit(slot).generation();
            assert_eq!(generation, GENERATION_MIN, "{name}: lives are counted anew");
        }
    }
}

#[test]
fn a_taker_in_the_last_life_of_its_slot_trades_like_any_other() {
    for terms in [nothing, immediate, guarded] {
        let mut venue = Venue::new();
        let slot = OrderRef::slot_of(venue.enter(1, Action::Buy, immediate));
        let maker = venue.enter(1, Action::Sell, nothing);
        assert_eq!(OrderRef::slot_of(maker), slot);
        let other = OrderRef::slot_of(venue.enter(2, Action::Sell, nothing));
        venue.tell(&Command::Cancel(Cancel {
            source: source(2),
            user_ref_num: venue.numbers[2],
            order_ref: None,
            qty: Some(0),
        }));
        venue.engine.store.arena.unit_mut(other).generation = GENERATION_MAX;
        let taker = venue.enter(2, Action::Buy, terms);
        assert_eq!(OrderRef::slot_of(taker), other);
        assert_eq!(venue.engine.resting(1, types::Side::Ask).count(), 0, "the maker is gone");
        assert_eq!(venue.free(), ORDERS - 1, "the taker's slot rests");
    }
}
