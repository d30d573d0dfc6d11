//! What the engine is told. Every command stems from one journal record.
//!
//! Field values that belong to a closed set arrive as types; a message whose values do not fit
//! carries the reason in [`Terms`]' place, because only the engine may decide whether the message
//! is a repetition to be ignored or an order to be refused.

use rkyv::{Archive, Deserialize, Serialize};

use crate::{
    instrument::Instrument,
    reject::Reject,
    types::{Action, Capacity, Display, Prevention, TimeInForce},
};

/// The connection a command came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The broker's port, from 1.
    pub port: u16,
    /// The port's connection, counted; commands of an older one are dropped.
    pub generation: u16,
    /// The port's series of numbers (`UserRefIdx`), each with a highest number of its own.
    pub channel: u8,
}

/// What an order says besides quantity, price and instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Buy or one of the sells. A replace inherits it and carries [`Action::Buy`].
    pub action: Action,
    /// How long the order stands.
    pub time_in_force: TimeInForce,
    /// The broker's role. A replace inherits it.
    pub capacity: Capacity,
    /// What the public sees of it.
    pub display: Display,
    /// The order may only rest: if it would trade, it is cancelled instead.
    pub post_only: bool,
    /// Seconds from acceptance to expiry, for [`TimeInForce::UntilTime`]; otherwise 0.
    pub expire_s: u32,
    /// Least quantity that must trade at once, 0 for none. Only with immediate or cancel.
    pub min_qty: u32,
    /// The firm named by the order, if any; it must be the port's.
    pub firm: Option<[u8; 4]>,
    /// What happens instead of a trade with its own firm; `None`: it trades.
    pub prevention: Option<Prevention>,
    /// Narrows what counts as its own firm to orders of the same group; 0 for all.
    pub group: u16,
}

impl Terms {
    /// Terms in which nothing is asked for but this.
    #[must_use]
    pub const fn plain(
        action: Action,
        time_in_force: TimeInForce,
        capacity: Capacity,
        display: Display,
    ) -> Self {
        Self {
            action,
            time_in_force,
            capacity,
            display,
            post_only: false,
            expire_s: 0,
            min_qty: 0,
            firm: None,
            prevention: None,
            group: 0,
        }
    }
}

/// A new order.
#[derive(Clone, Copy, Debug)]
pub struct Enter<'a> {
    /// Where it came from.
    pub source: Source,
    /// The client's number for it, strictly rising per port.
    pub user_ref_num: u32,
    /// Instrument id; 0 when the symbol is unknown.
    pub instrument: u32,
    /// Raw quantity as received.
    pub qty: u32,
    /// Raw price as received; what exceeds u32 is `u32::MAX`.
    pub px: u32,
    /// The rest, or why it is invalid.
    pub terms: Result<Terms, Reject>,
    /// The client's text, given back.
    pub client_order_id: &'a [u8; 14],
    /// Appendage elements, given back.
    pub echo: &'a [u8],
}

/// A live order replaced by another of the same side and instrument.
#[derive(Clone, Copy, Debug)]
pub struct Replace<'a> {
    /// Where it came from.
    pub source: Source,
    /// The order to replace.
    pub orig_user_ref_num: u32,
    /// The number of the new order.
    pub user_ref_num: u32,
    /// Total quantity of the chain, what has been executed included.
    pub qty: u32,
    /// Raw price as received; what exceeds u32 is `u32::MAX`.
    pub px: u32,
    /// The rest, or why it is invalid.
    pub terms: Result<Terms, Reject>,
    /// The client's text, given back.
    pub client_order_id: &'a [u8; 14],
    /// Appendage elements, given back.
    pub echo: &'a [u8],
}

/// A reduction, to nothing or to a smaller total.
#[derive(Clone, Copy, Debug)]
pub struct Cancel {
    /// Where it came from.
    pub source: Source,
    /// The order; 0 when it is named by its reference.
    pub user_ref_num: u32,
    /// The public reference of the order, where its number is 0.
    pub order_ref: Option<u64>,
    /// The new total quantity, what has been executed included; `None` when the message had values
    /// that are not allowed.
    pub qty: Option<u32>,
}

/// A reduction, a change among the sell sides, or both, keeping priority.
#[derive(Clone, Copy, Debug)]
pub struct Modify {
    /// Where it came from.
    pub source: Source,
    /// The order.
    pub user_ref_num: u32,
    /// The new side, `None` when the message had values that are not allowed.
    pub action: Option<Action>,
    /// The new total quantity, what has been executed included.
    pub qty: u32,
}

/// An order that the door refused.
#[derive(Clone, Copy, Debug)]
pub struct Refuse {
    /// Where it came from.
    pub source: Source,
    /// The number that is consumed by the refusal.
    pub user_ref_num: u32,
    /// The wire code.
    pub reason: u16,
    /// The client's text, given back.
    pub client_order_id: [u8; 14],
}

