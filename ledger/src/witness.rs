//! Witnesses: who have watched a log grow, and sign that they have seen it as a checkpoint says.
//!
//! Knows C2SP `tlog-cosignature`, with Ed25519: further signatures under a checkpoint's note, each over the time and
//! the checkpoint. Does not know what a witness must see before it signs: that the log has only grown since.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, Verifier as _, is_key_name_valid, key_id};

use crate::SignedCheckpoint;

/// The byte that stands before a key with which cosignatures are made.
const ALGORITHM: u8 = 4;
/// Bytes of a cosignature's time.
const TIME_BYTES: usize = 8;

/// Checks one witness's cosignatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Witness {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// Makes a witness's cosignatures.
pub struct WitnessSigner {
    witness: Witness,
    key: SigningKey,
}

/// How many of which witnesses must have seen a checkpoint.
#[derive(Clone, Debug)]
pub struct Quorum {
    witnesses: Vec<Witness>,
    needed: usize,
}

/// The text or key is no witness's; which part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the key of a witness: {problem}")]
pub struct WitnessKeyError {
    text: String,
    problem: &'static str,
}

/// Why a quorum is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// It can never be reached, or always is.
    #[error("{needed} of {given} witnesses cannot be asked for: it is 1 to {given}")]
    OutOfRange {
        /// How many were asked for.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// A witness would count twice.
    #[error("{0} and another witness have the same key")]
    SameKey(String),
}

/// Why a checkpoint was not seen by enough witnesses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnseenError {
    /// It is not a signed note.
    #[error("the note is not a signed checkpoint")]
    Malformed,
    /// A witness's signature is false.
    #[error("the cosignature of {0} is false")]
    BadCosignature(String),
    /// Too few have signed.
    #[error("{seen} of {needed} witnesses have signed the checkpoint of {size} leaves; missing: {missing}")]
    TooFew {
        /// How many have signed.
        seen: usize,
        /// How many were needed.
        needed: usize,
        /// The checkpoint's size.
        size: u64,
        /// Who have not, separated by commas.
        missing: String,
    },
}

impl Witness {
    /// Makes the verifier of the witness `name`, a URL without its scheme.
    ///
    /// # Errors
    /// If that is empty, or has spaces or `+`.
    pub fn new(name: &str, key: &VerifyingKey) -> Result<Witness, WitnessKeyError> {
        if !is_key_name_valid(name) {
            return Err(WitnessKeyError {
                text: name.to_owned(),
                problem: "its name is empty, or has spaces or '+'",
            });
        }
        Ok(Witness { name: name.to_owned(), id: key_id(name, &tagged(key)), key: *key })
    }

    /// Reads a verifier key as people hand it around: `witness.example+9a8b7c6d+BA...`.
    ///
    /// # Errors
    /// If it is not one, or not of this kind of signature.
    pub fn from_vkey(vkey: &str) -> Result<Witness, WitnessKeyError> {
        let bad = |problem| WitnessKeyError { text: vkey.to_owned(), problem };
        let [name, id, key] = vkey.splitn(3, '+').collect::<Vec<_>>()[..] else {
            return Err(bad("it is NAME+ID+KEY"));
        };
        let key = STANDARD.decode(key).map_err(|_| bad("its last part is not base64"))?;
        let key = match key.split_first() {
            Some((&ALGORITHM, key)) => {
                <&[u8; 32]>::try_from(key).map_err(|_| bad("its key has not 32 bytes"))?
            }
            _ => return Err(bad("its key is not for Ed25519 cosignatures")),
        };
        let key = VerifyingKey::from_bytes(key).map_err(|_| bad("its key is not on the curve"))?;
        let witness = Witness::new(name, &key)?;
        if id == format!("{:08x}", witness.id) {
            Ok(witness)
        } else {
            Err(bad("its id is not that of its key"))
        }
    }

    /// Returns the verifier key as text: name, key id, key.
    pub fn vkey(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.id, STANDARD.encode(tagged(&self.key)))
    }

    /// Returns the witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.vkey())
    }
}

impl signed_note::Verifier for Witness {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], cosignature: &[u8]) -> bool {
        let Some((time, signature)) = cosignature.split_first_chunk::<TIME_BYTES>() else { return false };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let time = u64::from_be_bytes(*time);
        i64::try_from(time).is_ok() && self.key.verify_strict(&message(time, text), &signature).is_ok()
    }
}

