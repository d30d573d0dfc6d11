//! What the commands share that speak to the door of operators: where it is, whose token is shown,
//! and what it answers.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uncross_admin::operators::OperatorsError;
use uncross_server::config::VenueDir;
use ureq::{
    Agent, Body,
    http::{Request, Response, header},
};

use super::{
    session::{Door, address, configuration, parse_address},
    venue::{unreadable, unwritable},
};
use crate::{
    errors::{self, Code, Failure},
    output::{Outcome, Output},
};

/// Longest wait for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for an answer: the door gives up on an act earlier, and says so.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes read in search of a token; a longer text cannot be one.
const TOKEN_TEXT_LEN_MAX: u64 = 1_024;
/// Bytes of the longest answer.
const ANSWER_LEN_MAX: u64 = 1 << 20;

/// Where the door of operators is.
#[derive(Args, Debug)]
pub(super) struct DoorArguments {
    /// Folder of the venue, for its address and its admin.token
    #[arg(long, value_name = "DIR")]
    venue: Option<PathBuf>,
    /// Connect here instead
    #[arg(long, value_name = "ADDR", value_parser = parse_door)]
    admin: Option<String>,
    /// Read the token from this file instead
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl DoorArguments {
    /// The folder of the venue, if one was named.
    pub(super) fn venue(&self) -> Option<&Path> {
        self.venue.as_deref()
    }

    /// The door, with a token.
    pub(super) fn open(&self) -> Result<Client, Failure> {
        let Some(path) = self.token_path() else {
            let message = "the token is missing: name --venue DIR or --token-file FILE";
            return Err(Failure::new(&errors::USAGE, message));
        };
        self.client(Some(token_in(&path)?))
    }

    /// The door, with a token if one is there.
    pub(super) fn open_to_anybody(&self) -> Result<Client, Failure> {
        let path = self.token_path();
        let path = path.filter(|path| self.token_file.is_some() || path.is_file());
        let token = path.map(|path| token_in(&path)).transpose()?;
        self.client(token)
    }

    fn token_path(&self) -> Option<PathBuf> {
        let of_venue = || self.venue.as_ref().map(|venue| VenueDir::new(venue).token_file());
        self.token_file.clone().or_else(of_venue)
    }

    fn client(&self, token: Option<String>) -> Result<Client, Failure> {
        let config = configuration(self.venue())?;
        let address = address(self.admin.as_deref(), config.as_ref(), Door::Admin)?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A token is shown to the venue alone: to no proxy, and nowhere that an answer names.
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_global(Some(ANSWER_PATIENCE))
            .build();
        Ok(Client { agent: agent.into(), address, token })
    }
}

/// Reads an address as it is written on the command line, or as `uncross start` prints it.
fn parse_door(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("http://").unwrap_or(text);
    parse_address(address.trim_end_matches('/'))
}

/// The token in a file, without the spaces and line ends around it.
fn token_in(path: &Path) -> Result<String, Failure> {
    let fail = |error: io::Error| unreadable(&errors::FILE_READ, path, &error);
    let file = File::open(path).map_err(fail)?;
    let mut text = String::new();
    file.take(TOKEN_TEXT_LEN_MAX).read_to_string(&mut text).map_err(fail)?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("{} holds no token", path.display());
        return Err(Failure::new(&errors::WRONG_TOKEN, message)
            .cause("a token is one word of printable characters")
            .fix("name the file that uncross init or uncross operator add wrote"));
    }
    Ok(token.to_owned())
}

/// The door of operators of a venue.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    address: String,
    token: Option<String>,
}

/// What the door says of an act.
#[derive(Debug, Deserialize, Serialize)]
struct Acted {
    seq: u64,
    time: String,
    outcome: String,
    who: String,
}

/// What a command tells of an act.
#[derive(Serialize)]
struct Told<'a> {
    act: &'a str,
    subject: &'a str,
    #[serde(flatten)]
    acted: Acted,
}

/// What the door says when it does not do what it was asked.
#[derive(Deserialize)]
struct Refused {
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
    expected: Option<String>,
    found: Option<String>,
}

impl Client {
    /// Whether a token is shown.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Looks at `path`: the status and what is said, of a form that the caller knows.
    pub(super) fn look<T: DeserializeOwned>(&self, path: &str, schema: &str) -> Result<T, Failure> {
        let request = self.request("GET", path).body(());
        let request = request.map_err(|error| self.senseless(&error))?;
        self.read(self.agent.run(request), schema)
    }

    /// Orders an act, named `act` of `subject` to people, and tells what came of it.
    pub(super) fn act(
        &self,
        (act, subject): (&str, &str),
        (method, path): (&str, &str),
        body: Option<&Value>,
        output: &mut Output,
    ) -> Outcome {
        let acted = self.order(method, path, body)?;
        if output.is_json() {
            return output.json("uncross.act/1", &Told { act, subject, acted });
        }
        let Acted { seq, time, outcome, who } = acted;
        let outcome = match outcome.as_str() {
            "unchanged" => "it was so already",
            "scheduled" => "at the next day roll",
            other => other,
        };
        output.line(format_args!("{act} {subject}: {outcome}"))?;
        output.line(format_args!("  record  {seq} at {time}"))?;
        output.line(format_args!("  by      {who}"))
    }

