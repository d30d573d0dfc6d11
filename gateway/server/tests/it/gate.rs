//! A disk whose syncs hang while a test wants it.

use std::{
    io,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use uncross_server::{
    journal::{Operation, Probe},
    venue::Options,
};

/// Longest that a sync hangs, or a test waits for one.
pub(crate) const HANG_MAX: Duration = Duration::from_mins(1);

/// What syncs of mapped pages meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    Hangs,
}

/// Syncs as the test wants them.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    /// Syncs that hang.
    hanging: usize,
    /// Syncs begun in all.
    begun: usize,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { disk: Disk::Works, hanging: 0, begun: 0 };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// How a venue is started on this disk.
    pub(crate) fn options(self: &Arc<Self>) -> Options {
        let probe: Arc<dyn Probe> = Arc::<Self>::clone(self);
        Options { probe: Some(probe), ..Options::default() }
    }

    pub(crate) fn set(&self, disk: Disk) {
        self.state.lock().unwrap().disk = disk;
        self.changed.notify_all();
    }

    pub(crate) fn begun(&self) -> usize {
        self.state.lock().unwrap().begun
    }

    /// Waits until a sync hangs: then what it is for has been appended.
    pub(crate) fn wait_until_it_hangs(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, HANG_MAX, |state| state.hanging == 0);
        assert!(!waited.unwrap().1.timed_out(), "no sync is begun");
    }
}

impl Probe for Gate {
    fn before(&self, operation: Operation, _path: &Path) -> io::Result<()> {
        if operation != Operation::SyncPages {
            return Ok(());
        }
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        state.hanging += 1;
        self.changed.notify_all();
        let hangs = |state: &mut State| state.disk == Disk::Hangs;
        let waited = self.changed.wait_timeout_while(state, HANG_MAX, hangs).unwrap();
        state = waited.0;
        state.hanging -= 1;
        if waited.1.timed_out() {
            // The test has failed meanwhile, and the venue is to end.
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}
