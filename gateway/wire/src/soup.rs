//! `SoupBinTCP` 3.00 and 4.x: packets over TCP, login, heartbeats.
//!
//! A packet is `u16 length`, `u8 type` and a payload; the length counts type and payload. This
//! module finds packets in a receive buffer and codes the login exchange; the payloads of the two
//! data packets are [`crate::ouch`] or [`crate::itch`] messages and pass through untouched.
//! Sequence numbers are implicit: the session counts, the codec does not.

use core::fmt;

use zerocopy::FromBytes;

use crate::layout::{Description, Layout};
use crate::text::{self, ParseNumberError};

/// Server to client: the login is accepted; payload [`LoginAccepted`].
pub const LOGIN_ACCEPTED: u8 = b'A';
/// Server to client: the login is refused; payload [`LoginRejected`]. The server closes.
pub const LOGIN_REJECTED: u8 = b'J';
/// Server to client: one application message that counts in the sequence.
pub const SEQUENCED_DATA: u8 = b'S';
/// Server to client: nothing was sent for a second; no payload.
pub const SERVER_HEARTBEAT: u8 = b'H';
/// Server to client: the session is over for good; no payload. The server closes.
pub const END_OF_SESSION: u8 = b'Z';
/// Client to server: must be the first packet; payload [`LoginRequest`].
pub const LOGIN_REQUEST: u8 = b'L';
/// Client to server: one application message; it has no number.
pub const UNSEQUENCED_DATA: u8 = b'U';
/// Client to server: nothing was sent for a second; no payload.
pub const CLIENT_HEARTBEAT: u8 = b'R';
/// Client to server: asks the server to close; no payload.
pub const LOGOUT_REQUEST: u8 = b'O';
/// Both ways: free text for people, to be ignored.
pub const DEBUG: u8 = b'+';

/// Bytes before the payload: length and type.
pub const HEADER_LEN_BYTES: usize = 3;
/// Bytes of payload that a packet can announce.
pub const PAYLOAD_LEN_BYTES_MAX: usize = u16::MAX as usize - 1;
/// A side that has sent nothing for this long sends a heartbeat.
pub const HEARTBEAT_INTERVAL_MS: u32 = 1_000;
/// A side that has received nothing for this long may close, unless the login said otherwise.
pub const HEARTBEAT_TIMEOUT_DEFAULT_MS: u32 = 15_000;

/// The whole server heartbeat.
pub const SERVER_HEARTBEAT_PACKET: [u8; HEADER_LEN_BYTES] = header(SERVER_HEARTBEAT, 0);
/// The whole client heartbeat.
pub const CLIENT_HEARTBEAT_PACKET: [u8; HEADER_LEN_BYTES] = header(CLIENT_HEARTBEAT, 0);
/// The whole end of session.
pub const END_OF_SESSION_PACKET: [u8; HEADER_LEN_BYTES] = header(END_OF_SESSION, 0);
/// The whole logout request.
pub const LOGOUT_REQUEST_PACKET: [u8; HEADER_LEN_BYTES] = header(LOGOUT_REQUEST, 0);

/// Returns the three bytes that precede a payload of `payload_len_bytes`.
///
/// # Panics
///
/// When the payload exceeds [`PAYLOAD_LEN_BYTES_MAX`]: all our messages have fixed bounds, so a
/// longer one is a bug, and a wrapped length would desynchronise the stream.
#[must_use]
pub const fn header(kind: u8, payload_len_bytes: usize) -> [u8; HEADER_LEN_BYTES] {
    assert!(payload_len_bytes <= PAYLOAD_LEN_BYTES_MAX, "payload longer than a packet can carry");
    // The assertion leaves all but the two low bytes zero.
    let [.., high, low] = (1 + payload_len_bytes).to_be_bytes();
    [high, low, kind]
}

/// One packet of the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Packet type, one of this module's constants or a foreign one.
    pub kind: u8,
    /// What follows the type.
    pub payload: &'a [u8],
    /// Bytes of the whole packet with its length field: how far to advance.
    pub len_bytes: usize,
}

