//! Tiny workloads through everything.

use std::{fs, path::Path};

use serde_json::Value;
use uncross_engine::{
    Engine, Progress,
    command::{Command, DayRoll, SessionUp, Source},
    event::Event,
    naive::Naive,
    types::Price,
};

use super::{
    engine::{SESSION, instrument},
    plan::PORTS,
    workload::{Op, Record, Workload},
    *,
};

fn quiet(_: &str) {}

#[test]
fn engine_and_naive_book_agree_on_every_workload() {
    let Judged { told, verdict } = run_all(&Name::ALL, Size::TINY, &mut quiet).unwrap();
    let body: Value = serde_json::from_str(&told.json()).unwrap();
    assert_eq!(body["schema"], "uncross.bench.core/1");
    for name in Name::ALL {
        let table = &body["workloads"][name.letter()];
        assert_eq!(table["agree_naive"], true, "{table}");
        let trades: u64 = table["trades"].as_str().unwrap().parse().unwrap();
        assert!(100 < trades, "{}: {trades} trades", name.letter());
        assert_eq!(table["spread"]["uncross"]["runs"], RUNS);
        let [uncross, naive, ratio] =
            ["uncross_ns", "naive_ns", "ratio_naive"].map(|field| table[field].as_f64().unwrap());
        assert!(0.0 < uncross && (naive / uncross - ratio).abs() < 0.1 * ratio, "{table}");
        let latency = &table["latency_ns"]["uncross"];
        assert!(latency["p50"].as_u64().unwrap() <= latency["p99_99"].as_u64().unwrap());
    }
    let emulated = body["emulated"].as_array().unwrap();
    assert_eq!(emulated.len(), contestants().len() - 1, "{emulated:?}");
    assert!(0.0 < body["bytes_per_resting_order"].as_f64().unwrap());
    verdict.unwrap();
}

/// The plain book knows no events; the naive engine does, and compares them all.
#[test]
fn engine_says_what_the_naive_engine_says() {
    for name in [Name::A, Name::B, Name::D, Name::E] {
        let plan = Plan::new(generate(name, Size { timed: 1_500, ..Size::TINY }));
        let mut engine = Engine::new(plan.capacity);
        let mut naive = Naive::new(plan.capacity);
        let symbols = 1..=u32::from(plan.workload.symbols);
        let mut commands: Vec<Command<'_>> =
            symbols.map(|id| Command::Define(instrument(id))).collect();
        let (date, utc_offset_s, session) = (20_000, 0, SESSION);
        commands.push(Command::DayRoll(DayRoll { date, utc_offset_s, session }));
        commands.extend((1..=PORTS).map(|port| {
            let source = Source { port, generation: 1, channel: 0 };
            Command::SessionUp(SessionUp { source, firm: *b"FIRM", session, grace_ms: None })
        }));
        commands.extend(plan.commands.iter().copied());
        for (seq, each) in (1..).zip(&commands) {
            let (mut ours, mut theirs): (Vec<Event>, Vec<Event>) = (Vec::new(), Vec::new());
            let mut progress = engine.begin(seq, seq, each, &mut ours);
            while progress == Progress::More {
                progress = engine.resume(&mut ours);
            }
            naive.apply(seq, seq, each, &mut theirs);
            assert_eq!(ours, theirs, "{}, command {seq}: {each:?}", name.letter());
        }
    }
}

fn share(workload: &Workload, op: Op) -> f64 {
    let timed = &workload.records[workload.untimed..];
    let count = timed.iter().filter(|record| record.op == op).count();
    percent(count as u64, timed.len() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "some thousand commands")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 0.1 * expected + 0.1, "{what}: {found}, not {expected}");
}

#[test]
fn workload_a_is_mostly_moves_on_a_thousand_orders() {
    let workload = generate(Name::A, Size { timed: 100_000, shrink: 1 });
    for (op, expected) in [(Op::Limit, 9.6), (Op::Ioc, 3.0), (Op::Cancel, 5.4), (Op::Move, 82.0)] {
        assert_near(share(&workload, op), expected, &format!("{op:?}"));
    }
    assert_near(percent(workload.expected.trading, 100_000), 5.5, "commands that trade");
    assert_near(f64::from(Plan::new(workload).orders_max), 1_000.0, "orders");
}

