//! What is to be paid: prices, tariffs and charges, multiplied once more.
//!
//! States the rules R4, R11 and R12 again without the engine's code, so that one of the two would have to be
//! wrong in the same way as the other. Knows the market's configuration; does not know what was posted.

use std::iter;

use parkwatt_engine::{
    Market, MarketConfig, Price, SECONDS_PER_SLOT, Slot, TariffBand, Timestamp, Trade, Zone, ZoneId,
};

use super::slots::{Delivery, Paid};

const SECONDS_PER_HOUR: u64 = 3600;

/// Returns what is to be paid for a trade in all, by what became of it.
pub(super) fn of_trade(market: &Market, trade: &Trade, delivery: Option<&Delivery>) -> Paid {
    let Some(delivery) = delivery else { return Paid::default() };
    let in_force = &market.tariffs().at(trade.slot).config;
    let delivered = i128::from(delivery.delivered.0);
    let [seller, buyer] = zones_of(market, trade);
    let deviation = |wh: u64| {
        let worth = i128::from(trade.price.0.abs()) * i128::from(wh);
        thousandth_half_even(worth * i128::from(in_force.deviation_per_mille))
    };
    Paid {
        energy: i128::from(trade.price.0) * delivered,
        wheeling: i128::from(wheeling(&in_force.zones, seller, buyer).0) * delivered,
        congestion: i128::from(trade.congestion.0) * delivered,
        fee: i128::from(in_force.market_fee.0) * delivered,
        seller_deviation: deviation(delivery.seller_deviation.0),
        buyer_deviation: deviation(delivery.buyer_deviation.0),
    }
}

/// Returns the retail and feed-in tariffs of a slot.
pub(super) fn tariff(market: &Market, slot: Slot) -> TariffBand {
    let bands = &market.tariffs().at(slot).config.tariffs;
    let quarter = slot.0 % 96;
    let begun = bands.iter().take_while(|band| u32::from(band.from_quarter) <= quarter);
    *begun.last().expect("the first band begins at quarter 0")
}

/// Returns when the settlement of a slot is final, if it is not yet: until then readings are corrected.
pub(super) fn open_until(market: &Market, slot: Slot) -> Option<Timestamp> {
    let until = market.config().timeline.final_at(slot);
    (market.now() < until).then_some(until)
}

/// Returns what was generated and not exported.
pub(super) fn self_consumed(generation: i128, export: i128) -> i128 {
    (generation - export).max(0)
}

/// Returns the zones of a trade's seller and buyer.
pub(super) fn zones_of(market: &Market, trade: &Trade) -> [ZoneId; 2] {
    [trade.seller, trade.buyer].map(|id| market.participants().get(id).new.zone)
}

/// Returns the zones on the way from one to the root, itself first and the root left out.
pub(super) fn way_up(zones: &[Zone], from: ZoneId) -> impl Iterator<Item = ZoneId> {
    let parent = |zone: &ZoneId| zones[usize::from(zone.0)].parent;
    iter::successors(Some(from), move |zone| parent(zone)).filter(move |zone| parent(zone).is_some())
}

/// Returns the most energy that a power brings in a slot, in whole lots.
pub(super) fn in_a_slot(watts: u64, config: &MarketConfig) -> u64 {
    let wh = watts * SECONDS_PER_SLOT / SECONDS_PER_HOUR;
    wh - wh % config.lot.0
}

/// Returns what a buyer pays the network for a kWh: the edges on the path, and the base charge of his zone.
fn wheeling(zones: &[Zone], seller: ZoneId, buyer: ZoneId) -> Price {
    let ups: Vec<ZoneId> = way_up(zones, seller).collect();
    let downs: Vec<ZoneId> = way_up(zones, buyer).collect();
    let charged = |own: &[ZoneId], other: &[ZoneId], charge: fn(&Zone) -> Price| -> i64 {
        // What both ways share is not on the path.
        let on_path = own.iter().filter(|zone| !other.contains(zone));
        on_path.map(|zone| charge(&zones[usize::from(zone.0)]).0).sum()
    };
    let base = zones[usize::from(buyer.0)].base_wheeling.0;
    Price(
        base + charged(&ups, &downs, |zone| zone.wheeling_up)
            + charged(&downs, &ups, |zone| zone.wheeling_down),
    )
}

/// Returns a thousandth of what is not negative, half to even.
fn thousandth_half_even(thousandths: i128) -> i128 {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    whole + i128::from(rest > 500 || (rest == 500 && whole % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_one() {
        for (thousandths, whole) in [(499, 0), (500, 0), (501, 1), (1500, 2), (2500, 2), (2501, 3)] {
            assert_eq!(thousandth_half_even(thousandths), whole, "{thousandths}");
        }
    }

    #[test]
    fn a_path_costs_its_edges_and_the_buyers_base() {
        let zone = |parent: Option<u16>, base, up, down| Zone {
            name: String::new(),
            parent: parent.map(ZoneId),
            base_wheeling: Price(base),
            wheeling_up: Price(up),
            wheeling_down: Price(down),
            capacity_up_w: None,
            capacity_down_w: None,
        };
        let zones = [zone(None, 1, 0, 0), zone(Some(0), 10, 100, 200), zone(Some(1), 20, 1000, 2000)];
        let cost = |seller, buyer| wheeling(&zones, ZoneId(seller), ZoneId(buyer)).0;
        assert_eq!([cost(0, 0), cost(2, 2), cost(2, 0), cost(0, 2), cost(1, 2)], [1, 20, 1101, 2220, 2020]);
    }
}
