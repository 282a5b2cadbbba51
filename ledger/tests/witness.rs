//! Cosignatures in the form of C2SP: n of m witnesses, and every byte tampered with.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use parkwatt_ledger::{
    CheckpointSigner, CheckpointVerifier, Hash, Origin, Quorum, QuorumError, SignedCheckpoint, SigningKey,
    UnseenError, Witness, WitnessSigner,
};

const SEEN_AT: u64 = 1_679_315_147;

fn log() -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[7; 32]))
}

fn witness(number: u8) -> WitnessSigner {
    WitnessSigner::new(&format!("witness-{number}.example"), SigningKey::from_bytes(&[100 + number; 32]))
        .unwrap()
}

/// Returns a checkpoint that these witnesses have signed.
fn seen_by(numbers: &[u8]) -> SignedCheckpoint {
    let checkpoint = log().sign(3, Hash([9; 32]));
    numbers.iter().fold(checkpoint, |checkpoint, number| witness(*number).cosign(&checkpoint, SEEN_AT))
}

fn quorum(needed: usize, numbers: &[u8]) -> Quorum {
    Quorum::new(numbers.iter().map(|number| witness(*number).witness().clone()).collect(), needed).unwrap()
}

#[test]
fn a_cosignature_is_one_more_signature_over_time_and_checkpoint() {
    let checkpoint = seen_by(&[1]);
    let lines: Vec<&str> = checkpoint.note().lines().collect();
    assert!(lines[5].starts_with("— witness-1.example "));
    assert_eq!(log().verifier().open(checkpoint.note()).unwrap(), checkpoint);
    let seen = quorum(1, &[1]).check(&checkpoint).unwrap();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [("witness-1.example".to_owned(), SEEN_AT)]);
}

#[test]
fn a_quorum_is_so_many_of_those_who_were_named() {
    let missing = |needed, seen, missing: &str| {
        Err(UnseenError::TooFew { seen, needed, size: 3, missing: missing.to_owned() })
    };
    for (signed, needed, expected) in [
        (&[1, 2][..], 2, Ok(2)),
        (&[1, 2, 3], 2, Ok(3)),
        (&[2], 2, missing(2, 1, "witness-1.example, witness-3.example")),
        (&[4, 5], 1, missing(1, 0, "witness-1.example, witness-2.example, witness-3.example")),
        (&[], 1, missing(1, 0, "witness-1.example, witness-2.example, witness-3.example")),
    ] {
        let checked = quorum(needed, &[1, 2, 3]).check(&seen_by(signed));
        assert_eq!(checked.map(|seen| seen.len()), expected);
    }
}

#[test]
fn a_quorum_that_cannot_be_is_refused() {
    let one = witness(1).witness().clone();
    for needed in [0, 2] {
        let refused = Quorum::new(vec![one.clone()], needed).unwrap_err();
        assert_eq!(refused, QuorumError::OutOfRange { needed, given: 1 });
    }
    let same = WitnessSigner::new("other.example", SigningKey::from_bytes(&[101; 32])).unwrap();
    let refused = Quorum::new(vec![one, same.witness().clone()], 1).unwrap_err();
    assert_eq!(refused, QuorumError::SameKey("other.example".to_owned()));
}

#[test]
fn a_witness_who_signs_again_counts_once_and_with_his_last_time() {
    let checkpoint = witness(1).cosign(&seen_by(&[1]), SEEN_AT + 60);
    let seen = quorum(1, &[1]).check(&checkpoint).unwrap();
    assert_eq!(seen.into_values().collect::<Vec<_>>(), [SEEN_AT + 60]);
}

#[test]
fn a_changed_byte_is_not_what_the_witness_signed() {
    let (checkpoint, quorum) = (seen_by(&[1]), quorum(1, &[1]));
    let note = checkpoint.note();
    let begin = note.find("witness-1").unwrap();
    let mut changed = 0;
    for place in begin..note.len() {
        let mut bytes = note.as_bytes().to_vec();
        bytes[place] ^= 1;
        let Ok(other) = String::from_utf8(bytes) else { continue };
        let Ok(other) = log().verifier().open(&other) else { continue };
        assert!(quorum.check(&other).is_err(), "byte {place}");
        changed += 1;
    }
    assert!(changed > 80);
    let elsewhere = log().sign(4, Hash([9; 32]));
    let moved = elsewhere.note().to_owned() + &note[note.find("— witness-1").unwrap()..];
    let moved = log().verifier().open(&moved).unwrap();
    assert_eq!(quorum.check(&moved), Err(UnseenError::BadCosignature("witness-1.example".to_owned())));
}

#[test]
fn a_witness_key_is_read_as_it_is_handed_around() {
    let witness = witness(1).witness().clone();
    assert_eq!(Witness::from_vkey(&witness.vkey()).unwrap(), witness);
    let of_log = log().verifier().vkey().to_owned();
    for (vkey, problem) in [
        ("witness.example", "it is NAME+ID+KEY"),
        (of_log.as_str(), "its key is not for Ed25519 cosignatures"),
        (&format!("{}!", witness.vkey()), "its last part is not base64"),
        (&witness.vkey().replace("witness-1", "witness-2"), "its id is not that of its key"),
    ] {
        let error = Witness::from_vkey(vkey).unwrap_err().to_string();
        assert_eq!(error, format!("{vkey:?} is not the key of a witness: {problem}"));
    }
    assert!(CheckpointVerifier::from_vkey(&witness.vkey()).is_err(), "a witness is not a log");
}
