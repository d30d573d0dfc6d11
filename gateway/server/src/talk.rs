//! What the gateway and the publisher say to each other about connections.
//!
//! They share no state but a connection's socket: one reads it, the other writes it. A connection
//! begins with [`Ask::Open`] and its number is free again after [`Tell::Ended`]; between the two
//! at most [`ASKS_PER_CONNECTION`] and [`TELLS_PER_CONNECTION`] of these pass. The queues have
//! room for that many of every connection, so they are never full and nobody waits for the other.

use std::{net::TcpStream, sync::Arc};

use rtrb::{Consumer, Producer, RingBuffer};
use uncross_wire::soup::LoginRejectReason;

use crate::{
    connection::{Door, Wish},
    desk::Reply,
    limits::{ASKS_PER_CONNECTION, DESK_ACTS_MAX, TELLS_PER_CONNECTION},
    notice::Closed,
};

/// From the gateway to the publisher.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A connection was accepted.
    Open {
        /// Its number.
        id: usize,
        /// To be written to.
        socket: Arc<TcpStream>,
        /// Where it came in.
        door: Door,
    },
    /// Whether a login could be granted: answered with [`Tell::Granted`] or [`Tell::Refused`].
    Judge(Join),
    /// The login is granted: to be accepted and served. [`Tell::Refused`] when its session ended
    /// meanwhile, also where any session was asked for: the core knows the connection in this one
    /// or not at all.
    Begin {
        /// What was granted.
        join: Join,
        /// In which session.
        session: [u8; 10],
    },
    /// The connection ends. Its last words are said, then [`Tell::Ended`] follows.
    Close {
        /// Its number.
        id: usize,
        /// Why it ends.
        reason: Closed,
        /// The answer that its login still waits for.
        rejection: Option<LoginRejectReason>,
    },
}

/// Whose stream a connection follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// That of everybody.
    Feed,
    /// The reports of a port.
    Port(u16),
    /// The drop copies of a firm.
    Firm([u8; 4]),
}

/// What a login asks of the publisher.
#[derive(Debug)]
pub(crate) struct Join {
    /// Number of the connection.
    pub(crate) id: usize,
    /// Whose stream it wants.
    pub(crate) of: Of,
    pub(crate) wish: Wish,
    /// How long the peer may take nothing.
    pub(crate) client_timeout_ms: u64,
}

/// From the publisher to the gateway.
#[derive(Debug)]
pub(crate) enum Tell {
    /// The login may be granted, in this session.
    Granted {
        /// Number of the connection.
        id: usize,
        /// Name of the day's session.
        session: [u8; 10],
    },
    /// There is no such session or number.
    Refused {
        /// Number of the connection.
        id: usize,
        /// What was asked for and what is there.
        why: String,
    },
    /// The connection must end.
    Over {
        /// Its number.
        id: usize,
        /// Why.
        reason: Closed,
    },
    /// The publisher is done with the connection and knows it no more.
    Ended {
        /// Its number.
        id: usize,
        /// It is broken: nobody reads what was said last.
        is_broken: bool,
    },
    /// What came of an administrative act, which is durable. Of these at most
    /// [`DESK_ACTS_MAX`](crate::limits::DESK_ACTS_MAX) pass at a time.
    Administered(Reply),
}

/// The gateway's ends of the two queues.
#[derive(Debug)]
pub(crate) struct ToPublisher {
    asks: Producer<Ask>,
    tells: Consumer<Tell>,
    has_asked: bool,
}

/// The publisher's ends of the two queues.
#[derive(Debug)]
pub(crate) struct ToGateway {
    asks: Consumer<Ask>,
    tells: Producer<Tell>,
}

/// Makes both queues for a number of connections.
pub(crate) fn queues(connections_max: usize) -> (ToPublisher, ToGateway) {
    let (asks, heard) = RingBuffer::new(ASKS_PER_CONNECTION * connections_max);
    let (tells, told) = RingBuffer::new(TELLS_PER_CONNECTION * connections_max + DESK_ACTS_MAX);
    (ToPublisher { asks, tells: told, has_asked: false }, ToGateway { asks: heard, tells })
}

impl ToPublisher {
    pub(crate) fn ask(&mut self, ask: Ask) {
        self.has_asked = true;
        let sent = self.asks.push(ask);
        assert!(sent.is_ok(), "more was asked than {ASKS_PER_CONNECTION} times per connection");
    }

    /// Whether anything was asked since the last time: then the publisher must be woken.
    pub(crate) const fn take_asked(&mut self) -> bool {
        std::mem::replace(&mut self.has_asked, false)
    }

    pub(crate) fn told(&mut self) -> Option<Tell> {
        self.tells.pop().ok()
    }

    pub(crate) fn has_some(&self) -> bool {
        !self.tells.is_empty()
    }
}

impl ToGateway {
    pub(crate) fn tell(&mut self, tell: Tell) {
        let sent = self.tells.push(tell);
        assert!(sent.is_ok(), "more was told than {TELLS_PER_CONNECTION} times per connection");
    }

    pub(crate) fn asked(&mut self) -> Option<Ask> {
        self.asks.pop().ok()
    }

    pub(crate) fn has_some(&self) -> bool {
        !self.asks.is_empty()
    }
}
