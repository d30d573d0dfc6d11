//! Records checked ahead, on a thread of their own, while those before are used.
//!
//! An accelerator and nothing else: it hands over what is certainly valid, and whatever stops it,
//! the end of what is there, a seal, damage or a disk that fails, is for the walk to meet again
//! and to judge. Behind the last record are zeros, up to a whole segment of them, and only when all
//! of them were looked at nothing is torn: the thread does that too, while it waits for the walk.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, Scope};

use crate::format::kind;
use crate::limits::{PAGE_BYTES, RECORD_BYTES_MAX, index};
use crate::record::{self, Chain, Record};
use crate::scan::Zeros;
use crate::segment::Segment;

/// Bytes read and checked at a time: a few of them fit the cache that the CPUs share.
const PIECE_BYTES: usize = 256 << 10;
// A piece that begins with a whole record ends behind one.
const _: () = assert!(RECORD_BYTES_MAX <= PIECE_BYTES as u64);
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
    zeros: Receiver<u64>,
}

impl Ahead {
    /// The next one; `None` behind the last.
    pub(crate) fn next(&self) -> Option<Piece> {
        self.pieces.recv().ok()
    }

    /// Behind the last piece: from where on all of the segment was zero at some time since this
    /// began; `None` where that is not known.
    pub(crate) fn zeros_from(self) -> Option<u64> {
        self.zeros.recv().ok()
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
    let (to_tell, zeros) = channel();
    // Not more than half of them can wait to go back, so that the others are on their way.
    (0..PIECES).try_for_each(|_| free.send(Vec::new())).ok()?;
    let check = move || {
        let mut behind = Behind::of(segment);
        // The walk hears that no more pieces come before the rest is looked at.
        let end = check(segment, (at, chain), &to_walk, (&to_fill, &mut behind))?;
        drop(to_walk);
        to_tell.send(behind.rest(end)?).ok()
    };
    Builder::new().name("journal-check".to_owned()).spawn_scoped(scope, check).ok()?;
    Some(Ahead { pieces, free, used: Vec::with_capacity(RETURNED), zeros })
}

/// Why no more records follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// A seal: what is behind it, the format says.
    Seal,
    /// What is no record, or none that may stand here.
    Invalid,
}

/// What is behind the last record, looked at window by window.
struct Behind<'s> {
    zeros: Zeros<'s>,
    seen: Seen,
}

/// What became of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It goes on.
    Zeros,
    /// From here on all is zero.
    From(u64),
    /// It cannot be read.
    Nothing,
}

impl<'s> Behind<'s> {
    fn of(segment: &'s Segment) -> Self {
        let range = PAGE_BYTES..segment.data_end();
        let zeros = Zeros::behind(&segment.file, &segment.path, range);
        Self { zeros, seen: Seen::Zeros }
    }

    /// Looks at one more window; false when there is nothing left to look at.
    fn step(&mut self) -> bool {
        if self.seen == Seen::Zeros {
            let stepped = self.zeros.step();
            self.seen = stepped.map_or(Seen::Nothing, |from| from.map_or(Seen::Zeros, Seen::From));
        }
        self.seen == Seen::Zeros
    }

    /// Looks at what is left behind `end`.
    fn rest(mut self, end: u64) -> Option<u64> {
        self.zeros.raise(end);
        while self.step() {}
        if let Seen::From(from) = self.seen { Some(from) } else { None }
    }
}

/// Returns where records end, if not with a seal; `None` also when nobody wants to know.
fn check(
    segment: &Segment,
    (mut at, mut chain): (u64, Chain),
    to_walk: &Sender<Piece>,
    (to_fill, behind): (&Receiver<Vec<u8>>, &mut Behind<'_>),
) -> Option<u64> {
    let data_end = segment.data_end();
    loop {
        let mut bytes = loop {
            match to_fill.try_recv() {
                Ok(bytes) => break bytes,
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if behind.step() => {}
                Err(TryRecvError::Empty) => break to_fill.recv().ok()?,
            }
        };
        let len = index(data_end - at).min(PIECE_BYTES);
        bytes.resize(len, 0);
        segment.file.read_exact_at(&mut bytes, at).ok()?;
        let is_last = at + len as u64 == data_end;
        let (used, stop) = check_piece(&bytes, at, is_last, &mut chain);
        let end = at + used as u64;
        if 0 < used {
            to_walk.send(Piece { bytes, start: at, end, chain }).ok()?;
        }
        at = end;
        match stop {
            None => {}
            Some(Stop::Seal) => return None,
            Some(Stop::Invalid) => return Some(end),
        }
    }
}

/// How many bytes at the beginning of `bytes`, which are at offset `at`, are valid records, and
/// why no more can follow, if so.
fn check_piece(bytes: &[u8], at: u64, is_last: bool, chain: &mut Chain) -> (usize, Option<Stop>) {
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
            return (used, None);
        }
        match record::parse(rest, chain) {
            // The walk knows what follows from a seal, and where an upgrade may not stand.
            Ok(parsed) if parsed.record.kind == kind::SEAL => return (used, Some(Stop::Seal)),
            Ok(parsed) if parsed.record.kind == kind::UPGRADE && at + used as u64 != PAGE_BYTES => {
                return (used, Some(Stop::Invalid));
            }
            Ok(parsed) => {
                (chain.crc, chain.last_seq) = (parsed.crc, parsed.record.seq);
                used += index(parsed.len_bytes);
            }
            Err(_) => return (used, Some(Stop::Invalid)),
        }
    }
}
