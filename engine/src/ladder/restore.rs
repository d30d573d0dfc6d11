//! What making a level again takes.

use super::{BITS, Ladder, NONE, Nodes};

impl Ladder {
    /// Whether a level can be made at `key` with the nodes there are: to the node. Trading asks for
    /// the most that any price takes, which a ladder that is being made again may not have left.
    pub(crate) fn can_make(&self, nodes: &Nodes, key: u32) -> bool {
        let mut node = self.root;
        // The leaf is a node as well.
        let mut missing = u32::from(node == NONE);
        for step in (1..self.depth).rev() {
            if node != NONE {
                node = nodes.child(node, key >> (step * BITS)).unwrap_or(NONE);
            }
            missing += u32::from(node == NONE);
        }
        missing <= nodes.free_count
    }
}
