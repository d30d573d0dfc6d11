//! The sending half of a connection, and what both halves share.
//!
//! Packets are queued whole and written in order; whichever half finds that nothing was sent for a
//! heartbeat interval sends a heartbeat. Lock order: outbox, then mode.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use uncross_wire::soup;

use crate::error::{Doing, Error, is_wait, socket_error};
use crate::options::Timing;

/// Bytes queued above which [`Sender::queue`] writes by itself.
const QUEUE_LEN_BYTES: usize = 64 * 1024;

/// The sending half of a connection.
///
/// Messages are queued and leave together with [`Self::flush`], or with a heartbeat, or when 64 KiB
/// are queued. The mode of the socket belongs to both halves, see [`Self::set_nonblocking`].
#[derive(Debug)]
pub struct Sender {
    link: Arc<Link>,
}

impl Sender {
    pub(super) const fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// Queues `payload` as one unsequenced message; flushes first when the queue is full.
    ///
    /// # Errors
    ///
    /// The payload exceeds a packet, or the flush failed.
    pub fn queue(&mut self, payload: &[u8]) -> Result<(), Error> {
        let (max, found) = (soup::PAYLOAD_LEN_BYTES_MAX, payload.len());
        if max < found {
            return Err(Error::PayloadTooLong { max, found });
        }
        let mut outbox = self.link.outbox();
        let packet_len_bytes = soup::HEADER_LEN_BYTES + found;
        if !outbox.queue.is_empty() && QUEUE_LEN_BYTES < outbox.queue.len() + packet_len_bytes {
            outbox.flush()?;
        }
        outbox.push(soup::UNSEQUENCED_DATA, payload);
        Ok(())
    }

    /// Queues `payload` and writes everything queued.
    ///
    /// # Errors
    ///
    /// As [`Self::queue`] and [`Self::flush`].
    pub fn send(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.queue(payload)?;
        self.flush()
    }

    /// Writes everything queued with as few system calls as the socket allows.
    ///
    /// While the socket takes nothing this waits; on a non-blocking socket it spins and yields.
    ///
    /// # Errors
    ///
    /// The send timeout passed, the server closed, or the system failed the write.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.link.outbox().flush()
    }

    /// Writes what the socket takes now and returns the bytes still queued.
    ///
    /// On a blocking socket it may wait up to the send timeout.
    ///
    /// # Errors
    ///
    /// The server closed, or the system failed the write.
    pub fn try_flush(&mut self) -> Result<usize, Error> {
        let mut outbox = self.link.outbox();
        outbox.write_some()?;
        Ok(outbox.unsent_len_bytes())
    }

    /// Returns the bytes queued and not yet taken by the socket.
    #[must_use]
    pub fn queued_len_bytes(&self) -> usize {
        self.link.outbox().unsent_len_bytes()
    }

    /// Sends a heartbeat when nothing was sent for the heartbeat interval.
    ///
    /// # Errors
    ///
    /// The server closed, or the system failed the write.
    pub fn keep_alive(&mut self) -> Result<(), Error> {
        self.link.keep_alive(Instant::now()).map(drop)
    }

    /// Asks the server to close, after everything queued; the receiving half then meets the end.
    ///
    /// # Errors
    ///
    /// As [`Self::flush`].
    pub fn logout(&mut self) -> Result<(), Error> {
        let mut outbox = self.link.outbox();
        outbox.push(soup::LOGOUT_REQUEST, &[]);
        outbox.flush()
    }

    /// Sends `packet`, which has its header.
    pub(super) fn send_packet(&mut self, packet: &[u8]) -> Result<(), Error> {
        let mut outbox = self.link.outbox();
        outbox.queue.extend_from_slice(packet);
        outbox.flush()
    }

    /// Makes the socket wait or not wait, for both halves.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn set_nonblocking(&mut self, nonblocking: bool) -> Result<(), Error> {
        self.link.set_nonblocking(nonblocking)
    }
}

/// What both halves share.
#[derive(Debug)]
pub(super) struct Link {
    outbox: Mutex<Outbox>,
    /// The mode that the owner chose; the socket is in it but for the length of one call.
    nonblocking: AtomicBool,
    /// Held while the mode of the socket differs from `nonblocking`.
    mode: Mutex<()>,
    /// Second handle of the socket, for changes of its mode.
    stream: TcpStream,
}

