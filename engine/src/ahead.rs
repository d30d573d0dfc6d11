//! Looking ahead: memory that queued commands will want is fetched while others are carried out.
//!
//! Whoever holds commands that wait shows them to an [`Ahead`], some at a time, and has the engine
//! look at it once in [`BATCH`] commands. What one look has fetched, the next one reads to know
//! what to fetch. A look changes nothing and promises nothing: what happens in between only makes
//! the fetch a useless one, since an index of the tables stays one, whatever is kept there.
//!
//! Commands that ask for the same thing next are kept together, and who goes where is decided
//! without branches: which kind of command comes next is what a processor guesses wrong.

#![expect(unsafe_code, reason = "the processor's prefetch takes a pointer")]

use crate::{arena::NONE, book::Store, engine::Engine, types::Side, user_refs::Key};

/// Commands that are carried out between two looks.
pub const BATCH: usize = 2;
/// Looks after which everything was fetched for a command.
const LOOKS: usize = 5;
/// How many commands are seen in front, the next one included: the last look is a batch before its
/// turn.
pub const FAR: usize = (LOOKS + 1) * BATCH;
/// Commands that are seen between two looks at most, so that it is soon seen far after a pause.
const SEEN_MAX: usize = 2 * BATCH;

/// A command that waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting(Want);

#[derive(Clone, Copy, Debug, Default)]
enum Want {
    #[default]
    Nothing,
    Book(Entry),
    Number(Key),
}

/// A new order.
#[derive(Clone, Copy, Debug)]
struct Entry {
    instrument: u32,
    px: u32,
    side: Side,
}

impl Default for Entry {
    fn default() -> Self {
        Self { instrument: 0, px: 0, side: Side::Bid }
    }
}

impl Waiting {
    /// A new order.
    #[must_use]
    pub const fn enter(instrument: u32, side: Side, px: u32) -> Self {
        Self(Want::Book(Entry { instrument, px, side }))
    }

    /// Something about an order that stands, by its number.
    #[must_use]
    pub const fn standing(port: u16, channel: u8, user_ref_num: u32) -> Self {
        Self(Want::Number(Key { port, channel, user_ref_num }))
    }
}

/// Commands that ask for the same thing next.
#[derive(Clone, Copy, Debug)]
struct List<T> {
    /// One more than are ever in it, so that what is not wanted has a place as well.
    items: [T; SEEN_MAX + 1],
    count: usize,
}

impl<T: Copy + Default> Default for List<T> {
    fn default() -> Self {
        Self { items: [T::default(); SEEN_MAX + 1], count: 0 }
    }
}

impl<T: Copy> List<T> {
    /// Adds `item` if it is wanted; more than fit are none.
    #[inline]
    fn push_if(&mut self, is_wanted: bool, item: T) {
        if let Some(place) = self.items.get_mut(self.count) {
            *place = item;
        }
        self.count += usize::from(is_wanted && self.count < SEEN_MAX);
    }

    /// Hands out all of it; the list is empty then.
    #[inline]
    fn take(&mut self) -> &[T] {
        let count = core::mem::take(&mut self.count);
        &self.items[..count]
    }
}

/// The commands that wait in front, by what they ask for next.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Seen, and not carried out yet.
    seen: usize,
    /// Commands before the next look.
    until_look: usize,
    entering: Entering,
    naming: Naming,
}

/// New orders.
#[derive(Debug, Default)]
struct Entering {
    /// Their book.
    books: List<Entry>,
    /// There (by position) the leaf of their price, or the level on the other side.
    prices: List<(u32, Entry)>,
    /// The level in a leaf, by leaf and key.
    leaves: List<(u32, u32)>,
    /// The last order of a level.
    lasts: List<u32>,
    /// The first order of a level, with which they trade.
    firsts: List<u32>,
    /// Number and neighbour of that order.
    makers: List<u32>,
    /// The page of its number.
    maker_pages: List<u32>,
}

/// Commands that name an order by its number.
#[derive(Debug, Default)]
struct Naming {
    numbers: List<Key>,
    /// The page in a bucket, by bucket and number.
    pages: List<(u32, u32)>,
    /// The order that is noted there, by page and number.
    noted: List<(u32, u32)>,
    /// Its neighbours and its book.
    orders: List<u32>,
    /// The leaf of the level of which it is perhaps the last order.
    levels: List<u32>,
}

