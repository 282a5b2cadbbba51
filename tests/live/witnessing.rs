//! Witnesses watch a node, and never sign two histories; auditors ask how many have seen what.

use std::{fs, path::Path};

use parkwatt_ledger::WitnessSigner;
use parkwatt_proto::v1::{AddCosignatureRequest, Side, ledger_client::LedgerClient};
use tonic::Code;

use crate::{
    Known, document,
    market::{Market, Person, check_refusal, order, place},
    node::Node,
    restore, says, start, stop_and_copy, trade,
};

/// Three witnesses with their keys and what each remembers; the node knows the first two.
struct Witnesses {
    files: tempfile::TempDir,
}

impl Witnesses {
    fn new() -> Witnesses {
        let witnesses = Witnesses { files: tempfile::tempdir().unwrap() };
        for number in 1..=3 {
            let key = Person::new(&format!("witness-{number}")).key;
            parkwatt::keys::write_key(&witnesses.file(number, "pem"), &key).unwrap();
        }
        witnesses
    }

    fn file(&self, number: u8, extension: &str) -> std::path::PathBuf {
        self.files.path().join(format!("{number}.{extension}"))
    }

    fn signer(number: u8) -> WitnessSigner {
        let name = format!("witness-{number}.example");
        WitnessSigner::new(&name, Person::new(&format!("witness-{number}")).key).unwrap()
    }

    fn vkey(number: u8) -> String {
        Witnesses::signer(number).witness().vkey()
    }

    fn config() -> String {
        format!("witnesses = ['{}', '{}']", Witnesses::vkey(1), Witnesses::vkey(2))
    }

    /// Lets a witness look at a node once.
    #[track_caller]
    fn look(&self, number: u8, node: &Node, known: &Known, exit_code: i32) -> serde_json::Value {
        let (key, state) = (self.file(number, "pem"), self.file(number, "state"));
        let name = format!("witness-{number}.example");
        let args =
            ["witness", &node.url(), "--once", "--name", &name, "--key", &known.key, "--vkey", &known.vkey];
        let own = ["--witness-key", key.to_str().unwrap(), "--state", state.to_str().unwrap()];
        document(&[&args[..], &own].concat(), exit_code)
    }
}

#[tokio::test]
async fn a_quorum_has_seen_what_it_has_cosigned_and_what_lies_behind_is_said() {
    let mut market = Market::found_with(&Witnesses::config()).await;
    let mut ann = market.enrol_trader("ann").await;
    trade(&market, &mut ann, 5).await;
    let (known, witnesses) = (Known::of(&market), Witnesses::new());
    let Known { url, key, vkey, ledger } = &known;
    let ledger = ledger.to_str().unwrap();
    let [one, two, three] = [1, 2, 3].map(Witnesses::vkey);
    let verify = ["verify", url, "--key", key, "--vkey", vkey];
    let both = ["--witness", &one, "--witness", &two];

    let said = says(&[&verify[..], &both].concat(), 6);
    assert!(
        said.contains("no checkpoint of this ledger is cosigned") && said.contains("unwitnessed"),
        "{said}"
    );
    let size = market.size().await;
    let looked = witnesses.look(1, &market.node, &known, 0);
    assert_eq!((&looked["signed"], &looked["witness"]), (&serde_json::json!([size]), &one.as_str().into()));
    assert_eq!(witnesses.look(1, &market.node, &known, 0)["signed"], serde_json::json!([]));
    let said = says(&[&verify[..], &both].concat(), 6);
    assert!(said.contains("1 of 2 witnesses") && said.contains("missing: witness-2.example"), "{said}");
    says(&[&verify[..], &both, &["--quorum", "1"]].concat(), 0);

    // The log has grown; the second witness signs what the first has seen, and what is new.
    trade(&market, &mut ann, 4).await;
    let looked = witnesses.look(2, &market.node, &known, 0);
    assert_eq!(looked["signed"], serde_json::json!([size, size + 4]));
    let audited = document(&[&verify[..], &both].concat(), 0);
    assert_eq!(audited["seen"]["tree_size"], size);
    assert_eq!(audited["seen"]["leaves_behind"], 4);
    let one_of_two = document(&[&verify[..], &both, &["--quorum", "1"]].concat(), 0);
    assert_eq!(one_of_two["seen"]["leaves_behind"], 0);
    says(&[&verify[..], &["--witness", &three]].concat(), 6);
    says(&[&verify[..], &["--witness", &one, "--quorum", "2"]].concat(), 64);
    says(&[&verify[..], &["--witness", "nobody"]].concat(), 64);

    // It survives the node, and is in its folder and in a mirror's.
    market.kill_and_start_again().await;
    let mirror = tempfile::tempdir().unwrap();
    let mirror = mirror.path().to_str().unwrap();
    let url = market.node.url();
    let followed =
        document(&[&["follow", &url, "--key", key, "--dir", mirror, "--once"][..], &both].concat(), 0);
    assert_eq!(followed["seen"]["leaves_behind"], 4);
    says(&["follow", &url, "--key", key, "--dir", mirror, "--once", "--witness", &three], 6);
    market.node.stop();
    for folder in [ledger, mirror] {
        let said = says(&[&["replay", folder][..], &both].concat(), 0);
        let seen =
            format!("witness-1.example, witness-2.example have seen the first {size} leaves; 4 lie behind");
        assert!(said.contains(&seen), "{said}");
    }
}

