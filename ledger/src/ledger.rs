//! The ledger: leaves in, durable and signed groups out.
//!
//! Knows the journal, the tree and the signer. Does not know the store: who keeps one applies the groups that
//! [`Ledger::append`] returns, behind it.
//! Keeps: one process writes; one root per size is signed; a group is returned only once it is durable.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::checkpoint::{CheckpointSigner, CheckpointVerifier, SignedCheckpoint};
use crate::journal::{
    Disk, Group, JournalOptions, PathError, ReadError, Reader, RealDisk, Signatures, Tail, WriteError,
    Writer, encode_group, has_segments,
};
use crate::snapshot::Snapshot;
use crate::tree::{Hash, Tree, leaf_hash};

/// How long opening waits for the lock: who was killed while he started another process leaves it to that one,
/// until it runs its own program.
const WAIT_MS_MAX: u64 = 1000;
/// How often it looks meanwhile.
const WAIT_STEP_MS: u64 = 10;

/// Returns where in a ledger's directory the journal lies.
pub fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// Returns whether there is any segment of a journal in a ledger's directory `dir`.
pub fn has_journal(dir: &Path) -> Result<bool, PathError> {
    let journal = journal_dir(dir);
    if journal.exists() { has_segments(&journal) } else { Ok(false) }
}

/// Why a ledger cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{}: another process has this ledger open", .0.display())]
    Locked(PathBuf),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] PathError),
    /// The journal cannot be read, or is not this log's. It has not been touched.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// The log's key has signed, over more leaves than the journal has: it has lost what was acknowledged.
    #[error(
        "the journal has lost acknowledged leaves: a snapshot's checkpoint is over {signed}, the journal has fewer"
    )]
    ShorterThanSnapshot {
        /// How many leaves the checkpoint is over.
        signed: u64,
    },
    /// The log's key has signed another checkpoint where the journal has one.
    #[error("the journal is not the one that a snapshot's checkpoint over {signed} leaves is of")]
    OtherThanSnapshot {
        /// How many leaves the checkpoint is over.
        signed: u64,
    },
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The group is longer than 4 GiB; nothing has happened.
    #[error("a group of {leaves} leaves is longer than 4 GiB")]
    TooLarge {
        /// The number of leaves.
        leaves: usize,
    },
    /// The file system refused. Whether the group is on the disk, only opening the ledger again can say: the
    /// process must end without answering for it.
    #[error(transparent)]
    Io(PathError),
    /// The file system has refused before; nothing has happened.
    #[error("the ledger takes no more groups since an earlier write failed")]
    Poisoned,
}

impl From<WriteError> for AppendError {
    fn from(error: WriteError) -> AppendError {
        match error {
            WriteError::Io(error) => AppendError::Io(error),
            WriteError::Poisoned => AppendError::Poisoned,
        }
    }
}

/// A log that is open for writing.
pub struct Ledger {
    signer: CheckpointSigner,
    opened: Opened,
}

/// A journal that is open for writing, whoever signs what is written to it.
pub(crate) struct Opened {
    pub tree: Tree,
    pub checkpoint: Option<SignedCheckpoint>,
    writer: Writer,
    tail: Tail,
    /// Held for as long as the journal is open; the system frees it when the process ends, however it ends.
    _lock: File,
}

impl Ledger {
    /// Opens the ledger in the directory `dir`, or makes one, and hands every group there is to `replay`, in
    /// order.
    ///
    /// The groups' hashes are checked, and the last checkpoint's signature. A group whose write a crash has
    /// interrupted is dropped: it stays on the disk until the next [`append`](Self::append).
    pub fn open<E: From<OpenError>>(
        dir: &Path,
        signer: CheckpointSigner,
        options: &JournalOptions,
        replay: impl FnMut(Group) -> Result<(), E>,
    ) -> Result<Ledger, E> {
        Ledger::open_on(Arc::new(RealDisk), dir, signer, options, replay)
    }

    /// Does what [`open`](Self::open) does, but begins behind the leaves of a snapshot: `replay` is handed the
    /// groups from the one on whose checkpoint the snapshot has.
    ///
    /// What lies before is not looked at. A journal that does not have that checkpoint is refused, since the log's
    /// key has signed it: see [`OpenError::ShorterThanSnapshot`] and [`OpenError::OtherThanSnapshot`].
    pub fn open_from<E: From<OpenError>>(
        dir: &Path,
        signer: CheckpointSigner,
        options: &JournalOptions,
        snapshot: &Snapshot,
        replay: impl FnMut(Group) -> Result<(), E>,
    ) -> Result<Ledger, E> {
        let verifier = signer.verifier();
        let opened = Opened::open(Arc::new(RealDisk), dir, &verifier, options, Some(snapshot), replay)?;
        Ok(Ledger { signer, opened })
    }

