//! The writer: appends records on the core thread, inline, without a lock or a system call.
//!
//! Rotation is inline too: a seal in the old segment, a header page and the record in the next
//! prepared one. Naming, syncing and sealing are left to the helpers. The stores reach the page
//! cache in program order, so that a process killed at any instant leaves whole records and at
//! most one torn one at the end.

use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};
use std::sync::mpsc::{Receiver, sync_channel};

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use crate::disk::Disk;
use crate::error::{AppendError, CloseError, DiskError};
use crate::flush::{Flusher, Pace};
use crate::format::{CheckpointBody, SegmentHeader, kind, record_len_bytes};
use crate::helpers::Helpers;
use crate::keep::{Keeper, Spare};
use crate::limits::{BODY_BYTES_MAX, PAGE_BYTES, SEAL_BYTES, SPARES_MAX, reserve_bytes};
use crate::lock::Lock;
use crate::mapped::{Mapped, Pen};
use crate::record::{self, Buffer, Chain, OWN_BODY_LEN, Record, SLOT_BODY_BYTES};
use crate::settings::{Level, Settings};
use crate::shared::{Position, Shared};
use crate::sidecar::{Mark, Sidecar};
use crate::watermark::Watermark;

/// What is given to [`Writer::append`]: a [`Record`] with the caller's sequence number and kind.
pub type Entry<'a> = Record<'a>;

/// How urgent a record is, which decides whether it may still be appended while no further segment
/// is prepared: the end of the segment being written is a reserve, see [`reserve_bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Up to the reserve: what can be refused.
    Ordinary,
    /// Up to the middle of the reserve: the refusals.
    Refusal,
    /// Up to the end: what takes risk away, and time.
    Essential,
}

/// Room left for records, in bytes. A record takes a multiple of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In the segment being written.
    pub segment_bytes: u64,
    /// In the prepared ones.
    pub prepared_bytes: u64,
}

impl Room {
    /// Both together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.segment_bytes + self.prepared_bytes
    }
}

/// Everything a writer starts from.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) disk: Disk,
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) lock: Lock,
    pub(crate) sidecar: Sidecar,
    pub(crate) mark: Mark,
    pub(crate) mapped: Arc<Mapped>,
    pub(crate) pen: Pen,
    pub(crate) chain: Chain,
    pub(crate) first_seq: u64,
    pub(crate) checkpointed: bool,
    /// Of the first segment.
    pub(crate) salt: u64,
    pub(crate) template: Box<SegmentHeader>,
}

/// The one writer of an open journal.
///
/// Invariants: `offset` is the end of the last record in the segment of `pen`, everything behind
/// it there is zero, and a seal always fits before `end`.
#[derive(Debug)]
pub struct Writer {
    // Fields are dropped in this order: the helpers end before what they use goes, the lock last.
    helpers: Helpers,
    pen: Pen,
    offset: u64,
    /// Where records must end, the seal included.
    end: u64,
    chain: Chain,
    /// Counts segments since the start.
    segment_index: u32,
    first_seq: u64,
    /// Whether the last record is a checkpoint.
    checkpointed: bool,
    /// Of the first segment.
    salt: u64,
    buffer: Box<Buffer>,
    /// The next header, filled in at a rotation.
    template: Box<SegmentHeader>,
    spares: Receiver<Spare>,
    watermark: Arc<Watermark>,
    level: Level,
    _lock: Lock,
}

impl Writer {
    /// Starts the helpers and returns the writer.
    pub(crate) fn start(start: Start) -> Result<Self, DiskError> {
        let Start { disk, dir, settings, lock, sidecar, mark, mapped, pen, .. } = start;
        let offset = u32::try_from(mark.offset).unwrap_or(u32::MAX);
        let current = Arc::clone(&mapped);
        let watermark = Watermark::new(mark.seq, settings.on_durable);
        let shared = Arc::new(Shared::new(disk, dir, current, offset, watermark));
        let (to_writer, spares) = sync_channel(SPARES_MAX);
        let keeper = Keeper::new(
            Arc::clone(&shared),
            (settings.segment_len_bytes, settings.hot_cpus),
            to_writer,
        );
        let Settings { level, flush_interval, whole_pages_min, .. } = settings;
        let pace = Pace { level, interval: flush_interval, whole_pages_min };
        let flusher = Flusher::new(Arc::clone(&shared), sidecar, pace, mapped, mark);
        let watermark = Arc::clone(&shared.watermark);
        let helpers = Helpers::start(shared, keeper, flusher)?;
        Ok(Self {
            offset: mark.offset,
            end: pen.data_end(),
            pen,
            chain: start.chain,
            segment_index: 0,
            first_seq: start.first_seq,
            checkpointed: start.checkpointed,
            salt: start.salt,
            buffer: Box::new(Buffer::new()),
            template: start.template,
            spares,
            watermark,
            level,
            helpers,
            _lock: lock,
        })
    }

