//! What a crash leaves behind is dropped, and only that; whatever else has happened to a file is found and
//! named.
//!
//! One bit of each byte is flipped; with `PARKWATT_EVERY_BIT=1`, every bit.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod sample;

use std::env;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parkwatt_ledger::{
    JournalOptions, Ledger, OpenError, ReadError, Signatures, Tail, journal_dir, leaf_hash, scan,
};
use proptest::prelude::*;
use sample::{audit, leaves, make, open, segments, signer, verifier};

const SECTOR: usize = 512;
const BLOCK: usize = 4096;

/// Two segments: a finished one of two groups, and one with room left.
fn two_segments() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { segment_bytes: 16 << 10 };
    let mut ledger = Ledger::open(dir.path(), signer(), &options, |_| Ok::<_, OpenError>(())).unwrap();
    for n in 0..2 {
        ledger.append(leaves(n, 1, 100)).unwrap();
    }
    ledger.append(leaves(2, 3, 2000)).unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
    drop(ledger);
    for path in segments(dir.path()) {
        // A fault does not ask for permission.
        make_writable(&path);
    }
    dir
}

fn make_writable(path: &Path) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
}

fn writable(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn quick_scan(dir: &Path) -> Result<Tail, ReadError> {
    Ok(scan(&journal_dir(dir), &verifier(), Signatures::Last, |_| Ok::<_, ReadError>(()))?.tail)
}

#[test]
fn a_flipped_bit_in_any_byte_of_any_file_is_found_and_its_sector_named() {
    let dir = two_segments();
    let bits_of_a_byte = if env::var_os("PARKWATT_EVERY_BIT").is_some() { 8 } else { 1 };
    let (mut flipped, mut found) = (0, 0);
    for path in segments(dir.path()) {
        let pristine = fs::read(&path).unwrap();
        let file = writable(&path);
        for (at, &byte) in pristine.iter().enumerate() {
            for bit in 0..bits_of_a_byte {
                file.write_all_at(&[byte ^ (1 << ((at + bit) % 8))], at as u64).unwrap();
                match quick_scan(dir.path()) {
                    Err(ReadError::Corrupt { file, offset, .. }) => {
                        assert_eq!((&file, offset), (&path, (at - at % SECTOR) as u64), "byte {at}");
                        found += 1;
                    }
                    other => panic!("{}: byte {at}: {other:?}", path.display()),
                }
                flipped += 1;
            }
            file.write_all_at(&[byte], at as u64).unwrap();
        }
    }
    println!("{flipped} bits flipped, {found} found and their sectors named");
    assert_eq!(found, flipped);
    assert_eq!(flipped, (3 * BLOCK + 4 * BLOCK) * bits_of_a_byte);
    assert_eq!(quick_scan(dir.path()).unwrap(), Tail::Clean);
}

#[test]
fn a_damaged_journal_is_not_opened_and_not_touched() {
    let dir = two_segments();
    let last = &segments(dir.path())[1];
    writable(last).write_all_at(b"!", (BLOCK + 100) as u64).unwrap();
    let damaged = fs::read(last).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Journal(ReadError::Corrupt { .. }))));
    assert_eq!(fs::read(last).unwrap(), damaged);
}

/// A journal whose last write is still to be torn: where its file is, where the write begins, and what it
/// wrote.
struct LastWrite {
    dir: tempfile::TempDir,
    file: PathBuf,
    offset: u64,
    written: Vec<u8>,
    kept: Vec<Vec<u8>>,
}

impl LastWrite {
    /// Appends a group of `blocks` blocks behind another one.
    fn of_blocks(blocks: usize) -> LastWrite {
        let dir = tempfile::tempdir().unwrap();
        let kept = leaves(0, 2, 300);
        // The last leaf is of zeros, like the sectors that a crash leaves: they must not be taken for each
        // other.
        let torn = vec![vec![1], vec![0; (blocks - 1) * BLOCK + 1500]];
        make(dir.path(), &[kept.clone(), torn]);
        let file = segments(dir.path()).pop().unwrap();
        let bytes = fs::read(&file).unwrap();
        let written = bytes[2 * BLOCK..(2 + blocks) * BLOCK].to_vec();
        assert!(bytes[(2 + blocks) * BLOCK..].iter().all(|&byte| byte == 0));
        LastWrite { dir, file, offset: 2 * BLOCK as u64, written, kept }
    }

    /// Leaves only those sectors of the last write for which `is_written` holds.
    fn tear(&self, is_written: impl Fn(usize) -> bool) {
        let mut torn = self.written.clone();
        for (n, sector) in torn.chunks_exact_mut(SECTOR).enumerate() {
            if !is_written(n) {
                sector.fill(0);
            }
        }
        writable(&self.file).write_all_at(&torn, self.offset).unwrap();
    }

