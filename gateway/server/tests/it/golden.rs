//! Journals that were written once and are kept: whatever changes in the code, they lead to the
//! same output and the same state.
//!
//! The files of a journal are packed into one: zeros are left out. When the behaviour of the engine
//! or the format of the journal is changed on purpose, its version rises and a new journal is made
//! beside the old ones:
//!
//! ```text
//! UNCROSS_WRITE_GOLDEN=1 cargo test -p uncross-server --test it golden::the_same -- --nocapture
//! ```
//!
//! writes the file and prints the constants below as it has them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use uncross_engine::{
    BEHAVIOUR_VERSION, Progress,
    event::{Event, View},
};
use uncross_server::{
    journal::{
        AppendError, Completeness, Entry, Identity, Level, Reader, Settings, body,
        format::FORMAT_VERSION, kind, open,
    },
    replay::{Discard, replay},
    replica::Replica,
};
use zerocopy::{Immutable, IntoBytes, little_endian::U16};

/// Of the engine that wrote them.
const VERSION: u32 = 4;
/// Format versions of the journals, and BLAKE3 of their packed files.
const PACKED: [(u32, &str); 2] = [(1, FORMAT_1), (2, FORMAT_2)];
const FORMAT_1: &str = "bcebe7a497796fcc24649687d6cd3f3c4785c5b7e602982e874b8413af048710";
const FORMAT_2: &str = "9e369c9b3ea11e02b21706d8b29d82e612dc3ea2f82c65ac0f73d2c139a9ca8b";
const RECORDS: u64 = 432;
const EVENTS: usize = 557;
const FILLS: usize = 56;
const OUTPUT_HASH: u64 = 0x79a2_5a12_0000_022d;
/// BLAKE3 of the state at the end.
const STATE_HASH: &str = "80a5476f515e8b0b436090e3ef7d5cdd22a61be7d52929b29e8ada621e2f6ec1";

/// Most that is kept.
const PACKED_MAX: usize = 64 << 10;
const LINE: usize = 64;
const TIME_NS: u64 = 1_700_000_000_000_000_000;
const SESSION: [u8; 10] = *b"GOLDEN0001";
const PORTS: u16 = 3;

fn packed_path(format: u32) -> PathBuf {
    let name = format!("tests/golden/behaviour-{BEHAVIOUR_VERSION}-format-{format}.bin");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Packs the files of a journal: of each its name, its length, and the lines that are not zeros.
fn pack(dir: &Path) -> Vec<u8> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap() != "lock");
    paths.sort();
    let mut packed = Vec::new();
    let put = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    for path in paths {
        let name = path.file_name().unwrap().as_encoded_bytes().to_vec();
        let bytes = fs::read(&path).unwrap();
        let lines: Vec<(usize, &[u8])> = bytes
            .chunks(LINE)
            .enumerate()
            .filter(|(_, line)| line.iter().any(|byte| *byte != 0))
            .collect();
        packed.extend(put(name.len()));
        packed.extend(&name);
        packed.extend(put(bytes.len()));
        packed.extend(put(lines.len()));
        for (number, line) in lines {
            packed.extend(put(number));
            packed.extend(line);
            packed.extend(vec![0; LINE - line.len()]);
        }
    }
    packed
}

/// Writes the files of a packed journal into `dir`.
fn unpack(mut packed: &[u8], dir: &Path) {
    fn take<'a>(packed: &mut &'a [u8], len: usize) -> &'a [u8] {
        let (taken, rest) = packed.split_at(len);
        *packed = rest;
        taken
    }
    fn number(packed: &mut &[u8]) -> usize {
        u32::from_le_bytes(take(packed, 4).try_into().unwrap()) as usize
    }
    while !packed.is_empty() {
        let name_len = number(&mut packed);
        let name = str::from_utf8(take(&mut packed, name_len)).unwrap();
        let len = number(&mut packed);
        let mut bytes = vec![0; len.next_multiple_of(LINE)];
        for _ in 0..number(&mut packed) {
            let start = number(&mut packed) * LINE;
            bytes[start..start + LINE].copy_from_slice(take(&mut packed, LINE));
        }
        fs::write(dir.join(name), &bytes[..len]).unwrap();
    }
}

#[test]
fn the_golden_journals_lead_to_the_output_and_state_they_were_made_with() {
    assert_eq!(VERSION, BEHAVIOUR_VERSION, "make a golden journal of this version");
    assert_eq!(PACKED.last().unwrap().0, FORMAT_VERSION, "make a golden journal of this format");
    for (format, hash) in PACKED {
        let packed = fs::read(packed_path(format)).unwrap();
        assert_eq!(blake3::hash(&packed).to_hex().as_str(), hash, "the file itself changed");
        check(&packed);
    }
}

