//! Outcomes: what following, witnessing, proving and tiling have come to, as people read it.
//!
//! Knows words and columns; decides nothing.

use std::fmt;

use indicatif::HumanCount;

use super::{
    Followed, Proved, Seen, Tiled, Verdict, Witnessing,
    summary::{key_source_text, row},
};

/// A pass over a node, as people read it.
impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "node", &self.node)?;
        row(f, "mirror", &self.folder.display())?;
        if let Some(source) = self.key_source {
            row(f, "key", &self.key)?;
            row(f, "", &key_source_text(source))?;
        }
        let (leaves, new) = (HumanCount(self.tree_size), HumanCount(self.leaves_new));
        row(f, "leaves", &format_args!("{leaves}, of them {new} new"))?;
        if !self.tree_root.is_empty() {
            row(f, "tree root", &self.tree_root)?;
        }
        if let Some(seen) = &self.seen {
            row(f, "witnesses", seen)?;
        }
        write!(f, "{}", Pass(self))
    }
}

/// A file of proofs, as people read it.
impl fmt::Display for Proved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "ledger", &self.folder.display())?;
        if let Some(source) = self.key_source {
            row(f, "key", &self.key)?;
            row(f, "", &key_source_text(source))?;
        }
        if let Some(file) = &self.file {
            let leaves: Vec<String> = self.leaves.iter().map(u64::to_string).collect();
            row(f, "entries", &leaves.join(", "))?;
            row(f, "checkpoint", &format_args!("over {} leaves", HumanCount(self.tree_size)))?;
            if let Some(seen) = &self.seen {
                row(f, "witnesses", seen)?;
            }
            row(f, "proofs", &file.display())?;
        }
        for finding in &self.findings {
            row(f, "found", finding)?;
        }
        let meaning = match self.verdict {
            Verdict::Intact => {
                "whoever has this file and the key can check it: parkwatt-audit check FILE --vkey KEY"
            }
            _ => "nothing was written",
        };
        row(f, "verdict", &format_args!("{}: {meaning}", self.verdict))
    }
}

/// What a witness has signed, as people read it.
impl fmt::Display for Witnessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "node", &self.node)?;
        row(f, "witness", &self.witness)?;
        let sizes: Vec<String> = self.signed.iter().map(|size| HumanCount(*size).to_string()).collect();
        let size = |size| HumanCount(size).to_string();
        let said = match (&sizes[..], self.not_taken, self.tree_size) {
            ([], Some(_), _) => None,
            ([], None, 0) => Some("nothing yet".to_owned()),
            ([], None, last) => Some(format!("nothing new; last over {} leaves", size(last))),
            ([one], ..) => Some(format!("the checkpoint over {one} leaves")),
            (all, ..) => Some(format!("the checkpoints over {} leaves", all.join(", "))),
        };
        let not_taken = |it| format!("the checkpoint over {} leaves, which the node has not taken", size(it));
        for said in said.into_iter().chain(self.not_taken.map(not_taken)) {
            row(f, "signed", &said)?;
        }
        if let Some(finding) = &self.finding {
            row(f, "found", finding)?;
        }
        let meaning = match self.verdict {
            Verdict::Intact => "the node has only added to what was signed before",
            Verdict::Unreadable => "nothing could be seen, or handed in",
            _ => "nothing more is signed",
        };
        row(f, "verdict", &format_args!("{}: {meaning}", self.verdict))
    }
}

/// What a pass has found, and the verdict.
pub struct Pass<'a>(pub &'a Followed);

impl fmt::Display for Pass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(finding) = &self.0.finding {
            row(f, "found", finding)?;
        }
        let meaning = match self.0.verdict {
            Verdict::Intact => "the node has only added to what it had signed",
            Verdict::Unwitnessed => {
                "the node has only added to what it had signed, but too few witnesses have seen it"
            }
            Verdict::Unreadable => "it cannot be said what the node holds",
            Verdict::Forked => {
                "the node has signed what contradicts, or takes back, what it had signed before"
            }
            Verdict::Tampered | Verdict::Diverged | Verdict::Differing => {
                "what the node gives out is not what it has signed"
            }
        };
        row(f, "verdict", &format_args!("{}: {meaning}", self.0.verdict))
    }
}

/// Who has seen which checkpoint, and what lies behind it.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.witnesses.keys().map(String::as_str).collect();
        let names = names.join(", ");
        write!(f, "{names} have seen the first {} leaves; ", HumanCount(self.tree_size))?;
        match self.leaves_behind {
            0 => f.write_str("none lie behind these"),
            behind => write!(f, "{} lie behind these, not seen yet", HumanCount(behind)),
        }
    }
}

/// Tiles, as people read of them.
impl fmt::Display for Tiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "ledger", &self.folder.display())?;
        if let Some(source) = self.key_source {
            row(f, "key", &self.key)?;
            row(f, "", &key_source_text(source))?;
        }
        if let Some(tiles) = &self.tiles {
            row(f, "leaves", &HumanCount(self.tree_size))?;
            row(f, "tree root", &self.tree_root)?;
            row(f, "tiles", &tiles.display())?;
        }
        for note in &self.notes {
            row(f, "note", note)?;
        }
        for finding in &self.findings {
            row(f, "found", finding)?;
        }
        let meaning = match self.verdict {
            Verdict::Intact => "every tool that reads C2SP tlog-tiles can read the log there",
            _ => "there is no checkpoint among what was written: it is of no use",
        };
        row(f, "verdict", &format_args!("{}: {meaning}", self.verdict))
    }
}
