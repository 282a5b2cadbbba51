//! Using: what holders do with their certificates, and what becomes of those that they do nothing with.
//!
//! Knows classes, claims and national certificates; whether a slot is settled, and what was measured in it, it is
//! told. Keeps: a refused command changes nothing; self-consumed energy stays with its producer; what readings
//! contradict is not used.

use alloc::vec::Vec;

use super::books::{deal, of_slot, of_slots, sum};
use super::calendar::expires_at;
use super::{CertificatePart, Certificates, GEC_ENERGY, Gec, Measured};
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
    /// `is_settled` says whether the slot of generation is settled, and `measured` what readings now say of a
    /// producer's slot; nothing where that is final.
    pub(crate) fn transfer(
        &mut self,
        from: ParticipantId,
        to: ParticipantId,
        transfer: &Transfer,
        is_settled: bool,
        measured: impl Fn(Slot, ParticipantId) -> Option<Measured>,
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
        let holdings = self.held_of(from, CertificateClass::Exported, of_slot(slot));
        let tradable = sum(&holdings);
        if energy > tradable {
            return Err(Rejection::CertificatesMustBeTradable { energy, tradable });
        }
        let holdings = self.borne_out(CertificateClass::Exported, &holdings, measured);
        let borne_out = sum(&holdings);
        if energy > borne_out {
            return Err(Rejection::CertificatesMustNotBeContradicted { energy, borne_out });
        }

        // Every check is above; from here the transfer is accepted.
        for (certificate, energy) in self.take(from, &holdings, energy) {
            self.hold(to, certificate, energy);
            events.push(Event::CertificateTransferred { certificate, from, to, energy });
        }
        Ok(Outcome::Transferred)
    }

    /// Claims what a holder asks for, in order of the certificates' ids, or refuses and changes nothing.
    ///
    /// `import` is what the holder's meter measured as drawn in the slot of generation; nothing where that is
    /// not settled. `measured` is as for [`Certificates::transfer`].
    pub(crate) fn retire(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        retirement: &Retirement,
        import: Option<Energy>,
        measured: impl Fn(Slot, ParticipantId) -> Option<Measured>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Retirement { slot, energy, consumption_slot, class, .. } = *retirement;
        if energy.is_zero() {
            return Err(Rejection::RetirementMustBePositive);
        }
        if consumption_slot != slot {
            return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
        }
        let import = import.ok_or(Rejection::SlotMustBeSettled { slot })?;
        let holdings = self.held_of(holder, class, of_slot(slot));
        let held = sum(&holdings);
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        let holdings = self.borne_out(class, &holdings, measured);
        let borne_out = sum(&holdings);
        if energy > borne_out {
            return Err(Rejection::CertificatesMustNotBeContradicted { energy, borne_out });
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
        for (certificate, energy) in self.take(holder, &holdings, energy) {
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
        measured: impl Fn(Slot, ParticipantId) -> Option<Measured>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let slots = of_slots(Slot(0)..=bundling.until);
        let holdings = self.held_of(holder, CertificateClass::Exported, slots);
        let holdings = self.borne_out(CertificateClass::Exported, &holdings, measured);
        let held = sum(&holdings);
        if held < GEC_ENERGY {
            return Err(Rejection::BundleMustReachOneMwh { held });
        }

        // Every check is above; from here the bundling is accepted.
        let whole = u32::try_from(held.0 / GEC_ENERGY.0).unwrap_or(u32::MAX);
        let gecs = whole.min(GECS_MAX);
        let bundled = Energy(u64::from(gecs) * GEC_ENERGY.0);
        let taken = self.take(holder, &holdings, bundled);
        let wants: Vec<(GecId, Energy)> =
            (0..gecs).map(|position| (GecId { index: stamp.index, position }, GEC_ENERGY)).collect();
        let dealt: Vec<(CertificateId, GecId, Energy)> = deal(&taken, &wants).collect();
        for parts in dealt.chunk_by(|one, next| one.1 == next.1) {
            self.bundle_one(holder, parts, events);
        }
        Ok(Outcome::Bundled { gecs, left: held.minus(bundled) })
    }

    /// Makes one national certificate of its parts.
    fn bundle_one(
        &mut self,
        holder: ParticipantId,
        parts: &[(CertificateId, GecId, Energy)],
        events: &mut Vec<Event>,
    ) {
        let gec = parts[0].1;
        events.push(Event::GecIssued { gec, holder });
        for &(certificate, _, energy) in parts {
            self.mark(certificate, CertificatePart { holder, state: CertificateUse::Bundled(gec), energy });
            events.push(Event::CertificateBundled { certificate, holder, energy, gec });
        }
        let parts = parts.iter().map(|&(certificate, _, energy)| (certificate, energy)).collect();
        self.gecs.insert(gec, Gec { holder, parts });
        self.gecs_by_holder.insert((holder, gec));
    }

    /// Returns what of some holdings, in order of their ids, can be used: no more is certified of their
    /// producers' slots than readings now say.
    fn borne_out(
        &self,
        class: CertificateClass,
        holdings: &[(CertificateId, Energy)],
        measured: impl Fn(Slot, ParticipantId) -> Option<Measured>,
    ) -> Vec<(CertificateId, Energy)> {
        let of_producer = |id: CertificateId| (id.slot, id.producer);
        let alike = holdings.chunk_by(|one, next| of_producer(one.0) == of_producer(next.0));
        let borne_out = alike.filter(|alike| {
            let (slot, producer) = of_producer(alike[0].0);
            let measured = measured(slot, producer);
            measured.is_none_or(|measured| self.certified(slot, producer, class) <= measured.of(class))
        });
        borne_out.flatten().copied().collect()
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
        let measured = Measured { export: Energy(101_500_000), ..Measured::default() };
        let certifiable = Certifiable { measured, ..Certifiable::default() };
        certificates.certify(Slot(7), eve, &certifiable, &mut events);
        let mut bundle = |index| {
            let stamp = Stamp { at: Timestamp(index), index: LeafIndex(index) };
            certificates.bundle(stamp, eve, Bundling { until: Slot(7) }, |_, _| Some(measured), &mut events)
        };
        assert_eq!(bundle(1), Ok(Outcome::Bundled { gecs: 100, left: Energy(1_500_000) }));
        assert_eq!(bundle(1_000), Ok(Outcome::Bundled { gecs: 1, left: Energy(500_000) }));
    }
}
