//! A real node in a process of its own, in which everyone is enrolled, and a client at its port.
//!
//! Knows what commands must come to; does not know what is measured.

use std::{path::Path, time::Duration};

use parkwatt::{
    clock::Clock,
    load::{
        node::{NodeProcess, time_used, time_used_until_idle},
        park::{Park, signer, zone},
    },
};
use parkwatt_client::{Connection, read_key, v1};
use tokio_stream::StreamExt;

/// A node, killed when it is dropped.
pub struct Node {
    process: NodeProcess,
    /// A client's connection to it.
    pub connection: Connection,
}

impl Node {
    /// Starts a node that keeps its ledger in `data`, and enrols everyone.
    pub async fn start(data: &Path, park: &Park) -> Node {
        let process = NodeProcess::start(Path::new(env!("CARGO_BIN_EXE_parkwattd")), data);
        let process = process.expect("the node's program was built with this one");
        let connection = Connection::open(&process.url).await.expect("the node answers");
        let node = Node { process, connection };

        let operator = read_key(&data.join("operator.pem")).expect("the node has made the operator's key");
        for command in park.enrolments(&mut signer(operator), &zone(), Clock::System.now()) {
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
        let idle = time_used_until_idle(self.process.id()).await.expect("Linux tells a process's time");
        [answered, idle].map(|at| at.saturating_sub(before))
    }

    fn time_used(&self) -> Duration {
        time_used(self.process.id()).expect("Linux tells a process's time")
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
