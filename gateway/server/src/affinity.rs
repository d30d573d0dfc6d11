//! CPUs: how many there are for this process, and pinning a thread to one.

use core_affinity::CoreId;

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

    /// Number of the CPU for the core: the last one, since the first takes most interrupts.
    #[must_use]
    pub fn for_core(&self) -> Option<usize> {
        self.0.last().map(|cpu| cpu.id)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_pinned_where_it_was_asked_to_be() {
        let cpus = Cpus::read();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let cpu = cpus.for_core().unwrap();
                assert!(cpus.pin(cpu));
                assert!(!cpus.pin(100_000));
            });
        });
        assert!(1 <= cpus.count());
    }
}
