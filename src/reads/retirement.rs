//! Retirement statements: a claim of certificates, with everything that proves it without the ledger.
//!
//! Knows which leaves a claim's proof needs; what they come to, the contract's own reading says, so that a
//! node states nothing that a reader of its proofs would not.

use parkwatt_ledger::{SignedCheckpoint, Store};
use parkwatt_proto::{
    retirement,
    v1::{self, leaf::Fact, list_entries_request::About, outcome},
};
use prost::Message;

use super::{
    ledger::{found_about, proved_leaf},
    session::Reader,
};
use crate::{host::Market, refusal::Refused};

/// Returns the statement of the claim with this number, as of a checkpoint that the store has all leaves of.
///
/// # Errors
/// [`Refused::NotFound`] if there is none, or `who` may not see it.
pub(super) fn statement(
    market: &Market,
    checkpoint: &SignedCheckpoint,
    who: Reader,
    number: u64,
) -> Result<v1::RetirementStatement, Refused> {
    let store = market.store()?;
    let command = if number < checkpoint.size() { claim(store, number)? } else { None };
    let sees_only = who.sees_only(market).map(|id| id.0);
    let command = command.filter(|command| sees_only.is_none() || command.participant == sees_only);
    let events = command.ok_or_else(|| not_found(number))?.events;

    let parts = number + 1..=number + u64::from(events);
    let mut indices: Vec<u64> = std::iter::once(number).chain(parts.clone()).collect();
    for part in parts {
        if let Some(Fact::CertificateRetired(v1::CertificateRetired { certificate: Some(id), .. })) =
            fact(store, part)?
        {
            indices.extend(ends_of_life(store, id, checkpoint.size())?);
        }
    }
    let proved = indices.iter().map(|index| proved_leaf(store, checkpoint, *index));
    let proved = proved.collect::<Result<Vec<_>, _>>()?;
    let stated = retirement(proved.iter().map(|leaf| (leaf.index(), leaf.leaf())));
    let (stated, _) = stated.map_err(|problem| Refused::Unreadable(problem.to_string()))?;
    Ok(v1::RetirementStatement {
        retirement: Some(stated),
        proofs: proved.iter().map(ToString::to_string).collect(),
        vkey: market.vkey.clone().unwrap_or_default(),
    })
}

fn not_found(number: u64) -> Refused {
    Refused::NotFound(format!("there is no claim of certificates {number} that the caller may see"))
}

/// Returns the command at a leaf, if it claimed certificates.
fn claim(store: &Store, number: u64) -> Result<Option<v1::CommandLeaf>, Refused> {
    let Some(Fact::Command(command)) = fact(store, number)? else { return Ok(None) };
    let outcome = command.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref());
    let is_claim = outcome == Some(&outcome::Kind::Retirement(number));
    Ok(is_claim.then_some(command))
}

/// Returns the leaves among the first `size` by which a certificate was issued, and withdrawn if it was.
fn ends_of_life(store: &Store, certificate: v1::CertificateId, size: u64) -> Result<Vec<u64>, Refused> {
    let mut ends = Vec::new();
    for found in found_about(store, &About::Certificate(certificate), 0) {
        let (index, leaf) = found?;
        let fact = decoded(&leaf)?;
        if index < size && matches!(fact, Some(Fact::CertificateIssued(_) | Fact::CertificateWithdrawn(_))) {
            ends.push(index);
        }
    }
    Ok(ends)
}

fn fact(store: &Store, index: u64) -> Result<Option<Fact>, Refused> {
    store.leaf(index)?.map_or(Ok(None), |bytes| decoded(&bytes))
}

fn decoded(leaf: &[u8]) -> Result<Option<Fact>, Refused> {
    let leaf = v1::Leaf::decode(leaf).map_err(|problem| Refused::Unreadable(problem.to_string()))?;
    Ok(leaf.fact)
}
