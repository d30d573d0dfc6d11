//! The pages of the table taken down and set up again.

use super::{CHANNELS, NONE, Page, UserRefs, lane_of};

impl UserRefs {
    /// The keys of the pages in use, port by port in the order in which they were taken, and
    /// whether a channel is filling the page.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        self.ends.iter().flat_map(move |&[mut at, _]| {
            core::iter::from_fn(move || {
                let index = at;
                let page = self.pages.get(index as usize)?;
                at = page.newer;
                Some((page.key, self.newest[lane_of(page.key)] == index))
            })
        })
    }

    /// Takes a page again that was in use; `false` when it cannot have been: there is no such port,
    /// it is taken, its channel fills another one, or there are no more.
    ///
    /// The orders noted on it follow, by [`Self::set`].
    pub(crate) fn restore_page(&mut self, key: u64, is_newest: bool) -> bool {
        let (lane, port) = (lane_of(key), lane_of(key) / CHANNELS);
        let is_possible = port < self.ends.len()
            && self.free != NONE
            && self.held[port] < self.quota
            && self.bucket_of(key).is_none()
            && !(is_newest && self.newest[lane] != NONE);
        if !is_possible {
            return false;
        }
        let index = self.free;
        let page = &mut self.pages[index as usize];
        self.free = u32::try_from(page.key).unwrap_or(NONE);
        let [_, last] = self.ends[port];
        *page = Page { key, live_count: 0, older: last, newer: NONE };
        self.join(port, last, index);
        self.join(port, index, NONE);
        let mut at = self.home(key);
        while self.buckets[at] != NONE {
            at = self.after(at);
        }
        self.buckets[at] = index;
        self.held[port] += 1;
        self.empty_count += 1;
        if is_newest {
            self.newest[lane] = index;
        }
        true
    }

    /// Whether every page in use holds a live order or is being filled.
    pub(crate) fn are_pages_used(&self) -> bool {
        let mut pages = self.ends.iter().flat_map(move |&[mut at, _]| {
            core::iter::from_fn(move || {
                let index = at;
                at = self.pages.get(index as usize)?.newer;
                Some(index)
            })
        });
        pages.all(|index| {
            let Page { key, live_count, .. } = self.pages[index as usize];
            0 < live_count || self.newest[lane_of(key)] == index
        })
    }
}
