//! The store: the log in a database, to be queried.
//!
//! Knows the database, and is the only part that does; how items are packed is `packed`'s. Does not know what a leaf says: rows of an index are
//! given to it as bytes. Does not know whether it is right: `rebuild` compares it with the journal. Keeps: a
//! group is in it whole or not at all, with its index rows.

mod packed;
mod rows;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tlog_tiles::tlog;

use crate::checkpoint::SignedCheckpoint;
use crate::journal::{Group, PathError};
use crate::tree::{Hash, HashReader, Tree};
use packed::{Packer, find, unpack, unpack_counted, unpack_some};

pub use rows::{IndexRow, Rows};

/// How many bytes of the database are kept in memory.
const CACHE_BYTES: u64 = 64 << 20;
/// How often the database writes out what it has; it need not be often, the journal is durable already.
const FLUSH_EVERY_MS: u64 = 1000;

/// How long opening waits for the last user of the store: the database lets go of its files a little after
/// its last handle is dropped, and who compares it with the journal may outlive who asked him to.
const WAIT_MS_MAX: u64 = 10_000;
/// How often it looks meanwhile.
const WAIT_STEP_MS: u64 = 10;

/// The form in which all of it is written: another number for every change of how entries lie in it.
const FORM: &[u8] = &[2];

/// What an entry is: the first byte of its key.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    /// Nothing behind it: the form.
    Form = 0,
    /// The first leaf's index, big-endian: leaves.
    Leaf = 1,
    /// The first stored index, big-endian: hashes of the tree.
    Hash = 2,
    /// The first tree size, big-endian: checkpoints' notes.
    Checkpoint = 3,
    /// Index number, page, the first row's key: rows of that page.
    Row = 4,
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

    /// Adds the next groups and their index rows, as a whole. The more there are of them at once, the less each
    /// costs.
    pub fn apply(&self, groups: &[Group], rows: &Rows) -> Result<(), StoreError> {
        let mut size = self.size()?;
        let mut leaves = Packer::new(vec![Kind::Leaf as u8]);
        let mut hashes = Packer::new(vec![Kind::Hash as u8]);
        let mut checkpoints = Packer::new(vec![Kind::Checkpoint as u8]);
        let mut batch = sled::Batch::default();
        if size == 0 {
            batch.insert(&[Kind::Form as u8], FORM);
        }
        for group in groups {
            if group.first_index != size {
                return Err(StoreError::OutOfOrder { size, first_index: group.first_index });
            }
            size = group.end_index();
            for (index, leaf) in group.indexed_leaves() {
                leaves.push_counted(&index.to_be_bytes(), leaf);
            }
            for (index, hash) in group.indexed_hashes() {
                hashes.push_plain(&index.to_be_bytes(), &hash.0);
            }
            checkpoints.push(&size.to_be_bytes(), group.checkpoint.note().as_bytes());
        }
        let packs = [leaves, hashes, checkpoints].into_iter().flat_map(Packer::finish);
        for (key, value) in packs.chain(pages(rows).into_iter().flat_map(pack_page)) {
            batch.insert(key, value);
        }
        Ok(self.db.apply_batch(batch)?)
    }

    /// Returns whether it is empty, or written in the form in which it is written now.
    pub(crate) fn has_this_form(&self) -> Result<bool, StoreError> {
        Ok(match self.db.get([Kind::Form as u8])? {
            Some(form) => form == FORM,
            None => self.db.is_empty(),
        })
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
        self.checkpoints(size).next().map(|found| parse_checkpoint(&found?.1)).transpose()
    }

    /// Returns leaf `index`, if the store has it.
    pub fn leaf(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((key, pack)) = self.last_pack(&[Kind::Leaf as u8], &index.to_be_bytes())? else {
            return Ok(None);
        };
        let at = usize::try_from(index - number(&key[1..])?).unwrap_or(usize::MAX);
        // OK because: `nth` passes over what does not end, and then there is nothing more.
        unpack_counted(&pack).nth(at).map(|leaf| leaf.map(<[u8]>::to_vec)).transpose()
    }

    /// Returns whether the store's hashes make this very tree of its first leaves.
    pub(crate) fn has_tree(&self, tree: &Tree) -> bool {
        tree.size() == 0 || tlog::tree_hash(tree.size(), self).is_ok_and(|root| root == tree.root())
    }

    /// Returns each leaf from `first` on, with its index, in order.
    pub fn leaves(&self, first: u64) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        let packs = self.packs_from(vec![Kind::Leaf as u8], &first.to_be_bytes());
        packs.flat_map(leaves_of).skip_while(move |leaf| matches!(leaf, Ok((index, _)) if *index < first))
    }

    /// Returns the value of a row, if there is one with this key in this page.
    pub fn get_index(&self, index: u8, page: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let pack = self.last_pack(&page_prefix(index, page), key)?;
        pack.map_or(Ok(None), |(_, pack)| find(&pack, key))
    }

    /// Returns the rows of a page, key and value, in order of keys; from the end, latest first.
    pub fn scan_index(
        &self,
        index: u8,
        page: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<> {
        self.db.scan_prefix(page_prefix(index, page)).map(found).flat_map(items_of)
    }

    /// Returns those rows of a page that are wanted by their key, and whose key is not less than `first`, in order of
    /// keys.
    pub fn scan_index_from<F: Fn(&[u8]) -> bool>(
        &self,
        index: u8,
        page: &[u8],
        first: &[u8],
        is_wanted: F,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + use<F> {
        let packs = self.packs_from(page_prefix(index, page), first);
        let first = first.to_vec();
        packs.flat_map(move |pack| some_items_of(pack, |key| *key >= *first && is_wanted(key)))
    }

    /// Returns each stored hash from the stored index `first` on, with its index, in order.
    pub(crate) fn hashes(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        let packs = self.packs_from(vec![Kind::Hash as u8], &first.to_be_bytes());
        packs.flat_map(hashes_of).skip_while(move |hash| matches!(hash, Ok((index, _)) if *index < first))
    }

    /// Returns the note of each checkpoint over at least `first` leaves, with its size, in order.
    pub(crate) fn checkpoints(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        let first = first.to_be_bytes();
        let packs = self.packs_from(vec![Kind::Checkpoint as u8], &first);
        packs.flat_map(move |pack| some_items_of(pack, |key| *key >= first[..])).map(|item| {
            let (key, value) = item?;
            Ok((number(&key)?, value))
        })
    }

    /// Counts the rows of all indices, by reading them.
    pub(crate) fn count_rows(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for row in self.db.range([Kind::Row as u8]..).map(found).flat_map(items_of) {
            row?;
            count += 1;
        }
        Ok(count)
    }

    fn last_checkpoint(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        // The largest key below all rows is the last checkpoints', or hashes' if there is none.
        let Some((key, pack)) = self.db.get_lt([Kind::Row as u8])? else { return Ok(None) };
        if key.first() != Some(&(Kind::Checkpoint as u8)) {
            return Err(StoreError::Malformed("there are leaves, but no checkpoint"));
        }
        let last = unpack(&pack)?.pop().ok_or(StoreError::Malformed("a pack is empty"))?;
        Ok(Some((number(&last.0)?, last.1)))
    }

    /// Returns the packs under `prefix`, from the one on in which `first` may be.
    fn packs_from(&self, prefix: Vec<u8>, first: &[u8]) -> Box<dyn Iterator<Item = Pack> + Send> {
        match self.last_pack(&prefix, first) {
            Err(problem) => Box::new(std::iter::once(Err(problem))),
            Ok(before) => {
                let begin = before.map_or_else(|| prefix.clone(), |(key, _)| key.to_vec());
                let is_within =
                    move |pack: &Pack| pack.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix));
                Box::new(self.db.range(begin..).map(found).take_while(is_within))
            }
        }
    }

    /// Returns the last pack under `prefix` whose first item's key is not behind `key`, if there is one.
    fn last_pack(&self, prefix: &[u8], key: &[u8]) -> Result<Option<(sled::IVec, sled::IVec)>, StoreError> {
        // The least key that is behind it.
        let behind = [prefix, key, &[0]].concat();
        Ok(self.db.get_lt(behind)?.filter(|(found, _)| found.starts_with(prefix)))
    }
}

