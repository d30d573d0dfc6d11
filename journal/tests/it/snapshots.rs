//! Snapshot files on the simulated disk: what is published is whole, and what fails loses nothing.

use std::path::{Path, PathBuf};

use uncross_journal::sim::{Fault, Lasts, Loss, SimDisk};
use uncross_journal::{
    Anchor, DiskError, Fault as Wrong, Foreign, Settings, SnapshotError, SnapshotHead, Snapshots,
    Terms,
};

use crate::support::{Random, settings};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const TERMS: Terms =
    Terms { salt: 0xFEED, behaviour_version: 4, body_version: 1, capacity_hash: [3; 32] };

fn on(disk: &SimDisk) -> Snapshots {
    let settings = Settings { storage: disk.storage(), ..settings() };
    Snapshots::on(Path::new("/sim/journal"), &settings)
}

fn empty() -> SimDisk {
    let disk = SimDisk::new();
    disk.put(Path::new("/sim/journal/durable"), b"").unwrap();
    disk
}

fn head(seq: u64) -> SnapshotHead {
    let (segment_number, offset) = (seq / 100 + 1, 4096 + seq * 64);
    let anchor = Anchor { seq, segment_number, offset, record_crc: 0x1234_5678 };
    let (state_hash, output_hash) = ([9; 32], seq ^ 0xABCD);
    SnapshotHead { anchor, time_ns: seq * 1_000, terms: TERMS, state_hash, output_hash }
}

/// Three pages and a bit.
fn body(seq: u64) -> Vec<u8> {
    let mut random = Random(seq);
    (0..13_000).map(|_| random.next().to_le_bytes()[0]).collect()
}

fn write(snapshots: &Snapshots, seq: u64) -> Result<PathBuf, DiskError> {
    let draft = snapshots.draft(&head(seq), &body(seq), || ())?;
    match snapshots.reread(&draft) {
        Ok(read) => assert_eq!(read, (head(seq), body(seq))),
        Err(SnapshotError::Disk(error)) => return Err(error),
        Err(error) => panic!("{error}"),
    }
    snapshots.publish(draft)
}

/// The sequence numbers of those that are whole, the newest one first; none may be anything else.
fn whole(snapshots: &Snapshots, context: &str) -> Vec<u64> {
    let listed = snapshots.list().unwrap();
    for view in &listed {
        let read = snapshots.read(&view.path);
        let (found, bytes) = read.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!((found, bytes), (head(view.seq), body(view.seq)), "{context}");
    }
    listed.iter().map(|view| view.seq).collect()
}

#[test]
fn the_last_two_are_kept_and_read_back_as_they_were_written() {
    let disk = empty();
    let snapshots = on(&disk);
    assert!(snapshots.list().unwrap().is_empty());
    for (seq, kept) in [(100, vec![100]), (250, vec![250, 100]), (900, vec![900, 250])] {
        let path = write(&snapshots, seq).unwrap();
        assert_eq!(whole(&snapshots, "written"), kept);
        let (found, len) = snapshots.head(&path).unwrap();
        assert_eq!((found, len), (head(seq), 4096 + 13_000));
    }
    assert_eq!(head(900).check(&TERMS), Ok(()));
    let first = snapshots.dir().join("00000000000000000100.snap");
    assert!(snapshots.read(&first).unwrap_err().is_gone() && snapshots.list().unwrap().len() == 2);
}

#[test]
fn a_damaged_one_is_not_counted_among_the_two() {
    let disk = empty();
    let snapshots = on(&disk);
    write(&snapshots, 100).unwrap();
    let damaged = write(&snapshots, 200).unwrap();
    disk.flip(&damaged, 9, 1).unwrap();
    write(&snapshots, 300).unwrap();
    let listed: Vec<u64> = snapshots.list().unwrap().iter().map(|view| view.seq).collect();
    assert_eq!(listed, [300, 200, 100], "the damaged one took the place of a good one");
    write(&snapshots, 400).unwrap();
    assert_eq!(whole(&snapshots, "after the next"), [400, 300]);
}

