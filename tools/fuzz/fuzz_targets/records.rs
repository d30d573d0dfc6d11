//! Records with any bodies, put to the engine and to the naive book: what the one says the other
//! says, and a state that was captured and restored is the same state.
//!
//! The input is one record behind the other: kind, steps of time, length of the body, body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uncross_engine::{
    Engine, Progress, command::Command, event::Event, hash::state_hash, limits::Capacity,
    naive::Naive,
};
use uncross_server::record::decode;

/// Tables so small that their ends are met, but those that the naive book never runs out of.
const CAPACITY: Capacity = Capacity {
    orders: 24,
    hidden_orders: 6,
    levels: 12,
    nodes: 512,
    instruments: 4,
    ports: 4,
    port_orders: 12,
    port_pages: 256,
    user_ref_pages: 256,
};
/// Longest input: its orders open fewer pages of numbers than there are.
const INPUT_MAX: usize = 4_096;
/// Of time: a tenth of a second, so that orders that stand for seconds come to their end.
const STEP_NS: u64 = 100_000_000;
const START_NS: u64 = 1_700_000_000_000_000_000;

/// Both of them, told the same.
struct Pair {
    engine: Engine,
    naive: Naive,
    seq: u64,
    now_ns: u64,
    ours: Vec<Event>,
    theirs: Vec<Event>,
}

impl Pair {
    fn tell(&mut self, command: &Command<'_>) {
        self.seq += 1;
        let (seq, now_ns) = (self.seq, self.now_ns);
        self.ours.clear();
        self.theirs.clear();
        let mut progress = self.engine.begin(seq, now_ns, command, &mut self.ours);
        while progress == Progress::More {
            progress = self.engine.resume(&mut self.ours);
        }
        self.naive.apply(seq, now_ns, command, &mut self.theirs);
        assert_eq!(self.ours, self.theirs, "record {seq}: {command:?}");
    }
}

fuzz_target!(|input: &[u8]| {
    let (engine, naive) = (Engine::new(CAPACITY), Naive::new(CAPACITY));
    let (ours, theirs) = (Vec::new(), Vec::new());
    let mut pair = Pair { engine, naive, seq: 0, now_ns: START_NS, ours, theirs };
    let mut rest = &input[..input.len().min(INPUT_MAX)];
    while let [kind, steps, len, behind @ ..] = rest {
        let (body, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        rest = behind;
        pair.now_ns += u64::from(*steps) * STEP_NS;
        let Ok(command) = decode(*kind, body) else { continue };
        // What is due comes first, as the core has it.
        while pair.engine.due_ns().is_some_and(|due_ns| due_ns <= pair.now_ns) {
            pair.tell(&Command::Tick);
        }
        pair.tell(&command);
    }
    let restored = Engine::restore(&pair.engine.capture()).expect("a state that there was");
    assert_eq!(state_hash(&restored), state_hash(&pair.engine));
});
