//! Certificates: each metered Wh of export carries one, until it is claimed.
//!
//! Knows who holds how much of which certificate, and who claimed how much of which slot. Does not know
//! trades' prices, money, or when a slot is settled: settlement issues and slices, and says so.
//! Keeps: a meter and slot have one certificate; issued = held + retired; claimed <= metered import. Rule
//! R14.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::meters::Meters;
use crate::{
    CertificateClass, CertificateId, Energy, Event, ParticipantId, Rejection, Retirement, RetirementId, Slot,
    Stamp, Trade,
};

/// The one issue of a certificate for a meter and slot.
const ISSUE: u16 = 1;

/// All certificates of a market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Certificates {
    /// Every certificate ever issued, with its whole energy.
    issued: BTreeMap<CertificateId, Energy>,
    /// Who holds how much of what; never zero.
    held: BTreeMap<(ParticipantId, CertificateId), Energy>,
    /// How much of each slot's consumption is covered by claims.
    claimed: BTreeMap<(ParticipantId, Slot), Energy>,
}

impl Certificates {
    /// Returns everything that a holder has, in order of the certificates' ids.
    pub fn held_by(&self, holder: ParticipantId) -> impl Iterator<Item = (CertificateId, Energy)> {
        self.slices(holder, Slot(0)..=Slot(u32::MAX))
    }

    /// Returns how much a holder has of the certificates of `slot`.
    pub fn held(&self, holder: ParticipantId, slot: Slot) -> Energy {
        self.slices(holder, slot..=slot).fold(Energy::ZERO, |sum, (_, energy)| sum.plus(energy))
    }

    /// Returns how much of its consumption in `slot` a holder has claimed certificates for.
    pub fn claimed(&self, holder: ParticipantId, slot: Slot) -> Energy {
        self.claimed.get(&(holder, slot)).copied().unwrap_or_default()
    }

    /// Issues the certificate for what a producer's meter measured as export in `slot`, to the producer.
    ///
    /// # Panics
    /// If it was issued before, or certifies nothing: a slot is settled once, and zero export has no
    /// certificate.
    pub(crate) fn issue(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        export: Energy,
        events: &mut Vec<Event>,
    ) {
        assert!(!export.is_zero(), "a certificate is of some energy");
        let certificate = CertificateId { slot, producer, issue: ISSUE };
        let before = self.issued.insert(certificate, export);
        assert_eq!(before, None, "a slot is settled once, so each certificate is issued once");
        self.put(producer, certificate, export);
        events.push(Event::CertificateIssued {
            certificate,
            energy: export,
            class: CertificateClass::Exported,
        });
    }

    /// Passes what a trade delivered from the producer's certificate of that slot to the buyer.
    ///
    /// Nothing happens where the producer has no certificate: his export was not measured.
    ///
    /// # Panics
    /// If the producer holds less: delivery never exceeds the metered export.
    pub(crate) fn slice(&mut self, trade: &Trade, delivered: Energy, events: &mut Vec<Event>) {
        let Trade { slot, seller, buyer, id, .. } = *trade;
        let certificate = CertificateId { slot, producer: seller, issue: ISSUE };
        if delivered.is_zero() || !self.issued.contains_key(&certificate) {
            return;
        }
        self.take(seller, certificate, delivered);
        self.put(buyer, certificate, delivered);
        events.push(Event::CertificateSliced {
            certificate,
            from: seller,
            to: buyer,
            energy: delivered,
            trade: id,
        });
    }

    /// Claims what a holder asks for, in order of the certificates' ids, or refuses and changes nothing.
    ///
    /// `settled` says whether the slot of generation is settled. A part of a slice can be claimed.
    pub(crate) fn check_and_retire(
        &mut self,
        stamp: Stamp,
        holder: ParticipantId,
        retirement: &Retirement,
        meters: &Meters,
        settled: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), Rejection> {
        let Retirement { slot, energy, consumption_slot, ref beneficiary, ref purpose, .. } = *retirement;
        if energy.is_zero() {
            return Err(Rejection::RetirementMustBePositive);
        }
        if consumption_slot != slot {
            return Err(Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot });
        }
        if !settled {
            return Err(Rejection::SlotMustBeSettled { slot });
        }
        let held = self.held(holder, slot);
        if energy > held {
            return Err(Rejection::CertificatesMustBeHeld { energy, held });
        }
        let import = meters.metered(slot, holder).map_or(Energy::ZERO, |metered| metered.import);
        let claimed = self.claimed(holder, slot);
        let unclaimed = import.minus(claimed);
        if energy > unclaimed {
            return Err(Rejection::ConsumptionMustCover { energy, unclaimed });
        }

