//! What happens when its time has come: orders expire, and those of a connection that is gone for
//! longer than its grace are cancelled.

use crate::{
    command::{SessionUp, Source},
    engine::{Engine, Standing, Work},
    event::Sink,
    reject::CancelReason,
};

const NS_PER_MS: u64 = 1_000_000;

/// The orders of a port are to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Disconnect {
    pub(crate) due_ns: u64,
    pub(crate) port: u16,
}

impl Engine {
    /// When the next order expires or the next grace ends, nanoseconds since the UNIX epoch.
    #[must_use]
    #[inline]
    pub fn due_ns(&self) -> Option<u64> {
        let timer = self.timers.next().map(|(due_ns, _)| due_ns);
        match (timer, self.disconnects.first()) {
            (Some(due_ns), Some(disconnect)) => Some(due_ns.min(disconnect.due_ns)),
            (None, Some(disconnect)) => Some(disconnect.due_ns),
            (due_ns, None) => due_ns,
        }
    }

    /// Ends the orders whose time has come, earliest first, by entry where equal; of what is due at
    /// the same time the ends of graces come last, by port.
    pub(crate) fn expire(&mut self, room: usize, sink: &mut impl Sink) -> Work {
        for _ in 0..room {
            let disconnect = self.disconnects.first().filter(|it| it.due_ns <= self.now_ns);
            let until_ns = disconnect.map_or(self.now_ns, |disconnect| disconnect.due_ns);
            match (self.timers.next(), disconnect) {
                (Some((due_ns, slot)), _) if due_ns <= until_ns => {
                    self.cancel_resting(slot, CancelReason::Timeout, sink);
                }
                (_, Some(&Disconnect { port, .. })) => {
                    self.disconnects.remove(0);
                    self.gather(|_, other| other == port);
                    return Work::CancelAll { next: 0, reason: CancelReason::System, is_due: true };
                }
                (_, None) => return Work::Idle,
            }
        }
        Work::Expire
    }

    pub(crate) fn session_up(&mut self, up: SessionUp, sink: &mut impl Sink) {
        if self.day.is_none_or(|day| day.session != up.session) {
            return;
        }
        let number = up.source.port;
        // The place of port 0 is nobody's.
        let Some(port) = self.ports.get_mut(usize::from(number)).filter(|_| number != 0) else {
            return;
        };
        let before = port.standing;
        let is_new_firm = port.firm != up.firm;
        // A port of which it was not known that it is of the firm was not met by its disabling.
        if is_new_firm && self.disabled_firms.contains(&up.firm) {
            port.is_disabled = true;
        }
        port.generation = up.source.generation;
        port.standing = Standing::Up;
        port.firm = up.firm;
        port.is_killed = self.kills.cover(number, up.firm);
        port.grace_ms = up.grace_ms;
        self.disconnects.retain(|disconnect| disconnect.port != number);
        if is_new_firm {
            self.tell_firm(number, up.firm, sink);
        }
        if before == Standing::Absent {
            self.system(number, b'S', sink);
        }
    }

    pub(crate) fn session_down(&mut self, source: Source) {
        if self.is_current(source) {
            self.ports[usize::from(source.port)].standing = Standing::Down;
            self.begin_grace(source.port);
        }
    }

    /// The connection of `port` is gone: from now its grace runs, if it has one.
    pub(crate) fn begin_grace(&mut self, port: u16) {
        let Some(grace_ms) = self.ports[usize::from(port)].grace_ms else {
            return;
        };
        let due_ns = self.now_ns + u64::from(grace_ms) * NS_PER_MS;
        let disconnect = Disconnect { due_ns, port };
        debug_assert!(self.disconnects.iter().all(|other| other.port != port), "already running");
        let place = self.disconnects.partition_point(|other| *other < disconnect);
        self.disconnects.insert(place, disconnect);
    }
}
