//! Snapshots: a market that was written and made again is the same.

use parkwatt_engine::{Market, SNAPSHOT_FORMAT, SnapshotError};

use crate::FILES;
use crate::scenario::check;

/// Returns the market of a market's snapshot, which gives the same bytes again.
pub fn written_and_made_again(market: &Market) -> Market {
    let bytes = market.snapshot();
    let again = Market::of_snapshot(&bytes).expect("it is a snapshot");
    assert_eq!(again.snapshot(), bytes, "what was made again is written as before");
    again
}

#[test]
fn a_market_of_every_scenario_is_the_same_when_made_again() {
    for file in FILES {
        check::<Market>(file, |market| {
            let again = written_and_made_again(market);
            assert_eq!(again.state_hash(), market.state_hash());
            assert_eq!(again.next_due(), market.next_due());
            for slot in market.unsettled_slots() {
                assert_eq!(again.open_orders(slot), market.open_orders(slot));
            }
        });
    }
}

#[test]
fn bytes_that_end_too_early_or_too_late_are_no_snapshot() {
    let mut states = Vec::new();
    check::<Market>(FORM, |market| states.push(market.snapshot()));
    let bytes = states.last().expect("something happens");
    for len in 0..bytes.len() {
        assert_eq!(Market::of_snapshot(&bytes[..len]), Err(SnapshotError), "{len} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Market::of_snapshot(&longer), Err(SnapshotError));
}

/// Something of every kind that a state has.
const FORM: &str = include_str!("snapshots.txt");

/// A snapshot says nothing of its form, so that a changed one would be misread. If this fails because a type of
/// the state has changed, [`SNAPSHOT_FORMAT`] must rise with it; the number beside it is then the one that is
/// found.
#[test]
fn what_is_written_is_what_was_written_in_this_format() {
    let mut written = 0;
    check::<Market>(FORM, |market| written = u64::rotate_left(written, 1) ^ market.state_hash());
    assert_eq!((SNAPSHOT_FORMAT, written), (1, 8_802_049_496_606_655_007));
}
