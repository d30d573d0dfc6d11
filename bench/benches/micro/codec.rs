//! Messages from and to bytes: what the gateway reads, and what the publisher writes.

use std::hint::black_box;

use criterion::Criterion;
use uncross_engine::command::Source;
use uncross_server::record::{Draft, decode};
use uncross_wire::{
    Layout, TypeByte, U16, U32, U64,
    itch::{
        self,
        order::{AddOrder, OrderExecuted},
    },
    ouch::{
        self,
        inbound::{self, Inbound},
        outbound,
    },
    soup,
};

/// Messages that take turns, so that none is known before it comes.
const MESSAGES: usize = 64;
/// Longest payload that the door lets in, and room for anything that is written here.
const PAYLOAD_MAX: usize = 1 << 10;
/// Two elements of an appendage: their length, tag and value.
const POST_ONLY_AND_PREVENTION: &[u8] = &[2, 12, b'P', 2, 29, b'O'];
const SOURCE: Source = Source { port: 1, generation: 1, channel: 0 };
/// Nine in the morning.
const TIME_NS: u64 = 9 * 3_600 * 1_000_000_000;
const SYMBOL: [u8; 8] = *b"DEMO    ";
const TEXT: [u8; 14] = *b"ORDER 00000001";

/// An Enter Order in its packet, `elements` behind it.
fn enter(number: u32, elements: &[u8]) -> Vec<u8> {
    let message = inbound::Enter {
        kind: TypeByte::new(),
        user_ref_num: number.into(),
        side: if number.is_multiple_of(2) { b'B' } else { b'S' },
        quantity: (100 + number).into(),
        symbol: SYMBOL,
        price: (1_000_000 + u64::from(number)).into(),
        time_in_force: b'0',
        display: b'Y',
        capacity: b'A',
        intermarket_sweep: b'N',
        cross_type: b'N',
        cl_ord_id: TEXT,
        appendage_len_bytes: 0.into(),
    };
    let mut payload = [0; PAYLOAD_MAX];
    let len = ouch::encode(&message, elements, &mut payload).expect("it fits");
    let mut packet = soup::header(soup::UNSEQUENCED_DATA, len).to_vec();
    packet.extend_from_slice(&payload[..len]);
    packet
}

/// From the packet to the record, as the gateway does.
#[inline]
fn read(packet: &[u8], draft: &mut Draft) {
    let frame = soup::next_frame(packet, PAYLOAD_MAX).expect("a packet").expect("all of it");
    let message = Inbound::decode(frame.payload).expect("an order");
    draft.set_inbound(SOURCE, &message, |symbol| u32::from(symbol == SYMBOL));
}

pub(super) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for (name, elements) in [("plain", &[][..]), ("with_tags", POST_ONLY_AND_PREVENTION)] {
        let packets: Vec<Vec<u8>> = (1..).take(MESSAGES).map(|at| enter(at, elements)).collect();
        group.bench_function(format!("ouch_enter_{name}_to_record"), |bencher| {
            let (mut draft, mut turn) = (Draft::new(), packets.iter().cycle());
            bencher.iter(|| {
                let packet = turn.next().expect("it turns for ever");
                read(black_box(packet), &mut draft);
                black_box(&draft);
            });
        });
        let records: Vec<(u8, Vec<u8>)> = packets
            .iter()
            .map(|packet| {
                let mut draft = Draft::new();
                read(packet, &mut draft);
                (draft.kind(), draft.body().to_vec())
            })
            .collect();
        group.bench_function(format!("record_of_enter_{name}_to_command"), |bencher| {
            let mut turn = records.iter().cycle();
            bencher.iter(|| {
                let (kind, body) = turn.next().expect("it turns for ever");
                let command = decode(*kind, black_box(body)).expect("an order");
                black_box(&command);
            });
        });
    }
    group.finish();
    writes(criterion);
}

/// Numbers of 32 bits stand in for what an event would say.
const fn accepted(number: u32) -> outbound::Accepted {
    outbound::Accepted {
        kind: TypeByte::new(),
        timestamp_ns: U64::new(TIME_NS + number as u64),
        user_ref_num: U32::new(number),
        side: b'B',
        quantity: U32::new(number),
        symbol: SYMBOL,
        price: U64::new(number as u64),
        time_in_force: b'0',
        display: b'Y',
        order_reference: U64::new(number as u64),
        capacity: b'A',
        intermarket_sweep: b'N',
        cross_type: b'N',
        state: b'L',
        cl_ord_id: TEXT,
        appendage_len_bytes: U16::new(0),
    }
}

const fn executed(number: u32) -> outbound::Executed {
    outbound::Executed {
        kind: TypeByte::new(),
        timestamp_ns: U64::new(TIME_NS + number as u64),
        user_ref_num: U32::new(number),
        quantity: U32::new(number),
        price: U64::new(number as u64),
        liquidity: b'A',
        match_number: U64::new(number as u64),
        appendage_len_bytes: U16::new(0),
    }
}

fn added(number: u32) -> AddOrder {
    AddOrder {
        kind: TypeByte::new(),
        header: header(number),
        order_reference: u64::from(number).into(),
        side: b'B',
        shares: number.into(),
        stock: SYMBOL,
        price: number.into(),
    }
}

fn traded(number: u32) -> OrderExecuted {
    OrderExecuted {
        kind: TypeByte::new(),
        header: header(number),
        order_reference: u64::from(number).into(),
        executed_shares: number.into(),
        match_number: u64::from(number).into(),
    }
}

fn header(number: u32) -> itch::Header {
    let time = itch::Timestamp::from_ns(TIME_NS + u64::from(number));
    itch::Header::new(7, time.expect("a time of the day"))
}

fn writes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let mut out = [0; PAYLOAD_MAX];
    let mut number = 0;
    group.bench_function("ouch_accepted_to_bytes", |bencher| {
        bencher.iter(|| {
            number += 1;
            let message = accepted(black_box(number));
            black_box(ouch::encode(&message, &[], &mut out));
            black_box(&out);
        });
    });
    group.bench_function("ouch_executed_to_bytes", |bencher| {
        bencher.iter(|| {
            number += 1;
            let message = executed(black_box(number));
            black_box(ouch::encode(&message, &[], &mut out));
            black_box(&out);
        });
    });
    group.bench_function("itch_add_to_bytes", |bencher| {
        bencher.iter(|| {
            number += 1;
            put(&mut out, &added(black_box(number)));
            black_box(&out);
        });
    });
    group.bench_function("itch_executed_to_bytes", |bencher| {
        bencher.iter(|| {
            number += 1;
            put(&mut out, &traded(black_box(number)));
            black_box(&out);
        });
    });
    group.finish();
}

/// A message of the feed behind the head of its packet, as in a stream.
#[inline]
fn put(out: &mut [u8; PAYLOAD_MAX], message: &impl Layout) {
    let bytes = message.as_bytes();
    let header = soup::header(soup::SEQUENCED_DATA, bytes.len());
    out[..header.len()].copy_from_slice(&header);
    out[header.len()..header.len() + bytes.len()].copy_from_slice(bytes);
}
