//! Records as lines: the one place that knows what each kind has to tell.
//!
//! Fields have names that users build upon; docs/journal-tools.md lists them. Numbers of 64 bits
//! are text, prices and quantities have the instrument's decimals.

use std::fmt;

use serde::{
    Serialize,
    ser::{SerializeMap, Serializer},
};
use uncross_engine::instrument::{CROSS_MARKET_PX, Instrument, MARKET_PX};
use uncross_journal::{Location, Record, body, kind};
use uncross_wire::text::format_price;

use crate::{
    calendar::civil,
    export::line::{hex, text},
    record::{
        DATE_MAX, GRACE_NEVER, RecordError, SUBJECT_CAPACITY, SUBJECT_DROP_COPY,
        SUBJECT_INSTRUMENT, act_name, listing, split, target_name,
    },
    replica::Replica,
    sessions::utc,
    terms::{channel, order_reference},
};

/// The kinds of records with their names.
pub const KINDS: [(u8, &str); 20] = [
    (kind::ENTER, "enter"),
    (kind::REPLACE, "replace"),
    (kind::CANCEL, "cancel"),
    (kind::MODIFY, "modify"),
    (kind::ACCOUNT_QUERY, "account_query"),
    (kind::MASS_CANCEL, "mass_cancel"),
    (kind::DISABLE_ENTRY, "disable_entry"),
    (kind::ENABLE_ENTRY, "enable_entry"),
    (kind::REFUSE, "refuse"),
    (kind::TICK, "tick"),
    (kind::SESSION_UP, "session_up"),
    (kind::SESSION_DOWN, "session_down"),
    (kind::ADMIN, "admin"),
    (kind::CONFIGURATION, "configuration"),
    (kind::DAY_ROLL, "day_roll"),
    (kind::EPOCH, "epoch"),
    (kind::CHECKPOINT, "checkpoint"),
    (kind::UPGRADE, "upgrade"),
    (kind::PAD, "pad"),
    (kind::SEAL, "seal"),
];

/// The name of a kind.
#[must_use]
pub fn kind_name(kind: u8) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("unknown", |(_, name)| name)
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number that JSON holds everywhere.
    Number(u64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            // A client's text must not end a line, nor speak to a terminal.
            Self::Text(text) if is_plain(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'=';
    !text.is_empty() && text.bytes().all(is_plain)
}

/// What a record says, field by field.
pub type Fields = Vec<(&'static str, Value)>;

/// A record as a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Sequence number.
    pub seq: u64,
    /// Time stamp, nanoseconds since the UNIX epoch.
    pub time_ns: u64,
    /// Name of its kind.
    pub kind: &'static str,
    /// Where it lies.
    pub location: Location,
    /// What it says.
    pub fields: Fields,
}

impl Serialize for RecordLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("time", &utc(self.time_ns))?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("segment", &self.location.segment_number)?;
        map.serialize_entry("offset", &self.location.offset)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl fmt::Display for RecordLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seq, utc(self.time_ns), self.kind)?;
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

/// What lines say of an instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: u32,
    pub(super) symbol: String,
    pub(super) price_decimals: u8,
    pub(super) qty_decimals: u8,
}

impl Name {
    fn of(instrument: &Instrument) -> Self {
        let Instrument { id, symbol, price_decimals, qty_decimals, .. } = *instrument;
        Self { id, symbol: text(&symbol), price_decimals, qty_decimals }
    }
}

/// The instruments that are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Rising by id.
    known: Vec<Name>,
    /// Changes that come with the next day.
    next: Vec<Name>,
}

impl Names {
    /// Takes in what a record lists, without asking whether the engine accepted it.
    pub(super) fn learn(&mut self, record_kind: u8, bytes: &[u8]) {
        if record_kind == kind::DAY_ROLL {
            for name in std::mem::take(&mut self.next) {
                self.set(name);
            }
        }
        let Some(instrument) = listing(record_kind, bytes) else { return };
        let name = Name::of(&instrument);
        self.next.retain(|next| next.id != name.id);
        match self.get(name.id) {
            None => self.set(name),
            Some(known) if *known == name => {}
            Some(_) => self.next.push(name),
        }
    }

