//! Slots, as everybody sees them.

use std::collections::BTreeMap;

use parkwatt_engine::{Clearing, Energy, Event, Phase, Price, Slot, Worth};

use super::Orders;

/// Every slot in which something happened.
#[derive(Default)]
pub struct Slots(BTreeMap<Slot, SlotView>);

/// A slot's phase and volume.
#[derive(Clone, Debug, Default)]
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
                self.0.entry(clearing.slot).or_default().auction = Some(clearing.clone());
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
