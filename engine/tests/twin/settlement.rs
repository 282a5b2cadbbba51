//! R11 to R13: what was delivered, who pays for it, and what a slot's next settlement makes different.

use parkwatt_engine::*;

use super::Twin;

/// What became of a trade.
pub struct Delivery {
    pub trade: Trade,
    /// What the seller fed in for it.
    pub fed_in: u64,
    /// What of that the buyer drew.
    pub drawn: u64,
}

impl Twin {
    pub(super) fn settle(&mut self, slot: Slot) {
        self.slots.retain(|(held, _)| *held != slot);
        self.settled.push((slot, Phase::Settled));
        self.say_what_differs(slot);
        for id in self.ids() {
            self.certify(slot, id);
        }
        self.say(Event::PhaseBegan { slot, phase: Phase::Settled });
    }

    /// Settles a slot from the beginning, and says what comes out otherwise than before, now that a meter
    /// measured something else.
    pub(super) fn settle_again(&mut self, slot: Slot, of: ParticipantId) {
        let (postings, delivered) = (self.postings.len(), self.delivered.len());
        self.say_what_differs(slot);
        // Who sold to him, and of whose sales something else was delivered.
        let said: Vec<TradeId> = self.delivered[delivered..].iter().map(|(trade, _)| *trade).collect();
        let sales = self.trades.iter().filter(|trade| trade.slot == slot);
        let touched = sales.filter(|trade| trade.buyer == of || said.contains(&trade.id));
        let mut producers: Vec<ParticipantId> = touched.map(|trade| trade.seller).chain([of]).collect();
        producers.sort_unstable();
        producers.dedup();
        for producer in producers {
            self.certify(slot, producer);
        }
        let phase = self.settled.iter_mut().find(|(settled, _)| *settled == slot).unwrap();
        if self.postings.len() > postings && phase.1 == Phase::Settled {
            phase.1 = Phase::Resettled;
            self.say(Event::PhaseBegan { slot, phase: Phase::Resettled });
        }
    }

