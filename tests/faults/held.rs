//! A sync that takes long under a real node: the next group is applied meanwhile, no further one, and nobody hears of
//! anything before it is durable.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use parkwatt::EXIT_DISK;
use parkwatt_client::Connection;
use parkwatt_proto::v1::{NewOrder, Receipt, Side, SignedCommand};
use tokio::task::JoinHandle;

use crate::{
    ledger::dir,
    market::{Market, Person, order, place},
    node::{self, Node, Place},
    shim::{Fault, Gate},
};

const EIO: i32 = 5;
/// How long between two looks at a node.
const LOOK: Duration = Duration::from_millis(1);
/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node whose first sync of the journal is held up, and who trades there.
struct Held {
    place: Place,
    ann: Person,
    node: Node,
    admin: SocketAddr,
    gate: Gate,
    connection: Connection,
}

impl Held {
    /// Starts it on a market that was founded before; the sync fails in the end if `error` is not 0.
    async fn new(error: i32) -> Held {
        let mut market = Market::found_with("admin_listen = '127.0.0.1:0'").await;
        let ann = market.enrol_trader("ann").await;
        market.node.stop();
        let (place, gate) = (market.place, Gate::new());
        let fault = Fault { call: "fdatasync", nth: 1, error, file: ".seg", short_bytes: 0 };
        let mut node = place.try_start_by(&mut fault.command_behind(&gate)).unwrap();
        let said = node.says();
        let (_, admin) = said.split_once("http://").unwrap();
        let admin = admin.split_once('/').unwrap().0.parse().unwrap();
        let connection = Connection::open(&node.url()).await.unwrap();
        Held { place, ann, node, admin, gate, connection }
    }

    /// Hands an order in, and returns it with where its receipt will be.
    fn hand_in(&mut self) -> (SignedCommand, JoinHandle<Option<Receipt>>) {
        let signed = self.ann.sign(place(&[NewOrder { energy_wh: 1, ..order(Side::Offer) }]));
        let (connection, asked) = (self.connection.clone(), signed.clone());
        (signed, tokio::spawn(async move { connection.submit(asked).await.ok() }))
    }

    /// Waits until a line of the node's metrics is so.
    async fn until(&self, line: &str) {
        let begun = Instant::now();
        while !self.metrics().lines().any(|it| it == line) {
            assert!(begun.elapsed() < PATIENCE, "never {line}:\n{}", self.metrics());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Hands in three orders: the first is applied and held up, the second applied, the third waits.
    async fn three(&mut self) -> Vec<(SignedCommand, JoinHandle<Option<Receipt>>)> {
        let mut handed_in = vec![self.hand_in()];
        let begun = Instant::now();
        while !self.gate.is_reached() {
            assert!(begun.elapsed() < PATIENCE, "nothing was synced");
            tokio::time::sleep(LOOK).await;
        }
        handed_in.push(self.hand_in());
        self.until("parkwatt_commands_total{market=\"park\",outcome=\"accepted\"} 2").await;
        handed_in.push(self.hand_in());
        self.until("parkwatt_queue_len{market=\"park\"} 1").await;
        self.until("parkwatt_commands_total{market=\"park\",outcome=\"accepted\"} 2").await;
        assert!(handed_in.iter().all(|(_, receipt)| !receipt.is_finished()), "nothing is durable");
        handed_in
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_group_is_being_synced_the_next_is_applied_and_nobody_hears_of_it() {
    let mut held = Held::new(0).await;
    let before = held.connection.checkpoint("").await.unwrap().tree_size;
    let handed_in = held.three().await;
    assert_eq!(held.connection.checkpoint("").await.unwrap().tree_size, before, "nobody sees it either");

    held.gate.open();
    for (index, (_, receipt)) in (before..).zip(handed_in) {
        assert_eq!(receipt.await.unwrap().unwrap().leaf_index, index);
    }
    assert_eq!(held.node.stop().code(), Some(0), "{}", held.place.log());
    let audited = node::audit("replay", &dir(&held.place));
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_applied_behind_one_whose_sync_fails_was_never_there() {
    let mut held = Held::new(EIO).await;
    let before = held.connection.checkpoint("").await.unwrap().tree_size;
    let handed_in = held.three().await;
    held.gate.open();
    assert_eq!(held.node.wait().code(), Some(i32::from(EXIT_DISK)), "{}", held.place.log());
    let mut again = Vec::new();
    for (signed, receipt) in handed_in {
        assert!(receipt.await.unwrap().is_none(), "nothing was durable");
        again.push(signed);
    }

    // Of the first the disk may have all, which only its error denies; the others were never written.
    let mut node = held.place.start();
    let connection = Connection::open(&node.url()).await.unwrap();
    let kept = connection.checkpoint("").await.unwrap().tree_size;
    assert!((before..=before + 1).contains(&kept), "{kept} leaves, {before} before");
    for (nth, signed) in again.into_iter().enumerate() {
        let receipt = connection.submit(signed).await.unwrap();
        assert_eq!(
            (receipt.leaf_index, receipt.repeated_command),
            (before + nth as u64, nth == 0 && kept > before)
        );
    }
    assert_eq!(node.stop().code(), Some(0), "{}", held.place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_asked_to_stop_makes_durable_what_was_applied_behind_a_sync() {
    let mut held = Held::new(0).await;
    let handed_in = held.three().await;
    held.node.ask_to_stop();
    held.gate.open();
    for (_, receipt) in handed_in {
        assert!(receipt.await.unwrap().is_some(), "calls under way may end");
    }
    assert_eq!(held.node.wait().code(), Some(0), "{}", held.place.log());
    let audited = node::audit("replay", &dir(&held.place));
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
}
