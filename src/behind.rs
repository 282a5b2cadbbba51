//! The store, written behind the journal by a thread of its own, off the path of receipts.
//!
//! Knows who waits for the store, and so how long it may wait itself: many groups at once cost far less than each by
//! itself. Does not know when a group is durable. Keeps: groups reach the store in their order; a command is looked up
//! behind everything that was put before it; what waits is bounded, in bytes.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parkwatt_ledger::{Group, Rows, Store, StoreError};
use parkwatt_proto::v1;
use tokio::sync::watch;
use tracing::{error, warn};

use crate::{
    append::Shared,
    index::{index_rows, leaf_of_same, participants},
    receipt::receipt_again,
    refusal::Refused,
    sequence::{PendingCommand, Queue},
};

/// How many bytes of leaves are enough for the store to be written at once.
const BYTES_ENOUGH: usize = 2 << 20;
/// How many bytes of leaves may wait for the store before the sequencer waits for it.
const BYTES_MAX: usize = 64 << 20;

/// How many commands may wait to be looked up before callers are told to come later, and how many bytes of them.
const REPEATS_MAX: usize = 4_096;
const REPEATS_BYTES_MAX: usize = 16 << 20;
/// How many are looked up at once: groups that came meanwhile are written before the next ones.
const REPEATS_AT_ONCE: usize = 64;

/// A command whose nonce was used: perhaps the same bytes again.
pub struct Repeat(pub PendingCommand);

/// What waits for the store.
pub struct Backlog {
    delay: Duration,
    waiting: Mutex<Waiting>,
    /// Told to the store's thread when it has something to do, and to the sequencer when there is room again.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    groups: Vec<Group>,
    bytes: usize,
    repeats: VecDeque<Repeat>,
    repeats_bytes: usize,
    /// When the first of the groups came.
    since: Option<Instant>,
    /// How many leaves the store has.
    stored: u64,
    /// How many leaves somebody waits for.
    wanted: u64,
    /// How many there are who follow what the store has.
    followers: usize,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Nothing more comes.
    Closed,
    /// The store cannot be written.
    Broken,
}

/// Somebody who follows what the store has: as long as there is one, nothing waits to be written.
pub struct Follower(Arc<Backlog>);

/// The store's thread has ended before its time.
pub struct Broken;

impl Backlog {
    /// Returns an empty one, whose first group waits so long for others at most, while nobody waits for it.
    pub fn new(delay: Duration, stored: u64) -> Arc<Backlog> {
        let waiting = Mutex::new(Waiting { stored, ..Waiting::default() });
        Arc::new(Backlog { delay, waiting, changed: Condvar::new() })
    }

    /// Has the store written soon until it has so many leaves, since somebody waits for them.
    pub fn want(&self, leaves: u64) {
        let mut waiting = self.waiting();
        if leaves > waiting.wanted.max(waiting.stored) {
            waiting.wanted = leaves;
            self.changed.notify_all();
        }
    }

    /// Has the store written soon as long as what is returned is held.
    pub fn follow(self: &Arc<Backlog>) -> Follower {
        self.waiting().followers += 1;
        self.changed.notify_all();
        Follower(self.clone())
    }

