//! R14: whose the certificates are, and what became of them, added up from a plain list of moves.
//!
//! Knows nothing of the rest of a market, so that it can stand for the engine's certificates alone too.

use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

/// What readings say of a producer's slot.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub export: u64,
    pub self_consumed: u64,
    pub sales: Vec<Sale>,
}

/// A trade of a producer's, and what readings say of it.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    pub trade: TradeId,
    pub buyer: ParticipantId,
    pub delivered: u64,
    /// Whether the buyer's import was measured.
    pub is_measured: bool,
}

/// All certificates, as what happened to them.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    /// Every certificate that was issued, in order, with its energy.
    issued: Vec<(CertificateId, CertificateClass, u64)>,
    withdrawn: Vec<CertificateId>,
    /// What came to be held or used of a certificate, or to be that no longer: then it is negative.
    list: Vec<(CertificateId, ParticipantId, CertificateUse, i128)>,
    /// What went to buyers.
    slices: Vec<(CertificateId, TradeId, ParticipantId, u64)>,
}

impl Moves {
    fn is_valid(&self, id: CertificateId) -> bool {
        self.issued.iter().any(|(issued, ..)| *issued == id) && !self.withdrawn.contains(&id)
    }

    fn class(&self, id: CertificateId) -> CertificateClass {
        self.issued.iter().find(|(issued, ..)| *issued == id).unwrap().1
    }

    /// Returns everything that there is, in order of certificates, holders and what became of it.
    pub fn parts(&self) -> Vec<(CertificateId, ParticipantId, CertificateUse, u64)> {
        let mut all = self.list.clone();
        all.sort_unstable();
        let alike = all.chunk_by(|one, other| (one.0, one.1, one.2) == (other.0, other.1, other.2));
        let part = |alike: &[(CertificateId, ParticipantId, CertificateUse, i128)]| {
            let (id, holder, state, _) = alike[0];
            (id, holder, state, u64::try_from(alike.iter().map(|it| it.3).sum::<i128>()).unwrap())
        };
        alike.map(part).filter(|part| part.3 > 0).collect()
    }

    /// Returns what somebody holds of a class and a slot, in order of the certificates' ids.
    fn holdings(
        &self,
        holder: ParticipantId,
        class: CertificateClass,
        slot: Slot,
    ) -> Vec<(CertificateId, u64)> {
        let parts = self.parts().into_iter().filter(|(id, owner, state, _)| {
            id.slot == slot && *owner == holder && *state == CertificateUse::Held && self.class(*id) == class
        });
        parts.map(|(id, _, _, wh)| (id, wh)).collect()
    }

    pub fn held(&self, holder: ParticipantId, slot: Slot) -> u64 {
        let classes = [CertificateClass::Exported, CertificateClass::SelfConsumed];
        classes.into_iter().map(|class| sum(&self.holdings(holder, class, slot))).sum()
    }

    pub fn claimed(&self, holder: ParticipantId, slot: Slot) -> u64 {
        let parts = self.parts().into_iter().filter(|(id, owner, state, _)| {
            id.slot == slot
                && *owner == holder
                && matches!(state, CertificateUse::Retired(_))
                && self.class(*id) == CertificateClass::Exported
        });
        parts.map(|part| part.3).sum()
    }

    fn give(&mut self, id: CertificateId, holder: ParticipantId, state: CertificateUse, wh: u64) {
        self.list.push((id, holder, state, i128::from(wh)));
    }

    fn take(&mut self, id: CertificateId, holder: ParticipantId, state: CertificateUse, wh: u64) {
        self.list.push((id, holder, state, -i128::from(wh)));
    }

    // What readings bring.

    fn certified(&self, slot: Slot, producer: ParticipantId, class: CertificateClass) -> u64 {
        let of_producer = self.issued.iter().filter(|(id, of, _)| {
            id.slot == slot && id.producer == producer && *of == class && self.is_valid(*id)
        });
        of_producer.map(|it| it.2).sum()
    }

    fn sliced_to(&self, slot: Slot, producer: ParticipantId, buyer: ParticipantId) -> u64 {
        let of_producer = self
            .slices
            .iter()
            .filter(|(id, ..)| id.slot == slot && id.producer == producer && self.is_valid(*id));
        of_producer.filter(|it| it.2 == buyer).map(|it| it.3).sum()
    }

