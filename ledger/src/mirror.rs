//! A mirror: somebody else's ledger, kept group by group as it is handed out.
//!
//! Knows the journal and the log's verifier key; does not know how groups come, and signs nothing.
//! Keeps: leaves are written only under a checkpoint that the log's key has signed over them and all before; so
//! that a log cannot be mirrored past a place where it was rewritten, and what was mirrored is never changed.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{CheckpointError, CheckpointVerifier, SignedCheckpoint};
use crate::journal::{Group, JournalOptions, RealDisk};
use crate::ledger::{AppendError, OpenError, Opened};
use crate::tree::Tree;

/// A mirror that is open for writing.
pub struct Mirror {
    verifier: CheckpointVerifier,
    opened: Opened,
}

/// Why leaves were not mirrored. Nothing has happened, except after [`AppendError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The note is not a checkpoint of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaves, behind those that are there, do not come to it.
    #[error("{} leaves with {before} before them do not come to the checkpoint over {}", .leaves, .checkpoint.size())]
    NotOfLeaves {
        /// How many leaves are there.
        before: u64,
        /// How many were to follow.
        leaves: usize,
        /// What the log has signed.
        checkpoint: Box<SignedCheckpoint>,
    },
    /// The journal.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Mirror {
    /// Opens the mirror in the directory `dir`, or makes one, and hands every group there is to `each`, in
    /// order.
    ///
    /// # Errors
    /// As [`Ledger::open`](crate::Ledger::open).
    pub fn open<E: From<OpenError>>(
        dir: &Path,
        verifier: &CheckpointVerifier,
        options: &JournalOptions,
        each: impl FnMut(Group) -> Result<(), E>,
    ) -> Result<Mirror, E> {
        Ok(Mirror {
            verifier: verifier.clone(),
            opened: Opened::open(Arc::new(RealDisk), dir, verifier, options, None, each)?,
        })
    }

    /// Appends leaves as one group under the log's own note. All of it is durable when this returns.
    ///
    /// # Panics
    /// If there are no leaves.
    pub fn append(&mut self, leaves: Vec<Vec<u8>>, note: &str) -> Result<Group, MirrorError> {
        assert!(!leaves.is_empty(), "a group has at least one leaf");
        let checkpoint = self.verifier.open(note)?;
        let (tree, hashes) = self.opened.with_leaves(&leaves);
        if (checkpoint.size(), checkpoint.root()) != (tree.size(), tree.root()) {
            let (before, leaves) = (self.tree().size(), leaves.len());
            return Err(MirrorError::NotOfLeaves { before, leaves, checkpoint: Box::new(checkpoint) });
        }
        Ok(self.opened.append(leaves, tree, hashes, checkpoint)?)
    }

    /// Returns the tree of the leaves that are there.
    pub fn tree(&self) -> &Tree {
        &self.opened.tree
    }

    /// Returns the last checkpoint, if there is any leaf.
    pub fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.opened.checkpoint.as_ref()
    }
}
