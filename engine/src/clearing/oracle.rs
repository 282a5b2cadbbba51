//! The auction's rule without cleverness: every way to execute a few orders is tried, and the best compared.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Cleared, clear, interest};
use crate::book::OpenOrder;
use crate::grid::Grid;
use crate::{
    Energy, LeafIndex, MarketConfig, OrderId, ParticipantId, Price, Side, TariffBand, Timeline, Zone, ZoneId,
};

const TICK: i64 = 10;

/// A zone's parent, and its charges in ticks: base, up, down.
type ZoneDraft = (prop::sample::Index, i64, i64, i64);
/// An order's zone, side, limit in ticks and energy.
type OrderDraft = (prop::sample::Index, bool, i64, u64);

fn config(drafts: &[ZoneDraft], point: u32) -> MarketConfig {
    let zone = |(number, (parent, base, up, down)): (usize, &ZoneDraft)| Zone {
        name: String::from("z"),
        parent: (number > 0).then(|| ZoneId(u16::try_from(parent.index(number.max(1))).unwrap())),
        base_wheeling: Price(base * TICK),
        wheeling_up: Price(up * TICK),
        wheeling_down: Price(down * TICK),
    };
    let config = MarketConfig {
        name: String::from("m"),
        currency: String::from("yuan"),
        operator_key: [0; 32],
        zones: drafts.iter().enumerate().map(zone).collect(),
        tick: Price(TICK),
        price_floor: Price(-1000),
        price_cap: Price(1000),
        lot: Energy(1),
        order_energy_max: Energy(1000),
        schedule_len_max: 10,
        participants_max: 10,
        timeline: Timeline { opens_before_s: 0, uncross_before_s: 0, gate_before_s: 0, settle_after_s: 0 },
        auction_point_per_mille: point,
        market_fee: Price(TICK),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: alloc::vec![TariffBand { from_quarter: 0, retail: Price(0), feed_in: Price(0) }],
    };
    config.check().unwrap();
    config
}

fn open_orders(drafts: &[OrderDraft], zone_count: usize) -> Vec<OpenOrder> {
    let order = |(position, (zone, is_bid, limit, energy)): (u16, &OrderDraft)| OpenOrder {
        id: OrderId { index: LeafIndex(0), position },
        owner: ParticipantId(u32::from(position)),
        zone: ZoneId(u16::try_from(zone.index(zone_count)).unwrap()),
        side: if *is_bid { Side::Bid } else { Side::Offer },
        limit: Price(limit * TICK),
        remaining: Energy(*energy),
    };
    (0..).zip(drafts).map(order).collect()
}

/// What a result is worth: welfare, and then volume.
type Value = (i64, u64);

/// A case: what is cleared, and how the naive computation sees it.
struct Case {
    config: MarketConfig,
    grid: Grid,
    orders: Vec<OpenOrder>,
    nets: Vec<i64>,
}

impl Case {
    fn new(zones: &[ZoneDraft], orders: &[OrderDraft], point: u32) -> Case {
        let config = config(zones, point);
        let (grid, orders) = (Grid::new(&config), open_orders(orders, zones.len()));
        let nets = orders.iter().map(|order| interest(&config, &grid, order).net.0).collect();
        Case { config, grid, orders, nets }
    }

