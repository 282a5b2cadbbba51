//! The queue into a market: bounded, so that a full one is the caller's to hear of.
//!
//! Knows what waits, and which threads wait for it; does not know what becomes of it. Keeps: who puts something in wakes
//! one thread, if any sleeps, and none that would find the other one at it already.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use parkwatt_engine::{Request, Timestamp};
use parkwatt_proto::v1;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use crate::{metrics::MarketMetrics, refusal::Refused};

/// Where a receipt is waited for.
pub type ReceiptSender = oneshot::Sender<Result<v1::Receipt, Refused>>;

/// The market's time, and the hash of its state then.
pub type Reached = (Timestamp, u64);

/// What the sequencer has to do.
pub enum Work {
    /// That a command be sequenced.
    Command(Box<PendingCommand>),
    /// That a simulated clock move, and everything due by then happen.
    AdvanceTo {
        /// Until when.
        to: Timestamp,
        /// Hears what was reached, once all is durable.
        done: oneshot::Sender<Reached>,
    },
    /// That the market end, after everything that was handed in before.
    Stop,
}

/// A command on its way, authentic and parsed.
pub struct PendingCommand {
    /// As it was received.
    pub signed: v1::SignedCommand,
    /// As it was parsed.
    pub request: Request,
    /// Who waits.
    pub receipt: ReceiptSender,
    /// How many leaves the store had when it did not know these bytes; none where it was not asked.
    pub new_as_of: Option<u64>,
}

impl PendingCommand {
    /// Answers; a caller who has hung up does not hear it.
    pub fn answer(self, answer: Result<v1::Receipt, Refused>) {
        let _ = self.receipt.send(answer);
    }
}

/// The queue into a market.
#[derive(Clone)]
pub struct Queue {
    way: Arc<Way>,
    len: Gauge,
}

/// What both ends of a queue have in common.
struct Way {
    len_max: usize,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    /// How many threads sleep until something comes.
    sleepers: usize,
    /// Nobody shall sleep any more.
    stops: bool,
    /// The other end is gone.
    has_ended: bool,
}

/// Why something was not put in, and what.
enum NotPut {
    Full(Work),
    Ended(Work),
}

impl Queue {
    /// Hands in a command; if the queue is full or the market has ended, its caller hears so at once.
    pub fn hand_in(&self, command: PendingCommand) {
        let (work, why) = match self.try_put(Work::Command(Box::new(command))) {
            Ok(()) => return,
            Err(NotPut::Full(work)) => (work, Refused::Busy),
            Err(NotPut::Ended(work)) => (work, Refused::Stopped),
        };
        if let Work::Command(command) = work {
            command.answer(Err(why));
        }
    }

    /// Ends the market after everything that was handed in before.
    pub fn stop(&self) {
        // There is always room for that. A market that has ended already needs no stop.
        let _ = self.put_within(usize::MAX, Work::Stop);
    }

    /// Returns whether the market has ended, so that nothing is taken any more.
    pub fn has_ended(&self) -> bool {
        self.way.waiting().has_ended
    }

    /// Asks something else of the market.
    ///
    /// # Errors
    /// [`Refused::Busy`] if it is full, [`Refused::Stopped`] if the market has ended.
    pub fn put(&self, work: Work) -> Result<(), Refused> {
        self.try_put(work).map_err(|problem| match problem {
            NotPut::Full(_) => Refused::Busy,
            NotPut::Ended(_) => Refused::Stopped,
        })
    }

    fn try_put(&self, work: Work) -> Result<(), NotPut> {
        self.put_within(self.way.len_max, work)
    }

    fn put_within(&self, len_max: usize, work: Work) -> Result<(), NotPut> {
        let mut waiting = self.way.waiting();
        if waiting.has_ended {
            return Err(NotPut::Ended(work));
        }
        if waiting.work.len() >= len_max {
            return Err(NotPut::Full(work));
        }
        self.len.inc();
        waiting.work.push_back(work);
        let is_slept = waiting.sleepers > 0;
        drop(waiting);
        if is_slept {
            self.way.arrived.notify_one();
        }
        Ok(())
    }
}

impl Way {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands in a market's queue.
pub struct Inbox {
    way: Arc<Way>,
    pub(super) metrics: MarketMetrics,
}

impl Inbox {
    /// Sleeps until something has come, at most until a moment; not at all once the market stops.
    pub(super) fn sleep(&self, until: Instant) {
        let mut waiting = self.way.waiting();
        while waiting.work.is_empty() && !waiting.stops {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting.sleepers += 1;
            waiting = self.way.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            waiting.sleepers -= 1;
        }
    }

    /// Takes what has waited longest.
    pub(super) fn take(&self) -> Option<Work> {
        let taken = self.way.waiting().work.pop_front();
        if taken.is_some() {
            self.metrics.queue_len.dec();
        }
        taken
    }

    /// Wakes everybody, and lets nobody sleep again.
    pub(super) fn stop(&self) {
        self.way.waiting().stops = true;
        self.way.arrived.notify_all();
    }
}

impl Drop for Inbox {
    /// Who waits for what was not taken hears that the market has ended.
    fn drop(&mut self) {
        let mut waiting = self.way.waiting();
        waiting.has_ended = true;
        let left = std::mem::take(&mut waiting.work);
        drop(waiting);
        drop(left);
    }
}

/// Returns a queue that holds at most `len_max`, and its other end.
pub fn queue(len_max: usize, metrics: &MarketMetrics) -> (Queue, Inbox) {
    let way = Way { len_max, waiting: Mutex::default(), arrived: Condvar::new() };
    let way = Arc::new(way);
    (Queue { way: way.clone(), len: metrics.queue_len.clone() }, Inbox { way, metrics: metrics.clone() })
}
