//! Matching: how orders in a book become trades, one by one as they come (R5) and all at once (R6).
//!
//! Knows books, the grid's charges and room, and the clearing; who may place an order is `checks.rs`, and how
//! an order walks through a book `book/meeting.rs` and `book/plan.rs`.
//! Keeps: a buyer's total is at most his limit, and a seller's price at least his; no flow exceeds its edge's
//! capacity; a trade stays reserved at what its owners owe for it, and the rest of what its part of an order
//! reserved is released.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::accounts::need;
use crate::book::{ALLOWED, Crossing, Fill, Handle, Incoming, OpenOrder, unpack};
use crate::chunks::Chunks;
use crate::clearing::{self, Cleared};
use crate::deals::Deal;
use crate::slots::SlotState;
use crate::standings::Standings;
use crate::{
    Clearing, Energy, Event, LeafIndex, Market, Matching, Pair, ParticipantId, Phase, Price, Side, Slot,
    Stamp, TariffVersion, Trade, TradeId, Worth,
};

/// Where the trades of an order go that it makes with orders that rest.
pub(crate) struct Records<'a> {
    slot: Slot,
    side: Side,
    /// The worst rank that it may trade at.
    worst: i64,
    /// The order's id, packed, and whose it is.
    own: (u64, ParticipantId),
    fee: Price,
    tariff_version: u32,
    /// The index of the leaf of the first of `events`.
    first_leaf: u64,
    events: &'a mut Vec<Event>,
    deals: &'a mut Chunks<Deal>,
    standings: &'a mut Standings,
    /// What the order's owner owes for them.
    pub(crate) needed: Worth,
}

impl<'a> Records<'a> {
    #[inline]
    pub(crate) fn new(
        at: (LeafIndex, Slot, &Incoming),
        tariffs: &TariffVersion,
        deals: &'a mut Chunks<Deal>,
        standings: &'a mut Standings,
        events: &'a mut Vec<Event>,
    ) -> Records<'a> {
        let (command, slot, incoming) = at;
        Records {
            slot,
            side: incoming.side(),
            // OK because ranks are far from the ends of 63 bits.
            worst: incoming.rank.wrapping_neg(),
            own: (incoming.id, incoming.owner),
            fee: tariffs.config.market_fee,
            tariff_version: tariffs.config.tariff_version,
            first_leaf: command.0 + 1,
            events,
            deals,
            standings,
            needed: Worth::ZERO,
        }
    }
}

impl Records<'_> {
    /// Records a trade.
    #[expect(clippy::inline_always, reason = "it is on the path of every trade")]
    #[inline(always)]
    pub(crate) fn see(&mut self, fill: &Fill) {
        assert!(fill.effective <= self.worst, "both limits are kept");
        assert!(fill.owner != self.own.1, "own orders never trade with each other");
        let (side, on_top) = (self.side, Price(fill.way));
        // The resting order trades at its own limit: an offer is paid it, a bid pays it all-in. So what it
        // owes is exactly what it reserved.
        let (other, own_price) = ((fill.id, fill.owner), fill.own_price(side));
        let (bid, offer, price) = match side {
            Side::Bid => (self.own, other, own_price.minus(on_top)),
            Side::Offer => (other, self.own, own_price),
        };
        let trade = Trade {
            id: TradeId(LeafIndex(self.first_leaf + self.events.len() as u64)),
            slot: self.slot,
            bid: unpack(bid.0),
            offer: unpack(offer.0),
            buyer: bid.1,
            seller: offer.1,
            energy: fill.energy,
            price,
            wheeling: on_top.minus(self.fee),
            congestion: Price::ZERO,
            fee: self.fee,
            tariff_version: self.tariff_version,
            matching: Matching::Continuous,
        };
        if fill.effective > 0 {
            self.needed = self.needed.plus(Price(fill.effective).times(fill.energy));
        }
        if fill.is_whole {
            self.standings.of_open(fill.owner).open -= 1;
        }
        self.deals.push(Deal::of(&trade));
        self.events.push(Event::TradeMade(trade));
    }
}

impl Market {
    /// Lets the resting orders trade that can since there is room for them, each in order of arrival with
    /// those that came before it, until none can.
    pub(crate) fn trade_what_has_room(&mut self, command: LeafIndex, slot: Slot, events: &mut Vec<Event>) {
        // The last order that has had its turn, and whether any has traded since the first one had.
        let (mut last, mut has_traded) = (None, false);
        while self.slots.get_mut(slot).may_be_blocked {
            let state = self.slots.get_mut(slot);
            let Crossing { orders, is_blocked } =
                state.book.crossing(&self.tariffs.get(state.tariffs).grid, &state.flows);
            state.may_be_blocked = is_blocked || !orders.is_empty();
            let before = events.len();
            let makes_room = orders.into_iter().filter(|(id, _)| Some(*id) > last).find(|&(id, handle)| {
                let is_open = self.slots.get_mut(slot).book.is_open(handle, id);
                is_open && self.trade_resting(command, slot, handle, events)
            });
            has_traded |= events.len() > before;
            if let Some((id, _)) = makes_room {
                // Others may be able to trade now that could not before: those behind it are next.
                last = Some(id);
            } else if has_traded {
                (last, has_traded) = (None, false);
            } else {
                return;
            }
        }
    }

