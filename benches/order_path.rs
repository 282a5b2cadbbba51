//! What an order costs on its way from received bytes to a receipt, step by step and as a whole.
//!
//! - Processor: steps 2, 3, 5 and 7 by themselves, beside one bare `verify_strict`; the least of many passes.
//!   Excluded
//!   are gRPC, the queue, the journal, the views and the store.
//! - Disk: step 6, the journal, beside bare writes of as many bytes with `fdatasync` in the same folder;
//!   medians.
//!   Excluded is everything before and behind the journal.
//! - Whole: a real node over loopback. One caller who waits for each receipt; and streams, for which the
//!   node's own
//!   processor time is taken, with gRPC, views and store. Excluded are the client's time, TLS and a real
//!   network.
//!
//! Bare and measured alternate, so that both meet the same disk. Where other work keeps all cores busy, a
//! thread may wait a whole tick of the kernel after each sync, and bare and measured are both of the
//! scheduler: look for a quiet machine, or give the bench precedence (`chrt --rr 1 cargo bench --bench
//! order_path`).

mod measure;
mod node;

use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use criterion::Criterion;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use measure::{Budget, Effort, Table, nanos_each, timed};
use node::Node;
use parkwatt::{
    apply::Replica,
    authenticate::authenticate,
    clock::Clock,
    load::{
        disk::Disk,
        park::{self, Park, SCHEDULE_LEN},
    },
    receipt::receipt,
    wire,
};
use parkwatt_engine::{MarketConfig, Request, Timestamp};
use parkwatt_ledger::{CheckpointSigner, JournalOptions, Ledger, OpenError, Origin};
use parkwatt_proto::{COMMAND_TYPE, pre_authentication_encoding, v1};

/// A moment at which a slot's day begins.
const START: Timestamp = Timestamp(1_800_000_000_000_000);
/// How many commands one market takes before a fresh one is founded, outside of what is timed.
const BATCH: u32 = 512;
/// A folder whose files are in memory.
const MEMORY: &str = "/dev/shm";
/// How often the caller and the bare disk take turns.
const TURN: u32 = 20;

fn main() {
    let effort = Effort::from_args();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room on the disk");
    let verify = processor(effort);
    disk_alone(effort, dir.path());
    let runtime = tokio::runtime::Runtime::new().expect("the system starts a few threads");
    runtime.block_on(whole(effort, dir.path(), verify));
}

/// Times steps 2, 3, 5 and 7, and returns how many nanoseconds a bare `verify_strict` takes.
fn processor(effort: Effort) -> f64 {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(effort.pick(500, 100)))
        .measurement_time(Duration::from_secs(effort.pick(6, 1)))
        .sample_size(effort.pick(50, 10))
        .without_plots();
    let config = park::constitution(&operator());
    let mut park = Park::new();
    let orders: Vec<_> = (0..BATCH).map(|_| park.order(START)).collect();
    let schedules: Vec<_> = (0..BATCH / SCHEDULE_LEN).map(|_| park.schedule(START)).collect();
    let bare: Vec<_> = orders.iter().map(verifiable).collect();

    let verify = least(
        &mut criterion,
        "verify_strict",
        BATCH,
        || (),
        |()| {
            for (key, message, signature) in &bare {
                key.verify_strict(message, signature).expect("is signed");
            }
        },
    );
    let admit = |them: &[v1::SignedCommand]| {
        for signed in them {
            black_box(admit(&config, signed));
        }
    };
    let admit_order =
        least(&mut criterion, "order/authenticate_and_parse", BATCH, || (), |()| admit(&orders));
    let apply_order = least(&mut criterion, "order/apply_and_receipt", BATCH, || prepare(&orders), apply);
    let in_schedules = BATCH / SCHEDULE_LEN * SCHEDULE_LEN;
    let admit_schedule =
        least(&mut criterion, "schedule/authenticate_and_parse", in_schedules, || (), |()| admit(&schedules));
    let apply_schedule =
        least(&mut criterion, "schedule/apply_and_receipt", in_schedules, || prepare(&schedules), apply);

    let mut table = Table::new("Processor: an order's steps by themselves", "ns", "x verify_strict");
    let times = |nanos: f64| format!("{:.2}", nanos / verify);
    for (what, nanos, budget) in [
        ("bare verify_strict", verify, None),
        ("single order: authenticate, parse", admit_order, None),
        ("single order: apply, leaves, receipt", apply_order, None),
        (
            "single order: these together",
            admit_order + apply_order,
            Some(within_verify(admit_order + apply_order, verify)),
        ),
        ("schedule of 96, an order: authenticate, parse", admit_schedule, None),
        ("schedule of 96, an order: apply, leaves, receipt", apply_schedule, None),
        (
            "schedule of 96, an order: these together",
            admit_schedule + apply_schedule,
            Some(within_3_us(admit_schedule + apply_schedule)),
        ),
    ] {
        table.row(what, format!("{nanos:.0}"), times(nanos), budget);
    }
    table.print();
    verify
}

