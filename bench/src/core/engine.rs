//! Our engine as a contender: whole commands, with validation, sessions and events.

use uncross_engine::{
    Engine, Progress,
    ahead::{Ahead, Waiting},
    command::{Cancel, Command, DayRoll, Enter, Replace, SessionUp, Source, Terms},
    event::{Event, Sink, View},
    instrument::Instrument,
    limits::QTY_MAX,
    types::{Action, Capacity, Display, Side, TimeInForce},
};

use super::{
    contest::Contender,
    plan::{Numbered, PORTS, Plan, port_of},
    workload::{Op, Tally},
};

/// The session that every login names.
pub const SESSION: [u8; 10] = *b"BENCH00001";
/// Any time will do: nothing expires.
const TIME_NS: u64 = 1_700_000_000_000_000_000;
/// Events that are kept before the oldest is overwritten: 256 KiB, as an outbound queue whose
/// reader keeps pace.
const KEPT: usize = 1 << 12;

/// What an order says that says nothing unusual.
pub const TERMS: Terms =
    Terms::plain(Action::Buy, TimeInForce::Day, Capacity::Principal, Display::Visible);

/// Keeps the last events.
#[derive(Debug)]
pub struct Kept {
    events: Box<[Event; KEPT]>,
    /// How many there were in all.
    pub count: u64,
}

impl Default for Kept {
    fn default() -> Self {
        let events = vec![Event::EMPTY; KEPT].into_boxed_slice().try_into();
        let Ok(events) = events else { unreachable!("it has just been made of this length") };
        Self { events, count: 0 }
    }
}

impl Kept {
    /// Where the next event goes.
    #[inline]
    fn at(&self) -> usize {
        usize::try_from(self.count % KEPT as u64).unwrap_or(0)
    }
}

impl Sink for Kept {
    #[inline]
    fn push(&mut self, event: Event) {
        let at = self.at();
        self.events[at] = event;
        self.count += 1;
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        let at = self.at();
        write(&mut self.events[at]);
        self.count += 1;
    }
}

/// Counts the fills among the events as they come.
struct Counted<'a> {
    kept: &'a mut Kept,
    ids: &'a [Vec<u32>],
    tally: &'a mut Tally,
}

impl Sink for Counted<'_> {
    fn push(&mut self, event: Event) {
        if let View::Fill(fill) = event.view() {
            let id =
                |port: u16, number: u32| u64::from(self.ids[usize::from(port)][number as usize]);
            let maker = id(fill.head.port, fill.head.user_ref_num);
            let taker = id(fill.taker_port, fill.taker_user_ref_num);
            self.tally.add(maker, taker, u64::from(fill.px), u64::from(fill.qty));
        }
        self.kept.push(event);
    }
}

/// The engine of a venue.
#[derive(Debug)]
pub(super) struct Uncross<'a> {
    plan: &'a Plan,
    engine: Engine,
    seq: u64,
    kept: Kept,
    /// The commands that wait.
    ahead: Ahead,
    /// Looks at them.
    pub(super) looks_ahead: bool,
    /// The commands before this one were shown to it.
    shown: usize,
}

impl Uncross<'_> {
    #[inline]
    fn tell(engine: &mut Engine, seq: &mut u64, command: &Command<'_>, sink: &mut impl Sink) {
        *seq += 1;
        let mut progress = engine.begin(*seq, TIME_NS + *seq, command, sink);
        while progress == Progress::More {
            progress = engine.resume(sink);
        }
    }

    /// Lists the instruments and opens day and sessions.
    fn open(&mut self) {
        for id in 1..=u32::from(self.plan.workload.symbols) {
            self.prepare(&Command::Define(instrument(id)));
        }
        self.prepare(&Command::DayRoll(DayRoll {
            date: 20_000,
            utc_offset_s: 0,
            session: SESSION,
        }));
        for port in 1..=PORTS {
            let source = Source { port, generation: 1, channel: 0 };
            let (firm, session) = (*b"FIRM", SESSION);
            let up = SessionUp { source, firm, session, grace_ms: None };
            self.prepare(&Command::SessionUp(up));
        }
    }

    fn prepare(&mut self, command: &Command<'_>) {
        Self::tell(&mut self.engine, &mut self.seq, command, &mut self.kept);
    }
}

