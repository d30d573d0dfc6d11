//! Tails as a crash may leave them: what recovery returns is a prefix, never wrong, never short of
//! what was durable.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use uncross_journal::{Fault, OpenError, Operation, ReadError, Reader, Settings};

use crate::images::Gate;
use crate::support::{
    BOOT_B, Kept, PATIENCE, Random, append, assert_prefix, files, image, never_flushing, open_dir,
    open_segment, replayed, settings, verify, writer,
};

const PAGE: u64 = 4096;

/// An image of a journal of one open segment, to be damaged and mended again.
struct Tail {
    dir: TempDir,
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    /// End of each record, the first at index 0.
    ends: Vec<u64>,
}

impl Tail {
    fn of(dir: TempDir, records: u64) -> Self {
        let path = open_segment(dir.path());
        let bytes = fs::read(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let mut end = PAGE;
        let ends = (1..=records)
            .map(|seq| {
                end += Kept::of(seq).len_bytes();
                end
            })
            .collect();
        Self { dir, path, file, bytes, ends }
    }

    /// Nothing of it was flushed.
    fn unflushed(records: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path(), &never_flushing());
        append(&mut writer, 1, records);
        Self::of(image(dir.path()), records)
    }

    /// Records up to `durable` were flushed.
    fn flushed(records: u64, durable: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate::new(Operation::SyncPages, "open"));
        let mut writer = writer(dir.path(), &Settings { probe: Some(gate.probe()), ..settings() });
        append(&mut writer, 1, durable);
        assert!(writer.watermark().wait_durable(durable, PATIENCE));
        gate.close();
        append(&mut writer, durable + 1, records);
        // The flusher stands before its next sync: it has noted the one before.
        gate.wait();
        let tail = Self::of(image(dir.path()), records);
        gate.open();
        tail
    }

    fn end(&self) -> u64 {
        *self.ends.last().unwrap()
    }

    /// Records that end at or before `offset`.
    fn whole_before(&self, offset: u64) -> u64 {
        self.ends.partition_point(|end| *end <= offset) as u64
    }

    fn put(&self, offset: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset).unwrap();
    }

    fn mend(&self, offset: u64, len: usize) {
        let start = usize::try_from(offset).unwrap();
        self.put(offset, &self.bytes[start..start + len]);
    }

    fn flip(&self, offset: u64, bit: u64) {
        let byte = self.bytes[usize::try_from(offset).unwrap()];
        self.put(offset, &[byte ^ (1 << bit)]);
    }

    /// The last sequence number recovered; every 61st time the records are compared as well.
    fn recovered(&self, settings: &Settings, context: &str) -> Result<u64, OpenError> {
        let mut recovery = open_dir(self.dir.path(), settings)?;
        let last = recovery.last_seq();
        if last % 61 == 0 {
            assert_prefix(&replayed(&mut recovery), last, context);
        }
        Ok(last)
    }
}

fn rebooted() -> Settings {
    Settings { boot_id: Some(BOOT_B), ..settings() }
}

fn corrupt(error: OpenError) -> uncross_journal::Damage {
    match error {
        OpenError::Read(ReadError::Corrupt(damage)) => *damage,
        other => panic!("{other}"),
    }
}

/// Records that fill most of a shortest segment.
const RECORDS: u64 = 300;

#[test]
fn every_byte_cut_leaves_the_whole_records_before_it() {
    let tail = Tail::unflushed(150);
    let zeros = vec![0; usize::try_from(tail.end() - PAGE).unwrap()];
    for cut in (PAGE..=tail.end()).rev() {
        tail.put(cut, &zeros[..usize::try_from(tail.end() - cut).unwrap()]);
        let context = format!("cut at {cut}");
        // A cut within zeros loses nothing.
        let start = usize::try_from(cut).unwrap();
        let written = tail.bytes[start..].iter().position(|byte| *byte != 0);
        let first_lost = written.map_or(u64::MAX, |skip| cut + skip as u64);
        let expected = tail.whole_before(first_lost);
        for settings in [settings(), rebooted()] {
            assert_eq!(tail.recovered(&settings, &context).unwrap(), expected, "{context}");
        }
    }
}

#[test]
fn a_flip_in_an_unflushed_tail_leaves_the_records_before_it() {
    let tail = Tail::unflushed(RECORDS);
    for offset in PAGE..tail.end() {
        let bit = offset % 8;
        tail.flip(offset, bit);
        let context = format!("bit {bit} of byte {offset}");
        let expected = tail.whole_before(offset);
        assert_eq!(tail.recovered(&rebooted(), &context).unwrap(), expected, "{context}");
        tail.mend(offset, 1);
    }
}

