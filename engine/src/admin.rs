//! Administrative acts: kills, and what is listed.

use crate::{
    book::{Book, Listing},
    command::{Act, Administer, Target},
    engine::{DefineError, Engine, Work},
    event::{Administered, Event, Head, Sink, Trading},
    instrument::Instrument,
    limits::KILLED_FIRMS_MAX,
    reject::CancelReason,
    types::Action,
};

/// What came of an administrative act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ActOutcome {
    /// It was done.
    Done = 0,
    /// It was so already.
    Unchanged = 1,
    /// It will be done when the next day begins.
    Scheduled = 2,
    /// No such instrument is listed.
    UnknownInstrument = 3,
    /// The instrument is wrong in itself.
    InvalidInstrument = 4,
    /// The id has belonged to another symbol.
    IdTaken = 5,
    /// The symbol has belonged to another id.
    SymbolTaken = 6,
    /// The table of instruments, the day's locate codes or the table of killed firms are used up.
    Full = 7,
    /// The engine has no such port, or the firm is blank.
    UnknownTarget = 8,
}

impl ActOutcome {
    /// One word for it, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Scheduled => "scheduled",
            Self::UnknownInstrument => "unknown_instrument",
            Self::InvalidInstrument => "invalid_instrument",
            Self::IdTaken => "id_taken",
            Self::SymbolTaken => "symbol_taken",
            Self::Full => "full",
            Self::UnknownTarget => "unknown_target",
        }
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Unchanged,
            2 => Self::Scheduled,
            3 => Self::UnknownInstrument,
            4 => Self::InvalidInstrument,
            5 => Self::IdTaken,
            6 => Self::SymbolTaken,
            7 => Self::Full,
            code => {
                assert_eq!(code, Self::UnknownTarget as u8, "an outcome that no engine wrote");
                Self::UnknownTarget
            }
        }
    }

    const fn changed(is_changed: bool) -> Self {
        if is_changed { Self::Done } else { Self::Unchanged }
    }
}

/// Whose orders are refused until they are revived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kills {
    pub(crate) is_venue: bool,
    pub(crate) firms: Vec<[u8; 4]>,
    pub(crate) ports: Vec<u16>,
}

impl Kills {
    pub(crate) fn new(ports_len: usize) -> Self {
        let firms = Vec::with_capacity(KILLED_FIRMS_MAX);
        Self { is_venue: false, firms, ports: Vec::with_capacity(ports_len) }
    }

    /// Whether orders of a port of this firm are refused.
    pub(crate) fn cover(&self, port: u16, firm: [u8; 4]) -> bool {
        self.is_venue || self.firms.contains(&firm) || self.ports.contains(&port)
    }

    fn has(&self, target: Target) -> bool {
        match target {
            Target::Venue => self.is_venue,
            Target::Firm(firm) => self.firms.contains(&firm),
            Target::Port(port) => self.ports.contains(&port),
        }
    }

    fn set(&mut self, target: Target) {
        match target {
            Target::Venue => self.is_venue = true,
            Target::Firm(firm) => self.firms.push(firm),
            Target::Port(port) => self.ports.push(port),
        }
    }

    fn clear(&mut self, target: Target) {
        match target {
            Target::Venue => self.is_venue = false,
            Target::Firm(firm) => self.firms.retain(|killed| *killed != firm),
            Target::Port(port) => self.ports.retain(|killed| *killed != port),
        }
    }
}

impl Engine {
    /// Says first what comes of the act, then does it.
    pub(crate) fn administer(&mut self, order: Administer, sink: &mut impl Sink) {
        let outcome = self.judge(&order.act);
        let head = Head::new(0, 0, Action::Buy, self.now_ns);
        sink.write(Event::administered(Administered::new(head, order.request, self.seq, outcome)));
        let is_refused = !matches!(outcome, ActOutcome::Done | ActOutcome::Scheduled);
        match order.act {
            _ if is_refused => {}
            Act::Kill { target, cancels } => self.kill(target, cancels),
            Act::Revive(target) => {
                self.kills.clear(target);
                self.apply_kills();
            }
            Act::List(instrument) => self.define(instrument, sink),
            Act::Remove(id) => self.remove(id, sink),
            Act::Halt(id) => self.set_listing(id, Listing::Halted, sink),
            Act::Resume(id) => self.set_listing(id, Listing::Trading, sink),
        }
    }

