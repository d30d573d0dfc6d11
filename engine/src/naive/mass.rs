//! Requests about many orders at once.

use super::{Naive, Order, key_of};
use crate::{
    command::{EntrySwitch, MassCancel, Source},
    event::{Event, Response, Sink},
    reject::Reject,
    types::Action,
};

impl Naive {
    /// Takes the number of a request about many orders; `false` when it is ignored or refused.
    fn admit(
        &mut self,
        source: Source,
        number: u32,
        firm: [u8; 4],
        fault: Option<Reject>,
        sink: &mut impl Sink,
    ) -> bool {
        if !self.is_current(source) || number <= self.mark(source) {
            return false;
        }
        let is_wild = self.is_wild(source, number);
        let is_foreign = firm != *b"    " && firm != self.ports[&source.port].firm;
        if !is_wild {
            self.consume(source, number);
        }
        let reason = match (is_wild, fault, is_foreign) {
            (true, _, _) => Reject::Other,
            (false, Some(fault), _) => fault,
            (false, None, true) => Reject::Firm,
            (false, None, false) => return true,
        };
        self.reject(source, number, reason, &[b' '; 14], sink);
        false
    }

    fn is_meant(&self, source: Source, firm: [u8; 4], port: u16) -> bool {
        port == source.port || (firm != *b"    " && self.ports[&port].firm == firm)
    }

    fn respond(
        &self,
        source: Source,
        number: u32,
        (firm, symbol): ([u8; 4], [u8; 8]),
        answer: u8,
        sink: &mut impl Sink,
    ) {
        let head = self.head(source.port, number, Action::Buy);
        let (channel, pad) = (source.channel, [0; 34]);
        sink.write(Event::response(Response { head, symbol, firm, answer, channel, pad }));
    }

    pub(super) fn mass_cancel(&mut self, request: &MassCancel, sink: &mut impl Sink) {
        let MassCancel { source, user_ref_num, firm, symbol, scope } = *request;
        if !self.admit(source, user_ref_num, firm, scope.err(), sink) {
            return;
        }
        let Ok(scope) = scope else { return };
        self.respond(source, user_ref_num, (firm, symbol), b'X', sink);
        let mut orders = self.orders();
        orders.retain(|order: &Order| {
            self.is_meant(source, firm, order.resting.port)
                && scope.instrument.is_none_or(|id| id == order.instrument)
                && scope.action.is_none_or(|action| action == order.resting.action)
        });
        for order in orders {
            self.take(key_of(&order), order.resting.open, b'U', sink);
        }
    }

    pub(super) fn switch_entry(&mut self, request: &EntrySwitch, sink: &mut impl Sink) {
        let EntrySwitch { source, user_ref_num, firm, is_enabled } = *request;
        if !self.admit(source, user_ref_num, firm, is_enabled.err(), sink) {
            return;
        }
        let is_enabled = is_enabled.unwrap_or_default();
        let meant: Vec<u16> = self.ports.keys().copied().collect();
        for port in meant {
            if !self.is_meant(source, firm, port) {
                continue;
            }
            if is_enabled {
                self.disabled.remove(&port);
            } else {
                self.disabled.insert(port);
            }
        }
        if firm != *b"    " && is_enabled {
            self.disabled_firms.remove(&firm);
        } else if firm != *b"    " {
            self.disabled_firms.insert(firm);
        }
        let answer = if is_enabled { b'K' } else { b'G' };
        self.respond(source, user_ref_num, (firm, [b' '; 8]), answer, sink);
    }
}
