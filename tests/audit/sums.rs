//! What the leaves of a ledger say, summed without any of the auditor's code.

use std::{collections::BTreeMap, path::Path};

use parkwatt::audit::verifier_of;
use parkwatt_ledger::{Reader, Signatures, journal_dir};
use parkwatt_proto::v1::{
    self, CertificateClass, certificate_voided::Was, command::Kind, leaf::Fact, outcome, posting::Purpose,
};
use prost::Message;

/// Sums by the names of a report's columns: Wh, counts, and money in 1e-9 yuan.
pub type Sums = BTreeMap<&'static str, i128>;

/// What a ledger's leaves say.
#[derive(Default)]
pub struct Leaves {
    pub zones: Vec<v1::Zone>,
    /// The participants' names and zones, by their numbers.
    pub people: Vec<(String, usize)>,
    pub trades: BTreeMap<u64, v1::Trade>,
    /// What was said last of each trade.
    pub deliveries: BTreeMap<u64, v1::TradeDelivered>,
    /// What was said last of each slot and participant.
    pub metered: BTreeMap<(u32, u32), v1::Metered>,
    /// What was posted, by what for.
    pub posted: Sums,
    pub postings: usize,
    /// The energy of certificates, by what became of it.
    certificates: Sums,
    /// How many steps of certificates there were.
    pub steps: usize,
}

impl Leaves {
    /// Reads the ledger in a folder.
    pub fn read(ledger: &Path) -> Leaves {
        let verifier = verifier_of(ledger).unwrap();
        let groups = Reader::open(&journal_dir(ledger), &verifier, Signatures::Last).unwrap();
        let mut leaves = Leaves::default();
        for leaf in groups.flat_map(|group| group.unwrap().leaves) {
            leaves.take(v1::Leaf::decode(leaf.as_slice()).unwrap().fact.unwrap());
        }
        leaves
    }

    fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Genesis(genesis) => self.zones = genesis.zones,
            Fact::Command(command) => {
                let outcome = command.outcome.unwrap().kind.unwrap();
                let payload = command.signed.unwrap().payload;
                let asked = v1::Command::decode(payload.as_slice()).unwrap().kind.unwrap();
                if let (Kind::EnrolParticipant(it), outcome::Kind::EnrolledParticipant(_)) = (asked, outcome)
                {
                    let zone = self.zones.iter().position(|zone| zone.name == it.zone).unwrap();
                    self.people.push((it.name, zone));
                }
            }
            Fact::TradeMade(it) => drop(self.trades.insert(it.id, it)),
            Fact::TradeDelivered(it) => drop(self.deliveries.insert(it.trade, it)),
            Fact::Metered(it) => drop(self.metered.insert((it.slot, it.participant), it)),
            Fact::Posted(it) => {
                let nanos = i128::from(it.amount_yuan) * 1_000_000_000 + i128::from(it.amount_nanos);
                *self.posted.entry(purpose(it.purpose.unwrap())).or_default() += nanos;
                self.postings += 1;
            }
            other => self.take_certificate(&other),
        }
    }

    fn take_certificate(&mut self, fact: &Fact) {
        let (state, wh) = match fact {
            Fact::CertificateIssued(it) if it.class() == CertificateClass::SelfConsumed => {
                ("certified_self_consumption_wh", it.energy_wh)
            }
            Fact::CertificateIssued(it) => ("certified_export_wh", it.energy_wh),
            Fact::CertificateRetired(it) => ("certificates_retired_wh", it.energy_wh),
            Fact::CertificateBundled(it) => ("certificates_bundled_wh", it.energy_wh),
            Fact::CertificateExpired(it) => ("certificates_expired_wh", it.energy_wh),
            Fact::CertificateVoided(it) => {
                let before = match it.was.as_ref().unwrap() {
                    Was::Held(_) => None,
                    Was::Retirement(_) => Some("certificates_retired_wh"),
                    Was::Gec(_) => Some("certificates_bundled_wh"),
                    Was::Expired(_) => Some("certificates_expired_wh"),
                };
                if let Some(before) = before {
                    *self.certificates.entry(before).or_default() -= i128::from(it.energy_wh);
                }
                ("certificates_withdrawn_wh", it.energy_wh)
            }
            Fact::CertificateSliced(_) | Fact::CertificateTransferred(_) | Fact::CertificateWithdrawn(_) => {
                self.steps += 1;
                return;
            }
            _ => return,
        };
        self.steps += 1;
        *self.certificates.entry(state).or_default() += i128::from(wh);
    }

    /// Returns the sums of a mass balance, by the names of its columns.
    pub fn balance(&self) -> Sums {
        let mut sums = Sums::new();
        let mut add = |column, wh: u64| *sums.entry(column).or_default() += i128::from(wh);
        // By slot and participant, what was delivered to him and by him.
        let mut delivered: BTreeMap<(u32, u32), [u64; 2]> = BTreeMap::new();
        for trade in self.trades.values() {
            add("trades", 1);
            add("traded_wh", trade.energy_wh);
            let Some(it) = self.deliveries.get(&trade.id) else { continue };
            add("delivered_wh", it.delivered_wh);
            add("seller_deviation_wh", it.seller_deviation_wh);
            add("buyer_deviation_wh", it.buyer_deviation_wh);
            add("trades_estimated", it.estimated.into());
            delivered.entry((trade.slot, trade.buyer.unwrap())).or_default()[0] += it.delivered_wh;
            delivered.entry((trade.slot, trade.seller.unwrap())).or_default()[1] += it.delivered_wh;
        }
        for (place, it) in &self.metered {
            let [to, by] = delivered.get(place).copied().unwrap_or_default();
            add("meters_read", 1);
            add("generated_wh", it.generation_wh);
            add("self_consumed_wh", it.generation_wh.saturating_sub(it.export_wh));
            add("exported_wh", it.export_wh);
            add("imported_wh", it.import_wh);
            add("fed_in_wh", it.export_wh - by);
            add("residual_import_wh", it.import_wh - to);
        }
        let of = |state| self.certificates.get(state).copied().unwrap_or_default();
        let issued = of("certified_export_wh") + of("certified_self_consumption_wh");
        let gone = ["retired", "bundled", "expired", "withdrawn"].map(|state| match state {
            "retired" => of("certificates_retired_wh"),
            "bundled" => of("certificates_bundled_wh"),
            "expired" => of("certificates_expired_wh"),
            _ => of("certificates_withdrawn_wh"),
        });
        sums.insert("certificates_held_wh", issued - gone.iter().sum::<i128>());
        sums.extend(&self.certificates);
        sums.extend(self.posted.iter().filter(|(column, _)| !column.starts_with("bank")));
        sums
    }

    /// Returns what each edge carries of what was delivered, by slot and zone; nothing of a slot without trades.
    pub fn flows(&self) -> BTreeMap<(u32, String), i128> {
        let mut flows = BTreeMap::new();
        for (trade, delivery) in &self.deliveries {
            let trade = &self.trades[trade];
            for zone in self.zones.iter().filter(|zone| zone.parent.is_some()) {
                flows.entry((trade.slot, zone.name.clone())).or_insert(0);
            }
            let wh = i128::from(delivery.delivered_wh);
            for (owner, wh) in [(trade.seller.unwrap(), wh), (trade.buyer.unwrap(), -wh)] {
                let mut zone = self.people[owner as usize].1;
                while let Some(parent) = self.zones[zone].parent {
                    *flows.get_mut(&(trade.slot, self.zones[zone].name.clone())).unwrap() += wh;
                    zone = parent as usize;
                }
            }
        }
        flows
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Deposit(_) => "bank: deposit",
        Purpose::Payout(_) => "bank: payout",
        Purpose::Rounding(_) => "bank: rounding",
        Purpose::EnergyOfTrade(_) => "energy_yuan",
        Purpose::WheelingOfTrade(_) => "wheeling_yuan",
        Purpose::CongestionOfTrade(_) => "congestion_yuan",
        Purpose::FeeOfTrade(_) => "fee_yuan",
        Purpose::DeviationOfTrade(_) => "deviation_yuan",
        Purpose::RetailInSlot(_) => "retail_yuan",
        Purpose::FeedInInSlot(_) => "feed_in_yuan",
    }
}
