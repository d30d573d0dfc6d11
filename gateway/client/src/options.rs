//! Where to connect, as whom, and how patiently.

use std::fmt;
use std::time::Duration;

use uncross_wire::soup::{HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_DEFAULT_MS};

/// Everything a login needs.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Host and port, like `127.0.0.1:9001`; a name may resolve to several addresses.
    pub address: String,
    /// User name, at most 6 bytes.
    pub user: String,
    /// Password, at most 10 bytes.
    pub password: String,
    /// Session wanted, at most 10 bytes; empty for the current one.
    pub session: String,
    /// First message wanted: 0 for live messages only, 1 for all of the session, or a number.
    pub sequence: u64,
    /// Silence of ours, in milliseconds, after which the server shall close, at most 99,999.
    ///
    /// `None` logs in as `SoupBinTCP` 3.00, which leaves it to the server; else as 4.x.
    pub heartbeat_timeout_ms: Option<u32>,
    /// Bytes of payload above which a packet of the server is an error.
    ///
    /// At most [`Self::PAYLOAD_LEN_BYTES_MAX`]; more is taken as that.
    pub payload_len_bytes_max: usize,
    /// How long to wait for what.
    pub timing: Timing,
}

impl ConnectOptions {
    /// Longest payload that the receive buffer can hold whole.
    pub const PAYLOAD_LEN_BYTES_MAX: usize = 65_533;

    /// Asks for live messages of the current session, with the times of [`Timing::default`].
    #[must_use]
    pub fn new(
        address: impl Into<String>,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        Self {
            address: address.into(),
            user: user.into(),
            password: password.into(),
            session: String::new(),
            sequence: 0,
            heartbeat_timeout_ms: None,
            payload_len_bytes_max: Self::PAYLOAD_LEN_BYTES_MAX,
            timing: Timing::default(),
        }
    }

    /// Asks for the messages from number `sequence` on instead.
    #[must_use]
    pub fn from_number(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Asks for `session` from number `sequence` on instead.
    #[must_use]
    pub fn resuming(mut self, session: impl Into<String>, sequence: u64) -> Self {
        self.session = session.into();
        self.sequence = sequence;
        self
    }
}

impl fmt::Debug for ConnectOptions {
    /// Leaves the password out, so that no log can hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("address", &self.address)
            .field("user", &self.user)
            .field("session", &self.session)
            .field("sequence", &self.sequence)
            .field("heartbeat_timeout_ms", &self.heartbeat_timeout_ms)
            .field("payload_len_bytes_max", &self.payload_len_bytes_max)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// How long a connection waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For the TCP connection, over all addresses together.
    pub connect_timeout: Duration,
    /// For the answer to the login, and for the close after a logout.
    pub login_timeout: Duration,
    /// A heartbeat is sent when nothing was sent for this long.
    pub heartbeat_interval: Duration,
    /// The server is given up when nothing came for this long.
    pub silence_timeout: Duration,
    /// For the socket to take what is to be sent.
    pub send_timeout: Duration,
}

impl Default for Timing {
    /// 5 s to connect and to log in, a heartbeat each 1 s, 15 s for all else.
    fn default() -> Self {
        let silence = Duration::from_millis(u64::from(HEARTBEAT_TIMEOUT_DEFAULT_MS));
        Self {
            connect_timeout: Duration::from_secs(5),
            login_timeout: Duration::from_secs(5),
            heartbeat_interval: Duration::from_millis(u64::from(HEARTBEAT_INTERVAL_MS)),
            silence_timeout: silence,
            send_timeout: silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_password() {
        let options = ConnectOptions::new("host:1", "ALICE", "SECRET").resuming("DAY1", 7);
        let text = format!("{options:?}");
        assert!(text.contains("ALICE") && text.contains("DAY1"), "{text}");
        assert!(!text.contains("SECRET"), "{text}");
    }
}
