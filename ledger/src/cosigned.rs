//! Cosigned checkpoints: what a log keeps of its witnesses' signatures, and hands out.
//!
//! Knows which of two cosigned checkpoints makes the other needless, and the file that holds them; does not know who
//! asked the witnesses. Keeps: only signatures that hold are kept, of the log and of the witnesses it was told.

use std::{collections::BTreeSet, path::Path};

use signed_note::{Note, Verifier as _};

use crate::journal::{PathError, write_whole};
use crate::witness::{Quorum, UnseenError, Witness, signatures_of};
use crate::{CheckpointVerifier, SignedCheckpoint};

/// The file with the cosigned checkpoints, beside the journal.
pub const COSIGNED_FILE: &str = "cosigned";
/// What that file is called until it is whole.
pub const COSIGNED_UNFINISHED: &str = "cosigned.new";

/// The most checkpoints that are kept: more than any few witnesses leave beside each other.
const KEPT_MAX: usize = 16;

/// The newest checkpoints that witnesses have cosigned.
pub struct Cosigned {
    log: CheckpointVerifier,
    witnesses: Vec<Witness>,
    /// The newest first; none is over fewer leaves than another with the same witnesses under it.
    kept: Vec<SignedCheckpoint>,
}

impl Cosigned {
    /// Begins without any, for these witnesses.
    pub fn new(log: CheckpointVerifier, witnesses: Vec<Witness>) -> Cosigned {
        Cosigned { log, witnesses, kept: Vec::new() }
    }

    /// Takes the witnesses' signatures under a checkpoint of this log, and returns whether anything is new.
    ///
    /// # Errors
    /// If none of the witnesses has signed it, or the signature of one is false.
    pub fn take(&mut self, checkpoint: &SignedCheckpoint) -> Result<bool, UnseenError> {
        let before = self.kept.clone();
        let of_one = |witness: &Witness| Quorum::new(vec![witness.clone()], 1).expect("it is one of one");
        let mut has_one = false;
        for witness in &self.witnesses {
            match of_one(witness).check(checkpoint) {
                Ok(_) => has_one = true,
                Err(UnseenError::TooFew { .. }) => {}
                Err(problem) => return Err(problem),
            }
        }
        if !has_one {
            let missing = self.witnesses.iter().map(Witness::name).collect::<Vec<_>>().join(", ");
            return Err(UnseenError::TooFew { seen: 0, needed: 1, size: checkpoint.size(), missing });
        }
        let same = |it: &&SignedCheckpoint| (it.size(), it.root()) == (checkpoint.size(), checkpoint.root());
        let merged = self.merged(checkpoint, self.kept.iter().find(same));
        self.kept.retain(|it| it.size() != merged.size());
        self.kept.push(merged);
        self.kept.sort_by_key(|it| std::cmp::Reverse(it.size()));
        self.drop_needless();
        Ok(self.kept != before)
    }

    /// Returns what is kept, the newest first.
    pub fn kept(&self) -> &[SignedCheckpoint] {
        &self.kept
    }

    /// Returns a checkpoint with the log's signature, and the witnesses' under it or under `other`.
    fn merged(&self, checkpoint: &SignedCheckpoint, other: Option<&SignedCheckpoint>) -> SignedCheckpoint {
        let notes: Vec<Note> = [Some(checkpoint), other].into_iter().flatten().map(note).collect();
        let signatures: Vec<_> = notes.iter().flat_map(signatures_of).collect();
        let of_log = |it: &&signed_note::Signature| {
            self.log.vkey().starts_with(&format!("{}+{:08x}+", it.name(), it.id()))
        };
        let of_log = signatures.iter().find(of_log);
        let of_witnesses = self.witnesses.iter().filter_map(|witness| {
            signatures.iter().find(|it| it.name() == witness.name() && it.id() == witness.key_id())
        });
        let kept: Vec<_> = of_log.into_iter().chain(of_witnesses).cloned().collect();
        let merged = Note::new(notes[0].text(), &kept).expect("the text was a note's");
        checkpoint.with_note(String::from_utf8(merged.to_bytes()).expect("a note is made of text"))
    }

    /// Drops each checkpoint all whose witnesses have signed a newer one.
    fn drop_needless(&mut self) {
        let witnesses = |it: &SignedCheckpoint| -> BTreeSet<(String, u32)> {
            signatures_of(&note(it)).iter().map(|it| (it.name().to_owned(), it.id())).collect()
        };
        let mut newer: Vec<BTreeSet<_>> = Vec::new();
        self.kept.retain(|it| {
            let own = witnesses(it);
            let is_needless = newer.iter().any(|newer| own.is_subset(newer));
            newer.push(own);
            !is_needless
        });
        self.kept.truncate(KEPT_MAX);
    }
}

/// Writes cosigned notes to the file in the directory `dir`: all of them, or the file stays as it was.
///
/// The file is a text: the notes, with an empty line between two.
pub fn write_cosigned(dir: &Path, notes: &[&str]) -> Result<(), PathError> {
    write_whole(dir, COSIGNED_UNFINISHED, COSIGNED_FILE, notes.join("\n").as_bytes())
}

/// Returns the notes in such a file. None of them has been looked at.
pub fn cosigned_notes(text: &str) -> Vec<String> {
    // A note has one empty line, before its signatures, and there is one between two notes.
    let parts: Vec<&str> =
        text.trim_end_matches('\n').split("\n\n").filter(|part| !part.is_empty()).collect();
    parts.chunks(2).map(|parts| format!("{}\n", parts.join("\n\n"))).collect()
}

fn note(checkpoint: &SignedCheckpoint) -> Note {
    Note::from_bytes(checkpoint.note().as_bytes()).expect("a checkpoint is a note")
}
