//! A connection to a node: one channel, and every call of the contract as a typed method.
//!
//! Knows addresses, deadlines and metadata; does not know keys: sessions and commands come signed.

use std::time::Duration;

use parkwatt_proto::SESSION_METADATA;
use parkwatt_proto::v1::account_client::AccountClient;
use parkwatt_proto::v1::exchange_client::ExchangeClient;
use parkwatt_proto::v1::ledger_client::LedgerClient;
use parkwatt_proto::v1::market_data_client::MarketDataClient;
use parkwatt_proto::v1::simulation_client::SimulationClient;
use parkwatt_proto::v1::{
    AccountStatement, AdvanceToRequest, AdvanceToResponse, Answer, Checkpoint, Depth, Execution,
    GetAccountRequest, GetCheckpointRequest, GetConsistencyProofRequest, GetDepthRequest,
    GetInclusionProofRequest, GetIndicativeAuctionRequest, GetMarketRequest, GetProofRequest,
    GetRetirementRequest, GetStatementRequest, IndicativeAuction, ListCertificatesRequest,
    ListCertificatesResponse, ListEntriesRequest, ListEntriesResponse, ListMarketsRequest, ListOrdersRequest,
    ListSlotsRequest, ListTapeRequest, ListTradesRequest, Market, MarketListing, MarketUpdate, Order,
    OwnTrade, Proof, Receipt, RetirementStatement, SignedCommand, SignedSession, SlotSummary,
    StreamExecutionsRequest, StreamMarketRequest, Trade,
};
use prost::Message;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status, Streaming};

use crate::ClientError;
use crate::error::innermost;
use crate::statement::{Flaw, Parts, Statement};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take. Streams, and the passing of simulated time, may take longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read: a thousand entries of the ledger, each with a whole schedule.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What a connection over TLS rests on.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The roots of the node's certificate, as PEM; those of the system where none are given.
    pub roots: Option<Vec<u8>>,
    /// The certificate that is shown to the node, and its private key, both as PEM, where the node asks for one.
    pub identity: Option<[Vec<u8>; 2]>,
}

/// A connection to a node; its copies share it.
#[derive(Clone, Debug)]
pub struct Connection {
    url: String,
    channel: Channel,
}

impl Trust {
    fn tls(&self) -> ClientTlsConfig {
        let config = match &self.roots {
            None => ClientTlsConfig::new().with_native_roots(),
            Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots)),
        };
        match &self.identity {
            None => config,
            Some([certificate, key]) => config.identity(Identity::from_pem(certificate, key)),
        }
    }
}

/// Commands.
impl Connection {
    /// Connects to the node at `url`, such as `http://127.0.0.1:7400` or `https://park.example:7400`, whose
    /// certificate one of the system's roots must vouch for then.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `url` is no address; [`ClientError::Unreachable`] if nobody answers there, or
    /// not with a certificate that can be trusted.
    pub async fn open(url: &str) -> Result<Self, ClientError> {
        Connection::open_with(url, &Trust::default()).await
    }

    /// Connects to the node at `url`; over TLS with the roots and the identity that `trust` has.
    ///
    /// # Errors
    /// As [`Connection::open`]; also [`ClientError::Address`] if what `trust` has is no PEM.
    pub async fn open_with(url: &str, trust: &Trust) -> Result<Self, ClientError> {
        let malformed = |cause| ClientError::Address { url: url.to_owned(), cause };
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| malformed(innermost(&error)))?;
        let endpoint = match endpoint.uri().scheme_str() {
            Some("http") => endpoint,
            Some("https") => {
                endpoint.tls_config(trust.tls()).map_err(|error| malformed(innermost(&error)))?
            }
            _ => return Err(malformed("an address is http://HOST:PORT or https://HOST:PORT".to_owned())),
        };
        if endpoint.uri().authority().is_none() {
            return Err(malformed("an address is http://HOST:PORT or https://HOST:PORT".to_owned()));
        }
        let channel =
            endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect().await.map_err(|error| {
                ClientError::Unreachable { url: url.to_owned(), cause: innermost(&error) }
            })?;
        Ok(Connection { url: url.to_owned(), channel })
    }

    /// Returns the node's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Hands in one command, and returns its receipt once it is durable.
    pub async fn submit(&self, command: SignedCommand) -> Result<Receipt, ClientError> {
        self.answer(ExchangeClient::new(self.channel.clone()).submit(call(command)).await)
    }

    /// Hands in commands as they come, and returns their answers in the same order.
    ///
    /// Read the answers while handing in: a node does not take ever more commands whose answers nobody reads.
    pub async fn submit_stream<S>(
        &self,
        commands: S,
    ) -> Result<impl Stream<Item = Result<Answer, ClientError>> + Send + Unpin + use<S>, ClientError>
    where
        S: Stream<Item = SignedCommand> + Send + 'static,
    {
        let answers = self.answer(ExchangeClient::new(self.channel.clone()).submit_stream(commands).await)?;
        Ok(self.read(answers))
    }

    /// Lets a market's simulated time pass until a moment, in microseconds since 1970.
    pub async fn advance_to(&self, market: &str, to_micros: u64) -> Result<AdvanceToResponse, ClientError> {
        let request = AdvanceToRequest { to_micros, market: market.to_owned() };
        self.answer(SimulationClient::new(self.channel.clone()).advance_to(request).await)
    }
}

