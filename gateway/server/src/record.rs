//! Records: from wire messages to journal bodies, and from those to the engine's commands.
//!
//! What a session sends becomes a record at once and stays one: the ring carries it, the journal
//! stores it, and [`decode`] makes the command from it, in the running core as in any replay.

mod admin;

use uncross_engine::{
    ahead::Waiting,
    command::{
        Cancel, Command, DayRoll, DropCopy, Enter, EntrySwitch, Epoch, MassCancel, Modify, Refuse,
        Replace, SessionUp, Source,
    },
    limits::{self, ECHO_LEN_MAX},
    reject::Reject,
    types::Side,
};
use uncross_journal::{
    body,
    format::kind::{
        ACCOUNT_QUERY, ADMIN, CANCEL, CONFIGURATION, DAY_ROLL, DISABLE_ENTRY, ENABLE_ENTRY, ENTER,
        EPOCH, MASS_CANCEL, MODIFY, REFUSE, REPLACE, SESSION_DOWN, SESSION_UP, TICK,
    },
};
use uncross_wire::ouch::{
    inbound::{self, Inbound},
    tag_set::TagSet,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) use self::admin::{
    SUBJECT_INSTRUMENT, act_name, configured_instrument, listing, target_name,
};
use self::admin::{decode_admin, decode_instrument};
pub use self::admin::{instrument_body, operator};
use crate::{
    config::{LADDER_NODES_MAX, LADDER_NODES_MIN, USER_REF_PAGES_MAX},
    limits::{BODY_LEN_MAX, HEADER_LEN, RECORD_LEN_MAX},
    terms::{action, channel, enter_terms, is_plain, order_reference, replace_terms, scope},
};

/// A record before it has a sequence number, a time and a checksum.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Header bytes are left free, so that the record can be copied into ring slots as it is.
    bytes: [u8; RECORD_LEN_MAX],
    kind: u8,
    body_len: usize,
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

