//! Following a journal beside its writer, and starting from a place within.

use std::convert::Infallible;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use uncross_journal::{Anchor, Found, ReadError, Recovery, ReplayError, Tail, kind, open_behind};

use crate::support::{
    Kept, PATIENCE, Random, append, files, hash_after, identity, never_flushing, open_dir,
    settings, writer,
};

/// The numbers of the caller's records up to `upto`, each compared with what was written.
fn follow(tail: &mut Tail, upto: u64) -> Result<Vec<u64>, ReplayError<Infallible>> {
    let mut seqs = Vec::new();
    tail.read(upto, |record| {
        if record.kind == kind::CHECKPOINT {
            assert_eq!(record.output_hash(), Some(hash_after(record.seq)));
        } else {
            assert_eq!(record.body, Kept::of(record.seq).body);
            seqs.push(record.seq);
        }
        Ok::<_, Infallible>(ControlFlow::Continue(()))
    })?;
    Ok(seqs)
}

/// The place behind record `seq`.
fn anchor(dir: &Path, seq: u64) -> Anchor {
    let mut tail = Tail::behind(dir, &Anchor::START).unwrap();
    follow(&mut tail, seq).unwrap();
    assert_eq!(tail.anchor().seq, seq);
    tail.anchor()
}

#[test]
fn a_tail_follows_the_writer_over_segments_and_reads_nothing_beyond_the_mark() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    let watermark = writer.watermark();
    let mut tail = Tail::behind(dir.path(), &Anchor::START).unwrap();
    let mut random = Random(11);
    let (mut last, mut read) = (0, 0);
    while last < 3_000 {
        let next = last + 1 + random.below(90);
        append(&mut writer, last + 1, next);
        last = next;
        if random.below(4) == 0 {
            writer.checkpoint(hash_after(last), last * 1_000).unwrap();
        }
        let upto = if random.below(3) == 0 { watermark.durable_seq() } else { last };
        assert!(watermark.wait_durable(upto, PATIENCE));
        let seqs = follow(&mut tail, upto).unwrap();
        assert_eq!(seqs, (read + 1..=upto).collect::<Vec<_>>(), "up to {upto}");
        assert_eq!(tail.anchor().seq, upto);
        read = upto;
    }
    writer.close().unwrap();
    assert!(3 < files(dir.path(), "seg").len());
    assert_eq!(follow(&mut tail, last).unwrap().len() as u64, last - read);
}

#[test]
fn a_tail_goes_on_from_any_record_as_if_it_had_read_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1_500);
    writer.close().unwrap();
    for seq in (0..=1_500).step_by(7).chain([1, 1_499, 1_500]) {
        let mut tail = Tail::behind(dir.path(), &anchor(dir.path(), seq)).unwrap();
        assert_eq!(follow(&mut tail, 1_500).unwrap(), (seq + 1..=1_500).collect::<Vec<_>>());
    }
}

#[test]
fn a_tail_that_is_told_to_stop_goes_on_behind_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 900);
    writer.close().unwrap();
    let mut tail = Tail::behind(dir.path(), &Anchor::START).unwrap();
    let mut seqs = Vec::new();
    while seqs.len() < 900 {
        tail.read(900, |record| {
            seqs.push(record.seq);
            let next = if record.seq % 7 == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            };
            Ok::<_, Infallible>(next)
        })
        .unwrap();
    }
    assert_eq!(seqs, (1..=900).collect::<Vec<_>>());
}

#[test]
fn what_is_durable_and_damaged_or_missing_stops_a_tail_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1_000);
    writer.close().unwrap();
    let first = files(dir.path(), "seg").remove(0);
    let mut tail = Tail::behind(dir.path(), &Anchor::START).unwrap();
    let Err(ReplayError::Read(ReadError::Corrupt(damage))) = follow(&mut tail, 1_001) else {
        panic!("a record was made up");
    };
    assert_eq!((damage.last_seq, damage.durable_seq), (1_000, Some(1_001)));
    let mut bytes = fs::read(&first).unwrap();
    bytes[9_000] ^= 1;
    let mut permissions = fs::metadata(&first).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test alone")]
    permissions.set_readonly(false);
    fs::set_permissions(&first, permissions).unwrap();
    fs::write(&first, &bytes).unwrap();
    let mut tail = Tail::behind(dir.path(), &Anchor::START).unwrap();
    let Err(ReplayError::Read(ReadError::Corrupt(damage))) = follow(&mut tail, 1_000) else {
        panic!("a damaged record was read");
    };
    assert!(damage.path == first && damage.offset <= 9_000, "{damage}");
    fs::remove_file(&first).unwrap();
    let mut tail = Tail::behind(dir.path(), &Anchor::START).unwrap();
    assert!(matches!(
        follow(&mut tail, 1_000),
        Err(ReplayError::Read(ReadError::SegmentMissing { number: 1, .. }))
    ));
}

