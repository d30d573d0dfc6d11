//! Reading a journal without a lock and without changing anything, also beside a running writer.
//!
//! Memory is bounded by a window and a few pieces that are checked ahead, however long the journal
//! is.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::checked;
use crate::disk::Disk;
use crate::error::{Fault, ReadError, ReplayError};
use crate::folder::{self, Folder, Named};
use crate::format::kind;
use crate::record::{Chain, Record};
use crate::recover::{Invalid, TornTail};
use crate::scan::{Scan, Step, Window};
use crate::segment::{Segment, Tip};
use crate::sidecar::{self, Loaded, Mark};

/// A journal opened for reading only.
#[derive(Debug)]
pub struct Reader {
    pub(crate) disk: Disk,
    pub(crate) dir: PathBuf,
    pub(crate) start: Tip,
    pub(crate) mark: Mark,
    salt: u64,
    reached: Reached,
}

/// How far the readings of a [`Reader`] are, for whoever watches from another thread.
#[derive(Clone, Debug, Default)]
pub struct Reached(Arc<AtomicU64>);

impl Reached {
    /// The last sequence number that was delivered, or a few records before it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        // Relaxed: it is for people, and carries no data.
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, seq: u64) {
        self.0.store(seq, Ordering::Relaxed);
    }
}

/// Where a walk begins: behind a segment, perhaps within the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The segment before.
    pub(crate) tip: Tip,
    /// Offset of the first record in the next one, and the chain in front of it; `None`: at its
    /// beginning.
    pub(crate) within: Option<(u64, Chain)>,
}

/// Where a reading ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Last sequence number; 0 when there is none.
    pub last_seq: u64,
    /// Segments read, the last one perhaps in part.
    pub segments: u64,
    /// Records read, the journal's own included.
    pub records: u64,
    /// What lies behind the last valid record and is no record: a torn tail, or a record that a
    /// running writer was about to complete.
    pub torn: Option<TornTail>,
}

/// What a walk tells its caller.
pub(crate) trait Visitor {
    /// Why the visitor stops the walk.
    type Error;

    /// A segment is entered.
    fn segment(&mut self, segment: &Segment) -> Result<(), ReplayError<Self::Error>>;

    /// A record of any kind, at `offset`.
    fn record(&mut self, record: &Record<'_>, offset: u64) -> Result<(), ReplayError<Self::Error>>;

    /// The segment was complete; `seal_crc` is the checksum of its seal.
    fn complete(
        &mut self,
        segment: &Segment,
        seal_crc: u32,
    ) -> Result<Option<[u8; 32]>, ReplayError<Self::Error>>;
}

impl Reader {
    /// Opens the journal in `folder`. It may start behind segment 1 (an archived part).
    ///
    /// # Errors
    ///
    /// The first segment's header or the sidecar is damaged, or needs another reader.
    pub fn open(folder: impl Into<Folder>) -> Result<Self, ReadError> {
        let Folder { dir, disk } = folder.into();
        // The mark first: what it covers was complete before anything else is looked at.
        let mut loaded = sidecar::load(&disk, &dir)?;
        let first = folder::list(&disk, &dir)?.named.into_iter().next();
        if matches!(loaded, Loaded::Damaged(_)) {
            // Or a writer was making it.
            loaded = sidecar::load(&disk, &dir)?;
        }
        let mark = match loaded {
            Loaded::Valid(state) => state.mark,
            Loaded::Missing => Mark::default(),
            // It is made, and its slots filled, before the first segment gets its name.
            Loaded::Damaged(Fault::Overrun { .. }) if first.is_none() => Mark::default(),
            Loaded::Damaged(fault) => {
                let path = folder::sidecar_path(&dir);
                return Err(ReadError::WatermarkDamaged { path, offset: 0, fault });
            }
        };
        let (mut start, mut salt) = (Tip::START, 0);
        if let Some(first) = first {
            // Between the two looks it may have been sealed under another name.
            let tip = Tip { last_seq: first.first_seq.saturating_sub(1), ..Tip::START };
            if let Some(segment) = Segment::after(&disk, &dir, &tip)? {
                start = Tip {
                    number: segment.number().saturating_sub(1),
                    last_seq: tip.last_seq,
                    seal_crc: segment.header.prev_crc.get(),
                    ..tip
                };
                salt = segment.header.salt.get();
            }
        }
        Ok(Self { disk, dir, start, mark, salt, reached: Reached::default() })
    }

