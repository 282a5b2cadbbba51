//! Settlement: a slot's deliveries turned into money, and turned again when readings change.
//!
//! Knows trades, meters, tariffs and charges. Does not know when: the market settles a slot once, and again
//! with every reading that comes behind that. Both post what moves now less what had moved before, which at
//! first is nothing.
//! Keeps: each posting is balanced by itself; all postings of a trade, a purpose and a participant sum to what
//! current readings say; what was reserved for a trade is free again. Rules R12 and R13.

use alloc::vec::Vec;

use crate::accounts::{Accounts, need};
use crate::delivery::{Deliveries, Delivery, Sale};
use crate::meters::{Change, Metered, Meters};
use crate::{
    Account, Energy, Event, ParticipantId, Posting, Price, Purpose, Side, Slot, TariffBand, Trade, Worth,
};

/// A slot that is being settled: by what, and what it moves.
#[derive(Debug)]
pub(crate) struct Settlement<'a> {
    pub(crate) slot: Slot,
    /// What import and export beyond the trades cost.
    pub(crate) tariff: TariffBand,
    pub(crate) deviation_per_mille: u32,
    pub(crate) meters: &'a Meters,
    pub(crate) accounts: &'a mut Accounts,
    pub(crate) events: &'a mut Vec<Event>,
}

/// What became of a trade's energy; nothing at all before it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    delivered: Energy,
    seller_deviation: Energy,
    buyer_deviation: Energy,
}

/// Energies that a participant takes and gives, in Wh; as differences also negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flow {
    import: i128,
    export: i128,
}

