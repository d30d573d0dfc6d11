//! What the engine says: fixed slots of 64 bytes, written once, read by egress and feed.
//!
//! An event serves everyone it concerns: one [`Fill`] becomes a report to the maker, one to the
//! taker and an execution on the feed. Integers are little-endian in memory on every machine this
//! builds for, so that the rolling hash over the slots is the same everywhere.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute_mut, transmute_ref};

use crate::{
    admin::ActOutcome,
    limits::ECHO_PART_LEN,
    types::{Action, Capacity, Display, TimeInForce},
};

#[cfg(target_endian = "big")]
compile_error!("event bytes are hashed and compared across machines: little-endian only");

/// Where the engine writes its events.
pub trait Sink {
    /// Takes one event. Between two pauses at most [`crate::limits::STEP_EVENTS_MAX`] come.
    fn push(&mut self, event: Event);

    /// Takes one event, which `write` writes whole: straight into its slot where there is one.
    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut Event)) {
        let mut event = Event::EMPTY;
        write(&mut event);
        self.push(event);
    }
}

impl Sink for Vec<Event> {
    fn push(&mut self, event: Event) {
        Self::push(self, event);
    }
}

/// One event, as bytes.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Event([u8; 64]);

impl Event {
    /// An event that is none; buffers are filled with it at start.
    pub const EMPTY: Self = Self([0; 64]);

    /// The bytes the rolling hash covers.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// What came of an administrative act, if that is what it says.
    #[must_use]
    #[inline]
    pub fn as_administered(&self) -> Option<&Administered> {
        (self.0[0] == kind::ADMINISTERED).then(|| transmute_ref!(self))
    }

    /// The event as its type.
    ///
    /// # Panics
    ///
    /// When the slot was not made by this module.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        match self.0[0] {
            kind::ACCEPTED => View::Accepted(transmute_ref!(self)),
            kind::REPLACED => View::Replaced(transmute_ref!(self)),
            kind::REJECTED => View::Rejected(transmute_ref!(self)),
            kind::FILL => View::Fill(transmute_ref!(self)),
            kind::CANCELED => View::Canceled(transmute_ref!(self)),
            kind::MODIFIED => View::Modified(transmute_ref!(self)),
            kind::RESTED => View::Rested(transmute_ref!(self)),
            kind::ECHO => View::Echo(transmute_ref!(self)),
            kind::ACCOUNT => View::Account(transmute_ref!(self)),
            kind::RESPONSE => View::Response(transmute_ref!(self)),
            kind::CANCEL_REJECTED => View::CancelRejected(transmute_ref!(self)),
            kind::SYSTEM => View::System(transmute_ref!(self)),
            kind::DIRECTORY => View::Directory(transmute_ref!(self)),
            kind::TRADING => View::Trading(transmute_ref!(self)),
            kind::DAY => View::Day(transmute_ref!(self)),
            kind::RESTATED => View::Restated(transmute_ref!(self)),
            kind::PREVENTED => View::Prevented(transmute_ref!(self)),
            kind::ADMINISTERED => View::Administered(transmute_ref!(self)),
            kind::PORT_FIRM => View::PortFirm(transmute_ref!(self)),
            kind::COPYING => View::Copying(transmute_ref!(self)),
            kind => {
                assert_eq!(kind, kind::ACCEPTED, "a slot that no engine wrote");
                View::Accepted(transmute_ref!(self))
            }
        }
    }
}

impl core::fmt::Debug for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.view().fmt(f)
    }
}

mod kind {
    pub(super) const ACCEPTED: u8 = 1;
    pub(super) const REPLACED: u8 = 2;
    pub(super) const REJECTED: u8 = 3;
    pub(super) const FILL: u8 = 4;
    pub(super) const CANCELED: u8 = 5;
    pub(super) const MODIFIED: u8 = 6;
    pub(super) const RESTED: u8 = 7;
    pub(super) const ECHO: u8 = 8;
    pub(super) const ACCOUNT: u8 = 9;
    pub(super) const SYSTEM: u8 = 10;
    pub(super) const DIRECTORY: u8 = 11;
    pub(super) const TRADING: u8 = 12;
    pub(super) const DAY: u8 = 13;
    pub(super) const CANCEL_REJECTED: u8 = 14;
    pub(super) const RESPONSE: u8 = 15;
    pub(super) const RESTATED: u8 = 16;
    pub(super) const PREVENTED: u8 = 17;
    pub(super) const ADMINISTERED: u8 = 18;
    pub(super) const PORT_FIRM: u8 = 19;
    pub(super) const COPYING: u8 = 20;
}

