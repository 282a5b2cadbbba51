//! What is known of a ledger by another way than from its folder: a checkpoint from an earlier day, witnesses.
//!
//! Knows what a ledger must contain to be the one that was seen before; does not know how it is read.
//! Keeps: two checkpoints that a log's key has signed and that cannot both be are never overlooked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::Path,
};

use indicatif::HumanCount;
use parkwatt_ledger::{
    COSIGNED_FILE, CheckpointVerifier, Hash, Quorum, SignedCheckpoint, cosigned_notes, read_snapshots,
};
use parkwatt_proto::StatementFile;
use serde::Serialize;

use super::{Audit, bundle::Bundle, proofs::PROOF_HEADING, verdict::Finding};

/// What an auditor knows of a ledger by another way than from its folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outside<'a> {
    /// A checkpoint that was kept, as its signed note: the ledger must have grown from it.
    pub checkpoint: Option<&'a str>,
    /// The checkpoint that the newest one is to replace: the ledger must have grown from it, too.
    pub replaced: Option<&'a str>,
    /// Who must have seen the ledger grow.
    pub quorum: Option<&'a Quorum>,
}

/// The newest checkpoint that enough witnesses have cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Over how many leaves it is.
    pub tree_size: u64,
    /// How many leaves lie behind it, which no witness has seen yet.
    pub leaves_behind: u64,
    /// When each witness signed, in seconds since 1970, by their names.
    pub witnesses: BTreeMap<String, u64>,
}

/// Signed checkpoints that a ledger must contain, each with where it comes from.
pub(super) struct Expected {
    checkpoints: Vec<(Origin, SignedCheckpoint)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Given,
    Replaced,
    Cosigned,
    Snapshot,
}

/// Reads the checkpoint in a file: a signed note, or the note of a proof, of a bundle of them or of a retirement statement.
///
/// # Errors
/// A sentence if there is none.
pub fn checkpoint_note(file: &Path) -> Result<String, String> {
    let named = |problem: String| format!("{}: {problem}", file.display());
    let text = fs::read_to_string(file).map_err(|problem| named(problem.to_string()))?;
    let first = |proofs: Vec<String>| proofs.into_iter().next().unwrap_or_default();
    let proof = match (Bundle::parse(&text), StatementFile::parse(&text)) {
        (Some(bundle), _) => first(bundle.proofs),
        (None, Ok(statement)) => first(statement.proofs),
        (None, Err(_)) => text,
    };
    let note = match proof.strip_prefix(PROOF_HEADING) {
        Some(_) => proof.split_once("\n\n").map(|(_, note)| note.to_owned()),
        None => Some(proof),
    };
    let is_note = |note: &String| note.contains("\n\n\u{2014} ");
    note.filter(is_note).ok_or_else(|| {
        named("there is no checkpoint in it: a signed note, or a proof or statement that has one".to_owned())
    })
}

