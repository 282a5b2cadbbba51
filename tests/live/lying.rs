//! A node that signs one thing and hands out another: a real node behind somebody who changes its answers.

use parkwatt_proto::v1::{
    self,
    ledger_client::LedgerClient,
    ledger_server::{Ledger, LedgerServer},
    market_data_client::MarketDataClient,
    market_data_server::{MarketData, MarketDataServer},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};

use crate::{Known, document, market::Market, says, trade};

/// What is changed on the way.
#[derive(Clone, Copy)]
enum Lie {
    /// A byte of the entry at this index.
    Entry(u64),
    /// The entry at this index, and all behind it, are left out.
    Rest(u64),
    /// The checkpoint is that of another size.
    Size,
}

#[derive(Clone)]
struct Liar {
    node: Channel,
    lie: Lie,
}

/// A call that nobody makes here.
fn unasked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not asked"))
}

#[tonic::async_trait]
impl Ledger for Liar {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        let mut answer = LedgerClient::new(self.node.clone()).get_checkpoint(request).await?;
        if let Lie::Size = self.lie {
            let note = &mut answer.get_mut().note;
            *note = note.replacen('\n', "\n1", 1);
        }
        Ok(answer)
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let mut answer = LedgerClient::new(self.node.clone()).list_entries(request).await?;
        let v1::ListEntriesResponse { entries, leaf_indices } = answer.get_mut();
        match self.lie {
            Lie::Entry(index) => {
                if let Some(place) = leaf_indices.iter().position(|it| *it == index) {
                    entries[place][3] ^= 1;
                }
            }
            Lie::Rest(index) => {
                leaf_indices.retain(|it| *it < index);
                entries.truncate(leaf_indices.len());
            }
            Lie::Size => {}
        }
        Ok(answer)
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        LedgerClient::new(self.node.clone()).get_consistency_proof(request).await
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::Proof>, Status> {
        unasked()
    }

    async fn get_proof(&self, _: Request<v1::GetProofRequest>) -> Result<Response<v1::ProvedLeaf>, Status> {
        unasked()
    }

    async fn add_cosignature(
        &self,
        _: Request<v1::AddCosignatureRequest>,
    ) -> Result<Response<v1::AddCosignatureResponse>, Status> {
        unasked()
    }
}

#[tonic::async_trait]
impl MarketData for Liar {
    async fn list_markets(
        &self,
        _: Request<v1::ListMarketsRequest>,
    ) -> Result<Response<v1::ListMarketsResponse>, Status> {
        unasked()
    }

    async fn get_market(
        &self,
        request: Request<v1::GetMarketRequest>,
    ) -> Result<Response<v1::Market>, Status> {
        MarketDataClient::new(self.node.clone()).get_market(request).await
    }

    async fn list_slots(
        &self,
        _: Request<v1::ListSlotsRequest>,
    ) -> Result<Response<v1::ListSlotsResponse>, Status> {
        unasked()
    }

    async fn get_depth(&self, _: Request<v1::GetDepthRequest>) -> Result<Response<v1::Depth>, Status> {
        unasked()
    }

    async fn get_indicative_auction(
        &self,
        _: Request<v1::GetIndicativeAuctionRequest>,
    ) -> Result<Response<v1::IndicativeAuction>, Status> {
        unasked()
    }

    async fn get_auction(&self, _: Request<v1::GetAuctionRequest>) -> Result<Response<v1::Auction>, Status> {
        unasked()
    }

    async fn get_flows(&self, _: Request<v1::GetFlowsRequest>) -> Result<Response<v1::Flows>, Status> {
        unasked()
    }

    async fn get_day(&self, _: Request<v1::GetDayRequest>) -> Result<Response<v1::Day>, Status> {
        unasked()
    }

    async fn list_tape(
        &self,
        _: Request<v1::ListTapeRequest>,
    ) -> Result<Response<v1::ListTapeResponse>, Status> {
        unasked()
    }

    type StreamMarketStream = tokio_stream::Empty<Result<v1::MarketUpdate, Status>>;

    async fn stream_market(
        &self,
        _: Request<v1::StreamMarketRequest>,
    ) -> Result<Response<Self::StreamMarketStream>, Status> {
        unasked()
    }
}

/// Lets somebody stand before a node who changes its answers, and returns where.
async fn lie_about(market: &Market, lie: Lie) -> String {
    let liar = Liar { node: market.channel().await, lie };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder()
        .add_service(LedgerServer::new(liar.clone()))
        .add_service(MarketDataServer::new(liar))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_hands_out_and_has_not_signed_is_tampering_and_is_not_mirrored() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 5).await;
    let Known { url, key, vkey, .. } = Known::of(&market);
    let mirror = tempfile::tempdir().unwrap();
    let dir = mirror.path().to_str().unwrap();
    let follow = |url: &str, exit_code| {
        document(&["follow", url, "--dir", dir, "--once", "--key", &key, "--vkey", &vkey], exit_code)
    };
    let size = market.size().await;
    let at_first = lie_about(&market, Lie::Entry(2)).await;
    let said = follow(&at_first, 1);
    assert!(said["finding"].as_str().unwrap().contains("not those that it has signed"), "{said}");
    assert_eq!(said["tree_size"], 0);
    assert_eq!(follow(&url, 0)["tree_size"], size);

    trade(&market, &mut ann, 5).await;
    for (lie, words) in [
        (Lie::Entry(size + 2), "its checkpoints agree with each other"),
        (Lie::Rest(size + 2), "does not hand out all of them"),
        (Lie::Size, "what the node gives out as its checkpoint is not"),
    ] {
        let liar = lie_about(&market, lie).await;
        let said = follow(&liar, 1);
        assert!(said["finding"].as_str().unwrap().contains(words), "{words}: {said}");
        assert_eq!((&said["tree_size"], &said["evidence"]), (&size.into(), &serde_json::Value::Null));
        says(&["verify", &liar, "--key", &key, "--vkey", &vkey], 1);
    }
    assert_eq!(follow(&url, 0)["leaves_new"], 5);
    says(&["replay", dir, "--vkey", &vkey], 0);
}