    /// Does what [`open`](Self::open) does, and writes by the calls of `disk`.
    pub fn open_on<E: From<OpenError>>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        signer: CheckpointSigner,
        options: &JournalOptions,
        replay: impl FnMut(Group) -> Result<(), E>,
    ) -> Result<Ledger, E> {
        let opened = Opened::open(disk, dir, &signer.verifier(), options, None, replay)?;
        Ok(Ledger { signer, opened })
    }

    /// Appends leaves as one group, and signs the checkpoint over the log with them. All of it is durable
    /// when this returns.
    ///
    /// # Panics
    /// If there are no leaves.
    ///
    /// # Errors
    /// After [`AppendError::Io`] every further call is refused as [`AppendError::Poisoned`].
    pub fn append(&mut self, leaves: Vec<Vec<u8>>) -> Result<Group, AppendError> {
        assert!(!leaves.is_empty(), "a group has at least one leaf");
        let (tree, hashes) = self.opened.with_leaves(&leaves);
        let checkpoint = self.signer.sign(tree.size(), tree.root());
        self.opened.append(leaves, tree, hashes, checkpoint)
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.opened.tree.size()
    }

    /// Returns the tree of all leaves.
    pub fn tree(&self) -> &Tree {
        &self.opened.tree
    }

    /// Returns the last checkpoint, if there is any leaf.
    pub fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.opened.checkpoint.as_ref()
    }

    /// Returns what opening has found behind the last whole group.
    pub fn tail_when_opened(&self) -> &Tail {
        &self.opened.tail
    }
}

impl Opened {
    /// Opens the journal in `dir` or makes one, see [`Ledger::open`]; from a snapshot on, see
    /// [`Ledger::open_from`].
    pub fn open<E: From<OpenError>>(
        disk: Arc<dyn Disk>,
        dir: &Path,
        verifier: &CheckpointVerifier,
        options: &JournalOptions,
        snapshot: Option<&Snapshot>,
        mut replay: impl FnMut(Group) -> Result<(), E>,
    ) -> Result<Opened, E> {
        let lock = lock(&*disk, dir)?;
        let journal = journal_dir(dir);
        if !has_segments(&journal).map_err(OpenError::from)? {
            if let Some(snapshot) = snapshot {
                return Err(OpenError::ShorterThanSnapshot { signed: snapshot.checkpoint.size() }.into());
            }
            let writer = Writer::create(disk, &journal, options, verifier.vkey()).map_err(OpenError::from)?;
            let (tree, tail) = (Tree::default(), Tail::Clean);
            return Ok(Opened { tree, checkpoint: None, writer, tail, _lock: lock });
        }

        let (begin, signed) = snapshot.map(|it| (it.tree.clone(), it.checkpoint.clone())).unzip();
        let reader = Reader::resume(&journal, verifier, Signatures::Last, begin.unwrap_or_default());
        let mut reader = reader.map_err(OpenError::from)?;
        let mut awaited = signed;
        for group in &mut reader {
            let group = group.map_err(OpenError::from)?;
            if let Some(signed) = awaited.take().filter(|signed| *signed != group.checkpoint) {
                return Err(OpenError::OtherThanSnapshot { signed: signed.size() }.into());
            }
            replay(group)?;
        }
        if let Some(signed) = awaited {
            return Err(OpenError::ShorterThanSnapshot { signed: signed.size() }.into());
        }
        let scanned = reader.finish().map_err(OpenError::from)?;
        let writer =
            Writer::resume(disk, &journal, options, verifier.vkey(), &scanned).map_err(OpenError::from)?;
        let (tree, checkpoint, tail) = (scanned.tree, scanned.checkpoint, scanned.tail);
        Ok(Opened { tree, checkpoint, writer, tail, _lock: lock })
    }

    /// Returns the tree with these leaves at its end, and the hashes that they complete.
    pub fn with_leaves(&self, leaves: &[Vec<u8>]) -> (Tree, Vec<Hash>) {
        let mut tree = self.tree.clone();
        let mut hashes = Vec::with_capacity(2 * leaves.len());
        for leaf in leaves {
            tree.append(leaf_hash(leaf), &mut hashes);
        }
        (tree, hashes)
    }

    /// Appends leaves, after which the tree is `tree`, under the checkpoint over it. All of it is durable when
    /// this returns.
    pub fn append(
        &mut self,
        leaves: Vec<Vec<u8>>,
        tree: Tree,
        hashes: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Group, AppendError> {
        let first_index = self.tree.size();
        let payload = encode_group(first_index, &leaves, checkpoint.note())
            .ok_or(AppendError::TooLarge { leaves: leaves.len() })?;
        self.writer.append(&self.tree, &payload)?;

        // The group is durable; only now does the ledger know of it.
        self.tree = tree;
        self.checkpoint = Some(checkpoint.clone());
        Ok(Group { first_index, leaves, hashes, checkpoint })
    }
}

/// Makes the directory if it is missing, and locks it against other processes.
fn lock(disk: &dyn Disk, dir: &Path) -> Result<File, OpenError> {
    let journal = journal_dir(dir);
    fs::create_dir_all(&journal).map_err(PathError::at(&journal))?;
    let whole = fs::canonicalize(dir).map_err(PathError::at(dir))?;
    for made in [Some(whole.as_path()), whole.parent()].into_iter().flatten() {
        disk.sync_dir(made).map_err(PathError::at(made))?;
    }
    let path = dir.join("LOCK");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(PathError::at(&path))?;
    for _ in 0..WAIT_MS_MAX / WAIT_STEP_MS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(WAIT_STEP_MS)),
            Err(TryLockError::Error(source)) => return Err(PathError { path, source }.into()),
        }
    }
    Err(OpenError::Locked(dir.to_owned()))
}
