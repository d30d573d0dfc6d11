//! Opening a journal: walk all of it, tell a torn tail from corruption, change nothing yet.
//!
//! The rule, in the order in which it is applied to the first invalid record, at offset `o` of
//! segment `n`: it is corruption when `n` is sealed by name, when its checksum matches and
//! something else is wrong, when the durable mark lies behind `(n, o)`, when a later segment has
//! its name, or when the machine has not been rebooted and a valid record or an entered segment
//! follows (a killed process leaves at most one torn record, and nothing behind it). Otherwise it
//! is a torn tail, which nobody was promised.

use std::iter;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::{DiskError, Fault, OpenError, Operation, ReadError, ReplayError, Versions};
use crate::folder::{self, Form, Listing, Named};
use crate::format::{SegmentHeader, kind};
use crate::limits::{
    INDEX_STRIDE_BYTES, SEAL_BYTES, SEGMENT_LEN_MAX_BYTES, SEGMENT_LEN_MIN_BYTES, WINDOW_BYTES,
    index,
};
use crate::lock::Lock;
use crate::record::{Chain, Record};
use crate::scan::{self, Scan, Step, Window};
use crate::seek;
use crate::segment::{Opened, Segment, Tip};
use crate::settings::{Identity, Settings};
use crate::sidecar::{self, Loaded, Mark, State};
use crate::tail::{Anchor, Found};

/// What a crash cut short. Nobody was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment it is in.
    pub segment: PathBuf,
    /// Where it starts: the end of the last valid record.
    pub offset: u64,
    /// Bytes up to the last one that is not zero.
    pub len_bytes: u64,
    /// Last sequence number before it.
    pub last_seq: u64,
    /// Where [`Recovery::into_writer`] puts a copy; `None` for a reader, which changes nothing.
    pub copy: Option<PathBuf>,
}

/// Whether something that was acted upon may be missing: at level `async` all that was appended, at
/// the others what was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing is: the last run held everything back until it was durable, or the journal is new,
    /// was closed, or the machine has not been rebooted since, so that the page cache still held
    /// all of it.
    Proven,
    /// The machine went down beneath a run at level `async`, or a sync failed there: what was not
    /// durable may be missing. Numbers given since must not be given again: open a new epoch.
    /// Until a record of kind [`kind::EPOCH`] is durable, every start says the same.
    Unproven,
}

/// One segment of the verified chain.
#[derive(Clone, Debug)]
pub(crate) struct Chained {
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    /// End of its last valid record.
    pub(crate) end: u64,
    /// What the next record would be checked against.
    pub(crate) chain: Chain,
    /// Whether its last record is a seal.
    pub(crate) complete: bool,
    /// Whether its link to the predecessor still waits to be filled in.
    pub(crate) link_open: bool,
    /// Its BLAKE3, when it is sealed.
    pub(crate) hash: Option<[u8; 32]>,
    pub(crate) versions: Versions,
    /// Which build wrote it.
    pub(crate) build_id: [u8; 32],
}

/// Everything a walk over a folder finds.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) chained: Vec<Chained>,
    /// Header of the last segment.
    pub(crate) header: Option<Box<SegmentHeader>>,
    /// Salt of the first segment.
    pub(crate) salt: Option<u64>,
    pub(crate) torn: Option<TornTail>,
    /// Segments that must be moved aside: entered behind a torn tail, or never begun.
    pub(crate) aside: Vec<PathBuf>,
    pub(crate) last_seq: u64,
    pub(crate) last_time_ns: u64,
    /// Whether the last record but pads is a checkpoint.
    pub(crate) checkpointed: bool,
    pub(crate) records: u64,
}

/// A journal that was verified and is locked; nothing in it was changed yet.
#[derive(Debug)]
pub struct Recovery {
    pub(crate) dir: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) boot_id: [u8; 16],
    /// `None`: the journal is new.
    pub(crate) state: Option<State>,
    pub(crate) survey: Survey,
    pub(crate) lock: Lock,
    completeness: Completeness,
}

