//! R6: the prices that support a result, and those that prove it.
//!
//! Each is a least or a greatest list of numbers of which some are at least, some at most so much, and some
//! lie so far apart: what is too low is raised, or what is too high lowered, until nothing changes.

use parkwatt_engine::*;

use super::auction::Interest;
use super::flow::Executed;
use super::grid;

/// What must hold of the zones' prices.
#[derive(Default)]
struct Conditions {
    /// The zone's price is at least this.
    at_least: Vec<(usize, i64)>,
    /// The zone's price is at most this.
    at_most: Vec<(usize, i64)>,
    /// The second zone's price exceeds the first one's by at least this, which may be negative.
    apart: Vec<(usize, usize, i64)>,
}

/// Returns each zone's price: the configured point of its range, rounded down to the tick.
pub fn support(config: &MarketConfig, interests: &[Interest], executed: &Executed) -> Vec<Price> {
    let conditions = Conditions::of(config, interests, executed, 1, |it| it.net.0);
    let zones = config.zones.len();
    let least = conditions.least(vec![config.price_floor.0; zones]);
    let greatest = conditions.greatest(vec![config.price_cap.0; zones]);
    let point = |least: i64, greatest: i64| {
        assert!(least <= greatest, "the best result is supported by some prices");
        let per_mille = i64::from(config.auction_point_per_mille);
        let thousandfold = least * 1000 + (greatest - least) * per_mille;
        Price(thousandfold.div_euclid(config.tick.0 * 1000) * config.tick.0)
    };
    least.into_iter().zip(greatest).map(|(least, greatest)| point(least, greatest)).collect()
}

/// Returns the least prices that support the result if every price and charge is doubled, and one is added to
/// each bid.
pub fn prove(config: &MarketConfig, interests: &[Interest], executed: &Executed) -> Vec<i64> {
    let doubled = |it: &Interest| 2 * it.net.0 + i64::from(it.side == Side::Bid);
    let conditions = Conditions::of(config, interests, executed, 2, doubled);
    let least = conditions.least(vec![2 * config.price_floor.0; config.zones.len()]);
    assert!(least.iter().all(|price| *price <= 2 * config.price_cap.0 + 1), "the proof is within bounds");
    least
}

impl Conditions {
    /// Returns what must hold where charges count `factor` times, and orders as `net` says.
    fn of(
        config: &MarketConfig,
        interests: &[Interest],
        executed: &Executed,
        factor: i64,
        net: impl Fn(&Interest) -> i64,
    ) -> Conditions {
        let mut conditions = Conditions::default();
        for (interest, energy) in interests.iter().zip(&executed.energies) {
            let (trades, is_left) = (*energy > 0, *energy < interest.energy);
            let (holds_up, holds_down) =
                if interest.side == Side::Offer { (trades, is_left) } else { (is_left, trades) };
            if holds_up {
                conditions.at_least.push((interest.zone, net(interest)));
            }
            if holds_down {
                conditions.at_most.push((interest.zone, net(interest)));
            }
        }
        for zone in 1..config.zones.len() {
            for is_up in [true, false] {
                let passage = grid::passage(config, zone, is_up).expect("only the root has no parent");
                let (from, to) = if is_up { (zone, passage.parent) } else { (passage.parent, zone) };
                let (charge, along) = (factor * passage.charge.0, executed.flows.along(&passage));
                // One more Wh could flow: it must not gain.
                if passage.capacity != Some(along) {
                    conditions.apart.push((to, from, -charge));
                }
                // One Wh less could flow: it must have gained.
                if along > 0 {
                    conditions.apart.push((from, to, charge));
                }
            }
        }
        conditions
    }

    fn least(&self, mut prices: Vec<i64>) -> Vec<i64> {
        for (zone, bound) in &self.at_least {
            prices[*zone] = prices[*zone].max(*bound);
        }
        while let Some((low, high, by)) =
            self.apart.iter().find(|(low, high, by)| prices[*high] < prices[*low] + by)
        {
            prices[*high] = prices[*low] + by;
        }
        prices
    }

    fn greatest(&self, mut prices: Vec<i64>) -> Vec<i64> {
        for (zone, bound) in &self.at_most {
            prices[*zone] = prices[*zone].min(*bound);
        }
        while let Some((low, high, by)) =
            self.apart.iter().find(|(low, high, by)| prices[*high] < prices[*low] + by)
        {
            prices[*low] = prices[*high] - by;
        }
        prices
    }
}
