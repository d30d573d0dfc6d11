//! Finds the level of a price, and the next level beyond it, for any price.
//!
//! A ladder is a tree of 64-way nodes over the price in ticks, six bits a step. Each node has a
//! bitmap of its children, so the neighbour of a price is found with a few bit scans, without
//! regard to how far away it is. All ladders of an engine share one pool of nodes.
//!
//! Trading stays where it was: a ladder remembers the lowest nodes that it met lately, so that
//! nearly always the tree is not walked at all, and a level knows the node that names it. The bids'
//! prices are turned around, so that what is worse always has the higher key.

#![expect(unsafe_code, reason = "nodes the pool handed out are in range")]

mod restore;

use crate::{ahead::fetch, arena::NONE, table::filled};

const BITS: u32 = 6;
const FANOUT: usize = 1 << BITS;
const DIGIT_MASK: u32 = (1 << BITS) - 1;
/// Steps that cover every price of 31 bits.
pub(crate) const DEPTH_MAX: u32 = 6;
/// Leaves a ladder remembers: 512 neighbouring ticks, in one cache line.
const MET: usize = 8;

const _: () = assert!(DEPTH_MAX * BITS >= 31);

/// The children of a node.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Children([u32; FANOUT]);

/// The nodes of all ladders, allocated at start.
///
/// Invariant: `masks` and `children` are of one length and keep it; every node that is handed out
/// is below it, and the ladders and levels hold no node but those that were handed out.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// By node: bit `n` says that child `n` exists.
    masks: Vec<u64>,
    /// By node; the first one of a free node is the next free one.
    children: Vec<Children>,
    free: u32,
    free_count: u32,
}

impl Nodes {
    pub(crate) fn new(nodes_max: u32) -> Self {
        let len = nodes_max as usize;
        let children = filled(Children([NONE; FANOUT]), len);
        let mut all = Self { masks: filled(0, len), children, free: NONE, free_count: 0 };
        for index in (0..nodes_max).rev() {
            all.give(index);
        }
        all
    }

    /// Whether any price can be inserted into any ladder.
    #[inline]
    pub(crate) const fn has_room(&self) -> bool {
        DEPTH_MAX <= self.free_count
    }

    #[inline]
    fn mask(&self, node: u32) -> u64 {
        debug_assert!((node as usize) < self.masks.len(), "a node nobody handed out");
        // SAFETY: `node` was handed out, so by the invariant it is in the table.
        *unsafe { self.masks.get_unchecked(node as usize) }
    }

    #[inline]
    fn mask_mut(&mut self, node: u32) -> &mut u64 {
        debug_assert!((node as usize) < self.masks.len(), "a node nobody handed out");
        // SAFETY: as in `mask`.
        unsafe { self.masks.get_unchecked_mut(node as usize) }
    }

    /// The child of `node` at the digit of `key`, which may be any number when there is none.
    #[inline]
    fn at(&self, node: u32, key: u32) -> u32 {
        debug_assert!((node as usize) < self.children.len(), "a node nobody handed out");
        // SAFETY: as in `mask`; `children` is of the same length.
        let children = unsafe { self.children.get_unchecked(node as usize) };
        children.0[(key & DIGIT_MASK) as usize]
    }

    #[inline]
    fn at_mut(&mut self, node: u32, key: u32) -> &mut u32 {
        debug_assert!((node as usize) < self.children.len(), "a node nobody handed out");
        // SAFETY: as in `at`.
        let children = unsafe { self.children.get_unchecked_mut(node as usize) };
        &mut children.0[(key & DIGIT_MASK) as usize]
    }

    fn take(&mut self) -> u32 {
        let index = self.free;
        assert!(index != NONE, "a level was inserted without room for its nodes");
        self.free = self.at(index, 0);
        self.free_count -= 1;
        *self.mask_mut(index) = 0;
        index
    }

    fn give(&mut self, index: u32) {
        *self.at_mut(index, 0) = self.free;
        self.free = index;
        self.free_count += 1;
    }

    /// The child of `node` over `key`, when `key` was shifted to the node's step.
    #[inline]
    pub(crate) fn child(&self, node: u32, key: u32) -> Option<u32> {
        let exists = self.mask(node) >> (key & DIGIT_MASK) & 1 != 0;
        exists.then(|| self.at(node, key))
    }

    /// Whether there is such a node.
    #[inline]
    pub(crate) const fn has(&self, node: u32) -> bool {
        (node as usize) < self.masks.len()
    }

    /// Fetches what says of the level at `key`.
    #[inline]
    pub(crate) fn fetch(&self, leaf: u32, key: u32) {
        self.fetch_mask(leaf);
        if let Some(children) = self.children.get(leaf as usize) {
            fetch(&children.0[(key & DIGIT_MASK) as usize]);
        }
    }

    #[inline]
    pub(crate) fn fetch_mask(&self, leaf: u32) {
        if let Some(mask) = self.masks.get(leaf as usize) {
            fetch(mask);
        }
    }

