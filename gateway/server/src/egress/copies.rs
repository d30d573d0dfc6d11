//! Which reports are copied where: the firm of every port, and the stream of every copied firm.

use uncross_engine::limits::{COPIED_FIRMS_MAX, PORTS_MAX};

use crate::streams;

/// The firm of a port of which nothing is known.
const NO_FIRM: [u8; 4] = [b' '; 4];

/// A stream of the session.
#[derive(Clone, Copy, Debug)]
struct Copied {
    firm: [u8; 4],
    entry: u16,
    /// Reports are copied to it; otherwise it has ended, and those who follow it read on.
    is_on: bool,
}

/// Tables for one look-up per report.
#[derive(Debug)]
pub(super) struct Copies {
    /// By port: its firm.
    firms: Vec<[u8; 4]>,
    /// By port: entry of the stream that its reports are copied to; 0 for none.
    entries: Vec<u16>,
    copied: Vec<Copied>,
}

impl Copies {
    pub(super) fn new() -> Self {
        let ports_len = usize::from(PORTS_MAX) + 1;
        Self {
            firms: vec![NO_FIRM; ports_len],
            entries: vec![0; ports_len],
            copied: Vec::with_capacity(COPIED_FIRMS_MAX),
        }
    }

    /// By rising port, the firms of those that have one.
    pub(super) fn firms(&self) -> impl Iterator<Item = (u16, [u8; 4])> + '_ {
        let firms = (0..).zip(&self.firms).filter(|(_, firm)| **firm != NO_FIRM);
        firms.map(|(port, &firm)| (port, firm))
    }

    /// Firm and entry of the streams of the session, and whether reports are copied to them.
    pub(super) fn streams(&self) -> impl Iterator<Item = ([u8; 4], u16, bool)> + '_ {
        self.copied.iter().map(|it| (it.firm, it.entry, it.is_on))
    }

    /// The tables that were captured.
    pub(super) fn restore(firms: &[(u16, [u8; 4])], streams: &[([u8; 4], u16, bool)]) -> Self {
        let mut tables = Self::new();
        let copied = streams.iter().map(|&(firm, entry, is_on)| Copied { firm, entry, is_on });
        tables.copied.extend(copied);
        for &(port, firm) in firms.iter().filter(|(port, _)| *port <= PORTS_MAX) {
            tables.assign(port, firm);
        }
        tables
    }

    /// Entry of the stream to which the reports of a port are copied.
    #[inline]
    pub(super) fn of_port(&self, port: u16) -> Option<u16> {
        let entry = self.entries[usize::from(port)];
        (entry != 0).then_some(entry)
    }

    /// Entry of the stream that a firm has in this session.
    pub(super) fn find(&self, firm: [u8; 4]) -> Option<u16> {
        let found = self.copied.iter().find(|copied| copied.firm == firm);
        found.map(|copied| copied.entry)
    }

    /// A session begins, in which no stream is there yet.
    pub(super) fn begin(&mut self) {
        self.copied.clear();
        self.entries.fill(0);
    }

    /// The port is the firm's from now on.
    pub(super) fn assign(&mut self, port: u16, firm: [u8; 4]) {
        self.firms[usize::from(port)] = firm;
        let copied = self.copied.iter().find(|copied| copied.is_on && copied.firm == firm);
        self.entries[usize::from(port)] = copied.map_or(0, |copied| copied.entry);
    }

    /// Reports of the firm's ports are copied from now on, or no more. Returns the entry of the
    /// stream.
    pub(super) fn set(&mut self, slot: u16, firm: [u8; 4], is_on: bool) -> u16 {
        let entry = streams::copies(slot);
        self.copied.retain(|copied| copied.entry != entry);
        self.copied.push(Copied { firm, entry, is_on });
        for (of, to) in self.firms.iter().zip(&mut self.entries) {
            if *of == firm {
                *to = if is_on { entry } else { 0 };
            }
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use uncross_engine::{
        Engine, Progress,
        command::{Command, DayRoll, DropCopy, Enter, SessionUp, Source, Terms},
        instrument::Instrument,
        limits::Capacity,
        types::{self, Action, Display, TimeInForce},
    };

    use super::*;
    use crate::{
        egress::Egress,
        streams::{FEED, MessageSink},
    };

    /// Notes the order in which messages are written: entry and type, of a copy that in it.
    #[derive(Debug, Default)]
    struct Noted(Vec<(u16, u8)>);

    impl MessageSink for Noted {
        fn append(&mut self, entry: u16, parts: &[&[u8]]) -> io::Result<()> {
            let message = parts[usize::from(streams::copies_slot(entry).is_some())];
            self.0.push((entry, message[0]));
            Ok(())
        }

        fn begin(&mut self, _session: [u8; 10]) {}
    }

    fn order(port: u16, action: Action) -> Command<'static> {
        let terms =
            Terms::plain(action, TimeInForce::Day, types::Capacity::Agency, Display::Visible);
        Command::Enter(Enter {
            source: Source { port, generation: 1, channel: 0 },
            user_ref_num: 1,
            instrument: 1,
            qty: 5,
            px: 100,
            terms: Ok(terms),
            client_order_id: &[b' '; 14],
            echo: b"",
        })
    }

    #[test]
    fn both_sides_are_told_before_any_copy_and_copies_before_the_feed() {
        let session = *b" SESSION01";
        let up = |port| {
            let source = Source { port, generation: 1, channel: 0 };
            Command::SessionUp(SessionUp { source, firm: ONE, session, grace_ms: None })
        };
        let instrument = Instrument {
            id: 1,
            symbol: *b"DEMO    ",
            price_decimals: 4,
            qty_decimals: 0,
            tick: 1,
            lot: 1,
            qty_min: 1,
            qty_max: 100,
            collar_bp: 0,
            reference_px: 0,
        };
        let mut engine = Engine::new(Capacity { orders: 9, levels: 9, ..Capacity::default() });
        let mut egress = Egress::over(Noted::default());
        let mut said = Vec::new();
        for (seq, command) in (1..).zip([
            Command::Define(instrument),
            Command::DayRoll(DayRoll { date: 0, utc_offset_s: 0, session }),
            Command::DropCopy(DropCopy { firm: ONE, is_on: true }),
            up(1),
            up(2),
            order(1, Action::Buy),
            order(2, Action::Sell),
        ]) {
            let mut events: Vec<uncross_engine::event::Event> = Vec::new();
            let mut progress = engine.begin(seq, seq, &command, &mut events);
            while progress == Progress::More {
                progress = engine.resume(&mut events);
            }
            egress.streams.0.clear();
            for event in &events {
                egress.write(event).unwrap();
            }
            said.push(core::mem::take(&mut egress.streams.0));
        }
        let copies = streams::copies(0);
        assert_eq!(said[5], [(1, b'A'), (copies, b'A'), (FEED, b'A')]);
        let expected = [
            (2, b'A'),
            (copies, b'A'),
            // The trade: maker, taker, their copies, the public.
            (1, b'E'),
            (2, b'E'),
            (copies, b'E'),
            (copies, b'E'),
            (FEED, b'E'),
        ];
        assert_eq!(said[6], expected);
    }

    const ONE: [u8; 4] = *b"ONE ";
    const TWO: [u8; 4] = *b"TWO ";

    #[test]
    fn a_report_is_copied_to_the_firm_that_its_port_has_now() {
        let mut copies = Copies::new();
        copies.assign(7, ONE);
        assert_eq!(copies.of_port(7), None, "nobody asked for copies");
        let one = copies.set(0, ONE, true);
        let two = copies.set(1, TWO, true);
        assert_eq!((copies.of_port(7), copies.of_port(8)), (Some(one), None));
        copies.assign(7, TWO);
        copies.assign(8, ONE);
        assert_eq!((copies.of_port(7), copies.of_port(8)), (Some(two), Some(one)));
    }

    #[test]
    fn an_ended_stream_is_found_and_gets_no_more_copies() {
        let mut copies = Copies::new();
        copies.assign(7, ONE);
        let one = copies.set(0, ONE, true);
        assert_eq!(copies.set(0, ONE, false), one);
        copies.assign(8, ONE);
        assert_eq!(
            (copies.of_port(7), copies.of_port(8), copies.find(ONE)),
            (None, None, Some(one))
        );
        copies.set(0, ONE, true);
        assert_eq!((copies.of_port(7), copies.of_port(8)), (Some(one), Some(one)));
    }

    #[test]
    fn a_session_begins_without_streams_and_ports_keep_their_firms() {
        let mut copies = Copies::new();
        copies.assign(7, ONE);
        copies.set(0, ONE, true);
        copies.begin();
        assert_eq!((copies.of_port(7), copies.find(ONE)), (None, None));
        let again = copies.set(0, ONE, true);
        assert_eq!(copies.of_port(7), Some(again));
    }
}
