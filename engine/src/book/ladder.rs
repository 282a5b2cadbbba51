//! Price ladders: for every side and zone of a book its levels, best first, and which of them are occupied.
//!
//! Knows keys, of which the lowest is the best, and queues' ends; does not know prices, sides or orders.
//! Keeps: a level is occupied as long as it has a first order.
//!
//! Levels stand in pages of 64, each with a word that has a bit for every occupied level; in each ladder two
//! more tiers of words above its pages find the next one in a few steps, however far it is. A page whose last
//! level is vacated is used again, by whichever ladder; a ladder keeps the one that it left last, as prices often
//! come back. An order remembers its level's place, so that most of them go without looking at their ladder at all.

use alloc::vec::Vec;

use super::push_sparingly;

/// No page, no level, and no order.
pub(crate) const NONE: u32 = u32::MAX;
/// Levels in a page, and bits in a word.
const WIDTH: u32 = 64;
/// How many parts a ladder's window has at first.
const WINDOW: u32 = 16;

/// Where one price's queue begins and ends: 8 bytes, since a day of slots has more levels than orders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// The first order's handle; [`NONE`] where the level is vacant.
    pub(crate) head: u32,
    /// The last order's handle.
    pub(crate) tail: u32,
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

    /// Returns which of all places it is.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The levels of all ladders of a book.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    list: Vec<Page>,
    /// Those of page 0, and then those of page 1: a place is an index.
    levels: Vec<Level>,
    /// The first free page; each names the next one in its `first_key`.
    free: u32,
    /// How many parts of [`WIDTH`] keys a ladder can have.
    parts: u32,
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

/// One ladder: where its levels are. Makes nothing before its first use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ladder {
    /// The number of each page, by the keys' upper bits; [`NONE`] where there is none. It is a window over the
    /// parts that were ever used, as prices lie close together.
    directory: Vec<u32>,
    /// The part of the first of `directory`.
    first_part: u32,
    /// The page that was left empty last, if it still is.
    spare: Option<u32>,
    /// Which words of `middle` are not zero.
    top: u64,
    /// Which pages have an occupied level, one bit each, for every part that there can be.
    middle: Vec<u64>,
}

const VACANT: Level = Level { head: NONE, tail: NONE };

impl Pages {
    /// Returns no pages, for ladders that have so many levels.
    pub(crate) fn new(levels: u32) -> Pages {
        let parts = levels.div_ceil(WIDTH);
        assert!(parts <= WIDTH * WIDTH, "the market's prices are checked to fit a ladder");
        Pages { list: Vec::new(), levels: Vec::new(), free: NONE, parts }
    }

    /// Returns how many places there are.
    pub(crate) fn place_count(&self) -> usize {
        self.levels.len()
    }

    /// Returns the level at a place, if it is any.
    #[inline]
    pub(crate) fn get(&mut self, place: Place) -> Option<&mut Level> {
        self.levels.get_mut(place.0 as usize)
    }

    /// Returns the level at a place.
    #[inline]
    pub(crate) fn at(&mut self, place: Place) -> &mut Level {
        &mut self.levels[place.0 as usize]
    }

    /// Marks the level at a place as occupied, and returns whether it is the first in its page: then its ladder must
    /// mark that.
    #[inline]
    pub(crate) fn occupy(&mut self, place: Place) -> bool {
        let occupied = &mut self.list[(place.0 / WIDTH) as usize].occupied;
        let is_first = *occupied == 0;
        *occupied |= 1 << (place.0 % WIDTH);
        is_first
    }

    /// Returns the number of the ladder that the level at a place is of, and its key.
    #[inline]
    pub(crate) fn whose(&self, place: Place) -> (usize, u32) {
        let page = &self.list[(place.0 / WIDTH) as usize];
        // OK because a page's first key has no lower bits.
        (page.ladder as usize, page.first_key | (place.0 % WIDTH))
    }

    /// Lets a level be vacant that has no order left, and returns whether its page is empty now: then its ladder
    /// must leave that.
    #[inline]
    pub(crate) fn vacate(&mut self, place: Place) -> bool {
        self.levels[place.0 as usize] = VACANT;
        let page = &mut self.list[(place.0 / WIDTH) as usize];
        page.occupied &= !(1 << (place.0 % WIDTH));
        page.occupied == 0
    }

