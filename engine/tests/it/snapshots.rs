//! A state that was captured and restored is the state.

use rkyv::{from_bytes, rancor, to_bytes};
use uncross_engine::{
    Engine, command::Command, hash::state_hash, limits::Capacity, snapshot::State,
};

use crate::{
    differential::{CAPACITY, STEP_NS, TIGHT, apply, note_references},
    flow::{Flow, Random},
    stage::{BUY, SELL, Stage},
};

/// Through the bytes of a file and back.
fn again(engine: &Engine, context: &str) -> Engine {
    let state = engine.capture();
    let bytes = to_bytes::<rancor::Error>(&state).expect("it is plain data");
    let read = from_bytes::<State, rancor::Error>(&bytes).expect("it is whole");
    assert_eq!(read, state, "{context}");
    let restored = Engine::restore(&read).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(restored.capture(), state, "{context}");
    assert_eq!(state_hash(&restored), state_hash(engine), "{context}");
    restored
}

fn run(seed: u64, commands: u64, capacity: Capacity) -> u64 {
    let mut flow = Flow::new(seed);
    let mut random = Random::new(seed ^ 0x51AF);
    let mut engine = Engine::new(capacity);
    let mut other = Engine::new(capacity);
    let (mut references, opening) = (Vec::new(), flow.opening());
    let mut captures = 0;
    for seq in 1..=commands {
        let is_due = engine.due_ns().is_some_and(|due_ns| due_ns <= seq * STEP_NS);
        let command = match usize::try_from(seq - 1).ok().and_then(|at| opening.get(at)) {
            Some(&command) => command,
            None if is_due => Command::Tick,
            None => flow.next(&references),
        };
        let context = format!("seed {seed}, command {seq}: {command:?}");
        let events = apply(&mut engine, seq, &command);
        assert_eq!(apply(&mut other, seq, &command), events, "{context}");
        note_references(&events, &mut references);
        if random.one_in(300) {
            assert_eq!(state_hash(&other), state_hash(&engine), "{context}");
            other = again(&engine, &context);
            captures += 1;
        }
    }
    assert_eq!(other.capture(), engine.capture(), "seed {seed}");
    captures
}

#[test]
fn a_restored_engine_says_what_the_captured_one_says() {
    let mut captures = 0;
    for seed in 0..60 {
        let capacity = if seed % 3 == 0 { TIGHT } else { CAPACITY };
        captures += run(seed, 4_000, capacity);
    }
    assert!(600 < captures, "only {captures} points were tried");
}

#[test]
fn a_state_cut_short_or_with_a_wild_pointer_is_refused_and_no_panic() {
    let mut stage = Stage::new();
    for number in 1..50 {
        stage.enter(1, number, [BUY, SELL][number as usize % 2], 10, 900 + number * 5);
    }
    let bytes = to_bytes::<rancor::Error>(&stage.engine.capture()).expect("it is plain data");
    let whole = bytes.len();
    for len in (0..whole).step_by(97) {
        let mut cut = rkyv::util::AlignedVec::<16>::new();
        cut.extend_from_slice(&bytes[..len]);
        // A part of it may be whole in itself: then it is another state, or none.
        if let Ok(state) = from_bytes::<State, rancor::Error>(&cut) {
            assert!(
                state.capacity() != CAPACITY || Engine::restore(&state).is_err(),
                "{len} bytes"
            );
        }
    }
    let mut random = Random::new(7);
    for round in 0..2_000 {
        let mut wild = rkyv::util::AlignedVec::<16>::new();
        wild.extend_from_slice(&bytes);
        for _ in 0..=round % 4 {
            let at = random.below(u32::try_from(whole).unwrap()) as usize;
            wild[at] ^= 1 << random.below(8);
        }
        if let Ok(state) = from_bytes::<State, rancor::Error>(&wild)
            && state.capacity() == CAPACITY
            && let Ok(engine) = Engine::restore(&state)
        {
            assert_eq!(engine.capture().seq(), state.seq(), "round {round}");
        }
    }
}
