//! Step 6, append: what was applied becomes durable in the journal, then visible, then queryable in the
//! store.
//!
//! The journal's sync is what durable means. The store is written behind it by a thread of its own, off the
//! path of receipts. An I/O error ends the process: no receipt is given that is not true, and recovery
//! decides what is.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use parkwatt_ledger::{Group, Ledger, SignedCheckpoint, Snapshot, Store, write_snapshot};
use parkwatt_proto::v1;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{
    apply::Applied,
    index::{BY_DIGEST, digest, index_rows, participants},
    metrics::MarketMetrics,
    receipt::receipt_again,
    recent::{Concerned, Happened, Recent},
    refusal::Refused,
    sequence::{PendingCommand, Queue},
    state::State,
    views::Views,
};

/// How many groups may wait for the store before the sequencer waits for it.
const BEHIND_LEN_MAX: usize = 64;

/// A command whose nonce was used: perhaps the same bytes again.
pub struct Repeat(pub PendingCommand);

/// What readers share with the market's thread.
pub struct Shared {
    /// The picture that readers see.
    pub views: RwLock<Views>,
    /// The newest checkpoint.
    pub checkpoint: RwLock<SignedCheckpoint>,
    /// The ledger that is queried; none where the market is read-only.
    pub store: Option<Store>,
    /// How many leaves `store` has: it is written behind the checkpoint.
    pub stored: watch::Receiver<u64>,
    /// What became durable lately.
    pub recent: Recent,
    /// Who waits for what is about him.
    pub concerned: Concerned,
    /// What is measured of the market.
    pub metrics: MarketMetrics,
}

/// Makes groups durable.
pub struct Appender {
    ledger: Ledger,
    /// The ledger's folder.
    dir: PathBuf,
    shared: Arc<Shared>,
    behind: Option<SyncSender<Behind>>,
    thread: Option<JoinHandle<()>>,
    /// Writes the last snapshot.
    snapshot: Option<JoinHandle<()>>,
}

enum Behind {
    Group(Box<Group>),
    LookUp(Box<Repeat>),
}

impl Appender {
    /// Starts the thread that writes `store` and says in `stored` how far it is; what it finds not to be a
    /// repeat goes to `queue` again.
    pub fn start(
        ledger: Ledger,
        dir: PathBuf,
        shared: Arc<Shared>,
        store: Store,
        stored: watch::Sender<u64>,
        queue: Queue,
    ) -> Appender {
        let (behind, work) = sync_channel(BEHIND_LEN_MAX);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn({
                let shared = shared.clone();
                move || write_behind(&work, &store, &stored, &queue, &shared)
            })
            .expect("the system starts one thread for each store when the node starts");
        Appender { ledger, dir, shared, behind: Some(behind), thread: Some(thread), snapshot: None }
    }

    /// Returns when `applied` is durable and visible: what the store is still to be given.
    pub fn append(&mut self, applied: &[Arc<Applied>]) -> Group {
        let leaves = applied.iter().flat_map(|applied| applied.leaves.iter().cloned()).collect();
        let begun = Instant::now();
        let group = match self.ledger.append(leaves) {
            Ok(group) => group,
            Err(problem) => {
                error!(%problem, "the journal cannot be written; the node ends here, and recovery decides");
                std::process::exit(crate::EXIT_DISK.into());
            }
        };
        // Here a crash finds the group in the journal; its receipts may or may not have been given.
        let metrics = &self.shared.metrics;
        metrics.append_seconds.observe(begun.elapsed().as_secs_f64());
        metrics.group_len.observe(f64::from(u32::try_from(applied.len()).unwrap_or(u32::MAX)));
        metrics.leaves.set(group.end_index());
        metrics.store_behind.inc_by(len_of(&group));
        {
            let mut views = self.shared.views.write().expect("no writer of the views panics and lives");
            let happened =
                |applied: &Arc<Applied>| Happened { books: views.observe(applied), applied: applied.clone() };
            let happened = applied.iter().map(happened).collect();
            self.shared.recent.put(happened);
        }
        let mut checkpoint =
            self.shared.checkpoint.write().expect("no writer of a checkpoint panics and lives");
        checkpoint.clone_from(&group.checkpoint);
        group
    }

