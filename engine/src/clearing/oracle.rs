//! The auction's rule without cleverness: every way to execute a few orders is tried, and the best compared;
//! they are paired on plain lists, and Wh by Wh to see what must be passed over.

use alloc::vec::Vec;
use core::cmp::Reverse;

use proptest::prelude::*;

use super::check_clearing;
use super::sample::{Case, TICK, orders, zones};
use crate::{Energy, MarketConfig, Pair, ParticipantId, Side, ZoneId};

/// What a result is worth: welfare, then volume, then how early its orders are. The last is a sum over what
/// trades of every order, weighted by its place in time: any weights that rise with time have the same result
/// as their best.
type Value = (i64, u64, Reverse<u64>);

impl Case {
    pub(super) fn exports(&self, executed: &[u64]) -> Vec<i64> {
        let mut exports = alloc::vec![0; self.config.zones.len()];
        for (order, energy) in self.orders.iter().zip(executed) {
            let energy = i64::try_from(*energy).unwrap();
            exports[usize::from(order.zone.0)] += if order.side == Side::Offer { energy } else { -energy };
        }
        for zone in (1..exports.len()).rev() {
            let parent = usize::from(self.config.zones[zone].parent.unwrap().0);
            exports[parent] += exports[zone];
        }
        exports
    }

    /// Returns what executing so much of each order is worth; nothing where more is bought than sold, or
    /// less, or where it does not fit an edge.
    fn value(&self, executed: &[u64]) -> Option<Value> {
        let exports = self.exports(executed);
        let (mut welfare, mut volume, mut lateness) = (0, 0, 0);
        for ((order, energy), place) in self.orders.iter().zip(executed).zip(1..) {
            let worth = self.net(order) * i64::try_from(*energy).unwrap();
            welfare += if order.side == Side::Bid { worth } else { -worth };
            volume += if order.side == Side::Bid { *energy } else { 0 };
            lateness += place * energy;
        }
        for (zone, export) in self.config.zones.iter().zip(&exports) {
            welfare -= zone.wheeling_up.0 * (*export).max(0) + zone.wheeling_down.0 * (-export).max(0);
            let watts = if *export > 0 { zone.capacity_up_w } else { zone.capacity_down_w };
            if watts.is_some_and(|watts| export.unsigned_abs() > watts / 4) {
                return None;
            }
        }
        (exports[0] == 0).then_some((welfare, volume, Reverse(lateness)))
    }

    /// Returns the greatest value over all ways to execute the orders.
    fn best(&self) -> Value {
        let mut executed = alloc::vec![0; self.orders.len()];
        let mut best = (0, 0, Reverse(0));
        loop {
            best = self.value(&executed).map_or(best, |value| best.max(value));
            // Counts up, each order being a digit from nothing to all of it.
            let Some(next) =
                (0..executed.len()).find(|place| executed[*place] < self.orders[*place].remaining.0)
            else {
                return best;
            };
            executed[next] += 1;
            executed[..next].fill(0);
        }
    }

    /// Returns whether prices leave nobody a reason to trade more or less, and no flow a reason to be
    /// another, where every price and charge counts `scale` times, and a bid's worth has `per_bid` on top.
    pub(super) fn is_supported(&self, executed: &[u64], prices: &[i64], [scale, per_bid]: [i64; 2]) -> bool {
        let price = |zone: ZoneId| prices[usize::from(zone.0)];
        let orders_are_content = self.orders.iter().zip(executed).all(|(order, energy)| {
            let net = scale * self.net(order);
            let gain = match order.side {
                Side::Bid => net + per_bid - price(order.zone),
                Side::Offer => price(order.zone) - net,
            };
            (*energy == 0 || gain >= 0) && (*energy == order.remaining.0 || gain <= 0)
        });
        let exports = self.exports(executed);
        let mut edges = (0..).zip(&self.config.zones).skip(1);
        let edges_are_content = edges.all(|(number, zone)| {
            let rise = price(zone.parent.unwrap()) - price(ZoneId(number));
            let (up, down) = (scale * zone.wheeling_up.0, scale * zone.wheeling_down.0);
            let export = exports[usize::from(number)];
            let is_full = |watts: Option<u64>, flow: i64| {
                let lot = self.config.lot.0;
                watts.is_some_and(|watts| (watts / 4 / lot * lot).cast_signed() == flow)
            };
            (rise <= up || is_full(zone.capacity_up_w, export))
                && (-rise <= down || is_full(zone.capacity_down_w, -export))
                && (rise >= up || export <= 0)
                && (-rise >= down || export >= 0)
        });
        orders_are_content && edges_are_content
    }

