//! Any records: each is a command or an error, and no sequence of them is a crash.

use proptest::prelude::*;
use uncross_server::{
    journal::{Record, body, kind},
    record::{self, RecordError},
    replica::{ApplyError, Replica},
};
use zerocopy::{
    IntoBytes,
    little_endian::{U16, U32},
};

/// Every kind that somebody writes, and its body's length.
const KINDS: [(u8, usize); 16] = [
    (kind::ENTER, size_of::<body::Enter>()),
    (kind::REPLACE, size_of::<body::Replace>()),
    (kind::CANCEL, size_of::<body::Cancel>()),
    (kind::MODIFY, size_of::<body::Modify>()),
    (kind::ACCOUNT_QUERY, size_of::<body::AccountQuery>()),
    (kind::MASS_CANCEL, size_of::<body::MassCancel>()),
    (kind::DISABLE_ENTRY, size_of::<body::EntrySwitch>()),
    (kind::ENABLE_ENTRY, size_of::<body::EntrySwitch>()),
    (kind::REFUSE, size_of::<body::Refuse>()),
    (kind::TICK, 0),
    (kind::SESSION_UP, size_of::<body::SessionUp>()),
    (kind::SESSION_DOWN, size_of::<body::SessionDown>()),
    (kind::ADMIN, size_of::<body::Admin>()),
    (kind::CONFIGURATION, size_of::<body::Configuration>()),
    (kind::DAY_ROLL, size_of::<body::DayRoll>()),
    (kind::EPOCH, size_of::<body::Epoch>()),
];

/// A venue so small that its tables are often full.
fn capacity() -> body::Capacity {
    body::Capacity {
        subject: b'C',
        reserved: [0; 3],
        orders: 4.into(),
        levels: 3.into(),
        nodes: 12.into(),
        port_orders: 3.into(),
        port_pages: 2.into(),
        user_ref_pages: 4.into(),
        instruments: 2.into(),
        ports: 3.into(),
        hidden_orders: 2.into(),
    }
}

fn record(seq: u64, time_ns: u64, kind: u8, body: &[u8]) -> Record<'_> {
    Record { seq, time_ns, kind, flags: 0, body }
}

/// Bytes that are often small numbers or letters that mean something.
fn byte() -> impl Strategy<Value = u8> {
    let letters = &b"BSTE0356YNAPORLI \x02\x03\x04\x05\x0c\x0f\x1c\x1d\x1e\x80\x81"[..];
    prop_oneof![
        4 => 0_u8..4,
        3 => prop::sample::select(letters),
        1 => Just(0xFF),
        2 => any::<u8>(),
    ]
}

/// Appendages, most of them of one good element.
fn elements() -> impl Strategy<Value = Vec<u8>> {
    let good = [
        &b""[..],
        b"\x02\x1c\x01",
        b"\x02\x0cP",
        b"\x02\x1dO",
        b"\x02\x1dW",
        b"\x02\x1dD\x03\x1e\0\x01",
        b"\x02\x81Y",
        b"\x05\x03\0\0\0\x02",
        b"\x05\x0f\0\0\0\x01",
        b"\x02\x1bS",
        b"\x09\x80\0\0\x01\0\0\0\0\0",
    ];
    prop_oneof![
        4 => Just(Vec::new()),
        8 => prop::sample::select(good.map(<[u8]>::to_vec).to_vec()),
        2 => prop::collection::vec(byte(), 0..40),
    ]
}

/// What a record is made of.
#[derive(Clone, Debug)]
struct Plan {
    kind: u8,
    /// Small numbers for its fields.
    small: [u8; 6],
    elements: Vec<u8>,
    /// Bytes of it that become others.
    changes: Vec<(usize, u8)>,
    /// How many bytes of it are left.
    len: usize,
    /// Nanoseconds since the one before.
    pause_ns: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let kinds: Vec<u8> = KINDS.iter().map(|&(kind, _)| kind).collect();
    let kind = prop_oneof![
        30 => Just(kind::ENTER),
        10 => Just(kind::REPLACE),
        6 => Just(kind::CANCEL),
        6 => Just(kind::SESSION_UP),
        2 => Just(kind::ENABLE_ENTRY),
        4 => Just(kind::ADMIN),
        2 => Just(kind::DAY_ROLL),
        6 => prop::sample::select(kinds),
        1 => any::<u8>(),
    ];
    let changes = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((0_usize..60, byte()), 1..4),
    ];
    let len = prop_oneof![9 => Just(usize::MAX), 1 => 0_usize..60];
    (kind, any::<[u8; 6]>(), elements(), changes, len, 0_u64..500_000_000).prop_map(
        |(kind, small, elements, changes, len, pause_ns)| Plan {
            kind,
            small,
            elements,
            changes,
            len,
            pause_ns,
        },
    )
}

