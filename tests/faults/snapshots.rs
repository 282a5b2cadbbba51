//! What can become of the snapshots. They are a cache, so nothing is lost with them; but what the log's key has signed
//! in one of them, the journal must have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use parkwatt_ledger::snapshots_dir;

use crate::{
    ledger::{Harm, Ledger, copy_dir, dir, files, store},
    opened::{Counts, Opened, last_opening, open},
};

/// Returns the snapshots in a market's folder, the newest first.
fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let mut found = files(&snapshots_dir(dir));
    found.reverse();
    found
}

/// Returns behind how many leaves the last node began that opened a market.
fn began_at(opening: &str) -> u64 {
    let (_, from) = opening.split_once(" from=").unwrap();
    from.split(' ').next().unwrap().parse().unwrap()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_snapshots_the_market_is_whole() {
    let ledger = Ledger::new().await;
    let stranger = Ledger::new().await;
    let leaves = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let [newest, older] = snapshots(&ledger.dir()).iter().map(leaves).collect::<Vec<_>>()[..] else {
        panic!("two snapshots are kept");
    };
    assert!(older > 0 && newest > older && ledger.size() > newest);
    let mut counts = Counts::default();
    let cases: [(&str, u64, Harm); 11] = [
        ("nothing", newest, &|_| ()),
        ("deleted", 0, &|dir| fs::remove_dir_all(snapshots_dir(dir)).unwrap()),
        ("half of a next one", newest, &|dir| {
            fs::write(snapshots_dir(dir).join("next.snap.new"), b"half").unwrap();
        }),
        ("the newest flipped", older, &|dir| flip(&snapshots(dir)[0])),
        ("the newest cut", older, &|dir| {
            let path = &snapshots(dir)[0];
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("the newest emptied", older, &|dir| fs::write(&snapshots(dir)[0], b"").unwrap()),
        ("the newest a folder", older, &|dir| {
            let path = &snapshots(dir)[0];
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("both flipped", 0, &|dir| snapshots(dir).iter().for_each(|path| flip(path))),
        ("the older under the name of a newer", older, &|dir| {
            fs::copy(&snapshots(dir)[1], snapshots_dir(dir).join(format!("{:020}.snap", newest + 1)))
                .unwrap();
        }),
        ("another market's", 0, &|dir| {
            fs::remove_dir_all(snapshots_dir(dir)).unwrap();
            copy_dir(&snapshots_dir(&stranger.dir()), &snapshots_dir(dir));
        }),
        ("an older copy", leaves(&snapshots(&dir(&ledger.older))[0]), &|to| {
            fs::remove_dir_all(snapshots_dir(to)).unwrap();
            copy_dir(&snapshots_dir(&dir(&ledger.older)), &snapshots_dir(to));
        }),
    ];
    for (what, begins_at, harm) in cases {
        let place = ledger.copy();
        harm(&dir(&place));
        let opened = open(&ledger, &place).await;
        assert_eq!(opened, Opened::Whole, "{what}");
        assert_eq!(began_at(&last_opening(&place)), begins_at, "{what}: {}", place.log());
        counts.count(&opened);
    }
    assert_eq!(counts.print("the snapshots as a whole"), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_what_a_snapshot_says_was_signed_has_lost_it() {
    let ledger = Ledger::new().await;
    let half = ledger.half();
    let place = half.copy();
    fs::remove_dir_all(snapshots_dir(&dir(&place))).unwrap();
    copy_dir(&snapshots_dir(&ledger.dir()), &snapshots_dir(&dir(&place)));
    for began in ["with a store", "without a store"] {
        let opened = open(&half, &place).await;
        let lost = "the journal has lost acknowledged leaves: a snapshot's checkpoint is over";
        assert!(!opened.is_whole() && opened.said().contains(lost), "{began}: {opened:?}");
        if store(&dir(&place)).exists() {
            fs::remove_dir_all(store(&dir(&place))).unwrap();
        }
    }

    // Nor is that forgotten where everything is read.
    fs::write(dir(&place).join("unchecked"), "3\n").unwrap();
    let opened = open(&half, &place).await;
    assert!(
        matches!(&opened, Opened::ReadOnly(said) if said.contains("a snapshot's checkpoint")),
        "{opened:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_three_times_is_read_before_anything_else() {
    let ledger = Ledger::new().await;
    for (unfinished, reads_all) in [("1\n", false), ("2\n", false), ("3\n", true), ("?", true)] {
        let place = ledger.copy();
        let unchecked = dir(&place).join("unchecked");
        fs::write(&unchecked, unfinished).unwrap();
        assert_eq!(open(&ledger, &place).await, Opened::Whole);
        assert_eq!(began_at(&last_opening(&place)) == 0, reads_all, "{unfinished:?}");
        assert!(!unchecked.exists(), "it is read by now");
    }
}
