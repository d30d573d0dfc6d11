//! Reading from a sequence number or a time on, without reading what lies before.
//!
//! The names of the files lead to the segment, its sparse index to a place at most 64 KiB in front
//! of what is sought, and a scan to the record. What is passed over is not checked.

use std::convert::Infallible;
use std::ops::ControlFlow;

use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::crc;
use crate::error::{DiskError, Fault, Field, Operation, ReadError, ReplayError};
use crate::folder::{self, Form};
use crate::format::{Footer, IndexEntry, RecordHeader, kind, record_len_bytes};
use crate::limits::{BODY_BYTES_MAX, INDEX_STRIDE_BYTES, LISTINGS_MAX, PAGE_BYTES, SLOT_BYTES};
use crate::reader::{End, Place, Reader, Visitor, read_error};
use crate::record::{Chain, Record};
use crate::scan::{Scan, Step, Window};
use crate::seal;
use crate::segment::{Segment, Tip, field};
use crate::settings::Identity;
use crate::verify::{check_footer_alone, check_footer_version};

/// The first record that a reading is to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The first there is.
    First,
    /// The first with this sequence number or a later one.
    Seq(u64),
    /// The first with this time stamp in nanoseconds or a later one.
    Time(u64),
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Number of its segment.
    pub segment_number: u64,
    /// Its offset in the file.
    pub offset: u64,
}

impl Start {
    /// Whether a record with these values lies in front of what is sought.
    const fn is_behind(self, seq: u64, time_ns: u64) -> bool {
        match self {
            Self::First => false,
            Self::Seq(sought) => seq < sought,
            Self::Time(sought) => time_ns < sought,
        }
    }
}