    /// Opens a journal that must be there from its first record on, not an archived part of one.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`]; the first segment or the sidecar is missing.
    pub fn open_whole(folder: impl Into<Folder>) -> Result<Self, ReadError> {
        let reader = Self::open(folder)?;
        let Self { disk, dir, .. } = &reader;
        let listing = folder::list(disk, dir)?;
        let has_segments = !listing.named.is_empty() || 0 < reader.mark.segment_number;
        if has_segments && reader.start != Tip::START {
            let (dir, number, first_seq) = (dir.to_owned(), 1, 1);
            return Err(ReadError::SegmentMissing { dir, number, first_seq });
        }
        let path = folder::sidecar_path(dir);
        if has_segments && !disk.exists(&path)? {
            return Err(ReadError::WatermarkMissing { path });
        }
        Ok(reader)
    }

    /// First sequence number of the first segment.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.start.last_seq + 1
    }

    /// Salt of the first segment, which no other journal but a copy of this one has; 0 when there
    /// is none.
    #[must_use]
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// How far its readings are.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.reached.clone()
    }

    /// The watermark when the reader was opened.
    #[must_use]
    pub fn durable_seq(&self) -> u64 {
        self.mark.seq
    }

    /// Hands every record of the caller and every checkpoint to `each`, in order, up to the last
    /// valid one. Every call starts from the beginning and reads what is there then.
    ///
    /// # Errors
    ///
    /// The first error of `each`; damage before the watermark or in a sealed segment.
    pub fn for_each<E>(
        &self,
        each: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<End, ReplayError<E>> {
        self.walk(&mut Each(each))
    }

    /// Walks all segments from the first one.
    pub(crate) fn walk<V: Visitor>(&self, visitor: &mut V) -> Result<End, ReplayError<V::Error>> {
        self.walk_from(self.first_place(), visitor)
    }

    /// In front of the first record.
    pub(crate) fn first_place(&self) -> Place {
        Place { tip: self.start, within: None }
    }

    /// Walks all segments from the one behind `place`.
    pub(crate) fn walk_from<V: Visitor>(
        &self,
        place: Place,
        visitor: &mut V,
    ) -> Result<End, ReplayError<V::Error>> {
        let mut window = Window::new();
        let Place { mut tip, mut within } = place;
        let mut end = End { last_seq: tip.last_seq, ..End::default() };
        let named = folder::list(&self.disk, &self.dir)?.named;
        if tip == self.start {
            check_between(&named, None, tip.last_seq)?;
        }
        while let Some(segment) = self.after(&tip)? {
            segment.admit(&tip)?;
            visitor.segment(&segment)?;
            end.segments += 1;
            let scan = match within.take() {
                Some((at, chain)) => Scan::resume(&segment, &mut window, at, chain),
                None => Scan::new(&segment, &mut window),
            };
            let hash = self.walk_segment(&segment, scan, visitor, &mut end)?;
            let Walked::Complete { seal_crc, hash } = hash else { return Ok(end) };
            check_between(&named, Some(segment.header.first_seq.get()), end.last_seq)?;
            tip = Tip {
                number: segment.number(),
                last_seq: end.last_seq,
                seal_crc,
                hash,
                versions: Some(segment.versions()),
            };
        }
        if tip.number < self.mark.segment_number {
            let (dir, number) = (self.dir.clone(), tip.number + 1);
            return Err(
                ReadError::SegmentMissing { dir, number, first_seq: tip.last_seq + 1 }.into()
            );
        }
        Ok(end)
    }

    /// The segment behind `tip`; `None` when no file is named as one behind it.
    fn after(&self, tip: &Tip) -> Result<Option<Segment>, ReadError> {
        if let Some(segment) = Segment::after(&self.disk, &self.dir, tip)? {
            return Ok(Some(segment));
        }
        let named = folder::list(&self.disk, &self.dir)?.named;
        let mut later = named.iter().filter(|named| tip.last_seq < named.first_seq).peekable();
        if later.peek().is_none() {
            return Ok(None);
        }
        // A running writer may have gone on meanwhile: then the next one is there by now.
        if let Some(segment) = Segment::after(&self.disk, &self.dir, tip)? {
            return Ok(Some(segment));
        }
        let stray = Segment::stray_behind(&self.disk, later, (tip.number, tip.last_seq))?;
        let (dir, number, first_seq) = (self.dir.clone(), tip.number + 1, tip.last_seq + 1);
        let missing = || ReadError::SegmentMissing { dir, number, first_seq };
        Err(stray.map_or_else(missing, |path| ReadError::Stray { path }))
    }

    fn walk_segment<V: Visitor>(
        &self,
        segment: &Segment,
        mut scan: Scan<'_>,
        visitor: &mut V,
        end: &mut End,
    ) -> Result<Walked, ReplayError<V::Error>> {
        let mut zeros_from = None;
        if checked::WORTH_BYTES <= segment.data_end() - scan.offset() {
            zeros_from = walk_checked(segment, &mut scan, visitor, end, &self.reached)?;
        }
        // Whether a later segment had its name when this one first looked invalid.
        let mut first_look = None;
        let mut was_torn = false;
        loop {
            let passed = scan.slots(|record, offset| visitor.record(record, offset))?;
            if 0 < passed {
                end.records += passed;
                end.last_seq = scan.chain().last_seq;
                self.reached.set(end.last_seq);
                (first_look, was_torn) = (None, false);
            }
            let (offset, chain) = (scan.offset(), scan.chain());
            let fault = match scan.step()? {
                Step::Record(record) => {
                    visitor.record(&record, offset)?;
                    end.records += 1;
                    end.last_seq = record.seq;
                    self.reached.set(record.seq);
                    (first_look, was_torn) = (None, false);
                    continue;
                }
                Step::Sealed => {
                    let hash = visitor.complete(segment, chain.crc)?;
                    return Ok(Walked::Complete { seal_crc: chain.crc, hash });
                }
                Step::Invalid(fault) => fault,
            };
            // What was read may be older than what is there now: a running writer is ahead. All
            // of a segment is there before a later one gets its name, so look for that first.
            let Some(later) = &first_look else {
                first_look = Some(self.named_after(segment)?);
                scan.refresh();
                continue;
            };
            let invalid = Invalid { segment, offset, fault, chain };
            invalid.check_durable(&self.mark)?;
            if !later.is_empty() {
                return Err(invalid.followed(&self.disk, later.iter())?.into());
            }
            // Nothing was there when the walk began: what came since is a running writer's.
            let is_clear = zeros_from.is_some_and(|zeros_from| zeros_from <= offset);
            let torn = if is_clear { None } else { invalid.torn()? };
            if torn.is_some() && !was_torn {
                // Or came between the last look at this place and that at what follows it.
                was_torn = true;
                scan.refresh();
                continue;
            }
            end.torn = torn;
            return Ok(Walked::Ended);
        }
    }

    fn named_after(&self, segment: &Segment) -> Result<Vec<Named>, ReadError> {
        let first_seq = segment.header.first_seq.get();
        let mut named = folder::list(&self.disk, &self.dir)?.named;
        named.retain(|named| first_seq < named.first_seq);
        Ok(named)
    }
}

