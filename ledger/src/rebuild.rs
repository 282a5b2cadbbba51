//! Keeping the store equal to the journal, which alone is believed.
//!
//! Knows both forms of the log. Does not know the database, only that it may be wrong, unreadable, or crash
//! who opens it. That is why [`compare`] runs in a process of its own: [`open_or_rebuild`] starts it and
//! decides by how it ends. Keeps: nothing is deleted; a store that knows more than the journal stops
//! everything.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::checkpoint::CheckpointVerifier;
use crate::journal::{Group, PathError, ReadError, Reader, Signatures};
use crate::ledger::journal_dir;
use crate::store::{Rows, Store, StoreError};
use crate::tree::Tree;

/// How many leaves a store is given at once, about, when it catches up.
const LEAVES_AT_ONCE: usize = 4_096;

/// How a store compares with the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// It holds exactly what the journal holds.
    Equal,
    /// It holds exactly the journal's first `size` leaves.
    Behind {
        /// The leaves in the store.
        size: u64,
    },
    /// It holds something else, or cannot be read.
    Different {
        /// The first difference.
        what: String,
    },
    /// It has a checkpoint, signed by the log's key, over more leaves than the journal has: the journal has
    /// lost what was acknowledged.
    Ahead {
        /// The leaves in the store.
        store: u64,
        /// The leaves in the journal.
        journal: u64,
    },
    /// Another process has it open, so nothing can be said about it.
    InUse,
}

/// What a probe's exit codes mean; anything else is a store that crashed it.
mod exit {
    pub const EQUAL: u8 = 0;
    pub const BEHIND: u8 = 10;
    pub const DIFFERENT: u8 = 11;
    pub const AHEAD: u8 = 12;
    pub const JOURNAL_UNREADABLE: u8 = 13;
    pub const IN_USE: u8 = 14;
}

/// The exit code of a probe whose store holds exactly the journal's first leaves.
pub const PROBE_BEHIND: u8 = exit::BEHIND;
/// The exit code of a probe whose store proves that the journal has lost leaves.
pub const PROBE_AHEAD: u8 = exit::AHEAD;

/// Answers for a probe: says the state on standard output, and returns the exit code that [`open_or_rebuild`]
/// decides by. It is the last thing that a probe does.
pub fn answer_probe(compared: &Result<StoreState, ReadError>) -> u8 {
    let (code, said) = match compared {
        Ok(StoreState::Equal) => (exit::EQUAL, "the store equals the journal".to_owned()),
        Ok(StoreState::Behind { size }) => (exit::BEHIND, format!("the store has the first {size} leaves")),
        Ok(StoreState::Different { what }) => (exit::DIFFERENT, what.clone()),
        Ok(StoreState::Ahead { store, journal }) => (
            exit::AHEAD,
            format!("the store has a signed checkpoint over {store} leaves, the journal has {journal}"),
        ),
        Ok(StoreState::InUse) => (exit::IN_USE, "another process has the store open".to_owned()),
        Err(error) => (exit::JOURNAL_UNREADABLE, error.to_string()),
    };
    println!("{said}");
    code
}

/// Compares every leaf, hash, checkpoint and index row of the store in `dir` behind the leaves of the tree `behind`
/// with what follows from the journal; of what lies before, only that the store has this tree of it.
///
/// `rows` derives a group's index rows; it sees every group that is compared, in order. A damaged store may panic or
/// abort. A store that does not reach as far as `behind` is compared from its beginning.
pub fn compare(
    dir: &Path,
    verifier: &CheckpointVerifier,
    behind: &Tree,
    rows: impl FnMut(&Group, &mut Rows),
) -> Result<StoreState, ReadError> {
    if !Store::path(dir).exists() {
        Reader::open(&journal_dir(dir), verifier, Signatures::Last)?;
        return Ok(StoreState::Behind { size: 0 });
    }
    let compared = Store::open(dir).map_err(Stop::from).and_then(|store| {
        let size = store.size()?;
        let behind = if size < behind.size() { &Tree::default() } else { behind };
        let reader = Reader::resume(&journal_dir(dir), verifier, Signatures::Last, behind.clone())?;
        match compare_contents(&store, size, behind, reader, rows) {
            Err(Stop::Different(what)) => {
                claims_more(&store, dir, verifier, behind)?.ok_or(Stop::Different(what))
            }
            other => other,
        }
    });
    match compared {
        Ok(state) => Ok(state),
        Err(Stop::Different(what)) => Ok(StoreState::Different { what }),
        Err(Stop::InUse) => Ok(StoreState::InUse),
        Err(Stop::Journal(error)) => Err(error),
    }
}

/// Why a comparison ends early.
enum Stop {
    Different(String),
    InUse,
    Journal(ReadError),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Journal(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        match error {
            StoreError::InUse(_) => Stop::InUse,
            other => Stop::Different(other.to_string()),
        }
    }
}

