//! Copying a prefix of a journal into a folder of its own, also beside a running writer.
//!
//! Sealed segments are copied as they are, the last one up to where the prefix ends. The mark of
//! the copy covers all of it and says that a loss cannot be ruled out: the journal that was copied
//! may have gone on, so whoever opens the copy for writing must open a new epoch.

use std::path::Path;

use crate::disk::{Disk, Prepared};
use crate::error::{DiskError, Operation, ReadError};
use crate::folder::{self, Folder, Form};
use crate::limits::{WINDOW_BYTES, index};
use crate::reader::Reader;
use crate::recover::Invalid;
use crate::scan::{Scan, Step, Window};
use crate::segment::{Segment, Tip};
use crate::sidecar::{Flags, Mark, Sidecar};
use crate::storage::Handle;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Last sequence number of the copy.
    pub last_seq: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes that were written, zeros behind the last record left out.
    pub bytes: u64,
}

/// Copies the records of the journal in `from` up to `upto`, by default all that was durable when
/// the copy began, into the empty folder `to`. Every record is checked on the way, and the copy is
/// on the device when this returns.
///
/// # Errors
///
/// The journal is damaged or not whole, or the copy cannot be written.
pub fn copy(
    from: impl Into<Folder>,
    to: impl Into<Folder>,
    upto: Option<u64>,
) -> Result<Copied, ReadError> {
    copy_folder(&from.into(), &to.into(), upto)
}

fn copy_folder(from: &Folder, to: &Folder, upto: Option<u64>) -> Result<Copied, ReadError> {
    let Folder { dir: to, disk } = to;
    let reader = Reader::open_whole(from)?;
    let upto = upto.unwrap_or(reader.durable_seq());
    let mut sidecar = Sidecar::create(disk, to)?;
    let mut window = Window::new();
    let mut tip = Tip::START;
    let mut copied = Copied::default();
    let mut mark = Mark::default();
    while tip.last_seq < upto
        && let Some(segment) = Segment::after(&from.disk, &from.dir, &tip)?
    {
        segment.admit(&tip)?;
        let part = measure(&segment, &mut window, upto, &reader.mark)?;
        if part.last_seq == tip.last_seq {
            break;
        }
        copied.bytes += part.write(disk, &segment, to)?;
        copied.segments += 1;
        copied.last_seq = part.last_seq;
        mark = Mark { seq: part.last_seq, segment_number: segment.number(), offset: part.end };
        let Some(seal_crc) = part.seal_crc else { break };
        tip = Tip {
            number: segment.number(),
            last_seq: part.last_seq,
            seal_crc,
            versions: Some(segment.versions()),
            ..Tip::START
        };
    }
    if copied.last_seq < upto.min(reader.mark.seq) {
        let (dir, number) = (from.dir.clone(), tip.number + 1);
        return Err(ReadError::SegmentMissing { dir, number, first_seq: tip.last_seq + 1 });
    }
    disk.sync_folder(to)?;
    sidecar.begin(disk, mark, ([0; 16], Flags::default().with_loss(true)))?;
    disk.sync_folder(to)?;
    Ok(copied)
}

/// How much of a segment belongs to the prefix.
struct Part {
    last_seq: u64,
    /// End of its last record.
    end: u64,
    /// Of a segment that belongs to it whole: the checksum of its seal.
    seal_crc: Option<u32>,
}

fn measure(
    segment: &Segment,
    window: &mut Window,
    upto: u64,
    mark: &Mark,
) -> Result<Part, ReadError> {
    let mut scan = Scan::new(segment, window);
    loop {
        let (end, chain) = (scan.offset(), scan.chain());
        let part = |seal_crc| Part { last_seq: chain.last_seq, end, seal_crc };
        match scan.step()? {
            Step::Record(record) if upto < record.seq => return Ok(part(None)),
            Step::Record(_) => {}
            Step::Sealed => return Ok(part(Some(chain.crc))),
            // What is sealed has no end before its seal.
            Step::Invalid(fault) if segment.form == Form::Sealed => {
                let tip = Tip { last_seq: chain.last_seq, ..Tip::START };
                return Err(tip.damage(segment.path.clone(), end, fault).into());
            }
            // Nor does what is durable end before the mark.
            Step::Invalid(fault) if chain.last_seq < upto.min(mark.seq) => {
                let invalid = Invalid { segment, offset: end, fault, chain };
                return Err(invalid.damage(fault, Some(mark.seq)));
            }
            Step::Invalid(_) => return Ok(part(None)),
        }
    }
}

impl Part {
    /// Writes it into `to` and returns how many bytes it has.
    fn write(&self, disk: &Disk, segment: &Segment, to: &Path) -> Result<u64, DiskError> {
        let first_seq = segment.header.first_seq.get();
        let is_sealed = segment.form == Form::Sealed && self.seal_crc.is_some();
        let (path, len) = if is_sealed {
            (folder::sealed_path(to, first_seq), segment.len_bytes())
        } else {
            (folder::open_path(to, first_seq), self.end)
        };
        let file = if is_sealed { disk.create(&path)? } else { prepare(disk, segment, &path)? };
        write_bytes(disk, &segment.file, &segment.path, (&file, &path), len)?;
        if is_sealed {
            disk.set_read_only(&file, &path)?;
        }
        disk.sync_file(&file, &path)?;
        Ok(len)
    }
}

/// A file of zeros that are on the device, as those of every segment that may be written: whoever
/// goes on in the copy must not find a full disk.
fn prepare(disk: &Disk, segment: &Segment, path: &Path) -> Result<Handle, DiskError> {
    match disk.prepare(path, segment.len_bytes(), || false)? {
        Prepared::Ready(file) => Ok(file),
        Prepared::Abandoned => {
            let interrupted = std::io::ErrorKind::Interrupted.into();
            Err(DiskError::new(Operation::WriteZeros, path, interrupted))
        }
    }
}

/// Copies the first `len_bytes` of a file.
fn write_bytes(
    disk: &Disk,
    from: &Handle,
    from_path: &Path,
    (to, path): (&Handle, &Path),
    len_bytes: u64,
) -> Result<(), DiskError> {
    let mut buffer = vec![0_u8; WINDOW_BYTES];
    let mut at = 0;
    while at < len_bytes {
        let piece = &mut buffer[..index((len_bytes - at).min(WINDOW_BYTES as u64))];
        from.read_exact_at(piece, at).map_err(DiskError::of(Operation::Read, from_path))?;
        disk.write_at(to, path, piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}