impl Reader {
    /// Hands every record of the caller and every checkpoint from `start` on to `each`, in order,
    /// until it breaks off or the last valid one. What [`End`] counts are the records delivered.
    ///
    /// # Errors
    ///
    /// The first error of `each`; damage before the watermark or in a sealed segment, where it was
    /// read at all.
    pub fn read_from<E>(
        &self,
        start: Start,
        each: impl FnMut(Record<'_>, Location) -> Result<ControlFlow<()>, E>,
    ) -> Result<End, ReplayError<E>> {
        let place = self.place(start)?;
        let last_seq = place.tip.last_seq;
        let end = End { last_seq, ..End::default() };
        let mut visitor = Seeking { each, start, location: Location::default(), end };
        let walked = self.walk_from(place, &mut visitor);
        let end = visitor.end;
        match walked {
            Ok(whole) => Ok(End { records: end.records, ..whole }),
            Err(ReplayError::Apply(Stop::Enough)) => Ok(end),
            Err(ReplayError::Apply(Stop::Failed(error))) => Err(ReplayError::Apply(error)),
            Err(ReplayError::Read(error)) => Err(ReplayError::Read(error)),
        }
    }

    /// Sequence number and time stamp of the last record of the caller; `None` when there is none.
    ///
    /// # Errors
    ///
    /// The last segment is damaged.
    pub fn last(&self) -> Result<Option<(u64, u64)>, ReadError> {
        Ok(self.lasts()?.map(|[last, _]| last))
    }

    /// The same, with the time stamp of the checkpoint behind that record if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::last`].
    pub fn last_told(&self) -> Result<Option<(u64, u64)>, ReadError> {
        Ok(self.lasts()?.map(|[_, told]| told))
    }

    /// Of the last record of the caller, and of the last that is told: it or a checkpoint.
    fn lasts(&self) -> Result<Option<[(u64, u64); 2]>, ReadError> {
        let (mut last, mut told) = (None, (0, 0));
        let mut starts = folder::list(&self.disk, &self.dir)?.named;
        // The last segment may not have a record of the caller yet: then the one before has.
        while last.is_none() {
            let first_seq = starts.pop().map_or(self.first_seq(), |named| named.first_seq);
            let end = self.read_from(Start::Seq(first_seq), |record, _| {
                if kind::is_callers(record.kind) {
                    last = Some((record.seq, record.time_ns));
                }
                told = (record.seq, record.time_ns);
                Ok::<_, Infallible>(ControlFlow::Continue(()))
            });
            end.map_err(read_error)?;
            if starts.is_empty() {
                break;
            }
        }
        Ok(last.map(|last| [last, told]))
    }

    /// First sequence number and writer of each segment, rising, as their headers say.
    ///
    /// # Errors
    ///
    /// A header is damaged.
    pub fn heads(&self) -> Result<Vec<(u64, Identity)>, ReadError> {
        let mut heads: Vec<(u64, Identity)> = Vec::new();
        for named in folder::list(&self.disk, &self.dir)?.named {
            let is_new = heads.last().is_none_or(|(first_seq, _)| *first_seq < named.first_seq);
            if is_new && let Some(segment) = self.named(named.first_seq)? {
                if segment.header.first_seq.get() != named.first_seq {
                    return Err(ReadError::Stray { path: named.path });
                }
                heads.push((named.first_seq, Identity::of(&segment.header)));
            }
        }
        Ok(heads)
    }

    /// Bytes of the files of all named segments.
    pub(crate) fn file_bytes(&self) -> Result<u64, DiskError> {
        let mut sum = 0;
        for named in folder::list(&self.disk, &self.dir)?.named {
            // A segment that is renamed at this moment is missing from the sum: it is for people.
            sum += self.disk.len_bytes(&named.path)?.unwrap_or_default();
        }
        Ok(sum)
    }

    /// Where to begin in order to find `start`, by the names of the files and the index.
    fn place(&self, start: Start) -> Result<Place, ReadError> {
        let mut firsts = self.firsts()?;
        for _ in 1..LISTINGS_MAX {
            let place = self.place_among(&firsts, start);
            if !matches!(place, Err(ReadError::SegmentMissing { .. })) {
                return place;
            }
            // A long listing may pass over a segment that gets its other name meanwhile.
            let again = self.firsts()?;
            if again == firsts {
                return place;
            }
            firsts = again;
        }
        self.place_among(&firsts, start)
    }

    /// The same, where segments begin with these.
    fn place_among(&self, firsts: &[u64], start: Start) -> Result<Place, ReadError> {
        let first = self.first_place();
        let count = match start {
            Start::First => return Ok(first),
            Start::Seq(seq) => firsts.partition_point(|&first_seq| first_seq <= seq),
            Start::Time(time_ns) => self.segments_before(firsts, time_ns)?,
        };
        let Some(position) = count.checked_sub(1) else { return Ok(first) };
        let Some(segment) = self.named(firsts[position])? else { return Ok(first) };
        let number = self.start.number + position as u64 + 1;
        if number < segment.number() {
            return Err(self.missing(firsts)?);
        }
        let tip = Tip {
            number: segment.number().saturating_sub(1),
            last_seq: firsts[position].saturating_sub(1),
            seal_crc: segment.header.prev_crc.get(),
            ..Tip::START
        };
        let within = match segment.form {
            Form::Sealed => seek(&segment, start)?,
            Form::Open | Form::Spare => None,
        };
        Ok(Place { tip, within })
    }

    /// The first sequence numbers of all named segments, rising.
    fn firsts(&self) -> Result<Vec<u64>, DiskError> {
        let named = folder::list(&self.disk, &self.dir)?.named;
        let mut firsts: Vec<u64> = named.iter().map(|named| named.first_seq).collect();
        // A segment that is sealed while the folder is listed may be seen under both names.
        firsts.dedup();
        Ok(firsts)
    }

    /// Names the first segment that is missing among those that begin so.
    fn missing(&self, firsts: &[u64]) -> Result<ReadError, ReadError> {
        let (mut number, mut first_seq) = (self.start.number + 1, self.first_seq());
        for first in firsts {
            let Some(segment) = self.named(*first)? else { break };
            if segment.number() != number {
                break;
            }
            number += 1;
            // Only what is sealed is followed by another one for good.
            first_seq = match segment.form {
                Form::Sealed => read_footer(&segment)?.last_seq.get() + 1,
                Form::Open | Form::Spare => *first + 1,
            };
        }
        Ok(ReadError::SegmentMissing { dir: self.dir.clone(), number, first_seq })
    }

    /// How many segments begin with a record before `time_ns`.
    fn segments_before(&self, firsts: &[u64], time_ns: u64) -> Result<usize, ReadError> {
        let mut window = Window::new();
        let (mut low, mut high) = (0, firsts.len());
        while low < high {
            let middle = low.midpoint(high);
            let is_before = match self.named(firsts[middle])? {
                Some(segment) => first_time_ns(&segment, &mut window)? < time_ns,
                None => false,
            };
            if is_before { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// The segment with this name, whatever its form.
    fn named(&self, first_seq: u64) -> Result<Option<Segment>, ReadError> {
        let tip = Tip { last_seq: first_seq.saturating_sub(1), ..Tip::START };
        Segment::after(&self.disk, &self.dir, &tip)
    }
}

/// Time stamp of the first record; the end of time when there is none yet.
fn first_time_ns(segment: &Segment, window: &mut Window) -> Result<u64, ReadError> {
    match Scan::new(segment, window).step()? {
        Step::Record(record) => Ok(record.time_ns),
        Step::Sealed | Step::Invalid(_) => Ok(u64::MAX),
    }
}

/// The footer of a sealed segment, checked against its checksum.
pub(crate) fn read_footer(segment: &Segment) -> Result<Footer, ReadError> {
    let mut footer = Footer::new_zeroed();
    let at = segment.data_end();
    let failed = DiskError::of(Operation::Read, &segment.path);
    segment.file.read_exact_at(footer.as_mut_bytes(), at).map_err(failed)?;
    let damage = |fault| Tip::START.damage(segment.path.clone(), at, fault);
    check_footer_alone(&footer).map_err(damage)?;
    check_footer_version(segment, &footer)?;
    Ok(footer)
}

/// The index entries of a sealed segment, checked against their checksum.
fn read_index(segment: &Segment) -> Result<Vec<IndexEntry>, ReadError> {
    let damage = |offset, fault| Tip::START.damage(segment.path.clone(), offset, fault);
    let footer = read_footer(segment)?;
    let (max, found) = (segment.len_bytes() / INDEX_STRIDE_BYTES, footer.entry_count.get());
    if max < u64::from(found) {
        let fault = field(Field::EntryCount, max, found.into());
        return Err(damage(segment.data_end(), fault).into());
    }
    let mut entries = vec![IndexEntry::new_zeroed(); found as usize];
    let entries_at = seal::entries_offset(segment);
    let failed = DiskError::of(Operation::Read, &segment.path);
    segment.file.read_exact_at(entries.as_mut_bytes(), entries_at).map_err(failed)?;
    let (expected, found) = (footer.entries_crc.get(), crc::plain(entries.as_bytes()));
    if expected != found {
        let fault = field(Field::EntriesCrc, expected.into(), found.into());
        return Err(damage(entries_at, fault).into());
    }
    Ok(entries)
}

/// The last place that the index knows in front of `start`: behind the record of an entry, whose
/// own checksum begins the chain. That record is passed over, so it need not be checked; the next
/// one vouches for its checksum.
fn seek(segment: &Segment, start: Start) -> Result<Option<(u64, Chain)>, ReadError> {
    let entries = read_index(segment)?;
    let before = |entry: &&IndexEntry| start.is_behind(entry.seq.get(), entry.time_ns.get());
    let count = entries.iter().take_while(before).count();
    let Some(entry) = count.checked_sub(1).map(|last| entries[last]) else { return Ok(None) };
    let offset = entry.offset.get();
    if offset <= PAGE_BYTES {
        return Ok(None);
    }
    let damage = |fault: Fault| Tip::START.damage(segment.path.clone(), offset, fault);
    let end = segment.data_end();
    if end <= offset || !offset.is_multiple_of(SLOT_BYTES) {
        return Err(damage(field(Field::IndexEntry, end, offset)).into());
    }
    let mut bytes = [0; size_of::<RecordHeader>()];
    let failed = DiskError::of(Operation::Read, &segment.path);
    segment.file.read_exact_at(&mut bytes, offset).map_err(failed)?;
    let Ok(header) = RecordHeader::ref_from_bytes(&bytes) else { return Ok(None) };
    let (expected, found) = (entry.seq.get(), header.seq.get());
    if expected != found {
        return Err(damage(Fault::Seq { expected, found }).into());
    }
    let (max, found) = (BODY_BYTES_MAX, header.body_len.get());
    if max < found {
        return Err(damage(Fault::BodyLen { max, found }).into());
    }
    let next = offset + record_len_bytes(found.into());
    if end < next {
        return Err(damage(Fault::Overrun { max: end - offset, found: next - offset }).into());
    }
    let salt = segment.header.salt.get();
    Ok(Some((next, Chain { crc: header.crc.get(), salt, last_seq: expected })))
}

/// Why a reading ends early.
enum Stop<E> {
    Enough,
    Failed(E),
}

/// The visitor behind [`Reader::read_from`].
struct Seeking<F> {
    each: F,
    start: Start,
    location: Location,
    end: End,
}

impl<E, F> Visitor for Seeking<F>
where
    F: FnMut(Record<'_>, Location) -> Result<ControlFlow<()>, E>,
{
    type Error = Stop<E>;

    fn segment(&mut self, segment: &Segment) -> Result<(), ReplayError<Stop<E>>> {
        self.location.segment_number = segment.number();
        self.end.segments += 1;
        Ok(())
    }

    #[expect(clippy::inline_always, reason = "a record handed over in memory is read too soon")]
    #[inline(always)]
    fn record(&mut self, record: &Record<'_>, offset: u64) -> Result<(), ReplayError<Stop<E>>> {
        self.end.last_seq = record.seq;
        if !kind::is_told(record.kind) || self.start.is_behind(record.seq, record.time_ns) {
            return Ok(());
        }
        self.end.records += 1;
        match (self.each)(*record, Location { offset, ..self.location }) {
            Ok(ControlFlow::Continue(())) => Ok(()),
            Ok(ControlFlow::Break(())) => Err(ReplayError::Apply(Stop::Enough)),
            Err(error) => Err(ReplayError::Apply(Stop::Failed(error))),
        }
    }

    fn complete(
        &mut self,
        _segment: &Segment,
        _seal_crc: u32,
    ) -> Result<Option<[u8; 32]>, ReplayError<Stop<E>>> {
        Ok(None)
    }
}
