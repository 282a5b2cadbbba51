//! Hosting: a market is opened from its ledger, or founded, and its thread started.
//!
//! Opening verifies the journal, replays it through the engine by the same code as normal life, and brings the store
//! up to it. Anything that does not fit stops here with a plain message, and no second history is ever signed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    thread::JoinHandle,
};

use parkwatt_engine::{ConfigError, MarketConfig};
use parkwatt_ledger::{
    CheckpointSigner, JournalOptions, Ledger, OpenError, Origin, OriginError, ReopenError, SignedCheckpoint,
    open_or_rebuild,
};
use tracing::info;

use crate::{
    append::{Appender, Shared, index_rows},
    apply::Replica,
    clock::Clock,
    config::NodeConfig,
    keys::{KeyError, NodeKeys},
    replay::{Divergence, Replay},
    sequence::{self, Ask, GroupLimits, Queue},
    views::Views,
};

/// The file with the ledger's verification key, beside the journal.
pub const VKEY_FILE: &str = "vkey";

/// A market as its services hold it.
pub struct Market {
    /// Its constitution.
    pub config: MarketConfig,
    /// The queue into its thread.
    pub queue: Queue,
    /// Its time.
    pub clock: Clock,
    /// What it shares with readers.
    pub shared: Arc<Shared>,
    /// How long a session may last, in seconds.
    pub session_s_max: u64,
}

/// A market and its thread.
pub struct Hosted {
    /// The market.
    pub market: Arc<Market>,
    thread: JoinHandle<()>,
}

/// Why a market cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file system, beside the ledger.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        source: std::io::Error,
    },
    /// The market's configuration.
    #[error("market.{0}")]
    Config(#[from] ConfigError),
    /// The market's zones.
    #[error("market.{0}")]
    Zones(String),
    /// The market's name.
    #[error("market.name: {0}")]
    Origin(#[from] OriginError),
    /// The journal.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The journal's leaves are not what the engine says.
    #[error("the journal is not what the engine makes of its commands: {0}; nothing was changed")]
    Diverged(#[from] Divergence),
    /// The store.
    #[error(transparent)]
    Store(#[from] ReopenError),
    /// The journal, when the market was founded.
    #[error("the journal cannot be written: {0}")]
    Append(#[from] parkwatt_ledger::AppendError),
}

impl Market {
    /// Returns the picture that readers see.
    pub fn views(&self) -> RwLockReadGuard<'_, Views> {
        self.shared.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the newest checkpoint.
    pub fn checkpoint(&self) -> SignedCheckpoint {
        self.shared.checkpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Hosted {
    /// Ends the market after everything that was handed in, and waits until all of it is durable and in the store.
    pub fn stop(self) {
        // A full queue is being emptied; a closed one has ended already.
        while let Err(crate::refusal::Refused::Busy) = self.market.queue.ask(Ask::Stop) {
            std::thread::yield_now();
        }
        let _ = self.thread.join();
    }
}

/// Opens the configured market under `config.data`, or founds it where there is no ledger yet.
///
/// `program` is `parkwattd`, whose `check-store` compares store and journal: a damaged store can end the process that
/// reads it, so that this one must not be the first.
pub fn open(
    config: &NodeConfig,
    keys: &NodeKeys,
    clock: Clock,
    program: &Path,
) -> Result<Hosted, HostError> {
    let founding = config.market.constitution(keys.operator.verifying_key().to_bytes());
    let founding = founding.map_err(HostError::Zones)?;
    let dir = config.data.join(&founding.name);
    let signer = CheckpointSigner::new(Origin::new(&format!("parkwatt/{}", founding.name))?, keys.node.clone());
    let verifier = signer.verifier();
    let options = JournalOptions { segment_bytes: config.segment_bytes };

    let mut recovery = Recovery::default();
    let mut ledger = Ledger::open(&dir, signer, &options, |group| {
        group.leaves.iter().try_for_each(|leaf| recovery.take(leaf)).map_err(HostError::from)
    })?;
    let (replica, views) = match recovery.finish()? {
        Some(recovered) => recovered,
        None => found(founding, &clock, &mut ledger)?,
    };
    clock.advance(replica.last_at());
    let vkey_file = dir.join(VKEY_FILE);
    std::fs::write(&vkey_file, format!("{}\n", verifier.vkey())).map_err(at(&vkey_file))?;
    let (store, reopened) = open_or_rebuild(&dir, &verifier, Command::new(program).arg("check-store").arg(&dir), index_rows)?;
    info!(leaves = ledger.size(), state_hash = replica.market().state_hash(), store = ?reopened, "market opened");

    let checkpoint = ledger.checkpoint().expect("a founded market has a checkpoint").clone();
    let market_config = replica.market().config().clone();
    let shared =
        Arc::new(Shared { views: RwLock::new(views), checkpoint: RwLock::new(checkpoint), store });
    let limits = GroupLimits { commands_max: config.group_commands_max, bytes_max: config.group_bytes_max };
    let (name, queue_len_max) = (&market_config.name, config.queue_len_max);
    let shared_of = shared.clone();
    let (queue, thread) = sequence::start(name, queue_len_max, limits, clock.clone(), replica, |queue| {
        Appender::start(ledger, shared_of, queue)
    });
    let market =
        Market { config: market_config, queue, clock, shared, session_s_max: config.session_s_max };
    Ok(Hosted { market: Arc::new(market), thread })
}

fn found(
    config: MarketConfig,
    clock: &Clock,
    ledger: &mut Ledger,
) -> Result<(Replica, Views), HostError> {
    let (replica, genesis) = Replica::found(config.clone(), clock.now())?;
    ledger.append(vec![genesis])?;
    info!(market = config.name, "market founded");
    Ok((replica, Views::new(config)))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HostError {
    move |source| HostError::Io { path: path.to_owned(), source }
}

/// A replay that also draws the views.
#[derive(Default)]
struct Recovery {
    replay: Replay,
    views: Option<Views>,
}

impl Recovery {
    fn take(&mut self, leaf: &[u8]) -> Result<(), Divergence> {
        let applied = self.replay.take(leaf)?;
        if self.views.is_none() {
            self.views = self.replay.replica().map(|replica| Views::new(replica.market().config().clone()));
        }
        if let (Some(applied), Some(views)) = (applied, &mut self.views) {
            views.observe(&applied);
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<(Replica, Views)>, Divergence> {
        Ok(self.replay.finish()?.zip(self.views))
    }
}