    /// What comes of an act, before anything does.
    fn judge(&self, act: &Act) -> ActOutcome {
        let listing = |id: u32, wanted: Listing| match self.book_of(id) {
            None => ActOutcome::UnknownInstrument,
            Some(at) => ActOutcome::changed(self.books[usize::from(at)].listing != wanted),
        };
        match *act {
            Act::Kill { target, .. } | Act::Revive(target) if !self.is_possible(target) => {
                ActOutcome::UnknownTarget
            }
            Act::Kill { target, cancels } => {
                let is_known = self.kills.has(target);
                let is_full = self.kills.firms.len() == KILLED_FIRMS_MAX;
                match target {
                    Target::Firm(_) if !is_known && is_full => ActOutcome::Full,
                    Target::Firm(_) | Target::Port(_) | Target::Venue => {
                        ActOutcome::changed(cancels || !is_known)
                    }
                }
            }
            Act::Revive(target) => ActOutcome::changed(self.kills.has(target)),
            Act::List(instrument) => match self.check_define(&instrument) {
                Ok(Definition::Unchanged) => ActOutcome::Unchanged,
                Ok(Definition::Lists | Definition::Withdraws) => ActOutcome::Done,
                Ok(Definition::Changes) if self.day.is_none() => ActOutcome::Done,
                Ok(Definition::Changes) => ActOutcome::Scheduled,
                Err(DefineError::Invalid(_)) => ActOutcome::InvalidInstrument,
                Err(DefineError::IdTaken { .. }) => ActOutcome::IdTaken,
                Err(DefineError::SymbolTaken { .. }) => ActOutcome::SymbolTaken,
                Err(DefineError::Full { .. } | DefineError::NoLocate) => ActOutcome::Full,
            },
            Act::Remove(id) => match (self.book_of(id), self.symbols.get(id as usize)) {
                (Some(_), _) => ActOutcome::Done,
                // It was removed before.
                (None, Some(&symbol)) if symbol != NO_SYMBOL => ActOutcome::Unchanged,
                (None, _) => ActOutcome::UnknownInstrument,
            },
            Act::Halt(id) => listing(id, Listing::Halted),
            Act::Resume(id) => listing(id, Listing::Trading),
        }
    }

    const fn is_possible(&self, target: Target) -> bool {
        match target {
            Target::Venue => true,
            Target::Firm(firm) => firm[0] != b' ',
            Target::Port(port) => 0 < port && port <= self.capacity.ports,
        }
    }

    fn kill(&mut self, target: Target, cancels: bool) {
        if !self.kills.has(target) {
            self.kills.set(target);
            self.apply_kills();
        }
        if cancels {
            self.gather(|engine, port| match target {
                Target::Venue => true,
                Target::Firm(firm) => engine.firm(port) == firm,
                Target::Port(killed) => port == killed,
            });
            self.work =
                Work::CancelAll { next: 0, reason: CancelReason::Supervisory, is_due: false };
        }
    }

    fn apply_kills(&mut self) {
        for (number, port) in (0..).zip(&mut self.ports) {
            port.is_killed = self.kills.cover(number, port.firm);
        }
    }

    /// Whether, and how, a definition would be accepted.
    ///
    /// An id keeps its symbol for ever, and a symbol its id.
    ///
    /// # Errors
    ///
    /// Why it would not.
    pub fn check_define(&self, instrument: &Instrument) -> Result<Definition, DefineError> {
        let Instrument { id, symbol, .. } = *instrument;
        instrument.check().map_err(DefineError::Invalid)?;
        let known = self.symbols[id as usize];
        if known != NO_SYMBOL && known != symbol {
            return Err(DefineError::IdTaken { id, symbol: known });
        }
        if known == NO_SYMBOL
            && let Some(id) = self.symbols.iter().position(|taken| *taken == symbol)
        {
            return Err(DefineError::SymbolTaken { symbol, id: u32::try_from(id).unwrap_or(0) });
        }
        if let Some(at) = self.book_of(id) {
            let book = &self.books[usize::from(at)];
            return Ok(match book.next {
                None if book.instrument == *instrument => Definition::Unchanged,
                Some(next) if next == *instrument => Definition::Unchanged,
                Some(_) if book.instrument == *instrument => Definition::Withdraws,
                None | Some(_) => Definition::Changes,
            });
        }
        if self.free_place().is_none() {
            return Err(DefineError::Full { instruments_max: self.capacity.instruments });
        }
        if self.locates == u16::MAX {
            return Err(DefineError::NoLocate);
        }
        Ok(Definition::Lists)
    }

    /// How many more instruments can be listed now, or when the day has rolled.
    #[must_use]
    pub fn listings_left(&self, has_rolled: bool) -> u16 {
        let holds_place = |book: &&Book| match book.listing {
            Listing::Trading | Listing::Halted => true,
            Listing::Removed => !has_rolled,
            Listing::Gone => false,
        };
        let taken =
            u16::try_from(self.books.iter().filter(holds_place).count()).unwrap_or(u16::MAX);
        let locates_left = if has_rolled { u16::MAX } else { u16::MAX - self.locates };
        self.capacity.instruments.saturating_sub(taken).min(locates_left)
    }

