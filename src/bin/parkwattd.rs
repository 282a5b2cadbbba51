//! `parkwattd`: the node. It serves a market, shows a day of one, and checks its own store.

use std::{
    io::IsTerminal,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use clap::{Args, Parser, Subcommand};
#[cfg(feature = "otel")]
use parkwatt::traces::Traces;
use parkwatt::{
    EXIT_CANNOT_OPEN, audit,
    clock::Clock,
    config::{LogFormat, NodeConfig},
    demo::{self, DemoOptions},
    host::Door,
    keys::NodeKeys,
    load::{self, LoadOptions},
    node::{Node, NodeError},
    settings,
    tls::Tls,
    web::WebListen,
};
use parkwatt_engine::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

/// The electricity exchange of a neighbourhood: rooftop PV traded over the wall, settled and proved.
#[derive(Parser)]
#[command(name = "parkwattd", version, propagate_version = true)]
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
    /// Check a node's settings without starting it, or show what they come to.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Compare a ledger's store with its journal; the node runs this before it opens a store.
    #[command(after_help = CHECK_STORE_HELP)]
    CheckStore {
        /// The market's folder, such as parkwatt-data/park.
        dir: PathBuf,
        /// A snapshot, behind which alone they are compared.
        snapshot: Option<PathBuf>,
        /// End with standard input, whose other end who asks holds.
        #[arg(long, hide = true)]
        held: bool,
    },
}

const CHECK_STORE_HELP: &str = "\
Exit codes:
  0   the store equals the journal
  1   there is no key beside the journal: the folder is no market's
  10  the store is behind the journal; the node's next start catches it up
  11  the store holds something else, or cannot be read; the node's next start makes it anew
  12  the store has more than the journal, which has lost what was acknowledged
  13  the journal cannot be read
  14  another process has the store open
Any other, or a signal: the store crashed who opened it.";

#[derive(Subcommand)]
enum BenchCommand {
    /// Load a node with signed orders over real sockets: orders a second, latencies, its processor's time.
    #[command(after_help = LOAD_EXAMPLES)]
    Load(LoadOptions),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check every setting and the files that settings name, and say which one is wrong. A port that is taken now, or
    /// a folder that cannot be written, is a warning; ledgers are not opened.
    #[command(after_help = CONFIG_EXAMPLES)]
    Check(Settings),
    /// Print every setting as it would be, defaults included, in the form of a file for --config.
    #[command(after_help = CONFIG_EXAMPLES)]
    Show(Settings),
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  parkwattd config check --config node.toml
  parkwattd config show --set queue_len_max=100 > node.toml
  PARKWATT_NODE_TLS='{certificate=\"a.pem\", key=\"b.pem\"}' parkwattd config check

docs/node.toml has every setting with its default and what it is for.";

const LOAD_EXAMPLES: &str = "\
Examples:
  parkwattd bench load                     a fresh node, which is removed again: half a minute
  parkwattd bench load --rate 4000 --json  whether it keeps up with 4,000 orders a second
  parkwattd bench load --dir /srv          on that disk
  parkwattd bench load --url http://127.0.0.1:7400 --operator-key parkwatt-data/operator.pem
      a node that runs already";

const DEMO_EXAMPLES: &str = "\
Examples:
  parkwattd demo                        the day that is built in
  parkwattd demo --seed 7 --out /tmp/d  another set of keys and forecasts, files kept in /tmp/d
  parkwattd demo --data DIR --days 7    a week from a folder with the same three CSV files
  parkwattd demo --serve                leave the node up afterwards, with its page";

const SERVE_EXAMPLES: &str = "\
Examples:
  parkwattd serve                                    one market, ledger in ./parkwatt-data
  parkwattd serve --config node.toml                 any setting of docs/node.toml, from a file
  parkwattd serve --set admin_listen=127.0.0.1:7401  any setting, by its name
  parkwattd serve --data /srv/park --listen 0.0.0.0:7400
  parkwattd serve --set 'markets=[{name=\"park\"}, {name=\"yard\"}]'
      two markets, each with its own ledger";

#[derive(Args)]
struct Settings {
    /// A TOML file with any of the node's settings. Variables of the environment go before it, such as
    /// `PARKWATT_NODE_QUEUE_LEN_MAX`, and flags before both.
    #[arg(long, env = "PARKWATT_CONFIG")]
    config: Option<PathBuf>,
    /// Any setting by its name; of one within a table, with a dot: market.name=yard.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Where keys and ledgers are kept [default: parkwatt-data].
    #[arg(long, env = "PARKWATT_DATA")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7400].
    #[arg(long, env = "PARKWATT_LISTEN")]
    listen: Option<SocketAddr>,
}

#[derive(Args)]
struct ServeOptions {
    #[command(flatten)]
    settings: Settings,
    /// Run on simulated time from this moment on (RFC 3339). It stands still until somebody moves it with the call
    /// Simulation.AdvanceTo of the contract, as the example in docs/python does. For rehearsals.
    #[arg(long, value_name = "TIME")]
    simulated_from: Option<jiff::Timestamp>,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // A node logs as its settings say; a demo and a bench say by themselves what they do.
    match command {
        Command::Serve(_) => {}
        Command::Demo(_) | Command::Bench(_) => log("warn", LogFormat::Human),
        _ => log(LEVEL, LogFormat::Human),
    }
    let done = match command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve(&options),
        Command::Config(ConfigCommand::Check(settings)) => check_config(&settings),
        Command::Config(ConfigCommand::Show(settings)) => show_config(&settings),
        Command::Bench(BenchCommand::Load(options)) => load::run(&options),
        Command::CheckStore { dir, snapshot, held } => {
            return audit::check_store(&dir, snapshot.as_deref(), held);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("parkwattd: {}", in_one_line(&problem));
            let cannot_open = matches!(problem.downcast_ref(), Some(NodeError::Host { .. }));
            ExitCode::from(if cannot_open { EXIT_CANNOT_OPEN } else { 1 })
        }
    }
}

