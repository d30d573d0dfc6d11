//! Following a journal that is being written: reading on from a place as far as the watermark
//! allows, segment by segment, in memory of one window.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::{ReadError, ReplayError};
use crate::folder::{self, Folder};
use crate::format::kind;
use crate::limits::PAGE_BYTES;
use crate::record::{Chain, Record};
use crate::scan::{Scan, Step, Window};
use crate::segment::{Opened, Segment, Tip};

/// A place in a journal, behind a record. Its checksum stands for all records up to there, each of
/// which is part of that of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Sequence number of the record; 0 in front of the first one.
    pub seq: u64,
    /// Number of its segment; 0 in front of the first one.
    pub segment_number: u64,
    /// Where the record ends in the file.
    pub offset: u64,
    /// Its checksum.
    pub record_crc: u32,
}

impl Anchor {
    /// In front of the first record.
    pub const START: Self = Self { seq: 0, segment_number: 0, offset: 0, record_crc: 0 };

    pub(crate) fn chain(&self, segment: &Segment) -> Chain {
        let salt = segment.header.salt.get();
        Chain { crc: self.record_crc, salt, last_seq: self.seq }
    }

    /// Whether the records of its segment lead to it.
    pub(crate) fn is_in(&self, segment: &Segment) -> Result<bool, ReadError> {
        let mut window = Window::new();
        let mut scan = Scan::new(segment, &mut window);
        while scan.offset() < self.offset && matches!(scan.step()?, Step::Record(_)) {}
        let (offset, chain) = (scan.offset(), scan.chain());
        Ok((offset, chain.last_seq, chain.crc) == (self.offset, self.seq, self.record_crc))
    }
}

/// Whether a place is one of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is.
    There,
    /// The journal ends before.
    Beyond,
    /// The journal goes so far, by other records.
    Elsewhere,
}

/// A reader that goes on where it was.
#[derive(Debug)]
pub struct Tail {
    disk: Disk,
    dir: PathBuf,
    /// Where it stands.
    at: At,
    /// Behind the last record of the caller that was read.
    anchor: Anchor,
    window: Window,
}

#[derive(Debug)]
enum At {
    /// Within a segment.
    Segment { segment: Segment, offset: u64, chain: Chain },
    /// Behind a complete one.
    Between(Tip),
}

impl Tail {
    /// Begins behind `anchor` in the journal in `folder`.
    ///
    /// # Errors
    ///
    /// Its segment is missing or damaged.
    pub fn behind(folder: impl Into<Folder>, anchor: &Anchor) -> Result<Self, ReadError> {
        let Folder { dir, disk } = folder.into();
        let at = if anchor.segment_number == 0 {
            At::Between(Tip::START)
        } else {
            let segment = find(&disk, &dir, anchor)?;
            At::Segment { offset: anchor.offset, chain: anchor.chain(&segment), segment }
        };
        Ok(Self { disk, dir, at, anchor: *anchor, window: Window::new() })
    }

    /// The same where the records of its segment lead to `anchor`, which is not taken on trust;
    /// `None` where they do not.
    ///
    /// # Errors
    ///
    /// As [`Self::behind`].
    pub fn find(folder: impl Into<Folder>, anchor: &Anchor) -> Result<Option<Self>, ReadError> {
        let tail = Self::behind(folder, anchor)?;
        let is_there = match &tail.at {
            At::Segment { segment, .. } => anchor.is_in(segment)?,
            At::Between(_) => true,
        };
        Ok(is_there.then_some(tail))
    }

