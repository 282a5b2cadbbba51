//! The store is made equal to the journal, whatever has happened to it.
#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod sample;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use parkwatt_ledger::{
    Group, IndexRow, ReadError, ReopenError, Reopened, Rows, Store, StoreError, StoreState, Tree,
    answer_probe, compare, journal_dir, leaf_hash, open_or_rebuild, prove_consistency, prove_inclusion,
    verify_consistency, verify_inclusion,
};
use sample::{audit, leaves, make, open, verifier};

/// Where the probe finds the ledger it is asked about.
const PROBED: &str = "PARKWATT_LEDGER_PROBED";
/// The index that the tests derive: a leaf's hash to its position.
const BY_HASH: u8 = 1;

fn rows(group: &Group, rows: &mut Rows) {
    for (index, leaf) in group.indexed_leaves() {
        let hash = leaf_hash(leaf).0;
        let key = [&index.to_be_bytes()[..], &hash[1..]].concat();
        rows.push(IndexRow { index: BY_HASH, page: &hash[..1], key: &key, value: &index.to_be_bytes() });
    }
}

fn rows_of(group: &Group) -> Rows {
    let mut derived = Rows::default();
    rows(group, &mut derived);
    derived
}

fn probe(dir: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["the_probe_answers_by_its_exit_code", "--exact", "--nocapture"]).env(PROBED, dir);
    command
}

fn reopen(dir: &Path) -> Result<(Store, Reopened), ReopenError> {
    open_or_rebuild(dir, &verifier(), &Tree::default(), &mut probe(dir), rows)
}

/// Opens the store by every means there are, and checks that it is what the journal is.
#[track_caller]
fn check_reopened(dir: &Path) -> Reopened {
    let (store, reopened) = reopen(dir).unwrap();
    drop(store);
    assert_eq!(compare(dir, &verifier(), &Tree::default(), rows).unwrap(), StoreState::Equal);
    reopened
}

/// A ledger of a few groups, and its store.
fn ledger_with_store() -> (tempfile::TempDir, Vec<Group>) {
    let dir = tempfile::tempdir().unwrap();
    let groups = make(dir.path(), &[leaves(0, 3, 100), leaves(3, 40, 300), leaves(43, 2, 9000)]);
    assert_eq!(check_reopened(dir.path()), Reopened::CaughtUp { from: 0 });
    (dir, groups)
}

fn aside(dir: &Path) -> PathBuf {
    dir.join("sled.damaged-1")
}

#[test]
fn the_probe_answers_by_its_exit_code() {
    if let Some(dir) = env::var_os(PROBED) {
        let code = answer_probe(&compare(Path::new(&dir), &verifier(), &Tree::default(), rows));
        process::exit(i32::from(code));
    }
    let (dir, _) = ledger_with_store();
    assert_eq!(probe(dir.path()).status().unwrap().code(), Some(0));
    open(dir.path()).unwrap().0.append(leaves(45, 1, 10)).unwrap();
    assert_eq!(probe(dir.path()).status().unwrap().code(), Some(10));
}

#[test]
fn an_equal_store_is_left_alone() {
    let (dir, _) = ledger_with_store();
    assert_eq!(check_reopened(dir.path()), Reopened::Equal);
}

#[test]
fn a_deleted_store_is_made_anew() {
    let (dir, _) = ledger_with_store();
    fs::remove_dir_all(Store::path(dir.path())).unwrap();
    assert_eq!(check_reopened(dir.path()), Reopened::CaughtUp { from: 0 });
}

#[test]
fn a_store_that_is_behind_catches_up() {
    let (dir, _) = ledger_with_store();
    let (mut ledger, _) = open(dir.path()).unwrap();
    ledger.append(leaves(45, 1, 10)).unwrap();
    ledger.append(leaves(46, 9, 10)).unwrap();
    assert_eq!(check_reopened(dir.path()), Reopened::CaughtUp { from: 45 });
}

#[test]
fn a_store_with_other_leaves_is_moved_aside() {
    let (dir, _) = ledger_with_store();
    let other = tempfile::tempdir().unwrap();
    make(other.path(), &[leaves(1, 3, 100), leaves(3, 40, 300), leaves(43, 2, 9000)]);
    fs::remove_dir_all(journal_dir(dir.path())).unwrap();
    fs::rename(journal_dir(other.path()), journal_dir(dir.path())).unwrap();

    let what = "leaf 0 is not the journal's".to_owned();
    assert_eq!(check_reopened(dir.path()), Reopened::Rebuilt { what, aside: aside(dir.path()) });
    assert!(aside(dir.path()).is_dir());
}

