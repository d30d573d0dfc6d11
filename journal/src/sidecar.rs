//! The sidecar file `durable`: how far the journal is known to be on the device.
//!
//! Recovery calls an invalid record before this mark corruption and behind it a torn tail. The
//! mark may lag behind the truth (that only weakens the check) but never runs ahead of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::disk::Disk;
use crate::error::{DiskError, Fault, Field, Operation, ReadError};
use crate::folder;
use crate::format::{
    FORMAT_VERSION, SIDECAR_CLOSED, SIDECAR_HELD, SIDECAR_MAGIC, SIDECAR_POISONED,
    SIDECAR_SLOT_STRIDE_BYTES, SIDECAR_UNPROVEN, SidecarSlot,
};
use crate::limits::{SIDECAR_SYNC_INTERVAL, index};
use crate::settings::Level;
use crate::storage::Handle;

/// A place up to which everything is on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    pub(crate) segment_number: u64,
    /// End of the last durable record in that segment.
    pub(crate) offset: u64,
}

/// The content of the sidecar file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    pub(crate) mark: Mark,
    pub(crate) flags: Flags,
    pub(crate) boot_id: [u8; 16],
    generation: u64,
}

/// What the sidecar says of the run that wrote it: the flags of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// Of a run that begins, at this level.
    pub(crate) fn begin(level: Level) -> Self {
        match level {
            Level::Async => Self(0),
            Level::Group | Level::Sync => Self(SIDECAR_HELD),
        }
    }

    /// Of the same run, with or without an earlier loss that is unanswered.
    pub(crate) fn with_loss(self, is_unproven: bool) -> Self {
        self.with(SIDECAR_UNPROVEN, is_unproven)
    }

    fn with(self, flag: u32, on: bool) -> Self {
        Self(if on { self.0 | flag } else { self.0 & !flag })
    }

    /// The run ended well.
    pub(crate) fn closed(self) -> bool {
        self.0 & SIDECAR_CLOSED != 0
    }

    /// A sync failed.
    pub(crate) fn poisoned(self) -> bool {
        self.0 & SIDECAR_POISONED != 0
    }

    /// Nothing was acted upon before it was on the device.
    pub(crate) fn held(self) -> bool {
        self.0 & SIDECAR_HELD != 0
    }

    /// A loss in an earlier run could not be ruled out, and is not answered yet.
    pub(crate) fn unproven(self) -> bool {
        self.0 & SIDECAR_UNPROVEN != 0
    }
}

/// What was found in place of the sidecar file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loaded {
    Missing,
    Damaged(Fault),
    Valid(State),
}

/// The sidecar file of a running journal.
#[derive(Debug)]
pub(crate) struct Sidecar {
    file: Handle,
    path: PathBuf,
    state: State,
    synced_at: Instant,
    dirty: bool,
}

impl Mark {
    /// Whether the place `(segment_number, offset)` lies before this mark.
    pub(crate) fn covers(&self, segment_number: u64, offset: u64) -> bool {
        (segment_number, offset) < (self.segment_number, self.offset)
    }

    /// Whether this mark lies before `other`.
    pub(crate) fn before(&self, other: &Self) -> bool {
        other.covers(self.segment_number, self.offset)
    }
}

/// More writes than any disk sees; behind it a newer slot could not be told from an older one.
const GENERATION_MAX: u64 = u64::MAX / 2;

/// Reads the sidecar file of `dir`.
pub(crate) fn load(disk: &Disk, dir: &Path) -> Result<Loaded, ReadError> {
    let path = folder::sidecar_path(dir);
    let Some(file) = disk.open_to_read(&path)? else { return Ok(Loaded::Missing) };
    let bytes = file.read_all().map_err(DiskError::of(Operation::Read, &path))?;
    let first = read_slot(&bytes);
    let second = read_slot(bytes.get(index(SIDECAR_SLOT_STRIDE_BYTES)..).unwrap_or_default());
    Ok(match (first, second) {
        // Which of the two is the later one, only the newer program knows.
        (Slot::Newer(found), _) | (_, Slot::Newer(found)) => {
            return Err(ReadError::version(path, found));
        }
        (Slot::Valid(a), Slot::Valid(b)) => {
            Loaded::Valid(if a.generation < b.generation { b } else { a })
        }
        (Slot::Valid(state), Slot::Damaged(_)) | (Slot::Damaged(_), Slot::Valid(state)) => {
            Loaded::Valid(state)
        }
        (Slot::Damaged(fault), Slot::Damaged(_)) => Loaded::Damaged(fault),
    })
}

/// What a slot turned out to be.
enum Slot {
    Valid(State),
    /// Its checksum holds, and only a newer program knows what it says.
    Newer(u32),
    Damaged(Fault),
}

fn read_slot(bytes: &[u8]) -> Slot {
    let Ok((slot, _)) = SidecarSlot::ref_from_prefix(bytes) else {
        let (max, found) = (bytes.len() as u64, size_of::<SidecarSlot>() as u64);
        return Slot::Damaged(Fault::Overrun { max, found });
    };
    match check_sum(slot) {
        Err(fault) => Slot::Damaged(fault),
        Ok(()) if FORMAT_VERSION < slot.format_version.get() => {
            Slot::Newer(slot.format_version.get())
        }
        Ok(()) => state_of(slot).map_or_else(Slot::Damaged, Slot::Valid),
    }
}

/// Checks that a slot is one, of whichever version.
fn check_sum(slot: &SidecarSlot) -> Result<(), Fault> {
    if slot.magic != SIDECAR_MAGIC {
        return Err(Fault::Magic { expected: SIDECAR_MAGIC, found: slot.magic });
    }
    let (expected, found) = (slot.checksum(), slot.crc.get());
    if expected == found { Ok(()) } else { Err(Fault::Checksum { expected, found }) }
}

