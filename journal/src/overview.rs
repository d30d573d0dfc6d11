//! What a journal's folder holds: segment by segment, also when some of it is damaged.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use zerocopy::FromBytes;

use crate::error::{ReadError, ReplayError, Versions};
use crate::folder::{self, Folder, Form};
use crate::format::{UpgradeBody, kind, record_len_bytes};
use crate::reader::{Reader, Visitor};
use crate::record::Record;
use crate::recover::TornTail;
use crate::segment::{Opened, Segment};
use crate::settings::Identity;
use crate::sidecar::{self, Loaded};

/// The life of a segment file, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentForm {
    /// Entered by the writer; its name is still to come.
    Entered,
    /// Being written, or complete and still to be sealed.
    Open,
    /// Complete and read-only.
    Sealed,
}

impl From<Form> for SegmentForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Spare => Self::Entered,
            Form::Open => Self::Open,
            Form::Sealed => Self::Sealed,
        }
    }
}

/// A segment: what its header says, and what its valid records sum up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentView {
    /// Its file.
    pub path: PathBuf,
    /// Its form.
    pub form: SegmentForm,
    /// Its number, from 1.
    pub number: u64,
    /// First sequence number, as in its name.
    pub first_seq: u64,
    /// Format version.
    pub format_version: u32,
    /// Epoch at its start.
    pub epoch: u32,
    /// Who wrote it.
    pub identity: Identity,
    /// Versions of the segment before, where the first record is an upgrade from there.
    pub upgraded_from: Option<Versions>,
    /// Time stamp of what opened it, in nanoseconds.
    pub created_ns: u64,
    /// Bytes of the file.
    pub len_bytes: u64,
    /// Bytes of its valid records.
    pub record_bytes: u64,
    /// Sequence number and time stamp of its first record; `None` when it has none.
    pub first: Option<(u64, u64)>,
    /// Sequence number and time stamp of its last record.
    pub last: Option<(u64, u64)>,
    /// Valid records by kind.
    pub kinds: BTreeMap<u8, u64>,
}

/// What the sidecar says of the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the format")]
pub struct Run {
    /// Everything up to this sequence number is on the device.
    pub durable_seq: u64,
    /// Segment and offset of the end of what is on the device.
    pub durable_to: (u64, u64),
    /// It was closed well.
    pub is_closed: bool,
    /// A sync failed.
    pub is_poisoned: bool,
    /// It acted upon nothing that was not on the device.
    pub is_held: bool,
    /// A loss in an earlier run could not be ruled out, and no epoch was opened since.
    pub is_unproven: bool,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The segments, rising. Those behind damage are known by their headers alone.
    pub segments: Vec<SegmentView>,
    /// What the sidecar says; `None` when it is missing or damaged.
    pub run: Option<Run>,
    /// Prepared segments that nobody has entered.
    pub spares: u64,
    /// What earlier recoveries moved aside, with their sizes.
    pub set_aside: Vec<(PathBuf, u64)>,
    /// What lies behind the last valid record and is none.
    pub torn: Option<TornTail>,
    /// Last sequence number of the valid records.
    pub last_seq: u64,
    /// Why the walk ended early.
    pub damage: Option<ReadError>,
}

