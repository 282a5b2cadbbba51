//! R5: orders that trade as they come, and orders that rest and can trade because of others' trades.

use std::cmp::Reverse;

use parkwatt_engine::*;

use super::Twin;
use super::orders::Order;

/// What an order agrees on with one that came before it.
pub struct Meeting {
    pub other: OrderId,
    pub energy: Energy,
    /// What the seller is paid.
    price: Price,
}

/// A trade that is about to be made.
pub struct Deal {
    pub bid: OrderId,
    pub offer: OrderId,
    pub energy: Energy,
    /// What the seller is paid.
    pub price: Price,
    /// What the buyer pays for room on full edges.
    pub congestion: Price,
    pub matching: Matching,
}

impl Twin {
    /// Returns what an order trades as it comes, with whom, in which order; if it rests already, with those
    /// only that came before it.
    pub(super) fn what_it_meets(
        &self,
        owner: ParticipantId,
        order: &NewOrder,
        arrived: Option<OrderId>,
    ) -> Vec<Meeting> {
        let came_before = |other: &&Order| arrived.is_none_or(|arrived| other.id < arrived);
        let in_slot = self.open_orders().filter(|it| it.slot == order.slot && it.side != order.side);
        let mut others: Vec<(&Order, Price)> = in_slot
            .filter(came_before)
            .filter(|other| other.owner != owner)
            .filter_map(|other| Some((other, self.agreed_price(owner, order, other)?)))
            .collect();
        let charges = |other: &Order| self.charges(order, owner, other.owner);
        match order.side {
            Side::Bid => others.sort_by_key(|(offer, _)| (offer.limit.plus(charges(offer)), offer.id)),
            Side::Offer => others.sort_by_key(|(bid, _)| (Reverse(bid.limit.minus(charges(bid))), bid.id)),
        }

        let (mut flows, mut left, mut met) = (self.flows(order.slot), order.energy, Vec::new());
        for (other, price) in others {
            let (seller, buyer) = in_roles(order.side, owner, other.owner);
            let way = self.way(order.slot, seller, buyer);
            let room = flows.room(way).map_or(left, Energy);
            let energy = left.min(other.remaining()).min(room);
            if !energy.is_zero() {
                flows.send(&way.passages, energy.0);
                left = left.minus(energy);
                met.push(Meeting { other: other.id, energy, price });
            }
        }
        met
    }

    /// Returns what the seller is paid if an order meets one that rests, where both limits allow it: the
    /// resting one trades at its own limit, which an offer is paid and a bid pays all-in.
    fn agreed_price(&self, owner: ParticipantId, order: &NewOrder, resting: &Order) -> Option<Price> {
        let charges = self.charges(order, owner, resting.owner);
        match order.side {
            Side::Bid => Some(resting.limit).filter(|price| price.plus(charges) <= order.limit),
            Side::Offer => Some(resting.limit.minus(charges)).filter(|price| *price >= order.limit),
        }
    }

    /// Returns what a buyer pays on top of the price, if an order meets another's.
    fn charges(&self, order: &NewOrder, owner: ParticipantId, other: ParticipantId) -> Price {
        let (seller, buyer) = in_roles(order.side, owner, other);
        let fee = self.version(order.slot).config.market_fee;
        self.way(order.slot, seller, buyer).wheeling.plus(fee)
    }

    /// Lets an open order trade with those that came before it, and returns whether it did.
    pub(super) fn trade_as_it_comes(&mut self, id: OrderId) -> bool {
        let Order { owner, side, slot, limit, .. } = *self.order(id);
        let rest = NewOrder::resting(side, slot, limit, self.order(id).remaining());
        let met = self.what_it_meets(owner, &rest, Some(id));
        for &Meeting { other, energy, price } in &met {
            let (bid, offer) = if side == Side::Bid { (id, other) } else { (other, id) };
            let (congestion, matching) = (Price::ZERO, Matching::Continuous);
            self.make_trade(&Deal { bid, offer, energy, price, congestion, matching });
        }
        !met.is_empty()
    }

    /// Lets every open order of a slot trade with those that came before it, until none can.
    pub(super) fn trade_what_can(&mut self, slot: Slot) {
        loop {
            let open: Vec<OrderId> =
                self.open_orders().filter(|order| order.slot == slot).map(|order| order.id).collect();
            let mut has_traded = false;
            for id in open {
                has_traded |= self.order(id).is_open && self.trade_as_it_comes(id);
            }
            if !has_traded {
                return;
            }
        }
    }

    pub(super) fn make_trade(&mut self, deal: &Deal) {
        let Deal { bid, offer, energy, price, congestion, matching } = *deal;
        let (buyer, seller) = (self.order(bid).owner, self.order(offer).owner);
        let slot = self.order(bid).slot;
        let in_force = &self.version(slot).config;
        let trade = Trade {
            id: TradeId(self.next_leaf()),
            slot,
            bid,
            offer,
            buyer,
            seller,
            energy,
            price,
            wheeling: self.way(slot, seller, buyer).wheeling,
            congestion,
            fee: in_force.market_fee,
            tariff_version: in_force.tariff_version,
            matching,
        };
        self.trades.push(trade);
        for id in [bid, offer] {
            let order = self.order_mut(id);
            order.traded = order.traded.plus(energy);
            order.is_open = !order.remaining().is_zero();
        }
        self.say(Event::TradeMade(trade));
    }
}

/// Returns the seller and the buyer, if an order of `side` meets another's.
fn in_roles(side: Side, owner: ParticipantId, other: ParticipantId) -> (ParticipantId, ParticipantId) {
    match side {
        Side::Bid => (other, owner),
        Side::Offer => (owner, other),
    }
}
