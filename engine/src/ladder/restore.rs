//! What making a level again takes.

use super::{Found, Ladder, Nodes};

impl Ladder {
    /// Whether a level can be made at `key` with the nodes there are: to the node. Trading asks for
    /// the most that any price takes, which a ladder that is being made again may not have left.
    pub(crate) fn can_make(&self, nodes: &Nodes, key: u32) -> bool {
        let missing = match self.find(nodes, key) {
            Found::Leaf(_) => 0,
            // The leaf is a node as well.
            Found::Nothing => self.depth,
            Found::Missing { step, .. } | Found::Parting { step, .. } => step,
        };
        missing <= nodes.room
    }
}