#[test]
fn a_store_with_another_row_is_moved_aside() {
    let (dir, groups) = ledger_with_store();
    fs::remove_dir_all(Store::path(dir.path())).unwrap();
    let store = Store::open(dir.path()).unwrap();
    for group in &groups {
        let derived = rows_of(group);
        let mut rows: Vec<IndexRow<'_>> = derived.iter().collect();
        rows[0].value = b"elsewhere";
        store.apply(std::slice::from_ref(group), &rows.into_iter().collect()).unwrap();
    }
    drop(store);
    assert!(matches!(check_reopened(dir.path()), Reopened::Rebuilt { .. }));
}

#[test]
fn a_store_with_a_row_too_many_is_moved_aside() {
    let (dir, groups) = ledger_with_store();
    fs::remove_dir_all(Store::path(dir.path())).unwrap();
    let store = Store::open(dir.path()).unwrap();
    for group in &groups {
        let (mut rows, key) = (rows_of(group), group.first_index.to_be_bytes());
        rows.push(IndexRow { index: 9, page: &[], key: &key, value: &[] });
        store.apply(std::slice::from_ref(group), &rows).unwrap();
    }
    drop(store);
    assert!(matches!(check_reopened(dir.path()), Reopened::Rebuilt { .. }));
}

#[test]
fn a_store_whose_opening_is_blocked_is_moved_aside() {
    let (dir, _) = ledger_with_store();
    fs::write(Store::path(dir.path()).join("snap.00000000000000FF.generating"), b"half a snapshot").unwrap();
    check_reopened(dir.path());
}

#[test]
fn an_older_copy_of_the_store_catches_up() {
    let (dir, _) = ledger_with_store();
    let old = dir.path().join("old");
    copy_dir(&Store::path(dir.path()), &old);
    open(dir.path()).unwrap().0.append(leaves(45, 5, 2000)).unwrap();
    assert_eq!(check_reopened(dir.path()), Reopened::CaughtUp { from: 45 });
    fs::remove_dir_all(Store::path(dir.path())).unwrap();
    fs::rename(&old, Store::path(dir.path())).unwrap();
    assert_eq!(check_reopened(dir.path()), Reopened::CaughtUp { from: 45 });
}

#[test]
fn a_store_that_is_in_use_is_neither_moved_nor_rebuilt() {
    let (dir, _) = ledger_with_store();
    let user = Store::open(dir.path()).unwrap();
    let error = reopen(dir.path()).unwrap_err();
    assert!(matches!(error, ReopenError::Store(StoreError::InUse(_))), "{error}");
    assert!(!aside(dir.path()).exists());
    drop(user);
    assert_eq!(check_reopened(dir.path()), Reopened::Equal);
}

#[test]
fn a_journal_that_has_lost_groups_is_not_continued() {
    let (dir, _) = ledger_with_store();
    let shorter = tempfile::tempdir().unwrap();
    make(shorter.path(), &[leaves(0, 3, 100), leaves(3, 40, 300)]);
    fs::remove_dir_all(journal_dir(dir.path())).unwrap();
    fs::rename(journal_dir(shorter.path()), journal_dir(dir.path())).unwrap();

    let error = reopen(dir.path()).unwrap_err();
    assert!(matches!(error, ReopenError::JournalShorterThanStore { .. }));
    assert!(error.to_string().ends_with("over 45 leaves, the journal has 43"), "{error}");
    assert!(!aside(dir.path()).exists());
}

#[test]
fn a_store_with_any_file_damaged_is_equal_again_afterwards() {
    let (pristine, _) = ledger_with_store();
    let (mut harmless, mut rebuilt) = (0, 0);
    for (file, len) in files(&Store::path(pristine.path())) {
        // Twelve places spread over each file: sled itself decides which of them it reads.
        for n in 0..12 {
            let dir = tempfile::tempdir().unwrap();
            copy_dir(pristine.path(), dir.path());
            let path = Store::path(dir.path()).join(&file);
            let mut bytes = fs::read(&path).unwrap();
            bytes[len * n / 12] ^= 1 << (n % 8);
            fs::write(&path, bytes).unwrap();
            match check_reopened(dir.path()) {
                Reopened::Equal => harmless += 1,
                Reopened::Rebuilt { .. } | Reopened::CaughtUp { .. } => rebuilt += 1,
            }
        }
    }
    assert!(harmless > 0 && rebuilt > 0, "{harmless} flips were harmless, {rebuilt} were repaired");
}

