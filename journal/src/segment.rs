//! A segment file opened for reading, its header page checked on its own and against the chain.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::disk::Disk;
use crate::error::{Damage, DiskError, Fault, Field, Operation, ReadError, Versions};
use crate::folder::{self, Form, Named};
use crate::format::{
    FORMAT_VERSION, FORMAT_VERSION_OLDEST, HASH_BYTES, LINK_OFFSET, SEGMENT_MAGIC, SegmentHeader,
    UPGRADES_SINCE, UpgradeBody, data_end, kind,
};
use crate::limits::{INDEX_STRIDE_BYTES, PAGE_BYTES, SEGMENT_LEN_MAX_BYTES, SEGMENT_LEN_MIN_BYTES};
use crate::record::{self, Chain, SLOT_LEN};
use crate::storage::Handle;

/// An open segment file with a valid header page.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
    pub(crate) file: Handle,
    pub(crate) header: Box<SegmentHeader>,
}

/// What a file's first page turned out to be.
pub(crate) enum Opened {
    Valid(Segment),
    /// Not a header page of this format; `fault` says why.
    Headless(Fault),
}

/// Where a walk over the chain of segments stands between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Number of the last segment; 0 before the first.
    pub(crate) number: u64,
    /// Last sequence number; 0 before the first.
    pub(crate) last_seq: u64,
    /// Checksum of the last seal; 0 before the first.
    pub(crate) seal_crc: u32,
    /// BLAKE3 of the last segment, where it is known: it was sealed.
    pub(crate) hash: Option<[u8; 32]>,
    /// Versions of the last segment, where they are known.
    pub(crate) versions: Option<Versions>,
}

impl Tip {
    /// Before the first segment of a journal.
    pub(crate) const START: Self =
        Self { number: 0, last_seq: 0, seal_crc: 0, hash: None, versions: None };
}

impl Versions {
    pub(crate) fn of(header: &SegmentHeader) -> Self {
        let (format, behaviour) = (header.format_version.get(), header.behaviour_version.get());
        Self { format, behaviour }
    }

    /// What the first record of a segment of these versions says behind one of versions `from`.
    pub(crate) fn upgrade(self, from: Self) -> UpgradeBody {
        UpgradeBody {
            from_format: U32::new(from.format),
            from_behaviour: U32::new(from.behaviour),
            to_format: U32::new(self.format),
            to_behaviour: U32::new(self.behaviour),
        }
    }
}

impl UpgradeBody {
    /// The versions before it.
    pub(crate) fn from(&self) -> Versions {
        Versions { format: self.from_format.get(), behaviour: self.from_behaviour.get() }
    }
}

impl Segment {
    /// Opens `path` and reads its first page; `Ok(None)` when there is no such file.
    pub(crate) fn open(
        disk: &Disk,
        path: PathBuf,
        form: Form,
    ) -> Result<Option<Opened>, ReadError> {
        let Some(file) = disk.open_to_read(&path)? else { return Ok(None) };
        let failed = |source| DiskError::new(Operation::Read, &path, source);
        let len = file.len_bytes().map_err(failed)?;
        if len < PAGE_BYTES {
            let fault = field(Field::SegmentLen, SEGMENT_LEN_MIN_BYTES, len);
            return Ok(Some(Opened::Headless(fault)));
        }
        let mut header = Box::new(SegmentHeader::new_zeroed());
        if let Err(error) = file.read_exact_at(header.as_mut_bytes(), 0) {
            return match (error.kind(), form) {
                // The system opens a folder as it opens a file, and does not read it.
                (ErrorKind::IsADirectory, Form::Open | Form::Sealed) => {
                    Err(ReadError::Stray { path })
                }
                _ => Err(failed(error).into()),
            };
        }
        if let Err(fault) = check_sum(&header) {
            return Ok(Some(Opened::Headless(fault)));
        }
        // Before the other fields: in another version they may be other ones.
        let asked = header.oldest_reader_version.get();
        let found = header.format_version.get();
        if FORMAT_VERSION < asked || found < FORMAT_VERSION_OLDEST {
            return Err(ReadError::version(path, asked.max(found)));
        }
        if let Err(fault) = check_page(&header, len) {
            return Ok(Some(Opened::Headless(fault)));
        }
        Ok(Some(Opened::Valid(Self { path, form, file, header })))
    }

