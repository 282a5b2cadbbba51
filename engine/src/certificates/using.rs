//! Using: what holders do with their certificates, and what becomes of those that they do nothing with.
//!
//! Knows classes, claims and national certificates; whether a slot is settled, and what was drawn in it, it is
//! told. Keeps: a refused command changes nothing; self-consumed energy stays with its producer.

use alloc::vec::Vec;

use super::books::{of_slot, of_slots};
use super::calendar::expires_at;
use super::{CertificatePart, Certificates, GEC_ENERGY, Gec};
use crate::{
    Bundling, CertificateClass, CertificateId, CertificateUse, Energy, Event, GecId, Outcome, ParticipantId,
    Rejection, Retirement, RetirementId, Slot, Stamp, Timestamp, Transfer,
};

/// The most national certificates that one command makes, so that it stays short; others wait for the next one.
const GECS_MAX: u32 = 100;

impl Certificates {
    /// Passes what a holder asks for on to another, in order of the certificates' ids, or refuses and changes
    /// nothing.
    ///
    /// `is_settled` says whether the slot of generation is settled.
    pub(crate) fn transfer(
        &mut self,
        from: ParticipantId,
        to: ParticipantId,
        transfer: &Transfer,
        is_settled: bool,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Transfer { slot, energy, .. } = *transfer;
        if energy.is_zero() {
            return Err(Rejection::TransferMustBePositive);
        }
        if to == from {
            return Err(Rejection::TransferMustBeToAnother);
        }
        if !is_settled {
            return Err(Rejection::SlotMustBeSettled { slot });
        }
        let held = self.held(from, slot);
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        let tradable = self.held_of(from, CertificateClass::Exported, of_slot(slot));
        if energy > tradable {
            return Err(Rejection::CertificatesMustBeTradable { energy, tradable });
        }

        // Every check is above; from here the transfer is accepted.
        for (certificate, energy) in self.take(from, CertificateClass::Exported, of_slot(slot), energy) {
            self.hold(to, certificate, energy);
            events.push(Event::CertificateTransferred { certificate, from, to, energy });
        }
        Ok(Outcome::Transferred)
    }

    /// Claims what a holder asks for, in order of the certificates' ids, or refuses and changes nothing.
    ///
    /// `is_settled` says whether the slot of generation is settled, and `import` what the holder's meter
    /// measured as drawn in it.
    pub(crate) fn retire(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        retirement: &Retirement,
        is_settled: bool,
        import: Energy,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Retirement { slot, energy, consumption_slot, class, .. } = *retirement;
        if energy.is_zero() {
            return Err(Rejection::RetirementMustBePositive);
        }
        if consumption_slot != slot {
            return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
        }
        if !is_settled {
            return Err(Rejection::SlotMustBeSettled { slot });
        }
        let held = self.held_of(holder, class, of_slot(slot));
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        if class == CertificateClass::Exported {
            let unclaimed = import.saturating_minus(self.claimed(holder, slot));
            if energy > unclaimed {
                return Err(Rejection::ConsumptionMustCover { energy, unclaimed });
            }
        }

        // Every check is above; from here the retirement is accepted.
        if class == CertificateClass::Exported {
            let claimed = self.claimed.entry((holder, slot)).or_default();
            *claimed = claimed.plus(energy);
        }
        let number = RetirementId(stamp.index);
        for (certificate, energy) in self.take(holder, class, of_slot(slot), energy) {
            self.mark(
                certificate,
                CertificatePart { holder, state: CertificateUse::Retired(number), energy },
            );
            events.push(Event::CertificateRetired {
                certificate,
                holder,
                energy,
                consumption_slot,
                beneficiary: retirement.beneficiary.clone(),
                purpose: retirement.purpose.clone(),
                retirement: number,
            });
        }
        Ok(Outcome::Retired(number))
    }