/// What every event begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Head {
    kind: u8,
    /// [`Action`] of the order it is about, as its code in the low two bits; the next one says that
    /// the order is hidden.
    traits: u8,
    /// The port concerned (of a fill the maker's), 0 for none.
    pub port: u16,
    /// The client's number of the order (of a fill the maker's).
    pub user_ref_num: u32,
    /// Time of the command, nanoseconds since the UNIX epoch.
    pub time_ns: u64,
}

impl Head {
    const HIDDEN: u8 = 1 << 2;

    pub(crate) const fn new(port: u16, user_ref_num: u32, action: Action, time_ns: u64) -> Self {
        Self { kind: 0, traits: action as u8, port, user_ref_num, time_ns }
    }

    /// The same about an order that is hidden, or is not.
    pub(crate) const fn hidden(self, is_hidden: bool) -> Self {
        let traits = if is_hidden { self.traits | Self::HIDDEN } else { self.traits };
        Self { traits, ..self }
    }

    /// Side and kind of sale of the order.
    #[must_use]
    pub const fn action(&self) -> Action {
        Action::from_code(self.traits)
    }

    /// The public knows nothing of the order.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        self.traits & Self::HIDDEN != 0
    }
}

/// Small values of an accepted order, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Marks(u16);

impl Marks {
    const RESTS: u16 = 1 << 4;
    const DEAD: u16 = 1 << 5;
    const ECHO: u16 = 1 << 6;
    const DISPLAY_SHIFT: u16 = 7;
    const OLD_SHOWN: u16 = 1 << 9;

    pub(crate) const fn new(
        time_in_force: TimeInForce,
        capacity: Capacity,
        display: Display,
    ) -> Self {
        let low = time_in_force as u16 | (capacity as u16) << 2;
        Self(low | (display as u16) << Self::DISPLAY_SHIFT)
    }

    pub(crate) const fn rests(self) -> Self {
        Self(self.0 | Self::RESTS)
    }

    pub(crate) const fn with_old_shown(self, some: bool) -> Self {
        if some { Self(self.0 | Self::OLD_SHOWN) } else { self }
    }

    pub(crate) const fn dead(self) -> Self {
        Self(self.0 | Self::DEAD)
    }

    pub(crate) const fn with_echo(self, some: bool) -> Self {
        if some { Self(self.0 | Self::ECHO) } else { self }
    }

    /// How long the order stands.
    #[must_use]
    pub const fn time_in_force(self) -> TimeInForce {
        TimeInForce::from_code(self.low())
    }

    /// The broker's role.
    #[must_use]
    pub const fn capacity(self) -> Capacity {
        Capacity::from_code(self.low() >> 2)
    }

    /// What the public may see of it.
    #[must_use]
    pub const fn display(self) -> Display {
        let [low, _] = (self.0 >> Self::DISPLAY_SHIFT).to_le_bytes();
        Display::from_code(low)
    }

    /// Of a replacement: the public saw the order that is finished.
    #[must_use]
    pub const fn is_old_shown(self) -> bool {
        self.0 & Self::OLD_SHOWN != 0
    }

    /// The whole open quantity went to the book at once and the feed shows it, of a replacement
    /// under the attribution of the old one. What it shows otherwise, a [`Rested`] event says.
    #[must_use]
    pub const fn is_resting(self) -> bool {
        self.0 & Self::RESTS != 0
    }

    /// The order is over; nothing follows about it.
    #[must_use]
    pub const fn is_dead(self) -> bool {
        self.0 & Self::DEAD != 0
    }

    /// [`Echo`] events follow.
    #[must_use]
    pub const fn has_echo(self) -> bool {
        self.0 & Self::ECHO != 0
    }

    const fn low(self) -> u8 {
        self.0.to_le_bytes()[0]
    }
}

/// An order accepted or replaced.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Entered {
    /// Port, number, side.
    pub head: Head,
    /// The new public reference.
    pub order_ref: u64,
    /// Of a replace: the reference that is finished. Otherwise 0.
    pub old_order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Price, of a market order as received.
    pub px: u32,
    /// Open quantity.
    pub qty: u32,
    /// Of a replace: the client's number that is finished. Otherwise 0.
    pub orig_user_ref_num: u32,
    /// The client's text.
    pub client_order_id: [u8; 14],
    /// Time in force, capacity, state.
    pub marks: Marks,
}

/// An order refused.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rejected {
    /// Port and number.
    pub head: Head,
    /// The wire code.
    pub reason: u16,
    /// The client's text.
    pub client_order_id: [u8; 14],
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 31],
}

