//! A mirror is a ledger of its own, and the witness against a node that was rewritten.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use parkwatt_ledger::{CheckpointVerifier, ProvedLeaf};

use crate::{Known, document, market::Market, restore, says, stop_and_copy, trade};

#[tokio::test]
async fn a_mirror_goes_on_where_it_stopped_and_is_audited_without_the_node() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 20).await;
    let Known { url, key, vkey, ledger } = Known::of(&market);
    let files = tempfile::tempdir().unwrap();
    let (mirror, report) = (files.path().join("mirror"), files.path().join("report"));
    let (mirror, report) = (mirror.to_str().unwrap(), report.to_str().unwrap());

    let follow = ["follow", &url, "--dir", mirror, "--once", "--key", &key];
    let first = document(&[&follow[..], &["--vkey", &vkey]].concat(), 0);
    let size = market.size().await;
    assert_eq!((&first["tree_size"], &first["leaves_new"]), (&size.into(), &size.into()));
    trade(&market, &mut ann, 7).await;
    let said = says(&follow, 0);
    assert!(said.contains(&format!("leaves        {}, of them 7 new", size + 7)), "{said}");
    let last = document(&follow, 0);
    assert_eq!(last["leaves_new"], 0);

    let elsewhere = [&follow[..3], &[ledger.to_str().unwrap()], &follow[4..]].concat();
    assert!(says(&elsewhere, 3).contains("is a node's own ledger"));
    fs::create_dir(report).unwrap();
    fs::write(Path::new(report).join("trades.csv"), "").unwrap();
    let elsewhere = [&follow[..3], &[report], &follow[4..]].concat();
    let said = says(&elsewhere, 3);
    assert!(said.contains("is not empty, and no mirror; name a new folder with --dir"), "{said}");
    assert_eq!(fs::read_dir(report).unwrap().count(), 1);
    fs::remove_dir_all(report).unwrap();

    market.node.stop();
    let of_node = document(&["verify", ledger.to_str().unwrap()], 0);
    let of_mirror = document(&["replay", mirror, "--vkey", &vkey], 0);
    // Groups may be larger: a mirror has only the checkpoints at which it looked.
    for part in ["leaves", "commands", "tree_root"] {
        assert_eq!(of_node["figures"][part], of_mirror["figures"][part], "{part}");
    }
    assert_eq!(of_mirror["figures"]["tree_root"], last["tree_root"]);
    says(&["report", mirror, "--out", report], 0);
    says(&[&follow[..], &["--quiet"]].concat(), 3);
    says(&["verify", mirror], 0);
}

#[tokio::test]
async fn a_node_that_was_rolled_back_and_then_forked_is_proved_to_be_so() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 5).await;
    let copy = stop_and_copy(&mut market).await;
    trade(&market, &mut ann, 10).await;
    let Known { url, key, vkey, .. } = Known::of(&market);
    let mirror = tempfile::tempdir().unwrap();
    let dir = mirror.path().to_str().unwrap();
    let follow =
        |url: &str, exit_code| document(&["follow", url, "--dir", dir, "--once", "--key", &key], exit_code);
    assert_eq!(follow(&url, 0)["key_source"], "from_the_node");
    let before = journal(mirror.path());

    restore(&mut market, copy.path()).await;
    let rolled_back = follow(&market.node.url(), 5);
    assert_eq!(rolled_back["verdict"], "forked");
    assert!(rolled_back["evidence"].as_str().unwrap().ends_with("/evidence-1.txt"));
    assert!(rolled_back["finding"].as_str().unwrap().contains("what it acknowledged since is gone"));

    let mut ben = market.enrol_trader("ben").await;
    trade(&market, &mut ben, 4).await;
    let shorter = follow(&market.node.url(), 5);
    assert!(shorter["finding"].as_str().unwrap().contains("each proves another entry"), "{shorter}");
    trade(&market, &mut ben, 30).await;
    let longer = follow(&market.node.url(), 5);
    assert!(longer["finding"].as_str().unwrap().contains("each proves another entry"), "{longer}");
    let evidence = Path::new(longer["evidence"].as_str().unwrap());
    assert!(evidence.ends_with("evidence-3.txt"), "{evidence:?}");
    check_evidence(&fs::read_to_string(evidence).unwrap(), &fs::read_to_string(&vkey).unwrap());
    // The same evidence is not written again.
    assert_eq!(follow(&market.node.url(), 5)["evidence"], longer["evidence"]);

    // Without `--once` it ends by itself.
    let said = says(&["follow", &market.node.url(), "--dir", dir, "--key", &key], 5);
    assert!(said.contains("keep it with the mirror"), "{said}");
    assert!(journal(mirror.path()) == before, "what was mirrored is as it was");
    let said = says(&["replay", dir, "--vkey", &vkey], 0);
    assert!(said.contains("evidence against the node"), "{said}");
}

/// Checks that two notes are in it, and two proofs of different entries at one index.
fn check_evidence(text: &str, vkey: &str) {
    let log = CheckpointVerifier::from_vkey(vkey.trim()).unwrap();
    let parts: Vec<&str> =
        text.split("----\n").skip(1).map(|part| part.split("\n---- ").next().unwrap()).collect();
    let [first, second, own, their] = parts[..] else { panic!("{text}") };
    let proofs = [own, their].map(|text| format!("{}\n", text.trim_end()).parse::<ProvedLeaf>().unwrap());
    let sizes = proofs.each_ref().map(|proof| proof.verify(&log).unwrap().size());
    let notes = [first, second].map(|note| log.open(&format!("{}\n", note.trim_end())).unwrap().size());
    assert_eq!(sizes, notes);
    assert_eq!(proofs[0].index(), proofs[1].index());
    assert_ne!(proofs[0].leaf(), proofs[1].leaf());
}

#[tokio::test]
async fn a_follower_runs_until_it_is_stopped_and_outlives_its_node() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let Known { url, key, .. } = Known::of(&market);
    let mirror = tempfile::tempdir().unwrap();
    let mut follower = Command::new(env!("CARGO_BIN_EXE_parkwatt-audit"))
        .args(["follow", &url, "--interval-s", "1", "--key", &key, "--dir"])
        .arg(mirror.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with("verdict       intact")));
    let address = market.node.address;
    market.node.kill();
    assert!(said.any(|line| line.starts_with("verdict       unreadable")));
    market.node = market.place.start_at(address);
    market.connection = parkwatt_client::Connection::open(&market.node.url()).await.unwrap();
    trade(&market, &mut ann, 3).await;
    assert!(said.any(|line| line.contains("new") && line.starts_with("leaves")));
    assert!(said.any(|line| line.starts_with("verdict       intact")));

    // The mirror is whole at every moment, also when its writer is killed.
    let dir = mirror.path().to_str().unwrap();
    assert!(says(&["verify", dir], 3).contains("a node or a follower is writing"));
    follower.kill().unwrap();
    follower.wait().unwrap();
    says(&["replay", dir], 0);
}

/// Returns the journal's files.
fn journal(mirror: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(mirror.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "seg"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
