//! The auditor: what can be proved from a ledger's files alone, without trusting who wrote them.
//!
//! Knows the journal, the store and the engine, and in `remote` how a live node is read; does not know keys that
//! sign for a market.
//! [`Depth::Verify`] checks every frame, hash, checkpoint and signature, and that the store is the journal's;
//! [`Depth::Replay`] also runs the engine over the signed commands and compares every leaf; [`report()`] also
//! writes down what the market did. Of files that prove a part of a ledger [`check_file`] says whether they do.
//! Keeps: nothing in the folder is changed; whatever lies there, an audit ends with a verdict.

mod breaking;
mod bundle;
mod evidence;
mod folder;
mod leaves;
mod mirroring;
mod outcomes;
mod outside;
mod proofs;
mod proving;
mod remote;
mod report;
mod saying;
mod store;
mod summary;
mod tiling;
mod totals;
mod verdict;
mod witnessing;

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    time::{Duration, Instant},
};

use parkwatt_ledger::{Hash, Reader, Signatures, Tail, journal_dir};

pub use breaking::{broken_off, end_with_a_verdict};
pub use bundle::{CertificateName, Subject};
pub use mirroring::{FollowOrder, Followed, Follower};
pub use outcomes::Pass;
pub use outside::{Outside, Seen, checkpoint_note};
pub use proofs::{FileCheck, Judgement, check_file};
pub use proving::{ProofOrder, Proved, prove};
pub use remote::{NodeAddress, Trust};
pub use report::{
    Amount, CertificateTotals, Check, Document, Figures as SlotFigures, FileRecord, LedgerRecord,
    MoneyTotals, Period, PeriodRecord, Place, Relation, ReportOrder, Reported, Unit,
};
pub use store::{check_store, verifier_of};
pub use summary::Conclusion;
pub use tiling::{Tiled, tiles};
pub use totals::Totals;
pub use verdict::{Audit, Figures, KeySource, Replayed, Verdict};
pub use witnessing::{WitnessDesk, WitnessOrder, Witnessing};

use crate::replay::Replay;
use folder::Folder;
use leaves::{Block, Checked, bare_signatures_per_s, read_through};
use outside::Expected;
use report::Reporter;
use verdict::Finding;

/// How many leaves that are wrong are named before the rest is only counted.
const NAMED_MAX: usize = 20;

/// What is said of a folder without a store.
const NO_STORE: &str = "there is no store, only the journal: an archive or a mirror";

/// What is audited, and how.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The market's folder, or the folder above it if that has no other market. No node may be writing to it.
    pub dir: &'a Path,
    /// The log's verifier key, if it is known by another way than from this folder.
    pub vkey: Option<&'a str>,
    /// How deep.
    pub depth: Depth,
    /// What else is known of it.
    pub outside: Outside<'a>,
    /// A program whose `check-store` is [`check_store`]: it opens a copy of the store, since that can crash.
    pub program: &'a Path,
}

/// How deep an audit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The files are what the node has signed, and every command is what its owner has signed.
    Verify,
    /// And everything follows from these commands.
    Replay,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The leaves that were checked.
    pub leaves: u64,
    /// The bytes of the journal up to there.
    pub bytes: u64,
    /// The bytes of the whole journal.
    pub bytes_total: u64,
}

/// Audits a ledger, and calls `progress` after every few hundred leaves.
pub fn audit(task: &Task<'_>, progress: impl FnMut(Progress)) -> Audit {
    run(task, None, progress)
}

/// Replays a ledger, whatever the task's depth, and writes a report of what the market did, if the ledger is
/// intact: else there is only the verdict.
///
/// # Errors
/// If the report cannot be written; then nothing is left of it.
pub fn report(task: &Task<'_>, order: &ReportOrder<'_>, progress: impl FnMut(Progress)) -> io::Result<Audit> {
    let mut reporter = Reporter::begin(order, task.dir)?;
    let task = Task { depth: Depth::Replay, ..*task };
    let mut audit = run(&task, Some(&mut reporter), progress);
    if audit.verdict == Verdict::Intact {
        reporter.publish(&mut audit)?;
    }
    Ok(audit)
}

/// Audits what a live node hands out: its ledger, mirrored into a folder that is gone afterwards. The task's
/// folder is where that folder may be made.
///
/// There is no store among it, since nobody sees a node's store.
pub fn audit_node(node: &NodeAddress<'_>, task: &Task<'_>, mut progress: impl FnMut(Progress)) -> Audit {
    let mut audit = Audit { folder: node.url.into(), ..Audit::default() };
    let mirror = match tempfile::Builder::new().prefix("parkwatt-audit-").tempdir_in(task.dir) {
        Ok(mirror) => mirror,
        Err(problem) => {
            audit.find(Finding::at(task.dir)(problem));
            return audit;
        }
    };
    let order = FollowOrder { node: *node, dir: mirror.path(), vkey: task.vkey, quorum: None };
    let mut follower = Follower::new(order);
    let mirrored = follower.pass(&mut progress);
    // The mirror is closed, so that it can be audited.
    drop(follower);
    (audit.key, audit.key_source) = (mirrored.key, mirrored.key_source);
    if let Some(what) = mirrored.finding {
        audit.find(Finding { verdict: mirrored.verdict, what });
        return audit;
    }
    let key = audit.key.clone();
    let task = Task { dir: mirror.path(), vkey: Some(&key), ..*task };
    let mut audited =
        Audit { folder: audit.folder, key_source: audit.key_source, ..run(&task, None, progress) };
    audited.notes.retain(|note| note != NO_STORE);
    audited
}