/// What everybody may read. An empty name means the node's only market.
impl Connection {
    /// Returns the node's markets.
    pub async fn markets(&self) -> Result<Vec<MarketListing>, ClientError> {
        let markets = self.market_data().list_markets(call(ListMarketsRequest {})).await;
        Ok(self.answer(markets)?.markets)
    }

    /// Returns the market's constitution and its time.
    pub async fn market(&self, market: &str) -> Result<Market, ClientError> {
        let request = GetMarketRequest { market: market.to_owned() };
        self.answer(self.market_data().get_market(call(request)).await)
    }

    /// Returns the slots from `from_slot` on, those of `count` in which something happened.
    pub async fn slots(
        &self,
        market: &str,
        from_slot: u32,
        count: u32,
    ) -> Result<Vec<SlotSummary>, ClientError> {
        let request = ListSlotsRequest { market: market.to_owned(), from_slot, count };
        Ok(self.answer(self.market_data().list_slots(call(request)).await)?.slots)
    }

    /// Returns the anonymous depth of a slot.
    pub async fn depth(&self, market: &str, slot: u32) -> Result<Depth, ClientError> {
        let request = GetDepthRequest { market: market.to_owned(), slot };
        self.answer(self.market_data().get_depth(call(request)).await)
    }

    /// Returns the result that a slot's auction would have if it were held now.
    pub async fn indicative_auction(
        &self,
        market: &str,
        slot: u32,
    ) -> Result<IndicativeAuction, ClientError> {
        let request = GetIndicativeAuctionRequest { market: market.to_owned(), slot };
        self.answer(self.market_data().get_indicative_auction(call(request)).await)
    }

    /// Returns the trade tape, newest first: of one slot, or of all.
    pub async fn tape(&self, market: &str, slot: Option<u32>, count: u32) -> Result<Vec<Trade>, ClientError> {
        let request = ListTapeRequest { market: market.to_owned(), slot, count };
        Ok(self.answer(self.market_data().list_tape(call(request)).await)?.trades)
    }
}

/// Streams: what happens, as it becomes durable. None has a deadline.
impl Connection {
    /// Returns what changes in slots, from their snapshots on; [`crate::MarketPicture`] adds it up.
    pub async fn stream_market(
        &self,
        request: StreamMarketRequest,
    ) -> Result<impl Stream<Item = Result<MarketUpdate, ClientError>> + Send + Unpin + use<>, ClientError>
    {
        let updates = self.answer(self.market_data().stream_market(request).await)?;
        Ok(self.read(updates))
    }

    /// Returns the caller's executions.
    pub async fn stream_executions(
        &self,
        session: &SignedSession,
        request: StreamExecutionsRequest,
    ) -> Result<impl Stream<Item = Result<Execution, ClientError>> + Send + Unpin + use<>, ClientError> {
        let request = carrying(Request::new(request), session);
        let executions = self.answer(self.account_client().stream_executions(request).await)?;
        Ok(self.read(executions))
    }

    /// Returns a stream, with what its failure means.
    fn read<T: Send + 'static>(
        &self,
        stream: Streaming<T>,
    ) -> impl Stream<Item = Result<T, ClientError>> + Send + Unpin + use<T> {
        let url = self.url.clone();
        stream.map(move |message| message.map_err(|status| ClientError::from_status(&url, &status)))
    }
}

/// What only the participant himself may read. A count of 0 is 100.
impl Connection {
    /// Returns the caller's account.
    pub async fn account(&self, session: &SignedSession) -> Result<AccountStatement, ClientError> {
        let request = with_session(GetAccountRequest {}, session);
        self.answer(self.account_client().get_account(request).await)
    }

    /// Returns the caller's orders, newest first.
    pub async fn orders(
        &self,
        session: &SignedSession,
        open_only: bool,
        count: u32,
    ) -> Result<Vec<Order>, ClientError> {
        let request = with_session(ListOrdersRequest { open_only, count }, session);
        Ok(self.answer(self.account_client().list_orders(request).await)?.orders)
    }

    /// Returns the caller's trades, newest first.
    pub async fn trades(&self, session: &SignedSession, count: u32) -> Result<Vec<OwnTrade>, ClientError> {
        let request = with_session(ListTradesRequest { count }, session);
        Ok(self.answer(self.account_client().list_trades(request).await)?.trades)
    }

    /// Returns the caller's certificates, newest slot first, and his national ones, newest first.
    pub async fn certificates(
        &self,
        session: &SignedSession,
        count: u32,
    ) -> Result<ListCertificatesResponse, ClientError> {
        let request = with_session(ListCertificatesRequest { count }, session);
        self.answer(self.account_client().list_certificates(request).await)
    }

