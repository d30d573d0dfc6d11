//! The settings of all sources, laid over each other; nothing is interpreted here.
//!
//! The default file names every setting that exists, so it is also the list against which names
//! are checked. [`super::reading`] turns the result into typed values.

use std::{collections::BTreeMap, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{ConfigError, Place, Source},
    line_of,
    similar::{most_similar, similarity},
};

/// What begins the name of an environment variable that is a setting.
const VARIABLE_PREFIX: &str = "UNCROSS__";
/// The list of instruments: the one setting that is no `section.key`.
pub(super) const INSTRUMENT: &str = "instrument";

/// A value as written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Bool(bool),
    /// From the environment or an override, where everything is text: of whatever type is due.
    Bare(String),
    /// Of a type that no setting has, by the name of the type.
    Other(&'static str),
}

/// A value and where it was read.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// One entry of the list of instruments.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) settings: BTreeMap<String, Setting>,
}

/// The effective settings.
#[derive(Debug)]
pub(super) struct Layers {
    /// By `section.key`.
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) instruments: Vec<Entry>,
    /// Where the list of instruments was read.
    pub(super) instruments_place: Place,
}

impl Layers {
    /// Lays `defaults`, `file`, environment and overrides over each other.
    pub(super) fn all(
        defaults: &str,
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        overrides: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::defaults(defaults)?;
        if let Some(path) = file {
            layers.add_file(path)?;
        }
        layers.add_environment(environment)?;
        layers.add_overrides(overrides)?;
        Ok(layers)
    }

    /// Reads the defaults, which also fix the names that exist.
    pub(super) fn defaults(text: &str) -> Result<Self, ConfigError> {
        let document = Document::parse(text, &Source::Default)?;
        let Document { settings, instruments, sections: _ } = document;
        let settings = settings.into_iter().map(|each| (each.place.key.clone(), each)).collect();
        let (instruments_place, instruments) = instruments.unwrap_or_else(|| {
            let key = String::from(INSTRUMENT);
            (Place { source: Source::Default, line: None, key }, Vec::new())
        });
        Ok(Self { settings, instruments, instruments_place })
    }

    /// Lays the file at `path` over what is there.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::read(path, error))?;
        let document = Document::parse(&text, &Source::File(path.to_owned()))?;
        for place in document.sections {
            if !self.settings.keys().any(|known| section_of(known) == place.key) {
                let nearest = self.nearest(&place.key);
                return Err(ConfigError::Unknown { place, nearest });
            }
        }
        for setting in document.settings {
            self.add(setting)?;
        }
        if let Some((place, instruments)) = document.instruments {
            self.instruments_place = place;
            self.instruments = instruments;
        }
        Ok(())
    }

    /// Lays the environment over what is there; variables of other programs are ignored.
    pub(super) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        // Sorted, so that of several faults always the same one is reported.
        let variables: BTreeMap<_, _> = variables.collect();
        for (name, text) in variables {
            let Some(path) = name.strip_prefix(VARIABLE_PREFIX) else {
                continue;
            };
            let key = path.to_ascii_lowercase().replace("__", ".");
            let place = Place { source: Source::Environment(name), line: None, key };
            self.add(Setting { value: Value::Bare(text), place })?;
        }
        Ok(())
    }

    /// Lays overrides over what is there; of several for one setting the last wins.
    pub(super) fn add_overrides(
        &mut self,
        overrides: &[(String, String)],
    ) -> Result<(), ConfigError> {
        for (key, text) in overrides {
            let place = Place { source: Source::Override, line: None, key: key.clone() };
            self.add(Setting { value: Value::Bare(text.clone()), place })?;
        }
        Ok(())
    }

    fn add(&mut self, setting: Setting) -> Result<(), ConfigError> {
        let Setting { place, .. } = &setting;
        if let Some(known) = self.settings.get_mut(&place.key) {
            *known = setting;
            return Ok(());
        }
        if section_of(&place.key) == INSTRUMENT {
            return Err(ConfigError::FileOnly { place: setting.place });
        }
        let nearest = self.nearest(&place.key);
        Err(ConfigError::Unknown { place: setting.place, nearest })
    }

    /// The known setting or section most similar to `name`.
    fn nearest(&self, name: &str) -> Option<String> {
        let known = self.settings.keys().map(String::as_str);
        let parts = known.filter_map(|known| Some((known, known.split_once('.')?)));
        let Some((section, key)) = name.split_once('.') else {
            // A section, or, a little less likely, a setting written outside of its section.
            let outside = |key| 0.9 * similarity(name, key);
            let settings = parts.clone().map(|(known, (_, key))| (outside(key), known));
            let sections = parts.map(|(_, (section, _))| (similarity(name, section), section));
            let list = [(similarity(name, INSTRUMENT), INSTRUMENT)];
            return most_similar(settings.chain(sections).chain(list));
        };
        most_similar(parts.map(|(known, (known_section, known_key))| {
            // A key under the wrong section is as common a slip as a misspelt key.
            let score = similarity(section, known_section) + 2.0 * similarity(key, known_key);
            (score / 3.0, known)
        }))
    }
}

