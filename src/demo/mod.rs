//! The demo: a real day of a real park, traded through the real service by the real client.
//!
//! The only module that knows the client. What it says at the end comes from the node's views and from the
//! auditor.

mod day;
mod desk;
mod grid;
mod park;
mod plot;
mod report;
mod strategy;
mod summary;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::Args;
use ed25519_dalek::SigningKey;
use indicatif::{ProgressBar, ProgressStyle};
use parkwatt_engine::{MarketConfig, Timestamp};
use tokio::sync::oneshot;

pub use day::{Step, deposit_fen};
pub use desk::{Desk, Tally, leaf_digest};
pub use park::Park;
pub use strategy::Strategy;

use crate::{
    audit::{self, Audit, Depth, Outside, Task, Verdict},
    clock::Clock,
    config::{MarketFile, NodeConfig, ZoneFile},
    keys::{NodeKeys, write_key},
    node::Node,
    web::WebListen,
};
use summary::Summary;

/// What marks a folder as an earlier demo's, which may be replaced.
const MARKER: &str = "parkwatt-demo.txt";

/// How the demo runs.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// A folder with participants.csv, network.csv and profiles.csv instead of the day that is built in.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many days to trade.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub days: u32,
    /// What keys, forecasts and tempers are drawn from; the same seed gives the same ledger root on every
    /// machine.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Where the ledger and the keys go; an earlier demo there is replaced.
    #[arg(long, value_name = "DIR", default_value = "parkwatt-demo")]
    pub out: PathBuf,
    /// Leave the node up afterwards, until Ctrl-C.
    #[arg(long)]
    pub serve: bool,
}

/// Runs the demo, and prints what it was.
///
/// # Errors
/// What stopped it.
pub fn run(options: &DemoOptions) -> anyhow::Result<()> {
    let park = Park::read(options.data.as_deref())?;
    let (days, has) = (options.days, park.days);
    ensure!(days <= has, "--days {days}: the profiles have {has} whole days");
    prepare(&options.out)?;
    let runtime = tokio::runtime::Runtime::new().context("the threads of the node cannot be started")?;
    runtime.block_on(trade(options, &park))
}

/// Returns how the demo's node is configured for a park: its zones are the network's, and its transformers
/// limit what is traded, both ways.
pub fn node_config(park: &Park, out: &Path) -> NodeConfig {
    let zone = |row: &park::ZoneRow| ZoneFile {
        name: row.name.clone(),
        parent: row.parent.clone(),
        base_wheeling_micros_per_kwh: 20_000,
        wheeling_up_micros_per_kwh: if row.parent.is_some() { 15_000 } else { 0 },
        wheeling_down_micros_per_kwh: if row.parent.is_some() { 15_000 } else { 0 },
        capacity_up_w: row.capacity_w(),
        capacity_down_w: row.capacity_w(),
    };
    NodeConfig {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        data: out.to_owned(),
        // Only what stays up afterwards is looked at.
        web_listen: WebListen::Nowhere,
        // A day fits into a quarter of the usual segment.
        segment_bytes: 16 << 20,
        market: MarketFile { zones: park.zones.iter().map(zone).collect(), ..MarketFile::default() },
        ..NodeConfig::default()
    }
}

/// Writes the demo's keys, which all come from the seed.
///
/// # Errors
/// What the file system said.
pub fn write_keys(park: &Park, strategy: Strategy, out: &Path) -> anyhow::Result<()> {
    write_key(&out.join("node.pem"), &SigningKey::from_bytes(&strategy.secret("node")))?;
    write_key(&out.join("operator.pem"), &SigningKey::from_bytes(&strategy.secret("operator")))?;
    let keys = out.join("keys");
    std::fs::create_dir_all(&keys).with_context(|| keys.display().to_string())?;
    for point in &park.points {
        let key = SigningKey::from_bytes(&strategy.secret(&point.name));
        write_key(&keys.join(format!("{}.pem", point.name)), &key)?;
    }
    Ok(())
}

/// Returns the moment at which the demo's time begins.
pub fn begins_at(park: &Park) -> Timestamp {
    Timestamp::from_seconds(Step::all(park.first_slot, 1)[0].0)
}

