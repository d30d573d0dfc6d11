//! From a verified journal to a writer: the only place where recovery changes anything.
//!
//! Every step may be cut short by a crash and is then done again by the next start: the torn tail
//! is copied before it is zeroed, what may not be on the device is written again before it is
//! synced, a segment gets its name last, and the sidecar says so after everything else.

use std::path::Path;

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::disk::{Disk, Prepared};
use crate::error::{DiskError, OpenError, Operation, Versions};
use crate::folder::{self, Form};
use crate::format::{
    CheckpointBody, FORMAT_VERSION, LINK_OFFSET, Link, READER_VERSION_OLDEST, SEGMENT_MAGIC,
    SegmentHeader, kind,
};
use crate::keep;
use crate::limits::{PAGE_BYTES, SEAL_BYTES, WINDOW_BYTES, index, page_floor};
use crate::mapped::Mapped;
use crate::record::{Buffer, Chain, OWN_BODY_LEN, Record};
use crate::recover::{Chained, Completeness, Recovery, TornTail};
use crate::scan::Window;
use crate::seal;
use crate::settings::{Identity, Settings};
use crate::sidecar::{Flags, Mark, Sidecar};
use crate::storage::Handle;
use crate::writer::{Start, Writer};

/// Number of the spare that a start prepares for itself.
const SPARE_NUMBER: u64 = 0;

/// Where the writer goes on.
enum Next {
    /// In the last segment.
    Continue(Chained),
    Create(New),
}

/// A segment that a start makes.
struct New {
    number: u64,
    /// What its first record is written behind.
    chain: Chain,
    /// Versions and build of the segment before.
    before: Option<(Versions, [u8; 32])>,
}

impl Recovery {
    /// Repairs what a crash left, makes all of it durable and starts the helper threads.
    ///
    /// `now_ns` stamps a segment that must be created, `output_hash` is the rolling hash of all
    /// output up to [`Recovery::last_seq`]. The helpers inherit the CPU set of this thread: call
    /// this before pinning it.
    ///
    /// # Errors
    ///
    /// An operation failed; the journal can be opened again.
    pub fn into_writer(mut self, now_ns: u64, output_hash: u64) -> Result<Writer, OpenError> {
        let disk = self.settings.disk();
        let is_unproven = self.completeness() == Completeness::Unproven;
        let run = (self.boot_id, Flags::begin(self.settings.level).with_loss(is_unproven));
        let mut sidecar = match self.state {
            Some(state) => Sidecar::open(&disk, &self.dir, state)?,
            None => Sidecar::create(&disk, &self.dir)?,
        };
        if let Some(torn) = &self.survey.torn {
            set_aside_tail(&disk, &self.dir, torn)?;
        }
        self.set_aside_segments(&disk)?;
        self.make_durable(&disk)?;
        self.remove_spares(&disk)?;
        let last = match self.leave_last(&disk, now_ns, output_hash)? {
            Next::Continue(last) => {
                self.seal_complete(&disk)?;
                last
            }
            Next::Create(new) => {
                let prev_hash = self.seal_complete(&disk)?;
                // The mark must not lie in a segment that is about to be replaced by an empty one.
                let (seq, segment_number) = (new.chain.last_seq, new.number);
                let lowered = Mark { seq, segment_number, offset: 0 };
                if self.state.is_some_and(|state| lowered.before(&state.mark)) {
                    sidecar.begin(&disk, lowered, run)?;
                }
                self.create_segment(&disk, (new, prev_hash), now_ns, output_hash)?
            }
        };
        let seq = last.chain.last_seq;
        let mark = Mark { seq, segment_number: last.number, offset: last.end };
        sidecar.begin(&disk, mark, run)?;
        self.start(disk, sidecar, &last, mark)
    }

