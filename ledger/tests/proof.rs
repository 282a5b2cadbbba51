//! Proofs in files: what is written is read again, what was changed proves nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use parkwatt_ledger::{
    CheckpointError, CheckpointSigner, CheckpointVerifier, Hash, HashReader, Origin, ProofError, ProvedLeaf,
    SigningKey, TogetherError, Tree, UnprovedError, leaf_hash, prove_inclusion, verify_together,
};
use tlog_tiles::tlog;

struct Hashes(Vec<Hash>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn signer(seed: u8) -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

/// Returns the proof of each leaf in a tree of `size`, as text.
fn proofs(size: u64) -> Vec<String> {
    let (mut tree, mut hashes) = (Tree::default(), Vec::new());
    (0..size).for_each(|index| tree.append(leaf_hash(&leaf(index)), &mut hashes));
    let (checkpoint, hashes) = (signer(7).sign(size, tree.root()), Hashes(hashes));
    let proof = |index| {
        ProvedLeaf::new(leaf(index), index, prove_inclusion(&hashes, size, index).unwrap(), &checkpoint)
    };
    (0..size).map(|index| proof(index).to_string()).collect()
}

fn verify(text: &str, verifier: &CheckpointVerifier) -> Option<(u64, Vec<u8>)> {
    let proved: ProvedLeaf = text.parse().ok()?;
    proved.verify(verifier).ok()?;
    Some((proved.index(), proved.leaf().to_vec()))
}

#[test]
fn every_leaf_of_every_tree_is_proved_by_its_text_alone() {
    for size in 1..40 {
        for (index, text) in (0..).zip(proofs(size)) {
            assert_eq!(verify(&text, &signer(7).verifier()), Some((index, leaf(index))));
            assert_eq!(text.parse::<ProvedLeaf>().unwrap().to_string(), text);
        }
    }
}

#[test]
fn the_form_is_that_of_c2sp() {
    let text = &proofs(2)[1];
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra bGVhZiAx", "index 1"]);
    assert_eq!((lines[4], lines[5], lines[6], lines[8]), ("", "parkwatt/park", "2", ""));
    assert!(lines[9].starts_with("— parkwatt/park "));
}

#[test]
fn a_changed_byte_proves_nothing_else() {
    let (text, verifier) = (proofs(13)[5].clone(), signer(7).verifier());
    let mut changed = 0;
    for place in 0..text.len() {
        for flip in [1, 2, 32, 128] {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= flip;
            let Ok(other) = String::from_utf8(bytes) else { continue };
            assert_eq!(verify(&other, &verifier), None, "byte {place}: {other}");
            changed += 1;
        }
    }
    assert!(changed > 1000);
}

#[test]
fn what_is_not_a_proof_is_named() {
    let text = &proofs(3)[1];
    for (from, to, named) in [
        ("tlog-proof@v1", "tlog-proof@v2", "its first line"),
        ("extra ", "xtra ", "a line 'extra' with the leaf"),
        ("extra bGVhZiAx", "extra bGVhZiA", "the base64 of the line 'extra'"),
        ("index 1", "indices 1", "a line 'index'"),
        ("index 1", "index 01", "the number of the line 'index'"),
        ("index 1", "index +1", "the number of the line 'index'"),
        ("index 1\n", "index 1\nAAAA\n", "the lines of hashes"),
        ("\n\n", "\n", "an empty line before the checkpoint"),
    ] {
        let error = text.replace(from, to).parse::<ProvedLeaf>().unwrap_err();
        assert_eq!(error.to_string(), format!("not a c2sp.org/tlog-proof@v1 with its leaf: {named}"));
    }
}

#[test]
fn another_logs_key_proves_nothing() {
    let proved: ProvedLeaf = proofs(3)[1].parse().unwrap();
    let other = signer(8).verifier();
    let expected = other.vkey().to_owned();
    assert_eq!(proved.verify(&other), Err(UnprovedError::Checkpoint(CheckpointError::WrongKey { expected })));
}

#[test]
fn proofs_hold_together_only_against_one_checkpoint() {
    let (texts, verifier) = (proofs(9), signer(7).verifier());
    let (checkpoint, leaves) = verify_together(&texts, &verifier).unwrap();
    assert_eq!(checkpoint.size(), 9);
    let found: Vec<_> = leaves.iter().map(|proved| (proved.index(), proved.leaf().to_vec())).collect();
    assert_eq!(found, (0..9).map(|index| (index, leaf(index))).collect::<Vec<_>>());

    let with = |text: &str| {
        let mut changed = texts.clone();
        changed[4] = text.to_owned();
        verify_together(&changed, &verifier).unwrap_err()
    };
    assert_eq!(with(&proofs(8)[4]), TogetherError::OtherCheckpoint { place: 5 });
    assert!(matches!(with("no proof"), TogetherError::Form { place: 5, .. }));
    let moved = with(&texts[4].replace("index 4", "index 5"));
    let problem = UnprovedError::NotIncluded { index: 5, problem: ProofError::DoesNotHold };
    assert_eq!(moved, TogetherError::Unproved { place: 5, problem });
    assert_eq!(verify_together(&[], &verifier).unwrap_err(), TogetherError::Empty);
}

#[test]
fn a_key_is_given_as_itself_or_in_a_file() {
    let (dir, vkey) = (tempfile::tempdir().unwrap(), signer(7).verifier().vkey().to_owned());
    let file = dir.path().join("vkey");
    let given = file.to_str().unwrap();
    let read = |text: &str| CheckpointVerifier::from_vkey_or_file(text).map(|it| it.vkey().to_owned());
    assert_eq!(read(&vkey), Ok(vkey.clone()));
    assert_eq!(read(given), Err(CheckpointError::BadVerifierKey(given.to_owned())));
    std::fs::write(&file, format!("{vkey}\n")).unwrap();
    assert_eq!(read(given), Ok(vkey));
    std::fs::write(&file, "no key").unwrap();
    assert!(
        read(given)
            .unwrap_err()
            .to_string()
            .ends_with("holds no verifier key: \"no key\" is not a verifier key")
    );
}