        // Every check is above; from here the retirement is accepted.
        self.claimed.insert((holder, slot), claimed.plus(energy));
        let mut left = energy;
        let slices: Vec<(CertificateId, Energy)> = self.slices(holder, slot..=slot).collect();
        for (certificate, slice) in slices {
            let energy = slice.min(left);
            if energy.is_zero() {
                break;
            }
            self.take(holder, certificate, energy);
            left = left.minus(energy);
            let beneficiary = beneficiary.clone();
            events.push(Event::CertificateRetired {
                certificate,
                holder,
                energy,
                consumption_slot,
                beneficiary,
                purpose: purpose.clone(),
                retirement: RetirementId(stamp.index),
            });
        }
        Ok(())
    }

    /// Returns what a holder has of the certificates of some slots, in order of their ids.
    fn slices(
        &self,
        holder: ParticipantId,
        slots: RangeInclusive<Slot>,
    ) -> impl Iterator<Item = (CertificateId, Energy)> {
        let first = CertificateId { slot: *slots.start(), producer: ParticipantId(0), issue: 0 };
        let last = CertificateId { slot: *slots.end(), producer: ParticipantId(u32::MAX), issue: u16::MAX };
        let held = self.held.range((holder, first)..=(holder, last));
        held.map(|(&(_, certificate), &energy)| (certificate, energy))
    }

    /// Adds to what a holder has of a certificate.
    fn put(&mut self, holder: ParticipantId, certificate: CertificateId, energy: Energy) {
        let held = self.held.entry((holder, certificate)).or_default();
        *held = held.plus(energy);
    }

    /// Takes from what a holder has of a certificate; the caller knows that he has it.
    fn take(&mut self, holder: ParticipantId, certificate: CertificateId, energy: Energy) {
        let Entry::Occupied(mut held) = self.held.entry((holder, certificate)) else {
            panic!("only what is held is taken");
        };
        let rest = held.get().minus(energy);
        if rest.is_zero() {
            held.remove();
        } else {
            held.insert(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quality, Reading, Timestamp};
    use alloc::string::String;

    const SLOT: Slot = Slot(11);
    const ANN: ParticipantId = ParticipantId(0);
    const EVE: ParticipantId = ParticipantId(1);

    /// Returns meters of which Ann's measured an import in `SLOT`.
    fn meters_with_import(import: u64) -> Meters {
        let mut meters = Meters::default();
        for (counter, slot, register) in [(1, 10, 0), (2, SLOT.0, import)] {
            let (import_register, export_register) = (Energy(register), Energy::ZERO);
            let quality = Quality::Measured;
            let reading = Reading { slot: Slot(slot), import_register, export_register, counter, quality };
            meters.check_and_take(ANN, reading, Timestamp(u64::MAX), &mut Vec::new()).unwrap();
        }
        meters
    }

    fn retirement(energy: u64) -> Retirement {
        Retirement {
            slot: SLOT,
            energy: Energy(energy),
            consumption_slot: SLOT,
            beneficiary: String::from("works 3"),
        }
    }

    #[test]
    fn a_refused_retirement_names_its_rule_and_changes_nothing() {
        let (slot, consumption_slot) = (SLOT, Slot(SLOT.0 + 1));
        let other_slot = Retirement { consumption_slot, ..retirement(1) };
        let held = Energy(10);
        for (retirement, settled, refused) in [
            (retirement(0), true, Rejection::RetirementMustBePositive),
            (other_slot, true, Rejection::ConsumptionMustBeInTheSameSlot { slot, consumption_slot }),
            (retirement(1), false, Rejection::SlotMustBeSettled { slot }),
            (retirement(11), true, Rejection::CertificatesMustBeHeld { energy: Energy(11), held }),
            (
                retirement(7),
                true,
                Rejection::ConsumptionMustCover { energy: Energy(7), unclaimed: Energy(6) },
            ),
        ] {
            let mut certificates = Certificates::default();
            certificates.issue(SLOT, ANN, held, &mut Vec::new());
            let (before, mut events) = (certificates.clone(), Vec::new());
            let meters = meters_with_import(6);
            let result = certificates.check_and_retire(ANN, &retirement, &meters, settled, &mut events);
            assert_eq!(result, Err(refused));
            assert_eq!((certificates, events), (before, Vec::new()));
        }
    }

    #[test]
    fn claims_take_slices_in_order_of_their_ids_and_end_at_the_metered_import() {
        let (mut certificates, mut events) = (Certificates::default(), Vec::new());
        certificates.issue(SLOT, EVE, Energy(5), &mut events);
        certificates.issue(SLOT, ANN, Energy(4), &mut events);
        certificates.take(EVE, CertificateId { slot: SLOT, producer: EVE, issue: ISSUE }, Energy(5));
        certificates.put(ANN, CertificateId { slot: SLOT, producer: EVE, issue: ISSUE }, Energy(5));
        events.clear();

        let meters = meters_with_import(8);
        assert_eq!(certificates.check_and_retire(ANN, &retirement(6), &meters, true, &mut events), Ok(()));
        let retired = |producer, energy| Event::CertificateRetired {
            certificate: CertificateId { slot: SLOT, producer, issue: ISSUE },
            holder: ANN,
            energy: Energy(energy),
            consumption_slot: SLOT,
            beneficiary: String::from("works 3"),
        };
        assert_eq!(events, [retired(ANN, 4), retired(EVE, 2)]);
        assert_eq!(certificates.held(ANN, SLOT), Energy(3));

        let refused = Rejection::ConsumptionMustCover { energy: Energy(3), unclaimed: Energy(2) };
        assert_eq!(
            certificates.check_and_retire(ANN, &retirement(3), &meters, true, &mut events),
            Err(refused)
        );
        assert_eq!(certificates.check_and_retire(ANN, &retirement(2), &meters, true, &mut events), Ok(()));
        assert_eq!(certificates.held(ANN, SLOT), Energy(1));
    }

    #[test]
    #[should_panic(expected = "each certificate is issued once")]
    fn a_second_certificate_for_a_meter_and_slot_cannot_exist() {
        let mut certificates = Certificates::default();
        certificates.issue(SLOT, ANN, Energy(5), &mut Vec::new());
        certificates.issue(SLOT, ANN, Energy(5), &mut Vec::new());
    }
}