/// A trade at the maker's price. The head is the maker's; the number of an order of an earlier day
/// is 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fill {
    /// Port, number and side of the maker.
    pub head: Head,
    /// The maker's public reference.
    pub maker_ref: u64,
    /// Unique for the day.
    pub match_number: u64,
    /// Instrument id.
    pub instrument: u32,
    /// The maker's price.
    pub px: u32,
    /// Quantity traded.
    pub qty: u32,
    /// What the maker has left.
    pub maker_open: u32,
    /// The taker's public reference.
    pub taker_ref: u64,
    /// The taker's number.
    pub taker_user_ref_num: u32,
    /// The taker's port.
    pub taker_port: u16,
    /// Channel of the maker's number.
    pub maker_channel: u8,
    /// Channel of the taker's number.
    pub taker_channel: u8,
}

/// A reduction of an order, to something or to nothing.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Canceled {
    /// Port, number and side.
    pub head: Head,
    /// The public reference.
    pub order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Quantity taken away.
    pub qty: u32,
    /// Quantity left; 0 ends the order.
    pub open: u32,
    /// The wire code.
    pub reason: u8,
    /// 1 when the public saw the order, so that the feed must tell.
    pub shown: u8,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 25],
}

/// A reduction or change of side by its owner's Modify.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Modified {
    /// Port, number and the side it has now.
    pub head: Head,
    /// The public reference.
    pub order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Quantity taken away; 0 when only the side changed.
    pub qty: u32,
    /// Quantity left; 0 ends the order.
    pub open: u32,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 27],
}

/// A quantity of an order was taken away instead of trading with its own firm.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Prevented {
    /// Port, number and side.
    pub head: Head,
    /// The public reference.
    pub order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Quantity taken away from this order.
    pub qty: u32,
    /// Quantity left; 0 ends the order.
    pub open: u32,
    /// Quantity that would have traded; 0 when no details are given.
    pub prevented: u32,
    /// Price at which it would have; 0 when no details are given.
    pub px: u32,
    /// 1 when it was the arriving order.
    pub taker: u8,
    /// The strategy as the arriving order named it.
    pub strategy: u8,
    /// 1 when the public saw the order, so that the feed must tell.
    pub shown: u8,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 16],
}

/// A standing order as its owner finds it in a new session.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Restated {
    /// Port, number (0 for an order of an earlier day) and side.
    pub head: Head,
    /// The public reference.
    pub order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Price.
    pub px: u32,
    /// Open quantity.
    pub open: u32,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 27],
}

/// What the feed is to show of an order beyond [`Marks::is_resting`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rested {
    /// Port, number and side.
    pub head: Head,
    /// The public reference.
    pub order_ref: u64,
    /// Instrument id.
    pub instrument: u32,
    /// Price.
    pub px: u32,
    /// Open quantity.
    pub qty: u32,
    /// The firm it is attributed to; blank for none.
    pub firm: [u8; 4],
    pub(crate) pad: [u8; 24],
}

/// A piece of the appendage of the [`Entered`] event before it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Echo {
    /// Port and number of the order.
    pub head: Head,
    /// 1 when another piece follows.
    pub more: u8,
    /// Bytes of the piece in use.
    pub len: u8,
    /// The bytes.
    pub bytes: [u8; ECHO_PART_LEN],
}

/// A message about a number alone.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Notice {
    /// Port and number; 0 for an order of an earlier day.
    pub head: Head,
    /// The public reference, when an order is meant.
    pub order_ref: u64,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 39],
}

/// A mass cancel or a switch of order entry is accepted; its effects follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Response {
    /// Port and number of the request.
    pub head: Head,
    /// The symbol as received; blank for a switch.
    pub symbol: [u8; 8],
    /// The firm as received.
    pub firm: [u8; 4],
    /// The type byte of the answer: `X`, `G` or `K`.
    pub answer: u8,
    /// Channel of the number.
    pub channel: u8,
    pub(crate) pad: [u8; 34],
}

/// A system event for one port, or for the feed when the port is 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct System {
    /// The port, 0 for the feed.
    pub head: Head,
    /// The wire code.
    pub code: u8,
    pub(crate) pad: [u8; 47],
}

/// An instrument is listed for the day.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Directory {
    /// Time only.
    pub head: Head,
    /// Name on the wire.
    pub symbol: [u8; 8],
    /// Permanent id.
    pub instrument: u32,
    /// Lot, in quantity units.
    pub lot: u32,
    /// Locate code of the day.
    pub locate: u16,
    /// Decimals of prices.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
    pub(crate) pad: [u8; 28],
}

