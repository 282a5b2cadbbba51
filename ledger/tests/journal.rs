//! What is appended is there when the ledger is opened again: order, rotation, locks, keys.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod sample;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::thread;

use parkwatt_ledger::{
    AppendError, CheckpointSigner, Ledger, OpenError, Origin, ReadError, SigningKey, Tail, journal_dir,
};
use proptest::prelude::*;
use sample::{audit, leaves, make, open, segments, signer, small, verifier};

#[test]
fn groups_come_back_as_they_were_returned() {
    let dir = tempfile::tempdir().unwrap();
    let made = make(dir.path(), &[leaves(0, 1, 0), leaves(1, 5, 700), leaves(6, 300, 100)]);
    let (groups, scanned) = audit(dir.path()).unwrap();
    assert_eq!(groups, made);
    assert_eq!(scanned.tree.size(), 306);
    assert_eq!(scanned.checkpoint.as_ref(), Some(&made[2].checkpoint));
    assert_eq!(scanned.tail, Tail::Clean);
}

#[test]
fn a_full_segment_is_cut_to_its_groups_and_made_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let groups: Vec<_> = (0..10).map(|n| leaves(n, 1, 5000)).collect();
    make(dir.path(), &groups);
    let segments = segments(dir.path());
    assert_eq!(segments.len(), 4);
    for finished in &segments[..3] {
        let metadata = fs::metadata(finished).unwrap();
        assert_eq!(metadata.len(), 4096 + 3 * 8192);
        assert!(metadata.permissions().readonly());
    }
    assert_eq!(fs::metadata(&segments[3]).unwrap().len(), small().segment_bytes);
    assert_eq!(audit(dir.path()).unwrap().1.segments, 4);
}

#[test]
fn an_append_changes_neither_the_length_of_its_segment_nor_what_is_allocated_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path()).unwrap();
    let segment = segments(dir.path()).remove(0);
    let picture = |path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.len(), metadata.blocks(), metadata.mode(), metadata.ino())
    };
    let made = picture(&segment);
    assert_eq!(made.0, small().segment_bytes);
    // All of it is there: not a hole that a write would have to fill.
    assert!(made.1 * 512 >= small().segment_bytes, "{} blocks", made.1);
    for n in 0..7 {
        ledger.append(leaves(n, 1, 1000)).unwrap();
        assert_eq!(picture(&segment), made);
    }
    assert_eq!(segments(dir.path()).len(), 1);
    ledger.append(leaves(7, 1, 1000)).unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
}

#[test]
fn a_finished_segment_is_not_touched_any_more() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &(0..4).map(|n| leaves(n, 1, 5000)).collect::<Vec<_>>());
    let finished = segments(dir.path()).remove(0);
    let picture = || {
        let metadata = fs::metadata(&finished).unwrap();
        (fs::read(&finished).unwrap(), metadata.mtime_nsec(), metadata.ctime_nsec(), metadata.ino())
    };
    let before = picture();
    let (mut ledger, _) = open(dir.path()).unwrap();
    for n in 4..12 {
        ledger.append(leaves(n, 1, 5000)).unwrap();
    }
    drop(ledger);
    assert!(picture() == before);
}

#[test]
fn a_closed_ledger_leaves_segments_only() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &[leaves(0, 1, 20_000)]);
    assert_eq!(fs::read_dir(journal_dir(dir.path())).unwrap().count(), 1);
}

#[test]
fn a_group_larger_than_a_segment_gets_one_of_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let large = leaves(0, 3, 40_000);
    make(dir.path(), &[large.clone(), leaves(3, 1, 10), large.clone()]);
    let (_, replayed) = open(dir.path()).unwrap();
    assert_eq!(replayed, [large.clone(), leaves(3, 1, 10), large].concat());
}

#[test]
fn an_interrupted_rotation_is_completed_by_opening() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &(0..4).map(|n| leaves(n, 1, 5000)).collect::<Vec<_>>());
    let first = &segments(dir.path())[0];
    let used = fs::metadata(first).unwrap().len();
    let mut untrimmed = fs::read(first).unwrap();
    untrimmed.resize(usize::try_from(small().segment_bytes).unwrap(), 0);
    fs::remove_file(first).unwrap();
    fs::write(first, &untrimmed).unwrap();
    let unfinished = journal_dir(dir.path()).join("next.seg.new");
    fs::write(&unfinished, b"half").unwrap();

    assert_eq!(audit(dir.path()).unwrap().0.len(), 4);
    let (_, replayed) = open(dir.path()).unwrap();
    assert_eq!(replayed.len(), 4);
    assert_eq!(fs::metadata(first).unwrap().len(), used);
    assert!(!unfinished.exists());
}

