//! Laws that hold of a market at all times, whatever happened.

use parkwatt_engine::*;

/// Checks every law that the market's readable state can show.
pub fn check(market: &Market) {
    money_is_conserved(market);
    what_is_reserved_is_what_is_needed(market);
    no_pair_is_left_that_could_trade(market);
}

fn money_is_conserved(market: &Market) {
    let sum = market.accounts().balances().fold(Worth::ZERO, |sum, (_, balance)| sum.plus(balance.worth()));
    assert_eq!(sum, Worth::ZERO, "balances sum to zero");
}

fn what_is_reserved_is_what_is_needed(market: &Market) {
    let need_of = |price: Price, energy| price.times(energy).max(Worth::ZERO);
    for participant in market.participants().ids() {
        let mut need = Worth::ZERO;
        for slot in market.unsettled_slots() {
            let bids = market.open_orders(slot).filter(|it| it.side == Side::Bid && it.owner == participant);
            let bought = market.unsettled_trades(slot).iter().filter(|trade| trade.buyer == participant);
            need = bids.fold(need, |sum, bid| sum.plus(need_of(bid.limit, bid.remaining)));
            need = bought.fold(need, |sum, trade| sum.plus(need_of(trade.buyer_price(), trade.energy)));
        }
        assert_eq!(market.accounts().reserved(participant), need, "reserved is the sum of open needs");
    }
}

fn no_pair_is_left_that_could_trade(market: &Market) {
    let is_continuous = |slot: &Slot| market.phase(*slot, market.now()) == Phase::Continuous;
    for slot in market.unsettled_slots().filter(is_continuous) {
        for bid in market.open_orders(slot).filter(|order| order.side == Side::Bid) {
            for offer in market.open_orders(slot).filter(|order| order.side == Side::Offer) {
                let total = offer.limit.plus(path_charge(market.config(), offer.zone, bid.zone));
                assert!(total > bid.limit, "{bid:?} and {offer:?} could trade");
                assert_ne!(bid.owner, offer.owner, "an owner's open orders are on one side");
            }
        }
    }
}

/// Returns what a buyer pays besides the seller's price: the edges on the path, found by walking, his base
/// charge and the fee.
pub fn path_charge(config: &MarketConfig, seller: ZoneId, buyer: ZoneId) -> Price {
    let zone = |id: ZoneId| &config.zones[usize::from(id.0)];
    let (mut from, mut to) = (seller, buyer);
    let mut charge = zone(buyer).base_wheeling.plus(config.market_fee);
    // A parent has the lower number, so the greater of two different zones is never the one where the path
    // turns.
    while from != to {
        if from > to {
            charge = charge.plus(zone(from).wheeling_up);
            from = zone(from).parent.expect("only the root has no parent");
        } else {
            charge = charge.plus(zone(to).wheeling_down);
            to = zone(to).parent.expect("only the root has no parent");
        }
    }
    charge
}
