//! Events become messages: reports on the ports' streams, market data on the feed's.
//!
//! Everything here is a function of the events, so that a replay makes the same bytes under the
//! same numbers.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use uncross_engine::{
    event::{
        Canceled, Directory, Echo, Entered, Event, Fill, Head, Modified, Rejected, Response,
        Rested, System, Trading, View,
    },
    limits::{ECHO_LEN_MAX, INSTRUMENTS_MAX},
    types::Side,
};
use uncross_wire::{
    Layout, TypeByte,
    itch::{
        self,
        order::{AddOrder, OrderCancel, OrderDelete, OrderExecuted, OrderReplace},
        stock::{StockDirectory, SystemEvent as FeedEvent, TradingAction},
    },
    ouch::{
        codes::{self, liquidity},
        outbound,
    },
};
use zerocopy::{Immutable, IntoBytes};

use crate::{
    stream::Stream,
    terms::{capacity_byte, side_byte, time_in_force_byte},
};

/// A stream: one of a port's, or the feed's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId(usize);

/// What messages say of an instrument.
#[derive(Clone, Copy, Debug)]
struct Name {
    symbol: [u8; 8],
    locate: u16,
}

/// A stream and how many connections follow it.
#[derive(Debug)]
struct Slot {
    stream: Stream,
    followers: u32,
}

/// All streams, and what is needed to write them.
#[derive(Debug)]
pub(crate) struct Egress {
    dir: PathBuf,
    streams: Vec<Slot>,
    /// Empty slots of `streams`.
    free: Vec<usize>,
    /// By port: its stream of the day. Entry 0 is the feed's.
    current: Vec<Option<StreamId>>,
    /// Entries of `current` that grew since they were last looked at, first grown first.
    grown: VecDeque<u16>,
    is_grown: Vec<bool>,
    session: [u8; 10],
    midnight_ns: u64,
    /// By instrument id.
    names: Vec<Name>,
    /// An acceptance whose echo is still coming, and the echo.
    pending: Option<Event>,
    echo: Vec<u8>,
}

/// Entry of `current` that stands for the feed.
pub(crate) const FEED: u16 = 0;

impl Egress {
    pub(crate) fn new(dir: &Path, ports_max: u16) -> Self {
        let entries = usize::from(ports_max) + 1;
        Self {
            dir: dir.to_owned(),
            streams: Vec::new(),
            free: Vec::new(),
            current: vec![None; entries],
            grown: VecDeque::with_capacity(entries),
            is_grown: vec![false; entries],
            session: [b' '; 10],
            midnight_ns: 0,
            names: vec![Name { symbol: [b' '; 8], locate: 0 }; usize::from(INSTRUMENTS_MAX) + 1],
            pending: None,
            echo: Vec::with_capacity(ECHO_LEN_MAX),
        }
    }

    /// Name of the day's session.
    pub(crate) const fn session(&self) -> [u8; 10] {
        self.session
    }

    /// The stream of a port, or of the feed.
    pub(crate) fn current(&mut self, entry: u16) -> StreamId {
        if let Some(id) = self.current[usize::from(entry)] {
            return id;
        }
        let slot = Slot { stream: Stream::new(), followers: 0 };
        let id = if let Some(id) = self.free.pop() {
            self.streams[id] = slot;
            StreamId(id)
        } else {
            self.streams.push(slot);
            StreamId(self.streams.len() - 1)
        };
        self.current[usize::from(entry)] = Some(id);
        id
    }

    pub(crate) fn stream(&self, id: StreamId) -> &Stream {
        &self.streams[id.0].stream
    }

    /// A connection follows the stream: it is kept until the connection no longer does.
    pub(crate) fn follow(&mut self, id: StreamId) {
        self.streams[id.0].followers += 1;
    }

    /// A connection follows the stream no more.
    pub(crate) fn unfollow(&mut self, id: StreamId) {
        self.streams[id.0].followers -= 1;
        self.drop_if_done(id);
    }

    /// Drops a stream that has ended and that nobody reads.
    fn drop_if_done(&mut self, id: StreamId) {
        let slot = &mut self.streams[id.0];
        if slot.stream.is_ended() && slot.followers == 0 {
            slot.stream = Stream::new();
            self.free.push(id.0);
        }
    }

    /// An entry whose stream grew or ended, each once.
    pub(crate) fn take_grown(&mut self) -> Option<u16> {
        let entry = self.grown.pop_front()?;
        self.is_grown[usize::from(entry)] = false;
        Some(entry)
    }

