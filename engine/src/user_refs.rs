//! From a client's `UserRefNum` to the slot of its live order.
//!
//! Numbers rise within each channel of a port, so it fills one page after another; a page covers 64
//! numbers and is freed when its orders are dead and the channel has moved on. Pages are found
//! through a fixed hash table; the page a channel is filling is remembered.

#![expect(unsafe_code, reason = "pages the table handed out are in range")]

mod restore;

use crate::{
    ahead::fetch,
    arena::NONE,
    limits::{CHANNELS, Capacity, USER_REF_PAGE_LEN},
    table::filled,
};

#[derive(Clone, Copy, Debug)]
struct Page {
    /// Port, channel and page number; of a free page the next free one.
    key: u64,
    live_count: u32,
    /// The port's page taken before this one, and the one after.
    older: u32,
    newer: u32,
}

/// The slots of the live orders of a page, by number; [`NONE`] elsewhere.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Slots([u32; USER_REF_PAGE_LEN as usize]);

impl Slots {
    const EMPTY: Self = Self([NONE; USER_REF_PAGE_LEN as usize]);
}

/// Where the table keeps a number: valid while its page holds a live order or is the newest one of
/// its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    page: u32,
    /// The lowest digits count.
    at: u32,
}

/// The table of all ports, allocated at start.
///
/// Invariant: a page with live orders, and the newest page of each channel, is in `buckets`; no
/// other is. `buckets` is never more than an eighth full, so that a number's page is nearly always
/// where it is looked for first: a second look is a mispredicted branch.
///
/// Invariant: `pages` and `slots` are of one length and keep it, as does `buckets`, the length of
/// which is a power of two. The free list, `buckets`, `newest`, the ports' lists and every
/// [`Entry`] name no page but those below that length, or [`NONE`], which is looked for before a
/// page is.
#[derive(Debug)]
pub(crate) struct UserRefs {
    pages: Vec<Page>,
    /// By page.
    slots: Vec<Slots>,
    free: u32,
    /// Open addressing with linear probing: page numbers or [`NONE`].
    buckets: Vec<u32>,
    /// By [`lane`]: the page being filled.
    newest: Vec<u32>,
    /// By port: the oldest and the last page it holds.
    ends: Vec<[u32; 2]>,
    /// By port: pages held, at most `quota`.
    held: Vec<u32>,
    quota: u32,
    /// Pages in use without a live order: newest ones of channels.
    empty_count: u32,
}

/// A number of a client, and the channel of a port it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) port: u16,
    pub(crate) channel: u8,
    pub(crate) user_ref_num: u32,
}

impl Key {
    const fn page(self) -> u64 {
        (self.port as u64) << 40
            | (self.channel as u64) << 32
            | (self.user_ref_num / USER_REF_PAGE_LEN) as u64
    }

    const fn slot(self) -> u32 {
        self.user_ref_num % USER_REF_PAGE_LEN
    }

    const fn lane(self) -> usize {
        lane(self.port, self.channel)
    }
}

/// Position of a channel of a port among all.
pub(crate) const fn lane(port: u16, channel: u8) -> usize {
    port as usize * CHANNELS + channel as usize
}

/// The lane in a page's key.
fn lane_of(page_key: u64) -> usize {
    usize::try_from(page_key >> 32).unwrap_or(0)
}

impl UserRefs {
    pub(crate) fn new(capacity: &Capacity) -> Self {
        let pages_max = capacity.user_ref_pages;
        let ports = usize::from(capacity.ports) + 1;
        let buckets_len = (pages_max as usize * 8).next_power_of_two();
        let (older, newer) = (NONE, NONE);
        let empty = Page { key: 0, live_count: 0, older, newer };
        let mut table = Self {
            pages: filled(empty, pages_max as usize),
            slots: filled(Slots::EMPTY, pages_max as usize),
            free: NONE,
            buckets: filled(NONE, buckets_len),
            newest: filled(NONE, ports * CHANNELS),
            ends: vec![[NONE; 2]; ports],
            held: vec![0; ports],
            quota: capacity.port_pages,
            empty_count: 0,
        };
        table.link_free();
        table
    }