    fn exports(&self, executed: &[u64]) -> Vec<i64> {
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
    /// less.
    fn value(&self, executed: &[u64]) -> Option<Value> {
        let exports = self.exports(executed);
        let (mut welfare, mut volume) = (0, 0);
        for ((order, net), energy) in self.orders.iter().zip(&self.nets).zip(executed) {
            let worth = net * i64::try_from(*energy).unwrap();
            welfare += if order.side == Side::Bid { worth } else { -worth };
            volume += if order.side == Side::Bid { *energy } else { 0 };
        }
        for (zone, export) in self.config.zones.iter().zip(&exports) {
            welfare -= zone.wheeling_up.0 * (*export).max(0) + zone.wheeling_down.0 * (-export).max(0);
        }
        (exports[0] == 0).then_some((welfare, volume))
    }

    /// Returns the greatest value over all ways to execute the orders.
    fn best(&self) -> Value {
        let mut executed = alloc::vec![0; self.orders.len()];
        let mut best = (0, 0);
        loop {
            best = best.max(self.value(&executed).unwrap_or_default());
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

    fn executed(&self, cleared: &Cleared) -> Vec<u64> {
        let mut by_order: BTreeMap<OrderId, u64> = BTreeMap::new();
        for pair in &cleared.pairs {
            *by_order.entry(pair.bid).or_default() += pair.energy.0;
            *by_order.entry(pair.offer).or_default() += pair.energy.0;
        }
        self.orders.iter().map(|order| by_order.get(&order.id).copied().unwrap_or(0)).collect()
    }

    /// Checks that the prices leave nobody a reason to trade more or less, and no flow a reason to be
    /// another.
    fn check_prices(&self, cleared: &Cleared, executed: &[u64]) {
        let price = |zone: ZoneId| cleared.prices[usize::from(zone.0)].0;
        for ((order, net), energy) in self.orders.iter().zip(&self.nets).zip(executed) {
            let gain =
                if order.side == Side::Bid { net - price(order.zone) } else { price(order.zone) - net };
            assert!(*energy == 0 || gain >= 0, "{order:?} trades at a loss");
            assert!(*energy == order.remaining.0 || gain <= 0, "{order:?} is left though it would gain");
        }
        for (number, zone) in (0..).zip(&self.config.zones).skip(1) {
            let rise = price(zone.parent.unwrap()) - price(ZoneId(number));
            let (up, down) = (zone.wheeling_up.0, zone.wheeling_down.0);
            assert!(-down <= rise && rise <= up, "an edge's zones differ by more than its charge");
            let export = cleared.exports_wh[usize::from(number)];
            assert!(export <= 0 || rise == up, "a flow up does not earn its charge");
            assert!(export >= 0 || rise == -down, "a flow down does not earn its charge");
        }
        assert!(cleared.prices.iter().all(|price| price.0 % TICK == 0), "a price is off the tick");
        for pair in &cleared.pairs {
            let zone_of = |id: OrderId| self.orders[usize::from(id.position)].zone;
            let (seller, buyer) = (zone_of(pair.offer), zone_of(pair.bid));
            let base = self.config.zones[usize::from(buyer.0)].base_wheeling.0;
            let path = self.grid.wheeling(seller, buyer).0 - base;
            assert_eq!(price(seller) + path, price(buyer), "a pair's path does not follow the flows");
        }
    }

    /// Checks that of two orders alike but for their time the later one trades only when the earlier one is
    /// done.
    fn check_time(&self, executed: &[u64]) {
        for (later, order) in self.orders.iter().enumerate() {
            for (earlier, other) in self.orders[..later].iter().enumerate() {
                let are_alike =
                    (order.zone, order.side, order.limit) == (other.zone, other.side, other.limit);
                let other_is_done = executed[earlier] == other.remaining.0;
                assert!(!are_alike || executed[later] == 0 || other_is_done, "{order:?} overtook {other:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_way_to_execute_the_orders_is_better_than_the_auctions(
        zones in prop::collection::vec((any::<prop::sample::Index>(), 0..2_i64, 0..4_i64, 0..4_i64), 1..=4),
        orders in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), -2..12_i64, 1..=3_u64), 0..=6),
        point in 0..=1000_u32,
    ) {
        let case = Case::new(&zones, &orders, point);
        let cleared = clear(&case.config, &case.grid, &case.orders);
        let executed = case.executed(&cleared);
        prop_assert_eq!(case.value(&executed), Some(case.best()));
        prop_assert_eq!(&cleared.exports_wh, &case.exports(&executed));
        if cleared.pairs.is_empty() {
            prop_assert!(cleared.prices.is_empty());
        } else {
            case.check_prices(&cleared, &executed);
        }
        case.check_time(&executed);
    }
}
