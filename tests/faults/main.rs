//! What can go wrong with a node's files, done to real files, with the real `parkwattd` started on them: it takes
//! no harm, or repairs what can be repaired, or says what is wrong and stays read-only. Never is it silently wrong.
//!
//! Each test prints how many cases it had, and what became of them (`--nocapture` shows it). `PARKWATT_FLIPS` is how
//! many bits are flipped in each file, 20 where it is not set; `PARKWATT_FLIPS=1000` takes some minutes.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod cuts;
mod disk;
mod flips;
mod held;
mod journals;
mod ledger;
#[expect(dead_code, reason = "the tests of the service use the rest")]
#[path = "../service/market.rs"]
mod market;
#[path = "../node/mod.rs"]
mod node;
mod opened;
mod shim;
mod snapshots;
mod stores;
