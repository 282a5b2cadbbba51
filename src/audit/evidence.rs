//! Evidence: two checkpoints that a log's key has signed and that cannot both be, in a file for others to check.
//!
//! Knows what can be proved by which signatures, and says no more than that; does not know how they were come by.
//! Keeps: no evidence is overwritten, and the same is not written twice.

use std::{
    fmt, fs,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use parkwatt_ledger::{
    CheckpointVerifier, Gathered, Hash, ProvedLeaf, Reader, Signatures, SignedCheckpoint, journal_dir,
    prove_inclusion,
};

use super::{remote::Remote, verdict::Finding};

/// What the names of files with evidence begin with.
pub(super) const EVIDENCE: &str = "evidence-";

/// A checkpoint that was seen first, and one that a node has given out later and that does not go with it.
pub(super) struct Contradiction {
    earlier: SignedCheckpoint,
    later: SignedCheckpoint,
    kind: Kind,
    /// Proofs of two different entries at one index, one under each checkpoint, if they were found.
    entries: Option<[String; 2]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The later one is a beginning of what was seen.
    RolledBack,
    /// Neither continues the other.
    Forked,
}

impl Contradiction {
    /// Takes two checkpoints; `root` is that of the earlier log over as many leaves as the later one has, if it has so
    /// many.
    pub(super) fn new(
        earlier: SignedCheckpoint,
        later: SignedCheckpoint,
        root: Option<Hash>,
    ) -> Contradiction {
        let kind = if root == Some(later.root()) { Kind::RolledBack } else { Kind::Forked };
        Contradiction { earlier, later, kind, entries: None }
    }

    /// Looks for the first entry that the mirror in `dir` and the node have differently. Where the node does not help,
    /// the two notes must do.
    pub(super) fn look_for_entry(&mut self, dir: &Path, log: &CheckpointVerifier, node: &mut Remote) {
        if self.kind == Kind::Forked {
            self.entries = self.differing_entries(dir, log, node).ok().flatten();
        }
    }

    fn differing_entries(
        &self,
        dir: &Path,
        log: &CheckpointVerifier,
        node: &mut Remote,
    ) -> Result<Option<[String; 2]>, Finding> {
        let reader = Reader::open(&journal_dir(dir), log, Signatures::Last)?;
        let size = self.earlier.size().min(self.later.size());
        let (mut theirs, mut next) = (Vec::new().into_iter(), 0);
        for group in reader {
            for own in group?.leaves {
                if next == size {
                    return Ok(None);
                }
                if theirs.len() == 0 {
                    theirs = node.entries(next, size)?.into_iter();
                }
                if theirs.next().as_ref() != Some(&own) {
                    return self.proofs(dir, log, node, next, own).map(Some);
                }
                next += 1;
            }
        }
        Ok(None)
    }

    /// Proves the entry at an index under the earlier checkpoint, and lets the node prove its own.
    fn proofs(
        &self,
        dir: &Path,
        log: &CheckpointVerifier,
        node: &mut Remote,
        index: u64,
        leaf: Vec<u8>,
    ) -> Result<[String; 2], Finding> {
        let unproved = |problem: &dyn fmt::Display| Finding::unreadable(problem.to_string());
        let mut gathered =
            Gathered::for_inclusion(self.earlier.size(), &[index]).map_err(|problem| unproved(&problem))?;
        for group in Reader::open(&journal_dir(dir), log, Signatures::Last)? {
            gathered.take(&group?);
        }
        let hashes =
            prove_inclusion(&gathered, self.earlier.size(), index).map_err(|problem| unproved(&problem))?;
        let own = ProvedLeaf::new(leaf, index, hashes, &self.earlier);
        let text = node.proof(index)?;
        let their: ProvedLeaf = text.parse().map_err(|problem| unproved(&problem))?;
        their.verify(log).map_err(|problem| unproved(&problem))?;
        if their.index() != index || their.leaf() == own.leaf() {
            return Err(Finding::unreadable("the node proves what it did not say"));
        }
        Ok([own.to_string(), text])
    }

    /// Writes the evidence to `dir/evidence-N.txt`, the first N that is free, unless it stands in one already.
    pub(super) fn write(&self, dir: &Path, vkey: &str) -> io::Result<PathBuf> {
        let text = self.text(vkey);
        for number in 1_u64.. {
            let path = dir.join(format!("{EVIDENCE}{number}.txt"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()?;
                    return Ok(path);
                }
                Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::read_to_string(&path)? == text {
                        return Ok(path);
                    }
                }
                Err(problem) => return Err(problem),
            }
        }
        unreachable!("there are fewer files than numbers")
    }

    fn text(&self, vkey: &str) -> String {
        let (origin, _) = vkey.split_once('+').unwrap_or((vkey, ""));
        let head = match self.kind {
            Kind::RolledBack => "was rolled back",
            Kind::Forked => "has two histories",
        };
        let mut text = format!(
            "The log {origin} {head}.\n\n{self}.\n\nBoth notes are signed by the log's key, {vkey}: anybody who knows \
             that key can check them with any tool that reads C2SP signed notes.\n\n\
             ---- the note that was seen first ----\n{}\n---- the note that was given out later ----\n{}",
            self.earlier.note(),
            self.later.note()
        );
        if let Some([own, their]) = &self.entries {
            text += "\n---- an entry under the first note, as a C2SP tlog-proof ----\n";
            text += own;
            text += "\n---- another entry in its place ----\n";
            text += their;
        }
        text
    }
}

/// What is proved, in a sentence.
impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (earlier, later) = (self.earlier.size(), self.later.size());
        match (self.kind, &self.entries) {
            (Kind::RolledBack, _) => write!(
                f,
                "the node has signed a checkpoint over {earlier} leaves, and now gives out one over {later}, which was \
                 their beginning: what it acknowledged since is gone"
            ),
            (Kind::Forked, Some(_)) => write!(
                f,
                "the node has signed two checkpoints that cannot both be, over {earlier} and {later} leaves: each proves \
                 another entry at the same index"
            ),
            (Kind::Forked, None) if earlier == later => write!(
                f,
                "the node has signed two checkpoints that cannot both be: both over {earlier} leaves, with different roots"
            ),
            (Kind::Forked, None) => write!(
                f,
                "the node has signed checkpoints over {earlier} and {later} leaves, and cannot show that the longer one \
                 begins with the shorter one"
            ),
        }
    }
}

/// Returns the root of a mirror over its first `size` leaves, if it has so many.
pub(super) fn root_at(dir: &Path, log: &CheckpointVerifier, size: u64) -> Result<Option<Hash>, Finding> {
    let mut reader = Reader::open(&journal_dir(dir), log, Signatures::Last)?;
    loop {
        let before = reader.tree().clone();
        let Some(group) = reader.next() else { return Ok(None) };
        if let Some(root) = group?.root_at(&before, size) {
            return Ok(Some(root));
        }
    }
}