/// Finds the packet at the start of `buffer`; `None` when more bytes are needed.
///
/// The length is judged as soon as it is there, so a peer cannot make the caller wait for a packet
/// that will be refused. After an error the stream has lost its framing and must be closed.
///
/// # Errors
///
/// A length of zero, or a payload longer than `payload_max`.
pub const fn next_frame(
    buffer: &[u8],
    payload_max: usize,
) -> Result<Option<Frame<'_>>, FrameError> {
    let [high, low, rest @ ..] = buffer else { return Ok(None) };
    let length = u16::from_be_bytes([*high, *low]) as usize;
    if length == 0 {
        return Err(FrameError::Empty);
    }
    let found = length - 1;
    if payload_max < found {
        return Err(FrameError::Oversized { max: payload_max, found });
    }
    let Some((packet, _)) = rest.split_at_checked(length) else { return Ok(None) };
    let [kind, payload @ ..] = packet else { return Err(FrameError::Empty) };
    Ok(Some(Frame { kind: *kind, payload, len_bytes: 2 + length }))
}

/// Why a stream is not made of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length is 0; at least the type must follow, so the least is 1.
    Empty,
    /// The payload is longer than the receiver allows.
    Oversized {
        /// Bytes of payload allowed.
        max: usize,
        /// Bytes of payload announced.
        found: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("packet length is 0, expected at least 1"),
            Self::Oversized { max, found } => {
                write!(f, "packet announces {found} bytes of payload, at most {max} allowed")
            }
        }
    }
}

impl core::error::Error for FrameError {}

layout! {
    /// Payload of a login request of `SoupBinTCP` 3.00 (packet length 47).
    pub struct LoginRequestV3 = LOGIN_REQUEST, 46 {
        /// User name, letters and digits in any case.
        pub username: [u8; 6],
        /// Password, letters and digits in any case.
        pub password: [u8; 10],
        /// Session wanted; blank for the current one.
        pub session: [u8; 10],
        /// First sequence number wanted, decimal text; 0 or blank for live messages only.
        pub sequence: [u8; 20],
    }

    /// Payload of a login request of `SoupBinTCP` 4.x (packet length 52).
    pub struct LoginRequestV4 = LOGIN_REQUEST, 51 {
        /// The request of version 3.00.
        pub base: LoginRequestV3,
        /// Silence after which the client wants the connection closed, decimal text in ms.
        pub heartbeat_timeout_ms: [u8; 5],
    }

    /// Payload of a login acceptance (packet length 31).
    pub struct LoginAccepted = LOGIN_ACCEPTED, 30 {
        /// Name of the session joined, right-justified.
        pub session: [u8; 10],
        /// Number of the first sequenced packet that follows, decimal text, right-justified.
        pub sequence: [u8; 20],
    }

    /// Payload of a login refusal (packet length 2).
    pub struct LoginRejected = LOGIN_REJECTED, 1 {
        /// Why, see [`LoginRejectReason`].
        pub reason: u8,
    }
}

impl LoginRequestV3 {
    /// Bytes of the whole packet.
    pub const PACKET_LEN_BYTES: usize = HEADER_LEN_BYTES + Self::LEN_BYTES;
}

impl LoginRequestV4 {
    /// Bytes of the whole packet.
    pub const PACKET_LEN_BYTES: usize = HEADER_LEN_BYTES + Self::LEN_BYTES;
}

/// Every layout of Soup; offsets count from the first byte of the payload.
pub const LAYOUTS: &[Description] = &[
    LoginRequestV3::DESCRIPTION,
    LoginRequestV4::DESCRIPTION,
    LoginAccepted::DESCRIPTION,
    LoginRejected::DESCRIPTION,
];

closed_set! {
    /// Why a login is refused.
    pub enum LoginRejectReason {
        /// User name or password are wrong, or the user may not log in here.
        NotAuthorised = b'A',
        /// The session or the sequence number asked for does not exist.
        SessionUnavailable = b'S',
    }
}

