//! What the operator chooses, and who writes the journal.

use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, Probe};
use crate::format::SegmentHeader;
use crate::limits::{FLUSH_INTERVAL_DEFAULT, SEGMENT_LEN_DEFAULT_BYTES};

/// How a journal is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of new segments, a multiple of 64 KiB; by default 64 MiB.
    pub segment_len_bytes: u64,
    /// Longest time a record waits for its sync; by default 5 ms.
    pub flush_interval: Duration,
    /// Which boot of the machine this is; `None` asks the kernel. Tests play reboots with it.
    pub boot_id: Option<[u8; 16]>,
    /// Told of every operation on the disk before it happens.
    pub probe: Option<Arc<dyn Probe>>,
}

impl Settings {
    pub(crate) fn disk(&self) -> Disk {
        Disk::new(self.probe.clone())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_len_bytes: SEGMENT_LEN_DEFAULT_BYTES,
            flush_interval: FLUSH_INTERVAL_DEFAULT,
            boot_id: None,
            probe: None,
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
