//! One record: built in a buffer before it is copied into the mapping, checked when read back.
//!
//! Both directions go through [`crc::chained`], so a record validates only behind the record it
//! was written behind.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

use crate::crc;
use crate::error::Fault;
use crate::format::{CheckpointBody, RecordHeader, UpgradeBody, kind, record_len_bytes};
use crate::limits::{BODY_BYTES_MAX, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, SLOT_BYTES, index};

/// A record of the journal, borrowed from the reader's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Sequence number; a checkpoint repeats the one before it.
    pub seq: u64,
    /// Time stamp of the caller's clock in nanoseconds.
    pub time_ns: u64,
    /// One of [`kind`](crate::kind).
    pub kind: u8,
    /// The caller's flags.
    pub flags: u8,
    /// The bytes of the body in use.
    pub body: &'a [u8],
}

impl Record<'_> {
    /// The rolling output hash of a checkpoint; `None` for any other record.
    #[must_use]
    pub fn output_hash(&self) -> Option<u64> {
        match self.kind {
            kind::CHECKPOINT | kind::SEAL => {
                let (body, _) = CheckpointBody::read_from_prefix(self.body).ok()?;
                Some(body.output_hash.get())
            }
            _ => None,
        }
    }
}

/// Longest body that shares the slot of its header.
pub(crate) const SLOT_BODY_BYTES: u16 = 40;
const _: () = assert!(SLOT_BODY_BYTES as u64 + RECORD_HEADER_BYTES == SLOT_BYTES);
/// Bytes of a slot, as the length of an array.
pub(crate) const SLOT_LEN: usize = 64;
const _: () = assert!(SLOT_LEN as u64 == SLOT_BYTES);
/// Length of the bodies that the journal itself writes.
pub(crate) const OWN_BODY_LEN: u16 = 16;
const _: () = assert!(size_of::<CheckpointBody>() == OWN_BODY_LEN as usize);
const _: () = assert!(size_of::<UpgradeBody>() == OWN_BODY_LEN as usize);

/// What the next record is checked against, and what it is written behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Checksum of the record before.
    pub(crate) crc: u32,
    /// The segment's salt.
    pub(crate) salt: u64,
    /// Sequence number of the record before.
    pub(crate) last_seq: u64,
}

/// A record that passed every check, with what it costs and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    pub(crate) record: Record<'a>,
    /// Bytes it takes, padding included.
    pub(crate) len_bytes: u64,
    /// Its checksum: the next one is checked against it.
    pub(crate) crc: u32,
}

/// Builds `record`, whose body of `body_len` bytes fits into one slot, behind `chain`; returns its
/// words and its checksum.
///
/// The common case on the core: everything stays in registers, so that no load waits for the
/// narrower stores before it. Gives the same bytes as [`Buffer::build`], which a test checks.
#[inline]
pub(crate) fn build_slot(record: &Record<'_>, body_len: u16, chain: &Chain) -> ([u64; 8], u32) {
    debug_assert!(body_len <= SLOT_BODY_BYTES, "longer than a slot");
    let mut body = [0_u8; SLOT_BODY_BYTES as usize];
    body[..record.body.len()].copy_from_slice(record.body);
    let mut words = [record.seq, record.time_ns, 0, 0, 0, 0, 0];
    for (word, bytes) in words[2..].iter_mut().zip(body.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let head = u32::from(body_len) | u32::from(record.kind) << 16 | u32::from(record.flags) << 24;
    let crc = crc::chained_slot(chain.crc, chain.salt, head, &words);
    let mut slot = [u64::from(crc) | u64::from(head) << 32; 8];
    slot[1..].copy_from_slice(&words);
    (slot, crc)
}

/// The longest record, aligned as in the mapping.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Buffer([u8; index(RECORD_BYTES_MAX)]);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self([0; index(RECORD_BYTES_MAX)])
    }

    /// Builds `record` behind `chain`; returns its bytes, padding included, and its checksum.
    ///
    /// `body_len` is the length of the body, already checked against [`BODY_BYTES_MAX`].
    pub(crate) fn build(
        &mut self,
        record: &Record<'_>,
        body_len: u16,
        chain: &Chain,
    ) -> (&[u8], u32) {
        debug_assert!(body_len <= BODY_BYTES_MAX, "longer than any record");
        debug_assert!(usize::from(body_len) == record.body.len(), "length of another body");
        let len = index(record_len_bytes(u64::from(body_len)));
        let body_start = index(RECORD_HEADER_BYTES);
        let body_end = body_start + record.body.len();
        let mut header = RecordHeader {
            crc: U32::ZERO,
            body_len: U16::new(body_len),
            kind: record.kind,
            flags: record.flags,
            seq: U64::new(record.seq),
            time_ns: U64::new(record.time_ns),
        };
        let bytes = &mut self.0[..len];
        bytes[..body_start].copy_from_slice(header.as_bytes());
        bytes[body_start..body_end].copy_from_slice(record.body);
        bytes[body_end..].fill(0);
        let crc = crc::chained(chain.crc, chain.salt, &bytes[size_of::<U32>()..]);
        header.crc = U32::new(crc);
        bytes[..size_of::<U32>()].copy_from_slice(header.crc.as_bytes());
        (bytes, crc)
    }
}

