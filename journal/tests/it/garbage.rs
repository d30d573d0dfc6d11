//! Any bytes in the files of a journal: readers and recovery answer, and what they deliver was
//! written.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uncross_journal::format::{
    Footer, SIDECAR_SLOT_STRIDE_BYTES, SegmentHeader, SidecarSlot, data_end,
};
use uncross_journal::{Reader, kind};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::support::{Kept, Random, append, image, open_dir, settings, writer};

/// Rounds of each kind of damage.
const ROUNDS: u64 = 300;
const RECORDS: u64 = 1_200;

/// A journal of sealed segments and an open one, as a killed process leaves it.
fn good() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, RECORDS);
    let image = image(dir.path());
    writer.close().unwrap();
    image
}

fn pick(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap()
}

fn paths(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Reads, verifies and recovers what is in `dir`; returns how many records came back, which must
/// be the first ones as far as `is_exact`.
fn answer(dir: &Path, is_exact: bool, context: &str) -> u64 {
    let check = |due: u64, seq: u64, kind: u8, body: &[u8]| {
        if is_exact {
            let kept = Kept::of(due);
            assert_eq!((seq, kind, body), (due, kept.kind, kept.body.as_slice()), "{context}");
        }
    };
    if let Ok(reader) = Reader::open(dir) {
        let mut due = reader.first_seq();
        let _end = reader.for_each(|record| {
            if record.kind != kind::CHECKPOINT {
                check(due, record.seq, record.kind, record.body);
                due += 1;
            }
            Ok::<_, Infallible>(())
        });
    }
    let _report = Reader::verify(dir, |_| {});
    let mut count = 0;
    if let Ok(mut recovery) = open_dir(dir, &settings()) {
        let done = recovery.replay(|record| {
            if record.kind != kind::CHECKPOINT {
                count += 1;
                check(count, record.seq, record.kind, record.body);
            }
            Ok::<_, Infallible>(())
        });
        if done.is_ok()
            && let Ok(writer) = recovery.into_writer(u64::MAX / 2, 0)
        {
            let _closed = writer.close();
        }
    }
    count
}

#[test]
fn any_damage_to_any_file_is_answered_and_nothing_false_is_delivered() {
    let good = good();
    let mut whole = 0;
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let dir = image(good.path());
        let files = paths(dir.path());
        let path = &files[pick(&mut random, files.len())];
        let mut bytes = fs::read(path).unwrap();
        let (from, len) = (pick(&mut random, bytes.len()), 1 + pick(&mut random, 200));
        let end = bytes.len().min(from + len);
        match random.below(7) {
            0 => bytes.truncate(from),
            1 => bytes[from..end].fill_with(|| random.next().to_le_bytes()[0]),
            2 => bytes[from..].fill_with(|| random.next().to_le_bytes()[0]),
            3 => bytes[from..end].fill(0),
            4 => bytes[..end - from].fill_with(|| random.next().to_le_bytes()[0]),
            5 => bytes.extend(vec![0xA5; len]),
            _ => bytes.clear(),
        }
        fs::write(path, &bytes).unwrap();
        let count = answer(dir.path(), true, &format!("seed {seed}: {}", path.display()));
        whole += u64::from(count == RECORDS);
    }
    // The checks above look at something: damage behind the last record, for one, costs nothing.
    assert!(0 < whole && whole < ROUNDS, "{whole} of {ROUNDS}");
}

/// Puts a strange number somewhere into a structure in `path` and makes its checksum right.
fn forge<T: FromBytes + IntoBytes + KnownLayout + Immutable>(
    (path, at): (&Path, usize),
    (random, highest): (&mut Random, Option<usize>),
    seal: impl FnOnce(&mut T),
) {
    let mut bytes = fs::read(path).unwrap();
    let Some(place) = bytes.get_mut(at..at + size_of::<T>()) else { return };
    // The numbers of all of them are in the first 128 bytes. Each is once the highest there is.
    let fields = size_of::<T>().min(128) / 4 - 1;
    for _ in 0..=random.below(2) {
        let field = 4 * highest.unwrap_or_else(|| pick(random, fields)).min(fields - 1);
        let strange = match random.below(5) {
            _ if highest.is_some() => u64::MAX,
            0 => 0,
            1 => u64::MAX,
            2 => 1 << random.below(64),
            3 => random.below(1 << 17),
            _ => random.next(),
        };
        place[field..field + 8].copy_from_slice(&strange.to_le_bytes());
    }
    seal(T::mut_from_bytes(place).unwrap());
    fs::write(path, &bytes).unwrap();
}

#[test]
fn numbers_that_make_no_sense_under_a_right_checksum_are_answered() {
    let good = good();
    let stride = usize::try_from(SIDECAR_SLOT_STRIDE_BYTES).unwrap();
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let dir = image(good.path());
        let files = paths(dir.path());
        let segments: Vec<_> =
            files.iter().filter(|path| !path.ends_with("durable")).cloned().collect();
        let segment = &segments[pick(&mut random, segments.len())];
        let highest = usize::try_from(seed / 4).ok().filter(|&field| field < 32);
        match seed % 4 {
            0 => forge::<SegmentHeader>((segment, 0), (&mut random, highest), |it| {
                let crc = it.checksum();
                it.crc.set(crc);
            }),
            1 => {
                let at = usize::try_from(data_end(64 << 10)).unwrap();
                forge::<Footer>((segment, at), (&mut random, highest), |it| {
                    let crc = it.checksum();
                    it.crc.set(crc);
                });
            }
            _ => {
                for at in [0, stride] {
                    let path = dir.path().join("durable");
                    forge::<SidecarSlot>((&path, at), (&mut random, highest), |it| {
                        let crc = it.checksum();
                        it.crc.set(crc);
                    });
                }
            }
        }
        answer(dir.path(), false, &format!("seed {seed}"));
    }
}
