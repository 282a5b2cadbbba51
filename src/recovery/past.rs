//! The past: what lies before the snapshot that a market was opened from, read while the market is open.
//!
//! Opening from a snapshot is quick because it does not read what lies before; a bit that has flipped there would
//! stay unseen. So it is read behind the market's back, at half a core's pace, and the store compared with it. If it
//! does not fit, or nobody could finish reading it three times in a row, the next opening reads everything first, and
//! decides: it makes the store anew, or leaves the market read-only.
//!
//! The file `unchecked` in the ledger's folder says how often reading it was begun and not finished.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parkwatt_ledger::{CheckpointVerifier, Comparison, Reader, Store, Tree, journal_dir};
use tracing::{error, info, warn};

use crate::index::rows_of;

/// The file that says how often the past was begun to be read and not finished.
pub const UNCHECKED_FILE: &str = "unchecked";
/// After how many of these the past is read before anything else.
const UNFINISHED_MAX: u32 = 3;
/// How long it is read before the thread rests for as long.
const SPELL: Duration = Duration::from_millis(5);

/// Whether what lies before a snapshot can be left for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// It can.
    None,
    /// It did not fit, or whoever read it ended again and again.
    OfThePast,
}

impl Suspicion {
    /// Returns what is known of the ledger in `dir`.
    pub fn of(dir: &Path) -> Suspicion {
        if unfinished(dir) < UNFINISHED_MAX { Suspicion::None } else { Suspicion::OfThePast }
    }
}

/// A thread that reads the past.
pub struct PastCheck {
    stops: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl PastCheck {
    /// Starts to read what lies before `tree` in the ledger in `dir`, and to compare `store` with it.
    ///
    /// What does not fit ends the process: the next opening decides.
    ///
    /// # Errors
    /// If it cannot be written down that this was begun.
    pub fn start(
        dir: &Path,
        verifier: CheckpointVerifier,
        store: Store,
        tree: Tree,
    ) -> std::io::Result<PastCheck> {
        write_unfinished(dir, unfinished(dir) + 1)?;
        let stops = Arc::new(AtomicBool::new(false));
        let (dir, seen) = (dir.to_owned(), stops.clone());
        let thread = std::thread::Builder::new().name("past".into());
        let thread = thread.spawn(move || conclude(&dir, read(&dir, &verifier, &store, &tree, &seen)))?;
        Ok(PastCheck { stops, thread })
    }

    /// Ends the reading, finished or not.
    pub fn stop(self) {
        self.stops.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}

/// Writes down that the whole past of the ledger in `dir` was read, and fits.
pub fn was_read(dir: &Path) -> std::io::Result<()> {
    let path = path(dir);
    if path.exists() { fs::remove_file(path) } else { Ok(()) }
}

/// What came of the reading.
enum Read {
    Whole { leaves: u64, took: Duration },
    Stopped,
}

fn read(
    dir: &Path,
    verifier: &CheckpointVerifier,
    store: &Store,
    tree: &Tree,
    stops: &AtomicBool,
) -> Result<Read, String> {
    let begun = Instant::now();
    let mut spell = begun;
    let mut comparison = Comparison::begin(store, &Tree::default());
    let mut reader =
        Reader::up_to(&journal_dir(dir), verifier, tree.size()).map_err(|problem| problem.to_string())?;
    for group in &mut reader {
        let group = group.map_err(|problem| problem.to_string())?;
        comparison.compare(&group, &rows_of(&group)).map_err(|problem| format!("the store: {problem}"))?;
        if stops.load(Ordering::Relaxed) {
            return Ok(Read::Stopped);
        }
        let worked = spell.elapsed();
        if worked >= SPELL {
            std::thread::sleep(worked);
            spell = Instant::now();
        }
    }
    if (reader.tree().size(), reader.tree().root()) != (tree.size(), tree.root()) {
        return Err(format!("the journal's first {} leaves are not those of the snapshot", tree.size()));
    }
    Ok(Read::Whole { leaves: tree.size(), took: begun.elapsed() })
}

fn conclude(dir: &Path, read: Result<Read, String>) {
    match read {
        Ok(Read::Whole { leaves, took }) => {
            if let Err(problem) = was_read(dir) {
                warn!(%problem, "it cannot be written down that the past was read");
            }
            info!(leaves, ?took, "what lies before the snapshot is as it was");
        }
        // Who stops a market does not make its past suspicious.
        Ok(Read::Stopped) => {
            let _ = write_unfinished(dir, unfinished(dir).saturating_sub(1));
        }
        Err(problem) => {
            let _ = write_unfinished(dir, UNFINISHED_MAX);
            error!(%problem, "the ledger's past does not fit; the node ends here, and the next start reads all of it");
            std::process::exit(crate::EXIT_DISK.into());
        }
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join(UNCHECKED_FILE)
}

/// Returns how often the past was begun to be read and not finished; a file that says nothing says very often.
fn unfinished(dir: &Path) -> u32 {
    match fs::read_to_string(path(dir)) {
        Ok(text) => text.trim().parse().unwrap_or(UNFINISHED_MAX),
        Err(_) => 0,
    }
}

fn write_unfinished(dir: &Path, count: u32) -> std::io::Result<()> {
    if count == 0 { was_read(dir) } else { fs::write(path(dir), format!("{count}\n")) }
}
