//! Entries of a folder's ledger are proved without its store, and what is proved is all that a file may say.

use std::{fs, path::Path};

use parkwatt::host::VKEY_FILE;
use parkwatt_ledger::{CheckpointSigner, Origin, SigningKey};
use parkwatt_proto::v1::leaf::Fact;
use serde_json::Value;

use crate::{
    check,
    day::{Day, SLOT},
    run,
};

/// Proves something of a whole day, and returns where the file is.
#[track_caller]
fn prove(ledger: &Path, about: &[&str], files: &Path) -> std::path::PathBuf {
    let file = files.join(about.concat().replace("--", ""));
    check(&[&["prove"][..], about, &["--out", file.to_str().unwrap()]].concat(), ledger, 0);
    file
}

#[test]
fn an_entry_a_trade_and_a_certificate_are_proved_without_store_and_checked_without_ledger() {
    let day = Day::whole();
    let (ledger, files) = (day.write_archive(), tempfile::tempdir().unwrap());
    let vkey = ledger.path().join(VKEY_FILE);
    let vkey = vkey.to_str().unwrap();
    let trade = day.find(|fact| matches!(fact, Fact::TradeMade(_)));

    let leaf = prove(ledger.path(), &["--leaf", &trade.to_string()], files.path());
    let said = check(&["check", "--vkey", vkey], &leaf, 0);
    assert!(said.contains("participant 0 sells 1500 Wh to participant 1 in quarter hour"), "{said}");
    check(&["check"], &leaf, 3);
    let said = check(&["check"], Path::new(vkey), 3);
    assert!(said.contains("it is none of the files that are checked") && said.contains("prove"), "{said}");

    let bundle = prove(ledger.path(), &["--trade", &trade.to_string()], files.path());
    let said = check(&["check", "--vkey", vkey], &bundle, 0);
    for words in [
        format!("says of trade {trade}: entry {trade} says participant 0 sells 1500 Wh"),
        format!("of trade {trade} 1500 Wh were delivered, 0 Wh not fed in and 0 Wh not drawn"),
        "says posted {\"".to_owned(),
        format!(r#""energy_of_trade":"{trade}""#),
        format!(
            "1500 Wh of certificate {SLOT}.0.1 went from participant 0 to participant 1 with trade {trade}"
        ),
        "Not proved: that it says nothing more of it".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }

    let name = format!("{SLOT}.0.1");
    let bundle = prove(ledger.path(), &["--certificate", &name], files.path());
    let said = check(&["check"], &bundle, 0);
    assert!(said.contains(&format!("certificate {name} was issued to \"roof\" for 1800 Wh")), "{said}");
    assert!(
        said.contains(&format!("\"mill\" claimed 1000 Wh of certificate {name} for \"hall 3\"")),
        "{said}"
    );
    assert!(said.contains("taken from the file itself"), "{said}");
}

#[test]
fn whatever_proves_something_holds_the_checkpoint_that_it_was_proved_against() {
    let day = Day::whole();
    let (ledger, files) = (day.write_archive(), tempfile::tempdir().unwrap());
    let trade = day.find(|fact| matches!(fact, Fact::TradeMade(_))).to_string();
    let leaves: usize = day.groups.iter().map(Vec::len).sum();
    for about in [["--leaf", &trade], ["--trade", &trade], ["--certificate", &format!("{SLOT}.0.1")]] {
        let proof = prove(ledger.path(), &about, files.path());
        let said = check(&["verify", "--checkpoint", proof.to_str().unwrap()], ledger.path(), 0);
        assert!(
            said.contains(&format!("has not grown since the checkpoint that was given: {leaves}")),
            "{said}"
        );
    }
}

#[test]
fn what_is_not_there_is_not_proved_and_nothing_is_overwritten() {
    let (ledger, files) = (Day::whole().write_archive(), tempfile::tempdir().unwrap());
    let out = files.path().join("proof");
    let out = out.to_str().unwrap();
    let prove = |about: &[&str], exit_code| {
        check(&[&["prove", "--out", out][..], about].concat(), ledger.path(), exit_code)
    };
    for about in [["--leaf", "100000"], ["--trade", "1"], ["--certificate", "1.0.1"]] {
        let said = prove(&about, 3);
        assert!(said.contains("there is no ") && said.contains("nothing was written"), "{said}");
        assert!(!Path::new(out).exists());
    }
    prove(&["--certificate", "1"], 64);
    prove(&[], 64);
    prove(&["--leaf", "1", "--trade", "1"], 64);
    prove(&["--leaf", "0"], 0);
    prove(&["--leaf", "1"], 74);
    let said = run(&["prove", "--leaf", "1", "--out", out], ledger.path()).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("proof: is there already") && said.contains("name another file with --out"),
        "{said}"
    );
}