fn state_of(slot: &SidecarSlot) -> Result<State, Fault> {
    let generation = slot.generation.get();
    if GENERATION_MAX < generation {
        let (field, expected) = (Field::Generation, GENERATION_MAX);
        return Err(Fault::Field { field, expected, found: generation });
    }
    Ok(State {
        mark: Mark {
            seq: slot.durable_seq.get(),
            segment_number: slot.segment_number.get(),
            offset: slot.offset.get(),
        },
        flags: Flags(slot.flags.get()),
        boot_id: slot.boot_id,
        generation,
    })
}

impl Sidecar {
    /// Creates the file with an empty mark, durably; before the first segment exists.
    pub(crate) fn create(disk: &Disk, dir: &Path) -> Result<Self, DiskError> {
        let path = folder::sidecar_path(dir);
        if disk.exists(&path)? {
            // Cut short when the journal was created, as no segment exists.
            disk.remove(&path)?;
        }
        let file = disk.create(&path)?;
        // Until the run begins nothing can be acted upon, at any level.
        let state = State { flags: Flags::begin(Level::Sync), ..State::default() };
        let mut sidecar = Self { file, path, state, synced_at: Instant::now(), dirty: true };
        sidecar.write_slot(disk)?;
        sidecar.write_slot(disk)?;
        sidecar.sync(disk)?;
        disk.sync_folder(dir)?;
        Ok(sidecar)
    }

    /// Opens the file that [`load`] found to say `state`.
    pub(crate) fn open(disk: &Disk, dir: &Path, state: State) -> Result<Self, DiskError> {
        let path = folder::sidecar_path(dir);
        let file = disk.open_rw(&path)?;
        Ok(Self { file, path, state, synced_at: Instant::now(), dirty: false })
    }

    /// Starts a run: this boot, these flags, all up to `mark` on the device.
    pub(crate) fn begin(
        &mut self,
        disk: &Disk,
        mark: Mark,
        (boot_id, flags): ([u8; 16], Flags),
    ) -> Result<(), DiskError> {
        let generation = self.state.generation;
        self.state = State { mark, flags, boot_id, generation };
        self.write_slot(disk)?;
        self.sync(disk)
    }

    /// Moves the mark, and syncs it if that was not done for a while.
    pub(crate) fn advance(&mut self, disk: &Disk, mark: Mark) -> Result<(), DiskError> {
        self.state.mark = mark;
        self.write_slot(disk)?;
        self.settle(disk)
    }

    /// Syncs a mark that was written some time ago.
    pub(crate) fn settle(&mut self, disk: &Disk) -> Result<(), DiskError> {
        if self.dirty && SIDECAR_SYNC_INTERVAL <= self.synced_at.elapsed() {
            self.sync(disk)?;
        }
        Ok(())
    }

    /// After which time [`Self::settle`] has something to do; `None`: the mark is synced.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        self.dirty.then(|| SIDECAR_SYNC_INTERVAL.saturating_sub(self.synced_at.elapsed()))
    }

    /// Says that the journal was closed with all of it on the device.
    pub(crate) fn close(&mut self, disk: &Disk) -> Result<(), DiskError> {
        self.state.flags = self.state.flags.with(SIDECAR_CLOSED, true);
        self.write_slot(disk)?;
        self.sync(disk)
    }

    /// Says that a sync failed.
    pub(crate) fn poison(&mut self, disk: &Disk) -> Result<(), DiskError> {
        self.state.flags = self.state.flags.with(SIDECAR_POISONED, true);
        self.write_slot(disk)?;
        self.sync(disk)
    }

    /// Whether a loss in an earlier run is still unanswered.
    pub(crate) fn is_unproven(&self) -> bool {
        self.state.flags.unproven()
    }

    /// Says that the epoch opened for such a loss is on the device.
    pub(crate) fn answer_loss(&mut self, disk: &Disk) -> Result<(), DiskError> {
        self.state.flags = self.state.flags.with_loss(false);
        self.write_slot(disk)?;
        self.sync(disk)
    }

    fn write_slot(&mut self, disk: &Disk) -> Result<(), DiskError> {
        let State { mark, flags, boot_id, generation } = self.state;
        let generation = generation + 1;
        let mut slot = SidecarSlot::new_zeroed();
        slot.magic = SIDECAR_MAGIC;
        slot.format_version = U32::new(FORMAT_VERSION);
        slot.flags = U32::new(flags.0);
        slot.generation = U64::new(generation);
        slot.durable_seq = U64::new(mark.seq);
        slot.segment_number = U64::new(mark.segment_number);
        slot.offset = U64::new(mark.offset);
        slot.boot_id = boot_id;
        slot.crc = U32::new(slot.checksum());
        let offset = generation % 2 * SIDECAR_SLOT_STRIDE_BYTES;
        self.dirty = true;
        disk.write_at(&self.file, &self.path, slot.as_bytes(), offset)?;
        // Only now: a slot written in part is written again, and the other one stays whole.
        self.state.generation = generation;
        Ok(())
    }

    fn sync(&mut self, disk: &Disk) -> Result<(), DiskError> {
        disk.sync_data(&self.file, &self.path)?;
        self.synced_at = Instant::now();
        self.dirty = false;
        Ok(())
    }
}

/// Which boot of the machine this is; zeros where the kernel does not tell.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut digits = text.chars().filter_map(|char| char.to_digit(16));
    let mut id = [0; 16];
    for byte in &mut id {
        let (Some(high), Some(low)) = (digits.next(), digits.next()) else { return [0; 16] };
        *byte = (high * 16 + low).to_le_bytes()[0];
    }
    id
}
