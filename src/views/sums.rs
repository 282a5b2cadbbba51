//! What a slot came to for all together, as everybody may know it: added up as it happens, so that nothing need be
//! added up while somebody waits for it.
//!
//! Knows whose things are; keeps nobody's, but whether enough have certificates that none is seen through their sum.

use std::collections::BTreeMap;

use parkwatt_engine::{
    CertificateClass, CertificateUse, Energy, Event, ParticipantId, Phase, Posting, Price, Purpose, Side,
    Slot, Trade, Worth, ZoneId,
};
use serde::{Deserialize, Serialize};

use super::Views;

/// Of how many participants a sum must be before it is shown: of two, each knows the other's part.
pub const PARTICIPANTS_MIN: usize = 3;

/// The sums of one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotSums {
    /// How many trades were made.
    pub trades: u64,
    /// What the buyers pay for what was traded, all-in.
    pub all_in: Worth,
    /// What feed-in alone would pay for it.
    pub feed_in: Worth,
    /// What retail alone would cost for it.
    pub retail: Worth,
    /// What trades sent from each zone to its parent, in the zones' order, in Wh; empty before the first.
    pub flows_wh: Vec<i64>,
    /// By how much sellers got more for what was delivered than feed-in alone pays.
    pub sellers_gain: Worth,
    /// By how much buyers paid less for what was delivered than retail alone costs.
    pub buyers_gain: Worth,
    /// What was charged for what was not delivered.
    pub deviation: Worth,
    /// Certificates of the slot's generation.
    pub certificates: CertificateSums,
    /// The orders that the auction met, level by level; empty before it, and once the settlement is final.
    pub auction_book: Vec<BookLevel>,
}

/// What became of the certificates of a slot's generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSums {
    /// Issued for energy that was fed in, by producer.
    pub issued: SumOfSome,
    /// Issued for what producers consumed themselves, by producer.
    pub self_consumed: SumOfSome,
    /// Claimed, by holder, as the rest.
    pub retired: SumOfSome,
    /// In national certificates.
    pub bundled: SumOfSome,
    /// Expired.
    pub expired: SumOfSome,
    /// Withdrawn, whatever had become of them.
    pub voided: SumOfSome,
}

/// A sum of what some participants have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumOfSome {
    /// How much, in Wh.
    pub wh: u64,
    /// The first of those whose it is or was, at most [`PARTICIPANTS_MIN`].
    pub whose: Vec<ParticipantId>,
}

impl SumOfSome {
    fn add(&mut self, energy: Energy, whose: ParticipantId) {
        self.wh += energy.0;
        if self.whose.len() < PARTICIPANTS_MIN && !self.whose.contains(&whose) {
            self.whose.push(whose);
        }
    }

    fn take(&mut self, energy: Energy) {
        self.wh -= energy.0;
    }
}

/// All open orders of one side at one limit in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLevel {
    /// The side.
    pub side: Side,
    /// The zone.
    pub zone: ZoneId,
    /// The limit: of bids all-in, of offers net.
    pub limit: Price,
    /// How much, in Wh.
    pub energy_wh: u64,
    /// How many orders.
    pub orders: u32,
}

impl Views {
    /// Returns the sums of a slot, if something happened in it.
    pub fn sums(&self, slot: Slot) -> Option<&SlotSums> {
        self.sums.get(&slot)
    }

    /// Returns the open orders of a slot, level by level: bids first, by zone, best first.
    pub fn levels(&self, slot: Slot) -> Vec<BookLevel> {
        // Bids are best where highest, so their key is turned round.
        let mut levels: BTreeMap<(Side, ZoneId, i64), (u64, u32)> = BTreeMap::new();
        for view in self.orders.open_in(slot) {
            let (side, limit) = (view.order.side, view.order.limit.0);
            let zone = self.participants[view.owner.0 as usize].zone;
            let level = levels.entry((side, zone, if side == Side::Bid { -limit } else { limit }));
            let (energy, orders) = level.or_default();
            *energy += view.open_energy().0;
            *orders += 1;
        }
        let level = |((side, zone, key), (energy_wh, orders)): ((Side, ZoneId, i64), (u64, u32))| BookLevel {
            side,
            zone,
            limit: Price(if side == Side::Bid { -key } else { key }),
            energy_wh,
            orders,
        };
        levels.into_iter().map(level).collect()
    }

