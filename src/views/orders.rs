//! Orders and trades, as their owners see them.

use std::collections::{BTreeMap, BTreeSet};

use parkwatt_engine::{
    Energy, Event, Lapse, NewOrder, OrderId, ParticipantId, Phase, Price, Replacement, Side, Slot, Trade,
    TradeId, Worth,
};
use serde::{Deserialize, Serialize};

use super::placed::{Lists, Placed, add, forget};

/// Every order and trade of slots whose settlement is not final, and who had part in them. Of the others only the sums
/// are kept: the ledger has them all, and memory does not grow with its age.
#[derive(Default, Serialize, Deserialize)]
pub struct Orders {
    by_id: Placed,
    trades: BTreeMap<TradeId, TradeView>,
    placed_by: Lists<OrderId>,
    trades_of: Lists<TradeId>,
    open_in: BTreeMap<Slot, BTreeSet<OrderId>>,
    in_slot: BTreeMap<Slot, (Vec<OrderId>, Vec<TradeId>)>,
    final_sums: BTreeMap<ParticipantId, Delivered>,
    /// What changed in the books since it was last asked; no part of the picture.
    #[serde(skip)]
    changed: Vec<OrderChange>,
}

/// A change of an order in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderChange {
    pub(super) owner: ParticipantId,
    pub(super) order: NewOrder,
    /// How much more there is of it, in Wh.
    pub(super) energy: i64,
    /// Whether it came (1), stayed (0) or went (-1).
    pub(super) orders: i32,
}

/// What was delivered to and by a participant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// As a buyer.
    pub bought: Energy,
    /// As a seller.
    pub sold: Energy,
}

/// An order and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderView {
    /// Its name.
    pub id: OrderId,
    /// Whose it is.
    pub owner: ParticipantId,
    /// As it was placed, or as it is since it was replaced in its place.
    pub order: NewOrder,
    /// What has traded of it.
    pub traded: Energy,
    /// Where it is in its life.
    pub state: OrderState,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// In the book.
    Open,
    /// Traded whole.
    Filled,
    /// Withdrawn.
    Cancelled,
    /// Its time was over before it traded whole.
    Expired,
    /// It was immediate, and did not trade whole.
    Lapsed,
    /// Another order took its place.
    Replaced,
}

/// A trade and its delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TradeView {
    /// The trade.
    pub trade: Trade,
    /// What became of it, as the last settlement computed it; none before settlement.
    pub delivery: Option<DeliveryView>,
}

/// What was delivered of a trade; the three energies sum to the trade's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
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

impl Delivered {
    fn plus(self, view: &TradeView, participant: ParticipantId) -> Delivered {
        let delivered = view.delivered();
        if view.trade.buyer == participant {
            Delivered { bought: self.bought.plus(delivered), ..self }
        } else {
            Delivered { sold: self.sold.plus(delivered), ..self }
        }
    }
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

    fn change(&self, energy: i64, orders: i32) -> OrderChange {
        OrderChange { owner: self.owner, order: self.order, energy, orders }
    }
}

fn signed(energy: Energy) -> i64 {
    i64::try_from(energy.0).expect("an order's energy is at most the market's, far below 2^63 Wh")
}

impl Orders {
    /// Returns what changed in the books since this was last asked, in order.
    pub(super) fn take_changes(&mut self) -> Vec<OrderChange> {
        std::mem::take(&mut self.changed)
    }

    /// Returns a participant's orders, newest first.
    pub fn of(&self, owner: ParticipantId) -> impl Iterator<Item = &OrderView> {
        self.placed_by.get(&owner).into_iter().flatten().rev().map(|id| self.order(*id))
    }

    /// Returns a participant's trades, newest first.
    pub fn trades_of(&self, owner: ParticipantId) -> impl Iterator<Item = &TradeView> {
        self.trades_of.get(&owner).into_iter().flatten().rev().map(|id| &self.trades[id])
    }

    /// Returns what was delivered to and by a participant, ever.
    pub fn delivered(&self, participant: ParticipantId) -> Delivered {
        let begin = self.final_sums.get(&participant).copied().unwrap_or_default();
        self.trades_of(participant).fold(begin, |sum, view| sum.plus(view, participant))
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
        self.open_in.get(&slot).into_iter().flatten().map(|id| self.order(*id))
    }

    /// Returns what a participant's open orders and unsettled trades reserve (R8): what a bid may cost, and
    /// what an offer below zero may; then what is owed for what traded of them.
    pub fn reserved(&self, owner: ParticipantId) -> Worth {
        let need = |side: Side, limit: Price, energy: Energy| match side {
            Side::Bid => limit.times(energy),
            Side::Offer => Worth::ZERO.minus(limit.times(energy)),
        };
        let orders = self.of(owner).map(|view| need(view.order.side, view.order.limit, view.open_energy()));
        let unsettled = self.trades_of(owner).filter(|view| view.delivery.is_none());
        let trades = unsettled.map(|TradeView { trade, .. }| {
            if trade.buyer == owner {
                need(Side::Bid, trade.buyer_price(), trade.energy)
            } else {
                need(Side::Offer, trade.price, trade.energy)
            }
        });
        orders.chain(trades).map(|need| need.max(Worth::ZERO)).fold(Worth::ZERO, Worth::plus)
    }

