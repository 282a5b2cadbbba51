//! Reads of the ledger: checkpoints for everybody, entries and their proofs for who may see them.

use std::sync::Arc;

use parkwatt_ledger::{
    Hash, ProofError, ProvedLeaf, SignedCheckpoint, Store, prove_consistency, prove_inclusion,
};
use parkwatt_proto::v1::{self, ledger_server::Ledger, list_entries_request::About};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::{block_in_place, spawn_blocking},
};
use tonic::{Request, Response, Status};

use super::{
    public, rows,
    session::{NO_SESSION, Reader, reader, reader_if_any},
};
use crate::{host::Market, index, markets::Markets, refusal::Refused, wire::Malformed, witnessed::Witnessed};

/// After how many bytes of leaves an answer ends: half of what clients take by default.
const ENTRIES_BYTES_MAX: usize = 2 << 20;

/// The service of what proves the ledger.
pub struct LedgerReads(pub Arc<Markets>);

#[tonic::async_trait]
impl Ledger for LedgerReads {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        let request = request.into_inner();
        let market = self.0.named(&request.market)?;
        let checkpoint = match request.tree_size_min {
            0 => market.checkpoint(),
            size => {
                let store = store_with(market, "tree_size_min", size).await?;
                let found = store.checkpoint_at_least(size).map_err(Refused::from)?;
                found.ok_or_else(|| Refused::Unreadable(format!("the checkpoint over {size} is missing")))?
            }
        };
        Ok(Response::new(v1::Checkpoint {
            tree_size: checkpoint.size(),
            root: checkpoint.root().0.to_vec(),
            note: checkpoint.note().to_string(),
            cosigned_notes: market.witnessed.as_ref().map(Witnessed::notes).unwrap_or_default(),
            vkey: market.vkey.clone().unwrap_or_default(),
        }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let market = self.0.named(&request.get_ref().market)?;
        let who = reader_if_any(market, request.metadata())?;
        let request = request.into_inner();
        match (who, &request.about) {
            (Some(who), about) => check_may_see(market, who, about.as_ref())?,
            (None, Some(About::Slot(_))) => {}
            (None, _) => return Err(NO_SESSION.into()),
        }
        let count = rows(request.count)?;
        let size = market.checkpoint().size();
        let store = market.store_with(size).await?;
        let _turn = turn(who).await;
        // Its leaves may be thousands, and this thread's other calls shall go on.
        let response = block_in_place(|| {
            let found: Found<'_> = match &request.about {
                None => Box::new(store.leaves(request.from_index).map(|found| Ok(found?))),
                Some(about) => found_about(store, about, request.from_index),
            };
            let found: Found<'_> = match who {
                Some(_) => found,
                None => Box::new(public::shown_of(store, size, found)),
            };
            listed(found.take(count))
        })?;
        Ok(Response::new(response))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        let market = self.0.named(&request.get_ref().market)?;
        let who = reader(market, request.metadata())?;
        let request = request.into_inner();
        check_was_signed(market, who, "tree_size", request.tree_size).await?;
        let store = store_with(market, "tree_size", request.tree_size).await?;
        if !may_see_leaf(market, who, store, request.leaf_index)? {
            return Err(Refused::NotPermitted(NOT_HIS).into());
        }
        Ok(Response::new(proof("leaf_index", prove_inclusion(store, request.tree_size, request.leaf_index))?))
    }

    async fn get_proof(
        &self,
        request: Request<v1::GetProofRequest>,
    ) -> Result<Response<v1::ProvedLeaf>, Status> {
        let market = self.0.named(&request.get_ref().market)?;
        let who = reader_if_any(market, request.metadata())?;
        let request = request.into_inner();
        let checkpoint = market.checkpoint();
        let store = market.store_with(checkpoint.size()).await?;
        let _turn = turn(who).await;
        match who {
            Some(who) if may_see_leaf(market, who, store, request.leaf_index)? => {}
            _ if block_in_place(|| public::may_be_shown(store, checkpoint.size(), request.leaf_index))? => {}
            Some(_) => return Err(Refused::NotPermitted(NOT_HIS).into()),
            None => return Err(NO_SESSION.into()),
        }
        let proved = proved_leaf(store, &checkpoint, request.leaf_index)?;
        Ok(Response::new(v1::ProvedLeaf { tlog_proof: proved.to_string() }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        let market = self.0.named(&request.get_ref().market)?;
        let who = reader(market, request.metadata())?;
        let request = request.into_inner();
        check_was_signed(market, who, "new_size", request.new_size).await?;
        check_was_signed(market, who, "old_size", request.old_size).await?;
        let store = store_with(market, "new_size", request.new_size).await?;
        Ok(Response::new(proof("old_size", prove_consistency(store, request.new_size, request.old_size))?))
    }

    async fn add_cosignature(
        &self,
        request: Request<v1::AddCosignatureRequest>,
    ) -> Result<Response<v1::AddCosignatureResponse>, Status> {
        let request = request.into_inner();
        let market = self.0.named(&request.market)?;
        let store = market.store_with(market.checkpoint().size()).await?.clone();
        let market = market.clone();
        // It waits for the disk, which others must not.
        let added = spawn_blocking(move || {
            let witnessed = market.witnessed.as_ref().expect("a market with a store keeps cosignatures");
            witnessed.add(&request.note, &store)
        });
        let cosigned_notes = added.await.map_err(|_| Refused::Stopped)??;
        Ok(Response::new(v1::AddCosignatureResponse { cosigned_notes }))
    }
}

/// Returns the turn of a caller whom nobody knows; others need none. However many there are, they take at most so much
/// of the node.
async fn turn(who: Option<Reader>) -> Option<SemaphorePermit<'static>> {
    static STRANGERS: Semaphore = Semaphore::const_new(2);
    match who {
        Some(_) => None,
        None => STRANGERS.acquire().await.ok(),
    }
}

