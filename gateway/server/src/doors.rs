//! The gateway: listeners, logins, and frames into the ring. What leaves is the publisher's.

mod accounts;
mod closing;
mod desk;
mod login;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    sync::Arc,
};

use foldhash::fast::RandomState;
use mio::{
    Interest, Registry, Token,
    event::Event,
    net::{TcpListener, TcpStream},
    unix::SourceFd,
};
use rtrb::Producer;
use uncross_wire::{
    Layout,
    ouch::inbound::Inbound,
    soup::{self, LoginError, LoginRequestV4},
};

use self::{accounts::Accounts, desk::Listing};
use crate::{
    auth::{Auth, Request},
    connection::{Connection, Door, Last, State},
    desk::Inbox,
    limits::{
        ACCEPTS_PER_ROUND, ACCOUNT_SESSIONS, DESK_ACTS_MAX, FRAMES_ALONE_MAX, HOUSEKEEPING_MS,
        LINGER_MS, RECORD_SLOTS_MAX,
    },
    notice::{Closed, Notice, Notices},
    reactor::FIRST_CONNECTION,
    record::{self, Draft},
    ring::{self, Slot},
    room::RoomReader,
    talk::{Ask, ToPublisher},
};

/// Token of the listener for orders; that for market data is the next.
const ORDERS: usize = 0;

/// Bytes of the longest login.
const LOGIN_LEN_MAX: usize = LoginRequestV4::LEN_BYTES;

/// What the operator may set about connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) login_timeout_ms: u64,
    pub(crate) client_timeout_ms: u64,
    pub(crate) connections_max: usize,
    pub(crate) per_address_max: usize,
    pub(crate) payload_max: usize,
    pub(crate) frames_per_turn: usize,
}

/// A round in which every connection with input has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Round {
    /// Connections at the head of the queue that have not had it.
    left: usize,
    /// Frames of the first of them that were served before the ring was full.
    served: usize,
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
    /// Connections that may have what they asked for.
    waiting: Vec<usize>,
    /// Connections that end as soon as the ring takes their session-down.
    closing: Vec<usize>,
    /// Connections waiting for their turn, each at most once.
    in_queue: VecDeque<usize>,
    round: Round,
    /// Connections whose next frame is an order for which the journal has no room.
    held: Vec<usize>,
    accounts: Accounts,
    /// By door: somebody may be waiting to be accepted.
    is_knocked: [bool; 2],
    /// Before then accepting is known to fail.
    accept_again_ms: u64,
    /// The ring had no room for something in the last round.
    is_starving: bool,
    /// A frame has entered the ring in this round.
    has_pushed: bool,
    /// Connections that have logged in.
    logged_in: usize,
    /// Logins that wait to be checked, and how many of each address are being.
    asking: VecDeque<Request>,
    checking: HashMap<IpAddr, usize, RandomState>,
    checking_count: usize,
    symbols: HashMap<[u8; 8], u32, RandomState>,
    desk: Inbox,
    /// Symbols of acts that were taken in and have no outcome yet, the oldest first.
    listing: VecDeque<Listing>,
    producer: Producer<Slot>,
    room: RoomReader,
    draft: Box<Draft>,
    publisher: ToPublisher,
    auth: Auth,
    notices: Notices,
    /// What of a connection's socket is watched where the gateway polls.
    interest: Interest,
    rules: Rules,
}

/// What the gateway is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) listeners: [TcpListener; 2],
    pub(crate) producer: Producer<Slot>,
    pub(crate) room: RoomReader,
    pub(crate) publisher: ToPublisher,
    pub(crate) auth: Auth,
    pub(crate) notices: Notices,
    /// What of a connection's socket is watched where the gateway polls.
    pub(crate) interest: Interest,
    pub(crate) rules: Rules,
    /// By port: generation of its last connection.
    pub(crate) generations: Vec<u16>,
    pub(crate) symbols: HashMap<[u8; 8], u32, RandomState>,
    pub(crate) desk: Inbox,
}

