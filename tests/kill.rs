//! A node that is killed again and again in the middle of a trading day loses nothing that it has acknowledged, takes
//! nothing twice, and comes to the ledger of a day without any kill.
//!
//! `PARKWATT_KILLS` is how often it is killed, half of the times with snapshots kept and half without; 20 times where it
//! is not set. `PARKWATT_KILLS=200` takes some minutes.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod node;

use std::{
    collections::{BTreeMap, HashSet},
    env, fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use node::{DEMO_ROOT, DEMO_SIZE, Node, Place};
use parkwatt::{
    audit::verifier_of,
    demo::{Desk, Park, Step, Strategy, Tally, begins_at, leaf_digest, node_config, write_keys},
    host::VKEY_FILE,
    keys::NodeKeys,
    replay::Replay,
};
use parkwatt_client::Connection;
use parkwatt_engine::MarketConfig;
use parkwatt_ledger::{Reader, Signatures, Store, Tail, journal_dir};
use parkwatt_proto::v1::{CommandLeaf, Leaf, leaf::Fact};
use prost::Message;
use tokio::task::spawn_blocking;

/// How often the node is killed where nobody says otherwise.
const KILLS_DEFAULT: usize = 20;
/// How many commands are handed in again at the end.
const REPEATED: usize = 500;
/// Segments are short, so that the day needs several and a kill can come between two.
const SEGMENT_BYTES: u64 = 1 << 20;
/// Behind how many leaves a snapshot is kept, where any are.
const SNAPSHOT_LEAVES: u64 = 3_000;
/// How long between two looks at how far the node is.
const LOOK: Duration = Duration::from_millis(1);
/// After how many of them what does not come is said not to.
const LOOKS_MAX: u32 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_with_kills_leaves_the_ledger_of_a_day_without() {
    let kills = kills();
    let without = day_with_kills(kills / 2, None).await;
    assert_eq!((without.leaves.len() as u64, without.root.as_str()), (DEMO_SIZE, DEMO_ROOT));

    let with = day_with_kills(kills - kills / 2, Some(SNAPSHOT_LEAVES)).await;
    let records = with.records();
    println!("{records} states recorded");
    assert_eq!(with.leaves.len() as u64, DEMO_SIZE + records);
    assert!(records >= DEMO_SIZE / (2 * SNAPSHOT_LEAVES), "{records} states recorded");
}

/// Trades a day on a node that is killed so often, and checks that nothing came of it but the ledger, which it
/// returns.
async fn day_with_kills(kills: usize, snapshot_leaves: Option<u64>) -> Recorded {
    let (park, strategy) = (Park::read(None).unwrap(), Strategy { seed: 42 });
    let mut config = node_config(&park, "data".as_ref());
    config.segment_bytes = SEGMENT_BYTES;
    config.snapshot_leaves = snapshot_leaves.unwrap_or(config.snapshot_leaves);
    let begin = jiff::Timestamp::from_microsecond(begins_at(&park).0.try_into().unwrap()).unwrap();
    let args = ["--simulated-from", &begin.to_string()];
    let place = Arc::new(Place::with_config(&toml::to_string(&config).unwrap(), &args));
    write_keys(&park, strategy, &place.data()).unwrap();
    let keys = NodeKeys::open(&place.data()).unwrap();
    let market = config.market.constitution(keys.operator.verifying_key().to_bytes()).unwrap();

    let node = place.start();
    let url = node.url();
    let moments = moments(kills);
    let day_is_over = AtomicBool::new(false);
    let day = async {
        let traded = trade(&park, &market, strategy, &url).await;
        day_is_over.store(true, Ordering::Relaxed);
        traded
    };
    let kills = async { Ok(kill_at(&moments, &day_is_over, place.clone(), node).await) };
    let ended = tokio::try_join!(day, kills);
    let ((tally, state_hash), mut node) =
        ended.unwrap_or_else(|problem| panic!("{problem:#}\n{}", place.log()));
    assert!(tally.reconnections as usize >= moments.len(), "{} reconnections", tally.reconnections);
    assert_eq!(node.stop().code(), Some(0), "{}", place.log());

    let ledger = place.data().join("park");
    let recorded = Recorded::read(&ledger);
    recorded.check_receipts(&tally);
    assert_eq!(recorded.state_hash, state_hash, "the replay's state is the live node's");
    let audited = node::audit("replay", &ledger);
    assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
    let repeated = recorded.check_repeats(&place).await;
    println!(
        "{} kills, {} of them in recovery; {} receipts, all of them true, {repeated} of them given again",
        moments.len() + moments.len() / 3,
        moments.len() / 3,
        tally.receipts.len()
    );
    recorded
}

/// Returns how often nodes are killed altogether.
fn kills() -> usize {
    env::var("PARKWATT_KILLS").map_or(KILLS_DEFAULT, |said| said.parse().unwrap())
}

/// Trades the day, and returns what was handed in, and the hash of the market's state at the end.
async fn trade(
    park: &Park,
    market: &MarketConfig,
    strategy: Strategy,
    url: &str,
) -> anyhow::Result<(Tally, u64)> {
    let mut desk = Desk::open(park, market, strategy, url).await?;
    for (at_seconds, step) in Step::all(park.first_slot, 1) {
        desk.step(at_seconds, step).await?;
    }
    desk.advance_to(desk.now_micros()).await?;
    Ok((desk.tally.clone(), desk.state_hash()))
}

/// Draws how large the ledger is each time that the node is killed.
fn moments(kills: usize) -> Vec<u64> {
    let mut drawn = 42_u64;
    let moment = || {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) % (DEMO_SIZE - DEMO_SIZE / 10)
    };
    let mut moments: Vec<u64> = std::iter::repeat_with(moment).take(kills).collect();
    moments.sort_unstable();
    moments
}

