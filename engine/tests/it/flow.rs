//! A seeded stream of commands that visits every rule, valid and invalid alike.

use uncross_engine::{
    command::{
        Act, Administer, Cancel, Command, DayRoll, DropCopy, Enter, EntrySwitch, Epoch, MassCancel,
        Modify, Refuse, Replace, Scope, SessionUp, Source, Target, Terms,
    },
    instrument::{CROSS_MARKET_PX, Instrument, MARKET_PX},
    limits::COPIED_FIRMS_MAX,
    reject::Reject,
    types::{Action, Capacity, Display, Prevention, Strategy, TimeInForce},
};

pub(crate) const PORTS: u16 = 4;
pub(crate) const INSTRUMENTS: u32 = 3;
/// Channels of a port that are used: 0 mostly, then 1 and 255.
const CHANNELS: [u8; 3] = [0, 1, 255];

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
        collar_bp: 300,
        // One instrument has no reference price before its first trade.
        reference_px: if id == 2 { 0 } else { 1_000 },
    }
}

/// Two ports of one firm, one of another, one without a firm.
const fn firm_of(port: u16) -> [u8; 4] {
    match port {
        1 | 2 => *b"FIRM",
        3 => *b"ELSE",
        _ => *b"    ",
    }
}

/// Makes commands; remembers what it sent so that later ones refer to it.
#[derive(Debug)]
pub(crate) struct Flow {
    random: Random,
    /// By port and position in [`CHANNELS`].
    marks: [[u32; CHANNELS.len()]; PORTS as usize + 1],
    generations: [u16; PORTS as usize + 1],
    dates: u32,
    epochs: u32,
    wild_prices: bool,
    /// Acts that take back what others did, so that the venue does not come to a standstill.
    undo: Vec<Act>,
    /// The table of copied firms is all but full from the beginning.
    has_many_copies: bool,
}

const ECHO: [u8; 120] = [7; 120];
const SESSION: [u8; 10] = *b" SESSION01";

