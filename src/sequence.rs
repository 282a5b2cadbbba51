//! Step 4, sequence: one total order, and one strictly rising time, given by one plain thread for each
//! market.
//!
//! Whatever has arrived while the last group was being made durable is the next group, so an idle market
//! answers at once and a busy one batches itself. The queue is bounded; a full one is the caller's to hear
//! of. Steps 5 and 6 run here, on the same thread: [`crate::apply`] and [`crate::append`]. Step 7 follows the
//! sync.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parkwatt_engine::{Request, Timestamp};
use parkwatt_proto::v1;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use crate::{
    append::{Appender, Repeat},
    apply::{Applied, Replica},
    clock::Clock,
    index::digest,
    metrics::MarketMetrics,
    receipt::receipt,
    refusal::Refused,
    state::State,
};

/// The longest that an idle market sleeps, so that it sees a clock that was set.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Where a receipt is waited for.
pub type ReceiptSender = oneshot::Sender<Result<v1::Receipt, Refused>>;

/// What the sequencer has to do.
pub enum Work {
    /// That a command be sequenced.
    Command(Box<PendingCommand>),
    /// That a simulated clock move, and everything due by then happen.
    AdvanceTo {
        /// Until when.
        to: Timestamp,
        /// Hears the market's time and the hash of its state, once all is durable.
        done: oneshot::Sender<(Timestamp, u64)>,
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
    work: SyncSender<Work>,
    len: Gauge,
    /// Whether somebody takes out what is put in.
    inbox: Weak<()>,
}

impl Queue {
    /// Hands in a command; if the queue is full or the market has ended, its caller hears so at once.
    pub fn hand_in(&self, command: PendingCommand) {
        let (work, why) = match self.try_put(Work::Command(Box::new(command))) {
            Ok(()) => return,
            Err(TrySendError::Full(work)) => (work, Refused::Busy),
            Err(TrySendError::Disconnected(work)) => (work, Refused::Stopped),
        };
        if let Work::Command(command) = work {
            command.answer(Err(why));
        }
    }

    /// Ends the market after everything that was handed in before.
    pub fn stop(&self) {
        // A market that has ended already needs no stop.
        self.len.inc();
        let _ = self.work.send(Work::Stop);
    }

    /// Returns whether the market has ended, so that nothing is taken any more.
    pub fn has_ended(&self) -> bool {
        self.inbox.strong_count() == 0
    }

    /// Asks something else of the market.
    ///
    /// # Errors
    /// [`Refused::Busy`] if it is full, [`Refused::Stopped`] if the market has ended.
    pub fn put(&self, work: Work) -> Result<(), Refused> {
        self.try_put(work).map_err(|problem| match problem {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Stopped,
        })
    }

    fn try_put(&self, work: Work) -> Result<(), TrySendError<Work>> {
        // Counted before it is taken out.
        self.len.inc();
        self.work.try_send(work).inspect_err(|_| {
            self.len.dec();
        })
    }
}

/// How much is made durable together.
#[derive(Clone, Copy, Debug)]
pub struct GroupLimits {
    /// Commands.
    pub commands_max: usize,
    /// Bytes of leaves after which a group is closed.
    pub bytes_max: usize,
    /// Behind how many leaves the market's state is recorded, and a snapshot of it kept.
    pub snapshot_leaves: u64,
}

/// What stands in a market's queue.
pub struct Inbox {
    work: Receiver<Work>,
    metrics: MarketMetrics,
    _is_open: Arc<()>,
}

/// Returns a queue that holds at most `len_max`, and its other end.
pub fn queue(len_max: usize, metrics: &MarketMetrics) -> (Queue, Inbox) {
    let (sender, work) = sync_channel(len_max);
    let is_open = Arc::new(());
    let queue = Queue { work: sender, len: metrics.queue_len.clone(), inbox: Arc::downgrade(&is_open) };
    (queue, Inbox { work, metrics: metrics.clone(), _is_open: is_open })
}

/// Starts a market's thread.
pub fn start(
    name: &str,
    inbox: Inbox,
    limits: GroupLimits,
    clock: Clock,
    replica: Replica,
    appender: Appender,
) -> JoinHandle<()> {
    let metrics = inbox.metrics.clone();
    let sequencer = Sequencer { replica, clock, limits, appender, metrics, unstored: HashMap::new() };
    std::thread::Builder::new()
        .name(format!("market-{name}"))
        .spawn(move || sequencer.run(&inbox))
        .expect("the system starts one thread for each market when the node starts")
}

struct Sequencer {
    replica: Replica,
    clock: Clock,
    limits: GroupLimits,
    appender: Appender,
    metrics: MarketMetrics,
    /// Commands under a used nonce that were sequenced all the same, and may not be in the store yet: their
    /// digests, and their leaves' indices.
    unstored: HashMap<[u8; 32], u64>,
}

/// What is applied and not yet durable, and who waits for it.
#[derive(Default)]
struct Group {
    applied: Vec<Arc<Applied>>,
    bytes: usize,
    receipts: Vec<(ReceiptSender, Arc<Applied>)>,
    repeats: Vec<Repeat>,
    advanced: Vec<oneshot::Sender<(Timestamp, u64)>>,
    stops: bool,
}

impl Sequencer {
    fn run(mut self, inbox: &Inbox) {
        let inbox = &inbox.work;
        loop {
            let mut group = Group::default();
            match inbox.recv_timeout(self.until_due()) {
                Ok(work) => self.take(work, &mut group),
                Err(RecvTimeoutError::Timeout) => self.let_time_pass(self.clock.now(), &mut group),
                Err(RecvTimeoutError::Disconnected) => group.stops = true,
            }
            while self.has_room(&group) {
                let Ok(work) = inbox.try_recv() else { break };
                self.take(work, &mut group);
            }
            let stops = group.stops;
            self.make_durable(group);
            if stops {
                return;
            }
        }
    }

