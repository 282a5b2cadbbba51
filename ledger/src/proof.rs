//! Proofs that anyone can check without the log: a leaf, its place, and the signed checkpoint of a tree that has
//! it.
//!
//! Knows the text form that other tools read: C2SP `tlog-proof`, with the leaf's bytes as its extra data. Does not
//! know what a leaf says.

use std::{fmt, num::ParseIntError, str::Split};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    CheckpointError, CheckpointVerifier, Hash, ProofError, SignedCheckpoint, leaf_hash, verify_inclusion,
};

/// The first line of the form.
const HEADING: &str = "c2sp.org/tlog-proof@v1";

/// A leaf, and why it is in a log. Nothing of it is true before [`verify`](Self::verify) has said so.
///
/// ```
/// # use parkwatt_ledger::{CheckpointSigner, Origin, ProvedLeaf, SigningKey, Tree, leaf_hash};
/// # let signer = CheckpointSigner::new(Origin::new("parkwatt/park")?, SigningKey::from_bytes(&[7; 32]));
/// # let mut tree = Tree::default();
/// tree.append(leaf_hash(b"a bid"), &mut Vec::new());
/// let checkpoint = signer.sign(tree.size(), tree.root());
/// let text = ProvedLeaf::new(b"a bid".to_vec(), 0, vec![], &checkpoint).to_string();
///
/// let proved: ProvedLeaf = text.parse()?;
/// assert_eq!(proved.verify(&signer.verifier())?.size(), 1);
/// assert_eq!(proved.leaf(), b"a bid");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ProvedLeaf {
    leaf: Vec<u8>,
    index: u64,
    hashes: Vec<Hash>,
    note: String,
}

/// The text is not a proof in this form; which part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {HEADING} with its leaf: {0}")]
pub struct ProofFormError(&'static str);

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnprovedError {
    /// The checkpoint is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not in the tree of the checkpoint.
    #[error("leaf {index} is not in the tree of the checkpoint: {problem}")]
    NotIncluded {
        /// The index that is claimed.
        index: u64,
        /// Why not.
        problem: ProofError,
    },
}

/// Why several proofs do not hold together; places count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TogetherError {
    /// There is none.
    #[error("there is no proof")]
    Empty,
    /// One is not in the form.
    #[error("proof {place}: {problem}")]
    Form {
        /// Which one.
        place: usize,
        /// What is wrong with it.
        problem: ProofFormError,
    },
    /// One proves nothing.
    #[error("proof {place}: {problem}")]
    Unproved {
        /// Which one.
        place: usize,
        /// Why.
        problem: UnprovedError,
    },
    /// One is against another checkpoint than the first.
    #[error("proof {place} is against another checkpoint than the first one")]
    OtherCheckpoint {
        /// Which one.
        place: usize,
    },
}

/// Checks proofs that were made against one checkpoint, and returns it with what they prove, in their order.
///
/// # Errors
/// [`TogetherError`] with the first that does not hold.
pub fn verify_together(
    proofs: &[String],
    verifier: &CheckpointVerifier,
) -> Result<(SignedCheckpoint, Vec<ProvedLeaf>), TogetherError> {
    let (mut first, mut leaves) = (None, Vec::with_capacity(proofs.len()));
    for (place, text) in (1..).zip(proofs) {
        let proved: ProvedLeaf = text.parse().map_err(|problem| TogetherError::Form { place, problem })?;
        let checkpoint =
            proved.verify(verifier).map_err(|problem| TogetherError::Unproved { place, problem })?;
        if *first.get_or_insert_with(|| checkpoint.clone()) != checkpoint {
            return Err(TogetherError::OtherCheckpoint { place });
        }
        leaves.push(proved);
    }
    first.map(|checkpoint| (checkpoint, leaves)).ok_or(TogetherError::Empty)
}

impl ProvedLeaf {
    /// Puts together what proves that `leaf` stands at `index`; `hashes` is its audit path in the checkpoint's tree.
    pub fn new(leaf: Vec<u8>, index: u64, hashes: Vec<Hash>, checkpoint: &SignedCheckpoint) -> ProvedLeaf {
        ProvedLeaf { leaf, index, hashes, note: checkpoint.note().to_owned() }
    }

    /// Returns the leaf's bytes.
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// Returns the leaf's index.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Checks that the log of `verifier` has the leaf at its index, and returns the checkpoint that says so.
    ///
    /// # Errors
    /// [`UnprovedError::Checkpoint`] if that is not signed by the log; [`UnprovedError::NotIncluded`] if its tree
    /// does not have the leaf there.
    pub fn verify(&self, verifier: &CheckpointVerifier) -> Result<SignedCheckpoint, UnprovedError> {
        let checkpoint = verifier.open(&self.note)?;
        let (size, root, index) = (checkpoint.size(), checkpoint.root(), self.index);
        verify_inclusion(&self.hashes, size, root, index, leaf_hash(&self.leaf))
            .map_err(|problem| UnprovedError::NotIncluded { index, problem })?;
        Ok(checkpoint)
    }
}

impl fmt::Display for ProvedLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}\nextra {}\nindex {}", STANDARD.encode(&self.leaf), self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.0)))?;
        write!(f, "\n{}", self.note)
    }
}

impl std::str::FromStr for ProvedLeaf {
    type Err = ProofFormError;

    fn from_str(text: &str) -> Result<ProvedLeaf, ProofFormError> {
        let (head, note) =
            text.split_once("\n\n").ok_or(ProofFormError("an empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADING) {
            return Err(ProofFormError("its first line"));
        }
        let leaf = field(&mut lines, "extra ").ok_or(ProofFormError("a line 'extra' with the leaf"))?;
        let leaf = STANDARD.decode(leaf).map_err(|_| ProofFormError("the base64 of the line 'extra'"))?;
        let index = field(&mut lines, "index ").ok_or(ProofFormError("a line 'index'"))?;
        let index = plain_decimal(index).map_err(|_| ProofFormError("the number of the line 'index'"))?;
        let hashes = lines.map(hash).collect::<Option<_>>().ok_or(ProofFormError("the lines of hashes"))?;
        Ok(ProvedLeaf { leaf, index, hashes, note: note.to_owned() })
    }
}

fn field<'a>(lines: &mut Split<'a, char>, name: &str) -> Option<&'a str> {
    lines.next()?.strip_prefix(name)
}

/// Reads a number without sign and leading zeros.
fn plain_decimal(text: &str) -> Result<u64, ParseIntError> {
    let is_plain = text == "0" || text.starts_with(|first| ('1'..='9').contains(&first));
    if is_plain { text.parse() } else { "".parse() }
}

fn hash(line: &str) -> Option<Hash> {
    Some(Hash(STANDARD.decode(line).ok()?.try_into().ok()?))
}
