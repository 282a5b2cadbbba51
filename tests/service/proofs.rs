//! What a participant can check by himself, and what tools find: proofs, health, reflection.

use std::fs;

use parkwatt::host::VKEY_FILE;
use parkwatt_ledger::{
    CheckpointVerifier, Hash, SignedCheckpoint, leaf_hash, verify_consistency, verify_inclusion,
};
use parkwatt_proto::v1::{
    GetConsistencyProofRequest, GetInclusionProofRequest, ListEntriesRequest, NewOrder, Proof, Side,
    ledger_client::LedgerClient,
};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::market::{Market, check_refusal, order, place};

fn hashes(proof: Proof) -> Vec<Hash> {
    proof.hashes.into_iter().map(|hash| Hash(hash.try_into().unwrap())).collect()
}

/// Returns the newest checkpoint, after its note was opened with the key that stands beside the ledger.
async fn checkpoint(market: &Market) -> SignedCheckpoint {
    let vkey = fs::read_to_string(market.place.data().join("park").join(VKEY_FILE)).unwrap();
    let given = market.connection.checkpoint("park").await.unwrap();
    let signed = CheckpointVerifier::from_vkey(vkey.trim()).unwrap().open(&given.note).unwrap();
    assert_eq!((signed.size(), &signed.root().0[..]), (given.tree_size, &given.root[..]));
    signed
}

/// Returns a request with the operator's session.
fn as_operator<T>(market: &Market, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let session = market.operator.session("park", 600).encode_to_vec();
    request.metadata_mut().insert_bin("parkwatt-session-bin", MetadataValue::from_bytes(&session));
    request
}

#[tokio::test]
async fn every_receipt_can_be_proved_at_once_against_the_checkpoint_that_follows_it() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let mut earlier = checkpoint(&market).await;
    for _ in 0..40 {
        let signed = ann.sign(place(&[NewOrder { energy_wh: 1, ..order(Side::Offer) }]));
        let receipt = market.connection.submit(signed.clone()).await.unwrap();
        let now = checkpoint(&market).await;

        let asked = ListEntriesRequest { from_index: receipt.leaf_index, count: 1, ..Default::default() };
        let entries = ledger.list_entries(as_operator(&market, asked)).await.unwrap().into_inner().entries;
        let [leaf] = &entries[..] else { panic!("leaf {} is not there", receipt.leaf_index) };
        assert!(leaf.windows(signed.payload.len()).any(|bytes| bytes == signed.payload));

        let asked = GetInclusionProofRequest {
            market: String::new(),
            leaf_index: receipt.leaf_index,
            tree_size: now.size(),
        };
        let proof =
            hashes(ledger.get_inclusion_proof(as_operator(&market, asked)).await.unwrap().into_inner());
        let proved = verify_inclusion(&proof, now.size(), now.root(), receipt.leaf_index, leaf_hash(leaf));
        assert_eq!(proved, Ok(()));
        let forged = leaf_hash(&leaf[1..]);
        assert!(verify_inclusion(&proof, now.size(), now.root(), receipt.leaf_index, forged).is_err());

        let (old_size, new_size) = (earlier.size(), now.size());
        let asked = GetConsistencyProofRequest { market: String::new(), old_size, new_size };
        let proof =
            hashes(ledger.get_consistency_proof(as_operator(&market, asked)).await.unwrap().into_inner());
        assert_eq!(verify_consistency(&proof, new_size, now.root(), old_size, earlier.root()), Ok(()));
        earlier = now;
    }
}

#[tokio::test]
async fn a_burst_can_be_proved_as_soon_as_its_last_receipt_is_there() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    for _ in 0..5 {
        let one = NewOrder { energy_wh: 1, ..order(Side::Offer) };
        let commands: Vec<_> = (0..600).map(|_| ann.sign(place(&[one]))).collect();
        let answers = market.connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
        assert_eq!(answers.filter(Result::is_ok).collect::<Vec<_>>().await.len(), 600);
        let now = checkpoint(&market).await;
        let (leaf_index, tree_size) = (now.size() - 1, now.size());
        let asked = GetInclusionProofRequest { market: String::new(), leaf_index, tree_size };
        let proof = ledger.get_inclusion_proof(as_operator(&market, asked)).await.unwrap().into_inner();
        assert!(!proof.hashes.is_empty());
    }
}

#[tokio::test]
async fn a_proof_of_what_is_not_there_is_refused_by_its_field() {
    let market = Market::found().await;
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let asked = GetInclusionProofRequest { market: String::new(), leaf_index: 5, tree_size: 1 };
    let status = ledger.get_inclusion_proof(as_operator(&market, asked)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "leaf_index", &["leaf 5", "tree of 1 leaves"]);
    let asked = GetInclusionProofRequest { market: String::new(), leaf_index: 0, tree_size: u64::MAX };
    let status = ledger.get_inclusion_proof(as_operator(&market, asked)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "tree_size", &["18446744073709551615"]);
    let asked = GetInclusionProofRequest { market: String::new(), leaf_index: 5, tree_size: 1_000 };
    let status = ledger.get_inclusion_proof(as_operator(&market, asked)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "tree_size", &["1000"]);
    let asked = GetConsistencyProofRequest { market: String::new(), old_size: 2, new_size: 1 };
    let status = ledger.get_consistency_proof(as_operator(&market, asked)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "old_size", &["2", "1"]);
    let asked = GetConsistencyProofRequest { market: String::new(), old_size: 1, new_size: 1_000 };
    let status = ledger.get_consistency_proof(as_operator(&market, asked)).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "new_size", &["1000"]);
}

#[tokio::test]
async fn health_and_reflection_answer() {
    let market = Market::found().await;
    let mut health = HealthClient::new(market.channel().await);
    for service in ["", "parkwatt.v1.Exchange"] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }

    let mut reflection = ServerReflectionClient::new(market.channel().await);
    let asks = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("parkwatt.v1.SignedCommand".into()),
    ];
    let requests =
        asks.map(|ask| ServerReflectionRequest { host: String::new(), message_request: Some(ask) });
    let answers = reflection.server_reflection_info(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    let [MessageResponse::ListServicesResponse(services), MessageResponse::FileDescriptorResponse(file)] =
        &answers[..]
    else {
        panic!("{answers:?}")
    };
    let names: Vec<&str> = services.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["Exchange", "MarketData", "Account", "Ledger"] {
        assert!(names.contains(&format!("parkwatt.v1.{name}").as_str()), "{names:?}");
    }
    assert!(!file.file_descriptor_proto.is_empty());
}
