//! What can go wrong, one enum per operation, each variant a fact with its place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::format::{FORMAT_VERSION, FORMAT_VERSION_OLDEST};

/// Something done to the disk; also what a [`Probe`](crate::Probe) is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Create a folder.
    CreateFolder,
    /// List a folder.
    List,
    /// Look whether there is a file or folder.
    Look,
    /// Create a file.
    Create,
    /// Open an existing file.
    Open,
    /// Read from a file.
    Read,
    /// Reserve the room of a new segment.
    Reserve,
    /// Write a new segment's zeros.
    WriteZeros,
    /// Write to a file.
    Write,
    /// Map a file into memory.
    Map,
    /// Make mapped pages writable ahead of the writer.
    Populate,
    /// Sync mapped pages.
    SyncPages,
    /// Sync a file.
    SyncFile,
    /// Sync a folder.
    SyncFolder,
    /// Rename a file.
    Rename,
    /// Remove a file.
    Remove,
    /// Take the write permission away from a file.
    SetReadOnly,
    /// Take the lock.
    Lock,
    /// Ask the operating system for random bytes.
    Random,
    /// Start a helper thread.
    StartThread,
}

impl fmt::Display for Operation {
    /// What was being done, as the beginning of a sentence that goes on with a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateFolder => "creating the folder",
            Self::List => "listing the folder",
            Self::Look => "looking for",
            Self::Create => "creating",
            Self::Open => "opening",
            Self::Read => "reading",
            Self::Reserve => "reserving room for",
            Self::WriteZeros => "writing zeros to",
            Self::Write => "writing to",
            Self::Map => "mapping",
            Self::Populate => "making pages writable of",
            Self::SyncPages => "syncing pages of",
            Self::SyncFile => "syncing",
            Self::SyncFolder => "syncing the folder",
            Self::Rename => "renaming",
            Self::Remove => "removing",
            Self::SetReadOnly => "write-protecting",
            Self::Lock => "locking",
            Self::Random => "asking for random bytes with",
            Self::StartThread => "starting a helper thread for",
        })
    }
}

/// The operating system refused an operation.
#[derive(Clone, Debug, Error)]
#[error("{operation} {}: {source}", path.display())]
pub struct DiskError {
    /// What was tried.
    pub operation: Operation,
    /// On which file or folder.
    pub path: PathBuf,
    /// Its answer.
    pub source: Arc<io::Error>,
}

impl DiskError {
    pub(crate) fn new(operation: Operation, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_owned(), source: Arc::new(source) }
    }

    /// For `map_err`: the operation and path of an answer that is still to come.
    pub(crate) fn of(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(operation, path, source)
    }
}

/// A field of a header page, footer or sidecar that says something else than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Counts segments.
    SegmentNumber,
    /// First sequence number, against the chain and the file's name.
    FirstSeq,
    /// Length of a segment's file.
    SegmentLen,
    /// Length of another file.
    FileLen,
    /// Checksum of the previous segment's seal.
    PrevCrc,
    /// Where the seal record starts.
    SealOffset,
    /// Last sequence number of a segment.
    LastSeq,
    /// Records of a segment.
    RecordCount,
    /// Entries of the sparse index.
    EntryCount,
    /// The offset of an entry of the sparse index.
    IndexEntry,
    /// Checksum of the entries of the sparse index.
    EntriesCrc,
    /// Checksum of the segment's own seal.
    SealCrc,
    /// The rolling output hash of a footer.
    OutputHash,
    /// A time stamp of a footer.
    Time,
    /// Counts writes of the sidecar.
    Generation,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SegmentNumber => "segment number",
            Self::FirstSeq => "first sequence number",
            Self::SegmentLen => "segment length",
            Self::FileLen => "length of the file",
            Self::PrevCrc => "checksum of the previous segment's seal",
            Self::SealOffset => "offset of the seal",
            Self::LastSeq => "last sequence number",
            Self::RecordCount => "count of records",
            Self::EntryCount => "count of index entries",
            Self::IndexEntry => "offset of an index entry",
            Self::EntriesCrc => "checksum of the index",
            Self::SealCrc => "checksum of the seal",
            Self::OutputHash => "output hash",
            Self::Time => "time stamp",
            Self::Generation => "generation",
        })
    }
}

