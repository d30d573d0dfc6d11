//! The gateway: listeners, connections, frames into the ring, streams into sockets.

mod login;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
};

use foldhash::fast::RandomState;
use mio::{
    Interest, Poll, Token,
    event::Event,
    net::{TcpListener, TcpStream},
};
use rtrb::Producer;
use uncross_wire::{ouch::inbound::Inbound, soup};

use crate::{
    auth::{Auth, Request},
    connection::{Connection, Door, State, Written},
    limits::{ACCEPTS_PER_ROUND, HOUSEKEEPING_MS},
    notice::{Closed, Notice, Notices},
    record::{self, Draft},
    ring::{self, Slot},
    room::RoomReader,
    streams::{FEED, Streams},
};

/// Token of the listener for orders; that for market data is the next.
const ORDERS: usize = 0;
/// Token of the waker.
pub(crate) const WAKER: usize = 2;
/// Token of the first connection.
pub(crate) const FIRST_CONNECTION: usize = 16;

/// Milliseconds a refused client has to read why.
const LINGER_MS: u64 = 1_000;
/// Frames of one connection in a round when no other waits.
const FRAMES_ALONE_MAX: usize = 64;

/// What the operator may set about connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) login_timeout_ms: u64,
    pub(crate) heartbeat_ms: u64,
    pub(crate) client_timeout_ms: u64,
    pub(crate) connections_max: usize,
    pub(crate) per_address_max: usize,
    pub(crate) payload_max: usize,
    pub(crate) frames_per_turn: usize,
    pub(crate) lag_max: usize,
}

/// All connections and what they share.
#[derive(Debug)]
pub(crate) struct Doors {
    listeners: [TcpListener; 2],
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    count: usize,
    per_address: HashMap<IpAddr, usize, RandomState>,
    /// By port: its connection.
    holders: Vec<Option<usize>>,
    /// By port: generation of its last connection.
    generations: Vec<u16>,
    /// Connections that follow the feed.
    listeners_of_feed: Vec<usize>,
    /// Where among them the next round of market data starts.
    feed_turn: usize,
    /// Connections waiting for another of their port to end.
    waiting: Vec<usize>,
    /// Connections that end as soon as the ring takes their session-down.
    closing: Vec<usize>,
    /// Connections waiting for their turn, each at most once.
    in_queue: VecDeque<usize>,
    /// Connections whose next frame is an order for which the journal has no room.
    held: Vec<usize>,
    /// By door: reports leave before market data.
    out_queues: [VecDeque<usize>; 2],
    /// By door: somebody may be waiting to be accepted.
    is_knocked: [bool; 2],
    /// Before then accepting is known to fail.
    accept_again_ms: u64,
    /// Connections that have logged in.
    logged_in: usize,
    /// Logins that wait to be checked, and how many of each address are being.
    asking: VecDeque<Request>,
    checking: HashMap<IpAddr, usize, RandomState>,
    checking_count: usize,
    symbols: HashMap<[u8; 8], u32, RandomState>,
    producer: Producer<Slot>,
    room: RoomReader,
    draft: Box<Draft>,
    auth: Auth,
    notices: Notices,
    rules: Rules,
}

/// What the gateway is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) listeners: [TcpListener; 2],
    pub(crate) producer: Producer<Slot>,
    pub(crate) room: RoomReader,
    pub(crate) auth: Auth,
    pub(crate) notices: Notices,
    pub(crate) rules: Rules,
    /// By port: generation of its last connection.
    pub(crate) generations: Vec<u16>,
    pub(crate) symbols: HashMap<[u8; 8], u32, RandomState>,
}

