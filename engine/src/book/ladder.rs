//! Price ladders: for every side and zone of a book its levels, best first, and which of them are occupied.
//!
//! Knows keys, of which the lowest is the best, and queues' ends; does not know prices, sides or orders.
//! Keeps: a level is occupied as long as it has energy.
//!
//! Levels stand in pages of 64, each with a word that has a bit for every occupied level; in each ladder two
//! more tiers of words above its pages find the next one in a few steps, however far it is. A page whose last
//! level is vacated is used again, by whichever ladder. An order remembers its level's place, so that most of
//! them go without looking at their ladder at all.

use alloc::vec::Vec;

use super::push_sparingly;

/// No page, no level, and no order.
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

/// A level's place: its page, and which of the page's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    /// Where no level is.
    pub(crate) const NOWHERE: Place = Place(NONE);

    #[inline]
    fn new(page: u32, key: u32) -> Place {
        Place((page << 6) | (key % WIDTH))
    }
}

/// The levels of all ladders of a book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    list: Vec<Page>,
    /// Those of page 0, and then those of page 1: a place is an index.
    levels: Vec<Level>,
    /// The first free page; each names the next one in its `first_key`.
    free: u32,
}

#[derive(Clone, Debug)]
struct Page {
    /// Which levels are occupied, one bit each.
    occupied: u64,
    /// Of which ladder the levels are.
    ladder: u32,
    /// The first level's key.
    first_key: u32,
}

/// A level that is vacant now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacated {
    /// The number of its ladder.
    pub(crate) number: usize,
    pub(crate) key: u32,
    /// The key and the first order of the next occupied level in its page.
    pub(crate) next: Option<(u32, u32)>,
    pub(crate) page_is_empty: bool,
}

/// One ladder: where its levels are. Makes nothing before its first use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    /// The number of each page, by the keys' upper bits; [`NONE`] where no level is occupied.
    directory: Vec<u32>,
    /// Which pages have an occupied level, one bit each.
    middle: Vec<u64>,
    /// Which words of `middle` are not zero.
    top: u64,
}

const VACANT: Level = Level { head: NONE, tail: NONE, energy: 0 };

impl Pages {
    /// Returns no pages.
    pub(crate) fn new() -> Pages {
        Pages { list: Vec::new(), levels: Vec::new(), free: NONE }
    }

    /// Returns the level at a place.
    #[inline]
    pub(crate) fn at(&mut self, place: Place) -> &mut Level {
        &mut self.levels[place.0 as usize]
    }

    /// Marks the level at a place as occupied.
    #[inline]
    pub(crate) fn occupy(&mut self, place: Place) {
        self.list[(place.0 / WIDTH) as usize].occupied |= 1 << (place.0 % WIDTH);
    }

    /// Returns the number of the ladder that the level at a place is of, and its key.
    #[inline]
    pub(crate) fn whose(&self, place: Place) -> (usize, u32) {
        let page = &self.list[(place.0 / WIDTH) as usize];
        (page.ladder as usize, page.first_key + place.0 % WIDTH)
    }

    /// Lets a level that has no energy left be vacant, and returns whose it was and what follows it. If its
    /// page is left empty its ladder must drop that.
    #[inline]
    pub(crate) fn vacate(&mut self, place: Place) -> Vacated {
        let at = place.0 % WIDTH;
        let page = &mut self.list[(place.0 / WIDTH) as usize];
        self.levels[place.0 as usize] = VACANT;
        page.occupied &= !(1 << at);
        let above = page.occupied & (u64::MAX << at);
        let next = (above != 0).then(|| {
            let next = above.trailing_zeros();
            (page.first_key + next, self.levels[(place.0 - at + next) as usize].head)
        });
        let (number, key) = (page.ladder as usize, page.first_key + at);
        Vacated { number, key, next, page_is_empty: page.occupied == 0 }
    }

    fn make(&mut self, ladder: usize, first_key: u32) -> u32 {
        let ladder = u32::try_from(ladder).expect("a book has two ladders a zone");
        if let Some(page) = self.list.get_mut(self.free as usize) {
            let number = core::mem::replace(&mut self.free, page.first_key);
            (page.ladder, page.first_key) = (ladder, first_key);
            return number;
        }
        for _ in 0..WIDTH {
            push_sparingly(&mut self.levels, VACANT);
        }
        push_sparingly(&mut self.list, Page { occupied: 0, ladder, first_key })
    }

    fn free(&mut self, number: u32) {
        self.list[number as usize].first_key = core::mem::replace(&mut self.free, number);
    }
}

impl Ladder {
    /// Returns where the level of `key` is, if its page is.
    #[inline]
    fn place(&self, key: u32) -> Option<Place> {
        let page = *self.directory.get((key / WIDTH) as usize)?;
        (page != NONE).then(|| Place::new(page, key))
    }

    /// Returns the level of `key`, if it is occupied.
    #[inline]
    pub(crate) fn level(&self, pages: &Pages, key: u32) -> Option<Level> {
        let level = pages.levels[self.place(key)?.0 as usize];
        (level.energy != 0).then_some(level)
    }

    /// Returns where the level of `key` is, in a page that is made if there is none; `own` is this ladder's
    /// number, and it has so many levels. The level must be occupied now.
    #[inline]
    pub(crate) fn place_for(&mut self, pages: &mut Pages, own: usize, key: u32, levels: u32) -> Place {
        match self.place(key) {
            Some(place) => place,
            None => self.add_page(pages, own, key, levels),
        }
    }