/// Refuses a name behind that of the segment that begins with `first_seq`, or any, up to the
/// segment's last record: no segment begins there.
fn check_between(named: &[Named], first_seq: Option<u64>, last_seq: u64) -> Result<(), ReadError> {
    let is_between = |named: &&Named| {
        first_seq.is_none_or(|first| first < named.first_seq) && named.first_seq <= last_seq
    };
    match named.iter().find(is_between) {
        Some(Named { path, .. }) => Err(ReadError::Stray { path: path.clone() }),
        None => Ok(()),
    }
}

/// Walks as far as records are checked ahead; says from where on all was zero then, if that is
/// known.
fn walk_checked<V: Visitor>(
    segment: &Segment,
    scan: &mut Scan<'_>,
    visitor: &mut V,
    end: &mut End,
    reached: &Reached,
) -> Result<Option<u64>, ReplayError<V::Error>> {
    thread::scope(|scope| {
        let (at, chain) = (scan.offset(), scan.chain());
        let Some(mut ahead) = checked::check_ahead(scope, segment, at, chain) else {
            return Ok(None);
        };
        while let Some(piece) = ahead.next() {
            end.records += piece.records(|record, offset| visitor.record(record, offset))?;
            end.last_seq = piece.chain.last_seq;
            reached.set(end.last_seq);
            scan.jump(piece.end, piece.chain);
            ahead.reuse(piece);
        }
        Ok(ahead.zeros_from())
    })
}

/// How a segment ended.
enum Walked {
    /// With its seal.
    Complete { seal_crc: u32, hash: Option<[u8; 32]> },
    /// With the journal.
    Ended,
}

/// The visitor behind [`Reader::for_each`].
struct Each<F>(F);

impl<E, F: FnMut(Record<'_>) -> Result<(), E>> Visitor for Each<F> {
    type Error = E;

    fn segment(&mut self, _segment: &Segment) -> Result<(), ReplayError<E>> {
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, _offset: u64) -> Result<(), ReplayError<E>> {
        if !kind::is_told(record.kind) {
            return Ok(());
        }
        (self.0)(*record).map_err(ReplayError::Apply)
    }

    fn complete(
        &mut self,
        _segment: &Segment,
        _seal_crc: u32,
    ) -> Result<Option<[u8; 32]>, ReplayError<E>> {
        Ok(None)
    }
}

/// A walk whose visitor never stops it can only fail to read.
pub(crate) fn read_error(error: ReplayError<Infallible>) -> ReadError {
    match error {
        ReplayError::Read(error) => error,
        ReplayError::Apply(never) => match never {},
    }
}
