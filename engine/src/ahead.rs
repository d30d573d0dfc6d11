//! Looking ahead: memory that queued commands will want is fetched while others are carried out.
//!
//! Whoever holds commands that wait makes a [`Waiting`] of each and looks at it at the distances of
//! [`AHEAD`]; what one look has fetched, the next one reads to know what to fetch. A look changes
//! nothing and promises nothing: what happens in between only makes the fetch a useless one, since
//! an index of the tables stays one, whatever is kept there.

#![expect(unsafe_code, reason = "the processor's prefetch takes a pointer")]

use crate::{book::Store, engine::Engine, types::Side, user_refs::Key};

/// How many commands before its own turn a command is looked at.
pub const AHEAD: [usize; 5] = [20, 15, 10, 6, 3];

/// A command that waits, as far as it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting(State);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nothing more is worth fetching.
    #[default]
    Done,
    Entering(Entering),
    Naming(Naming),
}

/// What a new order will ask for next.
#[derive(Clone, Copy, Debug)]
enum Entering {
    /// Its book.
    Book { instrument: u32, px: u32, side: Side },
    /// There the leaf of its price, or the level on the other side.
    Price { position: u32, px: u32, side: Side },
    /// The level in a leaf.
    Leaf { leaf: u32, key: u32 },
    /// The last order of a level.
    Last { level: u32 },
    /// The first order of a level, with which it trades.
    First { level: u32 },
    /// Number and neighbour of that order.
    Maker { slot: u32 },
    /// The page of its number.
    MakerPage { slot: u32 },
}

/// What a command that names an order by its number will ask for next.
#[derive(Clone, Copy, Debug)]
enum Naming {
    Number(Key),
    /// The page in a bucket.
    Page {
        bucket: u32,
        at: u32,
    },
    /// The order that is noted there.
    Noted {
        page: u32,
        at: u32,
    },
    /// Its neighbours and its book.
    Order {
        slot: u32,
    },
    /// The leaf of the level of which it is perhaps the last order.
    Level {
        slot: u32,
    },
}

impl Waiting {
    /// A new order.
    #[must_use]
    pub const fn enter(instrument: u32, side: Side, px: u32) -> Self {
        Self(State::Entering(Entering::Book { instrument, px, side }))
    }

    /// Something about an order that stands, by its number.
    #[must_use]
    pub const fn standing(port: u16, channel: u8, user_ref_num: u32) -> Self {
        Self(State::Naming(Naming::Number(Key { port, channel, user_ref_num })))
    }
}

/// Orders that stand, beyond which the tables do not fit the processor's own cache of 1 to 2 MB.
/// Below it there is nothing to gain and nothing is paid but the question.
const COLD_ORDERS: u32 = 1 << 14;

/// Asks for the cache line of `it`.
#[inline]
pub(crate) fn fetch<T>(it: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch accesses nothing that the program could notice, and the pointer is one
        // to live memory.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(it).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    core::hint::black_box(it);
}

impl Engine {
    /// Whether so much stands that looking ahead pays.
    #[inline]
    #[must_use]
    pub const fn is_cold(&self) -> bool {
        COLD_ORDERS < self.capacity.orders - self.store.arena.orders_free(false)
    }

    /// Fetches what a command that waits will want next.
    #[inline]
    pub fn look_ahead(&self, waiting: &mut Waiting) {
        let next = match waiting.0 {
            State::Done => return,
            State::Entering(entering) => self.look_for_entry(entering).map(State::Entering),
            State::Naming(naming) => self.look_for_order(naming).map(State::Naming),
        };
        waiting.0 = next.unwrap_or_default();
    }