    /// Bundles what a holder has of exported energy, of all slots up to one, into as many national certificates
    /// as there are in it, or refuses and changes nothing.
    pub(crate) fn bundle(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        bundling: Bundling,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let slots = of_slots(Slot(0)..=bundling.until);
        let held = self.held_of(holder, CertificateClass::Exported, slots.clone());
        if held < GEC_ENERGY {
            return Err(Rejection::BundleMustReachOneMwh { held });
        }

        // Every check is above; from here the bundling is accepted.
        let whole = u32::try_from(held.0 / GEC_ENERGY.0).unwrap_or(u32::MAX);
        let gecs = whole.min(GECS_MAX);
        let bundled = Energy(u64::from(gecs) * GEC_ENERGY.0);
        let mut taken = self.take(holder, CertificateClass::Exported, slots, bundled).into_iter();
        let mut rest = None;
        for position in 0..gecs {
            let gec = GecId { index: stamp.index, position };
            rest = self.bundle_one(gec, holder, rest.into_iter().chain(taken.by_ref()), events);
        }
        Ok(Outcome::Bundled { gecs, left: held.minus(bundled) })
    }

    /// Makes one national certificate of the first of what was taken, and returns what is left of the last part
    /// that went into it, if anything is.
    fn bundle_one(
        &mut self,
        gec: GecId,
        holder: ParticipantId,
        mut taken: impl Iterator<Item = (CertificateId, Energy)>,
        events: &mut Vec<Event>,
    ) -> Option<(CertificateId, Energy)> {
        events.push(Event::GecIssued { gec, holder });
        let (mut parts, mut missing, mut rest) = (Vec::new(), GEC_ENERGY, None);
        while !missing.is_zero() {
            let (certificate, slice) = taken.next().expect("so much was taken");
            let energy = slice.min(missing);
            missing = missing.minus(energy);
            rest = Some((certificate, slice.minus(energy))).filter(|(_, rest)| !rest.is_zero());
            parts.push((certificate, energy));
            self.mark(certificate, CertificatePart { holder, state: CertificateUse::Bundled(gec), energy });
            events.push(Event::CertificateBundled { certificate, holder, energy, gec });
        }
        self.gecs.insert(gec, Gec { holder, parts });
        self.gecs_by_holder.insert((holder, gec));
        rest
    }

    /// Lets expire all that is held and whose time is over at `at`, in order of certificates and holders.
    pub(crate) fn expire(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        while self.next_due.is_some_and(|due| due <= at) {
            let (&slot, _) = self.holdings_in.first_key_value().expect("something of it is held");
            assert!(expires_at(slot) <= at, "what is due first is of the first slot");
            let certificates: Vec<CertificateId> = self.ids_of_slot(slot).collect();
            for certificate in certificates {
                self.expire_certificate(certificate, events);
            }
        }
    }

    fn expire_certificate(&mut self, certificate: CertificateId, events: &mut Vec<Event>) {
        let holders = self.certificate_mut(certificate).holders.clone();
        for holder in holders {
            let energy = self.held[&(holder, certificate)].energy;
            self.let_go(holder, certificate, energy);
            self.mark(certificate, CertificatePart { holder, state: CertificateUse::Expired, energy });
            events.push(Event::CertificateExpired { certificate, holder, energy });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Certifiable;
    use crate::{LeafIndex, Stamp};

    #[test]
    fn one_command_makes_at_most_a_hundred_national_certificates() {
        let (eve, mut events) = (ParticipantId(0), Vec::new());
        let mut certificates = Certificates::default();
        let certifiable = Certifiable { export: Energy(101_500_000), ..Certifiable::default() };
        certificates.certify(Slot(7), eve, &certifiable, &mut events);
        let mut bundle = |index| {
            let stamp = Stamp { at: Timestamp(index), index: LeafIndex(index) };
            certificates.bundle(stamp, eve, Bundling { until: Slot(7) }, &mut events)
        };
        assert_eq!(bundle(1), Ok(Outcome::Bundled { gecs: 100, left: Energy(1_500_000) }));
        assert_eq!(bundle(1_000), Ok(Outcome::Bundled { gecs: 1, left: Energy(500_000) }));
    }
}
