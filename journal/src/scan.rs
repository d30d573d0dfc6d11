//! Walks the records of one segment through a window of bounded size.
//!
//! The file is read, not mapped: a bad sector or a truncated file is then an error with an offset
//! and not a signal that kills the auditor, and bytes that a running writer changes under the
//! reader are copied once and judged as copied. The page cache serves both alike.

use std::ops::Range;
use std::path::Path;

use crate::error::{DiskError, Fault, Operation};
use crate::format::kind;
use crate::limits::{
    PAGE_BYTES, RECORD_BYTES_MAX, SLOT_BYTES, TAIL_WINDOW_BYTES, WINDOW_BYTES, index,
};
use crate::record::{self, Chain, Record, SLOT_LEN};
use crate::segment::Segment;
use crate::storage::Handle;

/// A piece of a file in memory. One is reused for all segments of a walk.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: Box<[u8]>,
    /// Offset of the first byte in the file.
    start: u64,
    /// Bytes that are filled.
    len: usize,
}

/// What a step of a scan finds.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A valid record, of the caller or the journal's own.
    Record(Record<'a>),
    /// The seal was passed: the segment is complete.
    Sealed,
    /// The next bytes are no record.
    Invalid(Fault),
}

/// A scan over one segment.
#[derive(Debug)]
pub(crate) struct Scan<'s> {
    file: &'s Handle,
    path: &'s Path,
    window: &'s mut Window,
    data_end: u64,
    at: u64,
    chain: Chain,
    sealed: bool,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; WINDOW_BYTES].into_boxed_slice(), start: 0, len: 0 }
    }

    /// Forgets what was read.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Where the slot at `offset` of the file is, if all of it was read.
    #[inline]
    fn slot(&self, offset: u64) -> Option<usize> {
        let skip = index(offset.checked_sub(self.start)?);
        (skip + SLOT_LEN <= self.len).then_some(skip)
    }

    /// The bytes of `file` from `offset` on: at least `want` of them, or up to `end`.
    fn at(&mut self, file: &Handle, offset: u64, want: u64, end: u64) -> std::io::Result<&[u8]> {
        let need = index(want.min(end - offset));
        let held = offset
            .checked_sub(self.start)
            .map(index)
            .filter(|skip| skip.checked_add(need).is_some_and(|upto| upto <= self.len));
        if let Some(skip) = held {
            return Ok(&self.bytes[skip..self.len]);
        }
        let len = index(end - offset).min(self.bytes.len());
        self.len = 0;
        file.read_exact_at(&mut self.bytes[..len], offset)?;
        self.start = offset;
        self.len = len;
        Ok(&self.bytes[..len])
    }
}

impl<'s> Scan<'s> {
    /// Starts in front of the first record of `segment`.
    pub(crate) fn new(segment: &'s Segment, window: &'s mut Window) -> Self {
        Self::resume(segment, window, PAGE_BYTES, segment.chain())
    }

    /// Starts at `at`, where `chain` is known to hold.
    pub(crate) fn resume(
        segment: &'s Segment,
        window: &'s mut Window,
        at: u64,
        chain: Chain,
    ) -> Self {
        window.clear();
        let data_end = segment.data_end();
        Self {
            file: &segment.file,
            path: &segment.path,
            window,
            data_end,
            at,
            chain,
            sealed: false,
        }
    }

    /// Hands the caller's records of one slot, with their offsets, to `each`, as far as they were
    /// read already and no other record comes; says how many. [`Self::step`] goes on from there.
    #[inline]
    pub(crate) fn slots<E>(
        &mut self,
        mut each: impl FnMut(&Record<'_>, u64) -> Result<(), E>,
    ) -> Result<u64, E> {
        let Some(skip) = self.window.slot(self.at).filter(|_| !self.sealed) else { return Ok(0) };
        let (slots, _) = self.window.bytes[skip..self.window.len].as_chunks();
        let first = self.at;
        for slot in slots {
            let Some((record, crc)) = record::parse_slot(slot, &self.chain) else { break };
            let offset = self.at;
            self.at += SLOT_BYTES;
            (self.chain.crc, self.chain.last_seq) = (crc, record.seq);
            each(&record, offset)?;
        }
        Ok((self.at - first) / SLOT_BYTES)
    }

    /// The next record, or why there is none. After `Sealed` or `Invalid` the same comes again.
    pub(crate) fn step(&mut self) -> Result<Step<'_>, DiskError> {
        if self.sealed {
            return Ok(Step::Sealed);
        }
        let failed = DiskError::of(Operation::Read, self.path);
        let bytes = match self.window.at(self.file, self.at, RECORD_BYTES_MAX, self.data_end) {
            Ok(bytes) => bytes,
            Err(error) => return Err(failed(error)),
        };
        match record::parse(bytes, &self.chain) {
            Ok(parsed) if parsed.record.kind == kind::UPGRADE && self.at != PAGE_BYTES => {
                Ok(Step::Invalid(Fault::Kind { found: kind::UPGRADE }))
            }
            Ok(parsed) => {
                self.at += parsed.len_bytes;
                self.chain.crc = parsed.crc;
                self.chain.last_seq = parsed.record.seq;
                self.sealed = parsed.record.kind == kind::SEAL;
                Ok(Step::Record(parsed.record))
            }
            Err(fault) => Ok(Step::Invalid(fault)),
        }
    }