    /// Takes in what the engine lists, behind a record that may have changed it.
    pub(super) fn refresh(&mut self, record_kind: u8, replica: &Replica) {
        if matches!(record_kind, kind::CONFIGURATION | kind::ADMIN | kind::DAY_ROLL) {
            for listed in replica.engine().listings() {
                self.set(Name::of(&listed.instrument));
            }
        }
    }

    fn set(&mut self, name: Name) {
        match self.known.binary_search_by_key(&name.id, |known| known.id) {
            Ok(position) => self.known[position] = name,
            Err(position) => self.known.insert(position, name),
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Name> {
        let position = self.known.binary_search_by_key(&id, |known| known.id).ok()?;
        Some(&self.known[position])
    }

    pub(super) fn find(&self, symbol: &str) -> Option<&Name> {
        self.known.iter().find(|name| name.symbol == symbol)
    }

    /// The symbols, to be shown to who asked for another one.
    pub(super) fn symbols(&self) -> Vec<String> {
        self.known.iter().map(|name| name.symbol.clone()).collect()
    }

    /// Decimals of prices and quantities, where all instruments have the same.
    fn common(&self) -> Option<(u8, u8)> {
        let first = self.known.first()?;
        let decimals = (first.price_decimals, first.qty_decimals);
        let is_same = |name: &Name| (name.price_decimals, name.qty_decimals) == decimals;
        self.known.iter().all(is_same).then_some(decimals)
    }

    /// Whether a price can be written without knowing its instrument.
    pub(super) fn are_uniform(&self) -> bool {
        self.common().is_some() || self.known.is_empty()
    }
}

/// The instrument that a record names itself; 0 for none.
pub(super) fn instrument_of(record_kind: u8, bytes: &[u8]) -> Option<u32> {
    match record_kind {
        kind::ENTER => Some(split::<body::Enter>(record_kind, bytes).ok()?.0.instrument.get()),
        kind::MASS_CANCEL => {
            Some(split::<body::MassCancel>(record_kind, bytes).ok()?.0.instrument.get())
        }
        kind::CONFIGURATION => Some(listing(record_kind, bytes)?.id),
        kind::ADMIN => {
            let named = split::<body::Admin>(record_kind, bytes).ok()?.0.instrument.get();
            Some(listing(record_kind, bytes).map_or(named, |it| it.id)).filter(|id| *id != 0)
        }
        _ => None,
    }
}

/// The port that a record is about, and the numbers of its client that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) port: Option<u16>,
    /// Generation of the port's connection, where the record came over one or tells of one.
    pub(super) generation: Option<u16>,
    /// Channel of the numbers.
    pub(super) index: u8,
    /// Of a replacement the number that it ends comes first.
    pub(super) numbers: [Option<u32>; 2],
    /// The reference that a cancel names.
    pub(super) order_ref: Option<u64>,
}

/// What a record is about.
pub(super) fn subject_of(record_kind: u8, bytes: &[u8]) -> Subject {
    subject(record_kind, bytes).unwrap_or_default()
}

fn subject(record_kind: u8, bytes: &[u8]) -> Result<Subject, RecordError> {
    macro_rules! about {
        ($body:ty $(, $number:ident)*) => {{
            let (body, rest) = split::<$body>(record_kind, bytes)?;
            let mut numbers = [None; 2];
            let named: &[u32] = &[$(body.$number.get()),*];
            for (slot, number) in numbers.iter_mut().zip(named) {
                *slot = Some(*number);
            }
            Subject {
                port: Some(body.port.get()),
                generation: Some(body.generation.get()),
                index: channel(rest),
                numbers,
                order_ref: None,
            }
        }};
    }
    Ok(match record_kind {
        kind::ENTER => about!(body::Enter, user_ref_num),
        kind::REPLACE => about!(body::Replace, orig_user_ref_num, user_ref_num),
        kind::CANCEL => {
            let (_, rest) = split::<body::Cancel>(record_kind, bytes)?;
            Subject { order_ref: order_reference(rest), ..about!(body::Cancel, user_ref_num) }
        }
        kind::MODIFY => about!(body::Modify, user_ref_num),
        kind::ACCOUNT_QUERY => about!(body::AccountQuery),
        kind::MASS_CANCEL => about!(body::MassCancel, user_ref_num),
        kind::DISABLE_ENTRY | kind::ENABLE_ENTRY => about!(body::EntrySwitch, user_ref_num),
        kind::REFUSE => {
            let (body, _) = split::<body::Refuse>(record_kind, bytes)?;
            Subject { index: body.user_ref_index, ..about!(body::Refuse, user_ref_num) }
        }
        kind::SESSION_UP => about!(body::SessionUp),
        kind::SESSION_DOWN => about!(body::SessionDown),
        kind::ADMIN => {
            let (body, _) = split::<body::Admin>(record_kind, bytes)?;
            let port = Some(body.port.get()).filter(|port| *port != 0);
            Subject { port, ..Subject::default() }
        }
        _ => Subject::default(),
    })
}

/// The instrument of the live order that a record names by its number.
pub(super) fn order_instrument(record: &Record<'_>, replica: Option<&Replica>) -> Option<u32> {
    let subject = subject_of(record.kind, record.body);
    let number = subject.numbers[0]?;
    let order = replica?.engine().resting_of(subject.port?, subject.index, number)?;
    Some(order.0)
}

/// The record as a line. `instrument` is what is known of the order it names, where the record does
/// not say it itself.
pub(super) fn line(
    record: &Record<'_>,
    location: Location,
    names: &Names,
    instrument: Option<u32>,
) -> RecordLine {
    let Record { seq, time_ns, kind, body, .. } = *record;
    let telling = Telling { names, instrument: instrument_of(kind, body).or(instrument) };
    let fields = telling.fields(record).unwrap_or_else(|error| {
        // Not a venue's record; what it holds is shown as it is.
        vec![words("error", error.to_string()), words("bytes", hex(body))]
    });
    RecordLine { seq, time_ns, kind: kind_name(kind), location, fields }
}

fn words(name: &'static str, text: impl Into<String>) -> (&'static str, Value) {
    (name, Value::Text(text.into()))
}

fn number(name: &'static str, number: impl Into<u64>) -> (&'static str, Value) {
    (name, Value::Number(number.into()))
}

/// A byte of the wire as it came.
fn code(name: &'static str, byte: u8) -> (&'static str, Value) {
    words(name, byte.escape_ascii().to_string())
}

/// Knows the instrument a record is about.
struct Telling<'a> {
    names: &'a Names,
    instrument: Option<u32>,
}

