//! Journals that are sound, but not of this venue: a start refuses them and takes no record away.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uncross_server::{
    journal::{AppendError, Entry, Identity, Reader, Record, ReplayError, Settings, kind, open},
    record::{RecordError, capacity_body},
    replica::ApplyError,
    venue::error::StartError,
};
use zerocopy::IntoBytes;

use crate::harness::TestVenue;

const PATIENCE: Duration = Duration::from_secs(20);

/// Kind, time and body of each record.
type Written<'a> = &'a [(u8, u64, &'a [u8])];

/// Writes a journal of these records, by an engine of this version.
fn write(dir: &Path, behaviour_version: u32, records: Written<'_>) {
    let identity = Identity { behaviour_version, config_hash: [0; 32], build_id: [0; 32] };
    let settings = Settings { segment_len_bytes: 1 << 20, ..Settings::default() };
    let mut recovery = open(dir, &settings, &identity).unwrap();
    recovery.replay(|_| Ok::<(), ()>(())).unwrap();
    let mut writer = recovery.into_writer(1, 0).unwrap();
    for (seq, &(kind, time_ns, body)) in (1..).zip(records) {
        while let Err(error) = writer.append(Entry { seq, time_ns, kind, flags: 0, body }, 0) {
            assert!(matches!(error, AppendError::NotReady), "{error}");
            assert!(writer.watermark().wait_prepared(1, PATIENCE));
        }
    }
    writer.close().unwrap();
}

/// The venue's records of a journal.
fn records_of(dir: &Path) -> Vec<(u64, u8, Vec<u8>)> {
    let mut records = Vec::new();
    let each = |record: Record<'_>| {
        if kind::is_callers(record.kind) {
            records.push((record.seq, record.kind, record.body.to_vec()));
        }
        Ok::<(), ()>(())
    };
    Reader::open(dir).unwrap().for_each(each).unwrap();
    records
}

/// What a start says of a venue whose journal is this one.
fn start_on(behaviour_version: u32, records: impl Fn(&[u8], u64) -> StartRecords) -> StartError {
    let mut venue = TestVenue::start();
    venue.stop();
    let journal = venue.dir().journal();
    std::fs::remove_dir_all(&journal).unwrap();
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let first = capacity_body(&venue.config.capacity);
    let records = records(first.as_bytes(), u64::try_from(now_ns).unwrap());
    let records: Vec<_> =
        records.iter().map(|(kind, time, body)| (*kind, *time, &**body)).collect();
    write(&journal, behaviour_version, &records);
    let before = records_of(&journal);
    let error = venue.restart().unwrap_err();
    assert_eq!(records_of(&journal), before, "{error}");
    error
}

/// Records that own their bodies.
type StartRecords = Vec<(u8, u64, Vec<u8>)>;

const VERSION: u32 = uncross_engine::BEHAVIOUR_VERSION;

#[test]
fn a_journal_of_another_engine_is_refused_with_both_versions() {
    let error = start_on(VERSION + 1, |first, now| vec![(kind::CONFIGURATION, now, first.into())]);
    let is_due = matches!(
        error,
        StartError::Behaviour { expected: VERSION, found } if found == VERSION + 1
    );
    assert!(is_due, "{error}");
}

/// A kind that the journal keeps for callers and that none of them writes.
const NO_KIND: u8 = 0x09;

#[test]
fn a_journal_whose_records_are_none_of_a_venue_is_refused_with_the_record() {
    let record_error = |error: StartError| match error {
        StartError::Replay(ReplayError::Apply(ApplyError::Record { seq, error })) => (seq, error),
        other => panic!("{other}"),
    };
    let error = start_on(VERSION, |_, now| vec![(kind::TICK, now, vec![])]);
    assert_eq!(record_error(error), (1, RecordError::Kind { found: kind::TICK }));
    let error = start_on(VERSION, |first, now| {
        vec![(kind::CONFIGURATION, now, first.into()), (NO_KIND, now, vec![1, 2])]
    });
    assert_eq!(record_error(error), (2, RecordError::Kind { found: NO_KIND }));
    let error = start_on(VERSION, |first, now| {
        vec![(kind::CONFIGURATION, now, first.into()), (kind::ENTER, now, vec![0; 39])]
    });
    let short = RecordError::Short { kind: kind::ENTER, expected: 40, found: 39 };
    assert_eq!(record_error(error), (2, short));
    let error = start_on(VERSION, |first, now| {
        vec![(kind::CONFIGURATION, now, first.into()), (kind::CONFIGURATION, now, vec![b'?'; 40])]
    });
    assert_eq!(record_error(error), (2, RecordError::Subject { found: b'?' }));
    let error = start_on(VERSION, |_, now| {
        let impossible = [&b"C\0\0\0"[..], &[0xFF; 32]].concat();
        vec![(kind::CONFIGURATION, now, impossible)]
    });
    assert!(matches!(record_error(error), (1, RecordError::Capacity { .. })));
}

#[test]
fn a_journal_whose_time_falls_or_is_ahead_of_the_clock_is_refused() {
    let error = start_on(VERSION, |first, now| {
        vec![(kind::CONFIGURATION, now, first.into()), (kind::TICK, now - 1, vec![])]
    });
    let is_due =
        matches!(error, StartError::Replay(ReplayError::Apply(ApplyError::Time { seq: 2, .. })));
    assert!(is_due, "{error}");
    let hour_ns = 3_600_000_000_000;
    let error = start_on(VERSION, |first, now| {
        vec![(kind::CONFIGURATION, now, first.into()), (kind::TICK, now + hour_ns, vec![])]
    });
    let is_due = matches!(
        error,
        StartError::ClockBehind { behind_ns } if hour_ns / 2 < behind_ns && behind_ns <= hour_ns
    );
    assert!(is_due, "{error}");
}
