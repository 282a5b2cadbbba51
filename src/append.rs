//! Step 6, append: what was applied becomes durable in the journal, then visible, then queryable in the
//! store.
//!
//! The journal's sync is what durable means. The store is written behind it, off the path of receipts
//! ([`crate::behind`]). An I/O error ends the process: no receipt is given that is not true, and recovery
//! decides what is.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    thread::JoinHandle,
    time::Instant,
};

use parkwatt_ledger::{Group, Ledger, SignedCheckpoint, Snapshot, Store, write_snapshot};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{
    apply::Applied,
    behind::{self, Backlog, Broken, len_of},
    metrics::MarketMetrics,
    receipt::receipt,
    recent::{Concerned, Happened, Recent},
    sequence::{Group as Gathered, Queue},
    state::State,
    views::Views,
};

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
    /// What waits for the store.
    pub backlog: Arc<Backlog>,
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
    /// Writes the store.
    behind: Option<JoinHandle<()>>,
    /// Writes the last snapshot.
    snapshot: Option<JoinHandle<()>>,
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
        let behind = Some(behind::start(shared.clone(), store, stored, queue));
        Appender { ledger, dir, shared, behind, snapshot: None }
    }

    /// Makes a group durable; only then does anybody hear of it.
    pub fn finish(&mut self, group: Gathered) {
        let durable = (!group.applied.is_empty()).then(|| self.append(&group.applied));
        // A receiver that is gone has hung up.
        for (waiting, applied) in group.receipts {
            let receipt = receipt(&applied).expect("only commands are waited for");
            let _ = waiting.send(Ok(receipt));
        }
        for (waiting, reached) in group.advanced {
            let _ = waiting.send(reached);
        }
        if let Some(durable) = durable {
            self.store(durable);
        }
        for repeat in group.repeats {
            self.shared.backlog.look_up(repeat).unwrap_or_else(|Broken| store_has_ended());
        }
    }

    /// Returns when `applied` is durable and visible: what the store is still to be given.
    fn append(&mut self, applied: &[Arc<Applied>]) -> Group {
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
    fn store(&mut self, group: Group) {
        self.shared.backlog.put(group).unwrap_or_else(|Broken| store_has_ended());
    }
}

fn store_has_ended() {
    error!("the store's thread has ended; the node ends here, and rebuilds the store when it starts");
    std::process::exit(crate::EXIT_DISK.into());
}

impl Drop for Appender {
    /// Waits until the store has everything.
    fn drop(&mut self) {
        self.shared.backlog.close();
        if let Some(thread) = self.behind.take() {
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
