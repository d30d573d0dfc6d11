//! Field values of order messages: which of them the venue offers, and what is said of the others.
//!
//! docs/matching.md has a row for each. The bytes stay in the record; these functions read them
//! whenever the record is applied.

use uncross_engine::{
    command::{Scope, Terms},
    reject::Reject,
    types::{Action, Capacity, Display, Prevention, Strategy, TimeInForce},
};
use uncross_journal::body;
use uncross_wire::ouch::{
    appendage::{self, Options},
    codes,
    tag_set::TagSet,
};

pub(crate) fn action(side: u8) -> Option<Action> {
    Some(match codes::Side::from_wire(side)? {
        codes::Side::Buy => Action::Buy,
        codes::Side::Sell => Action::Sell,
        codes::Side::SellShort => Action::SellShort,
        codes::Side::SellShortExempt => Action::SellShortExempt,
    })
}

/// The side byte of an action.
pub(crate) const fn side_byte(action: Action) -> u8 {
    match action {
        Action::Buy => codes::Side::Buy.to_wire(),
        Action::Sell => codes::Side::Sell.to_wire(),
        Action::SellShort => codes::Side::SellShort.to_wire(),
        Action::SellShortExempt => codes::Side::SellShortExempt.to_wire(),
    }
}

/// A new order's values; the first one that is not offered decides the code.
pub(crate) fn enter_terms(body: &body::Enter, echo: &[u8]) -> Result<Terms, Reject> {
    let action = action(body.side).ok_or(Reject::Side)?;
    let time_in_force = time_in_force(body.time_in_force)?;
    let display = display(body.display)?;
    let capacity = match codes::Capacity::from_wire(body.capacity).ok_or(Reject::Other)? {
        codes::Capacity::Agency => Capacity::Agency,
        codes::Capacity::Principal => Capacity::Principal,
        codes::Capacity::RisklessPrincipal => Capacity::RisklessPrincipal,
        codes::Capacity::Other => Capacity::Other,
    };
    check_sweep(body.intermarket_sweep)?;
    if codes::CrossType::from_wire(body.cross_type) != Some(codes::CrossType::Continuous) {
        return Err(Reject::Cross);
    }
    let fields = Fields { action, time_in_force, capacity, display };
    if echo.is_empty() { alone(fields) } else { with_elements(fields, echo, TagSet::ENTER) }
}

/// A replacement's values; what it does not carry is inherited and stands here as a default.
pub(crate) fn replace_terms(body: &body::Replace, echo: &[u8]) -> Result<Terms, Reject> {
    let time_in_force = time_in_force(body.time_in_force)?;
    let display = display(body.display)?;
    check_sweep(body.intermarket_sweep)?;
    let fields = Fields { time_in_force, display, ..BLANK };
    if echo.is_empty() { alone(fields) } else { with_elements(fields, echo, TagSet::REPLACE) }
}

/// What the fixed part of a message says of its terms.
#[derive(Clone, Copy)]
struct Fields {
    action: Action,
    time_in_force: TimeInForce,
    capacity: Capacity,
    display: Display,
}

/// Of a message that says nothing of them.
const BLANK: Fields = Fields {
    action: Action::Buy,
    time_in_force: TimeInForce::Day,
    capacity: Capacity::Other,
    display: Display::Visible,
};

/// Terms in which nothing else is asked for, by [`Fields::index`]. Terms are copied several times
/// on their way, in wide words, and to read in one what was just written field by field waits for
/// the stores: a tenth of a replay.
static PLAIN: [Terms; 1 << u8::BITS] = {
    let none = Fields::at(0).terms();
    let mut all = [none; 1 << u8::BITS];
    let mut index = u8::MAX;
    while 0 < index {
        all[index as usize] = Fields::at(index).terms();
        index -= 1;
    }
    all
};

impl Fields {
    /// One number for all four.
    #[inline]
    const fn index(self) -> u8 {
        let Self { action, time_in_force, capacity, display } = self;
        action as u8 | (time_in_force as u8) << 2 | (capacity as u8) << 4 | (display as u8) << 6
    }

    /// The inverse of [`Self::index`].
    const fn at(index: u8) -> Self {
        Self {
            action: Action::from_code(index),
            time_in_force: TimeInForce::from_code(index >> 2),
            capacity: Capacity::from_code(index >> 4),
            display: Display::from_code(index >> 6),
        }
    }