    fn note_grown(&mut self, entry: u16) {
        if !self.is_grown[usize::from(entry)] {
            self.is_grown[usize::from(entry)] = true;
            self.grown.push_back(entry);
        }
    }

    /// Writes what an event says.
    ///
    /// # Errors
    ///
    /// A stream's file could not grow.
    pub(crate) fn write(&mut self, event: &Event) -> io::Result<()> {
        match event.view() {
            View::Accepted(entered) | View::Replaced(entered) => {
                if entered.marks.has_echo() {
                    self.pending = Some(*event);
                    self.echo.clear();
                    return Ok(());
                }
                self.write_entered(event)
            }
            View::Echo(echo) => self.gather(echo),
            View::Rejected(rejected) => self.rejected(rejected),
            View::Fill(fill) => self.fill(fill),
            View::Canceled(canceled) => self.canceled(canceled),
            View::Modified(modified) => self.modified(modified),
            View::Rested(rested) => self.rested(rested),
            View::Account(account) => {
                let next_user_ref_num = account.head.user_ref_num.into();
                let timestamp_ns = self.stamp(&account.head).into();
                let kind = TypeByte::new();
                let message =
                    outbound::AccountQueryResponse { kind, timestamp_ns, next_user_ref_num };
                self.report(account.head.port, &message, &[])
            }
            View::CancelRejected(notice) => {
                let user_ref_num = notice.head.user_ref_num.into();
                let timestamp_ns = self.stamp(&notice.head).into();
                let kind = TypeByte::new();
                let message = outbound::CancelReject { kind, timestamp_ns, user_ref_num };
                self.report(notice.head.port, &message, &[])
            }
            View::Response(response) => self.response(response),
            View::System(system) => self.system(system),
            View::Directory(directory) => self.directory(directory),
            View::Trading(trading) => self.trading(trading),
            View::Day(day) => {
                self.session = day.session;
                self.midnight_ns = day.midnight_ns;
                self.end_streams();
                Ok(())
            }
        }
    }

    /// Ends every stream; each is replaced when it is next wanted.
    fn end_streams(&mut self) {
        for entry in 0..self.current.len() {
            if let Some(id) = self.current[entry].take() {
                self.streams[id.0].stream.end();
                self.drop_if_done(id);
                self.note_grown(u16::try_from(entry).unwrap_or(FEED));
            }
        }
    }

    /// Nanoseconds since the day's midnight.
    const fn stamp(&self, head: &Head) -> u64 {
        head.time_ns.saturating_sub(self.midnight_ns)
    }

    fn header(&self, head: &Head, instrument: u32) -> itch::Header {
        let stamp = itch::Timestamp::from_ns(self.stamp(head)).unwrap_or_default();
        itch::Header::new(self.name(instrument).locate, stamp)
    }

    fn name(&self, instrument: u32) -> Name {
        self.names[instrument as usize]
    }

    fn report(
        &mut self,
        port: u16,
        message: &(impl IntoBytes + Immutable),
        appendage: &[u8],
    ) -> io::Result<()> {
        let id = self.current(port);
        self.streams[id.0].stream.append(&self.dir, message.as_bytes(), appendage)?;
        self.note_grown(port);
        Ok(())
    }

    fn publish(&mut self, message: &(impl IntoBytes + Immutable)) -> io::Result<()> {
        self.report(FEED, message, &[])
    }