/// An instrument in which every price and quantity of the range is valid.
#[must_use]
pub fn instrument(id: u32) -> Instrument {
    Instrument {
        id,
        symbol: *format!("S{id:<7}").as_bytes().first_chunk().unwrap_or(b"S       "),
        price_decimals: 4,
        qty_decimals: 0,
        tick: 1,
        lot: 1,
        qty_min: 1,
        qty_max: QTY_MAX,
        collar_bp: 0,
        reference_px: 0,
    }
}

/// The engine's command for a command of a workload.
pub(super) fn command(numbered: &Numbered) -> Command<'static> {
    let Numbered { record, number, old_number, total } = *numbered;
    let source = Source { port: port_of(record.id), generation: 1, channel: 0 };
    let client_order_id = b"              ";
    match record.op {
        Op::Limit | Op::Ioc => {
            let action = match record.side {
                Side::Bid => Action::Buy,
                Side::Ask => Action::Sell,
            };
            let time_in_force = match record.op {
                Op::Ioc => TimeInForce::ImmediateOrCancel,
                Op::Limit | Op::Cancel | Op::Move => TimeInForce::Day,
            };
            Command::Enter(Enter {
                source,
                user_ref_num: number,
                instrument: u32::from(record.symbol) + 1,
                qty: record.qty,
                px: record.px,
                terms: Ok(Terms { action, time_in_force, ..TERMS }),
                client_order_id,
                echo: &[],
            })
        }
        Op::Cancel => {
            Command::Cancel(Cancel { source, user_ref_num: number, order_ref: None, qty: Some(0) })
        }
        Op::Move => Command::Replace(Replace {
            source,
            orig_user_ref_num: old_number,
            user_ref_num: number,
            qty: total,
            px: record.px,
            terms: Ok(TERMS),
            client_order_id,
            echo: &[],
        }),
    }
}

/// What the engine may fetch before the command comes.
#[inline]
fn waiting(command: &Command<'_>) -> Waiting {
    match command {
        Command::Enter(Enter { instrument, px, terms: Ok(terms), .. }) => {
            Waiting::enter(*instrument, terms.action.side(), *px)
        }
        Command::Cancel(Cancel { source, user_ref_num, .. }) => {
            Waiting::standing(source.port, source.channel, *user_ref_num)
        }
        Command::Replace(Replace { source, orig_user_ref_num, .. }) => {
            Waiting::standing(source.port, source.channel, *orig_user_ref_num)
        }
        _ => Waiting::default(),
    }
}

impl Uncross<'_> {
    /// Looks at the commands that wait, of which the one at `at` is to be carried out next.
    #[inline]
    fn look_ahead(&mut self, at: usize) {
        let Self { plan, engine, ahead, shown, .. } = self;
        if let Some(wanted) = ahead.wanted() {
            let from = at.max(*shown);
            let next = plan.commands[from..].iter().take(wanted);
            *shown = from + next.len();
            next.for_each(|command| ahead.see(waiting(command)));
            engine.look_ahead(ahead);
        }
    }
}

impl<'a> Contender<'a> for Uncross<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut uncross = Self {
            plan,
            engine: Engine::new(plan.capacity),
            seq: 0,
            kept: Kept::default(),
            ahead: Ahead::default(),
            looks_ahead: true,
            shown: 0,
        };
        uncross.open();
        uncross
    }

    #[inline]
    fn apply(&mut self, at: usize) {
        if self.looks_ahead && self.engine.is_cold() {
            self.look_ahead(at);
            self.ahead.taken();
        } else {
            self.ahead.clear();
        }
        let command = &self.plan.commands[at];
        Self::tell(&mut self.engine, &mut self.seq, command, &mut self.kept);
    }

    fn tally(&mut self, at: usize, tally: &mut Tally) {
        let command = &self.plan.commands[at];
        let mut sink = Counted { kept: &mut self.kept, ids: &self.plan.ids, tally };
        Self::tell(&mut self.engine, &mut self.seq, command, &mut sink);
    }

    fn outcomes(&self) -> u64 {
        self.kept.count
    }
}
