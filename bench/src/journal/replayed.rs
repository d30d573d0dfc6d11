//! A journal replayed and verified, against the engine given the same commands from memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use uncross_engine::{
    Engine, Progress,
    command::Command,
    event::{Event, Sink},
    hash::state_hash,
    limits::Capacity,
    types::Side,
};
use uncross_server::{
    config::{LADDER_NODES_MIN, USER_REF_PAGES_MAX},
    journal::{body, kind},
    record::decode,
    replay::{Discard, replay},
};

use super::{Extent, JournalError, float, report::Pairs};
use crate::{
    core::{
        engine::instrument,
        generate::{Name, Size, generate},
        plan::{Numbered, PORTS, Plan, port_of},
        workload::Op,
    },
    machine::{Times, on_processor_ns},
    run::{Draft, Run, preamble},
};

/// Any time will do: nothing expires.
const TIME_NS: u64 = 1_700_000_000_000_000_000;
const SESSION: [u8; 10] = *b"BENCH00001";
const NO_TEXT: [u8; 14] = *b"              ";

/// Commands a second: `figure` of the verified replay, `floor` of the engine alone.
pub(super) fn measure(dir: &Path, extent: Extent) -> Result<Pairs, JournalError> {
    let size = if extent.part == 1 { Size::WHOLE } else { Size::TINY };
    let plan = Plan::new(generate(Name::B, size));
    let capacity = Capacity {
        nodes: plan.capacity.nodes.max(LADDER_NODES_MIN),
        user_ref_pages: plan.capacity.user_ref_pages.min(USER_REF_PAGES_MAX),
        ..plan.capacity
    };
    let instruments = (1..=u32::from(plan.workload.symbols)).map(instrument);
    let mut drafts = preamble(&capacity, instruments, SESSION, PORTS);
    drafts.extend(plan.numbered.iter().map(draft));
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
    let mut run = Run::create(dir, TIME_NS)?;
    for draft in drafts {
        run.say(draft)?;
    }
    Ok(run.close()?.state_hash())
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
