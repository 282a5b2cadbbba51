//! What else could keep a log: a database by itself, without a journal, a tree or signatures.
//!
//! Knows the databases; does not know what is compared with them.

use std::path::Path;

use parkwatt_ledger::{CheckpointSigner, Group, Hash, Rows, Store};
use rusqlite::Connection;

/// The ledger's own database, sled, with leaves alone, flushed after each group. It calls that durable, though it
/// does not `fsync`.
pub struct Sled {
    store: Store,
    signer: CheckpointSigner,
}

impl Sled {
    /// Makes it in `dir`.
    pub fn new(dir: &Path, signer: CheckpointSigner) -> Sled {
        Sled { store: Store::open(dir).expect("there is room on the disk"), signer }
    }

    /// Returns the next group as the database takes it: without hashes, under some checkpoint.
    pub fn group(&self, leaves: &[Vec<u8>]) -> Group {
        let first_index = self.store.size().expect("the database reads");
        let checkpoint = self.signer.sign(first_index + leaves.len() as u64, Hash([0; 32]));
        Group { first_index, leaves: leaves.to_vec(), hashes: Vec::new(), checkpoint }
    }

    /// Inserts it as one batch, and flushes.
    pub fn append(&self, group: &Group) {
        self.store.apply(std::slice::from_ref(group), &Rows::default()).expect("the disk takes it");
        self.store.flush().expect("the disk takes it");
    }
}

/// `SQLite` with a write-ahead log that is synced at each commit.
pub struct Sqlite {
    database: Connection,
    next: i64,
}

impl Sqlite {
    /// Makes it in `dir`.
    pub fn new(dir: &Path) -> Sqlite {
        let database = Connection::open(dir.join("leaves.sqlite")).expect("there is room on the disk");
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE leaves (number INTEGER PRIMARY KEY, leaf BLOB NOT NULL);",
            )
            .expect("there is room on the disk");
        Sqlite { database, next: 0 }
    }

    /// Inserts leaves in one transaction, and commits.
    pub fn append(&mut self, leaves: &[Vec<u8>]) {
        let transaction = self.database.transaction().expect("nothing else is under way");
        {
            let sql = "INSERT INTO leaves (number, leaf) VALUES (?1, ?2)";
            let mut insert = transaction.prepare_cached(sql).expect("the statement holds");
            for leaf in leaves {
                insert.execute((self.next, leaf)).expect("the disk takes it");
                self.next += 1;
            }
        }
        transaction.commit().expect("the disk takes it");
    }
}
