//! Metrics: what a node counts and measures of itself, for Prometheus.
//!
//! Knows names, units and buckets; does not know who reads them. What a market's thread measures is cheap
//! enough for every command.

mod calls;

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub use calls::{CALLS, CallsLayer};

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
    /// Commands that the market's rules let pass.
    pub accepted: Counter,
    /// Commands that a rule refused.
    pub rejected: Counter,
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
            accepted: Counter::default(),
            rejected: Counter::default(),
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
    /// Returns the metrics of a node with these markets, each with its name.
    pub fn new(markets: Vec<(String, MarketMetrics)>) -> Metrics {
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
        registry.register_collector(Box::new(OfMarkets(markets)));
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

/// A metric of a market.
type Metric = fn(&MarketMetrics) -> &dyn EncodeMetric;

/// What the markets measure: each metric once, with a line a market.
#[derive(Debug)]
struct OfMarkets(Vec<(String, MarketMetrics)>);

impl Collector for OfMarkets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut each = |name: &str, help: &str, unit: Option<&Unit>, metric: Metric| {
            let kind = metric(&MarketMetrics::default()).metric_type();
            let mut family = encoder.encode_descriptor(name, help, unit, kind)?;
            self.0.iter().try_for_each(|(market, of)| {
                metric(of).encode(family.encode_family(&[("market", market.as_str())])?)
            })
        };
        let seconds = Some(&Unit::Seconds);
        each("queue_len", "What waits for the sequencer", None, |of| &of.queue_len)?;
        each("apply_duration", "How long the engine took for a command", seconds, |of| &of.apply_seconds)?;
        each("group_len", "Commands and ticks that were made durable together", None, |of| &of.group_len)?;
        each("append_duration", "How long a group took to become durable", seconds, |of| &of.append_seconds)?;
        let help = "How long the market stood still to have its state recorded";
        each("record_duration", help, seconds, |of| &of.record_seconds)?;
        each("ledger_leaves", "Leaves of the ledger", None, |of| &of.leaves)?;
        each("store_behind_leaves", "Leaves that the store has not yet", None, |of| &of.store_behind)?;
        let help = "Commands, by what the rules said";
        let mut commands = encoder.encode_descriptor("commands", help, None, MetricType::Counter)?;
        self.0.iter().try_for_each(|(market, of)| {
            [("accepted", &of.accepted), ("rejected", &of.rejected)].into_iter().try_for_each(
                |(outcome, count)| {
                    let labels = [("market", market.as_str()), ("outcome", outcome)];
                    count.encode(commands.encode_family(&labels)?)
                },
            )
        })
    }
}

impl MarketMetrics {
    /// Counts a command.
    pub fn applied(&self, is_accepted: bool, took: Duration) {
        if is_accepted { &self.accepted } else { &self.rejected }.inc();
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
        let [market, other] = [(); 2].map(|()| MarketMetrics::default());
        let metrics = Metrics::new(vec![("park".into(), market.clone()), ("yard".into(), other)]);
        market.applied(true, Duration::from_micros(2));
        market.applied(false, Duration::from_micros(3));
        market.leaves.set(77);
        let text = metrics.text();
        for line in [
            "parkwatt_commands_total{market=\"park\",outcome=\"accepted\"} 1",
            "parkwatt_commands_total{market=\"park\",outcome=\"rejected\"} 1",
            "parkwatt_apply_duration_seconds_count{market=\"park\"} 2",
            "parkwatt_ledger_leaves{market=\"park\"} 77",
            "parkwatt_ledger_leaves{market=\"yard\"} 0",
            "parkwatt_connections 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is missing:\n{text}");
        }
        // The text's form allows a metric to be described once only.
        let described = text.lines().filter(|line| line.starts_with("# TYPE"));
        let mut described: Vec<&str> = described.collect();
        let count = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), count, "{text}");
    }
}
