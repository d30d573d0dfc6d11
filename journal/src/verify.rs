//! Verifying a journal whole: every record, footer, index entry, link and hash.

use std::convert::Infallible;

use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::error::{Damage, DiskError, Fault, Field, Hash, Operation, ReadError, ReplayError};
use crate::folder::{Folder, Form};
use crate::format::{FOOTER_MAGIC, FORMAT_VERSION, Footer, HASH_BYTES, IndexEntry, kind};
use crate::reader::{Reader, Visitor, read_error};
use crate::record::Record;
use crate::recover::TornTail;
use crate::seal::{self, Summary, Summing};
use crate::segment::{Segment, Tip, content_hash, field};
use crate::settings::Identity;

/// What a verified journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Segments, the open one included.
    pub segments: u64,
    /// Segments that are sealed; their BLAKE3 was recomputed.
    pub sealed_segments: u64,
    /// Records of the caller.
    pub records: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// First sequence number; `last_seq + 1` when there is no record.
    pub first_seq: u64,
    /// Last sequence number.
    pub last_seq: u64,
    /// Time stamp of the last record in nanoseconds.
    pub last_time_ns: u64,
    /// Bytes of all records, headers and padding included.
    pub bytes: u64,
    /// The watermark when the verification began.
    pub durable_seq: u64,
    /// What lies behind the last valid record: a torn tail, or what a running writer is writing.
    pub torn: Option<TornTail>,
    /// The last rolling output hash recorded, with the sequence number it covers.
    pub output_hash: Option<(u64, u64)>,
    /// Who wrote the last segment.
    pub identity: Option<Identity>,
    /// Number and BLAKE3 of the last sealed segment: through its links it stands for all before it.
    pub chain_head: Option<(u64, Hash)>,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of the segment that was entered.
    pub segment_number: u64,
    /// Its first sequence number.
    pub first_seq: u64,
    /// Bytes of records verified so far.
    pub bytes: u64,
    /// Bytes of the segments' files that lie behind.
    pub file_bytes: u64,
    /// Bytes of all segments' files when the verification began.
    pub file_bytes_total: u64,
}

/// Bytes of a segment between two calls of the progress function.
const PROGRESS_BYTES: u64 = 4 << 20;

impl Reader {
    /// Verifies the journal in `folder`; `progress` is called as each segment is entered,
    /// and every few MiB within it.
    ///
    /// # Errors
    ///
    /// The first damage, with file, offset, expectation and finding.
    pub fn verify(
        folder: impl Into<Folder>,
        progress: impl FnMut(Progress),
    ) -> Result<Report, ReadError> {
        let reader = Self::open_whole(folder)?;
        let mut verifier = Verifier {
            report: Report {
                segments: 0,
                sealed_segments: 0,
                records: 0,
                checkpoints: 0,
                first_seq: reader.first_seq(),
                last_seq: 0,
                last_time_ns: 0,
                bytes: 0,
                durable_seq: reader.durable_seq(),
                torn: None,
                output_hash: None,
                identity: None,
                chain_head: None,
            },
            summing: None,
            progress,
            at: Progress {
                segment_number: 0,
                first_seq: 0,
                bytes: 0,
                file_bytes: 0,
                file_bytes_total: reader.file_bytes()?,
            },
            segment_start: 0,
            segment_len: 0,
        };
        let end = reader.walk(&mut verifier).map_err(read_error)?;
        let mut report = verifier.report;
        report.segments = end.segments;
        report.last_seq = end.last_seq;
        report.torn = end.torn;
        Ok(report)
    }
}

/// Collects a [`Report`] and checks each sealed segment against its footer.
struct Verifier<P> {
    report: Report,
    summing: Option<Summing>,
    progress: P,
    at: Progress,
    /// Bytes of the files before the segment being walked, and its own.
    segment_start: u64,
    segment_len: u64,
}

impl<P: FnMut(Progress)> Visitor for Verifier<P> {
    type Error = Infallible;

    fn segment(&mut self, segment: &Segment) -> Result<(), ReplayError<Infallible>> {
        self.segment_start += self.segment_len;
        self.segment_len = segment.len_bytes();
        self.at = Progress {
            segment_number: segment.number(),
            first_seq: segment.header.first_seq.get(),
            bytes: self.report.bytes,
            file_bytes: self.segment_start,
            ..self.at
        };
        (self.progress)(self.at);
        self.report.identity = Some(Identity::of(&segment.header));
        self.summing = Some(Summing::new(segment));
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, offset: u64) -> Result<(), ReplayError<Infallible>> {
        let report = &mut self.report;
        report.bytes += crate::format::record_len_bytes(record.body.len() as u64);
        report.last_time_ns = record.time_ns;
        if kind::is_callers(record.kind) {
            report.records += 1;
        } else if record.kind == kind::CHECKPOINT {
            report.checkpoints += 1;
        }
        if let Some(output_hash) = record.output_hash() {
            report.output_hash = Some((record.seq, output_hash));
        }
        if let Some(summing) = &mut self.summing {
            summing.add(record, offset);
        }
        let file_bytes = self.segment_start + offset;
        if self.at.file_bytes + PROGRESS_BYTES <= file_bytes {
            (self.at.file_bytes, self.at.bytes) = (file_bytes, self.report.bytes);
            (self.progress)(self.at);
        }
        Ok(())
    }

