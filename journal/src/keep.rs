//! The keeper: the helper thread that prepares segments ahead of the writer and seals those behind.
//!
//! Preparing comes first, since the writer may be waiting for it; sealing can wait. A failed
//! preparation (a full disk) is kept for the operator and tried again; a failure while sealing
//! poisons the journal, since a sync is part of it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;

use rustix::rand::{GetRandomFlags, getrandom};
use zerocopy::IntoBytes;

use crate::disk::{Disk, Prepared};
use crate::error::{DiskError, Operation, ReadError};
use crate::folder;
use crate::format::{LINK_OFFSET, Link, data_end};
use crate::helpers::keep_off;
use crate::limits::{
    KEEPER_INTERVAL, PAGE_BYTES, POPULATE_BYTES, PREPARE_RETRY_INTERVAL, SPARES_MAX,
};
use crate::mapped::{Mapped, Pen};
use crate::scan::Window;
use crate::seal;
use crate::shared::Shared;
use crate::storage::Handle;

/// A prepared segment on its way to the writer.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) pen: Pen,
    pub(crate) salt: u64,
}

/// State of the keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    segment_len_bytes: u64,
    hot_cpus: Vec<usize>,
    to_writer: SyncSender<Spare>,
    /// Number of the next spare. From 1; spares of an earlier run are gone when this one starts.
    number: u64,
    window: Window,
}

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        (segment_len_bytes, hot_cpus): (u64, Vec<usize>),
        to_writer: SyncSender<Spare>,
    ) -> Self {
        Self { shared, segment_len_bytes, hot_cpus, to_writer, number: 1, window: Window::new() }
    }

    /// Runs until the writer stops; seals what is complete and removes spares nobody entered.
    ///
    /// The flusher ends first and wakes this thread, so that nothing arrives after the last look.
    pub(crate) fn run(mut self) {
        // It works for tens of milliseconds at a time, and would on the CPU of the writer too.
        keep_off(&self.hot_cpus);
        loop {
            let done = self.shared.flusher_done();
            let pause = if !self.shared.stopping() && self.wants_spare() {
                match self.prepare() {
                    Ok(()) => continue,
                    Err(error) => {
                        self.shared.watermark.prepared(Err(error));
                        PREPARE_RETRY_INTERVAL
                    }
                }
            } else {
                KEEPER_INTERVAL
            };
            if !self.shared.watermark.poisoned() && self.seal_next() {
                continue;
            }
            if done {
                break;
            }
            thread::park_timeout(pause);
        }
        self.remove_spares();
    }

    fn wants_spare(&self) -> bool {
        !self.shared.watermark.poisoned() && self.shared.stage().coming.len() < SPARES_MAX
    }

    /// Prepares one segment and hands it to the writer.
    fn prepare(&mut self) -> Result<(), DiskError> {
        let Shared { disk, dir, watermark, .. } = &*self.shared;
        let path = folder::spare_path(dir, self.number);
        let len = self.segment_len_bytes;
        let salt = random(disk)?;
        let file = match disk.prepare(&path, len, || self.shared.stopping())? {
            Prepared::Ready(file) => file,
            Prepared::Abandoned => return Ok(()),
        };
        // From here on the number is used, whatever becomes of the file.
        let number = self.number;
        self.number += 1;
        let (mapped, pen) = match map(disk, file, &path, (len, number)) {
            Ok(made) => made,
            Err(error) => {
                // Best effort: the next start removes it as well.
                drop(disk.remove(&path));
                return Err(error);
            }
        };
        // In this order: the flusher knows the segment before the writer can enter it, and the
        // writer can enter it before it is announced.
        self.shared.stage().coming.push_back(mapped);
        let sent = self.to_writer.try_send(Spare { pen, salt });
        // The channel holds as many as `coming`, and the writer outlives its helpers.
        debug_assert!(sent.is_ok(), "no room for a spare that was wanted");
        watermark.prepared(Ok(data_end(len) - PAGE_BYTES));
        Ok(())
    }

    /// Seals one segment if there is one; false when there is nothing to do.
    fn seal_next(&mut self) -> bool {
        let Some((segment, next)) = self.shared.stage().leaving.pop_front() else {
            return false;
        };
        match self.seal(&segment, &next) {
            Ok(()) => true,
            Err(error) => {
                self.shared.poison(error);
                false
            }
        }
    }

    fn seal(&mut self, segment: &Mapped, next: &Mapped) -> Result<(), ReadError> {
        let Shared { disk, dir, .. } = &*self.shared;
        let path = segment.open_path(dir);
        let hash = seal::seal(disk, dir, &path, &segment.file, &mut self.window)?;
        let link = Link::to(hash);
        disk.write_at(&next.file, &next.open_path(dir), link.as_bytes(), LINK_OFFSET)?;
        Ok(())
    }

    /// Nothing is in a spare the writer never entered; a crash leaves it to the next start.
    fn remove_spares(&self) {
        let unused: VecDeque<_> = std::mem::take(&mut self.shared.stage().coming);
        for spare in unused.iter().filter(|spare| spare.first_seq() == 0) {
            // Best effort, for the same reason.
            drop(self.shared.disk.remove(&spare.spare_path(&self.shared.dir)));
        }
    }
}

/// Maps a prepared file and makes its first pages writable.
fn map(
    disk: &Disk,
    file: Handle,
    path: &Path,
    (len_bytes, number): (u64, u64),
) -> Result<(Arc<Mapped>, Pen), DiskError> {
    let (mapped, pen) = Mapped::new(disk, file, path, len_bytes, (number, 0))?;
    disk.populate(&mapped.map, path, 0, len_bytes.min(POPULATE_BYTES))?;
    Ok((mapped, pen))
}

/// A random salt from the operating system.
pub(crate) fn random(disk: &Disk) -> Result<u64, DiskError> {
    let mut bytes = [0_u8; 8];
    let mut filled = 0;
    disk.run(Operation::Random, Path::new("getrandom"), || {
        while filled < bytes.len() {
            filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
        }
        Ok(())
    })?;
    Ok(u64::from_le_bytes(bytes))
}