    fn order(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Acted, Failure> {
        const SCHEMA: &str = "uncross.admin.act/1";
        let request = self.request(method, path);
        let sent = if method == "DELETE" {
            let request = request.body(()).map_err(|error| self.senseless(&error))?;
            self.agent.run(request)
        } else {
            let text = body.map(Value::to_string).unwrap_or_default();
            let request = request.header(header::CONTENT_TYPE, "application/json").body(text);
            self.agent.run(request.map_err(|error| self.senseless(&error))?)
        };
        self.read(sent, SCHEMA)
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method);
        let request = request.uri(format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// What an answer says: the form that is due, whatever its status, or why there is none.
    fn read<T: DeserializeOwned>(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        schema: &str,
    ) -> Result<T, Failure> {
        let mut response = sent.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_string();
        let text = text.map_err(|error| self.lost(&error))?;
        let stranger = || {
            let message = format!("no door of operators answers at {}", self.address);
            Failure::new(&errors::PROTOCOL, message)
                .cause(format!("its answer, of status {status}, is none of ours"))
        };
        let value: Value = serde_json::from_str(&text).map_err(|_no_json| stranger())?;
        if value["schema"] == schema {
            return serde_json::from_value(value).map_err(|_other_form| stranger());
        }
        let Refused { error } = serde_json::from_value(value).map_err(|_other_form| stranger())?;
        Err(error.into())
    }

    fn senseless(&self, error: &ureq::http::Error) -> Failure {
        Failure::new(&errors::USAGE, format!("nothing can be asked of {}", self.address))
            .cause(error.to_string())
    }

    fn lost(&self, error: &ureq::Error) -> Failure {
        let code = match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed => &errors::CONNECT,
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                &errors::CONNECT
            }
            ureq::Error::Timeout(_) => &errors::NO_ANSWER,
            ureq::Error::Io(_) => &errors::CONNECTION_LOST,
            _ => &errors::PROTOCOL,
        };
        let address = &self.address;
        let message = format!("the door of operators at {address} gave no answer");
        Failure::new(code, message).cause(error.to_string())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let Problem { code, message, expected, found } = problem;
        let Some(code) = Code::find(&code) else {
            let message = format!("{code}: {message}");
            return Self::new(&errors::PROTOCOL, message).cause("the venue is of another version");
        };
        let failure = Self::new(code, message);
        match (expected, found) {
            (Some(expected), Some(found)) => {
                failure.cause(format!("expected {expected}, found {found}"))
            }
            (Some(expected), None) => failure.cause(format!("expected {expected}")),
            (None, Some(found)) => failure.cause(format!("found {found}")),
            (None, None) => failure,
        }
    }
}

impl From<OperatorsError> for Failure {
    fn from(error: OperatorsError) -> Self {
        let code = match &error {
            OperatorsError::Read { .. }
            | OperatorsError::Syntax { .. }
            | OperatorsError::Entry { .. } => &errors::OPERATORS_FILE,
            OperatorsError::Write { .. } => &errors::FILE_WRITE,
            OperatorsError::Name { .. } => &errors::OPERATOR_NAME,
            OperatorsError::Exists { .. } => &errors::OPERATOR_EXISTS,
            OperatorsError::Unknown { .. } => &errors::OPERATOR_UNKNOWN,
            OperatorsError::Full => &errors::OPERATORS_FULL,
            OperatorsError::Random { .. } => &errors::SYSTEM,
        };
        match error {
            OperatorsError::Read { path, source } => unreadable(code, &path, &source),
            OperatorsError::Write { path, source } => unwritable(&path, &source),
            other => Self::new(code, other.to_string()),
        }
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            text.push(char::from(byte));
        } else {
            use std::fmt::Write;
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_door_is_in_the_table() {
        for code in uncross_admin::problem::ALL {
            assert!(Code::find(code.id).is_some(), "{}", code.id);
        }
    }

    #[test]
    fn the_address_is_taken_as_it_is_printed() {
        for text in ["127.0.0.1:9080", "http://127.0.0.1:9080", "http://127.0.0.1:9080/"] {
            assert_eq!(parse_door(text).as_deref(), Ok("127.0.0.1:9080"));
        }
        for text in ["https://127.0.0.1:9080", "http://", "127.0.0.1:9080/v1"] {
            assert!(parse_door(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_one_segment_of_a_path() {
        for (name, expected) in
            [("DEMO", "DEMO"), ("user:A", "user:A"), ("A/B%", "A%2FB%25"), ("\u{e4} ", "%C3%A4%20")]
        {
            assert_eq!(segment(name), expected);
        }
    }
}
