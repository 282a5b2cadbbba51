//! A disk that fails, or is full, under a real node: the node ends with a plain message, and nothing that it has
//! acknowledged is lost.

use std::{fs, process::Command};

use parkwatt::{EXIT_CANNOT_OPEN, EXIT_DISK};
use parkwatt_client::Connection;
use parkwatt_proto::v1::{NewOrder, Side, SignedCommand};

use crate::{
    ledger::{copy_dir, dir},
    market::{Market, Person, order, place},
    node::{self, Node, Place},
    opened::last_line,
    shim::Fault,
};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// More orders than any fault waits for.
const ORDERS_MAX: usize = 1_000;

/// A market whose node was stopped, and what it has acknowledged.
struct Stopped {
    place: Place,
    ann: Person,
    acknowledged: Vec<(SignedCommand, u64)>,
}

/// How a node ended.
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Stopped {
    /// Returns a market with one owner and a few orders, whose node has segments of this size.
    async fn new(segment_bytes: u32) -> Stopped {
        let mut market = Market::found_with(&format!("segment_bytes = {segment_bytes}")).await;
        let ann = market.enrol_trader("ann").await;
        market.node.stop();
        let mut stopped = Stopped { place: market.place, ann, acknowledged: Vec::new() };
        let mut node = stopped.place.start();
        stopped.trade(&node, 4).await;
        node.stop();
        stopped
    }

    /// Returns the same in another place.
    fn copy(&self) -> Stopped {
        let place = self.place.another();
        copy_dir(&self.place.data(), &place.data());
        Stopped { place, ann: self.ann.clone(), acknowledged: self.acknowledged.clone() }
    }

    /// Places orders until the node ends, but not more than so many.
    async fn trade(&mut self, node: &Node, orders: usize) {
        let connection = Connection::open(&node.url()).await.unwrap();
        for _ in 0..orders {
            let signed = self.ann.sign(place(&[NewOrder { energy_wh: 1, ..order(Side::Offer) }]));
            match connection.submit(signed.clone()).await {
                Ok(receipt) => self.acknowledged.push((signed, receipt.leaf_index)),
                Err(_) => return,
            }
        }
    }

    /// Trades until the node, which has a disk that fails, ends by itself.
    async fn trade_to_the_end(&mut self, mut node: Node) -> Ended {
        self.trade(&node, ORDERS_MAX).await;
        let code = node.wait().code();
        Ended { code, said: last_line(&self.place) }
    }

    /// Starts a node on a disk that works, and checks that it knows all that was acknowledged, and goes on.
    async fn check_nothing_is_lost(&mut self) {
        let mut node = self.place.start();
        let connection = Connection::open(&node.url()).await.unwrap();
        for (signed, index) in &self.acknowledged {
            let receipt = connection.submit(signed.clone()).await.unwrap();
            assert_eq!((receipt.leaf_index, receipt.repeated_command), (*index, true));
        }
        let before = self.acknowledged.len();
        self.trade(&node, 1).await;
        assert_eq!(self.acknowledged.len(), before + 1);
        assert_eq!(node.stop().code(), Some(0), "{}", self.place.log());
        let audited = node::audit("replay", &dir(&self.place));
        assert_eq!(audited.status.code(), Some(0), "{}", String::from_utf8_lossy(&audited.stdout));
    }
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Opening,
    Running,
}

const fn fault(call: &'static str, nth: u32, error: i32, file: &'static str) -> Fault {
    Fault { call, nth, error, file, short_bytes: 0 }
}