/// What is logged where nobody says otherwise.
const LEVEL: &str = "warn,parkwatt=info";

fn log(level: &str, format: LogFormat) {
    tracing_subscriber::registry().with(lines(level, format)).init();
}

/// Returns what writes the log.
fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(level: &str, format: LogFormat) -> impl Layer<S> + use<S> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let lines = match format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    lines.with_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level)))
}

/// Begins to log, and to send spans of calls to a collector where the environment names one, until what is returned is
/// dropped.
#[cfg(feature = "otel")]
fn log_and_trace(format: LogFormat) -> anyhow::Result<Option<Traces>> {
    let traces =
        Traces::of_environment().context("OTEL_EXPORTER_OTLP_ENDPOINT or another variable like it")?;
    let spans = traces.as_ref().map(Traces::layer);
    tracing_subscriber::registry().with(lines(LEVEL, format)).with(spans).init();
    Ok(traces)
}

#[cfg(not(feature = "otel"))]
fn log_and_trace(format: LogFormat) -> anyhow::Result<()> {
    log(LEVEL, format);
    Ok(())
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

fn serve(options: &ServeOptions) -> anyhow::Result<()> {
    let config = options.settings.read()?;
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
        // Sent by this runtime, until the node has ended.
        let _traces = log_and_trace(config.log_format)?;
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

impl Settings {
    fn read(&self) -> anyhow::Result<NodeConfig> {
        let mut config = settings::read(self.config.as_deref(), std::env::vars(), &self.set)?;
        config.data = self.data.clone().unwrap_or(config.data);
        config.listen = self.listen.unwrap_or(config.listen);
        Ok(config)
    }
}

/// Checks everything about a node's settings that does not need its ledger.
fn check_config(settings: &Settings) -> anyhow::Result<()> {
    let config = settings.read()?;
    for file in config.markets() {
        let of = |problem| anyhow!("market '{}': {problem}", file.name);
        // Any key: whose it is, the market's rules do not say.
        let market = file.constitution([0; 32]).map_err(|problem| of(format!("market.{problem}")))?;
        market.check().map_err(|problem| of(format!("market.{problem}")))?;
    }
    if let Some(files) = config.tls.clone() {
        Tls::read(files)?;
    }
    for file in config.markets() {
        println!(
            "A node would serve market '{}' on {}, with its ledger in {}.",
            file.name,
            config.listen,
            config.data.join(&file.name).display()
        );
    }
    println!("{}", config.web_listen.in_words());
    match config.admin_listen {
        None => println!("There would be no port for operators' tools (admin_listen)."),
        Some(address) => println!("Operators' tools would find /healthz, /readyz and /metrics on {address}."),
    }
    println!(
        "The market and its page would speak {}.",
        if config.tls.is_some() { "TLS" } else { "without TLS (tls)" }
    );
    println!(
        "Where there is a ledger already, it says what the market is, and the market's settings are not used."
    );
    for warning in warnings(&config) {
        println!("Warning: {warning}.");
    }
    Ok(())
}

/// Returns what would stop a node now, but is no setting's fault: ports that are taken, a folder that cannot be written.
fn warnings(config: &NodeConfig) -> Vec<String> {
    let page = match config.web_listen {
        WebListen::At(address) => Some(address),
        WebListen::Auto | WebListen::Nowhere => None,
    };
    let ports =
        [("listen", Some(config.listen)), ("admin_listen", config.admin_listen), ("web_listen", page)];
    let ports = ports.into_iter().filter_map(|(field, address)| {
        let problem = TcpListener::bind(address?).err()?;
        Some(format!("{field}: cannot listen on {} now: {problem}", address?))
    });
    // The folder is made where it is missing, so the nearest one that is there is asked.
    let here = Path::new(".");
    let folders = config.data.ancestors().map(|folder| if folder == Path::new("") { here } else { folder });
    let folder = folders.into_iter().find(|folder| folder.exists()).and_then(|folder| {
        let problem = tempfile::tempfile_in(folder).err()?;
        Some(format!("data: {} cannot be written: {problem}", folder.display()))
    });
    ports.chain(folder).collect()
}

fn show_config(settings: &Settings) -> anyhow::Result<()> {
    print!("{}", toml::to_string(&settings.read()?).context("the settings cannot be written as TOML")?);
    Ok(())
}

/// Where `parkwatt` looks for a node that it is not told of.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7400);

/// Returns the address under which this machine finds what listens on another one: on all, on its own.
fn reached_at(listens: IpAddr) -> IpAddr {
    if listens.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listens }
}

/// Says what runs, and what to do first.
fn greet(config: &NodeConfig, keys: &NodeKeys, node: &Node) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    for market in node.markets.iter() {
        let zones: Vec<&str> = market.config.zones.iter().map(|zone| zone.name.as_str()).collect();
        println!(
            "Parkwatt serves market '{}' (zones: {}) on {scheme}://{}",
            market.config.name,
            zones.join(", "),
            node.address
        );
    }
    if let Some(address) = node.admin_address {
        println!("Operators find http://{address}/healthz, /readyz and /metrics.");
    }
    for url in node.page_urls() {
        println!("A page for a browser is {url}");
    }
    if let Some(port) = node.web_address.and_then(|address| config.web_listen.taken_port(address)) {
        println!(
            "Port {port} is taken, so the page is there, and `parkwatt page` needs --url with that address."
        );
    }
    for market in node.markets.iter() {
        let ledger = config.data.join(&market.config.name);
        let (name, leaves) = (&market.config.name, market.views().tree_size);
        println!("The ledger of '{name}' is in {}, leaves so far: {leaves}.", ledger.display());
        if let Door::ReadOnly(why) = &market.door {
            println!("Market '{}' is READ-ONLY: {why}.", market.config.name);
            println!(
                "Nothing is accepted there until its ledger is restored from a copy; `parkwatt-audit verify` says what is left."
            );
        }
    }
    let mut markets = node.markets.iter();
    if markets.all(|market| market.views().participants.is_empty() && matches!(market.door, Door::Open(_))) {
        println!();
        println!("Nobody is enrolled yet. In another terminal:");
        let address = SocketAddr::new(reached_at(node.address.ip()), node.address.port());
        if address != DEFAULT_ADDRESS || config.tls.is_some() {
            println!("  export PARKWATT_NODE={scheme}://{address}");
        }
        println!("  parkwatt key new");
        println!(
            "  parkwatt enrol --name sunny-roof --pv 8kW --operator-key {}",
            keys.operator_file.display()
        );
        println!("  parkwatt sell 2kWh --at 12:00 --price 0.45");
        if node.markets.only().is_none() {
            println!("Each with --market and the name of one; `parkwatt markets` lists them.");
        }
    }
    println!();
    println!("Ctrl-C or SIGTERM ends it.");
}