impl Telling<'_> {
    fn name(&self) -> Option<&Name> {
        self.names.get(self.instrument?)
    }

    fn decimals(&self) -> Option<(u8, u8)> {
        let known = self.name().map(|name| (name.price_decimals, name.qty_decimals));
        known.or_else(|| self.names.common())
    }

    fn symbol(&self, fields: &mut Fields) {
        if let Some(name) = self.name() {
            fields.push(words("symbol", name.symbol.clone()));
        } else if self.instrument == Some(0) {
            // The venue did not list it; the record does not keep its name.
            fields.push(words("symbol", "?"));
        }
    }

    fn qty(&self, raw: u32) -> (&'static str, Value) {
        match self.decimals() {
            Some((_, decimals)) => {
                words("quantity", format_price(raw.into(), decimals).to_string())
            }
            None => number("quantity_units", raw),
        }
    }

    fn px(&self, raw: u32) -> (&'static str, Value) {
        match self.decimals() {
            _ if raw == MARKET_PX || raw == CROSS_MARKET_PX => words("price", "market"),
            Some((decimals, _)) => words("price", format_price(raw.into(), decimals).to_string()),
            None => number("price_units", raw),
        }
    }

    fn fields(&self, record: &Record<'_>) -> Result<Fields, RecordError> {
        let mut fields = about(record.kind, record.body);
        match record.kind {
            kind::ENTER => self.enter(record, &mut fields)?,
            kind::REPLACE => self.replace(record, &mut fields)?,
            kind::CANCEL => {
                let (body, rest) = split::<body::Cancel>(record.kind, record.body)?;
                self.symbol(&mut fields);
                fields.push(self.qty(body.qty.get()));
                appendage(rest, &mut fields);
            }
            kind::MODIFY => {
                let (body, rest) = split::<body::Modify>(record.kind, record.body)?;
                self.symbol(&mut fields);
                fields.extend([code("side", body.side), self.qty(body.qty.get())]);
                appendage(rest, &mut fields);
            }
            kind::ACCOUNT_QUERY | kind::TICK => {}
            kind::MASS_CANCEL => {
                let (body, rest) = split::<body::MassCancel>(record.kind, record.body)?;
                fields
                    .extend([words("symbol", text(&body.symbol)), words("firm", text(&body.firm))]);
                appendage(rest, &mut fields);
            }
            kind::DISABLE_ENTRY | kind::ENABLE_ENTRY => {
                let (body, rest) = split::<body::EntrySwitch>(record.kind, record.body)?;
                fields.push(words("firm", text(&body.firm)));
                appendage(rest, &mut fields);
            }
            kind::REFUSE => {
                let (body, _) = split::<body::Refuse>(record.kind, record.body)?;
                fields.push(words("reason", format!("{:#04x}", body.reason.get())));
                fields.push(words("client_order_id", text(&body.client_order_id)));
            }
            _ => return venue_fields(record, fields),
        }
        Ok(fields)
    }

    fn enter(&self, record: &Record<'_>, fields: &mut Fields) -> Result<(), RecordError> {
        let (body, rest) = split::<body::Enter>(record.kind, record.body)?;
        self.symbol(fields);
        fields.extend([
            code("side", body.side),
            self.qty(body.qty.get()),
            self.px(body.px.get()),
            code("time_in_force", body.time_in_force),
            code("display", body.display),
            code("capacity", body.capacity),
            code("intermarket_sweep", body.intermarket_sweep),
            code("cross_type", body.cross_type),
            words("client_order_id", text(&body.client_order_id)),
        ]);
        appendage(rest, fields);
        Ok(())
    }

    fn replace(&self, record: &Record<'_>, fields: &mut Fields) -> Result<(), RecordError> {
        let (body, rest) = split::<body::Replace>(record.kind, record.body)?;
        self.symbol(fields);
        fields.extend([
            self.qty(body.qty.get()),
            self.px(body.px.get()),
            code("time_in_force", body.time_in_force),
            code("display", body.display),
            code("intermarket_sweep", body.intermarket_sweep),
            words("client_order_id", text(&body.client_order_id)),
        ]);
        appendage(rest, fields);
        Ok(())
    }
}