    /// Returns the picture that readers see, as [`State`] has it.
    pub fn views(&self) -> Vec<u8> {
        self.shared.views.read().expect("no writer of the views panics and lives").to_bytes()
    }

    /// Appends the record of a state, and has the state kept as a snapshot by a thread of its own. While one is
    /// being written, the next is left out.
    pub fn record(&mut self, applied: Applied, state: State) {
        let tree = self.ledger.tree().clone();
        let group = self.append(&[Arc::new(applied)]);
        if self.snapshot.as_ref().is_none_or(JoinHandle::is_finished) {
            let (dir, checkpoint) = (self.dir.clone(), group.checkpoint.clone());
            let thread = std::thread::Builder::new().name("snapshot".into());
            let write = move || keep(&dir, &Snapshot { tree, checkpoint, state: state.encode() });
            self.snapshot = thread.spawn(write).ok();
        }
        self.store(group);
    }

    /// Gives the store what was appended, once those who wait for it have heard: its thread would take a core
    /// from them.
    pub fn store(&mut self, group: Group) {
        self.send(Behind::Group(Box::new(group)));
    }

    /// Looks a command up behind everything that was appended, and gives its first receipt.
    pub fn look_up(&mut self, repeat: Repeat) {
        self.send(Behind::LookUp(Box::new(repeat)));
    }

    fn send(&mut self, work: Behind) {
        let behind = self.behind.as_ref().expect("the channel closes when the appender is dropped");
        if behind.send(work).is_err() {
            error!("the store's thread has ended; the node ends here, and rebuilds the store when it starts");
            std::process::exit(crate::EXIT_DISK.into());
        }
    }
}

impl Drop for Appender {
    /// Waits until the store has everything.
    fn drop(&mut self) {
        self.behind = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(snapshot) = self.snapshot.take() {
            let _ = snapshot.join();
        }
    }
}

/// Keeps a snapshot. Without it the next opening takes longer, and nothing else is lost.
fn keep(dir: &Path, snapshot: &Snapshot) {
    let (leaves, bytes) = (snapshot.tree.size(), snapshot.state.len());
    match write_snapshot(dir, snapshot) {
        Ok(()) => info!(leaves, bytes, "a snapshot was kept"),
        Err(problem) => {
            warn!(%problem, leaves, "no snapshot was kept; opening will begin with an earlier one");
        }
    }
}

fn len_of(group: &Group) -> i64 {
    i64::try_from(group.leaves.len()).expect("a group of 4 GiB has fewer leaves")
}

fn write_behind(
    work: &Receiver<Behind>,
    store: &Store,
    stored: &watch::Sender<u64>,
    queue: &Queue,
    shared: &Shared,
) {
    for work in work {
        match work {
            Behind::Group(group) => {
                let rows = index_rows(&group);
                if let Err(problem) = store.apply(&group, &rows) {
                    // Nothing is lost: the journal has it, and the store is rebuilt from it at the next
                    // start.
                    error!(%problem, "the store cannot be written");
                    return;
                }
                stored.send_replace(group.end_index());
                shared.concerned.tell(participants(&rows), group.end_index());
                shared.metrics.store_behind.dec_by(len_of(&group));
            }
            Behind::LookUp(repeat) => look_up(store, queue, repeat.0),
        }
    }
    if let Err(problem) = store.flush() {
        warn!(%problem, "the store was not flushed; it will catch up from the journal");
    }
}

fn look_up(store: &Store, queue: &Queue, mut command: PendingCommand) {
    match (first_receipt(store, &command.signed), store.size()) {
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
fn first_receipt(store: &Store, signed: &v1::SignedCommand) -> Result<Option<v1::Receipt>, String> {
    let value = store.get_index(BY_DIGEST, &digest(signed)).map_err(|problem| problem.to_string())?;
    let Some(value) = value else { return Ok(None) };
    let index = value.try_into().map_err(|_| "an entry of the digests' index has not 8 bytes".to_string())?;
    let leaf = |at| store.leaf(at).map_err(|problem| problem.to_string());
    receipt_again(u64::from_be_bytes(index), leaf).map(Some)
}
