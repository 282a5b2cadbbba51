//! Reads of the ledger: checkpoints and proofs for everybody, entries for who may see them all.

use std::sync::Arc;

use parkwatt_ledger::{Hash, ProofError, prove_consistency, prove_inclusion};
use parkwatt_proto::v1::{self, ledger_server::Ledger};
use tonic::{Request, Response, Status};

use super::{
    check_market, rows,
    session::{Reader, reader},
};
use crate::{host::Market, refusal::Refused, wire::Malformed};

/// The service of what proves the ledger.
pub struct LedgerReads(pub Arc<Market>);

#[tonic::async_trait]
impl Ledger for LedgerReads {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        check_market(&self.0, &request.into_inner().market)?;
        let checkpoint = self.0.checkpoint();
        Ok(Response::new(v1::Checkpoint {
            tree_size: checkpoint.size(),
            root: checkpoint.root().0.to_vec(),
            note: checkpoint.note().to_string(),
        }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        self.check_may_see_all(&request)?;
        let request = request.into_inner();
        check_market(&self.0, &request.market)?;
        let indices = request.from_index..request.from_index.saturating_add(rows(request.count)? as u64);
        let mut entries = Vec::new();
        for index in indices {
            let leaf = self.0.store()?.leaf(index);
            match leaf.map_err(|problem| Refused::Unreadable(problem.to_string()))? {
                Some(leaf) => entries.push(leaf),
                None => break,
            }
        }
        Ok(Response::new(v1::ListEntriesResponse { entries }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        let request = request.into_inner();
        check_market(&self.0, &request.market)?;
        let store = self.0.store()?;
        Ok(Response::new(proof("leaf_index", prove_inclusion(store, request.tree_size, request.leaf_index))?))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        let request = request.into_inner();
        check_market(&self.0, &request.market)?;
        let store = self.0.store()?;
        Ok(Response::new(proof("old_size", prove_consistency(store, request.new_size, request.old_size))?))
    }
}

impl LedgerReads {
    fn check_may_see_all<T>(&self, request: &Request<T>) -> Result<(), Refused> {
        let may = match reader(&self.0, request.metadata())? {
            Reader::Founder => true,
            Reader::Participant(id) => {
                let roles = self.0.views().participants[id.0 as usize].roles;
                roles.operator || roles.regulator
            }
        };
        may.then_some(()).ok_or(Refused::NotPermitted("entries are for regulators and operators"))
    }
}

fn proof(field: &str, proved: Result<Vec<Hash>, ProofError>) -> Result<v1::Proof, Refused> {
    let hashes = proved.map_err(|problem| Malformed::new(field, problem.to_string()))?;
    Ok(v1::Proof { hashes: hashes.iter().map(|hash| hash.0.to_vec()).collect() })
}