/// A login request with its padding removed and its numbers read.
///
/// Compare user name and password with `eq_ignore_ascii_case`; the protocol ignores case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LoginRequest<'a> {
    /// User name, trimmed; at most 6 bytes.
    pub username: &'a [u8],
    /// Password, trimmed; at most 10 bytes.
    pub password: &'a [u8],
    /// Session wanted, trimmed; empty for the current one.
    pub session: &'a [u8],
    /// First sequence number wanted; 0 for live messages only.
    pub sequence: u64,
    /// Silence after which to close, as sent; [`HEARTBEAT_TIMEOUT_DEFAULT_MS`] when not sent.
    pub heartbeat_timeout_ms: u32,
}

impl<'a> LoginRequest<'a> {
    /// Reads the payload of a login request of either version.
    ///
    /// Clients justify to either side and pad with spaces or NULs; all of it is understood.
    ///
    /// # Errors
    ///
    /// A length that is neither 46 nor 51, or a number that is neither blank nor decimal.
    pub fn decode(payload: &'a [u8]) -> Result<Self, LoginError> {
        let (base, timeout) = if let Ok(base) = LoginRequestV3::ref_from_bytes(payload) {
            (base, None)
        } else if let Ok(request) = LoginRequestV4::ref_from_bytes(payload) {
            (&request.base, Some(&request.heartbeat_timeout_ms))
        } else {
            return Err(LoginError::WrongLength { found: payload.len() });
        };
        let sequence = number_or(&base.sequence, 0).map_err(LoginError::Sequence)?;
        let default_ms = u64::from(HEARTBEAT_TIMEOUT_DEFAULT_MS);
        let timeout_ms = timeout
            .map_or(Ok(default_ms), |field| number_or(field, default_ms))
            .map_err(LoginError::HeartbeatTimeout)?;
        Ok(Self {
            username: text::trim(&base.username),
            password: text::trim(&base.password),
            session: text::trim(&base.session),
            sequence,
            // Five digits always fit.
            heartbeat_timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX),
        })
    }

    /// Returns the whole packet of version 3.00, which carries no heartbeat timeout.
    ///
    /// `None` when a text does not fit its field or is not printable ASCII.
    #[must_use]
    pub fn packet(&self) -> Option<[u8; LoginRequestV3::PACKET_LEN_BYTES]> {
        let mut packet = [0; LoginRequestV3::PACKET_LEN_BYTES];
        write_packet(&self.v3()?, &mut packet);
        Some(packet)
    }

    /// Returns the whole packet of version 4.x.
    ///
    /// `None` when a text or the timeout does not fit its field, or a text is not printable ASCII.
    #[must_use]
    pub fn packet_v4(&self) -> Option<[u8; LoginRequestV4::PACKET_LEN_BYTES]> {
        let heartbeat_timeout_ms = text::number(u64::from(self.heartbeat_timeout_ms))?;
        let mut packet = [0; LoginRequestV4::PACKET_LEN_BYTES];
        write_packet(&LoginRequestV4 { base: self.v3()?, heartbeat_timeout_ms }, &mut packet);
        Some(packet)
    }

    fn v3(&self) -> Option<LoginRequestV3> {
        Some(LoginRequestV3 {
            username: text::alpha(self.username)?,
            password: text::alpha(self.password)?,
            session: text::right_alpha(self.session)?,
            sequence: text::ascii20(self.sequence),
        })
    }
}

impl fmt::Debug for LoginRequest<'_> {
    /// Leaves the password out, so that no log can hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("username", &format_args!("{}", self.username.escape_ascii()))
            .field("session", &format_args!("{}", self.session.escape_ascii()))
            .field("sequence", &self.sequence)
            .field("heartbeat_timeout_ms", &self.heartbeat_timeout_ms)
            .finish_non_exhaustive()
    }
}

/// Why a payload is not a login request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The payload has neither 46 nor 51 bytes.
    WrongLength {
        /// Bytes of the payload.
        found: usize,
    },
    /// The requested sequence number is neither blank nor a number.
    Sequence(ParseNumberError),
    /// The heartbeat timeout is neither blank nor a number.
    HeartbeatTimeout(ParseNumberError),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WrongLength { found } => write!(
                f,
                "login request has {found} bytes of payload, expected {} or {}",
                LoginRequestV3::LEN_BYTES,
                LoginRequestV4::LEN_BYTES
            ),
            Self::Sequence(error) => write!(f, "requested sequence number: {error}"),
            Self::HeartbeatTimeout(error) => write!(f, "heartbeat timeout: {error}"),
        }
    }
}

