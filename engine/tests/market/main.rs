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
    r15_replay_and_retry,
}

/// Rejections of what is asked of certificates and in no scenario yet.
const CANNOT_OCCUR: &[&str] = &[
    "TRANSFER_MUST_BE_POSITIVE",
    "TRANSFER_MUST_BE_TO_ANOTHER",
    "CERTIFICATES_MUST_BE_TRADABLE",
    "BUNDLE_MUST_REACH_ONE_MWH",
    "CERTIFICATE_MUST_EXIST",
    "CORRECTION_MUST_CONTRADICT_THE_CERTIFICATE",
];

#[test]
fn every_rejection_occurs_in_some_scenario() {
    let occurring: BTreeSet<&str> = FILES.iter().flat_map(|file| check::<Twin>(file, |_| ())).collect();
    let can_occur = Rejection::CODES.iter().filter(|code| !CANNOT_OCCUR.contains(code));
    let declared: BTreeSet<&str> = can_occur.copied().collect();
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
