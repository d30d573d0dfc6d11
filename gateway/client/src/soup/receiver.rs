//! The receiving half of a connection: finds packets, counts messages, keeps the connection alive.

use std::io::Read;
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use uncross_wire::soup;

use crate::error::{Doing, Error, ProtocolError, is_wait, socket_error};
use crate::options::ConnectOptions;
use crate::soup::sender::Link;

/// Bytes of the receive buffer; the longest packet allowed fits exactly.
pub(super) const BUFFER_LEN_BYTES: usize = 64 * 1024;

const _: () =
    assert!(ConnectOptions::PAYLOAD_LEN_BYTES_MAX + soup::HEADER_LEN_BYTES == BUFFER_LEN_BYTES);

/// What the server sent, without its heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// One application message.
    Sequenced {
        /// Number in the session, counted from the one that the login stated.
        number: u64,
        /// The message: OUCH or ITCH.
        payload: &'a [u8],
    },
    /// Free text for people.
    Debug {
        /// The text as sent.
        text: &'a [u8],
    },
    /// The session is over for good; every later call answers [`Error::EndOfSession`].
    EndOfSession,
}

/// The receiving half of a connection.
///
/// Waiting calls also send the heartbeats that are due. Invariant:
/// `start <= end <= buffer.len()`, and the bytes between them are received and not yet taken.
#[derive(Debug)]
pub struct Receiver {
    stream: TcpStream,
    link: Arc<Link>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    payload_len_bytes_max: usize,
    /// Number of the next sequenced message; 0 until the login is answered.
    next_number: u64,
    ended: bool,
    last_heard: Instant,
    silence_timeout: Duration,
}

/// A packet found in the buffer; the payload stays there until the next read.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) payload: Range<usize>,
}

/// A sequenced message found in the buffer; the payload stays there until the next read.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) number: u64,
    pub(crate) payload: Range<usize>,
}

/// What counts as an event, by position in the buffer.
enum Taken {
    Sequenced(Data),
    Debug(Range<usize>),
    EndOfSession,
}

impl Receiver {
    pub(super) fn new(stream: TcpStream, link: Arc<Link>, options: &ConnectOptions) -> Self {
        Self {
            stream,
            link,
            buffer: vec![0; BUFFER_LEN_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            payload_len_bytes_max: options
                .payload_len_bytes_max
                .min(ConnectOptions::PAYLOAD_LEN_BYTES_MAX),
            next_number: 0,
            ended: false,
            last_heard: Instant::now(),
            silence_timeout: options.timing.silence_timeout,
        }
    }

    /// Returns the number that the next sequenced message will have.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Returns the socket, to be registered with a poller; reading it elsewhere loses messages.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns the next event, waiting at most `timeout` for it; `None` when none came.
    ///
    /// Sends heartbeats meanwhile. On a non-blocking socket it spins and yields.
    ///
    /// # Errors
    ///
    /// The session is over, the server is silent, closed, or left the protocol, or the system
    /// failed a call.
    pub fn next_message(&mut self, timeout: Duration) -> Result<Option<Event<'_>>, Error> {
        let taken = self.within(timeout, Self::take)?;
        Ok(taken.map(|taken| self.event(taken)))
    }

