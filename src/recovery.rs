//! Recovery: the market as it was, from the newest snapshot that fits and the groups behind it.
//!
//! Knows that a snapshot is only a cache: its state must be the one that the leaf behind it records, which the replay
//! of that leaf checks; where anything about it does not fit, the whole ledger is replayed. What the log's key has
//! signed is more than a cache: a journal that lacks it has lost it.

mod past;

use std::path::Path;

use parkwatt_ledger::{
    CheckpointSigner, CheckpointVerifier, Group, JournalOptions, Ledger, OpenError, Signatures,
    SignedCheckpoint, Snapshot, journal_dir, read_snapshots, scan,
};
use tracing::{info, warn};

pub use past::{PastCheck, Suspicion, UNCHECKED_FILE, was_read};

use crate::{
    apply::Replica,
    host::HostError,
    replay::{Divergence, Replay},
    state,
    views::Views,
};

/// A replay that also draws the views.
#[derive(Default)]
pub struct Recovery {
    replay: Replay,
    views: Option<Views>,
    /// The checkpoint over what was replayed.
    checkpoint: Option<SignedCheckpoint>,
    /// What the log's key has signed, as a snapshot says, and was not met yet.
    awaited: Option<SignedCheckpoint>,
}

/// A ledger that is open, and from where on it was read.
pub struct Recovered {
    /// The ledger.
    pub ledger: Ledger,
    /// The snapshot it was read from; none where it was read from its first leaf.
    pub snapshot: Option<Snapshot>,
}

impl Recovery {
    /// Opens the ledger in `dir`, and replays it from the newest snapshot that fits; from the first leaf where there
    /// is none, or `suspicion` says that what lies before must be read too.
    pub fn open(
        &mut self,
        dir: &Path,
        signer: &CheckpointSigner,
        options: &JournalOptions,
        suspicion: Suspicion,
    ) -> Result<Recovered, HostError> {
        let mut newest = None;
        for snapshot in read_snapshots(dir, &signer.verifier()).map_err(OpenError::from)? {
            let snapshot = match snapshot {
                Ok(snapshot) => snapshot,
                Err(problem) => {
                    warn!(%problem, "a snapshot cannot be used");
                    continue;
                }
            };
            newest.get_or_insert_with(|| snapshot.checkpoint.clone());
            if suspicion == Suspicion::OfThePast {
                break;
            }
            if let Some(ledger) = self.open_from(dir, signer, options, &snapshot)? {
                return Ok(Recovered { ledger, snapshot: Some(snapshot) });
            }
        }
        *self = Recovery { awaited: newest, ..Recovery::default() };
        let ledger = Ledger::open(dir, signer.clone(), options, |group| self.take(&group))?;
        match self.awaited.take() {
            Some(lost) => Err(OpenError::ShorterThanSnapshot { signed: lost.size() }.into()),
            None => Ok(Recovered { ledger, snapshot: None }),
        }
    }

    /// Opens the ledger in `dir` and replays it behind a snapshot; returns nothing where that does not work, and only
    /// reading more can say why.
    fn open_from(
        &mut self,
        dir: &Path,
        signer: &CheckpointSigner,
        options: &JournalOptions,
        snapshot: &Snapshot,
    ) -> Result<Option<Ledger>, HostError> {
        let leaves = snapshot.tree.size();
        let Some((replica, views)) = state::decode(&snapshot.state, leaves) else {
            info!(leaves, "a snapshot is of another version of this program");
            return Ok(None);
        };
        *self = Recovery { replay: Replay::resume(replica), views: Some(views), ..Recovery::default() };
        match Ledger::open_from(dir, signer.clone(), options, snapshot, |group| self.take(&group)) {
            Ok(ledger) => Ok(Some(ledger)),
            Err(HostError::Ledger(problem @ OpenError::Locked(_))) => Err(problem.into()),
            Err(HostError::Ledger(
                problem @ (OpenError::ShorterThanSnapshot { .. } | OpenError::OtherThanSnapshot { .. }),
            )) => Err(self.up_to_the_end(dir, &signer.verifier(), problem.into())),
            Err(problem) => {
                warn!(%problem, leaves, "a snapshot does not fit");
                Ok(None)
            }
        }
    }

    /// Reads all that the journal has, for a market that can only be read, and returns the problem.
    fn up_to_the_end(&mut self, dir: &Path, verifier: &CheckpointVerifier, problem: HostError) -> HostError {
        *self = Recovery::default();
        let read = scan(&journal_dir(dir), verifier, Signatures::Last, |group| self.take(&group));
        read.map_or_else(|further| further, |_| problem)
    }

    fn take(&mut self, group: &Group) -> Result<(), HostError> {
        if let Some(signed) = self.awaited.take_if(|signed| signed.size() <= group.end_index())
            && signed != group.checkpoint
        {
            return Err(OpenError::OtherThanSnapshot { signed: signed.size() }.into());
        }
        for leaf in &group.leaves {
            let applied = self.replay.take(leaf)?;
            if self.views.is_none() {
                let config = self.replay.replica().map(|replica| replica.market().config().clone());
                self.views = config.map(Views::new);
            }
            if let (Some(applied), Some(views)) = (applied, &mut self.views) {
                views.observe(&applied);
            }
        }
        self.checkpoint = Some(group.checkpoint.clone());
        Ok(())
    }

    /// Returns the market as it is at the journal's end.
    ///
    /// # Errors
    /// [`Divergence`] if the last command's events are missing.
    pub fn finish(&mut self) -> Result<(Replica, Views), Divergence> {
        let replica = std::mem::take(&mut self.replay).finish()?;
        let recovered = replica.zip(self.views.take());
        Ok(recovered.expect("a journal that is not empty begins with the market's founding"))
    }

    /// Returns the picture of what was verified, and the checkpoint over it; nothing if not even the market's founding
    /// was.
    pub fn verified(self) -> Option<(Views, SignedCheckpoint)> {
        self.views.zip(self.checkpoint)
    }
}