    /// Puts a group, once there is room.
    pub fn put(&self, group: Group) -> Result<(), Broken> {
        let mut waiting = self.waiting();
        while waiting.bytes >= BYTES_MAX && waiting.state == State::Open {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.state == State::Broken {
            return Err(Broken);
        }
        waiting.bytes += group.leaves.iter().map(Vec::len).sum::<usize>();
        waiting.groups.push(group);
        let is_first = waiting.since.is_none();
        waiting.since.get_or_insert_with(Instant::now);
        // The first one has the thread begin to count; behind it, it need not hear of each.
        if is_first || waiting.is_urgent() {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Looks a command up behind everything that was put, and gives its first receipt; where too many wait already, its
    /// caller is told to come later.
    pub fn look_up(&self, repeat: Repeat) -> Result<(), Broken> {
        let mut waiting = self.waiting();
        if waiting.state == State::Broken {
            return Err(Broken);
        }
        let bytes = waiting.repeats_bytes + repeat.len();
        if waiting.repeats.len() == REPEATS_MAX || bytes > REPEATS_BYTES_MAX {
            drop(waiting);
            repeat.0.answer(Err(Refused::Busy));
            return Ok(());
        }
        waiting.repeats_bytes = bytes;
        waiting.repeats.push_back(repeat);
        self.changed.notify_all();
        Ok(())
    }

    /// Has everything written, and then the thread end.
    pub fn close(&self) {
        let mut waiting = self.waiting();
        if waiting.state == State::Open {
            waiting.state = State::Closed;
        }
        self.changed.notify_all();
    }

    fn break_off(&self) {
        let mut waiting = self.waiting();
        waiting.state = State::Broken;
        // Whoever waits for one of them hears that the market has stopped.
        waiting.repeats.clear();
        self.changed.notify_all();
    }

    /// Waits until there is something to do, and takes all groups and some repeats; nothing once it is closed and empty.
    fn take(&self) -> Option<(Vec<Group>, Vec<Repeat>)> {
        let mut waiting = self.waiting();
        loop {
            let left = waiting.since.map(|since| self.delay.saturating_sub(since.elapsed()));
            if !waiting.repeats.is_empty()
                || left == Some(Duration::ZERO)
                || left.is_some() && waiting.is_urgent()
            {
                waiting.bytes = 0;
                waiting.since = None;
                self.changed.notify_all();
                let some = waiting.repeats.len().min(REPEATS_AT_ONCE);
                let repeats: Vec<Repeat> = waiting.repeats.drain(..some).collect();
                waiting.repeats_bytes -= repeats.iter().map(Repeat::len).sum::<usize>();
                return Some((mem::take(&mut waiting.groups), repeats));
            }
            if left.is_none() && waiting.state == State::Closed {
                return None;
            }
            let wait = left.unwrap_or(Duration::MAX);
            waiting = self.changed.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn has_stored(&self, leaves: u64) {
        self.waiting().stored = leaves;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repeat {
    fn len(&self) -> usize {
        self.0.signed.payload.len()
    }
}

impl Waiting {
    /// Returns whether what waits shall not wait for more.
    fn is_urgent(&self) -> bool {
        self.bytes >= BYTES_ENOUGH
            || self.wanted > self.stored
            || self.followers > 0
            || self.state != State::Open
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.waiting().followers -= 1;
    }
}

/// Starts the thread that writes `store` and says in `stored` how far it is; what it finds not to be a repeat goes to
/// `queue` again.
pub fn start(shared: Arc<Shared>, store: Store, stored: watch::Sender<u64>, queue: Queue) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            if let Err(problem) = write(&shared, &store, &stored, &queue) {
                // Nothing is lost: the journal has it, and the store is rebuilt from it at the next start.
                error!(%problem, "the store cannot be written");
                shared.backlog.break_off();
                return;
            }
            if let Err(problem) = store.flush() {
                warn!(%problem, "the store was not flushed; it will catch up from the journal");
            }
        })
        .expect("the system starts one thread for each store when the node starts")
}

fn write(
    shared: &Shared,
    store: &Store,
    stored: &watch::Sender<u64>,
    queue: &Queue,
) -> Result<(), StoreError> {
    let mut rows = Rows::default();
    while let Some((groups, repeats)) = shared.backlog.take() {
        if let Some(last) = groups.last() {
            let size = last.end_index();
            rows.clear();
            for group in &groups {
                index_rows(group, &mut rows);
            }
            let concerned: Vec<u32> = participants(&rows).collect();
            store.apply(&groups, &rows)?;
            shared.backlog.has_stored(size);
            stored.send_replace(size);
            shared.concerned.tell(concerned.into_iter(), size);
            shared.metrics.store_behind.dec_by(groups.iter().map(len_of).sum());
        }
        for repeat in repeats {
            look_up(store, queue, repeat.0);
        }
    }
    Ok(())
}

/// Returns how many leaves a group has, as the metrics count.
pub fn len_of(group: &Group) -> i64 {
    i64::try_from(group.leaves.len()).expect("a group of 4 GiB has fewer leaves")
}

fn look_up(store: &Store, queue: &Queue, mut command: PendingCommand) {
    match (first_receipt(store, &command.signed, command.request.nonce), store.size()) {
        (Ok(Some(receipt)), _) => command.answer(Ok(receipt)),
        (Ok(None), Ok(leaves)) => {
            // Other bytes under a used nonce: the engine refuses them, and the ledger says so.
            command.new_as_of = Some(leaves);
            queue.hand_in(command);
        }
        (Err(problem), _) => command.answer(Err(Refused::Unreadable(problem))),
        (_, Err(problem)) => command.answer(Err(problem.into())),
    }
}

/// Returns the receipt that these bytes were given first, if they were.
fn first_receipt(
    store: &Store,
    signed: &v1::SignedCommand,
    nonce: u64,
) -> Result<Option<v1::Receipt>, String> {
    let found = leaf_of_same(store, signed, nonce).map_err(|problem| problem.to_string())?;
    let leaf = |at| store.leaf(at).map_err(|problem| problem.to_string());
    found.map(|index| receipt_again(index, leaf)).transpose()
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{Command, LeafIndex, OrderId, Request, Timestamp};
    use parkwatt_ledger::{CheckpointSigner, Hash, Origin, SigningKey};

    use tokio::sync::oneshot::{self, error::TryRecvError};

    use super::*;

    /// So long that no test waits for it.
    const LONG: Duration = Duration::from_hours(1);

    /// Returns a group of one leaf behind the first `first_index`.
    fn group(first_index: u64) -> Group {
        let origin = Origin::new("parkwatt/park").unwrap();
        let signer = CheckpointSigner::new(origin, SigningKey::from_bytes(&[7; 32]));
        let checkpoint = signer.sign(first_index + 1, Hash([0; 32]));
        Group { first_index, leaves: vec![vec![0]], hashes: Vec::new(), checkpoint }
    }

    fn put(backlog: &Backlog, first_index: u64) {
        assert!(backlog.put(group(first_index)).is_ok());
    }

    /// Takes, on another thread, what there is once `then` was done.
    fn taken_after(backlog: &Arc<Backlog>, then: impl FnOnce()) -> usize {
        let (taken, taking) = (backlog.clone(), std::thread::yield_now);
        let thread = std::thread::spawn(move || taken.take().map_or(0, |(groups, _)| groups.len()));
        taking();
        then();
        thread.join().unwrap()
    }

    #[test]
    fn groups_wait_for_others_until_somebody_waits_for_them() {
        let backlog = Backlog::new(LONG, 0);
        let two = || [0, 1].into_iter().for_each(|index| put(&backlog, index));
        two();
        assert_eq!(taken_after(&backlog, || backlog.want(2)), 2);
        backlog.has_stored(2);
        two();
        let mut follower = None;
        assert_eq!(taken_after(&backlog, || follower = Some(backlog.follow())), 2);
        put(&backlog, 4);
        assert_eq!(taken_after(&backlog, || ()), 1, "while somebody follows, nothing waits");
        drop(follower);
        two();
        assert_eq!(taken_after(&backlog, || backlog.close()), 2);
        assert!(backlog.take().is_none(), "it is closed and empty");
    }

    #[test]
    fn what_somebody_waits_for_comes_soon_also_if_it_is_put_only_then() {
        let backlog = Backlog::new(LONG, 0);
        backlog.want(2);
        put(&backlog, 0);
        assert_eq!(taken_after(&backlog, || ()), 1);
        backlog.has_stored(1);
        assert_eq!(taken_after(&backlog, || put(&backlog, 1)), 1);
    }

    #[test]
    fn enough_bytes_wait_for_nobody_and_nobody_waits_for_a_store_that_is_broken() {
        let backlog = Backlog::new(LONG, 0);
        let long = |first_index| Group { leaves: vec![vec![0; BYTES_ENOUGH / 4]], ..group(first_index) };
        for index in 0..4 {
            assert!(!backlog.waiting().is_urgent());
            assert!(backlog.put(long(index)).is_ok());
        }
        assert_eq!(taken_after(&backlog, || ()), 4);
        backlog.break_off();
        assert!(backlog.put(group(9)).is_err());
    }

    #[test]
    fn so_many_repeats_wait_and_are_looked_up_a_few_at_a_time() {
        let backlog = Backlog::new(LONG, 0);
        let repeat = |payload_len| {
            let (receipt, waiting) = oneshot::channel();
            let signed = v1::SignedCommand { payload: vec![0; payload_len], ..v1::SignedCommand::default() };
            let request = Request {
                key: [0; 32],
                nonce: 1,
                expires_at: Timestamp(1),
                command: Command::CancelOrder(OrderId { index: LeafIndex(1), position: 0 }),
            };
            (Repeat(PendingCommand { signed, request, receipt, new_as_of: None }), waiting)
        };
        let mut waiting = Vec::new();
        for _ in 0..REPEATS_MAX {
            let (repeat, receipt) = repeat(1);
            waiting.push(receipt);
            assert!(backlog.look_up(repeat).is_ok());
        }
        let (one_more, mut refused) = repeat(1);
        assert!(backlog.look_up(one_more).is_ok());
        assert!(matches!(refused.try_recv(), Ok(Err(Refused::Busy))));
        assert_eq!(backlog.take().unwrap().1.len(), REPEATS_AT_ONCE);
        let (long, mut refused) = repeat(REPEATS_BYTES_MAX);
        assert!(backlog.look_up(long).is_ok());
        assert!(matches!(refused.try_recv(), Ok(Err(Refused::Busy))));
        backlog.break_off();
        assert!(waiting.iter_mut().all(|receipt| matches!(receipt.try_recv(), Err(TryRecvError::Closed))));
        assert!(backlog.look_up(repeat(1).0).is_err());
    }

    #[test]
    fn one_group_waits_for_the_delay_at_most() {
        let backlog = Backlog::new(Duration::from_millis(1), 0);
        assert_eq!(taken_after(&backlog, || put(&backlog, 0)), 1);
    }
}