#[test]
fn a_failing_operation_loses_no_snapshot_and_publishes_no_half_one() {
    let mut points = 0;
    for errno in [EIO, ENOSPC] {
        for lasts in [Lasts::Once, Lasts::Changes, Lasts::Everything] {
            for at in 1.. {
                let disk = empty();
                let snapshots = on(&disk);
                write(&snapshots, 100).unwrap();
                write(&snapshots, 200).unwrap();
                disk.fail(Fault { at: disk.operations() + at, errno, lasts });
                let written = write(&snapshots, 300);
                let failed = disk.failed();
                let context = format!("errno {errno}, {lasts:?}, operation {at}: {failed:?}");
                let Some(_) = failed else {
                    written.unwrap();
                    break;
                };
                points += 1;
                for image in [disk.killed().unwrap(), disk.cut(Loss::Everything).unwrap()]
                    .into_iter()
                    .chain((0..8).map(|seed| disk.cut(Loss::Some(seed)).unwrap()))
                {
                    let found = whole(&on(&image), &context);
                    assert!(found.contains(&200), "{context}: {found:?}");
                    // The next run goes on as if nothing had been.
                    write(&on(&image), 400).unwrap();
                    assert_eq!(whole(&on(&image), &context)[0], 400, "{context}");
                }
                disk.heal();
                write(&snapshots, 500).unwrap();
                assert_eq!(whole(&snapshots, &context)[0], 500, "{context}");
                let files = disk.files();
                assert!(files.iter().all(|path| !path.ends_with("part")), "{context}: {files:?}");
            }
        }
    }
    assert!(40 < points, "only {points} operations failed");
}

#[test]
fn a_power_cut_at_any_operation_leaves_whole_ones_only() {
    for at in 1..60 {
        let disk = empty();
        let snapshots = on(&disk);
        write(&snapshots, 100).unwrap();
        disk.fail(Fault { at: disk.operations() + at, errno: EIO, lasts: Lasts::Changes });
        let _written = write(&snapshots, 200);
        for seed in 0..32 {
            let image = disk.cut(Loss::Some(seed)).unwrap();
            let context = format!("cut at operation {at}, seed {seed}");
            let found = whole(&on(&image), &context);
            assert!(found.contains(&100), "{context}: {found:?}");
        }
    }
}

#[test]
fn every_bit_that_turns_is_found() {
    let disk = empty();
    let snapshots = on(&disk);
    let path = write(&snapshots, 100).unwrap();
    let len = disk.bytes(&path).unwrap().len() as u64;
    let every = (0..200).chain((200..len).step_by(61)).chain(4092..4100);
    for offset in every {
        disk.flip(&path, offset, 5).unwrap();
        let error = snapshots.read(&path).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Damaged { .. } | SnapshotError::Version { .. }),
            "byte {offset}: {error}"
        );
        disk.flip(&path, offset, 5).unwrap();
    }
    whole(&snapshots, "all bits are back");
}

#[test]
fn a_file_cut_short_or_under_a_wrong_name_is_refused_with_expected_and_found() {
    let disk = empty();
    let snapshots = on(&disk);
    let path = write(&snapshots, 100).unwrap();
    let bytes = disk.bytes(&path).unwrap();
    for len in [0, 100, 4095, 4096, 5_000, bytes.len() - 1] {
        disk.put(&path, &bytes[..len]).unwrap();
        let error = snapshots.read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("length of the file is {len}, due was")), "{error}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    disk.put(&path, &longer).unwrap();
    assert!(snapshots.read(&path).unwrap_err().to_string().contains("is 17097, due was 17096"));
    disk.put(&path, &bytes).unwrap();
    let other = path.with_file_name("00000000000000000101.snap");
    disk.put(&other, &bytes).unwrap();
    let error = snapshots.read(&other).unwrap_err();
    let SnapshotError::Damaged { fault: Wrong::Field { expected, found, .. }, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((expected, found), (101, 100));
}

#[test]
fn what_is_of_another_journal_or_venue_says_so() {
    let cases = [
        (Terms { salt: 1, ..TERMS }, Foreign::Journal { expected: 1, found: 0xFEED }),
        (Terms { behaviour_version: 5, ..TERMS }, Foreign::Behaviour { expected: 5, found: 4 }),
        (Terms { body_version: 2, ..TERMS }, Foreign::Body { expected: 2, found: 1 }),
        (Terms { capacity_hash: [0; 32], ..TERMS }, Foreign::Capacity),
    ];
    for (terms, expected) in cases {
        assert_eq!(head(7).check(&terms), Err(expected));
    }
}