/// Kills the node each time that its ledger is so large and has grown since it was started, and starts it again at the
/// same address.
async fn kill_at(moments: &[u64], day_is_over: &AtomicBool, place: Arc<Place>, mut node: Node) -> Node {
    for (kill, size) in moments.iter().enumerate() {
        let connection = Connection::open(&node.url()).await.unwrap();
        let started_with = connection.checkpoint("").await.unwrap().tree_size;
        while connection.checkpoint("").await.unwrap().tree_size < *size.max(&(started_with + 1)) {
            assert!(!day_is_over.load(Ordering::Relaxed), "the day was over after {kill} kills");
            tokio::time::sleep(LOOK).await;
        }
        let address = node.address;
        let place = place.clone();
        let killed = move || {
            node.kill();
            if kill % 3 == 2 {
                kill_in_recovery(&place, address);
            }
            place.start_at(address)
        };
        node = spawn_blocking(killed).await.unwrap();
    }
    node
}

/// Starts a node, and kills it when it has read its journal and turns to its store.
fn kill_in_recovery(place: &Place, address: SocketAddr) {
    let vkey = place.data().join("park").join(VKEY_FILE);
    fs::remove_file(&vkey).unwrap();
    let mut child = place.spawn_at(address);
    while !vkey.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the node did not start: {}", place.log());
        std::thread::sleep(LOOK);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn who_compares_the_store_ends_with_the_node_that_waits_for_it() {
    let place = Place::new(&[]);
    place.start().stop();
    // Whoever opens the store waits for this file, which nobody ever writes to.
    let blocked = Store::path(&place.data().join("park")).join("db");
    fs::remove_file(&blocked).unwrap();
    assert!(Command::new("mkfifo").arg(&blocked).status().unwrap().success());

    let mut node = place.spawn_at(SocketAddr::from(([127, 0, 0, 1], 0)));
    let is_child = |stat: &ProcessStat| stat.parent == node.id() && !stat.is_over;
    let comparing = await_some(|| processes().into_iter().find(is_child));
    assert!(node.try_wait().unwrap().is_none(), "the node waits for it");
    node.kill().unwrap();
    node.wait().unwrap();
    await_some(|| {
        let is_there = processes().iter().any(|stat| stat.id == comparing.id && !stat.is_over);
        (!is_there).then_some(())
    });
}

/// What the system says of a process.
struct ProcessStat {
    id: u32,
    parent: u32,
    /// It has ended, and nobody has asked how.
    is_over: bool,
}

fn processes() -> Vec<ProcessStat> {
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        // A process may end while it is looked at.
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (id, rest) = (stat.split(' ').next()?.parse().ok()?, stat.rsplit_once(')')?.1);
        let mut words = rest.split_whitespace();
        let is_over = words.next()? == "Z";
        Some(ProcessStat { id, parent: words.next()?.parse().ok()?, is_over })
    });
    stats.collect()
}

