//! The proof that an auction's result is the best one, checked without knowing how it was found (R6, R7).
//!
//! Knows the rule and the configuration; does not know the grid, the clearing or anything else that computes.
//! Keeps: what passes here is within every limit and capacity, and no result of these orders is better.

mod error;
mod optimum;

use alloc::collections::BTreeMap;

use crate::{
    Clearing, MarketConfig, Matching, OpenOrder, OrderId, Pair, ParticipantId, Side, Trade, Zone, ZoneId,
};

pub use error::ClearingError;
use optimum::{VOLUME, WELFARE};

/// What is checked.
struct Check<'a> {
    config: &'a MarketConfig,
    clearing: &'a Clearing,
    trades: &'a [Trade],
    /// The open orders, each with what trades of it or is passed over.
    orders: BTreeMap<OrderId, (&'a OpenOrder, i128)>,
}

/// Checks that a result is an auction's of `orders`, the open ones as the auction met them, and that no
/// better one exists: none with a greater welfare, and none of the same with a greater volume.
///
/// `trades` are the auction's, in any order. Which of equal orders trades, who of several is paired with
/// whom, and where in a range of prices they lie is not checked. `config` is one that holds.
///
/// # Errors
/// The first thing that does not hold, with its numbers.
pub fn check_clearing(
    config: &MarketConfig,
    orders: &[OpenOrder],
    clearing: &Clearing,
    trades: &[Trade],
) -> Result<(), ClearingError> {
    let mut check = Check { config, clearing, trades, orders: BTreeMap::new() };
    check.lists()?;
    check.prices_are_within_bounds()?;
    check.take_orders(orders)?;
    check.pairs()?;
    check.executed_is_open()?;
    check.trades_pay_what_they_must()?;
    check.flows()?;
    check.passed_over_is_unavoidable()?;
    check.rents()?;
    if !clearing.prices.is_empty() {
        let bound = check.bound(WELFARE, |zone| i128::from(clearing.prices[zone].0))?;
        let welfare = check.value(WELFARE);
        must(welfare == bound, ClearingError::WelfareMustReachTheBound { welfare, bound })?;
    }
    let bound = check.bound(VOLUME, |zone| i128::from(clearing.proof_halves[zone]))?;
    let value = check.value(VOLUME);
    must(value == bound, ClearingError::VolumeMustReachTheBound { value, bound })
}

fn must(holds: bool, error: ClearingError) -> Result<(), ClearingError> {
    if holds { Ok(()) } else { Err(error) }
}

impl<'a> Check<'a> {
    fn lists(&self) -> Result<(), ClearingError> {
        let (it, zones) = (self.clearing, self.config.zones.len());
        let priced = if it.prices.is_empty() { 0 } else { zones };
        let lists = [
            ("prices", it.prices.len(), priced),
            ("rents", it.rents.len(), priced),
            ("exports_wh", it.exports_wh.len(), zones),
            ("proof_halves", it.proof_halves.len(), zones),
        ];
        lists.into_iter().try_for_each(|(list, len, due)| {
            must(len == due, ClearingError::ListMustFitTheZones { list, len, zones })
        })
    }

    /// Checks what the rule says of prices, and with it that no product below exceeds 127 bits.
    fn prices_are_within_bounds(&self) -> Result<(), ClearingError> {
        let (floor, cap, tick) = (self.config.price_floor, self.config.price_cap, self.config.tick.0);
        for (number, zone) in self.zone_ids().enumerate() {
            let price = self.clearing.prices.get(number);
            let price_holds = price.is_none_or(|it| (floor..=cap).contains(it) && it.0 % tick == 0);
            let proof_holds = (2 * floor.0..=2 * cap.0 + 1).contains(&self.clearing.proof_halves[number]);
            must(price_holds && proof_holds, ClearingError::PriceMustBeWithinBounds { zone })?;
        }
        Ok(())
    }

    fn take_orders(&mut self, orders: &'a [OpenOrder]) -> Result<(), ClearingError> {
        let MarketConfig { price_floor, price_cap, order_energy_max, .. } = self.config;
        for order in orders {
            let is_here = usize::from(order.zone.0) < self.config.zones.len();
            let is_within =
                (price_floor..=price_cap).contains(&&order.limit) && order.remaining <= *order_energy_max;
            let is_new = self.orders.insert(order.id, (order, 0)).is_none();
            let holds = is_here && is_within && is_new;
            must(holds, ClearingError::OrderMustBeOfThisMarket { order: order.id })?;
        }
        Ok(())
    }