/// A BLAKE3 hash; shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What a segment says of how it is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Format version of the writer.
    pub format: u32,
    /// Behaviour version of the engine that applied the records.
    pub behaviour: u32,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "format {}, behaviour {}", self.format, self.behaviour)
    }
}

/// Why the bytes at an offset are not what the format demands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nothing was ever written where something must be.
    #[error("nothing is written where a record must be")]
    Unwritten,
    /// The body is longer than any may be.
    #[error("body of {found} bytes, at most {max}")]
    BodyLen {
        /// The longest body.
        max: u16,
        /// The length read.
        found: u16,
    },
    /// The record does not fit into its segment.
    #[error("record of {found} bytes where {max} are left")]
    Overrun {
        /// Bytes left.
        max: u64,
        /// Length of the record.
        found: u64,
    },
    /// The checksum is wrong.
    #[error("checksum {found:#010x}, computed {expected:#010x}")]
    Checksum {
        /// The checksum of the bytes that are there.
        expected: u32,
        /// The checksum stored.
        found: u32,
    },
    /// The checksum is right, yet the kind is none of this format.
    #[error("kind {found:#04x} is none of this format")]
    Kind {
        /// The kind read.
        found: u8,
    },
    /// The checksum is right, yet the sequence number is not.
    #[error("sequence number {found}, due was {expected}")]
    Seq {
        /// The number due.
        expected: u64,
        /// The number read.
        found: u64,
    },
    /// The checksum is right, yet one of the journal's own records has a wrong body.
    #[error("body of {found} bytes, due were {expected}")]
    OwnBody {
        /// Its length.
        expected: u16,
        /// The length read.
        found: u16,
    },
    /// The first bytes are not those of the format.
    #[error("first bytes {found:02x?}, due were {expected:02x?}")]
    Magic {
        /// The bytes of the format.
        expected: [u8; 8],
        /// The bytes read.
        found: [u8; 8],
    },
    /// A field says something else than it must.
    #[error("{field} is {found}, due was {expected}")]
    Field {
        /// Which one.
        field: Field,
        /// What it must say.
        expected: u64,
        /// What it says.
        found: u64,
    },
    /// The content of a sealed segment does not hash to what was recorded.
    #[error("BLAKE3 {found:?}, due was {expected:?}")]
    ContentHash {
        /// The hash recorded.
        expected: Hash,
        /// The hash of the bytes that are there.
        found: Hash,
    },
    /// The versions of a segment are not those of the one before, and its first record does not say
    /// so.
    #[error("first record of the segment, due was an upgrade from {from} to {to}")]
    NotUpgraded {
        /// Versions of the segment before.
        from: Versions,
        /// Versions of the segment.
        to: Versions,
    },
    /// Valid records follow the invalid one though no machine crash lies between.
    #[error("invalid, yet a valid record follows at offset {follows_at}")]
    ValidRecordFollows {
        /// Where.
        follows_at: u64,
    },
    /// A later segment exists.
    #[error("invalid, yet segment {number} exists")]
    LaterSegment {
        /// Its number.
        number: u64,
    },
}

impl Fault {
    /// Whether a write cut short can look like this. What a matching checksum vouches for cannot.
    #[must_use]
    pub const fn may_be_torn(self) -> bool {
        match self {
            Self::Unwritten
            | Self::BodyLen { .. }
            | Self::Overrun { .. }
            | Self::Checksum { .. } => true,
            Self::Kind { .. }
            | Self::Seq { .. }
            | Self::OwnBody { .. }
            | Self::Magic { .. }
            | Self::Field { .. }
            | Self::ContentHash { .. }
            | Self::NotUpgraded { .. }
            | Self::ValidRecordFollows { .. }
            | Self::LaterSegment { .. } => false,
        }
    }
}