/// Reads the record at the start of `bytes`, which end where the segment's records must end or
/// hold at least [`RECORD_BYTES_MAX`] bytes.
///
/// # Errors
///
/// The first check that fails: length, checksum, kind, sequence number, own body.
pub(crate) fn parse<'a>(bytes: &'a [u8], chain: &Chain) -> Result<Parsed<'a>, Fault> {
    let (header, len_bytes) = checksummed(bytes, chain.crc, chain.salt)?;
    let body_start = index(RECORD_HEADER_BYTES);
    let body = &bytes[body_start..body_start + usize::from(header.body_len.get())];
    let seq = header.seq.get();
    let expected_seq = if kind::is_callers(header.kind) {
        chain.last_seq.wrapping_add(1)
    } else if kind::is_own(header.kind) {
        chain.last_seq
    } else {
        return Err(Fault::Kind { found: header.kind });
    };
    if seq != expected_seq {
        return Err(Fault::Seq { expected: expected_seq, found: seq });
    }
    let body_len = header.body_len.get();
    match header.kind {
        kind::CHECKPOINT | kind::SEAL => own_body(body, body_len, seq)?,
        kind::UPGRADE if body_len != OWN_BODY_LEN => {
            return Err(Fault::OwnBody { expected: OWN_BODY_LEN, found: body_len });
        }
        _ => {}
    }
    let time_ns = header.time_ns.get();
    let record = Record { seq, time_ns, kind: header.kind, flags: header.flags, body };
    Ok(Parsed { record, len_bytes, crc: header.crc.get() })
}

/// The record in a slot, and its checksum, if it is the caller's next one; anything else is for
/// [`parse`] to judge. Nearly every record is one.
#[inline]
pub(crate) fn parse_slot<'a>(slot: &'a [u8; SLOT_LEN], chain: &Chain) -> Option<(Record<'a>, u32)> {
    let (header, body) = RecordHeader::ref_from_prefix(slot).ok()?;
    let (kind, seq) = (header.kind, header.seq.get());
    let body = body.get(..usize::from(header.body_len.get()))?;
    if !kind::is_callers(kind) || seq != chain.last_seq.wrapping_add(1) {
        return None;
    }
    let ([_, head], _) = slot.as_chunks::<4>().0.split_first_chunk()?;
    let words = slot[size_of::<u64>()..].as_chunks::<8>().0.first_chunk()?;
    let words = words.map(u64::from_le_bytes);
    let crc = crc::chained_slot(chain.crc, chain.salt, u32::from_le_bytes(*head), &words);
    let record = Record { seq, time_ns: header.time_ns.get(), kind, flags: header.flags, body };
    (crc == header.crc.get()).then_some((record, crc))
}

/// The record at the start of `bytes`, which were checked before, and its length; `None` at their
/// end.
#[inline]
pub(crate) fn checked(bytes: &[u8]) -> Option<(Record<'_>, u64)> {
    let (header, rest) = RecordHeader::ref_from_prefix(bytes).ok()?;
    let body_len = header.body_len.get();
    let record = Record {
        seq: header.seq.get(),
        time_ns: header.time_ns.get(),
        kind: header.kind,
        flags: header.flags,
        body: rest.get(..usize::from(body_len))?,
    };
    Some((record, record_len_bytes(body_len.into())))
}

/// Checks length and checksum of the record at the start of `bytes`; returns its header and length.
///
/// # Errors
///
/// Only faults that a write cut short can cause.
pub(crate) fn checksummed(
    bytes: &[u8],
    prev_crc: u32,
    salt: u64,
) -> Result<(&RecordHeader, u64), Fault> {
    let Ok((header, _)) = RecordHeader::ref_from_prefix(bytes) else {
        return Err(overrun(bytes, SLOT_BYTES));
    };
    let body_len = header.body_len.get();
    if BODY_BYTES_MAX < body_len {
        return Err(Fault::BodyLen { max: BODY_BYTES_MAX, found: body_len });
    }
    let len = record_len_bytes(u64::from(body_len));
    let Some(covered) = bytes.get(size_of::<U32>()..index(len)) else {
        return Err(overrun(bytes, len));
    };
    if header.kind == 0 && covered[..index(SLOT_BYTES) - 4].iter().all(|byte| *byte == 0) {
        return Err(Fault::Unwritten);
    }
    let expected = crc::chained(prev_crc, salt, covered);
    let found = header.crc.get();
    if expected == found { Ok((header, len)) } else { Err(Fault::Checksum { expected, found }) }
}

/// Stored checksum and length of what claims to be a record; `None` when no record begins so.
pub(crate) fn claimed(bytes: &[u8]) -> Option<(u32, u64)> {
    let (header, _) = RecordHeader::ref_from_prefix(bytes).ok()?;
    let body_len = header.body_len.get();
    let known = kind::is_callers(header.kind) || kind::is_own(header.kind);
    let fits = body_len <= BODY_BYTES_MAX;
    (known && fits).then(|| (header.crc.get(), record_len_bytes(u64::from(body_len))))
}