impl WitnessSigner {
    /// Makes a signer of the witness `name`, whose key signs nothing else.
    ///
    /// # Errors
    /// If the name is empty, or has spaces or `+`.
    pub fn new(name: &str, key: SigningKey) -> Result<WitnessSigner, WitnessKeyError> {
        Ok(WitnessSigner { witness: Witness::new(name, &key.verifying_key())?, key })
    }

    /// Returns who checks these cosignatures.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Returns a checkpoint with this witness's cosignature under it, in place of an older one of his.
    ///
    /// The caller keeps that a checkpoint is signed only if the log has grown to it from the last one that was.
    pub fn cosign(&self, checkpoint: &SignedCheckpoint, unix_seconds: u64) -> SignedCheckpoint {
        let mut note = Note::from_bytes(checkpoint.note().as_bytes()).expect("a checkpoint is a note");
        note.add_sigs(&[&Cosigning { signer: self, unix_seconds }])
            .expect("a witness's name is a key's name");
        let note = String::from_utf8(note.to_bytes()).expect("a note is made of text");
        checkpoint.with_note(note)
    }
}

/// A witness who signs at a moment.
struct Cosigning<'a> {
    signer: &'a WitnessSigner,
    unix_seconds: u64,
}

impl signed_note::Signer for Cosigning<'_> {
    fn name(&self) -> &str {
        self.signer.witness.name()
    }

    fn key_id(&self) -> u32 {
        self.signer.witness.id
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        let signature = self.signer.key.sign(&message(self.unix_seconds, text));
        Ok([&self.unix_seconds.to_be_bytes()[..], &signature.to_bytes()].concat())
    }
}

impl Quorum {
    /// Asks for `needed` of `witnesses`.
    pub fn new(witnesses: Vec<Witness>, needed: usize) -> Result<Quorum, QuorumError> {
        let mut keys = BTreeSet::new();
        for witness in &witnesses {
            if !keys.insert(witness.key.to_bytes()) {
                return Err(QuorumError::SameKey(witness.name.clone()));
            }
        }
        let given = witnesses.len();
        let is_in_range = (1..=given).contains(&needed);
        if is_in_range {
            Ok(Quorum { witnesses, needed })
        } else {
            Err(QuorumError::OutOfRange { needed, given })
        }
    }

    /// Checks that enough witnesses have signed a checkpoint, and returns when each did, by their names.
    ///
    /// Seconds since 1970. Signatures of others are left alone; one of these that is false is an error, also where
    /// enough others have signed.
    pub fn check(&self, checkpoint: &SignedCheckpoint) -> Result<BTreeMap<String, u64>, UnseenError> {
        let note = Note::from_bytes(checkpoint.note().as_bytes()).map_err(|_| UnseenError::Malformed)?;
        let (mut seen, mut missing) = (BTreeMap::new(), Vec::new());
        for witness in &self.witnesses {
            match cosignature_of(&note, witness) {
                None => missing.push(witness.name.as_str()),
                Some(cosignature) if witness.verify(note.text(), &cosignature) => {
                    let time = cosignature.first_chunk().expect("a cosignature that holds has its time");
                    seen.insert(witness.name.clone(), u64::from_be_bytes(*time));
                }
                Some(_) => return Err(UnseenError::BadCosignature(witness.name.clone())),
            }
        }
        if seen.len() >= self.needed {
            return Ok(seen);
        }
        let (size, needed) = (checkpoint.size(), self.needed);
        Err(UnseenError::TooFew { seen: seen.len(), needed, size, missing: missing.join(", ") })
    }
}

/// Returns what is signed: that at this time the log was seen as `text` says.
fn message(unix_seconds: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {unix_seconds}\n").as_bytes(), text].concat()
}

fn tagged(key: &VerifyingKey) -> Vec<u8> {
    [&[ALGORITHM][..], key.as_bytes()].concat()
}

/// Returns the bytes of a witness's signature under a note.
fn cosignature_of(note: &Note, witness: &Witness) -> Option<Vec<u8>> {
    let own = signatures_of(note).into_iter().find(|it| it.name() == witness.name && it.id() == witness.id);
    own.map(|signature| signature.signature().to_vec())
}

/// Returns all signatures under a note.
pub(crate) fn signatures_of(note: &Note) -> Vec<signed_note::Signature> {
    let signatures = note.to_bytes();
    let lines =
        signatures[note.text().len() + 1..].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| signed_note::Signature::from_bytes(line).expect("the note was read")).collect()
}
