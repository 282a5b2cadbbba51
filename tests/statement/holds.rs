//! What holds for a participant at a moment, from a ledger's leaves: the figures of a statement by another
//! way.
//!
//! A statement adds differences up; this looks at what was stated last. Two moments' figures then differ by
//! what the statement of the time between must say.

use std::collections::{BTreeMap, BTreeSet};

use parkwatt_client::Column;
use parkwatt_proto::v1::{self, certificate_voided::Was, leaf::Fact, ledger_account, posting::Purpose};

/// A slot's figures, by their columns' names; what is missing is zero.
pub type Holding = BTreeMap<&'static str, i128>;

/// What holds for a participant at a moment.
#[derive(Debug, Default)]
pub struct Holds {
    /// By slot.
    pub slots: BTreeMap<u32, Holding>,
    /// What was paid in and out.
    pub paid: i128,
    /// His balance.
    pub balance: i128,
}

/// A market's leaves, of which what holds is computed.
pub struct Ledger {
    leaves: Vec<(u64, Fact)>,
    genesis: v1::Genesis,
    trades: BTreeMap<u64, v1::Trade>,
}

impl Ledger {
    pub fn new(leaves: impl Iterator<Item = v1::Leaf>) -> Ledger {
        let leaves: Vec<_> = leaves.map(|leaf| (leaf.at_micros, leaf.fact.unwrap())).collect();
        let Fact::Genesis(genesis) = leaves[0].1.clone() else { panic!("the first leaf founds the market") };
        let trades = leaves.iter().filter_map(|(_, fact)| match fact {
            Fact::TradeMade(trade) => Some((trade.id, *trade)),
            _ => None,
        });
        Ledger { genesis, trades: trades.collect(), leaves }
    }

    /// Returns what holds for a participant right before `until`.
    pub fn holds(&self, who: u32, until: u64) -> Holds {
        let facts = || self.leaves.iter().filter(|(at, _)| *at < until).map(|(_, fact)| fact);
        let (mut delivered, mut metered, mut settled) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut holds = Holds::default();
        for fact in facts() {
            match fact {
                Fact::TradeMade(it) => {
                    holds.add_if(it.buyer == Some(who), it.slot, Column::Bought, it.energy_wh.into());
                    holds.add_if(it.seller == Some(who), it.slot, Column::Sold, it.energy_wh.into());
                }
                Fact::TradeDelivered(it) => drop(delivered.insert(it.trade, *it)),
                Fact::Metered(it) if it.participant == who => drop(metered.insert(it.slot, *it)),
                Fact::PhaseBegan(it) if it.phase() == v1::Phase::Settled => drop(settled.insert(it.slot)),
                Fact::Posted(it) => self.post(who, it, &mut holds),
                _ => holds.certify(who, fact),
            }
        }
        let mut traded: BTreeMap<u32, [i128; 2]> = BTreeMap::new();
        for (id, it) in &delivered {
            let trade = &self.trades[id];
            let sums = traded.entry(trade.slot).or_default();
            for (place, owner, column, deviation_wh) in [
                (0, trade.buyer, Column::DeliveredAsBuyer, it.buyer_deviation_wh),
                (1, trade.seller, Column::DeliveredAsSeller, it.seller_deviation_wh),
            ] {
                let is_his = owner == Some(who);
                holds.add_if(is_his, trade.slot, column, it.delivered_wh.into());
                holds.add_if(is_his, trade.slot, Column::Deviation, deviation_wh.into());
                sums[place] += if is_his { i128::from(it.delivered_wh) } else { 0 };
            }
        }
        for (slot, it) in &metered {
            holds.add_if(true, *slot, Column::Import, it.import_wh.into());
            holds.add_if(true, *slot, Column::Export, it.export_wh.into());
            holds.add_if(true, *slot, Column::Generation, it.generation_wh.into());
        }
        for slot in settled {
            let [bought, sold] = traded.get(&slot).copied().unwrap_or_default();
            let its = metered.get(&slot).map(|it| [it.import_wh, it.export_wh].map(i128::from));
            let [import, export] = its.unwrap_or([bought, sold]);
            let [retail, feed_in] = self.tariffs(slot);
            holds.add_if(true, slot, Column::WithoutMarket, feed_in * export - retail * import);
        }
        holds.sum_up();
        holds
    }

