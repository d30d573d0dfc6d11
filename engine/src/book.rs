//! One instrument's resting orders: ladders of levels, and the best level of each.

mod restore;

use crate::{
    ahead::fetch,
    arena::{Arena, Cell, NONE},
    instrument::Instrument,
    ladder::{Ladder, Nodes},
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
/// empty; `best_ranks` says where it is; every level in a ladder has at least one order.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Book {
    // A cache line: what an order is checked against.
    pub(crate) instrument: Instrument,
    pub(crate) listing: Listing,
    /// Locate code of the day.
    pub(crate) locate: u16,
    /// Price of the last trade of the day; 0 for none.
    pub(crate) last_px: u32,
    /// What a price is measured against until the first trade of the day; 0 for nothing.
    pub(crate) reference_px: u32,
    ladders: [Ladder; LADDERS],
    // Half of a cache line: what trades first.
    /// Of displayed orders by side, then of hidden ones.
    best: [u32; LADDERS],
    /// [`Side::rank`] of the best price; [`NOWHERE`] without one.
    best_ranks: [u32; LADDERS],
    /// What the instrument becomes when the next day begins.
    pub(crate) next: Option<Instrument>,
}

const _: () = assert!(core::mem::offset_of!(Book, best).is_multiple_of(64));
// What an instrument costs, traded or not.
const _: () = assert!(size_of::<Book>() == 704);

const LADDERS: usize = 4;
/// Not hidden.
pub(crate) const DISPLAYED: bool = false;
/// A rank beyond that of every price.
const NOWHERE: u32 = u32::MAX;

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

const fn ladders_of(instrument: &Instrument) -> [Ladder; LADDERS] {
    let ticks_max = Price::RAW_MAX / instrument.tick;
    [
        Ladder::new(ticks_max, true),
        Ladder::new(ticks_max, false),
        Ladder::new(ticks_max, true),
        Ladder::new(ticks_max, false),
    ]
}

/// Position of a ladder among the four.
const fn ladder_of(side: Side, is_hidden: bool) -> usize {
    side as usize + if is_hidden { 2 } else { 0 }
}

