//! Reads the program's JSON.

use serde_json::Value;

/// One JSON object.
#[derive(Clone, Debug)]
pub(crate) struct Json(Value);

impl Json {
    /// Reads exactly one line with one object.
    pub(crate) fn parse(line: &str) -> Self {
        assert_eq!(line.lines().count(), 1, "one line is due: {line}");
        let value: Value = serde_json::from_str(line).unwrap();
        assert!(value.is_object(), "{line}");
        Self(value)
    }

    /// What is under `key`; points lead into objects within.
    pub(crate) fn value(&self, key: &str) -> &Value {
        let found = key.split('.').try_fold(&self.0, |within, part| within.get(part));
        found.unwrap_or_else(|| panic!("{key} is missing: {}", self.0))
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.value(key).as_str().unwrap()
    }

    /// A count under `key`.
    pub(crate) fn number(&self, key: &str) -> u64 {
        let value = self.value(key);
        value.as_u64().unwrap_or_else(|| panic!("{key} is no count: {value}"))
    }

    /// All keys, in alphabetical order.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<_> = self.0.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }
}
