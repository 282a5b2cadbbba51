//! Mirroring: a live node's ledger, copied group by group into a folder that is itself auditable.
//!
//! Knows the node's calls and the mirror; does not know what a leaf says. Who runs the node is not believed:
//! what does not follow from what was mirrored before is an alarm, with the evidence in a file.
//! Keeps: nothing that was mirrored is ever changed or deleted; evidence is never overwritten.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use parkwatt_ledger::{
    COSIGNED_FILE, CheckpointVerifier, Hash, JournalOptions, Mirror, MirrorError, OpenError, Quorum,
    SignedCheckpoint, Store, cosigned_notes, journal_dir, verify_consistency, write_cosigned,
};
use serde::Serialize;

use super::{
    KeySource, Progress, Verdict,
    evidence::{Contradiction, root_at},
    folder::LOCK_FILE,
    outside::{Seen, check_seen},
    remote::{NodeAddress, Remote},
    verdict::Finding,
};
use crate::host::VKEY_FILE;

/// How many leaves further the next checkpoint is looked for: so few that a group fits into memory.
const STEP_LEAVES: u64 = 4096;
/// After how many bytes of leaves without a checkpoint between them reading ends: a node closes its groups long
/// before, and who hands out more wants to fill the memory.
const GROUP_BYTES_MAX: usize = 1 << 30;

/// A node to be mirrored.
#[derive(Clone, Copy, Debug)]
pub struct FollowOrder<'a> {
    /// The node.
    pub node: NodeAddress<'a>,
    /// The folder of the mirror; made if it is missing.
    pub dir: &'a Path,
    /// The log's verifier key, if it is known by another way than from the node.
    pub vkey: Option<&'a str>,
    /// Who must have cosigned its newest checkpoint.
    pub quorum: Option<&'a Quorum>,
}

/// What a pass over a node has come to.
#[derive(Debug, Default, Serialize)]
pub struct Followed {
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong.
    pub finding: Option<String>,
    /// The file with the evidence, if what is wrong can be proved to others.
    pub evidence: Option<PathBuf>,
    /// The node.
    pub node: String,
    /// The mirror.
    pub folder: PathBuf,
    /// The verifier key, beginning with the log's origin; empty if none was found.
    pub key: String,
    /// Where the key comes from.
    pub key_source: Option<KeySource>,
    /// How many leaves the mirror has.
    pub tree_size: u64,
    /// How many of them are new.
    pub leaves_new: u64,
    /// The root over them, in base64 as in a checkpoint; empty if there are none.
    pub tree_root: String,
    /// The newest checkpoint that enough witnesses have cosigned, if that was asked for.
    pub seen: Option<Seen>,
}

/// Who follows a node.
pub struct Follower<'a> {
    order: FollowOrder<'a>,
    open: Option<Open>,
}

/// A mirror, and the connection to the node that it is of.
struct Open {
    remote: Remote,
    mirror: Mirror,
    verifier: CheckpointVerifier,
    key_source: KeySource,
}