    /// Checks that the last write is dropped, that an auditor is told of it, and that the log goes on.
    fn check_dropped(&self) {
        let (_, scanned) = audit(self.dir.path()).unwrap();
        assert_eq!(scanned.tree.size(), 2);
        if let Tail::Torn { file, offset, end } = &scanned.tail {
            assert_eq!((file, *offset), (&self.file, self.offset));
            assert!(*end <= self.offset + self.written.len() as u64);
        }
        let (mut ledger, replayed) = open(self.dir.path()).unwrap();
        assert_eq!(replayed, self.kept);
        assert_eq!(ledger.tail_when_opened(), &scanned.tail);
        ledger.append(leaves(9, 1, 10)).unwrap();
        drop(ledger);

        let (groups, scanned) = audit(self.dir.path()).unwrap();
        assert_eq!(scanned.tail, Tail::Clean);
        assert_eq!(groups[1].leaves, leaves(9, 1, 10));
        self.restore();
    }

    /// Puts the file back to where the last write begins.
    fn restore(&self) {
        writable(&self.file).write_all_at(&vec![0; self.written.len()], self.offset).unwrap();
    }
}

#[test]
fn a_group_of_which_any_sectors_are_missing_is_dropped() {
    let last = LastWrite::of_blocks(1);
    for written in 0..255_u32 {
        last.tear(|n| written & (1 << n) != 0);
        last.check_dropped();
    }
    last.tear(|_| true);
    assert_eq!(audit(last.dir.path()).unwrap().1.tree.size(), 4);
}

#[test]
fn a_longer_group_is_dropped_from_wherever_it_was_cut() {
    let last = LastWrite::of_blocks(3);
    let sectors = last.written.len() / SECTOR;
    for cut in 0..sectors {
        last.tear(|n| n < cut);
        last.check_dropped();
        last.tear(|n| n > cut);
        last.check_dropped();
        last.tear(|n| n != cut);
        last.check_dropped();
    }
}

/// What a last write can look like that was cut at some byte.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Its end is missing: unwritten.
    End,
    /// Its beginning is missing: unwritten.
    Beginning,
    /// The file ends there.
    File,
}

#[test]
fn a_write_that_was_cut_at_any_byte_is_dropped_if_a_crash_can_do_that_and_named_otherwise() {
    let last = LastWrite::of_blocks(2);
    let file = writable(&last.file);
    let file_len = file.metadata().unwrap().len();
    for cut_off in [Cut::End, Cut::Beginning, Cut::File] {
        let (mut dropped, mut named, mut unchanged) = (0, 0, 0);
        for cut in 0..last.written.len() {
            let mut torn = last.written.clone();
            match cut_off {
                Cut::End | Cut::File => torn[cut..].fill(0),
                Cut::Beginning => torn[..cut].fill(0),
            }
            file.write_all_at(&torn, last.offset).unwrap();
            if matches!(cut_off, Cut::File) {
                file.set_len(last.offset + cut as u64).unwrap();
            }
            let mut sectors = torn.chunks(SECTOR).zip(last.written.chunks(SECTOR));
            let is_of_whole_sectors = sectors.all(|(torn, whole)| torn == whole || torn == [0; SECTOR]);
            match quick_scan(last.dir.path()) {
                Ok(_) if torn == last.written => unchanged += 1,
                Ok(_) => {
                    assert!(is_of_whole_sectors, "{cut_off:?}, cut at {cut}");
                    assert_eq!(audit(last.dir.path()).unwrap().1.tree.size(), 2);
                    dropped += 1;
                }
                Err(ReadError::Corrupt { offset, .. }) => {
                    let sector = last.offset + (cut - cut % SECTOR) as u64;
                    let place = if matches!(cut_off, Cut::File) { last.offset + cut as u64 } else { sector };
                    assert_eq!(offset, place, "{cut_off:?}, cut at {cut}");
                    named += 1;
                }
                Err(other) => panic!("{cut_off:?}, cut at {cut}: {other}"),
            }
            file.set_len(file_len).unwrap();
        }
        println!("{cut_off:?}: {dropped} cuts dropped, {named} named, {unchanged} changed nothing");
        assert_eq!(dropped + named + unchanged, last.written.len());
    }
}

#[test]
fn a_torn_group_is_dropped_before_a_new_segment_follows_it() {
    let last = LastWrite::of_blocks(2);
    last.tear(|n| n != 5);
    let (mut ledger, _) = open(last.dir.path()).unwrap();
    ledger.append(leaves(5, 1, 60_000)).unwrap();
    drop(ledger);
    let (groups, scanned) = audit(last.dir.path()).unwrap();
    assert_eq!((groups.len(), scanned.segments, scanned.tail), (2, 2, Tail::Clean));
}