    fn order(&self, id: OrderId) -> &OrderView {
        self.by_id.get(id).expect("only orders that were placed are in lists")
    }

    pub(super) fn placed(&mut self, id: OrderId, owner: ParticipantId, order: NewOrder) {
        let view = OrderView { id, owner, order, traded: Energy::ZERO, state: OrderState::Open };
        self.changed.push(view.change(signed(order.energy), 1));
        self.by_id.insert(view);
        add(&mut self.placed_by, owner, id);
        self.in_slot.entry(order.slot).or_default().0.push(id);
        self.open_in.entry(order.slot).or_default().insert(id);
    }

    pub(super) fn cancelled(&mut self, id: OrderId) {
        self.close(id, OrderState::Cancelled);
    }

    /// Draws an order that is changed: `id` is its own where it kept its place, and else that of a new order
    /// for what was open.
    pub(super) fn replaced(&mut self, it: &Replacement, id: OrderId) {
        let view = self.by_id.get_mut(it.order).expect("only orders that were placed are replaced");
        if id == it.order {
            self.changed.push(view.change(signed(it.energy) - signed(view.order.energy), 0));
            view.order.energy = it.energy;
            return;
        }
        let (owner, energy) = (view.owner, it.energy.minus(view.traded));
        let NewOrder { side, slot, time_in_force, .. } = view.order;
        self.close(it.order, OrderState::Replaced);
        let order = NewOrder { time_in_force, ..NewOrder::resting(side, slot, it.limit, energy) };
        self.placed(id, owner, order);
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::OrderLapsed { order, cause, .. } => {
                let state = match cause {
                    Lapse::Immediate => OrderState::Lapsed,
                    Lapse::Expired => OrderState::Expired,
                    Lapse::Cancelled => OrderState::Cancelled,
                };
                self.close(*order, state);
            }
            Event::TradeMade(trade) => {
                self.fill(trade.bid, trade.energy);
                self.fill(trade.offer, trade.energy);
                self.trades.insert(trade.id, TradeView { trade: *trade, delivery: None });
                add(&mut self.trades_of, trade.buyer, trade.id);
                add(&mut self.trades_of, trade.seller, trade.id);
                self.in_slot.entry(trade.slot).or_default().1.push(trade.id);
            }
            &Event::TradeDelivered {
                trade, delivered, seller_deviation, buyer_deviation, estimated, ..
            } => {
                let view = self.trades.get_mut(&trade).expect("only trades that were made are delivered");
                view.delivery =
                    Some(DeliveryView { delivered, seller_deviation, buyer_deviation, estimated });
            }
            Event::PhaseBegan { slot, phase: Phase::Closed } => {
                for id in self.open_in.remove(slot).unwrap_or_default() {
                    self.close(id, OrderState::Expired);
                }
            }
            Event::PhaseBegan { slot, phase: Phase::Final } => self.conclude(*slot),
            _ => {}
        }
    }

    /// Lets go of a slot whose settlement is final.
    fn conclude(&mut self, slot: Slot) {
        let (orders, trades) = self.in_slot.remove(&slot).unwrap_or_default();
        let mut gone = Lists::new();
        for id in orders {
            let view = self.by_id.remove(id).expect("an order stands in one slot");
            add(&mut gone, view.owner, id);
        }
        forget(&mut self.placed_by, &gone);
        let mut gone = Lists::new();
        for id in trades {
            let view = self.trades.remove(&id).expect("a trade stands in one slot");
            for participant in [view.trade.buyer, view.trade.seller] {
                let sum = self.final_sums.entry(participant).or_default();
                *sum = sum.plus(&view, participant);
                add(&mut gone, participant, id);
            }
        }
        forget(&mut self.trades_of, &gone);
    }

    fn fill(&mut self, id: OrderId, energy: Energy) {
        let view = self.by_id.get_mut(id).expect("only orders that were placed trade");
        view.traded = view.traded.plus(energy);
        self.changed.push(view.change(-signed(energy), 0));
        if view.traded == view.order.energy {
            view.close(OrderState::Filled, &mut self.open_in, &mut self.changed);
        }
    }

    fn close(&mut self, id: OrderId, state: OrderState) {
        let view = self.by_id.get_mut(id).expect("only orders that were placed are closed");
        view.close(state, &mut self.open_in, &mut self.changed);
    }
}

impl OrderView {
    fn close(
        &mut self,
        state: OrderState,
        open_in: &mut BTreeMap<Slot, BTreeSet<OrderId>>,
        changed: &mut Vec<OrderChange>,
    ) {
        if self.state == OrderState::Open {
            changed.push(self.change(-signed(self.open_energy()), -1));
        }
        self.state = state;
        if let Some(open) = open_in.get_mut(&self.order.slot) {
            open.remove(&self.id);
        }
    }
}
