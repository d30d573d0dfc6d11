//! The three helper threads of a writer, as one thing that is started and finished.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::ahead::Prefaulter;
use crate::error::{CloseError, DiskError, Operation};
use crate::flush::Flusher;
use crate::keep::Keeper;
use crate::shared::Shared;

/// The running helpers. Dropping it finishes them.
#[derive(Debug)]
pub(crate) struct Helpers {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    prefaulter: Option<JoinHandle<()>>,
}

impl Helpers {
    pub(crate) fn start(
        shared: Arc<Shared>,
        keeper: Keeper,
        flusher: Flusher,
    ) -> Result<Self, DiskError> {
        let mut helpers = Self { shared, flusher: None, keeper: None, prefaulter: None };
        let keeper = helpers.spawn("journal-keep", move || keeper.run())?;
        let keeper_thread = keeper.thread().clone();
        helpers.keeper = Some(keeper);
        helpers.flusher =
            Some(helpers.spawn("journal-flush", move || flusher.run(&keeper_thread))?);
        let prefaulter = Prefaulter::new(Arc::clone(&helpers.shared));
        helpers.prefaulter = Some(helpers.spawn("journal-ahead", move || prefaulter.run())?);
        Ok(helpers)
    }

    fn spawn(
        &self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, DiskError> {
        let Shared { disk, dir, .. } = &*self.shared;
        disk.run(Operation::StartThread, dir, || {
            thread::Builder::new().name(name.to_owned()).spawn(run)
        })
    }

    /// For the writer: where it publishes its progress.
    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Stops all: the flusher syncs what is left, then the keeper seals what is complete.
    pub(crate) fn finish(&mut self) -> Result<(), CloseError> {
        self.shared.stop();
        let faulted = end(&mut self.prefaulter);
        let flushed = end(&mut self.flusher);
        // For the case that the flusher never ran or did not come to say so itself.
        self.shared.end_flusher();
        let kept = end(&mut self.keeper);
        match self.shared.watermark.poison_error() {
            Some(error) => Err(CloseError::Poisoned(error)),
            None if faulted && flushed && kept => Ok(()),
            None => Err(CloseError::HelperPanicked),
        }
    }
}

/// Keeps the calling thread, and those it starts, off `cpus` where it may run on others. What the
/// system refuses is not done.
pub fn keep_off(cpus: &[usize]) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut left = CpuSet::new();
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu) && !cpus.contains(cpu)) {
        left.set(cpu);
    }
    if 0 < left.count() {
        let _is_apart = sched_setaffinity(None, &left);
    }
}

/// Wakes and joins a helper; false when it panicked.
fn end(handle: &mut Option<JoinHandle<()>>) -> bool {
    let Some(handle) = handle.take() else { return true };
    handle.thread().unpark();
    handle.join().is_ok()
}

impl Drop for Helpers {
    fn drop(&mut self) {
        // Whoever wants to know calls `Writer::close`; the next start recovers either way.
        drop(self.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_off_the_cpus_of_others_where_it_is_left_one() {
        let allowed = sched_getaffinity(None).unwrap();
        let mine: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        let kept_off = |cpus: &[usize]| {
            thread::scope(|scope| {
                let look = || {
                    keep_off(cpus);
                    let now = sched_getaffinity(None).unwrap();
                    mine.iter().copied().filter(|cpu| now.is_set(*cpu)).collect::<Vec<_>>()
                };
                scope.spawn(look).join().unwrap()
            })
        };
        let (last, others) = mine.split_last().unwrap();
        let expected = if others.is_empty() { &mine[..] } else { others };
        assert_eq!(kept_off(&[*last]), expected);
        assert_eq!(kept_off(&mine), mine, "none is left: it stays where it was");
        assert_eq!(kept_off(&[]), mine);
    }
}
