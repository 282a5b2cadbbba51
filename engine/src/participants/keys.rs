//! The enrolled keys, each found in a few steps: every command looks one up.
//!
//! Knows keys and their holders; does not know participants. No key is ever removed.
//! Keeps: at most half of the places are taken, so that a search ends soon.
//!
//! A key's first eight bytes say, without any randomness, where its search begins. OK because an owner who rotates
//! to keys that begin at one place must find each by trying, and it costs him a command; what slows down is the
//! search for those.

use alloc::vec::Vec;

use super::EnrolledKey;
use crate::PublicKey;

/// How many places there are at first, as a power of two.
const BITS_MIN: u32 = 4;

/// All enrolled keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// A power of two of places, in which keys stand.
    places: Vec<Option<(PublicKey, EnrolledKey)>>,
    /// How many keys there are.
    len: usize,
    /// How many of a number's 64 bits do not say a place.
    shift: u32,
}

impl Keys {
    /// Returns no keys.
    pub(super) fn new() -> Keys {
        Keys { places: alloc::vec![None; 1 << BITS_MIN], len: 0, shift: 64 - BITS_MIN }
    }

    /// Returns whether a key is enrolled.
    pub(super) fn contains(&self, key: &PublicKey) -> bool {
        self.get(key).is_some()
    }

    /// Returns what an enrolled key is.
    pub(super) fn get(&self, key: &PublicKey) -> Option<&EnrolledKey> {
        self.places[self.find(key)].as_ref().map(|(_, enrolled)| enrolled)
    }

    /// Returns what an enrolled key is, to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, key: &PublicKey) -> Option<&mut EnrolledKey> {
        let place = self.find(key);
        self.places[place].as_mut().map(|(_, enrolled)| enrolled)
    }

    fn all(&self) -> impl Iterator<Item = &(PublicKey, EnrolledKey)> {
        self.places.iter().flatten()
    }

    /// Returns every key, in their own order.
    pub(super) fn sorted(&self) -> Vec<&(PublicKey, EnrolledKey)> {
        let mut keys: Vec<_> = self.all().collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys
    }

    /// Enrols a key.
    ///
    /// # Panics
    /// If it is enrolled already.
    pub(super) fn insert(&mut self, key: PublicKey, enrolled: EnrolledKey) {
        assert!(!self.contains(&key), "a key is enrolled once");
        self.len += 1;
        if self.len * 2 > self.places.len() {
            let more = alloc::vec![None; 2 * self.places.len()];
            let before = core::mem::replace(&mut self.places, more);
            self.shift -= 1;
            before.into_iter().flatten().for_each(|it| self.take_place(it));
        }
        self.take_place((key, enrolled));
    }

    fn take_place(&mut self, it: (PublicKey, EnrolledKey)) {
        let place = self.find(&it.0);
        self.places[place] = Some(it);
    }

    /// Returns where a key stands, or would stand.
    #[inline]
    fn find(&self, key: &PublicKey) -> usize {
        let mut place = self.first_place(key);
        while self.places[place].as_ref().is_some_and(|(other, _)| other != key) {
            place = (place + 1) & self.last_place();
        }
        place
    }

    fn last_place(&self) -> usize {
        self.places.len() - 1
    }

    /// Returns where the search for a key begins.
    #[inline]
    fn first_place(&self, key: &PublicKey) -> usize {
        let first = key.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let upper_bits = first.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_shr(self.shift);
        usize::try_from(upper_bits).expect("as many bits are left as number the places")
    }
}

/// Two are alike if the same keys are enrolled, in whatever order.
impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        let is_there = |(key, enrolled): &(PublicKey, EnrolledKey)| other.get(key) == Some(enrolled);
        self.len == other.len && self.all().all(is_there)
    }
}

impl Eq for Keys {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyHolder, ParticipantId};

    #[test]
    fn every_key_is_found_and_no_other_also_where_all_begin_alike() {
        for alike in [0, 8] {
            let key = |number: u32| {
                let mut key = [9; 32];
                key[alike..alike + 4].copy_from_slice(&number.to_le_bytes());
                key
            };
            let enrolled =
                |number| EnrolledKey { holder: KeyHolder::Owner(ParticipantId(number)), last_nonce: 5 };
            let mut keys = Keys::new();
            for number in 0..1000 {
                assert!(!keys.contains(&key(number)));
                keys.insert(key(number), enrolled(number));
            }
            for number in 0..1000 {
                assert_eq!(keys.get(&key(number)), Some(&enrolled(number)));
                assert_eq!(keys.get_mut(&key(number)), Some(&mut enrolled(number)));
            }
            assert!(!keys.contains(&key(1000)));
        }
    }
}