impl Draft {
    /// An empty one, to be set.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; RECORD_LEN_MAX], kind: 0, body_len: 0 }
    }

    fn set(&mut self, kind: u8, body: &(impl IntoBytes + Immutable), rest: &[u8]) {
        let body = body.as_bytes();
        let end = HEADER_LEN + body.len();
        self.kind = kind;
        self.body_len = body.len() + rest.len();
        self.bytes[HEADER_LEN..end].copy_from_slice(body);
        self.bytes[end..end + rest.len()].copy_from_slice(rest);
    }

    /// Kind of the record, of those of the journal's format.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// Body of the record.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_LEN..HEADER_LEN + self.body_len]
    }

    /// Header and body, the header blank.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..HEADER_LEN + self.body_len]
    }

    /// A broker's message; `instrument` is the id its symbol stands for.
    ///
    /// Appendages longer than a record holds are
    /// unreadable anyway (every known tag once takes less) and are cut.
    pub fn set_inbound(
        &mut self,
        source: Source,
        message: &Inbound<'_>,
        instrument: impl FnOnce([u8; 8]) -> u32,
    ) {
        let (port, generation) = (source.port.into(), source.generation.into());
        let rest = message.appendage();
        let rest = &rest[..rest.len().min(ECHO_LEN_MAX)];
        match message {
            Inbound::Enter(enter, _) => {
                self.set(ENTER, &enter_body(source, enter, instrument(enter.symbol)), rest);
            }
            Inbound::Replace(replace, _) => {
                let body = body::Replace {
                    port,
                    generation,
                    orig_user_ref_num: replace.orig_user_ref_num.get().into(),
                    user_ref_num: replace.new_user_ref_num.get().into(),
                    qty: replace.quantity.get().into(),
                    px: clamp_px(replace.price.get()).into(),
                    time_in_force: replace.time_in_force,
                    display: replace.display,
                    intermarket_sweep: replace.intermarket_sweep,
                    reserved: [0; 3],
                    client_order_id: replace.cl_ord_id,
                };
                self.set(REPLACE, &body, rest);
            }
            Inbound::Cancel(cancel, _) => {
                let user_ref_num = cancel.user_ref_num.get().into();
                let qty = cancel.quantity.get().into();
                self.set(CANCEL, &body::Cancel { port, generation, user_ref_num, qty }, rest);
            }
            Inbound::Modify(modify, _) => {
                let body = body::Modify {
                    port,
                    generation,
                    user_ref_num: modify.user_ref_num.get().into(),
                    qty: modify.quantity.get().into(),
                    side: modify.side,
                    reserved: [0; 3],
                };
                self.set(MODIFY, &body, rest);
            }
            Inbound::AccountQuery(..) => {
                self.set(ACCOUNT_QUERY, &body::AccountQuery { port, generation }, rest);
            }
            Inbound::MassCancel(request, _) => {
                let body = body::MassCancel {
                    port,
                    generation,
                    user_ref_num: request.user_ref_num.get().into(),
                    instrument: instrument(request.symbol).into(),
                    firm: request.firm,
                    symbol: request.symbol,
                };
                self.set(MASS_CANCEL, &body, rest);
            }
            Inbound::DisableEntry(request, _) => {
                let (user_ref_num, firm) = (request.user_ref_num.get().into(), request.firm);
                let body = body::EntrySwitch { port, generation, user_ref_num, firm };
                self.set(DISABLE_ENTRY, &body, rest);
            }
            Inbound::EnableEntry(request, _) => {
                let (user_ref_num, firm) = (request.user_ref_num.get().into(), request.firm);
                let body = body::EntrySwitch { port, generation, user_ref_num, firm };
                self.set(ENABLE_ENTRY, &body, rest);
            }
        }
    }

    /// A connection that logged in.
    pub(crate) fn set_session_up(&mut self, up: &SessionUp, user: [u8; 6]) {
        let body = body::SessionUp {
            port: up.source.port.into(),
            generation: up.source.generation.into(),
            firm: up.firm,
            user,
            session: up.session,
            grace_ms: up.grace_ms.unwrap_or(GRACE_NEVER).into(),
        };
        self.set(SESSION_UP, &body, &[]);
    }

    /// A connection that is gone, and why: a byte of the format's table.
    pub(crate) fn set_session_down(&mut self, source: Source, reason: u8) {
        let body = body::SessionDown {
            port: source.port.into(),
            generation: source.generation.into(),
            reason,
            reserved: [0; 3],
        };
        self.set(SESSION_DOWN, &body, &[]);
    }

    /// What the engine holds: the first record of every journal, because what is refused for
    /// want of room depends on it.
    pub(crate) fn set_capacity(&mut self, capacity: &limits::Capacity) {
        self.set(CONFIGURATION, &capacity_body(capacity), &[]);
    }

    /// A firm's reports are copied, or no more.
    pub(crate) fn set_drop_copy(&mut self, copy: DropCopy) {
        let DropCopy { firm, is_on } = copy;
        let (subject, is_on) = (SUBJECT_DROP_COPY, u8::from(is_on));
        self.set(CONFIGURATION, &body::DropCopy { subject, is_on, reserved: [0; 2], firm }, &[]);
    }

    /// A trading day begins.
    pub(crate) fn set_day_roll(&mut self, roll: &DayRoll) {
        let body = body::DayRoll {
            date: roll.date.into(),
            utc_offset_s: roll.utc_offset_s.into(),
            session: roll.session,
            reserved: [0; 6],
        };
        self.set(DAY_ROLL, &body, &[]);
    }

    /// Numbers begin anew.
    pub(crate) fn set_epoch(&mut self, epoch: &Epoch) {
        let (session, reserved) = (epoch.session, [0; 2]);
        let body = body::Epoch { epoch: epoch.epoch.into(), session, reserved };
        self.set(EPOCH, &body, &[]);
    }
}

/// In a record: the orders of a port stay when its connection is gone.
pub(crate) const GRACE_NEVER: u32 = u32::MAX;
/// Wire code of an order that the journal has no room for: destination closed.
const REFUSED_FOR_ROOM: u16 = 0x02;

pub(crate) const SUBJECT_CAPACITY: u8 = b'C';
pub(crate) const SUBJECT_DROP_COPY: u8 = b'D';

/// Last day whose nanoseconds fit 63 bits, in the year 2262.
pub(crate) const DATE_MAX: u32 = 106_751;
const DAY_S: u32 = 86_400;

/// Wire prices have eight bytes; what four cannot hold is as invalid as their highest value.
fn clamp_px(wire: u64) -> u32 {
    u32::try_from(wire).unwrap_or(u32::MAX)
}

/// The body of the record that states a capacity.
#[must_use]
pub fn capacity_body(capacity: &limits::Capacity) -> body::Capacity {
    body::Capacity {
        subject: SUBJECT_CAPACITY,
        reserved: [0; 3],
        orders: capacity.orders.into(),
        levels: capacity.levels.into(),
        nodes: capacity.nodes.into(),
        port_orders: capacity.port_orders.into(),
        port_pages: capacity.port_pages.into(),
        user_ref_pages: capacity.user_ref_pages.into(),
        instruments: capacity.instruments.into(),
        ports: capacity.ports.into(),
        hidden_orders: capacity.hidden_orders.into(),
    }
}

