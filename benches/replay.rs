//! How fast a ledger is audited and recovered: signed commands, each an order or a schedule of 96, in groups
//! of 64.
//!
//! The audit reads the journal, checks every hash, checkpoint and signature on all cores, runs the engine and
//! compares every leaf; beside it stands the checking of the same commands' signatures alone, on all cores.
//! Excluded is the store: the audit's own figure is of the journal. Files were just written, so that they are
//! read from memory. Recovery is measured in three parts, each with what the one before it does: reading, the
//! engine, the whole node; and then from a snapshot, with one leaf behind it.

mod measure;

use std::{num::NonZero, path::Path, thread, time::Duration};

use ed25519_dalek::SigningKey;
use measure::{Budget, Effort, Table, nanos_each, timed};
use parkwatt::{
    apply::Replica,
    audit::{self, Depth, Outside, Task, Verdict},
    authenticate::authenticate,
    clock::Clock,
    config::NodeConfig,
    host::{self, HostError},
    keys::NodeKeys,
    load::park::{self, Park},
    replay::Replay,
    sequence::Work,
    wire,
};
use parkwatt_engine::Timestamp;
use parkwatt_ledger::{
    CheckpointSigner, JournalOptions, Ledger, Origin, Reader, Signatures, journal_dir, snapshot_path,
};
use parkwatt_proto::{COMMAND_TYPE, v1};

/// A moment at which a slot's day begins.
const START: Timestamp = Timestamp(1_800_000_000_000_000);
/// How many commands are made durable together.
const GROUP_LEN: usize = 64;
/// Checks a store in a process of its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_parkwattd");

fn main() {
    let effort = Effort::from_args();
    let mut audits = Table::new("Audit: commands a second, on all cores", "signatures/s", "audited/s");
    let mut recoveries = Table::new("Recovery: leaves a second", "leaves/s", "leaves");
    for (what, count, next) in [
        (
            "single orders",
            effort.pick(20_000, 2_000),
            Park::order as fn(&mut Park, Timestamp) -> v1::SignedCommand,
        ),
        ("schedules of 96", effort.pick(500, 50), Park::schedule),
    ] {
        let recorded = Recorded::new(count, next);
        let rounds = effort.pick(5, 1);
        recorded.audit(what, rounds, &mut audits);
        recorded.recover(what, rounds, &mut recoveries);
        recorded.resume(what, rounds, &mut recoveries);
    }
    audits.print();
    recoveries.print();
}

/// A ledger, and the commands in it.
struct Recorded {
    data: tempfile::TempDir,
    keys: NodeKeys,
    config: NodeConfig,
    commands: Vec<v1::SignedCommand>,
    leaves: u32,
}

impl Recorded {
    /// Records commands as a node does.
    fn new(count: usize, next: fn(&mut Park, Timestamp) -> v1::SignedCommand) -> Recorded {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room on the disk");
        let operator = SigningKey::from_bytes(&[200; 32]);
        let keys = NodeKeys {
            node: SigningKey::from_bytes(&[201; 32]),
            operator: operator.clone(),
            operator_file: data.path().join("operator.pem"),
        };
        let mut park = Park::new();
        let mut commands = park.enrolments(&mut park::signer(operator.clone()), &park::zone(), START);
        commands.extend((0..count).map(|_| next(&mut park, START)));

        let market = park::constitution(&operator);
        let config = NodeConfig { data: data.path().to_owned(), ..NodeConfig::default() };
        let (mut replica, genesis) = Replica::found(market, START).expect("the configuration holds");
        let mut recorded = Recorded { data, keys, config, commands, leaves: 0 };
        let mut ledger = recorded.open(|_| Ok(()));
        ledger.append(vec![genesis]).expect("there is room on the disk");
        for group in recorded.commands.chunks(GROUP_LEN) {
            let leaves = group.iter().flat_map(|signed| {
                let key = signed.public_key.as_slice().try_into().expect("a key has 32 bytes");
                let request =
                    wire::parse(replica.market().config(), &signed.payload, key).expect("is well-formed");
                let at = Timestamp(replica.last_at().0 + 1);
                replica.command(at, signed.clone(), request).leaves
            });
            ledger.append(leaves.collect()).expect("there is room on the disk");
        }
        recorded.leaves = u32::try_from(ledger.size()).expect("a bench's ledger is short");
        recorded
    }