impl Doors {
    /// Opens the doors: from now on connections are accepted.
    ///
    /// # Errors
    ///
    /// A listener could not be registered.
    pub(crate) fn open(mut parts: Parts, poll: &Poll) -> io::Result<Self> {
        for (token, listener) in parts.listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(token), Interest::READABLE)?;
        }
        Ok(Self {
            listeners: parts.listeners,
            connections: Vec::new(),
            free: Vec::new(),
            count: 0,
            per_address: HashMap::default(),
            holders: vec![None; parts.generations.len()],
            generations: parts.generations,
            listeners_of_feed: Vec::new(),
            feed_turn: 0,
            waiting: Vec::new(),
            closing: Vec::new(),
            in_queue: VecDeque::new(),
            held: Vec::new(),
            out_queues: [VecDeque::new(), VecDeque::new()],
            is_knocked: [false; 2],
            accept_again_ms: 0,
            logged_in: 0,
            asking: VecDeque::new(),
            checking: HashMap::default(),
            checking_count: 0,
            symbols: parts.symbols,
            producer: parts.producer,
            room: parts.room,
            draft: Box::new(Draft::new()),
            auth: parts.auth,
            notices: parts.notices,
            rules: parts.rules,
        })
    }

    pub(crate) const fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Whether something waits for another round.
    pub(crate) fn has_work(&self, now_ms: u64) -> bool {
        let may_accept = self.accept_again_ms <= now_ms && self.is_knocked.contains(&true);
        may_accept
            || !self.in_queue.is_empty()
            || self.out_queues.iter().any(|queue| !queue.is_empty())
            || !self.closing.is_empty()
    }

    /// Notes that somebody knocks at the listener `token`.
    pub(crate) fn note_knock(&mut self, token: usize) {
        self.is_knocked[token] = true;
    }

    /// Accepts a round of those who knock. Who is left waits for the next round; after an error
    /// that is not of one connection, such as want of descriptors, for the next housekeeping.
    pub(crate) fn accept(&mut self, poll: &Poll, now_ms: u64) {
        for token in [ORDERS, ORDERS + 1] {
            let door = if token == ORDERS { Door::Orders } else { Door::Data };
            for _ in 0..ACCEPTS_PER_ROUND {
                if !self.is_knocked[token] || now_ms < self.accept_again_ms {
                    break;
                }
                match self.listeners[token].accept() {
                    Ok((socket, peer)) => self.let_in(poll, socket, peer, door, now_ms),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => self.is_knocked[token] = false,
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                        _ => self.accept_again_ms = now_ms + HOUSEKEEPING_MS,
                    },
                }
            }
        }
    }

    fn let_in(
        &mut self,
        poll: &Poll,
        mut socket: TcpStream,
        peer: SocketAddr,
        door: Door,
        now_ms: u64,
    ) {
        let known = self.per_address.get(&peer.ip()).copied().unwrap_or(0);
        let strangers = self.count - self.logged_in;
        let is_full = self.rules.connections_max <= self.count
            || self.rules.per_address_max <= known
            || self.rules.connections_max <= 2 * strangers;
        let id = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        let entry = Token(FIRST_CONNECTION + id);
        let is_usable = !is_full
            && socket.set_nodelay(true).is_ok()
            && poll.registry().register(&mut socket, entry, interest).is_ok();
        if !is_usable {
            self.free.push(id);
            self.notices.put(Notice::Overloaded { peer });
            return;
        }
        self.per_address.insert(peer.ip(), known + 1);
        self.count += 1;
        self.connections[id] = Some(Box::new(Connection::new(socket, peer, door, now_ms)));
        self.queue_in(id);
    }

    fn get(&mut self, id: usize) -> Option<&mut Connection> {
        self.connections.get_mut(id)?.as_deref_mut()
    }

    /// Notes that a socket became readable or writable.
    pub(crate) fn note_ready(&mut self, id: usize, event: &Event) {
        let Some(connection) = self.get(id) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            connection.input.is_ready = true;
            self.queue_in(id);
        }
        if event.is_writable() {
            if let Some(connection) = self.get(id) {
                connection.output.is_ready = true;
            }
            self.queue_out(id);
        }
    }

    fn queue_in(&mut self, id: usize) {
        if let Some(connection) = self.get(id)
            && !connection.input.is_queued
        {
            connection.input.is_queued = true;
            self.in_queue.push_back(id);
        }
    }

    fn queue_out(&mut self, id: usize) {
        if let Some(connection) = self.get(id)
            && !connection.output.is_queued
            && connection.output.is_ready
        {
            connection.output.is_queued = true;
            let door = connection.door as usize;
            self.out_queues[door].push_back(id);
        }
    }

    /// Serves every connection that has input once. `true` when there was any.
    pub(crate) fn read(&mut self, streams: &mut Streams, now_ms: u64) -> bool {
        self.finish_closings(streams, now_ms);
        self.release_held();
        let round = self.in_queue.len();
        let frames_max = if 1 < round { self.rules.frames_per_turn } else { FRAMES_ALONE_MAX };
        for _ in 0..round {
            let Some(id) = self.in_queue.pop_front() else { break };
            let Some(connection) = self.get(id) else { continue };
            connection.input.is_queued = false;
            if connection.input.is_ready && !connection.read(now_ms) {
                connection.input.is_ready = false;
                if matches!(connection.state, State::Lingering) {
                    self.remove(id);
                } else {
                    self.close(id, Closed::Lost);
                }
                continue;
            }
            match self.serve(id, frames_max, now_ms) {
                Served::Frame | Served::RingFull => self.queue_in(id),
                Served::Nothing if self.get(id).is_some_and(|it| it.input.is_ready) => {
                    self.queue_in(id);
                }
                Served::Nothing => {}
                Served::NoRoom => self.held.push(id),
            }
        }
        0 < round
    }

    /// Handles up to `frames_max` frames; [`Served::Frame`] when more may be complete.
    fn serve(&mut self, id: usize, frames_max: usize, now_ms: u64) -> Served {
        for _ in 0..frames_max {
            match self.serve_frame(id, now_ms) {
                Served::Frame => {}
                other => return other,
            }
        }
        Served::Frame
    }

    /// Lets the sessions go on that an order without room in the journal held up.
    fn release_held(&mut self) {
        if !self.held.is_empty() && self.room.admits(&self.producer) {
            for id in std::mem::take(&mut self.held) {
                self.queue_in(id);
            }
        }
    }

    fn serve_frame(&mut self, id: usize, now_ms: u64) -> Served {
        let payload_max = self.rules.payload_max;
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_deref_mut) else {
            return Served::Nothing;
        };
        if connection.is_deaf {
            connection.discard();
            return Served::Nothing;
        }
        let frame = match connection.frame(payload_max) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Served::Nothing,
            Err(error) => {
                self.refuse(id, &error.to_string());
                return Served::Nothing;
            }
        };
        let (len, kind) = (frame.len_bytes, frame.kind);
        match (&connection.state, kind) {
            (State::Fresh, soup::LOGIN_REQUEST) => {
                let payload: [u8; 64] = copy_of(frame.payload);
                let payload_len = frame.payload.len();
                connection.consume(len);
                self.log_in(id, &payload[..payload_len.min(64)], now_ms);
            }
            (State::Trading(source), soup::UNSEQUENCED_DATA) => {
                match Inbound::decode(frame.payload) {
                    Ok(message) => {
                        let symbols = &self.symbols;
                        let id_of = |symbol| symbols.get(&symbol).copied().unwrap_or(0);
                        self.draft.set_inbound(*source, &message, id_of);
                        if record::needs_room(self.draft.kind())
                            && !self.room.admits(&self.producer)
                        {
                            return Served::NoRoom;
                        }
                        if !ring::push(&mut self.producer, &self.draft) {
                            return Served::RingFull;
                        }
                        connection.consume(len);
                    }
                    Err(error) => {
                        self.refuse(id, &error.to_string());
                        return Served::Nothing;
                    }
                }
            }
            (_, soup::DEBUG) => connection.consume(len),
            (State::Trading(_) | State::Listening, soup::CLIENT_HEARTBEAT) => {
                connection.consume(len);
            }
            (State::Trading(_) | State::Listening, soup::LOGOUT_REQUEST) => {
                self.close(id, Closed::Logout);
                return Served::Nothing;
            }
            (State::Checking(_) | State::Waiting(_), _) => return Served::Nothing,
            (_, kind) => {
                let expected = match connection.state {
                    State::Fresh => "a login request ('L') first",
                    State::Trading(_) => "'U', 'R', 'O' or '+'",
                    _ => "'R', 'O' or '+'",
                };
                let text =
                    format!("expected {expected}, found packet type '{}'", kind.escape_ascii());
                self.refuse(id, &text);
                return Served::Nothing;
            }
        }
        Served::Frame
    }

    /// Ends a connection whose bytes make no sense, telling why: after a frame that cannot be read
    /// the next ones cannot be trusted.
    fn refuse(&mut self, id: usize, why: &str) {
        self.close(id, Closed::Protocol(why.to_owned()));
    }

    /// Begins to end a connection; it ends when the ring has taken its session-down.
    fn close(&mut self, id: usize, reason: Closed) {
        let Some(connection) = self.get(id) else { return };
        if matches!(connection.state, State::Lingering) {
            return;
        }
        // What a trader sent whole before a loss or a takeover counts; nothing behind any other
        // end does, also when that comes up among what was sent before a loss.
        let is_trading = matches!(connection.state, State::Trading(_));
        let is_heard = is_trading && matches!(reason, Closed::Lost | Closed::TakenOver);
        connection.is_deaf |= !is_heard;
        if connection.closing.is_none() {
            connection.closing = Some(reason);
            self.closing.push(id);
        }
    }

    /// Ends the connections that are closing, as far as the ring has room.
    fn finish_closings(&mut self, streams: &mut Streams, now_ms: u64) {
        let mut position = 0;
        while position < self.closing.len() {
            let id = self.closing[position];
            if self.serve(id, FRAMES_ALONE_MAX, now_ms) != Served::Nothing
                || !self.finish_closing(id, streams, now_ms)
            {
                position += 1;
            } else {
                self.closing.swap_remove(position);
            }
        }
        if !self.waiting.is_empty() {
            self.admit_waiting(streams, now_ms);
        }
    }

    /// Ends one connection; `false` when the ring is full.
    fn finish_closing(&mut self, id: usize, streams: &mut Streams, now_ms: u64) -> bool {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_deref_mut) else {
            return true;
        };
        let Some(reason) = connection.closing.clone() else { return true };
        if let State::Trading(source) = connection.state {
            self.draft.set_session_down(source, down_byte(&reason));
            if !ring::push(&mut self.producer, &self.draft) {
                return false;
            }
            self.holders[usize::from(source.port)] = None;
        }
        if connection.is_level_with(streams) {
            match &reason {
                Closed::SessionEnded => connection.say(soup::END_OF_SESSION, &[]),
                Closed::Protocol(why) => connection.say(soup::DEBUG, why.as_bytes()),
                _ => {}
            }
        }
        let is_broken = connection.write(streams, now_ms) == Written::Gone;
        let peer = connection.peer;
        if let Some(stream) = connection.stream_id() {
            connection.unfollow();
            streams.unfollow(stream);
            self.logged_in -= 1;
        }
        connection.state = State::Lingering;
        connection.closing = None;
        connection.is_deaf = true;
        connection.opened_ms = now_ms;
        let is_shut = connection.socket.shutdown(std::net::Shutdown::Write).is_err();
        self.listeners_of_feed.retain(|&other| other != id);
        let is_gone = is_broken || is_shut || reason == Closed::Lost;
        self.notices.put(Notice::Closed { peer, reason });
        if is_gone {
            self.remove(id);
        }
        true
    }

    fn remove(&mut self, id: usize) {
        let Some(connection) = self.connections[id].take() else { return };
        // Dropping the socket closes it and takes it out of the poll.
        let address = connection.peer.ip();
        if let Some(known) = self.per_address.get_mut(&address) {
            *known -= 1;
            if *known == 0 {
                self.per_address.remove(&address);
            }
        }
        self.count -= 1;
        self.free.push(id);
    }

    /// Sends what the streams brought, each connection a turn's worth.
    pub(crate) fn send(&mut self, streams: &mut Streams, now_ms: u64) {
        let mut has_feed_grown = false;
        while let Some(entry) = streams.take_grown() {
            if entry == FEED {
                has_feed_grown = true;
            } else if let Some(id) = self.holders[usize::from(entry)] {
                self.queue_out(id);
            }
        }
        if has_feed_grown {
            // Another subscriber is first each time.
            let count = self.listeners_of_feed.len();
            self.feed_turn = (self.feed_turn + 1) % count.max(1);
            for position in 0..count {
                self.queue_out(self.listeners_of_feed[(position + self.feed_turn) % count]);
            }
        }
        for door in [Door::Orders, Door::Data] {
            for _ in 0..self.out_queues[door as usize].len() {
                let Some(id) = self.out_queues[door as usize].pop_front() else { break };
                self.send_to(id, streams, now_ms);
            }
        }
    }

    fn send_to(&mut self, id: usize, streams: &Streams, now_ms: u64) {
        let Some(connection) = self.get(id) else { return };
        connection.output.is_queued = false;
        match connection.write(streams, now_ms) {
            Written::All if connection.is_at_end(streams) => {
                self.close(id, Closed::SessionEnded);
            }
            Written::All | Written::Blocked => {}
            Written::Some => self.queue_out(id),
            Written::Gone => self.close(id, Closed::Lost),
        }
    }

    /// Heartbeats and deadlines.
    pub(crate) fn keep_house(&mut self, streams: &Streams, now_ms: u64) {
        let rules = self.rules;
        for id in 0..self.connections.len() {
            let Some(connection) = self.get(id) else { continue };
            match connection.state {
                State::Fresh | State::Checking(_) | State::Waiting(_) => {
                    if connection.opened_ms + rules.login_timeout_ms < now_ms {
                        self.close(id, Closed::NoLogin);
                    }
                }
                State::Lingering => {
                    if connection.opened_ms + LINGER_MS < now_ms {
                        self.remove(id);
                    }
                }
                State::Trading(_) | State::Listening => {
                    // What we have not read is not the peer's silence.
                    let silent_ms = if connection.has_input() {
                        0
                    } else {
                        now_ms.saturating_sub(connection.heard_ms)
                    };
                    let stuck = connection.stuck_ms.map_or(0, |since| now_ms - since);
                    let is_slow = rules.lag_max < connection.lag(streams)
                        || connection.client_timeout_ms < stuck;
                    if connection.client_timeout_ms < silent_ms {
                        self.close(id, Closed::Silent);
                    } else if is_slow {
                        self.close(id, Closed::Slow);
                    } else if connection.said_ms + rules.heartbeat_ms <= now_ms
                        && connection.is_level_with(streams)
                    {
                        connection.say(soup::SERVER_HEARTBEAT, &[]);
                        self.queue_out(id);
                    }
                }
            }
        }
    }
}

/// What came of looking for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Frame,
    Nothing,
    RingFull,
    /// An order, and the journal has no room even to refuse it.
    NoRoom,
}

const fn down_byte(reason: &Closed) -> u8 {
    match reason {
        Closed::Logout => b'O',
        Closed::TakenOver => b'T',
        Closed::Lost
        | Closed::Silent
        | Closed::NoLogin
        | Closed::Slow
        | Closed::Protocol(_)
        | Closed::SessionEnded
        | Closed::Refused => b'L',
    }
}

/// The first bytes of `bytes`, zero-padded, so that a borrow of the inbox can end.
fn copy_of<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    let len = bytes.len().min(N);
    copy[..len].copy_from_slice(&bytes[..len]);
    copy
}