    /// The segment that follows `tip` in `dir`, whatever its form; `None` when there is none.
    ///
    /// Beside a running writer a file may change its name between two looks, but only in the
    /// order spare, open, sealed: what is no spare any more is found under a later name.
    pub(crate) fn after(disk: &Disk, dir: &Path, tip: &Tip) -> Result<Option<Self>, ReadError> {
        if let Some(segment) = Self::named_after(disk, dir, tip)? {
            return Ok(Some(segment));
        }
        if let Some(segment) = Self::spare_after(disk, dir, tip)? {
            return Ok(Some(segment));
        }
        Self::named_after(disk, dir, tip)
    }

    fn named_after(disk: &Disk, dir: &Path, tip: &Tip) -> Result<Option<Self>, ReadError> {
        let first_seq = tip.last_seq + 1;
        let open = folder::open_path(dir, first_seq);
        let sealed = folder::sealed_path(dir, first_seq);
        // In this order: one that is sealed meanwhile has its new name and the old one no more.
        if disk.exists(&sealed)? && disk.exists(&open)? {
            return Err(ReadError::Stray { path: open });
        }
        for (path, form) in [(open, Form::Open), (sealed, Form::Sealed)] {
            match Self::open(disk, path.clone(), form)? {
                Some(Opened::Valid(segment)) => return Ok(Some(segment)),
                Some(Opened::Headless(fault)) => return Err(tip.damage(path, 0, fault).into()),
                None => {}
            }
        }
        Ok(None)
    }

