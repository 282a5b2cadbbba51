//! Every no that is not a market rule's, with its gRPC status and its `google.rpc` details.

use std::{collections::HashMap, time::Duration};

use parkwatt_engine::PublicKey;
use parkwatt_ledger::StoreError;
use parkwatt_proto::{SESSION_METADATA, v1};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{authenticate::Unauthentic, wire::Malformed};

/// After how long a caller who came too early should try again.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Why a call was refused before any rule of the market looked at it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The envelope's payload is longer than the limit.
    #[error("payload: has {len} bytes; at most {max} are allowed, so split the schedule")]
    TooLarge {
        /// How long it is.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A field is not as the contract says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The signature is nobody's word.
    #[error(transparent)]
    Unauthentic(#[from] Unauthentic),
    /// The key is authentic, and nobody's here.
    #[error(
        "public_key {} is not enrolled in market '{market}'; ask its operator to enrol it",
        hex::encode(key)
    )]
    UnknownKey {
        /// The key.
        key: PublicKey,
        /// The market.
        market: String,
    },
    /// The call needs a session.
    #[error("{SESSION_METADATA}: {0}")]
    NoSession(&'static str),
    /// The caller may not do this.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// There is no such thing, or the caller may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// The queue is full.
    #[error("the market's queue is full; try again in {} ms", RETRY_AFTER.as_millis())]
    Busy,
    /// The caller has come too often.
    #[error("{what}; try again in {} ms", retry_after.as_millis().max(1))]
    TooOften {
        /// What he did.
        what: &'static str,
        /// When he may come again.
        retry_after: Duration,
    },
    /// There are as many streams as there may be.
    #[error("{whose} has {max} streams already; end one, or follow more slots in one")]
    TooManyStreams {
        /// Whose.
        whose: &'static str,
        /// The limit.
        max: usize,
    },
    /// A stream had to end, and can be gone on with.
    #[error("{}", end_of_stream(*why, field, *go_on_from))]
    StreamEnded {
        /// Why.
        why: StreamEnd,
        /// The field of the request that says from where to go on.
        field: &'static str,
        /// From where; none where the reader must begin anew.
        go_on_from: Option<u64>,
    },
    /// The node is ending, or its market has stopped.
    #[error("the market takes no more commands: the node is stopping")]
    Stopped,
    /// The market's ledger does not fit.
    #[error("the market is read-only, since its ledger does not fit: {0}; ask the operator to restore it")]
    ReadOnly(String),
    /// The ledger could not be read.
    #[error("the ledger cannot be read: {0}")]
    Unreadable(String),
}

/// Why a stream had to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its reader left too much waiting for too long.
    TooSlow,
    /// His session is over.
    SessionOver,
    /// The node stops.
    Stopping,
}

fn end_of_stream(why: StreamEnd, field: &str, go_on_from: Option<u64>) -> String {
    let why = match why {
        StreamEnd::TooSlow => "the stream was read too slowly",
        StreamEnd::SessionOver => "the session is over; sign a new one",
        StreamEnd::Stopping => "the node is stopping",
    };
    match go_on_from {
        Some(from) => format!("{why}; go on with {field} = {from}"),
        None => format!("{why}; begin anew, without {field}"),
    }
}

impl Refused {
    /// Returns the gRPC status code.
    pub fn code(&self) -> Code {
        match self {
            Refused::TooLarge { .. }
            | Refused::Malformed(_)
            | Refused::Unauthentic(
                Unauthentic::KeyMustHave32Bytes(_) | Unauthentic::SignatureMustHave64Bytes(_),
            ) => Code::InvalidArgument,
            Refused::Unauthentic(_)
            | Refused::UnknownKey { .. }
            | Refused::NoSession(_)
            | Refused::StreamEnded { why: StreamEnd::SessionOver, .. } => Code::Unauthenticated,
            Refused::NotPermitted(_) => Code::PermissionDenied,
            Refused::NotFound(_) => Code::NotFound,
            Refused::Busy | Refused::TooOften { .. } | Refused::TooManyStreams { .. } => {
                Code::ResourceExhausted
            }
            Refused::StreamEnded { why: StreamEnd::TooSlow, .. } => Code::Aborted,
            Refused::StreamEnded { why: StreamEnd::Stopping, .. } | Refused::Stopped => Code::Unavailable,
            Refused::ReadOnly(_) => Code::FailedPrecondition,
            Refused::Unreadable(_) => Code::Internal,
        }
    }

