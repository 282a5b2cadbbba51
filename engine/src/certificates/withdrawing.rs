//! Withdrawing: certificates that a correction contradicts, and all that depends on them.
//!
//! Knows what readings now say, as it is told; does not know what they said before. Keeps: a withdrawn
//! certificate has no parts, and its number is never used again; what it had in common with others is undone;
//! what was passed on of it stays passed on, as far as there is as much of the next ones.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::books::{deal, of_producer, sum};
use super::issuing::Bought;
use super::{Certifiable, Certificate, CertificatePart, Certificates, Measured, Slice};
use crate::delivery::share_out;
use crate::{
    CertificateClass, CertificateId, CertificateUse, CertificateWithdrawal, Energy, Event, GecId, Outcome,
    ParticipantId, Rejection, Slot,
};

/// Why the market itself withdraws.
const FINAL_SETTLEMENT: &str = "final settlement";

/// By how much holders have more of certificates than these brought them, or less, as they passed it on.
pub(super) type Moved = BTreeMap<ParticipantId, i128>;

/// What is certified of a producer's slot, beside what readings say.
struct Comparison {
    certifiable: Measured,
    exported: Energy,
    self_consumed: Energy,
    bought: Vec<Bought>,
}

impl Comparison {
    /// Returns whether more is certified than was measured, or than was delivered to a buyer with a slice.
    fn contradicts(&self, certificate: &Certificate) -> bool {
        let got_too_much = |slice: &Slice| {
            let bought = &self.bought[self.place_of(slice.buyer)];
            bought.sliced > bought.delivered
        };
        match certificate.class {
            CertificateClass::SelfConsumed => self.self_consumed > self.certifiable.self_consumed,
            CertificateClass::Exported => {
                self.exported > self.certifiable.export || certificate.slices.iter().any(got_too_much)
            }
        }
    }

    /// Leaves a certificate out.
    fn leave_out(&mut self, certificate: &Certificate) {
        let certified = match certificate.class {
            CertificateClass::SelfConsumed => &mut self.self_consumed,
            CertificateClass::Exported => &mut self.exported,
        };
        *certified = certified.minus(certificate.energy);
        for slice in &certificate.slices {
            let place = self.place_of(slice.buyer);
            self.bought[place].sliced = self.bought[place].sliced.minus(slice.energy);
        }
    }

    fn place_of(&self, buyer: ParticipantId) -> usize {
        self.bought.binary_search_by_key(&buyer, |it| it.buyer).expect("a slice goes to a buyer")
    }
}

