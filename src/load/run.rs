//! One run: commands into streams, by a closed or an open loop, and how long each was under way.
//!
//! Keeps: an open loop hands in each command when it is due or as soon as it can after, and never waits for an answer;
//! what it was late itself is told, and counts as latency.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use parkwatt_proto::v1::{
    Receipt, SignedCommand, answer, exchange_client::ExchangeClient, order_answer, outcome::Kind as Outcome,
};
use serde::Serialize;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;

use super::node::{time_used, time_used_until_idle};

/// The longest latency that is told apart: a minute.
const LATENCY_MAX_MICROS: u64 = 60_000_000;

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One order.
    Single,
    /// A day of orders under one signature.
    Schedule,
}

/// When the next command is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// When one is answered.
    Closed {
        /// How many are under way.
        in_flight: u32,
    },
    /// When it is due.
    Open {
        /// How many are due in a second.
        per_s: u32,
    },
}

/// What became of the orders.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Commands that were answered.
    pub commands: u64,
    /// Orders that were accepted.
    pub accepted: u64,
    /// Orders that a rule refused.
    pub rejected: u64,
    /// Commands that were refused before any rule looked at them.
    pub refused: u64,
}

/// A run, and what came of it.
#[derive(Debug, Serialize)]
pub struct Run {
    /// What a command was.
    pub shape: Shape,
    /// How they were handed in.
    #[serde(rename = "loop")]
    pub how: Loop,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// From the first command until the last answer, in microseconds.
    pub took_us: u64,
    /// Accepted orders a second.
    pub orders_per_s: u64,
    /// Half of the commands took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 % took no longer.
    pub p99_us: u64,
    /// 99.9 % took no longer.
    pub p99_9_us: u64,
    /// The longest.
    pub max_us: u64,
    /// What the generator itself was late, at the most; none in a closed loop.
    pub late_max_us: Option<u64>,
    /// The server's processor time for an order, until it had nothing left to do, in nanoseconds; none where its
    /// process is not known.
    pub server_cpu_ns_per_order: Option<u64>,
}

/// Returns a histogram of microseconds with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_MICROS, 3).expect("the bounds are in order")
}

/// Returns whole microseconds.
pub fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// What all streams of a run add to.
struct Told {
    latencies: Histogram<u64>,
    counts: Counts,
}

/// One stream: what is to be handed in, and since when each of those under way counts.
struct Lane {
    exchange: ExchangeClient<Channel>,
    commands: VecDeque<SignedCommand>,
}

impl Run {
    /// Hands commands in, one stream a connection, and waits until each is answered.
    pub async fn of(
        shape: Shape,
        how: Loop,
        commands: Vec<SignedCommand>,
        channels: Vec<ExchangeClient<Channel>>,
        process: Option<u32>,
    ) -> anyhow::Result<Run> {
        let before = process.map(time_used).transpose()?;
        let told = Arc::new(Mutex::new(Told { latencies: histogram(), counts: Counts::default() }));
        let lanes = share_out(commands, channels);
        let begin = Instant::now();
        let late = match how {
            Loop::Closed { in_flight } => {
                closed(lanes, in_flight, &told).await?;
                None
            }
            Loop::Open { per_s } => Some(open(lanes, per_s, &told).await?),
        };
        let took = begin.elapsed();
        let used = match process {
            Some(process) => Some(time_used_until_idle(process).await?),
            None => None,
        };
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = told.counts;
        let orders = (counts.accepted + counts.rejected).max(1);
        let each = |used: Duration| u64::try_from(used.as_nanos()).unwrap_or(u64::MAX) / orders;
        Ok(Run {
            shape,
            how,
            counts,
            took_us: micros(took),
            orders_per_s: counts.accepted * 1_000_000 / micros(took).max(1),
            p50_us: told.latencies.value_at_percentile(50.0),
            p99_us: told.latencies.value_at_percentile(99.0),
            p99_9_us: told.latencies.value_at_percentile(99.9),
            max_us: told.latencies.max(),
            late_max_us: late.map(micros),
            server_cpu_ns_per_order: used.zip(before).map(|(used, before)| each(used.saturating_sub(before))),
        })
    }
}

/// Gives each stream its part. One owner's commands must keep their order, so all of one key go the same way.
fn share_out(commands: Vec<SignedCommand>, channels: Vec<ExchangeClient<Channel>>) -> Vec<Lane> {
    let lane = |exchange| Lane { exchange, commands: VecDeque::new() };
    let mut lanes: Vec<Lane> = channels.into_iter().map(lane).collect();
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for command in commands {
        let number = keys.iter().position(|key| *key == command.public_key).unwrap_or_else(|| {
            keys.push(command.public_key.clone());
            keys.len() - 1
        });
        let count = lanes.len();
        lanes[number % count].commands.push_back(command);
    }
    lanes
}

