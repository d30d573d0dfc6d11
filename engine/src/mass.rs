//! Requests about many orders at once: mass cancel, and the switch of order entry.

use crate::{
    command::{EntrySwitch, MassCancel, Source},
    engine::{Engine, Number, Work},
    event::{Event, Head, Response, Sink},
    reject::{CancelReason, Reject},
    types::Action,
};

/// A firm that says nothing: spaces alone, so that no garbage is taken for it.
fn is_blank(firm: [u8; 4]) -> bool {
    firm == *b"    "
}

impl Engine {
    pub(crate) fn mass_cancel(&mut self, request: &MassCancel, sink: &mut impl Sink) {
        let MassCancel { source, user_ref_num, firm, symbol, scope } = *request;
        let Some(scope) = self.admit(source, user_ref_num, firm, scope, sink) else { return };
        self.respond(source, user_ref_num, (firm, symbol), b'X', sink);
        self.gather(|engine, port| engine.is_meant(source.port, firm, port));
        let mut slots = core::mem::take(&mut self.scratch);
        slots.retain(|&slot| {
            let unit = self.store.arena.unit(slot);
            let id = self.books[usize::from(unit.book)].instrument.id;
            scope.instrument.is_none_or(|instrument| instrument == id)
                && scope.action.is_none_or(|action| action == unit.action())
        });
        self.scratch = slots;
        self.work = Work::CancelAll { next: 0, reason: CancelReason::User, is_due: false };
    }

    pub(crate) fn switch_entry(&mut self, request: &EntrySwitch, sink: &mut impl Sink) {
        let EntrySwitch { source, user_ref_num, firm, is_enabled } = *request;
        let Some(is_enabled) = self.admit(source, user_ref_num, firm, is_enabled, sink) else {
            return;
        };
        for other in 1..=self.capacity.ports {
            if self.is_meant(source.port, firm, other) {
                self.ports[usize::from(other)].is_disabled = !is_enabled;
            }
        }
        if !is_blank(firm) {
            self.disabled_firms.retain(|disabled| *disabled != firm);
            if !is_enabled {
                self.disabled_firms.push(firm);
            }
        }
        let answer = if is_enabled { b'K' } else { b'G' };
        self.respond(source, user_ref_num, (firm, [b' '; 8]), answer, sink);
    }

    /// Notes in `scratch` the live orders of the ports that are meant, in entry order.
    pub(crate) fn gather(&mut self, is_meant: impl Fn(&Self, u16) -> bool) {
        let mut slots = core::mem::take(&mut self.scratch);
        slots.clear();
        for port in (1..=self.capacity.ports).filter(|&port| is_meant(self, port)) {
            slots.extend(self.user_refs.live(port));
            slots.extend(self.carried(port));
        }
        slots.sort_unstable_by_key(|&slot| self.store.arena.entered_seq(slot));
        self.scratch = slots;
    }

    /// The live orders of a port from earlier days. A slot that was used again since holds an order
    /// with a number.
    fn carried(&self, port: u16) -> impl Iterator<Item = u32> + '_ {
        let end = |port: u16| self.carried_ends[usize::from(port)] as usize;
        let slots = self.carried[end(port - 1)..end(port)].iter().copied();
        slots.filter(move |&slot| {
            let unit = self.store.arena.unit(slot);
            0 < unit.open && unit.user_ref_num == 0 && unit.port() == port
        })
    }

    /// Ends the orders noted in `scratch`, from `next` on. `is_due` says that something else may
    /// be due as well.
    pub(crate) fn cancel_all(
        &mut self,
        next: usize,
        reason: CancelReason,
        is_due: bool,
        room: usize,
        sink: &mut impl Sink,
    ) -> Work {
        let end = self.scratch.len().min(next + room);
        for at in next..end {
            self.cancel_resting(self.scratch[at], reason, sink);
        }
        if end < self.scratch.len() {
            Work::CancelAll { next: end, reason, is_due }
        } else if is_due {
            Work::Expire
        } else {
            Work::Idle
        }
    }

    /// Takes a request's number, and gives what it asks for unless that is refused.
    fn admit<T>(
        &mut self,
        source: Source,
        user_ref_num: u32,
        firm: [u8; 4],
        asked: Result<T, Reject>,
        sink: &mut impl Sink,
    ) -> Option<T> {
        if !self.is_current(source) {
            return None;
        }
        let reason = match self.number(source, user_ref_num) {
            Number::Old => return None,
            Number::Wild => Reject::Other,
            Number::Fresh => {
                self.consume(source, user_ref_num);
                match asked {
                    Ok(_) if !is_blank(firm) && firm != self.firm(source.port) => Reject::Firm,
                    Ok(asked) => return Some(asked),
                    Err(reason) => reason,
                }
            }
        };
        self.reject(source, user_ref_num, reason, &[b' '; 14], sink);
        None
    }

    pub(crate) fn firm(&self, port: u16) -> [u8; 4] {
        self.ports[usize::from(port)].firm
    }

    /// Whether a request from `port` naming `firm` is about the port `other`.
    fn is_meant(&self, port: u16, firm: [u8; 4], other: u16) -> bool {
        other == port || (!is_blank(firm) && self.firm(other) == firm)
    }

    fn respond(
        &self,
        source: Source,
        user_ref_num: u32,
        (firm, symbol): ([u8; 4], [u8; 8]),
        answer: u8,
        sink: &mut impl Sink,
    ) {
        let head = Head::new(source.port, user_ref_num, Action::Buy, self.now_ns);
        let (channel, pad) = (source.channel, [0; 34]);
        sink.write(Event::response(Response { head, symbol, firm, answer, channel, pad }));
    }
}