#[test]
fn the_store_answers_what_was_applied() {
    let (dir, groups) = ledger_with_store();
    let (store, _) = reopen(dir.path()).unwrap();
    assert_eq!(store.size().unwrap(), 45);
    assert_eq!(store.checkpoint().unwrap().as_ref(), Some(&groups[2].checkpoint));
    assert_eq!(store.checkpoint_at_least(4).unwrap().as_ref(), Some(&groups[1].checkpoint));
    assert_eq!(store.checkpoint_at_least(46).unwrap(), None);

    for size in 0..=45 {
        let first = groups.iter().find(|group| group.end_index() >= size).unwrap();
        assert_eq!(store.checkpoint_at_least(size).unwrap().as_ref(), Some(&first.checkpoint), "{size}");
    }
    let all: Vec<_> =
        groups.iter().flat_map(Group::indexed_leaves).map(|(n, leaf)| (n, leaf.to_vec())).collect();
    assert_eq!(store.leaves(0).map(Result::unwrap).collect::<Vec<_>>(), all);
    assert_eq!(store.leaves(44).map(Result::unwrap).collect::<Vec<_>>(), all[44..]);
    for (index, leaf) in &all {
        assert_eq!(store.leaf(*index).unwrap().as_ref(), Some(leaf));
    }
    assert_eq!(store.leaf(45).unwrap(), None);

    let again = store.apply(&groups[..1], &Rows::default());
    assert!(matches!(again, Err(StoreError::OutOfOrder { size: 45, first_index: 0 })));
}

#[test]
fn the_store_proves_what_a_verifier_accepts() {
    let (dir, groups) = ledger_with_store();
    let (store, _) = reopen(dir.path()).unwrap();
    for group in &groups {
        let (size, root) = (group.checkpoint.size(), group.checkpoint.root());
        for (index, leaf) in store.leaves(0).map(Result::unwrap).take(usize::try_from(size).unwrap()) {
            let proof = prove_inclusion(&store, size, index).unwrap();
            verify_inclusion(&proof, size, root, index, leaf_hash(&leaf)).unwrap();
        }
        let earlier = &groups[0].checkpoint;
        let proof = prove_consistency(&store, size, earlier.size()).unwrap();
        verify_consistency(&proof, size, root, earlier.size(), earlier.root()).unwrap();
    }
}

#[test]
fn rows_are_found_by_key_and_in_order_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &[leaves(0, 1, 10)]);
    let group = &audit(dir.path()).unwrap().0[0];
    let store = Store::open(dir.path()).unwrap();
    let mut rows = Rows::default();
    for (index, page, key) in
        [(255, "b", "x"), (1, "ann", "b"), (0, "ann", "a"), (1, "bob", "a"), (1, "ann", "a"), (1, "ann", "c")]
    {
        let value = key.to_uppercase();
        let (page, key, value) = (page.as_bytes(), key.as_bytes(), value.as_bytes());
        rows.push(IndexRow { index, page, key, value });
    }
    assert_eq!((rows.len(), rows.is_empty()), (6, false));
    store.apply(std::slice::from_ref(group), &rows).unwrap();

    let all = |_: &[u8]| true;
    let keys = |rows: &mut dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>>| {
        rows.map(|row| String::from_utf8(row.unwrap().0).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&mut store.scan_index(1, b"ann")), ["a", "b", "c"]);
    assert_eq!(keys(&mut store.scan_index(1, b"ann").rev()), ["c", "b", "a"]);
    assert_eq!(keys(&mut store.scan_index(0, b"ann")), ["a"]);
    assert_eq!(keys(&mut store.scan_index_from(1, b"ann", b"b", all)), ["b", "c"]);
    assert_eq!(keys(&mut store.scan_index_from(1, b"ann", b"bb", all)), ["c"]);
    assert_eq!(keys(&mut store.scan_index_from(1, b"ann", b"d", all)), [""; 0]);
    assert_eq!(keys(&mut store.scan_index_from(255, b"b", b"", all)), ["x"]);
    assert_eq!(keys(&mut store.scan_index_from(1, b"ann", b"", |key| key != b"b")), ["a", "c"]);
    assert_eq!(store.get_index(1, b"bob", b"a").unwrap(), Some(b"A".to_vec()));
    for (index, page, key) in [(1, "bob", "b"), (1, "bob", ""), (1, "cat", "a"), (2, "bob", "a")] {
        assert_eq!(store.get_index(index, page.as_bytes(), key.as_bytes()).unwrap(), None, "{page}/{key}");
    }
    assert_eq!(store.size().unwrap(), 1);
}

fn files(dir: &Path) -> Vec<(PathBuf, usize)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let len = usize::try_from(entry.metadata().unwrap().len()).unwrap();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            } else if len > 0 {
                found.push((entry.path().strip_prefix(dir).unwrap().to_owned(), len));
            }
        }
    }
    found
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_probes_answers_are_told_apart() {
    let answers = [
        Ok(StoreState::Equal),
        Ok(StoreState::Behind { size: 1 }),
        Ok(StoreState::Different { what: "leaf 1".into() }),
        Ok(StoreState::Ahead { store: 2, journal: 1 }),
        Err(ReadError::NoJournal(PathBuf::new())),
        Ok(StoreState::InUse),
    ];
    assert_eq!(answers.each_ref().map(answer_probe), [0, 10, 11, 12, 13, 14]);
}
