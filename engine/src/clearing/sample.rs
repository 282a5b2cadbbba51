//! Small markets with open orders, drawn for the tests of the clearing.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Cleared, clear};
use crate::book::Book;
use crate::grid::Grid;
use crate::{
    Energy, LeafIndex, MarketConfig, Matching, OpenOrder, OrderId, Pair, ParticipantId, Price, Side, Slot,
    TariffBand, Timeline, Trade, TradeId, Zone, ZoneId,
};

pub(super) const TICK: i64 = 10;
/// Wrapped around anything up to 12, each number is as likely.
const ANY: core::ops::Range<usize> = 0..27_720;
/// No two zones share an owner.
const OWNERS_PER_ZONE: u16 = 1000;

/// A zone's parent (wrapped around the zones before), its charges in ticks (base, up, down), and its edge's
/// capacities in lots.
pub(super) type ZoneDraft = (usize, [i64; 3], [Option<u64>; 2]);
/// An order's zone (wrapped around the zones), owner among that zone's, side, limit in ticks and energy in
/// lots.
pub(super) type OrderDraft = (usize, u16, bool, i64, u64);

/// Draws up to `count` zones, with capacities below `capacity` lots or none.
pub(super) fn zones(count: usize, capacity: u64) -> impl Strategy<Value = Vec<ZoneDraft>> {
    let charges = [0..2_i64, 0..4_i64, 0..4_i64];
    let capacity = || prop::option::weighted(0.7, 0..capacity);
    prop::collection::vec((ANY, charges, [capacity(), capacity()]), 1..=count)
}

/// Draws up to `count` orders of up to `energy` lots, of up to `owners` owners a zone.
pub(super) fn orders(count: usize, owners: u16, energy: u64) -> impl Strategy<Value = Vec<OrderDraft>> {
    let order = (ANY, 0..owners, any::<bool>(), -3..12_i64, 1..=energy);
    prop::collection::vec(order, 0..=count)
}

/// What is cleared.
pub(super) struct Case {
    pub(super) config: MarketConfig,
    pub(super) grid: Grid,
    pub(super) orders: Vec<OpenOrder>,
    pub(super) book: Book,
}

impl Case {
    pub(super) fn new(zones: &[ZoneDraft], orders: &[OrderDraft], lot: u64, point: u32) -> Case {
        let config = config(zones, lot, point);
        config.check().unwrap();
        let grid = Grid::new(&config);
        let mut book = Book::new(&config, &grid);
        let orders = open_orders(orders, zones.len(), lot);
        for order in &orders {
            book.gather(order);
        }
        Case { config, grid, orders, book }
    }

    pub(super) fn clear(&self) -> Cleared {
        clear(&self.config, &self.grid, Slot(7), &self.book)
    }

    pub(super) fn order(&self, id: OrderId) -> &OpenOrder {
        &self.orders[usize::from(id.position)]
    }

    /// Returns at what price of its zone an order is as good as not there.
    pub(super) fn net(&self, order: &OpenOrder) -> i64 {
        let charges = self.config.zones[usize::from(order.zone.0)].base_wheeling.plus(self.config.market_fee);
        if order.side == Side::Bid { order.limit.minus(charges).0 } else { order.limit.0 }
    }

    /// Returns what trades of each order, or is passed over.
    pub(super) fn executed(&self, cleared: &Cleared) -> Vec<u64> {
        let mut by_order: BTreeMap<OrderId, u64> = BTreeMap::new();
        for Pair { bid, offer, energy } in cleared.pairs.iter().chain(&cleared.clearing.passed_over) {
            *by_order.entry(*bid).or_default() += energy.0;
            *by_order.entry(*offer).or_default() += energy.0;
        }
        self.orders.iter().map(|order| by_order.get(&order.id).copied().unwrap_or(0)).collect()
    }

    /// Returns the trades that the market makes of the pairs.
    pub(super) fn trades(&self, cleared: &Cleared) -> Vec<Trade> {
        let prices = &cleared.clearing.prices;
        let trade = |(number, pair): (u64, &Pair)| {
            let (bid, offer) = (self.order(pair.bid), self.order(pair.offer));
            let [paid, price] = [bid, offer].map(|order| prices[usize::from(order.zone.0)]);
            let wheeling = self.grid.wheeling(offer.zone, bid.zone);
            let base = self.config.zones[usize::from(bid.zone.0)].base_wheeling;
            Trade {
                id: TradeId(LeafIndex(number)),
                slot: Slot(7),
                bid: bid.id,
                offer: offer.id,
                buyer: bid.owner,
                seller: offer.owner,
                energy: pair.energy,
                price,
                wheeling,
                congestion: paid.minus(price).minus(wheeling.minus(base)),
                fee: self.config.market_fee,
                tariff_version: self.config.tariff_version,
                matching: Matching::Auction,
            }
        };
        (1..).zip(&cleared.pairs).map(trade).collect()
    }
}

fn config(drafts: &[ZoneDraft], lot: u64, point: u32) -> MarketConfig {
    let zone = |(number, (parent, charges, capacities)): (usize, &ZoneDraft)| {
        let [base_wheeling, wheeling_up, wheeling_down] = charges.map(|ticks| Price(ticks * TICK));
        // A bit more than whole lots, which is not used.
        let [capacity_up_w, capacity_down_w] = capacities.map(|lots| Some(4 * lots? * lot + 3));
        let parent = (number > 0).then(|| ZoneId(u16::try_from(parent % number.max(1)).unwrap()));
        let name = String::from("z");
        Zone { name, parent, base_wheeling, wheeling_up, wheeling_down, capacity_up_w, capacity_down_w }
    };
    MarketConfig {
        name: String::from("m"),
        currency: String::from("yuan"),
        operator_key: [0; 32],
        zones: drafts.iter().enumerate().map(zone).collect(),
        tick: Price(TICK),
        // As narrow as the limits that are drawn, so that charges lead beyond.
        price_floor: Price(-3 * TICK),
        price_cap: Price(11 * TICK),
        lot: Energy(lot),
        order_energy_max: Energy(1_000_000),
        schedule_len_max: 10,
        participants_max: 10,
        open_orders_max: 100,
        corrections_max: 10,
        timeline: Timeline {
            opens_before_s: 0,
            uncross_before_s: 0,
            gate_before_s: 0,
            settle_after_s: 0,
            final_after_s: 0,
        },
        auction_point_per_mille: point,
        market_fee: Price(TICK),
        deviation_per_mille: 100,
        tariff_version: 1,
        tariffs: alloc::vec![TariffBand { from_quarter: 0, retail: Price(0), feed_in: Price(0) }],
    }
}

fn open_orders(drafts: &[OrderDraft], zone_count: usize, lot: u64) -> Vec<OpenOrder> {
    let order = |(position, (zone, owner, is_bid, limit, energy)): (u16, &OrderDraft)| {
        let zone = u16::try_from(zone % zone_count).unwrap();
        OpenOrder {
            id: OrderId { index: LeafIndex(0), position },
            owner: ParticipantId(u32::from(zone * OWNERS_PER_ZONE + owner)),
            zone: ZoneId(zone),
            side: if *is_bid { Side::Bid } else { Side::Offer },
            limit: Price(limit * TICK),
            remaining: Energy(energy * lot),
        }
    };
    (0..).zip(drafts).map(order).collect()
}