    /// Stands at `at`, where `chain` is known to hold.
    pub(crate) fn jump(&mut self, at: u64, chain: Chain) {
        (self.at, self.chain) = (at, chain);
        self.window.clear();
    }

    /// Forgets what was read ahead, so that an invalid place is judged by what is there now.
    pub(crate) fn refresh(&mut self) {
        self.window.clear();
    }

    /// End of the last valid record.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// What the next record is checked against.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }
}

/// The end of the last byte that is not zero in `start..end` of `file`; `None` when all are.
pub(crate) fn last_written(
    file: &Handle,
    path: &Path,
    start: u64,
    end: u64,
) -> Result<Option<u64>, DiskError> {
    let mut zeros = Zeros::behind(file, path, start..end);
    loop {
        if let Some(from) = zeros.step()? {
            return Ok(Some(from).filter(|from| start < *from));
        }
    }
}

/// A look for where the zeros at the end of a file begin, from the back, where that is found
/// soonest.
#[derive(Debug)]
pub(crate) struct Zeros<'s> {
    file: &'s Handle,
    path: &'s Path,
    start: u64,
    /// From here on all is zero.
    upto: u64,
    buffer: Vec<u8>,
}

impl<'s> Zeros<'s> {
    /// Those in `range`.
    pub(crate) fn behind(file: &'s Handle, path: &'s Path, range: Range<u64>) -> Self {
        Self { file, path, start: range.start, upto: range.end, buffer: Vec::new() }
    }

    /// Does not look before `start`.
    pub(crate) fn raise(&mut self, start: u64) {
        self.start = self.start.max(start);
    }

    /// Looks at one more window: from where on all is zero, once that is known.
    pub(crate) fn step(&mut self) -> Result<Option<u64>, DiskError> {
        if self.upto <= self.start {
            return Ok(Some(self.upto));
        }
        let from = self.start.max(self.upto.saturating_sub(TAIL_WINDOW_BYTES as u64));
        self.buffer.resize(index(self.upto - from), 0);
        let read = self.file.read_exact_at(&mut self.buffer, from);
        read.map_err(DiskError::of(Operation::Read, self.path))?;
        if let Some(position) = last_not_zero(&self.buffer) {
            return Ok(Some(from + position as u64 + 1));
        }
        self.upto = from;
        Ok((from <= self.start).then_some(from))
    }
}

/// The position of the last byte that is not zero. Most of a tail is zeros: whole lines first.
fn last_not_zero(bytes: &[u8]) -> Option<usize> {
    let (lines, rest) = bytes.as_chunks::<64>();
    let within = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0);
    if let Some(position) = within(rest) {
        return Some(lines.len() * 64 + position);
    }
    let line = lines.iter().rposition(|line| line.iter().fold(0, |all, byte| all | byte) != 0)?;
    Some(line * 64 + within(&lines[line])?)
}

/// Looks for valid records behind an invalid one at the start of `tail`: such a record is chained
/// to the checksum stored in, or computed over, a record before it. Returns its offset in `tail`.
///
/// A write cut short leaves nothing valid behind it, so a find means that the invalid record was
/// damaged later.
pub(crate) fn valid_follower(tail: &[u8], chain: &Chain) -> Option<u64> {
    for at in (0..tail.len() as u64).step_by(index(SLOT_BYTES)) {
        let claimed = &tail[index(at)..];
        let Some((stored, len)) = record::claimed(claimed) else { continue };
        let next = at + len;
        if chained_behind(tail, next, stored, chain.salt) {
            return Some(next);
        }
        // Perhaps only the stored checksum was hit: then what is there still sums up to the right
        // one, but only the first record's predecessor is known.
        let computed = record::checksummed(claimed, chain.crc, chain.salt);
        if at == 0
            && let Err(Fault::Checksum { expected, .. }) = computed
            && chained_behind(tail, next, expected, chain.salt)
        {
            return Some(next);
        }
    }
    None
}

