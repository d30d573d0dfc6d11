//! A small venue for tests of rules: commands in short words, events in short words.

use uncross_engine::{
    Engine,
    command::{Cancel, Command, DayRoll, Enter, Modify, Replace, SessionUp, Source, Terms},
    event::{Event, View},
    limits,
    types::{Action, Capacity, Display, Side, TimeInForce},
};

use crate::{
    differential::{CAPACITY, apply},
    flow::instrument,
};

pub(crate) const BUY: Action = Action::Buy;
pub(crate) const SELL: Action = Action::Sell;
pub(crate) const SESSION: [u8; 10] = *b"SESSION001";
pub(crate) const IOC: TimeInForce = TimeInForce::ImmediateOrCancel;

/// A venue with one instrument, an open day and two ports, spoken to in short words.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) seq: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(CAPACITY)
    }

    pub(crate) fn with(capacity: limits::Capacity) -> Self {
        let mut stage = Self::unopened(capacity);
        for command in Self::opening() {
            stage.tell(&command);
        }
        stage
    }

    /// A venue that was told nothing yet.
    pub(crate) fn unopened(capacity: limits::Capacity) -> Self {
        Self { engine: Engine::new(capacity), seq: 0 }
    }

    /// One instrument, an open day and two ports.
    pub(crate) fn opening() -> [Command<'static>; 4] {
        [Command::Define(instrument(1)), day(20_000), logged_in(1, 1), logged_in(2, 1)]
    }

    pub(crate) fn tell(&mut self, command: &Command<'_>) -> Vec<Event> {
        self.seq += 1;
        apply(&mut self.engine, self.seq, command)
    }

    pub(crate) fn say(&mut self, command: &Command<'_>) -> Vec<String> {
        self.tell(command).iter().map(short).collect()
    }

    pub(crate) fn up(&mut self, port: u16, generation: u16) -> Vec<String> {
        self.say(&logged_in(port, generation))
    }

    pub(crate) fn enter(
        &mut self,
        port: u16,
        number: u32,
        action: Action,
        qty: u32,
        px: u32,
    ) -> Vec<String> {
        self.say(&Command::Enter(order(port, number, action, qty, px)))
    }

    pub(crate) fn ioc(
        &mut self,
        port: u16,
        number: u32,
        action: Action,
        qty: u32,
        px: u32,
    ) -> Vec<String> {
        let mut enter = order(port, number, action, qty, px);
        enter.terms = enter.terms.map(|terms| Terms { time_in_force: IOC, ..terms });
        self.say(&Command::Enter(enter))
    }

    pub(crate) fn replace(
        &mut self,
        port: u16,
        old: u32,
        new: u32,
        qty: u32,
        px: u32,
    ) -> Vec<String> {
        let Enter { source, terms, client_order_id, echo, .. } = order(port, new, BUY, qty, px);
        self.say(&Command::Replace(Replace {
            source,
            orig_user_ref_num: old,
            user_ref_num: new,
            qty,
            px,
            terms,
            client_order_id,
            echo,
        }))
    }

    pub(crate) fn cancel(&mut self, port: u16, number: u32, qty: u32) -> Vec<String> {
        let source = Source { port, generation: 1, channel: 0 };
        self.say(&Command::Cancel(Cancel {
            source,
            user_ref_num: number,
            order_ref: None,
            qty: Some(qty),
        }))
    }

    pub(crate) fn modify(
        &mut self,
        port: u16,
        number: u32,
        action: Action,
        qty: u32,
    ) -> Vec<String> {
        let (source, action) = (Source { port, generation: 1, channel: 0 }, Some(action));
        self.say(&Command::Modify(Modify { source, user_ref_num: number, action, qty }))
    }

    /// Best first: price, open quantity, number.
    pub(crate) fn side(&self, side: Side) -> Vec<(u32, u32, u32)> {
        self.engine.resting(1, side).map(|it| (it.px, it.open, it.user_ref_num)).collect()
    }
}

