//! Retirement statements: what the proved entries of a claim come to, and the file that carries both.
//!
//! Knows entries; does not know how one is proved: who calls hands in those that are. Keeps: every word of a
//! statement follows from its entries, and each of its entries has a part in it.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    log_origin,
    v1::{self, command::Kind, leaf::Fact, outcome},
};

/// The form of a statement's file, as the file says it.
pub const STATEMENT_FORMAT: &str = "parkwatt-retirement-statement-v1";

/// A statement's file: one JSON document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementFile {
    /// [`STATEMENT_FORMAT`].
    pub format: String,
    /// What is stated.
    pub statement: v1::Retirement,
    /// The ledger's verifier key, for information: it proves nothing.
    pub vkey: String,
    /// Each a C2SP tlog-proof with its entry.
    pub proofs: Vec<String>,
}

/// The text is not a statement's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is something else.
    #[error("is no retirement statement: {0}")]
    SomethingElse(String),
    /// It says that it is one, and says too much, too little, or something twice.
    #[error("is not as a retirement statement is written: {0}")]
    Malformed(String),
}

/// Why entries do not come to a statement, or to another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The bytes are no entry of a market's ledger.
    #[error("leaf {0} is no entry of a market's ledger")]
    NotAnEntry(u64),
    /// It is about something else.
    #[error("leaf {0} has no part in this claim")]
    Alien(u64),
    /// It is there more than once.
    #[error("leaf {0} is proved twice")]
    Twice(u64),
    /// It does not follow from the claim's command.
    #[error("leaf {0} does not follow from the claim's command")]
    Contradiction(u64),
    /// Nobody claims anything.
    #[error("the command of the claim is not proved")]
    NoCommand,
    /// Parts are missing.
    #[error("{proved} Wh are proved as claimed, and the command claims {claimed} Wh: a part is missing")]
    PartMissing {
        /// What the command claims, in Wh.
        claimed: u64,
        /// What the proved parts sum up to, in Wh.
        proved: u64,
    },
    /// The issue of a certificate is missing.
    #[error("the issue of certificate {0} is not proved")]
    NoIssue(String),
    /// The claim was made in another market than the log is of.
    #[error("market says {market}, and the proofs are of the log {origin}")]
    OtherMarket {
        /// The market that the claim's signed command names.
        market: String,
        /// The log's origin.
        origin: String,
    },
    /// The file says something that does not follow from its entries.
    #[error("{field} says {said}, and the proved entries say {proved}")]
    Differs {
        /// The field.
        field: String,
        /// What the file says, as JSON.
        said: String,
        /// What its entries say, as JSON.
        proved: String,
    },
}

impl StatementFile {
    /// Makes a statement's file.
    pub fn new(statement: v1::Retirement, vkey: String, proofs: Vec<String>) -> StatementFile {
        StatementFile { format: STATEMENT_FORMAT.to_owned(), statement, vkey, proofs }
    }

    /// Reads a file; nothing of it is proved by that.
    pub fn parse(text: &str) -> Result<StatementFile, FormError> {
        let document: Value =
            serde_json::from_str(text).map_err(|problem| FormError::SomethingElse(problem.to_string()))?;
        if document["format"] != STATEMENT_FORMAT {
            let problem = format!("its format is {}, not \"{STATEMENT_FORMAT}\"", document["format"]);
            return Err(FormError::SomethingElse(problem));
        }
        serde_json::from_str(text).map_err(|problem| FormError::Malformed(problem.to_string()))
    }

    /// Returns the file's text.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("its keys are text, and its numbers whole");
        text + "\n"
    }

    /// Checks that the file states what its entries, of the log `origin`, prove, no more and no less, and that
    /// the log is that of the claim's market.
    ///
    /// # Errors
    /// [`StatementError::Differs`] with the first field in which they differ, or
    /// [`StatementError::OtherMarket`].
    pub fn check(&self, proved: &v1::Retirement, origin: &str) -> Result<(), StatementError> {
        if let Some(differs) = difference("statement".to_owned(), &json(&self.statement), &json(proved)) {
            return Err(differs);
        }
        if log_origin(&proved.market) != origin {
            let (market, origin) = (proved.market.clone(), origin.to_owned());
            return Err(StatementError::OtherMarket { market, origin });
        }
        Ok(())
    }
}

fn json(it: &impl Serialize) -> Value {
    serde_json::to_value(it).expect("its keys are text, and its numbers whole")
}