impl Doors {
    /// Opens the doors: from now on connections are accepted.
    ///
    /// # Errors
    ///
    /// A listener could not be registered.
    pub(crate) fn open(mut parts: Parts, registry: &Registry) -> io::Result<Self> {
        for (token, listener) in parts.listeners.iter_mut().enumerate() {
            registry.register(listener, Token(token), Interest::READABLE)?;
        }
        Ok(Self {
            listeners: parts.listeners,
            connections: Vec::new(),
            free: Vec::new(),
            count: 0,
            per_address: HashMap::default(),
            holders: vec![None; parts.generations.len()],
            generations: parts.generations,
            waiting: Vec::new(),
            closing: Vec::new(),
            in_queue: VecDeque::new(),
            round: Round { left: 0, served: 0 },
            held: Vec::new(),
            accounts: Accounts::new(ACCOUNT_SESSIONS * parts.rules.frames_per_turn),
            is_knocked: [false; 2],
            accept_again_ms: 0,
            is_starving: false,
            has_pushed: false,
            logged_in: 0,
            asking: VecDeque::new(),
            checking: HashMap::default(),
            checking_count: 0,
            symbols: parts.symbols,
            desk: parts.desk,
            listing: VecDeque::with_capacity(DESK_ACTS_MAX),
            producer: parts.producer,
            room: parts.room,
            draft: Box::new(Draft::new()),
            publisher: parts.publisher,
            auth: parts.auth,
            notices: parts.notices,
            interest: parts.interest,
            rules: parts.rules,
        })
    }

    /// Whether there is something to do now. What the ring has no room for is not.
    pub(crate) fn has_work(&self, now_ms: u64) -> bool {
        let may_accept = self.accept_again_ms <= now_ms && self.is_knocked.contains(&true);
        let is_owing =
            !self.in_queue.is_empty() || !self.closing.is_empty() || !self.waiting.is_empty();
        let may_release = !self.held.is_empty() && self.room.admits(&self.producer);
        let may_push = !self.is_starving || RECORD_SLOTS_MAX <= self.producer.slots();
        let may_administer = self.desk.has_some() && may_push;
        may_accept
            || may_release
            || may_administer
            || self.publisher.has_some()
            || is_owing && may_push
    }

    /// Notes that somebody knocks at the listener `token`.
    pub(crate) const fn note_knock(&mut self, token: usize) {
        self.is_knocked[token] = true;
    }

    /// Notes that a socket became readable.
    pub(crate) fn note_readable(&mut self, id: usize, event: &Event) {
        if (event.is_readable() || event.is_read_closed() || event.is_error())
            && let Some(connection) = self.get(id)
        {
            connection.input.is_ready = true;
            if event.is_read_closed() || event.is_error() {
                connection.last = Last::Sent;
            }
            self.queue_in(id);
        }
    }

    /// One round: hears the publisher, lets in, answers logins, reads. `true` when there was
    /// anything to do.
    pub(crate) fn round(&mut self, registry: &Registry, now_ms: u64) -> bool {
        self.is_starving = false;
        let was_told = self.hear(now_ms);
        // Administrative acts go before whatever the sockets bring, also where they need more room
        // than a frame does.
        let may_read = self.administer();
        self.accept(registry, now_ms);
        self.finish_logins(now_ms);
        let has_read = may_read && self.read(now_ms);
        // After both: an answer makes room for a question, and a frame may be one.
        if !self.asking.is_empty() {
            self.ask();
        }
        // An answer to a login comes from neither a socket nor the publisher, and what a connection
        // that ends had sent enters the ring outside of the turns.
        let has_asked = self.publisher.take_asked();
        let has_pushed = core::mem::take(&mut self.has_pushed);
        was_told || has_read || has_asked || has_pushed
    }

