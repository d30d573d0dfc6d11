//! What the operator chooses, and who writes the journal.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, Probe};
use crate::format::SegmentHeader;
use crate::limits::{FLUSH_INTERVAL_DEFAULT, SEGMENT_LEN_DEFAULT_BYTES, WHOLE_PAGES_MIN};
use crate::storage::Storage;

/// When what was appended may be acted upon, and so when it is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As soon as it is in the mapping: the flusher syncs each flush interval.
    Async,
    /// When a sync covers it, along with all that came before that sync began: the flusher syncs
    /// whenever [`Writer::ring`](crate::Writer::ring) finds it idle.
    Group,
    /// When a sync of its own covers it. For the flusher this is [`Self::Group`]: the caller
    /// appends one command, rings, and waits for [`Watermark::durable_seq`] before the next one.
    ///
    /// [`Watermark::durable_seq`]: crate::Watermark::durable_seq
    Sync,
}

/// Called after each advance of the durable watermark and after poisoning, on the helper thread
/// that did it. It must be short and must not call back into the writer: it delays the next sync.
#[derive(Clone)]
pub struct OnDurable(pub Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for OnDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDurable")
    }
}

/// How a journal is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of new segments, a multiple of 64 KiB; by default 64 MiB.
    pub segment_len_bytes: u64,
    /// When records are synced; by default [`Level::Group`].
    pub level: Level,
    /// At [`Level::Async`] the longest time a record waits for its sync; by default 5 ms.
    pub flush_interval: Duration,
    /// Pages that must have filled since the last sync before the page being written is left to the
    /// next one; by default [`WHOLE_PAGES_MIN`]. Not at [`Level::Sync`], which never leaves one.
    pub whole_pages_min: u64,
    /// Which boot of the machine this is; `None` asks the kernel. Tests play reboots with it.
    pub boot_id: Option<[u8; 16]>,
    /// Wakes whoever waits for the watermark.
    pub on_durable: Option<OnDurable>,
    /// CPUs on which nothing is prepared where there are others: that of the thread that appends,
    /// and of others that must not wait. By default none.
    pub hot_cpus: Vec<usize>,
    /// Told of every operation on the disk before it happens.
    pub probe: Option<Arc<dyn Probe>>,
    /// The disk; `None` is that of the operating system.
    pub storage: Option<Arc<dyn Storage>>,
}

impl Settings {
    pub(crate) fn disk(&self) -> Disk {
        Disk::new(self.storage.clone(), self.probe.clone())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_len_bytes: SEGMENT_LEN_DEFAULT_BYTES,
            level: Level::Group,
            flush_interval: FLUSH_INTERVAL_DEFAULT,
            whole_pages_min: WHOLE_PAGES_MIN,
            boot_id: None,
            on_durable: None,
            hot_cpus: Vec::new(),
            probe: None,
            storage: None,
        }
    }
}

/// Who applies the records. It is in every segment header and holds for all records of the
/// segment: a run with another identity starts a new segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Behaviour version of the engine: the same version replays the same bytes.
    pub behaviour_version: u32,
    /// Hash of the configuration in force.
    pub config_hash: [u8; 32],
    /// Which build this is.
    pub build_id: [u8; 32],
}

impl Identity {
    pub(crate) fn of(header: &SegmentHeader) -> Self {
        Self {
            behaviour_version: header.behaviour_version.get(),
            config_hash: header.config_hash,
            build_id: header.build_id,
        }
    }
}