    /// Terms in which nothing else is asked for.
    const fn terms(self) -> Terms {
        let Self { action, time_in_force, capacity, display } = self;
        Terms::plain(action, time_in_force, capacity, display)
    }
}

fn time_in_force(byte: u8) -> Result<TimeInForce, Reject> {
    match codes::TimeInForce::from_wire(byte) {
        Some(codes::TimeInForce::Day) => Ok(TimeInForce::Day),
        Some(codes::TimeInForce::ImmediateOrCancel) => Ok(TimeInForce::ImmediateOrCancel),
        Some(codes::TimeInForce::UntilTime) => Ok(TimeInForce::UntilTime),
        Some(codes::TimeInForce::Extended | codes::TimeInForce::AfterHours) | None => {
            Err(Reject::Other)
        }
    }
}

/// The byte of a time in force. That a day order is good till cancelled, its tag says.
pub(crate) const fn time_in_force_byte(time_in_force: TimeInForce) -> u8 {
    match time_in_force {
        TimeInForce::Day | TimeInForce::GoodTillCancel => codes::TimeInForce::Day.to_wire(),
        TimeInForce::ImmediateOrCancel => codes::TimeInForce::ImmediateOrCancel.to_wire(),
        TimeInForce::UntilTime => codes::TimeInForce::UntilTime.to_wire(),
    }
}

/// The byte of a capacity.
pub(crate) const fn capacity_byte(capacity: Capacity) -> u8 {
    match capacity {
        Capacity::Agency => codes::Capacity::Agency.to_wire(),
        Capacity::Principal => codes::Capacity::Principal.to_wire(),
        Capacity::RisklessPrincipal => codes::Capacity::RisklessPrincipal.to_wire(),
        Capacity::Other => codes::Capacity::Other.to_wire(),
    }
}

fn display(byte: u8) -> Result<Display, Reject> {
    match codes::Display::from_wire(byte) {
        Some(codes::Display::Visible) => Ok(Display::Visible),
        Some(codes::Display::Hidden) => Ok(Display::Hidden),
        Some(codes::Display::Attributable) => Ok(Display::Attributable),
        // A reply only.
        Some(codes::Display::Conformant) | None => Err(Reject::Display),
    }
}

/// The byte of a display.
pub(crate) const fn display_byte(display: Display) -> u8 {
    match display {
        Display::Visible => codes::Display::Visible.to_wire(),
        Display::Hidden => codes::Display::Hidden.to_wire(),
        Display::Attributable => codes::Display::Attributable.to_wire(),
    }
}

fn check_sweep(byte: u8) -> Result<(), Reject> {
    (byte == codes::NO).then_some(()).ok_or(Reject::IntermarketSweep)
}

/// Longest time an order may be given: less than a day. Source: OUCH 5.0, `ExpireTime`.
const EXPIRE_S_MAX: u32 = 86_399;

/// The series of numbers that an appendage names with tag 28; 0 without it.
#[inline]
pub(crate) fn channel(elements: &[u8]) -> u8 {
    if elements.is_empty() {
        return 0;
    }
    let mut elements = appendage::elements(elements).filter_map(Result::ok);
    let named = elements.find(|element| element.tag == appendage::tag::USER_REF_INDEX);
    named.and_then(|element| element.value.first().copied()).unwrap_or(0)
}

/// The reference that a Cancel names with tag 128 instead of a number.
#[inline]
pub(crate) fn order_reference(elements: &[u8]) -> Option<u64> {
    if elements.is_empty() {
        return None;
    }
    let mut elements = appendage::elements(elements).filter_map(Result::ok);
    let named = elements.find(|element| element.tag == appendage::tag::ORDER_REFERENCE)?;
    named.value.try_into().ok().map(u64::from_be_bytes)
}

/// What a mass cancel is about: a symbol or all, and with tag 27 one kind of order.
pub(crate) fn scope(body: &body::MassCancel, elements: &[u8]) -> Result<Scope, Reject> {
    let instrument = match body.instrument.get() {
        0 if body.symbol == *b"        " => None,
        0 => return Err(Reject::Symbol),
        id => Some(id),
    };
    let options = appendage::parse(elements, TagSet::MASS_CANCEL).or(Err(Reject::Other))?;
    if options.group_id.is_some() {
        return Err(Reject::Other);
    }
    let action = options.side.map(|side| action(side).ok_or(Reject::Side)).transpose()?;
    Ok(Scope { instrument, action })
}

