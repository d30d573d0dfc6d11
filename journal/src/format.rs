//! The bytes on disk, written once as types. Everything is little-endian.
//!
//! `docs/journal-format.md` shows the same layouts as tables; a test compares the two. The rules
//! that join the pieces (chaining, sealing, recovery) live in `record`, `seal` and `recover`.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::crc;
use crate::limits::{INDEX_STRIDE_BYTES, PAGE_BYTES, RECORD_HEADER_BYTES, SLOT_BYTES};

/// The version this crate writes.
pub const FORMAT_VERSION: u32 = 2;
/// The oldest version whose readers understand what this crate writes.
pub const READER_VERSION_OLDEST: u32 = 2;
/// The first version in which versions change only behind an upgrade record.
pub(crate) const UPGRADES_SINCE: u32 = 2;
/// The oldest version this crate reads.
pub const FORMAT_VERSION_OLDEST: u32 = 1;
/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"UNCRSJNL";
/// First bytes of a sealed segment's footer.
pub const FOOTER_MAGIC: [u8; 8] = *b"UNCRSEAL";
/// First bytes of each slot of the sidecar file.
pub const SIDECAR_MAGIC: [u8; 8] = *b"UNCRDURA";
/// First bytes of a stream file.
pub const STREAM_MAGIC: [u8; 8] = *b"UNCRSTRM";
/// The version of stream files this crate knows.
pub const STREAM_VERSION: u32 = 1;
/// First bytes of a snapshot.
pub const SNAPSHOT_MAGIC: [u8; 8] = *b"UNCRSNAP";
/// The version of snapshots that this crate writes and reads: who cannot read one does without.
pub const SNAPSHOT_VERSION: u32 = 1;
/// Offset of the second slot of the sidecar: another device sector than the first.
pub const SIDECAR_SLOT_STRIDE_BYTES: u64 = 512;

/// What a record is. The caller's kinds rise the sequence number; the journal's own repeat it.
pub mod kind {
    /// Port command: enter an order.
    pub const ENTER: u8 = 0x01;
    /// Port command: replace an order.
    pub const REPLACE: u8 = 0x02;
    /// Port command: cancel an order.
    pub const CANCEL: u8 = 0x03;
    /// Port command: modify an order.
    pub const MODIFY: u8 = 0x04;
    /// Port command: account query.
    pub const ACCOUNT_QUERY: u8 = 0x05;
    /// Port command: mass cancel.
    pub const MASS_CANCEL: u8 = 0x06;
    /// Port command: disable order entry.
    pub const DISABLE_ENTRY: u8 = 0x07;
    /// Port command: enable order entry.
    pub const ENABLE_ENTRY: u8 = 0x08;
    /// A refusal made before the engine.
    pub const REFUSE: u8 = 0x10;
    /// Time passed: a timer is due.
    pub const TICK: u8 = 0x11;
    /// A connection of a port came up.
    pub const SESSION_UP: u8 = 0x12;
    /// A connection of a port went down.
    pub const SESSION_DOWN: u8 = 0x13;
    /// An administrative act.
    pub const ADMIN: u8 = 0x14;
    /// Configuration.
    pub const CONFIGURATION: u8 = 0x15;
    /// A new trading day.
    pub const DAY_ROLL: u8 = 0x16;
    /// A new epoch: numbers given before may have been lost.
    pub const EPOCH: u8 = 0x17;
    /// Own: rolling output hash and last sequence number.
    pub const CHECKPOINT: u8 = 0x20;
    /// Own: the first record of a segment written by another build than the one before. Only behind
    /// it the versions may change. Format version 1 has none.
    pub const UPGRADE: u8 = 0x21;
    /// Own: fills up to a page boundary.
    pub const PAD: u8 = 0x22;
    /// Own: the last record of a segment.
    pub const SEAL: u8 = 0x23;

    /// Whether the caller may append `kind`; each such record takes the next sequence number.
    #[must_use]
    pub const fn is_callers(kind: u8) -> bool {
        1 <= kind && kind <= EPOCH
    }

