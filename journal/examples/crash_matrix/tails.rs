//! Images of one tail: cut off, with a bit turned, with pages of an earlier life.

use std::{ops::Range, path::PathBuf};

use uncross_journal::{Fault as Found, OpenError, ReadError, Settings, sim::SimDisk};

use crate::{
    Outcome, Scope,
    fixture::{
        BOOT, Due, NEXT_BOOT, append, check, is_prefix, len_bytes, recover, settings, start,
    },
    tally::{Fault, Tally},
};

const PAGE: u64 = 4096;
/// The records of every so-manieth image are compared one by one, not only counted.
const COMPARED: u64 = 64;
/// With every so-manieth image the journal goes on.
const CONTINUED: u64 = 64;

/// A journal of one open segment.
struct Tail {
    disk: SimDisk,
    path: PathBuf,
    bytes: Vec<u8>,
    /// End of each record, the first at index 0.
    ends: Vec<u64>,
    /// In the boot that wrote it, and after a reboot.
    same: Settings,
    rebooted: Settings,
}

impl Tail {
    /// Records up to the length of `tail_len`, in a segment of `segment_len`; the first part, as
    /// long as `durable_len`, is durable.
    fn new(segment_len: u64, tail_len: u64, durable_len: u64) -> Outcome<Self> {
        let disk = SimDisk::new();
        let long = |disk: &SimDisk, boot| Settings {
            segment_len_bytes: segment_len,
            ..settings(disk, boot)
        };
        let (mut ends, mut end) = (Vec::new(), PAGE);
        loop {
            end += len_bytes(ends.len() as u64 + 1);
            if PAGE + tail_len < end {
                break;
            }
            ends.push(end);
        }
        let durable = ends.partition_point(|end| *end <= PAGE + durable_len) as u64;
        let mut writer = start(&long(&disk, BOOT))?;
        append(&mut writer, 1, durable)?;
        writer.close()?;
        let mut writer = start(&long(&disk, BOOT))?;
        append(&mut writer, durable + 1, ends.len() as u64)?;
        // Killed here; the running one is closed on its own disk.
        Self::of(disk.killed()?, ends, long)
    }

    fn of(
        disk: SimDisk,
        ends: Vec<u64>,
        settings: impl Fn(&SimDisk, [u8; 16]) -> Settings,
    ) -> Outcome<Self> {
        let is_open = |path: &PathBuf| path.extension().is_some_and(|is| is == "open");
        let path = disk.files().into_iter().find(is_open).ok_or("no open segment")?;
        let bytes = disk.bytes(&path)?;
        let (same, rebooted) = (settings(&disk, BOOT), settings(&disk, NEXT_BOOT));
        Ok(Self { disk, path, bytes, ends, same, rebooted })
    }

    fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or(PAGE)
    }

    /// Records that end at or before `offset`.
    fn whole_before(&self, offset: u64) -> u64 {
        self.ends.partition_point(|end| *end <= offset) as u64
    }

    fn slice(&self, range: Range<u64>) -> Outcome<&[u8]> {
        let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
        self.bytes.get(range).ok_or_else(|| "outside of the segment".into())
    }

    /// Opens what is there, which must be called damaged in the record behind `before`.
    fn judge_damaged(&self, tally: &mut Tally, settings: &Settings, before: u64, told: &str) {
        tally.image();
        let index = usize::try_from(before).unwrap_or(usize::MAX);
        let start = index.checked_sub(1).and_then(|at| self.ends.get(at)).copied().unwrap_or(PAGE);
        match recover(settings) {
            Err(OpenError::Read(ReadError::Corrupt(damage)))
                if (damage.offset, damage.last_seq) == (start, before) => {}
            Err(error) => tally.fault(Fault::Wrong, format!("{told}: {error}")),
            Ok(_) => tally.fault(Fault::Lost, format!("{told}: opens though damaged")),
        }
    }
}

/// Opens what is there, which must hold the records up to `expected`.
fn judge(tally: &mut Tally, settings: &Settings, expected: u64, told: &str) {
    tally.image();
    match recover(settings) {
        Err(error) => tally.fault(Fault::Refused, format!("{told}: {error}")),
        Ok(mut recovery) => {
            let last = recovery.last_seq();
            if last != expected || last.is_multiple_of(COMPARED) && !is_prefix(&mut recovery) {
                tally.fault(Fault::Wrong, format!("{told}: {last} of {expected}"));
            }
        }
    }
}