/// Whether the appendage of a Cancel, Modify or switch can be read.
#[inline]
pub(crate) fn is_plain(elements: &[u8], allowed: TagSet) -> bool {
    elements.is_empty() || with_elements(BLANK, elements, allowed).is_ok()
}

/// Terms to which no appendage adds.
#[inline]
fn alone(fields: Fields) -> Result<Terms, Reject> {
    // Without tag 15 nobody knows until when.
    if fields.time_in_force == TimeInForce::UntilTime {
        return Err(Reject::Other);
    }
    Ok(PLAIN[usize::from(fields.index())])
}

/// Adds what an appendage asks for; what it may say beside this is carried, not acted on.
#[cold]
fn with_elements(fields: Fields, elements: &[u8], allowed: TagSet) -> Result<Terms, Reject> {
    let terms = fields.terms();
    let is_timed = terms.time_in_force == TimeInForce::UntilTime;
    let options = appendage::parse(elements, allowed).or(Err(Reject::Other))?;
    refuse_unoffered(&options)?;
    let terms = Terms {
        firm: options.firm.filter(|firm| firm != b"    "),
        post_only: options.post_only == Some(b'P'),
        expire_s: options.expire_time_s.unwrap_or(0),
        min_qty: options.min_qty.unwrap_or(0),
        prevention: options.aiq_strategy.map(prevention).transpose()?,
        group: options.aiq_group.unwrap_or(0),
        time_in_force: stretched(terms.time_in_force, options.good_till_cancel)?,
        ..terms
    };
    // It could neither rest nor trade.
    if terms.post_only && !terms.time_in_force.may_rest() {
        return Err(Reject::Other);
    }
    let has_time = (1..=EXPIRE_S_MAX).contains(&terms.expire_s);
    if is_timed != has_time || (!is_timed && options.expire_time_s.is_some()) {
        return Err(Reject::Other);
    }
    if options.min_qty == Some(0) {
        return Err(Reject::MinQty);
    }
    Ok(terms)
}

/// A time in force with what tag 129 says of it; only day orders may stand for longer.
fn stretched(time_in_force: TimeInForce, tag: Option<u8>) -> Result<TimeInForce, Reject> {
    match (tag, time_in_force) {
        (None | Some(codes::good_till_cancel::DAY), _) => Ok(time_in_force),
        (Some(codes::good_till_cancel::GOOD_TILL_CANCEL), TimeInForce::Day) => {
            Ok(TimeInForce::GoodTillCancel)
        }
        (Some(_), _) => Err(Reject::Other),
    }
}

/// The strategy of tag 29. A firm is an organisation of its own here, so that both cases of a
/// letter mean the same.
fn prevention(code: u8) -> Result<Prevention, Reject> {
    let strategy = match code.to_ascii_uppercase() {
        codes::aiq_strategy::CANCEL_OLDEST => Strategy::CancelOldest,
        codes::aiq_strategy::CANCEL_NEWEST => Strategy::CancelNewest,
        codes::aiq_strategy::DECREMENT => Strategy::Decrement,
        codes::aiq_strategy::DECREMENT_NO_DETAILS => Strategy::DecrementQuietly,
        _ => return Err(Reject::Other),
    };
    Ok(Prevention { strategy, code })
}

fn refuse_unoffered(options: &Options) -> Result<(), Reject> {
    let none_or = |value: Option<u8>, good: &[u8]| value.is_none_or(|it| good.contains(&it));
    let checks = [
        (options.max_floor.is_none(), Reject::MaxFloor),
        (none_or(options.price_type, b"L"), Reject::Peg),
        (options.peg_offset.is_none(), Reject::Peg),
        (options.route.is_none(), Reject::Routing),
        (options.discretion_price.is_none(), Reject::Other),
        (options.discretion_price_type.is_none(), Reject::Other),
        (options.discretion_peg_offset.is_none(), Reject::Other),
        (none_or(options.post_only, b"PN"), Reject::Other),
        (options.random_reserves.is_none(), Reject::Other),
        (none_or(options.trade_now, b"YN "), Reject::Other),
        (none_or(options.handle_inst, b" "), Reject::Other),
        (none_or(options.customer_type, b"RN "), Reject::Other),
        (options.group_id.is_none(), Reject::Other),
        (none_or(options.shares_located, b"YN"), Reject::Other),
        (options.side.is_none(), Reject::Other),
    ];
    checks.into_iter().find(|(is_fine, _)| !is_fine).map_or(Ok(()), |(_, reject)| Err(reject))
}
