//! What the public may know, by computing it: a book from the feed alone, beside the engine's.

use proptest::prelude::*;
use tempfile::TempDir;
use uncross_client::book::{BookSide, Books};
use uncross_engine::{
    Engine, Progress,
    command::{Cancel, Command, DayRoll, Enter, Modify, Replace, SessionUp, Source, Terms},
    event::{Event, View},
    instrument::Instrument,
    limits::Capacity,
    types::{self, Action, Display, Prevention, Side, Strategy as Avoidance, TimeInForce},
};
use uncross_wire::{itch::Message, soup};

use super::Egress;
use crate::streams::{FEED, Streams};

const SESSION: [u8; 10] = *b"SESSION001";
const PORTS: u16 = 2;

/// An engine, its messages, and what a subscriber makes of them.
struct Market {
    engine: Engine,
    egress: Egress,
    seq: u64,
    /// Bytes of the feed that the subscriber has read.
    read: usize,
    books: Books,
    /// Executed quantity of hidden makers, as the engine says and as the feed says.
    hidden_volume: [u64; 2],
    _dir: TempDir,
}

impl Market {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let capacity = Capacity {
            orders: 1_000,
            hidden_orders: 1_000,
            ports: PORTS,
            instruments: 1,
            ..Capacity::default()
        };
        let mut market = Self {
            engine: Engine::new(capacity),
            egress: Egress::over(Streams::new(dir.path(), 0)),
            seq: 0,
            read: 0,
            books: Books::new(),
            hidden_volume: [0; 2],
            _dir: dir,
        };
        market.tell(&Command::Define(Instrument {
            id: 1,
            symbol: *b"DEMO    ",
            price_decimals: 4,
            qty_decimals: 0,
            tick: 1,
            lot: 1,
            qty_min: 1,
            qty_max: 999_999,
            collar_bp: 0,
            reference_px: 0,
        }));
        market.tell(&Command::DayRoll(DayRoll { date: 0, utc_offset_s: 0, session: SESSION }));
        for port in 1..=PORTS {
            let source = Source { port, generation: 1, channel: 0 };
            let (firm, session) = (*b"FIRM", SESSION);
            market.tell(&Command::SessionUp(SessionUp { source, firm, session, grace_ms: None }));
        }
        market
    }

    fn tell(&mut self, command: &Command<'_>) {
        self.seq += 1;
        let mut events: Vec<Event> = Vec::new();
        let mut progress = self.engine.begin(self.seq, self.seq, command, &mut events);
        while progress == Progress::More {
            progress = self.engine.resume(&mut events);
        }
        for event in &events {
            if let View::Fill(fill) = event.view()
                && fill.head.is_hidden()
            {
                self.hidden_volume[0] += u64::from(fill.qty);
            }
            self.egress.write(event).unwrap();
        }
    }

    /// The feed so far.
    fn feed(&mut self) -> Vec<u8> {
        let id = self.egress.streams.current(FEED);
        let stream = self.egress.streams.stream(id);
        let mut bytes = Vec::new();
        while bytes.len() < stream.len() {
            bytes.extend_from_slice(stream.at(bytes.len()));
        }
        bytes
    }

    /// Lets the subscriber read on.
    fn subscribe(&mut self) {
        let feed = self.feed();
        while let Some(frame) = soup::next_frame(&feed[self.read..], 1_000).unwrap() {
            let message = Message::decode(frame.payload).unwrap();
            if let Message::Trade(trade) = &message {
                assert_eq!((trade.order_reference.get(), trade.side), (0, b'B'));
                self.hidden_volume[1] += u64::from(trade.shares.get());
            }
            self.books.apply(&message).unwrap();
            self.read += frame.len_bytes;
        }
    }

    /// The subscriber's book is the displayed part of the engine's, and nothing of the rest.
    fn check(&mut self) {
        self.subscribe();
        let book = self.books.by_locate(1).unwrap();
        for (side, theirs) in [(Side::Bid, BookSide::Bid), (Side::Ask, BookSide::Ask)] {
            let displayed = self.engine.resting(1, side).filter(|it| it.display != Display::Hidden);
            let displayed: Vec<_> = displayed.map(|it| (it.order_ref, it.px, it.open)).collect();
            let seen: Vec<_> =
                book.orders(theirs).map(|it| (it.reference, it.price, it.shares)).collect();
            assert_eq!(seen, displayed, "{side:?}");
        }
        assert_eq!(self.hidden_volume[0], self.hidden_volume[1]);
    }
}

