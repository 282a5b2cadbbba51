//! A log to test with: who signs it, and what is in it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use parkwatt_ledger::{
    CheckpointSigner, CheckpointVerifier, Group, JournalOptions, Ledger, OpenError, Origin, ReadError,
    Scanned, Signatures, SigningKey, journal_dir, scan,
};

pub fn signer() -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[7; 32]))
}

pub fn verifier() -> CheckpointVerifier {
    signer().verifier()
}

/// Segments so small that a few groups fill one.
pub fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 32 << 10 }
}

/// Opens the ledger, and returns it with the leaves it has replayed.
pub fn open(dir: &Path) -> Result<(Ledger, Vec<Vec<u8>>), OpenError> {
    let mut leaves = Vec::new();
    let ledger = Ledger::open(dir, signer(), &small(), |group| {
        leaves.extend(group.leaves);
        Ok::<_, OpenError>(())
    })?;
    Ok((ledger, leaves))
}

/// Scans the journal as an auditor does, and returns its groups too.
pub fn audit(dir: &Path) -> Result<(Vec<Group>, Scanned), ReadError> {
    let mut groups = Vec::new();
    let scanned = scan(&journal_dir(dir), &verifier(), Signatures::Every, |group| {
        groups.push(group);
        Ok::<_, ReadError>(())
    })?;
    Ok((groups, scanned))
}

/// Returns `count` different leaves of `len` bytes.
pub fn leaves(first: usize, count: usize, len: usize) -> Vec<Vec<u8>> {
    (first..first + count).map(|n| (0..=250).cycle().skip(n % 251).take(len).collect()).collect()
}

/// Makes a ledger of these groups.
pub fn make(dir: &Path, groups: &[Vec<Vec<u8>>]) -> Vec<Group> {
    let (mut ledger, _) = open(dir).unwrap();
    groups.iter().map(|leaves| ledger.append(leaves.clone()).unwrap()).collect()
}

/// Returns the journal's segments, in order.
pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(journal_dir(dir)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths
}