/// Looks until there is something.
fn await_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK);
    }
    panic!("it does not come");
}

/// What the journal holds.
struct Recorded {
    leaves: Vec<Vec<u8>>,
    root: String,
    state_hash: u64,
}

impl Recorded {
    /// Reads a whole journal, and replays it.
    fn read(ledger: &Path) -> Recorded {
        let verifier = verifier_of(ledger).unwrap();
        let mut reader = Reader::open(&journal_dir(ledger), &verifier, Signatures::Every).unwrap();
        let leaves: Vec<Vec<u8>> = (&mut reader).flat_map(|group| group.unwrap().leaves).collect();
        let scanned = reader.finish().unwrap();
        assert_eq!(scanned.tail, Tail::Clean);
        assert!(scanned.segments > 2, "{} segments", scanned.segments);
        let mut replay = Replay::default();
        for leaf in &leaves {
            replay.take(leaf).unwrap();
        }
        let replica = replay.finish().unwrap().unwrap();
        Recorded { leaves, root: scanned.tree.root().to_string(), state_hash: replica.market().state_hash() }
    }

    /// Returns how often the market's state was recorded.
    fn records(&self) -> u64 {
        let facts = self.leaves.iter().filter_map(|leaf| Leaf::decode(leaf.as_slice()).unwrap().fact);
        facts.filter(|fact| matches!(fact, Fact::StateRecorded(_))).count() as u64
    }

    /// Checks that each receipt is true, and that nothing is recorded that has none, or twice.
    fn check_receipts(&self, tally: &Tally) {
        let mut commands = HashSet::new();
        let mut recorded = BTreeMap::new();
        for (index, leaf) in (0..).zip(&self.leaves) {
            let leaf = Leaf::decode(leaf.as_slice()).unwrap();
            let Some(Fact::Command(command)) = leaf.fact else { continue };
            let (signed, outcome) = (command.signed.unwrap(), command.outcome.unwrap());
            recorded.insert(index, leaf_digest(&signed, leaf.at_micros, outcome));
            assert!(commands.insert((signed.public_key, signed.payload)), "leaf {index} is there twice");
        }
        let receipts: BTreeMap<u64, [u8; 32]> = tally.receipts.iter().copied().collect();
        assert_eq!(receipts.len(), tally.receipts.len(), "no two commands share a leaf");
        for (index, digest) in &receipts {
            assert_eq!(
                recorded.get(index),
                Some(digest),
                "the receipt of leaf {index} is not what is recorded"
            );
        }
        assert_eq!(recorded.len(), receipts.len(), "every command was acknowledged");
    }

    /// Hands recorded commands in again, and checks that each gets the receipt that it got first. Returns how many.
    async fn check_repeats(&self, place: &Place) -> usize {
        let node = place.start();
        let connection = Connection::open(&node.url()).await.unwrap();
        let mut repeated = 0;
        let commands = (0..).zip(&self.leaves).filter_map(|(index, leaf)| {
            let leaf = Leaf::decode(leaf.as_slice()).unwrap();
            let Some(Fact::Command(command)) = leaf.fact else { return None };
            Some((index, leaf.at_micros, command))
        });
        let commands: Vec<(u64, u64, CommandLeaf)> = commands.collect();
        for (index, at_micros, command) in commands.iter().step_by(commands.len().div_ceil(REPEATED)) {
            let receipt = connection.submit(command.signed.clone().unwrap()).await.unwrap();
            assert!(receipt.repeated_command);
            assert_eq!((receipt.leaf_index, receipt.at_micros), (*index, *at_micros));
            assert_eq!(receipt.outcome, command.outcome, "leaf {index}");
            repeated += 1;
        }
        repeated
    }
}
