//! The node: one gRPC server over its markets, and how it starts and ends.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    panic::resume_unwind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use parkwatt_engine::{Slot, Timestamp};
use parkwatt_proto::v1::{
    self,
    account_server::AccountServer,
    exchange_server::ExchangeServer,
    ledger_server::LedgerServer,
    market_data_server::MarketDataServer,
    simulation_server::{Simulation, SimulationServer},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{oneshot, watch},
    task::JoinSet,
};
use tonic::{
    Request, Response, Status,
    server::NamedService,
    transport::{Server, server::Router},
};
use tonic_health::ServingStatus;
use tower::layer::util::{Identity, Stack};
use tracing::{error, info, warn};

use crate::{
    admin::{self, Watched},
    allowance::Rate,
    clock::Clock,
    config::NodeConfig,
    connections::{self, ConnectionLimits, Protocol},
    host::{self, Door, HostError, Hosted, Market},
    keys::NodeKeys,
    markets::Markets,
    metrics::{CallsLayer, Metrics},
    reads::{AccountReads, LedgerReads, MarketDataReads, Streams},
    receive::{Receive, ReceiveLimits},
    refusal::Refused,
    sequence::Work,
    tls::{Tls, TlsError},
    web,
    wire::Malformed,
};

/// How much longer than a payload's limit an envelope may be, and still be read: so far a payload that is too long is
/// refused by its name; beyond, the transport refuses it.
const ENVELOPE_OVERHEAD_BYTES: usize = 4 << 20;

/// How many connections may wait to be accepted, if the system lets as many wait (`net.core.somaxconn`).
const WAITING_CONNECTIONS_MAX: u32 = 4_096;

/// A node that listens.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its markets.
    pub markets: Arc<Markets>,
    /// Where its admin port is, if it has one.
    pub admin_address: Option<SocketAddr>,
    /// Where its web pages are, if it has any.
    pub web_address: Option<SocketAddr>,
    hosted: Vec<Hosted>,
    listener: TcpListener,
    admin: Option<TcpListener>,
    web: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
    config: NodeConfig,
}

/// Why a node does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The settings.
    #[error("{0}")]
    Setting(String),
    /// A market cannot be opened.
    #[error("market '{market}': {source}")]
    Host {
        /// Its name.
        market: String,
        /// Why.
        source: HostError,
    },
    /// It cannot listen.
    #[error("{field}: cannot listen on {address}: {source}")]
    Listen {
        /// The setting.
        field: &'static str,
        /// Where.
        address: SocketAddr,
        /// What.
        source: std::io::Error,
    },
    /// Its certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server broke.
    #[error("the gRPC server ended: {0}")]
    Server(#[from] tonic::transport::Error),
}

impl Node {
    /// Opens the markets and begins to listen. Nothing is answered before [`Node::serve`].
    ///
    /// `program` is `parkwattd` itself, see [`host::open`].
    pub async fn start(
        config: NodeConfig,
        keys: &NodeKeys,
        clock: Clock,
        program: &Path,
    ) -> Result<Node, NodeError> {
        let tls = config.tls.clone().map(Tls::read).transpose()?.map(Arc::new);
        config.check().map_err(NodeError::Setting)?;
        // Before a market is founded: a port that is taken must leave nothing behind.
        let port = Port::bind("listen", config.listen)?;
        let admin = config.admin_listen.map(|address| Port::bind("admin_listen", address)).transpose()?;
        let web = config.web_listen.bind().await;
        let web =
            web.map_err(|(address, source)| NodeError::Listen { field: "web_listen", address, source })?;
        let hosted = open_all(&config, keys, &clock, program)?;
        let markets = hosted.iter().map(|hosted| hosted.market.clone()).collect();
        // Only now, so that nobody waits for a ledger that is still being read.
        let (listener, address) = port.listen()?;
        let (admin, admin_address) = admin.map(Port::listen).transpose()?.unzip();
        Ok(Node {
            address,
            markets: Arc::new(markets),
            admin_address,
            web_address: web.as_ref().and_then(|listener| listener.local_addr().ok()),
            hosted,
            listener,
            admin,
            web,
            tls,
            config,
        })
    }