    // Every index is checked: it may be one of another engine, or what it named may be gone.
    #[inline]
    fn look_for_entry(&self, entering: Entering) -> Option<Entering> {
        let Self { store: Store { arena, nodes }, user_refs, .. } = self;
        match entering {
            Entering::Book { instrument, px, side } => {
                let position = self.book_of(instrument)?;
                self.books.get(usize::from(position))?.fetch(side);
                Some(Entering::Price { position: u32::from(position), px, side })
            }
            Entering::Price { position, px, side } => {
                let book = self.books.get(position as usize)?;
                if let Some(level) = book.first_crossed(side, px) {
                    arena.fetch(level);
                    return Some(Entering::First { level });
                }
                let (leaf, key) = book.met_leaf(side, px)?;
                nodes.fetch(leaf, key);
                Some(Entering::Leaf { leaf, key })
            }
            Entering::Leaf { leaf, key } => {
                let level = nodes.has(leaf).then(|| nodes.child(leaf, key))??;
                arena.fetch(level);
                Some(Entering::Last { level })
            }
            Entering::Last { level } => {
                if arena.is_level(level) {
                    arena.fetch(arena.level(level).prev);
                }
                None
            }
            Entering::First { level } => {
                let slot = arena.is_level(level).then(|| arena.first(level))?;
                arena.is_order(slot).then(|| arena.fetch_order(slot))?;
                Some(Entering::Maker { slot })
            }
            Entering::Maker { slot } => {
                let key = arena.is_order(slot).then(|| arena.plain_key(slot))?;
                let _bucket = user_refs.fetch_bucket(key);
                Some(Entering::MakerPage { slot })
            }
            Entering::MakerPage { slot } => {
                let key = arena.is_order(slot).then(|| arena.plain_key(slot))?;
                user_refs.fetch_page(key);
                None
            }
        }
    }

    #[inline]
    fn look_for_order(&self, naming: Naming) -> Option<Naming> {
        let Self { store: Store { arena, nodes }, user_refs, .. } = self;
        match naming {
            Naming::Number(key) => {
                let bucket = user_refs.fetch_bucket(key);
                Some(Naming::Page { bucket, at: key.user_ref_num })
            }
            Naming::Page { bucket, at } => {
                let page = user_refs.fetch_noted(bucket, at)?;
                Some(Naming::Noted { page, at })
            }
            Naming::Noted { page, at } => {
                let slot = user_refs.noted_at(page, at);
                arena.is_order(slot).then(|| arena.fetch_order(slot))?;
                Some(Naming::Order { slot })
            }
            Naming::Order { slot } => {
                let unit = arena.is_order(slot).then(|| arena.unit(slot))?;
                arena.fetch_neighbours(unit);
                self.books.get(usize::from(unit.book))?.fetch(unit.action().side());
                Some(Naming::Level { slot })
            }
            Naming::Level { slot } => {
                let unit = arena.is_order(slot).then(|| arena.unit(slot))?;
                if unit.next == unit.prev && arena.is_level(unit.next) {
                    nodes.fetch_mask(arena.level(unit.next).leaf);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Capacity;

    #[test]
    fn a_command_that_waits_for_another_engine_does_no_harm() {
        let small = Capacity {
            orders: 64,
            hidden_orders: 8,
            levels: 64,
            nodes: 64,
            ports: 4,
            user_ref_pages: 16,
            ..Capacity::default()
        };
        let (engine, last) = (Engine::new(small), u32::MAX - 1);
        let entering = [
            Entering::Book { instrument: last, px: 1, side: Side::Bid },
            Entering::Price { position: last, px: 1, side: Side::Ask },
            Entering::Leaf { leaf: last, key: last },
            Entering::Last { level: last },
            Entering::First { level: last },
            Entering::Maker { slot: last },
            Entering::MakerPage { slot: last },
        ];
        let naming = [
            Naming::Number(Key { port: u16::MAX, channel: u8::MAX, user_ref_num: last }),
            Naming::Page { bucket: last, at: last },
            Naming::Noted { page: last, at: last },
            Naming::Order { slot: last },
            Naming::Level { slot: last },
        ];
        let states = entering.map(State::Entering).into_iter();
        for state in states.chain(naming.map(State::Naming)) {
            let mut waiting = Waiting(state);
            for _ in AHEAD {
                engine.look_ahead(&mut waiting);
            }
            assert!(matches!(waiting.0, State::Done), "{state:?} came to {waiting:?}");
        }
    }
}
