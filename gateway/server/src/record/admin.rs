//! Records of administrative acts, which name who ordered them, and of instruments.

use uncross_engine::{
    command::{Act, Administer, Command, Target},
    instrument::Instrument,
};
use uncross_journal::{
    body,
    format::kind::{ADMIN, CONFIGURATION},
};

use super::{Draft, RecordError, split};
use crate::{desk::Order, limits::OPERATOR_LEN_MAX};

const ACT_KILL: u8 = b'K';
const ACT_KILL_AND_CANCEL: u8 = b'C';
const ACT_REVIVE: u8 = b'V';
const ACT_LIST: u8 = b'L';
const ACT_REMOVE: u8 = b'X';
const ACT_HALT: u8 = b'H';
const ACT_RESUME: u8 = b'T';

const TARGET_NONE: u8 = 0;
const TARGET_VENUE: u8 = b'V';
const TARGET_FIRM: u8 = b'F';
const TARGET_PORT: u8 = b'P';

impl Draft {
    /// An operator's act.
    pub(crate) fn set_admin(&mut self, order: &Order) {
        let Order { request, who, act } = *order;
        let (code, target, instrument) = match act {
            Act::Kill { target, cancels: false } => (ACT_KILL, Some(target), 0),
            Act::Kill { target, cancels: true } => (ACT_KILL_AND_CANCEL, Some(target), 0),
            Act::Revive(target) => (ACT_REVIVE, Some(target), 0),
            Act::List(instrument) => (ACT_LIST, None, instrument.id),
            Act::Remove(id) => (ACT_REMOVE, None, id),
            Act::Halt(id) => (ACT_HALT, None, id),
            Act::Resume(id) => (ACT_RESUME, None, id),
        };
        let (target, port, firm) = match target {
            None => (TARGET_NONE, 0, [b' '; 4]),
            Some(Target::Venue) => (TARGET_VENUE, 0, [b' '; 4]),
            Some(Target::Firm(firm)) => (TARGET_FIRM, 0, firm),
            Some(Target::Port(port)) => (TARGET_PORT, port, [b' '; 4]),
        };
        let body = body::Admin {
            act: code,
            target,
            port: port.into(),
            instrument: instrument.into(),
            request: request.into(),
            firm,
            who,
            reserved: [0; 4],
        };
        match act {
            Act::List(instrument) => {
                let listing = instrument_body(&instrument);
                self.set(ADMIN, &body, zerocopy::IntoBytes::as_bytes(&listing));
            }
            _ => self.set(ADMIN, &body, &[]),
        }
    }

    /// An instrument of the configuration is listed, or changed from the next day on.
    pub(crate) fn set_instrument(&mut self, instrument: &Instrument) {
        self.set(CONFIGURATION, &instrument_body(instrument), &[]);
    }
}

/// In a configuration record: it is about an instrument.
pub(crate) const SUBJECT_INSTRUMENT: u8 = b'I';

/// The body of the record in which the configuration states an instrument.
#[must_use]
pub fn instrument_body(instrument: &Instrument) -> body::Configuration {
    body::Configuration {
        subject: SUBJECT_INSTRUMENT,
        price_decimals: instrument.price_decimals,
        qty_decimals: instrument.qty_decimals,
        reserved: 0,
        id: instrument.id.into(),
        symbol: instrument.symbol,
        tick: instrument.tick.into(),
        lot: instrument.lot.into(),
        qty_min: instrument.qty_min.into(),
        qty_max: instrument.qty_max.into(),
        collar_bp: instrument.collar_bp.into(),
        reference_px: instrument.reference_px.into(),
    }
}

/// The instrument that a record of this kind and subject states.
pub(super) fn decode_instrument(kind: u8, bytes: &[u8]) -> Result<Instrument, RecordError> {
    let (body, _) = split::<body::Configuration>(kind, bytes)?;
    if body.subject != SUBJECT_INSTRUMENT {
        return Err(RecordError::Subject { found: body.subject });
    }
    Ok(Instrument {
        id: body.id.get(),
        symbol: body.symbol,
        price_decimals: body.price_decimals,
        qty_decimals: body.qty_decimals,
        tick: body.tick.get(),
        lot: body.lot.get(),
        qty_min: body.qty_min.get(),
        qty_max: body.qty_max.get(),
        collar_bp: body.collar_bp.get(),
        reference_px: body.reference_px.get(),
    })
}

pub(super) fn decode_admin(bytes: &[u8]) -> Result<Command<'static>, RecordError> {
    let (body, rest) = split::<body::Admin>(ADMIN, bytes)?;
    let unknown = RecordError::Act { act: body.act, target: body.target };
    let target = || match body.target {
        TARGET_VENUE => Ok(Target::Venue),
        TARGET_FIRM => Ok(Target::Firm(body.firm)),
        TARGET_PORT => Ok(Target::Port(body.port.get())),
        _ => Err(unknown),
    };
    let act = match body.act {
        ACT_KILL => Act::Kill { target: target()?, cancels: false },
        ACT_KILL_AND_CANCEL => Act::Kill { target: target()?, cancels: true },
        ACT_REVIVE => Act::Revive(target()?),
        ACT_LIST => {
            let instrument = decode_instrument(ADMIN, rest)?;
            let (expected, found) = (instrument.id, body.instrument.get());
            if expected != found {
                return Err(RecordError::Listing { expected, found });
            }
            Act::List(instrument)
        }
        ACT_REMOVE => Act::Remove(body.instrument.get()),
        ACT_HALT => Act::Halt(body.instrument.get()),
        ACT_RESUME => Act::Resume(body.instrument.get()),
        _ => return Err(unknown),
    };
    Ok(Command::Administer(Administer { request: body.request.get(), act }))
}

/// The instrument that the configuration stated in this record; `None` for any other record.
pub(crate) fn configured_instrument(kind: u8, bytes: &[u8]) -> Option<Instrument> {
    let is_configuration = kind == CONFIGURATION;
    is_configuration.then(|| decode_instrument(kind, bytes).ok())?
}

/// The instrument that this record lists or changes, by configuration or by an operator; `None` for
/// any other record.
pub(crate) fn listing(kind: u8, bytes: &[u8]) -> Option<Instrument> {
    if kind == CONFIGURATION {
        return decode_instrument(kind, bytes).ok();
    }
    match decode_admin((kind == ADMIN).then_some(bytes)?) {
        Ok(Command::Administer(Administer { act: Act::List(instrument), .. })) => Some(instrument),
        Ok(_) | Err(_) => None,
    }
}

/// The names of acts and targets, as tools show them.
pub(crate) const fn act_name(act: u8) -> Option<&'static str> {
    Some(match act {
        ACT_KILL => "kill",
        ACT_KILL_AND_CANCEL => "kill_and_cancel",
        ACT_REVIVE => "revive",
        ACT_LIST => "list",
        ACT_REMOVE => "remove",
        ACT_HALT => "halt",
        ACT_RESUME => "resume",
        _ => return None,
    })
}

/// Whom a kill or revival is about; `None` for nobody.
pub(crate) const fn target_name(target: u8) -> Option<&'static str> {
    Some(match target {
        TARGET_VENUE => "venue",
        TARGET_FIRM => "firm",
        TARGET_PORT => "port",
        _ => return None,
    })
}

/// Who ordered the act of this record; `None` for any other record.
#[must_use]
pub fn operator(kind: u8, bytes: &[u8]) -> Option<[u8; OPERATOR_LEN_MAX]> {
    let (body, _) = (kind == ADMIN).then(|| split::<body::Admin>(kind, bytes).ok())??;
    Some(body.who)
}
