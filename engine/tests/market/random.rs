//! The laws over random histories: whatever people ask, in whatever order, the market stays sound and
//! repeatable.

use parkwatt_engine::*;
use proptest::prelude::*;

use crate::histories::history::History;
use crate::histories::steps::{self, Emphasis, Step};
use crate::past::Past;
use crate::snapshots::written_and_made_again;

fn happen(market: &MarketConfig, steps: &[Step]) -> Past {
    let mut history = History::begin(market, Past::new(market));
    for step in steps {
        history.take(step);
    }
    history.end();
    history.subject
}

/// Checks what holds of a history that is over: all that was traded was settled, and nothing is reserved.
fn check_end(past: &Past) {
    let (traded, settled) = past.energies();
    assert_eq!(traded, settled, "every trade was settled");
    assert_eq!(past.market.unsettled_slots().count(), 0);
    for id in past.market.participants().ids() {
        assert_eq!(past.market.accounts().reserved(id), Worth::ZERO);
    }
}

/// Checks that the same history on four threads leaves the same behind.
fn check_repeatable(past: &Past) {
    let again = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| past.happen_again(|market| market))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (market, outcomes, events) in again {
        assert_eq!(market.state_hash(), past.market.state_hash());
        assert_eq!(market, past.market);
        assert_eq!((&outcomes, &events), (&past.outcomes, &past.events));
    }
}

/// Checks that a market that is written and made again after every step says all the same.
fn check_snapshots(past: &Past) {
    let (market, outcomes, events) = past.happen_again(|market| written_and_made_again(&market));
    assert_eq!(market.snapshot(), past.market.snapshot());
    assert_eq!((&outcomes, &events), (&past.outcomes, &past.events));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_asked_the_market_stays_sound_and_repeatable(
        (market, steps) in prop_oneof![
            steps::history(Emphasis::Continuous),
            steps::history(Emphasis::Auction)
        ]
    ) {
        let past = happen(&market, &steps);
        check_end(&past);
        check_repeatable(&past);
        check_snapshots(&past);
    }
}
