//! The verdict, and what it rests on.
//!
//! Knows what an audit has to say; does not know how it was found out, or how it is printed.

use std::{io, path::Path, path::PathBuf, time::Duration};

use parkwatt_ledger::ReadError;
use serde::Serialize;

use super::{Reported, Seen, Totals};

/// What an audit has come to. The later of two outweighs the earlier: what is proved outweighs what was not
/// seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that was checked holds.
    #[default]
    Intact,
    /// Everything follows from its commands, but sums that must agree do not.
    Differing,
    /// Too few witnesses have seen it.
    Unwitnessed,
    /// It cannot be said: files are missing, may not be read, or are in use.
    Unreadable,
    /// The ledger is what its node has signed, but does not follow from its commands.
    Diverged,
    /// The files are not what the node has signed, or somebody else's command was put in.
    Tampered,
    /// The node has signed what contradicts, or takes back, what it had signed before.
    Forked,
}

impl Verdict {
    /// Returns the exit code that says this verdict.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Intact => 0,
            Verdict::Tampered => 1,
            Verdict::Diverged => 2,
            Verdict::Unreadable => 3,
            Verdict::Differing => 4,
            Verdict::Forked => 5,
            Verdict::Unwitnessed => 6,
        }
    }
}

/// Where the key comes from that checkpoints are checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The auditor knew it by another way.
    Given,
    /// It lies beside the journal: whoever could write the journal could write it.
    BesideTheJournal,
    /// The node has said it: whoever runs the node could choose it.
    FromTheNode,
    /// It stands in the file that is checked: whoever could write the file could write it.
    InTheFile,
}

/// What an audit has found, and how much it has looked at.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong, each with its file and byte, or its leaf.
    pub findings: Vec<String>,
    /// What is right but should be known.
    pub notes: Vec<String>,
    /// The market's folder.
    pub folder: PathBuf,
    /// The verifier key, beginning with the log's origin; empty if none was found.
    pub key: String,
    /// Where the key comes from.
    pub key_source: Option<KeySource>,
    /// How much was looked at.
    pub figures: Figures,
    /// The newest checkpoint, as its signed note; none if the journal is not whole.
    pub checkpoint: Option<String>,
    /// The newest checkpoint that enough witnesses have cosigned, if that was asked for and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What the engine says after the last leaf; none if it was not run, or not to the end.
    pub replayed: Option<Replayed>,
    /// The report that was written, if one was asked for and the ledger is intact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// How much an audit has looked at.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    /// Leaves.
    pub leaves: u64,
    /// Commands among them.
    pub commands: u64,
    /// Signatures that hold: the commands' and the checkpoints'. Of these there are as many as groups, and what is
    /// grouped depends on how busy the node and its disk were: it differs between runs that come to the same leaves.
    pub signatures: u64,
    /// Signatures among them that are the commands'.
    pub commands_signed: u64,
    /// Groups, each with its checkpoint.
    pub groups: u64,
    /// Segment files.
    pub segments: usize,
    /// The root of the tree over all leaves, in base64 as in a checkpoint; empty if the journal is not whole.
    pub tree_root: String,
    /// How long the journal took, without the store, in microseconds.
    pub elapsed_us: u64,
    /// Commands a second, with everything that was asked for.
    pub commands_per_s: u64,
    /// Commands a second if the cores did nothing but check their signatures, by the time that these took.
    pub bare_signatures_per_s: Option<u64>,
}

/// What the engine says after the last leaf.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// The market's name.
    pub market: String,
    /// The currency's name.
    pub currency: String,
    /// The hash of the market's state, 16 hexadecimal digits, as a node logs it.
    pub state_hash: String,
    /// What was traded, paid and certified.
    pub totals: Totals,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Finding {
    pub verdict: Verdict,
    pub what: String,
}

impl Finding {
    pub(super) fn tampered(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Tampered, what: what.into() }
    }

    pub(super) fn diverged(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Diverged, what: what.into() }
    }

    pub(super) fn differing(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Differing, what: what.into() }
    }

    pub(super) fn forked(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Forked, what: what.into() }
    }

    pub(super) fn unwitnessed(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Unwitnessed, what: what.into() }
    }

    pub(super) fn unreadable(what: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Unreadable, what: what.into() }
    }

    /// Returns what makes a finding of an error of the file system at `path`.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Finding {
        move |problem| Finding::unreadable(format!("{}: {problem}", path.display()))
    }
}

impl From<ReadError> for Finding {
    fn from(error: ReadError) -> Finding {
        match error {
            ReadError::Io(_) | ReadError::NoJournal(_) => Finding::unreadable(error.to_string()),
            ReadError::WrongOrigin { .. } | ReadError::WrongKey { .. } | ReadError::Corrupt { .. } => {
                Finding::tampered(error.to_string())
            }
        }
    }
}

impl Audit {
    /// Takes note of what is wrong.
    pub(super) fn find(&mut self, finding: Finding) {
        self.verdict = self.verdict.max(finding.verdict);
        self.findings.push(finding.what);
    }
}

impl Figures {
    /// Notes how long the journal took.
    pub(super) fn took(&mut self, elapsed: Duration) {
        self.elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.commands_per_s = per_second(self.commands, elapsed);
    }
}

/// Returns how many a second `count` in `elapsed` are.
pub(super) fn per_second(count: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proved_outweighs_what_was_not_seen() {
        let mut audit = Audit::default();
        audit.find(Finding::differing("a sum"));
        assert_eq!(audit.verdict, Verdict::Differing);
        audit.find(Finding::diverged("a leaf"));
        audit.find(Finding::unreadable("a file"));
        assert_eq!(audit.verdict, Verdict::Diverged);
        audit.find(Finding::tampered("a byte"));
        audit.find(Finding::diverged("a leaf"));
        assert_eq!((audit.verdict, audit.findings.len()), (Verdict::Tampered, 5));
    }

    #[test]
    fn a_rate_is_whole_and_needs_no_time() {
        assert_eq!(per_second(3, Duration::from_millis(1500)), 2);
        assert_eq!(per_second(3, Duration::ZERO), 3_000_000_000);
    }
}
