//! R14: what holders do with certificates, and what time does.

use super::*;

impl Moves {
    pub fn transfer(
        &mut self,
        from: ParticipantId,
        to: ParticipantId,
        transfer: &Transfer,
        is_settled: bool,
        measured: impl Fn(Slot, ParticipantId) -> Option<Said>,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Transfer { slot, energy, .. } = *transfer;
        let held = Energy(self.held(from, slot));
        let slices = self.holdings(from, CertificateClass::Exported, slot);
        let tradable = Energy(sum(&slices));
        let slices = self.borne_out(&slices, measured);
        let borne_out = Energy(sum(&slices));
        match () {
            () if energy.is_zero() => return Err(Rejection::TransferMustBePositive),
            () if from == to => return Err(Rejection::TransferMustBeToAnother),
            () if !is_settled => return Err(Rejection::SlotMustBeSettled { slot }),
            () if energy > held => return Err(Rejection::CertificatesMustBeHeld { energy, held }),
            () if energy > tradable => {
                return Err(Rejection::CertificatesMustBeTradable { energy, tradable });
            }
            () if energy > borne_out => {
                return Err(Rejection::CertificatesMustNotBeContradicted { energy, borne_out });
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
        import: Option<u64>,
        measured: impl Fn(Slot, ParticipantId) -> Option<Said>,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let Retirement { slot, energy, consumption_slot, class, ref beneficiary, ref purpose } = *retired;
        let slices = self.holdings(holder, class, slot);
        let held = Energy(sum(&slices));
        let slices = self.borne_out(&slices, measured);
        let borne_out = Energy(sum(&slices));
        let is_export = class == CertificateClass::Exported;
        let unclaimed = Energy(import.unwrap_or(0).saturating_sub(self.claimed(holder, slot)));
        match () {
            () if energy.is_zero() => return Err(Rejection::RetirementMustBePositive),
            () if consumption_slot != slot => {
                return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
            }
            () if import.is_none() => return Err(Rejection::SlotMustBeSettled { slot }),
            () if energy > held => return Err(Rejection::CertificatesMustBeHeld { energy, held }),
            () if energy > borne_out => {
                return Err(Rejection::CertificatesMustNotBeContradicted { energy, borne_out });
            }
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
        measured: impl Fn(Slot, ParticipantId) -> Option<Said>,
        said: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let mut slots: Vec<Slot> = self.issued.iter().map(|(id, ..)| id.slot).collect();
        slots.retain(|slot| *slot <= bundling.until);
        slots.sort_unstable();
        slots.dedup();
        let holdings = |moves: &Moves| -> Vec<(CertificateId, u64)> {
            let of = |slot: &Slot| moves.holdings(holder, CertificateClass::Exported, *slot);
            moves.borne_out(&slots.iter().flat_map(of).collect::<Vec<_>>(), &measured)
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