fn logged_in(port: u16, generation: u16) -> Command<'static> {
    let source = Source { port, generation, channel: 0 };
    let (firm, session) = (*b"FIRM", SESSION);
    Command::SessionUp(SessionUp { source, firm, session, grace_ms: None })
}

pub(crate) fn day(date: u32) -> Command<'static> {
    Command::DayRoll(DayRoll { date, utc_offset_s: 0, session: SESSION })
}

pub(crate) fn order(port: u16, number: u32, action: Action, qty: u32, px: u32) -> Enter<'static> {
    Enter {
        source: Source { port, generation: 1, channel: 0 },
        user_ref_num: number,
        instrument: 1,
        qty,
        px,
        terms: Ok(Terms::plain(action, TimeInForce::Day, Capacity::Agency, Display::Visible)),
        client_order_id: b"              ",
        echo: b"",
    }
}

/// An event in a few words: `A2 10@1000 rests` is "number 2 accepted, 10 at 1000, on the book".
pub(crate) fn short(event: &Event) -> String {
    let fate = |dead: bool, rests: bool| match (dead, rests) {
        (true, _) => " dead",
        (false, true) => " rests",
        (false, false) => "",
    };
    match event.view() {
        View::Accepted(it) => {
            let fate = fate(it.marks.is_dead(), it.marks.is_resting());
            format!("A{} {}@{}{fate}", it.head.user_ref_num, it.qty, it.px)
        }
        View::Replaced(it) => {
            let fate = fate(it.marks.is_dead(), it.marks.is_resting());
            let (old, new) = (it.orig_user_ref_num, it.head.user_ref_num);
            format!("U{old}>{new} {}@{}{fate}", it.qty, it.px)
        }
        View::Rejected(it) => format!("J{} {:#04x}", it.head.user_ref_num, it.reason),
        View::Fill(it) => {
            let (maker, taker) = (it.head.user_ref_num, it.taker_user_ref_num);
            format!("E{maker}/{taker} {}@{}", it.qty, it.px)
        }
        View::Canceled(it) => {
            format!("C{} {} {} left {}", it.head.user_ref_num, it.qty, it.reason as char, it.open)
        }
        View::Modified(it) => format!("M{} left {}", it.head.user_ref_num, it.open),
        View::Rested(it) => format!("R{} {}@{}", it.head.user_ref_num, it.qty, it.px),
        View::Echo(it) => format!("+{}", it.len),
        View::Account(it) => format!("Q{}", it.head.user_ref_num),
        View::CancelRejected(it) => format!("I{}", it.head.user_ref_num),
        View::Response(it) => format!("{}{}", it.answer as char, it.head.user_ref_num),
        View::System(it) => format!("S{} {}", it.head.port, it.code as char),
        View::Directory(it) => format!("L{}", it.locate),
        View::Trading(it) => format!("H{}", it.state as char),
        View::Day(it) => format!("D{}", it.date),
        View::PortFirm(it) => format!("F{} {}", it.head.port, it.firm.escape_ascii()),
        View::Copying(it) => {
            format!("K{} {} {}", it.slot, it.firm.escape_ascii(), it.code as char)
        }
        View::Restated(it) => format!("T{} {}@{}", it.head.user_ref_num, it.open, it.px),
        View::Administered(it) => format!("!{} {:?}", it.request, it.outcome()),
        View::Prevented(it) => {
            let (number, strategy) = (it.head.user_ref_num, it.strategy as char);
            format!("P{number} {} {strategy} left {}", it.qty, it.open)
        }
    }
}

/// A new order of `stage` with its terms changed.
pub(crate) fn enter_as(
    stage: &mut Stage,
    mut enter: Enter<'static>,
    change: impl FnOnce(&mut Terms),
) -> Vec<String> {
    if let Ok(terms) = &mut enter.terms {
        change(terms);
    }
    stage.say(&Command::Enter(enter))
}
