//! An order session: OUCH 5.0 requests out, numbered reports in.
//!
//! The session hands out the order numbers (`UserRefNum`), which must rise within a day, and learns
//! them again after a new login from the reports it reads or from [`OrderSession::sync`].

use std::time::{Duration, Instant};

use uncross_wire::TypeByte;
use uncross_wire::ouch;
use uncross_wire::ouch::appendage::Options;
use uncross_wire::ouch::codes::Side;
use uncross_wire::ouch::inbound::AccountQuery;
use uncross_wire::ouch::outbound::Outbound;

use crate::error::{Doing, Error, ProtocolError};
use crate::options::ConnectOptions;
use crate::soup::{Connection, Data, LoginAccepted, Receiver, later, log_out};
use crate::text::{Firm, Symbol};

pub mod elements;
mod request;
mod sender;

pub use elements::Elements;
pub use request::{NewOrder, Replacement};
pub use sender::OrderSender;

/// One report of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Number in the session.
    pub number: u64,
    /// What it says.
    pub message: Outbound<'a>,
}

/// The receiving half of an order session.
#[derive(Debug)]
pub struct OrderReceiver {
    receiver: Receiver,
}

impl OrderReceiver {
    /// Returns the next report, waiting at most `timeout` for it; `None` when none came.
    ///
    /// # Errors
    ///
    /// As [`Receiver::next_message`]; also the end of the session and a message that is not OUCH.
    pub fn next_report(&mut self, timeout: Duration) -> Result<Option<Report<'_>>, Error> {
        let data = self.receiver.next_data(timeout)?;
        self.report(data)
    }

    /// Returns the next report that is already there, after at most one read; never waits.
    ///
    /// # Errors
    ///
    /// As [`Self::next_report`].
    pub fn poll_report(&mut self) -> Result<Option<Report<'_>>, Error> {
        let data = self.receiver.poll_data()?;
        self.report(data)
    }

    /// Returns the next report of the receive buffer without any system call.
    ///
    /// # Errors
    ///
    /// As [`Self::next_report`].
    pub fn buffered_report(&mut self) -> Result<Option<Report<'_>>, Error> {
        let data = self.receiver.take_data()?;
        self.report(data)
    }

    /// Returns the receiving half of the connection, for its mode, its socket and single reads.
    pub const fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    fn report(&self, data: Option<Data>) -> Result<Option<Report<'_>>, Error> {
        let Some(Data { number, payload }) = data else { return Ok(None) };
        let message = Outbound::decode(self.receiver.payload(payload))
            .map_err(|error| ProtocolError::Message { number, error })?;
        Ok(Some(Report { number, message }))
    }
}

/// An order session in one hand.
#[derive(Debug)]
pub struct OrderSession {
    orders: OrderSender,
    reports: OrderReceiver,
    login: LoginAccepted,
    login_timeout: Duration,
}