    pub(super) fn conclude(&mut self, slot: Slot) {
        self.conclude_certificates(slot);
        self.settled.iter_mut().find(|(settled, _)| *settled == slot).unwrap().1 = Phase::Final;
        self.concluded.push((slot, self.readings.len()));
        self.say(Event::PhaseBegan { slot, phase: Phase::Final });
    }

    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        self.settled.iter().any(|(settled, _)| *settled == slot)
    }

    fn say_what_differs(&mut self, slot: Slot) {
        let deliveries = self.deliveries(slot);
        for delivery in &deliveries {
            self.settle_trade(delivery);
        }
        for id in self.ids() {
            self.settle_rest(slot, id, &deliveries);
        }
    }

    /// Says what became of a trade, if that was not said last of it.
    fn say_delivered(&mut self, trade: TradeId, event: Event) {
        let last = self.delivered.iter().rfind(|(told, _)| *told == trade);
        if last.is_none_or(|(_, last)| *last != event) {
            self.delivered.push((trade, event.clone()));
            self.say(event);
        }
    }

    /// Pays what is lacking of an amount, or pays back what was paid too much.
    fn pay_up_to(&mut self, from: Account, to: Account, amount: Worth, purpose: Purpose) {
        let same = |it: &&Posting| (it.from, it.to, it.purpose) == (from, to, purpose);
        let paid = self.postings.iter().filter(same).fold(Worth::ZERO, |sum, it| sum.plus(it.amount));
        self.pay(from, to, amount.minus(paid), purpose);
    }

    pub(super) fn deliveries(&self, slot: Slot) -> Vec<Delivery> {
        let trades = self.trades.iter().filter(|trade| trade.slot == slot);
        let whole = |trade: &Trade| Delivery { trade: *trade, fed_in: trade.energy.0, drawn: 0 };
        let mut deliveries: Vec<Delivery> = trades.map(whole).collect();
        for id in self.ids() {
            let Some(metered) = self.metered(slot, id) else { continue };
            let mut own: Vec<_> = deliveries.iter_mut().filter(|it| it.trade.seller == id).collect();
            let wanted: Vec<u64> = own.iter().map(|it| it.fed_in).collect();
            for (delivery, share) in own.iter_mut().zip(allot(metered.export.0, &wanted)) {
                delivery.fed_in = share;
            }
        }
        for delivery in &mut deliveries {
            delivery.drawn = delivery.fed_in;
        }
        for id in self.ids() {
            let Some(metered) = self.metered(slot, id) else { continue };
            let mut own: Vec<_> = deliveries.iter_mut().filter(|it| it.trade.buyer == id).collect();
            let wanted: Vec<u64> = own.iter().map(|it| it.drawn).collect();
            for (delivery, share) in own.iter_mut().zip(allot(metered.import.0, &wanted)) {
                delivery.drawn = share;
            }
        }
        deliveries
    }

    fn settle_trade(&mut self, delivery: &Delivery) {
        let Delivery { trade, fed_in, drawn } = *delivery;
        let Trade { id, slot, buyer, seller, .. } = trade;
        let delivered = Energy(drawn);
        let seller_deviation = Energy(trade.energy.0 - fed_in);
        let buyer_deviation = Energy(fed_in - drawn);
        let estimated = self.metered(slot, seller).is_none() || self.metered(slot, buyer).is_none();
        let said = Event::TradeDelivered {
            trade: id,
            slot,
            buyer,
            seller,
            delivered,
            seller_deviation,
            buyer_deviation,
            estimated,
        };
        self.say_delivered(id, said);

        let (buyer, seller) = (Account::Participant(buyer), Account::Participant(seller));
        self.pay_up_to(buyer, seller, trade.price.times(delivered), Purpose::Energy(id));
        self.pay_up_to(buyer, Account::Network, trade.wheeling.times(delivered), Purpose::Wheeling(id));
        self.pay_up_to(
            buyer,
            Account::Congestion,
            trade.congestion.times(delivered),
            Purpose::Congestion(id),
        );
        self.pay_up_to(buyer, Account::Market, trade.fee.times(delivered), Purpose::Fee(id));
        for (liable, deviation) in [(seller, seller_deviation), (buyer, buyer_deviation)] {
            let worth = Price(trade.price.0.abs()).times(deviation);
            let charge = worth.per_mille_half_even(self.config.deviation_per_mille);
            self.pay_up_to(liable, Account::Supplier, charge, Purpose::Deviation(id));
        }
    }

    /// Pays, at the tariffs, for what a participant drew and fed in beyond his trades.
    fn settle_rest(&mut self, slot: Slot, id: ParticipantId, deliveries: &[Delivery]) {
        let Some(metered) = self.metered(slot, id) else { return };
        let sum = |is_his: fn(&Trade, ParticipantId) -> bool| {
            Energy(deliveries.iter().filter(|it| is_his(&it.trade, id)).map(|it| it.drawn).sum())
        };
        let import = metered.import.minus(sum(|trade, id| trade.buyer == id));
        let export = metered.export.minus(sum(|trade, id| trade.seller == id));
        let mut bands = self.version(slot).config.tariffs.iter();
        let tariff = *bands.rfind(|band| u32::from(band.from_quarter) <= slot.0 % 96).unwrap();
        let account = Account::Participant(id);
        self.pay_up_to(account, Account::Supplier, tariff.retail.times(import), Purpose::Retail(slot));
        self.pay_up_to(Account::Supplier, account, tariff.feed_in.times(export), Purpose::FeedIn(slot));
    }
}

/// Returns the share of each of `wanted` in what was metered: in whole Wh, in proportion, and then one Wh
/// each to the largest remainders, of equal ones to the earlier.
fn allot(metered: u64, wanted: &[u64]) -> Vec<u64> {
    let total: u64 = wanted.iter().sum();
    if metered >= total {
        return wanted.to_vec();
    }
    let mut shares: Vec<u64> = wanted.iter().map(|want| want * metered / total).collect();
    let mut remainders: Vec<u64> = wanted.iter().map(|want| want * metered % total).collect();
    for _ in 0..metered - shares.iter().sum::<u64>() {
        let largest = remainders.iter().max().copied().unwrap();
        let place = remainders.iter().position(|remainder| *remainder == largest).unwrap();
        shares[place] += 1;
        remainders[place] = 0;
    }
    shares
}
