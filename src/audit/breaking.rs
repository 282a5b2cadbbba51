//! Breaking off: what is said when the auditor itself is stopped by what a ledger holds.
//!
//! The engine's assertions hold whatever honest people send; a hostile node can record what nobody could send. So a
//! crash while a leaf is replayed is an answer about that leaf, and is given as a verdict.

use std::{
    panic::{self, PanicHookInfo},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Audit, verdict::Finding};

/// The leaf that is being replayed; `NONE` while none is.
static REPLAYED: AtomicU64 = AtomicU64::new(NONE);
const NONE: u64 = u64::MAX;

/// Notes which leaf is replayed next.
pub(super) fn replaying(leaf: u64) {
    REPLAYED.store(leaf, Ordering::Relaxed);
}

/// Notes that no leaf is replayed any more.
pub(super) fn replayed() {
    REPLAYED.store(NONE, Ordering::Relaxed);
}

/// Lets every panic from now on end this process with a verdict about `folder`, which is given to `print`.
pub fn end_with_a_verdict(folder: PathBuf, print: impl Fn(&Audit) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |panic| {
        let mut audit = Audit { folder: folder.clone(), ..Audit::default() };
        audit.find(finding(panic));
        print(&audit);
        process::exit(audit.verdict.exit_code().into());
    }));
}

/// Returns what it means that an audit of `folder` ended by the signal of a crash, without a word.
pub fn broken_off(folder: PathBuf, how: &dyn std::fmt::Display) -> Audit {
    let mut audit = Audit { folder, ..Audit::default() };
    audit.find(Finding::unreadable(format!(
        "the process that audits ended with {how}. If memory or disk was short, make room and try again; if not, ask \
         the operator for the ledger on another disk, and report this with a copy of it"
    )));
    audit
}

fn finding(panic: &PanicHookInfo<'_>) -> Finding {
    let said = panic.payload_as_str().unwrap_or("without a word");
    match REPLAYED.load(Ordering::Relaxed) {
        NONE => Finding::unreadable(format!(
            "this program has failed: {said}. This says nothing about the ledger; report it with a copy of it"
        )),
        leaf => Finding::diverged(format!(
            "leaf {leaf}: the engine breaks off here: {said}. No command that a node took can do this: the leaf, or one \
             before it, was not made by the market's rules"
        )),
    }
}
