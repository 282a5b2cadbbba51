//! A node that trades, is followed, read, killed and started again for a while keeps its memory within bounds, and all
//! that it has acknowledged.
//!
//! `PARKWATT_SOAK_MINUTES` says for how long; a few seconds where it is not set, so that the test itself is kept true.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod node;

use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use node::{Node, Place};
use parkwatt::load::park::{Park, Signer, zone};
use parkwatt_client::{Connection, MarketPicture, read_key};
use parkwatt_engine::Timestamp;
use parkwatt_ledger::{Reader, Signatures, journal_dir};
use parkwatt_proto::v1::{Answer, SignedCommand, StreamMarketRequest, answer::Kind};
use tokio_stream::StreamExt;

/// How long it takes where nobody says otherwise: as many lives of the node as these.
const LIVES_MIN: u32 = 3;
/// How many commands are handed in together, and then answered.
const TOGETHER: usize = 256;
/// How many of these a life of the node has.
const ROUNDS_A_LIFE: u32 = 12;
/// How much memory a node may have, in KiB: the store's cache, what is kept for streams, code and threads;
const RSS_KIB_MAX: u64 = 128 << 10;
/// and for each leaf of slots that are not final.
const RSS_BYTES_A_LEAF_MAX: u64 = 600;
/// How long between two attempts to reach a node that was killed.
const LOOK: Duration = Duration::from_millis(5);

