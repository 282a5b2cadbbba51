//! Which cosigned checkpoints a log keeps, and that a file of them is read as it was written.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use parkwatt_ledger::{
    COSIGNED_FILE, CheckpointSigner, Cosigned, Hash, Origin, SignedCheckpoint, SigningKey, UnseenError,
    Witness, WitnessSigner, cosigned_notes, write_cosigned,
};

fn log() -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[7; 32]))
}

fn witness(number: u8) -> WitnessSigner {
    WitnessSigner::new(&format!("witness-{number}.example"), SigningKey::from_bytes(&[100 + number; 32]))
        .unwrap()
}

/// Returns the checkpoint over so many leaves, signed by these witnesses.
fn seen_by(size: u64, numbers: &[u8]) -> SignedCheckpoint {
    let checkpoint = log().sign(size, Hash([9; 32]));
    numbers.iter().fold(checkpoint, |checkpoint, number| witness(*number).cosign(&checkpoint, 1_000))
}

fn of_witnesses(numbers: &[u8]) -> Cosigned {
    let witnesses: Vec<Witness> = numbers.iter().map(|number| witness(*number).witness().clone()).collect();
    Cosigned::new(log().verifier(), witnesses)
}

/// Takes checkpoints in this order, and returns what is kept: sizes, and the witnesses' numbers.
fn kept(taken: &[(u64, &[u8])]) -> Vec<(u64, Vec<u8>)> {
    let mut cosigned = of_witnesses(&[1, 2, 3]);
    for (size, numbers) in taken {
        cosigned.take(&seen_by(*size, numbers)).unwrap();
    }
    let signed = |it: &SignedCheckpoint| {
        (1..=9).filter(|number| it.note().contains(&format!("— witness-{number}.example "))).collect()
    };
    cosigned.kept().iter().map(|it| (it.size(), signed(it))).collect()
}

#[test]
fn a_checkpoint_is_kept_until_all_its_witnesses_have_signed_a_newer_one() {
    for (taken, expected) in [
        (&[(5, &[1][..])][..], vec![(5, vec![1])]),
        (&[(5, &[1]), (5, &[2])], vec![(5, vec![1, 2])]),
        (&[(5, &[1]), (7, &[1])], vec![(7, vec![1])]),
        (&[(7, &[1]), (5, &[1])], vec![(7, vec![1])]),
        (&[(5, &[1]), (5, &[2]), (7, &[2])], vec![(7, vec![2]), (5, vec![1, 2])]),
        (&[(5, &[1, 2]), (7, &[2]), (7, &[1])], vec![(7, vec![1, 2])]),
        (
            &[(5, &[1, 2]), (7, &[2, 3]), (9, &[3, 1])],
            vec![(9, vec![1, 3]), (7, vec![2, 3]), (5, vec![1, 2])],
        ),
        // Signatures of strangers are not kept.
        (&[(5, &[1, 4])], vec![(5, vec![1])]),
    ] {
        assert_eq!(kept(taken), expected, "{taken:?}");
    }
}

#[test]
fn what_no_witness_has_signed_and_what_is_false_is_refused() {
    let mut cosigned = of_witnesses(&[1, 2]);
    for strangers in [&[][..], &[3]] {
        assert!(matches!(cosigned.take(&seen_by(5, strangers)), Err(UnseenError::TooFew { seen: 0, .. })));
    }
    let signed = seen_by(5, &[1]);
    let line = signed.note().lines().last().unwrap();
    let forged = signed.note().replace(line, seen_by(6, &[1]).note().lines().last().unwrap());
    let forged = log().verifier().open(&forged).unwrap();
    let refused = cosigned.take(&forged);
    assert_eq!(refused, Err(UnseenError::BadCosignature("witness-1.example".to_owned())));
    assert_eq!(cosigned.kept(), []);
    assert_eq!(cosigned.take(&signed), Ok(true));
    assert_eq!(cosigned.take(&signed), Ok(false));
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut cosigned = of_witnesses(&[1, 2]);
    for (size, numbers) in [(5, &[1, 2][..]), (7, &[2])] {
        cosigned.take(&seen_by(size, numbers)).unwrap();
        let kept: Vec<&str> = cosigned.kept().iter().map(SignedCheckpoint::note).collect();
        write_cosigned(dir.path(), &kept).unwrap();
        let notes = cosigned_notes(&std::fs::read_to_string(dir.path().join(COSIGNED_FILE)).unwrap());
        assert_eq!(notes, kept);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(cosigned_notes(""), [""; 0]);
    assert_eq!(cosigned_notes("no note"), ["no note\n"]);
}