/// Hands in the next one when one is answered.
async fn closed(lanes: Vec<Lane>, in_flight: u32, told: &Arc<Mutex<Told>>) -> anyhow::Result<()> {
    let each = (in_flight as usize).div_ceil(lanes.len());
    let mut streams = JoinSet::new();
    for mut lane in lanes {
        let (hand_in, since) = (unbounded_channel(), unbounded_channel());
        let (to_node, to_clock) = (hand_in.0, since.0);
        let next = move || {
            let Some(command) = lane.commands.pop_front() else { return false };
            // Nobody hears it where the stream has broken, which the answers say.
            let _ = (to_clock.send(Instant::now()), to_node.send(command));
            true
        };
        streams.spawn(answers(lane.exchange, hand_in.1, since.1, told.clone(), Some((each, next))));
    }
    all(streams).await
}

/// Hands in each when it is due, and returns what the latest was late.
async fn open(lanes: Vec<Lane>, per_s: u32, told: &Arc<Mutex<Told>>) -> anyhow::Result<Duration> {
    let mut streams = JoinSet::new();
    let mut queues = Vec::new();
    for lane in lanes {
        let (hand_in, since) = (unbounded_channel(), unbounded_channel());
        queues.push((lane.commands, hand_in.0, since.0));
        let never = None::<(usize, fn() -> bool)>;
        streams.spawn(answers(lane.exchange, hand_in.1, since.1, told.clone(), never));
    }
    // A thread of its own: the runtime's clock has milliseconds.
    let paced = tokio::task::spawn_blocking(move || pace(queues, per_s));
    all(streams).await?;
    paced.await.context("the pace was lost")
}

type Queue = (VecDeque<SignedCommand>, UnboundedSender<SignedCommand>, UnboundedSender<Instant>);

fn pace(mut queues: Vec<Queue>, per_s: u32) -> Duration {
    let begin = Instant::now();
    let mut late_max = Duration::ZERO;
    for number in 0.. {
        let due = begin + Duration::from_secs(1) * number / per_s;
        let now = Instant::now();
        if now < due {
            std::thread::sleep(due - now);
        }
        let count = queues.len();
        // The next one that has any left, in turn.
        let turn = (number as usize) % count;
        let Some(queue) = (0..count).map(|step| (turn + step) % count).find(|it| !queues[*it].0.is_empty())
        else {
            return late_max;
        };
        let (commands, to_node, to_clock) = &mut queues[queue];
        late_max = late_max.max(due.elapsed());
        if let Some(command) = commands.pop_front() {
            let _ = (to_clock.send(due), to_node.send(command));
        }
    }
    late_max
}

/// Reads a stream's answers, and has `next` hand in another behind each; first so many.
async fn answers(
    mut exchange: ExchangeClient<Channel>,
    commands: UnboundedReceiver<SignedCommand>,
    mut since: UnboundedReceiver<Instant>,
    told: Arc<Mutex<Told>>,
    mut next: Option<(usize, impl FnMut() -> bool)>,
) -> anyhow::Result<()> {
    if let Some((first, next)) = &mut next {
        for _ in 0..*first {
            next();
        }
    }
    let mut answers = exchange.submit_stream(UnboundedReceiverStream::new(commands)).await?.into_inner();
    // It ends when nothing is left to be handed in and everything is answered.
    while let Some(since) = since.recv().await {
        let Some(answer) = answers.message().await? else {
            bail!("the node ended a stream before its last answer")
        };
        let took = since.elapsed();
        {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.latencies.saturating_record(micros(took));
            told.counts.commands += 1;
            match answer.kind {
                Some(answer::Kind::Receipt(receipt)) => told.counts.take(&receipt),
                _ => told.counts.refused += 1,
            }
        }
        let more = next.as_mut().is_none_or(|(_, next)| next());
        if !more {
            // The last sender goes with it.
            next = None;
        }
    }
    Ok(())
}

impl Counts {
    fn take(&mut self, receipt: &Receipt) {
        match receipt.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref()) {
            Some(Outcome::Placed(placed)) => {
                for answer in &placed.orders {
                    match answer.kind {
                        Some(order_answer::Kind::Accepted(_)) => self.accepted += 1,
                        _ => self.rejected += 1,
                    }
                }
            }
            _ => self.rejected += 1,
        }
    }
}

async fn all(mut streams: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = streams.join_next().await {
        ended.context("a stream was lost")??;
    }
    Ok(())
}
