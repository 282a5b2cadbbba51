//! Rows: from the facts about a participant to one row a slot, and his payments.
//!
//! Knows the ledger's facts; does not know where leaves are found, balances, or who asks.
//! Keeps: what is stated again counts as a difference, so that periods that follow each other sum to the
//! whole; each posting stands in one row, under its purpose.

use std::collections::{BTreeMap, HashMap};

use parkwatt_engine::{Slot, TariffBand, Timestamp, Worth};
use parkwatt_proto::v1::{
    self, PaymentKind, certificate_voided::Was, leaf::Fact, ledger_account, posting::Purpose,
};

use super::super::decimal;
use crate::refusal::Refused;

/// 1e-9 yuan in one yuan.
const NANOS_PER_YUAN: i128 = 1_000_000_000;

/// A column of a statement: energies in Wh, then amounts in 1e-9 yuan, then certificates in Wh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Bought,
    Sold,
    DeliveredAsBuyer,
    DeliveredAsSeller,
    Deviation,
    Import,
    Export,
    Generation,
    Energy,
    Wheeling,
    Congestion,
    Fee,
    DeviationCharge,
    Retail,
    FeedIn,
    WithoutMarket,
    Issued,
    Received,
    PassedOn,
    Retired,
    Bundled,
    Expired,
    Voided,
}

/// The columns that sum to what a row moves.
const AMOUNTS: [Column; 7] = [
    Column::Energy,
    Column::Wheeling,
    Column::Congestion,
    Column::Fee,
    Column::DeviationCharge,
    Column::Retail,
    Column::FeedIn,
];

/// A row's figures, by their columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures([i128; Column::Voided as usize + 1]);

/// What can be stated again; the last statement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What a trade delivered.
    Delivery {
        /// The trade.
        trade: u64,
    },
    /// What the participant's meter measured.
    Metered {
        /// In which slot.
        slot: u32,
    },
}

/// A period's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// The slots' figures, in order.
    pub slots: BTreeMap<u32, Figures>,
    /// The payments, in order.
    pub payments: Vec<v1::StatementPayment>,
    /// Their sum, in 1e-9 yuan.
    pub paid: i128,
}

/// The rows of a participant's statement, as they grow.
pub struct Rows {
    participant: u32,
    from: Timestamp,
    slots: BTreeMap<u32, Figures>,
    payments: Vec<v1::StatementPayment>,
    paid: i128,
    /// What was stated last in the period, as the columns count it.
    stated: HashMap<Subject, [i128; 3]>,
    /// The slots of the trades whose deliveries were stated in the period.
    slot_of: HashMap<u64, u32>,
}

impl Figures {
    /// Returns one figure.
    pub fn get(&self, column: Column) -> i128 {
        self.0[column as usize]
    }

    /// Adds to one figure.
    pub fn add(&mut self, column: Column, difference: i128) {
        self.0[column as usize] += difference;
    }

    /// Returns the sums.
    #[must_use]
    pub fn plus(&self, other: &Figures) -> Figures {
        let mut sums = *self;
        for (sum, figure) in sums.0.iter_mut().zip(other.0) {
            *sum += figure;
        }
        sums
    }

    /// Returns what moved, in 1e-9 yuan.
    pub fn amount(&self) -> i128 {
        AMOUNTS.into_iter().map(|column| self.get(column)).sum()
    }

    /// Says what the amount would be without the market: where energy was delivered, its buyer would have
    /// drawn it at the retail tariff, and its seller fed it in at the other one.
    fn compare(&mut self, tariff: &TariffBand) {
        let worth = |price: parkwatt_engine::Price, column| i128::from(price.0) * self.get(column);
        let drawn = self.get(Column::Retail) - worth(tariff.retail, Column::DeliveredAsBuyer);
        let fed_in = self.get(Column::FeedIn) + worth(tariff.feed_in, Column::DeliveredAsSeller);
        self.0[Column::WithoutMarket as usize] = drawn + fed_in;
    }

    /// Returns the contract's form.
    ///
    /// # Errors
    /// [`Refused::Unreadable`] if a figure is beyond every market's.
    pub fn message(&self) -> Result<v1::StatementFigures, Refused> {
        let wh = |column| i64::try_from(self.get(column)).map_err(too_large);
        let traded = |column| u64::try_from(self.get(column)).map_err(too_large);
        let yuan = |column| decimal(Worth(self.get(column)));
        Ok(v1::StatementFigures {
            bought_wh: traded(Column::Bought)?,
            sold_wh: traded(Column::Sold)?,
            delivered_as_buyer_wh: wh(Column::DeliveredAsBuyer)?,
            delivered_as_seller_wh: wh(Column::DeliveredAsSeller)?,
            deviation_wh: wh(Column::Deviation)?,
            import_wh: wh(Column::Import)?,
            export_wh: wh(Column::Export)?,
            generation_wh: wh(Column::Generation)?,
            energy_yuan: yuan(Column::Energy)?,
            wheeling_yuan: yuan(Column::Wheeling)?,
            congestion_yuan: yuan(Column::Congestion)?,
            fee_yuan: yuan(Column::Fee)?,
            deviation_yuan: yuan(Column::DeviationCharge)?,
            retail_yuan: yuan(Column::Retail)?,
            feed_in_yuan: yuan(Column::FeedIn)?,
            amount_yuan: decimal(Worth(self.amount()))?,
            without_market_yuan: yuan(Column::WithoutMarket)?,
            gain_yuan: decimal(Worth(self.amount() - self.get(Column::WithoutMarket)))?,
            certificates_issued_wh: wh(Column::Issued)?,
            certificates_received_wh: wh(Column::Received)?,
            certificates_passed_on_wh: wh(Column::PassedOn)?,
            certificates_retired_wh: wh(Column::Retired)?,
            certificates_bundled_wh: wh(Column::Bundled)?,
            certificates_expired_wh: wh(Column::Expired)?,
            certificates_voided_wh: wh(Column::Voided)?,
        })
    }
}

