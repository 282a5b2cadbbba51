//! Writing a journal: a group is durable when `append` returns, or nobody hears of it.
//!
//! Knows files and the order in which they must be synced. Does not know hashes or signatures.
//! Keeps: what was appended is never written to again; a segment has its name only once it is whole; after an
//! error of the file system nothing is ever written again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::disk::Disk;
use super::reader::{Scanned, Tail};
use super::sector::{self, BLOCK, Mark};
use super::segment::{self, Header};
use super::{JournalOptions, PathError};
use crate::tree::Tree;

/// How much of a new segment's zeros is written at once.
const CHUNK: usize = 1 << 20;

/// A file of zeros that will become a segment.
struct Spare {
    file: File,
    path: PathBuf,
    capacity: u64,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused. How much has been written, only recovery can say.
    #[error(transparent)]
    Io(#[from] PathError),
    /// The file system has refused before.
    #[error("the journal takes no more groups since an earlier write failed")]
    Poisoned,
}

/// The one who writes to a journal.
pub struct Writer {
    disk: Arc<dyn Disk>,
    journal: PathBuf,
    vkey: String,
    segment_bytes: u64,
    segment: Segment,
    /// The next segment's zeros, which are written while groups still go into this one.
    spare: Option<JoinHandle<Result<Spare, PathError>>>,
    poisoned: bool,
}

/// The segment that is written to.
struct Segment {
    file: File,
    path: PathBuf,
    first_index: u64,
    capacity: u64,
    /// Where the next group begins.
    offset: u64,
    /// Behind the last sector of a torn group that begins at `offset`, if there is one.
    torn_end: Option<u64>,
}

impl Writer {
    /// Makes the first segment of a new journal.
    pub fn create(
        disk: Arc<dyn Disk>,
        journal: &Path,
        options: &JournalOptions,
        vkey: &str,
    ) -> Result<Writer, PathError> {
        remove_unfinished(&*disk, journal)?;
        let spare = Spare::make(&*disk, journal, segment_bytes(options))?;
        let segment = Segment::begin(&*disk, spare, journal, vkey, &Tree::default())?;
        Ok(Writer::at(segment, disk, journal, options, vkey))
    }

    /// Goes on where a scan has found the end.
    pub fn resume(
        disk: Arc<dyn Disk>,
        journal: &Path,
        options: &JournalOptions,
        vkey: &str,
        scanned: &Scanned,
    ) -> Result<Writer, PathError> {
        remove_unfinished(&*disk, journal)?;
        let end = &scanned.end;
        let file = disk.open(&end.path).map_err(PathError::at(&end.path))?;
        let segment = Segment {
            file,
            path: end.path.clone(),
            first_index: end.first_index,
            capacity: end.capacity,
            offset: end.offset,
            torn_end: match scanned.tail {
                Tail::Clean => None,
                Tail::Torn { end, .. } => Some(end),
            },
        };
        segment.rewrite_last(&*disk, end.last_group)?;
        disk.sync_dir(journal).map_err(PathError::at(journal))?;
        for (path, used) in &end.untrimmed {
            trim(&*disk, path, *used)?;
        }
        Ok(Writer::at(segment, disk, journal, options, vkey))
    }

    fn at(
        segment: Segment,
        disk: Arc<dyn Disk>,
        journal: &Path,
        options: &JournalOptions,
        vkey: &str,
    ) -> Writer {
        Writer {
            disk,
            journal: journal.to_owned(),
            vkey: vkey.to_owned(),
            segment_bytes: segment_bytes(options),
            segment,
            spare: None,
            poisoned: false,
        }
    }

