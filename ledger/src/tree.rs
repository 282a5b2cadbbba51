//! The Merkle tree over the leaves, and proofs about it.
//!
//! Knows hashes and positions; does not know what a leaf says, or where hashes are kept.
//! Keeps: hashing is that of RFC 6962 section 2.1 (SHA-256, 0x00 before a leaf, 0x01 before a node); the
//! numbering of stored hashes is that of `tlog`, dense, so that the hashes a group adds are one contiguous
//! run.

use tlog_tiles::tlog::{self, EMPTY_HASH, node_hash};
pub use tlog_tiles::tlog::{Hash, HashReader};

/// The longest proof that a tree of 2^64 leaves can need.
const PROOF_HASHES_MAX: usize = 65;

/// An append-only tree, of which only the frontier is kept: one hash per complete subtree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    size: u64,
    /// Roots of the complete subtrees, the largest (and leftmost) first: one per set bit of `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Returns the tree of so many leaves whose complete subtrees have these roots.
    ///
    /// # Panics
    /// If they are not one for each set bit of the size.
    pub(crate) fn of_peaks(size: u64, peaks: Vec<Hash>) -> Tree {
        assert_eq!(peaks.len(), size.count_ones() as usize, "there is a peak for each set bit of the size");
        Tree { size, peaks }
    }

    /// Returns the roots of the complete subtrees, the largest first.
    pub(crate) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root over all leaves; of no leaves, the hash of the empty string.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.peaks.iter().rev();
        let Some(&last) = smallest_first.next() else { return EMPTY_HASH };
        smallest_first.fold(last, |right, &left| node_hash(left, right))
    }

    /// Returns how many hashes a tree of this size has stored, which is the stored index of the next one.
    pub fn stored_count(&self) -> u64 {
        stored_count(self.size)
    }

    /// Appends a leaf by its hash, and pushes the hashes it completes to `stored`: its own, then each
    /// subtree's.
    ///
    /// The first of them has the stored index [`stored_count`](Self::stored_count) of before; the others
    /// follow.
    pub fn append(&mut self, leaf: Hash, stored: &mut Vec<Hash>) {
        let mut hash = leaf;
        stored.push(hash);
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("there is a peak for each set bit of the size");
            hash = node_hash(left, hash);
            stored.push(hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }
}

/// Returns the hash of a leaf with these bytes (RFC 6962 section 2.1).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    tlog::record_hash(leaf)
}

/// Returns how many hashes a tree of `size` leaves stores.
pub(crate) fn stored_count(size: u64) -> u64 {
    tlog::stored_hash_count(size)
}

/// Why there is no proof, or why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The question makes no sense: no such leaf or no such earlier tree.
    #[error("there is no {asked} in a tree of {size} leaves")]
    NotInTree {
        /// What was asked for.
        asked: String,
        /// The tree's size.
        size: u64,
    },
    /// The proof proves something else, or nothing.
    #[error("the proof does not hold")]
    DoesNotHold,
    /// A hash that the proof needs could not be read.
    #[error("a stored hash could not be read: {0}")]
    Unreadable(String),
}

/// The most leaves of which a proof is made or checked: above, the numbers of stored hashes leave 64 bits.
const SIZE_MAX: u64 = 1 << 62;

fn check_in_tree(is_in: bool, asked: impl Fn() -> String, size: u64) -> Result<(), ProofError> {
    if is_in && size <= SIZE_MAX { Ok(()) } else { Err(ProofError::NotInTree { asked: asked(), size }) }
}

/// Returns the proof that leaf `index` is in the tree of `size` leaves: the audit path, from the leaf
/// upwards.
///
/// # Errors
/// [`ProofError::NotInTree`] unless `index < size`; [`ProofError::Unreadable`] if `hashes` lacks one.
pub fn prove_inclusion(hashes: &impl HashReader, size: u64, index: u64) -> Result<Vec<Hash>, ProofError> {
    check_in_tree(index < size, || format!("leaf {index}"), size)?;
    tlog::prove_record(size, index, hashes).map_err(unreadable)
}

/// Checks that the tree of `size` leaves with root `root` has the leaf with hash `leaf` at `index`.
pub fn verify_inclusion(
    proof: &[Hash],
    size: u64,
    root: Hash,
    index: u64,
    leaf: Hash,
) -> Result<(), ProofError> {
    check_in_tree(index < size, || format!("leaf {index}"), size)?;
    if proof.len() > PROOF_HASHES_MAX {
        return Err(ProofError::DoesNotHold);
    }
    tlog::check_record(&proof.to_vec(), size, root, index, leaf).map_err(|_| ProofError::DoesNotHold)
}

/// Returns the proof that the tree of `size` leaves begins with the tree of its first `earlier` leaves.
///
/// Empty for `earlier` 0 and for `earlier` equal to `size`.
///
/// # Errors
/// [`ProofError::NotInTree`] unless `earlier <= size`; [`ProofError::Unreadable`] if `hashes` lacks one.
pub fn prove_consistency(hashes: &impl HashReader, size: u64, earlier: u64) -> Result<Vec<Hash>, ProofError> {
    check_in_tree(earlier <= size, || format!("tree of {earlier} leaves"), size)?;
    if earlier == 0 {
        return Ok(Vec::new());
    }
    tlog::prove_tree(size, earlier, hashes).map_err(unreadable)
}

/// Checks that the tree of `size` leaves with root `root` begins with the tree of `earlier` leaves with root
/// `earlier_root`.
pub fn verify_consistency(
    proof: &[Hash],
    size: u64,
    root: Hash,
    earlier: u64,
    earlier_root: Hash,
) -> Result<(), ProofError> {
    check_in_tree(earlier <= size, || format!("tree of {earlier} leaves"), size)?;
    let holds = if earlier == 0 {
        proof.is_empty() && earlier_root == EMPTY_HASH && (size > 0 || root == EMPTY_HASH)
    } else {
        proof.len() <= PROOF_HASHES_MAX
            && tlog::check_tree(&proof.to_vec(), size, root, earlier, earlier_root).is_ok()
    };
    if holds { Ok(()) } else { Err(ProofError::DoesNotHold) }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreadable(error: tlog::Error) -> ProofError {
    ProofError::Unreadable(error.to_string())
}
