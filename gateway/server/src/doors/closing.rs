//! The ends of connections: session-down into the ring, last words by the publisher, then patience
//! until the peer has read them.

use uncross_wire::soup::LoginRejectReason;

use super::{Doors, Served};
use crate::{
    connection::{Last, State},
    limits::FRAMES_ALONE_MAX,
    notice::{Closed, Notice},
    ring,
    talk::{Ask, Tell},
};

impl Doors {
    /// Hears what the publisher has to tell. `true` when it had anything.
    pub(super) fn hear(&mut self, now_ms: u64) -> bool {
        let mut was_told = false;
        while let Some(tell) = self.publisher.told() {
            was_told = true;
            match tell {
                Tell::Granted { id, session } => self.granted(id, session),
                Tell::Refused { id, why } => {
                    let reason = LoginRejectReason::SessionUnavailable;
                    self.reject_login(id, reason, &why);
                }
                Tell::Over { id, reason } => self.close(id, reason),
                Tell::Administered(reply) => self.administered(reply),
                Tell::Ended { id, is_broken } => self.ended(id, is_broken, now_ms),
            }
        }
        was_told
    }

    /// Ends a connection whose bytes make no sense, telling why: after a frame that cannot be read
    /// the next ones cannot be trusted.
    pub(super) fn refuse(&mut self, id: usize, why: &str) {
        self.close(id, Closed::Protocol(why.to_owned()));
    }

    /// Begins to end a connection; it ends when the ring has taken its session-down.
    pub(super) fn close(&mut self, id: usize, reason: Closed) {
        let Some(connection) = self.get(id) else { return };
        if matches!(connection.state, State::Ending(_) | State::Lingering) {
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
    pub(super) fn finish_closings(&mut self, now_ms: u64) {
        let mut position = 0;
        while position < self.closing.len() {
            let id = self.closing[position];
            let (_, end) = self.serve(id, FRAMES_ALONE_MAX, now_ms);
            let is_heard = match end {
                Served::Frame | Served::RingFull => false,
                // An order that had no room is dropped: nobody was told of it, and the
                // session-down takes more risk away.
                Served::Nothing | Served::NoRoom => true,
            };
            if is_heard && self.finish_closing(id) {
                self.closing.swap_remove(position);
            } else {
                position += 1;
            }
        }
        if !self.waiting.is_empty() {
            self.admit_waiting(now_ms);
        }
    }

    /// Ends one connection; `false` when the ring is full.
    fn finish_closing(&mut self, id: usize) -> bool {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_deref_mut) else {
            return true;
        };
        let Some(reason) = connection.closing.take() else { return true };
        if let State::Trading(source) = connection.state {
            self.draft.set_session_down(source, down_byte(&reason));
            if !ring::push(&mut self.producer, &self.draft) {
                self.is_starving = true;
                connection.closing = Some(reason);
                return false;
            }
            self.holders[usize::from(source.port)] = None;
        }
        if matches!(connection.state, State::Trading(_) | State::Listening) {
            self.logged_in -= 1;
        }
        connection.is_deaf = true;
        let rejection = connection.rejection.take();
        connection.state = State::Ending(reason.clone());
        self.publisher.ask(Ask::Close { id, reason, rejection });
        true
    }

    /// The publisher has said the last words of a connection.
    fn ended(&mut self, id: usize, is_broken: bool, now_ms: u64) {
        let Some(connection) = self.get(id) else { return };
        let State::Ending(reason) = core::mem::replace(&mut connection.state, State::Lingering)
        else {
            return;
        };
        connection.opened_ms = now_ms;
        let peer = connection.peer;
        let is_gone = is_broken || connection.last == Last::Read || reason == Closed::Lost;
        self.notices.put(Notice::Closed { peer, reason });
        if is_gone {
            self.remove(id);
        } else {
            // What came meanwhile is read, so that the end is seen.
            self.queue_in(id);
        }
    }

    pub(super) fn remove(&mut self, id: usize) {
        let Some(connection) = self.connections[id].take() else { return };
        // Dropping the socket, which the publisher has done before, closes it and takes it out of
        // the poll.
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