/// Opens the journal in `dir`, creating the folder if there is none, and verifies all of it.
///
/// # Errors
///
/// [`OpenError::Locked`] when another process has it open; [`ReadError::Corrupt`] with file,
/// offset, expectation and finding when something durable is damaged; settings out of range.
pub fn open(dir: &Path, settings: &Settings, identity: &Identity) -> Result<Recovery, OpenError> {
    open_behind(dir, settings, identity, None)
}

/// As [`open`], for who has a snapshot at `anchor`: of the sealed segments before its own the
/// records are not read, only headers, footers and what links them. A replay from the beginning
/// still checks every record.
///
/// # Errors
///
/// As [`open`].
pub fn open_behind(
    dir: &Path,
    settings: &Settings,
    identity: &Identity,
    anchor: Option<&Anchor>,
) -> Result<Recovery, OpenError> {
    check(settings)?;
    let disk = settings.disk();
    disk.make_folder(dir)?;
    let lock = Lock::take(&disk, dir)?;
    let boot_id = settings.boot_id.unwrap_or_else(sidecar::boot_id);
    let first_walked = anchor.map_or(0, |anchor| anchor.segment_number);
    let (state, survey) = survey_from(&disk, dir, Some(boot_id), first_walked)?;
    if state.is_none() {
        // Also where a start before this one was cut short between making the folder and this.
        disk.sync_above(dir)?;
    }
    let judge = Judge::new(state.as_ref(), boot_id);
    let completeness = completeness(state.as_ref(), &survey, judge.same_boot);
    Ok(Recovery {
        dir: dir.to_owned(),
        settings: settings.clone(),
        identity: *identity,
        boot_id,
        state,
        survey,
        lock,
        completeness,
    })
}

/// Walks all of the journal in `dir`: what its sidecar says, `None` when it is new, and what there
/// is. Changes nothing. Whether the machine was rebooted since is judged by `boot_id`, by default
/// that of this boot.
pub(crate) fn survey(
    disk: &Disk,
    dir: &Path,
    boot_id: Option<[u8; 16]>,
) -> Result<(Option<State>, Survey), OpenError> {
    survey_from(disk, dir, boot_id, 0)
}

/// The same, where sealed segments before number `first_walked` are taken by their footers.
fn survey_from(
    disk: &Disk,
    dir: &Path,
    boot_id: Option<[u8; 16]>,
    first_walked: u64,
) -> Result<(Option<State>, Survey), OpenError> {
    let boot_id = boot_id.unwrap_or_else(sidecar::boot_id);
    let listing = folder::list(disk, dir)?;
    let state = match sidecar::load(disk, dir)? {
        Loaded::Valid(state) => Some(state),
        Loaded::Missing | Loaded::Damaged(_) if listing.named.is_empty() => None,
        Loaded::Missing => {
            let path = folder::sidecar_path(dir);
            return Err(ReadError::WatermarkMissing { path }.into());
        }
        Loaded::Damaged(fault) => {
            let path = folder::sidecar_path(dir);
            return Err(ReadError::WatermarkDamaged { path, offset: 0, fault }.into());
        }
    };
    let judge = Judge { first_walked, ..Judge::new(state.as_ref(), boot_id) };
    let survey = Survey::take(disk, dir, &listing, &judge)?;
    Ok((state, survey))
}

fn check(settings: &Settings) -> Result<(), OpenError> {
    let found = settings.segment_len_bytes;
    let (min, max) = (SEGMENT_LEN_MIN_BYTES, SEGMENT_LEN_MAX_BYTES);
    let multiple = INDEX_STRIDE_BYTES;
    if found < min || max < found || !found.is_multiple_of(multiple) {
        return Err(OpenError::SegmentLen { min, max, multiple, found });
    }
    if settings.flush_interval.is_zero() {
        return Err(OpenError::FlushIntervalZero);
    }
    Ok(())
}