/// Lets Criterion measure `run`, which does something `count` times; returns the least nanoseconds that one
/// took.
///
/// What `prepare` does is not timed.
fn least<T>(
    criterion: &mut Criterion,
    name: &str,
    count: u32,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(T),
) -> f64 {
    let mut least = f64::INFINITY;
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut sum = Duration::ZERO;
            for _ in 0..iterations {
                let prepared = prepare();
                let took = timed(|| run(prepared)).0;
                least = least.min(nanos_each(took, count));
                sum += took;
            }
            sum / count
        });
    });
    least
}

fn operator() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

fn verifiable(signed: &v1::SignedCommand) -> (VerifyingKey, Vec<u8>, Signature) {
    let key = signed.public_key.as_slice().try_into().expect("a key has 32 bytes");
    let message = pre_authentication_encoding(COMMAND_TYPE, &signed.payload);
    let signature = Signature::from_slice(&signed.signature).expect("a signature has 64 bytes");
    (VerifyingKey::from_bytes(key).expect("is a key"), message, signature)
}

/// Steps 2 and 3.
fn admit(config: &MarketConfig, signed: &v1::SignedCommand) -> Request {
    let key = authenticate(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature)
        .expect("is signed");
    wire::parse(config, &signed.payload, key).expect("is well-formed")
}

type Prepared = (Replica, Vec<(v1::SignedCommand, Request)>);

/// Returns a market in which everyone is enrolled, and what it will be asked.
fn prepare(commands: &[v1::SignedCommand]) -> Prepared {
    let config = park::constitution(&operator());
    let mut replica = Replica::found(config.clone(), START).expect("the configuration holds").0;
    for signed in Park::new().enrolments(&mut park::signer(operator()), &park::zone(), START) {
        let request = admit(&config, &signed);
        replica.command(Timestamp(replica.last_at().0 + 1), signed, request);
    }
    let asked = |signed: &v1::SignedCommand| (signed.clone(), admit(&config, signed));
    (replica, commands.iter().map(asked).collect())
}

/// Steps 5 and 7.
fn apply((mut replica, asked): Prepared) {
    for (signed, request) in asked {
        let applied = replica.command(Timestamp(replica.last_at().0 + 1), signed, request);
        black_box(receipt(&applied));
    }
}

/// Times step 6 beside a bare disk.
fn disk_alone(effort: Effort, dir: &Path) {
    let mut table = Table::new("Disk: a group becomes durable (median)", "us", "x bare");
    let origin = Origin::new("parkwatt/bench").expect("the name is short");
    let signer = CheckpointSigner::new(origin, operator());
    let open =
        Ledger::open(&dir.join("ledger"), signer, &JournalOptions::default(), |_| Ok::<_, OpenError>(()));
    let mut ledger = open.expect("there is room on the disk");
    for leaves in [1, 500] {
        let group = vec![vec![7; 300]; leaves];
        let mut bare = Disk::new(dir, leaves * 300 + 300);
        let rounds = effort.pick(400, 40);
        let (mut bare_took, mut took) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare_took.push(timed(|| bare.write()).0);
            let leaves = group.clone();
            took.push(timed(|| ledger.append(leaves).expect("there is room on the disk")).0);
        }
        let (bare, ours) = (part(&mut bare_took, 50), part(&mut took, 50));
        let bytes = leaves * 300;
        table.row(&format!("bare write of {bytes} bytes and fdatasync"), micros(bare), "1.00".into(), None);
        table.row(&format!("append, leaves: {leaves}, {bytes} bytes"), micros(ours), ratio(ours, bare), None);
    }
    table.print();
}

/// Hands in one order, and returns how long its receipt took.
async fn order_to_receipt(node: &Node, park: &mut Park) -> Duration {
    let command = park.order(Clock::System.now());
    let begin = Instant::now();
    node.submit(command).await;
    begin.elapsed()
}