    /// Accepts a round of those who knock. Who is left waits for the next round; after an error
    /// that is not of one connection, such as want of descriptors, for the next housekeeping.
    fn accept(&mut self, registry: &Registry, now_ms: u64) {
        for token in [ORDERS, ORDERS + 1] {
            let door = if token == ORDERS { Door::Orders } else { Door::Data };
            for _ in 0..ACCEPTS_PER_ROUND {
                if !self.is_knocked[token] || now_ms < self.accept_again_ms {
                    break;
                }
                match self.listeners[token].accept() {
                    Ok((socket, peer)) => self.let_in(registry, socket, peer, door, now_ms),
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
        registry: &Registry,
        socket: TcpStream,
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
        let socket = std::net::TcpStream::from(socket);
        let token = Token(FIRST_CONNECTION + id);
        let watch = || registry.register(&mut SourceFd(&socket.as_raw_fd()), token, self.interest);
        if is_full || socket.set_nodelay(true).is_err() || watch().is_err() {
            self.free.push(id);
            self.notices.put(Notice::Overloaded { peer });
            return;
        }
        self.per_address.insert(peer.ip(), known + 1);
        self.count += 1;
        let socket = Arc::new(socket);
        self.publisher.ask(Ask::Open { id, socket: Arc::clone(&socket), door });
        self.connections[id] = Some(Box::new(Connection::new(socket, peer, door, now_ms)));
        self.reserve();
        self.queue_in(id);
    }

    /// Gives every list room for all connections, so that none grows while they are served.
    fn reserve(&mut self) {
        let all = self.connections.len();
        for list in [&mut self.waiting, &mut self.closing, &mut self.held, &mut self.free] {
            list.reserve(all.saturating_sub(list.len()));
        }
        self.in_queue.reserve(all.saturating_sub(self.in_queue.len()));
    }

    fn get(&mut self, id: usize) -> Option<&mut Connection> {
        self.connections.get_mut(id)?.as_deref_mut()
    }

    fn queue_in(&mut self, id: usize) {
        if let Some(connection) = self.get(id)
            && !connection.input.is_queued
        {
            connection.input.is_queued = true;
            self.in_queue.push_back(id);
        }
    }

    /// Serves every connection that has input once, another one first each time. `true` when
    /// anybody was.
    ///
    /// Session-downs go before all frames. A round that the full ring cuts short goes on where it
    /// was: shares hold however small the ring is.
    fn read(&mut self, now_ms: u64) -> bool {
        self.finish_closings(now_ms);
        self.release_held();
        if self.round.left == 0 {
            if 1 < self.in_queue.len() {
                self.in_queue.rotate_left(1);
            }
            self.accounts.begin_round();
            self.round = Round { left: self.in_queue.len(), served: 0 };
        }
        let before = self.round;
        while 0 < self.round.left {
            let Some(id) = self.in_queue.pop_front() else { break };
            if !self.serve_turn(id, now_ms) {
                break;
            }
            self.round = Round { left: self.round.left - 1, served: 0 };
        }
        before != self.round
    }

    /// Gives the connection at hand its turn; `false` when the ring was full before its end.
    fn serve_turn(&mut self, id: usize, now_ms: u64) -> bool {
        let is_alone = self.in_queue.is_empty();
        let Some(connection) = self.get(id) else { return true };
        connection.input.is_queued = false;
        let account = connection.account;
        let frames_max = if is_alone {
            FRAMES_ALONE_MAX
        } else {
            let left = self.rules.frames_per_turn.saturating_sub(self.round.served);
            left.min(self.accounts.left(account))
        };
        if frames_max == 0 {
            self.queue_in(id);
            return true;
        }
        let Some(connection) = self.get(id) else { return true };
        if connection.input.is_ready && !connection.read(now_ms) {
            connection.input.is_ready = false;
            if matches!(connection.state, State::Lingering) {
                self.remove(id);
            } else {
                self.close(id, Closed::Lost);
            }
            return true;
        }
        let (served, end) = self.serve(id, frames_max, now_ms);
        self.accounts.spend(account, served);
        if end == Served::RingFull {
            self.round.served += served;
            if let Some(connection) = self.get(id) {
                connection.input.is_queued = true;
                self.in_queue.push_front(id);
            }
            return false;
        }
        let is_held = end == Served::NoRoom;
        let has_more = end == Served::Frame || self.get(id).is_some_and(|it| it.may_read());
        if has_more && !is_held {
            self.queue_in(id);
        }
        true
    }

    /// Handles up to `frames_max` frames. How many there were, and what came of the last look.
    fn serve(&mut self, id: usize, frames_max: usize, now_ms: u64) -> (usize, Served) {
        for served in 0..frames_max {
            match self.serve_frame(id, now_ms) {
                Served::Frame => {}
                Served::Nothing => return (served, Served::Nothing),
                Served::RingFull => {
                    self.is_starving = true;
                    return (served, Served::RingFull);
                }
                Served::NoRoom => {
                    if !self.held.contains(&id) {
                        self.held.push(id);
                    }
                    return (served, Served::NoRoom);
                }
            }
        }
        (frames_max, Served::Frame)
    }

    /// Lets the sessions go on that an order without room in the journal held up.
    fn release_held(&mut self) {
        if !self.held.is_empty() && self.room.admits(&self.producer) {
            while let Some(id) = self.held.pop() {
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
                let payload: [u8; LOGIN_LEN_MAX] = copy_of(frame.payload);
                let found = frame.payload.len();
                connection.consume(len);
                match payload.get(..found) {
                    Some(payload) => self.log_in(id, payload, now_ms),
                    None => self.refuse(id, &LoginError::WrongLength { found }.to_string()),
                }
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
                        self.has_pushed = true;
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
            (State::Checking(_) | State::Judged(_) | State::Waiting(..), _) => {
                return Served::Nothing;
            }
            (state, kind) => {
                let text = unexpected(state, connection.door, kind);
                self.refuse(id, &text);
                return Served::Nothing;
            }
        }
        Served::Frame
    }

    /// Deadlines.
    pub(crate) fn keep_house(&mut self, now_ms: u64) {
        for id in 0..self.connections.len() {
            let login_timeout_ms = self.rules.login_timeout_ms;
            let Some(connection) = self.get(id) else { continue };
            match connection.state {
                State::Fresh => {
                    if now_ms <= connection.opened_ms + login_timeout_ms {
                        continue;
                    }
                    if connection.is_late {
                        self.close(id, Closed::NoLogin);
                    } else {
                        // What has come while we were kept from reading is not the peer's delay.
                        connection.is_late = true;
                        connection.input.is_ready = true;
                        self.queue_in(id);
                    }
                }
                // Nor is what the check of its login takes.
                State::Checking(_) | State::Judged(_) | State::Waiting(..) => {
                    if connection.heard_ms + connection.client_timeout_ms < now_ms {
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
                    let is_silent = !connection.has_input()
                        && connection.client_timeout_ms
                            < now_ms.saturating_sub(connection.heard_ms);
                    if is_silent {
                        self.close(id, Closed::Silent);
                    }
                }
                State::Ending(_) => {}
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

fn unexpected(state: &State, door: Door, kind: u8) -> String {
    let expected = match (state, door) {
        (State::Fresh, _) => "a login request ('L') first",
        (State::Trading(_), _) => "'U', 'R', 'O' or '+'",
        (State::Listening, Door::Orders) => "'R', 'O' or '+' (a drop-copy user only listens)",
        _ => "'R', 'O' or '+'",
    };
    format!("expected {expected}, found packet type '{}'", kind.escape_ascii())
}

/// The first bytes of `bytes`, zero-padded, so that a borrow of the inbox can end.
fn copy_of<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    let len = bytes.len().min(N);
    copy[..len].copy_from_slice(&bytes[..len]);
    copy
}
