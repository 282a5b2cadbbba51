//! A live node is audited over the network, and a ledger is compared with what was kept of it.

use std::fs;

use parkwatt::keys::write_key;
use parkwatt_client::generate_key;
use parkwatt_ledger::{CheckpointSigner, Origin};

use crate::{
    Known, document,
    market::{Market, Person},
    restore, says, stop_and_copy, trade,
};

#[tokio::test]
async fn a_live_node_is_verified_and_replayed_and_what_it_says_of_itself_is_not_believed() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 30).await;
    let Known { url, key, vkey, .. } = Known::of(&market);

    let read = ["--key", &key, "--vkey", &vkey];
    let verified = document(&[&["verify", &url][..], &read].concat(), 0);
    assert_eq!(verified["verdict"], "intact");
    assert_eq!(verified["folder"], url.as_str());
    assert_eq!(verified["figures"]["leaves"], market.size().await);
    assert_eq!(verified["figures"]["commands"], 32);
    assert_eq!(verified["key_source"], "given");
    let replayed = document(&[&["replay", &url][..], &read].concat(), 0);
    assert_eq!(replayed["replayed"]["totals"]["participants"], 1);

    let said = says(&["verify", &url, "--key", &key], 0);
    assert!(said.contains("as the node itself says") && said.contains("--vkey"), "{said}");
    // Nobody sees a node's store, and so nothing is said of it.
    assert!(!said.contains("store"), "{said}");
    let other = CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), generate_key()).verifier();
    let said = says(&["verify", &url, "--key", &key, "--vkey", other.vkey()], 1);
    assert!(said.contains("the checkpoint is not signed by the key"), "{said}");
}

#[tokio::test]
async fn who_may_not_read_a_node_is_told_what_to_do() {
    let mut market = Market::found().await;
    let ann = market.enrol_trader("ann").await;
    let Known { url, vkey, .. } = Known::of(&market);
    let keys = tempfile::tempdir().unwrap();
    let [anns, strangers] = ["ann.pem", "stranger.pem"].map(|name| keys.path().join(name));
    write_key(&anns, &ann.key).unwrap();
    write_key(&strangers, &Person::new("stranger").key).unwrap();
    let [anns, strangers] = [&anns, &strangers].map(|path| path.to_str().unwrap());

    let verify = ["verify", &url, "--vkey", &vkey];
    assert!(says(&verify, 3).contains("give the file of such a key (--key)"));
    for (key, words) in [(anns, "a participant those that are about him"), (strangers, "is not enrolled")] {
        let said = says(&[&verify[..], &["--key", key]].concat(), 3);
        assert!(said.contains(words) && said.contains("regulator or an operator"), "{said}");
    }
    let said = says(&[&verify[..], &["--key", "nowhere.pem"]].concat(), 3);
    assert!(said.contains("nowhere.pem"), "{said}");
    let vkey = fs::read_to_string(vkey).unwrap();
    drop(market);
    let said = says(&["verify", &url, "--key", anns, "--vkey", vkey.trim()], 3);
    assert!(said.contains("nobody answers there") && said.contains("is the node running?"), "{said}");
    let said = says(&["verify", "https://localhost:1"], 3);
    assert!(said.contains("nobody answers there"), "{said}");
    let said = says(&["verify", "https://"], 3);
    assert!(said.contains("an address is http://HOST:PORT or https://HOST:PORT"), "{said}");
}

#[tokio::test]
async fn a_checkpoint_that_was_kept_shows_what_was_taken_back_and_what_was_rewritten() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 5).await;
    let copy = stop_and_copy(&mut market).await;
    trade(&market, &mut ann, 5).await;
    let Known { url, key, vkey, ledger } = Known::of(&market);
    let (ledger, files) = (ledger.to_str().unwrap(), tempfile::tempdir().unwrap());
    let kept = files.path().join("park.checkpoint");
    let kept = kept.to_str().unwrap();
    let read = ["--key", &key, "--vkey", &vkey];
    says(&[&["verify", &url, "--keep", kept][..], &read].concat(), 0);
    let size = market.size().await;

    trade(&market, &mut ann, 3).await;
    let said = says(&[&["verify", &url, "--checkpoint", kept][..], &read].concat(), 0);
    assert!(said.contains(&format!("the checkpoint that was given: {size} leaves, and 3 since")), "{said}");

    // What was acknowledged is gone, with a node that is none the wiser.
    restore(&mut market, copy.path()).await;
    let url = market.node.url();
    let audited = document(&[&["replay", &url, "--checkpoint", kept][..], &read].concat(), 5);
    assert_eq!(audited["verdict"], "forked");
    assert!(audited["findings"][0].as_str().unwrap().contains("what was acknowledged is gone"), "{audited}");
    says(&[&["verify", &url][..], &read].concat(), 0);

    // Something else is in its place.
    let mut ben = market.enrol_trader("ben").await;
    trade(&market, &mut ben, 20).await;
    market.node.stop();
    let verify = ["verify", ledger, "--vkey", &vkey];
    let said = says(&[&verify[..], &["--checkpoint", kept]].concat(), 5);
    assert!(said.contains("the log has two histories"), "{said}");
    says(&verify, 0);
    let forged = fs::read_to_string(kept).unwrap().replace(&format!("\n{size}\n"), "\n1\n");
    fs::write(kept, forged).unwrap();
    let said = says(&[&verify[..], &["--checkpoint", kept]].concat(), 3);
    assert!(said.contains("the checkpoint's signature is false"), "{said}");
    says(&[&verify[..], &["--checkpoint", &vkey]].concat(), 64);
}