    /// Appends `entry`. When this returns, the record survives the death of the process; when
    /// [`Watermark::durable_seq`] has reached its number, it survives the death of the machine.
    ///
    /// `output_hash` is the rolling hash of all output before this record; it is written only
    /// when a new segment starts.
    ///
    /// A record of kind [`kind::EPOCH`] answers, once it is durable, a loss that recovery could not
    /// rule out ([`Completeness::Unproven`](crate::Completeness::Unproven)).
    ///
    /// # Errors
    ///
    /// Nothing was written; see [`AppendError`].
    #[inline]
    pub fn append(&mut self, entry: Entry<'_>, output_hash: u64) -> Result<(), AppendError> {
        let found = entry.body.len();
        let body_len = match u16::try_from(found) {
            Ok(len) if len <= BODY_BYTES_MAX => len,
            Ok(_) | Err(_) => return Err(AppendError::BodyLen { max: BODY_BYTES_MAX, found }),
        };
        let expected = self.chain.last_seq + 1;
        if entry.seq != expected {
            return Err(AppendError::Seq { expected, found: entry.seq });
        }
        if !kind::is_callers(entry.kind) {
            return Err(AppendError::Kind { found: entry.kind });
        }
        self.put(&entry, body_len, output_hash)?;
        self.checkpointed = false;
        if entry.kind == kind::EPOCH {
            self.helpers.shared().open_epoch(entry.seq);
        }
        Ok(())
    }

    /// Appends a checkpoint: the rolling hash of all output up to the last record. Takes no
    /// sequence number. Two in a row are one: nothing can have changed between them.
    ///
    /// # Errors
    ///
    /// Nothing was written; see [`AppendError`].
    pub fn checkpoint(&mut self, output_hash: u64, time_ns: u64) -> Result<(), AppendError> {
        if self.checkpointed {
            return Ok(());
        }
        let seq = self.chain.last_seq;
        let body = CheckpointBody { output_hash: U64::new(output_hash), last_seq: U64::new(seq) };
        let body = body.as_bytes();
        let record = Record { seq, time_ns, kind: kind::CHECKPOINT, flags: 0, body };
        self.put(&record, OWN_BODY_LEN, output_hash)?;
        self.checkpointed = true;
        Ok(())
    }

    /// Has what was appended synced now, at the levels [`Level::Group`] and [`Level::Sync`]: call
    /// it at the end of each batch of records and checkpoints.
    ///
    /// A fence and a load while the flusher works, which looks again before it rests; one system
    /// call when it rests. Nothing at [`Level::Async`], where the flusher comes by itself.
    #[inline]
    pub fn ring(&self) {
        match self.level {
            Level::Async => {}
            Level::Group | Level::Sync => self.helpers.shared().ring(),
        }
    }

    /// When records are synced.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// What the helpers have achieved; may be read from any thread.
    #[must_use]
    pub fn watermark(&self) -> Arc<Watermark> {
        Arc::clone(&self.watermark)
    }