    #[inline]
    fn set_child(&mut self, node: u32, key: u32, child: u32) {
        *self.mask_mut(node) |= 1 << (key & DIGIT_MASK);
        *self.at_mut(node, key) = child;
    }

    /// Forgets a child. `true` when the node has none left.
    #[inline]
    fn clear_child(&mut self, node: u32, key: u32) -> bool {
        let mask = self.mask_mut(node);
        *mask &= !(1 << (key & DIGIT_MASK));
        *mask == 0
    }

    /// The nearest child of `node` strictly beyond the one over `key`.
    #[inline]
    fn beyond(&self, node: u32, key: u32) -> Option<u32> {
        let mask = self.mask(node) & (!1 << (key & DIGIT_MASK));
        (mask != 0).then(|| self.at(node, mask.trailing_zeros()))
    }

    /// The nearest of all levels below `node`, `steps` steps down.
    fn descend(&self, mut node: u32, steps: u32) -> u32 {
        for _ in 0..steps {
            node = self.at(node, self.mask(node).trailing_zeros());
        }
        node
    }
}

/// A leaf: the key it covers without the last digit, and its node.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    place: u32,
    node: u32,
}

impl Leaf {
    /// No place is that high.
    const NONE: Self = Self { place: u32::MAX, node: NONE };
}

/// The levels of one side of one book, by price in ticks.
///
/// Invariant: `met` names only leaves of this ladder, each where its place says.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Ladder {
    met: [Leaf; MET],
    root: u32,
    depth: u32,
    /// Turns the key around where higher prices are better.
    flip: u32,
}

impl Ladder {
    /// A ladder for prices up to `ticks_max`, the better ones of which are the higher ones or not.
    pub(crate) const fn new(ticks_max: u32, is_higher_better: bool) -> Self {
        let depth = (u32::BITS - ticks_max.leading_zeros()).div_ceil(BITS);
        let depth = if depth == 0 { 1 } else { depth };
        let all = if depth * BITS < u32::BITS { (1 << (depth * BITS)) - 1 } else { u32::MAX };
        let flip = if is_higher_better { all } else { 0 };
        Self { met: [Leaf::NONE; MET], root: NONE, depth, flip }
    }

    /// The key of a price in ticks: of two prices the better one has the lower key.
    #[inline]
    pub(crate) const fn key(&self, ticks: u32) -> u32 {
        ticks ^ self.flip
    }

    /// The leaf for `key`, which is made if need be: a level must follow.
    ///
    /// The caller has made sure that [`Nodes::has_room`].
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn leaf(&mut self, nodes: &mut Nodes, key: u32) -> u32 {
        let place = key >> BITS;
        let met = self.met[place as usize % MET];
        if met.place == place { met.node } else { self.reach(nodes, key) }
    }

    /// The leaf for `key`, if it was met lately.
    #[inline]
    pub(crate) fn met_leaf(&self, key: u32) -> Option<u32> {
        let place = key >> BITS;
        let met = self.met[place as usize % MET];
        (met.place == place).then_some(met.node)
    }

    /// Fetches what a search begins with.
    #[inline]
    pub(crate) fn fetch(&self) {
        fetch(&self.met);
        fetch(&self.root);
    }

    /// Walks to a leaf that was not met lately, and remembers it.
    #[cold]
    #[inline(never)]
    fn reach(&mut self, nodes: &mut Nodes, key: u32) -> u32 {
        if self.root == NONE {
            self.root = nodes.take();
        }
        let mut node = self.root;
        for step in (1..self.depth).rev() {
            let key = key >> (step * BITS);
            node = nodes.child(node, key).unwrap_or_else(|| {
                let child = nodes.take();
                nodes.set_child(node, key, child);
                child
            });
        }
        let place = key >> BITS;
        self.met[place as usize % MET] = Leaf { place, node };
        node
    }

    /// Whether there is a level at `key`. Always walks: not for trading.
    pub(crate) fn has(&self, nodes: &Nodes, key: u32) -> bool {
        let mut node = self.root;
        for step in (0..self.depth).rev() {
            let child = (node != NONE).then(|| nodes.child(node, key >> (step * BITS))).flatten();
            let Some(child) = child else { return false };
            node = child;
        }
        true
    }

    /// The level at `key`, in its leaf.
    #[inline]
    pub(crate) fn get(nodes: &Nodes, leaf: u32, key: u32) -> Option<u32> {
        nodes.child(leaf, key)
    }

