//! Records as lines, of every kind and of none.

use std::{collections::BTreeSet, io};

use proptest::prelude::*;
use uncross_engine::{
    command::{Act, Target},
    instrument::Instrument,
};
use uncross_server::{
    audit::{
        cat::{Filter, cat},
        moment::Moment,
        told::{RecordLine, Value},
    },
    export::{StreamOf, Taker, export, line::Line},
    journal::{AppendError, Entry, Identity, Reader, ReplayError, Settings, kind, open},
    replay::{Discard, replay_until},
    replica::ApplyError,
    sessions::sessions,
};
use uncross_wire::{IntoBytes, TypeByte, ouch::inbound};

use crate::{
    days::today,
    harness::{TestVenue, enter, with_appendage},
};

fn lines(reader: &Reader, filter: &Filter) -> Vec<RecordLine> {
    let mut lines = Vec::new();
    cat(reader, filter, |line| {
        lines.push(line.clone());
        Ok(())
    })
    .unwrap();
    lines
}

fn field<'a>(line: &'a RecordLine, name: &str) -> Option<&'a Value> {
    line.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn what_operators_and_brokers_did_is_told_with_who_and_with_decimals_of_the_day() {
    let (mut venue, mut alice) = today(|venue| {
        let act = |act| venue.venue().desk().order("ops", act, std::time::Duration::from_secs(20));
        let newco = Instrument {
            id: 77,
            symbol: *b"NEWCO   ",
            price_decimals: 2,
            tick: 1,
            ..venue.config.instruments[0]
        };
        act(Act::List(newco)).unwrap();
        act(Act::Kill { target: Target::Firm(*b"NONE"), cancels: true }).unwrap();
        act(Act::Kill { target: Target::Port(11), cancels: false }).unwrap();
        let mut alice = venue.orders("ALICE", 1);
        let order = inbound::Enter { symbol: *b"NEWCO   ", ..enter(1, b'B', 100, 1_000_000) };
        alice.ouch(&with_appendage(order, b"\x02\x1c\x05"));
        alice.ouch(with_appendage(enter(2, b'B', 100, 1_000_000), &[]).as_slice());
        alice.ouch(
            inbound::Cancel { kind: TypeByte::new(), user_ref_num: 2.into(), quantity: 40.into() }
                .as_bytes(),
        );
        alice.sync();
        // From the next day on its prices have other decimals.
        act(Act::List(Instrument { price_decimals: 3, ..newco })).unwrap();
        alice
    });
    while alice.packet().is_some() {}
    let mut alice = venue.orders("ALICE", 1);
    alice
        .ouch(inbound::Enter { symbol: *b"NEWCO   ", ..enter(1, b'B', 100, 1_000_000) }.as_bytes());
    alice.sync();
    venue.stop();

    let reader = Reader::open_whole(&venue.dir().journal()).unwrap();
    let all = lines(&reader, &Filter::default());
    let admin: Vec<_> = all.iter().filter(|line| line.kind == "admin").collect();
    assert_eq!(field(admin[0], "act"), Some(&text("list")));
    assert_eq!(field(admin[0], "symbol"), Some(&text("NEWCO")));
    assert_eq!(field(admin[0], "tick"), Some(&text("0.01")));
    assert_eq!(field(admin[1], "act"), Some(&text("kill_and_cancel")));
    assert_eq!(field(admin[1], "firm"), Some(&text("NONE")));
    assert_eq!(field(admin[2], "port"), Some(&Value::Number(11)));
    assert!(admin.iter().all(|line| field(line, "generation").is_none()), "of no connection");
    assert!(admin.iter().all(|line| field(line, "operator") == Some(&text("ops"))));
    let enters: Vec<_> = all.iter().filter(|line| line.kind == "enter").collect();
    let prices: Vec<_> = enters.iter().map(|line| field(line, "price").unwrap().clone()).collect();
    assert_eq!(prices, [text("10000.00"), text("100.0000"), text("1000.000")]);
    assert_eq!(field(enters[0], "user_ref_index"), Some(&Value::Number(5)));
    let cancel = all.iter().find(|line| line.kind == "cancel").unwrap();
    assert_eq!(field(cancel, "symbol"), Some(&text("DEMO")), "of the order it names");
    // An instrument that an operator listed is known behind a place within, too.
    let late = Filter { from: Some(Moment::Seq(enters[0].seq)), ..Filter::default() };
    assert_eq!(lines(&reader, &late)[0], *enters[0]);
    let newco = Filter { symbol: Some("NEWCO".to_owned()), ..Filter::default() };
    let about: BTreeSet<_> = lines(&reader, &newco).iter().map(|line| line.seq).collect();
    assert!(about.contains(&enters[0].seq) && !about.contains(&enters[1].seq));
    assert!(about.contains(&admin[0].seq), "its listing");
}

