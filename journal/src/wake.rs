//! Waking a thread that sleeps, without losing a wake-up and without paying while it is awake.
//!
//! The sleeper says that it is about to sleep, then looks for work once more; whoever makes work
//! does so first and then looks whether somebody sleeps. Between the two steps of each side stands
//! a sequentially consistent fence, so that at least one of them sees what the other did: either
//! the sleeper finds the work, or the maker finds the sleeper. The flusher of the journal sleeps
//! this way, and so may any thread that is fed through memory.

#[cfg(all(loom, test))]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(all(loom, test)))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Two cache lines, for the adjacent-line prefetcher: makers of work read it after each batch.
#[repr(align(128))]
#[derive(Debug)]
pub struct Bell {
    /// The sleeper has announced that it sleeps, and nobody has woken it since.
    sleeps: AtomicBool,
}

impl Bell {
    /// A bell whose sleeper is awake.
    #[must_use]
    pub fn new() -> Self {
        Self { sleeps: AtomicBool::new(false) }
    }

    /// For makers of work, any number of threads: calls `wake` if the sleeper sleeps or is about
    /// to. What was stored before this call is seen by the sleeper before it sleeps again.
    ///
    /// It costs a fence and a load while the sleeper is awake. `wake` must be remembered when it
    /// comes before the sleep, as those of [`Thread::unpark`](std::thread::Thread::unpark) and of
    /// an event descriptor in epoll are; of several makers one calls it.
    #[inline]
    pub fn ring(&self, wake: impl FnOnce()) {
        // SeqCst: pairs with the fence in `rest`. The work was stored before.
        fence(Ordering::SeqCst);
        // Relaxed: the fences order it; the swap decides who wakes.
        if self.sleeps.load(Ordering::Relaxed) && self.sleeps.swap(false, Ordering::Relaxed) {
            wake();
        }
    }

    /// For the sleeper, one thread: calls `sleep` unless `has_work` after the announcement.
    ///
    /// `sleep` may return without having been woken: after a time, or for a wake-up that came
    /// late. The caller looks for work in any case.
    pub fn rest(&self, has_work: impl FnOnce() -> bool, sleep: impl FnOnce()) {
        // Relaxed: the fence below orders it.
        self.sleeps.store(true, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `ring`.
        fence(Ordering::SeqCst);
        if !has_work() {
            sleep();
        }
        // Relaxed: a ringer that still sees the announcement only wakes once too often.
        self.sleeps.store(false, Ordering::Relaxed);
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(loom, test))]
mod models {
    use loom::{
        sync::{Arc, atomic::AtomicU32},
        thread,
    };

    use super::*;

    /// Items made, each announced by a ring; the sleeper takes all of them. Threads are taken off
    /// the processor at most `preemptions` times where they would not wait anyway.
    fn deliver(makers: u32, items: u32, preemptions: Option<usize>) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = preemptions;
        model.check(move || {
            let bell = Arc::new(Bell::new());
            let made = Arc::new(AtomicU32::new(0));
            let sleeper = thread::current();
            let handles: Vec<_> = (0..makers)
                .map(|_| {
                    let (bell, made) = (Arc::clone(&bell), Arc::clone(&made));
                    let sleeper = sleeper.clone();
                    thread::spawn(move || {
                        for _ in 0..items {
                            made.fetch_add(1, Ordering::Relaxed);
                            bell.ring(|| sleeper.unpark());
                        }
                    })
                })
                .collect();
            // A lost wake-up leaves every thread blocked, which loom reports.
            while made.load(Ordering::Relaxed) < makers * items {
                let has_all = || made.load(Ordering::Relaxed) == makers * items;
                bell.rest(has_all, thread::park);
            }
            for handle in handles {
                handle.join().unwrap();
            }
        });
    }

    #[test]
    fn no_wake_up_of_one_maker_is_lost() {
        deliver(1, 2, None);
    }

    #[test]
    fn no_wake_up_of_two_makers_is_lost() {
        deliver(2, 1, Some(3));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{cell::Cell, sync::atomic::AtomicU64, thread};

    use super::*;

    #[test]
    fn only_a_sleeper_is_woken_and_only_once() {
        let bell = Bell::new();
        let woken = Cell::new(0);
        let wake = || woken.set(woken.get() + 1);
        bell.ring(wake);
        assert_eq!(woken.get(), 0, "awake");
        bell.rest(
            || false,
            || {
                bell.ring(wake);
                bell.ring(wake);
            },
        );
        assert_eq!(woken.get(), 1, "asleep");
        bell.ring(wake);
        assert_eq!(woken.get(), 1, "awake again");
    }

    #[test]
    fn who_finds_work_does_not_sleep() {
        let slept = Cell::new(false);
        Bell::new().rest(|| true, || slept.set(true));
        assert!(!slept.get());
    }

    #[test]
    fn a_sleeper_without_a_time_limit_gets_everything() {
        const ITEMS: u64 = 100_000;
        let (bell, made) = (Bell::new(), AtomicU64::new(0));
        let sleeper = thread::current();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ITEMS {
                    made.fetch_add(1, Ordering::Release);
                    bell.ring(|| sleeper.unpark());
                }
            });
            let mut taken = 0;
            while taken < ITEMS {
                bell.rest(|| taken < made.load(Ordering::Acquire), thread::park);
                taken = made.load(Ordering::Acquire);
            }
        });
    }
}
