//! The store: the log in a database, to be queried.
//!
//! Knows the database, and is the only part that does. Does not know what a leaf says: rows of an index are
//! given to it as bytes. Does not know whether it is right: `rebuild` compares it with the journal. Keeps: a
//! group is in it whole or not at all, with its index rows.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tlog_tiles::tlog;

use crate::checkpoint::SignedCheckpoint;
use crate::journal::{Group, PathError};
use crate::tree::{Hash, HashReader, Tree};

/// How many bytes of the database are kept in memory.
const CACHE_BYTES: u64 = 64 << 20;
/// How often the database writes out what it has; it need not be often, the journal is durable already.
const FLUSH_EVERY_MS: u64 = 1000;

/// How long opening waits for the last user of the store: the database lets go of its files a little after
/// its last handle is dropped.
const WAIT_MS_MAX: u64 = 5000;
/// How often it looks meanwhile.
const WAIT_STEP_MS: u64 = 10;

/// What an entry is: the first byte of its key.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    /// Leaf index, big-endian: the leaf.
    Leaf = 1,
    /// Stored index, big-endian: the hash.
    Hash = 2,
    /// Tree size, big-endian: the checkpoint's note.
    Checkpoint = 3,
    /// Index number, key: value.
    Row = 4,
}

/// A row of an index, which the caller has derived from a group. The store does not know its meaning.
///
/// Each pair of `index` and `key` is given once: a row is a fact, and facts do not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Which index.
    pub index: u8,
    /// The key; rows are found by it, and ordered by it.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(#[from] sled::Error),
    /// Another process has it open.
    #[error("{}: another process has this store open", .0.display())]
    InUse(PathBuf),
    /// An entry is not what the store writes.
    #[error("the store is damaged: {0}")]
    Malformed(&'static str),
    /// A group was given that does not continue the log.
    #[error("the store has {size} leaves, the group begins with leaf {first_index}")]
    OutOfOrder {
        /// The leaves in the store.
        size: u64,
        /// The group's first leaf.
        first_index: u64,
    },
}

/// The log in a database. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    db: sled::Db,
}