    /// Moves segments out of the way that were entered behind a torn tail, or never begun.
    fn set_aside_segments(&mut self, disk: &Disk) -> Result<(), DiskError> {
        for path in self.survey.aside.drain(..) {
            let aside = folder::torn_path(disk, &self.dir, self.survey.last_seq + 1)?;
            disk.rename(&path, &aside)?;
            disk.sync_folder(&self.dir)?;
        }
        Ok(())
    }

    /// Gets every record onto the device and every entered segment under its name, in order.
    ///
    /// What lies behind the mark is written once more first: had a sync failed in the last run,
    /// the kernel would take those pages for clean and a sync alone would do nothing.
    fn make_durable(&mut self, disk: &Disk) -> Result<(), DiskError> {
        let mark = self.state.map_or_else(Mark::default, |state| state.mark);
        for chained in &mut self.survey.chained {
            if chained.form == Form::Sealed {
                continue;
            }
            let file = disk.open_rw(&chained.path)?;
            if mark.segment_number < chained.number {
                rewrite(disk, &file, &chained.path, (0, chained.end))?;
            } else if mark.segment_number == chained.number {
                let start = page_floor(mark.offset);
                rewrite(disk, &file, &chained.path, (start, chained.end))?;
            }
            disk.sync_file(&file, &chained.path)?;
            if chained.form == Form::Spare {
                let open = folder::open_path(&self.dir, chained.first_seq);
                disk.rename(&chained.path, &open)?;
                disk.sync_folder(&self.dir)?;
                chained.path = open;
                chained.form = Form::Open;
            }
        }
        // The last run may have ended between giving a name and syncing it.
        disk.sync_folder(&self.dir)
    }

    /// Removes what was prepared and not entered; the keeper prepares anew.
    fn remove_spares(&self, disk: &Disk) -> Result<(), DiskError> {
        for (_, path) in folder::list(disk, &self.dir)?.spares {
            disk.remove(&path)?;
        }
        Ok(())
    }

    /// Decides whether the last segment can be continued. If not, it is completed with a seal.
    fn leave_last(
        &mut self,
        disk: &Disk,
        now_ns: u64,
        output_hash: u64,
    ) -> Result<Next, DiskError> {
        let last_seq = self.survey.last_seq;
        let Some((last, before)) = self.survey.chained.split_last_mut() else {
            let chain = Chain { crc: 0, salt: 0, last_seq: 0 };
            return Ok(Next::Create(New { number: 1, chain, before: None }));
        };
        let same = self.survey.header.as_deref().map(Identity::of) == Some(self.identity)
            && last.versions.format == FORMAT_VERSION;
        if !last.complete && same {
            return Ok(Next::Continue(last.clone()));
        }
        if !last.complete && last.first_seq == last_seq + 1 {
            // Without a record of the caller it would share its name with its successor: it is
            // replaced instead.
            let number = last.number;
            let prev_crc = self.survey.header.as_ref().map_or(0, |header| header.prev_crc.get());
            let chain = Chain { crc: prev_crc, salt: 0, last_seq };
            let before = before.last().map(|it| (it.versions, it.build_id));
            return Ok(Next::Create(New { number, chain, before }));
        }
        if !last.complete {
            write_seal(disk, last, now_ns, output_hash)?;
        }
        let before = Some((last.versions, last.build_id));
        Ok(Next::Create(New { number: last.number + 1, chain: last.chain, before }))
    }

    /// Seals every complete segment that is not sealed yet and fills in the links. Returns the
    /// BLAKE3 of the last sealed one.
    fn seal_complete(&mut self, disk: &Disk) -> Result<Option<[u8; 32]>, OpenError> {
        let mut window = Window::new();
        let mut prev_hash = None;
        for chained in &mut self.survey.chained {
            if chained.form == Form::Sealed {
                prev_hash = chained.hash;
                continue;
            }
            let file = disk.open_rw(&chained.path)?;
            if let Some(hash) = prev_hash.filter(|_| chained.link_open) {
                let link = Link::to(hash);
                disk.write_at(&file, &chained.path, link.as_bytes(), LINK_OFFSET)?;
            }
            if chained.complete {
                let hash = seal::seal(disk, &self.dir, &chained.path, &file, &mut window)?;
                prev_hash = Some(hash);
                chained.path = folder::sealed_path(&self.dir, chained.first_seq);
                chained.form = Form::Sealed;
            } else {
                disk.sync_file(&file, &chained.path)?;
            }
        }
        Ok(prev_hash)
    }