    fn link_free(&mut self) {
        let pages_len = self.pages.len() as u64;
        for (next, page) in (1..).zip(&mut self.pages) {
            page.key = if next < pages_len { next } else { u64::from(NONE) };
        }
        self.free = if pages_len == 0 { NONE } else { 0 };
    }

    /// Forgets every number of every port: a new day begins. No order is in the table.
    pub(crate) fn begin_day(&mut self) {
        self.buckets.fill(NONE);
        self.newest.fill(NONE);
        self.held.fill(0);
        self.empty_count = 0;
        self.ends.fill([NONE; 2]);
        for page in &mut self.pages {
            page.live_count = 0;
        }
        self.slots.fill(Slots::EMPTY);
        self.link_free();
    }

    /// Multiplicative hash: the upper bits of the product are well mixed.
    #[inline]
    fn home(&self, key: u64) -> usize {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (mixed & (self.buckets.len() as u64 - 1)) as usize
    }

    #[inline]
    fn page(&self, page: u32) -> &Page {
        debug_assert!((page as usize) < self.pages.len(), "a page that there is not");
        // SAFETY: by the invariant `page`, which is not `NONE`, is in the table.
        unsafe { self.pages.get_unchecked(page as usize) }
    }

    #[inline]
    fn page_mut(&mut self, page: u32) -> &mut Page {
        debug_assert!((page as usize) < self.pages.len(), "a page that there is not");
        // SAFETY: as in `page`.
        unsafe { self.pages.get_unchecked_mut(page as usize) }
    }

    #[inline]
    fn noted(&self, entry: Entry) -> u32 {
        debug_assert!((entry.page as usize) < self.slots.len(), "a page that there is not");
        // SAFETY: by the invariant an entry names a page in the table.
        let slots = unsafe { self.slots.get_unchecked(entry.page as usize) };
        slots.0[(entry.at % USER_REF_PAGE_LEN) as usize]
    }

    #[inline]
    fn noted_mut(&mut self, entry: Entry) -> &mut u32 {
        debug_assert!((entry.page as usize) < self.slots.len(), "a page that there is not");
        // SAFETY: as in `noted`.
        let slots = unsafe { self.slots.get_unchecked_mut(entry.page as usize) };
        &mut slots.0[(entry.at % USER_REF_PAGE_LEN) as usize]
    }

    #[inline]
    fn bucket(&self, at: usize) -> u32 {
        debug_assert!(at < self.buckets.len(), "a bucket that there is not");
        // SAFETY: `at` comes from `home` and `after`, which stay below the power of two.
        *unsafe { self.buckets.get_unchecked(at) }
    }

    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    fn bucket_of(&self, key: u64) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            let page = self.bucket(at);
            if page == NONE {
                return None;
            }
            if self.page(page).key == key {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    #[inline]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets.len() - 1)
    }

