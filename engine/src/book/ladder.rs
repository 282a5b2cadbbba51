//! One price ladder: the levels of one side in one zone, best first, and which of them are occupied.
//!
//! Knows keys, of which the lowest is the best, and queues' ends; does not know prices, sides or orders. Keeps:
//! a level is occupied as long as it has energy. Levels are made in pages of 64, each with a word that has a
//! bit for every occupied level; two more levels of words above it find the next one in a few steps, however
//! far it is. A page whose last level is vacated is used again for other prices.

use alloc::vec::Vec;

/// No page, and no order.
pub(crate) const NONE: u32 = u32::MAX;
/// Levels in a page, and bits in a word.
const WIDTH: u32 = 64;

/// Where one price's queue begins and ends, and how much it holds: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// The first order's handle.
    pub(crate) head: u32,
    /// The last order's handle.
    pub(crate) tail: u32,
    /// The energy of all of them, in Wh.
    pub(crate) energy: u64,
}

/// The levels of one side in one zone. Makes nothing before its first use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    /// The number of each page, by the keys' upper bits; [`NONE`] where no level is occupied.
    directory: Vec<u32>,
    /// Which pages have an occupied level, one bit each.
    middle: Vec<u64>,
    /// Which words of `middle` are not zero.
    top: u64,
    pages: Vec<Page>,
    /// The numbers of pages that are free.
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Page {
    occupied: u64,
    levels: [Level; WIDTH as usize],
}

const VACANT: Level = Level { head: NONE, tail: NONE, energy: 0 };

impl Ladder {
    /// Returns the level of `key`, if it is occupied.
    #[inline]
    pub(crate) fn level(&self, key: u32) -> Option<&Level> {
        let page = self.pages.get(*self.directory.get(part(key))? as usize)?;
        let level = &page.levels[place(key)];
        (level.energy != 0).then_some(level)
    }

    /// Returns the level of `key`, which is occupied, to change it.
    #[inline]
    pub(crate) fn level_mut(&mut self, key: u32) -> &mut Level {
        let page = self.directory[part(key)];
        &mut self.pages[page as usize].levels[place(key)]
    }

    /// Returns the level of `key` to be occupied now, in a ladder of so many levels.
    #[inline]
    pub(crate) fn occupy(&mut self, key: u32, levels: u32) -> &mut Level {
        if self.directory.is_empty() {
            self.make(levels);
        }
        let part = part(key);
        if self.directory[part] == NONE {
            self.add_page(part);
        }
        let page = &mut self.pages[self.directory[part] as usize];
        page.occupied |= bit(key);
        &mut page.levels[place(key)]
    }

    /// Lets the level of `key`, which has no energy left, be vacant.
    #[inline]
    pub(crate) fn vacate(&mut self, key: u32) {
        let part = part(key);
        let number = self.directory[part];
        let page = &mut self.pages[number as usize];
        page.levels[place(key)] = VACANT;
        page.occupied &= !bit(key);
        if page.occupied == 0 {
            self.drop_page(part, number);
        }
    }

    /// Returns the first occupied key that is not below `key`.
    #[inline]
    pub(crate) fn next_from(&self, key: u32) -> Option<u32> {
        let part = part(key);
        let page = *self.directory.get(part)?;
        if page != NONE {
            let above = self.pages[page as usize].occupied & (u64::MAX << (key % WIDTH));
            if above != 0 {
                return Some(key / WIDTH * WIDTH + above.trailing_zeros());
            }
        }
        self.first_of_parts_from(part + 1)
    }

    /// Returns the first occupied key in the page of `part`, or in one behind it.
    fn first_of_parts_from(&self, part: usize) -> Option<u32> {
        let from = u32::try_from(part).expect("a ladder has less than 2^12 pages");
        let (word, bit) = (part / 64, from % WIDTH);
        let here = self.middle.get(word)? & (u64::MAX << bit);
        let part = if here != 0 {
            from / WIDTH * WIDTH + here.trailing_zeros()
        } else {
            let words = self.top.checked_shr(from / WIDTH + 1).filter(|words| *words != 0)?;
            let word = from / WIDTH + 1 + words.trailing_zeros();
            word * WIDTH + self.middle[word as usize].trailing_zeros()
        };
        let page = self.directory[part as usize];
        Some(part * WIDTH + self.pages[page as usize].occupied.trailing_zeros())
    }

    fn make(&mut self, levels: u32) {
        let pages = levels.div_ceil(WIDTH);
        assert!(pages <= WIDTH * WIDTH, "the market's prices are checked to fit a ladder");
        self.directory = alloc::vec![NONE; pages as usize];
        self.middle = alloc::vec![0; pages.div_ceil(WIDTH) as usize];
    }

    #[cold]
    fn add_page(&mut self, part: usize) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.pages.push(Page { occupied: 0, levels: [VACANT; WIDTH as usize] });
            // Every page can be free at once.
            self.free.reserve(self.pages.len());
            u32::try_from(self.pages.len() - 1).expect("a ladder has less than 2^12 pages")
        });
        self.directory[part] = number;
        self.middle[part / 64] |= 1 << (part % 64);
        self.top |= 1 << (part / 64);
    }

    #[cold]
    fn drop_page(&mut self, part: usize, number: u32) {
        self.directory[part] = NONE;
        self.free.push(number);
        self.middle[part / 64] &= !(1 << (part % 64));
        if self.middle[part / 64] == 0 {
            self.top &= !(1 << (part / 64));
        }
    }
}

/// Returns which page a key belongs to.
#[inline]
fn part(key: u32) -> usize {
    (key / WIDTH) as usize
}

/// Returns a key's place in its page.
#[inline]
fn place(key: u32) -> usize {
    (key % WIDTH) as usize
}

#[inline]
fn bit(key: u32) -> u64 {
    1 << (key % WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    const LEVELS: u32 = 262_144;

    proptest! {
        #[test]
        fn the_next_occupied_level_is_that_of_a_sorted_set(
            steps in prop::collection::vec((any::<bool>(), prop_oneof![0..200_u32, 0..LEVELS]), 1..200),
            from in 0..LEVELS,
        ) {
            let (mut ladder, mut set) = (Ladder::default(), BTreeSet::new());
            for (occupies, key) in steps {
                if occupies {
                    ladder.occupy(key, LEVELS).energy = 1;
                    set.insert(key);
                } else if set.remove(&key) {
                    ladder.level_mut(key).energy = 0;
                    ladder.vacate(key);
                }
                for from in [0, from, key, key.saturating_sub(1), (key + 1).min(LEVELS - 1)] {
                    prop_assert_eq!(ladder.next_from(from), set.range(from..).next().copied());
                }
                prop_assert_eq!(ladder.level(key).is_some(), set.contains(&key));
            }
            let parts: BTreeSet<u32> = set.iter().map(|key| key / WIDTH).collect();
            prop_assert_eq!(ladder.pages.len() - ladder.free.len(), parts.len(), "empty pages are free");
        }
    }

    #[test]
    fn a_level_takes_16_bytes() {
        assert_eq!(size_of::<Level>(), 16);
    }
}
