//! The books: who holds what, what became of the rest, and when the first of it expires.
//!
//! Knows parts and whose they are; does not know why they move.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::calendar::expires_at;
use super::{Certificate, CertificatePart, Certificates, Holding};
use crate::{CertificateClass, CertificateId, CertificateUse, Energy, ParticipantId, Slot};

/// Returns the ids of all certificates of a producer's slot.
pub(super) fn of_producer(slot: Slot, producer: ParticipantId) -> RangeInclusive<CertificateId> {
    CertificateId { slot, producer, issue: 0 }..=CertificateId { slot, producer, issue: u16::MAX }
}

/// Returns the ids of all certificates of a slot.
pub(super) fn of_slot(slot: Slot) -> RangeInclusive<CertificateId> {
    of_slots(slot..=slot)
}

/// Returns the ids of all certificates of some slots.
pub(super) fn of_slots(slots: RangeInclusive<Slot>) -> RangeInclusive<CertificateId> {
    let (first, last) = slots.into_inner();
    *of_producer(first, ParticipantId(0)).start()..=*of_producer(last, ParticipantId(u32::MAX)).end()
}

/// Returns how much some amounts are together.
pub(super) fn sum<T>(amounts: &[(T, Energy)]) -> Energy {
    amounts.iter().fold(Energy::ZERO, |sum, (_, energy)| sum.plus(*energy))
}

/// Deals amounts to those who are to get so much, each in their order, until either is used up, and returns what
/// goes to whom.
pub(super) fn deal<T: Copy, U: Copy>(
    amounts: &[(T, Energy)],
    wants: &[(U, Energy)],
) -> impl Iterator<Item = (T, U, Energy)> {
    let mut amounts = amounts.iter().copied().filter(is_any).peekable();
    let mut wants = wants.iter().copied().filter(is_any).peekable();
    core::iter::from_fn(move || {
        let ((what, there), (whom, wanted)) = (amounts.peek_mut()?, wants.peek_mut()?);
        let dealt = (*what, *whom, (*there).min(*wanted));
        (*there, *wanted) = (there.minus(dealt.2), wanted.minus(dealt.2));
        amounts.next_if(|(_, left)| left.is_zero());
        wants.next_if(|(_, left)| left.is_zero());
        Some(dealt)
    })
}

fn is_any<T>((_, energy): &(T, Energy)) -> bool {
    !energy.is_zero()
}

/// Returns a certificate among all that were issued.
fn certificate_in(
    issued: &mut BTreeMap<(Slot, ParticipantId), Vec<Certificate>>,
    id: CertificateId,
) -> &mut Certificate {
    let all = issued.get_mut(&(id.slot, id.producer));
    let certificate = all.and_then(|all| all.get_mut(usize::from(id.issue) - 1));
    certificate.expect("only what was issued has an id")
}

impl Certificates {
    /// Returns a certificate that was issued, if it was.
    pub(super) fn certificate(&self, id: CertificateId) -> Option<&Certificate> {
        self.issued.get(&(id.slot, id.producer))?.get(usize::from(id.issue).checked_sub(1)?)
    }

    /// Returns a certificate that was issued, to change it.
    pub(super) fn certificate_mut(&mut self, id: CertificateId) -> &mut Certificate {
        certificate_in(&mut self.issued, id)
    }

    /// Returns the certificates of a producer's slot that are not withdrawn, in order of their ids.
    pub(super) fn valid(
        &self,
        slot: Slot,
        producer: ParticipantId,
    ) -> impl Iterator<Item = (CertificateId, &Certificate)> {
        let issues = self.issued.get(&(slot, producer)).map_or(&[][..], Vec::as_slice);
        let numbered = issues.iter().zip(1..=u16::MAX);
        numbered
            .filter(|(certificate, _)| !certificate.is_withdrawn)
            .map(move |(certificate, issue)| (CertificateId { slot, producer, issue }, certificate))
    }

    /// Returns the ids of all certificates of a slot, in their order.
    pub(super) fn ids_of_slot(&self, slot: Slot) -> impl Iterator<Item = CertificateId> {
        let producers = (slot, ParticipantId(0))..=(slot, ParticipantId(u32::MAX));
        let numbered = move |producer, issues: &[Certificate]| {
            let issues = (1..=u16::MAX).take(issues.len());
            issues.map(move |issue| CertificateId { slot, producer, issue })
        };
        self.issued.range(producers).flat_map(move |(&(_, producer), issues)| numbered(producer, issues))
    }

