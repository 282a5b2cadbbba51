//! The prices that support a result: one per zone, the rents of full edges, and the proof.
//!
//! Each zone's price lies between bounds: what trades in the zone must be willing, what does not must have no
//! reason to. Across an edge that carries a flow two zones differ by exactly its charge in that direction,
//! across an idle one by at most the charges; where the edge is full in a direction, by as much more in that
//! direction as they like. Bounds that are carried along the tree, up and then down, are the least and the
//! greatest prices that hold all this; so does every point between them, and, all charges being on the tick,
//! also its rounding down to the tick.
//!
//! Floor and cap bound every price from the start, and always leave some: take any prices that support the
//! result, and move those beyond floor or cap to it. Where something trades or passes nothing moves, because
//! on its way from a limit to a limit a price only rises. Elsewhere two prices come no farther apart, and no
//! order that is left gains, because its limit is within floor and cap, too.
//!
//! The bounds are computed for the doubled problem of [`execution`](super::execution), whose least prices are
//! the proof. Halved and rounded down they are the plain problem's: of an offer's 2 n and a bid's 2 n + 1
//! this leaves n, and it keeps which of two is greater.

use alloc::vec::Vec;

use super::Interest;
use crate::grid::{Edge, Grid};
use crate::{MarketConfig, Price, Side};

/// The least and the greatest price of a zone, in halves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) least: i64,
    pub(super) greatest: i64,
}

/// By how much, in halves, a parent's price lies above its child's: at least and at most, as far as that is
/// bounded.
struct Rise {
    least: Option<i64>,
    greatest: Option<i64>,
}

/// Returns each zone's least and greatest price.
pub(super) fn support(
    config: &MarketConfig,
    grid: &Grid,
    interests: &[Interest],
    exports_wh: &[i64],
) -> Vec<Bounds> {
    let within = Bounds { least: 2 * config.price_floor.0, greatest: 2 * config.price_cap.0 + 1 };
    let mut zones = alloc::vec![within; grid.zone_count()];
    for interest in interests {
        zones[usize::from(interest.zone.0)].narrow_to(interest);
    }
    for edge in grid.edges().iter().rev() {
        let (rise, child) = (rise(edge, exports_wh[edge.zone]), zones[edge.zone]);
        let least = rise.least.map(|rise| child.least + rise);
        zones[edge.parent].narrow(least, rise.greatest.map(|rise| child.greatest + rise));
    }
    for edge in grid.edges() {
        let (rise, parent) = (rise(edge, exports_wh[edge.zone]), zones[edge.parent]);
        let least = rise.greatest.map(|rise| parent.least - rise);
        zones[edge.zone].narrow(least, rise.least.map(|rise| parent.greatest - rise));
    }
    let all_have_prices = zones.iter().all(|bounds| bounds.least <= bounds.greatest);
    assert!(all_have_prices, "a greatest welfare has prices that support it");
    zones
}

/// Returns the zones' prices, at the configured point between the least and the greatest, rounded down to the
/// tick.
pub(super) fn between(config: &MarketConfig, support: &[Bounds]) -> Vec<Price> {
    let (point, tick) = (i64::from(config.auction_point_per_mille), config.tick.0);
    let between = |bounds: &Bounds| {
        let [least, greatest] = [bounds.least, bounds.greatest].map(|halves| halves.div_euclid(2));
        // In thousandths of a price, so that nothing is rounded before the tick.
        let thousandths = least * 1000 + (greatest - least) * point;
        Price(thousandths.div_euclid(tick * 1000) * tick)
    };
    support.iter().map(between).collect()
}

/// Returns by how much the prices at each zone's edge differ more than by its charge.
pub(super) fn rents(grid: &Grid, prices: &[Price]) -> Vec<Price> {
    let rent = |edge: &Edge| {
        let rise = prices[edge.parent].minus(prices[edge.zone]);
        rise.minus(edge.up).max(Price::ZERO.minus(rise).minus(edge.down)).max(Price::ZERO)
    };
    core::iter::once(Price::ZERO).chain(grid.edges().iter().map(rent)).collect()
}

fn rise(edge: &Edge, export_wh: i64) -> Rise {
    let (up, down) = (2 * edge.up.0, -2 * edge.down.0);
    let is_full_up = edge.room(export_wh, true) == 0;
    let is_full_down = edge.room(export_wh, false) == 0;
    Rise {
        least: if export_wh > 0 { Some(up) } else { Some(down).filter(|_| !is_full_down) },
        greatest: if export_wh < 0 { Some(down) } else { Some(up).filter(|_| !is_full_up) },
    }
}

impl Bounds {
    /// Narrows the bounds to the prices at which a level trades as it does.
    fn narrow_to(&mut self, interest: &Interest) {
        let trades = !interest.executed.is_zero();
        let is_left = interest.executed < interest.wanted;
        // A willing seller and a bid that is left hold the price up; a willing buyer and an offer left, down.
        let (price, holds_up, holds_down) = match interest.side {
            Side::Offer => (2 * interest.net.0, trades, is_left),
            Side::Bid => (2 * interest.net.0 + 1, is_left, trades),
        };
        self.narrow(holds_up.then_some(price), holds_down.then_some(price));
    }

    fn narrow(&mut self, least: Option<i64>, greatest: Option<i64>) {
        self.least = least.map_or(self.least, |least| self.least.max(least));
        self.greatest = greatest.map_or(self.greatest, |greatest| self.greatest.min(greatest));
    }
}
