//! Random histories of a market: what people ask, in whatever order, while time passes.
//!
//! Histories are short and crowded: few people, small energies, prices few ticks apart, narrow edges, so that
//! ties, full edges, own crossings and refusals are common.

pub mod history;
pub mod holders;
pub mod steps;