fn completeness(state: Option<&State>, survey: &Survey, same_boot: bool) -> Completeness {
    let Some(state) = state else { return Completeness::Proven };
    let flags = state.flags;
    let at_mark = survey.chained.last().map_or((0, 0), |last| (last.number, last.end))
        == (state.mark.segment_number, state.mark.offset);
    let all_there = !flags.poisoned() && (same_boot || flags.closed() && at_mark);
    if !flags.unproven() && (flags.held() || all_there) {
        Completeness::Proven
    } else {
        Completeness::Unproven
    }
}

impl Recovery {
    /// Hands every record of the caller and every checkpoint to `each`, in order.
    ///
    /// # Errors
    ///
    /// The first error of `each`, or of reading; what was verified before may have changed since.
    pub fn replay<E>(
        &mut self,
        each: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), ReplayError<E>> {
        self.replay_behind(None, each)
    }

    /// The same from `anchor` on, of which [`Self::find`] said that it is a place of this journal.
    ///
    /// # Errors
    ///
    /// As [`Self::replay`].
    pub fn replay_behind<E>(
        &self,
        anchor: Option<&Anchor>,
        mut each: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), ReplayError<E>> {
        let (disk, mut window) = (self.settings.disk(), Window::new());
        let first = anchor.map_or(0, |anchor| anchor.segment_number);
        for chained in self.survey.chained.iter().filter(|chained| first <= chained.number) {
            let anchor = anchor.filter(|anchor| anchor.segment_number == chained.number);
            chained.replay(&disk, &mut window, anchor, &mut each)?;
        }
        Ok(())
    }

    /// Looks whether `anchor` is a place of this journal: that the journal goes so far and that
    /// its records up to there are those that were covered.
    ///
    /// # Errors
    ///
    /// The segment cannot be read.
    pub fn find(&self, anchor: &Anchor) -> Result<Found, ReadError> {
        if *anchor == Anchor::START {
            return Ok(Found::There);
        }
        let mut chained = self.survey.chained.iter();
        let Some(chained) = chained.find(|chained| chained.number == anchor.segment_number) else {
            return Ok(Found::Beyond);
        };
        if chained.end < anchor.offset || self.last_seq() < anchor.seq {
            return Ok(Found::Beyond);
        }
        let segment = chained.open(&self.settings.disk())?;
        let is_there = anchor.is_in(&segment)?;
        Ok(if is_there { Found::There } else { Found::Elsewhere })
    }

    /// The torn tail, if the last run was cut short within a record.
    #[must_use]
    pub fn torn(&self) -> Option<&TornTail> {
        self.survey.torn.as_ref()
    }

    /// The last sequence number; 0 in a new journal.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.survey.last_seq
    }

    /// Salt of the first segment, which no other journal but a copy of this one has; `None` in a
    /// journal without records, whose first segment is still to be made.
    #[must_use]
    pub fn salt(&self) -> Option<u64> {
        self.survey.salt.filter(|_| 0 < self.survey.last_seq)
    }

    /// Time stamp of the last record in nanoseconds; 0 in a new journal.
    #[must_use]
    pub fn last_time_ns(&self) -> u64 {
        self.survey.last_time_ns
    }

    /// Whether something appended may be missing.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        self.completeness
    }

    /// Who wrote the last segment; `None` in a new journal.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.survey.header.as_deref().map(Identity::of)
    }

    /// Epoch at the start of the last segment; an epoch record since then counts more.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.survey.header.as_ref().map_or(0, |header| header.epoch.get())
    }
}

impl Chained {
    fn open(&self, disk: &Disk) -> Result<Segment, ReadError> {
        let tip = Tip { last_seq: self.first_seq - 1, ..Tip::START };
        match Segment::open(disk, self.path.clone(), self.form)? {
            Some(Opened::Valid(segment)) => Ok(segment),
            Some(Opened::Headless(fault)) => Err(tip.damage(self.path.clone(), 0, fault).into()),
            None => Err(tip.damage(self.path.clone(), 0, Fault::Unwritten).into()),
        }
    }