#[test]
fn without_a_reboot_a_flip_before_valid_records_is_corruption() {
    let tail = Tail::unflushed(RECORDS);
    let mut torn = 0;
    for offset in (PAGE..tail.end()).step_by(7) {
        tail.flip(offset, offset % 8);
        let context = format!("byte {offset}");
        let before = tail.whole_before(offset);
        match tail.recovered(&settings(), &context) {
            // Only where too little follows to prove anything is it taken for a torn record.
            Ok(last) => {
                assert_eq!(last, before, "{context}");
                assert!(RECORDS <= before + 2, "{context}");
                torn += 1;
            }
            Err(error) => {
                let damage = corrupt(error);
                assert!(matches!(damage.fault, Fault::ValidRecordFollows { .. }), "{damage}");
                assert_eq!(damage.last_seq, before, "{context}");
            }
        }
        tail.mend(offset, 1);
    }
    assert!(0 < torn, "the last record can be torn");
}

#[test]
fn nothing_at_or_below_the_watermark_is_ever_given_up() {
    const DURABLE: u64 = 200;
    let tail = Tail::flushed(RECORDS, DURABLE);
    let durable_end = tail.ends[usize::try_from(DURABLE).unwrap() - 1];
    for offset in (PAGE..tail.end()).step_by(3) {
        tail.flip(offset, offset % 8);
        let context = format!("byte {offset}");
        let before = tail.whole_before(offset);
        let recovered = tail.recovered(&rebooted(), &context);
        if offset < durable_end {
            let damage = corrupt(recovered.unwrap_err());
            let start = before
                .checked_sub(1)
                .map_or(PAGE, |index| tail.ends[usize::try_from(index).unwrap()]);
            assert_eq!((damage.path.as_path(), damage.offset), (tail.path.as_path(), start));
            assert_eq!(damage.durable_seq, Some(DURABLE), "{context}");
            assert_eq!(damage.last_seq, before, "{context}");
            let text = damage.to_string();
            assert!(text.contains("durable up to 200") && text.contains("at offset"), "{text}");
        } else {
            assert_eq!(recovered.unwrap(), before, "{context}");
        }
        tail.mend(offset, 1);
    }
    // Gone altogether, as if the pages had never been written.
    tail.put(PAGE, &vec![0; usize::try_from(tail.end() - PAGE).unwrap()]);
    let damage = corrupt(tail.recovered(&rebooted(), "all gone").unwrap_err());
    assert_eq!((damage.fault, damage.durable_seq), (Fault::Unwritten, Some(DURABLE)));
    let error = Reader::verify(tail.dir.path(), |_| {}).unwrap_err();
    assert!(matches!(error, ReadError::Corrupt(found) if *found == damage));
}

#[test]
fn any_subset_of_lost_pages_leaves_the_records_before_the_first() {
    let tail = Tail::unflushed(RECORDS);
    let pages = (tail.end() - PAGE).div_ceil(PAGE);
    let zeros = vec![0; usize::try_from(PAGE).unwrap()];
    let mut random = Random(0x5EED);
    let all_of_ten = 0..1_u64 << 10;
    let sample: Vec<u64> = (0..1000).map(|_| random.below(1 << pages)).collect();
    for lost in all_of_ten.chain(sample) {
        let mut first = u64::MAX;
        for page in (0..pages).filter(|page| lost >> page & 1 == 1) {
            let at = PAGE + page * PAGE;
            first = first.min(at);
            tail.put(at, &zeros);
        }
        let context = format!("lost pages {lost:#b}, seed 0x5EED");
        let expected = tail.whole_before(first);
        assert_eq!(tail.recovered(&rebooted(), &context).unwrap(), expected, "{context}");
        tail.mend(PAGE, usize::try_from(pages * PAGE).unwrap());
    }
}

#[test]
fn a_flip_in_a_header_page_or_link_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 800);
    writer.close().unwrap();
    let path = open_segment(dir.path());
    let bytes = fs::read(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for offset in (0..PAGE).filter(|offset| *offset < 256 || 4000 < *offset || offset % 5 == 0) {
        let byte = bytes[usize::try_from(offset).unwrap()];
        file.write_all_at(&[byte ^ (1 << (offset % 8))], offset).unwrap();
        let damage = corrupt(open_dir(dir.path(), &rebooted()).unwrap_err());
        assert_eq!(damage.path, path, "byte {offset}");
        assert_eq!(damage.offset, if offset < 4032 { 0 } else { 4032 }, "byte {offset}");
        file.write_all_at(&[byte], offset).unwrap();
    }
    drop(open_dir(dir.path(), &rebooted()).unwrap());
}

