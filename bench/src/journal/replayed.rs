//! A journal replayed and verified, against the engine given the same commands from memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use uncross_engine::{
    BEHAVIOUR_VERSION, Engine, Progress,
    command::Command,
    event::{Event, Sink},
    hash::state_hash,
    limits::Capacity,
    types::Side,
};
use uncross_server::{
    config::{LADDER_NODES_MIN, USER_REF_PAGES_MAX},
    journal::{AppendError, Entry, Identity, Level, Settings, Writer, body, kind, open},
    limits::RECORDS_PER_CHECKPOINT,
    record::decode,
    replay::{Discard, replay},
    replica::Replica,
};
use zerocopy::IntoBytes;

use super::{Extent, JournalError, PATIENCE, float, report::Pairs};
use crate::core::{
    generate::{Name, Size, generate},
    plan::{Numbered, PORTS, Plan, port_of},
    workload::Op,
};
use crate::machine::{Times, on_processor_ns};

/// Any time will do: nothing expires.
const TIME_NS: u64 = 1_700_000_000_000_000_000;
const SESSION: [u8; 10] = *b"BENCH00001";
const NO_TEXT: [u8; 14] = *b"              ";

/// A record before it has a number.
#[derive(Debug)]
struct Draft {
    kind: u8,
    body: Vec<u8>,
}

/// Commands a second: `figure` of the verified replay, `floor` of the engine alone.
pub(super) fn measure(dir: &Path, extent: Extent) -> Result<Pairs, JournalError> {
    let size = if extent.part == 1 { Size::WHOLE } else { Size::TINY };
    let plan = Plan::new(generate(Name::B, size));
    let capacity = Capacity {
        nodes: plan.capacity.nodes.max(LADDER_NODES_MIN),
        user_ref_pages: plan.capacity.user_ref_pages.min(USER_REF_PAGES_MAX),
        ..plan.capacity
    };
    let drafts: Vec<Draft> =
        preamble(&plan, &capacity).into_iter().chain(plan.numbered.iter().map(draft)).collect();
    let dir = dir.join("replay");
    let state = write(&dir, &drafts)?;
    // What is not the engine's is decoded before.
    let decoded: Result<Vec<Command<'_>>, _> =
        drafts[1..].iter().map(|draft| decode(draft.kind, &draft.body)).collect();
    let commands = decoded.map_err(|error| JournalError::Replay(error.to_string()))?;
    let mut pairs = Pairs::default();
    for _ in 0..extent.pairs {
        let start = Times::read();
        let (took, on_processor) = replayed(&dir, &state)?;
        let (alone, alone_on_processor) = in_memory(capacity, &commands, &state)?;
        if 0 < on_processor {
            pairs.push_cpu(float(alone_on_processor) / float(on_processor));
        }
        let rate = |took: Duration| float(commands.len() as u64) / took.as_secs_f64();
        let (figure, floor) = (rate(took), rate(alone));
        pairs.push(&start, figure, floor, figure / floor);
    }
    Ok(pairs)
}

fn told_apart(what: &str) -> JournalError {
    JournalError::Replay(format!("{what} comes to another state than the run"))
}

/// Applies and writes all of it, as a venue does; returns the state at the end.
fn write(dir: &Path, drafts: &[Draft]) -> Result<[u8; 32], JournalError> {
    let identity =
        Identity { behaviour_version: BEHAVIOUR_VERSION, config_hash: [0; 32], build_id: [0; 32] };
    let settings = Settings { level: Level::Async, ..Settings::default() };
    let mut writer = open(dir, &settings, &identity)?.into_writer(TIME_NS, 0)?;
    let failed = |error: &dyn std::fmt::Display| JournalError::Replay(error.to_string());
    let mut replica: Option<Replica> = None;
    for (draft, seq) in drafts.iter().zip(1..) {
        let entry =
            Entry { seq, time_ns: TIME_NS + seq, kind: draft.kind, flags: 0, body: &draft.body };
        let output_hash = replica.as_ref().map_or(0, Replica::output_hash);
        append(&mut writer, entry, output_hash)?;
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&entry).map_err(|error| failed(&error))?);
            continue;
        };
        let begun = replica.begin(seq, entry.time_ns, draft.kind, &draft.body, &mut Discard);
        let mut progress = begun.map_err(|error| failed(&error))?;
        while progress == Progress::More {
            progress = replica.resume(&mut Discard);
        }
        if seq % RECORDS_PER_CHECKPOINT == 0 || seq == drafts.len() as u64 {
            writer.checkpoint(replica.output_hash(), entry.time_ns)?;
        }
    }
    writer.close()?;
    replica.map(|replica| replica.state_hash()).ok_or_else(|| told_apart("nothing"))
}

fn append(writer: &mut Writer, entry: Entry<'_>, output_hash: u64) -> Result<(), JournalError> {
    loop {
        match writer.append(entry, output_hash) {
            Err(AppendError::NotReady) => {
                if !writer.watermark().wait_prepared(1, PATIENCE) {
                    return Err(JournalError::Stuck { what: "no segment was prepared" });
                }
            }
            done => return Ok(done?),
        }
    }
}

