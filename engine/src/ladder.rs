//! Finds the level of a price, and the next level beyond it, for any price.
//!
//! A ladder is a tree of 64-way nodes over the price in ticks, six bits a step. A node has two
//! children at least, but those at the bottom, the leaves, whose children are levels: where prices
//! do not part a step is skipped, so that stubs at both ends and a market between them are three
//! leaves and two nodes. Each node has a bitmap of its children, so the neighbour of a price is
//! found with a few bit scans, without regard to how far away it is. All ladders of an engine share
//! one pool of nodes.
//!
//! Trading stays where it was: a ladder remembers the leaves that it met lately, so that nearly
//! always the tree is not walked at all, and a level knows the leaf that names it. The bids'
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

/// What a search asks of a node.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
struct Head {
    /// Bit `n` says that child `n` exists.
    mask: u64,
    /// What the keys below the node have in common: [`place`] of any of them.
    place: u32,
    /// Which digit of a key tells the children apart, counted from the last; 0 for a leaf.
    step: u32,
}

/// The digits of `key` above the one that a node of `step` looks at.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a part of a key")]
const fn place(key: u32, step: u32) -> u32 {
    // In 64 bits: of the highest digit nothing is left.
    (key as u64 >> (BITS * (step + 1))) as u32
}

/// The nodes of all ladders, allocated at start.
///
/// Invariant: `heads` and `children` are of one length and keep it; every node that is handed out
/// is below it, and the ladders and levels hold no node but those that were handed out.
#[derive(Debug)]
pub(crate) struct Nodes {
    heads: Vec<Head>,
    /// By node; the first one of a free node is the next free one.
    children: Vec<Children>,
    free: u32,
    /// Nodes that would be free if no step were ever skipped: how many levels fit must not depend
    /// on how few nodes they can do with, and there are never fewer than this.
    room: u32,
}

impl Nodes {
    pub(crate) fn new(nodes_max: u32) -> Self {
        let len = nodes_max as usize;
        let children = filled(Children([NONE; FANOUT]), len);
        let heads = filled(Head::default(), len);
        let mut all = Self { heads, children, free: NONE, room: nodes_max };
        for index in (0..nodes_max).rev() {
            all.give(index);
        }
        all
    }

    /// Whether any price can be inserted into any ladder.
    #[inline]
    pub(crate) const fn has_room(&self) -> bool {
        DEPTH_MAX <= self.room
    }

    #[inline]
    fn head(&self, node: u32) -> Head {
        debug_assert!((node as usize) < self.heads.len(), "a node nobody handed out");
        // SAFETY: `node` was handed out, so by the invariant it is in the table.
        *unsafe { self.heads.get_unchecked(node as usize) }
    }

    #[inline]
    fn mask(&self, node: u32) -> u64 {
        self.head(node).mask
    }

    #[inline]
    fn mask_mut(&mut self, node: u32) -> &mut u64 {
        debug_assert!((node as usize) < self.heads.len(), "a node nobody handed out");
        // SAFETY: as in `head`.
        let head = unsafe { self.heads.get_unchecked_mut(node as usize) };
        &mut head.mask
    }

