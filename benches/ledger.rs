//! What the ledger costs: how fast it grows, how fast it proves, and how much it lays on the disk.
//!
//! - Append: a group of leaves becomes durable, with its hashes, its root and its signed checkpoint, beside bare
//!   writes of as many bytes with `fdatasync`, and beside two databases that keep the leaves alone; medians, and all
//!   of them in turns, so that they meet the same disk. Excluded are the store that follows behind, and everything
//!   before the ledger.
//! - Proofs: made from hashes in memory, and from the store; checked. Excluded is the checkpoint's signature.
//! - Disk: bytes for each leaf, of the journal and of the store with all its indices.
//!
//! How fast a ledger is read, verified and replayed is `benches/replay.rs`'s.

mod measure;
mod rivals;

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ed25519_dalek::SigningKey;
use measure::{Effort, Table, nanos_each, timed};
use parkwatt::{
    apply::Replica,
    index::rows_of,
    load::{
        disk::Disk,
        park::{self, Park},
    },
    wire,
};
use parkwatt_engine::Timestamp;
use parkwatt_ledger::{
    CheckpointSigner, Group, Hash, HashReader, JournalOptions, Ledger, OpenError, Origin, Rows, Store, Tree,
    journal_dir, leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
};
use parkwatt_proto::v1;
use rivals::{Sled, Sqlite};

/// What a leaf of a single order takes, about.
const LEAF_BYTES: usize = 300;
/// What a group's checkpoint takes.
const NOTE_BYTES: usize = 200;
/// A moment at which a slot's day begins.
const START: Timestamp = Timestamp(1_800_000_000_000_000);

fn main() {
    let effort = Effort::from_args();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room on the disk");
    append(effort, dir.path());
    proofs(effort, dir.path());
    bytes_on_disk(effort, dir.path());
}

fn signer() -> CheckpointSigner {
    let origin = Origin::new("parkwatt/bench").expect("the name is short");
    CheckpointSigner::new(origin, SigningKey::from_bytes(&[200; 32]))
}

fn open_ledger(dir: &Path) -> Ledger {
    Ledger::open(dir, signer(), &JournalOptions::default(), |_| Ok::<_, OpenError>(()))
        .expect("there is room on the disk")
}

fn fresh(dir: &Path, name: &str) -> PathBuf {
    let made = dir.join(name);
    fs::create_dir(&made).expect("there is room on the disk");
    made
}