    fn complete(
        &mut self,
        segment: &Segment,
        seal_crc: u32,
    ) -> Result<Option<[u8; 32]>, ReplayError<Infallible>> {
        let Some(summing) = self.summing.take() else { return Ok(None) };
        match segment.form {
            Form::Sealed => {
                let hash = check_sealed(segment, &summing.finish(seal_crc))?;
                self.report.sealed_segments += 1;
                self.report.chain_head = Some((segment.number(), Hash(hash)));
                Ok(Some(hash))
            }
            Form::Open | Form::Spare => Ok(None),
        }
    }
}

/// Checks footer, index and hash of a sealed segment against what its records sum up to.
fn check_sealed(segment: &Segment, summary: &Summary) -> Result<[u8; 32], ReadError> {
    let read = |bytes: &mut [u8], offset| {
        segment
            .file
            .read_exact_at(bytes, offset)
            .map_err(DiskError::of(Operation::Read, &segment.path))
    };
    let last_seq = summary.footer.last_seq.get();
    let damage = |offset, fault| -> Damage {
        Tip { last_seq, ..Tip::START }.damage(segment.path.clone(), offset, fault)
    };
    let footer_at = segment.data_end();
    let mut footer = Footer::new_zeroed();
    read(footer.as_mut_bytes(), footer_at)?;
    check_footer_alone(&footer).map_err(|fault| damage(footer_at, fault))?;
    check_footer_version(segment, &footer)?;
    check_footer(&footer, &summary.footer).map_err(|fault| damage(footer_at, fault))?;
    let entries_at = seal::entries_offset(segment);
    let mut entries = vec![0; summary.entries.as_bytes().len()];
    read(&mut entries, entries_at)?;
    let stored = entries.as_chunks::<{ size_of::<IndexEntry>() }>().0;
    for ((due, stored), position) in summary.entries.iter().zip(stored).zip(0_u64..) {
        if due.as_bytes() != stored {
            let offset = entries_at + position * size_of::<IndexEntry>() as u64;
            let (found, _) = u64::read_from_prefix(&stored[16..]).unwrap_or_default();
            let fault = field(Field::IndexEntry, due.offset.get(), u64::from_le(found));
            return Err(damage(offset, fault).into());
        }
    }
    let found = seal::content_hash(segment)?;
    let expected = segment.recorded_hash()?;
    if expected != found {
        let hash_at = segment.len_bytes() - HASH_BYTES;
        return Err(damage(hash_at, content_hash(expected, found)).into());
    }
    Ok(found)
}

/// Checks what a footer says of itself.
pub(crate) fn check_footer_alone(footer: &Footer) -> Result<(), Fault> {
    if footer.magic != FOOTER_MAGIC {
        return Err(Fault::Magic { expected: FOOTER_MAGIC, found: footer.magic });
    }
    let (expected, found) = (footer.checksum(), footer.crc.get());
    if expected != found {
        return Err(Fault::Checksum { expected, found });
    }
    Ok(())
}

/// Whoever goes on with a journal seals the last segment before it, perhaps in a newer version.
pub(crate) fn check_footer_version(segment: &Segment, footer: &Footer) -> Result<(), ReadError> {
    match footer.format_version.get() {
        found if FORMAT_VERSION < found => Err(ReadError::version(segment.path.clone(), found)),
        _ => Ok(()),
    }
}

fn check_footer(footer: &Footer, due: &Footer) -> Result<(), Fault> {
    let wide = [
        (Field::SegmentNumber, due.segment_number, footer.segment_number),
        (Field::FirstSeq, due.first_seq, footer.first_seq),
        (Field::LastSeq, due.last_seq, footer.last_seq),
        (Field::Time, due.first_time_ns, footer.first_time_ns),
        (Field::Time, due.last_time_ns, footer.last_time_ns),
        (Field::RecordCount, due.record_count, footer.record_count),
        (Field::SealOffset, due.seal_offset, footer.seal_offset),
        (Field::OutputHash, due.output_hash, footer.output_hash),
    ]
    .map(|(name, due, found)| (name, due.get(), found.get()));
    let narrow = [
        (Field::EntryCount, due.entry_count, footer.entry_count),
        (Field::SealCrc, due.seal_crc, footer.seal_crc),
        (Field::EntriesCrc, due.entries_crc, footer.entries_crc),
    ]
    .map(|(name, due, found)| (name, u64::from(due.get()), u64::from(found.get())));
    for (name, expected, found) in wide.into_iter().chain(narrow) {
        if expected != found {
            return Err(field(name, expected, found));
        }
    }
    Ok(())
}
