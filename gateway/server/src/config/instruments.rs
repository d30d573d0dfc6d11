//! The list of instruments, from decimal strings to units.

use std::collections::{BTreeMap, btree_map};

use uncross_engine::instrument::{COLLAR_BP_MAX, DECIMALS_MAX, Instrument};
use uncross_wire::text::{alpha, format_price, parse_price};

use super::{
    error::ConfigError,
    layers::{Entry, INSTRUMENT, Layers, Setting},
    reading::{Reader, Seen},
    similar::nearest,
};

/// The settings of an instrument.
pub(super) const KEYS: [&str; 10] = [
    "id",
    "symbol",
    "price_decimals",
    "qty_decimals",
    "tick",
    "lot",
    "qty_min",
    "qty_max",
    "collar",
    "reference_price",
];
/// As OUCH and ITCH have it.
const PRICE_DECIMALS_DEFAULT: u8 = 4;
const QTY_DECIMALS_DEFAULT: u8 = 0;
/// 5 %.
const COLLAR_BP_DEFAULT: u32 = 500;

/// Reads and checks all instruments; there is at least one, and ids and symbols are unique.
pub(super) fn read(layers: &Layers) -> Result<Vec<Instrument>, ConfigError> {
    if layers.instruments.is_empty() {
        let place = layers.instruments_place.clone();
        let expected = format!("at least one [[{INSTRUMENT}]]");
        return Err(ConfigError::Impossible { place, expected, found: String::from("none") });
    }
    let mut list: Vec<Instrument> = Vec::with_capacity(layers.instruments.len());
    let mut ids = BTreeMap::new();
    let mut symbols = BTreeMap::new();
    for (index, entry) in layers.instruments.iter().enumerate() {
        let instrument = read_one(entry)?;
        unique(&mut ids, instrument.id, index)
            .map_err(|first| duplicate(entry, "id", instrument.id.to_string(), first))?;
        unique(&mut symbols, instrument.symbol, index).map_err(|first| {
            let symbol = instrument.symbol.trim_ascii_end().escape_ascii().to_string();
            duplicate(entry, "symbol", symbol, first)
        })?;
        list.push(instrument);
    }
    Ok(list)
}

/// Notes `value`, or gives back the index of the instrument that has it.
fn unique<T: Ord>(seen: &mut BTreeMap<T, usize>, value: T, index: usize) -> Result<(), usize> {
    match seen.entry(value) {
        btree_map::Entry::Vacant(free) => {
            free.insert(index);
            Ok(())
        }
        btree_map::Entry::Occupied(taken) => Err(*taken.get()),
    }
}

fn duplicate(entry: &Entry, field: &'static str, value: String, first: usize) -> ConfigError {
    let place = entry.reader(&Seen::default()).place(field);
    ConfigError::DuplicateInstrument { place, field, value, first }
}

impl Entry {
    const fn reader<'a>(&'a self, seen: &'a Seen) -> Reader<'a> {
        Reader { settings: &self.settings, place: &self.place, seen }
    }
}

pub(super) fn read_one(entry: &Entry) -> Result<Instrument, ConfigError> {
    check_names(&entry.settings)?;
    // What is explained of an instrument comes from its values.
    let seen = Seen::default();
    let reader = entry.reader(&seen);
    let price_decimals = decimals(reader, "price_decimals", PRICE_DECIMALS_DEFAULT)?;
    let qty_decimals = decimals(reader, "qty_decimals", QTY_DECIMALS_DEFAULT)?;
    let symbol = "1 to 8 printable ASCII characters without spaces";
    let instrument = Instrument {
        // Bounds of its own are checked below, with the reason.
        id: reader.count("id", 0..=u32::MAX)?,
        symbol: reader.parsed("symbol", symbol, |text| alpha(text))?,
        price_decimals,
        qty_decimals,
        tick: decimal(reader, "tick", price_decimals, "0.01")?,
        lot: decimal(reader, "lot", qty_decimals, "1")?,
        qty_min: decimal(reader, "qty_min", qty_decimals, "1")?,
        qty_max: decimal(reader, "qty_max", qty_decimals, "999999")?,
        collar_bp: collar(reader)?,
        reference_px: decimal(reader, "reference_price", price_decimals, "0")?,
    };
    let place = || entry.place.clone();
    instrument.check().map_err(|source| ConfigError::Instrument { place: place(), source })?;
    Ok(instrument)
}

fn check_names(settings: &BTreeMap<String, Setting>) -> Result<(), ConfigError> {
    match settings.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        Some((key, setting)) => {
            let nearest = nearest(key, KEYS.into_iter());
            Err(ConfigError::Unknown { place: setting.place.clone(), nearest })
        }
        None => Ok(()),
    }
}

fn decimals(reader: Reader<'_>, key: &str, default: u8) -> Result<u8, ConfigError> {
    if reader.has(key) { reader.count(key, 0..=DECIMALS_MAX) } else { Ok(default) }
}

/// A collar in percent as basis points.
fn collar(reader: Reader<'_>) -> Result<u32, ConfigError> {
    const KEY: &str = "collar";
    let expected = "a percentage such as \"5%\" or \"0.25%\", at most \"100%\", or \"none\"";
    let parse = |text: &str| match text {
        "none" => Some(0),
        text => u32::try_from(parse_price(text.strip_suffix('%')?, 2).ok()?)
            .ok()
            .filter(|bp| (1..=COLLAR_BP_MAX).contains(bp)),
    };
    if reader.has(KEY) { reader.parsed(KEY, expected, parse) } else { Ok(COLLAR_BP_DEFAULT) }
}

/// A decimal text as units of 10^-`decimals`; `default` when the key is absent.
fn decimal(reader: Reader<'_>, key: &str, decimals: u8, default: &str) -> Result<u32, ConfigError> {
    let max = format_price(u64::from(u32::MAX), decimals);
    let expected = format!("a string such as {default:?}, at most {decimals} decimals and {max}");
    let parse = |text: &str| u32::try_from(parse_price(text, decimals).ok()?).ok();
    if reader.has(key) {
        return reader.parsed(key, &expected, parse);
    }
    parse(default).ok_or_else(|| {
        reader.impossible(key, &expected, format!("{default:?}, the value of a missing {key}"))
    })
}
