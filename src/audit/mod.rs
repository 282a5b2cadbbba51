//! The auditor: what can be proved from a ledger's files alone, without trusting who wrote them.
//!
//! Knows the journal, the store and the engine; does not know keys that sign, or networks.
//! [`verify`] checks every frame, hash, checkpoint and signature; [`replay`] also runs the engine over the signed
//! commands and compares every leaf.

mod balances;
mod verdict;
mod verify;

use std::{path::Path, process::ExitCode};

use parkwatt_ledger::{CheckpointVerifier, answer_probe, compare};

pub use balances::Totals;
pub use verdict::Verdict;
pub use verify::{Audit, Depth, Progress, audit};

use crate::{append::index_rows, host::VKEY_FILE};

/// Compares a ledger's store with its journal, and answers as the node that asked expects.
pub fn check_store(dir: &Path) -> ExitCode {
    match verifier_of(dir) {
        Ok(verifier) => answer_probe(&compare(dir, &verifier, index_rows)),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the verifier of the key that stands beside the journal.
///
/// An auditor who was given the key by another way compares it: whoever can write the folder can write this file.
///
/// # Errors
/// A sentence if the file cannot be read or is no key.
pub fn verifier_of(dir: &Path) -> Result<CheckpointVerifier, String> {
    let path = dir.join(VKEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    CheckpointVerifier::from_vkey(text.trim()).map_err(|problem| format!("{}: {problem}", path.display()))
}
