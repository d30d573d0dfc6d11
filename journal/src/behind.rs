//! What is behind the last record, looked for on a thread of its own while the records are read.
//!
//! Behind it are zeros, up to a whole segment of them, and only when all of them were looked at
//! nothing is torn. Of what is not zero this says nothing: the walk judges it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::disk::Disk;
use crate::folder::{self, Form};
use crate::limits::PAGE_BYTES;
use crate::scan;
use crate::segment::{Opened, Segment};

/// A look at the segment that is being written, or was last.
#[derive(Debug)]
pub(crate) struct Behind {
    path: PathBuf,
    look: Option<JoinHandle<Option<u64>>>,
    is_over: Arc<AtomicBool>,
}

impl Behind {
    /// Begins. `None`: there is no such segment, or the system gives no thread.
    pub(crate) fn look(disk: &Disk, dir: &Path) -> Option<Self> {
        let last = folder::list(disk, dir).ok()?.named.pop()?;
        let path = (last.form == Form::Open).then_some(last.path)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (looked_at, watched) = (path.clone(), Arc::clone(&is_over));
        // Relaxed: it ends a little later then, and tells nothing.
        let disk = disk.clone();
        let look = move || {
            // Whoever checks records is waited for sooner, and finds the CPU as good as idle. Where
            // it is refused, both are in turn.
            let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
            let _is_idle =
                set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
            zeros_from(&disk, looked_at, || !watched.load(Ordering::Relaxed))
        };
        let look = Builder::new().name("journal-tail".to_owned()).spawn(look).ok()?;
        Some(Self { path, look: Some(look), is_over })
    }

    /// From where on all of `segment` was zero at some time since the look began; `None` where that
    /// is not known.
    pub(crate) fn zeros_from(&mut self, segment: &Segment) -> Option<u64> {
        let look = self.look.take_if(|_| segment.path == self.path)?;
        look.join().ok().flatten()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It ends within a window, and has told nothing if it panicked.
        drop(self.look.take().map(JoinHandle::join));
    }
}

fn zeros_from(disk: &Disk, path: PathBuf, go_on: impl Fn() -> bool) -> Option<u64> {
    let opened = Segment::open(disk, path, Form::Open).ok()?;
    let Some(Opened::Valid(segment)) = opened else { return None };
    let range = PAGE_BYTES..segment.data_end();
    scan::zeros_from(&segment.file, &segment.path, range, go_on).ok().flatten()
}