    /// Whether the journal itself writes `kind`; such a record repeats the last sequence number.
    #[must_use]
    pub const fn is_own(kind: u8) -> bool {
        matches!(kind, CHECKPOINT | UPGRADE | PAD | SEAL)
    }

    /// Whether a replay is told of `kind`: of the caller's records and of checkpoints.
    #[must_use]
    pub const fn is_told(kind: u8) -> bool {
        is_callers(kind) || kind == CHECKPOINT
    }
}

/// The first 24 bytes of a record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RecordHeader {
    /// Chained CRC32C of everything behind this field up to the padded end.
    pub crc: U32,
    /// Bytes of the body in use; zeros follow up to the padded end.
    pub body_len: U16,
    /// One of [`kind`].
    pub kind: u8,
    /// The caller's flags, opaque here.
    pub flags: u8,
    /// Sequence number.
    pub seq: U64,
    /// Nanoseconds, the caller's clock.
    pub time_ns: U64,
}

/// Body of a checkpoint and of a seal.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CheckpointBody {
    /// Rolling hash of all output up to `last_seq`.
    pub output_hash: U64,
    /// The last sequence number, again.
    pub last_seq: U64,
}

/// Body of an upgrade record. The builds are in the headers of the two segments.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct UpgradeBody {
    /// Format version of the segment before.
    pub from_format: U32,
    /// Behaviour version of the segment before.
    pub from_behaviour: U32,
    /// Format version of this segment.
    pub to_format: U32,
    /// Behaviour version of this segment.
    pub to_behaviour: U32,
}

/// First page of a segment. Invariant: written whole before the first record but an upgrade, which
/// is on the device before it; never again but for
/// `link`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`SEGMENT_MAGIC`].
    pub magic: [u8; 8],
    /// Format version of the writer.
    pub format_version: U32,
    /// Oldest reader that understands this segment.
    pub oldest_reader_version: U32,
    /// Behaviour version of the engine that applied the records.
    pub behaviour_version: U32,
    /// Epoch in force at the start.
    pub epoch: U32,
    /// Counts segments from 1.
    pub segment_number: U64,
    /// Sequence number of the first caller's record; also the file's name.
    pub first_seq: U64,
    /// Time stamp of the record that opened the segment, in nanoseconds.
    pub created_ns: U64,
    /// Random; part of every record's checksum.
    pub salt: U64,
    /// Length of the file.
    pub segment_len_bytes: U64,
    /// Rolling hash of all output before the first record.
    pub output_hash: U64,
    /// Checksum of the previous segment's seal; 0 in segment 1. Starts the chain.
    pub prev_crc: U32,
    /// Zero.
    pub reserved_a: U32,
    /// Hash of the configuration in force.
    pub config_hash: [u8; 32],
    /// Which build wrote the segment.
    pub build_id: [u8; 32],
    /// Zero.
    pub reserved_b: [u8; 3884],
    /// Plain CRC32C of everything before this field.
    pub crc: U32,
    /// Filled in when the previous segment is sealed.
    pub link: Link,
}

/// The BLAKE3 of the previous segment. One slot, so one device sector: it is never half written.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Link {
    /// BLAKE3 of the previous segment; zero: it is not sealed yet, or there is none.
    pub prev_hash: [u8; 32],
    /// Zero.
    pub reserved: [u8; 28],
    /// Plain CRC32C of everything before this field; zero with a zero hash.
    pub crc: U32,
}