fn difference(field: String, said: &Value, proved: &Value) -> Option<StatementError> {
    match (said, proved) {
        (Value::Object(said), Value::Object(proved)) => proved
            .iter()
            .find_map(|(name, proved)| difference(format!("{field}.{name}"), &said[name], proved)),
        (Value::Array(said), Value::Array(proved)) if said.len() == proved.len() => said
            .iter()
            .zip(proved)
            .enumerate()
            .find_map(|(at, (said, proved))| difference(format!("{field}[{at}]"), said, proved)),
        _ if said == proved => None,
        _ => Some(StatementError::Differs { field, said: said.to_string(), proved: proved.to_string() }),
    }
}

/// Returns what proved entries, each with its index, come to, and the claim's command as its owner signed it.
/// Whether he did is not checked.
///
/// # Errors
/// [`StatementError`] unless they are one claim's command, all its parts, the issue of each certificate that
/// it names, and withdrawals of these; in any order.
pub fn retirement<'a>(
    entries: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> Result<(v1::Retirement, v1::SignedCommand), StatementError> {
    let mut found = Entries::default();
    let mut seen = BTreeSet::new();
    for (index, bytes) in entries {
        if !seen.insert(index) {
            return Err(StatementError::Twice(index));
        }
        found.take(index, bytes)?;
    }
    let claim = found.claim.take().ok_or(StatementError::NoCommand)?;
    let slices = found.slices(&claim)?;
    let proved = energy_wh(slices.iter());
    let Claim { index, at_micros, holder, market, asked, signed } = claim;
    if proved != asked.energy_wh {
        return Err(StatementError::PartMissing { claimed: asked.energy_wh, proved });
    }
    if let Some(index) = found.left_over() {
        return Err(StatementError::Alien(index));
    }
    let voided_wh = energy_wh(slices.iter().filter(|slice| slice.withdrawal.is_some()));
    let retirement = v1::Retirement {
        market,
        number: index,
        holder,
        holder_name: found.holder_name,
        class: class(asked.class()).into(),
        beneficiary: asked.beneficiary,
        purpose: asked.purpose,
        consumption_slot: asked.consumption_slot,
        energy_wh: asked.energy_wh,
        at_micros,
        slices,
        voided_wh,
    };
    Ok((retirement, signed))
}

/// The entries of one claim, by what they say.
#[derive(Default)]
struct Entries {
    claim: Option<Claim>,
    retired: BTreeMap<u64, v1::CertificateRetired>,
    issued: BTreeMap<Name, (u64, v1::CertificateIssued)>,
    withdrawn: BTreeMap<Name, (u64, v1::Withdrawal)>,
    holder_name: String,
}

/// A certificate's name, by which it is sorted: slot, producer, issue.
type Name = (u32, u32, u32);

struct Claim {
    index: u64,
    at_micros: u64,
    holder: u32,
    market: String,
    asked: v1::RetireCertificates,
    signed: v1::SignedCommand,
}

impl Entries {
    fn take(&mut self, index: u64, bytes: &[u8]) -> Result<(), StatementError> {
        let v1::Leaf { at_micros, fact } =
            v1::Leaf::decode(bytes).map_err(|_| StatementError::NotAnEntry(index))?;
        let is_new = match fact {
            Some(Fact::Command(command)) => {
                let claim = claim(index, at_micros, command).ok_or(StatementError::Alien(index))?;
                self.claim.replace(claim).is_none()
            }
            Some(Fact::CertificateRetired(it)) => self.retired.insert(index, it).is_none(),
            Some(Fact::CertificateIssued(it)) => {
                self.issued.insert(name(it.certificate), (index, it)).is_none()
            }
            Some(Fact::CertificateWithdrawn(it)) => {
                let withdrawal = v1::Withdrawal { at_micros, reason: it.reason };
                self.withdrawn.insert(name(it.certificate), (index, withdrawal)).is_none()
            }
            _ => false,
        };
        if is_new { Ok(()) } else { Err(StatementError::Alien(index)) }
    }

    /// Takes the claim's parts, with what is there of their certificates.
    fn slices(&mut self, claim: &Claim) -> Result<Vec<v1::RetiredSlice>, StatementError> {
        let mut slices = Vec::with_capacity(self.retired.len());
        for (index, part) in std::mem::take(&mut self.retired) {
            if part.retirement != claim.index {
                return Err(StatementError::Alien(index));
            }
            let (issued_at, issued) = self
                .issued
                .remove(&name(part.certificate))
                .ok_or_else(|| StatementError::NoIssue(name_text(part.certificate)))?;
            if !follows(&part, &issued, claim) {
                return Err(StatementError::Contradiction(index));
            }
            if issued_at > claim.index {
                return Err(StatementError::Contradiction(issued_at));
            }
            let withdrawal = match self.withdrawn.remove(&name(part.certificate)) {
                Some((withdrawn_at, _)) if withdrawn_at < claim.index => {
                    return Err(StatementError::Contradiction(withdrawn_at));
                }
                withdrawn => withdrawn.map(|(_, withdrawal)| withdrawal),
            };
            self.holder_name = part.holder_name;
            let (producer_name, energy_wh) = (issued.producer_name, part.energy_wh);
            slices.push(v1::RetiredSlice {
                certificate: part.certificate,
                producer_name,
                energy_wh,
                withdrawal,
            });
        }
        Ok(slices)
    }

