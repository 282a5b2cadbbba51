//! Snapshots: what somebody makes of the log's first leaves, kept beside the log, so that opening need not begin
//! with the first.
//!
//! Knows the tree in front of a group, that group's checkpoint, and a file that is as it was written; does not know
//! what the state in it says. Keeps: a damaged file is never taken for a snapshot; what it says of the log is held
//! against the journal by who goes on from it ([`Ledger::open_from`](crate::Ledger::open_from)). The newest two are
//! kept. A snapshot is only a cache: all of them can be deleted at any time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::{CheckpointVerifier, SignedCheckpoint};
use crate::journal::{PathError, write_whole};
use crate::tree::{Hash, Tree, leaf_hash};

/// What a file begins with: what it is, and version 1 of its format.
const MAGIC: &[u8; 12] = b"pw-snapshot\x01";
/// How many snapshots are kept.
const KEPT: usize = 2;
/// What a snapshot's file is called until it is whole.
pub const SNAPSHOT_UNFINISHED: &str = "next.snap.new";
/// What its file is called after its digits.
const EXTENSION: &str = "snap";

/// A state, and where in the log it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The tree of the leaves that the state comes from.
    pub tree: Tree,
    /// The checkpoint of the group behind them.
    pub checkpoint: SignedCheckpoint,
    /// The state.
    pub state: Vec<u8>,
}

/// A file that is no snapshot, or of another log.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct UnusableSnapshot {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// Returns where in a ledger's directory the snapshots lie.
pub fn snapshots_dir(dir: &Path) -> PathBuf {
    dir.join("snapshots")
}

/// Returns where a snapshot of so many leaves lies.
pub fn snapshot_path(dir: &Path, leaves: u64) -> PathBuf {
    snapshots_dir(dir).join(file_name(leaves))
}

fn file_name(leaves: u64) -> String {
    format!("{leaves:020}.{EXTENSION}")
}

/// Writes a snapshot beside the journal in `dir`: it is there whole and durable, or not at all. Then removes all
/// but the newest two.
pub fn write_snapshot(dir: &Path, snapshot: &Snapshot) -> Result<(), PathError> {
    let snapshots = snapshots_dir(dir);
    fs::create_dir_all(&snapshots).map_err(PathError::at(&snapshots))?;
    write_whole(&snapshots, SNAPSHOT_UNFINISHED, &file_name(snapshot.tree.size()), &snapshot.encode())?;
    for path in paths(&snapshots)?.into_iter().skip(KEPT) {
        fs::remove_file(&path).map_err(PathError::at(&path))?;
    }
    Ok(())
}

/// Returns the snapshots beside the journal in `dir`, the newest first, each read when it is asked for.
pub fn read_snapshots(
    dir: &Path,
    verifier: &CheckpointVerifier,
) -> Result<impl Iterator<Item = Result<Snapshot, UnusableSnapshot>>, PathError> {
    let snapshots = snapshots_dir(dir);
    let paths = if snapshots.exists() { paths(&snapshots)? } else { Vec::new() };
    Ok(paths.into_iter().map(|path| read_snapshot(path, verifier)))
}

/// Reads one snapshot of the log whose key is `verifier`'s.
pub fn read_snapshot(path: PathBuf, verifier: &CheckpointVerifier) -> Result<Snapshot, UnusableSnapshot> {
    let read = fs::read(&path).map_err(|problem| problem.to_string());
    let read =
        read.and_then(|bytes| Snapshot::decode(&bytes).ok_or("this is no snapshot as it was written".into()));
    let opened = read.and_then(|(tree, note, state)| {
        let checkpoint = verifier.open(&note).map_err(|problem| problem.to_string())?;
        Ok(Snapshot { tree, checkpoint, state })
    });
    opened.map_err(|what| UnusableSnapshot { path, what })
}

/// Returns the snapshots' files, the newest first.
fn paths(snapshots: &Path) -> Result<Vec<PathBuf>, PathError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(snapshots).map_err(PathError::at(snapshots))? {
        let path = entry.map_err(PathError::at(snapshots))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort_unstable_by(|a, b| b.cmp(a));
    Ok(paths)
}

impl Snapshot {
    fn encode(&self) -> Vec<u8> {
        let (note, peaks) = (self.checkpoint.note().as_bytes(), self.tree.peaks());
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.tree.size().to_le_bytes());
        for peak in peaks {
            bytes.extend_from_slice(&peak.0);
        }
        for part in [note, &self.state] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        let digest = leaf_hash(&bytes);
        bytes.extend_from_slice(&digest.0);
        bytes
    }

    /// Reads a snapshot back, its checkpoint as a note that nobody has looked at; returns nothing if the bytes are
    /// none, to the last.
    fn decode(bytes: &[u8]) -> Option<(Tree, String, Vec<u8>)> {
        let (bytes, digest) = bytes.split_last_chunk()?;
        if leaf_hash(bytes) != Hash(*digest) {
            return None;
        }
        let (size, mut rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let size = u64::from_le_bytes(*size);
        let mut peaks = Vec::new();
        for _ in 0..size.count_ones() {
            let (peak, behind) = rest.split_first_chunk()?;
            peaks.push(Hash(*peak));
            rest = behind;
        }
        let (note, rest) = take_part(rest)?;
        let (state, rest) = take_part(rest)?;
        let note = str::from_utf8(note).ok()?.to_owned();
        rest.is_empty().then(|| (Tree::of_peaks(size, peaks), note, state.to_vec()))
    }
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)
}
