//! One flipped bit, anywhere in the files of a market.

use std::{env, fs, path::Path};

use crate::{
    ledger::{Ledger, dir, files},
    opened::{Counts, Opened, open},
};

/// How many bits are flipped in each file where nobody says otherwise.
const FLIPS_DEFAULT: usize = 20;

fn flips() -> usize {
    env::var("PARKWATT_FLIPS").map_or(FLIPS_DEFAULT, |said| said.parse().unwrap())
}

/// Returns the bits to be flipped in a file of `len` bytes: spread over all of it, and over what is not zero.
fn bits(bytes: &[u8]) -> Vec<usize> {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let spread = |len: usize| {
        let count = flips().min(len * 8);
        (0..count).map(move |n| len * 8 / count * n + n * 7 % (len * 8 / count))
    };
    spread(used).chain(spread(bytes.len()).filter(|bit| bit / 8 >= used)).collect()
}

/// Flips bits in each of the files of the market's folder that `is_meant` means, starts the node on each, and checks
/// what it makes of it.
async fn check(what: &str, is_meant: impl Fn(&Path) -> bool, may_be: impl Fn(&str, &Opened) -> bool) {
    let ledger = Ledger::new().await;
    let mut counts = Counts::default();
    let mut files = files(&ledger.dir());
    files.retain(|path| is_meant(path.strip_prefix(ledger.dir()).unwrap()));
    for path in &files {
        let pristine = fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        for bit in bits(&pristine) {
            let place = ledger.copy();
            let mut flipped = pristine.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir(&place).join(path.strip_prefix(ledger.dir()).unwrap()), flipped).unwrap();
            let opened = open(&ledger, &place).await;
            assert!(may_be(name, &opened), "bit {bit} of {}: {opened:?}", path.display());
            counts.count(&opened);
        }
    }
    assert!(counts.print(&format!("bits flipped in {what}, {} files", files.len())) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_journal_is_found_and_its_file_named() {
    check(
        "the journal",
        |path| path.starts_with("journal"),
        |name, opened| !opened.is_whole() && opened.said().contains(name),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_store_is_harmless_or_repaired() {
    check("the store", |path| path.starts_with("sled"), |_, opened| opened.is_whole()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_other_file_is_harmless_or_found() {
    check(
        "the other files",
        |path| !path.starts_with("journal") && !path.starts_with("sled"),
        |name, opened| opened.is_whole() || opened.said().contains(name),
    )
    .await;
}