fn replayed_behind(recovery: &mut Recovery, anchor: &Anchor) -> Vec<u64> {
    let mut seqs = Vec::new();
    recovery
        .replay_behind(Some(anchor), |record| {
            if record.kind != kind::CHECKPOINT {
                assert_eq!(record.body, Kept::of(record.seq).body);
                seqs.push(record.seq);
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
    seqs
}

#[test]
fn a_start_behind_an_anchor_replays_the_rest_and_leaves_the_same_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = writer(dir.path(), &settings());
    append(&mut first, 1, 1_500);
    first.close().unwrap();
    let mut last = 1_500;
    for seq in [0, 1, 300, 777, 1_400, 1_500] {
        let anchor = anchor(dir.path(), seq);
        let mut recovery =
            open_behind(dir.path(), &settings(), &identity(), Some(&anchor)).unwrap();
        assert_eq!((recovery.find(&anchor).unwrap(), recovery.last_seq()), (Found::There, last));
        assert_eq!(recovery.last_time_ns(), last * 1_000);
        assert_eq!(replayed_behind(&mut recovery, &anchor), (seq + 1..=last).collect::<Vec<_>>());
        let mut writer = recovery.into_writer(last * 1_000, hash_after(last)).unwrap();
        append(&mut writer, last + 1, last + 200);
        last += 200;
        writer.close().unwrap();
    }
    let report = crate::support::verify(dir.path());
    assert_eq!((report.last_seq, report.torn), (last, None));
}

#[test]
fn an_anchor_of_other_records_or_beyond_the_end_is_found_out() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (dir, records) in [(&dir, 700), (&other, 900)] {
        let mut writer = writer(dir.path(), &never_flushing());
        append(&mut writer, 1, records);
        writer.close().unwrap();
    }
    let recovery = open_dir(dir.path(), &settings()).unwrap();
    for seq in [1, 500, 700] {
        let there = anchor(dir.path(), seq);
        assert_eq!(recovery.find(&there).unwrap(), Found::There);
        for wrong in [
            Anchor { record_crc: there.record_crc ^ 1, ..there },
            Anchor { offset: there.offset - 64, ..there },
            Anchor { seq: seq - 1, ..there },
        ] {
            assert_eq!(recovery.find(&wrong).unwrap(), Found::Elsewhere, "{wrong:?}");
        }
        // The same records, in a journal with another salt.
        assert_eq!(recovery.find(&anchor(other.path(), seq)).unwrap(), Found::Elsewhere);
    }
    let beyond = recovery.find(&anchor(other.path(), 900)).unwrap();
    assert_eq!(beyond, Found::Beyond);
    let there = anchor(dir.path(), 700);
    let far = Anchor { segment_number: there.segment_number + 1, ..there };
    assert_eq!(recovery.find(&far).unwrap(), Found::Beyond);
}

#[test]
fn a_passed_segment_that_was_replaced_does_not_fit_its_neighbour() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&dir, &other] {
        let mut writer = writer(dir.path(), &settings());
        append(&mut writer, 1, 1_500);
        writer.close().unwrap();
    }
    let end = anchor(dir.path(), 1_500);
    let first = files(dir.path(), "seg").remove(0);
    fs::remove_file(&first).unwrap();
    fs::copy(&files(other.path(), "seg")[0], &first).unwrap();
    let opened = open_behind(dir.path(), &settings(), &identity(), Some(&end));
    assert!(matches!(opened, Err(uncross_journal::OpenError::Read(ReadError::Corrupt(_)))));
}