    /// Where `key` is kept, if its page is there.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn find(&self, key: Key) -> Option<Entry> {
        let bucket = self.bucket_of(key.page())?;
        Some(Entry { page: self.bucket(bucket), at: key.slot() })
    }

    /// The slot of the live order that its owner calls `key`, and where that is noted.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn get(&self, key: Key) -> Option<(u32, Entry)> {
        let entry = self.find(key)?;
        let slot = self.noted(entry);
        (slot != NONE).then_some((slot, entry))
    }

    /// Fetches what says where the page of `key` is; returns its place.
    #[inline]
    pub(crate) fn fetch_bucket(&self, key: Key) -> u32 {
        let home = self.home(key.page());
        if let Some(bucket) = self.buckets.get(home) {
            fetch(bucket);
        }
        u32::try_from(home).unwrap_or(0)
    }

    /// Fetches the page that is probably that of `key`, and the slot noted there.
    #[inline]
    pub(crate) fn fetch_page(&self, key: Key) {
        let home = self.home(key.page());
        let _page = self.fetch_noted(u32::try_from(home).unwrap_or(0), key.user_ref_num);
    }

    /// Fetches the page in `bucket` and the slot noted there at the last digits of `at`. Returns
    /// the page if there is one.
    #[inline]
    pub(crate) fn fetch_noted(&self, bucket: u32, at: u32) -> Option<u32> {
        let page = *self.buckets.get(bucket as usize)?;
        fetch(self.pages.get(page as usize)?);
        fetch(&self.slots.get(page as usize)?.0[(at % USER_REF_PAGE_LEN) as usize]);
        Some(page)
    }

    /// The slot noted on a page, or [`NONE`].
    #[inline]
    pub(crate) fn noted_at(&self, page: u32, at: u32) -> u32 {
        let slots = self.slots.get(page as usize);
        slots.map_or(NONE, |slots| slots.0[(at % USER_REF_PAGE_LEN) as usize])
    }

    /// Makes sure that `key`, higher than any before it in its channel, can be stored.
    ///
    /// `None` when no page is left: the order must be refused.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn reserve(&mut self, key: Key) -> Option<Entry> {
        let newest = self.newest[key.lane()];
        if newest != NONE && self.page(newest).key == key.page() {
            return Some(Entry { page: newest, at: key.slot() });
        }
        let page = self.turn_page(key)?;
        Some(Entry { page, at: key.slot() })
    }

    /// Takes the page of `key` for its channel to fill.
    #[inline(never)]
    fn turn_page(&mut self, key: Key) -> Option<u32> {
        let (port, page_key) = (usize::from(key.port), key.page());
        let newest = self.newest[key.lane()];
        if newest != NONE && self.pages[newest as usize].live_count == 0 {
            self.newest[key.lane()] = NONE;
            self.free_page(newest);
        }
        if self.free == NONE || self.quota <= self.held[port] {
            self.reclaim();
        }
        if self.free == NONE || self.quota <= self.held[port] {
            return None;
        }
        self.held[port] += 1;
        self.empty_count += 1;
        let index = self.free;
        let page = &mut self.pages[index as usize];
        self.free = u32::try_from(page.key).unwrap_or(NONE);
        page.key = page_key;
        let [_, last] = self.ends[port];
        (page.older, page.newer) = (last, NONE);
        self.join(port, last, index);
        self.join(port, index, NONE);
        let mut at = self.home(page_key);
        while self.buckets[at] != NONE {
            at = self.after(at);
        }
        self.buckets[at] = index;
        self.newest[key.lane()] = index;
        Some(index)
    }

    /// Stores the slot of an order whose number was reserved.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn set(&mut self, entry: Entry, slot: u32) {
        let noted = self.noted_mut(entry);
        debug_assert_eq!(*noted, NONE, "a number stored twice");
        *noted = slot;
        let page = self.page_mut(entry.page);
        page.live_count += 1;
        if page.live_count == 1 {
            self.empty_count -= 1;
        }
    }

    /// Forgets the dead order that its owner called `key`.
    #[inline]
    pub(crate) fn clear(&mut self, key: Key) {
        let entry = self.find(key);
        debug_assert!(entry.is_some(), "a number is forgotten that was not stored");
        if let Some(entry) = entry {
            self.clear_at(entry);
        }
    }

    /// Forgets the dead order that is noted at `entry`.
    #[expect(clippy::inline_always, reason = "counted: calls cost what they do")]
    #[inline(always)]
    pub(crate) fn clear_at(&mut self, entry: Entry) {
        let noted = self.noted_mut(entry);
        debug_assert_ne!(*noted, NONE, "a number forgotten twice");
        *noted = NONE;
        let page = self.page_mut(entry.page);
        page.live_count -= 1;
        if page.live_count == 0 {
            self.leave(entry.page);
        }
    }

    /// Frees a page whose last order died, unless its channel is filling it.
    #[inline(never)]
    fn leave(&mut self, index: u32) {
        self.empty_count += 1;
        if self.newest[lane_of(self.pages[index as usize].key)] != index {
            self.free_page(index);
        }
    }

    /// Frees the pages that channels were filling and that have no live order, when others need
    /// them. Each look at all ports frees at least one page.
    #[cold]
    fn reclaim(&mut self) {
        if self.empty_count == 0 {
            return;
        }
        for port in 0..self.ends.len() {
            let [mut at, _] = self.ends[port];
            while at != NONE {
                let Page { key, live_count, newer, .. } = self.pages[at as usize];
                if live_count == 0 {
                    self.newest[lane_of(key)] = NONE;
                    self.free_page(at);
                }
                at = newer;
            }
        }
    }

    /// Makes two pages of a port neighbours; [`NONE`] stands for the end of its list.
    fn join(&mut self, port: usize, older: u32, newer: u32) {
        match self.pages.get_mut(older as usize) {
            Some(page) => page.newer = newer,
            None => self.ends[port][0] = newer,
        }
        match self.pages.get_mut(newer as usize) {
            Some(page) => page.older = older,
            None => self.ends[port][1] = older,
        }
    }

    /// The slots of a port's live orders, by rising number within each channel.
    pub(crate) fn live(&self, port: u16) -> impl Iterator<Item = u32> + '_ {
        let [mut at, _] = self.ends[usize::from(port)];
        let pages = core::iter::from_fn(move || {
            let page = at as usize;
            at = self.pages.get(page)?.newer;
            Some(&self.slots[page].0)
        });
        pages.flat_map(|slots| slots.iter().copied().filter(|&slot| slot != NONE))
    }

    /// Which page a channel is filling, if it is filling one.
    pub(crate) fn newest(&self, lane: usize) -> Option<u64> {
        let page = self.pages.get(self.newest[lane] as usize)?;
        Some(page.key)
    }

    /// Takes a page without live orders out of the hash table, closing the gap, and frees it.
    fn free_page(&mut self, index: u32) {
        self.empty_count -= 1;
        let Page { key, older, newer, .. } = self.pages[index as usize];
        let port = lane_of(key) / CHANNELS;
        self.held[port] -= 1;
        self.join(port, older, newer);
        let Some(mut gap) = self.bucket_of(self.pages[index as usize].key) else {
            return;
        };
        let mask = self.buckets.len() - 1;
        let mut at = self.after(gap);
        while self.buckets[at] != NONE {
            let home = self.home(self.pages[self.buckets[at] as usize].key);
            // The page at `at` may fill the gap only if its home is not between them.
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.buckets[gap] = self.buckets[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.buckets[gap] = NONE;
        self.pages[index as usize].key = u64::from(self.free);
        self.free = index;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const ROUNDS: u32 = if cfg!(miri) { 60 } else { 50_000 };

    const fn key(port: u16, user_ref_num: u32) -> Key {
        Key { port, channel: 0, user_ref_num }
    }

    fn reserve(refs: &mut UserRefs, key: Key) -> bool {
        refs.reserve(key).is_some()
    }

    fn set(refs: &mut UserRefs, key: Key, slot: u32) {
        let entry = refs.find(key).unwrap();
        refs.set(entry, slot);
    }

    fn get(refs: &UserRefs, key: Key) -> Option<u32> {
        let (slot, entry) = refs.get(key)?;
        assert_eq!(refs.find(key), Some(entry));
        Some(slot)
    }

    fn table(ports: u16, user_ref_pages: u32, port_pages: u32) -> UserRefs {
        UserRefs::new(&Capacity { ports, port_pages, user_ref_pages, ..Capacity::default() })
    }

    #[test]
    fn a_port_at_its_quota_leaves_the_rest_to_others() {
        let mut refs = table(2, 4, 2);
        for number in [1, 64] {
            assert!(reserve(&mut refs, key(1, number)));
            set(&mut refs, key(1, number), number);
        }
        assert!(!reserve(&mut refs, key(1, 128)));
        assert!(reserve(&mut refs, key(2, 1)));
        refs.clear(key(1, 1));
        assert!(reserve(&mut refs, key(1, 128)));
    }

    #[test]
    fn the_table_agrees_with_an_ordered_map() {
        let mut refs = table(3, 128, 128);
        let mut model = BTreeMap::new();
        let mut marks = BTreeMap::new();
        let mut state = 1_u64;
        for slot in 0..ROUNDS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = u32::try_from(state >> 33).unwrap();
            let port = u16::try_from(random % 3 + 1).unwrap();
            let channel = [0, 0, 0, 1, 255][random as usize / 3 % 5];
            if !random.is_multiple_of(3) && model.len() < 40 {
                let mark: &mut u32 = marks.entry((port, channel)).or_default();
                *mark += 1 + random % 100;
                let key = Key { port, channel, user_ref_num: *mark };
                assert!(reserve(&mut refs, key), "40 orders and 9 channels need at most 49 pages");
                set(&mut refs, key, slot);
                model.insert(key, slot);
            } else if let Some(&key) = model.keys().nth(random as usize % 40) {
                refs.clear(key);
                model.remove(&key);
            }
            for port in 1..=3 {
                let live: BTreeSet<u32> = refs.live(port).collect();
                let expected = model.iter().filter(|(key, _)| key.port == port);
                assert_eq!(live, expected.map(|(_, &slot)| slot).collect(), "port {port}");
            }
            for (&key, &slot) in &model {
                assert_eq!(get(&refs, key), Some(slot));
                let neighbour = Key { user_ref_num: key.user_ref_num + 1, ..key };
                assert_eq!(get(&refs, neighbour), model.get(&neighbour).copied());
                let elsewhere = Key { channel: key.channel.wrapping_add(1), ..key };
                assert_eq!(get(&refs, elsewhere), model.get(&elsewhere).copied());
            }
        }
    }

    #[test]
    fn an_exhausted_table_refuses_until_an_old_page_dies() {
        let mut refs = table(1, 2, 2);
        for number in [1, 64] {
            assert!(reserve(&mut refs, key(1, number)));
            set(&mut refs, key(1, number), number);
        }
        assert!(!reserve(&mut refs, key(1, 128)));
        refs.clear(key(1, 1));
        assert!(reserve(&mut refs, key(1, 128)));
    }

    #[test]
    fn channels_without_live_orders_leave_their_pages_to_others() {
        let mut refs = table(2, 8, 8);
        for channel in 0..8 {
            let key = Key { port: 1, channel, user_ref_num: 1 };
            assert!(reserve(&mut refs, key));
            set(&mut refs, key, u32::from(channel));
        }
        assert!(!reserve(&mut refs, key(2, 1)), "all hold a live order");
        for channel in [3, 5] {
            refs.clear(Key { port: 1, channel, user_ref_num: 1 });
        }
        for number in [1, 64] {
            assert!(reserve(&mut refs, key(2, number)), "page of number {number}");
            set(&mut refs, key(2, number), 9);
        }
        assert!(!reserve(&mut refs, key(2, 128)));
        // The channel that lost its page goes on in another one.
        refs.clear(Key { port: 1, channel: 7, user_ref_num: 1 });
        let next = Key { port: 1, channel: 3, user_ref_num: 2 };
        assert!(reserve(&mut refs, next));
        set(&mut refs, next, 4);
        assert_eq!(get(&refs, next), Some(4));
        assert_eq!(get(&refs, Key { port: 1, channel: 0, user_ref_num: 1 }), Some(0));
    }

    #[test]
    fn a_new_day_forgets_everything() {
        let mut refs = table(1, 1, 1);
        assert!(reserve(&mut refs, key(1, 5)));
        set(&mut refs, key(1, 5), 9);
        refs.begin_day();
        assert_eq!(get(&refs, key(1, 5)), None);
        assert!(reserve(&mut refs, key(1, 5)));
    }
}
