//! Proving: entries of a folder's ledger, each with its proof, written to a file that needs no ledger.
//!
//! Knows the journal and the forms of such files; needs no store. Keeps: nothing in the folder is changed; a proof
//! is written only of what was read and holds.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use parkwatt_ledger::{
    CheckpointVerifier, Gathered, Hash, ProvedLeaf, Reader, Signatures, SignedCheckpoint, journal_dir,
    prove_inclusion,
};
use serde::Serialize;

use super::{
    Audit, KeySource, Outside, Seen, Verdict,
    bundle::{Bundle, FORMAT, Subject},
    folder::Folder,
    outside::Expected,
    verdict::Finding,
};

/// What is to be proved, and where to.
#[derive(Clone, Copy, Debug)]
pub struct ProofOrder<'a> {
    /// The market's folder, or the folder above it if that has no other market.
    pub dir: &'a Path,
    /// The log's verifier key, if it is known by another way than from this folder.
    pub vkey: Option<&'a str>,
    /// What else is known; with a quorum, the proofs are against the newest checkpoint that it has seen.
    pub outside: Outside<'a>,
    /// What the entries are about.
    pub subject: Subject,
    /// The file, which must not be there yet.
    pub out: &'a Path,
}

/// A file of proofs that was written, or why not.
#[derive(Debug, Default, Serialize)]
pub struct Proved {
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong.
    pub findings: Vec<String>,
    /// The market's folder.
    pub folder: PathBuf,
    /// The verifier key, beginning with the log's origin; empty if none was found.
    pub key: String,
    /// Where the key comes from.
    pub key_source: Option<KeySource>,
    /// The file, if it was written.
    pub file: Option<PathBuf>,
    /// The indices of the entries in it.
    pub leaves: Vec<u64>,
    /// Over how many leaves the checkpoint is.
    pub tree_size: u64,
    /// Who has cosigned that checkpoint, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// Writes the proofs of the entries about something.
///
/// # Errors
/// If the file cannot be written; then nothing is left of it.
pub fn prove(order: &ProofOrder<'_>) -> io::Result<Proved> {
    let mut audit = Audit { folder: order.dir.to_owned(), ..Audit::default() };
    let made = make(order, &mut audit);
    let mut proved = Proved::default();
    match made {
        Ok(made) if audit.verdict == Verdict::Intact => {
            write_new(order.out, &made.text)?;
            (proved.file, proved.leaves) = (Some(order.out.to_owned()), made.leaves);
            (proved.tree_size, proved.seen) = (made.tree_size, made.seen);
        }
        Ok(_) => {}
        Err(finding) => audit.find(finding),
    }
    let Audit { verdict, findings, folder, key, key_source, .. } = audit;
    Ok(Proved { verdict, findings, folder, key, key_source, ..proved })
}

/// A file's text, and what is in it.
struct Made {
    text: String,
    leaves: Vec<u64>,
    tree_size: u64,
    seen: Option<Seen>,
}

/// What a journal has of a subject.
struct Found {
    leaves: BTreeMap<u64, Vec<u8>>,
    newest: SignedCheckpoint,
    roots: BTreeMap<u64, Hash>,
}

fn make(order: &ProofOrder<'_>, audit: &mut Audit) -> Result<Made, Finding> {
    let folder = Folder::open(order.dir)?;
    audit.folder.clone_from(&folder.path);
    let log = folder.verifier(order.vkey, audit)?;
    let expected = Expected::gather(&folder.path, &log, &order.outside, audit)?;
    let mut found = look(&folder.path, &log, order.subject, &expected)?;
    let size = found.newest.size();
    expected.compare(size, &found.roots, &order.outside, audit);
    let (checkpoint, seen) = match (order.outside.quorum, audit.seen.take()) {
        (Some(quorum), Some(seen)) => (expected.cosigned(seen.tree_size, quorum)?, Some(seen)),
        _ => (found.newest.clone(), None),
    };
    found.leaves.retain(|index, _| *index < checkpoint.size());
    let subject = order.subject;
    if !found.leaves.iter().any(|(index, leaf)| subject.is_begun_by(*index, leaf)) {
        let among = checkpoint.size();
        return Err(Finding::unreadable(format!("there is no {subject} among the first {among} entries")));
    }
    let leaves: Vec<u64> = found.leaves.keys().copied().collect();
    let proofs = proofs(&folder.path, &log, &checkpoint, found.leaves)?;
    let text = match subject {
        Subject::Leaf(_) => proofs.concat(),
        about => {
            let bundle = Bundle { format: FORMAT.to_owned(), about, vkey: log.vkey().to_owned(), proofs };
            serde_json::to_string_pretty(&bundle).expect("its keys are text, and its numbers whole") + "\n"
        }
    };
    Ok(Made { text, leaves, tree_size: checkpoint.size(), seen })
}

/// Reads a journal through, for the leaves about a subject and for the roots that are expected.
fn look(
    dir: &Path,
    log: &CheckpointVerifier,
    subject: Subject,
    expected: &Expected,
) -> Result<Found, Finding> {
    let mut reader = Reader::open(&journal_dir(dir), log, Signatures::Last)?;
    let (mut leaves, mut roots, sizes) = (BTreeMap::new(), BTreeMap::new(), expected.sizes());
    loop {
        let before = reader.tree().clone();
        let Some(group) = reader.next() else { break };
        let group = group?;
        let about = group.indexed_leaves().filter(|(index, leaf)| subject.has(*index, leaf));
        leaves.extend(about.map(|(index, leaf)| (index, leaf.to_vec())));
        let here = sizes.range(group.first_index + 1..=group.end_index());
        roots.extend(here.filter_map(|&size| Some((size, group.root_at(&before, size)?))));
    }
    let newest = reader.finish()?.checkpoint;
    let newest =
        newest.ok_or_else(|| Finding::unreadable("the ledger is empty: there is nothing to prove"))?;
    Ok(Found { leaves, newest, roots })
}

/// Reads it once more, for the hashes that the proofs need, and returns them as texts.
fn proofs(
    dir: &Path,
    log: &CheckpointVerifier,
    checkpoint: &SignedCheckpoint,
    leaves: BTreeMap<u64, Vec<u8>>,
) -> Result<Vec<String>, Finding> {
    let unproved = |problem: parkwatt_ledger::ProofError| Finding::unreadable(problem.to_string());
    let indices: Vec<u64> = leaves.keys().copied().collect();
    let mut gathered = Gathered::for_inclusion(checkpoint.size(), &indices).map_err(unproved)?;
    for group in Reader::open(&journal_dir(dir), log, Signatures::Last)? {
        gathered.take(&group?);
    }
    let proof = |(index, leaf)| {
        let hashes = prove_inclusion(&gathered, checkpoint.size(), index).map_err(unproved)?;
        Ok(ProvedLeaf::new(leaf, index, hashes, checkpoint).to_string())
    };
    leaves.into_iter().map(proof).collect()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let named = |problem: io::Error| {
        let file = path.display();
        io::Error::new(
            problem.kind(),
            match problem.kind() {
                io::ErrorKind::AlreadyExists => {
                    format!("{file}: is there already, and is not overwritten; name another file with --out")
                }
                _ => format!("{file}: {problem}"),
            },
        )
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(named)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|problem| {
        // OK because the file is ours and useless: what failed is reported by the error.
        let _ = std::fs::remove_file(path);
        named(problem)
    })
}