fn section_of(path: &str) -> &str {
    path.split_once('.').map_or(path, |(section, _)| section)
}

/// One TOML text.
#[derive(Debug)]
struct Document {
    /// Headings, also of sections that set nothing; in the order of the text, as the others are.
    sections: Vec<Place>,
    settings: Vec<Setting>,
    instruments: Option<(Place, Vec<Entry>)>,
}

impl Document {
    fn parse(text: &str, source: &Source) -> Result<Self, ConfigError> {
        let origin = Origin { text, source };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let place = origin.place(at, String::from("syntax"));
            ConfigError::Syntax { place, message: error.message().to_owned() }
        })?;
        let mut document = Self { sections: Vec::new(), settings: Vec::new(), instruments: None };
        for (name, value) in in_text_order(table.get_ref()) {
            let place = origin.place(name.span().start, name.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(keys) if name.get_ref() != INSTRUMENT => {
                    document.add_section(&origin, place, keys);
                }
                DeValue::Array(list) if name.get_ref() == INSTRUMENT => {
                    let entries = list.iter().enumerate();
                    let entries = entries.map(|(index, entry)| origin.entry(index, entry));
                    document.instruments = Some((place, entries.collect::<Result<_, _>>()?));
                }
                _ if name.get_ref() == INSTRUMENT => {
                    return Err(wrong_type(place, "a list of tables: [[instrument]]", value));
                }
                // A setting outside any section: refused as unknown by its name.
                other => document.settings.push(Setting { value: raw(other), place }),
            }
        }
        Ok(document)
    }

    fn add_section(&mut self, origin: &Origin<'_>, section: Place, keys: &DeTable<'_>) {
        for (name, value) in in_text_order(keys) {
            let key = format!("{}.{}", section.key, name.get_ref());
            let place = origin.place(name.span().start, key);
            self.settings.push(Setting { value: raw(value.get_ref()), place });
        }
        self.sections.push(section);
    }
}

/// A text and where it came from.
struct Origin<'a> {
    text: &'a str,
    source: &'a Source,
}

impl Origin<'_> {
    /// The place of `key`, whose name is at byte `offset`.
    fn place(&self, offset: usize, key: String) -> Place {
        Place { source: self.source.clone(), line: line_of(self.text, offset), key }
    }

    fn entry(&self, index: usize, value: &Spanned<DeValue<'_>>) -> Result<Entry, ConfigError> {
        let place = self.place(value.span().start, format!("{INSTRUMENT}[{index}]"));
        let DeValue::Table(keys) = value.get_ref() else {
            return Err(wrong_type(place, "a table with id and symbol", value));
        };
        let settings = in_text_order(keys).into_iter().map(|(name, value)| {
            let key = name.get_ref().to_string();
            let place = self.place(name.span().start, format!("{}.{key}", place.key));
            (key, Setting { value: raw(value.get_ref()), place })
        });
        Ok(Entry { settings: settings.collect(), place })
    }
}

type Pair<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

/// The table's pairs as written: faults are reported from the top of the file.
fn in_text_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Pair<'a, 'i>> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(name, _)| name.span().start);
    pairs
}

fn raw(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("integer beyond 128 bits"), Value::Integer),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        other => Value::Other(other.type_str()),
    }
}

fn wrong_type(place: Place, expected: &str, value: &Spanned<DeValue<'_>>) -> ConfigError {
    let found = value.get_ref().type_str().to_owned();
    ConfigError::WrongType { place, expected: expected.to_owned(), found }
}
