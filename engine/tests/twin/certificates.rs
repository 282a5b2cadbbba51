//! R14: whose the certificates are, and what became of them, added up from a plain list of moves.
//!
//! Knows nothing of the rest of a market, so that it can stand for the engine's certificates alone too.

use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

#[path = "certificates_used.rs"]
mod used;

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
        let mut moved = Vec::new();
        for id in of_producer.map(|it| it.0).collect::<Vec<_>>().into_iter().rev() {
            if self.is_valid(id) && self.is_contradicted(id, readings, &import_of) {
                moved.extend(self.moved(id));
                self.void(id, "final settlement", said);
            }
        }
        self.issue_up_to(slot, producer, readings.export, readings, said);
        self.move_again(slot, producer, &moved, said);
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
                let moved = self.moved(id);
                self.void(id, &withdrawal.reason, said);
                self.certify(id.slot, id.producer, readings, said);
                self.move_again(id.slot, id.producer, &moved, said);
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

    /// Returns what was passed on of a certificate, in pieces: of each holder what he had of it and did not have
    /// by its issue and slices, negative where he had less.
    fn moved(&self, id: CertificateId) -> Vec<(ParticipantId, i128)> {
        let energy = self.issued.iter().find(|(issued, ..)| *issued == id).unwrap().2;
        let parts = self.parts().into_iter().filter(|(of, ..)| *of == id);
        let mut moved: Vec<_> = parts.map(|(_, holder, _, wh)| (holder, i128::from(wh))).collect();
        moved.push((id.producer, -i128::from(energy)));
        for (_, _, buyer, wh) in self.slices.iter().filter(|(of, ..)| *of == id) {
            moved.push((id.producer, i128::from(*wh)));
            moved.push((*buyer, -i128::from(*wh)));
        }
        moved
    }

    /// Passes on again what was passed on of withdrawn certificates: first all is collected from those who had
    /// passed on, then it is dealt to those who had received.
    fn move_again(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        moved: &[(ParticipantId, i128)],
        said: &mut Vec<Event>,
    ) {
        let mut people: Vec<ParticipantId> = moved.iter().map(|(who, _)| *who).collect();
        people.sort_unstable();
        people.dedup();
        let in_all = |who| moved.iter().filter(|it| it.0 == who).map(|it| it.1).sum::<i128>();
        let mut given = Vec::new();
        for &from in people.iter().filter(|who| in_all(**who) < 0) {
            let mut has = self.holdings(from, CertificateClass::Exported, slot);
            has.retain(|(id, _)| id.producer == producer);
            for (certificate, wh) in first_of(&has, u64::try_from(-in_all(from)).unwrap()) {
                self.take(certificate, from, CertificateUse::Held, wh);
                given.push((from, certificate, wh));
            }
        }
        people.retain(|who| in_all(*who) > 0);
        let wanted: Vec<u128> = people.iter().map(|who| u128::try_from(in_all(*who)).unwrap()).collect();
        let all: u64 = given.iter().map(|it| it.2).sum();
        for (to, mut left) in people.into_iter().zip(in_proportion(all, &wanted)) {
            for (from, certificate, wh) in &mut given {
                let passed = left.min(*wh);
                if passed > 0 {
                    left -= passed;
                    *wh -= passed;
                    self.give(*certificate, to, CertificateUse::Held, passed);
                    let (certificate, from, energy) = (*certificate, *from, Energy(passed));
                    said.push(Event::CertificateTransferred { certificate, from, to, energy });
                }
            }
        }
    }

    /// Returns what of some holdings no reading contradicts.
    fn borne_out(
        &self,
        holdings: &[(CertificateId, u64)],
        measured: impl Fn(Slot, ParticipantId) -> Option<Said>,
    ) -> Vec<(CertificateId, u64)> {
        let is_borne_out = |id: CertificateId| {
            let class = self.class(id);
            let certified = self.certified(id.slot, id.producer, class);
            measured(id.slot, id.producer).is_none_or(|said| match class {
                CertificateClass::Exported => certified <= said.export,
                CertificateClass::SelfConsumed => certified <= said.self_consumed,
            })
        };
        holdings.iter().copied().filter(|(id, _)| is_borne_out(*id)).collect()
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

/// Returns the share of each of `wanted` in `all`, which is at most what they want together: in whole Wh, in
/// proportion, and then one Wh each to the greatest remainders, of equal ones to the earlier.
fn in_proportion(all: u64, wanted: &[u128]) -> Vec<u64> {
    let total = wanted.iter().sum::<u128>().max(1);
    let mut shares: Vec<u64> =
        wanted.iter().map(|want| u64::try_from(want * u128::from(all) / total).unwrap()).collect();
    let mut remainders: Vec<u128> = wanted.iter().map(|want| want * u128::from(all) % total).collect();
    for _ in 0..all - shares.iter().sum::<u64>() {
        let greatest = *remainders.iter().max().unwrap();
        let place = remainders.iter().position(|remainder| *remainder == greatest).unwrap();
        (shares[place], remainders[place]) = (shares[place] + 1, 0);
    }
    shares
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