impl Fault {
    /// What had to be there and what is, each as text; `None` where the fault is about neither.
    #[must_use]
    pub fn expected_and_found(self) -> (Option<String>, Option<String>) {
        let number = |expected: &dyn fmt::Display, found: &dyn fmt::Display| {
            (Some(expected.to_string()), Some(found.to_string()))
        };
        let at_most =
            |max: u64, found: u64| (Some(format!("at most {max}")), Some(found.to_string()));
        match self {
            Self::Unwritten => (Some("a record".to_owned()), Some("nothing".to_owned())),
            Self::BodyLen { max, found } => at_most(max.into(), found.into()),
            Self::Overrun { max, found } => at_most(max, found),
            Self::Checksum { expected, found } => {
                (Some(format!("{expected:#010x}")), Some(format!("{found:#010x}")))
            }
            Self::Kind { found } => (None, Some(format!("{found:#04x}"))),
            Self::Seq { expected, found } | Self::Field { expected, found, .. } => {
                number(&expected, &found)
            }
            Self::OwnBody { expected, found } => number(&expected, &found),
            Self::Magic { expected, found } => {
                (Some(format!("{expected:02x?}")), Some(format!("{found:02x?}")))
            }
            Self::ContentHash { expected, found } => {
                (Some(format!("{expected:?}")), Some(format!("{found:?}")))
            }
            Self::NotUpgraded { from, to } => {
                (Some(format!("an upgrade from {from} to {to}")), Some("another record".to_owned()))
            }
            Self::ValidRecordFollows { .. } | Self::LaterSegment { .. } => (None, None),
        }
    }
}

/// Bytes that were durable and are wrong. Nothing may be built on such a journal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} at offset {offset}: {fault} (last good sequence number {last_seq}{})", path.display(),
    durable_seq.map_or_else(String::new, |seq| format!(", durable up to {seq}")))]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Byte offset in it.
    pub offset: u64,
    /// What is wrong there.
    pub fault: Fault,
    /// Last sequence number before the place.
    pub last_seq: u64,
    /// What the watermark says to be durable, where it was consulted.
    pub durable_seq: Option<u64>,
}

/// Why a journal could not be read.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// Something that was durable is damaged.
    #[error("corrupt journal: {0}")]
    Corrupt(Box<Damage>),
    /// A segment that must exist does not.
    #[error(
        "segment {number} starting with sequence number {first_seq} is missing in {}",
        dir.display()
    )]
    SegmentMissing {
        /// The folder.
        dir: PathBuf,
        /// Number of the segment.
        number: u64,
        /// Its first sequence number, or the first one known to be in it.
        first_seq: u64,
    },
    /// A file is whole and needs a newer (or much older) reader. Nothing is wrong with it.
    #[error("{} is of format version {found}, this program reads {}", path.display(),
        if newest < found { format!("up to {newest}") } else { format!("{oldest} to {newest}") })]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version, or the oldest reader version it asks for.
        found: u32,
        /// Oldest version this program reads.
        oldest: u32,
        /// Newest version this program reads.
        newest: u32,
    },
    /// A file is named like a segment of the journal and is none of its chain.
    #[error("{} is no part of the journal, though its name says so", path.display())]
    Stray {
        /// The file.
        path: PathBuf,
    },
    /// Segments exist, the sidecar file with the durable watermark does not: nobody can tell a
    /// torn tail from a lost one.
    #[error("{} is missing beside existing segments", path.display())]
    WatermarkMissing {
        /// The file.
        path: PathBuf,
    },
    /// Both slots of the sidecar file are invalid.
    #[error("{}: no valid slot, at offset {offset}: {fault}", path.display())]
    WatermarkDamaged {
        /// The file.
        path: PathBuf,
        /// Offset of the first slot.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// The operating system refused an operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The place of damage, for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the folder in which it is missing.
    pub path: PathBuf,
    /// Byte offset in it; `None` when the file as a whole is meant.
    pub offset: Option<u64>,
    /// What had to be there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
}

impl ReadError {
    /// What is of another version than those that this program reads.
    pub(crate) fn version(path: PathBuf, found: u32) -> Self {
        Self::Version { path, found, oldest: FORMAT_VERSION_OLDEST, newest: FORMAT_VERSION }
    }

