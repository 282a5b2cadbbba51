//! The last write of the journal, cut somewhere: before anybody has heard of it, and after.

use std::fs;

use crate::{
    ledger::{BLOCK, Ledger, dir, overwrite, segments, set_len, used},
    opened::{Counts, Opened, open},
};

const SECTOR: usize = 512;
/// A byte of each sector, and some of their borders.
const CUTS: [usize; 14] = [0, 1, 511, 512, 513, 700, 1024, 1535, 1536, 2049, 2560, 3072, 3584, 4095];

/// Returns a group's bytes, and the segment's name and place in which they lie: of the first group behind `half`.
fn next_group(ledger: &Ledger, half: &Ledger) -> (String, u64, Vec<u8>) {
    let segment = half.segments().pop().unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap().to_owned();
    let begin = used(&segment);
    let whole = fs::read(dir(&ledger.place).join("journal").join(&name)).unwrap();
    let at = usize::try_from(begin).unwrap();
    let bytes = whole[at..at + usize::try_from(BLOCK).unwrap()].to_vec();
    assert_eq!(bytes[0], b'G');
    (name, begin, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_has_heard_of_is_dropped_wherever_a_disk_can_cut_it() {
    let ledger = Ledger::new().await;
    let half = ledger.half();
    let (name, begin, group) = next_group(&ledger, &half);
    let mut counts = Counts::default();
    for cut in CUTS {
        // A write that ends somewhere, and one whose beginning is missing.
        for kept in [0..cut, cut..group.len()] {
            let mut torn = vec![0; group.len()];
            torn[kept.clone()].copy_from_slice(&group[kept]);
            let sectors = torn.chunks(SECTOR).zip(group.chunks(SECTOR));
            let is_of_whole_sectors =
                sectors.clone().all(|(torn, whole)| torn == whole || torn == [0; SECTOR]);
            if torn == group {
                continue;
            }
            let place = half.copy();
            overwrite(&dir(&place).join("journal").join(&name), &torn, begin);
            let opened = open(&half, &place).await;
            assert_eq!(opened == Opened::Whole, is_of_whole_sectors, "cut at {cut}: {opened:?}");
            assert!(is_of_whole_sectors || opened.said().contains(&name), "cut at {cut}: {opened:?}");
            counts.count(&opened);
        }
    }
    assert!(counts.print("a write that was cut") > 20);
    assert!(counts.whole > 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_acknowledged_is_missed_wherever_it_is_cut() {
    let ledger = Ledger::new().await;
    let last = ledger.segments().pop().unwrap();
    let begin = used(&last) - BLOCK;
    let mut counts = Counts::default();
    for cut in CUTS {
        for is_shortened in [false, true] {
            let place = ledger.copy();
            let path = segments(&dir(&place)).pop().unwrap();
            let len = fs::metadata(&path).unwrap().len();
            let kept = fs::read(&path).unwrap().len().min(usize::try_from(begin).unwrap() + cut);
            set_len(&path, kept as u64);
            if !is_shortened {
                set_len(&path, len);
            }
            let is_changed = is_shortened || fs::read(&path).unwrap() != fs::read(&last).unwrap();
            let opened = open(&ledger, &place).await;
            assert_eq!(opened.is_whole(), !is_changed, "cut at {cut}: {opened:?}");
            counts.count(&opened);
        }
    }
    assert!(counts.print("an acknowledged group that was cut") == 28);
    assert!(counts.read_only > 20);
}
