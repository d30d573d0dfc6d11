//! A seeded stream of commands that visits every rule, valid and invalid alike.

use uncross_engine::{
    command::{
        Cancel, Command, DayRoll, Enter, EntrySwitch, MassCancel, Modify, Refuse, Replace, Scope,
        SessionUp, Source, Terms,
    },
    instrument::Instrument,
    reject::Reject,
    types::{Action, Capacity, TimeInForce},
};

pub(crate) const PORTS: u16 = 4;
pub(crate) const INSTRUMENTS: u32 = 3;

/// A small reproducible source of numbers: a 64-bit linear congruential generator, upper bits.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        u32::try_from(((self.0 >> 32) * u64::from(bound)) >> 32).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }
}

/// An instrument of `tick` 5 with prices around 1,000.
pub(crate) fn instrument(id: u32) -> Instrument {
    let mut symbol = *b"SYM     ";
    symbol[3] = b'0' + u8::try_from(id).unwrap();
    Instrument {
        id,
        symbol,
        price_decimals: 4,
        qty_decimals: 0,
        tick: 5,
        lot: 1,
        qty_min: 1,
        qty_max: 999_999,
    }
}

/// Makes commands; remembers what it sent so that later ones refer to it.
#[derive(Debug)]
pub(crate) struct Flow {
    random: Random,
    marks: [u32; PORTS as usize + 1],
    generations: [u16; PORTS as usize + 1],
    dates: u32,
    wild_prices: bool,
}

const ECHO: [u8; 120] = [7; 120];
const SESSION: [u8; 10] = *b" SESSION01";

