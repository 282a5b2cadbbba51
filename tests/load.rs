//! The load generator, in short: every command is answered, and what it says can be read. Timings are not judged.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod node;

use std::process::Command;

use node::Place;
use serde_json::Value;

const COMMANDS: u64 = 160;

fn bench(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_parkwattd"))
        .args(["bench", "load", "--json", "--commands", &COMMANDS.to_string(), "--rate", "1600"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Checks that every order of every run is accepted, and its latency in order.
fn check(measured: &Value) {
    let runs = measured["runs"].as_array().unwrap();
    let kinds: Vec<_> = runs.iter().map(|run| (run["shape"].as_str().unwrap(), &run["loop"])).collect();
    assert_eq!(
        kinds.iter().map(|(shape, _)| *shape).collect::<Vec<_>>(),
        ["single", "single", "schedule", "schedule"]
    );
    for run in runs {
        let (commands, orders) = match run["shape"].as_str() {
            Some("single") => (COMMANDS, COMMANDS),
            _ => (COMMANDS / 8, COMMANDS / 8 * 96),
        };
        assert_eq!(run["commands"], commands, "{run}");
        assert_eq!(
            (&run["accepted"], &run["rejected"], &run["refused"]),
            (&orders.into(), &0.into(), &0.into())
        );
        let parts = ["p50_us", "p99_us", "p99_9_us", "max_us"].map(|part| run[part].as_u64().unwrap());
        assert!(parts.is_sorted() && parts[0] > 0, "{run}");
        assert_eq!(run["late_max_us"].is_null(), run["loop"]["open"].is_null(), "{run}");
    }
    for figure in ["fdatasync_p50_us", "fdatasync_p99_us", "verify_strict_ns"] {
        assert!(measured["bare"][figure].as_u64().unwrap() > 0, "{figure}");
    }
}

#[test]
fn every_order_is_answered_in_closed_and_open_loops() {
    let measured = bench(&["--connections", "3", "--in-flight", "7"]);
    check(&measured);
    assert!(measured["runs"].as_array().unwrap().iter().all(|run| run["server_cpu_ns_per_order"].is_u64()));
}

#[test]
fn a_node_that_runs_already_is_loaded_and_its_ledger_fits() {
    let place = Place::new(&[]);
    let mut node = place.start();
    let key = place.operator_key().display().to_string();
    let measured = bench(&["--url", &node.url(), "--operator-key", &key]);
    check(&measured);
    assert!(measured["runs"][0]["server_cpu_ns_per_order"].is_null(), "whose process it is, was not said");
    node.stop();
    let audited = node::audit("replay", &place.data().join("park"));
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
}