impl From<StoreDiffers> for Stop {
    fn from(StoreDiffers(what): StoreDiffers) -> Stop {
        Stop::Different(what)
    }
}

fn compare_contents(
    store: &Store,
    size: u64,
    behind: &Tree,
    reader: Reader,
    mut rows: impl FnMut(&Group, &mut Rows),
) -> Result<StoreState, Stop> {
    if !store.has_this_form()? {
        return Err(Stop::Different("it is written in the form of another version of this program".into()));
    }
    if !store.has_tree(behind) {
        let what = format!("its tree of {} leaves is not the journal's", behind.size());
        return Err(Stop::Different(what));
    }
    let mut comparison = Comparison::begin(store, behind);
    let mut journal_size = 0;
    for group in reader {
        let group = group?;
        journal_size = group.end_index();
        if group.first_index < size {
            let mut derived = Rows::default();
            rows(&group, &mut derived);
            comparison.compare(&group, &derived)?;
        }
    }
    comparison.end(size)?;
    if size < journal_size { Ok(StoreState::Behind { size }) } else { Ok(StoreState::Equal) }
}

/// What a store has that is not what follows from the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreDiffers(String);

/// A store that is being compared with the journal's groups, one after another.
///
/// It may be written to meanwhile, at its end.
pub struct Comparison {
    store: Store,
    leaves: Entries,
    hashes: Entries,
    checkpoints: Entries,
    begins_at: u64,
    rows: u64,
}

type Entries = Box<dyn Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + Send>;

impl Comparison {
    /// Begins behind the leaves of the tree `behind`.
    pub fn begin(store: &Store, behind: &Tree) -> Comparison {
        let size = behind.size();
        let first_checkpoint = if size == 0 { 0 } else { size + 1 };
        Comparison {
            store: store.clone(),
            leaves: Box::new(store.leaves(size)),
            hashes: Box::new(store.hashes(behind.stored_count())),
            checkpoints: Box::new(store.checkpoints(first_checkpoint)),
            begins_at: size,
            rows: 0,
        }
    }

    /// Compares what the store has of the next group, whose index rows these are.
    ///
    /// # Errors
    /// The first difference, or that the store cannot be read.
    pub fn compare(&mut self, group: &Group, rows: &Rows) -> Result<(), StoreDiffers> {
        for (index, leaf) in group.indexed_leaves() {
            expect(self.leaves.next(), index, leaf, "leaf")?;
        }
        for (index, hash) in group.indexed_hashes() {
            expect(self.hashes.next(), index, &hash.0, "hash")?;
        }
        let note = group.checkpoint.note().as_bytes();
        expect(self.checkpoints.next(), group.end_index(), note, "checkpoint")?;
        for row in rows.iter() {
            let found = self.store.get_index(row.index, row.page, row.key).map_err(unreadable)?;
            if found.as_deref() != Some(row.value) {
                let index = row.index;
                let what = format!("index {index} lacks a row of the leaves from {}", group.first_index);
                return Err(StoreDiffers(what));
            }
        }
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Checks that the store has nothing more than its first `size` leaves, and what follows from them. Rows are
    /// counted only where the comparison began with the first leaf.
    fn end(mut self, size: u64) -> Result<(), StoreDiffers> {
        let has_more_rows = self.begins_at == 0 && self.store.count_rows().map_err(unreadable)? != self.rows;
        let more = [
            (self.leaves.next().is_some(), "leaves"),
            (self.hashes.next().is_some(), "hashes"),
            (self.checkpoints.next().is_some(), "checkpoints"),
            (has_more_rows, "rows"),
        ];
        match more.iter().find(|(is_more, _)| *is_more) {
            Some((_, what)) => Err(StoreDiffers(format!(
                "the store has more {what} than follow from its first {size} leaves"
            ))),
            None => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreadable(error: StoreError) -> StoreDiffers {
    StoreDiffers(error.to_string())
}

fn expect(
    found: Option<Result<(u64, Vec<u8>), StoreError>>,
    number: u64,
    value: &[u8],
    what: &str,
) -> Result<(), StoreDiffers> {
    match found.transpose().map_err(unreadable)? {
        Some((found_number, found_value)) if found_number == number && found_value == value => Ok(()),
        _ => Err(StoreDiffers(format!("{what} {number} is not the journal's"))),
    }
}

/// Says whether a store that differs proves that the journal has lost leaves: only a checkpoint of this very
/// log does.
fn claims_more(
    store: &Store,
    dir: &Path,
    verifier: &CheckpointVerifier,
    behind: &Tree,
) -> Result<Option<StoreState>, Stop> {
    let Some(claimed) = store.checkpoint()? else { return Ok(None) };
    let Ok(claimed) = verifier.open(claimed.note()) else { return Ok(None) };
    let reader = Reader::resume(&journal_dir(dir), verifier, Signatures::Last, behind.clone())?;
    let journal = reader.finish()?.tree.size();
    Ok((claimed.size() > journal).then(|| StoreState::Ahead { store: claimed.size(), journal }))
}

/// Why there is no store that equals the journal.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// The journal has lost what was acknowledged: it must not be written to. Restore it from an archive.
    #[error("the journal has lost acknowledged leaves: {said}")]
    JournalShorterThanStore {
        /// The two sizes, as the probe said them.
        said: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] ReadError),
    /// The new store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] PathError),
}

/// What was done to make the store equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// Nothing: it was.
    Equal,
    /// The groups behind the first `from` leaves were applied.
    CaughtUp {
        /// The leaves it had.
        from: u64,
    },
    /// It was moved aside, and made anew.
    Rebuilt {
        /// Why.
        what: String,
        /// Where the old one is now.
        aside: PathBuf,
    },
}

/// What was done, in a few words.
impl fmt::Display for Reopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reopened::Equal => f.write_str("as the journal"),
            Reopened::CaughtUp { from } => write!(f, "caught up from leaf {from} on"),
            Reopened::Rebuilt { what, aside } => {
                write!(f, "made anew, since {what}; the old one is {}", aside.display())
            }
        }
    }
}