    /// The place behind the last record of the caller that was read.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Hands every record of the caller and every checkpoint up to sequence number `upto`, which is
    /// durable, to `each`, in order, until it breaks off.
    ///
    /// # Errors
    ///
    /// The first error of `each`; a durable record that is damaged or missing.
    pub fn read<E>(
        &mut self,
        upto: u64,
        mut each: impl FnMut(Record<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), ReplayError<E>> {
        loop {
            let (segment, offset, chain) = match &mut self.at {
                At::Segment { segment, offset, chain } => (segment, offset, chain),
                At::Between(tip) => {
                    let tip = *tip;
                    let Some(segment) = Segment::after(&self.disk, &self.dir, &tip)? else {
                        return self.end(&tip, upto);
                    };
                    segment.admit(&tip)?;
                    let chain = segment.chain();
                    self.at = At::Segment { segment, offset: PAGE_BYTES, chain };
                    continue;
                }
            };
            let mut scan = Scan::resume(segment, &mut self.window, *offset, *chain);
            let left = walk(&mut scan, segment, (upto, &mut self.anchor), &mut each);
            (*offset, *chain) = (scan.offset(), scan.chain());
            match left? {
                Left::Within(place) => {
                    (*offset, *chain) = place;
                    return Ok(());
                }
                Left::Behind(tip) => self.at = At::Between(tip),
            }
        }
    }

    /// There is no further segment: nothing durable may be in one.
    fn end<E>(&self, tip: &Tip, upto: u64) -> Result<(), ReplayError<E>> {
        if upto <= tip.last_seq {
            return Ok(());
        }
        let (number, first_seq) = (tip.number + 1, tip.last_seq + 1);
        Err(ReadError::SegmentMissing { dir: self.dir.clone(), number, first_seq }.into())
    }
}

/// The segment that `anchor` is in, by the number in its header.
fn find(disk: &Disk, dir: &Path, anchor: &Anchor) -> Result<Segment, ReadError> {
    let Anchor { seq, segment_number: number, .. } = *anchor;
    // Between two looks a running writer may have given it another name.
    for _ in 0..2 {
        let named = folder::list(disk, dir)?.named.into_iter().rev();
        for named in named.filter(|named| named.first_seq <= seq) {
            if let Some(Opened::Valid(segment)) = Segment::open(disk, named.path, named.form)?
                && segment.number() == number
            {
                return Ok(segment);
            }
        }
    }
    Err(ReadError::SegmentMissing { dir: dir.to_owned(), number, first_seq: seq })
}

/// Where a walk through a segment ended.
enum Left {
    /// In front of what is not to be read yet.
    Within((u64, Chain)),
    /// It is complete.
    Behind(Tip),
}

fn walk<E>(
    scan: &mut Scan<'_>,
    segment: &Segment,
    (upto, anchor): (u64, &mut Anchor),
    each: &mut impl FnMut(Record<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<Left, ReplayError<E>> {
    let mut has_refreshed = false;
    loop {
        let place = (scan.offset(), scan.chain());
        let last_seq = place.1.last_seq;
        let fault = match scan.step()? {
            Step::Record(record) if upto < record.seq => return Ok(Left::Within(place)),
            Step::Record(record) => {
                has_refreshed = false;
                let kind = record.kind;
                let next =
                    if kind::is_told(kind) { each(record) } else { Ok(ControlFlow::Continue(())) };
                let next = next.map_err(ReplayError::Apply)?;
                let (offset, chain) = (scan.offset(), scan.chain());
                if kind::is_callers(kind) {
                    let (seq, record_crc) = (chain.last_seq, chain.crc);
                    *anchor = Anchor { seq, segment_number: segment.number(), offset, record_crc };
                }
                match next {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(()) => return Ok(Left::Within((offset, chain))),
                }
            }
            Step::Sealed => {
                let (number, seal_crc) = (segment.number(), place.1.crc);
                let versions = Some(segment.versions());
                return Ok(Left::Behind(Tip { number, last_seq, seal_crc, hash: None, versions }));
            }
            Step::Invalid(_) if upto <= last_seq => return Ok(Left::Within(place)),
            Step::Invalid(fault) => fault,
        };
        if has_refreshed {
            let tip = Tip { last_seq, ..Tip::START };
            let mut damage = tip.damage(segment.path.clone(), place.0, fault);
            damage.durable_seq = Some(upto);
            return Err(damage.into());
        }
        // The window was read before the record was there.
        has_refreshed = true;
        scan.refresh();
    }
}
