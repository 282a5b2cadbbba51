//! The command `parkwatt key rotate` before a node that answers what it is told: no answer, and then one.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[allow(dead_code, reason = "another test uses the rest of it")]
mod fake;
#[allow(dead_code, reason = "another test uses the rest of it")]
mod owner;

use fake::Script;
use owner::{Owner, receipt, rejection};
use parkwatt_client::v1::{command, outcome};
use parkwatt_client::{beside, read_key};
use serde_json::json;
use tonic::Status;

#[test]
fn a_rotation_without_an_answer_keeps_both_keys_and_says_how_to_go_on() {
    let unanswered = || Err(Status::unavailable("gone"));
    let owner = Owner::new(Script {
        answers: [unanswered(), unanswered(), unanswered()].into(),
        ..Script::default()
    });
    let file = owner.home.path().join(".parkwatt/key.pem");
    let old_key = read_key(&file).unwrap();
    let (code, error) = owner.failure(&["key", "rotate"]);
    assert_eq!((code, &error["kind"]), (Some(3), &json!("unreachable")));
    for part in ["Keep both", "key.pem.new", "parkwatt key rotate"] {
        assert!(error["next"].as_str().unwrap().contains(part), "{part}: {error}");
    }
    assert_eq!(read_key(&file).unwrap(), old_key);
    let new_key = read_key(&beside(&file, "new")).unwrap();
    let command::Kind::RotateKey(asked) = owner.asked() else { panic!("a rotation") };
    assert_eq!(asked.new_public_key, new_key.verifying_key().to_bytes());

    // The node has taken it: it knows the new key.
    let rotated = owner.json(&["key", "rotate"])["rotated"].clone();
    assert_eq!(rotated["public_key"], hex::encode(asked.new_public_key));
    assert_eq!(owner.node.script.lock().unwrap().commands.len(), 3, "nothing was sent again");
    assert_eq!(read_key(&file).unwrap(), new_key);
    assert_eq!(read_key(&beside(&file, "old")).unwrap(), old_key);
}

#[test]
fn a_rotation_that_a_rule_refuses_changes_no_key() {
    let refused = outcome::Kind::Rejected(rejection("KEY_MUST_BE_FREE"));
    let owner = Owner::new(owner::script(Ok(receipt(refused, vec![]))));
    let file = owner.home.path().join(".parkwatt/key.pem");
    let old_key = read_key(&file).unwrap();
    let (code, error) = owner.failure(&["key", "rotate"]);
    assert_eq!((code, &error["kind"]), (Some(1), &json!("rejected")));
    assert!(error["next"].as_str().unwrap().contains("name ends in .new"), "{error}");
    assert_eq!(read_key(&file).unwrap(), old_key);
    assert!(!beside(&file, "old").exists());
}
