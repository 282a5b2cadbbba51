//! The market's rules, each as a table of scenarios, and its laws over random histories.
//!
//! The scenarios run on the engine and on its naive twin, which restates the rules: so the twin is no copy of
//! the engine's mistakes, nor the engine of the twin's.
#![allow(clippy::unwrap_used, reason = "a test says plainly what it expects")]

#[path = "../histories/mod.rs"]
mod histories;
mod laws;
mod past;
mod random;
mod scenario;
mod snapshots;
#[path = "../twin/mod.rs"]
mod twin;
mod words;

use std::collections::BTreeSet;

use parkwatt_engine::{Market, Rejection};
use scenario::check;
use twin::Twin;

/// Declares each rule's tests, and a list of their files.
macro_rules! rules {
    ($( $name:ident, )+) => {
        const FILES: &[&str] = &[$( include_str!(concat!("rules/", stringify!($name), ".txt")), )+];

        mod the_engine_follows {
            use super::*;
            $(
                #[test]
                fn $name() {
                    check::<Market>(include_str!(concat!("rules/", stringify!($name), ".txt")), laws::check);
                }
            )+
        }

        mod the_twin_follows {
            use super::*;
            $(
                #[test]
                fn $name() {
                    check::<Twin>(include_str!(concat!("rules/", stringify!($name), ".txt")), |_| ());
                }
            )+
        }
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
    r09_cancel_and_replace,
    r10_readings,
    r11_delivery,
    r12_settlement,
    r12_payouts,
    r12_tariffs,
    r13_resettlement,
    r14_certificates,
    r14_corrections,
    r14_states,
    r15_replay_and_retry,
}

#[test]
fn every_rejection_occurs_in_some_scenario() {
    let occurring: BTreeSet<&str> = FILES.iter().flat_map(|file| check::<Twin>(file, |_| ())).collect();
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
