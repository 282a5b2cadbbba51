//! Somebody's machine, with the real command `parkwatt` on it.
//!
//! Knows how a command is run; does not know markets.
#![allow(dead_code, reason = "each test uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::node::Node;

/// Somebody's machine: a home of its own, and the address of the node.
pub struct Machine {
    /// Where its keys are.
    pub home: tempfile::TempDir,
    node: String,
}

/// Returns the program `parkwatt`, which stands beside `parkwattd`.
///
/// `cargo test --workspace` builds it; a test of this package alone does not, so it is built here if it is
/// missing.
pub fn parkwatt() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_parkwattd")).parent().unwrap();
    let program = beside.join("parkwatt");
    if !program.exists() {
        let profile = match beside.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--package", "parkwatt-client", "--bin", "parkwatt", "--profile", profile])
            .arg("--target-dir")
            .arg(beside.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.unwrap().success());
    }
    program
}

impl Machine {
    /// Returns a fresh machine that knows this node.
    pub fn new(node: &Node) -> Machine {
        Machine { home: tempfile::tempdir().unwrap(), node: node.url() }
    }

    /// Runs a command.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(parkwatt())
            .args(args)
            .envs(self.variables())
            .env_remove("PARKWATT_KEY")
            .env_remove("XDG_CONFIG_HOME")
            .output()
            .unwrap()
    }

    /// Returns what a command finds in its environment.
    pub fn variables(&self) -> [(&str, &OsStr); 4] {
        let words = [("TZ", "Asia/Shanghai"), ("PARKWATT_NODE", &self.node), ("LC_ALL", "C")];
        let [zone, node, language] = words.map(|(name, value)| (name, OsStr::new(value)));
        [("HOME", self.home.path().as_os_str()), zone, node, language]
    }

    /// Runs a command that must be done, and returns what it says.
    #[track_caller]
    pub fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must be done, and returns the document that it prints.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[args, &["--output", "json"]].concat())).unwrap()
    }

    /// Runs a command that must fail with this exit code, and returns what it says.
    #[track_caller]
    pub fn fails(&self, args: &[&str], exit_code: i32) -> String {
        let output = self.run(args);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{args:?}: {said}");
        said
    }
}
