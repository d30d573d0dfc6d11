//! Every bound of the journal with its reason. Relations between them are compile-time assertions.

use std::time::Duration;

/// Records are multiples of this, so that a record never shares a cache line with another one.
pub const SLOT_BYTES: u64 = 64;
/// Unit of write-back: what the kernel syncs, and the size of a segment's header page.
pub const PAGE_BYTES: u64 = 4096;
/// The header of a record; the first 40 bytes of the body share its slot.
pub const RECORD_HEADER_BYTES: u64 = 24;
/// Longest body in use. A record then still leaves one slot of its page, so that a pad record can
/// always fill up to the next page.
pub const BODY_BYTES_MAX: u16 = 4000;
/// Longest record: header and longest body, rounded up to slots.
pub const RECORD_BYTES_MAX: u64 = 4032;
/// A seal is one slot; every segment keeps room for it behind its last record.
pub const SEAL_BYTES: u64 = SLOT_BYTES;
/// One entry of the sparse index covers this many bytes: a seek scans at most this much.
pub const INDEX_STRIDE_BYTES: u64 = 64 << 10;

/// Segment length unless configured: some 1 M single-slot records, prepared in about 0.1 s.
pub const SEGMENT_LEN_DEFAULT_BYTES: u64 = 64 << 20;
/// Shortest segment (tests); holds the header page, a few longest records and the footer.
pub const SEGMENT_LEN_MIN_BYTES: u64 = 64 << 10;
/// Longest segment: offsets within one must fit the 32 bits of a published position.
pub const SEGMENT_LEN_MAX_BYTES: u64 = 1 << 30;
/// Room that a segment keeps for records that must pass when there is no next segment, at most.
pub const RESERVE_BYTES_MAX: u64 = 1 << 20;
/// Of a short segment, the part that is kept: one in so many bytes.
pub const RESERVE_PART: u64 = 8;
/// Prepared segments kept ready. Two: one being entered while the next one is being written.
pub const SPARES_MAX: usize = 2;

/// Bytes of a snapshot that are written and synced at once: a millisecond of the device.
pub const SNAPSHOT_PIECE_BYTES: usize = 1 << 20;
/// Snapshots that are kept: the newest one, and one to fall back to should it not be readable.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Pages made writable ahead of the writer. They count as dirty, so more would only be written
/// for nothing by the kernel's own write-back.
pub const POPULATE_BYTES: u64 = 256 << 10;
/// Most pages that are made writable ahead of a writer that is faster.
pub const POPULATE_BYTES_MAX: u64 = 2 << 20;
/// How far ahead of a record the cache line is asked for that a later one will be written to: 16
/// records of one slot, some 300 ns, which is more than memory takes.
pub(crate) const FETCH_AHEAD_BYTES: usize = 1 << 10;
/// Pages read into the page cache ahead of the writer, should they be there no more; clean, so they
/// cost no write.
pub const READ_AHEAD_BYTES: u64 = 4 << 20;
/// Pages that must have filled since the last sync before the flush leaves the page being written
/// to the next round. At that rate a page fills in a fraction of the interval, and syncing it
/// would cost the writer a write-protect fault each round.
pub const WHOLE_PAGES_MIN: u64 = 16;

/// Whole pages that a sync takes out of the mapping first, at least. The kernel write-protects what
/// it syncs page by page, each time interrupting the CPU of the writer; of many pages it is rid at
/// once.
pub const LET_GO_MIN_BYTES: u64 = 64 << 10;

/// At level `group`, time between two syncs while many records come, most of it spent waiting for
/// more of them: a sync writes whole pages, and this bounds how often the same one is written.
pub const PACE: Duration = Duration::from_micros(300);
/// As many bytes are synced without waiting for more.
pub const PACE_BYTES_ENOUGH: u64 = 4 << 10;
/// Bytes in the time of [`PACE`] from which on many records come: some 60,000 a second.
pub const PACE_BYTES_MIN: u64 = 1_152;
/// Rounds in a row in which many must have come: a burst is synced at once.
pub(crate) const PACE_AFTER: u32 = 64;
/// After so much of the wait the flusher looks whether anything came.
pub(crate) const PACE_SLICE: Duration = Duration::from_micros(50);

/// How often a reader lists the segments before it says that one is missing: those that a listing
/// passed over are few, and were given their last name meanwhile.
pub(crate) const LISTINGS_MAX: usize = 4;