    /// Returns the first occupied key that is not below `key`.
    #[inline]
    pub(crate) fn next_from(&self, pages: &Pages, key: u32) -> Option<u32> {
        let part = (key / WIDTH) as usize;
        let page = *self.directory.get(part)?;
        if let Some(page) = pages.list.get(page as usize) {
            let above = page.occupied & (u64::MAX << (key % WIDTH));
            if above != 0 {
                return Some(key / WIDTH * WIDTH + above.trailing_zeros());
            }
        }
        self.first_of_parts_from(pages, key / WIDTH + 1)
    }

    /// Returns every occupied key, rising.
    pub(crate) fn keys(&self, pages: &Pages) -> impl Iterator<Item = u32> {
        core::iter::successors(self.next_from(pages, 0), |key| self.next_from(pages, key + 1))
    }

    /// Returns the first occupied key in the page of `part`, or in one behind it.
    fn first_of_parts_from(&self, pages: &Pages, part: u32) -> Option<u32> {
        let (word, bit) = (part / WIDTH, part % WIDTH);
        let here = self.middle.get(word as usize)? & (u64::MAX << bit);
        let part = if here != 0 {
            word * WIDTH + here.trailing_zeros()
        } else {
            let words = self.top.checked_shr(word + 1).filter(|words| *words != 0)?;
            let word = word + 1 + words.trailing_zeros();
            word * WIDTH + self.middle[word as usize].trailing_zeros()
        };
        let page = self.directory[part as usize];
        Some(part * WIDTH + pages.list[page as usize].occupied.trailing_zeros())
    }

    #[cold]
    #[inline(never)]
    fn add_page(&mut self, pages: &mut Pages, own: usize, key: u32, levels: u32) -> Place {
        if self.directory.is_empty() {
            let parts = levels.div_ceil(WIDTH);
            assert!(parts <= WIDTH * WIDTH, "the market's prices are checked to fit a ladder");
            self.directory = alloc::vec![NONE; parts as usize];
            self.middle = alloc::vec![0; parts.div_ceil(WIDTH) as usize];
        }
        let part = key / WIDTH;
        let number = pages.make(own, part * WIDTH);
        self.directory[part as usize] = number;
        self.middle[(part / WIDTH) as usize] |= 1 << (part % WIDTH);
        self.top |= 1 << (part / WIDTH);
        Place::new(number, key)
    }

    /// Drops a page that is left empty.
    #[cold]
    #[inline(never)]
    pub(crate) fn drop_page(&mut self, pages: &mut Pages, place: Place) {
        let number = place.0 / WIDTH;
        let part = pages.list[number as usize].first_key / WIDTH;
        self.directory[part as usize] = NONE;
        pages.free(number);
        let word = &mut self.middle[(part / WIDTH) as usize];
        *word &= !(1 << (part % WIDTH));
        if *word == 0 {
            self.top &= !(1 << (part / WIDTH));
        }
    }
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
            steps in prop::collection::vec(
                (0..2_usize, any::<bool>(), prop_oneof![0..200_u32, 0..LEVELS]), 1..200,
            ),
            from in 0..LEVELS,
        ) {
            let mut pages = Pages::new();
            let mut ladders = [Ladder::default(), Ladder::default()];
            let mut sets = [BTreeSet::new(), BTreeSet::new()];
            for (number, occupies, key) in steps {
                let (ladder, set) = (&mut ladders[number], &mut sets[number]);
                if occupies {
                    let place = ladder.place_for(&mut pages, number, key, LEVELS);
                    pages.occupy(place);
                    pages.at(place).energy = 1;
                    prop_assert_eq!(pages.whose(place), (number, key));
                    set.insert(key);
                } else if set.remove(&key) {
                    let place = ladder.place(key).unwrap();
                    pages.at(place).energy = 0;
                    let vacated = pages.vacate(place);
                    let next = set.range(key..).next().copied().filter(|next| next / WIDTH == key / WIDTH);
                    prop_assert_eq!((vacated.number, vacated.key), (number, key));
                    prop_assert_eq!(vacated.next.map(|(next, _)| next), next);
                    if vacated.page_is_empty {
                        ladder.drop_page(&mut pages, place);
                    }
                }
                for from in [0, from, key, key.saturating_sub(1), (key + 1).min(LEVELS - 1)] {
                    prop_assert_eq!(ladder.next_from(&pages, from), set.range(from..).next().copied());
                }
                prop_assert_eq!(ladder.level(&pages, key).is_some(), set.contains(&key));
                prop_assert!(ladder.keys(&pages).eq(set.iter().copied()));
            }
            let free = core::iter::successors(Some(pages.free), |number| {
                pages.list.get(*number as usize).map(|page| page.first_key)
            });
            let pages_of = |set: &BTreeSet<u32>| set.iter().map(|key| key / WIDTH).collect::<BTreeSet<_>>();
            let used: usize = sets.iter().map(|set| pages_of(set).len()).sum();
            prop_assert_eq!(pages.list.len() - (free.count() - 1), used, "empty pages are free");
        }
    }

    #[test]
    fn a_level_takes_16_bytes() {
        assert_eq!(size_of::<Level>(), 16);
    }
}
