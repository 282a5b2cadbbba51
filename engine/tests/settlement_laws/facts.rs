//! What must be true of readings, deliveries, money and certificates, by what the events said.

#[path = "facts/certificates.rs"]
mod certificates;

use std::collections::{BTreeMap, BTreeSet};

use certificates::Certified;
use parkwatt_engine::*;

/// What the events said, added up without the engine's code.
#[derive(Default)]
pub struct Facts {
    pub trades: BTreeMap<TradeId, Trade>,
    /// What was said last of each trade: delivered, the seller's deviation, the buyer's.
    pub delivered: BTreeMap<TradeId, (u64, u64, u64)>,
    /// Import and export of each slot and participant, as they count: what was measured last before the
    /// slot's final settlement.
    metered: BTreeMap<(Slot, ParticipantId), (u64, u64)>,
    /// Of which of these one of the readings is no measurement.
    estimated: BTreeSet<(Slot, ParticipantId)>,
    balances: BTreeMap<Account, i128>,
    /// What was posted in all for trades and at the tariffs, by payer, payee and purpose.
    posted: BTreeMap<(Account, Account, Purpose), i128>,
    phases: BTreeMap<Slot, Phase>,
    certified: Certified,
}

impl Facts {
    pub fn take(&mut self, market: &Market, event: &Event) {
        match *event {
            Event::TradeMade(trade) => assert_eq!(self.trades.insert(trade.id, trade), None),
            Event::Metered { slot, .. } if market.phase(slot, market.now()) == Phase::Final => {}
            Event::Metered { participant, slot, import, export, quality, .. } => {
                self.metered.insert((slot, participant), (import.0, export.0));
                self.estimated.remove(&(slot, participant));
                if quality != Quality::Measured {
                    self.estimated.insert((slot, participant));
                }
            }
            Event::TradeDelivered { trade, delivered, seller_deviation, buyer_deviation, .. } => {
                let slot = self.trades[&trade].slot;
                assert_ne!(
                    self.phases.get(&slot),
                    Some(&Phase::Final),
                    "delivered after the final settlement"
                );
                self.delivered.insert(trade, (delivered.0, seller_deviation.0, buyer_deviation.0));
            }
            Event::Posted(posting) => self.take_posting(posting),
            Event::PhaseBegan { slot, phase } => {
                let before = self.phases.insert(slot, phase);
                assert!(before < Some(phase), "a slot's life goes forward");
                if phase == Phase::Final {
                    self.check_final(slot);
                }
            }
            _ => {}
        }
        let import = |slot, id| self.metered.get(&(slot, id)).map_or(0, |metered| metered.0);
        let export =
            |slot, id| if self.estimated.contains(&(slot, id)) { 0 } else { self.metered[&(slot, id)].1 };
        self.certified.take(event, import, export);
    }

    /// Checks what must hold of a slot's certificates from its final settlement on.
    fn check_final(&self, slot: Slot) {
        for (&(of, id), &(import, export)) in self.metered.iter().filter(|((of, _), _)| *of == slot) {
            let measured = if self.estimated.contains(&(of, id)) { 0 } else { export };
            self.certified.check_final(slot, id, import, measured);
        }
    }

    fn take_posting(&mut self, posting: Posting) {
        let Posting { from, to, amount: Worth(amount), purpose } = posting;
        assert_ne!(amount, 0, "nothing was posted");
        *self.balances.entry(from).or_default() -= amount;
        *self.balances.entry(to).or_default() += amount;
        match purpose {
            Purpose::Deposit => assert!(from == Account::Bank && amount > 0),
            Purpose::Payout => {
                assert!(to == Account::Bank && amount > 0);
                assert!(self.balances[&from] >= -HALF_A_FEN, "credit was paid out");
            }
            Purpose::Rounding => {
                assert!(to == Account::Rounding && amount.abs() <= HALF_A_FEN);
                assert_eq!(self.balances[&from], 0, "an emptied account has something left");
            }
            _ => *self.posted.entry((from, to, purpose)).or_default() += amount,
        }
    }

