//! Every setting with its value, where that came from, what is possible and what it means.
//!
//! The meaning is the comment above the setting in the default file, and what is possible is what
//! the reading of the setting checks: neither is written twice.

use std::{collections::BTreeMap, path::Path};

use uncross_engine::instrument::{DECIMALS_MAX, Instrument};

use super::{
    Config,
    error::{ConfigError, Place, Source},
    instruments::KEYS,
    layers::{INSTRUMENT, Layers},
    listing::Listing,
    reading::Seen,
};

/// One setting, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `section.key`, or `instrument.SYMBOL.key`.
    pub key: String,
    /// The value in effect, in its usual unit.
    pub value: String,
    /// The value it has when nobody sets it; empty where there is none.
    pub default: String,
    /// Where the value was read.
    pub place: Place,
    /// What values are possible.
    pub bounds: String,
    /// What it is for.
    pub meaning: String,
}

impl Config {
    /// Loads as [`Config::load`] does, and explains every setting in the order of the default
    /// file, instruments last.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn explain(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        overrides: &[(String, String)],
    ) -> Result<(Self, Vec<Explained>), ConfigError> {
        let (layers, defaults) = (
            Layers::all(Self::default_text(), file, environment, overrides)?,
            Layers::defaults(Self::default_text())?,
        );
        let (seen, seen_defaults) = (Seen::default(), Seen::default());
        let config = Self::read(&layers, &seen)?;
        Self::read(&defaults, &seen_defaults)?;
        let default_of = |key: &str| seen_defaults.get(key).map_or_else(String::new, |it| it.value);
        let meanings = meanings(Self::default_text());
        let mut all = Vec::new();
        for (key, meaning) in &meanings {
            let (Some(setting), Some(noted)) = (layers.settings.get(key), seen.get(key)) else {
                continue;
            };
            all.push(Explained {
                key: key.clone(),
                value: noted.value,
                default: default_of(key),
                place: setting.place.clone(),
                bounds: noted.bounds,
                meaning: meaning.clone(),
            });
        }
        for (instrument, entry) in config.instruments.iter().zip(&layers.instruments) {
            let place = |key: &str| match entry.settings.get(key) {
                Some(setting) => setting.place.clone(),
                None => Place { source: Source::Default, line: None, key: key.to_owned() },
            };
            all.extend(explain_instrument(instrument, place));
        }
        Ok((config, all))
    }
}

/// The settings of the default file in their order, each with the comment above it; a setting right
/// below another shares its comment.
fn meanings(text: &str) -> Vec<(String, String)> {
    let (mut section, mut meaning) = (String::new(), String::new());
    let mut is_open = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if name.starts_with('[') {
                break;
            }
            name.clone_into(&mut section);
            is_open = false;
        } else if let Some(comment) = line.strip_prefix('#') {
            if !is_open {
                meaning.clear();
            }
            let space = if meaning.is_empty() { "" } else { " " };
            meaning.extend([space, comment.trim()]);
            is_open = true;
        } else {
            is_open = false;
            if let Some((key, _)) = line.split_once(" = ") {
                found.push((format!("{section}.{key}"), meaning.clone()));
            }
        }
    }
    found
}

