//! Tiles: the log read back from them alone, by the code of other tools.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{fs, path::Path};

use parkwatt_ledger::{
    CheckpointSigner, Hash, JournalOptions, Ledger, LongEntry, OpenError, Origin, SignedCheckpoint,
    SigningKey, Tiles, leaf_hash,
};
use tlog_tiles::{
    tile::{Tile, TileHashReader, TileReader},
    tlog::{self, HASH_SIZE},
};

/// Writes the tiles of a log of these leaves, in groups of 100, and returns its checkpoint and what was too long.
fn write(leaves: &[Vec<u8>], dir: &Path) -> (SignedCheckpoint, Option<LongEntry>) {
    let signer =
        CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[7; 32]));
    let journal = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 1 << 20 };
    let mut ledger = Ledger::open(journal.path(), signer, &options, |_| Ok::<_, OpenError>(())).unwrap();
    let mut tiles = Tiles::new(dir);
    for group in leaves.chunks(100) {
        tiles.take(&ledger.append(group.to_vec()).unwrap()).unwrap();
    }
    let checkpoint = ledger.checkpoint().unwrap().clone();
    let long = tiles.finish(&checkpoint).unwrap();
    (checkpoint, long)
}

fn leaves(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_le_bytes().repeat(1 + n as usize % 5)).collect()
}

/// Reads tiles from a folder as C2SP says where they lie.
struct Folder<'a>(&'a Path);

impl Folder<'_> {
    fn read(&self, kind: &str, tile: &Tile) -> Vec<u8> {
        let (n, w) = (tile.level_index(), tile.width());
        let mut path = format!("{:03}", n % 1000);
        let mut rest = n / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        let partial = if w == 256 { String::new() } else { format!(".p/{w}") };
        fs::read(self.0.join(format!("tile/{kind}/{path}{partial}"))).unwrap()
    }
}

impl TileReader for Folder<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        Ok(tiles.iter().map(|tile| self.read(&tile.level().to_string(), tile)).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn the_tree_and_every_entry_come_back_from_the_tiles_alone() {
    for count in [1, 255, 256, 257, 1000, 66_000] {
        let (leaves, dir) = (leaves(count), tempfile::tempdir().unwrap());
        let (checkpoint, long) = write(&leaves, dir.path());
        assert_eq!(long, None);
        assert_eq!(fs::read_to_string(dir.path().join("checkpoint")).unwrap(), checkpoint.note());
        let size = u64::from(count);
        let folder = Folder(dir.path());
        // It checks each tile that it reads against the root.
        let reader = TileHashReader::new(size, checkpoint.root(), &folder);
        assert_eq!(tlog::tree_hash(size, &reader).unwrap(), checkpoint.root());

        let mut wanted = leaves.iter();
        for tile in Tile::new_tiles(8, 0, size).iter().filter(|tile| tile.level() == 0) {
            let (hashes, bundle) = (folder.read("0", tile), folder.read("entries", tile));
            assert_eq!(hashes.len(), tile.width() as usize * HASH_SIZE);
            let mut rest = &bundle[..];
            for hash in hashes.chunks_exact(HASH_SIZE) {
                let (len, behind) = rest.split_first_chunk().unwrap();
                let (entry, behind) = behind.split_at(u16::from_be_bytes(*len).into());
                assert_eq!(leaf_hash(entry), Hash(hash.try_into().unwrap()));
                assert_eq!(Some(entry), wanted.next().map(Vec::as_slice));
                rest = behind;
            }
            assert_eq!(rest, [0; 0]);
        }
        assert_eq!(wanted.next(), None);
    }
}

#[test]
fn an_entry_that_is_too_long_for_a_bundle_leaves_the_hashes_alone() {
    let (mut leaves, dir) = (leaves(600), tempfile::tempdir().unwrap());
    leaves[3] = vec![1; 65_535];
    leaves[500] = vec![2; 65_536];
    let (checkpoint, long) = write(&leaves, dir.path());
    assert_eq!(long, Some(LongEntry { index: 500, bytes: 65_536 }));
    assert!(!dir.path().join("tile/entries").exists());
    let folder = Folder(dir.path());
    let reader = TileHashReader::new(600, checkpoint.root(), &folder);
    assert_eq!(tlog::tree_hash(600, &reader).unwrap(), checkpoint.root());
}
