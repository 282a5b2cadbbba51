//! `parkwattd bench load`: a node under load over real sockets, and what it makes of it.
//!
//! Each run is a loop that is closed (so many commands in flight, the next one when one is answered) or open (so many a
//! second, whatever the answers do; latency counts from the moment at which a command was due, so that a node that falls
//! behind cannot hide it). Beside the runs stand a bare `fdatasync` and a bare `verify_strict` of the same minute.
//! Excluded: signing, which is done before; a real network; TLS.

mod bare;
pub mod disk;
pub mod node;
pub mod park;
mod run;
mod table;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use parkwatt_engine::Timestamp;
use parkwatt_proto::v1::{
    self, GetMarketRequest, exchange_client::ExchangeClient, market_data_client::MarketDataClient,
    outcome::Kind as Outcome,
};
use serde::Serialize;
use tonic::transport::Channel;

use bare::Bare;
use node::NodeProcess;
use park::{Park, Signer};
use run::{Loop, Run, Shape};

/// What the load is.
#[derive(Args, Clone, Debug)]
pub struct LoadOptions {
    /// How many commands each run hands in; of schedules an eighth.
    #[arg(long, value_name = "N", default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    commands: u32,
    /// Commands a second in the open loop; of schedules an eighth.
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    rate: u32,
    /// Commands in flight in the closed loop.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// Connections, each with one stream of commands.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=32))]
    connections: u32,
    /// A node that runs already, such as `http://127.0.0.1:7400`, instead of a fresh one; needs --operator-key. 32
    /// strangers are enrolled there, and what they trade stays in its ledger.
    #[arg(long, requires = "operator_key")]
    url: Option<String>,
    /// The operator's key of that node.
    #[arg(long, value_name = "FILE", requires = "url")]
    operator_key: Option<PathBuf>,
    /// The process of that node, if it runs here: its processor's time is told then.
    #[arg(long, value_name = "PID", requires = "url")]
    pid: Option<u32>,
    /// The disk that is measured: a folder in which a fresh folder is made, and removed at the end [default: that of
    /// temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// One JSON document instead of tables.
    #[arg(long)]
    json: bool,
}

/// What all of it came to.
#[derive(Debug, Serialize)]
struct Measured {
    connections: u32,
    bare: Bare,
    runs: Vec<Run>,
}

/// Loads a node, and prints what came of it.
pub fn run(options: &LoadOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("the threads of the generator cannot be started")?;
    let measured = runtime.block_on(load(options))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&measured)?);
    } else {
        print!("{}", table::text(&measured));
    }
    Ok(())
}

/// A node under load.
struct Target {
    url: String,
    pid: Option<u32>,
    /// Ended when it is dropped.
    _own: Option<NodeProcess>,
}

async fn load(options: &LoadOptions) -> anyhow::Result<Measured> {
    let dir = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::tempdir_in(&dir)
        .with_context(|| format!("--dir {}: no folder can be made", dir.display()))?;
    let (target, operator_key) = if let (Some(url), Some(key)) = (&options.url, &options.operator_key) {
        (Target { url: url.clone(), pid: options.pid, _own: None }, key.clone())
    } else {
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        let data = dir.path().join("data");
        std::fs::create_dir(&data).with_context(|| data.display().to_string())?;
        let own = NodeProcess::start(&program, &data)?;
        let target = Target { url: own.url.clone(), pid: Some(own.id()), _own: Some(own) };
        (target, data.join("operator.pem"))
    };
    let mut owners = enrol(&target, &operator_key).await?;
    let mut bare = Bare::new(dir.path());
    let mut runs = Vec::new();
    for shape in [Shape::Single, Shape::Schedule] {
        let part = if shape == Shape::Single { 1 } else { 8 };
        let rate = options.rate / part;
        for how in [Loop::Closed { in_flight: options.in_flight }, Loop::Open { per_s: rate }] {
            bare.measure();
            let channels = open(&target.url, options.connections).await?;
            let commands = commands(&mut owners, shape, options.commands / part, &target).await?;
            runs.push(Run::of(shape, how, commands, channels, target.pid).await?);
        }
    }
    bare.measure();
    Ok(Measured { connections: options.connections, bare, runs })
}

async fn open(url: &str, connections: u32) -> anyhow::Result<Vec<ExchangeClient<Channel>>> {
    let mut channels = Vec::new();
    for _ in 0..connections {
        let endpoint = Channel::from_shared(url.to_owned()).with_context(|| format!("--url {url}"))?;
        let channel = endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(5)).connect().await;
        channels.push(ExchangeClient::new(channel.with_context(|| format!("{url} gives no answer"))?));
    }
    Ok(channels)
}

/// Returns the node's market: its constitution, and its time.
async fn market(target: &Target) -> anyhow::Result<(v1::Genesis, Timestamp)> {
    let mut reader = MarketDataClient::connect(target.url.clone()).await?;
    let market = reader.get_market(GetMarketRequest::default()).await?.into_inner();
    let genesis = market.genesis.context("the node's answer lacks the market's constitution")?;
    Ok((genesis, Timestamp(market.now_micros)))
}

/// Enrols strangers, who will trade.
async fn enrol(target: &Target, operator_key: &std::path::Path) -> anyhow::Result<Park> {
    let named = || format!("--operator-key {}", operator_key.display());
    let pem = std::fs::read_to_string(operator_key).with_context(named)?;
    let key = SigningKey::from_pkcs8_pem(&pem).with_context(named)?;
    let (genesis, now) = market(target).await?;
    let zone = genesis.zones.first().context("the market has no zone")?.name.clone();
    let park = Park::of_strangers(&genesis.market)
        .map_err(|problem| anyhow!("the system has no randomness: {problem}"))?;
    let mut exchange = open(&target.url, 1).await?.remove(0);
    for command in park.enrolments(&mut Signer::new(key, &genesis.market), &zone, now) {
        let receipt = exchange.submit(command).await?.into_inner();
        let outcome = receipt.outcome.and_then(|outcome| outcome.kind);
        ensure!(
            matches!(outcome, Some(Outcome::EnrolledParticipant(_))),
            "the operator could not enrol an owner: {outcome:?}"
        );
    }
    Ok(park)
}

/// Returns signed commands of everybody in turn.
async fn commands(
    park: &mut Park,
    shape: Shape,
    count: u32,
    target: &Target,
) -> anyhow::Result<Vec<v1::SignedCommand>> {
    let now = market(target).await?.1;
    Ok(match shape {
        Shape::Single => (0..count).map(|_| park.order(now)).collect(),
        Shape::Schedule => (0..count).map(|_| park.schedule(now)).collect(),
    })
}
