//! Which orders that rest could trade now, if those they cross came before them (R5, R7).
//!
//! Knows a book, the grid and the flows; changes nothing. Keeps: whoever could trade is found; an order that
//! only its owner's own ones suit, or only such as the grid keeps from it, costs one look and not one at each
//! of those, because a book can hold any number of both.

use alloc::vec::Vec;

use super::{Best, Book, FAR, Handle, NONE, number_of, unpack};
use crate::grid::{Flows, Grid};
use crate::{OrderId, Side, ZoneId};

/// The orders that could trade.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// In order of arrival.
    pub(crate) orders: Vec<(OrderId, Handle)>,
    /// Whether there are any that both limits allow to trade, and only the grid does not.
    pub(crate) is_blocked: bool,
}

/// The effective ranks of what one zone's orders of one side could trade with.
struct Reachable {
    /// The best of other zones, as far as the grid carries it.
    abroad: i64,
    /// The best of the own zone.
    home: i64,
    /// Whose that is.
    owner: u32,
    /// The best of the own zone that is not his.
    home_of_others: i64,
}

impl Book {
    /// Returns the orders that could trade where trades flow as `flows` says.
    pub(crate) fn crossing(&self, grid: &Grid, flows: &Flows) -> Crossing {
        let mut crossing = Crossing { orders: Vec::new(), is_blocked: false };
        for side in [Side::Bid, Side::Offer] {
            for zone in (0..).map(ZoneId).take(self.zones) {
                let number = number_of(side, zone);
                if self.fronts[number].best.head == NONE {
                    continue;
                }
                let reachable = self.reachable(grid, flows, side, zone, &mut crossing.is_blocked);
                let worst = -reachable.abroad.min(reachable.home);
                let keys = self.fronts[number].ladder.keys(&self.pages);
                for key in keys.take_while(|key| self.scale.rank(side, *key) <= worst) {
                    let rank = self.scale.rank(side, key);
                    let could_trade =
                        self.linked(number, key).filter(|(_, it)| reachable.by(it.owner) <= -rank);
                    crossing.orders.extend(could_trade.map(|(handle, it)| (unpack(it.id), handle)));
                }
            }
        }
        crossing.orders.sort_unstable_by_key(|(id, _)| *id);
        crossing
    }

    /// Returns what one zone's orders of `side` could trade with, as far as its best one would.
    fn reachable(
        &self,
        grid: &Grid,
        flows: &Flows,
        side: Side,
        zone: ZoneId,
        is_blocked: &mut bool,
    ) -> Reachable {
        let limit = -self.fronts[number_of(side, zone)].best.rank;
        let (mut abroad, ways) = (FAR, grid.ways(side, zone));
        let others = (0..).map(ZoneId).zip(self.bests(side.opposite())).zip(ways);
        for ((other, best), way) in others.filter(|((other, _), _)| *other != zone) {
            let effective = best.rank + way.0;
            if effective > limit {
                continue;
            }
            if grid.room_between(flows, side, zone, other).is_zero() {
                *is_blocked = true;
            } else {
                abroad = abroad.min(effective);
            }
        }
        let (number, way) = (number_of(side.opposite(), zone), ways[usize::from(zone.0)].0);
        let Best { rank, head, .. } = self.fronts[number].best;
        let (home, owner) = (rank + way, self.entries.get(head as usize).map_or(NONE, |best| best.owner));
        let keys = self.fronts[number].ladder.keys(&self.pages);
        let home_of_others = keys
            .map(|key| (key, self.scale.rank(side.opposite(), key) + way))
            .take_while(|(_, effective)| *effective <= limit)
            .find(|(key, _)| self.linked(number, *key).any(|(_, it)| it.owner != owner))
            .map_or(FAR, |(_, effective)| effective);
        Reachable { abroad, home, owner, home_of_others }
    }
}

impl Reachable {
    /// Returns the best effective rank that an owner's orders could trade with.
    fn by(&self, owner: u32) -> i64 {
        self.abroad.min(if owner == self.owner { self.home_of_others } else { self.home })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::OpenOrder;
    use crate::{Energy, LeafIndex, MarketConfig, ParticipantId, Price, TariffBand, Timeline, Zone};
    use alloc::string::String;
    use alloc::vec;

    /// A park, and behind an edge that carries this much up a farm; nothing is charged.
    fn config(capacity_up_w: Option<u64>) -> MarketConfig {
        let zone = |name: &str, parent, capacity_up_w| Zone {
            name: String::from(name),
            parent,
            base_wheeling: Price::ZERO,
            wheeling_up: Price::ZERO,
            wheeling_down: Price::ZERO,
            capacity_up_w,
            capacity_down_w: None,
        };
        MarketConfig {
            name: String::from("test"),
            currency: String::from("CNY"),
            operator_key: [0; 32],
            zones: vec![zone("park", None, None), zone("farm", Some(ZoneId(0)), capacity_up_w)],
            tick: Price(100),
            price_floor: Price(0),
            price_cap: Price(1_000_000),
            lot: Energy(1),
            order_energy_max: Energy(1000),
            schedule_len_max: 10,
            participants_max: 10,
            open_orders_max: 100,
            corrections_max: 10,
            timeline: Timeline {
                opens_before_s: 3600,
                uncross_before_s: 1800,
                gate_before_s: 900,
                settle_after_s: 900,
                final_after_s: 1800,
            },
            auction_point_per_mille: 500,
            market_fee: Price::ZERO,
            deviation_per_mille: 100,
            tariff_version: 1,
            tariffs: vec![TariffBand { from_quarter: 0, retail: Price(800_000), feed_in: Price(300_000) }],
        }
    }

    /// Checks which of four orders could trade: in a park, and behind a farm's edge that carries this much up.
    fn check(capacity_up_w: u64, orders: [(u32, u16, Side, i64); 4], could: &[u64], is_blocked: bool) {
        let config = config(Some(capacity_up_w));
        let (grid, mut book) = (Grid::new(&config), Book::new(&config, &Grid::new(&config)));
        for (index, (owner, zone, side, ticks)) in (0..).zip(orders) {
            book.gather(&OpenOrder {
                id: OrderId { index: LeafIndex(index), position: 0 },
                owner: ParticipantId(owner),
                zone: ZoneId(zone),
                side,
                limit: Price(ticks * config.tick.0),
                remaining: Energy(1),
            });
        }
        let crossing = book.crossing(&grid, &grid.no_flows());
        let found: Vec<u64> = crossing.orders.iter().map(|(id, _)| id.index.0).collect();
        assert_eq!((found.as_slice(), crossing.is_blocked), (could, is_blocked));
    }

    #[test]
    fn own_orders_and_such_that_the_grid_keeps_apart_could_not_trade() {
        use Side::{Bid, Offer};
        let own = [(1, 0, Bid, 5), (1, 0, Offer, 2), (1, 0, Bid, 4), (1, 0, Offer, 3)];
        check(4, own, &[], false);
        // A stranger's offer behind an owner's own, and then one behind his bid's limit.
        check(4, [own[0], own[1], own[2], (2, 0, Offer, 4)], &[0, 2, 3], false);
        check(4, [own[0], own[1], own[2], (2, 0, Offer, 5)], &[0, 3], false);
        check(4, [own[0], own[1], own[2], (2, 0, Offer, 6)], &[], false);
        let behind_the_edge = [own[0], own[1], (3, 1, Offer, 1), (3, 1, Offer, 6)];
        check(4, behind_the_edge, &[0, 2], false);
        check(0, behind_the_edge, &[], true);
    }
}
