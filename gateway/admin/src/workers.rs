//! The threads on which acts wait for the core.
//!
//! They are made when the door opens: one that had to be made for a kill might not be had in the
//! very emergency that the kill is for. What finds no thread and no place in the queue is refused.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

use crate::limits::{ACTS_MAX, ACTS_WAITING_MAX};

type Job = Box<dyn FnOnce() + Send>;

/// Where work is handed in that blocks. The threads end with it.
#[derive(Debug)]
pub(crate) struct Workers {
    jobs: SyncSender<Job>,
}

impl Workers {
    /// Makes the threads.
    ///
    /// # Errors
    ///
    /// The system refuses one.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, taken) = sync_channel::<Job>(ACTS_WAITING_MAX);
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..ACTS_MAX {
            let taken = Arc::clone(&taken);
            thread::Builder::new().name("uncross-act".to_owned()).spawn(move || work(&taken))?;
        }
        Ok(Self { jobs })
    }

    /// Has `job` done; its result comes by the channel. `None` when too many wait.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let (done, result) = oneshot::channel();
        // Who asked may be gone by then.
        let job = Box::new(move || drop(done.send(job())));
        self.jobs.try_send(job).is_ok().then_some(result)
    }
}

fn work(taken: &Mutex<Receiver<Job>>) {
    loop {
        let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn what_finds_no_thread_and_no_place_is_refused_and_the_rest_is_done() {
        let workers = Workers::start().unwrap();
        let gate = Arc::new(Barrier::new(ACTS_MAX + 1));
        let wait = || {
            let gate = Arc::clone(&gate);
            move || gate.wait().is_leader()
        };
        let held: Vec<_> = (0..ACTS_MAX).filter_map(|_| workers.run(wait())).collect();
        assert_eq!(held.len(), ACTS_MAX);
        let (mut waiting, mut refused) = (Vec::new(), false);
        // The queue empties while the threads take what they hold.
        while !refused {
            match workers.run(|| 7) {
                Some(result) => waiting.push(result),
                None => refused = true,
            }
        }
        assert!(ACTS_WAITING_MAX <= waiting.len() + ACTS_MAX, "{}", waiting.len());
        gate.wait();
        for result in waiting {
            assert_eq!(result.blocking_recv(), Ok(7));
        }
    }
}
