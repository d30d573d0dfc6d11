//! From settings as written to typed values in their bounds.

use std::{
    cell::RefCell, collections::BTreeMap, fmt::Display, ops::RangeInclusive, time::Duration,
};

use super::{
    error::{ConfigError, Place},
    layers::{Setting, Value},
    units::{format_duration, format_size, parse_count, parse_duration, parse_size},
};

/// What was learnt of a setting by reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The value as it would be written in a file, in its usual unit.
    pub(super) value: String,
    /// What values are possible.
    pub(super) bounds: String,
}

/// Notes of all settings read, by `section.key`.
#[derive(Debug, Default)]
pub(super) struct Seen(RefCell<BTreeMap<String, Noted>>);

impl Seen {
    /// What was learnt of `key`, if it was read.
    pub(super) fn get(&self, key: &str) -> Option<Noted> {
        self.0.borrow().get(key).cloned()
    }

    fn note(&self, key: &str, bounds: &str, value: String) {
        self.0.borrow_mut().insert(key.to_owned(), Noted { value, bounds: bounds.to_owned() });
    }
}

/// The settings of the venue, or of one instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) settings: &'a BTreeMap<String, Setting>,
    /// Blamed for what is missing.
    pub(super) place: &'a Place,
    pub(super) seen: &'a Seen,
}

impl<'a> Reader<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.settings.contains_key(key)
    }

    /// Where `key` was set.
    pub(super) fn place(&self, key: &str) -> Place {
        let missing = || Place { key: join(&self.place.key, key), ..self.place.clone() };
        self.settings.get(key).map_or_else(missing, |setting| setting.place.clone())
    }

    fn setting(&self, key: &str) -> Result<&'a Setting, ConfigError> {
        let setting = self.settings.get(key);
        setting.ok_or_else(|| ConfigError::Missing { place: self.place(key) })
    }

    /// A text; `expected` describes it with an example.
    pub(super) fn text(&self, key: &str, expected: &str) -> Result<&'a str, ConfigError> {
        let setting = self.setting(key)?;
        match &setting.value {
            Value::Text(text) | Value::Bare(text) => {
                self.seen.note(key, expected, format!("{text:?}"));
                Ok(text)
            }
            other @ (Value::Integer(_) | Value::Bool(_) | Value::Other(_)) => {
                Err(wrong_type(setting, expected, other))
            }
        }
    }

    /// A text that `parse` turns into a value, or `expected` was not met.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let text = self.text(key, expected)?;
        parse(text).ok_or_else(|| self.impossible(key, expected, format!("{text:?}")))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<bool, ConfigError> {
        const EXPECTED: &str = "true or false";
        let setting = self.setting(key)?;
        let flag = match &setting.value {
            Value::Bool(flag) => *flag,
            Value::Bare(text) => text
                .parse()
                .map_err(|_wrong| self.impossible(key, EXPECTED, format!("{text:?}")))?,
            other @ (Value::Text(_) | Value::Integer(_) | Value::Other(_)) => {
                return Err(wrong_type(setting, EXPECTED, other));
            }
        };
        self.seen.note(key, EXPECTED, flag.to_string());
        Ok(flag)
    }

    /// A count within `range`: an integer, or a text such as "10k".
    pub(super) fn count<T>(&self, key: &str, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: TryFrom<u64> + PartialOrd + Display + Copy,
    {
        let expected = || format!("a count in {}..={}", range.start(), range.end());
        let setting = self.setting(key)?;
        let (number, found) = match &setting.value {
            Value::Integer(number) => (u64::try_from(*number).ok(), number.to_string()),
            Value::Text(text) | Value::Bare(text) => (parse_count(text).ok(), format!("{text:?}")),
            other @ (Value::Bool(_) | Value::Other(_)) => {
                return Err(wrong_type(setting, &expected(), other));
            }
        };
        let count = number.and_then(|number| T::try_from(number).ok());
        let count = count.filter(|count| range.contains(count));
        let count = count.ok_or_else(|| self.impossible(key, &expected(), found))?;
        self.seen.note(key, &expected(), count.to_string());
        Ok(count)
    }

    /// A duration within `range`.
    pub(super) fn duration(
        &self,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let ends = (format_duration(*range.start()), format_duration(*range.end()));
        let expected = format!("a duration in \"{}\"..=\"{}\"", ends.0, ends.1);
        let parse = |text: &str| parse_duration(text).ok().filter(|value| range.contains(value));
        let value = self.parsed(key, &expected, parse)?;
        self.seen.note(key, &expected, format!("{:?}", format_duration(value)));
        Ok(value)
    }

    /// A size in bytes within `range`.
    pub(super) fn size(&self, key: &str, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let ends = (format_size(*range.start()), format_size(*range.end()));
        let expected = format!("a size in \"{}\"..=\"{}\"", ends.0, ends.1);
        let parse = |text: &str| parse_size(text).ok().filter(|value| range.contains(value));
        let value = self.parsed(key, &expected, parse)?;
        self.seen.note(key, &expected, format!("{:?}", format_size(value)));
        Ok(value)
    }

    pub(super) fn impossible(&self, key: &str, expected: &str, found: String) -> ConfigError {
        ConfigError::Impossible { place: self.place(key), expected: expected.to_owned(), found }
    }
}

/// The path of `key` under `parent`, which is empty at the root.
fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

fn wrong_type(setting: &Setting, expected: &str, found: &Value) -> ConfigError {
    let found = match found {
        Value::Text(text) | Value::Bare(text) => format!("string {text:?}"),
        Value::Integer(number) => format!("integer {number}"),
        Value::Bool(flag) => format!("boolean {flag}"),
        Value::Other(name) => (*name).to_owned(),
    };
    let place = setting.place.clone();
    ConfigError::WrongType { place, expected: expected.to_owned(), found }
}
