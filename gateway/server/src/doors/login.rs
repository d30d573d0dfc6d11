//! Logins: from the first packet to a connection that trades or listens.
//!
//! The password is checked on a thread of its own; what was asked for is judged by the publisher,
//! who has the streams. Only a login that can be granted takes a port over.

use uncross_engine::command::{SessionUp, Source};
use uncross_wire::{
    soup::{LoginError, LoginRejectReason, LoginRequest},
    text::{self, ParseNumberError},
};

use super::Doors;
use crate::{
    auth::{Answer, Request},
    connection::{Connection, Door, Login, State, Wish},
    limits::{LOGINS_CHECKED_MAX, LOGINS_PER_ADDRESS_MAX},
    notice::{Closed, Notice},
    ring,
    talk::{Ask, Join, Of},
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
    pub(super) fn ask(&mut self) {
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
    pub(super) fn finish_logins(&mut self, now_ms: u64) {
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
                    let login = Login { identity, wish };
                    let join = connection.join(id, &login);
                    connection.state = State::Judged(login);
                    self.publisher.ask(Ask::Judge(join));
                }
            }
        }
        if !self.waiting.is_empty() {
            self.admit_waiting(now_ms);
        }
    }

    /// The publisher has what a login asks for, in `session`.
    pub(super) fn granted(&mut self, id: usize, session: [u8; 10]) {
        let Some(connection) = self.get(id).filter(|it| it.closing.is_none()) else { return };
        if let State::Judged(login) = &connection.state {
            connection.state = State::Waiting(login.clone(), session);
            self.waiting.push(id);
        }
    }

    /// Admits every waiting connection that can be.
    pub(super) fn admit_waiting(&mut self, now_ms: u64) {
        let mut position = 0;
        while position < self.waiting.len() {
            let id = self.waiting[position];
            let waiting = self.get(id).filter(|connection| connection.closing.is_none());
            let waiting = waiting.map(|connection| (connection.door, connection.state.clone()));
            let Some((door, State::Waiting(login, session))) = waiting else {
                self.waiting.swap_remove(position);
                continue;
            };
            if self.admit(id, door, &login, session, now_ms) {
                self.waiting.swap_remove(position);
            } else {
                position += 1;
            }
        }
    }

    /// Lets a connection trade or listen; `false` when it must wait, for the ring or for the
    /// connection it takes the port from.
    fn admit(
        &mut self,
        id: usize,
        door: Door,
        login: &Login,
        session: [u8; 10],
        now_ms: u64,
    ) -> bool {
        let Login { identity, .. } = login;
        let state = match (door, identity.port) {
            // Who listens holds nothing that another one could want.
            (Door::Data, _) | (Door::Orders, None) => State::Listening,
            (Door::Orders, Some(number)) => {
                let port = usize::from(number);
                if let Some(holder) = self.holders[port] {
                    self.close(holder, Closed::TakenOver);
                    return false;
                }
                let generation = self.generations[port].wrapping_add(1);
                let source = Source { port: number, generation, channel: 0 };
                let (firm, grace_ms) = (identity.firm, identity.grace_ms);
                let up = SessionUp { source, firm, session, grace_ms };
                self.draft.set_session_up(&up, identity.user);
                if !ring::push(&mut self.producer, &self.draft) {
                    self.is_starving = true;
                    return false;
                }
                self.generations[port] = generation;
                self.holders[port] = Some(id);
                State::Trading(source)
            }
        };
        let account = self.accounts.number(identity.firm);
        let Some(connection) = self.get(id) else { return true };
        connection.state = state;
        connection.account = account;
        connection.heard_ms = now_ms;
        let (peer, join) = (connection.peer, connection.join(id, login));
        self.publisher.ask(Ask::Begin { join, session });
        self.logged_in += 1;
        let user = String::from_utf8_lossy(text::trim(&identity.user)).into_owned();
        self.notices.put(Notice::LoggedIn { user, peer, door: door.name() });
        self.queue_in(id);
        true
    }

    pub(super) fn reject_login(&mut self, id: usize, reason: LoginRejectReason, why: &str) {
        let Some(connection) = self.get(id).filter(|it| it.closing.is_none()) else { return };
        connection.rejection = Some(reason);
        let peer = connection.peer;
        self.notices.put(Notice::LoginRefused { peer, reason: why.to_owned() });
        self.close(id, Closed::Refused);
    }
}

impl Connection {
    /// What the publisher must know of a login.
    fn join(&self, id: usize, login: &Login) -> Join {
        let of = match (self.door, login.identity.port) {
            (Door::Data, _) => Of::Feed,
            (Door::Orders, Some(port)) => Of::Port(port),
            (Door::Orders, None) => Of::Firm(login.identity.firm),
        };
        let (wish, client_timeout_ms) = (login.wish.clone(), self.client_timeout_ms);
        Join { id, of, wish, client_timeout_ms }
    }
}
