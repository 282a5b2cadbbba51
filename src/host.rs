//! Hosting: a market is opened from its ledger, or founded, and its thread started.
//!
//! Opening verifies the journal, replays it through the engine by the same code as normal life, and brings
//! the store up to it. A ledger that does not fit leaves the market read-only, as far as it could be
//! verified, with a plain message; no second history is ever signed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    thread::JoinHandle,
    time::Duration,
};

use parkwatt_engine::{ConfigError, MarketConfig};
use parkwatt_ledger::{
    CheckpointSigner, JournalOptions, Ledger, OpenError, Origin, OriginError, ReadError, ReopenError,
    SignedCheckpoint, Store, has_journal, journal_dir, open_or_rebuild, snapshot_path,
};
use tokio::sync::watch;
use tracing::{error, info};

use crate::{
    append::{Appender, Shared},
    apply::Replica,
    behind::Backlog,
    clock::Clock,
    config::{MarketFile, NodeConfig},
    index::index_rows,
    keys::{KeyError, NodeKeys},
    metrics::MarketMetrics,
    recent::{Concerned, Recent},
    recovery::{PastCheck, Recovered, Recovery, Suspicion, was_read},
    refusal::Refused,
    replay::Divergence,
    sequence::{self, GroupLimits, Queue},
    views::Views,
    wire::log_origin,
    witnessed::{Witnessed, WitnessedError},
};

/// The file with the ledger's verification key, beside the journal.
pub const VKEY_FILE: &str = "vkey";

/// A market as its services hold it.
pub struct Market {
    /// Its constitution.
    pub config: MarketConfig,
    /// The way in for commands.
    pub door: Door,
    /// Its time.
    pub clock: Clock,
    /// What it shares with readers.
    pub shared: Arc<Shared>,
    /// How long a session may last, in seconds.
    pub session_s_max: u64,
    /// What witnesses have signed of its ledger; nothing where the market is read-only.
    pub witnessed: Option<Witnessed>,
    /// The ledger's verifier key; none where the ledger does not fit, since nothing is proved from it then.
    pub vkey: Option<String>,
}

/// The way into a market.
pub enum Door {
    /// The queue into its thread.
    Open(Queue),
    /// Its ledger does not fit: it can only be read, up to where it was verified.
    ReadOnly(String),
}

impl Door {
    /// Returns the queue.
    ///
    /// # Errors
    /// [`Refused::ReadOnly`] if there is none.
    pub fn queue(&self) -> Result<&Queue, Refused> {
        match self {
            Door::Open(queue) => Ok(queue),
            Door::ReadOnly(why) => Err(Refused::ReadOnly(why.clone())),
        }
    }
}

