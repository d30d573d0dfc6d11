//! What the door answers when it does not do what it was asked: a code, a status, and what was
//! expected and found.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use uncross_server::config::error::ConfigError;

use crate::answer::json;

/// A code and its HTTP status. `uncross explain` tells more of each.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable name.
    pub id: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident $id:literal $status:literal;)*) => {
        $($(#[$meta])* pub const $name: Code = Code { id: $id, status: $status };)*
        /// All of them.
        pub const ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    /// The request carries no token, or more than one.
    NO_TOKEN "UX-A020" 401;
    /// Nobody has the token.
    WRONG_TOKEN "UX-A021" 401;
    /// A viewer wants to act.
    ROLE "UX-A022" 403;
    /// There is nothing at the path.
    PATH "UX-A023" 404;
    /// The path is there, but not for this method.
    METHOD "UX-A024" 405;
    /// The body is no JSON object.
    SYNTAX "UX-A025" 400;
    /// The body is too long.
    TOO_LARGE "UX-A026" 413;
    /// The body did not come in time.
    TOO_SLOW "UX-A027" 408;
    /// There is no such field.
    UNKNOWN_FIELD "UX-A028" 422;
    /// A field is missing, of the wrong type, or its value makes no sense.
    VALUE "UX-A029" 422;
    /// There is nobody to kill by that name.
    UNKNOWN_TARGET "UX-A030" 404;
    /// There is no such instrument.
    UNKNOWN_INSTRUMENT "UX-A031" 404;
    /// Id or symbol are another instrument's.
    TAKEN "UX-A032" 409;
    /// The venue has no room for another instrument.
    FULL "UX-A033" 409;
    /// The venue has stopped.
    CLOSED "UX-A034" 503;
    /// Too many acts wait.
    BUSY "UX-A035" 503;
    /// The act was not durable in time: it may or may not have happened.
    TIMED_OUT "UX-A036" 504;
    /// The operators file is damaged, so nobody is let in.
    OPERATORS "UX-A037" 503;
}

/// An answer that is not what was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: u16,
    code: &'static str,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
    /// Of an act that stands in the journal and changed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a Problem,
}

impl Problem {
    pub(crate) fn new(code: &'static Code, message: impl Into<Cow<'static, str>>) -> Self {
        let (status, code, message) = (code.status, code.id, message.into());
        Self { status, code, message, expected: None, found: None, seq: None }
    }

    pub(crate) fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    pub(crate) fn found(self, found: impl Into<String>) -> Self {
        Self { found: Some(found.into()), ..self }
    }

    pub(crate) fn seq(self, seq: u64) -> Self {
        Self { seq: Some(seq), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, "uncross.admin.error/1", &Body { error: &self });
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An instrument whose fields are no good.
impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let key = error.place().map_or("", |place| place.key.as_str());
        let key = key.strip_prefix("instrument.").unwrap_or(key).to_owned();
        match error {
            ConfigError::Unknown { nearest, .. } => unknown_field(&key, nearest),
            ConfigError::WrongType { expected, found, .. }
            | ConfigError::Impossible { expected, found, .. } => {
                Self::new(&VALUE, format!("{key} makes no sense")).expected(expected).found(found)
            }
            ConfigError::Missing { .. } => {
                Self::new(&VALUE, format!("{key} is missing")).expected(key).found("nothing")
            }
            ConfigError::Instrument { source, .. } => Self::new(&VALUE, source.to_string()),
            other => Self::new(&VALUE, other.to_string()),
        }
    }
}

/// A field that is none, with the one that was probably meant.
pub(crate) fn unknown_field(name: &str, nearest: Option<String>) -> Problem {
    let problem = Problem::new(&UNKNOWN_FIELD, format!("there is no field {name:?}"));
    match nearest {
        Some(nearest) => problem.expected(nearest).found(name),
        None => problem.found(name),
    }
}