    /// Returns the configured point between the least and the greatest of all prices on the tick that support
    /// a result.
    fn point_between(&self, executed: &[u64]) -> Vec<i64> {
        let MarketConfig { price_floor, price_cap, auction_point_per_mille, .. } = self.config;
        let first = alloc::vec![price_floor.0; self.config.zones.len()];
        let all = core::iter::successors(Some(first), |prices| {
            let next = prices.iter().position(|price| *price < price_cap.0)?;
            let mut prices = prices.clone();
            prices[..next].fill(price_floor.0);
            prices[next] += TICK;
            Some(prices)
        });
        let supporting: Vec<Vec<i64>> =
            all.filter(|prices| self.is_supported(executed, prices, [1, 0])).collect();
        let point = |zone: usize| {
            let prices = supporting.iter().map(|prices| prices[zone]);
            let (least, greatest) = (prices.clone().min().unwrap(), prices.max().unwrap());
            least + (greatest - least) / TICK * i64::from(auction_point_per_mille) / 1000 * TICK
        };
        (0..self.config.zones.len()).map(point).collect()
    }

    /// Returns each zone's lists as they meet: best limit first, then in order of arrival, then what is left
    /// of the zones below. `meet` pairs a zone's lists and returns what is left of them.
    fn zone_by_zone(&self, executed: &[u64], mut meet: impl FnMut(Vec<Part>, Vec<Part>) -> [Vec<Part>; 2]) {
        let mut lists = alloc::vec![[Vec::new(), Vec::new()]; self.config.zones.len()];
        let mut by_limit: Vec<usize> = (0..executed.len()).filter(|place| executed[*place] > 0).collect();
        by_limit.sort_by_key(|place| {
            let order = &self.orders[*place];
            if order.side == Side::Bid { -order.limit.0 } else { order.limit.0 }
        });
        for place in by_limit {
            let order = &self.orders[place];
            let list = &mut lists[usize::from(order.zone.0)][usize::from(order.side == Side::Offer)];
            list.push(Part { place, owner: order.owner, energy: executed[place] });
        }
        while let Some([bids, offers]) = lists.pop() {
            let left = meet(bids, offers);
            if let Some(parent) = self.config.zones[lists.len()].parent {
                for (list, left) in lists[usize::from(parent.0)].iter_mut().zip(left) {
                    list.extend(left);
                }
            }
        }
    }

    fn pairs(&self, executed: &[u64]) -> [Vec<Pair>; 2] {
        let (mut pairs, mut passed_over) = (Vec::new(), Vec::new());
        let pair = |bid: &Part, offer: &Part, energy| Pair {
            bid: self.orders[bid.place].id,
            offer: self.orders[offer.place].id,
            energy: Energy(energy),
        };
        self.zone_by_zone(executed, |bids, offers| {
            let (mut met, [bids, offers]) = meet_strangers(bids, offers);
            let exchanged = exchange(&mut met, bids, offers, |bid, offer, energy| {
                passed_over.push(pair(bid, offer, energy));
            });
            pairs.extend(met.iter().map(|(bid, offer, energy)| pair(bid, offer, *energy)));
            exchanged
        });
        [pairs, passed_over]
    }

    /// Returns how many Wh cannot be paired with another owner's, however the zones' pairs are chosen.
    fn unavoidable(&self, executed: &[u64]) -> u64 {
        let mut unavoidable = 0;
        self.zone_by_zone(executed, |bids, offers| {
            let [bid_units, offer_units] = [&bids, &offers].map(|list| units(list));
            let least = bid_units.len().min(offer_units.len());
            unavoidable += least - greatest_matching(&bid_units, &offer_units);
            // Whose Wh go on does not matter further up: nobody there is their owner.
            [bids, offers].map(|list| {
                let mut units: Vec<Part> = list.iter().flat_map(|part| part.split()).collect();
                units.truncate(units.len() - least);
                units
            })
        });
        unavoidable as u64
    }
}

/// What trades of one order, or is left of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    place: usize,
    owner: ParticipantId,
    energy: u64,
}

impl Part {
    fn split(self) -> impl Iterator<Item = Part> {
        (0..self.energy).map(move |_| Part { energy: 1, ..self })
    }
}

fn units(list: &[Part]) -> Vec<ParticipantId> {
    list.iter().flat_map(|part| part.split()).map(|unit| unit.owner).collect()
}

/// Returns how many Wh of bids can be paired with Wh of offers of other owners, by augmenting paths.
fn greatest_matching(bids: &[ParticipantId], offers: &[ParticipantId]) -> usize {
    fn augment(
        bid: usize,
        bids: &[ParticipantId],
        offers: &[ParticipantId],
        state: &mut [(bool, Option<usize>)],
    ) -> bool {
        for offer in 0..offers.len() {
            if bids[bid] != offers[offer] && !core::mem::replace(&mut state[offer].0, true) {
                let holder = state[offer].1;
                if holder.is_none_or(|other| augment(other, bids, offers, state)) {
                    state[offer].1 = Some(bid);
                    return true;
                }
            }
        }
        false
    }
    let mut holders = alloc::vec![(false, None); offers.len()];
    let try_bid = |bid: &usize| {
        for state in &mut holders {
            state.0 = false;
        }
        augment(*bid, bids, offers, &mut holders)
    };
    (0..bids.len()).filter(try_bid).count()
}

