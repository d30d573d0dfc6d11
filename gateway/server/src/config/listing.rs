//! An instrument outside of a configuration file: as an operator writes it, and as it is told.
//!
//! The fields, their defaults and their bounds are those of `[[instrument]]`, read by the same
//! code.

use std::collections::BTreeMap;

use serde::Serialize;
use uncross_engine::instrument::Instrument;
use uncross_wire::text::format_price;

use super::{
    error::{ConfigError, Place, Source},
    instruments,
    layers::{Entry, INSTRUMENT, Setting, Value},
};

/// The fields of an instrument, in the order in which they are told.
pub const FIELDS: [&str; 10] = instruments::KEYS;

/// A value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// True or false.
    Bool(bool),
    /// Of a type that no field has, by the name of the type.
    Other(&'static str),
}

/// Reads an instrument from its fields; what is not given is as it is in a file.
///
/// # Errors
///
/// As of a file; the place of a fault is `instrument.FIELD`.
pub fn parse(fields: BTreeMap<String, Given>) -> Result<Instrument, ConfigError> {
    let place = |key: String| Place { source: Source::Request, line: None, key };
    let settings = fields.into_iter().map(|(key, given)| {
        let value = match given {
            Given::Text(text) => Value::Text(text),
            Given::Integer(number) => Value::Integer(number),
            Given::Bool(flag) => Value::Bool(flag),
            Given::Other(name) => Value::Other(name),
        };
        let place = place(format!("{INSTRUMENT}.{key}"));
        (key, Setting { value, place })
    });
    let entry = Entry { place: place(INSTRUMENT.to_owned()), settings: settings.collect() };
    instruments::read_one(&entry)
}

/// An instrument as people write it: the fields of `[[instrument]]`, decimals as texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Permanent id.
    pub id: u32,
    /// Name, without its padding.
    pub symbol: String,
    /// Decimals of a price.
    pub price_decimals: u8,
    /// Decimals of a quantity.
    pub qty_decimals: u8,
    /// Prices are multiples of it.
    pub tick: String,
    /// Quantities are multiples of it.
    pub lot: String,
    /// Smallest quantity of an order.
    pub qty_min: String,
    /// Largest quantity of an order.
    pub qty_max: String,
    /// How far from the last price market orders trade, in percent, or `none`.
    pub collar: String,
    /// Stands for the last price before the first trade; zero for none.
    pub reference_price: String,
}

impl From<&Instrument> for Listing {
    fn from(instrument: &Instrument) -> Self {
        let &Instrument { id, symbol, price_decimals, qty_decimals, .. } = instrument;
        let price = |raw: u32| format_price(raw.into(), price_decimals).to_string();
        let qty = |raw: u32| format_price(raw.into(), qty_decimals).to_string();
        Self {
            id,
            symbol: symbol.trim_ascii_end().escape_ascii().to_string(),
            price_decimals,
            qty_decimals,
            tick: price(instrument.tick),
            lot: qty(instrument.lot),
            qty_min: qty(instrument.qty_min),
            qty_max: qty(instrument.qty_max),
            collar: collar(instrument.collar_bp),
            reference_price: price(instrument.reference_px),
        }
    }
}

fn collar(bp: u32) -> String {
    if bp == 0 {
        return String::from("none");
    }
    let percent = format_price(bp.into(), 2).to_string();
    format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn given(listing: &Listing) -> BTreeMap<String, Given> {
        let text = |text: &String| Given::Text(text.clone());
        let values = [
            Given::Integer(listing.id.into()),
            text(&listing.symbol),
            Given::Integer(listing.price_decimals.into()),
            Given::Integer(listing.qty_decimals.into()),
            text(&listing.tick),
            text(&listing.lot),
            text(&listing.qty_min),
            text(&listing.qty_max),
            text(&listing.collar),
            text(&listing.reference_price),
        ];
        FIELDS.map(str::to_owned).into_iter().zip(values).collect()
    }

    #[test]
    fn what_is_told_of_an_instrument_is_read_as_the_same_instrument() {
        let config = Config::load(None, std::iter::empty(), &[]).unwrap();
        assert!(!config.instruments.is_empty());
        for instrument in &config.instruments {
            let listing = Listing::from(instrument);
            assert_eq!(parse(given(&listing)).unwrap(), *instrument, "{listing:?}");
        }
        let none = Instrument { collar_bp: 0, ..config.instruments[0] };
        assert_eq!(parse(given(&Listing::from(&none))).unwrap(), none);
    }

    #[test]
    fn what_is_not_given_is_as_in_a_file_and_faults_name_the_field() {
        let pair = |key: &str, given| (key.to_owned(), given);
        let (id, symbol) = (Given::Integer(7), Given::Text("NEW".to_owned()));
        let least = BTreeMap::from([pair("id", id), pair("symbol", symbol)]);
        let found = parse(least.clone()).unwrap();
        assert_eq!((found.tick, found.lot, found.collar_bp), (100, 1, 500));
        let with = |key: &str, given| {
            let mut fields = least.clone();
            fields.insert(key.to_owned(), given);
            parse(fields).unwrap_err().to_string()
        };
        let float = with("tick", Given::Other("float"));
        assert!(float.starts_with("instrument.tick: expected a string"), "{float}");
        assert!(float.ends_with("found float"), "{float}");
        assert_eq!(with("tik", Given::Bool(true)), "instrument.tik: unknown setting");
        let id = with("id", Given::Integer(-1));
        assert!(id.starts_with("instrument.id: expected a count in"), "{id}");
        let lot = with("lot", Given::Text("0".to_owned()));
        assert_eq!(lot, "instrument: lot must be at least 1, found 0");
    }
}
