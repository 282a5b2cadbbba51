//! Reading a journal: groups in order, each checked against all that came before.
//!
//! Knows what makes a sequence of segments one log. Does not know who reads: recovery and the auditor read
//! alike. Keeps: a group is given out only if its leaves continue the log without a gap and hash to the root
//! that its checkpoint names; with [`Signatures::Every`], only if that checkpoint is signed by the log's key.

use std::path::{Path, PathBuf};

use super::frames::{Frame, Frames, Place};
use super::group::{self, Group};
use super::sector::BLOCK;
use super::{ReadError, segment};
use crate::checkpoint::{CheckpointVerifier, SignedCheckpoint};
use crate::tree::{Tree, leaf_hash};

/// Which checkpoints' signatures are checked. Their sizes and roots always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Each group's: what an auditor wants to know.
    Every,
    /// The last one's, which vouches for all leaves before: what recovery needs to know. It is checked at the
    /// end, when the groups have been given out already.
    Last,
}

/// What is behind the last whole group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// Sectors of a group whose write was interrupted. Nothing in it was ever acknowledged.
    Torn {
        /// The segment.
        file: PathBuf,
        /// Where the group begins.
        offset: u64,
        /// Behind the last sector of it that was written.
        end: u64,
    },
}

/// What a journal as a whole is.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The tree over all leaves.
    pub tree: Tree,
    /// The last checkpoint, if there is any leaf.
    pub checkpoint: Option<SignedCheckpoint>,
    /// What is behind it.
    pub tail: Tail,
    /// The number of segments.
    pub segments: usize,
    /// Where the next group will be written.
    pub(super) end: End,
}

/// Where a journal ends, for who writes on.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The last segment's file.
    pub path: PathBuf,
    /// The index it begins with.
    pub first_index: u64,
    /// The length it was made with.
    pub capacity: u64,
    /// Where the next group begins.
    pub offset: u64,
    /// Where the last group begins, if this segment has one.
    pub last_group: Option<u64>,
    /// Earlier segments whose unused rest is not cut off yet, and how much of each is used.
    pub untrimmed: Vec<(PathBuf, u64)>,
}

/// Reads the journal in the directory `journal`, and hands each group to `each`, in order.
///
/// The files must not be written to meanwhile.
pub fn scan<E: From<ReadError>>(
    journal: &Path,
    verifier: &CheckpointVerifier,
    signatures: Signatures,
    mut each: impl FnMut(Group) -> Result<(), E>,
) -> Result<Scanned, E> {
    let mut reader = Reader::open(journal, verifier, signatures)?;
    for group in &mut reader {
        each(group?)?;
    }
    Ok(reader.finish()?)
}

/// The groups of a journal, one by one. After an error there are no more.
pub struct Reader {
    verifier: CheckpointVerifier,
    signatures: Signatures,
    paths: Vec<(u64, PathBuf)>,
    /// How many of `paths` have been opened; the last of these is `frames`.
    opened: usize,
    frames: Option<Frames>,
    /// The bytes read of the segments before the last that was opened.
    bytes_before: u64,
    tree: Tree,
    /// Whether groups that are in `tree` already are still to be passed over.
    passes_over: bool,
    /// Behind how many leaves the reading ends, if not at the journal's end.
    up_to: Option<u64>,
    /// The last group's checkpoint, and where the group begins.
    last: Option<(SignedCheckpoint, u64)>,
    untrimmed: Vec<(PathBuf, u64)>,
    tail: Tail,
    ended: bool,
}

impl Reader {
    /// Opens the journal in the directory `journal`.
    pub fn open(
        journal: &Path,
        verifier: &CheckpointVerifier,
        signatures: Signatures,
    ) -> Result<Reader, ReadError> {
        let paths = segment::list(journal)?;
        if paths.is_empty() {
            return Err(ReadError::NoJournal(journal.to_owned()));
        }
        Ok(Reader {
            verifier: verifier.clone(),
            signatures,
            paths,
            opened: 0,
            frames: None,
            bytes_before: 0,
            tree: Tree::default(),
            passes_over: false,
            up_to: None,
            last: None,
            untrimmed: Vec::new(),
            tail: Tail::Clean,
            ended: false,
        })
    }

    /// Opens the journal in the directory `journal` behind the leaves of `tree`, and reads from there on.
    ///
    /// What lies before is not looked at, except that in the same segment. That `tree` is of this log follows from
    /// the groups behind it, whose checkpoints are over its leaves too; if there is none, nothing is known of it.
    pub fn resume(
        journal: &Path,
        verifier: &CheckpointVerifier,
        signatures: Signatures,
        tree: Tree,
    ) -> Result<Reader, ReadError> {
        let mut reader = Reader::open(journal, verifier, signatures)?;
        reader.opened = reader.paths.partition_point(|(first, _)| *first <= tree.size()).saturating_sub(1);
        (reader.tree, reader.passes_over) = (tree, true);
        Ok(reader)
    }

