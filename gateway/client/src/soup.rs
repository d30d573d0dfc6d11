//! One `SoupBinTCP` connection: login, numbered messages in, unnumbered messages out, heartbeats.
//!
//! [`Connection`] is both halves in one hand; [`Connection::split`] gives them to two threads. The
//! sequence number is counted here, so [`crate::orders`] and [`crate::feed`] get it with each
//! message and a later login can ask for the next one.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uncross_wire::soup::{self as wire, LoginRejectReason, LoginRequest};
use uncross_wire::{FromBytes, Layout, text as wire_text};

use crate::error::{Doing, Error, ProtocolError};
use crate::options::ConnectOptions;
use crate::text::{Text, TextError, fit};

mod receiver;
mod sender;

pub(crate) use receiver::{Data, later};
pub use receiver::{Event, Receiver};
pub use sender::Sender;

use sender::Link;

/// What the server answered to the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginAccepted {
    /// Name of the session joined, without padding.
    pub session: String,
    /// Number of the first message that follows.
    pub next: u64,
}

/// A connection that is logged in.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    receiver: Receiver,
    login: LoginAccepted,
    login_timeout: Duration,
}

impl Connection {
    /// Connects and logs in.
    ///
    /// # Errors
    ///
    /// A text does not fit, no address answers, the login is refused or not answered in time, or
    /// the server starts at another message than the one asked for.
    pub fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        // Texts are judged before anybody is called.
        let request = login_packet(options)?;
        let connected = open(&options.address, options.timing.connect_timeout);
        let stream =
            connected.map_err(|io| Error::Connect { address: options.address.clone(), io })?;
        Self::start(stream, &request, options)
    }

    /// Logs in over `stream`, a fresh connection; the address of `options` is not used.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub fn log_in(stream: TcpStream, options: &ConnectOptions) -> Result<Self, Error> {
        Self::start(stream, &login_packet(options)?, options)
    }

    fn start(stream: TcpStream, request: &[u8], options: &ConnectOptions) -> Result<Self, Error> {
        let link = prepare(&stream, options).map_err(|io| Error::Io { doing: Doing::SetUp, io })?;
        let link = Arc::new(link);
        let mut receiver = Receiver::new(stream, Arc::clone(&link), options);
        let mut sender = Sender::new(link);
        sender.send_packet(request)?;
        let login = await_login(&mut receiver, options)?;
        receiver.count_from(login.next);
        Ok(Self { sender, receiver, login, login_timeout: options.timing.login_timeout })
    }

    /// Logs in anew to the same session, from the first message not yet taken.
    ///
    /// What was queued and not sent is dropped with the old connection.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`]; the old connection then stays as it was.
    pub fn reconnect(&mut self, options: &ConnectOptions) -> Result<(), Error> {
        let resumed = options.clone().resuming(self.session(), self.next_number());
        *self = Self::connect(&resumed)?;
        Ok(())
    }

    /// Returns what the server answered to the login.
    #[must_use]
    pub const fn login(&self) -> &LoginAccepted {
        &self.login
    }

    /// Returns the name of the session joined.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.login.session
    }

    /// Returns the number that the next sequenced message will have.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.receiver.next_number()
    }

    /// Returns the socket, to be registered with a poller; reading it elsewhere loses messages.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        self.receiver.stream()
    }

    /// Returns the sending half.
    pub const fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Returns the receiving half.
    pub const fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// Gives both halves away, for use from two threads; either sends the heartbeats.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Returns the next event, see [`Receiver::next_message`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn next_message(&mut self, timeout: Duration) -> Result<Option<Event<'_>>, Error> {
        self.receiver.next_message(timeout)
    }

    /// Returns the next event without waiting, see [`Receiver::poll`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll(&mut self) -> Result<Option<Event<'_>>, Error> {
        self.receiver.poll()
    }

    /// Queues one message, see [`Sender::queue`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn queue(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.sender.queue(payload)
    }

    /// Sends one message with everything queued, see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.sender.send(payload)
    }

    /// Writes everything queued, see [`Sender::flush`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.sender.flush()
    }

    /// Makes the socket wait or not wait.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn set_nonblocking(&mut self, nonblocking: bool) -> Result<(), Error> {
        self.sender.set_nonblocking(nonblocking)
    }

    /// Logs out and waits for the server to close; what it still sends is discarded.
    ///
    /// # Errors
    ///
    /// The server did not close within the login timeout, or the logout could not be sent.
    pub fn logout(mut self) -> Result<(), Error> {
        log_out(&mut self.sender, &mut self.receiver, self.login_timeout)
    }

    /// Returns both halves, the answer to the login and the login timeout.
    pub(crate) fn into_parts(self) -> (Sender, Receiver, LoginAccepted, Duration) {
        (self.sender, self.receiver, self.login, self.login_timeout)
    }
}

