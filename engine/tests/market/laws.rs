//! Laws that hold of a market at all times, whatever happened.

use std::collections::BTreeMap;

use parkwatt_engine::*;

/// Checks every law that the market's readable state can show.
pub fn check(market: &Market) {
    money_is_conserved(market);
    what_is_reserved_is_what_is_needed(market);
    nobody_offers_more_than_he_can_deliver(market);
    flows_are_within_capacities(market);
    no_pair_is_left_that_could_trade(market);
    market.certificates().check();
}

fn money_is_conserved(market: &Market) {
    let sum = market.accounts().balances().fold(Worth::ZERO, |sum, (_, balance)| sum.plus(balance.worth()));
    assert_eq!(sum, Worth::ZERO, "balances sum to zero");
}

fn what_is_reserved_is_what_is_needed(market: &Market) {
    let of_bid = |price: Price, energy| price.times(energy).max(Worth::ZERO);
    let of_offer = |price: Price, energy| Price(-price.0).times(energy).max(Worth::ZERO);
    let mut needs: BTreeMap<ParticipantId, Worth> = BTreeMap::new();
    let mut add = |owner, need| {
        let sum = needs.entry(owner).or_default();
        *sum = sum.plus(need);
    };
    for slot in market.unsettled_slots() {
        for OpenOrder { owner, side, limit, remaining, .. } in market.open_orders(slot) {
            add(owner, if side == Side::Bid { of_bid(limit, remaining) } else { of_offer(limit, remaining) });
        }
        for trade in market.unsettled_trades(slot) {
            add(trade.buyer, of_bid(trade.buyer_price(), trade.energy));
            add(trade.seller, of_offer(trade.price, trade.energy));
        }
    }
    for id in market.participants().ids() {
        let need = needs.get(&id).copied().unwrap_or_default();
        assert_eq!(market.accounts().reserved(id), need, "reserved is the sum of open needs");
    }
}

fn nobody_offers_more_than_he_can_deliver(market: &Market) {
    for slot in market.unsettled_slots() {
        for id in market.participants().ids() {
            let of_his = |order: &&OpenOrder| order.owner == id && order.side == Side::Offer;
            let orders = market.open_orders(slot);
            let offered = orders.iter().filter(of_his).map(|offer| offer.remaining.0);
            let sales = market.unsettled_trades(slot).filter(|trade| trade.seller == id);
            let sum: u64 = offered.chain(sales.map(|trade| trade.energy.0)).sum();
            let plant = &market.participants().get(id).new;
            let deliverable = plant.pv_capacity_w.min(plant.connection_capacity_w) / 4;
            assert!(sum <= deliverable, "offers and sales are within what can be delivered");
        }
    }
}

fn flows_are_within_capacities(market: &Market) {
    for slot in market.unsettled_slots() {
        let flows = flows(market, slot);
        for (zone, flow) in &flows {
            for (is_up, along) in [(true, *flow), (false, -flow)] {
                let capacity = capacity(market.config(), *zone, is_up);
                assert!(capacity.is_none_or(|most| along <= most), "a flow is within its edge's capacity");
            }
        }
    }
}

fn no_pair_is_left_that_could_trade(market: &Market) {
    let is_continuous = |slot: &Slot| market.phase(*slot, market.now()) == Phase::Continuous;
    for slot in market.unsettled_slots().filter(is_continuous) {
        let (orders, flows) = (market.open_orders(slot), flows(market, slot));
        for bid in orders.iter().filter(|order| order.side == Side::Bid) {
            for offer in orders.iter().filter(|order| order.side == Side::Offer && order.owner != bid.owner) {
                let total = offer.limit.plus(path_charge(market, slot, offer.zone, bid.zone));
                let suits = total <= bid.limit && has_room(market.config(), &flows, offer.zone, bid.zone);
                assert!(!suits, "{bid:?} and {offer:?} could trade");
            }
        }
    }
}

fn zone(config: &MarketConfig, id: ZoneId) -> &Zone {
    &config.zones[usize::from(id.0)]
}

/// Returns the edges between two zones, found by walking: the lower zone of each, and whether it is passed
/// upwards.
fn path(config: &MarketConfig, seller: ZoneId, buyer: ZoneId) -> Vec<(ZoneId, bool)> {
    let (mut from, mut to, mut edges) = (seller, buyer, Vec::new());
    // A parent has the lower number, so the greater of two different zones is never the one where the path
    // turns.
    while from != to {
        edges.push((from.max(to), from > to));
        let lower = if from > to { &mut from } else { &mut to };
        *lower = zone(config, *lower).parent.expect("only the root has no parent");
    }
    edges
}

/// Returns what a buyer pays in a slot besides the seller's price: the edges on the path, his base charge and
/// the fee.
pub fn path_charge(market: &Market, slot: Slot, seller: ZoneId, buyer: ZoneId) -> Price {
    let config = &market.tariffs().at(slot).config;
    let edges = path(config, seller, buyer).into_iter().map(|(id, is_up)| {
        let edge = zone(config, id);
        if is_up { edge.wheeling_up } else { edge.wheeling_down }
    });
    edges.fold(zone(config, buyer).base_wheeling.plus(config.market_fee), Price::plus)
}

/// Returns what an edge carries one way in a quarter hour, in whole lots; none where nothing limits it.
fn capacity(config: &MarketConfig, id: ZoneId, is_up: bool) -> Option<i64> {
    let edge = zone(config, id);
    let watts = if is_up { edge.capacity_up_w } else { edge.capacity_down_w };
    watts.map(|watts| i64::try_from(watts / 4 - watts / 4 % config.lot.0).unwrap())
}

/// Returns what all trades of a slot send up each edge, less what they send down it.
fn flows(market: &Market, slot: Slot) -> BTreeMap<ZoneId, i64> {
    let mut flows = BTreeMap::new();
    for trade in market.unsettled_trades(slot) {
        let [seller, buyer] = [trade.seller, trade.buyer].map(|id| market.participants().get(id).new.zone);
        let energy = i64::try_from(trade.energy.0).unwrap();
        for (edge, is_up) in path(market.config(), seller, buyer) {
            *flows.entry(edge).or_default() += if is_up { energy } else { -energy };
        }
    }
    flows
}

fn has_room(config: &MarketConfig, flows: &BTreeMap<ZoneId, i64>, seller: ZoneId, buyer: ZoneId) -> bool {
    path(config, seller, buyer).into_iter().all(|(edge, is_up)| {
        let flow = flows.get(&edge).copied().unwrap_or(0);
        let along = if is_up { flow } else { -flow };
        capacity(config, edge, is_up).is_none_or(|most| along < most)
    })
}