    /// Returns what a holder has of some certificates, in order of their ids.
    pub(super) fn holdings(
        &self,
        holder: ParticipantId,
        of: RangeInclusive<CertificateId>,
    ) -> impl Iterator<Item = (CertificateId, Holding)> {
        let held = self.held.range((holder, *of.start())..=(holder, *of.end()));
        held.map(|(&(_, certificate), &holding)| (certificate, holding))
    }

    /// Returns what a holder has of some certificates of a class, in order of their ids.
    pub(super) fn held_of(
        &self,
        holder: ParticipantId,
        class: CertificateClass,
        of: RangeInclusive<CertificateId>,
    ) -> Vec<(CertificateId, Energy)> {
        let fitting = self.holdings(holder, of).filter(|(_, holding)| holding.class == class);
        fitting.map(|(certificate, holding)| (certificate, holding.energy)).collect()
    }

    /// Takes so much of what a holder has, in the order in which `held` lists it, or all of that if it is less,
    /// and returns from which certificate how much.
    pub(super) fn take(
        &mut self,
        holder: ParticipantId,
        held: &[(CertificateId, Energy)],
        energy: Energy,
    ) -> Vec<(CertificateId, Energy)> {
        let wanted = [((), energy)];
        let taken: Vec<(CertificateId, Energy)> =
            deal(held, &wanted).map(|(certificate, (), energy)| (certificate, energy)).collect();
        for (certificate, energy) in &taken {
            self.let_go(holder, *certificate, *energy);
        }
        taken
    }

    /// Adds to what somebody holds of a certificate.
    pub(super) fn hold(&mut self, holder: ParticipantId, id: CertificateId, energy: Energy) {
        match self.held.entry((holder, id)) {
            Entry::Occupied(mut holding) => {
                let holding = holding.get_mut();
                holding.energy = holding.energy.plus(energy);
            }
            Entry::Vacant(place) => {
                let certificate = certificate_in(&mut self.issued, id);
                place.insert(Holding { energy, class: certificate.class });
                let place = certificate.holders.binary_search(&holder);
                certificate.holders.insert(place.expect_err("who holds nothing is no holder"), holder);
                let holdings = self.holdings_in.entry(id.slot).or_default();
                *holdings += 1;
                if *holdings == 1 {
                    self.find_next_due();
                }
            }
        }
    }

    /// Takes from what somebody holds of a certificate; the caller knows that he has it.
    pub(super) fn let_go(&mut self, holder: ParticipantId, id: CertificateId, energy: Energy) {
        let holding = self.held.get_mut(&(holder, id)).expect("only what is held is let go");
        holding.energy = holding.energy.minus(energy);
        if !holding.energy.is_zero() {
            return;
        }
        self.held.remove(&(holder, id));
        let certificate = self.certificate_mut(id);
        let place = certificate.holders.binary_search(&holder).expect("he held a part of it");
        certificate.holders.remove(place);
        let holdings = self.holdings_in.get_mut(&id.slot).expect("there was a holding");
        *holdings -= 1;
        if *holdings == 0 {
            self.holdings_in.remove(&id.slot);
            self.find_next_due();
        }
    }

    fn find_next_due(&mut self) {
        // A later slot never expires earlier.
        self.next_due = self.holdings_in.first_key_value().map(|(slot, _)| expires_at(*slot));
    }

    /// Writes down what became of a part that is not held any more.
    pub(super) fn mark(&mut self, id: CertificateId, part: CertificatePart) {
        let used = &mut self.certificate_mut(id).used;
        match used.binary_search_by_key(&(part.holder, part.state), |it| (it.holder, it.state)) {
            Ok(place) => used[place].energy = used[place].energy.plus(part.energy),
            Err(place) => used.insert(place, part),
        }
    }

    /// Strikes out what became of a part, which is held again.
    pub(super) fn unmark(&mut self, id: CertificateId, holder: ParticipantId, state: CertificateUse) {
        let used = &mut self.certificate_mut(id).used;
        let place = used.binary_search_by_key(&(holder, state), |it| (it.holder, it.state));
        used.remove(place.expect("only what was written down is struck out"));
    }

    /// Returns all parts of a certificate, in order of their holders and of what became of them.
    pub(super) fn parts(&self, id: CertificateId) -> Vec<CertificatePart> {
        let Some(certificate) = self.certificate(id) else { return Vec::new() };
        let held = certificate.holders.iter().map(|&holder| {
            let energy = self.held[&(holder, id)].energy;
            CertificatePart { holder, state: CertificateUse::Held, energy }
        });
        let mut parts: Vec<CertificatePart> = held.chain(certificate.used.iter().copied()).collect();
        parts.sort_unstable_by_key(|part| (part.holder, part.state));
        parts
    }
}