/// A market and its thread.
pub struct Hosted {
    /// The market.
    pub market: Arc<Market>,
    /// None where the market is read-only.
    thread: Option<JoinHandle<()>>,
    /// None where the past was read before the market was opened.
    past: Option<PastCheck>,
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
    /// The node's configuration.
    #[error("{0}")]
    Setting(String),
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
    /// There is no journal where there was one.
    #[error(
        "{}: the journal is gone, though {} says that this market was founded: restore it from a copy",
        journal.display(),
        mark.display()
    )]
    JournalGone {
        /// Where it should be.
        journal: PathBuf,
        /// What stands beside it.
        mark: PathBuf,
    },
    /// The journal's leaves are not what the engine says.
    #[error("the journal is not what the engine makes of its commands: {0}")]
    Diverged(#[from] Divergence),
    /// The store.
    #[error(transparent)]
    Store(#[from] ReopenError),
    /// The cosigned checkpoints beside the journal.
    #[error(transparent)]
    Witnessed(#[from] WitnessedError),
    /// The journal, when the market was founded.
    #[error("the journal cannot be written: {0}")]
    Append(#[from] parkwatt_ledger::AppendError),
}

impl From<ReadError> for HostError {
    fn from(problem: ReadError) -> HostError {
        HostError::Ledger(OpenError::Journal(problem))
    }
}

impl HostError {
    /// Returns whether the ledger was read, and does not fit.
    fn is_about_the_ledger(&self) -> bool {
        let journal = |problem: &ReadError| matches!(problem, ReadError::Corrupt { .. });
        match self {
            HostError::Ledger(OpenError::Journal(problem))
            | HostError::Store(ReopenError::Journal(problem)) => journal(problem),
            HostError::Ledger(
                OpenError::ShorterThanSnapshot { .. } | OpenError::OtherThanSnapshot { .. },
            )
            | HostError::Store(ReopenError::JournalShorterThanStore { .. })
            | HostError::Witnessed(WitnessedError::OtherHistory { .. })
            | HostError::Diverged(_) => true,
            _ => false,
        }
    }
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

    /// Returns the ledger that is queried.
    ///
    /// # Errors
    /// [`Refused::ReadOnly`] if the journal does not fit, and so no store could be held equal to it.
    pub fn store(&self) -> Result<&Store, Refused> {
        match (&self.shared.store, &self.door) {
            (Some(store), _) => Ok(store),
            (None, Door::ReadOnly(why)) => Err(Refused::ReadOnly(why.clone())),
            (None, Door::Open(_)) => unreachable!("an open market has a store"),
        }
    }

    /// Returns the ledger that is queried, once it has its first `size` leaves, which a checkpoint must
    /// cover.
    ///
    /// # Errors
    /// Those of [`Market::store`]; [`Refused::Stopped`] if it gets no further.
    pub async fn store_with(&self, size: u64) -> Result<&Store, Refused> {
        let store = self.store()?;
        self.shared.backlog.want(size);
        let mut stored = self.shared.stored.clone();
        let has_all = stored.wait_for(|stored| *stored >= size).await.is_ok();
        has_all.then_some(store).ok_or(Refused::Stopped)
    }
}

impl Hosted {
    /// Ends the market after everything that was handed in, and waits until all of it is durable and in the
    /// store.
    pub fn stop(self) {
        if let Door::Open(queue) = &self.market.door {
            queue.stop();
        }
        if let Some(past) = self.past {
            past.stop();
        }
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

/// Opens the market that `file` configures under `config.data`, or founds it where there is no ledger yet.
///
/// `program` is `parkwattd`, whose `check-store` compares store and journal: a damaged store can end the
/// process that reads it, so that this one must not be the first.
///
/// # Errors
/// What stands in the way. A ledger that was read and does not fit is no error: the market is read-only then.
pub fn open(
    config: &NodeConfig,
    file: &MarketFile,
    keys: &NodeKeys,
    clock: Clock,
    program: &Path,
) -> Result<Hosted, HostError> {
    let mut recovery = Recovery::default();
    match open_for_writing(config, file, keys, &clock, program, &mut recovery) {
        Err(problem) if problem.is_about_the_ledger() => read_only(recovery, config, clock, problem),
        opened => opened,
    }
}

fn open_for_writing(
    config: &NodeConfig,
    file: &MarketFile,
    keys: &NodeKeys,
    clock: &Clock,
    program: &Path,
    recovery: &mut Recovery,
) -> Result<Hosted, HostError> {
    config.check().map_err(HostError::Setting)?;
    let founding = file.constitution(keys.operator.verifying_key().to_bytes());
    let founding = founding.map_err(HostError::Zones)?;
    let dir = config.data.join(&founding.name);
    let signer = CheckpointSigner::new(Origin::new(&log_origin(&founding.name))?, keys.node.clone());
    let verifier = signer.verifier();
    let options = JournalOptions { segment_bytes: config.segment_bytes };

    // Both are made once the founding is durable: beside them an empty journal is one that has lost everything.
    let vkey_file = dir.join(VKEY_FILE);
    let mark = [vkey_file.clone(), Store::path(&dir)].into_iter().find(|path| path.exists());
    let gone = |mark| HostError::JournalGone { journal: journal_dir(&dir), mark };
    if let Some(mark) = mark.clone()
        && !has_journal(&dir).map_err(OpenError::from)?
    {
        return Err(gone(mark));
    }
    let Recovered { mut ledger, snapshot } = recovery.open(&dir, &signer, &options, Suspicion::of(&dir))?;
    if let Some(mark) = mark
        && ledger.size() == 0
    {
        return Err(gone(mark));
    }
    let founded = if ledger.size() == 0 { Some(found(founding, clock, &mut ledger)?) } else { None };
    std::fs::write(&vkey_file, format!("{}\n", verifier.vkey())).map_err(at(&vkey_file))?;
    let unread = snapshot.as_ref().map(|it| it.tree.clone()).unwrap_or_default();
    let mut probe = Command::new(program);
    probe
        .args(["check-store", "--held"])
        .arg(&dir)
        .args(snapshot.iter().map(|it| snapshot_path(&dir, it.tree.size())));
    let (store, reopened) = open_or_rebuild(&dir, &verifier, &unread, &mut probe, index_rows)?;
    let known = config.witnesses().map_err(HostError::Setting)?;
    let witnessed = Witnessed::open(&dir, verifier.clone(), known, &store)?;
    let (replica, views) = match founded {
        Some(founded) => founded,
        None => recovery.finish()?,
    };
    clock.advance(replica.last_at());
    let past = match unread.size() {
        0 => was_read(&dir).map(|()| None),
        _ => PastCheck::start(&dir, verifier.clone(), store.clone(), unread.clone()).map(Some),
    };
    let past = past.map_err(at(&dir))?;
    info!(
        leaves = ledger.size(),
        from = unread.size(),
        state_hash = %format_args!("{:016x}", replica.market().state_hash()),
        store = %reopened,
        "market opened"
    );

    let market_config = replica.market().config().clone();
    let checkpoint = ledger.checkpoint().expect("a founded market has a checkpoint").clone();
    let (stored, reached) = watch::channel(ledger.size());
    let metrics = MarketMetrics::default();
    metrics.leaves.set(ledger.size());
    let shared = Arc::new(Shared {
        views: RwLock::new(views),
        checkpoint: RwLock::new(checkpoint),
        store: Some(store.clone()),
        stored: reached,
        backlog: Backlog::new(Duration::from_millis(config.store_delay_ms), ledger.size()),
        recent: Recent::new(ledger.size(), config.streams.kept_bytes_max),
        concerned: Concerned::default(),
        metrics: metrics.clone(),
    });
    let limits = GroupLimits {
        commands_max: config.group_commands_max,
        bytes_max: config.group_bytes_max,
        snapshot_leaves: config.snapshot_leaves,
    };
    let (queue, inbox) = sequence::queue(config.queue_len_max, &metrics);
    let appender = Appender::start(ledger, dir, shared.clone(), store, stored, queue.clone());
    let thread = sequence::start(&market_config.name, inbox, limits, clock.clone(), replica, appender);
    let market = Market {
        config: market_config,
        door: Door::Open(queue),
        clock: clock.clone(),
        shared,
        session_s_max: config.session_s_max,
        witnessed: Some(witnessed),
        vkey: Some(verifier.vkey().to_owned()),
    };
    Ok(Hosted { market: Arc::new(market), thread: Some(thread), past })
}

fn found(config: MarketConfig, clock: &Clock, ledger: &mut Ledger) -> Result<(Replica, Views), HostError> {
    let (replica, genesis) = Replica::found(config.clone(), clock.now())?;
    ledger.append(vec![genesis])?;
    info!(market = config.name, "market founded");
    Ok((replica, Views::new(config)))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HostError {
    move |source| HostError::Io { path: path.to_owned(), source }
}

/// Returns the market as far as it was verified, for reading only.
///
/// # Errors
/// `problem` itself, if not even the market's founding was.
fn read_only(
    recovery: Recovery,
    config: &NodeConfig,
    clock: Clock,
    problem: HostError,
) -> Result<Hosted, HostError> {
    let Some((views, checkpoint)) = recovery.verified() else { return Err(problem) };
    error!(%problem, leaves = views.tree_size, "the ledger does not fit: the market is read-only");
    let market = Market {
        config: views.config.clone(),
        door: Door::ReadOnly(problem.to_string()),
        clock,
        shared: Arc::new(Shared {
            views: RwLock::new(views),
            checkpoint: RwLock::new(checkpoint),
            store: None,
            stored: watch::channel(0).1,
            backlog: Backlog::new(Duration::ZERO, 0),
            recent: Recent::new(0, 0),
            concerned: Concerned::default(),
            metrics: MarketMetrics::default(),
        }),
        session_s_max: config.session_s_max,
        witnessed: None,
        vkey: None,
    };
    Ok(Hosted { market: Arc::new(market), thread: None, past: None })
}