#[tokio::test]
async fn a_witness_signs_no_second_history_even_if_its_signature_reached_nobody() {
    let mut market = Market::found_with(&Witnesses::config()).await;
    let mut ann = market.enrol_trader("ann").await;
    let copy = stop_and_copy(&mut market).await;
    trade(&market, &mut ann, 3).await;
    let (known, witnesses) = (Known::of(&market), Witnesses::new());
    // The third is unknown to the node: it has signed, and remembers it.
    let refused = witnesses.look(3, &market.node, &known, 3);
    assert!(
        refused["finding"].as_str().unwrap().contains("it knows witness-1.example, witness-2.example"),
        "{refused}"
    );
    assert_eq!(
        (&refused["signed"], &refused["not_taken"]),
        (&serde_json::json!([]), &market.size().await.into())
    );
    let last = fs::read_to_string(witnesses.file(3, "state").join("last")).unwrap();
    assert!(last.contains(&format!("\n{}\n", market.size().await)), "{last}");
    witnesses.look(1, &market.node, &known, 0);

    restore(&mut market, copy.path()).await;
    for number in [1, 3] {
        let refused = witnesses.look(number, &market.node, &known, 5);
        assert!(refused["finding"].as_str().unwrap().contains("Nothing more is signed"), "{refused}");
        assert!(Path::new(refused["evidence"].as_str().unwrap()).exists());
    }
    let mut ben = market.enrol_trader("ben").await;
    trade(&market, &mut ben, 9).await;
    for number in [1, 3] {
        let refused = witnesses.look(number, &market.node, &known, 5);
        assert!(refused["finding"].as_str().unwrap().contains("cannot show that"), "{refused}");
    }
    assert_eq!(fs::read_to_string(witnesses.file(3, "state").join("last")).unwrap(), last);
    // A witness that has seen nothing yet can only begin with what there is.
    witnesses.look(2, &market.node, &known, 0);
}

#[tokio::test]
async fn a_node_whose_journal_lacks_what_its_witnesses_have_seen_signs_nothing() {
    let mut market = Market::found_with(&Witnesses::config()).await;
    let mut ann = market.enrol_trader("ann").await;
    let copy = stop_and_copy(&mut market).await;
    trade(&market, &mut ann, 3).await;
    let (known, witnesses) = (Known::of(&market), Witnesses::new());
    witnesses.look(1, &market.node, &known, 0);
    market.node.stop();
    let cosigned = known.ledger.join("cosigned");
    fs::copy(&cosigned, copy.path().join("cosigned")).unwrap();
    start(&mut market).await;

    // The journal and the store are those of an earlier day; only what the witnesses have signed is not.
    restore(&mut market, copy.path()).await;
    let refused = market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap_err();
    assert!(refused.to_string().contains("its witnesses have signed another history"), "{refused}");
    market.node.stop();
    let said = says(&["verify", known.ledger.to_str().unwrap()], 5);
    assert!(said.contains("the file 'cosigned' says"), "{said}");
}

#[tokio::test]
async fn only_signatures_of_known_witnesses_under_checkpoints_of_this_ledger_are_kept() {
    let mut market = Market::found_with(&Witnesses::config()).await;
    let mut ann = market.enrol_trader("ann").await;
    let copy = stop_and_copy(&mut market).await;
    trade(&market, &mut ann, 3).await;
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let vkey = fs::read_to_string(Known::of(&market).ledger.join("vkey")).unwrap();
    let log = parkwatt_ledger::CheckpointVerifier::from_vkey(vkey.trim()).unwrap();
    let checkpoint = log.open(&market.connection.checkpoint("").await.unwrap().note).unwrap();
    let add = |note: &str| AddCosignatureRequest { market: String::new(), note: note.to_owned() };

    let stranger = Witnesses::signer(3).cosign(&checkpoint, 1);
    let known = Witnesses::signer(1).cosign(&checkpoint, 1);
    let forged = known.note().replace(&format!("\n{}\n", checkpoint.size()), "\n1\n");
    for (note, words) in [
        (checkpoint.note(), "it knows witness-1.example, witness-2.example"),
        (stranger.note(), "ask its operator to name yours"),
        (&forged, "the checkpoint's signature is false"),
        ("no note", "not a signed checkpoint"),
    ] {
        let status = ledger.add_cosignature(add(note)).await.unwrap_err();
        check_refusal(&status, Code::InvalidArgument, "MALFORMED", "note", &[words]);
    }
    let kept = ledger.add_cosignature(add(known.note())).await.unwrap().into_inner().cosigned_notes;
    assert_eq!(kept, [known.note()]);
    assert_eq!(market.connection.checkpoint("").await.unwrap().cosigned_notes, kept);

    restore(&mut market, copy.path()).await;
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let status = ledger.add_cosignature(add(known.note())).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "note", &["has no such checkpoint"]);
}