fn check(packed: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    unpack(packed, dir.path());
    let report = Reader::verify(dir.path(), |_| {}).unwrap();
    assert_eq!((report.records, report.last_seq), (RECORDS, RECORDS));
    assert_eq!((report.segments, report.sealed_segments, report.torn), (2, 1, None));
    assert_eq!(report.output_hash, Some((RECORDS, OUTPUT_HASH)));
    assert_eq!(report.identity.map(|identity| identity.behaviour_version), Some(VERSION));

    let mut events: Vec<Event> = Vec::new();
    let replayed = replay(dir.path(), &mut events).unwrap();
    let replica = replayed.replica.unwrap();
    assert_eq!((events.len(), fills(&events)), (EVENTS, FILLS));
    assert_eq!(replica.output_hash(), OUTPUT_HASH);
    assert_eq!(blake3::Hash::from(replica.state_hash()).to_hex().as_str(), STATE_HASH);
}

#[test]
fn the_golden_journals_are_continued() {
    for (format, _) in PACKED {
        go_on(&fs::read(packed_path(format)).unwrap());
    }
}

fn go_on(packed: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    unpack(packed, dir.path());
    let recovery = open(dir.path(), &settings(), &identity(2)).unwrap();
    assert_eq!((recovery.last_seq(), recovery.torn()), (RECORDS, None));
    assert_eq!(recovery.completeness(), Completeness::Proven);
    let mut writer = recovery.into_writer(TIME_NS * 2, OUTPUT_HASH).unwrap();
    let next =
        Entry { seq: RECORDS + 1, time_ns: TIME_NS * 2, kind: kind::TICK, flags: 0, body: &[] };
    writer.append(next, OUTPUT_HASH).unwrap();
    writer.close().unwrap();
    assert_eq!(replay(dir.path(), &mut Discard).unwrap().last_seq, RECORDS + 1);
}

fn fills(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event.view(), View::Fill(_))).count()
}

fn settings() -> Settings {
    Settings { segment_len_bytes: 64 << 10, level: Level::Group, ..Settings::default() }
}

/// Builds differ, so that the second run begins a segment.
fn identity(build: u8) -> Identity {
    Identity {
        behaviour_version: BEHAVIOUR_VERSION,
        config_hash: [0xC0; 32],
        build_id: [build; 32],
    }
}

#[test]
fn the_same_records_written_anew_lead_to_the_same_output_and_state() {
    let dir = tempfile::tempdir().unwrap();
    let drafts = drafts();
    let mut replica: Option<Replica> = None;
    let mut events: Vec<Event> = Vec::new();
    let half = drafts.len() / 2;
    let mut seq = 0;
    for (build, part) in [(1, &drafts[..half]), (2, &drafts[half..])] {
        let recovery = open(dir.path(), &settings(), &identity(build)).unwrap();
        let output = replica.as_ref().map_or(0, Replica::output_hash);
        let mut writer = recovery.into_writer(TIME_NS + seq * 1_000, output).unwrap();
        for (kind, body) in part {
            seq += 1;
            let time_ns = TIME_NS + seq * 1_000_000;
            let entry = Entry { seq, time_ns, kind: *kind, flags: 0, body };
            let output = replica.as_ref().map_or(0, Replica::output_hash);
            while let Err(error) = writer.append(entry, output) {
                assert_eq!(error, AppendError::NotReady);
                assert!(writer.watermark().wait_prepared(1, Duration::from_secs(20)));
            }
            let Some(replica) = &mut replica else {
                replica = Some(Replica::found(&entry).unwrap());
                continue;
            };
            let mut progress = replica.begin(seq, time_ns, *kind, body, &mut events).unwrap();
            while progress == Progress::More {
                progress = replica.resume(&mut events);
            }
            if seq % 50 == 0 || seq == drafts.len() as u64 {
                writer.checkpoint(replica.output_hash(), time_ns).unwrap();
            }
        }
        writer.close().unwrap();
    }
    let packed = pack(dir.path());
    assert!(packed.len() <= PACKED_MAX, "{} bytes", packed.len());
    let replica = replica.unwrap();
    if std::env::var_os("UNCROSS_WRITE_GOLDEN").is_some() {
        return keep(&packed, seq, &events, &replica);
    }
    assert_eq!((seq, events.len(), fills(&events)), (RECORDS, EVENTS, FILLS));
    assert_eq!(replica.output_hash(), OUTPUT_HASH);
    assert_eq!(blake3::Hash::from(replica.state_hash()).to_hex().as_str(), STATE_HASH);
}

