//! Matching: how orders in a book become trades, one by one as they come (R5) and all at once (R6).
//!
//! Knows the book, the grid's charges and the clearing; who may place an order is `orders.rs`.
//! Keeps: a buyer's total is at most his limit, and a seller's price at least his; a trade stays reserved at
//! what the buyer owes for it, and the rest of what its part of the bid reserved is released.

use alloc::vec::Vec;

use crate::book::OpenOrder;
use crate::clearing::{self, Cleared};
use crate::{
    Clearing, Energy, Event, LeafIndex, Market, Matching, OrderId, Price, Side, Slot, Stamp, Trade, TradeId,
};

/// What two orders agree on.
struct Deal {
    bid: OpenOrder,
    offer: OpenOrder,
    energy: Energy,
    /// What the seller is paid.
    price: Price,
    matching: Matching,
}

impl Market {
    /// Lets an order that has just come trade with those that rest, as far as its limit allows.
    pub(crate) fn match_incoming(
        &mut self,
        stamp: Stamp,
        slot: Slot,
        order: OrderId,
        events: &mut Vec<Event>,
    ) {
        while let Some(deal) = self.next_deal(slot, order) {
            self.trade(stamp, slot, &deal, events);
        }
    }

    /// Returns what an order agrees on with the resting order that it meets first, if both limits allow it.
    fn next_deal(&self, slot: Slot, incoming: OrderId) -> Option<Deal> {
        let book = &self.slots.get(slot)?.book;
        let incoming = *book.get(incoming)?;
        let (resting, effective) = book.best_against(incoming.side, incoming.zone, &self.grid)?;
        let fee = self.config.market_fee;
        // The resting order trades at its own limit: an offer is paid it, a bid pays it all-in.
        let (bid, offer, price, suits) = match incoming.side {
            Side::Bid => (incoming, resting, resting.limit, effective.plus(fee) <= incoming.limit),
            Side::Offer => (resting, incoming, effective.minus(fee), effective.minus(fee) >= incoming.limit),
        };
        let energy = bid.remaining.min(offer.remaining);
        suits.then_some(Deal { bid, offer, energy, price, matching: Matching::Continuous })
    }

    /// Holds the call auction of a slot.
    pub(crate) fn uncross(&mut self, stamp: Stamp, slot: Slot, events: &mut Vec<Event>) {
        let orders: Vec<OpenOrder> = self.slots.get_mut(slot).book.orders().copied().collect();
        let Cleared { prices, exports_wh, pairs } = clearing::clear(&self.config, &self.grid, &orders);
        let energy = pairs.iter().fold(Energy::ZERO, |sum, pair| sum.plus(pair.energy));
        events.push(Event::AuctionCleared(Clearing {
            slot,
            energy,
            prices: prices.clone(),
            exports_wh,
            ..Clearing::default()
        }));
        for pair in pairs {
            let book = &self.slots.get_mut(slot).book;
            let [bid, offer] =
                [pair.bid, pair.offer].map(|id| *book.get(id).expect("the auction pairs open orders"));
            let price = prices[usize::from(offer.zone.0)];
            let deal = Deal { bid, offer, energy: pair.energy, price, matching: Matching::Auction };
            self.trade(stamp, slot, &deal, events);
        }
        let best_bids_suit = self.slots.get_mut(slot).book.is_crossed(&self.grid, self.config.market_fee);
        assert!(!best_bids_suit, "a greatest volume leaves no pair that could trade");
    }

    /// Makes one trade of two open orders.
    fn trade(&mut self, stamp: Stamp, slot: Slot, deal: &Deal, events: &mut Vec<Event>) {
        let Deal { bid, offer, energy, price, matching } = *deal;
        let trade = Trade {
            id: TradeId(LeafIndex(stamp.index.0 + 1 + events.len() as u64)),
            slot,
            bid: bid.id,
            offer: offer.id,
            buyer: bid.owner,
            seller: offer.owner,
            energy,
            price,
            wheeling: self.grid.wheeling(offer.zone, bid.zone),
            congestion: Price::ZERO,
            fee: self.config.market_fee,
            tariff_version: self.config.tariff_version,
            matching,
        };
        assert!(trade.buyer_price() <= bid.limit, "a buyer's total is at most his limit");
        assert!(trade.price >= offer.limit, "a seller's price is at least his limit");
        assert_ne!(trade.buyer, trade.seller, "an owner's open orders are on one side");

        self.accounts.release(trade.buyer, bid.limit.times(energy));
        self.accounts.reserve(trade.buyer, trade.buyer_price().times(energy));
        let state = self.slots.get_mut(slot);
        state.book.take(bid.id, energy);
        state.book.take(offer.id, energy);
        let buyer = state.standings.entry(trade.buyer).or_default();
        buyer.bids = buyer.bids.minus(energy);
        let seller = state.standings.entry(trade.seller).or_default();
        seller.offers = seller.offers.minus(energy);
        seller.sold = seller.sold.plus(energy);
        state.trades.push(trade);
        events.push(Event::TradeMade(trade));
    }
}