    /// Returns where a browser finds each market's page; nothing if the node has none.
    pub fn page_urls(&self) -> impl Iterator<Item = String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.web_address.into_iter().flat_map(move |mut address| {
            // What listens on all of this machine's addresses is reached on its own.
            if address.ip().is_unspecified() {
                address.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            self.markets.iter().map(move |it| format!("{scheme}://{address}/markets/{}/", it.config.name))
        })
    }

    /// Answers until `stop` comes, then lets calls under way end until the drain's deadline, and then ends
    /// the market.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        let (stopping, stopped) = oneshot::channel();
        let measured = |market: &Arc<Market>| (market.config.name.clone(), market.shared.metrics.clone());
        let metrics = Arc::new(Metrics::new(self.markets.iter().map(measured).collect()));
        let watched = Arc::new(Watched {
            markets: self.markets.clone(),
            metrics: metrics.clone(),
            stops: AtomicBool::new(false),
        });
        // They end with this call.
        let mut beside = JoinSet::new();
        if let Some(admin) = self.admin {
            let watched = watched.clone();
            beside.spawn(async move {
                if let Err(problem) = admin::serve(admin, watched).await {
                    error!(%problem, "the admin port ended");
                }
            });
        }
        if let Some(tls) = self.tls.clone() {
            beside.spawn(tls.follow_files());
        }
        let limits = ConnectionLimits {
            connections_max: self.config.connections_max,
            per_address_max: self.config.connections_per_address_max,
            handshake: Duration::from_millis(self.config.handshake_ms),
        };
        let (end_streams, ending) = watch::channel(false);
        let streams = Arc::new(Streams::new(self.config.streams, ending));
        if let Some(web) = self.web {
            let zone = self.config.zone();
            let page =
                |market: &Arc<Market>| (market.config.name.clone(), web::router(market, &streams, &zone));
            let mut site = web::site(self.markets.iter().map(page));
            if self.web_address.is_some_and(|address| address.ip().is_loopback()) {
                site = web::for_this_machine(site, &self.config.web_names);
            }
            let (limits, metrics) = (self.config.web, metrics.connections.clone());
            beside.spawn(web::serve(web, limits, self.tls.clone(), metrics, site));
        }
        let (protocol, metrics_of) = (Protocol::Http2, metrics.connections.clone());
        let incoming = connections::accept(self.listener, protocol, limits, self.tls, metrics_of);
        let server = router(&self.config, &self.markets, &metrics, streams).await;
        let server = server.serve_with_incoming_shutdown(incoming, async {
            let _ = stopped.await;
        });
        tokio::pin!(server);
        let ended = tokio::select! {
            ended = &mut server => ended,
            () = stop => {
                watched.stops.store(true, Ordering::Relaxed);
                info!("stopping: calls under way may end, new ones are refused");
                let _ = stopping.send(());
                // They would never end by themselves; each says from where to go on.
                end_streams.send_replace(true);
                // OK because: one client that has not sent its preface would hold a graceful shutdown for
                // ever.
                let drain = Duration::from_millis(self.config.drain_ms);
                tokio::time::timeout(drain, &mut server).await.unwrap_or_else(|_| {
                    warn!(drain_ms = self.config.drain_ms, "calls were still under way at the drain's deadline");
                    Ok(())
                })
            }
        };
        let mut ending = JoinSet::new();
        for hosted in self.hosted {
            ending.spawn_blocking(|| hosted.stop());
        }
        ending.join_all().await;
        info!("stopped: everything acknowledged is durable");
        Ok(ended?)
    }
}

/// Opens the markets, all at once: each reads its own ledger.
fn open_all(
    config: &NodeConfig,
    keys: &NodeKeys,
    clock: &Clock,
    program: &Path,
) -> Result<Vec<Hosted>, NodeError> {
    thread::scope(|scope| {
        let open = |file| scope.spawn(move || host::open(config, file, keys, clock.apart(), program));
        // All are begun before the first is waited for.
        let opening: Vec<_> = config.markets().iter().map(|file| (&file.name, open(file))).collect();
        let opened = opening.into_iter().map(|(name, opening)| {
            let opened = opening.join().unwrap_or_else(|panic| resume_unwind(panic));
            opened.map_err(|source| NodeError::Host { market: name.clone(), source })
        });
        opened.collect()
    })
}

/// A port that is the node's, and on which it does not listen yet.
struct Port {
    field: &'static str,
    address: SocketAddr,
    socket: TcpSocket,
}

