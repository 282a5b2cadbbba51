//! R6: the call auction, from a slot's orders to its result.

use parkwatt_engine::*;

use super::flow;
use super::grid::{self, Passage};
use super::pairing::{self, Paired};
use super::trading::Deal;
use super::{Twin, prices};

/// An order as the auction sees it.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    pub id: OrderId,
    pub owner: ParticipantId,
    pub zone: usize,
    pub side: Side,
    /// At which price of its zone an offer is indifferent, or a bid: its limit less base charge and fee.
    pub net: Price,
    pub energy: u64,
}

impl Twin {
    pub(super) fn hold_auction(&mut self, slot: Slot) {
        let (clearing, pairs) = self.clear(slot);
        self.say(Event::AuctionCleared(Box::new(clearing.clone())));
        for Pair { bid, offer, energy } in pairs {
            let (buyer, seller) = (self.order(bid).owner, self.order(offer).owner);
            let way = &self.way(slot, seller, buyer).passages;
            let congestion = way.iter().fold(Price::ZERO, |sum, edge| sum.plus(clearing.rents[edge.zone]));
            let price = clearing.prices[self.zone_of(seller)];
            self.make_trade(&Deal { bid, offer, energy, price, congestion, matching: Matching::Auction });
        }
        self.trade_what_can(slot);
    }

    /// Returns the result that a slot's auction would have now, if one is to come.
    pub fn indicative(&self, slot: Slot) -> Option<Clearing> {
        self.slots.contains(&(slot, Phase::Auction)).then(|| self.clear(slot).0)
    }

    fn clear(&self, slot: Slot) -> (Clearing, Vec<Pair>) {
        let config = &self.version(slot).config;
        let interests: Vec<Interest> = self.interests(slot);
        let executed = flow::execute(config, &interests);
        let Paired { pairs, passed_over } = pairing::pair(config, &interests, &executed.energies);
        let supporting = prices::support(config, &interests, &executed);
        let nothing_trades = executed.energies.iter().all(|energy| *energy == 0);
        let prices = if nothing_trades { Vec::new() } else { supporting };
        let clearing = Clearing {
            slot,
            energy: pairs.iter().fold(Energy::ZERO, |sum, pair| sum.plus(pair.energy)),
            rents: rents(config, &prices),
            prices,
            exports_wh: executed.flows.0.clone(),
            passed_over,
            proof_halves: prices::prove(config, &interests, &executed),
        };
        (clearing, pairs)
    }

    fn interests(&self, slot: Slot) -> Vec<Interest> {
        let config = &self.version(slot).config;
        let open = self.open_orders().filter(|order| order.slot == slot);
        let interest = |order: &super::orders::Order| {
            let zone = self.zone_of(order.owner);
            let charges = config.zones[zone].base_wheeling.plus(config.market_fee);
            let net = if order.side == Side::Bid { order.limit.minus(charges) } else { order.limit };
            let (id, owner, side, energy) = (order.id, order.owner, order.side, order.remaining().0);
            Interest { id, owner, zone, side, net, energy }
        };
        open.map(interest).collect()
    }
}

/// Returns by how much each edge's price difference exceeds its charge, whichever way; nothing without
/// prices.
fn rents(config: &MarketConfig, prices: &[Price]) -> Vec<Price> {
    let rent_of = |passage: Passage| {
        let rise = prices[passage.parent].minus(prices[passage.zone]);
        let along = if passage.is_up { rise } else { Price(-rise.0) };
        along.minus(passage.charge).max(Price::ZERO)
    };
    let rent = |zone| {
        let [up, down] = [true, false].map(|is_up| grid::passage(config, zone, is_up));
        [up, down].into_iter().flatten().map(rent_of).fold(Price::ZERO, Price::plus)
    };
    (0..prices.len()).map(rent).collect()
}