/// Times a real node.
async fn whole(effort: Effort, dir: &Path, verify: f64) {
    let data = dir.join("node");
    std::fs::create_dir(&data).expect("there is room on the disk");
    let mut park = Park::new();
    let node = Node::start(&data, &park).await;

    // The same node without a disk: what is left of the way is gRPC, threads and signatures.
    let memory = tempfile::tempdir_in(MEMORY).expect("Linux has a file system in memory");
    let mut in_memory_park = Park::new();
    let in_memory = Node::start(memory.path(), &in_memory_park).await;

    let mut bare = Disk::new(dir, 1);
    let (mut bare_took, mut took) = (Vec::new(), Vec::new());
    let (mut reads_took, mut in_memory_took) = (Vec::new(), Vec::new());
    for _ in 0..effort.pick(50, 5) {
        for _ in 0..TURN {
            took.push(order_to_receipt(&node, &mut park).await);
        }
        for _ in 0..TURN {
            in_memory_took.push(order_to_receipt(&in_memory, &mut in_memory_park).await);
        }
        for _ in 0..TURN {
            let begin = Instant::now();
            node.connection.checkpoint("").await.expect("the node answers");
            reads_took.push(begin.elapsed());
        }
        for _ in 0..TURN {
            bare_took.push(timed(|| bare.write()).0);
        }
    }
    drop(in_memory);
    let mut table = Table::new("Whole: order to durable receipt, one caller, over loopback", "us", "x bare");
    // Where the scheduler decides how long a sync seems to take, the ratio says nothing about the node.
    let is_quiet = part(&mut bare_took, 50) <= 3 * part(&mut bare_took, 0);
    for percent in [50, 99] {
        let (bare, ours) = (part(&mut bare_took, percent), part(&mut took, percent));
        let is_met = ours <= 2 * bare;
        table.row(
            &format!("p{percent}, bare write of 4096 bytes and fdatasync"),
            micros(bare),
            "1.00".into(),
            None,
        );
        let read = part(&mut reads_took, percent);
        table.row(&format!("p{percent}, a read of the checkpoint"), micros(read), ratio(read, bare), None);
        let in_memory = part(&mut in_memory_took, percent);
        let what = format!("p{percent}, order to receipt, the ledger in memory");
        table.row(&what, micros(in_memory), ratio(in_memory, bare), None);
        let budget = Budget { said: "<= 2 x bare".to_owned(), is_met };
        let what = format!("p{percent}, order to receipt");
        table.row(&what, micros(ours), ratio(ours, bare), is_quiet.then_some(budget));
    }
    table.print();
    if !is_quiet {
        println!("  Not judged: this machine is busy, most syncs took far longer than the fastest.");
    }

    let now = Clock::System.now();
    let (orders, schedules) = effort.pick((20_000, 400), (2_000, 40));
    let mut table =
        Table::new("Whole: the node's processor time for an order that is streamed", "ns", "x verify_strict");
    let mut row = |what: &str, took: Duration, orders: u32, budget: fn(f64, f64) -> Budget| {
        let nanos = nanos_each(took, orders);
        table.row(what, format!("{nanos:.0}"), format!("{:.2}", nanos / verify), Some(budget(nanos, verify)));
    };
    let commands = (0..orders).map(|_| park.order(now)).collect();
    let [answered, idle] = node.stream(commands).await;
    row("single order, until its receipt", answered, orders, within_verify);
    row("single order, until the store has it", idle, orders, within_verify);
    let commands = (0..schedules).map(|_| park.schedule(now)).collect();
    let [answered, idle] = node.stream(commands).await;
    row("schedule of 96, an order, until its receipt", answered, schedules * SCHEDULE_LEN, |nanos, _| {
        within_3_us(nanos)
    });
    row("schedule of 96, an order, until the store has it", idle, schedules * SCHEDULE_LEN, |nanos, _| {
        within_3_us(nanos)
    });
    table.print();
}

fn within_verify(nanos: f64, verify: f64) -> Budget {
    Budget { said: "<= 1.5 x".to_owned(), is_met: nanos <= 1.5 * verify }
}

fn within_3_us(nanos: f64) -> Budget {
    Budget { said: "<= 3,000 ns".to_owned(), is_met: nanos <= 3_000.0 }
}

/// Returns what `percent` of the times do not exceed.
fn part(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn micros(took: Duration) -> String {
    format!("{:.0}", took.as_secs_f64() * 1e6)
}

fn ratio(ours: Duration, bare: Duration) -> String {
    format!("{:.2}", ours.as_secs_f64() / bare.as_secs_f64())
}
