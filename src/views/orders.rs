//! Orders and trades, as their owners see them.

use std::collections::{BTreeMap, BTreeSet};

use parkwatt_engine::{
    Energy, Event, NewOrder, OrderId, ParticipantId, Phase, Side, Slot, Trade, TradeId, Worth,
};

/// Every order and trade, and who had part in them.
#[derive(Default)]
pub struct Orders {
    by_id: BTreeMap<OrderId, OrderView>,
    trades: BTreeMap<TradeId, TradeView>,
    placed_by: BTreeMap<ParticipantId, Vec<OrderId>>,
    trades_of: BTreeMap<ParticipantId, Vec<TradeId>>,
    open_in: BTreeMap<Slot, BTreeSet<OrderId>>,
}

/// An order and what became of it.
#[derive(Clone, Debug)]
pub struct OrderView {
    /// Its name.
    pub id: OrderId,
    /// Whose it is.
    pub owner: ParticipantId,
    /// As it was placed.
    pub order: NewOrder,
    /// What has traded of it.
    pub traded: Energy,
    /// Where it is in its life.
    pub state: OrderState,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// In the book.
    Open,
    /// Traded whole.
    Filled,
    /// Withdrawn.
    Cancelled,
    /// The gate closed before it traded whole.
    Expired,
}

/// A trade and its delivery.
#[derive(Clone, Debug)]
pub struct TradeView {
    /// The trade.
    pub trade: Trade,
    /// What became of it; none before settlement.
    pub delivery: Option<DeliveryView>,
}

/// What was delivered of a trade; the three energies sum to the trade's.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryView {
    /// What was delivered.
    pub delivered: Energy,
    /// What the seller did not feed in.
    pub seller_deviation: Energy,
    /// What the buyer did not draw.
    pub buyer_deviation: Energy,
    /// A reading was missing, and that side counted as traded.
    pub estimated: bool,
}

impl TradeView {
    /// Returns what was delivered; nothing before settlement.
    pub fn delivered(&self) -> Energy {
        self.delivery.map_or(Energy::ZERO, |delivery| delivery.delivered)
    }
}

impl OrderView {
    /// Returns what is left in the book.
    pub fn open_energy(&self) -> Energy {
        match self.state {
            OrderState::Open => self.order.energy.minus(self.traded),
            _ => Energy::ZERO,
        }
    }
}

impl Orders {
    /// Returns a participant's orders, newest first.
    pub fn of(&self, owner: ParticipantId) -> impl Iterator<Item = &OrderView> {
        self.placed_by.get(&owner).into_iter().flatten().rev().map(|id| &self.by_id[id])
    }

    /// Returns a participant's trades, newest first.
    pub fn trades_of(&self, owner: ParticipantId) -> impl Iterator<Item = &TradeView> {
        self.trades_of.get(&owner).into_iter().flatten().rev().map(|id| &self.trades[id])
    }

    /// Returns all trades, newest first.
    pub fn trades(&self) -> impl Iterator<Item = &TradeView> {
        self.trades.values().rev()
    }

    /// Returns a trade by its id.
    pub fn trade(&self, id: TradeId) -> Option<&TradeView> {
        self.trades.get(&id)
    }

    /// Returns the orders in the book of a slot, in order of arrival.
    pub fn open_in(&self, slot: Slot) -> impl Iterator<Item = &OrderView> {
        self.open_in.get(&slot).into_iter().flatten().map(|id| &self.by_id[id])
    }

    /// Returns what a participant's open bids and unsettled purchases reserve (R8).
    pub fn reserved(&self, owner: ParticipantId) -> Worth {
        let bids = self.of(owner).filter(|view| view.order.side == Side::Bid);
        let bids = bids.map(|view| view.order.limit.times(view.open_energy()));
        let trades =
            self.trades_of(owner).filter(|view| view.trade.buyer == owner && view.delivery.is_none());
        let trades = trades.map(|view| view.trade.buyer_price().times(view.trade.energy));
        bids.chain(trades).map(|need| need.max(Worth::ZERO)).fold(Worth::ZERO, Worth::plus)
    }

    pub(super) fn placed(&mut self, id: OrderId, owner: ParticipantId, order: NewOrder) {
        let view = OrderView { id, owner, order, traded: Energy::ZERO, state: OrderState::Open };
        self.by_id.insert(id, view);
        self.placed_by.entry(owner).or_default().push(id);
        self.open_in.entry(order.slot).or_default().insert(id);
    }

    pub(super) fn cancelled(&mut self, id: OrderId) {
        self.close(id, OrderState::Cancelled);
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::TradeMade(trade) => {
                self.fill(trade.bid, trade.energy);
                self.fill(trade.offer, trade.energy);
                self.trades.insert(trade.id, TradeView { trade: *trade, delivery: None });
                self.trades_of.entry(trade.buyer).or_default().push(trade.id);
                self.trades_of.entry(trade.seller).or_default().push(trade.id);
            }
            &Event::TradeDelivered { trade, delivered, seller_deviation, buyer_deviation, estimated } => {
                let view = self.trades.get_mut(&trade).expect("only trades that were made are delivered");
                view.delivery =
                    Some(DeliveryView { delivered, seller_deviation, buyer_deviation, estimated });
            }
            Event::PhaseBegan { slot, phase: Phase::Closed } => {
                for id in self.open_in.remove(slot).unwrap_or_default() {
                    self.close(id, OrderState::Expired);
                }
            }
            _ => {}
        }
    }

    fn fill(&mut self, id: OrderId, energy: Energy) {
        let view = self.by_id.get_mut(&id).expect("only orders that were placed trade");
        view.traded = view.traded.plus(energy);
        if view.traded == view.order.energy {
            self.close(id, OrderState::Filled);
        }
    }

    fn close(&mut self, id: OrderId, state: OrderState) {
        let view = self.by_id.get_mut(&id).expect("only orders that were placed are closed");
        view.state = state;
        if let Some(open) = self.open_in.get_mut(&view.order.slot) {
            open.remove(&id);
        }
    }
}