impl Expected {
    /// Gathers what the ledger of `verifier` in `folder` must contain.
    pub(super) fn gather(
        folder: &Path,
        verifier: &CheckpointVerifier,
        outside: &Outside<'_>,
        audit: &mut Audit,
    ) -> Result<Expected, Finding> {
        let mut checkpoints = Vec::new();
        let known = [
            (Origin::Given, outside.checkpoint, "the checkpoint that was given (--checkpoint)"),
            (
                Origin::Replaced,
                outside.replaced,
                "the checkpoint in the file of --keep, which stays as it is",
            ),
        ];
        for (origin, note, whose) in known {
            let opened = note.map(|note| verifier.open(note)).transpose();
            let opened = opened.map_err(|problem| Finding::unreadable(format!("{whose}: {problem}")))?;
            checkpoints.extend(opened.map(|checkpoint| (origin, checkpoint)));
        }
        let path = folder.join(COSIGNED_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Finding::at(&path)(problem)),
        };
        for (number, note) in (1..).zip(cosigned_notes(&text)) {
            match verifier.open(&note) {
                Ok(checkpoint) => checkpoints.push((Origin::Cosigned, checkpoint)),
                Err(problem) => {
                    audit.find(Finding::tampered(format!("{}: note {number}: {problem}", path.display())));
                }
            }
        }
        for snapshot in
            read_snapshots(folder, verifier).map_err(|problem| Finding::unreadable(problem.to_string()))?
        {
            match snapshot {
                Ok(snapshot) => checkpoints.push((Origin::Snapshot, snapshot.checkpoint)),
                Err(problem) => audit.find(Finding::tampered(format!(
                    "{problem}. Nothing depends on a snapshot: the next start of the node leaves it out"
                ))),
            }
        }
        Ok(Expected { checkpoints })
    }

    /// Returns the sizes at which the ledger's root must be known.
    pub(super) fn sizes(&self) -> BTreeSet<u64> {
        self.checkpoints.iter().map(|(_, checkpoint)| checkpoint.size()).collect()
    }

    /// Returns the checkpoint over `size` leaves that a quorum has seen, of those that are known.
    pub(super) fn cosigned(&self, size: u64, quorum: &Quorum) -> Result<SignedCheckpoint, Finding> {
        let of_size =
            self.checkpoints.iter().map(|(_, checkpoint)| checkpoint).filter(|it| it.size() == size);
        let seen = of_size.map(|checkpoint| quorum.check(checkpoint).map(|_| checkpoint.clone()));
        let mut seen: Vec<_> = seen.filter_map(Result::ok).collect();
        seen.pop().ok_or_else(|| Finding::unwitnessed(format!("no quorum has seen the first {size} leaves")))
    }

    /// Compares them with a ledger of `size` leaves that has these roots, and finds what contradicts it.
    pub(super) fn compare(
        &self,
        size: u64,
        roots: &BTreeMap<u64, Hash>,
        outside: &Outside<'_>,
        audit: &mut Audit,
    ) {
        let mut contained = Vec::new();
        for (origin, checkpoint) in &self.checkpoints {
            let whose = match origin {
                Origin::Given => "the checkpoint that was given",
                Origin::Replaced => "the checkpoint that was kept (--keep), and stays as it is,",
                Origin::Cosigned => "the file 'cosigned'",
                Origin::Snapshot => "a snapshot",
            };
            let claimed = checkpoint.size();
            if claimed > size {
                audit.find(Finding::forked(format!(
                    "{whose} says, signed by the log's key, that there were {claimed} leaves; here are {size}: what was \
                     acknowledged is gone. Keep the checkpoint, and ask the operator for the ledger that it is of"
                )));
            } else if claimed > 0 && roots.get(&claimed) != Some(&checkpoint.root()) {
                audit.find(Finding::forked(format!(
                    "{whose} says, signed by the log's key, that the root over {claimed} leaves is {}; here it is {}: \
                     the log has two histories. Keep both: together they prove it",
                    checkpoint.root(),
                    roots.get(&claimed).map_or_else(|| "unknown".to_owned(), Hash::to_string),
                )));
            } else {
                contained.push((*origin, checkpoint));
                if *origin == Origin::Given {
                    let (then, since) = (HumanCount(claimed), HumanCount(size - claimed));
                    audit.notes.push(if claimed == size {
                        format!("the ledger has not grown since the checkpoint that was given: {then} leaves")
                    } else {
                        format!(
                            "the ledger has grown from the checkpoint that was given: {then} leaves, and {since} since"
                        )
                    });
                }
            }
        }
        if let Some(quorum) = outside.quorum {
            match newest_seen(size, contained.iter().map(|(_, checkpoint)| *checkpoint), quorum) {
                Ok(seen) => audit.seen = Some(seen),
                Err(finding) => audit.find(finding),
            }
        }
    }
}

/// Returns the newest of these checkpoints of a ledger of `size` leaves that enough witnesses have cosigned.
fn newest_seen<'a>(
    size: u64,
    checkpoints: impl Iterator<Item = &'a SignedCheckpoint>,
    quorum: &Quorum,
) -> Result<Seen, Finding> {
    let mut checkpoints: Vec<_> = checkpoints.collect();
    checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.size()));
    let mut problem = None;
    for checkpoint in checkpoints {
        match quorum.check(checkpoint) {
            Ok(witnesses) => {
                let tree_size = checkpoint.size();
                return Ok(Seen { tree_size, leaves_behind: size - tree_size, witnesses });
            }
            Err(unseen) => problem = problem.or(Some(unseen.to_string())),
        }
    }
    let problem = problem.unwrap_or_else(|| "no checkpoint of this ledger is cosigned by anybody".to_owned());
    Err(Finding::unwitnessed(format!(
        "{problem}. Ask the witnesses whether they follow this log, and the operator whether the node knows them"
    )))
}

/// Checks that enough witnesses have signed the checkpoint of a proof.
pub(super) fn check_seen(checkpoint: &SignedCheckpoint, quorum: &Quorum) -> Result<Seen, Finding> {
    newest_seen(checkpoint.size(), [checkpoint].into_iter(), quorum)
}