/// The trading state of an instrument.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Trading {
    /// Time only.
    pub head: Head,
    /// Permanent id.
    pub instrument: u32,
    /// The wire code.
    pub state: u8,
    pub(crate) pad: [u8; 43],
}

/// All streams of the old day are over; those of a new one begin.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Day {
    /// Time only.
    pub head: Head,
    /// Local midnight, nanoseconds since the UNIX epoch: stamps on the wire count from it.
    pub midnight_ns: u64,
    /// Days since 1970-01-01, in local time.
    pub date: u32,
    /// Name of the day's session.
    pub session: [u8; 10],
    pub(crate) pad: [u8; 26],
}

/// What came of an administrative act; its effects follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Administered {
    /// Time only.
    pub head: Head,
    /// The request it answers.
    pub request: u64,
    /// Sequence number of the act.
    pub seq: u64,
    outcome: u8,
    pub(crate) pad: [u8; 31],
}

impl Administered {
    pub(crate) const fn new(head: Head, request: u64, seq: u64, outcome: ActOutcome) -> Self {
        Self { head, request, seq, outcome: outcome as u8, pad: [0; 31] }
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> ActOutcome {
        ActOutcome::from_code(self.outcome)
    }
}

/// A port belongs to another firm than before, or to one for the first time.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PortFirm {
    /// The port.
    pub head: Head,
    /// Its firm from now on.
    pub firm: [u8; 4],
    pub(crate) pad: [u8; 44],
}

/// The stream of a firm's drop copies begins or ends.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Copying {
    /// Time only.
    pub head: Head,
    /// The firm.
    pub firm: [u8; 4],
    /// Its place among the streams of the session, from 0; no other firm has it in this session.
    pub slot: u16,
    /// The wire code of the system event: `S` it begins, `E` it ends.
    pub code: u8,
    pub(crate) pad: [u8; 41],
}

/// An event as its type.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// A new order stands, trades, or is over at once.
    Accepted(&'a Entered),
    /// A replacement stands, trades, or is over at once.
    Replaced(&'a Entered),
    /// An order is refused.
    Rejected(&'a Rejected),
    /// A trade.
    Fill(&'a Fill),
    /// A reduction.
    Canceled(&'a Canceled),
    /// A reduction or change of side.
    Modified(&'a Modified),
    /// A quantity was taken away instead of trading with its own firm.
    Prevented(&'a Prevented),
    /// A standing order in a new session.
    Restated(&'a Restated),
    /// The feed shows an order.
    Rested(&'a Rested),
    /// A piece of an appendage.
    Echo(&'a Echo),
    /// The answer to an account query; the number is the next one to use.
    Account(&'a Notice),
    /// A cancel or modify of a live order had values that are not allowed.
    CancelRejected(&'a Notice),
    /// A request about many orders is accepted.
    Response(&'a Response),
    /// A system event.
    System(&'a System),
    /// An instrument is listed.
    Directory(&'a Directory),
    /// A trading state.
    Trading(&'a Trading),
    /// A new day.
    Day(&'a Day),
    /// What came of an administrative act.
    Administered(&'a Administered),
    /// Whose a port is.
    PortFirm(&'a PortFirm),
    /// A stream of drop copies begins or ends.
    Copying(&'a Copying),
}

macro_rules! make {
    ($($make:ident, $kind:ident, $body:ident;)*) => {
        impl Event {
            $(
                #[inline]
                pub(crate) fn $make(mut body: $body) -> impl FnOnce(&mut Self) {
                    body.head.kind = kind::$kind;
                    move |event| {
                        let slot: &mut $body = transmute_mut!(event);
                        *slot = body;
                    }
                }
            )*
        }
    };
}

make! {
    accepted, ACCEPTED, Entered;
    replaced, REPLACED, Entered;
    rejected, REJECTED, Rejected;
    fill, FILL, Fill;
    canceled, CANCELED, Canceled;
    modified, MODIFIED, Modified;
    rested, RESTED, Rested;
    echo, ECHO, Echo;
    account, ACCOUNT, Notice;
    cancel_rejected, CANCEL_REJECTED, Notice;
    response, RESPONSE, Response;
    system, SYSTEM, System;
    directory, DIRECTORY, Directory;
    trading, TRADING, Trading;
    day, DAY, Day;
    restated, RESTATED, Restated;
    prevented, PREVENTED, Prevented;
    administered, ADMINISTERED, Administered;
    port_firm, PORT_FIRM, PortFirm;
    copying, COPYING, Copying;
}
