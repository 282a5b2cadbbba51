//! The command `parkwatt certificates` before a node that answers what it is told: what is shown, and what is
//! asked.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use fake::{NOON, Script};
use owner::{Owner, receipt, rejection, script};
use parkwatt_client::v1::{self, command, outcome};
use serde_json::json;

/// The slot of the last noon: at 11:00 it is yesterday's.
const LAST_NOON: u32 = NOON - 96;

fn done(kind: outcome::Kind) -> Owner {
    Owner::new(script(Ok(receipt(kind, vec![]))))
}

#[test]
fn an_owner_sees_what_became_of_his_certificates() {
    let certificate = Some(v1::CertificateId { slot: LAST_NOON, producer: 2, issue: 1 });
    let holding = v1::CertificateHolding {
        certificate,
        class: v1::CertificateClass::SelfConsumed.into(),
        held_wh: 1_400,
        retired_wh: 250,
        bundled_wh: 0,
        expired_wh: 30,
        voided_wh: 7,
    };
    let national = v1::NationalCertificate {
        gec: Some(v1::GecId { index: 40, position: 1 }),
        first_slot: LAST_NOON,
        last_slot: LAST_NOON + 4,
        parts: 3,
        voided: false,
    };
    let void = v1::NationalCertificate { voided: true, ..national };
    let claim = v1::Claim {
        number: 77,
        slot: LAST_NOON,
        class: v1::CertificateClass::Exported.into(),
        energy_wh: 250,
        voided_wh: 50,
        beneficiary: "Mill No. 3".to_owned(),
        purpose: "report of May".to_owned(),
    };
    let (certificates, nationals, claims) = (vec![holding], vec![national, void], vec![claim]);
    let owner = Owner::new(Script { certificates, nationals, claims, ..Script::default() });
    let said = owner.json(&["certificates"]);
    assert_eq!(
        said["certificates"],
        json!([{
            "certificate_id": format!("{LAST_NOON}.2.1"), "slot": LAST_NOON,
            "generation_start": "2026-05-31T04:00:00Z", "producer": 2, "issue": 1, "class": "self_consumed",
            "held_wh": 1_400, "retired_wh": 250, "bundled_wh": 0, "expired_wh": 30, "voided_wh": 7,
        }])
    );
    assert_eq!(
        said["national_certificates"][0],
        json!({
            "national_certificate_id": "40.1", "first_slot": LAST_NOON, "last_slot": LAST_NOON + 4,
            "first_generation_start": "2026-05-31T04:00:00Z", "last_generation_start": "2026-05-31T05:00:00Z",
            "parts": 3, "voided": false,
        })
    );
    assert_eq!(
        said["claims"],
        json!([{
            "retirement": 77, "slot": LAST_NOON, "generation_start": "2026-05-31T04:00:00Z",
            "class": "exported", "energy_wh": 250, "voided_wh": 50, "beneficiary": "Mill No. 3",
            "purpose": "report of May",
        }])
    );
    let table = owner.table(&["certificates"]);
    for word in [
        "self-consumed",
        "1.4 kWh",
        "0.25 kWh",
        "0.03 kWh",
        "0.007 kWh",
        "40.1",
        "locked",
        "void",
        "report of May",
    ] {
        assert!(table.contains(word), "{word}: {table}");
    }
    let none = Owner::new(Script::default()).table(&["certificates"]);
    assert_eq!(none, "You hold no certificates.\n");
}

