//! The ring between a gateway thread and the core: records in slots of one cache line.
//!
//! One producer, one consumer; a record takes consecutive slots and is pushed whole or not at all.

use rtrb::{Consumer, Producer, RingBuffer};
use uncross_journal::format::RecordHeader;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::{
    limits::{HEADER_LEN, RECORD_LEN_MAX, RECORD_SLOTS_MAX, SLOT_LEN},
    record::Draft,
};

/// A cache line of a record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Slot([u8; SLOT_LEN]);

impl Slot {
    pub(crate) const fn bytes(&self) -> &[u8; SLOT_LEN] {
        &self.0
    }
}

/// Makes a ring of `slots` slots.
#[must_use]
pub fn ring(slots: usize) -> (Producer<Slot>, Consumer<Slot>) {
    RingBuffer::new(slots.max(RECORD_SLOTS_MAX))
}

/// Pushes a record; `false`, and nothing pushed, when the ring has no room for it.
pub fn push(producer: &mut Producer<Slot>, draft: &Draft) -> bool {
    let bytes = draft.bytes();
    let count = bytes.len().div_ceil(SLOT_LEN);
    let Ok(chunk) = producer.write_chunk_uninit(count) else {
        return false;
    };
    let header = RecordHeader {
        body_len: u16::try_from(draft.body().len()).unwrap_or(u16::MAX).into(),
        kind: draft.kind(),
        ..RecordHeader::new_zeroed()
    };
    let slots = bytes.chunks(SLOT_LEN).enumerate().map(|(position, part)| {
        let mut slot = [0; SLOT_LEN];
        slot[..part.len()].copy_from_slice(part);
        if position == 0 {
            slot[..HEADER_LEN].copy_from_slice(header.as_bytes());
        }
        Slot(slot)
    });
    chunk.fill_from_iter(slots);
    true
}

/// Room for a record that wraps around the end of the ring.
#[derive(Debug)]
pub struct Scratch([u8; RECORD_LEN_MAX]);

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Room for the longest record.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; RECORD_LEN_MAX])
    }
}

/// What came of [`pop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popped<T> {
    /// The ring is empty.
    Nothing,
    /// The record was shown, not taken, and stays.
    Refused,
    /// The record was taken and is gone.
    Taken(T),
}

/// Shows the oldest record to `take` and, when that returns `Some`, removes it.
pub fn pop<T>(
    consumer: &mut Consumer<Slot>,
    scratch: &mut Scratch,
    take: impl FnOnce(u8, &[u8]) -> Option<T>,
) -> Popped<T> {
    let Ok(first) = consumer.peek() else { return Popped::Nothing };
    let Ok((header, _)) = RecordHeader::ref_from_prefix(&first.0) else { return Popped::Nothing };
    let (kind, body_len) = (header.kind, usize::from(header.body_len.get()));
    let end = HEADER_LEN + body_len;
    let Ok(chunk) = consumer.read_chunk(end.div_ceil(SLOT_LEN)) else { return Popped::Nothing };
    let (front, back) = chunk.as_slices();
    let result = if back.is_empty() {
        take(kind, &front.as_bytes()[HEADER_LEN..end])
    } else {
        let (front, back) = (front.as_bytes(), back.as_bytes());
        scratch.0[..front.len()].copy_from_slice(front);
        scratch.0[front.len()..front.len() + back.len()].copy_from_slice(back);
        take(kind, &scratch.0[HEADER_LEN..end])
    };
    match result {
        Some(result) => {
            chunk.commit_all();
            Popped::Taken(result)
        }
        None => Popped::Refused,
    }
}

#[cfg(test)]
mod tests {
    use uncross_engine::command::Source;
    use uncross_wire::{IntoBytes as _, TypeByte, ouch::inbound};

    use super::*;

    fn enter(number: u32, appendage_len: usize) -> Draft {
        let enter = inbound::Enter {
            kind: TypeByte::new(),
            user_ref_num: number.into(),
            side: b'B',
            quantity: 1.into(),
            symbol: *b"DEMO    ",
            price: 1.into(),
            time_in_force: b'0',
            display: b'Y',
            capacity: b'A',
            intermarket_sweep: b'N',
            cross_type: b'N',
            cl_ord_id: [b'x'; 14],
            appendage_len_bytes: 0.into(),
        };
        let appendage = vec![number.as_bytes()[0]; appendage_len];
        let message = inbound::Inbound::Enter(&enter, &appendage);
        let mut draft = Draft::new();
        draft.set_inbound(Source { port: 1, generation: 1, channel: 0 }, &message, |_| 7);
        draft
    }

    #[test]
    fn records_of_every_length_come_out_as_they_went_in() {
        let (mut producer, mut consumer) = ring(RECORD_SLOTS_MAX);
        let mut scratch = Scratch::new();
        for number in 0..5_000_u32 {
            let draft = enter(number, number as usize % 961);
            assert!(push(&mut producer, &draft), "a ring that was drained has room");
            let body = pop(&mut consumer, &mut scratch, |_, body| Some(body.to_vec()));
            assert_eq!(body, Popped::Taken(draft.body().to_vec()), "record {number}");
        }
    }

    #[test]
    fn a_full_ring_takes_nothing_and_loses_nothing() {
        let (mut producer, mut consumer) = ring(RECORD_SLOTS_MAX);
        let mut scratch = Scratch::new();
        let pushed = (0..100).take_while(|&number| push(&mut producer, &enter(number, 0))).count();
        assert_eq!(pushed, RECORD_SLOTS_MAX);
        assert!(!push(&mut producer, &enter(0, 50)));
        assert_eq!(pop(&mut consumer, &mut scratch, |_, _| None::<()>), Popped::Refused);
        let mut numbers = Vec::new();
        while let Popped::Taken(number) = pop(&mut consumer, &mut scratch, |_, it| Some(it[4])) {
            numbers.push(number);
        }
        assert_eq!(numbers, (0..16).collect::<Vec<u8>>());
    }
}
