//! A list that grows piece by piece: nothing that stands in it is ever copied, and little is kept free.
//!
//! Knows nothing of what it holds. For lists that grow with every order and are let go of from their front.

use alloc::vec::Vec;

/// Elements in a chunk; a power of two.
const LEN: usize = 256;

/// A list in chunks.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T> {
    /// What stands before `last`, in chunks of [`LEN`].
    full: Vec<Vec<T>>,
    /// The last elements, at most [`LEN`]; with room for as many once there are any.
    last: Vec<T>,
    /// How many elements of the first chunk are gone.
    gone: usize,
}

impl<T> Chunks<T> {
    /// Returns how many elements there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.full.len() * LEN + self.last.len() - self.gone
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the element at a place.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let place = place.checked_add(self.gone)?;
        match self.full.get(place / LEN) {
            Some(chunk) => chunk.get(place % LEN),
            None => self.last.get(place - self.full.len() * LEN),
        }
    }

    /// Returns the element at a place, to change it.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let place = place.checked_add(self.gone)?;
        let full = self.full.len();
        match self.full.get_mut(place / LEN) {
            Some(chunk) => chunk.get_mut(place % LEN),
            None => self.last.get_mut(place - full * LEN),
        }
    }

    /// Returns the last element, to change it.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.last.last_mut()
    }

    /// Adds an element behind the others.
    #[expect(clippy::inline_always, reason = "it is on the path of every order and trade")]
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) {
        if self.last.len() == self.last.capacity() {
            self.make_room();
        }
        self.last.push(item);
    }

    /// Lets the last chunk have room for one more, or begins another.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        if self.last.len() < LEN {
            self.last.reserve_exact(LEN - self.last.len());
        } else {
            self.full.push(core::mem::replace(&mut self.last, Vec::with_capacity(LEN)));
        }
    }

    /// Returns every element, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0)
    }

    /// Returns every element from a place on, in order.
    pub(crate) fn iter_from(&self, place: usize) -> impl Iterator<Item = &T> {
        let place = place + self.gone;
        let chunks = self.full.iter().chain(core::iter::once(&self.last)).skip(place / LEN);
        chunks.flatten().skip(place % LEN)
    }

    /// Forgets the first elements.
    pub(crate) fn forget(&mut self, count: usize) {
        if count >= self.len() {
            *self = Chunks::default();
            return;
        }
        self.gone += count;
        let whole = (self.gone / LEN).min(self.full.len());
        self.full.drain(..whole);
        self.gone -= whole * LEN;
    }
}

impl<T> Default for Chunks<T> {
    fn default() -> Chunks<T> {
        Chunks { full: Vec::new(), last: Vec::new(), gone: 0 }
    }
}

impl<T: PartialEq> PartialEq for Chunks<T> {
    fn eq(&self, other: &Chunks<T>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Chunks<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list_whose_front_can_be_forgotten(
            steps in prop::collection::vec((any::<bool>(), 0..2 * LEN), 1..20),
        ) {
            let (mut chunks, mut list) = (Chunks::default(), VecDeque::new());
            for (grows, count) in steps {
                if grows {
                    for number in 0..count {
                        chunks.push(number);
                        list.push_back(number);
                    }
                    if let (Some(one), Some(other)) = (chunks.last_mut(), list.back_mut()) {
                        (*one, *other) = (7, 7);
                    }
                } else {
                    chunks.forget(count);
                    list.drain(..count.min(list.len()));
                }
                prop_assert_eq!(chunks.len(), list.len());
                prop_assert!(chunks.iter().eq(&list));
                prop_assert!(chunks.iter_from(list.len() / 2).eq(list.range(list.len() / 2..)));
                for place in [0, count, list.len().saturating_sub(1), list.len()] {
                    prop_assert_eq!(chunks.get(place), list.get(place));
                    prop_assert_eq!(chunks.get_mut(place), list.get_mut(place));
                }
            }
        }
    }
}
