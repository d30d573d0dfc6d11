//! The fingerprint of what the engine is.

use crate::{due::Disconnect, engine::Engine, instrument::Instrument, types::Side};

/// The instruments and what stands in them.
fn put_books(engine: &Engine, put: &mut impl FnMut(&[u8])) {
    put(b"symbols");
    for (id, symbol) in engine.symbols() {
        put(&id.to_le_bytes());
        put(&symbol);
    }
    put(b"books");
    put(&engine.locates.to_le_bytes());
    for book in &engine.books {
        put(&[book.listing as u8]);
        put(&book.locate.to_le_bytes());
        for instrument in [Some(&book.instrument), book.next.as_ref()].into_iter().flatten() {
            put_instrument(instrument, put);
        }
        let instrument = &book.instrument;
        put(&engine.reference_px(instrument.id).to_le_bytes());
        for side in [Side::Bid, Side::Ask] {
            put(&[b'b' + side as u8]);
            for order in engine.resting(instrument.id, side) {
                put(&order.order_ref.to_le_bytes());
                put(&order.entered_seq.to_le_bytes());
                put(&order.due_ns.to_le_bytes());
                for value in [order.px, order.open, order.executed, order.user_ref_num] {
                    put(&value.to_le_bytes());
                }
                put(&order.decremented.to_le_bytes());
                put(&order.port.to_le_bytes());
                put(&order.group.to_le_bytes());
                put(&[order.action as u8, order.capacity as u8, order.channel]);
                put(&[order.time_in_force as u8, order.display as u8]);
            }
        }
    }
}

fn put_instrument(instrument: &Instrument, put: &mut impl FnMut(&[u8])) {
    let Instrument { id, symbol, price_decimals, qty_decimals, .. } = *instrument;
    let Instrument { tick, lot, qty_min, qty_max, collar_bp, reference_px, .. } = *instrument;
    put(&symbol);
    put(&[price_decimals, qty_decimals]);
    for value in [id, tick, lot, qty_min, qty_max, collar_bp, reference_px] {
        put(&value.to_le_bytes());
    }
}

/// BLAKE3 of everything that decides what the engine will say next.
///
/// The serialisation is canonical: it follows the market (instruments in the order of their
/// places, both sides best first, queues in priority order), not the memory, except for the free
/// lists, which decide future references. Computed at rest, never beside trading.
#[must_use]
pub fn state_hash(engine: &Engine) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    // Each piece with its length, so that no two states run together into the same bytes.
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    put(&engine.now_ns.to_le_bytes());
    put(&engine.seq.to_le_bytes());
    put(&engine.match_count.to_le_bytes());
    put(&engine.epoch.to_le_bytes());
    if let Some(day) = engine.day {
        put(&day.date.to_le_bytes());
        put(&day.utc_offset_s.to_le_bytes());
        put(&day.session);
    }
    for (number, port) in (0_u32..).zip(&engine.ports) {
        if port.generation != 0 || port.firm != [b' '; 4] {
            put(&number.to_le_bytes());
            put(&port.generation.to_le_bytes());
            put(&[port.standing as u8, u8::from(port.is_disabled), u8::from(port.is_killed)]);
            put(&port.grace_ms.map_or(u64::MAX, u64::from).to_le_bytes());
            put(&port.firm);
        }
    }
    put_firms(engine, &mut put);
    put(b"numbers");
    for (lane, mark) in engine.marks.iter().enumerate().filter(|(_, mark)| **mark != 0) {
        put(&(lane as u64).to_le_bytes());
        put(&mark.to_le_bytes());
        put(&engine.user_refs.newest(lane).unwrap_or(u64::MAX).to_le_bytes());
    }
    put(b"graces");
    for Disconnect { due_ns, port } in &engine.disconnects {
        put(&due_ns.to_le_bytes());
        put(&port.to_le_bytes());
    }
    put_books(engine, &mut put);
    put(b"free");
    engine.store.arena.describe_free(|value| put(&value.to_le_bytes()));
    *hasher.finalize().as_bytes()
}

/// What holds for firms and what an operator stopped: entry that is disabled, kills, copies.
fn put_firms(engine: &Engine, put: &mut impl FnMut(&[u8])) {
    put(b"firms");
    for firm in &engine.disabled_firms {
        put(firm);
    }
    let (is_venue, firms, ports) = engine.kills();
    put(&[b'k', u8::from(is_venue)]);
    for firm in firms {
        put(firm);
    }
    for port in ports {
        put(&port.to_le_bytes());
    }
    put(b"copies");
    for copied in &engine.copied_firms {
        put(&copied.firm);
        put(&[u8::from(copied.is_on)]);
    }
}
