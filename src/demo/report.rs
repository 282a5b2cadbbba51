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
    // How many groups there are differs from run to run: whatever came while the disk was busy is one.
    let (commands, groups) = (thousands(figures.commands_signed), thousands(figures.groups));
    let seconds = Duration::from_micros(figures.elapsed_us);
    let verdict = match audited.verdict {
        Verdict::Intact => {
            format!(
                "INTACT: {commands} signed commands, {groups} signed groups, every leaf, in {seconds:.1?}"
            )
        }
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
///
/// `program` is the one that runs: one below a folder `target` was built here, and whoever built it may have no auditor
/// yet.
pub fn files(ledger: &Path, keys: &Path, program: &Path) -> String {
    let mut text = String::from("Files\n");
    line(&mut text, "Ledger", &ledger.display().to_string());
    line(&mut text, "Keys of owners", &keys.display().to_string());
    let auditor =
        if is_built_here(program) { "cargo run --release --bin parkwatt-audit --" } else { "parkwatt-audit" };
    line(&mut text, "Audit it again", &format!("{auditor} replay {}", ledger.display()));
    text
}

/// Returns whether a program lies where cargo builds, and is not installed.
pub fn is_built_here(program: &Path) -> bool {
    program.ancestors().any(|folder| folder.ends_with("target"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_is_audited_by_the_installed_auditor() {
        for (program, again) in [
            (
                "/home/ann/parkwatt/target/release/parkwattd",
                "cargo run --release --bin parkwatt-audit -- replay out/park",
            ),
            ("/home/ann/.cargo/bin/parkwattd", "parkwatt-audit replay out/park"),
        ] {
            let said = files(Path::new("out/park"), Path::new("out/keys"), Path::new(program));
            assert!(said.ends_with(&format!("  {again}\n")), "{said}");
        }
    }
}