/// Port, connection and numbers.
fn about(kind: u8, bytes: &[u8]) -> Fields {
    let subject = subject_of(kind, bytes);
    let mut fields = Vec::new();
    fields.extend(subject.port.map(|port| number("port", port)));
    fields.extend(subject.generation.map(|generation| number("generation", generation)));
    match subject.numbers {
        [Some(orig), Some(new)] => {
            fields.extend([number("orig_user_ref_num", orig), number("user_ref_num", new)]);
        }
        [only, _] => fields.extend(only.map(|it| number("user_ref_num", it))),
    }
    if subject.index != 0 {
        fields.push(number("user_ref_index", subject.index));
    }
    fields.extend(subject.order_ref.map(|it| words("order_reference", it.to_string())));
    fields
}

/// The appendage elements as they came.
fn appendage(rest: &[u8], fields: &mut Fields) {
    if !rest.is_empty() {
        fields.push(words("appendage", hex(rest)));
    }
}

/// A day as a date; of no calendar's as the number it is.
fn date(days: u32) -> (&'static str, Value) {
    if DATE_MAX < days {
        return number("date", days);
    }
    let (year, month, day) = civil(days);
    words("date", format!("{year:04}-{month:02}-{day:02}"))
}

/// Of the kinds that no broker sends.
fn venue_fields(record: &Record<'_>, mut fields: Fields) -> Result<Fields, RecordError> {
    let Record { kind, body: bytes, .. } = *record;
    match kind {
        kind::SESSION_UP => {
            let (body, _) = split::<body::SessionUp>(kind, bytes)?;
            fields.extend([
                words("user", text(&body.user)),
                words("firm", text(&body.firm)),
                words("session", text(&body.session)),
            ]);
            fields.push(match body.grace_ms.get() {
                GRACE_NEVER => words("grace", "never"),
                grace_ms => number("grace_ms", grace_ms),
            });
        }
        kind::SESSION_DOWN => {
            let (body, _) = split::<body::SessionDown>(kind, bytes)?;
            fields.push(code("reason", body.reason));
        }
        kind::CONFIGURATION => configuration(kind, bytes, &mut fields)?,
        kind::ADMIN => admin(bytes, &mut fields)?,
        kind::DAY_ROLL => {
            let (body, _) = split::<body::DayRoll>(kind, bytes)?;
            fields.extend([
                date(body.date.get()),
                words("utc_offset_s", body.utc_offset_s.get().to_string()),
                words("session", text(&body.session)),
            ]);
        }
        kind::EPOCH => {
            let (body, _) = split::<body::Epoch>(kind, bytes)?;
            fields.push(number("epoch", body.epoch.get()));
            fields.push(words("session", text(&body.session)));
        }
        kind::CHECKPOINT => {
            let hash = record.output_hash().unwrap_or_default();
            fields.push(words("output_hash", format!("{hash:016x}")));
        }
        found => return Err(RecordError::Kind { found }),
    }
    Ok(fields)
}