/// The whole replay, from the opening of the folder: every checksum, every checkpoint. How long it
/// took, and nanoseconds on a processor.
fn replayed(dir: &Path, state: &[u8; 32]) -> Result<(Duration, u64), JournalError> {
    let (start, before_ns) = (Instant::now(), on_processor_ns());
    let done = replay(dir, &mut Discard);
    let took = (start.elapsed(), on_processor_ns().saturating_sub(before_ns));
    let replayed = done.map_err(|error| JournalError::Replay(error.to_string()))?;
    match replayed.replica {
        Some(replica) if replica.state_hash() == *state => Ok(took),
        Some(_) | None => Err(told_apart("the replay")),
    }
}

/// Counts, so that no event can be left out.
struct Count(u64);

impl Sink for Count {
    #[inline]
    fn push(&mut self, _event: Event) {
        self.0 += 1;
    }
}

/// The engine alone, from its creation, as the replay creates one too.
fn in_memory(
    capacity: Capacity,
    commands: &[Command<'_>],
    state: &[u8; 32],
) -> Result<(Duration, u64), JournalError> {
    let (start, before_ns) = (Instant::now(), on_processor_ns());
    let mut engine = Engine::new(capacity);
    let mut sink = Count(0);
    // The first record was the capacity.
    for (command, seq) in commands.iter().zip(2..) {
        let mut progress = engine.begin(seq, TIME_NS + seq, command, &mut sink);
        while progress == Progress::More {
            progress = engine.resume(&mut sink);
        }
    }
    let took = (start.elapsed(), on_processor_ns().saturating_sub(before_ns));
    let is_same = state_hash(&engine) == *state && commands.len() as u64 <= 2 * sink.0;
    if is_same { Ok(took) } else { Err(told_apart("the engine")) }
}

/// Capacity, instruments, day and sessions.
fn preamble(plan: &Plan, capacity: &Capacity) -> Vec<Draft> {
    let body = body::Capacity {
        subject: b'C',
        reserved: [0; 3],
        orders: capacity.orders.into(),
        levels: capacity.levels.into(),
        nodes: capacity.nodes.into(),
        port_orders: capacity.port_orders.into(),
        port_pages: capacity.port_pages.into(),
        user_ref_pages: capacity.user_ref_pages.into(),
        instruments: capacity.instruments.into(),
        ports: capacity.ports.into(),
        hidden_orders: capacity.hidden_orders.into(),
    };
    let mut drafts = vec![Draft::of(kind::CONFIGURATION, &body)];
    for id in 1..=u32::from(plan.workload.symbols) {
        let instrument = crate::core::engine::instrument(id);
        let body = body::Configuration {
            subject: b'I',
            price_decimals: instrument.price_decimals,
            qty_decimals: instrument.qty_decimals,
            reserved: 0,
            id: id.into(),
            symbol: instrument.symbol,
            tick: instrument.tick.into(),
            lot: instrument.lot.into(),
            qty_min: instrument.qty_min.into(),
            qty_max: instrument.qty_max.into(),
            collar_bp: instrument.collar_bp.into(),
            reference_px: instrument.reference_px.into(),
        };
        drafts.push(Draft::of(kind::CONFIGURATION, &body));
    }
    let roll = body::DayRoll {
        date: 20_000.into(),
        utc_offset_s: 0.into(),
        session: SESSION,
        reserved: [0; 6],
    };
    drafts.push(Draft::of(kind::DAY_ROLL, &roll));
    for port in 1..=PORTS {
        let up = body::SessionUp {
            port: port.into(),
            generation: 1.into(),
            firm: *b"FIRM",
            user: *b"BENCH ",
            session: SESSION,
            grace_ms: u32::MAX.into(),
        };
        drafts.push(Draft::of(kind::SESSION_UP, &up));
    }
    drafts
}

impl Draft {
    fn of(kind: u8, body: &(impl IntoBytes + zerocopy::Immutable)) -> Self {
        Self { kind, body: body.as_bytes().to_vec() }
    }
}

/// The record of a command of the workload, as a broker's message makes it.
fn draft(numbered: &Numbered) -> Draft {
    let Numbered { record, number, old_number, total } = *numbered;
    let (port, generation) = (port_of(record.id).into(), 1.into());
    match record.op {
        Op::Limit | Op::Ioc => Draft::of(
            kind::ENTER,
            &body::Enter {
                port,
                generation,
                user_ref_num: number.into(),
                instrument: (u32::from(record.symbol) + 1).into(),
                qty: record.qty.into(),
                px: record.px.into(),
                side: if record.side == Side::Bid { b'B' } else { b'S' },
                time_in_force: if record.op == Op::Ioc { b'3' } else { b'0' },
                display: b'Y',
                capacity: b'P',
                intermarket_sweep: b'N',
                cross_type: b'N',
                client_order_id: NO_TEXT,
            },
        ),
        Op::Cancel => Draft::of(
            kind::CANCEL,
            &body::Cancel { port, generation, user_ref_num: number.into(), qty: 0.into() },
        ),
        Op::Move => Draft::of(
            kind::REPLACE,
            &body::Replace {
                port,
                generation,
                orig_user_ref_num: old_number.into(),
                user_ref_num: number.into(),
                qty: total.into(),
                px: record.px.into(),
                time_in_force: b'0',
                display: b'Y',
                intermarket_sweep: b'N',
                reserved: [0; 3],
                client_order_id: NO_TEXT,
            },
        ),
    }
}