/// Writes a journal of these records.
fn write(dir: &std::path::Path, records: &[(u8, Vec<u8>)]) {
    let identity = Identity { behaviour_version: 0, config_hash: [0; 32], build_id: [0; 32] };
    let settings = Settings { segment_len_bytes: 1 << 20, ..Settings::default() };
    let mut writer = open(dir, &settings, &identity).unwrap().into_writer(1, 0).unwrap();
    for (seq, (kind, body)) in (1..).zip(records) {
        let entry = Entry { seq, time_ns: seq, kind: *kind, flags: 0, body };
        while let Err(error) = writer.append(entry, 0) {
            assert!(matches!(error, AppendError::NotReady), "{error}");
            assert!(writer.watermark().wait_prepared(1, std::time::Duration::from_secs(20)));
        }
    }
    writer.close().unwrap();
}

#[test]
fn a_journal_of_another_engine_is_told_but_not_applied() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[(kind::TICK, Vec::new()), (kind::TICK, Vec::new())]);
    let reader = Reader::open_whole(dir.path()).unwrap();
    let told = lines(&reader, &Filter::default());
    assert_eq!(told.iter().filter(|line| line.kind == "tick").count(), 2);
    let error = replay_until(&reader, None, &mut Discard).unwrap_err();
    let ReplayError::Apply(ApplyError::Behaviour { first_seq: 1, found: 0 }) = error else {
        panic!("{error}");
    };
    let resolved = Filter { is_resolved: true, ..Filter::default() };
    let error = cat(&reader, &resolved, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("behaviour version 0"), "{error}");
    let applied =
        [sessions(dir.path()).err(), export(dir.path(), *b"2026010100", &mut Nobody).err()];
    for error in applied {
        let error = error.expect("nothing is made of records under other rules");
        assert!(error.to_string().contains("behaviour version 0"), "{error}");
    }
}

#[test]
fn records_of_another_engine_are_told_in_units_where_instruments_have_different_decimals() {
    let dir = tempfile::tempdir().unwrap();
    let mut venue = TestVenue::start();
    let mut alice = venue.orders("ALICE", 1);
    alice.ouch(with_appendage(enter(1, b'B', 100, 1_000_000), &[]).as_slice());
    alice.sync();
    venue.stop();
    let (mut records, mut expected) = (Vec::new(), Vec::new());
    let reader = Reader::open_whole(&venue.dir().journal()).unwrap();
    reader
        .for_each(|record| {
            if record.kind != kind::CHECKPOINT {
                records.push((record.kind, record.body.to_vec()));
                expected.push(record.seq);
            }
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
    write(dir.path(), &records);
    let reader = Reader::open_whole(dir.path()).unwrap();
    let told = lines(&reader, &Filter::default());
    let callers = told.iter().filter(|line| line.kind != "checkpoint");
    assert_eq!(callers.map(|line| line.seq).collect::<Vec<_>>(), expected);
    let filter = Filter { to: Some(Moment::Seq(2)), ..Filter::default() };
    assert_eq!(lines(&reader, &filter).len(), 2);
    let filter = Filter { symbol: Some("DEMO".to_owned()), ..Filter::default() };
    let error = cat(&reader, &filter, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("behaviour version 0"), "{error}");
}

/// Takes what must not come.
struct Nobody;

impl Taker for Nobody {
    fn wants_events(&self) -> bool {
        true
    }

    fn message(&mut self, stream: StreamOf, _parts: &[&[u8]]) -> io::Result<()> {
        panic!("a message of {stream:?}")
    }

    fn event(&mut self, _line: &Line) -> io::Result<()> {
        panic!("an event")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_record_is_told_whatever_it_holds(
        records in prop::collection::vec(
            (1..=kind::EPOCH, prop::collection::vec(any::<u8>(), 0..90)),
            1..60,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &records);
        let reader = Reader::open_whole(dir.path()).unwrap();
        // From a number on, so that nothing is applied.
        let filter = Filter { from: Some(Moment::Seq(1)), ..Filter::default() };
        let mut told = Vec::new();
        cat(&reader, &filter, |line| {
            check_names(line);
            told.push((line.seq, line.to_string()));
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(told.len(), records.len());
        for (position, (seq, text)) in told.iter().enumerate() {
            prop_assert_eq!(*seq, position as u64 + 1);
            prop_assert!(!text.contains('\n'));
        }
    }
}

/// No field has the name of another one.
fn check_names(line: &RecordLine) {
    let names: BTreeSet<_> = line.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), line.fields.len(), "{line:?}");
}