/// What goes on beside the trading.
struct Beside {
    is_over: AtomicBool,
    updates: AtomicU64,
    reads: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_lives_long_within_its_memory_and_loses_nothing() {
    let until = minutes().map(|minutes| Instant::now() + Duration::from_secs_f64(60.0 * minutes));
    let place = Place::with_config("segment_bytes = 4_194_304\nsnapshot_leaves = 20_000", &[]);
    let mut node = place.start();
    let address = node.address;
    let mut park = Park::new();
    enrol(&place, &node, &park).await;
    let beside = Arc::new(Beside {
        is_over: AtomicBool::new(false),
        updates: AtomicU64::new(0),
        reads: AtomicU64::new(0),
    });
    let follower = tokio::spawn(follow(beside.clone(), address));
    let reader = tokio::spawn(read(beside.clone(), address));

    let mut acknowledged = BTreeMap::new();
    let mut lives = 0;
    while lives < LIVES_MIN || until.is_some_and(|until| Instant::now() < until) {
        for round in 0..ROUNDS_A_LIFE {
            let is_last = round + 1 == ROUNDS_A_LIFE;
            let commands: Vec<SignedCommand> = (0..TOGETHER).map(|_| park.order(now())).collect();
            let answered = stream(&node, commands.clone(), is_last.then_some(TOGETHER / 2)).await;
            keep(&mut acknowledged, &commands, &answered);
            if !is_last {
                assert_eq!(answered.len(), TOGETHER, "{}", place.log());
                check_memory(&node, &acknowledged);
                continue;
            }
            // Killed with commands under way: what was not answered is handed in again.
            node.kill();
            node = place.start_at(address);
            let again: Vec<SignedCommand> = commands[answered.len()..].to_vec();
            let answered = stream(&node, again.clone(), None).await;
            assert_eq!(answered.len(), again.len(), "{}", place.log());
            keep(&mut acknowledged, &again, &answered);
        }
        lives += 1;
    }

    beside.is_over.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    follower.await.unwrap();
    let rss = rss_kib(&node);
    assert_eq!(node.stop().code(), Some(0), "{}", place.log());
    let (updates, reads) = (beside.updates.load(Ordering::Relaxed), beside.reads.load(Ordering::Relaxed));
    assert!(updates > 0 && reads > 0, "{updates} updates, {reads} reads");
    check_ledger(&place, &acknowledged);
    println!(
        "{lives} lives, {} commands acknowledged, {updates} updates followed, {reads} reads, {rss} KiB at the end",
        acknowledged.len()
    );
}

fn minutes() -> Option<f64> {
    env::var("PARKWATT_SOAK_MINUTES").ok().map(|said| said.parse().unwrap())
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(since.as_micros().try_into().unwrap())
}

async fn enrol(place: &Place, node: &Node, park: &Park) {
    let connection = Connection::open(&node.url()).await.unwrap();
    let mut operator = Signer::new(read_key(&place.operator_key()).unwrap(), "park");
    for command in park.enrolments(&mut operator, &zone(), now()) {
        connection.submit(command).await.unwrap();
    }
}

/// Streams commands, and returns the indices of the receipts, in order, until all are there; or until so many are, where
/// the node is to be killed before it has answered.
async fn stream(node: &Node, commands: Vec<SignedCommand>, until: Option<usize>) -> Vec<u64> {
    let connection = Connection::open(&node.url()).await.unwrap();
    let count = until.unwrap_or(commands.len());
    let mut answers = connection.submit_stream(tokio_stream::iter(commands)).await.unwrap();
    let mut indices = Vec::new();
    while indices.len() < count {
        let answer: Answer = answers.next().await.unwrap().unwrap();
        let Some(Kind::Receipt(receipt)) = answer.kind else { panic!("{answer:?}") };
        indices.push(receipt.leaf_index);
    }
    indices
}

/// Keeps what was acknowledged: at which leaf stands what.
fn keep(acknowledged: &mut BTreeMap<u64, Vec<u8>>, commands: &[SignedCommand], indices: &[u64]) {
    for (index, command) in indices.iter().zip(commands) {
        let other = acknowledged.insert(*index, command.payload.clone());
        assert_eq!(other, None, "leaf {index} was acknowledged twice");
    }
}

fn rss_kib(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn check_memory(node: &Node, acknowledged: &BTreeMap<u64, Vec<u8>>) {
    let leaves = acknowledged.keys().next_back().unwrap() + 1;
    let (rss, most) = (rss_kib(node), RSS_KIB_MAX + leaves * RSS_BYTES_A_LEAF_MAX / 1024);
    assert!(rss <= most, "{rss} KiB for {leaves} leaves, {most} at the most");
}

/// Follows slots, and goes on wherever a stream ends, whatever becomes of the node.
async fn follow(beside: Arc<Beside>, address: SocketAddr) {
    let url = format!("http://{address}");
    let first = u32::try_from(now().0 / 900_000_000).unwrap() + 4;
    let slots: Vec<u32> = (first..first + 64).collect();
    let mut picture = MarketPicture::default();
    while !beside.is_over.load(Ordering::Relaxed) {
        let request = StreamMarketRequest {
            slots: slots.clone(),
            after_tree_size: picture.after_tree_size(),
            ..StreamMarketRequest::default()
        };
        let Ok(connection) = Connection::open(&url).await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let Ok(mut updates) = connection.stream_market(request).await else { continue };
        while let Ok(Some(Ok(update))) = tokio::time::timeout(Duration::from_secs(1), updates.next()).await {
            picture.take(&update).unwrap();
            beside.updates.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads checkpoints and the tape, whatever becomes of the node.
async fn read(beside: Arc<Beside>, address: SocketAddr) {
    let url = format!("http://{address}");
    let mut newest = 0;
    while !beside.is_over.load(Ordering::Relaxed) {
        let Ok(connection) = Connection::open(&url).await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        while let Ok(checkpoint) = connection.checkpoint("").await {
            assert!(checkpoint.tree_size >= newest, "a ledger never shrinks");
            newest = checkpoint.tree_size;
            let _ = connection.tape("", None, 10).await;
            beside.reads.fetch_add(1, Ordering::Relaxed);
            if beside.is_over.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Checks that the auditor finds the ledger intact, and that everything is in it that was acknowledged.
fn check_ledger(place: &Place, acknowledged: &BTreeMap<u64, Vec<u8>>) {
    let ledger = place.data().join("park");
    let audited = node::audit("replay", &ledger);
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
    let verifier = parkwatt::audit::verifier_of(&ledger).unwrap();
    let reader = Reader::open(&journal_dir(&ledger), &verifier, Signatures::Every).unwrap();
    let leaves: Vec<Vec<u8>> = reader.flat_map(|group| group.unwrap().leaves).collect();
    for (index, payload) in acknowledged {
        let leaf = &leaves[usize::try_from(*index).unwrap()];
        let is_there = leaf.windows(payload.len()).any(|part| part == payload);
        assert!(is_there, "leaf {index} is not what was acknowledged");
    }
}
