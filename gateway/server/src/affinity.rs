//! Threads and CPUs: how the work is laid out, which CPU each thread gets, how it waits.

use std::fmt;

use core_affinity::CoreId;

use crate::config::{self, Layout};

/// Fewest CPUs with which `auto` splits the work: three hot threads, and as many for the helpers,
/// the kernel's share of the network and the clients' side of a benchmark.
pub const SPLIT_CPUS_MIN: usize = 6;

/// The CPUs this process may use, read once before any thread is pinned: the list shrinks after.
#[derive(Clone, Debug)]
pub struct Cpus(Vec<CoreId>);

impl Cpus {
    /// Reads the list.
    #[must_use]
    pub fn read() -> Self {
        Self(core_affinity::get_core_ids().unwrap_or_default())
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Numbers of the CPUs, rising.
    #[must_use]
    pub fn numbers(&self) -> Vec<usize> {
        self.0.iter().map(|cpu| cpu.id).collect()
    }

    /// Pins the calling thread to CPU `id`; `true` when the kernel confirms it.
    #[must_use]
    pub fn pin(&self, id: usize) -> bool {
        let Some(&cpu) = self.0.iter().find(|cpu| cpu.id == id) else {
            return false;
        };
        core_affinity::set_for_current(cpu)
            && rustix::thread::sched_getaffinity(None)
                .is_ok_and(|set| set.count() == 1 && set.is_set(id))
    }
}

/// How the work is laid out, once chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// One thread does everything.
    Fused,
    /// Gateway, core and publisher have a thread each.
    Split,
}

impl Wiring {
    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => Layout::Fused.name(),
            Self::Split => Layout::Split.name(),
        }
    }

    const fn threads(self) -> &'static [&'static str] {
        match self {
            Self::Fused => &["uncross-core"],
            // The core's CPU is the last one, then the others in the order of a message.
            Self::Split => &["uncross-core", "uncross-gate", "uncross-pub"],
        }
    }
}

/// How a thread waits, once chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Polls for a while after the last message, then sleeps.
    SpinThenPark,
    /// The same, letting other threads run between two polls.
    YieldThenPark,
    /// Polls for ever.
    Spin,
}

impl Wait {
    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpinThenPark => config::Wait::SpinThenPark.name(),
            Self::YieldThenPark => config::Wait::YieldThenPark.name(),
            Self::Spin => config::Wait::Spin.name(),
        }
    }
}

/// One of the hot threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadPlan {
    /// Its name, as the system shows it.
    pub name: &'static str,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// How it waits.
    pub wait: Wait,
}

/// How a venue uses the CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the work is laid out.
    pub wiring: Wiring,
    /// Why, in words: "2 CPUs, split needs 6".
    pub reason: String,
    /// The hot threads, the core's first.
    pub threads: Vec<ThreadPlan>,
}

impl Plan {
    /// CPUs of the hot threads.
    #[must_use]
    pub fn hot_cpus(&self) -> Vec<usize> {
        self.threads.iter().filter_map(|thread| thread.cpu).collect()
    }
}

impl fmt::Display for Plan {
    /// One line: layout, reason, and each thread with its CPU and how it waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.wiring.name(), self.reason)?;
        for thread in &self.threads {
            write!(f, "; {} ", thread.name)?;
            match thread.cpu {
                Some(cpu) => write!(f, "on CPU {cpu}")?,
                None => f.write_str("not pinned")?,
            }
            write!(f, ", {}", thread.wait.name())?;
        }
        Ok(())
    }
}

/// Why the CPUs do not allow what is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Threads that never sleep would keep everybody else off the CPUs.
    #[error(
        "core.wait = \"spin\" needs a CPU for each of {hot} hot threads and one more, \
         this process may use {cpus}"
    )]
    TooFewCpus {
        /// Threads that would spin.
        hot: usize,
        /// CPUs this process may use.
        cpus: usize,
    },
}

/// Chooses layout, CPUs and waiting for what `core` asks and `cpus` allow.
///
/// The core gets the last CPU, since the first takes most interrupts. With fewer CPUs than hot
/// threads and one more, only the core is pinned and threads yield before they sleep. Where output
/// is held until it is durable, the thread that syncs is waited for by all others: a core that
/// spins on its CPU would keep it off, so that it counts as hot for the choice of waiting.
///
/// # Errors
///
/// Pure spinning with too few CPUs.
pub fn plan(core: &config::Core, level: config::Level, cpus: &Cpus) -> Result<Plan, PlanError> {
    plan_for(core, level, &cpus.numbers())
}