impl Book {
    pub(crate) const fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            best: [NONE; LADDERS],
            best_ranks: [NOWHERE; LADDERS],
            listing: Listing::Trading,
            locate: 0,
            next: None,
            last_px: 0,
            reference_px: instrument.reference_px,
            ladders: ladders_of(&instrument),
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
            assert!(self.best == [NONE; LADDERS], "a tick changed under standing orders");
            self.ladders = ladders_of(&instrument);
        }
        self.instrument = instrument;
        self.next = None;
    }

    /// The last price of the day, or else the reference price; 0 when there is neither.
    pub(crate) const fn reference(&self) -> u32 {
        if self.last_px == 0 { self.reference_px } else { self.last_px }
    }

    /// A price in ticks; most instruments have a tick of one unit.
    #[inline]
    const fn ticks(&self, px: u32) -> u32 {
        if self.instrument.tick == 1 { px } else { px / self.instrument.tick }
    }

    /// The best level of `side` that the public sees.
    #[inline]
    pub(crate) fn best_displayed(&self, side: Side) -> Option<u32> {
        let level = self.best[ladder_of(side, false)];
        (level != NONE).then_some(level)
    }

    /// Whether an order of `side` limited at `px` would trade.
    #[inline]
    pub(crate) fn is_crossed(&self, side: Side, px: u32) -> bool {
        let other = side.opposite();
        let ranks = [false, true].map(|is_hidden| self.best_ranks[ladder_of(other, is_hidden)]);
        ranks[0].min(ranks[1]) <= other.rank(px)
    }

    /// The level with which an order of `side` limited at `px` trades first: that of the best
    /// price, at one price the displayed orders.
    #[inline]
    pub(crate) fn first_crossed(&self, side: Side, px: u32) -> Option<u32> {
        let other = side.opposite();
        let (displayed, hidden) = (ladder_of(other, false), ladder_of(other, true));
        let is_hidden = self.best_ranks[hidden] < self.best_ranks[displayed];
        let at = if is_hidden { hidden } else { displayed };
        (self.best_ranks[at] <= other.rank(px)).then(|| self.best[at])
    }

    /// Whether there is a level for the order at `slot`, whose price is set.
    pub(crate) fn has_level(&self, store: &Store, side: Side, slot: u32) -> bool {
        let ticks = self.ticks(store.arena.unit(slot).px);
        let ladder = &self.ladders[ladder_of(side, store.arena.is_hidden(slot))];
        ladder.has(&store.nodes, ladder.key(ticks))
    }

    /// Appends the order at `slot` to the level of its price `px`, which is made if need be.
    ///
    /// The caller has made sure that [`Store::has_room`].
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn rest(&mut self, store: &mut Store, side: Side, slot: u32, px: u32) {
        let level = self.level_for(store, side, store.arena.is_hidden(slot), px);
        store.arena.link_last(level, slot);
    }

    /// The level of a price in the ladder at `at`. When it is made, an order must follow.
    ///
    /// The caller has made sure that [`Store::has_room`].
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn level_for(
        &mut self,
        store: &mut Store,
        side: Side,
        is_hidden: bool,
        px: u32,
    ) -> u32 {
        let at = ladder_of(side, is_hidden);
        let ticks = self.ticks(px);
        let ladder = &mut self.ladders[at];
        let key = ladder.key(ticks);
        let leaf = ladder.leaf(&mut store.nodes, key);
        if let Some(level) = Ladder::get(&store.nodes, leaf, key) {
            return level;
        }
        let level = store.arena.take_level(px, leaf);
        assert!(level.is_some(), "an order was rested without room for its level");
        let level = level.unwrap_or(NONE);
        Ladder::insert(&mut store.nodes, leaf, key, level);
        // Only a level that is new can be the best one.
        let rank = side.rank(px);
        if rank < self.best_ranks[at] {
            self.best_ranks[at] = rank;
            self.best[at] = level;
        }
        level
    }

    /// Fetches what an order of `side` asks for first.
    #[inline]
    pub(crate) fn fetch(&self, side: Side) {
        fetch(&self.instrument);
        fetch(&self.best);
        self.ladders[ladder_of(side, DISPLAYED)].fetch();
    }

    /// The leaf for a displayed order of `side` at `px`, if it was met lately, and the key in it.
    #[inline]
    pub(crate) fn met_leaf(&self, side: Side, px: u32) -> Option<(u32, u32)> {
        let ladder = &self.ladders[ladder_of(side, DISPLAYED)];
        let key = ladder.key(self.ticks(px));
        Some((ladder.met_leaf(key)?, key))
    }

    /// Takes the order at `slot` out of its queue, and its level out of the book if that was all.
    #[inline]
    pub(crate) fn remove(&mut self, store: &mut Store, side: Side, slot: u32) {
        let is_hidden = store.arena.is_hidden(slot);
        self.remove_at(store, side, is_hidden, slot);
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn remove_at(&mut self, store: &mut Store, side: Side, is_hidden: bool, slot: u32) {
        if let Some(level) = store.arena.unlink(slot) {
            self.remove_level(store, side, is_hidden, level);
        }
    }

    /// Takes a level without orders out of its ladder.
    pub(crate) fn remove_level(
        &mut self,
        store: &mut Store,
        side: Side,
        is_hidden: bool,
        level: u32,
    ) {
        let at = ladder_of(side, is_hidden);
        let Cell { px, leaf, .. } = *store.arena.level(level);
        let ticks = self.ticks(px);
        let ladder = &mut self.ladders[at];
        let key = ladder.key(ticks);
        if self.best[at] == level {
            let next = ladder.next(&store.nodes, leaf, key);
            self.best[at] = next.unwrap_or(NONE);
            self.best_ranks[at] =
                next.map_or(NOWHERE, |next| side.rank(store.arena.level(next).px));
        }
        ladder.remove(&mut store.nodes, leaf, key);
        store.arena.free_level(level);
    }

    /// The levels of `side` in the order in which they trade.
    pub(crate) fn levels<'a>(
        &'a self,
        store: &'a Store,
        side: Side,
    ) -> impl Iterator<Item = u32> + 'a {
        let rank = move |level: u32| side.rank(store.arena.level(level).px);
        let mut displayed = self.ladder_levels(store, side, false).peekable();
        let mut hidden = self.ladder_levels(store, side, true).peekable();
        core::iter::from_fn(move || match (displayed.peek(), hidden.peek()) {
            (Some(&shown), Some(&other)) if rank(shown) <= rank(other) => displayed.next(),
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
        let mut at = ladder.first(&store.nodes);
        core::iter::from_fn(move || {
            let level = at?;
            let Cell { px, leaf, .. } = *store.arena.level(level);
            at = ladder.next(&store.nodes, leaf, ladder.key(self.ticks(px)));
            Some(level)
        })
    }
}