    pub fn certify(&mut self, slot: Slot, producer: ParticipantId, readings: &Said, said: &mut Vec<Event>) {
        let mut buyers: Vec<ParticipantId> = unmeasured(readings).map(|sale| sale.buyer).collect();
        buyers.sort_unstable();
        buyers.dedup();
        let missing =
            |buyer| delivered_to(readings, buyer).saturating_sub(self.sliced_to(slot, producer, buyer));
        let waiting: u64 = buyers.into_iter().map(missing).sum();
        self.issue_up_to(slot, producer, readings.export.saturating_sub(waiting), readings, said);
    }

    fn issue_up_to(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        export: u64,
        readings: &Said,
        said: &mut Vec<Event>,
    ) {
        let self_consumed = readings.self_consumed;
        for (class, all) in
            [(CertificateClass::Exported, export), (CertificateClass::SelfConsumed, self_consumed)]
        {
            let certified = self.certified(slot, producer, class);
            if all > certified {
                let of_producer =
                    self.issued.iter().filter(|(id, ..)| id.slot == slot && id.producer == producer);
                let issue = u16::try_from(of_producer.count() + 1).unwrap();
                let certificate = CertificateId { slot, producer, issue };
                self.issued.push((certificate, class, all - certified));
                self.give(certificate, producer, CertificateUse::Held, all - certified);
                let energy = Energy(all - certified);
                said.push(Event::CertificateIssued { certificate, energy, class });
            }
        }
        for sale in readings.sales.iter().filter(|sale| sale.is_measured) {
            self.slice(slot, producer, sale, delivered_to(readings, sale.buyer), said);
        }
    }

    /// Gives a buyer what he misses of what he was delivered in all, as far as it is this trade that misses it.
    fn slice(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        sale: &Sale,
        in_all: u64,
        said: &mut Vec<Event>,
    ) {
        let Sale { trade, buyer, delivered, .. } = *sale;
        let valid = self.slices.iter().filter(|(id, of, ..)| *of == trade && self.is_valid(*id));
        let of_trade = delivered.saturating_sub(valid.map(|it| it.3).sum());
        let of_buyer = in_all.saturating_sub(self.sliced_to(slot, producer, buyer));
        let mut left = of_trade.min(of_buyer);
        for (certificate, wh) in self.holdings(producer, CertificateClass::Exported, slot) {
            let wh = wh.min(left);
            if certificate.producer == producer && wh > 0 {
                left -= wh;
                self.take(certificate, producer, CertificateUse::Held, wh);
                self.give(certificate, buyer, CertificateUse::Held, wh);
                self.slices.push((certificate, trade, buyer, wh));
                let (from, to, energy) = (producer, buyer, Energy(wh));
                said.push(Event::CertificateSliced { certificate, from, to, energy, trade });
            }
        }
    }

    pub fn conclude(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        readings: &Said,
        import_of: impl Fn(ParticipantId) -> u64,
        said: &mut Vec<Event>,
    ) {
        let of_producer = self.issued.iter().filter(|(id, ..)| id.slot == slot && id.producer == producer);
        for id in of_producer.map(|it| it.0).collect::<Vec<_>>().into_iter().rev() {
            if self.is_valid(id) && self.is_contradicted(id, readings, &import_of) {
                self.void(id, "final settlement", said);
            }
        }
        self.issue_up_to(slot, producer, readings.export, readings, said);
    }

    /// Withdraws a certificate, whose slot's settlement is final where there are no readings.
    pub fn withdraw(
        &mut self,
        withdrawal: &CertificateWithdrawal,
        readings: Option<&Said>,
        import_of: impl Fn(ParticipantId) -> u64,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let id = withdrawal.certificate;
        if !self.is_valid(id) {
            return Err(Rejection::CertificateMustExist);
        }
        match readings.filter(|readings| self.is_contradicted(id, readings, import_of)) {
            None => Err(Rejection::CorrectionMustContradictTheCertificate),
            Some(readings) => {
                self.void(id, &withdrawal.reason, said);
                self.certify(id.slot, id.producer, readings, said);
                Ok(Outcome::CertificateWithdrawn)
            }
        }
    }