#[test]
fn workload_b_adds_and_cancels_on_ten_thousand_orders() {
    let workload = generate(Name::B, Size { timed: 100_000, shrink: 1 });
    for (op, expected) in [(Op::Limit, 48.0), (Op::Ioc, 10.0), (Op::Cancel, 42.0)] {
        assert_near(share(&workload, op), expected, &format!("{op:?}"));
    }
    assert_near(f64::from(Plan::new(workload).orders_max), 10_000.0, "orders");
}

#[test]
fn every_sweep_of_workload_d_takes_41_orders_of_20_levels() {
    let workload = generate(Name::D, Size::TINY);
    let sweeps = workload.records[workload.untimed..].iter();
    let sweeps = sweeps.filter(|record| record.op == Op::Ioc).count() as u64;
    assert!(100 < sweeps);
    assert_eq!((workload.expected.trades, workload.expected.trading), (41 * sweeps, sweeps));
}

#[test]
fn workload_e_falls_by_a_third_and_reaches_both_ends_of_the_prices() {
    let workload = generate(Name::E, Size::TINY);
    assert_eq!((workload.lowest_px, workload.highest_px), (1, Price::RAW_MAX));
    let crash = workload.records[workload.untimed..].iter();
    let prices: Vec<u32> =
        crash.filter(|it| it.symbol == 0 && it.op == Op::Ioc).map(|it| it.px).collect();
    let lowest = prices.iter().min().unwrap();
    assert!((690_000..=710_000).contains(lowest), "{lowest}");
    assert!(980_000 < *prices.last().unwrap(), "it does not return: {prices:?}");
}

/// Reads a file of these bytes.
fn read_bytes(bytes: &[u8]) -> Result<Workload, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("commands.bin");
    fs::write(&path, bytes).unwrap();
    file::read(&path).map_err(|error| {
        let folder = folder.path().display().to_string();
        error.to_string().replace(&format!("{folder}/"), "")
    })
}

