//! HTTP as bytes: what is sent is what a test says.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Longest that a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Reply {
    /// The code of the error that it is.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(self.body["schema"], "uncross.admin.error/1", "{self:?}");
        self.body["error"]["code"].as_str().unwrap()
    }

    /// A text of the error, or nothing.
    pub(crate) fn error(&self, field: &str) -> &str {
        self.body["error"][field].as_str().unwrap_or_default()
    }
}

/// Sends bytes and reads until the other side ends the connection.
pub(crate) fn exchange(addr: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The other side may answer, and end the connection, before it has taken everything.
    drop(stream.write_all(bytes));
    reply(&mut stream)
}

/// Reads an answer, which ends the connection.
pub(crate) fn reply(stream: &mut TcpStream) -> Reply {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(!answer.is_empty(), "nothing came: {error}");
    }
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    Reply { status, head: head.to_lowercase(), body }
}

/// Asks with a token; without one if it is empty.
pub(crate) fn ask(addr: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Reply {
    let token = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n{token}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(addr, request.as_bytes())
}