    fn replay<E>(
        &self,
        disk: &Disk,
        window: &mut Window,
        anchor: Option<&Anchor>,
        each: &mut impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), ReplayError<E>> {
        let tip = Tip { last_seq: self.first_seq - 1, ..Tip::START };
        let segment = self.open(disk)?;
        let mut scan = match anchor {
            Some(anchor) => Scan::resume(&segment, window, anchor.offset, anchor.chain(&segment)),
            None => Scan::new(&segment, window),
        };
        while scan.offset() < self.end {
            let (offset, last_seq) = (scan.offset(), scan.chain().last_seq);
            match scan.step()? {
                Step::Record(record) => {
                    if kind::is_told(record.kind) {
                        each(record).map_err(ReplayError::Apply)?;
                    }
                }
                Step::Sealed => break,
                Step::Invalid(fault) => {
                    let tip = Tip { last_seq, ..tip };
                    return Err(tip.damage(self.path.clone(), offset, fault).into());
                }
            }
        }
        Ok(())
    }
}

/// What is known besides the records themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge {
    mark: Mark,
    same_boot: bool,
    /// Sealed segments before this number are not walked.
    first_walked: u64,
}

impl Judge {
    pub(crate) fn new(state: Option<&State>, boot_id: [u8; 16]) -> Self {
        let mark = state.map_or_else(Mark::default, |state| state.mark);
        let known = boot_id != [0; 16];
        let same_boot = state.is_none_or(|state| known && state.boot_id == boot_id);
        Self { mark, same_boot, first_walked: 0 }
    }
}

impl Survey {
    fn take(disk: &Disk, dir: &Path, listing: &Listing, judge: &Judge) -> Result<Self, ReadError> {
        let place = (disk, dir);
        let mut survey = Self::default();
        let mut window = Window::new();
        let mut tip = Tip::START;
        let mut rest = listing.named.iter();
        let mut open_end = false;
        while let Some(named) = rest.next() {
            let later = rest.as_slice();
            let Some(segment) = survey.admit((named, later), &tip, judge, place)? else {
                return Ok(survey);
            };
            open_end = !survey.walk(segment, &mut tip, &mut window, (place, judge, later))?;
        }
        while !open_end && let Some(segment) = Segment::spare_after(disk, dir, &tip)? {
            segment.admit(&tip)?;
            open_end = !survey.walk(segment, &mut tip, &mut window, (place, judge, &[]))?;
        }
        if !open_end && tip.number < judge.mark.segment_number {
            let first_seq = tip.last_seq + 1;
            return Err(ReadError::SegmentMissing {
                dir: dir.to_owned(),
                number: tip.number + 1,
                first_seq,
            });
        }
        Ok(survey)
    }

    /// Opens the next named segment; `None` when it is the last one and was never begun.
    fn admit(
        &mut self,
        (named, later): (&Named, &[Named]),
        tip: &Tip,
        judge: &Judge,
        (disk, dir): (&Disk, &Path),
    ) -> Result<Option<Segment>, ReadError> {
        let expected = tip.last_seq + 1;
        if expected < named.first_seq {
            let behind = iter::once(named).chain(later);
            if let Some(path) = Segment::stray_behind(disk, behind, (tip.number, tip.last_seq))? {
                return Err(ReadError::Stray { path });
            }
            let (dir, number) = (dir.to_owned(), tip.number + 1);
            return Err(ReadError::SegmentMissing { dir, number, first_seq: expected });
        }
        if named.first_seq < expected {
            return Err(ReadError::Stray { path: named.path.clone() });
        }
        let damage = |fault| tip.damage(named.path.clone(), 0, fault);
        match Segment::open(disk, named.path.clone(), named.form)? {
            Some(Opened::Valid(segment)) => {
                segment.admit(tip)?;
                Ok(Some(segment))
            }
            Some(Opened::Headless(fault)) => {
                let begun = judge.mark.covers(tip.number + 1, 0) || has_records(disk, &named.path)?;
                if named.form == Form::Open && later.is_empty() && !begun {
                    self.aside.push(named.path.clone());
                    return Ok(None);
                }
                Err(damage(fault).into())
            }
            None => Err(damage(Fault::Unwritten).into()),
        }
    }