    /// Returns the next event that is already there, after at most one read; never waits.
    ///
    /// # Errors
    ///
    /// As [`Self::next_message`].
    pub fn poll(&mut self) -> Result<Option<Event<'_>>, Error> {
        let taken = self.at_once(Self::take)?;
        Ok(taken.map(|taken| self.event(taken)))
    }

    /// Returns the next event of the receive buffer without any system call.
    ///
    /// # Errors
    ///
    /// The session is over, or the server left the protocol.
    pub fn buffered(&mut self) -> Result<Option<Event<'_>>, Error> {
        let taken = self.take()?;
        Ok(taken.map(|taken| self.event(taken)))
    }

    /// Reads once without waiting and returns the bytes read; 0 when nothing is there.
    ///
    /// One read brings as many messages as fit 64 KiB; take them with [`Self::buffered`]. While the
    /// buffer is full of messages not yet taken nothing is read. On a blocking socket this costs
    /// two more system calls, see [`Self::set_nonblocking`]. Sends a heartbeat when one is due.
    ///
    /// # Errors
    ///
    /// As [`Self::next_message`].
    pub fn fill(&mut self) -> Result<usize, Error> {
        let link = Arc::clone(&self.link);
        self.make_room();
        if self.end == self.buffer.len() {
            link.keep_alive(Instant::now())?;
            return Ok(0);
        }
        let len_bytes = link.without_waiting(Doing::Receive, || self.read_once())??;
        let now = Instant::now();
        link.keep_alive(now)?;
        if len_bytes == 0 {
            self.check_silence(now)?;
        }
        Ok(len_bytes)
    }

    /// Makes the socket wait or not wait, for both halves.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn set_nonblocking(&mut self, nonblocking: bool) -> Result<(), Error> {
        self.link.set_nonblocking(nonblocking)
    }

    /// Starts counting at `next`.
    pub(super) const fn count_from(&mut self, next: u64) {
        self.next_number = next;
    }

    /// Returns the bytes of what was just taken.
    pub(crate) fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Takes the next message, waiting at most `timeout`; the end of the session is an error.
    pub(crate) fn next_data(&mut self, timeout: Duration) -> Result<Option<Data>, Error> {
        self.within(timeout, Self::take_data)
    }

    /// Takes the next message after at most one read.
    pub(crate) fn poll_data(&mut self) -> Result<Option<Data>, Error> {
        self.at_once(Self::take_data)
    }

    /// Takes the next message of the buffer.
    pub(crate) fn take_data(&mut self) -> Result<Option<Data>, Error> {
        loop {
            match self.take()? {
                None => return Ok(None),
                Some(Taken::Sequenced(data)) => return Ok(Some(data)),
                // After the end of the session the next round answers with the error.
                Some(Taken::Debug(_) | Taken::EndOfSession) => {}
            }
        }
    }

    /// Takes the next packet, waiting until `deadline`; does not send heartbeats.
    pub(super) fn first_packet(&mut self, deadline: Instant) -> Result<Option<Packet>, Error> {
        loop {
            if let Some(packet) = self.packet()? {
                return Ok(Some(packet));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.read_within(left)?;
        }
    }

    /// Reads until `take` finds something in the buffer, waiting at most `timeout`.
    fn within<T>(
        &mut self,
        timeout: Duration,
        take: fn(&mut Self) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        // The clock is read only when the buffer has nothing.
        let mut deadline = None;
        loop {
            if let Some(taken) = take(self)? {
                return Ok(Some(taken));
            }
            if timeout.is_zero() {
                if self.fill()? == 0 {
                    return Ok(None);
                }
                continue;
            }
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| later(now, timeout));
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(now, left)?;
        }
    }

    /// Reads at most once for `take` to find something.
    fn at_once<T>(
        &mut self,
        take: fn(&mut Self) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        match take(self)? {
            None if self.fill()? == 0 => Ok(None),
            None => take(self),
            taken => Ok(taken),
        }
    }

    /// Takes the next packet of the buffer.
    fn packet(&mut self) -> Result<Option<Packet>, Error> {
        let unread = &self.buffer[self.start..self.end];
        let frame = soup::next_frame(unread, self.payload_len_bytes_max)
            .map_err(|error| Error::Protocol(ProtocolError::Frame(error)))?;
        let Some(frame) = frame else { return Ok(None) };
        let payload = self.start + soup::HEADER_LEN_BYTES..self.start + frame.len_bytes;
        let packet = Packet { kind: frame.kind, payload };
        self.start += frame.len_bytes;
        Ok(Some(packet))
    }

    /// Takes the next packet of the buffer that is an event, and counts it.
    fn take(&mut self) -> Result<Option<Taken>, Error> {
        loop {
            let next = self.next_number;
            if self.ended {
                return Err(Error::EndOfSession { next });
            }
            let Some(packet) = self.packet()? else { return Ok(None) };
            match packet.kind {
                soup::SEQUENCED_DATA => {
                    // Saturates only when the server starts at the end of all numbers.
                    self.next_number = next.saturating_add(1);
                    return Ok(Some(Taken::Sequenced(Data {
                        number: next,
                        payload: packet.payload,
                    })));
                }
                soup::SERVER_HEARTBEAT => {}
                soup::DEBUG => return Ok(Some(Taken::Debug(packet.payload))),
                soup::END_OF_SESSION => {
                    self.ended = true;
                    return Ok(Some(Taken::EndOfSession));
                }
                found => return Err(ProtocolError::UnexpectedPacket { found, next }.into()),
            }
        }
    }

    fn event(&self, taken: Taken) -> Event<'_> {
        match taken {
            Taken::Sequenced(Data { number, payload }) => {
                Event::Sequenced { number, payload: &self.buffer[payload] }
            }
            Taken::Debug(range) => Event::Debug { text: &self.buffer[range] },
            Taken::EndOfSession => Event::EndOfSession,
        }
    }

    /// Reads once, waiting at most `left` or until a heartbeat is due or the silence too long.
    fn wait(&mut self, now: Instant, left: Duration) -> Result<(), Error> {
        let until_heartbeat = self.link.keep_alive(now)?;
        let heard = now.saturating_duration_since(self.last_heard);
        let until_silence = self.silence_timeout.saturating_sub(heard);
        let wait = left.min(until_heartbeat).min(until_silence);
        if self.read_within(wait)? == 0 {
            self.check_silence(Instant::now())?;
        }
        Ok(())
    }

    /// Reads once; waits at most `wait` on a blocking socket and yields on the other kind.
    fn read_within(&mut self, wait: Duration) -> Result<usize, Error> {
        if !self.link.is_nonblocking() {
            let wait = wait.max(WAIT_MIN);
            let set = self.stream.set_read_timeout(Some(wait));
            set.map_err(|io| Error::Io { doing: Doing::SetUp, io })?;
        }
        let len_bytes = self.read_once()?;
        if len_bytes == 0 && self.link.is_nonblocking() {
            thread::yield_now();
        }
        Ok(len_bytes)
    }

    /// Reads once in whatever mode the socket is; 0 when nothing came.
    fn read_once(&mut self) -> Result<usize, Error> {
        self.make_room();
        debug_assert!(self.end < self.buffer.len(), "a read into no room looks like a close");
        match self.stream.read(&mut self.buffer[self.end..]) {
            Ok(0) => Err(Error::Closed { doing: Doing::Receive }),
            Ok(len_bytes) => {
                self.end += len_bytes;
                self.last_heard = Instant::now();
                Ok(len_bytes)
            }
            Err(io) if is_wait(&io) => Ok(0),
            Err(io) => Err(socket_error(Doing::Receive, io)),
        }
    }

    /// Moves what is unread to the front once it reaches beyond the middle.
    ///
    /// Afterwards there is room unless whole packets wait to be taken: the longest one fits.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() / 2 < self.end && 0 < self.start {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }

    /// Judges the silence; the caller has just found nothing to read.
    fn check_silence(&self, now: Instant) -> Result<(), Error> {
        let after = self.silence_timeout;
        if now.saturating_duration_since(self.last_heard) < after {
            return Ok(());
        }
        Err(Error::Timeout { doing: Doing::HearServer, after })
    }
}

/// Shortest wait that the system takes; zero would mean for ever.
const WAIT_MIN: Duration = Duration::from_micros(1);

/// Returns `now + wait`, a year later at most.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_hours(366 * 24);
    now + wait.min(YEAR)
}