    /// The child of `node` at the digit of `key`, which may be any number when there is none.
    #[inline]
    fn at(&self, node: u32, key: u32) -> u32 {
        debug_assert!((node as usize) < self.children.len(), "a node nobody handed out");
        // SAFETY: as in `head`; `children` is of the same length.
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

    /// A node for the keys around `key` that a node of `step` tells apart.
    fn take(&mut self, key: u32, step: u32) -> u32 {
        let index = self.free;
        assert!(index != NONE, "a level was inserted without room for its nodes");
        self.free = self.at(index, 0);
        self.heads[index as usize] = Head { mask: 0, place: place(key, step), step };
        index
    }

    fn give(&mut self, index: u32) {
        *self.at_mut(index, 0) = self.free;
        self.free = index;
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
        (node as usize) < self.heads.len()
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
        if let Some(head) = self.heads.get(leaf as usize) {
            fetch(head);
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

    /// The nearest of all levels below `node`.
    fn descend(&self, mut node: u32) -> u32 {
        loop {
            let Head { mask, step, .. } = self.head(node);
            let nearest = self.at(node, mask.trailing_zeros());
            if step == 0 {
                return nearest;
            }
            node = nearest;
        }
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
        let leaf = match self.find(nodes, key) {
            Found::Leaf(leaf) => leaf,
            Found::Nothing => {
                nodes.room -= self.depth;
                self.root = nodes.take(key, 0);
                self.root
            }
            Found::Missing { node, step } => {
                nodes.room -= step;
                let leaf = nodes.take(key, 0);
                nodes.set_child(node, key >> (step * BITS), leaf);
                leaf
            }
            Found::Parting { above, node, other, step } => {
                nodes.room -= step;
                let (leaf, fork) = (nodes.take(key, 0), nodes.take(key, step));
                nodes.set_child(fork, other >> (step * BITS), node);
                nodes.set_child(fork, key >> (step * BITS), leaf);
                self.put_below(nodes, above, key, fork);
                leaf
            }
        };
        let place = key >> BITS;
        self.met[place as usize % MET] = Leaf { place, node: leaf };
        leaf
    }

    /// Walks towards the leaf for `key`.
    fn find(&self, nodes: &Nodes, key: u32) -> Found {
        let (mut above, mut node) = (NONE, self.root);
        if node == NONE {
            return Found::Nothing;
        }
        loop {
            let Head { place: common, step, .. } = nodes.head(node);
            if place(key, step) != common {
                // Not 0: they differ above the digit of `step`, which is not the highest then.
                let other = common << (BITS * (step + 1));
                let step = (u32::BITS - 1 - (other ^ key).leading_zeros()) / BITS;
                return Found::Parting { above, node, other, step };
            }
            if step == 0 {
                return Found::Leaf(node);
            }
            let Some(child) = nodes.child(node, key >> (step * BITS)) else {
                return Found::Missing { node, step };
            };
            (above, node) = (node, child);
        }
    }

    /// Puts `node` where the way to `key` leads on from `above`, or at the root.
    fn put_below(&mut self, nodes: &mut Nodes, above: u32, key: u32, node: u32) {
        if above == NONE {
            self.root = node;
        } else {
            let Head { step, .. } = nodes.head(above);
            *nodes.at_mut(above, key >> (step * BITS)) = node;
        }
    }

    /// Whether there is a level at `key`. Always walks: not for trading.
    pub(crate) fn has(&self, nodes: &Nodes, key: u32) -> bool {
        match self.find(nodes, key) {
            Found::Leaf(leaf) => nodes.child(leaf, key).is_some(),
            Found::Nothing | Found::Missing { .. } | Found::Parting { .. } => false,
        }
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

    /// Forgets the level at `key`, in its leaf, and frees the nodes that are not needed without it.
    #[inline]
    pub(crate) fn remove(&mut self, nodes: &mut Nodes, leaf: u32, key: u32) {
        if nodes.clear_child(leaf, key) {
            self.prune(nodes, leaf, key);
        }
    }

    /// Frees the leaf over `key`, which is empty, and the node above it when that has only one
    /// other child.
    #[cold]
    #[inline(never)]
    fn prune(&mut self, nodes: &mut Nodes, leaf: u32, key: u32) {
        let place = key >> BITS;
        let met = &mut self.met[place as usize % MET];
        if met.place == place {
            *met = Leaf::NONE;
        }
        let (mut higher, mut above, mut node) = (NONE, NONE, self.root);
        let mut step_above = self.depth;
        while node != leaf {
            let Head { step, .. } = nodes.head(node);
            (higher, above, step_above) = (above, node, step);
            node = nodes.at(node, key >> (step * BITS));
        }
        nodes.give(leaf);
        nodes.room += step_above;
        if above == NONE {
            self.root = NONE;
            return;
        }
        nodes.clear_child(above, key >> (step_above * BITS));
        let mask = nodes.mask(above);
        if mask.is_power_of_two() {
            let other = nodes.at(above, mask.trailing_zeros());
            self.put_below(nodes, higher, key, other);
            nodes.give(above);
        }
    }

    /// The nearest level strictly beyond the one at `key`, which is in `leaf`.
    #[inline]
    pub(crate) fn next(&self, nodes: &Nodes, leaf: u32, key: u32) -> Option<u32> {
        nodes.beyond(leaf, key).or_else(|| self.far(nodes, leaf, key))
    }

    /// The nearest level strictly beyond `key`, which is in `leaf`, in another one.
    #[inline(never)]
    fn far(&self, nodes: &Nodes, leaf: u32, key: u32) -> Option<u32> {
        let (mut node, mut turn) = (self.root, None);
        while node != leaf {
            let Head { step, .. } = nodes.head(node);
            let key = key >> (step * BITS);
            turn = nodes.beyond(node, key).or(turn);
            node = nodes.at(node, key);
        }
        turn.map(|node| nodes.descend(node))
    }

    /// The best level of all.
    pub(crate) fn first(&self, nodes: &Nodes) -> Option<u32> {
        (self.root != NONE).then(|| nodes.descend(self.root))
    }
}

/// What a walk towards a key came to.
enum Found {
    /// Its leaf.
    Leaf(u32),
    /// No root.
    Nothing,
    /// A node of `step` that has no child there.
    Missing { node: u32, step: u32 },
    /// A node below `above` whose keys, of which `other` is one, part from it at `step`.
    Parting { above: u32, node: u32, other: u32, step: u32 },
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

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

    impl Nodes {
        fn count_free(&self) -> u32 {
            let mut count = 0;
            let mut node = self.free;
            while node != NONE {
                count += 1;
                node = self.at(node, 0);
            }
            count
        }
    }

    /// Nodes that hold these keys in a tree of `depth` steps of which none is skipped.
    fn unskipped(depth: u32, model: &BTreeMap<u32, (u32, u32)>) -> u32 {
        let places = |step| model.keys().map(|key| place(*key, step)).collect::<BTreeSet<_>>();
        (0..depth).map(|step| u32::try_from(places(step).len()).unwrap()).sum()
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
                let used = NODES - nodes.count_free();
                let leaves = model.keys().map(|key| key >> BITS).collect::<BTreeSet<_>>().len();
                assert!(used as usize <= (2 * leaves).saturating_sub(1), "{used} for {leaves}");
                if round % 64 == 0 {
                    let full = unskipped(ladder.depth, &model);
                    assert_eq!(NODES - nodes.room, full, "what is charged");
                }
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
            assert_eq!((nodes.room, nodes.count_free()), (NODES, NODES), "nodes leak");
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