/// Returns entries as an answer, which ends early once it is long.
fn listed(
    found: impl Iterator<Item = Result<(u64, Vec<u8>), Refused>>,
) -> Result<v1::ListEntriesResponse, Refused> {
    let mut response = v1::ListEntriesResponse::default();
    let mut bytes = 0;
    for found in found {
        let (index, leaf) = found?;
        bytes += leaf.len();
        if bytes > ENTRIES_BYTES_MAX && !response.entries.is_empty() {
            break;
        }
        response.leaf_indices.push(index);
        response.entries.push(leaf);
    }
    Ok(response)
}

/// Checks that a tree is one of which a checkpoint was signed, unless `who` may see all entries: between trees of every
/// size, hashes of single entries could be told, at which one can guess.
async fn check_was_signed(market: &Market, who: Reader, field: &str, size: u64) -> Result<(), Refused> {
    if who.sees_only(market).is_none() || size == 0 {
        return Ok(());
    }
    let signed = store_with(market, field, size).await?.checkpoint_at_least(size)?;
    if signed.is_some_and(|it| it.size() == size) {
        return Ok(());
    }
    let problem = format!("{size} is not the size of a checkpoint; GetCheckpoint says which are");
    Err(Malformed::new(field, problem).into())
}

/// Returns the ledger with its first `size` leaves, as `field` asks for.
async fn store_with<'a>(market: &'a Market, field: &str, size: u64) -> Result<&'a Store, Refused> {
    let newest = market.checkpoint().size();
    if size > newest {
        let problem = format!("{size} leaves are more than the {newest} of the newest checkpoint");
        return Err(Malformed::new(field, problem).into());
    }
    market.store_with(size).await
}

fn check_may_see(market: &Market, who: Reader, about: Option<&About>) -> Result<(), Refused> {
    match who.sees_only(market) {
        Some(id) if about != Some(&About::Participant(id.0)) => Err(Refused::NotPermitted(NOT_HIS)),
        _ => Ok(()),
    }
}

fn may_see_leaf(market: &Market, who: Reader, store: &Store, leaf_index: u64) -> Result<bool, Refused> {
    let Some(id) = who.sees_only(market) else { return Ok(true) };
    let place = index::place(&About::Participant(id.0));
    Ok(store.get_index(place.index, place.page(), &place.key(leaf_index))?.is_some())
}

/// Why a participant does not see what is not about him.
const NOT_HIS: &str = "regulators and operators may see all entries, a participant those that are about him";

/// Leaves that were found, each with its index.
pub(super) type Found<'a> = Box<dyn Iterator<Item = Result<(u64, Vec<u8>), Refused>> + 'a>;

/// Returns the leaves about something, from leaf `from` on.
pub(super) fn found_about<'a>(store: &'a Store, about: &About, from: u64) -> Found<'a> {
    let place = index::place(about);
    let (index, page) = (place.index, place.page().to_vec());
    let rows = store.scan_index_from(index, &page, &from.to_be_bytes(), move |key| place.has(key));
    Box::new(rows.map(|row| {
        let index = index::leaf_of(&row?.0);
        let index = index.ok_or_else(|| Refused::Unreadable("a row of an index names no leaf".into()))?;
        Ok((index, leaf(store, index)?))
    }))
}

/// Returns a leaf with its proof against `checkpoint`, whose leaves `store` has.
///
/// # Errors
/// [`Refused::Malformed`] if the checkpoint has no such leaf.
pub(super) fn proved_leaf(
    store: &Store,
    checkpoint: &SignedCheckpoint,
    index: u64,
) -> Result<ProvedLeaf, Refused> {
    let hashes = hashes("leaf_index", prove_inclusion(store, checkpoint.size(), index))?;
    Ok(ProvedLeaf::new(leaf(store, index)?, index, hashes, checkpoint))
}

pub(super) fn leaf(store: &Store, index: u64) -> Result<Vec<u8>, Refused> {
    store.leaf(index)?.ok_or_else(|| Refused::Unreadable(format!("leaf {index} is missing")))
}

fn proof(field: &str, proved: Result<Vec<Hash>, ProofError>) -> Result<v1::Proof, Refused> {
    let hashes = hashes(field, proved)?;
    Ok(v1::Proof { hashes: hashes.iter().map(|hash| hash.0.to_vec()).collect() })
}

fn hashes(field: &str, proved: Result<Vec<Hash>, ProofError>) -> Result<Vec<Hash>, Refused> {
    proved.map_err(|problem| match problem {
        ProofError::Unreadable(problem) => Refused::Unreadable(problem),
        ProofError::NotInTree { .. } | ProofError::DoesNotHold => {
            Malformed::new(field, problem.to_string()).into()
        }
    })
}
