//! What can become of the store as a whole. It follows from the journal, so nothing is ever lost with it.

use std::{fs, path::Path};

use crate::{
    ledger::{Harm, Ledger, copy_dir, dir, files, store},
    opened::{Counts, open},
};

/// Returns whether a store was moved aside, and nothing in it was changed.
fn is_aside(dir: &Path) -> bool {
    dir.join("sled.damaged-1").exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_store_the_market_is_whole() {
    let ledger = Ledger::new().await;
    let strangers = Ledger::new().await;

    let lay = |from: &Path, dir: &Path| {
        fs::remove_dir_all(store(dir)).unwrap();
        copy_dir(from, &store(dir));
    };
    let first_file = |dir: &Path, name: &str| {
        let mut files = files(&store(dir));
        files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
        files.remove(0)
    };
    let mut counts = Counts::default();
    let mut aside = 0;
    let cases: [(&str, Harm); 13] = [
        ("deleted", &|dir| fs::remove_dir_all(store(dir)).unwrap()),
        ("emptied", &|dir| {
            fs::remove_dir_all(store(dir)).unwrap();
            fs::create_dir(store(dir)).unwrap();
        }),
        ("an older copy", &|dir| lay(&store(&crate::ledger::dir(&ledger.older)), dir)),
        ("another market's", &|dir| lay(&store(&strangers.dir()), dir)),
        ("a file in its place", &|dir| {
            fs::remove_dir_all(store(dir)).unwrap();
            fs::write(store(dir), b"no folder").unwrap();
        }),
        ("half a snapshot beside it", &|dir| {
            fs::write(store(dir).join("snap.00000000000000FF.generating"), b"half").unwrap();
        }),
        ("its data missing", &|dir| fs::remove_file(first_file(dir, "db")).unwrap()),
        ("its data emptied", &|dir| fs::write(first_file(dir, "db"), b"").unwrap()),
        ("its data cut", &|dir| {
            let path = first_file(dir, "db");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("its settings missing", &|dir| fs::remove_file(first_file(dir, "conf")).unwrap()),
        ("its settings emptied", &|dir| fs::write(first_file(dir, "conf"), b"").unwrap()),
        ("its snapshot missing", &|dir| fs::remove_file(first_file(dir, "snap.")).unwrap()),
        ("its snapshot cut", &|dir| {
            let path = first_file(dir, "snap.");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (what, harm) in cases {
        let place = ledger.copy();
        harm(&dir(&place));
        let opened = open(&ledger, &place).await;
        assert!(opened.is_whole(), "{what}: {opened:?}");
        aside += u32::from(is_aside(&dir(&place)));
        println!("  the store {what}: {opened:?}");
        counts.count(&opened);
    }
    assert!(counts.print("the store as a whole") > 12);
    println!("  {aside} of them were moved aside");
    assert!(aside > 3 && counts.repaired > aside);
}