/// Makes a journal the golden one, and tells its constants.
fn keep(packed: &[u8], seq: u64, events: &[Event], replica: &Replica) {
    fs::write(packed_path(FORMAT_VERSION), packed).unwrap();
    let (packed_hash, state_hash) = (blake3::hash(packed), replica.state_hash());
    let told = format!(
        "const VERSION: u32 = {BEHAVIOUR_VERSION};\n\
         const FORMAT_{FORMAT_VERSION}: &str = \"{}\";\n\
         const RECORDS: u64 = {seq};\n\
         const EVENTS: usize = {};\n\
         const FILLS: usize = {};\n\
         const OUTPUT_HASH: u64 = {:#x};\n\
         const STATE_HASH: &str = \"{}\";\n",
        packed_hash.to_hex(),
        events.len(),
        fills(events),
        replica.output_hash(),
        blake3::Hash::from(state_hash).to_hex()
    );
    std::io::stderr().write_all(told.as_bytes()).unwrap();
}

type Draft = (u8, Vec<u8>);

fn draft(kind: u8, body: &(impl IntoBytes + Immutable), elements: &[u8]) -> Draft {
    (kind, [body.as_bytes(), elements].concat())
}

/// A day of a small venue: every kind of record, with values that mean something.
fn drafts() -> Vec<Draft> {
    let mut drafts = opening();
    let mut random = Random(0x601D);
    let mut numbers = [0_u32; PORTS as usize + 1];
    for _ in 0..380 {
        let port = 1 + random.below(u64::from(PORTS));
        let number = &mut numbers[usize::try_from(port).unwrap()];
        drafts.push(order(&mut random, (u16::try_from(port).unwrap(), 1), number));
    }
    let down =
        body::SessionDown { port: 2.into(), generation: 1.into(), reason: b'L', reserved: [0; 3] };
    drafts.push(draft(kind::SESSION_DOWN, &down, &[]));
    let epoch = body::Epoch { epoch: 1.into(), session: *b"GOLDEN0002", reserved: [0; 2] };
    drafts.push(draft(kind::EPOCH, &epoch, &[]));
    drafts.push(roll(20_001, *b"GOLDEN0003"));
    drafts.push(up(3, 2, *b"GOLDEN0003"));
    let mut number = 0;
    for _ in 0..40 {
        drafts.push(order(&mut random, (3, 2), &mut number));
    }
    drafts.push((kind::TICK, Vec::new()));
    drafts
}

fn opening() -> Vec<Draft> {
    let capacity = body::Capacity {
        subject: b'C',
        reserved: [0; 3],
        orders: 100.into(),
        levels: 60.into(),
        nodes: 200.into(),
        port_orders: 50.into(),
        port_pages: 20.into(),
        user_ref_pages: 60.into(),
        instruments: 3.into(),
        ports: PORTS.into(),
        hidden_orders: 20.into(),
    };
    let mut drafts = vec![draft(kind::CONFIGURATION, &capacity, &[])];
    for id in 1..=2_u32 {
        let symbol = if id == 1 { *b"AAPL    " } else { *b"BTCUSD  " };
        drafts.push(draft(kind::CONFIGURATION, &listing(id, symbol), &[]));
    }
    drafts.push(roll(20_000, SESSION));
    drafts.extend((1..=PORTS).map(|port| up(port, 1, SESSION)));
    drafts
}

fn listing(id: u32, symbol: [u8; 8]) -> body::Configuration {
    body::Configuration {
        subject: b'I',
        price_decimals: 4,
        qty_decimals: 0,
        reserved: 0,
        id: id.into(),
        symbol,
        tick: 100.into(),
        lot: 1.into(),
        qty_min: 1.into(),
        qty_max: 10_000.into(),
        collar_bp: 500.into(),
        reference_px: 1_000_000.into(),
    }
}

fn roll(date: u32, session: [u8; 10]) -> Draft {
    let offset = 0;
    let body =
        body::DayRoll { date: date.into(), utc_offset_s: offset.into(), session, reserved: [0; 6] };
    draft(kind::DAY_ROLL, &body, &[])
}

fn up(port: u16, generation: u16, session: [u8; 10]) -> Draft {
    let body = body::SessionUp {
        port: port.into(),
        generation: generation.into(),
        firm: if port == 1 { *b"ACME" } else { *b"BETA" },
        user: *b"GOLDEN",
        session,
        grace_ms: u32::MAX.into(),
    };
    draft(kind::SESSION_UP, &body, &[])
}