fn written(workload: &Workload) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("commands.bin");
    file::write(&path, workload).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn a_file_is_what_the_format_says() {
    let record = Record {
        op: Op::Move,
        side: uncross_engine::types::Side::Ask,
        symbol: 1,
        qty: 2,
        px: 3,
        old_px: 4,
        id: 1,
    };
    let entered = Record { op: Op::Limit, old_px: 0, ..record };
    let workload = Workload {
        symbols: 2,
        lowest_px: 3,
        highest_px: 9,
        untimed: 1,
        highest_id: 5,
        records: vec![entered, record],
        expected: workload::Tally { trades: 6, quantity: 7, checksum: 8, trading: 9 },
    };
    let bytes = written(&workload);
    let mut expected = b"WLPEER01".to_vec();
    for word in [2_u32, 3, 9, 0] {
        expected.extend(word.to_le_bytes());
    }
    for word in [1_u64, 1, 5, 6, 7, 8, 9] {
        expected.extend(word.to_le_bytes());
    }
    expected.extend([0; 40]);
    expected.extend([0, 1, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([3, 1, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);
    assert_eq!(read_bytes(&bytes), Ok(workload));
}

#[test]
fn a_file_that_was_written_runs_to_the_same_sums() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.bin");
    let workload = generate(Name::E, Size::TINY);
    file::write(&path, &workload).unwrap();
    assert_eq!(file::read(&path).unwrap(), workload);
    let core = Core { commands: Some(path), ..Core::default() };
    let Judged { told, verdict } = core.run(&mut quiet).unwrap();
    let body = told.body();
    assert_eq!(body["trades"], workload.expected.trades.to_string());
    assert_eq!(body["quantity"], workload.expected.quantity.to_string());
    assert_eq!(body["checksum"], workload.expected.checksum.to_string());
    assert!(0.0 < body["ns"].as_f64().unwrap());
    verdict.unwrap();
}

#[test]
fn a_file_whose_sums_are_wrong_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.bin");
    let mut workload = generate(Name::B, Size::TINY);
    let right = workload.expected.trades;
    workload.expected.trades += 1;
    file::write(&path, &workload).unwrap();
    let core = Core { commands: Some(path), ..Core::default() };
    let Judged { told, verdict } = core.run(&mut quiet).unwrap();
    assert_eq!(told.body()["agree_file"], false);
    let error = verdict.unwrap_err().to_string();
    let expected = format!("sums of the file: expected {right} trades");
    assert!(error.contains(&expected), "{error}");
    assert!(error.contains(&format!("found {} trades", right + 1)), "{error}");
}

#[test]
fn a_wrong_file_is_refused_with_what_was_expected_and_found() {
    let good = written(&generate(Name::B, Size { timed: 50, shrink: 100 }));
    let put = |at: usize, bytes: &[u8]| {
        let mut wrong = good.clone();
        wrong[at..at + bytes.len()].copy_from_slice(bytes);
        wrong
    };
    let record = |number: usize| 120 + 24 * number;
    let untimed = u64::from_le_bytes(*good[24..].first_chunk().unwrap());
    let first_id = &good[record(0) + 16..record(1)];
    let length = good.len() - 120;
    let lengths = format!("length: expected {length} bytes of records, found {} bytes", length - 1);
    for (wrong, expected) in [
        (good[..119].to_vec(), "length: expected a header of 120 bytes, found 119 bytes"),
        (good[..good.len() - 1].to_vec(), lengths.as_str()),
        (put(0, b"WLPEER02"), "magic: expected WLPEER01, found WLPEER02"),
        (put(8, &[0; 4]), "symbols: expected 1..=65535, found 0"),
        (put(12, &[0; 4]), "lowest price: expected 1..=1999999900, found 0"),
        (put(20, &[1]), "bytes 20 to 23: expected 0..=0, found 1"),
        (put(32, &[0; 8]), "timed commands: expected 1..="),
        (put(24, &(untimed + 1).to_le_bytes()), "length: expected"),
        (put(40, &[0xFF; 8]), "highest id: expected 1..=33554432, found 18446744073709551615"),
        (put(119, &[1]), "bytes 80 to 119: expected zeros, found"),
        (put(record(0), &[4]), "record 0 (from 0), op: expected 0..=3, found 4"),
        (put(record(0), &[2]), "record 0 (from 0), id: expected one that was entered before"),
        (put(record(1) + 1, &[2]), "record 1 (from 0), side: expected 0 or 1, found 2"),
        (put(record(1) + 2, &[1]), "record 1 (from 0), symbol: expected 0..=0, found 1"),
        (put(record(1) + 4, &[0; 4]), "quantity: expected 1..=4294967295, found 0"),
        (put(record(1) + 8, &[0; 4]), "record 1 (from 0), price: expected"),
        (put(record(1) + 16, &[0; 8]), "record 1 (from 0), id: expected 1..="),
        (put(record(1) + 16, first_id), "record 1 (from 0), id: expected one that was not used"),
    ] {
        let error = read_bytes(&wrong).unwrap_err();
        assert!(error.contains(expected), "expected {expected}, found {error}");
    }
    let missing = file::read(Path::new("/nonexistent/commands.bin")).unwrap_err();
    assert!(matches!(missing, FileError::Io { .. }), "{missing}");
}

#[test]
fn a_move_of_an_order_from_another_side_is_refused() {
    let mut workload = generate(Name::A, Size { timed: 200, shrink: 100 });
    let at = workload.records.iter().position(|record| record.op == Op::Move).unwrap();
    let side = &mut workload.records[at].side;
    *side = side.opposite();
    let error = read_bytes(&written(&workload)).unwrap_err();
    let expected = format!("record {at} (from 0): expected symbol 0, ");
    assert!(error.contains(&expected) && error.contains("found symbol 0, "), "{error}");
}

#[cfg(feature = "peers")]
#[test]
fn sums_of_others_agree_or_are_explained() {
    for name in Name::ALL {
        let plan = Plan::new(generate(name, Size::TINY));
        let matchcore = contest::count::<peers::matchcore::Matchcore<'_>>(&plan).tally;
        assert_eq!(matchcore, peers::matchcore::swept(&plan), "{}", name.letter());
        let orderbook = contest::count::<peers::orderbook::Orderbook<'_>>(&plan).tally;
        assert_eq!(orderbook, plan.naive, "{}", name.letter());
    }
}