impl Reader {
    /// Looks at everything in `folder` without changing anything, also beside a running writer.
    /// Records are handed to `each` up to the first damage, which is part of the answer. `each` may
    /// break off; the segments behind are then known by their headers alone.
    ///
    /// Footers, index and BLAKE3 of sealed segments are left to [`Reader::verify`].
    ///
    /// # Errors
    ///
    /// The folder cannot be listed, or a newer format is found in it.
    pub fn overview(
        folder: impl Into<Folder>,
        each: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<Overview, ReadError> {
        let folder = folder.into();
        let mut overview = Overview::default();
        overview.list(&folder)?;
        let mut viewing = Viewing { each, overview: &mut overview, at: 0 };
        let walked = match Self::open_whole(folder) {
            Ok(reader) => reader.walk(&mut viewing),
            Err(error) => Err(error.into()),
        };
        match walked {
            Ok(end) => (overview.torn, overview.last_seq) = (end.torn, end.last_seq),
            Err(ReplayError::Read(error)) => overview.damage = Some(error),
            Err(ReplayError::Apply(Enough)) => {}
        }
        Ok(overview)
    }
}

impl Overview {
    fn list(&mut self, Folder { dir, disk }: &Folder) -> Result<(), ReadError> {
        let listing = folder::list(disk, dir)?;
        for named in listing.named {
            if let Ok(Some(Opened::Valid(segment))) = Segment::open(disk, named.path, named.form)
                && segment.header.first_seq.get() == named.first_seq
            {
                self.view(&segment);
            }
        }
        for (_, path) in listing.spares {
            match Segment::open(disk, path, Form::Spare) {
                Ok(Some(Opened::Valid(segment))) => _ = self.view(&segment),
                Ok(Some(Opened::Headless(_))) => self.spares += 1,
                // What it is nobody knows: told where the walk meets nothing worse.
                Err(error @ ReadError::Disk(_)) => self.damage = Some(error),
                Ok(None) | Err(_) => {}
            }
        }
        for name in disk.list(dir)? {
            if name.to_str().is_some_and(|name| name.starts_with("torn-")) {
                let path = dir.join(name);
                if let Some(len) = disk.len_bytes(&path)? {
                    self.set_aside.push((path, len));
                }
            }
        }
        self.set_aside.sort();
        if let Loaded::Valid(state) = sidecar::load(disk, dir)? {
            let flags = state.flags;
            self.run = Some(Run {
                durable_seq: state.mark.seq,
                durable_to: (state.mark.segment_number, state.mark.offset),
                is_closed: flags.closed(),
                is_poisoned: flags.poisoned(),
                is_held: flags.held(),
                is_unproven: flags.unproven(),
            });
        }
        Ok(())
    }

    /// The view of a segment, which is made when it is new.
    fn view(&mut self, segment: &Segment) -> &mut SegmentView {
        let number = segment.number();
        let position = self.segments.partition_point(|view| view.number < number);
        if self.segments.get(position).is_none_or(|view| view.number != number) {
            let header = &segment.header;
            let view = SegmentView {
                path: segment.path.clone(),
                form: segment.form.into(),
                number,
                first_seq: header.first_seq.get(),
                format_version: header.format_version.get(),
                epoch: header.epoch.get(),
                identity: Identity::of(header),
                upgraded_from: None,
                created_ns: header.created_ns.get(),
                len_bytes: segment.len_bytes(),
                record_bytes: 0,
                first: None,
                last: None,
                kinds: BTreeMap::new(),
            };
            self.segments.insert(position, view);
        }
        let view = &mut self.segments[position];
        // A running writer may have given it another name since.
        (view.path, view.form) = (segment.path.clone(), segment.form.into());
        view
    }
}

/// Nobody wants more records.
struct Enough;

/// The visitor behind [`Reader::overview`].
struct Viewing<'a, F> {
    each: F,
    overview: &'a mut Overview,
    /// Position of the segment being walked among the views.
    at: usize,
}

impl<F: FnMut(&Record<'_>) -> ControlFlow<()>> Visitor for Viewing<'_, F> {
    type Error = Enough;

    fn segment(&mut self, segment: &Segment) -> Result<(), ReplayError<Enough>> {
        let number = self.overview.view(segment).number;
        self.at = self.overview.segments.partition_point(|view| view.number < number);
        Ok(())
    }

    fn record(&mut self, record: &Record<'_>, _offset: u64) -> Result<(), ReplayError<Enough>> {
        self.overview.last_seq = record.seq;
        if let Some(view) = self.overview.segments.get_mut(self.at) {
            view.record_bytes += record_len_bytes(record.body.len() as u64);
            *view.kinds.entry(record.kind).or_default() += 1;
            if record.kind == kind::UPGRADE {
                // One of another length the walk has called damage.
                let upgrade = UpgradeBody::read_from_bytes(record.body).ok();
                view.upgraded_from = upgrade.map(|it| it.from());
            }
            if kind::is_told(record.kind) {
                let place = (record.seq, record.time_ns);
                view.first.get_or_insert(place);
                view.last = Some(place);
            }
        }
        match (self.each)(record) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ReplayError::Apply(Enough)),
        }
    }

    fn complete(
        &mut self,
        _segment: &Segment,
        _seal_crc: u32,
    ) -> Result<Option<[u8; 32]>, ReplayError<Enough>> {
        Ok(None)
    }
}
