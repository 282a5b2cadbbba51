//! A node in a process of its own, as an operator runs it, and the processor's time that it uses.
//!
//! Knows the node's command line and how Linux accounts a process's time; does not know what is measured.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow};

/// How often a second Linux counts a process's time.
const TICKS_PER_SECOND: u32 = 100;
/// When a process has used no time for so long, it has nothing left to do: longer than the store waits for more.
const IDLE: Duration = Duration::from_millis(1_500);

/// A node, killed when it is dropped.
pub struct NodeProcess {
    process: Child,
    /// Held, so that the node can go on to write to it.
    _said: BufReader<ChildStdout>,
    /// Where it listens.
    pub url: String,
}

impl NodeProcess {
    /// Starts `program`, which is `parkwattd`, as a node that keeps its ledger in `data`, on a free port.
    pub fn start(program: &Path, data: &Path) -> anyhow::Result<NodeProcess> {
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("RUST_LOG", "error")
            .env_remove("PARKWATT_CONFIG")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut said = BufReader::new(process.stdout.take().expect("the output is piped"));
        let mut line = String::new();
        said.read_line(&mut line).context("the node's output cannot be read")?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).map(ToOwned::to_owned);
        match url {
            Some(url) => Ok(NodeProcess { process, _said: said, url }),
            None => Err(anyhow!("the node did not start: {}", process.wait()?)),
        }
    }

    /// Returns its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the processor's time that a process has used, of all its threads, in hundredths of a second.
pub fn time_used(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    // Behind the name, which may hold blanks: fields 3 and on; user and system time are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u32 = fields.map(str::parse::<u32>).sum::<Result<_, _>>().with_context(|| path)?;
    Ok(Duration::from_secs(1) * ticks / TICKS_PER_SECOND)
}

/// Waits until a process has nothing left to do, and returns the processor's time that it has used.
pub async fn time_used_until_idle(process: u32) -> anyhow::Result<Duration> {
    let mut used = time_used(process)?;
    loop {
        tokio::time::sleep(IDLE).await;
        let now = time_used(process)?;
        if now == used {
            return Ok(used);
        }
        used = now;
    }
}