/// Times groups of several sizes.
fn append(effort: Effort, dir: &Path) {
    let mut table = Table::new("Append: a group becomes durable (median)", "us, leaves/s", "x bare");
    for leaves in [1, 16, 256, 4096] {
        let group = vec![vec![7; LEAF_BYTES]; leaves];
        let dir = fresh(dir, &format!("append-{leaves}"));
        let mut bare = Disk::new(&dir, leaves * LEAF_BYTES + NOTE_BYTES);
        let mut ledger = open_ledger(&fresh(&dir, "ledger"));
        let sled = Sled::new(&fresh(&dir, "sled"), signer());
        let mut sqlite = Sqlite::new(&dir);
        let rounds = effort.pick(if leaves > 1000 { 60 } else { 300 }, 12);
        let mut took: [Vec<Duration>; 4] = Default::default();
        for _ in 0..rounds {
            took[0].push(timed(|| bare.write()).0);
            let leaves = group.clone();
            took[1].push(timed(|| ledger.append(leaves).expect("the disk takes it")).0);
            let next = sled.group(&group);
            took[2].push(timed(|| sled.append(&next)).0);
            took[3].push(timed(|| sqlite.append(&group)).0);
        }
        let medians = took.map(median);
        let said = [
            "bare write and fdatasync",
            "the ledger",
            "sled, batch and flush",
            "SQLite, WAL, synchronous=FULL",
        ];
        for (what, median) in said.iter().zip(medians) {
            let figure = format!(
                "{:.0}, {:.0}",
                median.as_secs_f64() * 1e6,
                f64::from(u32::try_from(leaves).expect("groups are short")) / median.as_secs_f64()
            );
            let ratio = format!("{:.2}", median.as_secs_f64() / medians[0].as_secs_f64());
            table.row(&format!("{leaves} leaves of {LEAF_BYTES} bytes: {what}"), figure, ratio, None);
        }
    }
    table.print();
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A tree with all its hashes in memory, and its roots of a few sizes.
#[derive(Default)]
struct Memory {
    tree: Tree,
    hashes: Vec<Hash>,
}

impl HashReader for Memory {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::tlog::Error> {
        let hash = |index: &u64| {
            self.hashes[usize::try_from(*index).expect("what is in memory has an index in memory")]
        };
        Ok(indexes.iter().map(hash).collect())
    }
}

/// Times proofs from memory and from the store, at several sizes.
fn proofs(effort: Effort, dir: &Path) {
    let mut table = Table::new("Proofs: each", "ns", "hashes");
    let rounds = effort.pick(20_000, 500);
    for size in effort.pick([1 << 10, 1 << 14, 1 << 18], [1 << 8, 1 << 10, 1 << 12]) {
        let (memory, store, half_root) = log(&fresh(dir, &format!("proofs-{size}")), size);
        let mut drawn = 1_u64;
        let mut places = Vec::new();
        for _ in 0..rounds {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            places.push((drawn >> 33) % size);
        }
        let mut row = |what: &str, hashes: usize, took: Duration| {
            table.row(
                &format!("{size} leaves: {what}"),
                format!("{:.0}", nanos_each(took, rounds)),
                format!(
                    "{:.1}",
                    f64::from(u32::try_from(hashes).expect("proofs are short")) / f64::from(rounds)
                ),
                None,
            );
        };
        let mut made = |what: &str, prove: &dyn Fn(u64) -> Vec<Hash>| {
            let (took, proofs) = timed(|| places.iter().map(|place| prove(*place)).collect::<Vec<_>>());
            row(what, proofs.iter().map(Vec::len).sum(), took);
            proofs
        };
        let proves = "the leaf is in the tree";
        made("inclusion, from the store", &|place| prove_inclusion(&store, size, place).expect(proves));
        let included =
            made("inclusion, from memory", &|place| prove_inclusion(&memory, size, place).expect(proves));
        made("consistency, from the store", &|place| {
            prove_consistency(&store, size, place + 1).expect(proves)
        });
        made("consistency, from memory", &|place| prove_consistency(&memory, size, place + 1).expect(proves));
        let root = memory.tree.root();
        let (took, ()) = timed(|| {
            for (place, proof) in places.iter().zip(&included) {
                verify_inclusion(proof, size, root, *place, leaf_hash(&place.to_le_bytes())).expect(proves);
            }
        });
        row("inclusion, checked", included.iter().map(Vec::len).sum(), took);
        let proof = prove_consistency(&memory, size, size / 2).expect(proves);
        let (took, ()) = timed(|| {
            for _ in 0..rounds {
                verify_consistency(black_box(&proof), size, root, size / 2, half_root).expect(proves);
            }
        });
        row("consistency with its half, checked", proof.len() * places.len(), took);
    }
    table.print();
}

/// Returns a log of `size` leaves in memory and in a store, and the root over the first half.
fn log(dir: &Path, size: u64) -> (Memory, Store, Hash) {
    let store = Store::open(dir).expect("there is room on the disk");
    let mut memory = Memory::default();
    let mut half_root = memory.tree.root();
    let step = size.min(4096) / 2;
    for first_index in (0..size).step_by(usize::try_from(step).expect("a group fits into memory")) {
        let leaves: Vec<Vec<u8>> =
            (first_index..first_index + step).map(|leaf| leaf.to_le_bytes().to_vec()).collect();
        let mut hashes = Vec::new();
        for leaf in &leaves {
            memory.tree.append(leaf_hash(leaf), &mut hashes);
        }
        memory.hashes.extend(&hashes);
        let checkpoint = signer().sign(memory.tree.size(), memory.tree.root());
        let group = Group { first_index, leaves, hashes, checkpoint };
        store.apply(&[group], &Rows::default()).expect("there is room on the disk");
        if memory.tree.size() == size / 2 {
            half_root = memory.tree.root();
        }
    }
    store.flush().expect("there is room on the disk");
    (memory, store, half_root)
}

/// What draws the next command.
type Next = fn(&mut Park, Timestamp) -> v1::SignedCommand;

/// Counts the bytes that leaves take.
fn bytes_on_disk(effort: Effort, dir: &Path) {
    let mut table = Table::new("Disk: bytes for each leaf", "journal, store", "of the leaf itself");
    let mut row = |what: &str, dir: &Path| {
        let ledger = Counted::of(dir);
        let each = |bytes: u64| bytes / ledger.leaves;
        let figure = format!("{}, {}", each(ledger.journal_bytes), each(ledger.store_bytes));
        table.row(
            &format!("{what}: {} leaves", ledger.leaves),
            figure,
            each(ledger.leaf_bytes).to_string(),
            None,
        );
    };
    for (what, count, group_len, next) in [
        ("single orders, one a group", effort.pick(5_000, 200), 1, Park::order as Next),
        ("single orders, 64 a group", effort.pick(20_000, 2_000), 64, Park::order),
        ("schedules of 96, one a group", effort.pick(500, 50), 1, Park::schedule),
        ("schedules of 96, 64 a group", effort.pick(500, 128), 64, Park::schedule),
    ] {
        let dir = fresh(dir, what);
        record(&dir, count, group_len, next);
        row(what, &dir);
    }
    // The demo's day takes longer than a short run may.
    if effort == Effort::Full {
        let out = dir.join("demo");
        let demo = Command::new(env!("CARGO_BIN_EXE_parkwattd")).args(["demo", "--out"]).arg(&out).output();
        assert!(demo.expect("the demo's program was built with this one").status.success());
        row("a real day of a real park", &out.join("park"));
    }
    table.print();
}

/// Records commands of a park in journal and store, `group_len` of them a group.
fn record(dir: &Path, count: usize, group_len: usize, next: Next) {
    let operator = SigningKey::from_bytes(&[200; 32]);
    let mut park = Park::new();
    let mut commands = park.enrolments(&mut park::signer(operator.clone()), &park::zone(), START);
    commands.extend((0..count).map(|_| next(&mut park, START)));
    let market = park::constitution(&operator);
    let (mut replica, genesis) = Replica::found(market, START).expect("the configuration holds");
    let mut ledger = open_ledger(dir);
    let store = Store::open(dir).expect("there is room on the disk");
    let mut keep = |leaves| {
        let group = ledger.append(leaves).expect("there is room on the disk");
        let rows = rows_of(&group);
        store.apply(&[group], &rows).expect("there is room on the disk");
    };
    keep(vec![genesis]);
    for group in commands.chunks(group_len) {
        let leaves = group.iter().flat_map(|signed| {
            let key = signed.public_key.as_slice().try_into().expect("a key has 32 bytes");
            let request =
                wire::parse(replica.market().config(), &signed.payload, key).expect("is well-formed");
            replica.command(Timestamp(replica.last_at().0 + 1), signed.clone(), request).leaves
        });
        keep(leaves.collect());
    }
    store.flush().expect("there is room on the disk");
}

/// What a ledger's files hold.
struct Counted {
    leaves: u64,
    leaf_bytes: u64,
    /// Of the journal what was written; the rest of the last segment is zeros.
    journal_bytes: u64,
    store_bytes: u64,
}

impl Counted {
    fn of(dir: &Path) -> Counted {
        let store = Store::open(dir).expect("the store is whole");
        let (mut leaves, mut leaf_bytes) = (0, 0);
        for leaf in store.leaves(0) {
            leaves += 1;
            leaf_bytes += leaf.expect("the store is whole").1.len() as u64;
        }
        drop(store);
        let written = |path: PathBuf| {
            let bytes = fs::read(path).expect("the journal can be read");
            bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1)
        };
        let journal_bytes = files(&journal_dir(dir)).into_iter().map(written).sum();
        let len = |path: PathBuf| fs::metadata(path).expect("the store can be read").len();
        let store_bytes = files(&Store::path(dir)).into_iter().map(len).sum();
        Counted { leaves, leaf_bytes, journal_bytes, store_bytes }
    }
}

/// Returns the files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}
