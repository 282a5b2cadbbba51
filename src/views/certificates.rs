//! Certificates, as their holders see them: what became of each part, and the national ones they are in.

use std::collections::BTreeMap;

use parkwatt_engine::{
    CertificateClass, CertificateId, CertificateUse, Event, GecId, LeafIndex, ParticipantId, Slot,
};

/// Every certificate, and who had part in it.
#[derive(Default)]
pub struct Certificates {
    holdings: BTreeMap<(ParticipantId, CertificateId), Holding>,
    classes: BTreeMap<CertificateId, CertificateClass>,
    nationals: BTreeMap<(ParticipantId, GecId), NationalView>,
}

/// What a participant has of one certificate, by its use, in Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    pub(super) fn observe(&mut self, event: &Event) {
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

    /// Draws a part of a national certificate.
    fn take_in(&mut self, holder: ParticipantId, gec: GecId, slot: Slot) {
        let empty = NationalView { first: slot, last: slot, parts: 0, voided: false };
        let national = self.nationals.entry((holder, gec)).or_insert(empty);
        national.first = national.first.min(slot);
        national.last = national.last.max(slot);
        national.parts += 1;
    }
}
