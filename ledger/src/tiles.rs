//! Tiles: a log as C2SP `tlog-tiles` lays it out, so that other tools read it from plain files.
//!
//! Knows which hashes lie in which tile, and the paths; does not know where the groups come from.
//! Keeps: a file is written once; the checkpoint comes last, so that a folder with a checkpoint is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tlog_tiles::{tile::Tile, tlog};

use crate::journal::Group;
use crate::{Hash, SignedCheckpoint};

/// A tile's height: how many levels of the tree are in it.
const HEIGHT: u8 = 8;
/// How many hashes, or entries, a full tile has.
const FULL: u32 = 1 << HEIGHT;
/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// Writes a log's tiles into a folder, group by group.
pub struct Tiles {
    dir: PathBuf,
    /// For each level of tiles, the hashes of the one that is not full, and its place in the level.
    levels: Vec<Level>,
    entries: Entries,
}

#[derive(Default)]
struct Level {
    hashes: Vec<u8>,
    place: u64,
}

/// The bundle of entries that is not full.
enum Entries {
    Open {
        bundle: Vec<u8>,
        count: u32,
        place: u64,
    },
    /// None can be written: an entry does not fit into the form.
    TooLong(LongEntry),
}

/// The first entry that is longer than the 65,535 bytes that a bundle of entries can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongEntry {
    /// Its index.
    pub index: u64,
    /// Its length, in bytes.
    pub bytes: usize,
}

impl Tiles {
    /// Begins to write into the folder `dir`, which must be empty.
    pub fn new(dir: &Path) -> Tiles {
        let entries = Entries::Open { bundle: Vec::new(), count: 0, place: 0 };
        Tiles { dir: dir.to_owned(), levels: Vec::new(), entries }
    }

    /// Takes the next group.
    pub fn take(&mut self, group: &Group) -> io::Result<()> {
        for (index, hash) in group.indexed_hashes() {
            let (level, _) = tlog::split_stored_hash_index(index);
            if level.is_multiple_of(HEIGHT) {
                self.take_hash(level / HEIGHT, hash)?;
            }
        }
        group.indexed_leaves().try_for_each(|(index, leaf)| self.take_entry(index, leaf))
    }

    /// Writes what is not full, and the checkpoint over all groups; returns which entry was too long, for which no
    /// entries at all are in the folder.
    pub fn finish(mut self, checkpoint: &SignedCheckpoint) -> io::Result<Option<LongEntry>> {
        for (number, level) in (0..).zip(&self.levels) {
            let width = u32::try_from(level.hashes.len() / HASH_BYTES).expect("a tile is not long");
            if width > 0 {
                self.write(&Tile::new(HEIGHT, number, level.place, width, false), &level.hashes)?;
            }
        }
        let long = match &mut self.entries {
            Entries::TooLong(long) => Some(*long),
            Entries::Open { bundle, count, place } => {
                let (bundle, count, place) = (std::mem::take(bundle), *count, *place);
                if count > 0 {
                    self.write(&Tile::new(HEIGHT, 0, place, count, true), &bundle)?;
                }
                None
            }
        };
        fs::write(self.dir.join("checkpoint"), checkpoint.note())?;
        Ok(long)
    }

    fn take_hash(&mut self, number: u8, hash: Hash) -> io::Result<()> {
        while self.levels.len() <= usize::from(number) {
            self.levels.push(Level::default());
        }
        let level = &mut self.levels[usize::from(number)];
        level.hashes.extend_from_slice(&hash.0);
        if level.hashes.len() < FULL as usize * HASH_BYTES {
            return Ok(());
        }
        let (hashes, place) = (std::mem::take(&mut level.hashes), level.place);
        level.place += 1;
        self.write(&Tile::new(HEIGHT, number, place, FULL, false), &hashes)
    }

    fn take_entry(&mut self, index: u64, leaf: &[u8]) -> io::Result<()> {
        let Entries::Open { bundle, count, place } = &mut self.entries else { return Ok(()) };
        let Ok(len) = u16::try_from(leaf.len()) else {
            self.entries = Entries::TooLong(LongEntry { index, bytes: leaf.len() });
            let written = self.dir.join("tile/entries");
            return if written.exists() { fs::remove_dir_all(written) } else { Ok(()) };
        };
        bundle.extend_from_slice(&len.to_be_bytes());
        bundle.extend_from_slice(leaf);
        *count += 1;
        if *count < FULL {
            return Ok(());
        }
        let (full, at) = (std::mem::take(bundle), *place);
        (*count, *place) = (0, at + 1);
        self.write(&Tile::new(HEIGHT, 0, at, FULL, true), &full)
    }

    fn write(&self, tile: &Tile, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(path(tile));
        fs::create_dir_all(path.parent().expect("a tile lies in a folder"))?;
        fs::write(path, bytes)
    }
}

/// Returns a tile's path: that of Go's checksum database, without its height, and with another word for entries.
fn path(tile: &Tile) -> String {
    let path = tile.path();
    let rest = path.strip_prefix("tile/8/").expect("the height is the same for all");
    format!("tile/{}", rest.replacen("data/", "entries/", 1))
}
