//! The auditor's binary against live nodes: honest ones, and ones that were restored from an older copy of their
//! ledger and went on differently with their own key.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod following;
mod lying;
#[allow(dead_code, reason = "each test uses its part of it")]
#[path = "../service/market.rs"]
mod market;
#[path = "../node/mod.rs"]
mod node;
mod reading;
mod witnessing;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use market::{Market, Person, order, place};
use parkwatt_proto::v1::{NewOrder, Side};
use serde_json::Value;

/// Runs the auditor, expects this exit code, and returns what it says.
#[track_caller]
fn says(args: &[&str], exit_code: i32) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_parkwatt-audit"))
        .args(args)
        .env("TMPDIR", temporary.path())
        .env_remove("PARKWATT_KEY")
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{args:?}: {said}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "nothing temporary is left");
    said
}

/// Does the same, and returns the document that it prints.
#[track_caller]
fn document(args: &[&str], exit_code: i32) -> Value {
    serde_json::from_str(&says(&[args, &["--output", "json"]].concat(), exit_code)).unwrap()
}

/// What an auditor knows of a market: where its node and its files are, and his key.
struct Known {
    url: String,
    key: String,
    vkey: String,
    ledger: PathBuf,
}

impl Known {
    fn of(market: &Market) -> Known {
        let ledger = market.place.data().join("park");
        let key = market.place.operator_key().display().to_string();
        Known { url: market.node.url(), key, vkey: ledger.join("vkey").display().to_string(), ledger }
    }
}

/// Hands in `count` offers of different energy, one after the other.
async fn trade(market: &Market, person: &mut Person, count: u64) {
    for energy_wh in 1..=count {
        let offer = NewOrder { energy_wh, ..order(Side::Offer) };
        market.connection.submit(person.sign(place(&[offer]))).await.unwrap();
    }
}

/// Stops the node, and copies its ledger to a new folder.
async fn stop_and_copy(market: &mut Market) -> tempfile::TempDir {
    market.node.stop();
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&market.place.data().join("park"), copy.path());
    start(market).await;
    copy
}

/// Stops the node, puts an older copy of its ledger in its place, and starts it.
async fn restore(market: &mut Market, copy: &Path) {
    market.node.stop();
    let ledger = market.place.data().join("park");
    fs::remove_dir_all(&ledger).unwrap();
    fs::create_dir(&ledger).unwrap();
    copy_folder(copy, &ledger);
    start(market).await;
}

async fn start(market: &mut Market) {
    market.node = market.place.start();
    market.connection = parkwatt_client::Connection::open(&market.node.url()).await.unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&copy).unwrap();
            copy_folder(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
            let mut permissions = fs::metadata(&copy).unwrap().permissions();
            #[allow(clippy::permissions_set_readonly_false, reason = "the copy is the test's own")]
            permissions.set_readonly(false);
            fs::set_permissions(&copy, permissions).unwrap();
        }
    }
}