impl Plan {
    /// The body, about orders numbered by the sequence numbers of their records.
    fn body(&self, seq: u32) -> Vec<u8> {
        let [one, two, three, four, five, six] = self.small;
        let (port, generation) = ((1 + u16::from(one % 3)).into(), 0.into());
        let number = seq.into();
        let (qty, px) = (u32::from(two % 5).into(), u32::from(1 + three % 3).into());
        let time_in_force = b"000003"[usize::from(four % 6)];
        let display = b"YYNA"[usize::from(five % 4)];
        let old = (seq - u32::from(six % 8)).into();
        let fixed = match self.kind {
            kind::ENTER => body::Enter {
                port,
                generation,
                user_ref_num: number,
                instrument: 1.into(),
                qty,
                px: if four % 8 == 7 { 0x7FFF_FFFF.into() } else { px },
                side: b"BBST"[usize::from(six % 4)],
                time_in_force,
                display,
                capacity: b'A',
                intermarket_sweep: b'N',
                cross_type: b'N',
                client_order_id: [b' '; 14],
            }
            .as_bytes()
            .to_vec(),
            kind::REPLACE => body::Replace {
                port,
                generation,
                orig_user_ref_num: old,
                user_ref_num: number,
                qty,
                px,
                time_in_force,
                display,
                intermarket_sweep: b'N',
                reserved: [0; 3],
                client_order_id: [b' '; 14],
            }
            .as_bytes()
            .to_vec(),
            kind::CANCEL => {
                body::Cancel { port, generation, user_ref_num: old, qty }.as_bytes().to_vec()
            }
            kind::MODIFY => {
                let (side, reserved) = (b"BSTE"[usize::from(four % 4)], [0; 3]);
                let body =
                    body::Modify { port, generation, user_ref_num: old, qty, side, reserved };
                body.as_bytes().to_vec()
            }
            other => self.rare_body(other, port, number),
        };
        let mut bytes = [&fixed[..], &self.elements].concat();
        for &(at, byte) in &self.changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(self.len);
        bytes
    }

    fn rare_body(&self, kind: u8, port: U16, user_ref_num: U32) -> Vec<u8> {
        let generation = 0.into();
        let firm = *[b"    ", b"FIRM", b"ELSE"][usize::from(self.small[1] % 3)];
        let session = [b' '; 10];
        match kind {
            kind::MASS_CANCEL => {
                let (instrument, symbol) = (u32::from(self.small[2] % 3).into(), [b' '; 8]);
                let body =
                    body::MassCancel { port, generation, user_ref_num, instrument, firm, symbol };
                body.as_bytes().to_vec()
            }
            kind::ENABLE_ENTRY | kind::DISABLE_ENTRY => {
                body::EntrySwitch { port, generation, user_ref_num, firm }.as_bytes().to_vec()
            }
            kind::SESSION_UP => {
                let (user, grace_ms) = (*b"ALICE ", u32::from(self.small[2]).into());
                let body = body::SessionUp { port, generation, firm, user, session, grace_ms };
                body.as_bytes().to_vec()
            }
            kind::DAY_ROLL => {
                let (date, utc_offset_s) = (u32::from(self.small[2]).into(), 0.into());
                let body = body::DayRoll { date, utc_offset_s, session, reserved: [0; 6] };
                body.as_bytes().to_vec()
            }
            kind::EPOCH => {
                let epoch = u32::from(self.small[2]).into();
                body::Epoch { epoch, session, reserved: [0; 2] }.as_bytes().to_vec()
            }
            kind::CONFIGURATION if self.small[2].is_multiple_of(2) => {
                let (subject, is_on) = (b'D', self.small[3] % 2);
                body::DropCopy { subject, is_on, reserved: [0; 2], firm }.as_bytes().to_vec()
            }
            kind::CONFIGURATION => instrument(2).as_bytes().to_vec(),
            kind::ADMIN => self.act(port, firm),
            _ => {
                let len = KINDS.iter().find(|&&(known, _)| known == kind).map_or(9, |it| it.1);
                let mut bytes = vec![0; len];
                if let Some(place) = bytes.get_mut(..2) {
                    place.copy_from_slice(port.as_bytes());
                }
                bytes
            }
        }
    }
}

