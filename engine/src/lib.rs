//! The market as a state machine: the same commands give the same events, on any machine, at any time.
//!
//! Knows orders, prices, the grid, meters and certificates. Does not know clocks, threads, files, networks,
//! keys' mathematics or protobuf: time comes with every command, signatures have been verified before. The
//! rules R1 to R15 that the code cites are those of `docs/market-rules.md`.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

// What comes in, and what goes out.
mod command;
mod event;
mod rejection;
// The words everything is said in.
mod config;
mod money;
mod units;
// Who takes part, and what they own and owe.
mod accounts;
mod participants;
mod payments;
// The machine: what a command does, and what time does.
mod market;
mod slots;
mod tariffs;
// An order's way: it is checked and placed,
mod checks;
mod lane;
mod orders;
// stands in a book,
mod book;
mod placements;
mod standings;
// trades along the grid, as it comes or in the auction,
mod clearing;
mod deals;
mod grid;
mod matching;
// and is changed, or leaves.
mod changes;
// A trade's way: into delivery, money and certificates.
mod certificates;
mod delivery;
mod meters;
mod readings;
mod settled;
mod settlement;
// For the lists that grow with every order; for keeping a machine, and for comparing two.
mod chunks;
mod snapshot;
mod state_hash;

pub use accounts::Accounts;
pub use book::{Met, OpenOrder, Placed, Prepared, StandaloneBook, indicative};
pub use certificates::{CertificatePart, CertificateRecord, Certificates};
pub use clearing::{ClearingError, check_clearing};
pub use command::*;
pub use config::*;
pub use event::*;
pub use market::*;
pub use money::*;
pub use participants::*;
pub use rejection::*;
pub use snapshot::{SNAPSHOT_FORMAT, SnapshotError};
pub use tariffs::*;
pub use units::*;
