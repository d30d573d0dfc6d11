//! One instrument's resting orders: ladders of levels, and the best level of each.

use crate::{
    arena::{Arena, NONE},
    instrument::Instrument,
    ladder::{Ladder, Nodes, Toward},
    types::{Price, Side},
};

/// The memory all books share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) arena: Arena,
    pub(crate) nodes: Nodes,
}

impl Store {
    /// Whether one more level can be made at any price.
    pub(crate) const fn has_room(&self) -> bool {
        0 < self.arena.levels_free() && self.nodes.has_room()
    }
}

/// Both sides of one instrument. Displayed and hidden orders stand in ladders of their own, because
/// the public sees the one and never the other.
///
/// Invariant: `best` names the level nearest to the other side, or nothing when the ladder is
/// empty; every level in a ladder has at least one order.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) instrument: Instrument,
    /// Of displayed orders by side, then of hidden ones.
    ladders: [Ladder; 4],
    best: [u32; 4],
    pub(crate) listing: Listing,
    /// Locate code of the day.
    pub(crate) locate: u16,
    /// What the instrument becomes when the next day begins.
    pub(crate) next: Option<Instrument>,
    /// Price of the last trade of the day; 0 for none.
    pub(crate) last_px: u32,
    /// What a price is measured against until the first trade of the day; 0 for nothing.
    pub(crate) reference_px: u32,
}

/// Whether an instrument trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Listing {
    Trading,
    /// No orders are accepted.
    Halted,
    /// It was removed today; its locate code is taken until the next day.
    Removed,
    /// Its place is free.
    Gone,
}

impl Listing {
    pub(crate) const fn is_listed(self) -> bool {
        matches!(self, Self::Trading | Self::Halted)
    }
}

const fn ladders_of(instrument: &Instrument) -> [Ladder; 4] {
    let key_max = Price::RAW_MAX / instrument.tick;
    [Ladder::new(key_max), Ladder::new(key_max), Ladder::new(key_max), Ladder::new(key_max)]
}

/// Position of a ladder among the four.
const fn ladder_of(side: Side, is_hidden: bool) -> usize {
    side as usize + if is_hidden { 2 } else { 0 }
}

/// From the best price of `side` to its worse ones.
const fn away(side: Side) -> Toward {
    match side {
        Side::Bid => Toward::Lower,
        Side::Ask => Toward::Higher,
    }
}

/// Whether on `side` an order at `px` comes before one at `other`.
const fn is_better(side: Side, px: u32, other: u32) -> bool {
    match side {
        Side::Bid => other < px,
        Side::Ask => px < other,
    }
}

