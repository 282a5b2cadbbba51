//! A node that knows no rules: it checks what the contract asks of a client, and answers what a test tells
//! it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ed25519_dalek::{Signature, VerifyingKey};
use parkwatt_client::v1::account_server::{Account, AccountServer};
use parkwatt_client::v1::exchange_server::{Exchange, ExchangeServer};
use parkwatt_client::v1::market_data_server::{MarketData, MarketDataServer};
use parkwatt_client::v1::*;
use parkwatt_proto::{COMMAND_TYPE, SESSION_TYPE, pre_authentication_encoding};
use prost::Message;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// The node's time: 2026-06-01T03:00:00Z, which is 11:00 in Shanghai.
pub const NOW_MICROS: u64 = 1_780_282_800_000_000;
/// The slot that begins at noon in Shanghai on that day.
pub const NOON: u32 = 1_978_096;

/// What the node answers, and what it was asked.
#[derive(Default)]
pub struct Script {
    /// The answers to the next commands.
    pub answers: VecDeque<Result<Receipt, Status>>,
    /// The commands that came, each as its bytes and as what they say.
    pub commands: Vec<(SignedCommand, Command)>,
    /// The depth of every slot.
    pub depth: Depth,
    /// The result that every auction would have.
    pub indicative: Option<AuctionCleared>,
    /// Everybody's trades.
    pub tape: Vec<Trade>,
    /// The caller's account.
    pub account: AccountStatement,
    /// The caller's orders.
    pub orders: Vec<Order>,
    /// The caller's trades.
    pub trades: Vec<OwnTrade>,
    /// The caller's certificates.
    pub certificates: Vec<CertificateHolding>,
    /// His national certificates.
    pub nationals: Vec<NationalCertificate>,
    /// What he claimed, in short.
    pub claims: Vec<Claim>,
    /// Every claim.
    pub retirement: Option<RetirementStatement>,
    /// The parts of his statement.
    pub statement: Vec<StatementPart>,
    /// What became of his orders.
    pub executions: Vec<Execution>,
    /// The periods of which he asked for it.
    pub periods: Vec<GetStatementRequest>,
}

/// A running node.
pub struct FakeNode {
    /// Its address.
    pub url: String,
    /// What it answers, and what it was asked.
    pub script: Arc<Mutex<Script>>,
}

impl FakeNode {
    /// Starts a node on a free port; it lives as long as the test's process.
    pub fn start(script: Script) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script));
        let services = Services(script.clone());
        std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                Server::builder()
                    .add_service(ExchangeServer::new(services.clone()))
                    .add_service(MarketDataServer::new(services.clone()))
                    .add_service(AccountServer::new(services))
                    .serve_with_incoming(TcpListenerStream::new(listener))
                    .await
                    .unwrap();
            });
        });
        FakeNode { url, script }
    }
}

#[derive(Clone)]
struct Services(Arc<Mutex<Script>>);

impl Services {
    fn take(&self, signed: SignedCommand) -> Result<Receipt, Status> {
        verify(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature)?;
        let command =
            Command::decode(&signed.payload[..]).map_err(|_| Status::invalid_argument("payload"))?;
        assert_eq!(command.market, "park");
        assert!(command.expires_at_micros > NOW_MICROS);
        let mut script = self.0.lock().unwrap();
        script.commands.push((signed, command));
        script.answers.pop_front().unwrap_or_else(|| Err(Status::internal("the script has no answer")))
    }

    /// Answers a private read, if its session is sound.
    fn private<T, U>(
        &self,
        request: &Request<T>,
        answer: impl Fn(&Script) -> U,
    ) -> Result<Response<U>, Status> {
        let missing = || Status::unauthenticated("a private read needs a session");
        let metadata = request.metadata().get_bin("parkwatt-session-bin").ok_or_else(missing)?;
        let bytes = metadata.to_bytes().map_err(|_| missing())?;
        let signed = SignedSession::decode(bytes).map_err(|_| missing())?;
        verify(SESSION_TYPE, &signed.payload, &signed.public_key, &signed.signature)?;
        let session = Session::decode(&signed.payload[..]).map_err(|_| missing())?;
        assert_eq!(session.market, "park");
        assert!(session.expires_at_micros > NOW_MICROS);
        Ok(Response::new(answer(&self.0.lock().unwrap())))
    }
}