fn plan_for(core: &config::Core, level: config::Level, cpus: &[usize]) -> Result<Plan, PlanError> {
    let count = cpus.len();
    let (wiring, reason) = match core.layout {
        Layout::Fused => (Wiring::Fused, "as configured".to_owned()),
        Layout::Split => (Wiring::Split, "as configured".to_owned()),
        Layout::Auto if SPLIT_CPUS_MIN <= count => {
            (Wiring::Split, format!("{count} CPUs, {SPLIT_CPUS_MIN} are enough"))
        }
        Layout::Auto => {
            let noun = if count == 1 { "CPU" } else { "CPUs" };
            (Wiring::Fused, format!("{count} {noun}, split needs {SPLIT_CPUS_MIN}"))
        }
    };
    let names = wiring.threads();
    let hot = names.len();
    let is_roomy = hot < count;
    let is_held = match level {
        config::Level::Async => false,
        config::Level::Group | config::Level::Sync => true,
    };
    let leaves_one = hot + usize::from(is_held) < count;
    let wait = match core.wait {
        config::Wait::Spin if !is_roomy => {
            return Err(PlanError::TooFewCpus { hot, cpus: count });
        }
        config::Wait::Spin => Wait::Spin,
        config::Wait::Auto if leaves_one => Wait::SpinThenPark,
        config::Wait::Auto | config::Wait::YieldThenPark => Wait::YieldThenPark,
        config::Wait::SpinThenPark => Wait::SpinThenPark,
    };
    let cpu = |position: usize| {
        let may_pin = core.pin && 1 < count && (is_roomy || position == 0);
        cpus.iter().rev().nth(position).copied().filter(|_| may_pin)
    };
    let threads = names.iter().enumerate();
    let threads = threads.map(|(position, name)| ThreadPlan { name, cpu: cpu(position), wait });
    Ok(Plan { wiring, reason, threads: threads.collect() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn core(layout: Layout, wait: config::Wait) -> config::Core {
        config::Core { layout, pin: true, wait, spin: Duration::from_micros(50) }
    }

    fn text(layout: Layout, wait: config::Wait, cpus: usize) -> String {
        plan_for(&core(layout, wait), config::Level::Async, &(0..cpus).collect::<Vec<_>>())
            .map_or_else(|error| error.to_string(), |plan| plan.to_string())
    }

    #[test]
    fn the_layout_follows_from_the_cpus_and_says_why() {
        let auto = config::Wait::Auto;
        for (layout, cpus, expected) in [
            (
                Layout::Auto,
                1,
                "fused: 1 CPU, split needs 6; uncross-core not pinned, yield-then-park",
            ),
            (
                Layout::Auto,
                2,
                "fused: 2 CPUs, split needs 6; uncross-core on CPU 1, spin-then-park",
            ),
            (
                Layout::Auto,
                6,
                "split: 6 CPUs, 6 are enough; uncross-core on CPU 5, spin-then-park; \
                 uncross-gate on CPU 4, spin-then-park; uncross-pub on CPU 3, spin-then-park",
            ),
            (
                Layout::Split,
                2,
                "split: as configured; uncross-core on CPU 1, yield-then-park; \
                 uncross-gate not pinned, yield-then-park; uncross-pub not pinned, yield-then-park",
            ),
            (Layout::Fused, 8, "fused: as configured; uncross-core on CPU 7, spin-then-park"),
        ] {
            assert_eq!(text(layout, auto, cpus), expected);
        }
    }

    #[test]
    fn spinning_needs_a_cpu_for_everybody_and_one_more() {
        for (layout, cpus, hot) in [(Layout::Fused, 1, 1), (Layout::Split, 3, 3)] {
            let error = text(layout, config::Wait::Spin, cpus);
            assert!(error.contains(&format!("each of {hot} hot threads")), "{error}");
            let fine = text(layout, config::Wait::Spin, cpus + 1);
            assert!(fine.ends_with(", spin"), "{fine}");
        }
    }

    #[test]
    fn the_thread_that_syncs_is_left_a_cpu_where_output_waits_for_it() {
        let core = core(Layout::Fused, config::Wait::Auto);
        for (level, cpus, expected) in [
            (config::Level::Async, 2, Wait::SpinThenPark),
            (config::Level::Group, 2, Wait::YieldThenPark),
            (config::Level::Sync, 2, Wait::YieldThenPark),
            (config::Level::Group, 3, Wait::SpinThenPark),
        ] {
            let plan = plan_for(&core, level, &(0..cpus).collect::<Vec<_>>()).unwrap();
            assert_eq!(plan.threads[0].wait, expected, "{level:?}, {cpus} CPUs");
        }
    }

    #[test]
    fn what_is_asked_for_is_kept() {
        let spin = text(Layout::Split, config::Wait::SpinThenPark, 1);
        assert!(spin.ends_with("spin-then-park"), "{spin}");
        let polite = text(Layout::Fused, config::Wait::YieldThenPark, 8);
        assert!(polite.ends_with("yield-then-park"), "{polite}");
    }

    #[test]
    fn a_thread_is_pinned_where_it_was_asked_to_be() {
        let cpus = Cpus::read();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let cpu = *cpus.numbers().last().unwrap();
                assert!(cpus.pin(cpu));
                assert!(!cpus.pin(100_000));
            });
        });
        assert!(1 <= cpus.count());
    }
}
