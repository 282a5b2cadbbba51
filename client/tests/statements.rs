//! Retirement statements on the command line: fetched from a node that answers what it is told, and checked
//! without any.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use std::fs;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use fake::{NOON, NOW_MICROS, Script};
use owner::Owner;
use parkwatt_client::v1::{self, CertificateId, command::Kind, leaf::Fact, outcome};
use parkwatt_client::{Signer, StatementFile};
use parkwatt_ledger::{
    CheckpointSigner, Hash, HashReader, Origin, ProvedLeaf, Tree, leaf_hash, prove_inclusion,
};
use parkwatt_proto::retirement;
use prost::Message;
use serde_json::{Value, json};
use tlog_tiles::tlog;

/// The claim's number.
const CLAIM: u64 = 3;
/// How many leaves the log has.
const LEAVES: u64 = 7;

struct Hashes(Vec<Hash>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn log_key(seed: u8) -> CheckpointSigner {
    CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[seed; 32]))
}

fn vkey(seed: u8) -> String {
    log_key(seed).verifier().vkey().to_owned()
}

fn certificate(producer: u32) -> CertificateId {
    CertificateId { slot: NOON - 96, producer, issue: 1 }
}

/// The mill's command that claims 1.5 kWh.
fn command() -> v1::SignedCommand {
    let claim = Kind::RetireCertificates(v1::RetireCertificates {
        slot: NOON - 96,
        energy_wh: 1_500,
        consumption_slot: NOON - 96,
        beneficiary: "Mill No. 3".to_owned(),
        ..v1::RetireCertificates::default()
    });
    let mut mill = Signer::new(SigningKey::from_bytes(&[9; 32]), "park");
    mill.sign(claim, NOW_MICROS, Duration::from_mins(1))
}

/// Returns the facts of a small log: two issues, the claim with two parts, and a withdrawal.
fn facts(signed: v1::SignedCommand) -> Vec<Fact> {
    let issued = |producer: u32| {
        let (class, producer_name) = (v1::CertificateClass::Exported.into(), format!("roof-{producer}"));
        let certificate = Some(certificate(producer));
        Fact::CertificateIssued(v1::CertificateIssued { certificate, energy_wh: 1_000, class, producer_name })
    };
    let retired = |producer, energy_wh| {
        Fact::CertificateRetired(v1::CertificateRetired {
            certificate: Some(certificate(producer)),
            holder: 4,
            energy_wh,
            consumption_slot: NOON - 96,
            beneficiary: "Mill No. 3".to_owned(),
            retirement: CLAIM,
            holder_name: "mill".to_owned(),
            ..v1::CertificateRetired::default()
        })
    };
    let claim = v1::CommandLeaf {
        signed: Some(signed),
        outcome: Some(v1::Outcome { kind: Some(outcome::Kind::Retirement(CLAIM)) }),
        events: 2,
        participant: Some(4),
    };
    let (certificate, reason) = (Some(certificate(2)), "reading corrected".to_owned());
    let withdrawn = v1::CertificateWithdrawn { certificate, energy_wh: 1_000, reason };
    vec![
        Fact::Tick(v1::Tick { events: 2 }),
        issued(1),
        issued(2),
        Fact::Command(claim),
        retired(1, 1_000),
        retired(2, 500),
        Fact::CertificateWithdrawn(withdrawn),
    ]
}

/// Returns the statement of the claim in a log of this key, as its file.
fn file(signed: v1::SignedCommand, seed: u8) -> StatementFile {
    let at_micros = |index: u64| NOW_MICROS - 3_600_000_000 + index;
    let leaf = |(index, fact): (u64, Fact)| {
        v1::Leaf { at_micros: at_micros(index), fact: Some(fact) }.encode_to_vec()
    };
    let leaves: Vec<Vec<u8>> = (0..).zip(facts(signed)).map(leaf).collect();
    let (mut tree, mut hashes) = (Tree::default(), Vec::new());
    for leaf in &leaves {
        tree.append(leaf_hash(leaf), &mut hashes);
    }
    assert_eq!(tree.size(), LEAVES);
    let (checkpoint, hashes) = (log_key(seed).sign(LEAVES, tree.root()), Hashes(hashes));
    let about: Vec<_> = (0..).zip(leaves).skip(1).collect();
    let (statement, _) = retirement(about.iter().map(|(index, leaf)| (*index, leaf.as_slice()))).unwrap();
    let proof = |(index, leaf): (u64, Vec<u8>)| {
        ProvedLeaf::new(leaf, index, prove_inclusion(&hashes, LEAVES, index).unwrap(), &checkpoint)
            .to_string()
    };
    StatementFile::new(statement, vkey(seed), about.into_iter().map(proof).collect())
}

/// Somebody without a node, who was given a file.
fn reader(text: &str) -> Owner {
    let owner = Owner::new(Script::default());
    fs::write(owner.home.path().join("claim.json"), text).unwrap();
    owner
}

