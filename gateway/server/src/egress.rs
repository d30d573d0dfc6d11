//! Events become messages: reports on the ports' streams, their copies on those of the firms,
//! market data on the feed's.
//!
//! Everything here is a function of the events, so that a replay makes the same bytes under the
//! same numbers.

mod copies;

use std::io;

use rkyv::{Archive, Deserialize, Serialize};
use uncross_engine::{
    event::{
        Canceled, Copying, Directory, Echo, Entered, Event, Fill, Head, Modified, Notice,
        Prevented, Rejected, Response, Restated, Rested, System, Trading, View,
    },
    limits::{ECHO_LEN_MAX, INSTRUMENTS_MAX},
    types::Side,
};
use uncross_wire::{
    Layout, TypeByte,
    drop_copy::Envelope,
    itch::{
        self,
        order::{
            AddOrder, AddOrderMpid, OrderCancel, OrderDelete, OrderExecuted, OrderReplace, Trade,
        },
        stock::{StockDirectory, SystemEvent as FeedEvent, TradingAction},
    },
    ouch::{
        appendage::Options,
        codes::{self, liquidity},
        outbound,
    },
};
use zerocopy::{Immutable, IntoBytes};

use self::copies::Copies;
use crate::{
    streams::{FEED, MessageSink, Streams},
    tail::Tail,
    terms::{self, capacity_byte, display_byte, side_byte, time_in_force_byte},
};

/// What messages say of an instrument.
#[derive(Clone, Copy, Debug)]
struct Name {
    symbol: [u8; 8],
    locate: u16,
}

/// Of an instrument that was not listed.
const NO_NAME: Name = Name { symbol: [b' '; 8], locate: 0 };

/// What is needed to make messages, as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct EgressState {
    midnight_ns: u64,
    /// By rising instrument id: symbol and locate code.
    names: Vec<(u16, [u8; 8], u16)>,
    /// By rising port.
    firms: Vec<(u16, [u8; 4])>,
    /// Firm, entry and whether reports are copied to it.
    copied: Vec<([u8; 4], u16, bool)>,
}

/// An order as the feed shows it.
#[derive(Clone, Copy, Debug)]
struct Standing {
    head: Head,
    instrument: u32,
    order_ref: u64,
    px: u32,
    qty: u32,
    firm: [u8; 4],
}

/// The attribution of an order that has none.
const NO_FIRM: [u8; 4] = [b' '; 4];

/// What is needed to write messages, and the streams they go to.
#[derive(Debug)]
pub(crate) struct Egress<O = Streams> {
    pub(crate) streams: O,
    midnight_ns: u64,
    /// By instrument id.
    names: Vec<Name>,
    /// An acceptance whose echo is still coming, and the echo.
    pending: Option<Event>,
    echo: Vec<u8>,
    copies: Copies,
}

impl<O: MessageSink> Egress<O> {
    /// Writes into `streams`, from the first event of a journal on.
    pub(crate) fn over(streams: O) -> Self {
        Self {
            streams,
            midnight_ns: 0,
            names: vec![NO_NAME; usize::from(INSTRUMENTS_MAX) + 1],
            pending: None,
            echo: Vec::with_capacity(ECHO_LEN_MAX),
            copies: Copies::new(),
        }
    }

    /// What decides the next messages, between two commands.
    pub(crate) fn capture(&self) -> EgressState {
        debug_assert!(self.pending.is_none(), "captured within a command");
        let blank = |name: &Name| name.symbol == NO_NAME.symbol && name.locate == NO_NAME.locate;
        let names = (0..=u16::MAX).zip(&self.names).filter(|(_, name)| !blank(name));
        EgressState {
            midnight_ns: self.midnight_ns,
            names: names.map(|(id, name)| (id, name.symbol, name.locate)).collect(),
            firms: self.copies.firms().collect(),
            copied: self.copies.streams().collect(),
        }
    }