    /// Returns the stable reason, for machines.
    pub fn reason(&self) -> &'static str {
        match self {
            Refused::TooLarge { .. } => "PAYLOAD_TOO_LARGE",
            Refused::Malformed(_) => "MALFORMED",
            Refused::Unauthentic(Unauthentic::KeyMustHave32Bytes(_)) => "KEY_MUST_HAVE_32_BYTES",
            Refused::Unauthentic(Unauthentic::SignatureMustHave64Bytes(_)) => "SIGNATURE_MUST_HAVE_64_BYTES",
            Refused::Unauthentic(Unauthentic::KeyMustBeAPoint(_)) => "KEY_MUST_BE_A_POINT",
            Refused::Unauthentic(Unauthentic::SignatureMustVerify(_)) => "SIGNATURE_MUST_VERIFY",
            Refused::UnknownKey { .. } => "KEY_MUST_BE_ENROLLED",
            Refused::NoSession(_) | Refused::StreamEnded { why: StreamEnd::SessionOver, .. } => {
                "SESSION_REQUIRED"
            }
            Refused::NotPermitted(_) => "NOT_PERMITTED",
            Refused::NotFound(_) => "NOT_FOUND",
            Refused::StreamEnded { why: StreamEnd::TooSlow, .. } => "READ_TOO_SLOWLY",
            Refused::TooManyStreams { .. } => "TOO_MANY_STREAMS",
            Refused::Busy => "QUEUE_FULL",
            Refused::TooOften { .. } => "TOO_OFTEN",
            Refused::StreamEnded { why: StreamEnd::Stopping, .. } | Refused::Stopped => "STOPPED",
            Refused::ReadOnly(_) => "READ_ONLY",
            Refused::Unreadable(_) => "LEDGER_UNREADABLE",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Refused::TooLarge { .. } => Some("payload"),
            Refused::Malformed(malformed) => Some(&malformed.field),
            Refused::Unauthentic(Unauthentic::SignatureMustHave64Bytes(_)) => Some("signature"),
            Refused::Unauthentic(Unauthentic::KeyMustHave32Bytes(_)) => Some("public_key"),
            _ => None,
        }
    }
}

impl From<StoreError> for Refused {
    fn from(problem: StoreError) -> Refused {
        Refused::Unreadable(problem.to_string())
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Status {
        let message = refused.to_string();
        let mut details = ErrorDetails::new();
        let go_on = match &refused {
            Refused::StreamEnded { field, go_on_from: Some(from), .. } => {
                HashMap::from([((*field).to_owned(), from.to_string())])
            }
            _ => HashMap::new(),
        };
        details.set_error_info(refused.reason(), "parkwatt", go_on);
        if let Some(field) = refused.field() {
            details.add_bad_request_violation(field, message.as_str());
        }
        match refused {
            Refused::Busy => details.set_retry_info(Some(RETRY_AFTER)),
            Refused::TooOften { retry_after, .. } => details.set_retry_info(Some(retry_after)),
            _ => &mut details,
        };
        Status::with_error_details(refused.code(), message, details)
    }
}

impl From<Refused> for v1::Refusal {
    fn from(refused: Refused) -> v1::Refusal {
        v1::Refusal {
            status: refused.code() as u32,
            reason: refused.reason().into(),
            message: refused.to_string(),
        }
    }
}