/// Returns what a reader without a node is told of a file that proves nothing.
#[track_caller]
fn refused(owner: &Owner, text: &str, vkey: &str) -> String {
    fs::write(owner.home.path().join("claim.json"), text).unwrap();
    let verify = ["certificates", "verify", "claim.json", "--vkey", vkey, "--node", "http://127.0.0.1:9"];
    let (code, error) = owner.failure(&verify);
    assert_eq!((code, &error["kind"]), (Some(5), &json!("file")), "{error}");
    error["message"].as_str().unwrap().trim_start_matches("the file claim.json ").to_owned()
}

#[test]
fn a_claim_is_shown_and_written_with_what_proves_it() {
    let file = file(command(), 7);
    let StatementFile { statement, vkey: key, proofs, .. } = file.clone();
    let statement = v1::RetirementStatement { retirement: Some(statement), proofs, vkey: key };
    let owner = Owner::new(Script { retirement: Some(statement.clone()), ..Script::default() });
    let said = owner.table(&["certificates", "statement", "3"]);
    for words in ["Mill No. 3", "mill (participant 4)", "roof-1", "1.5 kWh", "2026-06-01 10:00", "void since"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(
        said.contains("6 proofs, as of the checkpoint over 7 entries, are in retirement-3.json"),
        "{said}"
    );
    assert!(said.ends_with("Next: parkwatt certificates verify retirement-3.json --vkey KEY\n"), "{said}");
    let written = fs::read_to_string(owner.home.path().join("retirement-3.json")).unwrap();
    assert_eq!(StatementFile::parse(&written), Ok(file));
    let said = owner.json(&["certificates", "statement", "3", "--out", "claim.json"]);
    assert_eq!(
        (&said["file"], &said["proofs"], &said["tree_size"]),
        (&json!("claim.json"), &json!(6), &json!(7))
    );
    assert_eq!(
        (&said["statement"]["voided_wh"], &said["statement"]["class"]),
        (&json!(500), &json!("exported"))
    );
    assert_eq!(fs::read_to_string(owner.home.path().join("claim.json")).unwrap(), written);

    let (code, error) = owner.failure(&["certificates", "statement", "3", "--out", "no/claim.json"]);
    assert_eq!(code, Some(5), "{error}");
    // What the node cannot prove is not written.
    let false_one = v1::RetirementStatement { vkey: vkey(8), ..statement };
    let owner = Owner::new(Script { retirement: Some(false_one), ..Script::default() });
    let (code, error) = owner.failure(&["certificates", "statement", "3"]);
    assert_eq!(code, Some(4), "{error}");
    assert!(error["message"].as_str().unwrap().contains("proofs that hold"), "{error}");
    assert!(!owner.home.path().join("retirement-3.json").exists());
    let (code, error) = Owner::new(Script::default()).failure(&["certificates", "statement", "3"]);
    assert_eq!((code, &error["message"]), (Some(4), &json!("the node refused the call: there is no claim")));
    assert!(error["next"].as_str().unwrap().contains("--key"), "{error}");
}

#[test]
fn a_file_is_checked_without_a_node_and_says_what_it_proves() {
    let owner = reader(&file(command(), 7).to_text());
    fs::write(owner.home.path().join("park.vkey"), vkey(7) + "\n").unwrap();
    let verify = ["certificates", "verify", "claim.json", "--node", "http://127.0.0.1:9"];
    let believed = "the key in the file itself";
    for key in [vkey(7), "park.vkey".to_owned()] {
        let said = owner.table(&[&verify[..], &["--vkey", &key]].concat());
        for words in [
            "roof-2",
            "Proved: the log parkwatt/park, as of its checkpoint over 7 entries",
            "of which 500 Wh are void",
            "Not proved: that nothing else of it was withdrawn later",
            "checked with the key that you gave",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(!said.contains(believed), "{said}");
    }
    let (code, error) = owner.failure(&[&verify[..], &["--vkey", "nonsense"]].concat());
    assert_eq!((code, &error["field"]), (Some(2), &json!("--vkey")), "{error}");
    let said = owner.table(&verify);
    assert!(said.contains(believed) && said.contains("--vkey KEY"), "{said}");
    let said = owner.json(&verify);
    let verified = &said["verified"];
    assert_eq!((&verified["vkey_given"], &verified["vkey"]), (&json!(false), &json!(vkey(7))));
    assert_eq!((&verified["tree_size"], &verified["statement"]["number"]), (&json!(7), &json!(3)));
}

#[test]
fn a_file_that_says_anything_else_than_its_entries_is_refused_by_name() {
    let whole = file(command(), 7);
    let owner = reader("");
    let document: Value = serde_json::from_str(&whole.to_text()).unwrap();
    for (place, name, other) in [
        ("/market", ".market", json!("harbour")),
        ("/number", ".number", json!(4)),
        ("/holder", ".holder", json!(5)),
        ("/holder_name", ".holder_name", json!("works")),
        ("/beneficiary", ".beneficiary", json!("Mill No. 4")),
        ("/purpose", ".purpose", json!("advertising")),
        ("/consumption_slot", ".consumption_slot", json!(NOON)),
        ("/energy_wh", ".energy_wh", json!(15_000)),
        ("/at_micros", ".at_micros", json!(1)),
        ("/class", ".class", json!("self_consumed")),
        ("/slices", ".slices", json!([])),
        ("/slices/0/certificate/slot", ".slices[0].certificate.slot", json!(NOON)),
        ("/slices/0/certificate/producer", ".slices[0].certificate.producer", json!(9)),
        ("/slices/0/certificate/issue", ".slices[0].certificate.issue", json!(2)),
        ("/slices/0/producer_name", ".slices[0].producer_name", json!("roof-9")),
        ("/slices/1/energy_wh", ".slices[1].energy_wh", json!(501)),
        ("/slices/1/withdrawal", ".slices[1].withdrawal", json!(null)),
        ("/slices/1/withdrawal/reason", ".slices[1].withdrawal.reason", json!("")),
        ("/slices/1/withdrawal/at_micros", ".slices[1].withdrawal.at_micros", json!(1)),
        ("/voided_wh", ".voided_wh", json!(0)),
    ] {
        let mut changed = document.clone();
        *changed["statement"].pointer_mut(place).unwrap() = other;
        let said = refused(&owner, &changed.to_string(), &vkey(7));
        assert!(said.starts_with(&format!("is not proved: statement{name} says ")), "{name}: {said}");
    }
    for (place, other, words) in [
        ("/format", json!("another"), "is no retirement statement: its format is \"another\""),
        ("/vkey", json!(vkey(8)), "is not proved: vkey says parkwatt/park"),
        ("/proofs", json!([]), "is not proved: there is no proof"),
        ("/proofs/2", json!("text"), "is not proved: proof 3: not a c2sp.org/tlog-proof"),
    ] {
        let mut changed = document.clone();
        *changed.pointer_mut(place).unwrap() = other;
        let said = refused(&owner, &changed.to_string(), &vkey(7));
        assert!(said.starts_with(words), "{words}: {said}");
    }
    let said = refused(&owner, "nothing", &vkey(7));
    assert!(said.starts_with("is no retirement statement: expected"), "{said}");
}

#[test]
fn a_proof_that_is_changed_left_out_or_of_another_log_proves_nothing() {
    let whole = file(command(), 7);
    let owner = reader("");
    for (at, words) in (0..).zip([
        "the issue of certificate 1978000.1.1 is not proved",
        "the issue of certificate 1978000.2.1 is not proved",
        "the command of the claim is not proved",
        "500 Wh are proved as claimed, and the command claims 1500 Wh: a part is missing",
        "1000 Wh are proved as claimed, and the command claims 1500 Wh: a part is missing",
        "statement.slices[1].withdrawal says {",
    ]) {
        let mut fewer = whole.clone();
        fewer.proofs.remove(at);
        let said = refused(&owner, &fewer.to_text(), &vkey(7));
        assert!(said.starts_with(&format!("is not proved: {words}")), "{words}: {said}");

        let mut forged = whole.clone();
        let extra = forged.proofs[at].find("extra ").unwrap() + 10;
        let byte = if forged.proofs[at].as_bytes()[extra] == b'A' { "B" } else { "A" };
        forged.proofs[at].replace_range(extra..=extra, byte);
        let said = refused(&owner, &forged.to_text(), &vkey(7));
        assert!(said.starts_with(&format!("is not proved: proof {}: ", at + 1)), "{said}");
    }
    let said = refused(&owner, &whole.to_text(), &vkey(8));
    assert!(said.starts_with("is not proved: proof 1: the checkpoint is not signed by the key"), "{said}");
    let mut mixed = whole.clone();
    mixed.proofs[2] = file(command(), 8).proofs.remove(2);
    let said = refused(&owner, &mixed.to_text(), &vkey(7));
    assert!(said.starts_with("is not proved: proof 3: the checkpoint is not signed"), "{said}");
}

#[test]
fn a_log_cannot_claim_in_the_name_of_somebody_who_did_not_sign() {
    let owner = reader("");
    let forged: [fn(&mut v1::SignedCommand); 3] = [
        |it| it.signature[10] ^= 1,
        |it| it.signature.clear(),
        |it| it.public_key = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes().to_vec(),
    ];
    for forge in forged {
        let mut signed = command();
        forge(&mut signed);
        let said = refused(&owner, &file(signed, 7).to_text(), &vkey(7));
        assert_eq!(said, "is not proved: the claim's command is not signed with the key that it names");
    }
}