impl HashReader for Store {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let read = |index: u64| -> Result<Option<Hash>, StoreError> {
            let Some((key, pack)) = self.last_pack(&[Kind::Hash as u8], &index.to_be_bytes())? else {
                return Ok(None);
            };
            let at = usize::try_from(index - number(&key[1..])?).unwrap_or(usize::MAX);
            let hash = pack.as_chunks().0.get(at).copied();
            Ok(hash.map(Hash))
        };
        indexes
            .iter()
            .map(|&index| {
                let found = read(index).map_err(|problem| tlog::Error::InvalidInput(problem.to_string()))?;
                found.ok_or(tlog::Error::IndexesNotInTree)
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

fn number(key: &[u8]) -> Result<u64, StoreError> {
    Ok(u64::from_be_bytes(key.try_into().map_err(|_| StoreError::Malformed("a key is not a number"))?))
}

fn page_prefix(index: u8, page: &[u8]) -> Vec<u8> {
    [&[Kind::Row as u8, index], page].concat()
}

/// Returns the rows of each page, in order of keys.
fn pages(rows: &Rows) -> Vec<Vec<IndexRow<'_>>> {
    let mut number_of = HashMap::new();
    let mut pages: Vec<Vec<IndexRow<'_>>> = Vec::new();
    for row in rows.iter() {
        let number = *number_of.entry((row.index, row.page)).or_insert_with(|| {
            pages.push(Vec::new());
            pages.len() - 1
        });
        pages[number].push(row);
    }
    // Nearly always they are in order.
    for page in &mut pages {
        page.sort_by_key(|row| row.key);
    }
    pages
}

/// Packs the rows of one page.
fn pack_page(rows: Vec<IndexRow<'_>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut packer = Packer::new(page_prefix(rows[0].index, rows[0].page));
    for row in rows {
        packer.push(row.key, row.value);
    }
    packer.finish()
}

/// What the database has under a key, or why it has not.
type Pack = Result<(sled::IVec, sled::IVec), StoreError>;
type Item = Result<(Vec<u8>, Vec<u8>), StoreError>;

fn found(pack: sled::Result<(sled::IVec, sled::IVec)>) -> Pack {
    Ok(pack?)
}

/// Returns the items of a pack; of one that is none, the error.
fn items_of(pack: Pack) -> std::vec::IntoIter<Item> {
    some_items_of(pack, |_| true)
}

/// Returns the items of a pack whose key is wanted; of one that is none, the error.
fn some_items_of(pack: Pack, is_wanted: impl Fn(&[u8]) -> bool) -> std::vec::IntoIter<Item> {
    let items = pack.and_then(|(_, pack)| unpack_some(&pack, is_wanted));
    let items: Vec<Item> =
        items.map_or_else(|why| vec![Err(why)], |items| items.into_iter().map(Ok).collect());
    items.into_iter()
}

/// Returns the leaves of a pack, each with its index.
fn leaves_of(pack: Pack) -> std::vec::IntoIter<Result<(u64, Vec<u8>), StoreError>> {
    let numbered = pack.and_then(|(key, pack)| {
        let first = number(key.get(1..).unwrap_or_default())?;
        let leaves = (first..).zip(unpack_counted(&pack));
        Ok(leaves.map(|(index, leaf)| Ok((index, leaf?.to_vec()))).collect())
    });
    numbered.unwrap_or_else(|why| vec![Err(why)]).into_iter()
}

/// Returns the hashes of a pack, each with its stored index.
fn hashes_of(pack: Pack) -> std::vec::IntoIter<Result<(u64, Vec<u8>), StoreError>> {
    let numbered = pack.and_then(|(key, pack)| {
        let (hashes, rest) = pack.as_chunks::<32>();
        let first = number(key.get(1..).unwrap_or_default())?;
        if !rest.is_empty() {
            return Err(StoreError::Malformed("a pack ends within a hash"));
        }
        Ok((first..).zip(hashes).map(|(index, hash)| Ok((index, hash.to_vec()))).collect())
    });
    numbered.unwrap_or_else(|why| vec![Err(why)]).into_iter()
}

fn parse_checkpoint(note: &[u8]) -> Result<SignedCheckpoint, StoreError> {
    str::from_utf8(note)
        .ok()
        .and_then(|note| SignedCheckpoint::parse_unverified(note).ok())
        .ok_or(StoreError::Malformed("a checkpoint is not a note"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{CheckpointSigner, Origin};
    use crate::journal::JournalOptions;
    use crate::ledger::{Ledger, OpenError};
    use crate::rebuild::{StoreState, compare};

    #[test]
    fn a_store_in_another_form_is_not_the_journal_s_though_only_its_end_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let signer = CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), key);
        let verifier = signer.verifier();
        let mut ledger =
            Ledger::open(dir.path(), signer, &JournalOptions::default(), |_| Ok::<_, OpenError>(())).unwrap();
        let group = ledger.append(vec![b"leaf".to_vec()]).unwrap();
        let whole = ledger.tree().clone();
        drop(ledger);
        let compared = |tree: &Tree| compare(dir.path(), &verifier, tree, |_, _| {}).unwrap();
        let changed = |change: fn(&sled::Db)| {
            let store = Store::open(dir.path()).unwrap();
            change(&store.db);
        };

        assert!(Store::open(dir.path()).unwrap().has_this_form().unwrap(), "an empty one has any form");
        let store = Store::open(dir.path()).unwrap();
        store.apply(&[group], &Rows::default()).unwrap();
        drop(store);
        let another = |db: &sled::Db| drop(db.insert([Kind::Form as u8], &[1]).unwrap());
        let none = |db: &sled::Db| drop(db.remove([Kind::Form as u8]).unwrap());
        for change in [another as fn(&sled::Db), none] {
            changed(|db| drop(db.insert([Kind::Form as u8], FORM).unwrap()));
            assert_eq!(compared(&whole), StoreState::Equal);
            changed(change);
            for tree in [&whole, &Tree::default()] {
                let StoreState::Different { what } = compared(tree) else { panic!("it is not seen") };
                assert!(what.contains("another version"), "{what}");
            }
        }
    }
}