    /// Creates a segment, whole and durable, then gives it its name; an empty one of that name is
    /// replaced.
    fn create_segment(
        &self,
        disk: &Disk,
        (New { number, chain, before }, prev_hash): (New, Option<[u8; 32]>),
        now_ns: u64,
        output_hash: u64,
    ) -> Result<Chained, OpenError> {
        let mut header = template(&self.identity, &self.settings, self.epoch());
        header.segment_number = U64::new(number);
        header.first_seq = U64::new(chain.last_seq + 1);
        header.created_ns = U64::new(now_ns);
        header.salt = U64::new(keep::random(disk)?);
        header.output_hash = U64::new(output_hash);
        header.prev_crc = U32::new(chain.crc);
        header.link = prev_hash.map_or_else(Link::new_zeroed, Link::to);
        header.crc = U32::new(header.checksum());
        let spare = folder::spare_path(&self.dir, SPARE_NUMBER);
        let len = self.settings.segment_len_bytes;
        let Prepared::Ready(file) = disk.prepare(&spare, len, || false)? else {
            return Err(DiskError::new(
                Operation::WriteZeros,
                &spare,
                std::io::ErrorKind::Interrupted.into(),
            )
            .into());
        };
        let mut chain = Chain { salt: header.salt.get(), ..chain };
        let mut end = PAGE_BYTES;
        let to = (Versions::of(&header), header.build_id);
        if let Some(before) = before.filter(|before| *before != to) {
            let body = to.0.upgrade(before.0);
            let seq = chain.last_seq;
            let time_ns = now_ns.max(self.survey.last_time_ns);
            let kind = kind::UPGRADE;
            let record = Record { seq, time_ns, kind, flags: 0, body: body.as_bytes() };
            let mut buffer = Buffer::new();
            let (bytes, crc) = buffer.build(&record, OWN_BODY_LEN, &chain);
            // On the device before the header: nobody ever meets a segment that has yet to explain
            // itself, whatever a power cut leaves.
            disk.write_at(&file, &spare, bytes, end)?;
            disk.sync_data(&file, &spare)?;
            end += bytes.len() as u64;
            chain.crc = crc;
        }
        disk.write_at(&file, &spare, header.as_bytes(), 0)?;
        disk.sync_file(&file, &spare)?;
        let path = folder::open_path(&self.dir, chain.last_seq + 1);
        disk.rename(&spare, &path)?;
        disk.sync_folder(&self.dir)?;
        Ok(Chained {
            path,
            form: Form::Open,
            number,
            first_seq: chain.last_seq + 1,
            end,
            chain,
            complete: false,
            link_open: header.link.is_open(),
            hash: None,
            versions: to.0,
            build_id: to.1,
        })
    }

    fn start(
        self,
        disk: Disk,
        sidecar: Sidecar,
        last: &Chained,
        mark: Mark,
    ) -> Result<Writer, OpenError> {
        let epoch = self.epoch();
        let salt = self.salt().unwrap_or(last.chain.salt);
        let Recovery { dir, settings, identity, survey, lock, .. } = self;
        let file = disk.open_rw(&last.path)?;
        let len = file.len_bytes().map_err(DiskError::of(Operation::Read, &last.path))?;
        let named = (0, last.first_seq);
        let (mapped, pen) = Mapped::new(&disk, file, &last.path, len, named)?;
        let mut template = template(&identity, &settings, epoch);
        template.segment_number = U64::new(last.number);
        let start = Start {
            disk,
            dir,
            settings,
            lock,
            sidecar,
            mark,
            mapped,
            pen,
            chain: last.chain,
            first_seq: last.first_seq,
            checkpointed: survey.checkpointed,
            salt,
            template,
        };
        Ok(Writer::start(start)?)
    }
}