    /// Returns the place of the first occupied level in the page of `place`, its key, and its first order; the
    /// page is not empty.
    #[inline]
    pub(crate) fn first_beside(&self, place: Place) -> (Place, u32, u32) {
        self.first_in(place.0 / WIDTH, u64::MAX)
    }

    /// Returns the same for a page, of which some level in `among` is occupied.
    #[inline]
    fn first_in(&self, number: u32, among: u64) -> (Place, u32, u32) {
        let page = &self.list[number as usize];
        let at = (page.occupied & among).trailing_zeros() % WIDTH;
        let place = Place::new(number, at);
        (place, page.first_key | at, self.levels[place.0 as usize].head)
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
        let page = *self.directory.get((key / WIDTH).wrapping_sub(self.first_part) as usize)?;
        (page != NONE).then(|| Place::new(page, key))
    }

    /// Returns the level of `key`, if it is occupied.
    #[inline]
    pub(crate) fn level(&self, pages: &Pages, key: u32) -> Option<Level> {
        let level = pages.levels[self.place(key)?.0 as usize];
        (level.head != NONE).then_some(level)
    }

    /// Returns where the level of `key` is, and nowhere, where [`Pages::get`] finds nothing, if its page is not there.
    #[inline]
    pub(crate) fn place_or_nowhere(&self, key: u32) -> Place {
        let page = self.directory.get((key / WIDTH).wrapping_sub(self.first_part) as usize);
        // OK because no page has a number of which these are the lower bits: there are less than 2^32 levels.
        page.map_or(Place::NOWHERE, |page| Place::new(*page, key))
    }

    /// Marks the page of `key` as one that has an occupied level.
    #[inline]
    pub(crate) fn mark(&mut self, key: u32) {
        let part = key / WIDTH;
        self.middle[(part / WIDTH) as usize] |= 1 << (part % WIDTH);
        self.top |= 1 << (part / WIDTH % WIDTH);
    }

    /// Returns the first occupied key that is not below `key`.
    #[inline]
    pub(crate) fn next_from(&self, pages: &Pages, key: u32) -> Option<u32> {
        if let Some(place) = self.place(key) {
            let above = pages.list[(place.0 / WIDTH) as usize].occupied & (u64::MAX << (key % WIDTH));
            if above != 0 {
                return Some(key / WIDTH * WIDTH + above.trailing_zeros());
            }
        }
        let part = self.first_part_from(key / WIDTH + 1)?;
        let page = self.directory[(part - self.first_part) as usize];
        Some(part * WIDTH + pages.list[page as usize].occupied.trailing_zeros())
    }

    /// Returns the place of the first occupied level behind that of `place`, its key, and its first order.
    #[cold]
    #[inline(never)]
    pub(crate) fn first_behind(&self, pages: &Pages, place: Place) -> Option<(Place, u32, u32)> {
        // Two shifts, since the last level of a page has 64 behind it.
        let occupied = pages.list[(place.0 / WIDTH) as usize].occupied;
        if occupied >> (place.0 % WIDTH) >> 1 == 0 {
            return self.first_of_parts_behind(pages, place);
        }
        Some(pages.first_in(place.0 / WIDTH, u64::MAX << (place.0 % WIDTH) << 1))
    }

    /// Returns the same for the first level in the pages behind that of `place`.
    #[inline]
    pub(crate) fn first_of_parts_behind(&self, pages: &Pages, place: Place) -> Option<(Place, u32, u32)> {
        let part = pages.list[(place.0 / WIDTH) as usize].first_key / WIDTH;
        let next = self.first_part_from(part + 1)?;
        Some(pages.first_in(self.directory[(next - self.first_part) as usize], u64::MAX))
    }

    /// Returns every occupied key, rising, and where its level is.
    pub(crate) fn places(&self, pages: &Pages) -> impl Iterator<Item = (u32, Place)> {
        self.keys(pages).map(|key| (key, self.place(key).expect("an occupied level has a place")))
    }

    /// Returns every occupied key, rising.
    pub(crate) fn keys(&self, pages: &Pages) -> impl Iterator<Item = u32> {
        core::iter::successors(self.next_from(pages, 0), |key| self.next_from(pages, key + 1))
    }

    /// Returns the first part from `part` on whose page has an occupied level.
    #[inline]
    fn first_part_from(&self, part: u32) -> Option<u32> {
        let (word, bit) = (part / WIDTH, part % WIDTH);
        let here = self.middle.get(word as usize)? & (u64::MAX << bit);
        if here != 0 {
            return Some(word * WIDTH + here.trailing_zeros());
        }
        let words = self.top.checked_shr(word + 1).filter(|words| *words != 0)?;
        let word = word + 1 + words.trailing_zeros();
        Some(word * WIDTH + self.middle[word as usize].trailing_zeros())
    }