#[test]
fn a_torn_group_stays_on_the_disk_until_the_next_one_is_appended() {
    let last = LastWrite::of_blocks(1);
    last.tear(|n| n != 3);
    let torn = fs::read(&last.file).unwrap();
    drop(open(last.dir.path()).unwrap());
    assert_eq!(fs::read(&last.file).unwrap(), torn);
    last.check_dropped();
}

#[test]
fn an_unwritten_sector_within_the_log_is_not_a_torn_group() {
    let dir = two_segments();
    let paths = segments(dir.path());
    for (path, written) in [(&paths[0], 3 * BLOCK), (&paths[1], BLOCK)] {
        let file = writable(path);
        let pristine = fs::read(path).unwrap();
        for sector in 0..written / SECTOR {
            let at = sector * SECTOR;
            file.write_all_at(&[0; SECTOR], at as u64).unwrap();
            match quick_scan(dir.path()) {
                Err(ReadError::Corrupt { file, offset, .. }) => {
                    assert_eq!((&file, offset), (path, at as u64));
                }
                other => panic!("{}: sector {sector}: {other:?}", path.display()),
            }
            file.write_all_at(&pristine[at..at + SECTOR], at as u64).unwrap();
        }
    }
    quick_scan(dir.path()).unwrap();
}

#[test]
fn a_group_that_was_lost_before_others_in_one_segment_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &(0..3).map(|n| leaves(n, 1, 100)).collect::<Vec<_>>());
    let path = &segments(dir.path())[0];
    writable(path).write_all_at(&[0; BLOCK], 2 * BLOCK as u64).unwrap();
    let Err(ReadError::Corrupt { offset, .. }) = quick_scan(dir.path()) else { panic!("not found") };
    assert_eq!(offset, 2 * BLOCK as u64);
}

#[test]
fn a_file_of_another_length_is_found() {
    let dir = two_segments();
    for path in segments(dir.path()) {
        let pristine = fs::read(&path).unwrap();
        for len in (0..pristine.len()).step_by(SECTOR).chain([pristine.len() + 1, pristine.len() + 2 * BLOCK])
        {
            writable(&path).set_len(len as u64).unwrap();
            // Half a group at the end, or none; of a segment that another follows, or of the last.
            let Err(ReadError::Corrupt { file, .. }) = quick_scan(dir.path()) else { panic!("length {len}") };
            let next_misses_it = path < file && len % BLOCK == 0;
            assert!(file == path || next_misses_it, "length {len}: {}", file.display());
            fs::write(&path, &pristine).unwrap();
        }
    }
    quick_scan(dir.path()).unwrap();
}

#[test]
fn missing_exchanged_and_foreign_segments_are_found() {
    let check = |what: &str, harm: &dyn Fn(&Path, &[PathBuf])| {
        let dir = two_segments();
        harm(dir.path(), &segments(dir.path()));
        assert!(matches!(quick_scan(dir.path()), Err(ReadError::Corrupt { .. })), "{what}");
    };
    check("the first is missing", &|_, paths| fs::remove_file(&paths[0]).unwrap());
    check("the last is missing", &|_, paths| fs::remove_file(&paths[1]).unwrap());
    check("one is renamed", &|dir, paths| {
        fs::rename(&paths[1], journal_dir(dir).join("00000000000000000003.seg")).unwrap();
    });
    check("two are exchanged", &|_, paths| {
        let (first, second) = (fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
        fs::write(&paths[0], second).unwrap();
        fs::write(&paths[1], first).unwrap();
    });
    check("one is another history's", &|_, paths| {
        let other = tempfile::tempdir().unwrap();
        make(other.path(), &[leaves(50, 2, 100)]);
        fs::copy(&segments(other.path())[0], &paths[0]).unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_that_were_overwritten_never_give_other_leaves(
        at in any::<prop::sample::Index>(), noise in prop::collection::vec(any::<u8>(), 1..2000)
    ) {
        let dir = two_segments();
        let (pristine, _) = audit(dir.path()).unwrap();
        let path = at.get(&segments(dir.path())).clone();
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len() - noise.len());
        bytes[at..at + noise.len()].copy_from_slice(&noise);
        fs::write(&path, bytes).unwrap();

        let mut read = Vec::new();
        let result = scan(&journal_dir(dir.path()), &verifier(), Signatures::Every, |group| {
            read.push(group);
            Ok::<_, ReadError>(())
        });
        prop_assert!(pristine.starts_with(&read));
        if let Ok(scanned) = result {
            prop_assert_eq!(scanned.tree.size(), read.iter().map(|group| group.leaves.len() as u64).sum::<u64>());
            prop_assert!(read.len() == pristine.len() || scanned.tail != Tail::Clean);
        }
        for group in &read {
            prop_assert!(group.leaves.iter().zip(&group.hashes).take(1).all(|(leaf, hash)| leaf_hash(leaf) == *hash));
        }
    }
}
