//! The reading half of one client connection: its buffer, and how far it has come.

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use uncross_engine::command::Source;
use uncross_wire::soup::{self, Frame, FrameError, LoginRejectReason};

use crate::{auth::Identity, limits::INBOX_LEN, notice::Closed};

/// Which listener a connection came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Order entry.
    Orders,
    /// Market data.
    Data,
}

impl Door {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Data => "data",
        }
    }
}

/// What a login asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// First sequence number wanted; 0 for the next one.
    pub(crate) sequence: u64,
    /// Session wanted; blank for the current one.
    pub(crate) session: Vec<u8>,
}

/// A login whose password was right.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) identity: Identity,
    pub(crate) wish: Wish,
}

/// One direction of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// The socket may be read from, or written to.
    pub(crate) is_ready: bool,
    /// The connection is in the queue for it.
    pub(crate) is_queued: bool,
}

/// The last bytes of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    ToCome,
    /// It has said all, which may still have to be read.
    Sent,
    Read,
}

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It must log in.
    Fresh,
    /// Its password is being checked.
    Checking(Wish),
    /// The publisher is asked whether there is what it wants.
    Judged(Login),
    /// It may have what it wants, in this session, once the ring has room and no other connection
    /// has its port.
    Waiting(Login, [u8; 10]),
    /// It trades.
    Trading(Source),
    /// It listens to the feed, or to the drop copies of its firm.
    Listening,
    /// The publisher says its last words.
    Ending(Closed),
    /// All is said; its last bytes are awaited so that it can read ours.
    Lingering,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Door,
    pub(crate) state: State,
    /// Whose share of a turn its frames take; 0 until it trades.
    pub(crate) account: usize,
    inbox: Box<[u8]>,
    start: usize,
    end: usize,
    pub(crate) input: Flow,
    pub(crate) last: Last,
    /// Why it ends, once it does.
    pub(crate) closing: Option<Closed>,
    /// The answer that its login still waits for when it ends.
    pub(crate) rejection: Option<LoginRejectReason>,
    /// Frames still in the inbox count no more.
    pub(crate) is_deaf: bool,
    /// Its login has not come in time; what the socket holds is read once more.
    pub(crate) is_late: bool,
    pub(crate) opened_ms: u64,
    pub(crate) heard_ms: u64,
    pub(crate) client_timeout_ms: u64,
}

impl Connection {
    pub(crate) fn new(socket: Arc<TcpStream>, peer: SocketAddr, door: Door, now_ms: u64) -> Self {
        Self {
            socket,
            peer,
            door,
            state: State::Fresh,
            account: 0,
            inbox: vec![0; INBOX_LEN].into(),
            start: 0,
            end: 0,
            input: Flow { is_ready: true, is_queued: false },
            last: Last::ToCome,
            closing: None,
            rejection: None,
            is_deaf: false,
            is_late: false,
            opened_ms: now_ms,
            heard_ms: now_ms,
            client_timeout_ms: u64::from(soup::HEARTBEAT_TIMEOUT_DEFAULT_MS),
        }
    }

    /// Reads once, as much as fits. `false` when the peer is gone.
    pub(crate) fn read(&mut self, now_ms: u64) -> bool {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.inbox.len() {
            self.inbox.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = &mut self.inbox[self.end..];
        if room.is_empty() {
            return true;
        }
        let wanted = room.len();
        match (&*self.socket).read(room) {
            Ok(0) => {
                self.last = Last::Read;
                false
            }
            Ok(got) => {
                self.end += got;
                self.heard_ms = now_ms;
                // A short read has emptied the socket and more will be announced, but not the end:
                // one that came with these bytes has been.
                self.input.is_ready = got == wanted || self.last == Last::Sent;
                true
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.input.is_ready = false;
                    true
                }
                ErrorKind::Interrupted => true,
                _ => false,
            },
        }
    }

    /// The next complete frame in the inbox, which stays there until [`Self::consume`].
    ///
    /// # Errors
    ///
    /// The bytes are no frame.
    pub(crate) fn frame(&self, payload_max: usize) -> Result<Option<Frame<'_>>, FrameError> {
        soup::next_frame(&self.inbox[self.start..self.end], payload_max)
    }

    pub(crate) const fn consume(&mut self, len: usize) {
        self.start += len;
    }

    /// Whether another read makes sense now. What a peer sends behind a login that is not answered
    /// waits until it is.
    pub(crate) const fn may_read(&self) -> bool {
        let is_answered =
            !matches!(self.state, State::Checking(_) | State::Judged(_) | State::Waiting(..));
        self.input.is_ready && is_answered
    }

    /// Whether something received, or announced, has not been handled.
    pub(crate) const fn has_input(&self) -> bool {
        self.input.is_ready || self.start < self.end
    }

    /// Forgets what was received.
    pub(crate) const fn discard(&mut self) {
        self.start = self.end;
    }
}