impl Rows {
    /// Returns no rows yet, for a period that begins at `from`.
    pub fn new(participant: u32, from: Timestamp) -> Rows {
        Rows {
            participant,
            from,
            slots: BTreeMap::new(),
            payments: Vec::new(),
            paid: 0,
            stated: HashMap::new(),
            slot_of: HashMap::new(),
        }
    }

    /// Takes the next fact about the participant in the period.
    ///
    /// `earlier` returns what was stated last of a subject before the period; it is asked only where there
    /// may be something.
    ///
    /// # Errors
    /// Those of `earlier`; [`Refused::Unreadable`] if the fact does not follow from those before it.
    pub fn take(
        &mut self,
        (leaf_index, at_micros): (u64, u64),
        fact: &Fact,
        earlier: impl FnOnce(Subject) -> Result<Option<Fact>, Refused>,
    ) -> Result<(), Refused> {
        match fact {
            Fact::TradeMade(it) => {
                let traded = i128::from(it.energy_wh);
                self.add_if(it.buyer, it.slot, Column::Bought, traded);
                self.add_if(it.seller, it.slot, Column::Sold, traded);
            }
            Fact::TradeDelivered(it) => {
                self.slot_of.insert(it.trade, it.slot);
                let columns = [Column::DeliveredAsBuyer, Column::DeliveredAsSeller, Column::Deviation];
                self.state(Subject::Delivery { trade: it.trade }, it.slot, columns, fact, earlier)?;
            }
            Fact::Metered(it) => {
                let columns = [Column::Import, Column::Export, Column::Generation];
                self.state(Subject::Metered { slot: it.slot }, it.slot, columns, fact, earlier)?;
            }
            Fact::Posted(posting) => self.post((leaf_index, at_micros), posting)?,
            _ => self.certify(fact),
        }
        Ok(())
    }

    /// Returns the rows; `tariff_in` returns the tariff of a slot.
    pub fn finish(mut self, tariff_in: impl Fn(Slot) -> TariffBand) -> Finished {
        for (slot, figures) in &mut self.slots {
            figures.compare(&tariff_in(Slot(*slot)));
        }
        Finished { slots: self.slots, payments: self.payments, paid: self.paid }
    }

    /// Counts what is stated of a subject, less what was stated before.
    fn state(
        &mut self,
        subject: Subject,
        slot: u32,
        columns: [Column; 3],
        fact: &Fact,
        earlier: impl FnOnce(Subject) -> Result<Option<Fact>, Refused>,
    ) -> Result<(), Refused> {
        let now = self.parts(fact);
        let before = match self.stated.insert(subject, now) {
            Some(before) => before,
            // OK because nothing is stated of a slot before its end.
            None if Slot(slot).end() >= self.from => [0; 3],
            None => earlier(subject)?.map_or([0; 3], |fact| self.parts(&fact)),
        };
        let figures = self.slots.entry(slot).or_default();
        for ((column, now), before) in columns.into_iter().zip(now).zip(before) {
            figures.add(column, now - before);
        }
        Ok(())
    }

    /// Returns what a fact states of the participant: of a delivery what he bought, sold and is liable for,
    /// of a meter import, export and generation.
    fn parts(&self, fact: &Fact) -> [i128; 3] {
        match fact {
            Fact::TradeDelivered(it) => {
                let of = |owner: Option<u32>, wh: u64| {
                    if owner == Some(self.participant) { i128::from(wh) } else { 0 }
                };
                [
                    of(it.buyer, it.delivered_wh),
                    of(it.seller, it.delivered_wh),
                    of(it.buyer, it.buyer_deviation_wh) + of(it.seller, it.seller_deviation_wh),
                ]
            }
            Fact::Metered(it) => [it.import_wh, it.export_wh, it.generation_wh].map(i128::from),
            _ => [0; 3],
        }
    }

