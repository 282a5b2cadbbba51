//! Certificates, as their holders see them: what became of each part, and the national ones they are in.

use std::collections::BTreeMap;

use parkwatt_engine::{
    CertificateClass, CertificateId, CertificateUse, Event, GecId, LeafIndex, ParticipantId, RetirementId,
    Slot,
};
use serde::{Deserialize, Serialize};

/// Every certificate, and who had part in it.
#[derive(Default, Serialize, Deserialize)]
pub struct Certificates {
    holdings: BTreeMap<(ParticipantId, CertificateId), Holding>,
    classes: BTreeMap<CertificateId, CertificateClass>,
    nationals: BTreeMap<(ParticipantId, GecId), NationalView>,
    claims: BTreeMap<(ParticipantId, RetirementId), ClaimView>,
}

/// What a participant has of one certificate, by its use, in Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Held.
    pub held: u64,
    /// Claimed.
    pub retired: u64,
    /// In national certificates.
    pub bundled: u64,
    /// Expired.
    pub expired: u64,
    /// Held, claimed, bundled or expired when the certificate was withdrawn.
    pub voided: u64,
}

/// A national certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NationalView {
    /// The earliest slot of generation in it.
    pub first: Slot,
    /// The latest slot of generation in it.
    pub last: Slot,
    /// How many certificates have part in it.
    pub parts: u32,
    /// Whether it is void.
    pub voided: bool,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimView {
    /// The slot of generation and consumption.
    pub slot: Slot,
    /// What its certificates certify.
    pub class: CertificateClass,
    /// How much was claimed, in Wh.
    pub energy: u64,
    /// How much of it is void, in Wh.
    pub voided: u64,
    /// For whom.
    pub beneficiary: String,
    /// What for.
    pub purpose: String,
}

impl Certificates {
    /// Returns everything that anybody has, by holder and then by the certificates' ids.
    pub fn all(&self) -> impl Iterator<Item = (ParticipantId, CertificateId, &Holding)> {
        self.holdings.iter().map(|((holder, certificate), holding)| (*holder, *certificate, holding))
    }

    /// Returns what a participant has, in order of the certificates' ids.
    pub fn of(&self, holder: ParticipantId) -> impl DoubleEndedIterator<Item = (CertificateId, &Holding)> {
        let first = CertificateId { slot: Slot(0), producer: ParticipantId(0), issue: 0 };
        let last = CertificateId { slot: Slot(u32::MAX), producer: ParticipantId(u32::MAX), issue: u16::MAX };
        let his = self.holdings.range((holder, first)..=(holder, last));
        his.map(|((_, certificate), holding)| (*certificate, holding))
    }

    /// Returns what a certificate certifies.
    pub fn class(&self, certificate: CertificateId) -> CertificateClass {
        self.classes.get(&certificate).copied().unwrap_or_default()
    }

    /// Returns the national certificates that a participant bundled, in order of their ids.
    pub fn nationals_of(
        &self,
        holder: ParticipantId,
    ) -> impl DoubleEndedIterator<Item = (GecId, &NationalView)> {
        let first = GecId { index: LeafIndex(0), position: 0 };
        let last = GecId { index: LeafIndex(u64::MAX), position: u32::MAX };
        let his = self.nationals.range((holder, first)..=(holder, last));
        his.map(|((_, gec), national)| (*gec, national))
    }

    /// Returns what a participant claimed, in order of the claims' numbers.
    pub fn claims_of(
        &self,
        holder: ParticipantId,
    ) -> impl DoubleEndedIterator<Item = (RetirementId, &ClaimView)> {
        let [first, last] = [0, u64::MAX].map(|index| RetirementId(LeafIndex(index)));
        self.claims.range((holder, first)..=(holder, last)).map(|((_, number), claim)| (*number, claim))
    }

