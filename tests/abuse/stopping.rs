//! A node that is ended under load, asked to or not: what it has acknowledged is there, and nothing is there twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parkwatt_client::Connection;
use parkwatt_proto::v1::{Receipt, Side, SignedCommand};
use tokio::task::JoinSet;

use super::{
    check_kept, is_accepted,
    market::{Market, Person, order, place},
    memory_max, node,
};

/// How many callers there are.
const CALLERS: usize = 8;
/// How many orders each hands in, one behind the other.
const EACH: usize = 100;
/// How long between two looks at whether the node is there, and how far it is.
const LOOK: Duration = Duration::from_millis(1);

/// Hands in a caller's orders, again and again until each has its receipt; a node that is gone is looked for at the
/// same address. Returns the receipts, and how often no answer came.
async fn insist(
    url: String,
    mut who: Person,
    answered: Arc<AtomicU64>,
) -> (Vec<(SignedCommand, Receipt)>, u64) {
    let (mut acknowledged, mut tries) = (Vec::new(), 0);
    let mut connection = Connection::open(&url).await.unwrap();
    for _ in 0..EACH {
        let mut wh = order(Side::Offer);
        wh.energy_wh = 1;
        let signed = who.sign(place(&[wh]));
        let receipt = loop {
            if let Ok(receipt) = connection.submit(signed.clone()).await {
                break receipt;
            }
            tries += 1;
            tokio::time::sleep(LOOK).await;
            if let Ok(again) = Connection::open(&url).await {
                connection = again;
            }
        };
        assert!(is_accepted(&receipt), "{receipt:?}");
        answered.fetch_add(1, Ordering::Relaxed);
        acknowledged.push((signed, Receipt { repeated_command: false, ..receipt }));
    }
    (acknowledged, tries)
}

/// Ends the node under load as `end` does, five times, and checks what is kept.
async fn end_under_load(what: &str, end: fn(&mut node::Node)) {
    let mut market = Market::found().await;
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        callers.push(market.enrol_trader(&format!("caller-{number}")).await);
    }
    let size = market.size().await;
    let (address, url) = (market.node.address, market.node.url());
    let answered = Arc::new(AtomicU64::new(0));
    let mut insisting = JoinSet::new();
    for who in callers {
        insisting.spawn(insist(url.clone(), who, answered.clone()));
    }
    let all = (CALLERS * EACH) as u64;
    let mut memory = 0;
    for step in 1..=5 {
        while answered.load(Ordering::Relaxed) < all * step / 6 {
            tokio::time::sleep(LOOK).await;
        }
        memory = memory.max(memory_max(&market));
        end(&mut market.node);
        market.node = market.place.start_at(address);
    }
    let (mut acknowledged, mut tries) = (Vec::new(), 0);
    while let Some(ended) = insisting.join_next().await {
        let (his, again) = ended.unwrap();
        acknowledged.extend(his);
        tries += again;
    }
    println!(
        "{what} under load, 5 times: {} orders acknowledged, {tries} tries without an answer; memory at most {} MiB",
        acknowledged.len(),
        memory >> 20
    );
    assert!(tries > 0, "nobody was interrupted");
    market.connection = Connection::open(&url).await.unwrap();
    assert_eq!(market.size().await, size + all, "each order is there once");
    check_kept(&market, &acknowledged).await;
    assert_eq!(market.node.stop().code(), Some(0));
    let audited = node::audit("replay", &market.place.data().join("park"));
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_insists_has_each_order_once_though_the_node_is_killed() {
    end_under_load("SIGKILL", node::Node::kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_insists_has_each_order_once_though_the_node_is_told_to_stop() {
    end_under_load("SIGTERM", |node| assert_eq!(node.stop().code(), Some(0))).await;
}
