//! Opening behind a snapshot: the same log, or none.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod sample;

use std::fs;
use std::path::Path;

use parkwatt_ledger::{
    Group, Ledger, OpenError, ReadError, Reader, Signatures, Snapshot, Tree, journal_dir, leaf_hash,
    read_snapshots, snapshot_path, write_snapshot,
};
use sample::{leaves, make, segments, signer, small, verifier};

/// Makes a log of several segments, and returns its groups, each with the tree before it.
fn log(dir: &Path, seed: usize) -> Vec<(Tree, Group)> {
    let groups: Vec<_> = (0..24).map(|n| leaves(seed + 5 * n, 1 + n % 4, 900)).collect();
    let mut tree = Tree::default();
    let with_tree = |group: Group| {
        let before = tree.clone();
        group.leaves.iter().for_each(|leaf| tree.append(leaf_hash(leaf), &mut Vec::new()));
        (before, group)
    };
    let log = make(dir, &groups).into_iter().map(with_tree).collect();
    assert!(segments(dir).len() > 3);
    log
}

fn snapshot((tree, group): &(Tree, Group)) -> Snapshot {
    Snapshot { tree: tree.clone(), checkpoint: group.checkpoint.clone(), state: b"a state".to_vec() }
}

fn open(dir: &Path, snapshot: &Snapshot) -> Result<(Ledger, Vec<Group>), OpenError> {
    let mut groups = Vec::new();
    let ledger = Ledger::open_from(dir, signer(), &small(), snapshot, |group| {
        groups.push(group);
        Ok::<_, OpenError>(())
    })?;
    Ok((ledger, groups))
}

#[test]
fn behind_each_group_the_rest_of_the_log_is_read_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0);
    let (_, last) = log.last().unwrap();
    for (n, at) in log.iter().enumerate() {
        let (ledger, groups) = open(dir.path(), &snapshot(at)).unwrap();
        assert!(groups.iter().eq(log[n..].iter().map(|(_, group)| group)), "behind group {n}");
        assert_eq!((ledger.size(), ledger.checkpoint()), (last.end_index(), Some(&last.checkpoint)));
        assert_eq!(ledger.tree().root(), last.checkpoint.root());
    }
    let (mut ledger, _) = open(dir.path(), &snapshot(&log[20])).unwrap();
    ledger.append(leaves(7, 3, 70)).unwrap();
    drop(ledger);
    let (groups, scanned) = sample::audit(dir.path()).unwrap();
    assert_eq!((groups.len(), scanned.tree.size()), (log.len() + 1, last.end_index() + 3));
}

#[test]
fn only_the_first_leaves_are_read_of_a_journal_that_somebody_writes_to() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0);
    let (_ledger, _) = open(dir.path(), &snapshot(&log[20])).unwrap();
    for (before, group) in &log {
        let mut reader = Reader::up_to(&journal_dir(dir.path()), &verifier(), group.first_index).unwrap();
        let read: Vec<Group> = (&mut reader).map(Result::unwrap).collect();
        assert_eq!(reader.tree(), before);
        assert_eq!(read.last().map_or(0, Group::end_index), group.first_index);
    }
}

#[test]
fn a_journal_that_lacks_what_a_snapshot_has_signed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0);
    let ahead = snapshot(log.last().unwrap());
    let last = segments(dir.path()).pop().unwrap();
    fs::remove_file(last).unwrap();
    let refused = open(dir.path(), &ahead).map(drop);
    assert!(
        matches!(refused, Err(OpenError::ShorterThanSnapshot { signed }) if signed == ahead.checkpoint.size())
    );

    // Of the same lengths, so that nothing but the signature tells them apart.
    let other = tempfile::tempdir().unwrap();
    let others = self::log(other.path(), 1);
    let at = Snapshot { tree: others[9].0.clone(), ..snapshot(&log[9]) };
    let refused = open(other.path(), &at).map(drop);
    assert!(
        matches!(refused, Err(OpenError::OtherThanSnapshot { signed }) if signed == at.checkpoint.size())
    );

    let empty = tempfile::tempdir().unwrap();
    let refused = open(empty.path(), &at).map(drop);
    assert!(matches!(refused, Err(OpenError::ShorterThanSnapshot { .. })));
}

#[test]
fn a_tree_that_is_not_the_logs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0);
    let other = tempfile::tempdir().unwrap();
    let others = self::log(other.path(), 1);
    let at = Snapshot { tree: others[9].0.clone(), ..snapshot(&log[9]) };
    let refused = open(dir.path(), &at).map(drop);
    assert!(matches!(refused, Err(OpenError::Journal(ReadError::Corrupt { .. }))), "{refused:?}");
    // Nor is one that ends within a group.
    let mut within = log[11].0.clone();
    within.append(leaf_hash(&log[11].1.leaves[0]), &mut Vec::new());
    let mut reader = Reader::resume(&journal_dir(dir.path()), &verifier(), Signatures::Last, within).unwrap();
    assert!(matches!(reader.next(), Some(Err(ReadError::Corrupt { .. }))));
}

#[test]
fn the_newest_two_are_kept_and_every_flipped_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), 0);
    for at in [3, 8, 14] {
        write_snapshot(dir.path(), &snapshot(&log[at])).unwrap();
    }
    let verifier = verifier();
    let read = || read_snapshots(dir.path(), &verifier).unwrap();
    let kept: Vec<Snapshot> = read().map(Result::unwrap).collect();
    assert_eq!(kept, [snapshot(&log[14]), snapshot(&log[8])]);

    let path = snapshot_path(dir.path(), kept[0].tree.size());
    let pristine = fs::read(&path).unwrap();
    for bit in 0..pristine.len() * 8 {
        let mut flipped = pristine.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, flipped).unwrap();
        assert!(read().next().unwrap().is_err(), "bit {bit}");
    }
    for len in 0..pristine.len() {
        fs::write(&path, &pristine[..len]).unwrap();
        assert!(read().next().unwrap().is_err(), "{len} bytes");
    }
    assert_eq!(read().nth(1).unwrap().unwrap(), kept[1]);
    println!("{} flipped bits and {} cuts of a snapshot, all found", pristine.len() * 8, pristine.len());
}