    pub(super) fn observe(&mut self, event: &Event) {
        self.observe_claim(event);
        match *event {
            Event::CertificateIssued { certificate, energy, class } => {
                self.classes.insert(certificate, class);
                self.change(certificate.producer, certificate, |it| it.held += energy.0);
            }
            Event::CertificateSliced { certificate, from, to, energy, .. }
            | Event::CertificateTransferred { certificate, from, to, energy } => {
                self.change(from, certificate, |it| it.held -= energy.0);
                self.change(to, certificate, |it| it.held += energy.0);
            }
            Event::CertificateRetired { certificate, holder, energy, .. } => {
                self.change(holder, certificate, |it| {
                    it.held -= energy.0;
                    it.retired += energy.0;
                });
            }
            Event::CertificateBundled { certificate, holder, energy, gec } => {
                self.change(holder, certificate, |it| {
                    it.held -= energy.0;
                    it.bundled += energy.0;
                });
                self.take_in(holder, gec, certificate.slot);
            }
            Event::CertificateExpired { certificate, holder, energy } => {
                self.change(holder, certificate, |it| {
                    it.held -= energy.0;
                    it.expired += energy.0;
                });
            }
            Event::CertificateVoided { certificate, holder, energy, was } => {
                self.change(holder, certificate, |it| {
                    let was = match was {
                        CertificateUse::Held => &mut it.held,
                        CertificateUse::Retired(_) => &mut it.retired,
                        CertificateUse::Bundled(_) => &mut it.bundled,
                        CertificateUse::Expired => &mut it.expired,
                    };
                    *was -= energy.0;
                    it.voided += energy.0;
                });
            }
            Event::GecVoided { gec, holder } => {
                if let Some(national) = self.nationals.get_mut(&(holder, gec)) {
                    national.voided = true;
                }
            }
            Event::CertificateReleased { certificate, holder, energy, .. } => {
                self.change(holder, certificate, |it| {
                    it.bundled -= energy.0;
                    it.held += energy.0;
                });
            }
            _ => {}
        }
    }

    /// Changes what a participant has of a certificate; what is all passed on is no holding.
    fn change(
        &mut self,
        holder: ParticipantId,
        certificate: CertificateId,
        change: impl FnOnce(&mut Holding),
    ) {
        let key = (holder, certificate);
        let holding = self.holdings.entry(key).or_default();
        change(holding);
        if *holding == Holding::default() {
            self.holdings.remove(&key);
        }
    }

    /// Draws a part of a claim, or that it is void.
    fn observe_claim(&mut self, event: &Event) {
        match event {
            Event::CertificateRetired {
                certificate,
                holder,
                energy,
                consumption_slot,
                beneficiary,
                purpose,
                retirement,
            } => {
                let claim = self.claims.entry((*holder, *retirement)).or_insert_with(|| ClaimView {
                    slot: *consumption_slot,
                    class: self.classes.get(certificate).copied().unwrap_or_default(),
                    energy: 0,
                    voided: 0,
                    beneficiary: beneficiary.clone(),
                    purpose: purpose.clone(),
                });
                claim.energy += energy.0;
            }
            Event::CertificateVoided { holder, energy, was: CertificateUse::Retired(retirement), .. } => {
                if let Some(claim) = self.claims.get_mut(&(*holder, *retirement)) {
                    claim.voided += energy.0;
                }
            }
            _ => {}
        }
    }