    /// Lets a resting order trade, as if it came now, with those that came before it. Returns
    /// whether that made room where there was none.
    fn trade_resting(
        &mut self,
        command: LeafIndex,
        slot: Slot,
        handle: Handle,
        events: &mut Vec<Event>,
    ) -> bool {
        let state = self.slots.get_mut(slot);
        let order = state.book.at(handle);
        let OpenOrder { owner, side, limit, .. } = order;
        let tariffs = self.tariffs.get(state.tariffs);
        let incoming = state.book.incoming(&order).expect(ALLOWED);
        self.plan.make(&state.book, &tariffs.grid, &state.flows, &incoming);
        if self.plan.fills().is_empty() {
            return false;
        }
        let makes_room = state.book.execute(&tariffs.grid, &mut state.flows, &incoming, self.plan.fills());
        let SlotState { deals, standings, .. } = state;
        let first = events.len();
        let mut records = Records::new((command, slot, &incoming), tariffs, deals, standings, events);
        self.plan.fills().iter().for_each(|fill| records.see(fill));
        let (needed, filled) = (records.needed, self.plan.filled());
        self.slots.forget_expiries_of_traded(slot, &events[first..]);
        self.accounts.release(owner, need(side, limit, filled));
        self.accounts.reserve(owner, needed);
        self.close_traded(slot, handle, filled);
        makes_room
    }

    /// Takes what has traded of a resting order out of its book, and counts it as closed, and as sold.
    fn close_traded(&mut self, slot: Slot, handle: Handle, energy: Energy) {
        let state = self.slots.get_mut(slot);
        let OpenOrder { id, owner, remaining, .. } = state.book.at(handle);
        let is_whole = energy == remaining;
        if is_whole {
            state.standings.get_mut(owner).open -= 1;
            state.book.remove(handle);
            self.slots.forget_expiry(id);
        } else {
            state.book.reduce(handle, energy);
        }
    }

    /// Returns the result that the call auction of `slot` would have now; nothing where none is to come, or
    /// nothing was ordered yet.
    pub fn indicative(&self, slot: Slot) -> Option<Clearing> {
        let state = self.slots.get(slot).filter(|state| state.phase == Phase::Auction)?;
        let TariffVersion { config, grid, .. } = self.tariffs.get(state.tariffs);
        Some(clearing::clear(config, grid, slot, &state.book).clearing)
    }

    /// Holds the call auction of a slot.
    pub(crate) fn uncross(&mut self, stamp: Stamp, slot: Slot, events: &mut Vec<Event>) {
        let state = self.slots.get(slot).expect("only held slots are cleared");
        let TariffVersion { config, grid, .. } = self.tariffs.get(state.tariffs);
        let Cleared { clearing, pairs } = clearing::clear(config, grid, slot, &state.book);
        let prices = clearing.prices.clone();
        let has_passed_over = !clearing.passed_over.is_empty();
        events.push(Event::AuctionCleared(Box::new(clearing)));
        for pair in pairs {
            self.trade_pair(stamp, slot, &prices, pair, events);
        }
        // Orders that a full edge or their owner kept apart may stand crossed from now on; those that were
        // passed over may trade with others at once.
        self.slots.get_mut(slot).may_be_blocked = true;
        if has_passed_over {
            self.trade_what_has_room(stamp.index, slot, events);
        }
    }

    /// Makes one trade of an auction.
    fn trade_pair(
        &mut self,
        stamp: Stamp,
        slot: Slot,
        prices: &[Price],
        pair: Pair,
        events: &mut Vec<Event>,
    ) {
        let Pair { bid: bid_id, offer: offer_id, energy } = pair;
        let [bid_handle, offer_handle] =
            [bid_id, offer_id].map(|id| self.slots.placed(id).expect("the auction pairs open orders").handle);
        let state = self.slots.get_mut(slot);
        let (bid, offer) = (state.book.at(bid_handle), state.book.at(offer_handle));
        assert_eq!((bid.id, offer.id), (bid_id, offer_id), "the auction pairs open orders");
        let [buyers, price] = [bid.zone, offer.zone].map(|zone| prices[usize::from(zone.0)]);
        let TariffVersion { ref grid, ref config, .. } = *self.tariffs.get(state.tariffs);
        grid.send_between(&mut state.flows, Side::Bid, bid.zone, offer.zone, energy);
        let wheeling = grid.wheeling(offer.zone, bid.zone);
        let base = grid.wheeling(bid.zone, bid.zone);
        let trade = Trade {
            id: TradeId(LeafIndex(stamp.index.0 + 1 + events.len() as u64)),
            slot,
            bid: bid.id,
            offer: offer.id,
            buyer: bid.owner,
            seller: offer.owner,
            energy,
            price,
            wheeling,
            congestion: buyers.minus(price).minus(wheeling.minus(base)),
            fee: config.market_fee,
            tariff_version: config.tariff_version,
            matching: Matching::Auction,
        };
        assert!(keeps(Side::Bid, bid.limit, trade.buyer_price()), "a buyer's total is at most his limit");
        assert!(keeps(Side::Offer, offer.limit, trade.price), "a seller's price is at least his limit");
        assert!(trade.congestion >= Price::ZERO, "trades go along the flows");
        assert_ne!(trade.buyer, trade.seller, "own orders never trade with each other");
        state.deals.push(Deal::of(&trade));
        events.push(Event::TradeMade(trade));

        self.accounts.release(trade.buyer, need(Side::Bid, bid.limit, energy));
        self.accounts.reserve(trade.buyer, need(Side::Bid, trade.buyer_price(), energy));
        self.accounts.release(trade.seller, need(Side::Offer, offer.limit, energy));
        self.accounts.reserve(trade.seller, need(Side::Offer, trade.price, energy));
        self.close_traded(slot, bid_handle, energy);
        self.close_traded(slot, offer_handle, energy);
    }
}

/// Returns whether a price suits an order's limit: of a bid all-in, of an offer net.
fn keeps(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Offer => price >= limit,
    }
}
