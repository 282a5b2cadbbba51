//! One real node, asked over real sockets: what it answers, what it refuses and how, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod admin;
mod authority;
mod commands;
mod connections;
mod ending;
mod envelopes;
mod executions;
mod following;
mod limits;
mod logs;
#[path = "../machine/mod.rs"]
mod machine;
mod market;
mod markets;
#[path = "../node/mod.rs"]
mod node;
mod orders;
mod pages;
mod proofs;
mod public;
mod retirements;
mod rotation;
mod sessions;
mod settlement;
mod tls;
mod web;
