//! The body of a request: one JSON object, read strictly.

use std::{collections::BTreeMap, fmt, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;
use uncross_server::config::{listing::Given, similar::nearest};

use crate::{
    limits::BODY_LEN_MAX,
    problem::{self, Problem, unknown_field},
};

/// The fields of the object, by name.
#[derive(Debug)]
pub(crate) struct Fields(BTreeMap<String, Given>);

impl Fields {
    /// Reads the body of `request`, all of which must come within `timeout`.
    pub(crate) async fn read(request: Request<Body>, timeout: Duration) -> Result<Self, Problem> {
        let too_large = |found: String| {
            let expected = format!("at most {BODY_LEN_MAX} bytes");
            Problem::new(&problem::TOO_LARGE, "the body is too large")
                .expected(expected)
                .found(found)
        };
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
        if let Some(length) = length.filter(|length| (BODY_LEN_MAX as u64) < *length) {
            return Err(too_large(format!("{length} bytes")));
        }
        let bytes = to_bytes(request.into_body(), BODY_LEN_MAX);
        let bytes = tokio::time::timeout(timeout, bytes).await.map_err(|_elapsed| {
            Problem::new(&problem::TOO_SLOW, "the body did not come in time")
                .expected(format!("all of it within {} ms", timeout.as_millis()))
        })?;
        // Without a length the limit is the only reason that a connection which lives has.
        let bytes = bytes.map_err(|error| too_large(error.to_string()))?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(bytes).map_err(|error| {
            Problem::new(&problem::SYNTAX, "the body is no JSON object with each field once")
                .expected("a JSON object such as {\"target\":\"venue\"}")
                .found(error.to_string())
        })
    }

    /// Makes sure that there are no other fields than `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown_field(name, nearest(name, known.iter().copied()))),
            None => Ok(()),
        }
    }

    /// The text of the field `name`.
    pub(crate) fn text(&self, name: &str, expected: &str) -> Result<&str, Problem> {
        match self.0.get(name) {
            Some(Given::Text(text)) => Ok(text),
            other => Err(wrong(name, expected, other)),
        }
    }

    /// The field `name`, true or false.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.0.get(name) {
            None => Ok(default),
            Some(Given::Bool(flag)) => Ok(*flag),
            other => Err(wrong(name, "true or false", other)),
        }
    }

    pub(crate) fn into_inner(self) -> BTreeMap<String, Given> {
        self.0
    }
}

fn wrong(name: &str, expected: &str, found: Option<&Given>) -> Problem {
    let message =
        if found.is_none() { format!("{name} is missing") } else { format!("{name} is no such") };
    let found = match found {
        None => String::from("nothing"),
        Some(Given::Text(text)) => format!("string {text:?}"),
        Some(Given::Integer(number)) => format!("integer {number}"),
        Some(Given::Bool(flag)) => format!("boolean {flag}"),
        Some(Given::Other(kind)) => (*kind).to_owned(),
    };
    Problem::new(&problem::VALUE, message).expected(expected).found(found)
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            // The last of two would win silently, and another reader might take the first.
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice")));
            }
            fields.insert(name, given(value));
        }
        Ok(Fields(fields))
    }
}

fn given(value: Value) -> Given {
    match value {
        Value::String(text) => Given::Text(text),
        Value::Bool(flag) => Given::Bool(flag),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Given::Integer(number.into()),
            (None, Some(number)) => Given::Integer(number.into()),
            (None, None) => Given::Other("a number that is not whole; decimals are strings"),
        },
        Value::Null => Given::Other("null"),
        Value::Array(_) => Given::Other("an array"),
        Value::Object(_) => Given::Other("an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_and_anything_else_is_refused() {
        let fields = Fields::parse(br#" {"a":"b","c":false,"d":7,"e":0.5} "#).unwrap();
        assert_eq!(fields.text("a", "").unwrap(), "b");
        assert!(!fields.flag("c", true).unwrap());
        assert!(fields.flag("absent", true).unwrap());
        for name in ["c", "d", "e", "absent"] {
            assert!(fields.text(name, "a text").is_err(), "{name}");
        }
        assert!(fields.flag("d", true).is_err());
        let deep = "[".repeat(10_000);
        for text in ["", "{", "null", "7", "[]", r#"{"a":1,"a":2}"#, "{} {}", "{'a':1}", &deep] {
            assert!(Fields::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Fields::parse(b"{\"a\":\"\xff\"}").is_err());
        let nested = format!("{{\"a\":{deep}");
        assert!(Fields::parse(nested.as_bytes()).is_err(), "no stack is deep enough");
    }
}