impl Settlement<'_> {
    /// Settles the slot's trades, which are in order of their ids, and returns what they delivered.
    ///
    /// A missing reading blocks nobody: that side of a trade counts as traded, and has no rest at the tariffs.
    pub(crate) fn settle(&mut self, trades: &[Trade]) -> Deliveries {
        let metered = self.meters.metered_in(self.slot);
        let metered_of = |id: ParticipantId| metered.get(id.0 as usize).copied().flatten();
        let deliveries = Deliveries::of(trades, metered_of);
        // A delivery, and postings for energy, wheeling, fee and perhaps a deviation.
        self.events.reserve(5 * trades.len());
        let mut rests: Vec<Flow> = metered.iter().map(|metered| Flow::metered(*metered)).collect();
        for (sale, delivery) in deliveries.iter() {
            let estimated = metered_of(sale.seller).is_none() || metered_of(sale.buyer).is_none();
            let parts = Parts::of(sale, delivery);
            self.say(sale, parts, estimated);
            self.accounts.release(sale.buyer, need(Side::Bid, sale.buyer_price(), sale.energy));
            self.accounts.release(sale.seller, need(Side::Offer, sale.price, sale.energy));
            self.post_trade(sale, Parts::default(), parts);
            let delivered = i128::from(parts.delivered.0);
            if let Some(buyers) = rests.get_mut(sale.buyer.0 as usize) {
                buyers.import -= delivered;
            }
            if let Some(sellers) = rests.get_mut(sale.seller.0 as usize) {
                sellers.export -= delivered;
            }
        }
        for ((who, metered), rest) in (0..).map(ParticipantId).zip(&metered).zip(rests) {
            if metered.is_some() {
                self.post_rest(who, rest);
            }
        }
        deliveries
    }

    /// Settles the slot again after a reading has changed what a participant's meter measured in it, and
    /// returns, rising, of whose sales something is different: another delivery, or another reading.
    ///
    /// Only what the reading can have changed is computed, and only differences are said.
    pub(crate) fn resettle(
        &mut self,
        who: ParticipantId,
        change: &Change,
        deliveries: &mut Deliveries,
    ) -> Vec<ParticipantId> {
        let (meters, slot) = (self.meters, self.slot);
        let metered_of = |id| meters.metered(slot, id);
        let mut producers = alloc::vec![who];
        // By whom, and how much less of what he metered is traded than before.
        let mut less = alloc::vec![(who, Flow::default())];
        for (place, before) in deliveries.change(who, metered_of) {
            let (sale, after) = deliveries.at(place);
            let is_his = sale.seller == who || sale.buyer == who;
            let estimated = metered_of(sale.seller).is_none() || metered_of(sale.buyer).is_none();
            // His trades were marked as estimated until his first reading came.
            let loses_its_mark = is_his && change.before.is_none() && !estimated;
            let [before, after] = [before, after].map(|delivery| Parts::of(sale, delivery));
            if before != after || loses_its_mark {
                self.say(sale, after, estimated);
            }
            self.post_trade(sale, before, after);
            let difference = i128::from(before.delivered.0) - i128::from(after.delivered.0);
            if difference != 0 {
                less.push((sale.buyer, Flow { import: difference, export: 0 }));
                less.push((sale.seller, Flow { import: 0, export: difference }));
            }
            if is_his || difference != 0 {
                producers.push(sale.seller);
            }
        }
        self.post_rests(who, change, less, deliveries);
        producers.sort_unstable();
        producers.dedup();
        producers
    }

    /// Posts what is different at the tariffs: for everyone of whose trades more or less is delivered, and for
    /// the one whom the reading is of.
    fn post_rests(
        &mut self,
        who: ParticipantId,
        change: &Change,
        mut less: Vec<(ParticipantId, Flow)>,
        deliveries: &Deliveries,
    ) {
        less.sort_unstable_by_key(|(id, _)| *id);
        for of_one in less.chunk_by(|one, other| one.0 == other.0) {
            let id = of_one[0].0;
            let difference = of_one.iter().fold(Flow::default(), |sum, (_, less)| sum.plus(*less));
            if id != who && self.meters.metered(self.slot, id).is_some() {
                self.post_rest(id, difference);
            } else if id == who && change.before.is_some() {
                let more = Flow::metered(change.after).minus(Flow::metered(change.before));
                self.post_rest(id, more.plus(difference));
            } else if id == who {
                self.post_rest(id, Flow::metered(change.after).minus(traded(who, deliveries)));
            }
        }
    }

    /// Says what became of a trade.
    fn say(&mut self, sale: &Sale, parts: Parts, estimated: bool) {
        let Parts { delivered, seller_deviation, buyer_deviation } = parts;
        let &Sale { id: trade, buyer, seller, .. } = sale;
        self.events.push(Event::TradeDelivered {
            trade,
            slot: self.slot,
            buyer,
            seller,
            delivered,
            seller_deviation,
            buyer_deviation,
            estimated,
        });
    }

    /// Posts what moves for one trade, as far as it differs from what had moved before: energy, wheeling,
    /// congestion and fee for what was delivered, and deviation charges for what was not.
    fn post_trade(&mut self, sale: &Sale, before: Parts, after: Parts) {
        let (buyer, seller, id) =
            (Account::Participant(sale.buyer), Account::Participant(sale.seller), sale.id);
        let more = i128::from(after.delivered.0) - i128::from(before.delivered.0);
        if more != 0 {
            self.post(buyer, seller, worth(sale.price, more), Purpose::Energy(id));
            self.post(buyer, Account::Network, worth(sale.wheeling, more), Purpose::Wheeling(id));
            self.post(buyer, Account::Congestion, worth(sale.congestion, more), Purpose::Congestion(id));
            self.post(buyer, Account::Market, worth(sale.fee, more), Purpose::Fee(id));
        }
        for (liable, before, after) in [
            (seller, before.seller_deviation, after.seller_deviation),
            (buyer, before.buyer_deviation, after.buyer_deviation),
        ] {
            if before != after {
                // OK because each charge is rounded by itself, so that what was rounded before is given back.
                let amount = self.charge(sale, after).minus(self.charge(sale, before));
                self.post(liable, Account::Supplier, amount, Purpose::Deviation(id));
            }
        }
    }

    /// Returns what a side of a trade pays in all for a deviation.
    fn charge(&self, sale: &Sale, deviation: Energy) -> Worth {
        // OK because a price may be negative, and to deliver nothing at such a price must cost too.
        let per_kwh = Price(sale.price.0.abs());
        per_kwh.times(deviation).per_mille_half_even(self.deviation_per_mille)
    }

    /// Posts what a participant drew and fed in beyond his trades, or what of that is different.
    fn post_rest(&mut self, who: ParticipantId, rest: Flow) {
        let (account, slot) = (Account::Participant(who), self.slot);
        let (retail, feed_in) =
            (worth(self.tariff.retail, rest.import), worth(self.tariff.feed_in, rest.export));
        self.post(account, Account::Supplier, retail, Purpose::Retail(slot));
        self.post(Account::Supplier, account, feed_in, Purpose::FeedIn(slot));
    }

    #[inline]
    fn post(&mut self, from: Account, to: Account, amount: Worth, purpose: Purpose) {
        self.accounts.post(Posting { from, to, amount, purpose }, self.events);
    }
}

/// Returns what so many Wh cost, or so many less.
fn worth(price: Price, wh: i128) -> Worth {
    Worth(i128::from(price.0) * wh)
}

impl Parts {
    fn of(sale: &Sale, delivery: Delivery) -> Parts {
        Parts {
            delivered: delivery.delivered,
            seller_deviation: sale.energy.minus(delivery.fed_in),
            buyer_deviation: delivery.fed_in.minus(delivery.delivered),
        }
    }
}

impl Flow {
    /// Returns what a meter measured; nothing where a reading is missing.
    fn metered(metered: Option<Metered>) -> Flow {
        metered.map_or_else(Flow::default, |it| Flow {
            import: i128::from(it.import.0),
            export: i128::from(it.export.0),
        })
    }

    fn plus(self, other: Flow) -> Flow {
        Flow { import: self.import + other.import, export: self.export + other.export }
    }

    fn minus(self, other: Flow) -> Flow {
        Flow { import: self.import - other.import, export: self.export - other.export }
    }
}

/// Returns what was delivered of all that a participant bought and sold.
fn traded(who: ParticipantId, deliveries: &Deliveries) -> Flow {
    let sum = |places: &[u32]| {
        let delivered = places.iter().map(|place| deliveries.at(*place as usize).1.delivered);
        delivered.fold(0, |sum, energy| sum + i128::from(energy.0))
    };
    Flow { import: sum(deliveries.purchases_of(who)), export: sum(deliveries.sales_of(who)) }
}

#[cfg(test)]
mod tests;