/// What the headers of all new segments of a run have in common.
fn template(identity: &Identity, settings: &Settings, epoch: u32) -> Box<SegmentHeader> {
    let mut header = Box::new(SegmentHeader::new_zeroed());
    header.magic = SEGMENT_MAGIC;
    header.format_version = U32::new(FORMAT_VERSION);
    header.oldest_reader_version = U32::new(READER_VERSION_OLDEST);
    header.behaviour_version = U32::new(identity.behaviour_version);
    header.epoch = U32::new(epoch);
    header.segment_len_bytes = U64::new(settings.segment_len_bytes);
    header.config_hash = identity.config_hash;
    header.build_id = identity.build_id;
    header
}

/// Copies a torn tail into a file of its own, then zeroes it; both durably and in this order.
pub(crate) fn set_aside_tail(disk: &Disk, dir: &Path, torn: &TornTail) -> Result<(), DiskError> {
    let path = &torn.segment;
    let file = disk.open_rw(path)?;
    let copy_path = folder::torn_path(disk, dir, torn.last_seq + 1)?;
    let copy = disk.create(&copy_path)?;
    let end = torn.offset + torn.len_bytes;
    let mut buffer = vec![0_u8; WINDOW_BYTES];
    each_piece(torn.offset, end, |at, len| {
        file.read_exact_at(&mut buffer[..len], at).map_err(DiskError::of(Operation::Read, path))?;
        disk.write_at(&copy, &copy_path, &buffer[..len], at - torn.offset)
    })?;
    disk.sync_file(&copy, &copy_path)?;
    disk.sync_folder(dir)?;
    buffer.fill(0);
    each_piece(torn.offset, end, |at, len| disk.write_at(&file, path, &buffer[..len], at))?;
    disk.sync_file(&file, path)
}

/// Writes `start..end` of a file onto itself, so that the kernel takes it for new.
fn rewrite(
    disk: &Disk,
    file: &Handle,
    path: &Path,
    (start, end): (u64, u64),
) -> Result<(), DiskError> {
    let mut buffer = vec![0_u8; WINDOW_BYTES];
    each_piece(start, end, |at, len| {
        file.read_exact_at(&mut buffer[..len], at).map_err(DiskError::of(Operation::Read, path))?;
        disk.write_at(file, path, &buffer[..len], at)
    })
}

/// Calls `act` with offset and length of pieces of `start..end` that fit a window.
fn each_piece(
    start: u64,
    end: u64,
    mut act: impl FnMut(u64, usize) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let mut at = start;
    while at < end {
        let len = index(end - at).min(WINDOW_BYTES);
        act(at, len)?;
        at += len as u64;
    }
    Ok(())
}

/// Completes a segment with a seal. There is room: the writer always leaves it.
fn write_seal(
    disk: &Disk,
    last: &mut Chained,
    time_ns: u64,
    output_hash: u64,
) -> Result<(), DiskError> {
    let seq = last.chain.last_seq;
    let body = CheckpointBody { output_hash: U64::new(output_hash), last_seq: U64::new(seq) };
    let record = Record { seq, time_ns, kind: kind::SEAL, flags: 0, body: body.as_bytes() };
    let mut buffer = Buffer::new();
    let (bytes, crc) = buffer.build(&record, OWN_BODY_LEN, &last.chain);
    let file = disk.open_rw(&last.path)?;
    disk.write_at(&file, &last.path, bytes, last.end)?;
    disk.sync_file(&file, &last.path)?;
    last.end += SEAL_BYTES;
    last.chain.crc = crc;
    last.complete = true;
    Ok(())
}
