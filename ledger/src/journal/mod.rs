//! The journal: what durable means.
//!
//! Knows files, sectors and groups of leaves; does not know what a leaf says, or who asks for it later.
//! Keeps: a group is written once, by one write and one sync, into blocks no earlier group lies in; whatever
//! a crash leaves behind is told apart from whatever a fault has changed. Byte layouts and the argument for
//! this are in `docs/ledger-format.md`.

// How bytes lie in a file, from the inside out.
mod group;
mod sector;
mod segment;
// Who reads and writes them.
mod disk;
mod frames;
mod reader;
mod writer;

use std::path::{Path, PathBuf};

pub use disk::{Disk, RealDisk, write_whole};
pub use group::Group;
pub(crate) use group::encode as encode_group;
pub use reader::{Reader, Scanned, Signatures, Tail, scan};
pub(crate) use writer::{WriteError, Writer};

/// How the journal is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The size of a segment file, in bytes. A group that does not fit into one gets a larger one.
    pub segment_bytes: u64,
}

impl Default for JournalOptions {
    /// Segments of 64 MiB.
    fn default() -> JournalOptions {
        JournalOptions { segment_bytes: 64 << 20 }
    }
}

/// Returns whether there is a journal in the directory `journal` at all.
pub(crate) fn has_segments(journal: &Path) -> Result<bool, PathError> {
    Ok(!segment::list(journal)?.is_empty())
}

/// An error of the file system, and where it happened.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct PathError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl PathError {
    /// Returns what makes an error at `path` of an I/O error.
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> PathError {
        move |source| PathError { path: path.to_owned(), source }
    }
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] PathError),
    /// There is no segment in the directory.
    #[error("{}: there is no journal here", .0.display())]
    NoJournal(PathBuf),
    /// The journal is of another log.
    #[error("{}: this is the journal of {found:?}, not of {expected:?}", file.display())]
    WrongOrigin {
        /// The segment that says so.
        file: PathBuf,
        /// The origin it names.
        found: String,
        /// The origin that was expected.
        expected: String,
    },
    /// The journal is signed by another key.
    #[error("{}: the journal is signed by the key {found}, not by {expected}", file.display())]
    WrongKey {
        /// The segment that says so.
        file: PathBuf,
        /// The verifier key it names.
        found: String,
        /// The verifier key that was expected.
        expected: String,
    },
    /// Something that was durable has been changed.
    #[error("{}: byte {offset}: {what}", file.display())]
    Corrupt {
        /// The damaged segment.
        file: PathBuf,
        /// Where in it: the sector, or the group if no single sector is to blame.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
}