impl Link {
    /// Takes a socket in blocking mode.
    pub(super) fn new(stream: &TcpStream, timing: &Timing) -> io::Result<Self> {
        let outbox = Outbox {
            stream: stream.try_clone()?,
            queue: Vec::with_capacity(QUEUE_LEN_BYTES),
            sent_len_bytes: 0,
            last_sent: Instant::now(),
            heartbeat_interval: timing.heartbeat_interval,
            send_timeout: timing.send_timeout,
        };
        Ok(Self {
            outbox: Mutex::new(outbox),
            nonblocking: AtomicBool::new(false),
            mode: Mutex::new(()),
            stream: stream.try_clone()?,
        })
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // No operation leaves the outbox half done, so what a panic interrupted is still valid.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a heartbeat when one is due, never waiting; returns the time until the next is.
    ///
    /// When the other half is sending at this moment, none is due.
    pub(super) fn keep_alive(&self, now: Instant) -> Result<Duration, Error> {
        let mut outbox = match self.outbox.try_lock() {
            Ok(outbox) => outbox,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(RETRY_INTERVAL),
        };
        let interval = outbox.heartbeat_interval;
        let left = interval.saturating_sub(now.saturating_duration_since(outbox.last_sent));
        if !left.is_zero() {
            return Ok(left);
        }
        // Queued messages prove life as well.
        if outbox.unsent_len_bytes() == 0 {
            outbox.push(soup::CLIENT_HEARTBEAT, &[]);
        }
        self.without_waiting(Doing::Send, || outbox.write_some())??;
        let sent = outbox.unsent_len_bytes() == 0;
        Ok(if sent { interval } else { RETRY_INTERVAL.min(interval) })
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        // Relaxed: the socket's mode is the kernel's; this is only what the owner asked for.
        self.nonblocking.load(Ordering::Relaxed)
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        let _mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_mode(nonblocking, Doing::SetUp)?;
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `operation` while the socket does not wait.
    pub(super) fn without_waiting<T>(
        &self,
        doing: Doing,
        operation: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        if self.is_nonblocking() {
            return Ok(operation());
        }
        let _mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_mode(true, doing)?;
        let result = operation();
        self.set_mode(self.is_nonblocking(), doing)?;
        Ok(result)
    }

    fn set_mode(&self, nonblocking: bool, doing: Doing) -> Result<(), Error> {
        self.stream.set_nonblocking(nonblocking).map_err(|io| Error::Io { doing, io })
    }
}

/// How soon a heartbeat that could not leave is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Packets on their way out. Invariant: `sent_len_bytes <= queue.len()`, less unless both are 0.
#[derive(Debug)]
struct Outbox {
    stream: TcpStream,
    /// Whole packets; the first `sent_len_bytes` bytes have left.
    queue: Vec<u8>,
    sent_len_bytes: usize,
    last_sent: Instant,
    heartbeat_interval: Duration,
    send_timeout: Duration,
}

impl Outbox {
    const fn unsent_len_bytes(&self) -> usize {
        self.queue.len() - self.sent_len_bytes
    }

    fn push(&mut self, kind: u8, payload: &[u8]) {
        self.queue.extend_from_slice(&soup::header(kind, payload.len()));
        self.queue.extend_from_slice(payload);
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.unsent_len_bytes() == 0 {
            return Ok(());
        }
        let start = Instant::now();
        while !self.write_some()? {
            let after = self.send_timeout;
            if after <= start.elapsed() {
                return Err(Error::Timeout { doing: Doing::Send, after });
            }
            thread::yield_now();
        }
        Ok(())
    }

    /// Writes until the socket takes no more; returns whether everything left.
    fn write_some(&mut self) -> Result<bool, Error> {
        let doing = Doing::Send;
        let unsent_len_bytes = self.unsent_len_bytes();
        let mut waits = false;
        while !waits && self.sent_len_bytes < self.queue.len() {
            match self.stream.write(&self.queue[self.sent_len_bytes..]) {
                Ok(0) => return Err(Error::Closed { doing }),
                Ok(written) => self.sent_len_bytes += written,
                Err(io) if io.kind() == io::ErrorKind::Interrupted => {}
                Err(io) if is_wait(&io) => waits = true,
                Err(io) => return Err(socket_error(doing, io)),
            }
        }
        if self.unsent_len_bytes() < unsent_len_bytes {
            self.last_sent = Instant::now();
        }
        if !waits {
            self.queue.clear();
            self.sent_len_bytes = 0;
        }
        Ok(!waits)
    }
}