/// How long somebody who finds the folder locked waits for it: a process that ends, and a child
/// that is yet to begin its program, hold it for milliseconds.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_millis(500);
/// How often it is tried meanwhile.
pub(crate) const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// What an operating-system crash may lose at level `async`.
pub const FLUSH_INTERVAL_DEFAULT: Duration = Duration::from_millis(5);
/// How often pages ahead of the writer are made writable while it is busy. At 256 KiB ahead this
/// keeps up with 250 MB/s; beyond it follows what the writer does, up to 2 GB/s.
pub(crate) const POPULATE_INTERVAL: Duration = Duration::from_millis(1);
/// A writer that has not moved for so long is idle; before, it may only pause between bursts.
pub(crate) const IDLE_AFTER: Duration = Duration::from_millis(200);
/// How often the prefaulter looks whether an idle writer moves again; 256 KiB are still ahead then.
pub(crate) const IDLE_INTERVAL: Duration = Duration::from_millis(20);
/// How often pages are made writable again when nothing is written: the kernel's write-back takes
/// the permission away after some 30 s.
pub(crate) const REPOPULATE_INTERVAL: Duration = Duration::from_secs(1);
/// How often the keeper looks around when nobody wakes it.
pub(crate) const KEEPER_INTERVAL: Duration = Duration::from_secs(1);
/// The sidecar is written after each sync but synced itself at most this often: being behind only
/// weakens the check for damage, it never makes it wrong.
pub(crate) const SIDECAR_SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// How long the flusher rests when nobody wakes it; a bound for the case that a caller forgets to.
pub(crate) const FLUSHER_REST_MAX: Duration = Duration::from_millis(100);
/// Pause after a failed preparation before the next attempt.
pub(crate) const PREPARE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes read at a time when walking a file: fits the second-level cache, holds many records.
pub(crate) const WINDOW_BYTES: usize = 64 << 10;
/// The same of one that looks for zeros from the back, where no system reads ahead.
pub(crate) const TAIL_WINDOW_BYTES: usize = 256 << 10;
/// Bytes of zeros written between two syncs when preparing: a millisecond of the device.
pub(crate) const PREPARE_CHUNK_BYTES: usize = 1 << 20;

const _: () = assert!(RECORD_BYTES_MAX.is_multiple_of(SLOT_BYTES));
// Widening casts: `From` is not const.
const _: () = assert!(RECORD_HEADER_BYTES + BODY_BYTES_MAX as u64 <= RECORD_BYTES_MAX);
const _: () = assert!(RECORD_BYTES_MAX + SLOT_BYTES <= PAGE_BYTES);
const _: () = assert!(INDEX_STRIDE_BYTES.is_multiple_of(PAGE_BYTES));
const _: () = assert!(SEGMENT_LEN_MIN_BYTES.is_multiple_of(INDEX_STRIDE_BYTES));
const _: () = assert!(SEGMENT_LEN_MAX_BYTES <= 1 << 32);
// A segment that starts with a checkpoint still holds a record: first sequences are unique.
const _: () =
    assert!(2 * PAGE_BYTES + RECORD_BYTES_MAX + SLOT_BYTES + SEAL_BYTES <= SEGMENT_LEN_MIN_BYTES);
const _: () = assert!(2 * RECORD_BYTES_MAX <= WINDOW_BYTES as u64);
// Half of the shortest reserve holds what refusals leave over and a longest record.
const _: () = assert!(RECORD_BYTES_MAX <= SEGMENT_LEN_MIN_BYTES / RESERVE_PART / 2);
// Offsets are `u64` in files and `usize` in memory.
const _: () = assert!(usize::BITS == 64);

/// Room that a segment of this length keeps for what must pass.
#[must_use]
pub const fn reserve_bytes(segment_len_bytes: u64) -> u64 {
    let part = segment_len_bytes / RESERVE_PART;
    if part < RESERVE_BYTES_MAX { part } else { RESERVE_BYTES_MAX }
}

/// The index into memory of file offset `offset`.
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, asserted above")]
pub(crate) const fn index(offset: u64) -> usize {
    offset as usize
}

/// `offset` rounded down to the start of its page.
pub(crate) const fn page_floor(offset: u64) -> u64 {
    offset - offset % PAGE_BYTES
}
