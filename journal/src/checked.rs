//! Records checked ahead, on a thread of their own, while those before are used.
//!
//! An accelerator and nothing else: it hands over what is certainly valid, and whatever stops it,
//! the end of what is there, a seal, damage or a disk that fails, is for the walk to meet again
//! and to judge.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope};

use crate::format::kind;
use crate::limits::{PAGE_BYTES, RECORD_BYTES_MAX, index};
use crate::record::{self, Chain, Record};
use crate::segment::Segment;

/// Bytes read and checked at a time: a few of them fit the cache that the CPUs share.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that there is memory for: checked, in use, or on their way back.
const PIECES: usize = 8;
/// How many of them go back together: to wake a thread costs as much as to check a tenth of one.
const RETURNED: usize = PIECES / 2;
/// A segment with less to read is not worth a thread.
pub(crate) const WORTH_BYTES: u64 = 256 << 10;

/// Whole valid records, one behind the other.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    /// Offset of the first one in the file.
    pub(crate) start: u64,
    /// End of the last one.
    pub(crate) end: u64,
    /// What a record behind them is checked against.
    pub(crate) chain: Chain,
}

impl Piece {
    /// Hands the records with their offsets to `each`; says how many there were.
    #[inline]
    pub(crate) fn records<E>(
        &self,
        mut each: impl FnMut(&Record<'_>, u64) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut rest = &self.bytes[..index(self.end - self.start)];
        let (mut offset, mut count) = (self.start, 0);
        while let Some((record, len_bytes)) = record::checked(rest) {
            each(&record, offset)?;
            rest = &rest[index(len_bytes)..];
            offset += len_bytes;
            count += 1;
        }
        Ok(count)
    }
}

/// The pieces of a segment as they come.
#[derive(Debug)]
pub(crate) struct Ahead {
    pieces: Receiver<Piece>,
    /// Takes the memory of those that were used back.
    free: Sender<Vec<u8>>,
    /// Memory that waits to go back with more of it.
    used: Vec<Vec<u8>>,
}

impl Ahead {
    /// The next one; `None` behind the last.
    pub(crate) fn next(&self) -> Option<Piece> {
        self.pieces.recv().ok()
    }

    /// Gives the memory of one that was used back.
    pub(crate) fn reuse(&mut self, piece: Piece) {
        self.used.push(piece.bytes);
        if self.used.len() == RETURNED {
            // The thread that would need it may be gone.
            drop(self.used.drain(..).try_for_each(|bytes| self.free.send(bytes)));
        }
    }
}

/// Starts to check what follows `at` in `segment`, where `chain` is known to hold. The thread ends
/// when there is nothing more or the receiver is gone. `None`: the system gives no thread.
pub(crate) fn check_ahead<'scope>(
    scope: &'scope Scope<'scope, '_>,
    segment: &'scope Segment,
    at: u64,
    chain: Chain,
) -> Option<Ahead> {
    let (to_walk, pieces) = channel();
    let (free, to_fill) = channel();
    // Not more than half of them can wait to go back, so that the others are on their way.
    (0..PIECES).try_for_each(|_| free.send(Vec::new())).ok()?;
    let check = move || check(segment, at, chain, &to_walk, &to_fill);
    Builder::new().name("journal-check".to_owned()).spawn_scoped(scope, check).ok()?;
    Some(Ahead { pieces, free, used: Vec::with_capacity(RETURNED) })
}

fn check(
    segment: &Segment,
    mut at: u64,
    mut chain: Chain,
    to_walk: &Sender<Piece>,
    to_fill: &Receiver<Vec<u8>>,
) {
    let data_end = segment.data_end();
    while let Ok(mut bytes) = to_fill.recv() {
        let len = index(data_end - at).min(PIECE_BYTES);
        bytes.resize(len, 0);
        if segment.file.read_exact_at(&mut bytes, at).is_err() {
            return;
        }
        let is_last = at + len as u64 == data_end;
        let (used, is_stopped) = check_piece(&bytes, at, is_last, &mut chain);
        if used == 0 {
            return;
        }
        let end = at + used as u64;
        let piece = Piece { bytes, start: at, end, chain };
        if to_walk.send(piece).is_err() || is_stopped {
            return;
        }
        at = end;
    }
}

/// How many bytes at the beginning of `bytes`, which are at offset `at`, are valid records, and
/// whether no more can follow.
fn check_piece(bytes: &[u8], at: u64, is_last: bool, chain: &mut Chain) -> (usize, bool) {
    let mut used = 0;
    loop {
        let rest = &bytes[used..];
        if let Some(slot) = rest.first_chunk()
            && let Some((record, crc)) = record::parse_slot(slot, chain)
        {
            (chain.crc, chain.last_seq) = (crc, record.seq);
            used += record::SLOT_LEN;
            continue;
        }
        if !is_last && (rest.len() as u64) < RECORD_BYTES_MAX {
            return (used, false);
        }
        match record::parse(rest, chain) {
            // The walk knows what follows from a seal, and where an upgrade may not stand.
            Ok(parsed) if parsed.record.kind == kind::SEAL => return (used, true),
            Ok(parsed) if parsed.record.kind == kind::UPGRADE && at + used as u64 != PAGE_BYTES => {
                return (used, true);
            }
            Ok(parsed) => {
                (chain.crc, chain.last_seq) = (parsed.crc, parsed.record.seq);
                used += index(parsed.len_bytes);
            }
            Err(_) => return (used, true),
        }
    }
}