    /// Appends a group's payload behind the leaves of `before`. It is durable when this returns.
    pub fn append(&mut self, before: &Tree, payload: &[u8]) -> Result<(), WriteError> {
        if self.poisoned {
            return Err(WriteError::Poisoned);
        }
        // Stays so if any step fails: what is on the disk then, only recovery can say.
        self.poisoned = true;
        self.segment.erase_torn(&*self.disk)?;
        let framed_len = sector::framed_len(payload.len() as u64);
        if self.segment.capacity - self.segment.offset < framed_len {
            self.rotate(before, framed_len)?;
        }
        self.segment.write(&*self.disk, payload)?;
        self.prepare_spare();
        self.poisoned = false;
        Ok(())
    }

    /// Begins to make the next segment's zeros once this one is half full, so that no group waits for them.
    fn prepare_spare(&mut self) {
        if self.spare.is_none() && self.segment.offset > self.segment.capacity / 2 {
            let (disk, journal, capacity) = (self.disk.clone(), self.journal.clone(), self.segment_bytes);
            // Without a thread the zeros are written when they are needed.
            self.spare = thread::Builder::new()
                .name("ledger-spare".to_owned())
                .spawn(move || Spare::make(&*disk, &journal, capacity))
                .ok();
        }
    }

    /// Returns a file of zeros with room for a frame of `framed_len` bytes.
    fn take_spare(&mut self, framed_len: u64) -> Result<Spare, PathError> {
        let capacity = self.segment_bytes.max(BLOCK as u64 + framed_len);
        if let Some(making) = self.spare.take() {
            let spare = making.join().expect("making a spare does not panic")?;
            if spare.capacity == capacity {
                return Ok(spare);
            }
        }
        Spare::make(&*self.disk, &self.journal, capacity)
    }

    /// Makes the next segment, with room for a frame of `framed_len` bytes, and closes the finished one.
    fn rotate(&mut self, before: &Tree, framed_len: u64) -> Result<(), PathError> {
        let spare = self.take_spare(framed_len)?;
        let next = Segment::begin(&*self.disk, spare, &self.journal, &self.vkey, before)?;
        let finished = std::mem::replace(&mut self.segment, next);
        // A crash here leaves the finished segment with its unused rest, which readers accept and opening
        // cuts off. A segment without any group has the same first leaf as its successor, and has just been
        // replaced by it.
        if finished.first_index < self.segment.first_index {
            trim(&*self.disk, &finished.path, finished.offset)?;
        }
        Ok(())
    }
}

impl Segment {
    /// Makes a segment that continues `before` of a file of zeros: the header first, then the name.
    fn begin(
        disk: &dyn Disk,
        spare: Spare,
        journal: &Path,
        vkey: &str,
        before: &Tree,
    ) -> Result<Segment, PathError> {
        let Spare { file, path: unfinished, capacity } = spare;
        let first_index = before.size();
        let header = Header { capacity, first_index, root_before: before.root(), vkey: vkey.to_owned() };
        disk.write_all_at(&file, &header.encode(), 0).map_err(PathError::at(&unfinished))?;
        disk.sync_data(&file).map_err(PathError::at(&unfinished))?;
        // A crash up to here leaves a file that has no segment's name; opening removes it.
        let path = segment::path(journal, first_index);
        disk.rename(&unfinished, &path).map_err(PathError::at(&unfinished))?;
        disk.sync_dir(journal).map_err(PathError::at(journal))?;
        // From here on the segment is there for good. It holds no group yet.
        Ok(Segment { file, path, first_index, capacity, offset: BLOCK as u64, torn_end: None })
    }

    /// Writes the last group again, byte by byte what was read, and syncs it.
    ///
    /// The last writer may have died before its sync; then the group counts from here on, since it has been
    /// read. Or its sync has failed: the system may then show pages that it has given up writing, and would
    /// call a second sync a success. Written again, they must reach the disk.
    fn rewrite_last(&self, disk: &dyn Disk, last_group: Option<u64>) -> Result<(), PathError> {
        if let Some(begin) = last_group {
            let len = usize::try_from(self.offset - begin).expect("a group fits into memory");
            let mut frame = vec![0; len];
            self.file.read_exact_at(&mut frame, begin).map_err(PathError::at(&self.path))?;
            disk.write_all_at(&self.file, &frame, begin).map_err(PathError::at(&self.path))?;
        }
        disk.sync_all(&self.file).map_err(PathError::at(&self.path))
    }

