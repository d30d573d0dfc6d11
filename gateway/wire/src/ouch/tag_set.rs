//! Which appendage tags may follow which OUCH message.

use crate::ouch::appendage::TAGS;

/// A set of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagSet {
    /// Bit `tag % 64` of word `tag / 64`.
    words: [u64; 4],
}

impl TagSet {
    /// No tag.
    pub const EMPTY: Self = Self { words: [0; 4] };
    /// Every tag of [`TAGS`].
    pub const KNOWN: Self = {
        let mut set = Self::EMPTY;
        let mut rest = TAGS;
        while let [tag, tail @ ..] = rest {
            set = set.with(&[tag.number]);
            rest = tail;
        }
        set
    };
    /// Tags after Enter Order.
    pub const ENTER: Self = Self::EMPTY
        .with(&[2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 25, 26, 28, 29, 30])
        .with(&[129]);
    /// Tags after Replace.
    pub const REPLACE: Self = Self::EMPTY
        .with(&[3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 24, 25, 26, 27, 28, 29, 30])
        .with(&[129]);
    /// Tags after Cancel.
    pub const CANCEL: Self = Self::EMPTY.with(&[28, 128]);
    /// Tags after Modify.
    pub const MODIFY: Self = Self::EMPTY.with(&[25, 26, 28]);
    /// Tags after Account Query.
    pub const ACCOUNT_QUERY: Self = Self::EMPTY.with(&[28]);
    /// Tags after Mass Cancel.
    pub const MASS_CANCEL: Self = Self::EMPTY.with(&[24, 27, 28]);
    /// Tags after Disable and Enable Order Entry.
    pub const ENTRY_SWITCH: Self = Self::EMPTY.with(&[28]);

    /// Returns the set with `tags` added.
    #[must_use]
    pub const fn with(self, tags: &[u8]) -> Self {
        let mut words = self.words;
        let mut rest = tags;
        while let [tag, tail @ ..] = rest {
            words[(*tag / 64) as usize] |= 1 << (*tag % 64);
            rest = tail;
        }
        Self { words }
    }

    /// Returns whether `tag` is in the set.
    #[must_use]
    pub const fn contains(self, tag: u8) -> bool {
        self.words[(tag / 64) as usize] & (1 << (tag % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_added_over_the_whole_range() {
        let set = TagSet::EMPTY.with(&[0, 63, 64, 255]);
        for tag in 0..=u8::MAX {
            assert_eq!(set.contains(tag), [0, 63, 64, 255].contains(&tag), "tag {tag}");
        }
    }

    #[test]
    fn every_tag_a_message_may_carry_is_known() {
        let sets = [TagSet::ENTER, TagSet::REPLACE, TagSet::MODIFY, TagSet::MASS_CANCEL];
        for tag in 0..=u8::MAX {
            let allowed = sets.iter().any(|set| set.contains(tag));
            assert!(!allowed || TagSet::KNOWN.contains(tag), "tag {tag}");
        }
        assert!(!TagSet::KNOWN.contains(8));
        assert!(!TagSet::KNOWN.contains(21));
        assert!(!TagSet::KNOWN.contains(130));
    }
}
