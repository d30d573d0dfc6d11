//! One client connection: its buffers, where it stands, and its bytes in and out.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
};

use mio::net::TcpStream;
use uncross_engine::command::Source;
use uncross_wire::soup::{self, Frame, FrameError};

use crate::{
    auth::Identity,
    limits::{INBOX_LEN, WRITE_PER_TURN},
    notice::Closed,
    streams::{StreamId, Streams},
};

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

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// It must log in.
    Fresh,
    /// Its password is being checked.
    Checking(Wish),
    /// Another connection of its port must end first.
    Waiting(Login),
    /// It trades.
    Trading(Source),
    /// It listens to the feed.
    Listening,
    /// All is said; its last bytes are awaited so that it can read ours.
    Lingering,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Door,
    pub(crate) state: State,
    inbox: Box<[u8]>,
    start: usize,
    end: usize,
    pub(crate) input: Flow,
    pub(crate) output: Flow,
    /// Packets that belong to no stream.
    outbox: Vec<u8>,
    stream: Option<(StreamId, usize)>,
    /// It has been level with its stream at least once.
    is_level: bool,
    /// Why it ends, once it does.
    pub(crate) closing: Option<Closed>,
    /// Frames still in the inbox count no more.
    pub(crate) is_deaf: bool,
    pub(crate) opened_ms: u64,
    pub(crate) heard_ms: u64,
    pub(crate) said_ms: u64,
    /// Since when the peer has taken nothing although something waits.
    pub(crate) stuck_ms: Option<u64>,
    pub(crate) client_timeout_ms: u64,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Everything there is.
    All,
    /// A turn's worth; there is more.
    Some,
    /// The peer takes no more now.
    Blocked,
    /// The connection is broken.
    Gone,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, door: Door, now_ms: u64) -> Self {
        Self {
            socket,
            peer,
            door,
            state: State::Fresh,
            inbox: vec![0; INBOX_LEN].into(),
            start: 0,
            end: 0,
            input: Flow { is_ready: true, is_queued: false },
            output: Flow { is_ready: true, is_queued: false },
            outbox: Vec::with_capacity(256),
            stream: None,
            is_level: false,
            closing: None,
            is_deaf: false,
            opened_ms: now_ms,
            heard_ms: now_ms,
            said_ms: now_ms,
            stuck_ms: None,
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
        match self.socket.read(room) {
            Ok(0) => false,
            Ok(got) => {
                self.end += got;
                self.heard_ms = now_ms;
                // A short read has emptied the socket; more will be announced.
                self.input.is_ready = got == wanted;
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

    /// Whether something received, or announced, has not been handled.
    pub(crate) const fn has_input(&self) -> bool {
        self.input.is_ready || self.start < self.end
    }

    /// The stream it follows.
    pub(crate) fn stream_id(&self) -> Option<StreamId> {
        self.stream.map(|(id, _)| id)
    }

    /// Forgets what was received.
    pub(crate) const fn discard(&mut self) {
        self.start = self.end;
    }

    /// Puts a packet before whatever the stream brings next.
    ///
    /// Only for a connection that is level with its stream or has none: a packet must not fall
    /// into the middle of another.
    pub(crate) fn say(&mut self, kind: u8, payload: &[u8]) {
        self.outbox.extend_from_slice(&soup::header(kind, payload.len()));
        self.outbox.extend_from_slice(payload);
    }

    /// Whether nothing of its stream is half sent.
    pub(crate) fn is_level_with(&self, streams: &Streams) -> bool {
        self.stream.is_none_or(|(id, position)| position == streams.stream(id).len())
    }

    pub(crate) const fn follow(&mut self, id: StreamId, position: usize) {
        self.stream = Some((id, position));
    }

    /// Follows no stream any more.
    pub(crate) const fn unfollow(&mut self) {
        self.stream = None;
    }

    /// Bytes of its stream that it has not taken; 0 while it is still catching up.
    pub(crate) fn lag(&self, streams: &Streams) -> usize {
        match self.stream {
            Some((id, position)) if self.is_level => streams.stream(id).len() - position,
            Some(_) | None => 0,
        }
    }

    /// Whether its stream is over and all of it was sent.
    pub(crate) fn is_at_end(&self, streams: &Streams) -> bool {
        self.stream.is_some_and(|(id, position)| {
            let stream = streams.stream(id);
            stream.is_ended() && position == stream.len()
        })
    }

    /// Sends what waits: first packets of its own, then its stream.
    pub(crate) fn write(&mut self, streams: &Streams, now_ms: u64) -> Written {
        while !self.outbox.is_empty() {
            match self.socket.write(&self.outbox) {
                Ok(count) => {
                    self.outbox.drain(..count);
                    self.told(now_ms);
                }
                Err(error) => return self.failed(&error, now_ms),
            }
        }
        let Some((id, mut position)) = self.stream else {
            return Written::All;
        };
        let stream = streams.stream(id);
        let mut left = WRITE_PER_TURN;
        while position < stream.len() {
            if left == 0 {
                return Written::Some;
            }
            let part = stream.at(position);
            let part = &part[..part.len().min(left)];
            match self.socket.write(part) {
                Ok(count) => {
                    left -= count;
                    position += count;
                    self.stream = Some((id, position));
                    self.told(now_ms);
                }
                Err(error) => return self.failed(&error, now_ms),
            }
        }
        self.is_level = true;
        Written::All
    }

    const fn told(&mut self, now_ms: u64) {
        self.said_ms = now_ms;
        self.stuck_ms = None;
    }

    fn failed(&mut self, error: &std::io::Error, now_ms: u64) -> Written {
        match error.kind() {
            ErrorKind::Interrupted => Written::Some,
            ErrorKind::WouldBlock => {
                self.output.is_ready = false;
                self.stuck_ms.get_or_insert(now_ms);
                Written::Blocked
            }
            _ => Written::Gone,
        }
    }
}