    /// Draws a part of a national certificate.
    fn take_in(&mut self, holder: ParticipantId, gec: GecId, slot: Slot) {
        let empty = NationalView { first: slot, last: slot, parts: 0, voided: false };
        let national = self.nationals.entry((holder, gec)).or_insert(empty);
        national.first = national.first.min(slot);
        national.last = national.last.max(slot);
        national.parts += 1;
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_engine::{Energy, RetirementId, TradeId};

    use super::*;

    const EVE: ParticipantId = ParticipantId(0);
    const ANN: ParticipantId = ParticipantId(1);
    const CERTIFICATE: CertificateId = CertificateId { slot: Slot(7), producer: EVE, issue: 1 };
    const OTHER: CertificateId = CertificateId { slot: Slot(9), producer: EVE, issue: 1 };
    const GEC: GecId = GecId { index: LeafIndex(5), position: 0 };
    const CLAIM: RetirementId = RetirementId(LeafIndex(6));

    fn issued(certificate: CertificateId, wh: u64) -> Event {
        Event::CertificateIssued { certificate, energy: Energy(wh), class: CertificateClass::Exported }
    }

    fn sliced(wh: u64) -> Event {
        let (certificate, energy, trade) = (CERTIFICATE, Energy(wh), TradeId(LeafIndex(4)));
        Event::CertificateSliced { certificate, from: EVE, to: ANN, energy, trade }
    }

    fn bundled(certificate: CertificateId, wh: u64) -> Event {
        Event::CertificateBundled { certificate, holder: ANN, energy: Energy(wh), gec: GEC }
    }

    fn retired(wh: u64) -> Event {
        Event::CertificateRetired {
            certificate: CERTIFICATE,
            holder: ANN,
            energy: Energy(wh),
            consumption_slot: Slot(7),
            beneficiary: "Mill No. 3".into(),
            purpose: String::new(),
            retirement: CLAIM,
        }
    }

    fn voided(holder: ParticipantId, wh: u64, was: CertificateUse) -> Event {
        Event::CertificateVoided { certificate: CERTIFICATE, holder, energy: Energy(wh), was }
    }

    fn drawn(events: &[Event]) -> Certificates {
        let mut certificates = Certificates::default();
        for event in events {
            certificates.observe(event);
        }
        certificates
    }

    /// Checks what a participant has of a certificate: held, retired, bundled, expired, void.
    #[track_caller]
    fn check(certificates: &Certificates, holder: ParticipantId, id: CertificateId, expected: [u64; 5]) {
        let found = certificates.of(holder).find(|(its, _)| *its == id).map(|(_, holding)| *holding);
        let [held, retired, bundled, expired, voided] = expected;
        assert_eq!(found.unwrap_or_default(), Holding { held, retired, bundled, expired, voided });
    }

    #[test]
    fn every_part_is_with_its_holder_under_its_use() {
        let transferred =
            Event::CertificateTransferred { certificate: CERTIFICATE, from: ANN, to: EVE, energy: Energy(1) };
        let expired = Event::CertificateExpired { certificate: CERTIFICATE, holder: EVE, energy: Energy(3) };
        let events =
            [issued(CERTIFICATE, 12), sliced(10), transferred, retired(4), bundled(CERTIFICATE, 2), expired];
        let certificates = drawn(&events);
        check(&certificates, EVE, CERTIFICATE, [0, 0, 0, 3, 0]);
        check(&certificates, ANN, CERTIFICATE, [3, 4, 2, 0, 0]);
        assert_eq!(certificates.all().count(), 2);
        assert_eq!(certificates.class(CERTIFICATE), CertificateClass::Exported);
    }

    #[test]
    fn who_has_passed_all_of_it_on_has_nothing() {
        let certificates = drawn(&[issued(CERTIFICATE, 12), sliced(12)]);
        assert_eq!(certificates.of(EVE).count(), 0);
        check(&certificates, ANN, CERTIFICATE, [12, 0, 0, 0, 0]);
    }

    #[test]
    fn a_withdrawal_voids_each_part_and_frees_the_others_of_a_national_certificate() {
        let national = |voided| NationalView { first: Slot(7), last: Slot(9), parts: 2, voided };
        let mut events = vec![issued(CERTIFICATE, 12), issued(OTHER, 8), sliced(10)];
        let passed_on =
            Event::CertificateTransferred { certificate: OTHER, from: EVE, to: ANN, energy: Energy(8) };
        events.extend([passed_on, retired(4), Event::GecIssued { gec: GEC, holder: ANN }]);
        events.extend([bundled(CERTIFICATE, 5), bundled(OTHER, 8)]);
        let before = drawn(&events);
        check(&before, ANN, OTHER, [0, 0, 8, 0, 0]);
        assert_eq!(before.nationals_of(ANN).collect::<Vec<_>>(), [(GEC, &national(false))]);
        assert_eq!(before.nationals_of(EVE).count(), 0);
        let claim = |voided| ClaimView {
            slot: Slot(7),
            class: CertificateClass::Exported,
            energy: 4,
            voided,
            beneficiary: "Mill No. 3".into(),
            purpose: String::new(),
        };
        assert_eq!(before.claims_of(ANN).collect::<Vec<_>>(), [(CLAIM, &claim(0))]);
        assert_eq!(before.claims_of(EVE).count(), 0);

        events.extend([
            Event::CertificateWithdrawn { certificate: CERTIFICATE, energy: Energy(12), reason: "x".into() },
            voided(EVE, 2, CertificateUse::Held),
            voided(ANN, 1, CertificateUse::Held),
            voided(ANN, 4, CertificateUse::Retired(CLAIM)),
            voided(ANN, 5, CertificateUse::Bundled(GEC)),
            Event::GecVoided { gec: GEC, holder: ANN },
            Event::CertificateReleased { certificate: OTHER, holder: ANN, energy: Energy(8), gec: GEC },
        ]);
        let after = drawn(&events);
        check(&after, EVE, CERTIFICATE, [0, 0, 0, 0, 2]);
        check(&after, ANN, CERTIFICATE, [0, 0, 0, 0, 10]);
        check(&after, ANN, OTHER, [8, 0, 0, 0, 0]);
        assert_eq!(after.nationals_of(ANN).collect::<Vec<_>>(), [(GEC, &national(true))]);
        assert_eq!(after.claims_of(ANN).collect::<Vec<_>>(), [(CLAIM, &claim(4))]);

        let expired = Event::CertificateExpired { certificate: CERTIFICATE, holder: EVE, energy: Energy(12) };
        let after = drawn(&[issued(CERTIFICATE, 12), expired, voided(EVE, 12, CertificateUse::Expired)]);
        check(&after, EVE, CERTIFICATE, [0, 0, 0, 0, 12]);
    }
}
