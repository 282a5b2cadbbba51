//! The auditor's binary against a ledger that is as it should be, and against every way to change one.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod day;
mod flips;
mod forgeries;
mod proving;
mod report;
mod sums;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{PoisonError, RwLock},
};

use day::{Day, files};

/// Read while a ledger is open here, written while a process is started: between its fork and its exec it would hold the
/// ledger's lock too.
static LEDGERS: RwLock<()> = RwLock::new(());

fn run(args: &[&str], dir: &Path) -> Output {
    let mut auditor = Command::new(env!("CARGO_BIN_EXE_parkwatt-audit"));
    auditor.args(args).arg(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = {
        let _none_is_open = LEDGERS.write().unwrap_or_else(PoisonError::into_inner);
        auditor.spawn().unwrap()
    };
    started.wait_with_output().unwrap()
}

/// Runs the auditor, expects this exit code, and returns what it prints.
#[track_caller]
fn check(args: &[&str], dir: &Path, exit_code: i32) -> String {
    let output = run(args, dir);
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit_code), "{said}{error}");
    said
}

#[test]
fn an_honest_ledger_is_intact_and_the_replay_ends_where_the_market_did() {
    let day = Day::whole();
    let dir = day.write_whole();
    assert!(check(&["verify"], dir.path(), 0).contains("verdict       intact"));
    assert!(check(&["replay", "--quiet"], dir.path(), 0).starts_with("verdict       intact"));

    let said = check(&["replay", "--output", "json"], dir.path(), 0);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let leaves: usize = day.groups.iter().map(Vec::len).sum();
    assert_eq!(said["verdict"], "intact");
    assert_eq!(said["findings"], serde_json::json!([]));
    assert_eq!(said["figures"]["leaves"], leaves);
    assert_eq!(said["figures"]["commands"], 11);
    assert_eq!(said["figures"]["signatures"], 11 + day.groups.len());
    assert!(said["figures"]["segments"].as_u64() > Some(2));
    let replayed = &said["replayed"];
    assert_eq!(replayed["state_hash"], format!("{:016x}", day.replica.market().state_hash()));
    for (total, expected) in [
        ("trades", serde_json::json!(1)),
        ("traded_wh", serde_json::json!(1500)),
        ("delivered_wh", serde_json::json!(1500)),
        ("deposited", serde_json::json!("1000.000000000")),
        ("accounts_sum", serde_json::json!("0.000000000")),
        ("issued_wh", serde_json::json!(1800)),
        ("held_wh", serde_json::json!(800)),
        ("retired_wh", serde_json::json!(1000)),
    ] {
        assert_eq!(replayed["totals"][total], expected, "{total}");
    }
}

#[test]
fn the_program_says_its_own_name_also_where_the_command_line_is_wrong() {
    let version = run(&["--version"], Path::new("."));
    assert_eq!(String::from_utf8_lossy(&version.stdout), "parkwatt-audit 0.1.0\n");
    let period = ["report", "--out", "nowhere", "--from", "2026-05-01", "--until", "2026-04-01"];
    let misused = run(&period, Path::new("nowhere"));
    assert_eq!(misused.status.code(), Some(64));
    let said = "error: --from lies behind --until\n\nFor more information, try '--help'.\n";
    assert_eq!(String::from_utf8_lossy(&misused.stderr), said);
}

#[test]
fn the_folder_above_the_only_market_does_and_nothing_in_it_changes() {
    let dir = Day::whole().write_whole();
    let above = tempfile::tempdir().unwrap();
    let market = above.path().join("park");
    fs::rename(dir.path(), &market).unwrap();
    let picture = || {
        let folders = [&market, &market.join("journal"), &market.join("sled")];
        let files = folders.iter().flat_map(|folder| files(folder));
        files.map(|path| (fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = picture();
    check(&["replay"], above.path(), 0);
    assert!(picture() == before);
}
