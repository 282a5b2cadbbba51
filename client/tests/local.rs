//! The command `parkwatt` without a node: keys, help, and command lines that are wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A port on which nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn parkwatt(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkwatt"))
        .args(args)
        .env("HOME", home)
        .env("TZ", "Asia/Shanghai")
        .env("PARKWATT_NODE", NOBODY)
        .env_remove("PARKWATT_KEY")
        .env_remove("XDG_CONFIG_HOME")
        .env("LC_ALL", "C")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_fresh_machine_makes_a_key_and_is_told_the_next_command() {
    let home = tempfile::tempdir().unwrap();
    let made = parkwatt(home.path(), &["key", "new"]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert!(text(&made.stdout).contains("Next: parkwatt enrol"));
    let file = home.path().join(".parkwatt/key.pem");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));

    let shown = parkwatt(home.path(), &["key", "show", "--output", "json"]);
    let document: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let public_key = document["key"]["public_key"].as_str().unwrap();
    assert_eq!(public_key.len(), 64);
    assert_eq!(document["key"]["file"], file.display().to_string());
    assert!(text(&made.stdout).contains(public_key));
}

#[test]
fn a_second_key_new_leaves_the_first_key_alone() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("k.pem");
    let args = ["key", "new", "--key", file.to_str().unwrap()];
    assert_eq!(parkwatt(home.path(), &args).status.code(), Some(0));
    let before = std::fs::read(&file).unwrap();
    let again = parkwatt(home.path(), &args);
    assert_eq!(again.status.code(), Some(5));
    assert!(text(&again.stderr).contains("never overwritten"), "{again:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn without_the_operators_key_enrol_prints_his_command() {
    let home = tempfile::tempdir().unwrap();
    parkwatt(home.path(), &["key", "new"]);
    let asked = parkwatt(home.path(), &["enrol", "--name", "sunny-roof", "--zone", "garden", "--pv", "8kW"]);
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    let said = text(&asked.stdout);
    assert!(said.contains("Nothing is enrolled yet"), "{said}");
    assert!(said.contains("parkwatt enrol --name sunny-roof --public-key "), "{said}");
    assert!(said.contains("--operator-key operator.pem"), "{said}");
}

#[test]
fn each_wrong_word_is_answered_with_its_field_its_value_and_the_rule() {
    let home = tempfile::tempdir().unwrap();
    let key = "0".repeat(64);
    let cases: [(&[&str], [&str; 3]); 11] = [
        (&["sell", "2.5", "--at", "12:00", "--price", "1"], ["<ENERGY>", "2.5", "a number and a unit"]),
        (&["sell", "0kWh", "--at", "12:00", "--price", "1"], ["<ENERGY>", "0kWh", "more than 0"]),
        (&["sell", "1kWh", "--at", "12:07", "--price", "1"], ["--at", "12:07", "12:00 and 12:15"]),
        (&["buy", "1kWh", "--at", "noon", "--price", "1"], ["--at", "noon", "a time is"]),
        (&["buy", "1kWh", "--at", "12:00", "--price", "0,42"], ["--price", "0,42", "yuan per kWh"]),
        (&["buy", "1kWh", "--at", "12:00", "--price", "0.1234567"], ["--price", "0.1234567", "6 decimals"]),
        (&["enrol", "--name", "Sunny Roof"], ["--name", "Sunny Roof", "a-z, 0-9 and -"]),
        (&["enrol", "--name", "a", "--pv", "8"], ["--pv", "8", "8kW or 8000W"]),
        (&["enrol", "--name", "a", "--roles", "boss"], ["--roles", "boss", "producer"]),
        (&["enrol", "--name", "a", "--meter-key", &key], ["--meter-key", "000", "weak"]),
        (&["cancel", "1234"], ["[ORDER]", "1234", "1234.0"]),
    ];
    for (args, expected) in cases {
        let output = parkwatt(home.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        for part in expected {
            assert!(text(&output.stderr).contains(part), "{args:?}: {part}: {}", text(&output.stderr));
        }
        let output = parkwatt(home.path(), &[args, &["--output", "json"][..]].concat());
        let document: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(document["error"]["kind"], "usage", "{args:?}");
        assert!(document["error"]["field"].as_str().unwrap().contains(expected[0]), "{document}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_node_that_does_not_answer_has_its_own_exit_code() {
    let home = tempfile::tempdir().unwrap();
    parkwatt(home.path(), &["key", "new"]);
    let output = parkwatt(home.path(), &["account", "--output", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(document["error"]["kind"], "unreachable");
    assert!(document["error"]["message"].as_str().unwrap().contains(NOBODY));
    let output = parkwatt(home.path(), &["account", "--node", "localhost"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_missing_key_is_answered_with_how_to_make_one() {
    let home = tempfile::tempdir().unwrap();
    let output = parkwatt(home.path(), &["key", "show"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("parkwatt key new"), "{output:?}");
}

#[test]
fn every_command_has_help_with_examples() {
    let home = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 29] = [
        &["key", "new"],
        &["key", "show"],
        &["key", "rotate"],
        &["key", "encrypt"],
        &["key", "decrypt"],
        &["profile", "add"],
        &["profile", "list"],
        &["profile", "use"],
        &["profile", "remove"],
        &["autopilot"],
        &["watch"],
        &["completions"],
        &["man"],
        &["enrol"],
        &["deposit"],
        &["sell"],
        &["buy"],
        &["replace"],
        &["cancel"],
        &["orders"],
        &["book"],
        &["trades"],
        &["account"],
        &["certificates"],
        &["certificates", "retire"],
        &["certificates", "statement"],
        &["certificates", "verify"],
        &["proof"],
        &[],
    ];
    for command in commands {
        let output = parkwatt(home.path(), &[command, &["--help"][..]].concat());
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let help = text(&output.stdout);
        assert!(help.contains("EXAMPLES:") || help.contains("FIRST STEPS:"), "{command:?}: {help}");
    }
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let home = tempfile::tempdir().unwrap();
    parkwatt(home.path(), &["key", "new"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_parkwatt"))
        .args(["key", "show"])
        .env("HOME", home.path())
        .env_remove("PARKWATT_KEY")
        .env_remove("XDG_CONFIG_HOME")
        .env("LC_ALL", "C")
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