/// Start of the footer of a sealed segment; the index entries follow it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Footer {
    /// [`FOOTER_MAGIC`].
    pub magic: [u8; 8],
    /// Format version of the writer.
    pub format_version: U32,
    /// Index entries that follow.
    pub entry_count: U32,
    /// As in the header.
    pub segment_number: U64,
    /// As in the header.
    pub first_seq: U64,
    /// Last sequence number in the segment.
    pub last_seq: U64,
    /// Time stamp of the first record.
    pub first_time_ns: U64,
    /// Time stamp of the last record.
    pub last_time_ns: U64,
    /// Records of all kinds, the seal included.
    pub record_count: U64,
    /// Where the seal record starts.
    pub seal_offset: U64,
    /// Rolling hash of all output up to the seal.
    pub output_hash: U64,
    /// Checksum of the seal record.
    pub seal_crc: U32,
    /// Plain CRC32C of the index entries.
    pub entries_crc: U32,
    /// Zero.
    pub reserved: [u8; 36],
    /// Plain CRC32C of everything before this field.
    pub crc: U32,
}

/// One entry of the sparse index: the first record that starts in a 64 KiB stride.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct IndexEntry {
    /// Its sequence number.
    pub seq: U64,
    /// Its time stamp in nanoseconds.
    pub time_ns: U64,
    /// Its offset in the file.
    pub offset: U64,
}

/// One of the two slots of the sidecar file `durable`; they are written in turn.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SidecarSlot {
    /// [`SIDECAR_MAGIC`].
    pub magic: [u8; 8],
    /// Format version of the writer.
    pub format_version: U32,
    /// Bit 0: closed cleanly. Bit 1: poisoned by a failed sync.
    pub flags: U32,
    /// Rises with each write; the valid slot with the higher one counts.
    pub generation: U64,
    /// Every record up to this sequence number is on the device.
    pub durable_seq: U64,
    /// Segment that holds the end of what is on the device.
    pub segment_number: U64,
    /// End of what is on the device, an offset in that segment.
    pub offset: U64,
    /// Which boot of the machine wrote this; the page cache lives as long.
    pub boot_id: [u8; 16],
    /// Zero.
    pub reserved: [u8; 60],
    /// Plain CRC32C of everything before this field.
    pub crc: U32,
}

/// First page of a stream file; the messages follow it. Written whole before the first of them and
/// never again.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StreamHeader {
    /// [`STREAM_MAGIC`].
    pub magic: [u8; 8],
    /// [`STREAM_VERSION`].
    pub format_version: U32,
    /// Which stream of the session: 0 the feed, then the ports, then the drop copies.
    pub entry: U16,
    /// Name of the session.
    pub session: [u8; 10],
    /// Salt of the journal's first segment: the journal that the messages follow from.
    pub salt: U64,
    /// Zero.
    pub reserved: [u8; 4060],
    /// Plain CRC32C of everything before this field.
    pub crc: U32,
}

/// First page of a snapshot; the body follows it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SnapshotHeader {
    /// [`SNAPSHOT_MAGIC`].
    pub magic: [u8; 8],
    /// [`SNAPSHOT_VERSION`].
    pub format_version: U32,
    /// Behaviour version of the engine whose state it is.
    pub behaviour_version: U32,
    /// The caller's version of the body.
    pub body_version: U32,
    /// Checksum of the last record covered, and so of the journal's history up to it.
    pub record_crc: U32,
    /// Last sequence number covered; also the file's name.
    pub seq: U64,
    /// Time stamp of the last record covered, in nanoseconds.
    pub time_ns: U64,
    /// Segment that holds the last record covered.
    pub segment_number: U64,
    /// End of the last record covered, an offset in that segment.
    pub offset: U64,
    /// Salt of the journal's first segment.
    pub salt: U64,
    /// Rolling hash of all output up to the last record covered.
    pub output_hash: U64,
    /// Bytes of the body.
    pub body_len_bytes: U64,
    /// Hash of the state, which whoever restores it computes again.
    pub state_hash: [u8; 32],
    /// Hash of what the state presumes: the capacity.
    pub capacity_hash: [u8; 32],
    /// BLAKE3 of the body.
    pub body_hash: [u8; 32],
    /// Zero.
    pub reserved: [u8; 3916],
    /// Plain CRC32C of everything before this field.
    pub crc: U32,
}

