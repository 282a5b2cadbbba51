//! Checkpoints: the root of the tree at a size, signed.
//!
//! Knows the text forms that witnesses and other tools read: C2SP `tlog-checkpoint` in a C2SP `signed-note`.
//! Does not know when a checkpoint is made, or where it is kept.

use std::{fmt, fs, path::Path};

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, StandardVerifier, VerificationError, Verifier, Verifiers};
use tlog_tiles::checkpoint::Checkpoint;

use crate::tree::Hash;

/// The longest origin, in bytes; it has to fit into a segment's first sector together with the key.
const ORIGIN_BYTES_MAX: usize = 255;

/// The name of a log, the first line of its checkpoints: `parkwatt/park`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// The text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be an origin: one to 255 bytes without spaces, control characters and '+'")]
pub struct OriginError(String);

impl Origin {
    /// Takes `name` for an origin, if it is one: 1 to 255 bytes, no spaces, no control characters, no `+`.
    pub fn new(name: &str) -> Result<Origin, OriginError> {
        let fits = name.len() <= ORIGIN_BYTES_MAX && !name.chars().any(char::is_control);
        if fits && signed_note::is_key_name_valid(name) {
            Ok(Origin(name.to_owned()))
        } else {
            Err(OriginError(name.to_owned()))
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A size of the log, its root, and the signed note that says so.
///
/// Made by [`CheckpointSigner::sign`], and from a note by [`CheckpointVerifier::open`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCheckpoint {
    size: u64,
    root: Hash,
    note: String,
}

impl SignedCheckpoint {
    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root over these leaves.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Returns the signed note, a text of a few lines.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Returns the same checkpoint with further signatures in its note.
    pub(crate) fn with_note(&self, note: String) -> SignedCheckpoint {
        SignedCheckpoint { note, ..*self }
    }

    /// Reads a note without looking at its signatures: for notes whose signature is checked later, or was
    /// before.
    pub(crate) fn parse_unverified(note: &str) -> Result<SignedCheckpoint, CheckpointError> {
        let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Checkpoint::from_bytes(parsed.text()).map_err(|_| CheckpointError::Malformed)?;
        Ok(SignedCheckpoint { size: checkpoint.size(), root: *checkpoint.hash(), note: note.to_owned() })
    }
}

/// Why a note is not a checkpoint of this log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not a signed note, or not about a checkpoint.
    #[error("the note is not a signed checkpoint")]
    Malformed,
    /// It speaks of another log.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    WrongOrigin {
        /// The origin in the note.
        found: String,
        /// The origin that was expected.
        expected: String,
    },
    /// No signature in it is by the log's key.
    #[error("the checkpoint is not signed by the key {expected}")]
    WrongKey {
        /// The verifier key that was expected.
        expected: String,
    },
    /// The signature by the log's key is false.
    #[error("the checkpoint's signature is false")]
    BadSignature,
    /// The text is not a verifier key.
    #[error("{0:?} is not a verifier key")]
    BadVerifierKey(String),
    /// The file in which the verifier key was looked for has none.
    #[error("the file {0:?} holds no verifier key: {1}")]
    BadVerifierKeyFile(String, String),
}

/// Signs checkpoints under the log's origin.
#[derive(Clone)]
pub struct CheckpointSigner {
    origin: Origin,
    key: SigningKey,
    verifier: CheckpointVerifier,
}

impl CheckpointSigner {
    /// Makes a signer of the log `origin`.
    pub fn new(origin: Origin, key: SigningKey) -> CheckpointSigner {
        let verifier = CheckpointVerifier::new(&origin, &key.verifying_key());
        CheckpointSigner { origin, key, verifier }
    }

    /// Returns who checks these signatures.
    pub fn verifier(&self) -> CheckpointVerifier {
        self.verifier.clone()
    }

