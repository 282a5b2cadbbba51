//! A disk on which one call fails, put between a real node and the system.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// One call that fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which call: `pwrite`, `fdatasync`, and others of `disk.c`.
    pub call: &'static str,
    /// Which one of these calls, from 1.
    pub nth: u32,
    /// The error's number.
    pub error: i32,
    /// What the path of the file ends with.
    pub file: &'static str,
    /// How many bytes of a write reach the file all the same.
    pub short_bytes: u32,
}

/// A call that is held up, and then fails or does not.
pub struct Gate(tempfile::TempDir);

impl Gate {
    /// Returns one that nothing has come to.
    pub fn new() -> Gate {
        Gate(tempfile::tempdir().unwrap())
    }

    /// Returns whether the call has come to it.
    pub fn is_reached(&self) -> bool {
        self.0.path().join("held").exists()
    }

    /// Lets the call go on.
    pub fn open(&self) {
        std::fs::write(self.0.path().join("go"), "").unwrap();
    }
}

impl Fault {
    /// Returns what a node is run by so that the call fails: its name and its arguments follow.
    pub fn command(self) -> Command {
        self.said("")
    }

    /// The same with a call that first waits for a gate.
    pub fn command_behind(self, gate: &Gate) -> Command {
        self.said(&gate.0.path().display().to_string())
    }

    fn said(self, gate: &str) -> Command {
        let Fault { call, nth, error, file, short_bytes } = self;
        let mut command = Command::new("env");
        let said = format!("PARKWATT_FAULT={call} {nth} {error} {file} {short_bytes} {gate}");
        command.arg(format!("LD_PRELOAD={}", library().display())).arg(said);
        command
    }
}

/// Returns the library, which is compiled when it is first asked for.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parkwatt-disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&library, &source])
            .status();
        assert!(compiled.unwrap().success());
        library
    })
}
