//! Sessions: a participant's signed word that he reads for himself, carried by every private call.

use std::sync::Arc;

use parkwatt_engine::{KeyHolder, MICROS_PER_SECOND, ParticipantId, PublicKey, Timestamp};
use parkwatt_proto::{SESSION_METADATA, SESSION_TYPE, v1};
use prost::Message;
use tonic::metadata::MetadataMap;

use crate::{authenticate::authenticate, host::Market, markets::Markets, refusal::Refused, wire::Malformed};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The operator who founded the market.
    Founder,
    /// A participant.
    Participant(ParticipantId),
}

impl Reader {
    /// Returns the participant about whom alone he may see entries; none where he may see all.
    pub fn sees_only(self, market: &Market) -> Option<ParticipantId> {
        let Reader::Participant(id) = self else { return None };
        let roles = market.views().participants[id.0 as usize].roles;
        (!roles.operator && !roles.regulator).then_some(id)
    }
}

/// Who reads, and until when.
#[derive(Clone, Copy, Debug)]
pub struct OpenSession {
    /// Who.
    pub reader: Reader,
    /// The key that has signed it.
    pub key: PublicKey,
    expires_at: Timestamp,
}

impl OpenSession {
    /// Returns whether it has not expired, and its key still speaks for the reader.
    pub fn holds(&self, market: &Market) -> bool {
        let holder = market.views().holder_of(&self.key);
        let still_speaks = match self.reader {
            Reader::Founder => holder == Some(KeyHolder::FoundingOperator),
            Reader::Participant(id) => holder == Some(KeyHolder::Owner(id)),
        };
        still_speaks && market.clock.now() < self.expires_at
    }
}

/// Returns the market that the session of `metadata` is for, whoever has signed it.
pub fn market_of<'a>(markets: &'a Markets, metadata: &MetadataMap) -> Result<&'a Arc<Market>, Refused> {
    if let Some(only) = markets.only() {
        return Ok(only);
    }
    let name = content(&carried(metadata)?)?.market;
    markets.named(&name).map_err(|_| FOR_ANOTHER)
}

/// Returns who reads, by the session that `metadata` carries.
pub fn reader(market: &Market, metadata: &MetadataMap) -> Result<Reader, Refused> {
    session(market, metadata).map(|session| session.reader)
}

/// Why a call is refused that needs a session and has none.
pub const NO_SESSION: Refused = Refused::NoSession("the call carries no session");

/// Returns who reads, by the session that `metadata` carries; none where it carries none at all.
pub fn reader_if_any(market: &Market, metadata: &MetadataMap) -> Result<Option<Reader>, Refused> {
    metadata.get_bin(SESSION_METADATA).map(|_| reader(market, metadata)).transpose()
}

/// Returns the session that `metadata` carries.
pub fn session(market: &Market, metadata: &MetadataMap) -> Result<OpenSession, Refused> {
    let signed = carried(metadata)?;
    let key = authenticate(SESSION_TYPE, &signed.payload, &signed.public_key, &signed.signature)?;
    let session = content(&signed)?;
    if session.market != market.config.name {
        return Err(FOR_ANOTHER);
    }
    let now = market.clock.now();
    if session.expires_at_micros <= now.0 {
        return Err(Refused::NoSession("the session has expired; sign a new one"));
    }
    let latest = Timestamp(now.0.saturating_add(market.session_s_max.saturating_mul(MICROS_PER_SECOND)));
    if session.expires_at_micros > latest.0 {
        return Err(Refused::NoSession(
            "the session would last longer than this node allows; sign a shorter one",
        ));
    }
    let reader = match market.views().holder_of(&key) {
        Some(KeyHolder::FoundingOperator) => Reader::Founder,
        Some(KeyHolder::Owner(id)) => Reader::Participant(id),
        Some(KeyHolder::Meter(_)) => return Err(Refused::NotPermitted("a meter's key reads nothing")),
        Some(KeyHolder::Retired) | None => {
            return Err(Refused::UnknownKey { key, market: market.config.name.clone() });
        }
    };
    Ok(OpenSession { reader, key, expires_at: Timestamp(session.expires_at_micros) })
}

const FOR_ANOTHER: Refused = Refused::NoSession("the session is for another market");

fn carried(metadata: &MetadataMap) -> Result<v1::SignedSession, Refused> {
    let carried = metadata.get_bin(SESSION_METADATA).ok_or(NO_SESSION)?;
    let bytes = carried.to_bytes().map_err(|_| Refused::NoSession("the session is not valid base64"))?;
    let signed = v1::SignedSession::decode(bytes);
    Ok(signed
        .map_err(|problem| Malformed::new(SESSION_METADATA, format!("is no SignedSession: {problem}")))?)
}

fn content(signed: &v1::SignedSession) -> Result<v1::Session, Refused> {
    let session = v1::Session::decode(signed.payload.as_slice());
    Ok(session.map_err(|problem| Malformed::new("payload", format!("is no Session: {problem}")))?)
}
