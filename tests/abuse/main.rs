//! Hostile and clumsy callers at a real node, while an honest one trades: what he notices of it, and what it costs.
//!
//! Each test prints figures (`cargo test --test abuse -- --nocapture`): the honest caller's latency before and during,
//! and the node's greatest memory. Latencies are printed, not judged; that memory stays within [`MEMORY_MAX`], that
//! honest orders are all answered, and that nothing acknowledged is lost, is.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "each test uses its part of it")]
#[path = "../service/authority.rs"]
mod authority;
mod commands;
mod crowds;
mod frames;
mod handshakes;
#[allow(dead_code, reason = "each test uses its part of it")]
#[path = "../service/market.rs"]
mod market;
#[path = "../node/mod.rs"]
mod node;
mod stopping;

use std::{
    fs,
    time::{Duration, Instant},
};

use authority::{Authority, settings};
use market::{Market, Person, order, outcome, place};
use parkwatt_proto::v1::{
    Receipt, Side, SignedCommand, exchange_client::ExchangeClient, order_answer, outcome::Kind as Outcome,
};
use tonic::transport::Channel;

/// The most memory that a node may ever have taken, whatever is done to it here.
const MEMORY_MAX: u64 = 128 << 20;
/// How many honest orders are measured at a time.
const ORDERS: usize = 100;

/// How everybody speaks with the node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Tcp,
    Tls,
}

/// A node under attack, and how it is reached.
struct Site {
    market: Market,
    over: Over,
    authority: Authority,
    /// The files of TLS.
    _files: tempfile::TempDir,
}

impl Site {
    async fn found(over: Over, more: &str) -> Site {
        let (files, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        authority.write(files.path());
        let market = match over {
            Over::Tcp => Market::found_with(more).await,
            Over::Tls => {
                let toml = format!("{more}{}", settings(files.path(), ""));
                Market::found_trusting(&toml, Some(authority.roots())).await
            }
        };
        Site { market, over, authority, _files: files }
    }
}

/// An honest caller with a connection of his own.
struct Honest {
    who: Person,
    exchange: ExchangeClient<Channel>,
    acknowledged: Vec<(SignedCommand, Receipt)>,
}

impl Honest {
    async fn enrol(market: &mut Market) -> Honest {
        let who = market.enrol_trader("ann").await;
        Honest { who, exchange: market.exchange().await, acknowledged: Vec::new() }
    }

    /// Offers one Wh, which must be accepted, and returns how long the receipt took.
    async fn trade(&mut self) -> Duration {
        let mut wh = order(Side::Offer);
        wh.energy_wh = 1;
        // A slot takes no more than 1,000 open orders of one owner.
        wh.slot += u32::try_from(self.acknowledged.len() / 500).unwrap();
        let signed = self.who.sign(place(&[wh]));
        let begin = Instant::now();
        let receipt = self.exchange.submit(signed.clone()).await.unwrap().into_inner();
        let took = begin.elapsed();
        assert!(is_accepted(&receipt), "{receipt:?}");
        self.acknowledged.push((signed, receipt));
        took
    }

    async fn trade_some(&mut self) -> Latencies {
        let mut all = Vec::new();
        for _ in 0..ORDERS {
            all.push(self.trade().await);
        }
        Latencies::of(all)
    }

    /// Trades until what goes on beside is over.
    async fn trade_beside<T>(&mut self, beside: impl Future<Output = T> + Send + 'static) -> (T, Latencies)
    where
        T: Send + 'static,
    {
        let beside = tokio::spawn(beside);
        let mut all = Vec::new();
        while !beside.is_finished() && all.len() < 900 {
            all.push(self.trade().await);
        }
        (beside.await.unwrap(), Latencies::of(all))
    }
}

fn is_accepted(receipt: &Receipt) -> bool {
    match &outcome(receipt.clone()) {
        Outcome::Placed(placed) => {
            placed.orders.iter().all(|it| matches!(it.kind, Some(order_answer::Kind::Accepted(_))))
        }
        _ => false,
    }
}

/// What an honest caller waited.
struct Latencies {
    count: usize,
    p50: Duration,
    p99: Duration,
}

impl Latencies {
    fn of(mut all: Vec<Duration>) -> Latencies {
        all.sort_unstable();
        let part = |percent: usize| all.get((all.len() * percent / 100).min(all.len().saturating_sub(1)));
        let [p50, p99] = [50, 99].map(|percent| part(percent).copied().unwrap_or_default());
        Latencies { count: all.len(), p50, p99 }
    }
}

/// Prints what an attack came to, and checks the node's memory and that nothing acknowledged is lost.
async fn conclude(what: &str, site: &mut Site, honest: Honest, before: &Latencies, during: &Latencies) {
    let over = if site.over == Over::Tls { ", over TLS" } else { "" };
    let market = &mut site.market;
    let memory = memory_max(market);
    println!(
        "{what}{over}: {} honest orders, p50 {:?} -> {:?} ({:.1} x), p99 {:?} -> {:?} ({:.1} x); memory at most {} MiB",
        during.count,
        before.p50,
        during.p50,
        during.p50.as_secs_f64() / before.p50.as_secs_f64(),
        before.p99,
        during.p99,
        during.p99.as_secs_f64() / before.p99.as_secs_f64(),
        memory >> 20
    );
    assert!(memory <= MEMORY_MAX, "{what}: {memory} bytes of memory, and {MEMORY_MAX} are the bound");
    market.kill_and_start_again().await;
    check_kept(market, &honest.acknowledged).await;
}

/// Checks that each command that was acknowledged is in the ledger under its receipt.
async fn check_kept(market: &Market, acknowledged: &[(SignedCommand, Receipt)]) {
    let size = market.size().await;
    for (signed, receipt) in acknowledged {
        let again = market.connection.submit(signed.clone()).await.unwrap();
        assert_eq!(again, Receipt { repeated_command: true, ..receipt.clone() });
    }
    assert_eq!(market.size().await, size, "nothing was taken twice");
}

/// Returns the most memory that the node has had, in bytes.
fn memory_max(market: &Market) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", market.node.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}