/// Flag in [`SidecarSlot::flags`]: the journal was closed, all of it is on the device.
pub const SIDECAR_CLOSED: u32 = 1;
/// Flag in [`SidecarSlot::flags`]: a sync failed; the last run acknowledged nothing behind it.
pub const SIDECAR_POISONED: u32 = 2;
/// Flag in [`SidecarSlot::flags`]: the run acts upon nothing before it is on the device, that is,
/// its level is not `async`.
pub const SIDECAR_HELD: u32 = 4;
/// Flag in [`SidecarSlot::flags`]: something acted upon in an earlier run may be missing, and no
/// epoch has been opened since.
pub const SIDECAR_UNPROVEN: u32 = 8;

const _: () = assert!(size_of::<RecordHeader>() as u64 == RECORD_HEADER_BYTES);
const _: () = assert!(size_of::<SegmentHeader>() as u64 == PAGE_BYTES);
const _: () = assert!(size_of::<Link>() as u64 == SLOT_BYTES);
const _: () = assert!(size_of::<Footer>() == 128);
const _: () = assert!(size_of::<IndexEntry>() == 24);
const _: () = assert!(size_of::<SidecarSlot>() == 128);
const _: () = assert!(size_of::<StreamHeader>() as u64 == PAGE_BYTES);
const _: () = assert!(size_of::<SnapshotHeader>() as u64 == PAGE_BYTES);
const _: () = assert!(size_of::<SidecarSlot>() as u64 <= SIDECAR_SLOT_STRIDE_BYTES);

/// Offset of the link within a segment.
pub(crate) const LINK_OFFSET: u64 = std::mem::offset_of!(SegmentHeader, link) as u64;
/// Bytes of the BLAKE3 at the very end of a sealed segment.
pub(crate) const HASH_BYTES: u64 = 32;

/// Bytes a record with `body_len` bytes of body takes, padding included.
#[must_use]
pub const fn record_len_bytes(body_len: u64) -> u64 {
    (RECORD_HEADER_BYTES + body_len).next_multiple_of(SLOT_BYTES)
}

/// Bytes reserved at the end of a segment of `segment_len_bytes` for footer, index and hash.
#[must_use]
pub const fn footer_len_bytes(segment_len_bytes: u64) -> u64 {
    let entries = segment_len_bytes / INDEX_STRIDE_BYTES * size_of::<IndexEntry>() as u64;
    (size_of::<Footer>() as u64 + entries + HASH_BYTES).next_multiple_of(PAGE_BYTES)
}

/// Where records must end in a segment of `segment_len_bytes`: the start of the footer.
#[must_use]
pub const fn data_end(segment_len_bytes: u64) -> u64 {
    segment_len_bytes - footer_len_bytes(segment_len_bytes)
}

impl SegmentHeader {
    /// The checksum the header must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }
}

impl Link {
    /// A link to a sealed predecessor.
    #[must_use]
    pub fn to(prev_hash: [u8; 32]) -> Self {
        let mut link = Self::new_zeroed();
        link.prev_hash = prev_hash;
        link.crc = U32::new(link.checksum());
        link
    }

    /// The checksum a filled link must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }

    /// Whether the predecessor was not sealed yet, or there is none.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.as_bytes().iter().all(|byte| *byte == 0)
    }
}

impl Footer {
    /// The checksum the footer must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }
}

impl SidecarSlot {
    /// The checksum the slot must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }
}

impl StreamHeader {
    /// The header of a stream of a session of the journal with this salt.
    #[must_use]
    pub fn new(salt: u64, session: [u8; 10], entry: u16) -> Self {
        let mut header = Self::new_zeroed();
        header.magic = STREAM_MAGIC;
        header.format_version = U32::new(STREAM_VERSION);
        header.entry = U16::new(entry);
        header.session = session;
        header.salt = U64::new(salt);
        header.crc = U32::new(header.checksum());
        header
    }

    /// The checksum the header must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }
}

impl SnapshotHeader {
    /// The checksum the header must carry.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc::plain(&self.as_bytes()[..std::mem::offset_of!(Self, crc)])
    }
}