    /// Returns a claim of certificates with its proofs: the caller's, or anybody's for regulators and operators.
    pub async fn retirement(
        &self,
        session: &SignedSession,
        number: u64,
    ) -> Result<RetirementStatement, ClientError> {
        let request = with_session(GetRetirementRequest { retirement: number }, session);
        let mut account = self.account_client().max_decoding_message_size(ANSWER_BYTES_MAX);
        self.answer(account.get_retirement(request).await)
    }

    /// Returns the caller's statement of what was recorded from a moment on and before another, both in
    /// microseconds since 1970, once it is added up.
    ///
    /// # Errors
    /// [`ClientError::Contradictory`] if it does not add up.
    pub async fn statement(
        &self,
        session: &SignedSession,
        from_micros: u64,
        until_micros: u64,
    ) -> Result<Statement, ClientError> {
        let request = with_session(GetStatementRequest { from_micros, until_micros }, session);
        let mut stream = self.answer(self.account_client().get_statement(request).await)?;
        let mut parts = Parts::default();
        let flaw = |flaw| match flaw {
            Flaw::Lacks(what) => ClientError::Incomplete { url: self.url.clone(), what },
            Flaw::Contradicts(what) => ClientError::Contradictory { url: self.url.clone(), what },
        };
        while let Some(part) = stream.next().await {
            let part = part.map_err(|status| ClientError::from_status(&self.url, &status))?;
            parts.take(part).map_err(flaw)?;
        }
        parts.finish().map_err(flaw)
    }
}

/// What proves it. An empty name means the node's only market.
impl Connection {
    /// Returns the newest checkpoint.
    pub async fn checkpoint(&self, market: &str) -> Result<Checkpoint, ClientError> {
        let request = GetCheckpointRequest { market: market.to_owned(), tree_size_min: 0 };
        self.answer(self.ledger().get_checkpoint(call(request)).await)
    }

    /// Returns entries, each a serialised `Leaf`, and their indices: all for regulators and operators, those
    /// about himself for a participant.
    pub async fn entries(
        &self,
        session: &SignedSession,
        request: ListEntriesRequest,
    ) -> Result<ListEntriesResponse, ClientError> {
        self.answer(self.ledger().list_entries(with_session(request, session)).await)
    }

    /// Returns the proof that a leaf is in the tree of that size.
    pub async fn inclusion_proof(
        &self,
        session: &SignedSession,
        market: &str,
        leaf_index: u64,
        tree_size: u64,
    ) -> Result<Proof, ClientError> {
        let request = GetInclusionProofRequest { market: market.to_owned(), leaf_index, tree_size };
        self.answer(self.ledger().get_inclusion_proof(with_session(request, session)).await)
    }

    /// Returns an entry with its proof against the newest checkpoint, as a C2SP tlog-proof.
    pub async fn proof(
        &self,
        session: &SignedSession,
        market: &str,
        leaf_index: u64,
    ) -> Result<String, ClientError> {
        let request = GetProofRequest { market: market.to_owned(), leaf_index };
        Ok(self.answer(self.ledger().get_proof(with_session(request, session)).await)?.tlog_proof)
    }

    /// Returns the proof that the tree of `old_size` is the beginning of that of `new_size`.
    pub async fn consistency_proof(
        &self,
        session: &SignedSession,
        market: &str,
        old_size: u64,
        new_size: u64,
    ) -> Result<Proof, ClientError> {
        let request = GetConsistencyProofRequest { market: market.to_owned(), old_size, new_size };
        self.answer(self.ledger().get_consistency_proof(with_session(request, session)).await)
    }
}

impl Connection {
    fn market_data(&self) -> MarketDataClient<Channel> {
        MarketDataClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn account_client(&self) -> AccountClient<Channel> {
        AccountClient::new(self.channel.clone())
    }

    fn ledger(&self) -> LedgerClient<Channel> {
        LedgerClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns a call's answer, or what its failure means.
    fn answer<T>(&self, response: Result<Response<T>, Status>) -> Result<T, ClientError> {
        response.map(Response::into_inner).map_err(|status| ClientError::from_status(&self.url, &status))
    }
}

/// Returns a request with the usual deadline.
fn call<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

/// Returns a request in the caller's own name.
fn with_session<T>(message: T, session: &SignedSession) -> Request<T> {
    carrying(call(message), session)
}

fn carrying<T>(mut request: Request<T>, session: &SignedSession) -> Request<T> {
    let session = MetadataValue::from_bytes(&session.encode_to_vec());
    request.metadata_mut().insert_bin(SESSION_METADATA, session);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_travels_as_metadata() {
        let session = SignedSession { payload: vec![1], public_key: vec![2], signature: vec![3] };
        let request = with_session(GetAccountRequest {}, &session);
        let metadata = request.metadata().get_bin(SESSION_METADATA).unwrap();
        let bytes = metadata.to_bytes().unwrap();
        assert_eq!(SignedSession::decode(bytes).unwrap(), session);
    }

    #[tokio::test]
    async fn only_http_addresses_are_taken() {
        for url in ["", "127.0.0.1:7400", "ftp://127.0.0.1:7400", "http://", "a b"] {
            let error = Connection::open(url).await.unwrap_err();
            assert!(matches!(error, ClientError::Address { .. }), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Connection::open(&url).await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    }
}