impl Book {
    pub(crate) const fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            ladders: ladders_of(&instrument),
            best: [NONE; 4],
            listing: Listing::Trading,
            locate: 0,
            next: None,
            last_px: 0,
            reference_px: instrument.reference_px,
        }
    }

    /// Whether its next tick puts standing orders on other levels.
    pub(crate) fn is_to_move(&self) -> bool {
        self.next.is_some_and(|next| next.tick != self.instrument.tick)
    }

    /// Becomes `instrument`. The caller has lifted all orders when the tick is another one.
    pub(crate) fn change(&mut self, instrument: Instrument) {
        let old = self.instrument;
        if old.price_decimals != instrument.price_decimals
            || old.reference_px != instrument.reference_px
        {
            self.last_px = 0;
            self.reference_px = instrument.reference_px;
        }
        if old.tick != instrument.tick {
            assert!(self.best == [NONE; 4], "a tick changed under standing orders");
            self.ladders = ladders_of(&instrument);
        }
        self.instrument = instrument;
        self.next = None;
    }

    /// The last price of the day, or else the reference price; 0 when there is neither.
    pub(crate) const fn reference(&self) -> u32 {
        if self.last_px == 0 { self.reference_px } else { self.last_px }
    }

    /// The best level of `side` that the public sees.
    #[inline]
    pub(crate) fn best_displayed(&self, side: Side) -> Option<u32> {
        let level = self.best[ladder_of(side, false)];
        (level != NONE).then_some(level)
    }

    /// The level whose orders trade first: the best price, at one price the displayed orders.
    #[inline]
    pub(crate) fn best_tradable(&self, store: &Store, side: Side) -> Option<u32> {
        let displayed = self.best[ladder_of(side, false)];
        let hidden = self.best[ladder_of(side, true)];
        if hidden == NONE {
            return (displayed != NONE).then_some(displayed);
        }
        if displayed == NONE {
            return Some(hidden);
        }
        let px = |level| store.arena.unit(level).px;
        Some(if is_better(side, px(hidden), px(displayed)) { hidden } else { displayed })
    }

    /// Whether there is a level for the order at `slot`, whose price is set.
    pub(crate) fn has_level(&self, store: &Store, side: Side, slot: u32) -> bool {
        let key = store.arena.unit(slot).px / self.instrument.tick;
        let ladder = &self.ladders[ladder_of(side, store.arena.is_hidden(slot))];
        ladder.get(&store.nodes, key).is_some()
    }

    /// Appends the order at `slot`, whose price is set, to its level, which is made if need be.
    ///
    /// The caller has made sure that [`Store::has_room`].
    pub(crate) fn rest(&mut self, store: &mut Store, side: Side, slot: u32) {
        let px = store.arena.unit(slot).px;
        let key = px / self.instrument.tick;
        let at = ladder_of(side, store.arena.is_hidden(slot));
        let ladder = &mut self.ladders[at];
        let level = ladder.get(&store.nodes, key).unwrap_or_else(|| {
            let level = store.arena.take_level(px);
            assert!(level.is_some(), "an order was rested without room for its level");
            let level = level.unwrap_or(NONE);
            ladder.insert(&mut store.nodes, key, level);
            level
        });
        store.arena.link_last(level, slot);
        let best = self.best[at];
        if best == NONE || is_better(side, px, store.arena.unit(best).px) {
            self.best[at] = level;
        }
    }

    /// Takes the order at `slot` out of its queue, and its level out of the book if that was all.
    pub(crate) fn remove(&mut self, store: &mut Store, side: Side, slot: u32) {
        let Some(level) = store.arena.unlink(slot) else {
            return;
        };
        let key = store.arena.unit(level).px / self.instrument.tick;
        let at = ladder_of(side, store.arena.is_hidden(slot));
        let ladder = &mut self.ladders[at];
        if self.best[at] == level {
            self.best[at] = ladder.next(&store.nodes, key, away(side)).unwrap_or(NONE);
        }
        ladder.remove(&mut store.nodes, key);
        store.arena.free_level(level);
    }

    /// The levels of `side` in the order in which they trade.
    pub(crate) fn levels<'a>(
        &'a self,
        store: &'a Store,
        side: Side,
    ) -> impl Iterator<Item = u32> + 'a {
        let px = |level: u32| store.arena.unit(level).px;
        let mut displayed = self.ladder_levels(store, side, false).peekable();
        let mut hidden = self.ladder_levels(store, side, true).peekable();
        core::iter::from_fn(move || match (displayed.peek(), hidden.peek()) {
            (Some(&shown), Some(&other)) if !is_better(side, px(other), px(shown)) => {
                displayed.next()
            }
            (_, Some(_)) => hidden.next(),
            (_, None) => displayed.next(),
        })
    }

    fn ladder_levels<'a>(
        &'a self,
        store: &'a Store,
        side: Side,
        is_hidden: bool,
    ) -> impl Iterator<Item = u32> + 'a {
        let ladder = &self.ladders[ladder_of(side, is_hidden)];
        let mut at = ladder.first(&store.nodes, away(side));
        core::iter::from_fn(move || {
            let level = at?;
            let key = store.arena.unit(level).px / self.instrument.tick;
            at = ladder.next(&store.nodes, key, away(side));
            Some(level)
        })
    }
}
