//! Finds the level of a price, and the next level above or below, for any price.
//!
//! A ladder is a tree of 64-way nodes over the price in ticks, six bits a step. Each node has a
//! bitmap of its children, so the neighbour of a price is found with a few bit scans, without
//! regard to how far away it is. All ladders of an engine share one pool of nodes.

use crate::arena::NONE;

const BITS: u32 = 6;
const FANOUT: usize = 1 << BITS;
const DIGIT_MASK: u32 = (1 << BITS) - 1;
/// Steps that cover every price of 31 bits.
pub(crate) const DEPTH_MAX: u32 = 6;

const _: () = assert!(DEPTH_MAX * BITS >= 31);

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Bit `n` says that child `n` exists. Of a free node: the next free one.
    mask: u64,
    children: [u32; FANOUT],
}

/// The nodes of all ladders, allocated at start.
#[derive(Debug)]
pub(crate) struct Nodes {
    pool: Vec<Node>,
    free: u32,
    free_count: u32,
}

impl Nodes {
    pub(crate) fn new(nodes_max: u32) -> Self {
        let empty = Node { mask: 0, children: [NONE; FANOUT] };
        let mut all = Self { pool: vec![empty; nodes_max as usize], free: NONE, free_count: 0 };
        for index in (0..nodes_max).rev() {
            all.give(index);
        }
        all
    }

    /// Whether any price can be inserted into any ladder.
    pub(crate) const fn has_room(&self) -> bool {
        DEPTH_MAX <= self.free_count
    }

    fn take(&mut self) -> Option<u32> {
        let index = (self.free != NONE).then_some(self.free)?;
        let node = &mut self.pool[index as usize];
        self.free = node.children[0];
        self.free_count -= 1;
        node.mask = 0;
        Some(index)
    }

    fn give(&mut self, index: u32) {
        self.pool[index as usize].children[0] = self.free;
        self.free = index;
        self.free_count += 1;
    }

    fn child(&self, node: u32, digit: u32) -> Option<u32> {
        let node = &self.pool[node as usize];
        (node.mask >> digit & 1 != 0).then(|| node.children[digit as usize])
    }

    fn set_child(&mut self, node: u32, digit: u32, child: u32) {
        let node = &mut self.pool[node as usize];
        node.mask |= 1 << digit;
        node.children[digit as usize] = child;
    }

    /// Forgets a child. `true` when the node has none left.
    fn clear_child(&mut self, node: u32, digit: u32) -> bool {
        let node = &mut self.pool[node as usize];
        node.mask &= !(1 << digit);
        node.mask == 0
    }
}

/// Where to look from a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    Lower,
    Higher,
}

impl Toward {
    /// The bits of `mask` strictly beyond `digit`.
    const fn beyond(self, mask: u64, digit: u32) -> u64 {
        match self {
            Self::Lower => mask & ((1 << digit) - 1),
            Self::Higher => mask & (!1 << digit),
        }
    }

    /// The nearest of `mask`'s bits when coming from the far end.
    const fn nearest(self, mask: u64) -> u32 {
        match self {
            Self::Lower => mask.ilog2(),
            Self::Higher => mask.trailing_zeros(),
        }
    }
}

/// The levels of one side of one book, by price in ticks.
#[derive(Debug)]
pub(crate) struct Ladder {
    root: u32,
    depth: u32,
}

impl Ladder {
    /// A ladder for keys up to `key_max`.
    pub(crate) const fn new(key_max: u32) -> Self {
        let depth = (32 - key_max.leading_zeros()).div_ceil(BITS);
        Self { root: NONE, depth: if depth == 0 { 1 } else { depth } }
    }

    const fn digit(key: u32, step: u32) -> u32 {
        key >> (step * BITS) & DIGIT_MASK
    }

    /// The level at `key`.
    pub(crate) fn get(&self, nodes: &Nodes, key: u32) -> Option<u32> {
        let mut at = (self.root != NONE).then_some(self.root)?;
        for step in (0..self.depth).rev() {
            at = nodes.child(at, Self::digit(key, step))?;
        }
        Some(at)
    }

    /// Stores `level` at `key`, where nothing is.
    ///
    /// The caller has made sure that [`Nodes::has_room`].
    pub(crate) fn insert(&mut self, nodes: &mut Nodes, key: u32, level: u32) {
        if self.root == NONE {
            self.root = Self::take(nodes);
        }
        let mut at = self.root;
        for step in (1..self.depth).rev() {
            let digit = Self::digit(key, step);
            at = nodes.child(at, digit).unwrap_or_else(|| {
                let child = Self::take(nodes);
                nodes.set_child(at, digit, child);
                child
            });
        }
        debug_assert_eq!(nodes.child(at, Self::digit(key, 0)), None, "two levels at one price");
        nodes.set_child(at, Self::digit(key, 0), level);
    }