    /// Draws an event, before `orders` does.
    pub(super) fn sum(&mut self, event: &Event) {
        match event {
            Event::AuctionCleared(clearing) => {
                let book = self.levels(clearing.slot);
                self.sums_of(clearing.slot).auction_book = book;
            }
            Event::TradeMade(trade) => self.sum_trade(trade),
            Event::TradeDelivered { trade, delivered, .. } => {
                let before = self.orders.trade(*trade).expect("only trades that were made are delivered");
                let (trade, was) = (before.trade, before.delivered());
                let tariff = self.tariff(trade.slot);
                let (of_seller, of_buyer) =
                    (trade.price.minus(tariff.feed_in), tariff.retail.minus(trade.buyer_price()));
                let sums = self.sums_of(trade.slot);
                let more = |gain: Worth, per_kwh: Price| {
                    gain.plus(per_kwh.times(*delivered)).minus(per_kwh.times(was))
                };
                sums.sellers_gain = more(sums.sellers_gain, of_seller);
                sums.buyers_gain = more(sums.buyers_gain, of_buyer);
            }
            Event::Posted(Posting { amount, purpose: Purpose::Deviation(trade), .. }) => {
                let slot = self.orders.trade(*trade).expect("only trades that were made deviate").trade.slot;
                let sums = self.sums_of(slot);
                sums.deviation = sums.deviation.plus(*amount);
            }
            Event::PhaseBegan { slot, phase: Phase::Final } => {
                if let Some(sums) = self.sums.get_mut(slot) {
                    sums.auction_book = Vec::new();
                }
            }
            _ => self.sum_certificate(event),
        }
    }

    fn sum_trade(&mut self, trade: &Trade) {
        let tariff = self.tariff(trade.slot);
        let (feed_in, retail) = (tariff.feed_in.times(trade.energy), tariff.retail.times(trade.energy));
        let zone = |id: ParticipantId| self.participants[id.0 as usize].zone;
        let (mut from, mut to) = (zone(trade.seller), zone(trade.buyer));
        let energy = i64::try_from(trade.energy.0).expect("a trade's energy is far below 2^63 Wh");
        let mut path = Vec::new();
        // A parent has the lower number, so the greater of two different zones is never where the path turns.
        while from != to {
            let is_up = from > to;
            let end = if is_up { &mut from } else { &mut to };
            path.push((usize::from(end.0), if is_up { energy } else { -energy }));
            let parent = self.config.zones[usize::from(end.0)].parent;
            *end = parent.expect("only the root, which has the lowest number, has no parent");
        }
        let zones = self.config.zones.len();
        let sums = self.sums_of(trade.slot);
        sums.trades += 1;
        sums.all_in = sums.all_in.plus(trade.buyer_price().times(trade.energy));
        sums.feed_in = sums.feed_in.plus(feed_in);
        sums.retail = sums.retail.plus(retail);
        sums.flows_wh.resize(zones, 0);
        for (edge, energy) in path {
            sums.flows_wh[edge] += energy;
        }
    }

    fn sum_certificate(&mut self, event: &Event) {
        match *event {
            Event::CertificateIssued { certificate, energy, class } => {
                let sums = &mut self.sums_of(certificate.slot).certificates;
                let sum = match class {
                    CertificateClass::Exported => &mut sums.issued,
                    CertificateClass::SelfConsumed => &mut sums.self_consumed,
                };
                sum.add(energy, certificate.producer);
            }
            Event::CertificateRetired { certificate, holder, energy, .. } => {
                self.sums_of(certificate.slot).certificates.retired.add(energy, holder);
            }
            Event::CertificateBundled { certificate, holder, energy, .. } => {
                self.sums_of(certificate.slot).certificates.bundled.add(energy, holder);
            }
            Event::CertificateReleased { certificate, energy, .. } => {
                self.sums_of(certificate.slot).certificates.bundled.take(energy);
            }
            Event::CertificateExpired { certificate, holder, energy } => {
                self.sums_of(certificate.slot).certificates.expired.add(energy, holder);
            }
            Event::CertificateVoided { certificate, holder, energy, was } => {
                let sums = &mut self.sums_of(certificate.slot).certificates;
                sums.voided.add(energy, holder);
                match was {
                    CertificateUse::Held => {}
                    CertificateUse::Retired(_) => sums.retired.take(energy),
                    CertificateUse::Bundled(_) => sums.bundled.take(energy),
                    CertificateUse::Expired => sums.expired.take(energy),
                }
            }
            _ => {}
        }
    }

    fn sums_of(&mut self, slot: Slot) -> &mut SlotSums {
        self.sums.entry(slot).or_default()
    }
}