    /// Goes on from a captured state, in `streams`.
    pub(crate) fn restore(state: &EgressState, streams: O) -> Self {
        let mut egress = Self::over(streams);
        egress.midnight_ns = state.midnight_ns;
        for &(id, symbol, locate) in &state.names {
            if let Some(name) = egress.names.get_mut(usize::from(id)) {
                *name = Name { symbol, locate };
            }
        }
        egress.copies = Copies::restore(&state.firms, &state.copied);
        egress
    }

    /// The same, writing into other streams.
    pub(crate) fn with_streams<P: MessageSink>(self, streams: P) -> Egress<P> {
        let Self { midnight_ns, names, pending, echo, copies, .. } = self;
        Egress { streams, midnight_ns, names, pending, echo, copies }
    }

    /// Entry of the stream of drop copies that a firm has in this session.
    pub(crate) fn copies_of(&self, firm: [u8; 4]) -> Option<u16> {
        self.copies.find(firm)
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
            View::Account(account) => self.account(account),
            View::CancelRejected(notice) => self.cancel_rejected(notice),
            View::Prevented(prevented) => self.prevented(prevented),
            View::Restated(restated) => self.restated(restated),
            View::Response(response) => self.response(response),
            View::System(system) => self.system(system),
            View::Directory(directory) => self.directory(directory),
            View::Trading(trading) => self.trading(trading),
            // Who ordered it is told by the publisher; no stream is.
            View::Administered(_) => Ok(()),
            View::Day(day) => {
                self.midnight_ns = day.midnight_ns;
                self.streams.begin(day.session);
                self.copies.begin();
                Ok(())
            }
            View::PortFirm(port) => {
                self.copies.assign(port.head.port, port.firm);
                Ok(())
            }
            View::Copying(copying) => self.copying(copying),
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

    /// Writes a report to a port and its copy to the port's firm.
    fn report(
        &mut self,
        port: u16,
        channel: u8,
        message: &(impl IntoBytes + Immutable),
        appendage: &[u8],
    ) -> io::Result<()> {
        self.tell(port, message, appendage)?;
        self.copy(port, channel, message, appendage)
    }

    fn tell(
        &mut self,
        port: u16,
        message: &(impl IntoBytes + Immutable),
        appendage: &[u8],
    ) -> io::Result<()> {
        self.streams.append(port, &[message.as_bytes(), appendage])
    }

    fn copy(
        &mut self,
        port: u16,
        channel: u8,
        message: &(impl IntoBytes + Immutable),
        appendage: &[u8],
    ) -> io::Result<()> {
        match self.copies.of_port(port) {
            Some(entry) => self.wrap(entry, (port, channel), message, appendage),
            None => Ok(()),
        }
    }

    /// Writes a drop copy: the report in its envelope.
    fn wrap(
        &mut self,
        entry: u16,
        (port, channel): (u16, u8),
        message: &(impl IntoBytes + Immutable),
        appendage: &[u8],
    ) -> io::Result<()> {
        let kind = TypeByte::new();
        let envelope = Envelope { kind, source_port: port.into(), user_ref_index: channel };
        self.streams.append(entry, &[envelope.as_bytes(), message.as_bytes(), appendage])
    }

    /// Reports what has no field for an appendage; the elements follow under their length, and
    /// nothing does when there are none.
    fn report_tailed(
        &mut self,
        port: u16,
        channel: u8,
        message: &(impl IntoBytes + Immutable),
        tail: &Tail,
    ) -> io::Result<()> {
        self.report(port, channel, message, tail.with_len())
    }

    fn publish(&mut self, message: &(impl IntoBytes + Immutable)) -> io::Result<()> {
        self.tell(FEED, message, &[])
    }

    /// Begins or ends the copies of a firm, and says so on their stream, as of no port.
    fn copying(&mut self, copying: &Copying) -> io::Result<()> {
        let Copying { head, firm, slot, code, .. } = *copying;
        let is_begin = code == codes::system_event::START_OF_DAY;
        let entry = self.copies.set(slot, firm, is_begin);
        let (kind, timestamp_ns) = (TypeByte::new(), self.stamp(&head).into());
        let message = outbound::SystemEvent { kind, timestamp_ns, event: code };
        self.wrap(entry, (0, 0), &message, &[])
    }

    /// The channel that the elements of an accepted order name; looked for only where it is told.
    fn channel_of(&self, port: u16, echo: &[u8]) -> u8 {
        if self.copies.of_port(port).is_some() { terms::channel(echo) } else { 0 }
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
            display: display_byte(marks.display()),
            order_reference: order_ref.into(),
            capacity: capacity_byte(marks.capacity()),
            intermarket_sweep: codes::NO,
            cross_type: codes::CrossType::Continuous.to_wire(),
            state: state_byte(marks.is_dead()),
            cl_ord_id: entered.client_order_id,
            appendage_len_bytes: appendage_len(echo).into(),
        };
        self.report(head.port, self.channel_of(head.port, echo), &message, echo)?;
        if !marks.is_resting() {
            return Ok(());
        }
        self.add(&Standing { head, instrument, order_ref, px, qty, firm: NO_FIRM })
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
            display: display_byte(marks.display()),
            order_reference: order_ref.into(),
            capacity: capacity_byte(marks.capacity()),
            intermarket_sweep: codes::NO,
            cross_type: codes::CrossType::Continuous.to_wire(),
            state: state_byte(marks.is_dead()),
            cl_ord_id: entered.client_order_id,
            appendage_len_bytes: appendage_len(echo).into(),
        };
        self.report(head.port, self.channel_of(head.port, echo), &message, echo)?;
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
        } else if !marks.is_old_shown() {
            Ok(())
        } else {
            let (kind, order_reference) = (TypeByte::new(), old_order_ref.into());
            self.publish(&OrderDelete { kind, header, order_reference })
        }
    }

    fn add(&mut self, order: &Standing) -> io::Result<()> {
        let Standing { head, instrument, order_ref, px, qty, firm } = *order;
        let side = match head.action().side() {
            Side::Bid => itch::codes::side::BUY,
            Side::Ask => itch::codes::side::SELL,
        };
        let (header, stock) = (self.header(&head, instrument), self.name(instrument).symbol);
        let (order_reference, shares, price) = (order_ref.into(), qty.into(), px.into());
        if firm == NO_FIRM {
            let kind = TypeByte::new();
            self.publish(&AddOrder { kind, header, order_reference, side, shares, stock, price })
        } else {
            self.publish(&AddOrderMpid {
                kind: TypeByte::new(),
                header,
                order_reference,
                side,
                shares,
                stock,
                price,
                attribution: firm,
            })
        }
    }

    fn rested(&mut self, rested: &Rested) -> io::Result<()> {
        let Rested { head, instrument, order_ref, px, qty, firm, .. } = *rested;
        self.add(&Standing { head, instrument, order_ref, px, qty, firm })
    }

    fn account(&mut self, account: &Notice) -> io::Result<()> {
        let message = outbound::AccountQueryResponse {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&account.head).into(),
            next_user_ref_num: account.head.user_ref_num.into(),
        };
        let tail = Tail::of(account.channel, None);
        self.report_tailed(account.head.port, account.channel, &message, &tail)
    }

    fn cancel_rejected(&mut self, notice: &Notice) -> io::Result<()> {
        let Notice { head, order_ref, channel, .. } = *notice;
        let message = outbound::CancelReject {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
        };
        self.report_tailed(head.port, channel, &message, &Tail::about(&head, channel, order_ref))
    }

    fn restated(&mut self, restated: &Restated) -> io::Result<()> {
        let Restated { head, order_ref, px, open, channel, .. } = *restated;
        let tail = Tail::with(&Options {
            secondary_order_reference: Some(order_ref),
            display_quantity: Some(open),
            display_price: Some(px.into()),
            user_ref_index: (channel != 0).then_some(channel),
            ..Options::default()
        });
        let message = outbound::Restated {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
            reason: codes::restate_reason::CARRIED_OVER,
            appendage_len_bytes: appendage_len(tail.elements()).into(),
        };
        self.report(head.port, channel, &message, tail.elements())
    }

    fn prevented(&mut self, prevented: &Prevented) -> io::Result<()> {
        let Prevented { head, instrument, order_ref, qty, open, channel, .. } = *prevented;
        let message = outbound::AiqCanceled {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&head).into(),
            user_ref_num: head.user_ref_num.into(),
            decrement: qty.into(),
            reason: codes::cancel_reason::SELF_MATCH_PREVENTION,
            quantity_prevented: prevented.prevented.into(),
            execution_price: u64::from(prevented.px).into(),
            liquidity: match (prevented.taker, head.is_hidden()) {
                (0, true) => liquidity::HIDDEN_ADDED,
                (0, false) => liquidity::ADDED,
                (_, _) => liquidity::REMOVED,
            },
            strategy: prevented.strategy,
        };
        self.report_tailed(head.port, channel, &message, &Tail::about(&head, channel, order_ref))?;
        if prevented.shown == 0 {
            return Ok(());
        }
        self.take_away(&head, instrument, order_ref, qty, open)
    }

    fn rejected(&mut self, rejected: &Rejected) -> io::Result<()> {
        let message = outbound::Rejected {
            kind: TypeByte::new(),
            timestamp_ns: self.stamp(&rejected.head).into(),
            user_ref_num: rejected.head.user_ref_num.into(),
            reason: rejected.reason.into(),
            cl_ord_id: rejected.client_order_id,
        };
        let tail = Tail::of(rejected.channel, None);
        self.report_tailed(rejected.head.port, rejected.channel, &message, &tail)
    }

    fn fill(&mut self, fill: &Fill) -> io::Result<()> {
        let stamp = self.stamp(&fill.head);
        let executed = |user_ref_num: u32, liquidity: u8, tail: &Tail| outbound::Executed {
            kind: TypeByte::new(),
            timestamp_ns: stamp.into(),
            user_ref_num: user_ref_num.into(),
            quantity: fill.qty.into(),
            price: u64::from(fill.px).into(),
            liquidity,
            match_number: fill.match_number.into(),
            appendage_len_bytes: appendage_len(tail.elements()).into(),
        };
        let is_hidden = fill.head.is_hidden();
        let added = if is_hidden { liquidity::HIDDEN_ADDED } else { liquidity::ADDED };
        let maker_tail = Tail::about(&fill.head, fill.maker_channel, fill.maker_ref);
        let maker = executed(fill.head.user_ref_num, added, &maker_tail);
        let taker_tail = Tail::of(fill.taker_channel, None);
        let taker = executed(fill.taker_user_ref_num, liquidity::REMOVED, &taker_tail);
        // Both sides are told before any copy is made.
        self.tell(fill.head.port, &maker, maker_tail.elements())?;
        self.tell(fill.taker_port, &taker, taker_tail.elements())?;
        self.copy(fill.head.port, fill.maker_channel, &maker, maker_tail.elements())?;
        self.copy(fill.taker_port, fill.taker_channel, &taker, taker_tail.elements())?;
        let header = self.header(&fill.head, fill.instrument);
        if is_hidden {
            return self.publish(&Trade {
                kind: TypeByte::new(),
                header,
                order_reference: 0.into(),
                side: itch::codes::side::BUY,
                shares: fill.qty.into(),
                stock: self.name(fill.instrument).symbol,
                price: fill.px.into(),
                match_number: fill.match_number.into(),
            });
        }
        self.publish(&OrderExecuted {
            kind: TypeByte::new(),
            header,
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
        let tail = Tail::about(&head, canceled.channel, order_ref);
        self.report_tailed(head.port, canceled.channel, &message, &tail)?;
        if canceled.shown == 0 {
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
        let tail = Tail::about(&head, modified.channel, order_ref);
        self.report_tailed(head.port, modified.channel, &message, &tail)?;
        if qty == 0 || head.is_hidden() {
            return Ok(());
        }
        self.take_away(&head, instrument, order_ref, qty, open)
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
        let tail = Tail::of(response.channel, None);
        let appendage_len_bytes = appendage_len(tail.elements()).into();
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
                self.report(head.port, response.channel, &message, tail.elements())
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
                self.report(head.port, response.channel, &message, tail.elements())
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
                self.report(head.port, response.channel, &message, tail.elements())
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
            self.report(system.head.port, 0, &message, &[])
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

#[cfg(test)]
mod secrecy;