    /// Makes the page of `key`, in which a level must be occupied now; `own` is this ladder's number.
    #[cold]
    #[inline(never)]
    pub(crate) fn add_page(&mut self, pages: &mut Pages, own: usize, key: u32) {
        let part = key / WIDTH;
        self.widen(part, pages.parts);
        self.directory[(part - self.first_part) as usize] = pages.make(own, part * WIDTH);
    }

    /// Widens the window so that it holds a part, of so many: at least twofold, so that it is done seldom.
    fn widen(&mut self, part: u32, parts: u32) {
        if self.directory.is_empty() {
            self.first_part = part - part % WINDOW;
            self.directory = alloc::vec![NONE; WINDOW.min(parts - self.first_part) as usize];
            self.middle = alloc::vec![0; parts.div_ceil(WIDTH) as usize];
        }
        let len = u32::try_from(self.directory.len()).expect("parts are at most 4,096");
        let end = self.first_part + len;
        if part < self.first_part {
            let more = len.max(self.first_part - part).min(self.first_part);
            self.directory.splice(..0, core::iter::repeat_n(NONE, more as usize));
            self.first_part -= more;
        } else if part >= end {
            let more = len.max(part + 1 - end).min(parts - end);
            self.directory.resize((len + more) as usize, NONE);
        }
    }

    /// Leaves the page of a place, which is empty now, and drops the one before it that still is.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave_page(&mut self, pages: &mut Pages, place: Place) {
        let number = place.0 / WIDTH;
        let part = pages.list[number as usize].first_key / WIDTH;
        let word = &mut self.middle[(part / WIDTH) as usize];
        *word &= !(1 << (part % WIDTH));
        if *word == 0 {
            self.top &= !(1 << (part / WIDTH));
        }
        let before = self.spare.replace(number).filter(|before| *before != number);
        if let Some(before) = before.filter(|before| pages.list[*before as usize].occupied == 0) {
            let part = pages.list[before as usize].first_key / WIDTH;
            self.directory[(part - self.first_part) as usize] = NONE;
            pages.free(before);
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
            let mut pages = Pages::new(LEVELS);
            let mut ladders = [Ladder::default(), Ladder::default()];
            let mut sets = [BTreeSet::new(), BTreeSet::new()];
            for (number, occupies, key) in steps {
                let (ladder, set) = (&mut ladders[number], &mut sets[number]);
                if occupies {
                    if pages.get(ladder.place_or_nowhere(key)).is_none() {
                        ladder.add_page(&mut pages, number, key);
                    }
                    let place = ladder.place_or_nowhere(key);
                    if pages.occupy(place) {
                        ladder.mark(key);
                    }
                    pages.at(place).head = key;
                    prop_assert_eq!(pages.whose(place), (number, key));
                    set.insert(key);
                } else if set.remove(&key) {
                    let place = ladder.place(key).unwrap();
                    let page = key / WIDTH * WIDTH;
                    if pages.vacate(place) {
                        prop_assert_eq!(set.range(page..page + WIDTH).next(), None);
                        ladder.leave_page(&mut pages, place);
                    } else {
                        let (beside, first, head) = pages.first_beside(place);
                        prop_assert_eq!(Some(&first), set.range(page..page + WIDTH).next());
                        prop_assert_eq!((Some(beside), head), (ladder.place(first), first));
                    }
                    let behind = ladder.first_behind(&pages, place).map(|(_, key, head)| (key, head));
                    let expected = set.range(key + 1..).next().map(|key| (*key, *key));
                    // Where the page was left it may be another ladder's, or nobody's, by now.
                    if ladder.place(key) == Some(place) {
                        prop_assert_eq!(behind, expected);
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
            let is_empty = |number: &u32| pages.list[*number as usize].occupied == 0;
            let spare = ladders.iter().filter_map(|ladder| ladder.spare).filter(is_empty).count();
            prop_assert_eq!(pages.list.len() - (free.count() - 1), used + spare, "empty pages are free");
        }
    }

    #[test]
    fn a_level_takes_8_bytes() {
        assert_eq!(size_of::<Level>(), 8);
    }
}
