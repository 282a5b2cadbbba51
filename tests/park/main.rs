//! The real day of the demo's park, by the engine alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod day;

mod grid;
mod missing_meter;
