//! Witnessing: a log watched as it grows, and its checkpoints cosigned.
//!
//! Knows checkpoints and consistency proofs; reads no entry. What was signed last stands in a file before the
//! signature leaves this process, as C2SP `tlog-witness` asks: so that no crash lets a witness sign two histories.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use parkwatt_ledger::{
    CheckpointVerifier, PathError, SignedCheckpoint, WitnessSigner, verify_consistency, write_whole,
};
use serde::Serialize;

use super::{
    Verdict,
    evidence::Contradiction,
    remote::{NodeAddress, Remote},
    verdict::Finding,
};

/// The file with the checkpoint that was signed last.
const LAST_FILE: &str = "last";
/// What that file is called until it is whole.
const LAST_UNFINISHED: &str = "last.new";

/// A log to be witnessed.
pub struct WitnessOrder<'a> {
    /// The node.
    pub node: NodeAddress<'a>,
    /// The folder that says what was signed last; made if it is missing. One for each log and witness.
    pub state: &'a Path,
    /// Who checks the log's checkpoints.
    pub log: CheckpointVerifier,
    /// Who signs.
    pub signer: WitnessSigner,
}

/// What a pass over a node has come to.
#[derive(Debug, Default, Serialize)]
pub struct Witnessing {
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong.
    pub finding: Option<String>,
    /// The file with the evidence, if what is wrong can be proved to others.
    pub evidence: Option<PathBuf>,
    /// The node.
    pub node: String,
    /// The witness's own verifier key.
    pub witness: String,
    /// Over how many leaves the checkpoint is that was signed last.
    pub tree_size: u64,
    /// Over how many leaves those are that were signed and handed in now, in order.
    pub signed: Vec<u64>,
    /// Over how many leaves the checkpoint is that was signed now, but that the node has not taken.
    pub not_taken: Option<u64>,
}

/// A witness at work.
pub struct WitnessDesk<'a> {
    order: WitnessOrder<'a>,
    open: Option<Open>,
}

struct Open {
    remote: Remote,
    last: Option<SignedCheckpoint>,
    _lock: File,
}

