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
    Stamp, TradeId,
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

/// What current readings say of a producer's slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certifiable {
    /// What was fed in, as measured; zero where it was not.
    pub(crate) export: Energy,
    /// What was generated and not fed in, as measured; zero where it was not.
    pub(crate) self_consumed: Energy,
    /// What his trades delivered, in order of their ids.
    pub(crate) shares: Vec<Share>,
}

/// What a trade delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The trade.
    pub(crate) trade: TradeId,
    /// Who bought.
    pub(crate) buyer: ParticipantId,
    /// How much came.
    pub(crate) delivered: Energy,
    /// Whether the buyer's import is measured.
    pub(crate) is_measured: bool,
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

    /// Issues the certificate for what was exported of a producer's slot, and passes on to the buyers what
    /// trades delivered of it, if that has not happened before.
    pub(crate) fn certify(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        events: &mut Vec<Event>,
    ) {
        let certificate = CertificateId { slot, producer, issue: ISSUE };
        let energy = certifiable.export;
        if energy.is_zero() || self.issued.contains_key(&certificate) {
            return;
        }
        self.issued.insert(certificate, energy);
        self.put(producer, certificate, energy);
        events.push(Event::CertificateIssued { certificate, energy, class: CertificateClass::Exported });
        for &Share { trade, buyer, delivered, .. } in &certifiable.shares {
            if !delivered.is_zero() {
                self.take(producer, certificate, delivered);
                self.put(buyer, certificate, delivered);
                let (from, to, energy) = (producer, buyer, delivered);
                events.push(Event::CertificateSliced { certificate, from, to, energy, trade });
            }
        }
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
        let claimed = self.claimed(holder, slot);
        let unclaimed = meters.import(slot, holder).saturating_minus(claimed);
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
    use crate::{LeafIndex, Quality, Reading, Timeline, Timestamp};
    use alloc::string::String;

    const SLOT: Slot = Slot(11);
    const STAMP: Stamp = Stamp { at: Timestamp(0), index: LeafIndex(9) };
    const TIMELINE: Timeline = Timeline {
        opens_before_s: 900,
        uncross_before_s: 900,
        gate_before_s: 900,
        settle_after_s: 900,
        final_after_s: 900,
    };
    const ANN: ParticipantId = ParticipantId(0);
    const EVE: ParticipantId = ParticipantId(1);

    /// Returns meters of which Ann's measured an import in `SLOT`.
    fn meters_with_import(import: u64) -> Meters {
        let mut meters = Meters::default();
        for (counter, slot, register) in [(1, 10, 0), (2, SLOT.0, import)] {
            let reading = Reading {
                read_at: Slot(slot).end(),
                import_register: Energy(register),
                export_register: Energy::ZERO,
                generation_register: Energy::ZERO,
                counter,
                quality: Quality::Measured,
            };
            meters.check_and_take(ANN, reading, SLOT.end(), &TIMELINE, &mut Vec::new()).unwrap();
        }
        meters
    }

    fn retirement(energy: u64) -> Retirement {
        Retirement {
            slot: SLOT,
            energy: Energy(energy),
            consumption_slot: SLOT,
            beneficiary: String::from("works 3"),
            purpose: String::from("a report"),
            class: CertificateClass::Exported,
        }
    }

    /// Issues the certificate of what somebody exported, who sold nothing.
    fn issue(certificates: &mut Certificates, producer: ParticipantId, export: u64) {
        let (export, self_consumed, shares) = (Energy(export), Energy::ZERO, Vec::new());
        let certifiable = Certifiable { export, self_consumed, shares };
        certificates.certify(SLOT, producer, &certifiable, &mut Vec::new());
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
            issue(&mut certificates, ANN, held.0);
            let (before, mut events) = (certificates.clone(), Vec::new());
            let meters = meters_with_import(6);
            let result =
                certificates.check_and_retire(STAMP, ANN, &retirement, &meters, settled, &mut events);
            assert_eq!(result, Err(refused));
            assert_eq!((certificates, events), (before, Vec::new()));
        }
    }

    #[test]
    fn claims_take_slices_in_order_of_their_ids_and_end_at_the_metered_import() {
        let (mut certificates, mut events) = (Certificates::default(), Vec::new());
        issue(&mut certificates, EVE, 5);
        issue(&mut certificates, ANN, 4);
        certificates.take(EVE, CertificateId { slot: SLOT, producer: EVE, issue: ISSUE }, Energy(5));
        certificates.put(ANN, CertificateId { slot: SLOT, producer: EVE, issue: ISSUE }, Energy(5));

        let meters = meters_with_import(8);
        assert_eq!(
            certificates.check_and_retire(STAMP, ANN, &retirement(6), &meters, true, &mut events),
            Ok(())
        );
        let retired = |producer, energy| Event::CertificateRetired {
            certificate: CertificateId { slot: SLOT, producer, issue: ISSUE },
            holder: ANN,
            energy: Energy(energy),
            consumption_slot: SLOT,
            beneficiary: String::from("works 3"),
            purpose: String::from("a report"),
            retirement: RetirementId(STAMP.index),
        };
        assert_eq!(events, [retired(ANN, 4), retired(EVE, 2)]);
        assert_eq!(certificates.held(ANN, SLOT), Energy(3));

        let refused = Rejection::ConsumptionMustCover { energy: Energy(3), unclaimed: Energy(2) };
        assert_eq!(
            certificates.check_and_retire(STAMP, ANN, &retirement(3), &meters, true, &mut events),
            Err(refused)
        );
        assert_eq!(
            certificates.check_and_retire(STAMP, ANN, &retirement(2), &meters, true, &mut events),
            Ok(())
        );
        assert_eq!(certificates.held(ANN, SLOT), Energy(1));
    }

    #[test]
    fn what_is_certified_again_is_not_issued_again() {
        let mut certificates = Certificates::default();
        issue(&mut certificates, ANN, 5);
        issue(&mut certificates, ANN, 7);
        assert_eq!(certificates.held(ANN, SLOT), Energy(5));
    }
}