impl Plan {
    /// An administrative act, mostly a possible one.
    fn act(&self, port: U16, firm: [u8; 4]) -> Vec<u8> {
        let [_, two, three, four, five, six] = self.small;
        let listing = body::Configuration {
            tick: u32::from(four % 4).into(),
            lot: u32::from(five % 3).into(),
            price_decimals: six % 2,
            ..instrument(u32::from(three % 3))
        };
        let act = b"KCVLLXHT"[usize::from(two % 8)];
        let body = body::Admin {
            act,
            target: b"VFP"[usize::from(four % 3)],
            port,
            instrument: listing.id,
            request: 1.into(),
            firm,
            who: [b' '; 16],
            reserved: [0; 4],
        };
        let listing = if act == b'L' { listing.as_bytes() } else { &[] };
        [body.as_bytes(), listing].concat()
    }
}

fn instrument(id: u32) -> body::Configuration {
    body::Configuration {
        subject: b'I',
        price_decimals: 4,
        qty_decimals: 0,
        reserved: 0,
        id: id.into(),
        symbol: *[b"DEMO    ", b"OTHER   "][usize::from(id != 1)],
        tick: 1.into(),
        lot: 1.into(),
        qty_min: 1.into(),
        qty_max: u32::MAX.into(),
        collar_bp: 5_000.into(),
        reference_px: 2.into(),
    }
}

/// A venue with an instrument, a day and the first connections of its ports.
fn opened() -> Replica {
    let first = capacity();
    let mut replica = Replica::found(&record(1, 1, kind::CONFIGURATION, first.as_bytes())).unwrap();
    let day = body::DayRoll {
        date: 1.into(),
        utc_offset_s: 0.into(),
        session: [b' '; 10],
        reserved: [0; 6],
    };
    let up = |port: u16| body::SessionUp {
        port: port.into(),
        generation: 0.into(),
        firm: *b"FIRM",
        user: *b"ALICE ",
        session: [b' '; 10],
        grace_ms: 1.into(),
    };
    apply(&mut replica, &record(2, 2, kind::CONFIGURATION, instrument(1).as_bytes())).unwrap();
    apply(&mut replica, &record(3, 3, kind::DAY_ROLL, day.as_bytes())).unwrap();
    for port in 1..=3 {
        apply(&mut replica, &record(3 + u64::from(port), 3, kind::SESSION_UP, up(port).as_bytes()))
            .unwrap();
    }
    replica
}