/// Opens the store in the ledger's directory `dir`, after making it equal to the journal.
///
/// `probe` is a program that calls [`compare`] for `dir`, with the same `behind` and `rows`, and exits with the code
/// that [`answer_probe`] returns.
/// The caller holds the open [`Ledger`](crate::Ledger), and has not opened the store.
pub fn open_or_rebuild(
    dir: &Path,
    verifier: &CheckpointVerifier,
    behind: &Tree,
    probe: &mut Command,
    rows: impl FnMut(&Group, &mut Rows),
) -> Result<(Store, Reopened), ReopenError> {
    let mut reopened = Reopened::CaughtUp { from: 0 };
    if Store::path(dir).exists() {
        let output = run_probe(probe).map_err(PathError::at(Path::new(probe.get_program())))?;
        let said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
        let code = output.status.code().and_then(|code| u8::try_from(code).ok());
        reopened = match code {
            Some(exit::EQUAL) => return Ok((Store::open(dir)?, Reopened::Equal)),
            Some(exit::BEHIND) => Reopened::CaughtUp { from: 0 },
            Some(exit::AHEAD) => return Err(ReopenError::JournalShorterThanStore { said }),
            Some(exit::IN_USE) => return Err(StoreError::InUse(Store::path(dir)).into()),
            Some(exit::DIFFERENT) => Reopened::Rebuilt { what: said, aside: Store::set_aside(dir)? },
            _ => {
                // A probe that cannot read the journal says nothing about the store; reading it here says
                // why.
                Reader::open(&journal_dir(dir), verifier, Signatures::Last)?.finish()?;
                let what = format!("the comparison with the journal crashed: {}", output.status);
                Reopened::Rebuilt { what, aside: Store::set_aside(dir)? }
            }
        };
    }

    let store = Store::open(dir)?;
    let from = catch_up(dir, verifier, &store, behind, rows)?;
    if let Reopened::CaughtUp { from: had } = &mut reopened {
        *had = from;
    }
    Ok((store, reopened))
}

/// Runs a probe to its end. Its standard input ends when it has ended, or this process has, however that came: a probe
/// that heeds it outlives nobody who waits for it.
pub fn run_probe(probe: &mut Command) -> io::Result<Output> {
    let mut running = probe.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let held = running.stdin.take();
    let output = running.wait_with_output();
    drop(held);
    output
}

/// Applies what the store lacks, and returns how many leaves it had.
fn catch_up(
    dir: &Path,
    verifier: &CheckpointVerifier,
    store: &Store,
    behind: &Tree,
    mut rows: impl FnMut(&Group, &mut Rows),
) -> Result<u64, ReopenError> {
    let had = store.size()?;
    let begin = if had < behind.size() { Tree::default() } else { behind.clone() };
    let (mut lacking, mut their_rows, mut leaves) = (Vec::new(), Rows::default(), 0);
    for group in Reader::resume(&journal_dir(dir), verifier, Signatures::Last, begin)? {
        let group = group?;
        if group.first_index >= had {
            leaves += group.leaves.len();
            rows(&group, &mut their_rows);
            lacking.push(group);
        }
        if leaves >= LEAVES_AT_ONCE {
            store.apply(&lacking, &std::mem::take(&mut their_rows))?;
            lacking.clear();
            leaves = 0;
        }
    }
    store.apply(&lacking, &their_rows)?;
    store.flush()?;
    Ok(had)
}
