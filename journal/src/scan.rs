//! Walks the records of one segment through a window of bounded size.
//!
//! The file is read, not mapped: a bad sector or a truncated file is then an error with an offset
//! and not a signal that kills the auditor, and bytes that a running writer changes under the
//! reader are copied once and judged as copied. The page cache serves both alike.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{DiskError, Fault, Operation};
use crate::format::kind;
use crate::limits::{PAGE_BYTES, RECORD_BYTES_MAX, SLOT_BYTES, WINDOW_BYTES, index};
use crate::record::{self, Chain, Record};
use crate::segment::Segment;

/// A piece of a file in memory. One is reused for all segments of a walk.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: Box<[u8]>,
    /// Offset of the first byte in the file.
    start: u64,
    /// Bytes that are filled.
    len: usize,
}

/// What a step of a scan finds.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A valid record, of the caller or the journal's own.
    Record(Record<'a>),
    /// The seal was passed: the segment is complete.
    Sealed,
    /// The next bytes are no record.
    Invalid(Fault),
}

/// A scan over one segment.
#[derive(Debug)]
pub(crate) struct Scan<'s> {
    file: &'s File,
    path: &'s Path,
    window: &'s mut Window,
    data_end: u64,
    at: u64,
    chain: Chain,
    sealed: bool,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; WINDOW_BYTES].into_boxed_slice(), start: 0, len: 0 }
    }

    /// Forgets what was read.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The bytes of `file` from `offset` on: at least `want` of them, or up to `end`.
    fn at(
        &mut self,
        file: &File,
        offset: u64,
        want: u64,
        end: u64,
    ) -> std::io::Result<&[u8]> {
        let need = index(want.min(end - offset));
        let held = offset.checked_sub(self.start).map(index).filter(|skip| {
            skip.checked_add(need).is_some_and(|upto| upto <= self.len)
        });
        if let Some(skip) = held {
            return Ok(&self.bytes[skip..self.len]);
        }
        let len = index(end - offset).min(self.bytes.len());
        self.len = 0;
        file.read_exact_at(&mut self.bytes[..len], offset)?;
        self.start = offset;
        self.len = len;
        Ok(&self.bytes[..len])
    }
}

impl<'s> Scan<'s> {
    /// Starts in front of the first record of `segment`.
    pub(crate) fn new(segment: &'s Segment, window: &'s mut Window) -> Self {
        Self::resume(segment, window, PAGE_BYTES, segment.chain())
    }

    /// Starts at `at`, where `chain` is known to hold.
    pub(crate) fn resume(
        segment: &'s Segment,
        window: &'s mut Window,
        at: u64,
        chain: Chain,
    ) -> Self {
        window.clear();
        let data_end = segment.data_end();
        Self { file: &segment.file, path: &segment.path, window, data_end, at, chain, sealed: false }
    }

    /// The next record, or why there is none. After `Sealed` or `Invalid` the same comes again,
    /// and an invalid place is read anew.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, DiskError> {
        if self.sealed {
            return Ok(Step::Sealed);
        }
        let failed = DiskError::of(Operation::Read, self.path);
        let bytes = match self.window.at(self.file, self.at, RECORD_BYTES_MAX, self.data_end) {
            Ok(bytes) => bytes,
            Err(error) => return Err(failed(error)),
        };
        match record::parse(bytes, &self.chain) {
            Ok(parsed) => {
                self.at += parsed.len_bytes;
                self.chain.crc = parsed.crc;
                self.chain.last_seq = parsed.record.seq;
                self.sealed = parsed.record.kind == kind::SEAL;
                Ok(Step::Record(parsed.record))
            }
            Err(fault) => Ok(Step::Invalid(fault)),
        }
    }

    /// End of the last valid record.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// What the next record is checked against.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }
}

/// The end of the last byte that is not zero in `start..end` of `file`; `None` when all are.
pub(crate) fn last_written(
    file: &File,
    path: &Path,
    start: u64,
    end: u64,
) -> Result<Option<u64>, DiskError> {
    let mut buffer = vec![0_u8; WINDOW_BYTES];
    let mut last = None;
    let mut at = start;
    while at < end {
        let len = index(end - at).min(buffer.len());
        file.read_exact_at(&mut buffer[..len], at)
            .map_err(DiskError::of(Operation::Read, path))?;
        if let Some(position) = buffer[..len].iter().rposition(|byte| *byte != 0) {
            last = Some(at + position as u64 + 1);
        }
        at += len as u64;
    }
    Ok(last)
}

/// Looks for valid records behind an invalid one at the start of `tail`: such a record is chained
/// to the checksum stored in, or computed over, the slots before it. Returns its offset in `tail`.
///
/// A write cut short leaves nothing valid behind it, so a find means that the invalid record was
/// damaged later.
pub(crate) fn valid_follower(tail: &[u8], chain: &Chain) -> Option<u64> {
    let slots = (0..tail.len() as u64).step_by(index(SLOT_BYTES));
    for at in slots {
        let claimed = &tail[index(at)..];
        let Some(stored) = claimed.first_chunk::<4>() else { continue };
        let body_len = match record::checksummed(claimed, chain.crc, chain.salt) {
            Err(Fault::Checksum { expected, .. }) if at == 0 => {
                // Only the checksum field may be hit: try the sum of what is there as well.
                let len = record::claimed_len(claimed);
                if chained_behind(tail, len, expected, chain) {
                    return Some(len);
                }
                len
            }
            Ok(_) | Err(Fault::Checksum { .. }) => record::claimed_len(claimed),
            Err(_) => continue,
        };
        let next = at + body_len;
        if chained_behind(tail, next, u32::from_le_bytes(*stored), chain) {
            return Some(next);
        }
    }
    None
}

/// Whether a valid record starts at `at` behind a record with checksum `crc`.
fn chained_behind(tail: &[u8], at: u64, crc: u32, chain: &Chain) -> bool {
    tail.get(index(at)..)
        .is_some_and(|bytes| record::checksummed(bytes, crc, chain.salt).is_ok())
}
