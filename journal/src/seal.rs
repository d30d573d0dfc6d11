//! Finishing a segment: footer, sparse index, BLAKE3, sync, name, read-only mode.
//!
//! The same function serves the keeper beside a running writer and recovery after a crash, because
//! it starts from the file alone. It checks every record once more on the way: what it signs was
//! read back, not remembered. Doing it twice gives the same bytes.

use std::path::Path;

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::crc;
use crate::disk::Disk;
use crate::error::{DiskError, Fault, Operation, ReadError};
use crate::folder::{self, Form};
use crate::format::{FOOTER_MAGIC, FORMAT_VERSION, Footer, HASH_BYTES, IndexEntry};
use crate::limits::{INDEX_STRIDE_BYTES, WINDOW_BYTES, index};
use crate::record::Record;
use crate::scan::{Scan, Step, Window};
use crate::segment::{Opened, Segment, Tip};
use crate::storage::Handle;

/// What the records of a complete segment sum up to.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) footer: Footer,
    pub(crate) entries: Vec<IndexEntry>,
}

/// Collects a [`Summary`] record by record.
#[derive(Debug)]
pub(crate) struct Summing {
    summary: Summary,
    /// Where the next index entry is due.
    stride_end: u64,
}

impl Summing {
    pub(crate) fn new(segment: &Segment) -> Self {
        let mut footer = Footer::new_zeroed();
        footer.magic = FOOTER_MAGIC;
        footer.format_version = U32::new(FORMAT_VERSION);
        footer.segment_number = segment.header.segment_number;
        footer.first_seq = segment.header.first_seq;
        footer.output_hash = segment.header.output_hash;
        Self { summary: Summary { footer, entries: Vec::new() }, stride_end: 0 }
    }

    /// Adds the record that starts at `offset`.
    pub(crate) fn add(&mut self, record: &Record<'_>, offset: u64) {
        let footer = &mut self.summary.footer;
        if footer.record_count.get() == 0 {
            footer.first_time_ns = U64::new(record.time_ns);
        }
        footer.record_count += 1;
        footer.last_seq = U64::new(record.seq);
        footer.last_time_ns = U64::new(record.time_ns);
        footer.seal_offset = U64::new(offset);
        if let Some(output_hash) = record.output_hash() {
            footer.output_hash = U64::new(output_hash);
        }
        if self.stride_end <= offset {
            self.summary.entries.push(IndexEntry {
                seq: U64::new(record.seq),
                time_ns: U64::new(record.time_ns),
                offset: U64::new(offset),
            });
            self.stride_end = (offset + 1).next_multiple_of(INDEX_STRIDE_BYTES);
        }
    }

    /// Completes the sums; the last record added was the seal, with checksum `seal_crc`.
    pub(crate) fn finish(mut self, seal_crc: u32) -> Summary {
        let footer = &mut self.summary.footer;
        let entries = &self.summary.entries;
        // At most one entry per stride of a segment: far below `u32::MAX`.
        footer.entry_count = U32::new(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        footer.seal_crc = U32::new(seal_crc);
        footer.entries_crc = U32::new(crc::plain(entries.as_bytes()));
        footer.crc = U32::new(footer.checksum());
        self.summary
    }
}

/// Seals the complete segment `path`, of which `file` is a writable handle, and renames it.
/// Returns its BLAKE3.
///
/// # Errors
///
/// A record that does not read back as it was written, or a failed operation.
pub(crate) fn seal(
    disk: &Disk,
    dir: &Path,
    path: &Path,
    file: &Handle,
    window: &mut Window,
) -> Result<[u8; 32], ReadError> {
    let segment = reopen(disk, path)?;
    let summary = sum(&segment, window)?;
    let end = segment.data_end();
    disk.write_at(file, path, summary.footer.as_bytes(), end)?;
    disk.write_at(file, path, summary.entries.as_bytes(), entries_offset(&segment))?;
    let hash = content_hash(&segment)?;
    disk.write_at(file, path, &hash, segment.len_bytes() - HASH_BYTES)?;
    disk.sync_file(file, path)?;
    let sealed = folder::sealed_path(dir, segment.header.first_seq.get());
    disk.rename(path, &sealed)?;
    disk.sync_folder(dir)?;
    // Last: a start that has to do all of this again must be able to write to the file.
    disk.set_read_only(file, &sealed)?;
    Ok(hash)
}

fn reopen(disk: &Disk, path: &Path) -> Result<Segment, ReadError> {
    let damaged = |fault| Tip::START.damage(path.to_owned(), 0, fault);
    match Segment::open(disk, path.to_owned(), Form::Open)? {
        Some(Opened::Valid(segment)) => Ok(segment),
        Some(Opened::Headless(fault)) => Err(damaged(fault).into()),
        None => Err(damaged(Fault::Unwritten).into()),
    }
}

/// Walks a segment that must be complete.
fn sum(segment: &Segment, window: &mut Window) -> Result<Summary, ReadError> {
    let mut summing = Summing::new(segment);
    let mut scan = Scan::new(segment, window);
    loop {
        let offset = scan.offset();
        match scan.step()? {
            Step::Record(record) => summing.add(&record, offset),
            Step::Sealed => return Ok(summing.finish(scan.chain().crc)),
            Step::Invalid(fault) => {
                let tip = Tip { last_seq: scan.chain().last_seq, ..Tip::START };
                return Err(tip.damage(segment.path.clone(), offset, fault).into());
            }
        }
    }
}

/// BLAKE3 of all of a segment file but its last 32 bytes, where the result is kept.
pub(crate) fn content_hash(segment: &Segment) -> Result<[u8; 32], DiskError> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0_u8; WINDOW_BYTES];
    let end = segment.len_bytes() - HASH_BYTES;
    let mut at = 0;
    while at < end {
        let len = index(end - at).min(buffer.len());
        segment
            .file
            .read_exact_at(&mut buffer[..len], at)
            .map_err(DiskError::of(Operation::Read, &segment.path))?;
        hasher.update(&buffer[..len]);
        at += len as u64;
    }
    Ok(*hasher.finalize().as_bytes())
}

/// Where the index entries of `segment` start.
pub(crate) fn entries_offset(segment: &Segment) -> u64 {
    segment.data_end() + size_of::<Footer>() as u64
}
