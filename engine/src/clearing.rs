//! Clearing: from a slot's book to one price per zone, its proof, and a list of pairs (R6, R7).
//!
//! Knows levels, queues, prices and the grid; does not know balances, time, or why the book was closed.
//! Keeps: nobody trades beyond his limit; bought energy equals sold energy; no flow exceeds its edge; equal
//! inputs, equal results; no other result has a greater welfare, or the same with a greater volume.
//!
//! Three steps: [`execution`] decides how much of each level trades, [`prices`] finds the prices that support
//! it, and [`pairing`] says who trades with whom. The first two work on the totals of levels, and look at
//! single orders only where time decides between levels; so their cost is that of the prices in the book, not
//! of its orders. The orders are gone through twice, as they lie in the memory: for the totals, and for the pairs. [`proof`] checks a result without knowing how it was found. `clearing/oracle.rs` and
//! `clearing/linear.rs` restate the rule without cleverness, as tests.

mod execution;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod oracle;
mod pairing;
mod prices;
mod proof;
#[cfg(test)]
mod sample;
mod staircase;
#[cfg(test)]
mod tampering;

use alloc::vec::Vec;

use crate::book::{Book, Place};
use crate::grid::Grid;
use crate::{Clearing, Energy, MarketConfig, Pair, Price, Side, Slot, ZoneId};

pub use proof::{ClearingError, check_clearing};

/// What an auction found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// The result, with its proof.
    pub(crate) clearing: Clearing,
    /// Who trades with whom, in order of pairing.
    pub(crate) pairs: Vec<Pair>,
}

/// A level of a zone's book as the auction sees it: at what the zone's price must lie for it to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interest {
    zone: ZoneId,
    side: Side,
    limit: Price,
    /// An offer trades at this zone price or more, a bid at this or less: a bid's limit less base charge and
    /// fee.
    net: Price,
    /// Where its orders stand in the book, and how many there are.
    level: Place,
    orders: u32,
    /// What is wanted.
    wanted: Energy,
    /// What trades of it: of its orders the earliest.
    executed: Energy,
}

/// What an auction finds before it says who trades with whom.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    interests: Vec<Interest>,
    exports_wh: Vec<i64>,
    /// One price per zone; empty where nothing is executed.
    pub(crate) prices: Vec<Price>,
    rents: Vec<Price>,
    proof_halves: Vec<i64>,
}

/// Clears the open orders of one slot.
pub(crate) fn clear(config: &MarketConfig, grid: &Grid, slot: Slot, book: &Book) -> Cleared {
    let Found { interests, exports_wh, prices, rents, proof_halves } = find(config, grid, book);
    let pairing::Pairing { pairs, passed_over, .. } = pairing::pair(grid, book, &interests);
    let energy = pairs.iter().fold(Energy::ZERO, |sum, pair| sum.plus(pair.energy));
    let clearing = Clearing { slot, energy, prices, exports_wh, rents, passed_over, proof_halves };
    Cleared { clearing, pairs }
}

/// Finds how much of each level trades, and at which prices, from the levels' totals.
pub(crate) fn find(config: &MarketConfig, grid: &Grid, book: &Book) -> Found {
    let mut interests = interests(config, grid, book);
    execution::execute(grid, book, &mut interests);
    let exports_wh = exports(grid, &interests);
    let support = prices::support(config, grid, &interests, &exports_wh);
    let proof_halves = support.iter().map(|bounds| bounds.least).collect();
    let (mut prices, mut rents) = (Vec::new(), Vec::new());
    if interests.iter().any(|interest| !interest.executed.is_zero()) {
        prices = prices::between(config, &support);
        rents = prices::rents(grid, &prices);
    }
    Found { interests, exports_wh, prices, rents, proof_halves }
}

/// Returns the book's levels: zone by zone its bids and then its offers, best limit first.
fn interests(config: &MarketConfig, grid: &Grid, book: &Book) -> Vec<Interest> {
    let (totals, mut interests) = (book.totals(), Vec::new());
    for zone in (0..).map(ZoneId).take(grid.zone_count()) {
        let charges = grid.wheeling(zone, zone).plus(config.market_fee);
        for (side, charges) in [(Side::Bid, charges), (Side::Offer, Price::ZERO)] {
            interests.extend(book.levels(zone, side, &totals).map(|level| Interest {
                zone,
                side,
                limit: level.limit,
                net: level.limit.minus(charges),
                level: level.place,
                orders: level.total.orders,
                wanted: level.total.energy,
                executed: Energy::ZERO,
            }));
        }
    }
    interests
}

/// Returns what each zone, with all zones below it, sells more than it buys.
fn exports(grid: &Grid, interests: &[Interest]) -> Vec<i64> {
    let mut exports = alloc::vec![0; grid.zone_count()];
    for interest in interests {
        let energy =
            i64::try_from(interest.executed.0).expect("limits on orders keep a slot's energy below 2^63 Wh");
        exports[usize::from(interest.zone.0)] += match interest.side {
            Side::Offer => energy,
            Side::Bid => -energy,
        };
    }
    for edge in grid.edges().iter().rev() {
        exports[edge.parent] += exports[edge.zone];
    }
    assert_eq!(exports[0], 0, "bought energy equals sold energy");
    exports
}