fn overrun(bytes: &[u8], found: u64) -> Fault {
    Fault::Overrun { max: bytes.len() as u64, found }
}

/// A checkpoint's or seal's body has its length and repeats the sequence number.
fn own_body(body: &[u8], body_len: u16, seq: u64) -> Result<(), Fault> {
    let Ok(body) = CheckpointBody::read_from_bytes(body) else {
        return Err(Fault::OwnBody { expected: OWN_BODY_LEN, found: body_len });
    };
    let found = body.last_seq.get();
    if found == seq { Ok(()) } else { Err(Fault::Seq { expected: seq, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: Chain = Chain { crc: 7, salt: 0x0123_4567_89AB_CDEF, last_seq: 41 };

    fn entry(body: &[u8]) -> Record<'_> {
        Record { seq: 42, time_ns: 9, kind: kind::ENTER, flags: 3, body }
    }

    fn built(body: &[u8]) -> (Vec<u8>, u32) {
        let mut buffer = Buffer::new();
        buffer.0.fill(0xAA);
        let len = u16::try_from(body.len()).unwrap();
        let (bytes, crc) = buffer.build(&entry(body), len, &CHAIN);
        (bytes.to_vec(), crc)
    }

    #[test]
    fn every_body_length_comes_back_as_written() {
        for len in [0, 1, 39, 40, 41, 104, 105, 1000, 3999, 4000] {
            let body: Vec<u8> = (0..len).map(|i: usize| i.to_le_bytes()[0]).collect();
            let (bytes, crc) = built(&body);
            let parsed = parse(&bytes, &CHAIN).unwrap();
            assert_eq!(parsed.record, entry(&body), "len {len}");
            assert_eq!((parsed.crc, parsed.len_bytes), (crc, bytes.len() as u64), "len {len}");
        }
    }

    #[test]
    fn a_slot_built_in_registers_is_the_slot_built_in_memory() {
        for len in 0..=40 {
            let body: Vec<u8> = (1..=len).map(|i: usize| i.to_le_bytes()[0] | 0x80).collect();
            let (bytes, crc) = built(&body);
            let len = u16::try_from(len).unwrap();
            let (words, slot_crc) = build_slot(&entry(&body), len, &CHAIN);
            let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!((words, slot_crc), (bytes, crc), "len {len}");
        }
    }

    #[test]
    fn a_record_validates_behind_its_predecessor_only() {
        let (bytes, _) = built(b"body");
        let faults = [Chain { crc: 8, ..CHAIN }, Chain { salt: 1, ..CHAIN }]
            .map(|chain| parse(&bytes, &chain).unwrap_err());
        assert!(faults.iter().all(|fault| matches!(fault, Fault::Checksum { .. })), "{faults:?}");
        let gap = parse(&bytes, &Chain { last_seq: 40, ..CHAIN }).unwrap_err();
        assert_eq!(gap, Fault::Seq { expected: 41, found: 42 });
    }

    #[test]
    fn every_single_bit_flip_is_found() {
        for body in [&b"forty bytes are what fits into one slot."[..], &[5; 300]] {
            let (bytes, _) = built(body);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped.resize(8192, 0);
                let fault = parse(&flipped, &CHAIN).unwrap_err();
                assert!(fault.may_be_torn(), "bit {bit}: {fault:?}");
            }
        }
    }

    #[test]
    fn zeros_are_unwritten_whatever_the_chain() {
        let zeros = [0_u8; 64];
        for crc in [0, 1, u32::MAX] {
            let chain = Chain { crc, ..CHAIN };
            assert_eq!(parse(&zeros, &chain).unwrap_err(), Fault::Unwritten);
        }
        assert!(matches!(parse(&zeros[..63], &CHAIN).unwrap_err(), Fault::Overrun { .. }));
    }

    #[test]
    fn the_journals_own_bodies_are_checked() {
        let mut buffer = Buffer::new();
        let body = [0_u8; 16];
        let checkpoint =
            Record { seq: 41, time_ns: 9, kind: kind::CHECKPOINT, flags: 0, body: &body };
        let (bytes, _) = buffer.build(&checkpoint, 16, &CHAIN);
        assert_eq!(parse(bytes, &CHAIN).unwrap_err(), Fault::Seq { expected: 41, found: 0 });
        let short = Record { body: &body[..8], ..checkpoint };
        let (bytes, _) = buffer.build(&short, 8, &CHAIN);
        assert_eq!(parse(bytes, &CHAIN).unwrap_err(), Fault::OwnBody { expected: 16, found: 8 });
        let upgrade = Record { kind: kind::UPGRADE, ..short };
        let (bytes, _) = buffer.build(&upgrade, 8, &CHAIN);
        assert_eq!(parse(bytes, &CHAIN).unwrap_err(), Fault::OwnBody { expected: 16, found: 8 });
        let unknown = Record { kind: kind::SEAL + 1, ..checkpoint };
        let (bytes, _) = buffer.build(&unknown, 16, &CHAIN);
        assert_eq!(parse(bytes, &CHAIN).unwrap_err(), Fault::Kind { found: kind::SEAL + 1 });
    }
}
