//! Bundles: the entries about one trade or certificate, each with its proof, in one file.
//!
//! Knows the form of the file, and which entries are about what; does not know where they come from.
//! Keeps: a bundle proves that its entries are there, and never that there are no others.

use std::{fmt, str::FromStr};

use parkwatt_ledger::ProvedLeaf;
use parkwatt_proto::v1::{self, leaf::Fact, list_entries_request::About};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{saying::says, verdict::Finding};
use crate::index::is_about;

/// The form of a bundle; another one has another name.
pub(super) const FORMAT: &str = "parkwatt-proof-bundle-v1";

/// What entries are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One entry alone: its index.
    Leaf(u64),
    /// A trade: its id.
    Trade(u64),
    /// A certificate.
    Certificate(CertificateName),
}

/// A certificate's name: the slot of generation, the producer's number, the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CertificateName(pub(super) v1::CertificateId);

/// The file of a bundle.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    pub format: String,
    pub about: Subject,
    /// The ledger's verifier key, for information.
    pub vkey: String,
    /// Each a C2SP tlog-proof with its leaf, all against one checkpoint.
    pub proofs: Vec<String>,
}

impl Subject {
    /// Returns whether a leaf is about it.
    pub(super) fn has(self, index: u64, leaf: &[u8]) -> bool {
        let about = match self {
            Subject::Leaf(wanted) => return index == wanted,
            Subject::Trade(trade) => About::Trade(trade),
            Subject::Certificate(CertificateName(id)) => About::Certificate(id),
        };
        fact(leaf).is_some_and(|fact| is_about(&fact, &about))
    }

    /// Returns whether a leaf is the one with which it came into being.
    pub(super) fn is_begun_by(self, index: u64, leaf: &[u8]) -> bool {
        match (self, fact(leaf)) {
            (Subject::Leaf(wanted), _) => index == wanted,
            (Subject::Trade(trade), Some(Fact::TradeMade(it))) => it.id == trade && index == trade,
            (Subject::Certificate(CertificateName(id)), Some(Fact::CertificateIssued(it))) => {
                it.certificate == Some(id)
            }
            _ => false,
        }
    }
}

impl Bundle {
    /// Reads a bundle; nothing if the text is something else.
    pub(super) fn parse(text: &str) -> Option<Bundle> {
        serde_json::from_str::<Bundle>(text).ok().filter(|bundle| bundle.format == FORMAT)
    }

    /// Checks that the proved leaves are about what the bundle says, each once, and returns what they say.
    pub(super) fn check(&self, proved: &[ProvedLeaf]) -> Result<String, Finding> {
        let subject = self.about;
        let mut said = Vec::new();
        for (n, leaf) in proved.iter().enumerate() {
            let index = leaf.index();
            if !subject.has(index, leaf.leaf()) {
                return Err(Finding::tampered(format!(
                    "proof {}: entry {index} is not about {subject}",
                    n + 1
                )));
            }
            if proved[..n].iter().any(|earlier| earlier.index() == index) {
                return Err(Finding::tampered(format!("proof {}: entry {index} is there twice", n + 1)));
            }
            said.push(format!("entry {index} says {}", says(leaf.leaf())));
        }
        if !proved.iter().any(|leaf| subject.is_begun_by(leaf.index(), leaf.leaf())) {
            return Err(Finding::tampered(format!(
                "the entry with which {subject} began is not among the proofs"
            )));
        }
        Ok(said.join("; "))
    }
}

/// Returns the fact that a leaf records; none if it is no market's.
pub(super) fn fact(leaf: &[u8]) -> Option<Fact> {
    v1::Leaf::decode(leaf).ok()?.fact
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Leaf(index) => write!(f, "entry {index}"),
            Subject::Trade(trade) => write!(f, "trade {trade}"),
            Subject::Certificate(name) => write!(f, "certificate {name}"),
        }
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v1::CertificateId { slot, producer, issue } = self.0;
        write!(f, "{slot}.{producer}.{issue}")
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for CertificateName {
    type Error = String;

    fn try_from(text: String) -> Result<CertificateName, String> {
        text.parse()
    }
}

impl FromStr for CertificateName {
    type Err = String;

    fn from_str(text: &str) -> Result<CertificateName, String> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[slot, producer, issue]) => {
                let name = CertificateName(v1::CertificateId { slot, producer, issue });
                // A number with a sign or zeros before it would be a second name for the same.
                (name.to_string() == text).then_some(name)
            }
            _ => None,
        }
        .ok_or_else(|| {
            "a certificate's name is three numbers with points between, such as 1978096.2.1".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_one_name() {
        assert_eq!("1978096.2.1".parse::<CertificateName>().unwrap().to_string(), "1978096.2.1");
        for bad in ["", "1", "1.2", "1.2.", "1.2.3.4", "1.2.x", "+1.2.3", "01.2.3", "1..3", "1.2.99999999999"]
        {
            assert!(bad.parse::<CertificateName>().is_err(), "{bad}");
        }
    }
}
