//! What can go wrong between a caller and a node, so that the caller can decide by it.
//!
//! A rule's rejection is no error: it is an answer, and stands in the receipt.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a call, or the use of a key file, failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is none that this client can speak to.
    #[error("the address {url:?} cannot be used: {cause}")]
    Address {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No answer came. A command on its way may have been taken: hand in the same bytes again to learn it.
    #[error("the node at {url} gave no answer: {cause}")]
    Unreachable {
        /// The node's address.
        url: String,
        /// What the network, or the node, said.
        cause: String,
    },
    /// The node refused the call; nothing happened.
    #[error("the node refused the call: {message}")]
    Refused {
        /// The kind of refusal.
        status: Code,
        /// The stable reason, as in `google.rpc.ErrorInfo`; empty where the node gave none.
        reason: String,
        /// What is wrong, in a sentence.
        message: String,
        /// How long the node asks to wait before another try; absent where it does not say.
        retry_after: Option<Duration>,
    },
    /// The node's answer lacks what the contract promises.
    #[error("the answer of the node at {url} lacks {what}; it may be of another version")]
    Incomplete {
        /// The node's address.
        url: String,
        /// What is missing.
        what: &'static str,
    },
    /// The node's answer contradicts itself, and nothing in it is to be relied on.
    #[error("the answer of the node at {url} contradicts itself: {what}")]
    Contradictory {
        /// The node's address.
        url: String,
        /// What does not fit.
        what: String,
    },
    /// There is a file already, and keys are never overwritten.
    #[error("the file {} exists already, and a key is never overwritten", path.display())]
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// There is no key file.
    #[error("there is no key file {}", path.display())]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// The key file could not be read or written.
    #[error("the key file {} cannot be used: {cause}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file holds something else than a key.
    #[error("the file {} holds no Ed25519 private key in PKCS#8 PEM: {cause}", path.display())]
    KeyMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        cause: String,
    },
    /// The key is under a passphrase.
    #[error("the key in the file {} is under a passphrase", path.display())]
    KeySealed {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is another one.
    #[error("the passphrase does not open the key in the file {}", path.display())]
    PassphraseWrong {
        /// The file.
        path: PathBuf,
    },
    /// The text is no public key.
    #[error("{text:?} is no public key: {cause}")]
    PublicKeyMalformed {
        /// The text.
        text: String,
        /// What is wrong with it.
        cause: &'static str,
    },
}

impl ClientError {
    /// Returns what a call's failed status means for the caller.
    pub(crate) fn from_status(url: &str, status: &Status) -> Self {
        let no_answer = matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
            || std::error::Error::source(status).is_some();
        if no_answer {
            let cause = match std::error::Error::source(status) {
                Some(source) => innermost(source),
                None => status.message().to_owned(),
            };
            return ClientError::Unreachable { url: url.to_owned(), cause };
        }
        let details = status.get_error_details();
        ClientError::Refused {
            status: status.code(),
            reason: details.error_info().map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

/// Returns the first cause of `error`, which says most: the outer ones only say "transport error".
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let said = cause.to_string();
    let words = CERTIFICATES.iter().find(|(sign, _)| said.contains("certificate") && said.contains(sign));
    words.map_or(said, |(_, words)| (*words).to_owned())
}

/// What rustls says of certificates, by a part of it, and the same in words.
const CERTIFICATES: [(&str, &str); 5] = [
    ("CaUsedAsEndEntity", "the certificate that it shows is an authority's"),
    ("UnknownIssuer", "no root that is trusted here vouches for its certificate"),
    ("BadSignature", "no root that is trusted here vouches for its certificate"),
    ("not valid for name", "its certificate is not for this name"),
    ("xpired", "its certificate has expired"),
];

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_refusal_keeps_its_reason_and_its_delay() {
        let mut details = ErrorDetails::new();
        details.set_error_info("QUEUE_FULL", "parkwatt", std::collections::HashMap::new());
        details.set_retry_info(Some(Duration::from_millis(20)));
        let status = Status::with_error_details(Code::ResourceExhausted, "the queue is full", details);
        let ClientError::Refused { status, reason, message, retry_after } =
            ClientError::from_status("http://node", &status)
        else {
            panic!("a refusal");
        };
        assert_eq!(status, Code::ResourceExhausted);
        assert_eq!(reason, "QUEUE_FULL");
        assert_eq!(message, "the queue is full");
        assert_eq!(retry_after, Some(Duration::from_millis(20)));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words() {
        for (raw, words) in [
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "is an authority's"),
            ("invalid peer certificate: UnknownIssuer", "no root that is trusted here"),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for DnsName(\"b\")",
                "not for this name",
            ),
        ] {
            let said = innermost(&std::io::Error::other(raw));
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn an_unavailable_node_is_unreachable() {
        let error = ClientError::from_status("http://node", &Status::unavailable("draining"));
        assert!(matches!(error, ClientError::Unreachable { .. }));
        assert_eq!(error.to_string(), "the node at http://node gave no answer: draining");
    }
}