impl<'a> WitnessDesk<'a> {
    /// Begins; nothing is read or written before [`WitnessDesk::pass`].
    pub fn new(order: WitnessOrder<'a>) -> WitnessDesk<'a> {
        WitnessDesk { order, open: None }
    }

    /// Signs what is new, and says what it comes to. After a failure the next pass connects again.
    pub fn pass(&mut self) -> Witnessing {
        let mut witnessing = Witnessing {
            node: self.order.node.url.to_owned(),
            witness: self.order.signer.witness().vkey(),
            ..Witnessing::default()
        };
        if let Err(finding) = self.try_pass(&mut witnessing) {
            witnessing.verdict = finding.verdict;
            witnessing.finding = Some(finding.what);
        }
        let last = self.open.as_ref().and_then(|open| open.last.as_ref());
        witnessing.tree_size = last.map_or(0, SignedCheckpoint::size);
        if witnessing.verdict != Verdict::Intact {
            self.open = None;
        }
        witnessing
    }

    fn try_pass(&mut self, witnessing: &mut Witnessing) -> Result<(), Finding> {
        let order = &self.order;
        if self.open.is_none() {
            let (lock, last) = open_state(order)?;
            self.open = Some(Open { remote: Remote::open(&order.node)?, last, _lock: lock });
        }
        let Some(open) = &mut self.open else { unreachable!("it was just opened") };
        let answer = open.remote.checkpoint(0)?;
        let checked = |note: &String| {
            order.log.open(note).map_err(|problem| {
                Finding::tampered(format!("what the node gives out as its checkpoint is not: {problem}"))
            })
        };
        let newest = checked(&answer.note)?;
        // What others have signed comes first: a quorum needs them under one checkpoint.
        let mut due: Vec<SignedCheckpoint> =
            answer.cosigned_notes.iter().map(checked).collect::<Result<_, _>>()?;
        let own = format!("\u{2014} {} ", order.signer.witness().name());
        let last_size = open.last.as_ref().map_or(0, SignedCheckpoint::size);
        due.retain(|it| it.size() >= last_size && !it.note().contains(&own));
        due.push(newest.clone());
        due.sort_by_key(SignedCheckpoint::size);
        let is_signed = |it: &SignedCheckpoint| {
            answer.cosigned_notes.iter().any(|note| {
                note.contains(&own)
                    && checked(note).is_ok_and(|own| own.size() == it.size() && own.root() == it.root())
            })
        };
        for checkpoint in due {
            open.prove(order, &checkpoint, witnessing)?;
            if is_signed(&checkpoint)
                && open.last.as_ref().is_some_and(|last| last.size() == checkpoint.size())
            {
                continue;
            }
            keep_last(order.state, &checkpoint)?;
            open.last = Some(checkpoint.clone());
            // A crash up to here signs nothing; the next pass signs the same checkpoint.
            let cosigned = order.signer.cosign(&checkpoint, unix_seconds());
            witnessing.not_taken = Some(checkpoint.size());
            open.remote.add_cosignature(cosigned.note())?;
            witnessing.not_taken = None;
            witnessing.signed.push(checkpoint.size());
        }
        Ok(())
    }
}

impl Open {
    /// Checks that the log has only grown from what was signed last to a checkpoint.
    fn prove(
        &mut self,
        order: &WitnessOrder<'_>,
        next: &SignedCheckpoint,
        witnessing: &mut Witnessing,
    ) -> Result<(), Finding> {
        let Some(last) = &self.last else { return Ok(()) };
        let root = if next.size() < last.size() {
            // Whether what is given out now is a beginning of what was signed, the node must show.
            let proof = self.remote.consistency(next.size(), last.size()).unwrap_or_default();
            let is_beginning =
                verify_consistency(&proof, last.size(), last.root(), next.size(), next.root()).is_ok();
            is_beginning.then(|| next.root())
        } else {
            let proof = if next.size() == last.size() {
                Vec::new()
            } else {
                self.remote.consistency(last.size(), next.size())?
            };
            if verify_consistency(&proof, next.size(), next.root(), last.size(), last.root()).is_ok() {
                return Ok(());
            }
            None
        };
        let contradiction = Contradiction::new(last.clone(), next.clone(), root);
        let path = contradiction.write(order.state, order.log.vkey());
        let path = path.map_err(Finding::at(order.state))?;
        let what = format!(
            "{contradiction}. Nothing more is signed. The evidence is in {}: keep it, and give copies to the regulator \
             and to the other witnesses",
            path.display()
        );
        witnessing.evidence = Some(path);
        Err(Finding::forked(what))
    }
}

/// Locks the state, and reads what was signed last.
fn open_state(order: &WitnessOrder<'_>) -> Result<(File, Option<SignedCheckpoint>), Finding> {
    let state = order.state;
    fs::create_dir_all(state).map_err(Finding::at(state))?;
    let path = state.join("LOCK");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Finding::at(&path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let what = format!("{}: another witness is at work with this folder", state.display());
            return Err(Finding::unreadable(what));
        }
        Err(TryLockError::Error(problem)) => return Err(Finding::at(&path)(problem)),
    }
    let path = state.join(LAST_FILE);
    let last = match fs::read_to_string(&path) {
        Ok(note) => Some(order.log.open(&note).map_err(|problem| {
            Finding::unreadable(format!(
                "{}: what was signed last is not of this log: {problem}; take another folder for another log",
                path.display()
            ))
        })?),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
        Err(problem) => return Err(Finding::at(&path)(problem)),
    };
    Ok((lock, last))
}

/// Makes durable what will be signed.
fn keep_last(state: &Path, checkpoint: &SignedCheckpoint) -> Result<(), Finding> {
    write_whole(state, LAST_UNFINISHED, LAST_FILE, checkpoint.note().as_bytes())
        .map_err(|PathError { path, source }| Finding::at(&path)(source))
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