    /// Returns an entry that is of no part that was taken.
    fn left_over(&self) -> Option<u64> {
        let mut left = self.issued.values().map(|it| it.0).chain(self.withdrawn.values().map(|it| it.0));
        left.next()
    }
}

/// Returns the claim that a command makes, if it makes one and was not refused.
fn claim(index: u64, at_micros: u64, command: v1::CommandLeaf) -> Option<Claim> {
    let taken = command.outcome?.kind == Some(outcome::Kind::Retirement(index));
    let (holder, signed) = (command.participant?, command.signed?);
    let v1::Command { market, kind, .. } = v1::Command::decode(signed.payload.as_slice()).ok()?;
    match kind {
        Some(Kind::RetireCertificates(asked)) if taken => {
            Some(Claim { index, at_micros, holder, market, asked, signed })
        }
        _ => None,
    }
}

/// Returns whether a part is of the claim, and of the certificate that was issued.
fn follows(part: &v1::CertificateRetired, issued: &v1::CertificateIssued, claim: &Claim) -> bool {
    let asked = &claim.asked;
    part.holder == claim.holder
        && part.beneficiary == asked.beneficiary
        && part.purpose == asked.purpose
        && part.consumption_slot == asked.consumption_slot
        && name(part.certificate).0 == asked.slot
        && part.energy_wh <= issued.energy_wh
        && class(issued.class()) == class(asked.class())
}

/// Returns how much parts sum up to; a log whose sums are too great says nothing that is true anyway.
fn energy_wh<'a>(parts: impl Iterator<Item = &'a v1::RetiredSlice>) -> u64 {
    parts.fold(0, |sum, part| sum.saturating_add(part.energy_wh))
}

/// Returns the class that is meant where none is said.
fn class(it: v1::CertificateClass) -> v1::CertificateClass {
    match it {
        v1::CertificateClass::Unspecified => v1::CertificateClass::Exported,
        said => said,
    }
}

fn name(id: Option<v1::CertificateId>) -> Name {
    id.map(|id| (id.slot, id.producer, id.issue)).unwrap_or_default()
}

fn name_text(id: Option<v1::CertificateId>) -> String {
    let (slot, producer, issue) = name(id);
    format!("{slot}.{producer}.{issue}")
}

/// Returns, in two sentences, what is proved of a claim by the first `tree_size` entries of the log `origin`, and
/// what is not. Words that the holder chose are quoted, so that they cannot pass for ours.
pub fn conclusion(proved: &v1::Retirement, origin: &str, tree_size: u64) -> String {
    let v1::Retirement { number, holder, holder_name, beneficiary, energy_wh, voided_wh, .. } = proved;
    let (void, more) = match voided_wh {
        0 => (String::new(), "nothing"),
        wh => (format!(", of which {wh} Wh are void"), "nothing else"),
    };
    format!(
        "Proved: the log {origin}, as of its checkpoint over {tree_size} entries, holds claim {number} of \
         {energy_wh} Wh by {holder_name} (participant {holder}), signed with his key, for {beneficiary:?}{void}. \
         Not proved: that {more} of it was withdrawn later, or by an entry that is left out here; only the \
         ledger can say that."
    )
}

/// A certificate's class as a word.
pub mod class_word {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::v1::CertificateClass;

    /// The words of the classes.
    const WORDS: [(&str, CertificateClass); 2] =
        [("exported", CertificateClass::Exported), ("self_consumed", CertificateClass::SelfConsumed)];

    /// Writes a class; one that is none stays its number.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
    pub fn serialize<S: Serializer>(class: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match WORDS.iter().find(|(_, known)| *known as i32 == *class) {
            Some((word, _)) => serializer.serialize_str(word),
            None => serializer.serialize_i32(*class),
        }
    }

    /// Reads a class.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        let said = String::deserialize(deserializer)?;
        let known = WORDS.iter().find(|(word, _)| *word == said);
        known.map(|(_, class)| *class as i32).ok_or_else(|| D::Error::custom(format!("{said:?} is no class")))
    }
}