fn verify(payload_type: &str, payload: &[u8], key: &[u8], signature: &[u8]) -> Result<(), Status> {
    let key = VerifyingKey::try_from(key).map_err(|_| Status::invalid_argument("public_key"))?;
    let signature = Signature::from_slice(signature).map_err(|_| Status::invalid_argument("signature"))?;
    key.verify_strict(&pre_authentication_encoding(payload_type, payload), &signature)
        .map_err(|_| Status::unauthenticated("the signature does not cover the payload"))
}

#[tonic::async_trait]
impl Exchange for Services {
    type SubmitStreamStream = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;

    async fn submit(&self, request: Request<SignedCommand>) -> Result<Response<Receipt>, Status> {
        self.take(request.into_inner()).map(Response::new)
    }

    async fn submit_stream(
        &self,
        request: Request<Streaming<SignedCommand>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let services = self.clone();
        let answers = request.into_inner().map(move |signed| {
            let kind = match services.take(signed?) {
                Ok(receipt) => answer::Kind::Receipt(receipt),
                Err(status) => answer::Kind::Refusal(Refusal {
                    status: i32::from(status.code()).unsigned_abs(),
                    reason: "SCRIPTED".to_owned(),
                    message: status.message().to_owned(),
                }),
            };
            Ok(Answer { kind: Some(kind) })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

#[tonic::async_trait]
impl MarketData for Services {
    async fn list_markets(
        &self,
        _: Request<ListMarketsRequest>,
    ) -> Result<Response<ListMarketsResponse>, Status> {
        let park = MarketListing { market: "park".to_owned(), is_open: true, participants: 2, tree_size: 1 };
        Ok(Response::new(ListMarketsResponse { markets: vec![park] }))
    }

    async fn get_market(&self, request: Request<GetMarketRequest>) -> Result<Response<Market>, Status> {
        if !["", "park"].contains(&request.get_ref().market.as_str()) {
            return Err(Status::not_found("there is no such market"));
        }
        let zone = |name: &str, parent| Zone { name: name.to_owned(), parent, ..Zone::default() };
        let genesis = Genesis {
            market: "park".to_owned(),
            zones: vec![zone("park", None), zone("garden", Some(0))],
            schedule_len_max: 100,
            gate_before_s: 900,
            ..Genesis::default()
        };
        let tree_size = 1 + self.0.lock().unwrap().commands.len() as u64;
        Ok(Response::new(Market {
            genesis: Some(genesis),
            now_micros: NOW_MICROS,
            participants: 0,
            tree_size,
            tariffs: Vec::new(),
            time_zone: "UTC".into(),
        }))
    }

    async fn list_slots(&self, _: Request<ListSlotsRequest>) -> Result<Response<ListSlotsResponse>, Status> {
        Ok(Response::new(ListSlotsResponse::default()))
    }

    async fn get_depth(&self, request: Request<GetDepthRequest>) -> Result<Response<Depth>, Status> {
        let depth = self.0.lock().unwrap().depth.clone();
        Ok(Response::new(Depth { slot: request.get_ref().slot, ..depth }))
    }

    async fn get_indicative_auction(
        &self,
        request: Request<GetIndicativeAuctionRequest>,
    ) -> Result<Response<IndicativeAuction>, Status> {
        let script = self.0.lock().unwrap();
        let (slot, phase) = (request.get_ref().slot, script.depth.phase);
        let result = script.indicative.clone();
        Ok(Response::new(IndicativeAuction { slot, phase, result, tree_size: 1 }))
    }

    async fn get_auction(&self, _: Request<GetAuctionRequest>) -> Result<Response<Auction>, Status> {
        Err(Status::unimplemented("no command asks for it"))
    }

    async fn get_flows(&self, _: Request<GetFlowsRequest>) -> Result<Response<Flows>, Status> {
        Err(Status::unimplemented("no command asks for it"))
    }

    async fn get_day(&self, _: Request<GetDayRequest>) -> Result<Response<Day>, Status> {
        Err(Status::unimplemented("no command asks for it"))
    }

    async fn list_tape(
        &self,
        request: Request<ListTapeRequest>,
    ) -> Result<Response<ListTapeResponse>, Status> {
        let asked = request.get_ref().slot;
        let tape = self.0.lock().unwrap().tape.clone();
        let trades = tape.into_iter().filter(|trade| asked.is_none_or(|slot| slot == trade.slot)).collect();
        Ok(Response::new(ListTapeResponse { trades }))
    }

    type StreamMarketStream = Pin<Box<dyn Stream<Item = Result<MarketUpdate, Status>> + Send>>;

    async fn stream_market(
        &self,
        _: Request<StreamMarketRequest>,
    ) -> Result<Response<Self::StreamMarketStream>, Status> {
        Err(Status::unimplemented("nothing changes at this node"))
    }
}

#[tonic::async_trait]
impl Account for Services {
    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<AccountStatement>, Status> {
        self.private(&request, |script| script.account.clone())
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let open_only = request.get_ref().open_only;
        self.private(&request, |script| {
            let shown = |order: &&Order| !open_only || order.state() == OrderState::Open;
            ListOrdersResponse { orders: script.orders.iter().filter(shown).copied().collect() }
        })
    }

    async fn list_trades(
        &self,
        request: Request<ListTradesRequest>,
    ) -> Result<Response<ListTradesResponse>, Status> {
        self.private(&request, |script| ListTradesResponse { trades: script.trades.clone() })
    }

    async fn list_certificates(
        &self,
        request: Request<ListCertificatesRequest>,
    ) -> Result<Response<ListCertificatesResponse>, Status> {
        self.private(&request, |script| ListCertificatesResponse {
            holdings: script.certificates.clone(),
            nationals: script.nationals.clone(),
            claims: script.claims.clone(),
        })
    }

    async fn get_retirement(
        &self,
        request: Request<GetRetirementRequest>,
    ) -> Result<Response<RetirementStatement>, Status> {
        let claim = self.private(&request, |script| script.retirement.clone())?.into_inner();
        claim.map(Response::new).ok_or_else(|| Status::not_found("there is no claim"))
    }

    type GetStatementStream = Pin<Box<dyn Stream<Item = Result<StatementPart, Status>> + Send>>;

    async fn get_statement(
        &self,
        request: Request<GetStatementRequest>,
    ) -> Result<Response<Self::GetStatementStream>, Status> {
        let parts = self.private(&request, |script| script.statement.clone())?.into_inner();
        self.0.lock().unwrap().periods.push(request.into_inner());
        Ok(Response::new(Box::pin(tokio_stream::iter(parts.into_iter().map(Ok)))))
    }

    type StreamExecutionsStream = Pin<Box<dyn Stream<Item = Result<Execution, Status>> + Send>>;

    async fn stream_executions(
        &self,
        request: Request<StreamExecutionsRequest>,
    ) -> Result<Response<Self::StreamExecutionsStream>, Status> {
        let mut executions = self.private(&request, |script| script.executions.clone())?.into_inner();
        let StreamExecutionsRequest { from_index, until_index } = request.into_inner();
        executions.retain(|it| (from_index..until_index.unwrap_or(u64::MAX)).contains(&it.leaf_index));
        Ok(Response::new(Box::pin(tokio_stream::iter(executions.into_iter().map(Ok)))))
    }
}
