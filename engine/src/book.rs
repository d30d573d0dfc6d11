//! One instrument's resting orders: two ladders of levels, and the best level of each side.

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

/// Both sides of one instrument.
///
/// Invariant: `best` names the level nearest to the other side, or nothing when the side is empty;
/// every level in a ladder has at least one order.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) instrument: Instrument,
    ladders: [Ladder; 2],
    best: [u32; 2],
}

/// From the best price of `side` to its worse ones.
const fn away(side: Side) -> Toward {
    match side {
        Side::Bid => Toward::Lower,
        Side::Ask => Toward::Higher,
    }
}

impl Book {
    pub(crate) const fn new(instrument: Instrument) -> Self {
        let key_max = Price::RAW_MAX / instrument.tick;
        Self {
            instrument,
            ladders: [Ladder::new(key_max), Ladder::new(key_max)],
            best: [NONE, NONE],
        }
    }

    /// The best level of `side`.
    #[inline]
    pub(crate) fn best(&self, side: Side) -> Option<u32> {
        let level = self.best[side as usize];
        (level != NONE).then_some(level)
    }

    /// Appends the order at `slot`, whose price is set, to its level, which is made if need be.
    ///
    /// The caller has made sure that [`Store::has_room`].
    pub(crate) fn rest(&mut self, store: &mut Store, side: Side, slot: u32) {
        let px = store.arena.unit(slot).px;
        let key = px / self.instrument.tick;
        let ladder = &mut self.ladders[side as usize];
        let level = ladder.get(&store.nodes, key).unwrap_or_else(|| {
            let level = store.arena.take_level(px);
            assert!(level.is_some(), "an order was rested without room for its level");
            let level = level.unwrap_or(NONE);
            ladder.insert(&mut store.nodes, key, level);
            level
        });
        store.arena.link_last(level, slot);
        let best = self.best[side as usize];
        let is_better = best == NONE || {
            let best_px = store.arena.unit(best).px;
            match side {
                Side::Bid => best_px < px,
                Side::Ask => px < best_px,
            }
        };
        if is_better {
            self.best[side as usize] = level;
        }
    }

    /// Takes the order at `slot` out of its queue, and its level out of the book if that was all.
    pub(crate) fn remove(&mut self, store: &mut Store, side: Side, slot: u32) {
        let Some(level) = store.arena.unlink(slot) else {
            return;
        };
        let key = store.arena.unit(level).px / self.instrument.tick;
        let ladder = &mut self.ladders[side as usize];
        if self.best[side as usize] == level {
            self.best[side as usize] = ladder.next(&store.nodes, key, away(side)).unwrap_or(NONE);
        }
        ladder.remove(&mut store.nodes, key);
        store.arena.free_level(level);
    }

    /// The levels of `side`, best first.
    pub(crate) fn levels<'a>(
        &'a self,
        store: &'a Store,
        side: Side,
    ) -> impl Iterator<Item = u32> + 'a {
        let ladder = &self.ladders[side as usize];
        let mut at = ladder.first(&store.nodes, away(side));
        core::iter::from_fn(move || {
            let level = at?;
            let key = store.arena.unit(level).px / self.instrument.tick;
            at = ladder.next(&store.nodes, key, away(side));
            Some(level)
        })
    }
}
