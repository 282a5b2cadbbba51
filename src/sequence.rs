//! Step 4, sequence: one total order, and one strictly rising time, given to one command after another.
//!
//! Whatever has arrived while the last group was being made durable is the next group, so an idle market
//! answers at once and a busy one batches itself. Who does this, and who makes it durable meanwhile, is said in
//! `turns`; the queue is in `queue`. Step 5, [`crate::apply`], runs here, at once; steps 6 and 7 follow for a
//! whole group.

mod queue;
mod turns;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parkwatt_engine::Timestamp;
use tokio::sync::oneshot;

use crate::{
    append::Appender,
    apply::{Applied, Replica},
    behind::Repeat,
    clock::Clock,
    index::digest,
    metrics::MarketMetrics,
    refusal::Refused,
    state::State,
};

pub use queue::{Inbox, PendingCommand, Queue, Reached, ReceiptSender, Work, queue};
use turns::Hold;
pub use turns::start;

/// The longest that an idle market sleeps, so that it sees a clock that was set.
const SLEEP_MAX: Duration = Duration::from_secs(1);

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

/// Gives commands their order and their time, and applies them.
struct Sequencer {
    replica: Replica,
    clock: Clock,
    limits: GroupLimits,
    metrics: MarketMetrics,
    /// Commands under a used nonce that were sequenced all the same, and may not be in the store yet: their
    /// digests, and their leaves' indices.
    unstored: HashMap<[u8; 32], u64>,
    /// Nothing is taken any more.
    stops: bool,
}

/// What is applied and not yet durable, and who waits for it.
#[derive(Default)]
pub struct Group {
    /// What was applied, in order.
    pub applied: Vec<Arc<Applied>>,
    /// Who waits for a receipt, and of what.
    pub receipts: Vec<(ReceiptSender, Arc<Applied>)>,
    /// What must be looked up behind it.
    pub repeats: Vec<Repeat>,
    /// Who waits for a moment, and what he hears.
    pub advanced: Vec<(oneshot::Sender<Reached>, Reached)>,
    bytes: usize,
    advances: Vec<oneshot::Sender<Reached>>,
}

impl Sequencer {
    /// Adds what has arrived, and returns whether anything had.
    fn fill(&mut self, inbox: &Inbox, group: &mut Group, hold: &mut Hold<'_>) -> bool {
        let mut has_taken = false;
        while self.has_room(group)
            && let Some(work) = inbox.take()
        {
            self.take(work, group, hold);
            has_taken = true;
        }
        has_taken
    }

    /// Ends a group: those who wait for a moment will hear how the market stood at its end.
    fn end(&self, group: &mut Group) {
        for waiting in std::mem::take(&mut group.advances) {
            let reached = self.clock.now().max(self.replica.last_at());
            group.advanced.push((waiting, (reached, self.replica.market().state_hash())));
        }
    }

    /// Returns until when nothing is to be done, unless something comes.
    fn idle_until(&self) -> Instant {
        Instant::now() + self.until_due()
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
        !self.stops && group.applied.len() < self.limits.commands_max && group.bytes < self.limits.bytes_max
    }

    fn take(&mut self, work: Work, group: &mut Group, hold: &mut Hold<'_>) {
        match work {
            Work::Command(command) => self.sequence(*command, group, hold),
            Work::AdvanceTo { to, done } => {
                self.let_time_pass(to, group, hold);
                self.clock.advance(to);
                group.advances.push(done);
            }
            Work::Stop => self.stops = true,
        }
    }

    fn sequence(&mut self, command: PendingCommand, group: &mut Group, hold: &mut Hold<'_>) {
        if self.may_be_a_repeat(&command) {
            group.repeats.push(Repeat(PendingCommand { new_as_of: None, ..command }));
            return;
        }
        if !self.speaks(&command) {
            let (key, market) = (command.request.key, self.replica.market().config().name.clone());
            command.answer(Err(Refused::UnknownKey { key, market }));
            return;
        }
        let at = self.moment_of_a_command(group, hold);
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
    fn moment_of_a_command(&mut self, group: &mut Group, hold: &mut Hold<'_>) -> Timestamp {
        loop {
            let at = self.next_moment(self.clock.now());
            if !self.replica.time_is_due(at) {
                return at;
            }
            self.let_time_pass(at, group, hold);
        }
    }

    /// Does everything that is due at or before `to`, each at its own moment.
    fn let_time_pass(&mut self, to: Timestamp, group: &mut Group, hold: &mut Hold<'_>) {
        while let Some(due) = self.replica.market().next_due().filter(|due| *due <= to) {
            let at = self.next_moment(due);
            let applied = Arc::new(self.replica.tick(at));
            group.push(applied);
            if !self.has_room(group) {
                self.make_durable(std::mem::take(group), hold.appender());
            }
        }
    }

    /// Time rises strictly, also where the clock stands still or was set back.
    fn next_moment(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp(self.replica.last_at().0 + 1))
    }

    /// Makes a group durable while nothing else is applied, and records the market's state behind it if it is time
    /// for that.
    fn make_durable(&mut self, mut group: Group, appender: &mut Appender) {
        self.end(&mut group);
        appender.finish(group);
        if self.must_record() {
            self.record_state(appender);
        }
    }

    fn must_record(&self) -> bool {
        self.replica.unrecorded() >= self.limits.snapshot_leaves
    }

    /// Records the market's state as a group of its own, and has a snapshot of it kept. The market stands still
    /// while its state is written out, and everything before is durable; nobody waits for the file.
    fn record_state(&mut self, appender: &mut Appender) {
        let begun = Instant::now();
        let (last_at, views) = (self.replica.last_at(), appender.views());
        let (applied, market) = self.replica.record_state();
        self.metrics.record_seconds.observe(begun.elapsed().as_secs_f64());
        appender.record(applied, State { last_at, market, views });
    }
}

impl Group {
    /// Returns whether it comes to nothing.
    fn is_empty(&self) -> bool {
        self.applied.is_empty()
            && self.repeats.is_empty()
            && self.advances.is_empty()
            && self.advanced.is_empty()
    }

    fn push(&mut self, applied: Arc<Applied>) {
        self.bytes += applied.leaves.iter().map(Vec::len).sum::<usize>();
        self.applied.push(applied);
    }
}