impl Port {
    fn bind(field: &'static str, address: SocketAddr) -> Result<Port, NodeError> {
        let bound = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // As for every listener: connections of an earlier node may still be closing. Where any port does, only
            // once it is found: else two nodes could be given the same one, as long as neither listens.
            socket.set_reuseaddr(address.port() != 0)?;
            socket.bind(address)?;
            socket.set_reuseaddr(true)?;
            Ok(socket)
        };
        let socket = bound().map_err(|source| NodeError::Listen { field, address, source })?;
        Ok(Port { field, address, socket })
    }

    /// Listens with room for as many as may be connected: of those who find none, some hear that they are connected and
    /// then that they never were.
    fn listen(self) -> Result<(TcpListener, SocketAddr), NodeError> {
        let Port { field, address, socket } = self;
        let listening = socket.listen(WAITING_CONNECTIONS_MAX).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        listening.map_err(|source| NodeError::Listen { field, address, source })
    }
}

async fn router(
    config: &NodeConfig,
    markets: &Arc<Markets>,
    metrics: &Metrics,
    streams: Arc<Streams>,
) -> Router<Stack<CallsLayer, Identity>> {
    let limits = ReceiveLimits {
        payload_bytes_max: config.payload_bytes_max,
        stream_in_flight_max: config.stream_in_flight_max,
        commands: Rate { per_s: config.key_commands_per_s, burst: config.key_commands_burst },
        unauthentic: Rate {
            per_s: config.connection_unauthentic_per_s,
            burst: config.connection_unauthentic_burst,
        },
    };
    let exchange = ExchangeServer::new(Receive::new(markets.clone(), limits))
        .max_decoding_message_size(config.payload_bytes_max + ENVELOPE_OVERHEAD_BYTES);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(parkwatt_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the contract's own descriptors are well-formed");
    let (health_reporter, health) = tonic_health::server::health_reporter();
    // Of the exchange as a whole, and of each market by its name.
    let mut serves_any = ServingStatus::NotServing;
    for market in markets.iter() {
        let status = match market.door {
            Door::Open(_) => ServingStatus::Serving,
            Door::ReadOnly(_) => ServingStatus::NotServing,
        };
        if status == ServingStatus::Serving {
            serves_any = status;
        }
        let exchange = <ExchangeServer<Receive> as NamedService>::NAME;
        health_reporter.set_service_status(format!("{exchange}/{}", market.config.name), status).await;
    }
    health_reporter.set_service_status(<ExchangeServer<Receive> as NamedService>::NAME, serves_any).await;

    let is_simulated = markets.iter().any(|market| matches!(market.clock, Clock::Simulated(_)));
    let simulation = is_simulated.then(|| SimulationServer::new(SimulatedTime(markets.clone())));
    Server::builder()
        .concurrency_limit_per_connection(config.connection_calls_max as usize)
        .http2_keepalive_interval(Some(Duration::from_secs(config.keep_alive_s)))
        .layer(metrics.layer())
        .add_service(exchange)
        .add_service(MarketDataServer::new(MarketDataReads {
            markets: markets.clone(),
            streams: streams.clone(),
            zone: config.zone(),
        }))
        .add_service(AccountServer::new(AccountReads { markets: markets.clone(), streams }))
        .add_service(LedgerServer::new(LedgerReads(markets.clone())))
        .add_service(health)
        .add_service(reflection)
        .add_optional_service(simulation)
}

/// Moves simulated time; served only where time is simulated.
struct SimulatedTime(Arc<Markets>);

#[tonic::async_trait]
impl Simulation for SimulatedTime {
    async fn advance_to(
        &self,
        request: Request<v1::AdvanceToRequest>,
    ) -> Result<Response<v1::AdvanceToResponse>, Status> {
        let request = request.into_inner();
        let market = self.0.named(&request.market)?;
        let (to, now) = (Timestamp(request.to_micros), market.clock.now());
        let last = Slot(u32::MAX).end();
        if to < now || to > last {
            let problem =
                format!("{to} is not between the market's time, {now}, and the last slot's end, {last}");
            return Err(Refused::from(Malformed::new("to_micros", problem)).into());
        }
        let (done, waiting) = oneshot::channel();
        market.door.queue()?.put(Work::AdvanceTo { to, done })?;
        let (now, state_hash) = waiting.await.map_err(|_| Refused::Stopped)?;
        Ok(Response::new(v1::AdvanceToResponse { now_micros: now.0, state_hash }))
    }
}
