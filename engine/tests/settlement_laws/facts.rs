//! What must be true of readings, deliveries, money and certificates, by what the events said.

use std::collections::BTreeMap;

use parkwatt_engine::*;

use crate::PARTICIPANTS;

/// What the events said, added up without the engine's code.
#[derive(Default)]
pub struct Facts {
    pub trades: BTreeMap<TradeId, Trade>,
    /// Delivered, the seller's deviation, the buyer's.
    pub delivered: BTreeMap<TradeId, (u64, u64, u64)>,
    /// Import and export of each slot and participant.
    metered: BTreeMap<(Slot, ParticipantId), (u64, u64)>,
    /// What was metered when the slot was settled.
    settled: BTreeMap<Slot, BTreeMap<ParticipantId, (u64, u64)>>,
    pub balances: BTreeMap<Account, i128>,
    issued: BTreeMap<CertificateId, u64>,
    held: BTreeMap<(CertificateId, ParticipantId), u64>,
    retired: BTreeMap<CertificateId, u64>,
    claimed: BTreeMap<(Slot, ParticipantId), u64>,
}

impl Facts {
    pub fn take(&mut self, event: &Event) {
        match *event {
            Event::TradeMade(trade) => assert_eq!(self.trades.insert(trade.id, trade), None),
            Event::Metered { participant, reading, import, export } => {
                let before = self.metered.insert((reading.slot, participant), (import.0, export.0));
                assert_eq!(before, None, "a slot was measured twice");
            }
            Event::TradeDelivered { trade, delivered, seller_deviation, buyer_deviation, .. } => {
                let parts = (delivered.0, seller_deviation.0, buyer_deviation.0);
                assert_eq!(self.delivered.insert(trade, parts), None, "a trade was delivered twice");
            }
            Event::Posted(posting) => {
                *self.balances.entry(posting.from).or_default() -= posting.amount.0;
                *self.balances.entry(posting.to).or_default() += posting.amount.0;
            }
            Event::CertificateIssued { certificate, energy } => {
                assert_eq!(self.issued.insert(certificate, energy.0), None, "a certificate was issued twice");
                self.held.insert((certificate, certificate.producer), energy.0);
            }
            Event::CertificateSliced { certificate, from, to, energy, .. } => {
                self.take_held(certificate, from, energy);
                *self.held.entry((certificate, to)).or_default() += energy.0;
            }
            Event::CertificateRetired { certificate, holder, energy, consumption_slot, .. } => {
                self.take_held(certificate, holder, energy);
                *self.retired.entry(certificate).or_default() += energy.0;
                *self.claimed.entry((consumption_slot, holder)).or_default() += energy.0;
            }
            Event::PhaseBegan { slot, phase: Phase::Settled } => {
                let of_slot = self.metered.iter().filter(|((metered, _), _)| *metered == slot);
                let metered = of_slot.map(|(&(_, participant), &energies)| (participant, energies)).collect();
                assert_eq!(self.settled.insert(slot, metered), None, "a slot was settled twice");
            }
            Event::PhaseBegan { .. } | Event::AuctionCleared(_) | Event::OrderLapsed { .. } => {}
        }
    }

    fn take_held(&mut self, certificate: CertificateId, holder: ParticipantId, energy: Energy) {
        let held = self.held.get_mut(&(certificate, holder)).expect("who gives a certificate away holds it");
        *held = held.checked_sub(energy.0).expect("nobody gives away more than he holds");
    }