    /// Makes a torn group unwritten again, before another one takes its place.
    ///
    /// A crash on the way leaves fewer of its sectors, which is again a torn group.
    fn erase_torn(&mut self, disk: &dyn Disk) -> Result<(), PathError> {
        if let Some(end) = self.torn_end {
            let len = usize::try_from(end - self.offset).expect("a group fits into memory");
            let zeros = vec![0; len];
            disk.write_all_at(&self.file, &zeros, self.offset).map_err(PathError::at(&self.path))?;
            disk.sync_data(&self.file).map_err(PathError::at(&self.path))?;
            self.torn_end = None;
        }
        Ok(())
    }

    /// Writes a group behind the last one, and syncs it.
    fn write(&mut self, disk: &dyn Disk, payload: &[u8]) -> Result<(), PathError> {
        let frame = sector::frame(Mark::Group, payload, self.offset);
        // A crash before the sync has returned leaves any of the frame's sectors unwritten, or none: recovery
        // drops the group, or keeps it. Both are right, since nobody has heard of it.
        disk.write_all_at(&self.file, &frame, self.offset).map_err(PathError::at(&self.path))?;
        disk.sync_data(&self.file).map_err(PathError::at(&self.path))?;
        self.offset += frame.len() as u64;
        Ok(())
    }
}

impl Spare {
    /// Writes `capacity` zeros: real ones, so that a later sync of a group has no metadata to write.
    fn make(disk: &dyn Disk, journal: &Path, capacity: u64) -> Result<Spare, PathError> {
        let path = segment::unfinished_path(journal);
        let zeros = vec![0; CHUNK];
        let make = || {
            let file = disk.create(&path)?;
            let mut offset = 0;
            while offset < capacity {
                let len = usize::try_from(capacity - offset).map_or(CHUNK, |rest| rest.min(CHUNK));
                disk.write_all_at(&file, &zeros[..len], offset)?;
                // Piece by piece, so that the sync of a group never waits behind all of them.
                disk.sync_data(&file)?;
                offset += len as u64;
            }
            disk.sync_all(&file)?;
            Ok(file)
        };
        let file = make().map_err(PathError::at(&path))?;
        Ok(Spare { file, path, capacity })
    }
}

impl Drop for Writer {
    /// Waits for the spare, since the next writer in this process makes a file of the same name, and removes
    /// it.
    fn drop(&mut self) {
        if let Some(Ok(Ok(spare))) = self.spare.take().map(JoinHandle::join) {
            // A file that stays is removed by opening.
            let _ = self.disk.remove(&spare.path);
        }
    }
}

fn segment_bytes(options: &JournalOptions) -> u64 {
    options.segment_bytes.next_multiple_of(BLOCK as u64).max(2 * BLOCK as u64)
}

/// Cuts off what a finished segment has not used, and makes it read-only.
fn trim(disk: &dyn Disk, path: &Path, used: u64) -> Result<(), PathError> {
    let trimmed = || {
        let file = disk.open(path)?;
        disk.set_len(&file, used)?;
        disk.set_readonly(&file)?;
        disk.sync_all(&file)
    };
    trimmed().map_err(PathError::at(path))
}

fn remove_unfinished(disk: &dyn Disk, journal: &Path) -> Result<(), PathError> {
    for path in segment::list_unfinished(journal)? {
        disk.remove(&path).map_err(PathError::at(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::RealDisk;
    use super::*;

    #[test]
    fn a_group_begins_in_a_block_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions { segment_bytes: 1 << 16 };
        let mut writer = Writer::create(Arc::new(RealDisk), dir.path(), &options, "log+1+A").unwrap();
        for n in 1..5 {
            assert_eq!(writer.segment.offset, n * BLOCK as u64);
            writer.append(&Tree::default(), b"short").unwrap();
        }
    }
}