impl Flow {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            marks: [0; PORTS as usize + 1],
            generations: [0; PORTS as usize + 1],
            dates: 20_000,
            wild_prices: seed.is_multiple_of(2),
        }
    }

    /// What a venue is told before its first order.
    pub(crate) fn opening(&mut self) -> Vec<Command<'static>> {
        let mut commands: Vec<Command<'static>> =
            (1..=INSTRUMENTS).map(|id| Command::Define(instrument(id))).collect();
        commands.push(self.day_roll());
        commands.extend((1..=PORTS).map(|port| self.session_up(port)));
        commands
    }

    fn day_roll(&mut self) -> Command<'static> {
        self.dates += 1;
        self.marks = [0; PORTS as usize + 1];
        let (date, session) = (self.dates, SESSION);
        Command::DayRoll(DayRoll { date, utc_offset_s: 3_600, session })
    }

    fn session_up(&mut self, port: u16) -> Command<'static> {
        self.generations[usize::from(port)] += 1;
        Command::SessionUp(SessionUp {
            source: self.source(port),
            firm: *b"FIRM",
            session: SESSION,
        })
    }

    fn source(&self, port: u16) -> Source {
        Source { port, generation: self.generations[usize::from(port)], channel: 0 }
    }

    fn px(&mut self) -> u32 {
        if self.wild_prices && self.random.one_in(20) {
            return [5, 1_999_999_900, 5_000_000, 1_000_000_000][self.random.below(4) as usize];
        }
        match self.random.below(60) {
            0 => [0, 2_000_000_000, 0x7FFF_FFFF, u32::MAX, 1_002][self.random.below(5) as usize],
            _ => 950 + 5 * self.random.below(20),
        }
    }

    fn qty(&mut self) -> u32 {
        match self.random.below(50) {
            0 => [0, 1_000_000, u32::MAX, 999_999][self.random.below(4) as usize],
            _ => 1 + self.random.below(100),
        }
    }

    fn terms(&mut self) -> Result<Terms, Reject> {
        if self.random.one_in(60) {
            return Err(Reject::Display);
        }
        let code = match self.random.below(16) {
            0..8 => 0,
            8..14 => 1,
            short => u8::try_from(short - 12).unwrap(),
        };
        let time_in_force = match self.random.below(10) {
            0..2 => TimeInForce::ImmediateOrCancel,
            2..5 => TimeInForce::UntilTime,
            _ => TimeInForce::Day,
        };
        Ok(Terms {
            action: Action::from_code(code),
            time_in_force,
            post_only: self.random.one_in(10),
            expire_s: 1 + self.random.below(20),
            min_qty: match (time_in_force, self.random.below(60)) {
                (TimeInForce::Day | TimeInForce::UntilTime, 1..) => 0,
                _ => self.random.below(120),
            },
            capacity: Capacity::from_code(u8::try_from(self.random.below(4)).unwrap()),
            firm: match self.random.below(40) {
                0 => Some(*b"ELSE"),
                1..10 => Some(*b"FIRM"),
                _ => None,
            },
        })
    }

    fn firm(&mut self) -> [u8; 4] {
        *[b"    ", b"FIRM", b"FIRM", b"ELSE"][self.random.below(4) as usize]
    }

    fn scope(&mut self) -> Result<Scope, Reject> {
        if self.random.one_in(10) {
            return Err(Reject::Symbol);
        }
        let instrument = 1 + self.random.below(2 * INSTRUMENTS);
        let action = Action::from_code(u8::try_from(self.random.below(4)).unwrap());
        Ok(Scope {
            instrument: (instrument <= INSTRUMENTS).then_some(instrument),
            action: self.random.one_in(3).then_some(action),
        })
    }

    /// A new number, now and then a used or an absurd one.
    fn next_number(&mut self, port: u16) -> u32 {
        let mark = &mut self.marks[usize::from(port)];
        match self.random.below(50) {
            0 => self.random.below(*mark + 1),
            1 => *mark + (1 << 24) + 1 + self.random.below(9),
            2 => {
                *mark += 1 + self.random.below(300);
                *mark
            }
            _ => {
                *mark += 1;
                *mark
            }
        }
    }

    /// The number of some recent order, dead or alive.
    fn past_number(&mut self, port: u16) -> u32 {
        let back = self.random.below(60);
        self.marks[usize::from(port)].saturating_sub(back)
    }

    pub(crate) fn next(&mut self) -> Command<'static> {
        let port = 1 + u16::try_from(self.random.below(u32::from(PORTS))).unwrap();
        let mut source = self.source(port);
        if self.random.one_in(100) {
            source.generation = source.generation.wrapping_sub(1);
        }
        source.channel = u8::from(self.random.one_in(100));
        let echo = &ECHO[..self.random.below(120) as usize * usize::from(self.random.one_in(8))];
        match self.random.below(1_000) {
            0 if self.random.one_in(4) => self.day_roll(),
            0..15 => self.session_up(port),
            15..18 => Command::SessionDown(source),
            18..20 => Command::AccountQuery(source),
            20..30 => Command::Refuse(Refuse {
                source,
                user_ref_num: self.next_number(port),
                reason: 0x29,
                client_order_id: *b"REFUSED       ",
            }),
            30..33 => Command::Tick,
            33 => Command::MassCancel(MassCancel {
                source,
                user_ref_num: self.next_number(port),
                firm: self.firm(),
                symbol: *b"        ",
                scope: self.scope(),
            }),
            34 => Command::EntrySwitch(EntrySwitch {
                source,
                user_ref_num: self.next_number(port),
                firm: self.firm(),
                is_enabled: Ok(!self.random.one_in(4)),
            }),
            35..235 => Command::Cancel(Cancel {
                source,
                user_ref_num: self.past_number(port),
                qty: match self.random.below(40) {
                    0 => None,
                    1..20 => Some(0),
                    _ => Some(self.qty()),
                },
            }),
            235..300 => Command::Modify(Modify {
                source,
                user_ref_num: self.past_number(port),
                action: (!self.random.one_in(30))
                    .then(|| Action::from_code(u8::try_from(self.random.below(4)).unwrap())),
                qty: self.qty(),
            }),
            300..500 => Command::Replace(Replace {
                source,
                orig_user_ref_num: self.past_number(port),
                user_ref_num: self.next_number(port),
                qty: self.qty(),
                px: self.px(),
                terms: self.terms(),
                client_order_id: *b"REPLACE       ",
                echo,
            }),
            _ => Command::Enter(Enter {
                source,
                user_ref_num: self.next_number(port),
                instrument: self.random.below(INSTRUMENTS * 20).clamp(0, INSTRUMENTS),
                qty: self.qty(),
                px: self.px(),
                terms: self.terms(),
                client_order_id: *b"ENTER         ",
                echo,
            }),
        }
    }
}
