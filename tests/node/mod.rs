//! A node as an operator runs it: the real `parkwattd`, a process of its own on a free port.
//!
//! Knows the program's command line and what it says first; does not know markets.
//! Keeps: no process outlives its test.
#![allow(dead_code, reason = "each test uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
};

/// The size of the demo's ledger.
pub const DEMO_SIZE: u64 = 80_852;
/// The root of the demo's ledger.
pub const DEMO_ROOT: &str = "7x7CAlftARE9D33QInbks+/Z++XTGNwhfILEJ+mTKiY=";

/// Where a node's data and its log are, and how it is started.
pub struct Place {
    root: tempfile::TempDir,
    args: Vec<String>,
    variables: Vec<(String, String)>,
}

/// A node that runs.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    url: String,
    child: Child,
    /// Held, since a node that cannot greet would end.
    stdout: BufReader<ChildStdout>,
}

impl Place {
    /// Returns a place for a new node with these further arguments of `serve`.
    pub fn new(args: &[&str]) -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("data")).unwrap();
        Place { root, args: args.iter().map(ToString::to_string).collect(), variables: Vec::new() }
    }

    /// Returns a place for a new node with this configuration file, and these further arguments.
    pub fn with_config(toml: &str, args: &[&str]) -> Place {
        let mut place = Place::new(args);
        let path = place.root.path().join("node.toml");
        fs::write(&path, toml).unwrap();
        place.args.extend(["--config".to_string(), path.display().to_string()]);
        place
    }

    /// Returns another place, whose nodes are configured like those of this one.
    pub fn another(&self) -> Place {
        Place { args: self.args.clone(), variables: self.variables.clone(), ..Place::new(&[]) }
    }

    /// Has its nodes find a variable in their environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Place {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the folder of keys and ledgers.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// Returns the file of the operator's key.
    pub fn operator_key(&self) -> PathBuf {
        self.data().join("operator.pem")
    }

    /// Starts a node, and returns when it listens.
    pub fn start(&self) -> Node {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a node that listens at `address`, and returns when it does.
    pub fn start_at(&self, address: SocketAddr) -> Node {
        let started = greeted(self.spawn_at(address));
        started.unwrap_or_else(|status| panic!("the node did not start, {status}: {}", self.log()))
    }

    /// Starts a node, and returns when it listens, or how it ended before it did.
    pub fn try_start(&self) -> Result<Node, ExitStatus> {
        greeted(self.spawn_at(SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    /// The same with a command that runs the node's: the name of a program, and its arguments before those of
    /// the node.
    pub fn try_start_by(&self, command: &mut Command) -> Result<Node, ExitStatus> {
        command.arg(env!("CARGO_BIN_EXE_parkwattd"));
        greeted(self.spawn(command, SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    /// Starts a node that the system gives at most so many descriptors, and returns when it listens.
    pub fn start_with_descriptors(&self, count: u32) -> Node {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {count} && exec \"$0\" \"$@\""));
        self.try_start_by(&mut shell).unwrap()
    }

    /// Starts a node at `address` without waiting for it.
    pub fn spawn_at(&self, address: SocketAddr) -> Child {
        self.spawn(&mut Command::new(env!("CARGO_BIN_EXE_parkwattd")), address)
    }

    fn spawn(&self, command: &mut Command, address: SocketAddr) -> Child {
        let log = File::options().create(true).append(true).open(self.root.path().join("log")).unwrap();
        command
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(self.data())
            .args(&self.args)
            .env_remove("PARKWATT_CONFIG")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Returns what the nodes of this place have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.path().join("log")).unwrap_or_default()
    }
}

/// Starts a node on a free port over the keys and ledgers that are in a folder already.
pub fn serve(data: &Path, args: &[&str]) -> Node {
    let child = Command::new(env!("CARGO_BIN_EXE_parkwattd"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(args)
        .env_remove("PARKWATT_CONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    greeted(child.unwrap()).unwrap()
}

/// Returns a node when it listens, or how it ended before it did.
fn greeted(mut child: Child) -> Result<Node, ExitStatus> {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut greeting = String::new();
    stdout.read_line(&mut greeting).unwrap();
    // A node that finds trouble at once may end in the middle of its greeting.
    let url = greeting.strip_suffix('\n').and_then(|line| Some(line.rsplit_once(" on ")?.1));
    let Some(url) = url else { return Err(child.wait().unwrap()) };
    let address = url.split_once("://").and_then(|(_, address)| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("{greeting:?} has no address"));
    Ok(Node { url: url.to_owned(), address, child, stdout })
}

impl Node {
    /// Waits until it ends by itself, and returns how it did.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Returns how it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Returns its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its address as clients write it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the next line that it says, without its end.
    pub fn says(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Kills it at once, whatever it is doing.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a service manager does.
    pub fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Asks it to end, and returns how it did.
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.child.wait().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // OK because: a node that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what the auditor says of the ledger in `dir`.
pub fn audit(depth: &str, dir: &Path) -> Output {
    auditor(&[depth, dir.to_str().unwrap()])
}

/// Runs the auditor's command.
pub fn auditor(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkwatt-audit")).args(args).output().unwrap()
}
