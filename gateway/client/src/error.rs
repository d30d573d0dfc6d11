//! Why a connection to the venue failed.
//!
//! An error about what was to be sent (text, length, options, numbers) or an answer that did not
//! come leaves the connection as it was. After any other it is of no further use; log in again from
//! [`crate::Connection::next_number`].

use std::fmt;
use std::io;
use std::time::Duration;

use uncross_wire::DecodeError;
use uncross_wire::ouch::appendage::WriteError;
use uncross_wire::soup::{FrameError, LoginRejectReason};
use uncross_wire::text::ParseNumberError;

use crate::text::{Text, TextError};

/// Why a call on a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to the address came about.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port as given.
        address: String,
        /// What the operating system said.
        #[source]
        io: io::Error,
    },
    /// Something did not happen in time.
    #[error("{doing} took longer than {after:?}")]
    Timeout {
        /// What was waited for.
        doing: Doing,
        /// How long it was waited for.
        after: Duration,
    },
    /// The server refused the login.
    #[error("login rejected: {}", reject_text(*.reason))]
    LoginRejected {
        /// Why.
        reason: LoginRejectReason,
    },
    /// The server sent what the protocol does not allow.
    #[error("protocol violated")]
    Protocol(#[from] ProtocolError),
    /// The server closed the connection.
    #[error("connection closed by the server while {doing}")]
    Closed {
        /// What was interrupted.
        doing: Doing,
    },
    /// The operating system failed a call on the socket.
    #[error("{doing} failed")]
    Io {
        /// What was interrupted.
        doing: Doing,
        /// What the operating system said.
        #[source]
        io: io::Error,
    },
    /// The session is over for good; a later login joins another one and counts from 1.
    #[error("end of session, {next} would have been the next message")]
    EndOfSession {
        /// Number that the next message would have had.
        next: u64,
    },
    /// A text to be sent does not fit its field.
    #[error("unusable text")]
    Text(#[from] TextError),
    /// A message to be sent does not fit one packet.
    #[error("message has {found} bytes, at most {max} fit a packet")]
    PayloadTooLong {
        /// Bytes that fit.
        max: usize,
        /// Bytes of the message.
        found: usize,
    },
    /// The optional fields of a message cannot be written.
    #[error("optional fields cannot be written")]
    Options(#[from] WriteError),
    /// The day's order numbers are used up; the last one is [`u32::MAX`] less one.
    #[error("no order number is left after {}", u32::MAX - 1)]
    UserRefNumsExhausted,
}

/// What a connection was busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Preparing the socket.
    SetUp,
    /// Waiting for the answer to the login.
    LogIn,
    /// Writing packets.
    Send,
    /// Reading packets.
    Receive,
    /// Waiting for anything at all, a heartbeat at least, from the server.
    HearServer,
    /// Waiting for the answer to an Account Query.
    Sync,
    /// Waiting for the server to close after a logout.
    LogOut,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SetUp => "preparing the socket",
            Self::LogIn => "logging in",
            Self::Send => "sending",
            Self::Receive => "receiving",
            Self::HearServer => "hearing from the server",
            Self::Sync => "asking for the next order number",
            Self::LogOut => "logging out",
        })
    }
}

/// How the server left the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The stream is not made of packets.
    #[error("stream lost its framing")]
    Frame(#[from] FrameError),
    /// A packet of this type may not come here.
    #[error("packet of type '{}' before message {next}", .found.escape_ascii())]
    UnexpectedPacket {
        /// Packet type read.
        found: u8,
        /// Number of the next message; 0 before the login is answered.
        next: u64,
    },
    /// The payload of a login answer has the wrong length.
    #[error("login answer has {found} bytes of payload, expected {expected}")]
    LoginAnswerLength {
        /// Bytes due.
        expected: usize,
        /// Bytes read.
        found: usize,
    },
    /// The reason of a login refusal is unknown.
    #[error("login rejected for the unknown reason '{}'", .found.escape_ascii())]
    RejectReason {
        /// The code read.
        found: u8,
    },
    /// The sequence number of a login acceptance cannot be read.
    #[error("sequence number of the login acceptance is unreadable")]
    LoginNumber(#[source] ParseNumberError),
    /// The login joined another session than asked for.
    #[error("asked for session '{expected}', server joined '{found}'")]
    OtherSession {
        /// Session asked for.
        expected: Text<10>,
        /// Session that the server stated.
        found: Text<10>,
    },
    /// The first message is not the one asked for.
    #[error("asked for message {expected}, server starts at {found}")]
    OtherNumber {
        /// Number asked for.
        expected: u64,
        /// Number that the server stated.
        found: u64,
    },
    /// A sequenced packet holds no message of the protocol.
    #[error("message {number} cannot be read")]
    Message {
        /// Number of the message.
        number: u64,
        /// Why not.
        #[source]
        error: DecodeError,
    },
}

/// Says a reason in words.
const fn reject_text(reason: LoginRejectReason) -> &'static str {
    match reason {
        LoginRejectReason::NotAuthorised => "user name or password is wrong (A)",
        LoginRejectReason::SessionUnavailable => "session or number is not available (S)",
    }
}

/// Sorts a failed read or write: what the peer ended is not a failure of the system.
pub(crate) fn socket_error(doing: Doing, io: io::Error) -> Error {
    match io.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => Error::Closed { doing },
        _ => Error::Io { doing, io },
    }
}

/// Returns whether a read or write only had to wait.
pub(crate) fn is_wait(io: &io::Error) -> bool {
    matches!(
        io.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