type Met = Vec<(Part, Part, u64)>;

/// Pairs each bid with the first offers that are not its owner's.
fn meet_strangers(mut bids: Vec<Part>, mut offers: Vec<Part>) -> (Met, [Vec<Part>; 2]) {
    let mut met = Vec::new();
    for bid in &mut bids {
        for offer in offers.iter_mut().filter(|offer| offer.owner != bid.owner) {
            let energy = bid.energy.min(offer.energy);
            bid.energy -= energy;
            offer.energy -= energy;
            met.push((*bid, *offer, energy));
        }
    }
    met.retain(|(_, _, energy)| *energy > 0);
    (met, [bids, offers].map(with_energy))
}

/// Exchanges what is left of both lists with the pairs of others, and passes over what cannot be.
fn exchange(
    met: &mut Met,
    mut bids: Vec<Part>,
    mut offers: Vec<Part>,
    mut pass_over: impl FnMut(&Part, &Part, u64),
) -> [Vec<Part>; 2] {
    let mut place = 0;
    while !bids.is_empty() && !offers.is_empty() {
        let owner = bids[0].owner;
        assert!(bids.iter().chain(&offers).all(|part| part.owner == owner), "only one owner's are left");
        let free = |(bid, offer, _): &(Part, Part, u64)| bid.owner != owner && offer.owner != owner;
        let found = (place..met.len()).find(|place| free(&met[*place]));
        let (bid, offer) = (bids[0], offers[0]);
        let mut energy = bid.energy.min(offer.energy);
        if let Some(found) = found {
            let (other_bid, other_offer, of_pair) = met[found];
            energy = energy.min(of_pair);
            let exchanged = [
                (bid, other_offer, energy),
                (other_bid, offer, energy),
                (other_bid, other_offer, of_pair - energy),
            ];
            let rest = exchanged.into_iter().filter(|(_, _, energy)| *energy > 0);
            met.splice(found..=found, rest);
            place = found + 2;
        } else {
            pass_over(&bid, &offer, energy);
        }
        bids[0].energy -= energy;
        offers[0].energy -= energy;
        [bids, offers] = [bids, offers].map(with_energy);
    }
    [bids, offers]
}

fn with_energy(list: Vec<Part>) -> Vec<Part> {
    list.into_iter().filter(|part| part.energy > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000, max_global_rejects: 100_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_way_to_execute_the_orders_is_better_than_the_auctions(
        zones in zones(4, 5), orders in orders(7, 2, 3), point in 0..=1000_u32,
    ) {
        let case = Case::new(&zones, &orders, 1, point);
        let cleared = case.clear();
        let executed = case.executed(&cleared);
        prop_assert_eq!(case.value(&executed), Some(case.best()));
        prop_assert_eq!(&cleared.clearing.exports_wh, &case.exports(&executed));
        prop_assert!(case.is_supported(&executed, &cleared.clearing.proof_halves, [2, 1]));
        let prices: Vec<i64> = cleared.clearing.prices.iter().map(|price| price.0).collect();
        prop_assert_eq!(prices.is_empty(), executed.iter().all(|energy| *energy == 0));
        prop_assert!(prices.is_empty() || case.is_supported(&executed, &prices, [1, 0]));
        let trades = case.trades(&cleared);
        prop_assert_eq!(check_clearing(&case.config, &case.orders, &cleared.clearing, &trades), Ok(()));
    }

    #[test]
    fn prices_are_the_point_between_all_that_support_the_result(
        zones in zones(3, 5), orders in orders(7, 2, 3), point in 0..=1000_u32,
    ) {
        let case = Case::new(&zones, &orders, 1, point);
        let cleared = case.clear();
        let prices: Vec<i64> = cleared.clearing.prices.iter().map(|price| price.0).collect();
        prop_assume!(!prices.is_empty());
        prop_assert_eq!(prices, case.point_between(&case.executed(&cleared)));
    }

    #[test]
    fn pairs_are_those_of_plain_lists_and_no_more_is_passed_over_than_must_be(
        zones in zones(3, 8), orders in orders(14, 3, 5),
    ) {
        let case = Case::new(&zones, &orders, 1, 500);
        let cleared = case.clear();
        let executed = case.executed(&cleared);
        let [pairs, passed_over] = case.pairs(&executed);
        prop_assert_eq!(&cleared.pairs, &pairs);
        prop_assert_eq!(&cleared.clearing.passed_over, &passed_over);
        let passed_over: u64 = passed_over.iter().map(|pair| pair.energy.0).sum();
        prop_assert_eq!(passed_over, case.unavoidable(&executed));
        let owner = |id| case.order(id).owner;
        prop_assert!(cleared.pairs.iter().all(|pair| owner(pair.bid) != owner(pair.offer)));
        let trades = case.trades(&cleared);
        prop_assert_eq!(check_clearing(&case.config, &case.orders, &cleared.clearing, &trades), Ok(()));
    }
}
