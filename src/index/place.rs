//! Places: where the leaves about something stand in an index.
//!
//! Knows how a row's key is made; does not know what a leaf says. Keeps everything in itself, since there are several for
//! each leaf.

use arrayvec::ArrayVec;

/// The longest name of a page: a digest.
const PAGE_LEN_MAX: usize = 32;
/// The longest of what tells a place in a page from its neighbours.
const REST_LEN_MAX: usize = 8;

/// The key of a row.
pub type Key = ArrayVec<u8, { size_of::<u64>() + REST_LEN_MAX }>;

/// Where the leaves about something stand: in a page of an index, under keys that are the leaf's index and `rest`.
///
/// What is about neighbours shares a page, since a page costs more than what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which index.
    pub index: u8,
    page: ArrayVec<u8, PAGE_LEN_MAX>,
    /// What tells it from its neighbours in the page.
    rest: ArrayVec<u8, REST_LEN_MAX>,
}

impl Place {
    /// Returns the place that these parts name: its page, and what tells it from its neighbours there.
    pub(super) fn new(index: u8, page: &[&[u8]], rest: &[&[u8]]) -> Place {
        Place { index, page: joined(page), rest: joined(rest) }
    }

    /// Returns the page.
    pub fn page(&self) -> &[u8] {
        &self.page
    }

    /// Returns the key under which a leaf stands here.
    pub fn key(&self, leaf_index: u64) -> Key {
        joined(&[&leaf_index.to_be_bytes(), &self.rest])
    }

    /// Returns whether a key in the page is of here, and not of a neighbour.
    pub fn has(&self, key: &[u8]) -> bool {
        key.get(size_of::<u64>()..) == Some(&self.rest)
    }
}

fn joined<const LEN: usize>(parts: &[&[u8]]) -> ArrayVec<u8, LEN> {
    let mut all = ArrayVec::new();
    for part in parts {
        all.try_extend_from_slice(part).expect("the names of places are short");
    }
    all
}
