//! What a result is worth, and what prices say that no result is worth more than (weak duality).
//!
//! Let any prices be given, and let every order, and every edge, do what is best for it at these prices. What
//! all of them gain together no result can exceed in welfare, because each order and edge of a result gains
//! at most its best, and what they pay each other cancels out. A result whose welfare is exactly that sum is
//! therefore the best one.

use super::{Check, ClearingError, must};
use crate::{OpenOrder, Side, Zone};

/// The two problems of which a result is the best solution.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    /// By what every price and charge is multiplied.
    scale: i128,
    /// What is added to each bid's worth.
    per_bid: i128,
}

/// Welfare alone.
pub(super) const WELFARE: Problem = Problem { scale: 1, per_bid: 0 };
/// Twice the welfare, and the volume: as a Wh's welfare is a whole number, the greatest of this has the
/// greatest welfare, and of those the greatest volume.
pub(super) const VOLUME: Problem = Problem { scale: 2, per_bid: 1 };

impl Check<'_> {
    /// Checks that each edge's rent is what its prices differ by beyond the charge.
    pub(super) fn rents(&self) -> Result<(), ClearingError> {
        for (zone, rent) in self.zone_ids().zip(&self.clearing.rents) {
            let price = |zone: usize| i128::from(self.clearing.prices[zone].0);
            let (up, down) = excess(usize::from(zone.0), self.zone(zone), WELFARE, price);
            let (rent, of_prices) = (*rent, up.max(down));
            let error = ClearingError::RentMustBeThePriceDifference { zone, rent, of_prices };
            must(i128::from(rent.0) == of_prices, error)?;
        }
        Ok(())
    }

    /// Returns what the result is worth.
    pub(super) fn value(&self, problem: Problem) -> i128 {
        let of_orders = self.orders.values().map(|(order, executed)| match order.side {
            Side::Bid => self.worth(problem, order) * executed,
            Side::Offer => -self.worth(problem, order) * executed,
        });
        let of_edges = self.config.zones.iter().zip(&self.clearing.exports_wh).map(|(zone, export)| {
            let charge = if *export > 0 { zone.wheeling_up } else { zone.wheeling_down };
            -problem.scale * i128::from(charge.0) * i128::from(*export).abs()
        });
        of_orders.sum::<i128>() + of_edges.sum::<i128>()
    }

    /// Returns what no result can be worth more than: what orders and edges gain if each does its best at
    /// these prices.
    pub(super) fn bound(
        &self,
        problem: Problem,
        price: impl Fn(usize) -> i128,
    ) -> Result<i128, ClearingError> {
        let mut bound = 0;
        for (order, _) in self.orders.values() {
            let above_price = self.worth(problem, order) - price(usize::from(order.zone.0));
            let gain = if order.side == Side::Bid { above_price } else { -above_price };
            bound += gain.max(0) * i128::from(order.remaining.0);
        }
        for id in self.zone_ids() {
            let zone = self.zone(id);
            let (up, down) = excess(usize::from(id.0), zone, problem, &price);
            for (excess, watts) in [(up, zone.capacity_up_w), (down, zone.capacity_down_w)] {
                let error = ClearingError::EdgeWithoutCapacityMustEarnNothing { zone: id };
                must(excess == 0 || watts.is_some(), error)?;
                bound += excess * watts.map_or(0, |watts| self.capacity_wh(watts));
            }
        }
        Ok(bound)
    }

    /// Returns what a Wh is worth to its buyer, before what his zone's price is, or costs its seller.
    fn worth(&self, problem: Problem, order: &OpenOrder) -> i128 {
        let limit = i128::from(order.limit.0);
        let charges =
            i128::from(self.zone(order.zone).base_wheeling.0) + i128::from(self.config.market_fee.0);
        match order.side {
            Side::Bid => problem.scale * (limit - charges) + problem.per_bid,
            Side::Offer => problem.scale * limit,
        }
    }
}

/// Returns by how much the prices at a zone's edge differ beyond its charge, for a flow up and for one down.
fn excess(number: usize, zone: &Zone, problem: Problem, price: impl Fn(usize) -> i128) -> (i128, i128) {
    let Some(parent) = zone.parent else { return (0, 0) };
    let rise = price(usize::from(parent.0)) - price(number);
    let [up, down] =
        [zone.wheeling_up, zone.wheeling_down].map(|charge| problem.scale * i128::from(charge.0));
    ((rise - up).max(0), (-rise - down).max(0))
}