    /// Checks who met whom, and adds up what is executed of each order.
    fn pairs(&mut self) -> Result<(), ClearingError> {
        for it in self.trades {
            let is_of_this = it.slot == self.clearing.slot
                && it.matching == Matching::Auction
                && it.tariff_version == self.config.tariff_version;
            must(is_of_this, ClearingError::TradeMustBeOfThisAuction { trade: it.id })?;
            let (buyer, seller) = self.execute(Pair { bid: it.bid, offer: it.offer, energy: it.energy })?;
            let names_owners = (it.buyer, it.seller) == (buyer, seller);
            must(names_owners, ClearingError::TradeMustNameTheOwners { trade: it.id })?;
            let error = ClearingError::OwnOrdersMustNotTrade { trade: it.id, owner: buyer };
            must(buyer != seller, error)?;
        }
        for it in &self.clearing.passed_over {
            let (buyer, seller) = self.execute(*it)?;
            let error = ClearingError::OnlyOwnOrdersMustBePassedOver { bid: it.bid, offer: it.offer };
            must(buyer == seller, error)?;
        }
        let traded = self.trades.iter().map(|trade| i128::from(trade.energy.0)).sum();
        let energy = self.clearing.energy;
        must(i128::from(energy.0) == traded, ClearingError::EnergyMustBeTheTrades { energy, traded })
    }

    /// Adds to what is executed of two orders, and returns their owners.
    fn execute(&mut self, pair: Pair) -> Result<(ParticipantId, ParticipantId), ClearingError> {
        let Pair { bid, offer, energy } = pair;
        let mut owner_on = |side, id| {
            let (order, executed) = self.orders.get_mut(&id).filter(|(order, _)| order.side == side)?;
            *executed += i128::from(energy.0);
            Some(order.owner)
        };
        let owners = owner_on(Side::Bid, bid).zip(owner_on(Side::Offer, offer));
        let owners = owners.filter(|_| !energy.is_zero());
        owners.ok_or(ClearingError::PairMustBeOfOpenOrders { bid, offer })
    }

    fn executed_is_open(&self) -> Result<(), ClearingError> {
        for (id, (order, executed)) in &self.orders {
            let (order, executed, open) = (*id, *executed, order.remaining);
            let error = ClearingError::ExecutedMustBeOpen { order, executed, open };
            must(executed <= i128::from(open.0), error)?;
        }
        let has_prices = !self.clearing.prices.is_empty();
        let something_is = self.orders.values().any(|(_, executed)| *executed > 0);
        must(something_is == has_prices, ClearingError::ExecutedMustHavePrices)
    }

    /// Checks each trade's four parts, and both its limits.
    fn trades_pay_what_they_must(&self) -> Result<(), ClearingError> {
        for it in self.trades {
            let (bid, offer) = (self.orders[&it.bid].0, self.orders[&it.offer].0);
            let [of_buyer, of_seller] =
                [bid, offer].map(|order| self.clearing.prices[usize::from(order.zone.0)]);
            let error =
                ClearingError::PriceMustBeTheZones { trade: it.id, price: it.price, of_zone: of_seller };
            must(it.price == of_seller, error)?;

            let mut edges = 0;
            self.walk(offer.zone, bid.zone, |zone, is_up| {
                let zone = &self.config.zones[zone];
                edges += i128::from(if is_up { zone.wheeling_up.0 } else { zone.wheeling_down.0 });
            });
            let of_path = edges + i128::from(self.zone(bid.zone).base_wheeling.0);
            let wheeling = it.wheeling;
            let error = ClearingError::WheelingMustBeThePaths { trade: it.id, wheeling, of_path };
            must(i128::from(wheeling.0) == of_path, error)?;
            let of_path = i128::from(of_buyer.0) - i128::from(of_seller.0) - edges;
            let congestion = it.congestion;
            let error = ClearingError::CongestionMustBeThePaths { trade: it.id, congestion, of_path };
            must(i128::from(congestion.0) == of_path && of_path >= 0, error)?;
            let (fee, of_market) = (it.fee, self.config.market_fee);
            must(fee == of_market, ClearingError::FeeMustBeTheMarkets { trade: it.id, fee, of_market })?;

            let price = i128::from(it.price.0);
            let error = ClearingError::LimitMustHold { order: offer.id, limit: offer.limit, price };
            must(price >= i128::from(offer.limit.0), error)?;
            let price =
                [it.price, it.wheeling, it.congestion, it.fee].map(|it| i128::from(it.0)).iter().sum();
            let error = ClearingError::LimitMustHold { order: bid.id, limit: bid.limit, price };
            must(price <= i128::from(bid.limit.0), error)?;
        }
        Ok(())
    }