    /// Opens a journal that somebody may be writing to, and reads only its first `size` leaves, which were durable
    /// before.
    pub fn up_to(journal: &Path, verifier: &CheckpointVerifier, size: u64) -> Result<Reader, ReadError> {
        let reader = Reader::open(journal, verifier, Signatures::Last)?;
        Ok(Reader { up_to: Some(size), ..reader })
    }

    /// Returns how many bytes of the segments have been read so far, headers included: for who shows how far
    /// it is.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_before + self.frames.as_ref().map_or(0, Frames::offset)
    }

    /// Returns the tree of the leaves that have been read so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Reads what is left, and says what the journal as a whole is.
    pub fn finish(mut self) -> Result<Scanned, ReadError> {
        for group in &mut self {
            group?;
        }
        let frames = self.frames.expect("a journal without segments is not opened");
        let end = End {
            path: frames.path().to_owned(),
            first_index: frames.header().first_index,
            capacity: frames.header().capacity,
            offset: frames.offset(),
            last_group: self
                .last
                .as_ref()
                .filter(|_| frames.offset() > BLOCK as u64)
                .map(|(_, begin)| *begin),
            untrimmed: self.untrimmed,
        };
        let checkpoint = self.last.map(|(checkpoint, _)| checkpoint);
        Ok(Scanned { tree: self.tree, checkpoint, tail: self.tail, segments: self.paths.len(), end })
    }

    fn next_group(&mut self) -> Result<Option<Group>, ReadError> {
        loop {
            if self.up_to.is_some_and(|size| size <= self.tree.size()) {
                self.check_last_signature()?;
                return Ok(None);
            }
            let Some(frames) = &mut self.frames else {
                self.open_segment()?;
                continue;
            };
            match frames.next()? {
                Frame::Group { offset, payload } => {
                    if let Some(group) = self.check_group(offset, &payload)? {
                        return Ok(Some(group));
                    }
                    continue;
                }
                Frame::Torn { offset, end } => {
                    self.tail = Tail::Torn { file: frames.path().to_owned(), offset, end };
                }
                Frame::End => {}
            }
            if self.opened == self.paths.len() {
                self.check_last_signature()?;
                return Ok(None);
            }
            if !frames.is_trimmed() {
                self.untrimmed.push((frames.path().to_owned(), frames.offset()));
            }
            self.open_segment()?;
        }
    }

    /// Opens the next segment, and checks that it continues the log.
    fn open_segment(&mut self) -> Result<(), ReadError> {
        let (name, path) = &self.paths[self.opened];
        // OK because: a segment that was the last may be finished while an earlier one is read.
        let is_last = self.opened + 1 == self.paths.len() && self.up_to.is_none();
        let place = if is_last { Place::Last } else { Place::Earlier };
        let frames = Frames::open(path, place)?;
        let header = frames.header();

        let (found, expected) = (&header.vkey, self.verifier.vkey());
        if found != expected {
            let file = path.clone();
            let (origin, _) = found.split_once('+').unwrap_or((found, ""));
            return Err(if origin == self.verifier.origin() {
                ReadError::WrongKey { file, found: found.clone(), expected: expected.to_owned() }
            } else {
                ReadError::WrongOrigin {
                    file,
                    found: origin.to_owned(),
                    expected: self.verifier.origin().to_owned(),
                }
            });
        }
        if header.first_index != *name {
            let what = format!("the segment begins with leaf {}, its name says {name}", header.first_index);
            return Err(frames.corrupt(0, what));
        }
        let is_within = self.passes_over && header.first_index < self.tree.size();
        if header.first_index != self.tree.size() && !is_within {
            let (first, size) = (header.first_index, self.tree.size());
            let what = format!(
                "the segment begins with leaf {first}, but the segments before it end with {size} leaves"
            );
            return Err(frames.corrupt(0, what));
        }
        if header.root_before != self.tree.root() && !is_within {
            return Err(frames.corrupt(0, "the segment continues a log with another root"));
        }
        self.bytes_before = self.bytes_read();
        self.frames = Some(frames);
        self.opened += 1;
        Ok(())
    }

    /// Checks that a group continues the log; returns nothing for one that is passed over.
    fn check_group(&mut self, offset: u64, payload: &[u8]) -> Result<Option<Group>, ReadError> {
        let frames = self.frames.as_ref().expect("the group was read from it");
        let group = group::decode(payload)
            .ok_or_else(|| frames.corrupt(offset, "the group's parts do not add up to its length"))?;
        let end = group.first_index.saturating_add(group.leaves.len() as u64);
        if self.passes_over && end <= self.tree.size() {
            return Ok(None);
        }
        self.passes_over = false;
        if group.first_index != self.tree.size() {
            let what =
                format!("the group begins with leaf {}, expected {}", group.first_index, self.tree.size());
            return Err(frames.corrupt(offset, what));
        }

        let mut tree = self.tree.clone();
        let mut hashes = Vec::with_capacity(2 * group.leaves.len());
        for leaf in &group.leaves {
            tree.append(leaf_hash(leaf), &mut hashes);
        }
        let checkpoint = match self.signatures {
            Signatures::Every => self.verifier.open(&group.note),
            Signatures::Last => SignedCheckpoint::parse_unverified(&group.note),
        }
        .map_err(|error| frames.corrupt(offset, error.to_string()))?;
        if checkpoint.size() != tree.size() || checkpoint.root() != tree.root() {
            let what = format!("the checkpoint of {} leaves is not that of the leaves", checkpoint.size());
            return Err(frames.corrupt(offset, what));
        }

        self.tree = tree;
        self.last = Some((checkpoint.clone(), offset));
        Ok(Some(Group { first_index: group.first_index, leaves: group.leaves, hashes, checkpoint }))
    }

    fn check_last_signature(&self) -> Result<(), ReadError> {
        let (Some(frames), Some((checkpoint, offset))) = (&self.frames, &self.last) else { return Ok(()) };
        match self.verifier.open(checkpoint.note()) {
            Ok(_) => Ok(()),
            Err(error) => Err(frames.corrupt(*offset, error.to_string())),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Group, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_group().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{JournalOptions, RealDisk, Writer};
    use super::*;
    use crate::checkpoint::{CheckpointSigner, Origin};
    use crate::tree::Hash;

    fn signer(key: u8) -> CheckpointSigner {
        let key = ed25519_dalek::SigningKey::from_bytes(&[key; 32]);
        CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), key)
    }

    /// The first group of a log, of one leaf, under this checkpoint: laid out as it should be.
    fn group(first_index: u64, leaf: &[u8], checkpoint: &SignedCheckpoint) -> Vec<u8> {
        group::encode(first_index, &[leaf.to_vec()], checkpoint.note()).unwrap()
    }

    fn root_of(leaf: &[u8]) -> Hash {
        let mut tree = Tree::default();
        tree.append(leaf_hash(leaf), &mut Vec::new());
        tree.root()
    }

    /// Writes a group with right checksums, whatever else is wrong with it, and says what a reader says.
    fn read(payload: &[u8], signatures: Signatures) -> String {
        let dir = tempfile::tempdir().unwrap();
        let verifier = signer(7).verifier();
        let options = JournalOptions { segment_bytes: 1 << 16 };
        let mut writer = Writer::create(Arc::new(RealDisk), dir.path(), &options, verifier.vkey()).unwrap();
        writer.append(&Tree::default(), payload).unwrap();
        match scan::<ReadError>(dir.path(), &verifier, signatures, |_| Ok(())) {
            Ok(_) => "whole".to_owned(),
            Err(ReadError::Corrupt { offset: 4096, what, .. }) => what,
            Err(other) => panic!("{other}"),
        }
    }

    #[track_caller]
    fn check(payload: &[u8], says: &str) {
        for signatures in [Signatures::Every, Signatures::Last] {
            assert_eq!(read(payload, signatures), says, "{signatures:?}");
        }
    }

    #[test]
    fn a_forged_group_is_refused_whatever_its_checksums_say() {
        let checkpoint = signer(7).sign(1, root_of(b"leaf"));
        let honest = group(0, b"leaf", &checkpoint);
        check(&honest, "whole");

        let not_of_leaves = "the checkpoint of 1 leaves is not that of the leaves";
        check(&group(0, b"loaf", &checkpoint), not_of_leaves);
        check(&group(0, b"leaf", &signer(7).sign(1, root_of(b"loaf"))), not_of_leaves);
        check(
            &group(0, b"leaf", &signer(7).sign(2, root_of(b"leaf"))),
            "the checkpoint of 2 leaves is not that of the leaves",
        );
        check(&group(1, b"leaf", &checkpoint), "the group begins with leaf 1, expected 0");

        let by_another = signer(8).sign(1, root_of(b"leaf"));
        let vkey = signer(7).verifier().vkey().to_owned();
        check(&group(0, b"leaf", &by_another), &format!("the checkpoint is not signed by the key {vkey}"));
    }

    #[test]
    fn a_group_whose_parts_do_not_add_up_is_refused() {
        let honest = group(0, b"leaf", &signer(7).sign(1, root_of(b"leaf")));
        let says = "the group's parts do not add up to its length";
        let with = |at: usize, byte: u8| {
            let mut payload = honest.clone();
            payload[at] = byte;
            payload
        };
        check(&with(0, honest[0] - 1), says);
        check(&with(0, honest[0] + 1), says);
        check(&with(4, 0), says);
        check(&with(4, 2), says);
        check(&with(16, 5), says);
        check(&[honest.as_slice(), b"!"].concat(), says);
        check(&with(0, 3), says);
    }
}
