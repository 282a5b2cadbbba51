//! A mirror holds what its log has signed, and nothing that another history would put in its place.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use parkwatt_ledger::{
    CheckpointSigner, Gathered, Group, JournalOptions, Ledger, Mirror, MirrorError, OpenError, Origin,
    ProofError, Reader, Signatures, SigningKey, Tree, journal_dir, leaf_hash, prove_inclusion,
    verify_inclusion,
};

const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 1 << 16 };

fn signer(key: u8) -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[key; 32]))
}

fn leaves(text: &str) -> Vec<Vec<u8>> {
    text.split(' ').map(|leaf| leaf.as_bytes().to_vec()).collect()
}

fn open(dir: &Path) -> Result<Mirror, OpenError> {
    Mirror::open(dir, &signer(7).verifier(), &OPTIONS, |_| Ok::<_, OpenError>(()))
}

/// Returns a log of groups of these leaves, as its groups.
fn log(groups: &[&str]) -> (tempfile::TempDir, Vec<Group>) {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(dir.path(), signer(7), &OPTIONS, |_| Ok::<_, OpenError>(())).unwrap();
    let groups = groups.iter().map(|group| ledger.append(leaves(group)).unwrap()).collect();
    (dir, groups)
}

#[test]
fn a_mirror_of_all_groups_is_the_same_journal() {
    let (log, groups) = log(&["a", "b c d", "e f"]);
    let dir = tempfile::tempdir().unwrap();
    for group in &groups {
        let mut mirror = open(dir.path()).unwrap();
        assert_eq!(&mirror.append(group.leaves.clone(), group.checkpoint.note()).unwrap(), group);
        assert_eq!(mirror.checkpoint(), Some(&group.checkpoint));
    }
    let file = |dir: &Path| std::fs::read(journal_dir(dir).join("00000000000000000000.seg")).unwrap();
    assert!(file(log.path()) == file(dir.path()));
    // With fewer checkpoints its groups are larger, and its leaves the same.
    let dir = tempfile::tempdir().unwrap();
    let mut mirror = open(dir.path()).unwrap();
    mirror.append(leaves("a b c d e f"), groups[2].checkpoint.note()).unwrap();
    assert_eq!(mirror.tree().root(), groups[2].checkpoint.root());
}

#[test]
fn what_the_log_has_not_signed_is_not_mirrored() {
    let (_log, groups) = log(&["a", "b c"]);
    let dir = tempfile::tempdir().unwrap();
    let mut mirror = open(dir.path()).unwrap();
    mirror.append(leaves("a"), groups[0].checkpoint.note()).unwrap();
    let note = groups[1].checkpoint.note();
    for other in ["b", "b d", "c b", "b c d"] {
        assert!(
            matches!(mirror.append(leaves(other), note), Err(MirrorError::NotOfLeaves { .. })),
            "{other}"
        );
    }
    let mut tree = mirror.tree().clone();
    for leaf in leaves("b c") {
        tree.append(leaf_hash(&leaf), &mut Vec::new());
    }
    let forged = signer(8).sign(tree.size(), tree.root());
    assert!(matches!(mirror.append(leaves("b c"), forged.note()), Err(MirrorError::Checkpoint(_))));
    // The log's own fork: signed by it, and still no continuation of what it signed before.
    let (_fork, fork) = self::log(&["x", "b c"]);
    let refused = mirror.append(leaves("b c"), fork[1].checkpoint.note());
    assert!(matches!(refused, Err(MirrorError::NotOfLeaves { before: 1, leaves: 2, .. })));
    mirror.append(leaves("b c"), note).unwrap();
    assert!(matches!(open(dir.path()), Err(OpenError::Locked(_))));
}

#[test]
fn a_journal_alone_gives_proofs_and_the_root_at_every_size() {
    let (dir, groups) = log(&["a", "b c d", "e f", "g h i j k"]);
    let all: Vec<&[u8]> = groups.iter().flat_map(|group| group.leaves.iter().map(Vec::as_slice)).collect();
    let read = || Reader::open(&journal_dir(dir.path()), &signer(7).verifier(), Signatures::Every).unwrap();
    let mut root = Tree::default();
    for size in 1..=all.len() as u64 {
        root.append(leaf_hash(all[usize::try_from(size - 1).unwrap()]), &mut Vec::new());
        let mut reader = read();
        let mut found = Vec::new();
        loop {
            let before = reader.tree().clone();
            let Some(group) = reader.next() else { break };
            found.extend(group.unwrap().root_at(&before, size));
        }
        assert_eq!(found, [root.root()], "{size}");

        let indices: Vec<u64> = (0..size).collect();
        let mut gathered = Gathered::for_inclusion(size, &indices).unwrap();
        assert!(size == 1 || prove_inclusion(&gathered, size, 0).is_err(), "{size}");
        read().for_each(|group| gathered.take(&group.unwrap()));
        for index in indices {
            let proof = prove_inclusion(&gathered, size, index).unwrap();
            let leaf = leaf_hash(all[usize::try_from(index).unwrap()]);
            assert_eq!(verify_inclusion(&proof, size, root.root(), index, leaf), Ok(()));
        }
    }
    assert!(matches!(Gathered::for_inclusion(4, &[1, 4]), Err(ProofError::NotInTree { .. })));
}