fn enter_body(source: Source, enter: &inbound::Enter, instrument: u32) -> body::Enter {
    body::Enter {
        port: source.port.into(),
        generation: source.generation.into(),
        user_ref_num: enter.user_ref_num.get().into(),
        instrument: instrument.into(),
        qty: enter.quantity.get().into(),
        px: clamp_px(enter.price.get()).into(),
        side: enter.side,
        time_in_force: enter.time_in_force,
        display: enter.display,
        capacity: enter.capacity,
        intermarket_sweep: enter.intermarket_sweep,
        cross_type: enter.cross_type,
        client_order_id: enter.cl_ord_id,
    }
}

/// Why a record of the journal is no command: the journal is of another version or not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// No command has this kind.
    #[error("record of unknown kind {found:#04x}")]
    Kind {
        /// The kind read.
        found: u8,
    },
    /// The body is shorter than its layout.
    #[error("body of a record of kind {kind:#04x} has {found} bytes, expected at least {expected}")]
    Short {
        /// The kind.
        kind: u8,
        /// Bytes of the layout.
        expected: usize,
        /// Bytes read.
        found: usize,
    },
    /// No venue has such a capacity.
    #[error("capacity out of range: {found:?}")]
    Capacity {
        /// The capacity read.
        found: limits::Capacity,
    },
    /// A day of no calendar begins.
    #[error("day {date} of UTC offset {utc_offset_s} s, expected at most {DATE_MAX} and {DAY_S} s")]
    Day {
        /// Days since 1970-01-01.
        date: u32,
        /// Seconds that its local time is ahead of UTC.
        utc_offset_s: i32,
    },
    /// An administrative record orders something unknown.
    #[error("administrative record of unknown act {act:#04x} or target {target:#04x}")]
    Act {
        /// The act read.
        act: u8,
        /// The target read.
        target: u8,
    },
    /// An administrative record names another instrument than it lists.
    #[error("administrative record about instrument {found} lists instrument {expected}")]
    Listing {
        /// Id of the instrument that is listed.
        expected: u32,
        /// Id that the record names.
        found: u32,
    },
    /// A configuration record is about something unknown.
    #[error("configuration record of unknown subject {found:#04x}")]
    Subject {
        /// The subject read.
        found: u8,
    },
}

pub(crate) fn split<T>(kind: u8, bytes: &[u8]) -> Result<(&T, &[u8]), RecordError>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    let (expected, found) = (size_of::<T>(), bytes.len());
    T::ref_from_prefix(bytes).or(Err(RecordError::Short { kind, expected, found }))
}

macro_rules! source {
    ($body:expr) => {
        source!($body, &[])
    };
    ($body:expr, $elements:expr) => {
        Source {
            port: $body.port.get(),
            generation: $body.generation.get(),
            channel: channel($elements),
        }
    };
}

/// The command that a record stands for.
///
/// # Errors
///
/// The record is none that this version writes.
pub fn decode(kind: u8, bytes: &[u8]) -> Result<Command<'_>, RecordError> {
    Ok(match kind {
        ENTER => {
            let (body, echo) = split::<body::Enter>(kind, bytes)?;
            Command::Enter(Enter {
                source: source!(body, echo),
                user_ref_num: body.user_ref_num.get(),
                instrument: body.instrument.get(),
                qty: body.qty.get(),
                px: body.px.get(),
                terms: enter_terms(body, echo),
                client_order_id: &body.client_order_id,
                echo,
            })
        }
        REPLACE => {
            let (body, echo) = split::<body::Replace>(kind, bytes)?;
            Command::Replace(Replace {
                source: source!(body, echo),
                orig_user_ref_num: body.orig_user_ref_num.get(),
                user_ref_num: body.user_ref_num.get(),
                qty: body.qty.get(),
                px: body.px.get(),
                terms: replace_terms(body, echo),
                client_order_id: &body.client_order_id,
                echo,
            })
        }
        CANCEL => {
            let (body, rest) = split::<body::Cancel>(kind, bytes)?;
            Command::Cancel(Cancel {
                source: source!(body, rest),
                user_ref_num: body.user_ref_num.get(),
                order_ref: order_reference(rest),
                qty: is_plain(rest, TagSet::CANCEL).then_some(body.qty.get()),
            })
        }
        MODIFY => {
            let (body, rest) = split::<body::Modify>(kind, bytes)?;
            Command::Modify(Modify {
                source: source!(body, rest),
                user_ref_num: body.user_ref_num.get(),
                action: action(body.side).filter(|_| is_plain(rest, TagSet::MODIFY)),
                qty: body.qty.get(),
            })
        }
        _ => return decode_request(kind, bytes),
    })
}

