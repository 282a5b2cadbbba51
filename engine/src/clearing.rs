//! Clearing: from a slot's book to one price per zone and a list of pairs (R6).
//!
//! Knows orders, prices and the grid; does not know balances, time, or why the book was closed.
//! Keeps: nobody trades beyond his limit; bought energy equals sold energy; equal inputs, equal results; no
//! other result has a greater welfare, or the same with a greater volume.
//!
//! Three steps: [`execution`] decides how much of each order trades, [`prices`] finds the prices that support
//! it, and [`pairing`] says who trades with whom. `clearing/oracle.rs` restates the rule without cleverness,
//! as a test.

mod execution;
mod pairing;
mod prices;

use alloc::vec::Vec;

use crate::book::OpenOrder;
use crate::grid::Grid;
use crate::{Clearing, Energy, MarketConfig, OrderId, Pair, Price, Side, ZoneId};

/// What an auction found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleared {
    pub(crate) clearing: Clearing,
    pub(crate) pairs: Vec<Pair>,
}

/// An order as the auction sees it: at what its zone's price must lie for it to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interest {
    id: OrderId,
    zone: usize,
    side: Side,
    /// An offer trades at this zone price or more, a bid at this or less: a bid's limit less base charge and
    /// fee.
    net: Price,
    /// What is wanted, in [`execution`]'s input; what trades, in its result.
    energy: Energy,
}

/// Clears the orders of one slot.
pub(crate) fn clear(config: &MarketConfig, grid: &Grid, slot: crate::Slot, book: &crate::book::Book) -> Cleared {
    let orders = book.orders();
    let wanted: Vec<Interest> = orders.iter().map(|order| interest(config, grid, order)).collect();
    let executed = execution::execute(grid, &wanted);
    let exports_wh = exports(grid, &executed);
    if executed.iter().all(|interest| interest.energy.is_zero()) {
        return Cleared { clearing: Clearing { slot, exports_wh, ..Default::default() }, pairs: Vec::new() };
    }
    let prices = prices::support(config, grid, &wanted, &executed, &exports_wh);
    let pairs = pairing::pair(grid, &executed);
    let energy = pairs.iter().fold(Energy::ZERO, |sum, pair| sum.plus(pair.energy));
    Cleared { clearing: Clearing { slot, energy, prices, exports_wh, ..Default::default() }, pairs }
}

fn interest(config: &MarketConfig, grid: &Grid, order: &OpenOrder) -> Interest {
    let ZoneId(zone) = order.zone;
    let net = match order.side {
        Side::Offer => order.limit,
        Side::Bid => order.limit.minus(grid.wheeling(order.zone, order.zone)).minus(config.market_fee),
    };
    Interest { id: order.id, zone: usize::from(zone), side: order.side, net, energy: order.remaining }
}

/// Returns what each zone, with all zones below it, sells more than it buys.
fn exports(grid: &Grid, executed: &[Interest]) -> Vec<i64> {
    let mut exports = alloc::vec![0; grid.zone_count()];
    for interest in executed {
        let energy =
            i64::try_from(interest.energy.0).expect("limits on orders keep a slot's energy below 2^63 Wh");
        exports[interest.zone] += match interest.side {
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