#[test]
fn a_ledger_is_open_in_one_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Locked(_))));
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn a_lock_that_is_let_go_soon_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = open(dir.path()).unwrap();
    let (begins, begun) = mpsc::channel();
    let path = dir.path().to_owned();
    let second = thread::spawn(move || {
        begins.send(()).unwrap();
        open(&path).map(drop)
    });
    begun.recv().unwrap();
    // Who looks only once has looked by the time that so much was written.
    make(tempfile::tempdir().unwrap().path(), &[leaves(0, 1, 100_000)]);
    drop(first);
    second.join().unwrap().unwrap();
}

#[test]
fn another_key_and_another_origin_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &[leaves(0, 1, 10)]);
    let open_with = |origin, key| {
        let signer = CheckpointSigner::new(Origin::new(origin).unwrap(), SigningKey::from_bytes(&[key; 32]));
        Ledger::open(dir.path(), signer, &small(), |_| Ok::<_, OpenError>(())).err()
    };
    assert!(matches!(open_with("parkwatt/park", 8), Some(OpenError::Journal(ReadError::WrongKey { .. }))));
    assert!(matches!(open_with("parkwatt/port", 7), Some(OpenError::Journal(ReadError::WrongOrigin { .. }))));
    assert!(open_with("parkwatt/park", 7).is_none());
}

#[test]
fn a_replay_that_fails_ends_the_opening() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &[leaves(0, 1, 10), leaves(1, 1, 10)]);
    let mut seen = 0;
    let error = Ledger::open(dir.path(), signer(), &small(), |_| {
        seen += 1;
        Err::<(), Box<dyn std::error::Error>>("the engine disagrees".into())
    });
    assert_eq!(error.err().unwrap().to_string(), "the engine disagrees");
    assert_eq!(seen, 1);
}

#[test]
fn a_journal_that_is_not_there_is_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(journal_dir(dir.path())).unwrap();
    assert!(matches!(audit(dir.path()), Err(ReadError::NoJournal(_))));
}

#[test]
fn after_a_failed_write_nothing_is_appended_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let (mut ledger, _) = open(dir.path()).unwrap();
    ledger.append(leaves(0, 1, 5000)).unwrap();
    // A group that needs a new segment cannot be appended without the directory to put it into.
    let journal = journal_dir(dir.path());
    let away = dir.path().join("away");
    fs::rename(&journal, &away).unwrap();
    assert!(matches!(ledger.append(leaves(1, 1, 40_000)), Err(AppendError::Io(_))));
    fs::rename(&away, &journal).unwrap();
    assert!(matches!(ledger.append(leaves(1, 1, 10)), Err(AppendError::Poisoned)));
    assert_eq!(ledger.size(), 1);

    drop(ledger);
    let (mut ledger, replayed) = open(dir.path()).unwrap();
    assert_eq!(replayed, leaves(0, 1, 5000));
    ledger.append(leaves(1, 1, 10)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_appended_is_replayed_after_each_reopening(
        sessions in prop::collection::vec(
            prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..8), 0..6), 1..4)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected: Vec<Vec<u8>> = Vec::new();
        for groups in &sessions {
            let (mut ledger, replayed) = open(dir.path()).unwrap();
            prop_assert_eq!(&replayed, &expected);
            for leaves in groups {
                let group = ledger.append(leaves.clone()).unwrap();
                expected.extend(leaves.iter().cloned());
                prop_assert_eq!(verifier().open(group.checkpoint.note()).unwrap(), group.checkpoint);
            }
        }
        let (groups, scanned) = audit(dir.path()).unwrap();
        prop_assert_eq!(scanned.tree.size(), expected.len() as u64);
        prop_assert_eq!(groups.into_iter().flat_map(|group| group.leaves).collect::<Vec<_>>(), expected);
    }
}
