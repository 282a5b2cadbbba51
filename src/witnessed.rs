//! What witnesses have signed of a market's ledger: taken in, kept beside the journal, handed out.
//!
//! Knows the configured witnesses and the file; does not know how a witness comes to sign.
//! Keeps: only checkpoints of this ledger as it is are taken, and only signatures that hold; what was taken is
//! durable before anybody hears so.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use parkwatt_ledger::{
    COSIGNED_FILE, CheckpointVerifier, Cosigned, SignedCheckpoint, Store, StoreError, UnseenError, Witness,
    cosigned_notes, write_cosigned,
};

use crate::{refusal::Refused, wire::Malformed};

/// What witnesses have signed.
pub struct Witnessed {
    dir: PathBuf,
    log: CheckpointVerifier,
    cosigned: Mutex<Cosigned>,
}

/// Why the file with cosigned checkpoints stands in the way.
#[derive(Debug, thiserror::Error)]
pub enum WitnessedError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
    /// It is not about this ledger.
    #[error("{}: {problem}; move the file away, and the witnesses will sign again", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It is about this ledger, and this is not what the witnesses saw.
    #[error(
        "{}: this node and its witnesses have signed another history, with {size} leaves: the journal has lost \
         leaves that were acknowledged, or others are in their place; restore it from a copy",
        path.display()
    )]
    OtherHistory {
        /// The file.
        path: PathBuf,
        /// The size of the log that was signed.
        size: u64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Witnessed {
    /// Reads what is kept in the ledger's directory `dir`; `store` has all leaves of the ledger of `log`.
    ///
    /// # Errors
    /// [`WitnessedError`]; after [`OtherHistory`](WitnessedError::OtherHistory) nothing must be signed.
    pub fn open(
        dir: &Path,
        log: CheckpointVerifier,
        witnesses: Vec<Witness>,
        store: &Store,
    ) -> Result<Witnessed, WitnessedError> {
        let path = dir.join(COSIGNED_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(WitnessedError::Io { path, source }),
        };
        let mut cosigned = Cosigned::new(log.clone(), witnesses);
        for note in cosigned_notes(&text) {
            let checkpoint = log.open(&note).map_err(|problem| WitnessedError::Foreign {
                path: path.clone(),
                problem: problem.to_string(),
            })?;
            if !is_of(&checkpoint, store)? {
                return Err(WitnessedError::OtherHistory { path, size: checkpoint.size() });
            }
            // OK because: a witness that is configured no longer only means that his signature is not kept.
            let _ = cosigned.take(&checkpoint);
        }
        Ok(Witnessed { dir: dir.to_owned(), log, cosigned: Mutex::new(cosigned) })
    }

    /// Returns the cosigned notes, the newest first.
    pub fn notes(&self) -> Vec<String> {
        self.cosigned().kept().iter().map(|it| it.note().to_owned()).collect()
    }

    /// Takes a note that a witness has signed, and returns what is kept then.
    ///
    /// # Errors
    /// [`Refused::Malformed`] if it is not a checkpoint of this ledger, or no witness's signature that holds is
    /// under it; [`Refused::Unreadable`] if it cannot be kept.
    pub fn add(&self, note: &str, store: &Store) -> Result<Vec<String>, Refused> {
        let malformed = |problem: String| Refused::from(Malformed::new("note", problem));
        let checkpoint = self.log.open(note).map_err(|problem| malformed(problem.to_string()))?;
        if !is_of(&checkpoint, store)? {
            return Err(malformed(format!(
                "this ledger has no such checkpoint over {} leaves; if its key has signed one, keep it: it proves \
                 that there were two histories",
                checkpoint.size()
            )));
        }
        let mut cosigned = self.cosigned();
        let taken = cosigned.take(&checkpoint).map_err(|problem| match problem {
            UnseenError::TooFew { missing, .. } if missing.is_empty() => malformed(
                "this node knows no witness, so it keeps the signature of none; ask its operator to name yours \
                 (the setting witnesses)"
                    .to_owned(),
            ),
            UnseenError::TooFew { missing, .. } => malformed(format!(
                "the signature of a witness that this node knows is not under it: it knows {missing}; ask its operator \
                 to name yours (the setting witnesses)"
            )),
            problem => malformed(problem.to_string()),
        })?;
        if taken {
            let notes: Vec<&str> = cosigned.kept().iter().map(SignedCheckpoint::note).collect();
            write_cosigned(&self.dir, &notes).map_err(|problem| Refused::Unreadable(problem.to_string()))?;
        }
        drop(cosigned);
        Ok(self.notes())
    }

    fn cosigned(&self) -> MutexGuard<'_, Cosigned> {
        self.cosigned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether the ledger has signed this checkpoint in its present life.
fn is_of(checkpoint: &SignedCheckpoint, store: &Store) -> Result<bool, StoreError> {
    let own = store.checkpoint_at_least(checkpoint.size())?;
    Ok(own.is_some_and(|own| (own.size(), own.root()) == (checkpoint.size(), checkpoint.root())))
}