    fn is_contradicted(
        &self,
        id: CertificateId,
        readings: &Said,
        import_of: impl Fn(ParticipantId) -> u64,
    ) -> bool {
        let CertificateId { slot, producer, .. } = id;
        let certified = self.certified(slot, producer, self.class(id));
        if self.class(id) == CertificateClass::SelfConsumed {
            return certified > readings.self_consumed;
        }
        let mut buyers = self.slices.iter().filter(|(of, ..)| *of == id).map(|it| it.2);
        let mut claimers = self
            .parts()
            .into_iter()
            .filter(|(of, _, state, _)| *of == id && matches!(state, CertificateUse::Retired(_)));
        certified > readings.export
            || buyers.any(|buyer| self.sliced_to(slot, producer, buyer) > delivered_to(readings, buyer))
            || claimers.any(|(_, claimer, ..)| self.claimed(claimer, slot) > import_of(claimer))
    }

    fn void(&mut self, id: CertificateId, reason: &str, said: &mut Vec<Event>) {
        let energy = Energy(self.issued.iter().find(|(issued, ..)| *issued == id).unwrap().2);
        let reason: String = reason.to_string();
        said.push(Event::CertificateWithdrawn { certificate: id, energy, reason });
        let mut gecs = Vec::new();
        for (_, holder, was, wh) in self.parts().into_iter().filter(|(of, ..)| *of == id) {
            self.take(id, holder, was, wh);
            said.push(Event::CertificateVoided { certificate: id, holder, energy: Energy(wh), was });
            if let CertificateUse::Bundled(gec) = was {
                gecs.push((gec, holder));
            }
        }
        self.withdrawn.push(id);
        gecs.sort_unstable();
        for (gec, holder) in gecs {
            said.push(Event::GecVoided { gec, holder });
            let parts = self.parts().into_iter().filter(|it| it.2 == CertificateUse::Bundled(gec));
            for (certificate, holder, state, wh) in parts.collect::<Vec<_>>() {
                self.take(certificate, holder, state, wh);
                self.give(certificate, holder, CertificateUse::Held, wh);
                said.push(Event::CertificateReleased { certificate, holder, energy: Energy(wh), gec });
            }
        }
    }

    // What holders and time do.

    pub fn transfer(
        &mut self,
        from: ParticipantId,
        to: ParticipantId,
        transfer: &Transfer,
        is_settled: bool,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Transfer { slot, energy, .. } = *transfer;
        let held = Energy(self.held(from, slot));
        let slices = self.holdings(from, CertificateClass::Exported, slot);
        let tradable = Energy(sum(&slices));
        match () {
            () if energy.is_zero() => return Err(Rejection::TransferMustBePositive),
            () if from == to => return Err(Rejection::TransferMustBeToAnother),
            () if !is_settled => return Err(Rejection::SlotMustBeSettled { slot }),
            () if energy > held => return Err(Rejection::CertificatesMustBeHeld { energy, held }),
            () if energy > tradable => {
                return Err(Rejection::CertificatesMustBeTradable { energy, tradable });
            }
            () => {}
        }

        for (certificate, wh) in first_of(&slices, energy.0) {
            self.take(certificate, from, CertificateUse::Held, wh);
            self.give(certificate, to, CertificateUse::Held, wh);
            said.push(Event::CertificateTransferred { certificate, from, to, energy: Energy(wh) });
        }
        Ok(Outcome::Transferred)
    }

    pub fn retire(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        retired: &Retirement,
        is_settled: bool,
        import: u64,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Retirement { slot, energy, consumption_slot, class, ref beneficiary, ref purpose } = *retired;
        let slices = self.holdings(holder, class, slot);
        let held = Energy(sum(&slices));
        let is_export = class == CertificateClass::Exported;
        let unclaimed = Energy(import.saturating_sub(self.claimed(holder, slot)));
        match () {
            () if energy.is_zero() => return Err(Rejection::RetirementMustBePositive),
            () if consumption_slot != slot => {
                return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
            }
            () if !is_settled => return Err(Rejection::SlotMustBeSettled { slot }),
            () if energy > held => return Err(Rejection::CertificatesMustBeHeld { energy, held }),
            () if is_export && energy > unclaimed => {
                return Err(Rejection::ConsumptionMustCover { energy, unclaimed });
            }
            () => {}
        }

        let retirement = RetirementId(stamp.index);
        for (certificate, wh) in first_of(&slices, energy.0) {
            self.take(certificate, holder, CertificateUse::Held, wh);
            self.give(certificate, holder, CertificateUse::Retired(retirement), wh);
            let (energy, beneficiary, purpose) = (Energy(wh), beneficiary.clone(), purpose.clone());
            said.push(Event::CertificateRetired {
                certificate,
                holder,
                energy,
                consumption_slot,
                beneficiary,
                purpose,
                retirement,
            });
        }
        Ok(Outcome::Retired(retirement))
    }

