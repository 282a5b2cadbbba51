//! The engine against its naive twin, command by command: whatever is asked, both say the same.
//!
//! The twin restates the rules without cleverness. Histories are short and crowded: few people, small
//! energies, prices few ticks apart, narrow edges, so that ties, full edges, own crossings and refusals are
//! common. `PARKWATT_TWIN_CASES` says how many histories each test lets happen.
#![allow(clippy::unwrap_used, reason = "a test says plainly what it expects")]

#[path = "naive/coverage.rs"]
mod coverage;
#[path = "naive/history.rs"]
mod history;
#[path = "naive/steps.rs"]
mod steps;
mod twin;

use std::cell::RefCell;

use coverage::Coverage;
use history::History;
use proptest::test_runner::{Config, TestRunner};
use steps::Emphasis;

/// Lets random histories happen, and checks that between them everything occurred.
fn compare(emphasis: Emphasis) {
    let cases = std::env::var("PARKWATT_TWIN_CASES").map_or(5_000, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let coverage = RefCell::new(Coverage::default());
    let compared = TestRunner::new(config).run(&steps::history(emphasis), |(market, steps)| {
        let mut history = History::begin(&market);
        for step in &steps {
            history.take(step);
        }
        history.end();
        coverage.borrow_mut().add(&history.coverage);
        Ok(())
    });
    if let Err(difference) = compared {
        panic!("{difference}");
    }
    coverage.borrow().check();
}

#[test]
fn engine_and_twin_agree_on_orders_as_they_come() {
    compare(Emphasis::Continuous);
}

#[test]
fn engine_and_twin_agree_on_auctions_and_settlements() {
    compare(Emphasis::Auction);
}