    /// Where the next book goes: a place that a removed one has left, or a new one.
    fn free_place(&self) -> Option<usize> {
        let free = self.books.iter().position(|book| book.listing == Listing::Gone);
        let next = self.books.len();
        free.or((next < usize::from(self.capacity.instruments)).then_some(next))
    }

    /// Lists an instrument, or notes how it changes with the next day; before the first day it
    /// changes at once, because nothing stands in it.
    pub(crate) fn define(&mut self, instrument: Instrument, sink: &mut impl Sink) {
        let Ok(definition) = self.check_define(&instrument) else {
            return;
        };
        let known = self.book_of(instrument.id).map(usize::from);
        match (definition, known) {
            (Definition::Lists, _) => self.open_book(instrument, sink),
            (Definition::Changes, Some(at)) if self.day.is_none() => {
                self.books[at].change(instrument);
            }
            (Definition::Changes, Some(at)) => self.books[at].next = Some(instrument),
            (Definition::Withdraws, Some(at)) => self.books[at].next = None,
            (Definition::Unchanged, _) | (Definition::Changes | Definition::Withdraws, None) => {}
        }
    }

    fn open_book(&mut self, instrument: Instrument, sink: &mut impl Sink) {
        let Some(position) = self.free_place() else { return };
        let book = Book::new(instrument);
        if position == self.books.len() {
            self.books.push(book);
        } else {
            self.books[position] = book;
        }
        let id = instrument.id as usize;
        self.positions[id] = u16::try_from(position).unwrap_or(u16::MAX);
        self.symbols[id] = instrument.symbol;
        if self.day.is_some() {
            self.locates += 1;
            self.books[position].locate = self.locates;
            self.list(position, sink);
        }
    }

    /// Halts an instrument for good, and cancels what stands in it.
    fn remove(&mut self, id: u32, sink: &mut impl Sink) {
        let Some(position) = self.book_of(id) else { return };
        self.set_listing(id, Listing::Halted, sink);
        self.books[usize::from(position)].listing = Listing::Removed;
        self.positions[id as usize] = u16::MAX;
        self.gather_all();
        let mut slots = core::mem::take(&mut self.scratch);
        slots.retain(|&slot| self.store.arena.unit(slot).book == position);
        self.scratch = slots;
        self.work = Work::CancelAll { next: 0, reason: CancelReason::Supervisory, is_due: false };
    }

    /// Halts or resumes an instrument, and says so if that is a change.
    fn set_listing(&mut self, id: u32, listing: Listing, sink: &mut impl Sink) {
        let Some(position) = self.book_of(id).map(usize::from) else { return };
        if self.books[position].listing != listing {
            self.books[position].listing = listing;
            if self.day.is_some() {
                self.tell_trading(position, sink);
            }
        }
    }

    /// Tells the feed whether an instrument trades.
    pub(crate) fn tell_trading(&self, position: usize, sink: &mut impl Sink) {
        let book = &self.books[position];
        sink.write(Event::trading(Trading {
            head: Head::new(0, 0, Action::Buy, self.now_ns),
            instrument: book.instrument.id,
            state: if book.listing == Listing::Trading { b'T' } else { b'H' },
            pad: [0; 43],
        }));
    }

    /// The instruments listed, in the order of their places.
    pub fn listings(&self) -> impl Iterator<Item = Listed> + '_ {
        let listed = self.books.iter().filter(|book| book.listing.is_listed());
        listed.map(|book| Listed {
            instrument: book.instrument,
            is_halted: book.listing == Listing::Halted,
            next: book.next,
        })
    }

    /// The symbol that belongs to every id that was ever listed.
    pub fn symbols(&self) -> impl Iterator<Item = (u32, [u8; 8])> + '_ {
        let known = (0..).zip(self.symbols.iter().copied());
        known.filter(|(_, symbol)| *symbol != NO_SYMBOL)
    }

    /// Whose orders are refused: everybody's, those of firms, those of ports.
    #[must_use]
    pub fn kills(&self) -> (bool, &[[u8; 4]], &[u16]) {
        (self.kills.is_venue, &self.kills.firms, &self.kills.ports)
    }
}

/// In the table of symbols: the id was never listed.
pub(crate) const NO_SYMBOL: [u8; 8] = [b' '; 8];

/// What a definition of an instrument does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// It lists the instrument.
    Lists,
    /// It changes a listed one when the next day begins.
    Changes,
    /// It takes a change back that has not come into effect.
    Withdraws,
    /// It says what is so already.
    Unchanged,
}

/// An instrument that is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As it is today.
    pub instrument: Instrument,
    /// No orders are accepted for it.
    pub is_halted: bool,
    /// As it will be from the next day on, if it changes.
    pub next: Option<Instrument>,
}
