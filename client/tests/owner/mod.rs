//! A participant at his machine, before a node that answers what it is told; and the words of its answers.

use std::process::{Command, Output};

use parkwatt_client::create_key;
use parkwatt_client::v1::{self, command, order_answer, outcome};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Status;

use super::fake::{FakeNode, NOON, NOW_MICROS, Script};

/// A participant at his machine.
pub struct Owner {
    /// Where his keys are.
    pub home: TempDir,
    /// The node.
    pub node: FakeNode,
}

impl Owner {
    pub fn new(script: Script) -> Self {
        let home = tempfile::tempdir().unwrap();
        create_key(&home.path().join(".parkwatt/key.pem")).unwrap();
        create_key(&home.path().join("operator.pem")).unwrap();
        Owner { home, node: FakeNode::start(script) }
    }

    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_parkwatt"))
            .args(args)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("TZ", "Asia/Shanghai")
            .env("PARKWATT_NODE", &self.node.url)
            .env_remove("PARKWATT_KEY")
            .env_remove("XDG_CONFIG_HOME")
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }

    /// Runs a command that is done, and returns its table.
    pub fn table(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that is done, and returns its document.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--output", "json"][..]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that fails, and returns its exit code and its document.
    pub fn failure(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[args, &["--output", "json"][..]].concat());
        assert!(output.stdout.is_empty(), "{output:?}");
        let document: Value = serde_json::from_slice(&output.stderr).unwrap();
        (output.status.code(), document["error"].clone())
    }

    /// Returns what the node was asked last.
    pub fn asked(&self) -> command::Kind {
        self.node.script.lock().unwrap().commands.last().unwrap().1.kind.clone().unwrap()
    }
}

pub fn receipt(kind: outcome::Kind, trades: Vec<v1::Trade>) -> v1::Receipt {
    let outcome = Some(v1::Outcome { kind: Some(kind) });
    v1::Receipt { leaf_index: 40, at_micros: NOW_MICROS, outcome, trades, ..v1::Receipt::default() }
}

pub fn script(answer: Result<v1::Receipt, Status>) -> Script {
    Script { answers: [answer].into(), ..Script::default() }
}

pub fn rejection(code: &str) -> v1::Rejection {
    v1::Rejection {
        code: code.to_owned(),
        rule: "R2".to_owned(),
        field: "slot".to_owned(),
        sentence: "the gate has closed".to_owned(),
    }
}

pub fn id(index: u64, position: u32) -> v1::OrderId {
    v1::OrderId { index, position }
}

pub fn accepted(position: u32) -> v1::OrderAnswer {
    v1::OrderAnswer { kind: Some(order_answer::Kind::Accepted(id(40, position))) }
}

pub fn trade() -> v1::Trade {
    v1::Trade {
        id: 41,
        slot: NOON,
        bid: Some(id(12, 0)),
        offer: Some(id(40, 0)),
        energy_wh: 1_500,
        price_micros_per_kwh: 420_000,
        wheeling_micros_per_kwh: 30_000,
        congestion_micros_per_kwh: 5_000,
        fee_micros_per_kwh: 1_000,
        tariff_version: 1,
        matching: v1::Matching::Continuous.into(),
        ..v1::Trade::default()
    }
}

pub fn offer(slot: u32) -> v1::NewOrder {
    v1::NewOrder {
        side: v1::Side::Offer.into(),
        slot,
        limit_price_micros_per_kwh: 420_000,
        energy_wh: 2_500,
        time_in_force: v1::TimeInForce::GoodUntilGate.into(),
        ..v1::NewOrder::default()
    }
}

pub fn placing(orders: Vec<v1::NewOrder>, all_or_none: bool) -> command::Kind {
    command::Kind::PlaceOrders(v1::PlaceOrders { orders, all_or_none })
}