    /// A spare that the writer has entered behind `tip` and whose new name is not there yet.
    pub(crate) fn spare_after(
        disk: &Disk,
        dir: &Path,
        tip: &Tip,
    ) -> Result<Option<Self>, ReadError> {
        for (_, path) in folder::list(disk, dir)?.spares {
            if let Some(Opened::Valid(segment)) = Self::open(disk, path, Form::Spare)?
                && segment.header.segment_number.get() == tip.number + 1
                && segment.header.prev_crc.get() == tip.seal_crc
            {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    /// Finds a file among those named behind a segment that is none of the journal, where none of
    /// them is: one whose name lies within the segment, which is number `number` and ends with
    /// `last_seq`, or whose first page is no segment's that begins as the name says.
    pub(crate) fn stray_behind<'n>(
        disk: &Disk,
        later: impl Iterator<Item = &'n Named>,
        (number, last_seq): (u64, u64),
    ) -> Result<Option<PathBuf>, ReadError> {
        let mut stray = None;
        for Named { first_seq, form, path } in later {
            if *first_seq <= last_seq {
                return Ok(Some(path.clone()));
            }
            let is_genuine = match Self::open(disk, path.clone(), *form) {
                Ok(Some(Opened::Valid(Self { header, .. }))) => {
                    header.first_seq.get() == *first_seq && number < header.segment_number.get()
                }
                Ok(Some(Opened::Headless(_))) | Err(ReadError::Stray { .. }) => false,
                // It has another name since, as a running writer gives it.
                Ok(None) => true,
                Err(error) => return Err(error),
            };
            if is_genuine {
                return Ok(None);
            }
            stray.get_or_insert_with(|| path.clone());
        }
        Ok(stray)
    }

    /// Checks that the segment continues the journal at `tip`.
    pub(crate) fn admit(&self, tip: &Tip) -> Result<(), ReadError> {
        let header = &self.header;
        let facts = [
            (Field::SegmentNumber, tip.number + 1, header.segment_number.get()),
            (Field::FirstSeq, tip.last_seq + 1, header.first_seq.get()),
            (Field::PrevCrc, u64::from(tip.seal_crc), u64::from(header.prev_crc.get())),
        ];
        for (name, expected, found) in facts {
            if expected != found {
                let fault = field(name, expected, found);
                return Err(tip.damage(self.path.clone(), 0, fault).into());
            }
        }
        self.check_link(tip).map_err(|fault| tip.damage(self.path.clone(), LINK_OFFSET, fault))?;
        self.check_upgrade(tip)
    }

    /// Other versions than before stand behind an upgrade record, and such a record is true.
    fn check_upgrade(&self, tip: &Tip) -> Result<(), ReadError> {
        let to = self.versions();
        let from = tip.versions.unwrap_or(to);
        let has_none = to.format < UPGRADES_SINCE;
        let is_right = match self.first_upgrade()? {
            // Of the segment before an archived part only the upgrade knows the versions.
            Some(found) => {
                let from = tip.versions.unwrap_or_else(|| found.from());
                !has_none && 1 < self.number() && found == to.upgrade(from)
            }
            None => from == to || has_none && from.format <= to.format,
        };
        if is_right {
            return Ok(());
        }
        let fault = Fault::NotUpgraded { from, to };
        Err(tip.damage(self.path.clone(), PAGE_BYTES, fault).into())
    }

    /// What the first record says, if it is a whole upgrade. What else is there, the walk judges.
    fn first_upgrade(&self) -> Result<Option<UpgradeBody>, DiskError> {
        let mut slot = [0; SLOT_LEN];
        self.file
            .read_exact_at(&mut slot, PAGE_BYTES)
            .map_err(DiskError::of(Operation::Read, &self.path))?;
        let parsed = record::parse(&slot, &self.chain()).ok();
        let upgrade = parsed.filter(|parsed| parsed.record.kind == kind::UPGRADE);
        Ok(upgrade.and_then(|parsed| UpgradeBody::read_from_bytes(parsed.record.body).ok()))
    }

    pub(crate) fn versions(&self) -> Versions {
        Versions::of(&self.header)
    }

    /// The link says nothing, or what the predecessor hashes to; in a sealed segment it must.
    fn check_link(&self, tip: &Tip) -> Result<(), Fault> {
        let link = &self.header.link;
        if link.is_open() {
            return match (self.form, tip.hash) {
                (Form::Sealed, Some(expected)) => Err(content_hash(expected, [0; 32])),
                (Form::Sealed | Form::Open | Form::Spare, _) => Ok(()),
            };
        }
        let (expected, found) = (link.checksum(), link.crc.get());
        if expected != found {
            return Err(Fault::Checksum { expected, found });
        }
        match tip.hash {
            Some(hash) if hash != link.prev_hash => Err(content_hash(hash, link.prev_hash)),
            Some(_) | None => Ok(()),
        }
    }

    /// The chain in front of the first record.
    pub(crate) fn chain(&self) -> Chain {
        Chain {
            crc: self.header.prev_crc.get(),
            salt: self.header.salt.get(),
            last_seq: self.header.first_seq.get().wrapping_sub(1),
        }
    }

    pub(crate) fn len_bytes(&self) -> u64 {
        self.header.segment_len_bytes.get()
    }

    /// Where records must end.
    pub(crate) fn data_end(&self) -> u64 {
        data_end(self.len_bytes())
    }

    pub(crate) fn number(&self) -> u64 {
        self.header.segment_number.get()
    }

    /// The BLAKE3 recorded in the last bytes of a sealed segment.
    pub(crate) fn recorded_hash(&self) -> Result<[u8; 32], DiskError> {
        let mut hash = [0; 32];
        self.file
            .read_exact_at(&mut hash, self.len_bytes() - HASH_BYTES)
            .map_err(DiskError::of(Operation::Read, &self.path))?;
        Ok(hash)
    }
}

impl Tip {
    /// Damage found at this point of the walk.
    pub(crate) fn damage(&self, path: PathBuf, offset: u64, fault: Fault) -> Damage {
        Damage { path, offset, fault, last_seq: self.last_seq, durable_seq: None }
    }
}

pub(crate) fn field(field: Field, expected: u64, found: u64) -> Fault {
    Fault::Field { field, expected, found }
}

pub(crate) fn content_hash(expected: [u8; 32], found: [u8; 32]) -> Fault {
    Fault::ContentHash { expected: crate::error::Hash(expected), found: crate::error::Hash(found) }
}

/// No journal gets so far; whatever is counted from a number up to this one fits 64 bits.
const NUMBER_MAX: u64 = u64::MAX / 2;

/// Checks that a header page is one, of whichever version.
fn check_sum(header: &SegmentHeader) -> Result<(), Fault> {
    if header.magic != SEGMENT_MAGIC {
        return Err(Fault::Magic { expected: SEGMENT_MAGIC, found: header.magic });
    }
    let (expected, found) = (header.checksum(), header.crc.get());
    if expected == found { Ok(()) } else { Err(Fault::Checksum { expected, found }) }
}

/// Checks what a header page says about itself and its file of `len` bytes.
fn check_page(header: &SegmentHeader, len: u64) -> Result<(), Fault> {
    let stated = header.segment_len_bytes.get();
    if stated != len {
        return Err(field(Field::SegmentLen, stated, len));
    }
    let whole = len / INDEX_STRIDE_BYTES * INDEX_STRIDE_BYTES;
    let possible = whole.clamp(SEGMENT_LEN_MIN_BYTES, SEGMENT_LEN_MAX_BYTES);
    if len != possible {
        return Err(field(Field::SegmentLen, possible, len));
    }
    let numbers = [
        (Field::SegmentNumber, header.segment_number.get()),
        (Field::FirstSeq, header.first_seq.get()),
    ];
    for (name, found) in numbers {
        if NUMBER_MAX < found {
            return Err(field(name, NUMBER_MAX, found));
        }
    }
    Ok(())
}