    /// Walks one segment and moves the tip behind it; true when it is complete.
    fn walk(
        &mut self,
        segment: Segment,
        tip: &mut Tip,
        window: &mut Window,
        (place, judge, later): ((&Disk, &Path), &Judge, &[Named]),
    ) -> Result<bool, ReadError> {
        let is_passed = segment.form == Form::Sealed && segment.number() < judge.first_walked;
        if is_passed && !later.is_empty() {
            return self.pass(segment, tip);
        }
        let mut scan = Scan::new(&segment, window);
        let invalid = loop {
            match scan.step()? {
                Step::Record(record) => self.note(&record),
                Step::Sealed => break None,
                Step::Invalid(fault) => break Some(fault),
            }
        };
        let (end, chain) = (scan.offset(), scan.chain());
        self.last_seq = chain.last_seq;
        if let Some(fault) = invalid {
            let found = Invalid { segment: &segment, offset: end, fault, chain };
            self.torn = found.judge(judge, later, &mut self.aside, place)?;
        }
        let hash = match segment.form {
            Form::Sealed => Some(segment.recorded_hash()?),
            Form::Open | Form::Spare => None,
        };
        let number = segment.number();
        let (versions, build_id) = (segment.versions(), segment.header.build_id);
        let (last_seq, seal_crc) = (chain.last_seq, chain.crc);
        *tip = Tip { number, last_seq, seal_crc, hash, versions: Some(versions) };
        self.chained.push(Chained {
            number,
            form: segment.form,
            first_seq: segment.header.first_seq.get(),
            end,
            chain,
            complete: invalid.is_none(),
            link_open: segment.header.link.is_open(),
            hash,
            versions,
            build_id,
            path: segment.path,
        });
        self.salt.get_or_insert(segment.header.salt.get());
        self.header = Some(segment.header);
        Ok(invalid.is_none())
    }

    /// Takes a sealed segment by its footer. What that says of its end the header of the next
    /// segment must say as well.
    fn pass(&mut self, segment: Segment, tip: &mut Tip) -> Result<bool, ReadError> {
        let footer = seek::read_footer(&segment)?;
        let (number, first_seq) = (segment.number(), segment.header.first_seq.get());
        let (last_seq, seal_crc) = (footer.last_seq.get(), footer.seal_crc.get());
        let hash = Some(segment.recorded_hash()?);
        let (versions, build_id) = (segment.versions(), segment.header.build_id);
        *tip = Tip { number, last_seq, seal_crc, hash, versions: Some(versions) };
        self.records += footer.record_count.get();
        (self.last_seq, self.last_time_ns) = (last_seq, footer.last_time_ns.get());
        self.chained.push(Chained {
            number,
            form: segment.form,
            first_seq,
            end: footer.seal_offset.get() + SEAL_BYTES,
            chain: Chain { crc: seal_crc, salt: segment.header.salt.get(), last_seq },
            complete: true,
            link_open: segment.header.link.is_open(),
            hash,
            versions,
            build_id,
            path: segment.path,
        });
        self.salt.get_or_insert(segment.header.salt.get());
        self.header = Some(segment.header);
        Ok(true)
    }

    fn note(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.last_time_ns = record.time_ns;
        if kind::is_told(record.kind) {
            self.checkpointed = record.kind == kind::CHECKPOINT;
        }
    }
}

/// Whether anything is written behind the header page of `path`.
fn has_records(disk: &Disk, path: &Path) -> Result<bool, DiskError> {
    let Some(file) = disk.open_to_read(path)? else { return Ok(false) };
    let len = file.len_bytes().map_err(DiskError::of(Operation::Read, path))?;
    let start = len.min(crate::limits::PAGE_BYTES);
    Ok(scan::last_written(&file, path, start, len)?.is_some())
}

/// The first invalid record of a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invalid<'s> {
    pub(crate) segment: &'s Segment,
    pub(crate) offset: u64,
    pub(crate) fault: Fault,
    pub(crate) chain: Chain,
}

