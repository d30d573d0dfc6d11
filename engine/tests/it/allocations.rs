//! The core thread allocates nothing once it runs.

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

#[test]
fn a_million_mixed_commands_allocate_nothing() {
    const COMMANDS: u64 = 1_000_000;
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
    let spent = allocation_counter::measure(|| {
        for _ in 0..COMMANDS {
            apply(&flow.next(&[]), &mut sink);
        }
    });
    assert_eq!(spent.count_total, 0, "allocations in {COMMANDS} commands");
    assert!(COMMANDS / 2 < sink.0, "the flow hardly did anything");
}
