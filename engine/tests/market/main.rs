//! The market's rules, each as a table of scenarios, and its laws over random histories.

mod laws;
mod random;
mod scenario;
mod words;

use std::collections::BTreeSet;

use parkwatt_engine::Rejection;
use scenario::check;

/// Declares each rule's test, and a list of their files.
macro_rules! rules {
    ($( $name:ident, )+) => {
        const FILES: &[&str] = &[$( include_str!(concat!("rules/", stringify!($name), ".txt")), )+];

        $(
            #[test]
            fn $name() {
                check(include_str!(concat!("rules/", stringify!($name), ".txt")));
            }
        )+
    };
}

rules! {
    r01_participants,
    r02_slots,
    r03_orders,
    r04_grid,
    r05_continuous_matching,
    r06_call_auction,
    r07_own_orders,
    r08_risk,
    r09_cancel,
    r10_readings,
    r11_delivery,
    r12_settlement,
    r14_certificates,
    r15_replay_and_retry,
}

#[test]
fn every_rejection_occurs_in_some_scenario() {
    let occurring: BTreeSet<&str> = FILES.iter().flat_map(|file| check(file)).collect();
    let declared: BTreeSet<&str> = Rejection::CODES.iter().copied().collect();
    assert_eq!(occurring, declared);
}

#[test]
fn the_documented_order_of_checks_is_the_codes_own() {
    let rules = include_str!("../../../docs/market-rules.md");
    let (_, list) = rules.split_once("## The order of checks").expect("the document has this section");
    let documented: Vec<&str> =
        list.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(documented, Rejection::CODES);
}