impl<'a> Follower<'a> {
    /// Begins to follow; nothing is read or written before [`Follower::pass`].
    pub fn new(order: FollowOrder<'a>) -> Follower<'a> {
        Follower { order, open: None }
    }

    /// Mirrors what is new, and says what it comes to. After a failure the next pass connects again.
    pub fn pass(&mut self, mut progress: impl FnMut(Progress)) -> Followed {
        let mut followed = Followed {
            node: self.order.node.url.to_owned(),
            folder: self.order.dir.to_owned(),
            ..Followed::default()
        };
        if let Err(finding) = self.try_pass(&mut followed, &mut progress) {
            followed.verdict = finding.verdict;
            followed.finding = Some(finding.what);
        }
        if let Some(open) = &self.open {
            followed.tree_size = open.mirror.tree().size();
            if followed.tree_size > 0 {
                followed.tree_root = open.mirror.tree().root().to_string();
            }
        }
        if followed.verdict != Verdict::Intact {
            self.open = None;
        }
        followed
    }

    fn try_pass(
        &mut self,
        followed: &mut Followed,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Finding> {
        if self.open.is_none() {
            self.open = Some(Open::connect(&self.order)?);
        }
        let Some(open) = &mut self.open else { unreachable!("it was just opened") };
        open.verifier.vkey().clone_into(&mut followed.key);
        followed.key_source = Some(open.key_source);
        let before = open.mirror.tree().size();
        let caught_up = open.catch_up(self.order.dir, progress);
        followed.leaves_new = open.mirror.tree().size() - before;
        let cosigned = caught_up.map_err(|stop| stop.into_finding(self.order.dir, open, followed))?;
        if let Some(quorum) = self.order.quorum {
            followed.seen = Some(newest_cosigned(&cosigned, open.mirror.tree().size(), quorum)?);
        }
        Ok(())
    }
}

/// Why a pass ends early.
enum Stop {
    Finding(Finding),
    /// What the node has signed now contradicts what it had signed.
    Contradiction(Box<Contradiction>),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Stop {
        Stop::Finding(finding)
    }
}

impl Stop {
    fn contradiction(earlier: SignedCheckpoint, later: SignedCheckpoint, root: Option<Hash>) -> Stop {
        Stop::Contradiction(Box::new(Contradiction::new(earlier, later, root)))
    }

    fn into_finding(self, dir: &Path, open: &mut Open, followed: &mut Followed) -> Finding {
        let mut contradiction = match self {
            Stop::Finding(finding) => return finding,
            Stop::Contradiction(contradiction) => contradiction,
        };
        contradiction.look_for_entry(dir, &open.verifier, &mut open.remote);
        match contradiction.write(dir, open.verifier.vkey()) {
            Ok(path) => {
                let what = format!(
                    "{contradiction}. The evidence is in {}: keep it with the mirror, and give copies of both to the \
                     operator's supervisor and to the witnesses",
                    path.display()
                );
                followed.evidence = Some(path);
                Finding::forked(what)
            }
            Err(problem) => {
                Finding::forked(format!("{contradiction}. The evidence could not be written: {problem}"))
            }
        }
    }
}

impl Open {
    /// Connects to the node, and opens its mirror.
    fn connect(order: &FollowOrder<'_>) -> Result<Open, Finding> {
        check_folder(order.dir)?;
        let mut remote = Remote::open(&order.node)?;
        let kept = kept_vkey(order.dir)?;
        let (vkey, key_source) = match (order.vkey, &kept) {
            (Some(given), _) => (given.trim().to_owned(), KeySource::Given),
            (None, Some(kept)) => (kept.clone(), KeySource::BesideTheJournal),
            (None, None) => (remote.checkpoint(0)?.vkey, KeySource::FromTheNode),
        };
        let verifier = CheckpointVerifier::from_vkey(&vkey)
            .map_err(|problem| Finding::unreadable(format!("the log's verifier key: {problem}")))?;
        let options = JournalOptions::default();
        let mirror = Mirror::open(order.dir, &verifier, &options, |_| Ok::<_, OpenError>(()));
        let mirror = mirror.map_err(|problem| match problem {
            OpenError::Locked(dir) => Finding::unreadable(format!(
                "{}: another program follows into this folder, or it is a node's own; take another one",
                dir.display()
            )),
            OpenError::Io(problem) => Finding::unreadable(problem.to_string()),
            OpenError::Journal(problem) => problem.into(),
            OpenError::ShorterThanSnapshot { .. } | OpenError::OtherThanSnapshot { .. } => {
                unreachable!("a mirror has no snapshots")
            }
        })?;
        if kept.as_deref() != Some(verifier.vkey()) {
            let path = order.dir.join(VKEY_FILE);
            fs::write(&path, format!("{}\n", verifier.vkey())).map_err(Finding::at(&path))?;
        }
        Ok(Open { remote, mirror, verifier, key_source })
    }

    /// Mirrors the node up to its newest checkpoint, and returns the cosigned ones.
    fn catch_up(
        &mut self,
        dir: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<SignedCheckpoint>, Stop> {
        let answer = self.remote.checkpoint(0)?;
        let newest = self.checked(&answer.note)?;
        let begin = self.mirror.tree().size();
        if newest.size() <= begin {
            self.check_contained(dir, &newest)?;
        }
        while self.mirror.tree().size() < newest.size() {
            self.step(&newest)?;
            let leaves = self.mirror.tree().size();
            progress(Progress { leaves, bytes: leaves - begin, bytes_total: newest.size() - begin });
        }
        self.keep_cosigned(dir, &answer.cosigned_notes)
    }

    /// Mirrors the next group.
    fn step(&mut self, newest: &SignedCheckpoint) -> Result<(), Stop> {
        let size = self.mirror.tree().size();
        let wanted = newest.size().min(size + STEP_LEAVES);
        let note = self.remote.checkpoint(wanted)?.note;
        let next = self.checked(&note)?;
        if next.size() < wanted {
            let what = format!(
                "the node was asked for a checkpoint over {wanted} leaves, and answers with an older one"
            );
            return Err(Finding::tampered(what).into());
        }
        let leaves = self.leaves(size, &next)?;
        match self.mirror.append(leaves, &note) {
            Ok(_) => Ok(()),
            Err(MirrorError::NotOfLeaves { .. }) => Err(self.why_not(&next)),
            Err(problem) => {
                Err(Finding::unreadable(format!("the mirror cannot be written: {problem}")).into())
            }
        }
    }

    /// Reads the leaves from `from` on up to a checkpoint.
    fn leaves(&mut self, from: u64, until: &SignedCheckpoint) -> Result<Vec<Vec<u8>>, Finding> {
        let (mut leaves, mut bytes) = (Vec::new(), 0);
        loop {
            let next = from + leaves.len() as u64;
            if next == until.size() {
                return Ok(leaves);
            }
            let more = self.remote.entries(next, until.size())?;
            bytes += more.iter().map(Vec::len).sum::<usize>();
            if more.is_empty() || bytes > GROUP_BYTES_MAX {
                let what = format!(
                    "the node has signed a checkpoint over {} leaves, and does not hand out all of them: none after \
                     leaf {next}, or more than {GROUP_BYTES_MAX} bytes without a checkpoint between them",
                    until.size()
                );
                return Err(Finding::tampered(what));
            }
            leaves.extend(more);
        }
    }

    /// Returns why the leaves that the node hands out do not come to what it has signed.
    fn why_not(&mut self, next: &SignedCheckpoint) -> Stop {
        let Some(last) = self.mirror.checkpoint().cloned() else {
            return Finding::tampered("the entries that the node hands out are not those that it has signed")
                .into();
        };
        let proof = match self.remote.consistency(last.size(), next.size()) {
            Ok(proof) => proof,
            Err(finding) => return finding.into(),
        };
        match verify_consistency(&proof, next.size(), next.root(), last.size(), last.root()) {
            Ok(()) => Finding::tampered(format!(
                "the entries that the node hands out from {} on are not those that it has signed; its checkpoints \
                 agree with each other",
                last.size()
            ))
            .into(),
            Err(_) => Stop::contradiction(last, next.clone(), None),
        }
    }

    /// Checks that a checkpoint over no more leaves than the mirror has is one of its own, and the newest.
    fn check_contained(&mut self, dir: &Path, newest: &SignedCheckpoint) -> Result<(), Stop> {
        let Some(last) = self.mirror.checkpoint().cloned() else { return Ok(()) };
        let root = self.root(dir, newest.size())?;
        if newest.size() == last.size() && root == newest.root() {
            return Ok(());
        }
        Err(Stop::contradiction(last, newest.clone(), Some(root)))
    }

    /// Keeps what witnesses have signed, and returns it.
    fn keep_cosigned(&mut self, dir: &Path, notes: &[String]) -> Result<Vec<SignedCheckpoint>, Stop> {
        let path = dir.join(COSIGNED_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Finding::at(&path)(problem).into()),
        };
        let kept = cosigned_notes(&text);
        let mut cosigned = Vec::new();
        for note in notes {
            let checkpoint = self.checked(note)?;
            if !kept.contains(note) {
                let root = self.root(dir, checkpoint.size())?;
                if root != checkpoint.root() {
                    let last =
                        self.mirror.checkpoint().cloned().expect("a mirror with a root has a checkpoint");
                    return Err(Stop::contradiction(last, checkpoint, Some(root)));
                }
            }
            cosigned.push(checkpoint);
        }
        let kept: Vec<_> = kept.iter().map(|note| self.checked(note)).collect::<Result<_, _>>()?;
        let newest = |notes: &[SignedCheckpoint]| notes.iter().map(SignedCheckpoint::size).max();
        // A node that hands out older ones than before, or none, does not make the mirror forget.
        if newest(&cosigned) < newest(&kept) {
            return Ok(kept);
        }
        if cosigned != kept {
            let notes: Vec<&str> = cosigned.iter().map(SignedCheckpoint::note).collect();
            write_cosigned(dir, &notes).map_err(|problem| Finding::unreadable(problem.to_string()))?;
        }
        Ok(cosigned)
    }

    fn checked(&self, note: &str) -> Result<SignedCheckpoint, Finding> {
        self.verifier.open(note).map_err(|problem| {
            Finding::tampered(format!(
                "what the node gives out as its checkpoint is not: {problem}. If the operator has told you another key, \
                 give that one (--vkey)"
            ))
        })
    }

    /// Returns the mirror's root over its first `size` leaves; none has been lost, so the mirror knows it.
    fn root(&self, dir: &Path, size: u64) -> Result<Hash, Finding> {
        root_at(dir, &self.verifier, size)?.ok_or_else(|| {
            Finding::tampered(format!(
                "the node hands out a cosigned checkpoint over {size} leaves, more than it has"
            ))
        })
    }
}

/// Returns the newest of these that enough witnesses have cosigned.
fn newest_cosigned(cosigned: &[SignedCheckpoint], size: u64, quorum: &Quorum) -> Result<Seen, Finding> {
    let mut problem = None;
    for checkpoint in cosigned {
        match check_seen(checkpoint, quorum) {
            Ok(seen) => return Ok(Seen { leaves_behind: size - seen.tree_size, ..seen }),
            Err(finding) => problem = problem.or(Some(finding)),
        }
    }
    Err(problem.unwrap_or_else(|| {
        Finding::unwitnessed(
            "the node hands out no checkpoint that a witness has cosigned. Ask the witnesses whether \
             they follow this log, and the operator whether the node knows them",
        )
    }))
}

/// Checks that a folder is a mirror, or can become one: that nothing else lies in it.
fn check_folder(dir: &Path) -> Result<(), Finding> {
    let what = if Store::path(dir).exists() {
        "is a node's own ledger"
    } else if journal_dir(dir).is_dir() {
        return Ok(());
    } else {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(problem) => return Err(Finding::at(dir)(problem)),
        };
        // What a mirror has that was interrupted when it began.
        let begun = [VKEY_FILE, LOCK_FILE].map(OsStr::new);
        let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
        if names.map_err(Finding::at(dir))?.iter().all(|name| begun.contains(&name.as_os_str())) {
            return Ok(());
        }
        "is not empty, and no mirror"
    };
    let dir = dir.display();
    Err(Finding::unreadable(format!(
        "{dir}: this folder {what}; name a new folder with --dir, or a mirror's"
    )))
}

/// Returns the key that stands beside a mirror, if there is one already.
fn kept_vkey(dir: &Path) -> Result<Option<String>, Finding> {
    let path = dir.join(VKEY_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(Finding::at(&path)(problem)),
    }
}
