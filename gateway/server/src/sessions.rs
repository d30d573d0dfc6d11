//! What a journal says of the brokers' sessions: who is connected, since when, and where each
//! stands.
//!
//! Messages are counted by the code that made those that were sent, and the next number is the
//! engine's, so that neither can differ from what a client is told.

use std::{collections::BTreeMap, io, path::Path};

use uncross_engine::{Progress, limits::STEP_EVENTS_MAX, types::Side};
use uncross_journal::{Reader, ReplayError, TornTail, body, kind};
use uncross_wire::text::trim;
use zerocopy::FromBytes;

use crate::{
    calendar::civil,
    egress::Egress,
    export::ExportError,
    replay::check_behaviour,
    replica::Replica,
    streams::{FEED, MessageSink},
};

/// The sessions of the day that a journal ends in.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Name of the day's session and its year, month, day; `None` before the first day.
    pub day: Option<(String, (u32, u32, u32))>,
    /// Sequence number of the journal's last record.
    pub last_seq: u64,
    /// Its time, nanoseconds since the UNIX epoch.
    pub last_time_ns: u64,
    /// Messages of the day on the feed.
    pub feed_messages: u64,
    /// Every port that anybody ever logged in to, by rising number.
    pub ports: Vec<PortSession>,
    /// Every firm whose reports are copied, by name.
    pub copies: Vec<CopySession>,
    /// What lies behind the last record and is none.
    pub torn: Option<TornTail>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSession {
    /// Its number.
    pub port: u16,
    /// Its user.
    pub user: String,
    /// The firm that its orders may name.
    pub firm: String,
    /// Whether its connection is open.
    pub is_up: bool,
    /// When it was opened or lost, nanoseconds since the UNIX epoch.
    pub since_ns: u64,
    /// Of a lost connection why, as the journal's format has it.
    pub down_reason: Option<u8>,
    /// Generation of the connection.
    pub generation: u16,
    /// Next usable order number of channel 0.
    pub next_user_ref_num: u32,
    /// Orders that rest.
    pub live_orders: u64,
    /// Messages of the day in its stream.
    pub messages: u64,
}

/// The drop copies of a firm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopySession {
    /// The firm.
    pub firm: String,
    /// Messages of the session in its stream.
    pub messages: u64,
}

/// What was said so far, by entry.
#[derive(Debug, Default)]
struct Counting {
    messages: BTreeMap<u16, u64>,
}

impl MessageSink for Counting {
    fn append(&mut self, entry: u16, _parts: &[&[u8]]) -> io::Result<()> {
        *self.messages.entry(entry).or_default() += 1;
        Ok(())
    }

    fn begin(&mut self, _session: [u8; 10]) {
        self.messages.clear();
    }
}

/// Reads what the journal in `dir` says of the sessions. The whole journal is applied and every
/// checkpoint compared; nothing is changed, and a venue may run beside it.
///
/// # Errors
///
/// The journal is damaged, or its records do not lead to the output that was recorded.
pub fn sessions(dir: &Path) -> Result<Sessions, ReplayError<ExportError>> {
    let reader = Reader::open_whole(dir)?;
    check_behaviour::<ExportError>(&reader)?;
    let mut egress = Egress::over(Counting::default());
    let mut events = Vec::with_capacity(STEP_EVENTS_MAX);
    let mut replica: Option<Replica> = None;
    let mut found = Sessions::default();
    let mut ports: BTreeMap<u16, PortSession> = BTreeMap::new();
    let end = reader.for_each(|record| {
        if record.kind != kind::CHECKPOINT {
            found.last_time_ns = record.time_ns;
        }
        note_connection(&mut ports, record.kind, record.body, record.time_ns);
        let Some(replica) = &mut replica else {
            replica = Some(Replica::found(&record)?);
            return Ok(());
        };
        let mut progress = replica.apply(&record, &mut events)?;
        loop {
            for event in events.drain(..) {
                egress.write(&event)?;
            }
            match progress {
                Progress::Done => return Ok(()),
                Progress::More => progress = replica.resume(&mut events),
            }
        }
    })?;
    (found.last_seq, found.torn) = (end.last_seq, end.torn);
    let count = |entry: u16| egress.streams.messages.get(&entry).copied().unwrap_or(0);
    found.feed_messages = count(FEED);
    if let Some(replica) = replica {
        found.day = replica.engine().day().map(|day| (text(&day.session), civil(day.date)));
        found.copies = copied_firms(&replica)
            .map(|firm| CopySession {
                firm: text(&firm),
                messages: egress.copies_of(firm).map_or(0, count),
            })
            .collect();
        let mut live = live_orders(&replica);
        for port in ports.values_mut() {
            port.messages = count(port.port);
            port.live_orders = live.remove(&port.port).unwrap_or(0);
            port.next_user_ref_num = replica.engine().port(port.port).map_or(1, |(_, next)| next);
        }
    }
    found.ports = ports.into_values().collect();
    Ok(found)
}

/// An instant, in nanoseconds since the UNIX epoch, as RFC 3339 writes it in UTC.
#[must_use]
pub fn utc(time_ns: u64) -> String {
    let (seconds, ns) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // 64 bits of nanoseconds end in the year 2554.
    let (year, month, day) = civil(u32::try_from(days).unwrap_or(0));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

/// Takes in who came and who went.
fn note_connection(ports: &mut BTreeMap<u16, PortSession>, kind: u8, bytes: &[u8], time_ns: u64) {
    if kind == kind::SESSION_UP
        && let Ok((up, _)) = body::SessionUp::ref_from_prefix(bytes)
    {
        let port = PortSession {
            port: up.port.get(),
            user: text(&up.user),
            firm: text(&up.firm),
            is_up: true,
            since_ns: time_ns,
            down_reason: None,
            generation: up.generation.get(),
            next_user_ref_num: 1,
            live_orders: 0,
            messages: 0,
        };
        ports.insert(port.port, port);
    } else if kind == kind::SESSION_DOWN
        && let Ok((down, _)) = body::SessionDown::ref_from_prefix(bytes)
        && let Some(port) = ports.get_mut(&down.port.get())
        // The end of an older connection ends nothing any more.
        && port.is_up
        && port.generation == down.generation.get()
    {
        (port.is_up, port.since_ns, port.down_reason) = (false, time_ns, Some(down.reason));
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(trim(field)).into_owned()
}

/// The firms whose reports are copied, by name.
fn copied_firms(replica: &Replica) -> impl Iterator<Item = [u8; 4]> {
    let mut firms: Vec<_> = replica.engine().copied_firms().collect();
    firms.sort_unstable();
    firms.into_iter()
}

/// Resting orders by port.
fn live_orders(replica: &Replica) -> BTreeMap<u16, u64> {
    let engine = replica.engine();
    let mut live = BTreeMap::new();
    for instrument in engine.instruments() {
        for side in [Side::Bid, Side::Ask] {
            for order in engine.resting(instrument.id, side) {
                *live.entry(order.port).or_default() += 1;
            }
        }
    }
    live
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(utc(1_709_210_096_000_000_789), "2024-02-29T12:34:56.000000789Z");
        assert!(utc(u64::MAX).starts_with("2554-07-21T23:34:33."));
    }
}