impl core::error::Error for LoginError {}

impl LoginAccepted {
    /// Bytes of the whole packet.
    pub const PACKET_LEN_BYTES: usize = HEADER_LEN_BYTES + Self::LEN_BYTES;

    /// Makes the answer to a login that joined `session` and is next sent number `next_sequence`.
    ///
    /// `None` when the name exceeds 10 bytes or is not printable ASCII.
    #[must_use]
    pub fn new(session: impl AsRef<[u8]>, next_sequence: u64) -> Option<Self> {
        let session = text::right_alpha(session)?;
        Some(Self { session, sequence: text::ascii20(next_sequence) })
    }

    /// Returns the session name without its padding.
    #[must_use]
    pub const fn session(&self) -> &[u8] {
        text::trim(&self.session)
    }

    /// Returns the number of the first sequenced packet that follows.
    ///
    /// # Errors
    ///
    /// The field is blank or no number.
    pub fn next_sequence(&self) -> Result<u64, ParseNumberError> {
        text::parse_number(&self.sequence)
    }

    /// Returns the whole packet.
    #[must_use]
    pub fn packet(&self) -> [u8; Self::PACKET_LEN_BYTES] {
        let mut packet = [0; Self::PACKET_LEN_BYTES];
        write_packet(self, &mut packet);
        packet
    }
}

impl LoginRejected {
    /// Bytes of the whole packet.
    pub const PACKET_LEN_BYTES: usize = HEADER_LEN_BYTES + Self::LEN_BYTES;

    /// Makes the refusal for `reason`.
    #[must_use]
    pub const fn new(reason: LoginRejectReason) -> Self {
        Self { reason: reason.to_wire() }
    }

    /// Returns the whole packet.
    #[must_use]
    pub fn packet(&self) -> [u8; Self::PACKET_LEN_BYTES] {
        let mut packet = [0; Self::PACKET_LEN_BYTES];
        write_packet(self, &mut packet);
        packet
    }
}

/// Fills `packet`, whose length is that of header and `payload`.
fn write_packet<T: Layout>(payload: &T, packet: &mut [u8]) {
    let (head, body) = packet.split_at_mut(HEADER_LEN_BYTES);
    head.copy_from_slice(&header(T::KIND, T::LEN_BYTES));
    body.copy_from_slice(payload.as_bytes());
}

fn number_or(field: &[u8], blank: u64) -> Result<u64, ParseNumberError> {
    match text::parse_number(field) {
        Err(ParseNumberError::Blank) => Ok(blank),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn header_counts_the_type_byte() {
        assert_eq!(header(SEQUENCED_DATA, 64), [0, 65, b'S']);
        assert_eq!(header(DEBUG, PAYLOAD_LEN_BYTES_MAX), [0xFF, 0xFF, b'+']);
        assert_eq!(SERVER_HEARTBEAT_PACKET, [0, 1, b'H']);
    }

    #[test]
    fn frame_needs_its_last_byte() {
        let packet = [0, 3, b'U', 1, 2, 99];
        for len in 0..5 {
            assert_eq!(next_frame(&packet[..len], 2), Ok(None), "{len} bytes");
        }
        let frame = Frame { kind: b'U', payload: &[1, 2], len_bytes: 5 };
        assert_eq!(next_frame(&packet, 2), Ok(Some(frame)));
    }

    #[test]
    fn bad_length_is_refused_before_the_packet_is_there() {
        assert_eq!(next_frame(&[0, 0], 100), Err(FrameError::Empty));
        let error = FrameError::Oversized { max: 2, found: 3 };
        assert_eq!(next_frame(&[0, 4], 2), Err(error));
    }

    #[test]
    fn debug_output_of_a_login_hides_the_password() {
        let login = LoginRequest {
            username: b"ALICE",
            password: b"SECRET",
            session: b"",
            sequence: 1,
            heartbeat_timeout_ms: HEARTBEAT_TIMEOUT_DEFAULT_MS,
        };
        let text = format!("{login:?}");
        assert!(text.contains("ALICE"));
        assert!(!text.contains("SECRET"));
    }
}
