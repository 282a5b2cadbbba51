//! The engine against its naive twin, command by command: whatever is asked, both say the same.
//!
//! The twin restates the rules without cleverness. `PARKWATT_TWIN_CASES` says how many histories each test
//! lets happen.
#![allow(clippy::unwrap_used, reason = "a test says plainly what it expects")]

#[path = "naive/coverage.rs"]
mod coverage;
mod histories;
#[path = "naive/pair.rs"]
mod pair;
mod twin;

use std::cell::RefCell;

use coverage::Coverage;
use histories::history::History;
use histories::steps::{self, Emphasis};
use pair::Pair;
use proptest::test_runner::{Config, TestRunner};

/// Lets random histories happen, and checks that between them everything occurred.
fn compare(emphasis: Emphasis) {
    let cases = std::env::var("PARKWATT_TWIN_CASES").map_or(18_000, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let coverage = RefCell::new(Coverage::default());
    let compared = TestRunner::new(config).run(&steps::history(emphasis), |(market, steps)| {
        let mut history = History::begin(&market, Pair::found(&market));
        history.subject.coverage = Coverage::default();
        for step in &steps {
            history.take(step);
        }
        history.end();
        history.subject.compare_ends();
        coverage.borrow_mut().add(&history.subject.coverage);
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