impl Ahead {
    /// How many commands are to be shown before the next one is carried out: those behind the ones
    /// that were seen. [`Engine::look_ahead`] must follow. `None`: no look is due.
    #[inline]
    #[must_use]
    pub const fn wanted(&self) -> Option<usize> {
        if self.until_look != 0 {
            return None;
        }
        let missing = FAR.saturating_sub(self.seen);
        Some(if missing < SEEN_MAX { missing } else { SEEN_MAX })
    }

    /// Shows the next command that waits.
    #[inline]
    pub fn see(&mut self, waiting: Waiting) {
        self.seen += 1;
        match waiting.0 {
            Want::Nothing => {}
            Want::Book(entry) => self.entering.books.push_if(true, entry),
            Want::Number(key) => self.naming.numbers.push_if(true, key),
        }
    }

    /// The command in front was carried out.
    #[inline]
    pub const fn taken(&mut self) {
        self.seen = self.seen.saturating_sub(1);
        self.until_look = self.until_look.saturating_sub(1);
    }

    /// Forgets all that was seen.
    #[inline]
    pub fn clear(&mut self) {
        if self.seen != 0 {
            *self = Self::default();
        }
    }

    /// Nothing is left to fetch.
    #[cfg(test)]
    fn is_done(&self) -> bool {
        let Self { entering, naming, .. } = self;
        let Entering { books, prices, leaves, lasts, firsts, makers, maker_pages } = entering;
        let Naming { numbers, pages, noted, orders, levels } = naming;
        let counts = [books.count, prices.count, leaves.count, lasts.count, firsts.count];
        let more = [makers.count, maker_pages.count, numbers.count, pages.count, noted.count];
        counts.iter().chain(&more).chain(&[orders.count, levels.count]).all(|count| *count == 0)
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

    /// Fetches what the commands that wait will want next. Must follow whenever commands were
    /// [wanted](Ahead::wanted) and shown.
    #[inline(never)]
    pub fn look_ahead(&self, ahead: &mut Ahead) {
        let Ahead { until_look, entering, naming, .. } = ahead;
        *until_look = BATCH;
        self.look_for_entries(entering);
        self.look_for_orders(naming);
    }

    // The last look first, so that each command has one. Every index is checked: it may be one of
    // another engine, or what it named may be gone.
    #[inline]
    fn look_for_entries(&self, entering: &mut Entering) {
        let Self { store: Store { arena, nodes }, user_refs, books: all, .. } = self;
        let Entering { books, prices, leaves, lasts, firsts, makers, maker_pages } = entering;
        for &slot in maker_pages.take() {
            if arena.is_order(slot) {
                user_refs.fetch_page(arena.plain_key(slot));
            }
        }
        for &slot in makers.take() {
            if arena.is_order(slot) {
                let _bucket = user_refs.fetch_bucket(arena.plain_key(slot));
                maker_pages.push_if(true, slot);
            }
        }
        for &level in firsts.take() {
            let slot = if arena.is_level(level) { arena.first(level) } else { NONE };
            if arena.is_order(slot) {
                arena.fetch_order(slot);
                makers.push_if(true, slot);
            }
        }
        for &level in lasts.take() {
            if arena.is_level(level) {
                arena.fetch(arena.level(level).prev);
            }
        }
        for &(leaf, key) in leaves.take() {
            let level = nodes.has(leaf).then(|| nodes.child(leaf, key)).flatten();
            arena.fetch(level.unwrap_or(NONE));
            lasts.push_if(level.is_some(), level.unwrap_or(NONE));
        }
        for &(position, Entry { px, side, .. }) in prices.take() {
            let Some(book) = all.get(position as usize) else { continue };
            let (crossed, met) = (book.first_crossed(side, px), book.met_leaf(side, px));
            let (leaf, key) = met.unwrap_or((NONE, 0));
            arena.fetch(crossed.unwrap_or(NONE));
            nodes.fetch(leaf, key);
            firsts.push_if(crossed.is_some(), crossed.unwrap_or(NONE));
            leaves.push_if(crossed.is_none() & met.is_some(), (leaf, key));
        }
        for &entry in books.take() {
            let position = self.book_of(entry.instrument);
            if let Some(position) = position
                && let Some(book) = all.get(usize::from(position))
            {
                book.fetch(entry.side);
                prices.push_if(true, (u32::from(position), entry));
            }
        }
    }

    #[inline]
    fn look_for_orders(&self, naming: &mut Naming) {
        let Self { store: Store { arena, nodes }, user_refs, .. } = self;
        let Naming { numbers, pages, noted, orders, levels } = naming;
        for &slot in levels.take() {
            if arena.is_order(slot) {
                let unit = arena.unit(slot);
                if unit.next == unit.prev && arena.is_level(unit.next) {
                    nodes.fetch_mask(arena.level(unit.next).leaf);
                }
            }
        }
        for &slot in orders.take() {
            if arena.is_order(slot) {
                let unit = arena.unit(slot);
                arena.fetch_neighbours(unit);
                if let Some(book) = self.books.get(usize::from(unit.book)) {
                    book.fetch(unit.action().side());
                }
                levels.push_if(true, slot);
            }
        }
        for &(page, at) in noted.take() {
            let slot = user_refs.noted_at(page, at);
            if arena.is_order(slot) {
                arena.fetch_order(slot);
                orders.push_if(true, slot);
            }
        }
        for &(bucket, at) in pages.take() {
            let page = user_refs.fetch_noted(bucket, at);
            noted.push_if(page.is_some(), (page.unwrap_or(NONE), at));
        }
        for &key in numbers.take() {
            let bucket = user_refs.fetch_bucket(key);
            pages.push_if(true, (bucket, key.user_ref_num));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Capacity;

    fn small() -> Engine {
        Engine::new(Capacity {
            orders: 64,
            hidden_orders: 8,
            levels: 64,
            nodes: 64,
            ports: 4,
            user_ref_pages: 16,
            ..Capacity::default()
        })
    }

    #[test]
    fn a_command_that_waits_for_another_engine_does_no_harm() {
        let (engine, last) = (small(), u32::MAX - 1);
        let entry = Entry { instrument: last, px: 1, side: Side::Bid };
        let key = Key { port: u16::MAX, channel: u8::MAX, user_ref_num: last };
        let mut ahead = Ahead::default();
        for last in [0, 70, last] {
            let Ahead { entering, naming, .. } = &mut ahead;
            entering.books.push_if(true, entry);
            entering.prices.push_if(true, (last, entry));
            entering.leaves.push_if(true, (last, last));
            let slots = [&mut entering.lasts, &mut entering.firsts, &mut entering.makers];
            for list in slots {
                list.push_if(true, last);
            }
            entering.maker_pages.push_if(true, last);
            naming.numbers.push_if(true, key);
            naming.pages.push_if(true, (last, last));
            naming.noted.push_if(true, (last, last));
            naming.orders.push_if(true, last);
            naming.levels.push_if(true, last);
            for _ in 0..LOOKS {
                engine.look_ahead(&mut ahead);
            }
            assert!(ahead.is_done(), "{last}: {ahead:?}");
        }
    }

    #[test]
    fn looks_come_once_a_batch_and_go_as_far_as_commands_wait() {
        let engine = small();
        let mut ahead = Ahead::default();
        // How many wait, and how many of them are seen when each turn comes.
        let (mut waiting, mut seen, mut looks) = (1_000_usize, 0_usize, 0);
        let total = waiting;
        while 0 < waiting {
            if let Some(wanted) = ahead.wanted() {
                for at in 0..wanted.min(waiting - seen) {
                    let number = u32::try_from(at).unwrap();
                    ahead.see(Waiting::standing(1, 0, number));
                    seen += 1;
                }
                engine.look_ahead(&mut ahead);
                looks += 1;
                let done = total - waiting;
                let due = FAR.min(waiting).min((looks + 1) * BATCH).min(looks * SEEN_MAX);
                assert!(due <= seen, "{seen} of {due} seen after {done}");
            }
            assert!(seen <= FAR);
            waiting -= 1;
            seen -= 1;
            ahead.taken();
        }
        assert_eq!(looks, total / BATCH);
    }

    #[test]
    fn a_list_takes_what_is_wanted_and_no_more_than_it_holds() {
        let mut list = List::default();
        for item in 0..100_u32 {
            list.push_if(item % 2 == 1, item);
        }
        let odd = (0..100).filter(|item| item % 2 == 1).take(SEEN_MAX);
        assert!(list.take().iter().copied().eq(odd));
        assert!(list.take().is_empty());
    }
}