/// The orders a mass cancel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Of this instrument id; of all when `None`.
    pub instrument: Option<u32>,
    /// Of this kind; of all when `None`.
    pub action: Option<Action>,
}

/// The end of many orders at once.
#[derive(Clone, Copy, Debug)]
pub struct MassCancel {
    /// Where it came from.
    pub source: Source,
    /// Its number, of the series of the orders.
    pub user_ref_num: u32,
    /// All ports of this firm, which must be the port's own; blank for the port alone.
    pub firm: [u8; 4],
    /// The symbol as received, given back.
    pub symbol: [u8; 8],
    /// Which orders, or why the request is invalid.
    pub scope: Result<Scope, Reject>,
}

/// A stop to new orders, or its end.
#[derive(Clone, Copy, Debug)]
pub struct EntrySwitch {
    /// Where it came from.
    pub source: Source,
    /// Its number, of the series of the orders.
    pub user_ref_num: u32,
    /// All ports of this firm, which must be the port's own; blank for the port alone.
    pub firm: [u8; 4],
    /// Whether new orders are let in again, or why the request is invalid.
    pub is_enabled: Result<bool, Reject>,
}

/// A broker's connection that logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionUp {
    /// The port and the new generation of its connection.
    pub source: Source,
    /// The firm orders of this port may name.
    pub firm: [u8; 4],
    /// The session it joined; when that has ended meanwhile, the login is void.
    pub session: [u8; 10],
    /// How long after the end of the connection the port's orders are cancelled, in milliseconds;
    /// `None`: they stay.
    pub grace_ms: Option<u32>,
}

/// Whether the reports of a firm's ports are copied to the firm's own stream from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropCopy {
    /// The firm.
    pub firm: [u8; 4],
    /// Copied, or no more.
    pub is_on: bool,
}

/// A new series of references, match numbers and sessions within a day: what was said since the
/// last record that is known may have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Counts losses; its lowest ten bits are part of references and match numbers.
    pub epoch: u32,
    /// Name of the session from now on.
    pub session: [u8; 10],
}

/// Whom a kill is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everybody.
    Venue,
    /// Every port of this firm, those that log in later included.
    Firm([u8; 4]),
    /// One port.
    Port(u16),
}

/// An administrative act. Each may be ordered again: what is so already stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// New orders and replacements are refused until the target is revived, over restarts and days.
    Kill {
        /// Whose.
        target: Target,
        /// What stands of theirs is cancelled as well.
        cancels: bool,
    },
    /// Ends the kill of exactly this target.
    Revive(Target),
    /// Lists an instrument, or changes one from the next day on, see
    /// [`check_define`](crate::Engine::check_define).
    List(Instrument),
    /// Halts an instrument, cancels what stands in it and lists it no more.
    Remove(u32),
    /// No new orders and no replacements in this instrument until it is resumed.
    Halt(u32),
    /// Ends the halt.
    Resume(u32),
}

/// An act and the name under which its outcome is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Administer {
    /// Chosen by who orders it.
    pub request: u64,
    /// What is to be done.
    pub act: Act,
}

/// The start of a trading day, and the end of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub struct DayRoll {
    /// Days since 1970-01-01, in local time.
    pub date: u32,
    /// Local time minus UTC, in seconds, for the whole day.
    pub utc_offset_s: i32,
    /// Name of the day's session.
    pub session: [u8; 10],
}

impl DayRoll {
    /// Local midnight of the date, in nanoseconds since the UNIX epoch.
    #[must_use]
    pub fn midnight_ns(&self) -> u64 {
        let seconds = i64::from(self.date) * 86_400 - i64::from(self.utc_offset_s);
        u64::try_from(seconds).unwrap_or(0) * 1_000_000_000
    }
}

/// One command. See the types for what each means.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// A new order.
    Enter(Enter<'a>),
    /// A replacement.
    Replace(Replace<'a>),
    /// A reduction.
    Cancel(Cancel),
    /// A reduction or change of side.
    Modify(Modify),
    /// Asks for the next `UserRefNum`.
    AccountQuery(Source),
    /// Ends many orders.
    MassCancel(MassCancel),
    /// Stops or allows new orders.
    EntrySwitch(EntrySwitch),
    /// An order refused at the door.
    Refuse(Refuse),
    /// Time passes: what is due expires. Given before any other command of a later time when
    /// [`Engine::due_ns`](crate::Engine::due_ns) is reached.
    Tick,
    /// A connection opens.
    SessionUp(SessionUp),
    /// A connection is gone.
    SessionDown(Source),
    /// An instrument is listed, or changed from the next day on, by the configuration.
    Define(Instrument),
    /// An operator acts.
    Administer(Administer),
    /// A firm's reports are copied, or no more.
    DropCopy(DropCopy),
    /// A day begins.
    DayRoll(DayRoll),
    /// Numbers begin anew within a day.
    Epoch(Epoch),
}