impl OrderSession {
    /// Connects and logs in; order numbers start at 1 until [`Self::sync`] or a report says more.
    ///
    /// # Errors
    ///
    /// As [`Connection::connect`].
    pub fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        Connection::connect(options).map(Self::new)
    }

    /// Takes over a connection that is logged in to the order port.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        let (sender, receiver, login, login_timeout) = connection.into_parts();
        let orders = OrderSender::new(sender);
        Self { orders, reports: OrderReceiver { receiver }, login, login_timeout }
    }

    /// Logs in anew to the same session, from the first report not yet taken.
    ///
    /// The order numbers go on. What was queued and not sent is dropped.
    ///
    /// # Errors
    ///
    /// As [`Connection::connect`]; the old connection then stays as it was.
    pub fn reconnect(&mut self, options: &ConnectOptions) -> Result<(), Error> {
        let resumed = options.clone().resuming(self.session(), self.next_number());
        let mut fresh = Self::connect(&resumed)?;
        fresh.orders.take_over(&self.orders);
        *self = fresh;
        Ok(())
    }

    /// Returns the name of the session joined.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.login.session
    }

    /// Returns what the server answered to the login.
    #[must_use]
    pub const fn login(&self) -> &LoginAccepted {
        &self.login
    }

    /// Returns the number that the next report will have.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.reports.receiver.next_number()
    }

    /// Returns the order number that the next request will get.
    #[must_use]
    pub const fn next_user_ref_num(&self) -> u32 {
        self.orders.next_user_ref_num()
    }

    /// Asks the venue for the next order number and goes on from there; returns it.
    ///
    /// Reports that come before the answer are given to `on_report`, the answer too. After a login
    /// for live messages (sequence 0) the result is exact. A replay may hold answers to questions
    /// of earlier logins, so after such a login read the replay to its end first; numbers seen in
    /// any report are never handed out again.
    ///
    /// # Errors
    ///
    /// No answer within `timeout`, or as [`Self::next_report`].
    pub fn sync(
        &mut self,
        timeout: Duration,
        on_report: impl FnMut(&Report<'_>),
    ) -> Result<u32, Error> {
        self.sync_with(&Elements::new(), timeout, on_report)
    }

    /// Does as [`Self::sync`] with elements in the question, such as the channel whose next number
    /// is wanted.
    ///
    /// Numbers go on from the highest seen in any report, which numbers of other channels may be.
    ///
    /// # Errors
    ///
    /// As [`Self::sync`].
    pub fn sync_with(
        &mut self,
        elements: &Elements,
        timeout: Duration,
        mut on_report: impl FnMut(&Report<'_>),
    ) -> Result<u32, Error> {
        let deadline = later(Instant::now(), timeout);
        self.orders.submit_with(&AccountQuery { kind: TypeByte::new() }, elements)?;
        self.orders.flush()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(report) = self.next_report(left)? else {
                return Err(Error::Timeout { doing: Doing::Sync, after: timeout });
            };
            on_report(&report);
            if matches!(report.message, Outbound::AccountQueryResponse(..)) {
                return Ok(self.next_user_ref_num());
            }
        }
    }

    /// Asks for a new order and returns its number, see [`OrderSender::enter`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn enter(&mut self, order: &NewOrder) -> Result<u32, Error> {
        self.orders.enter(order)
    }

    /// Asks for a new order in place of a live one, see [`OrderSender::replace`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn replace(&mut self, replacement: &Replacement) -> Result<u32, Error> {
        self.orders.replace(replacement)
    }

    /// Reduces an order to `quantity` in total, 0 to end it, see [`OrderSender::cancel`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn cancel(&mut self, user_ref_num: u32, quantity: u32) -> Result<(), Error> {
        self.orders.cancel(user_ref_num, quantity)
    }

    /// Reduces an order or changes its side among the sells, see [`OrderSender::modify`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn modify(&mut self, user_ref_num: u32, side: Side, quantity: u32) -> Result<(), Error> {
        self.orders.modify(user_ref_num, side, quantity)
    }

    /// Ends many orders at once, see [`OrderSender::mass_cancel`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn mass_cancel(
        &mut self,
        firm: Firm,
        symbol: Symbol,
        options: &Options,
    ) -> Result<u32, Error> {
        self.orders.mass_cancel(firm, symbol, options)
    }

    /// Asks for the next usable order number, see [`Self::sync`].
    ///
    /// # Errors
    ///
    /// As [`OrderSender::submit`].
    pub fn account_query(&mut self) -> Result<(), Error> {
        self.orders.account_query()
    }

    /// Sends any request with its optional fields, see [`OrderSender::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn submit<T: ouch::Message>(
        &mut self,
        message: &T,
        options: &Options,
    ) -> Result<(), Error> {
        self.orders.submit(message, options)
    }

    /// Sends `message` as it stands, see [`OrderSender::send`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.orders.send(message)
    }

    /// Writes everything queued; needed only when batching.
    ///
    /// # Errors
    ///
    /// As [`crate::Sender::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.orders.flush()
    }

    /// Returns the next report and learns its order number, see [`OrderReceiver::next_report`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn next_report(&mut self, timeout: Duration) -> Result<Option<Report<'_>>, Error> {
        let report = self.reports.next_report(timeout)?;
        Ok(report.inspect(|report| self.orders.learn(&report.message)))
    }

    /// Returns the next report without waiting, see [`OrderReceiver::poll_report`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_report(&mut self) -> Result<Option<Report<'_>>, Error> {
        let report = self.reports.poll_report()?;
        Ok(report.inspect(|report| self.orders.learn(&report.message)))
    }

    /// Returns the sending half, for batching and the mode of the socket.
    pub const fn orders(&mut self) -> &mut OrderSender {
        &mut self.orders
    }

    /// Returns the receiving half; reports taken there teach the session no order number.
    pub const fn reports(&mut self) -> &mut OrderReceiver {
        &mut self.reports
    }

    /// Gives both halves away, for use from two threads; either sends the heartbeats.
    #[must_use]
    pub fn split(self) -> (OrderSender, OrderReceiver) {
        (self.orders, self.reports)
    }

    /// Logs out and waits for the server to close; what it still sends is discarded.
    ///
    /// # Errors
    ///
    /// The server did not close within the login timeout, or the logout could not be sent.
    pub fn logout(mut self) -> Result<(), Error> {
        log_out(self.orders.sender(), &mut self.reports.receiver, self.login_timeout)
    }
}
