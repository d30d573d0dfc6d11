//! Logins: from the first packet to a connection that trades or listens.
//!
//! The password is checked elsewhere; what was asked for is judged here, and only a login that can
//! be granted takes a port over.

use uncross_engine::command::{SessionUp, Source};
use uncross_wire::{
    IntoBytes,
    soup::{self, LoginError, LoginRejectReason, LoginRequest},
    text::{self, ParseNumberError},
};

use super::Doors;
use crate::{
    auth::{Answer, Request},
    connection::{Door, Login, State, Wish},
    limits::{LOGINS_CHECKED_MAX, LOGINS_PER_ADDRESS_MAX},
    notice::{Closed, Notice},
    ring,
    streams::{FEED, Streams},
};

impl Doors {
    pub(super) fn log_in(&mut self, id: usize, payload: &[u8], now_ms: u64) {
        let request = match LoginRequest::decode(payload) {
            Ok(request) => request,
            // No session has so high a number.
            Err(LoginError::Sequence(ParseNumberError::Overflow)) => {
                let reason = LoginRejectReason::SessionUnavailable;
                return self.reject_login(id, reason, "the sequence number is too high");
            }
            Err(error) => return self.refuse(id, &error.to_string()),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (user, password) = (text(request.username), text(request.password));
        let (sequence, session) = (request.sequence, request.session.to_vec());
        let timeout_ms = u64::from(request.heartbeat_timeout_ms);
        let least_ms = self.rules.client_timeout_ms;
        let Some(connection) = self.get(id) else { return };
        connection.client_timeout_ms = timeout_ms.max(least_ms);
        connection.heard_ms = now_ms;
        connection.state = State::Checking(Wish { sequence, session });
        let peer = connection.peer;
        self.asking.push_back(Request { connection: id, peer, user, password });
    }

    /// Hands waiting logins to the password check, few of each address at a time. Those whose
    /// connection is gone meanwhile are forgotten.
    fn ask(&mut self) {
        for _ in 0..self.asking.len() {
            if LOGINS_CHECKED_MAX <= self.checking_count {
                return;
            }
            let Some(request) = self.asking.pop_front() else { return };
            let is_wanted = self.get(request.connection).is_some_and(|connection| {
                connection.peer == request.peer && matches!(connection.state, State::Checking(_))
            });
            let under_way = self.checking.entry(request.peer.ip()).or_insert(0);
            if !is_wanted {
                continue;
            }
            if LOGINS_PER_ADDRESS_MAX <= *under_way {
                self.asking.push_back(request);
                continue;
            }
            *under_way += 1;
            self.checking_count += 1;
            self.auth.ask(request);
        }
        self.checking.retain(|_, under_way| 0 < *under_way);
    }

    /// Takes the answers of the password check.
    pub(crate) fn finish_logins(&mut self, streams: &mut Streams, now_ms: u64) {
        while let Some(Answer { connection: id, peer, identity }) = self.auth.answer() {
            self.checking_count -= 1;
            if let Some(under_way) = self.checking.get_mut(&peer.ip()) {
                *under_way -= 1;
            }
            let Some(connection) = self.get(id).filter(|connection| connection.peer == peer) else {
                continue;
            };
            let State::Checking(wish) = connection.state.clone() else {
                continue;
            };
            match identity {
                Err(refusal) => {
                    let reason = LoginRejectReason::NotAuthorised;
                    self.reject_login(id, reason, &refusal.to_string());
                }
                Ok(identity) => {
                    connection.state = State::Waiting(Login { identity, wish });
                    self.waiting.push(id);
                }
            }
        }
        if !self.asking.is_empty() {
            self.ask();
        }
        if !self.waiting.is_empty() {
            self.admit_waiting(streams, now_ms);
        }
    }

    /// Admits every waiting connection that can be.
    pub(super) fn admit_waiting(&mut self, streams: &mut Streams, now_ms: u64) {
        let mut position = 0;
        while position < self.waiting.len() {
            let id = self.waiting[position];
            let waiting =
                self.get(id).map(|connection| (connection.door, connection.state.clone()));
            let Some((door, State::Waiting(login))) = waiting else {
                self.waiting.swap_remove(position);
                continue;
            };
            if self.admit(id, door, &login, streams, now_ms) {
                self.waiting.swap_remove(position);
            } else {
                position += 1;
            }
        }
    }

    /// Accepts or rejects a login by what it asked for; `false` when it must wait, for the ring
    /// or for the connection it takes the port from.
    fn admit(
        &mut self,
        id: usize,
        door: Door,
        login: &Login,
        streams: &mut Streams,
        now_ms: u64,
    ) -> bool {
        let Login { identity, wish: Wish { sequence, session } } = login;
        let entry = match door {
            Door::Orders => identity.port,
            Door::Data => FEED,
        };
        let current = streams.session();
        let stream_id = streams.current(entry);
        let stream = streams.stream(stream_id);
        let number = if *sequence == 0 { stream.next() } else { *sequence };
        let is_current = session.is_empty() || session.as_slice() == text::trim(&current);
        let Some(position) = stream.position(number).filter(|_| is_current) else {
            let why = format!(
                "session {} from {sequence} was asked for, {} up to {} is there",
                session.escape_ascii(),
                current.escape_ascii(),
                stream.next()
            );
            self.reject_login(id, LoginRejectReason::SessionUnavailable, &why);
            return true;
        };
        let port = usize::from(identity.port);
        let state = match door {
            Door::Data => State::Listening,
            Door::Orders => {
                if let Some(holder) = self.holders[port] {
                    self.close(holder, Closed::TakenOver);
                    return false;
                }
                let generation = self.generations[port].wrapping_add(1);
                let source = Source { port: identity.port, generation, channel: 0 };
                let (firm, grace_ms) = (identity.firm, identity.grace_ms);
                let up = SessionUp { source, firm, session: current, grace_ms };
                self.draft.set_session_up(&up, identity.user);
                if !ring::push(&mut self.producer, &self.draft) {
                    return false;
                }
                self.generations[port] = generation;
                self.holders[port] = Some(id);
                State::Trading(source)
            }
        };
        let Some(connection) = self.get(id) else { return true };
        if let Some(accepted) = soup::LoginAccepted::new(text::trim(&current), number) {
            connection.say(soup::LOGIN_ACCEPTED, accepted.as_bytes());
        }
        connection.follow(stream_id, position);
        streams.follow(stream_id);
        self.logged_in += 1;
        let Some(connection) = self.get(id) else { return true };
        connection.state = state;
        (connection.heard_ms, connection.said_ms) = (now_ms, now_ms);
        let peer = connection.peer;
        if door == Door::Data {
            self.listeners_of_feed.push(id);
        }
        let user = String::from_utf8_lossy(text::trim(&identity.user)).into_owned();
        self.notices.put(Notice::LoggedIn { user, peer, door: door.name() });
        self.queue_out(id);
        self.queue_in(id);
        true
    }

    fn reject_login(&mut self, id: usize, reason: LoginRejectReason, why: &str) {
        let Some(connection) = self.get(id) else { return };
        connection.say(soup::LOGIN_REJECTED, &[reason.to_wire()]);
        let peer = connection.peer;
        self.notices.put(Notice::LoginRefused { peer, reason: why.to_owned() });
        self.close(id, Closed::Refused);
    }
}
