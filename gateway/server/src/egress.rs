//! Events become messages: reports on the ports' streams, market data on the feed's.
//!
//! Everything here is a function of the events, so that a replay makes the same bytes under the
//! same numbers.

use std::{io, path::Path};

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
    streams::{FEED, Outlet, Streams},
    terms::{capacity_byte, side_byte, time_in_force_byte},
};

/// What messages say of an instrument.
#[derive(Clone, Copy, Debug)]
struct Name {
    symbol: [u8; 8],
    locate: u16,
}

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
}

impl Egress {
    pub(crate) fn new(dir: &Path, ports_max: u16) -> Self {
        Self::over(Streams::new(dir, ports_max))
    }
}

impl<O: Outlet> Egress<O> {
    /// Writes into `streams`, from the first event of a journal on.
    pub(crate) fn over(streams: O) -> Self {
        Self {
            streams,
            midnight_ns: 0,
            names: vec![Name { symbol: [b' '; 8], locate: 0 }; usize::from(INSTRUMENTS_MAX) + 1],
            pending: None,
            echo: Vec::with_capacity(ECHO_LEN_MAX),
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
                self.midnight_ns = day.midnight_ns;
                self.streams.begin(day.session);
                Ok(())
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
        self.streams.append(port, message.as_bytes(), appendage)
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