    pub fn bundle(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        bundling: Bundling,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let mut slots: Vec<Slot> = self.issued.iter().map(|(id, ..)| id.slot).collect();
        slots.retain(|slot| *slot <= bundling.until);
        slots.sort_unstable();
        slots.dedup();
        let holdings = |moves: &Moves| -> Vec<(CertificateId, u64)> {
            let of = |slot: &Slot| moves.holdings(holder, CertificateClass::Exported, *slot);
            slots.iter().flat_map(of).collect()
        };
        let held = sum(&holdings(self));
        if held < 1_000_000 {
            return Err(Rejection::BundleMustReachOneMwh { held: Energy(held) });
        }

        let gecs = u32::try_from(held / 1_000_000).unwrap().min(100);
        for position in 0..gecs {
            let gec = GecId { index: stamp.index, position };
            said.push(Event::GecIssued { gec, holder });
            for (certificate, wh) in first_of(&holdings(self), 1_000_000) {
                self.take(certificate, holder, CertificateUse::Held, wh);
                self.give(certificate, holder, CertificateUse::Bundled(gec), wh);
                said.push(Event::CertificateBundled { certificate, holder, energy: Energy(wh), gec });
            }
        }
        Ok(Outcome::Bundled { gecs, left: Energy(held - u64::from(gecs) * 1_000_000) })
    }

    /// Returns when the first of what is held expires.
    pub fn next_due(&self) -> Option<Timestamp> {
        let held = self.parts().into_iter().filter(|part| part.2 == CertificateUse::Held);
        held.map(|part| expiry(part.0.slot)).min()
    }

    pub fn expire(&mut self, at: Timestamp, said: &mut Vec<Event>) {
        let held = self.parts().into_iter().filter(|part| part.2 == CertificateUse::Held);
        let over = held.filter(|part| expiry(part.0.slot) <= at);
        for (certificate, holder, _, wh) in over.collect::<Vec<_>>() {
            self.take(certificate, holder, CertificateUse::Held, wh);
            self.give(certificate, holder, CertificateUse::Expired, wh);
            said.push(Event::CertificateExpired { certificate, holder, energy: Energy(wh) });
        }
    }
}

fn unmeasured(readings: &Said) -> impl Iterator<Item = &Sale> {
    readings.sales.iter().filter(|sale| !sale.is_measured)
}

fn delivered_to(readings: &Said, buyer: ParticipantId) -> u64 {
    readings.sales.iter().filter(|sale| sale.buyer == buyer).map(|sale| sale.delivered).sum()
}

fn sum(holdings: &[(CertificateId, u64)]) -> u64 {
    holdings.iter().map(|holding| holding.1).sum()
}

/// Returns the first `wh` of some holdings.
fn first_of(holdings: &[(CertificateId, u64)], wh: u64) -> Vec<(CertificateId, u64)> {
    let mut left = wh;
    let taken = holdings.iter().map(|(id, held)| {
        let wh = left.min(*held);
        left -= wh;
        (*id, wh)
    });
    taken.filter(|(_, wh)| *wh > 0).collect()
}

/// Returns when what was generated in a slot expires, by leafing through the calendar.
fn expiry(slot: Slot) -> Timestamp {
    let (mut year, mut month, mut day) = (1970, 1, 0);
    let mut leaf = || {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        day += days;
        day
    };
    while leaf() <= u64::from(slot.0) / 96 {}
    let mut day = 0;
    for _ in 0..24 {
        day = leaf();
    }
    Timestamp(day * 86_400 * 1_000_000)
}
