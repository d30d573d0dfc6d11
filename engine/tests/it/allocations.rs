//! The core thread allocates nothing and meets no new page once it runs.

use std::fs;

use uncross_engine::{
    Engine, Progress,
    command::Command,
    event::{Event, Sink},
};

use crate::{differential::CAPACITY, flow::Flow};

struct Count(u64);

impl Sink for Count {
    fn push(&mut self, event: Event) {
        self.0 += u64::from(event.bytes()[0] != 0);
    }
}

/// Page faults of this thread so far; 0 where the system does not tell.
fn faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; minor and major faults are 8th and 10th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let field = |at: usize| after.split_whitespace().nth(at).and_then(|it| it.parse().ok());
    field(7).unwrap_or(0) + field(9).unwrap_or(0_u64)
}

#[test]
fn ten_million_mixed_commands_allocate_nothing_and_fault_no_page() {
    // A system that is short of memory takes pages back or moves them; what the engine itself
    // faults, it faults each time.
    let least = (0..3).map(|_| run()).find(|faulted| *faulted == 0);
    assert_eq!(least, Some(0), "page faults in each of three runs");
}

/// Page faults in ten million commands, none of which may allocate.
fn run() -> u64 {
    const COMMANDS: u64 = 10_000_000;
    let mut flow = Flow::new(3);
    let mut engine = Engine::new(CAPACITY);
    let opening = flow.opening();
    let mut sink = Count(0);
    let mut seq = 0;
    let mut apply = |command: &Command<'_>, sink: &mut Count| {
        seq += 1;
        let mut progress = engine.begin(seq, seq, command, sink);
        while progress == Progress::More {
            progress = engine.resume(sink);
        }
    };
    for command in &opening {
        apply(command, &mut sink);
    }
    for _ in 0..10_000 {
        apply(&flow.next(&[]), &mut sink);
    }
    // Once for what measuring itself needs.
    assert_eq!(allocation_counter::measure(|| ()).count_total, 0);
    // The second reading finds the pages of the first one there.
    let _first = faults();
    let before = faults();
    let spent = allocation_counter::measure(|| {
        for _ in 0..COMMANDS {
            apply(&flow.next(&[]), &mut sink);
        }
    });
    let faulted = faults() - before;
    assert_eq!(spent.count_total, 0, "allocations in {COMMANDS} commands");
    assert!(COMMANDS / 2 < sink.0, "the flow hardly did anything");
    faulted
}
