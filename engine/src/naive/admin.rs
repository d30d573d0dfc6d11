//! Administrative acts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Book, Naive, key_of};
use crate::{
    admin::ActOutcome,
    command::{Act, Administer, Target},
    event::{Administered, Event, Sink, Trading},
    instrument::Instrument,
    limits::KILLED_FIRMS_MAX,
    reject::Reject,
    types::Action,
};

/// Whether an instrument trades, or was removed today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trading,
    Halted,
    Removed,
    Gone,
}

/// Whose orders are refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Kills {
    is_venue: bool,
    firms: BTreeSet<[u8; 4]>,
    ports: BTreeSet<u16>,
}

impl Naive {
    /// Why new orders of a port are refused, if they are.
    pub(super) fn bar(&self, port: u16) -> Option<Reject> {
        let firm = self.ports.get(&port).map_or(*b"    ", |port| port.firm);
        let is_barred = self.disabled.contains(&port)
            || self.kills.is_venue
            || self.kills.firms.contains(&firm)
            || self.kills.ports.contains(&port);
        is_barred.then_some(Reject::Firm)
    }

    /// Why new orders are refused in an instrument, if they are.
    pub(super) fn halt(&mut self, instrument: u32) -> Option<Reject> {
        let book = self.book(instrument)?;
        (book.state == State::Halted).then_some(Reject::Halted)
    }

    pub(super) fn administer(&mut self, order: Administer, sink: &mut impl Sink) {
        let outcome = self.judge(order.act);
        let head = self.head(0, 0, Action::Buy);
        sink.write(Event::administered(Administered::new(head, order.request, self.seq, outcome)));
        if !matches!(outcome, ActOutcome::Done | ActOutcome::Scheduled) {
            return;
        }
        match order.act {
            Act::Kill { target, cancels } => {
                match target {
                    Target::Venue => self.kills.is_venue = true,
                    Target::Firm(firm) => _ = self.kills.firms.insert(firm),
                    Target::Port(port) => _ = self.kills.ports.insert(port),
                }
                for order in self.orders() {
                    let port = order.resting.port;
                    let is_meant = match target {
                        Target::Venue => true,
                        Target::Firm(firm) => self.ports[&port].firm == firm,
                        Target::Port(killed) => killed == port,
                    };
                    if cancels && is_meant {
                        self.take(key_of(&order), order.resting.open, b'S', sink);
                    }
                }
            }
            Act::Revive(Target::Venue) => self.kills.is_venue = false,
            Act::Revive(Target::Firm(firm)) => _ = self.kills.firms.remove(&firm),
            Act::Revive(Target::Port(port)) => _ = self.kills.ports.remove(&port),
            Act::List(instrument) => self.define(instrument, sink),
            Act::Remove(id) => {
                self.set_state(id, State::Halted, sink);
                for order in self.orders() {
                    if order.instrument == id {
                        self.take(key_of(&order), order.resting.open, b'S', sink);
                    }
                }
                if let Some(book) = self.book(id) {
                    book.state = State::Removed;
                }
            }
            Act::Halt(id) => self.set_state(id, State::Halted, sink),
            Act::Resume(id) => self.set_state(id, State::Trading, sink),
        }
    }

    fn judge(&mut self, act: Act) -> ActOutcome {
        match act {
            Act::Kill { target: Target::Port(port), .. } | Act::Revive(Target::Port(port))
                if port == 0 || self.capacity.ports < port =>
            {
                ActOutcome::UnknownTarget
            }
            Act::Kill { target: Target::Firm(firm), .. } | Act::Revive(Target::Firm(firm))
                if firm[0] == b' ' =>
            {
                ActOutcome::UnknownTarget
            }
            Act::Kill { target: Target::Firm(firm), .. }
                if !self.kills.firms.contains(&firm)
                    && self.kills.firms.len() == KILLED_FIRMS_MAX =>
            {
                ActOutcome::Full
            }
            Act::Kill { cancels: true, .. } => ActOutcome::Done,
            Act::Kill { target, .. } if self.is_killed(target) => ActOutcome::Unchanged,
            Act::Revive(target) if !self.is_killed(target) => ActOutcome::Unchanged,
            Act::Kill { .. } | Act::Revive(_) => ActOutcome::Done,
            Act::List(instrument) => self.judge_listing(instrument),
            Act::Remove(id) if self.book(id).is_none() && self.symbols.contains_key(&id) => {
                ActOutcome::Unchanged
            }
            Act::Remove(id) | Act::Halt(id) | Act::Resume(id) => {
                let Some(book) = self.book(id) else { return ActOutcome::UnknownInstrument };
                match (act, book.state) {
                    (Act::Halt(_), State::Halted) | (Act::Resume(_), State::Trading) => {
                        ActOutcome::Unchanged
                    }
                    _ => ActOutcome::Done,
                }
            }
        }
    }

