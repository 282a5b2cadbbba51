//! Gathering: the few hashes of a journal that proofs need, picked while it is read.
//!
//! Knows which stored hashes a proof needs before any is there; does not keep the others, so that a proof can be
//! made of a journal of any length without a store.

use std::{cell::RefCell, collections::BTreeMap};

use tlog_tiles::tlog;

use crate::journal::Group;
use crate::tree::{Hash, HashReader, ProofError, prove_inclusion};

/// Hashes that are gathered from a journal's groups.
pub struct Gathered {
    /// By stored index; none where its group was not read yet.
    hashes: BTreeMap<u64, Option<Hash>>,
}

/// Notes which hashes are asked for.
#[derive(Default)]
struct Asked(RefCell<Vec<u64>>);

impl Gathered {
    /// Prepares for the proofs that these leaves are in the tree of `size` leaves.
    ///
    /// # Errors
    /// [`ProofError::NotInTree`] for the first that is not.
    pub fn for_inclusion(size: u64, leaves: &[u64]) -> Result<Gathered, ProofError> {
        let asked = Asked::default();
        // OK because: only what is asked for matters; the proofs themselves are of no hashes yet.
        leaves.iter().try_for_each(|&index| prove_inclusion(&asked, size, index).map(drop))?;
        Ok(Gathered { hashes: asked.0.into_inner().into_iter().map(|index| (index, None)).collect() })
    }

    /// Takes what a group has of them.
    pub fn take(&mut self, group: &Group) {
        for (index, hash) in group.indexed_hashes() {
            if let Some(wanted) = self.hashes.get_mut(&index) {
                *wanted = Some(hash);
            }
        }
    }
}

impl HashReader for Gathered {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let hash = |index| self.hashes.get(index).copied().flatten().ok_or(tlog::Error::IndexesNotInTree);
        indexes.iter().map(hash).collect()
    }
}

impl HashReader for Asked {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        self.0.borrow_mut().extend(indexes);
        Ok(vec![Hash([0; 32]); indexes.len()])
    }
}
