//! R14: whose the certificates are, and what is claimed of them.

use parkwatt_engine::*;

use super::Twin;
use super::settlement::Delivery;

impl Twin {
    /// Issues the certificate for what a producer fed in, if it was measured, and passes on to the buyers what
    /// his trades delivered, all of it once.
    pub(super) fn certify(&mut self, slot: Slot, producer: ParticipantId, deliveries: &[Delivery]) {
        let Some(metered) = self.metered(slot, producer) else { return };
        let certificate = CertificateId { slot, producer, issue: 1 };
        if !metered.is_measured() || metered.export.is_zero() || self.certificates.contains(&certificate) {
            return;
        }
        self.certificates.push(certificate);
        self.give(certificate, producer, i128::from(metered.export.0));
        let (energy, class) = (metered.export, CertificateClass::Exported);
        self.say(Event::CertificateIssued { certificate, energy, class });
        for Delivery { trade: Trade { id: trade, seller: from, buyer: to, .. }, drawn, .. } in deliveries {
            if *from == producer && *drawn > 0 {
                self.give(certificate, *from, -i128::from(*drawn));
                self.give(certificate, *to, i128::from(*drawn));
                let (from, to, energy, trade) = (*from, *to, Energy(*drawn), *trade);
                self.say(Event::CertificateSliced { certificate, from, to, energy, trade });
            }
        }
    }

    fn give(&mut self, certificate: CertificateId, to: ParticipantId, wh: i128) {
        self.holdings.push((certificate, to, wh));
    }

    /// Returns what a participant holds of the certificates of a slot, in order of their ids.
    pub fn held(&self, holder: ParticipantId, slot: Slot) -> Vec<(CertificateId, Energy)> {
        let mut of_slot: Vec<CertificateId> =
            self.certificates.iter().filter(|certificate| certificate.slot == slot).copied().collect();
        of_slot.sort_unstable();
        let held = |certificate| {
            let own = self.holdings.iter().filter(|(id, owner, _)| *id == certificate && *owner == holder);
            Energy(u64::try_from(own.map(|(_, _, wh)| wh).sum::<i128>()).unwrap())
        };
        let held = of_slot.into_iter().map(|certificate| (certificate, held(certificate)));
        held.filter(|(_, energy)| !energy.is_zero()).collect()
    }

    pub(super) fn retire(
        &mut self,
        holder: ParticipantId,
        retirement: &Retirement,
    ) -> Result<Outcome, Rejection> {
        let Retirement { slot, energy, consumption_slot, ref beneficiary, ref purpose, .. } = *retirement;
        if energy.is_zero() {
            return Err(Rejection::RetirementMustBePositive);
        }
        if consumption_slot != slot {
            return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
        }
        if self.phase(slot) < Phase::Settled {
            return Err(Rejection::SlotMustBeSettled { slot });
        }
        let slices = self.held(holder, slot);
        let held = slices.iter().fold(Energy::ZERO, |sum, (_, energy)| sum.plus(*energy));
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        let import = self.metered(slot, holder).map_or(Energy::ZERO, |metered| metered.import);
        let own = self.claims.iter().filter(|(claimer, of, _)| *claimer == holder && *of == slot);
        let unclaimed = own.fold(import, |left, (_, _, claimed)| left.saturating_minus(*claimed));
        if energy > unclaimed {
            return Err(Rejection::ConsumptionMustCover { energy, unclaimed });
        }

        self.claims.push((holder, slot, energy));
        let mut left = energy;
        for (certificate, slice) in slices {
            let energy = slice.min(left);
            if !energy.is_zero() {
                left = left.minus(energy);
                self.give(certificate, holder, -i128::from(energy.0));
                let (beneficiary, purpose) = (beneficiary.clone(), purpose.clone());
                self.say(Event::CertificateRetired {
                    certificate,
                    holder,
                    energy,
                    consumption_slot,
                    beneficiary,
                    purpose,
                    retirement: RetirementId(self.stamp.index),
                });
            }
        }
        Ok(Outcome::Retired(RetirementId(self.stamp.index)))
    }
}