    /// Signs that the first `size` leaves have this root.
    ///
    /// The caller keeps that no size is ever signed with two roots.
    pub fn sign(&self, size: u64, root: Hash) -> SignedCheckpoint {
        let checkpoint =
            Checkpoint::new(self.origin.as_str(), size, root, "").expect("an origin is not empty");
        let mut note = Note::new(&checkpoint.to_bytes(), &[]).expect("an origin has no control characters");
        note.add_sigs(&[self]).expect("an origin is a valid key name, and Ed25519 always signs");
        let note = String::from_utf8(note.to_bytes()).expect("a note is made of text");
        SignedCheckpoint { size, root, note }
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointSigner({})", self.verifier.vkey)
    }
}

impl signed_note::Signer for CheckpointSigner {
    fn name(&self) -> &str {
        self.origin.as_str()
    }

    fn key_id(&self) -> u32 {
        self.verifier.key.key_id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.key.sign(text).to_vec())
    }
}

/// Checks checkpoints of one log: its origin, and its public key.
#[derive(Clone)]
pub struct CheckpointVerifier {
    key: StandardVerifier,
    vkey: String,
}

impl CheckpointVerifier {
    /// Makes a verifier of the log `origin`.
    pub fn new(origin: &Origin, key: &VerifyingKey) -> CheckpointVerifier {
        let vkey = signed_note::new_ed25519_verifier_key(origin.as_str(), key);
        CheckpointVerifier::from_vkey(&vkey).expect("an origin and a key make a verifier key")
    }

    /// Reads a verifier key as people hand it around: `parkwatt/park+8a7b6c5d+AQ...`.
    pub fn from_vkey(vkey: &str) -> Result<CheckpointVerifier, CheckpointError> {
        let bad = || CheckpointError::BadVerifierKey(vkey.to_owned());
        let key = StandardVerifier::new(vkey).map_err(|_| bad())?;
        Origin::new(key.name()).map_err(|_| bad())?;
        Ok(CheckpointVerifier { key, vkey: vkey.to_owned() })
    }

    /// Reads a verifier key as it is given on a command line: itself, or the file that has it.
    pub fn from_vkey_or_file(given: &str) -> Result<CheckpointVerifier, CheckpointError> {
        if !Path::new(given).is_file() {
            return CheckpointVerifier::from_vkey(given);
        }
        let bad = |problem: String| CheckpointError::BadVerifierKeyFile(given.to_owned(), problem);
        let text = fs::read_to_string(given).map_err(|problem| bad(problem.to_string()))?;
        CheckpointVerifier::from_vkey(text.trim()).map_err(|problem| bad(problem.to_string()))
    }

    /// Returns the verifier key as text: origin, key id, key.
    pub fn vkey(&self) -> &str {
        &self.vkey
    }

    /// Returns the log's origin.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    /// Opens a note: the checkpoint of this log that it holds, if this log's key has signed it.
    ///
    /// Further signatures, of witnesses, are left alone.
    pub fn open(&self, note: &str) -> Result<SignedCheckpoint, CheckpointError> {
        let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Checkpoint::from_bytes(parsed.text()).map_err(|_| CheckpointError::Malformed)?;
        if checkpoint.origin() != self.origin() {
            let (found, expected) = (checkpoint.origin().to_owned(), self.origin().to_owned());
            return Err(CheckpointError::WrongOrigin { found, expected });
        }
        match parsed.verify(self) {
            Ok(_) => Ok(SignedCheckpoint {
                size: checkpoint.size(),
                root: *checkpoint.hash(),
                note: note.to_owned(),
            }),
            Err(signed_note::NoteError::InvalidSignature { .. }) => Err(CheckpointError::BadSignature),
            Err(_) => Err(CheckpointError::WrongKey { expected: self.vkey.clone() }),
        }
    }
}

impl fmt::Debug for CheckpointVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointVerifier({})", self.vkey)
    }
}

impl Verifiers for CheckpointVerifier {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if name == self.key.name() && id == self.key.key_id() {
            Ok(&self.key)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}