    fn is_killed(&self, target: Target) -> bool {
        match target {
            Target::Venue => self.kills.is_venue,
            Target::Firm(firm) => self.kills.firms.contains(&firm),
            Target::Port(port) => self.kills.ports.contains(&port),
        }
    }

    fn judge_listing(&mut self, wanted: Instrument) -> ActOutcome {
        if wanted.check().is_err() {
            return ActOutcome::InvalidInstrument;
        }
        let known = self.symbols.get(&wanted.id);
        if known.is_some_and(|symbol| *symbol != wanted.symbol) {
            return ActOutcome::IdTaken;
        }
        if known.is_none() && self.symbols.values().any(|symbol| *symbol == wanted.symbol) {
            return ActOutcome::SymbolTaken;
        }
        let taken = self.books.iter().filter(|book| book.state != State::Gone).count();
        let is_full = taken == usize::from(self.capacity.instruments) || self.locates == u16::MAX;
        let is_before_all = self.day.is_none();
        match self.book(wanted.id) {
            None if is_full => ActOutcome::Full,
            None => ActOutcome::Done,
            Some(book) if book.next.unwrap_or(book.instrument) == wanted => ActOutcome::Unchanged,
            Some(book) if book.instrument == wanted => ActOutcome::Done,
            Some(_) if is_before_all => ActOutcome::Done,
            Some(_) => ActOutcome::Scheduled,
        }
    }

    pub(super) fn define(&mut self, instrument: Instrument, sink: &mut impl Sink) {
        if !matches!(self.judge_listing(instrument), ActOutcome::Done | ActOutcome::Scheduled) {
            return;
        }
        let has_day = self.day.is_some();
        if let Some(book) = self.book(instrument.id) {
            book.next = (book.instrument != instrument).then_some(instrument);
            if !has_day {
                self.change();
            }
            return;
        }
        self.symbols.insert(instrument.id, instrument.symbol);
        let book = Book {
            instrument,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            last_px: 0,
            reference_px: instrument.reference_px,
            state: State::Trading,
            locate: 0,
            next: None,
        };
        let place = self.books.iter().position(|book| book.state == State::Gone);
        let place = place.unwrap_or(self.books.len());
        self.books.splice(place..self.books.len().min(place + 1), [book]);
        if has_day {
            self.locates += 1;
            self.books[place].locate = self.locates;
            self.list(place, sink);
        }
    }

    /// Instruments become what they are to be.
    pub(super) fn change(&mut self) {
        for book in &mut self.books {
            let Some(next) = book.next.take() else { continue };
            let old = core::mem::replace(&mut book.instrument, next);
            if (old.price_decimals, old.reference_px) != (next.price_decimals, next.reference_px) {
                book.last_px = 0;
                book.reference_px = next.reference_px;
            }
        }
    }

    fn set_state(&mut self, id: u32, state: State, sink: &mut impl Sink) {
        let Some(at) = self.books.iter().position(|book| book.is(id)) else { return };
        if self.books[at].state != state {
            self.books[at].state = state;
            if self.day.is_some() {
                self.tell_trading(at, sink);
            }
        }
    }

    pub(super) fn tell_trading(&self, at: usize, sink: &mut impl Sink) {
        let book = &self.books[at];
        sink.write(Event::trading(Trading {
            head: self.head(0, 0, Action::Buy),
            instrument: book.instrument.id,
            state: if book.state == State::Trading { b'T' } else { b'H' },
            pad: [0; 43],
        }));
    }
}