    fn post(&mut self, (leaf_index, at_micros): (u64, u64), posting: &v1::Posting) -> Result<(), Refused> {
        let change = change(posting, self.participant);
        let (trade, column) = match posting.purpose {
            Some(Purpose::RetailInSlot(slot)) => {
                self.add(slot, Column::Retail, change);
                return Ok(());
            }
            Some(Purpose::FeedInInSlot(slot)) => {
                self.add(slot, Column::FeedIn, change);
                return Ok(());
            }
            Some(Purpose::EnergyOfTrade(trade)) => (trade, Column::Energy),
            Some(Purpose::WheelingOfTrade(trade)) => (trade, Column::Wheeling),
            Some(Purpose::CongestionOfTrade(trade)) => (trade, Column::Congestion),
            Some(Purpose::FeeOfTrade(trade)) => (trade, Column::Fee),
            Some(Purpose::DeviationOfTrade(trade)) => (trade, Column::DeviationCharge),
            Some(Purpose::Deposit(_) | Purpose::Payout(_) | Purpose::Rounding(_)) | None => {
                self.paid += change;
                self.payments.push(v1::StatementPayment {
                    leaf_index,
                    at_micros,
                    kind: payment_kind(posting).into(),
                    amount_yuan: decimal(Worth(change))?,
                });
                return Ok(());
            }
        };
        // A trade's delivery stands right before what is paid for it.
        let slot = self.slot_of.get(&trade).copied().ok_or_else(|| {
            Refused::Unreadable(format!("leaf {leaf_index} pays for trade {trade} before its delivery"))
        })?;
        self.add(slot, column, change);
        Ok(())
    }

    /// Counts what became of the participant's certificates, in the row of their generation.
    fn certify(&mut self, fact: &Fact) {
        let slot = |id: Option<v1::CertificateId>| id.unwrap_or_default().slot;
        match fact {
            Fact::CertificateIssued(it) => {
                let producer = it.certificate.map(|id| id.producer);
                self.add_if(producer, slot(it.certificate), Column::Issued, it.energy_wh.into());
            }
            Fact::CertificateSliced(it) => self.pass_on(it.certificate, [it.from, it.to], it.energy_wh),
            Fact::CertificateTransferred(it) => self.pass_on(it.certificate, [it.from, it.to], it.energy_wh),
            Fact::CertificateRetired(it) => {
                self.add_if(Some(it.holder), slot(it.certificate), Column::Retired, it.energy_wh.into());
            }
            Fact::CertificateBundled(it) => {
                self.add_if(Some(it.holder), slot(it.certificate), Column::Bundled, it.energy_wh.into());
            }
            Fact::CertificateReleased(it) => {
                let released = -i128::from(it.energy_wh);
                self.add_if(Some(it.holder), slot(it.certificate), Column::Bundled, released);
            }
            Fact::CertificateExpired(it) => {
                self.add_if(Some(it.holder), slot(it.certificate), Column::Expired, it.energy_wh.into());
            }
            Fact::CertificateVoided(it) => {
                let (slot, voided) = (slot(it.certificate), i128::from(it.energy_wh));
                self.add_if(Some(it.holder), slot, Column::Voided, voided);
                let was = match it.was {
                    Some(Was::Retirement(_)) => Column::Retired,
                    Some(Was::Gec(_)) => Column::Bundled,
                    Some(Was::Expired(_)) => Column::Expired,
                    Some(Was::Held(_)) | None => return,
                };
                self.add_if(Some(it.holder), slot, was, -voided);
            }
            _ => {}
        }
    }

    fn pass_on(&mut self, certificate: Option<v1::CertificateId>, [from, to]: [u32; 2], energy_wh: u64) {
        let slot = certificate.unwrap_or_default().slot;
        self.add_if(Some(from), slot, Column::PassedOn, energy_wh.into());
        self.add_if(Some(to), slot, Column::Received, energy_wh.into());
    }

    /// Adds to a row what concerns the participant, and nothing if it concerns somebody else.
    fn add_if(&mut self, whom: Option<u32>, slot: u32, column: Column, difference: i128) {
        if whom == Some(self.participant) {
            self.add(slot, column, difference);
        }
    }

    fn add(&mut self, slot: u32, column: Column, difference: i128) {
        self.slots.entry(slot).or_default().add(column, difference);
    }
}

/// Returns by how much a posting changes a participant's account, in 1e-9 yuan.
pub fn change(posting: &v1::Posting, participant: u32) -> i128 {
    let amount = i128::from(posting.amount_yuan) * NANOS_PER_YUAN + i128::from(posting.amount_nanos);
    let is_his = |account: Option<v1::LedgerAccount>| {
        account.and_then(|account| account.kind) == Some(ledger_account::Kind::Participant(participant))
    };
    let takes = if is_his(posting.to) { amount } else { 0 };
    let gives = if is_his(posting.from) { amount } else { 0 };
    takes - gives
}

fn payment_kind(posting: &v1::Posting) -> PaymentKind {
    match posting.purpose {
        Some(Purpose::Deposit(_)) => PaymentKind::Deposit,
        Some(Purpose::Payout(_)) => PaymentKind::Payout,
        Some(Purpose::Rounding(_)) => PaymentKind::Rounding,
        _ => PaymentKind::Unspecified,
    }
}

fn too_large(_: std::num::TryFromIntError) -> Refused {
    Refused::Unreadable("a statement's energy is beyond every market's".into())
}

#[cfg(test)]
mod tests;
