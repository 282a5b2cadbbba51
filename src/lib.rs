//! Parkwatt's service: the path of an order, from received bytes to a receipt, and what hosts, shows and
//! audits it.
//!
//! The modules are listed in the order in which an order passes them.

// 1 receive, 2 authenticate, 3 parse.
pub mod authenticate;
pub mod receive;
pub mod wire;
// 4 sequence, 5 apply, 6 append, 7 receipt.
pub mod append;
pub mod apply;
pub mod behind;
pub mod receipt;
pub mod sequence;
pub mod state;
// What stands around the path: every other no, time, what readers see.
pub mod clock;
pub mod index;
pub mod reads;
pub mod recent;
pub mod refusal;
pub mod views;
// How a node lives: its configuration and keys, recovery, start and end.
pub mod config;
pub mod host;
pub mod keys;
pub mod markets;
// How strangers reach it, and operators see how it is.
pub mod admin;
pub mod allowance;
pub mod connections;
pub mod metrics;
pub mod node;
pub mod recovery;
pub mod replay;
pub mod settings;
pub mod tls;
#[cfg(feature = "otel")]
pub mod traces;
pub mod web;
pub mod witnessed;

// Who trusts nobody, and who shows it all.
pub mod audit;
pub mod demo;
pub mod load;

/// The exit code of a node that cannot open its market.
pub const EXIT_CANNOT_OPEN: u8 = 3;
/// The exit code of a node whose journal or store could not be written while it ran.
pub const EXIT_DISK: u8 = 4;