    fn until_due(&self) -> Duration {
        let due = self.replica.market().next_due();
        let micros = due.map_or(u64::MAX, |due| due.0.saturating_sub(self.clock.now().0));
        // A simulated clock does not pass by waiting.
        if matches!(self.clock, Clock::Simulated(_)) {
            SLEEP_MAX
        } else {
            SLEEP_MAX.min(Duration::from_micros(micros))
        }
    }

    fn has_room(&self, group: &Group) -> bool {
        !group.stops && group.applied.len() < self.limits.commands_max && group.bytes < self.limits.bytes_max
    }

    fn take(&mut self, work: Work, group: &mut Group) {
        self.metrics.queue_len.dec();
        match work {
            Work::Command(command) => self.sequence(*command, group),
            Work::AdvanceTo { to, done } => {
                self.let_time_pass(to, group);
                self.clock.advance(to);
                group.advanced.push(done);
            }
            Work::Stop => group.stops = true,
        }
    }

    fn sequence(&mut self, command: PendingCommand, group: &mut Group) {
        if self.may_be_a_repeat(&command) {
            group.repeats.push(Repeat(PendingCommand { new_as_of: None, ..command }));
            return;
        }
        if !self.speaks(&command) {
            let (key, market) = (command.request.key, self.replica.market().config().name.clone());
            command.answer(Err(Refused::UnknownKey { key, market }));
            return;
        }
        let at = self.moment_of_a_command(group);
        let begun = Instant::now();
        let applied = Arc::new(self.replica.command(at, command.signed, command.request));
        self.metrics.applied(applied.is_accepted(), begun.elapsed());
        group.receipts.push((command.receipt, applied.clone()));
        group.push(applied);
    }

    /// Returns whether the same bytes may have been sequenced before, so that they must be looked up: where
    /// their nonce was used, or where their key speaks no more.
    ///
    /// Two copies of bytes under a used nonce may both be found new before the first is stored; the second is
    /// looked up again then, behind the first.
    fn may_be_a_repeat(&mut self, command: &PendingCommand) -> bool {
        let is_new = command.request.nonce > self.replica.market().last_nonce(&command.request.key);
        let speaks = self.speaks(command);
        if is_new && speaks {
            return false;
        }
        let Some(as_of) = command.new_as_of else { return true };
        if !speaks {
            // Everything that its key ever asked was in the store when it was looked up.
            return false;
        }
        // Commands come back in the order of their look-ups, so that what one has seen stored all later ones
        // have.
        self.unstored.retain(|_, index| *index >= as_of);
        let digest = digest(&command.signed);
        let is_sequenced = self.unstored.contains_key(&digest);
        if !is_sequenced {
            self.unstored.insert(digest, self.replica.next_index());
        }
        is_sequenced
    }

    fn speaks(&self, command: &PendingCommand) -> bool {
        self.replica.market().participants().holder_of(&command.request.key).is_some()
    }

    /// Returns the moment of the next command, after doing everything that is due by then.
    ///
    /// Where the clock stands still or was set back, commands move time on by themselves, past what is due
    /// too.
    fn moment_of_a_command(&mut self, group: &mut Group) -> Timestamp {
        loop {
            let at = self.next_moment(self.clock.now());
            if !self.replica.time_is_due(at) {
                return at;
            }
            self.let_time_pass(at, group);
        }
    }

    /// Does everything that is due at or before `to`, each at its own moment.
    fn let_time_pass(&mut self, to: Timestamp, group: &mut Group) {
        while let Some(due) = self.replica.market().next_due().filter(|due| *due <= to) {
            let at = self.next_moment(due);
            let applied = Arc::new(self.replica.tick(at));
            group.push(applied);
            if !self.has_room(group) {
                self.make_durable(std::mem::take(group));
            }
        }
    }

    /// Time rises strictly, also where the clock stands still or was set back.
    fn next_moment(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp(self.replica.last_at().0 + 1))
    }

    fn make_durable(&mut self, group: Group) {
        let durable = (!group.applied.is_empty()).then(|| self.appender.append(&group.applied));
        // Only now does anybody hear of it. A receiver that is gone has hung up.
        for (waiting, applied) in group.receipts {
            let receipt = receipt(&applied).expect("only commands are waited for");
            let _ = waiting.send(Ok(receipt));
        }
        for waiting in group.advanced {
            let _ = waiting
                .send((self.clock.now().max(self.replica.last_at()), self.replica.market().state_hash()));
        }
        if let Some(durable) = durable {
            self.appender.store(durable);
        }
        for repeat in group.repeats {
            self.appender.look_up(repeat);
        }
        if self.replica.unrecorded() >= self.limits.snapshot_leaves {
            self.record_state();
        }
    }

    /// Records the market's state as a group of its own, and has a snapshot of it kept. The market stands still
    /// while its state is written out; nobody waits for the file.
    fn record_state(&mut self) {
        let begun = Instant::now();
        let (last_at, views) = (self.replica.last_at(), self.appender.views());
        let (applied, market) = self.replica.record_state();
        self.metrics.record_seconds.observe(begun.elapsed().as_secs_f64());
        self.appender.record(applied, State { last_at, market, views });
    }
}

impl Group {
    fn push(&mut self, applied: Arc<Applied>) {
        self.bytes += applied.leaves.iter().map(Vec::len).sum::<usize>();
        self.applied.push(applied);
    }
}
