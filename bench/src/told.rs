//! What came of a measurement, for people and for programs.

use serde_json::{Value, json};

/// What came of a measurement.
#[derive(Debug)]
pub struct Told {
    schema: &'static str,
    body: Value,
    text: String,
}

impl Told {
    /// `body` is an object, `schema` the name of its form.
    pub(crate) fn new(schema: &'static str, body: Value, text: impl Into<String>) -> Self {
        debug_assert!(body.is_object(), "{body}");
        Self { schema, body, text: text.into() }
    }

    /// Name of the form of [`Self::body`].
    #[must_use]
    pub const fn schema(&self) -> &'static str {
        self.schema
    }

    /// All of it but the name of its form.
    #[must_use]
    pub const fn body(&self) -> &Value {
        &self.body
    }

    /// All of it, for people; without a final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.trim_end()
    }

    /// All of it as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        let mut body = self.body.clone();
        body["schema"] = json!(self.schema);
        body.to_string()
    }
}