#[test]
fn a_claim_names_its_slot_beneficiary_purpose_and_class() {
    let owner = done(outcome::Kind::Retirement(40));
    let claim =
        ["certificates", "retire", "--at", "12:00", "--energy", "1kWh", "--beneficiary", "Mill No. 3"];
    let said = owner.json(&[&claim[..], &["--purpose", "report", "--class", "self-consumed"]].concat());
    assert_eq!(
        said["retired"],
        json!({
            "retirement": 40, "slot": LAST_NOON, "generation_start": "2026-05-31T04:00:00Z",
            "energy_wh": 1_000, "class": "self_consumed", "beneficiary": "Mill No. 3", "purpose": "report",
            "leaf_index": 40,
        })
    );
    let asked = v1::RetireCertificates {
        slot: LAST_NOON,
        energy_wh: 1_000,
        consumption_slot: LAST_NOON,
        beneficiary: "Mill No. 3".to_owned(),
        purpose: "report".to_owned(),
        class: v1::CertificateClass::SelfConsumed.into(),
    };
    assert_eq!(owner.asked(), command::Kind::RetireCertificates(asked.clone()));

    let owner = done(outcome::Kind::Retirement(40));
    let said = owner.table(&claim);
    assert!(said.contains("2026-05-31 12:00") && said.contains("number is 40"), "{said}");
    assert!(said.ends_with("Next: parkwatt certificates statement 40\n"), "{said}");
    let class = v1::CertificateClass::Exported.into();
    let plain = v1::RetireCertificates { purpose: String::new(), class, ..asked };
    assert_eq!(owner.asked(), command::Kind::RetireCertificates(plain));
}

#[test]
fn certificates_are_passed_on_by_name() {
    let transfer = ["certificates", "transfer", "--to", "mill", "--at", "12:00", "--energy", "1kWh"];
    let owner = done(outcome::Kind::Transferred(v1::Done {}));
    let said = owner.table(&transfer);
    assert!(said.contains("1 kWh generated from 2026-05-31 12:00") && said.contains("mill"), "{said}");
    let asked = v1::TransferCertificates { slot: LAST_NOON, energy_wh: 1_000, to: "mill".to_owned() };
    assert_eq!(owner.asked(), command::Kind::TransferCertificates(asked));
    let said = done(outcome::Kind::Transferred(v1::Done {})).json(&transfer);
    assert_eq!(
        (&said["transferred"]["to"], &said["transferred"]["energy_wh"]),
        (&json!("mill"), &json!(1_000))
    );

    let owner = done(outcome::Kind::Rejected(rejection("CERTIFICATES_MUST_BE_TRADABLE")));
    let (code, error) = owner.failure(&transfer);
    assert_eq!(code, Some(1));
    assert!(error["next"].as_str().unwrap().contains("--energy"), "{error}");
}

#[test]
fn what_was_generated_before_a_time_is_bundled() {
    let made = || outcome::Kind::Bundled(v1::Bundled { gecs: 2, left_wh: 400 });
    // Now it is 11:00: 10:00 is today's, and 12:00 yesterday's.
    for (until, until_slot) in [
        (None, NOON - 5),
        (Some("11:00"), NOON - 5),
        (Some("10:00"), NOON - 9),
        (Some("12:00"), LAST_NOON - 1),
        (Some("2026-05-01 00:00"), NOON - 48 - 31 * 96 - 1),
    ] {
        let owner = done(made());
        let args: Vec<_> = ["certificates", "bundle"].into_iter().chain(["--until"]).collect();
        let args = until.map_or_else(|| args[..2].to_vec(), |until| [&args[..], &[until]].concat());
        let said = owner.json(&args);
        let asked = v1::BundleCertificates { until_slot };
        assert_eq!(owner.asked(), command::Kind::BundleCertificates(asked), "{until:?}");
        assert_eq!(
            said["bundled"],
            json!({ "until_slot": until_slot, "national_certificates": 2, "left_wh": 400, "leaf_index": 40 })
        );
    }
    let said = done(made()).table(&["certificates", "bundle"]);
    assert!(said.contains("2 national certificates of 1 MWh are made; 0.4 kWh stay yours"), "{said}");

    let owner = done(outcome::Kind::Rejected(rejection("BUNDLE_MUST_REACH_ONE_MWH")));
    let (code, error) = owner.failure(&["certificates", "bundle"]);
    assert_eq!(code, Some(1));
    assert!(error["next"].as_str().unwrap().contains("1 MWh"), "{error}");
}
