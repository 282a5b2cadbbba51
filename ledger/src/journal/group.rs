//! Groups: the leaves that were made durable together, and the checkpoint over them.
//!
//! Knows how a group's payload is laid out; does not know files.

use crate::checkpoint::SignedCheckpoint;
use crate::tree::{Hash, Tree, leaf_hash, stored_count};

/// Leaves that were made durable together, and what follows from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The index of the first leaf.
    pub first_index: u64,
    /// The leaves, at least one, in order.
    pub leaves: Vec<Vec<u8>>,
    /// The tree's hashes that these leaves completed, in the order of their stored indices, without a gap.
    pub hashes: Vec<Hash>,
    /// The checkpoint over all leaves up to the last of these.
    pub checkpoint: SignedCheckpoint,
}

impl Group {
    /// Returns the index behind the last leaf, which is the size of the log with this group.
    pub fn end_index(&self) -> u64 {
        self.first_index + self.leaves.len() as u64
    }

    /// Returns the root of the tree of the first `size` leaves, if the last of them is in this group; `before` is
    /// the tree of all leaves before it.
    pub fn root_at(&self, before: &Tree, size: u64) -> Option<Hash> {
        let is_here = (self.first_index + 1..=self.end_index()).contains(&size);
        let count = usize::try_from(size.checked_sub(self.first_index)?).ok()?;
        let leaves = self.leaves.get(..count).filter(|_| is_here && before.size() == self.first_index)?;
        let mut tree = before.clone();
        for leaf in leaves {
            tree.append(leaf_hash(leaf), &mut Vec::new());
        }
        Some(tree.root())
    }

    /// Returns each leaf with its index.
    pub fn indexed_leaves(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first_index..).zip(self.leaves.iter().map(Vec::as_slice))
    }

    /// Returns each hash with its stored index.
    pub fn indexed_hashes(&self) -> impl Iterator<Item = (u64, Hash)> {
        (stored_count(self.first_index)..).zip(self.hashes.iter().copied())
    }
}

/// The fixed part before the leaves: payload length, number of leaves, first index.
pub const HEAD: usize = 4 + 4 + 8;

/// Lays out a group as a payload, or returns nothing if its length does not fit into 32 bits.
pub fn encode(first_index: u64, leaves: &[Vec<u8>], note: &str) -> Option<Vec<u8>> {
    let body: usize = leaves.iter().map(|leaf| 4 + leaf.len()).sum();
    let len = HEAD + body + 4 + note.len();
    let len_field = u32::try_from(len).ok()?;
    let count = u32::try_from(leaves.len()).expect("each leaf takes four bytes of a length of 32 bits");

    let mut payload = Vec::with_capacity(len);
    payload.extend_from_slice(&len_field.to_le_bytes());
    payload.extend_from_slice(&count.to_le_bytes());
    payload.extend_from_slice(&first_index.to_le_bytes());
    for bytes in leaves.iter().map(Vec::as_slice).chain([note.as_bytes()]) {
        let len = u32::try_from(bytes.len()).expect("a part is shorter than the whole");
        payload.extend_from_slice(&len.to_le_bytes());
        payload.extend_from_slice(bytes);
    }
    Some(payload)
}

/// Returns a payload's length, from its beginning.
pub fn payload_len(payload: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(payload[..4].try_into().expect("four bytes are four bytes")))
}

/// A group as it was laid out, before anything about it is checked.
pub struct Decoded {
    /// The index of the first leaf.
    pub first_index: u64,
    /// The leaves.
    pub leaves: Vec<Vec<u8>>,
    /// The checkpoint's note.
    pub note: String,
}

/// Reads a payload back; returns nothing if it is not one, to the byte.
pub fn decode(payload: &[u8]) -> Option<Decoded> {
    let (head, rest) = payload.split_at_checked(HEAD)?;
    let body_len = usize::try_from(payload_len(head)).ok()?.checked_sub(HEAD)?;
    let (mut body, filler) = rest.split_at_checked(body_len)?;
    let count = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let first_index = u64::from_le_bytes(head[8..16].try_into().ok()?);

    let mut leaves = Vec::new();
    for _ in 0..count {
        leaves.push(take_part(&mut body)?.to_vec());
    }
    let note = String::from_utf8(take_part(&mut body)?.to_vec()).ok()?;
    let exact = count > 0 && body.is_empty() && filler.iter().all(|&byte| byte == 0);
    exact.then_some(Decoded { first_index, leaves, note })
}

fn take_part<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = body.split_at_checked(4)?;
    let len = u32::from_le_bytes(len.try_into().ok()?);
    let (part, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *body = rest;
    Some(part)
}
