//! Who works: two threads a market, which take turns, so that one applies while the other waits for the disk.
//!
//! Each takes a group from the queue to the receipts, hand over hand: it lets go of the sequencer only once it holds the
//! appender. So groups become durable in the order in which they were applied; while one is being synced the next may
//! already be applied, and no further one: its thread holds the sequencer until it gets the appender. What arrives until
//! then still comes into that group. Who has nothing to do sleeps at the queue, so that between a command and its sync only
//! one thread is woken, and only who puts a command in wakes anybody.
//!
//! What needs both at a time, the record of a state and a group that is closed while time passes, holds both: everything
//! before is durable then, and nothing else is applied.

use std::{
    sync::{Mutex, MutexGuard},
    thread::JoinHandle,
};

use super::{Group, GroupLimits, Inbox, Sequencer};
use crate::{append::Appender, apply::Replica, clock::Clock};

/// Starts a market's threads, and returns the one that ends behind the other.
pub fn start(
    name: &str,
    inbox: Inbox,
    limits: GroupLimits,
    clock: Clock,
    replica: Replica,
    appender: Appender,
) -> JoinHandle<()> {
    let metrics = inbox.metrics.clone();
    let unstored = super::HashMap::new();
    let sequencer = Sequencer { replica, clock, limits, metrics, unstored, stops: false };
    let turns = Turns { inbox, sequencer: Mutex::new(sequencer), appender: Mutex::new(appender) };
    let named = |what: &str| std::thread::Builder::new().name(format!("{what}-{name}"));
    let other = named("market");
    named("market")
        .spawn(move || {
            let turns = turns;
            std::thread::scope(|scope| {
                other.spawn_scoped(scope, || turns.run()).expect(STARTS);
                turns.run();
            });
            // The store gets everything before the queue is gone.
            drop(turns.appender);
        })
        .expect(STARTS)
}

const STARTS: &str = "the system starts two threads for each market when the node starts";

struct Turns {
    inbox: Inbox,
    sequencer: Mutex<Sequencer>,
    appender: Mutex<Appender>,
}

/// The appender, once it is needed.
pub(super) struct Hold<'a> {
    appender: &'a Mutex<Appender>,
    held: Option<MutexGuard<'a, Appender>>,
}

impl Turns {
    /// Takes turns until the market stops.
    fn run(&self) {
        let mut idle_until = hold(&self.sequencer).idle_until();
        loop {
            self.inbox.sleep(idle_until);
            let mut sequencer = hold(&self.sequencer);
            if sequencer.stops {
                return;
            }
            let mut hold = Hold { appender: &self.appender, held: None };
            let mut group = Group::default();
            if !sequencer.fill(&self.inbox, &mut group, &mut hold) {
                // Something is due, or the other thread has taken what there was.
                let now = sequencer.clock.now();
                sequencer.let_time_pass(now, &mut group, &mut hold);
            }
            if !group.is_empty() {
                // Here the group before becomes durable, if it is not.
                hold.appender();
                sequencer.fill(&self.inbox, &mut group, &mut hold);
            }
            if sequencer.stops {
                self.inbox.stop();
            }
            if sequencer.must_record() {
                sequencer.make_durable(group, hold.appender());
                idle_until = sequencer.idle_until();
                continue;
            }
            sequencer.end(&mut group);
            idle_until = sequencer.idle_until();
            drop(sequencer);
            if !group.is_empty() {
                hold.appender().finish(group);
            }
        }
    }
}

impl Hold<'_> {
    /// Returns the appender, after the group before is durable.
    pub(super) fn appender(&mut self) -> &mut Appender {
        self.held.get_or_insert_with(|| hold(self.appender))
    }
}

/// Holds what only one thread may hold. A thread that panics takes the other one with it.
fn hold<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().expect("the other thread of this market lives")
}