    fn gather(&mut self, echo: &Echo) -> io::Result<()> {
        self.echo.extend_from_slice(&echo.bytes[..usize::from(echo.len)]);
        match self.pending {
            Some(event) if echo.more == 0 => {
                self.pending = None;
                self.write_entered(&event)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Reports an acceptance or replacement with the echo gathered for it, and shows on the feed
    /// what of it rests.
    fn write_entered(&mut self, event: &Event) -> io::Result<()> {
        let echo = core::mem::take(&mut self.echo);
        let done = match event.view() {
            View::Accepted(entered) => self.accepted(entered, &echo),
            View::Replaced(entered) => self.replaced(entered, &echo),
            _ => Ok(()),
        };
        self.echo = echo;
        self.echo.clear();
        done
    }

    fn accepted(&mut self, entered: &Entered, echo: &[u8]) -> io::Result<()> {
        let Entered { head, instrument, px, qty, order_ref, marks, .. } = *entered;
        let message = outbound::Accepted {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
            side: side_byte(head.action()),
            quantity: qty.into(),
            symbol: self.name(instrument).symbol,
            price: u64::from(px).into(),
            time_in_force: time_in_force_byte(marks.time_in_force()),
            display: codes::Display::Visible.to_wire(),
            order_reference: order_ref.into(),
            capacity: capacity_byte(marks.capacity()),
            intermarket_sweep: codes::NO,
            cross_type: codes::CrossType::Continuous.to_wire(),
            state: state_byte(marks.is_dead()),
            cl_ord_id: entered.client_order_id,
            appendage_len_bytes: appendage_len(echo).into(),
        };
        self.report(head.port, &message, echo)?;
        if marks.is_resting() { self.add(&head, instrument, order_ref, px, qty) } else { Ok(()) }
    }

    fn replaced(&mut self, entered: &Entered, echo: &[u8]) -> io::Result<()> {
        let Entered { head, instrument, px, qty, order_ref, old_order_ref, marks, .. } = *entered;
        let message = outbound::Replaced {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            orig_user_ref_num: entered.orig_user_ref_num.into(),
            new_user_ref_num: head.user_ref_num.into(),
            side: side_byte(head.action()),
            quantity: qty.into(),
            symbol: self.name(instrument).symbol,
            price: u64::from(px).into(),
            time_in_force: time_in_force_byte(marks.time_in_force()),
            display: codes::Display::Visible.to_wire(),
            order_reference: order_ref.into(),
            capacity: capacity_byte(marks.capacity()),
            intermarket_sweep: codes::NO,
            cross_type: codes::CrossType::Continuous.to_wire(),
            state: state_byte(marks.is_dead()),
            cl_ord_id: entered.client_order_id,
            appendage_len_bytes: appendage_len(echo).into(),
        };
        self.report(head.port, &message, echo)?;
        let header = self.header(&head, instrument);
        if marks.is_resting() {
            self.publish(&OrderReplace {
                kind: TypeByte::new(),
                header,
                original_reference: old_order_ref.into(),
                new_reference: order_ref.into(),
                shares: qty.into(),
                price: px.into(),
            })
        } else {
            let (kind, order_reference) = (TypeByte::new(), old_order_ref.into());
            self.publish(&OrderDelete { kind, header, order_reference })
        }
    }

    fn add(
        &mut self,
        head: &Head,
        instrument: u32,
        order_ref: u64,
        px: u32,
        qty: u32,
    ) -> io::Result<()> {
        let side = match head.action().side() {
            Side::Bid => itch::codes::side::BUY,
            Side::Ask => itch::codes::side::SELL,
        };
        self.publish(&AddOrder {
            kind: TypeByte::new(),
            header: self.header(head, instrument),
            order_reference: order_ref.into(),
            side,
            shares: qty.into(),
            stock: self.name(instrument).symbol,
            price: px.into(),
        })
    }

    fn rested(&mut self, rested: &Rested) -> io::Result<()> {
        self.add(&rested.head, rested.instrument, rested.order_ref, rested.px, rested.qty)
    }

    fn rejected(&mut self, rejected: &Rejected) -> io::Result<()> {
        let message = outbound::Rejected {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&rejected.head).into(),
            user_ref_num: rejected.head.user_ref_num.into(),
            reason: rejected.reason.into(),
            cl_ord_id: rejected.client_order_id,
        };
        self.report(rejected.head.port, &message, &[])
    }

    fn fill(&mut self, fill: &Fill) -> io::Result<()> {
        let executed = |user_ref_num: u32, liquidity: u8, stamp: u64| outbound::Executed {
            kind: TypeByte::new(),
            timestamp_ns: stamp.into(),
            user_ref_num: user_ref_num.into(),
            quantity: fill.qty.into(),
            price: u64::from(fill.px).into(),
            liquidity,
            match_number: fill.match_number.into(),
            appendage_len_bytes: 0.into(),
        };
        let stamp = self.stamp(&fill.head);
        let maker = executed(fill.head.user_ref_num, liquidity::ADDED, stamp);
        self.report(fill.head.port, &maker, &[])?;
        let taker = executed(fill.taker_user_ref_num, liquidity::REMOVED, stamp);
        self.report(fill.taker_port, &taker, &[])?;
        self.publish(&OrderExecuted {
            kind: TypeByte::new(),
            header: self.header(&fill.head, fill.instrument),
            order_reference: fill.maker_ref.into(),
            executed_shares: fill.qty.into(),
            match_number: fill.match_number.into(),
        })
    }

    fn canceled(&mut self, canceled: &Canceled) -> io::Result<()> {
        let Canceled { head, instrument, order_ref, qty, open, .. } = *canceled;
        let message = outbound::Canceled {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
            quantity: qty.into(),
            reason: canceled.reason,
        };
        self.report(head.port, &message, &[])?;
        if canceled.booked == 0 {
            return Ok(());
        }
        self.take_away(&head, instrument, order_ref, qty, open)
    }

    fn modified(&mut self, modified: &Modified) -> io::Result<()> {
        let Modified { head, instrument, order_ref, qty, open, .. } = *modified;
        let message = outbound::Modified {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
            side: side_byte(head.action()),
            quantity: open.into(),
        };
        self.report(head.port, &message, &[])?;
        if qty == 0 { Ok(()) } else { self.take_away(&head, instrument, order_ref, qty, open) }
    }

    /// Shows a reduction of a displayed order.
    fn take_away(
        &mut self,
        head: &Head,
        instrument: u32,
        order_ref: u64,
        qty: u32,
        open: u32,
    ) -> io::Result<()> {
        let (header, order_reference) = (self.header(head, instrument), order_ref.into());
        if open == 0 {
            self.publish(&OrderDelete { kind: TypeByte::new(), header, order_reference })
        } else {
            let (kind, cancelled_shares) = (TypeByte::new(), qty.into());
            self.publish(&OrderCancel { kind, header, order_reference, cancelled_shares })
        }
    }

    fn response(&mut self, response: &Response) -> io::Result<()> {
        let Response { head, symbol, firm, answer, .. } = *response;
        let (timestamp_ns, user_ref_num) = (self.stamp(&head).into(), head.user_ref_num.into());
        let appendage_len_bytes = 0.into();
        match answer {
            outbound::MassCancelResponse::KIND => {
                let message = outbound::MassCancelResponse {
                    kind: TypeByte::new(),
                    timestamp_ns,
                    user_ref_num,
                    firm,
                    symbol,
                    appendage_len_bytes,
                };
                self.report(head.port, &message, &[])
            }
            outbound::EnableResponse::KIND => {
                let kind = TypeByte::new();
                let message = outbound::EnableResponse {
                    kind,
                    timestamp_ns,
                    user_ref_num,
                    firm,
                    appendage_len_bytes,
                };
                self.report(head.port, &message, &[])
            }
            _ => {
                let kind = TypeByte::new();
                let message = outbound::DisableResponse {
                    kind,
                    timestamp_ns,
                    user_ref_num,
                    firm,
                    appendage_len_bytes,
                };
                self.report(head.port, &message, &[])
            }
        }
    }

    fn system(&mut self, system: &System) -> io::Result<()> {
        let event = system.code;
        if system.head.port == FEED {
            let (kind, header) = (TypeByte::new(), self.header(&system.head, 0));
            self.publish(&FeedEvent { kind, header, event })
        } else {
            let timestamp_ns = self.stamp(&system.head).into();
            let message = outbound::SystemEvent { kind: TypeByte::new(), timestamp_ns, event };
            self.report(system.head.port, &message, &[])
        }
    }

    fn directory(&mut self, directory: &Directory) -> io::Result<()> {
        let Directory { head, symbol, instrument, lot, locate, .. } = *directory;
        self.names[instrument as usize] = Name { symbol, locate };
        self.publish(&StockDirectory {
            kind: TypeByte::new(),
            header: self.header(&head, instrument),
            stock: symbol,
            market_category: b' ',
            financial_status: b' ',
            round_lot_size: lot.into(),
            round_lots_only: codes::NO,
            issue_classification: b'Q',
            issue_subtype: *b"Z ",
            authenticity: itch::codes::authenticity::LIVE,
            short_sale_threshold: b' ',
            ipo_flag: b' ',
            luld_tier: b' ',
            etp_flag: b' ',
            etp_leverage_factor: 0.into(),
            inverse: codes::NO,
        })
    }

    fn trading(&mut self, trading: &Trading) -> io::Result<()> {
        self.publish(&TradingAction {
            kind: TypeByte::new(),
            header: self.header(&trading.head, trading.instrument),
            stock: self.name(trading.instrument).symbol,
            trading_state: trading.state,
            reserved: b' ',
            reason: [b' '; 4],
        })
    }
}

const fn state_byte(is_dead: bool) -> u8 {
    if is_dead { codes::OrderState::Dead.to_wire() } else { codes::OrderState::Live.to_wire() }
}

fn appendage_len(echo: &[u8]) -> u16 {
    u16::try_from(echo.len()).unwrap_or(u16::MAX)
}