/// Applies a record to its end.
fn apply(replica: &mut Replica, record: &Record<'_>) -> Result<(), ApplyError> {
    let mut events = Vec::<uncross_engine::event::Event>::new();
    let mut progress = replica.apply(record, &mut events)?;
    while progress == uncross_engine::Progress::More {
        progress = replica.resume(&mut events);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_body_of_any_kind_is_a_command_or_an_error(
        kind in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let is_known = KINDS.iter().any(|&(known, _)| known == kind);
        match record::decode(kind, &body) {
            Ok(_) => prop_assert!(is_known),
            Err(RecordError::Kind { found }) => prop_assert!(!is_known && found == kind),
            Err(_) => prop_assert!(is_known),
        }
        let _answer = record::decode_capacity(kind, &body);
    }

    #[test]
    fn any_records_are_applied_or_refused(plans in prop::collection::vec(plan(), 1..100)) {
        let mut replica = opened();
        let mut time_ns = 4;
        for (seq, plan) in (7_u32..).zip(&plans) {
            time_ns += plan.pause_ns;
            // What is refused changes nothing: the next one is due as before.
            let before = replica.output_hash();
            let body = plan.body(seq);
            if apply(&mut replica, &record(seq.into(), time_ns, plan.kind, &body)).is_err() {
                prop_assert_eq!(replica.output_hash(), before);
            }
        }
        let _hash = replica.state_hash();
    }
}

#[test]
fn a_capacity_that_no_venue_has_is_refused() {
    type Change = fn(&mut body::Capacity);
    let changes: [(&str, Change); 13] = [
        ("no orders", |it| it.orders = 0.into()),
        ("too many orders", |it| it.orders = ((1 << 24) + 1).into()),
        ("orders beyond a reference", |it| it.hidden_orders = (1 << 24).into()),
        ("orders beyond all numbers", |it| it.hidden_orders = u32::MAX.into()),
        ("no levels", |it| it.levels = 0.into()),
        ("too many levels", |it| it.levels = u32::MAX.into()),
        ("too few nodes", |it| it.nodes = 5.into()),
        ("too many nodes", |it| it.nodes = u32::MAX.into()),
        ("no instruments", |it| it.instruments = 0.into()),
        ("no ports", |it| it.ports = 0.into()),
        ("too many ports", |it| it.ports = 4_097.into()),
        ("no pages", |it| it.user_ref_pages = 0.into()),
        ("too many pages", |it| it.user_ref_pages = u32::MAX.into()),
    ];
    for (name, change) in changes {
        let mut body = capacity();
        change(&mut body);
        let found = Replica::found(&record(1, 1, kind::CONFIGURATION, body.as_bytes()));
        let is_due = matches!(
            found,
            Err(ApplyError::Record { seq: 1, error: RecordError::Capacity { .. } })
        );
        assert!(is_due, "{name}");
    }
}

#[test]
fn times_and_days_of_no_calendar_are_refused() {
    let mut replica = opened();
    for time_ns in [0, 2, u64::MAX / 2 + 1, u64::MAX] {
        let error = apply(&mut replica, &record(7, time_ns, kind::TICK, &[])).unwrap_err();
        assert!(matches!(error, ApplyError::Time { seq: 7, least: 3, .. }), "{error}");
    }
    for (date, utc_offset_s) in [(106_752, 0), (u32::MAX, 0), (1, 86_401), (1, i32::MIN)] {
        let day = body::DayRoll {
            date: date.into(),
            utc_offset_s: utc_offset_s.into(),
            session: [b' '; 10],
            reserved: [0; 6],
        };
        let error = apply(&mut replica, &record(7, 4, kind::DAY_ROLL, day.as_bytes())).unwrap_err();
        let is_due = matches!(error, ApplyError::Record { error: RecordError::Day { .. }, .. });
        assert!(is_due, "{error}");
    }
    apply(&mut replica, &record(7, u64::MAX / 2, kind::TICK, &[])).unwrap();
}

#[test]
fn an_act_that_no_version_orders_is_refused() {
    let body = |act: u8, target: u8, instrument: u32| body::Admin {
        act,
        target,
        port: 1.into(),
        instrument: instrument.into(),
        request: 1.into(),
        firm: *b"FIRM",
        who: [b' '; 16],
        reserved: [0; 4],
    };
    let listing = |id: u32| [body(b'L', 0, id).as_bytes(), instrument(1).as_bytes()].concat();
    let unknown = |act, target| RecordError::Act { act, target };
    let short = RecordError::Short { kind: kind::ADMIN, expected: 40, found: 0 };
    for (bytes, expected) in [
        (body(b'?', b'V', 0).as_bytes().to_vec(), unknown(b'?', b'V')),
        (body(b'K', b'?', 0).as_bytes().to_vec(), unknown(b'K', b'?')),
        (body(b'V', 0, 0).as_bytes().to_vec(), unknown(b'V', 0)),
        (body(b'L', 0, 1).as_bytes().to_vec(), short),
        (listing(2), RecordError::Listing { expected: 1, found: 2 }),
    ] {
        assert_eq!(record::decode(kind::ADMIN, &bytes).unwrap_err(), expected);
    }
    assert!(record::decode(kind::ADMIN, &listing(1)).is_ok());
}