/// What the engine may fetch for a record before its turn; of a body that goes on elsewhere the
/// beginning is enough. A number of another channel than 0 is not found by it.
pub(crate) fn waiting(kind: u8, bytes: &[u8]) -> Waiting {
    let standing = |port: u16, number: u32| Waiting::standing(port, 0, number);
    let found = match kind {
        ENTER => split::<body::Enter>(kind, bytes).map(|(body, _)| {
            let side = if body.side == b'B' { Side::Bid } else { Side::Ask };
            Waiting::enter(body.instrument.get(), side, body.px.get())
        }),
        REPLACE => split::<body::Replace>(kind, bytes)
            .map(|(body, _)| standing(body.port.get(), body.orig_user_ref_num.get())),
        CANCEL => split::<body::Cancel>(kind, bytes)
            .map(|(body, _)| standing(body.port.get(), body.user_ref_num.get())),
        MODIFY => split::<body::Modify>(kind, bytes)
            .map(|(body, _)| standing(body.port.get(), body.user_ref_num.get())),
        _ => return Waiting::default(),
    };
    found.unwrap_or_default()
}

/// Port and user of a login; `None` for any other record.
pub(crate) fn port_owner(kind: u8, bytes: &[u8]) -> Option<(u16, [u8; 6])> {
    let (body, _) = (kind == SESSION_UP).then(|| split::<body::SessionUp>(kind, bytes).ok())??;
    Some((body.port.get(), body.user))
}

/// Whether a record of this kind asks for a new order, which can be refused when the journal is
/// short of room.
pub(crate) const fn is_order(kind: u8) -> bool {
    matches!(kind, ENTER | REPLACE)
}

/// Whether a broker's message of this kind waits outside when the journal has no room even for
/// refusals: orders, and questions, which change nothing.
pub(crate) const fn needs_room(kind: u8) -> bool {
    is_order(kind) || matches!(kind, ACCOUNT_QUERY)
}

/// The refusal to journal in place of an order.
///
/// # Errors
///
/// The record is no order.
pub(crate) fn refusal(kind: u8, bytes: &[u8]) -> Result<body::Refuse, RecordError> {
    let (port, generation, user_ref_num, client_order_id, elements) = match kind {
        ENTER => {
            let (body, rest) = split::<body::Enter>(kind, bytes)?;
            (body.port, body.generation, body.user_ref_num, body.client_order_id, rest)
        }
        REPLACE => {
            let (body, rest) = split::<body::Replace>(kind, bytes)?;
            (body.port, body.generation, body.user_ref_num, body.client_order_id, rest)
        }
        found => return Err(RecordError::Kind { found }),
    };
    Ok(body::Refuse {
        port,
        generation,
        user_ref_num,
        user_ref_index: channel(elements),
        reserved: 0,
        reason: REFUSED_FOR_ROOM.into(),
        client_order_id,
        tail: [0; 2],
    })
}

/// The capacity that a record states, when it is a journal's first.
///
/// # Errors
///
/// The record is another one.
pub fn decode_capacity(kind: u8, bytes: &[u8]) -> Result<limits::Capacity, RecordError> {
    if kind != CONFIGURATION {
        return Err(RecordError::Kind { found: kind });
    }
    let (body, _) = split::<body::Capacity>(kind, bytes)?;
    if body.subject != SUBJECT_CAPACITY {
        return Err(RecordError::Subject { found: body.subject });
    }
    let found = limits::Capacity {
        orders: body.orders.get(),
        levels: body.levels.get(),
        nodes: body.nodes.get(),
        port_orders: body.port_orders.get(),
        port_pages: body.port_pages.get(),
        user_ref_pages: body.user_ref_pages.get(),
        instruments: body.instruments.get(),
        ports: body.ports.get(),
        hidden_orders: body.hidden_orders.get(),
    };
    is_possible(&found).then_some(found).ok_or(RecordError::Capacity { found })
}

