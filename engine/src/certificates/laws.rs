//! What must hold of all certificates at all times, whatever was asked.

use alloc::collections::BTreeMap;

use super::calendar::expires_at;
use super::{Certificate, CertificatePart, Certificates, GEC_ENERGY};
use crate::{CertificateClass, CertificateId, CertificateUse, Energy, GecId, ParticipantId, Slot};

impl Certificates {
    /// Checks what must hold at all times.
    ///
    /// What was issued is held, retired, bundled or expired, and nothing of what was withdrawn is; national
    /// certificates are of 1 MWh, and every bundled part is in one; what is claimed is the sum of its
    /// retirements.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn check(&self) {
        let mut holdings_in: BTreeMap<Slot, u32> = BTreeMap::new();
        let mut claimed: BTreeMap<(ParticipantId, Slot), Energy> = BTreeMap::new();
        let mut bundled: BTreeMap<GecId, Energy> = BTreeMap::new();
        for (id, certificate) in self.all() {
            let parts = self.parts(id);
            check_sum(id, certificate, &parts);
            for CertificatePart { holder, state, energy } in parts {
                match state {
                    CertificateUse::Held => *holdings_in.entry(id.slot).or_default() += 1,
                    CertificateUse::Retired(_) if certificate.class == CertificateClass::Exported => {
                        add(claimed.entry((holder, id.slot)).or_default(), energy);
                    }
                    CertificateUse::Bundled(gec) => {
                        self.check_bundled(id, gec, holder, energy);
                        add(bundled.entry(gec).or_default(), energy);
                    }
                    CertificateUse::Retired(_) | CertificateUse::Expired => {}
                }
            }
        }
        assert_eq!(self.claimed, claimed, "what is claimed is the sum of its retirements");
        assert!(bundled.values().all(|sum| *sum == GEC_ENERGY), "a national certificate is of 1 MWh");
        assert!(self.gecs.keys().eq(bundled.keys()), "a national certificate has parts");
        assert_eq!(self.gecs_by_holder.len(), self.gecs.len(), "a national certificate has a holder");
        let holdings: u32 = holdings_in.values().sum();
        assert_eq!(self.held.len(), holdings as usize, "what is held is a part of a certificate");
        assert_eq!(self.holdings_in, holdings_in, "holdings are counted by their slots");
        let first = holdings_in.keys().next();
        assert_eq!(self.next_due, first.map(|slot| expires_at(*slot)), "the first holding expires first");
    }

    fn all(&self) -> impl Iterator<Item = (CertificateId, &Certificate)> {
        let numbered = |slot, producer, issues| {
            (1..=u16::MAX)
                .zip(issues)
                .map(move |(issue, certificate)| (CertificateId { slot, producer, issue }, certificate))
        };
        self.issued.iter().flat_map(move |(&(slot, producer), issues)| numbered(slot, producer, issues))
    }

    fn check_bundled(&self, id: CertificateId, gec: GecId, holder: ParticipantId, energy: Energy) {
        assert!(self.gecs_by_holder.contains(&(holder, gec)), "who bundled it has the national certificate");
        assert!(self.parts_of(gec).contains(&(id, energy)), "what is bundled is in its national certificate");
    }
}

fn check_sum(id: CertificateId, certificate: &Certificate, parts: &[CertificatePart]) {
    let sum = parts.iter().fold(Energy::ZERO, |sum, part| sum.plus(part.energy));
    let valid = if certificate.is_withdrawn { Energy::ZERO } else { certificate.energy };
    assert_eq!(sum, valid, "what was issued of {id:?} is held, retired, bundled or expired");
    assert!(parts.iter().all(|part| !part.energy.is_zero()), "a part is of some energy");
    assert!(!certificate.energy.is_zero(), "a certificate is of some energy");
    let is_his_own = |part: &CertificatePart| part.holder == id.producer;
    let stays = certificate.class == CertificateClass::Exported || parts.iter().all(is_his_own);
    assert!(stays, "self-consumed energy stays with its producer");
}

fn add(sum: &mut Energy, energy: Energy) {
    *sum = sum.plus(energy);
}