impl Certificates {
    /// Withdraws a certificate that current readings contradict, and issues what they say, or refuses and
    /// changes nothing.
    ///
    /// `certifiable` is what they say of the producer's slot; nothing where its settlement is final, after which
    /// nothing is contradicted any more. `import_of` says what was drawn in the slot.
    pub(crate) fn withdraw(
        &mut self,
        withdrawal: &CertificateWithdrawal,
        certifiable: Option<&Certifiable>,
        import_of: impl Fn(ParticipantId) -> Energy,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Rejection> {
        let id = withdrawal.certificate;
        let certificate = self.certificate(id).filter(|certificate| !certificate.is_withdrawn);
        let certificate = certificate.ok_or(Rejection::CertificateMustExist)?;
        let certifiable = certifiable.ok_or(Rejection::CorrectionMustContradictTheCertificate)?;
        let comparison = self.compare(id.slot, id.producer, certifiable);
        if !comparison.contradicts(certificate) && !self.is_overclaimed(id, import_of) {
            return Err(Rejection::CorrectionMustContradictTheCertificate);
        }

        // Every check is above; from here the withdrawal is accepted.
        let mut moved = Moved::new();
        self.add_moved(id, &mut moved);
        self.void(id, withdrawal.reason.clone(), events);
        self.certify(id.slot, id.producer, certifiable, events);
        self.move_again(id.slot, id.producer, &moved, events);
        Ok(Outcome::CertificateWithdrawn)
    }

    /// Withdraws every certificate of a producer's slot that is contradicted when its turn comes, the last ones
    /// first, so that as few as possible have to go; returns what had been passed on of them.
    pub(super) fn withdraw_contradicted(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        certifiable: &Certifiable,
        import_of: impl Fn(ParticipantId) -> Energy,
        events: &mut Vec<Event>,
    ) -> Moved {
        let mut moved = Moved::new();
        let mut comparison = self.compare(slot, producer, certifiable);
        let valid: Vec<CertificateId> = self.valid(slot, producer).map(|(id, _)| id).collect();
        for id in valid.into_iter().rev() {
            let certificate = self.certificate(id).expect("it was issued");
            if comparison.contradicts(certificate) || self.is_overclaimed(id, &import_of) {
                comparison.leave_out(certificate);
                self.add_moved(id, &mut moved);
                self.void(id, String::from(FINAL_SETTLEMENT), events);
            }
        }
        moved
    }

    fn compare(&self, slot: Slot, producer: ParticipantId, certifiable: &Certifiable) -> Comparison {
        Comparison {
            certifiable: certifiable.measured,
            exported: self.certified(slot, producer, CertificateClass::Exported),
            self_consumed: self.certified(slot, producer, CertificateClass::SelfConsumed),
            bought: self.bought(slot, producer, certifiable),
        }
    }

    /// Returns whether a holder has claimed more of a certificate of exported energy, and others of its slot, than
    /// he drew.
    fn is_overclaimed(&self, id: CertificateId, import_of: impl Fn(ParticipantId) -> Energy) -> bool {
        let certificate = self.certificate(id).expect("it was issued");
        let claimed_too_much = |part: &CertificatePart| {
            matches!(part.state, CertificateUse::Retired(_))
                && self.claimed(part.holder, id.slot) > import_of(part.holder)
        };
        certificate.class == CertificateClass::Exported && certificate.used.iter().any(claimed_too_much)
    }

    /// Adds what has been passed on of a certificate: what each holder had of it, whatever became of that, less
    /// his slices; and, of its producer, less what was not sliced.
    fn add_moved(&self, id: CertificateId, moved: &mut Moved) {
        let certificate = self.certificate(id).expect("it was issued");
        let mut add = |holder, energy: Energy, sign: i128| {
            *moved.entry(holder).or_default() += sign * i128::from(energy.0);
        };
        for part in self.parts(id) {
            add(part.holder, part.energy, 1);
        }
        add(id.producer, certificate.energy, -1);
        for slice in &certificate.slices {
            add(id.producer, slice.energy, 1);
            add(slice.buyer, slice.energy, -1);
        }
    }

    /// Passes certificates of a producer's slot on again, after withdrawn ones were issued anew: who had passed
    /// on, as much as before, as far as he has it; who had received, in proportion to how much that was.
    ///
    /// So nobody has back by a withdrawal what he had passed on.
    pub(super) fn move_again(
        &mut self,
        slot: Slot,
        producer: ParticipantId,
        moved: &Moved,
        events: &mut Vec<Event>,
    ) {
        let amount = |moved: i128| {
            Energy(u64::try_from(moved).expect("no more is passed on than a certificate is of"))
        };
        let mut given = Vec::new();
        for (&from, &moved) in moved.iter().filter(|(_, moved)| **moved < 0) {
            let has = self.held_of(from, CertificateClass::Exported, of_producer(slot, producer));
            let taken = self.take(from, &has, amount(-moved));
            given.extend(taken.into_iter().map(|(certificate, energy)| ((from, certificate), energy)));
        }
        let receivers: Vec<(ParticipantId, Energy)> =
            moved.iter().filter(|(_, moved)| **moved > 0).map(|(to, moved)| (*to, amount(*moved))).collect();
        let mut shares: Vec<Energy> = receivers.iter().map(|(_, moved)| *moved).collect();
        share_out(sum(&given), &mut shares);
        let wants: Vec<(ParticipantId, Energy)> =
            receivers.into_iter().zip(shares).map(|((to, _), share)| (to, share)).collect();
        for ((from, certificate), to, energy) in deal(&given, &wants) {
            self.hold(to, certificate, energy);
            events.push(Event::CertificateTransferred { certificate, from, to, energy });
        }
    }

    /// Makes a certificate void, with everything that depends on it: all its parts first, then the national
    /// certificates that one of them is in.
    fn void(&mut self, id: CertificateId, reason: String, events: &mut Vec<Event>) {
        let parts = self.parts(id);
        let (energy, class) = {
            let certificate = self.certificate_mut(id);
            certificate.is_withdrawn = true;
            (certificate.energy, certificate.class)
        };
        events.push(Event::CertificateWithdrawn { certificate: id, energy, reason });
        let mut gecs = Vec::new();
        for CertificatePart { holder, state, energy } in parts {
            match state {
                CertificateUse::Held => self.let_go(holder, id, energy),
                CertificateUse::Retired(_) if class == CertificateClass::Exported => {
                    self.unclaim(holder, id.slot, energy);
                }
                CertificateUse::Bundled(gec) => gecs.push(gec),
                CertificateUse::Retired(_) | CertificateUse::Expired => {}
            }
            events.push(Event::CertificateVoided { certificate: id, holder, energy, was: state });
        }
        let certificate = self.certificate_mut(id);
        (certificate.used, certificate.slices) = (Vec::new(), Vec::new());
        gecs.sort_unstable();
        for gec in gecs {
            self.void_gec(gec, id, events);
        }
    }

    /// Makes a claim free again.
    fn unclaim(&mut self, holder: ParticipantId, slot: Slot, energy: Energy) {
        let claimed = self.claimed.get_mut(&(holder, slot)).expect("it was claimed");
        *claimed = claimed.minus(energy);
        if claimed.is_zero() {
            self.claimed.remove(&(holder, slot));
        }
    }

    /// Makes a national certificate void, whose parts other than that of `withdrawn` are held again.
    ///
    /// What of them has expired meanwhile is due at once.
    fn void_gec(&mut self, gec: GecId, withdrawn: CertificateId, events: &mut Vec<Event>) {
        let voided = self.gecs.remove(&gec).expect("it has a part");
        let holder = voided.holder;
        self.gecs_by_holder.remove(&(holder, gec));
        events.push(Event::GecVoided { gec, holder });
        for (certificate, energy) in voided.parts.into_iter().filter(|(id, _)| *id != withdrawn) {
            self.unmark(certificate, holder, CertificateUse::Bundled(gec));
            self.hold(holder, certificate, energy);
            events.push(Event::CertificateReleased { certificate, holder, energy, gec });
        }
    }
}