    /// Returns the retail and the feed-in tariff of a slot; the constitution's, which this ledger never
    /// changes.
    fn tariffs(&self, slot: u32) -> [i128; 2] {
        let begun = |band: &&v1::TariffBand| band.from_quarter <= slot % 96;
        let band = self.genesis.tariffs.iter().rfind(begun).unwrap();
        [band.retail_micros_per_kwh, band.feed_in_micros_per_kwh].map(i128::from)
    }

    fn post(&self, who: u32, it: &v1::Posting, holds: &mut Holds) {
        let is_his = |account: &Option<v1::LedgerAccount>| {
            account.unwrap().kind.unwrap() == ledger_account::Kind::Participant(who)
        };
        let nanos = i128::from(it.amount_yuan) * 1_000_000_000 + i128::from(it.amount_nanos);
        let nanos = match (is_his(&it.from), is_his(&it.to)) {
            (true, false) => -nanos,
            (false, true) => nanos,
            _ => return,
        };
        holds.balance += nanos;
        let of = |trade: u64| self.trades[&trade].slot;
        let (slot, column) = match it.purpose.unwrap() {
            Purpose::EnergyOfTrade(trade) => (of(trade), Column::Energy),
            Purpose::WheelingOfTrade(trade) => (of(trade), Column::Wheeling),
            Purpose::CongestionOfTrade(trade) => (of(trade), Column::Congestion),
            Purpose::FeeOfTrade(trade) => (of(trade), Column::Fee),
            Purpose::DeviationOfTrade(trade) => (of(trade), Column::DeviationCharge),
            Purpose::RetailInSlot(slot) => (slot, Column::Retail),
            Purpose::FeedInInSlot(slot) => (slot, Column::FeedIn),
            Purpose::Deposit(_) | Purpose::Payout(_) | Purpose::Rounding(_) => {
                holds.paid += nanos;
                return;
            }
        };
        holds.add_if(true, slot, column, nanos);
        holds.add_if(true, slot, Column::Amount, nanos);
    }
}

impl Holds {
    fn add_if(&mut self, condition: bool, slot: u32, column: Column, figure: i128) {
        if condition {
            *self.slots.entry(slot).or_default().entry(column.name()).or_default() += figure;
        }
    }

    fn certify(&mut self, who: u32, fact: &Fact) {
        match fact {
            Fact::CertificateIssued(it) => {
                let id = it.certificate.unwrap();
                self.add_if(id.producer == who, id.slot, Column::Issued, it.energy_wh.into());
            }
            Fact::CertificateSliced(it) => {
                let slot = it.certificate.unwrap().slot;
                self.add_if(it.from == who, slot, Column::PassedOn, it.energy_wh.into());
                self.add_if(it.to == who, slot, Column::Received, it.energy_wh.into());
            }
            Fact::CertificateTransferred(it) => {
                let slot = it.certificate.unwrap().slot;
                self.add_if(it.from == who, slot, Column::PassedOn, it.energy_wh.into());
                self.add_if(it.to == who, slot, Column::Received, it.energy_wh.into());
            }
            Fact::CertificateVoided(it) => {
                let (slot, wh) = (it.certificate.unwrap().slot, i128::from(it.energy_wh));
                let is_claim = matches!(it.was, Some(Was::Retirement(_)));
                self.add_if(it.holder == who, slot, Column::Voided, wh);
                self.add_if(it.holder == who && is_claim, slot, Column::Retired, -wh);
            }
            Fact::CertificateRetired(it) => {
                let slot = it.certificate.unwrap().slot;
                self.add_if(it.holder == who, slot, Column::Retired, it.energy_wh.into());
            }
            _ => {}
        }
    }

    /// Adds what the market gained to each slot.
    fn sum_up(&mut self) {
        for figures in self.slots.values_mut() {
            let of = |column: Column| figures.get(column.name()).copied().unwrap_or_default();
            let gain = of(Column::Amount) - of(Column::WithoutMarket);
            figures.insert(Column::Gain.name(), gain);
        }
    }
}