async fn trade(options: &DemoOptions, park: &Park) -> anyhow::Result<()> {
    let begun = Instant::now();
    let strategy = Strategy { seed: options.seed };
    write_keys(park, strategy, &options.out)?;
    let keys = NodeKeys::open(&options.out)?;
    let config = node_config(park, &options.out);
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let node = Node::start(config.clone(), &keys, Clock::simulated(begins_at(park)), &program).await?;
    let (address, market) = (node.address, node.markets.named("")?.clone());
    say(&format!("A node listens on http://{address}; its ledger is in {}.\n", options.out.display()));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(node.serve(async {
        let _ = stopped.await;
    }));

    let tally =
        trade_days(park, &market.config, strategy, &format!("http://{address}"), options.days).await?;
    let traded_in = begun.elapsed();
    say(&Summary::new(park, &market.views(), options.days).text());
    let now = market.clock.now();
    drop(market);
    let _ = stop.send(());
    serving.await??;

    let ledger = options.out.join(&config.market.name);
    let audited = audit(&ledger, &program);
    say(&report::ledger(&ledger, &audited, &tally, traded_in)?);
    say(&report::files(&ledger, &options.out.join("keys"), &program));
    ensure!(audited.verdict == Verdict::Intact, "the ledger did not pass its audit");
    if options.serve {
        stay(NodeConfig { listen: address, ..config }, &keys, now, &program, options).await?;
    }
    Ok(())
}

/// Trades `days` of a park through the node at `url`, and shows how far it is.
///
/// # Errors
/// What stopped it.
pub async fn trade_days(
    park: &Park,
    config: &MarketConfig,
    strategy: Strategy,
    url: &str,
    days: u32,
) -> anyhow::Result<Tally> {
    let steps = Step::all(park.first_slot, days);
    let style = ProgressStyle::with_template("{msg:38} {bar:30} {percent:>3} %  {elapsed}")
        .expect("the template is well-formed");
    let progress = ProgressBar::new(steps.len() as u64).with_style(style);
    let mut desk = Desk::open(park, config, strategy, url).await?;
    for (at_seconds, step) in steps {
        progress.set_message(describe(at_seconds, step));
        desk.step(at_seconds, step).await.with_context(|| describe(at_seconds, step))?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(desk.tally)
}

fn describe(at_seconds: u64, step: Step) -> String {
    let time =
        jiff::Timestamp::from_second(at_seconds.cast_signed()).unwrap_or_default().strftime("%d %b %H:%M");
    let what = match step {
        Step::Enrol => "enrolment and deposits",
        Step::DayAhead(_) => "day-ahead schedules",
        Step::Intraday(_) => "half an hour before",
        Step::Metering(_) => "readings, settlement",
    };
    format!("{time}  {what}")
}

/// Replays the ledger as an auditor does, and shows how far that is.
fn audit(ledger: &Path, program: &Path) -> Audit {
    let style = ProgressStyle::with_template(
        "audit by replay                        {bar:30} {percent:>3} %  {elapsed}",
    );
    let progress = ProgressBar::new(0).with_style(style.expect("the template is well-formed"));
    let task = Task { dir: ledger, vkey: None, depth: Depth::Replay, outside: Outside::default(), program };
    let audited = audit::audit(&task, |done| {
        progress.set_length(done.bytes_total);
        progress.set_position(done.bytes);
    });
    progress.finish_and_clear();
    audited
}

/// Says something on standard output.
fn say(text: &str) {
    // OK because: who has closed the pipe wants to hear no more, and the ledger is to be finished all the
    // same.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Removes an earlier demo, and nothing else.
fn prepare(out: &Path) -> anyhow::Result<()> {
    let is_empty =
        !out.exists() || out.read_dir().with_context(|| out.display().to_string())?.next().is_none();
    if !is_empty {
        let is_ours = out.join(MARKER).exists();
        ensure!(is_ours, "--out {}: the folder is not empty and not a demo's; choose another", out.display());
        std::fs::remove_dir_all(out).with_context(|| out.display().to_string())?;
    }
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let note = "This folder was made by `parkwattd demo`, and the next demo replaces it.\n";
    std::fs::write(out.join(MARKER), note).with_context(|| out.display().to_string())
}

/// Starts the node again from its ledger, and leaves it up.
async fn stay(
    config: NodeConfig,
    keys: &NodeKeys,
    now: Timestamp,
    program: &Path,
    options: &DemoOptions,
) -> anyhow::Result<()> {
    let config = NodeConfig { web_listen: WebListen::Auto, ..config };
    let node = Node::start(config, keys, Clock::simulated(now), program).await?;
    let key = options.out.join("keys").join("farm-001.pem");
    let address = node.address;
    if let Some(page) = node.page_urls().next() {
        say(&format!(
            "\nThe day is on {page}\nuntil Ctrl-C; and so is the node, on http://{address}. See an owner's part of it with\n"
        ));
        let at = format!("--node http://{address} --key {}", key.display());
        let is_built_here = report::is_built_here(program);
        let client = if is_built_here { "cargo run --release -p parkwatt-client --" } else { "parkwatt" };
        say(&format!("  {client} {at} page --url {page}\n"));
    }
    node.serve(async {
        // OK because: without Ctrl-C to wait for there is nothing to stay up for.
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    Ok(())
}