/// Whether a configuration can ask for this; all of it is allocated at once.
fn is_possible(capacity: &limits::Capacity) -> bool {
    let limits::Capacity { orders, hidden_orders, levels, nodes, .. } = *capacity;
    let limits::Capacity { instruments, ports, user_ref_pages, .. } = *capacity;
    (1..=limits::ORDERS_MAX).contains(&orders)
        && hidden_orders <= limits::ORDERS_MAX - orders
        && (1..=limits::LEVELS_MAX).contains(&levels)
        && (LADDER_NODES_MIN..=LADDER_NODES_MAX).contains(&nodes)
        && 1 <= instruments
        && (1..=limits::PORTS_MAX).contains(&ports)
        && (1..=USER_REF_PAGES_MAX).contains(&user_ref_pages)
}

/// The broker's requests that are no orders.
fn decode_request(kind: u8, bytes: &[u8]) -> Result<Command<'_>, RecordError> {
    Ok(match kind {
        ACCOUNT_QUERY => {
            let (body, rest) = split::<body::AccountQuery>(kind, bytes)?;
            Command::AccountQuery(source!(body, rest))
        }
        MASS_CANCEL => {
            let (body, rest) = split::<body::MassCancel>(kind, bytes)?;
            Command::MassCancel(MassCancel {
                source: source!(body, rest),
                user_ref_num: body.user_ref_num.get(),
                firm: body.firm,
                symbol: body.symbol,
                scope: scope(body, rest),
            })
        }
        DISABLE_ENTRY | ENABLE_ENTRY => {
            let (body, rest) = split::<body::EntrySwitch>(kind, bytes)?;
            let is_plain = is_plain(rest, TagSet::ENTRY_SWITCH);
            Command::EntrySwitch(EntrySwitch {
                source: source!(body, rest),
                user_ref_num: body.user_ref_num.get(),
                firm: body.firm,
                is_enabled: is_plain.then_some(kind == ENABLE_ENTRY).ok_or(Reject::Other),
            })
        }
        REFUSE => {
            let (body, _) = split::<body::Refuse>(kind, bytes)?;
            Command::Refuse(Refuse {
                source: Source { channel: body.user_ref_index, ..source!(body) },
                user_ref_num: body.user_ref_num.get(),
                reason: body.reason.get(),
                client_order_id: body.client_order_id,
            })
        }
        _ => return decode_venue(kind, bytes),
    })
}

/// The commands that no broker sends.
fn decode_venue(kind: u8, bytes: &[u8]) -> Result<Command<'_>, RecordError> {
    Ok(match kind {
        TICK => Command::Tick,
        SESSION_UP => {
            let (body, _) = split::<body::SessionUp>(kind, bytes)?;
            Command::SessionUp(SessionUp {
                source: source!(body),
                firm: body.firm,
                session: body.session,
                grace_ms: Some(body.grace_ms.get()).filter(|&grace_ms| grace_ms != GRACE_NEVER),
            })
        }
        SESSION_DOWN => {
            let (body, _) = split::<body::SessionDown>(kind, bytes)?;
            Command::SessionDown(source!(body))
        }
        // The capacity was taken in before the first command.
        CONFIGURATION if bytes.first() == Some(&SUBJECT_CAPACITY) => Command::Tick,
        CONFIGURATION if bytes.first() == Some(&SUBJECT_DROP_COPY) => {
            let (body, _) = split::<body::DropCopy>(kind, bytes)?;
            Command::DropCopy(DropCopy { firm: body.firm, is_on: body.is_on != 0 })
        }
        CONFIGURATION => Command::Define(decode_instrument(kind, bytes)?),
        ADMIN => decode_admin(bytes)?,
        DAY_ROLL => {
            let (body, _) = split::<body::DayRoll>(kind, bytes)?;
            let (date, utc_offset_s) = (body.date.get(), body.utc_offset_s.get());
            if DATE_MAX < date || DAY_S < utc_offset_s.unsigned_abs() {
                return Err(RecordError::Day { date, utc_offset_s });
            }
            Command::DayRoll(DayRoll { date, utc_offset_s, session: body.session })
        }
        EPOCH => {
            let (body, _) = split::<body::Epoch>(kind, bytes)?;
            Command::Epoch(Epoch { epoch: body.epoch.get(), session: body.session })
        }
        found => return Err(RecordError::Kind { found }),
    })
}

const _: () = assert!(size_of::<body::Enter>() <= BODY_LEN_MAX);
const _: () = assert!(size_of::<body::Replace>() <= BODY_LEN_MAX);
