//! What putting an order back on its level takes.

use super::{Book, Side, Store, ladder_of};

impl Book {
    /// Whether there is a level for the order at `slot`, whose price is set, or one can be made.
    pub(crate) fn can_rest(&self, store: &Store, side: Side, slot: u32) -> bool {
        if self.has_level(store, side, slot) {
            return true;
        }
        let ladder = &self.ladders[ladder_of(side, store.arena.is_hidden(slot))];
        let key = ladder.key(self.ticks(store.arena.unit(slot).px));
        0 < store.arena.levels_free() && ladder.can_make(&store.nodes, key)
    }
}
