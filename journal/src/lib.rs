//! The journal of Uncross: a memory-mapped, append-only log with one writer and any readers.
//!
//! It is pure storage: it knows sequence numbers and bytes, not orders. One pinned thread appends
//! through [`Writer::append`], which copies the record into a prepared, mapped segment and returns
//! in nanoseconds. Three helper threads keep everything slow away from it: the flusher syncs
//! written pages and moves the [`Watermark`], the keeper prepares segments ahead and seals those
//! behind, the prefaulter keeps the next pages writable.
//!
//! ```text
//! open -> Recovery -> replay -> into_writer -> Writer -> append ... close
//!                                                 |
//!            mapping <- record (64-byte slots, chained CRC32C)
//!               |
//!               +-> flusher: msync, watermark, sidecar `durable`, names of entered segments
//!               +-> keeper: spares ahead, footer + BLAKE3 + read-only behind
//! ```
//!
//! What holds, whatever happens:
//!
//! - a record is either whole or not there: its checksum covers all of it and the one before it;
//! - sequence numbers of the caller rise by one, from 1, over all segments;
//! - [`Watermark::durable_seq`] never runs ahead of the device, and after the first failed sync
//!   nothing is synced, published or appended any more;
//! - recovery returns a prefix of what was appended that contains everything durable, or refuses.
//!
//! The bytes are described in `docs/journal-format.md`, and once as types in [`mod@format`].

mod ahead;
pub mod body;
mod checked;
mod copy;
mod crc;
mod disk;
mod error;
mod flush;
mod folder;
pub mod format;
mod helpers;
mod keep;
pub mod limits;
mod lock;
mod mapped;
mod overview;
mod reader;
mod record;
mod recover;
mod repair;
mod scan;
mod seal;
mod seek;
mod segment;
mod settings;
mod shared;
mod sidecar;
#[cfg(feature = "sim")]
pub mod sim;
mod snapshot;
mod start;
mod storage;
mod tail;
mod verify;
pub mod wake;
mod watermark;
mod writer;

pub use crate::copy::{Copied, copy};
pub use crate::crc::crc32c;
pub use crate::disk::{Probe, bytes_of_a_change};
pub use crate::error::{
    AppendError, CloseError, Damage, DiskError, Fault, Field, Finding, Hash, OpenError, Operation,
    ReadError, ReplayError, Versions,
};
pub use crate::folder::Folder;
pub use crate::format::kind;
pub use crate::helpers::keep_off;
pub use crate::overview::{Overview, Run, SegmentForm, SegmentView};
pub use crate::reader::{End, Reached, Reader};
pub use crate::record::Record;
pub use crate::recover::{Completeness, Recovery, TornTail, open, open_behind};
pub use crate::repair::{Repairs, examine, repair};
pub use crate::seek::{Location, Start};
pub use crate::settings::{Identity, Level, OnDurable, Settings};
pub use crate::snapshot::{
    Draft, Foreign, SnapshotError, SnapshotHead, SnapshotView, Snapshots, Terms,
};
pub use crate::storage::{Access, Extent, Hold, Storage, Stored};
pub use crate::tail::{Anchor, Found, Tail};
pub use crate::verify::{Progress, Report};
pub use crate::watermark::Watermark;
pub use crate::writer::{Class, Entry, Room, Writer};