#[test]
fn a_kept_checkpoint_is_replaced_only_by_one_of_a_ledger_that_has_grown_from_it() {
    let day = Day::whole();
    let (whole, files) = (day.write_archive(), tempfile::tempdir().unwrap());
    let mut short = Day::whole();
    short.groups.pop();
    let short = short.write_archive();
    let kept = files.path().join("kept");
    let keep =
        |ledger: &Path, exit_code| check(&["verify", "--keep", kept.to_str().unwrap()], ledger, exit_code);

    assert!(keep(short.path(), 0).contains("the newest checkpoint is kept in"));
    let before = fs::read_to_string(&kept).unwrap();
    assert!(keep(whole.path(), 0).contains("in place of one from which the ledger has grown"));
    let newest = fs::read_to_string(&kept).unwrap();
    assert_ne!(before, newest);
    assert!(keep(short.path(), 5).contains("the checkpoint that was kept (--keep), and stays as it is,"));
    assert_eq!(fs::read_to_string(&kept).unwrap(), newest);

    fs::write(&kept, "a shopping list\n").unwrap();
    let refused = run(&["verify", "--keep", kept.to_str().unwrap()], whole.path());
    assert_eq!(refused.status.code(), Some(74));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--keep: ") && said.contains("name another one"), "{said}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "a shopping list\n");
}

#[test]
fn tiles_end_with_the_ledgers_checkpoint_and_those_of_a_changed_one_have_none() {
    let (ledger, files) = (Day::whole().write_archive(), tempfile::tempdir().unwrap());
    let tiles = |ledger: &Path, name: &str, exit_code| {
        let out = files.path().join(name);
        check(&["tiles", "--out", out.to_str().unwrap()], ledger, exit_code);
        out.join("checkpoint")
    };
    let kept = files.path().join("kept");
    check(&["verify", "--keep", kept.to_str().unwrap()], ledger.path(), 0);
    let checkpoint = tiles(ledger.path(), "tiles", 0);
    assert_eq!(fs::read_to_string(&checkpoint).unwrap(), fs::read_to_string(kept).unwrap());
    assert!(checkpoint.with_file_name("tile").join("entries").is_dir());
    tiles(ledger.path(), "tiles", 74);

    let segment = ledger.path().join("journal/00000000000000000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[5000] ^= 1;
    // The segment is finished, and so read-only.
    fs::remove_file(&segment).unwrap();
    fs::write(&segment, bytes).unwrap();
    assert!(!tiles(ledger.path(), "damaged", 1).exists());
    assert!(!tiles(&files.path().join("nowhere"), "nothing", 3).exists());
}

#[test]
fn a_bundle_in_which_anything_was_changed_is_refused() {
    let day = Day::whole();
    let (ledger, files) = (day.write_archive(), tempfile::tempdir().unwrap());
    let vkey = fs::read_to_string(ledger.path().join(VKEY_FILE)).unwrap();
    let trade = day.find(|fact| matches!(fact, Fact::TradeMade(_))).to_string();
    let honest: Value =
        serde_json::from_slice(&fs::read(prove(ledger.path(), &["--trade", &trade], files.path())).unwrap())
            .unwrap();
    let other = prove(ledger.path(), &["--leaf", "1"], files.path());
    let other = fs::read_to_string(other).unwrap();
    let another_key =
        CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[9; 32]));
    let another_key = another_key.verifier().vkey().to_owned();
    let forged = files.path().join("forged");
    let refuse = |change: &dyn Fn(&mut Value), exit_code, words: &str| {
        let mut document = honest.clone();
        change(&mut document);
        fs::write(&forged, document.to_string()).unwrap();
        let said = check(&["check", "--vkey", vkey.trim()], &forged, exit_code);
        assert!(said.contains(words), "{words}: {said}");
    };
    refuse(&|_| {}, 0, "intact");
    refuse(&|it| it["about"]["trade"] = 5.into(), 1, "is not about trade 5");
    refuse(&|it| drop(it["proofs"].as_array_mut().unwrap().remove(0)), 1, "the entry with which trade");
    refuse(&|it| it["proofs"][1] = it["proofs"][0].clone(), 1, "is there twice");
    refuse(&|it| it["proofs"][1] = other.as_str().into(), 1, "entry 1 is not about trade");
    refuse(&|it| it["vkey"] = another_key.as_str().into(), 1, "vkey says");
    refuse(&|it| it["proofs"] = Value::Array(vec![]), 1, "there is no proof");
    refuse(&|it| it["more"] = 1.into(), 3, "it cannot be said");
    refuse(
        &|it| {
            let proof = it["proofs"][1].as_str().unwrap().replace("\nindex ", "\nindex 1");
            it["proofs"][1] = proof.into();
        },
        1,
        "proof 2: ",
    );
}
