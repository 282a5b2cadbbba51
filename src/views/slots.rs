//! Slots, as everybody sees them.

use std::collections::BTreeMap;

use parkwatt_engine::{Clearing, Energy, Event, Phase, Price, Slot, Worth};
use serde::{Deserialize, Serialize};

use super::Orders;

/// Every slot in which something happened.
#[derive(Default, Serialize, Deserialize)]
pub struct Slots(BTreeMap<Slot, SlotView>);

/// A slot's phase and volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SlotView {
    /// The phase that began last; none before the first.
    pub phase: Option<Phase>,
    /// What was traded.
    pub traded: Energy,
    /// What the sellers are paid for it.
    pub paid: Worth,
    /// What was delivered of it, as the last settlement computed it; zero before settlement.
    pub delivered: Energy,
    /// The auction's result.
    pub auction: Option<Clearing>,
}

impl SlotView {
    /// Returns the mean price of the slot's trades as the sellers are paid, rounded down; none where nothing
    /// traded.
    pub fn mean_price(&self) -> Option<Price> {
        let energy = i128::from(self.traded.0);
        let mean = |paid: i128| i64::try_from(paid.div_euclid(energy)).expect("a mean lies among its prices");
        (energy != 0).then(|| Price(mean(self.paid.0)))
    }
}

impl Slots {
    /// Returns a slot, if something happened in it.
    pub fn get(&self, slot: Slot) -> Option<&SlotView> {
        self.0.get(&slot)
    }

    /// Returns the slots of a range in which something happened, in order.
    pub fn range(&self, range: std::ops::Range<Slot>) -> impl Iterator<Item = (Slot, &SlotView)> {
        self.0.range(range).map(|(slot, view)| (*slot, view))
    }

    /// Draws an event, before `orders` does.
    pub(super) fn observe(&mut self, event: &Event, orders: &Orders) {
        match event {
            Event::PhaseBegan { slot, phase } => self.0.entry(*slot).or_default().phase = Some(*phase),
            Event::AuctionCleared(clearing) => {
                self.0.entry(clearing.slot).or_default().auction = Some((**clearing).clone());
            }
            Event::TradeMade(trade) => {
                let view = self.0.entry(trade.slot).or_default();
                view.traded = view.traded.plus(trade.energy);
                view.paid = view.paid.plus(trade.price.times(trade.energy));
            }
            Event::TradeDelivered { trade, delivered, .. } => {
                let before = orders.trade(*trade).expect("only trades that were made are delivered");
                let view = self.0.entry(before.trade.slot).or_default();
                // The last delivery of a trade holds: it takes the place of the one before it.
                view.delivered = view.delivered.minus(before.delivered()).plus(*delivered);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{LeafIndex, Matching, NewOrder, OrderId, ParticipantId, Side, Trade, TradeId};

    use super::*;
    use crate::views::Delivered;

    const SLOT: Slot = Slot(7);

    fn trade(id: u64) -> Trade {
        let order = |position| OrderId { index: LeafIndex(0), position };
        Trade {
            id: TradeId(LeafIndex(id)),
            slot: SLOT,
            bid: order(0),
            offer: order(1),
            buyer: ParticipantId(0),
            seller: ParticipantId(1),
            energy: Energy(10),
            price: Price(4),
            wheeling: Price::ZERO,
            congestion: Price::ZERO,
            fee: Price::ZERO,
            tariff_version: 1,
            matching: Matching::Continuous,
        }
    }

    #[test]
    fn the_last_delivery_of_a_trade_holds_and_so_does_the_last_phase() {
        let (mut slots, mut orders) = (Slots::default(), Orders::default());
        for (position, side) in [(0, Side::Bid), (1, Side::Offer)] {
            let order = NewOrder::resting(side, SLOT, Price(4), Energy(20));
            let (id, owner) = (OrderId { index: LeafIndex(0), position }, ParticipantId(position.into()));
            orders.placed(id, owner, order);
        }
        let mut observe = |event: Event| {
            slots.observe(&event, &orders);
            orders.observe(&event);
            let view = slots.get(SLOT).cloned().unwrap_or_default();
            (view.phase, view.delivered.0, orders.reserved(ParticipantId(0)).0)
        };
        let began = |phase| Event::PhaseBegan { slot: SLOT, phase };
        let delivered = |id, wh| Event::TradeDelivered {
            trade: TradeId(LeafIndex(id)),
            slot: SLOT,
            buyer: ParticipantId(0),
            seller: ParticipantId(1),
            delivered: Energy(wh),
            seller_deviation: Energy(10 - wh),
            buyer_deviation: Energy::ZERO,
            estimated: false,
        };
        for (event, expected) in [
            (Event::TradeMade(trade(1)), (None, 0, 80)),
            (Event::TradeMade(trade(2)), (None, 0, 80)),
            (began(Phase::Closed), (Some(Phase::Closed), 0, 80)),
            (delivered(1, 8), (Some(Phase::Closed), 8, 40)),
            (delivered(2, 6), (Some(Phase::Closed), 14, 0)),
            (began(Phase::Settled), (Some(Phase::Settled), 14, 0)),
            (delivered(2, 9), (Some(Phase::Settled), 17, 0)),
            (delivered(1, 1), (Some(Phase::Settled), 10, 0)),
            (began(Phase::Resettled), (Some(Phase::Resettled), 10, 0)),
            (began(Phase::Final), (Some(Phase::Final), 10, 0)),
        ] {
            assert_eq!(observe(event.clone()), expected, "{event:?}");
        }

        // What is final is let go of, and its sums are kept.
        let [buyer, seller] = [0, 1].map(ParticipantId);
        assert_eq!((orders.of(buyer).count(), orders.of(seller).count(), orders.trades().count()), (0, 0, 0));
        assert_eq!(orders.trades_of(buyer).count(), 0);
        assert_eq!(orders.delivered(buyer), Delivered { bought: Energy(10), sold: Energy(0) });
        assert_eq!(orders.delivered(seller), Delivered { bought: Energy(0), sold: Energy(10) });
    }
}