impl Invalid<'_> {
    /// Torn tail, clean end (`None`) or damage; see the rule at the top of this module.
    fn judge(
        &self,
        judge: &Judge,
        later: &[Named],
        aside: &mut Vec<PathBuf>,
        (disk, dir): (&Disk, &Path),
    ) -> Result<Option<TornTail>, ReadError> {
        let number = self.segment.number();
        self.check_durable(&judge.mark)?;
        if !later.is_empty() {
            return Err(self.followed(disk, later.iter())?);
        }
        let entered = entered_after(disk, dir, number)?;
        if judge.same_boot {
            if !entered.is_empty() {
                return Err(self.damage(Fault::LaterSegment { number: number + 1 }, None));
            }
            self.check_followers()?;
        }
        aside.extend(entered);
        let Some(torn) = self.torn()? else { return Ok(None) };
        let copy = Some(folder::torn_path(disk, dir, self.chain.last_seq + 1)?);
        Ok(Some(TornTail { copy, ..torn }))
    }

    /// Fails when the invalid place must be durable.
    pub(crate) fn check_durable(&self, mark: &Mark) -> Result<(), ReadError> {
        let sealed = self.segment.form == Form::Sealed;
        let number = self.segment.number();
        let covered = mark.covers(number, self.offset) || self.chain.last_seq < mark.seq;
        if sealed || covered || !self.fault.may_be_torn() {
            return Err(self.damage(self.fault, covered.then_some(mark.seq)));
        }
        Ok(())
    }

    /// What is wrong where files are named behind the segment: one of them, if none is a segment.
    pub(crate) fn followed<'n>(
        &self,
        disk: &Disk,
        later: impl Iterator<Item = &'n Named>,
    ) -> Result<ReadError, ReadError> {
        let number = self.segment.number();
        let stray = Segment::stray_behind(disk, later, (number, self.chain.last_seq))?;
        Ok(match stray {
            Some(path) => ReadError::Stray { path },
            None => self.damage(Fault::LaterSegment { number: number + 1 }, None),
        })
    }

    fn check_followers(&self) -> Result<(), ReadError> {
        let segment = self.segment;
        let len = index(segment.data_end() - self.offset).min(WINDOW_BYTES);
        let mut tail = vec![0; len];
        segment
            .file
            .read_exact_at(&mut tail, self.offset)
            .map_err(DiskError::of(Operation::Read, &segment.path))?;
        match scan::valid_follower(&tail, &self.chain) {
            Some(at) => {
                let follows_at = self.offset + at;
                Err(self.damage(Fault::ValidRecordFollows { follows_at }, None))
            }
            None => Ok(()),
        }
    }

    /// What is left behind the last valid record; `None` when that is nothing.
    pub(crate) fn torn(&self) -> Result<Option<TornTail>, DiskError> {
        let segment = self.segment;
        let end = segment.data_end();
        let last = scan::last_written(&segment.file, &segment.path, self.offset, end)?;
        Ok(last.map(|last| TornTail {
            segment: segment.path.clone(),
            offset: self.offset,
            len_bytes: last - self.offset,
            last_seq: self.chain.last_seq,
            copy: None,
        }))
    }

    pub(crate) fn damage(&self, fault: Fault, durable_seq: Option<u64>) -> ReadError {
        let tip = Tip { last_seq: self.chain.last_seq, ..Tip::START };
        let mut damage = tip.damage(self.segment.path.clone(), self.offset, fault);
        damage.durable_seq = durable_seq;
        damage.into()
    }
}

/// Spares that were entered behind segment `number`.
fn entered_after(disk: &Disk, dir: &Path, number: u64) -> Result<Vec<PathBuf>, ReadError> {
    let mut entered = Vec::new();
    for (_, path) in folder::list(disk, dir)?.spares {
        if let Some(Opened::Valid(segment)) = Segment::open(disk, path, Form::Spare)?
            && number < segment.number()
        {
            entered.push(segment.path);
        }
    }
    Ok(entered)
}