    fn take(nodes: &mut Nodes) -> u32 {
        let node = nodes.take();
        assert!(node.is_some(), "a level was inserted without room for its nodes");
        node.unwrap_or(NONE)
    }

    /// Forgets the level at `key` and frees the nodes that this leaves empty.
    pub(crate) fn remove(&mut self, nodes: &mut Nodes, key: u32) {
        let mut path = [NONE; DEPTH_MAX as usize];
        let mut at = self.root;
        for step in (0..self.depth).rev() {
            path[step as usize] = at;
            at = nodes.pool[at as usize].children[Self::digit(key, step) as usize];
        }
        for step in 0..self.depth {
            let node = path[step as usize];
            if !nodes.clear_child(node, Self::digit(key, step)) {
                return;
            }
            nodes.give(node);
        }
        self.root = NONE;
    }

    /// The nearest level strictly beyond `key`.
    pub(crate) fn next(&self, nodes: &Nodes, key: u32, toward: Toward) -> Option<u32> {
        let mut at = (self.root != NONE).then_some(self.root)?;
        let mut turn = None;
        for step in (0..self.depth).rev() {
            let digit = Self::digit(key, step);
            let node = &nodes.pool[at as usize];
            let beyond = toward.beyond(node.mask, digit);
            if beyond != 0 {
                turn = Some((step, node.children[toward.nearest(beyond) as usize]));
            }
            match nodes.child(at, digit) {
                Some(child) => at = child,
                None => break,
            }
        }
        let (steps, start) = turn?;
        Some(Self::descend(nodes, start, steps, toward))
    }

    /// The nearest level of the whole ladder when coming from beyond its end.
    pub(crate) fn first(&self, nodes: &Nodes, toward: Toward) -> Option<u32> {
        let root = (self.root != NONE).then_some(self.root)?;
        Some(Self::descend(nodes, root, self.depth, toward))
    }

    fn descend(nodes: &Nodes, start: u32, steps: u32, toward: Toward) -> u32 {
        let mut at = start;
        for _ in 0..steps {
            let node = &nodes.pool[at as usize];
            at = node.children[toward.nearest(node.mask) as usize];
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A small reproducible source of numbers: xorshift64.
    fn next_random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn a_ladder_agrees_with_an_ordered_map() {
        for (key_max, spread) in [(1_999_999_900, 1_999_999_900), (1_999_999_900, 500), (70, 70)] {
            let mut nodes = Nodes::new(4_096);
            let mut ladder = Ladder::new(key_max);
            let mut model = BTreeMap::new();
            let mut state = 0x9E37_79B9_7F4A_7C15;
            for round in 0..20_000_u32 {
                let key = u32::try_from(next_random(&mut state) % spread).unwrap() + 1;
                if model.contains_key(&key) {
                    ladder.remove(&mut nodes, key);
                    model.remove(&key);
                } else if model.len() < 300 {
                    ladder.insert(&mut nodes, key, round);
                    model.insert(key, round);
                }
                let probe = u32::try_from(next_random(&mut state) % spread).unwrap() + 1;
                assert_eq!(ladder.get(&nodes, probe), model.get(&probe).copied());
                let above = model.range(probe + 1..).next().map(|(_, &level)| level);
                assert_eq!(ladder.next(&nodes, probe, Toward::Higher), above);
                let below = model.range(..probe).next_back().map(|(_, &level)| level);
                assert_eq!(ladder.next(&nodes, probe, Toward::Lower), below);
                let lowest = model.first_key_value().map(|(_, &level)| level);
                assert_eq!(ladder.first(&nodes, Toward::Higher), lowest);
                let highest = model.last_key_value().map(|(_, &level)| level);
                assert_eq!(ladder.first(&nodes, Toward::Lower), highest);
            }
            for &key in model.keys() {
                ladder.remove(&mut nodes, key);
            }
            assert_eq!(nodes.free_count, 4_096, "nodes leak");
        }
    }

    #[test]
    fn both_ends_of_the_price_range_are_reachable() {
        let mut nodes = Nodes::new(16);
        let mut ladder = Ladder::new(1_999_999_900);
        ladder.insert(&mut nodes, 1, 10);
        ladder.insert(&mut nodes, 1_999_999_900, 20);
        assert_eq!(ladder.next(&nodes, 1, Toward::Higher), Some(20));
        assert_eq!(ladder.next(&nodes, 1_999_999_900, Toward::Lower), Some(10));
        assert_eq!(ladder.next(&nodes, 1, Toward::Lower), None);
    }
}