#[test]
fn a_damaged_sidecar_slot_leaves_the_other_and_two_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 50);
    writer.close().unwrap();
    let path = dir.path().join("durable");
    let bytes = fs::read(&path).unwrap();
    for (slot, byte) in [0, 512].into_iter().flat_map(|slot| (0..128).map(move |at| (slot, at))) {
        let mut damaged = bytes.clone();
        damaged[slot + byte] ^= 1 << (byte % 8);
        fs::write(&path, &damaged).unwrap();
        assert_eq!(open_dir(dir.path(), &settings()).unwrap().last_seq(), 50, "{slot} {byte}");
    }
    fs::write(&path, vec![0; bytes.len()]).unwrap();
    let error = open_dir(dir.path(), &settings()).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::WatermarkDamaged { .. })), "{error}");
    fs::remove_file(&path).unwrap();
    let error = open_dir(dir.path(), &settings()).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::WatermarkMissing { .. })), "{error}");
}

#[test]
fn a_torn_tail_is_copied_aside_zeroed_and_written_over() {
    let tail = Tail::unflushed(100);
    let dir = tail.dir.path();
    let last_start = tail.ends[98];
    tail.put(last_start + 9, b"torn");
    let recovery = open_dir(dir, &settings()).unwrap();
    let torn = recovery.torn().unwrap().clone();
    assert_eq!(
        (torn.segment.as_path(), torn.offset, torn.last_seq),
        (tail.path.as_path(), last_start, 99)
    );
    assert_eq!(files(dir, "bin"), Vec::<PathBuf>::new(), "opening changes nothing");
    let mut writer = recovery.into_writer(0, 0).unwrap();
    let copy = torn.copy.unwrap();
    assert_eq!(copy.file_name().unwrap(), "torn-100-1.bin");
    let kept = fs::read(&copy).unwrap();
    assert_eq!(kept.len() as u64, torn.len_bytes);
    assert_eq!(&kept[9..13], b"torn");
    let start = usize::try_from(last_start).unwrap();
    assert!(fs::read(&tail.path).unwrap()[start..].iter().all(|byte| *byte == 0));
    append(&mut writer, 100, 120);
    writer.close().unwrap();
    assert_prefix(&replayed(&mut open_dir(dir, &settings()).unwrap()), 120, "written over");
    assert_eq!(verify(dir).torn, None);
}

#[test]
fn records_of_an_earlier_life_never_validate() {
    // The same records in two lives: only salt and chain differ.
    let earlier = Tail::unflushed(RECORDS);
    let later = Tail::unflushed(100);
    for (from, to) in [(100, 300), (1, 300), (100, 101)] {
        let start = later.ends[usize::try_from(from).unwrap().max(1) - 1].max(PAGE);
        let end = earlier.ends[to - 1];
        let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        later.put(start, &earlier.bytes[range]);
        let before = later.whole_before(start);
        assert_eq!(later.recovered(&rebooted(), "stale").unwrap(), before);
        later.mend(PAGE, later.bytes.len() - usize::try_from(PAGE).unwrap());
    }
    // The earlier life's whole data under the later one's header page.
    later.put(PAGE, &earlier.bytes[usize::try_from(PAGE).unwrap()..]);
    assert_eq!(later.recovered(&rebooted(), "all stale").unwrap(), 0);
}

#[test]
fn a_record_in_the_place_of_another_never_validates() {
    let tail = Tail::unflushed(100);
    let single: Vec<u64> = (2..100).filter(|seq| Kept::of(*seq).len_bytes() == 64).collect();
    for pair in single.windows(2) {
        let [first, second] = pair else { unreachable!("windows of two") };
        let [at, from] =
            [first, second].map(|seq| tail.ends[usize::try_from(*seq).unwrap() - 1] - 64);
        let start = usize::try_from(from).unwrap();
        tail.put(at, &tail.bytes[start..start + 64]);
        assert_eq!(tail.recovered(&rebooted(), "moved").unwrap(), first - 1);
        tail.mend(at, 64);
    }
}

#[test]
fn a_missing_segment_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1500);
    writer.close().unwrap();
    let remove = |dir: &Path, path: &Path| {
        let copy = image(dir);
        fs::remove_file(copy.path().join(path.file_name().unwrap())).unwrap();
        open_dir(copy.path(), &settings()).unwrap_err()
    };
    let sealed = files(dir.path(), "seg");
    for (path, expected) in sealed.iter().chain([&open_segment(dir.path())]).zip(1..) {
        match remove(dir.path(), path) {
            OpenError::Read(ReadError::SegmentMissing { number, .. }) => {
                assert_eq!(number, expected, "{}", path.display());
            }
            other => panic!("{}: {other}", path.display()),
        }
    }
}

#[test]
fn damage_in_a_sealed_segment_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1000);
    writer.close().unwrap();
    let copy = image(dir.path());
    let path = files(copy.path(), "seg").remove(0);
    let bytes = fs::read(&path).unwrap();
    for offset in (0..bytes.len()).step_by(149) {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let error = Reader::verify(copy.path(), |_| {}).unwrap_err();
        assert!(matches!(&error, ReadError::Corrupt(damage) if damage.path == path), "{error}");
    }
}
