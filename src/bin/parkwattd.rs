//! `parkwattd`: the node. It serves a market, shows a day of one, and checks its own store.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use parkwatt::{
    EXIT_CANNOT_OPEN, audit,
    clock::Clock,
    config::NodeConfig,
    demo::{self, DemoOptions},
    host::Door,
    keys::NodeKeys,
    node::{Node, NodeError},
};
use parkwatt_engine::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The electricity exchange of a neighbourhood: rooftop PV traded over the wall, settled and proved.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trade one real day of a real park: 154 connection points, every step real, in under a minute.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoOptions),
    /// Run a node: gRPC on a port, the ledger on disk, until SIGTERM or Ctrl-C.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeOptions),
    /// Compare a ledger's store with its journal; the node runs this before it opens a store.
    CheckStore {
        /// The market's folder, such as parkwatt-data/park.
        dir: PathBuf,
    },
}

const DEMO_EXAMPLES: &str = "\
Examples:
  parkwattd demo                        the day that is built in
  parkwattd demo --seed 7 --out /tmp/d  another set of keys and forecasts, files kept in /tmp/d
  parkwattd demo --data DIR --days 7    a week from a folder with the same three CSV files
  parkwattd demo --serve                leave the node up afterwards, to look around with `parkwatt`";

const SERVE_EXAMPLES: &str = "\
Examples:
  parkwattd serve                                  one market, ledger in ./parkwatt-data, 127.0.0.1:7400
  parkwattd serve --config node.toml               any setting of src/config.rs, from a file
  parkwattd serve --data /srv/park --listen 0.0.0.0:7400";

#[derive(Args)]
struct ServeOptions {
    /// A TOML file with any of the node's settings; flags go before it.
    #[arg(long, env = "PARKWATT_CONFIG")]
    config: Option<PathBuf>,
    /// Where keys and ledgers are kept [default: parkwatt-data].
    #[arg(long, env = "PARKWATT_DATA")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7400].
    #[arg(long, env = "PARKWATT_LISTEN")]
    listen: Option<SocketAddr>,
    /// Run on simulated time from this moment on (RFC 3339); clients move it. For rehearsals.
    #[arg(long, value_name = "TIME")]
    simulated_from: Option<jiff::Timestamp>,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // A demo says what it does by itself.
    let level = if matches!(command, Command::Demo(_)) { "warn" } else { "warn,parkwatt=info" };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let done = match command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve(options),
        Command::CheckStore { dir } => return audit::check_store(&dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("parkwattd: {}", in_one_line(&problem));
            let cannot_open = matches!(problem.downcast_ref(), Some(NodeError::Host(_)));
            ExitCode::from(if cannot_open { EXIT_CANNOT_OPEN } else { 1 })
        }
    }
}

/// Returns an error and its causes in one line; what a cause only says again is left out.
fn in_one_line(problem: &anyhow::Error) -> String {
    problem.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.contains(&cause) {
            said
        } else if said.is_empty() {
            cause
        } else {
            format!("{said}: {cause}")
        }
    })
}

fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let mut config = match &options.config {
        Some(path) => read_config(path)?,
        None => NodeConfig::default(),
    };
    config.data = options.data.unwrap_or(config.data);
    config.listen = options.listen.unwrap_or(config.listen);
    let clock = match options.simulated_from {
        None => Clock::System,
        Some(start) => {
            let micros =
                u64::try_from(start.as_microsecond()).context("--simulated-from: lies before 1970")?;
            Clock::simulated(Timestamp(micros))
        }
    };
    let keys = NodeKeys::open(&config.data)?;
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let runtime = tokio::runtime::Runtime::new().context("the threads of the node cannot be started")?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let node = Node::start(config.clone(), &keys, clock, &program).await?;
        greet(&config, &keys, &node);
        node.serve(async {
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        })
        .await?;
        Ok(())
    })
}

fn read_config(path: &Path) -> anyhow::Result<NodeConfig> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("--config {}", path.display()))
}

/// Says what runs, and what to do first.
fn greet(config: &NodeConfig, keys: &NodeKeys, node: &Node) {
    let market = &node.market.config;
    let zones: Vec<&str> = market.zones.iter().map(|zone| zone.name.as_str()).collect();
    println!(
        "Parkwatt serves market '{}' (zones: {}) on http://{}",
        market.name,
        zones.join(", "),
        node.address
    );
    println!("Its ledger is in {}, with {} leaves.", config.data.display(), node.market.views().tree_size);
    if let Door::ReadOnly(why) = &node.market.door {
        println!("The market is READ-ONLY: {why}.");
        println!(
            "Nothing is accepted until the ledger is restored from a copy; `parkwatt-audit verify` says what is left."
        );
        return;
    }
    if node.market.views().participants.is_empty() {
        println!();
        println!("Nobody is enrolled yet. In another terminal:");
        println!("  parkwatt key new");
        println!(
            "  parkwatt enrol --name sunny-roof --pv 8kW --operator-key {}",
            keys.operator_file.display()
        );
        println!("  parkwatt sell 2kWh --at 12:00 --price 0.45");
    }
    println!();
    println!("Ctrl-C or SIGTERM ends it.");
}