/// Every byte cut of a tail of 1 MiB.
pub(crate) fn cuts(scope: Scope) -> Outcome<Tally> {
    const TAIL: u64 = 1 << 20;
    let stride = scope.stride(797);
    scope.spread(|thread, tally| {
        let tail = Tail::new(TAIL + (128 << 10), TAIL, 0)?;
        let mut zeroed = tail.end();
        for cut in (PAGE..=tail.end()).rev().filter(|cut| cut % stride == 0) {
            // Turns by blocks, as each one continues the one before.
            if cut / stride / 1024 % scope.threads != thread {
                continue;
            }
            let zeros = vec![0; usize::try_from(zeroed - cut)?];
            tail.disk.poke(&tail.path, cut, &zeros)?;
            zeroed = cut;
            let lost = tail.slice(cut..tail.end())?.iter().position(|byte| *byte != 0);
            let first_lost = lost.map_or(u64::MAX, |skip| cut + skip as u64);
            let expected = tail.whole_before(first_lost);
            for (settings, boot) in [(&tail.same, "same boot"), (&tail.rebooted, "rebooted")] {
                judge(tally, settings, expected, &format!("cut at {cut}, {boot}"));
            }
        }
        Ok(())
    })
}

/// Every bit flip of a tail of 64 KiB, three times.
pub(crate) fn flips(scope: Scope) -> Outcome<Tally> {
    const TAIL: u64 = 64 << 10;
    let stride = scope.stride(67);
    scope.spread(|thread, tally| {
        let loose = Tail::new(TAIL + (64 << 10), TAIL, 0)?;
        let durable = Tail::new(TAIL + (64 << 10), TAIL, TAIL)?;
        let last = loose.ends.len() as u64;
        let bits = (PAGE..loose.end()).flat_map(|offset| (0..8).map(move |bit| (offset, bit)));
        for (offset, bit) in bits.step_by(usize::try_from(stride)?) {
            if offset % scope.threads != thread {
                continue;
            }
            let told = format!("bit {bit} of byte {offset}");
            let before = loose.whole_before(offset);
            loose.disk.flip(&loose.path, offset, bit)?;
            judge(tally, &loose.rebooted, before, &told);
            tally.image();
            match recover(&loose.same) {
                // Only where too little follows to prove anything it is taken for a torn record.
                Ok(recovery) if recovery.last_seq() == before && last <= before + 2 => {}
                Err(OpenError::Read(ReadError::Corrupt(damage)))
                    if matches!(damage.fault, Found::ValidRecordFollows { .. })
                        && damage.last_seq == before => {}
                Ok(_) => tally.fault(Fault::Wrong, format!("{told}, same boot: opens")),
                Err(error) => tally.fault(Fault::Wrong, format!("{told}, same boot: {error}")),
            }
            loose.disk.flip(&loose.path, offset, bit)?;
            durable.disk.flip(&durable.path, offset, bit)?;
            durable.judge_damaged(tally, &durable.rebooted, before, &format!("durable {told}"));
            durable.disk.flip(&durable.path, offset, bit)?;
        }
        Ok(())
    })
}

/// Every subset of 16 pages over a segment that was used before: the others are still those of
/// its earlier life.
pub(crate) fn pages(scope: Scope) -> Outcome<Tally> {
    const PAGES: u64 = 16;
    const SUBSETS: u64 = 1 << PAGES;
    let stride = scope.stride(97);
    scope.spread(|thread, tally| {
        let fresh = || Tail::new(128 << 10, PAGES * PAGE, 0);
        let (tail, earlier) = (fresh()?, fresh()?);
        // Behind the beginning of a record that both lives have, a page may begin alike.
        let mut differ_at = Vec::new();
        for at in (0..PAGES).map(|page| PAGE + page * PAGE) {
            let pairs = tail.slice(at..at + PAGE)?.iter().zip(earlier.slice(at..at + PAGE)?);
            let alike = pairs.take_while(|(one, other)| one == other).count();
            differ_at.push(at + alike as u64);
        }
        let mut continued = 0;
        for kept in (0..SUBSETS).step_by(usize::try_from(stride)?) {
            if kept / stride % scope.threads != thread {
                continue;
            }
            let mut first_lost = u64::MAX;
            for (page, differs_at) in (0..PAGES).zip(&differ_at) {
                let at = PAGE + page * PAGE;
                let is_kept = kept >> page & 1 == 1;
                let from = if is_kept { &tail } else { &earlier };
                if !is_kept {
                    first_lost = first_lost.min(*differs_at);
                }
                tail.disk.poke(&tail.path, at, from.slice(at..at + PAGE)?)?;
            }
            let expected = tail.whole_before(first_lost);
            let told = format!("kept pages {kept:#018b}");
            judge(tally, &tail.rebooted, expected, &told);
            continued += 1;
            if continued % CONTINUED == 0 {
                let image = tail.disk.killed()?;
                check(tally, &image, NEXT_BOOT, Due { least: expected, most: expected }, &told)?;
            }
        }
        Ok(())
    })
}
