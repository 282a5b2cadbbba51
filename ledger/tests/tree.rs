//! Hashes and proofs are those of RFC 6962: the published vectors, an independent implementation, and every
//! byte of a proof tampered with.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use parkwatt_ledger::{
    CheckpointError, CheckpointSigner, CheckpointVerifier, Hash, HashReader, Origin, ProofError, SigningKey,
    Tree, leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2_of_oracle::Sha256;
use tlog_tiles::tlog;

/// The leaves of the vectors that RFC 6962's authors publish with their implementation.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
/// The root over the first one, the first two, and so on.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// A tree with all its hashes in memory.
#[derive(Default)]
struct Log {
    tree: Tree,
    hashes: Vec<Hash>,
    roots: Vec<Hash>,
}

impl Log {
    fn of(leaves: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Log {
        let mut log = Log { roots: vec![Tree::default().root()], ..Log::default() };
        for leaf in leaves {
            assert_eq!(log.tree.stored_count(), log.hashes.len() as u64);
            log.tree.append(leaf_hash(leaf.as_ref()), &mut log.hashes);
            log.roots.push(log.tree.root());
        }
        log
    }
}

impl HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let hash =
            |&index: &u64| usize::try_from(index).ok().and_then(|index| self.hashes.get(index).copied());
        indexes.iter().map(|index| hash(index).ok_or(tlog::Error::IndexesNotInTree)).collect()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn hashes(hex: &[&str]) -> Vec<Hash> {
    hex.iter().map(|hex| Hash(bytes(hex).try_into().unwrap())).collect()
}

#[test]
fn roots_are_the_published_ones() {
    let log = Log::of(LEAVES.map(bytes));
    assert_eq!(log.roots[1..], hashes(&ROOTS));
    let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(log.roots[..1], hashes(&[of_nothing]));
}

#[test]
fn proofs_are_the_published_ones() {
    let [l0, l1, l4] = [LEAVES[0], LEAVES[1], LEAVES[4]].map(|leaf| leaf_hash(&bytes(leaf)));
    let n23 = hashes(&["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"])[0];
    let n45 = hashes(&["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"])[0];
    let n67 = hashes(&["ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"])[0];
    let n4567 = hashes(&["6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"])[0];
    let (r2, r4) = (hashes(&ROOTS)[1], hashes(&ROOTS)[3]);
    let log = Log::of(LEAVES.map(bytes));

    assert_eq!(prove_inclusion(&log, 1, 0).unwrap(), []);
    assert_eq!(prove_inclusion(&log, 8, 0).unwrap(), [l1, n23, n4567]);
    assert_eq!(prove_inclusion(&log, 8, 5).unwrap(), [l4, n67, r4]);
    assert_eq!(prove_inclusion(&log, 3, 2).unwrap(), [r2]);
    assert_eq!(prove_inclusion(&log, 5, 1).unwrap(), [l0, n23, l4]);

    assert_eq!(prove_consistency(&log, 8, 1).unwrap(), [l1, n23, n4567]);
    assert_eq!(prove_consistency(&log, 8, 6).unwrap(), [n45, n67, r4]);
    assert_eq!(prove_consistency(&log, 5, 2).unwrap(), [n23, l4]);
    assert_eq!(prove_consistency(&log, 8, 8).unwrap(), []);
}

#[test]
fn every_tampered_byte_of_a_proof_is_noticed() {
    let log = Log::of((0..13_u8).map(|n| [n]));
    let root = log.roots[13];
    let inclusion = prove_inclusion(&log, 13, 6).unwrap();
    let consistency = prove_consistency(&log, 13, 6).unwrap();
    let holds = |inclusion: &[Hash], consistency: &[Hash]| {
        [
            verify_inclusion(inclusion, 13, root, 6, leaf_hash(&[6])),
            verify_consistency(consistency, 13, root, 6, log.roots[6]),
        ]
    };
    assert_eq!(holds(&inclusion, &consistency), [Ok(()), Ok(())]);

    for hash in 0..inclusion.len().max(consistency.len()) {
        for byte in 0..32 {
            let (mut inclusion, mut consistency) = (inclusion.clone(), consistency.clone());
            for proof in [&mut inclusion, &mut consistency] {
                let last = proof.len() - 1;
                proof[hash.min(last)].0[byte] ^= 1;
            }
            assert_eq!(
                holds(&inclusion, &consistency),
                [Err(ProofError::DoesNotHold), Err(ProofError::DoesNotHold)]
            );
        }
    }
    let endless = vec![root; 1_000_000];
    for proof in [&inclusion[1..], &[inclusion.clone(), vec![root]].concat(), &endless, &[]] {
        assert_eq!(holds(proof, proof), [Err(ProofError::DoesNotHold), Err(ProofError::DoesNotHold)]);
    }
}

#[test]
fn a_proof_of_what_is_not_in_the_tree_is_refused() {
    let log = Log::of([b"a", b"b"]);
    assert!(matches!(prove_inclusion(&log, 2, 2), Err(ProofError::NotInTree { size: 2, .. })));
    assert!(matches!(prove_consistency(&log, 2, 3), Err(ProofError::NotInTree { size: 2, .. })));
    assert!(matches!(prove_inclusion(&log, 4, 0), Err(ProofError::Unreadable(_))));
    let root = log.roots[2];
    let beyond = u64::MAX;
    assert!(matches!(prove_inclusion(&log, beyond, 0), Err(ProofError::NotInTree { .. })));
    assert!(matches!(prove_consistency(&log, beyond, 1), Err(ProofError::NotInTree { .. })));
    assert!(matches!(verify_inclusion(&[], beyond, root, 0, root), Err(ProofError::NotInTree { .. })));
    assert!(matches!(verify_consistency(&[], beyond, root, 1, root), Err(ProofError::NotInTree { .. })));
    assert!(matches!(verify_inclusion(&[], 2, root, 2, root), Err(ProofError::NotInTree { .. })));
    assert!(matches!(verify_consistency(&[], 2, root, 3, root), Err(ProofError::NotInTree { .. })));
}

#[test]
fn every_tree_begins_with_the_empty_one() {
    let log = Log::of([b"a", b"b"]);
    let proof = prove_consistency(&log, 2, 0).unwrap();
    assert_eq!(verify_consistency(&proof, 2, log.roots[2], 0, log.roots[0]), Ok(()));
    assert_eq!(verify_consistency(&[], 2, log.roots[2], 0, log.roots[1]), Err(ProofError::DoesNotHold));
    assert_eq!(verify_consistency(&[], 0, log.roots[1], 0, log.roots[0]), Err(ProofError::DoesNotHold));
}

/// A second implementation, with the same leaves.
struct Oracle(MemoryBackedTree<Sha256, [u8; 8]>);

impl Oracle {
    fn of(leaves: &[[u8; 8]]) -> Oracle {
        let mut tree = MemoryBackedTree::new();
        for leaf in leaves {
            tree.push(*leaf);
        }
        Oracle(tree)
    }
}

fn numbered(size: u64) -> Vec<[u8; 8]> {
    (0..size).map(u64::to_le_bytes).collect()
}

fn flat(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

/// Checks the root, the proof of a leaf, and the proof that an earlier tree was the beginning.
fn check_beside(oracle: &Oracle, log: &Log, leaves: &[[u8; 8]], index: usize, earlier: usize) {
    let (size, root) = (leaves.len() as u64, log.tree.root());
    assert_eq!(root.0.to_vec(), oracle.0.root().as_bytes().to_vec());

    let proof = prove_inclusion(log, size, index as u64).unwrap();
    assert_eq!(flat(&proof), oracle.0.prove_inclusion(index).as_bytes());
    assert_eq!(verify_inclusion(&proof, size, root, index as u64, leaf_hash(&leaves[index])), Ok(()));

    let proof = prove_consistency(log, size, earlier as u64).unwrap();
    assert_eq!(flat(&proof), oracle.0.prove_consistency(leaves.len() - earlier).as_bytes());
    assert_eq!(verify_consistency(&proof, size, root, earlier as u64, log.roots[earlier]), Ok(()));
}

#[test]
fn an_independent_implementation_makes_the_same_of_every_small_tree() {
    for size in 1..=33 {
        let leaves = numbered(size);
        let (log, oracle) = (Log::of(&leaves), Oracle::of(&leaves));
        for place in 0..leaves.len() {
            check_beside(&oracle, &log, &leaves, place, place + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_independent_implementation_makes_the_same_of_any_tree(
        size in 1_u64..5_000, index in any::<prop::sample::Index>(), earlier in any::<prop::sample::Index>()
    ) {
        let leaves = numbered(size);
        let (log, oracle) = (Log::of(&leaves), Oracle::of(&leaves));
        check_beside(&oracle, &log, &leaves, index.index(leaves.len()), 1 + earlier.index(leaves.len()));
    }
}

fn signer(origin: &str, key: u8) -> CheckpointSigner {
    CheckpointSigner::new(Origin::new(origin).unwrap(), SigningKey::from_bytes(&[key; 32]))
}

#[test]
fn a_checkpoint_is_a_note_of_origin_size_and_root() {
    let checkpoint = signer("parkwatt/park", 7).sign(5, Hash([0; 32]));
    let mut lines = checkpoint.note().lines();
    let text = ["parkwatt/park", "5", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ""];
    assert_eq!(lines.by_ref().take(4).collect::<Vec<_>>(), text);
    assert!(lines.next().unwrap().starts_with("\u{2014} parkwatt/park "));
    assert_eq!(lines.next(), None);
}

#[test]
fn each_flipped_bit_of_a_note_is_noticed() {
    let signer = signer("parkwatt/park", 7);
    let checkpoint = signer.sign(1234, leaf_hash(b"root"));
    let verifier = signer.verifier();
    assert_eq!(verifier.open(checkpoint.note()).unwrap(), checkpoint);
    for bit in 0..checkpoint.note().len() * 8 {
        let mut flipped = checkpoint.note().as_bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // What is no text any more is no note either.
        if let Ok(note) = String::from_utf8(flipped) {
            assert!(verifier.open(&note).is_err(), "bit {bit}: {note}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_log_or_key_is_refused_by_name() {
    let note = signer("parkwatt/park", 7).sign(1, leaf_hash(b"root")).note().to_owned();
    let open = |origin, key| signer(origin, key).verifier().open(&note);
    assert!(open("parkwatt/park", 7).is_ok());
    assert!(matches!(open("parkwatt/port", 7), Err(CheckpointError::WrongOrigin { .. })));
    assert!(matches!(open("parkwatt/park", 8), Err(CheckpointError::WrongKey { .. })));
    let other = signer("parkwatt/park", 7).sign(2, leaf_hash(b"root")).note().to_owned();
    let (text, _) = note.split_once("\n\n").unwrap();
    let (_, signature) = other.split_once("\n\n").unwrap();
    let mixed = signer("parkwatt/park", 7).verifier().open(&format!("{text}\n\n{signature}"));
    assert_eq!(mixed, Err(CheckpointError::BadSignature));
}

#[test]
fn a_witness_may_sign_below_the_log() {
    let log = signer("parkwatt/park", 7);
    let note = log.sign(1, leaf_hash(b"root")).note().to_owned();
    let witness = signer("witness/one", 9).sign(1, leaf_hash(b"root")).note().to_owned();
    let cosigned = note + witness.split_once("\n\n").unwrap().1;
    assert_eq!(log.verifier().open(&cosigned).unwrap().size(), 1);
}

#[test]
fn a_verifier_key_comes_back_from_its_text() {
    let verifier = signer("parkwatt/park", 7).verifier();
    let read = CheckpointVerifier::from_vkey(verifier.vkey()).unwrap();
    assert_eq!((read.vkey(), read.origin()), (verifier.vkey(), "parkwatt/park"));
    for broken in
        ["", "parkwatt/park", "parkwatt/park+00000000+AAAA", &verifier.vkey().replace("park", "port")]
    {
        assert!(
            matches!(CheckpointVerifier::from_vkey(broken), Err(CheckpointError::BadVerifierKey(_))),
            "{broken}"
        );
    }
}

#[test]
fn an_origin_is_one_word_of_at_most_255_bytes() {
    assert!(Origin::new(&"x".repeat(255)).is_ok());
    for name in ["", "a b", "a+b", "a\nb", "a\u{7f}b", &"x".repeat(256)] {
        assert!(Origin::new(name).is_err(), "{name:?}");
    }
}