    /// Stores `level` at `key`, where nothing is, in its leaf.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn insert(nodes: &mut Nodes, leaf: u32, key: u32, level: u32) {
        debug_assert_eq!(nodes.child(leaf, key), None, "two levels at one price");
        nodes.set_child(leaf, key, level);
    }

    /// Forgets the level at `key`, in its leaf, and frees the nodes that this leaves empty.
    #[inline]
    pub(crate) fn remove(&mut self, nodes: &mut Nodes, leaf: u32, key: u32) {
        if nodes.clear_child(leaf, key) {
            self.prune(nodes, key);
        }
    }

    /// Frees the leaf over `key`, which is empty, and the nodes that this leaves empty.
    #[cold]
    #[inline(never)]
    fn prune(&mut self, nodes: &mut Nodes, key: u32) {
        let place = key >> BITS;
        let met = &mut self.met[place as usize % MET];
        if met.place == place {
            *met = Leaf::NONE;
        }
        let mut path = [NONE; DEPTH_MAX as usize];
        let mut node = self.root;
        for step in (0..self.depth).rev() {
            path[step as usize] = node;
            node = nodes.at(node, key >> (step * BITS));
        }
        for step in 0..self.depth {
            let node = path[step as usize];
            if !nodes.clear_child(node, key >> (step * BITS)) {
                return;
            }
            nodes.give(node);
        }
        self.root = NONE;
    }

    /// The nearest level strictly beyond the one at `key`, which is in `leaf`.
    #[inline]
    pub(crate) fn next(&self, nodes: &Nodes, leaf: u32, key: u32) -> Option<u32> {
        nodes.beyond(leaf, key).or_else(|| self.far(nodes, key))
    }

    /// The nearest level strictly beyond `key` in another leaf.
    #[inline(never)]
    fn far(&self, nodes: &Nodes, key: u32) -> Option<u32> {
        let mut node = self.root;
        let mut turn = None;
        for step in (1..self.depth).rev() {
            let key = key >> (step * BITS);
            if let Some(beyond) = nodes.beyond(node, key) {
                turn = Some((beyond, step));
            }
            node = nodes.at(node, key);
        }
        let (node, steps) = turn?;
        Some(nodes.descend(node, steps))
    }

    /// The best level of all.
    pub(crate) fn first(&self, nodes: &Nodes) -> Option<u32> {
        (self.root != NONE).then(|| nodes.descend(self.root, self.depth))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ROUNDS: u32 = if cfg!(miri) { 60 } else { 20_000 };
    const NODES: u32 = if cfg!(miri) { 512 } else { 4_096 };

    /// A small reproducible source of numbers: xorshift64.
    fn next_random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn insert(ladder: &mut Ladder, nodes: &mut Nodes, key: u32, level: u32) -> u32 {
        let leaf = ladder.leaf(nodes, key);
        assert_eq!(Ladder::get(nodes, leaf, key), None);
        Ladder::insert(nodes, leaf, key, level);
        leaf
    }

    #[test]
    fn a_ladder_agrees_with_an_ordered_map() {
        for (ticks_max, spread) in [
            (1_999_999_900, 1_999_999_900),
            (1_999_999_900, 500),
            (1_999_999_900, 5_000),
            (70, 70),
            (60, 60),
        ] {
            let mut nodes = Nodes::new(NODES);
            let mut ladder = Ladder::new(ticks_max, spread % 500 != 0);
            // By key: the level and its leaf.
            let mut model = BTreeMap::new();
            let mut state = 0x9E37_79B9_7F4A_7C15;
            for round in 0..ROUNDS {
                let ticks = u32::try_from(next_random(&mut state) % spread).unwrap() + 1;
                let key = ladder.key(ticks);
                if let Some((_, leaf)) = model.remove(&key) {
                    ladder.remove(&mut nodes, leaf, key);
                } else if model.len() < 300 {
                    let leaf = insert(&mut ladder, &mut nodes, key, round);
                    model.insert(key, (round, leaf));
                }
                let first = model.first_key_value().map(|(_, &(level, _))| level);
                assert_eq!(ladder.first(&nodes), first);
                let at = model.keys().nth(round as usize % 300).copied();
                let Some(at) = at else { continue };
                let (level, leaf) = model[&at];
                assert_eq!(ladder.leaf(&mut nodes, at), leaf);
                assert_eq!(Ladder::get(&nodes, leaf, at), Some(level));
                assert!(ladder.has(&nodes, at), "at {at}");
                let other = ladder.key(u32::try_from(next_random(&mut state) % spread).unwrap());
                assert_eq!(ladder.has(&nodes, other), model.contains_key(&other));
                let beyond = model.range(at + 1..).next().map(|(_, &(level, _))| level);
                assert_eq!(ladder.next(&nodes, leaf, at), beyond);
            }
            for (&key, &(_, leaf)) in &model {
                ladder.remove(&mut nodes, leaf, key);
            }
            assert_eq!(nodes.free_count, NODES, "nodes leak");
        }
    }

    #[test]
    fn better_prices_come_first_on_either_side() {
        for (is_higher_better, order) in
            [(true, [1_999_999_900, 500, 1]), (false, [1, 500, 1_999_999_900])]
        {
            let mut nodes = Nodes::new(32);
            let mut ladder = Ladder::new(1_999_999_900, is_higher_better);
            let mut leaves = Vec::new();
            for ticks in order {
                let key = ladder.key(ticks);
                leaves.push((insert(&mut ladder, &mut nodes, key, ticks), key));
            }
            assert_eq!(ladder.first(&nodes), Some(order[0]));
            let next = |at: usize| ladder.next(&nodes, leaves[at].0, leaves[at].1);
            assert_eq!([next(0), next(1), next(2)], [Some(order[1]), Some(order[2]), None]);
        }
    }
}