    fn audit(&self, what: &str, rounds: u32, table: &mut Table) {
        let commands = u32::try_from(self.commands.len()).expect("a bench's ledger is short");
        let bare = least(rounds, || timed(|| verify_all(&self.commands)).0);
        let vkey = self.signer().verifier().vkey().to_owned();
        let dir = self.data.path();
        let task = |depth| Task {
            dir,
            vkey: Some(&vkey),
            depth,
            outside: Outside::default(),
            program: Path::new(PROGRAM),
        };
        let audited = |depth| {
            least(rounds, || {
                let audit = audit::audit(&task(depth), |_| ());
                assert_eq!(audit.verdict, Verdict::Intact, "{:?}", audit.findings);
                Duration::from_micros(audit.figures.elapsed_us)
            })
        };
        for (depth, said) in [(Depth::Verify, "verified"), (Depth::Replay, "replayed")] {
            let took = audited(depth);
            let share = bare.as_secs_f64() / took.as_secs_f64() * 100.0;
            let budget = || Budget { said: ">= 80 %".to_owned(), is_met: share >= 80.0 };
            table.row(
                &format!("{what}, {said}"),
                per_second(commands, bare),
                format!("{} ({share:.0} %)", per_second(commands, took)),
                (depth == Depth::Replay).then(budget),
            );
        }
    }

    fn recover(&self, what: &str, rounds: u32, table: &mut Table) {
        let read = least(rounds, || timed(|| self.read()).0);
        let replayed = least(rounds, || timed(|| self.replay()).0);
        // The first opening builds the store; what is measured are the later ones.
        self.open_node();
        let opened = least(rounds, || timed(|| self.open_node()).0);
        for (took, said) in [
            (read, "journal read, hashes checked"),
            (replayed, "and the engine replayed"),
            (opened, "and views drawn, store compared: a node"),
        ] {
            let rate = 1e9 / nanos_each(took, self.leaves);
            let budget = Budget { said: ">= 1,000,000".to_owned(), is_met: rate >= 1e6 };
            let leaves = format!("{} in {:.3} s", self.leaves, took.as_secs_f64());
            table.row(&format!("{what}: {said}"), per_second(self.leaves, took), leaves, Some(budget));
        }
    }

    /// Opens a node whose snapshot has all that the ledger has, and one more leaf behind it.
    fn resume(&self, what: &str, rounds: u32, table: &mut Table) {
        let config = NodeConfig { snapshot_leaves: 1, ..self.config.clone() };
        let hosted =
            host::open(&config, &config.market, &self.keys, Clock::simulated(START), Path::new(PROGRAM));
        let hosted = hosted.expect("the ledger can be opened");
        let (done, recorded) = tokio::sync::oneshot::channel();
        let queue = hosted.market.door.queue().expect("the market is open");
        queue.put(Work::AdvanceTo { to: START, done }).expect("nothing else is in the queue");
        recorded.blocking_recv().expect("the market goes on");
        hosted.stop();
        let snapshot = snapshot_path(&self.market_dir(), self.leaves.into());
        let bytes = std::fs::metadata(&snapshot).expect("a snapshot was kept").len();

        let opened = least(rounds, || timed(|| self.open_node()).0);
        let size = format!("{} bytes of snapshot a leaf", bytes / u64::from(self.leaves));
        table.row(&format!("{what}: a node, from a snapshot"), per_second(self.leaves, opened), size, None);
    }

    fn read(&self) {
        let journal = journal_dir(&self.market_dir());
        let mut reader =
            Reader::open(&journal, &self.signer().verifier(), Signatures::Last).expect("is a journal");
        assert!(reader.by_ref().all(|group| group.is_ok()), "every group is whole");
        reader.finish().expect("the journal is whole");
    }

    fn replay(&self) {
        let mut replay = Replay::default();
        self.open(|leaf| replay.take(leaf).map(|_| ()).map_err(HostError::from));
        replay.finish().expect("the engine says the same again");
    }

    fn open_node(&self) {
        let hosted = host::open(
            &self.config,
            &self.config.market,
            &self.keys,
            Clock::simulated(START),
            Path::new(PROGRAM),
        );
        hosted.expect("the ledger can be opened").stop();
    }

    fn open(&self, mut each: impl FnMut(&[u8]) -> Result<(), HostError>) -> Ledger {
        let options = JournalOptions { segment_bytes: self.config.segment_bytes };
        let each = |group: parkwatt_ledger::Group| group.leaves.iter().try_for_each(|leaf| each(leaf));
        Ledger::open(&self.market_dir(), self.signer(), &options, each).expect("the ledger can be opened")
    }

    fn market_dir(&self) -> std::path::PathBuf {
        self.data.path().join(&self.config.market.name)
    }

    fn signer(&self) -> CheckpointSigner {
        let origin =
            Origin::new(&format!("parkwatt/{}", self.config.market.name)).expect("a market's name is short");
        CheckpointSigner::new(origin, self.keys.node.clone())
    }
}

/// Checks the commands' signatures on all cores, and nothing else.
fn verify_all(commands: &[v1::SignedCommand]) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for part in commands.chunks(commands.len().div_ceil(cores)) {
            scope.spawn(move || {
                for it in part {
                    authenticate(COMMAND_TYPE, &it.payload, &it.public_key, &it.signature)
                        .expect("it is signed");
                }
            });
        }
    });
}

fn least(rounds: u32, run: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(run).take(rounds as usize).min().expect("there is at least one round")
}

fn per_second(count: u32, took: Duration) -> String {
    format!("{:.0}", f64::from(count) / took.as_secs_f64())
}