const fn short(nth: u32, file: &'static str, short_bytes: u32) -> Fault {
    Fault { call: "pwrite", nth, error: ENOSPC, file, short_bytes }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_fails_says_so_and_ends_and_nothing_is_lost() {
    let mut acknowledged = 0;
    let cases = [
        // Opening writes the last group again and syncs it, then the folder.
        (When::Opening, fault("pwrite", 1, EIO, ".seg")),
        (When::Opening, fault("fsync", 1, EIO, ".seg")),
        (When::Opening, fault("fsync", 1, EIO, "/journal")),
        (When::Opening, fault("open", 1, ENOSPC, "/LOCK")),
        (When::Opening, fault("write", 1, ENOSPC, "/vkey")),
        // A group is written and synced.
        (When::Running, fault("pwrite", 2, EIO, ".seg")),
        (When::Running, fault("pwrite", 6, ENOSPC, ".seg")),
        (When::Running, short(3, ".seg", 512)),
        (When::Running, short(4, ".seg", 1024)),
        (When::Running, short(5, ".seg", 4096)),
        (When::Running, fault("fdatasync", 1, EIO, ".seg")),
        (When::Running, fault("fdatasync", 5, EIO, ".seg")),
        // The next segment is made.
        (When::Running, fault("open", 1, ENOSPC, "/next.seg.new")),
        (When::Running, fault("pwrite", 1, ENOSPC, "/next.seg.new")),
        (When::Running, short(1, "/next.seg.new", 8192)),
        (When::Running, fault("fdatasync", 1, EIO, "/next.seg.new")),
        (When::Running, fault("fsync", 1, EIO, "/next.seg.new")),
        (When::Running, fault("rename", 1, EIO, "/next.seg.new")),
        (When::Running, fault("fsync", 2, EIO, "/journal")),
        // The finished one is cut off.
        (When::Running, fault("ftruncate", 1, EIO, ".seg")),
        (When::Running, fault("fchmod", 1, EIO, ".seg")),
        (When::Running, fault("fsync", 2, EIO, ".seg")),
    ];
    let begun = Stopped::new(65_536).await;
    for (when, fault) in cases {
        let mut stopped = begun.copy();
        let ended = match stopped.place.try_start_by(&mut fault.command()) {
            Ok(node) => {
                assert_eq!(when, When::Running, "{fault:?}");
                stopped.trade_to_the_end(node).await
            }
            Err(status) => {
                assert_eq!(when, When::Opening, "{fault:?}: {}", stopped.place.log());
                Ended { code: status.code(), said: last_line(&stopped.place) }
            }
        };
        let (code, error) = match (when, fault.error) {
            (When::Opening, error) => (EXIT_CANNOT_OPEN, error),
            (When::Running, error) => (EXIT_DISK, error),
        };
        println!("  {fault:?}: {} acknowledged; {}", stopped.acknowledged.len(), ended.said);
        assert_eq!(ended.code, Some(i32::from(code)), "{fault:?}: {}", ended.said);
        let name = fault.file.trim_start_matches('/');
        assert!(
            ended.said.contains(name) && ended.said.contains(&format!("os error {error}")),
            "{}",
            ended.said
        );
        acknowledged += stopped.acknowledged.len();
        stopped.check_nothing_is_lost().await;
    }
    println!("{} disks failed, {acknowledged} commands were acknowledged, 0 lost", cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_failing_disk_ends_within_a_sector_leaves_the_market_read_only() {
    let mut stopped = Stopped::new(65_536).await;
    let node = stopped.place.try_start_by(&mut short(4, ".seg", 700).command()).unwrap();
    let ended = stopped.trade_to_the_end(node).await;
    assert_eq!(ended.code, Some(i32::from(EXIT_DISK)), "{}", ended.said);

    let mut node = stopped.place.start();
    let connection = Connection::open(&node.url()).await.unwrap();
    let (last, index) = stopped.acknowledged.last().unwrap();
    assert_eq!(
        connection.checkpoint("").await.unwrap().tree_size,
        index + 1,
        "everything acknowledged is shown"
    );
    let refused = connection.submit(last.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("neither unwritten nor as it was written"), "{refused}");
    assert_eq!(node.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_whose_founding_fails_is_founded_by_the_next_start() {
    let cases = [
        fault("open", 1, ENOSPC, "/next.seg.new"),
        fault("pwrite", 1, ENOSPC, "/next.seg.new"),
        fault("fsync", 1, EIO, "/next.seg.new"),
        fault("rename", 1, EIO, "/next.seg.new"),
        fault("pwrite", 1, ENOSPC, ".seg"),
        fault("fdatasync", 1, EIO, ".seg"),
        fault("open", 1, ENOSPC, "/vkey"),
    ];
    for fault in cases {
        let place = Place::new(&[]);
        let status = place.try_start_by(&mut fault.command()).err().unwrap();
        assert_eq!(status.code(), Some(i32::from(EXIT_CANNOT_OPEN)), "{fault:?}: {}", place.log());
        assert!(last_line(&place).contains(&format!("os error {}", fault.error)), "{}", place.log());
        assert_eq!(place.start().stop().code(), Some(0), "{fault:?}: {}", place.log());
    }
    println!("{} disks failed while a market was founded", cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_files_may_not_grow_says_so_and_ends_and_nothing_is_lost() {
    // In blocks of 512 bytes: the journal's segment of 4 MiB is there already, and cannot be written to its end.
    for blocks in ["2200", "2211"] {
        let mut stopped = Stopped::new(4 << 20).await;
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", blocks]);
        let node = stopped.place.try_start_by(&mut limited).ok().unwrap();
        let ended = stopped.trade_to_the_end(node).await;
        println!("files of {blocks} blocks: {} acknowledged; {}", stopped.acknowledged.len(), ended.said);
        assert_eq!(ended.code, Some(i32::from(EXIT_DISK)), "{}", stopped.place.log());
        assert!(ended.said.contains("the node ends here"), "{}", ended.said);
        stopped.check_nothing_is_lost().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_is_full_says_so_and_ends_and_nothing_is_lost() {
    let alone = ["--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let can_mount = Command::new("unshare").args(alone).arg("true").status();
    if !can_mount.is_ok_and(|status| status.success()) {
        println!("no file system of its own may be mounted here: the test of limited files stands for it");
        return;
    }
    for size in ["1500k", "2m"] {
        let mut stopped = Stopped::new(65_536).await;
        let left = stopped.place.another();
        let mut limited = Command::new("unshare");
        limited.args(alone).args(["sh", "-c", SMALL_DISK]);
        limited.args([stopped.place.data().to_str().unwrap(), left.data().to_str().unwrap(), size]);
        let node = stopped.place.try_start_by(&mut limited).ok().unwrap();
        let ended = stopped.trade_to_the_end(node).await;
        println!("a disk of {size}: {} acknowledged; {}", stopped.acknowledged.len(), ended.said);
        assert_eq!(ended.code, Some(i32::from(EXIT_DISK)), "{}", stopped.place.log());
        assert!(ended.said.contains("the node ends here"), "{}", ended.said);
        fs::remove_dir_all(stopped.place.data()).unwrap();
        copy_dir(&left.data(), &stopped.place.data());
        stopped.check_nothing_is_lost().await;
    }
}

/// Runs the rest of the arguments with a small file system at `$0`, which has what was there before, and leaves what
/// is there at the end in `$1`.
const SMALL_DISK: &str = r#"
data="$0" left="$1" size="$2"
shift 2
cp -a "$data/." "$left" && mount -t tmpfs -o "size=$size" tmpfs "$data" && cp -a "$left/." "$data" || exit 99
"$@"
code=$?
rm -rf "$left"/* && cp -a "$data/." "$left"
exit $code
"#;
