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

/// No key.
const NONE: u32 = u32::MAX;
/// How many places there are at first, as a power of two.
const BITS_MIN: u32 = 4;

/// All enrolled keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// In order of enrolment.
    list: Vec<(PublicKey, EnrolledKey)>,
    /// Which of `list` stands where; a power of two of them.
    places: Vec<u32>,
    /// How many of a number's 64 bits do not say a place.
    shift: u32,
}

impl Keys {
    /// Returns no keys.
    pub(super) fn new() -> Keys {
        Keys { list: Vec::new(), places: alloc::vec![NONE; 1 << BITS_MIN], shift: 64 - BITS_MIN }
    }

    /// Returns whether a key is enrolled.
    pub(super) fn contains(&self, key: &PublicKey) -> bool {
        self.get(key).is_some()
    }

    /// Returns what an enrolled key is.
    #[inline]
    pub(super) fn get(&self, key: &PublicKey) -> Option<&EnrolledKey> {
        Some(&self.list[self.find(key)?].1)
    }

    /// Returns what an enrolled key is, to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, key: &PublicKey) -> Option<&mut EnrolledKey> {
        let number = self.find(key)?;
        Some(&mut self.list[number].1)
    }

    /// Returns every key, in their own order.
    pub(super) fn sorted(&self) -> Vec<&(PublicKey, EnrolledKey)> {
        let mut keys: Vec<_> = self.list.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys
    }

    /// Enrols a key.
    ///
    /// # Panics
    /// If it is enrolled already.
    pub(super) fn insert(&mut self, key: PublicKey, enrolled: EnrolledKey) {
        assert!(!self.contains(&key), "a key is enrolled once");
        self.list.push((key, enrolled));
        if self.list.len() * 2 > self.places.len() {
            self.places = alloc::vec![NONE; 2 * self.places.len()];
            self.shift -= 1;
            (0..self.list.len()).for_each(|number| self.take_place(number));
        } else {
            self.take_place(self.list.len() - 1);
        }
    }

    fn take_place(&mut self, number: usize) {
        let mut place = self.first_place(&self.list[number].0);
        while self.places[place] != NONE {
            place = (place + 1) % self.places.len();
        }
        self.places[place] =
            u32::try_from(number).expect("the configured maximum of participants fits 31 bits");
    }

    /// Returns which of the list a key is.
    #[inline]
    fn find(&self, key: &PublicKey) -> Option<usize> {
        let mut place = self.first_place(key);
        loop {
            let number = self.places[place] as usize;
            if self.list.get(number)?.0 == *key {
                return Some(number);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
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
        self.list.len() == other.list.len() && self.list.iter().all(is_there)
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