    /// Salt of the first segment, which no other journal but a copy of this one has.
    #[must_use]
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// The last sequence number appended.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.chain.last_seq
    }

    /// Room left here and in what is prepared. Atomic loads only, fit for the core.
    #[must_use]
    pub fn room(&self) -> Room {
        Room {
            segment_bytes: self.end - SEAL_BYTES - self.offset,
            prepared_bytes: self.watermark.prepared_bytes(),
        }
    }

    /// Room for records of `class`, in bytes, here and in what is prepared. Atomic loads only.
    #[must_use]
    #[inline]
    pub fn room_for(&self, class: Class) -> u64 {
        self.room().total_bytes().saturating_sub(self.kept_from(class))
    }

    /// Whether a record of `class` with a body of `body_len` bytes may be appended. It then finds
    /// room: [`Self::append`] itself takes every record that fits.
    ///
    /// Costs a comparison until the reserve is reached, two atomic loads from then on.
    #[must_use]
    #[inline]
    pub fn accepts(&self, class: Class, body_len: usize) -> bool {
        let len = record_len_bytes(body_len as u64);
        let left = self.end - SEAL_BYTES - self.offset;
        self.kept_from(class) + len <= left || 0 < self.watermark.prepared_bytes()
    }

    /// Bytes at the end of the segment that records of `class` do not get.
    #[inline]
    fn kept_from(&self, class: Class) -> u64 {
        let reserve = reserve_bytes(self.pen.len_bytes());
        match class {
            Class::Ordinary => reserve,
            Class::Refusal => reserve / 2,
            Class::Essential => 0,
        }
    }

    /// Sets the epoch for the headers of segments to come; the caller journals it as a record.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.template.epoch = U32::new(epoch);
    }

    /// Syncs everything, lets the helpers finish and says so in the sidecar.
    ///
    /// Dropping the writer does the same but cannot report an error.
    ///
    /// # Errors
    ///
    /// The journal was poisoned, before or now.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.helpers.finish()
    }

    /// Puts a checked record behind the last one, in the next segment if it must.
    #[inline]
    fn put(
        &mut self,
        record: &Record<'_>,
        body_len: u16,
        output_hash: u64,
    ) -> Result<(), AppendError> {
        if self.watermark.poisoned() {
            return Err(AppendError::Poisoned);
        }
        let len = record_len_bytes(u64::from(body_len));
        if self.end - SEAL_BYTES - self.offset < len {
            self.rotate(record.time_ns, output_hash)?;
        }
        self.chain.crc = if body_len <= SLOT_BODY_BYTES {
            let (words, crc) = record::build_slot(record, body_len, &self.chain);
            self.pen.write_slot(self.offset, words);
            crc
        } else {
            let (bytes, crc) = self.buffer.build(record, body_len, &self.chain);
            self.pen.write(self.offset, bytes);
            crc
        };
        self.offset += len;
        self.chain.last_seq = record.seq;
        self.publish();
        Ok(())
    }

    /// Seals this segment and enters the next prepared one.
    #[cold]
    fn rotate(&mut self, time_ns: u64, output_hash: u64) -> Result<(), AppendError> {
        let last_seq = self.chain.last_seq;
        // By the limits a segment holds a checkpoint and a longest record, and no two checkpoints
        // follow each other: names are unique.
        assert!(self.first_seq <= last_seq, "a segment without a record would share its name");
        let Ok(Spare { pen, salt }) = self.spares.try_recv() else {
            return Err(AppendError::NotReady);
        };
        let body =
            CheckpointBody { output_hash: U64::new(output_hash), last_seq: U64::new(last_seq) };
        let body = body.as_bytes();
        let seal = Record { seq: last_seq, time_ns, kind: kind::SEAL, flags: 0, body };
        let (bytes, crc) = self.buffer.build(&seal, OWN_BODY_LEN, &self.chain);
        self.pen.write(self.offset, bytes);
        compiler_fence(Ordering::SeqCst);

        self.first_seq = last_seq + 1;
        self.chain = Chain { crc, salt, last_seq };
        let header = &mut self.template;
        header.segment_number += 1;
        header.first_seq = U64::new(self.first_seq);
        header.created_ns = U64::new(time_ns);
        header.salt = U64::new(salt);
        header.output_hash = U64::new(output_hash);
        header.prev_crc = U32::new(crc);
        header.segment_len_bytes = U64::new(pen.len_bytes());
        header.crc = U32::new(header.checksum());
        let seal_end = self.offset + SEAL_BYTES;
        mem::replace(&mut self.pen, pen).leave(seal_end);
        self.pen.write(0, self.template.as_bytes());
        self.pen.enter(self.first_seq);

        self.segment_index += 1;
        self.offset = PAGE_BYTES;
        self.end = self.pen.data_end();
        self.watermark.entered(self.end - PAGE_BYTES);
        self.publish();
        Ok(())
    }

    /// Tells the flusher how far the writer is.
    #[inline]
    fn publish(&self) {
        // No store of a later record may be moved before the end of this one: a killed process
        // leaves a prefix. The processor keeps the order of stores by itself.
        compiler_fence(Ordering::SeqCst);
        // Offsets are at most 2^30 by the limits.
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        let position = Position { index: self.segment_index, offset };
        self.helpers.shared().published.store(position, self.chain.last_seq);
    }
}