    /// Where the damage is; `None` when the operating system refused an operation.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let whole = |path: &Path, expected, found| Finding {
            path: path.to_owned(),
            offset: None,
            expected: Some(expected),
            found,
        };
        let at = |path: &Path, offset, fault: Fault| {
            let (expected, found) = fault.expected_and_found();
            Finding { path: path.to_owned(), offset: Some(offset), expected, found }
        };
        match self {
            Self::Corrupt(damage) => Some(at(&damage.path, damage.offset, damage.fault)),
            Self::SegmentMissing { dir, number, first_seq } => {
                let expected = format!("segment {number} from sequence number {first_seq}");
                Some(whole(dir, expected, None))
            }
            Self::Version { path, found, oldest, newest } => {
                let expected = format!("format version {oldest} to {newest}");
                Some(whole(path, expected, Some(found.to_string())))
            }
            Self::Stray { path } => {
                Some(whole(path, "no such file".to_owned(), Some("a file".to_owned())))
            }
            Self::WatermarkMissing { path } => {
                Some(whole(path, "the durable mark".to_owned(), Some("no file".to_owned())))
            }
            Self::WatermarkDamaged { path, offset, fault } => Some(at(path, *offset, *fault)),
            Self::Disk(_) => None,
        }
    }
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Corrupt(Box::new(damage))
    }
}

/// Why a journal could not be opened for writing.
#[derive(Clone, Debug, Error)]
pub enum OpenError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Somebody else has it open.
    #[error("{} is locked by {}", path.display(),
        owner_pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as written there.
        owner_pid: Option<u32>,
    },
    /// The configured segment length is out of range.
    #[error("segment length {found}, must be a multiple of {multiple} in {min}..={max}")]
    SegmentLen {
        /// Shortest.
        min: u64,
        /// Longest.
        max: u64,
        /// Multiple of this.
        multiple: u64,
        /// What is configured.
        found: u64,
    },
    /// The configured flush interval is zero.
    #[error("the flush interval is zero")]
    FlushIntervalZero,
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Read(ReadError::Disk(error))
    }
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Read(damage.into())
    }
}

/// Why a replay stopped.
#[derive(Clone, Debug, Error)]
pub enum ReplayError<E> {
    /// The journal could not be read.
    #[error(transparent)]
    Read(ReadError),
    /// The caller's function refused a record.
    #[error("the applier refused a record: {0}")]
    Apply(E),
}

impl<E> From<ReadError> for ReplayError<E> {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl<E> From<DiskError> for ReplayError<E> {
    fn from(error: DiskError) -> Self {
        Self::Read(ReadError::Disk(error))
    }
}

impl<E> From<Damage> for ReplayError<E> {
    fn from(damage: Damage) -> Self {
        Self::Read(damage.into())
    }
}

/// Why a record was not appended. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// The segment is full and the next one is not prepared: retry later, refuse orders meanwhile.
    #[error("the next segment is not prepared")]
    NotReady,
    /// A sync failed: nothing may be acknowledged any more.
    #[error("a sync failed, the journal is poisoned")]
    Poisoned,
    /// The body is too long.
    #[error("body of {found} bytes, at most {max}")]
    BodyLen {
        /// The longest body.
        max: u16,
        /// The length given.
        found: usize,
    },
    /// Sequence numbers rise by one.
    #[error("sequence number {found}, due was {expected}")]
    Seq {
        /// The number due.
        expected: u64,
        /// The number given.
        found: u64,
    },
    /// The kind is unknown or the journal's own.
    #[error("kind {found:#04x} is not one a caller may append")]
    Kind {
        /// The kind given.
        found: u8,
    },
}

/// Why a journal was not closed cleanly; the next start recovers it.
#[derive(Clone, Debug, Error)]
pub enum CloseError {
    /// A sync failed, now or before.
    #[error("poisoned: {0}")]
    Poisoned(ReadError),
    /// A helper thread panicked.
    #[error("a helper thread panicked")]
    HelperPanicked,
}
