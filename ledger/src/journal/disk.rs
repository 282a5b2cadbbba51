//! What the journal asks of a file system in order to write.
//!
//! Knows files and directories; does not know what is in them. Whoever reads a journal needs none of it.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::PathError;

/// The calls by which a journal is written. They are those of the system, unless an implementation says
/// otherwise: a test's, that lets one of them fail.
///
/// After any error the journal takes nothing more, so an implementation need not be able to go on.
pub trait Disk: Debug + Send + Sync {
    /// Makes an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    /// Opens a file that is there, to write to it.
    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(path)
    }

    /// Writes all of `bytes` at byte `offset`.
    fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Makes a file's bytes durable.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Makes a file's bytes, length and permissions durable.
    fn sync_all(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Cuts a file off behind its first `len` bytes.
    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    /// Takes everybody's permission to write to a file.
    fn set_readonly(&self, file: &File) -> io::Result<()> {
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)
    }

    /// Gives a file another name in its directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

/// Writes a file in `dir` anew: it is there whole and durable under its name, or stays as it was. Until it is whole it
/// is called `unfinished`; a crash leaves at most such a file, which nobody reads.
pub fn write_whole(dir: &Path, unfinished: &str, name: &str, bytes: &[u8]) -> Result<(), PathError> {
    let (path, unfinished) = (dir.join(name), dir.join(unfinished));
    let written =
        File::create(&unfinished).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(PathError::at(&unfinished))?;
    fs::rename(&unfinished, &path).map_err(PathError::at(&path))?;
    RealDisk.sync_dir(dir).map_err(PathError::at(dir))
}

/// The file system as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {}
