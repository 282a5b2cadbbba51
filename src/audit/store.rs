//! The store, compared with the journal in a process of its own.
//!
//! Knows that a damaged store may crash whoever opens it, and that opening changes it: so it is copied, and
//! the copy is opened by somebody else. Does not know the database.

use std::{
    io,
    os::unix::fs::symlink,
    path::Path,
    process::{self, Command, ExitCode},
    thread,
};

use parkwatt_ledger::{
    CheckpointVerifier, PROBE_AHEAD, PROBE_BEHIND, Store, answer_probe, compare, journal_dir, read_snapshot,
    run_probe,
};

use super::{Audit, folder, verdict::Finding};
use crate::{host::VKEY_FILE, index::index_rows};

/// Compares a ledger's store with its journal, and answers as the program that asked expects; from a snapshot's place
/// on, if one is given and can be read. One who is held by whoever asked ends with him, though he was killed: the next
/// one could not open a store that this one has open.
///
/// The last thing that a process does: a panic in it, on whichever thread, ends it.
pub fn check_store(dir: &Path, snapshot: Option<&Path>, is_held: bool) -> ExitCode {
    if is_held {
        thread::spawn(end_with_input);
    }
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::abort();
    }));
    match verifier_of(dir) {
        Ok(verifier) => {
            let snapshot = snapshot.and_then(|path| read_snapshot(path.to_owned(), &verifier).ok());
            let behind = snapshot.map(|snapshot| snapshot.tree).unwrap_or_default();
            ExitCode::from(answer_probe(&compare(dir, &verifier, &behind, index_rows)))
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Ends this process when its input ends, whose other end is held by who waits for it.
fn end_with_input() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    process::exit(1);
}

/// Returns the verifier of the key that stands beside the journal.
///
/// An auditor who was given the key by another way compares it: whoever can write the folder can write this
/// file.
///
/// # Errors
/// A sentence if the file cannot be read or is no key.
pub fn verifier_of(dir: &Path) -> Result<CheckpointVerifier, String> {
    let path = dir.join(VKEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|problem| {
        format!(
            "{}: {problem}: a ledger has its key beside the journal; name a market's folder, such as parkwatt-data/park",
            path.display()
        )
    })?;
    CheckpointVerifier::from_vkey(text.trim()).map_err(|problem| format!("{}: {problem}", path.display()))
}

/// Checks that the store in `dir` holds exactly what the journal holds, by a copy that `program check-store`
/// opens.
///
/// A store that a killed node left behind the journal is only noted: the node's next start catches it up.
pub(super) fn examine(
    dir: &Path,
    verifier: &CheckpointVerifier,
    program: &Path,
    audit: &mut Audit,
) -> Result<(), Finding> {
    let temporary = std::env::temp_dir();
    let copy = tempfile::Builder::new()
        .prefix("parkwatt-audit-")
        .tempdir_in(&temporary)
        .map_err(Finding::at(&temporary))?;
    folder::copy_store(dir, copy.path())?;
    // The journal is only read, so a link to it does.
    let journal = std::fs::canonicalize(journal_dir(dir)).map_err(Finding::at(dir))?;
    symlink(&journal, journal_dir(copy.path())).map_err(Finding::at(copy.path()))?;
    std::fs::write(copy.path().join(VKEY_FILE), verifier.vkey()).map_err(Finding::at(copy.path()))?;

    let mut probe = Command::new(program);
    let output = run_probe(probe.args(["check-store", "--held"]).arg(copy.path()));
    let output = output.map_err(Finding::at(program))?;
    if output.status.success() {
        return Ok(());
    }
    let store = Store::path(dir);
    let (store, said) = (store.display(), String::from_utf8_lossy(&output.stdout));
    if output.status.code() == Some(PROBE_BEHIND.into()) {
        let said = said.trim();
        audit.notes.push(format!(
            "{store}: {said}; a node that was killed leaves this, and its next start mends it"
        ));
        return Ok(());
    }
    if output.status.code() == Some(PROBE_AHEAD.into()) {
        let said = said.trim();
        return Err(Finding::tampered(format!(
            "{store}: {said}: the journal has lost leaves that were acknowledged; restore it from a copy"
        )));
    }
    Err(Finding::tampered(match said.lines().last().filter(|_| output.status.code().is_some()) {
        Some(said) => format!(
            "{store}: the store is not equal to the journal: {said}. The next start of the node makes it anew from the \
             journal, which alone is the ledger"
        ),
        None => format!(
            "{store}: the store cannot be read: who opened a copy of it ended with {}. The next start of the node \
             makes it anew from the journal, which alone is the ledger",
            output.status
        ),
    }))
}
