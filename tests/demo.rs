//! The demo as somebody runs it who has just cloned this: the real program, from command line to ledger.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod node;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use node::{DEMO_ROOT, DEMO_SIZE};
use parkwatt::audit::verifier_of;
use parkwatt_ledger::{Reader, Signatures, SignedCheckpoint, journal_dir};
use parkwatt_proto::v1::{self, command::Kind, leaf::Fact};
use prost::Message;

/// The three files of a park, as they are built in.
const FILES: [&str; 3] = ["participants.csv", "network.csv", "profiles.csv"];

fn demo(out: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkwattd"))
        .args(["demo", "--out"])
        .arg(out)
        .args(args)
        .output()
        .unwrap()
}

/// Runs the demo, expects that it ends well, and returns what it says and the last checkpoint of its ledger.
#[track_caller]
fn traded(out: &Path, args: &[&str]) -> (String, SignedCheckpoint) {
    let output = demo(out, args);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let ledger = out.join("park");
    let verifier = verifier_of(&ledger).unwrap();
    let reader = Reader::open(&journal_dir(&ledger), &verifier, Signatures::Every).unwrap();
    (said, reader.finish().unwrap().checkpoint.unwrap())
}

/// Runs the demo, expects that it is refused, and returns why.
#[track_caller]
fn refused(out: &Path, args: &[&str]) -> String {
    let output = demo(out, args);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// Writes the park that is built in to a folder, with `bad` in place of the first `good` in one file.
fn write_park(dir: &Path, file: &str, good: &str, bad: &str) {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/park");
    for name in FILES {
        let text = fs::read_to_string(built_in.join(name)).unwrap();
        let text = if name == file { text.replacen(good, bad, 1) } else { text };
        fs::write(dir.join(name), text).unwrap();
    }
}

/// Adds the trades of a ledger up by themselves: no edge carries more than it can in any quarter hour, and
/// what the demo says of the farm's is so.
#[track_caller]
fn check_flows(ledger: &Path, said: &str) {
    let mut zones = Vec::new();
    let mut zone_of = Vec::new();
    let mut flows: BTreeMap<(u32, usize), i64> = BTreeMap::new();
    let verifier = verifier_of(ledger).unwrap();
    let groups = Reader::open(&journal_dir(ledger), &verifier, Signatures::Last).unwrap();
    for leaf in groups.flat_map(|group| group.unwrap().leaves) {
        match v1::Leaf::decode(leaf.as_slice()).unwrap().fact.unwrap() {
            Fact::Genesis(genesis) => zones = genesis.zones,
            Fact::Command(command) => {
                let payload = command.signed.unwrap().payload;
                let asked = v1::Command::decode(payload.as_slice()).unwrap().kind;
                if let Some(Kind::EnrolParticipant(enrol)) = asked {
                    zone_of.push(zones.iter().position(|zone| zone.name == enrol.zone).unwrap());
                }
            }
            Fact::TradeMade(trade) => {
                let energy = i64::try_from(trade.energy_wh).unwrap();
                for (owner, energy) in [(trade.seller.unwrap(), energy), (trade.buyer.unwrap(), -energy)] {
                    // Up to the root; what both ways share comes to nothing.
                    let mut zone = zone_of[owner as usize];
                    while let Some(parent) = zones[zone].parent {
                        *flows.entry((trade.slot, zone)).or_default() += energy;
                        zone = parent as usize;
                    }
                }
            }
            _ => {}
        }
    }
    let capacity = |watts: Option<u64>| i64::try_from(watts.unwrap() / 4).unwrap();
    for ((slot, zone), flow) in &flows {
        let v1::Zone { name, capacity_up_w, capacity_down_w, .. } = &zones[*zone];
        assert!(
            (-capacity(*capacity_down_w)..=capacity(*capacity_up_w)).contains(flow),
            "{name} in {slot}: {flow} Wh"
        );
    }
    let farm = zones.iter().position(|zone| zone.name == "farm").unwrap();
    let full = flows.iter().filter(|((_, zone), flow)| *zone == farm && **flow == 40_000).count();
    assert!(full > 0, "the farm's transformer is full at some time");
    let line = said.lines().find(|line| line.contains("Transformer of 'farm', upwards")).unwrap();
    assert!(
        line.ends_with(&format!("at most 40.0 of 40.0 kWh a quarter hour, full in {full} quarter hours")),
        "{line}"
    );
}

#[test]
fn the_same_seed_gives_the_same_root_and_the_ledger_passes_its_audit() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("demo");
    let (said, checkpoint) = traded(&out, &[]);
    assert_eq!((checkpoint.size(), checkpoint.root().to_string().as_str()), (DEMO_SIZE, DEMO_ROOT));
    assert!(said.contains(DEMO_ROOT), "{said}");
    check_flows(&out.join("park"), &said);
    // Its auctions leave some Wh of each transformer, which are traded afterwards.
    let paid = said.lines().find(|line| line.contains("Paid for room on full transformers")).unwrap();
    assert!(
        paid.ends_with("0.00 yuan (only auctions charge for it, and later trades filled them)"),
        "{paid}"
    );
    for depth in ["verify", "replay"] {
        let audited = node::audit(depth, &out.join("park"));
        assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
    }
}

#[test]
fn the_readme_names_the_root() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(DEMO_ROOT), "README.md does not name {DEMO_ROOT}");
}

#[test]
fn another_seed_gives_another_root_in_the_folder_of_an_earlier_demo() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("parkwatt-demo.txt"), "").unwrap();
    fs::write(dir.path().join("left-behind"), "").unwrap();
    let (_, checkpoint) = traded(dir.path(), &["--seed", "43"]);
    assert_ne!(checkpoint.root().to_string(), DEMO_ROOT);
    assert!(!dir.path().join("left-behind").exists());
}

#[test]
fn more_days_than_there_are_and_a_folder_of_somebody_elses_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let said = refused(dir.path(), &["--days", "2"]);
    assert!(said.contains("--days 2: the profiles have 1 whole days"), "{said}");
    fs::write(dir.path().join("letter.txt"), "dear all").unwrap();
    let said = refused(dir.path(), &[]);
    assert!(said.contains("not empty and not a demo's"), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join("letter.txt")).unwrap(), "dear all");
}

#[test]
fn a_folder_with_a_wrong_column_is_refused_by_file_and_column() {
    let (dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_park(data.path(), "profiles.csv", "generation_wh", "generation_kwh");
    let said = refused(&dir.path().join("demo"), &["--data", data.path().to_str().unwrap()]);
    let file = data.path().join("profiles.csv");
    assert!(said.contains(&format!("{}: column 'generation_wh' is missing", file.display())), "{said}");
    assert!(!dir.path().join("demo").exists(), "a demo that is refused leaves nothing behind");
}