fn run(task: &Task<'_>, reporter: Option<&mut Reporter>, progress: impl FnMut(Progress)) -> Audit {
    let mut audit = Audit { folder: task.dir.to_owned(), ..Audit::default() };
    if let Err(finding) = examine(task, &mut audit, reporter, progress) {
        audit.find(finding);
    }
    audit
}

/// Audits what can be read, and returns early where nothing that follows could be read.
fn examine(
    task: &Task<'_>,
    audit: &mut Audit,
    reporter: Option<&mut Reporter>,
    progress: impl FnMut(Progress),
) -> Result<(), Finding> {
    let folder = Folder::open(task.dir)?;
    audit.folder.clone_from(&folder.path);
    let contents = folder.look(audit)?;
    let verifier = folder.verifier(task.vkey, audit)?;
    if !contents.is_plain {
        return Ok(());
    }
    let expected = Expected::gather(&folder.path, &verifier, &task.outside, audit)?;
    let reader = Reader::open(&journal_dir(&folder.path), &verifier, Signatures::Every)?;
    let replay = (task.depth == Depth::Replay).then(Replay::default);
    let replaying = Replaying { replay, totals: Totals::default(), reporter };
    let roots = examine_journal(reader, (contents.journal_bytes, &expected), replaying, audit, progress)?;
    expected.compare(audit.figures.leaves, &roots, &task.outside, audit);
    if contents.has_store {
        store::examine(&folder.path, &verifier, task.program, audit)
    } else {
        audit.notes.push(NO_STORE.to_owned());
        Ok(())
    }
}

/// Reads the journal through, once, and returns the roots at the sizes that were `expected`; or its first fault,
/// behind which nothing can be read.
fn examine_journal(
    reader: Reader,
    (bytes_total, expected): (u64, &Expected),
    mut replaying: Replaying<'_>,
    audit: &mut Audit,
    mut progress: impl FnMut(Progress),
) -> Result<BTreeMap<u64, Hash>, Finding> {
    let begin = Instant::now();
    let mut authenticating = Duration::ZERO;
    let mut faults = 0;
    let read = read_through(reader, &expected.sizes(), |block, checked| {
        let Checked { commands, authentic, faults: found, authenticating: took } = checked;
        audit.figures.commands += commands;
        audit.figures.signatures += authentic;
        audit.figures.commands_signed += authentic;
        audit.figures.leaves += block.leaves.len() as u64;
        authenticating += took;
        for fault in found {
            faults += 1;
            if faults <= NAMED_MAX {
                audit.find(Finding::tampered(fault));
            }
        }
        replaying.take(block, audit);
        progress(Progress { leaves: audit.figures.leaves, bytes: block.bytes_read, bytes_total });
    });
    if faults > NAMED_MAX {
        audit.find(Finding::tampered(format!("{} further leaves are wrong", faults - NAMED_MAX)));
    }
    audit.figures.groups = read.groups;
    audit.figures.signatures += read.groups;
    audit.figures.took(begin.elapsed());
    audit.figures.bare_signatures_per_s = bare_signatures_per_s(audit.figures.commands, authenticating);

    let scanned = read.scanned?;
    audit.figures.segments = scanned.segments;
    audit.checkpoint = scanned.checkpoint.map(|checkpoint| checkpoint.note().to_owned());
    audit.figures.tree_root = scanned.tree.root().to_string();
    if scanned.tree.size() == 0 {
        audit.find(Finding::tampered("the journal has no leaf: no market was founded, or all of it is gone"));
    }
    if let Tail::Torn { file, offset, end } = scanned.tail {
        // No fault looks like this: a sector that was changed is neither written nor empty.
        audit.notes.push(format!(
            "{}: byte {offset}: here a group begins that was never finished; its last written sector ends at byte \
             {end}. A node that was killed while it wrote leaves this: nothing in it was acknowledged, and the node's \
             next group takes its place",
            file.display()
        ));
    }
    replaying.finish(audit);
    Ok(read.roots)
}

/// The engine, run over the commands until it contradicts a leaf.
struct Replaying<'a> {
    replay: Option<Replay>,
    totals: Totals,
    /// Who writes down what followed, if anybody does.
    reporter: Option<&'a mut Reporter>,
}

impl Replaying<'_> {
    fn take(&mut self, block: &Block, audit: &mut Audit) {
        for (index, leaf) in (block.first_index..).zip(&block.leaves) {
            let Some(replay) = &mut self.replay else { return };
            breaking::replaying(index);
            match replay.take(leaf) {
                Ok(None) => {}
                Ok(Some(applied)) => {
                    applied.events.iter().for_each(|event| self.totals.observe(event));
                    if let (Some(reporter), Some(replica)) = (&mut self.reporter, replay.replica()) {
                        reporter.observe(&applied, replica.market());
                    }
                }
                Err(divergence) => {
                    audit.find(Finding::diverged(divergence.to_string()));
                    self.replay = None;
                }
            }
        }
        breaking::replayed();
    }

    fn finish(mut self, audit: &mut Audit) {
        let Some(replay) = self.replay else { return };
        if replay.foreign_states() > 0 {
            audit.notes.push(format!(
                "{} recorded states are in the form of another version of this program, and were not compared",
                replay.foreign_states()
            ));
        }
        let market = match replay.finish() {
            Ok(Some(replica)) => replica,
            Ok(None) => return,
            Err(divergence) => return audit.find(Finding::diverged(divergence.to_string())),
        };
        let market = market.market();
        if let Some(reporter) = &mut self.reporter {
            reporter.close(market);
        }
        self.totals.close(market);
        for contradiction in self.totals.contradictions() {
            audit.find(Finding::diverged(contradiction));
        }
        audit.replayed = Some(Replayed {
            market: market.config().name.clone(),
            currency: market.config().currency.clone(),
            state_hash: format!("{:016x}", market.state_hash()),
            totals: self.totals,
        });
    }
}
