//! Drop copies: the reports of all ports of a firm, in order, without gaps.
//!
//! As with the feed a gap cannot arise; after a broken connection
//! [`DropCopyReader::reconnect`] goes on at the next number.

use std::time::Duration;

use uncross_wire::drop_copy::DropCopy;

use crate::error::{Error, ProtocolError};
use crate::options::ConnectOptions;
use crate::soup::{Connection, Data, LoginAccepted, Receiver};

/// One report and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedReport<'a> {
    /// Number in the session of the drop copies; the port's own number is not told.
    pub number: u64,
    /// The report in its envelope.
    pub copy: DropCopy<'a>,
}

/// Reads the drop copies of a firm.
#[derive(Debug)]
pub struct DropCopyReader {
    connection: Connection,
}

impl DropCopyReader {
    /// Connects and logs in to the order port as a user for drop copies.
    ///
    /// # Errors
    ///
    /// As [`Connection::connect`].
    pub fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        Connection::connect(options).map(Self::new)
    }

    /// Takes over a connection that is logged in to the order port as a user for drop copies.
    #[must_use]
    pub const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Logs in anew to the same session, from the first message not yet taken.
    ///
    /// # Errors
    ///
    /// As [`Connection::connect`]; the old connection then stays as it was.
    pub fn reconnect(&mut self, options: &ConnectOptions) -> Result<(), Error> {
        self.connection.reconnect(options)
    }

    /// Returns the next message, waiting at most `timeout` for it; `None` when none came.
    ///
    /// # Errors
    ///
    /// As [`Receiver::next_message`]; also the end of the session and a message that is no drop
    /// copy.
    pub fn next_message(&mut self, timeout: Duration) -> Result<Option<CopiedReport<'_>>, Error> {
        let data = self.connection.receiver().next_data(timeout)?;
        self.message(data)
    }

    /// Returns the next message that is already there, after at most one read; never waits.
    ///
    /// # Errors
    ///
    /// As [`Self::next_message`].
    pub fn poll(&mut self) -> Result<Option<CopiedReport<'_>>, Error> {
        let data = self.connection.receiver().poll_data()?;
        self.message(data)
    }

    /// Returns the next message of the receive buffer without any system call.
    ///
    /// # Errors
    ///
    /// As [`Self::next_message`].
    pub fn buffered(&mut self) -> Result<Option<CopiedReport<'_>>, Error> {
        let data = self.connection.receiver().take_data()?;
        self.message(data)
    }

    /// Returns what the server answered to the login.
    #[must_use]
    pub const fn login(&self) -> &LoginAccepted {
        self.connection.login()
    }

    /// Returns the name of the session joined.
    #[must_use]
    pub fn session(&self) -> &str {
        self.connection.session()
    }

    /// Returns the number that the next message will have.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.connection.next_number()
    }

    /// Returns the receiving half, for its mode, its socket and single reads.
    pub const fn receiver(&mut self) -> &mut Receiver {
        self.connection.receiver()
    }

    /// Logs out and waits for the server to close; what it still sends is discarded.
    ///
    /// # Errors
    ///
    /// As [`Connection::logout`].
    pub fn logout(self) -> Result<(), Error> {
        self.connection.logout()
    }

    fn message(&mut self, data: Option<Data>) -> Result<Option<CopiedReport<'_>>, Error> {
        let Some(Data { number, payload }) = data else { return Ok(None) };
        let copy = DropCopy::decode(self.connection.receiver().payload(payload))
            .map_err(|error| ProtocolError::Message { number, error })?;
        Ok(Some(CopiedReport { number, copy }))
    }
}