/// One thing a broker does.
#[derive(Clone, Copy, Debug)]
struct Act {
    kind: u8,
    port: u16,
    display: Display,
    action: Action,
    qty: u32,
    px: u32,
    is_immediate: bool,
    avoidance: Option<Avoidance>,
    /// How many numbers back the order is that is meant.
    back: u32,
}

fn act() -> impl Strategy<Value = Act> {
    let displays = prop_oneof![
        Just(Display::Visible),
        Just(Display::Hidden),
        Just(Display::Hidden),
        Just(Display::Attributable),
    ];
    let avoidances = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Avoidance::CancelOldest)),
        1 => Just(Some(Avoidance::Decrement)),
    ];
    let order = (displays, any::<bool>(), 1_u32..50, 95_u32..105, any::<bool>());
    (0_u8..10, 1..=PORTS, order, avoidances, 0_u32..12).prop_map(
        |(kind, port, (display, is_buy, qty, px, is_immediate), avoidance, back)| Act {
            kind,
            port,
            display,
            action: if is_buy { Action::Buy } else { Action::Sell },
            qty,
            px,
            is_immediate: is_immediate && kind < 3,
            avoidance,
            back,
        },
    )
}

impl Act {
    fn command(self, number: u32) -> Command<'static> {
        let source = Source { port: self.port, generation: 1, channel: 0 };
        let time_in_force =
            if self.is_immediate { TimeInForce::ImmediateOrCancel } else { TimeInForce::Day };
        let prevention = self.avoidance.map(|strategy| Prevention { strategy, code: b'D' });
        let agency = types::Capacity::Agency;
        let plain = Terms::plain(self.action, time_in_force, agency, self.display);
        let terms = Ok(Terms { prevention, ..plain });
        let (client_order_id, echo): (_, &[u8]) = (b"              ", b"");
        let Self { qty, px, .. } = self;
        let user_ref_num = number.saturating_sub(1 + self.back);
        match self.kind {
            0..6 => Command::Enter(Enter {
                source,
                user_ref_num: number,
                instrument: 1,
                qty,
                px,
                terms,
                client_order_id,
                echo,
            }),
            6..8 => Command::Replace(Replace {
                source,
                orig_user_ref_num: user_ref_num,
                user_ref_num: number,
                qty,
                px,
                terms,
                client_order_id,
                echo,
            }),
            8 => {
                let qty = Some(qty / 2);
                Command::Cancel(Cancel { source, user_ref_num, order_ref: None, qty })
            }
            _ => {
                let action = Some(self.action);
                Command::Modify(Modify { source, user_ref_num, action, qty: qty / 2 })
            }
        }
    }
}

proptest! {
    #[test]
    fn a_book_from_the_feed_holds_what_is_displayed_and_no_more(
        acts in proptest::collection::vec(act(), 1..300),
    ) {
        let mut market = Market::open();
        let mut numbers = [0; PORTS as usize + 1];
        for act in acts {
            let number = &mut numbers[usize::from(act.port)];
            *number += 1;
            market.tell(&act.command(*number));
            market.check();
        }
    }

    /// Hidden orders stand far from the market, so that none trades. Everything else is the same
    /// with and without them: times, references, match numbers.
    #[test]
    fn hidden_orders_that_do_not_trade_change_no_byte_of_the_feed(
        acts in proptest::collection::vec(act(), 1..300),
    ) {
        let [with, without] = [true, false].map(|has_hidden| {
            let mut market = Market::open();
            let mut numbers = [0; PORTS as usize + 1];
            for mut act in acts.iter().copied() {
                // Port 1 hides what it enters, port 2 displays it.
                let is_hidden = act.port == 1;
                act.display = if is_hidden { Display::Hidden } else { Display::Visible };
                if is_hidden {
                    (act.action, act.px) = (Action::Buy, 10);
                }
                let number = &mut numbers[usize::from(act.port)];
                *number += 1;
                if is_hidden && !has_hidden {
                    // Time passes all the same.
                    market.tell(&Command::Tick);
                } else {
                    market.tell(&act.command(*number));
                }
            }
            market.feed()
        });
        prop_assert_eq!(with, without);
    }
}