impl Store {
    /// Returns where in a ledger's directory the store lies.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("sled")
    }

    /// Opens the store in the ledger's directory `dir`, or makes an empty one.
    ///
    /// What it holds is not compared with anything, and a damaged one may panic: see
    /// [`open_or_rebuild`](crate::open_or_rebuild).
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        wait_for_last_user(&Store::path(dir))?;
        let db = sled::Config::new()
            .path(Store::path(dir))
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()?;
        Ok(Store { db })
    }

    /// Renames the store's folder to `sled.damaged-N`, the first that is free, and returns its new path.
    pub(crate) fn set_aside(dir: &Path) -> Result<PathBuf, PathError> {
        let store = Store::path(dir);
        let aside = (1_u64..=u64::MAX)
            .map(|n| dir.join(format!("sled.damaged-{n}")))
            .find(|path| !path.exists())
            .expect("fewer folders than numbers");
        fs::rename(&store, &aside).map_err(PathError::at(&store))?;
        Ok(aside)
    }

    /// Adds the next group and its index rows, as a whole.
    pub fn apply(&self, group: &Group, rows: &[IndexRow]) -> Result<(), StoreError> {
        let size = self.size()?;
        if group.first_index != size {
            return Err(StoreError::OutOfOrder { size, first_index: group.first_index });
        }
        let mut batch = sled::Batch::default();
        for (index, leaf) in group.indexed_leaves() {
            batch.insert(numbered(Kind::Leaf, index), leaf);
        }
        for (index, hash) in group.indexed_hashes() {
            batch.insert(numbered(Kind::Hash, index), &hash.0);
        }
        for row in rows {
            batch.insert(row_key(row.index, &row.key), row.value.as_slice());
        }
        batch.insert(numbered(Kind::Checkpoint, group.end_index()), group.checkpoint.note());
        Ok(self.db.apply_batch(batch)?)
    }

    /// Writes out what was applied.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(())
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> Result<u64, StoreError> {
        Ok(self.last_checkpoint()?.map_or(0, |(size, _)| size))
    }

    /// Returns the checkpoint over all leaves, if there is any.
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        self.last_checkpoint()?.map(|(_, note)| parse_checkpoint(&note)).transpose()
    }

    /// Returns the first checkpoint over at least `size` leaves, if there is one.
    pub fn checkpoint_at_least(&self, size: u64) -> Result<Option<SignedCheckpoint>, StoreError> {
        self.entries(Kind::Checkpoint, &size.to_be_bytes())
            .next()
            .map(|entry| parse_checkpoint(&entry?.1))
            .transpose()
    }

    /// Returns leaf `index`, if the store has it.
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(numbered(Kind::Leaf, index))?.map(|leaf| leaf.to_vec()))
    }

    /// Returns whether the store's hashes make this very tree of its first leaves.
    pub(crate) fn has_tree(&self, tree: &Tree) -> bool {
        tree.size() == 0 || tlog::tree_hash(tree.size(), self).is_ok_and(|root| root == tree.root())
    }

    /// Returns each leaf from `first` on, with its index, in order.
    pub fn leaves(&self, first: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        self.numbered_entries(Kind::Leaf, first)
    }

    /// Returns the value of a row, if there is one with this key.
    pub fn get_index(&self, index: u8, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(row_key(index, key))?.map(|value| value.to_vec()))
    }

    /// Returns the rows whose key begins with `prefix`, key and value, in order of keys; from the end, latest
    /// first.
    pub fn scan_index(
        &self,
        index: u8,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        self.db.scan_prefix(row_key(index, prefix)).map(|entry| split_entry(entry, 2))
    }

    /// Returns the rows whose key begins with `prefix` and is not less than `first`, in order of keys.
    pub fn scan_index_from(
        &self,
        index: u8,
        prefix: &[u8],
        first: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let prefix = prefix.to_vec();
        self.db
            .range(row_key(index, first)..row_key_end(index))
            .map(|entry| split_entry(entry, 2))
            .take_while(move |row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
    }

    /// Returns each stored hash from the stored index `first` on, with its index, in order.
    pub(crate) fn hashes(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        self.numbered_entries(Kind::Hash, first)
    }

    /// Returns the note of each checkpoint over at least `first` leaves, with its size, in order.
    pub(crate) fn checkpoints(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        self.numbered_entries(Kind::Checkpoint, first)
    }

    /// Counts the rows of all indices, by reading them.
    pub(crate) fn count_rows(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for entry in self.db.range([Kind::Row as u8]..) {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    fn last_checkpoint(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        // The largest key below all rows is the last checkpoint, or a hash if there is none.
        let Some((key, note)) = self.db.get_lt([Kind::Row as u8])? else { return Ok(None) };
        if key.first() != Some(&(Kind::Checkpoint as u8)) {
            return Err(StoreError::Malformed("there are leaves, but no checkpoint"));
        }
        Ok(Some((number(&key[1..])?, note.to_vec())))
    }

    fn numbered_entries(
        &self,
        kind: Kind,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        self.entries(kind, &first.to_be_bytes()).map(|entry| {
            let (key, value) = entry?;
            Ok((number(&key)?, value))
        })
    }

    fn entries(
        &self,
        kind: Kind,
        first: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        let begin = [&[kind as u8], first].concat();
        self.db.range(begin..vec![kind as u8 + 1]).map(|entry| split_entry(entry, 1))
    }
}

impl HashReader for Store {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        indexes
            .iter()
            .map(|&index| {
                let hash = self
                    .db
                    .get(numbered(Kind::Hash, index))
                    .map_err(|error| tlog::Error::InvalidInput(error.to_string()))?
                    .ok_or(tlog::Error::IndexesNotInTree)?;
                Ok(Hash(hash.as_ref().try_into().map_err(|_| tlog::Error::MalformedHash)?))
            })
            .collect()
    }
}

fn wait_for_last_user(store: &Path) -> Result<(), StoreError> {
    // A store that has no such file, or one that cannot be locked, has no user; opening will say what is
    // wrong.
    let Ok(locked) = File::open(store.join("db")) else { return Ok(()) };
    for _ in 0..WAIT_MS_MAX / WAIT_STEP_MS {
        match locked.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(WAIT_STEP_MS)),
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(StoreError::InUse(store.to_owned()))
}

fn numbered(kind: Kind, number: u64) -> Vec<u8> {
    [&[kind as u8][..], &number.to_be_bytes()].concat()
}

fn number(key: &[u8]) -> Result<u64, StoreError> {
    Ok(u64::from_be_bytes(key.try_into().map_err(|_| StoreError::Malformed("a key is not a number"))?))
}

fn row_key(index: u8, key: &[u8]) -> Vec<u8> {
    [&[Kind::Row as u8, index], key].concat()
}

/// Returns a key behind all rows of an index.
fn row_key_end(index: u8) -> Vec<u8> {
    index.checked_add(1).map_or(vec![Kind::Row as u8 + 1], |next| row_key(next, &[]))
}

/// Cuts the kind, and for a row the index, off a key.
fn split_entry(
    entry: sled::Result<(sled::IVec, sled::IVec)>,
    prefix_len: usize,
) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let (key, value) = entry?;
    let key = key.get(prefix_len..).ok_or(StoreError::Malformed("a key is too short"))?;
    Ok((key.to_vec(), value.to_vec()))
}

fn parse_checkpoint(note: &[u8]) -> Result<SignedCheckpoint, StoreError> {
    str::from_utf8(note)
        .ok()
        .and_then(|note| SignedCheckpoint::parse_unverified(note).ok())
        .ok_or(StoreError::Malformed("a checkpoint is not a note"))
}
