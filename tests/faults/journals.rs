//! What can become of the journal as a whole. It is the ledger, so what is missing is missed: the market is read-only
//! as far as it can be verified, and says why.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    ledger::{BLOCK, Harm, Ledger, SEGMENT_BYTES, copy_dir, dir, overwrite, segments, set_len, store, used},
    opened::{Counts, Opened, open},
};

/// Returns a segment by its place from the end.
fn from_end(dir: &Path, n: usize) -> PathBuf {
    segments(dir).into_iter().rev().nth(n).unwrap()
}

/// Makes the last blocks of the journal unwritten, each of which is a group.
fn lose_blocks(dir: &Path, blocks: u64) {
    let path = from_end(dir, 0);
    let zeros = vec![0; usize::try_from(blocks * BLOCK).unwrap()];
    overwrite(&path, &zeros, used(&path) - blocks * BLOCK);
}

fn lay_older_journal(ledger: &Ledger, to: &Path) {
    fs::remove_dir_all(to.join("journal")).unwrap();
    copy_dir(&dir(&ledger.older).join("journal"), &to.join("journal"));
}

fn exchange(a: &Path, b: &Path) {
    let (of_a, of_b) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, of_b).unwrap();
    fs::write(b, of_a).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_journal_is_said_and_nothing_is_taken_any_more() {
    let ledger = Ledger::new().await;
    let stranger = Ledger::new().await;
    let mut counts = Counts::default();
    let gone = "the journal is gone";
    let lost = "the journal has lost acknowledged leaves";
    let cut = "bytes long, but was made with";
    let cases: [(&str, &str, Harm); 17] = [
        ("loses its last group", lost, &|dir| lose_blocks(dir, 1)),
        ("loses its last three groups", lost, &|dir| lose_blocks(dir, 3)),
        ("is an older copy", lost, &|dir| lay_older_journal(&ledger, dir)),
        ("is an older copy with a torn group", lost, &|dir| {
            lay_older_journal(&ledger, dir);
            lose_blocks(dir, 1);
        }),
        ("is cut within its last segment", cut, &|dir| {
            set_len(&from_end(dir, 0), 3 * BLOCK);
        }),
        ("is cut within a finished segment", "the segments before it end with", &|dir| {
            let path = from_end(dir, 1);
            set_len(&path, fs::metadata(&path).unwrap().len() - BLOCK);
        }),
        ("has a longer segment", cut, &|dir| set_len(&from_end(dir, 0), 1 << 17)),
        ("misses its first segment", "the segments before it end with 0 leaves", &|dir| {
            fs::remove_file(&segments(dir)[0]).unwrap();
        }),
        ("misses a segment between others", "the segments before it end with", &|dir| {
            fs::remove_file(from_end(dir, 1)).unwrap();
        }),
        ("misses its last segment", lost, &|dir| fs::remove_file(from_end(dir, 0)).unwrap()),
        ("misses all segments", gone, &|dir| {
            for path in segments(dir) {
                fs::remove_file(path).unwrap();
            }
        }),
        ("is gone", gone, &|dir| fs::remove_dir_all(dir.join("journal")).unwrap()),
        ("is gone with its store", gone, &|dir| {
            fs::remove_dir_all(dir.join("journal")).unwrap();
            fs::remove_dir_all(store(dir)).unwrap();
        }),
        ("has only its first segment, without groups", lost, &|dir| {
            for path in &segments(dir)[1..] {
                fs::remove_file(path).unwrap();
            }
            set_len(&segments(dir)[0], BLOCK);
            set_len(&segments(dir)[0], SEGMENT_BYTES);
        }),
        ("has two segments exchanged", "its name says", &|dir| {
            exchange(&from_end(dir, 1), &from_end(dir, 2));
        }),
        ("has a segment under another name", "its name says", &|dir| {
            fs::rename(from_end(dir, 0), dir.join("journal/00000000000000000999.seg")).unwrap();
        }),
        ("has another market's segment", "the journal is signed by the key", &|dir| {
            fs::copy(&stranger.segments()[0], &segments(dir)[0]).unwrap();
        }),
    ];
    for (what, words, harm) in cases {
        let place = ledger.copy();
        harm(&dir(&place));
        let opened = open(&ledger, &place).await;
        println!("  a journal that {what}: {opened:?}");
        assert!(!opened.is_whole(), "a journal that {what}: {opened:?}");
        assert!(opened.said().contains(words), "a journal that {what}: {opened:?} lacks {words:?}");
        counts.count(&opened);
    }
    assert!(counts.print("the journal as a whole") > 15);
    assert!(counts.read_only > 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_is_mended() {
    let ledger = Ledger::new().await;
    let cases: [(&str, Harm); 5] = [
        ("nothing", &|_| ()),
        ("half of a next segment", &|dir| fs::write(dir.join("journal/next.seg.new"), b"half").unwrap()),
        ("a finished segment with zeros at its end", &|dir| set_len(&from_end(dir, 1), SEGMENT_BYTES)),
        ("no verifier key", &|dir| fs::remove_file(dir.join("vkey")).unwrap()),
        ("no lock", &|dir| fs::remove_file(dir.join("LOCK")).unwrap()),
    ];
    for (what, leave) in cases {
        let place = ledger.copy();
        leave(&dir(&place));
        let opened = open(&ledger, &place).await;
        assert_eq!(opened, Opened::Whole, "{what}");
    }
}
