//! A real node in a process of its own, and a client at its port.
//!
//! Knows the node's command line and how the system accounts a process's time; does not know what is
//! measured.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use parkwatt::clock::Clock;
use parkwatt_client::{Connection, read_key, v1};
use tokio_stream::StreamExt;

use crate::park::{Park, signer};

/// How often a second Linux counts a process's time.
const TICKS_PER_SECOND: u32 = 100;
/// When a node has used no time for so long, it has nothing left to do.
const IDLE: Duration = Duration::from_millis(300);

/// A node, killed when it is dropped.
pub struct Node {
    process: Child,
    /// Held, so that the node can go on to write to it.
    _said: BufReader<ChildStdout>,
    /// A client's connection to it.
    pub connection: Connection,
}

impl Node {
    /// Starts a node that keeps its ledger in `data`, and enrols everyone.
    pub async fn start(data: &Path, park: &Park) -> Node {
        let mut process = Command::new(env!("CARGO_BIN_EXE_parkwattd"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the node's program was built with this one");
        let mut said = BufReader::new(process.stdout.take().expect("the output is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the output can be read");
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.expect("a node begins by saying where it listens");
        let connection = Connection::open(url).await.expect("the node answers");
        let node = Node { process, _said: said, connection };

        let operator = read_key(&data.join("operator.pem")).expect("the node has made the operator's key");
        for command in park.enrolments(&mut signer(operator), Clock::System.now()) {
            node.submit(command).await;
        }
        node
    }

    /// Hands in one command, and waits for its receipt.
    pub async fn submit(&self, command: v1::SignedCommand) {
        let receipt = self.connection.submit(command).await.expect("the node answers");
        assert!(is_accepted(&receipt), "{receipt:?}");
    }

    /// Streams commands; returns the processor's time that the node has used until the last receipt, and
    /// until it has nothing left to do.
    pub async fn stream(&self, commands: Vec<v1::SignedCommand>) -> [Duration; 2] {
        let before = self.time_used();
        let mut left = commands.len();
        let mut answers =
            self.connection.submit_stream(tokio_stream::iter(commands)).await.expect("the node answers");
        while let Some(answer) = answers.next().await {
            let answer = answer.expect("the node answers");
            let Some(v1::answer::Kind::Receipt(receipt)) = answer.kind else { panic!("{answer:?}") };
            assert!(is_accepted(&receipt), "{receipt:?}");
            left -= 1;
        }
        assert_eq!(left, 0, "every command is answered");
        let answered = self.time_used();
        let mut idle = answered;
        loop {
            tokio::time::sleep(IDLE).await;
            let now = self.time_used();
            if now == idle {
                return [answered, idle].map(|at| at.saturating_sub(before));
            }
            idle = now;
        }
    }

    /// Returns the processor's time that the node has used, of all its threads, in hundredths of a second.
    fn time_used(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(path).expect("Linux tells a process's time");
        // Behind the name, which may hold blanks: fields 3 and on; user and system time are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u32 =
            fields[11..13].iter().map(|field| field.parse::<u32>().expect("a time is a number")).sum();
        Duration::from_secs(1) * ticks / TICKS_PER_SECOND
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_accepted(receipt: &v1::Receipt) -> bool {
    match receipt.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref()) {
        Some(v1::outcome::Kind::Placed(placed)) => placed
            .orders
            .iter()
            .all(|answer| matches!(answer.kind, Some(v1::order_answer::Kind::Accepted(_)))),
        Some(v1::outcome::Kind::EnrolledParticipant(_)) => true,
        _ => false,
    }
}