    /// Checks what must hold at all times.
    pub fn check(&self, market: &Market) {
        let balances: BTreeMap<Account, i128> =
            market.accounts().balances().map(|(account, balance)| (account, balance.worth().0)).collect();
        assert_eq!(balances, self.balances, "a balance is not the sum of its postings");
        let posted = self.posted.iter().filter(|(_, amount)| **amount != 0);
        let posted: BTreeMap<_, _> = posted.map(|(of, amount)| (*of, *amount)).collect();
        assert_eq!(posted, self.posted_by_the_rule(market), "postings are not what the readings say");
        self.certified.check(market);
        for slot in self.trades.values().map(|trade| trade.slot) {
            if is_settled(market, slot) {
                self.check_delivery(slot);
            }
        }
    }

    /// Checks that all of a settled slot's trades were delivered, and none of them beyond the meters.
    fn check_delivery(&self, slot: Slot) {
        let mut bought: BTreeMap<ParticipantId, u64> = BTreeMap::new();
        let mut sold: BTreeMap<ParticipantId, u64> = BTreeMap::new();
        for trade in self.trades.values().filter(|trade| trade.slot == slot) {
            let (delivered, by_seller, by_buyer) = self.delivered[&trade.id];
            assert_eq!(delivered + by_seller + by_buyer, trade.energy.0);
            assert!(self.metered.contains_key(&(slot, trade.seller)) || by_seller == 0);
            assert!(self.metered.contains_key(&(slot, trade.buyer)) || by_buyer == 0);
            *bought.entry(trade.buyer).or_default() += delivered;
            *sold.entry(trade.seller).or_default() += delivered;
        }
        for (&(of, participant), &(import, export)) in &self.metered {
            let sum = |sums: &BTreeMap<_, u64>| sums.get(&participant).copied().unwrap_or(0);
            assert!(of != slot || sum(&bought) <= import, "allotted beyond the import");
            assert!(of != slot || sum(&sold) <= export, "allotted beyond the export");
        }
    }

    /// Returns what must have been posted in all: R12 said once more, trade by trade.
    fn posted_by_the_rule(&self, market: &Market) -> BTreeMap<(Account, Account, Purpose), i128> {
        let config = market.config();
        let mut sums: BTreeMap<(Account, Account, Purpose), i128> = BTreeMap::new();
        let mut pay = |from, to, purpose, price: Price, energy: u64| {
            *sums.entry((from, to, purpose)).or_default() += i128::from(price.0) * i128::from(energy);
        };
        let settled = self.metered.iter().filter(|((slot, _), _)| is_settled(market, *slot));
        let mut rest: BTreeMap<(Slot, ParticipantId), (u64, u64)> =
            settled.map(|(of, it)| (*of, *it)).collect();
        for (id, &(delivered, by_seller, by_buyer)) in &self.delivered {
            let (trade, id) = (self.trades[id], *id);
            let (buyer, seller) = (Account::Participant(trade.buyer), Account::Participant(trade.seller));
            pay(buyer, seller, Purpose::Energy(id), trade.price, delivered);
            pay(buyer, Account::Network, Purpose::Wheeling(id), trade.wheeling, delivered);
            pay(buyer, Account::Market, Purpose::Fee(id), config.market_fee, delivered);
            // Prices are multiples of the tick of 100 micro-yuan, so that 10 % of them is exact.
            let charge = Price(trade.price.0.abs() / 10);
            pay(seller, Account::Supplier, Purpose::Deviation(id), charge, by_seller);
            pay(buyer, Account::Supplier, Purpose::Deviation(id), charge, by_buyer);
            rest.entry((trade.slot, trade.buyer)).and_modify(|(import, _)| *import -= delivered);
            rest.entry((trade.slot, trade.seller)).and_modify(|(_, export)| *export -= delivered);
        }
        for ((slot, participant), (import, export)) in rest {
            let (account, tariff) = (Account::Participant(participant), config.tariffs[0]);
            pay(account, Account::Supplier, Purpose::Retail(slot), tariff.retail, import);
            pay(Account::Supplier, account, Purpose::FeedIn(slot), tariff.feed_in, export);
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }
}

/// Half a fen in 1e-9 yuan.
const HALF_A_FEN: i128 = 5_000_000;

fn is_settled(market: &Market, slot: Slot) -> bool {
    market.phase(slot, market.now()) >= Phase::Settled
}
