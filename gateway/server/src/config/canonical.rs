//! The effective values as one text, of which the fingerprint is taken.

use std::fmt::{self, Write};

use uncross_engine::{instrument::Instrument, limits::Capacity};

use super::{AdminDoor, Config, Core, Door, Journal, Queues, Session, Venue};

/// One line per value, in raw units. A change of this form changes every fingerprint.
pub(super) fn text(config: &Config) -> String {
    let mut text = String::from("uncross configuration 1\n");
    let written = write(config, &mut text);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    text
}

/// Takes every struct apart by name, so that no new value can be forgotten here.
fn write(config: &Config, text: &mut String) -> fmt::Result {
    let Config { venue, orders, data, admin, session, core, journal, .. } = config;
    let Config { capacity, queues, instruments, .. } = config;
    let Venue { name, utc_offset_s, day_roll_s } = venue;
    writeln!(text, "venue {name} {utc_offset_s} {day_roll_s}")?;
    let (Door { listen: orders }, Door { listen: data }) = (orders, data);
    writeln!(text, "orders {orders}\ndata {data}")?;
    let AdminDoor { listen, is_enabled, allows_remote } = admin;
    writeln!(text, "admin {listen} {is_enabled} {allows_remote}")?;
    write_session(session, text)?;
    let Core { layout, pin, wait, spin } = core;
    writeln!(text, "core {} {pin} {} {}", layout.name(), wait.name(), spin.as_nanos())?;
    let Journal { level, flush_interval, segment, snapshot_every, snapshot_rest } = journal;
    writeln!(text, "journal {} {} {segment}", level.name(), flush_interval.as_nanos())?;
    writeln!(text, "snapshots {snapshot_every} {snapshot_rest}")?;
    let Capacity { orders, levels, nodes, instruments: instruments_max, ports, .. } = capacity;
    let Capacity { port_orders, port_pages, user_ref_pages, hidden_orders, .. } = capacity;
    let Queues { ring_slots, outbound_events } = queues;
    writeln!(text, "capacity {orders} {hidden_orders} {levels} {nodes} {instruments_max} {ports}")?;
    writeln!(text, "quotas {port_orders} {port_pages}")?;
    writeln!(text, "queues {user_ref_pages} {ring_slots} {outbound_events}")?;
    instruments.iter().try_for_each(|instrument| write_instrument(instrument, text))
}

fn write_session(session: &Session, text: &mut String) -> fmt::Result {
    let Session {
        login_timeout,
        heartbeat_interval,
        client_timeout,
        connections_max,
        connections_per_address_max,
        frame_len_max,
        frames_per_turn,
        lag_max,
        lag_time_max,
    } = session;
    for duration in [login_timeout, heartbeat_interval, client_timeout, lag_time_max] {
        writeln!(text, "session {}", duration.as_nanos())?;
    }
    writeln!(text, "session {connections_max} {connections_per_address_max}")?;
    writeln!(text, "session {frame_len_max} {frames_per_turn} {lag_max}")
}

fn write_instrument(instrument: &Instrument, text: &mut String) -> fmt::Result {
    let Instrument {
        id, symbol, price_decimals, qty_decimals, tick, lot, qty_min, qty_max, ..
    } = instrument;
    let Instrument { collar_bp, reference_px, .. } = instrument;
    let symbol = symbol.escape_ascii();
    writeln!(text, "instrument {id} {symbol} {price_decimals} {qty_decimals}")?;
    writeln!(text, "instrument {tick} {lot} {qty_min} {qty_max}")?;
    writeln!(text, "instrument {collar_bp} {reference_px}")
}
