//! Metrics: what a node counts and measures of itself, for Prometheus.
//!
//! Knows names, units and buckets; does not know who reads them. What a market's thread measures is cheap
//! enough for every command.

mod calls;

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub use calls::CallsLayer;

/// Everything a node measures.
pub struct Metrics {
    registry: Registry,
    calls: Calls,
    /// What stands at the door.
    pub connections: ConnectionMetrics,
}

/// Connections.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    /// How many are open, ready or not.
    pub open: Gauge,
    /// How many were closed at once, by reason.
    pub refused: Family<Reason, Counter>,
}

/// Why a connection was closed before it was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// One word.
    pub reason: &'static str,
}

/// What a market's thread measures.
#[derive(Clone, Debug)]
pub struct MarketMetrics {
    /// What waits for the sequencer.
    pub queue_len: Gauge,
    /// Commands, by what the market's rules said.
    pub commands: Family<Outcome, Counter>,
    /// How long the engine took for a command.
    pub apply_seconds: Histogram,
    /// How many commands and ticks were made durable together.
    pub group_len: Histogram,
    /// How long a group took to become durable: hashing, signing, one write and one sync.
    pub append_seconds: Histogram,
    /// How long the market stood still to have its state recorded.
    pub record_seconds: Histogram,
    /// The leaves of the ledger.
    pub leaves: Gauge<u64, AtomicU64>,
    /// The leaves that the store does not have yet.
    pub store_behind: Gauge,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// `accepted` or `rejected`.
    pub outcome: &'static str,
}

/// Calls, by method and status.
#[derive(Clone, Debug)]
struct Calls {
    ended: Family<Call, Counter>,
    seconds: Family<Method, Histogram, fn() -> Histogram>,
    under_way: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: String,
    code: &'static str,
}

impl Default for MarketMetrics {
    fn default() -> MarketMetrics {
        MarketMetrics {
            queue_len: Gauge::default(),
            commands: Family::default(),
            // From 250 ns to a quarter of a second.
            apply_seconds: Histogram::new(exponential_buckets(250e-9, 4.0, 11)),
            group_len: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            append_seconds: seconds(),
            record_seconds: seconds(),
            leaves: Gauge::default(),
            store_behind: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Returns the metrics of a node with one market.
    pub fn new(market_name: &str, market: &MarketMetrics) -> Metrics {
        let mut registry = Registry::with_prefix("parkwatt");
        let calls = Calls {
            ended: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            under_way: Gauge::default(),
        };
        registry.register("calls", "Calls that have ended, by method and status", calls.ended.clone());
        let help = "How long calls took, streams to their end";
        registry.register_with_unit("call_duration", help, Unit::Seconds, calls.seconds.clone());
        registry.register("calls_under_way", "Calls that have not ended", calls.under_way.clone());
        let connections = ConnectionMetrics::default();
        registry.register("connections", "Open connections", connections.open.clone());
        let help = "Connections that were closed before they were used, by reason";
        registry.register("connections_refused", help, connections.refused.clone());
        register(market, registry.sub_registry_with_label(("market".into(), market_name.to_owned().into())));
        Metrics { registry, calls, connections }
    }

    /// Returns the layer that measures calls.
    pub fn layer(&self) -> CallsLayer {
        CallsLayer(self.calls.clone())
    }

    /// Returns everything as Prometheus reads it (the text of `OpenMetrics`).
    pub fn text(&self) -> String {
        let mut written = String::new();
        text::encode(&mut written, &self.registry).expect("a string takes all that is written to it");
        written
    }
}

fn register(market: &MarketMetrics, registry: &mut Registry) {
    registry.register("queue_len", "What waits for the sequencer", market.queue_len.clone());
    registry.register("commands", "Commands, by what the rules said", market.commands.clone());
    let help = "How long the engine took for a command";
    registry.register_with_unit("apply_duration", help, Unit::Seconds, market.apply_seconds.clone());
    let help = "Commands and ticks that were made durable together";
    registry.register("group_len", help, market.group_len.clone());
    let help = "How long a group took to become durable";
    registry.register_with_unit("append_duration", help, Unit::Seconds, market.append_seconds.clone());
    let help = "How long the market stood still to have its state recorded";
    registry.register_with_unit("record_duration", help, Unit::Seconds, market.record_seconds.clone());
    registry.register("ledger_leaves", "Leaves of the ledger", market.leaves.clone());
    registry.register(
        "store_behind_leaves",
        "Leaves that the store has not yet",
        market.store_behind.clone(),
    );
}

impl MarketMetrics {
    /// Counts a command.
    pub fn applied(&self, is_accepted: bool, took: Duration) {
        let outcome = if is_accepted { "accepted" } else { "rejected" };
        self.commands.get_or_create(&Outcome { outcome }).inc();
        self.apply_seconds.observe(took.as_secs_f64());
    }
}

/// From 30 us to two minutes.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(30e-6, 4.0, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_written() {
        let market = MarketMetrics::default();
        let metrics = Metrics::new("park", &market);
        market.applied(true, Duration::from_micros(2));
        market.applied(false, Duration::from_micros(3));
        market.leaves.set(77);
        let text = metrics.text();
        for line in [
            "parkwatt_commands_total{market=\"park\",outcome=\"accepted\"} 1",
            "parkwatt_commands_total{market=\"park\",outcome=\"rejected\"} 1",
            "parkwatt_apply_duration_seconds_count{market=\"park\"} 2",
            "parkwatt_ledger_leaves{market=\"park\"} 77",
            "parkwatt_connections 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is missing:\n{text}");
        }
    }
}
