//! How scenarios tell what a market answers, and what can be read of it.

use parkwatt_engine::*;

use super::{SLOT, World};
use crate::words::{self, Words};

impl World {
    pub(super) fn prices(&self) -> String {
        let prices = &self.clearing.as_ref().expect("an auction was held").prices;
        prices.iter().map(|price| words::price(*price)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn flow(&self, words: &mut Words) -> String {
        let zone = usize::from(self.zone(words.next()).0);
        let wh = self.clearing.as_ref().expect("an auction was held").exports_wh[zone];
        let amount = words::energy(Energy(wh.unsigned_abs()));
        if wh < 0 { format!("{amount} down") } else { format!("{amount} up") }
    }

    pub(super) fn open(&self, words: &mut Words) -> String {
        let owner = self.id(words.next());
        let own = self.market().open_orders(SLOT).filter(|order| order.owner == owner);
        own.map(|it| format!("{} at {}", words::energy(it.remaining), words::price(it.limit)))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(super) fn describe(&self, trade: &Trade) -> String {
        let Trade { energy, price, .. } = *trade;
        let (buyer, seller) = (self.name(trade.buyer), self.name(trade.seller));
        let pays = match trade.buyer_price() {
            total if total == price => String::new(),
            total => format!(" paying {}", words::price(total)),
        };
        format!("{buyer} from {seller} {} at {}{pays}", words::energy(energy), words::price(price))
    }

    pub(super) fn describe_delivery(
        &self,
        trade: TradeId,
        delivered: Energy,
        by_seller: Energy,
        by_buyer: Energy,
    ) -> String {
        let trade =
            self.trades.iter().find(|made| made.id == trade).expect("only what was traded is delivered");
        let (buyer, seller) = (self.name(trade.buyer), self.name(trade.seller));
        let less = |energy: Energy, of| match energy {
            Energy::ZERO => String::new(),
            energy => format!(" less {} of {of}", words::energy(energy)),
        };
        let delivered = words::energy(delivered);
        format!("{buyer} from {seller} {delivered}{}{}", less(by_seller, seller), less(by_buyer, buyer))
    }

    pub(super) fn describe_outcome(&mut self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Rejected(rejection) => self.describe_rejection(rejection),
            Outcome::Enrolled(ParticipantId(number)) => format!("enrolled as {number}"),
            Outcome::Deposited => "deposited".to_owned(),
            Outcome::Placed(orders) => {
                self.last_order = orders.iter().rev().find_map(|order| order.ok());
                let one = |order: Result<OrderId, Rejection>| match order {
                    Ok(_) => "accepted".to_owned(),
                    Err(rejection) => self.describe_rejection(rejection),
                };
                orders.into_iter().map(one).collect::<Vec<_>>().join("; ")
            }
            Outcome::Cancelled(energy) => format!("cancelled {}", words::energy(energy)),
            Outcome::ReadingTaken => "taken".to_owned(),
            Outcome::Retired => "retired".to_owned(),
        }
    }

    pub(super) fn describe_rejection(&mut self, rejection: Rejection) -> String {
        self.codes.insert(rejection.code());
        rejection.code().to_owned()
    }
}
