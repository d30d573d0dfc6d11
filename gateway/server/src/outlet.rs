//! The way out to one client: packets of its own, then its stream.

use std::{
    io::{ErrorKind, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use uncross_wire::soup;

use crate::{
    connection::{Door, Flow},
    limits::WRITE_PER_TURN,
    streams::{StreamId, Streams, copies_slot},
};

/// A point of a stream that was its end at some time.
#[derive(Clone, Copy, Debug)]
struct Milestone {
    position: usize,
    at_ms: u64,
}

/// The writing half of a connection.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) socket: Arc<TcpStream>,
    pub(crate) door: Door,
    /// Port whose stream it follows, or that of the feed.
    pub(crate) entry: u16,
    pub(crate) output: Flow,
    /// The gateway was told that it must end.
    pub(crate) is_over: bool,
    /// Packets that belong to no stream.
    outbox: Vec<u8>,
    stream: Option<(StreamId, usize)>,
    /// It has been level with its stream at least once.
    is_level: bool,
    /// While it is behind: an end of the stream that it has not reached.
    behind: Option<Milestone>,
    said_ms: u64,
    /// Since when the peer has taken nothing although something waits.
    stuck_ms: Option<u64>,
    client_timeout_ms: u64,
}

/// In which part of a round a connection is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// First: makers and takers.
    Reports,
    /// Then drop copies.
    Copies,
    /// Last the public.
    Feed,
}

impl Turn {
    pub(crate) const ALL: [Self; 3] = [Self::Reports, Self::Copies, Self::Feed];
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

/// How far a subscriber may be behind before it is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Bytes of its stream that it has not taken.
    pub(crate) lag_max: usize,
    /// Milliseconds that the oldest of them has waited.
    pub(crate) lag_time_max_ms: u64,
}

impl Outlet {
    pub(crate) fn new(socket: Arc<TcpStream>, door: Door, now_ms: u64) -> Self {
        Self {
            socket,
            door,
            entry: 0,
            output: Flow { is_ready: true, is_queued: false },
            is_over: false,
            outbox: Vec::with_capacity(256),
            stream: None,
            is_level: false,
            behind: None,
            said_ms: now_ms,
            stuck_ms: None,
            client_timeout_ms: u64::from(soup::HEARTBEAT_TIMEOUT_DEFAULT_MS),
        }
    }

    /// Whose turn it has in a round.
    pub(crate) fn turn(&self) -> Turn {
        match self.door {
            Door::Data => Turn::Feed,
            Door::Orders if copies_slot(self.entry).is_some() => Turn::Copies,
            Door::Orders => Turn::Reports,
        }
    }

    /// The stream it follows.
    pub(crate) fn stream_id(&self) -> Option<StreamId> {
        self.stream.map(|(id, _)| id)
    }

    /// Begins to serve the stream `id` of `entry` from `position`.
    pub(crate) const fn follow(
        &mut self,
        entry: u16,
        id: StreamId,
        position: usize,
        client_timeout_ms: u64,
    ) {
        self.entry = entry;
        self.stream = Some((id, position));
        self.client_timeout_ms = client_timeout_ms;
    }

    /// Puts a packet before whatever the stream brings next.
    ///
    /// Only for one that is level with its stream or has none: a packet must not fall into the
    /// middle of another.
    pub(crate) fn say(&mut self, kind: u8, payload: &[u8]) {
        self.outbox.extend_from_slice(&soup::header(kind, payload.len()));
        self.outbox.extend_from_slice(payload);
    }

    /// Whether nothing of its stream is half sent.
    pub(crate) fn is_level_with(&self, streams: &Streams) -> bool {
        self.stream.is_none_or(|(id, position)| position == streams.stream(id).len())
    }

    /// Whether its stream is over and all of it was sent.
    pub(crate) fn is_at_end(&self, streams: &Streams) -> bool {
        self.stream.is_some_and(|(id, position)| {
            let stream = streams.stream(id);
            stream.is_ended() && position == stream.len()
        })
    }

    /// Whether it has not kept up: too much waits for it, or for too long. One that is still
    /// catching up with what was there before only must not stop taking.
    pub(crate) fn is_slow(&self, streams: &Streams, patience: Patience, now_ms: u64) -> bool {
        let stuck_ms = self.stuck_ms.map_or(0, |since| now_ms.saturating_sub(since));
        if self.client_timeout_ms < stuck_ms {
            return true;
        }
        let Some((id, position)) = self.stream.filter(|_| self.is_level) else {
            return false;
        };
        // While it may be written to, the delay is ours.
        let behind = self.behind.filter(|_| !self.output.is_ready);
        let waited_ms = behind.map_or(0, |point| now_ms.saturating_sub(point.at_ms));
        patience.lag_max < streams.stream(id).len() - position
            || patience.lag_time_max_ms < waited_ms
    }

    /// Whether nothing was said for so long that a heartbeat is due.
    pub(crate) fn is_silent(&self, streams: &Streams, heartbeat_ms: u64, now_ms: u64) -> bool {
        self.stream.is_some()
            && self.said_ms + heartbeat_ms <= now_ms
            && self.is_level_with(streams)
    }

    /// Ends the way out, so that the peer reads all that was written and then the end; `false`
    /// when it is broken.
    pub(crate) fn shut(&self) -> bool {
        self.socket.shutdown(Shutdown::Write).is_ok()
    }

    /// Sends what waits: first packets of its own, then its stream.
    pub(crate) fn write(&mut self, streams: &Streams, now_ms: u64) -> Written {
        let written = self.write_some(streams, now_ms);
        self.note_lag(streams, now_ms);
        written
    }

    fn write_some(&mut self, streams: &Streams, now_ms: u64) -> Written {
        while !self.outbox.is_empty() {
            match (&*self.socket).write(&self.outbox) {
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
            match (&*self.socket).write(part) {
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

    /// Notes since when something waits. The milestone moves on when it is reached, so the oldest
    /// byte that waits is never younger than it says.
    pub(crate) fn note_lag(&mut self, streams: &Streams, now_ms: u64) {
        let Some((id, position)) = self.stream else { return };
        let end = streams.stream(id).len();
        if position == end {
            self.behind = None;
        } else if self.behind.is_none_or(|point| point.position <= position) {
            self.behind = Some(Milestone { position: end, at_ms: now_ms });
        }
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