/// Of what the venue is configured with.
fn configuration(kind: u8, bytes: &[u8], fields: &mut Fields) -> Result<(), RecordError> {
    if bytes.first() == Some(&SUBJECT_CAPACITY) {
        let (body, _) = split::<body::Capacity>(kind, bytes)?;
        fields.extend([
            words("subject", "capacity"),
            number("orders", body.orders.get()),
            number("hidden_orders", body.hidden_orders.get()),
            number("levels", body.levels.get()),
            number("nodes", body.nodes.get()),
            number("port_orders", body.port_orders.get()),
            number("port_pages", body.port_pages.get()),
            number("user_ref_pages", body.user_ref_pages.get()),
            number("instruments", body.instruments.get()),
            number("ports", body.ports.get()),
        ]);
        return Ok(());
    }
    if bytes.first() == Some(&SUBJECT_DROP_COPY) {
        let (body, _) = split::<body::DropCopy>(kind, bytes)?;
        let is_on = if body.is_on == 0 { "no" } else { "yes" };
        fields.extend([words("subject", "drop_copy"), words("firm", text(&body.firm))]);
        fields.push(words("is_on", is_on));
        return Ok(());
    }
    let (body, _) = split::<body::Configuration>(kind, bytes)?;
    if body.subject != SUBJECT_INSTRUMENT {
        return Err(RecordError::Subject { found: body.subject });
    }
    fields.push(words("subject", "instrument"));
    instrument(body, fields);
    Ok(())
}

/// An instrument that is listed or changed.
fn instrument(body: &body::Configuration, fields: &mut Fields) {
    let px = |raw: u32| format_price(raw.into(), body.price_decimals).to_string();
    let qty = |raw: u32| format_price(raw.into(), body.qty_decimals).to_string();
    fields.extend([
        number("instrument", body.id.get()),
        words("symbol", text(&body.symbol)),
        number("price_decimals", body.price_decimals),
        number("quantity_decimals", body.qty_decimals),
        words("tick", px(body.tick.get())),
        words("lot", qty(body.lot.get())),
        words("quantity_min", qty(body.qty_min.get())),
        words("quantity_max", qty(body.qty_max.get())),
        number("collar_bp", body.collar_bp.get()),
        words("reference_price", px(body.reference_px.get())),
    ]);
}

/// An operator's act.
fn admin(bytes: &[u8], fields: &mut Fields) -> Result<(), RecordError> {
    let (body, rest) = split::<body::Admin>(kind::ADMIN, bytes)?;
    let act = act_name(body.act);
    let act = act.ok_or(RecordError::Act { act: body.act, target: body.target })?;
    fields.push(words("act", act));
    fields.extend(target_name(body.target).map(|target| words("target", target)));
    if body.firm != [b' '; 4] {
        fields.push(words("firm", text(&body.firm)));
    }
    if act == "list" {
        let (listing, _) = split::<body::Configuration>(kind::ADMIN, rest)?;
        instrument(listing, fields);
    } else if body.instrument.get() != 0 {
        fields.push(number("instrument", body.instrument.get()));
    }
    fields.push(words("operator", text(&body.who)));
    fields.push(words("request", body.request.get().to_string()));
    Ok(())
}
