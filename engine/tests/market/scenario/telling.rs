//! How scenarios tell what a market answers, and what can be read of it.

use parkwatt_engine::*;

use super::{SLOT, World};
use crate::twin::machine::Machine;
use crate::words::{self, Words};

impl<M: Machine> World<M> {
    /// Remembers what happened, counts its leaves, and returns what of it a line's answer tells.
    pub(super) fn note(&mut self, events: &[Event]) -> String {
        let mut told = Vec::new();
        for (position, event) in (self.next_index + 1..).zip(events) {
            match event {
                Event::TradeMade(trade) => {
                    assert_eq!(trade.id, TradeId(LeafIndex(position)), "a trade's id is its leaf's index");
                    self.trades.push(*trade);
                    if trade.matching == Matching::Continuous {
                        told.push(self.describe(trade));
                    }
                }
                Event::AuctionCleared(clearing) => {
                    told.push(format!("cleared {}", words::energy(clearing.energy)));
                    self.clearing = Some((**clearing).clone());
                }
                Event::OrderLapsed { owner, energy, cause, .. } => {
                    let why = match cause {
                        Lapse::Immediate => "immediate",
                        Lapse::Expired => "expired",
                        Lapse::Cancelled => "cancelled",
                    };
                    told.push(format!("{} of {} lapsed ({why})", words::energy(*energy), self.name(*owner)));
                }
                Event::TradeDelivered {
                    trade,
                    delivered,
                    seller_deviation,
                    buyer_deviation,
                    estimated,
                    ..
                } => {
                    let parts =
                        self.describe_delivery(*trade, *delivered, *seller_deviation, *buyer_deviation);
                    let mark = if *estimated { " estimated" } else { "" };
                    self.delivered.insert(*trade, format!("{parts}{mark}"));
                }
                Event::Metered { .. } => self.metered.push(describe_metered(event)),
                Event::Posted(posting) => {
                    let [from, to] = [posting.from, posting.to].map(|account| self.account_name(account));
                    self.moved.push(format!("{from} to {to} {}", words::worth(posting.amount)));
                }
                Event::PhaseBegan { phase, .. } => told.push(phase.to_string()),
                of_certificates => told.extend(self.describe_step(of_certificates)),
            }
        }
        self.next_index += 1 + events.len() as u64;
        told.join(", ")
    }

    pub(super) fn flow(&self, words: &mut Words) -> String {
        let zone = usize::from(self.zone(words.next()).0);
        let wh = self.clearing().exports_wh[zone];
        let amount = words::energy(Energy(wh.unsigned_abs()));
        if wh < 0 { format!("{amount} down") } else { format!("{amount} up") }
    }

    pub(super) fn passed_over(&self) -> String {
        let amount = |pair: &Pair| words::energy(pair.energy);
        self.clearing().passed_over.iter().map(amount).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn indicative(&self) -> String {
        let Some(clearing) = self.market().indicative(SLOT) else { return "none".to_owned() };
        let energy = words::energy(clearing.energy);
        match clearing.prices.as_slice() {
            [] => energy,
            prices => format!("{energy} at {}", words::prices(prices)),
        }
    }

    pub(super) fn open(&self, words: &mut Words) -> String {
        let owner = self.id(words.next());
        let orders = self.market().open_orders(SLOT).into_iter().filter(|order| order.owner == owner);
        let tell = |it: crate::twin::machine::Rest| {
            format!("{} at {}", words::energy(it.remaining), words::price(it.limit))
        };
        orders.map(tell).collect::<Vec<_>>().join(", ")
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

    fn describe_delivery(
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
            Outcome::KeyRotated => "rotated".to_owned(),
            Outcome::Placed(orders) => {
                self.last_order = orders.iter().rev().find_map(|order| order.ok());
                let one = |order: Result<OrderId, Rejection>| match order {
                    Ok(_) => "accepted".to_owned(),
                    Err(rejection) => self.describe_rejection(rejection),
                };
                orders.into_iter().map(one).collect::<Vec<_>>().join("; ")
            }
            Outcome::Cancelled(energy) => format!("cancelled {}", words::energy(energy)),
            Outcome::Replaced(order) => {
                self.last_order = Some(order);
                "replaced".to_owned()
            }
            Outcome::CancelledAll { orders, energy } => {
                format!("cancelled {orders} of {}", words::energy(energy))
            }
            Outcome::ReadingTaken => "taken".to_owned(),
            Outcome::PaidOut(fen) => format!("paid out {fen} fen"),
            Outcome::TariffsPublished => "published".to_owned(),
            Outcome::Retired(_) => "retired".to_owned(),
            Outcome::Transferred => "transferred".to_owned(),
            Outcome::Bundled { gecs, left } => format!("bundled {gecs}, {} left", words::energy(left)),
            Outcome::CertificateWithdrawn => "withdrawn".to_owned(),
        }
    }

    fn describe_rejection(&mut self, rejection: Rejection) -> String {
        self.codes.insert(rejection.code());
        rejection.code().to_owned()
    }

    fn account_name(&self, account: Account) -> &str {
        match account {
            Account::Participant(id) => self.name(id),
            Account::Supplier => "supplier",
            Account::Network => "network",
            Account::Congestion => "congestion",
            Account::Market => "market",
            Account::Bank => "bank",
            Account::Rounding => "rounding",
        }
    }
}

/// Tells `import 1 kWh export 2 kWh`, with the slot where it is another, and what else is unusual.
fn describe_metered(event: &Event) -> String {
    let Event::Metered { slot, import, export, generation, quality, .. } = event else {
        unreachable!("it is told of what was metered")
    };
    let slot = match i64::from(slot.0) - i64::from(SLOT.0) {
        0 => String::new(),
        offset => format!("in {offset:+} "),
    };
    let generation = match *generation {
        Energy::ZERO => String::new(),
        generation => format!(" generation {}", words::energy(generation)),
    };
    let quality = match quality {
        Quality::Measured => "",
        Quality::Estimated => " estimated",
        Quality::Substituted => " substituted",
    };
    format!("{slot}import {} export {}{generation}{quality}", words::energy(*import), words::energy(*export))
}