/// The settings of an instrument, as the default file lists them.
fn explain_instrument(
    instrument: &Instrument,
    place: impl Fn(&str) -> Place,
) -> impl Iterator<Item = Explained> {
    let listing = Listing::from(instrument);
    let Listing { id, symbol, price_decimals, qty_decimals, tick, lot, .. } = listing;
    let Listing { qty_min, qty_max, collar, reference_price, .. } = listing;
    let quoted = |text: String| format!("{text:?}");
    let decimals = format!("0..={DECIMALS_MAX}");
    let of_price = "a decimal in quotes, exact to price_decimals";
    let of_qty = "a decimal in quotes, exact to qty_decimals";
    let rows = [
        ("id", id.to_string(), "", "a number from 1, permanent"),
        ("symbol", format!("{symbol:?}"), "", "1 to 8 printable ASCII characters without spaces"),
        ("price_decimals", price_decimals.to_string(), "4", decimals.as_str()),
        ("qty_decimals", qty_decimals.to_string(), "0", decimals.as_str()),
        ("tick", quoted(tick), "\"0.01\"", of_price),
        ("lot", quoted(lot), "\"1\"", of_qty),
        ("qty_min", quoted(qty_min), "\"1\"", of_qty),
        ("qty_max", quoted(qty_max), "\"999999\"", of_qty),
        ("collar", quoted(collar), "\"5%\"", "\"0.01%\"..=\"100%\" or \"none\""),
        ("reference_price", quoted(reference_price), "\"0\"", of_price),
    ];
    let meanings = instrument_meanings(Config::default_text());
    let explained = rows.map(|(key, value, default, bounds)| Explained {
        key: format!("{INSTRUMENT}.{symbol}.{key}"),
        value,
        default: default.to_owned(),
        place: place(key),
        bounds: bounds.to_owned(),
        meaning: meanings.get(key).cloned().unwrap_or_default(),
    });
    explained.into_iter()
}

/// What the table of comments before the first instrument says, by key.
fn instrument_meanings(text: &str) -> BTreeMap<String, String> {
    let (_, table) = text.split_once("\n# What is traded").unwrap_or_default();
    let (table, _) = table.split_once("[[").unwrap_or_default();
    let mut meanings: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in table.lines().filter_map(|line| line.strip_prefix("# ")) {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        if KEYS.contains(&key) {
            key.clone_into(&mut last);
            meanings.insert(last.clone(), rest.trim().to_owned());
        } else if let Some(meaning) = meanings.get_mut(&last)
            && key.is_empty()
        {
            // The text of a key goes on in lines that are indented.
            meaning.extend([" ", rest.trim()]);
        }
    }
    meanings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(overrides: &[(&str, &str)]) -> Vec<Explained> {
        let overrides: Vec<_> =
            overrides.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Config::explain(None, std::iter::empty(), &overrides).unwrap().1
    }

    fn find(all: &[Explained], key: &str) -> Explained {
        all.iter().find(|each| each.key == key).cloned().unwrap()
    }

    #[test]
    fn every_setting_is_explained() {
        let all = explain(&[]);
        let layers = Layers::defaults(Config::default_text()).unwrap();
        for key in layers.settings.keys() {
            let Explained { value, default, bounds, meaning, .. } = find(&all, key);
            assert_eq!(value, default, "{key}");
            assert!(!value.is_empty() && !bounds.is_empty() && !meaning.is_empty(), "{key}");
        }
        let instruments = all.iter().filter(|each| each.key.starts_with("instrument."));
        assert_eq!(instruments.clone().count(), KEYS.len() * layers.instruments.len());
        for Explained { key, meaning, bounds, .. } in instruments {
            assert!(!meaning.is_empty() && !bounds.is_empty(), "{key}");
        }
        assert_eq!(find(&all, "venue.name").key, all[0].key, "the order is the file's");
    }

    #[test]
    fn values_are_told_in_their_usual_unit() {
        let all = explain(&[("core.spin", "1000us"), ("session.lag_max", "1024KiB")]);
        let spin = find(&all, "core.spin");
        assert_eq!((spin.value.as_str(), spin.default.as_str()), ("\"1ms\"", "\"50us\""));
        assert_eq!(spin.place.source, Source::Override);
        assert!(spin.bounds.contains("\"1s\""), "{}", spin.bounds);
        assert_eq!(find(&all, "session.lag_max").value, "\"1MiB\"");
        let pages = find(&all, "capacity.port_pages");
        assert_eq!(pages.meaning, find(&all, "capacity.port_orders").meaning);
        assert_eq!(find(&all, "instrument.COIN.lot").value, "\"0.001\"");
        let collar = find(&all, "instrument.PENNY.collar");
        assert_eq!(collar.value, collar.default);
        assert!(collar.meaning.starts_with("how far "), "{}", collar.meaning);
    }
}