impl Flow {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            marks: [[0; CHANNELS.len()]; PORTS as usize + 1],
            generations: [0; PORTS as usize + 1],
            dates: 20_000,
            epochs: 0,
            undo: Vec::new(),
            wild_prices: seed.is_multiple_of(2),
            has_many_copies: seed.is_multiple_of(5),
        }
    }

    /// What a venue is told before its first order.
    pub(crate) fn opening(&mut self) -> Vec<Command<'static>> {
        let mut commands: Vec<Command<'static>> =
            (1..=INSTRUMENTS).map(|id| Command::Define(instrument(id))).collect();
        if self.has_many_copies {
            commands.extend((2..COPIED_FIRMS_MAX).map(|number| {
                let digit = |number: usize| b'0' + u8::try_from(number).unwrap();
                let firm = [b'X', b'X', digit(number / 10), digit(number % 10)];
                Command::DropCopy(DropCopy { firm, is_on: true })
            }));
        }
        commands.push(self.day_roll());
        commands.extend((1..=PORTS).map(|port| self.session_up(port)));
        commands
    }

    fn day_roll(&mut self) -> Command<'static> {
        self.dates += 1;
        self.marks = [[0; CHANNELS.len()]; PORTS as usize + 1];
        let (date, session) = (self.dates, SESSION);
        Command::DayRoll(DayRoll { date, utc_offset_s: 3_600, session })
    }

    fn session_up(&mut self, port: u16) -> Command<'static> {
        self.generations[usize::from(port)] += 1;
        let grace_ms = match self.random.below(4) {
            0 => Some(self.random.below(10) * 100),
            1 => Some(self.random.below(3_000)),
            _ => None,
        };
        let (source, session) = (self.source(port), SESSION);
        // Now and then a user has changed firms.
        let firm = if self.random.one_in(20) { self.firm() } else { firm_of(port) };
        Command::SessionUp(SessionUp { source, firm, session, grace_ms })
    }

    /// A new epoch comes with a start, before which all connections are gone.
    fn epoch(&mut self) -> Command<'static> {
        self.epochs += 1;
        Command::Epoch(Epoch { epoch: self.epochs, session: SESSION })
    }

    fn source(&self, port: u16) -> Source {
        Source { port, generation: self.generations[usize::from(port)], channel: 0 }
    }

    fn px(&mut self) -> u32 {
        if self.wild_prices && self.random.one_in(20) {
            return [5, 1_999_999_900, 5_000_000, 1_000_000_000][self.random.below(4) as usize];
        }
        match self.random.below(60) {
            0 => [0, u32::MAX, 1_002][self.random.below(3) as usize],
            1..5 => [CROSS_MARKET_PX, MARKET_PX][self.random.below(2) as usize],
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
            5 => TimeInForce::GoodTillCancel,
            _ => TimeInForce::Day,
        };
        let display = [0, 0, 0, 1, 1, 2][self.random.below(6) as usize];
        Ok(Terms {
            action: Action::from_code(code),
            time_in_force,
            display: Display::from_code(display),
            post_only: self.random.one_in(10),
            expire_s: 1 + self.random.below(20),
            min_qty: match (time_in_force, self.random.below(60)) {
                (TimeInForce::ImmediateOrCancel, 0..30) | (_, 0) => self.random.below(120),
                _ => 0,
            },
            capacity: Capacity::from_code(u8::try_from(self.random.below(4)).unwrap()),
            firm: match self.random.below(40) {
                0 => Some(*b"ELSE"),
                1..5 => Some(*b"FIRM"),
                _ => None,
            },
            prevention: self.prevention(),
            group: [0, 0, 1, 2][self.random.below(4) as usize],
        })
    }

    fn prevention(&mut self) -> Option<Prevention> {
        let (strategy, code) = match self.random.below(20) {
            0 => (Strategy::CancelOldest, b'O'),
            1 => (Strategy::CancelNewest, b'W'),
            2 => (Strategy::Decrement, b'D'),
            3 => (Strategy::DecrementQuietly, b'Y'),
            _ => return None,
        };
        Some(Prevention { strategy, code })
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

    /// A new number of a channel, now and then a used or an absurd one.
    fn next_number(&mut self, source: Source) -> u32 {
        let mark = self.mark(source);
        let number = match self.random.below(50) {
            0 => return self.random.below(mark + 1),
            1 => return mark + (1 << 24) + 1 + self.random.below(9),
            2 => mark + 1 + self.random.below(300),
            _ => mark + 1,
        };
        let at = CHANNELS.iter().position(|&channel| channel == source.channel);
        self.marks[usize::from(source.port)][at.unwrap()] = number;
        number
    }

    fn mark(&self, source: Source) -> u32 {
        let at = CHANNELS.iter().position(|&channel| channel == source.channel);
        self.marks[usize::from(source.port)][at.unwrap()]
    }

    /// The number of some recent order, dead or alive.
    fn past_number(&mut self, source: Source) -> u32 {
        let back = self.random.below(60);
        self.mark(source).saturating_sub(back)
    }

    /// A cancel by reference: of the references that can be, few are live.
    fn cancel_by_ref(&mut self, source: Source, references: &[u64]) -> Command<'static> {
        let known = references.get(self.random.below(64) as usize % references.len().max(1));
        let order_ref = known.copied().unwrap_or(7);
        let user_ref_num = if self.random.one_in(10) { self.past_number(source) } else { 0 };
        let qty = (!self.random.one_in(20)).then_some(self.random.below(3) * 20);
        Command::Cancel(Cancel { source, user_ref_num, order_ref: Some(order_ref), qty })
    }

    fn target(&mut self) -> Target {
        match self.random.below(8) {
            0 => Target::Venue,
            1..4 => Target::Firm(self.firm()),
            port => Target::Port(u16::try_from(port - 3).unwrap()),
        }
    }

    /// One of the instruments, or one that is not yet, as it may become.
    fn changed_instrument(&mut self) -> Instrument {
        let id = 1 + self.random.below(INSTRUMENTS);
        let was = instrument(id);
        match self.random.below(8) {
            0 => was,
            1 => Instrument { tick: [1, 10, 7][self.random.below(3) as usize], ..was },
            2 => Instrument { lot: 10, qty_min: 10, qty_max: 999_990, ..was },
            3 => Instrument { qty_max: 40, reference_px: 1_010, ..was },
            4 => Instrument { price_decimals: 3, ..was },
            5 => Instrument { lot: 0, ..was },
            6 => Instrument { id: 4, ..was },
            _ => Instrument { symbol: *b"OTHER   ", ..was },
        }
    }

    fn act(&mut self) -> Act {
        let id = 1 + self.random.below(INSTRUMENTS + 1);
        let (act, undo) = match self.random.below(10) {
            0..4 => {
                let (target, cancels) = (self.target(), self.random.one_in(3));
                (Act::Kill { target, cancels }, Act::Revive(target))
            }
            4 => (Act::Revive(self.target()), Act::Revive(self.target())),
            5 | 6 => (Act::Halt(id), Act::Resume(id)),
            7 => (Act::Remove(id), Act::List(instrument(id))),
            8 => (Act::Resume(id), Act::Resume(id)),
            _ => (Act::List(self.changed_instrument()), Act::List(instrument(id))),
        };
        self.undo.push(undo);
        act
    }

    fn administer(&mut self, act: Act) -> Command<'static> {
        let request = u64::from(self.random.below(1_000));
        Command::Administer(Administer { request, act })
    }

    /// Commands that are few in any flow.
    fn rare(&mut self, kind: u32, source: Source) -> Command<'static> {
        match kind {
            0 if self.random.one_in(4) => self.day_roll(),
            0 if self.random.one_in(8) => self.epoch(),
            0..15 => self.session_up(source.port),
            15..18 => Command::SessionDown(source),
            18..20 => Command::AccountQuery(source),
            20..30 => Command::Refuse(Refuse {
                source,
                user_ref_num: self.next_number(source),
                reason: 0x29,
                client_order_id: *b"REFUSED       ",
            }),
            30..33 => Command::Tick,
            33 => Command::MassCancel(MassCancel {
                source,
                user_ref_num: self.next_number(source),
                firm: self.firm(),
                symbol: *b"        ",
                scope: self.scope(),
            }),
            34 => Command::DropCopy(DropCopy {
                firm: *[b"FIRM", b"ELSE", b"XX03", b"NEW1", b"NEW2"][self.random.below(5) as usize],
                is_on: !self.random.one_in(3),
            }),
            _ => Command::EntrySwitch(EntrySwitch {
                source,
                user_ref_num: self.next_number(source),
                firm: self.firm(),
                is_enabled: Ok(!self.random.one_in(4)),
            }),
        }
    }

    /// The next command; `references` are some of those given so far.
    pub(crate) fn next(&mut self, references: &[u64]) -> Command<'static> {
        if !self.undo.is_empty() && self.random.one_in(25) {
            let at = self.random.below(u32::try_from(self.undo.len()).unwrap());
            let act = self.undo.swap_remove(at as usize);
            return self.administer(act);
        }
        match self.random.below(800) {
            0..2 => {
                let act = self.act();
                return self.administer(act);
            }
            2 => return Command::Define(self.changed_instrument()),
            _ => {}
        }
        let port = 1 + u16::try_from(self.random.below(u32::from(PORTS))).unwrap();
        let mut source = self.source(port);
        if self.random.one_in(100) {
            source.generation = source.generation.wrapping_sub(1);
        }
        if self.random.one_in(8) {
            source.channel = CHANNELS[self.random.below(3) as usize];
        }
        let echo = &ECHO[..self.random.below(120) as usize * usize::from(self.random.one_in(8))];
        match self.random.below(1_000) {
            rare @ 0..36 => self.rare(rare, source),
            36..40 => self.cancel_by_ref(source, references),
            40..235 => Command::Cancel(Cancel {
                source,
                user_ref_num: self.past_number(source),
                order_ref: None,
                qty: match self.random.below(40) {
                    0 => None,
                    1..20 => Some(0),
                    _ => Some(self.qty()),
                },
            }),
            235..300 => Command::Modify(Modify {
                source,
                user_ref_num: self.past_number(source),
                action: (!self.random.one_in(30))
                    .then(|| Action::from_code(u8::try_from(self.random.below(4)).unwrap())),
                qty: self.qty(),
            }),
            300..500 => Command::Replace(Replace {
                source,
                orig_user_ref_num: self.past_number(source),
                user_ref_num: self.next_number(source),
                qty: self.qty(),
                px: self.px(),
                terms: self.terms(),
                client_order_id: b"REPLACE       ",
                echo,
            }),
            _ => Command::Enter(Enter {
                source,
                user_ref_num: self.next_number(source),
                instrument: self.random.below(INSTRUMENTS * 20).clamp(0, INSTRUMENTS),
                qty: self.qty(),
                px: self.px(),
                terms: self.terms(),
                client_order_id: b"ENTER         ",
                echo,
            }),
        }
    }
}