/// Whether a valid record starts at `at` behind a record with checksum `crc`.
fn chained_behind(tail: &[u8], at: u64, crc: u32, salt: u64) -> bool {
    tail.get(index(at)..).is_some_and(|bytes| record::checksummed(bytes, crc, salt).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Buffer;

    const SALT: u64 = 0xFEED_FACE_CAFE_BEEF;

    /// 64 KiB of records of one to three slots, with the chain in front of each.
    fn tail() -> (Vec<u8>, Vec<(u64, Chain)>) {
        let mut buffer = Buffer::new();
        let mut chain = Chain { crc: 77, salt: SALT, last_seq: 0 };
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        while bytes.len() < 64 << 10 {
            let seq = chain.last_seq + 1;
            let body = vec![seq.to_le_bytes()[0] | 1; index(seq % 3 * 60 + 20)];
            let record = Record { seq, time_ns: seq, kind: kind::ENTER, flags: 0, body: &body };
            let len = u16::try_from(body.len()).unwrap();
            starts.push((bytes.len() as u64, chain));
            let (built, crc) = buffer.build(&record, len, &chain);
            bytes.extend_from_slice(built);
            chain = Chain { crc, last_seq: seq, ..chain };
        }
        (bytes, starts)
    }

    #[test]
    fn the_last_byte_that_is_not_zero_is_found_wherever_it_is() {
        let mut bytes = vec![0; 200];
        assert_eq!(last_not_zero(&bytes), None);
        for position in 0..bytes.len() {
            bytes[position] = 1;
            assert_eq!(last_not_zero(&bytes), Some(position));
            assert_eq!(last_not_zero(&bytes[..position]), position.checked_sub(1));
        }
    }

    #[test]
    fn every_bit_flip_of_64_kib_stops_the_walk_at_its_record() {
        let (mut bytes, starts) = tail();
        let mut flips = 0_u64;
        for (position, (start, chain)) in starts.iter().enumerate() {
            let end = starts.get(position + 1).map_or(bytes.len() as u64, |next| next.0);
            for byte in index(*start)..index(end) {
                for bit in 0..8 {
                    bytes[byte] ^= 1 << bit;
                    let parsed = record::parse(&bytes[index(*start)..], chain);
                    assert!(parsed.is_err(), "bit {bit} of byte {byte}");
                    bytes[byte] ^= 1 << bit;
                    flips += 1;
                }
            }
            assert!(record::parse(&bytes[index(*start)..], chain).is_ok());
        }
        assert!(8 * (64 << 10) <= flips);
    }

    #[test]
    fn every_byte_cut_of_64_kib_stops_the_walk_at_its_record() {
        let (bytes, starts) = tail();
        for (start, chain) in &starts {
            let whole = record::parse(&bytes[index(*start)..], chain).unwrap().len_bytes;
            let mut cut = bytes[index(*start)..index(start + whole)].to_vec();
            // Bodies end with a byte that is not zero; what follows it is padding.
            let written = cut.iter().rposition(|byte| *byte != 0).unwrap_or_default();
            for at in (0..=written).rev() {
                cut[at] = 0;
                assert!(record::parse(&cut, chain).is_err(), "record at {start}, cut at {at}");
            }
        }
    }

    #[test]
    fn a_follower_is_found_behind_any_single_damage_and_none_behind_a_torn_record() {
        let (bytes, starts) = tail();
        let (start, chain) = starts[3];
        let whole = record::parse(&bytes[index(start)..], &chain).unwrap().len_bytes;
        for bit in 0..8 * whole {
            let mut tail = bytes[index(start)..index(start) + 4096].to_vec();
            tail[index(bit / 8)] ^= 1 << (bit % 8);
            assert!(valid_follower(&tail, &chain).is_some(), "bit {bit}");
        }
        for cut in 0..whole {
            let mut tail = vec![0; 4096];
            let kept = index(start)..index(start + cut);
            tail[..kept.len()].copy_from_slice(&bytes[kept]);
            assert_eq!(valid_follower(&tail, &chain), None, "cut at {cut}");
        }
    }

    #[test]
    fn an_earlier_life_or_another_order_never_validates() {
        let (bytes, starts) = tail();
        for (start, chain) in &starts {
            let other = Chain { salt: SALT + 1, ..*chain };
            assert!(record::parse(&bytes[index(*start)..], &other).is_err());
        }
        for (start, _) in &starts[..64] {
            for (here, chain) in &starts[..64] {
                let parsed = record::parse(&bytes[index(*start)..], chain);
                assert_eq!(parsed.is_ok(), start == here, "{start} in the place of {here}");
            }
        }
    }
}
