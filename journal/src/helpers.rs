//! The three helper threads of a writer, as one thing that is started and finished.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

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
