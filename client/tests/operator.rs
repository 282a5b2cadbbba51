//! What the operator asks before a node that answers what it is told: payouts, tariffs, withdrawals.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use std::fs;

use fake::NOON;
use owner::{Owner, receipt, rejection, script};
use parkwatt_client::read_key;
use parkwatt_client::v1::{self, command, outcome, pay_out::Amount};
use serde_json::json;

const OPERATOR: [&str; 2] = ["--operator-key", "operator.pem"];

/// A file of tariffs that begins at noon in Shanghai, where the owner is.
const TARIFFS: &str = r#"
version = 2
effective_from = "2026-06-01 12:00"
market_fee_micros_per_kwh = 2_000
zones = [{ name = "garden", wheeling_up_micros_per_kwh = 30 }, { name = "park", base_wheeling_micros_per_kwh = 7 }]
tariffs = [{ from_quarter = 0, retail_micros_per_kwh = 800_000, feed_in_micros_per_kwh = -400_000 }]
"#;

fn done(kind: outcome::Kind) -> Owner {
    Owner::new(script(Ok(receipt(kind, vec![]))))
}

/// Checks that the operator's key has signed what was asked last.
#[track_caller]
fn is_the_operators(owner: &Owner) {
    let key = read_key(&owner.home.path().join("operator.pem")).unwrap().verifying_key();
    assert_eq!(owner.node.script.lock().unwrap().commands.last().unwrap().0.public_key, key.as_bytes());
}

#[test]
fn an_amount_or_all_of_an_account_is_paid_out() {
    for (amount, asked, all) in
        [("99.50", Amount::AmountFen(9_950), false), ("--all", Amount::All(true), true)]
    {
        let owner = done(outcome::Kind::PaidOutFen(9_950));
        let pay_out = [&["pay-out", "mill", amount][..], &OPERATOR].concat();
        let said = owner.json(&pay_out);
        assert_eq!(
            said["paid_out"],
            json!({ "participant": "mill", "amount_fen": 9_950, "all": all, "leaf_index": 40 })
        );
        let asked = v1::PayOut { participant: "mill".to_owned(), amount: Some(asked) };
        assert_eq!(owner.asked(), command::Kind::PayOut(asked));
        is_the_operators(&owner);
        let said = done(outcome::Kind::PaidOutFen(9_950)).table(&pay_out);
        assert!(said.contains("99.50 yuan paid out of the account of mill."), "{said}");
        assert_eq!(said.contains("Nothing is left"), all, "{said}");
    }
    let owner = done(outcome::Kind::Rejected(rejection("ACCOUNT_MUST_BE_AT_REST")));
    let (code, error) = owner.failure(&[&["pay-out", "mill", "--all"][..], &OPERATOR].concat());
    assert_eq!(code, Some(1));
    assert!(error["next"].as_str().unwrap().contains("parkwatt cancel"), "{error}");
    for args in [&["pay-out", "mill"][..], &["pay-out", "mill", "1", "--all"], &["pay-out", "mill", "1.005"]]
    {
        let (code, error) = owner.failure(&[args, &OPERATOR].concat());
        assert_eq!(code, Some(2), "{args:?}: {error}");
    }
}

#[test]
fn tariffs_are_published_from_a_file() {
    let owner = done(outcome::Kind::TariffsPublished(v1::Done {}));
    fs::write(owner.home.path().join("june.toml"), TARIFFS).unwrap();
    let said = owner.json(&[&["publish-tariffs", "june.toml"][..], &OPERATOR].concat());
    assert_eq!(
        said["tariffs_published"],
        json!({
            "version": 2, "effective_from_slot": NOON, "effective_from": "2026-06-01T04:00:00Z",
            "leaf_index": 40,
        })
    );
    let charges = |zone: &str, base, up| v1::ZoneCharges {
        zone: zone.to_owned(),
        base_wheeling_micros_per_kwh: base,
        wheeling_up_micros_per_kwh: up,
        wheeling_down_micros_per_kwh: 0,
    };
    let band =
        v1::TariffBand { from_quarter: 0, retail_micros_per_kwh: 800_000, feed_in_micros_per_kwh: -400_000 };
    let asked = v1::PublishTariffs {
        version: 2,
        effective_from_slot: NOON,
        zones: vec![charges("garden", 0, 30), charges("park", 7, 0)],
        market_fee_micros_per_kwh: 2_000,
        tariffs: vec![band],
    };
    assert_eq!(owner.asked(), command::Kind::PublishTariffs(asked));
    is_the_operators(&owner);

    let owner = done(outcome::Kind::Rejected(rejection("TARIFFS_MUST_BEGIN_BEFORE_TRADING")));
    fs::write(owner.home.path().join("june.toml"), TARIFFS).unwrap();
    let (code, error) = owner.failure(&[&["publish-tariffs", "june.toml"][..], &OPERATOR].concat());
    assert_eq!((code, &error["next"]), (Some(1), &json!("Write a later effective_from in the file.")));
}

#[test]
fn a_file_that_is_no_tariffs_is_named_and_nothing_is_asked() {
    let owner = done(outcome::Kind::TariffsPublished(v1::Done {}));
    let publish = |file: &str| owner.failure(&[&["publish-tariffs", file][..], &OPERATOR].concat());
    let (code, error) = publish("none.toml");
    assert_eq!((code, &error["kind"], &error["file"]), (Some(5), &json!("file"), &json!("none.toml")));
    fs::write(owner.home.path().join("june.toml"), TARIFFS.replace("version = 2", "version = 'two'"))
        .unwrap();
    let (code, error) = publish("june.toml");
    assert_eq!((code, &error["kind"]), (Some(5), &json!("file")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("june.toml") && message.contains("line 2"), "{message}");
    assert!(error["next"].as_str().unwrap().contains("parkwatt publish-tariffs --help"), "{error}");
    assert!(owner.node.script.lock().unwrap().commands.is_empty());
}

#[test]
fn a_certificate_is_withdrawn_with_a_reason() {
    let withdraw = ["withdraw-certificate", "1978096.2.1", "--reason", "reading corrected"];
    let withdraw = [&withdraw[..], &OPERATOR].concat();
    let owner = done(outcome::Kind::CertificateWithdrawn(v1::Done {}));
    assert_eq!(
        owner.json(&withdraw)["certificate_withdrawn"],
        json!({ "certificate_id": "1978096.2.1", "reason": "reading corrected", "leaf_index": 40 })
    );
    let asked = v1::WithdrawCertificate {
        certificate: Some(v1::CertificateId { slot: 1_978_096, producer: 2, issue: 1 }),
        reason: "reading corrected".to_owned(),
    };
    assert_eq!(owner.asked(), command::Kind::WithdrawCertificate(asked));
    is_the_operators(&owner);
    let owner = done(outcome::Kind::Rejected(rejection("CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE")));
    let (code, error) = owner.failure(&withdraw);
    assert_eq!(code, Some(1));
    assert!(error["next"].as_str().unwrap().contains("corrected reading"), "{error}");
}
