//! The report: the demo's ledger, its speed, its audit and its files, as lines of text.

use std::{fmt::Write, os::unix::fs::MetadataExt, path::Path, time::Duration};

use super::{desk::Tally, summary::thousands};
use crate::audit::{Audit, Verdict};

/// Returns what the ledger is, how fast it came about, and what the auditor says of it.
///
/// # Errors
/// What the file system said.
pub fn ledger(ledger: &Path, audited: &Audit, tally: &Tally, traded_in: Duration) -> anyhow::Result<String> {
    let figures = &audited.figures;
    let mut text = String::from("Ledger and speed\n");
    let mut row = |name: &str, value: String| line(&mut text, name, &value);
    row("Leaves", format!("{} in {} groups", thousands(figures.leaves), thousands(figures.groups)));
    row("Root", figures.tree_root.clone());
    row("On disk", format!("{} of journal and store", mebibytes(allocated_bytes(ledger)?)));
    row("Orders, readings", format!("{}, {}", thousands(tally.orders), thousands(tally.readings)));
    let commands = thousands(tally.commands);
    row("Commands", format!("{commands} signed and acknowledged in {traded_in:.1?}, everything included"));
    let orders_per_s = u128::from(tally.orders) * 1000 / traded_in.as_millis().max(1);
    row("Orders a second", thousands(u64::try_from(orders_per_s)?));
    for (code, count) in &tally.rejections {
        // ORDER_MUST_BE_OPEN is a sentence's end already.
        row("Refused by a rule", format!("{count}: {}", code.to_lowercase().replace('_', " ")));
    }
    let (seconds, signatures) = (Duration::from_micros(figures.elapsed_us), thousands(figures.signatures));
    let verdict = match audited.verdict {
        Verdict::Intact => format!("INTACT: {signatures} signatures and every leaf, in {seconds:.1?}"),
        other => format!("{other:?}: {}", audited.findings.join("; ")),
    };
    row("Audit by replay", verdict);
    if let Some(replayed) = &audited.replayed {
        row("State hash", replayed.state_hash.clone());
    }
    text.push('\n');
    Ok(text)
}

/// Returns where the files are.
pub fn files(ledger: &Path, keys: &Path) -> String {
    let mut text = String::from("Files\n");
    line(&mut text, "Ledger", &ledger.display().to_string());
    line(&mut text, "Keys of owners", &keys.display().to_string());
    let again = format!("cargo run --release --bin parkwatt-audit -- replay {}", ledger.display());
    line(&mut text, "Audit it again", &again);
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    writeln!(text, "  {name:<34} {value}").expect("text takes text");
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20)
}

/// Returns how much the files below `dir` take on the disk.
fn allocated_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in dir.read_dir()? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { allocated_bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