/// One message of a broker, or an operator's act.
fn order(random: &mut Random, (port, generation): (u16, u16), number: &mut u32) -> Draft {
    let (port_le, generation) = (port.into(), U16::new(generation));
    let earlier = 1 + u32::try_from(random.below(u64::from(*number).max(1))).unwrap();
    let instrument = 1 + u32::try_from(random.below(2)).unwrap();
    let px = 1_000_000 + 100 * u32::try_from(random.below(24)).unwrap() - 1_200;
    let qty = 1 + u32::try_from(random.below(300)).unwrap();
    let user_ref_num = *number + 1;
    let which = random.below(40);
    if !(12..20).contains(&which) && which < 35 {
        *number = user_ref_num;
    }
    match which {
        0..12 | 27..33 => entered(random, (port, generation, user_ref_num), instrument, (qty, px)),
        12..18 => {
            let body = body::Cancel {
                port: port_le,
                generation,
                user_ref_num: earlier.into(),
                qty: if random.below(3) == 0 { 5 } else { 0 }.into(),
            };
            draft(kind::CANCEL, &body, &[])
        }
        18 | 19 => {
            let body = body::Modify {
                port: port_le,
                generation,
                user_ref_num: earlier.into(),
                qty: (qty / 2 + 1).into(),
                side: b'S',
                reserved: [0; 3],
            };
            draft(kind::MODIFY, &body, &[])
        }
        20..27 => replaced((port, generation), (earlier, user_ref_num), (qty, px)),
        33 => {
            let body = body::MassCancel {
                port: port_le,
                generation,
                user_ref_num: user_ref_num.into(),
                instrument: instrument.into(),
                firm: *b"    ",
                symbol: if instrument == 1 { *b"AAPL    " } else { *b"BTCUSD  " },
            };
            draft(kind::MASS_CANCEL, &body, &[])
        }
        34 => {
            let body = body::Refuse {
                port: port_le,
                generation,
                user_ref_num: user_ref_num.into(),
                user_ref_index: 0,
                reserved: 0,
                reason: 2.into(),
                client_order_id: *b"golden refuse ",
                tail: [0; 2],
            };
            draft(kind::REFUSE, &body, &[])
        }
        35 => (kind::TICK, Vec::new()),
        36 => draft(kind::ACCOUNT_QUERY, &body::AccountQuery { port: port_le, generation }, &[]),
        37 => switched(random, port, user_ref_num, number),
        _ => administered(random, instrument),
    }
}

fn replaced(
    (port, generation): (u16, U16),
    (earlier, user_ref_num): (u32, u32),
    (qty, px): (u32, u32),
) -> Draft {
    let body = body::Replace {
        port: port.into(),
        generation,
        orig_user_ref_num: earlier.into(),
        user_ref_num: user_ref_num.into(),
        qty: qty.into(),
        px: px.into(),
        time_in_force: b'0',
        display: b'Y',
        intermarket_sweep: b'N',
        reserved: [0; 3],
        client_order_id: *b"golden replace",
    };
    draft(kind::REPLACE, &body, &[])
}

fn entered(
    random: &mut Random,
    (port, generation, user_ref_num): (u16, U16, u32),
    instrument: u32,
    (qty, px): (u32, u32),
) -> Draft {
    // Nothing, post-only, minimum quantity, own trades prevented, good till cancelled.
    let elements: &[u8] = match random.below(8) {
        0 => b"\x02\x0cP",
        1 => b"\x05\x03\0\0\0\x02",
        2 => b"\x02\x1dO",
        3 => b"\x02\x81Y",
        _ => b"",
    };
    let body = body::Enter {
        port: port.into(),
        generation,
        user_ref_num: user_ref_num.into(),
        instrument: instrument.into(),
        qty: qty.into(),
        px: px.into(),
        side: if random.below(2) == 0 { b'B' } else { b'S' },
        time_in_force: if random.below(6) == 0 { b'3' } else { b'0' },
        display: [b'Y', b'Y', b'Y', b'N', b'A'][usize::try_from(random.below(5)).unwrap()],
        capacity: b'P',
        intermarket_sweep: b'N',
        cross_type: b'N',
        client_order_id: *b"golden enter  ",
    };
    draft(kind::ENTER, &body, elements)
}

/// No new orders of the port, or new ones again.
fn switched(random: &mut Random, port: u16, user_ref_num: u32, number: &mut u32) -> Draft {
    *number = user_ref_num;
    let body = body::EntrySwitch {
        port: port.into(),
        generation: 1.into(),
        user_ref_num: user_ref_num.into(),
        firm: *b"    ",
    };
    let is_stop = random.below(8) == 0;
    draft(if is_stop { kind::DISABLE_ENTRY } else { kind::ENABLE_ENTRY }, &body, &[])
}

fn administered(random: &mut Random, instrument: u32) -> Draft {
    let (act, target) = match random.below(16) {
        0 => (b'K', b'F'),
        1..8 => (b'V', b'F'),
        8 => (b'H', 0),
        _ => (b'T', 0),
    };
    let body = body::Admin {
        act,
        target,
        port: 0.into(),
        instrument: if target == 0 { instrument } else { 0 }.into(),
        request: 7.into(),
        firm: if target == 0 { *b"    " } else { *b"BETA" },
        who: *b"golden operator ",
        reserved: [0; 4],
    };
    draft(kind::ADMIN, &body, &[])
}

/// Always the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}