    /// Checks each edge's flow: that it follows from what is executed, fits the edge, and has no trade
    /// against it.
    fn flows(&self) -> Result<(), ClearingError> {
        let count = self.config.zones.len();
        let mut exports = alloc::vec![0; count];
        for (order, executed) in self.orders.values() {
            exports[usize::from(order.zone.0)] +=
                if order.side == Side::Offer { *executed } else { -*executed };
        }
        let (mut up, mut down) = (alloc::vec![0; count], alloc::vec![0; count]);
        for trade in self.trades {
            let [seller, buyer] = [trade.offer, trade.bid].map(|id| self.orders[&id].0.zone);
            self.walk(seller, buyer, |zone, is_up| {
                *(if is_up { &mut up[zone] } else { &mut down[zone] }) += i128::from(trade.energy.0);
            });
        }
        for (number, zone) in self.zone_ids().enumerate().rev() {
            let (flow_wh, executed_wh) = (self.clearing.exports_wh[number], exports[number]);
            let error = ClearingError::FlowMustFollowFromTheTrades { zone, flow_wh, executed_wh };
            must(i128::from(flow_wh) == executed_wh, error)?;
            let config = self.zone(zone);
            let watts = if flow_wh > 0 { config.capacity_up_w } else { config.capacity_down_w };
            if let Some(capacity_wh) = watts.map(|watts| self.capacity_wh(watts)) {
                let error = ClearingError::FlowMustBeWithinCapacity { zone, flow_wh, capacity_wh };
                must(executed_wh.abs() <= capacity_wh, error)?;
            }
            let (up_wh, down_wh) = (up[number], down[number]);
            let error = ClearingError::PathsMustGoAlongTheFlow { zone, up_wh, down_wh };
            must(up_wh == 0 || down_wh == 0, error)?;
            if let Some(parent) = config.parent {
                exports[usize::from(parent.0)] += executed_wh;
            }
        }
        Ok(())
    }

    /// Checks that each owner's orders are passed over only as far as they exceed what meets in his zone or
    /// goes on.
    fn passed_over_is_unavoidable(&self) -> Result<(), ClearingError> {
        // What is bid, and what is offered, where it meets: by the zone's own orders and by what children
        // send or draw.
        let mut bids = alloc::vec![0; self.config.zones.len()];
        let mut offers = bids.clone();
        let mut owners: BTreeMap<(ParticipantId, ZoneId), i128> = BTreeMap::new();
        for (order, executed) in self.orders.values() {
            let side = if order.side == Side::Bid { &mut bids } else { &mut offers };
            side[usize::from(order.zone.0)] += *executed;
            *owners.entry((order.owner, order.zone)).or_default() += *executed;
        }
        for (zone, export) in self.config.zones.iter().zip(&self.clearing.exports_wh) {
            if let Some(parent) = zone.parent {
                offers[usize::from(parent.0)] += i128::from((*export).max(0));
                bids[usize::from(parent.0)] -= i128::from((*export).min(0));
            }
        }
        let mut passed_over: BTreeMap<ParticipantId, i128> = BTreeMap::new();
        for pair in &self.clearing.passed_over {
            *passed_over.entry(self.orders[&pair.bid].0.owner).or_default() += i128::from(pair.energy.0);
        }
        for ((owner, zone), executed) in owners {
            let zone = usize::from(zone.0);
            let unavoidable = (executed - bids[zone].max(offers[zone])).max(0);
            let passed_over = passed_over.get(&owner).copied().unwrap_or(0);
            let error = ClearingError::PassedOverMustBeUnavoidable { owner, passed_over, unavoidable };
            must(passed_over == unavoidable, error)?;
        }
        Ok(())
    }

    /// Returns what an edge carries in a quarter hour, in whole lots.
    fn capacity_wh(&self, watts: u64) -> i128 {
        i128::from(watts / 4 / self.config.lot.0 * self.config.lot.0)
    }

    /// Visits the edges between two zones by their lower ends, each with whether it is passed upwards.
    fn walk(&self, from: ZoneId, to: ZoneId, mut visit: impl FnMut(usize, bool)) {
        let (mut from, mut to) = (from, to);
        // A parent has the lower number, so the greater of two different zones is never where the path turns.
        while from != to {
            let is_up = from > to;
            let end = if is_up { &mut from } else { &mut to };
            visit(usize::from(end.0), is_up);
            *end = self.zone(*end).parent.expect("only the root, which has the lowest number, has no parent");
        }
    }

    fn zone(&self, id: ZoneId) -> &Zone {
        &self.config.zones[usize::from(id.0)]
    }

    fn zone_ids(&self) -> impl DoubleEndedIterator<Item = ZoneId> + ExactSizeIterator {
        let count = u16::try_from(self.config.zones.len()).expect("a market has at most 1024 zones");
        (0..count).map(ZoneId)
    }
}