/// Asks the server to close and waits for that, at most `after`.
pub(crate) fn log_out(
    sender: &mut Sender,
    receiver: &mut Receiver,
    after: Duration,
) -> Result<(), Error> {
    sender.logout()?;
    let deadline = later(Instant::now(), after);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout { doing: Doing::LogOut, after });
        }
        match receiver.next_data(left) {
            Ok(_) => {}
            Err(Error::Closed { .. } | Error::EndOfSession { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Connects to the first address that answers, within `timeout` over all of them.
fn open(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let deadline = later(Instant::now(), timeout);
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(io) => failure = io,
        }
    }
    Err(failure)
}

fn prepare(stream: &TcpStream, options: &ConnectOptions) -> io::Result<Link> {
    const TIMEOUT_MIN: Duration = Duration::from_millis(1);
    stream.set_nodelay(true)?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(options.timing.send_timeout.max(TIMEOUT_MIN)))?;
    Link::new(stream, &options.timing)
}

/// Makes the login request; a missing packet means that one of its texts does not fit.
fn login_packet(options: &ConnectOptions) -> Result<Vec<u8>, Error> {
    fit::<6>("user name", &options.user)?;
    fit::<10>("password", &options.password)?;
    fit::<10>("session", &options.session)?;
    let timeout_ms = options.heartbeat_timeout_ms;
    let request = LoginRequest {
        username: options.user.as_bytes(),
        password: options.password.as_bytes(),
        session: options.session.as_bytes(),
        sequence: options.sequence,
        heartbeat_timeout_ms: timeout_ms.unwrap_or(wire::HEARTBEAT_TIMEOUT_DEFAULT_MS),
    };
    let packet = match timeout_ms {
        Some(_) => request.packet_v4().map(Vec::from),
        None => request.packet().map(Vec::from),
    };
    // The texts fit, so only the digits of the timeout can be too many.
    let found = timeout_ms.unwrap_or_default().to_string().len();
    packet.ok_or_else(|| TextError { field: "heartbeat timeout", max: 5, found }.into())
}

/// Reads the answer to the login.
fn await_login(receiver: &mut Receiver, options: &ConnectOptions) -> Result<LoginAccepted, Error> {
    let after = options.timing.login_timeout;
    let deadline = later(Instant::now(), after);
    loop {
        let packet = match receiver.first_packet(deadline) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Err(Error::Timeout { doing: Doing::LogIn, after }),
            Err(Error::Closed { .. }) => return Err(Error::Closed { doing: Doing::LogIn }),
            Err(error) => return Err(error),
        };
        let payload = receiver.payload(packet.payload);
        match packet.kind {
            wire::LOGIN_ACCEPTED => return Ok(accepted(payload, options)?),
            wire::LOGIN_REJECTED => return Err(rejected(payload)),
            wire::SERVER_HEARTBEAT | wire::DEBUG => {}
            found => return Err(ProtocolError::UnexpectedPacket { found, next: 0 }.into()),
        }
    }
}

fn accepted(payload: &[u8], options: &ConnectOptions) -> Result<LoginAccepted, ProtocolError> {
    let answer = wire::LoginAccepted::ref_from_bytes(payload)
        .or(Err(answer_length::<wire::LoginAccepted>(payload)))?;
    let next = answer.next_sequence().map_err(ProtocolError::LoginNumber)?;
    let wanted = options.sequence;
    if wanted != 0 && wanted != next {
        return Err(ProtocolError::OtherNumber { expected: wanted, found: next });
    }
    let wanted = wire_text::trim(options.session.as_bytes());
    let session = answer.session();
    if !wanted.is_empty() && wanted != session {
        let expected = Text::from_wire(wire_text::alpha(wanted).unwrap_or_default());
        return Err(ProtocolError::OtherSession {
            expected,
            found: Text::from_wire(answer.session),
        });
    }
    Ok(LoginAccepted { session: String::from_utf8_lossy(session).into_owned(), next })
}

fn rejected(payload: &[u8]) -> Error {
    let Ok(answer) = wire::LoginRejected::ref_from_bytes(payload) else {
        return answer_length::<wire::LoginRejected>(payload).into();
    };
    match LoginRejectReason::from_wire(answer.reason) {
        Some(reason) => Error::LoginRejected { reason },
        None => ProtocolError::RejectReason { found: answer.reason }.into(),
    }
}

const fn answer_length<T: Layout>(payload: &[u8]) -> ProtocolError {
    ProtocolError::LoginAnswerLength { expected: T::LEN_BYTES, found: payload.len() }
}
