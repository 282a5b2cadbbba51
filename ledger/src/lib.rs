//! An append-only, provable log of opaque entries.
//!
//! Knows bytes, hashes, checkpoints, files. Does not know orders, prices, slots or protobuf: a leaf is
//! `&[u8]`. Keeps: what was appended is durable before anyone hears of it; nothing is ever rewritten; every
//! size of the log has one root, signed once; a damaged file is found and named, never silently read.
//!
//! The log has two forms. The *journal* is what durable means: segment files of groups, see
//! `docs/ledger-format.md`. The *store* (feature `store`) is the same log in a database, to be queried; it is
//! written behind the journal, never trusted, and rebuilt from the journal whenever the two differ.
//!
//! ```
//! use parkwatt_ledger::{CheckpointSigner, Ledger, OpenError, Origin, SigningKey};
//!
//! # let dir = tempfile::tempdir()?;
//! let signer = CheckpointSigner::new(Origin::new("parkwatt/park")?, SigningKey::from_bytes(&[7; 32]));
//! let verifier = signer.verifier();
//! let mut ledger = Ledger::open(dir.path(), signer, &Default::default(), |_| Ok::<_, OpenError>(()))?;
//! let group = ledger.append(vec![b"a bid".to_vec(), b"an offer".to_vec()])?;
//! assert_eq!(verifier.open(group.checkpoint.note())?.size(), 2);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

// What is proved.
mod checkpoint;
mod cosigned;
mod gathering;
mod proof;
mod tree;
mod witness;
// The durable form, and who writes it.
mod journal;
mod ledger;
mod mirror;
mod snapshot;
// The form that other tools read.
mod tiles;
// The queried form.
#[cfg(feature = "store")]
mod rebuild;
#[cfg(feature = "store")]
mod store;

pub use checkpoint::{
    CheckpointError, CheckpointSigner, CheckpointVerifier, Origin, OriginError, SignedCheckpoint,
};
pub use cosigned::{COSIGNED_FILE, COSIGNED_UNFINISHED, Cosigned, cosigned_notes, write_cosigned};
pub use gathering::Gathered;
pub use journal::{
    Disk, Group, JournalOptions, PathError, ReadError, Reader, RealDisk, Scanned, Signatures, Tail, scan,
    write_whole,
};
pub use ledger::{AppendError, Ledger, OpenError, has_journal, journal_dir};
pub use mirror::{Mirror, MirrorError};
pub use proof::{ProofFormError, ProvedLeaf, TogetherError, UnprovedError, verify_together};
#[cfg(feature = "store")]
pub use rebuild::{
    Comparison, PROBE_AHEAD, PROBE_BEHIND, ReopenError, Reopened, StoreDiffers, StoreState, answer_probe,
    compare, open_or_rebuild, run_probe,
};
pub use snapshot::{
    SNAPSHOT_UNFINISHED, Snapshot, UnusableSnapshot, read_snapshot, read_snapshots, snapshot_path,
    snapshots_dir, write_snapshot,
};
#[cfg(feature = "store")]
pub use store::{IndexRow, Rows, Store, StoreError};
pub use tiles::{LongEntry, Tiles};
pub use tree::{
    Hash, HashReader, ProofError, Tree, leaf_hash, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};

pub use witness::{Quorum, QuorumError, UnseenError, Witness, WitnessKeyError, WitnessSigner};

pub use ed25519_dalek::{SigningKey, VerifyingKey};
