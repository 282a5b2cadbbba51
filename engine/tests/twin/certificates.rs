//! R14: whose the certificates are, and what is claimed of them.

use parkwatt_engine::*;

use super::Twin;
use super::settlement::Delivery;

impl Twin {
    /// Issues the certificate for what a producer fed in, if it was measured.
    pub(super) fn issue(&mut self, slot: Slot, producer: ParticipantId) {
        let Some(metered) = self.metered(slot, producer) else { return };
        if metered.is_measured && !metered.export.is_zero() {
            let certificate = CertificateId { slot, producer, issue: 1 };
            self.certificates.push(certificate);
            self.give(certificate, producer, i128::from(metered.export.0));
            self.say(Event::CertificateIssued { certificate, energy: metered.export });
        }
    }

    /// Passes on to the buyer what a trade delivered.
    pub(super) fn slice(&mut self, delivery: &Delivery) {
        let Trade { id: trade, slot, seller: from, buyer: to, .. } = delivery.trade;
        let certificate = CertificateId { slot, producer: from, issue: 1 };
        if delivery.drawn > 0 && self.certificates.contains(&certificate) {
            self.give(certificate, from, -i128::from(delivery.drawn));
            self.give(certificate, to, i128::from(delivery.drawn));
            let energy = Energy(delivery.drawn);
            self.say(Event::CertificateSliced { certificate, from, to, energy, trade });
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
        let Retirement { slot, energy, consumption_slot, ref beneficiary } = *retirement;
        if energy.is_zero() {
            return Err(Rejection::RetirementMustBePositive);
        }
        if consumption_slot != slot {
            return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
        }
        if self.phase(slot) != Phase::Settled {
            return Err(Rejection::SlotMustBeSettled { slot });
        }
        let slices = self.held(holder, slot);
        let held = slices.iter().fold(Energy::ZERO, |sum, (_, energy)| sum.plus(*energy));
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        let import = self.metered(slot, holder).map_or(Energy::ZERO, |metered| metered.import);
        let own = self.claims.iter().filter(|(claimer, of, _)| *claimer == holder && *of == slot);
        let unclaimed = own.fold(import, |left, (_, _, claimed)| left.minus(*claimed));
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
                let beneficiary = beneficiary.clone();
                self.say(Event::CertificateRetired {
                    certificate,
                    holder,
                    energy,
                    consumption_slot,
                    beneficiary,
                });
            }
        }
        Ok(Outcome::Retired)
    }
}
