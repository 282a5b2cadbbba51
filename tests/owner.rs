//! The path of an owner and of a factory on fresh machines: the real command `parkwatt` against a real node,
//! from the first key to a claimed certificate.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod machine;
mod node;

use std::{fs::Permissions, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use ed25519_dalek::SigningKey;
use machine::Machine;
use node::Place;
use parkwatt_client::{Connection, Signer, public_key_text};
use parkwatt_proto::v1::{Quality, SubmitReading, command::Kind, outcome};
use serde_json::Value;

/// The market's time: eleven o'clock in Shanghai.
const NOW: &str = "2026-06-01T03:00:00Z";
/// The slot that begins at the next noon in Shanghai.
const NOON: u32 = 1_978_096;
const MICROS_PER_SLOT: u64 = 900_000_000;

/// Hands in a meter's readings: its baseline before noon, and what it measured in the quarter hour from noon
/// on.
async fn read_meter(connection: &Connection, meter: SigningKey, [import_wh, export_wh]: [u64; 2]) {
    let mut meter = Signer::new(meter, "park");
    for (counter, slot, import, export) in [(1, NOON - 1, 0, 0), (2, NOON, import_wh, export_wh)] {
        let reading = Kind::SubmitReading(SubmitReading {
            read_at_micros: u64::from(slot + 1) * MICROS_PER_SLOT,
            import_register_wh: 5_000 + import,
            export_register_wh: 7_000 + export,
            counter,
            quality: Quality::Measured.into(),
            ..SubmitReading::default()
        });
        let now = u64::from(NOON + 1) * MICROS_PER_SLOT;
        let receipt = connection.submit(meter.sign(reading, now, Duration::from_mins(1))).await.unwrap();
        let taken = receipt.outcome.unwrap().kind.unwrap();
        assert!(matches!(taken, outcome::Kind::ReadingTaken(_)), "{taken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_sells_a_factory_buys_and_what_was_delivered_is_claimed_as_green() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let (roof, mill) = (Machine::new(&node), Machine::new(&node));
    let operator_key = place.operator_key().display().to_string();
    let meters = [SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32])];
    let meter_keys = meters.each_ref().map(|meter| public_key_text(&meter.verifying_key()));

    // The path of the README, and the factory's.
    assert!(roof.says(&["key", "new"]).contains("Next: parkwatt enrol"));
    let enrol = ["enrol", "--name", "sunny-roof", "--pv", "8kW", "--operator-key", &operator_key];
    let said = roof.says(&[&enrol[..], &["--meter-key", &meter_keys[0]]].concat());
    assert!(said.contains("sunny-roof") && said.contains("Next: parkwatt sell"), "{said}");
    let said = roof.says(&["sell", "1.5kWh", "--at", "12:00", "--price", "0.45"]);
    assert!(said.contains("accepted, waits in the book"), "{said}");
    mill.says(&["key", "new"]);
    let enrol =
        ["enrol", "--name", "mill", "--roles", "consumer", "--connection", "500kW", "--credit", "2000"];
    let enrol = [&enrol[..], &["--meter-key", &meter_keys[1], "--operator-key", &operator_key]].concat();
    assert_eq!(mill.json(&enrol)["enrolled"]["participant"], 1);

    let book = mill.json(&["book", "--at", "12:00"]);
    assert_eq!((&book["slot"], &book["phase"]), (&NOON.into(), &"continuous".into()));
    assert_eq!(book["offers"][0]["energy_wh"], 1_500);
    assert_eq!(book["offers"][0]["limit_price_micros_per_kwh"], 450_000);
    let bought = mill.json(&["buy", "1kWh", "--at", "12:00", "--price", "0.55"]);
    assert_eq!(
        (&bought["orders"][0]["outcome"], &bought["orders"][0]["traded_wh"]),
        (&"accepted".into(), &1_000.into())
    );
    assert_eq!(bought["trades"][0]["price_micros_per_kwh"], 450_000);

    let orders = roof.json(&["orders", "--open"]);
    let order = orders["orders"][0]["order_id"].as_str().unwrap().to_owned();
    assert_eq!(orders["orders"][0]["traded_wh"], 1_000);
    assert_eq!(roof.json(&["cancel", &order])["cancelled"]["energy_wh"], 500);
    assert_eq!(roof.json(&["orders"])["orders"][0]["state"], "cancelled");
    assert_eq!(roof.json(&["trades"])["trades"][0]["energy_wh"], 1_000);
    assert_eq!(mill.json(&["trades", "--tape"])["trades"].as_array().unwrap().len(), 1);
    assert_eq!(mill.json(&["certificates"])["certificates"], Value::Array(vec![]));

    // Noon passes. The roof fed in 200 Wh more than it had sold, the mill drew all that it had bought.
    let connection = Connection::open(&node.url()).await.unwrap();
    connection.advance_to("", u64::from(NOON + 1) * MICROS_PER_SLOT).await.unwrap();
    let [roof_meter, mill_meter] = meters;
    read_meter(&connection, roof_meter, [0, 1_200]).await;
    read_meter(&connection, mill_meter, [1_000, 0]).await;

    let account = roof.json(&["account"])["account"].clone();
    assert_eq!((&account["sold_wh"], &account["certificates_held_wh"]), (&1_000.into(), &200.into()));
    // 1 kWh at 0.45, and 0.2 kWh at the feed-in tariff of 0.391.
    assert_eq!(account["balance_yuan"], "0.528200000");
    let account = mill.json(&["account"])["account"].clone();
    assert_eq!((&account["bought_wh"], &account["reserved_yuan"]), (&1_000.into(), &"0.000000000".into()));
    // 0.45 for energy, 0.05 for wheeling, 0.002 for the market.
    assert_eq!(account["balance_yuan"], "-0.502000000");
    let retire =
        ["certificates", "retire", "--at", "12:00", "--energy", "1kWh", "--beneficiary", "Mill No. 3"];
    let retired = mill.json(&retire)["retired"].clone();
    assert_eq!(retired["energy_wh"], 1_000);
    assert!(mill.fails(&retire, 1).contains("R14"));
    let certificates = mill.json(&["certificates"]);
    assert_eq!(certificates["certificates"][0]["retired_wh"], 1_000);
    assert!(mill.says(&["account"]).contains("mill"));

    // The mill proves its claim, and the trade, to somebody who has neither node nor ledger.
    let files = tempfile::tempdir().unwrap();
    let [claim, trade] = ["claim.json", "trade.tlog-proof"].map(|name| files.path().join(name));
    let [claim, trade] = [&claim, &trade].map(|path| path.to_str().unwrap());
    let number = retired["retirement"].to_string();
    let said = mill.says(&["certificates", "statement", &number, "--out", claim]);
    assert!(said.contains("Mill No. 3") && said.contains("sunny-roof"), "{said}");
    let id = bought["trades"][0]["trade_id"].to_string();
    let said = mill.says(&["proof", &id, "--out", trade]);
    assert!(said.contains(&format!("Entry {id}, recorded 2026-06-01 11:00 (Asia/Shanghai)")), "{said}");
    // The roof's enrolment.
    assert!(mill.fails(&["proof", "1", "--out", trade], 4).contains("those that are about him"));
    let vkey = place.data().join("park/vkey").display().to_string();
    drop(node);
    let said = roof.says(&["certificates", "verify", claim, "--vkey", &vkey]);
    assert!(
        said.contains("1000 Wh by mill (participant 1), signed with his key, for \"Mill No. 3\""),
        "{said}"
    );
    for (file, words) in [(claim, "1000 Wh by mill"), (trade, "sells 1000 Wh to participant 1")] {
        let mut auditor = Command::new(env!("CARGO_BIN_EXE_parkwatt-audit"));
        let output = auditor.args(["check", file, "--vkey", &vkey]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_key_under_a_passphrase_speaks_and_is_rotated_and_no_file_has_it_without() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let roof = Machine::new(&node);
    let passphrase = roof.home.path().join("passphrase");
    std::fs::write(&passphrase, "sunny afternoon\n").unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let allow = |mode| std::fs::set_permissions(passphrase, Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    let said = roof.fails(&["key", "new", "--new-passphrase-file", passphrase], 5);
    assert!(said.contains("can be read by others") && said.contains("chmod 600"), "{said}");
    allow(0o600);
    let with = |args: &[&'static str]| roof.says(&[args, &["--passphrase-file", passphrase]].concat());
    roof.says(&["key", "new", "--new-passphrase-file", passphrase]);
    let operator_key = place.operator_key().display().to_string();
    let enrol = ["enrol", "--name", "sunny-roof", "--pv", "8kW", "--operator-key", &operator_key];
    roof.says(&[&enrol[..], &["--passphrase-file", passphrase]].concat());
    assert!(with(&["sell", "1kWh", "--at", "12:00", "--price", "0.45"]).contains("waits in the book"));
    with(&["key", "rotate"]);
    assert!(with(&["orders", "--open"]).contains("2.0"));
    let folder = roof.home.path().join(".parkwatt");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let pem = std::fs::read_to_string(&file).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{}", file.display());
    }
    assert!(roof.fails(&["account"], 2).contains("PARKWATT_PASSPHRASE_FILE"));
}

#[test]
fn each_mistake_is_answered_with_what_is_wrong_and_what_to_do() {
    let place = Place::new(&["--simulated-from", NOW]);
    let node = place.start();
    let roof = Machine::new(&node);
    let sell = ["sell", "1kWh", "--at", "12:00", "--price", "0.45"];
    let said = roof.fails(&sell, 5);
    assert!(said.contains("no key file") && said.contains("parkwatt key new"), "{said}");

    roof.says(&["key", "new"]);
    let said = roof.fails(&sell, 4);
    assert!(said.contains("not enrolled in market 'park'") && said.contains("parkwatt enrol"), "{said}");

    let operator_key = place.operator_key().display().to_string();
    roof.says(&["enrol", "--name", "sunny-roof", "--pv", "8kW", "--operator-key", &operator_key]);
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (&["sell", "1kWh", "--at", "12:00", "--price", "0.45005"], 1, &["tick", "R3", "--price"]),
        (&["sell", "1kWh", "--at", "11:15", "--price", "0.45"], 0, &["accepted"]),
        (&["sell", "3kWh", "--at", "12:00", "--price", "0.45"], 1, &["R8", "can still deliver"]),
        (&["sell", "1kW", "--at", "12:00", "--price", "0.45"], 2, &["<ENERGY>", "1kW"]),
        (&["buy", "1kWh", "--at", "12:15", "--price", "0.55"], 1, &["R8", "credit"]),
        (&["cancel", "99.0"], 1, &["R9", "99.0", "parkwatt orders --open"]),
    ];
    for (args, exit_code, words) in cases {
        let said = roof.fails(args, exit_code);
        for word in words {
            assert!(said.contains(word), "{args:?}: {said:?} lacks {word:?}");
        }
    }

    let url = node.url();
    let said = roof.fails(&["account", "--node", &url.replace("http", "https")], 3);
    assert!(said.contains("may not speak https") && said.contains(&format!("--node {url}")), "{said}");
    let no_pem = roof.home.path().join("empty.pem");
    std::fs::write(&no_pem, "").unwrap();
    let roots = ["account", "--node", "https://127.0.0.1:1", "--tls-roots", no_pem.to_str().unwrap()];
    assert!(roof.fails(&roots, 5).contains("holds no CERTIFICATE in PEM"));
    let said = roof.says(&["sell", "0.1kWh", "--at", "12:15", "--price", "0.45", "--node", &url]);
    assert!(said.contains(&format!("Next: parkwatt orders --open --node {url}")), "{said}");
    drop(node);
    let said = roof.fails(&["account"], 3);
    assert!(said.contains(&url) && said.contains("--node"), "{said}");
    let said = roof.fails(&["account", "--output", "json"], 3);
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(document["error"]["kind"], "unreachable");
}

#[test]
fn what_a_node_refuses_is_said_in_chinese_to_who_speaks_it() {
    let place = Place::with_config("[[markets]]\nname = 'park'\n[[markets]]\nname = 'yard'", &[]);
    let node = place.start();
    let (roof, stranger) = (Machine::new(&node), Machine::new(&node));
    let operator_key = place.operator_key().display().to_string();
    roof.says(&["key", "new"]);
    stranger.says(&["key", "new"]);
    roof.says(&[
        "enrol",
        "--name",
        "roof",
        "--pv",
        "8kW",
        "--market",
        "yard",
        "--operator-key",
        &operator_key,
    ]);
    let refused = |machine: &Machine, args: &[&str], words: [&str; 2]| {
        let output = machine.run(&[args, &["--lang", "zh"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{args:?}: {said}");
        for words in words {
            assert!(said.contains(words), "{args:?}: {said}");
        }
    };
    refused(&stranger, &["account", "--market", "yard"], ["尚未在市场 'yard' 登记", "请"]);
    refused(&roof, &["account"], ["必须指定", "parkwatt markets"]);
    refused(&roof, &["account", "--market", "plaza"], ["没有市场 'plaza'; 它有 'park', 'yard'", "--market"]);
    let barn =
        ["enrol", "--name", "barn", "--pv", "8kW", "--market", "yard", "--operator-key", &operator_key];
    stranger.says(&barn);
    refused(&roof, &["proof", "2", "--market", "yard"], ["监管方和运营方可以查看所有条目", "请"]);
    let beyond = ["proof", "99", "--market", "yard", "--key", &operator_key];
    refused(&roof, &beyond, ["个条目的树中没有", "请"]);
    refused(
        &roof,
        &["certificates", "statement", "1", "--market", "yard"],
        ["没有您可以查看的绿证核销 1", "--market"],
    );
    let listed = roof.json(&["markets"]);
    assert_eq!(listed["markets"][1]["market"], "yard");
    assert_eq!(listed["markets"][1]["participants"], 2);
    assert!(roof.says(&["markets", "--lang", "zh"]).contains("接受委托"));
}