    /// Checks what must hold at all times.
    pub fn check(&self, market: &Market) {
        let balances: BTreeMap<Account, i128> =
            market.accounts().balances().map(|(account, balance)| (account, balance.worth().0)).collect();
        assert_eq!(balances, self.balances, "a balance is not the sum of its postings");
        assert_eq!(balances.values().sum::<i128>(), 0, "money came from nowhere");

        let mut held: BTreeMap<(CertificateId, ParticipantId), u64> = BTreeMap::new();
        for holder in market.participants().ids() {
            let slices = market.certificates().held_by(holder);
            held.extend(slices.map(|(certificate, energy)| ((certificate, holder), energy.0)));
        }
        let held_by_the_events = self.held.iter().filter(|(_, held)| **held > 0);
        assert!(held.iter().eq(held_by_the_events), "a holding is not the sum of its slices");
        for (&certificate, &issued) in &self.issued {
            let held: u64 =
                self.held.iter().filter(|((id, _), _)| *id == certificate).map(|(_, &held)| held).sum();
            let retired = self.retired.get(&certificate).copied().unwrap_or(0);
            assert_eq!(issued, held + retired, "a certified Wh was lost or doubled");
            assert_eq!(issued, self.metered[&(certificate.slot, certificate.producer)].1);
        }
        for (claim, &claimed) in &self.claimed {
            assert!(claimed <= self.metered[claim].0, "more was claimed than drawn");
        }
        for (&slot, metered) in &self.settled {
            self.check_delivery(slot, metered);
        }
    }

    /// Checks that all of a settled slot's trades were delivered, and none of them beyond the meters.
    fn check_delivery(&self, slot: Slot, metered: &BTreeMap<ParticipantId, (u64, u64)>) {
        let mut bought: BTreeMap<ParticipantId, u64> = BTreeMap::new();
        let mut sold: BTreeMap<ParticipantId, u64> = BTreeMap::new();
        for trade in self.trades.values().filter(|trade| trade.slot == slot) {
            let (delivered, by_seller, by_buyer) = self.delivered[&trade.id];
            assert_eq!(delivered + by_seller + by_buyer, trade.energy.0);
            assert!(metered.contains_key(&trade.seller) || by_seller == 0);
            assert!(metered.contains_key(&trade.buyer) || by_buyer == 0);
            *bought.entry(trade.buyer).or_default() += delivered;
            *sold.entry(trade.seller).or_default() += delivered;
        }
        for (participant, &(import, export)) in metered {
            assert!(bought.get(participant).copied().unwrap_or(0) <= import, "allotted beyond the import");
            assert!(sold.get(participant).copied().unwrap_or(0) <= export, "allotted beyond the export");
        }
    }

    /// Returns what every account must have once all is settled: R12 said once more, trade by trade.
    pub fn balances_by_the_rule(&self, config: &MarketConfig) -> BTreeMap<Account, i128> {
        let mut sums: BTreeMap<Account, i128> = BTreeMap::new();
        let mut pay = |from, to, price: Price, energy: u64| {
            *sums.entry(from).or_default() -= i128::from(price.0) * i128::from(energy);
            *sums.entry(to).or_default() += i128::from(price.0) * i128::from(energy);
        };
        for who in 0..u32::from(PARTICIPANTS) {
            pay(Account::Bank, Account::Participant(ParticipantId(who)), Price(1_000_000), 1_000);
        }
        let mut rest = self.settled.clone();
        for (id, &(delivered, by_seller, by_buyer)) in &self.delivered {
            let trade = self.trades[id];
            let (buyer, seller) = (Account::Participant(trade.buyer), Account::Participant(trade.seller));
            pay(buyer, seller, trade.price, delivered);
            pay(buyer, Account::Network, trade.wheeling, delivered);
            pay(buyer, Account::Market, config.market_fee, delivered);
            // Prices are multiples of the tick of 100 micro-yuan, so that 10 % of them is exact.
            let charge = Price(trade.price.0.abs() / 10);
            pay(seller, Account::Supplier, charge, by_seller);
            pay(buyer, Account::Supplier, charge, by_buyer);
            let metered = rest.get_mut(&trade.slot).expect("only settled trades are delivered");
            metered.entry(trade.buyer).and_modify(|(import, _)| *import -= delivered);
            metered.entry(trade.seller).and_modify(|(_, export)| *export -= delivered);
        }
        for (participant, (import, export)) in rest.into_values().flatten() {
            let account = Account::Participant(participant);
            pay(account, Account::Supplier, config.tariffs[0].retail, import);
            pay(Account::Supplier, account, config.tariffs[0].feed_in, export);
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }
}
